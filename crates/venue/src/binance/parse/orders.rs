//! Orders and trades of the account, from answers and from the account's own stream.
//!
//! An order's name is `c` or `clientOrderId`, except where the report is about a cancel: then that
//! is the name of the cancel, and the order's is `C` or `origClientOrderId`.
//!
//! Others may trade in the account with orders that are not ours to place, and theirs must not keep
//! us from reading ours. A pegged order is told at the price that it has taken from the book; while
//! it has taken none it has no limit, and is told as the kind without one. An order that waits for
//! the working order of its list to give it a quantity is not told at all: it holds nothing and
//! cannot trade.

use std::borrow::Cow;

use domain::{
    Amount, Asset, ClientOrderId, Fill, Instrument, Liquidity, NewOrder, OrderId, OrderKind, Price,
    Quantity, Side, StopLimit, StopRole, Symbol, TimeInForce, Timestamp, Trigger,
};
use serde::Deserialize;

use super::{ParseError, field, json, moment, positive, side};
use crate::{AccountTrade, Ack, VenueOrder, VenueOrderStatus};

/// The code that the venue gives with a refusal by its engine.
const NEW_ORDER_REJECTED: i32 = -2010;

/// An order as any answer tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    pub(crate) order_id: u64,
    #[serde(default)]
    order_list_id: Option<i64>,
    #[serde(borrow)]
    client_order_id: Cow<'a, str>,
    #[serde(borrow, default)]
    orig_client_order_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    price: Cow<'a, str>,
    #[serde(borrow, default)]
    peg_price_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pegged_price: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    orig_qty: Option<Cow<'a, str>>,
    #[serde(borrow)]
    executed_qty: Cow<'a, str>,
    #[serde(borrow)]
    cummulative_quote_qty: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    time_in_force: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow, default)]
    stop_price: Option<Cow<'a, str>>,
    #[serde(default)]
    trailing_delta: Option<i64>,
    #[serde(default)]
    transact_time: Option<i64>,
    #[serde(default)]
    time: Option<i64>,
    #[serde(default)]
    update_time: Option<i64>,
    #[serde(borrow, default)]
    expiry_reason: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    reject_reason: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    fills: Vec<ReportFill<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReportFill<'a> {
    #[serde(borrow)]
    price: Cow<'a, str>,
    #[serde(borrow)]
    qty: Cow<'a, str>,
    #[serde(borrow)]
    commission: Cow<'a, str>,
    #[serde(borrow, default)]
    commission_asset: Option<Cow<'a, str>>,
    trade_id: u64,
}

/// Reports of a list of orders.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListReport<'a> {
    pub(crate) order_list_id: u64,
    #[serde(borrow)]
    pub(crate) order_reports: Vec<Report<'a>>,
}

/// Either of the two, as cancelling gives them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Canceled<'a> {
    /// An order of a list takes the list with it.
    List(#[serde(borrow)] ListReport<'a>),
    /// An order of its own.
    One(#[serde(borrow)] Box<Report<'a>>),
}

/// The answer to a wish to make an order smaller.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Amended<'a> {
    transact_time: i64,
    #[serde(borrow)]
    amended_order: AmendedOrder<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AmendedOrder<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    order_id: u64,
    #[serde(default)]
    order_list_id: Option<i64>,
    #[serde(borrow)]
    client_order_id: Cow<'a, str>,
    #[serde(borrow)]
    price: Cow<'a, str>,
    #[serde(borrow, default)]
    peg_price_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pegged_price: Option<Cow<'a, str>>,
    #[serde(borrow)]
    qty: Cow<'a, str>,
    #[serde(borrow)]
    executed_qty: Cow<'a, str>,
    #[serde(borrow)]
    cumulative_quote_qty: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    time_in_force: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    side: Cow<'a, str>,
}

/// What is told of a cancel-and-replace, whether it succeeded or not.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplaceReport<'a> {
    #[serde(borrow)]
    pub(crate) cancel_response: &'a serde_json::value::RawValue,
    #[serde(borrow)]
    pub(crate) new_order_response: Option<&'a serde_json::value::RawValue>,
}

/// A trade of the account, as the venue lists it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TradeReport<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    id: u64,
    order_id: u64,
    #[serde(borrow)]
    price: Cow<'a, str>,
    #[serde(borrow)]
    qty: Cow<'a, str>,
    #[serde(borrow)]
    commission: Cow<'a, str>,
    #[serde(borrow)]
    commission_asset: Cow<'a, str>,
    time: i64,
    is_buyer: bool,
    is_maker: bool,
}

