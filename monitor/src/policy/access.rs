//! `[access]`: who may ask a running daemon, and who may tell it to shut something. Root may both. It
//! knows no user database.

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
}
