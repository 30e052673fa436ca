//! The built-in detectors: rows of data, a file for each country or kind. What a row means is
//! [`super::detector`]'s to say.

mod africa;
mod at;
mod australia;
mod baltic;
mod bank;
mod be;
mod bg;
mod brazil;
mod canada;
pub(super) mod card;
mod ch;
mod china;
mod crypto;
mod cz;
mod date;
mod de;
mod de_health;
mod device;
mod dk;
mod email;
mod es;
mod fi;
mod fr;
mod geo;
mod gr;
mod health;
mod hr;
pub(super) mod iban;
mod ie;
mod india;
mod it;
mod japan;
mod korea;
mod mexico;
mod mrz;
mod network;
mod nl;
mod no;
mod password;
mod person;
mod phone;
mod pl;
mod pt;
mod ro;
mod se;
mod singapore;
mod southeast_asia;
mod ssn;
mod token;
mod tr;
mod track;
mod uk;
mod us;
mod value;

use super::detector::Detector;

/// The rows by file, in the order in which they are listed.
const FILES: &[&[Detector]] = &[
    card::ROWS,
    iban::ROWS,
    email::ROWS,
    phone::ROWS,
    ssn::ROWS,
    fr::ROWS,
    it::ROWS,
    fi::ROWS,
    se::ROWS,
    no::ROWS,
    dk::ROWS,
    baltic::ROWS,
    be::ROWS,
    nl::ROWS,
    ch::ROWS,
    at::ROWS,
    de::ROWS,
    de_health::ROWS,
    es::ROWS,
    pt::ROWS,
    gr::ROWS,
    ro::ROWS,
    bg::ROWS,
    hr::ROWS,
    pl::ROWS,
    cz::ROWS,
    uk::ROWS,
    ie::ROWS,
    tr::ROWS,
    us::ROWS,
    canada::ROWS,
    brazil::ROWS,
    mexico::ROWS,
    india::ROWS,
    china::ROWS,
    korea::ROWS,
    japan::ROWS,
    singapore::ROWS,
    southeast_asia::ROWS,
    australia::ROWS,
    africa::ROWS,
    device::ROWS,
    track::ROWS,
    bank::ROWS,
    crypto::ROWS,
    mrz::ROWS,
    person::ROWS,
    date::ROWS,
    geo::ROWS,
    health::ROWS,
    network::ROWS,
    token::ROWS,
    password::ROWS,
];

/// How many there are.
pub(super) const COUNT: usize = {
    let (mut count, mut file) = (0, 0);
    while file < FILES.len() {
        count += FILES[file].len();
        file += 1;
    }
    count
};

/// The entity whose detector needs [`load`].
pub(super) const LOADED: &str = "PHONE_NUMBER";

/// Loads what detectors need that stands in tables of a library.
pub(super) fn load() {
    phone::load();
}

/// All of them.
pub(super) static DETECTORS: [Detector; COUNT] = {
    let mut all = [Detector::new("", ""); COUNT];
    let (mut at, mut file) = (0, 0);
    while file < FILES.len() {
        let mut row = 0;
        while row < FILES[file].len() {
            all[at] = FILES[file][row];
            at += 1;
            row += 1;
        }
        file += 1;
    }
    all
};

#[cfg(test)]
pub(in crate::detect) use {card::tests as card_tests, iban::tests as iban_tests};
