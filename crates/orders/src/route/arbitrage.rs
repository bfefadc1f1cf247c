//! Finds prices of one symbol that differ by more than it costs to trade both.

use domain::{Amount, Decimal, Overflow, Price, Quantity, Side};

use super::{RouteError, Source, check_pair};

/// Buying at one venue and selling at another earns something, by what is displayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opportunity {
    /// Where to buy.
    pub buy_at: String,
    /// Where to sell.
    pub sell_at: String,
    /// How much, on both venues' grids.
    pub quantity: Quantity,
    /// The worst price paid.
    pub buy_limit: Price,
    /// The worst price received.
    pub sell_limit: Price,
    /// What buying costs with its fee, in quote asset.
    pub paid: Amount,
    /// What selling brings after its fee, in quote asset.
    pub received: Amount,
    /// Received less paid.
    pub profit: Amount,
    /// Profit over paid.
    pub profit_share: Decimal,
}

/// Every pair of venues between which something can be earned, best first; at most `notional_max` is
/// spent on each.
///
/// # Errors
/// [`RouteError`] for venues that trade different things, or a value that cannot be held.
pub fn opportunities(
    sources: &[Source<'_>],
    notional_max: Amount,
) -> Result<Vec<Opportunity>, RouteError> {
    check_pair(sources)?;
    let mut found = Vec::new();
    for buy in sources {
        for sell in sources.iter().filter(|sell| sell.venue != buy.venue) {
            found.extend(between(buy, sell, notional_max)?);
        }
    }
    found.sort_by_key(|opportunity| std::cmp::Reverse(opportunity.profit));
    Ok(found)
}

fn between(
    buy: &Source<'_>,
    sell: &Source<'_>,
    notional_max: Amount,
) -> Result<Option<Opportunity>, RouteError> {
    let mut asks = buy.book.asks.iter().copied();
    let mut bids = sell.book.bids.iter().copied();
    let (mut ask, mut bid) = (asks.next(), bids.next());
    let (mut quantity, mut spent) = (Amount::ZERO, Amount::ZERO);
    // Both books are walked together for as long as the next unit still earns something.
    while let (Some(from), Some(to)) = (ask, bid) {
        let cost = buy.all_in(Side::Buy, from.price)?;
        if cost >= sell.all_in(Side::Sell, to.price)? {
            break;
        }
        let room = notional_max.try_sub(spent)?.decimal().checked_div(cost).ok_or(Overflow)?;
        let most = from.quantity.min(to.quantity);
        let is_last = most.decimal() >= room;
        let taken = if is_last { room } else { most.decimal() };
        let Ok(taken) = Quantity::try_new(taken) else { break };
        quantity = quantity.try_add(taken.amount())?;
        let paid = taken.decimal().checked_mul(cost).ok_or(Overflow)?;
        spent = spent.try_add(Amount::new(paid))?;
        if is_last {
            break;
        }
        ask = from.quantity.try_sub(taken).map(|left| super::BookLevel { quantity: left, ..from });
        bid = to.quantity.try_sub(taken).map(|left| super::BookLevel { quantity: left, ..to });
        ask = ask.or_else(|| asks.next());
        bid = bid.or_else(|| bids.next());
    }
    sized(buy, sell, quantity)
}

/// The opportunity on both grids, if both venues would take it and it still earns something.
fn sized(
    buy: &Source<'_>,
    sell: &Source<'_>,
    quantity: Amount,
) -> Result<Option<Opportunity>, RouteError> {
    let (there, here) = (buy.instrument, sell.instrument);
    let step = there.step_size.decimal().max(here.step_size.decimal());
    let steps = quantity.decimal().checked_div(step).ok_or(Overflow)?.floor();
    let most = there.quantity_max.min(here.quantity_max).decimal();
    let on_grid = steps.checked_mul(step).ok_or(Overflow)?.min(most);
    let Ok(quantity) = Quantity::try_new(on_grid) else { return Ok(None) };
    let bought = super::walk(&buy.book.asks, quantity)?;
    let sold = super::walk(&sell.book.bids, quantity)?;
    let (Some((cost, buy_limit)), Some((value, sell_limit))) = (bought, sold) else {
        return Ok(None);
    };
    let too_small = quantity < there.quantity_min.max(here.quantity_min)
        || cost < there.notional_min
        || value < here.notional_min;
    let share = |amount: Amount, factor: Option<Decimal>| {
        let scaled = factor.and_then(|factor| amount.decimal().checked_mul(factor));
        scaled.map(|value| Amount::new(value.normalize())).ok_or(Overflow)
    };
    let paid = share(cost, Decimal::ONE.checked_add(buy.taker_fee))?;
    let received = share(value, Decimal::ONE.checked_sub(sell.taker_fee))?;
    let profit = received.try_sub(paid)?;
    if too_small || profit <= Amount::ZERO {
        return Ok(None);
    }
    let profit_share = profit.decimal().checked_div(paid.decimal()).ok_or(Overflow)?.normalize();
    let (buy_at, sell_at) = (buy.venue.to_owned(), sell.venue.to_owned());
    Ok(Some(Opportunity {
        buy_at,
        sell_at,
        quantity,
        buy_limit,
        sell_limit,
        paid,
        received,
        profit,
        profit_share,
    }))
}
