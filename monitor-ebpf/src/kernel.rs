//! The only reads of kernel structures, and the only reads of user memory. Offsets come from the
//! running kernel's BTF ([`Offsets`]); each read may fail, and says so.

use aya_ebpf::helpers::generated::{
    bpf_get_current_task_btf, bpf_probe_read_kernel, bpf_probe_read_user,
};
use monitor_ebpf::{
    ABSENT, Offsets, SETTING_TLS, SETTING_UNIX, SOCK_COMMON_BYTES, Settings,
    record::{FileId, SampleHead, Session},
};

#[unsafe(no_mangle)]
static OFFSETS: Offsets = {
    // SAFETY: all fields are u32, for which all-zero bytes are a value.
    unsafe { core::mem::zeroed() }
};
#[unsafe(no_mangle)]
static SETTINGS: Settings =
    Settings { self_tgid: 0, sample_bytes_max: 0, scratch_slots: 0, flags: 0 };

macro_rules! offset {
    ($field:ident) => {{
        // SAFETY: a static of the object, aligned; volatile because the daemon writes its value
        // before load, which the compiler cannot know.
        unsafe { core::ptr::read_volatile(&raw const OFFSETS.$field) }
    }};
}

/// The daemon's own thread group.
#[inline(always)]
pub fn self_tgid() -> u32 {
    // SAFETY: as for `offset!`.
    unsafe { core::ptr::read_volatile(&raw const SETTINGS.self_tgid) }
}

/// Bytes of a send that are examined.
#[inline(always)]
pub fn sample_bytes_max() -> u32 {
    // SAFETY: as for `offset!`.
    unsafe { core::ptr::read_volatile(&raw const SETTINGS.sample_bytes_max) }
}

/// Work areas, a power of two.
#[inline(always)]
pub fn scratch_slots() -> u32 {
    // SAFETY: as for `offset!`.
    unsafe { core::ptr::read_volatile(&raw const SETTINGS.scratch_slots) }
}

/// Whether sends on Unix sockets are looked at.
#[inline(always)]
pub fn looks_at_unix() -> bool {
    // SAFETY: as for `offset!`.
    unsafe { core::ptr::read_volatile(&raw const SETTINGS.flags) & SETTING_UNIX != 0 }
}

/// Whether executable files are told of.
#[inline(always)]
pub fn looks_at_tls() -> bool {
    // SAFETY: as for `offset!`.
    unsafe { core::ptr::read_volatile(&raw const SETTINGS.flags) & SETTING_TLS != 0 }
}

/// Offset of `socket.sk`, for the one program that may follow it without a helper.
#[inline(always)]
pub fn socket_sk() -> u32 {
    offset!(socket_sk)
}

/// Reads a value of kernel memory.
#[inline(always)]
fn read<T: Copy>(base: u64, offset: u32) -> Option<T> {
    let mut value = core::mem::MaybeUninit::<T>::uninit();
    // SAFETY: the destination is `T` on our stack with its size; the helper refuses a source that
    // is not readable kernel memory. `T` is an integer or an array of bytes at each call.
    unsafe {
        let failed = bpf_probe_read_kernel(
            value.as_mut_ptr().cast(),
            size_of::<T>() as u32,
            (base + offset as u64) as *const _,
        );
        if failed != 0 { None } else { Some(value.assume_init()) }
    }
}

/// Reads a value of the current process's memory.
#[inline(always)]
pub fn read_user<T: Copy>(address: u64) -> Option<T> {
    let mut value = core::mem::MaybeUninit::<T>::uninit();
    // SAFETY: as for `read`; the helper refuses a source that is not readable user memory.
    unsafe {
        let failed = bpf_probe_read_user(
            value.as_mut_ptr().cast(),
            size_of::<T>() as u32,
            address as *const _,
        );
        if failed != 0 { None } else { Some(value.assume_init()) }
    }
}

/// Whose memory an address is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// The current process's.
    User,
    /// The kernel's.
    Kernel,
}

