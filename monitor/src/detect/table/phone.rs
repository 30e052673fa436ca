//! Telephone numbers. In international form, ITU-T E.164: a plus sign, a country code and a national
//! number that the numbering plan of that country knows. In national form, which without a country
//! are any digits: where they are set as in North America or as Japan's mobile numbers, under a key
//! that names them, or next to a word that does, if a country's plan knows them.

use std::sync::LazyLock;

use rlibphonenumber::{PhoneNumber, PhoneNumberUtil};

use super::super::detector::{Detector, Field, Find, Tier, before};
use super::super::evidence::{Candidate, Reasons};
use super::super::probe::Probe;
use super::super::text::{self, Boundary, Run};
use super::super::{mask, words};
use super::value;
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[Detector {
    tier: Tier::Structured,
    tags: &[Tag::Gdpr, Tag::UkGdpr, Tag::Ccpa, Tag::Hipaa],
    standard: "ITU-T E.164 and the numbering plan of the country",
    chance: 0.3,
    example: "phone: +49 30 1234567",
    words: words::PHONE_NUMBER,
    find: Find::Mark(b'+', find),
    // The national forms.
    wide: Some(Find::Any(&[
        Find::Digits(before(NATIONAL_DIGITS_MIN as u32, 1, 5, b" -.)/"), find_national),
        Find::Key(find_keyed),
    ])),
    mask: mask_value,
    plain,
    ..Detector::new("PHONE_NUMBER", "Telephone number")
}];

/// What the international form and a numbering plan that knows it are worth, in decibans.
const FORM_DB: i16 = 25;

/// E.164 section 6: at most 15 digits with the country code.
const DIGITS_MAX: usize = 15;
/// Shortest number that is looked at, country code included.
const DIGITS_MIN: usize = 7;
/// Bytes after the first digit in which no slash may stand: the kernel's prefilter looks at them.
const SHAPE_BYTES: usize = 6;
/// Ends of one candidate for which the numbering plan is asked.
const TRIES_MAX: usize = 4;

// The phone library writes the numbers that it looks at to `trace!`; the feature of `log` in
// Cargo.toml cuts that out.
const _: () = assert!((log::STATIC_MAX_LEVEL as usize) < (log::LevelFilter::Trace as usize));

/// The numbering plans of all countries. 4.5 MB and 6 ms, so loaded once: when the first engine
/// with this detector is built.
static PLANS: LazyLock<Option<Plans>> = LazyLock::new(|| {
    let library = PhoneNumberUtil::new().ok()?;
    let mut is_country_code = [false; COUNTRY_CODES];
    for code in library.get_supported_calling_codes() {
        let slot = usize::try_from(code).ok().and_then(|code| is_country_code.get_mut(code));
        *slot? = true;
    }
    Some(Plans { library, is_country_code })
});

/// Country codes have at most three digits (E.164 section 6.2.1).
const COUNTRY_CODES: usize = 1_000;

struct Plans {
    library: PhoneNumberUtil,
    is_country_code: [bool; COUNTRY_CODES],
}

/// Loads the numbering plans, so that no sample waits for them.
pub(in super::super) fn load() {
    LazyLock::force(&PLANS);
}

impl Plans {
    /// Splits digits that begin with a country code: no country code begins with another.
    fn split<'a>(&self, digits: &'a [u8]) -> Option<(usize, &'a [u8])> {
        (1..=3).find_map(|length| {
            let (head, national) = digits.split_at_checked(length)?;
            let code = head.iter().fold(0, |code, b| code * 10 + usize::from(b & 0x0F));
            self.is_country_code.get(code)?.then_some((code, national))
        })
    }

    fn is_valid(&self, digits: &[u8]) -> bool {
        self.split(digits).is_some_and(|(code, national)| self.knows(code, national))
    }

    /// Whether the plan of a country knows a number, dialled from abroad.
    fn knows(&self, code: usize, national: &[u8]) -> bool {
        let zeros = national.iter().take_while(|b| **b == b'0').count();
        let number = PhoneNumber {
            country_code: i32::try_from(code).unwrap_or(0),
            national_number: national.iter().fold(0, |n, b| n * 10 + u64::from(b & 0x0F)),
            // Part of the number in Italy; elsewhere the plan refuses it.
            italian_leading_zero: (zeros > 0).then_some(true),
            number_of_leading_zeros: (zeros > 0).then(|| i32::try_from(zeros).unwrap_or(0)),
            ..PhoneNumber::default()
        };
        self.library.is_possible_number(&number) && self.library.is_valid_number(&number)
    }
}

