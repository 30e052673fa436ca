//! `[access]`: who may ask a running daemon, and who may tell it to shut something. Root may both. It
//! knows no user database: names are compared with those that the caller looked up.

/// Who is meant by an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// By name.
    User(String),
    /// By number.
    Uid(u32),
    /// Whoever is in a group.
    Group(String),
}

/// Who somebody is, as the host has it.
#[derive(Debug, Clone, Copy)]
pub struct Person<'p> {
    /// Number.
    pub uid: u32,
    /// Name, where there is one.
    pub name: Option<&'p str>,
    /// Names of their groups.
    pub groups: &'p [String],
}

/// Who may what, besides root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// They may shut and open, and whatever viewers may.
    pub operators: Vec<Principal>,
    /// They may ask.
    pub viewers: Vec<Principal>,
}

impl Access {
    /// Whether anybody but root may anything.
    pub fn is_empty(&self) -> bool {
        self.operators.is_empty() && self.viewers.is_empty()
    }

    /// Whether somebody may shut and open.
    pub fn may_operate(&self, person: &Person<'_>) -> bool {
        person.uid == 0 || self.operators.iter().any(|entry| entry.is(person))
    }

    /// Whether somebody may ask.
    pub fn may_view(&self, person: &Person<'_>) -> bool {
        self.may_operate(person) || self.viewers.iter().any(|entry| entry.is(person))
    }
}

impl Principal {
    fn is(&self, person: &Person<'_>) -> bool {
        match self {
            Principal::User(name) => person.name == Some(name),
            Principal::Uid(uid) => person.uid == *uid,
            Principal::Group(name) => person.groups.contains(name),
        }
    }
}
