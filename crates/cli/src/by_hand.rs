//! What a person does straight in the journal that every order reads, so that it works while
//! everything else is down.

use agent::Config;
use journal::Journal;
use risk::Person;

use crate::arguments::{Because, Local};
use crate::place::{make_state_dir, state_dir};

/// Opens the journal that the configuration names, and closes it after the act.
pub(crate) async fn with_journal<T>(
    local: &Local,
    act: impl AsyncFnOnce(&Journal, &Config) -> Result<T, String>,
) -> Result<T, String> {
    let config = Config::load(&local.options.sources()).map_err(|error| error.to_string())?;
    let dir = state_dir(config.state.dir.as_deref())?;
    make_state_dir(&dir)?;
    let address = config.journal_address(&dir).map_err(|error| error.to_string())?;
    let journal = Journal::open(&address).await.map_err(|error| error.to_string())?;
    let done = act(&journal, &config).await;
    journal.close().await;
    done
}

/// The text behind `--reason`, which must say something.
pub(crate) fn reason(text: &str) -> Result<&str, String> {
    match text.trim() {
        "" => Err("--reason is empty: say why, for whoever wonders later".to_owned()),
        reason => Ok(reason),
    }
}

// === impl Because ===

impl Because {
    /// Who does it, and why.
    pub(crate) fn read(&self) -> Result<(Person, &str), String> {
        let by = self.by.parse().map_err(|error| format!("--by {error}"))?;
        Ok((by, reason(&self.reason)?))
    }
}
