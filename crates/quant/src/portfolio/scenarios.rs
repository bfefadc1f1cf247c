//! Risk and growth over scenarios: their value, how the solver sees them, and linear functions that
//! stay below them everywhere.
//!
//! * Conditional value at risk with fractional weight at the boundary (Rockafellar & Uryasev 2000,
//!   2002): the largest mean loss under scenario weights of at most `1 / (tail T)` each. Any such
//!   weights give a linear function below it.
//! * Conditional drawdown of uncompounded returns, the start included (Chekhlov, Uryasev &
//!   Zabarankin 2005): the same mean over drawdowns, each of which is the loss since some earlier
//!   period.
//! * Semivariance `mean(max(threshold - r, 0)^2)` (Markowitz 1959) and growth
//!   `mean(ln(1 + r))` (Kelly 1956) are smooth: their tangents do.

use nalgebra::{DMatrix, DVector};

use super::conic::{Conic, Outcome};
use crate::{
    covariance::gram,
    stats::{AssetReturns, floor_index},
};

/// What is taken of the portfolio's returns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Measure {
    /// The mean of the worst losses, of this share.
    TailLoss(f64),
    /// The mean of the worst drawdowns, of this share.
    TailDrawdown(f64),
    /// The mean square below a threshold.
    Below(f64),
    /// Minus the mean logarithm of growth.
    Growth,
}

/// A measure over scenarios, to be minimised.
#[derive(Clone)]
pub(super) struct Scenarios {
    /// A row a period, a column an asset.
    returns: DMatrix<f64>,
    measure: Measure,
    /// The root of the mean square return.
    pub(super) scale: f64,
}

/// `weight w'M w - value'w`, which has the value, slope and curvature of a measure at some weights,
/// but for a constant.
pub(super) struct Model {
    pub(super) matrix: DMatrix<f64>,
    pub(super) weight: f64,
    pub(super) value: Vec<f64>,
}

/// Where the solver holds what belongs to scenarios.
pub(super) struct Layout {
    /// The first inequality of the block.
    first_row: usize,
    /// The periods that the solver sees.
    periods: Vec<usize>,
}

// === impl Scenarios ===

impl Scenarios {
    pub(super) fn of(returns: &AssetReturns, measure: Measure, is_centred: bool) -> Self {
        let (assets, periods) = (returns.asset_count(), returns.period_count());
        let mut matrix = DMatrix::zeros(periods, assets);
        for (mut column, asset) in matrix.column_iter_mut().zip(returns.assets()) {
            column.copy_from_slice(asset);
            if is_centred {
                let mean = column.mean();
                column.add_scalar_mut(-mean);
            }
        }
        let scale = (matrix.norm_squared() / (periods * assets) as f64).sqrt();
        Self { returns: matrix, measure, scale }
    }

    pub(super) fn periods(&self) -> usize {
        self.returns.nrows()
    }

    /// The periods that the solver may begin with: for a tail loss, some times as many as the tail
    /// has, the worst for given weights; all of them where each one counts.
    pub(super) fn first_periods(&self, weights: &[f64]) -> Vec<usize> {
        let Measure::TailLoss(tail) = self.measure else { return self.all_periods() };
        self.worst(weights, (4.0 * tail).max(100.0 / self.periods() as f64))
    }

    /// All periods.
    pub(super) fn all_periods(&self) -> Vec<usize> {
        (0..self.periods()).collect()
    }

    /// Adds the periods of the worst losses that are missing; whether there were any.
    pub(super) fn grow(&self, periods: &mut Vec<usize>, weights: &[f64]) -> bool {
        let Measure::TailLoss(tail) = self.measure else { return false };
        let before = periods.len();
        periods.extend(self.worst(weights, 1.2 * tail));
        periods.sort_unstable();
        periods.dedup();
        periods.len() > before
    }

    /// The periods of the worst losses, a share of all and one more, in ascending order.
    fn worst(&self, weights: &[f64], share: f64) -> Vec<usize> {
        let returns = self.of_portfolio(weights);
        let count = floor_index(share * returns.len() as f64) + 1;
        let mut periods: Vec<usize> = (0..returns.len()).collect();
        periods.sort_by(|a, b| returns[*a].total_cmp(&returns[*b]));
        periods.truncate(count);
        periods.sort_unstable();
        periods
    }

    /// The same scenarios under another measure.
    pub(super) fn under(&self, measure: Measure) -> Self {
        Self { measure, ..self.clone() }
    }

    /// Whether tangents and models stand for the measure, so that no cone is needed.
    pub(super) fn is_smooth(&self) -> bool {
        matches!(self.measure, Measure::Below(_) | Measure::Growth)
    }

    pub(super) fn is_growth(&self) -> bool {
        self.measure == Measure::Growth
    }

