//! Germany: tax, and the documents of persons and vehicles. Social and health insurance have a file
//! of their own.

use super::super::checksum::{all_digits, mod_11_10, number, two, value36};
use super::super::detector::{Detector, Find, Tier, bare, form, form_of};
use super::super::{mask, words};
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Gdpr],
        standard: "§ 139b AO, § 1 StIdV: one digit twice or three times, ISO/IEC 7064 MOD 11,10",
        chance: 0.0035,
        example: "Steuer-ID: 65 318 409 751",
        words: words::of(
            &["steuer", "tax", "tin", "idnr"],
            &[
                "steuer id", "steuerid", "steueridentifikationsnummer", "steuer idnr", "steuer identnummer",
                "steuer identifikationsnummer", "steueridnr", "tax id", "taxid", "german tax id",
                "steuerliche identifikationsnummer", "identifikationsnummer",
            ],
        ),
        find: Find::Forms(&[
            form("99~999~999~999"),
            bare("99999999999"),
            bare("99/999/999/999"),
        ]),
        valid: Some(is_tax_id),
        test_values: &["86095742719", "47036892816", "65929970489", "57549285017"],
        ..Detector::new("DE_TAX_ID", "German tax identification number (Steuer-ID)")
    },
    Detector {
        tags: &[Tag::Gdpr],
        standard: "ELSTER, Aufbau der Steuernummern: district, taxpayer and check digit, by state",
        example: "Steuernummer: 181/815/08155",
        words: words::of(
            &["stnr", "st nr", "steuer"],
            &[
                "steuernummer", "steuernr", "steuer nr", "steuer nummer", "finanzamt", "steuerbescheid",
                "tax number", "german tax number",
            ],
        ),
        find: Find::Forms(&[
            form("999/999/99999"),
            form("999/9999/9999"),
            form("99/999/99999"),
            form("99/9999/9999"),
            form("99~999~99999"),
            form("999~999~99999"),
            form_of("9999999999999", 10),
        ]),
        valid: Some(is_tax_number),
        ..Detector::new("DE_TAX_NUMBER", "German tax number (Steuernummer)")
    },
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Gdpr],
        standard: "§ 27a UStG: DE and nine digits, ISO/IEC 7064 MOD 11,10",
        chance: 0.09,
        example: "USt-IdNr.: DE293847560",
        words: words::of(
            &["vat", "ust", "mwst"],
            &[
                "ust idnr", "u st id nr", "u st id", "u st idnr", "ust id", "ust id nr", "ustid", "ustidnr",
                "umsatzsteuer id", "umsatzsteueridentifikationsnummer", "vat id", "vat number", "vat no",
                "umsatzsteuer identifikationsnummer", "vatin",
            ],
        ),
        find: Find::Forms(&[
            form("'DE'~?999~?999~?999"),
            bare("'de'~?999~?999~?999"),
        ]),
        valid: Some(|compact| {
            let digits = compact.strip_prefix(b"DE").unwrap_or(compact);
            digits.len() == 9 && digits.first() != Some(&b'0') && mod_11_10(digits)
        }),
        ..Detector::new("DE_VAT_ID", "German VAT identification number (USt-IdNr.)")
    },
    Detector {
        tags: &[Tag::Gdpr],
        standard: "PAuswV Anlage 3, ICAO 9303 part 3: serial without vowels, check digit 7-3-1 after it",
        chance: 0.029,
        example: "Personalausweis: L8FK3Y2P7",
        words: words::of(
            &["ausweis"],
            &[
                "personalausweis", "personalausweisnummer", "ausweisnummer", "ausweis nr", "ausweisnr",
                "perso", "german id card", "identity card", "id card", "ausweisdokument",
            ],
        ),
        find: Find::Token { min: 9, max: 10, any_case: true },
        valid: Some(|compact| is_document(compact, b"LMNPRTVWXY")),
        test_values: &["L01X00T47", "L01X00T471", "LZ6311T47", "LZ6311T475", "T22000129"],
        ..Detector::new("DE_ID_CARD", "German identity card number (Personalausweis)")
    },
    Detector {
        tags: &[Tag::Gdpr],
        standard: "PassV Anlage 1, ICAO 9303 part 3: serial without vowels, check digit 7-3-1 after it",
        chance: 0.018,
        example: "Reisepass: C4VJ7K1M9",
        words: words::of(
            &["pass"],
            &[
                "reisepass", "reisepassnummer", "passnummer", "passnr", "pass nr", "pass nummer",
                "german passport", "reisepass nr",
            ],
        ),
        find: Find::Token { min: 9, max: 10, any_case: true },
        valid: Some(|compact| is_document(compact, b"CFGHJK")),
        test_values: &["C01X00T47", "C01X00T478"],
        ..Detector::new("DE_PASSPORT", "German passport number (Reisepass)")
    },
    Detector {
        tags: &[Tag::Gdpr],
        standard: "FeV Anlage 8: authority, number, check digit and issue; the check is not published",
        chance: 0.016,
        example: "Führerschein: J29130KTZ61",
        words: words::of(
            &["licence", "license"],
            &[
                "führerschein", "fuehrerschein", "führerscheinnummer", "fuehrerscheinnummer",
                "führerscheinnr", "fahrerlaubnis", "fahrerlaubnisnummer", "driving licence",
                "driving license", "driver s license",
            ],
        ),
        find: Find::Token { min: 11, max: 11, any_case: false },
        valid: Some(is_licence),
        ..Detector::new("DE_FUEHRERSCHEIN", "German driving licence number (Führerschein)")
    },
    Detector {
        tier: Tier::Structured,
        tags: &[Tag::Gdpr],
        standard: "HRV § 13: department A or B of the register, and a number",
        example: "Handelsregister: HRB 48291",
        words: words::of(
            &["hrb", "hra"],
            &[
                "handelsregister", "handelsregisternummer", "registergericht", "amtsgericht",
                "commercial register", "registernummer", "eingetragen im", "hr nummer",
            ],
        ),
        find: Find::Forms(&[
            form_of("'HRA '999?9?9?9?", 25),
            form_of("'HRB '999?9?9?9?", 25),
            form_of("'HRA'9999?9?9?", 15),
            form_of("'HRB'9999?9?9?", 15),
            bare("'hra' ?999?9?9?9?"),
            bare("'hrb' ?999?9?9?9?"),
        ]),
        ..Detector::new("DE_HANDELSREGISTER", "German commercial register number (Handelsregister)")
    },
    Detector {
        tags: &[Tag::Gdpr],
        standard: "Deutsche Post: five digits from 01001 to 99998",
        example: "PLZ: 80331",
        words: words::of(
            &["zip", "postal"],
            &["plz", "postleitzahl", "postleitzahlen", "zip code", "postal code", "post code", "postcode"],
        ),
        find: Find::Forms(&[form_of("99999", 10)]),
        valid: Some(|compact| number(compact).is_some_and(|code| (1001..=99_998).contains(&code))),
        mask: mask::nothing,
        only_by_name: true,
        ..Detector::new("DE_PLZ", "German postcode (PLZ)")
    },
    Detector {
        tags: &[Tag::Gdpr],
        standard: "FZV § 9 and Anlage 1: district, one or two letters, up to four digits, E or H",
        chance: 0.9,
        example: "Kennzeichen: HH-KX 482",
        words: words::of(
            &["kfz", "plate"],
            &[
                "kennzeichen", "kfz kennzeichen", "nummernschild", "amtliches kennzeichen",
                "autokennzeichen", "fahrzeugkennzeichen", "license plate", "licence plate",
            ],
        ),
        find: Find::Forms(&[
            form("aa?~a~99?9?9?a?"),
            form("aa?~aa~99?9?9?a?"),
            form("aaa~aa?~99?9?9?a?"),
            form("aa?'-'aa? 99?9?9?a?"),
            form("aaa'-'aa? 99?9?9?a?"),
        ]),
        valid: Some(is_plate),
        only_by_name: true,
        ..Detector::new("DE_KFZ", "German licence plate (Kfz-Kennzeichen)")
    },
];

