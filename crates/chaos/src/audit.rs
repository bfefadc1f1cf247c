//! Compares the journal with the venue's ledger, order by order, trade by trade, unit by unit.
//!
//! The journal is read through a connection of its own, as another process has it. What an agent
//! books as paid in is compared with what was paid in, so that a lost trade cannot hide as one.

use std::collections::BTreeMap;

use domain::{Amount, Decimal, Fill, Side};
use journal::{Journal, OrderFilter, PAGE_MAX};
use orders::{Order, OrderState};
use wire::{Code, Failure};

use crate::truth::{TrueOrder, Truth};
use crate::{Breaches, Error};

/// The account in every campaign.
pub(crate) const ACCOUNT: &str = "paper";

/// What every asset is paid with.
const QUOTE: &str = "USDT";

/// Atoms are 10^-12 of an asset.
const ATOM_PLACES: u32 = 12;

/// The most orders that a campaign makes with one journal.
const ORDERS_MAX: u32 = 100_000;

/// How the names of the house's own orders begin. A venue's own names have no dash, and some of
/// them begin with the same letter and digit by chance.
const OURS: [&str; 3] = ["b4-", "b4h-", "b4l-"];

/// What the journal holds.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) orders: Vec<Order>,
    fills: Vec<Fill>,
    paid_in: BTreeMap<String, i128>,
    /// What the venue calls an order that was adopted, by our name.
    found_as: BTreeMap<String, String>,
}

/// Something that was asked for, and what was answered.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The command.
    pub(crate) id: String,
    /// The tool.
    pub(crate) tool: &'static str,
    /// The number of orders that it makes if it makes any; zero for one that makes none.
    pub(crate) makes: usize,
    /// What came back: the names of the orders, or why not.
    pub(crate) answer: Result<serde_json::Value, Failure>,
}

// === impl Record ===

