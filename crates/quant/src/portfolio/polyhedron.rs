//! The portfolios that linear constraints allow, and bounds of linear functions over them.
//!
//! Absolute values (gross exposure, turnover, costs) become columns of their own, each above both
//! of its sides. A linear function over the set is bounded from below by pricing every row with a
//! multiplier and giving what is left to the cheapest columns: weights within their bounds and net
//! exposure by sorting, the others at an end of their range. Any non-negative multipliers give a
//! valid bound, so that a solver is trusted with none.

use super::{Constraint, Constraints, WEIGHT_TOLERANCE};

/// `a'x <= limit`.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) entries: Vec<(usize, f64)>,
    pub(super) limit: f64,
    /// What it stands for; `None` where it only defines a column.
    pub(super) constraint: Option<Constraint>,
}

/// A column above two lines in one weight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hinge {
    asset: usize,
    from: f64,
    /// Slope above `from`.
    rise: f64,
    /// Slope below `from`, downwards.
    fall: f64,
}

/// Weights, the columns that follow from them, and what limits them.
#[derive(Clone, Debug)]
pub(super) struct Polyhedron {
    pub(super) assets: usize,
    /// Bounds of all columns.
    pub(super) lower: Vec<f64>,
    pub(super) upper: Vec<f64>,
    pub(super) net: (f64, f64),
    pub(super) rows: Vec<Row>,
    hinges: Vec<Hinge>,
    /// What a unit of each column costs.
    pub(super) cost: Vec<f64>,
}

// === impl Polyhedron ===

impl Polyhedron {
    /// The set; expected returns are needed for a least return.
    pub(super) fn of(constraints: &Constraints, mean: Option<&[f64]>) -> Self {
        let assets = constraints.assets();
        let mut set = Self {
            assets,
            lower: constraints.lower.clone(),
            upper: constraints.upper.clone(),
            net: (constraints.net_min, constraints.net_max),
            rows: Vec::new(),
            hinges: Vec::new(),
            cost: vec![0.0; assets],
        };
        for (index, group) in constraints.groups.iter().enumerate() {
            let row = |sign: f64| group.assets.iter().map(|a| (*a, sign)).collect();
            set.limit(row(1.0), group.max, Constraint::GroupMax(index, group.max));
            set.limit(row(-1.0), -group.min, Constraint::GroupMin(index, group.min));
        }
        if let Some(max) = constraints.gross_max {
            let columns = set.distances(&vec![0.0; assets]);
            set.limit(columns, max, Constraint::GrossMax(max));
        }
        if let Some(turnover) = &constraints.turnover {
            let columns = set.distances(&turnover.from);
            set.limit(columns, turnover.two_sided_max(), Constraint::TurnoverMax(turnover.max));
        }
        if let Some(costs) = &constraints.costs {
            // Columns are of the size of weights, whatever the rates are.
            let unit = costs.buy.iter().chain(&costs.sell).fold(0.0_f64, |a, r| a.max(*r));
            for (asset, from) in costs.from.iter().enumerate().filter(|_| unit > 0.0) {
                let (rise, fall) = (costs.buy[asset] / unit, costs.sell[asset] / unit);
                let column = set.hinge(Hinge { asset, from: *from, rise, fall });
                set.cost[column] = unit;
            }
        }
        if let (Some(target), Some(mean)) = (constraints.return_min, mean) {
            set.least_return(target, mean);
        }
        set
    }

    fn limit(&mut self, entries: Vec<(usize, f64)>, limit: f64, constraint: Constraint) {
        self.rows.push(Row { entries, limit, constraint: Some(constraint) });
    }

