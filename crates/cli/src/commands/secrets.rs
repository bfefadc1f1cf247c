//! `bot4 secrets`: random passwords for a fleet, and the access rules that go with them.
//!
//! Each service gets a folder of its own, to be mounted into that service only. A password that is
//! there stays, so the command can run at every start, also with servers that have moved; the
//! access rules are written anew from what is there, so a further agent needs no more than its
//! name, and a password is changed by removing the file that holds it.
//!
//! # The access rules
//!
//! An agent may listen on its own inboxes and replies, publish answers to the coordinator and its
//! own topics, and set its own presence. The rule that lets it publish and the rule that lets it
//! listen are apart (Redis calls them selectors), because one list of channels for both would let
//! every agent that may answer the coordinator also read what others answer. An agent that asks
//! another writes to inboxes of which no tool is called. The coordinator may
//! ask everybody and hears only its own replies and who is there.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;
use wire::AgentName;

use crate::arguments::SecretsOptions;
use crate::output;

/// The service that only asks.
const COORDINATOR: &str = "coordinator";

/// The service that agents trade at on paper.
const PAPER_VENUE: &str = "paper-venue";

/// The user that may do nothing but show that Redis lives.
const HEALTH: &str = "health";

pub(crate) fn run(options: &SecretsOptions, as_json: bool) -> ExitCode {
    match make(options) {
        Ok(made) => {
            if as_json {
                output::print(&json!({ "made": made }).to_string());
            } else {
                for path in &made {
                    output::print(&format!("made {}", path.display()));
                }
            }
            ExitCode::SUCCESS
        }
        Err(why) => output::fail(&why, as_json),
    }
}

/// The files that were not there.
fn make(options: &SecretsOptions) -> Result<Vec<PathBuf>, String> {
    let mut made = Vec::new();
    let mut users = BTreeMap::new();
    for agent in &options.agents {
        let agent: AgentName = agent.parse().map_err(|error: wire::NameError| error.to_string())?;
        let mut rules = agent_rules(&agent);
        if options.journal.iter().any(|name| name == agent.as_str()) {
            rules.push_str(&owner_rules(&agent));
        }
        users.insert(agent.to_string(), rules);
    }
    for pair in &options.ask {
        let (asker, owner) = pair.split_once('=').ok_or_else(|| {
            format!("--ask {pair:?} must be NAME=NAME, for example riskquant=exchangespec")
        })?;
        for (user, rules) in [(asker, asker_rules(owner)), (owner, asked_rules(asker))] {
            let known = users.get_mut(user);
            let known = known.ok_or_else(|| format!("--ask {pair}: {user} is none of --agents"))?;
            known.push_str(&rules);
        }
    }
    users.insert(COORDINATOR.to_owned(), coordinator_rules());
    let dir = &options.dir;
    let mut acl = vec!["user default off resetchannels -@all".to_owned()];
    for (user, rules) in &users {
        let path = dir.join(user).join("redis_url");
        let password = address(&path, &mut made, |password| {
            format!("redis://{user}:{password}@{}", options.redis)
        })?;
        acl.push(format!("user {user} on #{} {rules}", sha256(&password)));
    }
    let health = once(&dir.join("redis").join("health"), 0o444, &mut made, str::to_owned)?;
    acl.push(format!("user {HEALTH} on #{} resetchannels -@all +ping", sha256(&health)));
    rewrite(&dir.join("redis").join("users.acl"), 0o444, &format!("{}\n", acl.join("\n")))?;
    once(&dir.join(COORDINATOR).join("token"), 0o400, &mut made, str::to_owned)?;
    if let Some(agent) = &options.paper {
        // The venue must know the key that the agent signs with.
        for name in ["paper_key", "paper_secret"] {
            let text = once(&dir.join(agent).join(name), 0o400, &mut made, str::to_owned)?;
            let copy = dir.join(PAPER_VENUE).join(name);
            if fs::read_to_string(&copy).ok().as_deref() != Some(&*text) {
                rewrite(&copy, 0o400, &text)?;
                made.push(copy);
            }
        }
    }
    if let Some(postgres) = &options.postgres {
        let path = dir.join("postgres").join("password");
        let password = once(&path, 0o444, &mut made, str::to_owned)?;
        for agent in &options.journal {
            let path = dir.join(agent).join("journal_url");
            let url = format!("postgres://bot4:{password}@{postgres}");
            if fs::read_to_string(&path).ok().as_deref() != Some(&*url) {
                rewrite(&path, 0o400, &url)?;
                made.push(path);
            }
        }
    }
    Ok(made)
}

