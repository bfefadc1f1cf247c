//! Goldens by SciPy 1.17.1 and the Basel table; edges of the likelihood; refusals.

use proptest::prelude::*;

use super::*;
use crate::sample::near;

fn at(level: f64) -> Confidence {
    Confidence::try_new(level).unwrap()
}

/// Hits at the given periods of many.
fn hits(periods: usize, breached: &[usize], level: f64) -> Breaches {
    Breaches::of_hits((0..periods).map(|t| breached.contains(&t)).collect(), at(level)).unwrap()
}

#[test]
fn kupiec_agrees_with_scipy() {
    for (x, t, level, statistic, p_value) in [
        (5, 250, 0.99, 1.956809788230622, 0.1618549171960387),
        (0, 250, 0.99, 5.025167926750726, 0.02498150305344973),
        (13, 250, 0.95, 0.02079191303160144, 0.8853472694426516),
        (250, 250, 0.99, 2302.5850929940457, 0.0),
        (1, 1, 0.95, 5.99146454710798, 0.01437526242464372),
    ] {
        let test = kupiec(x, t, at(level)).unwrap();
        near(test.statistic, statistic, 1e-9);
        near(test.p_value + 1.0, p_value + 1.0, 1e-10);
    }
    let exact = kupiec(5, 100, at(0.95)).unwrap();
    assert!(exact.statistic < 1e-13 && exact.p_value > 0.999_999, "{exact:?}");
}

#[test]
fn independence_agrees_with_numpy() {
    // Two of the six breaches follow one.
    let test = coverage(&hits(250, &[10, 11, 12, 100, 150, 249], 0.99)).unwrap();
    let independence = test.independence.unwrap();
    assert_eq!(independence.transitions, Transitions { n00: 240, n01: 4, n10: 3, n11: 2 });
    near(independence.ratio.statistic, 9.011394825121029, 1e-9);
    near(test.conditional.unwrap().statistic, 12.566749596182772, 1e-9);
    near(test.conditional.unwrap().p_value, 0.0018670889018068573, 1e-9);
    assert!(independence.ratio.rejects(0.01), "clusters are seen");
}

#[test]
fn no_breach_and_nothing_but_breaches_have_statistics() {
    for breaches in [hits(50, &[], 0.95), Breaches::of_hits(vec![true; 50], at(0.95)).unwrap()] {
        let test = coverage(&breaches).unwrap();
        let independence = test.independence.unwrap().ratio;
        assert!(independence.statistic < 1e-15 && independence.p_value > 0.999_999, "{test:?}");
        assert!(test.unconditional.statistic.is_finite());
    }
    let single = coverage(&hits(1, &[], 0.95)).unwrap();
    assert!(single.independence.is_none() && single.conditional.is_none());
}

#[test]
fn the_zones_are_those_of_the_basel_table() {
    for (breaches, zone, addition) in [
        (0, Zone::Green, 0.0),
        (4, Zone::Green, 0.0),
        (5, Zone::Yellow, 0.4),
        (9, Zone::Yellow, 0.85),
        (10, Zone::Red, 1.0),
        (250, Zone::Red, 1.0),
    ] {
        let light = traffic_light(breaches, 250, at(0.99)).unwrap();
        assert_eq!((light.zone, light.yellow_from, light.red_from), (zone, 5, 10));
        near(light.multiplier_addition.unwrap(), addition, 1e-15);
    }
    let light = traffic_light(4, 250, at(0.99)).unwrap();
    near(light.cumulative_probability, 0.8921876269036251, 1e-11);
    near(light.exceedance_probability, 0.24188330223511675, 1e-10);
    let other = traffic_light(20, 500, at(0.975)).unwrap();
    assert_eq!((other.yellow_from, other.red_from, other.multiplier_addition), (18, 27, None));
    assert_eq!(other.zone, Zone::Yellow);
}

#[test]
fn a_loss_that_equals_its_forecast_is_no_breach() {
    let breaches = Breaches::of(&[0.02, 0.03, 0.01], &[0.02, 0.02, 0.02], at(0.95)).unwrap();
    assert_eq!(breaches.hits(), [false, true, false]);
    assert_eq!(breaches.count(), 1);
}

#[test]
fn misaligned_and_unusable_series_are_refused() {
    let error = Breaches::of(&[0.1, 0.2], &[0.1], at(0.95)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "value_at_risk has 1 values but 2 are needed to align with losses"
    );
    assert!(Breaches::of(&[], &[], at(0.95)).is_err());
    assert!(Breaches::of(&[f64::NAN], &[0.1], at(0.95)).is_err());
    assert!(Breaches::of_hits(Vec::new(), at(0.95)).is_err());
    let error = kupiec(3, 2, at(0.95)).unwrap_err();
    assert_eq!(error, BacktestError::Counts { breaches: 3, periods: 2 });
    assert!(traffic_light(0, 0, at(0.95)).is_err());
}

