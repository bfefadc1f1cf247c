//! Administers the venue: from within the process, and over HTTP with a token.
//!
//! # Invariants
//!
//! * Without the token every path answers alike.
//! * Unknown fields are refused; a refusal says which field, what was wrong and what would do.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use domain::ManualClock;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::core::Core;
use crate::core::admin::{MarketAction, NewKey};
use crate::directory::Credentials;
use crate::engine::Mailbox;
use crate::faults::{FaultSpec, FaultState};
use crate::limits::Limits;
use crate::options::AdminToken;
use crate::protocol::Object;

/// Administers a venue; clones administer the same one.
#[derive(Debug, Clone)]
pub struct AdminHandle {
    mailbox: Mailbox,
    clock: Option<Arc<ManualClock>>,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminError(String);

/// An account that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedAccount {
    /// Its number.
    pub id: u32,
    /// Its key; the secret is empty for a public key.
    pub credentials: Credentials,
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AdminError {}

// === impl AdminHandle ===

impl AdminHandle {
    pub(crate) const fn new(mailbox: Mailbox, clock: Option<Arc<ManualClock>>) -> Self {
        Self { mailbox, clock }
    }

    async fn act<T: Send + 'static>(
        &self,
        action: impl FnOnce(&mut Core) -> Result<T, String> + Send + 'static,
    ) -> Result<T, AdminError> {
        let gone = || Err("the venue is stopped".to_owned());
        self.mailbox.act(action).await.unwrap_or_else(gone).map_err(AdminError)
    }

    async fn open(
        &self,
        balances: &[(&str, &str)],
        key: NewKey,
    ) -> Result<OpenedAccount, AdminError> {
        let balances: Vec<(String, String)> =
            balances.iter().map(|(asset, amount)| ((*asset).into(), (*amount).into())).collect();
        let opened = self.act(move |core| core.open_account(&balances, &key)).await?;
        Ok(OpenedAccount { id: opened.0.0, credentials: opened.1 })
    }

    /// Opens an account with a made-up key and secret, and these assets and amounts.
    ///
    /// # Errors
    /// [`AdminError`] when an asset or amount is none.
    pub async fn open_account(
        &self,
        balances: &[(&str, &str)],
    ) -> Result<OpenedAccount, AdminError> {
        self.open(balances, NewKey::Random).await
    }

    /// Opens an account with this key and secret.
    ///
    /// # Errors
    /// [`AdminError`] when the key is taken or malformed, or an asset or amount is none.
    pub async fn open_account_with(
        &self,
        credentials: Credentials,
        balances: &[(&str, &str)],
    ) -> Result<OpenedAccount, AdminError> {
        self.open(balances, NewKey::Given(credentials)).await
    }

    /// Opens an account whose requests are signed with the private half of this public key (PEM,
    /// RSA or Ed25519).
    ///
    /// # Errors
    /// [`AdminError`] when it is no such key, or an asset or amount is none.
    pub async fn open_account_with_public_key(
        &self,
        pem: &str,
        balances: &[(&str, &str)],
    ) -> Result<OpenedAccount, AdminError> {
        self.open(balances, NewKey::Public(pem.to_owned())).await
    }

    /// Puts money into an account.
    ///
    /// # Errors
    /// [`AdminError`] when there is no such account or asset.
    pub async fn deposit(&self, account: u32, asset: &str, amount: &str) -> Result<(), AdminError> {
        let (asset, amount) = (asset.to_owned(), amount.to_owned());
        self.act(move |core| core.deposit(account, &asset, &amount)).await
    }

    /// Changes the market.
    ///
    /// # Errors
    /// [`AdminError`] that says which field was wrong.
    pub async fn market(&self, action: MarketAction) -> Result<(), AdminError> {
        self.act(move |core| core.act(action)).await
    }

    /// Sets how much clients may ask.
    ///
    /// # Errors
    /// [`AdminError`] when the venue is stopped.
    pub async fn set_limits(&self, limits: Limits) -> Result<(), AdminError> {
        self.act(move |core| {
            core.limits = limits;
            Ok(())
        })
        .await
    }

