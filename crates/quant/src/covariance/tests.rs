//! Covariances against scikit-learn, PyPortfolioOpt, skfolio and Riskfolio-Lib, and against misuse.
//!
//! Goldens are of scikit-learn 1.9.1, PyPortfolioOpt 1.6.0, skfolio 1.12.2, Riskfolio-Lib 7.4.0 and
//! NumPy 2.4.6, on the panels of `sample`.

use proptest::prelude::*;

use super::*;
use crate::{
    sample::{near, panel, returns},
    stats::AssetReturns,
};

const DENOISED: CovarianceEstimator = CovarianceEstimator::Denoised {
    noise: Noise::ConstantResidual,
    modes_removed: 0,
    bandwidth: 0.01,
};

fn of(assets: usize, periods: usize, seed: u64, estimator: CovarianceEstimator) -> Covariance {
    estimate(&returns(assets, periods, seed), estimator, Divisor::Periods).unwrap()
}

fn all() -> Vec<CovarianceEstimator> {
    let gerber = |statistic| CovarianceEstimator::Gerber { threshold: 0.5, statistic };
    let shrunk = |share| CovarianceEstimator::Denoised {
        noise: Noise::TargetShrinkage(share),
        modes_removed: 0,
        bandwidth: 0.01,
    };
    vec![
        CovarianceEstimator::Sample,
        CovarianceEstimator::Ewma { decay: 0.94, centre: Centre::Zero },
        CovarianceEstimator::Ewma { decay: 0.97, centre: Centre::Mean },
        CovarianceEstimator::LedoitWolf(ShrinkageTarget::Identity),
        CovarianceEstimator::LedoitWolf(ShrinkageTarget::ConstantCorrelation),
        CovarianceEstimator::LedoitWolf(ShrinkageTarget::SingleFactor),
        CovarianceEstimator::OracleApproximating(OasForm::Exact),
        gerber(GerberStatistic::One),
        gerber(GerberStatistic::Two),
        DENOISED,
        shrunk(0.3),
    ]
}

#[track_caller]
fn entries(covariance: &Covariance, expected: &[(usize, usize, f64)]) {
    for (row, column, value) in expected {
        near(covariance.at(*row, *column).unwrap(), *value, 1e-10);
    }
}

#[test]
fn shrinkage_towards_identity_agrees_with_scikit_learn() {
    let lw = of(5, 60, 7, CovarianceEstimator::LedoitWolf(ShrinkageTarget::Identity));
    near(lw.shrinkage().unwrap(), 0.18854454897150227, 1e-10);
    entries(&lw, &[(0, 1, 5.673560064339735e-06), (0, 0, 4.664542935993934e-05)]);
    let oas = of(5, 60, 7, CovarianceEstimator::OracleApproximating(OasForm::ManyAssets));
    near(oas.shrinkage().unwrap(), 0.2513403490373, 1e-10);
    entries(&oas, &[(0, 1, 5.234502389626967e-06), (0, 0, 4.8774027909844375e-05)]);
    // Equation 23 of the paper, in NumPy.
    let exact = of(5, 60, 7, CovarianceEstimator::OracleApproximating(OasForm::Exact));
    near(exact.shrinkage().unwrap(), 0.23063218710435016, 1e-10);
}

#[test]
fn the_other_targets_agree_with_pyportfolioopt() {
    let constant = CovarianceEstimator::LedoitWolf(ShrinkageTarget::ConstantCorrelation);
    let cc = of(5, 60, 7, constant);
    // Its own function, given moments over n as in the paper; it mixes in ddof 1.
    near(cc.shrinkage().unwrap(), 0.8587730171664971, 1e-10);
    near(cc.at(0, 1).unwrap(), 9.964400281471375e-06, 1e-10);
    let factor = CovarianceEstimator::LedoitWolf(ShrinkageTarget::SingleFactor);
    let sf = of(5, 60, 7, factor);
    near(sf.shrinkage().unwrap(), 0.14128160617730562, 1e-10);
    entries(
        &sf,
        &[
            (0, 1, 8.155704753460562e-06),
            (0, 0, 4.025430681491692e-05),
            (2, 4, 1.7332083784774548e-05),
        ],
    );
    let sf = of(12, 40, 3, factor);
    near(sf.shrinkage().unwrap(), 0.7573081570650129, 1e-10);
    entries(&sf, &[(0, 1, 1.3631351212376366e-05), (3, 7, 2.281333621840492e-05)]);
}

