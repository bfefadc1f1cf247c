//! How much may be lost in the tail.

use agent::{Effect, Run, ToolDef, typed};
use domain::Amount;
use quant::var::{self, Confidence, HorizonRule, TailRisk};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::money::AmountText;
use wire::{Failure, schema};

use crate::SizingLimits;
use crate::limits::share_of;
use crate::refusals::{Fields, of_var, own_name};

pub(super) const TOOL: ToolDef<SizingLimits> = ToolDef {
    name: "calculate_var",
    title: "Value at risk and expected shortfall",
    description: "Measures the tail loss of a series of simple returns per period: value at risk \
                  and expected shortfall as fractions of the value held, positive for a loss and \
                  negative for a gain, and as amounts when portfolio_value is given. Says how many \
                  observations the tail holds and what the horizon assumes. It forecasts nothing \
                  beyond the sample.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<TailLoss>,
    run: Run::Inline(|limits, args, _| typed(args, |params| calculate_var(limits, &params))),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// Simple returns per period, oldest first: 0.01 is a gain of 1 %.
    #[schemars(
        length(min = 1, max = 10_000),
        extend("examples" = [[0.012, -0.008, 0.004, -0.021, 0.009, -0.013, 0.017, -0.002]])
    )]
    returns: Vec<f64>,
    /// Confidence level, above 0.5 and below 1; 0.95 is common, and 95 is refused.
    #[schemars(extend("exclusiveMinimum" = 0.5, "exclusiveMaximum" = 1.0, "examples" = [0.95]))]
    confidence: f64,
    /// How many periods ahead; 1 is the period of the returns.
    #[schemars(range(min = 1, max = 100_000), extend("examples" = [1]))]
    horizon: u32,
    /// How the distribution of returns is taken.
    #[schemars(extend("examples" = ["historical"]))]
    method: Method,
    /// Value held, as decimal text; more than zero. With it losses are given as amounts too.
    #[schemars(extend("examples" = ["100000"]))]
    portfolio_value: Option<AmountText>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Method {
    /// The sample itself.
    Historical,
    /// A normal distribution with the sample's mean and deviation.
    Normal,
    /// A normal distribution bent to the sample's skewness and kurtosis.
    CornishFisher,
}

/// A tail loss; positive is a loss.
#[derive(Debug, Serialize, JsonSchema)]
struct TailLoss {
    /// How the distribution was taken.
    method: Method,
    /// The confidence level.
    confidence_level: f64,
    /// How many periods ahead.
    horizon: u32,
    /// How many returns were given.
    observations: usize,
    /// How many observations, or windows of the horizon, lie in the tail. Below one, the historical
    /// expected shortfall is the worst of them.
    tail_observations: f64,
    /// The loss that is not exceeded with the confidence, as a fraction of the value held.
    var_fraction: f64,
    /// The mean loss beyond it, likewise.
    expected_shortfall_fraction: f64,
    /// var_fraction of portfolio_value.
    #[serde(skip_serializing_if = "Option::is_none")]
    var_amount: Option<AmountText>,
    /// expected_shortfall_fraction of portfolio_value.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_shortfall_amount: Option<AmountText>,
    /// The house's limit that var_fraction is held against.
    max_portfolio_risk: f64,
    /// Whether var_fraction is over it.
    violation: bool,
    /// How the horizon was reached.
    horizon_rule: String,
    /// For cornish_fisher: the transform, and where it is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    cornish_fisher: Option<Transform>,
    /// What was assumed.
    assumptions: Vec<String>,
}

/// The transform at the horizon.
#[derive(Debug, Serialize, JsonSchema)]
struct Transform {
    /// Skewness.
    skewness: f64,
    /// Excess kurtosis: 0 for a normal distribution.
    excess_kurtosis: f64,
    /// Whether the formula is a quantile function at all (Maillard 2012).
    is_in_domain: bool,
    /// Value at risk of the rearranged transform, which is one everywhere.
    coherent_var_fraction: f64,
    /// Its expected shortfall.
    coherent_expected_shortfall_fraction: f64,
}

