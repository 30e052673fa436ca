//! Addresses of cryptocurrencies that carry a check: Base58Check, Bech32 and Bech32m, and the mixed
//! case of EIP-55. Whether anything was ever paid to one is not asked.

use sha2::{Digest as _, Sha256};
use sha3::Keccak256;

use super::super::checksum::one_repeated;
use super::super::detector::{Detector, Field, Find, Tier, Words};
use super::super::evidence::{Candidate, Reasons};
use super::super::probe::Probe;
use super::super::text::{self, Boundary};
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[Detector {
    tier: Tier::Strong,
    tags: &[Tag::Gdpr, Tag::Glba],
    standard: "Base58Check (Bitcoin), BIP 173 and BIP 350 (Bech32, Bech32m), EIP-55 (Ethereum)",
    // By their checks of 32, 30 and (of the letters' case) about 13 bits.
    chance: 1e-4,
    example: "wallet: 16AqYshidxibjiKXJMFCg2GyZ1mci68cL1",
    words: Words { key: &["address"], near: WORDS, hostile: &[], doubtful: &[] },
    find: Find::Word { min: 26, max: 62, find },
    test_values: &["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"],
    ..Detector::new("CRYPTO", "Cryptocurrency address")
}];

#[rustfmt::skip]
const WORDS: &[&str] = &[
    "wallet", "wallets", "crypto", "cryptocurrency", "bitcoin", "btc", "xbt", "satoshi", "ethereum",
    "eth", "ether", "erc20", "litecoin", "ltc", "dogecoin", "doge", "deposit address",
    "payout address", "wallet address",
];

/// What a check of 30 bits and more proves, in decibans.
const CHECKED_DB: i16 = 60;
/// What the mixed case of EIP-55 proves.
const CASE_DB: i16 = 40;
/// What 40 hex digits after `0x` prove: any hash may be cut so.
const BARE_DB: i16 = 12;

fn find(probe: &mut Probe<'_>, field: Field) -> Option<Candidate> {
    let text = probe.text;
    let word = text::slice(text, field.start, field.end);
    let first = *word.first()?;
    let checked = match word.len() {
        42 if word.starts_with(b"0x") => return find_ethereum(text, field, word.get(2..)?),
        26..=35 if matches!(first, b'1' | b'3' | b'L' | b'M' | b'D') => is_base58_check(word),
        _ if matches!(first, b'b' | b'B' | b't' | b'T' | b'l' | b'L') => is_bech32(word),
        _ => false,
    };
    checked.then(|| candidate(text, field, CHECKED_DB).because(Reasons::CHECKED))
}

fn candidate(text: &[u8], field: Field, worth_db: i16) -> Candidate {
    let mut found = Candidate::new(field.start, field.end, worth_db).because(Reasons::FORM);
    let word = text::slice(text, field.start, field.end);
    found.test_data = ROWS.iter().any(|row| row.test_values.iter().any(|v| v.as_bytes() == word));
    found
}

fn find_ethereum(text: &[u8], field: Field, hex: &[u8]) -> Option<Candidate> {
    if !hex.iter().all(u8::is_ascii_hexdigit) || one_repeated(hex) {
        return None;
    }
    let mixed = hex.iter().any(u8::is_ascii_lowercase) && hex.iter().any(u8::is_ascii_uppercase);
    if mixed {
        return is_eip_55(hex).then(|| candidate(text, field, CASE_DB).because(Reasons::CHECKED));
    }
    let mut found = candidate(text, field, BARE_DB);
    found.needs_context = true;
    (text::boundary(text, field.start, field.end) == Boundary::Clean).then_some(found)
}

const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// Bytes of an address: version, hash and check.
const BASE58_BYTES: usize = 25;

/// Whether 25 bytes in base 58 end with the first four of the double SHA-256 of the others.
fn is_base58_check(word: &[u8]) -> bool {
    let mut bytes = [0u8; BASE58_BYTES];
    for letter in word {
        let Some(value) = BASE58.iter().position(|known| known == letter) else { return false };
        let mut carry = value as u32;
        for byte in bytes.iter_mut().rev() {
            carry += u32::from(*byte) * 58;
            *byte = (carry & 0xFF) as u8;
            carry >>= 8;
        }
        if carry > 0 {
            return false;
        }
    }
    // Each leading 1 is a byte of zero: there are as many of these.
    let ones = word.iter().take_while(|letter| **letter == b'1').count();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let (payload, check) = bytes.split_at(BASE58_BYTES - 4);
    let hash = Sha256::digest(Sha256::digest(payload));
    ones == zeros && hash.starts_with(check)
}

const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// Human-readable parts: Bitcoin, its test network, Litecoin.
const BECH32_PARTS: [&[u8]; 3] = [b"bc", b"tb", b"ltc"];
/// Constants of BIP 173 for version 0 and of BIP 350 for the others.
const BECH32_CHECK: u32 = 1;
const BECH32M_CHECK: u32 = 0x2bc8_30a3;

fn is_bech32(word: &[u8]) -> bool {
    let mixed = word.iter().any(u8::is_ascii_lowercase) && word.iter().any(u8::is_ascii_uppercase);
    let Some(one) = word.iter().position(|letter| *letter == b'1').filter(|_| !mixed) else {
        return false;
    };
    let (Some(part), Some(data)) = (word.get(..one), word.get(one + 1..)) else { return false };
    // BIP 141: a program of 20 or 32 bytes, with version and check.
    if !BECH32_PARTS.iter().any(|known| part.eq_ignore_ascii_case(known))
        || !matches!(data.len(), 39 | 59)
    {
        return false;
    }
    let mut sum = 1u32;
    let mut add = |value: u32| {
        let top = sum >> 25;
        sum = (sum & 0x01FF_FFFF) << 5 ^ value;
        for (bit, generator) in
            [0x3b6a_57b2u32, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3].iter().enumerate()
        {
            if top >> bit & 1 == 1 {
                sum ^= generator;
            }
        }
    };
    part.iter().for_each(|letter| add(u32::from(letter.to_ascii_lowercase() >> 5)));
    add(0);
    part.iter().for_each(|letter| add(u32::from(letter.to_ascii_lowercase() & 31)));
    for letter in data {
        let letter = letter.to_ascii_lowercase();
        let Some(value) = BECH32.iter().position(|known| *known == letter) else { return false };
        add(value as u32);
    }
    let version = data.first().map(u8::to_ascii_lowercase);
    sum == if version == Some(b'q') { BECH32_CHECK } else { BECH32M_CHECK }
}

/// Whether each letter is a capital where the Keccak-256 of the address in small letters has a
/// digit of eight or more.
fn is_eip_55(hex: &[u8]) -> bool {
    let hash = Keccak256::digest(hex.to_ascii_lowercase());
    let digits = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    hex.iter().zip(digits).all(|(letter, digit)| {
        !letter.is_ascii_alphabetic() || letter.is_ascii_uppercase() == (digit >= 8)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_standards_pass_and_their_neighbours_do_not() {
        type Check = fn(&[u8]) -> bool;
        let checks: [(Check, &str); 6] = [
            (is_base58_check, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
            (is_base58_check, "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"),
            (is_bech32, "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4"),
            (is_bech32, "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"),
            (|word| is_eip_55(&word[2..]), "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),
            (|word| is_eip_55(&word[2..]), "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"),
        ];
        for (check, known) in checks {
            assert!(check(known.as_bytes()), "{known}");
            let mut other = known.as_bytes().to_vec();
            let at = other.len() - 3;
            other[at] = if other[at] == b'3' { b'4' } else { b'3' };
            assert!(!check(&other), "{known}");
        }
    }
}
