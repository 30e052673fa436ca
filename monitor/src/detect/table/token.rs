//! Secrets with a beginning of their own: JSON web tokens, private keys, and the tokens of services
//! that mark theirs so that they can be recognised. Whether one is still valid is not asked.

use super::super::detector::{Detector, Field, Find, Tier, Words};
use super::super::evidence::{Candidate, Reasons};
use super::super::mask;
use super::super::probe::Probe;
use super::super::text::{self, Run};
use super::value::{self, base62, base64, base64url, end_of};
use crate::limits::WINDOW_HELD_BYTES;
use crate::model::Tag;

/// What rows of secrets have in common.
const fn secret(entity: &'static str, title: &'static str) -> Detector {
    Detector {
        tier: Tier::Structured,
        tags: &[Tag::Secret],
        mask: mask::nothing,
        plain: mask::exact,
        ..Detector::new(entity, title)
    }
}

pub(super) const ROWS: &[Detector] = &[
    Detector {
        standard: "RFC 7519: header, payload and signature in base64url; the header is JSON with \"alg\"",
        example: "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJlLW9mLW5vdGhpbmc",
        find: Find::Literal(&["eyJ"], find_jwt),
        ..secret("JWT", "JSON web token")
    },
    Detector {
        standard: "RFC 7468: a block whose label ends in PRIVATE KEY; OpenSSH and OpenPGP blocks alike",
        example: "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIE5vdEFLZXlKdXN0QW5FeGFtcGxlT2ZPbmUh\n-----END PRIVATE KEY-----",
        find: Find::Literal(&["-----BEGIN "], find_pem),
        ..secret("PRIVATE_KEY", "Private key in PEM form")
    },
    Detector {
        standard: "GitHub's token formats (2021): prefix, 30 letters and digits, CRC-32 in base 62",
        // Of 100,000 random strings of its shape none passes: the check is 32 bits.
        chance: 1e-6,
        example: "token: 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",
        find: Find::Literal(&["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"], find_github),
        ..secret("GITHUB_TOKEN", "GitHub token")
    },
    Detector {
        standard: "AWS IAM unique identifiers: AKIA or ASIA and 16 capitals and digits",
        example: "aws_access_key_id = AKIAZ3MSJ5QNXW7RTB2K",
        test_values: &["AKIAIOSFODNN7EXAMPLE", "AKIAI44QH8DHBEXAMPLE", "ASIAIOSFODNN7EXAMPLE"],
        find: Find::Literal(&["AKIA", "ASIA"], find_aws),
        ..secret("AWS_ACCESS_KEY", "AWS access key id")
    },
    Detector {
        standard: "Google Cloud API keys: AIza and 35 characters of base64url",
        example: "key=AIzaSyB7x2Qk9vLm4Rt0WpZc8Nf3Hj6Yd1Gs5Ae",
        find: Find::Literal(&["AIza"], |probe, at, _| exactly(probe.text, at, 4, base64url, 35)),
        ..secret("GOOGLE_API_KEY", "Google API key")
    },
    Detector {
        tags: &[Tag::Secret, Tag::PciDss],
        standard: "Stripe's API keys: sk or rk, mode, and letters and digits",
        example: "STRIPE_KEY=sk_live_4eXq7LzR2mKt9WvB3nHs8PyD",
        find: Find::Literal(&["sk_live_", "rk_live_", "sk_test_", "rk_test_"], find_stripe),
        ..secret("STRIPE_KEY", "Stripe secret key")
    },
    Detector {
        standard: "Slack's token types (xoxb, xoxp, …, xapp) and incoming webhooks",
        example: "xoxb-284710395561-290184471023-Qm4Zr8Tn2Kv6Xw1Lp9Bs3Hd7",
        find: Find::Literal(&["xox", "xapp-", "hooks.slack.com/services/"], find_slack),
        ..secret("SLACK_TOKEN", "Slack token or webhook")
    },
    Detector {
        standard: "GitLab's personal, deploy, runner and trigger tokens: prefix and 20 or more characters",
        example: "glpat-x9Kq2LmZ7vRt4WpB8nHs",
        find: Find::Literal(&["glpat-", "gldt-", "glrt-", "glptt-"], |probe, at, _| {
            let dash = text::slice(probe.text, at, at + 8).iter().position(|b| *b == b'-')?;
            within(probe.text, at, dash + 1, base64url, 20, 300)
        }),
        ..secret("GITLAB_TOKEN", "GitLab token")
    },
    Detector {
        standard: "npm's access tokens: npm_ and 36 letters and digits",
        example: "//registry/:_authToken=npm_a8Kd2LmZ7vRt4WpB9nHsQ3xYc6Gf1Je5Uo0T",
        find: Find::Literal(&["npm_"], |probe, at, _| exactly(probe.text, at, 4, base62, 36)),
        ..secret("NPM_TOKEN", "npm access token")
    },
    Detector {
        standard: "PyPI's API tokens: pypi- and a macaroon in base64url",
        example: "password = pypi-AgEIcHlwaS5vcmcCJDk4MTZkYjE2LTQ3YWYtNDZiZi1hZTA3LTk5MTJiMGY2MjQ0OQ",
        find: Find::Literal(&["pypi-Ag"], |probe, at, _| {
            within(probe.text, at, 7, base64url, 50, 1_000)
        }),
        ..secret("PYPI_TOKEN", "PyPI API token")
    },
    Detector {
        standard: "SendGrid's API keys: SG, 22 and 43 characters of base64url",
        example: "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",
        find: Find::Literal(&["SG."], find_sendgrid),
        ..secret("SENDGRID_API_KEY", "SendGrid API key")
    },
    Detector {
        standard: "Twilio's API key SIDs: SK and 32 hex digits",
        example: "SK3f9a1c7e5b2d8f4061a9c3e7b5d2f804",
        words: Words { near: &["twilio"], key: &["sid", "key"], hostile: &[], doubtful: &[] },
        find: Find::Word { min: 34, max: 34, find: find_twilio },
        ..secret("TWILIO_API_KEY", "Twilio API key")
    },
    Detector {
        standard: "OpenAI's API keys: sk-, and the mark T3BlbkFJ within",
        example: "OPENAI_API_KEY=sk-Qm4Zr8Tn2Kv6Xw1Lp9BsT3BlbkFJ3Hd7Yc5Gf0Je2Uo8Ka6Ri",
        find: Find::Literal(&["sk-"], find_openai),
        ..secret("OPENAI_API_KEY", "OpenAI API key")
    },
    Detector {
        standard: "Anthropic's API keys: sk-ant-, kind, and 80 or more characters of base64url",
        example: "x-api-key: sk-ant-api03-k9Qx2LmZ7vRt4WpB8nHs1AYd3Gs5Ae7Uo0Tb9Kc2Lm4Rt6WpZ8Nf1Hj3Xv5Qk7Bs9DgPo1Lw4Ei8Cz6Mv0Nt2AA",
        find: Find::Literal(&["sk-ant-"], |probe, at, _| {
            within(probe.text, at, 7, base64url, 80, 200)
        }),
        ..secret("ANTHROPIC_API_KEY", "Anthropic API key")
    },
    Detector {
        standard: "Azure connection strings: an account key of 64 bytes, or an access key of 32, in base64",
        example: "AccountName=acme;AccountKey=RXx2nznYZEGZwOW9vPvIWzfOkcveH8Gw6mtE8TBDbdcpymm9nozrpqB9HewlsbCH7xJsBy8NIdfbCzN3dzilxg==",
        find: Find::Mark(b'=', find_azure),
        ..secret("AZURE_KEY", "Azure storage or service bus key")
    },
];

