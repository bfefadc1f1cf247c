//! `bot4 connect`: how to connect Claude to a fleet, with its token.

use std::fs;
use std::process::ExitCode;

use serde_json::json;

use crate::arguments::Remote;
use crate::output;
use crate::place::state_dir;

pub(crate) fn run(remote: &Remote, as_json: bool) -> ExitCode {
    let path = match &remote.token_file {
        Some(path) => Ok(path.clone()),
        None => state_dir(remote.state.state.as_deref()).map(|dir| dir.join("token")),
    };
    let token = path.and_then(|path| {
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    });
    let token = match token {
        Ok(token) => token.trim().to_owned(),
        Err(why) => return output::fail(&why, as_json),
    };
    let mcp = format!("{}/mcp", remote.coordinator.trim_end_matches('/'));
    // The token is what was asked for: it goes to stdout, on request, and nowhere else.
    if as_json {
        output::print(&json!({ "mcp": mcp, "token": token }).to_string());
    } else {
        output::print(&format!(
            "claude mcp add --transport http bot4 {mcp} --header \"Authorization: Bearer {token}\""
        ));
    }
    ExitCode::SUCCESS
}
