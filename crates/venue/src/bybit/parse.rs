//! Everything that the venue says, made into words of the domain.

use std::borrow::Cow;

use domain::{
    Amount, Asset, ClientOrderId, Filters, Instrument, Liquidity, MarketTrade, OrderId, OrderKind,
    Price, Quantity, Side, Symbol, TimeInForce, Timestamp,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::binance::parse::{ParseError, field, json, moment, positive};
use crate::ladder::{Changes, Grid, units};
use crate::{AccountTrade, AssetBalance, Fees, VenueOrder, VenueOrderStatus};

#[derive(Debug, Deserialize)]
struct Answer<T> {
    result: T,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<T> {
    pub(super) list: Vec<T>,
    #[serde(default)]
    next_page_cursor: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Time<'a> {
    #[serde(borrow)]
    time_nano: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Key<'a> {
    #[serde(default)]
    read_only: u8,
    #[serde(borrow)]
    permissions: std::collections::BTreeMap<Cow<'a, str>, Vec<Cow<'a, str>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FeeRate<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    taker_fee_rate: Cow<'a, str>,
    #[serde(borrow)]
    maker_fee_rate: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listing<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    base_coin: Cow<'a, str>,
    #[serde(borrow)]
    quote_coin: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    lot_size_filter: LotSize<'a>,
    #[serde(borrow)]
    price_filter: Tick<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LotSize<'a> {
    #[serde(borrow)]
    base_precision: Cow<'a, str>,
    #[serde(borrow)]
    min_order_qty: Cow<'a, str>,
    #[serde(borrow)]
    max_order_qty: Cow<'a, str>,
    #[serde(borrow)]
    min_order_amt: Cow<'a, str>,
    #[serde(borrow)]
    max_order_amt: Cow<'a, str>,
    #[serde(borrow, default)]
    max_market_order_qty: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tick<'a> {
    #[serde(borrow)]
    tick_size: Cow<'a, str>,
}

/// What a command answers: the names of the order.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named<'a> {
    #[serde(borrow)]
    order_id: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order<'a> {
    #[serde(borrow, default)]
    category: Option<Cow<'a, str>>,
    #[serde(borrow)]
    order_id: Cow<'a, str>,
    #[serde(borrow)]
    order_link_id: Cow<'a, str>,
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    order_type: Cow<'a, str>,
    #[serde(borrow)]
    time_in_force: Cow<'a, str>,
    #[serde(borrow)]
    price: Cow<'a, str>,
    #[serde(borrow)]
    qty: Cow<'a, str>,
    #[serde(borrow)]
    order_status: Cow<'a, str>,
    #[serde(borrow, default)]
    cum_exec_qty: Cow<'a, str>,
    #[serde(borrow, default)]
    cum_exec_value: Cow<'a, str>,
    #[serde(borrow, default)]
    reject_reason: Cow<'a, str>,
    #[serde(borrow)]
    created_time: Cow<'a, str>,
    #[serde(borrow)]
    updated_time: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Execution<'a> {
    #[serde(borrow, default)]
    category: Option<Cow<'a, str>>,
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    order_id: Cow<'a, str>,
    #[serde(borrow)]
    order_link_id: Cow<'a, str>,
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    exec_id: Cow<'a, str>,
    #[serde(borrow)]
    exec_price: Cow<'a, str>,
    #[serde(borrow)]
    exec_qty: Cow<'a, str>,
    #[serde(borrow)]
    exec_fee: Cow<'a, str>,
    #[serde(borrow)]
    exec_time: Cow<'a, str>,
    #[serde(borrow, default)]
    exec_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    fee_currency: Option<Cow<'a, str>>,
    is_maker: bool,
}

#[derive(Debug, Deserialize)]
struct Wallet<'a> {
    #[serde(borrow)]
    coin: Vec<Coin<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Coin<'a> {
    #[serde(borrow)]
    coin: Cow<'a, str>,
    #[serde(borrow)]
    wallet_balance: Cow<'a, str>,
    #[serde(borrow)]
    locked: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trade<'a> {
    #[serde(borrow)]
    exec_id: Cow<'a, str>,
    #[serde(borrow)]
    price: Cow<'a, str>,
    #[serde(borrow)]
    size: Cow<'a, str>,
    #[serde(borrow)]
    side: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
struct StreamTrade<'a> {
    #[serde(rename = "i", borrow)]
    exec_id: Cow<'a, str>,
    #[serde(rename = "p", borrow)]
    price: Cow<'a, str>,
    #[serde(rename = "v", borrow)]
    size: Cow<'a, str>,
    #[serde(rename = "S", borrow)]
    side: Cow<'a, str>,
    #[serde(rename = "T")]
    time: i64,
}

