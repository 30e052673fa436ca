//! Brazilian registrations of people and of firms, the alphanumeric one of firms included.

use super::super::checksum::{all_digits, one_repeated};
use super::super::detector::{Detector, Find, Tier, form, form_of};
use super::super::words;
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Lgpd],
        standard: "Instrução Normativa RFB 2172/2024: eleven digits, two check digits mod 11",
        chance: 0.0097,
        example: "CPF: 418.057.889-14",
        words: words::of(
            &["documento", "contribuinte"],
            &[
                "cpf",
                "cadastro de pessoas físicas",
                "cadastro de pessoas fisicas",
                "cadastro de pessoa física",
                "cadastro de pessoa fisica",
                "cpf cnpj",
                "brazilian taxpayer",
            ],
        ),
        find: Find::Forms(&[
            form("999.999.999-99"),
            form("999~999~999~99"),
            form_of("999999999-99", 0),
            form_of("99999999999", BARE_DB),
        ]),
        valid: Some(is_cpf),
        test_values: &["11144477735", "12345678909"],
        ..Detector::new("BR_CPF", "Brazilian registration of natural persons (CPF)")
    },
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Lgpd],
        standard: "Instrução Normativa RFB 2229/2024: twelve letters or digits, two check digits mod 11",
        chance: 0.0099,
        example: "CNPJ: 16.874.317/0001-97",
        words: words::of(
            &["documento", "empresa"],
            &[
                "cnpj",
                "cadastro nacional da pessoa jurídica",
                "cadastro nacional da pessoa juridica",
                "cpf cnpj",
                "razão social",
            ],
        ),
        find: Find::Any(&[
            Find::Forms(&[form("XX.XXX.XXX/XXXX-99"), form_of("99999999999999", BARE_DB)]),
            Find::Token { min: 14, max: 14, any_case: false },
        ]),
        valid: Some(is_cnpj),
        // The examples of the Receita Federal.
        test_values: &["11222333000181", "12ABC34501DE35"],
        ..Detector::new("BR_CNPJ", "Brazilian registration of legal persons (CNPJ)")
    },
];

/// What it costs to be nothing but digits: numbers of that length are frequent.
const BARE_DB: i16 = -10;

fn is_cpf(digits: &[u8]) -> bool {
    digits.len() == 11 && all_digits(digits) && !one_repeated(digits) && ends_checked(digits, 11)
}

fn is_cnpj(compact: &[u8]) -> bool {
    compact.len() == 14
        && compact.iter().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
        && compact.get(12..).is_some_and(all_digits)
        && !compact.starts_with(b"000000000000")
        && ends_checked(compact, 9)
}

/// Whether the last two characters are the check digits: weights from 2 to `weight_max` from the
/// right on, again and again; a letter counts as its place in ASCII behind `0`.
fn ends_checked(compact: &[u8], weight_max: u32) -> bool {
    let digit = |end: usize| {
        let body = compact.get(..end).unwrap_or_default().iter().rev();
        let weights = (2..=weight_max).cycle();
        let sum: u32 =
            body.zip(weights).map(|(b, weight)| u32::from(b.wrapping_sub(b'0')) * weight).sum();
        match sum % 11 {
            0 | 1 => b'0',
            rest => b'0' + u8::try_from(11 - rest).unwrap_or(0),
        }
    };
    let Some(body) = compact.len().checked_sub(2) else { return false };
    compact.get(body) == Some(&digit(body)) && compact.get(body + 1) == Some(&digit(body + 1))
}