/// Reads a value of either memory.
#[inline(always)]
pub fn read_from<T: Copy>(memory: Memory, address: u64) -> Option<T> {
    match memory {
        Memory::User => read_user(address),
        Memory::Kernel => read(address, 0),
    }
}

/// A task, by address.
#[derive(Clone, Copy)]
pub struct Task(u64);

impl Task {
    /// The one that a tracepoint hands over.
    #[inline(always)]
    pub fn at(address: u64) -> Task {
        Task(address)
    }
    /// Start of its process, nanoseconds since boot.
    #[inline(always)]
    pub fn start_ns(self) -> Option<u64> {
        let leader: u64 = read(self.0, offset!(task_group_leader))?;
        read(leader, offset!(task_start_boottime))
    }
    /// Its process id.
    #[inline(always)]
    pub fn tgid(self) -> Option<u32> {
        read(self.0, offset!(task_tgid))
    }
    /// Its thread id.
    #[inline(always)]
    pub fn tid(self) -> Option<u32> {
        read(self.0, offset!(task_pid))
    }
    /// Its parent.
    #[inline(always)]
    pub fn parent(self) -> Option<Task> {
        read(self.0, offset!(task_real_parent)).map(Task)
    }
    /// Where its arguments stand in its memory: from, to.
    #[inline(always)]
    pub fn args(self) -> Option<(u64, u64)> {
        let mm: u64 = read(self.0, offset!(task_mm))?;
        Some((read(mm, offset!(mm_arg_start))?, read(mm, offset!(mm_arg_end))?))
    }
}

/// Follows a pointer whose type the verifier knows: a load, and no call of a helper. The verifier
/// checks the place against its own BTF; what cannot be read is 0.
macro_rules! follow {
    ($base:expr, $field:ident) => {{
        let at = $base.cast::<u8>().wrapping_add(offset!($field) as usize);
        // SAFETY: the kernel catches a load from such a pointer that faults
        // (`PROBE_MEM`, arch/x86/net/bpf_jit_comp.c); all bits are a value of what is read.
        unsafe { core::ptr::read_volatile(at.cast()) }
    }};
}

/// The task that runs. Minimum kernel version: 5.11.
#[derive(Clone, Copy)]
pub struct Current(*mut aya_ebpf::bindings::task_struct);

impl Current {
    /// The one that runs.
    #[inline(always)]
    pub fn get() -> Current {
        // SAFETY: the helper has no arguments and always answers.
        Current(unsafe { bpf_get_current_task_btf() })
    }
    /// Start of its process, nanoseconds since boot.
    #[inline(always)]
    pub fn start_ns(self) -> u64 {
        let leader: *mut u8 = follow!(self.0, task_group_leader);
        follow!(leader, task_start_boottime)
    }
    /// The `struct file` behind a descriptor, by address; 0 where there is none.
    #[inline(always)]
    fn descriptor(self, fd: u32) -> Option<u64> {
        let files: *mut u8 = follow!(self.0, task_files);
        let table: *mut u8 = follow!(files, files_fdt);
        let fds_max: u32 = follow!(table, fdtable_max_fds);
        if fd >= fds_max {
            return Some(0);
        }
        let fds: u64 = follow!(table, fdtable_fd);
        read(fds + fd as u64 * 8, 0)
    }
    /// The file behind a descriptor.
    #[inline(always)]
    pub fn file(self, fd: u32) -> Option<File> {
        self.descriptor(fd).map(File)
    }
    /// The socket behind a descriptor; `Ok(None)` where it is a file, a pipe or a terminal.
    #[inline(always)]
    pub fn socket(self, fd: u32) -> Result<Option<Socket>, ()> {
        let file = self.descriptor(fd).ok_or(())?;
        if file == 0 {
            return Ok(None);
        }
        let socket: u64 = read(file, offset!(file_private_data)).ok_or(())?;
        // Most files have nothing private: one read and not three says that they are no sockets.
        if socket == 0 {
            return Ok(None);
        }
        let inode: u64 = read(file, offset!(file_inode)).ok_or(())?;
        let mode: u16 = read(inode, offset!(inode_mode)).ok_or(())?;
        // S_ISSOCK, include/uapi/linux/stat.h.
        if mode & 0o170_000 != 0o140_000 {
            return Ok(None);
        }
        let sock: u64 = read(socket, offset!(socket_sk)).ok_or(())?;
        Ok((sock != 0).then_some(Socket(sock)))
    }
}

