//! Choices that a seed makes: the same seed, the same choices.
//!
//! SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014,
//! figure 16), which needs no more state than a counter.

/// A row of choices.
#[derive(Debug, Clone)]
pub(crate) struct Draws(u64);

// === impl Draws ===

impl Draws {
    /// The row of this seed; `stream` separates those who draw at the same time.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut first = Self(seed ^ stream.wrapping_mul(0xA24B_AED4_963E_E407));
        Self(first.next())
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; zero when there is none.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }

    /// One of these; `None` when there are none.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(of.len()).unwrap_or(u64::MAX);
        of.get(usize::try_from(self.below(count)).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_streams_differ() {
        let row = |seed, stream| {
            let mut draws = Draws::new(seed, stream);
            [draws.next(), draws.next(), draws.below(10)]
        };
        assert_eq!(row(1, 2), row(1, 2));
        assert_ne!(row(1, 2), row(1, 3));
        assert_ne!(row(1, 2), row(2, 2));
    }

    #[test]
    fn nothing_to_choose_from_is_no_choice() {
        let mut draws = Draws::new(1, 1);
        assert_eq!(draws.pick::<u8>(&[]), None);
        assert_eq!(draws.below(0), 0);
    }
}
