//! The decoders, one file for each encoding, and the table that names them all. A decoder looks for
//! what it can undo in a reading and adds what it makes of it; it decides in one cheap pass whether
//! a reading is not for it.

mod base32;
mod base64;
mod binary;
mod chunked;
mod compressed;
mod escape;
mod hex;
mod html;
mod json;
mod multipart;
mod percent;
mod plausible;
mod quoted_printable;
mod utf16;
mod wire;

use super::tree::{Made, Source};
pub(super) use escape::{Escapes, undo};

/// How an encoding is undone.
pub(super) enum How {
    /// Adds a reading for each region of a source that is in this encoding.
    Regions(fn(&Source<'_>, &mut Made<'_>)),
    /// Escapes, which are undone together with those of other kinds near by: undoing one that is
    /// none breaks no value. Layers of them are bounded by
    /// [`ESCAPE_DEPTH_MAX`](crate::limits::ESCAPE_DEPTH_MAX) in live flows.
    Escapes(Escapes),
    /// Escapes that look like what stands in other texts. They are undone in a reading of their own,
    /// after those of the other kinds near by.
    Apart(Escapes),
}

/// An encoding that can be undone.
pub(super) struct Codec {
    /// In the encoding of a view.
    pub(super) name: &'static str,
    /// How it is undone.
    pub(super) how: How,
    /// How often it is undone on the way from a text to a view.
    pub(super) times: u8,
    /// As `times`, in live flows. 0 for what the kernel's prefilter does not let through: raise it
    /// together with what `capture/prefilter.rs` knows.
    pub(super) live: u8,
    /// Whether only a text as it was sent, of a message that was not understood, can have it.
    pub(super) root: bool,
}

/// All of them, the number of each below 32. Percent encoding is undone twice for addresses in addresses (`next=%2F%3Fa%3D%2540`);
/// MIME in base64 in MIME is an e-mail attached to another.
pub(super) const CODECS: &[Codec] = &[
    Codec { name: "json", how: How::Escapes(json::ESCAPES), times: 3, live: 2, root: false },
    Codec { name: "percent", how: How::Escapes(percent::ESCAPES), times: 2, live: 1, root: false },
    Codec { name: "chunked", how: How::Apart(chunked::ESCAPES), times: 1, live: 1, root: true },
    Codec { name: "html", how: How::Escapes(html::ESCAPES), times: 2, live: 1, root: false },
    Codec { name: "hex", how: How::Escapes(hex::ESCAPES), times: 1, live: 1, root: false },
    Codec { name: "hex", how: How::Regions(hex::decode), times: 2, live: 1, root: false },
    Codec { name: "base64", how: How::Regions(base64::decode), times: 3, live: 1, root: false },
    Codec { name: "base32", how: How::Regions(base32::decode), times: 1, live: 0, root: false },
    Codec {
        name: "quoted-printable",
        how: How::Apart(quoted_printable::ESCAPES),
        times: 2,
        live: 1,
        root: false,
    },
    Codec { name: "utf-16", how: How::Regions(utf16::decode), times: 1, live: 1, root: false },
    Codec {
        name: "multipart",
        how: How::Regions(multipart::decode),
        times: 1,
        live: 1,
        root: false,
    },
    Codec { name: "protobuf", how: How::Regions(binary::protobuf), times: 1, live: 1, root: false },
    Codec { name: "msgpack", how: How::Regions(binary::msgpack), times: 1, live: 1, root: false },
    Codec { name: "cbor", how: How::Regions(binary::cbor), times: 1, live: 1, root: false },
    Codec { name: "postgres", how: How::Regions(wire::postgres), times: 1, live: 1, root: true },
    Codec { name: "mysql", how: How::Regions(wire::mysql), times: 1, live: 1, root: true },
    Codec { name: "redis", how: How::Regions(wire::redis), times: 1, live: 1, root: true },
    Codec { name: "dns", how: How::Regions(wire::dns), times: 1, live: 0, root: true },
    Codec { name: "gzip", how: How::Regions(compressed::gzip), times: 2, live: 1, root: false },
    Codec { name: "zlib", how: How::Regions(compressed::zlib), times: 2, live: 1, root: false },
    Codec { name: "zstd", how: How::Regions(compressed::zstd), times: 2, live: 1, root: false },
];

const _: () = assert!(CODECS.len() < 32, "rows are bits");
