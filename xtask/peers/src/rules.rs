//! The detectors of egress-monitor as others have to be told them: a pattern, the check that
//! dd-sensitive-data-scanner has for it, and words that must stand near where the pattern alone says
//! little. Written as a user of theirs would, with its own checks wherever it has one.

use dd_sds::SecondaryValidator::{self, *};

/// One rule.
pub struct Rule {
    /// What it finds.
    pub pattern: &'static str,
    /// Their check.
    pub validator: Option<SecondaryValidator>,
    /// Words one of which must stand within 30 characters before; none where it is empty.
    pub words: &'static [&'static str],
}

fn checked(pattern: &'static str, validator: SecondaryValidator) -> Rule {
    Rule { pattern, validator: Some(validator), words: &[] }
}

fn near(
    pattern: &'static str,
    validator: SecondaryValidator,
    words: &'static [&'static str],
) -> Rule {
    Rule { pattern, validator: Some(validator), words }
}

fn plain(pattern: &'static str) -> Rule {
    Rule { pattern, validator: None, words: &[] }
}

fn keyed(pattern: &'static str, words: &'static [&'static str]) -> Rule {
    Rule { pattern, validator: None, words }
}

/// All of them.
#[rustfmt::skip]
pub fn rules() -> Vec<Rule> {
    vec![
        checked(r"\b(?:4\d{3}|5[1-5]\d{2}|2[2-7]\d{2}|6(?:011|5\d{2}))[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}\b", LuhnChecksum),
        checked(r"\b3[47]\d{2}[ -]?\d{6}[ -]?\d{5}\b", LuhnChecksum),
        plain(r"%B\d{13,19}\^[A-Z /]{2,26}\^\d{7}|;\d{13,19}=\d{7}"),
        checked(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", IbanChecker),
        checked(r"\b[12]\d{2}(?:0[1-9]|1[0-2])\d{8}(?: ?\d{2})\b", NirChecksum),
        checked(r"\b[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]\b", ItalianNationalIdChecksum),
        checked(r"\b\d{6}[-+A]\d{3}[0-9A-Y]\b", FinnishHetuChecksum),
        checked(r"\b(?:\d{2})?\d{6}[-+]\d{4}\b", SwedenPINChecksum),
        checked(r"\b(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{7}\b", CoordinationNumberChecksum),
        checked(r"\b\d{2}\.?\d{2}\.?\d{2}-?\d{3}\.?\d{2}\b", BelgiumNationalRegisterChecksum),
        checked(r"\b[1-8]\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{6}\b", RomanianPersonalNumericCode),
        checked(r"\b[1-6]\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{4}\b", EstoniaPersonalCodeChecksum),
        near(r"\b[3-6]\d{10}\b", LithuanianPersonalIdentificationNumberChecksum, &["asmens", "kodas"]),
        plain(r"\b756\.?\d{4}\.?\d{4}\.?\d{2}\b"),
        near(r"\b[1-9]\d{10}\b", Mod11_10checksum, &["steuer", "tax", "idnr"]),
        keyed(r"\b[1-9]\d{10}\b", &["tckn", "kimlik"]),
        checked(r"\b\d{3}\.?\d{3}\.?\d{3}-?\d{2}\b", BrazilianCpfChecksum),
        checked(r"\b\d{2}\.?\d{3}\.?\d{3}/?\d{4}-?\d{2}\b", BrazilianCnpjChecksum),
        plain(r"\b[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d\b"),
        checked(r"\b[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[0-9X]\b", ChineseIdChecksum),
        near(r"\b\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{7}\b", LuhnChecksum, &["id number", "south african"]),
        plain(r"\b\d{2}[A-Z]{5}\d{4}[A-Z][1-9A-Z]Z[0-9A-Z]\b"),
        plain(r"\b\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])-[1-8]\d{6}\b"),
        checked(r"\b(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{7}\b", GreeceAmkaChecksum),
        checked(r"\b\d{8}-?[A-Z]\b", SpanishDniChecksum),
        checked(r"\b[XYZ]-?\d{7}-?[A-Z]\b", SpanishDniChecksum),
        near(r"\b\d{12}\b", SpanishNussChecksum, &["nuss", "seguridad social"]),
        checked(r"\b[STFGM]\d{7}[A-Z]\b", SingaporeNricChecksum),
        plain(r"\b[A-Z]{1,2}\d{6}\([0-9A]\)"),
        plain(r"P<[A-Z<]{42}\s[A-Z0-9<]{44}"),
        checked(r"\b(?:bc1|[13])[a-zA-HJ-NP-Z0-9]{25,62}\b", BtcChecksum),
        checked(r"\b0x[a-fA-F0-9]{40}\b", EthereumChecksum),
        plain(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
        plain(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
        checked(r"\bgh[pousr]_[A-Za-z0-9]{36}\b", GithubTokenChecksum),
        plain(r"\bAKIA[A-Z2-7]{16}\b"),
        plain(r"\bAIza[A-Za-z0-9_-]{35}"),
        plain(r"\bsk_live_[A-Za-z0-9]{24,}"),
        plain(r"\bxox[abpr]-[0-9]{10,13}-[A-Za-z0-9-]{20,}"),
        checked(r"\b[A-HJ-NPR-Z0-9]{8}[0-9X][A-HJ-NPR-Z0-9]{8}\b", VinChecksum),
        near(r"\b[12]\d{9}\b", UsNpiChecksum, &["npi", "provider"]),
        near(r"\b[ABFGMPR][A-Z9]\d{7}\b", UsDeaChecksum, &["dea", "prescriber"]),
        near(r"\b[0123678]\d{8}\b", AbaRtnChecksum, &["aba", "routing"]),
        near(r"\b\d{3}[ -]?\d{3}[ -]?\d{4}\b", NhsCheckDigit, &["nhs"]),
        near(r"\b\d{10}\b", UkTrnChecksum, &["utr", "tax reference"]),
        near(r"\b\d{9}\b", DutchBsnChecksum, &["bsn", "burgerservice"]),
        near(r"\b\d{2}[0-3]\d[0-3]\d{6}\b", PolishNationalIdChecksum, &["pesel"]),
        near(r"\b\d{3}-?\d{3}-?\d{2}-?\d{2}\b", PolishNipChecksum, &["nip"]),
        near(r"\b[123]\d{8}\b", PortugueseTaxIdChecksum, &["nif", "contribuinte"]),
        near(r"\b\d{6}/?\d{3,4}\b", RodneCisloNumberChecksum, &["rodne", "rc"]),
        near(r"\b\d{10}\b", BulgarianEGNChecksum, &["egn"]),
        near(r"\b\d{11}\b", Mod11_10checksum, &["oib"]),
        near(r"\b\d{7}[A-W][A-IW]?\b", IrishPpsChecksum, &["pps"]),
        keyed(r"\b(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{2}-?\d{4}\b", &["cpr"]),
        near(r"\b\d{4} ?\d{6}\b", AustrianSSNChecksum, &["svnr", "sozialversicherung"]),
        near(r"\b\d{2} ?\d{6} ?[A-Z] ?\d{3}\b", GermanSvnrChecksum, &["sozialversicherung", "rvnr"]),
        near(r"\b\d{3} ?\d{3} ?\d{3}\b", AustralianTfnChecksum, &["tfn", "tax file"]),
        near(r"\b[2-6]\d{3} ?\d{5} ?\d\b", AustralianMedicareChecksum, &["medicare"]),
        near(r"\b\d{3}[ -]?\d{3}[ -]?\d{3}\b", LuhnChecksum, &["sin", "social insurance"]),
        near(r"\b[2-9]\d{3} ?\d{4} ?\d{4}\b", VerhoeffChecksum, &["aadhaar", "uidai"]),
        keyed(r"\b\d{4}[ -]?\d{4}[ -]?\d{4}\b", &["my number", "mynumber"]),
        near(r"\b\d-?\d{4}-?\d{5}-?\d{2}-?\d\b", ThaiNationalIdChecksum, &["thai", "citizen"]),
        near(r"\b\d{15}\b", LuhnChecksum, &["imei"]),
        plain(r"[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}"),
        plain(r"\+[1-9]\d{0,2}[ .()-]?(?:\d[ .()-]?){6,12}\d"),
        plain(r"\b\d{3}-\d{2}-\d{4}\b"),
        keyed(r"\b9\d{2}-?\d{2}-?\d{4}\b", &["itin", "taxpayer"]),
        keyed(r"\b[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y]{2}\d{2}\b", &["mbi", "medicare"]),
        checked(r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b", UkNinoFormatCheck),
        keyed(r"\b[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z]\b", &["pan", "permanent account"]),
        keyed(r"\b(?:\d{1,3}\.){3}\d{1,3}\b", &["ip", "addr"]),
        keyed(r"\b(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b", &["mac"]),
        keyed(r"-?\d{1,2}\.\d{4,}, ?-?\d{1,3}\.\d{4,}", &["lat", "coord", "geo"]),
        keyed(r"\b(?:19|20)\d{2}-\d{2}-\d{2}\b", &["birth", "dob"]),
        plain(r#"(?i)\b(?:password|passwd|secret)["']?\s*[:=]\s*["']?[^\s"',;]{6,64}"#),
    ]
}
