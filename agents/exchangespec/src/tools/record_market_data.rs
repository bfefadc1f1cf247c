//! Records a market into files that can be replayed.

use std::time::Duration;

use agent::{Effect, Run, ToolDef};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wire::money::TimeText;
use wire::{Failure, schema};

use super::{all_listed, not_read};
use crate::Exchange;

pub(super) const TOOL: ToolDef<Exchange> = ToolDef {
    name: "record_market_data",
    title: "Record market data",
    description: "Records book changes, best prices and trades of these symbols for a while, each \
                  into a compressed file in the agent's state folder that a paper venue can replay. \
                  Answers at once with where; one recording of a venue at a time.",
    effect: Effect::Changes,
    open_world: true,
    input: schema::input_of::<Params>,
    output: schema::output_of::<Started>,
    run: Run::Waits(|exchange, args, _| {
        async move { args.write(&record_market_data(&exchange, args.read()?).await?) }.boxed()
    }),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {
    /// The venue, by its name in the configuration.
    #[schemars(length(min = 1, max = 24), extend("examples" = ["paper"]))]
    exchange: String,
    /// Which markets, 1 to 50.
    #[schemars(length(min = 1, max = 50), extend("examples" = [["BTCUSDT"]]))]
    symbols: Vec<String>,
    /// For how many seconds, 1 to 86400.
    #[schemars(range(min = 1, max = 86_400), extend("examples" = [600]))]
    seconds: u32,
}

/// Where it is recorded.
#[derive(Debug, Serialize, JsonSchema)]
struct Started {
    /// The files.
    files: Vec<RecordedFile>,
    /// When it ends.
    until: TimeText,
}

/// The file of a symbol.
#[derive(Debug, Serialize, JsonSchema)]
struct RecordedFile {
    /// Which symbol.
    symbol: String,
    /// Where, on the agent's machine.
    path: String,
}

async fn record_market_data(exchange: &Exchange, params: Params) -> Result<Started, Failure> {
    let desk = exchange.desk(&params.exchange)?;
    let symbols = all_listed(&desk, &params.symbols)?;
    for symbol in &symbols {
        desk.venue.watch(symbol.clone()).await.map_err(|error| not_read(&error))?;
    }
    let lasts = Duration::from_secs(u64::from(params.seconds));
    let recording = desk.record_market(&symbols, lasts).await;
    let recording = recording.map_err(|why| Failure::refused("NOT_RECORDED", why))?;
    let file = |(symbol, path): (&domain::Symbol, &std::path::PathBuf)| RecordedFile {
        symbol: symbol.to_string(),
        path: path.display().to_string(),
    };
    let until = TimeText(recording.until);
    Ok(Started { files: recording.files.iter().map(file).collect(), until })
}
