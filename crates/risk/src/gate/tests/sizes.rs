//! Limits on size beyond those of one position: absolute ones, concentration, and what needs a
//! model.

use super::*;
use domain::Symbol;

fn symbol(text: &str) -> Symbol {
    text.parse().unwrap()
}

fn share(thousandths: i64) -> Option<Rate> {
    Rate::try_new(Decimal::new(thousandths, 3)).ok()
}

/// Two symbols with daily deviations of 2 % and 4 %, correlated by 0.5.
fn model() -> Arc<RiskModel> {
    model_with("0.0004")
}

fn model_with(covariance: &str) -> Arc<RiskModel> {
    let d = |text: &str| text.parse::<Decimal>().unwrap();
    let rows = [vec![d("0.0004"), d(covariance)], vec![d(covariance), d("0.0016")]];
    let symbols = [symbol("BTCUSDT"), symbol("ETHUSDT")];
    let as_of = Timestamp::from_unix_millis(NOW_MS);
    Arc::new(RiskModel::try_new(7, as_of, &symbols, &rows).unwrap())
}

/// A world in which only what is set here can refuse a small order.
fn wide(limits: Limits) -> World {
    let one = Rate::try_new(Decimal::ONE).unwrap();
    let limits = Limits {
        max_position_size: one,
        max_portfolio_risk: one,
        max_order_notional: amount("1000000000"),
        ..limits
    };
    World { limits, ..world() }
}

#[test]
fn absolute_limits_hold_whatever_the_equity_is() {
    let mut world = wide(Limits {
        max_symbol_notional: Some(amount("3000")),
        max_total_notional: Some(amount("5000")),
        ..Limits::default()
    });
    world.equity = Some(amount("100000000"));
    world.exposure.position_value = amount("1000");
    world.exposure.portfolio_value = amount("2500");
    let message = "the symbol's position with this order would be worth 3000.1 and any one may be \
                   worth 3000";
    refused(&world, buy("20.001"), "SYMBOL_NOTIONAL", message, Some("20"));
    world.exposure.portfolio_open_buys_value = amount("1000");
    let message =
        "all positions with this order would be worth 5000.1 and may at most be worth 5000";
    refused(&world, buy("15.001"), "TOTAL_NOTIONAL", message, Some("15"));
}

#[test]
fn concentration_is_judged_once_enough_is_at_stake() {
    let limits = Limits { max_concentration: share(400), ..Limits::default() };
    let mut world = wide(limits);
    assert!(world.check(buy("50")).is_ok(), "5 % of the equity in one symbol is where it begins");
    world.exposure.position_value = amount("2000");
    world.exposure.portfolio_value = amount("5000");
    // (2000 + x) / (5000 + x) = 0.4 at x = 0.
    assert_eq!(world.check(buy("0.001")).unwrap_err().code(), "CONCENTRATION");
    world.exposure.portfolio_value = amount("8000");
    // (2000 + x) / (8000 + x) = 0.4 at x = 2000.
    assert!(world.check(buy("20")).is_ok());
    let message = "0.400006 of all that is at stake would be in BTCUSDT and 0.4 may be, of the \
                   10000.1 that would be at stake";
    refused(&world, buy("20.001"), "CONCENTRATION", message, Some("20"));
}

#[test]
fn without_a_model_new_exposure_is_refused_only_where_a_limit_needs_one() {
    let mut world = wide(Limits { max_var: share(20), ..Limits::default() });
    let message = "there is no risk model, and a limit is set that needs one";
    refused(&world, buy("1"), "RISK_MODEL_MISSING", message, None);
    world.exposure.held = amount("5");
    assert!(world.check(sell("5")).is_ok());
    refused(&world, sell("5.001"), "RISK_MODEL_MISSING", message, Some("5"));
    world.limits.max_var = None;
    assert!(world.check(buy("1")).is_ok());
}

