//! Where at the beginning of a function a hook costs least. The kernel emulates a few instructions; any
//! other it lets the program run by itself, one step, with a debug exception behind it: under a hypervisor
//! 20 µs where an emulated one takes one. So a hook goes to the first instruction that is emulated, if the
//! way there is straight and leaves the arguments where they are. x86-64 (arch/x86/kernel/uprobes.c).
//!
//! It knows the few instructions that functions begin with. Of any other it says nothing, and the hook
//! stays at the entry, where it is always right.

use super::image::Call;

/// Bytes of a function that are looked at.
pub const ENTRY_BYTES: usize = 64;

/// Numbers of registers, as instructions have them.
const RAX: u8 = 0;
const RCX: u8 = 1;
const RDX: u8 = 2;
const RBX: u8 = 3;
const RSP: u8 = 4;
const RSI: u8 = 6;
const RDI: u8 = 7;

/// Registers that a hook reads.
fn kept(call: Call) -> &'static [u8] {
    match call {
        Call::Enter | Call::End => &[RDI, RSP],
        Call::SendFile => &[RDI, RCX, RSP],
        Call::GoWrite => &[RAX, RBX, RCX, RSP],
        _ => &[RDI, RSI, RDX, RSP],
    }
}

/// How many bytes behind a function's entry its hook is best put.
pub fn best(code: &[u8], call: Call) -> u64 {
    // Its arguments are told by the stack pointer.
    if call == Call::GoWriteStack {
        return 0;
    }
    let mut at = 0;
    while let Some(rest) = code.get(at..).filter(|rest| !rest.is_empty()) {
        if is_emulated(rest) {
            return at as u64;
        }
        match straight(rest, kept(call)) {
            Some(bytes) => at += bytes,
            None => return 0,
        }
    }
    0
}

/// Whether the kernel emulates an instruction: push of a register, a conditional or plain jump, a call, a nop.
fn is_emulated(code: &[u8]) -> bool {
    matches!(
        code,
        [0x50..=0x57 | 0x70..=0x7f | 0xe8 | 0xe9 | 0xeb | 0x90, ..]
            | [0x41, 0x50..=0x57, ..]
            | [0x0f, 0x80..=0x8f, ..]
    )
}

/// Bytes of an instruction that changes no register that is kept, and does not jump; `None` of any other.
fn straight(code: &[u8], kept: &[u8]) -> Option<usize> {
    match *code {
        // endbr64
        [0xf3, 0x0f, 0x1e, 0xfa, ..] => Some(4),
        // sub $n,%rsp: what a hook reads of it is compared with others of the same call.
        [0x48, 0x83, 0xec, _, ..] => Some(4),
        [0x48, 0x81, 0xec, _, _, _, _, ..] => Some(7),
        // mov %fs:0x28,%rax: the canary
        [0x64, 0x48, 0x8b, 0x04, 0x25, _, _, _, _, ..] if !kept.contains(&RAX) => Some(9),
        // mov %rax,n(%rsp)
        [0x48, 0x89, 0x44, 0x24, _, ..] => Some(5),
        [0x48, 0x89, 0x84, 0x24, _, _, _, _, ..] => Some(8),
        // Go: is there room on the stack? cmp 0x10(%r14),%rsp; lea n(%rsp),%r12; cmp 0x10(%r14),%r12
        [0x49, 0x3b, 0x66, 0x10, ..] => Some(4),
        [0x4d, 0x3b, 0x66, 0x10, ..] => Some(4),
        [0x4c, 0x8d, 0x64, 0x24, _, ..] => Some(5),
        [0x4c, 0x8d, 0xa4, 0x24, _, _, _, _, ..] => Some(8),
        // With and without a prefix that names the upper registers: test, mov and xor of two registers.
        [prefix @ 0x40..=0x4f, operation, operands, ..] => {
            registers(operation, operands, prefix & 1 != 0, prefix & 4 != 0, kept).map(|()| 3)
        }
        [operation, operands, ..] => registers(operation, operands, false, false, kept).map(|()| 2),
        _ => None,
    }
}

/// An instruction of two registers: whether what it changes is not kept.
fn registers(
    operation: u8,
    operands: u8,
    upper: bool,
    upper_from: bool,
    kept: &[u8],
) -> Option<()> {
    if operands >> 6 != 3 {
        return None;
    }
    let to = operands & 7 | u8::from(upper) << 3;
    let from = operands >> 3 & 7 | u8::from(upper_from) << 3;
    match operation {
        // test
        0x85 => Some(()),
        // mov
        0x89 if !kept.contains(&to) => Some(()),
        // xor of a register with itself
        0x31 if to == from && !kept.contains(&to) => Some(()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: &[u8], call: Call, expected: u64) {
        assert_eq!(best(code, call), expected, "{code:02x?}");
    }

    #[test]
    fn a_hook_goes_to_the_first_instruction_that_is_emulated() {
        // SSL_write of OpenSSL 3.0: sub, canary, xor, test, js.
        let ssl_write = [
            0x48, 0x83, 0xec, 0x18, 0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0, 0x48, 0x89, 0x44,
            0x24, 0x08, 0x31, 0xc0, 0x85, 0xd2, 0x78, 0x2c,
        ];
        check(&ssl_write, Call::Write, 22);
        check(&[0x55, 0x48, 0x89, 0xe5], Call::Write, 0);
        check(&[0xf3, 0x0f, 0x1e, 0xfa, 0x41, 0x57], Call::Write, 4);
        // gnutls_record_send: xor %r8d,%r8d; xor %ecx,%ecx; jmp.
        check(&[0x45, 0x31, 0xc0, 0x31, 0xc9, 0xe9, 0, 0, 0, 0], Call::Write, 5);
        // Go: cmp 0x10(%r14),%rsp; jbe.
        check(&[0x49, 0x3b, 0x66, 0x10, 0x0f, 0x86, 1, 2, 0, 0], Call::GoWrite, 4);
        check(&[0x4c, 0x8d, 0x64, 0x24, 0xe8, 0x4d, 0x3b, 0x66, 0x10, 0x76, 9], Call::GoWrite, 9);
    }

    #[test]
    fn it_stays_where_arguments_would_be_lost_or_nothing_is_known() {
        // xor %edi,%edi; mov %rax,%rdx; xor %eax,%eax of Go; an indirect jump; nothing.
        check(&[0x31, 0xff, 0x55], Call::Write, 0);
        check(&[0x48, 0x89, 0xc2, 0x55], Call::Write, 0);
        check(&[0x31, 0xc0, 0x55], Call::GoWrite, 0);
        check(&[0x31, 0xc9, 0x55], Call::SendFile, 0);
        check(&[0xff, 0x25, 0, 0, 0, 0], Call::NsprWrite, 0);
        check(&[0x48, 0x83, 0xec, 0x18, 0xc3], Call::Write, 0);
        check(&[0x48, 0x83], Call::Write, 0);
        check(&[], Call::Write, 0);
        check(&[0x49, 0x3b, 0x66, 0x10, 0x76], Call::GoWriteStack, 0);
    }
}
