//! Mexican population and taxpayer keys. The short form of the taxpayer key, without its last three
//! characters, is not looked for: it is a few letters and any date.

use super::super::checksum::{is_date, two, value};
use super::super::detector::{Detector, Find, Tier, form};
use super::super::words;
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Lfpdppp],
        standard: "RENAPO, Instructivo Normativo para la Asignación de la CURP (DOF 18/10/2021)",
        chance: 0.000012,
        example: "CURP: LOHM670501MJCRRN88",
        words: words::of(
            &["clave"],
            &[
                "curp",
                "clave única",
                "clave unica",
                "registro de población",
                "registro de poblacion",
            ],
        ),
        find: Find::Forms(&[form("aaaa999999aaaaaax9")]),
        valid: Some(is_curp),
        test_values: &["BOXW310820HNERXN09", "HEGG560427MVZRRL04"],
        ..Detector::new("MX_CURP", "Mexican population registry key (CURP)")
    },
    Detector {
        tier: Tier::Strong,
        tags: &[Tag::Lfpdppp],
        standard: "SAT, Código Fiscal de la Federación article 27: letters, date, homoclave, check mod 11",
        chance: 0.0010,
        example: "RFC: GAPR690625AB6",
        words: words::of(
            &[],
            &["rfc", "registro federal de contribuyentes", "contribuyente", "contribuyentes"],
        ),
        find: Find::Forms(&[form("AAAA999999XXX"), form("AAA999999XXX")]),
        valid: Some(is_rfc),
        ..Detector::new("MX_RFC", "Mexican taxpayer registry key (RFC)")
    },
];

/// Letters in which the first four of a name are replaced, because they make a word.
#[rustfmt::skip]
const WORDS_AVOIDED: [&[u8; 4]; 81] = [
    b"BACA", b"BAKA", b"BUEI", b"BUEY", b"CACA", b"CACO", b"CAGA", b"CAGO", b"CAKA", b"CAKO",
    b"COGE", b"COGI", b"COJA", b"COJE", b"COJI", b"COJO", b"COLA", b"CULO", b"FALO", b"FETO",
    b"GETA", b"GUEI", b"GUEY", b"JETA", b"JOTO", b"KACA", b"KACO", b"KAGA", b"KAGO", b"KAKA",
    b"KAKO", b"KOGE", b"KOGI", b"KOJA", b"KOJE", b"KOJI", b"KOJO", b"KOLA", b"KULO", b"LILO",
    b"LOCA", b"LOCO", b"LOKA", b"LOKO", b"MAME", b"MAMO", b"MEAR", b"MEAS", b"MEON", b"MIAR",
    b"MION", b"MOCO", b"MOKO", b"MULA", b"MULO", b"NACA", b"NACO", b"PEDA", b"PEDO", b"PENE",
    b"PIPI", b"PITO", b"POPO", b"PUTA", b"PUTO", b"QULO", b"RATA", b"ROBA", b"ROBE", b"ROBO",
    b"RUIN", b"SENO", b"TETA", b"VACA", b"VAGA", b"VAGO", b"VAKA", b"VUEI", b"VUEY", b"WUEI",
    b"WUEY",
];

/// Federal entities, born abroad included.
const ENTITIES: &[u8] = b"ASBCBSCCCHCLCMCSDFDGGRGTHGJCMCMNMSNENLNTOCPLQRQTSLSPSRTCTLTSVZYNZS";

fn is_curp(compact: &[u8]) -> bool {
    let Some((name, rest)) = compact.split_first_chunk::<4>() else { return false };
    let entity = rest.get(7..9).unwrap_or_default();
    // A digit as the last but one says born before 2000.
    let century = match compact.get(16) {
        Some(b'0'..=b'9') => 1900,
        Some(b'A'..=b'Z') => 2000,
        _ => return false,
    };
    let letters = rest.get(6..12).unwrap_or_default();
    compact.len() == 18
        && name.iter().chain(letters).all(u8::is_ascii_uppercase)
        && !WORDS_AVOIDED.contains(&name)
        && has_date(rest, century)
        && matches!(rest.get(6), Some(b'H' | b'M'))
        && ENTITIES.chunks(2).any(|known| known == entity)
        && has_curp_check(compact)
}

/// Whether a date, as year, month and day of two digits each, stands at the start.
fn has_date(text: &[u8], century: u32) -> bool {
    match (two(text, 0), two(text, 2), two(text, 4)) {
        (Some(year), Some(month), Some(day)) => is_date(century + year, month, day),
        _ => false,
    }
}

/// The place of a character in `0…9A…N&O…Z`: the place of a letter behind N, with Ñ counted, is one
/// higher than in ASCII.
fn place(byte: u8) -> Option<u32> {
    match byte {
        b'0'..=b'9' => value(byte),
        b'A'..=b'N' => Some(u32::from(byte - b'A') + 10),
        b'&' => Some(24),
        b'O'..=b'Z' => Some(u32::from(byte - b'O') + 25),
        b' ' => Some(37),
        _ => None,
    }
}

fn has_curp_check(compact: &[u8]) -> bool {
    let Some((check, body)) = compact.split_last() else { return false };
    let sum = body
        .iter()
        .zip((2..=18).rev())
        .try_fold(0, |sum, (byte, weight)| Some(sum + place(*byte)? * weight));
    sum.is_some_and(|sum| Some((10 - sum % 10) % 10) == value(*check))
}

fn is_rfc(compact: &[u8]) -> bool {
    let letters = match compact.len() {
        12 => 3,
        13 => 4,
        _ => return false,
    };
    let Some((name, rest)) = compact.split_at_checked(letters) else { return false };
    let avoided = name.first_chunk::<4>().is_some_and(|name| WORDS_AVOIDED.contains(&name));
    name.iter().all(u8::is_ascii_uppercase)
        && !avoided
        && has_date(rest, 2000)
        && has_rfc_check(compact)
}

/// The check of the SAT: a firm's key counts as one with a blank before it.
fn has_rfc_check(compact: &[u8]) -> bool {
    let Some((check, body)) = compact.split_last() else { return false };
    let blank = (body.len() == 11).then_some(b' ');
    let all = blank.into_iter().chain(body.iter().copied()).zip((2..=13).rev());
    let sum =
        all.map(|(byte, weight)| place(byte).map(|place| place * weight)).sum::<Option<u32>>();
    let wanted = sum.map(|sum| match (11 - sum % 11) % 11 {
        10 => b'A',
        digit => b'0' + u8::try_from(digit).unwrap_or(0),
    });
    wanted == Some(*check)
}
