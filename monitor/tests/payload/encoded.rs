//! Values in encodings in which no shape of theirs can be seen, or only parts of it.

use proptest::prelude::*;
use proptest::sample::select;

use crate::payload::named;

/// How a text that holds a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Base64,
    Base64Url,
    Base64Mime,
    Hex,
    HexCapitals,
    HexEscapes,
    Utf16Le,
    Utf16Be,
    QuotedPrintable,
    SoftBreaks,
    HtmlDecimal,
    HtmlHex,
    /// Stored, in a gzip member: its bytes show as they do in anything compressed badly.
    Gzip,
    /// A number in a field of protobuf, MessagePack, CBOR.
    Varint,
    Int64,
}

pub const ENCODINGS: [Encoding; 15] = [
    Encoding::Base64,
    Encoding::Base64Url,
    Encoding::Base64Mime,
    Encoding::Hex,
    Encoding::HexCapitals,
    Encoding::HexEscapes,
    Encoding::Utf16Le,
    Encoding::Utf16Be,
    Encoding::QuotedPrintable,
    Encoding::SoftBreaks,
    Encoding::HtmlDecimal,
    Encoding::HtmlHex,
    Encoding::Gzip,
    Encoding::Varint,
    Encoding::Int64,
];

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn base64(bytes: &[u8], letters: &[u8; 64]) -> Vec<u8> {
    let mut out = Vec::new();
    for three in bytes.chunks(3) {
        let at = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for letter in 0..=three.len() {
            out.push(letters[(bits >> (18 - 6 * letter) & 63) as usize]);
        }
    }
    out
}

fn each(bytes: &[u8], write: impl Fn(u8) -> String) -> Vec<u8> {
    bytes.iter().map(|byte| write(*byte)).collect::<String>().into_bytes()
}

fn utf16(bytes: &[u8], write: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
    String::from_utf8_lossy(bytes).encode_utf16().flat_map(write).collect()
}

impl Encoding {
    /// Whether the prefilter knows it by what it makes of ASCII.
    pub fn has_rhythm(self) -> bool {
        use Encoding::{Base64, Base64Mime, Base64Url, Hex, HexCapitals};
        matches!(self, Base64 | Base64Url | Base64Mime | Hex | HexCapitals)
    }

    /// The text so encoded. `value` is the value alone, for what only takes numbers.
    pub fn write(self, text: &[u8], value: &[u8]) -> Vec<u8> {
        let digits = value.iter().filter(|byte| byte.is_ascii_digit());
        let number =
            digits.fold(0u64, |n, digit| n.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')));
        match self {
            Encoding::Base64 => base64(text, STANDARD),
            Encoding::Base64Url => base64(text, URL),
            Encoding::Base64Mime => {
                base64(text, STANDARD).chunks(76).collect::<Vec<_>>().join(&b"\r\n"[..])
            }
            Encoding::Hex => each(text, |byte| format!("{byte:02x}")),
            Encoding::HexCapitals => each(text, |byte| format!("{byte:02X}")),
            Encoding::HexEscapes => each(text, |byte| format!("\\x{byte:02x}")),
            Encoding::Utf16Le => utf16(text, u16::to_le_bytes),
            Encoding::Utf16Be => utf16(text, u16::to_be_bytes),
            Encoding::QuotedPrintable => each(text, |byte| match byte {
                b'@' | b'=' | 0x80.. => format!("={byte:02X}"),
                _ => char::from(byte).into(),
            }),
            Encoding::SoftBreaks => text.chunks(7).collect::<Vec<_>>().join(&b"=\r\n"[..]),
            Encoding::HtmlDecimal => each(text, |byte| format!("&#{byte};")),
            Encoding::HtmlHex => each(text, |byte| format!("&#x{byte:x};")),
            Encoding::Gzip => {
                let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1];
                let bytes = text.len() as u16;
                [&head[..], &bytes.to_le_bytes(), &(!bytes).to_le_bytes(), text].concat()
            }
            Encoding::Varint => {
                let mut out = vec![0x10];
                let mut rest = number;
                while rest > 0x7f {
                    out.push(rest as u8 | 0x80);
                    rest >>= 7;
                }
                out.push(rest as u8);
                out
            }
            Encoding::Int64 => [&[0xcf][..], &number.to_be_bytes()].concat(),
        }
    }
}

/// A text that is encoded, and what stands around it.
#[derive(Debug, Clone)]
pub struct Encoded {
    pub encoding: Encoding,
    /// As it is written in plain.
    pub text: String,
    pub before: String,
    pub written: Vec<u8>,
    pub after: String,
    pub cuts: Vec<prop::sample::Index>,
}

/// A value, encoded with some text around it or alone.
pub fn encoded() -> impl Strategy<Value = Encoded> {
    let quiet = || "[a-z ,.:;{}\"\n]{0,40}";
    let cuts = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    (select(&ENCODINGS[..]), quiet(), named(), quiet(), quiet(), quiet(), cuts).prop_map(
        |(encoding, before, (_, value), lead, trail, after, cuts)| {
            let text = format!("{lead}{value}{trail}");
            let written = encoding.write(text.as_bytes(), value.as_bytes());
            let (before, after) = (before + " ", " ".to_owned() + &after);
            Encoded { encoding, text, before, written, after, cuts }
        },
    )
}
