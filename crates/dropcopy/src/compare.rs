//! What differs between a venue and the record, as a pure function of both.

use std::collections::BTreeMap;
use std::fmt;

use domain::{Amount, Asset, Fill, OrderId, Symbol};
use orders::Order;
use venue::{AccountTrade, AssetBalance, VenueOrder};

/// What the venue says.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// The account's trades of the span that is compared.
    pub trades: Vec<AccountTrade>,
    /// Its open orders.
    pub open: Vec<VenueOrder>,
    /// Its money.
    pub balances: Vec<AssetBalance>,
}

/// What the record says.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// The fills of the span that is compared.
    pub fills: Vec<Fill>,
    /// Orders that have not ended, and ended ones whose fills are missing.
    pub open: Vec<Order>,
    /// What deposits and all fills leave.
    pub totals: BTreeMap<Asset, Amount>,
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// The venue has a trade that is not on record.
    TradeMissing {
        /// In which symbol.
        symbol: Symbol,
        /// The venue's number of it.
        trade_id: u64,
    },
    /// A trade is on record that the venue does not have.
    TradeInvented {
        /// In which symbol.
        symbol: Symbol,
        /// Its number on record.
        trade_id: u64,
    },
    /// A trade has other numbers at the venue.
    TradeDiffers {
        /// In which symbol.
        symbol: Symbol,
        /// The venue's number of it.
        trade_id: u64,
        /// What differs.
        what: &'static str,
    },
    /// An order is open at the venue that is not open on record.
    OrderMissing {
        /// In which symbol.
        symbol: Symbol,
        /// The venue's number of it.
        order_id: OrderId,
    },
    /// An order is open on record that the venue does not have open.
    OrderInvented {
        /// In which symbol.
        symbol: Symbol,
        /// The venue's number of it.
        order_id: OrderId,
    },
    /// There is another sum of an asset.
    Balance {
        /// Which asset.
        asset: Asset,
        /// What the venue says.
        venue: Amount,
        /// What the record says.
        record: Amount,
    },
}

/// Everything that differs, in a fixed order.
///
/// Orders on record without a number of the venue are left out: they may be on their way.
#[must_use]
pub fn compare(truth: &Truth, record: &Record) -> Vec<Difference> {
    let mut found = trades(truth, record);
    found.extend(open_orders(truth, record));
    found.extend(balances(truth, record));
    found.sort();
    found
}

fn trades(truth: &Truth, record: &Record) -> Vec<Difference> {
    let mut found = Vec::new();
    let key = |symbol: &Symbol, trade_id: u64| (symbol.clone(), trade_id);
    let mut known: BTreeMap<(Symbol, u64), &Fill> =
        record.fills.iter().map(|fill| (key(&fill.symbol, fill.trade_id), fill)).collect();
    for trade in &truth.trades {
        let (symbol, trade_id) = (trade.symbol.clone(), trade.trade_id);
        match known.remove(&(symbol.clone(), trade_id)) {
            None => found.push(Difference::TradeMissing { symbol, trade_id }),
            Some(fill) => {
                if let Some(what) = differs(trade, fill) {
                    found.push(Difference::TradeDiffers { symbol, trade_id, what });
                }
            }
        }
    }
    let invented = known.into_keys();
    found.extend(invented.map(|(symbol, trade_id)| Difference::TradeInvented { symbol, trade_id }));
    found
}

fn differs(trade: &AccountTrade, fill: &Fill) -> Option<&'static str> {
    let compared = [
        (trade.side == fill.side, "side"),
        (trade.price == fill.price, "price"),
        (trade.quantity == fill.quantity, "quantity"),
        (trade.fee == fill.fee && trade.fee_asset == fill.fee_asset, "fee"),
    ];
    compared.into_iter().find(|(equal, _)| !equal).map(|(_, what)| what)
}

fn open_orders(truth: &Truth, record: &Record) -> Vec<Difference> {
    let mut found = Vec::new();
    let open = record.open.iter().filter(|order| !order.state().is_final());
    let mut known: BTreeMap<(Symbol, OrderId), ()> = open
        .filter_map(|order| Some(((order.request().symbol.clone(), order.order_id()?), ())))
        .collect();
    for order in &truth.open {
        let (symbol, order_id) = (order.symbol.clone(), order.order_id);
        if known.remove(&(symbol.clone(), order_id)).is_none() {
            found.push(Difference::OrderMissing { symbol, order_id });
        }
    }
    let invented = known.into_keys();
    found.extend(invented.map(|(symbol, order_id)| Difference::OrderInvented { symbol, order_id }));
    found
}

