//! The `bot4` command.

mod arguments;
mod by_hand;
mod commands;
mod output;
mod paper;
mod place;
mod remote;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Command, CommandLine};
use output::fail;

fn main() -> ExitCode {
    let line = CommandLine::parse();
    // The provider of TLS is named once, so that nothing depends on which crates were built in.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return fail("a TLS provider was installed twice", line.json);
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string(), line.json),
    };
    runtime.block_on(async {
        match line.command {
            Command::Up(options) => commands::up::run(options, line.json).await,
            Command::Call(options) => commands::call::run(options, line.json).await,
            Command::Tools(options) => commands::tools::run(options, line.json).await,
            Command::Status(options) => commands::status::run(options, line.json).await,
            Command::Halt(options) => commands::halt::halt(options, line.json).await,
            Command::Resume(options) => commands::halt::resume(options, line.json).await,
            Command::Limit(action) => commands::limit::run(action, line.json).await,
            Command::Breaker(action) => commands::breaker::run(action, line.json).await,
            Command::Dataset(action) => commands::dataset::run(&action, line.json),
            Command::Mcp(options) => commands::mcp::run(options, line.json).await,
            Command::Doctor(options) => commands::doctor::run(options, line.json).await,
            Command::Connect(options) => commands::connect::run(&options, line.json),
            Command::Secrets(options) => commands::secrets::run(&options, line.json),
            Command::Completions { shell } => commands::completions::run(shell),
        }
    })
}
