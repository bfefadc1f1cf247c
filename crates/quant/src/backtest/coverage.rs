//! How often forecasts were breached, and whether breaches come in clusters.

use statrs::distribution::{Binomial, Discrete, DiscreteCDF};

use super::{BacktestError, Breaches};
use crate::{distribution::chi_squared_tail, var::Confidence};

/// The cumulative probabilities at which the zones begin (Basel Committee 1996).
const YELLOW: f64 = 0.95;
const RED: f64 = 0.9999;

/// A likelihood ratio against its chi-squared law.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LikelihoodRatio {
    /// Twice the gain in log-likelihood.
    pub statistic: f64,
    /// Degrees of freedom of the law.
    pub degrees_of_freedom: u32,
    /// How likely a correct forecast shows as much.
    pub p_value: f64,
}

/// How often a quiet or breached period was followed by a breach.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transitions {
    /// Quiet after quiet.
    pub n00: usize,
    /// A breach after quiet.
    pub n01: usize,
    /// Quiet after a breach.
    pub n10: usize,
    /// A breach after a breach.
    pub n11: usize,
}

/// Christoffersen's test of independence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IndependenceTest {
    /// The counts.
    pub transitions: Transitions,
    /// The ratio of a first-order chain against one probability.
    pub ratio: LikelihoodRatio,
}

/// Everything that the breaches alone can say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coverage {
    /// How many periods.
    pub periods: usize,
    /// How many breaches.
    pub breaches: usize,
    /// How many a correct forecast has in the mean.
    pub expected_breaches: f64,
    /// The share of breaches (Kupiec 1995).
    pub unconditional: LikelihoodRatio,
    /// Clusters of breaches (Christoffersen 1998); `None` with a single period, which has no
    /// transition.
    pub independence: Option<IndependenceTest>,
    /// Both together: the sum of the two ratios (Christoffersen 1998).
    pub conditional: Option<LikelihoodRatio>,
    /// The zone of the supervisor.
    pub traffic_light: TrafficLight,
}

/// The zone of a number of breaches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Zone {
    /// No more breaches than a correct forecast has with a probability of 95 %.
    Green,
    /// Too many to be at ease.
    Yellow,
    /// As many as a correct forecast has once in ten thousand.
    Red,
}

/// The zones of the Basel Committee (1996) for any number of periods and confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrafficLight {
    /// The zone.
    pub zone: Zone,
    /// The fewest breaches of the yellow zone: 5 of 250 at 99 %.
    pub yellow_from: usize,
    /// The fewest breaches of the red zone: 10 of 250 at 99 %.
    pub red_from: usize,
    /// How likely a correct forecast has this many breaches or fewer.
    pub cumulative_probability: f64,
    /// How likely a correct forecast has this many breaches or more.
    pub exceedance_probability: f64,
    /// What the supervisor adds to the multiplier of three, for 250 periods at 99 % only.
    pub multiplier_addition: Option<f64>,
}

/// Every test of the breaches.
///
/// # Errors
///
/// None of its own: [`Breaches`] was checked. The result type is that of its parts.
pub fn coverage(breaches: &Breaches) -> Result<Coverage, BacktestError> {
    let (periods, count) = (breaches.periods(), breaches.count());
    let confidence = breaches.confidence();
    let unconditional = kupiec(count, periods, confidence)?;
    let independence = (periods > 1).then(|| independence(breaches.hits()));
    let conditional = independence
        .map(|test| LikelihoodRatio::new(unconditional.statistic + test.ratio.statistic, 2));
    Ok(Coverage {
        periods,
        breaches: count,
        expected_breaches: periods as f64 * confidence.tail(),
        unconditional,
        independence,
        conditional,
        traffic_light: traffic_light(count, periods, confidence)?,
    })
}

/// The proportion of failures of Kupiec (1995): `-2 ln [(1-p)^(T-x) p^x / ((1-x/T)^(T-x)
/// (x/T)^x)]` with `p` one less the confidence, against chi-squared with one degree of freedom.
///
/// # Errors
///
/// [`BacktestError::Counts`] for more breaches than periods, or no period.
pub fn kupiec(
    breaches: usize,
    periods: usize,
    confidence: Confidence,
) -> Result<LikelihoodRatio, BacktestError> {
    check(breaches, periods)?;
    let (x, quiet) = (breaches as f64, (periods - breaches) as f64);
    let total = periods as f64;
    // One logarithm of a ratio each, so that an exact share gives zero and not rounding.
    let gain = count_log(x, x / (total * confidence.tail()))
        + count_log(quiet, quiet / (total * confidence.level()));
    Ok(LikelihoodRatio::new(2.0 * gain, 1))
}

