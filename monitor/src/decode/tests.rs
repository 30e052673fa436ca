//! Feeds in, texts out, as data; and that no cut anywhere hides a value.

use proptest::prelude::*;

use super::*;
use crate::limits::{FLOW_CARRY_BYTES_MAX, HTTP_HEAD_BYTES_MAX};
use crate::reassemble::Gap;

const POST: &str = "POST /a HTTP/1.1\r\nContent-Length: 10\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n";

/// A feed of bytes that join.
fn joins(bytes: &str) -> (Gap, &[u8]) {
    (Gap::None, bytes.as_bytes())
}

/// A feed of bytes after a gap.
fn after(missing: u64, bytes: &str) -> (Gap, &[u8]) {
    (Gap::Bytes(missing), bytes.as_bytes())
}

/// A text, owned: part, carry, fresh bytes.
type Owned = (Part, Vec<u8>, Vec<u8>);

fn decode(feeds: &[(Gap, &[u8])]) -> Vec<Owned> {
    let mut decoder = Decoder::default();
    let mut texts = Vec::new();
    for (gap, bytes) in feeds {
        decoder.feed(bytes, *gap, &mut |text| {
            let (carry, fresh) = text.bytes.split_at(text.fresh);
            texts.push((text.part, carry.to_vec(), fresh.to_vec()));
        });
    }
    texts
}

/// What comes out is `part carry|fresh`, with the part's initials: `qh` for a head of a request,
/// `sb` for the body of a response, `t` for text.
#[track_caller]
fn check(feeds: &[(Gap, &[u8])], expected: &[&str]) {
    let texts: Vec<String> = decode(feeds)
        .iter()
        .map(|(part, carry, fresh)| {
            let part = match part {
                Part::HttpRequestHead => "qh",
                Part::HttpRequestBody => "qb",
                Part::HttpRequestTrailer => "qt",
                Part::HttpResponseHead => "sh",
                Part::HttpResponseBody => "sb",
                Part::HttpResponseTrailer => "st",
                Part::Text => "t",
            };
            let [carry, fresh] = [carry, fresh].map(|bytes| String::from_utf8_lossy(bytes));
            format!("{part} {carry}|{fresh}")
        })
        .collect();
    assert_eq!(texts, expected);
}

#[test]
fn bytes_that_are_no_http_are_text_that_joins() {
    check(
        &[joins("4111 "), joins("1111"), joins("!")],
        &["t |4111 ", "t 4111 |1111", "t 4111 1111|!"],
    );
    check(&[joins(""), joins("a"), joins("")], &["t |a"]);
}

#[test]
fn nothing_joins_across_a_gap() {
    check(&[joins("4111 "), after(1, "1111")], &["t |4111 ", "t |1111"]);
    check(&[joins("4111 "), (Gap::Unknown, b"1111")], &["t |4111 ", "t |1111"]);
    check(&[joins("4111 "), after(0, "1111")], &["t |4111 ", "t 4111 |1111"]);
}

#[test]
fn body_ends_where_its_length_says() {
    let sends = format!("{POST}0123456789{POST}abcdefghij");
    let post = &format!("qh |{POST}");
    check(&[joins(&sends)], &[post, "qb |0123456789", post, "qb |abcdefghij"]);
    check(&[joins(POST), joins("01234"), joins("56789")], &[post, "qb |01234", "qb 01234|56789"]);
}

#[test]
fn head_may_be_cut_anywhere() {
    for cut in 1..POST.len() {
        let (first, second) = POST.split_at(cut);
        let rest = format!("{second}0123456789");
        let texts = decode(&[joins(first), joins(&rest)]);
        let last = texts.last().map(|(part, carry, fresh)| (*part, carry.len(), fresh.as_slice()));
        assert_eq!(last, Some((Part::HttpRequestBody, 0, &b"0123456789"[..])), "cut at {cut}");
        let (part, carry, fresh) = &texts[1];
        assert_eq!(*part, Part::HttpRequestHead);
        assert_eq!([carry.as_slice(), fresh].concat(), POST.as_bytes(), "cut at {cut}");
    }
}

