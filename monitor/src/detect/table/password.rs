//! Secrets that only their key tells: passwords, tokens, cookies, and passwords inside of URLs. What
//! stands there must look like a value: a placeholder, a variable or an expression is none.

use super::super::detector::{Detector, Field, Find, Tier, Words};
use super::super::evidence::{Candidate, Reasons};
use super::super::mask;
use super::super::probe::Probe;
use super::super::text::{self, Run};
use super::value::{self, Kinds};
use crate::model::{Confidence, Tag};

const fn secret(entity: &'static str, title: &'static str) -> Detector {
    Detector {
        tier: Tier::Weak,
        tags: &[Tag::Secret],
        mask: mask::nothing,
        plain: mask::exact,
        ..Detector::new(entity, title)
    }
}

pub(super) const ROWS: &[Detector] = &[
    Detector {
        tags: &[Tag::Secret, Tag::PciDss],
        standard: "a key that names it, and a value that is no placeholder (PCI DSS 4.0 requirement 8.3.2)",
        example: r#"{"password":"Tr0ub4dor&3x"}"#,
        words: Words { key: PASSWORD_KEYS, near: &[], hostile: PASSWORD_NOT, doubtful: &[] },
        find: Find::Key(find_password),
        ..secret("PASSWORD", "Password under its key")
    },
    Detector {
        standard: "a key that names it, and a random value (RFC 6750, RFC 7617)",
        example: r#"{"client_secret":"k3J9sPq7Lw2Xz5Vn4TrZx81k"}"#,
        words: Words { key: TOKEN_KEYS, near: &[], hostile: TOKEN_NOT, doubtful: &[] },
        find: Find::Key(find_token),
        ..secret("ACCESS_TOKEN", "Token, secret or API key under its key")
    },
    Detector {
        tags: &[Tag::Secret, Tag::Gdpr],
        standard: "RFC 6265: the value of a cookie, or of a key that names a session",
        example: "Cookie: theme=dark; sessionid=9f86d081884c7d659a2feaa0c55ad015",
        words: Words { key: SESSION_KEYS, near: &[], hostile: TOKEN_NOT, doubtful: &[] },
        find: Find::Key(find_session),
        ..secret("SESSION_COOKIE", "Session cookie")
    },
    Detector {
        standard: "AWS secret access keys: 40 characters of base64 under their key",
        example: "aws_secret_access_key = q7Lw2Xz5k3J9sPVn4TrZx81kQpLm20Yd/Gs5Ae7U",
        words: Words {
            key: &[
                "aws secret access key",
                "secret access key",
                "aws secret key",
                "aws secret",
                "aws secret access",
                "secret key",
                "secretkey",
            ],
            near: &[],
            hostile: &[],
            doubtful: &[],
        },
        find: Find::Key(find_aws_secret),
        ..secret("AWS_SECRET_KEY", "AWS secret access key")
    },
    Detector {
        tier: Tier::Structured,
        standard: "RFC 3986 section 3.2.1: user information with a password",
        example: "postgres://app:q7Lw2Xz5k3@db.acme.io:5432/main",
        find: Find::Mark(b'@', find_in_url),
        ..secret("URL_PASSWORD", "Password in a URL")
    },
];

#[rustfmt::skip]
const PASSWORD_KEYS: &[&str] = &[
    "password", "passwords", "passwd", "passwrd", "passphrase", "pass phrase", "passcode", "pwd",
    "pass", "userpass", "dbpass", "userpassword", "dbpassword", "pgpassword", "rootpassword",
    "adminpassword", "userpwd", "kennwort", "passwort", "mot de passe", "motdepasse", "mdp",
    "contraseña", "contrasena", "senha", "wachtwoord", "lösenord", "hasło", "haslo",
    "adgangskode", "passord", "salasana", "heslo", "parolă", "şifre", "sifre", "пароль", "密码",
    "パスワード", "비밀번호",
];

/// Words of a key that say that it is about a password and holds none.
#[rustfmt::skip]
const PASSWORD_NOT: &[&str] = &[
    "can", "enable", "enabled", "error", "expired", "field", "forgot", "forgotten", "has", "help",
    "hide", "hint", "is", "label", "length", "lost", "max", "message", "min", "missing", "must",
    "needs", "placeholder", "require", "required", "requires", "reset", "show", "test", "tests",
    "title", "toggle", "total", "type", "url", "use", "uses", "with", "without",
];

