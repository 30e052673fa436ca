//! Bad luck for the TLS tap: files that are replaced, removed, made anew, cut off or made up, file
//! systems that go, crowds at the start, policies that change, and writes that are tried again. Nothing
//! may crash or wait, and what is written is found once.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use support::net::V4;
use support::tls::own::{connected, copied, hooked, is_found, posts, wait_hooked, writes};
use support::tls::{Authority, Site, alone, client, found, fresh, go};
use support::wait::wait_for;
use support::{Alert, Monitor, Running, needs, python, skip, tool};
use tempfile::TempDir;

const SENDER: &str = env!("CARGO_BIN_EXE_sender");

#[track_caller]
fn a_library_is_replaced(daemon_first: bool) {
    let _alone = alone();
    let (site, mut monitor) = (Site::start(), daemon_first.then(Monitor::start));
    let dir = site.dir.path().join("copy");
    let (mut client, libssl) = match connected(&site, &dir) {
        Ok(connected) => connected,
        Err(reason) => skip!("{reason}"),
    };
    let other = dir.join("other");
    let mut bytes = std::fs::read(&libssl).expect("the library is there");
    bytes.extend_from_slice(b"another");
    std::fs::write(&other, bytes).expect("a file in the temporary directory");
    std::fs::rename(&other, &libssl).expect("it is replaced");
    let monitor = monitor.get_or_insert_with(Monitor::start);
    writes(monitor, &site, &mut client);
    let mut command = Command::new(dir.join("openssl"));
    client::with_openssl_arguments(command.env("LD_LIBRARY_PATH", &dir), &site);
    let mut newer = Running::start(&mut command);
    writes(monitor, &site, &mut newer);
    writes(monitor, &site, &mut client);
}

#[test]
fn a_library_is_replaced_while_the_daemon_runs() {
    needs!("openssl", "python3");
    a_library_is_replaced(true);
}

#[test]
fn a_library_was_replaced_before_the_daemon_came() {
    needs!("openssl", "python3");
    a_library_is_replaced(false);
}

#[track_caller]
fn a_program_is_removed(daemon_first: bool) {
    let _alone = alone();
    let (authority, dir) = (Authority::make(), TempDir::new().expect("a temporary directory"));
    let mut monitor = daemon_first.then(Monitor::start);
    // The server has to know it before it starts.
    let card = support::Data::new().card();
    let program = go::build(go::SERVER, go::PLAIN, dir.path());
    let mut server = Command::new(&program);
    server.arg(authority.certificate()).arg(authority.key()).env("CARD", &card);
    let mut server = Running::start(&mut server);
    let url = format!("https://{}/", server.line());
    std::fs::remove_file(&program).expect("the program is there");
    let monitor = monitor.get_or_insert_with(Monitor::start);
    monitor.data.note(support::Kind::Card, &card);
    let mut curl = Command::new(tool("curl").expect("curl is there"));
    curl.args(["--silent", "--noproxy", "*", "--cacert"]).arg(authority.ca()).arg(&url);
    let got = curl.output().expect("curl runs");
    assert!(String::from_utf8_lossy(&got.stdout).contains(&card), "{got:?}");
    let alert = found(monitor, &card, |alert| alert.pid() == server.pid());
    let exe = alert.text("/process/exe").trim_end_matches(" (deleted)").to_owned();
    assert_eq!(exe, program.display().to_string());
}

#[test]
fn a_program_is_removed_while_the_daemon_runs() {
    needs!("openssl", "go", "curl");
    a_program_is_removed(true);
}

#[test]
fn a_program_was_removed_before_the_daemon_came() {
    needs!("openssl", "go", "curl");
    a_program_is_removed(false);
}

/// File systems give the number of a file that is gone to the next one.
#[test]
fn files_that_are_removed_and_made_anew_are_seen_each_time() {
    needs!("openssl", "python3", "curl");
    let _alone = alone();
    let (site, monitor) = (Site::start(), Monitor::start());
    let dir = site.dir.path().join("copy");
    let mut seen = 0;
    for _ in 0..10 {
        let curl = match fresh::curl(&dir) {
            Ok(curl) => curl,
            Err(reason) => skip!("{reason}"),
        };
        seen += usize::from(!posts(&monitor, &site, curl).2.is_empty());
        std::fs::remove_dir_all(&dir).expect("the copies are there");
    }
    eprintln!("{seen} of 10 seen");
    // Each is a file that nobody has used: of those one may come too late on a crowded machine.
    assert!(seen >= 8, "{seen} of 10 seen");
}