fn calculate_var(limits: &SizingLimits, params: &Params) -> Result<TailLoss, Failure> {
    let asset = |_| "returns".to_owned();
    let refuse = |error| of_var(error, &Fields { series: own_name, asset: &asset });
    let value = match params.portfolio_value {
        Some(AmountText(value)) if value <= Amount::ZERO => {
            let rule = "must be more than zero";
            return Err(Failure::invalid("portfolio_value", value, rule, json!("100000")));
        }
        value => value.map(|AmountText(value)| value),
    };
    let confidence = Confidence::try_new(params.confidence).map_err(refuse)?;
    let method = var::Method::from(params.method);
    let tail =
        var::tail_risk(&params.returns, method, confidence, params.horizon).map_err(refuse)?;
    for figure in [tail.value_at_risk, tail.expected_shortfall] {
        if !figure.is_finite() {
            let message = "the returns are so large that their tail cannot be represented";
            return Err(Failure::refused("VALUES_OUT_OF_RANGE", message));
        }
    }
    let amount = |share| value.map(|v| share_of(v, share).map(AmountText)).transpose();
    Ok(TailLoss {
        method: params.method,
        confidence_level: tail.confidence,
        horizon: tail.horizon_periods,
        observations: tail.observations,
        tail_observations: tail.tail_observations,
        var_fraction: tail.value_at_risk,
        expected_shortfall_fraction: tail.expected_shortfall,
        var_amount: amount(tail.value_at_risk)?,
        expected_shortfall_amount: amount(tail.expected_shortfall)?,
        max_portfolio_risk: limits.max_portfolio_risk,
        violation: tail.value_at_risk > limits.max_portfolio_risk,
        horizon_rule: horizon_rule(tail.horizon_rule),
        cornish_fisher: tail.cornish_fisher.map(Transform::from),
        assumptions: assumptions(&tail),
    })
}

fn horizon_rule(rule: HorizonRule) -> String {
    match rule {
        HorizonRule::OnePeriod => "one period; nothing is scaled".to_owned(),
        HorizonRule::OverlappingWindows { windows } => {
            format!("returns compounded within {windows} overlapping windows of the sample")
        }
        HorizonRule::IndependentSums => {
            "independent returns that add: the mean grows with time, the deviation with its root"
                .to_owned()
        }
    }
}

fn assumptions(tail: &TailRisk) -> Vec<String> {
    let mut said = vec!["the future resembles the sample".to_owned()];
    said.push(
        match tail.method {
            var::Method::Historical => {
                "the quantile is interpolated (type 7); the shortfall weighs the boundary \
                 observation (Rockafellar & Uryasev 2002)"
            }
            var::Method::Normal => "returns are normal; sample deviation with n - 1",
            var::Method::CornishFisher => {
                "Cornish-Fisher expansion with the sample's skewness and kurtosis"
            }
        }
        .to_owned(),
    );
    if tail.cornish_fisher.is_some_and(|transform| !transform.is_in_domain) {
        said.push(
            "the sample is outside the domain of the expansion: take the coherent figures"
                .to_owned(),
        );
    }
    said
}

impl From<Method> for var::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Historical => Self::Historical,
            Method::Normal => Self::Normal,
            Method::CornishFisher => Self::CornishFisher,
        }
    }
}

