//! The prices of one side, worst first, so that the best is at the end of the vector.

use domain::Side;

/// The queue at one price.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queue {
    pub(super) ticks: i64,
    /// What is displayed.
    pub(super) lots: i64,
    /// The order that trades first.
    pub(super) head: u32,
    /// The order that trades last.
    pub(super) tail: u32,
}

/// The prices of one side.
#[derive(Debug, Clone)]
pub(super) struct Levels {
    side: Side,
    /// Worst price first.
    queues: Vec<Queue>,
}

/// How many levels from the best are searched one by one before the rest is searched by halves.
const NEAR: usize = 8;

// === impl Levels ===

impl Levels {
    pub(super) const fn new(side: Side) -> Self {
        Self { side, queues: Vec::new() }
    }

    pub(super) fn best(&self) -> Option<&Queue> {
        self.queues.last()
    }

    pub(super) const fn len(&self) -> usize {
        self.queues.len()
    }

    /// Best price first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Queue> + '_ {
        self.queues.iter().rev()
    }

    pub(super) fn find(&self, ticks: i64) -> Option<&Queue> {
        self.queues.get(self.position(ticks).ok()?)
    }

    pub(super) fn find_mut(&mut self, ticks: i64) -> Option<&mut Queue> {
        let position = self.position(ticks).ok()?;
        self.queues.get_mut(position)
    }

    /// The queue at a price; a new one has `node` at both ends.
    pub(super) fn at(&mut self, ticks: i64, node: u32) -> &mut Queue {
        let position = match self.position(ticks) {
            Ok(position) => position,
            Err(position) => {
                self.queues.insert(position, Queue { ticks, lots: 0, head: node, tail: node });
                position
            }
        };
        self.queues.get_mut(position).expect("invariant: the position was just found or filled")
    }

    pub(super) fn remove(&mut self, ticks: i64) {
        if let Ok(position) = self.position(ticks) {
            self.queues.remove(position);
        }
    }

    /// Whether a price is worse than another on this side.
    const fn is_worse(&self, ticks: i64, than: i64) -> bool {
        match self.side {
            Side::Buy => ticks < than,
            Side::Sell => ticks > than,
        }
    }

    /// Where a price is, or where it belongs.
    fn position(&self, ticks: i64) -> Result<usize, usize> {
        let near = self.queues.len().saturating_sub(NEAR);
        let (far_part, near_part) = self.queues.split_at(near);
        for (i, queue) in near_part.iter().enumerate().rev() {
            let position = near.saturating_add(i);
            if queue.ticks == ticks {
                return Ok(position);
            }
            if self.is_worse(queue.ticks, ticks) {
                return Err(position.saturating_add(1));
            }
        }
        let position = far_part.partition_point(|queue| self.is_worse(queue.ticks, ticks));
        match far_part.get(position) {
            Some(queue) if queue.ticks == ticks => Ok(position),
            Some(_) | None => Err(position),
        }
    }
}