/// What an agent may do on the bus.
fn agent_rules(agent: &AgentName) -> String {
    format!(
        "resetchannels -@all +hello +ping +client|reply +subscribe +unsubscribe \
         &bot4:rpc:{agent}:* &bot4:ask:{agent}:* &bot4:reply:{agent}:* \
         (+publish &bot4:reply:{COORDINATOR}:* &bot4:reply:{agent}:* &bot4:topic:{agent}:*) \
         (+set +del ~bot4:presence:{agent}:*)"
    )
}

/// What an agent may do besides that asks another: find its instances and write to their inboxes for
/// questions, not to those for tools.
fn asker_rules(owner: &str) -> String {
    format!(
        " (+publish &bot4:ask:{owner}:*) (+scan +punsubscribe) \
         (+psubscribe &bot4:topic:*:presence) (+mget %R~bot4:presence:*)"
    )
}

/// What an agent may do besides that is asked by another: answer it.
fn asked_rules(asker: &str) -> String {
    format!(" (+publish &bot4:reply:{asker}:*)")
}

/// What an agent may do besides whose instances own accounts and share limits: scripts, because each
/// step must be one for everybody else; they reach these keys and no others. It writes logs, too.
fn owner_rules(agent: &AgentName) -> String {
    format!(
        " (+eval +get +set +del +incr +pexpire ~bot4:lease:{agent}:* ~bot4:fence:{agent}:* \
         ~bot4:rate:{agent}:*) (+xadd +xrevrange ~bot4:log:{agent}:*)"
    )
}

/// What the coordinator may do: ask every agent, hear its own replies and who is there.
fn coordinator_rules() -> String {
    format!(
        "resetchannels -@all +hello +ping +client|reply +scan +subscribe +unsubscribe \
         +punsubscribe &bot4:reply:{COORDINATOR}:* \
         (+psubscribe &bot4:topic:*:presence) \
         (+publish &bot4:rpc:* &bot4:reply:{COORDINATOR}:*) \
         (+mget %R~bot4:presence:*)"
    )
}

