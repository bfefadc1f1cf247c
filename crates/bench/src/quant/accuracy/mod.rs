//! Every quantity of risk, computed for inputs that the libraries have as well.
//!
//! What is computed here goes to `crates/bench/peers/accuracy.py` as one JSON document; it asks the
//! libraries, writes the page, and fails when a difference is neither small nor explained.

mod models;
mod simulations;
mod tails;
mod track;
mod weights;

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};
use tempfile::TempDir;

use super::inputs::Inputs;
use super::peers::{make_inputs, python, script};
use crate::Error;

/// Our numbers, by the names under which the page asks for them.
struct Sheet(Map<String, Value>);

/// Writes the page; false when something differs without a reason.
pub(crate) fn accuracy(interpreter: &Path, page: &Path) -> Result<bool, Error> {
    let folder = TempDir::new()?;
    make_inputs(interpreter, folder.path())?;
    let inputs = Inputs::read(folder.path())?;
    let mut sheet = Sheet(Map::new());
    tails::put(&inputs, &mut sheet)?;
    models::put(&inputs, &mut sheet)?;
    weights::put(&inputs, &mut sheet)?;
    track::put(&inputs, &mut sheet)?;
    simulations::put(&mut sheet)?;
    let ours = folder.path().join("ours.json");
    fs::write(&ours, Value::Object(sheet.0).to_string())?;
    let mut asking = python(interpreter);
    asking.arg(script("accuracy.py")).arg(folder.path()).arg(&ours).arg(page);
    Ok(asking.status()?.success())
}

// === impl Sheet ===

impl Sheet {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }
}
