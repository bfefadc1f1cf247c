//! Returns for tests, from a linear congruential generator that any language can repeat.
//!
//! The expected numbers in the tests were computed in Python on the same series, with NumPy 2.4.6,
//! SciPy 1.17.1, scikit-learn 1.9.1, PyPortfolioOpt 1.6.0 and skfolio 1.12.2.

use crate::stats::AssetReturns;

/// Uniform numbers in [0, 1): `s = 1103515245 s + 12345 mod 2^31`.
pub(crate) fn uniform(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = (state * 1_103_515_245 + 12_345) % (1 << 31);
            f64::from(u32::try_from(state).unwrap()) / f64::from(1_u32 << 31)
        })
        .collect()
}

/// Aligned returns with a common factor, the same as the reference script's.
pub(crate) fn panel(assets: usize, periods: usize, seed: u64) -> Vec<Vec<f64>> {
    let u = uniform(assets * periods + periods, seed);
    (0..assets)
        .map(|asset| {
            let (a, own) = (asset as f64, periods + asset * periods);
            (0..periods)
                .map(|t| {
                    let (f, e) = (u[t] - 0.5, u[own + t] - 0.5);
                    0.0004 * (a + 1.0)
                        + 0.02 * f * (0.5 + 0.1 * a)
                        + 0.01 * (1 + asset % 3) as f64 * e
                        + 0.05 * e.powi(3)
                })
                .collect()
        })
        .collect()
}

/// [`panel`], checked.
pub(crate) fn returns(assets: usize, periods: usize, seed: u64) -> AssetReturns {
    AssetReturns::try_new(panel(assets, periods, seed), 2).unwrap()
}

/// Fails unless two numbers agree to a relative tolerance.
#[track_caller]
pub(crate) fn near(actual: f64, expected: f64, tolerance: f64) {
    let difference = (actual - expected).abs();
    assert!(
        difference <= tolerance * expected.abs().max(1e-12),
        "{actual:e} is not {expected:e} to {tolerance:e}"
    );
}

/// Returns whose variance clusters and rises after falls: a GJR recursion with shocks that are
/// sums of twelve uniform numbers less six; with `power` above one their tails grow heavier.
pub(crate) fn clustered(periods: usize, seed: u64, power: f64) -> Vec<f64> {
    let u = uniform(12 * periods, seed);
    let mut variance = 1e-4_f64;
    u.chunks_exact(12)
        .map(|twelve| {
            let sum = twelve.iter().sum::<f64>() - 6.0;
            let shock = variance.sqrt() * sum.signum() * sum.abs().powf(power);
            let reaction = if shock < 0.0 { 0.12 } else { 0.05 };
            variance = 2e-6 + reaction * shock * shock + 0.88 * variance;
            0.0005 + shock
        })
        .collect()
}
