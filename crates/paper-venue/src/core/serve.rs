//! Serves a request: limits, faults, who it is, whether it is on time, what it does, the answer.

use std::net::IpAddr;
use std::sync::Arc;

use matching::AccountId;
use tokio::sync::oneshot;

use super::Core;
use super::timeline::Timed;
use crate::directory::Key;
use crate::faults::{FaultKind, Occasion, Stage, Strike};
use crate::ledger::{CommandEntry, Entry};
use crate::limits::Used;
use crate::ops::{Operation, Security};
use crate::protocol::timing::{TimeUnit, Timing};
use crate::protocol::{ApiError, Object, Params};
use crate::streams::{ConnId, Frame};

/// Who sent a request, as far as the front could tell.
#[derive(Debug, Clone)]
pub(crate) enum Auth {
    /// Nobody needs to be known.
    Open,
    /// The holder of a key, or why not.
    Key(Result<Arc<Key>, ApiError>),
    /// Whoever logged this connection on.
    Session,
}

/// Where an answer goes.
#[derive(Debug)]
pub(crate) enum ReplyTo {
    Once(oneshot::Sender<Answer>),
    /// To a connection, with the request's id in JSON and whether limits are shown.
    Conn {
        conn: ConnId,
        id: String,
        shows_limits: bool,
    },
}

/// A request that the front understood.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) op: &'static Operation,
    /// `POST`, or `WS` over a socket.
    pub(crate) method: String,
    /// The path, or the method of the socket interface.
    pub(crate) path: String,
    pub(crate) params: Params,
    pub(crate) unit: TimeUnit,
    pub(crate) address: IpAddr,
    pub(crate) auth: Auth,
    pub(crate) reply: ReplyTo,
}

/// How an answer leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    /// Not at all; the connection stays open.
    Never,
    /// Not at all; the connection is closed.
    Close,
    /// As an HTML page with this status.
    Html(u16),
    /// Up to the middle.
    Truncated,
    /// As something that is no JSON.
    Malformed,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) result: Result<String, ApiError>,
    pub(crate) used: Used,
    pub(crate) delivery: Delivery,
}

/// A request while it is carried out.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) params: Params,
    pub(crate) unit: TimeUnit,
    pub(crate) key: Option<Arc<Key>>,
    pub(crate) conn: Option<ConnId>,
    pub(crate) is_stale: bool,
    pub(crate) fills_before_cancel: bool,
    /// Whether the work was done although the answer is an error (a replacement in part).
    pub(crate) is_done: bool,
}

// === impl Call ===

impl Call {
    /// The account of the key.
    pub(crate) fn account(&self) -> Result<AccountId, ApiError> {
        self.key.as_ref().map(|key| key.account).ok_or_else(ApiError::bad_key)
    }
}

impl Core {
    /// Takes a request in; with latency it is carried out later.
    pub(crate) fn accept(&mut self, request: Request) {
        let nanos = if request.op.reaches_matching { self.latency.entry_nanos() } else { 0 };
        self.later(nanos, Timed::Request(Box::new(request)));
    }

