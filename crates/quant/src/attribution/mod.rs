//! Decides which position a portfolio's tail loss comes from: marginal, component, incremental.
//!
//! Value at risk and expected shortfall double when every position does, so that by Euler's rule
//! they are the sum of weight times derivative (Tasche 1999; Jorion 2007, section 7.2). The
//! derivative is the *marginal* figure of a position, the product its *component*. The
//! *incremental* figure is the portfolio's less that of the portfolio without the position, whose
//! money is not put elsewhere; for large positions it is far from the component.
//!
//! # Invariants
//!
//! * Components sum to the portfolio's figure.
//! * A loss is positive: a hedge has negative components.
//! * Without deviation there is no derivative: an error.

use thiserror::Error;

use crate::{
    distribution::{Student, normal_density, normal_quantile},
    joint::{Factor, JointError, checked_matrix},
    metrics::portfolio_returns,
    stats::{AssetReturns, Series, StatsError, compensated_sum, floor_index},
    var::{Confidence, HORIZON_MAX},
};

/// Why a tail loss was not attributed.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum AttributionError {
    /// Weights, means or returns are unusable or misaligned.
    #[error(transparent)]
    Series(#[from] StatsError),
    /// The covariance is none.
    #[error(transparent)]
    Covariance(#[from] JointError),
    /// The horizon is zero or too long.
    #[error("horizon_periods {0} must be between 1 and {HORIZON_MAX}")]
    Horizon(u32),
    /// The degrees of freedom leave no covariance.
    #[error("degrees_of_freedom {0} must be above 2 and finite, or there is no covariance")]
    Freedom(f64),
}

/// The shape of returns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Normal.
    Normal,
    /// Student-t with these degrees of freedom, whose covariance is the given one.
    StudentT(f64),
}

/// Both measures of one thing; positive is a loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measures {
    /// Value at risk.
    pub value_at_risk: f64,
    /// Expected shortfall.
    pub expected_shortfall: f64,
}

/// One position's part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PositionRisk {
    /// Its weight.
    pub weight: f64,
    /// What a little more of it adds, per unit of weight.
    pub marginal: Measures,
    /// Its part of the total: weight times marginal.
    pub component: Measures,
    /// The total less the total without it.
    pub incremental: Measures,
}

/// A portfolio's tail loss by position.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution {
    /// The confidence.
    pub confidence: f64,
    /// How many periods ahead; one for the historical method.
    pub horizon_periods: u32,
    /// The portfolio's tail loss.
    pub total: Measures,
    /// Its positions, in the order of the weights.
    pub positions: Vec<PositionRisk>,
}

/// A law's quantile and tail mean in units of the deviation, both positive.
struct Multipliers {
    quantile: f64,
    tail_mean: f64,
}

/// Attributes the tail of an elliptical law with these means and covariance per period: `VaR_i =
/// -mean_i + z (S w)_i / sigma`. Over a horizon the mean grows with time and the deviation with its
/// root; a Student-t keeps its degrees of freedom, which sums do not.
///
/// # Errors
///
/// [`AttributionError::Series`] for misaligned or unusable numbers, or a portfolio without
/// deviation; [`AttributionError::Covariance`], [`AttributionError::Horizon`] and
/// [`AttributionError::Freedom`].
pub fn attribute_elliptical(
    weights: &[f64],
    (mean, covariance): (&[f64], &[Vec<f64>]),
    shape: Shape,
    confidence: Confidence,
    horizon_periods: u32,
) -> Result<Attribution, AttributionError> {
    if horizon_periods == 0 || horizon_periods > HORIZON_MAX {
        return Err(AttributionError::Horizon(horizon_periods));
    }
    let weights = Series::try_new("weights", weights, 1)?.values();
    let means = Series::try_new("mean", mean, 1)?.values();
    if means.len() != weights.len() {
        let (series, reference) = ("mean", "weights");
        let (len, required) = (means.len(), weights.len());
        return Err(StatsError::Misaligned { series, len, reference, required }.into());
    }
    checked_matrix("covariance", covariance, weights.len())?;
    Factor::of("covariance", covariance)?;
    let multipliers = Multipliers::of(shape, confidence)?;
    let horizon = f64::from(horizon_periods);
    let root = horizon.sqrt();
    let image: Vec<f64> = covariance.iter().map(|row| dot(row, weights)).collect();
    let variance = dot(&image, weights).max(0.0);
    let gross = weights.iter().zip(covariance).enumerate();
    let gross: f64 = gross.map(|(i, (w, row))| w.abs() * row[i].sqrt()).sum();
    let deviation = variance.sqrt();
    // A perfect hedge leaves rounding only.
    if deviation <= 1e-9 * gross || gross <= 0.0 {
        return Err(StatsError::Constant { series: "the portfolio's return" }.into());
    }
    let measures = |mean: f64, deviation: f64| Measures {
        value_at_risk: -mean * horizon + multipliers.quantile * deviation * root,
        expected_shortfall: -mean * horizon + multipliers.tail_mean * deviation * root,
    };
    let portfolio_mean = dot(means, weights);
    let total = measures(portfolio_mean, deviation);
    let positions = weights.iter().enumerate().map(|(i, &weight)| {
        let marginal = measures(means[i], image[i] / deviation);
        let without = variance - 2.0 * weight * image[i] + weight * weight * covariance[i][i];
        let rest = measures(portfolio_mean - weight * means[i], without.max(0.0).sqrt());
        PositionRisk::new(weight, marginal, total, rest)
    });
    let positions = positions.collect();
    Ok(Attribution { confidence: confidence.level(), horizon_periods, total, positions })
}