fn find(probe: &mut Probe<'_>, at: usize, _: &Run) -> Option<Candidate> {
    let text = probe.text;
    let plans = PLANS.as_ref()?;
    let digit = at + 1 + usize::from(text::byte(text, at + 1) == b'(');
    let starts = matches!(text::byte(text, digit), b'1'..=b'9');
    let last = text::byte_before(text, at, 1);
    // `1e+10`, `+01:00` after a time, `a+b`, `++`.
    if !starts || last.is_ascii_alphanumeric() || matches!(last, b'_' | b'+') {
        return None;
    }
    let number = read(text, digit);
    let ends = number.ends(digit).rev();
    let (end, digits) = ends
        .filter(|(end, count)| *count >= DIGITS_MIN && text::byte(text, *end) != b'_')
        .take(TRIES_MAX)
        .filter_map(|(end, count)| Some((end, number.digits.get(..count)?)))
        .find(|(_, digits)| plans.is_valid(digits))?;
    let mut found = Candidate::new(at, end, FORM_DB).because(Reasons::FORM);
    found.needs_context = text::boundary_after(text, end) != Boundary::Clean;
    found.test_data = is_fictitious(digits);
    Some(found)
}

/// Digits of a national number without a key, and with one.
const NATIONAL_DIGITS_MIN: usize = 9;
const KEYED_DIGITS_MIN: usize = 7;
const NATIONAL_DIGITS_MAX: usize = 12;
/// What it is worth to be set as in North America: with the area code in parentheses, with dashes.
const PARENTHESES_DB: i16 = 25;
const DASHES_DB: i16 = 15;
/// What separators and digits of another country are worth next to a word, and under a key.
const WORD_DB: i16 = 5;
const KEYED_DB: i16 = 10;

/// Country codes of plans whose national numbers begin with a trunk prefix 0, and of such without.
#[rustfmt::skip]
const WITH_TRUNK: [usize; 24] = [
    44, 49, 33, 39, 31, 32, 41, 43, 46, 61, 81, 90, 91, 27, 82, 55, 62, 63, 66, 84, 86, 353, 358, 385,
];
#[rustfmt::skip]
const WITHOUT_TRUNK: [usize; 15] = [34, 351, 48, 47, 45, 65, 852, 420, 30, 55, 52, 86, 91, 971, 372];

impl Plans {
    /// Whether a plan of some country knows the number as it is dialled there.
    fn is_national(&self, digits: &[u8]) -> bool {
        match digits {
            [b'1', rest @ ..] if rest.len() == 10 => self.knows(1, rest),
            [b'0', b'0', ..] => false,
            [b'0', rest @ ..] => {
                self.knows(39, digits) || WITH_TRUNK.iter().any(|code| self.knows(*code, rest))
            }
            _ if digits.len() == 10 && self.knows(1, digits) => true,
            _ => WITHOUT_TRUNK.iter().any(|code| self.knows(*code, digits)),
        }
    }
}

/// How the groups of a number are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setting {
    /// `(415) 555-0132`.
    Parentheses,
    /// `415-555-0132`, `090-1234-5678`.
    Dashes,
    /// In any other way.
    Other,
}

fn find_national(probe: &mut Probe<'_>, at: usize, run: &Run) -> Option<Candidate> {
    let text = probe.text;
    // One group is any number; a first group of more than five is none of a telephone number.
    let first = value::end_of(text, at, 6, |b| b.is_ascii_digit());
    let (last, follows) = (text::byte_before(text, at, 1), text::byte(text, first));
    if first - at > 5 || !matches!(follows, b' ' | b'-' | b'.' | b')' | b'/') || last == b'+' {
        return None;
    }
    // A year, as dates begin with it.
    if first - at == 4 && matches!(text::slice(text, at, at + 2), b"19" | b"20") {
        return None;
    }
    let start = at - usize::from(last == b'(');
    if text::boundary_before(text, start) != Boundary::Clean {
        return None;
    }
    if is_longer(text, run) {
        return None;
    }
    let number = read(text, at);
    let (end, count) = number.ends(at).next_back()?;
    let digits = number.digits.get(..count)?;
    if !(NATIONAL_DIGITS_MIN..=NATIONAL_DIGITS_MAX).contains(&count)
        || follows == b')' && start == at
    {
        return None;
    }
    let setting = setting(text, start, end, digits)?;
    let looks_like_a_date = setting == Setting::Other
        && !matches!(digits.first(), Some(b'0' | b'1' | b'6' | b'7' | b'9'));
    if looks_like_a_date && count != 10 || text::boundary_after(text, end) == Boundary::Inside {
        return None;
    }
    // The context is asked first: the plans are slow.
    let named = probe.is_named(*PLACE, start, end);
    if (setting == Setting::Other && !named) || !PLANS.as_ref()?.is_national(digits) {
        return None;
    }
    let worth_db = match setting {
        Setting::Parentheses => PARENTHESES_DB,
        Setting::Dashes => DASHES_DB,
        Setting::Other => WORD_DB,
    };
    let mut found = Candidate::new(start, end, worth_db).because(Reasons::FORM);
    found.test_data = digits.len() == 10 && is_fictitious(&with_code(digits));
    Some(found)
}

