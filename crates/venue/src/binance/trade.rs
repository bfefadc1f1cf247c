//! The venue's side of the [`Venue`] trait.

use std::sync::Arc;

use bytes::Bytes;
use domain::{
    BookSnapshot, Candle, ClientOrderId, Instrument, MarketEvent, MarketTrade, NewOrder,
    NewOrderList, OrderId, Quantity, Symbol, Ticker,
};
use hyper::Method;
use risk::Approved;

use super::outcome::{
    ErrorBody, Failure, NO_OPEN_ORDER, NO_ORDER, REPLACED_IN_PART, REPLACED_NOT, Refusal, failure,
};
use super::params::{Params, Value, order as order_params, order_list};
use super::parse::orders::{ListReport, ReplaceReport, Report};
use super::parse::{ParseError, account, json, market, orders};
use super::rest::{Access, Call};
use super::streams::{SYMBOLS_MAX, Wish, snapshot};
use super::ws_api::Life;
use super::{BinanceVenue, OrderEntry};
use crate::ladder::Grid;
use crate::{
    AccountTrade, Ack, AssetBalance, BoxFuture, CancelError, CandleWish, Cost, Fees, Interval,
    Lane, LastCheck, ListAck, RateWindow, ReadError, ReplaceError, Replaced, SubmitError,
    Subscription, Venue, VenueEvent, VenueOrder, VenueStatus,
};

/// Rows that one answer lists at most.
const ROWS_MAX: i64 = 1000;

/// A question about the account or the market.
fn question<'a>(path: &'static str, params: Params<'a>, access: Access, weight: u32) -> Call<'a> {
    Call {
        method: Method::GET,
        path,
        session_method: "",
        params,
        access,
        cost: Cost { weight, orders: 0 },
        lane: Lane::Read,
        patient: true,
        last: None,
    }
}

/// A command that takes or changes nothing new.
fn cancel_call<'a>(
    method: Method,
    path: &'static str,
    session_method: &'static str,
    params: Params<'a>,
) -> Call<'a> {
    Call {
        method,
        path,
        session_method,
        params,
        access: Access::Signed,
        cost: Cost { weight: 1, orders: 0 },
        lane: Lane::Cancel,
        patient: false,
        last: None,
    }
}

/// A command that brings new orders.
fn order_call<'a>(
    path: &'static str,
    session_method: &'static str,
    params: Params<'a>,
    orders: u32,
    last: Arc<dyn LastCheck>,
) -> Call<'a> {
    Call {
        method: Method::POST,
        path,
        session_method,
        params,
        access: Access::Signed,
        cost: Cost { weight: 1, orders },
        lane: Lane::Order,
        patient: false,
        last: Some(last),
    }
}

fn of_order<'a>(symbol: &'a Symbol, id: &'a ClientOrderId) -> Params<'a> {
    vec![("symbol", Value::Text(symbol.as_str())), ("origClientOrderId", Value::Text(id.as_str()))]
}

/// An answer that is not understood leaves the outcome of a command unknown.
fn unknown(error: &ParseError) -> Failure {
    Failure::Unknown { why: error.to_string() }
}

fn unreadable(error: &ParseError) -> ReadError {
    ReadError::Unavailable { why: error.to_string() }
}

fn number(value: u64) -> Value<'static> {
    Value::Owned(value.to_string())
}

// === impl BinanceVenue ===

impl BinanceVenue {
    /// Sends a command the configured way.
    async fn command(&self, call: Call<'_>) -> Result<Bytes, Failure> {
        if call.lane == Lane::Order
            && let Some(why) = self.given_up()
        {
            return Err(Failure::NotSent { why: format!("the venue was given up: {why}") });
        }
        match self.config.order_entry {
            OrderEntry::Rest => self.rest.call(call).await,
            OrderEntry::WebSocket if call.lane == Lane::Cancel => {
                // A cancel takes whichever way is open.
                match self.session.call(call.clone()).await {
                    Err(Failure::NotSent { .. }) => self.rest.call(call).await,
                    done => done,
                }
            }
            OrderEntry::WebSocket => self.session.call(call).await,
        }
    }