/// What a beginning, an alphabet and a length of its own are worth, in decibans: no word has them.
const MARKED_DB: i16 = 45;
/// With a check as well.
const CHECKED_DB: i16 = 60;

/// A secret from `start` to `end`, the first `prefix` bytes of which say what it is.
fn marked(text: &[u8], start: usize, prefix: usize, end: usize) -> Option<Candidate> {
    let body = text::slice(text, start + prefix, end);
    if value::is_placeholder(body) || value::bits_per_character(body) < 2.5 {
        return None;
    }
    let mut found = Candidate::new(start, end, MARKED_DB).because(Reasons::FORM);
    found.test_data = value::holds_any(body, &["example"]);
    Some(found)
}

/// A secret of a prefix and `min` to `max` characters of an alphabet, and no more.
fn within(
    text: &[u8],
    at: usize,
    prefix: usize,
    in_body: fn(u8) -> bool,
    min: usize,
    max: usize,
) -> Option<Candidate> {
    if base62(text::byte_before(text, at, 1)) && !is_escaped(text, at) {
        return None;
    }
    let end = end_of(text, at + prefix, max + 1, in_body);
    let length = end.checked_sub(at + prefix)?;
    if length < min || length > max || base64url(text::byte(text, end)) {
        return None;
    }
    marked(text, at, prefix, end)
}