/// The zones of the Basel Committee (1996), annex: yellow begins where the probability of that
/// many breaches or fewer reaches 95 %, red where it reaches 99.99 %.
///
/// # Errors
///
/// [`BacktestError::Counts`] for more breaches than periods, or no period.
pub fn traffic_light(
    breaches: usize,
    periods: usize,
    confidence: Confidence,
) -> Result<TrafficLight, BacktestError> {
    check(breaches, periods)?;
    let trials = periods as u64;
    let law = Binomial::new(confidence.tail(), trials).expect("invariant: a confidence is one");
    let first_at = |level: f64| {
        let (mut low, mut high) = (0, trials);
        while low < high {
            let middle = low + (high - low) / 2;
            if law.cdf(middle) >= level { high = middle } else { low = middle + 1 }
        }
        usize::try_from(low).unwrap_or(usize::MAX)
    };
    let (yellow_from, red_from) = (first_at(YELLOW), first_at(RED));
    let zone = if breaches >= red_from {
        Zone::Red
    } else if breaches >= yellow_from {
        Zone::Yellow
    } else {
        Zone::Green
    };
    let count = breaches as u64;
    let is_tabulated = periods == 250 && (confidence.level() - 0.99).abs() < 1e-12;
    Ok(TrafficLight {
        zone,
        yellow_from,
        red_from,
        cumulative_probability: law.cdf(count),
        exceedance_probability: (law.sf(count) + law.pmf(count)).min(1.0),
        multiplier_addition: is_tabulated.then_some(match breaches {
            0..=4 => 0.0,
            5 => 0.40,
            6 => 0.50,
            7 => 0.65,
            8 => 0.75,
            9 => 0.85,
            _ => 1.0,
        }),
    })
}

/// Christoffersen (1998): a first-order chain against independent breaches, on the transitions.
fn independence(hits: &[bool]) -> IndependenceTest {
    let mut n = Transitions { n00: 0, n01: 0, n10: 0, n11: 0 };
    for (before, after) in hits.iter().zip(hits.iter().skip(1)) {
        match (before, after) {
            (false, false) => n.n00 += 1,
            (false, true) => n.n01 += 1,
            (true, false) => n.n10 += 1,
            (true, true) => n.n11 += 1,
        }
    }
    let (n00, n01, n10, n11) = (n.n00 as f64, n.n01 as f64, n.n10 as f64, n.n11 as f64);
    let total = n00 + n01 + n10 + n11;
    let (from_quiet, from_breach) = (n00 + n01, n10 + n11);
    let (to_quiet, to_breach) = (n00 + n10, n01 + n11);
    let gain = count_log(n00, n00 * total / (from_quiet * to_quiet))
        + count_log(n01, n01 * total / (from_quiet * to_breach))
        + count_log(n10, n10 * total / (from_breach * to_quiet))
        + count_log(n11, n11 * total / (from_breach * to_breach));
    IndependenceTest { transitions: n, ratio: LikelihoodRatio::new(2.0 * gain, 1) }
}

fn check(breaches: usize, periods: usize) -> Result<(), BacktestError> {
    if periods == 0 || breaches > periods {
        return Err(BacktestError::Counts { breaches, periods });
    }
    Ok(())
}

/// `count ln ratio`, zero for no count whatever the ratio.
fn count_log(count: f64, ratio: f64) -> f64 {
    if count > 0.0 { count * ratio.ln() } else { 0.0 }
}

// === impl LikelihoodRatio ===

impl LikelihoodRatio {
    fn new(statistic: f64, degrees_of_freedom: u32) -> Self {
        // A likelihood at its maximum is never below another but by rounding.
        let statistic = statistic.max(0.0);
        let p_value = chi_squared_tail(degrees_of_freedom, statistic);
        Self { statistic, degrees_of_freedom, p_value }
    }

    /// Whether a correct forecast shows this much less often than `significance`.
    pub fn rejects(&self, significance: f64) -> bool {
        self.p_value < significance
    }
}
