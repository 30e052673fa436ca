//! Precise places: latitude and longitude with four decimals (eleven metres) or more, as a pair
//! under a key that names it, or each under its own key near the other.

use super::super::detector::{Detector, Field, Find, Tier, Words};
use super::super::evidence::Candidate;
use super::super::mask;
use super::super::probe::Probe;
use super::super::text;
use super::value::{self, end_of};
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[Detector {
    tier: Tier::Weak,
    tags: &[Tag::Gdpr, Tag::UkGdpr, Tag::Ccpa],
    standard: "ISO 6709 in decimal degrees; precise geolocation of Cal. Civ. Code 1798.140(w)",
    example: r#"{"coordinates":[11.576124,48.137154]}"#,
    words: Words {
        key: &[
            "lat",
            "latitude",
            "lng",
            "lon",
            "long",
            "longitude",
            "latlng",
            "lat lng",
            "latlon",
            "lat lon",
            "lat long",
            "lonlat",
            "lng lat",
            "coord",
            "coords",
            "coordinate",
            "coordinates",
            "gps",
            "geo",
            "geolocation",
            "geo location",
            "geopoint",
            "geo point",
            "location",
            "position",
            "latitud",
            "longitud",
            "koordinaten",
            "standort",
            "breitengrad",
            "längengrad",
            "coordonnées",
            "coordenadas",
            "coordinate gps",
        ],
        near: &[],
        hostile: &["min", "max", "delta", "viewport", "bounds", "scroll"],
        doubtful: &[],
    },
    find: Find::Key(find),
    mask: mask::nothing,
    plain: mask::exact,
    ..Detector::new("GEO_COORDINATES", "Precise location")
}];

/// Decimals from which on a place is precise.
const DECIMALS_MIN: usize = 4;
/// What two such numbers under their keys are worth besides, in decibans.
const PAIR_DB: i16 = 12;
/// Bytes on each side of a latitude in which its longitude is looked for.
const OTHER_BYTES: usize = 96;
/// Bytes between a key and its number.
const OPENING_BYTES_MAX: usize = 8;

/// Where the decimal number ends that begins at `at`, of at most so many degrees, with enough
/// decimals.
fn degrees_end(text: &[u8], at: usize, degrees_max: u32) -> Option<usize> {
    let digits = at + usize::from(matches!(text::byte(text, at), b'-' | b'+'));
    let point = end_of(text, digits, 4, |b| b.is_ascii_digit());
    let whole = text::slice(text, digits, point);
    let degrees = whole.iter().fold(0, |value, digit| value * 10 + u32::from(digit & 0x0F));
    let end = end_of(text, point + 1, 20, |b| b.is_ascii_digit());
    let fits =
        (1..=3).contains(&whole.len()) && degrees < degrees_max && text::byte(text, point) == b'.';
    (fits && end - point > DECIMALS_MIN && !text::byte(text, end).is_ascii_alphanumeric())
        .then_some(end)
}

fn find(probe: &mut Probe<'_>, field: Field) -> Option<Candidate> {
    let text = probe.text;
    let (_, key) = probe.named_key(field.start)?;
    let key = text::slice(text, key.0, key.1);
    let end = degrees_end(text, field.start, 180)?;
    if let Some(end) = second_end(text, end) {
        return Some(Candidate::new(field.start, end, PAIR_DB));
    }
    let is_lat = value::holds_any(key, &["lat", "breit"]);
    let is_lon = value::holds_any(key, &["lon", "lng", "läng"]);
    let other: &[&str] = match (is_lat, is_lon) {
        (true, false) => &["lon", "lng", "läng"],
        (false, true) => &["lat", "breit"],
        _ => return None,
    };
    let around = value::around(text, field.start, end, OTHER_BYTES);
    has_degrees_after(around, other).then(|| Candidate::new(field.start, end, PAIR_DB))
}

/// Where the second number of a pair ends, after a comma, a semicolon or a blank.
fn second_end(text: &[u8], end: usize) -> Option<usize> {
    let gap = end_of(text, end, 3, |b| matches!(b, b',' | b';' | b' ' | b'+' | b'/' | b'\n'));
    let sign = text::byte_before(text, gap, 1) == b'+' && gap > end + 1;
    if gap == end {
        return None;
    }
    degrees_end(text, gap - usize::from(sign), 180)
}

/// Whether a precise number follows one of these keys.
fn has_degrees_after(text: &[u8], keys: &[&str]) -> bool {
    keys.iter().any(|key| {
        let mut at = 0;
        while let Some(place) = text.get(at..).and_then(|rest| {
            rest.windows(key.len()).position(|window| window.eq_ignore_ascii_case(key.as_bytes()))
        }) {
            at += place + key.len();
            let word = end_of(text, at, 12, |b| b.is_ascii_alphabetic());
            let number = end_of(text, word, OPENING_BYTES_MAX, |b| {
                !b.is_ascii_alphanumeric() && !matches!(b, b'-' | b'+')
            });
            if degrees_end(text, number, 180).is_some() {
                return true;
            }
        }
        false
    })
}
