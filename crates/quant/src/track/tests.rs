//! Goldens by skfolio 1.12.2, empyrical-reloaded 0.7.1, pandas, SciPy 1.17.1 and the papers'
//! examples; edges; refusals.

use proptest::prelude::*;

use super::*;
use crate::{
    metrics::{Basis, max_drawdown},
    sample::{near, panel},
    stats::AssetReturns,
};

fn crypto() -> Basis {
    Basis::try_new(365.0, 0.03, 0.05).unwrap()
}

fn plain(year: f64) -> Basis {
    Basis::try_new(year, 0.0, 0.0).unwrap()
}

fn sample() -> Vec<f64> {
    panel(5, 60, 7).remove(0)
}

#[test]
fn sharpe_inference_agrees_with_skfolio_and_scipy() {
    let inference = sharpe_inference(&sample(), &crypto(), 0.0).unwrap();
    near(inference.sharpe_annual, 2.13957353516173, 1e-12);
    near(inference.evidence.skewness, 0.03760880991823202, 1e-10);
    near(inference.evidence.kurtosis, 2.0363734406621425, 1e-12);
    near(inference.error_normal, 0.12950359869758354, 1e-12);
    near(inference.error_any_shape, 0.12903731270817814, 1e-12);
    near(inference.probabilistic, 0.8052787300530513, 1e-12);
    let above_one = sharpe_inference(&sample(), &crypto(), 1.0).unwrap();
    near(above_one.probabilistic, 0.6766622926717119, 1e-12);
    near(above_one.track_record_periods_min.unwrap(), 760.7042197382222, 1e-11);
    let above_three = sharpe_inference(&sample(), &crypto(), 3.0).unwrap();
    assert_eq!(above_three.track_record_periods_min, None, "no record is long enough");
    assert_eq!(inference.sharpe_annual_autocorrelated, None, "sixty days are no year");
}

#[test]
fn annualising_with_autocorrelation_agrees_with_numpy() {
    let monthly = Basis::try_new(12.0, 0.03, 0.0).unwrap();
    let inference = sharpe_inference(&sample(), &monthly, 0.0).unwrap();
    near(inference.sharpe_annual_autocorrelated.unwrap(), -1.1106005530213743, 1e-10);
}

#[test]
fn the_example_of_the_deflated_sharpe_paper_is_met() {
    let evidence = SharpeEvidence {
        sharpe: 2.5 / 250.0_f64.sqrt(),
        periods: 1250,
        skewness: -3.0,
        kurtosis: 10.0,
    };
    let trials = Trials { count: 100, sharpe_deviation: (0.5_f64 / 250.0).sqrt() };
    let result = deflated_sharpe(evidence, trials).unwrap();
    near(result.sharpe_by_luck, 0.11317200186513214, 1e-12);
    near(result.deflated, 0.9003968344493903, 1e-12);
}

#[test]
fn a_ratio_among_its_trials_agrees_with_skfolio() {
    let r = panel(5, 60, 7);
    let evidence: Vec<_> = r.iter().map(|a| SharpeEvidence::of(a, 0.0).unwrap()).collect();
    let trials: Vec<f64> = evidence.iter().map(|e| e.sharpe).collect();
    let result = deflated_sharpe_of(evidence[2], &trials).unwrap();
    near(result.deflated, 0.702631796685927, 1e-12);
}

#[test]
fn trials_and_moments_that_cannot_be_are_refused() {
    let evidence = SharpeEvidence { sharpe: 0.1, periods: 100, skewness: 0.0, kurtosis: 3.0 };
    for (count, sharpe_deviation) in [(0, 0.1), (5, -0.1), (5, f64::NAN)] {
        assert!(deflated_sharpe(evidence, Trials { count, sharpe_deviation }).is_err());
    }
    assert!(deflated_sharpe_of(evidence, &[]).is_err());
    let alone = deflated_sharpe_of(evidence, &[0.1]).unwrap();
    near(alone.deflated, probabilistic_sharpe(evidence, 0.0).unwrap(), 1e-15);
    near(
        deflated_sharpe_of(evidence, &[0.1, 0.3]).unwrap().sharpe_by_luck,
        deflated_sharpe(evidence, Trials { count: 2, sharpe_deviation: 0.02_f64.sqrt() })
            .unwrap()
            .sharpe_by_luck,
        1e-12,
    );
    // Kurtosis in excess, given where it is not.
    let error =
        probabilistic_sharpe(SharpeEvidence { kurtosis: 0.0, ..evidence }, 0.0).unwrap_err();
    assert!(matches!(error, TrackError::ImpossibleMoments { .. }), "{error}");
    assert!(probabilistic_sharpe(SharpeEvidence { periods: 1, ..evidence }, 0.0).is_err());
    assert!(probabilistic_sharpe(evidence, f64::NAN).is_err());
    assert!(sharpe_inference(&[0.01; 30], &crypto(), 0.0).is_err(), "constant returns");
    assert!(sharpe_inference(&[0.01], &crypto(), 0.0).is_err());
}

