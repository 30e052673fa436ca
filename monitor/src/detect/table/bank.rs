//! Bank account numbers as they are written within a country, without check digits: digits that only
//! their key or a word near by tells. International ones are in [`super::iban`].

use super::super::detector::{Detector, Field, Find, Tier, Words, whole};
use super::super::evidence::Candidate;
use super::super::probe::Probe;
use super::super::text::{self, Boundary, Run};
use super::super::{checksum, words};
use super::value;
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[Detector {
    tier: Tier::Weak,
    tags: &[Tag::Glba, Tag::Ccpa, Tag::Gdpr],
    standard: "15 USC 6809: 6 to 17 digits under a key that names an account at a bank (ANSI X9.100-160)",
    example: r#"{"accountNumber":"409281736450"}"#,
    words: Words { key: KEYS, near: NEAR, hostile: NOT, doubtful: words::MACHINE_NAMES },
    find: Find::Any(&[Find::Key(find_keyed), Find::Digits(whole(DIGITS_MIN, DIGITS_MAX), find)]),
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
const DIGITS_MIN: usize = 8;
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

fn find(probe: &mut Probe<'_>, at: usize, run: &Run) -> Option<Candidate> {
    let [group] = run.groups() else { return None };
    let fits = (DIGITS_MIN..=DIGITS_MAX).contains(&group.len());
    let number = text::slice(probe.text, at, group.end);
    if !fits
        || checksum::one_repeated(number)
        || text::boundary(probe.text, at, group.end) != Boundary::Clean
    {
        return None;
    }
    let mut found = Candidate::new(at, group.end, 0);
    found.needs_context = true;
    Some(found)
}
