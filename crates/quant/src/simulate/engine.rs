//! Draws the paths, block by block.

use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{BLOCK_PATHS, Market, Plan, Sampling, SimulateError};
use crate::shares::{Stopped, in_shares};

/// What is kept of each path, in path order.
#[derive(Debug)]
pub(super) struct Paths {
    /// Portfolio value at the horizon.
    pub(super) terminal: Vec<f64>,
    /// Largest fall from a peak of portfolio value, the start included.
    pub(super) drawdown: Vec<f64>,
}

/// A block's stream and its part of the result.
pub(super) struct Block<'a> {
    pub(super) stream: Xoshiro256PlusPlus,
    pub(super) terminal: &'a mut [f64],
    pub(super) drawdown: &'a mut [f64],
}

/// What every path uses: per asset, the drift of a step and a row of the scaled factor.
struct Stepper {
    initial: Vec<f64>,
    step_drift: Vec<f64>,
    /// The lower triangle times the volatility of a step, rows one after another.
    factor: Vec<f64>,
    steps: usize,
    sampling: Sampling,
}

/// A path as it moves, and its shocks.
struct Path {
    log_growth: Vec<f64>,
    peak: f64,
    drawdown: f64,
    value: f64,
}

pub(super) fn run(
    market: &Market,
    plan: &Plan,
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Paths, SimulateError> {
    let stepper = Stepper::new(market, plan);
    share_out(plan, &|block| stepper.fill(block), is_stopped)
}

/// Cuts the paths into blocks, each with its own stream, and lets threads fill them.
pub(super) fn share_out(
    plan: &Plan,
    fill: &(dyn Fn(Block<'_>) + Sync),
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Paths, SimulateError> {
    let mut paths = Paths { terminal: vec![0.0; plan.paths], drawdown: vec![0.0; plan.paths] };
    let mut stream = Xoshiro256PlusPlus::seed_from_u64(plan.seed);
    let parts = paths.terminal.chunks_mut(BLOCK_PATHS).zip(paths.drawdown.chunks_mut(BLOCK_PATHS));
    let blocks = parts.map(|(terminal, drawdown)| {
        let own = stream.clone();
        stream.jump();
        Block { stream: own, terminal, drawdown }
    });
    in_shares(plan.threads, blocks, fill, is_stopped).map_err(|Stopped| SimulateError::Stopped)?;
    Ok(paths)
}

// === impl Stepper ===

impl Stepper {
    fn new(market: &Market, plan: &Plan) -> Self {
        let dt = plan.horizon_years / plan.steps as f64;
        let holdings = &market.holdings;
        let scaled_rows = market.factor.rows().iter().zip(holdings);
        Self {
            initial: holdings.iter().map(|h| h.initial_value).collect(),
            step_drift: holdings
                .iter()
                .map(|h| (h.drift - h.volatility * h.volatility / 2.0) * dt)
                .collect(),
            factor: scaled_rows
                .flat_map(|(row, h)| row.iter().map(|l| l * h.volatility * dt.sqrt()))
                .collect(),
            steps: plan.steps,
            sampling: plan.sampling,
        }
    }

    fn fill(&self, mut block: Block<'_>) {
        let assets = self.initial.len();
        let (mut normals, mut shocks) = (vec![0.0; assets], vec![0.0; assets]);
        let (mut path, mut mirror) = (self.start(), self.start());
        let stride = match self.sampling {
            Sampling::Independent => 1,
            Sampling::Antithetic => 2,
        };
        let pairs = block.terminal.chunks_mut(stride).zip(block.drawdown.chunks_mut(stride));
        for (terminal, drawdown) in pairs {
            path.restart(&self.initial);
            mirror.restart(&self.initial);
            for _ in 0..self.steps {
                for normal in &mut normals {
                    *normal = StandardNormal.sample(&mut block.stream);
                }
                self.correlate(&normals, &mut shocks);
                path.advance(self, &shocks, 1.0);
                if stride == 2 {
                    mirror.advance(self, &shocks, -1.0);
                }
            }
            for ((value, fall), path) in
                terminal.iter_mut().zip(drawdown.iter_mut()).zip([&path, &mirror])
            {
                *value = path.value;
                *fall = path.drawdown;
            }
        }
    }

    fn start(&self) -> Path {
        Path { log_growth: vec![0.0; self.initial.len()], peak: 0.0, drawdown: 0.0, value: 0.0 }
    }

    /// `shocks = L normals`, with the volatility of a step in `L`.
    fn correlate(&self, normals: &[f64], shocks: &mut [f64]) {
        let mut rest = self.factor.as_slice();
        for (index, shock) in shocks.iter_mut().enumerate() {
            let (row, after) = rest.split_at(index + 1);
            rest = after;
            // Four sums at once, in a fixed order, so that the processor need not wait for each.
            let mut lanes = [0.0_f64; 4];
            let (row_fours, row_rest) = row.as_chunks::<4>();
            let (normal_fours, normal_rest) = normals[..=index].as_chunks::<4>();
            for (l, z) in row_fours.iter().zip(normal_fours) {
                for lane in 0..4 {
                    lanes[lane] += l[lane] * z[lane];
                }
            }
            let tail: f64 = row_rest.iter().zip(normal_rest).map(|(l, z)| l * z).sum();
            *shock = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + tail;
        }
    }
}

// === impl Path ===

impl Path {
    fn restart(&mut self, initial: &[f64]) {
        self.log_growth.fill(0.0);
        self.value = initial.iter().sum();
        self.peak = self.value;
        self.drawdown = 0.0;
    }

    fn advance(&mut self, stepper: &Stepper, shocks: &[f64], sign: f64) {
        let mut value = 0.0;
        let assets = self.log_growth.iter_mut().zip(&stepper.step_drift).zip(shocks);
        for (((growth, drift), shock), initial) in assets.zip(&stepper.initial) {
            *growth += drift + sign * shock;
            value += initial * growth.exp();
        }
        self.value = value;
        self.peak = self.peak.max(value);
        self.drawdown = self.drawdown.max(1.0 - value / self.peak);
    }
}