    /// A quadratic model of a smooth measure: for a semivariance that of portfolios which fall
    /// short in the same periods, for growth the second-order expansion.
    pub(super) fn model(&self, weights: &[f64]) -> Model {
        let n = self.periods() as f64;
        let returns = self.of_portfolio(weights);
        let threshold = match self.measure {
            Measure::Below(threshold) => threshold,
            _ => f64::INFINITY,
        };
        let kept: Vec<usize> = (0..returns.len()).filter(|t| returns[*t] < threshold).collect();
        let is_growth = self.is_growth();
        let wealth = |t: usize| if is_growth { 1.0 + returns[t] } else { 1.0 };
        let rows = DMatrix::from_fn(kept.len(), weights.len(), |i, asset| {
            self.returns[(kept[i], asset)] / wealth(kept[i])
        });
        let matrix = gram(&rows) / n;
        if !is_growth {
            let value = rows.column_iter().map(|c| 2.0 * threshold * c.sum() / n).collect();
            return Model { matrix, weight: 1.0, value };
        }
        // With x = r'w / (1 + r'w), the slope is -r / (1 + r'w) and the curvature its square.
        let pull =
            DVector::from_iterator(kept.len(), kept.iter().map(|t| returns[*t] / wealth(*t)));
        let pulled = rows.tr_mul(&pull) / n;
        let slopes = rows.column_iter().map(|c| c.sum() / n);
        let value = pulled.iter().zip(slopes).map(|(p, s)| p + s).collect();
        Model { matrix, weight: 0.5, value }
    }

    /// The returns of a portfolio.
    fn of_portfolio(&self, weights: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.periods()];
        for (column, weight) in self.returns.column_iter().zip(weights) {
            if *weight != 0.0 {
                for (sum, value) in sums.iter_mut().zip(column.iter()) {
                    *sum += weight * value;
                }
            }
        }
        sums
    }

    /// The measure of a portfolio; infinite when it is ruined.
    pub(super) fn value(&self, weights: &[f64]) -> f64 {
        let returns = self.of_portfolio(weights);
        let n = returns.len() as f64;
        match self.measure {
            Measure::TailLoss(tail) => worst_mean(returns.iter().map(|r| -r).collect(), tail * n),
            Measure::TailDrawdown(tail) => worst_mean(drawdowns(&returns), tail * n),
            Measure::Below(threshold) => {
                returns.iter().map(|r| (threshold - r).max(0.0).powi(2)).sum::<f64>() / n
            }
            Measure::Growth if returns.iter().any(|r| *r <= -1.0) => f64::INFINITY,
            Measure::Growth => -returns.iter().map(|r| r.ln_1p()).sum::<f64>() / n,
        }
    }

    /// A size below which a value is judged by its absolute error.
    pub(super) fn floor(&self) -> f64 {
        match self.measure {
            Measure::Below(_) => 1e-6 * self.scale * self.scale,
            // Drawdowns add up over periods, as deviations do.
            Measure::TailDrawdown(_) => 1e-3 * self.scale * (self.periods() as f64).sqrt(),
            Measure::TailLoss(_) | Measure::Growth => 1e-3 * self.scale,
        }
    }

    /// What the objective is divided by for the solver.
    pub(super) fn unit(&self) -> f64 {
        match self.measure {
            Measure::Below(_) => self.scale * self.scale,
            _ => self.scale,
        }
    }

    /// Adds the measure of the working assets, the first columns of the program.
    pub(super) fn add_to(
        &self,
        program: &mut Conic,
        working: &[usize],
        periods: &[usize],
    ) -> Layout {
        let first_row = program.least.len();
        match self.measure {
            Measure::TailLoss(tail) => self.add_losses(program, working, (tail, periods)),
            Measure::TailDrawdown(tail) => self.add_drawdowns(program, working, tail),
            // Solved as a sequence of quadratic programs, which never comes here.
            Measure::Below(_) | Measure::Growth => {}
        }
        Layout { first_row, periods: periods.to_vec() }
    }

    fn loss_row(&self, period: usize, working: &[usize]) -> impl Iterator<Item = (usize, f64)> {
        let row = working.iter().enumerate();
        row.map(move |(i, asset)| (i, -self.returns[(period, *asset)] / self.scale))
    }

    /// `loss - threshold <= over`, in some periods: that others are below is left to the proof.
    fn add_losses(&self, program: &mut Conic, working: &[usize], (tail, periods): (f64, &[usize])) {
        let threshold = program.column(1.0);
        let price = 1.0 / (tail * self.periods() as f64);
        let mut overs = Vec::with_capacity(periods.len());
        for t in periods {
            let over = program.column(price);
            overs.push(over);
            let row = self.loss_row(*t, working).chain([(threshold, -1.0), (over, -1.0)]);
            program.least.push(row, 0.0);
        }
        for column in overs {
            program.least.push([(column, -1.0)], 0.0);
        }
    }

    /// `fall before + loss <= fall`, `fall - threshold <= over`.
    fn add_drawdowns(&self, program: &mut Conic, working: &[usize], tail: f64) {
        let threshold = program.column(1.0);
        let price = 1.0 / (tail * self.periods() as f64);
        let mut before: Option<usize> = None;
        let mut columns = Vec::new();
        for t in 0..self.periods() {
            let (over, fall) = (program.column(price), program.column(0.0));
            let earlier = before.map(|column| (column, 1.0));
            let row = self.loss_row(t, working).chain([(fall, -1.0)]).chain(earlier);
            program.least.push(row, 0.0);
            program.least.push([(fall, 1.0), (threshold, -1.0), (over, -1.0)], 0.0);
            before = Some(fall);
            columns.extend([over, fall]);
        }
        for column in columns {
            program.least.push([(column, -1.0)], 0.0);
        }
    }

    /// A linear function below the measure everywhere: its constant and its gradient. For the tail
    /// measures it comes from the solver's multipliers, made valid; for the smooth ones it is the
    /// tangent at the weights.
    pub(super) fn minorant(
        &self,
        weights: &[f64],
        (layout, outcome): (&Layout, &Outcome),
    ) -> (f64, Vec<f64>) {
        let n = self.periods();
        let of = |position: usize| outcome.least[layout.first_row + position].max(0.0);
        let combined = |shares: Vec<f64>| self.combined(shares);
        match self.measure {
            Measure::TailLoss(tail) => {
                let mut shares = vec![0.0; n];
                for (position, period) in layout.periods.iter().enumerate() {
                    shares[*period] = of(position);
                }
                (0.0, combined(capped(shares, tail)))
            }
            Measure::TailDrawdown(tail) => {
                let shares = capped((0..n).map(|t| of(2 * t + 1)).collect(), tail);
                // A drawdown is the sum of losses since a peak: what is counted at a period was
                // counted at a later one or ends there.
                let mut flow = vec![0.0; n];
                let mut open = 0.0;
                for t in (0..n).rev() {
                    open = of(2 * t).min(open + shares[t]);
                    flow[t] = open;
                }
                (0.0, combined(flow))
            }
            Measure::Below(_) | Measure::Growth => self.tangent(weights),
        }
    }

    /// Minus the returns of the assets, summed with shares of the periods.
    fn combined(&self, shares: Vec<f64>) -> Vec<f64> {
        (-self.returns.tr_mul(&DVector::from_vec(shares))).iter().copied().collect()
    }

    /// The tangent of a smooth measure: its constant and its gradient.
    pub(super) fn tangent(&self, weights: &[f64]) -> (f64, Vec<f64>) {
        let n = self.periods() as f64;
        let returns = self.of_portfolio(weights);
        let slope = |r: &f64| match self.measure {
            Measure::Below(threshold) => 2.0 * (threshold - r).max(0.0) / n,
            _ => 1.0 / (1.0 + r) / n,
        };
        let gradient = self.combined(returns.iter().map(slope).collect());
        let along: f64 = gradient.iter().zip(weights).map(|(g, w)| g * w).sum();
        (self.value(weights) - along, gradient)
    }
}

