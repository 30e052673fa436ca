//! Payloads that hold a value of personal data, written, escaped, framed and cut as senders do it.

use std::ops::Range;

use monitor_ebpf::TAIL_BYTES;
use proptest::prelude::*;
use proptest::sample::select;

/// How each character of a value is written: a layer for each bit.
#[derive(Debug, Clone)]
pub struct Layer {
    escape: Escape,
    /// Which characters are escaped, repeated as needed.
    which: Vec<bool>,
    upper: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Escape {
    Percent,
    Json,
}

/// What carries the text.
#[derive(Debug, Clone)]
enum Frame {
    Bare,
    Length,
    Chunked {
        cuts: Vec<prop::sample::Index>,
        /// Whether the cuts are inside the value, or anywhere.
        inside: bool,
        extension: String,
        upper: bool,
        zeros: usize,
    },
}

/// A value on its way.
#[derive(Debug, Clone)]
pub struct Payload {
    before: String,
    value: String,
    after: String,
    /// Innermost first.
    layers: Vec<Layer>,
    frame: Frame,
    cuts: Vec<prop::sample::Index>,
}

impl Payload {
    /// The bytes of each send.
    pub fn sends(&self) -> Vec<Vec<u8>> {
        let value = self
            .layers
            .iter()
            .fold(self.value.clone().into_bytes(), |bytes, layer| layer.apply(&bytes));
        let text = [self.before.as_bytes(), &value, self.after.as_bytes()].concat();
        let start = self.before.len();
        let sent = self.frame.apply(&text, start..start + value.len());
        // Of a flow the kernel keeps so much; a value that takes more is found in one send alone.
        let takes = value.len() + self.frame.framing_bytes_max();
        let cuts = if takes > TAIL_BYTES { &[] } else { self.cuts.as_slice() };
        pieces(&sent, cuts, 0..sent.len())
    }
}

/// Cuts bytes at the places given within a range of them; no piece is empty.
pub fn pieces(bytes: &[u8], cuts: &[prop::sample::Index], within: Range<usize>) -> Vec<Vec<u8>> {
    let place = |cut: &prop::sample::Index| within.start + cut.index(within.len() + 1);
    let mut ends: Vec<usize> = cuts.iter().map(place).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let mut start = 0;
    let cut = ends.into_iter().map(|end| bytes[std::mem::replace(&mut start, end)..end].to_vec());
    cut.filter(|piece| !piece.is_empty()).collect()
}

impl Layer {
    fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let mut out = Vec::new();
        let which = self.which.iter().cycle();
        for (char, escaped) in text.chars().zip(which) {
            let mut utf8 = [0; 4];
            let utf8 = char.encode_utf8(&mut utf8).as_bytes();
            if !escaped {
                out.extend(utf8);
                continue;
            }
            let escape = match self.escape {
                Escape::Json => format!("\\u{:04x}", u32::from(char)),
                Escape::Percent => utf8.iter().map(|byte| format!("%{byte:02x}")).collect(),
            };
            let (mark, digits) = escape.split_at(usize::from(self.escape == Escape::Json) + 1);
            out.extend(mark.as_bytes());
            out.extend(if self.upper { digits.to_uppercase() } else { digits.into() }.bytes());
        }
        out
    }
}

impl Frame {
    /// Bytes that framing puts into the text at most.
    fn framing_bytes_max(&self) -> usize {
        match self {
            Frame::Bare | Frame::Length => 0,
            // A size of up to five digits and two line ends for each.
            Frame::Chunked { cuts, extension, .. } => cuts.len() * (extension.len() + 9),
        }
    }

