//! What is asked of the agent in a campaign: every kind of order and of change, by seed.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::draws::Draws;

/// The markets.
pub(crate) const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];

/// Open orders that are remembered for a later change.
const OPEN_MAX: usize = 64;

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wish {
    pub(crate) tool: &'static str,
    pub(crate) args: Value,
    /// How many orders it makes if it makes any.
    pub(crate) makes: usize,
}

/// The best prices of a market, in hundredths of the quote asset, the tick of all three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Touch {
    pub(crate) bid: u64,
    pub(crate) ask: u64,
}

/// Decides what is asked next.
#[derive(Debug)]
pub(crate) struct Mind {
    draws: Draws,
    /// Orders that were open when they were last heard of: symbol, name, quantity in steps.
    open: VecDeque<(usize, String, u64)>,
}

/// How small a market's quantities are: the size of an order in steps, and the places of a step.
const SIZES: [(u64, u32); 3] = [(50, 5), (100, 4), (200, 3)];

// === impl Mind ===

impl Mind {
    /// One that decides by this seed; `stream` separates those who ask at the same time.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self { draws: Draws::new(seed, stream), open: VecDeque::new() }
    }

    /// In which market the next wish is.
    pub(crate) fn market(&mut self) -> usize {
        usize::try_from(self.draws.below(3)).unwrap_or_default()
    }

    /// The next wish in a market.
    pub(crate) fn wish(&mut self, market: usize, touch: Touch) -> Wish {
        match self.draws.below(100) {
            0..25 => self.place(market, &json!({ "order_type": "market" })),
            25..45 => self.limit(market, touch, "GTC"),
            45..53 => self.limit(market, touch, "IOC"),
            53..59 => self.limit(market, touch, "FOK"),
            59..67 => self.stop(market, touch),
            67..73 => self.exits(market, touch),
            73..77 => self.bracket(market, touch),
            77..88 => self.change(market, touch, "cancel_order"),
            88..91 => {
                let args = json!({ "exchange": "paper", "symbol": symbol(market) });
                Wish { tool: "cancel_all_orders", args, makes: 0 }
            }
            91..96 => self.change(market, touch, "price"),
            _ => self.change(market, touch, "quantity"),
        }
    }

    /// Remembers an order that may be open.
    pub(crate) fn learn(&mut self, market: usize, answer: &Value) {
        let orders = answer["orders"].as_array().cloned().unwrap_or_default();
        let one = answer.get("order").unwrap_or(answer);
        for order in orders.iter().chain(std::iter::once(one)) {
            if order["state"] != "open" || order["order_type"] != "limit" {
                continue;
            }
            let Some(name) = order["client_order_id"].as_str() else { continue };
            let (steps, _) = size(market);
            self.open.push_back((market, name.to_owned(), steps));
            if self.open.len() > OPEN_MAX {
                self.open.pop_front();
            }
        }
    }

    fn side(&mut self) -> &'static str {
        if self.draws.below(2) == 0 { "buy" } else { "sell" }
    }

    fn place(&mut self, market: usize, kind: &Value) -> Wish {
        let side = self.side();
        placed(market, side, kind)
    }

    fn limit(&mut self, market: usize, touch: Touch, waits: &str) -> Wish {
        let side = self.side();
        // Up to a tenth of a percent on either side of the touch: some trade at once.
        let width = touch.bid / 1_000;
        let price = touch.bid.saturating_sub(width).saturating_add(self.draws.below(2 * width));
        let kind = json!({ "order_type": "limit", "price": cents(price), "time_in_force": waits });
        placed(market, side, &kind)
    }

    fn stop(&mut self, market: usize, touch: Touch) -> Wish {
        let away = 1 + self.draws.below(20);
        let (below, under) = (down(touch.bid, away), down(touch.bid, away + 5));
        let kind = match self.draws.below(3) {
            0 => json!({ "order_type": "stop_loss", "trigger_price": cents(below) }),
            1 => json!({ "order_type": "stop_loss_limit", "trigger_price": cents(below),
                "price": cents(under) }),
            _ => {
                json!({ "order_type": "take_profit", "trigger_price": cents(up(touch.ask, away)) })
            }
        };
        placed(market, "sell", &kind)
    }

    fn exits(&mut self, market: usize, touch: Touch) -> Wish {
        let away = 1 + self.draws.below(20);
        let args = json!({
            "exchange": "paper", "symbol": symbol(market), "list_type": "oco", "side": "sell",
            "quantity": quantity(market, size(market).0),
            "above": { "order_type": "limit_maker", "price": cents(up(touch.ask, away)) },
            "below": { "order_type": "stop_loss", "trigger_price": cents(down(touch.bid, away)) },
        });
        Wish { tool: "place_order_list", args, makes: 2 }
    }

    fn bracket(&mut self, market: usize, touch: Touch) -> Wish {
        let away = 1 + self.draws.below(10);
        let steps = size(market).0;
        let working = down(touch.bid, self.draws.below(3));
        let args = json!({
            "exchange": "paper", "symbol": symbol(market), "list_type": "otoco", "side": "buy",
            "quantity": quantity(market, steps),
            "exit_quantity": quantity(market, steps - steps / 50),
            "working": { "order_type": "limit", "price": cents(working) },
            "above": { "order_type": "limit_maker", "price": cents(up(touch.ask, away)) },
            "below": { "order_type": "stop_loss", "trigger_price": cents(down(touch.bid, away + 5)) },
        });
        Wish { tool: "place_order_list", args, makes: 3 }
    }

    /// Changes an order that was open, or where there is none places one.
    fn change(&mut self, market: usize, touch: Touch, how: &str) -> Wish {
        let Some(at) = self.open.iter().rposition(|(of, ..)| *of == market) else {
            return self.limit(market, touch, "GTC");
        };
        let keeps = how == "quantity";
        let Some((_, name, steps)) = self.open.remove(at) else {
            return self.limit(market, touch, "GTC");
        };
        let mut args =
            json!({ "exchange": "paper", "symbol": symbol(market), "client_order_id": name });
        if how == "cancel_order" {
            return Wish { tool: "cancel_order", args, makes: 0 };
        }
        if keeps {
            let less = steps - 1 - self.draws.below(3);
            args["quantity"] = json!(quantity(market, less));
            self.open.push_front((market, name, less));
            return Wish { tool: "modify_order", args, makes: 0 };
        }
        args["price"] = json!(cents(down(touch.bid, self.draws.below(4))));
        Wish { tool: "modify_order", args, makes: 1 }
    }
}

