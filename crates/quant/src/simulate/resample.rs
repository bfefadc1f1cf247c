//! Paths of returns that happened: blocks of a sample, glued in another order.

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{
    LOG_GROWTH_MAX, Outcome, Plan, Sampling, SimulateError,
    engine::share_out,
    estimate,
    process::{Steps, refuse, walk},
};
use crate::stats::Series;

/// The logarithms of the sample's growth, drawn in blocks of geometric length.
struct BlockSteps {
    logs: Vec<f64>,
    /// The chance that a step begins a block.
    renewal: f64,
}

/// Simulates the value of one holding whose returns are drawn from a sample by the stationary
/// bootstrap (Politis & Romano 1994): blocks of consecutive returns, of geometric lengths with this
/// mean, from a sample whose end is joined to its start. A block keeps what neighbouring returns
/// know of each other, such as volatility that comes in clusters; a length of one keeps nothing.
/// Each step of the plan is one period of the sample. The expected value is the exact mean over all
/// paths that can be drawn.
///
/// # Errors
///
/// [`SimulateError::Values`] below two returns or for unusable ones; [`SimulateError::Asset`] for
/// the initial value, a return of less than -1, a block length outside the sample and antithetic
/// sampling, which blocks have none of; [`SimulateError::GrowthTooLarge`], the bounds of [`Plan`]
/// and [`SimulateError::Stopped`].
pub fn simulate_resampled(
    initial_value: f64,
    (returns, block_length_mean): (&[f64], f64),
    plan: &Plan,
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Outcome, SimulateError> {
    plan.check_size(2)?;
    if !(initial_value > 0.0 && initial_value <= 1e30) {
        return Err(refuse("initial_value", initial_value, "positive and at most 1e30"));
    }
    let returns = Series::try_new("returns", returns, 2)?;
    if let Some(&value) = returns.values().iter().find(|r| **r < -1.0) {
        return Err(refuse("returns", value, "at least -1, a total loss"));
    }
    if !(block_length_mean >= 1.0 && block_length_mean <= returns.len() as f64) {
        let rule = "at least 1 and at most the number of returns";
        return Err(refuse("block_length", block_length_mean, rule));
    }
    if plan.sampling == Sampling::Antithetic {
        return Err(refuse("antithetic", 1.0, "left out: blocks have no mirror image"));
    }
    let renewal = block_length_mean.recip();
    let log_growth = log_growth(returns.values(), block_length_mean, plan.steps);
    if log_growth > LOG_GROWTH_MAX {
        return Err(SimulateError::GrowthTooLarge { asset: 0, log_growth });
    }
    let growth = expected_growth(returns.values(), renewal, plan.steps, is_stopped)?;
    let steps = BlockSteps { logs: returns.values().iter().map(|r| r.ln_1p()).collect(), renewal };
    let paths = share_out(plan, &|block| walk(&steps, initial_value, plan, block), is_stopped)?;
    estimate::describe((initial_value, initial_value * growth), plan, &paths)
}

/// How far the logarithm may plausibly go: the mean and ten deviations, as if blocks moved as one.
fn log_growth(returns: &[f64], block_length_mean: f64, steps: usize) -> f64 {
    let logs = returns.iter().filter(|r| **r > -1.0).map(|r| r.ln_1p());
    let n = returns.len() as f64;
    let (sum, squares) = logs.fold((0.0, 0.0), |(sum, squares), l| (sum + l, squares + l * l));
    let steps = steps as f64;
    (sum / n).abs() * steps + 10.0 * (squares / n * block_length_mean * steps).sqrt()
}

/// The exact mean of the compounded growth. With `v` the mean growth of the steps that are left by
/// where the block stands, `v'(i) = (1 + r(i)) ((1 - p) v(i + 1) + p mean(v))`.
fn expected_growth(
    returns: &[f64],
    renewal: f64,
    steps: usize,
    is_stopped: &dyn Fn() -> bool,
) -> Result<f64, SimulateError> {
    let count = returns.len();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / count as f64;
    let mut left = vec![1.0; count];
    let mut before = vec![0.0; count];
    for _ in 0..steps {
        if is_stopped() {
            return Err(SimulateError::Stopped);
        }
        let fresh = renewal * mean(&left);
        for (at, (value, r)) in before.iter_mut().zip(returns).enumerate() {
            let next = if at + 1 == count { left[0] } else { left[at + 1] };
            *value = (1.0 + r) * ((1.0 - renewal) * next + fresh);
        }
        std::mem::swap(&mut left, &mut before);
    }
    Ok(mean(&left))
}

// === impl BlockSteps ===

impl Steps for BlockSteps {
    /// Where the block stands; nowhere before the first.
    type State = Option<usize>;
    /// Whether a block begins, and where it would.
    type Shock = (bool, usize);

    fn initial(&self) -> Option<usize> {
        None
    }

    fn draw(&self, stream: &mut Xoshiro256PlusPlus) -> (bool, usize) {
        let start = stream.random_range(0..self.logs.len());
        (stream.random::<f64>() < self.renewal, start)
    }

    fn advance(&self, state: &mut Option<usize>, (is_new, start): &(bool, usize), _: f64) -> f64 {
        let at = match *state {
            Some(last) if !is_new => (last + 1) % self.logs.len(),
            _ => *start,
        };
        *state = Some(at);
        self.logs[at]
    }
}
