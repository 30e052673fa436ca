//! Personal data that nobody has: made from a seed, valid by its check digits, and remembered, so
//! that a test can look for it where it must not be. None of it is a published test value, which
//! the monitor may treat otherwise.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Kinds of values that can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 16 digits in one piece.
    Card,
    /// A German IBAN without spaces.
    Iban,
    /// A social security number with hyphens.
    Ssn,
}

/// Makes values and remembers them.
pub struct Data {
    state: RefCell<u64>,
    made: RefCell<Vec<(Kind, String)>>,
}

impl Default for Data {
    fn default() -> Self {
        Self::new()
    }
}

impl Data {
    /// The seed is the test's name, so that a test that fails sends the same again.
    pub fn new() -> Data {
        let mut hasher = DefaultHasher::new();
        std::thread::current().name().unwrap_or("main").hash(&mut hasher);
        Data { state: RefCell::new(hasher.finish()), made: RefCell::default() }
    }

    /// A number below `bound`: splitmix64.
    pub fn below(&self, bound: u64) -> u64 {
        let mut state = self.state.borrow_mut();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn digits(&self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + self.below(10) as u8)).collect()
    }

    fn remember(&self, kind: Kind, value: String) -> String {
        self.made.borrow_mut().push((kind, value.clone()));
        value
    }

    /// A card number, in one piece. One that begins with a shorter valid number is not taken:
    /// cut there between two sends, it would rightly be found as two.
    pub fn card(&self) -> String {
        loop {
            let body = format!("4{}", self.digits(14));
            let check = (0..10).find(|check| luhn(&format!("{body}{check}")));
            let card = format!("{body}{}", check.unwrap_or_default());
            if !(13..16).any(|digits| luhn(&card[..digits])) {
                return self.remember(Kind::Card, card);
            }
        }
    }

    /// A card number in groups of four.
    pub fn card_grouped(&self, separator: &str) -> String {
        grouped(&self.card(), &[4, 4, 4, 4], separator)
    }

    /// An IBAN.
    pub fn iban(&self) -> String {
        let account = self.digits(18);
        // DE00 moved behind the account, letters as numbers: ISO 13616, mod 97 of ISO 7064.
        let remainder = format!("{account}131400")
            .bytes()
            .fold(0u32, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
        self.remember(Kind::Iban, format!("DE{:02}{account}", 98 - remainder))
    }

    /// An IBAN in groups of four.
    pub fn iban_grouped(&self) -> String {
        grouped(&self.iban(), &[4, 4, 4, 4, 4, 2], " ")
    }

    /// A social security number.
    pub fn ssn(&self) -> String {
        let (area, group) = (100 + self.below(500), 1 + self.below(99));
        let serial = 1 + self.below(9_999);
        self.remember(Kind::Ssn, format!("{area}-{group:02}-{serial:04}"))
    }

    /// Remembers a value that was made elsewhere.
    pub fn note(&self, kind: Kind, value: &str) {
        self.remember(kind, value.into());
    }

    /// Every spelling of every value that was made: as it is, digits only, and with separators.
    pub fn spellings(&self) -> Vec<String> {
        let made = self.made.borrow();
        made.iter().flat_map(|(kind, value)| spellings(*kind, value)).collect()
    }

    /// The values themselves, without anything between their letters and digits.
    pub fn compact(&self) -> Vec<String> {
        let plain = |value: &String| value.chars().filter(char::is_ascii_alphanumeric).collect();
        self.made.borrow().iter().map(|(_, value)| plain(value)).collect()
    }
}

fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0') << (at % 2);
            if digit > 9 { digit - 9 } else { digit }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Cuts a text into groups.
pub fn grouped(text: &str, groups: &[usize], separator: &str) -> String {
    let mut at = 0;
    let parts: Vec<&str> = groups
        .iter()
        .filter_map(|&bytes| {
            let part = text.get(at..(at + bytes).min(text.len()));
            at += bytes;
            part
        })
        .collect();
    parts.join(separator)
}

fn spellings(kind: Kind, value: &str) -> Vec<String> {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let (plain, groups) = match kind {
        Kind::Card => (digits.as_str(), &[4, 4, 4, 4][..]),
        Kind::Ssn => (digits.as_str(), &[3, 2, 4][..]),
        Kind::Iban => (value, &[4, 4, 4, 4, 4, 2][..]),
    };
    let between = ["", " ", "-", ".", "+", "%20"];
    let mut all: Vec<String> = between.map(|between| grouped(plain, groups, between)).into();
    all.push(value.into());
    all.push(digits);
    all
}
