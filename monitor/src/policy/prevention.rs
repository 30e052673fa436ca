//! The rules that the kernel carries out by itself, in its words ([`monitor_ebpf::prevention`]): what of a
//! rule it can, and which of its clauses a process is in.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;
use monitor_ebpf::prevention::{
    ACTION_BLOCK, ACTION_KILL, CLAUSE_SLOTS, CLAUSES_MAX, Clause, KIND_EXCEPTION, KIND_RULE,
    NETWORK_CIDR, NETWORK_CIDR_V6, NETWORK_PUBLIC, NETWORK_UNKNOWN, NETWORKS_MAX, PORTS_MAX,
    PREVENTION_DRY_RUN, Prevention, SCOPE_PROTECTED, Scope, THRESHOLD_MAX, TICK_NS,
    TRANSPORT_OTHER, TRANSPORT_PACKET, TRANSPORT_TCP, TRANSPORT_TLS, TRANSPORT_UDP, TRANSPORT_UNIX,
    UIDS_MAX,
};

use super::scope::{Destination, Network, Processes, exe_path};
use super::{Action, Date, Entities, Exception, Policy, Rule};
use crate::detect::PROVEN;
use crate::model::{Confidence, Entity, Process, Transport};

/// Networks that are loopback or private, as [`Network`] has them.
const LOCAL: [&str; 9] = [
    "127.0.0.0/8",
    "::1/128",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
];
/// Of those, the ones that are loopback.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];

impl Rule {
    /// What the kernel cannot do alone of this rule: what is wrong, and what to write instead.
    pub(super) fn unprovable(&self) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let mut say = |what: String, instead: &str| wrong.push((what, instead.to_owned()));
        if !matches!(self.action, Action::Block | Action::Kill) {
            let what = format!("the kernel cannot {} by itself", self.action);
            say(what, "prevent with action = \"block\" or \"kill\"");
        }
        let known = PROVEN.map(|(entity, _)| entity).join(", ");
        let unknown: Vec<&str> = self
            .entities
            .iter()
            .filter(|(entity, _)| class_of(entity).is_none())
            .map(|(entity, _)| entity.name())
            .collect();
        if let [first, rest @ ..] = &unknown[..] {
            let more = match rest.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let what = format!("the kernel cannot prove {first}{more} before it is sent");
            say(what, &format!("prevent with {known}; give the rest a rule of its own"));
        }
        if !self.counts_test_data {
            let what = "the kernel does not know published test values, which the rule ignores";
            say(what.into(), "leave test_data out, or name processes and destinations");
        }
        let most = THRESHOLD_MAX as u64;
        let asked = self.threshold.map_or([None; 2], |limit| [limit.count, limit.distinct]);
        if asked.into_iter().flatten().any(|asked| asked > most) {
            let what = format!("the kernel counts to {THRESHOLD_MAX}, the threshold asks for more");
            say(what, "lower it, or leave prevent out");
        }
        if self.transport.iter().any(|it| matches!(it, Transport::Unix | Transport::Packet)) {
            let what = "what goes over Unix or packet sockets cannot be stopped";
            say(what.into(), "leave \"unix\" and \"packet\" out of transport");
        }
        let scopes = std::iter::once((&self.destination, &self.process));
        let excepted = self.exceptions.iter().map(|it| (&it.destination, &it.process));
        for (destination, process) in scopes.chain(excepted) {
            if destination.as_ref().is_some_and(|to| to.port.len() > PORTS_MAX) {
                say(format!("the kernel knows {PORTS_MAX} spans of ports"), "merge some");
            }
            if process.as_ref().is_some_and(|of| of.uid.len() > UIDS_MAX) {
                say(format!("the kernel knows {UIDS_MAX} spans of uids"), "merge some");
            }
        }
        wrong
    }
}

/// The class of an entity that the kernel proves.
fn class_of(entity: &Entity) -> Option<u32> {
    PROVEN.iter().find(|(name, _)| *name == entity.name()).map(|(_, class)| *class)
}

/// A clause as the policy has it.
enum Said<'p> {
    Exception(&'p Rule, &'p Exception),
    Rule(&'p Rule),
}

impl Said<'_> {
    fn process(&self) -> Option<&Processes> {
        match self {
            Said::Exception(_, exception) => exception.process.as_ref(),
            Said::Rule(rule) => rule.process.as_ref(),
        }
    }
}

/// Whether it is about more than uids, which the kernel reads itself.
fn is_scoped(process: Option<&Processes>) -> bool {
    process.is_some_and(|set| !set.exe.is_empty() || !set.cgroup.is_empty() || !set.unit.is_empty())
}

impl Policy {
    /// Whether the kernel is to stop anything by itself.
    pub fn prevents(&self) -> bool {
        self.rules.iter().any(|rule| rule.prevent)
    }

