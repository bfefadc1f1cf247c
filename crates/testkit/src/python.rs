//! A Python with packages, for tests against programs in that language.

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
    if !python.exists() {
        let made = Command::new("python3").args(["-m", "venv"]).arg(&venv).output();
        done(&made.expect("python3 does not start: install it (apt-get install python3-venv)"));
    }
    if !has(&python, packages) {
        let mut pip = Command::new(&python);
        done(&output(pip.args(["-m", "pip", "install", "--quiet"]).args(packages)));
    }
    python
}

/// Whether each package is there in the version that was asked for.
fn has(python: &Path, packages: &[&str]) -> bool {
    const CHECK: &str = "import sys, importlib.metadata as m\n\
        assert all(m.version(p.split('==')[0]) == p.split('==')[1] for p in sys.argv[1:])";
    output(Command::new(python).args(["-c", CHECK]).args(packages)).status.success()
}

fn output(command: &mut Command) -> Output {
    command.output().expect("invariant: the interpreter of the environment was just seen")
}

fn done(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
