//! Decides which points fill a cube evenly: Sobol's sequence, with Owen's scrambling.
//!
//! Sobol (1967) in the Gray code order of Antonov & Saleev (1979), with the direction numbers of
//! Joe & Kuo (2008) to 1024 dimensions and 32 bits. Any point is reached directly from its index,
//! so that threads share out a sequence without walking it.
//!
//! Scrambling permutes each dimension by nested uniform digits (Owen 1995), so that every point is
//! uniform, the points keep their even spread, and independent seeds give independent estimates:
//! only so does a mean over Sobol points have a standard error. The permutation is the hash of
//! Laine & Karras (2011) as improved by Burley (2020) and Vegdahl (2021), in which each digit
//! depends on the digits above it alone.
//!
//! # Invariants
//!
//! * The first `2^k` points hold one point in each of `2^k` equal intervals of every dimension,
//!   scrambled or not.
//! * A scrambled coordinate as a real number is never zero and never one.

use thiserror::Error;

/// The most dimensions.
pub const DIMENSIONS_MAX: usize = 1_024;
/// Digits of a coordinate, and with them the most points, `2^32`.
const BITS: usize = 32;
/// The table, of which each line is one dimension from the second on.
const JOE_KUO: &str = include_str!("joe_kuo.txt");
/// One unit in the last place of a coordinate.
const UNIT: f64 = 1.0 / 4_294_967_296.0;

/// Why there is no such sequence.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum SobolError {
    /// A number of dimensions outside the bounds.
    #[error("dimensions {0} must be between 1 and {DIMENSIONS_MAX}")]
    Dimensions(usize),
}

/// A sequence in a number of dimensions.
#[derive(Clone, Debug)]
pub struct Sobol {
    directions: Vec<[u32; BITS]>,
    /// One seed a dimension, when scrambled.
    seeds: Option<Vec<u32>>,
}

/// A walk along the sequence from any index.
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    sequence: &'a Sobol,
    index: u32,
    state: Vec<u32>,
}

// === impl Sobol ===

impl Sobol {
    /// The plain sequence, whose first point is the origin.
    ///
    /// # Errors
    ///
    /// [`SobolError::Dimensions`].
    pub fn try_new(dimensions: usize) -> Result<Self, SobolError> {
        if dimensions == 0 || dimensions > DIMENSIONS_MAX {
            return Err(SobolError::Dimensions(dimensions));
        }
        let mut directions = vec![first_dimension()];
        let lines = JOE_KUO.lines().filter(|line| !line.starts_with('#'));
        directions.extend(lines.take(dimensions - 1).map(directions_of));
        Ok(Self { directions, seeds: None })
    }

    /// The sequence scrambled by a seed.
    ///
    /// # Errors
    ///
    /// [`SobolError::Dimensions`].
    pub fn scrambled(dimensions: usize, seed: u64) -> Result<Self, SobolError> {
        let mut sequence = Self::try_new(dimensions)?;
        sequence.rescramble(seed);
        Ok(sequence)
    }

    /// Scrambles by another seed.
    pub fn rescramble(&mut self, seed: u64) {
        let mut state = seed;
        let mut next = || {
            // SplitMix64 (Steele, Lea & Flood 2014).
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            u32::try_from((z ^ (z >> 31)) >> 32).expect("invariant: the upper half is 32 bits")
        };
        self.seeds = Some(self.directions.iter().map(|_| next()).collect());
    }

    /// How many dimensions.
    pub fn dimensions(&self) -> usize {
        self.directions.len()
    }

    /// A walk whose first point is the one at `index`.
    pub fn walk_from(&self, index: u32) -> Walk<'_> {
        let gray = index ^ (index >> 1);
        let at = |row: &[u32; BITS]| {
            let set = row.iter().enumerate().filter(|(bit, _)| (gray >> bit) & 1 == 1);
            set.fold(0, |sum, (_, direction)| sum ^ direction)
        };
        Walk { sequence: self, index, state: self.directions.iter().map(at).collect() }
    }
}

// === impl Walk ===

impl Walk<'_> {
    /// Writes the next point, one number in `(0, 1)` a dimension: the middle of its cell of
    /// `2^-32`, except that the plain sequence gives the cell's lower end, as other libraries do.
    pub fn next_into(&mut self, point: &mut [f64]) {
        let state = self.state.iter().enumerate();
        for (coordinate, (dimension, digits)) in point.iter_mut().zip(state) {
            *coordinate = match &self.sequence.seeds {
                Some(seeds) => (f64::from(scramble(*digits, seeds[dimension])) + 0.5) * UNIT,
                None => f64::from(*digits) * UNIT,
            };
        }
        // The Gray codes of neighbours differ in the lowest zero of the index; after the last
        // point the sequence begins again.
        let bit = usize::try_from(self.index.trailing_ones()).unwrap_or(0);
        if bit < BITS {
            for (digits, row) in self.state.iter_mut().zip(&self.sequence.directions) {
                *digits ^= row[bit];
            }
        } else {
            self.state.fill(0);
        }
        self.index = self.index.wrapping_add(1);
    }
}

