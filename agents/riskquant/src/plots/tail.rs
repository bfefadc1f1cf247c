//! How losses are distributed, and where the tail begins.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{
    BLUE, INK, ORANGE, Undrawn, VERMILLION, aired, anchored, axis_text, draw_legend, drawn, extent,
    percent,
};

/// What is drawn.
#[derive(Debug)]
pub(crate) struct TailPicture {
    pub(crate) title: String,
    /// Losses per period, as fractions, positive for a loss.
    pub(crate) losses: Vec<f64>,
    pub(crate) value_at_risk: f64,
    pub(crate) expected_shortfall: f64,
}

/// How many losses lie between two edges.
struct Bin {
    from: f64,
    to: f64,
    count: u32,
    /// Whether they are at or beyond the value at risk.
    is_beyond: bool,
}

// === impl TailPicture ===

impl TailPicture {
    pub(crate) fn svg(&self) -> Result<String, Undrawn> {
        drawn(&self.title, |paper| {
            let (var, es) = (self.value_at_risk, self.expected_shortfall);
            let (low, high) = extent(self.losses.iter().copied().chain([var, es]));
            let x = aired(low, high, 0.05)?;
            let bins = self.bins(low, high);
            let tallest = bins.iter().map(|bin| bin.count).max().unwrap_or(1);
            let top = f64::from(tallest) * 1.34;
            let mut chart = ChartBuilder::on(paper)
                .x_label_area_size(46)
                .y_label_area_size(68)
                .build_cartesian_2d(x.clone(), 0.0..top)?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(INK.mix(0.12))
                .x_labels(9)
                .y_labels(6)
                .x_label_formatter(&|value| percent(*value, &x))
                // Periods are whole.
                .y_label_formatter(&|value| match value.fract().abs() < 1e-9 {
                    true => format!("{value:.0}"),
                    false => String::new(),
                })
                .x_desc("Loss per period (negative: a gain)")
                .y_desc("Periods")
                .label_style(axis_text(15))
                .axis_desc_style(axis_text(16))
                .draw()?;
            let bar = |beyond: bool| {
                let colour = if beyond { VERMILLION } else { BLUE };
                let shown = bins.iter().filter(move |bin| bin.count > 0 && bin.is_beyond == beyond);
                shown.map(move |bin| {
                    let corners = [(bin.from, 0.0), (bin.to, f64::from(bin.count))];
                    Rectangle::new(corners, colour.filled())
                })
            };
            let swatch = |colour: RGBColor| {
                move |(x, y)| Rectangle::new([(x + 2, y - 6), (x + 16, y + 6)], colour.filled())
            };
            chart.draw_series(bar(false))?.label("Losses").legend(swatch(BLUE));
            chart.draw_series(bar(true))?.label("Beyond VaR").legend(swatch(VERMILLION));
            for (value, name, colour, height) in [(var, "VaR", INK, 0.93), (es, "ES", ORANGE, 0.86)]
            {
                let line = [(value, 0.0), (value, top * height)];
                let stroke = colour.stroke_width(3);
                chart
                    .draw_series([PathElement::new(line, stroke)])?
                    .label(format!("{name} {}", precise(value)))
                    .legend(move |(x, y)| {
                        PathElement::new([(x + 9, y - 7), (x + 9, y + 7)], stroke)
                    });
                let style = anchored(16, &INK, HPos::Left, VPos::Center);
                let text = EmptyElement::at((value, top * height)) + Text::new(name, (5, 5), style);
                chart.draw_series([text])?;
            }
            draw_legend(&mut chart)
        })
    }

    /// Counts in bins of one width: by the rule of Freedman & Diaconis (1981), On the histogram as a
    /// density estimator, between 10 and 80. The value at risk is an edge, so that what lies beyond
    /// it is told apart.
    fn bins(&self, low: f64, high: f64) -> Vec<Bin> {
        let mut sorted = self.losses.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let quartile = |share: usize| sorted[(sorted.len() - 1) * share / 4];
        let ideal = 2.0 * (quartile(3) - quartile(1)) / (sorted.len() as f64).cbrt();
        let whole = (high - low).max(f64::MIN_POSITIVE);
        let width = if ideal > 0.0 { ideal } else { whole / 20.0 };
        let width = width.clamp(whole / 80.0, whole / 10.0);
        // At most 80 bins lie on either side of the value at risk.
        let edge = |place: i32| self.value_at_risk + f64::from(place) * width;
        let first = (-81..0).find(|place| edge(place + 1) > low).unwrap_or(0);
        let last = (0..81).take_while(|place| edge(*place) <= high).last().unwrap_or(0);
        let bin =
            |place| Bin { from: edge(place), to: edge(place + 1), count: 0, is_beyond: place >= 0 };
        let mut bins: Vec<Bin> = (first..=last).map(bin).collect();
        for loss in sorted {
            let place = bins.partition_point(|bin| bin.from <= loss).saturating_sub(1);
            if let Some(bin) = bins.get_mut(place) {
                bin.count = bin.count.saturating_add(1);
            }
        }
        bins
    }
}

/// A share with two digits that matter.
fn precise(value: f64) -> String {
    let share = value * 100.0;
    if share.abs() >= 0.1 { format!("{share:.2} %") } else { format!("{share:.4} %") }
}
