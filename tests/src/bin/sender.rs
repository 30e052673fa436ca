//! A small program that sends what tests tell it to: for what an interpreter is too slow or too
//! large for. `TO` and `DATA` come by the environment, as Python senders have them.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

fn main() {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let words: Vec<&str> = words.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    match words[..] {
        // Sends each text once over one connection.
        ["once", ..] => {
            let mut stream = TcpStream::connect(to()).expect("the receiver listens");
            texts().iter().for_each(|text| stream.write_all(text).expect("the receiver reads"));
        }
        // The same, once standard input is at its end.
        ["wait"] => {
            let mut stream = TcpStream::connect(to()).expect("the receiver listens");
            println!("ready");
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            texts().iter().for_each(|text| stream.write_all(text).expect("the receiver reads"));
        }
        // Datagrams of the first text as fast as it goes; says how many.
        ["flood", ms] => {
            let ms = ms.parse().expect("milliseconds");
            println!("{}", flood(|begun, _| begun.elapsed() < Duration::from_millis(ms)));
        }
        // So many of them.
        ["count", count] => {
            let count = count.parse().expect("a number");
            println!("{}", flood(|_, sent| sent < count));
        }
        _ => panic!("unknown words: {words:?}"),
    }
}

fn flood(more: impl Fn(Instant, u64) -> bool) -> u64 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port on loopback");
    socket.connect(to()).expect("an address");
    let text = texts().remove(0);
    let (begun, mut sent) = (Instant::now(), 0);
    while more(begun, sent) {
        // Nobody may listen there.
        let _ = socket.send(&text);
        sent += 1;
    }
    sent
}

fn to() -> (String, u16) {
    let to = std::env::var("TO").expect("TO is set");
    let (host, port) = to.split_once(' ').expect("TO is host and port");
    (host.into(), port.parse().expect("a port"))
}

fn texts() -> Vec<Vec<u8>> {
    let data = std::env::var("DATA").expect("DATA is set");
    data.split(',').map(unhex).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(byte).collect()
}
