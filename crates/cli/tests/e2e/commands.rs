//! The `bot4` command itself: what it prints, and exit codes that scripts can trust.

use std::process::Output;

use serde_json::Value;

use crate::programs::{BOT4, Up, command};

#[track_caller]
fn check(output: &Output, code: i32, says: &str) {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(says), "{text}");
}

#[test]
fn exit_codes_say_what_came_of_a_call() {
    let up = Up::start();
    let kelly = ["--win_probability", "0.55", "--win_return", "0.04", "--loss_return", "-0.02"];
    let call = |agent, tool, args: &[&str]| {
        let words: Vec<&str> =
            ["call", agent, tool].into_iter().chain(args.iter().copied()).collect();
        up.bot4(&words)
    };
    check(&call("riskquant", "calculate_kelly", &kelly), 0, "\"recommendation\": \"TRADE\"");
    check(&call("riskquant", "calculate_kelly", &kelly[..4]), 3, "`loss_return` is missing");
    check(&call("riskquant", "dance", &[]), 3, "agent riskquant has no tool \"dance\"");
    check(&call("riskquant", "calculate_kelly", &["x"]), 3, "must be --NAME VALUE");
    let huge = ["--exchange", "paper", "--symbol", "BTCUSDT", "--side", "buy"];
    let huge = [&huge[..], &["--order_type", "market", "--quantity", "5"]].concat();
    check(&call("exchangespec", "place_order", &huge), 4, "refused (");
}

