//! E-mail addresses: a local part and a public domain name, RFC 5321 section 4.1.2, in the
//! characters that people use. Quoted local parts and address literals are not looked for.

use super::super::detector::{Detector, Find, Tier};
use super::super::evidence::{Candidate, Reasons};
use super::super::probe::Probe;
use super::super::text::{self, Run};
use super::super::{mask, words};
use crate::model::{Confidence, Tag};

pub(super) const ROWS: &[Detector] = &[Detector {
    tier: Tier::Structured,
    tags: &[Tag::Gdpr, Tag::UkGdpr, Tag::Ccpa, Tag::Hipaa],
    standard: "RFC 5321 section 4.1.2, without the reserved names of RFC 2606 and RFC 6761",
    chance: 1.0,
    example: "mail: jane@acme.io",
    words: words::EMAIL_ADDRESS,
    find: Find::Mark(b'@', find),
    mask: mask_value,
    plain: |value, out| mask::each(value, |_| true, &mut |b| out(b.to_ascii_lowercase())),
    ..Detector::new("EMAIL_ADDRESS", "E-mail address")
}];

/// What the form of an address is worth, in decibans.
const FORM_DB: i16 = 25;

/// RFC 5321 section 4.5.3.1.1.
const LOCAL_BYTES_MAX: usize = 64;
/// RFC 1035 section 2.3.4, without the dot of the root.
const DOMAIN_BYTES_MAX: usize = 253;
/// RFC 1035 section 2.3.4.
const LABEL_BYTES_MAX: usize = 63;
/// Letters of the longest top-level domain there is, but for those in Punycode.
const TLD_LETTERS_MAX: usize = 24;
/// Bytes before an address in which the `//` of a URL is looked for.
const AUTHORITY_BYTES_MAX: usize = 64;
/// Bytes after an address in which the slash of a path is looked for.
const PATH_BYTES_MAX: usize = 64;

/// Last labels that are extensions of file names (`logo@2x.png`) or of systemd units.
#[rustfmt::skip]
const EXTENSIONS: [&str; 40] = [
    "avif", "bmp", "conf", "css", "csv", "eot", "exe", "gif", "gz", "html", "ico", "jpeg", "jpg",
    "js", "json", "jsx", "less", "log", "map", "mjs", "mount", "path", "pdf", "png", "scope",
    "scss", "service", "slice", "socket", "svg", "swp", "timer", "tsx", "ttf", "txt", "webp",
    "woff", "woff2", "xml", "yaml",
];

/// Reserved for tests and documentation: RFC 2606, RFC 6761.
const RESERVED: [&str; 7] =
    ["example", "test", "invalid", "localhost", "example.com", "example.net", "example.org"];

/// Last labels of names that only a private network knows (RFC 6762 appendix G, RFC 9476).
const PRIVATE: [&str; 9] =
    ["alt", "corp", "home", "internal", "intranet", "lan", "local", "localdomain", "private"];

/// Beginnings of local parts behind which nobody is, without `.`, `-` and `_`.
const NOBODY: [&str; 4] = ["noreply", "donotreply", "mailerdaemon", "nepasrepondre"];

/// Local parts that are accounts of version control (`git@host:path`).
const VERSION_CONTROL: [&str; 3] = ["git", "hg", "svn"];

fn find(probe: &mut Probe<'_>, at: usize, _: &Run) -> Option<Candidate> {
    let text = probe.text;
    let (start, end) = (local_start(text, at)?, domain_end(text, at + 1)?);
    let (local, domain) = (text::slice(text, start, at), text::slice(text, at + 1, end));
    let last_label = domain.rsplit(|b| *b == b'.').next()?;
    if is_among(last_label, &EXTENSIONS) || is_nobody(local, domain) {
        return None;
    }
    if is_in_authority(text, start) || is_remote_path(text, end) || text::byte(text, end) == b'@' {
        return None;
    }
    let mut found = Candidate::new(start, end, FORM_DB).because(Reasons::FORM);
    if is_among(last_label, &PRIVATE) {
        found.at_most = Confidence::Low;
    }
    found.own_bounds = true;
    found.test_data = RESERVED.iter().any(|name| is_within(domain, name));
    Some(found)
}

/// Where the local part before the `@` at `at` begins.
fn local_start(text: &[u8], at: usize) -> Option<usize> {
    let mut start = at;
    while let Some(before) = local_character_before(text, start) {
        start = before;
        if at - start > LOCAL_BYTES_MAX {
            return None;
        }
    }
    // A dot, a dash or a plus sign there belongs to what is before it (RFC 5321 `Dot-string`).
    let name = text::slice(text, start, at);
    let skipped = name.iter().position(|b| !matches!(b, b'.' | b'-' | b'+'))?;
    let name = name.get(skipped..)?;
    let is_dotted_badly = name.windows(2).any(|pair| pair == b"..") || name.ends_with(b".");
    (!is_dotted_badly).then_some(start + skipped)
}

