//! The gate: every code with its numbers, and what a refusal promises is kept.

#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows should fail")]

use std::sync::Arc;

use super::*;
use crate::{
    Breaker, BreakerState, Confidence, Exposure, Limits, LossStreak, Passes, PortfolioRisk,
    RiskModel, Standing, TripCode,
};
use domain::{
    Asset, Instrument, Quantity, Rate, StopLimit, StopRole, TimeInForce, Timestamp, Trigger,
};
use proptest::prelude::*;

mod conduct;
mod sizes;

const NOW_MS: i64 = 1_700_000_000_000;

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn btcusdt() -> Instrument {
    Instrument {
        symbol: "BTCUSDT".parse().unwrap(),
        base: "BTC".parse().unwrap(),
        quote: "USDT".parse().unwrap(),
        tick_size: "0.01".parse().unwrap(),
        step_size: "0.001".parse().unwrap(),
        quantity_min: "0.001".parse().unwrap(),
        quantity_max: "9000".parse().unwrap(),
        notional_min: "5".parse().unwrap(),
        maker_fee: "0.001".parse().unwrap(),
        taker_fee: "0.001".parse().unwrap(),
        filters: domain::Filters::default(),
    }
}

type ByName = Vec<(domain::Symbol, Amount)>;

/// The owned parts of a context in which everything is as it should be.
#[derive(Debug, Clone)]
struct World {
    limits: Limits,
    limits_age_ms: u64,
    halt: Halt,
    instrument: Instrument,
    quote: Asset,
    market: Option<Market>,
    equity: Option<Amount>,
    day_loss: Option<Decimal>,
    exposure: Exposure,
    breaker: Breaker,
    standing: Standing,
    /// A model and what is at stake by its symbols.
    model: Option<(Arc<RiskModel>, ByName)>,
}

fn world() -> World {
    let now = Timestamp::from_unix_millis(NOW_MS);
    World {
        limits: Limits::default(),
        limits_age_ms: 0,
        halt: Halt::Running { version: 1 },
        instrument: btcusdt(),
        quote: "USDT".parse().unwrap(),
        market: Market::try_new("99.99".parse().unwrap(), "100.01".parse().unwrap(), now).ok(),
        equity: Some(amount("100000")),
        day_loss: Some(Decimal::ZERO),
        exposure: Exposure::default(),
        breaker: Breaker::Known { version: 1, state: BreakerState::Closed },
        standing: calm(),
        model: None,
    }
}

fn calm() -> Standing {
    Standing {
        week_loss: Some(Decimal::ZERO),
        drawdown: Some(Decimal::ZERO),
        streak: LossStreak::default(),
        orders_in_window: 0,
    }
}

impl World {
    fn check(&self, order: NewOrder) -> Result<Approved<NewOrder>, Refusal> {
        let portfolio = self.portfolio();
        check(order, &self.context(portfolio.as_ref()))
    }

    fn portfolio(&self) -> Option<PortfolioRisk> {
        let (model, at_stake) = self.model.as_ref()?;
        let at_stake = at_stake.iter().map(|(symbol, value)| (symbol, *value));
        Some(PortfolioRisk::try_new(Arc::clone(model), at_stake).unwrap())
    }

    fn context<'a>(&'a self, portfolio: Option<&'a PortfolioRisk>) -> Context<'a> {
        Context {
            limits: &self.limits,
            limits_age_ms: self.limits_age_ms,
            halt: &self.halt,
            now: Timestamp::from_unix_millis(NOW_MS),
            instrument: &self.instrument,
            quote: &self.quote,
            market: self.market.as_ref(),
            equity: self.equity,
            day_loss: self.day_loss,
            exposure: &self.exposure,
            breaker: &self.breaker,
            standing: &self.standing,
            portfolio,
        }
    }

    fn check_list(&self, shape: ListShape) -> Result<Approved<NewOrderList>, Refusal> {
        let client_list_id = "b4-list".parse().unwrap();
        let portfolio = self.portfolio();
        check_list(NewOrderList { client_list_id, shape }, &self.context(portfolio.as_ref()))
    }
}

