//! An instrument for the unit tests of this crate.

use domain::{Filters, Instrument};

/// Bitcoin in dollars, with the grid that the large venues have.
pub(crate) fn btcusdt() -> Instrument {
    Instrument {
        symbol: "BTCUSDT".parse().unwrap(),
        base: "BTC".parse().unwrap(),
        quote: "USDT".parse().unwrap(),
        tick_size: "0.01".parse().unwrap(),
        step_size: "0.00001".parse().unwrap(),
        quantity_min: "0.00001".parse().unwrap(),
        quantity_max: "9000".parse().unwrap(),
        notional_min: "5".parse().unwrap(),
        maker_fee: "0.001".parse().unwrap(),
        taker_fee: "0.001".parse().unwrap(),
        filters: Filters::default(),
    }
}
