//! The normal tail bent to skewness and kurtosis, with a check of where the bend is valid.
//!
//! Cornish & Fisher (1938), as used by Favre & Galeano (2002), replace a normal quantile `z` by
//! `w(z) = z + (z^2-1) S/6 + (z^3-3z) K/24 - (2z^3-5z) S^2/36` with `K` the excess kurtosis. The
//! result is that formula and the mean of it over the tail, an integral of Hermite polynomials in
//! closed form: both measures come from one quantile function.
//!
//! Where `w` falls, it is no quantile function, and a higher confidence can show a smaller loss
//! (Maillard 2012). The result says whether `w` rises everywhere, and gives beside the formula the
//! measures of the random variable `w(Z)`, `Z` standard normal, whose quantile is the increasing
//! rearrangement of `w` (Chernozhukov, Fernandez-Val & Galichon 2010). They are exact too: its
//! distribution is a sum of normal probabilities between the roots of a cubic.
//!
//! The modified shortfall of Boudt, Peterson & Croux (2008) was not taken: it integrates an
//! Edgeworth density, another approximation than the one that gives the value at risk, so that it
//! can fall below it even where `w` rises.
//!
//! # Invariants
//!
//! * Inside the validity domain both pairs of measures are equal, rise with confidence, and the
//!   shortfall is never below the value at risk.
//! * Outside it the coherent pair keeps both properties; the formula's shortfall is raised to its
//!   value at risk where the integral falls below it.

use statrs::distribution::{Continuous, ContinuousCDF, Normal};

use super::{Confidence, Method, TailRisk, VarError, independent_sums};
use crate::stats::{Series, StatsError};

/// Beyond this many deviations a normal variable has no mass that `f64` can add to the rest.
const Z_MAX: f64 = 40.0;

/// The transform that was applied, at the horizon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CornishFisher {
    /// Skewness at the horizon: the sample's over the root of the periods.
    pub skewness: f64,
    /// Excess kurtosis at the horizon: the sample's over the periods.
    pub excess_kurtosis: f64,
    /// Whether the transform rises everywhere: the domain of Maillard (2012).
    pub is_in_domain: bool,
    /// Value at risk of the rearranged transform; the formula's own inside the domain.
    pub coherent_value_at_risk: f64,
    /// Expected shortfall of the rearranged transform; the formula's own inside the domain.
    pub coherent_expected_shortfall: f64,
}

/// `w(z)` as a cubic, lowest power first.
#[derive(Clone, Copy, Debug)]
struct Transform {
    coefficients: [f64; 4],
}

pub(super) fn tail_risk(
    series: Series<'_>,
    confidence: Confidence,
    horizon: u32,
) -> Result<TailRisk, VarError> {
    let moments = series.moments();
    let periods = f64::from(horizon);
    let constant = || StatsError::Constant { series: series.name() };
    let skewness = moments.skewness().ok_or_else(constant)? / periods.sqrt();
    let excess_kurtosis = moments.excess_kurtosis().ok_or_else(constant)? / periods;
    let mean = moments.mean * periods;
    let deviation = moments.deviation(1) * periods.sqrt();
    let transform = Transform::new(skewness, excess_kurtosis);
    let loss = |standard: f64| -(mean + deviation * standard);
    let z = Normal::standard().inverse_cdf(confidence.tail());
    let value_at_risk = loss(transform.at(z));
    let tail_mean = transform.partial_mean(-Z_MAX, z) / confidence.tail();
    let expected_shortfall = loss(tail_mean).max(value_at_risk);
    let is_in_domain = transform.is_rising();
    let (coherent_value_at_risk, coherent_expected_shortfall) = if is_in_domain {
        (value_at_risk, expected_shortfall)
    } else {
        let (quantile, tail_mean) = transform.rearranged_tail(confidence.tail());
        (loss(quantile), loss(tail_mean).max(loss(quantile)))
    };
    Ok(TailRisk {
        method: Method::CornishFisher,
        confidence: confidence.level(),
        horizon_periods: horizon,
        horizon_rule: independent_sums(horizon),
        observations: series.len(),
        value_at_risk,
        expected_shortfall,
        tail_observations: series.len() as f64 * confidence.tail(),
        cornish_fisher: Some(CornishFisher {
            skewness,
            excess_kurtosis,
            is_in_domain,
            coherent_value_at_risk,
            coherent_expected_shortfall,
        }),
    })
}

// === impl Transform ===

impl Transform {
    fn new(skewness: f64, excess_kurtosis: f64) -> Self {
        let (s, k) = (skewness / 6.0, excess_kurtosis / 24.0);
        // S^2/36 is s^2.
        let coefficients = [-s, 1.0 - 3.0 * k + 5.0 * s * s, s, k - 2.0 * s * s];
        Self { coefficients }
    }

    fn at(&self, z: f64) -> f64 {
        let [c0, c1, c2, c3] = self.coefficients;
        ((c3 * z + c2) * z + c1) * z + c0
    }

