//! What HTTP does to a value before it leaves: escapes, percent encoding, chunks, heads, messages
//! one behind the other. The sender's own bytes are given, so that each stands as it does here.

use support::net::V4;
use support::{Alert, Data, Monitor, Receiver, Running, needs, python};

/// Sends texts one after the other over one connection; its one alert.
#[track_caller]
fn check(entity: &str, place: &str, texts: impl Fn(&Data) -> Vec<String>) -> Alert {
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let texts = texts(&monitor.data);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let code = "s = tcp()\nfor text in D: s.sendall(text)";
    let mut sender = Running::start(&mut python(code, receiver.address, &texts));
    sender.finish();
    let alert = monitor.found(sender.pid(), entity, receiver.address);
    assert_eq!(alert.text("/findings/0/place"), place, "{alert:?}");
    alert
}

fn post(kind: &str, body: &str) -> String {
    let bytes = body.len();
    format!(
        "POST /x HTTP/1.1\r\nHost: test\r\nContent-Type: {kind}\r\nContent-Length: {bytes}\r\n\r\n\
         {body}"
    )
}

fn chunked(parts: &[&str]) -> String {
    let head = "POST /x HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = |part: &&str| format!("{:x}\r\n{part}\r\n", part.len());
    let chunks: String = parts.iter().map(chunk).collect();
    format!("{head}{chunks}0\r\n\r\n")
}

#[test]
fn json_string_escapes_are_undone() {
    needs!("python3");
    check("CREDIT_CARD", "http.request.body card_number", |data| {
        let escaped: String =
            data.card().bytes().map(|digit| format!("\\u{:04x}", u32::from(digit))).collect();
        vec![post("application/json", &format!("{{\"card_number\":\"{escaped}\"}}"))]
    });
}

#[test]
fn percent_encoding_is_undone() {
    needs!("python3");
    check("CREDIT_CARD", "http.request.body card", |data| {
        let body = format!("a=1&card={}&b=2", data.card_grouped("%20"));
        vec![post("application/x-www-form-urlencoded", &body)]
    });
}

#[test]
fn percent_encoded_digits_are_undone() {
    needs!("python3");
    check("CREDIT_CARD", "http.request.head card", |data| {
        let encoded: String = data.card().bytes().map(|digit| format!("%{digit:02x}")).collect();
        vec![format!("GET /x?card={encoded} HTTP/1.1\r\nHost: test\r\n\r\n")]
    });
}

#[test]
fn a_value_that_a_chunk_frame_cuts() {
    needs!("python3");
    check("CREDIT_CARD", "http.request.body card", |data| {
        let card = data.card();
        vec![chunked(&[&format!("card={}", &card[..5]), &card[5..11], &card[11..], "&b=2"])]
    });
}

#[test]
fn a_value_cut_by_a_chunk_frame_and_by_a_write_inside_the_frame() {
    needs!("python3");
    check("CREDIT_CARD", "http.request.body card", |data| {
        let card = data.card();
        let text = chunked(&[&format!("card={}", &card[..8]), &card[8..], "&b=2"]);
        let (first, second) = text.split_at(text.find(&card[8..]).expect("it is there") - 3);
        vec![first.into(), second.into()]
    });
}

#[test]
fn a_header_field_holds_a_value() {
    needs!("python3");
    check("US_SSN", "http.request.head ssn", |data| {
        let ssn = data.ssn();
        vec![format!("GET / HTTP/1.1\r\nHost: test\r\nCookie: a=b; ssn={ssn}\r\n\r\n")]
    });
}

#[test]
fn the_third_message_of_a_connection_holds_a_value() {
    needs!("python3");
    check("IBAN_CODE", "http.request.body iban", |data| {
        let nothing = post("text/plain", "nothing to see, 12 items at 4.99");
        let iban = post("application/json", &format!("{{\"iban\":\"{}\"}}", data.iban()));
        vec![nothing.clone(), nothing, iban]
    });
}

#[test]
fn a_response_with_a_length_holds_a_value() {
    needs!("python3");
    check("CREDIT_CARD", "http.response.body pan", |data| {
        let body = format!("{{\"pan\":{}}}", data.card());
        let bytes = body.len();
        vec![
            format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n"),
            body,
            "HTTP/1.1 204 No Content\r\n\r\n".into(),
        ]
    });
}

#[test]
fn the_same_value_twice_in_a_message_is_one_finding_that_counts_two() {
    needs!("python3");
    let alert = check("CREDIT_CARD", "http.request.body card", |data| {
        let card = data.card();
        vec![post("text/plain", &format!("card={card}\r\ncard={card}\r\n"))]
    });
    assert_eq!(alert.findings()[0].2, 2);
}

/// Each entity once, in one message, in the order in which they stand.
#[test]
fn each_entity_of_a_record_is_found_and_masked() {
    needs!("python3");
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let (card, ssn, iban) = (monitor.data.card(), monitor.data.ssn(), monitor.data.iban());
    let body = format!(
        "{{\"card\":\"{card}\",\"ssn\":\"{ssn}\",\"iban\":\"{iban}\",\
         \"email\":\"erika.example@shop.example.net\",\"phone\":\"+49 30 901820\"}}"
    );
    let request = post("application/json", &body);
    let code = "tcp().sendall(D[0])";
    let mut sender = Running::start(&mut python(code, receiver.address, &[&request]));
    sender.finish();
    let alert = monitor.the_alert_of(sender.pid());
    let mut entities = alert.entities();
    entities.sort_unstable();
    assert_eq!(
        entities,
        ["CREDIT_CARD", "EMAIL_ADDRESS", "IBAN_CODE", "PHONE_NUMBER", "US_SSN"],
        "{alert:?}"
    );
    let line = alert.0.to_string();
    assert!(!line.contains("erika.example") && !line.contains("901820"), "{line}");
}

/// Digits that are no personal data, each in a message of its own.
#[test]
fn what_only_looks_like_a_card_raises_nothing() {
    needs!("python3");
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let card = monitor.data.card();
    let wrong = (card.as_bytes()[15] - b'0' + 1) % 10;
    let texts = [
        format!("id {}-{}-{}-{}-{}", "4f5e1c2a", "9d1b", "4c3d", "8e7f", &card[..12]),
        format!("sha256 {card}aa{card}bb{card}cc1234567890"),
        format!("\"digest\":\"{card}{card}{card}{card}\""),
        format!("weight 0.{card} and {card}.5 and 1.{card}e-3"),
        "{\"timestamp\":1732490000123456,\"at\":1732490000}".to_owned(),
        format!("number 77{card}88"),
        format!("serial 1{card}"),
        format!("card {}{wrong}", &card[..15]),
        "2026-11-24T23:14:56.216164Z 127.0.0.1 - - 200 4096 0.000123456789".to_owned(),
    ];
    let messages: Vec<String> = texts.iter().map(|text| post("text/plain", text)).collect();
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    let code = "s = tcp()\nfor text in D: s.sendall(text)";
    let mut sender = Running::start(&mut python(code, receiver.address, &messages));
    sender.finish();
    let alerts = monitor.of(sender.pid());
    assert!(alerts.is_empty(), "{alerts:#?}");
}
