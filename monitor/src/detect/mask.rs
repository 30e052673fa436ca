//! Values with what identifies somebody struck out. Which characters stay is each detector's to
//! say; that nothing else stays is said here.

/// Whether a byte of a value carries it, and is no separator.
pub(super) type InValue = fn(u8) -> bool;

pub(super) fn digit(b: u8) -> bool {
    b.is_ascii_digit()
}

pub(super) fn letter_or_digit(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}

/// Hands on the bytes of `value` that carry it.
pub(super) fn each(value: &[u8], in_value: InValue, out: &mut dyn FnMut(u8)) {
    value.iter().copied().filter(|b| in_value(*b)).for_each(out);
}

/// Hands on the digits of `value`.
pub(super) fn digits(value: &[u8], out: &mut dyn FnMut(u8)) {
    each(value, digit, out);
}

/// How many bytes of `value` carry it.
pub(super) fn count(value: &[u8], in_value: InValue) -> usize {
    value.iter().filter(|b| in_value(**b)).count()
}

/// Strikes out whatever carries the value, but for those that `shows`, by their number from 0. Of
/// the rest separators stay; a letter that has no place in the value is struck out too.
pub(super) fn strike(value: &[u8], in_value: InValue, shows: impl Fn(usize) -> bool) -> String {
    let mut n = 0;
    let mut masked = String::with_capacity(value.len());
    for letter in String::from_utf8_lossy(value).chars() {
        let byte = u8::try_from(letter).unwrap_or(0);
        if letter.is_ascii() && in_value(byte) {
            masked.push(if shows(n) { letter } else { '*' });
            n += 1;
        } else {
            let blank = letter.is_control() || letter.is_whitespace();
            masked.push(if letter.is_alphanumeric() {
                '*'
            } else if blank {
                ' '
            } else {
                letter
            });
        }
    }
    masked
}

/// Characters of the shortest value of which the last ones may be shown.
const SHOWN_OF_MIN: usize = 8;

/// The last four letters and digits, of a value of at least [`SHOWN_OF_MIN`]; of a shorter one
/// nothing.
pub(super) fn last_four(value: &[u8]) -> String {
    let count = count(value, letter_or_digit);
    strike(value, letter_or_digit, |n| count >= SHOWN_OF_MIN && n + 4 >= count)
}

/// Nothing but how long it is.
pub(super) fn nothing(value: &[u8]) -> String {
    strike(value, |_| true, |_| false)
}

/// Hands on every byte as it is: of secrets, each one tells them apart.
pub(super) fn exact(value: &[u8], out: &mut dyn FnMut(u8)) {
    each(value, |_| true, out);
}

/// Hands on letters, in upper case, and digits.
pub(super) fn compact(value: &[u8], out: &mut dyn FnMut(u8)) {
    each(value, letter_or_digit, &mut |b| out(b.to_ascii_uppercase()));
}