impl Record {
    /// Reads all that the journal holds of the account.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn read(journal: &Journal) -> Result<Self, Error> {
        let orders = journal.load_orders(ACCOUNT, &OrderFilter::default(), ORDERS_MAX).await?;
        let (mut fills, mut after) = (Vec::new(), 0);
        loop {
            let page = journal.load_fills(ACCOUNT, None, after, PAGE_MAX).await?;
            let next = page.next_after();
            fills.extend(page.rows);
            let Some(next) = next else { break };
            after = next;
        }
        let (mut paid_in, mut after) = (BTreeMap::new(), 0);
        loop {
            let page = journal.load_deposits(ACCOUNT, after, PAGE_MAX).await?;
            for deposit in &page.rows {
                let sum: &mut i128 = paid_in.entry(deposit.asset.to_string()).or_default();
                *sum = sum.saturating_add(atoms(deposit.amount)?);
            }
            let Some(next) = page.next_after() else { break };
            after = next;
        }
        let mut found_as = BTreeMap::new();
        for order in &orders {
            let id = &order.request().client_order_id;
            if let Some(found) = journal.found_as(id).await? {
                found_as.insert(id.to_string(), found);
            }
        }
        Ok(Self { orders, fills, paid_in, found_as })
    }

    /// How many orders are in each state.
    pub(crate) fn states(&self) -> BTreeMap<&'static str, usize> {
        let mut states = BTreeMap::new();
        for order in &self.orders {
            let count: &mut usize = states.entry(order.state().name()).or_default();
            *count = count.saturating_add(1);
        }
        states
    }

    /// How many orders were adopted.
    pub(crate) fn adopted(&self) -> usize {
        self.found_as.len()
    }

    /// Compares with the truth.
    ///
    /// # Errors
    /// When an amount has more places than an atom.
    pub(crate) fn against(&self, truth: &Truth) -> Result<Breaches, Error> {
        let mut found = Breaches::default();
        let known = self.by_number(&mut found);
        for (number, told) in &truth.orders {
            match known.get(number) {
                Some(order) => compare_order(number, order, told, &mut found)?,
                None => found.orphans.push(of(number, told)),
            }
        }
        for (number, order) in &known {
            if !truth.orders.contains_key(number) {
                let id = &order.request().client_order_id;
                found.phantoms.push(format!("{} {} ({id})", number.0, number.1));
            }
        }
        self.look_for_doubles(truth, &mut found);
        self.look_for_false_rejects(truth, &mut found);
        for order in &self.orders {
            let state = order.state();
            let open = [OrderState::Intended, OrderState::Sent].contains(&state);
            if open || matches!(state, OrderState::Unknown { .. }) {
                let id = &order.request().client_order_id;
                found.unknown.push(format!("{id} is {}", state.name()));
            }
        }
        self.compare_money(truth, &mut found)?;
        Ok(found)
    }

    fn by_number(&self, found: &mut Breaches) -> BTreeMap<(String, u64), &Order> {
        let mut known = BTreeMap::new();
        for order in &self.orders {
            let request = order.request();
            let Some(number) = order.order_id() else { continue };
            let before = known.insert((request.symbol.to_string(), number.0), order);
            if let Some(before) = before {
                let (one, other) = (&before.request().client_order_id, &request.client_order_id);
                let what = format!("order {} is on record as {one} and as {other}", number.0);
                found.duplicates.push(what);
            }
        }
        known
    }

    /// One wish, one order: by name at the venue, by command in the journal.
    fn look_for_doubles(&self, truth: &Truth, found: &mut Breaches) {
        let mut named: BTreeMap<&str, usize> = BTreeMap::new();
        for told in truth.orders.values().filter(|told| is_ours(&told.client_id)) {
            let count = named.entry(&told.client_id).or_default();
            *count = count.saturating_add(1);
        }
        let doubles = named.into_iter().filter(|(_, count)| *count > 1);
        found
            .duplicates
            .extend(doubles.map(|(name, count)| format!("{name} was sent {count} times")));
        let mut made: BTreeMap<&str, usize> = BTreeMap::new();
        for order in self.orders.iter().filter(|order| order.list().is_none()) {
            let count = made.entry(order.command_id().as_str()).or_default();
            *count = count.saturating_add(1);
        }
        let doubles = made.into_iter().filter(|(_, count)| *count > 1);
        found.duplicates.extend(doubles.map(|(id, count)| format!("{id} made {count} orders")));
        let taken_for_foreign = self.found_as.iter().filter(|(_, name)| is_ours(name));
        let says = |(id, name): (&String, &String)| format!("our {name} was adopted as {id}");
        found.duplicates.extend(taken_for_foreign.map(says));
    }

    fn look_for_false_rejects(&self, truth: &Truth, found: &mut Breaches) {
        let at_venue: BTreeMap<&str, &TrueOrder> =
            truth.orders.values().map(|told| (told.client_id.as_str(), told)).collect();
        for order in &self.orders {
            let id = order.request().client_order_id.as_str();
            if let OrderState::Rejected { code, message } = order.state()
                && let Some(told) = at_venue.get(id)
            {
                let what = format!("{id} is rejected ({code} {message}) and {}", told.status);
                found.false_rejects.push(what);
            }
        }
    }

    fn compare_money(&self, truth: &Truth, found: &mut Breaches) -> Result<(), Error> {
        let mut sums = self.paid_in.clone();
        let mut add = |asset: &str, amount: i128| {
            let sum = sums.entry(asset.to_owned()).or_default();
            *sum = sum.saturating_add(amount);
        };
        for fill in &self.fills {
            let base = fill.symbol.as_str().trim_end_matches(QUOTE).to_owned();
            let size = atoms(fill.quantity.amount())?;
            let value = atoms(fill.price.notional(fill.quantity)?)?;
            let sign = if fill.side == Side::Buy { 1 } else { -1 };
            add(&base, size.saturating_mul(sign));
            add(QUOTE, value.saturating_mul(sign).saturating_neg());
            add(fill.fee_asset.as_str(), atoms(fill.fee)?.saturating_neg());
        }
        compare_sums("the balance of", &sums, &truth.balances, found);
        compare_sums("what was paid in of", &self.paid_in, &truth.paid_in, found);
        let trades = truth.trades();
        if self.fills.len() != trades {
            let ours = self.fills.len();
            found.losses.push(format!("the journal has {ours} trades and the venue {trades}"));
        }
        Ok(())
    }

    /// Compares what callers were told with the truth.
    pub(crate) fn answers(&self, asked: &[Asked], truth: &Truth) -> Breaches {
        let mut found = Breaches::default();
        let mut of_command: BTreeMap<&str, Vec<&Order>> = BTreeMap::new();
        for order in &self.orders {
            of_command.entry(order.command_id().as_str()).or_default().push(order);
        }
        let at_venue = |order: &&&Order| {
            let id = order.request().client_order_id.as_str();
            truth.orders.values().any(|told| told.client_id == id)
        };
        for Asked { id, tool, makes, answer } in asked.iter().filter(|asked| asked.makes > 0) {
            let made = of_command.get(id.as_str()).map_or(&[][..], Vec::as_slice);
            let there = made.iter().filter(at_venue).count();
            match answer {
                Ok(_) if there != *makes => {
                    let what = format!("{tool} {id} was ok and made {there} of {makes} orders");
                    found.phantoms.push(what);
                }
                Err(failure) if there > 0 && is_no(failure) => {
                    found.false_rejects.push(format!("{tool} {id} made {there} orders: {failure}"));
                }
                _ if there > *makes => {
                    found.duplicates.push(format!("{tool} {id} made {there} orders"));
                }
                _ => {}
            }
        }
        found
    }
}

