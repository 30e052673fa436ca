//! Papers, plates, numbers of companies, and what else is only of interest where it is asked for.

use super::super::{Rng, check};
use super::{Birth, Maker, complement, maker, until};

pub(super) const MAKERS: &[Maker] = &[
    maker("DATE_TIME", &["created at", "date", "valid until"], |rng| {
        let Birth { year, month, day } = Birth::between(rng, 1990, 2026);
        format!("{year}-{month:02}-{day:02}")
    }),
    maker("URL", &["url", "homepage", "website"], |rng| {
        format!("https://shop.northwindmail.net/orders/{}", rng.text("abcdefghkmnp", 8))
    }),
    maker("DE_BSNR", &["bsnr", "betriebsstaettennummer"], |rng| {
        let area = rng.pick(&["71", "72", "02", "38", "52"]);
        format!("{area}{}", rng.shape("Dddd\\00d"))
    }),
    maker("DE_LANR", &["lanr", "lebenslange arztnummer", "arztnummer"], lanr),
    maker("DE_FUEHRERSCHEIN", &["fuehrerschein", "fuehrerscheinnummer"], |rng| {
        rng.shape("AAddddddddX")
    }),
    maker("DE_HANDELSREGISTER", &["handelsregister", "handelsregisternummer"], |rng| {
        let section = rng.pick(&["HRA", "HRB"]);
        format!("{section} {}", rng.shape("Ddddd"))
    }),
    maker("DE_KFZ", &["kennzeichen", "kfz kennzeichen", "amtliches kennzeichen"], |rng| {
        let place = rng.pick(&["B", "M", "HH", "KA", "S"]);
        format!("{place}-{} {}", rng.shape("AA"), rng.shape("Dddd"))
    }),
    maker("DE_PLZ", &["plz", "postleitzahl"], |rng| {
        rng.pick(&["10115", "22085", "80331", "50667", "70173", "04109"]).to_owned()
    }),
    maker("DE_TAX_NUMBER", &["steuernummer", "st nr"], |rng| {
        let office = rng.pick(&["21", "181", "93", "133"]);
        format!("{office}/8{}/{}", rng.digits(2), rng.digits(5 - (office.len() - 2)))
    }),
    maker("DE_VAT_ID", &["ust id", "umsatzsteuer id", "vat id"], |rng| {
        let body = rng.shape("Dddddddd");
        format!("DE{body}{}", check::mod_11_10(&body))
    }),
    maker("ES_PASSPORT", &["pasaporte", "numero de pasaporte"], |rng| rng.shape("AAAdddddd")),
    maker("IT_DRIVER_LICENSE", &["patente", "patente di guida"], |rng| rng.shape("AAdddddddA")),
    maker("IT_IDENTITY_CARD", &["carta di identita", "carta identita"], |rng| {
        rng.shape("CAdddddAA")
    }),
    maker("IT_PASSPORT", &["passaporto", "numero passaporto"], |rng| rng.shape("YAddddddd")),
    maker("IT_VAT_CODE", &["partita iva", "p iva"], |rng| {
        let body = format!("{}{:03}", rng.shape("Ddddddd"), rng.within(1, 100));
        format!("{body}{}", check::luhn(&body))
    }),
    maker("SE_ORGANISATIONSNUMMER", &["organisationsnummer", "org nummer"], |rng| {
        let body = format!("55{}{}", rng.text("23456789", 1), rng.digits(6));
        format!("{}-{}{}", &body[..6], &body[6..], check::luhn(&body))
    }),
    maker("TR_LICENSE_PLATE", &["plaka", "arac plakasi"], |rng| {
        let province = rng.pick(&["34", "06", "35", "16"]);
        format!("{province} {} {}", rng.text("ABCDEFGHJKLMNPRSTUVYZ", 2), rng.shape("Ddd"))
    }),
    maker("TR_PHONE_NUMBER", &["telefon", "cep telefonu", "telefon numarasi"], |rng| {
        rng.shape("\\0532 Ddd dd dd")
    }),
    maker("UK_POSTCODE", &["postcode", "post code"], |rng| {
        let area = rng.pick(&["M1", "EC2", "SW4", "LS6", "BN1"]);
        format!("{area} {}{}", rng.digits(1), rng.text("ABDEFGHJLNPQRSTUWXYZ", 2))
    }),
    maker("UK_VEHICLE_REGISTRATION", &["vehicle registration", "number plate"], |rng| {
        let age = rng.pick(&["12", "19", "64", "71", "23"]);
        format!(
            "{}{age} {}",
            rng.pick(&["AB", "LD", "KX", "YE"]),
            rng.text("ABCDEFGHJKLMNOPRSTUVWXYZ", 3)
        )
    }),
    maker("IN_PASSPORT", &["passport number", "indian passport"], |rng| {
        rng.text("ABCDEFGHJKLMNPRSTUVWY", 1) + &rng.shape("DdddddD")
    }),
    maker("IN_VEHICLE_REGISTRATION", &["vehicle registration", "rc number"], |rng| {
        let state = rng.pick(&["KA", "MH", "DL", "TN"]);
        format!("{state}{:02}{}{}", rng.within(1, 14), rng.shape("AA"), rng.shape("Dddd"))
    }),
    maker("IN_VOTER", &["voter id", "epic number"], |rng| {
        let body = rng.shape("Dddddd");
        format!("{}{body}{}", rng.shape("AAA"), check::luhn(&body))
    }),
    maker("ID_NIK", &["nik", "nomor induk kependudukan"], |rng| {
        let birth = Birth::new(rng);
        format!("317101{}{:04}", birth.ddmmyy(), rng.within(1, 9_999))
    }),
    maker("MY_NRIC", &["mykad", "nric no", "kad pengenalan"], |rng| {
        let birth = Birth::new(rng);
        format!("{}-{:02}-{}", birth.yymmdd(), rng.within(1, 14), rng.digits(4))
    }),
    maker("KR_BRN", &["business registration number", "saeopja"], brn),
    maker("KR_DRIVER_LICENSE", &["driver license", "driver license number"], |rng| {
        let region = rng.within(11, 26);
        format!("{region}-{}", rng.shape("dd-dddddd-dd"))
    }),
    maker("KR_FRN", &["foreigner registration number", "alien registration number"], frn),
    maker("KR_PASSPORT", &["korean passport", "passport number"], |rng| rng.shape("Mdddddddd")),
    maker("MX_RFC", &["rfc", "rfc cliente"], rfc),
    maker("NG_NIN", &["nin", "national identification number"], |rng| {
        let body = rng.shape("Ddddddddd") + &rng.digits(1);
        format!("{body}{}", check::verhoeff(&body))
    }),
    maker("NG_VEHICLE_REGISTRATION", &["plate number", "vehicle registration"], |rng| {
        let area = rng.pick(&["ABJ", "KJA", "LSR", "EKY"]);
        format!("{area}-{}{}", rng.shape("Ddd"), rng.text("ABCDEFGHJKLMNPRSTUVWXY", 2))
    }),
    maker("NZ_IRD", &["ird number", "ird"], ird),
    maker("PH_MOBILE_NUMBER", &["mobile number", "cellphone", "mobile"], |rng| {
        rng.shape("\\0917 ddd dddd")
    }),
    maker("PH_TIN", &["tin", "taxpayer identification number"], |rng| {
        rng.shape("Ddd-ddd-ddd-\\0\\0\\0")
    }),
    maker("SG_UEN", &["uen", "unique entity number"], |rng| {
        let body = rng.shape("53ddddDd");
        let sum = check::weighed(&body, &[10, 4, 9, 3, 8, 2, 7, 1]);
        format!("{body}{}", char::from(b"XMKECAWLJDB"[(sum % 11) as usize]))
    }),
];

