//! Values of Asia, Africa and Oceania.

use super::super::{Rng, check};
use super::{Birth, Maker, complement, maker, until};

pub(super) const MAKERS: &[Maker] = &[
    maker(
        "CN_RESIDENT_ID",
        &["id card number", "resident identity number", "shenfenzheng"],
        chinese,
    ),
    maker("KR_RRN", &["rrn", "resident registration number", "jumin number"], rrn),
    maker("JP_MY_NUMBER", &["my number", "kojin bango", "individual number"], my_number),
    maker("SG_NRIC_FIN", &["nric", "fin number", "nric fin"], nric),
    maker("HK_ID", &["hkid", "hk id", "hong kong id"], hkid),
    maker("TH_TNIN", &["thai id", "thai national id", "citizen id"], thai),
    maker("IN_AADHAAR", &["aadhaar", "aadhaar number", "uidai number"], aadhaar),
    maker("IN_PAN", &["pan card", "pan number", "permanent account number"], pan),
    maker("IN_GSTIN", &["gstin", "gst number", "gst no"], gstin),
    maker("IL_ID", &["teudat zehut", "israeli id", "mispar zehut"], |rng| {
        let body = rng.digits(8);
        format!("{body}{}", check::luhn(&body))
    }),
    maker("ZA_ID_NUMBER", &["sa id number", "south african id", "id number"], za),
    maker("AU_TFN", &["tfn", "tax file number", "employee tfn"], tfn),
    maker("AU_MEDICARE", &["medicare number", "medicare card", "medicare no"], medicare),
    maker("AU_ABN", &["abn", "australian business number"], abn),
    maker("AU_ACN", &["acn", "australian company number"], acn),
];

