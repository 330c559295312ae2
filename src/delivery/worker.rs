//! The worker: fans new messages out, and sends what is due.
//!
//! One task fans out, one task for each endpoint leases and sends. All of them are
//! woken by a signal and by a period, and take what they do from the store: what is
//! done twice is done once, and a process that dies leaves leases that end.

use crate::delivery::Error;
use crate::delivery::guard::Guard;
use crate::delivery::guard::Lookup;
use crate::delivery::schedule::next_try;
use crate::delivery::send::Outcome;
use crate::delivery::send::Sender;
use crate::delivery::settings::EndpointSettings;
use crate::delivery::sign::Secret;
use crate::series::Timestamp;
use crate::store;
use crate::store::Leased;
use crate::store::Outbox;
use crate::store::Settlement;
use crate::store::Subscription;
use crate::telemetry::Chain;
use crate::telemetry::Metrics;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinError;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Tries to one endpoint at a time: enough for a receiver of some seconds, and no flood for a small one.
const CONCURRENCY: u32 = 4;

/// How often everybody looks without being woken: a net below the signal and the due times.
const PERIOD: Duration = Duration::from_secs(30);

/// A lease ends so long after its try must have: time for the store to settle it.
const LEASE_SLACK: Duration = Duration::from_secs(5);

/// How long tries may run on after a shutdown began; others are made again.
const GRACE: Duration = Duration::from_secs(5);

/// What delivery is made of.
pub struct Parts {
    /// Who is told, by name.
    pub endpoints: BTreeMap<String, EndpointSettings>,
    /// Wall time.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Where names are looked up.
    pub lookup: Lookup,
    /// Where tries are counted.
    pub metrics: Arc<Metrics>,
}

/// The worker, before it runs.
pub struct Delivery {
    subscriptions: Vec<Subscription>,
    endpoints: Vec<Arc<Endpoint>>,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

struct Endpoint {
    name: String,
    settings: EndpointSettings,
    sender: Sender,
    /// The last that could be read: a file that is being replaced is no reason to stop.
    secrets: std::sync::Mutex<Vec<Secret>>,
    bell: Notify,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    metrics: Arc<Metrics>,
}

impl Delivery {
    /// Reads the secrets and builds the clients; sends nothing.
    ///
    /// # Errors
    /// The first endpoint that cannot be sent to.
    pub fn new(parts: Parts) -> Result<Self, Error> {
        let Parts { endpoints, now, lookup, metrics } = parts;
        let subscription = |(name, settings): (&String, &EndpointSettings)| Subscription {
            endpoint: name.clone(),
            kinds: settings.events.clone(),
        };
        let subscriptions = endpoints.iter().map(subscription).collect();
        let endpoint = |(name, settings): (String, EndpointSettings)| {
            let guard = Guard::new(Arc::clone(&lookup), settings.allow_private);
            Ok(Arc::new(Endpoint {
                sender: Sender::new(&name, &settings, guard)?,
                secrets: std::sync::Mutex::new(read_secrets(&name, &settings)?),
                name,
                settings,
                bell: Notify::new(),
                now: Arc::clone(&now),
                metrics: Arc::clone(&metrics),
            }))
        };
        let endpoints = endpoints.into_iter().map(endpoint).collect::<Result<_, _>>()?;
        Ok(Self { subscriptions, endpoints, now })
    }

