//! Records that can be judged by hand, and every combination that is refused.

use serde_json::{Value, json};

use super::super::tests::{near, run};
use super::*;

fn report(args: &Value) -> Result<Value, Failure> {
    run(|params| performance_report(&params, &|| false), args)
}

fn of(returns: &[f64], more: &Value) -> Value {
    let mut args = json!({"returns": returns, "periods_per_year": 4.0, "risk_free_rate": 0.0});
    for (name, value) in more.as_object().unwrap() {
        args[name] = value.clone();
    }
    args
}

fn long() -> Vec<f64> {
    (0..120).map(|t| f64::from(t * 37 % 101 - 45) / 2_000.0).collect()
}

/// By hand: 1.1 * 0.8 * 1.25 = 1.1 after a fall of 0.2 from the peak of 1.1.
#[test]
fn growth_and_falls_are_what_paper_and_pencil_say() {
    let found = report(&of(&[0.1, -0.2, 0.25], &json!({"detail": true}))).unwrap();
    near(&found["total_return"], 0.1);
    near(&found["max_drawdown"], 0.2);
    near(&found["cagr"], 1.1_f64.powf(4.0 / 3.0) - 1.0);
    let fall = &found["drawdowns"][0];
    assert_eq!([&fall["peak"], &fall["trough"], &fall["recovery"]], [1, 2, 3]);
    let mean: f64 = 0.05;
    let squares = [0.1, -0.2, 0.25].map(|r: f64| (r - mean).powi(2)).iter().sum::<f64>();
    near(&found["sharpe_ratio"], mean / (squares / 2.0).sqrt() * 2.0);
    near(&found["track"]["profit_factor"], 1.75);
    for absent in ["deflated_sharpe", "sharpe_interval", "rolling"] {
        assert_eq!(found.get(absent), None, "{absent}");
    }
}

/// With a single trial there is no luck of choice, and the deflated ratio is the probabilistic.
#[test]
fn one_trial_is_no_luck_and_many_are() {
    let trials = |count: u32| json!({"trials": count, "trials_sharpe_deviation": 0.5});
    let one = report(&of(&long(), &trials(1))).unwrap();
    near(&one["sharpe_by_luck"], 0.0);
    near(&one["deflated_sharpe"], one["track"]["probabilistic_sharpe"].as_f64().unwrap());
    let many = report(&of(&long(), &trials(1_000))).unwrap();
    let deflated = |of: &Value| of["deflated_sharpe"].as_f64().unwrap();
    assert!(deflated(&many) < deflated(&one), "{many}");
}

#[test]
fn the_interval_holds_the_ratio_and_repeats_by_its_seed() {
    let args = of(&long(), &json!({"resamples": 500, "seed": 3}));
    let found = report(&args).unwrap();
    let interval = &found["sharpe_interval"];
    let sharpe = found["sharpe_ratio"].as_f64().unwrap();
    assert!(interval["low"].as_f64().unwrap() < sharpe, "{found}");
    assert!(interval["high"].as_f64().unwrap() > sharpe, "{found}");
    assert_eq!(interval["seed"], 3);
    assert_eq!(found, report(&args).unwrap());
    let stopped = run(|params| performance_report(&params, &|| true), &args).unwrap_err();
    assert_eq!(stopped.code, wire::Code::Unavailable);
}

#[test]
fn a_benchmark_and_windows_add_their_figures() {
    let half: Vec<f64> = long().iter().map(|r| r / 2.0).collect();
    let more = json!({"benchmark_returns": half, "window": 30});
    let found = report(&of(&long(), &more)).unwrap();
    near(&found["track"]["benchmark"]["beta"], 2.0);
    let rolling = &found["rolling"];
    let of = |name: &str| rolling[name].as_f64().unwrap();
    assert!(of("sharpe_min") <= of("sharpe_last") && of("sharpe_last") <= of("sharpe_max"));
    assert!(of("volatility_min") > 0.0);
}

#[test]
fn what_cannot_be_judged_is_refused_or_left_out() {
    let constant = report(&of(&[0.01; 30], &json!({}))).unwrap();
    assert_eq!(constant.get("sharpe_ratio"), None);
    assert_eq!(constant["track"].get("probabilistic_sharpe"), None);
    let failure = report(&of(&[0.01; 30], &json!({"resamples": 100}))).unwrap_err();
    assert_eq!(failure.reason(), Some("CONSTANT_SERIES"));
    let message = |more: &Value| report(&of(&long(), more)).unwrap_err().message;
    assert_eq!(
        message(&json!({"trials": 5})),
        "`trials_sharpe_deviation` is missing but is required for deflated_sharpe, for example \
         0.5"
    );
    assert_eq!(
        message(&json!({"seed": 5})),
        "`seed` is given but is not for a report without resamples; leave it out"
    );
    assert!(message(&json!({"window": 121})).starts_with("`window` is 121 but must be"));
    assert!(
        message(&json!({"benchmark_returns": [0.1, 0.2]}))
            .starts_with("`benchmark_returns` is 2 values but must have 120")
    );
    let wiped = report(&of(&[0.1, -1.5], &json!({}))).unwrap_err();
    assert_eq!(wiped.reason(), Some("BELOW_TOTAL_LOSS"));
    let few = report(&of(&[0.1, -0.1], &json!({"resamples": 100}))).unwrap_err();
    assert!(few.message.starts_with("`returns` is 2 values but must have at least 20"), "{few}");
}
