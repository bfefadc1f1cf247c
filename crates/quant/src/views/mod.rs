//! Decides what to expect of assets when a market's prices and somebody's views are both believed
//! in part.
//!
//! The market's weights imply the returns `pi = delta S w` under which they are the best; views
//! are returns of portfolios with an uncertainty each. Black & Litterman (1992) combine both as
//! normal distributions, in the form of He & Litterman (1999, "The intuition behind
//! Black-Litterman model portfolios"), whose posterior here is computed by the update
//!
//! ```text
//! K = tau S P' (P tau S P' + Omega)^-1
//! mean = pi + K (Q - P pi)
//! covariance = S + tau S - K P tau S
//! ```
//!
//! which needs no inverse of `S` or of `Omega`, so that a singular covariance and a view held with
//! certainty are ordinary cases.
//!
//! # Invariants
//!
//! * `tau` scales the uncertainty of the prior once, and that of views only where it is derived
//!   from the prior; a given `Omega` is taken as it is.
//! * Without a view the posterior mean is the prior's.

use nalgebra::{DMatrix, DVector};
use thiserror::Error;

use crate::{
    covariance::{BlockedCholesky, Covariance},
    portfolio::{Estimates, PortfolioError},
    stats::{Series, StatsError},
};

/// A pivot of the views' covariance below this share is dependence.
const PIVOT_SHARE_MIN: f64 = 1e-12;
/// How far market weights may be from one in sum.
const SUM_TOLERANCE: f64 = 1e-9;

/// Why views cannot be taken.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum ViewError {
    /// Numbers that are unusable.
    #[error(transparent)]
    Numbers(#[from] StatsError),
    /// An input does not have the length that it needs.
    #[error("{field} has {len} entries; {required} are needed")]
    Length {
        /// The input.
        field: &'static str,
        /// Its length.
        len: usize,
        /// The length that is needed.
        required: usize,
    },
    /// A parameter outside its range.
    #[error("{field} {value} must be {rule}")]
    Parameter {
        /// The parameter.
        field: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        rule: &'static str,
    },
    /// A value of one view outside its range.
    #[error("{field} of view {view} is {value}; it must be {rule}")]
    View {
        /// What of the view.
        field: &'static str,
        /// The view, from zero.
        view: usize,
        /// The value.
        value: f64,
        /// What it must be.
        rule: &'static str,
    },
    /// A view on no asset.
    #[error("view {view} has no loading on any asset")]
    Empty {
        /// The view, from zero.
        view: usize,
    },
    /// Market weights that do not sum to one.
    #[error("market weights sum to {0}; they must sum to 1")]
    MarketSum(f64),
    /// A view has no uncertainty where none is left: it repeats others, or its portfolio has no
    /// variance.
    #[error(
        "view {view} has no uncertainty, but its portfolio has no variance or is determined by \
         the views before it: they cannot all be taken"
    )]
    Dependent {
        /// The view, from zero.
        view: usize,
    },
    /// The posterior is unusable.
    #[error(transparent)]
    Posterior(#[from] PortfolioError),
}

/// What is expected before views, per period.
#[derive(Clone, Debug, PartialEq)]
pub enum Prior {
    /// The returns for which the market holds its weights: `delta S w` (Sharpe 1974's reverse
    /// optimisation), over the risk-free return.
    Equilibrium {
        /// The market's weights, summing to one.
        market_weights: Vec<f64>,
        /// What the market pays for a unit of variance; positive.
        risk_aversion: f64,
        /// The risk-free return per period, added to each asset's.
        risk_free: f64,
    },
    /// Returns from elsewhere.
    Mean(Vec<f64>),
}

/// One view: a portfolio and the return that it is believed to have.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Weight of each asset in the portfolio: a one for an absolute view, one and minus one for a
    /// view of one asset against another.
    pub loadings: Vec<f64>,
    /// The portfolio's return per period.
    pub expected_return: f64,
}

