//! Values in what was encoded as a whole: base64, base32, hexadecimal, compressed bytes. What they
//! are found in is encoded again, so that who decodes it finds what he expects. It looks for nothing
//! itself.

use std::io::Write;
use std::ops::Range;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

/// How something was encoded as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Armour {
    Base64,
    Base32,
    Hex,
    Gzip,
    Zlib,
    /// Compressed in a way that is not packed again.
    Other,
}

/// Where a reading stands among the encodings that were undone for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Escapes at most: each byte has its own place in the text.
    Open,
    /// What was encoded as a whole in the text itself.
    Under(Armour),
    /// Further in than that.
    Within,
    /// What was encoded as a whole, and its letters escaped.
    Mixed(Armour),
}

fn armour(layer: &str) -> Option<Armour> {
    match layer {
        "base64" => Some(Armour::Base64),
        "base32" => Some(Armour::Base32),
        "hex" => Some(Armour::Hex),
        "gzip" => Some(Armour::Gzip),
        "zlib" => Some(Armour::Zlib),
        "zstd" | "brotli" | "deflate" => Some(Armour::Other),
        _ => None,
    }
}

/// The place of a reading by its encoding. `letters` is what it was read from.
pub(super) fn place(encoding: &str, letters: &[u8]) -> Place {
    let mut layers = encoding.split('+').map(armour);
    match layers.next().flatten() {
        // Escapes for each byte (`\x34`) have the same name.
        Some(Armour::Hex) if letters.contains(&b'\\') => {}
        Some(_) if layers.clone().next().is_some() => return Place::Within,
        Some(armour) => return Place::Under(armour),
        None => {}
    }
    match layers.flatten().next() {
        None | Some(Armour::Hex) if letters.contains(&b'\\') => Place::Open,
        None => Place::Open,
        Some(armour) => Place::Mixed(armour),
    }
}

impl Armour {
    /// Bits of a letter; `None` where bytes have no letters of their own.
    fn bits(self) -> Option<usize> {
        match self {
            Armour::Base64 => Some(6),
            Armour::Base32 => Some(5),
            Armour::Hex => Some(4),
            Armour::Gzip | Armour::Zlib | Armour::Other => None,
        }
    }

    fn value(self, letter: u8) -> Option<u8> {
        match (self, letter) {
            (Armour::Base64, b'A'..=b'Z') => Some(letter - b'A'),
            (Armour::Base64, b'a'..=b'z') => Some(letter - b'a' + 26),
            (Armour::Base64, b'0'..=b'9') => Some(letter - b'0' + 52),
            (Armour::Base64, b'+' | b'-') => Some(62),
            (Armour::Base64, b'/' | b'_') => Some(63),
            (Armour::Base32, b'A'..=b'Z') => Some(letter - b'A'),
            (Armour::Base32, b'a'..=b'z') => Some(letter - b'a'),
            (Armour::Base32, b'2'..=b'7') => Some(letter - b'2' + 26),
            (Armour::Hex, b'0'..=b'9') => Some(letter - b'0'),
            (Armour::Hex, b'a'..=b'f') => Some(letter - b'a' + 10),
            (Armour::Hex, b'A'..=b'F') => Some(letter - b'A' + 10),
            _ => None,
        }
    }

    fn letter(self, value: u8, style: Style) -> u8 {
        let letter = match (self, value) {
            (Armour::Base64, 0..=25) => return b'A' + value,
            (Armour::Base64, 26..=51) => return b'a' + (value - 26),
            (Armour::Base64, 52..=61) => return b'0' + (value - 52),
            (Armour::Base64, 62) => return if style.url { b'-' } else { b'+' },
            (Armour::Base64, _) => return if style.url { b'_' } else { b'/' },
            (Armour::Base32, 0..=25) => b'a' + value,
            (Armour::Base32, _) => b'2' + value.wrapping_sub(26) % 6,
            (_, 0..=9) => b'0' + value,
            (_, _) => b'a' + value.wrapping_sub(10) % 6,
        };
        if style.upper { letter.to_ascii_uppercase() } else { letter }
    }
}

