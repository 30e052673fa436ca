//! What the kernel proves by itself, before anything has left: payment cards by issuer and check digit,
//! IBANs by structure and remainder, United States social security numbers in their written form by range.
//! Plain, percent-encoded and JSON-escaped. It is narrower than the detectors: what it calls proven they
//! call a finding of at least that confidence (a test in the daemon holds both to it), and what it does not
//! prove they still find, after it was sent.
//!
//! One byte after the other, with a state of fixed size; both sides run this text. What it takes from the
//! standards (issuers, countries, words that a key may have) is handed over as [`Tables`], made of those
//! that the detectors have.

mod context;
mod tables;

pub use context::{CONTEXT_BYTES_MAX, Context};
pub use tables::{
    COUNTRY_SLOTS, Country, GROUPINGS_MAX, ISSUERS_MAX, Issuer, Tables, WORD_DOUBTFUL,
    WORD_HOSTILE, WORD_PROBES, WORD_SLOTS, Word, WordHash, country_index, look_up,
};
use tables::{HASH_BASIS, HASH_PRIME};

/// Classes of values, bits of a mask.
pub const CLASS_CARD: u32 = 0;
/// IBAN_CODE.
pub const CLASS_IBAN: u32 = 1;
/// US_SSN, with its dashes or blanks.
pub const CLASS_SSN: u32 = 2;
/// How sure a proof is, on the scale of the detectors.
pub const LOW: u8 = 0;
/// Likewise.
pub const MEDIUM: u8 = 1;
/// Likewise.
pub const HIGH: u8 = 2;

/// Proofs of one text that are kept one by one; more are counted.
pub const PROOFS_MAX: usize = 16;
/// Bytes before the text of a send from which a value may begin that ends in it.
pub const LOOK_BACK_BYTES: usize = 96;
/// A value that is proven.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Proof {
    /// One of `CLASS_*`.
    pub class: u32,
    /// [`LOW`] to [`HIGH`].
    pub confidence: u32,
    /// Tells values apart; it is none that could be turned back without trying all.
    pub hash: u32,
    /// Where it begins in tail and text.
    pub start: u32,
    /// Behind its last byte.
    pub end: u32,
    /// Reserved, 0.
    pub reserved: u32,
}

/// A value that may be proven by what follows it.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct Pending {
    /// Class and one, 0 for none.
    class: u32,
    /// [`LOW`] to [`HIGH`].
    confidence: u32,
    hash: u32,
    start: u32,
    /// Behind its last byte.
    end: u32,
    /// The character behind it; 0 where none has come.
    first: u32,
    /// Separator between its groups.
    code: u32,
    /// Whether it takes a key.
    needs_key: u32,
}

/// Where a search stands. It lies in memory of a map, of which the verifier knows no values.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Search {
    /// How an escape goes on that has begun: one of `ESCAPE_*`.
    escape: u32,
    /// Its value so far.
    value: u32,
    /// Where it began.
    escape_at: u32,
    /// The last two characters, the last one lowest.
    last: u32,
    /// Where the first digit of the run stands.
    run_start: u32,
    /// Digits of the run.
    count: u32,
    /// Digits of its last group so far.
    group: u32,
    /// Whether it began where a number may.
    clean: u32,
    /// Separator between its groups.
    code: u32,
    /// Characters of the IBAN that may be here; 0 for none.
    iban: u32,
    /// How many it has.
    iban_characters: u32,
    iban_start: u32,
    /// Its country.
    country: u32,
    /// Its account modulo 97.
    remainder: u32,
    /// Its check digits.
    check: u32,
    /// Whether a separator may come, and whether one has.
    iban_code: u32,
    iban_hash: u32,
    /// The character that was fed last, and where it begins.
    plain: u32,
    plain_at: u32,
    /// The character behind a group of digits, and [`CLOSING`].
    closing: u32,
    closing_at: u32,
    reserved: u32,
    /// Groups before the last one, a byte each.
    groups: u64,
    /// Of the digits of the run: the first six as a number,
    issuer: u32,
    /// the first nine,
    number: u32,
    /// the sum of ISO/IEC 7812-1 annex B where the last one is not doubled,
    sum: u32,
    /// and where it is,
    doubled: u32,
    /// whether they differ,
    differ: u32,
    /// the first one,
    first: u32,
    /// a hash.
    hash: u32,
    reserved_1: u32,
    run: Pending,
    account: Pending,
    /// The one that was proven last, but for what stands before it.
    ready: Pending,
    /// Bytes up to here were fed.
    pub fed: u32,
    /// Only what ends behind this is new.
    pub fresh: u32,
    /// How many were proven.
    pub found: u32,
    /// Reserved, 0.
    pub reserved_2: u32,
    /// The first of them.
    pub proofs: [Proof; PROOFS_MAX],
}