fn stop(
    side: Side,
    role: StopRole,
    trigger: &str,
    price: Option<&str>,
    quantity: &str,
) -> NewOrder {
    let limit = price.map(|price| StopLimit {
        price: price.parse().unwrap(),
        time_in_force: TimeInForce::GoodTilCanceled,
    });
    let trigger = Trigger::Price(trigger.parse().unwrap());
    NewOrder { kind: OrderKind::Stop { role, trigger, limit }, ..limit_order(side, quantity) }
}

fn limit_order(side: Side, quantity: &str) -> NewOrder {
    limit(side, "100", quantity)
}

fn limit(side: Side, price: &str, quantity: &str) -> NewOrder {
    NewOrder {
        client_order_id: "b4-1".parse().unwrap(),
        symbol: "BTCUSDT".parse().unwrap(),
        side,
        quantity: quantity.parse().unwrap(),
        kind: OrderKind::Limit {
            price: price.parse().unwrap(),
            time_in_force: TimeInForce::GoodTilCanceled,
            post_only: false,
        },
    }
}

fn buy(quantity: &str) -> NewOrder {
    limit(Side::Buy, "100", quantity)
}

fn sell(quantity: &str) -> NewOrder {
    limit(Side::Sell, "100", quantity)
}

#[track_caller]
fn refused(world: &World, order: NewOrder, code: &str, message: &str, passes: Option<&str>) {
    let refusal = world.check(order).unwrap_err();
    assert_eq!((refusal.code(), refusal.to_string().as_str()), (code, message));
    let found = refusal.passes().map(|passes| match passes {
        Passes::QuantityMax(quantity) => quantity.to_string(),
        Passes::PriceRange { min, max } => format!("{min}..{max}"),
        Passes::TriggerMin(price) => format!("{price}.."),
        Passes::TriggerMax(price) => format!("..{price}"),
        Passes::PriceAgeMsMax(age) => age.to_string(),
    });
    assert_eq!(found.as_deref(), passes);
    assert!(Refusal::CODES.contains(&code), "{code}");
}

#[test]
fn an_order_within_every_limit_passes_unchanged() {
    let approved = world().check(buy("20")).unwrap();
    assert_eq!(*approved.get(), buy("20"));
    assert_eq!(approved.into_inner(), buy("20"));
}

#[test]
fn everything_but_running_stops_even_a_reduction() {
    let mut world = world();
    world.exposure.held = amount("5");
    assert!(world.check(sell("5")).is_ok());
    world.halt = Halt::Halted {
        version: 3,
        reason: "drill".to_owned(),
        since: Timestamp::from_unix_millis(7),
        by: "ann".to_owned(),
    };
    refused(&world, sell("5"), "HALTED", "trading is halted since 7 ms by ann: drill", None);
    world.halt = Halt::Missing;
    let message = "there is no halt state, which counts as halted";
    refused(&world, sell("5"), "HALT_STATE_MISSING", message, None);
    world.halt = Halt::Unreadable { why: "disk".to_owned() };
    let message = "the halt state cannot be read, which counts as halted: disk";
    refused(&world, sell("5"), "HALT_STATE_UNREADABLE", message, None);
}

#[test]
fn limits_that_were_read_too_long_ago_stop_even_a_reduction() {
    let mut world = world();
    world.exposure.held = amount("5");
    world.limits_age_ms = 2_000;
    assert!(world.check(sell("5")).is_ok());
    world.limits_age_ms = 2_001;
    let message = "the limits were read 2001 ms ago and may be 2000 ms old";
    refused(&world, sell("5"), "LIMITS_STALE", message, None);
}

#[test]
fn no_price_or_an_old_one_stops_even_a_reduction() {
    let mut world = world();
    world.exposure.held = amount("5");
    let market_at = |ms| {
        let as_of = Timestamp::from_unix_millis(ms);
        Market::try_new("99.99".parse().unwrap(), "100.01".parse().unwrap(), as_of).ok()
    };
    world.market = None;
    refused(&world, sell("5"), "NO_PRICE", "there is no price for BTCUSDT", None);
    for far in [NOW_MS - 5_001, NOW_MS + 5_001] {
        world.market = market_at(far);
        let message = "the price is 5001 ms from now and may be 5000 ms";
        refused(&world, sell("5"), "STALE_PRICE", message, Some("5000"));
    }
    world.market = market_at(NOW_MS - 5_000);
    assert!(world.check(sell("5")).is_ok());
}

