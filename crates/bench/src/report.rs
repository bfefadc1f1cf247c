//! What the rounds of a benchmark say together, for people and for programs.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::row::{Bound, Figures, Target};

/// The figures of all rounds; the first row is the floor.
#[derive(Debug)]
pub(crate) struct Report {
    name: &'static str,
    load_average: String,
    rows: Vec<(&'static str, &'static str, Vec<Figures>)>,
    targets: Vec<Target>,
}

/// One figure of one row over all rounds.
#[derive(Debug, Clone, Copy)]
struct Summary {
    best: f64,
    median: f64,
    /// To the floor's figure of the same name in the same round: median and least.
    ratio: Option<(f64, f64)>,
}

impl Report {
    pub(crate) fn new(
        name: &'static str,
        rows: Vec<(&'static str, &'static str, Vec<Figures>)>,
        targets: Vec<Target>,
    ) -> Self {
        let load_average = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load_average = load_average.split(' ').take(3).collect::<Vec<_>>().join(" ");
        Self { name, load_average, rows, targets }
    }

    /// Whether every target of the measured rows was reached.
    pub(crate) fn is_met(&self) -> bool {
        self.verdicts().iter().all(|(_, is_met)| *is_met)
    }

    pub(crate) fn table(&self) -> String {
        let mut out = format!("{} (load average {})\n", self.name, self.load_average);
        for (row, what, rounds) in &self.rows {
            out.push_str(&format!("\n{row}: {what}\n"));
            for figure in rounds.first().into_iter().flat_map(Figures::keys) {
                let Some(Summary { best, median, ratio }) = self.summary(row, figure) else {
                    continue;
                };
                let ratio = ratio.map_or_else(String::new, |(median, least)| {
                    format!("   x floor: median {median:.2}, least {least:.2}")
                });
                writeln!(out, "  {figure:<22} best {best:>10.1}   median {median:>10.1}{ratio}")
                    .expect("invariant: a text takes any text");
            }
        }
        out.push('\n');
        for (verdict, is_met) in self.verdicts() {
            let word = if is_met { "met   " } else { "MISSED" };
            out.push_str(&format!("{word} {verdict}\n"));
        }
        out
    }

    pub(crate) fn json(&self) -> Value {
        let mut rows = Map::new();
        for (row, _, rounds) in &self.rows {
            let mut figures = Map::new();
            for figure in rounds.first().into_iter().flat_map(Figures::keys) {
                let Some(Summary { best, median, ratio }) = self.summary(row, figure) else {
                    continue;
                };
                let ratio = ratio.map(|(median, least)| json!({"median": median, "least": least}));
                let summary = json!({"best": best, "median": median, "x_floor": ratio});
                figures.insert((*figure).to_owned(), summary);
            }
            rows.insert((*row).to_owned(), Value::Object(figures));
        }
        let verdicts = self.verdicts();
        let targets = verdicts.iter().map(|(text, met)| json!({"target": text, "met": met}));
        json!({
            "bench": self.name,
            "rounds": self.rows.first().map_or(0, |(_, _, rounds)| rounds.len()),
            "load_average": self.load_average,
            "rows": rows,
            "targets": targets.collect::<Vec<_>>(),
        })
    }

    /// Each target in words with what was found, and whether it was reached.
    fn verdicts(&self) -> Vec<(String, bool)> {
        let measured = self.targets.iter().filter_map(|target| {
            let Target { row, figure, bound } = *target;
            let summary = self.summary(row, figure)?;
            Some(match bound {
                Bound::FloorTimesAtMost(most) => {
                    let (ratio, _) = summary.ratio?;
                    (format!("{row} {figure}: {ratio:.2} x floor, at most {most}"), ratio <= most)
                }
                Bound::AtMost(most) => {
                    let best = summary.best;
                    (format!("{row} {figure}: {best:.1}, at most {most}"), best <= most)
                }
                Bound::AtLeast(least) => {
                    let best = summary.best;
                    (format!("{row} {figure}: {best:.0}, at least {least}"), best >= least)
                }
            })
        });
        measured.collect()
    }

    fn summary(&self, row: &str, figure: &str) -> Option<Summary> {
        let (floor, _, floors) = self.rows.first()?;
        let (_, _, rounds) = self.rows.iter().find(|(name, _, _)| *name == row)?;
        let of = |rounds: &[Figures]| -> Vec<f64> {
            rounds.iter().filter_map(|figures| figures.get(figure).copied()).collect()
        };
        let (values, floors) = (of(rounds), of(floors));
        let ratios: Vec<f64> = values.iter().zip(&floors).map(|(v, f)| v / f).collect();
        let ratio = (*floor != row).then(|| median(&ratios).zip(least(&ratios))).flatten();
        let best = if figure.ends_with("_per_s") { most(&values) } else { least(&values) };
        Some(Summary { best: best?, median: median(&values)?, ratio })
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        return values.get(middle).copied();
    }
    Some(f64::midpoint(*values.get(middle.checked_sub(1)?)?, *values.get(middle)?))
}

fn least(values: &[f64]) -> Option<f64> {
    values.iter().copied().min_by(f64::total_cmp)
}

fn most(values: &[f64]) -> Option<f64> {
    values.iter().copied().max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let round = |p50: f64| Figures::from([("p50_us", p50)]);
        let rows = vec![
            ("floor", "", vec![round(10.0), round(20.0), round(40.0)]),
            ("ours", "", vec![round(12.0), round(30.0), round(44.0)]),
        ];
        let target = |bound| Target { row: "ours", figure: "p50_us", bound };
        let targets = vec![target(Bound::FloorTimesAtMost(1.2)), target(Bound::AtMost(11.0))];
        Report::new("test", rows, targets)
    }

    #[test]
    fn a_ratio_is_taken_within_a_round_and_not_between_summaries() {
        let (median, least) = report().summary("ours", "p50_us").unwrap().ratio.unwrap();
        // 1.2, 1.5 and 1.1; the ratio of the medians would be 1.5.
        assert!((median - 1.2).abs() < 1e-12 && (least - 1.1).abs() < 1e-12);
    }

    #[test]
    fn a_missed_target_is_named_with_what_was_found() {
        let verdicts = report().verdicts();
        assert_eq!(verdicts[0], ("ours p50_us: 1.20 x floor, at most 1.2".to_owned(), true));
        assert_eq!(verdicts[1], ("ours p50_us: 12.0, at most 11".to_owned(), false));
        assert!(!report().is_met());
    }
}
