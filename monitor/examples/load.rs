use egress_monitor::capture::*;
use std::path::Path;
use std::time::Instant;
fn main() {
    let t = Instant::now();
    let o = btf::offsets(Path::new(btf::VMLINUX)).unwrap();
    eprintln!("offsets {:?} {o:?}", t.elapsed());
    let p = prefilter::Prefilter::new().unwrap();
    eprintln!("prefilter {:?} states {}", t.elapsed(), p.states());
    let mut k = programs::Programs::load(o, &p, programs::LoadOptions { sample_bytes_max: 16384, ring_bytes: 8 << 20, debug: false }).unwrap();
    eprintln!("load {:?}", t.elapsed());
    for (n, r) in [("proc", k.attach_processes()), ("tap", k.attach_socket_tap()),
        ("gate", k.attach_packet_gate(&std::fs::File::open("/sys/fs/cgroup/unified").unwrap())),
        ("iter", k.name_open_sockets(Path::new(btf::VMLINUX)))] {
        match r { Ok(()) => eprintln!("{n} ok {:?}", t.elapsed()), Err(e) => eprintln!("{n}: {e}") }
    }
    println!("{}", std::fs::read_to_string("/proc/self/status").unwrap().lines().filter(|l| l.starts_with("VmRSS") || l.starts_with("VmHWM")).collect::<Vec<_>>().join(" "));
    let mut ring = k.take_samples().unwrap();
    let end = Instant::now() + std::time::Duration::from_secs(std::env::args().nth(1).map_or(5, |s| s.parse().unwrap()));
    while Instant::now() < end {
        while let Some(r) = ring.next() {
            if let Some(s) = monitor_ebpf::record::Sample::parse(&r) {
                eprintln!("{} cookie={} pos={} tail={} text={} dst={}:{} {:?}", s.head.tgid, s.head.cookie, s.head.position, s.tail.len(), s.text.len(), s.head.destination[0], s.head.destination_port, String::from_utf8_lossy(&s.text[..s.text.len().min(60)]));
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    for c in monitor_ebpf::Counter::ALL { println!("{} {}", c.name(), k.counter(*c)); }
    for (i, c) in k.coverage() { println!("{} {:?}", i.tgid, c); }
}