/// The number of a file that had nothing to hook goes to one that has.
#[test]
fn a_library_with_the_number_of_a_file_that_is_gone_is_seen() {
    needs!("openssl", "python3", "curl", "true");
    let _alone = alone();
    let (site, monitor) = (Site::start(), Monitor::start());
    let dir = site.dir.path().join("copy");
    let (mut same, mut seen) = (0, 0);
    for _ in 0..10 {
        std::fs::create_dir(&dir).expect("a directory in the temporary one");
        // As many as are made after them.
        let numbers = ["one", "other"].map(|name| {
            let program = dir.join(name);
            std::fs::copy(tool("true").expect("it is there"), &program).expect("a copy");
            assert!(Command::new(&program).status().expect("it runs").success());
            number(&program)
        });
        monitor.settle();
        std::fs::remove_dir_all(&dir).expect("it is there");
        let (curl, libssl) = match copied("curl", &dir) {
            Ok(copied) => copied,
            Err(reason) => skip!("{reason}"),
        };
        same += usize::from(numbers.contains(&number(&libssl)));
        seen += usize::from(!posts(&monitor, &site, curl).2.is_empty());
        std::fs::remove_dir_all(&dir).expect("it is there");
    }
    eprintln!("{seen} of 10 seen; {same} libraries had the number of another file");
    // Each is a file that nobody has used: of those one may come too late on a crowded machine.
    assert!(seen >= 8, "{seen} of 10 seen");
}

fn number(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).expect("it is there").ino()
}

/// A container with a file system of its own; how its unmounting ended is what it prints last.
const CONTAINER: &str = "mount -t tmpfs none \"$ROOM\" && cp -r \"$STAGED/.\" \"$ROOM\" && \
    chroot \"$ROOM\" \"$@\" >&2; echo $?; umount \"$ROOM\"; echo $?";

#[test]
fn a_container_ends_with_its_file_system() {
    needs!("openssl", "python3", "curl", "unshare");
    let _alone = alone();
    let (site, monitor) = (Site::start(), Monitor::start());
    let (staged, room) = (site.dir.path().join("staged"), site.dir.path().join("room"));
    fresh::stage(&tool("curl").expect("it is there"), &staged);
    std::fs::create_dir_all(&room).expect("a directory in the temporary one");
    std::fs::copy(site.authority.ca(), staged.join("ca.pem")).expect("a copy");
    let card = monitor.data.card();
    let mut container = Command::new("unshare");
    container.args(["--mount", "sh", "-c", CONTAINER, "sh", "/curl", "--silent", "--show-error"]);
    container.args(["--noproxy", "*", "--cacert", "/ca.pem", "--http1.1", "--data"]);
    container.arg(format!("card={card}")).arg(site.url("x"));
    container.env("ROOM", &room).env("STAGED", &staged);
    let mut container = Running::start(&mut container);
    let (ran, unmounted) = (container.line(), container.line());
    container.finish();
    assert_eq!(ran, "0", "how curl ended");
    site.wait_received(&card);
    let alert = found(&monitor, &card, |alert| site.concerns(alert));
    assert!(alert.text("/process/exe").ends_with("/curl"), "{alert:?}");
    eprintln!("hooked: {:?}", hooked(&monitor));
    // The kernel holds the file system of a file for as long as it is hooked (`kern_path` in
    // `__trace_uprobe_create`, kernel/trace/trace_uprobe.c).
    eprintln!("umount ended with {unmounted}");
    let curl = fresh::curl(&site.dir.path().join("copy")).expect("it could be staged");
    is_found(&monitor, &site, curl);
}

/// How long a status may take on two cores with other work.
const ANSWER_MAX: Duration = Duration::from_secs(1);

