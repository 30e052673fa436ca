//! Written forms of values as patterns, matched around a group of digits.
//!
//! In a pattern `9` is a digit, `A` a capital letter, `a` a letter, `X` a capital letter or a
//! digit, `x` a letter or a digit, `~` one separator (space, hyphen, dot, or their relatives beyond
//! ASCII; the same one all through a form), and every other character itself. Between apostrophes
//! all characters stand for themselves. A `?` makes the element before it optional. Each form has
//! a `9`: its first group of digits is where the engine begins to look.
//!
//! It does not check what the digits say.

use super::detector::Form;
use super::text::{self, Boundary, HIGH, LOW};

/// Characters of a value without separators.
pub(super) const COMPACT_MAX: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Digit,
    Upper,
    Letter,
    UpperOrDigit,
    LetterOrDigit,
    Separator,
    Exactly(u8),
}

/// A pattern, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    /// Elements before the first digit, the nearest first.
    before: Vec<Element>,
    /// Elements from the first digit on.
    after: Vec<Element>,
    /// Least and most digits in the group that it begins with.
    pub group: (usize, usize),
    /// Least and most letters directly before that group.
    pub letters: (usize, usize),
    /// Letters and digits around its first digit, up to what is neither.
    pub word: usize,
    /// What the form is worth, in decibans.
    pub worth_db: i16,
    /// Whether the context must name it.
    pub needs_context: bool,
}

/// What stands around a group of digits: enough to tell most places from a form at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Around {
    /// Letters and digits of the word that the group is part of.
    pub word: u8,
    /// Class of the byte before the group, as a bit.
    pub before: u8,
    /// Class of the byte behind it, as a bit.
    pub next: u8,
    /// Digits behind that byte, and behind the byte after those.
    pub second: u8,
    pub third: u8,
    /// Digits within so many bytes from the first digit on.
    pub near: u8,
}

impl Around {
    /// All of it, with the byte behind the group, as one number that is not 0.
    pub fn pack(&self, letters: usize, group: usize, next: u8) -> u64 {
        let small = [self.word, self.before, next, self.second, self.third, self.near];
        let around = small.iter().fold(1, |all, one| all << 8 | u64::from(*one));
        // At most 5 and 20.
        (around << 3 | letters as u64) << 5 | group as u64
    }
}

/// A count as [`Around`] and [`Needs`] have it: all that are more are the most.
pub(super) fn small(count: usize) -> u8 {
    u8::try_from(count).unwrap_or(u8::MAX)
}

/// The class of a byte next to a group of digits, as a bit: the separators each, the first bytes of
/// those beyond ASCII, letters, and the rest.
pub(super) fn class(byte: u8) -> u8 {
    match byte {
        b' ' => 1,
        b'-' => 1 << 1,
        b'.' => 1 << 2,
        b'+' => 1 << 3,
        b'/' => 1 << 4,
        0x80.. => BEYOND,
        _ if byte.is_ascii_alphabetic() => LETTER,
        _ => 1 << 7,
    }
}

const BEYOND: u8 = 1 << 5;
const LETTER: u8 = 1 << 6;
const SEPARATORS: u8 = 0b10_1111;
/// Classes of a byte that may stand between two groups.
pub(super) const PARTING: u8 = 0b01_1111;

/// What must stand around the first group of digits of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs {
    pub word: u8,
    /// Classes that may be.
    before: u8,
    pub next: u8,
    /// `None` where any number may be.
    pub second: Option<u8>,
    third: Option<u8>,
    /// At least so many.
    near: u8,
}

impl Needs {
    /// Whether the form may stand there.
    pub fn fit(&self, around: &Around) -> bool {
        let is = |wanted: Option<u8>, digits: u8| wanted.is_none_or(|wanted| wanted == digits);
        // Groups are counted behind separators of one byte.
        let counted = around.next & PARTING != 0;
        self.word == around.word
            && self.before & around.before != 0
            && self.next & around.next != 0
            && self.near <= around.near
            && (!counted || is(self.second, around.second) && is(self.third, around.third))
    }
}

/// Bytes before the first digit of a group, and from it on, of which the kinds are compared.
const HEAD_BYTES: usize = 8;
const TAIL_BYTES: usize = 16;

/// Kinds of the bytes around the first digit of a group, one bit each: those that are there, or those
/// that may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds {
    /// Of the bytes before it, the last of them highest.
    head: u64,
    tail: [u64; TAIL_BYTES / 8],
}

const DIGIT: u8 = 1;
const UPPER: u8 = 1 << 1;
const LOWER: u8 = 1 << 2;
const ALPHANUMERIC: u8 = DIGIT | UPPER | LOWER;
/// Space, `+`, `-` and `.`, and `,` between them.
const SIGN: u8 = 1 << 3;
const REST: u8 = 1 << 4;

