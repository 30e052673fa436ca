//! `destination` and `process` of rules and exceptions, and the globs of both and of `[protect]`.

use std::net::IpAddr;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use ipnet::{IpNet, Ipv4Net};

use super::Parser;
use crate::limits::{POLICY_GLOB_CHARS_MAX, POLICY_GLOBS_MAX};
use crate::policy::read::{self, Node, Section};
use crate::policy::scope::{Destination, Network, Processes};
use crate::policy::words::{quoted, suggest};

const DESTINATION_KEYS: [&str; 3] = ["cidr", "not_cidr", "port"];
const PROCESS_KEYS: [&str; 4] = ["exe", "uid", "cgroup", "unit"];

/// What a list of globs matches, which says how a glob must begin to match anything.
#[derive(Clone, Copy)]
enum Globbed {
    /// Something with directories.
    Path,
    /// Something without.
    Name,
}

impl Parser<'_> {
    pub(super) fn destination(&mut self, node: &Node<'_>) -> Option<Destination> {
        let section = Section::open(node, "destination", &DESTINATION_KEYS, self.problems)?;
        if DESTINATION_KEYS.iter().all(|&key| section.get(key).is_none()) {
            let instead = "name cidr, not_cidr or port, or leave destination out";
            self.problems.missing(node.span(), "destination names nothing", instead);
            return None;
        }
        let mut networks = |key| {
            section.get(key).map_or_else(Vec::new, |node| {
                let entries = read::list(node, key, "[\"10.0.0.0/8\"]", self.problems);
                entries.iter().filter_map(|entry| self.network(entry, key)).collect()
            })
        };
        let (cidr, not_cidr) = (networks("cidr"), networks("not_cidr"));
        let port = section.get("port").map_or_else(Vec::new, |node| {
            read::ranges(node, "port", "[443, \"8000-8999\"]", &(1..=65_535), self.problems)
        });
        Some(Destination { cidr, not_cidr, port })
    }

    fn network(&mut self, node: &Node<'_>, key: &str) -> Option<Network> {
        let text = read::string(node, key, "\"10.0.0.0/8\"", self.problems)?;
        if let Some(&(_, network)) = Network::WORDS.iter().find(|&&(word, _)| word == text) {
            return Some(network);
        }
        let net =
            text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        let Some(net) = net else {
            let words: Vec<&str> = Network::WORDS.iter().map(|&(word, _)| word).collect();
            let instead = if text.starts_with(|c: char| c.is_ascii_alphabetic()) {
                format!("{}; or a CIDR such as 10.0.0.0/8", suggest(text, &words, "words"))
            } else {
                "write address/prefix length, such as 10.0.0.0/8 or 2001:db8::/32".to_owned()
            };
            let wrong = format!("{key} {} is neither CIDR nor word", quoted(text));
            self.problems.error(node.span(), wrong, instead);
            return None;
        };
        if net.trunc() != net {
            // Either the prefix or the address is not what the author thinks.
            let host = IpNet::from(net.addr());
            self.problems.error(
                node.span(),
                format!("{key} {} has bits beyond its prefix", quoted(text)),
                format!("write \"{}\", or \"{host}\" for the one address", net.trunc()),
            );
            return None;
        }
        if let Some(v4) = unmapped(net) {
            let wrong = format!("{key} {} is IPv4 in IPv6 and never matches", quoted(text));
            self.problems.error(node.span(), wrong, format!("write \"{v4}\""));
            return None;
        }
        Some(Network::Cidr(net))
    }

    pub(super) fn processes(&mut self, node: &Node<'_>) -> Option<Processes> {
        let section = Section::open(node, "process", &PROCESS_KEYS, self.problems)?;
        if PROCESS_KEYS.iter().all(|&key| section.get(key).is_none()) {
            let instead = "name exe, uid, cgroup or unit, or leave process out";
            self.problems.missing(node.span(), "process names nothing", instead);
            return None;
        }
        let exe = section.get("exe").map_or_else(GlobSet::empty, |node| self.exe_globs(node));
        let cgroup = section.get("cgroup").map_or_else(GlobSet::empty, |node| {
            self.globs(node, "cgroup", "[\"/system.slice/**\"]", Globbed::Path)
        });
        let unit = section.get("unit").map_or_else(GlobSet::empty, |node| self.unit_globs(node));
        let uid = section.get("uid").map_or_else(Vec::new, |node| {
            let uids = 0..=u64::from(u32::MAX);
            read::ranges(node, "uid", "[33, \"1000-1999\"]", &uids, self.problems)
        });
        Some(Processes { exe, uid, cgroup, unit })
    }

    pub(super) fn exe_globs(&mut self, node: &Node<'_>) -> GlobSet {
        self.path_globs(node, "exe", "[\"/usr/bin/python3*\"]")
    }

    pub(super) fn path_globs(&mut self, node: &Node<'_>, key: &str, example: &str) -> GlobSet {
        self.globs(node, key, example, Globbed::Path)
    }

    pub(super) fn unit_globs(&mut self, node: &Node<'_>) -> GlobSet {
        self.globs(node, "unit", "[\"nginx.service\"]", Globbed::Name)
    }

    fn globs(&mut self, node: &Node<'_>, key: &str, example: &str, of: Globbed) -> GlobSet {
        let mut set = GlobSetBuilder::new();
        let strings = format!("strings, as in {example}");
        for entry in read::list(node, key, example, self.problems) {
            let Some(text) = read::string(entry, key, &strings, self.problems) else { continue };
            self.globs += 1;
            if self.globs > POLICY_GLOBS_MAX {
                // Said once; the others are not worth a line each.
                if self.globs == POLICY_GLOBS_MAX + 1 {
                    let wrong = format!("more than {POLICY_GLOBS_MAX} globs in the policy");
                    self.problems.error(entry.span(), wrong, "merge some, as in {a,b}");
                }
                continue;
            }
            if let Some(instead) = misfit(text, of) {
                let wrong = format!("{key} {} never matches", quoted(text));
                self.problems.error(entry.span(), wrong, instead);
                continue;
            }
            match GlobBuilder::new(text).literal_separator(true).build() {
                Ok(glob) => {
                    set.add(glob);
                }
                Err(error) => {
                    let wrong = format!("{key} {} is no glob: {}", quoted(text), error.kind());
                    let instead = "globs know *, **, ?, [abc], {a,b}; put \\ before one to mean it";
                    self.problems.error(entry.span(), wrong, instead);
                }
            }
        }
        set.build().unwrap_or_else(|error| {
            let wrong = format!("{key} is too large: {}", error.kind());
            self.problems.error(node.span(), wrong, "shorten the globs");
            GlobSet::empty()
        })
    }
}

