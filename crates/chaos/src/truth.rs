//! What the venue's own ledger says happened to one account.
//!
//! Money is in atoms, 10^-12 of an asset, as the ledger writes it, so nothing is rounded.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Error;

/// What happened to an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Truth {
    /// Orders by symbol and number.
    pub(crate) orders: BTreeMap<(String, u64), TrueOrder>,
    /// Free and locked together, by asset.
    pub(crate) balances: BTreeMap<String, i128>,
    /// What was paid in, by asset.
    pub(crate) paid_in: BTreeMap<String, i128>,
    /// The requests, in the order in which they came.
    pub(crate) requests: Vec<TrueRequest>,
    /// How often faults struck, by kind.
    pub(crate) faults: BTreeMap<String, u64>,
}

/// An order as the venue has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrueOrder {
    /// What its sender called it.
    pub(crate) client_id: String,
    /// The venue's word for its state.
    pub(crate) status: String,
    /// Its trades, by number.
    pub(crate) fills: BTreeMap<u64, TrueFill>,
}

/// A trade as the venue has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrueFill {
    /// What it was worth, in quote asset.
    pub(crate) value: i128,
    /// What it cost.
    pub(crate) fee: i128,
    /// In which asset.
    pub(crate) fee_asset: String,
}

/// A request that reached the venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrueRequest {
    /// `POST`, `DELETE`, `WS`.
    pub(crate) method: String,
    /// Which operation.
    pub(crate) path: String,
    /// When it came, in nanoseconds since 1970.
    pub(crate) at: i64,
    /// Whether the venue did what was asked.
    pub(crate) is_done: bool,
}

#[derive(Deserialize)]
struct Told {
    forgotten: u64,
    entries: Vec<Box<RawValue>>,
    balances: Vec<Balance>,
}

#[derive(Deserialize)]
struct Balance {
    account: u32,
    asset: String,
    free_atoms: String,
    locked_atoms: String,
}

#[derive(Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
enum Entry {
    Transfer {
        account: u32,
        asset: String,
        atoms: String,
    },
    Command {
        account: Option<u32>,
        method: String,
        path: String,
        at: i64,
        is_done: bool,
    },
    Order {
        account: u32,
        symbol: String,
        order_id: u64,
        client_id: String,
        status: String,
        fill: Option<FillEntry>,
    },
    Fault {
        kind: String,
    },
    #[serde(other)]
    Else,
}

#[derive(Deserialize)]
struct FillEntry {
    trade_id: u64,
    quote_atoms: String,
    commission_atoms: String,
    commission_asset: String,
}

// === impl Truth ===

impl Truth {
    /// Reads a ledger; `account` is the venue's number of the account.
    ///
    /// # Errors
    /// When it is not such a ledger, or has forgotten what it began with.
    pub(crate) fn read(json: &str, account: u32) -> Result<Self, Error> {
        let told: Told = serde_json::from_str(json)?;
        if told.forgotten > 0 {
            let why = format!("the venue has forgotten its first {} entries", told.forgotten);
            return Err(why.into());
        }
        let mut truth = Self::default();
        for balance in told.balances.into_iter().filter(|balance| balance.account == account) {
            let sum = atoms(&balance.free_atoms)?.saturating_add(atoms(&balance.locked_atoms)?);
            truth.balances.insert(balance.asset, sum);
        }
        for entry in told.entries {
            truth.take(serde_json::from_str(entry.get())?, account)?;
        }
        Ok(truth)
    }

    fn take(&mut self, entry: Entry, mine: u32) -> Result<(), Error> {
        match entry {
            Entry::Transfer { account, asset, atoms: amount } if account == mine => {
                let sum = self.paid_in.entry(asset).or_default();
                *sum = sum.saturating_add(atoms(&amount)?);
            }
            Entry::Command { account: Some(account), method, path, at, is_done }
                if account == mine =>
            {
                self.requests.push(TrueRequest { method, path, at, is_done });
            }
            Entry::Order { account, symbol, order_id, client_id, status, fill }
                if account == mine =>
            {
                let fresh =
                    || TrueOrder { client_id, status: String::new(), fills: BTreeMap::new() };
                let order = self.orders.entry((symbol, order_id)).or_insert_with(fresh);
                order.status = status;
                if let Some(fill) = fill {
                    let known = TrueFill {
                        value: atoms(&fill.quote_atoms)?,
                        fee: atoms(&fill.commission_atoms)?,
                        fee_asset: fill.commission_asset,
                    };
                    order.fills.insert(fill.trade_id, known);
                }
            }
            Entry::Fault { kind } => {
                let count = self.faults.entry(kind).or_default();
                *count = count.saturating_add(1);
            }
            Entry::Transfer { .. } | Entry::Command { .. } | Entry::Order { .. } | Entry::Else => {}
        }
        Ok(())
    }

    /// How many trades there were.
    pub(crate) fn trades(&self) -> usize {
        self.orders.values().map(|order| order.fills.len()).sum()
    }

    /// How many faults struck.
    pub(crate) fn struck(&self) -> u64 {
        self.faults.values().sum()
    }

    /// The requests that make an order, and those that the venue carried out.
    pub(crate) fn placing(&self) -> impl Iterator<Item = &TrueRequest> {
        self.requests.iter().filter(|request| {
            let by_rest = request.method == "POST" && request.path.starts_with("/api/v3/order");
            by_rest || request.path.starts_with("order")
        })
    }
}

// === impl TrueOrder ===

impl TrueOrder {
    /// Whether nothing more can happen to it.
    pub(crate) fn is_over(&self) -> bool {
        !matches!(self.status.as_str(), "NEW" | "PARTIALLY_FILLED" | "PENDING_NEW")
    }
}

fn atoms(text: &str) -> Result<i128, Error> {
    text.parse().map_err(|error| format!("{text:?} is no count of atoms: {error}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_about_an_order_counts_and_other_accounts_do_not() {
        let order = |account: u32, status: &str, fill: &str| {
            format!(
                r#"{{"entry":"order","account":{account},"symbol":"BTCUSDT","order_id":7,
                    "client_id":"b4-1","status":"{status}","fill":{fill}}}"#
            )
        };
        let fill =
            r#"{"trade_id":3,"quote_atoms":"60","commission_atoms":"1","commission_asset":"BTC"}"#;
        let entries = [
            order(1, "NEW", "null"),
            order(2, "CANCELED", "null"),
            order(1, "FILLED", fill),
            r#"{"entry":"transfer","account":1,"asset":"USDT","atoms":"5"}"#.to_owned(),
            r#"{"entry":"mark","symbol":"BTCUSDT"}"#.to_owned(),
        ]
        .join(",");
        let json = format!(
            r#"{{"count":5,"forgotten":0,"entries":[{entries}],"balances":[
                {{"account":1,"asset":"USDT","free_atoms":"3","locked_atoms":"4"}}]}}"#
        );
        let truth = Truth::read(&json, 1).unwrap();
        let told = &truth.orders[&("BTCUSDT".to_owned(), 7)];
        assert_eq!((told.status.as_str(), told.fills[&3].value), ("FILLED", 60));
        assert!(told.is_over());
        assert_eq!((truth.balances["USDT"], truth.paid_in["USDT"]), (7, 5));
    }

    #[test]
    fn a_ledger_that_has_forgotten_proves_nothing() {
        let error = Truth::read(r#"{"forgotten":2,"entries":[],"balances":[]}"#, 1).unwrap_err();
        assert_eq!(error.to_string(), "the venue has forgotten its first 2 entries");
    }
}
