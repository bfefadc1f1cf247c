//! The decision about an order, with an account that holds fifty positions.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use domain::{Amount, CommandId, Decimal, Instrument, NewOrder, Price, Side, Symbol, Timestamp};
use orders::Order;
use risk::{
    Breaker, BreakerState, Context, Exposure, Halt, Limits, LossStreak, Market, PortfolioRisk,
    RiskModel, Stakes, Standing,
};

use crate::Error;
use crate::cpu::least_ns;
use crate::row::{Benchmark, Bound, Figures, Row, Target};

/// Positions that are held, each with an open order.
const POSITIONS: usize = 50;

/// The owned parts of a decision.
struct House {
    instrument: Instrument,
    market: Market,
    held: BTreeMap<Symbol, Amount>,
    marks: BTreeMap<Symbol, Price>,
    open: Vec<Order>,
    order: NewOrder,
    /// How the fifty symbols vary together.
    model: Arc<RiskModel>,
}

/// The rows.
pub(crate) fn benchmark() -> Result<Benchmark, Error> {
    let what = "price times quantity of fifty positions, summed in decimals";
    let floor = row("floor", what, |house| {
        Ok(least_ns(|| {
            black_box(black_box(house).sum().is_ok());
        }))
    });
    let what = "risk::check of a limit order, everything else known, and the copy of the order";
    let check = row("check", what, |house| {
        let (exposure, limits) = (house.exposure()?, Limits::default());
        house.check(&exposure, &limits, None)?;
        Ok(least_ns(|| drop(black_box(black_box(house).check(&exposure, &limits, None)))))
    });
    let what = "risk::check with value at risk, expected shortfall, one bet and concentration";
    let check_var = row("check_var", what, |house| {
        let (exposure, limits) = (house.exposure()?, House::limits_of_the_tail()?);
        let portfolio = house.portfolio()?;
        house.check(&exposure, &limits, Some(&portfolio))?;
        Ok(least_ns(|| {
            drop(black_box(black_box(house).check(&exposure, &limits, Some(&portfolio))));
        }))
    });
    let what = "the same after an order and a price have changed: what is at stake, and its risk";
    let one_changed = row("one_changed", what, |house| house.changing(1));
    let what = "the same after an order and all fifty prices have changed";
    let all_changed = row("all_changed", what, |house| house.changing(POSITIONS));
    let rows = vec![floor?, check?, check_var?, one_changed?, all_changed?];
    let figure = "cpu_ns";
    let bound = Bound::AtMost(5_000.0);
    let targets = ["check_var", "one_changed"].map(|row| Target { row, figure, bound }).into();
    Ok(Benchmark { name: "gate", rows, targets })
}

/// A row with a house of its own.
fn row(
    name: &'static str,
    what: &'static str,
    measure: impl Fn(&House) -> Result<f64, Error> + 'static,
) -> Result<Row, Error> {
    let house = House::new()?;
    let measure = Box::new(move || Ok(Figures::from([("cpu_ns", measure(&house)?)])));
    Ok(Row { name, what, measure })
}

// === impl House ===

impl House {
    fn new() -> Result<Self, Error> {
        let now = Timestamp::from_unix_millis(0);
        let (mut held, mut marks, mut open) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for number in 0..POSITIONS {
            let symbol: Symbol = format!("A{number:02}USDT").parse()?;
            held.insert(symbol.clone(), "1.25".parse()?);
            marks.insert(symbol.clone(), "100.01".parse()?);
            let order = order(&symbol, format!("b4-{number}").as_str())?;
            let command: CommandId = format!("cmd-{number}").parse()?;
            open.push(Order::new(order, command, now));
        }
        let symbol: Symbol = "A07USDT".parse()?;
        let instrument = Instrument {
            symbol: symbol.clone(),
            base: "A07".parse()?,
            quote: "USDT".parse()?,
            tick_size: "0.01".parse()?,
            step_size: "0.001".parse()?,
            quantity_min: "0.001".parse()?,
            quantity_max: "9000".parse()?,
            notional_min: "5".parse()?,
            maker_fee: "0.001".parse()?,
            taker_fee: "0.001".parse()?,
            filters: domain::Filters::default(),
        };
        let market = Market::try_new("99.99".parse()?, "100.01".parse()?, now)?;
        let order = order(&symbol, "b4-new")?;
        let symbols: Vec<Symbol> = held.keys().cloned().collect();
        // Deviations of 4 % a day, correlated by a half.
        let row =
            |i: usize| (0..POSITIONS).map(move |j| Decimal::new(if i == j { 16 } else { 8 }, 4));
        let rows: Vec<Vec<Decimal>> = (0..POSITIONS).map(|i| row(i).collect()).collect();
        let model = Arc::new(RiskModel::try_new(1, now, &symbols, &rows)?);
        Ok(Self { instrument, market, held, marks, open, order, model })
    }