/// A `struct file`, by address.
#[derive(Clone, Copy)]
pub struct File(u64);

impl File {
    /// The one that `linux_binprm.file` points to.
    #[inline(always)]
    pub fn of_binprm(binprm: u64) -> Option<File> {
        read(binprm, offset!(binprm_file)).map(File)
    }
    /// Its names, where it is a regular file.
    #[inline(always)]
    pub fn id(self) -> Option<FileId> {
        let inode: u64 = read(self.0, offset!(file_inode))?;
        let mode: u16 = read(inode, offset!(inode_mode))?;
        // S_ISREG, include/uapi/linux/stat.h.
        if mode & 0o170_000 != 0o100_000 {
            return None;
        }
        let number: u64 = read(inode, offset!(inode_number))?;
        let generation: u32 = read(inode, offset!(inode_generation))?;
        let system: u64 = read(inode, offset!(inode_super))?;
        let device: u32 = read(system, offset!(super_device))?;
        Some(FileId { inode: number, device, generation })
    }
}

/// The path that `linux_binprm.interp` points to, into a buffer; how many bytes without the NUL.
#[inline(always)]
pub fn binprm_interp<const N: usize>(binprm: u64, to: *mut [u8; N]) -> u32 {
    let Some(path) = read::<u64>(binprm, offset!(binprm_interp)) else { return 0 };
    // SAFETY: the caller hands a whole array of `N` bytes of a map; the helper writes at most `N`.
    let copied = unsafe {
        aya_ebpf::helpers::generated::bpf_probe_read_kernel_str(
            to.cast(),
            N as u32,
            path as *const _,
        )
    };
    if copied > 0 { copied as u32 - 1 } else { 0 }
}

/// AF_INET, include/linux/socket.h.
pub const AF_INET: u16 = 2;
/// AF_INET6.
pub const AF_INET6: u16 = 10;
/// AF_UNIX.
pub const AF_UNIX: u16 = 1;
/// AF_PACKET.
pub const AF_PACKET: u16 = 17;
/// IPPROTO_TCP, include/uapi/linux/in.h.
pub const IPPROTO_TCP: u16 = 6;
/// IPPROTO_MPTCP.
const IPPROTO_MPTCP: u16 = 262;

/// Whether a family is one of the internet's.
#[inline(always)]
pub fn is_internet(family: u16) -> bool {
    family == AF_INET || family == AF_INET6
}

/// TCP_CLOSE, include/net/tcp_states.h.
const TCP_CLOSE: u8 = 7;

/// A socket's `struct sock`, by address.
#[derive(Clone, Copy)]
pub struct Socket(u64);

