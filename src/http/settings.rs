//! What the server allows: the sections `http` and `tokens` of the configuration.

use serde::Deserialize;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// The section `http`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Connections at a time: each costs a file descriptor and up to 64 KiB. Further
    /// ones wait in the listener's backlog.
    pub max_connections: NonZeroUsize,
    /// Requests with `?wait=` at a time; fewer than connections, so that waiting
    /// callers cannot keep polls out.
    pub max_waiters: usize,
    /// Event streams at a time: each holds a connection for as long as its reader likes.
    pub max_streams: usize,
    /// How long a connection may take to send its next request's header: half-sent,
    /// silent and idle connections are closed after it.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub header_timeout: Duration,
    /// How long a request may take, its body included and `?wait=` left out.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub request_timeout: Duration,
    /// How long a client may take no byte of an answer.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub write_timeout: Duration,
    /// How long requests may run on after a shutdown began.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub drain_timeout: Duration,
}

/// One entry of `tokens`: who may call, by exactly one of the two ways.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSettings {
    /// Who it is, for the log.
    pub name: String,
    /// The SHA-256 of the token, 64 hexadecimal digits.
    #[serde(default)]
    pub sha256: Option<String>,
    /// A file that holds the token; white space around it is ignored. Read at start.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
}

impl Settings {
    /// Every fault that a single field cannot show: its key, what is wrong.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if self.max_waiters >= self.max_connections.get() {
            let limit = self.max_connections;
            faults.push((
                "max_waiters",
                format!("must be less than max_connections ({limit}), or waiting keeps polls out"),
            ));
        }
        let held = self.max_waiters.saturating_add(self.max_streams);
        if faults.is_empty() && held >= self.max_connections.get() {
            let limit = self.max_connections;
            faults.push((
                "max_streams",
                format!("must with max_waiters be less than max_connections ({limit}), or followers keep polls out"),
            ));
        }
        for (key, timeout) in [
            ("header_timeout", self.header_timeout),
            ("request_timeout", self.request_timeout),
            ("write_timeout", self.write_timeout),
        ] {
            if timeout < Duration::from_millis(1) {
                faults.push((key, String::from("must be at least 1ms")));
            }
        }
        faults
    }
}
