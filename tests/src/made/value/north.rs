//! Values of the Nordic and Baltic countries.

use super::super::{Rng, check};
use super::{Birth, Maker, complement, maker, until};

pub(super) const MAKERS: &[Maker] = &[
    maker("FI_PERSONAL_IDENTITY_CODE", &["hetu", "henkilotunnus", "personal identity code"], hetu),
    maker("SE_PERSONNUMMER", &["personnummer", "person nummer", "pnr"], personnummer),
    maker("NO_FODSELSNUMMER", &["fodselsnummer", "fnr", "personnummer"], fodselsnummer),
    maker("DK_CPR", &["cpr", "cpr nummer", "cpr nr"], cpr),
    maker("EE_ISIKUKOOD", &["isikukood", "ik", "personal code"], baltic),
    maker("LT_ASMENS_KODAS", &["asmens kodas", "asmenskodas", "lt asmens kodas"], baltic),
];

/// The remainder of the nine digits by 31 gives the last character; the sign is of the century.
fn hetu(rng: &mut Rng) -> String {
    let birth = Birth::new(rng);
    let sign = if birth.year >= 2000 { "A" } else { "-" };
    let (day, serial) = (birth.ddmmyy(), format!("{:03}", rng.within(2, 899)));
    let rest = check::remainder(&format!("{day}{serial}"), 31);
    let check = char::from(b"0123456789ABCDEFHJKLMNPRSTUVWXY"[rest as usize]);
    format!("{day}{sign}{serial}{check}")
}

fn personnummer(rng: &mut Rng) -> String {
    let birth = Birth::new(rng);
    let body = format!("{}{}", birth.yymmdd(), rng.digits(3));
    let check = check::luhn(&body);
    let century = if rng.one_in(2) { (birth.year / 100).to_string() } else { String::new() };
    format!("{century}{}-{}{check}", &body[..6], &body[6..])
}

/// Individual numbers 000 to 499 are of those born before 2000, 500 to 999 of those after.
fn fodselsnummer(rng: &mut Rng) -> String {
    until(rng, |rng| {
        let birth = Birth::between(rng, 1940, 2006);
        let individual = if birth.year >= 2000 { rng.within(500, 999) } else { rng.within(0, 499) };
        let mut all = format!("{}{individual:03}", birth.ddmmyy());
        for weights in [&[3, 7, 6, 1, 8, 9, 4, 5, 2][..], &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]] {
            all.push(complement(check::weighed(&all, weights), 11)?);
        }
        Some(all)
    })
}

/// The seventh digit tells the century: 0 to 3 are of the twentieth.
fn cpr(rng: &mut Rng) -> String {
    let birth = Birth::between(rng, 1937, 1999);
    format!("{}-{}{}", birth.ddmmyy(), rng.below(4), rng.digits(3))
}

/// Two rounds of weights, the second where the first leaves 10.
fn baltic(rng: &mut Rng) -> String {
    let birth = Birth::new(rng);
    let first = rng.within(3, 4) + if birth.year >= 2000 { 2 } else { 0 };
    let body = format!("{first}{}{}", birth.yymmdd(), rng.digits(3));
    let digit = match check::weighed(&body, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11 {
        10 => check::weighed(&body, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10,
        rest => rest,
    };
    format!("{body}{digit}")
}
