//! Decides whether two orders may be a pair of which one cancels the other.
//!
//! One lies above the market and one below, so at most one of them can start: of a sale the limit
//! maker or take profit is above and the stop loss below, of a purchase the other way round.

use domain::Side;

use crate::{OrderKind, OrderRequest, Refusal};

/// The price at which an order of a pair starts; `None` while a trailing or pegged one has none.
fn start_ticks(request: &OrderRequest) -> Option<i64> {
    let ticks = if request.kind.is_contingent() { request.stop_ticks } else { request.ticks };
    (ticks > 0).then_some(ticks)
}

/// Whether two orders may be a pair.
pub(super) fn check_pair(
    above: &OrderRequest,
    below: &OrderRequest,
    last: Option<i64>,
) -> Result<(), Refusal> {
    if above.side != below.side || above.lots != below.lots {
        return Err(Refusal::UnsupportedCombination);
    }
    for request in [above, below] {
        if matches!(request.kind, OrderKind::Limit | OrderKind::Market) {
            return Err(Refusal::OcoKind);
        }
    }
    let is_maker = |request: &OrderRequest| request.kind == OrderKind::LimitMaker;
    if is_maker(above) && is_maker(below) {
        return Err(Refusal::OcoBothLimit);
    }
    let misplaced = match above.side {
        Side::Buy if is_maker(above) => Some(Refusal::BuyOcoLimitBelow),
        Side::Buy if !above.kind.is_stop_loss() => Some(Refusal::BuyOcoTakeProfitBelow),
        Side::Buy if below.kind.is_stop_loss() => Some(Refusal::BuyOcoStopLossAbove),
        Side::Sell if is_maker(below) => Some(Refusal::SellOcoLimitAbove),
        Side::Sell if above.kind.is_stop_loss() => Some(Refusal::SellOcoStopLossBelow),
        Side::Sell if !below.kind.is_stop_loss() => Some(Refusal::SellOcoTakeProfitAbove),
        Side::Buy | Side::Sell => None,
    };
    if let Some(refusal) = misplaced {
        return Err(refusal);
    }
    check_pair_prices(above, below, last)
}

/// Whether the prices of a pair stand the right way.
pub(super) fn check_pair_prices(
    above: &OrderRequest,
    below: &OrderRequest,
    last: Option<i64>,
) -> Result<(), Refusal> {
    let (high, low) = (start_ticks(above), start_ticks(below));
    let is_wrong =
        |high: Option<i64>, low: Option<i64>| high.zip(low).is_some_and(|(high, low)| high <= low);
    if is_wrong(high, low) || is_wrong(high, last) || is_wrong(last, low) {
        return Err(Refusal::PriceRelationship);
    }
    Ok(())
}