#[test]
fn one_tick_outside_the_band_is_refused_on_both_sides() {
    let mut world = world();
    world.exposure.held = amount("5");
    let order = |price| limit(Side::Sell, price, "5");
    assert!(world.check(order("95")).is_ok());
    assert!(world.check(order("105")).is_ok());
    let range = Some("95..105");
    let message = "the price 94.99 is outside 95 to 105, the band around the mid 100";
    refused(&world, order("94.99"), "PRICE_BAND", message, range);
    let message = "the price 105.01 is outside 95 to 105, the band around the mid 100";
    refused(&world, order("105.01"), "PRICE_BAND", message, range);
    let now = Timestamp::from_unix_millis(NOW_MS);
    world.market = Market::try_new("90".parse().unwrap(), "110".parse().unwrap(), now).ok();
    let market_order = NewOrder { kind: OrderKind::Market, ..sell("5") };
    let message = "the price 90 is outside 95 to 105, the band around the mid 100";
    refused(&world, market_order, "PRICE_BAND", message, range);
}

#[test]
fn another_instrument_than_the_orders_is_refused() {
    let order = NewOrder { symbol: "ETHUSDT".parse().unwrap(), ..buy("1") };
    let message = "the order is in ETHUSDT and was checked against BTCUSDT";
    refused(&world(), order, "INSTRUMENT", message, None);
}

#[test]
fn one_step_over_each_limit_is_refused_with_both_numbers() {
    let mut world = world();
    let message = "the position with this order would be worth 2000.1 and may be worth 2000";
    refused(&world, buy("20.001"), "POSITION_SIZE", message, Some("20"));
    world.exposure.open_buys_value = amount("500");
    world.exposure.position_value = amount("1000");
    let message = "the position with this order would be worth 2000.1 and may be worth 2000";
    refused(&world, buy("5.001"), "POSITION_SIZE", message, Some("5"));
    world.exposure.portfolio_value = amount("12000");
    world.exposure.portfolio_open_buys_value = amount("2800");
    let message = "all positions with this order would be worth 15000.1 and may be worth 15000";
    refused(&world, buy("2.001"), "PORTFOLIO_EXPOSURE", message, Some("2"));
    world.limits.max_position_size = Rate::try_new(Decimal::ONE).unwrap();
    world.limits.max_portfolio_risk = world.limits.max_position_size;
    let message = "the order is worth 10000.1 and one order may be worth 10000";
    refused(&world, buy("100.001"), "ORDER_NOTIONAL", message, Some("100"));
    world.limits.max_leverage = Decimal::new(15, 2);
    let message = "all positions with this order would be worth 15000.1, over the leverage \
                   limit 15000";
    refused(&world, buy("2.001"), "LEVERAGE", message, Some("2"));
    world.exposure.portfolio_value = amount("16000");
    let message = "all positions with this order would be worth 18900, over the leverage \
                   limit 15000";
    refused(&world, buy("1"), "LEVERAGE", message, None);
}

#[test]
fn a_lost_day_allows_only_reductions() {
    let mut world = world();
    world.day_loss = Some(Decimal::new(3, 2));
    let message = "the day has lost 0.03 of its first equity and may lose less than 0.03";
    refused(&world, buy("1"), "DAILY_LOSS", message, None);
    world.exposure.held = amount("5");
    world.exposure.open_sells = amount("2.0005");
    assert!(world.check(sell("2.999")).is_ok());
    refused(&world, sell("3"), "DAILY_LOSS", message, Some("2.999"));
    world.day_loss = Some(Decimal::new(29, 3));
    assert!(world.check(buy("1")).is_ok());
}

