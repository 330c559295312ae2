//! Limits of the engine.

use serde::Deserialize;
use std::num::NonZeroUsize;
use std::time::Duration;

/// The section `engine` of the configuration; its defaults are in the default file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Gates open at once: each keeps up to some hundred kilobytes in memory.
    pub max_open_gates: NonZeroUsize,
    /// Fetches under way at once, over all sources, which have their own bound below it.
    pub concurrency: NonZeroUsize,
    /// How long after anybody last asked a final gate answers a repeated request,
    /// before the same request begins a new attempt.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub reopen_after: Duration,
}