#[derive(Debug, Deserialize)]
struct Book<'a> {
    #[serde(rename = "b", borrow)]
    bids: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    #[serde(rename = "a", borrow)]
    asks: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    u: u64,
    #[serde(default)]
    ts: i64,
}

/// A message of either stream.
#[derive(Debug, Deserialize)]
pub(crate) struct Message<'a> {
    #[serde(borrow, default)]
    pub(crate) topic: Option<Cow<'a, str>>,
    #[serde(rename = "type", borrow, default)]
    pub(crate) kind: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(crate) ts: i64,
    #[serde(rename = "creationTime", default)]
    pub(crate) created: i64,
    #[serde(borrow, default)]
    pub(crate) data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) op: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(crate) success: Option<bool>,
    #[serde(default)]
    pub(crate) ret_msg: String,
}

/// What a key may do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeyPowers {
    pub(crate) withdraws: bool,
    pub(crate) trades: bool,
}

pub(super) fn result<'a, T: Deserialize<'a>>(
    what: &'static str,
    text: &'a [u8],
) -> Result<T, ParseError> {
    json::<Answer<T>>(what, text).map(|answer| answer.result)
}

pub(crate) fn message(text: &[u8]) -> Result<Message<'_>, ParseError> {
    json("a message of a stream", text)
}

/// What the venue's clock shows.
pub(crate) fn time(text: &[u8]) -> Result<Timestamp, ParseError> {
    let time: Time<'_> = result("the time", text)?;
    field("timeNano", "time", &time.time_nano).map(Timestamp::from_unix_nanos)
}

/// What the key may do.
pub(crate) fn key_powers(text: &[u8]) -> Result<KeyPowers, ParseError> {
    let key: Key<'_> = result("the powers of the key", text)?;
    let mut all = key.permissions.values().flatten();
    let withdraws = all.any(|power| power.eq_ignore_ascii_case("withdraw"));
    let trades = key.permissions.get("Spot").is_some_and(|powers| !powers.is_empty());
    Ok(KeyPowers { withdraws, trades: trades && key.read_only == 0 })
}

/// What trading a symbol costs.
pub(crate) fn fees(text: &[u8], symbol: &Symbol) -> Result<Fees, ParseError> {
    let page: Page<FeeRate<'_>> = result("the fees", text)?;
    let of = |one: &&FeeRate<'_>| one.symbol == symbol.as_str() || one.symbol.is_empty();
    let rate = page.list.iter().find(of).ok_or_else(|| ParseError::Shape {
        what: "the fees",
        why: format!("they are not of {symbol}"),
    })?;
    Ok(Fees {
        maker: field("makerFeeRate", "rate", &rate.maker_fee_rate)?,
        taker: field("takerFeeRate", "rate", &rate.taker_fee_rate)?,
    })
}