#[rustfmt::skip]
const TOKEN_KEYS: &[&str] = &[
    "access key", "access token", "accesskey", "account key", "api key", "api secret", "api token",
    "apikey", "apitoken", "app secret", "auth", "auth key", "auth token", "authkey", "authorization",
    "authtoken", "basic auth", "bearer", "bearer token", "bot token", "client secret",
    "clientsecret", "connection key", "consumer secret", "credential", "credentials",
    "encryption key", "id token", "jwt secret", "license key", "master key", "oauth token",
    "private key", "proxy authorization", "refresh token", "sas token", "secret", "secret key",
    "secret token", "secretkey", "secrets", "service key", "session token", "shared secret",
    "signing key", "signing secret", "token", "webhook secret", "x api key", "x auth token",
];

/// Words of a key that say that its token opens nothing, or that it holds none.
#[rustfmt::skip]
const TOKEN_NOT: &[&str] = &[
    "continuation", "cancel", "client request", "count", "csrf", "cursor", "design", "expires",
    "expiry", "has", "hash", "idempotency", "is", "length", "limit", "marker", "max", "name",
    "next", "page", "pagination", "paging", "previous", "prev", "public", "scope", "start", "sync",
    "total", "type", "usage", "use", "xsrf", "etag", "integrity", "checksum", "client token",
    "clienttoken", "fingerprint", "change", "lifecycle", "lock", "purchase", "request",
];

#[rustfmt::skip]
const SESSION_KEYS: &[&str] = &[
    "cookie", "cookies", "set cookie", "session", "session id", "sessionid", "session key",
    "session cookie", "sess id", "sessid", "phpsessid", "jsessionid", "connect sid", "auth cookie",
];

/// What a key that ends with a term is worth besides, in decibans: enough for high confidence.
const SURE_DB: i16 = 10;
/// Where the value may be a word: low confidence.
const DOUBTFUL_DB: i16 = -10;
/// Where the value is of the right form and random besides.
const RANDOM_DB: i16 = 12;
/// Where its length says whose it is.
const LENGTH_DB: i16 = 25;

/// Bytes of the shortest and the longest password that is looked at.
const PASSWORD_BYTES_MIN: usize = 4;
const PASSWORD_BYTES_MAX: usize = 128;
/// Bytes of the shortest password that may be one without being of several kinds of characters.
const PLAIN_PASSWORD_BYTES_MIN: usize = 6;

fn find_password(probe: &mut Probe<'_>, field: Field) -> Option<Candidate> {
    let text = probe.text;
    let quoted = value::is_quoted(text, field);
    // `password:n` is a program; YAML and headers have a blank there.
    if !quoted && text::byte_before(text, field.start, 1) == b':' {
        return None;
    }
    let field = value::word(text, field);
    let value = text::slice(text, field.start, field.end);
    let length = value.len();
    let (_, key) = probe.named_key(field.start)?;
    let in_program = !quoted && !value::is_in_form(text, key, field);
    if !(PASSWORD_BYTES_MIN..=PASSWORD_BYTES_MAX).contains(&length)
        || value::is_placeholder(value)
        || (in_program && (value::is_code(value) || is_variable(text, field, value)))
        || is_prose(value)
    {
        return None;
    }
    // Its hash is stored in its place, which is what should be.
    if value.starts_with(b"$2") || value.starts_with(b"$argon2") || value.starts_with(b"{SHA") {
        return None;
    }
    let kinds = Kinds::of(value);
    // `pass` is a word of many things; a password has digits.
    let key = text::slice(text, key.0, key.1);
    let is_pass = key.last_chunk::<4>().is_some_and(|last| last.eq_ignore_ascii_case(b"pass"));
    if (kinds.count() < 2 && length < PLAIN_PASSWORD_BYTES_MIN)
        || (is_pass && !(kinds.digit && kinds.count() >= 2))
    {
        return None;
    }
    let plain = kinds.count() < 2 && !kinds.digit;
    Some(Candidate::new(field.start, field.end, if plain { DOUBTFUL_DB } else { SURE_DB }))
}

