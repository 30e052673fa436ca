//! Where a rule or an exception holds: the destinations and the processes it names. Which findings
//! it is about is no matter of this module, and nothing here reads text of the policy.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use globset::GlobSet;
use ipnet::IpNet;

use crate::model::{Endpoint, Process};

/// What stands among the CIDRs of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Addresses with a common prefix.
    Cidr(IpNet),
    /// 127.0.0.0/8 and ::1 (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3).
    Loopback,
    /// 10/8, 172.16/12, 192.168/16 (RFC 1918), 100.64/10 (RFC 6598), 169.254/16 (RFC 3927),
    /// fc00::/7 (RFC 4193), fe80::/10 (RFC 4291 section 2.5.6).
    Private,
    /// Every address that is neither loopback nor private.
    Public,
    /// The destination that the kernel could not tell.
    Unknown,
}

impl Network {
    /// The words for the networks that have one.
    pub(super) const WORDS: [(&'static str, Network); 4] = [
        ("loopback", Network::Loopback),
        ("private", Network::Private),
        ("public", Network::Public),
        ("unknown", Network::Unknown),
    ];

    /// Whether `address` lies in it, `None` being an unknown one.
    pub fn contains(self, address: Option<IpAddr>) -> bool {
        match (self, address) {
            (Network::Unknown, None) => true,
            (Network::Unknown, Some(_)) | (_, None) => false,
            (Network::Cidr(net), Some(address)) => net.contains(&address),
            (Network::Loopback, Some(address)) => address.is_loopback(),
            (Network::Private, Some(address)) => is_private(address),
            (Network::Public, Some(address)) => !address.is_loopback() && !is_private(address),
        }
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_private() || v4.is_link_local() || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// A set of destinations. Every part that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destination {
    /// One of these must contain the address; empty: any.
    pub cidr: Vec<Network>,
    /// None of these may contain the address.
    pub not_cidr: Vec<Network>,
    /// One of these must contain the port; empty: any. An unknown destination has no port.
    pub port: Vec<RangeInclusive<u64>>,
}

impl Destination {
    /// Whether `endpoint` is one of them.
    pub fn contains(&self, endpoint: Option<Endpoint>) -> bool {
        let address = endpoint.map(|endpoint| endpoint.address);
        let within = |networks: &[Network]| networks.iter().any(|net| net.contains(address));
        (self.cidr.is_empty() || within(&self.cidr))
            && !within(&self.not_cidr)
            && (self.port.is_empty()
                || endpoint.is_some_and(|endpoint| {
                    self.port.iter().any(|ports| ports.contains(&u64::from(endpoint.port)))
                }))
    }
}

/// A set of processes. Every part that is given must hold; what is not known of a process holds
/// nothing.
#[derive(Debug, Clone, Default)]
pub struct Processes {
    /// Globs of the executable's path; empty: any.
    pub exe: GlobSet,
    /// Real uids; empty: any.
    pub uid: Vec<RangeInclusive<u64>>,
    /// Globs of the path in the cgroup v2 hierarchy; empty: any.
    pub cgroup: GlobSet,
    /// Globs of the systemd unit's name; empty: any.
    pub unit: GlobSet,
}

impl Processes {
    /// Whether `process` is one of them.
    pub fn contains(&self, process: &Process) -> bool {
        let matches = |globs: &GlobSet, text: &str| {
            globs.is_empty() || (!text.is_empty() && globs.is_match(text))
        };
        matches(&self.exe, exe_path(process))
            && (self.uid.is_empty()
                || self.uid.iter().any(|uids| uids.contains(&u64::from(process.uid))))
            && matches(&self.cgroup, &process.cgroup)
            && matches(&self.unit, process.unit.as_deref().unwrap_or(""))
    }
}

/// The path of the executable, without the mark that the kernel appends once the file was replaced,
/// as every upgrade does (proc_pid_exe(5)).
pub(super) fn exe_path(process: &Process) -> &str {
    process.exe.strip_suffix(" (deleted)").unwrap_or(&process.exe)
}
