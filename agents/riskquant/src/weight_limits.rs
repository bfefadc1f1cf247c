//! What a portfolio must keep to, for every tool that seeks one.

use quant::portfolio::{Constraints, Costs, Group, Tracking, Turnover, TurnoverCount};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use wire::{Failure, Violation};

/// Limits of weights beyond one least and one largest for all.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct WeightLimits {
    /// Least weights, negative for shorts; instead of weight_min.
    #[schemars(length(max = 500), extend("examples" = [[0.0, -0.2, 0.0]]))]
    pub(crate) lower: Option<Vec<f64>>,
    /// Largest weights; instead of weight_max.
    #[schemars(length(max = 500), extend("examples" = [[0.8, 0.8, 0.5]]))]
    pub(crate) upper: Option<Vec<f64>>,
    /// Least and largest sum of weights.
    #[schemars(length(min = 2, max = 2), extend("examples" = [[0.9, 1.0]]))]
    pub(crate) net: Option<Vec<f64>>,
    /// Largest sum of absolute weights.
    #[schemars(range(min = 0.0), extend("examples" = [1.5]))]
    pub(crate) gross_max: Option<f64>,
    /// Sums over some assets.
    #[schemars(
        length(max = 50),
        extend("examples" = [[{"assets": ["ETHUSDT", "SOLUSDT"], "min": 0.0, "max": 0.9}]])
    )]
    pub(crate) groups: Option<Vec<GroupLimits>>,
    /// Weights now; the rest is cash.
    #[schemars(length(max = 500), extend("examples" = [[0.4, 0.3, 0.3]]))]
    pub(crate) weights_before: Option<Vec<f64>>,
    /// Largest sum of absolute changes.
    #[schemars(range(min = 0.0), extend("examples" = [1.2]))]
    pub(crate) turnover_max: Option<f64>,
    /// Fraction of what is traded.
    #[schemars(range(min = 0.0), extend("examples" = [0.001]))]
    pub(crate) cost: Option<f64>,
    /// Deviation per period.
    #[schemars(range(min = 0.0), extend("examples" = [0.05]))]
    pub(crate) volatility_max: Option<f64>,
    /// From benchmark_weights, per period.
    #[schemars(range(min = 0.0), extend("examples" = [0.05]))]
    pub(crate) tracking_error_max: Option<f64>,
    /// Most assets to hold.
    #[schemars(range(min = 1, max = 500), extend("examples" = [3]))]
    pub(crate) assets_max: Option<u32>,
}

// Limits of the sum of some weights.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupLimits {
    /// Some of assets.
    #[schemars(length(max = 500), extend("examples" = [["ETHUSDT", "SOLUSDT"]]))]
    assets: Vec<String>,
    /// Least sum.
    #[schemars(extend("examples" = [0.0]))]
    min: f64,
    /// Largest sum.
    #[schemars(extend("examples" = [0.7]))]
    max: f64,
}

/// One least and one largest weight for all assets.
pub(crate) struct Bounds {
    pub(crate) weight_min: Option<f64>,
    pub(crate) weight_max: Option<f64>,
}

// === impl Bounds ===

impl Bounds {
    /// The bounds, refused by the parameter that leaves no portfolio.
    fn of_all(&self, count: usize) -> Result<(f64, f64), Failure> {
        let (lower, upper) = (self.weight_min.unwrap_or(0.0), self.weight_max.unwrap_or(1.0));
        if !(lower >= 0.0 && lower <= upper && upper <= 1.0) {
            let rule = "must be from 0 to weight_max, itself at most 1";
            return Err(Failure::invalid("weight_min", lower, rule, json!(0)));
        }
        // Sums of bounds within rounding of the whole leave a portfolio.
        if lower * count as f64 > 1.0 + 1e-9 {
            let rule = format!("must be at most 1 over the number of assets, {count}");
            let value = format!("{} in sum", lower * count as f64);
            return Err(Failure::invalid("weight_min", value, &rule, json!(0)));
        }
        if (upper * count as f64) < 1.0 - 1e-9 {
            let rule = format!("must be at least 1 over the number of assets, {count}");
            let value = format!("{} in sum", upper * count as f64);
            return Err(Failure::invalid("weight_max", value, &rule, json!(1)));
        }
        Ok((lower, upper))
    }
}