fn losses(count: usize, scale: f64) -> Vec<f64> {
    crate::sample::uniform(12 * count, 4)
        .chunks_exact(12)
        .map(|twelve| scale * (twelve.iter().sum::<f64>() - 6.0))
        .collect()
}

#[test]
fn shortfall_statistics_agree_with_their_formulas() {
    let (loss, var, es) = ([3.0, -1.0, 2.5, 0.0], [2.0; 4], [2.5; 4]);
    let forecast =
        ShortfallForecast { value_at_risk: &var, expected_shortfall: &es, confidence: at(0.75) };
    let simulation = Simulation { law: LossLaw::Normal, histories: 1000, seed: 1 };
    let tests = acerbi_szekely(&loss, forecast, simulation).unwrap();
    assert_eq!(tests.breaches, 2);
    near(tests.z1.unwrap().statistic, 1.0 - (3.0 / 2.5 + 1.0) / 2.0, 1e-14);
    near(tests.z2.statistic, 1.0 - (3.0 / 2.5 + 1.0), 1e-14);
}

#[test]
fn an_honest_forecast_passes_and_an_understated_one_does_not() {
    // 97.5 % of a standard normal.
    let (var, es) = (vec![1.959963984540054; 500], vec![2.337802792201415; 500]);
    let forecast =
        ShortfallForecast { value_at_risk: &var, expected_shortfall: &es, confidence: at(0.975) };
    for law in [LossLaw::Normal, LossLaw::StudentT(8.0)] {
        let simulation = Simulation { law, histories: 2000, seed: 5 };
        let honest = acerbi_szekely(&losses(500, 1.0), forecast, simulation).unwrap();
        assert!(honest.z2.p_value.value > 0.05, "{honest:?}");
        let understated = acerbi_szekely(&losses(500, 1.6), forecast, simulation).unwrap();
        assert!(understated.z2.p_value.value < 0.01, "{understated:?}");
        assert!(understated.z1.unwrap().p_value.value < 0.2, "{understated:?}");
        assert_eq!(honest, acerbi_szekely(&losses(500, 1.0), forecast, simulation).unwrap());
    }
    let quiet = acerbi_szekely(
        &[0.0; 500],
        forecast,
        Simulation { law: LossLaw::Normal, histories: 200, seed: 1 },
    );
    let quiet = quiet.unwrap();
    assert!(quiet.z1.is_none(), "no breach has no size");
    near(quiet.z2.statistic, 1.0, 1e-15);
    near(quiet.z2.p_value.value, 1.0, 1e-15);
    assert!(quiet.z2.p_value.standard_error > 0.0, "a share by simulation is never certain");
}

#[test]
fn forecasts_that_contradict_themselves_are_refused() {
    let forecast = |es| ShortfallForecast {
        value_at_risk: &[0.02, 0.02],
        expected_shortfall: es,
        confidence: at(0.95),
    };
    let run = |es, law, histories| {
        acerbi_szekely(&[0.1, 0.0], forecast(es), Simulation { law, histories, seed: 1 })
    };
    let error = run(&[0.03, 0.01], LossLaw::Normal, 500).unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected_shortfall[1] is 0.01; it must be positive and at least 0.02"
    );
    let fine = &[0.03, 0.03];
    assert_eq!(run(fine, LossLaw::Normal, 99).unwrap_err(), BacktestError::Histories(99));
    for nu in [1.0, -3.0, f64::NAN, f64::INFINITY] {
        let error = run(fine, LossLaw::StudentT(nu), 500).unwrap_err();
        assert!(matches!(error, BacktestError::Law { .. }), "{error}");
    }
}

proptest! {
    #[test]
    fn statistics_are_never_negative(pattern in prop::collection::vec(any::<bool>(), 1..200)) {
        let test = coverage(&Breaches::of_hits(pattern, at(0.95)).unwrap()).unwrap();
        prop_assert!(test.unconditional.statistic >= 0.0);
        prop_assert!((0.0..=1.0).contains(&test.unconditional.p_value));
        if let Some(joint) = test.conditional {
            prop_assert!(joint.statistic >= test.unconditional.statistic);
            prop_assert!((0.0..=1.0).contains(&joint.p_value));
        }
    }
}
