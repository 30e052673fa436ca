//! Made-up personal data: card numbers that are valid and that nobody was told to hold.

/// Bytes of a [`record`].
pub const RECORD_BYTES: usize = 64;

/// A line of [`RECORD_BYTES`] with the card number of this index.
pub fn record(index: u64) -> [u8; RECORD_BYTES] {
    let mut record = *b"{\"customer\":\"Erika Example\",\"card_number\":\"################\"}  \n";
    record[43..59].copy_from_slice(&card(index));
    record
}

/// A card number in an issued range, other for each index below 10^11, with the check digit that
/// ISO/IEC 7812-1 asks for.
pub fn card(index: u64) -> [u8; 16] {
    let mut digits = *b"4539000000000000";
    let mut rest = index;
    for digit in digits[4..15].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let doubled = |(at, &digit): (usize, &u8)| {
        let digit = u32::from(digit - b'0');
        if at % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { digit }
    };
    let sum: u32 = digits[..15].iter().rev().enumerate().map(doubled).sum();
    digits[15] = b'0' + ((10 - sum % 10) % 10) as u8;
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_have_their_check_digit_and_differ() {
        // The check digit by hand: 9 + 6 + 5 + 8 is 28.
        assert_eq!(&card(0), b"4539000000000002");
        assert_ne!(card(1), card(2));
        let record = record(0);
        assert_eq!(&record[59..], b"\"}  \n");
        assert!(record[..43].ends_with(b"\"card_number\":\""));
    }
}
