//! Values of the Americas.

use super::super::{Rng, check};
use super::{Birth, Maker, maker, until};

pub(super) const MAKERS: &[Maker] = &[
    maker("US_SSN", &["ssn", "social security number", "employee ssn"], ssn),
    maker("US_ITIN", &["itin", "taxpayer itin", "individual taxpayer id"], itin),
    maker("US_EIN", &["ein", "employer id", "employer identification number"], |rng| {
        let prefix = rng.pick(&["12", "20", "27", "36", "45", "82"]);
        format!("{prefix}-{}", rng.digits(7))
    }),
    maker("US_NPI", &["npi", "provider npi", "national provider identifier"], npi),
    maker("MEDICAL_LICENSE", &["dea number", "dea", "prescriber dea"], dea),
    maker("ABA_ROUTING_NUMBER", &["routing number", "aba", "aba routing"], aba),
    maker("US_MBI", &["mbi", "medicare number", "medicare beneficiary id"], mbi),
    maker("US_DRIVER_LICENSE", &["driver license", "drivers license number", "dl number"], |rng| {
        let shape = rng.pick(&["Adddddddd", "Addddddd", "Adddddddddddd"]);
        rng.shape(shape)
    }),
    maker("US_PASSPORT", &["us passport", "passport number", "passport no"], |rng| {
        rng.shape("Adddddddd")
    }),
    maker(
        "US_BANK_NUMBER",
        &["bank account number", "account number", "checking account"],
        |rng| rng.shape("Ddddddddddd"),
    ),
    maker("CA_SIN", &["sin", "social insurance number", "canadian sin"], sin),
    maker("MX_CURP", &["curp", "clave curp", "mx curp"], curp),
    maker("BR_CPF", &["cpf", "cpf cliente", "numero cpf"], cpf),
    maker("BR_CNPJ", &["cnpj", "cnpj empresa", "numero cnpj"], cnpj),
];

/// As the administration issues them: no area 000, 666 or 9xx, no group 00, no serial 0000.
fn ssn(rng: &mut Rng) -> String {
    let area = until(rng, |rng| Some(rng.within(1, 899)).filter(|area| *area != 666));
    format!("{area:03}-{:02}-{:04}", rng.within(1, 99), rng.within(1, 9_999))
}

/// Area 9xx, group 50 to 65, 70 to 88, 90 to 92 or 94 to 99 (IRS publication 1915).
fn itin(rng: &mut Rng) -> String {
    let groups = [(50, 65), (70, 88), (90, 92), (94, 99)];
    let (least, greatest) = rng.pick(&groups);
    format!("9{}-{}-{}", rng.digits(2), rng.within(least, greatest), rng.digits(4))
}

/// Luhn over 80840 and the ten digits (45 CFR 162.406).
fn npi(rng: &mut Rng) -> String {
    let body = format!("{}{}", rng.pick(&["1", "2"]), rng.digits(8));
    format!("{body}{}", check::luhn(&format!("80840{body}")))
}

/// The sum of the odd places and twice that of the even ones ends in the check digit.
fn dea(rng: &mut Rng) -> String {
    let (kind, family) = (rng.text("ABFGM", 1), rng.capitals(1));
    let body = rng.digits(6);
    let sum = check::weighed(&body, &[1, 2, 1, 2, 1, 2]);
    format!("{kind}{family}{body}{}", sum % 10)
}

/// Weights 3, 7, 1; the first two digits of a Federal Reserve district.
fn aba(rng: &mut Rng) -> String {
    let body = format!("{:02}{}", rng.within(1, 12), rng.digits(6));
    let sum = check::weighed(&body, &[3, 7, 1, 3, 7, 1, 3, 7]);
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// CMS: no S, L, O, I, B or Z.
fn mbi(rng: &mut Rng) -> String {
    let letter = |rng: &mut Rng| rng.text("ACDEFGHJKMNPQRTUVWXY", 1);
    let either = |rng: &mut Rng| rng.text("ACDEFGHJKMNPQRTUVWXY0123456789", 1);
    let parts = [
        rng.text("123456789", 1) + &letter(rng) + &either(rng) + &rng.digits(1),
        letter(rng) + &either(rng) + &rng.digits(1),
        letter(rng) + &letter(rng) + &rng.digits(2),
    ];
    parts.join(rng.pick(&["", "-"]))
}

/// Luhn; 0 and 8 are not assigned to people.
fn sin(rng: &mut Rng) -> String {
    let body = rng.text("1234567", 1) + &rng.digits(7);
    let all = format!("{body}{}", check::luhn(&body));
    let separator = rng.pick(&[" ", "-", ""]);
    [&all[..3], &all[3..6], &all[6..]].join(separator)
}

/// RENAPO's instructive: letters of the names, birth, sex, state, a homonym letter, a check digit.
fn curp(rng: &mut Rng) -> String {
    const ALPHABET: &str = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ";
    let birth = Birth::between(rng, 1940, 1999);
    let consonants = "BCDFGHJKLMNPQRSTVWXYZ";
    let names = rng.text("CDGHLMPRSTV", 1) + &rng.text("AEIOU", 1) + &rng.text("DGHLMRSV", 2);
    let state = rng.pick(&["DF", "JC", "NL", "PL", "VZ", "MC"]);
    let sex = rng.pick(&["H", "M"]);
    let body = format!(
        "{names}{}{sex}{state}{}{}",
        birth.yymmdd(),
        rng.text(consonants, 3),
        rng.digits(1)
    );
    let sum: usize = body
        .chars()
        .enumerate()
        .map(|(at, letter)| ALPHABET.find(letter).unwrap_or(0) * (18 - at))
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// A check digit of mod 11 where 10 counts as 0.
fn brazilian(sum: u32) -> u32 {
    match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    }
}

fn cpf(rng: &mut Rng) -> String {
    let mut all = rng.digits(9);
    for start in [10, 11] {
        let weights: Vec<u32> = (2..=start).rev().collect();
        let digit = brazilian(check::weighed(&all, &weights));
        all += &digit.to_string();
    }
    if rng.one_in(3) {
        return all;
    }
    format!("{}.{}.{}-{}", &all[..3], &all[3..6], &all[6..9], &all[9..])
}

fn cnpj(rng: &mut Rng) -> String {
    let mut all = rng.digits(8) + "0001";
    for weights in
        [&[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2][..], &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]]
    {
        let digit = brazilian(check::weighed(&all, weights));
        all += &digit.to_string();
    }
    if rng.one_in(3) {
        return all;
    }
    format!("{}.{}.{}/{}-{}", &all[..2], &all[2..5], &all[5..8], &all[8..12], &all[12..])
}
