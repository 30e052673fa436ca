//! Agreement with python-stdnum: for every identifier that both know, on its own test vectors and on
//! random strings, through the detector's own check.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use regex::Regex;
use serde::Deserialize;
use support::made::{Maker, Rng, makers};

use super::records::FIXED_SEED;
use super::{Eval, Outcome, engine, fetch};
use crate::bench::table::{Aim, Row, Unit};

const VERSION: &str = "2.2";
const SCRIPT: &str = include_str!("stdnum.py");
const DIFFERENCES: &str = include_str!("differences.toml");
/// Differences of one identifier that are listed.
const EXAMPLES_MAX: usize = 6;

/// An identifier that both know.
struct Id {
    entity: &'static str,
    module: &'static str,
    /// Shape of a random string, see [`Rng::shape`].
    shape: &'static str,
}

const fn id(entity: &'static str, module: &'static str, shape: &'static str) -> Id {
    Id { entity, module, shape }
}

#[rustfmt::skip]
const IDS: &[Id] = &[
    id("ABA_ROUTING_NUMBER", "us.rtn", "ddddddddd"),
    id("AT_SVNR", "at.vnr", "dddddddddd"),
    id("AU_ABN", "au.abn", "ddddddddddd"),
    id("AU_ACN", "au.acn", "ddddddddd"),
    id("AU_TFN", "au.tfn", "ddddddddd"),
    id("BE_NATIONAL_NUMBER", "be.nn", "ddddddddddd"),
    id("BG_EGN", "bg.egn", "dddddddddd"),
    id("BR_CNPJ", "br.cnpj", "dddddddddddddd"),
    id("BR_CPF", "br.cpf", "ddddddddddd"),
    id("CA_SIN", "ca.sin", "ddddddddd"),
    id("CH_AHV", "ch.ssn", "756dddddddddd"),
    id("CN_RESIDENT_ID", "cn.ric", "110101\\19ddddddddX"),
    id("CZ_RODNE_CISLO", "cz.rc", "dddddddddd"),
    id("DE_TAX_ID", "de.idnr", "ddddddddddd"),
    id("DE_VAT_ID", "de.vat", "ddddddddd"),
    id("DK_CPR", "dk.cpr", "dddddddddd"),
    id("EE_ISIKUKOOD", "ee.ik", "ddddddddddd"),
    id("ES_NIE", "es.nie", "XdddddddA"),
    id("ES_NIF", "es.dni", "ddddddddA"),
    id("FI_PERSONAL_IDENTITY_CODE", "fi.hetu", "dddddd-dddX"),
    id("FR_NIR", "fr.nir", "ddddddddddddddd"),
    id("GR_AMKA", "gr.amka", "ddddddddddd"),
    id("HR_OIB", "hr.oib", "ddddddddddd"),
    id("IBAN_CODE", "iban", "DEdddddddddddddddddddd"),
    id("ID_NIK", "id.nik", "dddddddddddddddd"),
    id("IE_PPS", "ie.pps", "dddddddAA"),
    id("IL_ID", "il.idnr", "ddddddddd"),
    id("IMEI", "imei", "ddddddddddddddd"),
    id("IN_AADHAAR", "in_.aadhaar", "dddddddddddd"),
    id("IN_GSTIN", "in_.gstin", "ddAAAAAddddAXZX"),
    id("IN_PAN", "in_.pan", "AAAAAddddA"),
    id("IN_VOTER", "in_.epic", "AAAddddddd"),
    id("IT_FISCAL_CODE", "it.codicefiscale", "AAAAAAddAddAdddA"),
    id("IT_VAT_CODE", "it.iva", "ddddddddddd"),
    id("JP_MY_NUMBER", "jp.in_", "dddddddddddd"),
    id("KR_BRN", "kr.brn", "dddddddddd"),
    id("KR_RRN", "kr.rrn", "ddddddddddddd"),
    id("LT_ASMENS_KODAS", "lt.asmens", "ddddddddddd"),
    id("LV_PERSONAS_KODS", "lv.pvn", "ddddddddddd"),
    id("MY_NRIC", "my.nric", "dddddddddddd"),
    id("MX_RFC", "mx.rfc", "AAAAddddddXXX"),
    id("MX_CURP", "mx.curp", "AAAAddddddHDFAAAdd"),
    id("NL_BSN", "nl.bsn", "ddddddddd"),
    id("NO_FODSELSNUMMER", "no.fodselsnummer", "ddddddddddd"),
    id("NZ_IRD", "nz.ird", "ddddddddd"),
    id("PL_NIP", "pl.nip", "dddddddddd"),
    id("PL_PESEL", "pl.pesel", "ddddddddddd"),
    id("PT_NIF", "pt.nif", "ddddddddd"),
    id("RO_CNP", "ro.cnp", "ddddddddddddd"),
    id("SE_ORGANISATIONSNUMMER", "se.orgnr", "dddddddddd"),
    id("SE_PERSONNUMMER", "se.personnummer", "dddddddddd"),
    id("SG_UEN", "sg.uen", "dddddddddA"),
    id("SI_EMSO", "si.emso", "ddddddddddddd"),
    id("SK_RODNE_CISLO", "sk.rc", "dddddddddd"),
    id("TH_TNIN", "th.pin", "ddddddddddddd"),
    id("TR_NATIONAL_ID", "tr.tckimlik", "ddddddddddd"),
    id("UK_NHS", "gb.nhs", "dddddddddd"),
    id("UK_UTR", "gb.utr", "dddddddddd"),
    id("US_EIN", "us.ein", "ddddddddd"),
    id("US_ITIN", "us.itin", "9dddddddd"),
    id("US_SSN", "us.ssn", "ddddddddd"),
    id("ZA_ID_NUMBER", "za.idnr", "ddddddddddddd"),
];