fn balances(truth: &Truth, record: &Record) -> Vec<Difference> {
    let total = |balance: &AssetBalance| balance.free.try_add(balance.locked).ok();
    let mut sums: BTreeMap<&Asset, (Amount, Amount)> = BTreeMap::new();
    for balance in &truth.balances {
        if let Some(total) = total(balance) {
            sums.entry(&balance.asset).or_default().0 = total;
        }
    }
    for (asset, amount) in &record.totals {
        sums.entry(asset).or_default().1 = *amount;
    }
    let differing = sums.into_iter().filter(|(_, (venue, record))| venue != record);
    let difference = |(asset, (venue, record)): (&Asset, (Amount, Amount))| Difference::Balance {
        asset: asset.clone(),
        venue,
        record,
    };
    differing.map(difference).collect()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TradeMissing { symbol, trade_id } => {
                write!(f, "trade {trade_id} of {symbol} is not on record")
            }
            Self::TradeInvented { symbol, trade_id } => {
                write!(f, "trade {trade_id} of {symbol} is on record and not at the venue")
            }
            Self::TradeDiffers { symbol, trade_id, what } => {
                write!(f, "trade {trade_id} of {symbol} has another {what} at the venue")
            }
            Self::OrderMissing { symbol, order_id } => {
                write!(f, "order {} of {symbol} is open at the venue only", order_id.0)
            }
            Self::OrderInvented { symbol, order_id } => {
                write!(f, "order {} of {symbol} is open on record only", order_id.0)
            }
            Self::Balance { asset, venue, record } => {
                write!(f, "there are {venue} {asset} at the venue and {record} on record")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Liquidity, Side, Timestamp};

    fn trade(trade_id: u64) -> AccountTrade {
        AccountTrade {
            trade_id,
            order_id: OrderId(7),
            symbol: "BTCUSDT".parse().unwrap(),
            side: Side::Buy,
            price: "60000".parse().unwrap(),
            quantity: "0.01".parse().unwrap(),
            fee: "0.00001".parse().unwrap(),
            fee_asset: "BTC".parse().unwrap(),
            liquidity: Liquidity::Taker,
            at: Timestamp::from_unix_millis(0),
        }
    }

    fn fill(trade_id: u64) -> Fill {
        trade(trade_id).fill_of("b4-1".parse().unwrap())
    }

    fn told(truth: &Truth, record: &Record) -> Vec<String> {
        compare(truth, record).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_equal_is_silent() {
        let truth = Truth { trades: vec![trade(1)], ..Truth::default() };
        let record = Record { fills: vec![fill(1)], ..Record::default() };
        assert!(told(&truth, &record).is_empty());
    }

    #[test]
    fn a_missed_an_invented_and_an_altered_trade_are_told_by_number() {
        let truth = Truth { trades: vec![trade(1), trade(2)], ..Truth::default() };
        let altered = Fill { price: "60001".parse().unwrap(), ..fill(2) };
        let record = Record { fills: vec![altered, fill(3)], ..Record::default() };
        let expected = [
            "trade 1 of BTCUSDT is not on record",
            "trade 3 of BTCUSDT is on record and not at the venue",
            "trade 2 of BTCUSDT has another price at the venue",
        ];
        assert_eq!(told(&truth, &record), expected);
    }

    #[test]
    fn a_sum_that_differs_in_the_last_unit_is_told() {
        let balance = AssetBalance {
            asset: "USDT".parse().unwrap(),
            free: "90".parse().unwrap(),
            locked: "10.00000001".parse().unwrap(),
        };
        let truth = Truth { balances: vec![balance], ..Truth::default() };
        let totals = BTreeMap::from([("USDT".parse().unwrap(), "100".parse().unwrap())]);
        let record = Record { totals, ..Record::default() };
        let expected = ["there are 100.00000001 USDT at the venue and 100 on record"];
        assert_eq!(told(&truth, &record), expected);
    }
}
