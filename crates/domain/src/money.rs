//! Exact money: prices, quantities, amounts and rates.
//!
//! | operation | gives |
//! |---|---|
//! | [`Price::notional`] (price x quantity) | an [`Amount`] of the quote asset |
//! | [`Price::value_of`] (price x amount) | an [`Amount`] of the quote asset, with the amount's sign |
//! | [`Amount::try_add`], [`Amount::try_sub`] | an [`Amount`] of the same asset |
//! | [`Amount::at_rate`] | the share of an amount, rounded half up to 8 places |
//! | [`Quantity::try_add`] | a [`Quantity`] |
//! | [`Quantity::try_sub`] | `None` when nothing is left |
//!
//! The text form is a plain decimal (`"61583.22"`): no exponent, no sign but a leading minus for
//! amounts, at most 28 digits. Zeros at the end mean nothing: `1.50` equals `1.5`.

use std::fmt;
use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};
use thiserror::Error;

/// What one unit of the base asset costs, in units of the quote asset; more than zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(Decimal);

/// How much of an asset; more than zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(Decimal);

/// A sum of one asset, of either sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(Decimal);

/// A share such as a fee: 0.001 is ten basis points. Between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(Decimal);

/// A result that 28 digits cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the result has more than 28 digits")]
pub struct Overflow;

/// Why a text or number is not money.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// Not a plain decimal.
    #[error("must be a plain decimal number in text, for example \"0.015\"")]
    NotDecimal,
    /// Zero or less where only a positive value makes sense.
    #[error("must be more than zero, for example \"0.015\"")]
    NotPositive,
    /// A rate outside 0 to 1.
    #[error("must be between 0 and 1, for example \"0.001\"")]
    NotRate,
}

/// Places that amounts of any asset are rounded to, as venues of this field do.
const AMOUNT_PLACES: u32 = 8;

/// Reads digits, at most one point and, when `signed`, a leading minus.
fn plain_decimal(text: &str, signed: bool) -> Result<Decimal, MoneyError> {
    let digits = if signed { text.strip_prefix('-').unwrap_or(text) } else { text };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if text.len() > 40 || !all_digits(whole) || !all_digits(fraction) {
        return Err(MoneyError::NotDecimal);
    }
    // `from_str_exact` refuses what it cannot hold instead of rounding it.
    Decimal::from_str_exact(text).map(|d| d.normalize()).or(Err(MoneyError::NotDecimal))
}

/// The exact sum, which the library's own addition rounds in silence when digits run out.
///
/// The operands have no zeros at the end, so a sum of different scales keeps the finer one and
/// fits only when the coarser mantissa can be stretched to it.
fn exact_sum(a: Decimal, b: Decimal) -> Result<Decimal, Overflow> {
    let scale = a.scale().max(b.scale());
    let stretched = |d: Decimal| match scale.saturating_sub(d.scale()) {
        0 => Some(d.mantissa()),
        places => d.mantissa().checked_mul(10i128.checked_pow(places)?),
    };
    let sum = if a.is_zero() {
        return Ok(b.normalize());
    } else if b.is_zero() {
        return Ok(a.normalize());
    } else {
        stretched(a).zip(stretched(b)).and_then(|(a, b)| a.checked_add(b)).ok_or(Overflow)?
    };
    exact(sum, scale)
}

/// The number with these digits, without zeros at the end.
fn exact(digits: i128, scale: u32) -> Result<Decimal, Overflow> {
    let Ok(mut short) = i64::try_from(digits) else {
        return Decimal::try_from_i128_with_scale(digits, scale)
            .map(|value| value.normalize())
            .or(Err(Overflow));
    };
    // What fits a machine word, as nearly all sums of money do, is trimmed without the library's
    // division of 96 bits.
    if scale > Decimal::MAX_SCALE {
        return Err(Overflow);
    }
    let mut scale = if short == 0 { 0 } else { scale };
    while let Some(coarser) = scale.checked_sub(1)
        && short % 10 == 0
    {
        (short, scale) = (short / 10, coarser);
    }
    Ok(Decimal::new(short, scale))
}

fn negated(mut value: Decimal) -> Decimal {
    value.set_sign_negative(value.is_sign_positive());
    value
}

// === impl Price ===

impl Price {
    /// A price from a decimal.
    ///
    /// # Errors
    /// [`MoneyError::NotPositive`] for zero or less.
    pub fn try_new(value: Decimal) -> Result<Self, MoneyError> {
        if value > Decimal::ZERO {
            Ok(Self(value.normalize()))
        } else {
            Err(MoneyError::NotPositive)
        }
    }

    /// The decimal inside.
    #[must_use]
    pub const fn decimal(self) -> Decimal {
        self.0
    }