const MAPS_AND_UNMAPS: &str = "
import mmap
directory, end, count = D[0].decode(), time.monotonic() + 2, 0
say('ready')
while time.monotonic() < end:
    path = os.path.join(directory, str(count))
    with open(path, 'wb') as file: file.write(b'\\x7fELF' + bytes(4092))
    with open(path, 'rb') as file:
        mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC).close()
    count += 1
say(count)
sys.stdin.readline()";

#[test]
fn a_process_maps_and_unmaps_executable_files_in_a_loop() {
    needs!("openssl", "python3", "curl");
    let _alone = alone();
    let (site, monitor) = (Site::start(), Monitor::start());
    let dir = TempDir::new().expect("a temporary directory");
    let kernel = |name: &str| monitor.status()["kernel"][name].as_u64().expect("a counter");
    let (seen_before, lost_before) = (kernel("files_seen"), kernel("files_lost"));
    let directory = dir.path().display().to_string();
    let mut maps = Running::start(&mut python(MAPS_AND_UNMAPS, site.address, &[&directory]));
    assert_eq!(maps.line(), "ready");
    let end = Instant::now() + Duration::from_secs(2);
    let (mut slowest, mut asked) = (Duration::ZERO, 0);
    while Instant::now() < end {
        let begun = Instant::now();
        monitor.status();
        slowest = slowest.max(begun.elapsed());
        asked += 1;
    }
    let count: u64 = maps.line().parse().expect("how many files");
    let (seen, lost) = (kernel("files_seen") - seen_before, kernel("files_lost") - lost_before);
    eprintln!(
        "{count} files mapped, {seen} seen, {lost} lost; slowest of {asked} answers {slowest:?}"
    );
    assert!(slowest < ANSWER_MAX, "an answer took {slowest:?}");
    assert!(seen >= count && lost <= seen, "of {count} files {seen} were seen, {lost} lost");
    // Its files come behind all of the others: if its first process has ended by then, so be it.
    let begun = Instant::now();
    let copies = site.dir.path().join("copy");
    let runs = wait_for("a curl that is found", || {
        let curl = fresh::curl(&copies).expect("curl is linked with libssl");
        let (_, _, alerts) = posts(&monitor, &site, curl);
        (alerts.len() == 1).then(|| begun.elapsed())
    });
    eprintln!("a curl was found {runs:?} behind it");
    maps.close_input();
    maps.finish();
}

/// ELF files that are not what they say: each its name and its bytes.
fn crafted(libssl: &[u8]) -> Vec<(String, Vec<u8>)> {
    let cut = [0, 3, 16, 63, 64, 120, 0x1000, 0x1234, libssl.len() / 8, libssl.len() / 2];
    let cut = cut.map(|bytes| (format!("cut at {bytes}"), libssl[..bytes].to_vec()));
    // All names of the library are wrong, so that nothing in what follows is to be hooked.
    let mut renamed = libssl.to_vec();
    for at in 0..renamed.len() - 4 {
        if &renamed[at..at + 4] == b"SSL_" {
            renamed[at] = b'X';
        }
    }
    let with = |name: &str, at: usize, bytes: &[u8]| {
        let mut file = renamed.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        (name.to_owned(), file)
    };
    // Fields of Elf64_Ehdr: elf(5).
    let mut files = vec![
        with("65535 sections", 60, &u16::MAX.to_le_bytes()),
        with("65535 segments", 56, &u16::MAX.to_le_bytes()),
        with("segments beyond the end", 32, &(libssl.len() as u64 + 1).to_le_bytes()),
        with("segments at the end of numbers", 32, &(u64::MAX - 7).to_le_bytes()),
        with("sections beyond the end", 40, &(1u64 << 62).to_le_bytes()),
        with("names of sections in section 65535", 62, &u16::MAX.to_le_bytes()),
        with("entries of no length", 54, &0u16.to_le_bytes()),
    ];
    // No chain of the hash table ends, and each bucket leads to the first symbol.
    let (buckets, bloom) = (word(libssl, HASH), word(libssl, HASH + 8));
    let first_bucket = HASH + 16 + 8 * bloom;
    let chains = first_bucket + 4 * buckets;
    let mut endless = renamed.clone();
    for at in (chains..chains + 0x400).step_by(4) {
        endless[at] &= !1;
    }
    for bucket in 0..buckets {
        let at = first_bucket + 4 * bucket;
        endless.copy_within(HASH + 4..HASH + 8, at);
    }
    files.push(("a hash table without an end".into(), endless));
    files.extend(cut);
    files
}