/// Tells a NUL from nothing.
const CLOSING: u32 = 0x100;

const ESCAPE_NONE: u32 = 0;
/// Behind `%`.
const ESCAPE_PERCENT: u32 = 1;
/// Behind `%` and a digit.
const ESCAPE_PERCENT_1: u32 = 2;
/// Behind `\`.
const ESCAPE_BACKSLASH: u32 = 3;
/// Behind `\u` and none to three digits.
const ESCAPE_U: u32 = 4;
const ESCAPE_U_END: u32 = 8;

const NO_PENDING: Pending =
    Pending { class: 0, confidence: 0, hash: 0, start: 0, end: 0, first: 0, code: 0, needs_key: 0 };
const NO_PROOF: Proof = Proof { class: 0, confidence: 0, hash: 0, start: 0, end: 0, reserved: 0 };

impl Search {
    /// At the beginning of a text.
    pub const NEW: Search = Search {
        escape: ESCAPE_NONE,
        value: 0,
        escape_at: 0,
        last: 0,
        run_start: 0,
        count: 0,
        group: 0,
        clean: 0,
        code: 0,
        iban: 0,
        iban_characters: 0,
        iban_start: 0,
        country: 0,
        remainder: 0,
        check: 0,
        iban_code: 0,
        iban_hash: 0,
        plain: 0,
        plain_at: 0,
        closing: 0,
        closing_at: 0,
        reserved: 0,
        groups: 0,
        issuer: 0,
        number: 0,
        sum: 0,
        doubled: 0,
        differ: 0,
        first: 0,
        hash: 0,
        reserved_1: 0,
        run: NO_PENDING,
        account: NO_PENDING,
        ready: NO_PENDING,
        fed: 0,
        fresh: 0,
        found: 0,
        reserved_2: 0,
        proofs: [NO_PROOF; PROOFS_MAX],
    };
}

const fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_digit() || (byte | 0x20).wrapping_sub(b'a') < 26
}

/// The value of a hexadecimal digit, 16 for what is none.
const fn hex(byte: u8) -> u32 {
    if byte.is_ascii_digit() {
        return (byte - b'0') as u32;
    }
    let letter = (byte | 0x20).wrapping_sub(b'a');
    if letter < 6 { letter as u32 + 10 } else { 16 }
}

/// What is between the groups of a number: space, dash, dot, and the plus that stands for a space.
const fn is_separator(byte: u8) -> bool {
    byte == b' ' || byte == b'-' || byte == b'.' || byte == b'+'
}

/// Whether a value may begin behind these two characters. The detectors ask for context where it does not.
const fn is_clean_before(last: u8, second: u8) -> bool {
    !(is_alphanumeric(last)
        || last >= 0x80
        || last == b'_'
        || last == b'.'
        || last == b'-'
        || last == b'#'
        || last == b'$'
        || (last == b'/' && is_alphanumeric(second)))
}

/// Whether a value may end before these two characters, likewise.
const fn is_clean_after(first: u8, second: u8) -> bool {
    if is_alphanumeric(first) || first == b'_' || first >= 0x80 {
        return false;
    }
    !((first == b'.' || first == b'-' || first == b'/') && is_alphanumeric(second))
}