/// Whether a run has a place where a number with too many digits ends: sooner told than read.
fn is_longer(text: &[u8], run: &Run) -> bool {
    let mut digits = 0;
    for group in run.groups() {
        digits += group.len();
        let parts = matches!(group.separator, 0 | b' ' | b'-' | b'.');
        if !parts || digits > DIGITS_MAX || text::byte(text, group.end).is_ascii_alphabetic() {
            return false;
        }
        if digits > NATIONAL_DIGITS_MAX {
            return true;
        }
    }
    false
}

/// The place of this detector, to ask for its context before the plans.
static PLACE: LazyLock<usize> = LazyLock::new(|| {
    let place = super::DETECTORS.iter().position(|row| row.entity == super::LOADED);
    place.unwrap_or(usize::MAX)
});

/// How a number is set, if it may be one.
fn setting(text: &[u8], start: usize, end: usize, digits: &[u8]) -> Option<Setting> {
    let written = text::slice(text, start, end);
    let shape = |pattern: &[u8]| {
        written.len() == pattern.len()
            && written.iter().zip(pattern).all(|(b, wanted)| match wanted {
                b'9' => b.is_ascii_digit(),
                _ => b == wanted,
            })
    };
    // The plan of North America: neither area code nor exchange begin with 0 or 1.
    let north_american = matches!(digits, [b'2'..=b'9', _, _, b'2'..=b'9', ..]);
    let japanese = matches!(digits, [b'0', b'5'..=b'9', b'0', ..]) && shape(b"999-9999-9999");
    Some(match () {
        () if north_american && (shape(b"(999) 999-9999") || shape(b"(999)999-9999")) => {
            Setting::Parentheses
        }
        () if north_american && shape(b"999-999-9999") || japanese => Setting::Dashes,
        () => Setting::Other,
    })
}

/// Ten digits of North America with their country code.
fn with_code(digits: &[u8]) -> [u8; 11] {
    let mut all = [b'1'; 11];
    for (slot, digit) in all.iter_mut().skip(1).zip(digits) {
        *slot = *digit;
    }
    all
}

/// Words of keys that name a telephone number and nothing else.
#[rustfmt::skip]
const PHONE_KEYS: [&str; 22] = [
    "phone", "tel", "mobil", "mobiel", "cell", "fax", "msisdn", "sms", "whatsapp", "handy", "rufnummer",
    "gsm", "celular", "móvil", "movil", "portable", "caller", "callee", "téléphone", "telefon",
    "teléfono", "telefoon",
];

fn find_keyed(probe: &mut Probe<'_>, field: Field) -> Option<Candidate> {
    let text = probe.text;
    let (_, key) = probe.named_key(field.start)?;
    if !value::holds_any(text::slice(text, key.0, key.1), &PHONE_KEYS) {
        return None;
    }
    let digit = field.start + usize::from(text::byte(text, field.start) == b'(');
    if !text::byte(text, digit).is_ascii_digit() {
        return None;
    }
    let number = read(text, digit);
    let (end, count) = number.ends(digit).next_back()?;
    let digits = number.digits.get(..count)?;
    let sane = (KEYED_DIGITS_MIN..=NATIONAL_DIGITS_MAX).contains(&count)
        && text::boundary_after(text, end) != Boundary::Inside
        && PLANS.as_ref()?.is_national(digits);
    let mut found =
        Candidate::new(field.start, end, if end - digit > count { KEYED_DB } else { 0 });
    found.test_data = digits.len() == 10 && is_fictitious(&with_code(digits));
    sane.then_some(found)
}

