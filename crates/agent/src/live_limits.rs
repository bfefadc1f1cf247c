//! The limits in force: those of the configuration with what was changed since, read anew from the
//! journal several times a second.
//!
//! Whoever judges by them asks how long ago they were read, because a limit that cannot be read may
//! have been lowered. A change that is made here is in force here at once, and elsewhere with the
//! next look.
//!
//! # Invariants
//!
//! * What was not set by a person never allows more than the configuration.
//! * Limits that make no sense together are never in force; the last that did grow old instead.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{Clock, Timestamp};
use journal::{Journal, JournalError, LimitChange, LimitOverride, LimitOverrides};
use risk::{BreakerRules, Limits, Person, Tightness, limit_values};
use thiserror::Error;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{ConfigError, LimitsConfig};

/// How often the journal is asked.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How often a change is tried when others change limits meanwhile.
const TRIES_MAX: u32 = 8;

/// Limits of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitSet {
    /// Counts the changes.
    pub version: u64,
    /// What orders may not break.
    pub limits: Limits,
    /// When breakers are tripped.
    pub breaker_rules: BreakerRules,
}

/// One limit and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitInForce {
    /// Its key.
    pub key: &'static str,
    /// Its value; `None` when it is not set.
    pub value: Option<String>,
    /// What the configuration says.
    pub configured: Option<String>,
    /// Who set what holds in the configuration's place: a `tool` or a `person`; `None` when nobody
    /// did.
    pub changed_by: Option<&'static str>,
}

/// Who wants a change.
#[derive(Debug, Clone, Copy)]
pub enum Changer<'a> {
    /// Somebody who may allow less.
    Tool(&'a str),
    /// A person, who may allow more.
    Person(&'a Person),
}

/// What a change made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The version since then.
    pub version: u64,
    /// The value before.
    pub before: Option<String>,
    /// The value since.
    pub after: Option<String>,
}

