//! Goldens by arch 8.0.0 (SLSQP with ftol 1e-14), pandas and NumPy 2.4.6; bounds; scale; refusals.

use proptest::prelude::*;

use super::*;
use crate::sample::{clustered, near, panel};

fn specification(dynamics: Dynamics, innovations: Innovations) -> Specification {
    Specification { dynamics, innovations, mean: MeanModel::Constant }
}

fn percent(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| v * 100.0).collect()
}

/// Checks the log-likelihood to 1e-6 and each coefficient to a share of its standard error.
#[track_caller]
fn agrees(fit: &GarchFit, log_likelihood: f64, golden: &[f64]) {
    let c = &fit.coefficients;
    let own = [c.mean, c.omega, c.alpha, c.gamma, c.beta, c.degrees_of_freedom];
    let own: Vec<f64> = own.into_iter().flatten().collect();
    let gain = fit.log_likelihood - log_likelihood;
    assert!(gain.abs() < 1e-6, "{gain} of log-likelihood");
    assert_eq!(own.len(), golden.len());
    for (own, golden) in own.iter().zip(golden) {
        near(*own, *golden, 1e-4);
    }
}

#[test]
fn garch_agrees_with_arch() {
    let y = percent(&clustered(1000, 11, 1.0));
    let fit = fit_garch(&y, specification(Dynamics::Garch, Innovations::Normal)).unwrap();
    let golden =
        [0.025053218935259382, 0.018497850642510888, 0.07481878188961166, 0.8871180629596187];
    agrees(&fit, -1030.3855391786337, &golden);
    let classic = fit.errors.classic;
    // By numerical derivatives in arch.
    near(classic.mean.unwrap(), 0.020421813738018005, 1e-3);
    near(classic.omega.unwrap(), 0.009070237442901282, 1e-3);
    near(classic.beta.unwrap(), 0.03427895960236945, 1e-3);
    let robust = fit.errors.robust;
    near(robust.omega.unwrap(), 0.010182671695868744, 1e-3);
    near(robust.alpha.unwrap(), 0.024684029680825142, 1e-3);
    near(robust.beta.unwrap(), 0.03996833419750398, 1e-3);
}

#[test]
fn gjr_and_its_forecast_agree_with_arch() {
    let y = percent(&clustered(1000, 11, 1.0));
    let fit = fit_garch(&y, specification(Dynamics::Gjr, Innovations::Normal)).unwrap();
    let golden = [
        0.013132595158594485,
        0.01677506119231148,
        0.02697137071442731,
        0.07779099793138165,
        0.9003458657134178,
    ];
    agrees(&fit, -1026.988788849596, &golden);
    near(fit.aic, 2063.977577699192, 1e-8);
    near(fit.bic, 2088.5163540941026, 1e-8);
    let forecast = fit.variance_forecast(10).unwrap();
    near(forecast[0], 0.30950994132338316, 1e-5);
    near(forecast[9], 0.3592598442168141, 1e-5);
    near(fit.variances[0], 0.49806725288413234, 1e-5);
    near(fit.variances[500], 0.4640986328792831, 1e-5);
    near(fit.standardised[500], -0.20852370740136483, 1e-5);
    let zero = Specification { mean: MeanModel::Zero, ..fit.specification };
    let golden =
        [0.017186068394998765, 0.025738036491109003, 0.08182051463561354, 0.9000023625596008];
    agrees(&fit_garch(&y, zero).unwrap(), -1027.1863543145337, &golden);
}

#[test]
fn egarch_agrees_with_arch() {
    let y = percent(&clustered(1000, 11, 1.0));
    let fit = fit_garch(&y, specification(Dynamics::Egarch, Innovations::Normal)).unwrap();
    let golden = [
        0.011222279243239364,
        -0.023909248990480948,
        0.11688924174750574,
        -0.05677298771440286,
        0.9700192188781644,
    ];
    agrees(&fit, -1027.2751246144473, &golden);
    near(fit.next_variance, 0.2802439231623324, 1e-5);
    let error = fit.variance_forecast(2).unwrap_err();
    assert_eq!(error, VolatilityError::NoClosedForecast(2));
    near(fit.variance_forecast(1).unwrap()[0], fit.next_variance, 1e-15);
}