impl Kinds {
    /// Those around the group at `at`. What is not ASCII may be anything, and so may all behind it:
    /// a separator may take up several bytes.
    pub fn read(text: &[u8], at: usize) -> Kinds {
        let word = |from: usize| text.get(from..).and_then(|rest| rest.first_chunk::<8>());
        let padded = |from: usize, back: usize| {
            let byte =
                |slot: usize| (from + slot).checked_sub(back).map_or(0, |at| text::byte(text, at));
            u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(byte))
        };
        let head = at.checked_sub(HEAD_BYTES).and_then(word);
        let head = head.map_or_else(|| padded(at, HEAD_BYTES), |word| u64::from_le_bytes(*word));
        let tail = [at, at + 8].map(|from| {
            word(from).map_or_else(|| padded(from, 0), |word| u64::from_le_bytes(*word))
        });
        let [one, other] = tail;
        if (head | one | other) & HIGH != 0 {
            return Kinds { head: u64::MAX, tail: [u64::MAX; 2] };
        }
        Kinds { head: kinds(head), tail: tail.map(kinds) }
    }

    /// Whether each byte there is of a kind that may be.
    pub fn fit(&self, there: &Kinds) -> bool {
        let [one, other] = self.tail;
        let [one_there, other_there] = there.tail;
        none_is_zero(self.head & there.head)
            && none_is_zero(one & one_there)
            && none_is_zero(other & other_there)
    }
}

/// The kinds of eight bytes of ASCII.
fn kinds(word: u64) -> u64 {
    // The highest bit of a byte is set where it is at least so much.
    let least = |word: u64, byte: u8| word + LOW * u64::from(0x80 - byte);
    let lower = word | (LOW * 0x20);
    let digits = least(word, b'0') & !least(word, b'9' + 1) & HIGH;
    let letters = least(lower, b'a') & !least(lower, b'z' + 1) & HIGH;
    let small = letters & word << 2;
    let space = !((word ^ (LOW * u64::from(b' '))) + !HIGH) & HIGH;
    let signs = least(word, b'+') & !least(word, b'.' + 1) & HIGH | space;
    let rest = HIGH & !(digits | letters | signs);
    digits >> 7 | (letters & !small) >> 6 | small >> 5 | signs >> 4 | rest >> 3
}

fn none_is_zero(word: u64) -> bool {
    (((word & !HIGH) + !HIGH) | word) & HIGH == HIGH
}

/// The kind of a byte.
fn kind(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => DIGIT,
        b'A'..=b'Z' => UPPER,
        b'a'..=b'z' => LOWER,
        b' ' | b'+'..=b'.' => SIGN,
        _ => REST,
    }
}

/// A value that fits a shape.
pub(super) struct Written {
    pub start: usize,
    pub end: usize,
    compact: [u8; COMPACT_MAX],
    length: usize,
}

impl Written {
    /// Letters in upper case and digits, without separators.
    pub fn compact(&self) -> &[u8] {
        self.compact.get(..self.length).unwrap_or_default()
    }
}

/// A separator is worth so many decibans: of all numbers few are written with it there.
const SEPARATOR_DB: i16 = 8;
/// A letter at its place.
const LETTER_DB: i16 = 4;
/// No form proves more than this.
const FORM_DB_MAX: i16 = 35;

/// The shapes of a form: one for each choice of what is optional.
pub(super) fn shapes(form: &Form) -> Vec<Shape> {
    let mut variants: Vec<Vec<Element>> = vec![Vec::new()];
    let mut literal = false;
    let characters: Vec<u8> = form.pattern.bytes().collect();
    for (at, byte) in characters.iter().enumerate() {
        let element = match byte {
            b'\'' => {
                literal = !literal;
                continue;
            }
            b'?' if !literal => continue,
            _ if literal => Element::Exactly(*byte),
            b'9' => Element::Digit,
            b'A' => Element::Upper,
            b'a' => Element::Letter,
            b'X' => Element::UpperOrDigit,
            b'x' => Element::LetterOrDigit,
            b'~' => Element::Separator,
            other => Element::Exactly(*other),
        };
        let without = variants.clone();
        variants.iter_mut().for_each(|elements| elements.push(element));
        if !literal && characters.get(at + 1) == Some(&b'?') {
            variants.extend(without);
        }
    }
    variants.into_iter().filter_map(|elements| Shape::of(&elements, form)).collect()
}

impl Element {
    fn is_letter(self) -> bool {
        match self {
            Element::Upper | Element::Letter => true,
            Element::Exactly(byte) => byte.is_ascii_alphabetic(),
            _ => false,
        }
    }

    fn may_be_letter(self) -> bool {
        self.is_letter() || matches!(self, Element::UpperOrDigit | Element::LetterOrDigit)
    }