#[test]
fn an_unknown_outcome_or_value_allows_only_reductions() {
    let mut world = world();
    world.exposure.held = amount("5");
    world.exposure.unknown_orders = 1;
    let message =
        "orders in BTCUSDT with an unknown outcome: 1; no new exposure until they are resolved";
    refused(&world, buy("1"), "OUTCOME_UNKNOWN", message, None);
    assert!(world.check(sell("5")).is_ok());
    world.exposure.unknown_orders = 0;
    world.day_loss = None;
    let message = "the day's loss is not known, which allows no new exposure";
    refused(&world, buy("1"), "DAILY_LOSS_UNKNOWN", message, None);
    assert!(world.check(sell("5")).is_ok());
    world.day_loss = Some(Decimal::ZERO);
    world.equity = None;
    let message = "the account's equity is not known, which allows no new exposure";
    refused(&world, buy("1"), "EQUITY_UNKNOWN", message, None);
    assert!(world.check(sell("5")).is_ok());
    world.equity = Some(amount("-10"));
    let message = "the position with this order would be worth 100 and may be worth -0.2";
    refused(&world, buy("1"), "POSITION_SIZE", message, None);
}

#[test]
fn a_reduction_larger_than_every_limit_passes() {
    let mut world = world();
    world.exposure.held = amount("5000");
    world.exposure.position_value = amount("500000");
    world.exposure.portfolio_value = amount("500000");
    assert!(world.check(sell("5000")).is_ok());
    let message = "the order is worth 500000.1 and one order may be worth 10000";
    refused(&world, sell("5000.001"), "ORDER_NOTIONAL", message, Some("5000"));
}

#[test]
fn what_is_too_small_for_the_venue_is_not_offered() {
    let mut world = world();
    world.exposure.position_value = amount("1995.5");
    world.exposure.portfolio_value = amount("1995.5");
    let message = "the position with this order would be worth 2095.5 and may be worth 2000";
    refused(&world, buy("1"), "POSITION_SIZE", message, None);
}

#[test]
fn a_value_that_cannot_be_held_is_refused() {
    let order = buy("79228162514264337593543950335");
    let message = "a value of the decision has more than 28 digits";
    refused(&world(), order, "UNREPRESENTABLE", message, None);
}

#[test]
fn a_sale_below_the_bid_is_valued_at_the_bid() {
    let order = limit(Side::Sell, "96", "20.5");
    let message = "the position with this order would be worth 2049.795 and may be worth 2000";
    refused(&world(), order, "POSITION_SIZE", message, Some("20.002"));
}

#[test]
fn a_division_that_rounds_up_to_a_whole_step_offers_one_step_less() {
    let mut world = world();
    let now = Timestamp::from_unix_millis(NOW_MS);
    let price: Price = "70000000000".parse().unwrap();
    world.market = Market::try_new(price, price, now).ok();
    world.instrument.step_size = "1".parse().unwrap();
    world.instrument.quantity_max = "5000000000".parse().unwrap();
    world.equity = Some(amount("1000000000000000000000000"));
    world.limits.max_order_notional = amount("69999999999999999999.999999999");
    let order = limit(Side::Buy, "70000000000", "5000000000");
    let message = "the order is worth 350000000000000000000 and one order may be worth \
                   69999999999999999999.999999999";
    refused(&world, order, "ORDER_NOTIONAL", message, Some("999999999"));
}

#[test]
fn no_code_is_listed_twice() {
    let mut codes = Refusal::CODES.to_vec();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Refusal::CODES.len());
    let legal = |code: &&str| code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    assert!(codes.iter().all(legal), "{codes:?}");
}

fn cents(range: std::ops::Range<i64>) -> impl Strategy<Value = Amount> {
    range.prop_map(|cents| Amount::new(Decimal::new(cents, 2)))
}

