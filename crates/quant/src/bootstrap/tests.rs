//! Block lengths by arch 8.0.0; known standard errors; the same bytes on any number of threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::sample::{clustered, near, panel};

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn plan(blocks: Blocks, replicates: usize) -> BootstrapPlan {
    BootstrapPlan { blocks, replicates, seed: 7, threads: 1 }
}

/// A series in which each value keeps a share of the last.
fn persistent(count: usize, share: f64) -> Vec<f64> {
    let mut last = 0.0;
    panel(1, count, 5)[0]
        .iter()
        .map(|shock| {
            last = share * last + shock;
            last
        })
        .collect()
}

#[test]
fn block_lengths_agree_with_arch() {
    let squares: Vec<f64> = clustered(1000, 11, 1.0).iter().map(|r| r * r).collect();
    let golden = [
        (clustered(1000, 11, 1.0), (0.7647106767636129, 0.8753752031239049)),
        (squares, (27.983029366631627, 32.032572265771364)),
        (persistent(500, 0.8), (14.415337300382804, 16.501441918958495)),
        (panel(5, 60, 7).remove(0), (1.2229283418534707, 1.3999034905417977)),
    ];
    for (series, (stationary, circular)) in golden {
        let length = block_length(&series).unwrap();
        // arch gives less than one where no block is needed.
        near(length.stationary, f64::max(stationary, 1.0), 1e-9);
        near(length.circular, f64::max(circular, 1.0), 1e-9);
    }
}

#[test]
fn blocks_of_one_give_the_error_of_independent_returns() {
    let r = panel(1, 400, 9).remove(0);
    let exact = Series::try_new("r", &r, 2).unwrap().variance(0).unwrap().sqrt() / 20.0;
    for blocks in [Blocks::Circular { length: 1 }, Blocks::Stationary { mean_length: 1.0 }] {
        let result = bootstrap(&r, &mean, &plan(blocks, 4_000), &|| false).unwrap();
        near(result.standard_error, exact, 0.05);
        assert!(result.bias.abs() < 4.0 * exact / 4_000.0_f64.sqrt(), "{}", result.bias);
        near(result.value, mean(&r), 1e-15);
        let (low, high) = result.percentile_interval(0.95).unwrap();
        near(high - low, 2.0 * 1.96 * exact, 0.08);
    }
}

#[test]
fn dependence_is_seen_by_longer_blocks() {
    let r = persistent(2_000, 0.7);
    let error = |blocks| {
        bootstrap(&r, &mean, &plan(blocks, 2_000), &|| false).unwrap().estimate().standard_error
    };
    let alone = error(Blocks::Circular { length: 1 });
    let together = error(Blocks::Stationary { mean_length: 25.0 });
    // The mean of such a series has a deviation larger by the root of (1+rho)/(1-rho).
    let exact = (1.7_f64 / 0.3).sqrt();
    near(together / alone, exact, 0.2);
    near(error(Blocks::Circular { length: 25 }) / alone, exact, 0.2);
}

#[test]
fn a_block_of_the_whole_series_is_the_series_turned() {
    let r = panel(1, 50, 9).remove(0);
    let blocks = Blocks::Circular { length: 50 };
    let result = bootstrap(&r, &mean, &plan(blocks, 100), &|| false).unwrap();
    assert!(result.standard_error < 1e-15, "every sample has the same values");
}

#[test]
fn the_number_of_threads_does_not_change_a_byte() {
    let r = clustered(300, 3, 1.0);
    for blocks in [Blocks::Circular { length: 7 }, Blocks::Stationary { mean_length: 7.5 }] {
        let base = plan(blocks, 1_000);
        let one = bootstrap(&r, &mean, &base, &|| false).unwrap();
        for threads in [2, 5] {
            let many = bootstrap(&r, &mean, &BootstrapPlan { threads, ..base }, &|| false).unwrap();
            assert_eq!(format!("{one:?}"), format!("{many:?}"), "{threads} threads");
        }
        let other = bootstrap(&r, &mean, &BootstrapPlan { seed: 8, ..base }, &|| false).unwrap();
        assert_ne!(one.replicates, other.replicates);
    }
}

#[test]
fn what_cannot_be_resampled_is_refused() {
    let r = panel(1, 30, 9).remove(0);
    let run = |plan: BootstrapPlan| bootstrap(&r, &mean, &plan, &|| false).unwrap_err();
    for length in [0, 31] {
        let error = run(plan(Blocks::Circular { length }, 100));
        assert!(matches!(error, BootstrapError::Count { field: "length", .. }), "{error}");
    }
    for mean_length in [0.5, 31.0, f64::NAN] {
        let error = run(plan(Blocks::Stationary { mean_length }, 100));
        assert!(matches!(error, BootstrapError::Parameter { .. }), "{error}");
    }
    let one = Blocks::Circular { length: 3 };
    assert_eq!(run(plan(one, 99)).to_string(), "replicates 99 must be between 100 and 1000000");
    let error = run(BootstrapPlan { threads: 0, ..plan(one, 100) });
    assert!(matches!(error, BootstrapError::Count { field: "threads", .. }), "{error}");
    let odd = |sample: &[f64]| if sample[0] > r[0] { f64::NAN } else { 1.0 };
    let error = bootstrap(&r, &odd, &plan(one, 100), &|| false).unwrap_err();
    assert!(matches!(error, BootstrapError::Statistic { .. }), "{error}");
    assert!(bootstrap(&r[..1], &mean, &plan(one, 100), &|| false).is_err());
    let asked = AtomicUsize::new(0);
    let stop = || asked.fetch_add(1, Ordering::Relaxed) > 0;
    let error = bootstrap(&r, &mean, &plan(one, 1_000), &stop).unwrap_err();
    assert_eq!(error, BootstrapError::Stopped);
    assert!(block_length(&r[..19]).is_err());
    let constant = StatsError::Constant { series: "returns" };
    assert_eq!(block_length(&[0.01; 40]).unwrap_err(), BootstrapError::Series(constant));
}