    /// `mean'w - cost >= target`, per unit of the largest excess. With a fixed net exposure the
    /// target is taken from each mean, which does not cancel when all means are large and alike.
    fn least_return(&mut self, target: f64, mean: &[f64]) {
        let (least, most) = self.net;
        let is_fixed = least >= most && least.abs() > WEIGHT_TOLERANCE;
        let shift = if is_fixed { target / least } else { 0.0 };
        let limit = if is_fixed { 0.0 } else { -target };
        let scale = mean.iter().fold(limit.abs(), |a, m| a.max((m - shift).abs()));
        let scale = if scale > 0.0 { scale } else { 1.0 };
        let own = mean.iter().enumerate().map(|(i, m)| (i, (shift - m) / scale));
        let costs = self.cost.iter().enumerate().map(|(i, c)| (i, c / scale));
        let entries = own.chain(costs).filter(|(_, v)| *v != 0.0).collect();
        self.limit(entries, limit / scale, Constraint::ReturnMin(target));
    }

    /// A column an asset for its distance from given weights; where the bounds leave one side, the
    /// weight itself would do, but the column costs nothing.
    fn distances(&mut self, from: &[f64]) -> Vec<(usize, f64)> {
        (0..from.len())
            .map(|asset| {
                let hinge = Hinge { asset, from: from[asset], rise: 1.0, fall: 1.0 };
                (self.hinge(hinge), 1.0)
            })
            .collect()
    }

    fn hinge(&mut self, hinge: Hinge) -> usize {
        let column = self.lower.len();
        let Hinge { asset, from, rise, fall } = hinge;
        let most = hinge.at(self.lower[asset]).max(hinge.at(self.upper[asset]));
        self.lower.push(0.0);
        self.upper.push(most);
        self.cost.push(0.0);
        self.hinges.push(hinge);
        for (slope, limit) in [(rise, rise * from), (-fall, -fall * from)] {
            let entries = vec![(asset, slope), (column, -1.0)];
            self.rows.push(Row { entries, limit, constraint: None });
        }
        column
    }

    /// Weights with the columns that follow from them.
    pub(super) fn lift(&self, weights: &[f64]) -> Vec<f64> {
        let hinges = self.hinges.iter().map(|h| h.at(weights[h.asset]));
        weights.iter().copied().chain(hinges).collect()
    }

    /// How far lifted weights are from each row's limit; negative within.
    pub(super) fn excesses(&self, lifted: &[f64]) -> Vec<f64> {
        let value = |row: &Row| row.entries.iter().map(|(c, a)| a * lifted[*c]).sum::<f64>();
        self.rows.iter().map(|row| value(row) - row.limit).collect()
    }

    /// The sums of bounds, when they leave no portfolio with the net exposure.
    pub(super) fn bounds_conflict(&self) -> Option<Vec<Constraint>> {
        let (net_min, net_max) = self.net;
        let least: f64 = self.lower[..self.assets].iter().sum();
        let most: f64 = self.upper[..self.assets].iter().sum();
        if least > net_max + WEIGHT_TOLERANCE {
            return Some(vec![Constraint::NetMax(net_max), Constraint::LowerBounds(least)]);
        }
        (most < net_min - WEIGHT_TOLERANCE)
            .then(|| vec![Constraint::NetMin(net_min), Constraint::UpperBounds(most)])
    }

    /// The weights with the smallest `prices'w`, by bounds and net exposure alone: what pays is
    /// filled up, cheapest first, as far as the net exposure allows; then what it still asks for.
    pub(super) fn cheapest(&self, prices: &[f64]) -> Vec<f64> {
        let mut order: Vec<usize> = (0..self.assets).collect();
        order.sort_by(|a, b| prices[*a].total_cmp(&prices[*b]));
        let mut weights = self.lower[..self.assets].to_vec();
        let mut sum: f64 = weights.iter().sum();
        for asset in order {
            let goal = if prices[asset] < 0.0 { self.net.1 } else { self.net.0 };
            let room = self.upper[asset] - self.lower[asset];
            let taken = (goal - sum).clamp(0.0, room);
            weights[asset] += taken;
            sum += taken;
        }
        weights
    }