/// ISO/IEC 7064 mod 11-2 (GB 11643).
fn chinese(rng: &mut Rng) -> String {
    let area = rng.pick(&["110101", "310104", "110105"]);
    let body = format!("{area}{}{}", Birth::new(rng).yyyymmdd(), rng.digits(3));
    let sum = check::weighed(&body, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    format!("{body}{}", char::from(b"10X98765432"[(sum % 11) as usize]))
}

/// With the check digit that was given until October 2020.
fn rrn(rng: &mut Rng) -> String {
    let birth = Birth::new(rng);
    let sex = rng.within(1, 2) + if birth.year >= 2000 { 2 } else { 0 };
    let body = format!("{}{sex}{:02}{}", birth.yymmdd(), rng.within(0, 92), rng.digits(3));
    let sum = check::weighed(&body, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
    format!("{}-{}{}", &body[..6], &body[6..], (11 - sum % 11) % 10)
}

fn my_number(rng: &mut Rng) -> String {
    let body = rng.digits(11);
    let digit = match check::weighed(&body, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    let all = format!("{body}{digit}");
    [&all[..4], &all[4..8], &all[8..]].join(rng.pick(&["", " ", "-"]))
}

/// Letters of citizens (S, T) and of foreigners (F, G).
fn nric(rng: &mut Rng) -> String {
    let (first, body) = (rng.text("STFG", 1), rng.digits(7));
    let sum = check::weighed(&body, &[2, 7, 6, 5, 4, 3, 2]);
    let sum = sum + if first == "T" || first == "G" { 4 } else { 0 };
    let letters = if first == "S" || first == "T" { b"JZIHGFEDCBA" } else { b"XWUTRQPNMLK" };
    format!("{first}{body}{}", char::from(letters[(sum % 11) as usize]))
}

/// One letter, six digits; the missing first letter counts as 36.
fn hkid(rng: &mut Rng) -> String {
    let (letter, body) = (rng.text("ABCDEGHKMPRVYZ", 1), rng.digits(6));
    let value = letter.chars().next().and_then(|letter| letter.to_digit(36)).unwrap_or(0);
    let sum = 36 * 9 + value * 8 + check::weighed(&body, &[7, 6, 5, 4, 3, 2]);
    let digit = match (11 - sum % 11) % 11 {
        10 => 'A',
        digit => check::digit(digit),
    };
    format!("{letter}{body}({digit})")
}

fn thai(rng: &mut Rng) -> String {
    let province = rng.pick(&["10", "12", "20", "30", "40", "50", "65", "70", "83", "90", "96"]);
    let body = rng.text("12345678", 1) + province + &rng.digits(9);
    let sum = check::weighed(&body, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    let all = format!("{body}{}", (11 - sum % 11) % 10);
    let parts = [&all[..1], &all[1..5], &all[5..10], &all[10..12], &all[12..]];
    parts.join(rng.pick(&["", "-"]))
}

fn aadhaar(rng: &mut Rng) -> String {
    let body = rng.text("23456789", 1) + &rng.digits(10);
    let all = format!("{body}{}", check::verhoeff(&body));
    [&all[..4], &all[4..8], &all[8..]].join(rng.pick(&["", " ", " "]))
}

/// The fourth letter is the kind of holder, P for a person.
fn pan(rng: &mut Rng) -> String {
    rng.capitals(3)
        + &rng.text("PCHF", 1)
        + &rng.shape("A")
        + &format!("{:04}", rng.within(1, 9_999))
        + &rng.capitals(1)
}

/// State, PAN, number of the registration, Z, a check character of mod 36.
fn gstin(rng: &mut Rng) -> String {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let body = format!("{:02}{}{}Z", rng.within(1, 37), pan(rng), rng.text("123456789", 1));
    let sum: u32 = body
        .chars()
        .enumerate()
        .map(|(at, letter)| {
            let product = letter.to_digit(36).unwrap_or(0) * (1 + at as u32 % 2);
            product / 36 + product % 36
        })
        .sum();
    format!("{body}{}", char::from(ALPHABET[((36 - sum % 36) % 36) as usize]))
}

/// Birth, sex, citizenship, 8, Luhn.
fn za(rng: &mut Rng) -> String {
    let body = format!("{}{}{}8", Birth::new(rng).yymmdd(), rng.digits(4), rng.below(2));
    format!("{body}{}", check::luhn(&body))
}

fn tfn(rng: &mut Rng) -> String {
    let all = until(rng, |rng| {
        let body = rng.shape("Dddddddd");
        let sum = check::weighed(&body, &[1, 4, 3, 7, 5, 8, 6, 9]);
        // The last weight is 10, which is -1 modulo 11.
        (sum % 11 < 10).then(|| format!("{body}{}", sum % 11))
    });
    [&all[..3], &all[3..6], &all[6..]].join(rng.pick(&["", " "]))
}

/// The ninth digit checks the eight before it; the tenth counts the cards issued.
fn medicare(rng: &mut Rng) -> String {
    let body = rng.text("23456", 1) + &rng.digits(7);
    let sum = check::weighed(&body, &[1, 3, 7, 9, 1, 3, 7, 9]);
    let all = format!("{body}{}{}", sum % 10, rng.within(1, 5));
    [&all[..4], &all[4..9], &all[9..]].join(rng.pick(&["", " "]))
}

/// One is taken off the first digit; the sum with weights 10, 1, 3, 5 … 19 is a multiple of 89.
fn abn(rng: &mut Rng) -> String {
    let body = rng.digits(9);
    let sum = check::weighed(&body, &[3, 5, 7, 9, 11, 13, 15, 17, 19]);
    // With 10 and 1 as their weights, the two check digits less one count as the number less ten.
    let check = 11 + (2 * 89 - 1 - sum % 89) % 89;
    let all = format!("{check}{body}");
    [&all[..2], &all[2..5], &all[5..8], &all[8..]].join(rng.pick(&["", " "]))
}

fn acn(rng: &mut Rng) -> String {
    let body = rng.digits(8);
    let digit = complement(check::weighed(&body, &[8, 7, 6, 5, 4, 3, 2, 1]), 10).unwrap_or('0');
    let all = format!("{body}{digit}");
    [&all[..3], &all[3..6], &all[6..]].join(rng.pick(&["", " "]))
}
