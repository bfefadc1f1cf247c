//! Variances of the periods to come.

use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal, StudentT};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Dynamics, GarchFit, VolatilityError, next_variance_after};
use crate::{simulate::Estimate, volatility::FORECAST_MAX};

/// The fewest and the most simulated paths.
const PATHS: std::ops::RangeInclusive<usize> = 100..=10_000_000;

// === impl GarchFit ===

impl GarchFit {
    /// What remains of a shock to the variance after one period, as a share: `alpha + gamma/2 +
    /// beta`, or `beta` for EGARCH. At one, shocks never die out.
    pub fn persistence(&self) -> f64 {
        let figure = |coefficient: Option<f64>| coefficient.unwrap_or(0.0);
        let c = &self.coefficients;
        match self.specification.dynamics {
            Dynamics::Egarch => figure(c.beta),
            Dynamics::Garch | Dynamics::Gjr => {
                figure(c.alpha) + figure(c.gamma) / 2.0 + figure(c.beta)
            }
        }
    }

    /// The variance to which forecasts return; `None` when shocks never die out, and for EGARCH,
    /// whose mean variance has no closed form.
    pub fn unconditional_variance(&self) -> Option<f64> {
        let omega = self.coefficients.omega.filter(|_| {
            self.specification.dynamics != Dynamics::Egarch && self.persistence() < 1.0 - 1e-12
        })?;
        Some(omega / (1.0 - self.persistence()))
    }

    /// The expected variance of each of the next periods, the next one first.
    ///
    /// # Errors
    ///
    /// [`VolatilityError::Horizon`]; [`VolatilityError::NoClosedForecast`] for EGARCH beyond one
    /// period.
    pub fn variance_forecast(&self, horizon_periods: u32) -> Result<Vec<f64>, VolatilityError> {
        let periods = checked_horizon(horizon_periods)?;
        if self.specification.dynamics == Dynamics::Egarch && periods > 1 {
            return Err(VolatilityError::NoClosedForecast(horizon_periods));
        }
        let (omega, persistence) = (self.coefficients.omega.unwrap_or(0.0), self.persistence());
        let mut variance = self.next_variance;
        let mut forecast = Vec::with_capacity(periods);
        for _ in 0..periods {
            forecast.push(variance);
            variance = omega + persistence * variance;
        }
        Ok(forecast)
    }

    /// The expected variance of each of the next periods by simulation with the model's own
    /// innovations, each with its standard error. The first one is known and has none.
    ///
    /// # Errors
    ///
    /// [`VolatilityError::Horizon`] or [`VolatilityError::Paths`].
    pub fn simulated_forecast(
        &self,
        horizon_periods: u32,
        paths: usize,
        seed: u64,
    ) -> Result<Vec<Estimate>, VolatilityError> {
        let periods = checked_horizon(horizon_periods)?;
        if !PATHS.contains(&paths) {
            return Err(VolatilityError::Paths(paths));
        }
        let mut stream = Xoshiro256PlusPlus::seed_from_u64(seed);
        let student = self
            .coefficients
            .degrees_of_freedom
            .map(|nu| (StudentT::new(nu).expect("invariant: a fit has nu above two"), nu));
        let mut sums = vec![(0.0, 0.0); periods];
        for _ in 0..paths {
            let mut variance = self.next_variance;
            for (sum, squares) in &mut sums {
                // Against the known first one, so that squares do not cancel.
                let excess = variance - self.next_variance;
                *sum += excess;
                *squares += excess * excess;
                let z = match student {
                    Some((t, nu)) => t.sample(&mut stream) * ((nu - 2.0) / nu).sqrt(),
                    None => StandardNormal.sample(&mut stream),
                };
                variance = next_variance_after(self, variance, z);
            }
        }
        let n = paths as f64;
        let describe = |(sum, squares): (f64, f64)| {
            let mean = sum / n;
            let spread = (squares - sum * mean).max(0.0) / (n - 1.0);
            Estimate { value: self.next_variance + mean, standard_error: (spread / n).sqrt() }
        };
        Ok(sums.into_iter().map(describe).collect())
    }
}

fn checked_horizon(horizon_periods: u32) -> Result<usize, VolatilityError> {
    if horizon_periods == 0 || horizon_periods > FORECAST_MAX {
        return Err(VolatilityError::Horizon(horizon_periods));
    }
    Ok(usize::try_from(horizon_periods).expect("invariant: a u32 fits into a usize"))
}
