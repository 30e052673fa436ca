//! Payment card numbers: issuer, length, check digit, grouping and surroundings, ISO/IEC 7812-1.
//! It does not say whether a card was issued.

use monitor_ebpf::proof;

use super::super::checksum::{is_time, luhn, one_repeated};
use super::super::detector::{Detector, Find, Tier, parted, whole};
use super::super::evidence::{Candidate, Reasons};
use super::super::probe::Probe;
use super::super::text::{self, Boundary, Group, RUN_DIGITS_MAX, Run};
use super::super::{mask, words};
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[Detector {
    tier: Tier::Strong,
    tags: &[Tag::PciDss, Tag::Gdpr],
    standard: "ISO/IEC 7812-1: issuer identification number, length, check digit (annex B)",
    chance: 0.023,
    example: "card number: 4539 5787 6362 1486",
    words: words::CREDIT_CARD,
    find: Find::Any(&[
        Find::Digits(whole(DIGITS_MIN, RUN_DIGITS_MAX + 1), find),
        Find::Digits(parted(DIGITS_MIN as u32, 1, DIGITS_MIN - 1), find),
    ]),
    valid: Some(is_card),
    mask: mask_value,
    plain: mask::digits,
    ..Detector::new("CREDIT_CARD", "Payment card number (PAN)")
}];

/// Digits of the shortest number that is looked at.
const DIGITS_MIN: usize = 13;
/// Digits of a number that counts in one piece and without context: far more identifiers of 64 bits
/// have 17 to 19 digits than cards do.
const BARE_DIGITS_MAX: usize = 16;
/// Groups of a number that is looked at: more are a list.
const GROUPS_MAX: usize = 8;

/// Issuer identification numbers of one brand: the first six digits from `from` to `to`.
#[derive(Debug)]
struct Issuer {
    from: u32,
    to: u32,
    digits_min: usize,
    digits_max: usize,
    /// The range is so wide that a check digit alone proves little.
    needs_context: bool,
}

const fn issuer(from: u32, to: u32, digits_min: usize, digits_max: usize) -> Issuer {
    Issuer { from, to, digits_min, digits_max, needs_context: false }
}

const fn wide(from: u32, to: u32, digits_min: usize, digits_max: usize) -> Issuer {
    Issuer { from, to, digits_min, digits_max, needs_context: true }
}

/// The first row that fits decides. Source: the brands' published ranges under ISO/IEC 7812-1.
#[rustfmt::skip]
const ISSUERS: [Issuer; 47] = [
    issuer(400_000, 499_999, 16, 16), // Visa
    issuer(400_000, 499_999, 13, 13),
    issuer(400_000, 499_999, 19, 19),
    issuer(510_000, 559_999, 16, 16), // Mastercard
    issuer(222_100, 272_099, 16, 16),
    issuer(340_000, 349_999, 15, 15), // American Express
    issuer(370_000, 379_999, 15, 15),
    issuer(601_100, 601_199, 16, 19), // Discover
    issuer(644_000, 649_999, 16, 19),
    issuer(650_000, 659_999, 16, 19),
    issuer(300_000, 305_999, 14, 14), // Diners Club
    issuer(309_500, 309_599, 14, 14),
    issuer(360_000, 369_999, 14, 14),
    wide(360_000, 369_999, 15, 19),
    issuer(380_000, 399_999, 14, 14),
    issuer(352_800, 358_999, 16, 19), // JCB
    issuer(620_000, 629_999, 16, 19), // UnionPay, and Discover's 622126 to 622925
    issuer(220_000, 220_499, 16, 19), // Mir
    issuer(508_500, 508_999, 16, 16), // RuPay
    issuer(817_200, 820_199, 16, 16),
    wide(606_900, 608_999, 16, 16),
    wide(508_000, 508_499, 16, 16),
    wide(810_000, 829_999, 16, 16),
    issuer(501_900, 501_999, 16, 16), // Dankort
    issuer(501_800, 501_899, 13, 19), // Maestro, its ranges in use
    issuer(502_000, 502_099, 13, 19),
    issuer(503_800, 503_899, 13, 19),
    issuer(589_300, 589_399, 13, 19),
    issuer(630_400, 630_499, 13, 19),
    issuer(675_900, 675_999, 13, 19),
    issuer(676_100, 676_399, 13, 19),
    issuer(676_770, 676_770, 13, 19),
    issuer(676_774, 676_774, 13, 19),
    issuer(679_999, 679_999, 13, 19),
    wide(500_000, 509_999, 13, 19), // Maestro, the whole of it
    wide(560_000, 589_999, 13, 19),
    wide(600_000, 699_999, 13, 19),
    issuer(606_282, 606_282, 16, 16), // Hipercard
    issuer(401_178, 401_179, 16, 16), // Elo
    issuer(431_274, 431_274, 16, 16),
    issuer(438_935, 438_935, 16, 16),
    issuer(451_416, 451_416, 16, 16),
    issuer(457_631, 457_632, 16, 16),
    issuer(636_297, 636_297, 16, 16),
    issuer(636_368, 636_368, 16, 16),
    wide(979_200, 979_289, 16, 16), // Troy
    wide(100_000, 199_999, 15, 15), // UATP, an airline plan
];

