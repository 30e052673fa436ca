//! That what was encoded is read, where it stands; that bounds hold; and that nothing breaks.

use std::io::Write as _;

use proptest::prelude::*;

use super::*;
use crate::limits::{DECODE_EXPANDED_BYTES_MAX, DECODE_EXPANSION_MAX};

const VALUE: &str = "4111 1111 1111 1111";

type Encode = fn(&[u8]) -> Vec<u8>;

pub(super) fn text(bytes: &[u8]) -> Text<'_> {
    Text { bytes, fresh: 0, part: Part::HttpRequestBody }
}

/// Base64 with an alphabet's last two letters, and padding where `pad`.
fn base64_of(bytes: &[u8], last: [u8; 2], pad: bool) -> Vec<u8> {
    let letters: Vec<u8> =
        (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(last).collect();
    let mut out = Vec::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for index in 0..=group.len() {
            out.push(letters[(bits >> (18 - 6 * index) & 63) as usize]);
        }
        if pad {
            out.extend(std::iter::repeat_n(b'=', 3 - group.len()));
        }
    }
    out
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    base64_of(bytes, *b"+/", true)
}

fn base64url(bytes: &[u8]) -> Vec<u8> {
    base64_of(bytes, *b"-_", false)
}

fn mime(bytes: &[u8]) -> Vec<u8> {
    base64(bytes).chunks(76).collect::<Vec<_>>().join(&b"\r\n"[..])
}

fn base32(bytes: &[u8]) -> Vec<u8> {
    let mut bits: Vec<u8> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    bits.resize(bits.len().next_multiple_of(5), 0);
    bits.chunks(5)
        .map(|five| {
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[five.iter().fold(0, |n, bit| n * 2 + *bit as usize)]
        })
        .collect()
}

fn each(bytes: &[u8], one: impl Fn(u8) -> String) -> Vec<u8> {
    bytes.iter().map(|byte| one(*byte)).collect::<String>().into_bytes()
}

