//! The coordinator at work, within whatever process it is.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agent::{Config, Listening, Secret, SecretError, load_or_make_token, serve_http};
use bus::{Bus, Client};
use domain::Clock;
use telemetry::Metrics;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::{AgentName, PresenceState};

use crate::front::Front;
use crate::http::{Shared, routes};
use crate::{Catalogue, Fleet, Guard};

/// What a coordinator is started with.
#[derive(Debug)]
pub struct Options {
    /// The configuration.
    pub config: Arc<Config>,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The token that callers must bear.
    pub token: String,
    /// The bus.
    pub bus: Bus,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The metrics of the process.
    pub metrics: Metrics,
}

/// A coordinator at work.
#[derive(Debug)]
pub struct Coordinator {
    /// Where it listens; the port is the real one when 0 was asked for.
    pub address: SocketAddr,
    http: Listening,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Why a coordinator does not start; said to the person who starts it.
#[derive(Debug, Error)]
pub enum StartError {
    /// The token cannot be had.
    #[error(transparent)]
    Token(#[from] SecretError),
    /// Everybody could reach it, and no token was made for that.
    #[error(
        "{0} can be reached from other machines, so a token must be there first: set \
         http.token_file to a file with at least 32 random characters that only you can read"
    )]
    PublicWithoutToken(SocketAddr),
    /// The address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] agent::ServeError),
    /// The bus does not let it in.
    #[error("the coordinator cannot use the bus: {0}")]
    Bus(wire::Failure),
}

/// The name under which the coordinator calls.
pub(crate) fn name() -> AgentName {
    "coordinator".parse().expect("invariant: the name is legal")
}

/// The token of a coordinator that listens there: made at the first start on loopback, and
/// required to be there already where others can reach it.
///
/// # Errors
/// [`StartError`].
pub fn token(config: &Config, state_dir: &Path, listen: SocketAddr) -> Result<String, StartError> {
    let in_state = state_dir.join("token");
    let path = config.http.token_file.as_deref().unwrap_or(&in_state);
    if !listen.ip().is_loopback() && !path.exists() {
        return Err(StartError::PublicWithoutToken(listen));
    }
    Ok(load_or_make_token(path)?)
}

/// Starts a coordinator.
///
/// # Errors
/// [`StartError`].
pub async fn start(options: Options) -> Result<Coordinator, StartError> {
    let Options { config, listen, token, bus, clock, metrics } = options;
    // The address first: while the bus is away, whoever asks is told so.
    let front = Front::new(bus.clone());
    let http = serve_http(listen, front.routes()).await?;
    tracing::info!(address = %http.address, "the coordinator listens");
    let client = Arc::new(Client::start(&bus, &name()).await.map_err(StartError::Bus)?);
    let (tell, catalogue) = watch::channel(Arc::new(Catalogue::default()));
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    tasks.spawn(Catalogue::keep(Arc::clone(&client), tell, stop.clone()));
    tasks.spawn(count(bus.clone(), Arc::clone(&client), metrics.clone(), stop.clone()));
    let guard = Guard::new(
        Some(Secret::new(&token)),
        &config.http.allowed_hosts,
        &config.http.allowed_origins,
    );
    let fleet = Arc::new(Fleet { client, catalogue, metrics: metrics.clone() });
    let shared = Shared { fleet, bus, clock, metrics };
    front.opens(routes(shared, &guard, stop.clone()));
    Ok(Coordinator { address: http.address, http, stop, tasks })
}

/// Turns what the directory and the bus know into metrics now and then.
async fn count(bus: Bus, client: Arc<Client>, metrics: Metrics, stop: CancellationToken) {
    let mut tick = interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        for (event, _, total) in bus.stats().named() {
            metrics.bus_event("coordinator", event, total);
        }
        metrics.bus_up("coordinator", *bus.health().borrow() == bus::Health::Up);
        metrics.tool_calls_in_flight(
            "coordinator",
            u32::try_from(client.in_flight()).unwrap_or(u32::MAX),
        );
        let all = client.directory().all();
        let mut counts = std::collections::BTreeMap::new();
        for (agent, instances) in &all {
            for instance in instances {
                let state = match instance.presence.state {
                    PresenceState::Ready => "ready",
                    PresenceState::NotReady => "not_ready",
                    PresenceState::Draining | PresenceState::Left => "draining",
                };
                *counts.entry((agent.as_str(), state)).or_insert(0) += 1;
            }
        }
        metrics.instances(counts.into_iter().map(|((agent, state), n)| (agent, state, n)));
    }
}

// === impl Coordinator ===

impl Coordinator {
    /// Stops: ends sessions, lets requests finish within `grace`.
    pub async fn stop(self, grace: Duration) {
        self.stop.cancel();
        self.http.stop(grace).await;
        self.tasks.close();
        self.tasks.wait().await;
    }
}
