//! Values of western, central and southern Europe.

use super::super::{Rng, check};
use super::{Birth, Maker, complement, maker, until};

pub(super) const MAKERS: &[Maker] = &[
    maker("UK_NHS", &["nhs number", "nhs no", "patient nhs number"], nhs),
    maker("UK_NINO", &["nino", "national insurance number", "ni number"], nino),
    maker("UK_UTR", &["utr", "unique taxpayer reference", "tax reference utr"], utr),
    maker("UK_PASSPORT", &["uk passport", "passport number", "british passport"], |rng| {
        rng.shape("AAddddddd")
    }),
    maker("UK_DRIVING_LICENCE", &["driving licence", "driving licence number"], uk_licence),
    maker("FR_NIR", &["nir", "numero securite sociale", "num secu"], nir),
    maker("IT_FISCAL_CODE", &["codice fiscale", "fiscal code", "cod fiscale"], codice_fiscale),
    maker(
        "BE_NATIONAL_NUMBER",
        &["rijksregisternummer", "numero national", "national number"],
        belgian,
    ),
    maker("CH_AHV", &["ahv nummer", "ahv", "numero avs"], ahv),
    maker("DE_TAX_ID", &["steuer id", "steueridentifikationsnummer", "tax id"], steuer_id),
    maker("DE_SOCIAL_SECURITY", &["sozialversicherungsnummer", "sv nummer", "rvnr"], rvnr),
    maker(
        "DE_HEALTH_INSURANCE",
        &["krankenversichertennummer", "kvnr", "versichertennummer"],
        kvnr,
    ),
    maker("DE_ID_CARD", &["personalausweis", "ausweisnummer", "personalausweisnummer"], |rng| {
        german_document(rng, "LMNPRTVWXY")
    }),
    maker("DE_PASSPORT", &["reisepass", "reisepassnummer", "passnummer"], |rng| {
        german_document(rng, "CFGHJK")
    }),
    maker("ES_NIF", &["nif", "dni", "documento nacional de identidad"], nif),
    maker("ES_NIE", &["nie", "numero nie", "nie extranjero"], nie),
    maker("ES_NUSS", &["nuss", "numero seguridad social", "num seguridad social"], nuss),
    maker("NL_BSN", &["bsn", "burgerservicenummer", "bsn nummer"], bsn),
    maker("PT_NIF", &["nif", "numero contribuinte", "contribuinte nif"], portuguese),
    maker("IE_PPS", &["pps number", "ppsn", "pps no"], pps),
    maker("AT_SVNR", &["svnr", "sozialversicherungsnummer", "sv nummer"], svnr),
    maker("GR_AMKA", &["amka", "amka number", "arithmos amka"], amka),
    maker("PL_PESEL", &["pesel", "numer pesel", "nr pesel"], pesel),
    maker("PL_NIP", &["nip", "numer nip", "nip firmy"], nip),
    maker("CZ_RODNE_CISLO", &["rodne cislo", "rodne cislo pacienta"], rodne_cislo),
    maker("RO_CNP", &["cnp", "cod numeric personal", "cnp client"], cnp),
    maker("BG_EGN", &["egn", "egn number", "klient egn"], egn),
    maker("HR_OIB", &["oib", "osobni identifikacijski broj", "oib broj"], |rng| {
        let body = rng.digits(10);
        format!("{body}{}", check::mod_11_10(&body))
    }),
    maker("TR_NATIONAL_ID", &["tckn", "tc kimlik no", "kimlik numarasi"], tckn),
];

/// Mod 11 with weights 10 to 2 (NHS data dictionary).
fn nhs(rng: &mut Rng) -> String {
    let all = until(rng, |rng| {
        let body = format!("{}{}", rng.pick(&["4", "6", "7", "94"]), rng.digits(8));
        let body = &body[..9];
        let digit = complement(check::weighed(body, &[10, 9, 8, 7, 6, 5, 4, 3, 2]), 11)?;
        Some(format!("{body}{digit}"))
    });
    let separator = rng.pick(&[" ", " ", ""]);
    [&all[..3], &all[3..6], &all[6..]].join(separator)
}

