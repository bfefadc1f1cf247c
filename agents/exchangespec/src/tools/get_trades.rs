//! Lists trades: the account's own, or those of the market.

use agent::{Effect, Run, ToolDef};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::money::{PriceText, QuantityText, TimeText};
use wire::{Failure, schema};

use super::{listed, not_read};
use crate::Exchange;
use crate::views::{FillView, SideWord};

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "get_trades",
    title: "Trades",
    description: "Lists trades of a symbol, oldest first: own are the account's fills as the durable \
                  record has them, page by page with after; market are the last trades of everybody \
                  as the venue tells them.",
    effect: Effect::Reads,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Trades>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&get_trades(&exchange, args.read()?).await?) }.boxed()
    }),
};

/// Whose trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Scope {
    /// the account's own
    Own,
    /// everybody's
    Market,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
    /// Which market.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["BTCUSDT"]))]
    symbol: String,
    /// Whose trades.
    scope: Scope,
    /// How many at most, 1 to 500.
    #[schemars(range(min = 1, max = 500), extend("examples" = [50]))]
    limit: u32,
    /// For own: only those after this cursor, from an earlier answer's next_after.
    #[schemars(range(min = 0), extend("examples" = [0]))]
    after: Option<i64>,
}

/// Trades, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
struct Trades {
    /// The account's own; absent for the market's.
    #[serde(skip_serializing_if = "Option::is_none")]
    fills: Option<Vec<FillView>>,
    /// The market's; absent for the account's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    trades: Option<Vec<TradeView>>,
    /// Ask for what comes after this; absent when there was nothing more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_after: Option<i64>,
}

/// A trade of the market.
#[derive(Debug, Serialize, JsonSchema)]
struct TradeView {
    /// The venue's number.
    trade_id: u64,
    /// At which price, in quote asset.
    price: PriceText,
    /// How much of the base asset.
    quantity: QuantityText,
    /// What the order did that came second.
    taker_side: SideWord,
    /// When.
    at: TimeText,
}

async fn get_trades(exchange: &Exchange, params: Params) -> Result<Trades, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let symbol = listed(&desk, &params.symbol)?.symbol;
    match params.scope {
        Scope::Own => {
            let after = params.after.unwrap_or(0);
            let page =
                desk.journal.load_fills(&desk.name, Some(&symbol), after, params.limit).await;
            let page = page.map_err(|error| Failure::unavailable(error.to_string()))?;
            let fills = page.rows.iter().map(FillView::from).collect();
            Ok(Trades { fills: Some(fills), trades: None, next_after: page.next_after() })
        }
        Scope::Market => {
            if let Some(after) = params.after {
                let rule = "must be left out for the market's trades, which have no pages";
                return Err(Failure::invalid("after", after, rule, json!(null)));
            }
            let limit = usize::try_from(params.limit).unwrap_or(usize::MAX);
            let told = desk.venue.market_trades(symbol, limit).await;
            let told = told.map_err(|error| not_read(&error))?;
            let trade = |trade: domain::MarketTrade| TradeView {
                trade_id: trade.trade_id,
                price: PriceText(trade.price),
                quantity: QuantityText(trade.quantity),
                taker_side: trade.taker.into(),
                at: TimeText(trade.at),
            };
            let trades = told.into_iter().map(trade).collect();
            Ok(Trades { fills: None, trades: Some(trades), next_after: None })
        }
    }
}
