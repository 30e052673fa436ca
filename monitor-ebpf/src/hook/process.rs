//! Who a process is, followed from its start: exec, fork and exit. A `curl` that is gone in 5 ms
//! has left its path, arguments and parent here. Raw tracepoints, minimum kernel version 4.17.

use aya_ebpf::{
    helpers::generated::{
        bpf_get_current_cgroup_id, bpf_get_current_uid_gid, bpf_ktime_get_boot_ns,
        bpf_probe_read_kernel, bpf_probe_read_user,
    },
    macros::raw_tracepoint,
    programs::RawTracePointContext,
};
use monitor_ebpf::{
    ARGS_BYTES, Counter,
    record::{FileSeen, ProcessId, ProcessInfo},
};

use crate::{
    account::{count, keep_process, process, process_scratch},
    hook::file::tell,
    kernel::{File, Task, binprm_interp},
    say::say_exec,
    verdict::{inherit, tell_started},
};

/// `sched_process_exec(task, old_pid, binprm)`
#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub fn process_exec(context: RawTracePointContext) -> i32 {
    let _ = try_exec(Task::at(context.arg(0)), context.arg(2));
    0
}

/// `sched_process_fork(parent, child)`
#[raw_tracepoint(tracepoint = "sched_process_fork")]
pub fn process_fork(context: RawTracePointContext) -> i32 {
    let _ = try_fork(Task::at(context.arg(0)), Task::at(context.arg(1)));
    0
}

/// `sched_process_exit(task)`
#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub fn process_exit(context: RawTracePointContext) -> i32 {
    let _ = try_exit(Task::at(context.arg(0)));
    0
}

#[inline(always)]
fn id_of(task: Task) -> Option<ProcessId> {
    Some(ProcessId { start_ns: task.start_ns()?, tgid: task.tgid()?, reserved: 0 })
}

#[inline(always)]
fn set_whereabouts(info: &mut ProcessInfo, parent: ProcessId) {
    info.parent_start_ns = parent.start_ns;
    info.parent_tgid = parent.tgid;
    info.exited_ns = 0;
    // SAFETY: helpers without arguments that always answer.
    unsafe {
        info.cgroup_id = bpf_get_current_cgroup_id();
        info.uid = bpf_get_current_uid_gid() as u32;
    }
}

#[inline(always)]
fn try_exec(task: Task, binprm: u64) -> Option<()> {
    count(Counter::Execs, 1);
    if let Some(file) = File::of_binprm(binprm) {
        tell(file, FileSeen::EXECUTED);
    }
    let info = process_scratch(1)?;
    set_whereabouts(info, id_of(task.parent()?)?);
    info.exe_bytes = binprm_interp(binprm, &raw mut info.exe);
    let (from, to) = task.args()?;
    let mut bytes = to.wrapping_sub(from) as u32;
    if bytes > ARGS_BYTES as u32 {
        bytes = ARGS_BYTES as u32;
    }
    // SAFETY: `args` is `ARGS_BYTES` long and `bytes` no more; the new program's stack is this
    // task's memory by now, and the helper refuses what is not mapped.
    let failed =
        unsafe { bpf_probe_read_user(info.args.as_mut_ptr().cast(), bytes, from as *const _) };
    info.args_bytes = if failed == 0 { bytes } else { 0 };
    let id = id_of(task)?;
    keep_process(&id, info);
    tell_started(&id);
    say_exec(id.tgid, info.cgroup_id);
    Some(())
}

#[inline(always)]
fn try_fork(parent: Task, child: Task) -> Option<()> {
    // Threads come by here as well: they have their leader's process already.
    if child.tgid()? != child.tid()? {
        return None;
    }
    count(Counter::Forks, 1);
    let parent_id = id_of(parent)?;
    let info = process_scratch(0)?;
    match process(&parent_id) {
        // Copied by a helper: as assignments it is 13,000 instructions to the verifier, 8 ms.
        // SAFETY: both are whole values of maps; whoever else writes to `known` writes integers.
        Some(known) => unsafe {
            let bytes = size_of::<ProcessInfo>() as u32;
            bpf_probe_read_kernel((&raw mut *info).cast(), bytes, (&raw const *known).cast());
        },
        None => {
            info.exe_bytes = 0;
            info.args_bytes = 0;
        }
    }
    set_whereabouts(info, parent_id);
    let child_id = id_of(child)?;
    keep_process(&child_id, info);
    inherit(&parent_id, &child_id);
    Some(())
}

#[inline(always)]
fn try_exit(task: Task) -> Option<()> {
    if task.tgid()? != task.tid()? {
        return None;
    }
    count(Counter::Exits, 1);
    let info = process(&id_of(task)?)?;
    // SAFETY: a helper without arguments that always answers.
    info.exited_ns = unsafe { bpf_ktime_get_boot_ns() };
    Some(())
}
