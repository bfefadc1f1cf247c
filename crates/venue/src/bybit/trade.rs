//! The venue's side of the [`Venue`] trait.

use std::sync::Arc;

use domain::{
    BookSnapshot, Candle, ClientOrderId, Instrument, MarketEvent, MarketTrade, NewOrder,
    NewOrderList, OrderId, OrderKind, Quantity, Side, Symbol, Ticker, TimeInForce,
};
use risk::Approved;

use super::{BybitVenue, history, parse};
use crate::binance::ParseError;
use crate::binance::outcome::Failure;
use crate::ladder::{Grid, Ladder};
use crate::{
    AccountTrade, Ack, AssetBalance, BoxFuture, CancelError, CandleWish, Fees, Lane, LastCheck,
    ListAck, RateWindow, ReadError, ReplaceError, Replaced, SubmitError, Subscription, Venue,
    VenueEvent, VenueOrder, VenueOrderStatus, VenueStatus,
};

/// Rows that are collected over pages at most.
const ROWS_MAX: usize = 1000;
/// Trades that are collected to find the oldest ones.
const TRADES_MAX: usize = 10_000;
/// Rows of a page of orders.
const PAGE: &str = "50";
/// Levels that can be asked for.
const LEVELS_MAX: usize = 200;

fn unknown(error: &ParseError) -> Failure {
    Failure::Unknown { why: error.to_string() }
}

fn unreadable(error: &ParseError) -> ReadError {
    ReadError::Unavailable { why: error.to_string() }
}

fn lacking(what: &str) -> String {
    format!("Bybit spot has no {what}")
}

/// The venue lists the newest first, so the oldest cannot be told before all are known.
fn too_many(rows: usize) -> ReadError {
    ReadError::Unavailable { why: format!("there are more than {rows} rows") }
}

/// The parameters of a new order.
fn body(order: &NewOrder) -> Result<String, String> {
    let mut fields = serde_json::json!({
        "category": "spot",
        "symbol": order.symbol.as_str(),
        "side": match order.side { Side::Buy => "Buy", Side::Sell => "Sell" },
        "qty": order.quantity.to_string(),
        "orderLinkId": order.client_order_id.as_str(),
    });
    match &order.kind {
        OrderKind::Market => {
            fields["orderType"] = "Market".into();
            // Without this a buy would be counted in the quote asset.
            fields["marketUnit"] = "baseCoin".into();
        }
        OrderKind::Limit { price, time_in_force, post_only } => {
            fields["orderType"] = "Limit".into();
            fields["price"] = price.to_string().into();
            fields["timeInForce"] = match (time_in_force, post_only) {
                (_, true) => "PostOnly",
                (TimeInForce::GoodTilCanceled, false) => "GTC",
                (TimeInForce::ImmediateOrCancel, false) => "IOC",
                (TimeInForce::FillOrKill, false) => "FOK",
            }
            .into();
        }
        OrderKind::Stop { .. } => {
            return Err(lacking("stop order whose trigger is on a side that the order names"));
        }
    }
    Ok(fields.to_string())
}

// === impl BybitVenue ===

impl BybitVenue {
    async fn send(&self, order: &NewOrder, last: Arc<dyn LastCheck>) -> Result<Ack, SubmitError> {
        let body = body(order).map_err(|why| SubmitError::NotSent { why })?;
        if let Some(why) = self.given_up() {
            let why = format!("the venue was given up: {why}");
            return Err(SubmitError::NotSent { why });
        }
        let answer = self.rest.command("/v5/order/create", body, Lane::Order, Some(&*last)).await?;
        let order_id = parse::taken(&answer).map_err(|error| unknown(&error))?;
        let at = self.context.clock.now();
        let order = VenueOrder {
            order_id,
            client_order_id: order.client_order_id.clone(),
            symbol: order.symbol.clone(),
            side: order.side,
            quantity: order.quantity,
            kind: order.kind,
            list_id: None,
            executed: domain::Amount::ZERO,
            cost: domain::Amount::ZERO,
            status: VenueOrderStatus::New,
            created_at: at,
            updated_at: at,
        };
        Ok(Ack { order, fills: Vec::new() })
    }