    /// What `quantity` costs at this price, in the quote asset.
    ///
    /// # Errors
    /// [`Overflow`] when the exact product has more than 28 digits.
    pub fn notional(self, quantity: Quantity) -> Result<Amount, Overflow> {
        self.value_of(quantity.amount())
    }

    /// What `amount` of the base asset is worth at this price, in the quote asset; keeps the sign.
    ///
    /// # Errors
    /// [`Overflow`] when the exact product has more than 28 digits.
    pub fn value_of(self, amount: Amount) -> Result<Amount, Overflow> {
        // Both mantissas are multiplied as integers, because the library's own product rounds in
        // silence when it runs out of digits. Normalised operands leave no zeros to trim below.
        let mantissa = self.0.mantissa().checked_mul(amount.0.mantissa()).ok_or(Overflow)?;
        let scale = self.0.scale().saturating_add(amount.0.scale());
        exact(mantissa, scale).map(Amount)
    }
}

// === impl Quantity ===

impl Quantity {
    /// A quantity from a decimal.
    ///
    /// # Errors
    /// [`MoneyError::NotPositive`] for zero or less.
    pub fn try_new(value: Decimal) -> Result<Self, MoneyError> {
        if value > Decimal::ZERO {
            Ok(Self(value.normalize()))
        } else {
            Err(MoneyError::NotPositive)
        }
    }

    /// The decimal inside.
    #[must_use]
    pub const fn decimal(self) -> Decimal {
        self.0
    }

    /// The same quantity as an amount of its asset.
    #[must_use]
    pub const fn amount(self) -> Amount {
        Amount(self.0)
    }

    /// The sum.
    ///
    /// # Errors
    /// [`Overflow`] when it cannot be held.
    pub fn try_add(self, other: Self) -> Result<Self, Overflow> {
        exact_sum(self.0, other.0).map(Self)
    }

    /// What is left after taking `other` away; `None` when nothing is.
    #[must_use]
    pub fn try_sub(self, other: Self) -> Option<Self> {
        exact_sum(self.0, negated(other.0)).ok().and_then(|rest| Self::try_new(rest).ok())
    }
}

// === impl Amount ===

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// An amount from a decimal.
    #[must_use]
    pub fn new(value: Decimal) -> Self {
        Self(value.normalize())
    }

    /// The decimal inside.
    #[must_use]
    pub const fn decimal(self) -> Decimal {
        self.0
    }

    /// The sum.
    ///
    /// # Errors
    /// [`Overflow`] when it cannot be held.
    pub fn try_add(self, other: Self) -> Result<Self, Overflow> {
        exact_sum(self.0, other.0).map(Self)
    }

    /// The difference.
    ///
    /// # Errors
    /// [`Overflow`] when it cannot be held.
    pub fn try_sub(self, other: Self) -> Result<Self, Overflow> {
        exact_sum(self.0, negated(other.0)).map(Self)
    }

    /// The share of this amount, rounded half away from zero to 8 places.
    ///
    /// # Errors
    /// [`Overflow`] when it cannot be held.
    pub fn at_rate(self, rate: Rate) -> Result<Self, Overflow> {
        let share = self.0.checked_mul(rate.0).ok_or(Overflow)?;
        let rounded =
            share.round_dp_with_strategy(AMOUNT_PLACES, RoundingStrategy::MidpointAwayFromZero);
        Ok(Self::new(rounded))
    }

    /// Less than zero.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.0 < Decimal::ZERO
    }

    /// The distance from zero.
    #[must_use]
    pub fn abs(self) -> Self {
        Self(self.0.abs())
    }
}

// === impl Rate ===

impl Rate {
    /// No share at all.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// A rate from a decimal.
    ///
    /// # Errors
    /// [`MoneyError::NotRate`] outside 0 to 1.
    pub fn try_new(value: Decimal) -> Result<Self, MoneyError> {
        if value >= Decimal::ZERO && value <= Decimal::ONE {
            Ok(Self(value.normalize()))
        } else {
            Err(MoneyError::NotRate)
        }
    }

    /// The decimal inside.
    #[must_use]
    pub const fn decimal(self) -> Decimal {
        self.0
    }
}

