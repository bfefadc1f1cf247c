//! What a portfolio must keep to.

use super::{ASSETS_MAX, PortfolioError, WEIGHT_TOLERANCE};
use crate::stats::Series;

/// The largest size of a weight.
pub(super) const WEIGHT_SIZE_MAX: f64 = 100.0;

/// What a portfolio must keep to. [`Constraints::long_only`] and [`Constraints::bounded`] give the
/// plain cases; other fields are set on what they return.
#[derive(Clone, Debug, PartialEq)]
pub struct Constraints {
    /// Least weight of each asset; negative where it may be sold short.
    pub lower: Vec<f64>,
    /// Largest weight of each asset.
    pub upper: Vec<f64>,
    /// Least sum of weights.
    pub net_min: f64,
    /// Largest sum of weights; equal to the least for a fixed net exposure.
    pub net_max: f64,
    /// Limits of sums over some assets.
    pub groups: Vec<Group>,
    /// Largest sum of absolute weights.
    pub gross_max: Option<f64>,
    /// Largest change from given weights.
    pub turnover: Option<Turnover>,
    /// What changing given weights costs. Costs are part of the objective, and expected return is
    /// taken net of them.
    pub costs: Option<Costs>,
    /// Least expected return per period, net of costs.
    pub return_min: Option<f64>,
    /// Largest standard deviation per period.
    pub volatility_max: Option<f64>,
    /// Largest tracking error.
    pub tracking: Option<Tracking>,
    /// Most assets with a weight other than zero. Kept by a heuristic: see
    /// [`Solution::cardinality`](super::Solution::cardinality).
    pub assets_max: Option<usize>,
}

/// A limit of the sum of some weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The assets, from zero.
    pub assets: Vec<usize>,
    /// Least sum of their weights.
    pub min: f64,
    /// Largest sum of their weights.
    pub max: f64,
}

/// How a change of weights is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TurnoverCount {
    /// Purchases and sales together: the sum of absolute changes.
    TwoSided,
    /// Half of that: what is sold to buy something else.
    OneSided,
}

/// A limit of the change from given weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Turnover {
    /// The weights before, one an asset; their sum is free, the rest being cash.
    pub from: Vec<f64>,
    /// The largest change.
    pub max: f64,
    /// How it is counted.
    pub count: TurnoverCount,
}

/// Costs in proportion to changes, as returns over the one period that the optimisation is for:
/// a cost of 0.001 takes a tenth of a percent of what is traded.
#[derive(Clone, Debug, PartialEq)]
pub struct Costs {
    /// The weights before, one an asset.
    pub from: Vec<f64>,
    /// Cost of a purchase, one rate an asset.
    pub buy: Vec<f64>,
    /// Cost of a sale, one rate an asset.
    pub sell: Vec<f64>,
}

/// A limit of the deviation from a benchmark.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracking {
    /// The benchmark's weights, summing to one.
    pub benchmark: Vec<f64>,
    /// Largest standard deviation per period of the difference in returns.
    pub error_max: f64,
}

/// One constraint, as a conflict or an active limit names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Constraint {
    /// The lower bound of an asset.
    LowerBound(usize),
    /// The upper bound of an asset.
    UpperBound(usize),
    /// All lower bounds together; they sum to this.
    LowerBounds(f64),
    /// All upper bounds together; they sum to this.
    UpperBounds(f64),
    /// The least sum of weights.
    NetMin(f64),
    /// The largest sum of weights.
    NetMax(f64),
    /// The least sum of a group (from zero).
    GroupMin(usize, f64),
    /// The largest sum of a group (from zero).
    GroupMax(usize, f64),
    /// The largest sum of absolute weights.
    GrossMax(f64),
    /// The largest change.
    TurnoverMax(f64),
    /// The least expected return.
    ReturnMin(f64),
    /// The largest standard deviation.
    VolatilityMax(f64),
    /// The largest tracking error.
    TrackingErrorMax(f64),
}

// === impl Constraint ===

impl std::fmt::Display for Constraint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::LowerBound(asset) => write!(f, "the lower bound of asset {asset}"),
            Self::UpperBound(asset) => write!(f, "the upper bound of asset {asset}"),
            Self::LowerBounds(sum) => write!(f, "lower bounds (which sum to {sum})"),
            Self::UpperBounds(sum) => write!(f, "upper bounds (which sum to {sum})"),
            Self::NetMin(limit) => write!(f, "net exposure >= {limit}"),
            Self::NetMax(limit) => write!(f, "net exposure <= {limit}"),
            Self::GroupMin(group, limit) => write!(f, "group {group} >= {limit}"),
            Self::GroupMax(group, limit) => write!(f, "group {group} <= {limit}"),
            Self::GrossMax(limit) => write!(f, "gross exposure <= {limit}"),
            Self::TurnoverMax(limit) => write!(f, "turnover <= {limit}"),
            Self::ReturnMin(limit) => write!(f, "expected return >= {limit}"),
            Self::VolatilityMax(limit) => write!(f, "volatility <= {limit}"),
            Self::TrackingErrorMax(limit) => write!(f, "tracking error <= {limit}"),
        }
    }
}

// === impl Constraints ===

impl Constraints {
    /// Weights from zero to one that sum to one.
    pub fn long_only(assets: usize) -> Self {
        Self::bounded(vec![0.0; assets], vec![1.0; assets])
    }

