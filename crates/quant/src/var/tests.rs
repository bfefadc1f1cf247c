//! Goldens by NumPy and SciPy; order of the two measures; horizons; signs; refusals.

use proptest::prelude::*;

use super::*;
use crate::sample::{near, panel};

const METHODS: [Method; 3] = [Method::Historical, Method::Normal, Method::CornishFisher];

fn at(level: f64) -> Confidence {
    Confidence::try_new(level).unwrap()
}

/// One crash among small moves: far outside the Cornish-Fisher domain.
fn crash() -> Vec<f64> {
    let parts = [(0.01, 40), (-0.2, 1), (0.02, 10), (-0.01, 20), (0.0, 5)];
    parts.iter().flat_map(|(value, count)| vec![*value; *count]).collect()
}

#[test]
fn historical_agrees_with_numpy() {
    let r = &panel(5, 60, 7)[0];
    let risk = tail_risk(r, Method::Historical, at(0.95), 1).unwrap();
    near(risk.value_at_risk, 0.008638238265349549, 1e-12);
    near(risk.expected_shortfall, 0.010426484561180137, 1e-12);
    let risk = tail_risk(r, Method::Historical, at(0.99), 1).unwrap();
    near(risk.value_at_risk, 0.011110295931044666, 1e-12);
    near(risk.expected_shortfall, 0.011280429487223976, 1e-12);
    near(risk.tail_observations, 0.6, 1e-12);
}

#[test]
fn normal_agrees_with_scipy() {
    let r = &panel(5, 60, 7)[0];
    let risk = tail_risk(r, Method::Normal, at(0.95), 1).unwrap();
    near(risk.value_at_risk, 0.009726533692874422, 1e-10);
    near(risk.expected_shortfall, 0.012400067891940768, 1e-10);
    let risk = tail_risk(r, Method::Normal, at(0.99), 1).unwrap();
    near(risk.value_at_risk, 0.014086849944957873, 1e-10);
    near(risk.expected_shortfall, 0.01625497453792148, 1e-10);
}

#[test]
fn cornish_fisher_agrees_with_the_formula_and_its_integral_by_scipy() {
    let (r, method) = (&panel(5, 60, 7)[0], Method::CornishFisher);
    let golden = [
        (0.95, 1, 0.009782386904930097, 0.011357947673327647),
        (0.99, 1, 0.012465101145337146, 0.012979015081282791),
        (0.95, 10, 0.02527567257450977, 0.033336650059412234),
        (0.99, 10, 0.03845948425103733, 0.04474354880596143),
    ];
    for (level, horizon, var, es) in golden {
        let risk = tail_risk(r, method, at(level), horizon).unwrap();
        let transform = risk.cornish_fisher.unwrap();
        near(risk.value_at_risk, var, 1e-10);
        near(risk.expected_shortfall, es, 1e-10);
        near(transform.skewness, 0.03760880991823202 / f64::from(horizon).sqrt(), 1e-10);
        near(transform.excess_kurtosis, -0.9636265593378575 / f64::from(horizon), 1e-10);
        assert!(!transform.is_in_domain, "thinner tails than the normal are outside");
    }
}

#[test]
fn inside_the_domain_the_rearrangement_changes_nothing() {
    for probability in [0.05, 0.01, 0.001] {
        let (value, formula, rises) = cornish_fisher::probe(-0.4, 1.5, probability);
        assert!(rises, "inside the domain of Maillard");
        near(value, formula, 1e-9);
    }
}

#[test]
fn outside_the_domain_the_result_says_so_and_has_a_coherent_pair() {
    // Twenty million quantiles of the transform, sorted, in NumPy.
    let golden = [
        (0.90, 0.04293916047121151, 0.09318666596270986),
        (0.95, 0.06024066736830674, 0.13485024309242338),
        (0.99, 0.1821866662381491, 0.2877669217031111),
    ];
    for (level, var, es) in golden {
        let risk = tail_risk(&crash(), Method::CornishFisher, at(level), 1).unwrap();
        let transform = risk.cornish_fisher.unwrap();
        near(transform.coherent_value_at_risk, var, 1e-5);
        near(transform.coherent_expected_shortfall, es, 1e-5);
        assert!(!transform.is_in_domain, "the result says so");
    }
    let risk = tail_risk(&crash(), Method::CornishFisher, at(0.95), 1).unwrap();
    near(risk.value_at_risk, 0.041154069112254756, 1e-10);
}