#[test]
fn student_innovations_agree_with_arch() {
    let y = percent(&clustered(2000, 5, 1.4));
    let fit = fit_garch(&y, specification(Dynamics::Garch, Innovations::StudentT)).unwrap();
    let golden = [
        0.07221580883785662,
        0.029263849534926768,
        0.11368634642338954,
        0.8863136535766387,
        4.6638552879803425,
    ];
    agrees(&fit, -3608.413560762375, &golden);
    assert_eq!(fit.limits, [LimitReached::Persistence]);
    assert_eq!(fit.unconditional_variance(), None, "shocks never die out");
    let fit = fit_garch(&y, specification(Dynamics::Egarch, Innovations::StudentT)).unwrap();
    near(fit.log_likelihood, -3608.234749614103, 1e-9);
    near(fit.coefficients.degrees_of_freedom.unwrap(), 4.27885690192284, 1e-4);
    near(fit.errors.classic.degrees_of_freedom.unwrap(), 0.5134626246139269, 1e-3);
}

#[test]
fn a_likelihood_above_the_one_of_arch_is_found_where_arch_stops_early() {
    // arch ends at -1030.1901196580288 with 67 degrees of freedom.
    let y = percent(&clustered(1000, 11, 1.0));
    let fit = fit_garch(&y, specification(Dynamics::Garch, Innovations::StudentT)).unwrap();
    assert!(fit.log_likelihood > -1030.19, "{}", fit.log_likelihood);
}

#[test]
fn the_scale_of_the_returns_changes_only_what_has_a_scale() {
    let y = clustered(1000, 11, 1.0);
    for dynamics in [Dynamics::Garch, Dynamics::Gjr, Dynamics::Egarch] {
        let model = specification(dynamics, Innovations::StudentT);
        let (small, large) =
            (fit_garch(&y, model).unwrap(), fit_garch(&percent(&y), model).unwrap());
        let (a, b) = (small.coefficients, large.coefficients);
        near(a.alpha.unwrap(), b.alpha.unwrap(), 3e-5);
        near(a.mean.unwrap() * 100.0, b.mean.unwrap(), 1e-6);
        near(small.next_variance * 1e4, large.next_variance, 1e-6);
        near(small.log_likelihood, large.log_likelihood + 1000.0 * 100.0_f64.ln(), 1e-9);
        near(small.errors.robust.beta.unwrap(), large.errors.robust.beta.unwrap(), 1e-4);
        if dynamics != Dynamics::Egarch {
            near(a.omega.unwrap() * 1e4, b.omega.unwrap(), 3e-5);
        }
    }
}

#[test]
fn a_simulated_forecast_meets_the_closed_one() {
    let y = clustered(1000, 11, 1.0);
    let fit = fit_garch(&y, specification(Dynamics::Gjr, Innovations::StudentT)).unwrap();
    let (closed, simulated) =
        (fit.variance_forecast(20).unwrap(), fit.simulated_forecast(20, 20_000, 4).unwrap());
    for (exact, estimate) in closed.iter().zip(&simulated) {
        let distance = (estimate.value - exact).abs();
        assert!(distance <= 4.0 * estimate.standard_error + 1e-18, "{estimate:?} {exact}");
    }
    assert_eq!(simulated, fit.simulated_forecast(20, 20_000, 4).unwrap(), "the seed decides");
    assert!(matches!(fit.simulated_forecast(2, 99, 4), Err(VolatilityError::Paths(99))));
    assert!(matches!(fit.variance_forecast(0), Err(VolatilityError::Horizon(0))));
    let far = fit.variance_forecast(5_000).unwrap();
    near(far[4_999], fit.unconditional_variance().unwrap(), 1e-6);
}