#[test]
fn messages_without_body_end_with_their_head() {
    for head in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "DELETE /a HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 204\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
    ] {
        let part = if head.starts_with("HTTP") { "sh" } else { "qh" };
        let expected = format!("{part} |{head}");
        check(&[joins(&format!("{head}{head}")), joins(head)], &[&expected, &expected, &expected]);
    }
}

#[test]
fn empty_lines_before_a_message_are_skipped() {
    check(
        &[joins(&format!("{POST}0123456789\r\n{POST}abcdefghij"))],
        &[&format!("qh |{POST}"), "qb |0123456789", &format!("qh |\r\n{POST}"), "qb |abcdefghij"],
    );
}

#[test]
fn response_without_length_goes_on_to_the_close() {
    let head = "HTTP/1.0 200 OK\r\nServer: a\r\n\r\n";
    check(
        &[joins(head), joins("abc"), joins("def"), after(9, "ghi")],
        &[&format!("sh |{head}"), "sb |abc", "sb abc|def", "sb |ghi"],
    );
}

#[test]
fn response_to_a_head_request_has_no_body() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n";
    let expected = &format!("sh |{head}");
    check(&[joins(&format!("{head}{head}")), joins(head)], &[expected, expected, expected]);
}

#[test]
fn chunk_framing_is_removed() {
    let head = &format!("sh |{CHUNKED}");
    check(
        &[joins(&format!("{CHUNKED}5\r\n4111 \r\n00A\r\n1111 1111 \r\n0\r\n\r\n"))],
        &[head, "sb |4111 1111 1111 "],
    );
    let body = "5\r\n4111 \r\n4\r\n1111\r\n0\r\n\r\n";
    for cut in 1..body.len() {
        let (first, second) = body.split_at(cut);
        let texts = decode(&[joins(CHUNKED), joins(first), joins(second), joins(CHUNKED)]);
        let whole = texts
            .iter()
            .any(|(_, carry, fresh)| [carry.as_slice(), fresh].concat() == b"4111 1111");
        assert!(whole, "cut at {cut}");
        assert_eq!(texts.last().map(|text| text.0), Some(Part::HttpResponseHead), "cut at {cut}");
    }
}

#[test]
fn chunk_extension_and_trailer_are_texts_of_their_own() {
    let head = &format!("sh |{CHUNKED}");
    let next = "HTTP/1.1 204 No Content\r\n\r\n";
    check(
        &[
            joins(CHUNKED),
            joins("4;a=4111\r\nabcd\r\n0\r\nA: 1\r\nB"),
            joins(&format!(": 2\r\n\r\n{next}")),
        ],
        &[
            head,
            "t |4;a=4111\r\n",
            "sb |abcd",
            "st |A: 1\r\nB",
            "st A: 1\r\nB|: 2\r\n\r\n",
            &format!("sh |{next}"),
        ],
    );
    check(
        &[joins(CHUNKED), joins("4;a=41"), joins("11\r\nabcd")],
        &[head, "t |4;a=41", "t 4;a=41|11\r\n", "sb |abcd"],
    );
}

#[test]
fn framing_that_is_wrong_is_text_that_joins() {
    let head = &format!("sh |{CHUNKED}");
    check(
        &[joins(CHUNKED), joins("4\r\n4111\r\n1"), joins("11x"), joins("y")],
        &[head, "sb |4111", "t 4111|\r\n111x", "t 4111\r\n111x|y"],
    );
    check(&[joins(CHUNKED), joins("123456789\r\n")], &[head, "t |123456789\r\n"]);
    check(
        &[joins(POST), joins("0123456789 rest"), joins("!")],
        &[&format!("qh |{POST}"), "qb |0123456789", "t 0123456789| rest", "t 0123456789 rest|!"],
    );
}

#[test]
fn message_at_the_start_of_a_send_ends_a_body_that_is_short() {
    let post = &format!("qh |{POST}");
    check(&[joins(POST), joins("0123"), joins(POST)], &[post, "qb |0123", post]);
    // Empty lines before it may be the end of the body.
    check(
        &[joins(POST), joins("012345678"), joins(&format!("\n{POST}"))],
        &[post, "qb |012345678", "qb 012345678|\n", post],
    );
    // The last letter of a body is no beginning of a method.
    check(
        &[joins(POST), joins("012345678"), joins(&format!("A{POST}"))],
        &[post, "qb |012345678", "qb 012345678|A", post],
    );
    // The other direction's start line is content.
    check(
        &[joins(POST), joins("0123"), joins("HTTP/1.1 200 OK\r\n")],
        &[post, "qb |0123", "qb 0123|HTTP/1", "t 0123HTTP/1|.1 200 OK\r\n"],
    );
}

