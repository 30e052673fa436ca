//! How to make a value of each entity, and the keys that such values are stored under.

use super::Rng;
use super::check;

/// Makes values of one entity.
pub struct Maker {
    /// The entity's name.
    pub entity: &'static str,
    /// Names of fields, as words in small letters with spaces between.
    pub keys: &'static [&'static str],
    /// A new value, as people write it.
    pub make: fn(&mut Rng) -> String,
}

/// A row of the table.
pub(super) const fn maker(
    entity: &'static str,
    keys: &'static [&'static str],
    make: fn(&mut Rng) -> String,
) -> Maker {
    Maker { entity, keys, make }
}

/// Every maker.
pub fn makers() -> impl Iterator<Item = &'static Maker> {
    GENERAL.iter()
}

const GENERAL: &[Maker] = &[
    maker("CREDIT_CARD", &["card number", "credit card", "pan", "cc number"], card),
    maker("IBAN_CODE", &["iban", "bank account", "account iban"], iban),
    maker("EMAIL_ADDRESS", &["email", "customer email", "contact email"], email),
    maker("PHONE_NUMBER", &["phone", "phone number", "mobile"], phone),
    maker("US_SSN", &["ssn", "social security number"], ssn),
];

fn card(rng: &mut Rng) -> String {
    let (start, length) = rng.pick(&[
        ("4", 16),
        ("51", 16),
        ("55", 16),
        ("2221", 16),
        ("37", 15),
        ("6011", 16),
        ("3528", 16),
        ("36", 14),
        ("6212", 16),
    ]);
    let body = format!("{start}{}", rng.digits(length - 1 - start.len()));
    let whole = format!("{body}{}", check::luhn(&body));
    if length != 16 {
        return whole;
    }
    let separator = rng.pick(&["", "", " ", "-"]);
    [&whole[..4], &whole[4..8], &whole[8..12], &whole[12..]].join(separator)
}

fn iban(rng: &mut Rng) -> String {
    let (country, shape) = rng.pick(&[
        ("DE", "dddddddddddddddddd"),
        ("FR", "ddddddddddXXXXXXXXXXXdd"),
        ("GB", "AAAAdddddddddddddd"),
        ("NL", "AAAAdddddddddd"),
        ("ES", "dddddddddddddddddddd"),
        ("AT", "dddddddddddddddd"),
    ]);
    let account = rng.shape(shape);
    let number: String = format!("{account}{country}00")
        .chars()
        .map(|letter| letter.to_digit(36).unwrap_or(0).to_string())
        .collect();
    format!("{country}{:02}{account}", 98 - check::remainder(&number, 97))
}

fn email(rng: &mut Rng) -> String {
    let name = rng.pick(&["jana", "marco", "lucia", "tomasz", "ines", "oliver", "priya", "sven"]);
    let family = rng.pick(&["kovar", "lindqvist", "moreau", "ferri", "okafor", "nakada", "brandt"]);
    let number = rng.below(100);
    let domain = rng.pick(&["posteo-mail.de", "inboxly.io", "northwindmail.net", "correo24.es"]);
    match rng.below(3) {
        0 => format!("{name}.{family}@{domain}"),
        1 => format!("{name}{number}@{domain}"),
        _ => format!("{name}_{family}+{number}@mail.{domain}"),
    }
}

fn phone(rng: &mut Rng) -> String {
    let shape = rng.pick(&[
        "+1 415 3dd dddd",
        "+1212 5dddddd",
        "+49 30 9dddddd",
        "+33 6 12 dd dd dd",
        "+44 7700 1ddddd",
        "+34 612 ddd ddd",
        "+39 347 ddddddd",
        "+81 90 2ddd dddd",
    ]);
    rng.shape(shape)
}

fn ssn(rng: &mut Rng) -> String {
    loop {
        let (area, group) = (rng.within(1, 899), rng.within(1, 99));
        if area != 666 {
            return format!("{area:03}-{group:02}-{:04}", rng.within(1, 9_999));
        }
    }
}