/// How letters are written where there is a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Style {
    /// base64url.
    url: bool,
    upper: bool,
}

impl Style {
    fn of(letters: &[u8]) -> Style {
        Style {
            url: letters.iter().any(|letter| matches!(letter, b'-' | b'_')),
            upper: letters.iter().any(u8::is_ascii_uppercase),
        }
    }
}

/// Writes `bytes` in place of the bytes `at` of what `letters` stand for; `letters` are those that
/// hold a bit of them, with line ends between. `region` is all of it, which tells how it is written.
/// `None` where the letters are not as many as that takes.
pub(super) fn overwrite(
    armour: Armour,
    region: &[u8],
    letters: &[u8],
    at: Range<usize>,
    bytes: &[u8],
) -> Option<Vec<u8>> {
    let bits = armour.bits()?;
    let style = Style::of(region);
    let (first, last) = (at.start.checked_mul(8)?, at.end.checked_mul(8)?);
    let mut unit = first / bits;
    let mut written = Vec::with_capacity(letters.len());
    for letter in letters {
        let Some(mut value) = armour.value(*letter) else {
            written.push(*letter);
            continue;
        };
        for nth in 0..bits {
            let bit = unit * bits + nth;
            if (first..last).contains(&bit) {
                let byte = bytes.get((bit - first) / 8)?;
                let on = byte >> (7 - (bit - first) % 8) & 1;
                let mask = 1 << (bits - 1 - nth);
                value = if on == 1 { value | mask } else { value & !mask };
            }
        }
        written.push(armour.letter(value, style));
        unit += 1;
    }
    (unit * bits >= last).then_some(written)
}

/// Encodes `bytes` in the way that `letters` are, which were encoded as a whole; `padding` are the
/// signs that follow them. `None` where that cannot be done.
pub(super) fn encode(
    armour: Armour,
    letters: &[u8],
    padding: usize,
    bytes: &[u8],
) -> Option<Vec<u8>> {
    match armour {
        Armour::Base64 | Armour::Hex => {
            let all = spell(armour, Style::of(letters), padded(letters, padding), bytes)?;
            Some(lines(letters, &all))
        }
        Armour::Gzip => {
            let mut packed = GzEncoder::new(Vec::new(), Compression::default());
            packed.write_all(bytes).ok()?;
            packed.finish().ok()
        }
        Armour::Zlib => {
            let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
            packed.write_all(bytes).ok()?;
            packed.finish().ok()
        }
        Armour::Base32 | Armour::Other => None,
    }
}

/// Whether base64 is filled up to groups of four: where it needed none, base64url is not.
fn padded(letters: &[u8], padding: usize) -> bool {
    let count = letters.iter().filter(|letter| Armour::Base64.value(**letter).is_some()).count();
    padding > 0 || (count % 4 == 0 && !Style::of(letters).url)
}

fn spell(armour: Armour, style: Style, padded: bool, bytes: &[u8]) -> Option<Vec<u8>> {
    let bits = armour.bits()?;
    let mut letters = Vec::with_capacity(bytes.len() * 8 / bits + 4);
    let (mut held, mut value) = (0, 0u32);
    for byte in bytes {
        value = (value << 8) | u32::from(*byte);
        held += 8;
        while held >= bits {
            held -= bits;
            let unit = (value >> held) & ((1 << bits) - 1);
            letters.push(armour.letter(u8::try_from(unit).ok()?, style));
        }
        value &= (1 << held) - 1;
    }
    if held > 0 {
        let unit = (value << (bits - held)) & ((1 << bits) - 1);
        letters.push(armour.letter(u8::try_from(unit).ok()?, style));
    }
    if armour == Armour::Base64 && padded {
        while !letters.len().is_multiple_of(4) {
            letters.push(b'=');
        }
    }
    Some(letters)
}

/// Breaks `all` into lines as `like` is.
fn lines(like: &[u8], all: &[u8]) -> Vec<u8> {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let Some(width) = like.iter().position(is_end).filter(|width| *width > 0) else {
        return all.to_vec();
    };
    let rest = like.get(width..).unwrap_or_default();
    let end = rest.get(..rest.iter().take_while(|byte| is_end(byte)).count()).unwrap_or_default();
    all.chunks(width).collect::<Vec<_>>().join(end)
}

