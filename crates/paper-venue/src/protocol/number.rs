//! Numbers of the protocol as whole units of the eighth decimal place.
//!
//! Every price, quantity and balance on the wire has at most eight decimal places, so an `i128`
//! count of 1e-8 is exact. No floating point is involved.

/// One, in units of 1e-8.
pub(crate) const ONE_E8: i128 = 100_000_000;

/// Why a text is no number of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberError {
    /// Not `digits[.digits]` with at most 20 digits in each part.
    Illegal,
    /// More than eight places after the point.
    Precision,
    /// More than fits.
    Overflow,
}

/// Reads `digits[.digits]`.
pub(crate) fn parse_e8(text: &str) -> Result<i128, NumberError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let legal = |part: &str| {
        (1..=20).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !legal(whole) || !legal(fraction) {
        return Err(NumberError::Illegal);
    }
    let significant = fraction.trim_end_matches('0');
    if significant.len() > 8 {
        return Err(NumberError::Precision);
    }
    let whole: i128 = whole.parse().or(Err(NumberError::Illegal))?;
    let padded = format!("{significant:0<8}");
    let fraction: i128 = padded.parse().or(Err(NumberError::Illegal))?;
    let value = whole.saturating_mul(ONE_E8).saturating_add(fraction);
    // The venue keeps 63 bits; more is an overflow there too.
    if value > i128::from(i64::MAX) { Err(NumberError::Overflow) } else { Ok(value) }
}

/// Writes units of 1e-8 with all eight places.
pub(crate) fn write_e8(out: &mut String, value: i128) {
    let magnitude = value.unsigned_abs();
    if value < 0 {
        out.push('-');
    }
    let (whole, fraction) = (magnitude / 100_000_000, magnitude % 100_000_000);
    let mut digits = [b'0'; 40];
    let mut place = digits.len();
    let mut rest = whole;
    loop {
        place = place.saturating_sub(1);
        if let Some(digit) = digits.get_mut(place) {
            *digit = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or(0));
        }
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    for digit in digits.iter().skip(place) {
        out.push(char::from(*digit));
    }
    out.push('.');
    let mut divisor = 10_000_000;
    while divisor > 0 {
        let digit = u8::try_from(fraction / divisor % 10).unwrap_or(0);
        out.push(char::from(b'0'.saturating_add(digit)));
        divisor /= 10;
    }
}

/// Units of 1e-8 with all eight places.
pub(crate) fn e8(value: i128) -> String {
    let mut out = String::with_capacity(24);
    write_e8(&mut out, value);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_units_and_units_become_text() {
        for (text, value, back) in [
            ("0.01", 1_000_000, "0.01000000"),
            ("61583.22", 6_158_322_000_000, "61583.22000000"),
            ("0", 0, "0.00000000"),
            ("1.100000000000", 110_000_000, "1.10000000"),
        ] {
            assert_eq!(parse_e8(text), Ok(value));
            assert_eq!(e8(value), back);
        }
        assert_eq!(e8(-1), "-0.00000001");
    }

    #[test]
    fn what_is_no_number_of_the_protocol_says_why() {
        for text in ["", ".5", "1.", "-1", "+1", "1e3", "NaN", " 1", "1,0", "123456789012345678901"]
        {
            assert_eq!(parse_e8(text), Err(NumberError::Illegal), "{text:?}");
        }
        assert_eq!(parse_e8("0.123456789"), Err(NumberError::Precision));
        assert_eq!(parse_e8("99999999999999999999"), Err(NumberError::Overflow));
    }
}