impl From<var::CornishFisher> for Transform {
    fn from(of: var::CornishFisher) -> Self {
        Self {
            skewness: of.skewness,
            excess_kurtosis: of.excess_kurtosis,
            is_in_domain: of.is_in_domain,
            coherent_var_fraction: of.coherent_value_at_risk,
            coherent_expected_shortfall_fraction: of.coherent_expected_shortfall,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::{house, near, run};
    use super::*;

    fn tail(args: &Value) -> Result<Value, Failure> {
        run(|params| calculate_var(&house(), &params), args)
    }

    fn args(returns: &[f64], confidence: f64, horizon: u32, method: &str) -> Value {
        json!({"returns": returns, "confidence": confidence, "horizon": horizon, "method": method})
    }

    #[track_caller]
    fn refused(args: &Value, message: &str) {
        assert_eq!(tail(args).unwrap_err().message, message);
    }

    const TEN: [f64; 10] = [-0.05, -0.04, -0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.04];

    /// By hand: the 10 % quantile of type 7 lies at position 0.9, between -0.05 and -0.04.
    #[test]
    fn the_historical_tail_of_ten_returns_is_what_paper_and_pencil_say() {
        let loss = tail(&args(&TEN, 0.9, 1, "historical")).unwrap();
        near(&loss["var_fraction"], 0.041);
        near(&loss["expected_shortfall_fraction"], 0.05);
        near(&loss["tail_observations"], 1.0);
        assert_eq!([&loss["observations"], &loss["horizon"]], [10, 1]);
        near(&loss["confidence_level"], 0.9);
        assert_eq!(loss["violation"], false);
        assert_eq!(loss.get("var_amount"), None);
        assert_eq!(loss["horizon_rule"], "one period; nothing is scaled");
    }

    /// By hand, with z(0.95) = 1.6448536269514722 and phi(z)/0.05 = 2.0627128054846 from tables:
    /// the mean is -0.005 and the deviation the root of 0.00825/9.
    #[test]
    fn the_normal_tail_follows_its_formula() {
        let loss = tail(&args(&TEN, 0.95, 1, "normal")).unwrap();
        let deviation = (0.008_25_f64 / 9.0).sqrt();
        let value = loss["var_fraction"].as_f64().unwrap();
        assert!((value - (0.005 + deviation * 1.644_853_626_951_472_2)).abs() < 1e-10, "{value}");
        let shortfall = loss["expected_shortfall_fraction"].as_f64().unwrap();
        assert!((shortfall - (0.005 + deviation * 2.062_712_805)).abs() < 1e-9, "{shortfall}");
    }

    #[test]
    fn a_gain_in_the_tail_is_a_negative_loss() {
        let loss = tail(&args(&[0.01, 0.02, 0.03], 0.9, 1, "historical")).unwrap();
        assert!(loss["var_fraction"].as_f64().unwrap() < 0.0, "{loss}");
    }

    #[test]
    fn losses_are_amounts_of_the_value_that_was_given() {
        let mut args = args(&TEN, 0.9, 1, "historical");
        args["portfolio_value"] = json!("250000.50");
        let loss = tail(&args).unwrap();
        assert_eq!(loss["var_amount"], "10250.0205");
        assert_eq!(loss["expected_shortfall_amount"], "12500.025");
    }

    #[test]
    fn a_tail_over_the_limit_is_a_violation() {
        let returns: Vec<f64> = TEN.iter().map(|r| r * 5.0).collect();
        let loss = tail(&args(&returns, 0.9, 1, "historical")).unwrap();
        assert_eq!(loss["violation"], true);
        near(&loss["max_portfolio_risk"], 0.15);
    }

    #[test]
    fn outside_its_domain_the_expansion_says_so_and_gives_coherent_figures() {
        let mut returns = vec![0.01; 50];
        returns.push(-0.4);
        let loss = tail(&args(&returns, 0.99, 1, "cornish_fisher")).unwrap();
        assert_eq!(loss["cornish_fisher"]["is_in_domain"], false);
        assert!(loss["cornish_fisher"]["coherent_var_fraction"].is_number());
        assert_eq!(loss["assumptions"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn a_historical_horizon_needs_one_window_in_the_tail() {
        let failure = tail(&args(&TEN, 0.95, 5, "historical")).unwrap_err();
        assert_eq!(failure.reason(), Some("TOO_FEW_RETURNS_FOR_HORIZON"));
        assert_eq!(failure.data["required"], 100);
        assert_eq!(failure.data["observations"], 10);
        let long: Vec<f64> = TEN.iter().copied().cycle().take(100).collect();
        let loss = tail(&args(&long, 0.95, 5, "historical")).unwrap();
        assert_eq!(
            loss["horizon_rule"],
            "returns compounded within 96 overlapping windows of the sample"
        );
    }

    #[test]
    fn a_confidence_in_percent_or_of_the_wrong_side_is_refused() {
        refused(
            &args(&TEN, 95.0, 1, "historical"),
            "`confidence` is 95.0 but must be less than 1, for example 0.95",
        );
        refused(
            &args(&TEN, 0.05, 1, "historical"),
            "`confidence` is 0.05 but must be more than 0.5, for example 0.95",
        );
    }

    #[test]
    fn what_is_missing_has_no_default() {
        refused(
            &json!({"returns": [0.01], "confidence": 0.95, "method": "normal"}),
            "`horizon` is missing but is required, for example 1",
        );
        refused(
            &args(&TEN, 0.95, 1, "garch"),
            "`method` is \"garch\" but must be one of \"historical\", \"normal\", \
             \"cornish_fisher\", for example \"historical\"",
        );
    }

    #[test]
    fn too_few_returns_for_a_method_are_refused_with_the_number_needed() {
        refused(
            &args(&[0.01, 0.02], 0.95, 1, "cornish_fisher"),
            "`returns` is 2 values but must have at least 4, for example [0.01,0.01,0.01,0.01]",
        );
        let failure = tail(&args(&[0.01; 5], 0.95, 1, "cornish_fisher")).unwrap_err();
        assert_eq!(failure.reason(), Some("CONSTANT_SERIES"));
        assert!(tail(&args(&[], 0.95, 1, "normal")).is_err());
    }

    #[test]
    fn returns_that_cannot_be_used_are_named_by_their_place() {
        refused(
            &args(&[0.01, 1e31], 0.95, 1, "normal"),
            "`returns[1]` is 10000000000000000000000000000000 but must be a finite number of at \
             most 1e30 in size, for example 0.01",
        );
        let mut short = args(&TEN, 0.9, 1, "historical");
        short["portfolio_value"] = json!("-5");
        refused(
            &short,
            "`portfolio_value` is -5 but must be more than zero, for example \"100000\"",
        );
        let wiped: Vec<f64> = TEN.iter().map(|r| r * 30.0).cycle().take(200).collect();
        let failure = tail(&args(&wiped, 0.95, 2, "historical")).unwrap_err();
        assert_eq!(failure.reason(), Some("BELOW_TOTAL_LOSS"));
    }
}
