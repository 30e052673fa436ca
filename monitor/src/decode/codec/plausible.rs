//! Tells what came out of a decoder from noise: what is neither text nor a container that another
//! decoder knows was not in that encoding.

use super::binary::is_message;

/// Bytes of text in which one may be none: a letter of Latin-1, a stray control.
const TEXT_BYTES_PER_FAULT: usize = 32;

/// How many of the first bytes to keep, all of them for a container. `None` where it is noise:
/// random bytes begin with ten that are text once in twenty thousand times.
pub(super) fn keep(bytes: &[u8], text_bytes_min: usize) -> Option<usize> {
    let text = text_prefix(bytes);
    if text == bytes.len() && text >= text_bytes_min {
        return Some(text);
    }
    if is_container(bytes) || is_message(bytes) {
        return Some(bytes.len());
    }
    (text >= text_bytes_min).then_some(text)
}

/// How many of the first bytes are text: all of them where only few are not.
pub(super) fn text_prefix(bytes: &[u8]) -> usize {
    // Most is plain, and most of what is not is noise from the first bytes on.
    let plain = bytes.iter().take_while(|byte| matches!(byte, 9..=13 | 27 | 32..=126)).count();
    let Some(rest) = bytes.get(plain..).filter(|rest| !rest.is_empty()) else {
        return bytes.len();
    };
    let (mut at, mut faults, mut first) = (plain, 0, None);
    for chunk in rest.utf8_chunks() {
        let control = |byte: &u8| matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127);
        for (offset, _) in chunk.valid().bytes().enumerate().filter(|(_, byte)| control(byte)) {
            faults += 1;
            first.get_or_insert(at + offset);
        }
        if let Some(first) = first.filter(|_| faults * TEXT_BYTES_PER_FAULT > bytes.len()) {
            return first;
        }
        at += chunk.valid().len();
        let invalid = chunk.invalid().len();
        // A character that is cut at the end is none.
        if invalid > 0 && at + invalid < bytes.len() {
            faults += 1;
            first.get_or_insert(at);
        }
        at += invalid;
    }
    match first {
        Some(first) if faults * TEXT_BYTES_PER_FAULT > bytes.len() => first,
        _ => bytes.len(),
    }
}

/// Whether bytes begin like something that another decoder takes apart.
fn is_container(bytes: &[u8]) -> bool {
    match bytes {
        [0x1f, 0x8b, 8, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => true,
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => true,
        [0xff, 0xfe, _, 0, ..] | [0xfe, 0xff, 0, ..] => true,
        [a, 0, b, 0, c, 0, ..] | [0, a, 0, b, 0, c, ..] => {
            [a, b, c].iter().all(|byte| byte.is_ascii_graphic() || **byte == b' ')
        }
        _ => false,
    }
}