fn local_character_before(text: &[u8], end: usize) -> Option<usize> {
    let last = text::byte_before(text, end, 1);
    if last.is_ascii_alphanumeric() || matches!(last, b'.' | b'_' | b'-' | b'+') {
        // The letter of an escape (`\n`) that no decoder undid.
        let escape = matches!(last, b'n' | b'r' | b't') && text::byte_before(text, end, 2) == b'\\';
        return if escape { None } else { end.checked_sub(1) };
    }
    letter_before(text, end)
}

/// Where the letter beyond ASCII that ends at `end` begins (RFC 6531).
fn letter_before(text: &[u8], end: usize) -> Option<usize> {
    if text::byte_before(text, end, 1).is_ascii() {
        return None;
    }
    (2..=4).find_map(|length| {
        let start = end.checked_sub(length)?;
        let mut letters = std::str::from_utf8(text::slice(text, start, end)).ok()?.chars();
        let letter = letters.next().filter(|letter| !letter.is_ascii());
        (letter?.is_alphabetic() && letters.next().is_none()).then_some(start)
    })
}

/// Length of the letter beyond ASCII that begins at `at`.
fn letter_length(text: &[u8], at: usize) -> Option<usize> {
    let length = match text::byte(text, at) {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    (letter_before(text, at + length) == Some(at)).then_some(length)
}

/// Where the domain that begins at `start` ends.
fn domain_end(text: &[u8], start: usize) -> Option<usize> {
    let mut end = label_end(text, start)?;
    let mut last = start;
    while text::byte(text, end) == b'.' {
        let Some(next) = label_end(text, end + 1) else { break };
        (last, end) = (end + 1, next);
        if end - start > DOMAIN_BYTES_MAX {
            return None;
        }
    }
    let tld = text::slice(text, last, end);
    let is_name = tld.iter().all(|b| b.is_ascii_alphabetic() || !b.is_ascii())
        && (2..=TLD_LETTERS_MAX).contains(&tld.len());
    let is_punycode = tld.get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"xn--"));
    (last > start && (is_name || is_punycode)).then_some(end)
}

fn label_end(text: &[u8], start: usize) -> Option<usize> {
    let mut end = start;
    loop {
        let here = text::byte(text, end);
        if here.is_ascii_alphanumeric() || here == b'-' {
            end += 1;
        } else if let Some(length) = letter_length(text, end) {
            end += length;
        } else {
            break;
        }
        if end - start > LABEL_BYTES_MAX {
            return None;
        }
    }
    // A dash at the end belongs to what follows, such as a range or a signature.
    let dashes = text::slice(text, start, end).iter().rev().take_while(|b| **b == b'-').count();
    let end = end - dashes;
    (end > start && text::byte(text, start) != b'-').then_some(end)
}

/// Whether `user@host` at `start` is the user information of a URL (RFC 3986 section 3.2.1).
fn is_in_authority(text: &[u8], start: usize) -> bool {
    let floor = start.saturating_sub(AUTHORITY_BYTES_MAX);
    let before = text::slice(text, floor, start);
    let last = before.iter().rposition(|b| matches!(b, b'/' | b' ' | b'"' | b'\'' | b'<' | b'\n'));
    last.is_some_and(|last| last > 0 && before.get(last - 1..=last) == Some(b"//"))
}

/// Whether a path on that host follows, as in `org-1@github.com:org/repository.git`. What follows
/// without a slash may be a password.
fn is_remote_path(text: &[u8], end: usize) -> bool {
    let rest = text::slice(text, end, text.len().min(end + PATH_BYTES_MAX));
    let Some(path) = rest.strip_prefix(b":") else { return false };
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    path.iter().find(|b| !is_name(b)) == Some(&b'/')
}

fn is_nobody(local: &[u8], domain: &[u8]) -> bool {
    let mut letters = [0u8; 16];
    let plain = local.iter().filter(|b| !matches!(b, b'.' | b'-' | b'_'));
    for (slot, letter) in letters.iter_mut().zip(plain) {
        *slot = letter.to_ascii_lowercase();
    }
    let noreply = domain.split(|b| *b == b'.').any(|label| label.eq_ignore_ascii_case(b"noreply"));
    noreply
        || NOBODY.iter().any(|name| letters.starts_with(name.as_bytes()))
        || is_among(local, &VERSION_CONTROL)
}

fn is_among(name: &[u8], names: &[&str]) -> bool {
    names.iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes()))
}

/// Whether `domain` is `name` or a name below it.
fn is_within(domain: &[u8], name: &str) -> bool {
    let Some(split) = domain.len().checked_sub(name.len()) else { return false };
    let (below, tail) = domain.split_at(split);
    tail.eq_ignore_ascii_case(name.as_bytes()) && (below.is_empty() || below.ends_with(b"."))
}

/// First letters of the local part and of the domain, and the last label: `a***@e***.com`. Three
/// stars stand for any number of letters.
fn mask_value(value: &[u8]) -> String {
    let value = String::from_utf8_lossy(value);
    let Some((local, domain)) = value.rsplit_once('@') else { return "***".to_owned() };
    let first = |part: &str| part.chars().next().map(String::from).unwrap_or_default();
    match domain.rsplit_once('.') {
        Some((name, tld)) => format!("{}***@{}***.{tld}", first(local), first(name)),
        None => format!("{}***@***", first(local)),
    }
}
