//! Where random numbers begin, when the caller does not say.

/// The largest seed: numbers above it do not survive clients whose only numbers are doubles.
const SEED_MAX: u64 = (1 << 53) - 1;

/// The seed that was given, or one that is chosen; the result reports it either way.
pub(crate) fn seed_or_chosen(given: Option<u64>) -> u64 {
    given.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 & SEED_MAX)
}
