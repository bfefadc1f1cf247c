//! Aligned returns of several assets, checked once.

use super::{MAGNITUDE_MAX, StatsError};

/// Simple returns per period of assets over the same periods, asset by asset.
#[derive(Clone, Debug, PartialEq)]
pub struct AssetReturns {
    assets: Vec<Vec<f64>>,
    periods: usize,
}

// === impl AssetReturns ===

impl AssetReturns {
    /// Checks one series an asset, all over the same periods.
    ///
    /// # Errors
    ///
    /// [`StatsError::TooShort`] without assets or below `periods_min` periods,
    /// [`StatsError::MisalignedAsset`] when lengths differ, [`StatsError::AssetValue`] for the
    /// first value that is not finite or too large.
    pub fn try_new(assets: Vec<Vec<f64>>, periods_min: usize) -> Result<Self, StatsError> {
        let Some(first) = assets.first() else {
            return Err(StatsError::TooShort { series: "assets", len: 0, required: 1 });
        };
        let periods = first.len();
        let required = periods_min.max(1);
        if periods < required {
            return Err(StatsError::TooShort { series: "returns", len: periods, required });
        }
        for (asset, returns) in assets.iter().enumerate() {
            if returns.len() != periods {
                return Err(StatsError::MisalignedAsset {
                    asset,
                    len: returns.len(),
                    required: periods,
                });
            }
            for (period, &value) in returns.iter().enumerate() {
                if !value.is_finite() || value.abs() > MAGNITUDE_MAX {
                    return Err(StatsError::AssetValue { asset, period, value });
                }
            }
        }
        Ok(Self { assets, periods })
    }

    /// How many assets; at least one.
    pub fn asset_count(&self) -> usize {
        self.assets.len()
    }

    /// How many periods; at least one.
    pub fn period_count(&self) -> usize {
        self.periods
    }

    /// The returns of each asset.
    pub fn assets(&self) -> &[Vec<f64>] {
        &self.assets
    }
}
