//! TLS: plaintext is read where a program hands it to its library, since what leaves is encrypted.
//!
//! [`image`] reads which functions of a file take plaintext. It attaches nothing.

pub mod image;
