//! Requests to the venue over HTTP.
//!
//! Orders, cancels and questions have connections of their own, so that none waits for another
//! kind. A request is paid for first, is stamped and signed when its connection is there, and is
//! sent exactly as it was signed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::Clock;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request};
use tokio::sync::Notify;

use super::clock::Skew;
use super::outcome::{Failure, TIMESTAMP, TOO_MANY_ORDERS, TOO_MUCH, code_of, judge};
use super::params::{Params, Timing, write_query, write_signed_query};
use super::sign::Credentials;
use crate::http::{Answer, Patience, Pool};
use crate::meter::Meter;
use crate::net::Endpoint;
use crate::{Budget, Cost, Counted, Lane, LastCheck};

/// Connections for orders, for cancels and for questions.
const CONNECTIONS: [usize; 3] = [4, 2, 2];
/// How long a question waits for the budget at most.
const BUDGET_WAIT_MAX: Duration = Duration::from_secs(65);
/// How long anything else waits: a ledger that is shared may have to be asked for a share first.
const SHARE_WAIT_MAX: Duration = Duration::from_millis(50);
/// How long nothing is asked when the venue says "too much" and not for how long: its window.
const PAUSE: Duration = Duration::from_secs(60);

/// What everything that talks to the venue shares.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) credentials: Credentials,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) skew: Skew,
    pub(crate) budget: Arc<dyn Budget>,
    pub(crate) meter: Meter,
    pub(crate) recv_window_ms: u32,
    /// The venue has refused our time.
    pub(crate) time_is_off: Notify,
}

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// The method of the WebSocket API that does the same.
    pub(crate) session_method: &'static str,
    pub(crate) params: Params<'a>,
    pub(crate) access: Access,
    pub(crate) cost: Cost,
    pub(crate) lane: Lane,
    /// Whether it may wait for the budget.
    pub(crate) patient: bool,
    pub(crate) last: Option<Arc<dyn LastCheck>>,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody.
    Public,
    /// Only the account.
    Signed,
}

/// The venue over HTTP.
#[derive(Debug)]
pub(crate) struct Rest {
    context: Arc<Context>,
    orders: Pool,
    cancels: Pool,
    reads: Pool,
    host: HeaderValue,
    api_key: HeaderValue,
}

// === impl Context ===

impl Context {
    pub(crate) fn timing(&self) -> Timing {
        let timestamp_ms = self.skew.venue_millis(self.clock.now());
        Timing { timestamp_ms, recv_window_ms: self.recv_window_ms }
    }

    /// Pays for a request; a patient one waits until the budget is renewed.
    pub(crate) async fn pay(&self, cost: Cost, lane: Lane, patient: bool) -> Result<(), Failure> {
        let mut waited = Duration::ZERO;
        let longest = if patient { BUDGET_WAIT_MAX } else { SHARE_WAIT_MAX };
        loop {
            let Err(wait) = self.budget.take(cost, lane, self.clock.now()) else {
                return Ok(());
            };
            if waited + wait.after > longest {
                return Err(Failure::NotSent { why: wait.to_string() });
            }
            let step = wait.after.max(Duration::from_millis(1));
            waited += step;
            tokio::time::sleep(step).await;
        }
    }

    /// Learns from an error: our time is off, or we have asked too much.
    pub(crate) fn learn(&self, status: u16, code: Option<i32>, retry_after: Option<Duration>) {
        if code == Some(TIMESTAMP) {
            self.time_is_off.notify_one();
        }
        let too_much = matches!(status, 429 | 418) || code == Some(TOO_MUCH);
        // Too many new orders are no reason to hold back cancels; the count has been told.
        if too_much && code != Some(TOO_MANY_ORDERS) {
            self.budget.pause(self.clock.now().plus(retry_after.unwrap_or(PAUSE)));
        }
    }
}

// === impl Rest ===

