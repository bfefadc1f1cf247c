//! Money as whole atoms: one atom is 10^-12 of any asset.
//!
//! Twelve digits are four more than venues of this field show, so that a price tick times a
//! quantity step is a whole number of atoms for every listing in use; a listing that is finer is
//! refused. An `i128` then holds 10^26 units. Every amount that enters the venue is at most
//! [`ATOMS_MAX`] (10^17 units), which leaves room for all sums and for a product with a rate.

use domain::{Amount, Decimal, Overflow, Rate};

/// An amount of an asset in units of 10^-12.
pub type Atoms = i128;

/// Digits after the point that an atom has.
pub const ATOM_DIGITS: u32 = 12;

/// One whole unit of an asset.
pub const ATOMS_PER_UNIT: Atoms = 1_000_000_000_000;

/// The largest amount that may enter in one command, or be one order's value: 10^17 units.
pub const ATOMS_MAX: Atoms = 100_000_000_000_000_000_000_000_000_000;

/// Rates and multipliers are counted in parts of 10^-8.
pub const RATE_ONE: i64 = 100_000_000;

/// The whole atoms of a decimal; `None` when it is finer than an atom or too large.
#[must_use]
pub fn atoms_of(value: Decimal) -> Option<Atoms> {
    scaled(value, ATOM_DIGITS).filter(|atoms| atoms.abs() <= ATOMS_MAX)
}

/// The amount of so many atoms.
///
/// # Errors
/// [`Overflow`] when a decimal of 28 digits cannot hold it.
pub fn amount_of(atoms: Atoms) -> Result<Amount, Overflow> {
    let (mut mantissa, mut scale) = (atoms, ATOM_DIGITS);
    // A decimal has 96 bits: zeros at the end would waste them.
    while scale > 0 && mantissa.checked_rem(10) == Some(0) {
        mantissa = mantissa.checked_div(10).ok_or(Overflow)?;
        scale = scale.saturating_sub(1);
    }
    Decimal::try_from_i128_with_scale(mantissa, scale).map(Amount::new).or(Err(Overflow))
}

/// A rate in parts of 10^-8, rounded down.
#[must_use]
pub fn rate_parts(rate: Rate) -> i64 {
    let parts = rate.decimal().checked_mul(Decimal::from(RATE_ONE)).map(|d| d.trunc().normalize());
    parts.and_then(|d| i64::try_from(d.mantissa()).ok()).unwrap_or(RATE_ONE)
}

/// A multiplier such as 1.3 in parts of 10^-8; `None` when it is negative, finer or too large.
#[must_use]
pub fn multiplier_parts(value: Decimal) -> Option<i64> {
    let parts = scaled(value, 8)?;
    i64::try_from(parts).ok().filter(|parts| *parts >= 0)
}

/// `value * 10^digits` when that is a whole number.
pub(crate) fn scaled(value: Decimal, digits: u32) -> Option<i128> {
    let value = value.normalize();
    let missing = digits.checked_sub(value.scale())?;
    value.mantissa().checked_mul(10i128.checked_pow(missing)?)
}

/// The commission on `received`, rounded down to whole `grain`s (the asset's precision).
///
/// The rule of the field: the received asset pays, and a fraction of its last digit is waived.
#[must_use]
pub(crate) fn commission(received: Atoms, rate_parts: i64, grain: Atoms) -> Atoms {
    if rate_parts == 0 || received <= 0 {
        return 0;
    }
    let share = received.saturating_mul(i128::from(rate_parts));
    let per_grain = i128::from(RATE_ONE).saturating_mul(grain);
    share.checked_div(per_grain).unwrap_or(0).saturating_mul(grain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commission_is_rounded_down_to_the_last_digit_of_the_asset() {
        // 0.00019999 at 0.1 % is 0.00000019999; eight digits keep 0.00000019.
        let received = 19_999 * ATOMS_PER_UNIT / 100_000_000;
        let fee = commission(received, 100_000, 10_000);
        assert_eq!(amount_of(fee).unwrap().to_string(), "0.00000019");
        assert_eq!(commission(received, 0, 10_000), 0);
        assert_eq!(commission(-received, 100_000, 10_000), 0);
        assert_eq!(commission(ATOMS_MAX, RATE_ONE, 1), ATOMS_MAX);
    }

    #[test]
    fn decimals_become_atoms_exactly_or_not_at_all() {
        let atoms = |text: &str| atoms_of(text.parse::<Amount>().unwrap().decimal());
        assert_eq!(atoms("1.5"), Some(1_500_000_000_000));
        assert_eq!(atoms("-0.000000000001"), Some(-1));
        assert_eq!(atoms("0.0000000000001"), None, "finer than an atom");
        assert_eq!(atoms("100000000000000000.1"), None, "more than the largest amount");
        for text in ["0", "12.000000000001", "-7", "99999999999999999"] {
            assert_eq!(amount_of(atoms(text).unwrap()).unwrap().to_string(), text);
        }
        assert_eq!(amount_of(i128::MAX), Err(Overflow));
    }

    #[test]
    fn rates_and_multipliers_are_parts_of_a_hundred_millionth() {
        assert_eq!(rate_parts("0.001".parse().unwrap()), 100_000);
        assert_eq!(rate_parts("1".parse().unwrap()), RATE_ONE);
        assert_eq!(multiplier_parts("1.3".parse::<Amount>().unwrap().decimal()), Some(130_000_000));
        assert_eq!(multiplier_parts("-1".parse::<Amount>().unwrap().decimal()), None);
    }
}
