//! One asset whose price jumps, or whose volatility moves.

use rand_xoshiro::Xoshiro256PlusPlus;

use super::{
    Heston, LOG_GROWTH_MAX, Merton, Outcome, Plan, Sampling, SimulateError,
    engine::{Block, share_out},
    estimate,
};

/// The most draws a step takes: two normals and a count of jumps.
const DRAWS_A_STEP: usize = 3;

/// A process with a price and what moves it.
pub(super) trait Steps: Sync {
    /// What moves besides the price.
    type State: Copy + Send;
    /// What is drawn for one step, before its sign.
    type Shock;

    fn initial(&self) -> Self::State;

    fn draw(&self, stream: &mut Xoshiro256PlusPlus) -> Self::Shock;

    /// The growth of the logarithm over one step, with the normals of the shock times `sign`.
    fn advance(&self, state: &mut Self::State, shock: &Self::Shock, sign: f64) -> f64;
}

/// What the price follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Process {
    /// Jumps.
    Merton(Merton),
    /// Volatility that moves.
    Heston(Heston),
}

/// Simulates the value of one asset and describes where it ends. The drift is the growth of the
/// mean: `initial_value exp(drift years)` is exact.
///
/// # Errors
///
/// [`SimulateError::Asset`] for a parameter, [`SimulateError::GrowthTooLarge`], the bounds of
/// [`Plan`] and [`SimulateError::Stopped`].
pub fn simulate_process(
    initial_value: f64,
    process: &Process,
    plan: &Plan,
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Outcome, SimulateError> {
    plan.check_size(DRAWS_A_STEP)?;
    if !(initial_value > 0.0 && initial_value <= 1e30) {
        let (field, rule) = ("initial_value", "positive and at most 1e30");
        return Err(SimulateError::Asset { asset: 0, field, value: initial_value, rule });
    }
    let dt = plan.horizon_years / plan.steps as f64;
    let fill: Box<dyn Fn(Block<'_>) + Sync> = match process {
        Process::Merton(merton) => {
            merton.check()?;
            within_range(merton.log_growth(plan.horizon_years))?;
            let steps = merton.steps(dt);
            Box::new(move |block| walk(&steps, initial_value, plan, block))
        }
        Process::Heston(heston) => {
            heston.check()?;
            within_range(heston.log_growth(plan.horizon_years))?;
            let steps = heston.steps(dt);
            Box::new(move |block| walk(&steps, initial_value, plan, block))
        }
    };
    let paths = share_out(plan, &fill, is_stopped)?;
    let drift = match process {
        Process::Merton(merton) => merton.drift,
        Process::Heston(heston) => heston.drift,
    };
    let expected_value = initial_value * (drift * plan.horizon_years).exp();
    estimate::describe((initial_value, expected_value), plan, &paths)
}

/// A parameter that cannot be simulated.
pub(super) fn refuse(field: &'static str, value: f64, rule: &'static str) -> SimulateError {
    SimulateError::Asset { asset: 0, field, value, rule }
}

fn within_range(log_growth: f64) -> Result<(), SimulateError> {
    if log_growth.is_nan() || log_growth > LOG_GROWTH_MAX {
        return Err(SimulateError::GrowthTooLarge { asset: 0, log_growth });
    }
    Ok(())
}

pub(super) fn walk<S: Steps>(steps: &S, initial_value: f64, plan: &Plan, mut block: Block<'_>) {
    let stride = match plan.sampling {
        Sampling::Independent => 1,
        Sampling::Antithetic => 2,
    };
    let pairs = block.terminal.chunks_mut(stride).zip(block.drawdown.chunks_mut(stride));
    for (terminal, drawdown) in pairs {
        let mut walks = [(steps.initial(), 0.0_f64, 0.0_f64, 0.0_f64); 2];
        for _ in 0..plan.steps {
            let shock = steps.draw(&mut block.stream);
            for ((state, log, peak, deepest), sign) in
                walks.iter_mut().take(stride).zip([1.0, -1.0])
            {
                *log += steps.advance(state, &shock, sign);
                *peak = peak.max(*log);
                *deepest = deepest.min(*log - *peak);
            }
        }
        for ((value, fall), (_, log, _, deepest)) in
            terminal.iter_mut().zip(drawdown.iter_mut()).zip(walks)
        {
            *value = initial_value * log.exp();
            // A plain minus would turn no drawdown into negative zero.
            *fall = deepest.exp_m1().abs();
        }
    }
}