/// Where `.gnu.hash` is: behind the note of the build.
const HASH: usize = 0x260;

fn word(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize
}

const MAPS: &str = "
import mmap
kept = []
for path in sorted(os.listdir(D[0])):
    with open(os.path.join(D[0], path), 'rb') as file:
        length = os.fstat(file.fileno()).st_size
        # mmap(2) and not the module, which refuses a file of no length.
        libc = ctypes.CDLL(None, use_errno=True); libc.mmap.restype = ctypes.c_void_p
        arguments = [ctypes.c_size_t(n) for n in (0, max(length, 4096), 5, 2, file.fileno(), 0)]
        assert libc.mmap(*arguments) != ctypes.c_void_p(-1).value
say('mapped')
sys.stdin.readline()";

#[test]
fn crafted_files_are_not_hooked() {
    needs!("openssl", "python3", "curl", "gcc");
    let _alone = alone();
    let (site, monitor) = (Site::start(), Monitor::start());
    let dir = TempDir::new().expect("a temporary directory");
    let Some(libssl) = fresh::libssl(&tool("curl").expect("it is there")) else {
        skip!("curl is not linked with libssl");
    };
    let libssl = std::fs::read(libssl).expect("the library is there");
    let files = crafted(&libssl);
    for (name, bytes) in &files {
        std::fs::write(dir.path().join(name), bytes).expect("a file");
    }
    // The last one that is searched whole, and has what is looked for.
    let last = dir.path().join("~last");
    let source = dir.path().join("source.c");
    std::fs::write(
        &source,
        "int SSL_write(void *s, void *b, int n) { return n; }\nint main() {}\n",
    )
    .expect("a file");
    let mut gcc = Command::new(tool("gcc").expect("it is there"));
    let built = gcc.arg("-o").arg(&last).arg(&source).status().expect("gcc runs");
    assert!(built.success());
    let doctor = monitor.doctor(&[]).status;
    let directory = dir.path().display().to_string();
    let mut maps = Running::start(&mut python(MAPS, site.address, &[&directory]));
    assert_eq!(maps.line(), "mapped");
    let begun = Instant::now();
    wait_hooked(&monitor, &last, true);
    eprintln!("{} files searched whole after {:?}", files.len(), begun.elapsed());
    let of_it = |path: &String| Path::new(path).starts_with(dir.path());
    let of_it: Vec<String> = hooked(&monitor).into_iter().filter(of_it).collect();
    assert_eq!(of_it, [last.display().to_string()]);
    assert_eq!(monitor.doctor(&[]).status, doctor);
    let curl = fresh::curl(&site.dir.path().join("copy")).expect("curl is linked with libssl");
    is_found(&monitor, &site, curl);
    maps.close_input();
    maps.finish();
}

/// A rule, and what the TLS tap is to do.
fn policy(tls: &str) -> String {
    format!("{tls}\n[[rule]]\nid = \"cards\"\nentities = [\"CREDIT_CARD\"]\n")
}

#[test]
fn what_is_excluded_is_spared_from_sighup_on() {
    needs!("openssl", "python3");
    let _alone = alone();
    let site = Site::start();
    let exclude = format!("[tls]\nexclude = [\"{}/copy/**\"]", site.dir.path().display());
    let mut monitor = Monitor::under(&policy(&exclude));
    let (mut client, libssl) = match connected(&site, &site.dir.path().join("copy")) {
        Ok(connected) => connected,
        Err(reason) => skip!("{reason}"),
    };
    let is_spared = |client: &mut Running, monitor: &Monitor| {
        let before = monitor.of(client.pid()).len();
        let card = monitor.data.card();
        client.say(&format!("card {card}"));
        site.wait_received(&card);
        assert_eq!(monitor.of(client.pid()).len(), before);
    };
    is_spared(&mut client, &monitor);
    assert!(!hooked(&monitor).contains(&libssl.display().to_string()));

    monitor.put_policy(&policy("[tls]\nexclude = [\"/nothing/**\"]"));
    monitor.signal(Signal::SIGHUP);
    wait_hooked(&monitor, &libssl, true);
    writes(&monitor, &site, &mut client);

    monitor.put_policy(&policy(&exclude));
    monitor.signal(Signal::SIGHUP);
    wait_hooked(&monitor, &libssl, false);
    is_spared(&mut client, &monitor);
    monitor.wait_said("hooks are off");
    client.close_input();
}

