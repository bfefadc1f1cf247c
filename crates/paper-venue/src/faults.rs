//! Decides when the venue misbehaves, and how: faults as data.
//!
//! A fault is switched on by somebody who tests a client. It strikes at a rate with its own seed,
//! at scripted places, or once; the decision depends on the number of the matching event alone, so
//! that a run can be repeated. What struck is on the ledger.

use serde::{Deserialize, Serialize};

use crate::draws::Draws;

/// The most faults that may be switched on at once.
const FAULTS_MAX: usize = 64;
/// The most places that a script may have.
const SCRIPT_MAX: usize = 10_000;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// -1007 although the request was carried out.
    TimeoutAfter,
    /// -1007, and nothing was done.
    TimeoutBefore,
    /// The request is carried out and never answered.
    NoAnswer,
    /// The request is carried out and the connection is closed without an answer.
    LostAck,
    /// An HTML page with status 502, 503 or 504 (`status`) although the request was carried out.
    GatewayAfter,
    /// The same, and nothing was done.
    GatewayBefore,
    /// -1008, and nothing was done.
    Busy,
    /// -1021, as if the clocks of client and venue differed.
    ClockSkew,
    /// -1022 for a correct signature.
    BadSignature,
    /// 429 with `Retry-After`.
    RateLimited,
    /// 418: the address is banned for `millis`.
    Banned,
    /// -2010 for want of money that is there.
    BalanceRejected,
    /// -1015.
    OrderLimit,
    /// The answer is late by `millis`; events of the request come before it.
    SlowAnswer,
    /// The answer ends in the middle.
    TruncatedJson,
    /// The answer is no JSON.
    MalformedJson,
    /// The answer has a field that no documentation names, and an unknown word in an enumeration.
    UnknownField,
    /// A cancellation finds the order filled a moment before.
    FillBeforeCancel,
    /// A book snapshot from the past: its `lastUpdateId` lies before the diffs that are sent.
    StaleSnapshot,
    /// A stream message is lost.
    WsDrop,
    /// A stream message comes twice.
    WsDuplicate,
    /// A stream message comes late by `millis`.
    WsDelay,
    /// A stream message comes after its successor.
    WsReorder,
    /// A depth message is left out, so that update ids have a gap.
    DepthGap,
    /// The connection says nothing any more, not even pings, and stays open.
    SilentSocket,
    /// The connection is closed.
    WsDisconnect,
    /// `serverShutdown` is announced; the connection closes after `millis`.
    ServerShutdown,
    /// A stream message is no JSON.
    WsMalformed,
    /// A stream message has a field that no documentation names.
    WsUnknownField,
    /// An event of the account is lost.
    UserEventDrop,
    /// An event of the account comes twice.
    UserEventDuplicate,
    /// An event of the account comes late by `millis`.
    UserEventDelay,
}

/// Where faults strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before a request is carried out.
    Request,
    /// At a message of a public stream.
    Stream,
    /// At an event of an account.
    User,
}

/// Which events a fault applies to; what is absent matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultMatch {
    /// HTTP method, or `WS` for a request over a socket.
    pub method: Option<String>,
    /// Path (`/api/v3/order`) or method of the socket interface (`order.place`).
    pub path: Option<String>,
    /// Symbol.
    pub symbol: Option<String>,
    /// A part of the name of a stream (`@depth`), or the type of an account's event.
    pub stream: Option<String>,
}

/// A fault to be switched on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Probability for each matching event, 0 to 1.
    #[serde(default)]
    pub rate: Option<f64>,
    /// At which matching events, counted from 1.
    #[serde(default)]
    pub script: Vec<u64>,
    /// At the next matching event only.
    #[serde(default)]
    pub once: bool,
    /// Seed of the probability.
    #[serde(default)]
    pub seed: u64,
    /// Which events count.
    #[serde(default, rename = "match")]
    pub matches: FaultMatch,
    /// For faults that last or delay: how long.
    #[serde(default)]
    pub millis: Option<u64>,
    /// For gateway faults: 502, 503 or 504.
    #[serde(default)]
    pub status: Option<u16>,
}

/// A fault that is switched on, with what it did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultState {
    /// Its number.
    pub id: u64,
    /// Matching events so far.
    pub seen: u64,
    /// How often it struck.
    pub struck: u64,
    /// What it is.
    #[serde(flatten)]
    pub spec: FaultSpec,
}

/// What happens now, for the faults to look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion<'a> {
    pub(crate) stage: Stage,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) symbol: &'a str,
    pub(crate) stream: &'a str,
}

/// A fault that strikes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Strike {
    pub(crate) id: u64,
    pub(crate) kind: FaultKind,
    pub(crate) millis: u64,
    pub(crate) status: u16,
}

