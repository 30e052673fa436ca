//! Records put into the encodings that the decoders undo. It writes what other software would send,
//! and reads nothing back.

use std::io::Write as _;

use support::made::Rng;
use support::made::record::{Spelling, form_escaped, json_escaped, spell};

/// A field: its name, and its value.
pub struct Field<'a> {
    /// Words with spaces between.
    pub key: &'a str,
    /// As people write it.
    pub value: &'a str,
}

impl Field<'_> {
    fn name(&self) -> String {
        spell(self.key, Spelling::Snake)
    }

    /// The same with a list behind it, so that there is something to compress.
    fn long_json(&self) -> String {
        let items = ["{\"kind\":\"item\",\"state\":\"shipped\",\"count\":2}"; 12].join(",");
        let object = self.json();
        format!("{},\"items\":[{items}]}}", object.trim_end_matches('}'))
    }

    /// The field in an object of JSON with two others.
    fn json(&self) -> String {
        let value = json_escaped(self.value);
        format!("{{\"status\":\"active\",\"{}\":\"{value}\",\"retries\":3}}", self.name())
    }
}

/// An encoding, by name.
pub struct Encoding {
    /// Its name in the table.
    pub name: &'static str,
    /// Whether the issue names it among those whose recall has an aim.
    pub aimed: bool,
    /// Whether the key stands in the bytes.
    pub keyed: bool,
    /// Writes a field in it.
    pub write: fn(&mut Rng, &Field<'_>) -> Vec<u8>,
}

const fn aimed(name: &'static str, write: fn(&mut Rng, &Field<'_>) -> Vec<u8>) -> Encoding {
    Encoding { name, aimed: true, keyed: true, write }
}

const fn more(name: &'static str, write: fn(&mut Rng, &Field<'_>) -> Vec<u8>) -> Encoding {
    Encoding { name, aimed: false, keyed: true, write }
}

/// Every encoding.
pub const ENCODINGS: &[Encoding] = &[
    aimed("percent", |_, field| {
        let all: String = field.value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        format!("status=active&{}={all}&retries=3", field.name()).into_bytes()
    }),
    aimed("percent, JSON in a form", |_, field| {
        format!("v=1&payload={}&t=9", form_escaped(&field.json())).into_bytes()
    }),
    aimed("\\u", |_, field| {
        let all: String = field.value.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        format!("{{\"status\":\"active\",\"{}\":\"{all}\",\"retries\":3}}", field.name())
            .into_bytes()
    }),
    aimed("base64", |_, field| {
        let all = base64(field.json().as_bytes(), BASE64);
        format!("{{\"kind\":\"event\",\"payload\":\"{all}\"}}").into_bytes()
    }),
    aimed("gzip", |_, field| http("Content-Encoding: gzip", &gzip(field.long_json().as_bytes()))),
    aimed("nested JSON", |_, field| {
        let inner = json_escaped(&field.json());
        format!("{{\"kind\":\"event\",\"body\":\"{inner}\",\"seq\":4}}").into_bytes()
    }),
    aimed("multipart", multipart),
    aimed("protobuf, map of texts", |_, field| {
        // map<string, string> attributes = 3; (a message with key 1 and value 2)
        let entry = |key: &str, value: &str| {
            let inner = [length(1, key.as_bytes()), length(2, value.as_bytes())].concat();
            length(3, &inner)
        };
        [varint(1, 81_234), entry("status", "active"), entry(&field.name(), field.value)].concat()
    }),
    Encoding {
        name: "protobuf, no key",
        aimed: false,
        keyed: false,
        write: |rng, field| {
            let inner = [varint(1, rng.below(1 << 40)), length(2, field.value.as_bytes())].concat();
            [length(1, b"active"), length(7, &inner), varint(9, 3)].concat()
        },
    },
    more("base64url", |_, field| {
        let all = base64(field.json().as_bytes(), BASE64URL);
        format!(
            "GET /track?data={} HTTP/1.1\r\nHost: api.internal\r\n\r\n",
            all.trim_end_matches('=')
        )
        .into_bytes()
    }),
    more("base64 in lines", |_, field| {
        let all = base64(field.json().as_bytes(), BASE64);
        let lines: Vec<&str> =
            (0..all.len()).step_by(76).map(|at| &all[at..all.len().min(at + 76)]).collect();
        let head = "Content-Type: application/json\r\nContent-Transfer-Encoding: base64\r\n\r\n";
        format!("{head}{}\r\n", lines.join("\r\n")).into_bytes()
    }),
    more("data: URL", |_, field| {
        let all = base64(field.json().as_bytes(), BASE64);
        format!("<a href=\"data:application/json;base64,{all}\">x</a>").into_bytes()
    }),
    more("hex", |_, field| {
        let all: String = field.json().bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("{{\"kind\":\"event\",\"payload\":\"{all}\"}}").into_bytes()
    }),
    more("gzip, bare", |_, field| gzip(field.long_json().as_bytes())),
    more("gzip in base64", |_, field| {
        let all = base64(&gzip(field.long_json().as_bytes()), BASE64);
        format!("{{\"kind\":\"event\",\"payload\":\"{all}\"}}").into_bytes()
    }),
    more("deflate", |_, field| {
        http("Content-Encoding: deflate", &zlib(field.long_json().as_bytes()))
    }),
    more("brotli", |_, field| http("Content-Encoding: br", &brotli(field.long_json().as_bytes()))),
    more("zstd", |_, field| {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let body = ruzstd::encoding::compress_to_vec(field.long_json().as_bytes(), level);
        http("Content-Encoding: zstd", &body)
    }),
    more("chunked", |rng, field| {
        let json = field.json();
        let size = rng.within(3, 9) as usize;
        let mut body = Vec::new();
        for chunk in json.as_bytes().chunks(size) {
            body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\n\r\n");
        head("Transfer-Encoding: chunked", &body)
    }),
    more("MessagePack", |_, field| {
        let text = |text: &str| match text.len() {
            length @ 0..32 => [&[0xa0 | length as u8], text.as_bytes()].concat(),
            length @ 32..256 => [&[0xd9, length as u8], text.as_bytes()].concat(),
            length => [&[0xda], &(length as u16).to_be_bytes()[..], text.as_bytes()].concat(),
        };
        let key = field.name();
        [vec![0x82], text("status"), text("active"), text(&key), text(field.value)].concat()
    }),
    more("CBOR", |_, field| {
        let text = |text: &str| match text.len() {
            length @ 0..24 => [&[0x60 | length as u8], text.as_bytes()].concat(),
            length @ 24..256 => [&[0x78, length as u8], text.as_bytes()].concat(),
            length => [&[0x79], &(length as u16).to_be_bytes()[..], text.as_bytes()].concat(),
        };
        let key = field.name();
        [vec![0xa2], text("status"), text("active"), text(&key), text(field.value)].concat()
    }),
    more("UTF-16 LE", |_, field| {
        [vec![0xff, 0xfe], field.json().encode_utf16().flat_map(u16::to_le_bytes).collect()]
            .concat()
    }),
    more("UTF-16 BE", |_, field| {
        [vec![0xfe, 0xff], field.json().encode_utf16().flat_map(u16::to_be_bytes).collect()]
            .concat()
    }),
    more("quoted-printable", quoted_printable),
    more("HTML entities", |_, field| {
        let all: String =
            field.value.chars().map(|letter| format!("&#{};", letter as u32)).collect();
        format!("<table><tr><th>{}</th><td>{all}</td></tr></table>", field.key).into_bytes()
    }),
];

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// RFC 4648, with padding.
fn base64(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for at in 0..4 {
            let index = (bits >> (18 - 6 * at) & 63) as usize;
            text.push(if at > three.len() { '=' } else { char::from(alphabet[index]) });
        }
    }
    text
}

