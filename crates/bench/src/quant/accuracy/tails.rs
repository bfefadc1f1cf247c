//! Quantiles, tail losses and their back-tests.

use quant::attribution::{Shape, attribute_elliptical};
use quant::backtest::{Breaches, coverage};
use quant::covariance::CovarianceEstimator;
use quant::metrics::portfolio_returns;
use quant::portfolio::estimate;
use quant::tail::{
    Filter, QuantileRule, Resampling, Threshold, age_weighted, ewma_normal, exceedances, filtered,
    fit_student, hill, historical, quantile, student,
};
use quant::var::{Confidence, Method, tail_risk};
use quant::volatility::EwmaStart;

use super::super::inputs::Inputs;
use super::Sheet;
use crate::Error;

/// How many of the heavy returns the fits see.
const FITTED: usize = 5_000;

pub(super) fn put(inputs: &Inputs, sheet: &mut Sheet) -> Result<(), Error> {
    let assets = inputs.returns(20)?;
    let portfolio = portfolio_returns(assets, &[0.05; 20])?;
    let heavy = &inputs.heavy[..FITTED];
    let (confidence, high) = (Confidence::try_new(0.95)?, Confidence::try_new(0.99)?);
    let rules = QuantileRule::ALL.iter().map(|rule| quantile(&portfolio, *rule, 0.0123));
    sheet.put("quantiles", rules.collect::<Result<Vec<f64>, _>>()?);
    let names = QuantileRule::ALL.iter().map(|rule| rule.name());
    sheet.put("quantile_rules", names.collect::<Vec<_>>());
    let sample = historical(&portfolio, QuantileRule::Linear, confidence, 1)?;
    sheet.put("historical", vec![sample.value_at_risk, sample.expected_shortfall]);
    for (name, method) in [("normal", Method::Normal), ("cornish_fisher", Method::CornishFisher)] {
        let tail = tail_risk(&portfolio, method, confidence, 1)?;
        sheet.put(name, vec![tail.value_at_risk, tail.expected_shortfall]);
    }
    let bent = tail_risk(heavy, Method::CornishFisher, confidence, 1)?;
    sheet.put("cornish_fisher_heavy", bent.value_at_risk);
    let fit = fit_student(heavy)?;
    sheet.put(
        "student_fit",
        vec![fit.degrees_of_freedom, fit.location, fit.scale, fit.log_likelihood],
    );
    let tail = student(heavy, high, 1)?.tail;
    sheet.put("student", vec![tail.value_at_risk, tail.expected_shortfall]);
    let beyond = exceedances(heavy, Threshold::Share(0.1), high, 1)?;
    sheet.put("pareto_fit", vec![beyond.shape, beyond.scale, beyond.log_likelihood]);
    sheet.put("pareto_threshold", beyond.threshold);
    sheet.put("pareto", vec![beyond.tail.value_at_risk, beyond.tail.expected_shortfall]);
    sheet.put("hill", hill(heavy, 250, high, 1)?.shape);
    let aged = age_weighted(&portfolio, 0.98, confidence, 1)?.tail;
    sheet.put("age_weighted", vec![aged.value_at_risk, aged.expected_shortfall]);
    let smooth = ewma_normal(&portfolio, 0.94, EwmaStart::Backcast, confidence, 1)?;
    sheet.put("ewma", vec![smooth.value_at_risk, smooth.expected_shortfall]);
    let filter = Filter::Ewma { decay: 0.94, start: EwmaStart::Backcast };
    let resampling = Resampling { paths: 1_000, seed: 1 };
    let shocks = filtered(&portfolio, filter, confidence, 1, resampling)?.tail;
    sheet.put("filtered", vec![shocks.value_at_risk, shocks.expected_shortfall]);
    let estimates = estimate(assets, CovarianceEstimator::Sample)?;
    let moments = (estimates.mean(), estimates.covariance().rows());
    let moments = (moments.0, moments.1.as_slice());
    let parts = attribute_elliptical(&[0.05; 20], moments, Shape::Normal, confidence, 1)?;
    let parts: Vec<f64> = parts.positions.iter().map(|p| p.component.value_at_risk).collect();
    sheet.put("components", parts);
    backtest(&portfolio, sheet)
}

/// A constant forecast against the same returns.
fn backtest(portfolio: &[f64], sheet: &mut Sheet) -> Result<(), Error> {
    let losses: Vec<f64> = portfolio.iter().map(|r| -r).collect();
    let forecast = vec![0.017; losses.len()];
    let breaches = Breaches::of(&losses, &forecast, Confidence::try_new(0.95)?)?;
    let found = coverage(&breaches)?;
    sheet.put("breaches", found.breaches);
    sheet.put("kupiec", vec![found.unconditional.statistic, found.unconditional.p_value]);
    let independence = found.independence.ok_or("one period only")?.ratio;
    sheet.put("independence", vec![independence.statistic, independence.p_value]);
    let conditional = found.conditional.ok_or("one period only")?;
    sheet.put("conditional", vec![conditional.statistic, conditional.p_value]);
    let light = found.traffic_light;
    sheet.put("traffic_light", vec![light.cumulative_probability, light.exceedance_probability]);
    Ok(())
}
