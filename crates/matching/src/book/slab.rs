//! Values with a stable small number, in one vector that reuses its holes.

/// The number of no value.
pub const NIL: u32 = u32::MAX;

/// Values with a stable small number.
#[derive(Debug, Clone)]
pub struct Slab<T> {
    cells: Vec<Cell<T>>,
    free: u32,
    count: usize,
}

#[derive(Debug, Clone)]
enum Cell<T> {
    Full(T),
    /// Empty, with the number of the next empty one.
    Empty(u32),
}

// === impl Slab ===

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Slab<T> {
    /// Holds nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { cells: Vec::new(), free: NIL, count: 0 }
    }

    /// How many values it holds.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether it holds nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Keeps a value; gives its number.
    ///
    /// # Panics
    /// At four thousand million values, which no memory holds.
    pub fn insert(&mut self, value: T) -> u32 {
        self.count = self.count.saturating_add(1);
        let number = self.free;
        if let Some(cell) = self.cell_mut(number) {
            if let Cell::Empty(next) = *cell {
                *cell = Cell::Full(value);
                self.free = next;
            }
            return number;
        }
        let number = u32::try_from(self.cells.len()).ok().filter(|number| *number < NIL);
        self.cells.push(Cell::Full(value));
        number.expect("invariant: memory ends before the numbers do")
    }

    /// The value of a number, if it has one.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&T> {
        match self.cells.get(usize::try_from(number).ok()?)? {
            Cell::Full(value) => Some(value),
            Cell::Empty(_) => None,
        }
    }

    /// The value of a number.
    ///
    /// # Panics
    /// When there is none: the caller holds numbers of living values only.
    #[must_use]
    pub fn at(&self, number: u32) -> &T {
        self.get(number).expect("invariant: the number is of a living value")
    }

    /// The value of a number, to change it.
    ///
    /// # Panics
    /// When there is none: the caller holds numbers of living values only.
    pub fn at_mut(&mut self, number: u32) -> &mut T {
        match self.cell_mut(number) {
            Some(Cell::Full(value)) => Some(value),
            Some(Cell::Empty(_)) | None => None,
        }
        .expect("invariant: the number is of a living value")
    }

    /// Gives a value back; its number will be reused.
    pub fn remove(&mut self, number: u32) -> Option<T> {
        self.get(number)?;
        let empty = Cell::Empty(self.free);
        let cell = std::mem::replace(self.cell_mut(number)?, empty);
        self.free = number;
        self.count = self.count.saturating_sub(1);
        match cell {
            Cell::Full(value) => Some(value),
            Cell::Empty(_) => None,
        }
    }

    fn cell_mut(&mut self, number: u32) -> Option<&mut Cell<T>> {
        self.cells.get_mut(usize::try_from(number).ok()?)
    }
}
