//! Addresses of machines and pages: IPv4 and IPv6, MAC, URL. They are personal data where they lead
//! to somebody (recital 30 of the GDPR), and stand in all traffic: looked for only by name.

use super::super::detector::{Detector, Find, Tier, Words, before};
use super::super::evidence::{Candidate, Reasons};
use super::super::mask;
use super::super::probe::Probe;
use super::super::text::{self, Run};
use super::value::end_of;
use crate::model::Tag;

pub(super) const ROWS: &[Detector] = &[
    Detector {
        tier: Tier::Structured,
        tags: &[Tag::Gdpr, Tag::UkGdpr, Tag::Ccpa, Tag::Hipaa],
        standard: "RFC 791 and RFC 4291 in the text forms of RFC 4291 section 2.2, with prefix and zone",
        example: "client ip: 81.94.17.203",
        words: Words {
            key: &["host", "peer", "client", "remote", "source", "src", "from", "gateway"],
            near: &[
                "ip",
                "ips",
                "ipv4",
                "ipv6",
                "ipaddr",
                "ipaddress",
                "addr",
                "ip address",
                "remote addr",
                "clientip",
                "remoteaddr",
                "x forwarded for",
            ],
            hostile: &["version", "ver", "release", "build", "oid"],
            doubtful: &[],
        },
        find: Find::Any(&[Find::Digits(before(4, 1, 3, b"."), find_v4), Find::Mark(b':', find_v6)]),
        mask: mask_address,
        plain: |value, out| mask::each(value, |_| true, &mut |b| out(b.to_ascii_lowercase())),
        only_by_name: true,
        ..Detector::new("IP_ADDRESS", "IP address")
    },
    Detector {
        tier: Tier::Structured,
        tags: &[Tag::Gdpr, Tag::Ccpa, Tag::Hipaa],
        standard: "IEEE 802: six octets, with colons, dashes or (in fours) dots; not all the same",
        example: "mac: 3c:a4:f0:11:5b:9e",
        words: Words {
            key: &["device", "hw", "hardware", "ether", "wifi", "bluetooth"],
            near: &[
                "mac",
                "macs",
                "mac address",
                "macaddress",
                "macaddr",
                "hwaddr",
                "hw addr",
                "hardware address",
                "bssid",
            ],
            hostile: &["fingerprint", "hash"],
            doubtful: &[],
        },
        find: Find::Any(&[
            Find::Mark(b':', |probe, at, _| find_mac(probe.text, at, 2)),
            Find::Joint(b'-', |probe, at, _| find_mac(probe.text, at, 2)),
            Find::Joint(b'.', |probe, at, _| find_mac(probe.text, at, 4)),
        ]),
        only_by_name: true,
        ..Detector::new("MAC_ADDRESS", "MAC address")
    },
    Detector {
        tier: Tier::Structured,
        tags: &[Tag::Gdpr, Tag::Hipaa],
        standard: "RFC 3986: a scheme of the web and a host; or a host under a common top-level domain",
        example: "homepage: https://kovar.acme.io/about",
        words: Words {
            key: &["link", "href", "homepage", "site", "page"],
            near: &["url", "urls", "uri", "website", "web site"],
            hostile: &[],
            doubtful: &[],
        },
        find: Find::Any(&[Find::Mark(b':', find_url), Find::Joint(b'.', find_domain)]),
        mask: |value| {
            let text = String::from_utf8_lossy(value);
            text.split_once("://")
                .map_or_else(|| "***".to_owned(), |(scheme, _)| format!("{scheme}://***"))
        },
        plain: mask::exact,
        only_by_name: true,
        ..Detector::new("URL", "URL")
    },
];

/// What the text form of an address is worth, in decibans.
const ADDRESS_DB: i16 = 28;
/// What a URL is worth: less than whatever stands in it.
const URL_DB: i16 = 15;

/// Characters of the longest IPv6 address with zone and prefix that is followed.
const V6_BYTES_MAX: usize = 64;

fn part_of_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

fn found(start: usize, end: usize) -> Candidate {
    Candidate::new(start, end, ADDRESS_DB).because(Reasons::FORM)
}

/// Where the four numbers end that begin at `at`.
fn v4_end(text: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    for octet in 0..4 {
        if octet > 0 {
            if text::byte(text, end) != b'.' {
                return None;
            }
            end += 1;
        }
        let next = end_of(text, end, 4, |b| b.is_ascii_digit());
        let digits = text::slice(text, end, next);
        let value = digits.iter().fold(0u32, |value, digit| value * 10 + u32::from(digit & 0x0F));
        // A leading zero would make it octal (RFC 6943 section 3.1.1).
        if digits.is_empty() || value > 255 || (digits.len() > 1 && digits.starts_with(b"0")) {
            return None;
        }
        end = next;
    }
    Some(end)
}

