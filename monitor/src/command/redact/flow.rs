//! One file through the redactor: bytes are read, unpacked, redacted, packed and written. It opens
//! nothing.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use zeroize::Zeroizing;

use crate::limits::REDACT_READ_BYTES;
use crate::redact::{Counts, Redactor, Stream};

/// How input and output are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
}

/// How a file passes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) packing: Packing,
    pub(super) by_line: bool,
}

/// Which side failed.
#[derive(Debug)]
pub(super) enum Error {
    Read(io::Error),
    Write(io::Error),
}

impl Error {
    /// The sentence about it.
    pub(super) fn of(&self, path: &Path) -> String {
        match self {
            Error::Read(error) => {
                let path = path.display();
                format!("{path}: {error}; what was read before that is written, redacted")
            }
            Error::Write(error) => format!("standard output: {error}; what follows is lost"),
        }
    }
}

/// Passes all of `input` on to `output`.
pub(super) fn pass(
    redactor: &Redactor,
    plan: Plan,
    input: File,
    output: &File,
) -> Result<Counts, Error> {
    match plan.packing {
        Packing::Plain => {
            let mut output = BufWriter::with_capacity(REDACT_READ_BYTES, output);
            pump(redactor, plan.by_line, input, &mut output)
        }
        Packing::Gzip => {
            let output = BufWriter::with_capacity(REDACT_READ_BYTES, output);
            let mut packed = GzEncoder::new(output, Compression::default());
            let counts = pump(redactor, plan.by_line, MultiGzDecoder::new(input), &mut packed);
            // What was read before an error goes out whole too.
            let finished = packed.finish().and_then(|mut output| output.flush());
            let counts = counts?;
            finished.map_err(Error::Write)?;
            Ok(counts)
        }
    }
}

fn pump(
    redactor: &Redactor,
    by_line: bool,
    mut input: impl Read,
    output: &mut impl Write,
) -> Result<Counts, Error> {
    let mut stream = Stream::new(redactor, by_line);
    let mut buffer = Zeroizing::new(vec![0; REDACT_READ_BYTES]);
    let mut wrote = Ok(());
    let ended = loop {
        let read = match input.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => break Err(Error::Read(error)),
        };
        let read = buffer.get(..read).unwrap_or_default();
        stream.push(read, &mut writer(output, &mut wrote));
        if by_line && wrote.is_ok() {
            wrote = output.flush();
        }
        wrote = match wrote {
            Err(error) => return Err(Error::Write(error)),
            ok => ok,
        };
    };
    let counts = stream.finish(&mut writer(output, &mut wrote));
    wrote.and_then(|()| output.flush()).map_err(Error::Write)?;
    ended.map(|()| counts)
}

/// Writes until the first error, which it leaves in `wrote`.
fn writer<'a>(output: &'a mut impl Write, wrote: &'a mut io::Result<()>) -> impl FnMut(&[u8]) + 'a {
    move |bytes| {
        if wrote.is_ok() {
            *wrote = output.write_all(bytes);
        }
    }
}