fn symbol(market: usize) -> &'static str {
    SYMBOLS.get(market).copied().unwrap_or("BTCUSDT")
}

fn size(market: usize) -> (u64, u32) {
    SIZES.get(market).copied().unwrap_or((50, 5))
}

fn placed(market: usize, side: &str, kind: &Value) -> Wish {
    let mut args = kind.clone();
    args["exchange"] = json!("paper");
    args["symbol"] = json!(symbol(market));
    args["side"] = json!(side);
    args["quantity"] = json!(quantity(market, size(market).0));
    Wish { tool: "place_order", args, makes: 1 }
}

/// A count of steps as a quantity.
pub(crate) fn quantity(market: usize, steps: u64) -> String {
    let (_, places) = size(market);
    decimal(steps, places)
}

/// Hundredths as a price.
pub(crate) fn cents(price: u64) -> String {
    decimal(price, 2)
}

fn decimal(units: u64, places: u32) -> String {
    let one = 10_u64.pow(places);
    let width = usize::try_from(places).unwrap_or_default();
    format!("{}.{:0width$}", units / one, units % one)
}

/// So many hundredths of a percent less.
fn down(price: u64, bips: u64) -> u64 {
    price.saturating_sub(price.saturating_mul(bips) / 10_000)
}

/// So many hundredths of a percent more.
fn up(price: u64, bips: u64) -> u64 {
    price.saturating_add(price.saturating_mul(bips) / 10_000)
}

/// A price in hundredths; `None` when it is none.
pub(crate) fn in_cents(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part: String = part.chars().chain("00".chars()).take(2).collect();
    whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(part.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_asks_for_the_same_and_for_every_kind() {
        let touch = Touch { bid: 6_000_000, ask: 6_000_001 };
        let row = |seed| {
            let mut mind = Mind::new(seed, 0);
            (0..300).map(|_| mind.wish(0, touch)).collect::<Vec<_>>()
        };
        assert_eq!(row(1), row(1));
        assert_ne!(row(1), row(2));
        let wishes = row(1);
        for kind in ["market", "limit", "stop_loss", "stop_loss_limit", "take_profit"] {
            let is_it = |wish: &Wish| wish.args["order_type"] == kind;
            assert!(wishes.iter().any(is_it), "no {kind}");
        }
        for tool in ["place_order_list", "cancel_all_orders"] {
            assert!(wishes.iter().any(|wish| wish.tool == tool), "no {tool}");
        }
    }

    #[test]
    fn prices_and_quantities_are_written_to_the_step() {
        assert_eq!(quantity(0, 50), "0.00050");
        assert_eq!(cents(6_000_005), "60000.05");
        assert_eq!((in_cents("60000.05"), in_cents("60000.5")), (Some(6_000_005), Some(6_000_050)));
        assert_eq!((in_cents("7"), in_cents("x"), in_cents("")), (Some(700), None, None));
    }
}
