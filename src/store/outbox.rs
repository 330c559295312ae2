//! What delivery and its API ask of the store: messages on their way to endpoints.
//!
//! A message has one delivery for each endpoint that wanted it when it was fanned
//! out. Who sends leases it first; a lease that ends without a word, because the
//! process died, makes the delivery due again. So nothing is lost, and a receiver
//! may be told twice.

use crate::series::Timestamp;
use crate::store::Pending;
use crate::wave::EventKind;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Notify;

/// What an endpoint wants to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its name in the configuration.
    pub endpoint: String,
    /// Of these events.
    pub kinds: BTreeSet<EventKind>,
}

/// A delivery that is ours to send until the lease ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leased {
    /// To whom.
    pub endpoint: String,
    /// Place of the message in the outbox.
    pub sequence: i64,
    /// Which lease this is: the store's own, so that only its holder can settle it.
    pub lease: i64,
    /// The message's id.
    pub id: String,
    /// What it tells.
    pub kind: EventKind,
    /// The bytes to send.
    pub body: String,
    /// How many tries there were, this one included.
    pub tries: u32,
}

/// What can be sent now, and when to ask again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Those that were due first, each leased.
    pub leased: Vec<Leased>,
    /// When the next delivery is due, or the next lease ends.
    pub next: Option<Timestamp>,
}

/// What became of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It arrived.
    Delivered,
    /// It is tried again then.
    Retry(Timestamp),
    /// Its tries have run out.
    Dead,
    /// The endpoint wants nothing any more: it is disabled from then on, and what
    /// waits for it is dead.
    Gone(Timestamp),
}

/// How an endpoint stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Since when it is disabled, and why.
    pub disabled: Option<(Timestamp, String)>,
    /// Deliveries that will be tried.
    pub waiting: u64,
    /// Deliveries that will not.
    pub dead: u64,
}

/// A delivery whose tries have run out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Place of the message in the outbox, to page by.
    pub sequence: i64,
    /// The message's id.
    pub id: String,
    /// What it tells.
    pub kind: EventKind,
    /// When it was written.
    pub at: Timestamp,
    /// How many tries there were.
    pub tries: u32,
    /// What came of the last one.
    pub outcome: Option<String>,
}

/// Messages on their way. An endpoint that is not configured any more keeps its
/// deliveries: they wait until it returns or are pruned.
pub trait Outbox: Send + Sync {
    /// Notified when there may be something to fan out or to send: after a commit
    /// with messages, a resend, an enabling. Other processes are not heard.
    fn signal(&self) -> Arc<Notify>;

    /// Gives each new message its deliveries, due at `now`; dead ones for endpoints
    /// that are disabled. In batches, each one transaction. How many messages there were.
    fn fan_out<'a>(&'a self, subscriptions: &'a [Subscription], now: Timestamp) -> Pending<'a, u64>;

    /// Leases up to `most` deliveries to `endpoint` that are due at `now`, until
    /// `until`; each counts as a try. Due is too what is put off by more than two
    /// days, for the clock was ahead when it was.
    fn lease<'a>(&'a self, endpoint: &'a str, now: Timestamp, until: Timestamp, most: u32) -> Pending<'a, Due>;

    /// Ends a lease, with what came of the try in words. `false` where the lease
    /// was no longer the holder's: then nothing changes.
    fn settle<'a>(&'a self, leased: &'a Leased, settlement: Settlement, outcome: &'a str) -> Pending<'a, bool>;

    /// How `endpoint` stands.
    fn backlog<'a>(&'a self, endpoint: &'a str) -> Pending<'a, Backlog>;

    /// Dead letters of `endpoint` behind `after`, oldest first, at most `most`.
    fn dead<'a>(&'a self, endpoint: &'a str, after: Option<i64>, most: u32) -> Pending<'a, Vec<DeadLetter>>;

    /// Makes dead letters due at `now` with all their tries before them: that of
    /// message `id`, or all. Nothing for a disabled endpoint. How many there were.
    fn resend<'a>(&'a self, endpoint: &'a str, id: Option<&'a str>, now: Timestamp) -> Pending<'a, u64>;

    /// Takes an endpoint that was disabled into use again; whether it was disabled.
    fn enable<'a>(&'a self, endpoint: &'a str) -> Pending<'a, bool>;
}