#[test]
fn an_old_model_and_one_of_the_future_refuse() {
    for far in [NOW_MS - 3_600_001, NOW_MS + 3_600_001] {
        let mut world = wide(Limits { max_expected_shortfall: share(20), ..Limits::default() });
        let rows = [vec![Decimal::new(4, 4)]];
        let as_of = Timestamp::from_unix_millis(far);
        let model = RiskModel::try_new(9, as_of, &[symbol("BTCUSDT")], &rows).unwrap();
        world.model = Some((Arc::new(model), Vec::new()));
        let message = "risk model 9 is 3600001 ms from now and may be 3600000 ms";
        refused(&world, buy("1"), "RISK_MODEL_STALE", message, None);
    }
}

#[test]
fn a_symbol_that_the_model_has_not_cannot_be_judged() {
    let mut world = wide(Limits { max_var: share(20), ..Limits::default() });
    let rows = [vec![Decimal::new(4, 4)]];
    let as_of = Timestamp::from_unix_millis(NOW_MS);
    let model = RiskModel::try_new(9, as_of, &[symbol("ETHUSDT")], &rows).unwrap();
    world.model = Some((Arc::new(model), Vec::new()));
    let message = "risk model 9 cannot judge the order: the model has no BTCUSDT";
    refused(&world, buy("1"), "RISK_MODEL_UNFIT", message, None);
}

#[test]
fn one_step_over_the_value_at_risk_is_refused_with_both_numbers() {
    let mut world = wide(Limits { max_var: share(1), ..Limits::default() });
    world.model = Some((model(), vec![(symbol("ETHUSDT"), amount("1000"))]));
    // sigma^2 = 0.0004 x^2 + 2 * 0.0004 * 1000 x + 0.0016 * 1000^2, VaR = 2.3263478741 sigma.
    // It is 100 at x = 272.578 (by mpmath).
    assert!(world.check(buy("2.725")).is_ok());
    let refusal = world.check(buy("10")).unwrap_err();
    let Refusal::ValueAtRisk { value, before, max, confidence, model_version, passes } = refusal
    else {
        panic!("{refusal}")
    };
    // sqrt(400 + 800 + 1600) = 52.915026221291811, sqrt(1600) = 40
    assert_eq!((value.to_string(), max.to_string()), ("123.09875878".to_owned(), "100".to_owned()));
    assert_eq!(
        (before.to_string(), confidence, model_version),
        ("93.05391497".to_owned(), "0.99", 7)
    );
    assert_eq!(passes, Some("2.725".parse().unwrap()));
}

#[test]
fn one_step_over_the_expected_shortfall_is_refused() {
    let limits = Limits {
        max_expected_shortfall: share(1),
        var_confidence: Confidence::P975,
        ..Limits::default()
    };
    let mut world = wide(limits);
    world.model = Some((model(), Vec::new()));
    // 2.3378027923 * 0.02 * 100 q = 100 at q = 21.3876.
    assert!(world.check(buy("21.387")).is_ok());
    let message = "the portfolio's one-day expected shortfall at 0.975 would rise from 0 to \
                   100.00185225 and may be 100";
    refused(&world, buy("21.388"), "EXPECTED_SHORTFALL", message, Some("21.387"));
}

#[test]
fn a_hedge_passes_although_the_value_at_risk_is_over_its_limit() {
    let mut world = wide(Limits { max_var: share(1), ..Limits::default() });
    // Correlated by -1 / 2: a little of it takes risk away, too much adds again.
    world.model = Some((model_with("-0.0004"), vec![(symbol("ETHUSDT"), amount("10000"))]));
    assert!(world.check(buy("100")).is_ok());
    let refusal = world.check(buy("250")).unwrap_err();
    assert_eq!(refusal.code(), "VALUE_AT_RISK");
    assert_eq!(refusal.passes(), Some(Passes::QuantityMax("200".parse().unwrap())));
}