/// How printed numbers are grouped. Digits of each group, 0 for none.
const GROUPINGS: [[usize; 5]; 11] = [
    [4, 4, 4, 4, 0],
    [4, 6, 5, 0, 0],
    [4, 6, 4, 0, 0],
    [4, 4, 4, 4, 3],
    [4, 4, 4, 4, 2],
    [4, 4, 4, 4, 1],
    [4, 4, 4, 1, 0],
    [4, 4, 4, 2, 0],
    [4, 5, 6, 0, 0],
    [6, 13, 0, 0, 0],
    [8, 8, 0, 0, 0],
];

/// Published test numbers of payment processors and networks.
#[rustfmt::skip]
const TEST_NUMBERS: [&[u8]; 39] = [
    b"4111111111111111", b"4012888888881881", b"4242424242424242", b"4222222222222",
    b"4000056655665556", b"4000000000000002", b"4000000000009995", b"4000000000003220",
    b"4917610000000000", b"4462030000000000", b"4484070000000000", b"4012000033330026",
    b"4005519200000004", b"4009348888881881", b"4500600000000061",
    b"5555555555554444", b"5105105105105100", b"5454545454545454", b"5200828282828210",
    b"2223003122003222", b"2223000048400011", b"2223000048410010", b"2222400070000005",
    b"378282246310005", b"371449635398431", b"378734493671000", b"343434343434343",
    b"6011111111111117", b"6011000990139424", b"6011000400000000", b"6011981111111113",
    b"30569309025904", b"38520000023237", b"36148900647913",
    b"3530111333300000", b"3566002020360505",
    b"6200000000000005", b"6759649826438453", b"5019717010103742",
];

/// What the kernel knows of cards: the issuers' ranges, narrow ones first, and how numbers are grouped.
pub(in crate::detect) fn tell_kernel(tables: &mut proof::Tables) {
    let narrow = ISSUERS.iter().filter(|row| !row.needs_context);
    let rows = narrow.chain(ISSUERS.iter().filter(|row| row.needs_context));
    for (slot, row) in tables.issuers.iter_mut().zip(rows) {
        let digits = |count: usize| u16::try_from(count).unwrap_or(0);
        *slot = proof::Issuer {
            from: row.from,
            to: row.to,
            digits_min: digits(row.digits_min),
            digits_max: digits(row.digits_max),
            wide: u32::from(row.needs_context),
        };
    }
    for (slot, lengths) in tables.groupings.iter_mut().zip(GROUPINGS) {
        let lengths = lengths.into_iter().filter(|length| *length > 0);
        *slot = lengths.fold(0, |all, length| all << 8 | length as u64);
    }
}

const _: () = assert!(ISSUERS.len() <= proof::ISSUERS_MAX);
const _: () = assert!(GROUPINGS.len() <= proof::GROUPINGS_MAX);