/// Why a limit is not changed, or not known.
#[derive(Debug, Error)]
pub enum LiveLimitsError {
    /// The limit or its value makes no sense.
    #[error(transparent)]
    Senseless(#[from] ConfigError),
    /// It would allow more, which only a person may.
    #[error("{key} is {before} and would be {after}: that allows more, which only a person may")]
    NeedsPerson {
        /// The limit's key.
        key: String,
        /// Its value.
        before: String,
        /// What it would be.
        after: String,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Others changed limits all the time.
    #[error("others changed limits {TRIES_MAX} times meanwhile; ask again")]
    Crowded,
}

/// The limits in force.
#[derive(Debug)]
pub struct LiveLimits {
    configured: LimitsConfig,
    journal: Journal,
    known: Mutex<(Arc<LimitSet>, Option<Instant>)>,
}

// === impl LiveLimits ===

impl LiveLimits {
    /// Reads the limits in force; begins them in a journal that has just been made. Where they cannot
    /// be read or make no sense they are those of the configuration, read never.
    ///
    /// # Errors
    /// [`LiveLimitsError`] when the configuration makes no sense, or the journal is not there.
    pub async fn open(
        configured: &LimitsConfig,
        journal: &Journal,
        by: &str,
        now: Timestamp,
    ) -> Result<Self, LiveLimitsError> {
        journal.init_limits(by, now).await?;
        let unread = LimitOverrides { version: 0, overrides: BTreeMap::new() };
        let known = Mutex::new((Arc::new(set_of(configured, &unread)?), None));
        let live = Self { configured: configured.clone(), journal: journal.clone(), known };
        live.look_or_tell().await;
        Ok(live)
    }

    /// Looks until told to stop.
    pub async fn follow(self: Arc<Self>, stop: CancellationToken) {
        let mut why_not = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let why = self.look().await.err().map(|error| error.to_string());
            if why != why_not {
                match &why {
                    Some(why) => tracing::error!(%why, "the limits in force are not known"),
                    None => tracing::info!("the limits in force are known again"),
                }
                why_not = why;
            }
        }
    }

    async fn look_or_tell(&self) {
        if let Err(why) = self.look().await {
            tracing::error!(%why, "the limits in force are not known");
        }
    }

    /// The limits as they were read last, and how long ago that was.
    #[must_use]
    pub fn latest(&self) -> (Arc<LimitSet>, Duration) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&known.0), known.1.map_or(Duration::MAX, |read_at| read_at.elapsed()))
    }

    /// Reads the limits now.
    ///
    /// # Errors
    /// [`LiveLimitsError`] when they cannot be read or make no sense; what was known stays.
    pub async fn look(&self) -> Result<Arc<LimitSet>, LiveLimitsError> {
        // Taken before it is read: it is never older than it says.
        let read_at = Instant::now();
        let record = self.journal.limit_overrides().await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Of two looks at once the one that began later is the one that counts.
        if known.1.is_none_or(|before| before <= read_at) {
            if known.0.version != record.version {
                known.0 = Arc::new(set_of(&self.configured, &record)?);
            }
            known.1 = Some(read_at);
        }
        Ok(Arc::clone(&known.0))
    }

    /// Every limit as it is in force now, and the version.
    ///
    /// # Errors
    /// [`LiveLimitsError`] when they cannot be read or make no sense.
    pub async fn all(&self) -> Result<(u64, Vec<LimitInForce>), LiveLimitsError> {
        let record = self.journal.limit_overrides().await?;
        let set = set_of(&self.configured, &record)?;
        let configured = values(&self.configured)?;
        let all = limit_values(&set.limits, &set.breaker_rules).into_iter();
        let all = all.map(|(key, value)| LimitInForce {
            key,
            changed_by: record.overrides.get(key).map(|over| match over.by_person {
                true => "person",
                false => "tool",
            }),
            configured: configured.get(key).cloned().flatten(),
            value,
        });
        Ok((set.version, all.collect()))
    }

    /// Changes a limit; `to` is its new value, `Some(None)` takes it away and `None` gives it back to
    /// the configuration. A change that changes nothing is not recorded. A tool may lower what a
    /// person raised.
    ///
    /// # Errors
    /// [`LiveLimitsError::Senseless`] for a limit that there is not or a value that makes no sense,
    /// [`LiveLimitsError::NeedsPerson`] when a tool would allow more, otherwise the journal's.
    pub async fn change(
        &self,
        (key, to): (&str, Option<Option<&str>>),
        by: Changer<'_>,
        reason: &str,
        clock: &dyn Clock,
    ) -> Result<Changed, LiveLimitsError> {
        for _ in 0..TRIES_MAX {
            let (record, lost) = match self.journal.limit_overrides().await {
                Ok(record) => (record, false),
                // A person begins them anew.
                Err(JournalError::Corrupt { .. }) if matches!(by, Changer::Person(_)) => {
                    (LimitOverrides { version: 0, overrides: BTreeMap::new() }, true)
                }
                Err(error) => return Err(error.into()),
            };
            let by_person = matches!(by, Changer::Person(_));
            let known = record.overrides.get(key);
            let was = effective(&self.configured, &record.overrides).or_else(|error| {
                // What makes no sense may be set right by a person.
                let mut others = record.overrides.clone();
                let is_wrong = by_person && others.remove(key).is_some();
                if is_wrong { effective(&self.configured, &others) } else { Err(error) }
            })?;
            let before = was.value(key)?;
            let asked = match to {
                Some(value) => value.map(str::to_owned),
                None => self.configured.value(key)?,
            };
            let will = was.with(key, asked.as_deref())?;
            sensible(&will)?;
            let after = will.value(key)?;
            let tightness = Tightness::of(key, before.as_deref(), after.as_deref());
            if !by_person && tightness == Tightness::Looser {
                let text = |value: Option<String>| value.unwrap_or_else(|| "not set".to_owned());
                let (before, after) = (text(before), text(after));
                return Err(LiveLimitsError::NeedsPerson { key: key.to_owned(), before, after });
            }
            let over = to.map(|value| LimitOverride {
                value: value.map(str::to_owned),
                by_person: by_person || known.is_some_and(|known| known.by_person),
            });
            let is_same =
                if by_person { known == over.as_ref() } else { tightness == Tightness::Same };
            if is_same && !lost {
                return Ok(Changed { version: record.version, before, after });
            }
            let change = LimitChange {
                follows: record.version,
                key,
                to: over.as_ref(),
                by: match by {
                    Changer::Tool(name) => name,
                    Changer::Person(person) => person.as_str(),
                },
                by_person,
                reason,
            };
            if let Some(version) = self.journal.change_limit(change, clock.now()).await? {
                // It is made, whatever else cannot be read.
                self.look_or_tell().await;
                return Ok(Changed { version, before, after });
            }
        }
        Err(LiveLimitsError::Crowded)
    }
}

/// The configuration's limits with what was changed. What no person allowed counts only where it
/// allows less.
fn effective(
    configured: &LimitsConfig,
    overrides: &BTreeMap<String, LimitOverride>,
) -> Result<LimitsConfig, ConfigError> {
    let mut of = configured.clone();
    for (key, over) in overrides {
        let (ours, value) = (configured.value(key)?, over.value.as_deref());
        let is_less = Tightness::of(key, ours.as_deref(), value) == Tightness::Tighter;
        if over.by_person || is_less {
            of = of.with(key, value)?;
        }
    }
    Ok(of)
}

fn set_of(configured: &LimitsConfig, record: &LimitOverrides) -> Result<LimitSet, ConfigError> {
    let (limits, breaker_rules) = sensible(&effective(configured, &record.overrides)?)?;
    Ok(LimitSet { version: record.version, limits, breaker_rules })
}

fn sensible(of: &LimitsConfig) -> Result<(Limits, BreakerRules), ConfigError> {
    Ok((of.limits()?, of.breaker_rules()?))
}

fn values(of: &LimitsConfig) -> Result<BTreeMap<&'static str, Option<String>>, ConfigError> {
    let (limits, breaker_rules) = sensible(of)?;
    Ok(limit_values(&limits, &breaker_rules).into_iter().collect())
}
