//! Kills a program on the way into a chosen system call, by `strace`.
//!
//! A process can leave a trace outside itself by a system call only, so between two calls that
//! change something outside, a kill leaves the same wherever it strikes. A kill before each such
//! call therefore covers every place where a program can be interrupted, every `await` among them.
//! A count of one life says which calls there are; each is then named by its thread, its kind and
//! its number, and a later life is killed on entering it. Found with strace 6.1: the number counts
//! for each thread and each kind of call by itself, and a call that SIGKILL meets on its way in is
//! not carried out: the third `pwrite64` of one byte each leaves a file of two.
//!
//! Two effects need no call. What is written to mapped memory (`SQLite`'s index of its log) is made
//! again by whoever opens the file first after a death. What the kernel does for the dead, closing
//! files and giving up locks, it does wherever they died.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::Error;

/// Calls that can change something outside the process; a `?` allows a machine without it.
const EFFECTS: &str = "?connect,?fallocate,?fdatasync,?fsync,?ftruncate,?link,?linkat,?mkdir,\
                       ?mkdirat,?msync,?open,?openat,?pwrite64,?pwritev,?pwritev2,?rename,\
                       ?renameat,?renameat2,?sendfile,?sendmmsg,?sendmsg,?sendto,?shutdown,\
                       ?unlink,?unlinkat,?write,?writev";

/// How long `strace` may take to hold a process.
const HOLD_MAX: Duration = Duration::from_secs(10);

/// One call of one thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// The thread by the order in which they were made, the first is 0. One that is made while the
    /// program is watched cannot be told apart: there it is whichever comes to the number first.
    thread: Option<usize>,
    name: String,
    /// Which of its calls of this kind, from 1, since it was watched.
    nth: u64,
}

/// What is done with the calls.
#[derive(Debug, Clone)]
pub(crate) enum Watch {
    /// They are written into this file.
    Count(PathBuf),
    /// This one ends the program.
    Kill(Call),
}

/// A running `strace`; the program is let go when this is dropped.
#[derive(Debug)]
pub(crate) struct Tracer(Child);

// === impl Call ===

impl Call {
    /// For a complaint.
    pub(crate) fn told(&self) -> String {
        let thread =
            self.thread.map_or("any thread".to_owned(), |number| format!("thread {number}"));
        format!("{} {} of {thread}", self.name, self.nth)
    }
}

// === impl Watch ===

impl Watch {
    /// The words that start a program under `strace`; the program is still the caller's own child.
    pub(crate) fn start(&self) -> Command {
        let mut command = Command::new("strace");
        command.args(["-D", "-f", "-qq"]).args(self.options());
        command
    }

    /// Holds a running program; `log` takes what `strace` has to say.
    ///
    /// # Errors
    /// When there is no `strace`, or it may not do this.
    pub(crate) async fn attach(&self, program: u32, log: &Path) -> Result<Tracer, Error> {
        let mut command = Command::new("strace");
        let held = match self {
            Self::Kill(call @ Call { thread: Some(number), .. }) => {
                let all = threads(program)?;
                *all.get(*number).ok_or_else(|| format!("there is no {}", call.told()))?
            }
            Self::Kill(_) | Self::Count(_) => {
                command.arg("-f");
                program
            }
        };
        command.args(["-p", &held.to_string()]).args(self.options());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log)?);
        let mut tracer = Tracer(command.spawn().map_err(missing)?);
        let deadline = Instant::now() + HOLD_MAX;
        loop {
            let said = std::fs::read_to_string(log)?;
            if said.contains(" attached") {
                return Ok(tracer);
            }
            if tracer.0.try_wait()?.is_some() || Instant::now() > deadline {
                return Err(format!("strace does not hold {held}: {said}").into());
            }
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn options(&self) -> Vec<String> {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match self {
            Self::Count(file) => {
                let (file, trace) = (file.display().to_string(), format!("trace={EFFECTS}"));
                own(&["-y", "-s", "0", "-o", &file, "-e", &trace])
            }
            Self::Kill(Call { name, nth, .. }) => {
                let inject = format!("inject={name}:signal=SIGKILL:when={nth}");
                own(&["-o", "/dev/null", "-e", &format!("trace={name}"), "-e", &inject])
            }
        }
    }
}

// === impl Tracer ===

impl Drop for Tracer {
    fn drop(&mut self) {
        // One that has ended with its program is as gone as it should be.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The threads of a program, oldest first.
pub(crate) fn threads(program: u32) -> Result<Vec<u32>, Error> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{program}/task"))? {
        all.push(entry?.file_name().to_string_lossy().parse()?);
    }
    all.sort_unstable();
    Ok(all)
}

