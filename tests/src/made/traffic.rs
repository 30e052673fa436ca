//! Machine traffic that is dense with numbers and holds nobody's data: ids, hashes, times in every
//! unit, metrics, dumps. Whatever a detector finds in it is false, but for the network addresses.

use super::Rng;
use super::record::{time, uuid};

/// Lines of one kind of traffic, one a call.
type Line = fn(&mut Rng) -> String;

/// Each kind, by name.
pub const KINDS: &[(&str, Line)] = &[
    ("event", event),
    ("span", span),
    ("access log", access),
    ("metric", metric),
    ("statsd", statsd),
    ("floats", floats),
    ("hex dump", hex_dump),
    ("message", message),
    ("lock file", lock_file),
    ("numbers", numbers),
    ("ids", ids),
    ("kernel log", kernel),
    ("rows", rows),
    ("snowflakes", snowflakes),
    ("packet", packet),
    ("binary log", segments),
];

/// At least `bytes` of traffic, all kinds in turns by lot.
pub fn dense(seed: u64, bytes: usize) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let mut text = Vec::with_capacity(bytes + 4_096);
    while text.len() < bytes {
        let (_, line) = rng.pick(KINDS);
        // Runs of one kind, as files and flows have them.
        for _ in 0..rng.within(1, 6) {
            text.extend_from_slice(line(&mut rng).as_bytes());
            text.push(b'\n');
        }
    }
    text.truncate(bytes);
    text
}

fn epoch(rng: &mut Rng, unit_digits: usize) -> String {
    // 2023 to 2027, as seconds, and so many digits more.
    format!("{}{}", rng.within(1_672_531_200, 1_830_297_600), rng.digits(unit_digits))
}

fn snowflake(rng: &mut Rng) -> u64 {
    (rng.within(250_000_000_000, 420_000_000_000) << 22) | rng.below(1 << 22)
}

fn ip(rng: &mut Rng) -> String {
    format!("10.{}.{}.{}", rng.below(256), rng.below(256), rng.within(1, 254))
}

fn event(rng: &mut Rng) -> String {
    format!(
        "{{\"event_id\":\"{}\",\"ts\":{},\"ingested_at\":{},\"seq\":{},\"shard\":{},\"offset\":{},\
         \"checksum\":\"{}\",\"latency_us\":{},\"tags\":[{},{},{}]}}",
        uuid(rng),
        epoch(rng, 3),
        epoch(rng, 6),
        rng.below(1 << 40),
        rng.below(4_096),
        rng.below(1 << 50),
        rng.hex(64),
        rng.below(1_000_000),
        rng.digits(9),
        rng.digits(10),
        rng.digits(11)
    )
}

fn span(rng: &mut Rng) -> String {
    format!(
        "{{\"traceId\":\"{}\",\"spanId\":\"{}\",\"parentSpanId\":\"{}\",\
         \"startTimeUnixNano\":\"{}\",\"endTimeUnixNano\":\"{}\",\"attributes\":[{{\"key\":\
         \"thread.id\",\"value\":{{\"intValue\":\"{}\"}}}}],\"droppedCount\":{}}}",
        rng.hex(32),
        rng.hex(16),
        rng.hex(16),
        epoch(rng, 9),
        epoch(rng, 9),
        rng.digits(15),
        rng.below(9)
    )
}

fn access(rng: &mut Rng) -> String {
    format!(
        "{} - - [{}] \"GET /v2/items/{}/parts/{}?cursor={}&_={} HTTP/1.1\" 200 {} {:.3} rt={} \
         upstream={}:8080 request_id={}",
        ip(rng),
        time(rng),
        rng.digits(12),
        rng.digits(16),
        rng.text(BASE64URL, 24),
        epoch(rng, 3),
        rng.below(100_000),
        rng.below(5_000) as f64 / 1_000.0,
        rng.below(1_000),
        ip(rng),
        rng.hex(32)
    )
}

const BASE64URL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn metric(rng: &mut Rng) -> String {
    format!(
        "http_request_duration_seconds_bucket{{le=\"{}\",pod=\"api-{}-{}\",code=\"200\"}} {} {}",
        rng.pick(&["0.005", "0.01", "0.25", "2.5", "+Inf"]),
        rng.hex(10),
        rng.text("bcdfghjklmnp24567", 5),
        rng.below(1 << 44),
        epoch(rng, 3)
    )
}

fn statsd(rng: &mut Rng) -> String {
    format!(
        "queue.{}.depth:{}|g|@0.1|#shard:{},build:{}",
        rng.hex(6),
        rng.digits(10),
        rng.digits(4),
        rng.digits(13)
    )
}

fn floats(rng: &mut Rng) -> String {
    let float = |rng: &mut Rng| match rng.below(4) {
        0 => format!("{}.{}", rng.below(10), rng.digits(16)),
        1 => format!("-0.{}", rng.digits(17)),
        2 => format!("{}.{}e-{:02}", rng.within(1, 9), rng.digits(15), rng.within(1, 40)),
        _ => format!("{}.{}", rng.digits(6), rng.digits(9)),
    };
    format!("[{}]", (0..12).map(|_| float(rng)).collect::<Vec<_>>().join(", "))
}

