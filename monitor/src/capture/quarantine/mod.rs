//! Quarantines in the kernel: puts a process or a cgroup in one, finds those that are in force, and ends
//! them. It does not know who asked, or why: that is a text here.
//!
//! A quarantine is in force while its number is in `QUARANTINES` and its time is not over, which the
//! programs ask the clock themselves: adding it and taking it out is one step. What was filled in for one
//! that did not come to it is cleared by the next command.

use std::io;

use aya::maps::lpm_trie::Key;
use aya::maps::{MapError, PerCpuValues};
use monitor_ebpf::quarantine::{
    ALLOW_EACH_MAX, IDS, Ids, KEY_HEAD_BITS, Member, PATH_BYTES, QUARANTINES_MAX, STATE_BYTES,
    TICK_NS, Terms, key, map, slot,
};
use thiserror::Error;

use super::allow::{self, Allow};
use super::btf::BtfError;
use super::host::{self, HostError};
use super::programs::LoadError;
use super::switch::SwitchError;
use instance::{Instance, NEXT, Raw};

mod instance;
mod target;

pub use target::{Cgroup, Held};

/// Why something could not be put in quarantine, or out of it.
#[derive(Debug, Error)]
pub enum QuarantineError {
    /// Rights or mounts.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The kernel refused a part.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Pins and cgroups.
    #[error(transparent)]
    Pin(#[from] SwitchError),
    /// The kernel's types.
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// Somebody else is at it.
    #[error("another command is changing quarantines; try again")]
    Busy,
    /// Nobody has the pid.
    #[error("there is no process {0}")]
    NoProcess(u32),
    /// It is the number of a thread.
    #[error("{0} is a thread; name its process")]
    Thread(u32),
    /// A process that cannot be held.
    #[error("cannot take hold of process {0}: {1}")]
    Process(u32, io::Error),
    /// A cgroup that is none.
    #[error("cgroup {0}: {1}")]
    Cgroup(String, String),
    /// There is no such quarantine.
    #[error("there is no quarantine {0}; `egress-monitor quarantine list` lists them")]
    None(u32),
    /// More than the kernel is asked to keep.
    #[error("{0}, limit is {1}; {2}")]
    Limit(String, usize, &'static str),
}

/// What is to be shut.
pub enum Target<'t> {
    /// A process, and the children that it makes from now on.
    Process(&'t Held),
    /// A cgroup, whoever is in it now, and the children that they make from now on.
    Cgroup(&'t Cgroup),
}

/// How.
pub struct Order<'o> {
    /// Where it may send to.
    pub allow: &'o [Allow],
    /// When it ends, in nanoseconds since boot; 0 for never.
    pub expires_ns: u64,
    /// What is to be kept with it.
    pub state: &'o str,
}

/// One that is in force, or was until its time was over.
#[derive(Debug, Clone)]
pub struct InForce {
    /// Its number.
    pub id: u32,
    /// When it ends, in nanoseconds since boot; 0 for never.
    pub expires_ns: u64,
    /// The text that it was made with.
    pub state: String,
    /// Packets that were stopped.
    pub packets: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// When the last of them was, in nanoseconds since boot; 0 for never.
    pub last_ns: u64,
    /// Processes that are in it now.
    pub processes: Vec<u32>,
}

/// Whether this kernel can do it. Nothing is put in place.
///
/// # Errors
///
/// Why it cannot.
pub fn trial() -> Result<(), QuarantineError> {
    instance::trial()
}

/// The quarantines of the host, for as long as nobody else may change them.
pub struct Quarantines(Instance);

impl Quarantines {
    /// Those that there are; `None` where there were never any.
    ///
    /// # Errors
    ///
    /// Rights are missing, or what is pinned cannot be read.
    pub fn find() -> Result<Option<Quarantines>, QuarantineError> {
        Ok(Instance::find()?.map(Quarantines))
    }

    /// The same, ready to have one more; and whether the BPF file system was mounted for it, which stays.
    ///
    /// # Errors
    ///
    /// As above, or the kernel refuses.
    pub fn find_or_make() -> Result<(Quarantines, bool), QuarantineError> {
        let (instance, mounted) = Instance::find_or_make()?;
        Ok((Quarantines(instance), mounted))
    }

    /// Shuts something, and returns the number of its quarantine.
    ///
    /// # Errors
    ///
    /// Nothing has changed then.
    pub fn add(&mut self, target: &Target<'_>, order: &Order<'_>) -> Result<u32, QuarantineError> {
        let count = self.0.quarantines.keys().flatten().count();
        if count >= QUARANTINES_MAX as usize {
            let what = format!("{count} quarantines are in force");
            let limit = QUARANTINES_MAX as usize;
            return Err(QuarantineError::Limit(what, limit, "release one"));
        }
        let id = self.0.number(NEXT).max(1);
        let numbers = &mut self.0.numbers;
        numbers.set(NEXT, id.wrapping_add(1), 0).map_err(of(map::NUMBERS))?;
        let added = self.fill(id, order).and_then(|()| self.shut(id, target, order.expires_ns));
        if added.is_err() {
            self.clear(id);
        }
        added.map(|()| id)
    }

    /// What the programs look up of a quarantine that is in force.
    fn fill(&mut self, id: u32, order: &Order<'_>) -> Result<(), QuarantineError> {
        if order.allow.len() > ALLOW_EACH_MAX as usize {
            let what = format!("{} networks are allowed", order.allow.len());
            let limit = ALLOW_EACH_MAX as usize;
            return Err(QuarantineError::Limit(what, limit, "allow wider ones"));
        }
        let mut text = [0; STATE_BYTES];
        let Some(room) = text.get_mut(..order.state.len()) else {
            let what = format!("reason and allow-list are {} bytes", order.state.len());
            return Err(QuarantineError::Limit(what, STATE_BYTES, "allow wider networks"));
        };
        room.copy_from_slice(order.state.as_bytes());
        for allow in order.allow {
            let (version, address) = allow::bytes(allow.address);
            let key = key(id, version, allow.port.unwrap_or(0).to_be_bytes(), &address);
            let key = Key::new(KEY_HEAD_BITS + u32::from(allow.prefix), key);
            self.0.allow.insert(&key, 1, 0).map_err(of(map::ALLOW))?;
        }
        self.0.states.insert(id, text, 0).map_err(of(map::STATES))?;
        let count = aya::util::nr_cpus().map_err(|(_, error)| cpus(error))?;
        let zeros = PerCpuValues::try_from(vec![[0; 3]; count]).map_err(cpus)?;
        self.0.stopped.insert(id, zeros, 0).map_err(of(map::STOPPED))
    }

    /// Puts it in force, then those whom it is about in it.
    fn shut(
        &mut self,
        id: u32,
        target: &Target<'_>,
        expires_ns: u64,
    ) -> Result<(), QuarantineError> {
        let terms = Raw(Terms { expires_ns });
        self.0.quarantines.insert(id, terms, 0).map_err(of(map::QUARANTINES))?;
        match target {
            Target::Process(held) => {
                self.enrol(held, id)?;
                // Its pid was nobody else's meanwhile.
                if held.is_there() { Ok(()) } else { Err(QuarantineError::NoProcess(held.pid)) }
            }
            Target::Cgroup(cgroup) => {
                let levels = self.0.number(slot::LEVELS) | 1 << cgroup.level;
                self.0.numbers.set(slot::LEVELS, levels, 0).map_err(of(map::NUMBERS))?;
                let mut path = [0; PATH_BYTES];
                for (to, from) in path.iter_mut().zip(cgroup.path.bytes()) {
                    *to = from;
                }
                let known = self.0.paths.get(&path, 0).unwrap_or_default();
                let ids = self.with(known, id)?;
                self.0.paths.insert(path, ids, 0).map_err(of(map::PATHS))?;
                let known = self.0.cgroups.get(&cgroup.id, 0).unwrap_or_default();
                let ids = self.with(known, id)?;
                self.0.cgroups.insert(cgroup.id, ids, 0).map_err(of(map::CGROUPS))?;
                for held in cgroup.processes().into_iter().filter_map(|pid| Held::of(pid).ok()) {
                    self.enrol(&held, id)?;
                }
                Ok(())
            }
        }
    }

    /// What it begins from here on is shut; then what it has. Looked at twice, for what was being accepted
    /// while its listener was not marked yet.
    fn enrol(&mut self, held: &Held, id: u32) -> Result<(), QuarantineError> {
        let Held { pid, start_ns, .. } = *held;
        let known = self.0.processes.get(&pid, 0).map(|raw| raw.0).ok();
        // An entry of one that had the pid before is nobody's.
        let known = known.filter(|known| known.start_ns / TICK_NS == start_ns / TICK_NS);
        let ids = self.with(known.unwrap_or_default().ids, id)?;
        let member = Raw(Member { start_ns, ids });
        self.0.processes.insert(pid, member, 0).map_err(of(map::PROCESSES))?;
        for _ in 0..2 {
            held.sockets(|socket| {
                let known = self.0.sockets.get(socket, 0).unwrap_or_default();
                if !known.contains(&id)
                    && let Ok(ids) = self.with(known, id)
                {
                    let _ = self.0.sockets.insert(socket, ids, 0);
                }
            });
        }
        Ok(())
    }

    /// Adds a number to others: where there is room, or in the place of one that is over.
    fn with(&self, mut ids: Ids, id: u32) -> Result<Ids, QuarantineError> {
        let now_ns = host::boot_ns();
        let is_over = |known: u32| {
            let terms = self.0.quarantines.get(&known, 0);
            known == 0 || terms.map_or(true, |terms| is_over(terms.0, now_ns))
        };
        let Some(free) = ids.iter_mut().find(|known| is_over(**known)) else {
            let what = format!("it is in {IDS} quarantines already");
            return Err(QuarantineError::Limit(what, IDS, "release one"));
        };
        *free = id;
        Ok(ids)
    }

    /// Those in force, oldest first.
    pub fn in_force(&self) -> Vec<InForce> {
        let now_ns = host::boot_ns();
        let mut found: Vec<InForce> = self.all().filter(|one| !is_past(one, now_ns)).collect();
        found.sort_by_key(|one| one.id);
        found
    }

    fn all(&self) -> impl Iterator<Item = InForce> {
        let members: Vec<(u32, Ids)> =
            self.0.processes.iter().flatten().map(|(pid, member)| (pid, member.0.ids)).collect();
        self.0.quarantines.iter().flatten().map(move |(id, terms)| {
            let text = self.0.states.get(&id, 0).ok();
            let state = text.map(|text| {
                let bytes = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
                String::from_utf8_lossy(&text[..bytes]).into_owned()
            });
            let (mut packets, mut bytes, mut last_ns) = (0, 0, 0);
            let stopped = self.0.stopped.get(&id, 0).ok();
            for [more, more_bytes, at_ns] in stopped.iter().flat_map(|values| values.iter()) {
                packets += more;
                bytes += more_bytes;
                last_ns = last_ns.max(*at_ns);
            }
            let of_it = members.iter().filter(|(_, ids)| ids.contains(&id));
            InForce {
                id,
                expires_ns: terms.0.expires_ns,
                state: state.unwrap_or_default(),
                packets,
                bytes,
                last_ns,
                processes: of_it.map(|(pid, _)| *pid).collect(),
            }
        })
    }

    /// Children and cgroups that could not be followed, for want of room.
    pub fn lost(&self) -> u32 {
        self.0.number(slot::LOST)
    }

    /// Ends one, and returns how it was at its end.
    ///
    /// # Errors
    ///
    /// There is none of that number, or the kernel does not let it go.
    pub fn release(&mut self, id: u32) -> Result<InForce, QuarantineError> {
        let found = self.in_force().into_iter().find(|one| one.id == id);
        let found = found.ok_or(QuarantineError::None(id))?;
        self.0.quarantines.remove(&id).map_err(of(map::QUARANTINES))?;
        self.clear(id);
        Ok(found)
    }

    /// Clears what is left of those whose time is over, and returns them.
    pub fn expire(&mut self) -> Vec<InForce> {
        let now_ns = host::boot_ns();
        let past: Vec<InForce> = self.all().filter(|one| is_past(one, now_ns)).collect();
        for one in &past {
            self.clear(one.id);
        }
        past
    }

    /// Takes the programs away if nothing is in quarantine any more.
    ///
    /// # Errors
    ///
    /// A pin cannot be removed.
    pub fn close(self) -> Result<(), QuarantineError> {
        match self.0.quarantines.keys().next() {
            None => self.0.remove(),
            Some(_) => Ok(()),
        }
    }

    /// Removes all that there is of a number. What cannot be is nobody's harm: the number is not in force.
    fn clear(&mut self, id: u32) {
        let _ = self.0.quarantines.remove(&id);
        let _ = self.0.states.remove(&id);
        let _ = self.0.stopped.remove(&id);
        let keys: Vec<_> = self.0.allow.keys().flatten().collect();
        for key in keys.iter().filter(|key| key.data().starts_with(&id.to_be_bytes())) {
            let _ = self.0.allow.remove(key);
        }
        let without = |ids: Ids| ids.map(|known| if known == id { 0 } else { known });
        let members: Vec<_> = self.0.processes.iter().flatten().collect();
        for (pid, Raw(member)) in members.into_iter().filter(|(_, raw)| raw.0.ids.contains(&id)) {
            let ids = without(member.ids);
            let _ = match ids == [0; IDS] {
                true => self.0.processes.remove(&pid),
                false => self.0.processes.insert(pid, Raw(Member { ids, ..member }), 0),
            };
        }
        let cgroups: Vec<_> = self.0.cgroups.iter().flatten().collect();
        for (cgroup, ids) in cgroups.into_iter().filter(|(_, ids)| ids.contains(&id)) {
            let ids = without(ids);
            let _ = match ids == [0; IDS] {
                true => self.0.cgroups.remove(&cgroup),
                false => self.0.cgroups.insert(cgroup, ids, 0),
            };
        }
        let paths: Vec<_> = self.0.paths.iter().flatten().collect();
        for (path, ids) in paths.into_iter().filter(|(_, ids)| ids.contains(&id)) {
            let ids = without(ids);
            let _ = match ids == [0; IDS] {
                true => self.0.paths.remove(&path),
                false => self.0.paths.insert(path, ids, 0),
            };
        }
        if self.0.paths.keys().next().is_none() {
            let _ = self.0.numbers.set(slot::LEVELS, 0, 0);
        }
    }
}

fn of(name: &'static str) -> impl Fn(MapError) -> QuarantineError {
    move |error| LoadError::Map(name, error).into()
}

fn cpus(error: io::Error) -> QuarantineError {
    LoadError::Map(map::STOPPED, error.into()).into()
}

fn is_over(terms: Terms, now_ns: u64) -> bool {
    terms.expires_ns != 0 && terms.expires_ns <= now_ns
}

fn is_past(one: &InForce, now_ns: u64) -> bool {
    is_over(Terms { expires_ns: one.expires_ns }, now_ns)
}
