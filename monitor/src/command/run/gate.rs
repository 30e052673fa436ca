//! Who may ask the daemon and tell it to shut: `[access]` of the policy as numbers, which the kernel says of
//! a peer. Users and groups are those of this host's files; no directory service is asked.

use std::collections::HashSet;

use crate::policy::{Access, Principal};

/// Numbers of users and groups.
#[derive(Debug, Default)]
struct Ids {
    uids: HashSet<u32>,
    gids: HashSet<u32>,
}

/// Whom the policy names.
#[derive(Debug, Default)]
pub struct Gate {
    operators: Ids,
    viewers: Ids,
}

impl Gate {
    /// Looks up whom a policy names. Who is not there is told.
    pub fn of(access: &Access) -> Gate {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Gate::by(access, &read("/etc/passwd"), &read("/etc/group"))
    }

    fn by(access: &Access, passwd: &str, group: &str) -> Gate {
        let ids = |principals: &[Principal]| {
            let mut ids = Ids::default();
            for principal in principals {
                if !ids.add(principal, passwd, group) {
                    tracing::warn!("[access]: {principal:?} is not in /etc/passwd or /etc/group");
                }
            }
            ids
        };
        Gate { operators: ids(&access.operators), viewers: ids(&access.viewers) }
    }

    /// Whether a peer may shut and open.
    pub fn may_operate(&self, uid: u32, gid: u32) -> bool {
        uid == 0 || self.operators.has(uid, gid)
    }

    /// Whether a peer may ask.
    pub fn may_view(&self, uid: u32, gid: u32) -> bool {
        self.may_operate(uid, gid) || self.viewers.has(uid, gid)
    }
}

impl Ids {
    fn has(&self, uid: u32, gid: u32) -> bool {
        self.uids.contains(&uid) || self.gids.contains(&gid)
    }

    /// Whether there is such a one.
    fn add(&mut self, principal: &Principal, passwd: &str, group: &str) -> bool {
        let number = |line: &str, at: usize| line.split(':').nth(at)?.parse::<u32>().ok();
        let line_of = |table: &'_ str, name: &str| {
            let mut lines = table.lines();
            lines.find(|line| line.split(':').next() == Some(name)).map(str::to_owned)
        };
        match principal {
            Principal::Uid(uid) => {
                self.uids.insert(*uid);
                true
            }
            Principal::User(name) => {
                let uid = line_of(passwd, name).and_then(|line| number(&line, 2));
                uid.map(|uid| self.uids.insert(uid)).is_some()
            }
            Principal::Group(name) => {
                let Some(line) = line_of(group, name) else { return false };
                self.gids.extend(number(&line, 2));
                for member in line.split(':').nth(3).unwrap_or("").split(',') {
                    let uid = line_of(passwd, member).and_then(|line| number(&line, 2));
                    self.uids.extend(uid);
                }
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_the_policy_names_may_and_nobody_else() {
        let access = Access {
            operators: vec![Principal::User("ann".into()), Principal::Group("ops".into())],
            viewers: vec![Principal::Uid(7), Principal::User("nobody-here".into())],
        };
        let passwd = "root:x:0:0::/:/bin/sh\nann:x:5:100::/:/bin/sh\nben:x:6:100::/:/bin/sh\n";
        let gate = Gate::by(&access, passwd, "ops:x:20:ben,gone\nusers:x:100:\n");
        let may = |uid, gid| (gate.may_view(uid, gid), gate.may_operate(uid, gid));
        assert_eq!(may(0, 0), (true, true));
        assert_eq!(may(5, 100), (true, true));
        assert_eq!(may(6, 100), (true, true), "a member");
        assert_eq!(may(9, 20), (true, true), "their own group");
        assert_eq!(may(7, 100), (true, false));
        assert_eq!(may(8, 100), (false, false));
        let nobody = Gate::default();
        assert!(nobody.may_operate(0, 0) && !nobody.may_view(5, 100));
    }
}