/// Whether the value is a variable that a program hands on: `x = name`, `{x: name, …`.
fn is_variable(text: &[u8], field: Field, value: &[u8]) -> bool {
    let assigned = text::byte_before(text, field.start, 1) == b' '
        && text::byte_before(text, field.start, 2) == b'=';
    let member = matches!(text::byte(text, field.end), b',' | b'}' | b')' | b';');
    (assigned || member) && value::is_identifier(value)
}

/// Whether the value is words of a language, as labels and messages are.
fn is_prose(value: &[u8]) -> bool {
    let blanks = value.iter().filter(|b| **b == b' ').count();
    let kinds = Kinds::of(value);
    let letters = |b: &u8| {
        b.is_ascii_alphabetic() || matches!(b, b' ' | b'.' | b',' | b'\'' | b':' | b'?' | b'!')
    };
    blanks > 0 && (blanks > 4 || !kinds.digit && value.iter().all(letters))
}

/// Bytes of the shortest token.
const TOKEN_BYTES_MIN: usize = 12;
/// Schemes of the header that carries credentials (RFC 9110 section 11).
const SCHEMES: [&[u8]; 6] =
    [b"Bearer ", b"Basic ", b"Token ", b"ApiKey ", b"Digest ", b"Negotiate "];

fn find_token(probe: &mut Probe<'_>, field: Field) -> Option<Candidate> {
    let text = probe.text;
    let (_, key) = probe.named_key(field.start)?;
    let value = text::slice(text, field.start, field.end);
    let scheme = SCHEMES.iter().find(|scheme| {
        value.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    });
    let skipped = scheme.map_or(0, |scheme| scheme.len());
    let end = if skipped > 0 {
        let rest = value.get(skipped..)?;
        let stops = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'\\');
        field.start + skipped + rest.iter().position(stops).unwrap_or(rest.len())
    } else {
        value::word(text, field).end
    };
    let field = Field { start: field.start + skipped, end };
    let token = text::slice(text, field.start, field.end);
    let graphic = token.iter().all(u8::is_ascii_graphic);
    if token.len() < TOKEN_BYTES_MIN
        || !graphic
        || value::is_placeholder(token)
        || is_address(token)
    {
        return None;
    }
    // `arn:aws:secretsmanager:…:secret:name` is a name in parts.
    let is_part = text::byte_before(text, key.0, 1) == b':';
    if !value::is_quoted(text, field) && (is_part || value::is_code(token)) {
        return None;
    }
    if scheme.is_some_and(|scheme| *scheme == b"Basic ") {
        let base64 = token.iter().all(|b| value::base64(*b));
        return base64.then(|| Candidate::new(field.start, field.end, RANDOM_DB));
    }
    if !value::is_random(token)
        || (value::is_uuid(token) && !is_of_access(text::slice(text, key.0, key.1)))
    {
        return None;
    }
    let worth_db = if value::is_uuid(token) { 0 } else { SURE_DB };
    let mut found = Candidate::new(field.start, field.end, worth_db);
    found.test_data = value::holds_any(token, &["example"]);
    Some(found)
}

/// Whether the key names access, and no other thing that is numbered by a token.
fn is_of_access(key: &[u8]) -> bool {
    key.eq_ignore_ascii_case(b"token")
        || value::holds_any(
            key,
            &["auth", "access", "api", "secret", "bearer", "refresh", "session"],
        )
}

/// Whether a value is a URL or a path, which may be random without being secret.
fn is_address(value: &[u8]) -> bool {
    value.starts_with(b"/") || value.starts_with(b"arn:") || value.windows(3).any(|w| w == b"://")
}

/// Bytes of a header of cookies that are looked at.
const COOKIE_BYTES_MAX: usize = 1_024;

fn find_session(probe: &mut Probe<'_>, field: Field) -> Option<Candidate> {
    let text = probe.text;
    let (_, key) = probe.named_key(field.start)?;
    let name = text::slice(text, key.0, key.1);
    if value::holds_any(name, &["cookie"]) {
        return find_cookie(text, field, value::holds_any(name, &["set"]));
    }
    let field = value::word(text, field);
    let session = text::slice(text, field.start, field.end);
    let fits =
        session.iter().all(|b| value::base64(*b) || matches!(b, b'-' | b'_' | b'.' | b'%' | b':'));
    if !fits
        || !value::is_random(session)
        || value::is_placeholder(session)
        || value::is_code(session)
    {
        return None;
    }
    let mut found = Candidate::new(field.start, field.end, SURE_DB);
    // Telemetry numbers its sessions so, and nobody gets in with them.
    let is_number = value::is_uuid(session) || name.eq_ignore_ascii_case(b"session");
    if is_number {
        found.at_most = Confidence::Low;
    }
    Some(found)
}

