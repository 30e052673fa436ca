//! Who types a command, by what the kernel knows: files are read, no directory service is asked, which
//! might be at the far side of what is being shut.

use std::fmt;

use nix::unistd::getuid;
use serde::{Deserialize, Serialize};

/// A person, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// That they logged in with, else that of the process.
    pub uid: u32,
    /// Its name, if it has one here.
    pub user: Option<String>,
    /// Terminal, if there is one.
    pub terminal: Option<String>,
    /// The command's.
    pub pid: u32,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.user.as_deref().unwrap_or("uid"), self.uid)?;
        if let Some(terminal) = &self.terminal {
            write!(f, ", {terminal}")?;
        }
        f.write_str(")")
    }
}

/// `loginuid` of a process that came from no login, include/linux/audit.h.
const UNSET: u32 = u32::MAX;

impl Who {
    /// Who asked a daemon, by the kernel's word.
    pub fn asked(uid: u32) -> Who {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        Who { uid, user: name_in(&passwd, uid), terminal: None, pid: std::process::id() }
    }

    /// This process, which is nobody's command.
    pub fn named(name: &str) -> Who {
        let pid = std::process::id();
        Who { uid: getuid().as_raw(), user: Some(name.into()), terminal: None, pid }
    }

    /// Of this process. The kernel's word on who logged in goes before that of `sudo`.
    pub fn own() -> Who {
        let number = |text: String| text.trim().parse::<u32>().ok();
        let login = std::fs::read_to_string("/proc/self/loginuid").ok().and_then(number);
        let login = login.filter(|uid| *uid != UNSET);
        let sudo = || std::env::var("SUDO_UID").ok().and_then(number);
        let uid = login.or_else(sudo).unwrap_or_else(|| getuid().as_raw());
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let sudo_user = std::env::var("SUDO_USER").ok().filter(|_| login.is_none());
        Who {
            uid,
            user: name_in(&passwd, uid).or(sudo_user),
            terminal: terminal(),
            pid: std::process::id(),
        }
    }
}

/// passwd(5).
fn name_in(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

fn terminal() -> Option<String> {
    (0..3).find_map(|fd| {
        let path = std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
        let path = path.to_str()?;
        let is_one = path.starts_with("/dev/pts/") || path.starts_with("/dev/tty");
        is_one.then(|| path.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_by_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n+::::::\nann:x:1000:100::/home/ann:/bin/sh\n";
        assert_eq!(name_in(passwd, 1000).as_deref(), Some("ann"));
        assert_eq!(name_in(passwd, 0).as_deref(), Some("root"));
        assert_eq!(name_in(passwd, 100), None);
    }
}
