//! Names of people and postal addresses, which only their key tells: what stands there must look
//! like a name or an address. Free text is not searched for them.

use super::super::detector::{Detector, Field, Find, Tier, Words};
use super::super::evidence::Candidate;
use super::super::mask;
use super::super::probe::Probe;
use super::super::text;
use super::value;
use crate::model::Tag;

const TAGS: &[Tag] = &[Tag::Gdpr, Tag::UkGdpr, Tag::Ccpa, Tag::Hipaa, Tag::Glba];

pub(super) const ROWS: &[Detector] = &[
    Detector {
        tier: Tier::Weak,
        tags: TAGS,
        standard: "a key that names a person's name, and words that look like one (45 CFR 164.514(b)(2)(i)(A))",
        example: r#"{"fullName":"Jana Kovar"}"#,
        words: Words { key: NAME_KEYS, near: BARE_KEYS, hostile: &[], doubtful: &[] },
        find: Find::Key(find_name),
        mask: mask_name,
        plain: |value, out| mask::each(value, |_| true, &mut |b| out(b.to_ascii_lowercase())),
        ..Detector::new("PERSON", "Name of a person")
    },
    Detector {
        tier: Tier::Weak,
        tags: TAGS,
        standard: "a key that names an address, and words with a number (45 CFR 164.514(b)(2)(i)(B))",
        example: r#"{"street":"12 Willow Creek Road"}"#,
        words: Words {
            key: ADDRESS_KEYS,
            near: &[],
            hostile: &[
                "ip", "mac", "email", "e mail", "mail", "wallet", "memory", "web", "bind",
                "listen", "remote", "server", "url",
            ],
            doubtful: &[],
        },
        find: Find::Key(find_address),
        mask: mask::nothing,
        plain: mask::compact,
        ..Detector::new("STREET_ADDRESS", "Postal address")
    },
];

/// Keys of a person's name and of nothing else.
#[rustfmt::skip]
const NAME_KEYS: &[&str] = &[
    "first name", "last name", "full name", "given name", "given names", "family name", "surname",
    "middle name", "maiden name", "birth name", "real name", "legal name", "person name",
    "customer name", "patient name", "contact name", "employee name", "user full name",
    "account holder", "account holder name", "card holder", "card holder name", "cardholder name",
    "holder name", "name on card", "recipient name", "sender name", "beneficiary name",
    "payee name", "guardian name", "mother name", "father name", "spouse name", "student name",
    "passenger name", "guest name", "traveler name", "traveller name", "insured name",
    "subscriber name", "applicant name", "buyer name", "physician name", "doctor name",
    "billing name", "shipping name", "cardholder", "firstname", "lastname",
    "vorname", "nachname", "familienname", "kundenname", "patientenname", "karteninhaber",
    "kontoinhaber", "prénom", "prenom", "nom de famille", "nom complet", "apellido", "apellidos",
    "nombre completo", "nombre y apellidos", "titular", "cognome", "nome completo", "sobrenome",
    "voornaam", "achternaam", "imię", "nazwisko", "förnamn", "efternamn", "fornavn", "etternavn",
    "etunimi", "sukunimi", "jméno", "příjmení", "ad soyad", "姓名", "氏名", "성명", "фамилия", "фио",
    // Of a person by the key above it.
    "user name", "person", "billing address name", "shipping address name",
];

/// Keys of a name of anything, and abbreviations that end other words.
const BARE_KEYS: &[&str] = &["name", "nom", "nombre", "nome", "naam", "fname", "lname"];
const ABBREVIATIONS: [&str; 2] = ["fname", "lname"];

/// Words of the key above a bare name that say that it is a person's.
#[rustfmt::skip]
const PEOPLE: [&str; 22] = [
    "user", "customer", "patient", "contact", "person", "employee", "recipient", "passenger",
    "guest", "holder", "student", "applicant", "subscriber", "beneficiary", "shopper", "buyer",
    "traveler", "traveller", "billing", "shipping", "kunde", "cliente",
];

/// Words of keys next to a bare name that say that it is a person's.
const NEXT_TO_NAMES: [&str; 8] =
    ["\"email", "\"phone", "birth", "\"dob", "surname", "\"mobile", "\"gender", "\"ssn"];
/// Bytes on each side of a bare name in which they are looked for.
const SIBLING_BYTES: usize = 120;

/// What a key of its own is worth besides, in decibans, and what a bare one beside a person's.
const SURE_DB: i16 = 10;
const LIKELY_DB: i16 = -2;

/// Bytes of the shortest and the longest name, and words of the longest.
const NAME_BYTES: std::ops::RangeInclusive<usize> = 2..=80;
const NAME_WORDS_MAX: usize = 6;
/// Letters of the shortest name that no quotes mark: programs assign shorter ones.
const UNQUOTED_LETTERS_MIN: usize = 3;