    /// The clauses in order, each with the index of its rule.
    fn said(&self, today: Date) -> impl Iterator<Item = (usize, Said<'_>)> {
        let rules = self.rules.iter().enumerate().filter(|(_, rule)| rule.prevent);
        rules.flat_map(move |(index, rule)| {
            let excepted = rule.exceptions.iter().filter(move |it| it.in_force(today));
            let excepted = excepted.map(move |it| Said::Exception(rule, it));
            excepted.chain(std::iter::once(Said::Rule(rule))).map(move |said| (index, said))
        })
    }

    /// What there is no room for in the kernel, if there is anything.
    pub(super) fn is_too_much(&self) -> Option<String> {
        let (clauses, rows) = self.prevention_size();
        if clauses > CLAUSES_MAX {
            return Some(format!(
                "{clauses} rules and exceptions with prevent, the kernel has room for {CLAUSES_MAX}"
            ));
        }
        (rows > NETWORKS_MAX).then(|| {
            format!("{rows} networks in rules with prevent, the kernel has room for {NETWORKS_MAX}")
        })
    }

    /// How many clauses and rows of networks the kernel would have to hold.
    fn prevention_size(&self) -> (usize, usize) {
        let clauses = self.said(self.today).count();
        let mut rows = Rows::new();
        let count = |to: Option<&Destination>, rows: &mut Rows| {
            if let Some(to) = to {
                rows.add(&to.cidr);
                rows.add(&to.not_cidr);
            }
        };
        for (_, said) in self.said(self.today) {
            match said {
                Said::Exception(_, exception) => count(exception.destination.as_ref(), &mut rows),
                Said::Rule(rule) => count(rule.destination.as_ref(), &mut rows),
            }
        }
        (clauses, rows.wanted)
    }

    /// What the kernel is to stop by itself, exceptions as they are in force on `today`.
    pub fn prevention(&self, today: Date, dry_run: bool, generation: u32) -> Box<Prevention> {
        let mut rows = Rows::new();
        let local = rows.rows.len();
        let mut clauses = [Clause::default(); CLAUSE_SLOTS];
        let mut count = 0;
        for (slot, (index, said)) in clauses.iter_mut().take(CLAUSES_MAX).zip(self.said(today)) {
            *slot = clause(&said, &mut rows);
            slot.rule = u32::try_from(index).unwrap_or(u32::MAX);
            count += 1;
        }
        let mut networks = [monitor_ebpf::prevention::Network::default(); NETWORKS_MAX];
        for (slot, row) in networks.iter_mut().zip(&rows.rows) {
            *slot = *row;
        }
        Box::new(Prevention {
            clause_count: count,
            flags: if dry_run { PREVENTION_DRY_RUN } else { 0 },
            actions_per_minute_max: self.settings.blocks_per_minute_max,
            actions_per_executable_max: self.settings.blocks_per_executable_max,
            local_networks: u32::try_from(local).unwrap_or(0),
            generation,
            clauses,
            networks,
        })
    }

    /// In which of the clauses of [`Policy::prevention`] a process is.
    pub fn scope(&self, today: Date, process: &Process, own_pid: u32, generation: u32) -> Scope {
        let mut clauses = 0;
        for (bit, (_, said)) in self.said(today).take(CLAUSES_MAX).enumerate() {
            let uidless = |set: &Processes| Processes { uid: Vec::new(), ..set.clone() };
            if said.process().is_none_or(|set| uidless(set).contains(process)) {
                clauses |= 1 << bit;
            }
        }
        if self.protection(process, own_pid).is_some() {
            clauses |= SCOPE_PROTECTED;
        }
        let mut hasher = DefaultHasher::new();
        exe_path(process).hash(&mut hasher);
        let start_ticks = process.key.start_ns / TICK_NS;
        Scope { clauses, executable: hasher.finish(), start_ticks, generation, reserved: 0 }
    }
}

