//! Order lists: as they are asked for, and as they stand.

use domain::{OrderId, Timestamp};

use crate::{AccountId, ClientId, ListId, OrderRequest, SymbolId};

/// How the orders of a list depend on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListKind {
    /// One cancels the other.
    Oco,
    /// One triggers the other.
    Oto,
    /// One triggers a pair of which one cancels the other.
    Otoco,
    /// One pays the other: it triggers it, for as much as it received.
    Opo,
    /// One pays a pair of which one cancels the other.
    Opoco,
}

/// Where a list stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListStatus {
    /// Some of its orders are open.
    Executing,
    /// All of its orders have ended.
    AllDone,
}

/// An order list as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderList {
    /// Its number.
    pub id: ListId,
    /// Its name; may be [`ClientId::NONE`].
    pub client_id: ClientId,
    /// In which symbol.
    pub symbol: SymbolId,
    /// Whose it is.
    pub account: AccountId,
    /// How its orders depend on each other.
    pub kind: ListKind,
    /// Where it stands.
    pub status: ListStatus,
    /// The orders with their names: above and below of a pair; the working order comes first.
    pub legs: [Option<(OrderId, ClientId)>; 3],
    /// When it was accepted.
    pub placed_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The orders of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListOrders {
    /// One cancels the other. Both have one side and one quantity.
    Oco {
        /// The one with the higher price.
        above: OrderRequest,
        /// The one with the lower price.
        below: OrderRequest,
    },
    /// One triggers the other.
    Oto {
        /// A limit order or limit maker.
        working: OrderRequest,
        /// Anything but a market order by quote quantity.
        pending: OrderRequest,
    },
    /// One triggers a pair.
    Otoco {
        /// A limit order or limit maker.
        working: OrderRequest,
        /// The one of the pair with the higher price.
        above: OrderRequest,
        /// The one of the pair with the lower price.
        below: OrderRequest,
    },
    /// One pays the other.
    Opo {
        /// A limit order or limit maker that buys.
        working: OrderRequest,
        /// Sells what `working` received; without a quantity, and no market order by quote
        /// quantity.
        pending: OrderRequest,
    },
    /// One pays a pair.
    Opoco {
        /// A limit order or limit maker that buys.
        working: OrderRequest,
        /// The one of the pair with the higher price; sells, without a quantity.
        above: OrderRequest,
        /// The one of the pair with the lower price; sells, without a quantity.
        below: OrderRequest,
    },
}

/// A list to be placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListRequest {
    /// Its name; may be [`ClientId::NONE`].
    pub client_id: ClientId,
    /// Its orders.
    pub orders: ListOrders,
}

// === impl ListKind ===

impl ListKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Oco, Self::Oto, Self::Otoco, Self::Opo, Self::Opoco];

    /// Whether its first order must be filled before the others start.
    #[must_use]
    pub const fn has_working(self) -> bool {
        !matches!(self, Self::Oco)
    }

    /// Whether it has two orders of which one cancels the other.
    #[must_use]
    pub const fn has_pair(self) -> bool {
        matches!(self, Self::Oco | Self::Otoco | Self::Opoco)
    }

    /// Whether what its first order receives is the quantity of the others.
    #[must_use]
    pub const fn pays(self) -> bool {
        matches!(self, Self::Opo | Self::Opoco)
    }
}

// === impl ListOrders ===

impl ListOrders {
    /// How the orders depend on each other.
    #[must_use]
    pub const fn kind(&self) -> ListKind {
        match self {
            Self::Oco { .. } => ListKind::Oco,
            Self::Oto { .. } => ListKind::Oto,
            Self::Otoco { .. } => ListKind::Otoco,
            Self::Opo { .. } => ListKind::Opo,
            Self::Opoco { .. } => ListKind::Opoco,
        }
    }
}

// === impl OrderList ===

impl OrderList {
    /// The orders with their names.
    pub fn orders(&self) -> impl Iterator<Item = (OrderId, ClientId)> + '_ {
        self.legs.iter().copied().flatten()
    }

    /// The orders of the pair of which one cancels the other.
    pub(crate) fn pair(&self) -> impl Iterator<Item = OrderId> + '_ {
        let skip = usize::from(self.kind.has_working());
        let is_pair = self.kind.has_pair();
        self.legs.iter().copied().flatten().skip(skip).map(|leg| leg.0).filter(move |_| is_pair)
    }

    /// Whether `id` is the order that must be filled before the others start.
    pub(crate) fn is_working_leg(&self, id: OrderId) -> bool {
        let first = self.legs.first().copied().flatten();
        self.kind.has_working() && first.is_some_and(|leg| leg.0 == id)
    }
}
