//! Volatility that moves: the model of Heston (1993) by the quadratic-exponential scheme.
//!
//! The scheme is that of Andersen (2008, "Simple and efficient simulation of the Heston stochastic
//! volatility model"), sections 3.2 and 4.3, with the martingale correction, so that the mean of the
//! price is exact for any step. The variance of the next step has the right mean and variance: a
//! squared normal where it is far from zero, an exponential with an atom at zero where it is near.

use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{
    SimulateError,
    process::{Steps, refuse},
};
use crate::distribution::normal_cdf;

/// Between the two laws of the next variance (Andersen 2008, section 3.2.3).
const SWITCH: f64 = 1.5;

/// `d ln S = (drift - v/2) dt + sqrt(v) dW`, `dv = reversion (long_run - v) dt + vol_of_vol sqrt(v)
/// dB`, with `W` and `B` correlated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heston {
    /// Growth of the mean per year.
    pub drift: f64,
    /// Variance per year at the start: a volatility of 20 % is 0.04.
    pub initial_variance: f64,
    /// Variance per year to which it returns.
    pub long_run_variance: f64,
    /// How fast it returns, per year.
    pub reversion: f64,
    /// Volatility of the variance, per year.
    pub volatility_of_variance: f64,
    /// Correlation of price and variance: negative when falls make volatility.
    pub correlation: f64,
}

/// Constants of one step.
pub(super) struct HestonSteps {
    initial_variance: f64,
    long_run: f64,
    keep: f64,
    /// What the present and the long-run variance add to the variance of the next.
    spread: (f64, f64),
    drift: f64,
    k0: f64,
    k1: f64,
    k2: f64,
    k3: f64,
    k4: f64,
}

// === impl Heston ===

impl Heston {
    pub(super) fn check(&self) -> Result<(), SimulateError> {
        if !(self.drift.is_finite() && self.drift.abs() <= 1e3) {
            return Err(refuse("drift", self.drift, "finite and at most 1e3 in size"));
        }
        for (field, value) in [
            ("initial_variance", self.initial_variance),
            ("long_run_variance", self.long_run_variance),
        ] {
            if !(0.0..=1e6).contains(&value) {
                return Err(refuse(field, value, "zero or positive and at most 1e6"));
            }
        }
        for (field, value) in
            [("reversion", self.reversion), ("volatility_of_variance", self.volatility_of_variance)]
        {
            if !(1e-8..=1e4).contains(&value) {
                return Err(refuse(field, value, "positive, from 1e-8 to 1e4"));
            }
        }
        if !(-1.0..=1.0).contains(&self.correlation) {
            return Err(refuse("correlation", self.correlation, "between -1 and 1"));
        }
        Ok(())
    }

    /// How far the logarithm may plausibly go, by the variance expected over the horizon.
    pub(super) fn log_growth(&self, years: f64) -> f64 {
        let reached = -(-self.reversion * years).exp_m1() / self.reversion;
        let variance = self.long_run_variance * years
            + (self.initial_variance - self.long_run_variance) * reached;
        self.drift.abs() * years + variance / 2.0 + 10.0 * variance.max(0.0).sqrt()
    }

    pub(super) fn steps(&self, dt: f64) -> HestonSteps {
        let (kappa, theta, xi) =
            (self.reversion, self.long_run_variance, self.volatility_of_variance);
        let rho = self.correlation;
        let keep = (-kappa * dt).exp();
        let lost = -(-kappa * dt).exp_m1();
        // Central weights: the variance of a step is the mean of its ends.
        let slope = kappa * rho / xi - 0.5;
        let rest = dt / 2.0 * (1.0 - rho * rho);
        HestonSteps {
            initial_variance: self.initial_variance,
            long_run: theta,
            keep,
            spread: (xi * xi * keep * lost / kappa, theta * xi * xi * lost * lost / (2.0 * kappa)),
            drift: self.drift * dt,
            k0: -rho * kappa * theta / xi * dt,
            k1: dt / 2.0 * slope - rho / xi,
            k2: dt / 2.0 * slope + rho / xi,
            k3: rest,
            k4: rest,
        }
    }
}

// === impl HestonSteps ===

impl HestonSteps {
    /// The next variance, and the constant that keeps the mean of the price.
    fn next_variance(&self, variance: f64, normal: f64) -> (f64, f64) {
        let mean = self.long_run + (variance - self.long_run) * self.keep;
        let spread = variance * self.spread.0 + self.spread.1;
        if mean <= 0.0 {
            return (0.0, self.corrected(variance, Some(0.0)));
        }
        let psi = spread / (mean * mean);
        let weight = self.k2 + self.k4 / 2.0;
        if psi <= SWITCH {
            let inverse = 2.0 / psi;
            let b2 = inverse - 1.0 + inverse.sqrt() * (inverse - 1.0).sqrt();
            let a = mean / (1.0 + b2);
            let next = a * (b2.sqrt() + normal).powi(2);
            // E[exp(A v)] of a squared normal.
            let room = 1.0 - 2.0 * weight * a;
            let log_mean = (room > 0.0).then(|| weight * b2 * a / room - room.ln() / 2.0);
            return (next, self.corrected(variance, log_mean));
        }
        let atom = (psi - 1.0) / (psi + 1.0);
        let rate = (1.0 - atom) / mean;
        // One less the uniform number, of the lower tail, where probabilities keep their digits.
        let above = normal_cdf(-normal);
        let next = if above >= 1.0 - atom { 0.0 } else { ((1.0 - atom) / above).ln() / rate };
        let log_mean = (weight < rate).then(|| (atom + rate * (1.0 - atom) / (rate - weight)).ln());
        (next, self.corrected(variance, log_mean))
    }

    /// Andersen's `K0*`; where the mean that it divides by does not exist, his `K0`.
    fn corrected(&self, variance: f64, log_mean: Option<f64>) -> f64 {
        log_mean.map_or(self.k0, |log_mean| -log_mean - (self.k1 + self.k3 / 2.0) * variance)
    }
}

impl Steps for HestonSteps {
    type State = f64;
    /// The normals of variance and price.
    type Shock = (f64, f64);

    fn initial(&self) -> f64 {
        self.initial_variance
    }

    fn draw(&self, stream: &mut Xoshiro256PlusPlus) -> (f64, f64) {
        (StandardNormal.sample(stream), StandardNormal.sample(stream))
    }

    fn advance(&self, variance: &mut f64, (moving, price): &(f64, f64), sign: f64) -> f64 {
        let before = *variance;
        let (next, constant) = self.next_variance(before, moving * sign);
        *variance = next;
        let noise = (self.k3 * before + self.k4 * next).max(0.0).sqrt() * price * sign;
        self.drift + constant + self.k1 * before + self.k2 * next + noise
    }
}
