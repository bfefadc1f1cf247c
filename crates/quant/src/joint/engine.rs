//! Draws portfolio returns, block by block.

use rand::SeedableRng;
use rand_distr::{ChiSquared, Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use statrs::distribution::{ChiSquared as ChiSquaredLaw, ContinuousCDF};

use super::{
    DRAWS_MAX, HORIZON_MAX, Joint, JointError, JointPlan, JointSampling, Margins, PATHS_MAX,
    PATHS_MIN, SCRAMBLES, THREADS_MAX, marginal::Map,
};
use crate::{
    distribution::normal_quantile,
    shares::{Stopped, in_shares},
    sobol::{DIMENSIONS_MAX, Sobol},
    stats::compensated_sum,
};

/// The most paths of a block: the unit of random streams, of threads and of cancellation.
const BLOCK_PATHS: usize = 4_096;

/// What every path uses.
struct Sampler<'a> {
    law: &'a Joint,
    weights: &'a [f64],
    /// For an elliptical law: the mean of the portfolio and what each variable adds to it.
    linear: Option<(f64, Vec<f64>)>,
    /// For a copula: what turns its variables into returns.
    maps: Vec<Map<'a>>,
    horizon: usize,
}

/// One path's variables, and room to work in; the second growth is that of the mirrored path.
struct Room {
    normals: Vec<f64>,
    returns: Vec<f64>,
    growth: [Vec<f64>; 2],
}

/// One block's source of shocks.
enum Source<'a> {
    Stream(Xoshiro256PlusPlus),
    Sobol { sequence: &'a Sobol, start: u32 },
}

struct Block<'a> {
    source: Source<'a>,
    outcomes: &'a mut [f64],
}

pub(super) fn check(plan: &JointPlan, law: &Joint) -> Result<(), JointError> {
    for (field, value, min, max) in [
        ("paths", plan.paths, PATHS_MIN, PATHS_MAX),
        ("threads", plan.threads, 1, THREADS_MAX),
        ("horizon_periods", horizon_of(plan), 1, HORIZON_MAX),
        ("draws", draws(plan, law), 1, DRAWS_MAX),
    ] {
        if value < min || value > max {
            return Err(JointError::Count { field, value, min, max });
        }
    }
    let paths = plan.paths;
    match plan.sampling {
        JointSampling::Independent => Ok(()),
        JointSampling::Antithetic if paths.is_multiple_of(2) => Ok(()),
        JointSampling::Antithetic => {
            Err(JointError::Paths { paths, rule: "even: antithetic paths come in pairs" })
        }
        JointSampling::Sobol => {
            let dimensions = dimensions(law, plan);
            if dimensions > DIMENSIONS_MAX {
                let (field, value, max) = ("dimensions", dimensions, DIMENSIONS_MAX);
                return Err(JointError::Count { field, value, min: 1, max });
            }
            if paths.is_multiple_of(SCRAMBLES) && (paths / SCRAMBLES).is_power_of_two() {
                return Ok(());
            }
            let rule = "sixteen times a power of two, such as 16384 or 1048576";
            Err(JointError::Paths { paths, rule })
        }
    }
}