/// The listing of a symbol; `None` when there is none.
pub(crate) fn instrument(
    text: &[u8],
    symbol: &Symbol,
    fees: Fees,
) -> Result<Option<Instrument>, ParseError> {
    let page: Page<Listing<'_>> = result("the list of instruments", text)?;
    let Some(found) = page.list.iter().find(|one| one.symbol == symbol.as_str()) else {
        return Ok(None);
    };
    let lot = &found.lot_size_filter;
    let mut filters = Filters::default();
    if found.status != "Trading" {
        filters.closed = Some(found.status.as_ref().into());
    }
    let max: Amount = field("maxOrderAmt", "decimal", &lot.max_order_amt)?;
    filters.notional_max = Some(max).filter(|max| *max > Amount::ZERO);
    let market_max = lot.max_market_order_qty.as_deref();
    let read = |text| positive("maxMarketOrderQty", text, |value| Quantity::try_new(value).ok());
    filters.market_quantity_max = market_max.map(read).transpose()?.flatten();
    Ok(Some(Instrument {
        symbol: symbol.clone(),
        base: field("baseCoin", "asset", &found.base_coin)?,
        quote: field("quoteCoin", "asset", &found.quote_coin)?,
        tick_size: field("tickSize", "price", &found.price_filter.tick_size)?,
        step_size: field("basePrecision", "quantity", &lot.base_precision)?,
        quantity_min: field("minOrderQty", "quantity", &lot.min_order_qty)?,
        quantity_max: field("maxOrderQty", "quantity", &lot.max_order_qty)?,
        notional_min: field("minOrderAmt", "decimal", &lot.min_order_amt)?,
        maker_fee: fees.maker,
        taker_fee: fees.taker,
        filters,
    }))
}

/// The venue's number of an order that it has taken.
pub(crate) fn taken(text: &[u8]) -> Result<OrderId, ParseError> {
    let named: Named<'_> = result("a taken order", text)?;
    field("orderId", "number", &named.order_id).map(OrderId)
}

/// The numbers of the orders that a command was about.
pub(crate) fn taken_list(text: &[u8]) -> Result<Vec<OrderId>, ParseError> {
    let page: Page<Named<'_>> = result("cancelled orders", text)?;
    let number = |one: &Named<'_>| field("orderId", "number", &one.order_id).map(OrderId);
    page.list.iter().map(number).collect()
}

/// A page of orders, and where the next one begins; an empty text for nowhere.
pub(crate) fn orders(text: &[u8]) -> Result<(Vec<VenueOrder>, String), ParseError> {
    let page: Page<Order<'_>> = result("a list of orders", text)?;
    let orders = page.list.iter().map(Order::read).collect::<Result<_, _>>()?;
    Ok((orders, page.next_page_cursor))
}

/// A page of trades of the account, and where the next one begins.
pub(crate) fn trades(
    text: &[u8],
    instrument: &Instrument,
) -> Result<(Vec<AccountTrade>, String), ParseError> {
    let page: Page<Execution<'_>> = result("a list of trades", text)?;
    let of_trades = page.list.iter().filter(|one| one.is_trade());
    let trades = of_trades.map(|one| one.read(instrument)).collect::<Result<_, _>>()?;
    Ok((trades, page.next_page_cursor))
}

/// The money of the account.
pub(crate) fn balances(text: &[u8]) -> Result<Vec<AssetBalance>, ParseError> {
    let page: Page<Wallet<'_>> = result("the wallet", text)?;
    wallets(&page.list)
}

fn wallets(wallets: &[Wallet<'_>]) -> Result<Vec<AssetBalance>, ParseError> {
    let mut balances = Vec::new();
    for coin in wallets.iter().flat_map(|wallet| &wallet.coin) {
        let Ok(asset) = coin.coin.parse::<Asset>() else { continue };
        let all: Amount = field("walletBalance", "decimal", or_zero(&coin.wallet_balance))?;
        let locked: Amount = field("locked", "decimal", or_zero(&coin.locked))?;
        let free = all.try_sub(locked).or_else(|_| field("walletBalance", "decimal", ""))?;
        balances.push(AssetBalance { asset, free, locked });
    }
    balances.sort_by(|a, b| a.asset.cmp(&b.asset));
    Ok(balances)
}

/// The last trades of the market, oldest first.
pub(crate) fn market_trades(text: &[u8]) -> Result<Vec<MarketTrade>, ParseError> {
    let page: Page<Trade<'_>> = result("the last trades", text)?;
    let trade = |one: &Trade<'_>| {
        Ok(MarketTrade {
            trade_id: field("execId", "number", &one.exec_id)?,
            price: field("price", "price", &one.price)?,
            quantity: field("size", "quantity", &one.size)?,
            taker: side(&one.side)?,
            at: moment(field("time", "time", &one.time)?),
        })
    };
    let mut trades = page.list.iter().map(trade).collect::<Result<Vec<_>, _>>()?;
    trades.sort_by_key(|trade| (trade.at, trade.trade_id));
    Ok(trades)
}