/// Where `/` and at most so many bits end that follow the address.
fn prefix_end(text: &[u8], at: usize, bits_max: u32) -> usize {
    let end = end_of(text, at + 1, 4, |b| b.is_ascii_digit());
    let digits = text::slice(text, at + 1, end);
    let bits = digits.iter().fold(0u32, |bits, digit| bits * 10 + u32::from(digit & 0x0F));
    let fits = text::byte(text, at) == b'/' && !digits.is_empty() && bits <= bits_max;
    if fits && !part_of_name(text::byte(text, end)) { end } else { at }
}

/// Whether a number or a word goes on there: `1.2.3.4.5`, `1.2.3.4x`.
fn goes_on(text: &[u8], end: usize) -> bool {
    let (first, second) = (text::byte(text, end), text::byte(text, end + 1));
    part_of_name(first) || (first == b'.' && second.is_ascii_digit())
}

fn find_v4(probe: &mut Probe<'_>, at: usize, _: &Run) -> Option<Candidate> {
    let text = probe.text;
    let (last, second) = (text::byte_before(text, at, 1), text::byte_before(text, at, 2));
    if part_of_name(last) || (matches!(last, b'.' | b'-') && part_of_name(second)) {
        return None;
    }
    let end = v4_end(text, at)?;
    if goes_on(text, end)
        || (text::byte(text, end) == b'-' && part_of_name(text::byte(text, end + 1)))
    {
        return None;
    }
    Some(found(at, prefix_end(text, end, 32)))
}

/// Finds an IPv6 address by its first colon.
fn find_v6(probe: &mut Probe<'_>, at: usize, _: &Run) -> Option<Candidate> {
    let text = probe.text;
    let next = text::byte(text, at + 1);
    if !(next.is_ascii_hexdigit() || next == b':') {
        return None;
    }
    let head = text::slice(text, at.saturating_sub(5), at);
    let hex = head.iter().rev().take_while(|b| b.is_ascii_hexdigit()).count();
    let start = at - hex;
    let last = text::byte_before(text, start, 1);
    let double = text::byte(text, at + 1) == b':';
    if hex > 4 || part_of_name(last) || matches!(last, b':' | b'.') || (hex == 0 && !double) {
        return None;
    }
    let end = v6_end(text, start)?;
    // `::` alone is an operator of many languages: it needs a blank on both sides.
    let alone = end - start == 2;
    if alone
        && (part_of_name(text::byte(text, end))
            || !matches!(last, 0 | b' ' | b'[' | b'"' | b'\'' | b'='))
    {
        return None;
    }
    // `a::b` is a name of a program.
    let digit = text::slice(text, start, end).iter().any(u8::is_ascii_digit);
    if !(alone || digit)
        || goes_on(text, end)
        || text::byte(text, end) == b':' && text::byte(text, end + 1) == b':'
    {
        return None;
    }
    let zone =
        if text::byte(text, end) == b'%' { end_of(text, end + 1, 16, part_of_name) } else { end };
    let end = if zone > end + 1 { zone } else { end };
    Some(found(start, prefix_end(text, end, 128)))
}

/// Where the groups end that begin at `start`: eight, or fewer around one `::`; the last two may be
/// an IPv4 address.
fn v6_end(text: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut groups, mut short) = (start, 0, false);
    while groups < 8 && at - start < V6_BYTES_MAX {
        if let Some(end) = v4_end(text, at).filter(|_| groups > 0 || short) {
            groups += 2;
            at = end;
            break;
        }
        let end = end_of(text, at, 5, |b| b.is_ascii_hexdigit());
        if end - at > 4 {
            return None;
        }
        groups += usize::from(end > at);
        let (this, next) = (text::byte(text, end), text::byte(text, end + 1));
        if this == b':' && next == b':' {
            if short {
                return None;
            }
            short = true;
            at = end + 2;
            if !text::byte(text, at).is_ascii_hexdigit() {
                break;
            }
        } else if this == b':' && next.is_ascii_hexdigit() && end > at && groups < 8 {
            at = end + 1;
        } else {
            at = end;
            break;
        }
    }
    // A dot and digits after it: an IPv4 address that is none.
    let is_whole = if short { groups <= 7 } else { groups == 8 };
    is_whole.then_some(at)
}

/// The first part of an address.
fn mask_address(value: &[u8]) -> String {
    let shown = value.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let count = mask::count(value, mask::letter_or_digit);
    mask::strike(value, mask::letter_or_digit, |n| n < shown && shown < count)
}