/// A candidate: its digits, and every place where it may end with the digits up to there. Small, since
/// most are none.
#[derive(Default)]
struct Number {
    digits: [u8; DIGITS_MAX],
    /// Bytes from its first digit to each of these places, and digits.
    ends: [(u8, u8); DIGITS_MAX],
    ends_count: usize,
}

/// Bytes of a candidate: each digit but the first may have two separators before it, and one time
/// `(0)`.
const NUMBER_BYTES_MAX: usize = 4 * DIGITS_MAX;
const _: () = assert!(NUMBER_BYTES_MAX <= u8::MAX as usize);

impl Number {
    /// The places where it may end, the first of them first, with the digits up to there.
    fn ends(&self, start: usize) -> impl DoubleEndedIterator<Item = (usize, usize)> {
        let ends = self.ends.get(..self.ends_count).unwrap_or_default();
        ends.iter().map(move |(bytes, digits)| (start + usize::from(*bytes), usize::from(*digits)))
    }
}

/// Reads digits with at most two separators between them.
fn read(text: &[u8], start: usize) -> Number {
    let mut found = Number::default();
    let (mut at, mut count) = (start, 0);
    loop {
        let here = text::byte(text, at);
        if here.is_ascii_digit() {
            let Some(slot) = found.digits.get_mut(count) else { return found };
            *slot = here;
            count += 1;
            at += 1;
            if text::byte(text, at).is_ascii_digit() {
                continue;
            }
            if text::byte(text, at).is_ascii_alphabetic() {
                return found;
            }
            let Ok(bytes) = u8::try_from(at - start) else { return found };
            if let Some(slot) = found.ends.get_mut(found.ends_count) {
                *slot = (bytes, u8::try_from(count).unwrap_or(u8::MAX));
                found.ends_count += 1;
            }
        } else if let Some(next) = after_separators(text, at, start) {
            at = next;
        } else {
            return found;
        }
    }
}

/// Where digits go on after one or two separators at `at`. The `(0)` of `+44 (0)20` is dialled
/// inside the country only, and no part of the number.
fn after_separators(text: &[u8], at: usize, start: usize) -> Option<usize> {
    let is_separator = |at: usize| match text::byte(text, at) {
        b' ' | b'-' | b'.' | b'(' | b')' => true,
        b'/' => at > start + SHAPE_BYTES,
        _ => false,
    };
    let mut next = at + usize::from(text::byte(text, at) == b' ');
    if text::slice(text, next, next + 3) == b"(0)" {
        next += 3;
        next += usize::from(is_separator(next));
    } else if is_separator(at) {
        let doubled = is_separator(at + 1) && text::byte(text, at) != text::byte(text, at + 1);
        next = at + 1 + usize::from(doubled);
    }
    (next > at && text::byte(text, next).is_ascii_digit()).then_some(next)
}

/// Numbers that are kept for fiction: 555-0100 to 555-0199 in North America, and Ofcom's ranges for
/// drama in the United Kingdom.
fn is_fictitious(digits: &[u8]) -> bool {
    match digits {
        [b'1', _, _, _, b'5', b'5', b'5', b'0', b'1', _, _] => true,
        _ => digits.starts_with(b"447700900") || digits.starts_with(b"44207946"),
    }
}

/// Country code and the last two digits.
fn mask_value(value: &[u8]) -> String {
    let count = mask::count(value, mask::digit);
    let mut digits = [0u8; 3];
    for (slot, digit) in digits.iter_mut().zip(value.iter().filter(|b| b.is_ascii_digit())) {
        *slot = *digit;
    }
    let abroad = value.trim_ascii_start().starts_with(b"+");
    let code = PLANS.as_ref().filter(|_| abroad).and_then(|plans| plans.split(&digits));
    let shown = code.map_or(0, |(_, national)| digits.len().saturating_sub(national.len()));
    mask::strike(value, mask::digit, |n| count >= DIGITS_MIN && (n < shown || n + 2 >= count))
}

/// Plus sign where there is one, and digits, without the `(0)` that is no part of the number.
fn plain(value: &[u8], out: &mut dyn FnMut(u8)) {
    if value.starts_with(b"+") {
        out(b'+');
    }
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        rest = rest.strip_prefix(b"(0)").unwrap_or(after);
        if rest.len() == after.len() && first.is_ascii_digit() {
            out(*first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbering_plans_load() {
        assert!(PLANS.is_some());
    }
}
