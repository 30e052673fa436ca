//! What each entity looks like in the bytes that are sent: the least that every value of it has,
//! plain or in an escape that the decoders undo. A policy is as wide as the shapes of the entities
//! that it asks for.
//!
//! What is encoded so that no shape shows (base64, hexadecimal, anything compressed or binary) is
//! told by the scan itself, whatever the policy asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A class of values by what they have at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// Thirteen digits, at most one separator between two of them.
    Card,
    /// Nine digits: undashed and no more, or dashed.
    Ssn,
    /// An `@`.
    Email,
    /// A plus and a number behind it.
    Phone,
    /// Two capitals, two digits, and the beginning of an account.
    Iban,
    /// Six digits in a row, or nine with at most one separator between two of them.
    Digits,
    /// Letters and digits in one of the ways of identifiers.
    Mixed,
    /// The beginnings of keys and tokens.
    Secret,
    /// None: whatever is sent may be one.
    All,
}

impl Shape {
    /// Those that the fewest words of ordinary traffic have anything of.
    pub const NARROW: [Shape; 5] =
        [Shape::Card, Shape::Ssn, Shape::Email, Shape::Phone, Shape::Iban];

    /// The name in `policy check`.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Card => "card",
            Shape::Ssn => "ssn",
            Shape::Email => "email",
            Shape::Phone => "phone",
            Shape::Iban => "iban",
            Shape::Digits => "digits",
            Shape::Mixed => "mixed",
            Shape::Secret => "secret",
            Shape::All => "all",
        }
    }

    /// Whether words must wake the automaton by less than the five narrow shapes take.
    pub(super) fn is_wide(self) -> bool {
        matches!(self, Shape::Digits | Shape::Mixed | Shape::Secret)
    }

    fn patterns(self) -> &'static [&'static str] {
        match self {
            Shape::Card => &[CARD],
            Shape::Ssn => &[r"[0-9]{3}[ \-.+][0-9]{2}[ \-.+][0-9]{4}"],
            Shape::Email => &["@"],
            Shape::Phone => &[
                r"\+(?:[(]?[1-9][0-9() .\-]{6}|(?:[(]?[1-9][0-9() .\-]{0,5})?SEP)",
                // Its plus escaped.
                r"(?:%2[bB]|\\u002[bB]|\\x2[bB])(?:[(]|%28|\\u0028)?[1-9]",
            ],
            Shape::Iban => &[
                r"[A-Z][A-Z][0-9][0-9](?:[A-Z0-9 .+\-]{6}|[A-Z0-9 .+\-]{0,5}SEP[0-9A-Z])",
                // Cut between country and check digits by a chunk boundary (see below) with an
                // extension so long that the scan does not look back as far as the country.
                r"\r\n[A-Z]?[0-9][0-9](?:[A-Z0-9]{6}|[ .+\-][A-Z0-9]{4})",
            ],
            Shape::Digits => &["[0-9]{6}", r"[0-9](?:[ \-./+]?[0-9]){8}"],
            // What has fifteen characters or more is told by `TABLE_LONG`: Italy's codice fiscale,
            // GSTIN, VIN, wallets.
            Shape::Mixed => &[
                // UK NINO; India's PAN; US MBI; a wallet in small letters.
                r"[A-Za-z]{2}[ \-]?[0-9]{2}[ \-]?[0-9]{2}[ \-]?[0-9]",
                "[A-Za-z]{5}[0-9]{4}",
                r"[0-9][A-Za-z][A-Za-z0-9][0-9][ \-]?[A-Za-z][A-Za-z0-9]",
                "bc1",
                r"[g-z]\r\n[0-9A-Fa-f]{1,8}[;\r]",
            ],
            // Likewise all keys and tokens but AWS's that happen to have no digit. And a password in
            // an address.
            Shape::Secret => &["A[KS]IA", "@"],
            Shape::All => &[],
        }
    }
}

const CARD: &str = r"[0-9](?:[ \-.+]?[0-9]){12}";

