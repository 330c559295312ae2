//! A webhook consumer: takes what the daemon sends and keeps it as it came.

use crate::cli::demo::shop;
use crate::report::plain;
use anyhow::Context as _;
use anyhow::anyhow;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::routing::post;
use serde::Serialize;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Notices kept until somebody reads them; the demo asks for one.
const KEPT_MAX: usize = 16;

/// Where notices come in.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    notices: mpsc::Receiver<Notice>,
}

/// One notice, header by header and byte for byte.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Notice {
    pub(super) id: String,
    pub(super) timestamp: String,
    pub(super) signature: String,
    pub(super) body: String,
}

impl Receiver {
    /// Listens on a free port of this machine.
    ///
    /// # Errors
    /// No port is free.
    pub(super) async fn start(tasks: &mut JoinSet<()>) -> anyhow::Result<Self> {
        let (sender, notices) = mpsc::channel(KEPT_MAX);
        let router = Router::new().route("/hook", post(take)).with_state(sender);
        Ok(Self { address: shop::serve(router, tasks).await?, notices })
    }

    /// The next notice.
    ///
    /// # Errors
    /// None came within `patience`.
    pub(super) async fn next(&mut self, patience: Duration) -> anyhow::Result<Notice> {
        let notice = tokio::time::timeout(patience, self.notices.recv()).await;
        let notice = notice.with_context(|| format!("no webhook came within {} s", patience.as_secs()))?;
        notice.ok_or_else(|| anyhow!("the webhook receiver has stopped"))
    }
}

async fn take(State(kept): State<mpsc::Sender<Notice>>, headers: HeaderMap, body: String) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let notice = Notice {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        body,
    };
    // One that finds no room is sent again.
    kept.try_send(notice).map_or(StatusCode::SERVICE_UNAVAILABLE, |()| StatusCode::NO_CONTENT)
}

impl Notice {
    /// Whether it says that the wave failed.
    pub(super) fn tells(&self, wave: &str) -> bool {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["type"] == "wave.failed" && body["data"]["wave_id"] == wave
    }

    /// As it was received.
    pub(super) fn page(&self) -> String {
        format!(
            "webhook, as it was received\n  webhook-id: {}\n  webhook-timestamp: {}\n  webhook-signature: {}\n\n  {}\n",
            plain(&self.id),
            plain(&self.timestamp),
            plain(&self.signature),
            plain(&self.body)
        )
    }
}
