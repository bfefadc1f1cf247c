//! What became of one unit, and how far below its highest it was.

use plotters::prelude::*;

use super::{
    Area, BLUE, INK, ORANGE, Undrawn, VERMILLION, aired, axis_text, decimals, draw_legend, drawn,
    extent, percent, thinned,
};

/// What is drawn.
#[derive(Debug)]
pub(crate) struct TrackPicture {
    pub(crate) title: String,
    /// Simple returns per period.
    pub(crate) returns: Vec<f64>,
    pub(crate) benchmark: Option<Vec<f64>>,
}

// === impl TrackPicture ===

impl TrackPicture {
    pub(crate) fn svg(&self) -> Result<String, Undrawn> {
        let equity = grown(&self.returns);
        let benchmark = self.benchmark.as_deref().map(grown);
        drawn(&self.title, |paper| {
            let (upper, lower) = paper.split_vertically(288);
            draw_equity(&upper, &equity, benchmark.as_deref())?;
            draw_drawdown(&lower, &equity)
        })
    }
}

/// What one unit becomes, its beginning included.
fn grown(returns: &[f64]) -> Vec<f64> {
    let mut equity = 1.0;
    let grown = returns.iter().map(|of| {
        equity *= 1.0 + of;
        equity
    });
    std::iter::once(1.0).chain(grown).collect()
}

fn draw_equity(area: &Area<'_>, equity: &[f64], benchmark: Option<&[f64]>) -> Result<(), Undrawn> {
    let all = equity.iter().chain(benchmark.unwrap_or_default());
    let (low, high) = extent(all.copied());
    let (mut y, last) = (aired(low, high, 0.08)?, equity.len().saturating_sub(1).max(1) as f64);
    y.start = y.start.max(0.0);
    // Room for the legend.
    y.end += 0.3 * (y.end - y.start);
    let decimals = decimals(y.end - y.start);
    let mut chart = ChartBuilder::on(area)
        .x_label_area_size(26)
        .y_label_area_size(68)
        .build_cartesian_2d(0.0..last, y)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(INK.mix(0.12))
        .x_labels(9)
        .y_labels(6)
        .x_label_formatter(&|value| format!("{value:.0}"))
        .y_label_formatter(&|value| format!("{value:.decimals$}"))
        .y_desc("Growth of 1")
        .label_style(axis_text(15))
        .axis_desc_style(axis_text(16))
        .draw()?;
    if let Some(benchmark) = benchmark {
        let line = LineSeries::new(thinned(benchmark), ORANGE.stroke_width(2));
        chart
            .draw_series(line)?
            .label("Benchmark  ")
            .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], ORANGE.stroke_width(2)));
    }
    let line = LineSeries::new(thinned(equity), BLUE.stroke_width(2));
    chart
        .draw_series(line)?
        .label("Equity")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], BLUE.stroke_width(2)));
    draw_legend(&mut chart)
}

fn draw_drawdown(area: &Area<'_>, equity: &[f64]) -> Result<(), Undrawn> {
    let mut peak = f64::NEG_INFINITY;
    let falls = equity.iter().map(|value| {
        peak = peak.max(*value);
        value / peak - 1.0
    });
    let falls: Vec<f64> = falls.collect();
    let (deepest, _) = extent(falls.iter().copied());
    let y = deepest.min(-1e-6) * 1.1..0.0;
    let last = equity.len().saturating_sub(1).max(1) as f64;
    let mut chart = ChartBuilder::on(area)
        .x_label_area_size(46)
        .y_label_area_size(68)
        .build_cartesian_2d(0.0..last, y.clone())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(INK.mix(0.12))
        .x_labels(9)
        .y_labels(4)
        .x_label_formatter(&|value| format!("{value:.0}"))
        .y_label_formatter(&|value| percent(*value, &y))
        .x_desc("Periods")
        .y_desc("Drawdown")
        .label_style(axis_text(15))
        .axis_desc_style(axis_text(16))
        .draw()?;
    let fall = AreaSeries::new(thinned(&falls), 0.0, VERMILLION.mix(0.35));
    chart.draw_series(fall.border_style(VERMILLION.stroke_width(1)))?;
    Ok(())
}
