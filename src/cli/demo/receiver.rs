//! A webhook consumer: takes what the daemon sends, keeps it as it came, and tells
//! whether it is genuine.

use crate::cli::demo::shop;
use crate::delivery;
use crate::delivery::Secret;
use crate::report::plain;
use anyhow::Context as _;
use anyhow::anyhow;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Notices kept until somebody reads them; the demo asks for one.
const KEPT_MAX: usize = 16;

/// Where notices come in.
pub(super) struct Receiver {
    address: SocketAddr,
    /// What it shares with the daemon, as a secret file has it.
    secret: String,
    notices: mpsc::Receiver<Notice>,
}

/// One notice, header by header and byte for byte.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Notice {
    pub(super) id: String,
    pub(super) timestamp: String,
    pub(super) signature: String,
    pub(super) body: String,
    /// What it is signed with: fit for this demo only.
    pub(super) secret: String,
}

impl Receiver {
    /// Listens on a free port of this machine.
    ///
    /// # Errors
    /// No port is free.
    pub(super) async fn start(tasks: &mut JoinSet<()>) -> anyhow::Result<Self> {
        let (sender, notices) = mpsc::channel(KEPT_MAX);
        let secret = new_secret()?;
        let router = Router::new().route("/hook", post(take)).with_state((sender, secret.clone()));
        Ok(Self { address: shop::serve(router, tasks).await?, secret, notices })
    }

    /// The endpoint, as a configuration has it; its secret is written into `folder`.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(super) fn endpoint(&self, folder: &Path) -> anyhow::Result<String> {
        let file = folder.join("webhook.secret");
        std::fs::write(&file, &self.secret)?;
        Ok(format!(
            "[endpoints.demo]\nurl = \"http://{}/hook\"\nsecret_file = '{}'\nevents = [\"wave.failed\"]\n\
             allow_private = true\n",
            self.address,
            file.display()
        ))
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

async fn take(
    State((kept, secret)): State<(mpsc::Sender<Notice>, String)>,
    headers: HeaderMap,
    body: String,
) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let notice = Notice {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        body,
        secret,
    };
    // One that finds no room is sent again.
    kept.try_send(notice).map_or(StatusCode::SERVICE_UNAVAILABLE, |()| StatusCode::NO_CONTENT)
}

impl Notice {
    /// Whether it is signed with the secret that was agreed on.
    fn is_genuine(&self) -> bool {
        let Ok(secret) = Secret::parse(&self.secret) else { return false };
        let Ok(seconds) = self.timestamp.parse() else { return false };
        delivery::signature(&[secret], &self.id, seconds, self.body.as_bytes()) == self.signature
    }

    /// Whether it says, and may be believed, that the wave failed.
    pub(super) fn tells(&self, wave: &str) -> bool {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        self.is_genuine() && body["type"] == "wave.failed" && body["data"]["wave_id"] == wave
    }

    /// As it was received.
    pub(super) fn page(&self) -> String {
        let genuine = if self.is_genuine() { "genuine" } else { "FORGED" };
        format!(
            "webhook, as it was received\n\n  webhook-id: {}\n  webhook-timestamp: {}\n  webhook-signature: {}\n\n  \
             {}\n\n  {genuine}: signed with {}\n\n",
            plain(&self.id),
            plain(&self.timestamp),
            plain(&self.signature),
            plain(&self.body),
            self.secret
        )
    }
}

/// 32 random bytes, as Standard Webhooks writes a secret.
fn new_secret() -> anyhow::Result<String> {
    let mut key = [0; 32];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut key).map_err(|_| anyhow!("the machine gives no random bytes"))?;
    Ok(format!("whsec_{}", STANDARD.encode(key)))
}
