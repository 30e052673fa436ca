//! A small generator of random numbers whose every draw can be repeated. Not for secrets.

/// splitmix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The same seed gives the same draws.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.bits() % bound
    }

    /// A number from `least` to `greatest`, both included.
    pub fn within(&mut self, least: u64, greatest: u64) -> u64 {
        least + self.below(greatest - least + 1)
    }

    /// True once in `of` times.
    pub fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    /// One of them; there is at least one.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// A text of letters drawn from `alphabet`, which is ASCII.
    pub fn text(&mut self, alphabet: &str, count: usize) -> String {
        (0..count).map(|_| char::from(self.pick(alphabet.as_bytes()))).collect()
    }

    /// Decimal digits.
    pub fn digits(&mut self, count: usize) -> String {
        self.text("0123456789", count)
    }

    /// Lower-case hexadecimal digits.
    pub fn hex(&mut self, count: usize) -> String {
        self.text("0123456789abcdef", count)
    }

    /// Capitals.
    pub fn capitals(&mut self, count: usize) -> String {
        self.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", count)
    }

    /// Makes a text of a pattern: `d` is a digit, `D` one from 1 to 9, `A` a capital, `X` a capital
    /// or digit, `x` a lower-case hexadecimal digit, `a` a small letter; a `\` makes the next letter
    /// stand for itself, and so does any other.
    pub fn shape(&mut self, pattern: &str) -> String {
        let mut letters = pattern.chars();
        let mut text = String::with_capacity(pattern.len());
        while let Some(letter) = letters.next() {
            match letter {
                'd' => text += &self.digits(1),
                'D' => text += &self.text("123456789", 1),
                'A' => text += &self.capitals(1),
                'a' => text += &self.text("abcdefghijklmnopqrstuvwxyz", 1),
                'X' => text += &self.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 1),
                'x' => text += &self.hex(1),
                '\\' => text.extend(letters.next()),
                other => text.push(other),
            }
        }
        text
    }
}
