//! Numbers of patients and of the insured, and coded diagnoses: each has the form of its issuer, so
//! that only the key tells (45 CFR 164.514(b)(2)(i)).

use super::super::detector::{Detector, Field, Find, Tier, Words};
use super::super::evidence::{Candidate, Reasons};
use super::super::mask;
use super::super::probe::Probe;
use super::super::text;
use super::value::{self, Kinds};
use crate::model::Tag;

const fn row(entity: &'static str, title: &'static str) -> Detector {
    Detector {
        tier: Tier::Weak,
        tags: &[Tag::Hipaa, Tag::Gdpr, Tag::UkGdpr],
        ..Detector::new(entity, title)
    }
}

pub(super) const ROWS: &[Detector] = &[
    Detector {
        standard: "45 CFR 164.514(b)(2)(i)(H): a number under a key that names a patient's record",
        example: r#"{"mrn":"MRN40718263"}"#,
        words: Words { key: RECORD_KEYS, near: &[], hostile: &[], doubtful: &[] },
        find: Find::Key(|probe, field| find_number(probe, field, 4)),
        ..row("MEDICAL_RECORD_NUMBER", "Medical record number")
    },
    Detector {
        standard: "45 CFR 164.514(b)(2)(i)(I): a number under a key that names a health plan's member",
        example: r#"{"healthPlanId":"XQH490182736"}"#,
        words: Words { key: PLAN_KEYS, near: &[], hostile: &[], doubtful: &[] },
        find: Find::Key(|probe, field| find_number(probe, field, 5)),
        ..row("HEALTH_PLAN_ID", "Health plan beneficiary number")
    },
    Detector {
        standard: "ICD-10 (WHO) and ICD-10-CM: a letter, two characters, up to four more after a dot",
        example: r#"{"diagnosisCode":"E11.9"}"#,
        words: Words {
            key: DIAGNOSIS_KEYS,
            near: &[],
            hostile: &["type", "system", "version"],
            doubtful: &[],
        },
        find: Find::Key(find_diagnosis),
        valid: Some(is_diagnosis),
        mask: mask::nothing,
        ..row("ICD_CODE", "Coded diagnosis (ICD-10)")
    },
];

#[rustfmt::skip]
const RECORD_KEYS: &[&str] = &[
    "mrn", "medical record", "medical record number", "medical record no", "medical record id",
    "health record number", "patient id", "patient no", "patient number", "patient identifier",
    "chart number", "hospital number", "case number patient", "patientennummer", "patienten id",
    "patientenid", "numéro de patient", "número de historia clínica", "historia clinica",
    "cartella clinica", "prontuário", "prontuario", "patiëntnummer", "patientnummer",
];

#[rustfmt::skip]
const PLAN_KEYS: &[&str] = &[
    "health plan", "health plan id", "health plan number", "health plan beneficiary number",
    "health insurance id", "health insurance number", "insurance id", "insurance number",
    "insurance member id", "insurance policy number", "insurance policy", "plan member id",
    "payer member id", "subscriber id", "subscriber number", "beneficiary id", "beneficiary number",
    "medicaid id", "medicaid number", "policy holder id", "mutuelle", "numéro adhérent",
    "numero de afiliado", "número de afiliado", "numero assicurato", "carteirinha",
    "número do beneficiário", "polisnummer",
];

#[rustfmt::skip]
const DIAGNOSIS_KEYS: &[&str] = &[
    "icd", "icd code", "icd codes", "icd 10", "icd 10 code", "icd10 code", "icd 10 cm", "icd10cm",
    "diagnosis", "diagnoses", "diagnosis code", "diagnosis codes", "primary diagnosis", "dx",
    "dx code", "diag code", "condition code", "diagnose", "diagnosecode", "diagnoseschlüssel",
    "hauptdiagnose", "diagnostic", "code diagnostic", "cim 10", "cie 10", "diagnóstico",
    "diagnostico", "cid 10", "codigo cid", "código cid", "diagnosi", "codice diagnosi",
];

/// What a sane value is worth besides its key, in decibans, and an identifier that a machine made.
const SURE_DB: i16 = 10;
const MACHINE_DB: i16 = -10;
/// Characters of the longest number.
const NUMBER_BYTES_MAX: usize = 20;

/// A number with so many digits, a few letters, and dashes.
fn find_number(probe: &mut Probe<'_>, field: Field, digits_min: usize) -> Option<Candidate> {
    let text = probe.text;
    let field = value::word(text, field);
    let number = text::slice(text, field.start, field.end);
    if value::is_uuid(number) {
        return Some(Candidate::new(field.start, field.end, MACHINE_DB));
    }
    let digits = number.iter().filter(|b| b.is_ascii_digit()).count();
    let fits = number.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-');
    let kinds = Kinds::of(number);
    let ok = fits
        && number.len() <= NUMBER_BYTES_MAX
        && digits >= digits_min
        && !(kinds.lower && kinds.upper)
        && !value::is_placeholder(number);
    ok.then(|| Candidate::new(field.start, field.end, SURE_DB))
}

fn find_diagnosis(probe: &mut Probe<'_>, field: Field) -> Option<Candidate> {
    let text = probe.text;
    let field = value::word(text, field);
    let code = text::slice(text, field.start, field.end);
    is_diagnosis(code).then(|| {
        let dotted = code.contains(&b'.');
        let found =
            Candidate::new(field.start, field.end, if dotted { SURE_DB + 5 } else { SURE_DB });
        found.because(Reasons::CHECKED)
    })
}

/// Whether the code has the form of ICD-10-CM: `A00`, `A00.0`, `S72.001A`. The dot may be missing.
fn is_diagnosis(code: &[u8]) -> bool {
    let (head, tail) = code.split_at_checked(3).unwrap_or((code, b""));
    let [letter, digit, third] = head else { return false };
    let tail = tail.strip_prefix(b".").map_or((tail, false), |rest| (rest, true));
    let rest = tail.0;
    letter.is_ascii_uppercase()
        && digit.is_ascii_digit()
        && (third.is_ascii_digit() || matches!(third, b'A' | b'B'))
        && rest.len() <= 4
        && !(tail.1 && rest.is_empty())
        && rest.iter().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
}