/// Of the first ten digits one stands twice or three times, all others once.
fn is_tax_id(compact: &[u8]) -> bool {
    let count = |digit: u8| compact.iter().take(10).filter(|b| **b == digit).count();
    let mut more = (b'0'..=b'9').map(count).filter(|count| *count > 1);
    let repeats = matches!((more.next(), more.next()), (Some(2 | 3), None));
    compact.len() == 11 && compact.first() != Some(&b'0') && repeats && mod_11_10(compact)
}

/// Nationwide with 13 digits, as tax offices and as ELSTER begin them; a state's own has 10 or 11.
fn is_tax_number(compact: &[u8]) -> bool {
    let state = two(compact, 0);
    let is_state = match compact.len() {
        10 | 11 => Some(true),
        13 => state.map(|state| {
            let elster = matches!(state, 21..=24 | 26..=28 | 30..=32 | 40 | 41 | 50..=59 | 90..=99);
            matches!(state, 1..=16) || elster && compact.get(4) == Some(&b'0')
        }),
        _ => None,
    };
    all_digits(compact) && is_state == Some(true)
}

/// Characters of a serial: no vowels, and none that look like others.
const SERIAL: &[u8] = b"0123456789CFGHJKLMNPRTVWXYZ";

/// A serial of nine characters that an authority with one of these letters gave out, the same with
/// its check digit, or one whose last character is a check digit. A letter and eight digits are too
/// plain without one, but for the old `T` of identity cards.
fn is_document(compact: &[u8], authorities: &[u8]) -> bool {
    let Some((first, rest)) = compact.split_first() else { return false };
    let known = authorities.contains(first) && (*first == b'T' || !all_digits(rest));
    first.is_ascii_uppercase()
        && compact.iter().all(|b| SERIAL.contains(b))
        && match compact.len() {
            9 => known || is_checked(compact),
            10 => authorities.contains(first) && is_checked(compact),
            _ => false,
        }
}