/// A value of the doctests.
#[derive(Deserialize)]
struct Vector {
    module: String,
    value: String,
    valid: bool,
}

#[derive(Deserialize, Default)]
struct Table {
    #[serde(default)]
    difference: Vec<Difference>,
}

/// Values on which the two differ with reason.
#[derive(Deserialize)]
struct Difference {
    entity: String,
    accepts: String,
    values: String,
    standard: String,
}

/// What was compared of one identifier.
#[derive(Default)]
struct Compared {
    values: usize,
    accepted: usize,
    explained: usize,
    unexplained: usize,
    examples: Vec<String>,
}

/// Compares everything.
pub fn measure(eval: &Eval) -> Result<Outcome> {
    let source = fetch::source_of(&eval.root, "python-stdnum", VERSION)?;
    let script = fetch::folder(&eval.root)?.join("stdnum.py");
    fs::write(&script, SCRIPT)?;
    let both: Vec<&Id> = IDS.iter().filter(|id| engine::has_check(id.entity)).collect();
    let known = Known::read()?;
    let vectors = vectors(eval, &source, &script, &both)?;
    let random = random(eval, &source, &script)?;
    let mut outcome = Outcome::default();
    outcome.notes.extend(makers_that_differ(&random));
    let mut sums = [Compared::default(), Compared::default()];
    for id in &both {
        let mine: Vec<(String, bool)> = vectors
            .iter()
            .filter(|vector| vector.module == id.module)
            .map(|vector| (compact(id.entity, &vector.value), vector.valid))
            .collect();
        for (kind, values) in [mine.as_slice(), &random[id.entity]].into_iter().enumerate() {
            let compared = compare(id.entity, values, &known);
            let what = ["its own vectors", "random strings"][kind];
            outcome.notes.push(format!(
                "{} ({}), {what}: {} compared, {} of them valid, {} differ, {} more with a reason",
                id.entity,
                id.module,
                compared.values,
                compared.accepted,
                compared.unexplained,
                compared.explained
            ));
            outcome.notes.extend(compared.examples.iter().map(|line| format!("    {line}")));
            sums[kind].values += compared.values;
            sums[kind].explained += compared.explained;
            sums[kind].unexplained += compared.unexplained;
        }
    }
    for (sum, what) in sums.iter().zip(["its own vectors", "random strings"]) {
        let share = 100.0 * (1.0 - sum.unexplained as f64 / (sum.values as f64).max(1.0));
        // A figure is not rounded up to the aim.
        let share = if sum.unexplained > 0 { share.min(99.99) } else { share };
        let name = format!("agreement with python-stdnum, {what}");
        let note = format!(
            "{} ids, {} values; {} differ, {} more where the standard decides for ours",
            both.len(),
            sum.values,
            sum.unexplained,
            sum.explained
        );
        let row = Row::new(name, share, Unit::Percent).note(note);
        outcome.rows.push(if both.is_empty() { row } else { row.aim(Aim::AtLeast(100.0)) });
    }
    let without: Vec<&str> =
        IDS.iter().map(|id| id.entity).filter(|entity| !engine::has_check(entity)).collect();
    outcome.notes.push(format!("no check to compare: {}", without.join(", ")));
    Ok(outcome)
}

fn compare(entity: &str, values: &[(String, bool)], known: &Known) -> Compared {
    let mut compared = Compared { values: values.len(), ..Compared::default() };
    for (value, theirs) in values {
        compared.accepted += usize::from(*theirs);
        let ours = engine::is_valid(entity, value).unwrap_or(false);
        if ours == *theirs {
            continue;
        }
        let accepts = if ours { "ours" } else { "stdnum" };
        if known.explains(entity, accepts, value) {
            compared.explained += 1;
            continue;
        }
        compared.unexplained += 1;
        if compared.examples.len() < EXAMPLES_MAX {
            compared.examples.push(format!("{value}: only {accepts} accepts it"));
        }
    }
    compared
}