    pub(super) fn serve(&mut self, mut request: Request) {
        self.requests = self.requests.saturating_add(1);
        let strikes = self.request_strikes(&request);
        let mut entry = self.command_entry(&request, &strikes);
        let has = |kind| strikes.iter().find(|strike| strike.kind == kind);
        let conn = match &request.reply {
            ReplyTo::Conn { conn, .. } => Some(*conn),
            ReplyTo::Once(_) => None,
        };
        let mut call = Call {
            params: std::mem::take(&mut request.params),
            unit: request.unit,
            key: None,
            conn,
            is_stale: has(FaultKind::StaleSnapshot).is_some(),
            fills_before_cancel: has(FaultKind::FillBeforeCancel).is_some(),
            is_done: false,
        };
        let before = strikes.iter().find_map(|strike| self.refusal_of(*strike, &request));
        let mut result = match before {
            Some(error) => Err(error),
            None => self.carry_out(&request, &mut call),
        };
        entry.is_done = result.is_ok() || call.is_done;
        entry.account = call.key.as_ref().map(|key| key.account.0);
        let mut delivery = Delivery::Whole;
        let mut millis = 0;
        for strike in &strikes {
            match strike.kind {
                FaultKind::TimeoutAfter => result = Err(ApiError::timeout()),
                FaultKind::NoAnswer => delivery = Delivery::Never,
                FaultKind::LostAck => delivery = Delivery::Close,
                FaultKind::GatewayAfter | FaultKind::GatewayBefore => {
                    delivery = Delivery::Html(strike.status);
                }
                FaultKind::TruncatedJson => delivery = Delivery::Truncated,
                FaultKind::MalformedJson => delivery = Delivery::Malformed,
                FaultKind::UnknownField => result = result.map(|json| with_unknown(&json)),
                FaultKind::SlowAnswer => millis = strike.millis,
                _ => {}
            }
        }
        entry.is_answered = delivery == Delivery::Whole && has(FaultKind::TimeoutAfter).is_none();
        (entry.status, entry.code) = match &result {
            Ok(_) => (200, None),
            Err(error) => (error.status, Some(error.code)),
        };
        self.log(&Entry::Command(entry));
        let orders = (request.op.orders > 0)
            .then(|| call.account().ok())
            .flatten()
            .map(|account| self.usage.order_counts(self.now, account.0));
        let used = Used { weight_1m: self.usage.weight(self.now, request.address), orders };
        let answer = Answer { result, used, delivery };
        let nanos = if request.op.reaches_matching { self.latency.response_nanos() } else { 0 };
        let nanos =
            nanos.saturating_add(i64::try_from(millis).unwrap_or(0).saturating_mul(1_000_000));
        self.later(nanos, Timed::Answer(request.reply, answer));
    }

    fn carry_out(&mut self, request: &Request, call: &mut Call) -> Result<String, ApiError> {
        let op = request.op;
        let weight = (op.weight)(&call.params);
        self.usage.request(&self.limits, self.now, request.address, weight)?;
        if self.is_in_maintenance && op.name != "system.status" {
            return Err(ApiError::disconnected());
        }
        call.key = self.identify(request, call)?;
        if op.security == Security::Signed {
            let timing = Timing::read(&mut call.params)?;
            timing.check(self.clock_now())?;
        }
        if op.orders > 0 {
            let account = call.account()?;
            self.usage.orders(&self.limits, self.now, account.0, op.orders)?;
        }
        let result = (op.run)(self, call);
        if op.is_free && result.is_ok() {
            self.usage.refund(self.now, request.address, weight);
        }
        result
    }

    fn identify(&mut self, request: &Request, call: &Call) -> Result<Option<Arc<Key>>, ApiError> {
        if request.op.security == Security::Open {
            return Ok(None);
        }
        let key = match &request.auth {
            Auth::Open => return Err(ApiError::key_format()),
            Auth::Key(key) => key.clone()?,
            Auth::Session => {
                let logon = call.conn.and_then(|conn| self.hub.conn(conn)?.logon.clone());
                let name = logon.ok_or_else(|| ApiError::missing("apiKey"))?;
                self.keys.borrow().find(&name).cloned().ok_or_else(ApiError::bad_key)?
            }
        };
        if request.op.orders > 0 && !key.can_trade {
            return Err(ApiError::bad_key());
        }
        Ok(Some(key))
    }

    fn request_strikes(&mut self, request: &Request) -> Vec<Strike> {
        if self.faults.is_empty() {
            return Vec::new();
        }
        let symbol = request.params.peek("symbol").unwrap_or("").to_owned();
        let occasion = Occasion {
            stage: Stage::Request,
            method: &request.method,
            path: &request.path,
            symbol: &symbol,
            stream: "",
        };
        let strikes = self.faults.strike(&occasion);
        for strike in &strikes {
            self.log_fault(*strike, &request.path);
        }
        strikes
    }

