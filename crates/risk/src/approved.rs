//! The proof that something has passed the gate.

/// Something that [`crate::check`] has approved.
///
/// Nothing else can make one: the field is private, and there is no conversion, no default and no
/// copy, so one approval sends one order.
///
/// ```compile_fail,E0451
/// let forged = risk::Approved { inner: 1 };
/// ```
///
/// ```compile_fail,E0277
/// let forged: risk::Approved<i32> = 1.into();
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Approved<T> {
    inner: T,
}

// === impl Approved ===

impl<T> Approved<T> {
    pub(crate) const fn new(inner: T) -> Self {
        Self { inner }
    }

    /// What was approved.
    #[must_use]
    pub const fn get(&self) -> &T {
        &self.inner
    }

    /// What was approved, with the approval used up.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.inner
    }
}