// === impl WeightLimits ===

impl WeightLimits {
    /// The limits of these assets.
    pub(crate) fn constraints(
        &self,
        assets: &[String],
        bounds: &Bounds,
        benchmark: Option<&[f64]>,
    ) -> Result<Constraints, Failure> {
        let count = assets.len();
        let twice = [
            ("weight_min", bounds.weight_min, self.lower.is_some()),
            ("weight_max", bounds.weight_max, self.upper.is_some()),
        ];
        for (field, value, is_listed) in twice {
            if let (Some(value), true) = (value, is_listed) {
                return Err(instead(field, &value.to_string(), "one for each asset is given"));
            }
        }
        let (lower, upper) = if self.lower.is_none() && self.upper.is_none() && self.net.is_none() {
            bounds.of_all(count)?
        } else {
            (bounds.weight_min.unwrap_or(0.0), bounds.weight_max.unwrap_or(1.0))
        };
        let lower = self.lower.clone().unwrap_or_else(|| vec![lower; count]);
        let upper = self.upper.clone().unwrap_or_else(|| vec![upper; count]);
        let mut constraints = Constraints::bounded(lower, upper);
        if let Some([net_min, net_max]) = self.net.as_deref() {
            (constraints.net_min, constraints.net_max) = (*net_min, *net_max);
        }
        constraints.gross_max = self.gross_max;
        constraints.volatility_max = self.volatility_max;
        constraints.assets_max = self.assets_max.and_then(|most| usize::try_from(most).ok());
        constraints.groups = self.groups(assets)?;
        self.trades(count, &mut constraints)?;
        constraints.tracking = match (self.tracking_error_max, benchmark) {
            (Some(error_max), Some(benchmark)) => {
                Some(Tracking { benchmark: benchmark.to_vec(), error_max })
            }
            (Some(_), None) => {
                let rule = "is required for constraints.tracking_error_max";
                let example = json!([0.4, 0.3, 0.3]);
                return Err(Failure::invalid("benchmark_weights", "missing", rule, example));
            }
            (None, _) => None,
        };
        Ok(constraints)
    }

    fn groups(&self, assets: &[String]) -> Result<Vec<Group>, Failure> {
        let mut groups = Vec::new();
        for (index, group) in self.groups.iter().flatten().enumerate() {
            let mut places = Vec::new();
            for (member, name) in group.assets.iter().enumerate() {
                let Some(place) = assets.iter().position(|asset| asset == name) else {
                    let field = format!("constraints.groups[{index}].assets[{member}]");
                    return Err(Failure::invalid(
                        &field,
                        name,
                        "must be one of assets",
                        json!(assets.first()),
                    ));
                };
                places.push(place);
            }
            groups.push(Group { assets: places, min: group.min, max: group.max });
        }
        Ok(groups)
    }

    /// Turnover and costs, which both start from the weights now.
    fn trades(&self, count: usize, constraints: &mut Constraints) -> Result<(), Failure> {
        let Some(before) = &self.weights_before else {
            let needed_by = [("turnover_max", self.turnover_max), ("cost", self.cost)];
            return match needed_by.iter().find(|(_, value)| value.is_some()) {
                None => Ok(()),
                Some((name, _)) => {
                    let rule = format!("is required for constraints.{name}");
                    let field = "constraints.weights_before";
                    Err(Failure::invalid(field, "missing", &rule, json!([0.4, 0.3, 0.3])))
                }
            };
        };
        if self.turnover_max.is_none() && self.cost.is_none() {
            let field = "constraints.weights_before";
            return Err(instead(field, "given", "neither turnover_max nor cost is given"));
        }
        constraints.turnover = self.turnover_max.map(|max| Turnover {
            from: before.clone(),
            max,
            count: TurnoverCount::TwoSided,
        });
        constraints.costs = self.cost.map(|rate| Costs {
            from: before.clone(),
            buy: vec![rate; count],
            sell: vec![rate; count],
        });
        Ok(())
    }
}

/// A parameter that would be left unread.
fn instead(field: &str, value: &str, why: &str) -> Failure {
    let (field, value) = (field.to_owned(), value.to_owned());
    let rule = format!("would not count, because {why}; leave it out");
    Failure::invalid_params(vec![Violation { field, value, rule, example: None }])
}
