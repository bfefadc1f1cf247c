//! Joins assets to clusters, the nearest first.
//!
//! Single linkage is the minimum spanning tree of Prim (1957); the others follow the chain of
//! nearest neighbours (Murtagh 1983) with the distance updates of Lance & Williams (1967). Both
//! take time in the square of the assets. Numbers and order of clusters are those of SciPy's
//! `linkage`, so that a tree can be compared: merges in the order of their distances, the cluster
//! with the smaller number on the left.

use nalgebra::DMatrix;

/// How the distance of two clusters follows from those of their assets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Linkage {
    /// The nearest pair.
    Single,
    /// The farthest pair.
    Complete,
    /// The mean over pairs.
    Average,
    /// The growth of the variance within clusters (Ward 1963).
    Ward,
}

/// Two clusters that became one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Merge {
    /// The cluster with the smaller number; assets are clusters from zero, merges follow them.
    pub left: usize,
    /// The other.
    pub right: usize,
    /// Their distance.
    pub distance: f64,
    /// How many assets they hold together.
    pub size: usize,
}

/// All merges of a number of assets, nearest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    assets: usize,
    merges: Vec<Merge>,
}

// === impl Tree ===

impl Tree {
    /// Joins assets by their distances, symmetric with a zero diagonal.
    pub(super) fn of(distance: &DMatrix<f64>, linkage: Linkage) -> Self {
        let assets = distance.nrows();
        let mut joins = match linkage {
            Linkage::Single => spanning_tree(distance),
            _ => neighbour_chain(distance.clone(), linkage),
        };
        joins.sort_by(|a, b| a.2.total_cmp(&b.2));
        Self { assets, merges: numbered(assets, &joins) }
    }

    /// The merges, nearest first.
    pub fn merges(&self) -> &[Merge] {
        &self.merges
    }

    /// The assets in the order of the tree, left before right: like beside like.
    pub fn leaf_order(&self) -> Vec<usize> {
        self.leaves(self.assets + self.merges.len() - 1)
    }

    /// The assets of a cluster, in the order of the tree.
    pub(super) fn leaves(&self, cluster: usize) -> Vec<usize> {
        let (mut open, mut leaves) = (vec![cluster], Vec::new());
        while let Some(cluster) = open.pop() {
            match cluster.checked_sub(self.assets) {
                None => leaves.push(cluster),
                Some(merge) => open.extend([self.merges[merge].right, self.merges[merge].left]),
            }
        }
        leaves
    }

    /// The clusters that are left when the last `count - 1` merges are undone, each by its assets
    /// in ascending order, clusters by their first asset.
    pub fn cut(&self, count: usize) -> Vec<Vec<usize>> {
        let kept = self.merges.len() + 1 - count.clamp(1, self.assets);
        let is_root = |cluster: usize| {
            cluster < self.assets + kept
                && !self.merges[..kept].iter().any(|m| m.left == cluster || m.right == cluster)
        };
        let mut clusters: Vec<Vec<usize>> =
            (0..self.assets + kept).filter(|c| is_root(*c)).map(|c| self.leaves(c)).collect();
        for cluster in &mut clusters {
            cluster.sort_unstable();
        }
        clusters.sort();
        clusters
    }
}

/// Prim's tree as pairs of consecutive assets: sorted by distance, they join the same clusters as
/// the edges themselves (Muellner 2011, section 3.2).
fn spanning_tree(distance: &DMatrix<f64>) -> Vec<(usize, usize, f64)> {
    let assets = distance.nrows();
    let mut reach = vec![f64::INFINITY; assets];
    let mut is_joined = vec![false; assets];
    let mut joins = Vec::with_capacity(assets.saturating_sub(1));
    let mut last = 0;
    for _ in 1..assets {
        is_joined[last] = true;
        let column = distance.column(last);
        let (mut nearest, mut least) = (last, f64::INFINITY);
        for asset in 0..assets {
            if is_joined[asset] {
                continue;
            }
            reach[asset] = reach[asset].min(column[asset]);
            if reach[asset] < least {
                (nearest, least) = (asset, reach[asset]);
            }
        }
        joins.push((last, nearest, least));
        last = nearest;
    }
    joins
}

fn neighbour_chain(mut distance: DMatrix<f64>, linkage: Linkage) -> Vec<(usize, usize, f64)> {
    let assets = distance.nrows();
    let mut size = vec![1_usize; assets];
    let mut chain: Vec<usize> = Vec::with_capacity(assets);
    let mut joins = Vec::with_capacity(assets.saturating_sub(1));
    while joins.len() + 1 < assets {
        if chain.is_empty() {
            chain.extend((0..assets).find(|i| size[*i] > 0));
        }
        let (a, b, apart) = loop {
            let tip = chain[chain.len() - 1];
            let before = chain.len().checked_sub(2).map(|i| chain[i]);
            // The one before wins ties, so that the chain ends.
            let mut nearest = before.unwrap_or(tip);
            let mut least = before.map_or(f64::INFINITY, |b| distance[(b, tip)]);
            for other in 0..assets {
                if size[other] > 0 && other != tip && distance[(other, tip)] < least {
                    (nearest, least) = (other, distance[(other, tip)]);
                }
            }
            if before == Some(nearest) {
                chain.truncate(chain.len() - 2);
                break (tip.min(nearest), tip.max(nearest), least);
            }
            chain.push(nearest);
        };
        joins.push((a, b, apart));
        let (of_a, of_b) = (size[a] as f64, size[b] as f64);
        for other in 0..assets {
            if size[other] == 0 || other == a || other == b {
                continue;
            }
            let (to_a, to_b) = (distance[(other, a)], distance[(other, b)]);
            let own = size[other] as f64;
            let updated = match linkage {
                Linkage::Single => to_a.min(to_b),
                Linkage::Complete => to_a.max(to_b),
                Linkage::Average => (of_a * to_a + of_b * to_b) / (of_a + of_b),
                Linkage::Ward => (((of_a + own) * to_a * to_a + (of_b + own) * to_b * to_b
                    - own * apart * apart)
                    / (of_a + of_b + own))
                    .max(0.0)
                    .sqrt(),
            };
            distance[(other, b)] = updated;
            distance[(b, other)] = updated;
        }
        size[b] += size[a];
        size[a] = 0;
    }
    joins
}

/// Gives clusters their numbers, from joins in the order of their distances.
fn numbered(assets: usize, joins: &[(usize, usize, f64)]) -> Vec<Merge> {
    let mut parent: Vec<usize> = (0..2 * assets).collect();
    let mut size = vec![1_usize; 2 * assets];
    let root = |parent: &mut Vec<usize>, start: usize| {
        let mut top = start;
        while parent[top] != top {
            top = parent[top];
        }
        let mut at = start;
        while parent[at] != top {
            at = std::mem::replace(&mut parent[at], top);
        }
        top
    };
    let mut merges = Vec::with_capacity(joins.len());
    for (index, (a, b, distance)) in joins.iter().enumerate() {
        let (a, b) = (root(&mut parent, *a), root(&mut parent, *b));
        let id = assets + index;
        parent[a] = id;
        parent[b] = id;
        size[id] = size[a] + size[b];
        let (left, right) = (a.min(b), a.max(b));
        merges.push(Merge { left, right, distance: *distance, size: size[id] });
    }
    merges
}
