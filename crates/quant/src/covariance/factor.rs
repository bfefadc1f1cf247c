//! Factors symmetric matrices by blocks, and decides their rank without regard to scale.

use nalgebra::DMatrix;

/// A pivot below this share of its variance is taken for rounding.
const PIVOT_SHARE_MIN: f64 = 1e-12;
/// Columns a block: small enough for the cache, large enough for the matrix product.
const BLOCK: usize = 64;

/// The lower triangle `L` with `L L' = A`.
#[derive(Clone, Debug)]
pub(crate) struct BlockedCholesky {
    lower: DMatrix<f64>,
}

/// `X' X`, of which only one triangle is computed and the other mirrored.
pub(crate) fn gram(x: &DMatrix<f64>) -> DMatrix<f64> {
    let columns = x.ncols();
    let transposed = x.transpose();
    let mut product = DMatrix::zeros(columns, columns);
    let block = (columns / 6).max(BLOCK);
    let mut start = 0;
    while start < columns {
        let width = block.min(columns - start);
        let end = start + width;
        product.view_mut((0, start), (end, width)).gemm(
            1.0,
            &transposed.rows(0, end),
            &x.columns(start, width),
            0.0,
        );
        start = end;
    }
    product.fill_lower_triangle_with_upper_triangle();
    product
}

// === impl BlockedCholesky ===

impl BlockedCholesky {
    /// Factors; the error is the first column whose pivot is not above `share` of its diagonal.
    pub(crate) fn try_new(mut a: DMatrix<f64>, share: f64) -> Result<Self, usize> {
        let n = a.nrows();
        let diagonal: Vec<f64> = a.diagonal().iter().copied().collect();
        let mut start = 0;
        while start < n {
            let width = BLOCK.min(n - start);
            let end = start + width;
            factor_panel(&mut a, (start, end), &diagonal, share)?;
            if end < n {
                // The rest minus the panel's product, in column strips of the lower triangle.
                let panel = a.view((end, start), (n - end, width)).into_owned();
                let transposed = panel.transpose();
                let mut strip = end;
                while strip < n {
                    let wide = BLOCK.min(n - strip);
                    let offset = strip - end;
                    a.view_mut((strip, strip), (n - strip, wide)).gemm(
                        -1.0,
                        &panel.rows(offset, n - strip),
                        &transposed.columns(offset, wide),
                        1.0,
                    );
                    strip += wide;
                }
            }
            start = end;
        }
        a.fill_upper_triangle(0.0, 1);
        Ok(Self { lower: a })
    }

    /// The lower triangle.
    pub(crate) fn lower(&self) -> &DMatrix<f64> {
        &self.lower
    }

    /// Solves `A x = b` in place.
    pub(crate) fn solve(&self, b: &mut [f64]) {
        let n = b.len();
        for j in 0..n {
            let column = self.lower.column(j);
            b[j] /= column[j];
            let known = b[j];
            for (value, entry) in b[j + 1..].iter_mut().zip(&column.as_slice()[j + 1..]) {
                *value -= known * entry;
            }
        }
        self.solve_transposed(b);
    }

    /// Solves `L' x = b` in place.
    pub(crate) fn solve_transposed(&self, b: &mut [f64]) {
        for j in (0..b.len()).rev() {
            let column = self.lower.column(j);
            let sum: f64 =
                b[j + 1..].iter().zip(&column.as_slice()[j + 1..]).map(|(x, l)| x * l).sum();
            b[j] = (b[j] - sum) / column[j];
        }
    }
}

/// Factors the columns of one panel, all rows below included.
fn factor_panel(
    a: &mut DMatrix<f64>,
    (start, end): (usize, usize),
    diagonal: &[f64],
    share: f64,
) -> Result<(), usize> {
    let n = a.nrows();
    for j in start..end {
        let pivot = a[(j, j)];
        if pivot.is_nan() || pivot <= share * diagonal[j] || pivot <= 0.0 {
            return Err(j);
        }
        let root = pivot.sqrt();
        let data = a.as_mut_slice();
        let (before, after) = data.split_at_mut((j + 1) * n);
        let column = &mut before[j * n..];
        for value in &mut column[j..] {
            *value /= root;
        }
        for (k, next) in after.chunks_exact_mut(n).take(end - j - 1).enumerate() {
            let row = j + 1 + k;
            let factor = column[row];
            for (value, entry) in next[row..].iter_mut().zip(&column[row..]) {
                *value -= factor * entry;
            }
        }
    }
    Ok(())
}

/// The first asset that the ones before it determine, if there is one: where the factorisation
/// keeps no more than rounding of the asset's variance.
pub(crate) fn singular_at(covariance: &DMatrix<f64>) -> Option<usize> {
    BlockedCholesky::try_new(covariance.clone(), PIVOT_SHARE_MIN).err()
}

/// The first asset that gives some portfolio a negative variance, beyond rounding.
pub(crate) fn semidefinite_break(covariance: &DMatrix<f64>) -> Option<usize> {
    let assets = covariance.nrows();
    let negative = (0..assets)
        .find(|i| covariance[(*i, *i)] <= 0.0 && covariance.column(*i).iter().any(|c| *c != 0.0));
    // Constant assets cannot break a covariance whose rows of theirs are zero.
    let varying: Vec<usize> = (0..assets).filter(|i| covariance[(*i, *i)] > 0.0).collect();
    let shifted = DMatrix::from_fn(varying.len(), varying.len(), |i, j| {
        covariance[(varying[i], varying[j])] * if i == j { 1.0 + 1e-9 } else { 1.0 }
    });
    let broken = BlockedCholesky::try_new(shifted, 0.0).err().map(|i| varying[i]);
    negative.or(broken)
}

/// How many assets are not determined by others: Cholesky with diagonal pivoting on correlations
/// (Higham 2002, Accuracy and Stability, section 10.3), so that no asset's scale decides.
pub(crate) fn rank_of(covariance: &DMatrix<f64>) -> usize {
    let assets = covariance.nrows();
    let deviations: Vec<f64> = covariance.diagonal().iter().map(|v| v.max(0.0).sqrt()).collect();
    let mut left: Vec<f64> = deviations.iter().map(|d| if *d > 0.0 { 1.0 } else { 0.0 }).collect();
    let mut columns: Vec<Vec<f64>> = Vec::new();
    while columns.len() < assets {
        let pivot = (1..assets).fold(0, |best, i| if left[i] > left[best] { i } else { best });
        if left[pivot] <= PIVOT_SHARE_MIN {
            break;
        }
        let root = left[pivot].sqrt();
        let mut column: Vec<f64> = (0..assets)
            .map(|i| {
                let size = deviations[i] * deviations[pivot];
                if size > 0.0 {
                    covariance[(i, pivot)] / deviations[i] / deviations[pivot]
                } else {
                    0.0
                }
            })
            .collect();
        for before in &columns {
            let factor = before[pivot];
            for (value, entry) in column.iter_mut().zip(before) {
                *value -= factor * entry;
            }
        }
        for (value, rest) in column.iter_mut().zip(&mut left) {
            *value /= root;
            *rest -= *value * *value;
        }
        left[pivot] = 0.0;
        columns.push(column);
    }
    columns.len()
}
