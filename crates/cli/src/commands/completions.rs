//! `bot4 completions`: a script that completes the command line.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::arguments::CommandLine;

pub(crate) fn run(shell: Shell) -> ExitCode {
    generate(shell, &mut CommandLine::command(), "bot4", &mut std::io::stdout());
    ExitCode::SUCCESS
}