impl Socket {
    /// The one that a hook is handed.
    #[inline(always)]
    pub fn at(address: u64) -> Socket {
        Socket(address)
    }
    /// Its address.
    #[inline(always)]
    pub fn address(self) -> u64 {
        self.0
    }
    /// That of a `struct socket`.
    #[inline(always)]
    pub fn of(socket: u64) -> Option<Socket> {
        let sock: u64 = read(socket, offset!(socket_sk))?;
        (sock != 0).then_some(Socket(sock))
    }
    /// Address family.
    #[inline(always)]
    pub fn family(self) -> Option<u16> {
        read(self.0, offset!(sock_family))
    }
    /// Cookie, 0 where none was given out yet.
    #[inline(always)]
    pub fn cookie(self) -> Option<u64> {
        read(self.0, offset!(sock_cookie))
    }
    /// Whether it is the one of a cookie, and not closed.
    #[inline(always)]
    pub fn is_open(self, cookie: u64) -> bool {
        let state: Option<u8> = read(self.0, offset!(sock_state));
        self.cookie() == Some(cookie) && state.is_some_and(|state| state != TCP_CLOSE)
    }
    /// Writes both ends, of a socket of the internet, into a session.
    #[inline(always)]
    pub fn ends(self, family: u16, session: &mut Session) -> Option<()> {
        session.source_port = read(self.0, offset!(sock_num))?;
        session.destination_port = u16::from_be(read(self.0, offset!(sock_dport))?);
        if family == AF_INET {
            session.source = words([read(self.0, offset!(sock_saddr))?, 0, 0, 0]);
            session.destination = words([read(self.0, offset!(sock_daddr))?, 0, 0, 0]);
        } else {
            session.source = words(read(self.0, offset!(sock_v6_saddr))?);
            session.destination = words(read(self.0, offset!(sock_v6_daddr))?);
        }
        Some(())
    }
    /// The socket that its bytes leave on, and the IP protocol of that. What an MPTCP socket sends
    /// leaves on its subflows: the first of them stands for it.
    #[inline(always)]
    pub fn carrier(self) -> Option<(Socket, u16)> {
        let protocol = self.protocol()?;
        if protocol != IPPROTO_MPTCP {
            return Some((self, protocol));
        }
        Some((self.mptcp_first()?, IPPROTO_TCP))
    }
    /// Of an MPTCP socket the subflow that its connection began with. `None` leaves its bytes to the
    /// gate.
    #[inline(always)]
    fn mptcp_first(self) -> Option<Socket> {
        let at = offset!(mptcp_first);
        if at == ABSENT {
            return None;
        }
        let first: u64 = read(self.0, at)?;
        (first != 0).then_some(Socket(first))
    }
    /// IP protocol.
    #[inline(always)]
    fn protocol(self) -> Option<u16> {
        read(self.0, offset!(sock_protocol))
    }
    /// Sequence number of the next byte to be queued: where a send that begins now will stand in
    /// the stream (`tcp_sendmsg_locked`, net/ipv4/tcp.c).
    #[inline(always)]
    pub fn write_position(self) -> Option<u32> {
        read(self.0, offset!(tcp_write_seq))
    }
    /// Copies what all kinds of sockets begin with: one read for six fields.
    #[inline(always)]
    pub fn copy_common(self, to: &mut SockCommon) -> Option<()> {
        let bytes = size_of::<SockCommon>() as u32;
        // SAFETY: the destination is a whole `SockCommon`; a `struct sock` is several times as
        // long, and the helper refuses what is not readable.
        let failed =
            unsafe { bpf_probe_read_kernel((&raw mut *to).cast(), bytes, self.0 as *const _) };
        (failed == 0).then_some(())
    }
}

/// The beginning of a `struct sock`, its `sock_common`. The daemon has checked that each field ends
/// within.
#[repr(C, align(8))]
pub struct SockCommon([u8; SOCK_COMMON_BYTES]);

macro_rules! field {
    ($common:expr, $field:ident) => {{
        let at = $common.0.as_ptr().wrapping_add(offset!($field) as usize);
        // SAFETY: in bounds, as the daemon has checked, and aligned as in the kernel's structure,
        // which begins at a multiple of 8 as well; all bits are a value of what is read.
        unsafe { core::ptr::read_volatile(at.cast()) }
    }};
}

impl SockCommon {
    /// Address family.
    #[inline(always)]
    pub fn family(&self) -> u16 {
        field!(self, sock_family)
    }
    /// Cookie, 0 where none was given out yet.
    #[inline(always)]
    pub fn cookie(&self) -> u64 {
        field!(self, sock_cookie)
    }
    /// Writes both ends into a head. A destination that is all zero is not connected.
    #[inline(always)]
    pub fn ends(&self, family: u16, head: &mut SampleHead) {
        let port: u16 = field!(self, sock_dport);
        if !is_internet(family) {
            head.source_port = 0;
            head.destination_port = 0;
            head.source = [0; 16];
            head.destination = [0; 16];
            return;
        }
        head.source_port = field!(self, sock_num);
        head.destination_port = u16::from_be(port);
        if family == AF_INET {
            head.source = words([field!(self, sock_saddr), 0, 0, 0]);
            head.destination = words([field!(self, sock_daddr), 0, 0, 0]);
        } else {
            head.source = words(field!(self, sock_v6_saddr));
            head.destination = words(field!(self, sock_v6_daddr));
        }
    }
}