/// HMRC's NIM39110: letters and prefixes that are not allocated are left out.
fn nino(rng: &mut Rng) -> String {
    let prefix = until(rng, |rng| {
        let prefix = rng.text("ABCEGHJKLMNOPRSTWXYZ", 1) + &rng.text("ABCEGHJKLMNPRSTWXYZ", 1);
        (!["BG", "GB", "KN", "NK", "NT", "TN", "ZZ"].contains(&prefix.as_str())).then_some(prefix)
    });
    let (digits, suffix) = (rng.digits(6), rng.text("ABCD", 1));
    let parts = [&prefix[..], &digits[..2], &digits[2..4], &digits[4..], &suffix];
    parts.join(rng.pick(&["", " "]))
}

/// The first digit checks the other nine.
fn utr(rng: &mut Rng) -> String {
    let body = rng.digits(9);
    let sum = check::weighed(&body, &[6, 7, 8, 9, 10, 5, 4, 3, 2]);
    let digit = char::from(b"21987654321"[(sum % 11) as usize]);
    format!("{digit}{body}")
}

fn uk_licence(rng: &mut Rng) -> String {
    let Birth { year, month, day } = Birth::new(rng);
    let name = rng.pick(&["MORGA", "KOVAR", "HALLO", "SMI99", "LEE99"]);
    let (decade, last) = (year / 10 % 10, year % 10);
    let month = month + if rng.one_in(2) { 50 } else { 0 };
    let initials = rng.capitals(1) + rng.pick(&["9", "J", "A"]);
    format!("{name}{decade}{month:02}{day:02}{last}{initials}9{}", rng.capitals(2))
}

/// Key 97 minus the remainder of the number.
fn nir(rng: &mut Rng) -> String {
    let Birth { year, month, .. } = Birth::new(rng);
    let department = until(rng, |rng| Some(rng.within(1, 95)).filter(|number| *number != 20));
    let body = format!(
        "{}{:02}{month:02}{department:02}{:03}{:03}",
        rng.within(1, 2),
        year % 100,
        rng.within(1, 600),
        rng.within(1, 900)
    );
    let key = format!("{:02}", 97 - check::remainder(&body, 97));
    if rng.one_in(2) {
        return format!("{body}{key}");
    }
    let b = &body;
    format!("{} {} {} {} {} {} {key}", &b[..1], &b[1..3], &b[3..5], &b[5..7], &b[7..10], &b[10..])
}

/// The decree of 23 December 1976: values of odd and even places.
fn codice_fiscale(rng: &mut Rng) -> String {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let Birth { year, month, day } = Birth::new(rng);
    let month = char::from(b"ABCDEHLMPRST"[month as usize - 1]);
    let day = day + if rng.one_in(2) { 40 } else { 0 };
    let names = rng.text("BCDFGLMNPRSTVZ", 6);
    let town = rng.pick(&["H501", "F205", "L219", "D612", "F839", "A662"]);
    let body = format!("{names}{:02}{month}{day:02}{town}", year % 100);
    let sum: u32 = body
        .chars()
        .enumerate()
        .map(|(at, letter)| {
            let index = letter.to_digit(10).unwrap_or_else(|| letter as u32 - 'A' as u32);
            if at % 2 == 0 { ODD[index as usize] } else { index }
        })
        .sum();
    format!("{body}{}", char::from(b'A' + (sum % 26) as u8))
}

/// 97 minus the remainder; born from 2000 on with a 2 before.
fn belgian(rng: &mut Rng) -> String {
    let birth = Birth::new(rng);
    let body = format!("{}{:03}", birth.yymmdd(), rng.within(1, 997));
    let number = if birth.year >= 2000 { format!("2{body}") } else { body.clone() };
    let key = 97 - check::remainder(&number, 97);
    if rng.one_in(2) {
        return format!("{body}{key:02}");
    }
    format!("{}.{}.{}-{}.{key:02}", &body[..2], &body[2..4], &body[4..6], &body[6..])
}

/// An EAN-13 that begins with 756.
fn ahv(rng: &mut Rng) -> String {
    let body = format!("756{}", rng.digits(9));
    let sum = check::weighed(&body, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]);
    let all = format!("{body}{}", (10 - sum % 10) % 10);
    if rng.one_in(3) {
        return all;
    }
    format!("{}.{}.{}.{}", &all[..3], &all[3..7], &all[7..11], &all[11..])
}