    /// Where the slope `c1 + 2 c2 z + 3 c3 z^2` is zero, ascending.
    fn turning_points(&self) -> Vec<f64> {
        let [_, c1, c2, c3] = self.coefficients;
        let (a, half_b) = (3.0 * c3, c2);
        let discriminant = half_b * half_b - a * c1;
        if a == 0.0 {
            return if half_b == 0.0 { Vec::new() } else { vec![-c1 / (2.0 * half_b)] };
        }
        if discriminant <= 0.0 {
            return Vec::new();
        }
        // The form that does not cancel: the product of the roots is c1 / a.
        let larger = -(half_b + discriminant.sqrt().copysign(half_b));
        let mut roots = vec![larger / a];
        if larger != 0.0 {
            roots.push(c1 / larger);
        }
        roots.sort_by(f64::total_cmp);
        roots
    }

    /// The condition of Maillard (2012): the slope is nowhere negative.
    fn is_rising(&self) -> bool {
        self.turning_points().is_empty() && self.coefficients[1] > 0.0
    }

    /// The stretches of `z` over which the transform is monotone.
    fn stretches(&self) -> Vec<(f64, f64)> {
        let mut cuts = vec![-Z_MAX];
        cuts.extend(self.turning_points().into_iter().filter(|z| z.abs() < Z_MAX));
        cuts.push(Z_MAX);
        cuts.iter().zip(cuts.iter().skip(1)).map(|(a, b)| (*a, *b)).collect()
    }

    /// The parts of `z` on which the transform is at most `level`.
    fn below(&self, level: f64) -> Vec<(f64, f64)> {
        let mut parts = Vec::new();
        for (start, end) in self.stretches() {
            let (first, last) = (self.at(start) <= level, self.at(end) <= level);
            match (first, last) {
                (true, true) => parts.push((start, end)),
                (true, false) => parts.push((start, self.crossing(start, end, level))),
                (false, true) => parts.push((self.crossing(end, start, level), end)),
                (false, false) => {}
            }
        }
        parts
    }

    /// Where the transform passes `level` between `inside` (at most it) and `outside` (above it).
    fn crossing(&self, mut inside: f64, mut outside: f64, level: f64) -> f64 {
        for _ in 0..200 {
            let middle = f64::midpoint(inside, outside);
            if middle.to_bits() == inside.to_bits() || middle.to_bits() == outside.to_bits() {
                break;
            }
            if self.at(middle) <= level { inside = middle } else { outside = middle }
        }
        inside
    }

    /// The quantile of `w(Z)` at `probability` and its mean up to there.
    fn rearranged_tail(&self, probability: f64) -> (f64, f64) {
        let unit = Normal::standard();
        let mass = |level: f64| -> f64 {
            self.below(level).iter().map(|(a, b)| unit.cdf(*b) - unit.cdf(*a)).sum()
        };
        let reach = self.at(-Z_MAX).abs().max(self.at(Z_MAX).abs());
        let turns = self.turning_points();
        let reach = turns.iter().fold(reach, |r, z| r.max(self.at(z.clamp(-Z_MAX, Z_MAX)).abs()));
        let (mut low, mut high) = (-reach, reach);
        for _ in 0..200 {
            let middle = f64::midpoint(low, high);
            if mass(middle) < probability { low = middle } else { high = middle }
        }
        let parts = self.below(high);
        let found: f64 = parts.iter().map(|(a, b)| unit.cdf(*b) - unit.cdf(*a)).sum();
        let mean: f64 = parts.iter().map(|(a, b)| self.partial_mean(*a, *b)).sum();
        // What bisection leaves over lies at the quantile itself.
        (high, (mean + (probability - found) * high) / probability)
    }

    /// The integral of `w(z) phi(z)` from `a` to `b`: `z^n phi` integrates to
    /// `-(z^(n-1)) phi + (n-1)` times the integral of `z^(n-2) phi`.
    fn partial_mean(&self, a: f64, b: f64) -> f64 {
        let unit = Normal::standard();
        let [c0, c1, c2, c3] = self.coefficients;
        let (pa, pb) = (unit.pdf(a), unit.pdf(b));
        let i0 = unit.cdf(b) - unit.cdf(a);
        let i1 = pa - pb;
        let i2 = a * pa - b * pb + i0;
        let i3 = a * a * pa - b * b * pb + 2.0 * i1;
        c0 * i0 + c1 * i1 + c2 * i2 + c3 * i3
    }
}

/// The rearranged quantile, the formula's, and whether the transform rises, without a sample.
#[cfg(test)]
pub(super) fn probe(skewness: f64, excess_kurtosis: f64, probability: f64) -> (f64, f64, bool) {
    let transform = Transform::new(skewness, excess_kurtosis);
    let z = Normal::standard().inverse_cdf(probability);
    (transform.rearranged_tail(probability).0, transform.at(z), transform.is_rising())
}