#[test]
fn symbols_that_move_together_are_one_bet() {
    let mut world = wide(Limits { max_correlated_exposure: share(50), ..Limits::default() });
    world.limits.max_correlation = Rate::try_new(Decimal::new(4, 1)).unwrap();
    world.model = Some((model(), vec![(symbol("ETHUSDT"), amount("3000"))]));
    assert!(world.check(buy("20")).is_ok());
    let message = "what is correlated with BTCUSDT over 0.4 would with this order be worth 5000.1 \
                   and may be worth 5000";
    refused(&world, buy("20.001"), "CORRELATED_EXPOSURE", message, Some("20"));
    let refusal = world.check(buy("21")).unwrap_err();
    let Refusal::CorrelatedExposure { bet, .. } = refusal else { panic!() };
    assert_eq!(bet.closest, Some((symbol("ETHUSDT"), Decimal::new(5, 1))));
    world.limits.max_correlation = Rate::try_new(Decimal::new(5, 1)).unwrap();
    assert!(world.check(buy("50")).is_ok(), "the mark itself is not over it");
}

#[test]
fn exits_beyond_their_entry_are_judged_after_it() {
    let mut world = wide(Limits { max_var: share(1), ..Limits::default() });
    world.model = Some((model(), Vec::new()));
    // 2.3263478741 * 0.02 * 100 q = 100 at q = 21.49.
    let list = |entry: &str, exits: &str| {
        let above = stop(Side::Sell, StopRole::TakeProfit, "110", None, exits);
        let below = stop(Side::Sell, StopRole::StopLoss, "90", None, exits);
        world.check_list(ListShape::Otoco { working: buy(entry), above, below })
    };
    assert!(list("20", "20").is_ok());
    assert_eq!(list("20", "20.1").unwrap_err().code(), "VALUE_AT_RISK");
}

#[test]
fn every_rule_of_the_table_is_a_code_in_the_order_of_asking() {
    let codes: Vec<&str> = crate::RULES.iter().map(|rule| rule.code).collect();
    assert_eq!(codes, Refusal::CODES);
}

fn any_limits() -> impl Strategy<Value = Limits> {
    let shares = || prop::option::of(5i64..200);
    (shares(), shares(), shares(), shares(), 300i64..700).prop_map(
        |(var, shortfall, bet, total, concentration)| Limits {
            max_var: var.and_then(share),
            max_expected_shortfall: shortfall.and_then(share),
            max_correlated_exposure: bet.and_then(share),
            max_total_notional: total
                .map(|thousands| Amount::new(Decimal::from(thousands * 1_000))),
            max_concentration: share(concentration),
            max_correlation: share(400).unwrap(),
            ..Limits::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_would_pass_does_and_one_step_more_does_not(
        limits in any_limits(),
        (own, other, covariance) in (0i64..40_000, 0i64..40_000, -7i64..8),
        lots in 1i64..800_000,
    ) {
        let mut world = wide(limits);
        let cents = |units: i64| Amount::new(Decimal::from(units));
        world.exposure.position_value = cents(own);
        world.exposure.portfolio_value = cents(own + other);
        let at_stake = vec![(symbol("BTCUSDT"), cents(own)), (symbol("ETHUSDT"), cents(other))];
        world.model = Some((model_with(&format!("{}", Decimal::new(covariance, 4))), at_stake));
        let quantity = world.instrument.quantity(lots).unwrap();
        let order = NewOrder { quantity, ..buy("1") };
        match world.check(order.clone()) {
            Ok(_) => {
                let half = world.instrument.quantity(lots / 2 + 1).unwrap().min(quantity);
                let smaller = NewOrder { quantity: half, ..order };
                prop_assert!(world.check(smaller).is_ok(), "less of it is refused");
            }
            Err(refusal) => match refusal.passes() {
                Some(Passes::QuantityMax(passes)) => {
                    prop_assert!(passes < quantity, "{refusal}");
                    let smaller = NewOrder { quantity: passes, ..order.clone() };
                    prop_assert!(world.check(smaller).is_ok(), "{refusal}");
                    let more: Quantity = passes.try_add(world.instrument.step_size).unwrap();
                    let one_more = NewOrder { quantity: more, ..order };
                    prop_assert!(world.check(one_more).is_err(), "{refusal}");
                }
                Some(other) => prop_assert!(false, "{other:?}"),
                // Nothing that the venue takes passes: at least not 5 of the quote asset and more.
                None => {
                    let least = NewOrder { quantity: "0.051".parse().unwrap(), ..order };
                    prop_assert!(world.check(least).is_err(), "{refusal}");
                }
            },
        }
    }
}