impl Search {
    /// Whether nothing has begun: what has no digit in it can then be passed over.
    #[inline(always)]
    pub fn rests(&self) -> bool {
        self.escape | self.count | self.iban | self.run.class | self.account.class == 0
    }

    /// Begins anew, for a text of which what came before was passed over.
    #[inline(always)]
    pub fn restart(&mut self) {
        self.escape = ESCAPE_NONE;
        self.last = 0;
        self.count = 0;
        self.group = 0;
        self.iban = 0;
        self.iban_characters = 0;
        self.closing = 0;
        self.run.class = 0;
        self.account.class = 0;
    }

    /// Takes the byte at a place of the text; `false` within an escape. Else there is a character, for
    /// which [`Search::follow_digits`], [`Search::follow_iban`] and, where [`Search::closes`],
    /// [`Search::close`] come next, in that order. In the kernel each is a function of its own, so that the
    /// verifier walks them one behind the other and not each way of one behind each way of another.
    #[inline(always)]
    pub fn feed(&mut self, byte: u8, at: u32) -> bool {
        let Some((plain, begin)) = self.unescape(byte, at) else { return false };
        self.plain = plain as u32;
        self.plain_at = begin;
        true
    }

    /// Follows digits. Where it gives `true`, a value is proven but for what stands before it:
    /// [`Search::weigh`] is to be asked.
    #[inline(always)]
    pub fn follow_digits(&mut self) -> bool {
        let byte = self.plain as u8;
        let ready = self.resolve(byte);
        self.follow_run(byte, self.plain_at);
        ready
    }

    /// Whether a group of digits has ended.
    #[inline(always)]
    pub fn closes(&self) -> bool {
        self.closing != 0
    }

    /// The character that a byte is, or completes, and where it begins; `None` within an escape.
    #[inline(always)]
    fn unescape(&mut self, byte: u8, at: u32) -> Option<(u8, u32)> {
        let escape = self.escape;
        if escape == ESCAPE_NONE {
            if byte != b'%' && byte != b'\\' {
                return Some((byte, at));
            }
            self.escape = if byte == b'%' { ESCAPE_PERCENT } else { ESCAPE_BACKSLASH };
            self.value = 0;
            self.escape_at = at;
            return None;
        }
        if escape == ESCAPE_BACKSLASH {
            // An escape that is escaped goes on.
            if byte == b'\\' {
                return None;
            }
            if byte == b'u' {
                self.escape = ESCAPE_U;
                return None;
            }
            self.escape = ESCAPE_NONE;
            // A line end, a tab: no letter.
            return Some((if is_alphanumeric(byte) { b'\n' } else { byte }, self.escape_at));
        }
        let digit = hex(byte);
        if digit > 15 {
            // It was none. What it was made of ends whatever it stands in.
            self.escape = ESCAPE_NONE;
            return Some((b'%', self.escape_at));
        }
        self.value = (self.value << 4 | digit) & 0xffff;
        self.escape = escape + 1;
        if escape != ESCAPE_PERCENT_1 && escape + 1 != ESCAPE_U_END {
            return None;
        }
        self.escape = ESCAPE_NONE;
        Some((if self.value < 0x80 { self.value as u8 } else { 0x80 }, self.escape_at))
    }

    /// The text ends here, as if with a character: twice, since what ends right before it waits for two.
    #[inline(always)]
    pub fn end(&mut self, at: u32) {
        self.escape = ESCAPE_NONE;
        self.plain = b'\n' as u32;
        self.plain_at = at;
    }

    /// Settles what waits for the second character behind it.
    #[inline(always)]
    fn resolve(&mut self, byte: u8) -> bool {
        let mut ready = false;
        if self.run.class != 0 {
            let (first, code) = (self.run.first as u8, self.run.code as u8);
            // More digits behind the same separator: a row of numbers.
            let goes_on = first == code && code != 0 && byte.is_ascii_digit();
            if !goes_on && is_clean_after(first, byte) && self.run.end > self.fresh {
                self.ready = self.run;
                ready = true;
            }
            self.run.class = 0;
        }
        if self.account.class != 0 && self.account.first != 0 {
            let first = self.account.first as u8;
            if is_clean_after(first, byte) && self.account.end > self.fresh {
                self.ready = self.account;
                ready = true;
            }
            self.account.class = 0;
        }
        ready
    }

