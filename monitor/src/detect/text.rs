//! What all detectors ask of raw text: a byte or nothing, runs of digits with their separators, and
//! whether a value stands on its own. It knows no entity.

/// Digits that a run is followed for: the longest payment card (ISO/IEC 7812-1).
pub(super) const RUN_DIGITS_MAX: usize = 19;

/// The byte at `at`, 0 outside of the text.
pub(super) fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// The byte `back` bytes before `at`, 0 outside of the text.
pub(super) fn byte_before(text: &[u8], at: usize, back: usize) -> u8 {
    at.checked_sub(back).map_or(0, |at| byte(text, at))
}

/// The bytes from `start` to `end`, empty where that is no part of the text.
pub(super) fn slice(text: &[u8], start: usize, end: usize) -> &[u8] {
    text.get(start..end).unwrap_or_default()
}

/// The separator that stands at `at`, as a code of one byte that tells separators apart, and its
/// length in bytes. ASCII separators are their own code.
pub(super) fn separator(text: &[u8], at: usize) -> Option<(u8, usize)> {
    match byte(text, at) {
        // '+' is a space in form encoding.
        code @ (b' ' | b'-' | b'.' | b'+') => Some((code, 1)),
        0xC2 if byte(text, at + 1) == NO_BREAK_SPACE => Some((NO_BREAK_SPACE, 2)),
        // U+2000 to U+203F, the block's spaces and dashes.
        0xE2 if byte(text, at + 1) == 0x80 => match byte(text, at + 2) {
            code @ 0x80..=0xBF => Some((code, 3)),
            _ => None,
        },
        _ => None,
    }
}

/// The separator that ends at `end`, as [`separator`] gives it.
pub(super) fn separator_before(text: &[u8], end: usize) -> Option<(u8, usize)> {
    (1..=3).find_map(|width| {
        let at = end.checked_sub(width)?;
        separator(text, at).filter(|(_, found)| *found == width)
    })
}

const NO_BREAK_SPACE: u8 = 0xA0;

/// Whether a separator stands between words; a dash or a dot joins what is left and right of it.
pub(super) fn is_spacing(code: u8) -> bool {
    matches!(code, b' ' | b'+' | 0x80..=0x8B | NO_BREAK_SPACE | 0xAF)
}

/// Digits without anything between them.
#[derive(Clone, Copy, Default)]
pub struct Group {
    pub start: usize,
    pub end: usize,
    /// Code of the separator before it, 0 for the first.
    pub separator: u8,
}

impl Group {
    pub fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }
}

/// Groups of digits that follow each other with one separator between them, from the first digit
/// of a group on.
#[derive(Default)]
pub struct Run {
    groups: [Group; RUN_DIGITS_MAX],
    count: usize,
    digits: usize,
}

impl Run {
    /// Reads the run at `start`. Goes on until it has [`RUN_DIGITS_MAX`] digits, and then to the
    /// end of the group.
    pub fn read(&mut self, text: &[u8], start: usize) {
        self.count = 0;
        self.digits = 0;
        let (mut at, mut code) = (start, 0);
        while let Some(group) = self.groups.get_mut(self.count) {
            let rest = text.get(at..).unwrap_or_default();
            let length = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
            if length == 0 {
                return;
            }
            *group = Group { start: at, end: at + length, separator: code };
            self.count += 1;
            self.digits += length;
            at += length;
            let Some((next_code, width)) = separator(text, at) else { return };
            if self.digits >= RUN_DIGITS_MAX {
                return;
            }
            (at, code) = (at + width, next_code);
        }
    }

    /// Takes a group that no other follows for the run.
    pub fn take_single(&mut self, start: usize, end: usize) {
        if let Some(group) = self.groups.first_mut() {
            *group = Group { start, end, separator: 0 };
        }
        (self.count, self.digits) = (1, end - start);
    }

    /// The groups in order.
    pub fn groups(&self) -> &[Group] {
        self.groups.get(..self.count).unwrap_or_default()
    }

    /// Digits of all groups.
    pub fn digits(&self) -> usize {
        self.digits
    }
}

/// How a value is bounded on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Boundary {
    /// It goes on: part of a longer number, word, float, version or UUID.
    Inside,
    /// It is joined to a word (`order-4111…`, `/4111…`, `#4111…`): stands only with context.
    Joined,
    /// It stands on its own.
    Clean,
}

/// Letters and digits from `at` on, at most so many.
pub(super) fn alphanumeric_from(text: &[u8], at: usize, most: usize) -> usize {
    run_from(text, at, most, alphanumeric, |b| b.is_ascii_alphanumeric())
}

