//! Reads typed values out of the TOML tree by hand: each reader returns what it could read and
//! notes what is wrong, so that one pass finds every error. It knows no key of the policy.

use std::ops::{Range, RangeInclusive};

use jiff::civil::Date;
use toml::de::{DeTable, DeValue};

use super::problem::Problems;
use super::words::{listed, quoted, suggest};
use crate::limits::POLICY_LIST_MAX;

/// A value of the tree with its place.
pub(super) type Node<'i> = toml::Spanned<DeValue<'i>>;

/// A table of the policy whose keys were checked.
pub(super) struct Section<'t, 'i> {
    table: &'t DeTable<'i>,
    /// Where its header or its braces stand.
    pub(super) span: Range<usize>,
    /// What an error calls it, such as `[settings]`.
    name: &'static str,
}

impl<'t, 'i> Section<'t, 'i> {
    /// The table `node`, each key of which must be one of `keys`.
    pub(super) fn open(
        node: &'t Node<'i>,
        name: &'static str,
        keys: &[&str],
        problems: &mut Problems,
    ) -> Option<Self> {
        match node.get_ref() {
            DeValue::Table(table) => Some(Self::of_table(table, node.span(), name, keys, problems)),
            other => {
                problems.error(
                    node.span(),
                    format!("{name} is {}, not a table", kind(other)),
                    format!("keys: {}", keys.join(", ")),
                );
                None
            }
        }
    }

    /// The same for a table that is no value, as the whole file is.
    pub(super) fn of_table(
        table: &'t DeTable<'i>,
        span: Range<usize>,
        name: &'static str,
        keys: &[&str],
        problems: &mut Problems,
    ) -> Self {
        for key in table.keys() {
            if !keys.contains(&key.get_ref().as_ref()) {
                problems.error(
                    key.span(),
                    format!("unknown key {} in {name}", quoted(key.get_ref())),
                    suggest(key.get_ref(), keys, "keys"),
                );
            }
        }
        Self { table, span, name }
    }

    /// The value of `key`.
    pub(super) fn get(&self, key: &str) -> Option<&'t Node<'i>> {
        self.table.get(key)
    }

    /// The value of a key that must be there; `example` says what to write if it is not.
    pub(super) fn require(
        &self,
        key: &str,
        example: &str,
        problems: &mut Problems,
    ) -> Option<&'t Node<'i>> {
        let value = self.table.get(key);
        if value.is_none() {
            problems.missing(
                self.span.clone(),
                format!("{} has no {key}", self.name),
                format!("add {example}"),
            );
        }
        value
    }
}

/// The tables of `[[key]]`, at most `max`.
pub(super) fn tables<'t, 'i>(
    node: &'t Node<'i>,
    key: &str,
    max: usize,
    problems: &mut Problems,
) -> &'t [Node<'i>] {
    match node.get_ref() {
        DeValue::Array(array) if array.is_empty() => {
            problems.error(node.span(), format!("{key} is empty"), format!("write [[{key}]]"));
            &[]
        }
        DeValue::Array(array) => bounded(array, key, max, problems),
        other => {
            problems.error(
                node.span(),
                format!("{key} is {}, not a list of tables", kind(other)),
                format!("write [[{key}]] above each"),
            );
            &[]
        }
    }
}

/// The entries of a list, which has at least one and at most [`POLICY_LIST_MAX`].
pub(super) fn list<'t, 'i>(
    node: &'t Node<'i>,
    key: &str,
    example: &str,
    problems: &mut Problems,
) -> &'t [Node<'i>] {
    match node.get_ref() {
        DeValue::Array(array) if array.is_empty() => {
            let instead = format!("write {key} = {example}");
            problems.error(node.span(), format!("{key} is empty"), instead);
            &[]
        }
        DeValue::Array(array) => bounded(array, key, POLICY_LIST_MAX, problems),
        other => {
            let wrong = format!("{key} is {}, not a list", kind(other));
            problems.error(node.span(), wrong, format!("write {key} = {example}"));
            &[]
        }
    }
}