#[test]
fn exponential_weights_agree_with_skfolio_and_pyportfolioopt() {
    let zero = of(5, 60, 7, CovarianceEstimator::Ewma { decay: 0.94, centre: Centre::Zero });
    // skfolio's EWCovariance of the same half-life.
    entries(&zero, &[(0, 1, 1.0109992517832523e-07), (0, 0, 4.546984366347269e-05)]);
    let mean = of(5, 60, 7, CovarianceEstimator::Ewma { decay: 0.94, centre: Centre::Mean });
    // exp_cov of the span 2 / 0.06 - 1.
    entries(&mean, &[(0, 0, 4.462080863133103e-05), (0, 1, 1.537295442925639e-06)]);
    near(mean.at(3, 4).unwrap(), 1.7707000540301035e-05, 1e-10);
}

#[test]
fn the_gerber_statistics_agree_with_riskfolio_and_skfolio() {
    let gerber =
        |threshold, statistic| of(5, 60, 7, CovarianceEstimator::Gerber { threshold, statistic });
    let one = gerber(0.5, GerberStatistic::One);
    entries(&one, &[(0, 1, 3.6806861808722665e-06), (2, 4, 1.5062018087244843e-05)]);
    let two = gerber(0.5, GerberStatistic::Two);
    entries(&two, &[(0, 1, 4.668878319621058e-06), (2, 4, 1.9611585296931814e-05)]);
    let one = gerber(0.9, GerberStatistic::One);
    entries(&one, &[(0, 1, 1.2343764630974065e-06), (2, 4, 8.714453321905945e-06)]);
    let two = gerber(0.9, GerberStatistic::Two);
    entries(&two, &[(0, 1, 1.9465167302689874e-06), (2, 4, 1.2677664123109004e-05)]);
}

#[test]
fn denoising_agrees_with_riskfolio_and_skfolio() {
    let shrunk = CovarianceEstimator::Denoised {
        noise: Noise::TargetShrinkage(0.3),
        modes_removed: 0,
        bandwidth: 0.01,
    };
    for (assets, periods, seed, constant, target) in [
        (
            20,
            100,
            5,
            (1.8139524474865007e-05, 3.3093310654735344e-05),
            (1.50509992439766e-05, 2.9785817131708784e-05),
        ),
        (
            12,
            40,
            3,
            (1.1111134132476453e-05, 2.0500566203021504e-05),
            (1.5845650645122064e-05, 2.1473718925013945e-05),
        ),
    ] {
        let data = returns(assets, periods, seed);
        let unbiased = |estimator| estimate(&data, estimator, Divisor::PeriodsLessOne).unwrap();
        let found = unbiased(DENOISED);
        entries(&found, &[(0, 1, constant.0), (3, 7, constant.1)]);
        let [Repair::Denoised(report)] = found.repairs() else { panic!("{:?}", found.repairs()) };
        assert_eq!(report.signals, 1, "{report:?}");
        entries(&unbiased(shrunk), &[(0, 1, target.0), (3, 7, target.1)]);
    }
}

#[test]
fn what_is_detoned_is_reported_and_singular() {
    let estimator = CovarianceEstimator::Denoised {
        noise: Noise::ConstantResidual,
        modes_removed: 1,
        bandwidth: 0.01,
    };
    let found = of(12, 40, 3, estimator);
    let [Repair::Denoised(report)] = found.repairs() else { panic!("{:?}", found.repairs()) };
    assert_eq!(report.modes_removed, 1);
    assert_eq!(found.conditioning().rank, 11);
    assert_eq!(found.conditioning().condition_number, None);
    let sample = of(12, 40, 3, CovarianceEstimator::Sample);
    for asset in 0..12 {
        near(found.at(asset, asset).unwrap(), sample.at(asset, asset).unwrap(), 1e-12);
    }
}

#[test]
fn the_nearest_correlation_agrees_with_alternating_projections() {
    // Higham's algorithm in NumPy, 20,000 sweeps; the first is the example of his section 4.
    let three = [vec![1.0, 1.0, 0.0], vec![1.0, 1.0, 1.0], vec![0.0, 1.0, 1.0]];
    let found = nearest_correlation(&three, 0.0).unwrap();
    near(found.at(0, 1).unwrap(), 0.7606898534022841, 1e-8);
    near(found.at(0, 2).unwrap(), 0.15729810613837583, 1e-8);
    near(found.distance, 0.5277904635818281, 1e-8);
    let four = [
        vec![1.0, -0.55, -0.15, -0.9],
        vec![-0.55, 1.0, 0.9, 0.4],
        vec![-0.15, 0.9, 1.0, -0.3],
        vec![-0.9, 0.4, -0.3, 1.0],
    ];
    let found = nearest_correlation(&four, 0.0).unwrap();
    near(found.at(0, 1).unwrap(), -0.5739090907818055, 1e-8);
    near(found.at(1, 2).unwrap(), 0.8274962148821824, 1e-8);
    near(found.at(2, 3).unwrap(), -0.23421161114853886, 1e-8);
    assert!(found.eigenvalue_min < -0.01 && found.iterations > 0);
    let floored = nearest_correlation(&four, 0.05).unwrap();
    assert!(spectrum::extremes(&floored.matrix).0 > 0.05 - 1e-9, "the floor is kept");
}