    /// `value` is where the value stands in the text.
    fn apply(&self, text: &[u8], value: Range<usize>) -> Vec<u8> {
        let head = "POST /a HTTP/1.1\r\nHost: a\r\n";
        match self {
            Frame::Bare => text.to_vec(),
            Frame::Length => {
                let head = format!("{head}Content-Length: {}\r\n\r\n", text.len());
                [head.as_bytes(), text].concat()
            }
            Frame::Chunked { cuts, inside, extension, upper, zeros } => {
                let within = if *inside { value } else { 0..text.len() };
                let mut out = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
                for chunk in pieces(text, cuts, within) {
                    let size = format!("{:0>width$x}", chunk.len(), width = *zeros);
                    out.extend(if *upper { size.to_uppercase() } else { size }.bytes());
                    out.extend(format!("{extension}\r\n").bytes());
                    out.extend(chunk);
                    out.extend(b"\r\n");
                }
                out.extend(b"0\r\n\r\n");
                out
            }
        }
    }
}

fn digits(count: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0..10u8, count)
}

fn text_of(digits: &[u8]) -> String {
    digits.iter().map(|digit| char::from(b'0' + digit)).collect()
}

/// Joins characters in groups of the lengths given, the last of them as often as needed.
fn grouped(text: &str, lengths: &[usize], separator: &str) -> String {
    let (mut out, mut rest, mut lengths) = (String::new(), text, lengths.iter());
    let mut length = 4;
    while !rest.is_empty() {
        length = lengths.next().copied().unwrap_or(length);
        let (group, after) = rest.split_at(length.min(rest.len()));
        out += group;
        out += if after.is_empty() { "" } else { separator };
        rest = after;
    }
    out
}

fn separator() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", " ", "-", ".", "+", "\u{a0}", "\u{2011}", "\u{2013}", "\u{202f}"])
}

fn luhn(digits: &[u8]) -> u32 {
    let double = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let weigh = |(at, digit): (usize, &u8)| match at % 2 {
        0 => u32::from(*digit),
        _ => double(u32::from(*digit)),
    };
    digits.iter().rev().enumerate().map(weigh).sum()
}

/// Issuer, length, and groups in which such a number is printed.
type Issuer = (&'static [u8], usize, &'static [usize]);
const ISSUERS: [Issuer; 5] = [
    (&[4], 16, &[4]),
    (&[4], 13, &[4, 4, 4, 1]),
    (&[5, 5], 16, &[4]),
    (&[3, 4], 15, &[4, 6, 5]),
    (&[6, 2], 19, &[4, 4, 4, 4, 3]),
];

fn card() -> impl Strategy<Value = String> {
    let groups =
        prop_oneof![3 => Just(None), 1 => prop::collection::vec(1..7usize, 1..4).prop_map(Some)];
    (select(&ISSUERS[..]), digits(19), separator(), groups).prop_map(
        |((issuer, length, printed), rest, separator, groups)| {
            let mut number = [issuer, rest.as_slice()].concat();
            number.truncate(length);
            let last = length - 1;
            number[last] = 0;
            number[last] = ((10 - luhn(&number) % 10) % 10) as u8;
            grouped(&text_of(&number), groups.as_deref().unwrap_or(printed), separator)
        },
    )
}

fn ssn() -> impl Strategy<Value = String> {
    (1..666u32, 1..100u32, 1..10_000u32, separator()).prop_map(
        |(area, group, serial, separator)| {
            format!("{area:03}{separator}{group:02}{separator}{serial:04}")
        },
    )
}

/// Country, and its account: `n` a digit, `a` a letter, `c` either.
const COUNTRIES: [(&str, &str); 7] = [
    ("DE", "nnnnnnnnnnnnnnnnnn"),
    ("NO", "nnnnnnnnnnn"),
    ("GB", "aaaannnnnnnnnnnnnn"),
    ("MT", "aaaannnnncccccccccccccccccc"),
    ("KZ", "nnnccccccccccccc"),
    ("FR", "nnnnnnnnnncccccccccccnn"),
    ("PS", "aaaaccccccccccccccccccccc"),
];

