//! Against closed forms of portfolios; the same bytes on any number of threads; refusals.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::{
    distribution::{Student, normal_density, normal_quantile},
    sample::panel,
    stats::{quantile_sorted, sorted},
};

const MEAN: [f64; 3] = [0.001, -0.0005, 0.002];
const WEIGHTS: [f64; 3] = [0.5, -0.2, 0.7];

fn covariance() -> Vec<Vec<f64>> {
    let (s, rho) = ([0.01, 0.03, 0.02], [[1.0, 0.4, -0.2], [0.4, 1.0, 0.1], [-0.2, 0.1, 1.0]]);
    (0..3).map(|i| (0..3).map(|j| s[i] * s[j] * rho[i][j]).collect()).collect()
}

fn correlation() -> Vec<Vec<f64>> {
    vec![vec![1.0, 0.4, -0.2], vec![0.4, 1.0, 0.1], vec![-0.2, 0.1, 1.0]]
}

/// Mean and deviation of the portfolio.
fn portfolio() -> (f64, f64) {
    let c = covariance();
    let variance: f64 = (0..3)
        .flat_map(|i| (0..3).map(move |j| (i, j)))
        .map(|(i, j)| WEIGHTS[i] * WEIGHTS[j] * c[i][j])
        .sum();
    (MEAN.iter().zip(WEIGHTS).map(|(m, w)| m * w).sum(), variance.sqrt())
}

fn plan(paths: usize, seed: u64, sampling: JointSampling) -> JointPlan {
    let confidence = Confidence::try_new(0.975).unwrap();
    JointPlan { paths, seed, sampling, confidence, horizon_periods: 1, threads: 1 }
}

const SAMPLINGS: [JointSampling; 3] =
    [JointSampling::Independent, JointSampling::Antithetic, JointSampling::Sobol];

fn go(law: &Joint, plan: &JointPlan) -> SimulatedTail {
    simulate_tail(law, &WEIGHTS, plan, &|| false).unwrap()
}

#[track_caller]
fn within(estimate: Estimate, exact: f64, errors: f64) {
    let distance = (estimate.value - exact).abs();
    // Opposite shocks know the mean of a linear portfolio exactly.
    let allowed = errors * estimate.standard_error + 1e-12;
    assert!(distance <= allowed, "{estimate:?} is not {exact}");
}

/// Value at risk and shortfall of an elliptical portfolio in closed form.
fn exact(freedom: Option<f64>) -> (f64, f64) {
    let (mean, deviation) = portfolio();
    match freedom.and_then(Student::new) {
        None => {
            let z = normal_quantile(0.025);
            (-mean - deviation * z, -mean + deviation * normal_density(z) / 0.025)
        }
        Some(law) => {
            let scale = deviation * ((law.freedom() - 2.0) / law.freedom()).sqrt();
            (-mean - scale * law.quantile(0.025), -mean + scale * law.tail_mean(0.025))
        }
    }
}

#[test]
fn elliptical_portfolios_meet_their_closed_forms() {
    for freedom in [None, Some(5.0)] {
        let law = match freedom {
            None => Joint::normal(&MEAN, &covariance()).unwrap(),
            Some(nu) => Joint::student_t(&MEAN, &covariance(), nu).unwrap(),
        };
        let (var, es) = exact(freedom);
        for sampling in SAMPLINGS {
            for seed in 0..6 {
                let tail = go(&law, &plan(1 << 14, seed, sampling));
                within(tail.mean, portfolio().0, 4.5);
                within(tail.value_at_risk, var, 4.5);
                within(tail.expected_shortfall, es, 4.5);
                assert!(tail.expected_shortfall.value >= tail.value_at_risk.value);
            }
        }
    }
}

