//! `egress-monitor scan` over what has to be unpacked: compressed files, archives in archives and
//! captures; and what ends a bomb.

use std::io::{Cursor, Write};
use std::net::SocketAddr;

use support::pcap::{Packet, pcap, pcapng};
use support::scan::Tree;
use zip::write::SimpleFileOptions;

fn gz(plain: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(plain).expect("memory");
    gz.finish().expect("memory")
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest)
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, *bytes).expect("memory");
    }
    tar.into_inner().expect("memory")
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(*name, SimpleFileOptions::default()).expect("memory");
        zip.write_all(bytes).expect("memory");
    }
    zip.finish().expect("memory").into_inner()
}

fn card(tree: &Tree) -> Vec<u8> {
    format!("no\ncard {}\n", tree.data.card()).into_bytes()
}

#[track_caller]
fn check(name: &str, content: Vec<u8>, tree: &Tree, expected: &[&str]) {
    tree.put(name, content);
    let expected: Vec<String> =
        expected.iter().map(|path| format!("{path}:2:6 CREDIT_CARD")).collect();
    assert_eq!(tree.found(&[name]), expected);
}

#[test]
fn compressed_files_are_read_whatever_their_name() {
    let tree = Tree::new();
    check("x.log.gz", gz(&card(&tree)), &tree, &["x.log.gz"]);
    check("x.zst", zstd(&card(&tree)), &tree, &["x.zst"]);
    check("plain.txt", gz(&card(&tree)), &tree, &["plain.txt"]);
    check("twice.gz", gz(&zstd(&card(&tree))), &tree, &["twice.gz"]);
    // Members and frames one after the other are one content.
    let (head, tail) = (b"no\n".as_slice(), card(&tree)[3..].to_vec());
    check("two.gz", [gz(head), gz(&tail)].concat(), &tree, &["two.gz"]);
    check("two.zst", [zstd(head), zstd(&tail)].concat(), &tree, &["two.zst"]);
}

#[test]
fn members_of_archives_are_named() {
    let tree = Tree::new();
    let long = format!("{}/x.txt", "d".repeat(180));
    let members = [("a/b.txt", card(&tree)), ("no.txt", b"nothing".to_vec()), (&long, card(&tree))];
    let members: Vec<(&str, &[u8])> =
        members.iter().map(|(n, bytes)| (*n, bytes.as_slice())).collect();
    for (name, content) in [
        ("x.tar", tar(&members)),
        ("x.tar.gz", gz(&tar(&members))),
        ("x.tar.zst", zstd(&tar(&members))),
        ("x.zip", zip(&members)),
    ] {
        let paths = [format!("{name}!a/b.txt"), format!("{name}!{long}")];
        check(name, content, &tree, &[&paths[0], &paths[1]]);
    }
}

