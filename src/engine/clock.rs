//! The only place that knows what time it is.

use crate::series::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// The longest sleep until something is due.
const GLANCE: Duration = Duration::from_mins(1);

/// Where `now` comes from.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The machine's wall clock.
    System,
    /// `origin` and whatever has passed since `begun` on tokio's clock, which tests pause.
    Replay {
        /// The instant at `begun`.
        origin: Timestamp,
        /// When the replay began.
        begun: Instant,
    },
}

impl Clock {
    /// A clock that stood at `origin` when this was called.
    pub fn replay(origin: Timestamp) -> Self {
        Self::Replay { origin, begun: Instant::now() }
    }

    /// The time.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that the others must ask")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                Timestamp::from_millis(0) + elapsed.unwrap_or(Duration::ZERO)
            }
            Self::Replay { origin, begun } => *origin + begun.elapsed(),
        }
    }

    /// Waits until something is due `at`, or a glance where that is later: a wall clock that
    /// was set, or a machine that slept, must not leave work waiting for as long as was left
    /// before. For ever where nothing is.
    pub async fn until_due(&self, at: Option<Timestamp>) {
        match at {
            Some(at) => self.sleep_until(at.min(self.now() + GLANCE)).await,
            None => std::future::pending().await,
        }
    }

    /// Waits until `at`; at once where that is past.
    pub async fn sleep_until(&self, at: Timestamp) {
        tokio::time::sleep(at.since(self.now())).await;
    }
}
