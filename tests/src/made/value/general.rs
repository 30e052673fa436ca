//! Values that are the same in every country.

use super::super::{Rng, check};
use super::{Birth, Maker, maker};

pub(super) const MAKERS: &[Maker] = &[
    maker("CREDIT_CARD", &["card number", "credit card", "pan", "cc number"], card),
    maker("CARD_TRACK", &["track data", "track 2", "magstripe"], card_track),
    maker("CARD_CVV", &["cvv", "cvc", "card cvv", "card security code"], |rng| rng.digits(3)),
    maker("IBAN_CODE", &["iban", "bank account", "account iban"], iban),
    maker("EMAIL_ADDRESS", &["email", "customer email", "contact email"], email),
    maker("PHONE_NUMBER", &["phone", "phone number", "mobile"], phone),
    maker("IP_ADDRESS", &["client ip", "ip address", "remote addr"], ip),
    maker("MAC_ADDRESS", &["mac address", "device mac", "hw addr"], mac),
    maker("CRYPTO", &["wallet", "btc address", "bitcoin address"], bech32),
    maker("IMEI", &["imei", "device imei", "imei number"], imei),
    maker("ICCID", &["iccid", "sim iccid", "sim number"], iccid),
    maker("VIN", &["vin", "vehicle vin", "chassis number"], vin),
    maker("MRZ", &["mrz", "passport mrz", "machine readable zone"], mrz),
    maker("GEO_COORDINATES", &["coordinates", "location", "lat lng", "gps"], geo),
    maker("DATE_OF_BIRTH", &["date of birth", "dob", "birth date", "geburtsdatum"], birth),
    maker("PERSON", &["full name", "customer name", "patient name", "card holder"], person),
    maker("STREET_ADDRESS", &["street address", "billing address", "home address"], street),
    maker("MEDICAL_RECORD_NUMBER", &["mrn", "medical record number", "patient mrn"], |rng| {
        let digits = rng.digits(8);
        rng.pick(&["", "MRN", "H"]).to_owned() + &digits
    }),
    maker("HEALTH_PLAN_ID", &["health plan id", "insurance member id", "subscriber id"], |rng| {
        rng.shape("AAADddddddd")
    }),
    maker("ICD_CODE", &["icd 10", "diagnosis code", "icd code"], |rng| {
        rng.pick(&["E11.9", "F32.1", "I10", "J45.909", "C50.911", "B20", "M54.5", "Z21"]).to_owned()
    }),
];

