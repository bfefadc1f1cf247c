//! The decision about an order, with an account that holds fifty positions.

use std::collections::BTreeMap;
use std::hint::black_box;

use domain::{Amount, CommandId, Instrument, NewOrder, Price, Side, Symbol, Timestamp};
use orders::Order;
use risk::{Context, Exposure, Halt, Limits, Market};

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
}

/// The rows.
pub(crate) fn benchmark() -> Result<Benchmark, Error> {
    let (of_floor, of_exposure, of_check) = (House::new()?, House::new()?, House::new()?);
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
                of_check.check(&exposure)?;
                let cost = least_ns(|| drop(black_box(black_box(&of_check).check(&exposure))));
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
        Ok(Self { instrument, market, held, marks, open, order: order(&symbol, "b4-new")? })
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

    fn check(&self, exposure: &Exposure) -> Result<(), risk::Refusal> {
        let (limits, halt) = (Limits::default(), Halt::Running { version: 1 });
        let context = Context {
            limits: &limits,
            halt: &halt,
            now: Timestamp::from_unix_millis(0),
            instrument: &self.instrument,
            quote: &self.instrument.quote,
            market: Some(&self.market),
            equity: Some(Amount::new(domain::Decimal::from(1_000_000))),
            day_loss: Some(domain::Decimal::ZERO),
            exposure,
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
        assert_eq!(house.check(&exposure), Ok(()));
    }
}
