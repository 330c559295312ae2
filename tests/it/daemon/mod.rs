//! The daemon from outside: a process, its sockets, its signals and its store,
//! against a real Prometheus.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod asking;
mod budget;
mod crash;
mod live;
mod outage;
mod refusals;
mod signals;

use crate::past::service_rules;
use crate::support::daemon::Daemon;
use crate::support::daemon::Home;
use crate::support::daemon::wave_path;
use crate::support::prometheus::PrometheusServer;
use crate::support::waves::Wave;
use crate::support::waves::openmetrics;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::Weak;

const RULES: &str = "http-service";

/// Decided by `pass` after 51 minutes, in the fourth batch of looks.
fn good() -> Wave {
    crate::past::wave("good", |_| {})
}

/// Decided by `fail` after 20 minutes, in the second batch; its id is no plain word.
fn cpu() -> Wave {
    crate::past::wave("{c}pu|.* $wave/%2F'ü", |wave| wave.cpu_factor = 1.4)
}

/// Its canary falls silent, so that it is held at the deadline.
fn silent() -> Wave {
    crate::past::wave("silent", |wave| wave.canary_silent_from_minute = Some(5))
}

/// The Prometheus of the tests that only read. It lives while one of them holds it:
/// what a `static` owns is never dropped, and the process would stay behind.
fn shared() -> Arc<PrometheusServer> {
    static HELD: Mutex<Weak<PrometheusServer>> = Mutex::new(Weak::new());
    let mut held = HELD.lock().unwrap();
    held.upgrade().unwrap_or_else(|| {
        let server = Arc::new(PrometheusServer::backfilled(&openmetrics(&[good(), cpu(), silent()])));
        *held = Arc::downgrade(&server);
        server
    })
}

fn home(source: &str) -> Home {
    Home::new(&[("http-service.yaml", &service_rules())], Some(source), "")
}

fn asked(wave: &Wave) -> Value {
    json!({"rules": RULES, "baseline": wave.baseline(), "start": wave.start.to_string()})
}

async fn open(daemon: &Daemon, wave: &Wave) {
    daemon.open(&wave.id, &asked(wave)).await;
}

fn gate_path(wave: &str) -> String {
    format!("{}/gates/{RULES}", wave_path(wave))
}

fn verdict_path(wave: &str) -> String {
    format!("{}/verdict", gate_path(wave))
}
