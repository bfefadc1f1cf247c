//! Simulated laws beside those that are known in closed form, each with its standard error.

use quant::joint::{Joint, JointPlan, JointSampling, simulate_tail};
use quant::simulate::{
    Estimate, Heston, Holding, Market, Merton, Outcome, Plan, Process, Sampling, simulate,
    simulate_process,
};
use quant::sobol::Sobol;
use quant::var::Confidence;
use serde_json::{Value, json};

use super::Sheet;
use crate::Error;

pub(super) fn put(sheet: &mut Sheet) -> Result<(), Error> {
    let plan = Plan {
        horizon_years: 1.0,
        steps: 50,
        paths: 400_000,
        seed: 1,
        sampling: Sampling::Independent,
        confidence: Confidence::try_new(0.95)?,
        threads: 2,
    };
    let holding = Holding { initial_value: 100.0, drift: 0.05, volatility: 0.2 };
    let market = Market::try_new(vec![holding], &[vec![1.0]])?;
    sheet.put("gbm", described(&simulate(&market, &plan, &|| false)?));
    let merton = Process::Merton(Merton {
        drift: 0.05,
        volatility: 0.15,
        jumps_per_year: 1.5,
        jump_mean: -0.08,
        jump_deviation: 0.1,
    });
    sheet.put("merton", described(&simulate_process(100.0, &merton, &plan, &|| false)?));
    let heston = Process::Heston(Heston {
        drift: 0.03,
        initial_variance: 0.04,
        long_run_variance: 0.05,
        reversion: 2.0,
        volatility_of_variance: 0.4,
        correlation: -0.6,
    });
    sheet.put("heston", described(&simulate_process(100.0, &heston, &plan, &|| false)?));
    tails(sheet)?;
    let sobol = Sobol::try_new(20)?;
    let mut walk = sobol.walk_from(0);
    let mut points = vec![vec![0.0; 20]; 1_024];
    points.iter_mut().for_each(|point| walk.next_into(point));
    sheet.put("sobol", points);
    Ok(())
}

/// A portfolio of two assets, whose tail is known.
fn tails(sheet: &mut Sheet) -> Result<(), Error> {
    let covariance = [vec![4e-4, 1e-4], vec![1e-4, 2.25e-4]];
    let normal = Joint::normal(&[0.0, 0.0], &covariance)?;
    let student = Joint::student_t(&[0.0, 0.0], &covariance, 5.0)?;
    let (confidence, horizon_periods) = (Confidence::try_new(0.99)?, 1);
    for (name, law, sampling) in [
        ("joint_normal", &normal, JointSampling::Independent),
        ("joint_normal_sobol", &normal, JointSampling::Sobol),
        ("joint_student", &student, JointSampling::Independent),
    ] {
        let paths = 1 << 19;
        let plan = JointPlan { paths, seed: 3, sampling, confidence, horizon_periods, threads: 2 };
        let tail = simulate_tail(law, &[0.6, 0.4], &plan, &|| false)?;
        let pair = [tail.value_at_risk, tail.expected_shortfall];
        sheet.put(name, pair.map(|figure| estimated(&figure)).to_vec());
    }
    Ok(())
}

fn estimated(figure: &Estimate) -> Value {
    json!([figure.value, figure.standard_error])
}

fn described(outcome: &Outcome) -> Value {
    json!({
        "mean": estimated(&outcome.mean),
        "profit_probability": estimated(&outcome.profit_probability),
        "value_at_risk": estimated(&outcome.value_at_risk),
        "expected_shortfall": estimated(&outcome.expected_shortfall),
        "percentile_95": estimated(&outcome.percentile_95),
    })
}
