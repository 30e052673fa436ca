//! Records with one value under a key, in the carriers in which software stores and sends them. What
//! stands around the value is nobody's: ids, times, amounts, states.

use std::ops::Range;

use super::Rng;

/// A text, and where in it the value stands.
pub struct Record {
    /// The whole text.
    pub text: Vec<u8>,
    /// The value's bytes, as the carrier spells them.
    pub value: Range<usize>,
}

/// A way to write a record.
pub struct Carrier {
    /// Its name in tables.
    pub name: &'static str,
    make: fn(&mut Rng, &str, &str) -> Record,
}

impl Carrier {
    /// A record in which `value` stands under `key`, words with spaces between.
    pub fn record(&self, rng: &mut Rng, key: &str, value: &str) -> Record {
        (self.make)(rng, key, value)
    }
}

const fn carrier(name: &'static str, make: fn(&mut Rng, &str, &str) -> Record) -> Carrier {
    Carrier { name, make }
}

/// Every carrier.
pub const CARRIERS: &[Carrier] = &[
    carrier("json", json),
    carrier("json path", json_path),
    carrier("json pretty", json_pretty),
    carrier("ndjson", ndjson),
    carrier("form", form),
    carrier("query", query),
    carrier("csv", |rng, key, value| csv(rng, key, value, 0)),
    carrier("csv row 100", |rng, key, value| csv(rng, key, value, 99)),
    carrier("tsv", tsv),
    carrier("sql insert", sql_insert),
    carrier("sql update", sql_update),
    carrier("log key=value", log_pairs),
    carrier("log sentence", log_sentence),
    carrier("xml element", xml_element),
    carrier("xml attribute", xml_attribute),
    carrier("http header", http_header),
    carrier("yaml", yaml),
    carrier("env", env),
];

/// How names of fields are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `card_number`
    Snake,
    /// `card-number`
    Kebab,
    /// `cardNumber`
    Camel,
    /// `CardNumber`
    Pascal,
    /// `CARD_NUMBER`
    Screaming,
    /// `Card-Number`
    Train,
    /// `Card number`
    Sentence,
}

/// Spells words in small letters as one name.
pub fn spell(words: &str, spelling: Spelling) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().chain(letters).collect::<String>()
        })
    };
    let words: Vec<&str> = words.split(' ').collect();
    let pascal = || words.iter().map(|word| capital(word));
    match spelling {
        Spelling::Snake => words.join("_"),
        Spelling::Kebab => words.join("-"),
        Spelling::Screaming => words.join("_").to_uppercase(),
        Spelling::Pascal => pascal().collect(),
        Spelling::Train => pascal().collect::<Vec<_>>().join("-"),
        Spelling::Sentence => capital(&words.join(" ")),
        Spelling::Camel => {
            let rest = words.iter().skip(1).map(|word| capital(word)).collect::<String>();
            format!("{}{rest}", words.first().copied().unwrap_or_default())
        }
    }
}

/// A name as a program's author may write it.
fn name(rng: &mut Rng, key: &str) -> String {
    let spelling = rng.pick(&[
        Spelling::Snake,
        Spelling::Snake,
        Spelling::Camel,
        Spelling::Kebab,
        Spelling::Pascal,
    ]);
    spell(key, spelling)
}

fn build(before: String, value: String, after: &str) -> Record {
    let span = before.len()..before.len() + value.len();
    Record { text: format!("{before}{value}{after}").into_bytes(), value: span }
}

/// A UUID of version 4.
pub fn uuid(rng: &mut Rng) -> String {
    format!("{}-{}-4{}-a{}-{}", rng.hex(8), rng.hex(4), rng.hex(3), rng.hex(3), rng.hex(12))
}

/// A time in RFC 3339.
pub fn time(rng: &mut Rng) -> String {
    format!(
        "2026-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        rng.within(1, 12),
        rng.within(1, 28),
        rng.below(24),
        rng.below(60),
        rng.below(60),
        rng.below(1000)
    )
}

/// A field of a record that is nobody's: name and value, the value a number or a text.
fn filler(rng: &mut Rng) -> (&'static str, String, bool) {
    match rng.below(8) {
        0 => ("order id", uuid(rng), true),
        1 => ("created at", time(rng), true),
        2 => ("amount", format!("{}.{:02}", rng.below(5_000), rng.below(100)), false),
        3 => ("status", rng.pick(&["active", "pending", "closed"]).to_owned(), true),
        4 => ("version", rng.below(40).to_string(), false),
        5 => ("currency", rng.pick(&["EUR", "USD", "PLN"]).to_owned(), true),
        6 => ("retries", rng.below(9).to_string(), false),
        _ => ("channel", rng.pick(&["web", "store", "batch"]).to_owned(), true),
    }
}