/// Permutes the digits of a coordinate, each by the digits above it.
fn scramble(digits: u32, seed: u32) -> u32 {
    let mut x = digits.reverse_bits();
    x ^= x.wrapping_mul(0x3d20_adea);
    x = x.wrapping_add(seed);
    x = x.wrapping_mul((seed >> 16) | 1);
    x ^= x.wrapping_mul(0x0552_6c56);
    x ^= x.wrapping_mul(0x53a2_2864);
    x.reverse_bits()
}

/// Van der Corput's sequence.
fn first_dimension() -> [u32; BITS] {
    std::array::from_fn(|bit| 1 << (BITS - 1 - bit))
}

/// The recursion of Joe & Kuo (2008), equation 2, on digits from the top.
fn directions_of(line: &str) -> [u32; BITS] {
    let mut numbers =
        line.split_whitespace().map(|n| n.parse::<u32>().expect("invariant: the table is numbers"));
    let degree = numbers.next().map_or(0, |s| usize::try_from(s).unwrap_or(0));
    let inner = numbers.next().unwrap_or(0);
    let mut row = [0_u32; BITS];
    for (bit, m) in numbers.enumerate() {
        row[bit] = m << (BITS - 1 - bit);
    }
    for bit in degree..BITS {
        let mut direction = row[bit - degree] ^ (row[bit - degree] >> degree);
        for k in 1..degree {
            if (inner >> (degree - 1 - k)) & 1 == 1 {
                direction ^= row[bit - k];
            }
        }
        row[bit] = direction;
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::near;

    fn point(sequence: &Sobol, index: u32) -> Vec<f64> {
        let mut point = vec![0.0; sequence.dimensions()];
        sequence.walk_from(index).next_into(&mut point);
        point
    }

    #[test]
    fn points_are_those_of_scipy() {
        // SciPy 1.17.1, qmc.Sobol(scramble=False, bits=32).
        let sequence = Sobol::try_new(1024).unwrap();
        assert_eq!(point(&sequence, 5)[..6], [0.875, 0.875, 0.125, 0.375, 0.875, 0.625]);
        let golden =
            [0.2197265625, 0.0966796875, 0.5185546875, 0.6767578125, 0.2802734375, 0.9072265625];
        assert_eq!(point(&sequence, 1000)[..6], golden);
        let far = point(&sequence, 37);
        let some = [0, 1, 100, 511, 1023].map(|dimension| far[dimension]);
        assert_eq!(some.as_slice(), [0.921875, 0.640625, 0.359375, 0.046875, 0.734375]);
    }

    #[test]
    fn a_walk_from_anywhere_meets_the_walk_from_the_start() {
        for sequence in [Sobol::try_new(7).unwrap(), Sobol::scrambled(7, 9).unwrap()] {
            let mut walk = sequence.walk_from(0);
            let mut next = vec![0.0; 7];
            for index in 0..300 {
                walk.next_into(&mut next);
                assert_eq!(next, point(&sequence, index), "{index}");
            }
            let mut last = sequence.walk_from(u32::MAX);
            last.next_into(&mut next);
            last.next_into(&mut next);
            assert_eq!(next, point(&sequence, 0), "after the last comes the first");
        }
    }

    #[test]
    fn each_interval_of_each_dimension_holds_one_point_scrambled_or_not() {
        for sequence in [Sobol::try_new(1024).unwrap(), Sobol::scrambled(1024, 3).unwrap()] {
            let mut seen = vec![[false; 64]; 1024];
            for index in 0..64 {
                for (cells, x) in seen.iter_mut().zip(point(&sequence, index)) {
                    cells[crate::stats::floor_index(x * 64.0)] = true;
                }
            }
            assert!(seen.iter().all(|cells| cells.iter().all(|cell| *cell)));
        }
    }

    #[test]
    fn scrambled_points_are_uniform_over_seeds_and_another_seed_gives_others() {
        let mut sequence = Sobol::try_new(3).unwrap();
        let (mut sum, mut squares, count) = (0.0, 0.0, 4_000);
        for seed in 0..count {
            sequence.rescramble(seed);
            let x = point(&sequence, 11)[2];
            sum += x;
            squares += x * x;
        }
        near(sum / count as f64, 0.5, 0.03);
        near(squares / count as f64, 1.0 / 3.0, 0.05);
        let (a, b) = (Sobol::scrambled(3, 1).unwrap(), Sobol::scrambled(3, 2).unwrap());
        assert_ne!(point(&a, 5), point(&b, 5));
    }

    #[test]
    fn dimensions_outside_the_table_are_refused() {
        let error = Sobol::try_new(1025).unwrap_err();
        assert_eq!(error.to_string(), "dimensions 1025 must be between 1 and 1024");
        assert_eq!(Sobol::try_new(0).unwrap_err(), SobolError::Dimensions(0));
        assert_eq!(Sobol::try_new(1).unwrap().dimensions(), 1);
    }
}