#[test]
fn message_within_a_chunk_is_content() {
    let inner = "HTTP/1.1 200 OK\r\n\r\n";
    check(
        &[joins(CHUNKED), joins("13\r\n"), joins(inner), joins("\r\n"), joins(inner)],
        &[
            &format!("sh |{CHUNKED}"),
            &format!("sb |{inner}"),
            &format!("t {inner}|\r\n"),
            &format!("sh |{inner}"),
        ],
    );
}

#[test]
fn gap_within_a_body_is_taken_off_its_length() {
    let post = &format!("qh |{POST}");
    check(
        &[joins(POST), joins("01"), after(3, "567"), joins("89x")],
        &[post, "qb |01", "qb |567", "qb 567|89", "t 56789|x"],
    );
    check(&[joins(POST), after(10, POST)], &[post, post]);
    check(&[joins(POST), after(11, "567")], &[post, "t |567"]);
}

#[test]
fn gap_within_a_chunk_is_taken_off_its_size() {
    let head = &format!("sh |{CHUNKED}");
    check(
        &[joins(CHUNKED), joins("9\r\nab"), after(5, "hi\r\n1\r\nj")],
        &[head, "sb |ab", "sb |hij"],
    );
    check(&[joins(CHUNKED), joins("9\r\nab"), after(7, "\r\n1\r\nj")], &[head, "sb |ab", "sb |j"]);
    check(
        &[joins(CHUNKED), joins("9\r\nab"), after(8, "\n1\r\nj"), joins(CHUNKED)],
        &[head, "sb |ab", "t |\n1\r\nj", head],
    );
    // What was kept as framing is handed on.
    check(
        &[joins(CHUNKED), joins("1\r\na\r\n41"), after(1, "x")],
        &[head, "sb |a", "t a|\r\n41", "t |x"],
    );
}

#[test]
fn gap_within_a_head_makes_text() {
    check(
        &[joins("GET / HTTP/1.1\r\nA"), after(3, "b\r\n\r\n"), joins(POST)],
        &["qh |GET / HTTP/1.1\r\nA", "t |b\r\n\r\n", &format!("qh |{POST}")],
    );
}

#[test]
fn text_that_begins_like_a_message_keeps_what_was_before() {
    let sends: Vec<(Gap, &[u8])> =
        b"GB82WEST1234".chunks(1).map(|byte| (Gap::None, byte)).collect();
    let (_, carry, fresh) = decode(&sends).pop().expect("a text");
    assert_eq!([carry, fresh].concat(), b"GB82WEST1234");
    check(
        &[joins("PUT 41111111"), joins("11111111 x")],
        &["t |PUT 41111111", "t PUT 41111111|11111111 x"],
    );
    check(&[joins("HELLO"), joins(POST)], &["t |HELLO", &format!("qh HELLO|{POST}")]);
    check(&[joins("HELLO\n"), joins(POST)], &["t |HELLO\n", &format!("qh |{POST}")]);
}

#[test]
fn head_that_turns_out_to_be_none_is_text_that_joins() {
    check(
        &[joins("GET / HTTP/1.1\r\nA: 41"), joins("11\r\nnothing\r\n"), joins("x")],
        &[
            "qh |GET / HTTP/1.1\r\nA: 41",
            "t GET / HTTP/1.1\r\nA: 41|11\r\nnothing\r\n",
            "t GET / HTTP/1.1\r\nA: 4111\r\nnothing\r\n|x",
        ],
    );
    let line = format!("A: {}\r\n", "b".repeat(HTTP_HEAD_BYTES_MAX));
    let texts = decode(&[joins("GET / HTTP/1.1\r\n"), joins(&line), joins("x")]);
    assert_eq!(texts.last().map(|text| text.0), Some(Part::Text));
}

