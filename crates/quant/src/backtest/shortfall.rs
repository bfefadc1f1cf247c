//! Whether forecasts of expected shortfall were honest: the tests of Acerbi & Szekely (2014).
//!
//! With `I` one in a breach, `L` the loss, `ES` its forecast, `a` one less the confidence and `N`
//! the number of breaches:
//!
//! * `Z1 = 1 - sum(L I / ES) / N`: the size of breaches, given that there are some.
//! * `Z2 = 1 - sum(L I / ES) / (T a)`: size and number together.
//!
//! Both are zero in expectation for a correct forecast and negative when the risk is understated.
//! The p-value is the share of simulated histories under the forecast law that are as bad or
//! worse. The law enters through the user's forecasts: each simulated loss is a standard variable
//! moved and scaled so that its value at risk and expected shortfall are those of its period, so
//! that no further assumption than the shape is needed.

use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal, StudentT};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{BacktestError, aligned};
use crate::{
    distribution::{Student, normal_density, normal_quantile},
    simulate::Estimate,
    stats::{Series, compensated_sum},
    var::Confidence,
};

/// The fewest and the most simulated histories.
const HISTORIES: std::ops::RangeInclusive<usize> = 100..=1_000_000;

/// The shape of losses under a correct forecast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LossLaw {
    /// Normal.
    Normal,
    /// Student-t with these degrees of freedom, above one.
    StudentT(f64),
}

/// Forecasts, aligned with the losses; positive is a loss.
#[derive(Clone, Copy, Debug)]
pub struct ShortfallForecast<'a> {
    /// Value at risk of each period.
    pub value_at_risk: &'a [f64],
    /// Expected shortfall of each period.
    pub expected_shortfall: &'a [f64],
    /// The confidence of both.
    pub confidence: Confidence,
}

/// How the p-values are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Simulation {
    /// The shape of losses under the forecast.
    pub law: LossLaw,
    /// How many histories.
    pub histories: usize,
    /// The seed.
    pub seed: u64,
}

/// One statistic with its p-value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShortfallTest {
    /// The statistic: zero in expectation, negative when the risk is understated.
    pub statistic: f64,
    /// The share of simulated histories with a statistic as low or lower, and its standard error.
    pub p_value: Estimate,
}

/// Both tests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShortfallTests {
    /// How many breaches.
    pub breaches: usize,
    /// The size of breaches; `None` when there are none. Its p-value looks at histories with a
    /// breach.
    pub z1: Option<ShortfallTest>,
    /// Size and number of breaches.
    pub z2: ShortfallTest,
    /// The seed.
    pub seed: u64,
}

/// The standard variable behind the losses, with its own value at risk and shortfall.
enum Standard {
    Normal,
    Student(StudentT<f64>),
}

/// What a history adds up to.
#[derive(Clone, Copy, Debug)]
struct Sums {
    breaches: usize,
    ratios: f64,
}

/// Tests forecasts of expected shortfall (Acerbi & Szekely 2014, tests 1 and 2).
///
/// # Errors
///
/// [`BacktestError::Series`] for empty, unusable or misaligned series;
/// [`BacktestError::Shortfall`] for a forecast shortfall that is not positive or below its value
/// at risk; [`BacktestError::Law`] and [`BacktestError::Histories`] for the simulation.
pub fn acerbi_szekely(
    losses: &[f64],
    forecast: ShortfallForecast<'_>,
    simulation: Simulation,
) -> Result<ShortfallTests, BacktestError> {
    let losses = Series::try_new("losses", losses, 1)?;
    let var = aligned("value_at_risk", forecast.value_at_risk, losses)?.values();
    let es = aligned("expected_shortfall", forecast.expected_shortfall, losses)?.values();
    for (index, (&value, &least)) in es.iter().zip(var).enumerate() {
        if value <= 0.0 || value < least {
            return Err(BacktestError::Shortfall { index, value, least });
        }
    }
    if !HISTORIES.contains(&simulation.histories) {
        return Err(BacktestError::Histories(simulation.histories));
    }
    let expected = losses.len() as f64 * forecast.confidence.tail();
    let own = Sums::of(losses.values().iter().copied(), var, es);
    let (z1, z2) = own.statistics(expected);
    let (standard, standard_var, standard_es) = Standard::new(simulation.law, forecast.confidence)?;
    // The forecast's distance between the measures is the scale.
    let scale: Vec<f64> =
        var.iter().zip(es).map(|(v, e)| (e - v) / (standard_es - standard_var)).collect();
    let mut stream = Xoshiro256PlusPlus::seed_from_u64(simulation.seed);
    let (mut as_low_1, mut with_breach, mut as_low_2) = (0_usize, 0_usize, 0_usize);
    for _ in 0..simulation.histories {
        let simulated = var
            .iter()
            .zip(&scale)
            .map(|(v, s)| v + s * (standard.draw(&mut stream) - standard_var));
        let (first, second) = Sums::of(simulated, var, es).statistics(expected);
        as_low_2 += usize::from(second <= z2);
        if let (Some(first), Some(own)) = (first, z1) {
            with_breach += 1;
            as_low_1 += usize::from(first <= own);
        }
    }
    let z1 = z1.filter(|_| with_breach > 0);
    Ok(ShortfallTests {
        breaches: own.breaches,
        z1: z1.map(|statistic| ShortfallTest { statistic, p_value: share(as_low_1, with_breach) }),
        z2: ShortfallTest { statistic: z2, p_value: share(as_low_2, simulation.histories) },
        seed: simulation.seed,
    })
}

/// A share of independent histories, with the error of a binomial count.
fn share(count: usize, of: usize) -> Estimate {
    let (n, value) = (of as f64, count as f64 / of as f64);
    // With none or all, the error of a single one.
    let spread = (value * (1.0 - value)).max(n.recip());
    Estimate { value, standard_error: (spread / n).sqrt() }
}

// === impl Standard ===

impl Standard {
    fn new(law: LossLaw, confidence: Confidence) -> Result<(Self, f64, f64), BacktestError> {
        match law {
            LossLaw::Normal => {
                let var = -normal_quantile(confidence.tail());
                let es = normal_density(var) / confidence.tail();
                Ok((Self::Normal, var, es))
            }
            LossLaw::StudentT(value) => {
                let law = Student::new(value).filter(|_| value > 1.0);
                let draw = StudentT::new(value).ok();
                let (Some(law), Some(draw)) = (law, draw) else {
                    let rule = "above 1 and finite, or there is no expected shortfall";
                    return Err(BacktestError::Law { field: "degrees_of_freedom", value, rule });
                };
                let tail = confidence.tail();
                Ok((Self::Student(draw), -law.quantile(tail), law.tail_mean(tail)))
            }
        }
    }

    fn draw(&self, stream: &mut Xoshiro256PlusPlus) -> f64 {
        match self {
            Self::Normal => StandardNormal.sample(stream),
            Self::Student(law) => law.sample(stream),
        }
    }
}

// === impl Sums ===

impl Sums {
    fn of(losses: impl Iterator<Item = f64>, var: &[f64], es: &[f64]) -> Self {
        let mut breaches = 0;
        let ratios = compensated_sum(losses.zip(var).zip(es).map(|((loss, var), es)| {
            let is_breach = loss > *var;
            breaches += usize::from(is_breach);
            if is_breach { loss / es } else { 0.0 }
        }));
        Self { breaches, ratios }
    }

    fn statistics(self, expected: f64) -> (Option<f64>, f64) {
        let first = (self.breaches > 0).then(|| 1.0 - self.ratios / self.breaches as f64);
        (first, 1.0 - self.ratios / expected)
    }
}