/// One of the first ten digits stands twice, and one not at all (§ 139b AO; ISO/IEC 7064).
fn steuer_id(rng: &mut Rng) -> String {
    let body = until(rng, |rng| {
        let mut digits: Vec<char> = ('0'..='9').collect();
        let gone = rng.below(10) as usize;
        let twice = rng.below(9) as usize;
        digits.remove(gone);
        digits.push(digits[twice]);
        for at in (1..digits.len()).rev() {
            digits.swap(at, rng.below(at as u64 + 1) as usize);
        }
        (digits[0] != '0').then(|| digits.into_iter().collect::<String>())
    });
    let all = format!("{body}{}", check::mod_11_10(&body));
    if rng.one_in(2) {
        return all;
    }
    format!("{} {} {} {}", &all[..2], &all[2..5], &all[5..8], &all[8..])
}

/// Sum of the digits of the products, of the letter as two digits (VKVV § 4).
fn digit_sums(text: &str, weights: &[u32]) -> u32 {
    check::digits(text)
        .zip(weights)
        .map(|(digit, weight)| digit * weight)
        .map(|n| n / 10 + n % 10)
        .sum()
}

fn letter_number(letter: &str) -> u32 {
    letter.bytes().next().map_or(0, |byte| u32::from(byte - b'A') + 1)
}

fn rvnr(rng: &mut Rng) -> String {
    let area = rng.pick(&["02", "10", "12", "15", "25", "53", "65"]);
    let (birth, letter) = (Birth::new(rng).ddmmyy(), rng.capitals(1));
    let serial = format!("{:02}", rng.within(1, 99));
    let number = format!("{area}{birth}{:02}{serial}", letter_number(&letter));
    let sum = digit_sums(&number, &[2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1]);
    let digit = sum % 10;
    if rng.one_in(2) {
        return format!("{area}{birth}{letter}{serial}{digit}");
    }
    format!("{area} {birth} {letter} {serial}{digit}")
}

/// Letter and nine digits (§ 290 SGB V).
fn kvnr(rng: &mut Rng) -> String {
    let (letter, body) = (rng.capitals(1), rng.digits(8));
    let number = format!("{:02}{body}", letter_number(&letter));
    let sum = digit_sums(&number, &[1, 2, 1, 2, 1, 2, 1, 2, 1, 2]);
    format!("{letter}{body}{}", sum % 10)
}

/// Serial number and check digit of ICAO 9303, no vowels.
fn german_document(rng: &mut Rng, first: &str) -> String {
    let body = rng.text(first, 1) + &rng.text("CFGHJKLMNPRTVWXYZ0123456789", 8);
    let sum: u32 = body
        .chars()
        .zip([7, 3, 1].iter().cycle())
        .map(|(letter, weight)| letter.to_digit(36).unwrap_or(0) * weight)
        .sum();
    format!("{body}{}", sum % 10)
}

const NIF_LETTERS: &[u8] = b"TRWAGMYFPDXBNJZSQVHLCKE";

fn nif(rng: &mut Rng) -> String {
    let number = rng.within(1_000_000, 99_999_999);
    let letter = char::from(NIF_LETTERS[(number % 23) as usize]);
    format!("{number:08}{}{letter}", rng.pick(&["", "", "-"]))
}

fn nie(rng: &mut Rng) -> String {
    let (first, number) = (rng.below(3), rng.below(10_000_000));
    let letter = char::from(NIF_LETTERS[((first * 10_000_000 + number) % 23) as usize]);
    let first = char::from(b"XYZ"[first as usize]);
    let hyphen = rng.pick(&["", "", "-"]);
    format!("{first}{hyphen}{number:07}{hyphen}{letter}")
}

/// The last two digits are the others modulo 97.
fn nuss(rng: &mut Rng) -> String {
    let (province, number) = (rng.within(1, 50), rng.within(10_000_000, 99_999_999));
    let body = format!("{province:02}{number}");
    format!("{body}{:02}", check::remainder(&body, 97))
}