    /// Follows digits with one separator between two groups.
    #[inline(always)]
    fn follow_run(&mut self, byte: u8, at: u32) {
        if byte.is_ascii_digit() {
            if self.count == 0 {
                self.run_start = at;
                self.groups = 0;
                self.group = 0;
                self.code = 0;
                let (last, second) = (self.last as u8, (self.last >> 8) as u8);
                self.clean = is_clean_before(last, second) as u32;
            }
            self.add_digit((byte & 0x0f) as u32);
            return;
        }
        if self.count != 0 {
            self.closing = byte as u32 | CLOSING;
            self.closing_at = at;
        }
    }

    /// Judges the digits that ended, and goes on behind them.
    #[inline(always)]
    pub fn close(&mut self, tables: &Tables) {
        let (byte, at) = (self.closing as u8, self.closing_at);
        self.closing = 0;
        if self.group != 0 {
            self.groups = self.groups << 8 | self.group as u64 & 0xff;
            if self.clean != 0 {
                self.judge_run(tables, byte, at);
            }
        }
        let same = self.code == 0 || self.code == byte as u32;
        // Longer than all that is known, two separators, or another one: it ends.
        if self.group == 0 || !is_separator(byte) || !same || self.count > 19 {
            self.count = 0;
        }
        self.code = byte as u32;
        self.group = 0;
    }

    /// Whether the digits so far are a card's or a social security number.
    #[inline(always)]
    fn judge_run(&mut self, tables: &Tables, byte: u8, at: u32) {
        let bare = self.groups < 0x100;
        let (class, confidence, mut needs_key) = if self.count >= 13 && self.count <= 19 {
            (CLASS_CARD, if bare { LOW } else { HIGH }, bare && self.count > 16)
        } else if self.groups == 0x03_02_04
            && (self.code == b'-' as u32 || self.code == b' ' as u32)
        {
            (CLASS_SSN, MEDIUM, false)
        } else {
            return;
        };
        if class == CLASS_SSN {
            if !self.is_ssn() {
                return;
            }
        } else {
            if !self.is_luhn() || !(bare || is_grouped(tables, self.groups)) {
                return;
            }
            let Some(issuer) = self.issuer(tables) else { return };
            // Identifiers of 64 bits have 17 to 19 digits.
            needs_key |= issuer.wide != 0;
        }
        // One by one: as a whole it would be a call of a function that fills memory.
        let found = &mut self.run;
        found.confidence = confidence as u32;
        found.hash = self.hash;
        found.start = self.run_start;
        found.end = at;
        found.first = byte as u32;
        found.code = self.code;
        found.needs_key = needs_key as u32;
        found.class = class + 1;
    }

    /// Adds a digit to the run.
    #[inline(always)]
    fn add_digit(&mut self, digit: u32) {
        if self.count == 0 {
            self.issuer = 0;
            self.number = 0;
            // SAFETY: a field of this, volatile so that all of them are no call of a function that fills
            // memory: calls go eight deep at most in the kernel, and this is the eighth.
            unsafe { (&raw mut self.sum).write_volatile(0) };
            self.doubled = 0;
            self.differ = 0;
            self.first = digit;
            self.hash = HASH_BASIS;
        }
        if self.count < 6 {
            self.issuer = self.issuer * 10 + digit;
        }
        if self.count < 9 {
            self.number = self.number * 10 + digit;
        }
        // Every other digit from the last but one on counts twice, and its own digits are added up.
        let twice = if digit > 4 { digit * 2 - 9 } else { digit * 2 };
        let sum = self.doubled + digit;
        self.doubled = self.sum + twice;
        self.sum = sum;
        self.differ |= digit ^ self.first;
        self.hash = (self.hash ^ digit).wrapping_mul(HASH_PRIME);
        self.count += 1;
        self.group += 1;
    }

