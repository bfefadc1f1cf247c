//! Decides where an order goes when several venues offer the same thing, and what it would cost.
//!
//! Every displayed level of every venue is one offer. Offers are taken in the order of what they
//! cost all in: the price, the fee of the venue, and a penalty for how long it takes to get there,
//! because a quote is older when an order arrives the longer that takes. What a venue is given is
//! then cut to its grid, and a share that the venue would refuse as too small is given to the others;
//! what no venue can take is the remainder, and is reported.
//!
//! All-in price of a level at price `p`, with fee rate `f` and penalty `d`, both shares of the price:
//! `p (1 + f + d)` for a buy, `p (1 - f - d)` for a sell.

mod arbitrage;

use domain::{
    Amount, BookLevel, BookSnapshot, Decimal, Instrument, Overflow, Price, Quantity, Side,
};
use thiserror::Error;

pub use arbitrage::{Opportunity, opportunities};

/// A venue that offers a symbol.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The venue's name.
    pub venue: &'a str,
    /// Its rules for the symbol.
    pub instrument: &'a Instrument,
    /// Its book.
    pub book: &'a BookSnapshot,
    /// Share of the price that an order pays which takes.
    pub taker_fee: Decimal,
    /// Share of the price that counts against it for its latency.
    pub penalty: Decimal,
}

/// What is to be traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Buy or sell.
    pub side: Side,
    /// How much of the base asset.
    pub quantity: Quantity,
    /// The worst acceptable price, before fees; `None` for any.
    pub limit: Option<Price>,
}

/// How a wish would be spread over venues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// One order a venue, best all-in price first.
    pub children: Vec<Child>,
    /// What no venue can take at an acceptable price and in an acceptable size.
    pub remainder: Amount,
}

/// The order of one venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// The venue's name.
    pub venue: String,
    /// How much, on the venue's grid.
    pub quantity: Quantity,
    /// The worst price that it reaches: its limit.
    pub limit: Price,
    /// What it is expected to cost, before fees, in quote asset.
    pub cost: Amount,
    /// The fee expected, in quote asset.
    pub fee: Amount,
    /// What counts against it for its latency, in quote asset; nobody pays it.
    pub penalty: Amount,
}

/// What an order would do to a book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impact {
    /// What the displayed levels can fill.
    pub filled: Amount,
    /// What they cannot.
    pub unfilled: Amount,
    /// What the filled part costs, in quote asset, before fees.
    pub cost: Amount,
    /// Cost over filled; `None` when nothing is filled.
    pub average_price: Option<Decimal>,
    /// The worst price that is reached.
    pub worst_price: Option<Price>,
    /// Levels that are used up or touched.
    pub levels: usize,
    /// How far the average is from the mid, as a share of it: what the order loses to the spread
    /// and to the depth. `None` without a mid.
    pub slippage: Option<Decimal>,
}

/// Why no plan can be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RouteError {
    /// Two venues trade another pair under the symbol.
    #[error("{venue} trades {base}/{quote} under this symbol and the others do not")]
    OtherPair {
        /// The venue.
        venue: String,
        /// Its base asset.
        base: String,
        /// Its quote asset.
        quote: String,
    },
    /// A value cannot be held.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

/// One displayed level of one venue.
#[derive(Debug, Clone, Copy)]
struct Offer {
    source: usize,
    level: BookLevel,
    all_in: Decimal,
}

// === impl Source ===

impl Source<'_> {
    /// The levels that an order of this side takes from, best first.
    fn offers(&self, side: Side) -> &[BookLevel] {
        match side {
            Side::Buy => &self.book.asks,
            Side::Sell => &self.book.bids,
        }
    }

    fn all_in(&self, side: Side, price: Price) -> Result<Decimal, Overflow> {
        let costs = self.taker_fee.checked_add(self.penalty).ok_or(Overflow)?;
        let factor = match side {
            Side::Buy => Decimal::ONE.checked_add(costs),
            Side::Sell => Decimal::ONE.checked_sub(costs),
        };
        factor.and_then(|factor| price.decimal().checked_mul(factor)).ok_or(Overflow)
    }
}

