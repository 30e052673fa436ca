//! Every way to send: calls, buffers, transports, address families, connected and not.

use std::io::Read as _;
use std::net::SocketAddr;
use std::process::Command;

use support::net::{V4, V6};
use support::program::hex;
use support::{Alert, Monitor, Receiver, Running, needs, python};

/// A Python program that gets `texts` of a card sends it: one alert, of that process, to that
/// receiver.
#[track_caller]
fn check(code: &str, receiver: &Receiver, texts: impl Fn(&str) -> Vec<String>) -> Alert {
    let monitor = Monitor::start();
    let texts = texts(&monitor.data.card());
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut sender = Running::start(&mut python(code, receiver.address, &texts));
    sender.finish();
    let sent: usize = texts.iter().map(|text| text.len()).sum();
    receiver.wait_bytes(sent as u64);
    monitor.found(sender.pid(), "CREDIT_CARD", receiver.address)
}

fn whole(card: &str) -> Vec<String> {
    vec![format!("card {card} end")]
}

/// The value lies in both texts.
fn halves(card: &str) -> Vec<String> {
    vec![format!("card {}", &card[..7]), format!("{} end", &card[7..])]
}

#[test]
fn sendall_over_ipv4() {
    needs!("python3");
    let alert = check("tcp().sendall(D[0])", &Receiver::tcp(V4), whole);
    assert_eq!((alert.text("/tap"), alert.text("/transport")), ("socket", "tcp"));
}

#[test]
fn sendall_over_ipv6() {
    needs!("python3");
    let alert = check("tcp().sendall(D[0])", &Receiver::tcp(V6), whole);
    assert_eq!(alert.text("/destination/address"), "::1");
}

#[test]
fn write_on_the_descriptor_of_a_socket() {
    needs!("python3");
    check("s = tcp(); os.write(s.fileno(), D[0])", &Receiver::tcp(V4), whole);
}

#[test]
fn writev_with_the_value_split_between_buffers() {
    needs!("python3");
    check("s = tcp(); os.writev(s.fileno(), D)", &Receiver::tcp(V4), halves);
}

#[test]
fn sendmsg_with_the_value_split_between_buffers() {
    needs!("python3");
    check("tcp().sendmsg(D)", &Receiver::tcp(V4), halves);
}

#[test]
fn sendmsg_with_the_value_behind_many_buffers() {
    needs!("python3");
    let many = |card: &str| {
        let mut texts: Vec<String> = (0..500).map(|n| format!("row {n}\n")).collect();
        texts.extend(halves(card));
        texts
    };
    check("tcp().sendmsg(D)", &Receiver::tcp(V4), many);
}

#[test]
fn sendto_on_a_udp_socket_that_is_not_connected() {
    needs!("python3");
    let alert = check("udp().sendto(D[0], TO)", &Receiver::udp(V4), whole);
    assert_eq!(alert.text("/transport"), "udp");
}

#[test]
fn send_on_a_udp_socket_that_is_connected() {
    needs!("python3");
    check("s = udp(); s.connect(TO); s.send(D[0])", &Receiver::udp(V4), whole);
}

#[test]
fn a_datagram_to_another_than_the_peer_is_told_with_its_own_destination() {
    needs!("python3");
    let code = "s = udp(); s.connect((HOST, 9)); s.sendto(D[0], TO)";
    check(code, &Receiver::udp(V4), whole);
}

#[test]
fn sendto_over_udp_and_ipv6() {
    needs!("python3");
    check("udp().sendto(D[0], TO)", &Receiver::udp(V6), whole);
}

#[test]
fn sendmsg_on_a_udp_socket_that_names_its_destination() {
    needs!("python3");
    check("udp().sendmsg(D, [], 0, TO)", &Receiver::udp(V4), halves);
}

