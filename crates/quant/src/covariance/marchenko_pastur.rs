//! How large an eigenvalue can be by chance alone.
//!
//! Correlations of independent series have eigenvalues with the density of Marchenko & Pastur
//! (1967). Its variance is fitted to the spectrum, by least squares against a Gaussian kernel
//! density, as Lopez de Prado (2020, snippets 2.1 to 2.4) does; what lies above its upper edge is
//! signal. The minimum is sought over the whole range of the variance and not from one start.

use std::f64::consts::PI;

/// Where density and kernel are compared.
const POINTS: usize = 1_000;
/// Starts of the search, evenly over the range of the variance.
const GRID: usize = 200;
/// The range of the variance, open at both ends.
const VARIANCE_RANGE: (f64, f64) = (1e-5, 1.0 - 1e-5);
/// Beyond this many bandwidths a Gaussian kernel adds less than rounding.
const KERNEL_REACH: f64 = 8.5;

/// A fit of the density to a spectrum.
pub(super) struct Edge {
    /// The variance that noise explains.
    pub(super) variance: f64,
    /// The largest eigenvalue that noise explains.
    pub(super) eigenvalue_max: f64,
}

/// Fits the density to the eigenvalues of a correlation matrix, ascending.
pub(super) fn fit(spectrum: &[f64], periods: usize, bandwidth: f64) -> Edge {
    let assets = spectrum.len();
    let ratio = assets as f64 / periods as f64;
    // With fewer periods than assets the rest of the spectrum is zero, and no density is there.
    let zeros = assets.saturating_sub(periods - 1).min(assets - 1);
    let observed = if ratio > 1.0 { &spectrum[zeros..] } else { spectrum };
    let error = |variance: f64| misfit(observed, ratio, variance, bandwidth);
    let (low, high) = VARIANCE_RANGE;
    let step = (high - low) / GRID as f64;
    let at = |i: usize| low + step * i as f64;
    let errors: Vec<f64> = (0..=GRID).map(|i| error(at(i))).collect();
    let best = (1..=GRID).fold(0, |best, i| if errors[i] < errors[best] { i } else { best });
    let variance = golden(error, (at(best) - step).max(low), (at(best) + step).min(high));
    Edge { variance, eigenvalue_max: variance * (1.0 + ratio.sqrt()).powi(2) }
}

/// The sum of squared differences of density and kernel between the edges.
fn misfit(observed: &[f64], ratio: f64, variance: f64, bandwidth: f64) -> f64 {
    let least = variance * (1.0 - ratio.sqrt()).powi(2);
    let most = variance * (1.0 + ratio.sqrt()).powi(2);
    // Above a ratio of one, the density is that of the eigenvalues that are not zero.
    let mass = ratio.min(1.0);
    let norm = (observed.len() as f64) * bandwidth * (2.0 * PI).sqrt();
    let mut from = 0;
    (0..POINTS)
        .map(|i| {
            let x = least + (most - least) * i as f64 / (POINTS - 1) as f64;
            let root = ((most - x) * (x - least)).max(0.0).sqrt();
            let density = if x > 0.0 { root / (2.0 * PI * variance * x * mass) } else { 0.0 };
            while from < observed.len() && observed[from] < x - KERNEL_REACH * bandwidth {
                from += 1;
            }
            let kernel: f64 = observed[from..]
                .iter()
                .take_while(|v| **v <= x + KERNEL_REACH * bandwidth)
                .map(|v| (-0.5 * ((x - v) / bandwidth).powi(2)).exp())
                .sum();
            (kernel / norm - density).powi(2)
        })
        .sum()
}

/// Golden-section search for a minimum.
fn golden(error: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    let share = (5.0_f64.sqrt() - 1.0) / 2.0;
    for _ in 0..60 {
        let (a, b) = (high - share * (high - low), low + share * (high - low));
        if error(a) <= error(b) {
            high = b;
        } else {
            low = a;
        }
    }
    f64::midpoint(low, high)
}