fn utf16le(bytes: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(bytes).encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn utf16be(bytes: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(bytes).encode_utf16().flat_map(u16::to_be_bytes).collect()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn json(bytes: &[u8]) -> Vec<u8> {
    each(bytes, |byte| format!("\\u{byte:04x}"))
}

fn protobuf(bytes: &[u8]) -> Vec<u8> {
    let inner = [&[0x12, bytes.len() as u8], bytes].concat();
    [&[0x08, 0x96, 0x01, 0x1a, inner.len() as u8], &inner[..]].concat()
}

fn msgpack(bytes: &[u8]) -> Vec<u8> {
    [&[0x82, 0xa2, b'i', b'd', 7, 0xa4], &b"card"[..], &[0xd9, bytes.len() as u8], bytes].concat()
}

fn cbor(bytes: &[u8]) -> Vec<u8> {
    [&[0xa2, 0x62, b'i', b'd', 7, 0x64], &b"card"[..], &[0x78, bytes.len() as u8], bytes].concat()
}

/// Name of the encoding in a view, the encoding, and whether a range of a view is told exactly.
const ENCODINGS: [(&str, Encode, bool); 20] = [
    ("json", json, true),
    ("percent", |bytes| each(bytes, |byte| format!("%{byte:02X}")), true),
    ("html", |bytes| each(bytes, |byte| format!("&#{byte};")), true),
    ("html", |bytes| each(bytes, |byte| format!("&#x{byte:x};")), true),
    ("hex", |bytes| each(bytes, |byte| format!("{byte:02x}")), true),
    ("hex", |bytes| [b"\\x".to_vec(), each(bytes, |byte| format!("{byte:02X}"))].concat(), true),
    ("hex", |bytes| each(bytes, |byte| format!("\\x{byte:02x}")), true),
    ("base64", base64, true),
    ("base64", base64url, true),
    ("base64", mime, true),
    ("base32", base32, true),
    ("utf-16", utf16le, true),
    ("utf-16", utf16be, true),
    ("gzip", gzip, false),
    ("zlib", zlib, false),
    ("zstd", zstd, false),
    ("protobuf", protobuf, true),
    ("msgpack", msgpack, true),
    ("cbor", cbor, true),
    ("base64+gzip+json", |bytes| base64(&gzip(&json(bytes))), false),
];

/// Whether some view of this encoding has the value; where it says it stands, with so many bytes
/// around it as encoding units may take up.
pub(super) fn find(bytes: &[u8], encoding: &str, value: &[u8]) -> Option<std::ops::Range<usize>> {
    let views = views(&text(bytes));

    views.iter().filter(|view| view.encoding == encoding).find_map(|view| {
        let at = view.bytes.windows(value.len()).position(|window| window == value)?;
        Some(view.span(at..at + value.len()))
    })
}

#[test]
fn what_was_encoded_is_read_where_it_stands() {
    for (index, (name, encode, exact)) in ENCODINGS.into_iter().enumerate() {
        let plain =
            format!("card number: {VALUE}, mail: bob@firma.de and what else there was to say");
        let encoded = encode(plain.as_bytes());
        let binary = ["protobuf", "msgpack", "cbor"].contains(&name);
        let (before, after) = if binary { ("", "") } else { ("a: \"", "\" b") };
        let bytes = [before.as_bytes(), &encoded, after.as_bytes()].concat();
        let span = find(&bytes, name, VALUE.as_bytes());
        let span = span.unwrap_or_else(|| panic!("{name} ({index}) is not read"));
        let region = before.len()..before.len() + encoded.len();
        assert!(region.start <= span.start && span.end <= region.end, "{name} {index} {span:?}");
        if !exact {
            // The padding says nothing.
            assert!(span.start == region.start && span.end + 2 >= region.end, "{name} {index}");
            continue;
        }
        let is_escape =
            encoded.starts_with(b"\\") || encoded.starts_with(b"%") || encoded.starts_with(b"&");
        if is_escape && !encoded.starts_with(br"\x636") {
            assert_eq!(bytes[span], encode(VALUE.as_bytes()), "{name} {index}");
            continue;
        }
        // With any byte of the span gone, the value is no longer there whole.
        for gone in [span.start, span.end - 1] {
            let mut cut = bytes.clone();
            cut[gone] = if cut[gone] == b'~' { b'!' } else { b'~' };
            assert_eq!(find(&cut, name, VALUE.as_bytes()), None, "{name} {index} {gone} {span:?}");
        }
        let length = encode(b"0123456789abcdefghij").len() * VALUE.len() / 20;
        assert!(span.len() <= length + 8, "{name} {index}: {span:?} for {}", VALUE.len());
    }
}

#[test]
fn nested_encodings_are_read() {
    let escaped = |bytes: &[u8]| serde_json::to_string(&String::from_utf8_lossy(bytes)).unwrap();
    let record = format!("{{\"mail\":\"bob\\u0040firma.de\",\"card\":\"{VALUE}\"}}");
    for (encoding, bytes) in [
        ("base64+gzip+json", base64(&gzip(record.as_bytes()))),
        ("json+json", escaped(record.as_bytes()).into_bytes()),
        ("gzip+base64+json", gzip(&base64(record.as_bytes()))),
        ("percent+base64+json", each(&base64(record.as_bytes()), |byte| format!("%{byte:02x}"))),
        ("base64+utf-16+json", base64(&utf16le(record.as_bytes()))),
        ("hex+zlib+json", each(&zlib(record.as_bytes()), |byte| format!("{byte:02x}"))),
        ("base64+protobuf", base64(&protobuf(b"mail: bob@firma.de"))),
    ] {
        assert!(find(&bytes, encoding, b"bob@firma.de").is_some(), "{encoding}");
    }
}

#[test]
fn numbers_and_names_of_binary_messages_are_read() {
    let card = 4_111_111_111_111_111_u64;
    let mut varint = vec![0x12, 9, 0x0a, 7];
    varint.extend(b"payment");
    varint.push(0x18);
    let mut left = card;
    while left >= 0x80 {
        varint.push(left as u8 | 0x80);
        left >>= 7;
    }
    varint.push(left as u8);
    let map = |head: &[u8], number: u8| [head, &[number], &card.to_be_bytes()].concat();
    for (encoding, bytes, expected) in [
        ("protobuf", varint, "\"f2.f1\": payment\n\"f3\": 4111111111111111\n"),
        (
            "msgpack",
            map(&[&[0x81, 0xa4][..], b"card"].concat(), 0xcf),
            "\"card\": 4111111111111111\n",
        ),
        ("cbor", map(&[&[0xa1, 0x64][..], b"card"].concat(), 0x1b), "\"card\": 4111111111111111\n"),
    ] {
        let span = find(&bytes, encoding, expected.as_bytes());
        assert!(span.is_some(), "{encoding}");
    }
}

#[test]
fn name_of_a_part_is_the_key_of_its_body() {
    let body = "--b\r\nContent-Disposition: form-data; name=\"ssn\"\r\n\r\n123-45-6789\r\n--b\r\n\
                content-disposition: form-data; name=note\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b--";
    let span =
        find(body.as_bytes(), "multipart", b"ssn: 123-45-6789\n\nnote: hi\n").expect("is read");
    assert!(span.start > 0);
    let span = find(body.as_bytes(), "multipart", b"123-45-6789").expect("is read");
    assert_eq!(&body[span], "123-45-6789");
}

/// A message of PostgreSQL.
fn postgres(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 4).unwrap().to_be_bytes();
    [&[kind], &length[..], payload].concat()
}

/// A packet of MySQL that begins a command.
fn mysql(payload: &[u8]) -> Vec<u8> {
    [&[payload.len() as u8, 0, 0, 0], payload].concat()
}

#[test]
fn messages_of_wire_protocols_are_read_as_lines() {
    let insert = b"\0INSERT INTO people (name, ssn, account) VALUES ($1, $2, $3)\0\0\0";
    let values = b"\0\0\0\x03\0\0\0\0\0\x01\0\x03\0\0\0\x03Bob\0\0\0\x0b123-45-6789\0\0\0\x08\0\x0e\x9b\x08\xa5\x68\xf1\xc7\0\0";
    let row = b"\0\x01\0\0\0\x0b123-45-6789";
    let column = b"\0\x01ssn\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let execute = b"\x17\x01\0\0\0\0\x01\0\0\0\0\x01\xfe\0\x08\0\x0b123-45-6789\xc7\xf1\x68\xa5\x08\x9b\x0e\0";
    let question = |labels: &[&[u8]]| {
        let name: Vec<u8> =
            labels.iter().flat_map(|label| [&[label.len() as u8], *label].concat()).collect();
        [&b"\xab\xcd\x01\0\0\x01\0\0\0\0\0\0"[..], &name, b"\0\0\x01\0\x01"].concat()
    };
    let carried = base32(b"ssn 123-45-6789 of bob@firma.de");
    let (left, right) = carried.split_at(20);
    for (encoding, bytes, expected) in [
        ("postgres", postgres(b'Q', b"SELECT '123-45-6789'\0"), "SELECT '123-45-6789'\n"),
        (
            "postgres",
            [postgres(b'P', insert), postgres(b'B', values)].concat(),
            "ssn: 123-45-6789\naccount: 4111111111111111\n",
        ),
        ("postgres", [postgres(b'T', column), postgres(b'D', row)].concat(), "ssn: 123-45-6789\n"),
        ("postgres", postgres(b'd', b"7\t123-45-6789\n"), "7\t123-45-6789\n"),
        ("mysql", mysql(b"\x03SELECT '123-45-6789'"), "SELECT '123-45-6789'\n"),
        ("mysql", mysql(execute), "123-45-6789\n4111111111111111\n"),
        (
            "redis",
            b"*4\r\n$4\r\nHSET\r\n$6\r\nuser:7\r\n$3\r\nssn\r\n$11\r\n123-45-6789\r\n".to_vec(),
            "ssn: 123-45-6789\n",
        ),
        (
            "redis",
            b"*3\r\n$3\r\nSET\r\n$3\r\nssn\r\n$11\r\n123-45-6789\r\n".to_vec(),
            "ssn: 123-45-6789\n",
        ),
        (
            "dns",
            question(&[b"123-45-6789", b"exfil", b"example"]),
            "name: 123-45-6789.exfil.example\n",
        ),
        (
            "dns+base32",
            question(&[left, right, b"exfil", b"example"]),
            "ssn 123-45-6789 of bob@firma.de",
        ),
    ] {
        let mut found = None;
        let text = Text { bytes: &bytes, fresh: 0, part: Part::Text };
        for view in views(&text).iter().filter(|view| view.encoding == encoding) {
            let read =
                view.bytes.windows(expected.len()).position(|part| part == expected.as_bytes());
            found = found.or(read.map(|at| view.span(at..at + expected.len())));
        }
        let span = found.unwrap_or_else(|| panic!("{encoding} {expected:?} is not read"));
        assert!(span.start < span.end && span.end <= bytes.len());
        // What is cut anywhere is borne.
        for cut in 0..bytes.len() {
            views(&Text { bytes: &bytes[..cut], fresh: 0, part: Part::Text });
        }
    }
}

#[test]
fn values_in_protocols_of_lines_stand_in_the_plain_reading() {
    for line in [
        "<34>1 2026-01-01T00:00:00Z host app - - [a@1 ssn=\"123-45-6789\"] said",
        "users.login:1|c|#ssn:123-45-6789,zone:a",
        "MAIL FROM:<bob@firma.de>\r\nDATA\r\nSubject: ssn 123-45-6789\r\n\r\nhi\r\n.\r\n",
    ] {
        let views = views(&Text { bytes: line.as_bytes(), fresh: 0, part: Part::Text });
        let plain = views.iter().next().expect("plain");
        assert_eq!((plain.encoding.as_ref(), &*plain.bytes), ("plain", line.as_bytes()));
    }
}

#[test]
fn quoted_printable_is_read_where_something_says_so() {
    let body = "Content-Transfer-Encoding: quoted-printable\r\n\r\nbob=40firma.de, 4111 1111 11=\r\n11 1111";
    assert!(
        find(body.as_bytes(), "quoted-printable", b"bob@firma.de, 4111 1111 1111 1111").is_some()
    );
    assert!(find(b"=?utf-8?Q?bob=40firma.de?=", "quoted-printable", b"bob@firma.de").is_some());
    assert!(find(b"?limit=20&a=40", "quoted-printable", b"@").is_none());
}

#[test]
fn what_is_no_encoding_makes_no_view() {
    for text in [
        "getElementById('someVeryLongIdentifierThatGoesOn').addEventListener",
        "https://example.org/repos/octo-org/octo-repo/commits/6dcb09b5b57875f334f61aebed695e2e4193db5e",
        "\"id\":\"47223179-9330-4259-b66f-a4d2a6f1e1b0\",\"node_id\":1718000000000,\"n\":123456789012345678",
        "x = a && b; if (c <= d) { e += f - g; }",
        "ETag: \"d41d8cd98f00b204e9800998ecf8427e\" AKIAIOSFODNN7EXAMPLE",
    ] {
        let views = views(&Text { bytes: text.as_bytes(), fresh: 0, part: Part::HttpRequestBody });
        let made: Vec<_> = views.iter().map(|view| view.encoding.to_string()).collect();
        assert_eq!(made, ["plain"], "{text}");
    }
}

#[test]
fn one_escape_in_a_long_text_makes_a_small_view() {
    let mut long = vec![b'a'; 1 << 20];
    long[1 << 19..][..2].copy_from_slice(br"\n");
    let views = views(&text(&long));
    let island = views.iter().nth(1).expect("a view");
    assert!(island.bytes.len() < 2_000 && island.start == End::Edge && island.end == End::Edge);
    assert_eq!(views.iter().count(), 2);
    assert!(island.is_at_edge(&(5..20)) && !island.is_at_edge(&(600..620)));
}

#[test]
fn bombs_are_bounded_and_counted() {
    let zeroes = vec![b'0'; 64 << 20];
    for (name, bomb) in [("gzip", gzip(&zeroes)), ("zlib", zlib(&zeroes)), ("zstd", zstd_bomb())] {
        let views = views(&text(&bomb));
        let total: usize = views.iter().skip(1).map(|view| view.bytes.len()).sum();
        let bound = DECODE_EXPANDED_BYTES_MAX + DECODE_EXPANSION_MAX * bomb.len();
        assert!(total > 0 && total <= bound, "{name}: {total}");
        assert!(views.left_out.expansion > 0, "{name}");
        assert!(views.iter().any(|view| view.encoding == name && view.end == End::Cut), "{name}");
    }
    let many = gzip(b"a").repeat(2_000);
    let views = views(&text(&many));
    assert!(views.iter().count() < 1_200 && views.left_out != LeftOut::default());
}

/// Blocks of one byte that stand for 128 KiB each.
fn zstd_bomb() -> Vec<u8> {
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0x58];
    for _ in 0..1_000 {
        let header = (128_u32 << 10) << 3 | 1 << 1;
        bomb.extend(&header.to_le_bytes()[..3]);
        bomb.push(b'0');
    }
    bomb
}