    /// Delivers what is in `outbox` until `drain`, then lets tries that are under way
    /// end within a grace.
    pub async fn run(self, outbox: Arc<dyn Outbox>, drain: CancellationToken) {
        let mut tasks = JoinSet::new();
        for endpoint in &self.endpoints {
            tasks.spawn(Arc::clone(endpoint).run(Arc::clone(&outbox), drain.clone()));
        }
        let signal = outbox.signal();
        while !drain.is_cancelled() {
            if let Err(error) = outbox.fan_out(&self.subscriptions, (self.now)()).await {
                report(&error, "messages could not be fanned out; they wait");
            }
            for endpoint in &self.endpoints {
                endpoint.bell.notify_one();
            }
            tokio::select! {
                () = drain.cancelled() => {}
                () = signal.notified() => {}
                () = tokio::time::sleep(PERIOD) => {}
                Some(ended) = tasks.join_next() => passed_on(ended),
            }
        }
        while let Some(ended) = tasks.join_next().await {
            passed_on(ended);
        }
    }
}

/// A panic in a task is one of its parent's: the process ends in order.
fn passed_on(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

fn read_secrets(name: &str, settings: &EndpointSettings) -> Result<Vec<Secret>, Error> {
    let read = |path: &std::path::PathBuf| {
        Secret::read(path).map_err(|source| Error::Secret { endpoint: name.to_owned(), path: path.clone(), source })
    };
    settings.secret_files().map(read).collect()
}

fn report(error: &store::Error, consequence: &'static str) {
    tracing::warn!(error = %Chain(error), "{consequence}");
}

impl Endpoint {
    async fn run(self: Arc<Self>, outbox: Arc<dyn Outbox>, drain: CancellationToken) {
        let mut tries = JoinSet::new();
        while !drain.is_cancelled() {
            let pause = self.begin(&outbox, &mut tries).await;
            tokio::select! {
                () = drain.cancelled() => {}
                () = self.bell.notified() => {}
                () = tokio::time::sleep(pause) => {}
                Some(ended) = tries.join_next() => passed_on(ended),
            }
        }
        let ended = async {
            while let Some(ended) = tries.join_next().await {
                passed_on(ended);
            }
        };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            tracing::info!(endpoint = %self.name, tries = tries.len(), "tries were cut off; they are made again");
            tries.shutdown().await;
        }
    }

    /// Begins what is due and finds room; how long nothing more is to do.
    async fn begin(self: &Arc<Self>, outbox: &Arc<dyn Outbox>, tries: &mut JoinSet<()>) -> Duration {
        let now = (self.now)();
        let until = now + self.settings.timeout + LEASE_SLACK;
        let free = CONCURRENCY.saturating_sub(u32::try_from(tries.len()).unwrap_or(CONCURRENCY));
        let due = match outbox.lease(&self.name, now, until, free).await {
            Ok(due) => due,
            Err(error) => {
                report(&error, "deliveries could not be leased; they wait");
                return PERIOD;
            }
        };
        if !due.leased.is_empty() {
            let secrets: Arc<[Secret]> = self.secrets().await.into();
            for leased in due.leased {
                tries.spawn(Arc::clone(self).attempt(Arc::clone(outbox), leased, Arc::clone(&secrets)));
            }
        }
        self.measure(outbox.as_ref()).await;
        // Without room a try must end first, and that wakes us too.
        let full = tries.len() >= CONCURRENCY as usize;
        let next = due.next.filter(|_| !full).map(|next| next.since(now));
        next.unwrap_or(PERIOD).min(PERIOD)
    }

    /// The secrets as they are on the disk now.
    async fn secrets(self: &Arc<Self>) -> Vec<Secret> {
        let this = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || read_secrets(&this.name, &this.settings)).await;
        let mut last = self.secrets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match read {
            Ok(Ok(secrets)) => *last = secrets,
            Ok(Err(error)) => {
                tracing::warn!(endpoint = %self.name, error = %Chain(&error), "the last readable secrets go on signing");
            }
            Err(error) => passed_on(Err(error)),
        }
        last.clone()
    }

    async fn attempt(self: Arc<Self>, outbox: Arc<dyn Outbox>, leased: Leased, secrets: Arc<[Secret]>) {
        let outcome = self.sender.send(&leased, &secrets, (self.now)()).await;
        self.metrics.webhook_tried(&self.name, outcome.label());
        let settlement = settlement(&leased, &outcome, (self.now)());
        let told = Told { endpoint: &self.name, leased: &leased, outcome: &outcome };
        match outbox.settle(&leased, settlement, &outcome.to_string()).await {
            Ok(true) => told.settled(settlement),
            Ok(false) => told.lost(),
            Err(error) => report(&error, "a try could not be settled; it is made again"),
        }
    }

    async fn measure(&self, outbox: &dyn Outbox) {
        match outbox.backlog(&self.name).await {
            Ok(backlog) => self.metrics.webhook_messages(&self.name, backlog.waiting, backlog.dead),
            Err(error) => report(&error, "deliveries could not be counted"),
        }
    }
}

fn settlement(leased: &Leased, outcome: &Outcome, now: Timestamp) -> Settlement {
    let retry_after = match outcome {
        Outcome::Answered { status: 200..=299, .. } => return Settlement::Delivered,
        Outcome::Answered { status: 410, .. } => return Settlement::Gone(now),
        Outcome::Answered { retry_after, .. } => *retry_after,
        Outcome::TimedOut(_) | Outcome::Unreachable(_) | Outcome::Blocked(_) => None,
    };
    next_try(&leased.id, leased.tries, retry_after).map_or(Settlement::Dead, |delay| Settlement::Retry(now + delay))
}

/// A try in the log, without its body or the answer's.
struct Told<'a> {
    endpoint: &'a str,
    leased: &'a Leased,
    outcome: &'a Outcome,
}

impl Told<'_> {
    fn settled(&self, settlement: Settlement) {
        let (endpoint, id, tries, outcome) = (self.endpoint, &self.leased.id, self.leased.tries, self.outcome.label());
        match settlement {
            Settlement::Delivered => tracing::debug!(endpoint, message.id = id, tries, "delivered"),
            Settlement::Retry(at) => {
                tracing::warn!(endpoint, message.id = id, tries, outcome, again = %at, "not delivered");
            }
            Settlement::Dead => tracing::error!(
                endpoint,
                message.id = id,
                tries,
                outcome,
                "not delivered, and this was the last try: POST /v1/endpoints/{endpoint}/resend sends it again"
            ),
            Settlement::Gone(_) => tracing::error!(
                endpoint,
                message.id = id,
                "the endpoint answered 410 and is disabled: POST /v1/endpoints/{endpoint}/enable undoes it"
            ),
        }
    }

    fn lost(&self) {
        tracing::debug!(endpoint = self.endpoint, message.id = self.leased.id, "somebody else has settled it");
    }
}
