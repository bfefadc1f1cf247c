//! The names of streams and what they mean.

use std::collections::BTreeMap;

use matching::SymbolId;

use crate::tape::Interval;

/// A public stream of one symbol, or of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Topic {
    /// `None` for all symbols together.
    pub(crate) symbol: Option<SymbolId>,
    pub(crate) feed: Feed,
}

/// What a stream tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Feed {
    Trade,
    AggTrade,
    BookTicker,
    MiniTicker,
    Ticker,
    /// Statistics of so many hours.
    WindowTicker(u8),
    AvgPrice,
    ReferencePrice,
    BlockTrade,
    /// The best levels; every 100 ms when fast, else every second.
    Partial {
        levels: u16,
        is_fast: bool,
    },
    /// Changes of the book.
    Diff {
        is_fast: bool,
    },
    Kline {
        interval: Interval,
        shift: i64,
    },
}

// === impl Topic ===

impl Topic {
    /// Reads a stream's name. `Ok(None)` is a well-formed name of something that does not exist,
    /// which the venue takes and never speaks on; `Err` is no name at all.
    pub(crate) fn parse(
        name: &str,
        symbols: &BTreeMap<String, SymbolId>,
    ) -> Result<Option<Self>, ()> {
        let legal = |c: char| c.is_alphanumeric() || "@!_+:.-".contains(c);
        if name.is_empty() || name.len() > 200 || !name.chars().all(legal) {
            return Err(());
        }
        let all = |feed| Ok(Some(Self { symbol: None, feed }));
        match name {
            "!miniTicker@arr" => return all(Feed::MiniTicker),
            "!bookTicker" => return all(Feed::BookTicker),
            "!ticker_1h@arr" => return all(Feed::WindowTicker(1)),
            "!ticker_4h@arr" => return all(Feed::WindowTicker(4)),
            "!ticker_1d@arr" => return all(Feed::WindowTicker(24)),
            _ => {}
        }
        let Some((symbol, kind)) = name.split_once('@') else { return Ok(None) };
        let Some(symbol) = symbols.get(symbol).copied() else { return Ok(None) };
        Ok(feed(kind).map(|feed| Self { symbol: Some(symbol), feed }))
    }
}

fn feed(kind: &str) -> Option<Feed> {
    let fixed = match kind {
        "trade" => Feed::Trade,
        "aggTrade" => Feed::AggTrade,
        "bookTicker" => Feed::BookTicker,
        "miniTicker" => Feed::MiniTicker,
        "ticker" => Feed::Ticker,
        "ticker_1h" => Feed::WindowTicker(1),
        "ticker_4h" => Feed::WindowTicker(4),
        "ticker_1d" => Feed::WindowTicker(24),
        "avgPrice" => Feed::AvgPrice,
        "referencePrice" => Feed::ReferencePrice,
        "blockTrade" => Feed::BlockTrade,
        "depth" | "depth@1000ms" => Feed::Diff { is_fast: false },
        "depth@100ms" => Feed::Diff { is_fast: true },
        _ => {
            if let Some(rest) = kind.strip_prefix("kline_") {
                let (interval, zone) = rest.split_once('@').unwrap_or((rest, "0"));
                let shift = crate::tape::zone_millis(zone)?;
                return Some(Feed::Kline { interval: Interval::from_text(interval)?, shift });
            }
            let rest = kind.strip_prefix("depth")?;
            let (levels, speed) = rest.split_once('@').unwrap_or((rest, "1000ms"));
            let is_fast = match speed {
                "100ms" => true,
                "1000ms" => false,
                _ => return None,
            };
            let levels = levels.parse().ok().filter(|n| matches!(n, 5 | 10 | 20))?;
            return Some(Feed::Partial { levels, is_fast });
        }
    };
    Some(fixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_the_protocol_says_and_nothing_else() {
        let symbols = BTreeMap::from([("btcusdt".to_owned(), SymbolId(3))]);
        let parse = |name: &str| Topic::parse(name, &symbols);
        let own = |feed| Ok(Some(Topic { symbol: Some(SymbolId(3)), feed }));
        assert_eq!(parse("btcusdt@trade"), own(Feed::Trade));
        assert_eq!(parse("btcusdt@depth"), own(Feed::Diff { is_fast: false }));
        assert_eq!(parse("btcusdt@depth@100ms"), own(Feed::Diff { is_fast: true }));
        assert_eq!(
            parse("btcusdt@depth20@100ms"),
            own(Feed::Partial { levels: 20, is_fast: true })
        );
        let minute = Interval::Fixed(60_000);
        let kline = Feed::Kline { interval: minute, shift: 28_800_000 };
        assert_eq!(parse("btcusdt@kline_1m@+08:00"), own(kline));
        assert_eq!(
            parse("!miniTicker@arr"),
            Ok(Some(Topic { symbol: None, feed: Feed::MiniTicker }))
        );
        for silent in ["ethusdt@trade", "btcusdt@depth7", "btcusdt@kline_2m", "listenkey"] {
            assert_eq!(parse(silent), Ok(None), "{silent}");
        }
        for bad in ["", "a b", "a\"b", "<x>"] {
            assert_eq!(parse(bad), Err(()), "{bad:?}");
        }
    }
}
