//! What a caller is told when the mathematics says no.
//!
//! A value that should not have been sent is `invalid_params`, with field, value, rule and example.
//! Values that are legal one by one but whose question has no answer are `refused`, with a reason
//! that does not change between versions and the numbers that led to it.

use quant::covariance::CovarianceError;
use quant::kelly::KellyError;
use quant::metrics::MetricsError;
use quant::portfolio::PortfolioError;
use quant::simulate::SimulateError;
use quant::stats::StatsError;
use quant::var::VarError;
use serde_json::json;
use wire::Failure;

/// How the arguments of a tool are called where the mathematics only counts them.
pub(crate) struct Fields<'a> {
    /// The field of a whole series, by the name that `quant` has for it.
    pub(crate) series: fn(&str) -> &str,
    /// The field of one asset's returns, by its number.
    pub(crate) asset: &'a dyn Fn(usize) -> String,
}

/// A series that is called by its own name.
pub(crate) fn own_name(series: &str) -> &str {
    series
}

/// A bet that cannot be sized.
pub(crate) fn of_kelly(error: KellyError) -> Failure {
    let invalid = |field: &str, value: f64, rule: &str, example: f64| {
        Failure::invalid(field, value, rule, json!(example))
    };
    match error {
        KellyError::Probability { field, value } => {
            invalid(field, value, "must be between 0 and 1", 0.6)
        }
        KellyError::WinReturn(value) => {
            invalid("win_return", value, "must be positive, from 1e-30 to 1e30", 1.0)
        }
        KellyError::LossReturn(value) => {
            invalid("loss_return", value, "must be negative, from -1e30 to -1e-30", -1.0)
        }
        KellyError::Multiplier(value) => {
            invalid("kelly_fraction", value, "must be above 0 and at most 1", 0.25)
        }
        KellyError::Ruinous { fraction, ruin } => Failure::refused("RUINOUS", error.to_string())
            .with("fraction", json!(fraction))
            .with("ruin", json!(ruin)),
        // The rest is about lists of outcomes, which no tool takes.
        other => Failure::refused("NO_SIZE", other.to_string()),
    }
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

/// A portfolio that does not exist; `names` are the assets.
pub(crate) fn of_portfolio(error: PortfolioError, names: &[String]) -> Failure {
    let name = |asset: usize| names.get(asset).cloned().unwrap_or_else(|| asset.to_string());
    let refused = |reason| Failure::refused(reason, error.to_string());
    let asset = |asset| format!("returns[{asset}]");
    match error {
        PortfolioError::Returns(error)
        | PortfolioError::Covariance(CovarianceError::Returns(error)) => {
            of_stats(error, &Fields { series: own_name, asset: &asset })
        }
        PortfolioError::AssetCount(count)
        | PortfolioError::Covariance(CovarianceError::AssetCount(count)) => {
            let value = format!("{count} values");
            Failure::invalid("assets", value, "must have from 1 to 2000", json!(names.first()))
        }
        PortfolioError::Rate { field, value } => {
            Failure::invalid(field, value, "must be finite", json!(0.001))
        }
        PortfolioError::Covariance(CovarianceError::ConstantAsset { asset }) => {
            let asset = name(asset);
            let message = format!("{asset} is constant, so that it has no correlation to shrink");
            Failure::refused("CONSTANT_ASSET", message).with("asset", json!(asset))
        }
        PortfolioError::Covariance(CovarianceError::NoVariance) => refused("NO_VARIANCE"),
        PortfolioError::TargetUnreachable { target, min, max } => {
            refused("TARGET_RETURN_UNREACHABLE")
                .with("target_return", json!(target))
                .with("reachable_min", json!(min))
                .with("reachable_max", json!(max))
        }
        PortfolioError::NothingBeatsRiskFree { asset, mean, risk_free } => {
            let asset = name(asset);
            let message = format!(
                "no asset beats the risk-free {risk_free} per period: the best, {asset}, expects \
                 {mean}"
            );
            Failure::refused("NO_ASSET_BEATS_RISK_FREE", message)
                .with("asset", json!(asset))
                .with("expected_return", json!(mean))
                .with("risk_free_per_period", json!(risk_free))
        }
        PortfolioError::ConstraintsBelowRiskFree { best, risk_free } => {
            refused("BOUNDS_BELOW_RISK_FREE")
                .with("expected_return", json!(best + risk_free))
                .with("risk_free_per_period", json!(risk_free))
        }
        PortfolioError::RisklessExcess => refused("RISKLESS_EXCESS_RETURN"),
        PortfolioError::NotVerified { gap, .. } => {
            let failure = refused("NO_VERIFIED_OPTIMUM");
            if gap.is_finite() { failure.with("gap", json!(gap)) } else { failure }
        }
        PortfolioError::Infeasible { .. } => refused("INFEASIBLE"),
        // Bounds and covariance are made here from one list of assets, and the tool asks for no
        // other constraint, so that these do not occur.
        _ => refused("NO_COVARIANCE"),
    }
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