#[test]
fn an_ipv4_destination_on_an_ipv6_socket_is_told_as_ipv4() {
    needs!("python3");
    let code = "socket.create_connection(('::ffff:' + HOST, TO[1])).sendall(D[0])";
    check(code, &Receiver::tcp(V4), whole);
    let code = "
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.sendto(D[0], ('::ffff:' + HOST, TO[1]))";
    check(code, &Receiver::udp(V4), whole);
}

/// `sendmmsg` of all texts, each a message of its own. Python has no name for it.
const SENDMMSG: &str = "
libc = ctypes.CDLL(None, use_errno=True)
class Iovec(ctypes.Structure):
    _fields_ = [('base', ctypes.c_char_p), ('bytes', ctypes.c_size_t)]
class Msghdr(ctypes.Structure):
    _fields_ = [('name', ctypes.c_void_p), ('name_bytes', ctypes.c_uint32),
                ('iov', ctypes.POINTER(Iovec)), ('iovlen', ctypes.c_size_t),
                ('control', ctypes.c_void_p), ('control_bytes', ctypes.c_size_t),
                ('flags', ctypes.c_int)]
class Mmsghdr(ctypes.Structure):
    _fields_ = [('header', Msghdr), ('bytes', ctypes.c_uint32)]
def sendmmsg(s, texts):
    batch = (Mmsghdr * len(texts))()
    kept = [Iovec(text, len(text)) for text in texts]
    for message, iovec in zip(batch, kept):
        message.header.iov, message.header.iovlen = ctypes.pointer(iovec), 1
    sent = libc.sendmmsg(s.fileno(), batch, len(texts), 0)
    assert sent == len(texts), ctypes.get_errno()
";

#[test]
fn sendmmsg_with_the_value_in_its_last_message() {
    needs!("python3");
    let code = format!("{SENDMMSG}\ns = udp(); s.connect(TO); sendmmsg(s, D)");
    check(&code, &Receiver::udp(V4), |card| {
        vec!["first".into(), "second".into(), format!("card {card}")]
    });
}

#[test]
fn sendmmsg_with_a_value_in_each_message_finds_all() {
    needs!("python3");
    let (monitor, receiver) = (Monitor::start(), Receiver::udp(V4));
    let texts: Vec<String> = (0..5).map(|_| format!("card {}", monitor.data.card())).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let code = format!("{SENDMMSG}\ns = udp(); s.connect(TO); sendmmsg(s, D)");
    let mut sender = Running::start(&mut python(&code, receiver.address, &texts));
    sender.finish();
    let alerts = monitor.of(sender.pid());
    let mut found: Vec<String> = alerts.iter().flat_map(Alert::fingerprints).collect();
    found.sort();
    found.dedup();
    assert_eq!((alerts.len(), found.len()), (5, 5));
}

#[test]
fn a_value_split_over_two_writes() {
    needs!("python3");
    check("s = tcp()\nfor text in D: s.sendall(text)", &Receiver::tcp(V4), halves);
}

#[test]
fn a_value_written_a_byte_at_a_time() {
    needs!("python3");
    let code = "s = tcp()\nfor byte in D[0]: s.send(bytes([byte]))";
    check(code, &Receiver::tcp(V4), whole);
}

#[test]
fn values_split_over_two_datagrams_are_two_texts() {
    needs!("python3");
    let (monitor, receiver) = (Monitor::start(), Receiver::udp(V4));
    let texts = halves(&monitor.data.card());
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let code = "s = udp(); s.connect(TO)\nfor text in D: s.send(text)";
    let mut sender = Running::start(&mut python(code, receiver.address, &texts));
    sender.finish();
    assert!(monitor.of(sender.pid()).is_empty());
}

#[test]
fn an_accepted_socket_is_seen_with_its_peer() {
    needs!("python3");
    let monitor = Monitor::start();
    let text = format!("card {}", monitor.data.card());
    let code = "
server = socket.create_server(('127.0.0.1', 0)); say(server.getsockname()[1])
socket, _ = server.accept(); socket.sendall(D[0]); socket.recv(1)";
    let mut server = Running::start(&mut python(code, Receiver::tcp(V4).address, &[text.as_str()]));
    let port: u16 = server.line().parse().expect("the server says its port");
    let mut client = std::net::TcpStream::connect((V4, port)).expect("the server listens");
    client.read_exact(&mut vec![0; text.len()]).expect("the server sends");
    let here = client.local_addr().expect("an address");
    monitor.found(server.pid(), "CREDIT_CARD", here);
}