/// What every policy asks for. `SEP` is a separator that is escaped or not ASCII.
const ALWAYS: &[&str] = &[
    // A digit or a letter that somebody took the trouble to escape, or an escape that is escaped: no
    // encoder does that of its own accord, so such a text is looked at whatever follows.
    r"%(?:40|5[cC]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])",
    r"\\(?:u00|x)(?:40|25|5[cC]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])",
    // The same as references of HTML, decimal and hexadecimal.
    "&#0{0,2}(?:4[389]|5[0-7]|6[4-9]|[78][0-9]|90|9[7-9]|1[01][0-9]|12[0-2])",
    "&#[xX]0{0,2}(?:40|2[bB]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])",
    // And of quoted-printable, where these stand in a number or an address.
    "[A-Za-z0-9]=40[A-Za-z]|=3[0-9]=3[0-9]",
    // Other separators than the plain ones between two digits.
    "[0-9]SEP[0-9]",
    "[0-9]&(?:#|[a-z]{3,6};)",
    "[0-9]=(?:2[0DE]|C2|E2)[0-9=]",
    // A soft line break of quoted-printable (RFC 2045, 6.7), and a boundary of chunked transfer
    // (RFC 9112, 7.1), where any of these may be cut in two.
    r"[0-9A-Z+ .\-\x80-\xBF]=\r?\n[0-9A-Z+ .\-\xC2\xE2]",
    r"[0-9A-Za-f+%\\(). \-u\xC2\xA0\xE2\x80-\xBF]\r\n[0-9A-Fa-f]{1,8}[;\r]",
];

/// What `SEP` stands for: space, hyphen, dot, plus, parentheses, NBSP, the dashes and spaces of
/// U+2000 to U+203F, each byte of them as it is or escaped.
const SEPARATOR: &str = r"(?:%(?:2[0bBdDeE89]|[aA]0)|\\x(?:2[0bBdDeE89]|[aA]0)|\\u(?:002[0bBdDeE89]|00[aA]0|20[0-3][0-9A-Fa-f])|(?:\xC2|%[cC]2)(?:\xA0|%[aA]0)|(?:\xE2|%[eE]2)(?:\x80|%80)(?:[\x80-\xBF]|%[89abAB][0-9A-Fa-f]))";

/// The shapes of an entity by its name. What is not listed is found by its key or by what stands
/// around it, or is nothing that this file knows: then whatever is sent may be one.
pub fn shapes_of(entity: &str) -> &'static [Shape] {
    ENTITIES.iter().find(|(name, _)| *name == entity).map_or(&[Shape::All], |(_, shapes)| shapes)
}

const DIGITS: &[Shape] = &[Shape::Digits];
const MIXED: &[Shape] = &[Shape::Mixed];
const SECRET: &[Shape] = &[Shape::Secret];

/// By name. Ids that have letters and yet six digits in a row are `digits`.
#[rustfmt::skip]
const ENTITIES: &[(&str, &[Shape])] = &[
    ("CREDIT_CARD", &[Shape::Card]),
    ("CARD_TRACK", &[Shape::Card]),
    ("US_SSN", &[Shape::Ssn]),
    ("EMAIL_ADDRESS", &[Shape::Email]),
    ("PHONE_NUMBER", &[Shape::Phone]),
    ("IBAN_CODE", &[Shape::Iban]),
    ("FR_NIR", DIGITS), ("FI_PERSONAL_IDENTITY_CODE", DIGITS), ("SE_PERSONNUMMER", DIGITS),
    ("NO_FODSELSNUMMER", DIGITS), ("BE_NATIONAL_NUMBER", DIGITS), ("RO_CNP", DIGITS),
    ("EE_ISIKUKOOD", DIGITS), ("LT_ASMENS_KODAS", DIGITS), ("CH_AHV", DIGITS),
    ("DE_TAX_ID", DIGITS), ("TR_NATIONAL_ID", DIGITS), ("BR_CPF", DIGITS),
    ("MX_CURP", DIGITS), ("CN_ID_CARD", DIGITS), ("ZA_ID_NUMBER", DIGITS), ("KR_RRN", DIGITS),
    ("GR_AMKA", DIGITS), ("ES_NIE", DIGITS), ("ES_NUSS", DIGITS),
    ("SG_NRIC_FIN", DIGITS), ("HK_ID", DIGITS), ("PASSPORT_MRZ", DIGITS), ("US_NPI", DIGITS),
    ("MEDICAL_LICENSE", DIGITS), ("ABA_ROUTING_NUMBER", DIGITS), ("UK_NHS", DIGITS),
    ("UK_UTR", DIGITS), ("NL_BSN", DIGITS), ("PL_PESEL", DIGITS), ("PL_NIP", DIGITS),
    ("PT_NIF", DIGITS), ("CZ_BIRTH_NUMBER", DIGITS), ("BG_EGN", DIGITS), ("HR_OIB", DIGITS),
    ("IE_PPS", DIGITS), ("DK_CPR", DIGITS), ("AT_SVNR", DIGITS), ("DE_SOCIAL_SECURITY", DIGITS),
    ("DE_HEALTH_INSURANCE", DIGITS), ("AU_TFN", DIGITS), ("AU_MEDICARE", DIGITS),
    ("CA_SIN", DIGITS), ("IN_AADHAAR", DIGITS), ("JP_MY_NUMBER", DIGITS), ("IL_ID", DIGITS),
    ("TH_TNIN", DIGITS), ("IMEI", DIGITS), ("ICCID", DIGITS), ("US_ITIN", DIGITS),
    ("US_EIN", DIGITS),
    ("IN_PAN", MIXED), ("IN_GSTIN", MIXED), ("IT_FISCAL_CODE", MIXED), ("UK_NINO", MIXED),
    ("US_MBI", MIXED), ("VIN", MIXED), ("CRYPTO", MIXED),
    ("JWT", SECRET), ("PRIVATE_KEY", SECRET), ("GITHUB_TOKEN", SECRET), ("AWS_ACCESS_KEY", SECRET),
    ("GCP_API_KEY", SECRET), ("STRIPE_KEY", SECRET), ("SLACK_TOKEN", SECRET),
];