#[test]
fn overfitting_agrees_with_its_definition_in_numpy() {
    let strategies = panel(6, 123, 11)
        .into_iter()
        .map(|r| {
            let mean = r.iter().sum::<f64>() / 123.0;
            r.into_iter().map(|x| x - 0.9 * mean).collect()
        })
        .collect();
    let result = overfitting(&AssetReturns::try_new(strategies, 2).unwrap(), 8).unwrap();
    assert_eq!((result.splits, result.periods), (70, 120));
    near(result.probability, 0.9714285714285714, 1e-12);
    near(result.logits.iter().sum::<f64>(), -103.238267930476, 1e-11);
    near(result.loss_probability, 0.8857142857142857, 1e-12);
    let (slope, intercept) = result.degradation.unwrap();
    near(slope, -1.1407044318858026, 1e-9);
    near(intercept, 0.028748655506997015, 1e-9);
}

#[test]
fn a_strategy_that_is_always_best_is_not_overfitted() {
    let mut strategies = panel(5, 80, 3);
    strategies[2].iter_mut().for_each(|r| *r += 0.5);
    let result = overfitting(&AssetReturns::try_new(strategies, 2).unwrap(), 4).unwrap();
    assert!(result.probability <= 0.0 && result.loss_probability <= 0.0, "{result:?}");
    assert!(result.logits.iter().all(|l| *l > 0.0));
}

#[test]
fn twins_share_their_rank_and_what_cannot_be_ranked_is_refused() {
    let series = panel(1, 40, 3).remove(0);
    let twins = AssetReturns::try_new(vec![series.clone(); 2], 2).unwrap();
    let result = overfitting(&twins, 4).unwrap();
    assert!(result.logits.iter().all(|l| l.abs() < 1e-12), "the middle of two equals");
    near(result.probability, 1.0, 1e-15);
    let alone = AssetReturns::try_new(vec![series.clone()], 2).unwrap();
    assert!(matches!(overfitting(&alone, 4), Err(TrackError::Count { field: "strategies", .. })));
    for blocks in [0, 3, 22] {
        let error = overfitting(&twins, blocks).unwrap_err();
        assert!(matches!(error, TrackError::Count { field: "blocks", .. }), "{error}");
    }
    let still = AssetReturns::try_new(vec![series, vec![0.01; 40]], 2).unwrap();
    assert_eq!(overfitting(&still, 4).unwrap_err(), TrackError::ConstantStrategy { strategy: 1 });
    let short = AssetReturns::try_new(panel(2, 3, 1), 2).unwrap();
    assert!(matches!(overfitting(&short, 2), Err(TrackError::Count { field: "periods", .. })));
}

#[test]
fn the_table_of_falls_agrees_with_numpy() {
    let falls = drawdowns(&sample()).unwrap();
    assert_eq!(falls.table.len(), 7);
    let golden = [
        (0.03325473891318931, 31, 53, None),
        (0.0214997367780142, 13, 23, Some(26)),
        (0.011977712504299798, 9, 11, Some(13)),
        (0.0038816488415355233, 5, 6, Some(7)),
    ];
    for (fall, (depth, peak, trough, recovery)) in falls.table.iter().zip(golden) {
        near(fall.depth, depth, 1e-12);
        assert_eq!((fall.peak, fall.trough, fall.recovery), (peak, trough, recovery));
    }
    assert_eq!((falls.table[0].length_periods, falls.longest_periods), (29, 29));
    near(falls.ulcer_index, 0.012446278157702193, 1e-12);
    near(falls.mean, 0.008865556173534322, 1e-12);
    near(falls.max, 0.03325473891318931, 1e-12);
}

#[test]
fn falls_at_the_edges_are_seen() {
    let first = drawdowns(&[-0.5, 1.0]).unwrap();
    let fall = first.table[0];
    assert_eq!((fall.peak, fall.trough, fall.recovery, fall.length_periods), (0, 1, Some(2), 2));
    let ruin = drawdowns(&[0.1, -1.0, 3.0]).unwrap();
    near(ruin.max, 1.0, 1e-15);
    assert_eq!((ruin.table.len(), ruin.table[0].recovery), (1, None));
    let never = drawdowns(&[0.0, 0.1, 0.0]).unwrap();
    assert!(never.table.is_empty() && never.max <= 0.0 && never.ulcer_index <= 0.0, "{never:?}");
    let error = drawdowns(&[-1.5]).unwrap_err();
    assert_eq!(error.to_string(), "returns[0] is -1.5; a return below -1 cannot be compounded");
    assert!(drawdowns(&[]).is_err() && drawdowns(&[f64::NAN]).is_err());
}