    async fn send(&self, order: &NewOrder, last: Arc<dyn LastCheck>) -> Result<Ack, SubmitError> {
        let call = order_call("/api/v3/order", "order.place", order_params(order), 1, last);
        let answer = self.command(call).await?;
        let ack = Report::read(&answer).and_then(|report| report.ack(order));
        ack.map_err(|error| unknown(&error).into())
    }

    /// Sends orders that belong together.
    pub(crate) async fn send_list(
        &self,
        list: &NewOrderList,
        last: Arc<dyn LastCheck>,
    ) -> Result<ListAck, SubmitError> {
        let (shape, params) = order_list(list);
        let (path, method, count) = match shape {
            "oco" => ("/api/v3/orderList/oco", "orderList.place.oco", 2),
            "oto" => ("/api/v3/orderList/oto", "orderList.place.oto", 2),
            _ => ("/api/v3/orderList/otoco", "orderList.place.otoco", 3),
        };
        let answer = self.command(order_call(path, method, params, count, last)).await?;
        list_ack(&answer, list).map_err(|error| unknown(&error).into())
    }

    async fn send_replace(
        &self,
        old: &ClientOrderId,
        new: &NewOrder,
        last: Arc<dyn LastCheck>,
    ) -> Result<Replaced, ReplaceError> {
        let mut params = order_params(new);
        params.push(("cancelReplaceMode", Value::Text("STOP_ON_FAILURE")));
        params.push(("cancelOrigClientOrderId", Value::Text(old.as_str())));
        let call =
            order_call("/api/v3/order/cancelReplace", "order.cancelReplace", params, 1, last);
        match self.command(call).await {
            Ok(answer) => {
                let replaced = replaced(&answer, old, new);
                replaced.map_err(|error| unknown(&error).into())
            }
            Err(Failure::Refused(refusal)) => Err(not_replaced(refusal, old)),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn read(&self, call: Call<'_>) -> Result<Bytes, ReadError> {
        Ok(self.rest.call(call).await?)
    }

    fn instrument(&self, symbol: &Symbol) -> Result<Instrument, ReadError> {
        let found = self.listings.find(symbol.as_str());
        found.ok_or_else(|| ReadError::Unavailable { why: format!("{symbol} is not listed here") })
    }

    async fn ask_book(&self, symbol: &Symbol, levels: usize) -> Result<BookSnapshot, ReadError> {
        let grid = Grid::of(&self.instrument(symbol)?);
        let depths = [5, 10, 20, 50, 100, 500, 1000, 5000];
        let wanted = i64::try_from(levels).unwrap_or(i64::MAX);
        let limit = depths.into_iter().find(|depth| *depth >= wanted).unwrap_or(5000);
        let changes = snapshot(&self.rest, symbol, limit, grid).await?;
        let as_of = self.context.clock.now();
        let mut ladder = crate::ladder::Ladder::default();
        ladder.apply(&changes.bids, &changes.asks);
        let (bids, asks) = ladder.best(levels, grid);
        Ok(BookSnapshot { symbol: symbol.clone(), update_id: changes.last, bids, asks, as_of })
    }

    async fn list_orders(&self, call: Call<'_>) -> Result<Vec<VenueOrder>, ReadError> {
        let answer = self.read(call).await?;
        let mut found = orders::orders(&answer).map_err(|error| unreadable(&error))?;
        found.sort_by_key(|order| (order.created_at, order.order_id));
        Ok(found)
    }

    async fn list_trades(&self, call: Call<'_>) -> Result<Vec<AccountTrade>, ReadError> {
        let answer = self.read(call).await?;
        let mut found = orders::trades(&answer).map_err(|error| unreadable(&error))?;
        found.sort_by_key(|trade| trade.trade_id);
        Ok(found)
    }

    fn state(&self) -> VenueStatus {
        let meter = &self.context.meter;
        let fault = self.given_up().or_else(|| match self.config.order_entry {
            OrderEntry::Rest => meter.fault(),
            OrderEntry::WebSocket => match self.session.life() {
                Life::Live => None,
                Life::Opening { why } | Life::GivenUp { why } => Some(why),
            },
        });
        let (bad_messages, bad_message_samples) = meter.bad_messages();
        let missed = self.feeds.publisher().missed();
        VenueStatus {
            connected: fault.is_none(),
            fault,
            address: self.config.rest_url.clone(),
            clock_skew_ms: self.context.skew.ahead_nanos().map(|nanos| nanos / 1_000_000),
            round_trips: meter.round_trips(),
            feeds: self.feeds.status(),
            account_stream: self.account.stream(),
            market_stream: self.feeds.stream(),
            events_missed: missed.saturating_add(self.account.missed()),
            bad_messages,
            bad_message_samples,
        }
    }
}

/// The orders of a list in the order in which they were named.
fn list_ack(answer: &[u8], list: &NewOrderList) -> Result<ListAck, ParseError> {
    let report: ListReport<'_> = json("a list of orders", answer)?;
    let mut orders = Vec::with_capacity(report.order_reports.len());
    for named in list.orders() {
        let is_it = |one: &&Report<'_>| one.name() == named.client_order_id.as_str();
        let found = report.order_reports.iter().find(is_it).ok_or_else(|| ParseError::Shape {
            what: "a list of orders",
            why: format!("{} is not in it", named.client_order_id),
        })?;
        orders.push(found.order()?);
    }
    Ok(ListAck { list_id: report.order_list_id, orders })
}

fn replaced(answer: &[u8], old: &ClientOrderId, new: &NewOrder) -> Result<Replaced, ParseError> {
    let report: ReplaceReport<'_> = json("a replaced order", answer)?;
    let canceled = orders::canceled(report.cancel_response.get().as_bytes(), old)?;
    let placed = report.new_order_response.ok_or_else(|| ParseError::Shape {
        what: "a replaced order",
        why: "it has no new order".to_owned(),
    })?;
    let ack = Report::read(placed.get().as_bytes())?.ack(new)?;
    Ok(Replaced { canceled, ack })
}

/// What a refusal to replace says of the two halves.
fn not_replaced(refusal: Refusal, old: &ClientOrderId) -> ReplaceError {
    let Refusal { code, message, data } = refusal;
    let data = data.unwrap_or_default();
    let report = serde_json::from_str::<ReplaceReport<'_>>(&data).ok();
    // Each half is judged like an answer of its own.
    let half = |raw: &serde_json::value::RawValue| {
        failure(400, serde_json::from_str::<ErrorBody<'_>>(raw.get()).ok())
    };
    match (code, report) {
        (REPLACED_NOT, Some(report)) => half(report.cancel_response).into(),
        (REPLACED_IN_PART, Some(report)) => {
            let canceled = orders::canceled(report.cancel_response.get().as_bytes(), old).ok();
            match report.new_order_response.map(half) {
                Some(Failure::Refused(Refusal { code, message, .. })) => {
                    let canceled = canceled.map(Box::new);
                    ReplaceError::NewRejected { canceled, code, message }
                }
                Some(failure) => ReplaceError::Unknown { why: failure.why() },
                None => ReplaceError::Unknown { why: format!("{code} {message}") },
            }
        }
        (REPLACED_NOT | REPLACED_IN_PART, None) => {
            ReplaceError::Unknown { why: format!("{code} {message}, and not what of which half") }
        }
        _ => ReplaceError::CancelRejected { code, message },
    }
}

const fn interval(interval: Interval) -> &'static str {
    match interval {
        Interval::Second1 => "1s",
        Interval::Minute1 => "1m",
        Interval::Minute3 => "3m",
        Interval::Minute5 => "5m",
        Interval::Minute15 => "15m",
        Interval::Minute30 => "30m",
        Interval::Hour1 => "1h",
        Interval::Hour2 => "2h",
        Interval::Hour4 => "4h",
        Interval::Hour6 => "6h",
        Interval::Hour8 => "8h",
        Interval::Hour12 => "12h",
        Interval::Day1 => "1d",
        Interval::Day3 => "3d",
        Interval::Week1 => "1w",
        Interval::Month1 => "1M",
    }
}

impl Venue for BinanceVenue {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn instruments(&self) -> Arc<[Instrument]> {
        self.listings.all()
    }

    fn submit(
        &self,
        order: Approved<NewOrder>,
        last: Arc<dyn LastCheck>,
    ) -> BoxFuture<'_, Result<Ack, SubmitError>> {
        Box::pin(async move { self.send(order.get(), last).await })
    }

    fn submit_list(
        &self,
        list: Approved<NewOrderList>,
        last: Arc<dyn LastCheck>,
    ) -> BoxFuture<'_, Result<ListAck, SubmitError>> {
        Box::pin(async move { self.send_list(list.get(), last).await })
    }

