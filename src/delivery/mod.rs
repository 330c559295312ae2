//! Webhooks: messages of the outbox on their way to endpoints, by Standard Webhooks.
//!
//! Each message arrives at least once, with the same id and the same bytes on every
//! try: a try is leased from the store before it is made, and a lease that ends
//! without a word is due again. Each endpoint has a task of its own, so one that
//! hangs makes no other wait. What the operator did not allow is not connected to.
//!
//! Reference: Standard Webhooks 1.0.0; CloudEvents 1.0, HTTP binding, binary mode.

mod cloudevents;
mod guard;
mod schedule;
mod send;
mod settings;
mod sign;
mod worker;

pub use guard::Lookup;
pub use guard::Reach;
pub use guard::reach;
pub use guard::system_lookup;
pub use schedule::DELAYS;
pub use schedule::next_try;
pub use schedule::retry_after;
pub use settings::EndpointSettings;
pub use settings::Format;
pub use settings::Target;
pub use settings::TargetError;
pub use sign::Secret;
pub use sign::SecretError;
pub use sign::signature;
pub use worker::Delivery;
pub use worker::Parts;

use std::path::PathBuf;

/// An endpoint that cannot be sent to, found before anything is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its secret is not one.
    #[error("endpoint `{endpoint}`: cannot use the secret in {}", path.display())]
    Secret {
        /// Whose.
        endpoint: String,
        /// Its file.
        path: PathBuf,
        /// Why.
        #[source]
        source: SecretError,
    },
    /// The HTTP client cannot be built.
    #[error("endpoint `{endpoint}`: the HTTP client cannot be built")]
    Client {
        /// Whose.
        endpoint: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
}
