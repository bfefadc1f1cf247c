//! A Python with packages, for tests against programs in that language.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The interpreter of a virtual environment that has the packages, each given as `name==version`.
///
/// The environment stands at `target/test-venv` of the workspace; it is made when it is missing and
/// kept. A lock on a file beside it makes tests that want it at once wait for each other.
///
/// # Panics
/// When there is no `python3`, or a package cannot be installed.
#[must_use]
pub fn python(packages: &[&str]) -> PathBuf {
    python_named("test-venv", packages)
}

/// The same in an environment of its own, `target/<name>`: for packages that overwrite each other.
///
/// # Panics
/// When there is no `python3`, or a package cannot be installed.
#[must_use]
pub fn python_named(name: &str, packages: &[&str]) -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    fs::create_dir_all(&target).expect("invariant: the workspace is writable");
    let lock = File::create(target.join(format!("{name}.lock")));
    let lock = lock.expect("invariant: the workspace is writable");
    lock.lock().expect("invariant: a local file can be locked");
    let venv = target.join(name);
    let python = venv.join("bin/python");
    // What is there, a line each, written last: whoever is killed while installing leaves an
    // environment without it.
    let complete = venv.join("complete");
    let there = fs::read_to_string(&complete).ok();
    if there.is_none() {
        if venv.exists() {
            fs::remove_dir_all(&venv).expect("invariant: the workspace is writable");
        }
        let made = Command::new("python3").args(["-m", "venv"]).arg(&venv).output();
        done(&made.expect("python3 does not start: install it (apt-get install python3-venv)"));
    }
    let mut there: BTreeSet<String> =
        there.iter().flat_map(|lines| lines.lines()).map(str::to_owned).collect();
    if !packages.iter().all(|package| there.contains(*package)) {
        drop(fs::remove_file(&complete));
        let mut pip = Command::new(&python);
        done(&output(pip.args(["-m", "pip", "install", "--quiet"]).args(packages)));
        there.extend(packages.iter().map(|&package| package.to_owned()));
    }
    let lines: Vec<String> = there.into_iter().collect();
    fs::write(complete, lines.join("\n")).expect("invariant: the workspace is writable");
    python
}

fn output(command: &mut Command) -> Output {
    command.output().expect("invariant: the interpreter of the environment was just seen")
}

fn done(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