/// The shapes that a policy asks for, each with the entities that need it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    shapes: BTreeMap<Shape, BTreeSet<String>>,
}

impl Needs {
    /// Those of entities, by name.
    pub fn of(entities: impl IntoIterator<Item = impl ToString>) -> Needs {
        let mut needs = Needs::default();
        for entity in entities {
            let entity = entity.to_string();
            for &shape in shapes_of(&entity) {
                needs.shapes.entry(shape).or_default().insert(entity.clone());
            }
        }
        needs
    }

    /// Those of the shapes themselves.
    pub fn of_shapes(shapes: impl IntoIterator<Item = Shape>) -> Needs {
        Needs { shapes: shapes.into_iter().map(|shape| (shape, BTreeSet::new())).collect() }
    }

    /// Whether a shape is among them.
    pub fn has(&self, shape: Shape) -> bool {
        self.shapes.contains_key(&shape)
    }

    /// Whether whatever is sent may hold a finding.
    pub fn is_all(&self) -> bool {
        self.has(Shape::All)
    }

    /// Whether it takes more than the five narrow shapes.
    pub fn is_wide(&self) -> bool {
        self.shapes.keys().any(|shape| shape.is_wide())
    }

    /// Each shape with the entities that ask for it, the narrow ones first.
    pub fn reasons(&self) -> impl Iterator<Item = (Shape, impl Iterator<Item = &str>)> {
        self.shapes.iter().map(|(shape, why)| (*shape, why.iter().map(String::as_str)))
    }

    /// What the kernel does to hold its word, and what that costs.
    pub fn cost(&self) -> &'static str {
        if self.is_all() {
            "every send is handed over and examined: expect the daemon to take as long as all of \
             that traffic takes to decode; name entities in place of \"*\" to narrow it"
        } else if self.is_wide() {
            "numbers, identifiers and long words are looked at byte by byte in the kernel, and \
             sends with dates, times or identifiers in digits are often handed over"
        } else {
            "most sends are cleared in the kernel at several gigabytes a second"
        }
    }

    /// Whether a stretch of letters and digits is let through for its length.
    pub(super) fn counts_long_tokens(&self) -> bool {
        self.has(Shape::Mixed) || self.has(Shape::Secret)
    }

    /// Whether any long number is let through, however many digits it has.
    pub(super) fn counts_no_digits(&self) -> bool {
        self.has(Shape::Digits) || self.has(Shape::Mixed)
    }

    /// The patterns, in bytes.
    pub(super) fn patterns(&self) -> Vec<String> {
        let mut shapes: BTreeSet<Shape> = self.shapes.keys().copied().collect();
        if self.counts_no_digits() {
            // Whatever has the digits of these two has those of `Digits`, and the automaton of
            // `Mixed` beside theirs is larger than the kernel's table.
            shapes.insert(Shape::Digits);
            shapes.retain(|shape| !matches!(shape, Shape::Card | Shape::Ssn));
        }
        let own = shapes.into_iter().flat_map(Shape::patterns);
        own.chain(ALWAYS).map(|pattern| pattern.replace("SEP", SEPARATOR)).collect()
    }
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.shapes.keys().map(|shape| shape.name()).collect();
        f.write_str(&names.join(", "))
    }
}