/// Finds an address of six octets by its first separator, before which `digits` hex digits stand.
fn find_mac(text: &[u8], at: usize, digits: usize) -> Option<Candidate> {
    let separator = text::byte(text, at);
    if text::byte(text, at + digits + 1) != separator {
        return None;
    }
    let start = at.checked_sub(digits)?;
    // Asked first: of one address only the first separator has none before its group.
    let last = text::byte_before(text, start, 1);
    if last == separator || part_of_name(last) {
        return None;
    }
    let groups = 12 / digits;
    let end = start + 12 + groups - 1;
    let value = text::slice(text, start, end);
    let fits = value.len() == 12 + groups - 1
        && value.iter().enumerate().all(|(at, b)| match at % (digits + 1) == digits {
            true => *b == separator,
            false => b.is_ascii_hexdigit(),
        });
    let hex = value.iter().filter(|b| b.is_ascii_hexdigit());
    let same = hex.clone().all(|b| Some(b) == hex.clone().next());
    (fits && !same && !goes_on_mac(text, end, separator)).then(|| found(start, end))
}

fn goes_on_mac(text: &[u8], end: usize, separator: u8) -> bool {
    let (first, second) = (text::byte(text, end), text::byte(text, end + 1));
    part_of_name(first) || (first == separator && second.is_ascii_hexdigit())
}

/// Bytes of the longest URL that is followed.
const URL_BYTES_MAX: usize = 2_048;
/// RFC 1035 section 2.3.4.
const DOMAIN_BYTES_MAX: usize = 253;
/// Schemes under which pages and files are.
const SCHEMES: [&[u8]; 6] = [b"http", b"https", b"ftp", b"ftps", b"ws", b"wss"];

fn in_domain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.') || b >= 0x80
}

/// Whether the host has a top-level domain of letters, and no empty label.
fn is_domain(host: &[u8]) -> bool {
    let Some(dot) = memchr::memrchr(b'.', host) else { return false };
    let last = host.get(dot + 1..).unwrap_or_default();
    let ends = |b: u8| matches!(b, b'.' | b'-');
    // Next to a dot stands neither another nor a dash.
    let parted = |two: &[u8]| matches!(two, [b'.', b] | [b, b'.'] if ends(*b));
    last.len() >= 2
        && !host.windows(2).any(parted)
        && !host.first().is_some_and(|b| ends(*b))
        && !last.ends_with(b"-")
        && (last.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80) || last.starts_with(b"xn--"))
}

fn find_url(probe: &mut Probe<'_>, at: usize, _: &Run) -> Option<Candidate> {
    let text = probe.text;
    if text::byte(text, at + 1) != b'/' || text::byte(text, at + 2) != b'/' {
        return None;
    }
    let head = text::slice(text, at.saturating_sub(6), at);
    let letters = head.iter().rev().take_while(|b| b.is_ascii_alphabetic()).count();
    let scheme = text::slice(text, at - letters, at);
    let known = SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let host_end = end_of(text, at + 3, DOMAIN_BYTES_MAX, in_domain);
    let host = text::slice(text, at + 3, host_end);
    if !known || !(is_domain(host) || v4_end(text, at + 3) == Some(host_end)) {
        return None;
    }
    let in_url = |b: u8| {
        b.is_ascii_graphic()
            && !matches!(b, b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\' | b'{' | b'}' | b'|')
    };
    let mut end = end_of(text, host_end, URL_BYTES_MAX, in_url);
    // In a form the next field begins at `&`.
    if text::byte_before(text, at - letters, 1) == b'=' {
        let url = text::slice(text, host_end, end);
        end = host_end + memchr::memchr(b'&', url).unwrap_or(url.len());
    }
    while end > host_end
        && matches!(
            text::byte_before(text, end, 1),
            b'.' | b',' | b';' | b':' | b')' | b']' | b'!' | b'?'
        )
    {
        end -= 1;
    }
    Some(Candidate::new(at - letters, end, URL_DB).because(Reasons::FORM))
}

/// Top-level domains that tell a host from a name with dots.
const COMMON: [&[u8]; 11] =
    [b".com", b".org", b".net", b".edu", b".gov", b".info", b".io", b".co", b".de", b".uk", b".fr"];

fn find_domain(probe: &mut Probe<'_>, at: usize, _: &Run) -> Option<Candidate> {
    let text = probe.text;
    if !text::byte(text, at + 1).is_ascii_lowercase() {
        return None;
    }
    let tail = text::slice(text, at, text.len().min(at + 5));
    if !COMMON.iter().any(|domain| tail.starts_with(domain)) {
        return None;
    }
    let head = text::slice(text, at.saturating_sub(DOMAIN_BYTES_MAX), at);
    let before = head.iter().rev().take_while(|b| in_domain(**b)).count();
    let start = at - before;
    let end = end_of(text, at, DOMAIN_BYTES_MAX, in_domain);
    let trailing =
        text::slice(text, start, end).iter().rev().take_while(|b| matches!(b, b'.' | b'-')).count();
    let end = end - trailing;
    let last = text::byte_before(text, start, 1);
    let inside = matches!(last, b'/' | b'@' | b'_' | b'=' | b'%')
        || matches!(text::byte(text, end), b'(' | b'_' | b'@' | b'=');
    let host = text::slice(text, start, end);
    (is_domain(host) && !inside).then(|| Candidate::new(start, end, URL_DB).because(Reasons::FORM))
}