/// Words of names that begin with a small letter.
#[rustfmt::skip]
const PARTICLES: [&str; 28] = [
    "al", "af", "am", "av", "ben", "bin", "bint", "da", "das", "de", "del", "della", "den", "der",
    "di", "do", "dos", "du", "e", "el", "ibn", "la", "le", "ten", "van", "von", "y", "zu",
];

/// Words that stand where a name should, but are none.
#[rustfmt::skip]
const NOBODY: [&str; 36] = [
    "admin", "administrator", "anonymous", "any", "company", "customer", "default", "example", "false",
    "field", "first", "full", "guest", "invalid", "last", "label", "name", "nobody", "none", "nom",
    "nombre", "null", "required", "root", "service", "string", "surname", "system", "test", "true",
    "undefined", "unknown", "user", "username", "vorname", "your",
];

/// The key and what it belongs to: `name` and `user` of `user[name]`, or of the object.
fn split_key<'t>(probe: &mut Probe<'t>, start: usize) -> Option<(&'t [u8], &'t [u8])> {
    let text = probe.text;
    let (outer, key) = probe.named_key(start)?;
    let key = text::slice(text, key.0, key.1).trim_ascii_end();
    let key = key.strip_suffix(b"]").unwrap_or(key);
    if let Some(at) = key.iter().rposition(|b| matches!(b, b'.' | b'[')) {
        return Some((key.get(..at)?, key.get(at + 1..)?));
    }
    Some((text::slice(text, outer.0, outer.1), key))
}

/// Whether the letters of `outer` and `key` together end with those of `term`.
fn ends_with(outer: &[u8], key: &[u8], term: &str) -> bool {
    let letters = |b: &&u8| super::super::lexicon::is_word_byte(**b);
    let letters_of_key = key.iter().rev().filter(letters).skip_while(|b| b.is_ascii_digit());
    let mut all = letters_of_key.chain(outer.iter().rev().filter(letters));
    let wanted = term.bytes().rev().filter(|b| *b != b' ');
    wanted.into_iter().all(|wanted| all.next().is_some_and(|b| b.to_ascii_lowercase() == wanted))
}

fn find_name(probe: &mut Probe<'_>, field: Field) -> Option<Candidate> {
    let text = probe.text;
    let quoted = value::is_quoted(text, field);
    let (end, words) = name_end(text, field, quoted)?;
    let (outer, key) = split_key(probe, field.start)?;
    // The name of an account; of a person where it is `name` under `user`.
    let is_account = ends_with(&[], key, "user name");
    let is = |names: &[&str]| names.iter().any(|name| key.eq_ignore_ascii_case(name.as_bytes()));
    let letter = |b: &&u8| super::super::lexicon::is_word_byte(**b) && !b.is_ascii_digit();
    let last = key.iter().rev().find(letter).map(u8::to_ascii_lowercase);
    let may_end = |term: &&&str| term.as_bytes().last().copied() == last || last.is_none();
    let named =
        !is_account && NAME_KEYS.iter().filter(may_end).any(|term| ends_with(outer, key, term));
    let of_a_person = || {
        let outer = outer.strip_suffix(b"s").unwrap_or(outer);
        PEOPLE.iter().any(|word| ends_with(&[], outer, word))
    };
    if named || is(&ABBREVIATIONS) || (is(BARE_KEYS) && of_a_person()) {
        return Some(Candidate::new(field.start, end, SURE_DB));
    }
    // A bare name is one of anything, unless what stands beside it has a person's.
    let around = value::around(text, field.start, end, SIBLING_BYTES);
    (is(BARE_KEYS) && words > 1 && value::holds_any(around, &NEXT_TO_NAMES))
        .then(|| Candidate::new(field.start, end, LIKELY_DB))
}

/// Where the name ends that begins where the value does, and how many words it has. Between quotes
/// all of the value must be one.
fn name_end(text: &[u8], field: Field, quoted: bool) -> Option<(usize, usize)> {
    let bytes = text::slice(text, field.start, field.end);
    // A word with something else in it is no name, and ends one. Most values begin with one.
    let bytes = match bytes.iter().position(|b| !in_name(*b)) {
        Some(_) if quoted => return None,
        Some(other) => {
            let words = bytes.get(..other)?;
            words.get(..words.iter().rposition(|b| matches!(b, b' ' | b'+' | 0xA0))? + 1)?
        }
        None => bytes,
    };
    let value = match std::str::from_utf8(bytes) {
        Ok(value) => value,
        Err(cut) => std::str::from_utf8(bytes.get(..cut.valid_up_to())?).ok()?,
    };
    let (mut end, mut words, mut capitals, mut at) = (0, 0, 0, 0);
    for word in value.split_inclusive([' ', '+', '\u{a0}']) {
        let name = word.trim_end_matches([' ', '+', '\u{a0}']);
        match judge_word(name) {
            Some(is_capital) if words < NAME_WORDS_MAX => capitals += usize::from(is_capital),
            _ => break,
        }
        words += 1;
        at += word.len();
        end = at - (word.len() - name.len());
    }
    let whole = end == value.len();
    let next = text::byte(text, field.start + end);
    let cut_well = matches!(
        next,
        0 | b' '
            | b'+'
            | b'&'
            | b','
            | b';'
            | b'}'
            | b'\r'
            | b'\n'
            | b'<'
            | b'"'
            | b'\''
            | b'\\'
            | b')'
    );
    let long = quoted
        || value.get(..end)?.chars().filter(|c| c.is_alphabetic()).count() >= UNQUOTED_LETTERS_MIN;
    let fits = NAME_BYTES.contains(&end) && capitals > 0 && long;
    (fits && (if quoted { whole } else { cut_well })).then_some((field.start + end, words))
}

