//! Dates and times in the forms in which people and machines write them, and among them dates of
//! birth, which only their key or a word near by tells.

use super::super::checksum::{is_date, two};
use super::super::detector::{Begins, Detector, Field, Find, Tier, Words, before, whole};
use super::super::evidence::{Candidate, Reasons};
use super::super::mask;
use super::super::probe::Probe;
use super::super::text::{self, Run};
use super::value::{self, end_of};
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[
    Detector {
        tier: Tier::Structured,
        tags: &[Tag::Hipaa],
        standard: "ISO 8601 and RFC 3339; day, month and year as people write them",
        example: "date: 2024-03-15T14:30:00Z",
        words: Words {
            key: &["at", "on", "created", "updated", "timestamp"],
            near: &["date", "dates", "time", "today", "datum", "fecha", "data", "day"],
            hostile: &["version"],
            doubtful: &[],
        },
        find: Find::Any(&[
            Find::Digits(Begins { digits: 1, ..whole(1, 2) }, find_any),
            Find::Digits(before(6, 4, 4, b"-/."), find_any),
        ]),
        mask: mask::nothing,
        only_by_name: true,
        ..Detector::new("DATE_TIME", "Date or time")
    },
    Detector {
        tier: Tier::Weak,
        tags: &[Tag::Gdpr, Tag::UkGdpr, Tag::Ccpa, Tag::Hipaa, Tag::Glba],
        standard: "a day from 1890 to 2029 in the forms of ISO 8601 or of a country, where it is named",
        example: r#"{"dateOfBirth":"1985-03-12"}"#,
        words: Words {
            key: BIRTH_KEYS,
            near: BIRTH_WORDS,
            hostile: &["place", "country", "city", "name"],
            doubtful: &[],
        },
        find: Find::Any(&[
            Find::Key(find_birth),
            Find::Digits(Begins { digits: 6, ..whole(1, 2) }, find_birth_near),
            Find::Digits(before(6, 4, 4, b"-/."), find_birth_near),
        ]),
        mask: mask::nothing,
        plain: mask::compact,
        ..Detector::new("DATE_OF_BIRTH", "Date of birth")
    },
];

#[rustfmt::skip]
const BIRTH_KEYS: &[&str] = &["birth", "bday", "nascimento", "nacimiento", "naissance", "nascita"];

#[rustfmt::skip]
const BIRTH_WORDS: &[&str] = &[
    "dob", "d o b", "birthdate", "birth date", "birthday", "birthdays", "birth day", "date birth",
    "date of birth", "born", "born on", "geburtsdatum", "geburtstag", "geboren", "geb", "geb datum",
    "date de naissance", "né le", "née le", "fecha de nacimiento", "fecha nacimiento",
    "data di nascita", "data nascita", "nato il", "nata il", "data de nascimento",
    "data nascimento", "geboortedatum", "födelsedatum", "fødselsdato", "data urodzenia",
    "datum narození", "doğum tarihi", "生年月日", "出生日期", "생년월일", "дата рождения",
];

/// What the form is worth, in decibans.
const DATE_DB: i16 = 28;
/// Of a date of birth under its key, and next to a word: more than of the date that it is as well.
const BIRTH_DB: i16 = 30;
const NEAR_DB: i16 = 30;

/// A date as it is written.
struct Date {
    start: usize,
    end: usize,
    /// Four digits or two; none of a day and a month.
    year: Option<u32>,
    /// A day, and not only a month.
    has_day: bool,
}

fn part_of_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

fn find_any(probe: &mut Probe<'_>, at: usize, _: &Run) -> Option<Candidate> {
    let text = probe.text;
    let date = read(text, at)?;
    let end = time_end(text, date.end).unwrap_or(date.end);
    is_bounded(text, date.start, end)
        .then(|| Candidate::new(date.start, end, DATE_DB).because(Reasons::FORM))
}

fn is_bounded(text: &[u8], start: usize, end: usize) -> bool {
    let (last, second) = (text::byte_before(text, start, 1), text::byte_before(text, start, 2));
    let (first, next) = (text::byte(text, end), text::byte(text, end + 1));
    let joins = |b: u8| matches!(b, b'-' | b'/' | b'.' | b':');
    let goes_on = part_of_word(first) || joins(first) && next.is_ascii_digit();
    let began = part_of_word(last) || joins(last) && part_of_word(second);
    !goes_on && !began
}