/// `executionReport` of the account's stream.
#[derive(Debug, Deserialize)]
pub(crate) struct Execution<'a> {
    #[serde(rename = "s", borrow)]
    symbol: Cow<'a, str>,
    #[serde(rename = "c", borrow)]
    client_order_id: Cow<'a, str>,
    #[serde(rename = "C", borrow, default)]
    orig_client_order_id: Option<Cow<'a, str>>,
    #[serde(rename = "S", borrow)]
    side: Cow<'a, str>,
    #[serde(rename = "o", borrow)]
    kind: Cow<'a, str>,
    #[serde(rename = "f", borrow)]
    time_in_force: Cow<'a, str>,
    #[serde(rename = "q", borrow)]
    quantity: Cow<'a, str>,
    #[serde(rename = "p", borrow)]
    price: Cow<'a, str>,
    #[serde(rename = "gP", borrow, default)]
    peg_price_type: Option<Cow<'a, str>>,
    #[serde(rename = "gp", borrow, default)]
    pegged_price: Option<Cow<'a, str>>,
    #[serde(rename = "P", borrow, default)]
    stop_price: Option<Cow<'a, str>>,
    #[serde(rename = "d", default)]
    trailing_delta: Option<i64>,
    #[serde(rename = "g", default)]
    order_list_id: Option<i64>,
    #[serde(rename = "x", borrow)]
    execution: Cow<'a, str>,
    #[serde(rename = "X", borrow)]
    status: Cow<'a, str>,
    #[serde(rename = "r", borrow, default)]
    reject_reason: Option<Cow<'a, str>>,
    #[serde(rename = "eR", borrow, default)]
    expiry_reason: Option<Cow<'a, str>>,
    #[serde(rename = "i")]
    order_id: u64,
    #[serde(rename = "l", borrow)]
    last_quantity: Cow<'a, str>,
    #[serde(rename = "z", borrow)]
    executed: Cow<'a, str>,
    #[serde(rename = "L", borrow)]
    last_price: Cow<'a, str>,
    #[serde(rename = "n", borrow, default)]
    commission: Option<Cow<'a, str>>,
    #[serde(rename = "N", borrow, default)]
    commission_asset: Option<Cow<'a, str>>,
    #[serde(rename = "T")]
    transact_time: i64,
    #[serde(rename = "t", default)]
    trade_id: i64,
    #[serde(rename = "m", default)]
    is_maker: bool,
    #[serde(rename = "O")]
    created: i64,
    #[serde(rename = "Z", borrow)]
    cost: Cow<'a, str>,
}

// === impl Report ===

impl<'a> Report<'a> {
    pub(crate) fn read(text: &'a [u8]) -> Result<Self, ParseError> {
        json("an order", text)
    }

    /// Our name for the order that the report is about.
    pub(crate) fn name(&self) -> &str {
        name(self.orig_client_order_id.as_deref(), &self.client_order_id)
    }

    /// The order as it stands. Where the venue does not tell when it took the order, it is the
    /// moment of the report.
    pub(crate) fn order(&self) -> Result<VenueOrder, ParseError> {
        self.order_of(self.kind()?)
    }

    fn kind(&self) -> Result<OrderKind, ParseError> {
        KindText {
            kind: &self.kind,
            price: self.limit(),
            stop_price: self.stop_price.as_deref(),
            trailing_delta: self.trailing_delta,
            time_in_force: &self.time_in_force,
            order: self.order_id,
        }
        .read()
    }

    fn limit(&self) -> Option<&str> {
        let peg = self.peg_price_type.as_deref();
        limit(&self.price, peg, self.pegged_price.as_deref())
    }

    /// Whether it waits for a quantity from the working order of its list.
    fn is_unpaid(&self) -> bool {
        is_unpaid(self.order_list_id, self.orig_qty.as_deref())
    }

    fn order_of(&self, kind: OrderKind) -> Result<VenueOrder, ParseError> {
        let executed: Amount = field("executedQty", "decimal", &self.executed_qty)?;
        let updated = self.update_time.or(self.transact_time).or(self.time).unwrap_or(0);
        Ok(VenueOrder {
            order_id: OrderId(self.order_id),
            client_order_id: field("clientOrderId", "client order id", self.name())?,
            symbol: field("symbol", "symbol", &self.symbol)?,
            side: side(&self.side)?,
            quantity: quantity(self.orig_qty.as_deref().unwrap_or(""), executed)?,
            kind,
            list_id: self.order_list_id.and_then(|id| u64::try_from(id).ok()),
            executed,
            cost: field("cummulativeQuoteQty", "decimal", &self.cummulative_quote_qty)?,
            status: status(
                &self.status,
                self.order_id,
                self.expiry_reason.as_deref(),
                self.reject_reason.as_deref(),
            )?,
            created_at: moment(self.time.or(self.transact_time).unwrap_or(updated)),
            updated_at: moment(updated),
        })
    }

