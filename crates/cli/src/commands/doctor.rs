//! `bot4 doctor`: looks at everything that usually goes wrong and says what to do.

use std::process::ExitCode;
use std::time::Duration;

use agent::{Config, bind_address, http_get, load_or_make_token};
use bus::{Bus, Health, RedisUrl};
use coordinator::PORT;
use journal::Journal;
use risk::Halt;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use telemetry::SystemClock;

use crate::arguments::{DoctorOptions, Remote, State};
use crate::output;
use crate::place::{is_writable, make_state_dir, state_dir};
use crate::remote::Coordinator;

/// How long a server may take to show that it is there.
const PATIENCE: Duration = Duration::from_secs(3);

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    is_well: bool,
    says: String,
}

pub(crate) async fn run(options: DoctorOptions, as_json: bool) -> ExitCode {
    let findings = look(&options).await;
    let is_well = findings.iter().all(|finding| finding.is_well);
    if as_json {
        let list =
            findings.iter().map(|f| json!({ "check": f.what, "ok": f.is_well, "says": f.says }));
        let list: Vec<Value> = list.collect();
        output::print(&json!({ "ok": is_well, "checks": list }).to_string());
    } else {
        for Finding { what, is_well, says } in &findings {
            let mark = if *is_well { "ok     " } else { "PROBLEM" };
            output::print(&format!("{mark}  {what:<14} {says}"));
        }
    }
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn look(options: &DoctorOptions) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |what, found: Result<String, String>| {
        let is_well = found.is_ok();
        let (Ok(says) | Err(says)) = found;
        findings.push(Finding { what, is_well, says });
    };
    let config = Config::load(&options.local.options.sources()).map_err(|e| e.to_string());
    found("configuration", config.as_ref().map(|_| "read".to_owned()).map_err(Clone::clone));
    let Ok(config) = config else { return findings };
    let dir = match state_dir(config.state.dir.as_deref()) {
        Ok(dir) => dir,
        Err(why) => {
            found("state folder", Err(why));
            return findings;
        }
    };
    found("state folder", folder(&dir));
    found("token", token(&config, &dir));
    found("journal", journal(&config, &dir).await);
    let redis = config.redis().map_err(|error| error.to_string());
    found(
        "redis",
        match redis {
            Ok(Some(url)) => redis_answers(&url).await,
            Ok(None) => Ok("not configured: agents share one process".to_owned()),
            Err(why) => Err(why),
        },
    );
    let remote = Remote {
        state: State { state: Some(dir.clone()) },
        coordinator: options.coordinator.clone(),
        token_file: config.http.token_file.clone(),
    };
    found("coordinator", coordinator(&config, &remote).await);
    found("clock", clock(&options.coordinator));
    findings
}

fn folder(dir: &Path) -> Result<String, String> {
    make_state_dir(dir)?;
    is_writable(dir).map_err(|why| {
        format!("{}: {why}; make it writable for you or give --state DIR", dir.display())
    })?;
    Ok(format!("{} is writable", dir.display()))
}

fn token(config: &Config, dir: &Path) -> Result<String, String> {
    let path = config.http.token_file.clone().unwrap_or_else(|| dir.join("token"));
    if !path.exists() {
        return Ok(format!("{} is made by the first `bot4 up`", path.display()));
    }
    load_or_make_token(&path).map_err(|error| error.to_string())?;
    Ok(format!("{} can be read by you only", path.display()))
}

async fn journal(config: &Config, dir: &Path) -> Result<String, String> {
    let address = config.journal_address(dir).map_err(|error| error.to_string())?;
    if let Some(path) = address.strip_prefix("sqlite:")
        && !Path::new(path).exists()
    {
        return Ok(format!("{path} is made by the first `bot4 up`"));
    }
    let journal = Journal::open(&address).await.map_err(|error| error.to_string())?;
    let halt = journal.read_halt().await;
    journal.close().await;
    match halt {
        Halt::Running { version } => Ok(format!("opens; orders may pass (version {version})")),
        Halt::Halted { reason, by, .. } => {
            Ok(format!("opens; HALTED by {by}: {reason} (lift it with: bot4 resume)"))
        }
        Halt::Missing => Err("opens, but has no halt state, which halts all orders: if that is \
                              right, run: bot4 resume"
            .to_owned()),
        Halt::Unreadable { why } => Err(format!("the halt state cannot be read: {why}")),
    }
}

async fn redis_answers(url: &str) -> Result<String, String> {
    let url: RedisUrl = url.parse().map_err(|error: bus::RedisUrlError| error.to_string())?;
    let shown = url.to_string();
    // The access rules let a user hear only what is meant for it.
    let name = url.user().unwrap_or("doctor");
    let name =
        name.parse().map_err(|error: wire::NameError| format!("user of {shown}: {error}"))?;
    let bus = Bus::redis(url, &name, Arc::new(SystemClock));
    let mut health = bus.health();
    let up = health.wait_for(|health| *health == Health::Up);
    if tokio::time::timeout(PATIENCE, up).await.is_ok() {
        return Ok(format!("{shown} answers"));
    }
    let why = match &*bus.health().borrow() {
        Health::Down(why) => why.to_string(),
        Health::Up => "it answered too late".to_owned(),
    };
    Err(format!("{why}; start it (redis-server) or give --redis URL"))
}

/// Either a coordinator answers with our token, or its port is free.
async fn coordinator(config: &Config, remote: &Remote) -> Result<String, String> {
    let asked = match Coordinator::new(remote) {
        Ok(coordinator) => coordinator.status().await,
        Err(failure) => Err(failure),
    };
    match asked {
        Ok(status) => {
            let tools = status.get("tools").cloned().unwrap_or_default();
            return Ok(format!("{} runs with {tools} tools", remote.coordinator));
        }
        Err(failure) if failure.reason() == Some("WRONG_TOKEN") => {
            return Err(format!(
                "{}; give the --state or --token-file of the fleet that runs there",
                failure.message
            ));
        }
        Err(_not_there) => {}
    }
    let listen = config.http.listen.clone().unwrap_or_else(|| format!("127.0.0.1:{PORT}"));
    let address = bind_address(&listen).map_err(|error| error.to_string())?;
    match std::net::TcpListener::bind(address) {
        Ok(_free) => Ok(format!("not running; {address} is free for `bot4 up`")),
        Err(error) => Err(format!(
            "not running at {}, and {address} is taken ({error}): give --listen 127.0.0.1:PORT",
            remote.coordinator
        )),
    }
}

/// Deadlines are moments, so clocks of machines that work together must agree.
fn clock(coordinator: &str) -> Result<String, String> {
    let Some(address) = coordinator.strip_prefix("http://") else {
        return Ok("not compared: the coordinator is reached by TLS".to_owned());
    };
    let Ok(answer) = http_get(address.trim_end_matches('/'), "/health", PATIENCE) else {
        return Ok("not compared: no coordinator answers".to_owned());
    };
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let Some(theirs) = body.get("unix_ms").and_then(Value::as_i64) else {
        return Ok("not compared: the coordinator does not tell its time".to_owned());
    };
    let ours = domain::Clock::now(&SystemClock).unix_millis();
    let skew_ms = (ours - theirs).abs();
    if skew_ms > 1000 {
        return Err(format!(
            "this clock and the coordinator's differ by {skew_ms} ms: set both by NTP, because \
             deadlines are compared"
        ));
    }
    Ok(format!("agrees with the coordinator's to {skew_ms} ms"))
}
