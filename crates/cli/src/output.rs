//! What a command prints, and the exit code that says what came of it.

use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::{Value, json};
use wire::{Code, Failure};

/// Prints to stdout. A reader that has gone away, such as `head`, is no failure.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout().lock();
    if writeln!(out, "{text}").and_then(|()| out.flush()).is_err() {
        tracing::debug!("nobody reads the output");
    }
}

/// Prints a value: as text for people, or as one line of JSON.
pub(crate) fn result(value: &Value, as_json: bool) {
    print(&if as_json { value.to_string() } else { pretty(value) });
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_error| value.to_string())
}

/// Prints what a command gave, as one line of JSON or as `say` tells it to people.
pub(crate) fn told(
    done: Result<Value, String>,
    as_json: bool,
    say: impl FnOnce(&Value),
) -> ExitCode {
    match done {
        Ok(value) if as_json => print(&value.to_string()),
        Ok(value) => say(&value),
        Err(why) => return fail(&why, as_json),
    }
    ExitCode::SUCCESS
}

/// Says on stderr why a command did not work.
pub(crate) fn fail(why: &str, as_json: bool) -> ExitCode {
    complain(&if as_json {
        json!({ "error": { "message": why } }).to_string()
    } else {
        format!("error: {why}")
    });
    ExitCode::FAILURE
}

/// Says on stderr why a call failed; the exit code says what the caller may do.
pub(crate) fn failure(failure: &Failure, as_json: bool) -> ExitCode {
    let Failure { code, message, data } = failure;
    complain(&if as_json {
        json!({ "error": { "code": code.number(), "message": message, "data": data } }).to_string()
    } else {
        let reason = failure.reason().map(|reason| format!(" ({reason})")).unwrap_or_default();
        format!("{}{reason}: {message}", code.word())
    });
    exit_code(*code)
}

/// A sentence for people beside the result.
pub(crate) fn complain(text: &str) {
    if writeln!(io::stderr().lock(), "{text}").is_err() {
        tracing::debug!("nobody reads the errors");
    }
}

fn exit_code(code: Code) -> ExitCode {
    ExitCode::from(match code {
        Code::InvalidParams | Code::MethodNotFound | Code::ParseError | Code::InvalidRequest => 3,
        Code::Refused => 4,
        Code::ApprovalRequired => 5,
        Code::Unavailable => 6,
        Code::Unknown => 7,
        Code::Internal => 8,
    })
}