#[test]
fn returns_without_clustering_are_said_to_have_none() {
    // Alternating sizes: a large move makes a small one likely.
    let y: Vec<f64> = panel(1, 400, 3)[0]
        .iter()
        .enumerate()
        .map(|(t, r)| if t % 2 == 0 { r * 3.0 } else { r / 3.0 })
        .collect();
    let error = fit_garch(&y, specification(Dynamics::Garch, Innovations::Normal)).unwrap_err();
    assert_eq!(error, VolatilityError::NoClustering);
}

#[test]
fn unusable_returns_are_refused() {
    let model = specification(Dynamics::Garch, Innovations::Normal);
    let constant = StatsError::Constant { series: "returns" };
    assert_eq!(fit_garch(&[0.01; 80], model).unwrap_err(), constant.into());
    let error = fit_garch(&[0.01; 49], model).unwrap_err();
    assert_eq!(error.to_string(), "returns has 49 values; at least 50 are needed");
    let mut y = clustered(100, 3, 1.0);
    y[7] = f64::NAN;
    let error = fit_garch(&y, model).unwrap_err();
    assert_eq!(error.to_string(), "returns[7] is NaN; every value must be finite");
    y[7] = f64::INFINITY;
    assert!(fit_garch(&y, model).is_err());
    // Nothing moves for longer than the backcast looks.
    let mut late = vec![0.0; 90];
    late.extend(clustered(100, 3, 1.0));
    let zero = Specification { mean: MeanModel::Zero, ..model };
    let error = fit_garch(&late, zero).unwrap_err();
    assert!(matches!(error, VolatilityError::Series(StatsError::Constant { .. })), "{error}");
}

#[test]
fn ewma_agrees_with_pandas_and_arch() {
    let y = clustered(1000, 11, 1.0);
    for start in [EwmaStart::FirstSquare, EwmaStart::MeanSquare, EwmaStart::Backcast] {
        let smooth = ewma(&y, 0.94, start).unwrap();
        near(smooth.next_variance, 2.0604414231433823e-05, 1e-12);
        near(smooth.variances[999], 2.1898070284688547e-05, 1e-12);
    }
    for decay in [0.0, 1.0, 94.0, f64::NAN] {
        let error = ewma(&y, decay, EwmaStart::FirstSquare).unwrap_err();
        assert!(matches!(error, VolatilityError::Decay(_)), "{error}");
    }
    assert!(ewma(&[], 0.94, EwmaStart::Backcast).is_err());
    let one = ewma(&[0.02], 0.94, EwmaStart::FirstSquare).unwrap();
    near(one.next_deviation(), 0.02, 1e-15);
}

/// Sixty bars with gaps.
fn bars() -> [Vec<f64>; 4] {
    let u = crate::sample::uniform(240, 3);
    let mut last = 100.0;
    let mut bars = [const { Vec::new() }; 4];
    for shocks in u.chunks_exact(4) {
        let open: f64 = last * (1.0 + 0.01 * (shocks[0] - 0.5));
        let close = open * (1.0 + 0.04 * (shocks[1] - 0.5));
        let high = open.max(close) * (1.0 + 0.01 * shocks[2]);
        let low = open.min(close) * (1.0 - 0.01 * shocks[3]);
        for (series, price) in bars.iter_mut().zip([open, high, low, close]) {
            series.push(price);
        }
        last = close;
    }
    bars
}

#[test]
fn range_estimators_agree_with_numpy() {
    let [open, high, low, close] = bars();
    let bars = Bars::try_new(&open, &high, &low, &close).unwrap();
    for (estimator, golden) in [
        (RangeEstimator::Parkinson, 0.00016266797206338946),
        (RangeEstimator::GarmanKlass, 0.00017238786873568105),
        (RangeEstimator::RogersSatchell, 0.00016654840162622734),
        (RangeEstimator::YangZhang, 0.00017232520771181704),
    ] {
        let volatility = range_volatility(&bars, estimator, 365.0).unwrap();
        near(volatility.variance_per_period, golden, 1e-11);
        near(volatility.volatility_annual, (golden * 365.0).sqrt(), 1e-11);
        assert!(range_volatility(&bars, estimator, 0.0).is_err());
    }
    let y = clustered(1000, 11, 1.0);
    near(realised(&y, 252.0).unwrap().variance_per_period, 4.929179742668762e-05, 1e-12);
    near(bipower(&y, 252.0).unwrap().variance_per_period, 4.964570983607112e-05, 1e-12);
    assert!(bipower(&y[..1], 252.0).is_err());
}

