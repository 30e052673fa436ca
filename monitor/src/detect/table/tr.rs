//! Turkey: the national identity number, telephone numbers as they are dialled there, and plates.

use super::super::checksum::{all_digits, two, value, weighted};
use super::super::detector::{Detector, Find, Tier, bare, form, form_of};
use super::super::{mask, words};
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Kvkk],
        standard: "5490 sayılı Nüfus Hizmetleri Kanunu: eleven digits, two check digits modulo 10",
        chance: 0.009,
        example: "TC kimlik no: 48291307644",
        words: words::of(
            &["tc", "kimlik"],
            &[
                "tckn", "tc kimlik", "t c kimlik", "tc kimlik no", "kimlik no", "kimlik numarasi",
                "kimlik numarası", "turkish id", "turkish national id", "türkiye cumhuriyeti kimlik",
            ],
        ),
        find: Find::Forms(&[bare("99999999999"), bare("999 999 999 99")]),
        valid: Some(is_tckn),
        test_values: &["10000000146", "11111111110"],
        ..Detector::new("TR_NATIONAL_ID", "Turkish national identity number (TCKN)")
    },
    Detector {
        tags: &[Tag::Kvkk],
        standard: "BTK national numbering plan: area or operator code from 2 to 5 and seven digits",
        chance: 0.4,
        example: "cep telefonu: 0532 482 91 30",
        words: words::of(
            &["cep numarası", "cep numarasi"],
            &[
                "cep", "cep no", "cep telefonu", "cep tel", "telefon numarası", "telefon numarasi",
                "telefonu", "gsm no", "gsm numarası", "turkish phone",
            ],
        ),
        find: Find::Forms(&[
            form_of("'+90'~?999~?999~?99~?99", 20),
            form_of("0~?999~?999~?99~?99", 18),
            form_of("999~999~99~99", 15),
            form_of("9999999999", 10),
        ]),
        valid: Some(is_phone),
        mask: mask_phone,
        ..Detector::new("TR_PHONE_NUMBER", "Turkish telephone number")
    },
    Detector {
        tags: &[Tag::Kvkk],
        standard: "Karayolları Trafik Yönetmeliği: province from 01 to 81, letters, digits",
        chance: 0.81,
        example: "plaka: 34 ABC 482",
        words: words::of(
            &["plate"],
            &["plaka", "plakası", "plakasi", "araç plakası", "arac plakasi", "license plate", "number plate"],
        ),
        find: Find::Forms(&[
            form("99~?a~?999?9?9?"),
            form("99~?aa~?999?9?9?"),
            form("99~?aaa~?999?9?9?"),
        ]),
        valid: Some(|compact| two(compact, 0).is_some_and(|province| matches!(province, 1..=81))),
        only_by_name: true,
        ..Detector::new("TR_LICENSE_PLATE", "Turkish licence plate")
    },
];

fn is_tckn(compact: &[u8]) -> bool {
    let check = || {
        let (checks, body) = (compact.get(9..)?, compact.get(..9)?);
        // Three times the odd places and the even ones, up to the next ten.
        let sum = weighted(body, &[3, 1, 3, 1, 3, 1, 3, 1, 3])?;
        let tenth = (10 - sum % 10) % 10;
        let eleventh = (tenth + weighted(body, &[1; 9])?) % 10;
        let [first, second] = checks else { return None };
        Some(value(*first)? == tenth && value(*second)? == eleventh)
    };
    compact.first() != Some(&b'0') && check() == Some(true)
}

fn is_phone(compact: &[u8]) -> bool {
    let national = match compact.len() {
        12 => compact.strip_prefix(b"90"),
        11 => compact.strip_prefix(b"0"),
        10 => Some(compact),
        _ => None,
    };
    national.is_some_and(|digits| all_digits(digits) && matches!(digits.first(), Some(b'2'..=b'5')))
}

/// The last two digits.
fn mask_phone(value: &[u8]) -> String {
    let count = mask::count(value, mask::digit);
    mask::strike(value, mask::digit, |n| n + 2 >= count)
}