/// The eleven test: weights 9 to 2 and minus 1.
fn bsn(rng: &mut Rng) -> String {
    until(rng, |rng| {
        let body = rng.text("123456789", 1) + &rng.digits(7);
        let digit = check::weighed(&body, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        (digit < 10).then(|| format!("{body}{digit}"))
    })
}

fn portuguese(rng: &mut Rng) -> String {
    let body = rng.text("123", 1) + &rng.digits(7);
    let sum = check::weighed(&body, &[9, 8, 7, 6, 5, 4, 3, 2]);
    let digit = match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    let all = format!("{body}{digit}");
    [&all[..3], &all[3..6], &all[6..]].join(rng.pick(&["", " "]))
}

/// Weights 8 to 2, and 9 for the second letter; the check letter is W for 0.
fn pps(rng: &mut Rng) -> String {
    let (body, second) = (rng.digits(7), rng.text("AB", 1));
    let second = if rng.one_in(2) { second } else { String::new() };
    let sum = check::weighed(&body, &[8, 7, 6, 5, 4, 3, 2]);
    let extra = second.bytes().next().map_or(0, |byte| u32::from(byte - b'A') + 1);
    let letter = char::from(b"WABCDEFGHIJKLMNOPQRSTUV"[((sum + 9 * extra) % 23) as usize]);
    format!("{body}{letter}{second}")
}

/// The fourth digit checks the others.
fn svnr(rng: &mut Rng) -> String {
    let all = until(rng, |rng| {
        let (serial, birth) = (rng.within(100, 999).to_string(), Birth::new(rng).ddmmyy());
        let sum = check::weighed(&format!("{serial}{birth}"), &[3, 7, 9, 5, 8, 4, 2, 1, 6]);
        (sum % 11 < 10).then(|| format!("{serial}{}{birth}", sum % 11))
    });
    [&all[..4], &all[4..]].join(rng.pick(&["", " "]))
}

fn amka(rng: &mut Rng) -> String {
    let body = format!("{}{}", Birth::new(rng).ddmmyy(), rng.digits(4));
    format!("{body}{}", check::luhn(&body))
}

/// Months of the 21st century are 20 higher.
fn pesel(rng: &mut Rng) -> String {
    let Birth { year, month, day } = Birth::new(rng);
    let month = if year >= 2000 { month + 20 } else { month };
    let body = format!("{:02}{month:02}{day:02}{}", year % 100, rng.digits(4));
    let sum = check::weighed(&body, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]);
    format!("{body}{}", (10 - sum % 10) % 10)
}

fn nip(rng: &mut Rng) -> String {
    let all = until(rng, |rng| {
        let body = rng.shape("DDDdddddd");
        let rest = check::weighed(&body, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11;
        (rest < 10).then(|| format!("{body}{rest}"))
    });
    [&all[..3], &all[3..6], &all[6..8], &all[8..]].join(rng.pick(&["", "-"]))
}

/// Since 1954 a multiple of 11; women's months are 50 higher.
fn rodne_cislo(rng: &mut Rng) -> String {
    let all = until(rng, |rng| {
        let Birth { year, month, day } = Birth::between(rng, 1955, 2003);
        let month = month + if rng.one_in(2) { 50 } else { 0 };
        let body = format!("{:02}{month:02}{day:02}{}", year % 100, rng.digits(3));
        let rest = check::remainder(&body, 11);
        (rest < 10).then(|| format!("{body}{rest}"))
    });
    if rng.one_in(3) { all } else { format!("{}/{}", &all[..6], &all[6..]) }
}

fn cnp(rng: &mut Rng) -> String {
    let birth = Birth::new(rng);
    let first = rng.within(1, 2) + if birth.year >= 2000 { 4 } else { 0 };
    let body =
        format!("{first}{}{:02}{:03}", birth.yymmdd(), rng.within(1, 46), rng.within(1, 999));
    let digit = match check::weighed(&body, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11 {
        10 => 1,
        rest => rest,
    };
    format!("{body}{digit}")
}

/// Months of the 21st century are 40 higher.
fn egn(rng: &mut Rng) -> String {
    let Birth { year, month, day } = Birth::new(rng);
    let month = if year >= 2000 { month + 40 } else { month };
    let body = format!("{:02}{month:02}{day:02}{}", year % 100, rng.digits(3));
    let digit = check::weighed(&body, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10;
    format!("{body}{digit}")
}

fn tckn(rng: &mut Rng) -> String {
    let body = rng.text("123456789", 1) + &rng.digits(8);
    let digits: Vec<u32> = check::digits(&body).collect();
    let sum = |from: usize| digits.iter().skip(from).step_by(2).sum::<u32>();
    let tenth = (10 + (7 * sum(0)) % 10 - sum(1) % 10) % 10;
    let eleventh = (sum(0) + sum(1) + tenth) % 10;
    format!("{body}{tenth}{eleventh}")
}