/// How sure views are.
#[derive(Clone, Debug, PartialEq)]
pub enum Uncertainty {
    /// As sure as the prior is of the same portfolios: `diag(tau P S P')` (He & Litterman 1999).
    Proportional,
    /// A confidence a view, from 0 to 1 (Idzorek 2005): `tau p'S p (1 - c) / c`, which moves the
    /// weights by the share `c` of what certainty would (Walters 2014, section 4). Zero leaves a
    /// view out, one takes it as certain.
    Confidences(Vec<f64>),
    /// The variance of each view's error, per period.
    Variances(Vec<f64>),
    /// The covariance of the views' errors, by rows.
    Covariance(Vec<Vec<f64>>),
}

/// What is expected with the views taken in.
#[derive(Clone, Debug, PartialEq)]
pub struct Posterior {
    /// Mean and covariance per period; the covariance holds the uncertainty of the mean as well.
    pub estimates: Estimates,
    /// Expected returns before the views.
    pub prior: Vec<f64>,
    /// The covariance of the posterior mean alone, by rows.
    pub mean_uncertainty: Vec<Vec<f64>>,
}

/// Takes views in.
///
/// `tau` is the variance of the prior mean as a share of the assets' own: positive, in the
/// literature from 0.01 to 0.05, or one over the number of periods.
///
/// # Errors
///
/// [`ViewError`], with the view and the value at fault.
pub fn black_litterman(
    covariance: &Covariance,
    prior: &Prior,
    (views, uncertainty): (&[View], &Uncertainty),
    tau: f64,
) -> Result<Posterior, ViewError> {
    positive("tau", tau)?;
    let matrix = covariance.matrix();
    let assets = matrix.nrows();
    let prior = prior.mean(matrix)?;
    check_views(views, assets)?;
    let (kept, omega) = uncertainty.matrix(views, matrix, tau)?;
    let loadings = DMatrix::from_fn(kept.len(), assets, |k, asset| views[kept[k]].loadings[asset]);
    let uncertain = matrix * tau;
    // P tau S, and what the views' returns vary by.
    let cross = &loadings * &uncertain;
    let spread = &cross * loadings.transpose() + omega;
    let factor = BlockedCholesky::try_new(spread, PIVOT_SHARE_MIN)
        .map_err(|view| ViewError::Dependent { view: kept[view] })?;
    let means = DVector::from_vec(prior.clone());
    let expected = &loadings * &means;
    let mut surprise: Vec<f64> =
        kept.iter().zip(expected.iter()).map(|(k, e)| views[*k].expected_return - e).collect();
    factor.solve(&mut surprise);
    let mean = means + cross.tr_mul(&DVector::from_vec(surprise));
    let mut learnt = cross.clone();
    for mut column in learnt.column_iter_mut() {
        factor.solve(column.as_mut_slice());
    }
    let reduction = cross.transpose() * learnt;
    let rest = DMatrix::from_fn(assets, assets, |i, j| {
        uncertain[(i, j)] - f64::midpoint(reduction[(i, j)], reduction[(j, i)])
    });
    let posterior = Covariance::plain(matrix + &rest);
    Ok(Posterior {
        estimates: Estimates::of(mean.iter().copied().collect(), posterior)?,
        prior,
        mean_uncertainty: rest.row_iter().map(|row| row.iter().copied().collect()).collect(),
    })
}

fn check_views(views: &[View], assets: usize) -> Result<(), ViewError> {
    for (view, own) in views.iter().enumerate() {
        let len = own.loadings.len();
        if len != assets {
            return Err(ViewError::Length { field: "loadings", len, required: assets });
        }
        Series::try_new("loadings", &own.loadings, 1)?;
        if own.loadings.iter().all(|l| l.abs() <= 0.0) {
            return Err(ViewError::Empty { view });
        }
        let value = own.expected_return;
        if !value.is_finite() {
            let (field, rule) = ("expected_return", "finite");
            return Err(ViewError::View { field, view, value, rule });
        }
    }
    Ok(())
}

