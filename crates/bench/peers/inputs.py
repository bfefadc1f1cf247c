"""Decides the numbers that both sides compute from: seeded, so that every run has the same.

`python inputs.py DIR` writes them as little-endian f64 `.npy` files.
"""

import sys
from pathlib import Path

import numpy as np

PERIODS = 1_000
FACTOR_SIZES = np.array([0.010, 0.004, 0.003, 0.002, 0.002])


def asset_returns(stream, assets):
    """Returns that five factors and noise of each asset's own make, a row a period."""
    loadings = stream.normal(0.9, 0.35, (assets, 5)) * FACTOR_SIZES
    common = stream.standard_normal((PERIODS, 5)) @ loadings.T
    own = stream.standard_normal((PERIODS, assets)) * stream.uniform(0.005, 0.02, assets)
    return (common + own + stream.uniform(0.0001, 0.0009, assets)).round(8)


def pass_over(stream):
    """Draws what stands between, so that what follows is what this seed has always given."""
    stream.standard_normal(2_000_000)
    stream.integers(100, 10_000, 1_000_000)
    stream.standard_normal(5_100_000)
    stream.random(100_000)
    stream.standard_normal(100_000)


def clustered(shocks):
    """Percentages from a GARCH(1,1) with omega 0.02, alpha 0.08 and beta 0.90."""
    variance, returns = 1.0, np.empty(len(shocks))
    for t, shock in enumerate(shocks):
        returns[t] = np.sqrt(variance) * shock
        variance = 0.02 + 0.08 * returns[t] ** 2 + 0.90 * variance
    return returns


def series():
    """Every input by name."""
    stream = np.random.default_rng(0)
    made = {f"ret{assets}": asset_returns(stream, assets) for assets in (20, 100, 500)}
    made["heavy"] = stream.standard_t(4, 1_000_000) * 0.01
    pass_over(stream)
    made["clustered"] = clustered(stream.standard_normal(5_000))
    heavy_shocks = np.random.default_rng(6).standard_t(6, 5_000) / np.sqrt(1.5)
    made["clustered_heavy"] = clustered(heavy_shocks)
    made["ret2000"] = asset_returns(np.random.default_rng(2_000), 2_000)
    return made


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in series().items():
        np.save(folder / f"{name}.npy", np.ascontiguousarray(values, dtype="<f8"))
