//! Volatility models and covariances.

use quant::bootstrap::block_length;
use quant::covariance::{
    Centre, CovarianceEstimator, Divisor, GerberStatistic, Noise, OasForm, ShrinkageTarget,
    estimate, nearest_correlation,
};
use quant::joint::rank_correlation;
use quant::metrics::correlation_matrix;
use quant::volatility::{
    Coefficients, Dynamics, EwmaStart, GarchFit, Innovations, MeanModel, Specification, bipower,
    ewma, fit_garch, realised,
};
use serde_json::{Value, json};

use super::super::inputs::Inputs;
use super::Sheet;
use crate::Error;

pub(super) fn put(inputs: &Inputs, sheet: &mut Sheet) -> Result<(), Error> {
    let returns = &inputs.clustered;
    let heavy = &inputs.clustered_heavy;
    for (name, returns, dynamics, innovations) in [
        ("garch", returns, Dynamics::Garch, Innovations::Normal),
        ("gjr", returns, Dynamics::Gjr, Innovations::Normal),
        ("egarch", returns, Dynamics::Egarch, Innovations::Normal),
        ("garch_t", heavy, Dynamics::Garch, Innovations::StudentT),
        ("gjr_t", heavy, Dynamics::Gjr, Innovations::StudentT),
        ("egarch_t", heavy, Dynamics::Egarch, Innovations::StudentT),
    ] {
        let model = Specification { dynamics, innovations, mean: MeanModel::Constant };
        sheet.put(name, fitted(&fit_garch(returns, model)?));
    }
    let smooth = ewma(returns, 0.94, EwmaStart::Backcast)?;
    sheet.put("ewma_variances", vec![smooth.variances[999], smooth.next_variance]);
    sheet.put("realised", realised(returns, 252.0)?.volatility_annual);
    sheet.put("bipower", bipower(returns, 252.0)?.volatility_annual);
    let blocks = block_length(returns)?;
    sheet.put("block_length", vec![blocks.stationary, blocks.circular]);
    covariances(inputs, sheet)
}

fn fitted(fit: &GarchFit) -> Value {
    let all = |c: &Coefficients| {
        let known = [c.mean, c.omega, c.alpha, c.gamma, c.beta, c.degrees_of_freedom];
        known.into_iter().flatten().collect::<Vec<f64>>()
    };
    json!({
        "coefficients": all(&fit.coefficients),
        "classic": all(&fit.errors.classic),
        "robust": all(&fit.errors.robust),
        "log_likelihood": fit.log_likelihood,
        "next_variance": fit.next_variance,
    })
}

fn covariances(inputs: &Inputs, sheet: &mut Sheet) -> Result<(), Error> {
    let returns = inputs.returns(20)?;
    let denoised = CovarianceEstimator::Denoised {
        noise: Noise::ConstantResidual,
        modes_removed: 0,
        bandwidth: 0.01,
    };
    let (threshold, decay) = (0.5, 0.94);
    for (name, estimator, divisor) in [
        ("covariance_sample", CovarianceEstimator::Sample, Divisor::PeriodsLessOne),
        (
            "covariance_ewma",
            CovarianceEstimator::Ewma { decay, centre: Centre::Mean },
            Divisor::Periods,
        ),
        (
            "covariance_ledoit_wolf",
            CovarianceEstimator::LedoitWolf(ShrinkageTarget::Identity),
            Divisor::Periods,
        ),
        (
            "covariance_constant_correlation",
            CovarianceEstimator::LedoitWolf(ShrinkageTarget::ConstantCorrelation),
            Divisor::PeriodsLessOne,
        ),
        (
            "covariance_single_factor",
            CovarianceEstimator::LedoitWolf(ShrinkageTarget::SingleFactor),
            Divisor::Periods,
        ),
        (
            "covariance_oas",
            CovarianceEstimator::OracleApproximating(OasForm::ManyAssets),
            Divisor::Periods,
        ),
        (
            "covariance_gerber_one",
            CovarianceEstimator::Gerber { threshold, statistic: GerberStatistic::One },
            Divisor::Periods,
        ),
        (
            "covariance_gerber_two",
            CovarianceEstimator::Gerber { threshold, statistic: GerberStatistic::Two },
            Divisor::Periods,
        ),
        ("covariance_denoised", denoised, Divisor::PeriodsLessOne),
    ] {
        sheet.put(name, estimate(returns, estimator, divisor)?.rows());
    }
    let correlations = correlation_matrix(returns)?;
    let row: Option<Vec<f64>> = (0..20).map(|asset| correlations.at(0, asset)).collect();
    sheet.put("correlation", row);
    sheet.put("rank_correlation", rank_correlation(returns)?.correlation);
    // Three assets that cannot all move like this.
    let impossible = [vec![1.0, 0.9, -0.9], vec![0.9, 1.0, 0.9], vec![-0.9, 0.9, 1.0]];
    let nearest = nearest_correlation(&impossible, 0.0)?;
    let at = |i, j| nearest.at(i, j).unwrap_or(f64::NAN);
    sheet.put("nearest", vec![at(0, 1), at(0, 2), at(1, 2)]);
    Ok(())
}
