//! Signed requests over HTTP, and what their answers mean.
//!
//! The signature is over the time, the key, the receive window and the query or the body, and
//! travels in headers. The venue answers 200 to nearly everything and says in `retCode` how it is:
//!
//! | code | what it means |
//! |---|---|
//! | 0 | done |
//! | 10006, 10018, 10429, 170005 | not sent: turned away at the door |
//! | 10001 to 10005, 10007 to 10010, 110xxx and 170xxx but for the next line | refused |
//! | 10000, 10016, 170001, 170007, 170032, 170146, 170147, whatever is not listed | unknown |

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request};
use serde::Deserialize;

use crate::binance::outcome::{Failure, Refusal};
use crate::binance::params::push_encoded;
use crate::binance::rest::Context;
use crate::http::{Patience, Pool};
use crate::net::Endpoint;
use crate::{Cost, Lane, LastCheck};

/// Connections for orders, for cancels and for questions.
const CONNECTIONS: [usize; 3] = [4, 2, 2];
/// How often the clock is asked in a row, to find a quick round trip.
const CLOCK_QUESTIONS: usize = 4;
/// How long nothing is asked when the venue says "too much": its longest short window.
const PAUSE: Duration = Duration::from_secs(5);
/// The venue's clock or ours is off.
const TIMESTAMP: i32 = 10002;

/// The venue over HTTP.
#[derive(Debug)]
pub(crate) struct Rest {
    context: Arc<Context>,
    pools: [Pool; 3],
    host: HeaderValue,
    api_key: HeaderValue,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    ret_code: i32,
    #[serde(default)]
    ret_msg: String,
}

// === impl Rest ===

impl Rest {
    pub(crate) fn new(
        endpoint: &Endpoint,
        patience: Patience,
        context: Arc<Context>,
    ) -> Result<Self, String> {
        let host = HeaderValue::from_str(&endpoint.authority()).map_err(|e| e.to_string())?;
        let mut api_key =
            HeaderValue::from_str(context.credentials.api_key()).map_err(|e| e.to_string())?;
        api_key.set_sensitive(true);
        let pools = CONNECTIONS.map(|size| Pool::new(endpoint.clone(), size, patience));
        Ok(Self { context, pools, host, api_key })
    }

    pub(crate) const fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Asks a question.
    pub(crate) async fn read(
        &self,
        path: &str,
        params: &[(&str, &str)],
        is_signed: bool,
    ) -> Result<Bytes, Failure> {
        self.ask(path, params, is_signed, Lane::Read).await
    }

    /// Asks a question in a lane.
    pub(crate) async fn ask(
        &self,
        path: &str,
        params: &[(&str, &str)],
        is_signed: bool,
        lane: Lane,
    ) -> Result<Bytes, Failure> {
        self.context.pay(Cost { weight: 1, orders: 0 }, lane, true).await?;
        let query = query(params);
        let make = || {
            let uri = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
            self.request(Method::GET, &uri, is_signed.then_some(query.as_str()), Bytes::new())
        };
        self.send(lane, make, None).await
    }

    /// Sends a command as JSON.
    pub(crate) async fn command(
        &self,
        path: &str,
        body: String,
        lane: Lane,
        last: Option<&dyn LastCheck>,
    ) -> Result<Bytes, Failure> {
        let orders = u32::from(lane == Lane::Order);
        self.context.pay(Cost { weight: 1, orders }, lane, false).await?;
        let make = || {
            let bytes = Bytes::copy_from_slice(body.as_bytes());
            self.request(Method::POST, path, Some(&body), bytes)
        };
        self.send(lane, make, last).await
    }

    async fn send(
        &self,
        lane: Lane,
        make: impl FnOnce() -> Result<Request<Full<Bytes>>, String>,
        last: Option<&dyn LastCheck>,
    ) -> Result<Bytes, Failure> {
        let [orders, cancels, reads] = &self.pools;
        let pool = match lane {
            Lane::Order => orders,
            Lane::Cancel => cancels,
            Lane::Read => reads,
        };
        let answer = match pool.send(make, last).await {
            Ok(answer) => answer,
            Err(failure) => {
                let failure = Failure::from(failure);
                self.context.meter.failed(&failure.why());
                return Err(failure);
            }
        };
        self.context.meter.answered(answer.took);
        match judge(answer.status, &answer.body) {
            Ok(()) => Ok(answer.body),
            Err(failure) => {
                self.learn(answer.status, &answer.body, &answer.headers);
                Err(failure)
            }
        }
    }

    fn learn(&self, status: u16, body: &[u8], headers: &HeaderMap) {
        let code = serde_json::from_slice::<Envelope>(body).ok().map(|one| one.ret_code);
        if code == Some(TIMESTAMP) {
            self.context.time_is_off.notify_one();
        }
        if matches!(status, 403 | 429) || matches!(code, Some(10006 | 10018 | 10429)) {
            let now = self.context.clock.now();
            let reset = headers.get("x-bapi-limit-reset-timestamp").and_then(|v| v.to_str().ok());
            let until = reset.and_then(|text| text.parse().ok()).map(crate::binance::parse::moment);
            self.context.budget.pause(until.unwrap_or_else(|| now.plus(PAUSE)));
        }
    }

