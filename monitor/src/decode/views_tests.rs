//! What the views of a text are, and where their bytes come from. What each encoding reads as is the
//! business of the readings.

use super::*;

fn views_of(bytes: &str) -> Vec<String> {
    let views = views_live(&Text { bytes: bytes.as_bytes(), fresh: 0, part: Part::Text });
    let shown =
        |view: &View<'_>| format!("{} {}", view.encoding, String::from_utf8_lossy(&view.bytes));
    views.iter().map(shown).collect()
}

/// The views of a text but the plain one, as `encoding reading`.
#[track_caller]
fn check_views(bytes: &str, expected: &[&str]) {
    let found = views_of(bytes);
    assert_eq!(found.first(), Some(&format!("plain {bytes}")));
    assert_eq!(found.get(1..).unwrap_or_default(), expected);
}

#[test]
fn text_without_escapes_has_the_plain_view_only() {
    for bytes in ["", "abc", "50% off, 10% more", r"C:\Users\x", "tel +1 202", "a\r\nb", "5%", r"\"]
    {
        check_views(bytes, &[]);
    }
}

#[test]
fn json_escapes_are_undone() {
    check_views(r"a\u0040b\/c\n", &["json a@b/c\n"]);
    check_views(r"\ud83d\uDE00\u00e9", &["json \u{1f600}\u{e9}"]);
    // A surrogate without its other half, and what is cut, stay.
    check_views(r"\ud83d\n\u00", &["json \\ud83d\n\\u00"]);
    check_views(
        r#"{\"a\":\"b\\u0040c\"}"#,
        &[r#"json {"a":"b\u0040c"}"#, r#"json+json {"a":"b@c"}"#],
    );
}

#[test]
fn percent_escapes_are_undone_once() {
    check_views("a%40b%2ecom%", &["percent a@b.com%"]);
    check_views("a%2540b", &["percent a%40b"]);
    check_views("%5Cu0040", &["percent \\u0040", "percent+json @"]);
    check_views(r"a\u002540b", &["json a%40b", "json+percent a@b"]);
}

#[test]
fn escapes_of_several_kinds_near_each_other_are_undone_together() {
    check_views(
        r"\n%40",
        // Each alone as well, where that is short.
        &["json \n%40", "percent \\n@", "json+percent \n@"],
    );
    let nested = r"\u002540&lt;%5Cn";
    check_views(
        nested,
        &[
            r"json %40&lt;%5Cn",
            r"percent \u002540&lt;\n",
            r"html \u002540<%5Cn",
            r"json+percent+html %40<\n",
            "json+percent+html+json %40<\n",
            r"json+percent+html+percent @<\n",
            "json+percent+html+json+percent @<\n",
        ],
    );
    // Where it is long, not.
    let long = views_of(&format!("{nested}{}", "%40 \\n".repeat(1_000)));
    assert!(!long.iter().any(|view| view.starts_with("html ")));
    assert!(long.iter().any(|view| view.starts_with("json+percent+html %40<\\n")));
    // Quoted-printable reads what stands elsewhere, too, and is undone after the others.
    check_views(
        "=?Q?a%40b=20c?=",
        &["percent =?Q?a@b=20c?=", "percent+quoted-printable =?Q?a@b c?="],
    );
    let far = format!("%40{}\\n", "-".repeat(2_000));
    let views = views(&Text { bytes: far.as_bytes(), fresh: 0, part: Part::Text });
    let encodings: Vec<&str> = views.iter().map(|view| view.encoding.as_ref()).collect();
    assert_eq!(encodings, ["plain", "percent", "json"]);
}

#[test]
fn plus_is_a_space_in_a_form_only() {
    check_views("a=1+2&b=+3", &["percent a=1 2&b= 3"]);
    check_views(
        "GET /?card[no]=4111+1111 HTTP/1.1",
        &["percent GET /?card[no]=4111 1111 HTTP/1.1"],
    );
    for bytes in [r#"{"phone":"+1 202"}"#, "1+1=2", "YWJj+ZGVm==", "=+1", "a=1 +2", "a=\"+1\""] {
        check_views(bytes, &[]);
    }
    // A key of something that is written in JSON.
    check_views(r"key=wJ+alr\/XU", &["json key=wJ+alr/XU", "json+percent key=wJ alr/XU"]);
    check_views(
        r"name=a+b\n",
        &["json name=a+b\n", r"percent name=a b\n", "json+percent name=a b\n"],
    );
}

#[test]
fn chunk_framing_in_text_is_removed_in_a_view() {
    check_views("4111 \r\n4;a=b\r\n1111\r\n", &["chunked 4111 1111\r\n"]);
    check_views("a%\r\n2\r\n40", &["chunked a%40", "chunked+percent a@"]);
    check_views("a\r\n123456789\r\nb", &[]);
    let bytes = b"a\r\n1\r\nb";
    let body = Text { bytes, fresh: 0, part: Part::HttpRequestBody };
    assert_eq!(views_live(&body).iter().count(), 1);
}

#[test]
fn span_of_a_view_is_the_source_of_its_bytes() {
    for (bytes, encoding, found, source) in [
        ("x=%34%31+1&", "percent", "41 1", "%34%31+1"),
        (r"\n4111\n", "json", "4111", "4111"),
        (r#""\u0034\u0031""#, "json", "41", r"\u0034\u0031"),
        ("41\r\n2\r\n11\r\n2\r\nxx", "chunked", "4111", "41\r\n2\r\n11"),
        ("%5Cu00341", "percent+json", "41", "%5Cu00341"),
        ("a\r\n9\r\n%34", "chunked+percent", "4", "%34"),
    ] {
        let text = Text { bytes: bytes.as_bytes(), fresh: 0, part: Part::Text };
        let views = views(&text);
        let view = views.iter().find(|view| view.encoding == encoding).expect(encoding);
        let reading = String::from_utf8_lossy(&view.bytes).into_owned();
        let from = reading.find(found).expect(found);
        let span = view.span(from..from + found.len());
        assert_eq!(&bytes[span], source, "{bytes:?}");
        assert_eq!(view.source(view.bytes.len()), bytes.len(), "{bytes:?}");
    }
}

#[test]
fn place_shows_letters_of_keys_only() {
    for (key, expected) in [
        (None, "http.request.body"),
        (Some("card_number"), "http.request.body card_number"),
        (Some("4111111111111111"), "http.request.body"),
        (Some("a1.b-c@\u{e9}"), "http.request.body a.b-c"),
    ] {
        assert_eq!(place(Part::HttpRequestBody, key.map(str::as_bytes)), expected);
    }
    let long = "k".repeat(99);
    assert_eq!(place(Part::Text, Some(long.as_bytes())).len(), "text ".len() + PLACE_KEY_BYTES_MAX);
}

#[test]
fn bytes_with_escapes_undone_are_bounded_and_counted() {
    // Each layer is as long as the text, and has one more in it.
    let text = format!("{}&amp;amp;amp;amp;amp;%2525252525\\n", "4111-".repeat(100)).repeat(400);
    let views = views(&Text { bytes: text.as_bytes(), fresh: 0, part: Part::Text });
    let undone: usize = views.iter().skip(1).map(|view| view.bytes.len()).sum();
    assert!(undone > 2 * text.len() && undone <= 3 * text.len() + (16 << 10), "{undone}");
    assert!(views.left_out.undone > 0, "{:?}", views.left_out);
}