/// The table of differences, ready to be asked.
struct Known(Vec<(Difference, Regex)>);

impl Known {
    fn read() -> Result<Known> {
        let table: Table = toml::from_str(DIFFERENCES).context("differences.toml")?;
        let ready = table.difference.into_iter().map(|row| {
            ensure!(!row.standard.is_empty(), "differences.toml: {} gives no standard", row.entity);
            let values = Regex::new(&format!("^(?:{})$", row.values))?;
            Ok((row, values))
        });
        Ok(Known(ready.collect::<Result<_>>()?))
    }

    fn explains(&self, entity: &str, accepts: &str, value: &str) -> bool {
        self.0.iter().any(|(row, values)| {
            row.entity == entity && row.accepts == accepts && values.is_match(value)
        })
    }
}

fn vectors(eval: &Eval, source: &Path, script: &Path, both: &[&Id]) -> Result<Vec<Vector>> {
    let mut command = Command::new(fetch::python(&eval.root)?);
    command.arg(script).arg(source).arg("vectors").args(both.iter().map(|id| id.module));
    let told = fetch::run(&mut command)?;
    told.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// For each entity random strings and what python-stdnum says of them: a third of the shape, a third
/// made as the standard says, a third of those with one character other than it was.
fn random(
    eval: &Eval,
    source: &Path,
    script: &Path,
) -> Result<BTreeMap<&'static str, Vec<(String, bool)>>> {
    let folder = fetch::folder(&eval.root)?.join("stdnum");
    fs::create_dir_all(&folder)?;
    let count = eval.pick(1_000_000, 30_000);
    let mut work = String::new();
    let mut strings = BTreeMap::new();
    for id in IDS {
        let values = strings_of(id, count);
        let (asked, told) =
            (folder.join(format!("{}.in", id.entity)), folder.join(format!("{}.out", id.entity)));
        fs::write(&asked, values.join("\n") + "\n")?;
        work += &format!("{} {} {}\n", id.module, asked.display(), told.display());
        strings.insert(id.entity, (values, told));
    }
    let mut child = Command::new(fetch::python(&eval.root)?)
        .arg(script)
        .arg(source)
        .arg("judge")
        .stdin(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("standard input is not piped")?.write_all(work.as_bytes())?;
    ensure!(child.wait()?.success(), "stdnum.py failed");
    strings
        .into_iter()
        .map(|(entity, (values, told))| {
            let told = fs::read_to_string(told)?;
            ensure!(
                told.len() == values.len(),
                "python-stdnum answered {} of {}",
                told.len(),
                values.len()
            );
            Ok((entity, values.into_iter().zip(told.bytes().map(|byte| byte == b'1')).collect()))
        })
        .collect()
}

/// Our own generator is held against python-stdnum too: it knows each format a third time.
fn makers_that_differ(random: &BTreeMap<&'static str, Vec<(String, bool)>>) -> Vec<String> {
    let made = |entity: &&str| makers().any(|maker| maker.entity == *entity);
    let mut notes = Vec::new();
    for (entity, values) in random.iter().filter(|(entity, _)| made(entity)) {
        let refused: Vec<&str> = values
            .iter()
            .skip(1)
            .step_by(3)
            .filter(|(_, valid)| !valid)
            .map(|(value, _)| value.as_str())
            .collect();
        if let Some(first) = refused.first() {
            notes.push(format!(
                "made {entity}: python-stdnum refuses {}, such as {first}",
                refused.len()
            ));
        }
    }
    notes
}

fn strings_of(id: &Id, count: usize) -> Vec<String> {
    let mut rng = Rng::new(FIXED_SEED);
    let maker = makers().find(|maker| maker.entity == id.entity);
    (0..count)
        .map(|at| match (at % 3, maker) {
            (1, Some(maker)) => made(&mut rng, maker),
            (2, Some(maker)) => mutated(&mut rng, maker),
            _ => rng.shape(id.shape),
        })
        .collect()
}

fn made(rng: &mut Rng, maker: &Maker) -> String {
    compact(maker.entity, &(maker.make)(rng))
}

/// A value without separators. The sign in a Finnish one tells the century.
fn compact(entity: &str, value: &str) -> String {
    let keeps_sign = entity == "FI_PERSONAL_IDENTITY_CODE";
    value
        .to_uppercase()
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || (keeps_sign && "-+".contains(*letter)))
        .collect()
}

fn mutated(rng: &mut Rng, maker: &Maker) -> String {
    let mut value: Vec<char> = made(rng, maker).chars().collect();
    let at = rng.below(value.len() as u64) as usize;
    let pattern = if value[at].is_ascii_digit() { "d" } else { "X" };
    value[at] = rng.shape(pattern).chars().next().unwrap_or('0');
    value.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_differences_is_well_formed() {
        Known::read().unwrap();
    }
}