    /// Weights within bounds that sum to one; a negative lower bound allows short positions.
    pub fn bounded(lower: Vec<f64>, upper: Vec<f64>) -> Self {
        Self {
            lower,
            upper,
            net_min: 1.0,
            net_max: 1.0,
            groups: Vec::new(),
            gross_max: None,
            turnover: None,
            costs: None,
            return_min: None,
            volatility_max: None,
            tracking: None,
            assets_max: None,
        }
    }

    /// How many assets.
    pub(super) fn assets(&self) -> usize {
        self.lower.len()
    }

    /// Whether only bounds and one sum of weights limit the portfolio.
    pub(super) fn is_plain(&self) -> bool {
        self.groups.is_empty()
            && self.gross_max.is_none()
            && self.turnover.is_none()
            && self.costs.is_none()
            && self.return_min.is_none()
            && self.volatility_max.is_none()
            && self.tracking.is_none()
            && self.net_min >= self.net_max
    }

    /// Refuses what is not a number, not of the right length or not in order.
    pub(super) fn check(&self, assets: usize) -> Result<(), PortfolioError> {
        if assets == 0 || assets > ASSETS_MAX {
            return Err(PortfolioError::AssetCount(assets));
        }
        let length = |field, values: &[f64]| match values.len() {
            len if len == assets => Ok(()),
            len => Err(PortfolioError::Length { field, len, assets }),
        };
        length("lower", &self.lower)?;
        length("upper", &self.upper)?;
        for (asset, (&lower, &upper)) in self.lower.iter().zip(&self.upper).enumerate() {
            if !(lower >= -WEIGHT_SIZE_MAX && lower <= upper && upper <= WEIGHT_SIZE_MAX) {
                return Err(PortfolioError::Bound { asset, lower, upper });
            }
        }
        range("net exposure", self.net_min, self.net_max)?;
        for (group, limits) in self.groups.iter().enumerate() {
            limits.check(group, assets)?;
        }
        if let Some(turnover) = &self.turnover {
            length("turnover.from", &turnover.from)?;
            Series::try_new("turnover.from", &turnover.from, 1)?;
            not_negative("turnover.max", turnover.max)?;
        }
        if let Some(costs) = &self.costs {
            for (field, values) in [
                ("costs.from", &costs.from),
                ("costs.buy", &costs.buy),
                ("costs.sell", &costs.sell),
            ] {
                length(field, values)?;
                Series::try_new(field, values, 1)?;
            }
            for rate in costs.buy.iter().chain(&costs.sell) {
                not_negative("cost rate", *rate)?;
            }
        }
        if let Some(tracking) = &self.tracking {
            check_benchmark(&tracking.benchmark, assets)?;
            not_negative("tracking.error_max", tracking.error_max)?;
        }
        for (field, limit) in
            [("gross_max", self.gross_max), ("volatility_max", self.volatility_max)]
        {
            limit.map_or(Ok(()), |limit| not_negative(field, limit))?;
        }
        match self.return_min {
            Some(value) if !value.is_finite() => {
                Err(PortfolioError::Rate { field: "target_return", value })
            }
            _ => Ok(()),
        }
    }
}

// === impl Group ===

impl Group {
    fn check(&self, group: usize, assets: usize) -> Result<(), PortfolioError> {
        let is_double = |i: usize| self.assets[..i].contains(&self.assets[i]);
        let is_wrong = |i: usize| self.assets[i] >= assets || is_double(i);
        if self.assets.is_empty() || (0..self.assets.len()).any(is_wrong) {
            return Err(PortfolioError::Group { group, assets: self.assets.clone() });
        }
        range("group", self.min, self.max)
    }
}

// === impl Turnover ===

impl Turnover {
    /// The limit of the sum of absolute changes.
    pub(super) fn two_sided_max(&self) -> f64 {
        match self.count {
            TurnoverCount::TwoSided => self.max,
            TurnoverCount::OneSided => 2.0 * self.max,
        }
    }
}

// === impl Costs ===

impl Costs {
    /// What it costs to hold the weights instead of those before.
    pub fn of(&self, weights: &[f64]) -> f64 {
        (0..weights.len())
            .map(|i| {
                let change = weights[i] - self.from[i];
                if change > 0.0 { self.buy[i] * change } else { -self.sell[i] * change }
            })
            .sum()
    }
}

pub(super) fn check_benchmark(benchmark: &[f64], assets: usize) -> Result<(), PortfolioError> {
    if benchmark.len() != assets {
        return Err(PortfolioError::Length { field: "benchmark", len: benchmark.len(), assets });
    }
    Series::try_new("benchmark", benchmark, 1)?;
    let sum: f64 = benchmark.iter().sum();
    if (sum - 1.0).abs() > WEIGHT_TOLERANCE {
        return Err(PortfolioError::WeightSum { field: "benchmark weights", sum });
    }
    Ok(())
}

fn range(field: &'static str, min: f64, max: f64) -> Result<(), PortfolioError> {
    if min.is_finite() && max.is_finite() && min <= max {
        return Ok(());
    }
    Err(PortfolioError::Range { field, min, max })
}

pub(super) fn not_negative(field: &'static str, value: f64) -> Result<(), PortfolioError> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(PortfolioError::Limit { field, value, rule: "zero or positive and finite" })
}