#[test]
fn the_domain_is_that_of_maillard() {
    let is_rising = |s, k| cornish_fisher::probe(s, k, 0.05).2;
    assert!(is_rising(0.0, 0.0), "the normal distribution");
    assert!(is_rising(0.0, 7.9) && !is_rising(0.0, 8.1), "excess kurtosis ends at 8");
    assert!(!is_rising(0.0, -0.1), "no thinner tail than the normal");
    assert!(!is_rising(1.0, 0.5) && is_rising(0.5, 2.0), "skewness needs kurtosis");
}

#[test]
fn ninety_five_is_refused_and_so_is_five_percent() {
    for level in [95.0, 0.05, 0.5, 1.0, f64::NAN, -0.95] {
        assert!(Confidence::try_new(level).is_err(), "{level}");
    }
    assert_eq!(
        Confidence::try_new(95.0).unwrap_err().to_string(),
        "confidence 95 must be above 0.5 and below 1: 95 % is 0.95"
    );
}

#[test]
fn small_samples_and_ties_have_a_shortfall() {
    let risk = tail_risk(&[-0.03], Method::Historical, at(0.99), 1).unwrap();
    near(risk.expected_shortfall, 0.03, 1e-14);
    // No return lies strictly below the value at risk here.
    let risk = tail_risk(&[-0.02; 10], Method::Historical, at(0.9), 1).unwrap();
    near(risk.value_at_risk, 0.02, 1e-14);
    near(risk.expected_shortfall, 0.02, 1e-14);
}

#[test]
fn the_boundary_observation_counts_by_its_fraction() {
    // Half of four at 0.625 is 1.5: all of the worst, half of the second.
    let risk = tail_risk(&[-0.4, -0.1, 0.0, 0.2], Method::Historical, at(0.625), 1).unwrap();
    near(risk.expected_shortfall, (0.4 + 0.5 * 0.1) / 1.5, 1e-13);
}

#[test]
fn a_gain_is_a_negative_loss_in_every_method() {
    let gains: Vec<f64> = (0..40).map(|i| 0.05 + 0.0001 * f64::from(i % 7)).collect();
    for method in METHODS {
        let risk = tail_risk(&gains, method, at(0.95), 1).unwrap();
        assert!(risk.value_at_risk < -0.04, "{method:?}: {}", risk.value_at_risk);
    }
}

#[test]
fn the_mean_grows_with_time_and_the_deviation_with_its_root() {
    let r = &panel(5, 60, 7)[0];
    let (one, ten) =
        (tail_risk(r, Method::Normal, at(0.95), 1), tail_risk(r, Method::Normal, at(0.95), 10));
    let mean = 0.0007975199327087058;
    let (one, ten) = (one.unwrap(), ten.unwrap());
    near(ten.value_at_risk + 10.0 * mean, 10.0_f64.sqrt() * (one.value_at_risk + mean), 1e-12);
    assert_eq!(ten.horizon_rule, HorizonRule::IndependentSums);
    assert_eq!(one.horizon_rule, HorizonRule::OnePeriod);
}

#[test]
fn a_historical_horizon_compounds_windows_and_needs_enough_of_them() {
    let r = &panel(1, 200, 3)[0];
    let risk = tail_risk(r, Method::Historical, at(0.95), 10).unwrap();
    assert_eq!(risk.horizon_rule, HorizonRule::OverlappingWindows { windows: 191 });
    let windows: Vec<f64> =
        r.windows(10).map(|w| w.iter().map(|x| 1.0 + x).product::<f64>() - 1.0).collect();
    let direct = tail_risk(&windows, Method::Historical, at(0.95), 1).unwrap();
    near(risk.value_at_risk, direct.value_at_risk, 1e-10);
    near(risk.expected_shortfall, direct.expected_shortfall, 1e-10);
    let error = tail_risk(&r[..199], Method::Historical, at(0.95), 10).unwrap_err();
    assert_eq!(
        error,
        VarError::HorizonTooLong { confidence: 0.95, horizon: 10, required: 200, len: 199 }
    );
}

#[test]
fn a_total_loss_compounds_to_one_and_less_is_refused() {
    let mut r = vec![0.001; 100];
    r[50] = -1.0;
    let risk = tail_risk(&r, Method::Historical, at(0.95), 2).unwrap();
    near(risk.expected_shortfall, (2.0 - 0.001_f64 * 2.95) / 4.95, 2e-2);
    r[50] = -1.5;
    let error = tail_risk(&r, Method::Historical, at(0.95), 2).unwrap_err();
    assert_eq!(error, VarError::BelowTotalLoss { index: 50, value: -1.5 });
}

