//! Numbers of things that go with a person: telephones, SIM cards and vehicles.

use super::super::checksum::{all_digits, luhn, one_repeated, value};
use super::super::detector::{Detector, Find, Tier, Words, form};
use super::super::{mask, words};
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[
    Detector {
        tags: &[Tag::Gdpr, Tag::Ccpa],
        standard: "3GPP TS 23.003 section 6.2 and annex B: type allocation, serial number, Luhn",
        chance: 0.10,
        example: "IMEI: 35-430634-524549-5",
        words: Words {
            key: &["device id", "meid"],
            near: &["imei", "imei number", "imei1", "imei2", "imeisv", "device imei"],
            hostile: HOSTILE,
            doubtful: words::MACHINE_NAMES,
        },
        find: Find::Forms(&[
            form("999999999999999"),
            form("99~999999~999999~9"),
            form("999999~99~999999~9"),
        ]),
        valid: Some(|digits| digits.len() == 15 && !one_repeated(digits) && luhn(digits)),
        test_values: &["490154203237518", "356938035643809"],
        plain: mask::digits,
        ..Detector::new("IMEI", "Mobile equipment identity (IMEI)")
    },
    Detector {
        tags: &[Tag::Gdpr, Tag::Ccpa],
        standard: "ITU-T E.118: 89, country, issuer, account, Luhn; 19 or 20 digits",
        chance: 0.10,
        example: "iccid=8949677131696285852",
        words: Words {
            key: &["sim", "sim id", "sim number"],
            near: &["iccid", "sim card", "simcard", "sim iccid", "icc id", "sim serial"],
            hostile: HOSTILE,
            doubtful: words::MACHINE_NAMES,
        },
        find: Find::Forms(&[form("'89'99999999999999999"), form("'89'999999999999999999")]),
        valid: Some(|digits| {
            matches!(digits.len(), 19 | 20) && digits.starts_with(b"89") && luhn(digits)
        }),
        plain: mask::digits,
        ..Detector::new("ICCID", "SIM card number (ICCID)")
    },
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Gdpr, Tag::Ccpa],
        standard: "ISO 3779 and 49 CFR 565: no I, O, Q; check digit in ninth place, year, four last digits",
        chance: 0.00025,
        example: "VIN: WVWPHRFFXVA541288",
        words: Words {
            key: &["vehicle", "chassis", "frame"],
            near: &[
                "vin",
                "vehicle identification",
                "vehicle identification number",
                "vehicle vin",
                "chassis number",
                "chassis no",
                "fahrgestellnummer",
                "fahrzeug identifizierungsnummer",
                "fin",
                "numéro de châssis",
                "número de bastidor",
                "numero di telaio",
                "carfax",
            ],
            hostile: HOSTILE,
            doubtful: words::MACHINE_NAMES,
        },
        find: Find::Token { min: 17, max: 17, any_case: false },
        valid: Some(is_vehicle),
        test_values: &["11111111111111111", "1M8GDM9AXKP042788", "1HGCM82633A004352"],
        ..Detector::new("VIN", "Vehicle identification number")
    },
];

/// Keys under which the number is something else.
const HOSTILE: &[&str] = &[
    "at",
    "checksum",
    "date",
    "datetime",
    "digest",
    "etag",
    "guid",
    "hash",
    "md5",
    "nonce",
    "sha",
    "sha1",
    "sha256",
    "snowflake",
    "span",
    "spanid",
    "time",
    "timestamp",
    "token",
    "trace",
    "traceid",
    "ts",
    "uuid",
    "version",
];

/// Weights of the places; the ninth is the check digit's.
const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];

fn is_vehicle(compact: &[u8]) -> bool {
    let sum =
        compact.iter().zip(WEIGHTS).map(|(byte, weight)| vehicle_value(*byte).map(|v| v * weight));
    let check = match compact.get(8) {
        Some(b'X') => Some(10),
        Some(byte) => value(*byte),
        None => None,
    };
    compact.len() == 17
        && !matches!(compact.get(9), Some(b'U' | b'Z' | b'0'))
        && compact.get(13..).is_some_and(all_digits)
        && sum.sum::<Option<u32>>().is_some_and(|sum| Some(sum % 11) == check)
}

/// What a character counts, 49 CFR 565.15 table III.
fn vehicle_value(byte: u8) -> Option<u32> {
    match byte {
        b'A'..=b'H' => Some(u32::from(byte - b'A') + 1),
        b'J'..=b'N' => Some(u32::from(byte - b'J') + 1),
        b'P' => Some(7),
        b'R' => Some(9),
        b'S'..=b'Z' => Some(u32::from(byte - b'S') + 2),
        _ => value(byte),
    }
}