    /// Limits that need the model, none of which the order breaks.
    fn limits_of_the_tail() -> Result<Limits, Error> {
        let share = |text: &str| text.parse().map(Some);
        Ok(Limits {
            max_var: share("0.02")?,
            max_expected_shortfall: share("0.03")?,
            max_correlated_exposure: share("0.1")?,
            max_concentration: share("0.5")?,
            concentration_from: "0.001".parse()?,
            ..Limits::default()
        })
    }

    fn sum(&self) -> Result<Amount, domain::Overflow> {
        self.held
            .values()
            .zip(self.marks.values())
            .try_fold(Amount::ZERO, |sum, (held, mark)| sum.try_add(mark.value_of(*held)?))
    }

    fn stakes(&self) -> Stakes {
        let mut stakes = Stakes::default();
        self.held.iter().for_each(|(symbol, held)| stakes.hold(symbol, *held));
        self.open.iter().for_each(|order| stakes.put(order));
        stakes.mark(self.marks.iter().map(|(symbol, mark)| (symbol, *mark)));
        stakes
    }

    fn exposure(&self) -> Result<Exposure, Error> {
        Ok(self.stakes().exposure(&self.order.symbol, None)?)
    }

    fn portfolio(&self) -> Result<PortfolioRisk, Error> {
        let stakes = self.stakes();
        Ok(PortfolioRisk::try_new(Arc::clone(&self.model), stakes.at_stake(None)?)?)
    }

    /// What a decision costs when an order has come or gone and so many prices have moved since the
    /// last one.
    fn changing(&self, prices: usize) -> Result<f64, Error> {
        let limits = Self::limits_of_the_tail()?;
        let (mut stakes, mut kept) = (self.stakes(), Some(self.portfolio()?));
        let mut moved = self.marks.clone();
        for mark in moved.values_mut().take(prices) {
            *mark = "100.02".parse()?;
        }
        let another = order(&self.order.symbol, "b4-another")?;
        let another = Order::new(another, "cmd-another".parse()?, Timestamp::from_unix_millis(0));
        let mut odd = false;
        let mut decide = || -> Result<(), Error> {
            odd = !odd;
            let marks = if odd { &moved } else { &self.marks };
            if odd {
                stakes.put(&another);
            } else {
                stakes.drop_order(&another);
            }
            stakes.mark(marks.iter().map(|(symbol, mark)| (symbol, *mark)));
            let exposure = stakes.exposure(&self.order.symbol, None)?;
            let before = kept.take().ok_or("no portfolio was kept")?;
            let portfolio = kept.insert(before.at(stakes.at_stake(None)?)?);
            Ok(self.check(&exposure, &limits, Some(portfolio))?)
        };
        decide()?;
        Ok(least_ns(|| drop(black_box(decide()))))
    }

    fn check(
        &self,
        exposure: &Exposure,
        limits: &Limits,
        portfolio: Option<&PortfolioRisk>,
    ) -> Result<(), risk::Refusal> {
        let halt = Halt::Running { version: 1 };
        let breaker = Breaker::Known { version: 1, state: BreakerState::Closed };
        let standing = Standing {
            week_loss: Some(Decimal::ZERO),
            drawdown: Some(Decimal::ZERO),
            streak: LossStreak::default(),
            orders_in_window: 0,
        };
        let context = Context {
            limits,
            limits_age_ms: 0,
            halt: &halt,
            now: Timestamp::from_unix_millis(0),
            instrument: &self.instrument,
            quote: &self.instrument.quote,
            market: Some(&self.market),
            equity: Some(Amount::new(Decimal::from(1_000_000))),
            day_loss: Some(Decimal::ZERO),
            exposure,
            breaker: &breaker,
            standing: &standing,
            portfolio,
        };
        risk::check(self.order.clone(), &context).map(drop)
    }
}

fn order(symbol: &Symbol, name: &str) -> Result<NewOrder, Error> {
    Ok(NewOrder {
        client_order_id: name.parse()?,
        symbol: symbol.clone(),
        side: Side::Buy,
        quantity: "2".parse()?,
        kind: domain::OrderKind::Limit {
            price: "99.5".parse()?,
            time_in_force: domain::TimeInForce::GoodTilCanceled,
            post_only: false,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_passes_with_fifty_positions_counted() {
        let house = House::new().unwrap();
        let exposure = house.exposure().unwrap();
        assert_eq!(exposure.portfolio_value, house.sum().unwrap());
        assert_eq!(exposure.portfolio_value.to_string(), "6250.625");
        assert_eq!(exposure.portfolio_open_buys_value.to_string(), "9950");
        assert_eq!(house.check(&exposure, &Limits::default(), None), Ok(()));
        let (limits, portfolio) =
            (House::limits_of_the_tail().unwrap(), house.portfolio().unwrap());
        assert_eq!(house.check(&exposure, &limits, Some(&portfolio)), Ok(()));
        let tight = Limits { max_var: "0.0005".parse().ok(), ..limits };
        let refusal = house.check(&exposure, &tight, Some(&portfolio)).unwrap_err();
        assert_eq!(refusal.code(), "VALUE_AT_RISK");
    }
}
