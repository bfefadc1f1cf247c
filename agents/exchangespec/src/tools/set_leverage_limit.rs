//! Refuses leverage, because spot has none.

use agent::{Effect, Run, ToolDef};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::money::AmountText;
use wire::{Failure, schema};

use super::listed;
use crate::Exchange;

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "set_leverage_limit",
    title: "Set leverage",
    description: "Always refused: spot accounts borrow nothing, so a venue has no leverage to set. \
                  The house's own limit max_leverage is a configuration value that get_account shows \
                  with how much of it is used.",
    effect: Effect::Changes,
    open_world: false,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Leverage>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&set_leverage_limit(&exchange, args.read()?).await?) }.boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
    /// Which market.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["BTCUSDT"]))]
    symbol: String,
    /// Gross exposure over equity.
    #[schemars(extend("examples" = ["2"]))]
    leverage: AmountText,
}

/// What the leverage is; never given, because spot has none.
#[derive(Debug, Serialize, JsonSchema)]
struct Leverage {
    /// Gross exposure over equity.
    leverage: AmountText,
}

async fn set_leverage_limit(exchange: &Exchange, params: Params) -> Result<Leverage, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let symbol = listed(&desk, &params.symbol)?.symbol;
    let message = format!(
        "{symbol} at {} is spot: nothing is borrowed, so there is no leverage of {} to set; the \
         house's limit on gross exposure is max_leverage in the configuration, now {}",
        desk.name,
        params.leverage.0,
        desk.limits().limits.max_leverage
    );
    Err(Failure::refused("SPOT_HAS_NO_LEVERAGE", message)
        .with("max_leverage", json!(desk.limits().limits.max_leverage.to_string())))
}