/// The faults that are switched on.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    list: Vec<FaultState>,
    next_id: u64,
}

// === impl FaultKind ===

impl FaultKind {
    pub(crate) const fn stage(self) -> Stage {
        match self {
            Self::TimeoutAfter
            | Self::TimeoutBefore
            | Self::NoAnswer
            | Self::LostAck
            | Self::GatewayAfter
            | Self::GatewayBefore
            | Self::Busy
            | Self::ClockSkew
            | Self::BadSignature
            | Self::RateLimited
            | Self::Banned
            | Self::BalanceRejected
            | Self::OrderLimit
            | Self::SlowAnswer
            | Self::TruncatedJson
            | Self::MalformedJson
            | Self::UnknownField
            | Self::FillBeforeCancel
            | Self::StaleSnapshot => Stage::Request,
            Self::WsDrop
            | Self::WsDuplicate
            | Self::WsDelay
            | Self::WsReorder
            | Self::DepthGap
            | Self::SilentSocket
            | Self::WsDisconnect
            | Self::ServerShutdown
            | Self::WsMalformed
            | Self::WsUnknownField => Stage::Stream,
            Self::UserEventDrop | Self::UserEventDuplicate | Self::UserEventDelay => Stage::User,
        }
    }

    /// What the fault's place in the protocol is beyond its match: some fit one path only.
    fn fits(self, occasion: &Occasion<'_>) -> bool {
        match self {
            Self::FillBeforeCancel => {
                occasion.path == "order.cancel"
                    || (occasion.method == "DELETE" && occasion.path == "/api/v3/order")
            }
            Self::StaleSnapshot => occasion.path.ends_with("depth"),
            Self::DepthGap => occasion.stream.contains("@depth"),
            Self::BalanceRejected | Self::OrderLimit => {
                occasion.path.starts_with("order")
                    || (occasion.method == "POST" && occasion.path.starts_with("/api/v3/order"))
            }
            // Connections break for streams of both kinds.
            _ => true,
        }
    }
}

// === impl FaultSpec ===

impl FaultSpec {
    /// A fault that strikes at the next event.
    #[must_use]
    pub fn once(kind: FaultKind) -> Self {
        Self {
            kind,
            rate: None,
            script: Vec::new(),
            once: true,
            seed: 0,
            matches: FaultMatch::default(),
            millis: None,
            status: None,
        }
    }

    fn check(&self) -> Result<(), String> {
        let ways = usize::from(self.rate.is_some())
            .saturating_add(usize::from(!self.script.is_empty()))
            .saturating_add(usize::from(self.once));
        if ways != 1 {
            return Err(format!(
                "exactly one of rate, script and once says when a fault strikes; {ways} are given, for example {{\"kind\":\"ws_drop\",\"rate\":0.1}}"
            ));
        }
        if let Some(rate) = self.rate
            && !(rate.is_finite() && (0.0..=1.0).contains(&rate))
        {
            return Err(format!("rate is {rate} and must be between 0 and 1, for example 0.1"));
        }
        if self.script.len() > SCRIPT_MAX || self.script.contains(&0) {
            return Err(format!(
                "script has {} places; it may have {SCRIPT_MAX}, each at least 1, for example [1,3]",
                self.script.len()
            ));
        }
        if let Some(status) = self.status
            && !matches!(status, 502..=504)
        {
            return Err(format!("status is {status} and must be 502, 503 or 504"));
        }
        Ok(())
    }
}

// === impl Faults ===

impl Faults {
    /// Switches a fault on; the error names field, value and rule.
    pub(crate) fn add(&mut self, spec: FaultSpec) -> Result<u64, String> {
        spec.check()?;
        if self.list.len() >= FAULTS_MAX {
            return Err(format!("{FAULTS_MAX} faults are switched on; clear some first"));
        }
        self.next_id = self.next_id.saturating_add(1);
        self.list.push(FaultState { id: self.next_id, seen: 0, struck: 0, spec });
        Ok(self.next_id)
    }

    pub(crate) fn list(&self) -> &[FaultState] {
        &self.list
    }

    /// Switches one fault off, or all; gives how many.
    pub(crate) fn clear(&mut self, id: Option<u64>) -> usize {
        let before = self.list.len();
        self.list.retain(|fault| id.is_some_and(|id| id != fault.id));
        before.saturating_sub(self.list.len())
    }

    /// Whether anything can strike at all.
    pub(crate) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What strikes on this occasion.
    pub(crate) fn strike(&mut self, occasion: &Occasion<'_>) -> Vec<Strike> {
        let mut strikes = Vec::new();
        for fault in &mut self.list {
            if fault.matches(occasion) && fault.decide() {
                fault.struck = fault.struck.saturating_add(1);
                strikes.push(Strike {
                    id: fault.id,
                    kind: fault.spec.kind,
                    millis: fault.spec.millis.unwrap_or(1_000),
                    status: fault.spec.status.unwrap_or(502),
                });
            }
        }
        strikes
    }
}

