//! The functions that are looked for, one row each. How they are found is the matter of `symbols`
//! and `go`.

use super::{Call, Library};

/// How a name stands in a table of symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// As it is, by the C ABI.
    C,
    /// As it is, in a table of sections alone: nobody exports it.
    Go,
    /// It begins so; a hash follows (rustc's legacy mangling).
    Begins,
    /// It ends so, and [`is_rustls`] holds for the whole (rustc's v0 mangling, RFC 2603: hashes of
    /// crates stand in its middle).
    Ends,
}

/// A row: what is written in a table of symbols, how, and what it is.
#[derive(Debug)]
pub struct Row {
    /// As it is written.
    pub symbol: &'static str,
    /// How much of the name that is.
    pub name: Name,
    /// What it is called for people.
    pub function: &'static str,
    /// What it takes.
    pub call: Call,
    /// Whose it is.
    pub library: Library,
}

const fn c(symbol: &'static str, call: Call, library: Library) -> Row {
    Row { symbol, name: Name::C, function: symbol, call, library }
}

const fn rust(symbol: &'static str, name: Name, function: &'static str, call: Call) -> Row {
    Row { symbol, name, function, call, library: Library::Rustls }
}

/// What Go's function is called in symbols and in its own table.
pub const GO_WRITE: &str = "crypto/tls.(*Conn).Write";
/// What rustls's functions are called in alerts.
const RUSTLS_WRITE: &str = "rustls::Writer::write";
const RUSTLS_WRITEV: &str = "rustls::Writer::write_vectored";

use Call::{
    End, Enter, GoWrite, NsprWrite, RustlsWrite, RustlsWriteVectored, SendFile, Write as CWrite,
};
use Library::{GnuTls, Nss, OpenSsl};

/// All of them. Sources: include/openssl/ssl.h of OpenSSL 3.5 and BoringSSL, gnutls.h of 3.8, prio.h
/// of NSPR and ssl.h of NSS, crypto/tls/conn.go of Go, rustls/src/conn.rs (in `conn` until 0.21, then
/// in `conn::connection`).
pub const ROWS: &[Row] = &[
    c("SSL_write", CWrite, OpenSsl),
    // In OpenSSL since 3.3 it calls the next one.
    c("SSL_write_ex", CWrite, OpenSsl),
    c("SSL_write_ex2", CWrite, OpenSsl),
    c("SSL_write_early_data", CWrite, OpenSsl),
    c("SSL_sendfile", SendFile, OpenSsl),
    // A session of which a thread writes was shaken hands for before, or writes in SSL_write itself.
    // The first two call the third, which a compiler may have put into them.
    c("SSL_connect", Enter, OpenSsl),
    c("SSL_accept", Enter, OpenSsl),
    c("SSL_do_handshake", Enter, OpenSsl),
    // What it sends is no other session's.
    c("SSL_shutdown", Enter, OpenSsl),
    c("SSL_free", End, OpenSsl),
    // It goes on to the next one.
    c("gnutls_record_send", CWrite, GnuTls),
    c("gnutls_record_send2", CWrite, GnuTls),
    c("gnutls_record_send_range", CWrite, GnuTls),
    c("gnutls_record_send_early_data", CWrite, GnuTls),
    c("gnutls_handshake", Enter, GnuTls),
    c("gnutls_record_uncork", Enter, GnuTls),
    c("gnutls_bye", Enter, GnuTls),
    c("gnutls_deinit", End, GnuTls),
    // Layers of NSPR: these take files and sockets of any kind.
    c("PR_Write", NsprWrite, Nss),
    c("PR_Send", NsprWrite, Nss),
    c("PR_Close", End, Nss),
    c("SSL_ForceHandshake", Enter, Nss),
    Row {
        symbol: GO_WRITE,
        name: Name::Go,
        function: GO_WRITE,
        call: GoWrite,
        library: Library::Go,
    },
    rust(
        "_ZN67_$LT$rustls..conn..connection..Writer$u20$as$u20$std..io..Write$GT$5write17h",
        Name::Begins,
        RUSTLS_WRITE,
        RustlsWrite,
    ),
    rust(
        "_ZN55_$LT$rustls..conn..Writer$u20$as$u20$std..io..Write$GT$5write17h",
        Name::Begins,
        RUSTLS_WRITE,
        RustlsWrite,
    ),
    rust("_3std2io5Write5write", Name::Ends, RUSTLS_WRITE, RustlsWrite),
    rust(
        "_ZN67_$LT$rustls..conn..connection..Writer$u20$as$u20$std..io..Write$GT$14write_vectored17h",
        Name::Begins,
        RUSTLS_WRITEV,
        RustlsWriteVectored,
    ),
    rust(
        "_ZN55_$LT$rustls..conn..Writer$u20$as$u20$std..io..Write$GT$14write_vectored17h",
        Name::Begins,
        RUSTLS_WRITEV,
        RustlsWriteVectored,
    ),
    rust("_3std2io5Write14write_vectored", Name::Ends, RUSTLS_WRITEV, RustlsWriteVectored),
];

/// Whether a function of a trait, in v0 mangling, is one of rustls's `Writer`.
pub fn is_rustls(name: &[u8]) -> bool {
    let has = |part: &[u8]| memchr::memmem::find(name, part).is_some();
    name.starts_with(b"_RNvX") && has(b"_6rustls4conn") && has(b"_6WriterNtNtCs")
}
