//! REST: reads a request, hands it to the venue, writes the answer with its headers.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request as HttpRequest, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use tokio::sync::oneshot;

use super::{Front, address_of};
use crate::core::{Answer, Auth, Delivery, ReplyTo, Request};
use crate::engine::Message;
use crate::ops::{self, Operation, Security};
use crate::protocol::params::percent_decode;
use crate::protocol::signature::{is_percent_encoded, split_signature};
use crate::protocol::timing::TimeUnit;
use crate::protocol::{ApiError, Params};

/// The largest body of a request.
const BODY_BYTES_MAX: usize = 64 << 10;

/// How long a request that is never answered stays open.
const NEVER: Duration = Duration::from_secs(600);

fn page(status: u16, words: &str) -> Response {
    let body = format!(
        "<html>\r\n<head><title>{status} {words}</title></head>\r\n<body>\r\n<center><h1>{status} {words}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

fn json(status: u16, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let kind = HeaderValue::from_static("application/json;charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn refusal(error: &ApiError) -> Response {
    json(error.status, error.body())
}

/// Every REST request.
pub(super) async fn serve(
    State(front): State<Front>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: HttpRequest,
) -> Response {
    let (parts, body) = request.into_parts();
    let method = parts.method.as_str().to_owned();
    let path = parts.uri.path().to_owned();
    let op = match ops::by_path(&method, &path) {
        Ok(op) => op,
        Err(true) => {
            return json(
                405,
                format!(
                    "{{\"code\":-1000,\"msg\":\"Request method '{method}' is not supported.\"}}"
                ),
            );
        }
        Err(false) => return page(404, "Not Found"),
    };
    let query = parts.uri.query().unwrap_or("");
    let body = match to_bytes(body, BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(_) => return page(413, "Request Entity Too Large"),
    };
    let request = read(&front, op, (&method, &path, query), (&parts.headers, &body), peer);
    let (reply, answer) = oneshot::channel();
    let request = match request {
        Ok(request) => Request { reply: ReplyTo::Once(reply), ..request },
        Err(error) => return refusal(&error),
    };
    if !front.mailbox.send(Message::Request(Box::new(request))).await {
        return refusal(&ApiError::disconnected());
    }
    match answer.await {
        Ok(answer) => respond(answer).await,
        Err(_) => refusal(&ApiError::disconnected()),
    }
}

/// Puts a request together from its text.
fn read(
    front: &Front,
    op: &'static Operation,
    line: (&str, &str, &str),
    content: (&HeaderMap, &Bytes),
    peer: SocketAddr,
) -> Result<Request, ApiError> {
    let ((method, path, query), (headers, body)) = (line, content);
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    if accepted.contains("application/sbe") && !accepted.contains("application/json") {
        return Err(ApiError::no_sbe());
    }
    let form = form_of(method, headers, body)?;
    let unit = match headers.get("x-mbx-time-unit") {
        Some(text) => TimeUnit::try_from_text(text.to_str().unwrap_or(""))?,
        None => TimeUnit::Millis,
    };
    let key = headers.get("x-mbx-apikey").and_then(|value| value.to_str().ok());
    let (signed_query, query_signature) = split_signature(query);
    let (signed_form, form_signature) = split_signature(&form);
    let auth = match op.security {
        Security::Open => Auth::Open,
        Security::Key => {
            Auth::Key(key.ok_or_else(ApiError::key_format).and_then(|name| front.key(name)))
        }
        Security::Signed => {
            let payload = format!("{signed_query}{signed_form}");
            let signature = query_signature.or(form_signature).and_then(percent_decode);
            match is_percent_encoded(&payload) {
                true => front.signer(key, &payload, signature.as_deref()),
                false => Auth::Key(Err(ApiError::bad_signature())),
            }
        }
    };
    // A request that nobody can be held to is refused before its parameters are read.
    if let Auth::Key(Err(error)) = &auth {
        let open = Params::default();
        return Ok(request(op, (method, path), open, (unit, peer), Auth::Key(Err(error.clone()))));
    }
    let params = Params::try_new(&signed_query, &signed_form)?;
    Ok(request(op, (method, path), params, (unit, peer), auth))
}

fn request(
    op: &'static Operation,
    line: (&str, &str),
    params: Params,
    who: (TimeUnit, SocketAddr),
    auth: Auth,
) -> Request {
    let (never, _) = oneshot::channel();
    Request {
        op,
        method: line.0.to_owned(),
        path: line.1.to_owned(),
        params,
        unit: who.0,
        address: address_of(who.1),
        auth,
        reply: ReplyTo::Once(never),
    }
}

/// The parameters of a body. Only form bodies have any; an empty body of another type is none.
fn form_of(method: &str, headers: &HeaderMap, body: &Bytes) -> Result<String, ApiError> {
    let is_empty = body.iter().all(u8::is_ascii_whitespace);
    if method == "GET" || is_empty {
        return Ok(String::new());
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    // Some clients send `{}` with a JSON type beside signed parameters in the query.
    if kind.is_some_and(|kind| kind.starts_with("application/json")) && body.as_ref() == b"{}" {
        return Ok(String::new());
    }
    let text = std::str::from_utf8(body);
    text.map(str::to_owned)
        .map_err(|_error| ApiError::new(-1100, "Illegal characters found in a parameter."))
}

/// Writes an answer.
async fn respond(answer: Answer) -> Response {
    let mut response = match (answer.delivery, &answer.result) {
        (Delivery::Never, _) => {
            tokio::time::sleep(NEVER).await;
            return page(504, "Gateway Time-out");
        }
        (Delivery::Html(status), _) => {
            let words = match status {
                503 => "Service Unavailable",
                504 => "Gateway Time-out",
                _ => "Bad Gateway",
            };
            return page(status, words);
        }
        (Delivery::Close, _) => return broken_off(),
        (_, Err(error)) if error.status == 410 => return page(410, "Gone"),
        (_, Err(error)) => refusal(error),
        (Delivery::Truncated, Ok(text)) => {
            json(200, text.chars().take(text.chars().count() / 2).collect::<String>())
        }
        (Delivery::Malformed, Ok(_)) => json(200, "{\"symbol\":,}"),
        (Delivery::Whole, Ok(text)) => json(200, text.clone()),
    };
    let headers = response.headers_mut();
    let mut put = |name: &'static str, value: u64| {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    };
    put("x-mbx-used-weight", u64::from(answer.used.weight_1m));
    put("x-mbx-used-weight-1m", u64::from(answer.used.weight_1m));
    if let Some((ten_seconds, day)) = answer.used.orders {
        put("x-mbx-order-count-10s", u64::from(ten_seconds));
        put("x-mbx-order-count-1d", u64::from(day));
    }
    if let Err(ApiError { retry_after: Some(seconds), .. }) = &answer.result {
        put("retry-after", *seconds);
    }
    response
}

/// A response that breaks off before its first byte of content.
fn broken_off() -> Response {
    let stream = futures_util::stream::once(async {
        Err::<Bytes, std::io::Error>(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    });
    json(200, Body::from_stream(stream))
}