#[test]
fn depth_is_bounded_and_counted() {
    let mut bytes = b"the end of it, where 4111 1111 1111 1111 stands".to_vec();
    for level in 0..12 {
        bytes = if level % 2 == 0 { base64(&bytes) } else { gzip(&bytes) };
    }
    let views = views(&text(&bytes));
    let deepest = views.iter().map(|view| view.encoding.split('+').count()).max();
    assert!(deepest <= Some(crate::limits::DECODE_DEPTH_MAX));
}

/// A brotli stream of one piece that is not compressed (RFC 7932 section 9.2), which is enough to
/// see that it is decoded.
fn brotli(bytes: &[u8]) -> Vec<u8> {
    // WBITS 16, not last, four nibbles, length less one, not compressed; then last and empty.
    let head = ((bytes.len() as u32 - 1) << 4) | 1 << 20;
    [&head.to_le_bytes()[..3], bytes, &[3]].concat()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder =
        flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressed_bodies_are_read_wherever_sends_cut_them() {
    let body = format!("{{\"card\":\"{VALUE}\",\"note\":\"as it was agreed\"}}");
    let twice: Encode = |bytes| gzip(&zlib(bytes));
    for (field, encode) in [
        ("Content-Encoding: gzip", gzip as Encode),
        ("content-encoding: X-GZIP", gzip),
        ("Content-Encoding: deflate", zlib),
        ("Content-Encoding: deflate", deflate),
        ("Content-Encoding: zstd", zstd),
        ("Content-Encoding: br", brotli),
        ("Content-Encoding: deflate, gzip", twice),
        ("Content-Encoding: deflate\r\nTransfer-Encoding: gzip, chunked", twice),
        ("Content-Encoding: gzip", |bytes| bytes.to_vec()),
    ] {
        let content = encode(body.as_bytes());
        let head = format!("POST /a HTTP/1.1\r\n{field}\r\n");
        let sent = if field.ends_with("chunked") {
            let (first, second) = content.split_at(content.len() / 2);
            let chunk = |piece: &[u8]| {
                [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()
            };
            [format!("{head}\r\n").as_bytes(), &chunk(first), &chunk(second), b"0\r\n\r\n"].concat()
        } else {
            [format!("{head}Content-Length: {}\r\n\r\n", content.len()).as_bytes(), &content]
                .concat()
        };
        for cut in 1..sent.len() {
            let (mut decoder, mut found) = (Decoder::default(), false);
            for piece in [&sent[..cut], &sent[cut..], b"GET / HTTP/1.1\r\n\r\n"] {
                decoder.feed(piece, crate::reassemble::Gap::None, &mut |text| {
                    let body_part = text.part == Part::HttpRequestBody;
                    found |=
                        body_part && text.bytes == body.as_bytes() && text.bytes.len() > text.fresh;
                });
            }
            assert!(found, "{field} cut at {cut}");
        }
    }
}

#[test]
fn compressed_body_that_is_cut_off_is_read_so_far() {
    let lines: String =
        (0..20_000).map(|line| format!("{line} {}\n", line * 7919 % 104_729)).collect();
    let content = gzip(format!("card: {VALUE}\n{lines}").as_bytes());
    let head = "POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 9999999\r\n\r\n";
    let (mut decoder, mut found, mut bytes) = (Decoder::default(), false, 0);
    for piece in [
        head.as_bytes(),
        &content[..content.len() / 3],
        &content[content.len() / 3..content.len() / 2],
    ] {
        decoder.feed(piece, crate::reassemble::Gap::None, &mut |text| {
            found |= text.bytes.windows(VALUE.len()).any(|window| window == VALUE.as_bytes());
            bytes += text.bytes.len() - text.fresh;
        });
    }
    assert!(found && bytes > lines.len() / 3 && bytes < lines.len());
}

#[test]
fn compressed_body_that_is_a_bomb_is_left_out_and_counted() {
    let content = gzip(&vec![b'0'; 64 << 20]);
    let head = "POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 9999999\r\n\r\n";
    let (mut decoder, mut bytes) = (Decoder::default(), 0);
    for piece in [head.as_bytes(), &content] {
        decoder.feed(piece, crate::reassemble::Gap::None, &mut |text| {
            bytes += text.bytes.len() - text.fresh;
        });
    }
    assert!(bytes > 1 << 20 && bytes < 2 << 20, "{bytes}");
    assert_eq!(decoder.take_left_out().expansion, 1);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn what_is_cut_anywhere_is_borne_and_spans_stay_within(
        encoding in 0..ENCODINGS.len(),
        filler in "[ -~]{0,120}",
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let plain = format!("{filler} card: {VALUE} {filler}");
        let mut bytes = (ENCODINGS[encoding].1)(plain.as_bytes());
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let (from, to) = (from.index(bytes.len() + 1), to.index(bytes.len() + 1));
        let bytes = &bytes[from.min(to)..from.max(to)];
        for view in views(&text(bytes)).iter() {
            for offset in 0..=view.bytes.len() {
                let span = view.span(offset..view.bytes.len());
                prop_assert!(span.end <= bytes.len() && span.start <= bytes.len());
                prop_assert!(span.start <= span.end || offset == view.bytes.len(), "{:?}", span);
            }
        }
    }

    #[test]
    fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for view in views(&text(&bytes)).iter() {
            prop_assert!(view.span(0..view.bytes.len()).end <= bytes.len());
        }
    }

    #[test]
    fn beginning_of_what_is_cut_is_read(
        encoding in 0..19_usize,
        filler in "[a-z ]{40,80}",
    ) {
        let (name, encode, _) = ENCODINGS[encoding];
        let whole = encode(format!("card: {VALUE} {filler}{filler}").as_bytes());
        let head = encode(format!("card: {VALUE} {filler}").as_bytes());
        // zstd and short deflate streams have all of it in one block that must be whole.
        if name != "zstd" && name != "gzip" && name != "zlib" {
            let cut = &whole[..head.len().min(whole.len())];
            prop_assert!(find(cut, name, VALUE.as_bytes()).is_some(), "{}", name);
        }
    }
}
