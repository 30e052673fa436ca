//! The built-in detectors: rows of data, a file for each country or kind. What a row means is
//! [`super::detector`]'s to say.

mod card;
mod email;
mod iban;
mod phone;
mod ssn;

use super::detector::Detector;

/// The rows by file, in the order in which they are listed.
const FILES: [&[Detector]; 5] = [card::ROWS, iban::ROWS, email::ROWS, phone::ROWS, ssn::ROWS];

/// How many there are.
pub(super) const COUNT: usize = {
    let (mut count, mut file) = (0, 0);
    while file < FILES.len() {
        count += FILES[file].len();
        file += 1;
    }
    count
};

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