    /// The answer to an order that we have sent.
    pub(crate) fn ack(&self, sent: &NewOrder) -> Result<Ack, ParseError> {
        let order = self.order_of(sent.kind)?;
        let mut fills = Vec::with_capacity(self.fills.len());
        for fill in &self.fills {
            let commission_asset = fill.commission_asset.as_deref();
            fills.push(Fill {
                trade_id: fill.trade_id,
                client_order_id: sent.client_order_id.clone(),
                symbol: sent.symbol.clone(),
                side: sent.side,
                price: field("price", "price", &fill.price)?,
                quantity: field("qty", "quantity", &fill.qty)?,
                fee: field("commission", "decimal", &fill.commission)?,
                fee_asset: field("commissionAsset", "asset", commission_asset.unwrap_or(""))?,
                // What an answer lists has traded at once, so the order was the one that came.
                liquidity: Liquidity::Taker,
                at: order.updated_at,
            });
        }
        Ok(Ack { order, fills })
    }
}

fn name<'a>(original: Option<&'a str>, name: &'a str) -> &'a str {
    original.filter(|original| !original.is_empty()).unwrap_or(name)
}

/// The quantity of an order; of one that named a sum of money instead, what has traded.
fn quantity(text: &str, executed: Amount) -> Result<Quantity, ParseError> {
    let ordered: Amount = field("origQty", "decimal", text)?;
    let value = if ordered == Amount::ZERO { executed } else { ordered };
    Quantity::try_new(value.decimal()).or_else(|_| field("origQty", "quantity", text))
}

/// The limit price of an order; of a pegged one the price that it took, `None` while it has none.
fn limit<'a>(price: &'a str, peg: Option<&str>, pegged: Option<&'a str>) -> Option<&'a str> {
    if peg.is_some() { pegged } else { Some(price) }
}

/// Whether an order waits for a quantity. Only orders of lists do; elsewhere an order without a
/// quantity named a sum of money.
fn is_unpaid(list: Option<i64>, quantity: Option<&str>) -> bool {
    let is_nothing = |text: &str| text.parse().is_ok_and(|amount: Amount| amount == Amount::ZERO);
    list.is_some_and(|id| id >= 0) && quantity.is_none_or(is_nothing)
}

/// The words that make an order's kind.
struct KindText<'a> {
    kind: &'a str,
    /// The limit price; `None` while a pegged order has not taken it.
    price: Option<&'a str>,
    stop_price: Option<&'a str>,
    trailing_delta: Option<i64>,
    time_in_force: &'a str,
    order: u64,
}

impl KindText<'_> {
    fn read(&self) -> Result<OrderKind, ParseError> {
        let stop = |role, limited: bool| {
            let limit = match self.price.filter(|_| limited) {
                Some(price) => Some(StopLimit {
                    price: field("price", "price", price)?,
                    time_in_force: self.lasting()?,
                }),
                None => None,
            };
            Ok(OrderKind::Stop { role, trigger: self.trigger()?, limit })
        };
        match self.kind {
            "MARKET" => Ok(OrderKind::Market),
            "LIMIT" | "LIMIT_MAKER" => match self.price {
                Some(price) => Ok(OrderKind::Limit {
                    price: field("price", "price", price)?,
                    time_in_force: self.lasting()?,
                    post_only: self.kind == "LIMIT_MAKER",
                }),
                None => Ok(OrderKind::Market),
            },
            "STOP_LOSS" => stop(StopRole::StopLoss, false),
            "STOP_LOSS_LIMIT" => stop(StopRole::StopLoss, true),
            "TAKE_PROFIT" => stop(StopRole::TakeProfit, false),
            "TAKE_PROFIT_LIMIT" => stop(StopRole::TakeProfit, true),
            word => Err(self.unknown("type", word)),
        }
    }

    fn lasting(&self) -> Result<TimeInForce, ParseError> {
        match self.time_in_force {
            "GTC" => Ok(TimeInForce::GoodTilCanceled),
            "IOC" => Ok(TimeInForce::ImmediateOrCancel),
            "FOK" => Ok(TimeInForce::FillOrKill),
            word => Err(self.unknown("timeInForce", word)),
        }
    }

    fn trigger(&self) -> Result<Trigger, ParseError> {
        let at = |text| positive("stopPrice", text, |value| Price::try_new(value).ok());
        let price = self.stop_price.map(at).transpose()?.flatten();
        match (self.trailing_delta.filter(|delta| *delta > 0), price) {
            (Some(delta), activation) => {
                let delta_bips = u32::try_from(delta)
                    .or_else(|_| field("trailingDelta", "distance", &delta.to_string()))?;
                Ok(Trigger::Trailing { delta_bips, activation })
            }
            (None, Some(price)) => Ok(Trigger::Price(price)),
            (None, None) => field::<Price>("stopPrice", "price", self.stop_price.unwrap_or(""))
                .map(Trigger::Price),
        }
    }

    fn unknown(&self, field: &'static str, word: &str) -> ParseError {
        let word = word.chars().take(64).collect();
        ParseError::UnknownWord { field, word, order: self.order }
    }
}

