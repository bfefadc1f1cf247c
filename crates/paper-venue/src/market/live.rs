//! A live market: the public feed of another server of the same protocol, with our orders laid over
//! it.
//!
//! A task follows each symbol: it listens to diffs and trades, fetches the snapshot that joins them,
//! and tells the exchange. When the connection is lost or updates are missing the book is unknown -
//! no order of ours trades then - and the task connects anew.
//!
//! # Invariants
//!
//! * Nothing is sent but subscriptions and public requests; no key is involved.

use std::time::Duration;

use futures_util::StreamExt as _;
use matching::{Command, External, Liquidity, Listing, QueueModel, SymbolId};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_util::sync::CancellationToken;

use super::replay::{Grid, Joined, Message, record};
use crate::engine::Mailbox;

/// How long a connection may say nothing before it counts as lost.
const SILENCE: Duration = Duration::from_secs(30);
/// The first and the longest pause before connecting anew.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// One symbol to follow.
#[derive(Debug, Clone)]
pub(crate) struct Follow {
    pub(crate) listing: Listing,
    grid: Grid,
    snapshot_url: String,
    stream_url: String,
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

async fn fetch(url: &str) -> Result<String, String> {
    // Another part of the process may have chosen the cryptographic library already.
    rustls::crypto::ring::default_provider().install_default().unwrap_or(());
    let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build();
    let response = client.map_err(words)?.get(url).send().await.map_err(words)?;
    let response = response.error_for_status().map_err(words)?;
    response.text().await.map_err(words)
}

/// The address of the streams that belong to a REST address.
fn stream_base(url: &str) -> Result<String, String> {
    let known = [("https://api.binance.com", "wss://stream.binance.com:9443")];
    if let Some((_, streams)) = known.iter().find(|(rest, _)| *rest == url) {
        return Ok((*streams).to_owned());
    }
    match url.split_once("://") {
        Some(("http", host)) => Ok(format!("ws://{host}")),
        Some(("https", host)) => Ok(format!("wss://{host}")),
        _ => Err(format!(
            "live market {url:?} must be an address, for example live:https://api.binance.com"
        )),
    }
}

/// A filter's field of a symbol in `exchangeInfo`.
fn filter<'a>(symbol: &'a Value, kind: &str, field: &str) -> Option<&'a str> {
    let filters = symbol["filters"].as_array()?;
    filters.iter().find(|filter| filter["filterType"] == kind)?[field].as_str()
}

/// The listing that a server describes; filters are those that keep a client honest.
fn listing(symbol: &Value, model: QueueModel) -> Option<Listing> {
    let name = symbol["symbol"].as_str()?.parse().ok()?;
    let base = symbol["baseAsset"].as_str()?.parse().ok()?;
    let quote = symbol["quoteAsset"].as_str()?.parse().ok()?;
    let tick = filter(symbol, "PRICE_FILTER", "tickSize")?.parse().ok()?;
    let step = filter(symbol, "LOT_SIZE", "stepSize")?.parse().ok()?;
    let mut listing = Listing::new(name, (base, quote), tick, step);
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<domain::Amount>().ok());
    let min = number(filter(symbol, "NOTIONAL", "minNotional"));
    listing.liquidity = Liquidity::External(model);
    listing.filters.tick_multiple = 1;
    listing.filters.lot_size.multiple = 1;
    listing.filters.lot_size.min_lots = 1;
    listing.filters.orders_max = 200;
    listing.filters.algo_orders_max = 5;
    if let Some(min) = min.and_then(|min| matching::money::atoms_of(min.decimal())) {
        listing.filters.notional = Some(matching::NotionalFilter {
            min,
            max: 0,
            min_applies_to_market: true,
            max_applies_to_market: false,
            average_minutes: 5,
        });
    }
    let fee = "0.001".parse().ok()?;
    listing.fees = matching::Fees::from_rates(fee, fee);
    Some(listing)
}

