//! Decides weights whose shares of risk are given: risk parity when they are equal.
//!
//! Weights with `w_i (S w)_i = b_i w'S w` (Maillard, Roncalli & Teiletche 2010) are those of the
//! one minimum of `y'S y / 2 - sum b_i ln y_i`, scaled to sum to one (Spinu 2013, "An algorithm for
//! computing risk parity weights"). Coordinates are minimised in turn (Griveau-Billion, Richard &
//! Roncalli 2013), each exactly, on correlations, so that scales do not matter; where that is slow,
//! Spinu's damped Newton steps finish. The certificate is the definition itself: the largest
//! difference between a share of risk and its budget.

use nalgebra::DMatrix;

use super::PortfolioError;
use crate::{
    covariance::{BlockedCholesky, Covariance, CovarianceError},
    stats::Series,
};

/// The largest difference of a share of risk from its budget that is accepted.
pub const BUDGET_ERROR_MAX: f64 = 1e-8;
/// What the iteration aims for.
const BUDGET_ERROR_AIM: f64 = 1e-13;
/// Sweeps over all coordinates before Newton takes over.
const SWEEPS_MAX: u32 = 300;
/// Newton steps.
const STEPS_MAX: u32 = 200;
/// A long-only mix with less than this share of its assets' own variance has none.
const RISKLESS_SHARE: f64 = 1e-12;

/// Weights with given shares of risk.
#[derive(Clone, Debug, PartialEq)]
pub struct RiskBudgeted {
    /// One positive weight an asset, summing to one.
    pub weights: Vec<f64>,
    /// The share of each asset in the variance, summing to one.
    pub risk_shares: Vec<f64>,
    /// Standard deviation per period.
    pub volatility: f64,
    /// The largest difference of a share from its budget, at most [`BUDGET_ERROR_MAX`].
    pub error: f64,
    /// Sweeps and steps.
    pub iterations: u32,
}

/// The state of the minimisation, on correlations.
struct Descent<'a> {
    correlation: &'a DMatrix<f64>,
    budgets: &'a [f64],
    /// Positive coordinates: weight times deviation, not scaled.
    z: Vec<f64>,
    /// Correlation times `z`.
    image: Vec<f64>,
}

/// Equal shares of risk.
///
/// # Errors
///
/// As [`risk_budgets`].
pub fn risk_parity(covariance: &Covariance) -> Result<RiskBudgeted, PortfolioError> {
    let assets = covariance.asset_count();
    risk_budgets(covariance, &vec![1.0 / assets as f64; assets])
}

/// Positive weights whose shares of the variance are `budgets`, positive and summing to one.
///
/// # Errors
///
/// [`PortfolioError::Length`], [`PortfolioError::Budget`] and [`PortfolioError::BudgetSum`];
/// [`PortfolioError::Covariance`] for a constant asset, which can have no share;
/// [`PortfolioError::RisklessMix`] when a long-only mix has no variance, so that its shares are
/// undefined; [`PortfolioError::BudgetNotReached`].
pub fn risk_budgets(
    covariance: &Covariance,
    budgets: &[f64],
) -> Result<RiskBudgeted, PortfolioError> {
    let matrix = covariance.matrix();
    let assets = matrix.nrows();
    check(budgets, assets)?;
    if let Some(asset) = (0..assets).find(|i| matrix[(*i, *i)] <= 0.0) {
        return Err(CovarianceError::ConstantAsset { asset }.into());
    }
    let deviation: Vec<f64> = matrix.diagonal().iter().map(|v| v.sqrt()).collect();
    let correlation = DMatrix::from_fn(assets, assets, |i, j| {
        if i == j { 1.0 } else { matrix[(i, j)] / deviation[i] / deviation[j] }
    });
    let mut descent = Descent::new(&correlation, budgets);
    let iterations = descent.run()?;
    let total: f64 = descent.z.iter().zip(&deviation).map(|(z, d)| z / d).sum();
    let weights: Vec<f64> = descent.z.iter().zip(&deviation).map(|(z, d)| z / d / total).collect();
    let variance: f64 = descent.z.iter().zip(&descent.image).map(|(z, m)| z * m).sum();
    let risk_shares: Vec<f64> =
        descent.z.iter().zip(&descent.image).map(|(z, m)| z * m / variance).collect();
    let error = risk_shares.iter().zip(budgets).map(|(s, b)| (s - b).abs()).fold(0.0_f64, f64::max);
    if error.is_nan() || error > BUDGET_ERROR_MAX {
        return Err(PortfolioError::BudgetNotReached { error });
    }
    Ok(RiskBudgeted {
        weights,
        risk_shares,
        volatility: variance.sqrt() / total,
        error,
        iterations,
    })
}

