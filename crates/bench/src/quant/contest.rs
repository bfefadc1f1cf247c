//! One computation by ours and by theirs: first the answers are compared, then the times.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::peers::Peers;
use crate::Error;
use crate::cpu::least_ms;
use crate::row::{Benchmark, Bound, Figures, Row, Target};

/// Takes from an answer the numbers that both sides must agree on.
pub(super) type Judge = Box<dyn Fn(&[f64]) -> Result<Vec<f64>, Error>>;

/// One size of a computation.
pub(super) struct Case {
    /// The figure of ours, and of the library that took least.
    pub(super) figure: &'static str,
    /// The jobs of the libraries, each with its own figure; none where only ours is timed.
    pub(super) peers: &'static [(&'static str, &'static str)],
    /// Ours.
    pub(super) ours: Box<dyn Fn() -> Result<Vec<f64>, Error>>,
    /// What is compared.
    pub(super) judge: Judge,
    /// How far the largest difference may be, per unit of the largest number.
    pub(super) tolerance: f64,
}

/// A benchmark in the making.
pub(super) struct Contest {
    pub(super) name: &'static str,
    /// What the libraries do, and what ours does.
    pub(super) what: [&'static str; 2],
    pub(super) cases: Vec<Case>,
    /// How much of the best library's time ours may take.
    pub(super) times_max: f64,
}

/// Compares whole answers.
pub(super) fn as_they_are() -> Judge {
    Box::new(|answer| Ok(answer.to_vec()))
}

// === impl Contest ===

impl Contest {
    pub(super) fn benchmark(self, peers: Rc<Peers>) -> Benchmark {
        let Self { name, what: [of_theirs, of_ours], cases, times_max } = self;
        let bound = Bound::FloorTimesAtMost(times_max);
        let judged = cases.iter().filter(|case| !case.peers.is_empty());
        let targets =
            judged.map(|case| Target { row: "ours", figure: case.figure, bound }).collect();
        let cases = Rc::new(cases);
        let theirs = Rc::new(RefCell::new(BTreeMap::new()));
        let (of_floor, answers) = (Rc::clone(&cases), Rc::clone(&theirs));
        let rows = vec![
            Row {
                name: "floor",
                what: of_theirs,
                measure: Box::new(move || {
                    let mut figures = Figures::new();
                    for case in of_floor.iter().filter(|case| !case.peers.is_empty()) {
                        case.measure_theirs(&peers, &mut answers.borrow_mut(), &mut figures)?;
                    }
                    Ok(figures)
                }),
            },
            Row {
                name: "ours",
                what: of_ours,
                measure: Box::new(move || {
                    let mut figures = Figures::new();
                    for case in cases.iter() {
                        case.compare(&theirs.borrow())?;
                        let ms = least_ms(|| (case.ours)().map(drop))?;
                        figures.insert(case.figure, ms);
                    }
                    Ok(figures)
                }),
            },
        ];
        Benchmark { name, rows, targets }
    }
}

// === impl Case ===

impl Case {
    fn measure_theirs(
        &self,
        peers: &Peers,
        answers: &mut BTreeMap<&'static str, Vec<f64>>,
        figures: &mut Figures,
    ) -> Result<(), Error> {
        let mut least = f64::INFINITY;
        for (job, figure) in self.peers {
            let ms = match peers.run(job)? {
                Some(done) => {
                    answers.insert(job, done.answer);
                    done.ms
                }
                None => f64::INFINITY,
            };
            least = least.min(ms);
            // One library alone is the floor under the name of both.
            if self.peers.len() > 1 {
                figures.insert(figure, ms);
            }
        }
        if least.is_infinite() {
            return Err(format!("{}: no library gave a result", self.figure).into());
        }
        figures.insert(self.figure, least);
        Ok(())
    }

    /// Refuses a time that another result would have.
    fn compare(&self, answers: &BTreeMap<&'static str, Vec<f64>>) -> Result<(), Error> {
        let ours = (self.judge)(&(self.ours)()?)?;
        for (job, _) in self.peers {
            let Some(theirs) = answers.get(job) else { continue };
            let theirs = (self.judge)(theirs)?;
            let difference = difference(&ours, &theirs);
            let within = difference <= self.tolerance;
            if !within {
                let Self { tolerance, .. } = self;
                return Err(format!(
                    "{job}: the answers differ by {difference:e} and may by {tolerance:e}; ours \
                     begins {:?}, theirs {:?}",
                    &ours[..ours.len().min(4)],
                    &theirs[..theirs.len().min(4)]
                )
                .into());
            }
        }
        Ok(())
    }
}

/// The largest difference per unit of the largest number; infinite for other lengths, and for what
/// is no number.
fn difference(ours: &[f64], theirs: &[f64]) -> f64 {
    let is_finite = |answer: &[f64]| answer.iter().all(|value| value.is_finite());
    if ours.len() != theirs.len() || !is_finite(ours) || !is_finite(theirs) {
        return f64::INFINITY;
    }
    let size = theirs.iter().fold(0.0_f64, |size, value| size.max(value.abs()));
    let largest = ours.iter().zip(theirs).fold(0.0_f64, |most, (a, b)| most.max((a - b).abs()));
    largest / size
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Case {
        Case {
            figure: "n_ms",
            peers: &[("job", "job_ms")],
            ours: Box::new(|| Ok(vec![1.0, 2.0])),
            judge: as_they_are(),
            tolerance: 1e-3,
        }
    }

    fn compared(theirs: Vec<f64>) -> Result<(), String> {
        case().compare(&BTreeMap::from([("job", theirs)])).map_err(|error| error.to_string())
    }

    #[test]
    fn answers_within_the_tolerance_agree_and_others_are_told_with_the_difference() {
        assert_eq!(compared(vec![1.0, 2.001]), Ok(()));
        let refused = compared(vec![1.0, 2.5]).unwrap_err();
        assert!(
            refused.starts_with("job: the answers differ by 2e-1 and may by 1e-3"),
            "{refused}"
        );
    }

    #[test]
    fn what_is_no_number_or_of_another_length_never_agrees() {
        assert!(compared(vec![1.0, f64::NAN]).is_err());
        assert!(compared(vec![f64::NAN, 2.0]).is_err());
        assert!(compared(vec![f64::INFINITY, 2.0]).is_err());
        assert!(compared(vec![1.0]).is_err());
        assert!(compared(Vec::new()).is_err());
    }
}
