//! Frames in, texts out.

use super::readings::gzip;
use super::{Decoder, Part};
use crate::reassemble::Gap;

const PREFACE: &[u8] = super::http2::PREFACE;
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The part and the fresh bytes of each text.
fn decode(sends: &[&[u8]]) -> Vec<(Part, String)> {
    let (mut decoder, mut texts) = (Decoder::default(), Vec::new());
    for send in sends {
        decoder.feed(send, Gap::None, &mut |text| {
            texts
                .push((text.part, String::from_utf8_lossy(&text.bytes[text.fresh..]).into_owned()));
        });
    }
    texts
}

/// RFC 7541 appendix C.4: three requests on one connection, Huffman-coded.
const REQUESTS: [(&[u8], &str); 2] = [
    (
        &[
            0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab,
            0x90, 0xf4, 0xff,
        ],
        ":method: GET\r\n:scheme: http\r\n:path: /\r\n:authority: www.example.com\r\n",
    ),
    (
        &[0x82, 0x86, 0x84, 0xbe, 0x58, 0x86, 0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf],
        ":method: GET\r\n:scheme: http\r\n:path: /\r\n:authority: www.example.com\r\ncache-control: no-cache\r\n",
    ),
];

#[test]
fn header_blocks_are_read_wherever_sends_cut_them() {
    let [(first, first_lines), (second, second_lines)] = REQUESTS;
    let (begin, rest) = second.split_at(5);
    let sent = [
        PREFACE,
        SETTINGS,
        &frame(1, 0x5, 1, first),
        &frame(1, 0x1, 3, begin),
        &frame(9, 0x4, 3, rest),
    ]
    .concat();
    for cut in PREFACE.len()..sent.len() {
        let texts = decode(&[&sent[..cut], &sent[cut..]]);
        let expected =
            [first_lines, second_lines].map(|lines| (Part::HttpRequestHead, lines.to_owned()));
        assert_eq!(texts, expected, "cut at {cut}");
    }
}

#[test]
fn data_of_a_stream_is_its_body_with_codings_undone() {
    let body = "{\"card\":\"4111 1111 1111 1111\"}";
    let content = gzip(body.as_bytes());
    // Index 3 is POST; 26 is content-encoding, with a literal value.
    let head = [&[0x83, 0x5a, 4][..], b"gzip"].concat();
    let (first, second) = content.split_at(15);
    let sent = [
        &frame(1, 0x4, 5, &head),
        &frame(1, 0x4, 7, &[0x83]),
        &frame(0, 0x8, 5, &[&[3], first, &[0, 0, 0]].concat()),
        &frame(0, 0, 7, b"ssn: 123-"),
        &frame(0, 0x1, 5, second),
        &frame(0, 0x1, 7, b"45-6789"),
    ]
    .into_iter()
    .flatten()
    .copied()
    .collect::<Vec<u8>>();
    for cut in 9..sent.len() {
        let first = [PREFACE, SETTINGS, &sent[..cut]].concat();
        let (mut decoder, mut bodies) = (Decoder::default(), Vec::new());
        for send in [&first, &sent[cut..]] {
            decoder.feed(send, Gap::None, &mut |text| {
                if text.part == Part::HttpRequestBody {
                    bodies.push(String::from_utf8_lossy(text.bytes).into_owned());
                }
            });
        }
        assert!(bodies.iter().any(|text| text == body), "cut at {cut}: {bodies:?}");
        assert!(bodies.iter().any(|text| text == "ssn: 123-45-6789"), "cut at {cut}: {bodies:?}");
    }
}

#[test]
fn connection_that_is_joined_in_the_middle_is_read() {
    let [_, (second, _)] = REQUESTS;
    let sent = [frame(1, 0x5, 3, second), frame(8, 0, 0, &[0, 0, 0, 1])].concat();
    let texts = decode(&[&sent]);
    let lines = ":method: GET\r\n:scheme: http\r\n:path: /\r\n?: \r\ncache-control: no-cache\r\n";
    assert_eq!(texts, [(Part::HttpRequestHead, lines.to_owned())]);
    for text in ["\0\0\0", "abc", "\n\n\n\n\n\n\n\n\n\n\n"] {
        assert_eq!(decode(&[text.as_bytes()]), [(Part::Text, text.to_owned())]);
    }
}

proptest::proptest! {
    #[test]
    fn any_frames_are_borne(
        frames in proptest::collection::vec(
            (0_u8..12, proptest::num::u8::ANY, 0_u32..5, proptest::collection::vec(proptest::num::u8::ANY, 0..40)),
            0..20,
        ),
        cut in 1_usize..50,
    ) {
        let sent: Vec<u8> = frames.iter().flat_map(|(kind, flags, stream, payload)| frame(*kind, *flags, *stream, payload)).collect();
        let mut decoder = Decoder::default();
        decoder.feed(PREFACE, Gap::None, &mut |_| {});
        for piece in sent.chunks(cut) {
            decoder.feed(piece, Gap::None, &mut |_| {});
        }
        decoder.feed(&sent, Gap::Bytes(7), &mut |_| {});
    }
}
