//! The campaigns, each a function from seeds to what it counted.

pub mod ambiguous;
pub mod halted;
pub mod killed;
pub mod manual;
pub mod repeated;
pub mod replicas;
pub mod silent;

use tokio::time::Instant;

use crate::{Binary, Error, Tally};

/// Every campaign, in the order in which the report lists them.
pub const NAMES: [&str; 7] = [
    ambiguous::NAME,
    manual::NAME,
    killed::NAME,
    replicas::NAME,
    silent::NAME,
    halted::NAME,
    repeated::NAME,
];

/// Orders of a seed in the campaign of ambiguous submits.
const ORDERS: usize = 210;

/// Every so many points a kill; so many seeds sweep all of them.
const STRIDE: u64 = 10;

/// How many seeds each campaign runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    first: u64,
    seeds: u64,
}

// === impl Sizes ===

impl Sizes {
    /// The first seed, and how many of the quickest campaign.
    #[must_use]
    pub const fn of(first: u64, seeds: u64) -> Self {
        Self { first, seeds }
    }

    /// A share of the seeds, at least one.
    const fn share(self, of: u64) -> u64 {
        self.seeds.div_ceil(of)
    }
}

/// Runs a campaign by its name.
///
/// # Errors
/// When there is none of that name, or something that is not on trial fails.
pub async fn run(name: &str, binary: &Binary, sizes: Sizes) -> Result<Tally, Error> {
    let (started, first) = (Instant::now(), sizes.first);
    let mut tally = match name {
        ambiguous::NAME => ambiguous::run(first, sizes.seeds, ORDERS).await?,
        manual::NAME => manual::run(first, sizes.share(2)).await?,
        killed::NAME => killed::run(binary, first, sizes.share(5), STRIDE).await?,
        replicas::NAME => replicas::run(binary, first, sizes.share(12).max(4), 1).await?,
        silent::NAME => silent::run(first, sizes.share(10).max(2)).await?,
        halted::NAME => halted::run(binary, first, sizes.share(5)).await?,
        repeated::NAME => repeated::run(first, sizes.share(5)).await?,
        _ => return Err(format!("there is no campaign {name:?}").into()),
    };
    tally.took = started.elapsed();
    Ok(tally)
}
