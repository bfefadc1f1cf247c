//! Goldens by NumPy 2.4.6, SciPy 1.17.1 (Nelder-Mead to 1e-12) and arch 8.0.0; order of the
//! measures; refusals.

use proptest::prelude::*;

use super::*;
use crate::{
    sample::{clustered, near, panel},
    volatility::{Dynamics, EwmaStart, Innovations, MeanModel, Specification},
};

fn at(level: f64) -> Confidence {
    Confidence::try_new(level).unwrap()
}

fn heavy() -> Vec<f64> {
    clustered(2000, 5, 1.4)
}

/// Of the first values of a series, at a probability, under each rule.
const NUMPY_QUANTILES: [(usize, f64, [f64; 13]); 5] = [
    (
        60,
        0.05,
        [
            -0.009006956668718414,
            -0.008812894351155854,
            -0.009006956668718414,
            -0.009006956668718414,
            -0.008812894351155854,
            -0.008987550436962158,
            -0.00863823826534955,
            -0.008871113046424623,
            -0.00885655837260743,
            -0.009006956668718414,
            -0.008618832033593295,
            -0.008618832033593295,
            -0.008812894351155854,
        ],
    ),
    (
        60,
        0.01,
        [
            -0.011280429487223976,
            -0.011280429487223976,
            -0.011280429487223976,
            -0.011280429487223976,
            -0.01125159329126138,
            -0.011280429487223976,
            -0.011110295931044666,
            -0.011280429487223976,
            -0.011280429487223976,
            -0.011280429487223976,
            -0.010992067527598025,
            -0.010992067527598025,
            -0.011136248507411,
        ],
    ),
    (
        50,
        0.05,
        [
            -0.009006956668718414,
            -0.009006956668718414,
            -0.010992067527598025,
            -0.00999951209815822,
            -0.009006956668718414,
            -0.009900256555214239,
            -0.008695224325286856,
            -0.009304723297550355,
            -0.00923028164034237,
            -0.009006956668718414,
            -0.008314218127759395,
            -0.009006956668718414,
            -0.008660587398238904,
        ],
    ),
    (
        7,
        0.25,
        [
            -0.0015212255160200665,
            -0.0015212255160200665,
            -0.0015212255160200665,
            -0.0021113313473989197,
            -0.001483295583762759,
            -0.0015212255160200665,
            -0.0014453656515054513,
            -0.0014959388945151948,
            -0.0014927780668270857,
            -0.0015212255160200665,
            -0.001369505786990836,
            -0.001369505786990836,
            -0.0014453656515054513,
        ],
    ),
    (
        30,
        0.05,
        [
            -0.007878081800570156,
            -0.007878081800570156,
            -0.007878081800570156,
            -0.009435074664084091,
            -0.007878081800570156,
            -0.009279375377732697,
            -0.007817904928115951,
            -0.008345179659624335,
            -0.008228405194860792,
            -0.007878081800570156,
            -0.0077443554173385895,
            -0.007878081800570156,
            -0.007811218608954373,
        ],
    ),
];

#[test]
fn every_quantile_rule_agrees_with_numpy() {
    let r = &panel(5, 60, 7)[0];
    for (count, probability, row) in NUMPY_QUANTILES {
        for (rule, golden) in QuantileRule::ALL.into_iter().zip(row) {
            near(quantile(&r[..count], rule, probability).unwrap(), golden, 1e-13);
            let tail = historical(&r[..count], rule, at(1.0 - probability), 1).unwrap();
            near(tail.value_at_risk, -golden, 1e-13);
        }
    }
}

#[test]
fn a_confidence_of_rounding_does_not_jump_to_the_next_value() {
    // 1 - 0.95 is 0.050000000000000044, and a hundred of it is not five.
    let losses: Vec<f64> = (1..=100).map(|i| f64::from(i) / -100.0).collect();
    for (rule, golden) in
        [(QuantileRule::InvertedCdf, 0.96), (QuantileRule::AveragedInvertedCdf, 0.955)]
    {
        near(historical(&losses, rule, at(0.95), 1).unwrap().value_at_risk, golden, 1e-14);
    }
}