    /// Whether an issuer has numbers that begin like that and are as long; of a narrow range sooner than
    /// of a wide one.
    #[inline(always)]
    fn issuer<'t>(&self, tables: &'t Tables) -> Option<&'t Issuer> {
        let (issuer, count) = (self.issuer, self.count);
        let mut row = 0;
        while row < ISSUERS_MAX {
            let it = &tables.issuers[row];
            // The upper bit is set where one of them is less than it should be. One comparison, and not
            // four: the verifier follows each way of each.
            let less = issuer.wrapping_sub(it.from)
                | it.to.wrapping_sub(issuer)
                | count.wrapping_sub(it.digits_min as u32)
                | (it.digits_max as u32).wrapping_sub(count);
            if less >> 31 == 0 {
                return Some(it);
            }
            row += 1;
        }
        None
    }

    /// ISO/IEC 7812-1 annex B, and not one digit repeated.
    #[inline(always)]
    fn is_luhn(&self) -> bool {
        self.sum.is_multiple_of(10) && self.differ != 0
    }

    /// 20 CFR 422.103, as the detector reads it; specimens count.
    #[inline(always)]
    fn is_ssn(&self) -> bool {
        let number = self.number;
        let (area, group, serial) = (number / 1_000_000, number / 10_000 % 100, number % 10_000);
        let issued = area != 0 && area != 666 && area < 900;
        issued && group != 0 && serial != 0 && self.differ != 0
    }

    /// Follows two capitals, two digits and what the country's numbers go on with: in one piece, or in
    /// fours.
    #[inline(always)]
    pub fn follow_iban(&mut self, tables: &Tables) {
        self.follow_account(tables, self.plain as u8, self.plain_at);
        self.last = (self.last << 8 | self.plain) & 0xffff;
    }

    #[inline(always)]
    fn follow_account(&mut self, tables: &Tables, byte: u8, at: u32) {
        if self.account.class != 0 {
            // The first character behind it.
            self.account.first = byte as u32;
            return;
        }
        let upper = byte.is_ascii_uppercase();
        if self.iban_characters == 1 && !upper {
            self.iban_characters = 0;
            self.iban = 0;
        }
        if self.iban == 0 {
            if upper && is_clean_before(self.last as u8, (self.last >> 8) as u8) {
                self.iban = 1;
                self.iban_characters = 1;
                self.iban_start = at;
                self.country = byte as u32;
            }
            return;
        }
        let digit = byte.is_ascii_digit();
        if self.iban_characters == 1 {
            let index = country_index(self.country as u8, byte);
            self.iban_characters = 2;
            self.country = index as u32;
            self.remainder = 0;
            self.check = 0;
            self.iban_code = 0;
            self.iban_hash = HASH_BASIS;
            return;
        }
        let place = self.iban_characters;
        if place < 4 {
            self.check = self.check * 10 + (byte & 0x0f) as u32;
            self.iban_characters = place + 1;
            if !digit {
                self.iban = 0;
                self.iban_characters = 0;
            }
            return;
        }
        if is_separator(byte) {
            let first = place == 4 && self.iban_code == 0;
            let again = self.iban_code == byte as u32 && place.is_multiple_of(4);
            // Twice in a row it is another thing.
            let doubled = self.last as u8 == byte;
            if !(first || again) || doubled {
                self.iban = 0;
                self.iban_characters = 0;
            }
            self.iban_code = byte as u32;
            return;
        }
        // In fours, if at all.
        let split = self.iban_code != 0 && place.is_multiple_of(4);
        let parted = self.last as u8 == self.iban_code as u8;
        let index = self.country as usize;
        let country = &tables.countries[index & (COUNTRY_SLOTS - 1)];
        let bit = 1u64 << (place & 63);
        let fits = (digit || upper)
            && (place as u64) < country.characters
            && (digit || country.digits & bit == 0)
            && (upper || country.letters & bit == 0)
            && split == parted;
        if !fits {
            self.iban = 0;
            self.iban_characters = 0;
            return;
        }
        self.add(byte);
        self.iban_characters = place + 1;
        if (place + 1) as u64 == country.characters {
            self.iban = 0;
            self.iban_characters = 0;
            // The country and the check digits come last (ISO 7064, MOD 97-10).
            let (first, second) = (self.country / 26 + 10, self.country % 26 + 10);
            let moved = (self.remainder * 10_000 + first * 100 + second) % 97;
            if (moved * 100 + self.check) % 97 == 1 {
                let found = &mut self.account;
                found.confidence = HIGH as u32;
                found.hash = self.iban_hash;
                found.start = self.iban_start;
                found.end = at + 1;
                found.first = 0;
                found.code = 0;
                found.needs_key = 0;
                found.class = CLASS_IBAN + 1;
            }
        }
    }

    /// Adds a character to the account.
    #[inline(always)]
    fn add(&mut self, byte: u8) {
        let value = if byte.is_ascii_digit() { byte - b'0' } else { byte.wrapping_sub(b'A') + 10 };
        let shifted = if value < 10 { self.remainder * 10 } else { self.remainder * 100 };
        self.remainder = (shifted + value as u32) % 97;
        self.iban_hash = (self.iban_hash ^ value as u32).wrapping_mul(HASH_PRIME);
    }
}

