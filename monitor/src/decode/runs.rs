//! Finds runs of the letters that base64, base64url and hexadecimal are written in. It does not
//! decode them.

use std::ops::Range;

/// Letters of the shortest run: nine digits with two dashes are 15 letters of base64.
pub(super) const RUN_BYTES_MIN: usize = 15;

/// No letter of base64.
pub(super) const NO_SEXTET: u8 = 0xFF;

/// The six bits of each letter of base64 and of base64url (RFC 4648 sections 4 and 5).
pub(super) const SEXTETS: [u8; 256] = {
    let mut table = [NO_SEXTET; 256];
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut at = 0;
    while at < letters.len() {
        table[letters[at] as usize] = at as u8;
        at += 1;
    }
    table[b'-' as usize] = 62;
    table[b'_' as usize] = 63;
    table
};

/// No digit of base 16.
const NO_NIBBLE: u8 = 0xFF;

/// The four bits of each hexadecimal digit, in either case.
const NIBBLES: [u8; 256] = {
    let mut table = [NO_NIBBLE; 256];
    let digits = b"0123456789abcdef";
    let mut at = 0;
    while at < digits.len() {
        table[digits[at] as usize] = at as u8;
        table[digits[at].to_ascii_uppercase() as usize] = at as u8;
        at += 1;
    }
    table
};

/// The four bits of a hexadecimal digit.
pub(super) fn nibble(letter: u8) -> Option<u8> {
    NIBBLES.get(usize::from(letter)).copied().filter(|nibble| *nibble != NO_NIBBLE)
}

/// The six bits of a letter, [`NO_SEXTET`] of any other byte.
pub(super) fn sextet(byte: u8) -> u8 {
    SEXTETS.get(usize::from(byte)).copied().unwrap_or(NO_SEXTET)
}

fn in_run(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(|byte| sextet(*byte) != NO_SEXTET)
}

/// The runs of at least [`RUN_BYTES_MIN`] letters. Looks at every fifteenth byte first, and at those
/// before it only where it is a letter.
pub(super) fn runs(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    // Before `at` stands no letter, or it was looked at.
    let mut at = 0_usize;
    while let Some(probe) = at.checked_add(RUN_BYTES_MIN - 1).filter(|probe| *probe < bytes.len()) {
        if !in_run(bytes, probe) {
            at = probe + 1;
            continue;
        }
        let mut from = probe;
        while from > at && in_run(bytes, from - 1) {
            from -= 1;
        }
        if from > at {
            at = from;
            continue;
        }
        let rest = bytes.get(probe..).unwrap_or_default();
        let length = rest.iter().position(|byte| sextet(*byte) == NO_SEXTET);
        let end = length.map_or(bytes.len(), |length| probe + length);
        runs.push(at..end);
        at = end + 1;
    }
    runs
}

/// Letters of a line that may go on in the next: PEM has 64, MIME 76, `xxd -p` 60.
const LINE_BYTES_MIN: usize = 60;
/// Blanks and quote marks before a line that goes on.
const INDENT_BYTES_MAX: usize = 16;

/// The run in the line after a run that ends at `end`, where one of `width` letters goes on there.
pub(super) fn next_line(bytes: &[u8], end: usize, width: usize) -> Option<Range<usize>> {
    if width < LINE_BYTES_MIN {
        return None;
    }
    let rest = bytes.get(end..)?;
    let rest = rest.strip_prefix(b"\r").unwrap_or(rest).strip_prefix(b"\n")?;
    let indent =
        rest.iter().take(INDENT_BYTES_MAX).take_while(|byte| b" \t>".contains(byte)).count();
    let start = bytes.len() - rest.len() + indent;
    let rest = bytes.get(start..)?;
    let length = rest.iter().take(width + 1).take_while(|byte| sextet(**byte) != NO_SEXTET).count();
    let goes_on = length > 0 && length <= width && rest.first() != Some(&b'-');
    goes_on.then_some(start..start + length)
}

/// Has `read` try the places in a run where what is encoded may begin, up to the first that it
/// gives the end of: at its start, any of the first `phases` bytes
/// where the text is cut there, and behind what joins it to a path or a name.
pub(super) fn read_beginnings(
    bytes: &[u8],
    run: &Range<usize>,
    phases: usize,
    mut read: impl FnMut(usize) -> Option<usize>,
) -> Option<usize> {
    const JOINS_MAX: usize = 6;
    const ASKED_BYTES: usize = 64;
    let last = run.end.saturating_sub(RUN_BYTES_MIN).max(run.start);
    for start in run.start..=last.min(run.start + phases) {
        if let Some(end) = read(start) {
            return Some(end);
        }
    }
    let mut joins = 0;
    let letters = bytes.get(run.start..last.min(run.start + ASKED_BYTES)).unwrap_or_default();
    for (start, byte) in (run.start + 1..).zip(letters) {
        // What is no letter and no digit.
        if sextet(*byte) < 62 {
            continue;
        }
        if let Some(end) = read(start) {
            return Some(end);
        }
        joins += 1;
        if joins == JOINS_MAX {
            break;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_those_that_are_long_enough() {
        let text =
            format!("{} {}. {}={}", "a".repeat(15), "b".repeat(14), "c".repeat(40), "d".repeat(16));
        let found: Vec<_> =
            runs(text.as_bytes()).into_iter().map(|run| text[run].to_owned()).collect();
        assert_eq!(found, ["a".repeat(15), "c".repeat(40), "d".repeat(16)]);
        assert!(runs(b"the quick brown fox, \"jumps\": 12").is_empty());
    }
}