/// Letters in place of those of a value, where they cannot be told from what escapes them: they no
/// longer spell it. Escapes and line ends stay.
pub(super) fn scramble(armour: Armour, raw: &[u8]) -> Vec<u8> {
    let mut written = raw.to_vec();
    let (mut at, mut odd) = (0, false);
    while let Some(byte) = written.get_mut(at) {
        match (*byte, armour.bits()) {
            (b'\\', Some(_)) => at += 1,
            (b'%', Some(_)) => at += 2,
            (byte_, Some(_)) if armour.value(byte_).is_some() => {
                odd = !odd;
                // `*` is 2a; `K` is in each alphabet of base64 and base32.
                *byte = match armour {
                    Armour::Hex if odd => b'2',
                    Armour::Hex => b'a',
                    _ => b'K',
                };
            }
            (b'\r' | b'\n', _) | (_, Some(_)) => {}
            (_, None) => *byte = b'*',
        }
        at += 1;
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(armour: Armour, letters: &str, at: Range<usize>, bytes: &str, written: &str) {
        let bits = armour.bits().unwrap();
        let plain: Vec<usize> = letters
            .bytes()
            .enumerate()
            .filter(|(_, letter)| armour.value(*letter).is_some())
            .map(|(at, _)| at)
            .collect();
        let first = plain[at.start * 8 / bits];
        let last = plain[(at.end * 8).div_ceil(bits) - 1] + 1;
        let part = &letters.as_bytes()[first..last];
        let out = overwrite(armour, letters.as_bytes(), part, at, bytes.as_bytes()).unwrap();
        let out = [&letters.as_bytes()[..first], &out, &letters.as_bytes()[last..]].concat();
        assert_eq!(String::from_utf8(out).unwrap(), written);
    }

    #[test]
    fn bytes_are_overwritten_among_their_neighbours() {
        // "card=4111"
        check(Armour::Base64, "Y2FyZD00MTEx", 5..9, "****", "Y2FyZD0qKioq");
        check(Armour::Base64, "Y2FyZD00\r\nMTEx", 5..9, "****", "Y2FyZD0q\r\nKioq");
        check(Armour::Base64, "Y2FyZD00MTEx", 1..3, "**", "YyoqZD00MTEx");
        check(Armour::Hex, "636172643D34313131", 5..9, "****", "636172643D2A2A2A2A");
        check(Armour::Base32, "MNQXEZB5GQYTCMI", 5..9, "****", "MNQXEZB5FIVCUKQ");
    }

    #[test]
    fn what_is_encoded_again_is_written_as_it_was() {
        let again = |armour, letters: &str, padding, bytes: &str| {
            let out = encode(armour, letters.as_bytes(), padding, bytes.as_bytes()).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(again(Armour::Base64, "YWI", 1, "abcd"), "YWJjZA==");
        assert_eq!(again(Armour::Base64, "YWI", 0, "abcd"), "YWJjZA");
        assert_eq!(again(Armour::Base64, "YWJj", 0, "abcd"), "YWJjZA==");
        assert_eq!(again(Armour::Base64, "Y_-j", 0, "\u{3ff}?"), "z78_");
        assert_eq!(again(Armour::Base64, "YWJj\nYWJj", 0, "abcdefghi"), "YWJj\nZGVm\nZ2hp");
        assert_eq!(again(Armour::Hex, "6A6a", 0, "jk"), "6A6B");
    }

    #[test]
    fn readings_know_their_place() {
        assert_eq!(place("plain", b"a"), Place::Open);
        assert_eq!(place("json+percent", b"a"), Place::Open);
        assert_eq!(place("base64", b"a"), Place::Under(Armour::Base64));
        assert_eq!(place("base64+json", b"a"), Place::Within);
        assert_eq!(place("json+base64", b"a"), Place::Mixed(Armour::Base64));
        assert_eq!(place("hex", br"\x34"), Place::Open);
        assert_eq!(place("json+hex+json", b"3431"), Place::Mixed(Armour::Hex));
    }
}