#[inline(always)]
fn is_grouped(tables: &Tables, groups: u64) -> bool {
    let mut row = 0;
    while row < GROUPINGS_MAX {
        if tables.groupings[row] == groups {
            return true;
        }
        row += 1;
    }
    false
}

impl Search {
    /// Where the value begins that is ready to be weighed.
    #[inline(always)]
    pub fn ready_start(&self) -> u32 {
        self.ready.start
    }

    /// Weighs the value that is ready with what stands before it, and keeps it where it is proven.
    #[inline(always)]
    pub fn weigh(&mut self, context: &Context) {
        let ready = self.ready;
        let class = ready.class.wrapping_sub(1);
        let named = context.says >> (class & 31) & 1 != 0;
        let mut confidence = ready.confidence;
        if context.says & WORD_HOSTILE != 0 || (ready.needs_key != 0 && !named) {
            return;
        }
        if named {
            confidence = HIGH as u32;
        } else if context.says & WORD_DOUBTFUL != 0 {
            if confidence == LOW as u32 {
                return;
            }
            confidence -= 1;
        }
        let (hash, start, end) = (ready.hash, ready.start, ready.end);
        let at = self.found;
        if (at as usize) < PROOFS_MAX {
            self.proofs[at as usize & (PROOFS_MAX - 1)] =
                Proof { class, confidence, hash, start, end, reserved: 0 };
        }
        self.found = at.wrapping_add(1);
    }
}

/// Searches a text of which the first bytes, so many, were searched before, as the kernel does.
pub fn search(tables: &Tables, text: &[u8], fresh: u32) -> Search {
    let mut search = Search { fresh, ..Search::NEW };
    let says = |hash: u32| look_up(tables, hash);
    let weigh = |search: &mut Search| {
        let mut context = Context::before(search.ready_start());
        let mut read = 0;
        while read < CONTEXT_BYTES_MAX {
            let Some(byte) = text.get(context.at as usize) else { break };
            if !context.feed(says, *byte) {
                break;
            }
            context.at = context.at.wrapping_sub(1);
            read += 1;
        }
        context.end(says);
        search.weigh(&context);
    };
    let take = |search: &mut Search| {
        if search.follow_digits() {
            weigh(search);
        }
        search.follow_iban(tables);
        if search.closes() {
            search.close(tables);
        }
    };
    let mut at = 0;
    while at < text.len() {
        if search.feed(text[at], at as u32) {
            take(&mut search);
        }
        at += 1;
    }
    let mut times = 0;
    while times < 2 {
        search.end(at as u32);
        take(&mut search);
        times += 1;
    }
    search
}