#[test]
fn bars_that_are_none_are_refused_with_the_price() {
    let fine = [100.0, 101.0];
    let error = Bars::try_new(&fine, &fine, &fine, &[100.0]).unwrap_err();
    assert_eq!(error.to_string(), "close has 1 values but 2 are needed to align with open");
    let error = Bars::try_new(&fine, &[100.0, 100.5], &fine, &fine).unwrap_err();
    assert_eq!(
        error.to_string(),
        "high[1] is 100.5; it must be at least the open, low and close of its bar"
    );
    let error = Bars::try_new(&fine, &fine, &[100.0, 101.5], &fine).unwrap_err();
    assert!(matches!(error, VolatilityError::Price { index: 1, .. }), "{error}");
    for bad in [0.0, -1.0] {
        let error = Bars::try_new(&[bad, 1.0], &fine, &fine, &fine).unwrap_err();
        assert!(matches!(error, VolatilityError::Price { field: "open", .. }), "{error}");
    }
    let still = [5.0, 5.0, 5.0];
    let bars = Bars::try_new(&still, &still, &still, &still).unwrap();
    let flat = range_volatility(&bars, RangeEstimator::YangZhang, 365.0).unwrap();
    assert!(flat.volatility_annual == 0.0, "nothing moved");
    let two = Bars::try_new(&fine, &fine, &fine, &fine).unwrap();
    assert!(range_volatility(&two, RangeEstimator::YangZhang, 365.0).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_fit_is_never_below_the_constant_variance(seed in 1..10_000_u64, power in 1.0..1.5_f64) {
        let y = clustered(400, seed, power);
        let m = crate::stats::Series::try_new("y", &y, 2).unwrap().variance(0).unwrap();
        let constant = -200.0 * ((2.0 * std::f64::consts::PI * m).ln() + 1.0);
        for dynamics in [Dynamics::Garch, Dynamics::Gjr] {
            match fit_garch(&y, specification(dynamics, Innovations::Normal)) {
                Ok(fit) => {
                    // The backcast is not the sample variance: a little may be lost.
                    prop_assert!(fit.log_likelihood > constant - 2.0, "{}", fit.log_likelihood);
                    prop_assert!(fit.variances.iter().all(|v| v.is_finite() && *v > 0.0));
                    prop_assert!(fit.persistence() <= 1.0 + 1e-12);
                }
                Err(error) => prop_assert_eq!(error, VolatilityError::NoClustering),
            }
        }
    }
}

#[test]
fn weak_clustering_is_searched_from_many_starts() {
    let mut found = 0;
    for seed in 1..5 {
        let y = clustered(250, seed, 1.0);
        for dynamics in [Dynamics::Garch, Dynamics::Gjr, Dynamics::Egarch] {
            match fit_garch(&y, specification(dynamics, Innovations::Normal)) {
                Ok(fit) => {
                    found += 1;
                    assert!(fit.variances.iter().all(|v| v.is_finite() && *v > 0.0), "{seed}");
                    let has_mean_error = fit.errors.classic.mean.is_some();
                    assert_ne!(has_mean_error, fit.limits.contains(&LimitReached::Mean), "{seed}");
                }
                Err(error) => assert!(
                    matches!(error, VolatilityError::NoClustering | VolatilityError::Likelihood(_)),
                    "{error}"
                ),
            }
        }
    }
    assert!(found > 8, "{found} of 12 fits");
}