    fn replace(
        &self,
        old: ClientOrderId,
        new: Approved<NewOrder>,
        last: Arc<dyn LastCheck>,
    ) -> BoxFuture<'_, Result<Replaced, ReplaceError>> {
        Box::pin(async move { self.send_replace(&old, new.get(), last).await })
    }

    fn reduce(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
        quantity: Quantity,
    ) -> BoxFuture<'_, Result<VenueOrder, CancelError>> {
        Box::pin(async move {
            let mut params = of_order(&symbol, &id);
            // Without a name the venue would make one up.
            params.push(("newClientOrderId", Value::Text(id.as_str())));
            params.push(("newQty", Value::Decimal(quantity.decimal())));
            let path = "/api/v3/order/amend/keepPriority";
            let mut call = cancel_call(Method::PUT, path, "order.amend.keepPriority", params);
            call.cost.weight = 4;
            let answer = self.command(call).await?;
            orders::amended(&answer).map_err(|error| unknown(&error).into())
        })
    }

    fn cancel(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
    ) -> BoxFuture<'_, Result<VenueOrder, CancelError>> {
        Box::pin(async move {
            let params = of_order(&symbol, &id);
            let call = cancel_call(Method::DELETE, "/api/v3/order", "order.cancel", params);
            let answer = self.command(call).await?;
            orders::canceled(&answer, &id).map_err(|error| unknown(&error).into())
        })
    }

    fn cancel_all(&self, symbol: Symbol) -> BoxFuture<'_, Result<Vec<VenueOrder>, CancelError>> {
        Box::pin(async move {
            let params = vec![("symbol", Value::Text(symbol.as_str()))];
            let path = "/api/v3/openOrders";
            let call = cancel_call(Method::DELETE, path, "openOrders.cancelAll", params);
            let answer = match self.command(call).await {
                Err(failure) if failure.is(NO_OPEN_ORDER) => return Ok(Vec::new()),
                done => done?,
            };
            let read = || {
                let found: Vec<orders::Canceled<'_>> = json("cancelled orders", &answer)?;
                let mut all = Vec::with_capacity(found.len());
                for one in &found {
                    all.append(&mut one.orders()?);
                }
                Ok::<_, ParseError>(all)
            };
            read().map_err(|error| unknown(&error).into())
        })
    }

    fn order(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
    ) -> BoxFuture<'_, Result<Option<VenueOrder>, ReadError>> {
        Box::pin(async move {
            let params = of_order(&symbol, &id);
            let mut call = question("/api/v3/order", params, Access::Signed, 4);
            // It may be about an order whose outcome is not known.
            call.lane = Lane::Cancel;
            let answer = match self.rest.call(call).await {
                Err(failure) if failure.is(NO_ORDER) => return Ok(None),
                done => done?,
            };
            let order = Report::read(&answer).and_then(|report| report.order());
            order.map(Some).map_err(|error| unreadable(&error))
        })
    }

    fn orders_from(
        &self,
        symbol: Symbol,
        from: OrderId,
    ) -> BoxFuture<'_, Result<Vec<VenueOrder>, ReadError>> {
        Box::pin(async move {
            let params = vec![
                ("symbol", Value::Text(symbol.as_str())),
                ("orderId", number(from.0)),
                ("limit", Value::Number(ROWS_MAX)),
            ];
            self.list_orders(question("/api/v3/allOrders", params, Access::Signed, 20)).await
        })
    }

    fn open_orders(&self) -> BoxFuture<'_, Result<Vec<VenueOrder>, ReadError>> {
        let call = question("/api/v3/openOrders", Params::new(), Access::Signed, 80);
        Box::pin(self.list_orders(call))
    }

    fn trades_of(
        &self,
        symbol: Symbol,
        order_id: OrderId,
    ) -> BoxFuture<'_, Result<Vec<AccountTrade>, ReadError>> {
        Box::pin(async move {
            let params = vec![
                ("symbol", Value::Text(symbol.as_str())),
                ("orderId", number(order_id.0)),
                ("limit", Value::Number(ROWS_MAX)),
            ];
            self.list_trades(question("/api/v3/myTrades", params, Access::Signed, 5)).await
        })
    }

    fn trades_from(
        &self,
        symbol: Symbol,
        from: u64,
    ) -> BoxFuture<'_, Result<Vec<AccountTrade>, ReadError>> {
        Box::pin(async move {
            let params = vec![
                ("symbol", Value::Text(symbol.as_str())),
                ("fromId", number(from)),
                ("limit", Value::Number(ROWS_MAX)),
            ];
            self.list_trades(question("/api/v3/myTrades", params, Access::Signed, 20)).await
        })
    }

    fn balances(&self) -> BoxFuture<'_, Result<Vec<AssetBalance>, ReadError>> {
        Box::pin(async move {
            let params = vec![("omitZeroBalances", Value::Text("true"))];
            let call = question("/api/v3/account", params, Access::Signed, 20);
            let answer = self.read(call).await?;
            let found = account::account(&answer).map_err(|error| unreadable(&error))?;
            Ok(found.balances)
        })
    }

    fn fees(&self, symbol: Symbol) -> BoxFuture<'_, Result<Fees, ReadError>> {
        Box::pin(async move {
            let params = vec![("symbol", Value::Text(symbol.as_str()))];
            let call = question("/api/v3/account/commission", params, Access::Signed, 20);
            let answer = self.read(call).await?;
            account::commission(&answer).map_err(|error| unreadable(&error))
        })
    }

    fn book(
        &self,
        symbol: Symbol,
        levels: usize,
    ) -> BoxFuture<'_, Result<BookSnapshot, ReadError>> {
        Box::pin(async move {
            match self.feeds.book(&symbol, levels) {
                Some(book) => book,
                None => self.ask_book(&symbol, levels).await,
            }
        })
    }

    fn market_trades(
        &self,
        symbol: Symbol,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<MarketTrade>, ReadError>> {
        Box::pin(async move {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX).clamp(1, ROWS_MAX);
            let params =
                vec![("symbol", Value::Text(symbol.as_str())), ("limit", Value::Number(limit))];
            let answer = self.read(question("/api/v3/trades", params, Access::Public, 25)).await?;
            market::trades(&answer).map_err(|error| unreadable(&error))
        })
    }

    fn candles(&self, wish: CandleWish) -> BoxFuture<'_, Result<Vec<Candle>, ReadError>> {
        Box::pin(async move {
            let limit = i64::try_from(wish.limit).unwrap_or(i64::MAX).clamp(1, ROWS_MAX);
            let mut params = vec![
                ("symbol", Value::Text(wish.symbol.as_str())),
                ("interval", Value::Text(interval(wish.interval))),
                ("limit", Value::Number(limit)),
            ];
            params.extend(wish.start.map(|at| ("startTime", Value::Number(at.unix_millis()))));
            params.extend(wish.end.map(|at| ("endTime", Value::Number(at.unix_millis()))));
            let answer = self.read(question("/api/v3/klines", params, Access::Public, 2)).await?;
            market::candles(&answer).map_err(|error| unreadable(&error))
        })
    }

    fn ticker(&self, symbol: Symbol) -> BoxFuture<'_, Result<Ticker, ReadError>> {
        Box::pin(async move {
            let params = vec![("symbol", Value::Text(symbol.as_str()))];
            let call = question("/api/v3/ticker/24hr", params, Access::Public, 2);
            let answer = self.read(call).await?;
            market::ticker(&answer).map_err(|error| unreadable(&error))
        })
    }

    fn watch(&self, symbol: Symbol) -> BoxFuture<'_, Result<(), ReadError>> {
        Box::pin(async move {
            let instrument = self.instrument(&symbol)?;
            if self.feeds.symbols().len() >= SYMBOLS_MAX {
                let why = format!("{SYMBOLS_MAX} symbols are watched already, which is the most");
                return Err(ReadError::Unavailable { why });
            }
            if self.feeds.watch(&instrument) {
                // The task also looks by itself; a full queue only makes it look later.
                drop(self.wishes.try_send(Wish::Changed));
            }
            Ok(())
        })
    }

    fn unwatch(&self, symbol: Symbol) -> BoxFuture<'_, Result<(), ReadError>> {
        Box::pin(async move {
            if self.feeds.unwatch(&symbol) {
                drop(self.wishes.try_send(Wish::Changed));
            }
            Ok(())
        })
    }

    fn status(&self) -> BoxFuture<'_, VenueStatus> {
        Box::pin(async move { self.state() })
    }

    fn rate_limits(&self) -> Vec<RateWindow> {
        self.context.budget.view(self.context.clock.now())
    }

    fn subscribe(&self) -> Subscription<VenueEvent> {
        self.account.subscribe()
    }

    fn market_data(&self) -> Subscription<MarketEvent> {
        self.feeds.publisher().subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{ListShape, Side, TimeInForce};

    fn named(name: &str) -> NewOrder {
        NewOrder {
            client_order_id: name.parse().unwrap(),
            symbol: "BTCUSDT".parse().unwrap(),
            side: Side::Sell,
            quantity: "1".parse().unwrap(),
            kind: domain::OrderKind::Limit {
                price: "100".parse().unwrap(),
                time_in_force: TimeInForce::GoodTilCanceled,
                post_only: false,
            },
        }
    }

    fn report(name: &str, status: &str) -> String {
        format!(
            "{{\"symbol\":\"BTCUSDT\",\"orderId\":7,\"orderListId\":3,\"clientOrderId\":\"{name}\",\"transactTime\":1,\"price\":\"100\",\"origQty\":\"1\",\"executedQty\":\"0\",\"cummulativeQuoteQty\":\"0\",\"status\":\"{status}\",\"timeInForce\":\"GTC\",\"type\":\"LIMIT\",\"side\":\"SELL\"}}"
        )
    }

    #[test]
    fn a_list_is_told_in_the_order_in_which_it_was_named() {
        let shape = ListShape::Oto { working: named("in"), pending: named("out") };
        let list = NewOrderList { client_list_id: "list".parse().unwrap(), shape };
        let answer = |first: &str| {
            format!(
                "{{\"orderListId\":3,\"contingencyType\":\"OTO\",\"orderReports\":[{},{}]}}",
                report(first, "PENDING_NEW"),
                report("in", "NEW")
            )
        };
        let ack = list_ack(answer("out").as_bytes(), &list).unwrap();
        let told: Vec<_> =
            ack.orders.iter().map(|one| (one.client_order_id.as_str(), one.is_open())).collect();
        assert_eq!((ack.list_id, told), (3, vec![("in", true), ("out", true)]));
        assert_eq!(ack.orders[1].status, crate::VenueOrderStatus::Pending);
        let error = list_ack(answer("else").as_bytes(), &list).unwrap_err().to_string();
        assert_eq!(error, "a list of orders has an unexpected shape: out is not in it");
    }
}