/// The seventh digit checks the six before it; the last two are the field.
fn lanr(rng: &mut Rng) -> String {
    let body = rng.shape("Dddddd");
    let digit = complement(check::weighed(&body, &[4, 9, 4, 9, 4, 9]), 10).unwrap_or('0');
    format!("{body}{digit}{:02}", rng.within(1, 68))
}

/// The ninth digit, times five, counts with both digits of the product.
fn brn(rng: &mut Rng) -> String {
    let body = rng.shape("Ddd1dDdddd")[..9].to_owned();
    let last = check::digits(&body).last().unwrap_or(0);
    let sum = check::weighed(&body, &[1, 3, 7, 1, 3, 7, 1, 3, 5]) + last * 5 / 10;
    let all = format!("{body}{}", (10 - sum % 10) % 10);
    format!("{}-{}-{}", &all[..3], &all[3..5], &all[5..])
}

/// As that of residents, with two more, and the seventh digit 5 to 8.
fn frn(rng: &mut Rng) -> String {
    let birth = Birth::new(rng);
    let sex = rng.within(5, 6) + if birth.year >= 2000 { 2 } else { 0 };
    let body = format!("{}{sex}{}", birth.yymmdd(), rng.digits(5));
    let sum = check::weighed(&body, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
    format!("{}-{}{}", &body[..6], &body[6..], (13 - sum % 11) % 10)
}

/// SAT's instructive: letters, date, two characters that tell namesakes apart, a check character.
fn rfc(rng: &mut Rng) -> String {
    const ALPHABET: &str = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ ";
    let names = rng.text("CDGHLMPRSTV", 1) + &rng.text("AEIOU", 1) + &rng.text("DGHLMRSV", 2);
    let body =
        format!("{names}{}{}", Birth::new(rng).yymmdd(), rng.text("ABCDEFGHIJK123456789", 2));
    let sum: usize = body
        .chars()
        .enumerate()
        .map(|(at, letter)| ALPHABET.find(letter).unwrap_or(0) * (13 - at))
        .sum();
    let check = match 11 - sum % 11 {
        11 => '0',
        10 => 'A',
        digit => check::digit(digit as u32),
    };
    format!("{body}{check}")
}

/// A second round of weights where the first leaves 10.
fn ird(rng: &mut Rng) -> String {
    let all = until(rng, |rng| {
        let body = format!("0{}{}", rng.within(1, 9), rng.digits(6));
        let body = if rng.one_in(2) { format!("1{}", &body[1..]) } else { body };
        let digit = complement(check::weighed(&body, &[3, 2, 7, 6, 5, 4, 3, 2]), 11)
            .or_else(|| complement(check::weighed(&body, &[7, 4, 3, 2, 5, 2, 7, 6]), 11))?;
        let number: u64 = format!("{body}{digit}").parse().ok()?;
        (10_000_000..150_000_000).contains(&number).then(|| format!("{number:09}"))
    });
    let all = all.trim_start_matches('0').to_owned();
    let (first, rest) = all.split_at(all.len() - 6);
    format!("{first}-{}-{}", &rest[..3], &rest[3..])
}
