//! The decision about an order, with an account that holds fifty positions.

use std::collections::BTreeMap;
use std::hint::black_box;

use domain::{Amount, CommandId, Decimal, Instrument, NewOrder, Price, Side, Symbol, Timestamp};
use orders::Order;
use risk::{
    Breaker, BreakerState, Context, Exposure, Halt, Limits, LossStreak, Market, PortfolioRisk,
    RiskModel, Standing,
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
    model: RiskModel,
}

/// The rows.
pub(crate) fn benchmark() -> Result<Benchmark, Error> {
    let what = "price times quantity of fifty positions, summed in decimals";
    let floor = row("floor", what, |house| {
        Ok(least_ns(|| {
            black_box(black_box(house).sum().is_ok());
        }))
    });
    let what = "the exposure from the books: fifty positions, fifty open orders";
    let exposure = row("exposure", what, |house| {
        house.exposure()?;
        Ok(least_ns(|| drop(black_box(black_box(house).exposure()))))
    });
    let what = "risk::check of a limit order against that exposure, and the copy of the order";
    let check = row("check", what, |house| {
        let (exposure, limits) = (house.exposure()?, Limits::default());
        house.check(&exposure, &limits, None)?;
        Ok(least_ns(|| drop(black_box(black_box(house).check(&exposure, &limits, None)))))
    });
    let rows = vec![floor?, exposure?, check?, portfolio()?, check_var()?, portfolio_and_check()?];
    let figure = "cpu_ns";
    let targets = vec![
        Target { row: "check_var", figure, bound: Bound::AtMost(5_000.0) },
        Target { row: "portfolio_and_check", figure, bound: Bound::AimAtMost(5_000.0) },
    ];
    Ok(Benchmark { name: "gate", rows, targets })
}

fn portfolio() -> Result<Row, Error> {
    let what = "the risk of the whole portfolio from a model of fifty symbols, from scratch";
    row("portfolio", what, |house| {
        house.portfolio()?;
        Ok(least_ns(|| drop(black_box(black_box(house).portfolio()))))
    })
}

fn check_var() -> Result<Row, Error> {
    let what = "risk::check with value at risk, expected shortfall, one bet and concentration";
    row("check_var", what, |house| {
        let (exposure, limits) = (house.exposure()?, House::limits_of_the_tail()?);
        let portfolio = house.portfolio()?;
        house.check(&exposure, &limits, Some(&portfolio))?;
        Ok(least_ns(|| {
            drop(black_box(black_box(house).check(&exposure, &limits, Some(&portfolio))));
        }))
    })
}

fn portfolio_and_check() -> Result<Row, Error> {
    let what = "the last two together: what an order costs whose portfolio is not known yet";
    row("portfolio_and_check", what, |house| {
        let (exposure, limits) = (house.exposure()?, House::limits_of_the_tail()?);
        let decide = |house: &House| -> Result<(), Error> {
            Ok(house.check(&exposure, &limits, Some(&house.portfolio()?))?)
        };
        decide(house)?;
        Ok(least_ns(|| drop(black_box(decide(black_box(house))))))
    })
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
        let model = RiskModel::try_new(1, now, &symbols, &rows)?;
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

    fn portfolio(&self) -> Result<PortfolioRisk<'_>, Error> {
        let at_stake = Exposure::by_symbol(&self.held, &self.marks, &self.open)?;
        Ok(PortfolioRisk::try_new(&self.model, at_stake)?)
    }

    fn sum(&self) -> Result<Amount, domain::Overflow> {
        self.held
            .values()
            .zip(self.marks.values())
            .try_fold(Amount::ZERO, |sum, (held, mark)| sum.try_add(mark.value_of(*held)?))
    }

    fn exposure(&self) -> Result<Exposure, risk::ExposureError> {
        Exposure::from_books(&self.order.symbol, &self.held, &self.marks, &self.open)
    }

    fn check(
        &self,
        exposure: &Exposure,
        limits: &Limits,
        portfolio: Option<&PortfolioRisk<'_>>,
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