/// A request with a body, to which a header field says how it is encoded.
fn http(field: &str, body: &[u8]) -> Vec<u8> {
    head(&format!("{field}\r\nContent-Length: {}", body.len()), body)
}

fn head(fields: &str, body: &[u8]) -> Vec<u8> {
    let start =
        "POST /v1/events HTTP/1.1\r\nHost: api.internal\r\nContent-Type: application/json\r\n";
    [format!("{start}{fields}\r\n\r\n").as_bytes(), body].concat()
}

// Writing to a vector does not fail.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let _ = to.write_all(bytes);
    to.finish().unwrap_or_default()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut to = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    let _ = to.write_all(bytes);
    to.finish().unwrap_or_default()
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut to = Vec::new();
    let mut from = bytes;
    let _ = ::brotli::BrotliCompress(
        &mut from,
        &mut to,
        &::brotli::enc::BrotliEncoderParams::default(),
    );
    to
}

/// RFC 7578.
fn multipart(rng: &mut Rng, field: &Field<'_>) -> Vec<u8> {
    let boundary = format!("----WebKitFormBoundary{}", rng.hex(16));
    let part = |name: &str, value: &str| {
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        )
    };
    let body = part("status", "active")
        + &part(&field.name(), field.value)
        + &format!("--{boundary}--\r\n");
    let start = "POST /v1/upload HTTP/1.1\r\nHost: api.internal\r\n";
    let kind = format!("Content-Type: multipart/form-data; boundary={boundary}");
    format!("{start}{kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A key and its wire type 2: bytes with their length before them.
fn length(number: u64, bytes: &[u8]) -> Vec<u8> {
    [bare_varint(number << 3 | 2), bare_varint(bytes.len() as u64), bytes.to_vec()].concat()
}

fn varint(number: u64, value: u64) -> Vec<u8> {
    [bare_varint(number << 3), bare_varint(value)].concat()
}

fn bare_varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// RFC 2045 section 6.7: every byte of the value escaped, lines of at most 76 characters.
fn quoted_printable(_: &mut Rng, field: &Field<'_>) -> Vec<u8> {
    let mut text = String::from(
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
    );
    let escaped: Vec<String> = field.value.bytes().map(|byte| format!("={byte:02X}")).collect();
    text += &format!("{}: ", field.key);
    let mut column = field.key.len() + 2;
    for escape in escaped {
        if column + 3 > 75 {
            text += "=\r\n";
            column = 0;
        }
        text += &escape;
        column += 3;
    }
    text += "\r\nregards\r\n";
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let text = |bytes: &[u8]| base64(bytes, BASE64);
        assert_eq!([text(b"f"), text(b"fo"), text(b"foo")], ["Zg==", "Zm8=", "Zm9v"]);
    }

    #[test]
    fn varints_are_those_of_the_wire_format() {
        assert_eq!(varint(1, 150), [0x08, 0x96, 0x01]);
        assert_eq!(length(2, b"testing")[..2], [0x12, 0x07]);
    }
}