/// The digits of a candidate, and how it is written.
struct Number<'a> {
    digits: &'a [u8],
    /// Its groups in the run.
    groups: &'a [Group],
    /// Groups of the run that follow it.
    rest: &'a [Group],
}

fn find(probe: &mut Probe<'_>, at: usize, run: &Run) -> Option<Candidate> {
    let text = probe.text;
    let first = text::byte(text, at);
    if run.digits() < DIGITS_MIN || matches!(first, b'0' | b'7') {
        return None;
    }
    if text::boundary_before(text, at) == Boundary::Inside {
        return None;
    }
    let groups = run.groups();
    let code = groups.get(1).map_or(0, |group| group.separator);
    let mut digits = [0u8; RUN_DIGITS_MAX];
    let mut length = 0;
    // The longest number wins: where a number of 16 digits begins one of 19, what is left over of
    // it would go unmasked.
    let mut best = None;
    for (index, group) in groups.iter().enumerate().take(GROUPS_MAX) {
        if index > 0 && group.separator != code {
            break;
        }
        let end = length + group.len();
        let Some(slots) = digits.get_mut(length..end) else { break };
        slots.copy_from_slice(text::slice(text, group.start, group.end));
        length = end;
        if length >= DIGITS_MIN {
            let (groups, rest) = groups.split_at_checked(index + 1)?;
            let number = Number { digits: digits.get(..length)?, groups, rest };
            best = judge(text, &number).or(best);
        }
    }
    best
}

fn judge(text: &[u8], number: &Number<'_>) -> Option<Candidate> {
    if !luhn(number.digits) || one_repeated(number.digits) {
        return None;
    }
    let issuer = issuer_of(number.digits)?;
    let (start, end) = (number.groups.first()?.start, number.groups.last()?.end);
    let boundary = text::boundary(text, start, end);
    if boundary == Boundary::Inside {
        return None;
    }
    let grouping = Grouping::of(text, number);
    let bare = matches!(grouping, Grouping::Bare);
    let form_db = match grouping {
        Grouping::Printed => PRINTED_DB,
        Grouping::Table | Grouping::Bare => 0,
        Grouping::Odd => -ODD_DB,
    };
    let mut found = Candidate::new(start, end, chance_db(number.digits.len()) + form_db)
        .because(Reasons::CHECKED);
    found.needs_context = issuer.needs_context
        || boundary == Boundary::Joined
        || matches!(grouping, Grouping::Odd)
        || (bare && (number.digits.len() > BARE_DIGITS_MAX || is_time(number.digits)));
    found.test_data = TEST_NUMBERS.contains(&number.digits);
    Some(match grouping {
        Grouping::Printed => found.because(Reasons::FORM),
        Grouping::Table | Grouping::Odd => found.because(Reasons::ODD),
        Grouping::Bare => found,
    })
}

/// Whether an issuer has numbers of that length with that beginning, and the check digit fits.
pub(super) fn is_card(digits: &[u8]) -> bool {
    luhn(digits) && !one_repeated(digits) && issuer_of(digits).is_some()
}

/// What length, issuer and check digit prove of random digits, in decibans: measured over random
/// strings, of 13 digits 0.010 pass, of 14 0.0035, of 15 0.0020, of 16 0.023, of more 0.009.
fn chance_db(digits: usize) -> i16 {
    match digits {
        14 => 25,
        15 => 27,
        16 => 16,
        _ => 20,
    }
}

/// What it is worth to be grouped as on a card.
const PRINTED_DB: i16 = 25;
/// What it costs to be grouped in any other way.
const ODD_DB: i16 = 10;

/// How the digits are set.
enum Grouping {
    /// Without separators.
    Bare,
    /// As on a card.
    Printed,
    /// As on a card, within a longer row of such groups: a table of numbers, or a hex dump.
    Table,
    /// In any other way.
    Odd,
}

