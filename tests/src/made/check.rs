//! The check digits of identifiers, written down from their standards and apart from the detectors'.

/// The digit that makes a number pass Luhn's formula (ISO/IEC 7812-1 annex B).
pub fn luhn(body: &str) -> char {
    let sum: u32 = digits(body)
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = digit << u32::from(at % 2 == 0);
            if digit > 9 { digit - 9 } else { digit }
        })
        .sum();
    digit((10 - sum % 10) % 10)
}

/// The digits of a text, what is no digit left out.
pub fn digits(text: &str) -> impl DoubleEndedIterator<Item = u32> + '_ {
    text.chars().filter_map(|letter| letter.to_digit(10))
}

/// The sum of the digits, each times its weight.
pub fn weighed(text: &str, weights: &[u32]) -> u32 {
    digits(text).zip(weights).map(|(digit, weight)| digit * weight).sum()
}

/// The remainder of a number of any length.
pub fn remainder(text: &str, modulus: u64) -> u64 {
    digits(text).fold(0, |rest, digit| (rest * 10 + u64::from(digit)) % modulus)
}

/// The check digit of ISO/IEC 7064 mod 11,10.
pub fn mod_11_10(body: &str) -> char {
    let product = digits(body).fold(10, |product, digit| {
        let sum = (product + digit) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    digit((11 - product) % 10)
}

/// The check digit of Verhoeff's scheme, computed in the dihedral group D5.
pub fn verhoeff(body: &str) -> char {
    const PERMUTATION: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted = |digit: u32, times: usize| {
        (0..times % 8).fold(digit, |digit, _| PERMUTATION[digit as usize])
    };
    let product = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let sum = digits(body)
        .rev()
        .enumerate()
        .fold(0, |sum, (at, digit)| product(sum, permuted(digit, at + 1)));
    let inverse = if sum < 5 { (5 - sum) % 5 } else { sum };
    digit(inverse)
}

/// A digit of a number below 10.
pub fn digit(number: u32) -> char {
    char::from_digit(number, 10).unwrap_or('?')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_those_of_published_examples() {
        // Luhn: ISO/IEC 7812-1; mod 11,10: ISO/IEC 7064 section 8; Verhoeff: 236 gives 3.
        assert_eq!(luhn("7992739871"), '3');
        assert_eq!(mod_11_10("0794"), '5');
        assert_eq!(verhoeff("236"), '3');
        assert_eq!(verhoeff("14256"), '8');
        assert_eq!(remainder("3214282912345698765432161182", 97), 1);
    }
}
