//! The mathematics of risk, each part beside the libraries that others use for it.
//!
//! The floor of a row is the library that took least in the same round, on the same numbers, with
//! one thread each. Processor time is counted, so that who else runs does not matter. A time counts
//! only once both sides found the same: what is compared, and how near it must be, stands in each
//! case. A library that ends without a solution has taken `inf`.

mod accuracy;
mod contest;
mod fits;
mod inputs;
mod peers;
mod portfolios;
mod tails;

use std::path::Path;
use std::rc::Rc;

use crate::Error;
use crate::row::Benchmark;
use inputs::Inputs;
use peers::Peers;

pub(crate) use accuracy::accuracy;

/// One computation, with the libraries and the numbers of all.
type Part = fn(Rc<Peers>, Rc<Inputs>) -> Result<Benchmark, Error>;

/// Makes a benchmark.
type Maker = Box<dyn FnOnce() -> Result<Benchmark, Error>>;

/// The benchmarks; the libraries are started once for all of them.
pub(crate) fn all(python: &Path) -> Result<Vec<Maker>, Error> {
    let peers = Rc::new(Peers::start(python)?);
    let inputs = Rc::new(Inputs::read(peers.folder())?);
    let parts: [Part; 8] = [
        tails::simulated,
        tails::historical,
        portfolios::maximum_sharpe,
        portfolios::minimum_cvar,
        portfolios::risk_parity,
        portfolios::hierarchical,
        fits::garch,
        fits::ledoit_wolf,
    ];
    let ours = parts.into_iter().map(|part| -> Maker {
        let (peers, inputs) = (Rc::clone(&peers), Rc::clone(&inputs));
        Box::new(move || part(peers, inputs))
    });
    let alone: [Maker; 2] = [Box::new(crate::mcp::tail_benchmark), Box::new(crate::exchange::gate)];
    Ok(ours.chain(alone).collect())
}
