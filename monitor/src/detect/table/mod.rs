//! The built-in detectors: rows of data, a file for each country or kind. What a row means is
//! [`super::detector`]'s to say.

mod bank;
mod card;
mod crypto;
mod date;
mod email;
mod geo;
mod health;
mod iban;
mod mrz;
mod network;
mod password;
mod person;
mod phone;
mod ssn;
mod token;
mod track;
mod value;

use super::detector::Detector;

/// The rows by file, in the order in which they are listed.
const FILES: &[&[Detector]] = &[
    card::ROWS,
    track::ROWS,
    iban::ROWS,
    bank::ROWS,
    crypto::ROWS,
    email::ROWS,
    phone::ROWS,
    ssn::ROWS,
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
