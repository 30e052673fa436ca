//! Switzerland: the number of the old-age and survivors' insurance.

use super::super::checksum::weighted;
use super::super::detector::{Detector, Find, Tier, form, form_of};
use super::super::words;
use crate::model::Tag;

#[rustfmt::skip]
pub(super) const ROWS: &[Detector] = &[Detector {
    tier: Tier::Strong,
    tags: &[Tag::Fadp],
    standard: "AHVG Art. 50c: country code 756 of ISO 3166-1 and check digit of GS1 (EAN-13)",
    chance: 1e-4,
    example: "AHV-Nummer: 756.4123.7893.49",
    words: words::of(
        &["svnr"],
        &[
            "ahv", "avs", "ahv nummer", "ahv nr", "ahvnummer", "ahvn13", "navs13", "navs", "numero avs",
            "numéro avs", "no avs", "n avs", "numero d avs", "numéro d avs", "numero ahv", "oasi",
            "sozialversicherungsnummer", "swiss social security", "versichertennummer",
        ],
    ),
    find: Find::Forms(&[
        form("'756'~9999~9999~99"),
        form_of("'756'9999999999", BARE_DB),
    ]),
    valid: Some(is_ahv),
    test_values: &["7569217076985"],
    ..Detector::new("CH_AHV", "Swiss social security number (AHV, AVS)")
}];

/// What thirteen digits without anything between them cost: they may be on a product.
const BARE_DB: i16 = -10;

fn is_ahv(compact: &[u8]) -> bool {
    let sum = weighted(compact, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]);
    compact.starts_with(b"756") && sum.is_some_and(|sum| sum.is_multiple_of(10))
}