    fn is_digit(self) -> bool {
        match self {
            Element::Digit => true,
            Element::Exactly(byte) => byte.is_ascii_digit(),
            _ => false,
        }
    }

    fn may_be_digit(self) -> bool {
        self.is_digit() || matches!(self, Element::UpperOrDigit | Element::LetterOrDigit)
    }

    fn is_separator(self) -> bool {
        match self {
            Element::Separator => true,
            Element::Exactly(byte) => !byte.is_ascii_alphanumeric(),
            _ => false,
        }
    }
}

impl Shape {
    fn of(elements: &[Element], form: &Form) -> Option<Shape> {
        let first = elements.iter().position(|element| element.is_digit())?;
        let (before, after) = elements.split_at_checked(first)?;
        let sure = after.iter().take_while(|element| element.is_digit()).count();
        let rest = after.get(sure..).unwrap_or_default();
        let most = sure + rest.iter().take_while(|element| element.may_be_digit()).count();
        let before: Vec<Element> = before.iter().rev().copied().collect();
        let letters = before.iter().take_while(|element| element.is_letter()).count();
        let may = before.iter().take_while(|element| element.may_be_letter()).count();
        let in_word = |element: &&Element| element.may_be_letter() || element.may_be_digit();
        let word =
            before.iter().take_while(in_word).count() + after.iter().take_while(in_word).count();
        let count = |is: fn(Element) -> bool| {
            i16::try_from(elements.iter().filter(|element| is(**element)).count()).unwrap_or(0)
        };
        let form_db =
            count(Element::is_separator) * SEPARATOR_DB + count(Element::is_letter) * LETTER_DB;
        Some(Shape {
            before,
            after: after.to_vec(),
            group: (sure, most),
            letters: (letters, may),
            word,
            worth_db: form.worth_db.unwrap_or(form_db.min(FORM_DB_MAX)),
            needs_context: form.needs_context,
        })
    }

    /// Whether it is a group of so many digits and nothing else.
    pub fn is_bare(&self, group: usize) -> bool {
        self.before.is_empty()
            && self.after.len() == group
            && self.after.iter().all(|element| *element == Element::Digit)
    }

    /// Whether there may be digits before the first place that is sure to be one.
    pub fn may_end(&self) -> bool {
        self.before.iter().any(|element| element.may_be_digit())
    }

    /// What must stand around a first group of so many digits.
    pub fn needs(&self, group: usize, near_bytes: usize) -> Needs {
        let classes = |element: Option<&Element>| match element {
            None => u8::MAX,
            Some(Element::Exactly(byte)) => class(*byte),
            Some(Element::Separator) => SEPARATORS,
            Some(_) => LETTER,
        };
        // The digits of the group behind the element at `at`, if the form says how many.
        let behind = |at: usize| {
            let is_parting = self.after.get(at).is_some_and(|element| element.is_separator());
            let rest = self.after.get(at + 1..).unwrap_or_default();
            let digits = rest.iter().take_while(|element| **element == Element::Digit).count();
            let ends = rest.get(digits).is_none_or(|element| !element.may_be_digit());
            (is_parting && ends).then_some(digits)
        };
        let second = behind(group);
        let third = second.and_then(|digits| behind(group + 1 + digits));
        Needs {
            word: small(self.word),
            before: classes(self.before.first()),
            next: classes(self.after.get(group)),
            second: second.map(small),
            third: third.map(small),
            near: small(self.digits_min(near_bytes)),
        }
    }

    /// The kinds that the bytes around its first digit may be of.
    pub fn kinds(&self) -> Kinds {
        let mut tail = [u8::MAX; TAIL_BYTES];
        // A value ends where no letter or digit follows.
        let after = self.after.iter().map(|element| element.kinds()).chain([!ALPHANUMERIC]);
        tail.iter_mut().zip(after).for_each(|(slot, kinds)| *slot = kinds);
        let mut head = [u8::MAX; HEAD_BYTES];
        let before = self.before.iter().map(|element| element.kinds());
        head.iter_mut().rev().zip(before).for_each(|(slot, kinds)| *slot = kinds);
        let word = |at: usize| tail.get(at..).and_then(|rest| rest.first_chunk::<8>());
        let word = |at: usize| word(at).map_or(u64::MAX, |word| u64::from_le_bytes(*word));
        Kinds { head: u64::from_le_bytes(head), tail: [word(0), word(8)] }
    }

    /// The least digits in the first so many bytes from the first digit on.
    pub fn digits_min(&self, bytes: usize) -> usize {
        let within = self.after.iter().take(bytes).filter(|element| element.is_digit());
        within.count()
    }