/// Spreads a wish over venues: what leaves least over, and of that the cheapest all in.
///
/// # Errors
/// [`RouteError`] for venues that trade different things, or a value that cannot be held.
pub fn plan(wish: Wish, sources: &[Source<'_>]) -> Result<Plan, RouteError> {
    check_pair(sources)?;
    let mut best = spread(wish, sources)?;
    // Where a venue was left out because its share was too small, one venue alone may be better.
    for source in sources {
        let alone = spread(wish, &[*source])?;
        if alone.remainder <= best.remainder && is_cheaper(wish.side, &alone, &best)? {
            best = alone;
        }
    }
    Ok(best)
}

/// Whether a plan that leaves no more over costs less, or brings more, all in.
fn is_cheaper(side: Side, one: &Plan, other: &Plan) -> Result<bool, RouteError> {
    if one.remainder < other.remainder {
        return Ok(true);
    }
    let total = |plan: &Plan| {
        plan.children.iter().try_fold(Amount::ZERO, |sum, child| {
            let (with_cost, against) =
                (sum.try_add(child.cost)?, child.fee.try_add(child.penalty)?);
            match side {
                Side::Buy => with_cost.try_add(against),
                Side::Sell => with_cost.try_sub(against),
            }
        })
    };
    let (one, other) = (total(one)?, total(other)?);
    Ok(match side {
        Side::Buy => one < other,
        Side::Sell => one > other,
    })
}

fn spread(wish: Wish, sources: &[Source<'_>]) -> Result<Plan, RouteError> {
    let mut excluded = vec![false; sources.len()];
    loop {
        let shares = shares(wish, sources, &excluded)?;
        let (children, refused) = children(wish, sources, &shares)?;
        // Whoever refuses a share as too small gets none; the others may then take it.
        match refused.and_then(|at| excluded.get_mut(at)) {
            Some(out) => *out = true,
            None => return finish(wish, children),
        }
    }
}

fn check_pair(sources: &[Source<'_>]) -> Result<(), RouteError> {
    let Some(first) = sources.first() else { return Ok(()) };
    let pair =
        |source: &Source<'_>| (source.instrument.base.clone(), source.instrument.quote.clone());
    match sources.iter().find(|source| pair(source) != pair(first)) {
        Some(other) => Err(RouteError::OtherPair {
            venue: other.venue.to_owned(),
            base: other.instrument.base.to_string(),
            quote: other.instrument.quote.to_string(),
        }),
        None => Ok(()),
    }
}

/// What each venue would be given, before its grid.
fn shares(
    wish: Wish,
    sources: &[Source<'_>],
    excluded: &[bool],
) -> Result<Vec<Vec<BookLevel>>, RouteError> {
    let mut offers = Vec::new();
    for (at, source) in sources.iter().enumerate() {
        if excluded.get(at).copied().unwrap_or(false) {
            continue;
        }
        for level in source.offers(wish.side) {
            if wish.limit.is_some_and(|limit| is_worse(wish.side, level.price, limit)) {
                break;
            }
            let all_in = source.all_in(wish.side, level.price)?;
            offers.push(Offer { source: at, level: *level, all_in });
        }
    }
    offers.sort_by(|a, b| match wish.side {
        Side::Buy => a.all_in.cmp(&b.all_in),
        Side::Sell => b.all_in.cmp(&a.all_in),
    });
    let mut shares: Vec<Vec<BookLevel>> = vec![Vec::new(); sources.len()];
    let mut left = Some(wish.quantity);
    for offer in offers {
        let Some(wanted) = left else { break };
        let taken = wanted.min(offer.level.quantity);
        if let Some(share) = shares.get_mut(offer.source) {
            share.push(BookLevel { price: offer.level.price, quantity: taken });
        }
        left = wanted.try_sub(taken);
    }
    Ok(shares)
}

/// The orders of the venues, each with its place, and the first venue whose share is too small.
type Children = (Vec<(Decimal, Child)>, Option<usize>);

fn children(
    wish: Wish,
    sources: &[Source<'_>],
    shares: &[Vec<BookLevel>],
) -> Result<Children, RouteError> {
    let mut children = Vec::new();
    for (at, (source, share)) in sources.iter().zip(shares).enumerate() {
        let Some(best) = share.first() else { continue };
        match child(source, share)? {
            Some(child) => children.push((source.all_in(wish.side, best.price)?, child)),
            None => return Ok((Vec::new(), Some(at))),
        }
    }
    children.sort_by(|(a, _), (b, _)| match wish.side {
        Side::Buy => a.cmp(b),
        Side::Sell => b.cmp(a),
    });
    Ok((children, None))
}

/// A venue's order on its grid; `None` when the venue would refuse it.
fn child(source: &Source<'_>, share: &[BookLevel]) -> Result<Option<Child>, RouteError> {
    let listed = source.instrument;
    let mut sum = Amount::ZERO;
    for level in share {
        sum = sum.try_add(level.quantity.amount())?;
    }
    let step = listed.step_size.decimal();
    let steps = sum.decimal().checked_div(step).ok_or(Overflow)?.floor();
    let on_grid = steps.checked_mul(step).ok_or(Overflow)?.min(listed.quantity_max.decimal());
    let Ok(quantity) = Quantity::try_new(on_grid) else { return Ok(None) };
    let Some(walked) = walk(share, quantity)? else { return Ok(None) };
    let (cost, limit) = walked;
    if quantity < listed.quantity_min || cost < listed.notional_min {
        return Ok(None);
    }
    let share = |rate: Decimal| {
        let share = cost.decimal().checked_mul(rate).ok_or(Overflow)?;
        Ok::<Amount, Overflow>(Amount::new(share.normalize()))
    };
    Ok(Some(Child {
        venue: source.venue.to_owned(),
        quantity,
        limit,
        cost,
        fee: share(source.taker_fee)?,
        penalty: share(source.penalty)?,
    }))
}

/// What a quantity costs on these levels and the worst price reached; `None` for no level.
fn walk(levels: &[BookLevel], quantity: Quantity) -> Result<Option<(Amount, Price)>, Overflow> {
    let (mut cost, mut worst, mut left) = (Amount::ZERO, None, Some(quantity));
    for level in levels {
        let Some(wanted) = left else { break };
        let taken = wanted.min(level.quantity);
        cost = cost.try_add(level.price.notional(taken)?)?;
        worst = Some(level.price);
        left = wanted.try_sub(taken);
    }
    Ok(worst.map(|worst| (cost, worst)))
}

fn finish(wish: Wish, children: Vec<(Decimal, Child)>) -> Result<Plan, RouteError> {
    let mut remainder = wish.quantity.amount();
    for (_, child) in &children {
        remainder = remainder.try_sub(child.quantity.amount())?;
    }
    Ok(Plan { children: children.into_iter().map(|(_, child)| child).collect(), remainder })
}

fn is_worse(side: Side, price: Price, limit: Price) -> bool {
    match side {
        Side::Buy => price > limit,
        Side::Sell => price < limit,
    }
}

/// What an order would do to a book, by what is displayed.
///
/// # Errors
/// [`Overflow`] for a value that cannot be held.
pub fn impact(side: Side, quantity: Quantity, book: &BookSnapshot) -> Result<Impact, Overflow> {
    let levels = match side {
        Side::Buy => &book.asks,
        Side::Sell => &book.bids,
    };
    let (mut cost, mut worst, mut touched) = (Amount::ZERO, None, 0_usize);
    let mut left = Some(quantity);
    for level in levels {
        let Some(wanted) = left else { break };
        let taken = wanted.min(level.quantity);
        cost = cost.try_add(level.price.notional(taken)?)?;
        (worst, touched) = (Some(level.price), touched.saturating_add(1));
        left = wanted.try_sub(taken);
    }
    let unfilled = left.map_or(Amount::ZERO, Quantity::amount);
    let filled = quantity.amount().try_sub(unfilled)?;
    let average_price = cost.decimal().checked_div(filled.decimal());
    let mid = book.best_bid().zip(book.best_ask()).and_then(|(bid, ask)| {
        bid.price.decimal().checked_add(ask.price.decimal())?.checked_div(Decimal::TWO)
    });
    let slippage = average_price.zip(mid).and_then(|(average, mid)| {
        let lost = match side {
            Side::Buy => average.checked_sub(mid)?,
            Side::Sell => mid.checked_sub(average)?,
        };
        lost.checked_div(mid)
    });
    Ok(Impact {
        filled,
        unfilled,
        cost,
        average_price: average_price.map(|price| price.normalize()),
        worst_price: worst,
        levels: touched,
        slippage: slippage.map(|share| share.normalize()),
    })
}

#[cfg(test)]
mod tests;
