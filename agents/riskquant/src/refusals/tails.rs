//! Tails, volatilities and forecasts that do not exist.

use quant::attribution::AttributionError;
use quant::backtest::BacktestError;
use quant::joint::JointError;
use quant::tail::TailError;
use quant::volatility::VolatilityError;
use serde_json::json;
use wire::Failure;

use super::{Fields, of_covariance, of_stats, of_var, refused};

/// A tail that cannot be measured by the method.
pub(crate) fn of_tail(error: TailError, fields: &Fields<'_>) -> Failure {
    let told = error.to_string();
    match error {
        TailError::Returns(error) => of_stats(error, fields),
        TailError::Tail(error) => of_var(error, fields),
        TailError::Volatility(error) => of_volatility(error, fields),
        TailError::Likelihood(_) => Failure::refused("NO_LIKELIHOOD_MAXIMUM", told),
        TailError::Parameter { field, value, rule } => fields.parameter(field, value, rule),
        TailError::Count { field, value, min, max } => fields.count(field, value, (min, max)),
        TailError::NoMean { tail_index } => {
            refused("TAIL_WITHOUT_MEAN", told, &[("tail_index", tail_index)])
        }
        TailError::Irregular(shape) => refused("TAIL_SHAPE_IRREGULAR", told, &[("shape", shape)]),
        TailError::InsideThreshold { confidence, share, least } => refused(
            "CONFIDENCE_INSIDE_THRESHOLD",
            told,
            &[("confidence", confidence), ("tail_share", share), ("confidence_above", least)],
        ),
        TailError::NoLossThreshold(threshold) => {
            refused("THRESHOLD_IS_NO_LOSS", told, &[("threshold", threshold)])
        }
    }
}

/// A volatility that cannot be estimated.
pub(crate) fn of_volatility(error: VolatilityError, fields: &Fields<'_>) -> Failure {
    let told = error.to_string();
    match error {
        VolatilityError::Series(error) => of_stats(error, fields),
        VolatilityError::Decay(value) => fields.parameter("decay", value, "above 0 and below 1"),
        VolatilityError::PeriodsPerYear(value) => {
            fields.parameter("periods_per_year", value, "positive and at most 1e9")
        }
        VolatilityError::Price { field, index, value, rule } => {
            let field = format!("bars[{index}].{field}");
            Failure::invalid(&field, value, &format!("must be {rule}"), json!(100.0))
        }
        VolatilityError::Horizon(value) => {
            fields.parameter("horizon", value, "from 1 to 100000 periods")
        }
        VolatilityError::NoClosedForecast(horizon) => {
            refused("NO_CLOSED_FORECAST", told, &[("horizon", f64::from(horizon))])
        }
        VolatilityError::Paths(value) => fields.parameter("paths", value, "from 100 to 10000000"),
        VolatilityError::NoClustering => Failure::refused("NO_CLUSTERING", told),
        VolatilityError::Likelihood(_) => Failure::refused("NO_LIKELIHOOD_MAXIMUM", told),
    }
}

/// A law of several assets that is none, or whose simulation was stopped.
pub(crate) fn of_joint(error: JointError, fields: &Fields<'_>) -> Failure {
    let told = error.to_string();
    match error {
        JointError::Series(error) => of_stats(error, fields),
        JointError::Correlation(error) => of_covariance(error, &[], fields),
        JointError::AssetCount(count) => fields.parameter("assets", count, "from 1 to 1000"),
        JointError::MatrixSize { matrix, row, len, assets } => {
            let field = format!("{}[{row}]", (fields.series)(matrix));
            let rule = format!("must be one of {assets} rows of {assets}, one for each asset");
            Failure::invalid(&field, format!("{len} values"), &rule, (fields.example)(&field))
        }
        JointError::Matrix { matrix, row, column, value, rule } => {
            let field = format!("{}[{row}][{column}]", (fields.series)(matrix));
            Failure::invalid(&field, value, &format!("must be {rule}"), json!(0.0004))
        }
        JointError::NotSemidefinite { asset, pivot, .. } => {
            refused("NOT_POSITIVE_SEMIDEFINITE", told, &[("pivot", pivot)])
                .with("asset", json!(asset))
        }
        JointError::Parameter { field, value, rule } => fields.parameter(field, value, rule),
        JointError::Count { field, value, min, max } => fields.count(field, value, (min, max)),
        JointError::Paths { paths, rule } => fields.parameter("paths", paths, rule),
        JointError::Stopped => stopped(),
    }
}

/// A tail that cannot be shared out among positions.
pub(crate) fn of_attribution(error: AttributionError, fields: &Fields<'_>) -> Failure {
    match error {
        AttributionError::Series(error) => of_stats(error, fields),
        AttributionError::Covariance(error) => of_joint(error, fields),
        AttributionError::Horizon(value) => {
            fields.parameter("horizon", value, "from 1 to 100000 periods")
        }
        AttributionError::Freedom(value) => {
            fields.parameter("degrees_of_freedom", value, "above 2 and finite")
        }
    }
}

/// Forecasts that cannot be judged.
pub(crate) fn of_backtest(error: BacktestError, fields: &Fields<'_>) -> Failure {
    let told = error.to_string();
    match error {
        BacktestError::Series(error) => of_stats(error, fields),
        BacktestError::Counts { breaches, periods } => Failure::refused("BREACH_COUNT", told)
            .with("breaches", json!(breaches))
            .with("periods", json!(periods)),
        BacktestError::Shortfall { index, value, least } => {
            let field = format!("{}[{index}]", (fields.series)("expected_shortfall"));
            let rule = format!("must be positive and at least its value at risk, {least}");
            Failure::invalid(&field, value, &rule, json!(least.max(0.01)))
        }
        BacktestError::Law { field, value, rule } => fields.parameter(field, value, rule),
        BacktestError::Histories(value) => {
            fields.parameter("histories", value, "from 100 to 1000000")
        }
    }
}

/// Nobody waits any more.
pub(super) fn stopped() -> Failure {
    Failure::unavailable("the call was given up before it had a result")
}