fn hex_dump(rng: &mut Rng) -> String {
    let bytes: Vec<String> = (0..8).map(|_| rng.hex(4)).collect();
    format!(
        "{:08x}: {}  {}",
        rng.below(1 << 24) * 16,
        bytes.join(" "),
        rng.text("abcABC0123456789.....", 16)
    )
}

fn message(rng: &mut Rng) -> String {
    format!(
        "topic=orders partition={} offset={} key={} crc={} size={} producer={}-{}",
        rng.below(64),
        rng.below(1 << 44),
        rng.digits(16),
        rng.below(1 << 32),
        rng.below(100_000),
        uuid(rng),
        rng.digits(14)
    )
}

fn lock_file(rng: &mut Rng) -> String {
    format!(
        "pkg-{}@^{}.{}.{}: version \"{}.{}.{}-rc.{}\" integrity sha512-{}{}== build {}.{}.{}.{}",
        rng.text("abcdefgh", 5),
        rng.below(30),
        rng.below(100),
        rng.below(100),
        rng.below(30),
        rng.below(100),
        rng.below(1_000),
        rng.below(20),
        rng.text(BASE64, 43),
        rng.text(BASE64, 43),
        rng.below(20),
        rng.below(1_000),
        rng.digits(5),
        rng.digits(4)
    )
}

const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bare numbers of all the lengths that identifiers have.
fn numbers(rng: &mut Rng) -> String {
    let number = |rng: &mut Rng| {
        let length = rng.within(8, 19) as usize;
        rng.digits(length)
    };
    (0..8).map(|_| number(rng)).collect::<Vec<_>>().join(rng.pick(&[",", " ", ";", "\t", ", "]))
}

fn ids(rng: &mut Rng) -> String {
    format!(
        "{{\"id\":{},\"order_id\":\"{}\",\"sku\":\"{}\",\"tracking\":\"{}\",\"ean\":\"{}\",\"build\":{},\
         \"object\":\"{}\",\"etag\":\"{}\",\"rev\":\"{}-{}\"}}",
        rng.digits(16),
        rng.digits(13),
        rng.shape("AAA-dddddd"),
        rng.digits(18),
        rng.digits(13),
        rng.digits(9),
        rng.hex(24),
        rng.hex(32),
        rng.below(90),
        rng.hex(32)
    )
}

fn kernel(rng: &mut Rng) -> String {
    format!(
        "[{:5}.{}] pci 0000:{}:00.{}: BAR {} [mem 0x{}-0x{} 64bit pref] irq {} {}",
        rng.below(99_999),
        rng.digits(6),
        rng.hex(2),
        rng.below(8),
        rng.below(6),
        rng.hex(16),
        rng.hex(16),
        rng.below(256),
        rng.digits(11)
    )
}

fn rows(rng: &mut Rng) -> String {
    format!(
        "{},{},{},{},{}.{},{},{}",
        rng.digits(10),
        epoch(rng, 0),
        epoch(rng, 3),
        rng.digits(9),
        rng.digits(3),
        rng.digits(8),
        rng.digits(11),
        rng.digits(12)
    )
}

fn snowflakes(rng: &mut Rng) -> String {
    format!(
        "{{\"id\":\"{}\",\"channel_id\":\"{}\",\"guild_id\":\"{}\",\"nonce\":\"{}\",\"id_num\":{}}}",
        snowflake(rng),
        snowflake(rng),
        snowflake(rng),
        snowflake(rng),
        snowflake(rng)
    )
}

fn packet(rng: &mut Rng) -> String {
    format!(
        "{}.{} IP {}.{} > {}.{}: Flags [P.], seq {}:{}, ack {}, win {}, options [TS val {} ecr {}], \
         length {}",
        epoch(rng, 0),
        rng.digits(6),
        ip(rng),
        rng.below(65_536),
        ip(rng),
        rng.below(65_536),
        rng.below(1 << 32),
        rng.below(1 << 32),
        rng.below(1 << 32),
        rng.below(65_536),
        rng.below(1 << 32),
        rng.below(1 << 32),
        rng.below(1_460)
    )
}

fn segments(rng: &mut Rng) -> String {
    format!(
        "segment {}_{}.log base={} max_ts={} crc32c=0x{} pos {}-{} v{}.{}.{}",
        epoch(rng, 3),
        rng.digits(4),
        rng.digits(20),
        epoch(rng, 9),
        rng.hex(8),
        rng.digits(10),
        rng.digits(10),
        rng.below(9),
        rng.below(30),
        rng.below(400)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_traffic() {
        assert_eq!(dense(7, 100_000), dense(7, 100_000));
        assert_ne!(dense(7, 1_000), dense(8, 1_000));
    }
}