fn positive(field: &'static str, value: f64) -> Result<(), ViewError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(ViewError::Parameter { field, value, rule: "positive and finite" })
}

// === impl Prior ===

impl Prior {
    fn mean(&self, matrix: &DMatrix<f64>) -> Result<Vec<f64>, ViewError> {
        let assets = matrix.nrows();
        let (field, values) = match self {
            Self::Equilibrium { market_weights, .. } => ("market_weights", market_weights),
            Self::Mean(mean) => ("mean", mean),
        };
        if values.len() != assets {
            return Err(ViewError::Length { field, len: values.len(), required: assets });
        }
        Series::try_new(field, values, 1)?;
        let Self::Equilibrium { risk_aversion, risk_free, .. } = self else {
            return Ok(values.clone());
        };
        positive("risk_aversion", *risk_aversion)?;
        if !risk_free.is_finite() {
            let rule = "finite";
            return Err(ViewError::Parameter { field: "risk_free", value: *risk_free, rule });
        }
        let sum: f64 = values.iter().sum();
        if (sum - 1.0).abs() > SUM_TOLERANCE {
            return Err(ViewError::MarketSum(sum));
        }
        let exposure = matrix * DVector::from_column_slice(values);
        Ok(exposure.iter().map(|e| risk_aversion * e + risk_free).collect())
    }
}

// === impl Uncertainty ===

impl Uncertainty {
    /// The views that count, and the covariance of their errors.
    fn matrix(
        &self,
        views: &[View],
        matrix: &DMatrix<f64>,
        tau: f64,
    ) -> Result<(Vec<usize>, DMatrix<f64>), ViewError> {
        let all = (0..views.len()).collect();
        let of_prior = |view: usize| {
            let loadings = DVector::from_column_slice(&views[view].loadings);
            tau * (matrix * &loadings).dot(&loadings).max(0.0)
        };
        let diagonal = |values: Vec<f64>| DMatrix::from_diagonal(&DVector::from_vec(values));
        match self {
            Self::Proportional => {
                let values = (0..views.len()).map(of_prior).collect();
                Ok((all, diagonal(values)))
            }
            Self::Confidences(confidences) => {
                let rule = "between 0 and 1";
                each("confidence", confidences, views.len(), (rule, |c| (0.0..=1.0).contains(&c)))?;
                let kept: Vec<usize> =
                    (0..views.len()).filter(|view| confidences[*view] > 0.0).collect();
                let doubt = |view: &usize| (1.0 - confidences[*view]) / confidences[*view];
                let values = kept.iter().map(|view| of_prior(*view) * doubt(view)).collect();
                Ok((kept, diagonal(values)))
            }
            Self::Variances(variances) => {
                let rule = "zero or positive and finite";
                each("variance", variances, views.len(), (rule, |v| v.is_finite() && v >= 0.0))?;
                Ok((all, diagonal(variances.clone())))
            }
            Self::Covariance(rows) => {
                if rows.len() != views.len() {
                    let (len, required) = (rows.len(), views.len());
                    return Err(ViewError::Length { field: "omega", len, required });
                }
                if rows.is_empty() {
                    return Ok((all, DMatrix::zeros(0, 0)));
                }
                let omega = Covariance::try_from_rows(rows).map_err(PortfolioError::from)?;
                Ok((all, omega.matrix().clone()))
            }
        }
    }
}

/// Checks one value a view.
fn each(
    field: &'static str,
    values: &[f64],
    views: usize,
    (rule, is_valid): (&'static str, fn(f64) -> bool),
) -> Result<(), ViewError> {
    if values.len() != views {
        return Err(ViewError::Length { field, len: values.len(), required: views });
    }
    match values.iter().position(|v| !is_valid(*v)) {
        Some(view) => Err(ViewError::View { field, view, value: values[view], rule }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
