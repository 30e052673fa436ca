//! Bank account numbers as they are written within a country, without check digits: digits that only
//! their key or a word near by tells. International ones are in [`super::iban`].

use super::super::detector::{Detector, Field, Find, Form, Tier, Words, bare};
use super::super::evidence::Candidate;
use super::super::probe::Probe;
use super::super::text;
use super::super::{checksum, words};
use super::value;
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[Detector {
    tier: Tier::Weak,
    tags: &[Tag::Glba, Tag::Ccpa, Tag::Gdpr],
    standard: "15 USC 6809: 6 to 17 digits under a key that names an account at a bank (ANSI X9.100-160)",
    example: r#"{"accountNumber":"409281736450"}"#,
    words: Words { key: KEYS, near: NEAR, hostile: NOT, doubtful: words::MACHINE_NAMES },
    find: Find::Any(&[Find::Key(find_keyed), Find::Forms(FORMS)]),
    ..Detector::new("US_BANK_NUMBER", "Bank account number")
}];

#[rustfmt::skip]
const KEYS: &[&str] = &["acct", "acct no", "acct num", "account no", "account num", "konto nr", "konto"];

#[rustfmt::skip]
const NEAR: &[&str] = &[
    "bank account", "bank account number", "account number", "acct number", "checking account",
    "savings account", "bank acct", "checking", "bank number", "kontonummer", "numéro de compte",
    "numero de compte", "número de cuenta", "numero de cuenta", "numero conto", "número da conta",
    "numero da conta", "rekeningnummer", "numer konta", "kontonr",
];

/// Accounts at anything else, and what machines number.
#[rustfmt::skip]
const NOT: &[&str] = &[
    "aws", "azure", "cloud", "user", "hash", "timestamp", "time", "date", "created", "updated",
    "ts", "seq", "sequence", "trace", "version", "offset", "imei", "iccid",
];

/// Digits of an account number without its key, and the longest.
/// One group of 8 to 17 digits.
const FORMS: &[Form] = &[
    bare("99999999"),
    bare("999999999"),
    bare("9999999999"),
    bare("99999999999"),
    bare("999999999999"),
    bare("9999999999999"),
    bare("99999999999999"),
    bare("999999999999999"),
    bare("9999999999999999"),
    bare("99999999999999999"),
];

const DIGITS_MAX: usize = 17;
/// Digits of the shortest number under its key.
const KEYED_DIGITS_MIN: usize = 6;
/// What digits under their key are worth besides, in decibans.
const KEYED_DB: i16 = 10;

fn find_keyed(probe: &mut Probe<'_>, field: Field) -> Option<Candidate> {
    let field = value::word(probe.text, field);
    let number = text::slice(probe.text, field.start, field.end);
    let digits = number.iter().filter(|b| b.is_ascii_digit()).count();
    let fits = number.iter().all(|b| b.is_ascii_digit() || *b == b'-');
    let sane = (KEYED_DIGITS_MIN..=DIGITS_MAX).contains(&digits) && !checksum::one_repeated(number);
    (fits && sane).then(|| Candidate::new(field.start, field.end, KEYED_DB))
}