fn any_world() -> impl Strategy<Value = World> {
    let money = (
        cents(-100_000..50_000_000),
        cents(0..2_000_000),
        cents(0..500_000),
        cents(0..5_000_000),
        cents(0..1_000_000),
    );
    let rest = (cents(0..10_000), cents(0..12_000), 0u32..4, 0i64..40, 9_000i64..11_000, 0i64..300);
    (money, rest).prop_map(|(money, rest)| {
        let (equity, position, open_buys, others, others_open) = money;
        let (held, open_sells, unknown, loss, bid, spread) = rest;
        let mut world = world();
        world.equity = Some(equity);
        world.day_loss = Some(Decimal::new(loss, 3));
        world.exposure = Exposure {
            held,
            open_sells,
            position_value: position,
            open_buys_value: open_buys,
            portfolio_value: position.try_add(others).unwrap(),
            portfolio_open_buys_value: open_buys.try_add(others_open).unwrap(),
            unknown_orders: u32::from(unknown == 0),
            open_orders: 0,
        };
        let (bid, ask) = (world.instrument.price(bid), world.instrument.price(bid + spread));
        let now = Timestamp::from_unix_millis(NOW_MS);
        world.market = Market::try_new(bid.unwrap(), ask.unwrap(), now).ok();
        world
    })
}