    /// Orders of a path, over all pages or until one of them is enough.
    async fn pages(
        &self,
        path: &str,
        params: &[(&str, &str)],
        lane: Lane,
        is_enough: impl Fn(&[VenueOrder]) -> bool,
    ) -> Result<Vec<VenueOrder>, ReadError> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let mut params = params.to_vec();
            params.extend([("category", "spot"), ("limit", PAGE)]);
            if !cursor.is_empty() {
                params.push(("cursor", &cursor));
            }
            let answer = self.rest.ask(path, &params, true, lane).await?;
            let (mut found, next) = parse::orders(&answer).map_err(|error| unreadable(&error))?;
            let is_last = found.is_empty() || next.is_empty() || next == cursor;
            all.append(&mut found);
            if is_last || is_enough(&all) {
                return Ok(all);
            }
            if all.len() >= ROWS_MAX {
                return Err(too_many(all.len()));
            }
            cursor = next;
        }
    }

    /// What the venue knows of an order, among the open and recent ones and then among the others.
    async fn find(
        &self,
        symbol: &Symbol,
        key: (&str, &str),
        lane: Lane,
    ) -> Result<Option<VenueOrder>, ReadError> {
        for path in ["/v5/order/realtime", "/v5/order/history"] {
            let params = [("symbol", symbol.as_str()), key];
            let found = self.pages(path, &params, lane, |_| true).await?;
            if let Some(newest) = found.into_iter().max_by_key(|one| (one.created_at, one.order_id))
            {
                return Ok(Some(newest));
            }
        }
        Ok(None)
    }

    async fn end(&self, symbol: &Symbol, id: &ClientOrderId) -> Result<VenueOrder, CancelError> {
        let body = serde_json::json!({
            "category": "spot", "symbol": symbol.as_str(), "orderLinkId": id.as_str(),
        });
        self.rest.command("/v5/order/cancel", body.to_string(), Lane::Cancel, None).await?;
        // The venue has taken the wish in; how the order is afterwards has to be asked.
        let found = self.find(symbol, ("orderLinkId", id.as_str()), Lane::Cancel).await;
        let why = match found {
            Ok(Some(order)) if !order.is_open() => return Ok(order),
            Ok(Some(_)) => "the venue took the wish to cancel and the order is still open".into(),
            Ok(None) => "the venue took the wish to cancel and does not know the order".into(),
            Err(error) => error.to_string(),
        };
        Err(CancelError::Unknown { why })
    }

    async fn send_replace(
        &self,
        old: &ClientOrderId,
        new: &NewOrder,
        last: Arc<dyn LastCheck>,
    ) -> Result<Replaced, ReplaceError> {
        // What would be refused afterwards is refused before the old order is gone.
        body(new).and_then(|_| last.may_send()).map_err(|why| ReplaceError::NotSent { why })?;
        let canceled = self.end(&new.symbol, old).await.map_err(|error| match error {
            CancelError::Rejected { code, message } => {
                ReplaceError::CancelRejected { code, message }
            }
            CancelError::NotSent { why } => ReplaceError::NotSent { why },
            CancelError::Unknown { why } => ReplaceError::Unknown { why },
        })?;
        if canceled.status != VenueOrderStatus::Canceled {
            let message = "it has ended by itself".to_owned();
            return Err(ReplaceError::CancelRejected { code: 0, message });
        }
        match self.send(new, last).await {
            Ok(ack) => Ok(Replaced { canceled, ack }),
            Err(SubmitError::Rejected { code, message }) => {
                let canceled = Some(Box::new(canceled));
                Err(ReplaceError::NewRejected { canceled, code, message })
            }
            Err(SubmitError::NotSent { why } | SubmitError::Unknown { why }) => {
                let why = format!("the old order is cancelled; of the new one: {why}");
                Err(ReplaceError::Unknown { why })
            }
        }
    }

    async fn trades(
        &self,
        symbol: &Symbol,
        key: Option<(&str, &str)>,
        from: u64,
    ) -> Result<Vec<AccountTrade>, ReadError> {
        let instrument = self.instrument(symbol)?;
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let mut params =
                vec![("category", "spot"), ("symbol", symbol.as_str()), ("limit", "100")];
            params.extend(key);
            if !cursor.is_empty() {
                params.push(("cursor", &cursor));
            }
            let answer = self.rest.ask("/v5/execution/list", &params, true, Lane::Read).await?;
            let (found, next) =
                parse::trades(&answer, &instrument).map_err(|error| unreadable(&error))?;
            // The newest come first, so a page that reaches below the wish is the last.
            let is_last = found.is_empty()
                || next.is_empty()
                || next == cursor
                || found.iter().any(|trade| trade.trade_id < from);
            all.extend(found.into_iter().filter(|trade| trade.trade_id >= from));
            if is_last {
                break;
            }
            if all.len() >= TRADES_MAX {
                return Err(too_many(all.len()));
            }
            cursor = next;
        }
        all.sort_by_key(|trade| (trade.at, trade.trade_id));
        all.truncate(ROWS_MAX);
        Ok(all)
    }

    fn instrument(&self, symbol: &Symbol) -> Result<Instrument, ReadError> {
        let found = self.listings.find(symbol.as_str());
        found.ok_or_else(|| ReadError::Unavailable { why: format!("{symbol} is not listed here") })
    }

    async fn ask_book(&self, symbol: &Symbol, levels: usize) -> Result<BookSnapshot, ReadError> {
        let grid = Grid::of(&self.instrument(symbol)?);
        let limit = levels.clamp(1, LEVELS_MAX).to_string();
        let params = [("category", "spot"), ("symbol", symbol.as_str()), ("limit", &limit)];
        let answer = self.rest.read("/v5/market/orderbook", &params, false).await?;
        let changes = parse::book(&answer, grid).map_err(|error| unreadable(&error))?;
        let as_of = self.context.clock.now();
        let mut ladder = Ladder::default();
        ladder.apply(&changes.bids, &changes.asks);
        let (bids, asks) = ladder.best(levels, grid);
        Ok(BookSnapshot { symbol: symbol.clone(), update_id: changes.last, bids, asks, as_of })
    }

    fn state(&self) -> VenueStatus {
        let meter = &self.context.meter;
        let fault = self.given_up().or_else(|| meter.fault());
        let (bad_messages, bad_message_samples) = meter.bad_messages();
        VenueStatus {
            connected: fault.is_none(),
            fault,
            address: self.config.rest_url.clone(),
            clock_skew_ms: self.context.skew.ahead_nanos().map(|nanos| nanos / 1_000_000),
            round_trips: meter.round_trips(),
            feeds: self.feeds.status(),
            account_stream: self.account.stream(),
            market_stream: self.feeds.stream(),
            events_missed: self.feeds.publisher().missed().saturating_add(self.account.missed()),
            bad_messages,
            bad_message_samples,
        }
    }
}