#[test]
fn riskquant_lowers_a_limit_that_the_next_order_meets_and_a_person_raises_it() {
    let up = Up::start();
    let call = |agent, tool, args: &[&str]| {
        let words: Vec<&str> =
            ["call", agent, tool].into_iter().chain(args.iter().copied()).collect();
        up.bot4(&words)
    };
    let order = ["--exchange", "paper", "--symbol", "BTCUSDT", "--side", "buy"];
    let order = [&order[..], &["--quantity", "0.01"]].concat();
    let risk = call("riskquant", "risk_of_order", &order);
    check(&risk, 0, "\"passes\": true");
    check(&risk, 0, "\"measure\": \"leverage\"");
    check(&risk, 0, "\"measure\": \"value_at_risk\"");
    check(&risk, 0, "\"returns_over\": \"hours\"");
    let lower = |value| {
        let why = ["--limit", "max_order_notional", "--reason", "a test", "--value", value];
        call("riskquant", "set_limit", &why)
    };
    check(&lower("100"), 0, "\"before\": \"10000\"");
    let placed = [&order[..], &["--order_type", "market"]].concat();
    check(&call("exchangespec", "place_order", &placed), 4, "ORDER_NOTIONAL");
    check(&call("riskquant", "risk_of_order", &order), 0, "\"code\": \"ORDER_NOTIONAL\"");
    let remedy = "bot4 limit set max_order_notional 5000 --by NAME --reason WHY";
    check(&lower("5000"), 5, remedy);
    let (set, state) = (["limit", "set", "max_order_notional", "5000"], up.state.path());
    let by = ["--by", "ann", "--reason", "a larger account", "--state"];
    check(&command(BOT4).args(set).args(by).arg(state).output().unwrap(), 0, "100 -> 5000");
    // In force with the next look of the process that runs.
    while call("exchangespec", "place_order", &placed).status.code() == Some(4) {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    check(&call("riskquant", "get_limits", &["--changes", "5"]), 0, "\"by\": \"ann\"");
    check(&call("riskquant", "get_breakers", &[]), 0, "\"breaker\": \"tooling\"");
    let reset = ["--breaker", "trading", "--reason", "a test"];
    check(&call("riskquant", "reset_breaker", &reset), 0, "\"state\": \"closed\"");
    let trip = ["breaker", "trip", "trading"];
    check(&command(BOT4).args(trip).args(by).arg(state).output().unwrap(), 0, "needs_person");
    let remedy = "bot4 breaker reset trading --by NAME --reason WHY";
    check(&call("riskquant", "reset_breaker", &reset), 5, remedy);
}

#[test]
fn without_a_fleet_the_remedy_is_named() {
    let state = tempfile::TempDir::new().unwrap();
    let no_token = command(BOT4).args(["status", "--state"]).arg(state.path()).output().unwrap();
    check(&no_token, 6, "is the fleet started (bot4 up)");
    std::fs::write(state.path().join("token"), "x".repeat(64)).unwrap();
    let port = testkit::free_port().to_string();
    let nobody = command(BOT4)
        .args(["status", "--coordinator", &format!("http://127.0.0.1:{port}"), "--state"])
        .arg(state.path())
        .output()
        .unwrap();
    check(&nobody, 6, "no answer from http://127.0.0.1:");
}

#[test]
fn a_wrong_command_line_is_2_and_a_halt_needs_a_reason() {
    check(&command(BOT4).arg("dance").output().unwrap(), 2, "unrecognized subcommand");
    check(&command(BOT4).arg("halt").output().unwrap(), 2, "--reason");
    let state = tempfile::TempDir::new().unwrap();
    let empty = command(BOT4).args(["halt", "--reason", " ", "--state"]).arg(state.path()).output();
    check(&empty.unwrap(), 1, "say why");
}

#[test]
fn a_halt_before_the_first_start_holds() {
    let state = tempfile::TempDir::new().unwrap();
    let halt = ["halt", "--reason", "not yet", "--state"];
    let halt = command(BOT4).args(halt).arg(state.path()).output();
    check(&halt.unwrap(), 0, "halted");
    let mut up = Up { state, port: testkit::free_port(), program: None };
    up.run(&[]);
    let status = up.bot4(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["halt"]["state"], "halted", "{status}");
}

#[test]
fn a_breaker_is_tripped_and_reset_by_a_person_who_says_why() {
    let state = tempfile::TempDir::new().unwrap();
    let breaker = |args: &[&str]| {
        command(BOT4).arg("breaker").args(args).arg("--state").arg(state.path()).output().unwrap()
    };
    check(&breaker(&["show"]), 0, "trading: missing");
    check(&breaker(&["reset", "trading", "--reason", "x"]), 2, "--by");
    check(&breaker(&["reset", "trading", "--by", " ", "--reason", "x"]), 1, "must name the person");
    check(&breaker(&["reset", "trading", "--by", "ann", "--reason", " "]), 1, "say why");
    let reset = ["reset", "trading", "--by", "ann", "--reason", "a new journal"];
    check(&breaker(&reset), 0, "trading: closed");
    let trip = ["trip", "trading", "--by", "ann", "--reason", "drill"];
    check(&breaker(&trip), 0, "trading: needs_person for BY_HAND");
    check(&breaker(&["show"]), 0, "needs_person by ann: drill");
}

#[test]
fn a_limit_is_set_and_given_back_by_a_person_who_says_why() {
    let state = tempfile::TempDir::new().unwrap();
    let limit = |args: &[&str]| {
        command(BOT4).arg("limit").args(args).arg("--state").arg(state.path()).output().unwrap()
    };
    check(&limit(&["show"]), 0, "max_leverage 3\n");
    check(&limit(&["set", "max_leverage", "5", "--reason", "x"]), 2, "--by");
    let by = ["--by", "ann", "--reason", "a larger account"];
    let set = |limit: &'static str, value: &'static str| [&["set", limit, value], &by[..]].concat();
    check(&limit(&set("max_leverage", "5")), 0, "max_leverage: 3 -> 5");
    check(&limit(&["show"]), 0, "max_leverage 5 (set by a person; configured: 3)");
    check(
        &limit(&set("max_leverage", "-5")),
        1,
        "`limits.max_leverage` is -5 but must be more than 0",
    );
    check(&limit(&set("max_leverage", "none")), 1, "`limits.max_leverage` cannot be taken away");
    check(&limit(&set("max_lever", "5")), 1, "there is no limit \"max_lever\"");
    check(&limit(&set("max_var", "0.02")), 0, "max_var: not set -> 0.02");
    check(&limit(&set("max_var", "none")), 0, "max_var: 0.02 -> not set");
    check(&limit(&[&["clear", "max_leverage"], &by[..]].concat()), 0, "max_leverage: 5 -> 3");
    check(&limit(&["show"]), 0, "max_leverage as configured by ann: a larger account");
}

#[test]
fn status_and_tools_are_for_people_and_for_programs() {
    let up = Up::start();
    check(&up.bot4(&["status"]), 0, "exchangespec (1 ready)");
    check(&up.bot4(&["tools", "riskquant"]), 0, "Kelly position size");
    let status: Value = serde_json::from_slice(&up.bot4(&["status", "--json"]).stdout).unwrap();
    assert_eq!(status["accounts"]["paper"]["owned"], true, "{status}");
    assert_eq!(status["halt"]["state"], "running", "{status}");
    check(&up.bot4(&["connect"]), 0, "claude mcp add --transport http bot4");
}

#[test]
fn completions_are_made_for_a_shell() {
    check(&command(BOT4).args(["completions", "bash"]).output().unwrap(), 0, "_bot4()");
}

#[test]
fn a_second_start_on_a_taken_port_is_told_apart() {
    let up = Up::start();
    let state = tempfile::TempDir::new().unwrap();
    let second = command(BOT4)
        .args(["up", "--listen", &format!("127.0.0.1:{}", up.port), "--state"])
        .arg(state.path())
        .output()
        .unwrap();
    check(&second, 1, "cannot listen on 127.0.0.1:");
}

#[test]
fn wrong_settings_do_not_start() {
    let start = |args: &[&str]| {
        let state = tempfile::TempDir::new().unwrap();
        command(BOT4).args(["up", "--state"]).arg(state.path()).args(args).output().unwrap()
    };
    check(&start(&["--market", "dream"]), 1, "dream");
    check(&start(&["--listen", "0.0.0.0:3999"]), 1, "can be reached from other machines");
    check(&start(&["--listen", "here"]), 1, "must be an address and a port");
    check(&start(&["--set", "limits.max_position=1"]), 1, "unknown field `max_position`");
    check(&start(&["--set", "limits.max_leverage=NaN"]), 1, "`limits.max_leverage` is \"NaN\" but");
    check(&start(&["--redis", "http://x"]), 1, "its scheme is unknown");
    check(&start(&["--state", "/proc/nowhere"]), 2, "cannot be used multiple times");
}

/// Imported while nothing runs, named by a call afterwards, gone when a person removes it.
#[test]
fn a_dataset_is_imported_named_by_a_call_and_removed() {
    let up = Up::start();
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("fund.csv");
    std::fs::write(&file, "time,nav\n2024-01-01,100\n2024-01-02,101\n2024-01-03,99\n").unwrap();
    let file = file.display().to_string();
    let state = up.state().to_owned();
    let bot4 = |words: &[&str]| {
        command(BOT4).arg("dataset").args(words).args(["--state", &state]).output().unwrap()
    };
    check(&bot4(&["list"]), 0, "no datasets in ");
    check(&bot4(&["import", &file, "--name", "fund"]), 1, "say --values prices");
    let import = ["import", &file, "--name", "fund", "--values", "prices"];
    check(&bot4(&import), 0, "fund: 3 rows every 1d from 2024-01-01T00:00:00Z to 2024-01-03");
    check(&bot4(&import), 1, "must be a name that is free");
    check(&bot4(&["import", &file, "--name", "../x"]), 1, "--name: `name` is ../x but must be");
    check(&bot4(&["list", "--json"]), 0, "\"missing_rows\":0");
    let args = ["--dataset", "fund", "--model", "realised", "--periods_per_year", "365"];
    let call = |args: &[&str]| up.bot4(&[&["call", "riskquant", "fit_volatility"], args].concat());
    check(&call(&args), 0, "fund: 2 returns from 2024-01-02T00:00:00Z");
    check(&up.bot4(&["call", "riskquant", "list_datasets"]), 0, "\"interval\": \"1d\"");
    check(&bot4(&["remove", "fund"]), 0, "fund is removed");
    check(&bot4(&["remove", "fund"]), 1, "must be the name of a dataset");
    check(&call(&args), 3, "`dataset` is fund but must be the name of a dataset");
}
