//! That the names which stand beside values, in rows of pages and in entries of maps, are read as
//! their keys. How bytes are encoded is the business of the readings.

use super::readings::{find, text};
use super::*;

#[test]
fn headings_of_rows_are_names_of_their_values() {
    for (page, expected) in [
        ("<tr><th>full name</th><td>Carol Lindqvist</td></tr>", "\"full name\": Carol Lindqvist\n"),
        ("<TH class='a'>pin</TH>\n  <TD id=b>9271</TD>", "\"pin\": 9271\n"),
        ("<dl><dt>password</dt><dd>zw&#81;Qu</dd></dl>", "\"password\": zwQQu\n"),
        ("<th>a</th><td>1<th>b</th><td>2</td>", "\"b\": 2\n"),
    ] {
        let span = find(page.as_bytes(), "html", expected.as_bytes());
        assert!(span.is_some(), "{page}");
    }
    let span = find(b"<th>pin</th><td>9271</td>", "html", b"9271");
    assert_eq!(span, Some(16..20));
    // Headings of columns name no value beside them.
    for page in ["<th>pin</th><th>9271</th>", "<th>pin</th><td", "<th>pin", "<thead><td>9</td>"] {
        assert!(views(&text(page.as_bytes())).iter().all(|view| view.encoding != "html"), "{page}");
    }
}

/// A field of protobuf that has a length.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
}

#[test]
fn name_of_a_map_entry_follows_the_path_of_its_value() {
    let entry = |key: &[u8], value: &[u8]| field(3, &[field(1, key), field(2, value)].concat());
    for (bytes, expected) in [
        (entry(b"full_name", b"Carol Lindqvist"), "\"f3.f2.full_name\": Carol Lindqvist\n"),
        (entry(b"full name", b"Carol Lindqvist"), "\"f3.f2.full name\": Carol Lindqvist\n"),
        (entry(b"password", &field(1, b"zwQQu.mUm7x")), "\"f3.f2.f1.password\": zwQQu.mUm7x\n"),
        (
            entry(b"user", &field(7, &entry(b"password", b"zwQQu.mUm7x"))),
            "\"f3.f2.f7.f3.f2.user.password\": zwQQu.mUm7x\n",
        ),
        // What is no name names nothing.
        (entry(b"4711 Main Street", b"Springfield"), "\"f3.f2\": Springfield\n"),
        (
            field(3, &[field(1, b"name"), field(2, b"Carol"), field(3, b"Lindqvist")].concat()),
            "\"f3.f2\": Carol\n",
        ),
        // Of several values with one number none is that of an entry, and no small number is passed over.
        (
            field(3, &[field(1, b"name"), field(2, b"Carol"), field(2, b"Lindqvist")].concat()),
            "\"f3.f2\": Lindqvist\n",
        ),
        (
            field(3, &[field(1, b"name"), field(2, b"Lindqvist"), vec![4 << 3, 1]].concat()),
            "\"f3.f2\": Lindqvist\n",
        ),
    ] {
        assert!(find(&bytes, "protobuf", expected.as_bytes()).is_some(), "{expected}");
    }
}

#[test]
fn values_that_only_a_name_tells_are_found_in_pages_and_maps() {
    let engine = crate::detect::Engine::all();
    for (name, value, entity) in [
        ("full name", "Carol Lindqvist", "PERSON"),
        ("password", "k3J!sPq7", "PASSWORD"),
        ("date_of_birth", "1984-03-17", "DATE_OF_BIRTH"),
    ] {
        let entry = [field(1, name.as_bytes()), field(2, value.as_bytes())].concat();
        for bytes in [
            [field(3, &[field(1, b"status"), field(2, b"active")].concat()), field(3, &entry)]
                .concat(),
            format!("<tr><th>{name}</th><td>{value}</td></tr>\n").into_bytes(),
        ] {
            let is_found = |view: &View| {
                let mut hits = Vec::new();
                engine.find(&view.bytes, &mut hits);
                hits.iter().any(|hit| {
                    engine.entity(hit.detector).to_string() == entity
                        && view.bytes.get(hit.start..hit.end) == Some(value.as_bytes())
                })
            };
            assert!(views(&text(&bytes)).iter().any(is_found), "{name} {}", bytes[0] as char);
        }
    }
}