macro_rules! text_form {
    ($type:ident, $read:expr) => {
        impl FromStr for $type {
            type Err = MoneyError;

            fn from_str(text: &str) -> Result<Self, MoneyError> {
                $read(text)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

text_form!(Price, |text| plain_decimal(text, false).and_then(Price::try_new));
text_form!(Quantity, |text| plain_decimal(text, false).and_then(Quantity::try_new));
text_form!(Amount, |text| plain_decimal(text, true).map(Amount::new));
text_form!(Rate, |text| plain_decimal(text, false).and_then(Rate::try_new));

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_read_exactly_and_written_plainly() {
        let price: Price = "61583.220".parse().unwrap();
        assert_eq!(price.to_string(), "61583.22");
        let amount: Amount = "-0.00000001".parse().unwrap();
        assert_eq!(amount.to_string(), "-0.00000001");
    }

    #[test]
    fn what_is_not_a_plain_decimal_is_refused() {
        for bad in
            ["", ".", "1.", ".5", "1e3", "+1", " 1", "1 ", "NaN", "inf", "0x1", "1_000", "--1"]
        {
            assert_eq!(bad.parse::<Price>(), Err(MoneyError::NotDecimal), "{bad:?}");
        }
        assert_eq!("-1".parse::<Price>(), Err(MoneyError::NotDecimal));
        assert_eq!("0.000".parse::<Quantity>(), Err(MoneyError::NotPositive));
        assert_eq!("1.1".parse::<Rate>(), Err(MoneyError::NotRate));
        let thirty_digits = "123456789012345678901234567890";
        assert_eq!(thirty_digits.parse::<Amount>(), Err(MoneyError::NotDecimal));
        let too_fine = "0.00000000000000000000000000001";
        assert_eq!(too_fine.parse::<Amount>(), Err(MoneyError::NotDecimal));
    }

    #[test]
    fn notional_is_exact_or_refused() {
        let price: Price = "61583.22".parse().unwrap();
        let quantity: Quantity = "0.00123".parse().unwrap();
        assert_eq!(price.notional(quantity).unwrap().to_string(), "75.7473606");
        let fine: Price = "1.00000000000001".parse().unwrap();
        let finer: Quantity = "1.000000000000000001".parse().unwrap();
        assert_eq!(fine.notional(finer), Err(Overflow));
    }

    #[test]
    fn a_sum_is_exact_or_refused() {
        let large: Amount = "7000000000000000000000000000".parse().unwrap();
        let fine: Amount = "0.1234567890123456789012345678".parse().unwrap();
        assert_eq!(large.try_add(fine), Err(Overflow));
        assert_eq!(large.try_sub(fine), Err(Overflow));
        assert_eq!(large.try_add(Amount::ZERO), Ok(large));
        assert_eq!(large.try_sub(large), Ok(Amount::ZERO));
        assert_eq!(Amount::ZERO.try_sub(Amount::ZERO).unwrap().to_string(), "0");
        let (a, b): (Quantity, Quantity) = ("1.5".parse().unwrap(), "0.25".parse().unwrap());
        assert_eq!(a.try_add(b).unwrap().to_string(), "1.75");
        assert_eq!(a.try_sub(b).unwrap().to_string(), "1.25");
        assert_eq!(b.try_sub(a), None);
    }

    #[test]
    fn the_value_of_a_debt_is_a_debt() {
        let price: Price = "61583.22".parse().unwrap();
        assert_eq!(price.value_of("-2".parse().unwrap()).unwrap().to_string(), "-123166.44");
    }

    #[test]
    fn a_fee_rounds_half_up_at_the_eighth_place() {
        let amount: Amount = "0.00005".parse().unwrap();
        let rate: Rate = "0.0001".parse().unwrap();
        assert_eq!(amount.at_rate(rate).unwrap().to_string(), "0.00000001");
    }

    proptest! {
        #[test]
        fn digits_make_the_number_that_the_library_makes_of_them(
            digits in prop_oneof![any::<i64>().prop_map(i128::from), any::<i128>()],
            zeros in 0u32..10,
            scale in 0u32..40,
        ) {
            let digits = digits.checked_mul(10i128.pow(zeros)).unwrap_or(digits);
            let expected = Decimal::try_from_i128_with_scale(digits, scale).ok();
            let text = |value: Decimal| value.to_string();
            let expected = expected.map(|value| text(value.normalize()));
            prop_assert_eq!(exact(digits, scale).ok().map(text), expected);
        }

        #[test]
        fn text_survives_a_round_trip(units in 1i64..i64::MAX, scale in 0u32..12) {
            let price = Price::try_new(Decimal::new(units, scale)).unwrap();
            prop_assert_eq!(price.to_string().parse::<Price>().unwrap(), price);
        }

        #[test]
        fn taking_back_what_was_added_changes_nothing(a in any::<i64>(), b in any::<i64>()) {
            let (a, b) = (Amount::new(Decimal::new(a, 8)), Amount::new(Decimal::new(b, 5)));
            prop_assert_eq!(a.try_add(b).unwrap().try_sub(b).unwrap(), a);
        }
    }
}
