//! Volatilities that follow by hand, and every combination that is refused.

use serde_json::{Value, json};

use super::super::tests::{near, run};
use super::*;

fn fitted(args: &Value) -> Result<Value, Failure> {
    run(|params| fit_volatility(&params), args)
}

fn of(model: &str, more: &Value) -> Value {
    let mut args = json!({"model": model, "periods_per_year": 365.0});
    for (name, value) in more.as_object().unwrap() {
        args[name] = value.clone();
    }
    args
}

#[track_caller]
fn refused(args: &Value, message: &str) {
    assert_eq!(fitted(args).unwrap_err().message, message);
}

/// Returns whose size comes in clusters, from a linear congruential generator.
fn clustered() -> Vec<f64> {
    let (mut state, mut variance) = (99_u64, 1e-4_f64);
    (0..600)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let shock = (state >> 40) as f64 / f64::from(1_u32 << 24) * 3.4 - 1.7;
            let value = variance.sqrt() * shock;
            variance = 5e-6 + 0.85 * variance + 0.12 * value * value;
            value
        })
        .collect()
}

/// By hand: the mean square of 0.01, -0.02 and 0.02 is 0.0003.
#[test]
fn realised_volatility_is_the_root_of_the_mean_square() {
    let found = fitted(&of("realised", &json!({"returns": [0.01, -0.02, 0.02]}))).unwrap();
    near(&found["deviation"], 0.000_3_f64.sqrt());
    near(&found["volatility_annual"], (0.000_3_f64 * 365.0).sqrt());
    assert_eq!((&found["periods"], found.get("forecast")), (&json!(3), None));
}

/// Parkinson (1980): ln(H/L)^2 / (4 ln 2).
#[test]
fn the_range_of_a_bar_gives_its_volatility() {
    let bar = json!({"open": 100.0, "high": 105.0, "low": 95.0, "close": 101.0});
    let found = fitted(&of("parkinson", &json!({"bars": [bar, bar]}))).unwrap();
    near(&found["deviation"], (105.0_f64 / 95.0).ln() / (4.0 * 2.0_f64.ln()).sqrt());
    let wrong = json!({"open": 100.0, "high": 99.0, "low": 95.0, "close": 98.0});
    let failure = fitted(&of("yang_zhang", &json!({"bars": [bar, bar, wrong]}))).unwrap_err();
    assert!(failure.message.starts_with("`bars[2].high` is 99 but must be"), "{failure}");
    assert!(fitted(&of("yang_zhang", &json!({"bars": [bar]}))).is_err());
}

/// By hand: with a decay of a half, variances go from the backcast of equal squares, 0.0001.
#[test]
fn a_smoothed_variance_is_its_own_forecast() {
    let more = json!({"returns": [0.01, -0.01, 0.01], "decay": 0.5, "horizon": 4, "detail": true});
    let found = fitted(&of("ewma", &more)).unwrap();
    near(&found["deviation"], 0.01);
    near(&found["horizon_deviation"], 0.02);
    assert_eq!(found["forecast"].as_array().unwrap().len(), 4);
    assert_eq!(found["past_deviations"].as_array().unwrap().len(), 3);
}

#[test]
fn fitted_models_have_errors_and_forecasts_that_return_to_the_long_run() {
    for model in ["garch", "gjr"] {
        let more = json!({"returns": clustered(), "innovations": "normal", "horizon": 500});
        let found = fitted(&of(model, &more)).unwrap();
        let fit = &found["fit"];
        let persistence = fit["persistence"].as_f64().unwrap();
        assert!((0.5..1.0).contains(&persistence), "{fit}");
        assert!(fit["errors"]["beta"].as_f64().unwrap() > 0.0, "{fit}");
        let last = found["forecast"][499].as_f64().unwrap() * 365_f64.sqrt();
        let long_run = fit["long_run_volatility_annual"].as_f64().unwrap();
        assert!((last / long_run - 1.0).abs() < 0.01, "{last} {long_run}");
        assert_eq!(found.get("past_deviations"), None);
    }
}

#[test]
fn egarch_forecasts_by_simulation_with_its_seed() {
    let more = json!({"returns": clustered(), "innovations": "student_t", "horizon": 3,
                      "paths": 1_000, "seed": 4});
    let found = fitted(&of("egarch", &more)).unwrap();
    assert_eq!(found["seed"], 4);
    assert_eq!(found["forecast"].as_array().unwrap().len(), 3);
    assert_eq!(found, fitted(&of("egarch", &more)).unwrap());
    let missing = json!({"returns": clustered(), "innovations": "normal", "horizon": 3});
    refused(
        &of("egarch", &missing),
        "`paths` is missing but is required for the model egarch, for example 10000",
    );
}

#[test]
fn what_a_model_cannot_be_fitted_to_is_refused_with_the_reason() {
    let garch = |returns: Vec<f64>| {
        of("garch", &json!({"returns": returns, "innovations": "normal", "horizon": 1}))
    };
    let few = fitted(&garch(vec![0.01; 10])).unwrap_err();
    assert!(few.message.starts_with("`returns` is 10 values but must have at least 50"), "{few}");
    let constant = fitted(&garch(vec![0.01; 60])).unwrap_err();
    assert_eq!(constant.reason(), Some("CONSTANT_SERIES"));
    let huge = of("realised", &json!({"returns": [1e31]}));
    assert!(fitted(&huge).unwrap_err().message.starts_with("`returns[0]`"));
    refused(
        &of("realised", &json!({"returns": [0.1], "decay": 0.9})),
        "`decay` is given but is not for the model realised; leave it out",
    );
    refused(
        &of("parkinson", &json!({})),
        "`bars` is missing but is required for the model parkinson, for example \
         [{\"close\":102.0,\"high\":103.0,\"low\":99.0,\"open\":100.0},{\"close\":101.0,\"high\":104.0,\
         \"low\":100.0,\"open\":102.0},{\"close\":98.0,\"high\":102.0,\"low\":97.0,\"open\":101.0}]",
    );
    let many = json!({"returns": clustered(), "innovations": "normal", "horizon": 1_000,
                      "paths": 1_000_000});
    assert!(fitted(&of("egarch", &many)).unwrap_err().message.contains("times horizon"));
}