#[test]
fn nothing_is_hooked_where_the_tap_is_off() {
    needs!("openssl", "python3", "curl");
    let _alone = alone();
    let (site, monitor) = (Site::start(), Monitor::under(&policy("[tls]\nenabled = false")));
    let curl = Command::new(tool("curl").expect("it is there"));
    let (pid, card, alerts) = posts(&monitor, &site, curl);
    assert!(alerts.is_empty(), "{alerts:#?}");
    assert_eq!(hooked(&monitor), [""; 0]);
    let status = monitor.status();
    for counter in ["tls_writes_seen", "files_seen"] {
        assert_eq!(status["kernel"][counter], 0, "{counter}");
    }
    let coverage = monitor.coverage(pid).expect("curl is known");
    let unread = coverage["gaps"]["tls"].as_u64().unwrap_or(0);
    assert!(unread > card.len() as u64, "{coverage}");
}

/// As many as a busy host has.
const CROWD: &str = "10000";
/// Far more than it takes, far less than anybody would wait.
const ARMED_WITHIN: Duration = Duration::from_secs(10);

#[test]
fn ten_thousand_processes_are_there_at_the_start() {
    needs!("openssl", "python3", "curl", "prlimit");
    let _alone = alone();
    let (site, receiver) = (Site::start(), support::Receiver::tcp(V4));
    let mut crowd = Command::new(tool("prlimit").expect("it is there"));
    support::program::with_data(&mut crowd, receiver.address, &["nothing"]);
    let mut crowd = Running::start(crowd.args(["--nofile=20000", SENDER, "crowd", "0", CROWD]));
    assert_eq!(crowd.line(), "ready");
    let copies = site.dir.path().join("copy");
    let curl = match fresh::curl(&copies) {
        Ok(curl) => curl,
        Err(reason) => skip!("{reason}"),
    };
    let begun = Instant::now();
    let monitor = Monitor::start();
    let took = begun.elapsed();
    is_found(&monitor, &site, Command::new(tool("curl").expect("it is there")));
    is_found(&monitor, &site, curl);
    let tls = &monitor.status()["tls"];
    eprintln!("armed after {took:?}, {} walks, the last {} us", tls["walks"], tls["walk_us"]);
    assert!(took < ARMED_WITHIN, "armed after {took:?}");
    crowd.close_input();
    crowd.finish();
}

/// A peer that shakes hands, says so, reads nothing until it is told to, and keeps what comes then.
const LATE: &str = "
import ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(D[0].decode(), D[1].decode())
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
listener.bind(('127.0.0.1', 0)); listener.listen()
say(listener.getsockname()[1])
stream = context.wrap_socket(listener.accept()[0], server_side=True)
sys.stdin.readline()
with open(D[2], 'wb') as kept:
    while part := stream.recv(65536): kept.write(part)
say('all')";

/// Puts buffers out without waiting, and tries again what did not go, with the same buffer.
const RETRIES: &str = "
import ssl
context = ssl.create_default_context(cafile=D[0].decode())
plain = socket.socket()
plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
plain.connect(TO)
stream = context.wrap_socket(plain, server_hostname='localhost'); stream.setblocking(False)
tries = 0
def put(text):
    global tries
    left = memoryview(text)
    while left:
        try: left = left[stream.send(left):]
        except ssl.SSLWantWriteError:
            tries += 1
            if tries == 3: say('waits')
            time.sleep(0.002)
";

/// Closed with tickets of the peer unread, what is on its way would be thrown away.
const ENDS: &str = "
say(tries); stream.shutdown(socket.SHUT_WR); sys.stdin.readline()";

