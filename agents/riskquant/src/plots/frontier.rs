//! Risk and return of the portfolios of a frontier, beside those of the assets.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::{
    BLUE, Chart, GREEN, GREY, INK, ORANGE, Undrawn, VERMILLION, aired, anchored, axis_text,
    draw_legend, drawn, extent, percent, shortened,
};

/// The most assets whose names are written.
const NAMES_MAX: usize = 16;

/// A portfolio or an asset.
#[derive(Debug, Clone)]
pub(crate) struct Spot {
    pub(crate) name: String,
    /// Deviation per year.
    pub(crate) volatility: f64,
    /// Expected return per year.
    pub(crate) expected: f64,
}

/// What is drawn.
#[derive(Debug)]
pub(crate) struct FrontierPicture {
    pub(crate) title: String,
    /// The portfolios, the least return first.
    pub(crate) frontier: Vec<Spot>,
    pub(crate) assets: Vec<Spot>,
    /// The place of the largest Sharpe ratio, where there is a rate to measure it with.
    pub(crate) best_sharpe: Option<usize>,
}

// === impl FrontierPicture ===

impl FrontierPicture {
    pub(crate) fn svg(&self) -> Result<String, Undrawn> {
        drawn(&self.title, |paper| {
            let spots = || self.frontier.iter().chain(&self.assets);
            let (left, right) = extent(spots().map(|spot| spot.volatility));
            let (low, high) = extent(spots().map(|spot| spot.expected));
            let (mut x, y) = (aired(left, right, 0.1)?, aired(low, high, 0.12)?);
            x = x.start.max(0.0)..x.end + 0.12 * (x.end - x.start);
            let mut chart = ChartBuilder::on(paper)
                .x_label_area_size(46)
                .y_label_area_size(68)
                .build_cartesian_2d(x.clone(), y.clone())?;
            chart
                .configure_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(INK.mix(0.12))
                .x_labels(8)
                .y_labels(8)
                .x_label_formatter(&|value| percent(*value, &x))
                .y_label_formatter(&|value| percent(*value, &y))
                .x_desc("Volatility per year")
                .y_desc("Expected return per year")
                .label_style(axis_text(15))
                .axis_desc_style(axis_text(16))
                .draw()?;
            let place = |spot: &Spot| (spot.volatility, spot.expected);
            let line = LineSeries::new(self.frontier.iter().map(place), BLUE.stroke_width(3));
            chart
                .draw_series(line)?
                .label("Frontier")
                .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], BLUE.stroke_width(3)));
            let dots = self.assets.iter().map(|spot| Circle::new(place(spot), 4, GREY.filled()));
            chart
                .draw_series(dots)?
                .label("Assets")
                .legend(|(x, y)| Circle::new((x + 9, y), 4, GREY.filled()));
            let least = self.frontier.iter().min_by(|a, b| a.volatility.total_cmp(&b.volatility));
            if let Some(spot) = least {
                let mark = TriangleMarker::new(place(spot), 9, GREEN.filled());
                chart
                    .draw_series([mark])?
                    .label("Least volatility")
                    .legend(|(x, y)| TriangleMarker::new((x + 9, y), 8, GREEN.filled()));
            }
            if let Some(spot) = self.best_sharpe.and_then(|at| self.frontier.get(at)) {
                let mark = |at: (f64, f64)| {
                    EmptyElement::at(at)
                        + Rectangle::new([(-7, -7), (7, 7)], VERMILLION.filled())
                        + Rectangle::new([(-3, -3), (3, 3)], ORANGE.filled())
                };
                chart.draw_series([mark(place(spot))])?.label("Largest Sharpe ratio").legend(
                    |(x, y)| Rectangle::new([(x + 3, y - 6), (x + 15, y + 6)], VERMILLION.filled()),
                );
            }
            self.draw_names(&mut chart)?;
            draw_legend(&mut chart)
        })
    }

    /// Names beside their spots, where there is room; each is kept clear of those before it.
    fn draw_names<'a, DB: DrawingBackend + 'a>(
        &self,
        chart: &mut Chart<'a, DB>,
    ) -> Result<(), Undrawn>
    where
        DB::ErrorType: 'static,
    {
        let mut taken: Vec<(i32, i32, i32)> = Vec::new();
        for spot in self.assets.iter().take(NAMES_MAX) {
            let name = shortened(&spot.name, 14);
            let width = 7 * i32::try_from(name.chars().count()).unwrap_or(i32::MAX / 7);
            let (x, y) = chart.backend_coord(&(spot.volatility, spot.expected));
            let is_right = x + 12 + width < 780;
            let left = if is_right { x + 12 } else { x - 12 - width };
            let clear = |y: i32| {
                taken.iter().all(|(from, to, at)| {
                    left > *to || left + width < *from || (y - at).abs() >= 14
                })
            };
            let Some(shift) = [0, -14, 14, -28, 28].into_iter().find(|shift| clear(y + shift))
            else {
                continue;
            };
            taken.push((left, left + width, y + shift));
            let side = if is_right { HPos::Left } else { HPos::Right };
            let style = anchored(14, &INK, side, VPos::Center);
            let at = if is_right { (12, shift) } else { (-12, shift) };
            let text =
                EmptyElement::at((spot.volatility, spot.expected)) + Text::new(name, at, style);
            chart.draw_series([text]).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}
