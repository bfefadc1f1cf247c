//! Chooses which targets to round up to the next lot.
//!
//! With what falls short of the targets as `under` and what exceeds them as `over`, assets and cash
//! together are `2 max(under, over)` away from their targets. Rounding an asset up moves its
//! remainder from one side and the rest of its lot to the other. The best choice is sought by depth
//! first, largest share of a lot first, leaving out what cannot come closer than the best so far;
//! the search is exact as long as it may visit every node that is left, and stops at
//! [`NODES_MAX`].

/// Nodes visited, at most.
const NODES_MAX: u32 = 200_000;

/// An asset that may be rounded up.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    pub(super) asset: usize,
    /// What its whole lots fall short of the target by.
    pub(super) remainder: f64,
    /// What one more lot exceeds the target by.
    pub(super) excess: f64,
}

/// The best choices so far: one that the cash pays for, one for which other lots must be sold.
pub(super) struct Rounding<'a> {
    candidates: &'a [Candidate],
    /// Sum of the remainders from each candidate on.
    rest: Vec<f64>,
    cash_target: f64,
    nodes: u32,
    chosen: Vec<usize>,
    paid: (f64, Vec<usize>),
    sold_for: (f64, Vec<usize>),
}

// === impl Rounding ===

impl<'a> Rounding<'a> {
    /// The choices for candidates in the order in which they are to be tried: first the one that
    /// the cash pays for, then one that asks for sales and could be closer.
    pub(super) fn best(candidates: &'a [Candidate], cash_target: f64) -> [Vec<usize>; 2] {
        let mut rest = vec![0.0; candidates.len() + 1];
        for (index, candidate) in candidates.iter().enumerate().rev() {
            rest[index] = rest[index + 1] + candidate.remainder;
        }
        let under = rest[0];
        let none = (f64::INFINITY, Vec::new());
        let mut search = Self {
            candidates,
            rest,
            cash_target,
            nodes: 0,
            chosen: Vec::new(),
            paid: none.clone(),
            sold_for: none,
        };
        search.visit(0, under, 0.0);
        [search.paid.1, search.sold_for.1]
    }

    fn visit(&mut self, index: usize, under: f64, over: f64) {
        self.nodes += 1;
        let needs_sales = over - under > self.cash_target;
        let value = under.max(over);
        let best = if needs_sales { &mut self.sold_for } else { &mut self.paid };
        if value < best.0 {
            *best = (value, self.chosen.clone());
        }
        let bound = over.max(under - self.rest[index]);
        let is_hopeless = bound >= self.paid.0.min(self.sold_for.0);
        // What needs sales only needs more of them with one more lot.
        if needs_sales || is_hopeless || index == self.candidates.len() {
            return;
        }
        let Candidate { asset, remainder, excess } = self.candidates[index];
        if self.nodes < NODES_MAX {
            self.chosen.push(asset);
            self.visit(index + 1, under - remainder, over + excess);
            self.chosen.pop();
        }
        if self.nodes < NODES_MAX {
            self.visit(index + 1, under, over);
        }
    }
}