/// Reads the date of which the first digits stand at `at`.
fn read(text: &[u8], at: usize) -> Option<Date> {
    let (first, after) = number(text, at)?;
    let separator = text::byte(text, after);
    match after - at {
        4 if matches!(separator, b'-' | b'/' | b'.') => {
            let (month, month_end) = number(text, after + 1)?;
            let (day, end) = number(text, month_end + 1)?;
            let fits = text::byte(text, month_end) == separator && end - month_end <= 3;
            (fits && is_date(first, month, day)).then_some(Date {
                start: at,
                end,
                year: Some(first),
                has_day: true,
            })
        }
        1 | 2 => month_before(text, at, first, after)
            .or_else(|| day_first(text, at, first, after, separator)),
        _ => None,
    }
}

/// `21-May`, `21-May-2021`, `21/5/2021`, `5/21`, `5/2021`.
fn day_first(text: &[u8], at: usize, first: u32, after: usize, separator: u8) -> Option<Date> {
    if !matches!(separator, b'-' | b'/' | b'.' | b' ') {
        return None;
    }
    if let Some((month, month_end)) = month_name(text, after + 1) {
        let skip = 1 + usize::from(text::byte(text, month_end) == b'.');
        let year = number(text, month_end + skip)
            .filter(|(_, end)| *end - month_end - skip == 4 || *end - month_end - skip == 2);
        let same = matches!(text::byte(text, month_end), b'-' | b'/' | b' ' | b'.');
        let (year, end) =
            year.filter(|_| same).map_or((None, month_end), |(year, end)| (Some(year), end));
        return (1..=31).contains(&first).then(|| {
            let _ = month;
            Date { start: at, end, year, has_day: true }
        });
    }
    if separator == b' ' {
        return None;
    }
    let (second, second_end) = number(text, after + 1)?;
    let digits = second_end - after - 1;
    let day_and_month =
        |one: u32, other: u32| is_date(2000, one, other) || is_date(2000, other, one);
    if digits <= 2 && text::byte(text, second_end) == separator {
        let (year, end) = number(text, second_end + 1)?;
        let fits = matches!(end - second_end, 3 | 5) && day_and_month(first, second);
        return fits.then_some(Date { start: at, end, year: Some(year), has_day: true });
    }
    // Without a year a slash is needed: `5.20` is a number, `5-20` a range.
    let is_month = digits == 4 && (1..=12).contains(&first) && (1900..2100).contains(&second);
    let is_day = digits <= 2 && day_and_month(first, second);
    (separator == b'/' && (is_month || is_day)).then_some(Date {
        start: at,
        end: second_end,
        year: is_month.then_some(second),
        has_day: is_day,
    })
}

/// `May-21` and `May 21, 2021`, at their first digit.
fn month_before(text: &[u8], at: usize, day: u32, after: usize) -> Option<Date> {
    let head = text::slice(text, at.saturating_sub(11), at.checked_sub(1)?);
    let letters = head.iter().rev().take_while(|b| b.is_ascii_alphabetic()).count();
    let start = at - 1 - letters;
    let separated = matches!(text::byte_before(text, at, 1), b'-' | b' ');
    let name = month_name(text, start).filter(|(_, end)| *end == at - 1 && separated);
    name.filter(|_| (1..=31).contains(&day))?;
    let skip = 1 + usize::from(text::byte(text, after) == b',');
    let year = number(text, after + skip).filter(|(_, end)| *end == after + skip + 4);
    let (year, end) = year.map_or((None, after), |(year, end)| (Some(year), end));
    Some(Date { start, end, year, has_day: true })
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// The month whose English name, or the first three letters of it, stands at `at`, and its end.
fn month_name(text: &[u8], at: usize) -> Option<(u32, usize)> {
    let end = end_of(text, at, 10, |b| b.is_ascii_alphabetic());
    let word = text::slice(text, at, end);
    let head = word.get(..3)?;
    let place = MONTHS.iter().position(|month| head.eq_ignore_ascii_case(month.as_bytes()))?;
    (word.len() == 3 || word.len() >= 4 && is_long_month(word)).then_some((place as u32 + 1, end))
}

fn is_long_month(word: &[u8]) -> bool {
    const LONG: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "june",
        "july",
        "august",
        "sept",
        "september",
        "october",
        "november",
        "december",
    ];
    LONG.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
}

