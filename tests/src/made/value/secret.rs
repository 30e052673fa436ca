//! Secrets: tokens, keys, passwords.

use super::super::Rng;
use super::{Maker, maker};

pub(super) const MAKERS: &[Maker] = &[
    maker("JWT", &["access token", "id token", "jwt"], jwt),
    maker("PRIVATE_KEY", &["private key", "ssh key", "tls key"], private_key),
    maker("GITHUB_TOKEN", &["github token", "gh token"], github),
    maker("AWS_ACCESS_KEY", &["aws access key id", "access key id"], |rng| {
        format!("AKIA{}", rng.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16))
    }),
    maker("GOOGLE_API_KEY", &["google api key", "maps key"], |rng| {
        format!("AIza{}", rng.text(BASE64URL, 35))
    }),
    maker("STRIPE_KEY", &["stripe key", "stripe secret key"], |rng| {
        format!("sk_live_{}", rng.text(BASE62, 24))
    }),
    maker("SLACK_TOKEN", &["slack token", "slack bot token"], |rng| {
        let numbers = (rng.digits(12), rng.digits(12));
        format!("xoxb-{}-{}-{}", numbers.0, numbers.1, rng.text(BASE62, 24))
    }),
    maker("PASSWORD", &["password", "db password", "user passwd", "smtp password"], password),
];

const BASE62: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE64URL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn jwt(rng: &mut Rng) -> String {
    // {"alg":"HS256","typ":"JWT"} and {"sub":" in base64url.
    let payload = rng.text("abcdefghijklmnopqrstuvwxyzABCDEFGH0123456789", 44);
    format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI{payload}.{}", rng.text(BASE64URL, 43))
}

fn private_key(rng: &mut Rng) -> String {
    let base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let lines: Vec<String> = (0..3).map(|_| rng.text(base64, 64)).collect();
    let kind = rng.pick(&["RSA PRIVATE", "EC PRIVATE", "PRIVATE"]);
    format!("-----BEGIN {kind} KEY-----\n{}\n-----END {kind} KEY-----", lines.join("\n"))
}

/// The last six characters are the CRC-32 of the others in base 62.
fn github(rng: &mut Rng) -> String {
    let body = rng.text(BASE62, 30);
    let crc = !body.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    });
    let digit = |power: u32| char::from(BASE62.as_bytes()[(crc / 62u32.pow(power) % 62) as usize]);
    let check: String = (0..6)
        .rev()
        .map(|power| if power == 5 && crc < 62u32.pow(5) { '0' } else { digit(power) })
        .collect();
    format!("{}_{body}{check}", rng.pick(&["ghp", "gho", "ghs"]))
}

fn password(rng: &mut Rng) -> String {
    format!(
        "{}{}{}",
        rng.text("ABCDEFGHKMNPQRSTuvwxyz", 5),
        rng.pick(&["!", "#", "_", "."]),
        rng.text(BASE62, 7)
    )
}
