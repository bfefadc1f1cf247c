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

/// What became of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Met,
    /// Fails the run that checks.
    Missed,
    /// A goal that what is built cannot reach yet.
    NotYet,
}

/// One figure of one row over all rounds.
#[derive(Debug, Clone, Copy)]
struct Summary {
    best: f64,
    median: f64,
    /// To the floor's figure of the same name in the same round: median and least.
    ratio: Option<(f64, f64)>,
}

// === impl Verdict ===

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "MISSED",
            Self::NotYet => "not met yet",
        }
    }
}

// === impl Report ===

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

    /// Whether every target of the measured rows was reached, goals aside.
    pub(crate) fn is_met(&self) -> bool {
        self.verdicts().iter().all(|(_, verdict)| *verdict != Verdict::Missed)
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
        for (found, verdict) in self.verdicts() {
            out.push_str(&format!("{:<11} {found}\n", verdict.word()));
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
        let targets = verdicts.iter().map(|(text, verdict)| {
            let is_met = *verdict == Verdict::Met;
            json!({"target": text, "met": is_met, "fails": *verdict == Verdict::Missed})
        });
        json!({
            "bench": self.name,
            "rounds": self.rows.first().map_or(0, |(_, _, rounds)| rounds.len()),
            "load_average": self.load_average,
            "rows": rows,
            "targets": targets.collect::<Vec<_>>(),
        })
    }

    /// Each target in words with what was found, and whether it was reached.
    fn verdicts(&self) -> Vec<(String, Verdict)> {
        let met = |is_met| if is_met { Verdict::Met } else { Verdict::Missed };
        let measured = self.targets.iter().filter_map(|target| {
            let Target { row, figure, bound } = *target;
            let summary = self.summary(row, figure)?;
            Some(match bound {
                Bound::FloorTimesAtMost(most) => {
                    let (ratio, _) = summary.ratio?;
                    (
                        format!("{row} {figure}: {ratio:.2} x floor, at most {most}"),
                        met(ratio <= most),
                    )
                }
                Bound::AtMost(most) => {
                    let best = summary.best;
                    (format!("{row} {figure}: {best:.1}, at most {most}"), met(best <= most))
                }
                Bound::AtLeast(least) => {
                    let best = summary.best;
                    (format!("{row} {figure}: {best:.0}, at least {least}"), met(best >= least))
                }
                Bound::AimAtMost(most) => {
                    let best = summary.best;
                    let verdict = if best <= most { Verdict::Met } else { Verdict::NotYet };
                    (format!("{row} {figure}: {best:.1}, aim at most {most}"), verdict)
                }
                Bound::AimAtLeast(least) => {
                    let best = summary.best;
                    let verdict = if best >= least { Verdict::Met } else { Verdict::NotYet };
                    (format!("{row} {figure}: {best:.0}, aim at least {least}"), verdict)
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
        assert_eq!(
            verdicts[0],
            ("ours p50_us: 1.20 x floor, at most 1.2".to_owned(), Verdict::Met)
        );
        assert_eq!(verdicts[1], ("ours p50_us: 12.0, at most 11".to_owned(), Verdict::Missed));
        assert!(!report().is_met());
    }

    #[test]
    fn a_goal_that_is_not_reached_is_told_and_fails_nothing() {
        let aim = |most| Target { row: "ours", figure: "p50_us", bound: Bound::AimAtMost(most) };
        let report = Report { targets: vec![aim(11.0), aim(12.0)], ..report() };
        let goal = |most, verdict| (format!("ours p50_us: 12.0, aim at most {most}"), verdict);
        let expected = [goal(11, Verdict::NotYet), goal(12, Verdict::Met)];
        assert_eq!(report.verdicts(), expected);
        assert!(report.is_met());
        assert!(report.table().contains("not met yet ours p50_us: 12.0, aim at most 11"));
    }
}
