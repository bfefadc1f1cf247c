//! Starts and stops the venue: its task, its port, its admin port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::serve::ListenerExt as _;
use domain::{Clock, ManualClock};
use matching::SymbolId;
use telemetry::SystemClock;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::AdminHandle;
use crate::core::Core;
use crate::engine::{self, Mailbox};
use crate::front::{self, Front};
use crate::market::live;
use crate::options::{MarketOptions, Options, StartError};

/// Starts paper venues.
#[derive(Debug, Clone, Copy)]
pub struct PaperVenue;

/// A venue that runs; dropping it stops it.
#[derive(Debug)]
pub struct Running {
    /// Where clients connect.
    pub address: SocketAddr,
    /// Where it is administered over HTTP, when that was asked for.
    pub admin_address: Option<SocketAddr>,
    /// Administers it from within this process.
    pub admin: AdminHandle,
    /// What is traded there.
    pub symbols: Vec<String>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let fail = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(fail)?;
    let address = listener.local_addr().map_err(fail)?;
    Ok((listener, address))
}

// === impl PaperVenue ===

impl PaperVenue {
    /// Starts a venue by the machine's clock.
    ///
    /// # Errors
    /// [`StartError`] when the market, the state or an address cannot be used.
    pub async fn start(options: Options) -> Result<Running, StartError> {
        Self::run(options, Arc::new(SystemClock), None).await
    }

    /// Starts a venue whose time stands until it is advanced by hand.
    ///
    /// # Errors
    /// [`StartError`] when the market, the state or an address cannot be used.
    pub async fn start_at(
        options: Options,
        clock: Arc<ManualClock>,
    ) -> Result<Running, StartError> {
        Self::run(options, Arc::clone(&clock) as Arc<dyn Clock>, Some(clock)).await
    }

    async fn run(
        options: Options,
        clock: Arc<dyn Clock>,
        manual: Option<Arc<ManualClock>>,
    ) -> Result<Running, StartError> {
        let (listener, address) = bind(options.listen).await?;
        let admin_port = match &options.admin {
            Some((wanted, token)) => Some((bind(*wanted).await?, token.clone())),
            None => None,
        };
        let follows = match &options.market {
            MarketOptions::Live { url } => {
                let model = options.queue_model;
                live::describe(url, &options.symbols, model).await.map_err(StartError::Market)?
            }
            _ => Vec::new(),
        };
        let core = Core::try_new(&options, Arc::clone(&clock), &follows)?;
        let symbols = core.symbols.keys().cloned().collect();
        let keys = core.keys.subscribe();
        let (mailbox, messages) = Mailbox::new();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(engine::run(core, clock, messages, stop.clone()));
        for (place, follow) in (0..).zip(follows) {
            tasks.spawn(live::run(follow, SymbolId(place), mailbox.clone(), stop.clone()));
        }
        let admin = AdminHandle::new(mailbox.clone(), manual);
        let mut admin_address = None;
        if let Some(((listener, at), token)) = admin_port {
            admin_address = Some(at);
            let router = crate::admin::router(admin.clone(), token);
            let stopped = stop.clone().cancelled_owned();
            let serving = axum::serve(listener, router).with_graceful_shutdown(stopped);
            tasks.spawn(async move { serving.await.unwrap_or(()) });
        }
        let front = Front {
            mailbox,
            keys,
            intervals: options.intervals,
            conns: Arc::new(AtomicU64::new(0)),
            stop: stop.clone(),
        };
        let service = front::router(front).into_make_service_with_connect_info::<SocketAddr>();
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY is not set");
            }
        });
        let stopped = stop.clone();
        tasks.spawn(async move {
            // Requests that are never answered on purpose must not keep the venue alive.
            tokio::select! {
                _ = axum::serve(listener, service) => {}
                () = stopped.cancelled() => {}
            }
        });
        tasks.close();
        Ok(Running { address, admin_address, admin, symbols, tasks, stop })
    }
}

// === impl Running ===

impl Running {
    /// Ends every connection and waits until the ledger is written.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }

    /// Ends when the venue does.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