/// The number of one to four digits at `at`, and its end.
fn number(text: &[u8], at: usize) -> Option<(u32, usize)> {
    let end = end_of(text, at, 5, |b| b.is_ascii_digit());
    let digits = text::slice(text, at, end);
    let value = digits.iter().fold(0, |value, digit| value * 10 + u32::from(digit & 0x0F));
    (1..=4).contains(&digits.len()).then_some((value, end))
}

/// Where the time of day ends that follows a date (RFC 3339): `T09:15`, seconds, fraction, zone.
fn time_end(text: &[u8], at: usize) -> Option<usize> {
    if !matches!(text::byte(text, at), b'T' | b't' | b' ') {
        return None;
    }
    // Behind a blank `2026` is a year.
    if text::byte(text, at) == b' ' && text::byte(text, at + 3) != b':' {
        return None;
    }
    let mut end = clock_end(text, at + 1)?;
    if text::byte(text, end) == b':' && two(text, end + 1)? < 61 {
        end += 3;
    }
    if text::byte(text, end) == b'.' && text::byte(text, end + 1).is_ascii_digit() {
        end = end_of(text, end + 1, 9, |b| b.is_ascii_digit());
    }
    Some(match text::byte(text, end) {
        b'Z' | b'z' => end + 1,
        b'+' | b'-' => clock_end(text, end + 1).unwrap_or(end),
        _ => end,
    })
}

/// Where hours and minutes end.
fn clock_end(text: &[u8], at: usize) -> Option<usize> {
    let skip = usize::from(text::byte(text, at + 2) == b':');
    (two(text, at)? < 24 && two(text, at + 2 + skip)? < 60).then_some(at + 4 + skip)
}

/// Years in which somebody may be born who is alive.
fn is_year_of_birth(year: u32) -> bool {
    (1890..2030).contains(&year) || year < 100
}

fn find_birth(probe: &mut Probe<'_>, field: Field) -> Option<Candidate> {
    let text = probe.text;
    let value = text::slice(text, field.start, field.end);
    let first = value.iter().take(12).position(u8::is_ascii_digit)?;
    let date = read(text, field.start + first).filter(|date| {
        date.start == field.start && date.has_day && date.year.is_some_and(is_year_of_birth)
    });
    if let Some(date) = date {
        let follows = text::byte(text, date.end);
        let whole = !part_of_word(follows) || follows == b'T';
        return whole
            .then(|| Candidate::new(date.start, date.end, BIRTH_DB).because(Reasons::FORM));
    }
    let digits = value::word(text, field);
    let compact = text::slice(text, digits.start, digits.end);
    is_compact(compact).then(|| Candidate::new(digits.start, digits.end, BIRTH_DB))
}

/// Whether eight digits are year, month and day, or day or month first.
fn is_compact(digits: &[u8]) -> bool {
    let part = |at: usize| two(digits, at);
    let date = |year: Option<u32>, month: Option<u32>, day: Option<u32>| match (year, month, day) {
        (Some(year), Some(month), Some(day)) => {
            is_year_of_birth(year) && year > 99 && is_date(year, month, day)
        }
        _ => false,
    };
    let year = |at: usize| Some(part(at)? * 100 + part(at + 2)?);
    digits.len() == 8
        && digits.iter().all(u8::is_ascii_digit)
        && (date(year(0), part(4), part(6))
            || date(year(4), part(2), part(0))
            || date(year(4), part(0), part(2)))
}

fn find_birth_near(probe: &mut Probe<'_>, at: usize, run: &Run) -> Option<Candidate> {
    // A time of day follows what a machine wrote, and eight digits are anything.
    let text = probe.text;
    if run.groups().first()?.len() > 4 {
        return None;
    }
    let date =
        read(text, at).filter(|date| date.has_day && date.year.is_some_and(is_year_of_birth))?;
    if !is_bounded(text, date.start, date.end) || time_end(text, date.end).is_some() {
        return None;
    }
    let mut found = Candidate::new(date.start, date.end, NEAR_DB).because(Reasons::FORM);
    found.needs_context = true;
    Some(found)
}