fn exactly(
    text: &[u8],
    at: usize,
    prefix: usize,
    in_body: fn(u8) -> bool,
    length: usize,
) -> Option<Candidate> {
    within(text, at, prefix, in_body, length, length)
}

/// Whether the letter before `at` is that of an escape (`\n`) that no decoder undid.
fn is_escaped(text: &[u8], at: usize) -> bool {
    text::byte_before(text, at, 2) == b'\\'
        && matches!(text::byte_before(text, at, 1), b'n' | b'r' | b't')
}

/// Characters of the longest header, and of the longest token that is followed.
const JWT_HEADER_BYTES_MAX: usize = 1_024;
const JWT_BYTES_MAX: usize = 8_192;
/// Characters of the shortest payload that is more than `{}`.
const JWT_PAYLOAD_BYTES_MIN: usize = 8;

fn find_jwt(probe: &mut Probe<'_>, at: usize, _: &Run) -> Option<Candidate> {
    let text = probe.text;
    let last = text::byte_before(text, at, 1);
    if (base64url(last) || last == b'.') && !is_escaped(text, at) {
        return None;
    }
    let header = end_of(text, at, JWT_HEADER_BYTES_MAX, base64url);
    if text::byte(text, header) != b'.' || !is_jwt_header(text::slice(text, at, header)) {
        return None;
    }
    let room = |from: usize| (at + JWT_BYTES_MAX).saturating_sub(from);
    let payload = end_of(text, header + 1, room(header), base64url);
    if payload - header <= JWT_PAYLOAD_BYTES_MIN {
        return None;
    }
    // A signature (RFC 7519), or the three more parts of an encrypted one (RFC 7516).
    let mut end = payload;
    for _ in 0..3 {
        if text::byte(text, end) != b'.' || !base64url(text::byte(text, end + 1)) {
            break;
        }
        end = end_of(text, end + 1, room(end), base64url);
    }
    Some(Candidate::new(at, end, CHECKED_DB).because(Reasons::FORM).because(Reasons::CHECKED))
}

/// Whether the characters are base64url of a JSON object with a member `alg`.
fn is_jwt_header(header: &[u8]) -> bool {
    let mut json = [0u8; JWT_HEADER_BYTES_MAX];
    let (mut bits, mut count, mut length) = (0u32, 0, 0);
    for byte in header {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            _ => 63,
        };
        bits = (bits << 6 | u32::from(value)) & 0xFFFF;
        count += 6;
        if count >= 8 {
            count -= 8;
            let Some(slot) = json.get_mut(length) else { return false };
            *slot = (bits >> count & 0xFF) as u8;
            length += 1;
        }
    }
    let json = text::slice(&json, 0, length).trim_ascii();
    json.starts_with(b"{") && json.ends_with(b"}") && value::holds_any(json, &["\"alg\""])
}