    fn request(
        &self,
        method: Method,
        uri: &str,
        signed: Option<&str>,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::new(Full::new(body));
        *request.uri_mut() =
            uri.parse().map_err(|e: hyper::http::uri::InvalidUri| e.to_string())?;
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        if let Some(signed) = signed {
            let timing = self.context.timing();
            let (time, window) =
                (timing.timestamp_ms.to_string(), timing.recv_window_ms.to_string());
            let key = self.context.credentials.api_key();
            let payload = format!("{time}{key}{window}{signed}");
            let mut signature = Vec::with_capacity(64);
            let credentials = &self.context.credentials;
            credentials.sign(payload.as_bytes(), &mut signature).map_err(|e| e.to_string())?;
            let header = |bytes: &[u8]| HeaderValue::from_bytes(bytes).map_err(|e| e.to_string());
            headers.insert("x-bapi-api-key", self.api_key.clone());
            headers.insert("x-bapi-timestamp", header(time.as_bytes())?);
            headers.insert("x-bapi-recv-window", header(window.as_bytes())?);
            headers.insert("x-bapi-sign", header(&signature)?);
        }
        if method == Method::POST {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        *request.method_mut() = method;
        Ok(request)
    }

    /// Measures how far the venue's clock is ahead of ours.
    ///
    /// `anew` when the venue has refused a time, so that nothing measured before counts any more.
    pub(crate) async fn compare_clocks(&self, anew: bool) -> Result<(), Failure> {
        for question in 0..CLOCK_QUESTIONS {
            let asked = self.context.clock.now();
            let answer = self.read("/v5/market/time", &[], false).await?;
            let answered = self.context.clock.now();
            let server = super::parse::time(&answer);
            let server = server.map_err(|e| Failure::Unknown { why: e.to_string() })?;
            if anew && question == 0 {
                self.context.skew.forget();
            }
            self.context.skew.measured(asked, server, answered);
        }
        Ok(())
    }
}

fn query(params: &[(&str, &str)]) -> String {
    let mut out = Vec::new();
    for (name, value) in params {
        if !out.is_empty() {
            out.push(b'&');
        }
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        push_encoded(value.as_bytes(), &mut out);
    }
    String::from_utf8(out).expect("invariant: an encoded query is ASCII")
}

/// Judges an answer by its status and the code in it.
pub(crate) fn judge(status: u16, body: &[u8]) -> Result<(), Failure> {
    let envelope: Option<Envelope> = serde_json::from_slice(body).ok();
    let told = match &envelope {
        Some(one) => format!("status {status}, code {}: {}", one.ret_code, one.ret_msg),
        None => format!("status {status} without a code"),
    };
    match (status, envelope) {
        (200, Some(Envelope { ret_code: 0, .. })) => Ok(()),
        (403 | 404 | 429, _) => Err(Failure::NotSent { why: told }),
        (..500, Some(Envelope { ret_code: 10006 | 10018 | 10429 | 170_005, .. })) => {
            Err(Failure::NotSent { why: told })
        }
        (..500, Some(Envelope { ret_code, ret_msg })) if is_certain_refusal(ret_code) => {
            Err(Failure::Refused(Refusal { code: ret_code, message: ret_msg, data: None }))
        }
        _ => Err(Failure::Unknown { why: told }),
    }
}

const fn is_certain_refusal(code: i32) -> bool {
    match code {
        170_001 | 170_007 | 170_032 | 170_146 | 170_147 => false,
        10001..=10005 | 10007..=10010 | 110_000..=110_999 | 170_000..=170_999 => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_in_the_answer_decides() {
        let found = |status, code: i32| {
            let body = format!("{{\"retCode\":{code},\"retMsg\":\"m\",\"result\":{{}}}}");
            match judge(status, body.as_bytes()) {
                Ok(()) => "done",
                Err(Failure::NotSent { .. }) => "not sent",
                Err(Failure::Unknown { .. }) => "unknown",
                Err(Failure::Refused(_)) => "refused",
            }
        };
        assert_eq!(found(200, 0), "done");
        for code in [10001, 10002, 10003, 10004, 10005, 10010, 110_007, 170_131, 170_213] {
            assert_eq!(found(200, code), "refused", "{code}");
            assert_eq!(found(502, code), "unknown", "{code}");
        }
        for code in [10006, 10018, 10429, 170_005] {
            assert_eq!(found(200, code), "not sent", "{code}");
        }
        for code in [10000, 10016, 170_001, 170_007, 170_032, 170_146, 170_147, 7, -1] {
            assert_eq!(found(200, code), "unknown", "{code}");
        }
        assert_eq!(
            judge(200, b"{}"),
            Err(Failure::Unknown { why: "status 200 without a code".into() })
        );
    }
}