#[test]
fn a_socket_that_was_open_before_the_monitor() {
    needs!("python3");
    let receiver = Receiver::tcp(V4);
    let code = "s = tcp(); s.sendall(b'early '); say('ready'); s.sendall(take())";
    let mut sender = Running::start(&mut python(code, receiver.address, &[""]));
    assert_eq!(sender.line(), "ready");
    let monitor = Monitor::start();
    sender.say(&hex(&format!("card {}", monitor.data.card())));
    sender.finish();
    let alert = monitor.found(sender.pid(), "CREDIT_CARD", receiver.address);
    assert!(alert.text("/process/exe").contains("python"), "{alert:?}");
    assert!(alert.text("/process/cmdline").contains("take()"), "{alert:?}");
}

#[test]
fn a_child_that_sends_on_an_inherited_socket_is_named_and_not_its_parent() {
    needs!("python3");
    let (monitor, receiver) = (Monitor::start(), Receiver::tcp(V4));
    let code = "
s = tcp(); child = os.fork()
if child == 0: s.sendall(D[0]); os._exit(0)
os.waitpid(child, 0); say(child)";
    let text = format!("card {}", monitor.data.card());
    let mut parent = Running::start(&mut python(code, receiver.address, &[text.as_str()]));
    let child: u32 = parent.line().parse().expect("the parent says its child");
    parent.finish();
    let alert = monitor.found(child, "CREDIT_CARD", receiver.address);
    assert_eq!(alert.number("/process/parent_pid"), u64::from(parent.pid()));
    assert!(monitor.of(parent.pid()).is_empty());
}

#[test]
fn a_thread_sends_and_its_process_is_named() {
    needs!("python3");
    let code = "
import threading
thread = threading.Thread(target=lambda: tcp().sendall(D[0])); thread.start(); thread.join()";
    check(code, &Receiver::tcp(V4), whole);
}

/// The socket has no room and refuses the text, which the process tries again until it is taken:
/// it is found once, because it leaves once.
#[test]
fn a_send_that_the_socket_refuses_and_that_is_tried_again_is_found_once() {
    needs!("python3");
    let monitor = Monitor::start();
    let text = format!("card {} end", monitor.data.card());
    let code = "
server = socket.create_server((HOST, 0)); client = socket.create_connection(server.getsockname())
peer, _ = server.accept(); client.setblocking(False); refused = 0
try:
    while True: client.send(b'x' * 4096)
except BlockingIOError: pass
while True:
    try: taken = client.send(D[0]); break
    except BlockingIOError: refused += 1
    if refused >= 3: peer.recv(1 << 20)
assert refused >= 3 and taken == len(D[0])";
    let to = Receiver::tcp(V4).address;
    let mut sender = Running::start(&mut python(code, to, &[&text]));
    sender.finish();
    assert_eq!(monitor.the_alert_of(sender.pid()).entities(), ["CREDIT_CARD"]);
}

/// The socket takes a part of what it is handed, and the process sends the rest: each value
/// leaves once and is counted once, wherever it was cut.
#[test]
fn values_in_sends_that_the_socket_takes_in_part_are_each_counted_once() {
    needs!("python3");
    let monitor = Monitor::start();
    let lines = 3_000;
    let code = "
server = socket.create_server((HOST, 0)); client = socket.create_connection(server.getsockname())
peer, _ = server.accept(); client.setblocking(False); parts = 0
client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20000)
left = memoryview((D[0].ljust(700, b'-') + bytes([10])) * int(D[1]))
while left:
    text = left[:16000]
    try: taken = client.send(text); parts += taken < len(text); left = left[taken:]
    except BlockingIOError: peer.recv(30001)