/// Weights 7, 3 and 1, modulo 10.
fn is_checked(compact: &[u8]) -> bool {
    let Some((last, body)) = compact.split_last() else { return false };
    let weighted = body.iter().zip([7, 3, 1].iter().cycle());
    let sum = weighted.map(|(byte, weight)| value36(*byte).unwrap_or(0) * weight).sum::<u32>();
    last.is_ascii_digit() && value36(*last) == Some(sum % 10)
}

/// Two letters, eight digits and a character; or a letter, two digits, six characters, check digit
/// and number of the issue.
fn is_licence(compact: &[u8]) -> bool {
    let Ok([head @ .., check, _]) = <&[u8; 11]>::try_from(compact) else { return false };
    let Some((authority, serial)) = head.split_at_checked(3) else { return false };
    match authority {
        [b'A'..=b'Z', b'A'..=b'Z', third] => {
            all_digits(serial) && third.is_ascii_digit() && check.is_ascii_digit()
        }
        [b'A'..=b'Z', second, third] => {
            second.is_ascii_digit() && third.is_ascii_digit() && check.is_ascii_digit()
        }
        _ => false,
    }
}

fn is_plate(compact: &[u8]) -> bool {
    let digits = compact.iter().skip_while(|b| b.is_ascii_uppercase());
    let mut rest = digits.skip_while(|b| b.is_ascii_digit());
    let first = compact.iter().find(|b| b.is_ascii_digit());
    first != Some(&b'0') && matches!((rest.next(), rest.next()), (None | Some(b'E' | b'H'), None))
}
