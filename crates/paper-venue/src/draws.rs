//! Random numbers that depend on a seed, an event and a draw, and on nothing else.
//!
//! Draw `j` of event `i` is a hash of the seed, `i` and `j`, so no event can shift the numbers of
//! another one. The hash is the output function of `SplitMix64` (Steele, Lea and Flood, 2014,
//! "Fast splittable pseudorandom number generators", figure 14).
//!
//! Logarithm and exponential are computed here from additions, products and quotients, which every
//! machine rounds alike; the mathematical library of the system may differ in the last digit and
//! would make the same seed mean another market elsewhere.

/// The golden ratio in 64 bits, the increment of `SplitMix64`.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The numbers of one event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draws {
    key: u64,
    count: u64,
}

const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

// === impl Draws ===

impl Draws {
    pub(crate) const fn new(seed: u64, event: u64) -> Self {
        let event = mix(event.wrapping_mul(GOLDEN).wrapping_add(GOLDEN));
        Self { key: mix(seed.wrapping_add(GOLDEN)) ^ event, count: 0 }
    }

    /// 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.count = self.count.wrapping_add(1);
        mix(self.key.wrapping_add(self.count.wrapping_mul(GOLDEN)))
    }

    /// Uniform above 0 and up to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        // The upper 53 bits, in two parts that `f64` holds exactly.
        let bits = self.bits();
        let upper = u32::try_from(bits >> 32).unwrap_or(u32::MAX);
        let lower = u32::try_from((bits & 0xffff_ffff) >> 11).unwrap_or(u32::MAX);
        let whole = f64::from(upper) * 2_097_152.0 + f64::from(lower);
        (whole + 1.0) / 9_007_199_254_740_992.0
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() <= probability
    }

    /// Uniform from 0 up to `count` less one; zero when `count` is.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let count = u64::try_from(count).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.bits() % count).unwrap_or(0)
    }

    /// Exponential with mean 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -ln(self.unit())
    }

    /// Standard normal by Marsaglia's polar method (Marsaglia and Bray, 1964).
    pub(crate) fn normal(&mut self) -> f64 {
        loop {
            let (u, v) = (2.0 * self.unit() - 1.0, 2.0 * self.unit() - 1.0);
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                return u * (-2.0 * ln(s) / s).sqrt();
            }
        }
    }

    /// Pareto with the smallest value 1 and this tail exponent, cut off at `max`.
    pub(crate) fn pareto(&mut self, tail: f64, max: f64) -> f64 {
        exp(self.exponential() / tail).min(max)
    }
}

/// Natural logarithm of a positive normal number.
pub(crate) fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let raw = i32::try_from((bits >> 52) & 0x7ff).unwrap_or(0);
    // Mantissa in 1..2, then moved to around 1 so that the series is short.
    let m = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    let (m, e) = if m > std::f64::consts::SQRT_2 { (m / 2.0, raw - 1022) } else { (m, raw - 1023) };
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    // ln m = 2 (s + s^3/3 + s^5/5 + ...), and |s| < 0.172 leaves 1e-16 after s^21.
    let mut sum = 0.0;
    for k in (0..=10).rev() {
        sum = sum * square + 1.0 / f64::from(2 * k + 1);
    }
    2.0 * s * sum + f64::from(e) * std::f64::consts::LN_2
}

/// Exponential, cut off at about e^-700 and e^700.
pub(crate) fn exp(x: f64) -> f64 {
    let x = x.clamp(-700.0, 700.0);
    let whole = (x / std::f64::consts::LN_2).round();
    let rest = x - whole * std::f64::consts::LN_2;
    // Taylor series around 0 for |rest| < 0.35, then a power of two by its bits.
    let mut sum = 1.0;
    for k in (1..=14).rev() {
        sum = 1.0 + sum * rest / f64::from(k);
    }
    let mut scale = 1.0;
    let factor = if whole < 0.0 { 0.5 } else { 2.0 };
    let mut left = whole.abs();
    while left >= 1.0 {
        scale *= factor;
        left -= 1.0;
    }
    sum * scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithm_and_exponential_agree_with_the_system_to_fourteen_digits() {
        for x in [1e-300, 1e-9, 0.3, 0.999, 1.0, 1.001, 1.5, 2.0, 12345.678, 1e300] {
            let (own, system) = (ln(x), f64::ln(x));
            assert!(
                (own - system).abs() <= 1e-14 * system.abs().max(1.0),
                "ln {x}: {own} {system}"
            );
        }
        for x in [-50.0, -1.0, -1e-9, 0.0, 0.1, 1.0, 12.3, 100.0] {
            let (own, system) = (exp(x), f64::exp(x));
            assert!((own / system - 1.0).abs() < 1e-13, "exp {x}: {own} {system}");
        }
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let n = 200_000;
        let (mut normal, mut square, mut exponential, mut unit) = (0.0, 0.0, 0.0, 0.0);
        for event in 0..n {
            let mut draws = Draws::new(7, event);
            let z = draws.normal();
            normal += z;
            square += z * z;
            exponential += draws.exponential();
            unit += draws.unit();
        }
        let n = 200_000.0;
        // Four standard errors of each mean.
        assert!((normal / n).abs() < 4.0 / f64::sqrt(n), "normal mean {}", normal / n);
        assert!((square / n - 1.0).abs() < 4.0 * f64::sqrt(2.0 / n), "variance {}", square / n);
        assert!((exponential / n - 1.0).abs() < 4.0 / f64::sqrt(n), "exp {}", exponential / n);
        assert!((unit / n - 0.5).abs() < 4.0 * f64::sqrt(1.0 / 12.0 / n), "unit {}", unit / n);
    }

    #[test]
    fn neighbouring_events_and_seeds_share_nothing() {
        let first = |seed, event| Draws::new(seed, event).bits();
        assert_ne!(first(1, 1), first(1, 2));
        assert_ne!(first(1, 1), first(2, 1));
        assert_eq!(first(1, 1), first(1, 1));
    }
}