fn any_order() -> impl Strategy<Value = NewOrder> {
    let price = prop_oneof![Just(None), (9_000i64..11_000).prop_map(Some)];
    (any::<bool>(), price, 1i64..200_000).prop_map(|(buys, ticks, lots)| {
        let side = if buys { Side::Buy } else { Side::Sell };
        let quantity = btcusdt().quantity(lots).unwrap();
        let mut order = NewOrder { quantity, ..limit(side, "100", "1") };
        match (ticks, &mut order.kind) {
            (Some(ticks), OrderKind::Limit { price, .. }) => {
                *price = btcusdt().price(ticks).unwrap();
            }
            (_, kind) => *kind = OrderKind::Market,
        }
        order
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_a_refusal_says_would_pass_does(world in any_world(), order in any_order()) {
        let Err(refusal) = world.check(order.clone()) else { return Ok(()) };
        match refusal.passes() {
            Some(Passes::QuantityMax(quantity)) => {
                prop_assert!(quantity < order.quantity);
                let smaller = NewOrder { quantity, ..order.clone() };
                prop_assert!(world.instrument.check(&smaller, world.market.unwrap().bid()).is_ok());
                prop_assert!(world.check(smaller).is_ok(), "{refusal}");
                let quantity = quantity.try_add(world.instrument.step_size).unwrap();
                let one_more = NewOrder { quantity, ..order };
                prop_assert!(world.check(one_more).is_err(), "{refusal}");
            }
            Some(Passes::PriceRange { min, max }) => {
                for bound in [min, max] {
                    let mut moved = order.clone();
                    moved.kind = OrderKind::Limit {
                        price: bound,
                        time_in_force: TimeInForce::GoodTilCanceled,
                        post_only: false,
                    };
                    let code = world.check(moved).map_or_else(|r| r.code(), |_| "ok");
                    prop_assert_ne!(code, "PRICE_BAND");
                }
            }
            other => prop_assert_eq!(other, None),
        }
    }

    #[test]
    fn a_smaller_order_passes_where_a_bigger_one_does(
        world in any_world(),
        order in any_order(),
        lots in 1i64..200_000,
    ) {
        let quantity = world.instrument.quantity(lots).unwrap().min(order.quantity);
        let smaller = NewOrder { quantity, ..order.clone() };
        if world.check(order).is_ok() {
            prop_assert!(world.check(smaller).is_ok());
        }
    }

    #[test]
    fn nothing_passes_unless_trading_runs(
        world in any_world(),
        order in any_order(),
        how in 0usize..3,
    ) {
        let halt = match how {
            0 => Halt::Missing,
            1 => Halt::Unreadable { why: "torn".to_owned() },
            _ => Halt::Halted {
                version: 1,
                reason: "drill".to_owned(),
                since: Timestamp::from_unix_millis(0),
                by: "ann".to_owned(),
            },
        };
        let world = World { halt, ..world };
        prop_assert!(world.check(order).is_err());
    }
}

#[test]
fn a_trigger_on_the_wrong_side_is_refused_with_the_nearest_that_passes() {
    let mut world = world();
    world.exposure.held = amount("5");
    let (loss, profit) = (StopRole::StopLoss, StopRole::TakeProfit);
    for (side, role, trigger, market, passes) in [
        (Side::Sell, loss, "100.01", "100.01", "..100"),
        (Side::Sell, loss, "130", "100.01", "..100"),
        (Side::Sell, profit, "99.99", "99.99", "100.."),
        (Side::Buy, loss, "70", "99.99", "100.."),
        (Side::Buy, profit, "100.01", "100.01", "..100"),
    ] {
        let order = stop(side, role, trigger, None, "1");
        let message = format!(
            "the trigger {trigger} is on the wrong side of the market {market}: it would fire at \
             once"
        );
        refused(&world, order, "TRIGGER_SIDE", &message, Some(passes));
    }
    // Far from the market is what a stop is for; its limit is judged around the trigger.
    assert!(world.check(stop(Side::Sell, loss, "50", Some("48"), "1")).is_ok());
    refused(
        &world,
        stop(Side::Sell, loss, "50", Some("40"), "1"),
        "PRICE_BAND",
        "the price 40 is outside 47.5 to 52.5, the band around the mid 50",
        Some("47.5..52.5"),
    );
}

#[test]
fn what_is_paid_with_another_asset_cannot_be_judged() {
    let mut world = world();
    world.instrument.quote = "BTC".parse().unwrap();
    let message = "BTCUSDT is paid with BTC, and the limits count in USDT";
    refused(&world, buy("1"), "QUOTE_ASSET", message, None);
}

#[test]
fn a_stop_that_buys_counts_at_its_trigger() {
    let world = world();
    let order = stop(Side::Buy, StopRole::StopLoss, "200", None, "11");
    assert_eq!(world.check(order).unwrap_err().code(), "POSITION_SIZE");
    let order = stop(Side::Buy, StopRole::StopLoss, "200", None, "10");
    assert!(world.check(order).is_ok());
}

#[test]
fn exits_of_a_bracket_give_away_what_its_entry_buys_and_count_once() {
    let world = world();
    let pair = |quantity: &str| {
        let above = stop(Side::Sell, StopRole::TakeProfit, "110", None, quantity);
        (above, stop(Side::Sell, StopRole::StopLoss, "90", None, quantity))
    };
    let bracket = |entry: &str, exits: &str| {
        let (above, below) = pair(exits);
        world.check_list(ListShape::Otoco { working: buy(entry), above, below })
    };
    assert!(bracket("20", "20").is_ok());
    // Exits beyond the entry are new exposure of their own.
    assert_eq!(bracket("20", "21").unwrap_err().code(), "POSITION_SIZE");
    assert_eq!(bracket("21", "21").unwrap_err().code(), "POSITION_SIZE");
    let (above, below) = pair("21");
    let refusal = world.check_list(ListShape::Oco { above, below }).unwrap_err();
    assert_eq!(refusal.code(), "POSITION_SIZE", "nothing is held that could be given away");
}

#[test]
fn orders_that_do_not_belong_together_are_no_list() {
    let world = world();
    let above = stop(Side::Sell, StopRole::TakeProfit, "110", None, "1");
    let below = stop(Side::Sell, StopRole::StopLoss, "90", None, "1");
    let oco = |above: &NewOrder, below: &NewOrder| {
        let (above, below) = (above.clone(), below.clone());
        world.check_list(ListShape::Oco { above, below })
    };
    assert!(oco(&above, &below).is_ok());
    let other_side = NewOrder { side: Side::Buy, ..below.clone() };
    let other_size = NewOrder { quantity: "2".parse().unwrap(), ..below.clone() };
    let market = NewOrder { kind: OrderKind::Market, ..below.clone() };
    for (above, below) in
        [(&below, &above), (&above, &other_side), (&above, &other_size), (&above, &market)]
    {
        assert_eq!(oco(above, below).unwrap_err().code(), "LIST_SHAPE", "{above:?} {below:?}");
    }
    let entry = NewOrder { kind: OrderKind::Market, ..buy("1") };
    let shape = ListShape::Oto { working: entry, pending: below };
    assert_eq!(world.check_list(shape).unwrap_err().code(), "LIST_SHAPE");
}