/// `entries`, and an error at the first beyond `max`.
fn bounded<'t, 'i>(
    entries: &'t [Node<'i>],
    key: &str,
    max: usize,
    problems: &mut Problems,
) -> &'t [Node<'i>] {
    match entries.get(max) {
        None => entries,
        Some(beyond) => {
            problems.error(
                beyond.span(),
                format!("{} entries of {key}, limit is {max}", entries.len()),
                "leave out or merge the rest",
            );
            entries.get(..max).unwrap_or(entries)
        }
    }
}

/// A string.
pub(super) fn string<'t>(
    node: &'t Node<'_>,
    what: &str,
    example: &str,
    problems: &mut Problems,
) -> Option<&'t str> {
    let value = node.get_ref().as_str();
    if value.is_none() {
        let wrong = format!("{what} is {}, not a string", kind(node.get_ref()));
        problems.error(node.span(), wrong, format!("write {example}"));
    }
    value
}

/// Free text of 1 to `chars_max` printable characters.
pub(super) fn text(
    node: &Node<'_>,
    key: &str,
    chars_max: usize,
    problems: &mut Problems,
) -> Option<String> {
    let value = string(node, key, &format!("{key} = \"…\""), problems)?;
    let chars = value.chars().count();
    if value.trim().is_empty() {
        problems.error(node.span(), format!("{key} is empty"), format!("write {key} = \"…\""));
    } else if chars > chars_max {
        let wrong = format!("{key} is {chars} characters, limit is {chars_max}");
        problems.error(node.span(), wrong, "shorten it");
    } else if value.chars().any(char::is_control) {
        // It goes into alerts, logs and terminals.
        let wrong = format!("{key} holds a control character");
        problems.error(node.span(), wrong, "write it on one line, without tabs");
    } else {
        return Some(value.to_owned());
    }
    None
}

/// True or false.
pub(super) fn boolean(node: &Node<'_>, key: &str, problems: &mut Problems) -> Option<bool> {
    let DeValue::Boolean(value) = node.get_ref() else {
        let wrong = format!("{key} is {}, not a boolean", kind(node.get_ref()));
        problems.error(node.span(), wrong, "write true or false, without quotes");
        return None;
    };
    Some(*value)
}

/// One of `words`, as what it stands for.
pub(super) fn word<T: Copy>(
    node: &Node<'_>,
    what: &str,
    plural: &str,
    words: &[(&str, T)],
    problems: &mut Problems,
) -> Option<T> {
    let known: Vec<&str> = words.iter().map(|&(word, _)| word).collect();
    let Some(value) = node.get_ref().as_str() else {
        let wrong = format!("{what} is {}, not a string", kind(node.get_ref()));
        problems.error(node.span(), wrong, listed(&known, plural));
        return None;
    };
    let meaning = words.iter().find(|&&(word, _)| word == value).map(|&(_, meaning)| meaning);
    if meaning.is_none() {
        let wrong = format!("unknown {what} {}", quoted(value));
        problems.error(node.span(), wrong, suggest(value, &known, plural));
    }
    meaning
}

/// A whole number within `range`.
pub(super) fn integer(
    node: &Node<'_>,
    key: &str,
    range: RangeInclusive<u64>,
    problems: &mut Problems,
) -> Option<u64> {
    let (least, most) = (range.start(), range.end());
    let instead =
        if least == most { format!("write {least}") } else { format!("write {least} to {most}") };
    let DeValue::Integer(digits) = node.get_ref() else {
        let wrong = format!("{key} is {}, not a whole number", kind(node.get_ref()));
        problems.error(node.span(), wrong, instead);
        return None;
    };
    let value = u64::from_str_radix(digits.as_str(), digits.radix()).ok();
    let value = value.filter(|value| range.contains(value));
    if value.is_none() {
        let wrong = format!("{key} is {}", quoted_bare(&digits.to_string()));
        problems.error(node.span(), wrong, instead);
    }
    value
}