#[test]
fn an_indefinite_covariance_is_refused_or_repaired_with_a_report() {
    let rows = [vec![4.0, 2.0, 0.0], vec![2.0, 1.0, 1.0], vec![0.0, 1.0, 1.0]];
    let error = Covariance::try_from_rows(&rows).unwrap_err();
    assert_eq!(error, CovarianceError::NotSemidefinite { asset: 2 });
    assert_eq!(
        error.to_string(),
        "the covariance matrix is not positive semidefinite: asset 2 breaks it"
    );
    let repaired = Covariance::nearest(&rows, 0.0).unwrap();
    let [Repair::NearestCorrelation { eigenvalue_min, distance }] = repaired.repairs() else {
        panic!("{:?}", repaired.repairs());
    };
    near(*distance, 0.5277904635818281, 1e-8);
    near(*eigenvalue_min, 1.0 - 2.0_f64.sqrt(), 1e-12);
    near(repaired.at(0, 0).unwrap(), 4.0, 1e-12);
    let fine = [vec![4.0, 1.0], vec![1.0, 1.0]];
    assert!(Covariance::nearest(&fine, 0.0).unwrap().repairs().is_empty());
    assert!(Covariance::try_from_rows(&rows[..2]).is_err());
}

#[test]
fn rank_and_condition_are_reported() {
    let found = estimate(&returns(5, 60, 7), CovarianceEstimator::Sample, Divisor::PeriodsLessOne);
    let conditioning = found.unwrap().conditioning();
    assert_eq!(conditioning.rank, 5);
    near(conditioning.condition_number.unwrap(), 6.032275807795817, 1e-10);
    near(conditioning.eigenvalue_min, 2.47726750e-05, 1e-8);
    near(conditioning.eigenvalue_max, 1.49435608e-04, 1e-8);
}

#[test]
fn more_assets_than_periods_have_their_rank_and_the_spectrum_of_the_small_matrix() {
    for estimator in [
        CovarianceEstimator::Sample,
        CovarianceEstimator::LedoitWolf(ShrinkageTarget::Identity),
        CovarianceEstimator::OracleApproximating(OasForm::ManyAssets),
        CovarianceEstimator::Ewma { decay: 0.9, centre: Centre::Zero },
    ] {
        let found = of(40, 12, 11, estimator);
        let quick = found.conditioning();
        let slow = Covariance::plain(found.matrix.clone()).conditioning();
        assert_eq!(quick.rank, slow.rank);
        near(quick.eigenvalue_max, slow.eigenvalue_max, 1e-12);
        if let Some(number) = slow.condition_number {
            near(quick.condition_number.unwrap(), number, 1e-9);
        }
    }
    let sample = of(40, 12, 11, CovarianceEstimator::Sample).conditioning();
    assert_eq!((sample.rank, sample.condition_number), (11, None));
}

#[test]
fn rank_does_not_depend_on_the_scale_of_an_asset() {
    let tiny_and_huge = [vec![1e-12, 0.0], vec![0.0, 1e12]];
    let found = Covariance::try_from_rows(&tiny_and_huge).unwrap().conditioning();
    assert_eq!(found.rank, 2);
    near(found.condition_number.unwrap(), 1e24, 1e-9);
}

#[test]
fn duplicated_assets_lower_the_rank_and_shrinkage_restores_it() {
    let mut assets = panel(4, 60, 7);
    assets.push(assets[0].clone());
    let data = AssetReturns::try_new(assets, 2).unwrap();
    let of = |estimator| estimate(&data, estimator, Divisor::Periods).unwrap().conditioning();
    assert_eq!(of(CovarianceEstimator::Sample).rank, 4);
    assert_eq!(of(CovarianceEstimator::LedoitWolf(ShrinkageTarget::Identity)).rank, 5);
}

#[test]
fn constant_assets_are_named_where_a_correlation_is_needed_and_are_zero_elsewhere() {
    let mut assets = panel(3, 30, 7);
    assets.push(vec![0.1; 30]);
    let data = AssetReturns::try_new(assets, 2).unwrap();
    for estimator in all() {
        match estimate(&data, estimator, Divisor::Periods) {
            Err(error) => {
                assert_eq!(error, CovarianceError::ConstantAsset { asset: 3 }, "{estimator:?}");
            }
            Ok(found) => assert!(found.at(3, 3).unwrap() >= 0.0, "{estimator:?}"),
        }
    }
    let sample = estimate(&data, CovarianceEstimator::Sample, Divisor::Periods).unwrap();
    assert_eq!(sample.at(3, 3), Some(0.0));
    assert_eq!(sample.correlation(3, 0), None);
    let flat = AssetReturns::try_new(vec![vec![0.01; 3]; 2], 2).unwrap();
    let error = estimate(&flat, CovarianceEstimator::Sample, Divisor::Periods).unwrap_err();
    assert_eq!(error, CovarianceError::NoVariance);
}