/// The password in the address that a file holds, or a new one; the file is written anew when the
/// address is not what `url` makes of the password.
fn address(
    path: &Path,
    made: &mut Vec<PathBuf>,
    url: impl Fn(&str) -> String,
) -> Result<String, String> {
    let held = match fs::read_to_string(path) {
        Ok(held) => Some(held),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    let kept = held.as_deref().map(|held| {
        password_in(held.trim()).map(str::to_owned).ok_or_else(|| {
            format!("{}: no address with a password; remove it to have one made", path.display())
        })
    });
    let password = kept.unwrap_or_else(password)?;
    let url = url(&password);
    if held.as_deref() != Some(&*url) {
        rewrite(path, 0o400, &url)?;
        made.push(path.to_owned());
    }
    Ok(password)
}

/// What the file holds; when it is not there it is made from a new password.
fn once(
    path: &Path,
    mode: u32,
    made: &mut Vec<PathBuf>,
    content: impl FnOnce(&str) -> String,
) -> Result<String, String> {
    let wrong = |error: io::Error| format!("{}: {error}", path.display());
    match fs::read_to_string(path) {
        Ok(text) => return Ok(text.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(wrong(error)),
    }
    let content = content(&password()?);
    write(path, mode, &content).map_err(wrong)?;
    made.push(path.to_owned());
    Ok(content)
}

/// Replaces a file in one step, so that nobody reads half of it.
fn rewrite(path: &Path, mode: u32, content: &str) -> Result<(), String> {
    let new = path.with_extension("new");
    let wrong = |error: io::Error| format!("{}: {error}", path.display());
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(wrong(error)),
        Ok(()) | Err(_) => {}
    }
    write(&new, mode, content).and_then(|()| fs::rename(&new, path)).map_err(wrong)
}

fn write(path: &Path, mode: u32, content: &str) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

/// 192 random bits in hex: they need no escape in a URL.
fn password() -> Result<String, String> {
    let mut bytes = [0; 24];
    SystemRandom::new().fill(&mut bytes).or(Err("the machine gives no random numbers"))?;
    Ok(hex(&bytes))
}

fn sha256(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn password_in(url: &str) -> Option<&str> {
    let (credentials, _) = url.split_once("://")?.1.rsplit_once('@')?;
    Some(credentials.split_once(':')?.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn options(dir: &Path, agents: &[&str]) -> SecretsOptions {
        SecretsOptions {
            dir: dir.to_owned(),
            agents: agents.iter().map(|&agent| agent.to_owned()).collect(),
            redis: "redis:6379".to_owned(),
            postgres: Some("postgres/bot4".to_owned()),
            journal: vec!["exchangespec".to_owned()],
            paper: None,
            ask: Vec::new(),
        }
    }

    #[test]
    fn the_paper_venue_knows_the_key_of_whoever_trades_there() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut options = options(dir.path(), &["exchangespec"]);
        options.paper = Some("exchangespec".to_owned());
        make(&options).unwrap();
        let read = |file: &str| fs::read_to_string(dir.path().join(file)).unwrap();
        for name in ["paper_key", "paper_secret"] {
            assert_eq!(read(&format!("exchangespec/{name}")), read(&format!("paper-venue/{name}")));
        }
        assert!(read("exchangespec/paper_key").len() >= 16);
        assert!(make(&options).unwrap().is_empty(), "they stay");
    }

    #[test]
    fn what_is_there_stays_and_a_further_agent_gets_its_own() {
        let dir = tempfile::TempDir::new().unwrap();
        let first = make(&options(dir.path(), &["exchangespec"])).unwrap();
        assert_eq!(first.len(), 6);
        let token = fs::read_to_string(dir.path().join("coordinator/token")).unwrap();
        let second = make(&options(dir.path(), &["exchangespec", "riskquant"])).unwrap();
        assert_eq!(second, vec![dir.path().join("riskquant/redis_url")]);
        assert_eq!(fs::read_to_string(dir.path().join("coordinator/token")).unwrap(), token);
    }

    #[test]
    fn a_redis_that_moved_keeps_the_passwords() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut options = options(dir.path(), &["exchangespec"]);
        make(&options).unwrap();
        let read = |file: &str| fs::read_to_string(dir.path().join(file)).unwrap();
        let (acl, before) = (read("redis/users.acl"), read("exchangespec/redis_url"));
        "127.0.0.1:40000".clone_into(&mut options.redis);
        options.postgres = Some("db/bot4".to_owned());
        assert_eq!(make(&options).unwrap().len(), 3, "two redis_url and one journal_url");
        let after = read("exchangespec/redis_url");
        assert_eq!(password_in(&before), password_in(&after));
        assert!(after.ends_with("@127.0.0.1:40000"), "it moved");
        assert!(read("exchangespec/journal_url").ends_with("@db/bot4"), "it moved");
        assert_eq!(read("redis/users.acl"), acl, "the rules hold no address");
    }

    #[test]
    fn a_file_that_was_removed_gets_a_new_password_and_the_rules_follow() {
        let dir = tempfile::TempDir::new().unwrap();
        let options = options(dir.path(), &["riskquant"]);
        make(&options).unwrap();
        let read = |file: &str| fs::read_to_string(dir.path().join(file)).unwrap();
        let (acl, before) = (read("redis/users.acl"), read("riskquant/redis_url"));
        fs::remove_file(dir.path().join("riskquant/redis_url")).unwrap();
        assert_eq!(make(&options).unwrap(), vec![dir.path().join("riskquant/redis_url")]);
        assert_ne!(read("riskquant/redis_url"), before);
        assert_ne!(read("redis/users.acl"), acl);
    }

    #[test]
    fn who_may_ask_must_be_an_agent_and_name_one() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut options = options(dir.path(), &["riskquant", "exchangespec"]);
        for (pair, why) in [
            ("riskquant", "must be NAME=NAME"),
            ("riskquant=strategist", "strategist is none of --agents"),
            ("x=exchangespec", "x is none of --agents"),
        ] {
            options.ask = vec![pair.to_owned()];
            let refused = make(&options).unwrap_err();
            assert!(refused.contains(why), "{pair}: {refused}");
        }
    }

    #[test]
    fn no_password_stands_in_the_access_rules() {
        let dir = tempfile::TempDir::new().unwrap();
        make(&options(dir.path(), &["riskquant"])).unwrap();
        let acl = fs::read_to_string(dir.path().join("redis/users.acl")).unwrap();
        let url = fs::read_to_string(dir.path().join("riskquant/redis_url")).unwrap();
        assert!(!acl.contains(password_in(&url).unwrap()));
        assert!(acl.contains("user default off"), "{acl}");
        let mode = fs::metadata(dir.path().join("riskquant/redis_url")).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o400);
    }
}