    /// A lower bound of `gradient'x` over the set, with multipliers of its rows.
    pub(super) fn least(&self, gradient: &[f64], multipliers: &[f64]) -> f64 {
        let (prices, paid) = self.priced(gradient, multipliers);
        let weights = self.cheapest(&prices);
        let own: f64 = prices.iter().zip(&weights).map(|(p, w)| p * w).sum();
        let rest: f64 = (self.assets..prices.len())
            .map(|c| (prices[c] * self.lower[c]).min(prices[c] * self.upper[c]))
            .sum();
        own + rest - paid
    }

    /// What columns cost once rows are paid for, and what the rows take together.
    pub(super) fn priced(&self, gradient: &[f64], multipliers: &[f64]) -> (Vec<f64>, f64) {
        let mut prices = gradient.to_vec();
        let mut paid = 0.0;
        for (row, multiplier) in self.rows.iter().zip(multipliers) {
            let multiplier = multiplier.max(0.0);
            paid += multiplier * row.limit;
            for (column, value) in &row.entries {
                prices[*column] += multiplier * value;
            }
        }
        (prices, paid)
    }

    /// The portfolios of the largest `value'w`, as bounds: all that beat the marginal asset are
    /// full, all below it at their least. For bounds and a fixed net exposure.
    pub(super) fn best_face(&self, value: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let opposite: Vec<f64> = value.iter().map(|v| -v).collect();
        let best = self.cheapest(&opposite);
        let marginal = (0..self.assets)
            .filter(|i| best[*i] > self.lower[*i])
            .map(|i| value[i])
            .fold(f64::INFINITY, f64::min);
        let (mut lower, mut upper) = (self.lower.clone(), self.upper.clone());
        for (asset, value) in value.iter().enumerate() {
            if *value > marginal {
                lower[asset] = upper[asset];
            } else if *value < marginal {
                upper[asset] = lower[asset];
            }
        }
        (lower, upper)
    }

    /// Takes out what the solver leaves of rounding: weights within `snap` of a bound go onto it,
    /// and what the sum misses is spread over the room of the others. `None` when the candidate is
    /// further from its bounds than rounding explains.
    pub(super) fn settle(&self, candidate: &[f64], tolerance: f64, snap: f64) -> Option<Vec<f64>> {
        let mut weights = candidate.to_vec();
        for (asset, weight) in weights.iter_mut().enumerate() {
            let (lower, upper) = (self.lower[asset], self.upper[asset]);
            if !weight.is_finite() || *weight < lower - tolerance || *weight > upper + tolerance {
                return None;
            }
            if *weight - lower <= snap {
                *weight = lower;
            } else if upper - *weight <= snap {
                *weight = upper;
            }
        }
        let sum: f64 = weights.iter().sum();
        let difference = sum.clamp(self.net.0, self.net.1) - sum;
        if difference.abs() > tolerance * weights.len() as f64 {
            return None;
        }
        if difference.abs() <= 0.0 {
            return Some(weights);
        }
        let room = |asset: usize, weight: f64| {
            if weight <= self.lower[asset] || weight >= self.upper[asset] {
                0.0
            } else if difference > 0.0 {
                self.upper[asset] - weight
            } else {
                weight - self.lower[asset]
            }
        };
        let total: f64 = weights.iter().enumerate().map(|(a, w)| room(a, *w)).sum();
        if total > difference.abs() {
            for (asset, weight) in weights.iter_mut().enumerate() {
                let moved = *weight + difference * room(asset, *weight) / total;
                *weight = moved.clamp(self.lower[asset], self.upper[asset]);
            }
        }
        let sum: f64 = weights.iter().sum();
        let missed = (sum - sum.clamp(self.net.0, self.net.1)).abs();
        (missed <= WEIGHT_TOLERANCE).then_some(weights)
    }
}

// === impl Hinge ===

impl Hinge {
    fn at(&self, weight: f64) -> f64 {
        let change = weight - self.from;
        (self.rise * change).max(-self.fall * change)
    }
}