/// Beginnings of issued ranges and lengths (ISO/IEC 7812-1).
#[rustfmt::skip]
const CARDS: &[(&str, usize)] = &[
    ("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16), ("37", 15), ("34", 15),
    ("6011", 16), ("65", 16), ("3528", 16), ("36", 14), ("6212", 16),
];

pub(super) fn card(rng: &mut Rng) -> String {
    let (start, length) = rng.pick(CARDS);
    let body = format!("{start}{}", rng.digits(length - 1 - start.len()));
    let whole = format!("{body}{}", check::luhn(&body));
    if length != 16 {
        return whole;
    }
    let separator = rng.pick(&["", "", " ", "-"]);
    [&whole[..4], &whole[4..8], &whole[8..12], &whole[12..]].join(separator)
}

/// Track 1 or 2 (ISO/IEC 7813).
fn card_track(rng: &mut Rng) -> String {
    let body = format!("4{}", rng.digits(14));
    let pan = format!("{body}{}", check::luhn(&body));
    let expiry = format!("{}{:02}", rng.within(27, 31), rng.within(1, 12));
    let rest = rng.digits(13);
    match rng.below(2) {
        0 => format!(";{pan}={expiry}101{rest}?"),
        _ => format!("%B{pan}^KOVAR/JANA^{expiry}101{rest}?"),
    }
}

/// Shapes of accounts by country (the SWIFT registry of IBANs).
#[rustfmt::skip]
const IBANS: &[(&str, &str)] = &[
    ("DE", "dddddddddddddddddd"), ("FR", "ddddddddddXXXXXXXXXXXdd"), ("GB", "AAAAdddddddddddddd"),
    ("NL", "AAAAdddddddddd"), ("PT", "ddddddddddddddddddddd"), ("AT", "dddddddddddddddd"),
    ("IT", "AddddddddddXXXXXXXXXXXX"), ("PL", "dddddddddddddddddddddddd"), ("SE", "dddddddddddddddddddd"),
    ("CH", "dddddXXXXXXXXXXXX"), ("DK", "dddddddddddddd"), ("IE", "AAAAdddddddddddddd"),
];

fn iban(rng: &mut Rng) -> String {
    let (country, shape) = rng.pick(IBANS);
    let account = rng.shape(shape);
    let number: String = format!("{account}{country}00")
        .chars()
        .map(|letter| letter.to_digit(36).unwrap_or(0).to_string())
        .collect();
    let whole = format!("{country}{:02}{account}", 98 - check::remainder(&number, 97));
    if rng.one_in(2) {
        return whole;
    }
    let groups: Vec<&str> =
        (0..whole.len()).step_by(4).map(|at| &whole[at..whole.len().min(at + 4)]).collect();
    groups.join(" ")
}

const NAMES: &[&str] = &["Jana", "Marco", "Lucia", "Tomasz", "Ines", "Oliver", "Priya", "Sven"];
const FAMILIES: &[&str] =
    &["Kovar", "Lindqvist", "Moreau", "Ferri", "Okafor", "Nakada", "Brandt", "Halloran"];

fn email(rng: &mut Rng) -> String {
    let (name, family) = (rng.pick(NAMES).to_lowercase(), rng.pick(FAMILIES).to_lowercase());
    let number = rng.below(100);
    let domain = rng.pick(&["posteo-mail.de", "inboxly.io", "northwindmail.net", "correo24.es"]);
    match rng.below(3) {
        0 => format!("{name}.{family}@{domain}"),
        1 => format!("{name}{number}@{domain}"),
        _ => format!("{name}_{family}+{number}@mail.{domain}"),
    }
}

/// Ranges that the countries' plans assign.
#[rustfmt::skip]
const PHONES: &[&str] = &[
    "+1 415 3dd dddd", "+12125ddDddd", "+49 30 9dddddd", "+33 6 12 dd dd dd", "+44 7712 1ddddd",
    "+34 612 ddd ddd", "+39 347 ddddddd", "+81 90 2ddd dddd", "+4917\\61ddddddd", "+48 512 ddd ddd",
    "(415) 3dd-dddd", "415-3dd-dddd",
];

fn phone(rng: &mut Rng) -> String {
    let shape = rng.pick(PHONES);
    rng.shape(shape)
}

fn ip(rng: &mut Rng) -> String {
    if rng.one_in(4) {
        return format!("2a02:{}:{}::{}", rng.hex(4), rng.hex(4), rng.hex(3));
    }
    let first = rng.pick(&[81, 87, 91, 93, 109, 176, 188, 212, 217]);
    format!("{first}.{}.{}.{}", rng.within(16, 250), rng.within(1, 250), rng.within(1, 254))
}

fn mac(rng: &mut Rng) -> String {
    let octets: Vec<String> = (0..5).map(|_| rng.hex(2)).collect();
    // The first is of a universal, individual address (IEEE 802).
    format!("{}:{}", rng.pick(&["3c", "a4", "f0", "00", "88"]), octets.join(":"))
}

/// A native SegWit address of version 0 (BIP 173).
fn bech32(rng: &mut Rng) -> String {
    const LETTERS: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let polymod = |values: &[u32]| {
        values.iter().fold(1u32, |sum, value| {
            let top = sum >> 25;
            let generators = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
            generators
                .iter()
                .enumerate()
                .filter(|(bit, _)| top >> bit & 1 == 1)
                .fold((sum & 0x1ff_ffff) << 5 ^ value, |sum, (_, generator)| sum ^ generator)
        })
    };
    // 20 bytes are 32 letters, all of whose bits are used.
    let mut data = vec![0];
    data.extend((0..32).map(|_| rng.below(32) as u32));
    let prefix = [3, 3, 0, 2, 3];
    let all = [&prefix[..], &data, &[0; 6]].concat();
    let sum = polymod(&all) ^ 1;
    data.extend((0..6).map(|at| sum >> (5 * (5 - at)) & 31));
    let letters = data.iter().map(|value| char::from(LETTERS[*value as usize]));
    format!("bc1{}", letters.collect::<String>())
}

fn imei(rng: &mut Rng) -> String {
    let body = format!("{}{}", rng.pick(&["35", "86", "01"]), rng.digits(12));
    format!("{body}{}", check::luhn(&body))
}

fn iccid(rng: &mut Rng) -> String {
    let body = format!("89{}{}", rng.pick(&["49", "44", "33", "34"]), rng.digits(14));
    format!("{body}{}", check::luhn(&body))
}

/// North American: the ninth character checks the others (49 CFR 565).
fn vin(rng: &mut Rng) -> String {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    const LETTERS: &str = "ABCDEFGHJKLMNPRSTUVWXYZ";
    const VALUES: &str = "12345678123457923456789";
    let start = rng.pick(&["1HG", "1FT", "2T1", "3VW", "5YJ"]);
    let model = rng.text("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", 5);
    let year = rng.text("ABCDEFGHJKLMNPRST", 1);
    let body = format!("{start}{model}0{year}{}{}", rng.text(LETTERS, 1), rng.digits(6));
    let value = |letter: char| {
        letter
            .to_digit(10)
            .or_else(|| VALUES.as_bytes().get(LETTERS.find(letter)?).map(|b| u32::from(b - b'0')))
    };
    let sum: u32 =
        body.chars().zip(WEIGHTS).map(|(letter, weight)| value(letter).unwrap_or(0) * weight).sum();
    let digit = if sum % 11 == 10 { 'X' } else { check::digit(sum % 11) };
    format!("{}{digit}{}", &body[..8], &body[9..])
}

/// The check digit of a field of a machine-readable zone (ICAO 9303-3 section 4.9).
fn mrz_check(field: &str) -> char {
    let sum: u32 = field
        .chars()
        .zip([7, 3, 1].iter().cycle())
        .map(|(letter, weight)| letter.to_digit(36).unwrap_or(0) * weight)
        .sum();
    check::digit(sum % 10)
}

/// Both lines of a passport (ICAO 9303-4).
fn mrz(rng: &mut Rng) -> String {
    let country = rng.pick(&["D<<", "FRA", "GBR", "ITA", "USA"]);
    let name = format!("{}<<{}", rng.pick(FAMILIES), rng.pick(NAMES)).to_uppercase();
    let number = rng.shape("AXXddddddd")[..9].to_owned();
    let (birth, expiry) =
        (Birth::new(rng).yymmdd(), format!("{}0{}15", rng.within(27, 34), rng.within(1, 9)));
    let optional = "<".repeat(14);
    let number = format!("{number}{}", mrz_check(&number));
    let birth = format!("{birth}{}", mrz_check(&birth));
    let expiry = format!("{expiry}{}", mrz_check(&expiry));
    let optional = format!("{optional}{}", mrz_check(&optional));
    let whole = mrz_check(&format!("{number}{birth}{expiry}{optional}"));
    let sex = rng.pick(&["F", "M", "<"]);
    format!(
        "P<{:<<42}\n{number}{country}{birth}{sex}{expiry}{optional}{whole}",
        format!("{country}{name}")
    )
}

fn geo(rng: &mut Rng) -> String {
    let (lat, lon) = (rng.within(36, 59), rng.within(1, 29));
    format!("{lat}.{}, {lon}.{}", rng.shape("dddddD"), rng.shape("dddddD"))
}

fn birth(rng: &mut Rng) -> String {
    let Birth { year, month, day } = Birth::new(rng);
    match rng.below(4) {
        0 => format!("{day:02}.{month:02}.{year}"),
        1 => format!("{month:02}/{day:02}/{year}"),
        _ => format!("{year}-{month:02}-{day:02}"),
    }
}

fn person(rng: &mut Rng) -> String {
    format!("{} {}", rng.pick(NAMES), rng.pick(FAMILIES))
}

fn street(rng: &mut Rng) -> String {
    let number = rng.within(2, 190);
    match rng.below(3) {
        0 => format!("{number} Willow Creek Road"),
        1 => format!("Lindenstraße {number}"),
        _ => format!("{number} rue des Tilleuls"),
    }
}
