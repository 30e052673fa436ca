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
            Shape::Digits => &[
                "[0-9]{6}",
                r"[0-9](?:[ \-./+]?[0-9]){8}",
                // Eight in groups of three, and a letter behind them: a Spanish NIF.
                r"[0-9][ \-./][0-9]{3}[ \-./][0-9]{3}",
                // A German pension number in pairs, an Aadhaar with colons.
                r"[0-9]{2}(?:[ \-.][0-9]{2}){3}[ \-.]",
                "[0-9]{4}:[0-9]{4}",
            ],
            // What has fifteen characters or more is told by `TABLE_LONG`: Italy's codice fiscale,
            // GSTIN, VIN, wallets.
            Shape::Mixed => &[
                // UK NINO; India's PAN; US MBI.
                r"[A-Za-z]{2}[ \-.]?[0-9]{2}[ \-.]?[0-9]{2}[ \-.0-9]",
                // Brazil's CNPJ.
                "[A-Z0-9]/[A-Z0-9]{4}-[0-9]",
                "[A-Za-z]{5}[0-9]{3}",
                r"[0-9][A-Za-z][A-Za-z0-9][0-9][ \-]?[A-Za-z][A-Za-z0-9]",
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

/// What every policy asks for. None begins with any letter: behind one the automaton would not rest,
/// and all text behind its first waking would be walked. `SEP` is a separator that is escaped or not ASCII.
const ALWAYS: &[&str] = &[
    // A digit or a letter that somebody took the trouble to escape, or an escape that is escaped: no
    // encoder does that of its own accord, so such a text is looked at whatever follows.
    r"%(?:40|5[cC]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])",
    r"\\(?:u00|x)(?:40|25|5[cC]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])",
    // The same as references of HTML, decimal and hexadecimal.
    "&#0{0,2}(?:4[389]|5[0-7]|6[4-9]|[78][0-9]|90|9[7-9]|1[01][0-9]|12[0-2])",
    "&#[xX]0{0,2}(?:40|2[bB]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])",
    // And of quoted-printable, where these stand in a number or an address.
    "=(?:40[A-Za-z]|3[0-9]=3[0-9])",
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

/// The shape of an entity by its name. What is not listed is found by its key or by what stands
/// around it, or is nothing that this file knows: then whatever is sent may be one.
pub fn shape_of(entity: &str) -> Shape {
    if let Some((_, shape)) = NARROW.iter().find(|(name, _)| *name == entity) {
        *shape
    } else if OF_DIGITS.contains(&entity) {
        Shape::Digits
    } else if OF_LETTERS_AND_DIGITS.contains(&entity) {
        Shape::Mixed
    } else if OF_TOKENS.contains(&entity) {
        Shape::Secret
    } else {
        Shape::All
    }
}

/// Narrow ones by name.
const NARROW: &[(&str, Shape)] = &[
    ("CREDIT_CARD", Shape::Card),
    ("CARD_TRACK", Shape::Card),
    ("US_SSN", Shape::Ssn),
    ("EMAIL_ADDRESS", Shape::Email),
    ("PHONE_NUMBER", Shape::Phone),
    ("IBAN_CODE", Shape::Iban),
];

/// Ids that have six digits in a row however they are written, or nine with separators, letters
/// beside them or not.
#[rustfmt::skip]
const OF_DIGITS: &[&str] = &[
    "ABA_ROUTING_NUMBER", "AT_SVNR", "AU_ABN", "AU_ACN", "AU_MEDICARE", "AU_TFN",
    "BE_NATIONAL_NUMBER", "BG_EGN", "BR_CPF", "CA_SIN", "CH_AHV", "CN_RESIDENT_ID",
    "CZ_RODNE_CISLO", "DE_BSNR", "DE_HEALTH_INSURANCE", "DE_LANR", "DE_SOCIAL_SECURITY",
    "DE_TAX_ID", "DE_TAX_NUMBER", "DE_VAT_ID", "DK_CPR", "EE_ISIKUKOOD", "ES_NIE", "ES_NIF",
    "ES_NUSS", "FI_PERSONAL_IDENTITY_CODE", "FR_NIR", "GR_AMKA", "HK_ID", "HR_OIB", "ICCID",
    "ID_NIK", "IE_PPS", "IL_ID", "IMEI", "IN_AADHAAR", "IT_VAT_CODE", "JP_MY_NUMBER", "KR_BRN",
    "KR_FRN", "KR_RRN", "LT_ASMENS_KODAS", "MEDICAL_LICENSE", "MRZ", "MX_CURP", "MX_RFC", "MY_NRIC",
    "NG_NIN", "NL_BSN", "NO_FODSELSNUMMER", "NZ_IRD", "PH_TIN", "PL_NIP", "PL_PESEL", "PT_NIF",
    "RO_CNP", "SE_ORGANISATIONSNUMMER", "SE_PERSONNUMMER", "SG_NRIC_FIN", "TH_TNIN",
    "TR_NATIONAL_ID", "UK_NHS", "UK_UTR", "US_EIN", "US_ITIN", "US_NPI", "ZA_ID_NUMBER",
];

/// Ids that may have fewer.
const OF_LETTERS_AND_DIGITS: &[&str] =
    &["BR_CNPJ", "CRYPTO", "IN_GSTIN", "IN_PAN", "IT_FISCAL_CODE", "UK_NINO", "US_MBI", "VIN"];

/// Keys and tokens.
#[rustfmt::skip]
const OF_TOKENS: &[&str] = &[
    "ANTHROPIC_API_KEY", "AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AZURE_KEY", "GITHUB_TOKEN",
    "GITLAB_TOKEN", "GOOGLE_API_KEY", "JWT", "NPM_TOKEN", "OPENAI_API_KEY", "PRIVATE_KEY",
    "PYPI_TOKEN", "SENDGRID_API_KEY", "SLACK_TOKEN", "STRIPE_KEY", "TWILIO_API_KEY", "URL_PASSWORD",
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
            needs.shapes.entry(shape_of(&entity)).or_default().insert(entity);
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