/// Bytes of the longest block: an RSA key of 8,192 bits has 6,400.
const PEM_BYTES_MAX: usize = 10_240;
const _: () = assert!(PEM_BYTES_MAX + 256 < WINDOW_HELD_BYTES && JWT_BYTES_MAX < WINDOW_HELD_BYTES);
/// Bytes of the longest label.
const PEM_LABEL_BYTES_MAX: usize = 40;
/// Characters of base64 in the shortest body that is a key: that of 32 bytes.
const PEM_BODY_BYTES_MIN: usize = 40;

fn find_pem(probe: &mut Probe<'_>, at: usize, _: &Run) -> Option<Candidate> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    const DASHES: &[u8] = b"-----";
    let text = probe.text;
    let label_at = at + BEGIN.len();
    let label = text::slice(text, label_at, text.len().min(label_at + PEM_LABEL_BYTES_MAX));
    let length = memchr::memmem::find(label, DASHES)?;
    let label = label.get(..length)?;
    if !label.ends_with(b"PRIVATE KEY") && label != b"PGP PRIVATE KEY BLOCK" {
        return None;
    }
    let body_at = label_at + length + DASHES.len();
    let rest = text::slice(text, body_at, text.len().min(body_at + PEM_BYTES_MAX));
    let closed = memchr::memmem::find(rest, b"-----END ");
    let in_body =
        |b: &u8| base64(*b) || b.is_ascii_whitespace() || matches!(b, b'\\' | b'-' | b':' | b',');
    let cut = || rest.iter().position(|b| !in_body(b)).unwrap_or(rest.len());
    let body_length = closed.unwrap_or_else(cut);
    let body = rest.get(..body_length)?;
    if body.iter().filter(|b| base64(**b)).count() < PEM_BODY_BYTES_MIN || !body.iter().all(in_body)
    {
        return None;
    }
    let end = match closed {
        None => body_at + body_length,
        Some(at) => {
            let tail = rest.get(at + DASHES.len()..)?;
            let dashes =
                memchr::memmem::find(tail, DASHES).filter(|at| *at <= PEM_LABEL_BYTES_MAX + 4);
            body_at + at + DASHES.len() + dashes.map_or(4, |dashes| dashes + DASHES.len())
        }
    };
    Some(Candidate::new(at, end.min(text.len()), CHECKED_DB).because(Reasons::FORM))
}

/// Letters and digits of a classic token, and of its check.
const GITHUB_BODY: usize = 30;
const GITHUB_CHECK: usize = 6;
/// Characters of a fine-grained token after its prefix: 22, an underscore and 59.
const GITHUB_FINE: usize = 82;

fn find_github(probe: &mut Probe<'_>, at: usize, _: &Run) -> Option<Candidate> {
    let text = probe.text;
    if text::byte(text, at + 2) == b't' {
        return exactly(text, at, 11, base64url, GITHUB_FINE);
    }
    let mut found = exactly(text, at, 4, base62, GITHUB_BODY + GITHUB_CHECK)?;
    let (body, check) = text::slice(text, at + 4, found.end).split_at_checked(GITHUB_BODY)?;
    if base62_number(check)? != u64::from(crc32(body)) {
        return None;
    }
    found.worth_db = CHECKED_DB;
    Some(found.because(Reasons::CHECKED))
}

/// The number that digits, capitals and small letters write, in this order of value.
fn base62_number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |number, byte| {
        let value = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            b'a'..=b'z' => byte - b'a' + 36,
            _ => return None,
        };
        number.checked_mul(62)?.checked_add(u64::from(value))
    })
}

/// CRC-32 of ISO 3309, as in zlib. Of 30 bytes at a time: no table, no crate.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

