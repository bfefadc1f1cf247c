//! Sessions of the socket interface, and subscriptions to an account's events.

use crate::core::{Call, Core};
use crate::protocol::{ApiError, Array, Object};
use crate::streams::{ConnId, Subscriber};

/// Subscriptions that one connection may make in its life.
const SUBSCRIPTIONS_MAX: u64 = 65_535;

fn conn(call: &Call) -> Result<ConnId, ApiError> {
    call.conn.ok_or_else(ApiError::unsupported)
}

/// The state of a session: whose key, since when.
fn session_json(core: &mut Core, call: &Call) -> Result<String, ApiError> {
    let id = conn(call)?;
    let now = call.unit.of(core.now());
    let open = core.hub.conn(id).ok_or_else(ApiError::disconnected)?;
    let (since, connected) = (open.logon_at, open.opened_at);
    let count = open.users.len();
    let object = match &open.logon {
        Some(key) => Object::new().str("apiKey", key).int("authorizedSince", since),
        None => Object::new().raw("apiKey", "null").raw("authorizedSince", "null"),
    };
    Ok(object
        .int("connectedSince", connected)
        .bool("returnRateLimits", true)
        .int("serverTime", now)
        .bool("userDataStream", count > 0)
        .end())
}

pub(super) fn logon(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    call.params.finish()?;
    let key = call.key.clone().ok_or_else(ApiError::bad_key)?;
    if !key.verifier.is_ed25519() {
        return Err(ApiError::new(
            -4056,
            "HMAC and RSA API key is not supported; use an Ed25519 key to log on.",
        ));
    }
    let id = conn(call)?;
    let now = core.now().unix_millis();
    let open = core.hub.conn(id).ok_or_else(ApiError::disconnected)?;
    open.logon = Some(key.name.clone());
    open.logon_at = now;
    session_json(core, call)
}

pub(super) fn status(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    call.params.finish()?;
    session_json(core, call)
}

pub(super) fn logout(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    call.params.finish()?;
    let id = conn(call)?;
    let open = core.hub.conn(id).ok_or_else(ApiError::disconnected)?;
    open.logon = None;
    let with_session = open.users.iter().filter(|(_, user)| user.ends_with_session);
    let ended: Vec<u64> = with_session.map(|(number, _)| *number).collect();
    open.users.retain(|_, user| !user.ends_with_session);
    terminated(core, call, id, ended);
    session_json(core, call)
}

pub(super) fn subscriptions(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    call.params.finish()?;
    let id = conn(call)?;
    let open = core.hub.conn(id).ok_or_else(ApiError::disconnected)?;
    Ok(Array::of(open.users.keys().map(|n| Object::new().int("subscriptionId", *n).end())))
}

/// By the key that the connection logged on with.
pub(super) fn subscribe(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    subscribed(core, call, true)
}

pub(super) fn subscribe_by_signature(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    subscribed(core, call, false)
}

fn subscribed(
    core: &mut Core,
    call: &mut Call,
    ends_with_session: bool,
) -> Result<String, ApiError> {
    call.params.finish()?;
    let account = call.account()?;
    let id = conn(call)?;
    let open = core.hub.conn(id).ok_or_else(ApiError::disconnected)?;
    if open.users.values().any(|user| user.account == account) {
        return Err(ApiError::new(-2035, "User Data Stream subscription already active."));
    }
    if open.next_user >= SUBSCRIPTIONS_MAX {
        return Err(ApiError::new(-2042, "Maximum subscription ID reached for this connection."));
    }
    let number = open.next_user;
    open.next_user = number.saturating_add(1);
    let user = Subscriber { account, listen_key: None, ends_with_session };
    open.users.insert(number, user);
    Ok(Object::new().int("subscriptionId", number).end())
}

pub(super) fn unsubscribe(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let number = call.params.maybe_int("subscriptionId")?;
    call.params.finish()?;
    let id = conn(call)?;
    let open = core.hub.conn(id).ok_or_else(ApiError::disconnected)?;
    let none = || ApiError::new(-2036, "User Data Stream subscription not active.");
    let ended: Vec<u64> = match number {
        Some(number) => {
            let number = u64::try_from(number).map_err(|_error| none())?;
            open.users.remove(&number).ok_or_else(none)?;
            vec![number]
        }
        None => std::mem::take(&mut open.users).into_keys().collect(),
    };
    terminated(core, call, id, ended);
    Ok("{}".to_owned())
}

/// Tells a connection that these subscriptions have ended.
fn terminated(core: &mut Core, call: &Call, id: ConnId, ended: Vec<u64>) {
    let now = call.unit.of(core.now());
    for number in ended {
        let event = Object::new().str("e", "eventStreamTerminated").int("E", now).end();
        let text = Object::new().int("subscriptionId", number).raw("event", &event).end();
        core.hub.send(id, crate::streams::Frame::Text(text.into()));
    }
}

fn gone() -> ApiError {
    ApiError::new(0, "410 Gone").with_status(410)
}

pub(super) fn listen_key_start(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    if !core.has_listen_keys {
        return Err(gone());
    }
    call.params.finish()?;
    let account = call.account()?;
    let known = core.listen_keys.iter().find(|(_, of)| **of == account).map(|(key, _)| key.clone());
    let key = match known {
        Some(key) => key,
        None => crate::directory::random_text().ok_or_else(ApiError::unknown)?,
    };
    core.listen_keys.insert(key.clone(), account);
    Ok(Object::new().str("listenKey", &key).end())
}

fn named(core: &Core, call: &mut Call) -> Result<String, ApiError> {
    if !core.has_listen_keys {
        return Err(gone());
    }
    let key = call.params.must("listenKey")?.to_owned();
    call.params.finish()?;
    let account = call.account()?;
    if core.listen_keys.get(&key) != Some(&account) {
        return Err(ApiError::invalid_listen_key());
    }
    Ok(key)
}

pub(super) fn listen_key_ping(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    named(core, call)?;
    Ok("{}".to_owned())
}

pub(super) fn listen_key_stop(core: &mut Core, call: &mut Call) -> Result<String, ApiError> {
    let key = named(core, call)?;
    core.listen_keys.remove(&key);
    Ok("{}".to_owned())
}
