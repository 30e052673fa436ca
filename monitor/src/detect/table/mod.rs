//! The built-in detectors: rows of data, a file for each country or kind. What a row means is
//! [`super::detector`]'s to say.

mod africa;
mod australia;
mod brazil;
mod canada;
mod card;
mod china;
mod device;
mod email;
mod iban;
mod india;
mod japan;
mod korea;
mod mexico;
mod phone;
mod singapore;
mod southeast_asia;
mod ssn;
mod us;

use super::detector::Detector;

/// The rows by file, in the order in which they are listed.
const FILES: [&[Detector]; 18] = [
    card::ROWS,
    iban::ROWS,
    email::ROWS,
    phone::ROWS,
    ssn::ROWS,
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
