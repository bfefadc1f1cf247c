//! Every tool, one file each.

mod backtest_var;
mod calculate_kelly;
mod calculate_risk_metrics;
mod calculate_var;
mod efficient_frontier;
mod estimate_covariance;
mod fit_volatility;
mod get_breakers;
mod get_limits;
mod list_datasets;
mod monte_carlo_simulation;
mod optimize_portfolio;
mod performance_report;
mod position_size;
mod reset_breaker;
mod risk_of_order;
mod set_limit;
mod stress_test;

use agent::ToolDef;

use crate::Quant;

/// The tools, in the order in which they are listed.
pub(crate) const TOOLS: &[ToolDef<Quant>] = &[
    calculate_kelly::TOOL,
    calculate_var::TOOL,
    optimize_portfolio::TOOL,
    calculate_risk_metrics::TOOL,
    monte_carlo_simulation::TOOL,
    backtest_var::TOOL,
    fit_volatility::TOOL,
    estimate_covariance::TOOL,
    efficient_frontier::TOOL,
    stress_test::TOOL,
    performance_report::TOOL,
    position_size::TOOL,
    list_datasets::TOOL,
    risk_of_order::TOOL,
    get_limits::TOOL,
    set_limit::TOOL,
    get_breakers::TOOL,
    reset_breaker::TOOL,
];

/// Those that only compute: what the breaker of tools stops.
pub(crate) const GUARDED: &[&str] = &[
    "calculate_kelly",
    "calculate_var",
    "optimize_portfolio",
    "calculate_risk_metrics",
    "monte_carlo_simulation",
    "backtest_var",
    "fit_volatility",
    "estimate_covariance",
    "efficient_frontier",
    "stress_test",
    "performance_report",
    "position_size",
    "list_datasets",
];

/// What the tests of the tools share.
#[cfg(test)]
mod tests {
    use risk::Limits;
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};
    use wire::Failure;
    use wire::schema::{check, input_of, output_of, read};

    use crate::SizingLimits;

    /// The limits of the house.
    pub(super) fn house() -> SizingLimits {
        SizingLimits::from(&Limits::default())
    }

    /// Runs a tool as a call would: arguments against their schema and type, and a result that
    /// must keep its own schema.
    #[track_caller]
    pub(super) fn run<P, R>(
        tool: impl FnOnce(P) -> Result<R, Failure>,
        args: &Value,
    ) -> Result<Value, Failure>
    where
        P: DeserializeOwned + schemars::JsonSchema,
        R: Serialize + schemars::JsonSchema,
    {
        let result = tool(read(&input_of::<P>().into(), &args.to_string())?)?;
        let result = json!(result);
        assert_eq!(check(&output_of::<R>(), &result), Vec::new(), "{result}");
        Ok(result)
    }

    /// Asserts that a number is another to 12 digits.
    #[track_caller]
    pub(super) fn near(value: &Value, expected: f64) {
        let value = value.as_f64().expect("a number");
        let difference = (value - expected).abs();
        assert!(difference <= 1e-12 * expected.abs().max(1e-3), "{value} is not {expected}");
    }
}