    /// The refusal of a fault that keeps a request from being carried out.
    fn refusal_of(&mut self, strike: Strike, request: &Request) -> Option<ApiError> {
        let error = match strike.kind {
            FaultKind::TimeoutBefore => ApiError::timeout(),
            FaultKind::GatewayBefore => ApiError::disconnected().with_status(strike.status),
            FaultKind::Busy => ApiError::busy(),
            FaultKind::ClockSkew => ApiError::outside_window(),
            FaultKind::BadSignature => ApiError::bad_signature(),
            FaultKind::RateLimited => {
                let limit = self.limits.request_weight_1m;
                let message = format!(
                    "Too much request weight used; current limit is {limit} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API."
                );
                let mut error = ApiError::new(-1003, message).with_status(429);
                error.retry_after = Some(strike.millis.div_ceil(1_000).max(1));
                error
            }
            FaultKind::Banned => {
                let millis = i64::try_from(strike.millis).unwrap_or(i64::MAX);
                self.usage.ban(self.now, request.address, millis)
            }
            FaultKind::BalanceRejected => {
                ApiError::new(-2010, "Account has insufficient balance for requested action.")
            }
            FaultKind::OrderLimit => {
                let limit = self.limits.orders_10s;
                let message =
                    format!("Too many new orders; current limit is {limit} orders per 10 SECOND.");
                let mut error = ApiError::new(-1015, message).with_status(429);
                error.retry_after = Some(strike.millis.div_ceil(1_000).max(1));
                error
            }
            _ => return None,
        };
        Some(error)
    }

    fn command_entry(&self, request: &Request, strikes: &[Strike]) -> CommandEntry {
        let mut params = String::new();
        let secret = ["signature", "apiKey", "listenKey"];
        for (name, value) in request.params.iter().filter(|(name, _)| !secret.contains(name)) {
            if !params.is_empty() {
                params.push('&');
            }
            params.push_str(name);
            params.push('=');
            params.extend(value.chars().take(200));
        }
        let request_id = match &request.reply {
            ReplyTo::Conn { id, .. } => Some(id.clone()),
            ReplyTo::Once(_) => None,
        };
        CommandEntry {
            number: self.requests,
            at: self.now.unix_nanos(),
            method: request.method.clone(),
            path: request.path.clone(),
            params,
            request_id,
            faults: strikes.iter().map(|strike| format!("{:?}", strike.kind)).collect(),
            ..CommandEntry::default()
        }
    }

    /// Gives an answer out. The ledger is handed to the system first.
    pub(super) fn give(&mut self, reply: ReplyTo, answer: Answer) {
        match reply {
            // Whoever asked may have gone meanwhile.
            ReplyTo::Once(sender) => {
                self.ledger.flush();
                sender.send(answer).unwrap_or(());
            }
            ReplyTo::Conn { conn, id, shows_limits } => {
                self.ledger.flush();
                let Some(frame) = self.socket_frame(&id, shows_limits, answer) else { return };
                self.hub.send(conn, frame);
            }
        }
    }

    /// The answer to a request over a socket.
    fn socket_frame(&self, id: &str, shows_limits: bool, answer: Answer) -> Option<Frame> {
        let object = Object::new().raw("id", id);
        let object = match &answer.result {
            Ok(result) => object.int("status", 200).raw("result", result),
            Err(error) => {
                let mut body = Object::new().int("code", error.code).str("msg", &error.message);
                let data = error.retry_after.map(|seconds| {
                    let now = self.now.unix_millis();
                    let millis = i64::try_from(seconds).unwrap_or(0).saturating_mul(1_000);
                    let retry = now.saturating_add(millis);
                    Object::new().int("serverTime", now).int("retryAfter", retry).end()
                });
                if let Some(data) = data.as_ref().or(error.data.as_ref()) {
                    body = body.raw("data", data);
                }
                object.int("status", error.status).raw("error", &body.end())
            }
        };
        let object = if shows_limits {
            object.raw("rateLimits", &answer.used.json(&self.limits))
        } else {
            object
        };
        let text = object.end();
        match answer.delivery {
            Delivery::Whole => Some(Frame::Text(text.into())),
            Delivery::Never => None,
            Delivery::Close | Delivery::Html(_) => Some(Frame::Close),
            Delivery::Truncated => {
                let half: String = text.chars().take(text.chars().count() / 2).collect();
                Some(Frame::Text(half.into()))
            }
            Delivery::Malformed => Some(Frame::Text("{\"id\":,}".into())),
        }
    }
}

/// Adds a field and an enumeration word that no documentation names.
fn with_unknown(json: &str) -> String {
    match json.strip_prefix('{') {
        Some("}") => "{\"unknownField\":{\"kind\":\"NEVER_SEEN\"}}".to_owned(),
        Some(rest) => format!("{{\"unknownField\":{{\"kind\":\"NEVER_SEEN\"}},{rest}"),
        None => json.to_owned(),
    }
}
