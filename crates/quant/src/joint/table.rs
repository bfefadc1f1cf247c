//! The map from a copula's variable to a marginal's, tabulated where it has no closed form.
//!
//! A quantile of a Student-t costs a microsecond, and a simulation asks for millions of one
//! distribution. The map from one standard variable to another is smooth, so that a cubic through
//! values and slopes (Hermite) at even steps of `asinh` meets it to eight digits (six beyond a
//! probability of 1e-11); the tail beyond the table is computed directly.
//!
//! # Invariants
//!
//! * A table depends on the two distributions alone, so that threads and blocks see one map.
//! * Maps are odd: both tails have the digits of the lower one.

use crate::distribution::{Student, normal_cdf, normal_density, normal_quantile};

/// Steps of a table.
const STEPS: usize = 8_192;
/// Where a table ends: a probability of the tail that few simulations meet once.
const TAIL_MIN: f64 = 1e-16;

/// A standard distribution that is symmetric about zero.
#[derive(Clone, Copy, Debug)]
pub(super) enum Standard {
    Normal,
    Student(Student),
}

/// What a table holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Image {
    /// The variable of this distribution with the same probability.
    Variable(Standard),
    /// The logarithm of the probability beyond.
    LogTail,
}

/// An image of the size of a copula's variable.
#[derive(Clone, Debug)]
pub(super) struct Table {
    copula: Standard,
    image: Image,
    step: f64,
    /// Value and slope by `asinh` at each step.
    nodes: Vec<(f64, f64)>,
}

// === impl Standard ===

impl Standard {
    /// The probability beyond `size`, which is not negative.
    fn tail(self, size: f64) -> f64 {
        match self {
            Self::Normal => normal_cdf(-size),
            Self::Student(law) => law.cdf(-size),
        }
    }

    /// The size beyond which lies `tail`.
    fn size(self, tail: f64) -> f64 {
        let tail = tail.max(f64::MIN_POSITIVE);
        match self {
            Self::Normal => -normal_quantile(tail),
            Self::Student(law) => -law.quantile(tail),
        }
    }

    fn density(self, x: f64) -> f64 {
        match self {
            Self::Normal => normal_density(x),
            Self::Student(law) => law.density(x),
        }
    }

    /// Whether two distributions are one.
    pub(super) fn is(self, other: Self) -> bool {
        match (self, other) {
            (Self::Normal, Self::Normal) => true,
            (Self::Student(a), Self::Student(b)) => a.freedom().to_bits() == b.freedom().to_bits(),
            _ => false,
        }
    }
}

// === impl Table ===

impl Table {
    pub(super) fn new(copula: Standard, image: Image) -> Self {
        let end = copula.size(TAIL_MIN).asinh();
        let step = end / STEPS as f64;
        let node = |place: usize| {
            let at = step * place as f64;
            let size = at.sinh();
            let tail = copula.tail(size);
            let (value, slope) = match image {
                Image::LogTail => (tail.ln(), -copula.density(size) / tail),
                Image::Variable(standard) => {
                    let value = standard.size(tail);
                    (value, copula.density(size) / standard.density(value))
                }
            };
            (value, slope * at.cosh())
        };
        Self { copula, image, step, nodes: (0..=STEPS).map(node).collect() }
    }

    /// Whether the table maps one distribution to another.
    pub(super) fn maps_to(&self, standard: Standard) -> bool {
        matches!(self.image, Image::Variable(own) if own.is(standard))
    }

    /// The image of a size that is not negative.
    pub(super) fn at(&self, size: f64) -> f64 {
        let position = size.asinh() / self.step;
        let place = crate::stats::floor_index(position);
        let (Some((left, left_slope)), Some((right, right_slope))) =
            (self.nodes.get(place), self.nodes.get(place.saturating_add(1)))
        else {
            let tail = self.copula.tail(size);
            return match self.image {
                Image::LogTail => tail.max(f64::MIN_POSITIVE).ln(),
                Image::Variable(standard) => standard.size(tail),
            };
        };
        let t = position - place as f64;
        let rest = 1.0 - t;
        let rise = (1.0 + 2.0 * t) * rest * rest * left + t * t * (3.0 - 2.0 * t) * right;
        rise + self.step * t * rest * (rest * left_slope - t * right_slope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_meet_the_exact_map_to_eight_digits() {
        let student = |nu| Standard::Student(Student::new(nu).unwrap());
        for copula in [Standard::Normal, student(1.0), student(6.0)] {
            for image in [Standard::Normal, student(1.0), student(2.5), student(30.0)] {
                let table = Table::new(copula, Image::Variable(image));
                let tails = Table::new(copula, Image::LogTail);
                for k in (1..400).step_by(7) {
                    let tail = 0.5 * 10.0_f64.powf(-0.035 * f64::from(k));
                    // Beyond seven deviations the normal distribution itself has eight digits.
                    let allowed = if tail > 1e-11 { 1e-8 } else { 1e-6 };
                    let size = copula.size(tail);
                    let (value, exact) = (table.at(size), image.size(copula.tail(size)));
                    let distance = (value / exact - 1.0).abs();
                    assert!(distance < allowed, "{copula:?} {image:?} {value} {exact}");
                    let (log, exact) = (tails.at(size), copula.tail(size).ln());
                    assert!((log - exact).abs() < allowed, "{copula:?} {log} {exact}");
                }
                let far = copula.size(1e-18);
                assert!(table.at(far).is_finite() && table.at(0.0).abs() < 1e-12);
            }
        }
    }
}