#[test]
fn shape_ratios_agree_with_empyrical() {
    let ratios = shape_ratios(&sample(), 0.0).unwrap();
    near(ratios.omega.unwrap(), 1.3387269387846152, 1e-12);
    near(ratios.tail_ratio.unwrap(), 1.3405191799583185, 1e-12);
    near(ratios.profit_factor.unwrap(), 1.3387269387846146, 1e-12);
    near(ratios.payoff.unwrap(), 1.1713860714365378, 1e-12);
    near(ratios.gain_to_pain.unwrap(), 0.3387269387846147, 1e-11);
    near(ratios.win_share, 0.5333333333333333, 1e-12);
    near(shape_ratios(&sample(), 0.001).unwrap().omega.unwrap(), 0.9282648791547713, 1e-12);
    let wins = shape_ratios(&[0.1, 0.2], 0.0).unwrap();
    assert!(wins.omega.is_none() && wins.profit_factor.is_none() && wins.payoff.is_none());
    let losses = shape_ratios(&[-0.1, -0.2], 0.0).unwrap();
    near(losses.omega.unwrap(), 0.0, 1e-15);
    assert!(losses.payoff.is_none() && losses.win_share <= 0.0);
    assert!(shape_ratios(&[0.0; 3], 0.0).unwrap().tail_ratio.is_none());
    assert!(shape_ratios(&sample(), f64::INFINITY).is_err() && shape_ratios(&[], 0.0).is_err());
}

#[test]
fn benchmark_ratios_agree_with_empyrical() {
    let r = panel(5, 60, 7);
    let ratios = benchmark_ratios(&r[0], &r[1], &plain(252.0)).unwrap();
    near(ratios.up_capture.unwrap(), 0.1147957457258146, 1e-11);
    near(ratios.down_capture.unwrap(), 0.02762481088807391, 1e-11);
    let ratios = benchmark_ratios(&r[0], &r[1], &plain(365.0)).unwrap();
    near(
        ratios.information_ratio.unwrap(),
        1.8012770394835265_f64.copysign(ratios.active_return_annual),
        1e-11,
    );
    near(ratios.tracking_error_annual, 0.1826726178455584, 1e-12);
    near(ratios.win_share, 0.5166666666666667, 1e-12);
    let twin = benchmark_ratios(&r[0], &r[0], &plain(365.0)).unwrap();
    assert!(twin.information_ratio.is_none() && twin.tracking_error_annual <= 0.0);
    near(twin.up_capture.unwrap(), 1.0, 1e-12);
    let rising: Vec<f64> = r[1].iter().map(|x| x.abs() + 0.001).collect();
    assert!(benchmark_ratios(&r[0], &rising, &plain(365.0)).unwrap().down_capture.is_none());
    assert!(benchmark_ratios(&r[0], &r[1][1..], &plain(365.0)).is_err());
    assert!(benchmark_ratios(&r[0], &[0.01; 60], &plain(365.0)).is_err());
}

#[test]
fn windows_agree_with_pandas() {
    let r = panel(5, 60, 7);
    let volatility = rolling(&r[0], 20, RollingMetric::VolatilityAnnual, &crypto()).unwrap();
    assert_eq!(volatility.len(), 41);
    near(volatility[40].unwrap(), 0.12168388478127266, 1e-11);
    let sharpe = rolling(&r[0], 20, RollingMetric::Sharpe, &crypto()).unwrap();
    near(sharpe[40].unwrap(), -0.5774050220939766, 1e-11);
    let beta = rolling_pair((&r[0], &r[1]), 20, RollingPair::Beta, &crypto()).unwrap();
    near(beta[0].unwrap(), 0.18023281361572172, 1e-11);
    let rho = rolling_pair((&r[0], &r[1]), 20, RollingPair::Correlation, &crypto()).unwrap();
    near(rho[11].unwrap(), 0.01949922547168879, 1e-9);
    let falls = rolling(&r[0], 60, RollingMetric::MaxDrawdown, &crypto()).unwrap();
    near(falls[0].unwrap(), max_drawdown(&r[0]).unwrap(), 1e-14);
}

#[test]
fn windows_that_do_not_fit_are_refused_and_constant_ones_have_no_ratio() {
    for window in [0, 1, 61] {
        let error = rolling(&sample(), window, RollingMetric::Cagr, &crypto()).unwrap_err();
        assert!(matches!(error, TrackError::Count { field: "window", .. }), "{error}");
    }
    let mut still = sample();
    still[..30].fill(0.01);
    let sharpe = rolling(&still, 20, RollingMetric::Sharpe, &crypto()).unwrap();
    assert!(sharpe[..11].iter().all(Option::is_none) && sharpe[11].is_some());
    let beta = rolling_pair((&sample(), &still), 20, RollingPair::Beta, &crypto()).unwrap();
    assert!(beta[0].is_none() && beta[40].is_some());
}

proptest! {
    #[test]
    fn falls_agree_with_the_largest_one(values in prop::collection::vec(-0.99..2.0_f64, 1..60)) {
        let falls = drawdowns(&values).unwrap();
        prop_assert!((falls.max - max_drawdown(&values).unwrap()).abs() < 1e-12);
        prop_assert!(falls.mean <= falls.ulcer_index + 1e-12 && falls.ulcer_index <= falls.max + 1e-12);
        for fall in &falls.table {
            prop_assert!(fall.peak < fall.trough && fall.trough <= values.len());
            prop_assert!(fall.recovery.is_none_or(|r| r > fall.trough));
        }
    }
}