/// Trades of the market's stream.
pub(crate) fn stream_trades(data: &[u8]) -> Result<Vec<MarketTrade>, ParseError> {
    let trades: Vec<StreamTrade<'_>> = json("trades of the market", data)?;
    let trade = |one: &StreamTrade<'_>| {
        Ok(MarketTrade {
            trade_id: field("i", "number", &one.exec_id)?,
            price: field("p", "price", &one.price)?,
            quantity: field("v", "quantity", &one.size)?,
            taker: side(&one.side)?,
            at: moment(one.time),
        })
    };
    trades.iter().map(trade).collect()
}

/// A snapshot of a book by asking.
pub(crate) fn book(text: &[u8], grid: Grid) -> Result<Changes, ParseError> {
    let book: Book<'_> = result("a book", text)?;
    book.read(grid)
}

/// A snapshot or a change of a book by the stream.
pub(crate) fn stream_book(data: &[u8], at_ms: i64, grid: Grid) -> Result<Changes, ParseError> {
    let book: Book<'_> = json("a change of a book", data)?;
    Ok(Changes { at_ms, ..book.read(grid)? })
}

/// Orders of the account's stream.
pub(crate) fn stream_orders(data: &[u8]) -> Result<Vec<VenueOrder>, ParseError> {
    let orders: Vec<Order<'_>> = json("orders of the account", data)?;
    orders.iter().filter(|one| is_spot(one.category.as_deref())).map(Order::read).collect()
}

/// Trades of the account's stream, with the names of their orders.
pub(crate) fn stream_fills(
    data: &[u8],
    find: impl Fn(&str) -> Option<Instrument>,
) -> Result<Vec<(ClientOrderId, AccountTrade)>, ParseError> {
    let executions: Vec<Execution<'_>> = json("trades of the account", data)?;
    let mut fills = Vec::with_capacity(executions.len());
    for one in &executions {
        if !is_spot(one.category.as_deref()) || !one.is_trade() {
            continue;
        }
        let Some(instrument) = find(&one.symbol) else { continue };
        let name = field("orderLinkId", "client order id", &one.order_link_id)?;
        fills.push((name, one.read(&instrument)?));
    }
    Ok(fills)
}

/// Balances of the account's stream.
pub(crate) fn stream_balances(data: &[u8]) -> Result<Vec<AssetBalance>, ParseError> {
    wallets(&json::<Vec<Wallet<'_>>>("the wallet", data)?)
}

fn is_spot(category: Option<&str>) -> bool {
    category.is_none_or(|category| category == "spot")
}

fn side(text: &str) -> Result<Side, ParseError> {
    match text {
        "Buy" => Ok(Side::Buy),
        "Sell" => Ok(Side::Sell),
        _ => {
            let found = text.chars().take(64).collect();
            Err(ParseError::Field { field: "side", expected: "side", found })
        }
    }
}

/// The venue leaves a number empty where there is none yet.
pub(super) fn or_zero(text: &str) -> &str {
    if text.is_empty() { "0" } else { text }
}

// === impl Book ===

impl Book<'_> {
    fn read(&self, grid: Grid) -> Result<Changes, ParseError> {
        let side = |levels: &[(Cow<'_, str>, Cow<'_, str>)]| {
            let read = |name, text: &str, places| {
                units(text.as_bytes(), places).ok_or_else(|| ParseError::Field {
                    field: name,
                    expected: "decimal on the instrument's grid",
                    found: text.chars().take(64).collect(),
                })
            };
            let level = |(price, quantity): &(Cow<'_, str>, Cow<'_, str>)| {
                let price = read("price", price, grid.price_places)?;
                Ok((price, read("quantity", quantity, grid.quantity_places)?))
            };
            levels.iter().map(level).collect::<Result<Vec<_>, ParseError>>()
        };
        let (bids, asks) = (side(&self.bids)?, side(&self.asks)?);
        Ok(Changes { at_ms: self.ts, first: self.u, last: self.u, bids, asks })
    }
}