#[inline(always)]
fn words(words: [u32; 4]) -> [u8; 16] {
    // SAFETY: both are 16 bytes of which all bits are values.
    unsafe { core::mem::transmute(words) }
}

/// A `struct msghdr` of the kernel, by address.
#[derive(Clone, Copy)]
pub struct Message(u64);

/// Where the bytes of a message are.
#[derive(Clone, Copy)]
pub enum Iter {
    /// In one buffer of the process.
    Buffer {
        /// Address of its first byte that is not sent yet.
        base: u64,
        /// Bytes.
        bytes: u64,
    },
    /// In several, whose `struct iovec` or `struct kvec` are in the kernel's memory.
    Segments {
        /// Address of the first.
        iovec: u64,
        /// How many.
        count: u64,
        /// Bytes of the first that are sent already.
        skip: u64,
        /// Bytes of all that are not.
        bytes: u64,
        /// Whose memory the buffers are in.
        text: Memory,
    },
}

impl Message {
    /// The one that a hook is handed.
    #[inline(always)]
    pub fn at(address: u64) -> Message {
        Message(address)
    }
    /// Address of the destination that the call named, in the kernel's memory.
    #[inline(always)]
    pub fn name(self) -> Option<u64> {
        let bytes: u32 = read(self.0, offset!(msghdr_namelen))?;
        let name: u64 = read(self.0, offset!(msghdr_name))?;
        Some(if bytes != 0 { name } else { 0 })
    }
    /// Where its bytes are; `None` for pages and whatever else later kernels know.
    #[inline(always)]
    pub fn iter(self) -> Option<Iter> {
        let at = self.0 + offset!(msghdr_iter) as u64;
        let kind: u8 = read(at, offset!(iter_type))?;
        let skip: u64 = read(at, offset!(iter_offset))?;
        let bytes: u64 = read(at, offset!(iter_count))?;
        if kind as u32 == offset!(iter_is_ubuf) {
            let base: u64 = read(at, offset!(iter_ubuf))?;
            return Some(Iter::Buffer { base: base + skip, bytes });
        }
        let text = if kind as u32 == offset!(iter_is_iovec) {
            Memory::User
        } else if kind as u32 == offset!(iter_is_kvec) {
            Memory::Kernel
        } else {
            return None;
        };
        let iovec: u64 = read(at, offset!(iter_iov))?;
        let count: u64 = read(at, offset!(iter_segments))?;
        Some(Iter::Segments { iovec, count, skip, bytes, text })
    }
}

/// A request of io_uring, by address of its `struct io_kiocb`.
#[derive(Clone, Copy)]
pub struct Request(u64);

impl Request {
    /// The one that a hook is handed.
    #[inline(always)]
    pub fn at(address: u64) -> Request {
        Request(address)
    }
    /// What it asks for (`enum io_uring_op`, include/uapi/linux/io_uring.h).
    #[inline(always)]
    pub fn operation(self) -> Option<u8> {
        read(self.0, offset!(io_kiocb_opcode))
    }
    /// Descriptor that it goes to; `None` where that is one registered with the ring.
    #[inline(always)]
    pub fn descriptor(self) -> Option<u32> {
        // REQ_F_FIXED_FILE is the first bit (include/linux/io_uring_types.h).
        let flags: u8 = read(self.0, offset!(io_kiocb_flags))?;
        if flags & 1 != 0 { None } else { read(self.0, offset!(io_kiocb_cqe) + offset!(io_cqe_fd)) }
    }
}
