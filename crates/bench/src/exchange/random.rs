//! Random numbers that are the same in every run: xorshift (G. Marsaglia, "Xorshift RNGs", Journal
//! of Statistical Software, 2003) from a fixed seed.

/// The source.
#[derive(Debug)]
pub(super) struct Xorshift(u64);

// === impl Xorshift ===

impl Xorshift {
    pub(super) const fn new() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }

    const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below the bound, which is small against 2^64.
    pub(super) fn below(&mut self, bound: u64) -> i64 {
        i64::try_from(self.next() % bound).unwrap_or(0)
    }
}