/// The cookies of a header, from the first to the last, if one has a random value.
fn find_cookie(text: &[u8], field: Field, is_set: bool) -> Option<Candidate> {
    let rest = text::slice(text, field.start, text.len().min(field.start + COOKIE_BYTES_MAX));
    let ends =
        |b: &u8| matches!(b, b'\r' | b'\n' | b'"' | b'\'' | b'\\' | b'<') || (is_set && *b == b';');
    let length = rest.iter().position(ends).unwrap_or(rest.len());
    let cookies = rest.get(..length)?.trim_ascii_end();
    let random = cookies.split(|b| *b == b';').any(|cookie| {
        let mut parts = cookie.trim_ascii().splitn(2, |b| *b == b'=');
        let (Some(_), Some(value)) = (parts.next(), parts.next()) else { return false };
        value::is_random(value) && !value::is_placeholder(value)
    });
    random.then(|| Candidate::new(field.start, field.start + cookies.len(), SURE_DB))
}

/// Characters of a secret access key: 30 bytes in base64.
const AWS_SECRET_BYTES: usize = 40;

fn find_aws_secret(probe: &mut Probe<'_>, field: Field) -> Option<Candidate> {
    let text = probe.text;
    let field = value::word(text, field);
    let secret = text::slice(text, field.start, field.end);
    let base64 = secret.iter().all(|b| value::base64(*b) && *b != b'=');
    let kinds = Kinds::of(secret);
    if secret.len() != AWS_SECRET_BYTES || !base64 || !kinds.lower || !kinds.upper {
        return None;
    }
    let mut found = Candidate::new(field.start, field.end, LENGTH_DB).because(Reasons::FORM);
    found.test_data = value::holds_any(secret, &["examplekey"]);
    Some(found)
}

/// Bytes of user information that are followed back.
const USER_BYTES_MAX: usize = 256;
/// Bytes of the shortest password in a URL.
const URL_PASSWORD_BYTES_MIN: usize = 3;
/// What a scheme, a user, a password and a host at their places are worth.
const URL_DB: i16 = 42;

fn find_in_url(probe: &mut Probe<'_>, at: usize, _: &Run) -> Option<Candidate> {
    let text = probe.text;
    let before = text::slice(text, at.saturating_sub(USER_BYTES_MAX), at);
    let stops = |b: &u8| {
        b.is_ascii_whitespace() || matches!(b, b'/' | b'"' | b'\'' | b'<' | b'>' | b'`' | b',')
    };
    // The slash before it ends the scheme.
    let user = before.get(memchr::memrchr(b'/', before)? + 1..)?;
    let start = at - user.len();
    if text::slice(text, start.saturating_sub(3), start) != b"://" || user.iter().any(stops) {
        return None;
    }
    let is_host = |b: u8| b.is_ascii_alphanumeric() || b == b'[';
    let colon = user.iter().position(|b| *b == b':')?;
    let password = user.get(colon + 1..)?;
    // Where another `@` follows within the same authority, this one is part of the password.
    let rest = text::slice(text, at + 1, text.len().min(at + USER_BYTES_MAX));
    let ends = |b: &u8| {
        b.is_ascii_whitespace() || matches!(b, b'/' | b'"' | b'\'' | b'<' | b'?' | b'#' | b',')
    };
    let authority = rest.get(..rest.iter().position(ends).unwrap_or(rest.len()))?;
    if !is_host(text::byte(text, at + 1)) || authority.contains(&b'@') {
        return None;
    }
    if password.len() < URL_PASSWORD_BYTES_MIN || value::is_placeholder(password) {
        return None;
    }
    let from = start + colon + 1;
    let mut found = Candidate::new(from, at, URL_DB).because(Reasons::FORM);
    let known = [&b"guest"[..], b"pass", b"postgres", b"root", b"admin", b"user"];
    if known.contains(&password) {
        found.at_most = Confidence::Low;
    }
    Some(found)
}