fn iban() -> impl Strategy<Value = String> {
    (select(&COUNTRIES[..]), any::<[u8; 27]>(), separator()).prop_map(
        |((country, account), random, separator)| {
            let character = |(kind, random): (char, &u8)| match kind {
                'n' => char::from(b'0' + random % 10),
                'a' => char::from(b'A' + random % 26),
                _ if random % 3 == 0 => char::from(b'0' + random % 10),
                _ => char::from(b'A' + random % 26),
            };
            let account: String = account.chars().zip(&random).map(character).collect();
            let value = format!("{account}{country}00").chars().fold(0u32, |rest, char| {
                let digit = char.to_digit(36).unwrap();
                (rest * if digit > 9 { 100 } else { 10 } + digit) % 97
            });
            grouped(&format!("{country}{:02}{account}", 98 - value), &[4], separator)
        },
    )
}

fn email() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9._+-]{0,12}[a-z]@[a-z]{1,10}(\\.[a-z]{2,8})?\\.(org|de|com|io)"
}

/// Numbers that are valid, as people write them; some are kept for fiction.
fn phone() -> impl Strategy<Value = String> {
    select(vec![
        "+14155552671",
        "+1 (415) 555-2671",
        "+1-415-555-2671",
        "+1.415.555.0123",
        "+(1) 415 555 2671",
        "+44 20 7946 0958",
        "+44 (0)20 7946 0958",
        "+49 (30) 901820",
        "+49 30/901820",
        "+33 1 44 55 66 77",
        "+39 06 6982",
        "+4915112345678",
    ])
    .prop_map(str::to_owned)
}

/// The word that goes before a value, and the value.
pub fn named() -> impl Strategy<Value = (&'static str, String)> {
    let of = |name: &'static str| move |value| (name, value);
    prop_oneof![
        card().prop_map(of("card")),
        ssn().prop_map(of("ssn")),
        iban().prop_map(of("iban")),
        email().prop_map(of("mail")),
        phone().prop_map(of("phone")),
    ]
}

fn layer() -> impl Strategy<Value = Layer> {
    let which = prop_oneof![
        1 => Just(vec![true]),
        2 => prop::collection::vec(any::<bool>(), 1..24),
        2 => prop::collection::vec(prop::bool::weighted(0.1), 8..24),
    ];
    (select(vec![Escape::Percent, Escape::Json]), which, any::<bool>())
        .prop_map(|(escape, which, upper)| Layer { escape, which, upper })
}

fn cuts(most: usize) -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..=most)
}

fn frame() -> impl Strategy<Value = Frame> {
    let cuts = prop_oneof![(cuts(12), Just(false)), (cuts(4), Just(true))];
    let chunked = (cuts, "(;[a-z]{1,6}(=[a-z0-9]{0,30})?)?", any::<bool>(), 0..5usize).prop_map(
        |((cuts, inside), extension, upper, zeros)| Frame::Chunked {
            cuts,
            inside,
            extension,
            upper,
            zeros,
        },
    );
    prop_oneof![1 => Just(Frame::Bare), 1 => Just(Frame::Length), 3 => chunked]
}

/// Text that may stand around a value.
fn noise() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => Just(String::new()),
        2 => "[a-zA-Z ,.:;={}\"\n]{0,40}",
        1 => "[ -~]{0,40}",
        1 => "[a-z ]{200,300}",
    ]
}

/// Any of all this.
pub fn payload() -> impl Strategy<Value = Payload> {
    let name = prop_oneof![Just(""), Just(": "), Just("\":\""), Just("=")];
    let layers = prop_oneof![
        2 => Just(Vec::new()),
        2 => prop::collection::vec(layer(), 1..=1),
        2 => prop::collection::vec(layer(), 2..=2),
    ];
    (noise(), name, named(), noise(), layers, frame(), cuts(4)).prop_map(
        |(noise, joint, (name, value), after, layers, frame, cuts)| Payload {
            before: if joint.is_empty() { noise + " " } else { noise + " " + name + joint },
            value,
            after: format!(" {after}"),
            layers,
            frame,
            cuts,
        },
    )
}