/// Attributes the tail of the sample: the value at risk to the positions' losses in the two periods
/// between which the portfolio's quantile (type 7) lies, the shortfall to their losses in the
/// periods of the tail, the boundary one by its fraction (Tasche 1999). Of periods with one
/// portfolio return the earlier counts as the worse. One or two periods decide the components of
/// the value at risk; those of the shortfall rest on the whole tail.
///
/// # Errors
///
/// [`AttributionError::Series`] for misaligned weights or unusable numbers.
pub fn attribute_historical(
    returns: &AssetReturns,
    weights: &[f64],
    confidence: Confidence,
) -> Result<Attribution, AttributionError> {
    let portfolio = portfolio_returns(returns, weights)?;
    let (total, marginals) = tail_derivatives(returns, &portfolio, confidence);
    let mut positions = Vec::with_capacity(weights.len());
    for ((asset, &weight), marginal) in returns.assets().iter().zip(weights).zip(marginals) {
        let without: Vec<f64> =
            portfolio.iter().zip(asset).map(|(total, own)| total - weight * own).collect();
        let rest = tail_measures(&without, confidence);
        positions.push(PositionRisk::new(weight, marginal, total, rest));
    }
    Ok(Attribution { confidence: confidence.level(), horizon_periods: 1, total, positions })
}

/// The weights of periods whose weighted returns, negated, are the two measures.
fn tail_weights(portfolio: &[f64], confidence: Confidence) -> [Vec<(usize, f64)>; 2] {
    let count = portfolio.len();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| portfolio[*a].total_cmp(&portfolio[*b]).then(a.cmp(b)));
    let position = (count - 1) as f64 * confidence.tail();
    let below = floor_index(position).min(count - 1);
    let above = (below + 1).min(count - 1);
    let share = position - below as f64;
    let quantile = vec![(order[below], 1.0 - share), (order[above], share)];
    let wanted = count as f64 * confidence.tail();
    let whole = floor_index(wanted).min(count);
    let mut tail: Vec<(usize, f64)> =
        order.iter().take(whole).map(|period| (*period, wanted.recip())).collect();
    if let Some(boundary) = order.get(whole) {
        tail.push((*boundary, (wanted - whole as f64) / wanted));
    }
    [quantile, tail]
}

fn weighted_loss(values: &[f64], weights: &[(usize, f64)]) -> f64 {
    0.0 - compensated_sum(weights.iter().map(|(period, weight)| weight * values[*period]))
}

fn tail_measures(portfolio: &[f64], confidence: Confidence) -> Measures {
    let [quantile, tail] = tail_weights(portfolio, confidence);
    Measures {
        value_at_risk: weighted_loss(portfolio, &quantile),
        expected_shortfall: weighted_loss(portfolio, &tail),
    }
}

fn tail_derivatives(
    returns: &AssetReturns,
    portfolio: &[f64],
    confidence: Confidence,
) -> (Measures, Vec<Measures>) {
    let [quantile, tail] = tail_weights(portfolio, confidence);
    let of = |values: &[f64]| Measures {
        value_at_risk: weighted_loss(values, &quantile),
        expected_shortfall: weighted_loss(values, &tail),
    };
    (of(portfolio), returns.assets().iter().map(|asset| of(asset)).collect())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    compensated_sum(a.iter().zip(b).map(|(x, y)| x * y))
}

// === impl PositionRisk ===

impl PositionRisk {
    fn new(weight: f64, marginal: Measures, total: Measures, rest: Measures) -> Self {
        Self {
            weight,
            marginal,
            component: Measures {
                value_at_risk: weight * marginal.value_at_risk,
                expected_shortfall: weight * marginal.expected_shortfall,
            },
            incremental: Measures {
                value_at_risk: total.value_at_risk - rest.value_at_risk,
                expected_shortfall: total.expected_shortfall - rest.expected_shortfall,
            },
        }
    }
}

// === impl Multipliers ===

impl Multipliers {
    fn of(shape: Shape, confidence: Confidence) -> Result<Self, AttributionError> {
        let tail = confidence.tail();
        match shape {
            Shape::Normal => {
                let quantile = -normal_quantile(tail);
                Ok(Self { quantile, tail_mean: normal_density(quantile) / tail })
            }
            Shape::StudentT(nu) => {
                let law = Student::new(nu).filter(|_| nu > 2.0);
                let law = law.ok_or(AttributionError::Freedom(nu))?;
                // From the deviation to the scale.
                let scale = ((nu - 2.0) / nu).sqrt();
                Ok(Self {
                    quantile: -law.quantile(tail) * scale,
                    tail_mean: law.tail_mean(tail) * scale,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests;