#[test]
fn rules_have_the_names_of_numpy_and_the_ends_are_the_ends() {
    for rule in QuantileRule::ALL {
        assert_eq!(QuantileRule::from_name(rule.name()), Some(rule));
        near(quantile(&[3.0, 1.0, 2.0], rule, 0.0).unwrap(), 1.0, 1e-15);
        near(quantile(&[3.0, 1.0, 2.0], rule, 1.0).unwrap(), 3.0, 1e-15);
        near(quantile(&[5.0], rule, 0.3).unwrap(), 5.0, 1e-15);
        assert!(quantile(&[1.0], rule, 1.5).is_err() && quantile(&[1.0], rule, f64::NAN).is_err());
        assert!(quantile(&[], rule, 0.5).is_err());
    }
    assert_eq!(QuantileRule::from_name("type 7"), None);
}

#[test]
fn age_weights_agree_with_numpy() {
    let tail = age_weighted(&heavy(), 0.98, at(0.95), 1).unwrap();
    near(tail.tail.value_at_risk, 0.0293125655660759, 1e-12);
    near(tail.tail.expected_shortfall, 0.04244196003335411, 1e-10);
    near(tail.effective_observations, 98.99999999999993, 1e-10);
    let tail = age_weighted(&heavy(), 0.98, at(0.99), 1).unwrap();
    near(tail.tail.value_at_risk, 0.05500060435394372, 1e-12);
    near(tail.tail.expected_shortfall, 0.055000604598761604, 1e-10);
    let equal = age_weighted(&heavy(), 1.0, at(0.95), 1).unwrap();
    let plain = historical(&heavy(), QuantileRule::InvertedCdf, at(0.95), 1).unwrap();
    near(equal.tail.value_at_risk, plain.value_at_risk, 1e-14);
    near(equal.tail.expected_shortfall, plain.expected_shortfall, 1e-11);
    for decay in [0.0, -0.5, 1.1, 98.0, f64::NAN] {
        let error = age_weighted(&heavy(), decay, at(0.95), 1).unwrap_err();
        assert!(matches!(error, TailError::Parameter { field: "decay", .. }), "{error}");
    }
    assert!(age_weighted(&[], 0.98, at(0.95), 1).is_err());
    near(age_weighted(&[-0.03], 0.9, at(0.95), 1).unwrap().tail.expected_shortfall, 0.03, 1e-14);
}

#[test]
fn a_student_fit_agrees_with_scipy_and_keeps_scale_and_deviation_apart() {
    let result = student(&heavy(), at(0.95), 1).unwrap();
    let fit = result.fit;
    near(fit.location, 0.0005933749136165998, 1e-5);
    near(fit.scale, 0.009095128489453494, 1e-6);
    near(fit.degrees_of_freedom, 1.798193850251169, 1e-6);
    near(fit.log_likelihood, 5352.352587524015, 1e-12);
    assert_eq!(fit.deviation, None, "below two degrees there is none");
    near(result.tail.value_at_risk, 0.028112792661470678, 1e-6);
    near(result.tail.expected_shortfall, 0.06702076745738346, 1e-6);
    let result = student(&heavy(), at(0.99), 10).unwrap();
    near(result.tail.value_at_risk, 0.22802252084580057, 1e-6);
    assert_eq!(result.tail.scaling, Scaling::SameShape);
}

#[test]
fn returns_without_a_heavy_tail_are_normal() {
    let r = &panel(5, 500, 7)[0];
    let fit = fit_student(r).unwrap();
    assert!(fit.is_normal && fit.errors.2.is_none(), "{fit:?}");
    near(fit.degrees_of_freedom, 1000.0, 1e-12);
    let deviation = Series::try_new("r", r, 2).unwrap().variance(0).unwrap().sqrt();
    near(fit.deviation.unwrap(), deviation, 1e-2);
}

#[test]
fn a_tail_without_a_mean_is_refused() {
    // Reciprocals of uniform numbers of both signs: a tail index of one and less.
    let wild: Vec<f64> = crate::sample::uniform(400, 9)
        .iter()
        .map(|u| (u - 0.5).signum() / (u - 0.5).abs().powf(1.5))
        .collect();
    let error = fit_student(&wild).unwrap_err();
    assert_eq!(error, TailError::NoMean { tail_index: 1.0 });
    let error = exceedances(&wild, Threshold::Share(0.2), at(0.99), 1).unwrap_err();
    assert!(matches!(error, TailError::NoMean { .. }), "{error}");
    let error = hill(&wild, 60, at(0.99), 1).unwrap_err();
    assert!(matches!(error, TailError::NoMean { .. }), "{error}");
}

