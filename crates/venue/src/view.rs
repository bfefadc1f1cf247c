//! A venue through which nothing can be changed: what an auditor gets.

use std::sync::Arc;

use domain::{OrderId, Symbol};

use crate::{AccountTrade, AssetBalance, ReadError, Venue, VenueOrder};

/// The questions of a venue, and none of its commands.
///
/// Give it a venue that was connected with a key of its own that may only read: then neither a
/// mistake here nor a stolen key can trade.
#[derive(Debug, Clone)]
pub struct View {
    venue: Arc<dyn Venue>,
}

// === impl View ===

impl View {
    /// A view of this venue.
    #[must_use]
    pub fn new(venue: Arc<dyn Venue>) -> Self {
        Self { venue }
    }

    /// The venue's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.venue.name()
    }

    /// See [`Venue::open_orders`].
    ///
    /// # Errors
    /// When the venue does not answer.
    pub async fn open_orders(&self) -> Result<Vec<VenueOrder>, ReadError> {
        self.venue.open_orders().await
    }

    /// See [`Venue::orders_from`].
    ///
    /// # Errors
    /// When the venue does not answer.
    pub async fn orders_from(
        &self,
        symbol: Symbol,
        from: OrderId,
    ) -> Result<Vec<VenueOrder>, ReadError> {
        self.venue.orders_from(symbol, from).await
    }

    /// See [`Venue::trades_from`].
    ///
    /// # Errors
    /// When the venue does not answer.
    pub async fn trades_from(
        &self,
        symbol: Symbol,
        from: u64,
    ) -> Result<Vec<AccountTrade>, ReadError> {
        self.venue.trades_from(symbol, from).await
    }

    /// See [`Venue::balances`].
    ///
    /// # Errors
    /// When the venue does not answer.
    pub async fn balances(&self) -> Result<Vec<AssetBalance>, ReadError> {
        self.venue.balances().await
    }
}