    /// Whether a value is written at the first digit at `at`, and how it is bounded.
    pub fn read(&self, text: &[u8], at: usize) -> Option<(Written, Boundary)> {
        let mut separator = 0;
        let mut end = at;
        for element in &self.after {
            end = element.read(text, end, &mut separator)?;
        }
        let mut start = at;
        for element in &self.before {
            start = element.read_back(text, start, &mut separator)?;
        }
        let boundary = text::boundary(text, start, end);
        if boundary == Boundary::Inside {
            return None;
        }
        let mut written = Written { start, end, compact: [0; COMPACT_MAX], length: 0 };
        for byte in text::slice(text, start, end).iter().filter(|b| b.is_ascii_alphanumeric()) {
            *written.compact.get_mut(written.length)? = byte.to_ascii_uppercase();
            written.length += 1;
        }
        Some((written, boundary))
    }
}

impl Element {
    /// The kinds of an ASCII byte that may be it.
    fn kinds(self) -> u8 {
        match self {
            Element::Digit => DIGIT,
            Element::Upper => UPPER,
            Element::Letter => UPPER | LOWER,
            Element::UpperOrDigit => UPPER | DIGIT,
            Element::LetterOrDigit => ALPHANUMERIC,
            Element::Separator => SIGN,
            Element::Exactly(byte) => kind(byte),
        }
    }

    fn fits(self, byte: u8) -> bool {
        match self {
            Element::Digit => byte.is_ascii_digit(),
            Element::Upper => byte.is_ascii_uppercase(),
            Element::Letter => byte.is_ascii_alphabetic(),
            Element::UpperOrDigit => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Element::LetterOrDigit => byte.is_ascii_alphanumeric(),
            Element::Exactly(wanted) => byte == wanted,
            Element::Separator => false,
        }
    }

    fn read(self, text: &[u8], at: usize, separator: &mut u8) -> Option<usize> {
        if self == Element::Separator {
            let (code, width) = text::separator(text, at)?;
            return keep(separator, code).then_some(at + width);
        }
        (at < text.len() && self.fits(text::byte(text, at))).then_some(at + 1)
    }

    fn read_back(self, text: &[u8], at: usize, separator: &mut u8) -> Option<usize> {
        if self == Element::Separator {
            let (code, width) = text::separator_before(text, at)?;
            return keep(separator, code).then_some(at - width);
        }
        let before = at.checked_sub(1)?;
        self.fits(text::byte(text, before)).then_some(before)
    }
}

/// Whether a separator is the one seen before, which it is if there was none.
fn keep(separator: &mut u8, code: u8) -> bool {
    let same = *separator == 0 || *separator == code;
    *separator = code;
    same
}

#[cfg(test)]
mod tests {
    use super::super::detector::form;
    use super::*;

    #[track_caller]
    fn check(pattern: &'static str, text: &str, value: Option<&str>) {
        let at = text.find(|c: char| c.is_ascii_digit()).expect("text has a digit");
        let found = shapes(&form(pattern)).iter().find_map(|shape| shape.read(text.as_bytes(), at));
        let found =
            found.map(|(written, _)| String::from_utf8_lossy(written.compact()).into_owned());
        assert_eq!(found.as_deref(), value, "{pattern} in {text}");
    }

    #[test]
    fn kinds_are_told_eight_at_a_time() {
        for byte in 0..=127u8 {
            let text = [byte; 32];
            for at in [0, 3, 8, 20, 29] {
                let found = Kinds::read(&text, at);
                let is = |there: bool| if there { kind(byte) } else { REST };
                let head: Vec<u8> = (0..8).map(|slot| is(at + slot >= 8)).collect();
                let tail: Vec<u8> = (0..16).map(|slot| is(at + slot < 32)).collect();
                assert_eq!(found.head.to_le_bytes(), *head, "{byte} at {at}");
                assert_eq!(found.tail.map(u64::to_le_bytes).concat(), tail, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn forms_are_read_around_their_first_digits() {
        check("999~99~9999", "a 536-22-8726.", Some("536228726"));
        check("999~99~9999", "a 536-22 8726.", None);
        check("999~99~9999", "536\u{2011}22\u{2011}8726", Some("536228726"));
        check("AA~?99~?99~?99~?A", "is AB123456C!", Some("AB123456C"));
        check("AA~?99~?99~?99~?A", "AB 12 34 56 C", Some("AB123456C"));
        check("AA~99~99~99~A", "xAB 12 34 56 C", None);
        check("999.999.999-99", "111.444.777-35", Some("11144477735"));
        check("'CHE-'999.999.999", "CHE-123.456.788", Some("CHE123456788"));
        check("99999999a", "12345678z", Some("12345678Z"));
        check("99999999A", "12345678z", None);
        check("9999", "12345", None);
        check("9AX9", "1EG4", Some("1EG4"));
    }
}
