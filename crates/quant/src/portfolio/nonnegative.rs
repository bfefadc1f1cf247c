//! Minimises `y'S y / 2 - e'y` over `y >= 0`: the direction of every long-only portfolio with the
//! largest ratio of `e'w` to its deviation, and for equal `e` of the one with the least variance.
//!
//! The active-set method of Lawson & Hanson (1974, chapter 23), on correlations, with a factor that
//! grows with the set. It needs no more memory than the assets that it holds, and gives up (so that
//! the general solver takes over) where those are linearly dependent.

use nalgebra::DMatrix;

/// What an asset keeps of its unit variance within the set; less is dependence.
const PIVOT_MIN: f64 = 1e-10;
/// Gradients below this share of the largest are zero.
const GRADIENT_SHARE: f64 = 1e-12;

/// Assets held, with the factor of their correlations.
struct Held {
    assets: Vec<usize>,
    /// Rows of the lower triangle.
    rows: Vec<Vec<f64>>,
}

/// The minimum over the open assets, and how many sets were tried; `None` without a positive entry, for a constant
/// asset, and for dependent assets.
pub(super) fn minimum(
    covariance: &DMatrix<f64>,
    e: &[f64],
    is_open: &[bool],
) -> Option<(Vec<f64>, u32)> {
    let assets = e.len();
    let deviation: Vec<f64> = covariance.diagonal().iter().map(|v| v.sqrt()).collect();
    if deviation.iter().zip(is_open).any(|(d, open)| *open && *d <= 0.0) {
        return None;
    }
    let unit = |d: &f64| if *d > 0.0 { *d } else { 1.0 };
    let goal: Vec<f64> = e.iter().zip(&deviation).map(|(e, d)| e / unit(d)).collect();
    let largest = goal.iter().fold(0.0_f64, |a, g| a.max(*g));
    let correlation = |i: usize, j: usize| covariance[(i, j)] / deviation[i] / deviation[j];
    let mut held = Held { assets: Vec::new(), rows: Vec::new() };
    let mut z: Vec<f64> = Vec::new();
    let mut is_held = vec![false; assets];
    let mut rounds = 0;
    let mut gradient = goal.clone();
    loop {
        let free = (0..assets).filter(|i| is_open[*i] && !is_held[*i]);
        let enter = free.max_by(|a, b| gradient[*a].total_cmp(&gradient[*b]));
        let Some(enter) = enter.filter(|i| gradient[*i] > GRADIENT_SHARE * largest) else { break };
        if rounds > u32::try_from(3 * assets + 10).ok()? {
            return None;
        }
        rounds += 1;
        let entries: Vec<f64> = held.assets.iter().map(|i| correlation(*i, enter)).collect();
        held.push(enter, &entries)?;
        is_held[enter] = true;
        z.push(0.0);
        loop {
            let target: Vec<f64> = held.assets.iter().map(|i| goal[*i]).collect();
            let next = held.solve(target);
            if next.iter().all(|v| *v > 0.0) {
                z = next;
                break;
            }
            // As far towards the solution as every asset stays in, and out with the first to leave.
            let kept = leave(&mut z, &next);
            for (asset, kept) in held.assets.iter().zip(&kept) {
                is_held[*asset] = *kept;
            }
            held = held.only(&kept, correlation)?;
            if held.assets.is_empty() {
                return None;
            }
        }
        gradient.clone_from(&goal);
        for (asset, value) in held.assets.iter().zip(&z) {
            let column = covariance.column(*asset);
            let factor = value / deviation[*asset];
            for ((slot, entry), own) in gradient.iter_mut().zip(column.iter()).zip(&deviation) {
                *slot -= factor * entry / unit(own);
            }
        }
    }
    if held.assets.is_empty() {
        return None;
    }
    let mut y = vec![0.0; assets];
    for (asset, value) in held.assets.iter().zip(&z) {
        y[*asset] = value / deviation[*asset];
    }
    Some((y, rounds))
}

/// Moves towards the next values until one reaches zero; which ones stay, in `z` only these.
fn leave(z: &mut Vec<f64>, next: &[f64]) -> Vec<bool> {
    let pairs = || z.iter().zip(next);
    let step =
        pairs().filter(|(_, n)| **n <= 0.0).map(|(z, n)| z / (z - n)).fold(1.0_f64, f64::min);
    let kept: Vec<bool> = pairs().map(|(z, n)| *n > 0.0 || z / (z - n) > step).collect();
    let moved: Vec<f64> = pairs().map(|(z, n)| (z + step * (n - z)).max(0.0)).collect();
    *z = moved.into_iter().zip(&kept).filter(|(_, kept)| **kept).map(|(v, _)| v).collect();
    kept
}

// === impl Held ===

impl Held {
    /// Those that stay, with a factor of their own.
    fn only(&self, kept: &[bool], correlation: impl Fn(usize, usize) -> f64) -> Option<Self> {
        let mut rest = Self { assets: Vec::new(), rows: Vec::new() };
        for (asset, _) in self.assets.iter().zip(kept).filter(|(_, kept)| **kept) {
            let row: Vec<f64> = rest.assets.iter().map(|i| correlation(*i, *asset)).collect();
            rest.push(*asset, &row)?;
        }
        Some(rest)
    }

    fn push(&mut self, asset: usize, correlations: &[f64]) -> Option<()> {
        let mut row: Vec<f64> = Vec::with_capacity(correlations.len() + 1);
        for (before, entry) in self.rows.iter().zip(correlations) {
            let sum: f64 = before.iter().zip(&row).map(|(a, b)| a * b).sum();
            row.push((entry - sum) / before[row.len()]);
        }
        let pivot = 1.0 - row.iter().map(|v| v * v).sum::<f64>();
        if pivot.is_nan() || pivot <= PIVOT_MIN {
            return None;
        }
        row.push(pivot.sqrt());
        self.assets.push(asset);
        self.rows.push(row);
        Some(())
    }

    fn solve(&self, mut x: Vec<f64>) -> Vec<f64> {
        for i in 0..x.len() {
            let row = &self.rows[i];
            let sum: f64 = row[..i].iter().zip(&x).map(|(a, b)| a * b).sum();
            x[i] = (x[i] - sum) / row[i];
        }
        for i in (0..x.len()).rev() {
            x[i] /= self.rows[i][i];
            let known = x[i];
            for (slot, entry) in x.iter_mut().zip(&self.rows[i][..i]) {
                *slot -= known * entry;
            }
        }
        x
    }
}
