//! Counts lines and characters on the way through a content, only as far as something was found.

use super::found::Point;

/// How far a content was counted.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    offset: u64,
    lines: u64,
    chars: u64,
    /// Characters before the line.
    line_chars: u64,
}

impl Default for Place {
    fn default() -> Self {
        Place { offset: 0, lines: 1, chars: 0, line_chars: 0 }
    }
}

impl Place {
    /// Goes over the bytes that follow.
    pub fn advance(&mut self, bytes: &[u8]) {
        self.offset = self.offset.saturating_add(bytes.len() as u64);
        let lines = memchr::memchr_iter(b'\n', bytes).count() as u64;
        self.lines = self.lines.saturating_add(lines);
        let last = if lines > 0 { memchr::memrchr(b'\n', bytes) } else { None };
        let (before, line) = bytes.split_at(last.map_or(0, |at| at.saturating_add(1)));
        self.chars = self.chars.saturating_add(chars(before));
        if last.is_some() {
            self.line_chars = self.chars;
        }
        self.chars = self.chars.saturating_add(chars(line));
    }

    /// Where that is.
    pub fn point(&self) -> Point {
        Point {
            offset: self.offset,
            line: self.lines,
            column: self.chars.saturating_sub(self.line_chars).saturating_add(1),
            chars: self.chars,
        }
    }
}

/// Code points, told by the bytes that begin one (RFC 3629); what is no UTF-8 counts byte by byte
/// but for what looks like a continuation.
fn chars(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(byte & 0xc0 != 0x80)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pieces: &[&str], line: u64, column: u64, chars: u64) {
        let mut place = Place::default();
        pieces.iter().for_each(|piece| place.advance(piece.as_bytes()));
        let offset = pieces.concat().len() as u64;
        assert_eq!(place.point(), Point { offset, line, column, chars });
    }

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        check(&[], 1, 1, 0);
        check(&["abc"], 1, 4, 3);
        check(&["a\nbc"], 2, 3, 4);
        check(&["a\n", "é", "€x"], 2, 4, 5);
        check(&["\n\n", "\n"], 4, 1, 3);
    }
}
