//! What each expected return costs in risk, at the least.

use agent::{Effect, Run, ToolDef};
use quant::metrics::Basis;
use quant::portfolio::{
    self, Estimates, Inputs, Objective, Problem, Risk as Measure, Solution, estimate,
};
use quant::stats::AssetReturns;
use quant::var::Confidence;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::{Failure, Plot, schema};

use crate::Quant;
use crate::choice::{Choice, check_names, word};
use crate::covariances::Covariance;
use crate::plots::{FrontierPicture, Spot, plot};
use crate::refusals::{Fields, of_metrics, of_portfolio, of_stats, of_var};
use crate::stored::{Answered, Dataset, Named, TakesSeries, answered};
use crate::weight_limits::{Bounds, WeightLimits};

pub(super) const TOOL: ToolDef<Quant> = ToolDef {
    name: "efficient_frontier",
    title: "Efficient frontier",
    description: "Finds the long-only portfolios of least risk at evenly spaced expected \
                  returns. Returns are simple fractions per period; expected ones are the \
                  sample's means.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Answered<Frontier>>,
    run: Run::Heavy(|quant, args, context| {
        answered(quant, args, |params| efficient_frontier(params, &|| context.is_cancelled()))
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// All different.
    #[schemars(
        length(max = 100),
        inner(length(max = 64)),
        extend("examples" = [["BTCUSDT", "ETHUSDT", "SOLUSDT"]])
    )]
    #[serde(default)]
    assets: Vec<String>,
    /// Simple returns, a series an asset, oldest first.
    #[schemars(
        length(max = 100),
        inner(length(max = 5_000)),
        extend("examples" = [[
            [0.010, -0.005, 0.007, -0.002],
            [0.015, -0.012, 0.003, 0.006],
            [-0.004, 0.018, -0.011, 0.013]
        ]])
    )]
    #[serde(default)]
    returns: Vec<Vec<f64>>,
    /// Instead of returns, and of assets.
    dataset: Option<Dataset>,
    /// How many portfolios.
    #[schemars(range(min = 2, max = 50), extend("examples" = [5]))]
    points: u32,
    /// What is least: cvar is the mean loss of the tail, drawdown the mean of the worst.
    #[schemars(extend("examples" = ["variance"]))]
    risk: Risk,
    /// For cvar and drawdown.
    #[schemars(extend("exclusiveMinimum" = 0.5, "exclusiveMaximum" = 1.0, "examples" = [0.9]))]
    risk_confidence: Option<f64>,
    /// 365 for days, 8760 for hours.
    #[schemars(extend("exclusiveMinimum" = 0.0, "examples" = [365.0]))]
    periods_per_year: f64,
    /// Effective rate per year, 0.04 is 4 %; gives Sharpe ratios.
    #[schemars(extend("exclusiveMinimum" = -1.0, "examples" = [0.04]))]
    risk_free_rate: Option<f64>,
    /// The estimator of covariance.
    covariance: Covariance,
    /// The decay of ewma, or the threshold of gerber.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0, "examples" = [0.94]))]
    covariance_parameter: Option<f64>,
    /// Of each asset; without it 0.
    #[schemars(range(min = 0.0, max = 1.0), extend("examples" = [0.0]))]
    weight_min: Option<f64>,
    /// Of each asset; without it 1.
    #[schemars(range(min = 0.0, max = 1.0), extend("examples" = [0.6]))]
    weight_max: Option<f64>,
    /// Adds the weights.
    #[schemars(extend("examples" = [true]))]
    detail: Option<bool>,
    /// Adds a picture.
    #[schemars(extend("examples" = [true]))]
    plot: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Risk {
    Variance,
    // Mean loss of the tail.
    Cvar,
    // Mean of the worst drawdowns.
    Drawdown,
    // Below the portfolio's mean.
    Semivariance,
}

/// The frontier.
#[derive(Debug, Serialize, JsonSchema)]
struct Frontier {
    /// What is least.
    risk: Risk,
    /// The assets, in the order they were given.
    assets: Vec<String>,
    /// How many periods were given.
    periods: usize,
    /// The portfolios, the least expected return first.
    portfolios: Vec<Point>,
    /// The place in portfolios of the largest Sharpe ratio, from 0. Left out without
    /// risk_free_rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    best_sharpe: Option<usize>,
    /// With plot: the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    plot: Option<Plot>,
    /// What was assumed.
    assumptions: Vec<String>,
}

/// A portfolio of the frontier.
#[derive(Debug, Serialize, JsonSchema)]
struct Point {
    /// Expected simple return per period.
    expected_return: f64,
    /// Standard deviation per period.
    volatility: f64,
    /// What is least, per period.
    risk_value: f64,
    /// The same return per year.
    expected_return_annual: f64,
    /// The same deviation per year.
    volatility_annual: f64,
    /// Annual excess over the risk-free rate per deviation. Left out without the rate or deviation.
    #[serde(skip_serializing_if = "Option::is_none")]
    sharpe_ratio: Option<f64>,
    /// Proved bound on how much less the risk could be, relative to it.
    gap: f64,
    /// With detail: the weight of each of assets.
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<Vec<f64>>,
}