/// Small letters and digits from `at` on, about so many at most.
pub(super) fn small_from(text: &[u8], at: usize, most: usize) -> usize {
    // Of letters and digits only capitals have no 0x20.
    let small = |word: u64| alphanumeric(word) & word << 2;
    run_from(text, at, most, small, |b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// Bytes from `at` on that are told by `all`, in the highest bits of eight, and by `one`.
fn run_from(
    text: &[u8],
    at: usize,
    most: usize,
    all: impl Fn(u64) -> u64,
    one: impl Fn(u8) -> bool,
) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let rest = rest.get(..most).unwrap_or(rest);
    let mut words = rest.chunks_exact(8);
    let mut count = 0;
    for word in &mut words {
        let word = <[u8; 8]>::try_from(word).map_or(0, u64::from_le_bytes);
        let others = !all(word) & HIGH;
        if others != 0 {
            return count + others.trailing_zeros() as usize / 8;
        }
        count += 8;
    }
    count + words.remainder().iter().take_while(|b| one(**b)).count()
}

/// The lowest bit of each of eight bytes, and the highest.
pub(super) const LOW: u64 = 0x0101_0101_0101_0101;
pub(super) const HIGH: u64 = 0x8080_8080_8080_8080;

/// Sets the highest bit of each of eight bytes that is a letter or a digit.
fn alphanumeric(word: u64) -> u64 {
    let seven = word & !HIGH;
    // The highest bit of a byte is set where it is at least so much.
    let least = |word: u64, byte: u8| word + LOW * u64::from(0x80 - byte);
    let digits = least(seven, b'0') & !least(seven, b'9' + 1);
    let lower = seven | (LOW * 0x20);
    let letters = least(lower, b'a') & !least(lower, b'z' + 1);
    (digits | letters) & !word & HIGH
}

/// Whether a number goes on at `at` after a dot or a dash.
pub(super) fn goes_on_before(text: &[u8], at: usize) -> bool {
    matches!(byte_before(text, at, 1), b'.' | b'-') && byte_before(text, at, 2).is_ascii_digit()
}

/// The boundary before a value that starts at `start`.
pub(super) fn boundary_before(text: &[u8], start: usize) -> Boundary {
    let (last, second) = (byte_before(text, start, 1), byte_before(text, start, 2));
    match last {
        // The letter of an escape (`\n`) that no decoder undid.
        b'n' | b't' | b'r' if second == b'\\' => Boundary::Clean,
        b'_' => Boundary::Joined,
        _ if last.is_ascii_alphanumeric() => Boundary::Inside,
        b'.' | b'-' if second.is_ascii_digit() => Boundary::Inside,
        // With nothing before it a minus sign, or a fraction as minifiers write it.
        b'-' | b'.' | b'#' | b'$' => Boundary::Joined,
        b'/' if second.is_ascii_alphanumeric() => Boundary::Joined,
        0x80..=0xBF if is_unicode_dash_before(text, start) => Boundary::Inside,
        _ => Boundary::Clean,
    }
}

fn is_unicode_dash_before(text: &[u8], start: usize) -> bool {
    let digit_before = byte_before(text, start, 4).is_ascii_digit();
    start
        .checked_sub(3)
        .and_then(|at| separator(text, at))
        .is_some_and(|(code, width)| width == 3 && digit_before && !is_spacing(code))
}

/// The boundary after a value that ends at `end`.
pub(super) fn boundary_after(text: &[u8], end: usize) -> Boundary {
    let (first, second) = (byte(text, end), byte(text, end + 1));
    match first {
        b'_' => Boundary::Joined,
        _ if first.is_ascii_alphanumeric() => Boundary::Inside,
        b'.' | b'-' if second.is_ascii_digit() => Boundary::Inside,
        b'.' | b'-' | b'/' if second.is_ascii_alphanumeric() => Boundary::Joined,
        0xE2 => match separator(text, end) {
            Some((code, width))
                if !is_spacing(code) && byte(text, end + width).is_ascii_digit() =>
            {
                Boundary::Inside
            }
            _ => Boundary::Clean,
        },
        _ => Boundary::Clean,
    }
}

/// The weaker of the two boundaries of a value.
pub(super) fn boundary(text: &[u8], start: usize, end: usize) -> Boundary {
    boundary_before(text, start).min(boundary_after(text, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_digits_are_told_eight_at_a_time() {
        for byte in 0..=255u8 {
            for place in 0..20 {
                let mut text = [b'x'; 20];
                text[place] = byte;
                let count = if byte.is_ascii_alphanumeric() { 20 } else { place };
                assert_eq!(alphanumeric_from(&text, 0, 64), count, "{byte} at {place}");
                let count = if byte.is_ascii_uppercase() { place } else { count };
                assert_eq!(small_from(&text, 0, 64), count, "{byte} at {place}");
            }
        }
        assert_eq!(alphanumeric_from(b"abcdefghijkl", 1, 9), 9);
    }
}
