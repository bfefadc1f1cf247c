//! Puts the leaves of a tree so that neighbours are near.
//!
//! A tree says which clusters join, not which one stands on the left. Of all orders that it allows,
//! the one with the least sum of distances between neighbours is found by dynamic programming over
//! the outermost leaves of each cluster (Bar-Joseph, Gifford & Jaakkola 2001), in time in the cube
//! and memory in the square of the assets. The left cluster of the last merge stays on the left, so
//! that an order and its reverse are told apart.

use nalgebra::DMatrix;

use super::Tree;

/// The order of the assets under a tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LeafOrder {
    /// The cluster with the smaller number on the left.
    Tree,
    /// The least sum of distances between neighbours.
    Optimal,
}

/// The leaves of a cluster, by the two clusters that it was made of; a leaf is both of its own.
struct Sides {
    left: Vec<usize>,
    right: Vec<usize>,
}

/// What the best orders cost.
struct Orders<'a> {
    tree: &'a Tree,
    distance: &'a DMatrix<f64>,
    /// Least sum of neighbours' distances in the smallest cluster of two leaves, with these two
    /// outermost.
    cost: DMatrix<f64>,
}

// === impl LeafOrder ===

impl LeafOrder {
    pub(super) fn of(self, tree: &Tree, distance: &DMatrix<f64>) -> Vec<usize> {
        if self == Self::Tree || tree.merges().is_empty() {
            return tree.leaf_order();
        }
        let assets = distance.nrows();
        let mut orders = Orders { tree, distance, cost: DMatrix::zeros(assets, assets) };
        for (index, merge) in tree.merges().iter().enumerate() {
            orders.join(merge.left, merge.right, assets + index);
        }
        orders.best()
    }
}

// === impl Orders ===

impl Orders<'_> {
    fn assets(&self) -> usize {
        self.distance.nrows()
    }

    fn sides(&self, cluster: usize) -> Sides {
        match cluster.checked_sub(self.assets()) {
            None => Sides { left: vec![cluster], right: vec![cluster] },
            Some(index) => {
                let merge = self.tree.merges()[index];
                let (left, right) = (self.tree.leaves(merge.left), self.tree.leaves(merge.right));
                Sides { left, right }
            }
        }
    }

    /// Fills in what the orders of a cluster cost for each pair of outermost leaves.
    fn join(&mut self, left: usize, right: usize, cluster: usize) {
        let (ours, theirs) = (self.sides(left), self.sides(right));
        let Sides { left: outer, right: others } = self.sides(cluster);
        // The left cluster from its outermost leaf, and on to the first leaf of the right one.
        let mut reach = DMatrix::from_element(self.assets(), 1, 0.0);
        for first in &outer {
            let inner = ours.across(*first);
            for next in &others {
                let steps = inner
                    .iter()
                    .map(|last| self.cost[(*last, *first)] + self.distance[(*last, *next)]);
                reach[*next] = steps.fold(f64::INFINITY, f64::min);
            }
            for last in &others {
                let inner = theirs.across(*last);
                let steps = inner.iter().map(|next| reach[*next] + self.cost[(*next, *last)]);
                let least = steps.fold(f64::INFINITY, f64::min);
                self.cost[(*first, *last)] = least;
                self.cost[(*last, *first)] = least;
            }
        }
    }

    /// The best order of all, left to right.
    fn best(&self) -> Vec<usize> {
        let root = self.assets() + self.tree.merges().len() - 1;
        let Sides { left, right } = self.sides(root);
        let pairs = left.iter().flat_map(|first| right.iter().map(|last| (*first, *last)));
        let outermost = pairs.min_by(|a, b| self.cost[*a].total_cmp(&self.cost[*b]));
        let (mut open, mut order) = (Vec::new(), Vec::new());
        open.extend(outermost.map(|(first, last)| (root, first, last)));
        while let Some((cluster, first, last)) = open.pop() {
            let Some(index) = cluster.checked_sub(self.assets()) else {
                order.push(cluster);
                continue;
            };
            let merge = self.tree.merges()[index];
            let is_straight = self.sides(cluster).left.contains(&first);
            let (near, far) =
                if is_straight { (merge.left, merge.right) } else { (merge.right, merge.left) };
            let (ours, theirs) = (self.sides(near), self.sides(far));
            let pairs = ours
                .across(first)
                .iter()
                .flat_map(|end| theirs.across(last).iter().map(|begin| (*end, *begin)));
            let total = |(end, begin): (usize, usize)| {
                self.cost[(first, end)] + self.distance[(end, begin)] + self.cost[(begin, last)]
            };
            let seam = pairs.min_by(|a, b| total(*a).total_cmp(&total(*b)));
            // The near side is taken up first, as it was put down last.
            open.extend(seam.map(|(_, begin)| (far, begin, last)));
            open.extend(seam.map(|(end, _)| (near, first, end)));
        }
        order
    }
}

// === impl Sides ===

impl Sides {
    /// The leaves that can be outermost when this one is outermost on the other end.
    fn across(&self, leaf: usize) -> &[usize] {
        if self.left.contains(&leaf) { &self.right } else { &self.left }
    }
}