/// Runs a sender against a peer that reads late: each card that it was given is found, or found `once`.
#[track_caller]
fn retried(cards_count: usize, code: &str, once: bool) {
    let _alone = alone();
    let authority = Authority::make();
    let dir = TempDir::new().expect("a temporary directory");
    let monitor = Monitor::under(&policy("[settings]\nsample_bytes_max = 262144"));
    let path = |path: PathBuf| path.display().to_string();
    let kept = dir.path().join("kept");
    let texts = [path(authority.certificate()), path(authority.key()), kept.display().to_string()];
    let texts = texts.each_ref().map(String::as_str);
    let mut peer = Running::start(&mut python(LATE, (V4, 0).into(), &texts));
    let port: u16 = peer.line().parse().expect("its port");

    let ca = path(authority.ca());
    let cards: Vec<String> = (0..cards_count).map(|_| monitor.data.card()).collect();
    let texts: Vec<&str> =
        std::iter::once(ca.as_str()).chain(cards.iter().map(String::as_str)).collect();
    let code = format!("{RETRIES}{code}{ENDS}");
    let to = SocketAddr::new(V4, port);
    let mut sender = Running::start(&mut python(&code, to, &texts));
    assert_eq!(sender.line(), "waits", "the peer does not read");
    peer.say("read");
    let tries = sender.line();
    assert_eq!(peer.line(), "all");
    sender.close_input();
    sender.finish();
    let came = std::fs::read(&kept).expect("the peer keeps what came");
    let came = String::from_utf8_lossy(&came);
    for card in &cards {
        assert_eq!(came.matches(card.as_str()).count(), 1, "at the peer");
    }
    eprintln!("{} bytes came, {tries} tries were in vain", came.len());
    let last = |text: &str| text[text.len() - 4..].to_owned();
    let mut sent: Vec<String> = cards.iter().map(|card| last(card)).collect();
    let alerts = monitor.of(sender.pid());
    let findings = alerts.iter().flat_map(Alert::findings);
    let mut told: Vec<String> = findings
        .flat_map(|(_, masked, count)| std::iter::repeat_n(last(masked), count as usize))
        .collect();
    sent.sort();
    told.sort();
    if !once {
        eprintln!("{} findings of {} cards", told.len(), sent.len());
        told.dedup();
        sent.dedup();
    }
    assert_eq!(told, sent, "{} findings of {} cards; {tries} tries", told.len(), sent.len());
    assert!(alerts.iter().all(|alert| alert.text("/tap") == "tls"), "{alerts:#?}");
    let repeated = &monitor.status()["kernel"]["tls_writes_repeated"];
    eprintln!("{repeated} writes were known to be tried again");
}

#[test]
fn small_writes_that_are_tried_again_are_found_once() {
    needs!("openssl", "python3");
    let code = "
for card in D[1:]: put(b'card ' + card + b' and so on\\n' + b'nothing here\\n' * 300)";
    retried(60, code, true);
}

/// Python lets a write end early, and comes with the rest of the same buffer.
#[test]
fn a_large_write_that_goes_in_parts_is_found_once() {
    needs!("openssl", "python3");
    let code = "
rest = b'nothing here\\n' * 8000
put(b'card ' + D[1] + b'\\n' + rest + b'card ' + D[2] + b'\\n' + rest)";
    retried(2, code, true);
}

/// As programs do that keep what is to go in a queue and take a copy of its beginning. Which of these is
/// tried again nobody knows: it may be found twice.
#[test]
fn a_write_that_is_tried_again_from_another_buffer_is_found() {
    needs!("openssl", "python3");
    let code = "
def put(text):
    global tries
    kept = []
    while text:
        # Copies that live at the same time have other addresses.
        kept.append(bytearray(text))
        try: text = text[stream.send(kept[-1]):]
        except ssl.SSLWantWriteError:
            tries += 1
            if tries == 3: say('waits')
            time.sleep(0.002)
for card in D[1:]: put(b'card ' + card + b' and so on\\n' + b'nothing here\\n' * 300)";
    retried(60, code, false);
}
