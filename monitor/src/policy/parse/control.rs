//! `[kill_switch]` and `[access]`: where sends may go when all else is shut, and who may shut.

use toml::de::{DeTable, DeValue};

use super::Parser;
use crate::capture::allow::{self, Allow};
use crate::policy::problem::Problems;
use crate::policy::read::{self, Node, Section};
use crate::policy::words::quoted;
use crate::policy::{Access, Principal};

const KILL_SWITCH_KEYS: [&str; 1] = ["allow"];
const ACCESS_KEYS: [&str; 2] = ["operators", "viewers"];
const ALLOW_EXAMPLE: &str = "[\"10.0.0.0/8:443\", \"[2001:db8::/32]:*\"]";
const ACCESS_EXAMPLE: &str = "[\"ann\", 1000, \"@ops\"]";
/// Characters of a name of a user or a group: `LOGIN_NAME_MAX` of Linux is 256, useradd(8) takes 32.
const NAME_CHARS_MAX: usize = 32;

/// `[kill_switch] allow` of a whole policy, and nothing else of it.
pub fn kill_switch_alone(text: &str, problems: &mut Problems) -> Vec<Allow> {
    let (tree, syntax_errors) = DeTable::parse_recoverable(text);
    for error in syntax_errors {
        problems.syntax(error.span().unwrap_or(0..0), error.message());
    }
    let node = tree.get_ref().get("kill_switch");
    node.and_then(|node| kill_switch(node, problems)).unwrap_or_default()
}

pub(super) fn kill_switch(node: &Node<'_>, problems: &mut Problems) -> Option<Vec<Allow>> {
    let section = Section::open(node, "[kill_switch]", &KILL_SWITCH_KEYS, problems)?;
    let node = section.require("allow", &format!("allow = {ALLOW_EXAMPLE}"), problems)?;
    let mut allowed = Vec::new();
    for entry in read::list(node, "allow", ALLOW_EXAMPLE, problems) {
        let Some(text) = read::string(entry, "allow", ALLOW_EXAMPLE, problems) else { continue };
        match allow::parse(text) {
            Ok(allow) => allowed.push(allow),
            Err(why) => {
                // It ends in what to write instead.
                let why = why.strip_suffix(allow::REMEDY).unwrap_or(&why).trim_end_matches("; ");
                let wrong = format!("allow {}: {why}", quoted(text));
                problems.error(entry.span(), wrong, allow::REMEDY);
            }
        }
    }
    Some(allowed)
}

impl Parser<'_> {
    pub(super) fn access(&mut self, node: &Node<'_>) -> Option<Access> {
        let section = Section::open(node, "[access]", &ACCESS_KEYS, self.problems)?;
        let mut principals = |key| {
            let node = section.get(key)?;
            let entries = read::list(node, key, ACCESS_EXAMPLE, self.problems);
            Some(entries.iter().filter_map(|entry| principal(entry, key, self.problems)).collect())
        };
        let (operators, viewers) = (principals("operators"), principals("viewers"));
        Some(Access {
            operators: operators.unwrap_or_default(),
            viewers: viewers.unwrap_or_default(),
        })
    }
}

fn principal(node: &Node<'_>, key: &str, problems: &mut Problems) -> Option<Principal> {
    if let DeValue::Integer(_) = node.get_ref() {
        // The largest stands for nobody.
        let uid = read::integer(node, key, 0..=u64::from(u32::MAX - 1), problems)?;
        return u32::try_from(uid).ok().map(Principal::Uid);
    }
    let text = read::string(node, key, ACCESS_EXAMPLE, problems)?;
    let (name, is_group) = match text.strip_prefix('@') {
        Some(name) => (name, true),
        None => (text, false),
    };
    let is_name = !name.is_empty()
        && name.chars().count() <= NAME_CHARS_MAX
        && !name.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && !name.contains(|c: char| c.is_whitespace() || c.is_control() || ":,/@".contains(c));
    if !is_name {
        let wrong = format!("{key} {} is no user and no group", quoted(text));
        let instead =
            format!("write a name, a number without quotes or @group, as in {ACCESS_EXAMPLE}");
        problems.error(node.span(), wrong, instead);
        return None;
    }
    let name = name.to_owned();
    Some(if is_group { Principal::Group(name) } else { Principal::User(name) })
}