impl Venue for BybitVenue {
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
        _list: Approved<NewOrderList>,
        _last: Arc<dyn LastCheck>,
    ) -> BoxFuture<'_, Result<ListAck, SubmitError>> {
        let why = lacking("lists of orders (OCO, OTO, OTOCO)");
        Box::pin(async move { Err(SubmitError::NotSent { why }) })
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
        _symbol: Symbol,
        _id: ClientOrderId,
        _quantity: Quantity,
    ) -> BoxFuture<'_, Result<VenueOrder, CancelError>> {
        let why = lacking("way to make an order smaller that promises to keep its place");
        Box::pin(async move { Err(CancelError::NotSent { why }) })
    }

    fn cancel(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
    ) -> BoxFuture<'_, Result<VenueOrder, CancelError>> {
        Box::pin(async move { self.end(&symbol, &id).await })
    }

    fn cancel_all(&self, symbol: Symbol) -> BoxFuture<'_, Result<Vec<VenueOrder>, CancelError>> {
        Box::pin(async move {
            let body = serde_json::json!({"category": "spot", "symbol": symbol.as_str()});
            let path = "/v5/order/cancel-all";
            let answer = self.rest.command(path, body.to_string(), Lane::Cancel, None).await?;
            let numbers = parse::taken_list(&answer).map_err(|error| unknown(&error))?;
            let mut orders = Vec::with_capacity(numbers.len());
            for OrderId(number) in numbers {
                let number = number.to_string();
                let why = match self.find(&symbol, ("orderId", &number), Lane::Cancel).await {
                    Ok(Some(order)) => {
                        orders.push(order);
                        continue;
                    }
                    Ok(None) => format!("the venue does not know order {number} any more"),
                    Err(error) => error.to_string(),
                };
                return Err(CancelError::Unknown { why });
            }
            Ok(orders)
        })
    }

    fn order(
        &self,
        symbol: Symbol,
        id: ClientOrderId,
    ) -> BoxFuture<'_, Result<Option<VenueOrder>, ReadError>> {
        Box::pin(
            async move { self.find(&symbol, ("orderLinkId", id.as_str()), Lane::Cancel).await },
        )
    }

    fn orders_from(
        &self,
        symbol: Symbol,
        from: OrderId,
    ) -> BoxFuture<'_, Result<Vec<VenueOrder>, ReadError>> {
        Box::pin(async move {
            let params = [("symbol", symbol.as_str())];
            // The newest come first.
            let reaches = |all: &[VenueOrder]| all.iter().any(|order| order.order_id < from);
            let mut all = Vec::new();
            for path in ["/v5/order/realtime", "/v5/order/history"] {
                all.extend(self.pages(path, &params, Lane::Read, reaches).await?);
            }
            all.retain(|order| order.order_id >= from);
            // An order that ended just now is in both; what it was later counts.
            all.sort_by_key(|order| (order.order_id, std::cmp::Reverse(order.updated_at)));
            all.dedup_by_key(|order| order.order_id);
            all.truncate(ROWS_MAX);
            Ok(all)
        })
    }

    fn open_orders(&self) -> BoxFuture<'_, Result<Vec<VenueOrder>, ReadError>> {
        Box::pin(async move {
            let params = [("openOnly", "0")];
            let path = "/v5/order/realtime";
            let mut all = self.pages(path, &params, Lane::Read, |_| false).await?;
            all.retain(VenueOrder::is_open);
            all.sort_by_key(|order| (order.created_at, order.order_id));
            Ok(all)
        })
    }

    fn trades_of(
        &self,
        symbol: Symbol,
        order_id: OrderId,
    ) -> BoxFuture<'_, Result<Vec<AccountTrade>, ReadError>> {
        Box::pin(async move {
            let number = order_id.0.to_string();
            self.trades(&symbol, Some(("orderId", &number)), 0).await
        })
    }

    fn trades_from(
        &self,
        symbol: Symbol,
        from: u64,
    ) -> BoxFuture<'_, Result<Vec<AccountTrade>, ReadError>> {
        Box::pin(async move { self.trades(&symbol, None, from).await })
    }

    fn balances(&self) -> BoxFuture<'_, Result<Vec<AssetBalance>, ReadError>> {
        Box::pin(async move {
            let params = [("accountType", "UNIFIED")];
            let answer = self.rest.read("/v5/account/wallet-balance", &params, true).await?;
            parse::balances(&answer).map_err(|error| unreadable(&error))
        })
    }

    fn fees(&self, symbol: Symbol) -> BoxFuture<'_, Result<Fees, ReadError>> {
        Box::pin(async move {
            let params = [("category", "spot"), ("symbol", symbol.as_str())];
            let answer = self.rest.read("/v5/account/fee-rate", &params, true).await?;
            parse::fees(&answer, &symbol).map_err(|error| unreadable(&error))
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
            let limit = limit.clamp(1, 60).to_string();
            let params = [("category", "spot"), ("symbol", symbol.as_str()), ("limit", &limit)];
            let answer = self.rest.read("/v5/market/recent-trade", &params, false).await?;
            parse::market_trades(&answer).map_err(|error| unreadable(&error))
        })
    }

    fn candles(&self, wish: CandleWish) -> BoxFuture<'_, Result<Vec<Candle>, ReadError>> {
        Box::pin(async move {
            let question = history::Question::of(&wish, ROWS_MAX)
                .ok_or_else(|| ReadError::Unavailable { why: lacking("candles of this length") })?;
            let mut params = vec![
                ("category", "spot"),
                ("symbol", wish.symbol.as_str()),
                ("interval", question.interval),
                ("limit", &question.limit),
            ];
            params.extend(question.start.as_ref().map(|start| ("start", start.as_str())));
            params.extend(question.end.as_ref().map(|end| ("end", end.as_str())));
            let answer = self.rest.read("/v5/market/kline", &params, false).await?;
            history::candles(&answer, &wish).map_err(|error| unreadable(&error))
        })
    }

    fn ticker(&self, symbol: Symbol) -> BoxFuture<'_, Result<Ticker, ReadError>> {
        Box::pin(async move {
            let params = [("category", "spot"), ("symbol", symbol.as_str())];
            let answer = self.rest.read("/v5/market/tickers", &params, false).await?;
            history::ticker(&answer).map_err(|error| unreadable(&error))
        })
    }

    fn watch(&self, symbol: Symbol) -> BoxFuture<'_, Result<(), ReadError>> {
        Box::pin(async move {
            // The task looks by itself what is watched.
            self.feeds.watch(&self.instrument(&symbol)?);
            Ok(())
        })
    }

    fn unwatch(&self, symbol: Symbol) -> BoxFuture<'_, Result<(), ReadError>> {
        Box::pin(async move {
            self.feeds.unwatch(&symbol);
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
