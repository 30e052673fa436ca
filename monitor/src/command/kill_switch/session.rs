//! The SSH session that the command is typed in, by `SSH_CONNECTION` (ssh(1)). `sudo` takes it out of
//! the environment, so the processes that the command came from are asked too.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::capture::switch::Session;

const VARIABLE: &str = "SSH_CONNECTION";
/// How far up processes are asked.
const PARENTS_MAX: usize = 32;

/// The session; `None` where it is not typed in one.
///
/// # Errors
///
/// The variable is there and is not what sshd writes.
pub fn own() -> Result<Option<Session>, String> {
    text().map_or(Ok(None), |text| named(&text))
}

/// What the variable says.
pub fn text() -> Option<String> {
    std::env::var(VARIABLE).ok().or_else(of_parents)
}

/// The session that it means.
///
/// # Errors
///
/// It is not what sshd writes.
pub fn named(text: &str) -> Result<Option<Session>, String> {
    let parsed = parse(text);
    parsed
        .map(Some)
        .ok_or_else(|| format!("{VARIABLE} is {text:?}, and not two addresses and ports"))
}

fn of_parents() -> Option<String> {
    let mut pid = std::process::id().to_string();
    for _ in 0..PARENTS_MAX {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold anything; state and parent follow the last bracket (proc(5)).
        pid = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.to_owned();
        if pid == "0" {
            return None;
        }
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        let found = variables.find_map(|variable| {
            let text = std::str::from_utf8(variable).ok()?;
            text.strip_prefix(VARIABLE)?.strip_prefix('=')
        });
        if let Some(text) = found {
            return Some(text.to_owned());
        }
    }
    None
}

/// Address and port of the client, then of the server.
fn parse(text: &str) -> Option<Session> {
    let mut words = text.split_ascii_whitespace();
    let mut endpoint = || {
        let address = words.next()?.split('%').next()?;
        let address: IpAddr = address.parse().ok()?;
        Some(SocketAddr::new(address.to_canonical(), words.next()?.parse().ok()?))
    };
    let (theirs, ours) = (endpoint()?, endpoint()?);
    (theirs.is_ipv4() == ours.is_ipv4()).then_some(Session { ours, theirs })
}

/// Whether the kernel has it as established, in this network namespace. A terminal multiplexer keeps the
/// variable of a session that is long gone.
pub fn is_open(session: &Session) -> bool {
    let table =
        |name: &str| std::fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default();
    is_in(&table("tcp"), session) || is_in(&table("tcp6"), session)
}

fn is_in(table: &str, session: &Session) -> bool {
    const ESTABLISHED: &str = "01";
    let side = |side: &SocketAddr| [hexadecimal(side, false), hexadecimal(side, true)];
    let (ours, theirs) = (side(&session.ours), side(&session.theirs));
    table.lines().any(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let mut is_one =
            |of: &[String; 2]| words.next().is_some_and(|word| of.iter().any(|side| side == word));
        is_one(&ours) && is_one(&theirs) && words.next() == Some(ESTABLISHED)
    })
}

/// As /proc/net/tcp has an address, in words of the machine (`get_tcp4_sock`, net/ipv4/tcp_ipv4.c), or
/// /proc/net/tcp6, which has IPv4 mapped.
fn hexadecimal(side: &SocketAddr, mapped: bool) -> String {
    let bytes = match side.ip() {
        IpAddr::V4(address) if mapped => address.to_ipv6_mapped().octets().to_vec(),
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => Ipv6Addr::octets(&address).to_vec(),
    };
    let words = bytes.chunks_exact(4).filter_map(|word| word.try_into().ok());
    let text: String = words.map(|word| format!("{:08X}", u32::from_ne_bytes(word))).collect();
    format!("{text}:{:04X}", side.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_read_as_sshd_writes_them() {
        let session = parse("192.0.2.7 51514 10.0.0.1 22").unwrap();
        assert_eq!(session.theirs, "192.0.2.7:51514".parse().unwrap());
        assert_eq!(session.ours, "10.0.0.1:22".parse().unwrap());
        let session = parse("fe80::1%eth0 51514 fe80::2%eth0 22").unwrap();
        assert_eq!(session.theirs, "[fe80::1]:51514".parse().unwrap());
        for other in
            ["", "192.0.2.7 51514 10.0.0.1", "192.0.2.7 x 10.0.0.1 22", "::1 1 10.0.0.1 22"]
        {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn an_open_session_is_found_in_the_tables_of_the_kernel() {
        let session = parse("192.0.2.7 51514 10.0.0.1 22").unwrap();
        let head = "  sl  local_address rem_address   st tx_queue\n";
        let row = format!("{head}   0: 0100000A:0016 070200C0:C93A 01 00000000:0\n");
        assert!(is_in(&row, &session));
        assert!(!is_in(&row.replace(" 01 ", " 08 "), &session));
        assert!(!is_in(&row.replace("C93A", "C93B"), &session));
        let mapped = "0: 0000000000000000FFFF00000100000A:0016 \
                      0000000000000000FFFF0000070200C0:C93A 01";
        assert!(is_in(mapped, &session));
    }
}
