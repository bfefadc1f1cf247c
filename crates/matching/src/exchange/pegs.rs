//! Orders that take their limit price from the book when they enter it.
//!
//! The price is taken once: when the order is placed, when its list starts it, or when its stop is
//! reached (Binance, "Pegged orders"). From then on it is a limit order like any other. A price
//! that was asked for beside the peg is checked against the filters and is of no effect else.
//!
//! The book is the one that everybody sees, so over a recorded market it is the recorded one.

use domain::{Side, TimeInForce};

use super::lists::request_of;
use super::place::Role;
use super::turn::Turn;
use crate::{OrderKind, OrderRequest, Peg, PegReference, Refusal};

/// Whether an order may be pegged so.
fn check_peg(request: &OrderRequest, peg: Peg) -> Result<(), Refusal> {
    if !request.kind.has_price() {
        return Err(Refusal::PegKind);
    }
    let is_to_market = peg.reference == PegReference::Market;
    if is_to_market && request.kind == OrderKind::LimitMaker {
        return Err(Refusal::PegReferenceKind);
    }
    // At the best price of its own side an order finds nobody, so it must be able to wait.
    let waits = request.time_in_force == TimeInForce::GoodTilCanceled;
    let is_idle = request.kind == OrderKind::Limit && !is_to_market && !waits;
    if is_idle || peg.offset_levels > Peg::LEVELS_MAX {
        return Err(Refusal::UnsupportedCombination);
    }
    Ok(())
}

// === impl Turn ===

impl Turn<'_> {
    /// The price that a peg means now.
    fn peg_ticks(&self, side: Side, peg: Peg) -> Option<i64> {
        let side = match peg.reference {
            PegReference::Primary => side,
            PegReference::Market => side.opposite(),
        };
        let depth = usize::try_from(peg.offset_levels).ok()?;
        self.market.levels(side).nth(depth).map(|level| level.ticks)
    }

    /// The price at which an order works when it is placed; zero when it takes it later, or never
    /// has one. Refused when it may not be pegged so, or the book has no price for it.
    pub(super) fn entry_ticks(&self, request: &OrderRequest, role: Role) -> Result<i64, Refusal> {
        let Some(peg) = request.peg else { return Ok(request.ticks) };
        check_peg(request, peg)?;
        if request.kind.is_contingent() || matches!(role, Role::Pending | Role::Paid) {
            return Ok(0);
        }
        self.peg_ticks(request.side, peg).ok_or(Refusal::PegNoLevel)
    }

    /// Gives a pegged order that enters the book now its price; false when there is none, or it
    /// breaks a filter. Every other order has its price already.
    pub(super) fn take_price(&mut self, key: u32) -> bool {
        let order = self.market.orders.at(key).order;
        let Some(peg) = order.peg.filter(|_| order.ticks == 0) else { return true };
        let Some(ticks) = self.peg_ticks(order.side, peg) else { return false };
        self.market.orders.at_mut(key).order.ticks = ticks;
        let request = OrderRequest { ticks, ..request_of(&order) };
        self.check_prices(&request).is_ok()
            && self.check_amounts(&request, order.lots).is_ok()
            && self.check_size(&request, order.lots).is_ok()
    }
}
