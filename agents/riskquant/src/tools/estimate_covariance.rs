//! How assets move together.

use agent::{Effect, Run, ToolDef};
use quant::covariance::{Divisor, Repair, estimate};
use quant::stats::AssetReturns;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::{Failure, schema};

use super::optimize_portfolio::{CorrelatedPair, correlation_limit};
use crate::choice::check_names;
use crate::covariances::Covariance;
use crate::limits::LimitViolation;
use crate::refusals::{Fields, of_covariance, of_stats, own_name};
use crate::stored::{Answered, Dataset, Named, TakesSeries, answered};
use crate::{Quant, SizingLimits};

/// The most assets whose matrices are given.
const MATRIX_ASSETS_MAX: usize = 50;

pub(super) const TOOL: ToolDef<Quant> = ToolDef {
    name: "estimate_covariance",
    title: "Covariance of assets",
    description: "Estimates how assets move together: deviations per period, the closest pair \
                  against the house's max_correlation, rank, condition and shrinkage; with \
                  detail the matrices.",
    effect: Effect::Reads,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Answered<Comovement>>,
    run: Run::Heavy(|quant, args, _| {
        answered(quant, args, |params| estimate_covariance(&quant.limits(), params))
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// All different.
    #[schemars(
        length(max = 500),
        inner(length(max = 64)),
        extend("examples" = [["BTCUSDT", "ETHUSDT"]])
    )]
    #[serde(default)]
    assets: Vec<String>,
    /// Simple returns, a series an asset, oldest first.
    #[schemars(
        length(max = 500),
        inner(length(max = 20_000)),
        extend("examples" = [[[0.010, -0.005, 0.007, -0.002], [0.015, -0.012, 0.003, 0.006]]])
    )]
    #[serde(default)]
    returns: Vec<Vec<f64>>,
    /// Instead of returns, and of assets.
    dataset: Option<Dataset>,
    /// The estimator.
    covariance: Covariance,
    /// The decay of ewma, or the threshold of gerber.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0, "examples" = [0.94]))]
    covariance_parameter: Option<f64>,
    /// Adds the matrices, of at most 50 assets.
    #[schemars(extend("examples" = [true]))]
    detail: Option<bool>,
}

/// How assets move together.
#[derive(Debug, Serialize, JsonSchema)]
struct Comovement {
    /// The assets, in the order they were given.
    assets: Vec<String>,
    /// How many periods were given.
    periods: usize,
    /// Standard deviation of each of assets per period.
    deviations: Vec<f64>,
    /// The pair with the largest absolute correlation. Left out when no pair has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_correlation: Option<CorrelatedPair>,
    /// Mean correlation of all pairs. Left out when none has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_correlation: Option<f64>,
    /// Figures over the house's limits.
    violations: Vec<LimitViolation>,
    /// How many assets the others do not determine; fewer than there are make some mix riskless.
    rank: usize,
    /// Largest eigenvalue over the least. Left out when the rank is not full.
    #[serde(skip_serializing_if = "Option::is_none")]
    condition_number: Option<f64>,
    /// The largest eigenvalue.
    eigenvalue_max: f64,
    /// Share of the target that the sample was shrunk to. Left out without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    shrinkage: Option<f64>,
    /// What was changed to make it a covariance.
    repairs: Vec<String>,
    /// With detail: the covariance per period, by rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    covariance: Option<Vec<Vec<f64>>>,
    /// With detail: the correlations, by rows. Left out when an asset is constant.
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation: Option<Vec<Vec<f64>>>,
    /// What was assumed.
    assumptions: Vec<String>,
}

fn estimate_covariance(limits: &SizingLimits, params: &Params) -> Result<Comovement, Failure> {
    let count = params.assets.len();
    check_names(&params.assets, params.returns.len())?;
    let detail = params.detail == Some(true);
    if detail && count > MATRIX_ASSETS_MAX {
        let rule = format!("must be left out for more than {MATRIX_ASSETS_MAX} assets");
        return Err(Failure::invalid("detail", true, &rule, json!(false)));
    }
    let fields = Fields::of::<Params>(field);
    let returns =
        AssetReturns::try_new(params.returns.clone(), 2).map_err(|e| of_stats(e, &fields))?;
    let estimator = params.covariance.estimator(params.covariance_parameter)?;
    let found = estimate(&returns, estimator, Divisor::PeriodsLessOne)
        .map_err(|error| of_covariance(error, &params.assets, &fields))?;
    let conditioning = found.conditioning();
    let pairs = (0..count).flat_map(|first| (first + 1..count).map(move |second| (first, second)));
    let correlations: Vec<(usize, usize, f64)> = pairs
        .filter_map(|(first, second)| Some((first, second, found.correlation(first, second)?)))
        .collect();
    let closest = correlations.iter().max_by(|a, b| a.2.abs().total_cmp(&b.2.abs()));
    let pair = closest.map(|(first, second, correlation)| CorrelatedPair {
        first: params.assets[*first].clone(),
        second: params.assets[*second].clone(),
        correlation: *correlation,
    });
    let violation = pair.as_ref().and_then(|pair| correlation_limit(limits, pair).violation());
    let sum: f64 = correlations.iter().map(|(.., correlation)| correlation).sum();
    let rows = found.rows();
    let matrix: Option<Vec<Vec<f64>>> = (0..count)
        .map(|first| (0..count).map(|second| found.correlation(first, second)).collect())
        .collect();
    Ok(Comovement {
        assets: params.assets.clone(),
        periods: returns.period_count(),
        deviations: rows.iter().enumerate().map(|(asset, row)| row[asset].sqrt()).collect(),
        max_correlation: pair,
        mean_correlation: (!correlations.is_empty()).then(|| sum / correlations.len() as f64),
        violations: violation.into_iter().collect(),
        rank: conditioning.rank,
        condition_number: conditioning.condition_number.filter(|number| number.is_finite()),
        eigenvalue_max: conditioning.eigenvalue_max,
        shrinkage: found.shrinkage(),
        repairs: found.repairs().iter().map(told).collect(),
        covariance: detail.then_some(rows),
        correlation: matrix.filter(|_| detail),
        assumptions: vec!["the periods ahead resemble those given".to_owned()],
    })
}

