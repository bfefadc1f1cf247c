//! Pictures of answers, as SVG: small, the same bytes for the same numbers, and readable without
//! colour, because lines differ in brightness and marks in shape.
//!
//! The colours are those of Okabe & Ito (2008), Color universal design, which people with any common
//! colour blindness tell apart. Texts are escaped where they are drawn; nothing in a picture refers
//! to anything outside it.

mod frontier;
mod tail;
mod track;

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde_json::json;
use wire::plot::{MIME_TYPE, SVG_BYTES_MAX, URI_PREFIX};
use wire::{Failure, Plot};

pub(crate) use frontier::{FrontierPicture, Spot};
pub(crate) use tail::TailPicture;
pub(crate) use track::TrackPicture;

/// Pixels across and down.
const SIZE: (u32, u32) = (800, 500);

const BLUE: RGBColor = RGBColor(0, 114, 178);
const VERMILLION: RGBColor = RGBColor(213, 94, 0);
const GREEN: RGBColor = RGBColor(0, 158, 115);
const ORANGE: RGBColor = RGBColor(230, 159, 0);
const GREY: RGBColor = RGBColor(110, 110, 110);
const INK: RGBColor = RGBColor(34, 34, 34);

/// The most points of a line: more than twice as many pixels cannot be told apart.
const POINTS_MAX: usize = 700;

/// The largest number of an axis: labels beyond it would not fit.
const SIZE_MAX: f64 = 1e9;

/// The most characters of a title.
const TITLE_CHARS_MAX: usize = 80;

/// Why there is no picture.
pub(crate) type Undrawn = Box<dyn std::error::Error + Send + Sync>;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A picture as a result carries it; its address follows from its content.
pub(crate) fn plot(title: &str, svg: Result<String, Undrawn>) -> Result<Plot, Failure> {
    let svg = svg.map_err(|why| {
        let message = format!("the numbers cannot be drawn: {why}; leave plot out");
        Failure::refused("NO_PICTURE", message).with("field", json!("plot"))
    })?;
    let hash = agent::short_hash(svg.as_bytes());
    let hash = hash.get(..16).unwrap_or(&hash);
    Ok(Plot {
        title: shortened(title, TITLE_CHARS_MAX),
        uri: format!("{URI_PREFIX}{hash}.svg"),
        mime_type: MIME_TYPE.to_owned(),
        bytes: svg.len(),
        svg: Some(svg),
    })
}

/// Draws on white paper under a title.
fn drawn(
    title: &str,
    draw: impl FnOnce(&Area<'_>) -> Result<(), Undrawn>,
) -> Result<String, Undrawn> {
    let mut svg = String::new();
    {
        let paper = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        paper.fill(&WHITE)?;
        let title = shortened(title, TITLE_CHARS_MAX);
        paper.draw(&Text::new(title, (16, 12), ("sans-serif", 21).into_font().color(&INK)))?;
        draw(&paper.margin(38, 6, 6, 18))?;
        paper.present()?;
    }
    if svg.len() > SVG_BYTES_MAX {
        return Err(format!("it has {} bytes, more than {SVG_BYTES_MAX}", svg.len()).into());
    }
    Ok(svg)
}

/// A text that has its place: long names are cut, and what moves the cursor is left out.
fn shortened(text: &str, chars_max: usize) -> String {
    let mut chars = text.chars().filter(|c| !c.is_control());
    let mut short: String = chars.by_ref().take(chars_max).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}

/// A share as text, with as many digits as tell the labels of a range apart.
fn percent(value: f64, range: &Range<f64>) -> String {
    let decimals = decimals(100.0 * (range.end - range.start));
    let text = format!("{:.decimals$} %", value * 100.0);
    // Zero from below is zero.
    if text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.' | ' ' | '%')) {
        text.trim_start_matches('-').to_owned()
    } else {
        text
    }
}

/// With how many digits after the point the labels of a range of this width differ: there are some
/// eight of them.
fn decimals(width: f64) -> usize {
    (0..8)
        .find(|digits| width * 10_f64.powi(*digits) >= 8.0)
        .map_or(8, |d| d.unsigned_abs() as usize)
}

/// A range with some air around it; never empty, and never beyond what an axis can label.
fn aired(low: f64, high: f64, air: f64) -> Result<Range<f64>, Undrawn> {
    let size = low.abs().max(high.abs());
    // What is no number is neither.
    let fits = size <= SIZE_MAX && low <= high;
    if !fits {
        return Err("they are too large for an axis".into());
    }
    let width = high - low;
    let pad = if width > 1e-6 * size { width * air } else { size.max(1e-6) * 0.1 };
    Ok(low - pad..high + pad)
}

/// The lowest and highest of some numbers; neither is a number when one of them is none.
fn extent(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        let is_none = v.is_nan() || low.is_nan();
        if is_none { (f64::NAN, f64::NAN) } else { (low.min(v), high.max(v)) }
    })
}

/// A line with fewer points: of each stretch the first, lowest and highest, in their order, so that
/// no peak and no fall is lost.
fn thinned(values: &[f64]) -> Vec<(f64, f64)> {
    let at = |place: usize| (place as f64, values[place]);
    if values.len() <= POINTS_MAX {
        return (0..values.len()).map(at).collect();
    }
    let stretches = POINTS_MAX / 3;
    let mut points = Vec::with_capacity(POINTS_MAX);
    for stretch in 0..stretches {
        let from = stretch * values.len() / stretches;
        let to = (stretch + 1) * values.len() / stretches;
        let by_value = |a: &usize, b: &usize| values[*a].total_cmp(&values[*b]);
        let low = (from..to).min_by(by_value).unwrap_or(from);
        let high = (from..to).max_by(by_value).unwrap_or(from);
        let mut kept = [from, low, high];
        kept.sort_unstable();
        let before = points.len();
        for place in kept {
            if points.len() == before || points.last() != Some(&at(place)) {
                points.push(at(place));
            }
        }
    }
    points.push(at(values.len() - 1));
    points
}

/// A chart of two numbers.
type Chart<'a, DB> = ChartContext<'a, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// What the lines and marks are, in the corner where there is most often room.
fn draw_legend<'a, DB: DrawingBackend + 'a>(chart: &mut Chart<'a, DB>) -> Result<(), Undrawn>
where
    DB::ErrorType: 'static,
{
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.9))
        .border_style(INK.mix(0.25))
        .label_font(axis_text(15))
        .draw()?;
    Ok(())
}

/// How axes look.
fn axis_text(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

fn anchored(size: u32, colour: &RGBColor, h: HPos, v: VPos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(colour).pos(Pos::new(h, v))
}

#[cfg(test)]
mod tests;
