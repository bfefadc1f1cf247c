//! What a track record achieved.

use quant::metrics::{Basis, concentration, performance, portfolio_returns};
use quant::stats::{AssetReturns, Series};
use quant::stress::factor_betas;
use quant::track::{benchmark_ratios, drawdowns, shape_ratios, sharpe_inference};

use super::super::inputs::Inputs;
use super::Sheet;
use crate::Error;

pub(super) fn put(inputs: &Inputs, sheet: &mut Sheet) -> Result<(), Error> {
    let assets = inputs.returns(20)?;
    let portfolio = portfolio_returns(assets, &[0.05; 20])?;
    let benchmark = assets.assets().first().ok_or("no assets")?;
    // An effective annual rate of 2 %, which the libraries are given per period.
    let basis = Basis::try_new(252.0, 0.02, 0.02)?;
    let rate = basis.risk_free_per_period();
    sheet.put("rate", rate);
    let found = performance(&portfolio, &basis)?;
    for (name, value) in [
        ("volatility", Some(found.volatility_annual)),
        ("sharpe", found.sharpe),
        ("sortino", found.sortino),
        ("max_drawdown", Some(found.max_drawdown)),
        ("cagr", found.cagr),
        ("calmar", found.calmar),
    ] {
        sheet.put(name, value);
    }
    let shape = shape_ratios(&portfolio, rate)?;
    sheet.put("omega", shape.omega);
    sheet.put("tail_ratio", shape.tail_ratio);
    let series = Series::try_new("portfolio", &portfolio, 4)?;
    sheet.put("skewness", series.skewness()?);
    sheet.put("kurtosis", series.excess_kurtosis()?);
    let beside = benchmark_ratios(&portfolio, benchmark, &basis)?;
    for (name, value) in [
        ("alpha", Some(beside.fit.alpha_annual)),
        ("beta", Some(beside.fit.beta)),
        ("correlation_benchmark", beside.fit.correlation),
        ("information", beside.information_ratio),
        ("up_capture", beside.up_capture),
        ("down_capture", beside.down_capture),
        ("tracking_error", Some(beside.tracking_error_annual)),
    ] {
        sheet.put(name, value);
    }
    let falls = drawdowns(&portfolio)?;
    sheet.put("ulcer", falls.ulcer_index);
    sheet.put("pain", falls.mean);
    let evidence = sharpe_inference(&portfolio, &basis, 0.0)?;
    sheet.put("sharpe_error", evidence.error_any_shape);
    sheet.put("probabilistic_sharpe", evidence.probabilistic);
    let tilted: Vec<f64> = (1..=20).map(f64::from).map(|i| i / 210.0).collect();
    sheet.put("effective_assets", concentration(&tilted)?.effective_assets);
    let factors = AssetReturns::try_new(assets.assets()[..3].to_vec(), 2)?;
    let rest = AssetReturns::try_new(assets.assets()[3..5].to_vec(), 2)?;
    let fit = factor_betas(&rest, &factors)?;
    sheet.put("factor_betas", fit.betas);
    sheet.put("factor_r_squared", fit.r_squared);
    Ok(())
}
