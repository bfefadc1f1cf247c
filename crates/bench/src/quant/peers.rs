//! The libraries, in a process of their own that is asked for one job after another.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use tempfile::TempDir;

use crate::Error;

/// What keeps each library at one thread.
const ONE_THREAD: [&str; 6] = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
];

/// The process, and the inputs that both sides have; gone when dropped.
#[derive(Debug)]
pub(super) struct Peers {
    child: RefCell<Child>,
    pipes: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
    folder: TempDir,
}

/// What a job took and gave.
#[derive(Debug, Deserialize)]
pub(super) struct Done {
    /// Processor time of the run that took least.
    pub(super) ms: f64,
    /// The numbers.
    pub(super) answer: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Reply {
    Done(Done),
    Failed { error: String },
}

/// A script of ours.
pub(super) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}

/// The interpreter with one thread for every library.
pub(super) fn python(interpreter: &Path) -> Command {
    let mut command = Command::new(interpreter);
    command.envs(ONE_THREAD.map(|name| (name, "1"))).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Makes the inputs in a folder.
pub(super) fn make_inputs(interpreter: &Path, folder: &Path) -> Result<(), Error> {
    let needs = "the libraries of crates/bench/peers/requirements.txt are needed";
    let ended = python(interpreter).arg(script("inputs.py")).arg(folder).status();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("inputs.py ended: {status}; {needs}").into()),
        Err(error) => Err(format!("{}: {error}; {needs}", interpreter.display()).into()),
    }
}

// === impl Peers ===

impl Peers {
    /// Makes the inputs and starts the libraries.
    pub(super) fn start(interpreter: &Path) -> Result<Self, Error> {
        let folder = TempDir::new()?;
        make_inputs(interpreter, folder.path())?;
        let mut child = python(interpreter)
            .arg(script("speed.py"))
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("speed.py has no pipes".into());
        };
        let pipes = RefCell::new((input, BufReader::new(output)));
        let peers = Self { child: RefCell::new(child), pipes, folder };
        match peers.line()?.trim() {
            "ready" => Ok(peers),
            other => Err(format!("speed.py said {other:?} instead of being ready").into()),
        }
    }

    /// Where the inputs are.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a job; `None` when the library ended without a result, which is told.
    pub(super) fn run(&self, job: &str) -> Result<Option<Done>, Error> {
        writeln!(self.pipes.borrow_mut().0, "{job}")?;
        match serde_json::from_str(&self.line()?)? {
            Reply::Done(done) => Ok(Some(done)),
            Reply::Failed { error } => {
                writeln!(std::io::stderr(), "\n{job}: {error}")?;
                Ok(None)
            }
        }
    }

    fn line(&self) -> Result<String, Error> {
        let mut line = String::new();
        if self.pipes.borrow_mut().1.read_line(&mut line)? == 0 {
            return Err("speed.py ended; its last words stand above".into());
        }
        Ok(line)
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        let mut child = self.child.borrow_mut();
        drop(child.kill());
        drop(child.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_libraries_nothing_is_measured_and_the_list_of_them_is_named() {
        for (interpreter, begins) in
            [("/nowhere/python", "/nowhere/python: "), ("/bin/false", "inputs.py ended: ")]
        {
            let error = Peers::start(Path::new(interpreter)).unwrap_err().to_string();
            assert!(error.starts_with(begins), "{error}");
            assert!(error.ends_with("crates/bench/peers/requirements.txt are needed"), "{error}");
        }
    }
}