/// What to write instead of a glob that cannot match anything of its kind.
fn misfit(glob: &str, of: Globbed) -> Option<String> {
    let chars = glob.chars().count();
    if glob.is_empty() {
        return Some("write what it is to match, or leave it out".to_owned());
    }
    if chars > POLICY_GLOB_CHARS_MAX {
        return Some(format!("it is {chars} characters, limit is {POLICY_GLOB_CHARS_MAX}"));
    }
    match of {
        // Paths are absolute and `*` stops at a slash.
        Globbed::Path if !glob.starts_with(['/', '{', '[']) && !glob.starts_with("**") => {
            Some(format!(
                "it begins with no /; write {}",
                quoted(&format!("**/{}", glob.trim_start_matches("*/")))
            ))
        }
        Globbed::Name if glob.contains('/') => {
            let name = glob.rsplit('/').next().unwrap_or(glob);
            Some(format!("a unit has no /; write {}", quoted(name)))
        }
        Globbed::Path | Globbed::Name => None,
    }
}

/// The IPv4 network that `net` is a mapping of (RFC 4291 section 2.5.5.2). Addresses are held
/// unmapped, so that such a network holds none.
fn unmapped(net: IpNet) -> Option<Ipv4Net> {
    let IpNet::V6(v6) = net else { return None };
    let prefix = v6.prefix_len().checked_sub(96)?;
    Ipv4Net::new(v6.addr().to_ipv4_mapped()?, prefix).ok()
}
