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

/// An encoding that can be undone.
pub(super) struct Codec {
    /// In the encoding of a view.
    pub(super) name: &'static str,
    /// Adds a reading for each region of a source that is in this encoding.
    pub(super) decode: fn(&Source<'_>, &mut Made<'_>),
    /// How often it is undone on the way from a text to a view.
    pub(super) times: u8,
    /// As `times`, in live flows. 0 for what the kernel's prefilter does not let through: raise it
    /// together with what `capture/prefilter.rs` knows.
    pub(super) live: u8,
    /// Whether it counts against [`ESCAPE_DEPTH_MAX`](crate::limits::ESCAPE_DEPTH_MAX) in live flows.
    pub(super) escape: bool,
    /// Whether only a text as it was sent, of a message that was not understood, can have it.
    pub(super) root: bool,
}

/// All of them. Percent encoding is undone twice for addresses in addresses (`next=%2F%3Fa%3D%2540`);
/// MIME in base64 in MIME is an e-mail attached to another.
pub(super) const CODECS: &[Codec] = &[
    Codec { name: "json", decode: json::decode, times: 3, live: 2, escape: true, root: false },
    Codec {
        name: "percent",
        decode: percent::decode,
        times: 2,
        live: 1,
        escape: true,
        root: false,
    },
    Codec {
        name: "chunked",
        decode: chunked::decode,
        times: 1,
        live: 1,
        escape: false,
        root: true,
    },
    Codec { name: "html", decode: html::decode, times: 2, live: 1, escape: true, root: false },
    Codec {
        name: "hex",
        decode: hex::decode_escapes,
        times: 1,
        live: 1,
        escape: true,
        root: false,
    },
    Codec { name: "hex", decode: hex::decode, times: 2, live: 1, escape: false, root: false },
    Codec { name: "base64", decode: base64::decode, times: 3, live: 1, escape: false, root: false },
    Codec { name: "base32", decode: base32::decode, times: 1, live: 0, escape: false, root: false },
    Codec {
        name: "quoted-printable",
        decode: quoted_printable::decode,
        times: 2,
        live: 1,
        escape: true,
        root: false,
    },
    Codec { name: "utf-16", decode: utf16::decode, times: 1, live: 1, escape: false, root: false },
    Codec {
        name: "multipart",
        decode: multipart::decode,
        times: 1,
        live: 1,
        escape: false,
        root: false,
    },
    Codec {
        name: "protobuf",
        decode: binary::protobuf,
        times: 1,
        live: 1,
        escape: false,
        root: false,
    },
    Codec {
        name: "msgpack",
        decode: binary::msgpack,
        times: 1,
        live: 1,
        escape: false,
        root: false,
    },
    Codec { name: "cbor", decode: binary::cbor, times: 1, live: 1, escape: false, root: false },
    Codec {
        name: "postgres",
        decode: wire::postgres,
        times: 1,
        live: 1,
        escape: false,
        root: true,
    },
    Codec { name: "mysql", decode: wire::mysql, times: 1, live: 1, escape: false, root: true },
    Codec { name: "redis", decode: wire::redis, times: 1, live: 1, escape: false, root: true },
    Codec { name: "dns", decode: wire::dns, times: 1, live: 0, escape: false, root: true },
    Codec { name: "gzip", decode: compressed::gzip, times: 2, live: 1, escape: false, root: false },
    Codec { name: "zlib", decode: compressed::zlib, times: 2, live: 1, escape: false, root: false },
    Codec { name: "zstd", decode: compressed::zstd, times: 2, live: 1, escape: false, root: false },
];