fn find_aws(probe: &mut Probe<'_>, at: usize, _: &Run) -> Option<Candidate> {
    let capital = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    let mut found = exactly(probe.text, at, 4, capital, 16)?;
    // Base32 has digits; a word in capitals has none.
    let body = text::slice(probe.text, at + 4, found.end);
    found.test_data |= body.ends_with(b"EXAMPLE");
    Some(found)
}

fn find_stripe(probe: &mut Probe<'_>, at: usize, _: &Run) -> Option<Candidate> {
    let mut found = within(probe.text, at, 8, base62, 16, 250)?;
    found.test_data |= text::slice(probe.text, at + 3, at + 7) == b"test";
    Some(found)
}

fn find_slack(probe: &mut Probe<'_>, at: usize, _: &Run) -> Option<Candidate> {
    const HOOK: usize = "hooks.slack.com/services/".len();
    let text = probe.text;
    if text::byte(text, at) == b'h' {
        let in_path = |b: u8| base62(b) || b == b'/';
        let end = end_of(text, at + HOOK, 100, in_path);
        let path = text::slice(text, at + HOOK, end);
        let fits = path.starts_with(b"T") && path.split(|b| *b == b'/').count() == 3;
        return (fits && path.len() >= 40).then(|| marked(text, at, HOOK, end)).flatten();
    }
    // `xoxb-`: kinds are a, b, e, p, r and s.
    let kind = text::byte(text, at + 3);
    if text::byte(text, at + 1) == b'o'
        && !(b"abeprs".contains(&kind) && text::byte(text, at + 4) == b'-')
    {
        return None;
    }
    let found = within(text, at, 5, base64url, 20, 300)?;
    let body = text::slice(text, at + 5, found.end);
    (body.contains(&b'-') && body.iter().any(u8::is_ascii_digit)).then_some(found)
}

fn find_sendgrid(probe: &mut Probe<'_>, at: usize, _: &Run) -> Option<Candidate> {
    let text = probe.text;
    let id = end_of(text, at + 3, 23, base64url);
    if id != at + 3 + 22 || text::byte(text, id) != b'.' || base62(text::byte_before(text, at, 1)) {
        return None;
    }
    let end = end_of(text, id + 1, 44, base64url);
    (end == id + 1 + 43).then(|| marked(text, at, 3, end)).flatten()
}

fn find_twilio(probe: &mut Probe<'_>, field: Field) -> Option<Candidate> {
    let hex = text::slice(probe.text, field.start, field.end).strip_prefix(b"SK")?;
    let lower = |b: &u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
    hex.iter().all(lower).then(|| marked(probe.text, field.start, 2, field.end)).flatten()
}

fn find_openai(probe: &mut Probe<'_>, at: usize, _: &Run) -> Option<Candidate> {
    let found = within(probe.text, at, 3, base64url, 40, 250)?;
    let body = text::slice(probe.text, at + 3, found.end);
    memchr::memmem::find(body, b"T3BlbkFJ").map(|_| found.because(Reasons::CHECKED))
}

fn find_azure(probe: &mut Probe<'_>, at: usize, _: &Run) -> Option<Candidate> {
    let text = probe.text;
    let start = at + 1;
    let key = text::slice(text, at.saturating_sub(15), at);
    if !(key.ends_with(b"AccountKey") || key.ends_with(b"SharedAccessKey")) {
        return None;
    }
    let end = end_of(text, start, 89, base64);
    let length = end - start;
    let padded = text::byte_before(text, end, 1) == b'=';
    (padded && matches!(length, 44 | 88)).then(|| marked(text, start, 0, end)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_of_github_is_crc_32_in_base_62() {
        // The check value of CRC-32 that every description of it gives.
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(base62_number(b"0000Az"), Some(10 * 62 + 61));
    }

    #[test]
    fn header_of_a_token_is_json() {
        assert!(is_jwt_header(b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"));
        assert!(!is_jwt_header(b"eyJmb28iOiJiYXIifQ"));
        assert!(!is_jwt_header(b"eyJhbGciOiJIUzI1NiI"));
    }
}