    /// Switches a fault on and gives its number.
    ///
    /// # Errors
    /// [`AdminError`] when it does not say sensibly when to strike.
    pub async fn add_fault(&self, spec: FaultSpec) -> Result<u64, AdminError> {
        self.act(move |core| core.faults.add(spec)).await
    }

    /// The faults that are switched on, with what they did.
    ///
    /// # Errors
    /// [`AdminError`] when the venue is stopped.
    pub async fn faults(&self) -> Result<Vec<FaultState>, AdminError> {
        self.act(|core| Ok(core.faults.list().to_vec())).await
    }

    /// Switches one fault off, or all; gives how many.
    ///
    /// # Errors
    /// [`AdminError`] when the venue is stopped.
    pub async fn clear_faults(&self, id: Option<u64>) -> Result<usize, AdminError> {
        self.act(move |core| Ok(core.faults.clear(id))).await
    }

    /// The ledger from an entry on (counted from zero), as JSON: `count`, `forgotten`, `entries`,
    /// `balances`, `assets`.
    ///
    /// # Errors
    /// [`AdminError`] when the venue is stopped.
    pub async fn ledger(&self, from: u64) -> Result<String, AdminError> {
        self.act(move |core| Ok(core.ledger_json(from))).await
    }

    /// How the venue is, as JSON.
    ///
    /// # Errors
    /// [`AdminError`] when the venue is stopped.
    pub async fn health(&self) -> Result<String, AdminError> {
        self.act(|core| Ok(core.health())).await
    }

    /// Lets the venue's clock be wrong by so many milliseconds.
    ///
    /// # Errors
    /// [`AdminError`] when that is more than a day.
    pub async fn set_clock_offset(&self, millis: i64) -> Result<(), AdminError> {
        self.act(move |core| core.set_clock_offset(millis)).await
    }

    /// Lets a clock that stands go on, and everything happen that is due meanwhile.
    ///
    /// # Errors
    /// [`AdminError`] when the venue goes by the machine's clock.
    pub async fn advance(&self, duration: Duration) -> Result<(), AdminError> {
        let Some(clock) = self.clock.clone() else {
            return Err(AdminError("the venue goes by the machine's clock".to_owned()));
        };
        self.act(move |core| {
            clock.advance(duration);
            while !core.run_until(domain::Clock::now(&*clock)) {}
            Ok(())
        })
        .await
    }
}

/// What the routes share.
#[derive(Debug, Clone)]
struct Shared {
    admin: AdminHandle,
    token: AdminToken,
}

/// The routes of the admin port.
pub(crate) fn router(admin: AdminHandle, token: AdminToken) -> Router {
    let shared = Shared { admin, token };
    Router::new()
        .route("/admin/accounts", post(accounts))
        .route("/admin/accounts/{id}/deposit", post(deposit))
        .route("/admin/clock", post(clock))
        .route("/admin/market", post(market))
        .route("/admin/limits", post(limits))
        .route("/admin/faults", post(add_fault).get(faults).delete(clear))
        .route("/admin/faults/{id}", delete(clear_one))
        .route("/admin/ledger", get(ledger))
        .route("/admin/health", get(health))
        .layer(middleware::from_fn_with_state(shared.clone(), authorise))
        .with_state(shared)
}

async fn authorise(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.to_str().ok());
    let token = given.and_then(|value| value.strip_prefix("Bearer "));
    if token.is_some_and(|token| shared.token.matches(token)) {
        return next.run(request).await;
    }
    error(
        StatusCode::UNAUTHORIZED,
        "an Authorization header with the admin's bearer token is needed",
    )
}

