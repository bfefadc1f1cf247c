//! Breaches that can be counted, and every combination that is refused.

use serde_json::{Value, json};

use super::super::tests::{near, run};
use super::*;

fn tested(args: &Value) -> Result<Value, Failure> {
    run(|params| backtest_var(&params, &|| false), args)
}

/// 250 periods of which the named ones lose 3 %, under a forecast of 2 %.
fn breached(at: &[usize]) -> Value {
    let returns: Vec<f64> =
        (0..250).map(|period| if at.contains(&period) { -0.03 } else { 0.001 }).collect();
    json!({"returns": returns, "value_at_risk": vec![0.02; 250], "confidence": 0.99,
           "significance": 0.05})
}

fn with(mut args: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        args[name] = value.clone();
    }
    args
}

/// Basel (1996): up to 4 of 250 are green, 5 to 9 yellow, 10 and more red. Kupiec (1995) without a
/// breach is -2 T ln(1 - p).
#[test]
fn the_zones_are_those_of_the_supervisor_and_no_breach_is_no_zero_statistic() {
    for (count, zone) in [(0, "green"), (4, "green"), (5, "yellow"), (9, "yellow"), (10, "red")] {
        let at: Vec<usize> = (0..count).map(|n| n * 20 + 3).collect();
        let found = tested(&breached(&at)).unwrap();
        assert_eq!((&found["zone"], &found["breaches"]), (&json!(zone), &json!(count)), "{found}");
        assert_eq!((&found["yellow_from"], &found["red_from"]), (&json!(5), &json!(10)));
    }
    let found = tested(&breached(&[])).unwrap();
    near(&found["unconditional"]["statistic"], -500.0 * 0.99_f64.ln());
    near(&found["expected_breaches"], 2.5);
}

/// Kupiec (1995) by hand: ten of 250 where 2.5 are due.
#[test]
fn too_many_breaches_are_rejected_and_listed_on_request() {
    let at: Vec<usize> = (0..10).map(|n| n * 20 + 3).collect();
    let found = tested(&with(breached(&at), &json!({"detail": true}))).unwrap();
    let log = |share: f64| 10.0 * share.ln() + 240.0 * (1.0 - share).ln();
    near(&found["unconditional"]["statistic"], -2.0 * (log(0.01) - log(0.04)));
    assert_eq!(found["verdict"], "REJECT");
    assert_eq!(found["rejected_by"], json!(["unconditional", "conditional"]));
    assert_eq!(found["breached"][1], 23);
    assert_eq!(tested(&breached(&at)).unwrap().get("breached"), None);
}

#[test]
fn breaches_in_a_cluster_are_not_independent() {
    let found = tested(&breached(&[100, 101, 102])).unwrap();
    assert_eq!(found["rejected_by"], json!(["independence", "conditional"]), "{found}");
}

/// The loss that equals the forecast is no breach; the one of 1e-9 more is.
#[test]
fn a_loss_at_the_forecast_is_no_breach() {
    let args = json!({"returns": [-0.02, -0.020_000_001, 0.0], "value_at_risk": [0.02, 0.02, 0.02],
                      "confidence": 0.95, "significance": 0.05});
    assert_eq!(tested(&args).unwrap()["breaches"], 1);
}

#[test]
fn every_method_forecasts_from_the_window_before_and_knows_the_next_period() {
    let returns: Vec<f64> = (0..200).map(|i| f64::from(i * 37 % 101 - 50) / 2_000.0).collect();
    let base = json!({"returns": returns, "confidence": 0.9, "significance": 0.01, "window": 60});
    for (method, decay) in [
        ("historical", None),
        ("normal", None),
        ("cornish_fisher", None),
        ("student_t", None),
        ("age_weighted", Some(0.99)),
        ("ewma", Some(0.94)),
        ("filtered", Some(0.94)),
    ] {
        let mut args = with(base.clone(), &json!({"method": method}));
        if let Some(decay) = decay {
            args["decay"] = json!(decay);
        }
        let found = tested(&args).unwrap_or_else(|failure| panic!("{method}: {failure}"));
        assert_eq!(found["periods"], 140, "{method}");
        assert!(found["next_var_fraction"].as_f64().unwrap() > 0.0, "{method}");
    }
}

/// A forecast does not see its own period: a loss that was never before is a breach.
#[test]
fn a_forecast_does_not_look_ahead() {
    let mut returns: Vec<f64> = (0..40).map(|i| f64::from(i % 5 - 2) / 100.0).collect();
    returns.push(-0.5);
    let args = json!({"returns": returns, "confidence": 0.9, "significance": 0.05, "window": 40,
                      "method": "historical"});
    let found = tested(&args).unwrap();
    assert_eq!((&found["periods"], &found["breaches"]), (&json!(1), &json!(1)));
    assert!(found["next_var_fraction"].as_f64().unwrap() < 0.5);
}

#[test]
fn an_understated_shortfall_is_rejected_with_its_seed() {
    let at: Vec<usize> = (0..6).map(|n| n * 40 + 3).collect();
    let shortfalls =
        json!({"expected_shortfall": vec![0.0201; 250], "histories": 2_000, "seed": 5});
    let found = tested(&with(breached(&at), &shortfalls)).unwrap();
    assert!(found["shortfall"]["statistic"].as_f64().unwrap() < 0.0, "{found}");
    assert!(found["rejected_by"].as_array().unwrap().contains(&json!("shortfall")), "{found}");
    assert_eq!(found["seed"], 5);
}

#[test]
fn what_goes_together_is_asked_for_and_the_rest_refused() {
    let message = |args: &Value| tested(args).unwrap_err().message;
    let none = json!({"returns": [0.01, 0.02], "confidence": 0.95, "significance": 0.05});
    assert!(message(&none).starts_with("`value_at_risk` is missing but is required for a call"));
    let both = with(breached(&[]), &json!({"method": "normal", "window": 50}));
    assert_eq!(
        message(&both),
        "`value_at_risk` is given but is not for method normal; leave it out"
    );
    let wide = with(none.clone(), &json!({"method": "normal", "window": 2}));
    assert!(message(&wide).starts_with("`window` is 2 but must be below the number of returns, 2"));
    let short = with(none, &json!({"value_at_risk": [0.02, 0.02, 0.02]}));
    assert!(message(&short).starts_with("`value_at_risk` is 3 values but must have 2"));
    let small =
        with(breached(&[]), &json!({"expected_shortfall": vec![0.01; 250], "histories": 100}));
    assert!(message(&small).starts_with("`expected_shortfall[0]` is 0.01 but must be positive"));
    let stopped = json!({"returns": [0.01, 0.02, 0.03], "confidence": 0.95, "significance": 0.05,
                         "method": "normal", "window": 2});
    let stopped = run(|params| backtest_var(&params, &|| true), &stopped).unwrap_err();
    assert_eq!(stopped.code, wire::Code::Unavailable);
}