#[test]
fn standard_errors_are_as_large_as_the_errors() {
    let law = Joint::normal(&MEAN, &covariance()).unwrap();
    let (var, es) = exact(None);
    for sampling in SAMPLINGS {
        let (mut var_ratio, mut es_ratio) = (0.0, 0.0);
        for seed in 0..60 {
            let tail = go(&law, &plan(1 << 13, 1000 + seed, sampling));
            let ratio = |e: Estimate, exact: f64| ((e.value - exact) / e.standard_error).powi(2);
            var_ratio += ratio(tail.value_at_risk, var) / 60.0;
            es_ratio += ratio(tail.expected_shortfall, es) / 60.0;
        }
        for ratio in [var_ratio, es_ratio] {
            assert!((0.5..2.0).contains(&ratio), "{sampling:?}: mean squared ratio {ratio}");
        }
    }
}

#[test]
fn sobol_points_know_more_than_independent_ones() {
    let law = Joint::normal(&MEAN, &covariance()).unwrap();
    let error = |sampling| go(&law, &plan(1 << 16, 3, sampling)).expected_shortfall.standard_error;
    let (sobol, independent) = (error(JointSampling::Sobol), error(JointSampling::Independent));
    assert!(sobol < independent / 3.0, "{sobol} against {independent}");
}

#[test]
fn copulas_with_the_marginals_of_an_elliptical_law_are_that_law() {
    let normal =
        |i: usize| Marginal::Normal { mean: MEAN[i], deviation: covariance()[i][i].sqrt() };
    let law = Joint::gaussian_copula((0..3).map(normal).collect(), &correlation()).unwrap();
    let (var, es) = exact(None);
    let tail = go(&law, &plan(1 << 14, 1, JointSampling::Sobol));
    within(tail.value_at_risk, var, 4.5);
    within(tail.expected_shortfall, es, 4.5);
    let student = |i: usize| Marginal::StudentT {
        location: MEAN[i],
        scale: (covariance()[i][i] * 3.0 / 5.0).sqrt(),
        degrees_of_freedom: 5.0,
    };
    let law = Joint::t_copula((0..3).map(student).collect(), &correlation(), 5.0).unwrap();
    let (var, es) = exact(Some(5.0));
    for sampling in SAMPLINGS {
        let tail = go(&law, &plan(1 << 14, 1, sampling));
        within(tail.value_at_risk, var, 4.5);
        within(tail.expected_shortfall, es, 4.5);
    }
}