fn clause(said: &Said<'_>, rows: &mut Rows) -> Clause {
    let mut clause = Clause::default();
    let (destination, process) = match said {
        Said::Exception(rule, exception) => {
            clause.kind = KIND_EXCEPTION;
            let all = exception.entities.as_ref().unwrap_or(&rule.entities);
            clause.wants = [all.iter().filter_map(|(entity, _)| class_of(entity)).fold(0, bit); 3];
            (exception.destination.as_ref(), exception.process.as_ref())
        }
        Said::Rule(rule) => {
            clause.kind = KIND_RULE;
            clause.action = if rule.action == Action::Kill { ACTION_KILL } else { ACTION_BLOCK };
            clause.wants = wants(&rule.entities);
            clause.transports = rule.transport.iter().fold(0, |all, it| all | transport(*it));
            if let Some(threshold) = rule.threshold {
                let asked = |most: Option<u64>| u32::try_from(most.unwrap_or(0)).unwrap_or(0);
                (clause.count, clause.distinct) =
                    (asked(threshold.count), asked(threshold.distinct));
                clause.within_ns = u64::try_from(threshold.within.as_nanos()).unwrap_or(u64::MAX);
            }
            (rule.destination.as_ref(), rule.process.as_ref())
        }
    };
    clause.scoped = u32::from(is_scoped(process));
    if let Some(to) = destination {
        clause.networks = rows.add(&to.cidr);
        clause.not_networks = rows.add(&to.not_cidr);
        // Nobody answered for what is not known, see `Exception::applies`.
        if clause.kind == KIND_EXCEPTION && to.cidr.is_empty() && !to.not_cidr.is_empty() {
            clause.networks = rows.add(&[Network::Loopback, Network::Private, Network::Public]);
        }
        clause.port_count = spans(&to.port, &mut clause.ports);
    }
    if let Some(of) = process {
        clause.uid_count = spans(&of.uid, &mut clause.uids);
    }
    clause
}

fn bit(all: u32, class: u32) -> u32 {
    all | 1 << class
}

/// Classes that count at low, medium and high.
fn wants(entities: &Entities) -> [u32; 3] {
    let mut wants = [0; 3];
    for (entity, floor) in entities.iter() {
        let Some(class) = class_of(entity) else { continue };
        let levels = [Confidence::Low, Confidence::Medium, Confidence::High];
        for (slot, level) in wants.iter_mut().zip(levels) {
            if level >= floor {
                *slot = bit(*slot, class);
            }
        }
    }
    wants
}

fn transport(transport: Transport) -> u32 {
    match transport {
        Transport::Tcp => TRANSPORT_TCP,
        Transport::Udp => TRANSPORT_UDP,
        Transport::Tls => TRANSPORT_TLS,
        Transport::Unix => TRANSPORT_UNIX,
        Transport::Packet => TRANSPORT_PACKET,
        Transport::Other => TRANSPORT_OTHER,
    }
}

fn spans<const N: usize>(spans: &[RangeInclusive<u64>], slots: &mut [[u32; 2]; N]) -> u32 {
    let end = |value: &u64| u32::try_from(*value).unwrap_or(u32::MAX);
    for (slot, span) in slots.iter_mut().zip(spans) {
        *slot = [end(span.start()), end(span.end())];
    }
    u32::try_from(spans.len().min(N)).unwrap_or(0)
}

/// Rows of networks of all clauses, those that are loopback or private first.
struct Rows {
    rows: Vec<monitor_ebpf::prevention::Network>,
    /// How many there would be, were there room.
    wanted: usize,
}

impl Rows {
    fn new() -> Rows {
        let rows: Vec<_> = LOCAL.iter().filter_map(|net| net.parse().ok()).map(row).collect();
        Rows { wanted: rows.len(), rows }
    }

    /// Adds networks: the first row, and how many.
    fn add(&mut self, networks: &[Network]) -> [u32; 2] {
        let first = self.rows.len();
        for network in networks {
            let of_kind = |kind| monitor_ebpf::prevention::Network { kind, ..Default::default() };
            match network {
                Network::Cidr(net) => self.rows.push(row(*net)),
                Network::Public => self.rows.push(of_kind(NETWORK_PUBLIC)),
                Network::Unknown => self.rows.push(of_kind(NETWORK_UNKNOWN)),
                Network::Loopback => self.rows.extend(parsed(&LOOPBACK)),
                Network::Private => {
                    let private = LOCAL.iter().filter(|net| !LOOPBACK.contains(net));
                    self.rows.extend(private.filter_map(|net| net.parse().ok()).map(row));
                }
            }
        }
        self.wanted = self.rows.len();
        let index = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        [index(first), index(self.rows.len() - first)]
    }
}

fn parsed(networks: &[&str]) -> impl Iterator<Item = monitor_ebpf::prevention::Network> {
    networks.iter().filter_map(|net| net.parse().ok()).map(row)
}

/// A network as the kernel compares it: IPv4 in ::ffff:0:0/96.
fn row(net: IpNet) -> monitor_ebpf::prevention::Network {
    let words = |address: IpAddr| {
        let octets = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        let (first, second) = octets.split_at(8);
        [first, second].map(|half| half.try_into().map_or(0, u64::from_ne_bytes))
    };
    let (kind, bits) = match net {
        IpNet::V4(v4) => (NETWORK_CIDR, u32::from(v4.prefix_len()) + 96),
        IpNet::V6(v6) => (NETWORK_CIDR_V6, u32::from(v6.prefix_len())),
    };
    let mask = if bits == 0 { 0 } else { u128::MAX << (128 - bits) };
    monitor_ebpf::prevention::Network {
        address: words(net.network()),
        mask: words(IpAddr::V6(mask.into())),
        kind,
        reserved: 0,
    }
}
