//! What a caller is told when the mathematics says no.
//!
//! A value that should not have been sent is `invalid_params`, with field, value, rule and example.
//! Values that are legal one by one but whose question has no answer are `refused`, with a reason
//! that does not change between versions and the numbers that led to it.

mod portfolios;
mod sizes;
mod tails;
mod tracks;

use std::fmt;

use quant::metrics::MetricsError;
use quant::simulate::SimulateError;
use quant::stats::StatsError;
use quant::var::VarError;
use schemars::JsonSchema;
use serde_json::{Value, json};
use wire::{Failure, Violation};

use crate::choice::example_in;

pub(crate) use portfolios::{of_covariance, of_hierarchy, of_portfolio, of_views, told};
pub(crate) use sizes::of_kelly;
pub(crate) use tails::{of_attribution, of_backtest, of_joint, of_tail, of_volatility};
pub(crate) use tracks::{of_bootstrap, of_stress, of_track};

/// How the arguments of a tool are called where the mathematics only counts them.
pub(crate) struct Fields<'a> {
    /// The field of a whole series or of a number, by the name that `quant` has for it.
    pub(crate) series: fn(&str) -> &str,
    /// The field of one asset's returns, by its number.
    pub(crate) asset: &'a dyn Fn(usize) -> String,
    /// The example of a field.
    pub(crate) example: fn(&str) -> Value,
}

/// A series that is called by its own name.
pub(crate) fn own_name(series: &str) -> &str {
    series
}

/// Assets whose returns are the rows of `returns`.
pub(crate) fn row_of_returns(asset: usize) -> String {
    format!("returns[{asset}]")
}

// === impl Fields ===

impl Fields<'static> {
    /// The fields of a tool whose assets' returns are the rows of `returns`.
    pub(crate) fn of<P: JsonSchema>(series: fn(&str) -> &str) -> Self {
        Self { series, asset: &row_of_returns, example: example_in::<P> }
    }
}

impl Fields<'_> {
    /// A number that breaks the rule that `quant` has for it.
    fn parameter(&self, field: &str, value: impl fmt::Display, rule: &str) -> Failure {
        let field = (self.series)(field);
        let (value, rule) = (value.to_string(), format!("must be {rule}"));
        match (self.example)(field) {
            // The value was worked out from several fields, so that no field has an example of it.
            Value::Null => {
                let (field, example) = (field.to_owned(), None);
                Failure::invalid_params(vec![Violation { field, value, rule, example }])
            }
            example => Failure::invalid(field, value, &rule, example),
        }
    }

    /// A count outside its range.
    fn count(&self, field: &str, value: usize, (min, max): (usize, usize)) -> Failure {
        self.parameter(field, value, &format!("from {min} to {max}"))
    }
}

/// A refusal with the numbers that are finite: JSON has no others.
fn refused(reason: &str, message: impl Into<String>, numbers: &[(&str, f64)]) -> Failure {
    let finite = numbers.iter().filter(|(_, number)| number.is_finite());
    finite.fold(Failure::refused(reason, message), |failure, (name, number)| {
        failure.with(name, json!(number))
    })
}

/// A series that cannot be used.
pub(crate) fn of_stats(error: StatsError, fields: &Fields<'_>) -> Failure {
    let finite = "must be a finite number of at most 1e30 in size";
    match error {
        StatsError::TooShort { series, len, required } => {
            let rule = format!("must have at least {required}");
            let example = json!(vec![0.01; required.min(4)]);
            Failure::invalid((fields.series)(series), format!("{len} values"), &rule, example)
        }
        StatsError::NotFinite { series, index, value }
        | StatsError::TooLarge { series, index, value } => {
            let field = format!("{}[{index}]", (fields.series)(series));
            Failure::invalid(&field, value, finite, json!(0.01))
        }
        StatsError::AssetValue { asset, period, value } => {
            let field = format!("{}[{period}]", (fields.asset)(asset));
            Failure::invalid(&field, value, finite, json!(0.01))
        }
        StatsError::Misaligned { series, len, reference, required } => {
            let reference = (fields.series)(reference);
            let rule = format!("must have {required}, one for each of {reference}");
            let example = json!(vec![0.01; required.min(4)]);
            Failure::invalid((fields.series)(series), format!("{len} values"), &rule, example)
        }
        StatsError::MisalignedAsset { asset, len, required } => {
            let rule = format!("must have {required}, over the same periods as the first asset");
            let example = json!(vec![0.01; required.min(4)]);
            Failure::invalid(&(fields.asset)(asset), format!("{len} values"), &rule, example)
        }
        StatsError::Constant { series } => {
            let series = (fields.series)(series);
            let message = format!(
                "{series} is constant, so that nothing can be divided by how \
                                   much it varies"
            );
            Failure::refused("CONSTANT_SERIES", message).with("series", json!(series))
        }
        StatsError::Probability { field, value } => {
            Failure::invalid(field, value, "must be between 0 and 1", json!(0.95))
        }
    }
}