#[test]
fn unusable_returns_and_horizons_are_refused() {
    for method in METHODS {
        assert!(matches!(tail_risk(&[], method, at(0.95), 1), Err(VarError::Returns(_))));
        let nan = [0.1, f64::NAN, 0.2, 0.3, 0.4];
        let error = tail_risk(&nan, method, at(0.95), 1).unwrap_err();
        assert_eq!(error.to_string(), "returns[1] is NaN; every value must be finite");
        assert_eq!(tail_risk(&nan, method, at(0.95), 0).unwrap_err(), VarError::Horizon(0));
        assert!(matches!(
            tail_risk(&nan, method, at(0.95), 200_000),
            Err(VarError::Horizon(200_000))
        ));
    }
    let error = tail_risk(&[0.01; 9], Method::CornishFisher, at(0.95), 1).unwrap_err();
    assert_eq!(error, VarError::Returns(StatsError::Constant { series: "returns" }));
    let risk = tail_risk(&[0.01; 9], Method::Normal, at(0.95), 1).unwrap();
    near(risk.value_at_risk, -0.01, 1e-13);
}

fn usable(values: &[f64]) -> bool {
    values.iter().any(|v| (v - values[0]).abs() > 1e-6)
}

/// The pair that rises with confidence: the result's own, or the rearranged one.
fn coherent(risk: &TailRisk) -> (f64, f64) {
    risk.cornish_fisher.map_or((risk.value_at_risk, risk.expected_shortfall), |transform| {
        (transform.coherent_value_at_risk, transform.coherent_expected_shortfall)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn shortfall_is_never_below_value_at_risk(
        values in prop::collection::vec(-0.9..3.0_f64, 4..80),
        level in 0.501..0.9999_f64,
        horizon in 1..30_u32,
    ) {
        prop_assume!(usable(&values));
        for method in METHODS {
            match tail_risk(&values, method, at(level), horizon) {
                Ok(risk) => {
                    prop_assert!(risk.expected_shortfall >= risk.value_at_risk);
                    prop_assert!(coherent(&risk).1 >= coherent(&risk).0);
                }
                Err(error) => prop_assert!(
                    matches!(error, VarError::HorizonTooLong { .. }),
                    "{}", error
                ),
            }
        }
    }

    #[test]
    fn a_higher_confidence_never_shows_a_smaller_loss(
        values in prop::collection::vec(-0.9..3.0_f64, 4..60),
        low in 0.51..0.98_f64,
        step in 0.0001..0.019_f64,
    ) {
        prop_assume!(usable(&values));
        for method in METHODS {
            let below = tail_risk(&values, method, at(low), 1).unwrap();
            let above = tail_risk(&values, method, at(low + step), 1).unwrap();
            let slack = 1e-9 * below.value_at_risk.abs().max(1.0);
            let (below, above) = (coherent(&below), coherent(&above));
            prop_assert!(above.0 >= below.0 - slack, "{method:?}");
            prop_assert!(above.1 >= below.1 - slack, "{method:?}");
        }
    }

    #[test]
    fn scale_and_shift_pass_through(
        values in prop::collection::vec(-0.5..0.5_f64, 6..60),
        scale in 1e-4..100.0_f64,
        shift in -1.0..1.0_f64,
    ) {
        prop_assume!(usable(&values));
        let moved: Vec<f64> = values.iter().map(|v| v * scale + shift).collect();
        for method in METHODS {
            let before = tail_risk(&values, method, at(0.95), 1).unwrap();
            let after = tail_risk(&moved, method, at(0.95), 1).unwrap();
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-7 * (scale + shift.abs());
            prop_assert!(close(after.value_at_risk, before.value_at_risk * scale - shift));
            prop_assert!(close(after.expected_shortfall, before.expected_shortfall * scale - shift));
        }
    }

    #[test]
    fn order_does_not_matter(values in prop::collection::vec(-0.5..0.5_f64, 6..40)) {
        let mut reversed = values.clone();
        reversed.reverse();
        let a = tail_risk(&values, Method::Historical, at(0.9), 1).unwrap();
        let b = tail_risk(&reversed, Method::Historical, at(0.9), 1).unwrap();
        prop_assert_eq!(a, b);
    }
}
