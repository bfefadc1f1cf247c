//! What no quantity changes: breaker, losses, pace. Each stops new exposure and never a reduction.

use super::*;

/// The order is refused with this, and what only reduces still passes.
#[track_caller]
fn stops_new_exposure_only(mut world: World, code: &str, message: &str) {
    refused(&world, buy("1"), code, message, None);
    world.exposure.held = amount("5");
    assert_eq!(world.check(sell("5")).map(|_| ()), Ok(()), "{code}");
    refused(&world, sell("5.001"), code, message, Some("5"));
}

fn at(from_now_ms: i64) -> Timestamp {
    Timestamp::from_unix_millis(NOW_MS + from_now_ms)
}

#[test]
fn an_open_breaker_stops_new_exposure_and_never_a_reduction() {
    let known = |state| World { breaker: Breaker::Known { version: 2, state }, ..world() };
    let code = TripCode::OrderFailures;
    let open = known(BreakerState::Open { code, since: at(-5), until: at(1) });
    let message = "the trading breaker is open for ORDER_FAILURES since 1699999999995 ms; it is on \
                   probation from 1700000000001 ms on";
    stops_new_exposure_only(open, "BREAKER_OPEN", message);
    let half_open = known(BreakerState::Open { code, since: at(-5), until: at(0) });
    assert!(half_open.check(buy("1")).is_ok(), "on probation orders pass");
    let fallen = known(BreakerState::NeedsPerson { code: TripCode::Drawdown, since: at(-5) });
    let message = "the trading breaker is open for DRAWDOWN since 1699999999995 ms; only a person \
                   resets it";
    stops_new_exposure_only(fallen, "BREAKER_NEEDS_PERSON", message);
}

#[test]
fn a_breaker_that_is_lost_or_torn_counts_as_open() {
    let missing = World { breaker: Breaker::Missing, ..world() };
    let message = "there is no record of the trading breaker, which counts as open";
    stops_new_exposure_only(missing, "BREAKER_STATE_MISSING", message);
    let torn = World { breaker: Breaker::Unreadable { why: "disk".to_owned() }, ..world() };
    let message = "the trading breaker cannot be read, which counts as open: disk";
    stops_new_exposure_only(torn, "BREAKER_STATE_UNREADABLE", message);
}

#[test]
fn a_lost_week_stops_at_the_mark_itself() {
    let lost = |share| {
        let week_loss = Some(Decimal::new(share, 3));
        World { standing: Standing { week_loss, ..calm() }, ..world() }
    };
    assert!(lost(59).check(buy("1")).is_ok());
    let message = "the week has lost 0.060 of its first equity and may lose less than 0.06";
    stops_new_exposure_only(lost(60), "WEEKLY_LOSS", message);
    let unknown = World { standing: Standing { week_loss: None, ..calm() }, ..world() };
    let message = "the week's loss is not known, which allows no new exposure";
    stops_new_exposure_only(unknown, "WEEKLY_LOSS_UNKNOWN", message);
}

#[test]
fn a_drawdown_stops_at_the_mark_itself() {
    let lost = |share| {
        let drawdown = Some(Decimal::new(share, 3));
        World { standing: Standing { drawdown, ..calm() }, ..world() }
    };
    assert!(lost(149).check(buy("1")).is_ok());
    let message = "0.150 of the highest equity is lost and less than 0.15 may be";
    stops_new_exposure_only(lost(150), "DRAWDOWN", message);
    let unknown = World { standing: Standing { drawdown: None, ..calm() }, ..world() };
    let message = "the drawdown is not known, which allows no new exposure";
    stops_new_exposure_only(unknown, "DRAWDOWN_UNKNOWN", message);
}

#[test]
fn five_losses_in_a_row_cool_down_for_an_hour() {
    let lost = |losses, ended_ms| {
        let streak = LossStreak::of(losses, at(ended_ms));
        World { standing: Standing { streak, ..calm() }, ..world() }
    };
    assert!(lost(4, 0).check(buy("1")).is_ok());
    assert!(lost(5, -3_600_000).check(buy("1")).is_ok());
    let message = "5 round trips in a row have lost, 5 begin a cool-down, and it lasts until \
                   1700000000001 ms";
    stops_new_exposure_only(lost(5, -3_599_999), "LOSS_STREAK", message);
}

#[test]
fn one_order_more_than_the_rate_is_refused() {
    let sent = |orders_in_window| World {
        standing: Standing { orders_in_window, ..calm() },
        limits: Limits { order_rate_max: 3, ..Limits::default() },
        ..world()
    };
    assert!(sent(2).check(buy("1")).is_ok());
    let message = "with this one 4 orders would be sent within 10000 ms and 3 may be";
    stops_new_exposure_only(sent(3), "ORDER_RATE", message);
}

#[test]
fn a_list_counts_all_of_its_orders() {
    let mut world = world();
    let shape = || ListShape::Otoco {
        working: buy("1"),
        above: stop(Side::Sell, StopRole::TakeProfit, "110", None, "1"),
        below: stop(Side::Sell, StopRole::StopLoss, "90", None, "1"),
    };
    world.limits.order_rate_max = 3;
    assert!(world.check_list(shape()).is_ok());
    world.standing.orders_in_window = 1;
    assert_eq!(world.check_list(shape()).unwrap_err().code(), "ORDER_RATE");
}

#[test]
fn one_open_order_more_than_allowed_is_refused() {
    let mut world = world();
    world.exposure.open_orders = 199;
    assert!(world.check(buy("1")).is_ok());
    world.exposure.open_orders = 200;
    let message = "with this one 201 orders would be open and 200 may be";
    stops_new_exposure_only(world, "OPEN_ORDERS", message);
}