/// A tail that cannot be measured.
pub(crate) fn of_var(error: VarError, fields: &Fields<'_>) -> Failure {
    match error {
        VarError::Returns(error) => of_stats(error, fields),
        VarError::Confidence(value) => {
            let rule = "must be above 0.5 and below 1: 95 % is 0.95";
            Failure::invalid("confidence", value, rule, json!(0.95))
        }
        VarError::Horizon(value) => {
            Failure::invalid("horizon", value, "must be from 1 to 100000 periods", json!(1))
        }
        VarError::HorizonTooLong { confidence, horizon, required, len } => {
            Failure::refused("TOO_FEW_RETURNS_FOR_HORIZON", error.to_string())
                .with("confidence", json!(confidence))
                .with("horizon", json!(horizon))
                .with("required", json!(required))
                .with("observations", json!(len))
        }
        VarError::BelowTotalLoss { index, value } => below_total_loss("returns", index, value),
        VarError::CompoundOverflow { index } => {
            Failure::refused("COMPOUND_OUT_OF_RANGE", error.to_string()).with("index", json!(index))
        }
    }
}

/// A metric that is not defined.
pub(crate) fn of_metrics(error: MetricsError, fields: &Fields<'_>) -> Failure {
    match error {
        MetricsError::Returns(error) => of_stats(error, fields),
        MetricsError::PeriodsPerYear(value) => {
            let rule = "must be positive and at most 1e9";
            Failure::invalid("periods_per_year", value, rule, json!(365))
        }
        MetricsError::AnnualRate { value, .. } => {
            let rule = "must be above -1 and at most 1e6: 4 % a year is 0.04";
            Failure::invalid("risk_free_rate", value, rule, json!(0.04))
        }
        MetricsError::BelowTotalLoss { series, index, value } => {
            below_total_loss((fields.series)(series), index, value)
        }
        MetricsError::NoExposure => Failure::refused("NO_EXPOSURE", "every position is worth zero"),
    }
}

fn below_total_loss(series: &str, index: usize, value: f64) -> Failure {
    let message = format!(
        "{series} lose more than everything in period {index} ({value}), and what follows a total \
         loss cannot be compounded"
    );
    Failure::refused("BELOW_TOTAL_LOSS", message)
        .with("period", json!(index))
        .with("value", json!(value))
}

/// A simulation that cannot be run, or was stopped; `of_asset` names the parameter that a field of
/// an asset was given by.
pub(crate) fn of_simulate(
    error: SimulateError,
    of_asset: &dyn Fn(usize, &str) -> String,
) -> Failure {
    match error {
        SimulateError::AssetCount(count) => {
            let rule = "must have from 1 to 1000";
            Failure::invalid("holdings", format!("{count} values"), rule, json!([]))
        }
        SimulateError::Asset { asset, field, value, rule } => {
            let field = of_asset(asset, field);
            Failure::invalid(&field, value, &format!("must be {rule}"), json!(0.5))
        }
        SimulateError::NoValue => {
            Failure::refused("NO_VALUE", "what is held is worth nothing at the start")
        }
        SimulateError::CorrelationSize { row, len, assets } => {
            let rule = format!("must have {assets} rows of {assets}, one for each holding");
            Failure::invalid(
                &format!("correlation[{row}]"),
                format!("{len} values"),
                &rule,
                json!(vec![1.0; 1]),
            )
        }
        SimulateError::Correlation { row, column, value, rule } => {
            let field = format!("correlation[{row}][{column}]");
            Failure::invalid(&field, value, &format!("must be {rule}"), json!(0.5))
        }
        SimulateError::NotPositiveDefinite { asset, pivot, .. } => {
            Failure::refused("CORRELATION_NOT_POSITIVE_DEFINITE", error.to_string())
                .with("asset", json!(asset))
                .with("pivot", json!(pivot))
        }
        SimulateError::Plan { field, value, min, max } => {
            let field = if field == "paths" { "num_simulations" } else { field };
            Failure::invalid(field, value, &format!("must be from {min} to {max}"), json!(min))
        }
        SimulateError::OddPaths(paths) => {
            let rule = "must be even, because antithetic paths come in pairs";
            Failure::invalid("num_simulations", paths, rule, json!(paths.saturating_add(1)))
        }
        SimulateError::Horizon(value) => {
            let rule = "must be positive and at most 1000";
            Failure::invalid("time_horizon", value, rule, json!(1))
        }
        SimulateError::TooManyDraws { paths, steps, assets } => {
            Failure::refused("TOO_MANY_DRAWS", error.to_string())
                .with("num_simulations", json!(paths))
                .with("steps", json!(steps))
                .with("holdings", json!(assets))
        }
        SimulateError::GrowthTooLarge { asset, .. } => {
            Failure::refused("GROWTH_OUT_OF_RANGE", error.to_string()).with("asset", json!(asset))
        }
        SimulateError::Stopped => {
            Failure::unavailable("the simulation was given up before it had a result")
        }
        SimulateError::Values(_) => Failure::refused("VALUES_OUT_OF_RANGE", error.to_string()),
    }
}