// === impl Order ===

impl Order<'_> {
    fn read(&self) -> Result<VenueOrder, ParseError> {
        let number: u64 = field("orderId", "number", &self.order_id)?;
        let unknown = |field, word: &str| {
            let word = word.chars().take(64).collect();
            ParseError::UnknownWord { field, word, order: number }
        };
        let kind = match (self.order_type.as_ref(), self.time_in_force.as_ref()) {
            ("Market", _) => OrderKind::Market,
            ("Limit", word) => OrderKind::Limit {
                price: field::<Price>("price", "price", &self.price)?,
                time_in_force: match word {
                    "GTC" | "PostOnly" => TimeInForce::GoodTilCanceled,
                    "IOC" => TimeInForce::ImmediateOrCancel,
                    "FOK" => TimeInForce::FillOrKill,
                    _ => return Err(unknown("timeInForce", word)),
                },
                post_only: word == "PostOnly",
            },
            (word, _) => return Err(unknown("orderType", word)),
        };
        let executed: Amount = field("cumExecQty", "decimal", or_zero(&self.cum_exec_qty))?;
        let takes_only = !kind.may_rest();
        let status = match self.order_status.as_ref() {
            "New" => VenueOrderStatus::New,
            "PartiallyFilled" => VenueOrderStatus::PartiallyFilled,
            "Filled" => VenueOrderStatus::Filled,
            // What must not rest and is not filled has run out; nobody cancelled it.
            "Cancelled" | "PartiallyFilledCanceled" if takes_only => {
                VenueOrderStatus::Expired { reason: self.order_status.clone().into_owned() }
            }
            "Cancelled" | "PartiallyFilledCanceled" => VenueOrderStatus::Canceled,
            "Rejected" => VenueOrderStatus::Rejected {
                code: 0,
                message: self.reject_reason.clone().into_owned(),
            },
            word => return Err(unknown("orderStatus", word)),
        };
        Ok(VenueOrder {
            order_id: OrderId(number),
            client_order_id: field("orderLinkId", "client order id", &self.order_link_id)?,
            symbol: field("symbol", "symbol", &self.symbol)?,
            side: side(&self.side)?,
            quantity: field("qty", "quantity", &self.qty)?,
            kind,
            list_id: None,
            executed,
            cost: field("cumExecValue", "decimal", or_zero(&self.cum_exec_value))?,
            status,
            created_at: moment(field("createdTime", "time", &self.created_time)?),
            updated_at: moment(field("updatedTime", "time", &self.updated_time)?),
        })
    }
}

// === impl Execution ===

impl Execution<'_> {
    fn is_trade(&self) -> bool {
        self.exec_type.as_deref().is_none_or(|kind| kind == "Trade")
    }

    /// A trade; where the venue does not name the asset of the fee, it is the one received.
    fn read(&self, instrument: &Instrument) -> Result<AccountTrade, ParseError> {
        let side = side(&self.side)?;
        let fee: Amount = field("execFee", "decimal", or_zero(&self.exec_fee))?;
        if fee.is_negative() {
            let found = self.exec_fee.chars().take(64).collect();
            return Err(ParseError::Field { field: "execFee", expected: "fee", found });
        }
        let fee_asset = match self.fee_currency.as_deref().filter(|text| !text.is_empty()) {
            Some(asset) => field("feeCurrency", "asset", asset)?,
            None if side == Side::Buy => instrument.base.clone(),
            None => instrument.quote.clone(),
        };
        Ok(AccountTrade {
            trade_id: field("execId", "number", &self.exec_id)?,
            order_id: OrderId(field("orderId", "number", &self.order_id)?),
            symbol: field("symbol", "symbol", &self.symbol)?,
            side,
            price: field("execPrice", "price", &self.exec_price)?,
            quantity: field("execQty", "quantity", &self.exec_qty)?,
            fee,
            fee_asset,
            liquidity: if self.is_maker { Liquidity::Maker } else { Liquidity::Taker },
            at: moment(field("execTime", "time", &self.exec_time)?),
        })
    }
}
