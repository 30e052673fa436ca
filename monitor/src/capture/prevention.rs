//! What the kernel is told so that it can stop sends by itself: the tables of the proofs, the clauses of
//! the policy, and which of them a process is in. And the end of a connection whose bytes were stopped.

use std::os::fd::{AsFd as _, OwnedFd};

use aya::maps::{Array, HashMap, MapData, RingBuf};
use aya::{Ebpf, Pod};
use monitor_ebpf::map;
use monitor_ebpf::prevention::{self, Scope};
use monitor_ebpf::proof::Tables;
use rustix::net::Shutdown;

use super::programs::{LoadError, Programs, take};
use super::sockets::by_cookie;
use crate::model::ProcessKey;

/// A value of the contract that the kernel may be handed as bytes.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct Raw<T>(T);

// SAFETY: `repr(C)` with integers only and no padding (asserted in the contract), so all bit patterns are
// values and all bytes are initialised.
unsafe impl Pod for Raw<prevention::Prevention> {}
// SAFETY: as above.
unsafe impl Pod for Raw<Tables> {}
// SAFETY: as above.
unsafe impl Pod for Raw<Scope> {}

/// The maps of what the kernel stops by itself.
pub(super) struct Prevention {
    tables: Array<MapData, Raw<Tables>>,
    clauses: Array<MapData, Raw<prevention::Prevention>>,
    which: Array<MapData, u32>,
    scopes: HashMap<MapData, u32, Raw<Scope>>,
    /// Whether the tables were handed over.
    told: bool,
}

impl Prevention {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Prevention, LoadError> {
        Ok(Prevention {
            tables: take(ebpf, map::PROOF_TABLES)?,
            clauses: take(ebpf, map::PREVENTION)?,
            which: take(ebpf, map::PREVENTS)?,
            scopes: take(ebpf, map::SCOPES)?,
            told: false,
        })
    }

    /// Puts clauses in force in the place of those that are, or none.
    fn put(&mut self, clauses: Option<&prevention::Prevention>) -> Result<(), LoadError> {
        let failed = |name| move |error| LoadError::Map(name, error);
        let Some(clauses) = clauses else {
            return self.which.set(0, 0, 0).map_err(failed(map::PREVENTS));
        };
        if !self.told {
            let tables = crate::detect::proof_tables();
            self.tables.set(0, Raw(*tables), 0).map_err(failed(map::PROOF_TABLES))?;
            self.told = true;
        }
        let now = self.which.get(&0, 0).map_err(failed(map::PREVENTS))?;
        // The one that is not in force.
        let bank = u32::from(now == 1);
        self.clauses.set(bank, Raw(*clauses), 0).map_err(failed(map::PREVENTION))?;
        self.which.set(0, bank + 1, 0).map_err(failed(map::PREVENTS))
    }
}

impl Programs {
    /// Puts in force what the kernel stops by itself, or nothing.
    ///
    /// # Errors
    ///
    /// What the kernel says to writing a map; then what was in force is.
    pub fn set_prevention(
        &mut self,
        clauses: Option<&prevention::Prevention>,
    ) -> Result<(), LoadError> {
        self.prevention.put(clauses)
    }

    /// Tells the kernel which clauses a process is in.
    ///
    /// # Errors
    ///
    /// What the kernel says to writing the map.
    pub fn set_scope(&mut self, pid: u32, scope: Scope) -> Result<(), LoadError> {
        self.prevention
            .scopes
            .insert(pid, Raw(scope), 0)
            .map_err(|error| LoadError::Map(map::SCOPES, error))
    }

    /// The ring that tells of programs that start, once.
    ///
    /// # Errors
    ///
    /// Where it was taken before.
    pub fn take_started(&mut self) -> Result<RingBuf<MapData>, LoadError> {
        self.take_map(map::STARTED)
    }
}

/// Ends a connection of a process at once, so that its next send fails and does not wait for an answer to
/// what was stopped: the far side is reset. The socket is found among the descriptors of the process by its
/// cookie. Whether it was found. Minimum kernel version: 5.6, for pidfd_getfd(2).
pub fn end_connection(key: ProcessKey, cookie: u64) -> bool {
    cookie != 0 && by_cookie(key, cookie).is_some_and(|socket| abort(&socket))
}

/// To connect a TCP socket to nothing ends its connection with a reset (`tcp_disconnect`, net/ipv4/tcp.c).
/// Some kernels refuse it while a thread waits on the socket: then that one is woken.
fn abort(socket: &OwnedFd) -> bool {
    rustix::net::connect_unspec(socket.as_fd()).is_ok()
        || rustix::net::shutdown(socket, Shutdown::Both).is_ok()
}