fn efficient_frontier(
    params: &Params,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<Frontier, Failure> {
    check_names(&params.assets, params.returns.len())?;
    let needed: &[&str] = match params.risk {
        Risk::Cvar | Risk::Drawdown => &["risk_confidence"],
        Risk::Variance | Risk::Semivariance => &[],
    };
    let what = format!("the risk {}", word(params.risk));
    Choice { what, needed, read: &[] }
        .check::<Params>(&[("risk_confidence", params.risk_confidence.is_some())])?;
    let fields = Fields::of::<Params>(field);
    let returns =
        AssetReturns::try_new(params.returns.clone(), 2).map_err(|e| of_stats(e, &fields))?;
    let rate = params.risk_free_rate.unwrap_or(0.0);
    let basis = Basis::try_new(params.periods_per_year, rate, rate)
        .map_err(|error| of_metrics(error, &fields))?;
    let refuse = |error| of_portfolio(error, &params.assets, &fields);
    let estimator = params.covariance.estimator(params.covariance_parameter)?;
    let estimates = estimate(&returns, estimator).map_err(refuse)?;
    let bounds = Bounds { weight_min: params.weight_min, weight_max: params.weight_max };
    let constraints = WeightLimits::default().constraints(&params.assets, &bounds, None)?;
    let problem = Problem {
        objective: Objective::MinimumRisk(measure(params, &fields)?),
        inputs: Inputs::both(&estimates, &returns),
        constraints,
    };
    if is_cancelled() {
        return Err(Failure::unavailable("the call was given up before the solver began"));
    }
    let points = usize::try_from(params.points).expect("invariant: a u32 fits into a usize");
    let found = portfolio::efficient_frontier(&problem, points).map_err(refuse)?;
    let portfolios: Vec<Point> = found.iter().map(|of| Point::of(of, params, &basis)).collect();
    let ratios = portfolios.iter().enumerate().filter_map(|(at, of)| Some((at, of.sharpe_ratio?)));
    let best_sharpe = ratios.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(at, _)| at);
    let mut frontier = Frontier {
        risk: params.risk,
        assets: params.assets.clone(),
        periods: returns.period_count(),
        portfolios,
        best_sharpe,
        plot: None,
        assumptions: vec![
            "expected returns are the arithmetic means of the sample".to_owned(),
            "weights are brought back to these before every period, without cost".to_owned(),
            "annual figures assume independent periods".to_owned(),
        ],
    };
    if params.plot == Some(true) {
        frontier.plot = Some(picture(params, &frontier, &estimates)?);
    }
    Ok(frontier)
}

fn picture(params: &Params, of: &Frontier, estimates: &Estimates) -> Result<Plot, Failure> {
    let (risk, count) = (word(of.risk), of.assets.len());
    let title = format!("Portfolios of least {risk} from {count} assets, {} periods", of.periods);
    let title = Dataset::after(params.dataset.as_ref(), &title);
    let year = params.periods_per_year;
    let covariance = estimates.covariance();
    let asset = |(at, name): (usize, &String)| Spot {
        name: name.clone(),
        volatility: (covariance.at(at, at).unwrap_or_default() * year).max(0.0).sqrt(),
        expected: estimates.mean()[at] * year,
    };
    let portfolio = |point: &Point| Spot {
        name: String::new(),
        volatility: point.volatility_annual,
        expected: point.expected_return_annual,
    };
    let drawn = FrontierPicture {
        title: title.clone(),
        frontier: of.portfolios.iter().map(portfolio).collect(),
        assets: of.assets.iter().enumerate().map(asset).collect(),
        best_sharpe: of.best_sharpe,
    };
    plot(&title, drawn.svg())
}

fn measure(params: &Params, fields: &Fields<'_>) -> Result<Measure, Failure> {
    let confidence = || {
        let level = params.risk_confidence.unwrap_or(f64::NAN);
        Confidence::try_new(level).map_err(|error| of_var(error, fields))
    };
    Ok(match params.risk {
        Risk::Variance => Measure::Variance,
        Risk::Cvar => Measure::ConditionalValueAtRisk(confidence()?),
        Risk::Drawdown => Measure::ConditionalDrawdown(confidence()?),
        Risk::Semivariance => Measure::Semivariance(portfolio::Threshold::Mean),
    })
}

/// The fields where `quant` has other names for them.
fn field(name: &str) -> &str {
    match name {
        "decay" | "threshold" => "covariance_parameter",
        "confidence" => "risk_confidence",
        "frontier points" => "points",
        other => other,
    }
}

// === impl Point ===