say(parts)";
    let text = format!("card {} ", monitor.data.card());
    let texts = [text.as_str(), &lines.to_string()];
    let mut sender = Running::start(&mut python(code, Receiver::tcp(V4).address, &texts));
    let parts: u32 = sender.line().parse().expect("how many sends were taken in part");
    sender.finish();
    assert!(parts > 0, "the socket took each send whole: nothing was tested");
    let alerts = monitor.of(sender.pid());
    let counted: u64 = alerts.iter().flat_map(Alert::findings).map(|finding| finding.2).sum();
    assert_eq!(counted, lines, "{parts} sends were taken in part");
}

/// Two connections, one after the other on the same descriptor, each with half a value.
#[test]
fn a_descriptor_used_again_at_once_does_not_mix_two_flows() {
    needs!("python3");
    let monitor = Monitor::start();
    let (first, second) = (Receiver::tcp(V4), Receiver::tcp(V4));
    let halves = halves(&monitor.data.card());
    let after = format!(" then card {} end", monitor.data.card());
    let code = "
one = tcp(); number = one.fileno(); one.sendall(D[0]); one.close()
two = socket.create_connection((HOST, int(D[3]))); assert two.fileno() == number
two.sendall(D[1]); two.sendall(D[2])";
    let port = second.address.port().to_string();
    let texts = [halves[0].as_str(), halves[1].as_str(), after.as_str(), port.as_str()];
    let mut sender = Running::start(&mut python(code, first.address, &texts));
    sender.finish();
    monitor.found(sender.pid(), "CREDIT_CARD", second.address);
}

#[test]
fn files_pipes_terminals_and_unix_sockets_are_no_sends() {
    needs!("python3");
    let monitor = Monitor::start();
    let code = "
import tempfile, pty, tty
log = tempfile.TemporaryFile(); pipe_out, pipe = os.pipe(); master, slave = pty.openpty()
tty.setraw(slave); near, far = socket.socketpair()
for text in D:
    for fd in (log.fileno(), pipe, slave, near.fileno()):
        os.write(fd, text); os.writev(fd, [text, text])
    near.sendall(text); near.sendmsg([text]); os.read(master, 4096); os.read(pipe_out, 4096)
    far.recv(4096)";
    let texts: Vec<String> = (0..20).map(|_| format!("card {}\n", monitor.data.card())).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let to: SocketAddr = ([127, 0, 0, 1], 9).into();
    let mut writer = Running::start(&mut python(code, to, &texts));
    writer.finish();
    assert!(monitor.of(writer.pid()).is_empty());
    assert_eq!(monitor.coverage(writer.pid()), None, "not even counted as sends");
}

/// A shell that writes a log by its own redirections.
#[test]
fn a_log_writer_raises_nothing() {
    needs!("sh");
    let monitor = Monitor::start();
    let log = monitor
        .dir()
        .parent()
        .expect("a directory above")
        .join(format!("egress-monitor-log-{}", std::process::id()));
    let mut shell = Command::new("sh");
    shell.args(["-c", "while read line; do echo \"$line\"; done >\"$LOG\""]).env("LOG", &log);
    let mut shell = Running::start(&mut shell);
    for _ in 0..50 {
        shell.say(&format!("paid with card {}", monitor.data.card()));
    }
    shell.close_input();
    shell.finish();
    let written = std::fs::read_to_string(&log).unwrap_or_default();
    let _ = std::fs::remove_file(&log);
    assert_eq!(written.lines().count(), 50);
    assert!(monitor.of(shell.pid()).is_empty());
    assert_eq!(monitor.coverage(shell.pid()), None);
}

/// The first text of a connection that is opened by it (RFC 7413).
#[test]
fn a_text_that_opens_its_connection_is_told_with_its_destination() {
    needs!("python3");
    let code = "
s = socket.socket(FAMILY); s.sendto(D[0], socket.MSG_FASTOPEN, TO)";
    check(code, &Receiver::tcp(V4), whole);
}