#[test]
fn other_marginals_keep_their_own_law() {
    // One asset alone: whatever the copula, its return has its marginal.
    let sample = panel(1, 300, 3).remove(0);
    let heavy = Marginal::StudentT { location: 0.001, scale: 0.01, degrees_of_freedom: 4.0 };
    let student = Student::new(4.0).unwrap();
    let exact = [
        (Marginal::Normal { mean: 0.001, deviation: 0.01 }, 0.001 + 0.01 * normal_quantile(0.025)),
        (heavy, 0.001 + 0.01 * student.quantile(0.025)),
        (Marginal::Empirical(sample.clone()), quantile_sorted(&sorted(&sample), 0.025)),
    ];
    for (marginal, quantile) in exact {
        let laws = [
            Joint::gaussian_copula(vec![marginal.clone()], &[vec![1.0]]).unwrap(),
            Joint::t_copula(vec![marginal], &[vec![1.0]], 3.0).unwrap(),
        ];
        for law in laws {
            let plan = plan(1 << 14, 8, JointSampling::Sobol);
            let tail = simulate_tail(&law, &[1.0], &plan, &|| false).unwrap();
            let slack = 4.5 * tail.value_at_risk.standard_error + 1e-4 * quantile.abs();
            assert!((tail.value_at_risk.value + quantile).abs() < slack, "{tail:?} {quantile}");
        }
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_byte() {
    let student = Joint::student_t(&MEAN, &covariance(), 5.0).unwrap();
    for sampling in SAMPLINGS {
        let base = plan(1 << 16, 42, sampling);
        let one = go(&student, &base);
        for threads in [2, 3, 7] {
            let many = go(&student, &JointPlan { threads, ..base });
            assert_eq!(format!("{one:?}"), format!("{many:?}"), "{threads} threads");
        }
        assert_ne!(one.mean, go(&student, &JointPlan { seed: 43, ..base }).mean);
    }
}

#[test]
fn an_asset_held_twice_is_drawn_once_and_an_impossible_matrix_is_refused() {
    let twice = vec![vec![4e-4, 4e-4, 0.0], vec![4e-4, 4e-4, 0.0], vec![0.0, 0.0, 0.0]];
    let law = Joint::normal(&[0.0; 3], &twice).unwrap();
    let plan = plan(1 << 14, 5, JointSampling::Independent);
    let hedged = simulate_tail(&law, &[1.0, -1.0, 3.0], &plan, &|| false).unwrap();
    assert!(hedged.value_at_risk.value.abs() < 1e-12, "{hedged:?}");
    let impossible = vec![vec![1.0, 0.9, -0.9], vec![0.9, 1.0, 0.9], vec![-0.9, 0.9, 1.0]];
    let error = Joint::normal(&[0.0; 3], &impossible).unwrap_err();
    assert!(matches!(error, JointError::NotSemidefinite { asset: 2, .. }), "{error}");
    let torn = vec![vec![1.0, 1.0, 0.5], vec![1.0, 1.0, -0.5], vec![0.5, -0.5, 1.0]];
    assert!(Joint::normal(&[0.0; 3], &torn).is_err());
}

#[test]
fn matrices_and_marginals_that_are_none_are_refused() {
    let refuse = |matrix: Vec<Vec<f64>>| Joint::normal(&[0.0, 0.0], &matrix).unwrap_err();
    for (matrix, text) in [
        (vec![vec![1.0, 0.0]], "covariance row 1 has 1 entries but there are 2 assets"),
        (vec![vec![1.0, 0.0], vec![0.0]], "covariance row 1 has 1 entries but there are 2 assets"),
        (
            vec![vec![1.0, 2.0], vec![2.0, 1.0]],
            "covariance[0][1] is 2; it must be no larger in size than the root of its two \
             variances' product",
        ),
        (
            vec![vec![1.0, 0.1], vec![0.2, 1.0]],
            "covariance[0][1] is 0.1; it must be equal to its mirror across the diagonal",
        ),
        (
            vec![vec![-1.0, 0.0], vec![0.0, 1.0]],
            "covariance[0][0] is -1; it must be zero or positive on the diagonal",
        ),
        (
            vec![vec![1.0, f64::NAN], vec![0.0, 1.0]],
            "covariance[0][1] is NaN; it must be finite and at most 1e30 in size",
        ),
    ] {
        assert_eq!(refuse(matrix).to_string(), text);
    }
    assert_eq!(Joint::normal(&[], &[]).unwrap_err(), JointError::AssetCount(0));
    for nu in [2.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Joint::student_t(&MEAN, &covariance(), nu).is_err(), "{nu}");
    }
    let one = [vec![1.0]];
    for bad in [
        Marginal::Normal { mean: f64::NAN, deviation: 1.0 },
        Marginal::Normal { mean: 0.0, deviation: -1.0 },
        Marginal::StudentT { location: 0.0, scale: 1.0, degrees_of_freedom: 0.5 },
        Marginal::Empirical(Vec::new()),
        Marginal::Empirical(vec![f64::INFINITY]),
    ] {
        assert!(Joint::gaussian_copula(vec![bad.clone()], &one).is_err(), "{bad:?}");
    }
    let scaled = Joint::gaussian_copula(vec![Marginal::Empirical(vec![0.1])], &[vec![2.0]]);
    assert!(matches!(scaled, Err(JointError::Matrix { rule: "1 on the diagonal", .. })));
}

#[test]
fn plans_and_weights_that_do_not_fit_are_refused_before_any_work() {
    let law = Joint::normal(&MEAN, &covariance()).unwrap();
    let refused =
        |plan: JointPlan| simulate_tail(&law, &WEIGHTS, &plan, &|| panic!("no block")).unwrap_err();
    let error = refused(plan(999, 1, JointSampling::Independent));
    assert_eq!(error.to_string(), "paths 999 must be between 1000 and 100000000");
    assert!(matches!(refused(plan(1001, 1, JointSampling::Antithetic)), JointError::Paths { .. }));
    let error = refused(plan(10_000, 1, JointSampling::Sobol));
    assert_eq!(
        error.to_string(),
        "paths 10000 must be sixteen times a power of two, such as 16384 or 1048576"
    );
    let none = JointPlan { threads: 0, ..plan(1000, 1, JointSampling::Independent) };
    assert!(matches!(refused(none), JointError::Count { field: "threads", .. }));
    let fine = plan(1000, 1, JointSampling::Independent);
    let error = simulate_tail(&law, &[1.0, 0.0], &fine, &|| false).unwrap_err();
    assert!(matches!(error, JointError::Series(StatsError::Misaligned { .. })), "{error}");
    assert!(simulate_tail(&law, &[1.0, 0.0, f64::NAN], &fine, &|| false).is_err());
}

#[test]
fn a_stop_ends_the_simulation_without_a_partial_answer() {
    let law = Joint::normal(&MEAN, &covariance()).unwrap();
    let asked = AtomicUsize::new(0);
    let stop = || asked.fetch_add(1, Ordering::Relaxed) >= 2;
    let plan = plan(1 << 18, 1, JointSampling::Independent);
    assert_eq!(simulate_tail(&law, &WEIGHTS, &plan, &stop).unwrap_err(), JointError::Stopped);
    assert_eq!(asked.into_inner(), 3);
}

#[test]
fn a_horizon_compounds_independent_periods() {
    // One normal asset over ten small periods is next to a normal of ten means and variances, and
    // compounding lifts its mean exactly.
    let law = Joint::normal(&[0.001], &[vec![1e-4]]).unwrap();
    for sampling in SAMPLINGS {
        let plan = JointPlan { horizon_periods: 10, ..plan(1 << 15, 4, sampling) };
        let tail = simulate_tail(&law, &[1.0], &plan, &|| false).unwrap();
        within(tail.mean, 1.001_f64.powi(10) - 1.0, 4.5);
        let log = |z: f64| 10.0 * (0.001 - 0.5e-4) + (10.0 * 1e-4_f64).sqrt() * z;
        let exact = -log(normal_quantile(0.025)).exp_m1();
        let slack = 4.5 * tail.value_at_risk.standard_error + 2e-4;
        assert!((tail.value_at_risk.value - exact).abs() < slack, "{tail:?} {exact}");
        assert_eq!(tail.horizon_periods, 10);
    }
}

#[test]
fn held_assets_drift_apart_and_threads_change_nothing_over_a_horizon() {
    let law = Joint::student_t(&MEAN, &covariance(), 4.0).unwrap();
    for sampling in SAMPLINGS {
        let base = JointPlan { horizon_periods: 5, ..plan(1 << 14, 9, sampling) };
        let (one, two) = (go(&law, &base), go(&law, &JointPlan { threads: 2, ..base }));
        assert_eq!(format!("{one:?}"), format!("{two:?}"));
        let exact: f64 = MEAN.iter().zip(WEIGHTS).map(|(m, w)| w * ((1.0 + m).powi(5) - 1.0)).sum();
        within(one.mean, exact, 4.5);
    }
    for horizon_periods in [0, 10_001] {
        let plan = JointPlan { horizon_periods, ..plan(1000, 1, JointSampling::Independent) };
        let error = simulate_tail(&law, &WEIGHTS, &plan, &|| false).unwrap_err();
        assert!(matches!(error, JointError::Count { field: "horizon_periods", .. }), "{error}");
    }
    let wide = JointPlan { horizon_periods: 300, ..plan(1 << 14, 1, JointSampling::Sobol) };
    let error = simulate_tail(&law, &WEIGHTS, &wide, &|| false).unwrap_err();
    assert_eq!(error.to_string(), "dimensions 1200 must be between 1 and 1024");
}
