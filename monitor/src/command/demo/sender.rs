//! The process that leaks: a program of the host that posts over HTTP what it is handed, or this
//! one where there is none. The data is made up anew each time, and is in no command line.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Program {
    /// Its `http.client`, a chunk for each record.
    Python3,
    /// An upload of standard input.
    Curl,
    /// This program.
    Own,
}

const PYTHON: &str = "\
import http.client, sys
records = iter(sys.stdin.buffer.readline, b'')
connection = http.client.HTTPConnection(sys.argv[1])
connection.request('POST', '/customers', records, {'Content-Type': 'application/json'})
connection.getresponse().read()
";

/// Bytes of a record, its line feed included.
pub const RECORD_BYTES: usize = 78;

impl Program {
    /// The first that is there.
    pub fn first() -> Program {
        let there = |name: &str| {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
        };
        match () {
            () if there("python3") => Program::Python3,
            () if there("curl") => Program::Curl,
            () => Program::Own,
        }
    }

    fn command(self, to: SocketAddr) -> io::Result<Command> {
        let command = |program: &Path, args: &[&str]| {
            let mut command = Command::new(program);
            command.args(args);
            command
        };
        let (host, url) = (to.to_string(), format!("http://{to}/customers"));
        Ok(match self {
            Program::Python3 => command(Path::new("python3"), &["-c", PYTHON, &host]),
            Program::Curl => {
                let json = "Content-Type: application/json";
                let args = ["-sS", "-X", "POST", "-H", json, "-H", "Expect:", "-T", "-", &url];
                command(Path::new("curl"), &args)
            }
            Program::Own => command(&std::env::current_exe()?, &["demo", "--sender", &host]),
        })
    }

    /// Runs it until it ends, handing it so many records.
    pub fn send(self, to: SocketAddr, records: usize) -> anyhow::Result<ExitStatus> {
        let record = record()?;
        let mut child = self
            .command(to)?
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| anyhow::anyhow!("cannot start {self}: {error}"))?;
        if let Some(mut input) = child.stdin.take() {
            let mut records = (0..records).map(|_| input.write_all(record.as_bytes()));
            // A process that was killed reads no more.
            let _ = records.try_for_each(|written| written);
        }
        Ok(child.wait()?)
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Program::Python3 => "python3",
            Program::Curl => "curl",
            Program::Own => "a child of the demo",
        })
    }
}

/// A line of JSON about somebody who does not exist: a card number with a check digit that is right
/// (ISO/IEC 7812-1) and a social security number in an issued range.
fn record() -> io::Result<String> {
    let mut random = [0; 23];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    let digits: Vec<u32> = random.iter().map(|byte| u32::from(byte % 10)).collect();
    let mut card: Vec<u32> = std::iter::once(4).chain(digits[..14].iter().copied()).collect();
    card.push(check_digit(&card));
    let text = |digits: &[u32]| digits.iter().map(u32::to_string).collect::<String>();
    let ssn = format!("5{}-6{}-7{}", text(&digits[14..16]), digits[16], text(&digits[17..20]));
    let name = "Erika Example";
    Ok(format!("{{\"name\":\"{name}\",\"card_number\":\"{}\",\"ssn\":\"{ssn}\"}}\n", text(&card)))
}

/// Luhn's: ISO/IEC 7812-1 annex B.
fn check_digit(digits: &[u32]) -> u32 {
    let doubled = |(at, &digit): (usize, &u32)| match at % 2 {
        0 => digit * 2 / 10 + digit * 2 % 10,
        _ => digit,
    };
    let sum: u32 = digits.iter().rev().enumerate().map(doubled).sum();
    (10 - sum % 10) % 10
}

/// Posts what `records` gives, a chunk a line: what the other programs do.
pub fn post(to: SocketAddr, records: impl Read) -> io::Result<()> {
    let mut stream = TcpStream::connect(to)?;
    let head = format!(
        "POST /customers HTTP/1.1\r\nHost: {to}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let mut records = BufReader::new(records);
    let mut record = String::new();
    while records.read_line(&mut record)? != 0 {
        stream.write_all(format!("{:x}\r\n{record}\r\n", record.len()).as_bytes())?;
        record.clear();
    }
    stream.write_all(b"0\r\n\r\n")?;
    io::copy(&mut stream, &mut io::sink()).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Engine;
    use crate::model::Entity;

    #[test]
    fn the_made_up_record_is_what_the_detectors_look_for() {
        let record = record().unwrap();
        assert_eq!(record.len(), RECORD_BYTES);
        let mut hits = Vec::new();
        let engine = Engine::new(&[Entity::CREDIT_CARD, Entity::US_SSN]);
        engine.find(record.as_bytes(), &mut hits);
        let mut found: Vec<&Entity> = hits.iter().map(|hit| engine.entity(hit.detector)).collect();
        found.sort();
        assert_eq!(found, [&Entity::CREDIT_CARD, &Entity::US_SSN]);
    }
}
