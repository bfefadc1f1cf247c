//! Jumps and moving volatility against the laws of their ends, by SciPy 1.17.1: the mixture of
//! Merton (1976) and the inverted characteristic function of Heston (1993).

use super::*;

fn merton() -> Merton {
    Merton {
        drift: 0.06,
        volatility: 0.15,
        jumps_per_year: 2.0,
        jump_mean: -0.08,
        jump_deviation: 0.1,
    }
}

fn heston() -> Heston {
    Heston {
        drift: 0.05,
        initial_variance: 0.04,
        long_run_variance: 0.04,
        reversion: 1.5,
        volatility_of_variance: 0.3,
        correlation: -0.7,
    }
}

fn go(process: Process, plan: &Plan) -> Outcome {
    simulate_process(100.0, &process, plan, &|| false).unwrap()
}

#[track_caller]
fn ends(outcome: &Outcome, golden: [f64; 3], slack: f64) {
    let estimates = [outcome.percentile_5, outcome.percentile_50, outcome.percentile_95];
    for (estimate, golden) in estimates.into_iter().zip(golden) {
        let distance = (estimate.value - 100.0 * golden).abs();
        assert!(distance <= 4.5 * estimate.standard_error + slack, "{estimate:?} {golden}");
    }
}

#[test]
fn jumps_end_where_their_mixture_says_and_keep_the_mean() {
    let golden = [0.6832349347161224, 1.0522845814726656, 1.4728510043576766];
    for sampling in [Sampling::Independent, Sampling::Antithetic] {
        for steps in [1, 5] {
            let outcome =
                go(Process::Merton(merton()), &Plan { sampling, ..plan(20_000, steps, 3) });
            ends(&outcome, golden, 0.0);
            within(outcome.mean, 100.0 * 0.06_f64.exp(), 4.5);
            near(outcome.expected_value, 100.0 * 0.06_f64.exp(), 1e-12);
        }
    }
}

#[test]
fn without_jumps_the_path_is_geometric() {
    let still = Merton { jumps_per_year: 0.0, ..merton() };
    let outcome = go(Process::Merton(still), &plan(20_000, 1, 9));
    let quantile = |z: f64| (0.06 - 0.15 * 0.15 / 2.0 + 0.15 * z).exp();
    ends(
        &outcome,
        [quantile(-1.6448536269514722), quantile(0.0), quantile(1.6448536269514722)],
        0.0,
    );
}

#[test]
fn moving_volatility_ends_where_its_characteristic_function_says() {
    let outcome = go(Process::Heston(heston()), &plan(20_000, 50, 4));
    ends(&outcome, [0.699634198932076, 1.0656131486085492, 1.3535729691255194], 0.05);
    within(outcome.mean, 100.0 * 0.05_f64.exp(), 4.5);
    // Volatility that often is next to zero: both laws of the variance are drawn.
    let wild = Heston {
        drift: 0.0,
        initial_variance: 0.09,
        reversion: 0.5,
        volatility_of_variance: 1.0,
        correlation: -0.9,
        ..heston()
    };
    let outcome = go(Process::Heston(wild), &plan(20_000, 100, 4));
    ends(&outcome, [0.5001977764000999, 1.0691649227179043, 1.1840339295944866], 0.3);
    within(outcome.mean, 100.0, 4.5);
}

#[test]
fn a_few_steps_keep_the_mean_of_moving_volatility() {
    for (steps, correlation) in [(1, -0.9), (2, 0.0), (4, 0.5)] {
        for sampling in [Sampling::Independent, Sampling::Antithetic] {
            let process = Process::Heston(Heston { correlation, ..heston() });
            let outcome = go(process, &Plan { sampling, ..plan(40_000, steps, 8) });
            within(outcome.mean, 100.0 * 0.05_f64.exp(), 4.5);
        }
    }
}

#[test]
fn threads_do_not_change_a_byte_of_a_process() {
    for process in [Process::Merton(merton()), Process::Heston(heston())] {
        let base = plan(2 * BLOCK_PATHS + 6, 3, 42);
        let one = go(process, &base);
        for threads in [2, 5] {
            let many = go(process, &Plan { threads, ..base });
            assert_eq!(format!("{one:?}"), format!("{many:?}"), "{threads} threads");
        }
        let stopped = simulate_process(100.0, &process, &base, &|| true).unwrap_err();
        assert_eq!(stopped, SimulateError::Stopped);
    }
}

#[test]
fn parameters_that_cannot_be_simulated_are_refused_by_name() {
    let refused = |process: Process| {
        simulate_process(100.0, &process, &plan(1_000, 1, 1), &|| panic!("no block")).unwrap_err()
    };
    let error = refused(Process::Merton(Merton { jumps_per_year: -1.0, ..merton() }));
    assert_eq!(
        error.to_string(),
        "assets[0].jumps_per_year -1 must be zero or positive and at most 1e6"
    );
    for bad in [
        Merton { drift: f64::NAN, ..merton() },
        Merton { volatility: -0.1, ..merton() },
        Merton { jump_mean: f64::INFINITY, ..merton() },
        Merton { jump_deviation: -0.1, ..merton() },
    ] {
        let error = refused(Process::Merton(bad));
        assert!(matches!(error, SimulateError::Asset { asset: 0, .. }), "{error}");
    }
    for bad in [
        Heston { initial_variance: -0.1, ..heston() },
        Heston { reversion: 0.0, ..heston() },
        Heston { volatility_of_variance: f64::NAN, ..heston() },
        Heston { correlation: -1.5, ..heston() },
    ] {
        let error = refused(Process::Heston(bad));
        assert!(matches!(error, SimulateError::Asset { asset: 0, .. }), "{error}");
    }
    let explosive = Merton { jump_mean: 50.0, ..merton() };
    let error = refused(Process::Merton(explosive));
    assert!(matches!(error, SimulateError::GrowthTooLarge { .. }), "{error}");
    for value in [0.0, -1.0, f64::NAN] {
        let plan = plan(1_000, 1, 1);
        let process = Process::Merton(merton());
        assert!(simulate_process(value, &process, &plan, &|| false).is_err(), "{value}");
    }
}
