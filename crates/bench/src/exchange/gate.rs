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
use crate::row::{Benchmark, Figures, Row};

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
    let (of_floor, of_exposure, of_check) = (House::new()?, House::new()?, House::new()?);
    let (of_portfolio, of_var) = (House::new()?, House::new()?);
    let rows = vec![
        Row {
            name: "floor",
            what: "price times quantity of fifty positions, summed in decimals",
            measure: Box::new(move || {
                let cost = least_ns(|| {
                    black_box(black_box(&of_floor).sum().is_ok());
                });
                Ok(Figures::from([("cpu_ns", cost)]))
            }),
        },
        Row {
            name: "exposure",
            what: "the exposure from the books: fifty positions, fifty open orders",
            measure: Box::new(move || {
                of_exposure.exposure()?;
                let cost = least_ns(|| drop(black_box(black_box(&of_exposure).exposure())));
                Ok(Figures::from([("cpu_ns", cost)]))
            }),
        },
        Row {
            name: "check",
            what: "risk::check of a limit order against that exposure, and the copy of the order",
            measure: Box::new(move || {
                let exposure = of_check.exposure()?;
                let limits = Limits::default();
                of_check.check(&exposure, &limits, None)?;
                let cost = least_ns(|| {
                    drop(black_box(black_box(&of_check).check(&exposure, &limits, None)));
                });
                Ok(Figures::from([("cpu_ns", cost)]))
            }),
        },
        Row {
            name: "portfolio",
            what: "the risk of the whole portfolio from a model of fifty symbols, from scratch",
            measure: Box::new(move || {
                of_portfolio.portfolio()?;
                let cost = least_ns(|| drop(black_box(black_box(&of_portfolio).portfolio())));
                Ok(Figures::from([("cpu_ns", cost)]))
            }),
        },
        Row {
            name: "check_var",
            what: "risk::check with value at risk, expected shortfall, one bet and concentration",
            measure: Box::new(move || {
                let exposure = of_var.exposure()?;
                let (limits, portfolio) = (House::limits_of_the_tail()?, of_var.portfolio()?);
                of_var.check(&exposure, &limits, Some(&portfolio))?;
                let cost = least_ns(|| {
                    drop(black_box(black_box(&of_var).check(&exposure, &limits, Some(&portfolio))));
                });
                Ok(Figures::from([("cpu_ns", cost)]))
            }),
        },
    ];
    Ok(Benchmark { name: "gate", rows, targets: Vec::new() })
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
