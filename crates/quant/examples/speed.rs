//! Measures how long the heavy functions take, on inputs that need no file.
//!
//! `cargo run --release -p quant --example speed` prints the least and the median of several runs
//! in milliseconds.

use quant::joint::{Joint, JointPlan, JointSampling, Marginal, simulate_tail};
use quant::tail::{QuantileRule, historical};
use quant::var::Confidence;
use quant::volatility::{Dynamics, Innovations, MeanModel, Specification, fit_garch};

/// Uniform numbers in (0, 1): a 64-bit congruential generator, upper half.
struct Uniform(u64);

// === impl Uniform ===

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        let upper = u32::try_from(self.0 >> 32).unwrap_or(0);
        (f64::from(upper) + 0.5) / 4_294_967_296.0
    }

    /// A sum of twelve, less six: close enough to normal.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}

fn main() {
    let mut source = Uniform(1);
    let confidence = Confidence::try_new(0.99).expect("invariant: 0.99 is a confidence");
    let mut variance = 1.0_f64;
    let clustered: Vec<f64> = (0..5_000)
        .map(|_| {
            let shock = variance.sqrt() * source.normal();
            variance = 0.02 + 0.08 * shock * shock + 0.90 * variance;
            shock
        })
        .collect();
    for dynamics in [Dynamics::Garch, Dynamics::Gjr, Dynamics::Egarch] {
        for innovations in [Innovations::Normal, Innovations::StudentT] {
            let model = Specification { dynamics, innovations, mean: MeanModel::Constant };
            report(&format!("{dynamics:?} {innovations:?}, 5000 returns"), || {
                fit_garch(&clustered, model).map_or(f64::NAN, |fit| fit.log_likelihood)
            });
        }
    }
    let many: Vec<f64> = (0..1_000_000).map(|_| 0.01 * source.normal()).collect();
    report("historical VaR and ES, 1e6 returns", || {
        historical(&many, QuantileRule::Linear, confidence, 1)
            .map_or(f64::NAN, |tail| tail.expected_shortfall)
    });
    let assets = 20;
    let entry = |i: usize, j: usize| if i == j { 4e-4 } else { 1e-4 };
    let covariance: Vec<Vec<f64>> =
        (0..assets).map(|i| (0..assets).map(|j| entry(i, j)).collect()).collect();
    let weights = vec![0.05; assets];
    let normal = Joint::normal(&vec![0.0; assets], &covariance);
    let student = Joint::student_t(&vec![0.0; assets], &covariance, 5.0);
    let heavy = Marginal::StudentT { location: 0.0, scale: 0.014, degrees_of_freedom: 4.0 };
    let rho = |i: usize, j: usize| if i == j { 1.0 } else { 0.25 };
    let correlation: Vec<Vec<f64>> =
        (0..assets).map(|i| (0..assets).map(|j| rho(i, j)).collect()).collect();
    let copula = Joint::gaussian_copula(vec![heavy; assets], &correlation);
    for (name, law) in [("normal", normal), ("Student-t", student), ("copula", copula)] {
        let law = law.expect("invariant: the covariance is one");
        for (sampling, paths) in
            [(JointSampling::Independent, 1_000_000), (JointSampling::Sobol, 1 << 20)]
        {
            for threads in [1, 2] {
                let plan =
                    JointPlan { paths, seed: 1, sampling, confidence, horizon_periods: 1, threads };
                report(&format!("{name} {sampling:?} {paths} x 20, {threads} threads"), || {
                    simulate_tail(&law, &weights, &plan, &|| false)
                        .map_or(f64::NAN, |tail| tail.expected_shortfall.value)
                });
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

#[expect(clippy::print_stdout, reason = "the figures are the purpose")]
fn report(what: &str, mut work: impl FnMut() -> f64) {
    let mut figure = 0.0;
    let mut times: Vec<f64> = (0..7)
        .map(|_| {
            let start = now();
            figure = work();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{what:50} {:9.3} ms least, {:9.3} ms median ({figure:.6})", times[0], times[3]);
}