#[test]
fn lengths_that_contradict_are_not_believed() {
    for (fields, body, rest) in [
        ("Content-Length: 2\r\ncontent-length: 2", "qb |ab", "t ab|cd"),
        ("Content-Length: 2, 2", "qb |ab", "t ab|cd"),
        ("A: b\r\n Content-Length: 3\r\nContent-Length:\t2 ", "qb |ab", "t ab|cd"),
    ] {
        let head = format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
        check(&[joins(&format!("{head}abcd"))], &[&format!("qh |{head}"), body, rest]);
    }
    for fields in [
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: +2",
        "Content-Length: 99999999999999999999",
        "Content-Length: 2\r\nTransfer-Encoding: gzip",
    ] {
        let head = format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
        check(&[joins(&format!("{head}abcd"))], &[&format!("qh |{head}"), "qb |abcd"]);
    }
}

#[test]
fn what_follows_an_upgrade_is_text() {
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: a\r\n\r\n";
    check(&[joins(head), joins("abc")], &[&format!("sh |{head}"), &format!("t {head}|abc")]);
}

#[test]
fn carry_is_bounded() {
    let long = "a".repeat(3 * FLOW_CARRY_BYTES_MAX);
    for (_, carry, _) in decode(&[joins(&long), joins("b"), joins(&long), joins("c")]) {
        assert!(carry.len() <= FLOW_CARRY_BYTES_MAX);
    }
}

/// A message with its body as it is on the wire, and without framing.
fn message() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let body = prop::collection::vec(prop_oneof![any::<u8>(), Just(b'4'), Just(b'\n')], 1..80);
    let chunks = prop::collection::vec(body, 1..5);
    (chunks, any::<bool>()).prop_map(|(chunks, chunked)| {
        let body = chunks.concat();
        let mut wire = b"POST /a HTTP/1.1\r\n".to_vec();
        if chunked {
            wire.extend(b"Transfer-Encoding: chunked\r\n\r\n");
            for chunk in &chunks {
                wire.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                wire.extend(chunk);
                wire.extend(b"\r\n");
            }
            wire.extend(b"0\r\n\r\n");
        } else {
            wire.extend(format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes());
            wire.extend(&body);
        }
        (wire, body)
    })
}