#[test]
fn parameters_outside_their_range_are_refused_by_name() {
    let refused = |estimator| {
        estimate(&returns(4, 30, 7), estimator, Divisor::Periods).unwrap_err().to_string()
    };
    for decay in [0.0, 1.0, -0.5, f64::NAN] {
        let message = refused(CovarianceEstimator::Ewma { decay, centre: Centre::Zero });
        assert!(message.starts_with(&format!("decay {decay} must be above 0")), "{message}");
    }
    let statistic = GerberStatistic::One;
    let message = refused(CovarianceEstimator::Gerber { threshold: 1.0, statistic });
    assert!(message.starts_with("threshold 1 must be"), "{message}");
    let denoised = |noise, modes_removed, bandwidth| {
        refused(CovarianceEstimator::Denoised { noise, modes_removed, bandwidth })
    };
    assert!(denoised(Noise::ConstantResidual, 4, 0.01).starts_with("modes_removed 4"));
    assert!(denoised(Noise::ConstantResidual, 0, 0.0).starts_with("bandwidth 0"));
    assert!(denoised(Noise::TargetShrinkage(1.5), 0, 0.01).starts_with("target shrinkage 1.5"));
    let error = nearest_correlation(&[vec![1.0]], 1.0).unwrap_err().to_string();
    assert!(error.starts_with("eigenvalue_min 1 must be"), "{error}");
    let error = nearest_correlation(&[vec![2.0]], 0.0).unwrap_err().to_string();
    assert_eq!(error, "covariance[0][0] is 2e0; it must be one on the diagonal");
}

#[test]
fn one_asset_has_a_variance_and_one_period_has_none() {
    for estimator in all() {
        let found = of(1, 30, 7, estimator);
        assert!(found.at(0, 0).unwrap() > 0.0, "{estimator:?}");
    }
    let short = AssetReturns::try_new(vec![vec![0.01], vec![0.02]], 1).unwrap();
    let error = estimate(&short, CovarianceEstimator::Sample, Divisor::Periods).unwrap_err();
    assert_eq!(error.to_string(), "returns has 1 values; at least 2 are needed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_estimate_is_semidefinite_and_scales_with_the_square(
        seed in 0..10_000_u64,
        assets in 2..10_usize,
        periods in 3..30_usize,
        power in prop::sample::select(vec![-12, -4, 0, 2, 12]),
    ) {
        let scale = 10.0_f64.powi(power);
        let plain = panel(assets, periods, seed);
        let big = plain.iter().map(|a| a.iter().map(|r| r * scale).collect()).collect();
        let plain = AssetReturns::try_new(plain, 2).unwrap();
        let big = AssetReturns::try_new(big, 2).unwrap();
        for estimator in all() {
            let found = estimate(&plain, estimator, Divisor::PeriodsLessOne);
            let Ok(found) = found else {
                let error = found.unwrap_err();
                let is_gerber = matches!(error, CovarianceError::NothingReachesThreshold { .. });
                prop_assert!(is_gerber, "{:?}: {}", estimator, error);
                continue;
            };
            let other = estimate(&big, estimator, Divisor::PeriodsLessOne).unwrap();
            prop_assert_eq!(semidefinite_break(found.matrix()), None, "{:?}", estimator);
            let size = found.matrix().amax();
            for (a, b) in found.matrix().iter().zip(other.matrix().iter()) {
                let difference = (a - b / scale / scale).abs();
                prop_assert!(difference <= 1e-6 * size, "{:?} {} {}", estimator, a, b);
            }
        }
    }

    #[test]
    fn a_block_factor_solves_what_it_factors(seed in 0..1_000_u64, assets in 1..150_usize) {
        let found = of(assets, assets + 20, seed, CovarianceEstimator::OracleApproximating(OasForm::Exact));
        let factor = BlockedCholesky::try_new(found.matrix().clone(), 0.0).unwrap();
        let mut x = vec![1.0; assets];
        factor.solve(&mut x);
        let image = found.matrix() * nalgebra::DVector::from_vec(x);
        for value in image.iter() {
            prop_assert!((value - 1.0).abs() < 1e-7, "{}", value);
        }
        prop_assert_eq!(rank_of(found.matrix()), assets);
    }
}