/// Whether a byte may stand in a name, or between its words.
fn in_name(b: u8) -> bool {
    b.is_ascii_alphabetic() || b >= 0x80 || matches!(b, b' ' | b'+' | b'-' | b'\'' | b'.' | b',')
}

/// Whether the word may be part of a name, and whether it begins as names do.
fn judge_word(word: &str) -> Option<bool> {
    let bare = word.trim_end_matches([',', '.']);
    let first = bare.chars().next()?;
    let fits = |c: char| {
        c.is_alphabetic() || matches!(c, '-' | '\'' | '\u{2019}' | '.' | '\u{301}' | '\u{308}')
    };
    if !bare.chars().all(fits) || NOBODY.iter().any(|nobody| bare.eq_ignore_ascii_case(nobody)) {
        return None;
    }
    // `McKay` and `O'Brien` have two capitals, `getElementById` more: a program's.
    let humps = bare
        .chars()
        .zip(bare.chars().skip(1))
        .filter(|(a, b)| a.is_lowercase() && b.is_uppercase())
        .count();
    if humps > 1 || bare.split('.').filter(|part| part.chars().count() > 2).count() > 1 {
        return None;
    }
    match first.is_lowercase() {
        true => (PARTICLES.contains(&bare) || bare.starts_with("d'")).then_some(false),
        false => first.is_alphabetic().then_some(true),
    }
}

/// The first letter of each word.
fn mask_name(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let initial = |word: &str| word.chars().next().map(|first| format!("{first}***"));
    let initials: Vec<String> = text.split([' ', '+', '\u{a0}']).filter_map(initial).collect();
    initials.join(" ")
}

#[rustfmt::skip]
const ADDRESS_KEYS: &[&str] = &[
    "address", "addresses", "street", "street address", "street name", "address line", "address1",
    "address2", "addr1", "address line1", "home address", "billing address", "shipping address",
    "mailing address", "postal address", "delivery address", "residential address", "address street",
    "straße", "strasse", "anschrift", "adresse", "wohnadresse", "rechnungsadresse", "rue",
    "dirección", "direccion", "domicilio", "calle", "indirizzo", "endereço", "endereco", "morada",
    "adres", "ulica", "adress", "gatuadress", "osoite", "adresa", "адрес", "住所", "地址", "주소",
];

/// Bytes of the shortest and the longest address on one line.
const ADDRESS_BYTES: std::ops::RangeInclusive<usize> = 6..=160;

fn find_address(probe: &mut Probe<'_>, field: Field) -> Option<Candidate> {
    let text = probe.text;
    let bytes = text::slice(text, field.start, field.end);
    let value = std::str::from_utf8(bytes).ok()?;
    let fits = |c: char| {
        c.is_alphanumeric()
            || c == ' '
            || matches!(c, '+' | '.' | ',' | '-' | '\'' | '/' | '#' | 'º' | 'ª' | '\u{2019}')
    };
    let length = value.find(|c| !fits(c)).unwrap_or(value.len());
    let mut address = value.get(..length)?;
    if address.len() < value.len() {
        if value::is_quoted(text, field) {
            return None;
        }
        // The word before `=` or `:` is the next key.
        if value.get(length..)?.starts_with(['=', ':']) {
            address = address.get(..address.rfind(' ')?)?;
        }
        address = address.trim_end_matches([' ', '+', ',']);
    }
    (ADDRESS_BYTES.contains(&address.len()) && is_address(address))
        .then(|| Candidate::new(field.start, field.start + address.len(), SURE_DB))
}

/// Whether there is a word that begins with a capital, and a number of a house beside it.
fn is_address(value: &str) -> bool {
    let (mut words, mut capitals, mut numbers) = (0, 0, 0);
    for word in value.split([' ', '+', ',']).filter(|word| !word.is_empty()) {
        words += 1;
        let letters = word.chars().filter(|c| c.is_alphabetic()).count();
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        capitals +=
            usize::from(letters >= 2 && digits == 0 && !word.starts_with(char::is_lowercase));
        numbers += usize::from((1..=5).contains(&digits) && letters <= 2);
    }
    let east = value.chars().any(|c| ('\u{3040}'..'\u{D7A4}').contains(&c))
        && value.contains(|c: char| c.is_ascii_digit());
    east || (2..=20).contains(&words) && capitals >= 1 && numbers >= 1
}
