//! Where things are on this machine: the state folder and what is in it.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The folder for state: as given, or in the user's data folder.
pub(crate) fn state_dir(given: Option<&Path>) -> Result<PathBuf, String> {
    if let Some(dir) = given {
        return Ok(dir.to_owned());
    }
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let data = variable("XDG_DATA_HOME").map(PathBuf::from);
    let data = data
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".local").join("share")));
    let data = data.ok_or("there is no home folder: give --state DIR")?;
    Ok(data.join("bot4"))
}

/// Makes the folder, for its owner only, when it is not there.
pub(crate) fn make_state_dir(dir: &Path) -> Result<(), String> {
    if dir.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| format!("state folder {}: {error}; give --state DIR", dir.display()))
}

/// Whether the folder can be written in.
pub(crate) fn is_writable(dir: &Path) -> Result<(), String> {
    let probe = dir.join(".bot4-probe");
    let written = fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe));
    written.map_err(|error| error.to_string())
}