/// The portfolio's return of each path, in path order.
pub(super) fn run(
    law: &Joint,
    weights: &[f64],
    plan: &JointPlan,
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<f64>, JointError> {
    let sampler = Sampler::new(law, weights, horizon_of(plan));
    let mut outcomes = vec![0.0; plan.paths];
    let sequences = sequences(law, plan);
    let each = plan.paths / SCRAMBLES;
    let block_paths = if sequences.is_empty() { BLOCK_PATHS } else { each.min(BLOCK_PATHS) };
    let mut stream = Xoshiro256PlusPlus::seed_from_u64(plan.seed);
    let blocks = outcomes.chunks_mut(block_paths).enumerate().map(|(index, part)| {
        let first = index * block_paths;
        let source = match sequences.get(first / each.max(1)) {
            Some(sequence) => {
                let start = u32::try_from(first % each).unwrap_or(0);
                Source::Sobol { sequence, start }
            }
            None => {
                let own = stream.clone();
                stream.jump();
                Source::Stream(own)
            }
        };
        Block { source, outcomes: part }
    });
    let fill = |block: Block<'_>| sampler.fill(block, plan.sampling);
    in_shares(plan.threads, blocks, fill, is_stopped).map_err(|Stopped| JointError::Stopped)?;
    Ok(outcomes)
}

/// One dimension an asset, and one for what the variables of a Student-t share, each period.
fn dimensions(law: &Joint, plan: &JointPlan) -> usize {
    (law.asset_count() + usize::from(law.freedom.is_some())).saturating_mul(horizon_of(plan))
}

fn draws(plan: &JointPlan, law: &Joint) -> usize {
    plan.paths.saturating_mul(law.asset_count()).saturating_mul(horizon_of(plan))
}

fn horizon_of(plan: &JointPlan) -> usize {
    usize::try_from(plan.horizon_periods).expect("invariant: a u32 fits into a usize")
}

/// The scramblings, none for other samplings.
fn sequences(law: &Joint, plan: &JointPlan) -> Vec<Sobol> {
    if plan.sampling != JointSampling::Sobol {
        return Vec::new();
    }
    let plain =
        Sobol::try_new(dimensions(law, plan)).expect("invariant: the dimensions were checked");
    let scrambles = (0_u64..).take(SCRAMBLES);
    // An odd stride keeps the seeds of a scrambling apart for neighbouring seeds of plans.
    let seed_of = |k: u64| plan.seed.wrapping_add(k.wrapping_mul(0xd129_42f0_8be7_f9a3));
    scrambles
        .map(|k| {
            let mut sequence = plain.clone();
            sequence.rescramble(seed_of(k));
            sequence
        })
        .collect()
}

// === impl Sampler ===

impl<'a> Sampler<'a> {
    fn new(law: &'a Joint, weights: &'a [f64], horizon: usize) -> Self {
        let linear = match &law.margins {
            Margins::Elliptical(mean) => {
                let drift = compensated_sum(mean.iter().zip(weights).map(|(m, w)| m * w));
                Some((drift, law.factor.loading(weights)))
            }
            Margins::Copula(_) => None,
        };
        let maps = match &law.margins {
            Margins::Elliptical(_) => Vec::new(),
            Margins::Copula(quantiles) => Map::all(quantiles, law.freedom),
        };
        Self { law, weights, linear, maps, horizon }
    }

    fn fill(&self, block: Block<'_>, sampling: JointSampling) {
        let mut room = Room::new(self.weights.len());
        match (block.source, &self.linear, self.law.freedom, sampling) {
            (
                Source::Stream(mut stream),
                Some((drift, loading)),
                None,
                JointSampling::Independent,
            ) if self.horizon == 1 => {
                for outcome in block.outcomes {
                    *outcome = drift + weighted_normals(loading, &mut stream);
                }
            }
            (Source::Stream(mut stream), ..) => {
                let stride = if sampling == JointSampling::Antithetic { 2 } else { 1 };
                let mixing = self
                    .law
                    .freedom
                    .map(|nu| ChiSquared::new(nu).expect("invariant: positive degrees of freedom"));
                for outcomes in block.outcomes.chunks_mut(stride) {
                    self.walk(outcomes, &mut room, |_, normals| {
                        for normal in normals {
                            *normal = StandardNormal.sample(&mut stream);
                        }
                        mixing.map(|law| law.sample(&mut stream))
                    });
                }
            }
            (Source::Sobol { sequence, start }, ..) => {
                let mixing = self.law.freedom.map(|nu| {
                    ChiSquaredLaw::new(nu).expect("invariant: positive degrees of freedom")
                });
                let assets = self.weights.len();
                let mut walk = sequence.walk_from(start);
                let mut point = vec![0.0; sequence.dimensions()];
                let each = point.len() / self.horizon;
                for outcome in block.outcomes.chunks_mut(1) {
                    walk.next_into(&mut point);
                    self.walk(outcome, &mut room, |period, normals| {
                        let own = &point[period * each..(period + 1) * each];
                        for (normal, uniform) in normals.iter_mut().zip(own) {
                            *normal = normal_quantile(*uniform);
                        }
                        mixing.zip(own.get(assets)).map(|(law, u)| law.inverse_cdf(*u))
                    });
                }
            }
        }
    }

    /// One path, or two with opposite normals: each period's normals and chi-squared variable come
    /// from `draw`. Over more than one period the assets' returns compound, and one that lost
    /// everything stays there.
    fn walk(
        &self,
        outcomes: &mut [f64],
        room: &mut Room,
        mut draw: impl FnMut(usize, &mut [f64]) -> Option<f64>,
    ) {
        let signs = [1.0, -1.0];
        room.growth.iter_mut().for_each(|growth| growth.fill(1.0));
        for period in 0..self.horizon {
            let stretch = self.stretch(draw(period, &mut room.normals));
            for ((outcome, growth), sign) in outcomes.iter_mut().zip(&mut room.growth).zip(signs) {
                if self.horizon == 1 {
                    *outcome = self.outcome(&room.normals, sign * stretch, &mut room.returns);
                    continue;
                }
                self.returns(&room.normals, sign * stretch, &mut room.returns);
                for (growth, asset_return) in growth.iter_mut().zip(&room.returns) {
                    *growth *= (1.0 + asset_return).max(0.0);
                }
            }
        }
        if self.horizon > 1 {
            for (outcome, growth) in outcomes.iter_mut().zip(&room.growth) {
                *outcome = growth.iter().zip(self.weights).map(|(g, w)| w * (g - 1.0)).sum();
            }
        }
    }

    /// What a chi-squared variable does to the normals: to a covariance for an elliptical law, to
    /// the standard Student-t for a copula.
    fn stretch(&self, chi_squared: Option<f64>) -> f64 {
        match (chi_squared, self.law.freedom) {
            (Some(w), Some(nu)) => {
                let degrees = if self.linear.is_some() { nu - 2.0 } else { nu };
                (degrees / w.max(f64::MIN_POSITIVE)).sqrt()
            }
            _ => 1.0,
        }
    }

    /// The portfolio's return at independent normals times `stretch`.
    fn outcome(&self, normals: &[f64], stretch: f64, room: &mut [f64]) -> f64 {
        if let Some((drift, loading)) = &self.linear {
            let sum: f64 = loading.iter().zip(normals).map(|(l, z)| l * z).sum();
            return drift + stretch * sum;
        }
        self.returns(normals, stretch, room);
        room.iter().zip(self.weights).map(|(r, w)| w * r).sum()
    }

    /// The assets' returns at independent normals times `stretch`.
    fn returns(&self, normals: &[f64], stretch: f64, returns: &mut [f64]) {
        self.law.factor.correlate(normals, returns);
        match &self.law.margins {
            Margins::Elliptical(mean) => {
                for (value, mean) in returns.iter_mut().zip(mean) {
                    *value = mean + stretch * *value;
                }
            }
            Margins::Copula(_) => {
                for (value, map) in returns.iter_mut().zip(&self.maps) {
                    *value = map.at(stretch * *value);
                }
            }
        }
    }
}

// === impl Room ===

impl Room {
    fn new(assets: usize) -> Self {
        let row = || vec![0.0; assets];
        Self { normals: row(), returns: row(), growth: [row(), row()] }
    }
}

/// The weighted sum of one normal a weight.
fn weighted_normals(loading: &[f64], stream: &mut Xoshiro256PlusPlus) -> f64 {
    let mut sum = 0.0;
    for weight in loading {
        let normal: f64 = StandardNormal.sample(stream);
        sum += weight * normal;
    }
    sum
}
