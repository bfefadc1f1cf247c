//! Jump diffusion: a geometric Brownian path with lognormal jumps (Merton 1976).

use rand_distr::{Distribution, Poisson, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{
    SimulateError,
    process::{Steps, refuse},
};

/// The most jumps a year.
const JUMPS_MAX: f64 = 1e6;

/// `d ln S = (drift - volatility^2/2 - jumps k) dt + volatility dW + J dN`, with `J` normal, `N`
/// Poisson, and `k = E[e^J] - 1`, so that the mean grows with the drift whatever the jumps. Sampled
/// without discretisation error: the jumps of a step add to one normal of their number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Merton {
    /// Growth of the mean per year.
    pub drift: f64,
    /// Volatility of the diffusion per year, without the jumps.
    pub volatility: f64,
    /// How many jumps a year in the mean.
    pub jumps_per_year: f64,
    /// The mean logarithm of a jump: `-0.1` is a fall of about a tenth.
    pub jump_mean: f64,
    /// The deviation of that logarithm.
    pub jump_deviation: f64,
}

/// Constants of one step.
pub(super) struct MertonSteps {
    drift: f64,
    deviation: f64,
    counts: Option<Poisson<f64>>,
    jump_mean: f64,
    jump_deviation: f64,
}

// === impl Merton ===

impl Merton {
    pub(super) fn check(&self) -> Result<(), SimulateError> {
        let spread = "zero or positive and at most 1e3";
        for (field, value) in [("drift", self.drift), ("jump_mean", self.jump_mean)] {
            if !(value.is_finite() && value.abs() <= 1e3) {
                return Err(refuse(field, value, "finite and at most 1e3 in size"));
            }
        }
        for (field, value) in
            [("volatility", self.volatility), ("jump_deviation", self.jump_deviation)]
        {
            if !(0.0..=1e3).contains(&value) {
                return Err(refuse(field, value, spread));
            }
        }
        if !(0.0..=JUMPS_MAX).contains(&self.jumps_per_year) {
            let rule = "zero or positive and at most 1e6";
            return Err(refuse("jumps_per_year", self.jumps_per_year, rule));
        }
        Ok(())
    }

    /// The variance of the logarithm per year: of the diffusion and of the jumps.
    fn variance(&self) -> f64 {
        let jump = self.jump_mean * self.jump_mean + self.jump_deviation * self.jump_deviation;
        self.volatility * self.volatility + self.jumps_per_year * jump
    }

    /// The mean relative size of a jump.
    fn compensator(&self) -> f64 {
        (self.jump_mean + self.jump_deviation * self.jump_deviation / 2.0).exp_m1()
    }

    /// How far the logarithm may plausibly go.
    pub(super) fn log_growth(&self, years: f64) -> f64 {
        let variance = self.variance() * years;
        let jumps = self.jumps_per_year * years * (self.compensator() - self.jump_mean).abs();
        self.drift.abs() * years + variance / 2.0 + 10.0 * variance.sqrt() + jumps
    }

    pub(super) fn steps(&self, dt: f64) -> MertonSteps {
        let rate = self.jumps_per_year * dt;
        let drift = self.drift
            - self.volatility * self.volatility / 2.0
            - self.jumps_per_year * self.compensator();
        MertonSteps {
            drift: drift * dt,
            deviation: self.volatility * dt.sqrt(),
            counts: (rate > 0.0)
                .then(|| Poisson::new(rate).expect("invariant: a checked rate of jumps")),
            jump_mean: self.jump_mean,
            jump_deviation: self.jump_deviation,
        }
    }
}

// === impl MertonSteps ===

impl Steps for MertonSteps {
    type State = ();
    /// The diffusion's normal, how many jumps, and the normal of their sum.
    type Shock = (f64, f64, f64);

    fn initial(&self) {}

    fn draw(&self, stream: &mut Xoshiro256PlusPlus) -> (f64, f64, f64) {
        let diffusion = StandardNormal.sample(stream);
        let count = self.counts.map_or(0.0, |law| law.sample(stream));
        let size = if count > 0.0 { StandardNormal.sample(stream) } else { 0.0 };
        (diffusion, count, size)
    }

    fn advance(&self, (): &mut (), (diffusion, count, size): &(f64, f64, f64), sign: f64) -> f64 {
        let jumps = count * self.jump_mean + count.sqrt() * self.jump_deviation * size * sign;
        self.drift + self.deviation * diffusion * sign + jumps
    }
}