/// Asks a server what it trades; gives what is to be followed.
pub(crate) async fn describe(
    url: &str,
    symbols: &[String],
    model: QueueModel,
) -> Result<Vec<Follow>, String> {
    let url = url.trim_end_matches('/');
    let streams = stream_base(url)?;
    if symbols.is_empty() {
        return Err("a live market needs --symbols, for example BTCUSDT".to_owned());
    }
    let text = fetch(&format!("{url}/api/v3/exchangeInfo")).await?;
    let info: Value = serde_json::from_str(&text).map_err(words)?;
    let known = info["symbols"].as_array().cloned().unwrap_or_default();
    let mut follows = Vec::with_capacity(symbols.len());
    for name in symbols {
        let symbol = known.iter().find(|symbol| symbol["symbol"] == name.as_str());
        let listing = symbol.and_then(|symbol| listing(symbol, model));
        let listing = listing.ok_or_else(|| format!("{url} does not trade {name:?}"))?;
        let grid = Grid::of(&listing).ok_or_else(|| format!("{name}: the grid is too fine"))?;
        let lower = name.to_lowercase();
        follows.push(Follow {
            listing,
            grid,
            snapshot_url: format!("{url}/api/v3/depth?symbol={name}&limit=5000"),
            stream_url: format!("{streams}/stream?streams={lower}@depth@100ms/{lower}@trade"),
        });
    }
    Ok(follows)
}

/// Follows a symbol until the venue stops.
pub(crate) async fn run(follow: Follow, id: SymbolId, mailbox: Mailbox, stop: CancellationToken) {
    let mut pause = PAUSE.0;
    loop {
        let mut joined = Joined::new();
        let ended = tokio::select! {
            ended = follow.listen(id, &mailbox, &mut joined) => ended,
            () = stop.cancelled() => return,
        };
        pause = if joined.is_in_step() { PAUSE.0 } else { (pause * 2).min(PAUSE.1) };
        let symbol = follow.listing.symbol.as_str();
        tracing::warn!(symbol, error = ended.unwrap_or_default(), "the live feed is lost");
        let mut data = Vec::new();
        joined.lose(&mut data);
        tell(id, &mailbox, data).await;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn tell(symbol: SymbolId, mailbox: &Mailbox, data: Vec<External>) {
    if data.is_empty() {
        return;
    }
    let refused = mailbox.act(move |core| {
        let commands = data.into_iter().map(|data| Command::External { symbol, data });
        commands.filter_map(|command| core.apply(command).err()).count()
    });
    if let Some(count) = refused.await.filter(|count| *count > 0) {
        tracing::warn!(count, "the exchange refused what the live feed said");
    }
}

// === impl Follow ===

impl Follow {
    /// Listens until the connection ends or updates are missing; gives why.
    async fn listen(&self, id: SymbolId, mailbox: &Mailbox, joined: &mut Joined) -> Option<String> {
        let connected = tokio_tungstenite::connect_async(&self.stream_url).await;
        let (mut socket, _) = match connected {
            Ok(connected) => connected,
            Err(error) => return Some(error.to_string()),
        };
        // Diffs are heard before the snapshot is fetched, so that none is missing between.
        let mut snapshot = Some(Box::pin(fetch(&self.snapshot_url)));
        loop {
            let text = tokio::select! {
                text = async { match &mut snapshot {
                    Some(fetching) => fetching.await,
                    None => std::future::pending().await,
                } } => {
                    snapshot = None;
                    match text {
                        Ok(text) => text,
                        Err(error) => return Some(error),
                    }
                }
                frame = tokio::time::timeout(SILENCE, socket.next()) => match frame {
                    Ok(Some(Ok(Frame::Text(text)))) => text.as_str().to_owned(),
                    Ok(Some(Ok(_))) => continue,
                    Ok(Some(Err(error))) => return Some(error.to_string()),
                    Ok(None) => return None,
                    Err(_) => return Some("nothing came in 30 seconds".to_owned()),
                },
            };
            let line = format!("0 {text}");
            let symbol = self.listing.symbol.as_str();
            let message: Message = match record(line.as_bytes(), symbol, self.grid) {
                Ok(record) => record.message,
                Err(error) => {
                    tracing::warn!(%error, "a message of the live feed is not understood");
                    continue;
                }
            };
            let was_in_step = joined.is_in_step();
            let mut data = Vec::new();
            joined.hear(message, &mut data);
            tell(id, mailbox, data).await;
            if was_in_step && !joined.is_in_step() {
                return Some("updates are missing".to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_found_beside_the_rest_address() {
        assert_eq!(stream_base("http://127.0.0.1:9600").unwrap(), "ws://127.0.0.1:9600");
        assert_eq!(
            stream_base("https://api.binance.com").unwrap(),
            "wss://stream.binance.com:9443"
        );
        assert!(stream_base("binance").unwrap_err().contains("must be an address"));
    }
}
