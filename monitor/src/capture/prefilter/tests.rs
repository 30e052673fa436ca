//! Shapes at every alignment, what is passed over, and what is told to be encoded.

use std::sync::LazyLock;

use super::*;

static PREFILTER: LazyLock<Prefilter> = LazyLock::new(|| narrow(Shape::NARROW));

fn narrow(shapes: impl IntoIterator<Item = Shape>) -> Prefilter {
    let prefilter = Prefilter::new(&Needs::of_shapes(shapes), OpaqueBudget::default()).unwrap();
    assert!(prefilter.fallback().is_none(), "{:?}", prefilter.fallback());
    prefilter
}

#[track_caller]
fn check(text: &str, expected: bool) {
    let prefilter = &*PREFILTER;
    for lead in 0..17 {
        let text = [&vec![b'x'; lead][..], b" ", text.as_bytes()].concat();
        assert_eq!(prefilter.passes(&text), expected, "{:?}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn shapes_of_findings_pass_at_every_alignment() {
    for text in [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111.1111+1111",
        "219-09-9999",
        "219099999 ",
        "219099999",
        "bob@example.org",
        "bob%40example.org",
        "bob\\u0040example.org",
        "+1 (415) 555-2671",
        "%2B14155552671",
        "DE89370400440532013000",
        "GI75NWBK000000007099453",
        "KZ86 ABCDEFGHIJKLMNOP",
        "%34111",
        "4111%201111",
        "4\u{a0}1",
        "4\r\n5\r\n111",
        "DE\r\na\r\n89ABCDEFGH",
    ] {
        check(text, true);
    }
}

#[test]
fn machine_traffic_is_passed_over() {
    for text in [
        "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Tue, 24 Nov 2026 08:02:18 GMT\r\n\
         Content-Type: text/html\r\nContent-Length: 615\r\nETag: \"6740f1a2-267\"\r\n\r\n",
        "GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/7.88.1\r\n\r\n",
        "Cache-Control: max-age=31536000\r\nAccept-Ranges: bytes",
        "2026-11-24 08:02:18",
        "2026-11-24T08:02:18Z",
        "1795507338",
        "{\"a\":12345678,\"b\":\"3e25960a-79db\"}",
    ] {
        check(text, false);
    }
}

#[test]
fn a_card_with_any_separators_passes_wherever_it_stands_and_is_cut() {
    let prefilter = &*PREFILTER;
    for separators in 0..1 << 12 {
        let digit = |at: usize| if at > 0 && separators >> (at - 1) & 1 == 1 { "-1" } else { "1" };
        let card: String = (0..13).map(digit).collect();
        for lead in 0..8 {
            let text = [&"xxxxxxxx "[8 - lead..], &card, " and"].concat().into_bytes();
            assert!(prefilter.passes(&text), "{card} at {lead}");
            let cut = lead + 1 + separators % card.len();
            let (first, state) = prefilter.scan(BASE, b"", &text[..cut]);
            let (second, _) = prefilter.scan(state, &text[..cut], &text[cut..]);
            assert!(passes([first, second]), "{card} at {lead}, cut at {cut}");
        }
    }
}

#[test]
fn a_shape_split_over_two_texts_at_any_place_passes_at_the_second() {
    let prefilter = &*PREFILTER;
    let text = b"{\"card\":\"4111-1111-1111-1111\"}";
    for cut in 0..text.len() {
        let (first, state) = prefilter.scan(BASE, b"", &text[..cut]);
        let (second, _) = prefilter.scan(state, &text[..cut], &text[cut..]);
        assert!(passes([first, second]), "cut at {cut}");
    }
}

#[test]
fn the_table_fits_with_room_to_spare() {
    let prefilter = &*PREFILTER;
    let used = prefilter.states() * (usize::from(prefilter.automaton.end_class) + 1);
    assert!(used * 4 < TABLE_ENTRIES * 3, "{used} of {TABLE_ENTRIES} entries");
}

fn passes(verdicts: [Verdict; 2]) -> bool {
    verdicts.iter().any(|verdict| *verdict != Verdict::Clear)
}

#[test]
fn each_width_fits() {
    let wide = [Shape::Digits, Shape::Mixed, Shape::Secret];
    for own in [&[][..], &wide[..1], &wide[1..2], &wide[2..], &wide] {
        let needs = Needs::of_shapes(Shape::NARROW.into_iter().chain(own.iter().copied()));
        match automaton::build(&needs) {
            Ok(built) => {
                println!("{needs}: {} states of {} classes", built.states, built.end_class + 1)
            }
            Err(error) => panic!("{needs}: {error}"),
        }
    }
}

#[test]
fn what_takes_all_is_not_scanned() {
    let all = narrow([Shape::All]);
    assert_eq!(all.scan(BASE, b"", b"hello").0, Verdict::Hit);
}

/// What a scan says of a text behind leads of every length.
#[track_caller]
fn check_verdict(text: &[u8], expected: Verdict) {
    for lead in 0..17 {
        let text = [&vec![b'x'; lead][..], b" ", text, b" "].concat();
        let (verdict, _) = PREFILTER.scan(BASE, b"", &text);
        assert_eq!(verdict, expected, "{:?}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn stretches_that_are_encoded_are_told() {
    for text in [
        "c3NuOiAyMTktMDktOTk5OQ==",
        "IGJvYkBleGFtcGxlLm9yZyA=",
        "NDExMTExMTExMTExMTExMQ==",
        "IjQxMTExMTExMTExMTExMTEi",
        "3231392d30392d3939393920",
        "626f62406578616d706c652e6f7267",
        "626F62406578616D706C652E6F7267",
        "H4sIAAAAAAAAAzM0NDQ0NDQ0NDQ0NDQ0BAAAAP//",
    ] {
        check_verdict(text.as_bytes(), Verdict::Encoded);
    }
}

#[test]
fn words_and_ids_are_not_encoded() {
    for text in [
        "Strict-Transport-Security: max-age",
        "Access-Control-Allow-Origin",
        "Upgrade-Insecure-Requests",
        "application/x-www-form-urlencoded",
        "/usr/share/nginx/html/index",
        "3e25960a-79db-4a1f-9c0d-0f2e6d1b7a55",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "lastTransitionTime terminationMessagePath",
        "preferredDuringSchedulingIgnoredDuringExecution",
        "CONSTANT_NAMES_ARE_IN_CAPITALS",
    ] {
        check_verdict(text.as_bytes(), Verdict::Clear);
    }
}

#[test]
fn what_is_no_text_is_opaque_or_encoded() {
    check_verdict(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x33\x34\x04\x92", Verdict::Opaque);
    check_verdict(b"\x28\xb5\x2f\xfd\x24", Verdict::Opaque);
    check_verdict(b"caf\xe9", Verdict::Opaque);
    check_verdict(b"\x08\xc7\xe3\xb7\xd6\xd8\xdc\x03", Verdict::Opaque);
    check_verdict(b"b\x00o\x00b\x00", Verdict::Encoded);
    check_verdict("caf\u{e9} \u{20ac}5 \u{6f22}\u{5b57}".as_bytes(), Verdict::Clear);
}