#[test]
fn exceedances_agree_with_scipy() {
    for (level, var, es) in [
        (0.95, 0.029594097651435766, 0.05075546190477415),
        (0.99, 0.06199541310348877, 0.09023797709282978),
        (0.999, 0.1280700053065778, 0.1707529516796948),
    ] {
        let result = exceedances(&heavy(), Threshold::Share(0.1), at(level), 1).unwrap();
        near(result.threshold, 0.018275003503539285, 1e-13);
        assert_eq!(result.count, 200);
        near(result.shape, 0.17935026941102386, 1e-5);
        near(result.scale, 0.015335985288483367, 1e-6);
        near(result.log_likelihood, 599.6405889134184, 1e-11);
        near(result.tail.value_at_risk, var, 1e-6);
        near(result.tail.expected_shortfall, es, 1e-5);
        // Smith (1987): (1 + xi)^2 / n and 2 beta^2 (1 + xi) / n.
        let (shape, scale) = result.errors;
        near(shape, 1.17935 / 200.0_f64.sqrt(), 0.2);
        near(scale, 0.015336 * (2.0 * 1.17935 / 200.0_f64).sqrt(), 0.2);
    }
    let by_loss = exceedances(&heavy(), Threshold::Loss(0.018275003503539285), at(0.99), 1);
    near(by_loss.unwrap().tail.value_at_risk, 0.06199541310348877, 1e-6);
}

#[test]
fn the_hill_estimator_agrees_with_numpy() {
    for (level, var, es) in [
        (0.99, 0.0617543886900763, 0.11575604354739215),
        (0.999, 0.1807925142196207, 0.3388880789360312),
    ] {
        let result = hill(&heavy(), 100, at(level), 1).unwrap();
        near(result.shape, 0.4665126174186043, 1e-12);
        near(result.shape_error, 0.04665126174186043, 1e-12);
        near(result.tail.value_at_risk, var, 1e-12);
        near(result.tail.expected_shortfall, es, 1e-12);
    }
}

#[test]
fn thresholds_that_do_not_fit_are_refused_with_the_numbers() {
    let r = heavy();
    let error = exceedances(&r, Threshold::Share(0.05), at(0.9), 1).unwrap_err();
    assert_eq!(error, TailError::InsideThreshold { confidence: 0.9, share: 0.05, least: 0.95 });
    for share in [0.0, 1.0, 10.0, f64::NAN] {
        let error = exceedances(&r, Threshold::Share(share), at(0.99), 1).unwrap_err();
        assert!(matches!(error, TailError::Parameter { .. }), "{error}");
    }
    let error = exceedances(&r, Threshold::Loss(f64::NAN), at(0.99), 1).unwrap_err();
    assert!(matches!(error, TailError::Parameter { field: "threshold", .. }), "{error}");
    let error = exceedances(&r, Threshold::Loss(9.0), at(0.99), 1).unwrap_err();
    assert_eq!(error.to_string(), "exceedances 0 must be between 10 and 2000");
    assert!(matches!(hill(&r, 1, at(0.99), 1), Err(TailError::Count { .. })));
    assert!(matches!(hill(&r, 2000, at(0.99), 1), Err(TailError::Count { .. })));
    assert!(matches!(hill(&r, 1990, at(0.99), 1), Err(TailError::NoLossThreshold(_))));
    assert!(matches!(hill(&r, 10, at(0.95), 1), Err(TailError::InsideThreshold { .. })));
    let ties = vec![-0.02; 50];
    assert!(matches!(hill(&ties, 20, at(0.9), 1), Err(TailError::Returns(_))));
    assert!(exceedances(&ties, Threshold::Share(0.5), at(0.99), 1).is_err());
    // Bounded losses: an even spread has a shape of minus one.
    let even: Vec<f64> = (0..200).map(|i| f64::from(i) / -200.0).collect();
    let error = exceedances(&even, Threshold::Share(0.5), at(0.99), 1).unwrap_err();
    assert!(matches!(error, TailError::Irregular(_)), "{error}");
}