// === impl FaultState ===

impl FaultState {
    fn matches(&self, occasion: &Occasion<'_>) -> bool {
        let spec = &self.spec;
        let stage = spec.kind.stage();
        let is_connection = matches!(
            spec.kind,
            FaultKind::SilentSocket | FaultKind::WsDisconnect | FaultKind::ServerShutdown
        );
        let at_stage = stage == occasion.stage || (is_connection && occasion.stage == Stage::User);
        let same = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(found))
        };
        let part = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| found.contains(wanted.as_str()))
        };
        at_stage
            && spec.kind.fits(occasion)
            && same(&spec.matches.method, occasion.method)
            && same(&spec.matches.path, occasion.path)
            && same(&spec.matches.symbol, occasion.symbol)
            && part(&spec.matches.stream, occasion.stream)
    }

    fn decide(&mut self) -> bool {
        self.seen = self.seen.saturating_add(1);
        if self.spec.once {
            return self.struck == 0;
        }
        match self.spec.rate {
            Some(rate) => rate > 0.0 && Draws::new(self.spec.seed, self.seen).chance(rate),
            None => self.spec.script.contains(&self.seen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Occasion<'static> {
        Occasion {
            stage: Stage::Request,
            method: "POST",
            path: "/api/v3/order",
            symbol: "BTCUSDT",
            stream: "",
        }
    }

    fn struck(faults: &mut Faults, times: u32) -> Vec<u32> {
        (1..=times).filter(|_| true).filter(|_| !faults.strike(&order()).is_empty()).collect()
    }

    #[test]
    fn a_script_strikes_at_its_places_and_once_is_once() {
        let mut faults = Faults::default();
        let script = vec![2, 5];
        let spec = FaultSpec { once: false, script, ..FaultSpec::once(FaultKind::LostAck) };
        faults.add(spec).unwrap();
        assert_eq!(struck(&mut faults, 6), [2, 5]);
        assert_eq!(faults.clear(Some(7)), 0);
        assert_eq!(faults.clear(Some(1)), 1);
        faults.add(FaultSpec::once(FaultKind::Busy)).unwrap();
        assert_eq!(struck(&mut faults, 3), [1]);
        assert_eq!((faults.list()[0].seen, faults.list()[0].struck), (3, 1));
    }

    #[test]
    fn a_rate_is_kept_and_repeats_with_its_seed() {
        let run = |seed| {
            let mut faults = Faults::default();
            let base = FaultSpec::once(FaultKind::Busy);
            let spec = FaultSpec { once: false, rate: Some(0.25), seed, ..base };
            faults.add(spec).unwrap();
            struck(&mut faults, 4_000)
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        // Four standard errors around 1000.
        assert!((890..1_110).contains(&run(1).len()), "{}", run(1).len());
    }

    #[test]
    fn only_what_matches_counts() {
        let mut faults = Faults::default();
        let matches = FaultMatch { symbol: Some("ETHUSDT".to_owned()), ..FaultMatch::default() };
        faults.add(FaultSpec { matches, ..FaultSpec::once(FaultKind::Busy) }).unwrap();
        faults.add(FaultSpec::once(FaultKind::FillBeforeCancel)).unwrap();
        faults.add(FaultSpec::once(FaultKind::WsDrop)).unwrap();
        assert_eq!(struck(&mut faults, 3), [0_u32; 0]);
        assert!(faults.list().iter().all(|fault| fault.seen == 0));
    }

    #[test]
    fn a_fault_that_says_nothing_sensible_is_refused_with_an_example() {
        let mut faults = Faults::default();
        let base = FaultSpec { once: false, ..FaultSpec::once(FaultKind::Busy) };
        let error = |faults: &mut Faults, spec| faults.add(spec).unwrap_err();
        assert!(
            error(&mut faults, base.clone()).starts_with("exactly one of rate, script and once")
        );
        for rate in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            let spec = FaultSpec { rate: Some(rate), ..base.clone() };
            assert!(error(&mut faults, spec).contains("must be between 0 and 1"));
        }
        let spec = FaultSpec { script: vec![0], ..base.clone() };
        assert!(error(&mut faults, spec).contains("each at least 1"));
        let spec = FaultSpec { status: Some(200), ..FaultSpec::once(FaultKind::GatewayAfter) };
        assert_eq!(error(&mut faults, spec), "status is 200 and must be 502, 503 or 504");
    }
}