fn check(budgets: &[f64], assets: usize) -> Result<(), PortfolioError> {
    if budgets.len() != assets {
        return Err(PortfolioError::Length { field: "budgets", len: budgets.len(), assets });
    }
    Series::try_new("budgets", budgets, 1)?;
    if let Some(asset) = budgets.iter().position(|b| *b <= 0.0) {
        return Err(PortfolioError::Budget { asset, value: budgets[asset] });
    }
    let sum: f64 = budgets.iter().sum();
    if (sum - 1.0).abs() > super::WEIGHT_TOLERANCE {
        return Err(PortfolioError::BudgetSum(sum));
    }
    Ok(())
}

// === impl Descent ===

impl<'a> Descent<'a> {
    fn new(correlation: &'a DMatrix<f64>, budgets: &'a [f64]) -> Self {
        // Where correlations are all alike, this is the answer.
        let roots: Vec<f64> = budgets.iter().map(|b| b.sqrt()).collect();
        let mut descent = Self { correlation, budgets, z: roots, image: Vec::new() };
        descent.refresh();
        let square: f64 = descent.z.iter().zip(&descent.image).map(|(z, m)| z * m).sum();
        if square > 0.0 {
            for z in &mut descent.z {
                *z /= square.sqrt();
            }
            descent.refresh();
        }
        descent
    }

    fn refresh(&mut self) {
        let mut image = vec![0.0; self.z.len()];
        for (column, z) in self.correlation.column_iter().zip(&self.z) {
            for (sum, entry) in image.iter_mut().zip(column.iter()) {
                *sum += z * entry;
            }
        }
        self.image = image;
    }

    /// The largest difference of `z_i (C z)_i` from its budget.
    fn error(&self) -> f64 {
        let triples = self.z.iter().zip(&self.image).zip(self.budgets);
        triples.map(|((z, m), b)| (z * m - b).abs()).fold(0.0_f64, f64::max)
    }

    fn run(&mut self) -> Result<u32, PortfolioError> {
        let mut iterations = 0;
        let mut last = f64::INFINITY;
        while iterations < SWEEPS_MAX {
            iterations += 1;
            self.sweep();
            if iterations % 8 == 0 {
                self.refresh();
            }
            let error = self.error();
            if error <= BUDGET_ERROR_AIM {
                self.refresh();
                return Ok(iterations);
            }
            // Far from the end and slow, or at rounding: Newton decides.
            if iterations % 50 == 0 {
                if error > 0.5 * last {
                    break;
                }
                last = error;
            }
        }
        self.refresh();
        for _ in 0..STEPS_MAX {
            if self.error() <= BUDGET_ERROR_AIM || !self.newton_step() {
                break;
            }
            iterations += 1;
            let own: f64 = self.z.iter().map(|z| z * z).sum();
            let variance: f64 = self.z.iter().zip(&self.image).map(|(z, m)| z * m).sum();
            if variance <= RISKLESS_SHARE * own {
                return Err(PortfolioError::RisklessMix);
            }
        }
        Ok(iterations)
    }

    /// Minimises each coordinate in turn: the positive root of `z^2 + a z - b`.
    fn sweep(&mut self) {
        for i in 0..self.z.len() {
            let others = self.image[i] - self.z[i];
            let root = (others * others + 4.0 * self.budgets[i]).sqrt();
            // Of the two forms of the root, the one that does not cancel.
            let next = if others > 0.0 {
                2.0 * self.budgets[i] / (others + root)
            } else {
                (root - others) / 2.0
            };
            let change = next - self.z[i];
            self.z[i] = next;
            let column = self.correlation.column(i);
            for (sum, entry) in self.image.iter_mut().zip(column.iter()) {
                *sum += change * entry;
            }
        }
    }

    /// A Newton step, damped so that coordinates stay positive (Spinu 2013, section 2); false when
    /// it changes nothing.
    fn newton_step(&mut self) -> bool {
        let mut hessian = self.correlation.clone();
        let mut step: Vec<f64> = Vec::with_capacity(self.z.len());
        for (i, z) in self.z.iter().enumerate() {
            hessian[(i, i)] += self.budgets[i] / (z * z);
            step.push(self.image[i] - self.budgets[i] / z);
        }
        let gradient = step.clone();
        let Ok(factor) = BlockedCholesky::try_new(hessian, 0.0) else { return false };
        factor.solve(&mut step);
        let decrement: f64 = gradient.iter().zip(&step).map(|(g, s)| g * s).sum();
        let relative = step.iter().zip(&self.z).map(|(s, z)| (s / z).abs()).fold(0.0, f64::max);
        let is_close = relative < 0.5;
        let length = if is_close { 1.0 } else { 1.0 / (1.0 + relative) };
        let before = self.error();
        let old = self.z.clone();
        for (z, s) in self.z.iter_mut().zip(&step) {
            *z -= length * s;
        }
        self.refresh();
        if is_close && decrement.abs() < 1e-20 && self.error() >= before {
            self.z = old;
            self.refresh();
            return false;
        }
        true
    }
}