impl Grouping {
    fn of(text: &[u8], number: &Number<'_>) -> Grouping {
        let Some(second) = number.groups.get(1) else { return Grouping::Bare };
        let printed = GROUPINGS.iter().any(|lengths| {
            let lengths = lengths.iter().copied().filter(|length| *length > 0);
            lengths.eq(number.groups.iter().map(Group::len))
        });
        let code = second.separator;
        let is_row = |group: &Group| group.separator == code && group.len() == 4;
        if !printed {
            Grouping::Odd
        } else if number.rest.first().is_some_and(is_row) || is_row_before(text, number, code) {
            Grouping::Table
        } else {
            Grouping::Printed
        }
    }
}

/// Whether four digits and the same separator stand before the number.
fn is_row_before(text: &[u8], number: &Number<'_>, code: u8) -> bool {
    let Some(start) = number.groups.first().map(|group| group.start) else { return false };
    let width = if code.is_ascii() { 1 } else { 3 };
    let Some(end) = start.checked_sub(width) else { return false };
    let four = end.checked_sub(4).map_or(&[][..], |from| text::slice(text, from, end));
    text::separator(text, end).is_some_and(|(found, _)| found == code)
        && four.len() == 4
        && four.iter().all(u8::is_ascii_digit)
        && !text::byte_before(text, end, 5).is_ascii_alphanumeric()
}

fn issuer_of(digits: &[u8]) -> Option<&'static Issuer> {
    let iin = digits.iter().take(6).fold(0, |iin, digit| iin * 10 + u32::from(digit & 0x0F));
    let fits = |row: &&Issuer| {
        (row.digits_min..=row.digits_max).contains(&digits.len())
            && (row.from..=row.to).contains(&iin)
    };
    // A narrow range inside of a wide one is the better witness.
    let narrow = ISSUERS.iter().filter(|row| !row.needs_context).find(fits);
    narrow.or_else(|| ISSUERS.iter().find(fits))
}

/// First digit and last four, as PCI DSS 4.0 requirement 3.4.1 allows (at most BIN and last four).
fn mask_value(value: &[u8]) -> String {
    let count = mask::count(value, mask::digit);
    let shows = |n: usize| count >= DIGITS_MIN && (n == 0 || n + 4 >= count);
    mask::strike(value, mask::digit, shows)
}

#[cfg(test)]
pub(in crate::detect) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sets the last digit so that the check digit is right.
    pub fn with_check_digit(mut digits: Vec<u8>) -> Vec<u8> {
        for check in b'0'..=b'9' {
            *digits.last_mut().expect("a number has digits") = check;
            if luhn(&digits) {
                break;
            }
        }
        digits
    }

    /// Any number of any issuer that needs no context.
    pub fn card() -> impl Strategy<Value = Vec<u8>> {
        let rows = ISSUERS.iter().filter(|row| !row.needs_context).collect::<Vec<_>>();
        (prop::sample::select(rows), any::<u32>(), 0..7usize, any::<[u8; 13]>()).prop_filter_map(
            "one digit repeated",
            |(row, iin, length, rest)| {
                let iin = row.from + iin % (row.to - row.from + 1);
                let length = row.digits_min + length % (row.digits_max - row.digits_min + 1);
                let rest = rest.iter().map(|b| b'0' + b % 10);
                let digits = iin.to_string().into_bytes().into_iter().chain(rest).take(length);
                let digits = with_check_digit(digits.collect());
                (!one_repeated(&digits) && !is_time(&digits)).then_some(digits)
            },
        )
    }

    #[test]
    fn test_numbers_are_cards() {
        for digits in TEST_NUMBERS {
            assert!(luhn(digits) && issuer_of(digits).is_some_and(|row| !row.needs_context));
        }
    }

    #[test]
    fn ranges_are_in_order() {
        for row in &ISSUERS {
            assert!(row.from <= row.to && row.digits_min <= row.digits_max);
            assert!(row.digits_min >= DIGITS_MIN && row.digits_max <= RUN_DIGITS_MAX);
        }
    }
}
