//! Turns what the market says of our orders into fills and states of the exchange.

use domain::{Fill, Instrument, Liquidity, OrderId, Overflow, Quantity, Side, Timestamp};
use matching::{Rejection, Removal};

use super::refusal::Refusal;
use crate::{VenueOrder, VenueOrderStatus};

/// A trade of ours as the market tells it.
pub(super) struct OwnTrade {
    pub(super) id: OrderId,
    pub(super) trade_id: u64,
    pub(super) ticks: i64,
    pub(super) lots: i64,
    pub(super) liquidity: Liquidity,
}

// === impl OwnTrade ===

impl OwnTrade {
    /// The same in money, with the fee in the asset that is received.
    pub(super) fn fill(
        &self,
        listed: &Instrument,
        order: &VenueOrder,
        at: Timestamp,
    ) -> Result<Fill, Overflow> {
        let price = listed.price(self.ticks)?;
        let quantity = listed.quantity(self.lots)?;
        let rate = match self.liquidity {
            Liquidity::Maker => listed.maker_fee,
            Liquidity::Taker => listed.taker_fee,
        };
        let (received, fee_asset) = match order.side {
            Side::Buy => (quantity.amount(), listed.base.clone()),
            Side::Sell => (price.notional(quantity)?, listed.quote.clone()),
        };
        Ok(Fill {
            trade_id: self.trade_id,
            client_order_id: order.client_order_id.clone(),
            symbol: order.symbol.clone(),
            side: order.side,
            price,
            quantity,
            fee: received.at_rate(rate)?,
            fee_asset,
            liquidity: self.liquidity,
            at,
        })
    }
}

/// What has not traded yet; `None` when all has.
pub(super) fn remaining(order: &VenueOrder) -> Option<Quantity> {
    let left = order.quantity.amount().try_sub(order.executed).ok()?;
    Quantity::try_new(left.decimal()).ok()
}

/// The venue's words are those that Binance's `expiryReason` has.
pub(super) fn ended_as(why: Removal) -> VenueOrderStatus {
    let reason = match why {
        Removal::Canceled => return VenueOrderStatus::Canceled,
        Removal::NoLiquidity => "INSUFFICIENT_LIQUIDITY",
        Removal::ImmediateRest => "UNFILLED_IOC_QUANTITY_EXPIRED",
        Removal::NotWhole => "UNFILLED_FOK_ORDER_EXPIRED",
        Removal::SelfTrade => "SELF_TRADE_PREVENTION",
    };
    VenueOrderStatus::Expired { reason: reason.to_owned() }
}

pub(super) fn rejected_as(why: Rejection) -> VenueOrderStatus {
    let refusal = match why {
        Rejection::WouldTake => Refusal::WouldTake,
        Rejection::DuplicateId => Refusal::DuplicateOrder,
        Rejection::UnknownId => Refusal::UnknownOrder,
        Rejection::BadLots | Rejection::BadPrice | Rejection::TooLarge => Refusal::OffGrid,
    };
    VenueOrderStatus::Rejected { code: refusal.code(), message: refusal.to_string() }
}