impl Rest {
    pub(crate) fn new(
        endpoint: &Endpoint,
        patience: Patience,
        context: Arc<Context>,
    ) -> Result<Self, String> {
        let [orders, cancels, reads] =
            CONNECTIONS.map(|size| Pool::new(endpoint.clone(), size, patience));
        let host = HeaderValue::from_str(&endpoint.authority()).map_err(|e| e.to_string())?;
        let mut api_key =
            HeaderValue::from_str(context.credentials.api_key()).map_err(|e| e.to_string())?;
        api_key.set_sensitive(true);
        Ok(Self { context, orders, cancels, reads, host, api_key })
    }

    pub(crate) const fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Asks, and gives what the venue answered if it did what it was asked.
    pub(crate) async fn call(&self, call: Call<'_>) -> Result<Bytes, Failure> {
        self.context.pay(call.cost, call.lane, call.patient).await?;
        let pool = match call.lane {
            Lane::Order => &self.orders,
            Lane::Cancel => &self.cancels,
            Lane::Read => &self.reads,
        };
        let sent = pool.send(|| self.request(&call, pool), call.last.as_deref()).await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(failure) => {
                let failure = Failure::from(failure);
                self.context.meter.failed(&failure.why());
                return Err(failure);
            }
        };
        self.context.meter.answered(answer.took);
        self.observe(&answer.headers);
        self.judged(answer)
    }

    fn judged(&self, answer: Answer) -> Result<Bytes, Failure> {
        match judge(answer.status, &answer.body) {
            Ok(()) => Ok(answer.body),
            Err(failure) => {
                let after = answer.headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok());
                let after = after.and_then(|text| text.parse().ok()).map(Duration::from_secs);
                self.context.learn(answer.status, code_of(&answer.body), after);
                Err(failure)
            }
        }
    }

    /// The request with exactly the bytes that were signed.
    fn request(&self, call: &Call<'_>, pool: &Pool) -> Result<Request<Full<Bytes>>, String> {
        let mut query = Vec::with_capacity(512);
        match call.access {
            Access::Public => write_query(&call.params, &mut query),
            Access::Signed => {
                let credentials = &self.context.credentials;
                write_signed_query(&call.params, self.context.timing(), credentials, &mut query)
                    .map_err(|e| e.to_string())?;
            }
        }
        let in_body = matches!(call.method, Method::POST | Method::PUT);
        let mut uri = Vec::with_capacity(call.path.len() + query.len() + 1);
        uri.extend_from_slice(pool.endpoint().path().as_bytes());
        uri.extend_from_slice(call.path.as_bytes());
        if !in_body && !query.is_empty() {
            uri.push(b'?');
            uri.extend_from_slice(&query);
        }
        let uri = hyper::Uri::from_maybe_shared(Bytes::from(uri)).map_err(|e| e.to_string())?;
        let body = if in_body { Bytes::from(query) } else { Bytes::new() };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        if call.access == Access::Signed {
            headers.insert("x-mbx-apikey", self.api_key.clone());
        }
        if in_body {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert(CONTENT_TYPE, form);
        }
        Ok(request)
    }

    fn observe(&self, headers: &HeaderMap) {
        for (name, value) in headers {
            let counted =
                [("x-mbx-used-weight-", Counted::Weight), ("x-mbx-order-count-", Counted::Orders)];
            for (prefix, counts) in counted {
                let interval = name.as_str().strip_prefix(prefix).and_then(interval);
                let used = value.to_str().ok().and_then(|text| text.parse().ok());
                if let (Some(interval), Some(used)) = (interval, used) {
                    let now = self.context.clock.now();
                    self.context.budget.observe(counts, interval, used, now);
                }
            }
        }
    }
}

/// `10s`, `1m`, `1h` or `1d`.
fn interval(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_count_is_in_the_name_of_its_header() {
        let cases =
            [("10s", Some(10)), ("1m", Some(60)), ("1d", Some(86_400)), ("", None), ("1x", None)];
        for (text, seconds) in cases {
            assert_eq!(interval(text), seconds.map(Duration::from_secs), "{text:?}");
        }
    }
}