fn status(
    word: &str,
    order: u64,
    expiry_reason: Option<&str>,
    reject_reason: Option<&str>,
) -> Result<VenueOrderStatus, ParseError> {
    Ok(match word {
        "PENDING_NEW" => VenueOrderStatus::Pending,
        "NEW" => VenueOrderStatus::New,
        "PARTIALLY_FILLED" => VenueOrderStatus::PartiallyFilled,
        "FILLED" => VenueOrderStatus::Filled,
        "CANCELED" => VenueOrderStatus::Canceled,
        "EXPIRED" | "EXPIRED_IN_MATCH" => {
            let reason = expiry_reason.filter(|reason| !matches!(*reason, "" | "NONE"));
            VenueOrderStatus::Expired { reason: reason.unwrap_or(word).to_owned() }
        }
        "REJECTED" => VenueOrderStatus::Rejected {
            code: NEW_ORDER_REJECTED,
            message: reject_reason.unwrap_or(word).to_owned(),
        },
        _ => {
            let word = word.chars().take(64).collect();
            return Err(ParseError::UnknownWord { field: "status", word, order });
        }
    })
}

// === impl Canceled ===

impl Canceled<'_> {
    /// Every order in it.
    pub(crate) fn orders(&self) -> Result<Vec<VenueOrder>, ParseError> {
        match self {
            Self::One(report) => Ok(vec![report.order()?]),
            Self::List(list) => told(&list.order_reports),
        }
    }
}

/// The order of this name among what a cancel tells.
pub(crate) fn canceled(text: &[u8], id: &ClientOrderId) -> Result<VenueOrder, ParseError> {
    let found: Canceled<'_> = json("a cancelled order", text)?;
    let mut orders = found.orders()?;
    let at = orders.iter().position(|order| order.client_order_id == *id);
    at.map(|at| orders.swap_remove(at)).ok_or_else(|| ParseError::Shape {
        what: "a cancelled order",
        why: format!("it is not about {id}"),
    })
}

/// The order after it was made smaller.
pub(crate) fn amended(text: &[u8]) -> Result<VenueOrder, ParseError> {
    let Amended { transact_time, amended_order: one } = json("an amended order", text)?;
    let report = Report {
        symbol: one.symbol,
        order_id: one.order_id,
        order_list_id: one.order_list_id,
        client_order_id: one.client_order_id,
        orig_client_order_id: None,
        price: one.price,
        peg_price_type: one.peg_price_type,
        pegged_price: one.pegged_price,
        orig_qty: Some(one.qty),
        executed_qty: one.executed_qty,
        cummulative_quote_qty: one.cumulative_quote_qty,
        status: one.status,
        time_in_force: one.time_in_force,
        kind: one.kind,
        side: one.side,
        stop_price: None,
        trailing_delta: None,
        transact_time: Some(transact_time),
        time: None,
        update_time: None,
        expiry_reason: None,
        reject_reason: None,
        fills: Vec::new(),
    };
    report.order()
}

/// Orders that the venue lists.
pub(crate) fn orders(text: &[u8]) -> Result<Vec<VenueOrder>, ParseError> {
    let reports: Vec<Report<'_>> = json("a list of orders", text)?;
    told(&reports)
}

