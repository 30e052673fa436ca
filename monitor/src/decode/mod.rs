//! Turns the bytes of a flow into texts to search: HTTP/1.1 messages taken apart, chunk framing
//! removed, escapes undone. What it does not understand it hands on as it is.
//!
//! It decides nothing about what is in a text. Readings of a text are a tree: each decoder of
//! [`codec`]'s table reads every reading, within the bounds of [`crate::limits`]. The kernel's
//! prefilter sees raw bytes, so the table also says what the two have agreed on for live flows.

mod body;
mod codec;
mod content;
mod hpack;
mod http;
mod http2;
#[cfg(test)]
mod http2_tests;
mod map;
#[cfg(test)]
mod names_tests;
#[cfg(test)]
mod readings;
mod rendering;
mod run;
mod runs;
mod secret;
mod stream;
#[cfg(test)]
mod tests;
mod tree;
mod view;
#[cfg(test)]
mod views_tests;

pub use stream::Decoder;
pub use view::{End, LeftOut, View, Views, views, views_live};

use crate::limits::PLACE_KEY_BYTES_MAX;

/// What kind of message part a text is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Request line and header fields.
    HttpRequestHead,
    /// Content of a request, without chunk framing.
    HttpRequestBody,
    /// Fields after the last chunk of a request.
    HttpRequestTrailer,
    /// Status line and header fields.
    HttpResponseHead,
    /// Content of a response, without chunk framing.
    HttpResponseBody,
    /// Fields after the last chunk of a response.
    HttpResponseTrailer,
    /// Anything else.
    Text,
}

impl Part {
    /// The name in the place of a finding.
    pub fn name(self) -> &'static str {
        match self {
            Part::HttpRequestHead => "http.request.head",
            Part::HttpRequestBody => "http.request.body",
            Part::HttpRequestTrailer => "http.request.trailer",
            Part::HttpResponseHead => "http.response.head",
            Part::HttpResponseBody => "http.response.body",
            Part::HttpResponseTrailer => "http.response.trailer",
            Part::Text => "text",
        }
    }
}

/// A run of bytes of one message part. No `Debug`: the bytes may be anybody's.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    /// Bytes seen before that these go on from, at most
    /// [`FLOW_CARRY_BYTES_MAX`](crate::limits::FLOW_CARRY_BYTES_MAX), and the new ones.
    pub bytes: &'a [u8],
    /// Where in `bytes` the new ones begin. A finding that ends at or before it was reported.
    pub fresh: usize,
    /// The part.
    pub part: Part,
}

/// Names where a finding stands: the part, and the key that the value belongs to, such as
/// `http.request.body card_number`. Of a key only `A-Z a-z _ . -` are shown, at most
/// [`PLACE_KEY_BYTES_MAX`] of them: whoever fills a map by card number has card numbers for keys.
pub fn place(part: Part, key: Option<&[u8]>) -> String {
    let shown = |byte: &&u8| byte.is_ascii_alphabetic() || b"_.-".contains(byte);
    let key = key.unwrap_or_default().iter().filter(shown).take(PLACE_KEY_BYTES_MAX);
    let mut key = key.map(|byte| char::from(*byte)).peekable();
    let name = part.name();
    let mut place = String::with_capacity(name.len() + 1 + PLACE_KEY_BYTES_MAX);
    place.push_str(name);
    if key.peek().is_some() {
        place.push(' ');
        place.extend(key);
    }
    place
}
