//! A small program that sends what tests tell it to: for what an interpreter is too slow or too
//! large for. `TO` and `DATA` come by the environment, as Python senders have them.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use nix::libc;

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
        // Has so many sockets and children before it says so, then does as `wait`.
        ["crowd", sockets, children] => {
            let number = |text: &str| text.parse::<usize>().expect("a number");
            let stream = TcpStream::connect(to()).expect("the receiver listens");
            // Before the sockets, which each of them would have too.
            let children: Vec<i32> = (0..number(children)).map(|_| child()).collect();
            let sockets = (0..number(sockets)).map(|_| UdpSocket::bind("127.0.0.1:0"));
            let sockets: Vec<_> = sockets.map(|socket| socket.expect("room")).collect();
            println!("ready");
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            texts().iter().for_each(|text| (&stream).write_all(text).expect("the receiver reads"));
            drop(sockets);
            children.into_iter().for_each(end);
        }
        // Opens a socket, sends on it and closes it, so many times, and at last sends the texts.
        ["churn", count] => {
            for _ in 0..count.parse().expect("a number") {
                let socket = UdpSocket::bind("127.0.0.1:0").expect("a port on loopback");
                socket.connect(to()).expect("an address");
                let _ = socket.send(b"nothing here");
            }
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a port on loopback");
            texts().iter().for_each(|text| {
                socket.send_to(text, to()).expect("loopback takes it");
            });
        }
        // Threads that open and close sockets, each with the numbers that others have just closed:
        // the even ones send the first text to the first port, the odd ones the second to the next.
        ["reuse", threads, rounds] => {
            let rounds: usize = rounds.parse().expect("a number");
            let (texts, (host, port)) = (texts(), to());
            let other: u16 = std::env::var("OTHER").expect("OTHER is set").parse().expect("a port");
            std::thread::scope(|scope| {
                for thread in 0..threads.parse().expect("a number") {
                    let (text, port) = [(&texts[0], port), (&texts[1], other)][thread % 2];
                    let host = host.as_str();
                    scope.spawn(move || {
                        for _ in 0..rounds {
                            let mut stream = TcpStream::connect((host, port)).expect("it listens");
                            stream.write_all(text).expect("the receiver reads");
                        }
                    });
                }
            });
        }
        // Sends a buffer again and again while a thread writes one text and the other into it.
        ["change", count] => change(count.parse().expect("a number")),
        _ => panic!("unknown words: {words:?}"),
    }
}

/// Forks a child that waits to be ended.
fn child() -> i32 {
    // SAFETY: this process has one thread.
    match unsafe { libc::fork() } {
        0 => loop {
            // SAFETY: waits for a signal.
            unsafe { libc::pause() };
        },
        pid => {
            assert!(pid > 0, "no room for another process");
            pid
        }
    }
}

fn end(pid: i32) {
    // SAFETY: numbers in; a child of this process, which nobody waits for but this.
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        libc::waitpid(pid, std::ptr::null_mut(), 0);
    }
}

fn change(count: usize) {
    let texts = texts();
    let bytes = texts[0].len();
    let buffer: Vec<AtomicU8> = texts[0].iter().map(|&byte| AtomicU8::new(byte)).collect();
    let ended = AtomicBool::new(false);
    let stream = TcpStream::connect(to()).expect("the receiver listens");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                for text in &texts {
                    for (at, &byte) in buffer.iter().zip(text) {
                        at.store(byte, Ordering::Relaxed);
                    }
                }
            }
        });
        for _ in 0..count {
            // SAFETY: the buffer outlives the call. That it changes meanwhile is what is tried: the
            // kernel reads bytes, of which all are values.
            let sent = unsafe { libc::write(stream.as_raw_fd(), buffer.as_ptr().cast(), bytes) };
            assert_eq!(sent, bytes as isize, "the receiver reads");
        }
        ended.store(true, Ordering::Relaxed);
    });
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
