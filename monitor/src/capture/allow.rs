//! Destinations that may be sent to where all else is shut, as they are typed: `10.0.0.0/8:443`,
//! `[2001:db8::/32]:53`, `192.0.2.7:*`.

use std::net::IpAddr;

/// A destination that may be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allow {
    /// A network, as one of its addresses.
    pub address: IpAddr,
    /// Bits that count.
    pub prefix: u8,
    /// Port of the far side; any, if none.
    pub port: Option<u16>,
}

/// What to write instead of what is none.
pub(crate) const REMEDY: &str =
    "write 10.0.0.0/8:443, 192.0.2.7:22, [2001:db8::/32]:53, or * for any port";

/// Reads one.
///
/// # Errors
///
/// What is wrong with it, and what to write instead.
pub fn parse(text: &str) -> Result<Allow, String> {
    let (network, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:"),
        None => text.rsplit_once(':').filter(|(network, _)| !network.contains(':')),
    }
    .ok_or_else(|| format!("it is no network and port; {REMEDY}"))?;
    let port = match port {
        "*" => None,
        port => match port.parse() {
            Ok(0) | Err(_) => return Err(format!("the port {port:?} is none; {REMEDY}")),
            Ok(port) => Some(port),
        },
    };
    let (address, prefix) = match network.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (network, None),
    };
    let address: IpAddr =
        address.parse().map_err(|_| format!("the address {address:?} is none; {REMEDY}"))?;
    if address.is_ipv6() != text.starts_with('[') {
        return Err(format!("IPv6 stands in brackets, IPv4 does not; {REMEDY}"));
    }
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => bits,
        Some(prefix) => prefix
            .parse()
            .ok()
            .filter(|prefix| *prefix <= bits)
            .ok_or_else(|| format!("the prefix /{prefix} is not 0 to {bits}; {REMEDY}"))?,
    };
    Ok(Allow { address, prefix, port })
}

/// As it is typed.
pub fn text(allow: &Allow) -> String {
    let Allow { address, prefix, port } = allow;
    let whole = if address.is_ipv4() { 32 } else { 128 };
    let network =
        if *prefix == whole { address.to_string() } else { format!("{address}/{prefix}") };
    let port = port.map_or_else(|| "*".into(), |port| port.to_string());
    if address.is_ipv4() { format!("{network}:{port}") } else { format!("[{network}]:{port}") }
}

/// Version of IP and address, as the keys of maps have them.
pub(super) fn bytes(address: IpAddr) -> (u8, [u8; 16]) {
    match address {
        IpAddr::V4(address) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&address.octets());
            (4, bytes)
        }
        IpAddr::V6(address) => (6, address.octets()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_comes_back() {
        for typed in [
            "10.0.0.0/8:443",
            "0.0.0.0/0:*",
            "192.0.2.7:22",
            "[2001:db8::/32]:53",
            "[::/0]:*",
            "[::1]:65535",
        ] {
            assert_eq!(text(&parse(typed).unwrap()), typed);
        }
        assert_eq!(text(&parse("192.0.2.7/32:22").unwrap()), "192.0.2.7:22");
    }

    #[track_caller]
    fn refused(typed: &str, why: &str) {
        assert_eq!(parse(typed).unwrap_err(), format!("{why}; {REMEDY}"), "{typed}");
    }

    #[test]
    fn what_is_none_is_refused_with_what_to_write() {
        refused("", "it is no network and port");
        refused("10.0.0.0/8", "it is no network and port");
        refused("2001:db8::1:443", "it is no network and port");
        refused("[2001:db8::1]", "it is no network and port");
        refused("10.0.0.0/8:0", "the port \"0\" is none");
        refused("10.0.0.0/8:65536", "the port \"65536\" is none");
        refused("10.0.0.0/33:1", "the prefix /33 is not 0 to 32");
        refused("[::/129]:1", "the prefix /129 is not 0 to 128");
        refused("example.org:443", "the address \"example.org\" is none");
        refused("[10.0.0.1]:443", "IPv6 stands in brackets, IPv4 does not");
    }
}