/// A share: a number above 0 and up to 1.
pub(super) fn share(
    node: &Node<'_>,
    key: &str,
    example: &str,
    problems: &mut Problems,
) -> Option<f64> {
    let (shown, value) = match node.get_ref() {
        DeValue::Float(digits) => (digits.to_string(), digits.as_str().parse::<f64>().ok()),
        DeValue::Integer(digits) => {
            let value = u32::from_str_radix(digits.as_str(), digits.radix()).ok();
            (digits.to_string(), value.map(f64::from))
        }
        other => {
            let wrong = format!("{key} is {}, not a number", kind(other));
            problems.error(node.span(), wrong, format!("write {key} = {example}"));
            return None;
        }
    };
    let value = value.filter(|share| *share > 0.0 && *share <= 1.0);
    if value.is_none() {
        let wrong = format!("{key} is {}", quoted_bare(&shown));
        let instead = format!("write a share above 0 and up to 1, such as {example}");
        problems.error(node.span(), wrong, instead);
    }
    value
}

/// Numbers and spans of numbers, such as `[443, "8000-8999"]`, each within `range`.
pub(super) fn ranges(
    node: &Node<'_>,
    key: &str,
    example: &str,
    range: &RangeInclusive<u64>,
    problems: &mut Problems,
) -> Vec<RangeInclusive<u64>> {
    let mut ranges = Vec::new();
    for entry in list(node, key, example, problems) {
        let Some(span) = entry.get_ref().as_str() else {
            let value = integer(entry, key, range.clone(), problems);
            ranges.extend(value.map(|value| value..=value));
            continue;
        };
        let ends = span.split_once('-').and_then(|(first, last)| {
            Some((first.trim().parse::<u64>().ok()?, last.trim().parse::<u64>().ok()?))
        });
        match ends {
            Some((first, last))
                if first <= last && range.contains(&first) && range.contains(&last) =>
            {
                ranges.push(first..=last);
            }
            Some((first, last)) if first > last => problems.error(
                entry.span(),
                format!("{key} {} runs backwards", quoted(span)),
                format!("write \"{last}-{first}\""),
            ),
            _ => problems.error(
                entry.span(),
                format!(
                    "{key} {} is no span of {} to {}",
                    quoted(span),
                    range.start(),
                    range.end()
                ),
                format!("write a number without quotes or a span, as in {example}"),
            ),
        }
    }
    ranges
}

/// A day, written without quotes.
pub(super) fn date(node: &Node<'_>, key: &str, problems: &mut Problems) -> Option<Date> {
    let date = match node.get_ref() {
        DeValue::Datetime(datetime) if datetime.time.is_none() => datetime.date.and_then(|day| {
            let (month, day_of_month) = (i8::try_from(day.month), i8::try_from(day.day));
            Date::new(i16::try_from(day.year).ok()?, month.ok()?, day_of_month.ok()?).ok()
        }),
        _ => None,
    };
    if date.is_none() {
        let quoted_day = node.get_ref().as_str().and_then(|day| day.parse::<Date>().ok());
        let (wrong, example) = match (node.get_ref(), quoted_day) {
            (_, Some(day)) => (format!("{key} is a string, not a date"), day.to_string()),
            (DeValue::Datetime(_), None) => {
                (format!("{key} is not a day"), "2027-01-31".to_owned())
            }
            (other, None) => {
                (format!("{key} is {}, not a date", kind(other)), "2027-01-31".to_owned())
            }
        };
        problems.error(node.span(), wrong, format!("write {key} = {example}, without quotes"));
    }
    date
}

/// The kind of a value with its article.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A number as an error shows it, cut to a length that is read.
fn quoted_bare(number: &str) -> String {
    quoted(number).trim_matches('"').to_owned()
}