/// Shares of at most one over the tail's count that sum to one, near those given.
fn capped(mut shares: Vec<f64>, tail: f64) -> Vec<f64> {
    let cap = 1.0 / (tail * shares.len() as f64);
    for share in &mut shares {
        *share = share.clamp(0.0, cap);
    }
    let sum: f64 = shares.iter().sum();
    if sum > 1.0 {
        for share in &mut shares {
            *share /= sum;
        }
        return shares;
    }
    let room: f64 = shares.iter().map(|s| cap - s).sum();
    if room > 0.0 {
        // What is missing goes first to scenarios that count already.
        let used: f64 = shares.iter().filter(|s| **s > 0.0).map(|s| cap - s).sum();
        let only_used = used >= 1.0 - sum;
        let total = if only_used { used } else { room };
        let factor = (1.0 - sum) / total;
        for share in &mut shares {
            if *share > 0.0 || !only_used {
                *share += (cap - *share) * factor;
            }
        }
    }
    shares
}

/// The mean of the `count` largest values, the last of them in part.
fn worst_mean(mut values: Vec<f64>, count: f64) -> f64 {
    values.sort_unstable_by(|a, b| b.total_cmp(a));
    let (mut left, mut sum) = (count.max(f64::MIN_POSITIVE), 0.0);
    if left < 1.0 {
        return values[0];
    }
    for value in &values {
        let share = left.min(1.0);
        sum += share * value;
        left -= share;
        if left <= 0.0 {
            break;
        }
    }
    sum / count
}

/// How far uncompounded wealth is below its peak after each period.
fn drawdowns(returns: &[f64]) -> Vec<f64> {
    let mut fall = 0.0_f64;
    let fallen = returns.iter().map(|r| {
        fall = (fall - r).max(0.0);
        fall
    });
    fallen.collect()
}