/// The orders of reports, without those that wait for a quantity.
fn told(reports: &[Report<'_>]) -> Result<Vec<VenueOrder>, ParseError> {
    reports.iter().filter(|report| !report.is_unpaid()).map(Report::order).collect()
}

/// Trades that the venue lists.
pub(crate) fn trades(text: &[u8]) -> Result<Vec<AccountTrade>, ParseError> {
    let reports: Vec<TradeReport<'_>> = json("a list of trades", text)?;
    let trade = |one: &TradeReport<'_>| {
        Ok(AccountTrade {
            trade_id: one.id,
            order_id: OrderId(one.order_id),
            symbol: field("symbol", "symbol", &one.symbol)?,
            side: if one.is_buyer { Side::Buy } else { Side::Sell },
            price: field("price", "price", &one.price)?,
            quantity: field("qty", "quantity", &one.qty)?,
            fee: field("commission", "decimal", &one.commission)?,
            fee_asset: field("commissionAsset", "asset", &one.commission_asset)?,
            liquidity: if one.is_maker { Liquidity::Maker } else { Liquidity::Taker },
            at: moment(one.time),
        })
    };
    reports.iter().map(trade).collect()
}

// === impl Execution ===

impl Execution<'_> {
    /// When it happened.
    pub(crate) const fn at(&self) -> Timestamp {
        moment(self.transact_time)
    }

    /// Whether the order waits for a quantity from the working order of its list.
    pub(crate) fn is_unpaid(&self) -> bool {
        is_unpaid(self.order_list_id, Some(&self.quantity))
    }

    /// The order after it.
    pub(crate) fn order(&self) -> Result<VenueOrder, ParseError> {
        let peg = self.peg_price_type.as_deref();
        let kind = KindText {
            kind: &self.kind,
            price: limit(&self.price, peg, self.pegged_price.as_deref()),
            stop_price: self.stop_price.as_deref(),
            trailing_delta: self.trailing_delta,
            time_in_force: &self.time_in_force,
            order: self.order_id,
        };
        let executed: Amount = field("z", "decimal", &self.executed)?;
        Ok(VenueOrder {
            order_id: OrderId(self.order_id),
            client_order_id: self.name()?,
            symbol: field("s", "symbol", &self.symbol)?,
            side: side(&self.side)?,
            quantity: quantity(&self.quantity, executed)?,
            kind: kind.read()?,
            list_id: self.order_list_id.and_then(|id| u64::try_from(id).ok()),
            executed,
            cost: field("Z", "decimal", &self.cost)?,
            status: status(
                &self.status,
                self.order_id,
                self.expiry_reason.as_deref(),
                self.reject_reason.as_deref(),
            )?,
            created_at: moment(self.created),
            updated_at: self.at(),
        })
    }

    /// What traded; `None` when the report is about something else.
    pub(crate) fn fill(&self, instrument: Option<&Instrument>) -> Result<Option<Fill>, ParseError> {
        if self.execution != "TRADE" {
            return Ok(None);
        }
        let side = side(&self.side)?;
        Ok(Some(Fill {
            trade_id: u64::try_from(self.trade_id)
                .or_else(|_| field("t", "trade id", &self.trade_id.to_string()))?,
            client_order_id: self.name()?,
            symbol: field::<Symbol>("s", "symbol", &self.symbol)?,
            side,
            price: field("L", "price", &self.last_price)?,
            quantity: field("l", "quantity", &self.last_quantity)?,
            fee: field("n", "decimal", self.commission.as_deref().unwrap_or("0"))?,
            fee_asset: self.fee_asset(side, instrument)?,
            liquidity: if self.is_maker { Liquidity::Maker } else { Liquidity::Taker },
            at: self.at(),
        }))
    }

    /// The asset of the fee; of a trade without a fee, the asset that was received.
    fn fee_asset(&self, side: Side, instrument: Option<&Instrument>) -> Result<Asset, ParseError> {
        match (self.commission_asset.as_deref(), instrument) {
            (Some(asset), _) => field("N", "asset", asset),
            (None, Some(instrument)) => Ok(match side {
                Side::Buy => instrument.base.clone(),
                Side::Sell => instrument.quote.clone(),
            }),
            (None, None) => field("N", "asset", ""),
        }
    }

    fn name(&self) -> Result<ClientOrderId, ParseError> {
        let name = name(self.orig_client_order_id.as_deref(), &self.client_order_id);
        field("c", "client order id", name)
    }

    /// The venue's word for what it trades.
    pub(crate) fn symbol(&self) -> &str {
        &self.symbol
    }
}

#[cfg(test)]
#[path = "orders/tests.rs"]
mod tests;