/// The fields where `quant` has other names for them.
fn field(name: &str) -> &str {
    match name {
        "decay" | "threshold" => "covariance_parameter",
        other => own_name(other),
    }
}

fn told(repair: &Repair) -> String {
    match repair {
        Repair::NearestCorrelation { eigenvalue_min, distance } => format!(
            "an indefinite correlation with an eigenvalue of {eigenvalue_min:e} was replaced by the \
             nearest, {distance:e} away"
        ),
        Repair::Denoised(noise) => format!(
            "eigenvalues up to {:.6} are noise, which explains a share of {:.6} of the variance; {} \
             were kept",
            noise.eigenvalue_max, noise.noise_variance, noise.signals
        ),
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
    use serde_json::Value;

    use super::super::tests::{house, near, run};
    use super::*;

    fn estimated(args: &Value) -> Result<Value, Failure> {
        run(|params| estimate_covariance(&house(), &params), args)
    }

    fn two(covariance: &str) -> Value {
        json!({"assets": ["CALM", "WILD"], "covariance": covariance,
               "returns": [[0.02, 0.02, 0.0, 0.0], [0.05, 0.01, 0.05, 0.01]]})
    }

    /// By hand: squares of 0.01 and 0.02 over three, and no co-movement.
    #[test]
    fn the_sample_covariance_is_what_paper_and_pencil_say() {
        let mut args = two("sample");
        let found = estimated(&args).unwrap();
        near(&found["deviations"][0], (4e-4_f64 / 3.0).sqrt());
        near(&found["deviations"][1], (16e-4_f64 / 3.0).sqrt());
        near(&found["condition_number"], 4.0);
        near(&found["mean_correlation"], 0.0);
        assert_eq!((&found["rank"], found.get("covariance")), (&json!(2), None));
        args["detail"] = json!(true);
        let found = estimated(&args).unwrap();
        near(&found["covariance"][0][0], 4e-4 / 3.0);
        near(&found["correlation"][1][1], 1.0);
    }

    #[test]
    fn every_estimator_answers_and_shrinkage_is_reported() {
        for (name, parameter) in [
            ("ledoit_wolf_identity", None),
            ("ledoit_wolf_constant_correlation", None),
            ("ledoit_wolf_single_factor", None),
            ("oracle_approximating", None),
            ("ewma", Some(0.9)),
            ("gerber", Some(0.5)),
            ("denoised", None),
        ] {
            let mut args = two(name);
            args["returns"] =
                json!([[0.02, 0.01, -0.02, 0.0, 0.03], [0.05, 0.01, -0.05, 0.01, 0.02]]);
            if let Some(parameter) = parameter {
                args["covariance_parameter"] = json!(parameter);
            }
            let found = estimated(&args).unwrap_or_else(|failure| panic!("{name}: {failure}"));
            let is_shrunk = name.starts_with("ledoit") || name.starts_with("oracle");
            assert_eq!(found.get("shrinkage").is_some(), is_shrunk, "{name}: {found}");
        }
    }

    #[test]
    fn twins_lack_rank_and_break_the_limit_of_correlation() {
        let mut args = two("sample");
        args["returns"] = json!([[0.01, 0.02, -0.01], [0.02, 0.04, -0.02]]);
        let found = estimated(&args).unwrap();
        assert_eq!((&found["rank"], found.get("condition_number")), (&json!(1), None));
        near(&found["max_correlation"]["correlation"], 1.0);
        assert_eq!(found["violations"][0]["limit"], "max_correlation");
    }

    #[test]
    fn what_has_no_covariance_is_refused() {
        let mut still = two("sample");
        still["returns"] = json!([[0.01, 0.01], [0.02, 0.02]]);
        assert_eq!(estimated(&still).unwrap_err().reason(), Some("NO_VARIANCE"));
        let mut one = two("ledoit_wolf_constant_correlation");
        one["returns"] = json!([[0.01, 0.01], [0.02, 0.03]]);
        assert_eq!(estimated(&one).unwrap_err().reason(), Some("CONSTANT_ASSET"));
        let missing = estimated(&two("gerber")).unwrap_err();
        assert!(missing.message.starts_with("`covariance_parameter` is missing"), "{missing}");
        let names: Vec<String> = (0..51).map(|n| format!("A{n}")).collect();
        let many = json!({"assets": names, "returns": vec![vec![0.1, 0.2]; 51],
                          "covariance": "sample", "detail": true});
        assert_eq!(
            estimated(&many).unwrap_err().message,
            "`detail` is true but must be left out for more than 50 assets, for example false"
        );
        let mut huge = two("sample");
        huge["returns"] = json!([[0.1, 1e31], [0.1, 0.2]]);
        assert!(estimated(&huge).unwrap_err().message.starts_with("`returns[0][1]`"));
    }
}