#[test]
fn filtered_shocks_agree_with_arch() {
    let model = Specification {
        dynamics: Dynamics::Garch,
        innovations: Innovations::StudentT,
        mean: MeanModel::Constant,
    };
    let one = Resampling { paths: 1000, seed: 1 };
    for (level, var, es) in [
        (0.95, 0.03833089554544162, 0.050802580448650145),
        (0.99, 0.05830969922025003, 0.06765589965502614),
    ] {
        let result = filtered(&heavy(), Filter::Garch(model), at(level), 1, one).unwrap();
        near(result.tail.value_at_risk, var, 1e-5);
        near(result.tail.expected_shortfall, es, 1e-5);
        near(result.next_deviation, 0.023282663612313684, 1e-5);
        assert_eq!(result.value_at_risk().standard_error.to_bits(), 0.0_f64.to_bits());
    }
    let smooth = Filter::Ewma { decay: 0.94, start: EwmaStart::FirstSquare };
    let result = filtered(&heavy(), smooth, at(0.95), 1, one).unwrap();
    near(result.tail.value_at_risk, 0.03686326749729358, 1e-11);
    let normal = ewma_normal(&heavy(), 0.94, EwmaStart::FirstSquare, at(0.95), 1).unwrap();
    near(normal.value_at_risk, 0.03561029690376273, 1e-10);
    near(normal.expected_shortfall, 0.04465674896475185, 1e-10);
}

#[test]
fn filtered_paths_have_errors_and_follow_the_seed() {
    let smooth = Filter::Ewma { decay: 0.94, start: EwmaStart::FirstSquare };
    let run = |paths, seed| filtered(&heavy(), smooth, at(0.95), 10, Resampling { paths, seed });
    let (small, large) = (run(2_000, 1).unwrap(), run(32_000, 2).unwrap());
    assert_eq!(small.tail.scaling, Scaling::SimulatedPaths { paths: 2_000 });
    assert_eq!(small, run(2_000, 1).unwrap());
    let (a, b) = (small.value_at_risk(), large.value_at_risk());
    assert!((a.value - b.value).abs() < 4.0 * a.standard_error.hypot(b.standard_error));
    near(a.standard_error / b.standard_error, 4.0, 0.4);
    assert!(matches!(run(99, 1), Err(TailError::Count { field: "paths", .. })));
    // Without gains or losses nothing has a size.
    let still = filtered(&[0.0; 20], smooth, at(0.95), 1, Resampling { paths: 1000, seed: 1 });
    assert!(matches!(still, Err(TailError::Returns(StatsError::Constant { .. }))));
}

#[test]
fn unusable_returns_and_horizons_are_refused_by_every_method() {
    let nan = {
        let mut r = heavy();
        r[3] = f64::NAN;
        r
    };
    let resampling = Resampling { paths: 1000, seed: 1 };
    let smooth = Filter::Ewma { decay: 0.94, start: EwmaStart::Backcast };
    for (returns, horizon) in [(&nan[..], 1), (&[][..], 1), (&heavy()[..], 0)] {
        let c = at(0.99);
        assert!(historical(returns, QuantileRule::Linear, c, horizon).is_err());
        assert!(age_weighted(returns, 0.9, c, horizon).is_err());
        assert!(student(returns, c, horizon).is_err());
        assert!(exceedances(returns, Threshold::Share(0.1), c, horizon).is_err());
        assert!(hill(returns, 20, c, horizon).is_err());
        assert!(ewma_normal(returns, 0.94, EwmaStart::Backcast, c, horizon).is_err());
        assert!(filtered(returns, smooth, c, horizon, resampling).is_err());
    }
    let constant = StatsError::Constant { series: "returns" };
    assert_eq!(fit_student(&[0.01; 20]).unwrap_err(), TailError::Returns(constant));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn shortfall_is_never_below_value_at_risk_under_any_rule(
        values in prop::collection::vec(-0.9..3.0_f64, 1..60),
        level in 0.501..0.9999_f64,
        decay in 0.5..1.0_f64,
    ) {
        for rule in QuantileRule::ALL {
            let tail = historical(&values, rule, at(level), 1).unwrap();
            prop_assert!(tail.expected_shortfall >= tail.value_at_risk, "{rule:?}");
        }
        let tail = age_weighted(&values, decay, at(level), 1).unwrap().tail;
        prop_assert!(tail.expected_shortfall >= tail.value_at_risk);
    }

    #[test]
    fn selection_and_sorting_give_the_same_quantile(
        values in prop::collection::vec(-5.0..5.0_f64, 1..40),
        probability in 0.0..=1.0_f64,
    ) {
        let mut ascending = values.clone();
        ascending.sort_by(f64::total_cmp);
        for rule in QuantileRule::ALL {
            let direct = rule.of_worst(&ascending, ascending.len(), probability);
            let selected = quantile(&values, rule, probability).unwrap();
            prop_assert_eq!(selected.to_bits(), direct.to_bits(), "{:?}", rule);
        }
    }
}