fn cut(wire: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
    let (mut rest, mut pieces) = (wire, Vec::new());
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at((*size).min(rest.len()));
        pieces.push(piece.to_vec());
        rest = after;
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cuts_do_not_change_the_bodies(
        messages in prop::collection::vec(message(), 1..5),
        sizes in prop::collection::vec(1_usize..60, 1..8),
    ) {
        let wire: Vec<u8> = messages.iter().flat_map(|(wire, _)| wire.clone()).collect();
        let bodies: Vec<u8> = messages.iter().flat_map(|(_, body)| body.clone()).collect();
        let pieces = cut(&wire, &sizes);
        let feeds: Vec<(Gap, &[u8])> = pieces.iter().map(|piece| (Gap::None, &piece[..])).collect();
        let texts = decode(&feeds);
        let found: Vec<u8> = texts
            .iter()
            .filter(|text| text.0 == Part::HttpRequestBody)
            .flat_map(|text| text.2.clone())
            .collect();
        prop_assert_eq!(found, bodies);
        // Each body as far as the carry goes stands whole in one text that ends in new bytes.
        for (_, body) in &messages {
            let whole = texts.iter().any(|(_, carry, fresh)| {
                let text = [carry.as_slice(), fresh].concat();
                !fresh.is_empty() && text.windows(body.len()).any(|window| window == body)
            });
            prop_assert!(whole);
        }
    }

    #[test]
    fn value_over_any_cuts_stands_whole_in_a_text_that_reports_it(
        before in "[ -~\r\n]{0,300}",
        after in "[ -~\r\n]{0,300}",
        sizes in prop::collection::vec(1_usize..40, 1..8),
    ) {
        const VALUE: &[u8] = b"\x014111 1111 1111 1111\x01";
        let wire = [before.as_bytes(), VALUE, after.as_bytes()].concat();
        let pieces = cut(&wire, &sizes);
        let feeds: Vec<(Gap, &[u8])> = pieces.iter().map(|piece| (Gap::None, &piece[..])).collect();
        let reports = decode(&feeds).iter().any(|(_, carry, fresh)| {
            let text = [carry.as_slice(), fresh].concat();
            let at = text.windows(VALUE.len()).position(|window| window == VALUE);
            at.is_some_and(|at| at + VALUE.len() > carry.len())
        });
        prop_assert!(reports);
    }

    #[test]
    fn every_byte_of_plain_bytes_comes_out_once(
        feeds in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..20),
    ) {
        let joined: Vec<(Gap, &[u8])> = feeds.iter().map(|feed| (Gap::None, &feed[..])).collect();
        let found: Vec<u8> = decode(&joined).into_iter().flat_map(|text| text.2).collect();
        prop_assert_eq!(found, feeds.concat());
    }

    #[test]
    fn anything_after_anything_is_borne(
        feeds in prop::collection::vec((pieces_of_http(), 0_u64..40), 0..30),
    ) {
        let feeds: Vec<(Gap, &[u8])> = feeds
            .iter()
            .map(|(bytes, gap)| match gap {
                0..20 => (Gap::None, &bytes[..]),
                39 => (Gap::Unknown, &bytes[..]),
                gap => (Gap::Bytes(gap - 19), &bytes[..]),
            })
            .collect();
        for (part, carry, fresh) in decode(&feeds) {
            prop_assert!(!fresh.is_empty() && carry.len() <= FLOW_CARRY_BYTES_MAX);
            let bytes = &[carry, fresh].concat()[..];
            for view in views_live(&Text { bytes, fresh: 0, part }).iter() {
                let known = |name: &str| ["plain", "json", "percent", "chunked"].contains(&name);
                if !view.encoding.split('+').all(known) {
                    // What else is undone may grow, and maps back to a region.
                    let span = view.span(0..view.bytes.len());
                    prop_assert!(span.start <= span.end && span.end <= bytes.len());
                    continue;
                }
                prop_assert!(view.bytes.len() <= bytes.len());
                let end = view.source(view.bytes.len());
                prop_assert!(end == bytes.len() || (view.end == End::Edge && end < bytes.len()));
                let mut last = 0;
                for offset in 0..=view.bytes.len() {
                    prop_assert!(view.source(offset) >= last);
                    last = view.source(offset);
                    let span = view.span(offset..offset);
                    prop_assert!(span.end <= span.start && span.start <= bytes.len());
                }
            }
        }
    }

    #[test]
    fn json_strings_come_out_as_they_went_in(value in any::<String>(), all in any::<bool>()) {
        let escaped: String = if all {
            value.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
        } else {
            let quoted = serde_json::to_string(&value).expect("a string");
            quoted[1..quoted.len() - 1].to_owned()
        };
        let text = Text { bytes: escaped.as_bytes(), fresh: 0, part: Part::HttpRequestBody };
        let views = views(&text);
        prop_assert!(views.iter().any(|view| *view.bytes == *value.as_bytes()));
    }

    #[test]
    fn percent_encoding_comes_out_as_it_went_in(
        value in prop::collection::vec((any::<u8>(), any::<bool>()), 0..60),
    ) {
        let mut escaped = "key=".to_owned();
        for (byte, upper) in &value {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => escaped.push(char::from(*byte)),
                b' ' => escaped.push('+'),
                byte if *upper => escaped += &format!("%{byte:02X}"),
                byte => escaped += &format!("%{byte:02x}"),
            }
        }
        let plain: Vec<u8> =
            b"key=".iter().copied().chain(value.into_iter().map(|(byte, _)| byte)).collect();
        let views = views(&Text { bytes: escaped.as_bytes(), fresh: 0, part: Part::HttpRequestBody });
        prop_assert!(views.iter().any(|view| *view.bytes == *plain));
    }
}

/// Bytes that drive the decoder into all its states.
fn pieces_of_http() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(POST.as_bytes().to_vec()),
        Just(CHUNKED.as_bytes().to_vec()),
        Just(b"GET / HTTP/1.1\r\n".to_vec()),
        Just(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n".to_vec()),
        Just(b"4\r\n4111\r\n".to_vec()),
        Just(b"\r\n3;a=b\r\n".to_vec()),
        Just(b"0\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(br"a=%40+\u0040\n%5cu0034&".to_vec()),
        prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec((piece, 0_usize..60), 0..6).prop_map(|pieces| {
        let cut = |(mut piece, len): (Vec<u8>, usize)| {
            piece.truncate(len);
            piece
        };
        pieces.into_iter().flat_map(cut).collect()
    })
}