fn error(status: StatusCode, message: &str) -> Response {
    let body = Object::new().str("error", message).end();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn answer(result: Result<String, AdminError>) -> Response {
    match result {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(AdminError(message)) => error(StatusCode::BAD_REQUEST, &message),
    }
}

/// Reads a body; `example` shows what would do.
fn parse<T: DeserializeOwned>(body: &Bytes, example: &str) -> Result<T, AdminError> {
    serde_json::from_slice(body).map_err(|error| {
        AdminError(format!("the body is not understood: {error}; for example {example}"))
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    #[serde(default)]
    balances: BTreeMap<String, String>,
    #[serde(default)]
    public_key: Option<String>,
    #[serde(default)]
    api_key: Option<String>,
    #[serde(default)]
    api_secret: Option<String>,
}

async fn accounts(State(shared): State<Shared>, body: Bytes) -> Response {
    let opened = async {
        let new: NewAccount = parse(&body, "{\"balances\":{\"USDT\":\"100000\"}}")?;
        let balances: Vec<(&str, &str)> =
            new.balances.iter().map(|(asset, amount)| (asset.as_str(), amount.as_str())).collect();
        let key = match (new.public_key, new.api_key, new.api_secret) {
            (None, None, None) => NewKey::Random,
            (Some(pem), None, None) => NewKey::Public(pem),
            (None, Some(api_key), Some(secret)) => NewKey::Given(Credentials { api_key, secret }),
            _ => {
                return Err(AdminError(
                    "give public_key alone, api_key with api_secret, or none of them".to_owned(),
                ));
            }
        };
        let opened = shared.admin.open(&balances, key).await?;
        let object = Object::new().int("id", opened.id).str("api_key", &opened.credentials.api_key);
        Ok(match opened.credentials.secret.as_str() {
            "" => object.end(),
            secret => object.str("api_secret", secret).end(),
        })
    };
    answer(opened.await)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deposit {
    asset: String,
    amount: String,
}

async fn deposit(State(shared): State<Shared>, Path(id): Path<u32>, body: Bytes) -> Response {
    let done = async {
        let Deposit { asset, amount } = parse(&body, "{\"asset\":\"USDT\",\"amount\":\"1000\"}")?;
        shared.admin.deposit(id, &asset, &amount).await?;
        Ok("{}".to_owned())
    };
    answer(done.await)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    #[serde(default)]
    offset_ms: Option<i64>,
    #[serde(default)]
    advance_ms: Option<u64>,
}

async fn clock(State(shared): State<Shared>, body: Bytes) -> Response {
    let done = async {
        let change: ClockChange = parse(&body, "{\"offset_ms\":-2000}")?;
        if let Some(millis) = change.offset_ms {
            shared.admin.set_clock_offset(millis).await?;
        }
        if let Some(millis) = change.advance_ms {
            shared.admin.advance(Duration::from_millis(millis)).await?;
        }
        Ok("{}".to_owned())
    };
    answer(done.await)
}

async fn market(State(shared): State<Shared>, body: Bytes) -> Response {
    let done = async {
        let example = "{\"action\":\"status\",\"symbol\":\"BTCUSDT\",\"status\":\"HALT\"}";
        shared.admin.market(parse(&body, example)?).await?;
        Ok("{}".to_owned())
    };
    answer(done.await)
}

async fn limits(State(shared): State<Shared>, body: Bytes) -> Response {
    let done = async {
        shared.admin.set_limits(parse(&body, "{\"request_weight_1m\":100}")?).await?;
        Ok("{}".to_owned())
    };
    answer(done.await)
}

async fn add_fault(State(shared): State<Shared>, body: Bytes) -> Response {
    let done = async {
        let example =
            "{\"kind\":\"lost_ack\",\"once\":true,\"match\":{\"path\":\"/api/v3/order\"}}";
        let id = shared.admin.add_fault(parse(&body, example)?).await?;
        Ok(Object::new().int("id", id).end())
    };
    answer(done.await)
}

async fn faults(State(shared): State<Shared>) -> Response {
    let list = shared.admin.faults().await;
    answer(list.and_then(|list| {
        serde_json::to_string(&list).map_err(|error| AdminError(error.to_string()))
    }))
}

async fn clear(State(shared): State<Shared>) -> Response {
    let count = shared.admin.clear_faults(None).await;
    answer(count.map(|count| format!("{{\"cleared\":{count}}}")))
}

async fn clear_one(State(shared): State<Shared>, Path(id): Path<u64>) -> Response {
    let count = shared.admin.clear_faults(Some(id)).await;
    answer(count.map(|count| format!("{{\"cleared\":{count}}}")))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    #[serde(default)]
    from: u64,
}

async fn ledger(State(shared): State<Shared>, since: Query<Since>) -> Response {
    answer(shared.admin.ledger(since.from).await)
}

async fn health(State(shared): State<Shared>) -> Response {
    answer(shared.admin.health().await)
}