/// Whether an order of this name is one of the house's own.
fn is_ours(name: &str) -> bool {
    OURS.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a failure says that nothing was placed.
fn is_no(failure: &Failure) -> bool {
    matches!(failure.code, Code::Refused | Code::Unavailable | Code::InvalidParams)
}

fn of(number: &(String, u64), told: &TrueOrder) -> String {
    format!("{} {} ({}) is {}", number.0, number.1, told.client_id, told.status)
}

fn compare_order(
    number: &(String, u64),
    order: &Order,
    told: &TrueOrder,
    found: &mut Breaches,
) -> Result<(), Error> {
    let expected = match told.status.as_str() {
        "FILLED" => "filled",
        "CANCELED" => "canceled",
        "EXPIRED" | "EXPIRED_IN_MATCH" => "expired",
        _ => "open",
    };
    let state = order.state();
    let is_unknown = matches!(state, OrderState::Unknown { .. } | OrderState::Rejected { .. });
    // Those are counted for themselves.
    if state.name() != expected && !is_unknown {
        found.losses.push(format!("{} and on record {}", of(number, told), state.name()));
    }
    let ours: BTreeMap<u64, &Fill> = order.fills().map(|fill| (fill.trade_id, fill)).collect();
    for (trade, fill) in &told.fills {
        let Some(known) = ours.get(trade) else {
            found.losses.push(format!("trade {trade} of {}", of(number, told)));
            continue;
        };
        let value = atoms(known.price.notional(known.quantity)?)?;
        let same = value == fill.value
            && atoms(known.fee)? == fill.fee
            && known.fee_asset.as_str() == fill.fee_asset;
        if !same {
            found.losses.push(format!("trade {trade} of {} has other numbers", of(number, told)));
        }
    }
    for trade in ours.keys().filter(|trade| !told.fills.contains_key(trade)) {
        found.phantoms.push(format!("trade {trade} of {}", of(number, told)));
    }
    Ok(())
}

fn compare_sums(
    what: &str,
    ours: &BTreeMap<String, i128>,
    theirs: &BTreeMap<String, i128>,
    found: &mut Breaches,
) {
    let mut assets: Vec<&String> = ours.keys().chain(theirs.keys()).collect();
    assets.sort();
    assets.dedup();
    for asset in assets {
        let of = |sums: &BTreeMap<String, i128>| sums.get(asset).copied().unwrap_or_default();
        let (ours, theirs) = (of(ours), of(theirs));
        if ours != theirs {
            let off = ours.saturating_sub(theirs);
            found.books.push(format!("{what} {asset} is {theirs} atoms, ours is off by {off}"));
        }
    }
}

/// An amount in atoms.
///
/// # Errors
/// When it has more places than an atom.
pub(crate) fn atoms(amount: Amount) -> Result<i128, Error> {
    let exact: Decimal = amount.decimal().normalize();
    let places = ATOM_PLACES.checked_sub(exact.scale());
    let factor = places.and_then(|places| 10_i128.checked_pow(places));
    let atoms = factor.and_then(|factor| exact.mantissa().checked_mul(factor));
    atoms.ok_or_else(|| format!("{exact} cannot be held in atoms").into())
}

#[cfg(test)]
mod tests;