/// What to do when `strace` cannot be started.
pub(crate) fn missing(error: io::Error) -> Error {
    format!("strace does not start: install it (apt-get install strace): {error}").into()
}

/// The calls in what `strace` wrote that reach the outside, by thread.
///
/// `known` are the threads that there were from the first; a program that is watched from its start
/// has none.
pub(crate) fn effects(said: &str, known: &[u32]) -> Vec<Call> {
    let mut counts: BTreeMap<(u32, &str), u64> = BTreeMap::new();
    let mut calls: Vec<Call> = Vec::new();
    for line in said.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((name, args)) = rest.trim_start().split_once('(') else { continue };
        let (Ok(thread), true) = (thread.parse::<u32>(), is_name(name)) else { continue };
        let nth = counts.entry((thread, name)).or_default();
        *nth = nth.saturating_add(1);
        if !reaches_out(name, args) {
            continue;
        }
        let number = known.iter().position(|one| *one == thread);
        let call = Call { thread: number, name: name.to_owned(), nth: *nth };
        // Threads that cannot be told apart share their numbers.
        if number.is_some() || !calls.contains(&call) {
            calls.push(call);
        }
    }
    calls
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Whether a call is seen by others: not one that wakes another thread, opens what there is, or
/// tells people something.
fn reaches_out(name: &str, args: &str) -> bool {
    let file = args.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    let file = file.map_or("", |(file, _)| file);
    match name {
        "open" | "openat" => args.contains("O_CREAT") || args.contains("O_TRUNC"),
        "write" | "writev" => !file.starts_with("anon_inode:") && !file.ends_with(".log"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\
7 writev(22<socket:[5]>, [{iov_base=\"\"...}], 1) = 9
8  write(4<anon_inode:[eventfd]>, \"\"..., 8) = 8
8  pwrite64(13</tmp/a/journal.db-wal>, \"\"..., 24, 0 <unfinished ...>
7  write(2</tmp/a/agent-1.log>, \"\"..., 80) = 80
8  <... pwrite64 resumed>) = 24
8  openat(AT_FDCWD</tmp>, \"/etc/hosts\", O_RDONLY) = 3
8  openat(AT_FDCWD</tmp>, \"/tmp/a/new\", O_RDWR|O_CREAT, 0644) = 3
7  --- SIGCHLD {si_signo=SIGCHLD} ---
8  pwrite64(13</tmp/a/journal.db-wal>, \"\"..., 4096, 24) = 4096
8  +++ killed by SIGKILL +++
";

    fn told(known: &[u32]) -> Vec<String> {
        effects(SAID, known).iter().map(Call::told).collect()
    }

    #[test]
    fn a_call_is_named_by_thread_kind_and_number_and_what_stays_inside_is_none() {
        let expected = [
            "writev 1 of thread 0",
            "pwrite64 1 of thread 1",
            "openat 2 of thread 1",
            "pwrite64 2 of thread 1",
        ];
        assert_eq!(told(&[7, 8]), expected);
    }

    #[test]
    fn threads_that_are_made_while_watched_share_their_numbers() {
        let said = "1 fsync(3</a>) = 0\n2 fsync(4</a>) = 0\n2 fsync(4</a>) = 0\n";
        let told: Vec<String> = effects(said, &[]).iter().map(Call::told).collect();
        assert_eq!(told, ["fsync 1 of any thread", "fsync 2 of any thread"]);
        let told: Vec<String> = effects(said, &[1]).iter().map(Call::told).collect();
        let expected = ["fsync 1 of thread 0", "fsync 1 of any thread", "fsync 2 of any thread"];
        assert_eq!(told, expected);
    }

    /// A file grows by a byte a call; killed on the third, it has two.
    #[tokio::test]
    async fn a_call_on_which_the_program_is_killed_is_not_carried_out() {
        let dir = tempfile::TempDir::new().unwrap();
        let file = dir.path().join("file");
        let script = format!("for n in 1 2 3 4 5; do echo; done > {}", file.display());
        let call = Call { thread: Some(0), name: "write".to_owned(), nth: 3 };
        let mut command = Watch::Kill(call).start();
        let status = command.args(["sh", "-c", &script]).status().unwrap();
        assert!(!status.success(), "{status}");
        assert_eq!(std::fs::metadata(&file).unwrap().len(), 2);
    }
}
