//! What is served before the coordinator can serve: that it lives, and why it is not ready.

use std::sync::{Arc, OnceLock};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use bus::{Bus, Health};
use serde_json::json;
use tower::ServiceExt;

/// Stands for the coordinator's routes until there are some.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    bus: Bus,
    routes: Arc<OnceLock<Router>>,
}

// === impl Front ===

impl Front {
    pub(crate) fn new(bus: Bus) -> Self {
        Self { bus, routes: Arc::default() }
    }

    /// From now on these are served; they are given once.
    pub(crate) fn opens(&self, routes: Router) {
        self.routes.get_or_init(|| routes);
    }

    pub(crate) fn routes(&self) -> Router {
        let front = self.clone();
        Router::new().fallback(move |request: Request| {
            let front = front.clone();
            async move {
                match front.routes.get() {
                    Some(routes) => routes.clone().oneshot(request).await.into_response(),
                    None => front.not_yet(request.uri().path()),
                }
            }
        })
    }

    fn not_yet(&self, path: &str) -> Response {
        if path == "/health" {
            return Json(json!({ "alive": true })).into_response();
        }
        let why = match &*self.bus.health().borrow() {
            Health::Up => "starting".to_owned(),
            Health::Down(why) => format!("the bus is down: {why}"),
        };
        let body = Json(json!({ "ready": false, "reasons": [why] }));
        (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
    }
}