#[test]
fn containers_in_containers_are_opened_as_far_as_the_bound() {
    let tree = Tree::new();
    let inner = zip(&[("in.txt.gz", &gz(&card(&tree)))]);
    check("x.tgz", gz(&tar(&[("a.zip", &inner)])), &tree, &["x.tgz!a.zip!in.txt.gz"]);
    let mut deep = card(&tree);
    for _ in 0..10 {
        deep = gz(&deep);
    }
    tree.put("deep.gz", deep);
    let ran = tree.scan(&["deep.gz"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("deep.gz: nested too deep"), "{}", ran.err);
}

#[test]
fn archives_on_standard_input_are_opened() {
    let tree = Tree::new();
    for (bytes, path) in [
        (zip(&[("a.txt", &card(&tree))]), "-!a.txt"),
        (gz(&tar(&[("a.txt", &card(&tree))])), "-!a.txt"),
        (gz(&card(&tree)), "-"),
    ] {
        tree.put("input", bytes);
        let mut command = tree.command(&["-"]);
        command.stdin(std::fs::File::open(tree.at("input")).expect("it was written"));
        let ran = tree.judge(&command.output().expect("the binary runs"));
        assert!(ran.out.starts_with(&format!("{path}:2:6: CREDIT_CARD")), "{}{}", ran.out, ran.err);
    }
}

#[test]
fn what_is_damaged_is_searched_as_far_as_it_goes_and_is_trouble() {
    let tree = Tree::new();
    let filler =
        |n: u64| (0..n).map(|_| format!("{} ", tree.data.below(1 << 60))).collect::<String>();
    let text = [card(&tree), filler(20_000).into_bytes()].concat();
    for (name, mut bytes) in [
        ("x.gz", gz(&text)),
        ("x.tar", tar(&[("x", &text)])),
        ("x.tar.gz", gz(&tar(&[("x", &text)]))),
    ] {
        bytes.truncate(bytes.len() / 2);
        tree.put(name, bytes);
        let ran = tree.scan(&["--entities", "CREDIT_CARD", name]);
        assert_eq!(ran.code, 1, "{name}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains("damaged"), "{name}: {}", ran.err);
    }
    // Of a zstd frame, its last window comes out with its end only.
    tree.put("x.zst", &zstd(&text)[..1000]);
    let ran = tree.scan(&["x.zst"]);
    assert!(ran.code == 2 && ran.err.contains("x.zst: damaged"), "{}", ran.err);
    tree.put("clean.gz", &gz(&filler(20_000).into_bytes())[..1000]);
    assert_eq!(tree.scan(&["--entities", "US_SSN", "clean.gz"]).code, 2);
    tree.put("x.zip", &zip(&[("a", &text)])[..500]);
    let ran = tree.scan(&["x.zip"]);
    assert!(ran.code == 2 && ran.err.contains("x.zip: damaged"), "{}", ran.err);
}

#[test]
fn a_bomb_ends_at_a_bound_that_is_told() {
    let tree = Tree::new();
    let zeros = vec![b'0'; 1 << 20];
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..400 {
        gz.write_all(&zeros).expect("memory");
    }
    let bomb = gz.finish().expect("memory");
    assert!(bomb.len() < 1 << 20);
    tree.put("bomb.gz", bomb);
    let ran = tree.scan(&["--entities", "IBAN_CODE", "bomb.gz"]);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("bomb.gz: unpacks to too much"), "{}", ran.err);
}

#[test]
fn what_cannot_be_opened_is_counted_by_reason() {
    let tree = Tree::new();
    tree.put("x.bin", b"\0\x01\x02");
    tree.put("x.xz", b"\xfd7zXZ\0\0");
    tree.put("in.tar", tar(&[("x.png", b"\x89PNG\r\n\x1a\n\0\0"), ("ok.txt", b"text")]));
    let ran = tree.scan(&["."]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("skipped as binary: 2 (in.tar!x.png, x.bin)"), "{}", ran.err);
    assert!(ran.err.contains("skipped as unsupported container: 1 (x.xz)"), "{}", ran.err);
    tree.put("y.bin", [b"\0\x01\0".to_vec(), card(&tree)].concat());
    assert_eq!(tree.scan(&["y.bin"]).code, 0);
    assert_eq!(tree.scan(&["--binary", "y.bin"]).code, 1);
}

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// A POST whose card is split over segments, out of order, one of them sent twice; the answer; and a
/// datagram.
#[test]
fn connections_in_captures_are_put_in_order() {
    let tree = Tree::new();
    let (card, other, third) = (tree.data.card(), tree.data.card(), tree.data.card());
    let body = format!("{{\"card\": \"{card}\"}}");
    let request = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let (one, two) = request.split_at(request.len() - 10);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\ncard {other}");
    let datagram = format!("card {third}");
    for [client, server] in [["10.0.0.1:4242", "10.0.0.2:80"], ["[fd00::1]:4242", "[fd00::2]:80"]] {
        let (c, s) = (at(client), at(server));
        let packet = |from, to, sequence, bytes| Packet { from, to, sequence, syn: false, bytes };
        // The stream begins shortly before the sequence numbers wrap.
        let start = u32::MAX - 20;
        let after = start.wrapping_add(1 + one.len() as u32);
        let packets = [
            Packet { from: c, to: s, sequence: Some(start), syn: true, bytes: b"" },
            packet(c, s, Some(after), two.as_bytes()),
            packet(s, c, Some(77), answer.as_bytes()),
            packet(c, s, Some(start.wrapping_add(1)), one.as_bytes()),
            packet(c, s, Some(after), two.as_bytes()),
            packet(c, s, None, datagram.as_bytes()),
        ];
        for (name, bytes) in [("x.pcap", pcap(&packets)), ("x.pcapng", pcapng(&packets))] {
            tree.put(name, bytes);
            let mut found = tree.found(&[name]);
            found.sort();
            let column = body.find(&card).expect("it is there") + 1;
            let mut expected = [
                format!("{name}!{client}->{server}:4:{column} CREDIT_CARD"),
                format!("{name}!{server}->{client}:4:6 CREDIT_CARD"),
                format!("{name}!{client}->{server}/udp:1:6 CREDIT_CARD"),
            ];
            expected.sort();
            assert_eq!(found, expected);
        }
    }
    tree.put("cut.pcap", &std::fs::read(tree.at("x.pcap")).expect("it was written")[..200]);
    let ran = tree.scan(&["cut.pcap"]);
    assert!(
        ran.code != 0 && ran.err.contains("cut.pcap: damaged: the capture is cut"),
        "{}",
        ran.err
    );
}