/// Some fillers, no name twice.
fn fillers(rng: &mut Rng, count: usize) -> Vec<(&'static str, String, bool)> {
    let mut some: Vec<(&'static str, String, bool)> = Vec::new();
    while some.len() < count {
        let new = filler(rng);
        if some.iter().all(|old| old.0 != new.0) {
            some.push(new);
        }
    }
    some
}

/// A text as JSON writes it between quotes (RFC 8259 section 7).
pub fn json_escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn json_fields(rng: &mut Rng, count: usize) -> Vec<String> {
    fillers(rng, count)
        .into_iter()
        .map(|(key, value, text)| {
            let quote = if text { "\"" } else { "" };
            format!("\"{}\":{quote}{value}{quote}", spell(key, Spelling::Snake))
        })
        .collect()
}

fn json(rng: &mut Rng, key: &str, value: &str) -> Record {
    let (before, after) = (json_fields(rng, 2).join(","), json_fields(rng, 2).join(","));
    let key = name(rng, key);
    build(format!("{{{before},\"{key}\":\""), json_escaped(value), &format!("\",{after}}}"))
}

/// The last words of the key are that of the field, the first that of the object around it.
fn json_path(rng: &mut Rng, key: &str, value: &str) -> Record {
    let fields = json_fields(rng, 2).join(",");
    let (outer, inner) = key.rsplit_once(' ').unwrap_or((key, "value"));
    let (outer, inner) = (name(rng, outer), name(rng, inner));
    build(
        format!("{{\"data\":{{{fields},\"{outer}\":{{\"kind\":\"own\",\"{inner}\":\""),
        json_escaped(value),
        "\",\"checked\":true}}}",
    )
}

fn json_pretty(rng: &mut Rng, key: &str, value: &str) -> Record {
    let (before, after) = (json_fields(rng, 2).join(",\n    "), json_fields(rng, 1).join(","));
    let key = name(rng, key);
    build(
        format!("{{\n  \"record\": {{\n    {before},\n    \"{key}\": \""),
        json_escaped(value),
        &format!("\",\n    {after}\n  }}\n}}\n"),
    )
}

fn ndjson(rng: &mut Rng, key: &str, value: &str) -> Record {
    let line = |rng: &mut Rng| format!("{{{}}}\n", json_fields(rng, 4).join(","));
    let (before, after) = (line(rng) + &line(rng), line(rng));
    let record = json(rng, key, value);
    let at = before.len();
    let text = [before.as_bytes(), &record.text, b"\n", after.as_bytes()].concat();
    Record { text, value: record.value.start + at..record.value.end + at }
}

/// Percent encoding of HTML forms (WHATWG URL, application/x-www-form-urlencoded).
pub fn form_escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            b'*' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn pairs(rng: &mut Rng, count: usize) -> String {
    let pair = |(key, value, _): (&'static str, String, bool)| {
        format!("{}={}", spell(key, Spelling::Snake), form_escaped(&value))
    };
    fillers(rng, count).into_iter().map(pair).collect::<Vec<_>>().join("&")
}

fn form(rng: &mut Rng, key: &str, value: &str) -> Record {
    let (before, after) = (pairs(rng, 2), pairs(rng, 2));
    let key = name(rng, key);
    build(format!("{before}&{key}="), form_escaped(value), &format!("&{after}"))
}

fn query(rng: &mut Rng, key: &str, value: &str) -> Record {
    let (before, after) = (pairs(rng, 1), pairs(rng, 1));
    let key = name(rng, key);
    build(
        format!("GET /v1/lookup?{before}&{key}="),
        form_escaped(value).replace('+', "%20"),
        &format!("&{after} HTTP/1.1\r\nHost: api.internal\r\nAccept: */*\r\n\r\n"),
    )
}

/// A field of RFC 4180, quoted where it must be.
fn csv_escaped(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}

fn csv(rng: &mut Rng, key: &str, value: &str, rows_before: usize) -> Record {
    let key = spell(key, rng.pick(&[Spelling::Snake, Spelling::Sentence, Spelling::Camel]));
    let row = |rng: &mut Rng, value: &str| {
        let amount = format!("{}.{:02}", rng.below(5_000), rng.below(100));
        let start = format!("{},{},", rng.within(1, 9_999), time(rng));
        (start, csv_escaped(value), format!(",{amount},{}\n", rng.pick(&["active", "closed"])))
    };
    let mut before = format!("row,created_at,{key},amount,status\n");
    for _ in 0..rows_before {
        let (start, empty, end) = row(rng, "");
        before += &(start + &empty + &end);
    }
    let (start, value, end) = row(rng, value);
    build(before + &start, value, &end)
}

fn tsv(rng: &mut Rng, key: &str, value: &str) -> Record {
    let key = spell(key, Spelling::Snake);
    let header = format!("id\tcreated_at\t{key}\tstatus\n");
    let first = format!("{}\t{}\t\tactive\n", rng.below(9_999), time(rng));
    let start = format!("{}\t{}\t", rng.below(9_999), time(rng));
    build(header + &first + &start, value.replace('\n', "\\n"), "\tclosed\n")
}

fn sql_escaped(text: &str) -> String {
    text.replace('\'', "''")
}

fn sql_insert(rng: &mut Rng, key: &str, value: &str) -> Record {
    let key = spell(key, Spelling::Snake);
    let (id, time, amount) = (rng.below(99_999), time(rng), rng.below(5_000));
    build(
        format!("INSERT INTO records (id, created_at, {key}, amount) VALUES ({id}, '{time}', '"),
        sql_escaped(value),
        &format!("', {amount}.50);\n"),
    )
}

fn sql_update(rng: &mut Rng, key: &str, value: &str) -> Record {
    let key = spell(key, Spelling::Snake);
    let id = rng.below(99_999);
    build(
        format!("UPDATE records SET status = 'active', {key} = '"),
        sql_escaped(value),
        &format!("', version = 4 WHERE id = {id};\n"),
    )
}

fn log_pairs(rng: &mut Rng, key: &str, value: &str) -> Record {
    let (time, trace) = (time(rng), rng.hex(32));
    let key = spell(key, Spelling::Snake);
    let quote = if value.contains([' ', '"']) { "\"" } else { "" };
    build(
        format!("{time} INFO worker[{}] trace_id={trace} {key}={quote}", rng.below(9_999)),
        value.replace('\n', "\\n"),
        &format!("{quote} duration_ms={} ok=true\n", rng.below(900)),
    )
}

fn log_sentence(rng: &mut Rng, key: &str, value: &str) -> Record {
    let time = time(rng);
    build(
        format!("{time} WARN [http-{}] could not store {key}: ", rng.below(64)),
        value.replace('\n', "\\n"),
        &format!(" (attempt {} of 5)\n", rng.within(1, 5)),
    )
}

/// A text as XML writes it between tags or quotes.
pub fn xml_escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn xml_element(rng: &mut Rng, key: &str, value: &str) -> Record {
    let key = spell(
        key,
        rng.pick(&[Spelling::Pascal, Spelling::Camel, Spelling::Snake, Spelling::Kebab]),
    );
    let (id, time) = (uuid(rng), time(rng));
    build(
        format!("<?xml version=\"1.0\"?>\n<Record id=\"{id}\"><Created>{time}</Created><{key}>"),
        xml_escaped(value),
        &format!("</{key}><State>open</State></Record>\n"),
    )
}

fn xml_attribute(rng: &mut Rng, key: &str, value: &str) -> Record {
    let key = spell(
        key,
        rng.pick(&[Spelling::Pascal, Spelling::Camel, Spelling::Snake, Spelling::Kebab]),
    );
    let id = uuid(rng);
    build(format!("<record id=\"{id}\" {key}=\""), xml_escaped(value), "\" state=\"open\"/>\n")
}

fn http_header(rng: &mut Rng, key: &str, value: &str) -> Record {
    let key = spell(key, Spelling::Train);
    let id = uuid(rng);
    build(
        format!(
            "POST /v1/records HTTP/1.1\r\nHost: api.internal\r\nX-Request-Id: {id}\r\nX-{key}: "
        ),
        value.replace('\n', " "),
        "\r\nAccept: */*\r\nContent-Length: 0\r\n\r\n",
    )
}

fn yaml(rng: &mut Rng, key: &str, value: &str) -> Record {
    let key = spell(key, rng.pick(&[Spelling::Snake, Spelling::Camel, Spelling::Kebab]));
    let (time, amount) = (time(rng), rng.below(5_000));
    build(
        format!("record:\n  created_at: {time}\n  amount: {amount}\n  {key}: \""),
        json_escaped(value),
        "\"\n  status: active\n",
    )
}

fn env(rng: &mut Rng, key: &str, value: &str) -> Record {
    let key = spell(key, Spelling::Screaming);
    build(
        format!("STATUS=active\nRETRIES={}\n{key}=\"", rng.below(9)),
        value.replace('\n', "\\n"),
        &format!("\"\nWORKERS={}\n", rng.below(64)),
    )
}