impl Point {
    fn of(of: &Solution, params: &Params, basis: &Basis) -> Self {
        let year = params.periods_per_year;
        let excess = of.expected_return - basis.risk_free_per_period();
        let has_ratio = params.risk_free_rate.is_some() && of.volatility > 0.0;
        Self {
            expected_return: of.expected_return,
            volatility: of.volatility,
            risk_value: of.objective,
            expected_return_annual: of.expected_return * year,
            volatility_annual: of.volatility * year.sqrt(),
            sharpe_ratio: has_ratio
                .then(|| excess / of.volatility * year.sqrt())
                .filter(|ratio| ratio.is_finite()),
            gap: of.gap,
            weights: (params.detail == Some(true)).then(|| of.weights.clone()),
        }
    }
}

// === impl Params ===

impl TakesSeries for Params {
    fn dataset(&self) -> Option<&Dataset> {
        self.dataset.as_ref()
    }

    fn places(&self) -> Vec<(&'static str, bool)> {
        vec![("returns", !self.returns.is_empty())]
    }

    fn put(&mut self, named: &mut Named<'_>) -> Result<(), Failure> {
        named.assets::<Self>(&mut self.assets, &mut self.returns)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::run;
    use super::*;

    fn found(args: &Value) -> Result<Value, Failure> {
        run(|params| efficient_frontier(&params, &|| false), args)
    }

    /// Two assets without correlation: deviations of 1 % and 2 %, means of 1 % and 3 %.
    fn two(risk: &str) -> Value {
        json!({
            "assets": ["CALM", "WILD"], "points": 3, "risk": risk, "covariance": "sample",
            "returns": [[0.02, 0.02, 0.0, 0.0], [0.05, 0.01, 0.05, 0.01]],
            "periods_per_year": 365.0, "detail": true,
        })
    }

    #[track_caller]
    fn about(value: &Value, expected: f64) {
        let value = value.as_f64().unwrap();
        assert!((value - expected).abs() < 1e-5, "{value} is not {expected}");
    }

    /// The least variance weighs 4 to 1 and expects 1.4 %; the end is the better asset alone.
    #[test]
    fn the_frontier_goes_from_the_least_risk_to_the_largest_return() {
        let mut args = two("variance");
        args["risk_free_rate"] = json!(0.0);
        let frontier = found(&args).unwrap();
        let points = frontier["portfolios"].as_array().unwrap();
        about(&points[0]["weights"][0], 0.8);
        about(&points[0]["expected_return"], 0.014);
        about(&points[1]["expected_return"], 0.022);
        about(&points[2]["weights"][1], 1.0);
        // The tangency portfolio expects (1 + 3 * 0.75) / 1.75 %, which is nearest to 2.2 %.
        assert_eq!(frontier["best_sharpe"], 1);
    }

    #[test]
    fn risk_never_falls_as_the_return_rises_whatever_risk_is() {
        for (risk, confidence) in [
            ("variance", None),
            ("cvar", Some(0.7)),
            ("drawdown", Some(0.7)),
            ("semivariance", None),
        ] {
            let mut args = two(risk);
            args["points"] = json!(6);
            args["returns"] = json!([
                [0.02, -0.01, 0.01, 0.0, -0.005, 0.01],
                [0.05, -0.04, -0.03, 0.06, 0.03, -0.01]
            ]);
            if let Some(confidence) = confidence {
                args["risk_confidence"] = json!(confidence);
            }
            let frontier = found(&args).unwrap_or_else(|failure| panic!("{risk}: {failure}"));
            let points = frontier["portfolios"].as_array().unwrap();
            let values: Vec<f64> =
                points.iter().map(|p| p["risk_value"].as_f64().unwrap()).collect();
            assert!(values.windows(2).all(|pair| pair[1] >= pair[0] - 1e-7), "{risk}: {values:?}");
            assert_eq!(frontier.get("best_sharpe"), None);
        }
    }

    #[test]
    fn weights_come_with_detail_and_keep_to_their_bounds() {
        let mut args = two("variance");
        args["weight_max"] = json!(0.7);
        let frontier = found(&args).unwrap();
        about(&frontier["portfolios"][2]["weights"][1], 0.7);
        args["detail"] = json!(false);
        assert_eq!(found(&args).unwrap()["portfolios"][0].get("weights"), None);
    }

    #[test]
    fn what_has_no_frontier_is_refused() {
        let missing = found(&two("cvar")).unwrap_err();
        assert_eq!(
            missing.message,
            "`risk_confidence` is missing but is required for the risk cvar, for example 0.9"
        );
        let mut unread = two("variance");
        unread["risk_confidence"] = json!(0.9);
        assert!(found(&unread).unwrap_err().message.contains("is given but is not for"));
        let mut still = two("variance");
        still["returns"] = json!([[0.01, 0.01], [0.02, 0.02]]);
        assert_eq!(found(&still).unwrap_err().reason(), Some("NO_VARIANCE"));
        let mut crossed = two("variance");
        crossed["weight_max"] = json!(0.4);
        assert!(found(&crossed).unwrap_err().message.starts_with("`weight_max` is 0.8 in sum"));
        let stopped = run(|params| efficient_frontier(&params, &|| true), &two("variance"));
        assert_eq!(stopped.unwrap_err().code, wire::Code::Unavailable);
    }
}
