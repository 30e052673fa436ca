//! Check digits that more than one standard uses. Input is digits (and letters where said so) in
//! ASCII without separators; anything else fails.

/// The value of an ASCII digit.
pub(super) fn value(byte: u8) -> Option<u32> {
    byte.is_ascii_digit().then(|| u32::from(byte - b'0'))
}

/// The value of a digit (0 to 9) or capital letter (10 to 35), ISO 7064 and ISO 13616.
pub(super) fn value36(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(36).filter(|_| !byte.is_ascii_lowercase())
}

/// The digits as a number; `None` where one is no digit, or there are more than 18.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.len() > 18 {
        return None;
    }
    digits.iter().try_fold(0, |n, digit| Some(n * 10 + u64::from(value(*digit)?)))
}

/// Whether all are digits.
pub(super) fn all_digits(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_digit)
}

/// Whether all characters are the same.
pub(super) fn one_repeated(bytes: &[u8]) -> bool {
    bytes.windows(2).all(|pair| pair.first() == pair.last())
}

/// The sum of digits times weights, from the left; `None` where one is no digit or the lengths
/// differ.
pub(super) fn weighted(digits: &[u8], weights: &[u32]) -> Option<u32> {
    if digits.len() != weights.len() {
        return None;
    }
    digits
        .iter()
        .zip(weights)
        .try_fold(0, |sum, (digit, weight)| Some(sum + value(*digit)? * weight))
}

/// The check digit of ISO/IEC 7812-1 annex B (Luhn) over all digits, the last one included.
pub(super) fn luhn(digits: &[u8]) -> bool {
    // Twice a digit, its own digits added up.
    const TWICE: [u8; 16] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9, 0, 0, 0, 0, 0, 0];
    if !all_digits(digits) || digits.is_empty() {
        return false;
    }
    let twice = |digit: u8| u32::from(TWICE.get(usize::from(digit & 0x0F)).copied().unwrap_or(0));
    let sum: u32 = digits
        .rchunks(2)
        .map(|pair| match pair {
            [left, right] => twice(*left) + u32::from(right & 0x0F),
            _ => pair.iter().map(|digit| u32::from(digit & 0x0F)).sum(),
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The remainder by 97 of digits and capital letters (10 to 35), ISO 7064 MOD 97-10.
pub(super) fn mod_97(characters: impl IntoIterator<Item = u8>) -> Option<u32> {
    characters.into_iter().try_fold(0, |remainder, byte| {
        let value = value36(byte)?;
        Some((if value < 10 { remainder * 10 } else { remainder * 100 } + value) % 97)
    })
}

/// The check of ISO 7064 MOD 11,10 over all digits, the last one included.
pub(super) fn mod_11_10(digits: &[u8]) -> bool {
    let Some((last, body)) = digits.split_last() else { return false };
    let check = body.iter().try_fold(10, |product, digit| {
        let sum = (value(*digit)? + product) % 10;
        Some((if sum == 0 { 10 } else { sum }) * 2 % 11)
    });
    match (check, value(*last)) {
        (Some(check), Some(last)) => (check + last) % 10 == 1,
        _ => false,
    }
}

/// The check of ISO 7064 MOD 11-2 over digits and a last digit or `X`.
pub(super) fn mod_11_2(characters: &[u8]) -> bool {
    let Some((last, body)) = characters.split_last() else { return false };
    let last = if *last == b'X' { Some(10) } else { value(*last) };
    let check = body.iter().try_fold(0, |sum, digit| Some((sum + value(*digit)?) * 2 % 11));
    match (check, last) {
        (Some(check), Some(last)) => (check + last) % 11 == 1,
        _ => false,
    }
}

/// The check of Verhoeff (1969) over all digits, the last one included.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    let check = digits.iter().rev().enumerate().try_fold(0, |check, (at, digit)| {
        let permuted = *PERMUTATION.get(at % 8)?.get(value(*digit)? as usize)?;
        DIHEDRAL.get(check as usize)?.get(permuted as usize).copied()
    });
    check == Some(0)
}

const DIHEDRAL: [[u8; 10]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
    [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
    [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
    [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
    [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
    [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
];

const PERMUTATION: [[u8; 10]; 8] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
    [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
    [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
    [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
    [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
    [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
    [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
];

/// Whether year, month and day are a day of the Gregorian calendar.
pub(super) fn is_date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// Whether the digits are milli-, micro- or nanoseconds since 1970, of a time from 2001 to 2040.
pub(super) fn is_time(digits: &[u8]) -> bool {
    const FROM_SECONDS: u64 = 978_307_200;
    const TO_SECONDS: u64 = 2_208_988_800;
    let fraction = matches!(digits.len(), 13 | 16 | 19);
    let seconds = digits.iter().take(10).fold(0, |n, digit| n * 10 + u64::from(digit & 0x0F));
    fraction && (FROM_SECONDS..TO_SECONDS).contains(&seconds)
}

/// Two digits at `at` as a number.
pub(super) fn two(digits: &[u8], at: usize) -> Option<u32> {
    Some(value(*digits.get(at)?)? * 10 + value(*digits.get(at + 1)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_numbers_pass_and_their_neighbours_do_not() {
        type Check = fn(&[u8]) -> bool;
        let checks: [(Check, &str); 5] = [
            (luhn, "79927398713"),
            (mod_11_10, "36574261809"),
            (mod_11_2, "440524188001010014"),
            (verhoeff, "2363"),
            (|digits| mod_97(digits.iter().copied()) == Some(1), "3214282912345698765432161182"),
        ];
        for (check, known) in checks {
            assert!(check(known.as_bytes()), "{known}");
            for last in b'0'..=b'9' {
                let mut other = known.as_bytes().to_vec();
                *other.last_mut().expect("not empty") = last;
                assert_eq!(check(&other), other == known.as_bytes(), "{known} with {last}");
            }
        }
    }

    #[test]
    fn days_of_the_calendar() {
        for (year, month, day, is) in [
            (2024, 2, 29, true),
            (2023, 2, 29, false),
            (1900, 2, 29, false),
            (2000, 2, 29, true),
            (2000, 13, 1, false),
            (2000, 4, 31, false),
            (2000, 0, 1, false),
            (2000, 1, 0, false),
        ] {
            assert_eq!(is_date(year, month, day), is, "{year}-{month}-{day}");
        }
    }
}
