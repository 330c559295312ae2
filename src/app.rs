//! The composition root: builds every part from the configuration, owns start and drain.

use crate::config::Config;
use crate::config::SourceSettings;
use crate::delivery;
use crate::delivery::Delivery;
use crate::engine::Clock;
use crate::engine::Discovery;
use crate::engine::Engine;
use crate::engine::Folders;
use crate::engine::Handle;
use crate::engine::Parts;
use crate::engine::RuleBook;
use crate::engine::Watch;
use crate::engine::in_full;
use crate::http;
use crate::sources::Source;
use crate::sources::probe::Prober;
use crate::sources::prometheus;
use crate::sources::prometheus::Endpoint;
use crate::sources::prometheus::Prometheus;
use crate::sources::recording::Recorded;
use crate::sources::scrape::Scrape;
use crate::store::Outbox;
use crate::store::SqliteStore;
use crate::store::Store;
use crate::telemetry;
use crate::telemetry::Metrics;
use anyhow::Context as _;
use anyhow::anyhow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Why the daemon ended.
#[derive(Debug)]
pub enum Stopped {
    /// The configuration or the rules are refused; nothing was bound or written.
    Refused(anyhow::Error),
    /// The machine is in trouble.
    Unexpected(anyhow::Error),
}

/// Runs the daemon until SIGTERM or SIGINT; a second one ends it at once.
///
/// # Errors
/// Everything that can be refused is refused before a port is bound.
pub async fn serve(config: Config) -> Result<(), Stopped> {
    let signals = Signals::listen().context("cannot listen to signals").map_err(Stopped::Unexpected)?;
    let Signals { stop, hangup } = signals;
    let guard = telemetry::init(&config.log, config.otlp_endpoint.as_deref()).map_err(refused)?;
    let (folders, every) = (folders(&config), config.rules_poll);
    let daemon = Daemon::start(config).await?;
    tracing::info!(address = %daemon.address, rules = %folders.rules.display(), "wavegate listens");
    let watch = Watch::new(folders, daemon.handle.clone(), Arc::clone(&daemon.metrics), Clock::System);
    let reloads = tokio::spawn(keep_rules(watch, hangup, every));
    let ended = daemon
        .run(async {
            stop.asked().await;
            tracing::info!("asked to stop: draining");
        })
        .await;
    reloads.abort();
    guard.flush().await;
    ended
}

/// A daemon whose port is bound and whose engine runs; [`Daemon::run`] answers callers.
pub struct Daemon {
    listener: TcpListener,
    address: SocketAddr,
    handle: Handle,
    metrics: Arc<Metrics>,
    api: http::Api<Handle>,
    store: Arc<dyn Store>,
    /// Engine, accounts and delivery: none ends before `drain`.
    workers: JoinSet<()>,
    drain: CancellationToken,
}

impl Daemon {
    /// Builds every part of what `config` says, and begins to look.
    ///
    /// # Errors
    /// Everything that can be refused is refused before a port is bound.
    pub async fn start(config: Config) -> Result<Self, Stopped> {
        let access = http::Access::new(config.listen, &config.tokens).map_err(refused)?;
        let clock = Clock::System;
        let sources = sources(&config, clock).map_err(Stopped::Refused)?;
        let book = read_book(&folders(&config)).map_err(Stopped::Refused)?;
        let metrics = Arc::new(Metrics::new());
        metrics.rules_loaded(book.len(), clock.now().as_millis().div_euclid(1000));
        let delivery = delivery(&config, clock, &metrics).map_err(refused)?;

        let store = SqliteStore::open(&config.store).await.context("cannot open the store");
        let store = Arc::new(store.map_err(Stopped::Unexpected)?);
        let outbox: Arc<dyn Outbox> = Arc::<SqliteStore>::clone(&store);
        let store: Arc<dyn Store> = store;
        let listener = TcpListener::bind(config.listen).await;
        let listener =
            listener.with_context(|| format!("cannot listen on {}", config.listen)).map_err(Stopped::Unexpected)?;
        let address = listener.local_addr().map_err(unexpected)?;
        let searched = sources.clone();
        let parts = Parts {
            clock,
            store: Arc::clone(&store),
            sources,
            prober: Arc::new(Prober::new(move || clock.now(), Arc::clone(&metrics))),
            book,
            settings: config.engine.clone(),
            metrics: Arc::clone(&metrics),
        };
        let (engine, handle) =
            Engine::start(parts).await.context("cannot load what was left").map_err(Stopped::Unexpected)?;
        let drain = CancellationToken::new();
        let mut workers = JoinSet::new();
        workers.spawn(engine.run(drain.clone()));
        let discovery = Discovery::new(handle.clone(), searched, Arc::clone(&metrics), clock);
        workers.spawn(discovery.run(drain.clone()));
        workers.spawn(handle.budgets().keep(drain.clone()));
        workers.spawn(delivery.run(Arc::clone(&outbox), drain.clone()));
        let endpoints = endpoints(&config, outbox);
        let api = http::Api::new(handle.clone(), config.http, access, Arc::clone(&metrics), move || clock.now())
            .with_endpoints(endpoints);
        Ok(Self { listener, address, handle, metrics, api, store, workers, drain })
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers callers until `stop`, then drains and closes the store.
    ///
    /// # Errors
    /// A worker stopped by itself, or the store could not be closed.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), Stopped> {
        let Self { listener, api, store, mut workers, drain, .. } = self;
        let mut ended = Ok(());
        http::serve(listener, api, async {
            tokio::select! {
                () = stop => {}
                // Without the engine nothing that is answered is true any more, and
                // without delivery nobody is told.
                Some(result) = workers.join_next() => {
                    ended = result.context("a worker failed").and_then(|()| Err(anyhow!("a worker stopped by itself")));
                }
            }
        })
        .await;
        drain.cancel();
        while let Some(result) = workers.join_next().await {
            ended = ended.and(result.context("a worker failed while draining"));
        }
        let closed = store.close().await.context("cannot close the store");
        ended.and(closed).map_err(Stopped::Unexpected)
    }
}

/// The source that is asked for: by name, by URL, by the file of a recording, or the only one there is.
///
/// # Errors
/// There is none of that name, or its settings cannot be used.
pub fn source_for(config: &Config, asked: Option<&str>) -> anyhow::Result<Arc<dyn Source>> {
    if let Some(url) = asked.filter(|asked| asked.contains("://")) {
        let endpoint = Endpoint::parse(url).context("--source")?;
        return Ok(Arc::new(Prometheus::new("prometheus", prometheus::Settings::new(endpoint))?));
    }
    // A recording that lies about, unless somebody gave a source that name.
    let is_file = |asked: &&str| asked.ends_with(".recording") && !config.sources.contains_key(*asked);
    if let Some(path) = asked.filter(is_file) {
        return Ok(Arc::new(Recorded::open("recording".to_owned(), Path::new(path))?));
    }
    let sources = &config.sources;
    let known = || sources.keys().cloned().collect::<Vec<_>>().join(", ");
    let (name, settings) = match asked {
        Some(name) => sources
            .get_key_value(name)
            .ok_or_else(|| anyhow!("there is no source `{name}`; configured are: {}", known()))?,
        None => sources.first_key_value().filter(|_| sources.len() == 1).ok_or_else(|| {
            anyhow!("say which source with --source NAME or --source URL; configured are: {}", known())
        })?,
    };
    match settings {
        SourceSettings::Prometheus(settings) => Ok(Arc::new(Prometheus::new(name.clone(), settings.clone())?)),
        SourceSettings::Recording(settings) => Ok(Arc::new(Recorded::open(name.clone(), &settings.path)?)),
        SourceSettings::Scrape(_) => Err(anyhow!(
            "source `{name}` scrapes its targets while `serve` runs and has no past; name a Prometheus with --source"
        )),
    }
}

/// Every source; those that scrape begin to.
fn sources(config: &Config, clock: Clock) -> anyhow::Result<BTreeMap<String, Arc<dyn Source>>> {
    let build = |(name, settings): (&String, &SourceSettings)| {
        let source: Arc<dyn Source> = match settings {
            SourceSettings::Prometheus(settings) => Arc::new(Prometheus::new(name.clone(), settings.clone())?),
            SourceSettings::Recording(settings) => Arc::new(Recorded::open(name.clone(), &settings.path)?),
            SourceSettings::Scrape(settings) => Arc::new(Scrape::start(name.clone(), settings, move || clock.now())?),
        };
        Ok((name.clone(), source))
    };
    config.sources.iter().map(build).collect()
}

/// The worker of the configured endpoints.
fn delivery(config: &Config, clock: Clock, metrics: &Arc<Metrics>) -> Result<Delivery, delivery::Error> {
    Delivery::new(delivery::Parts {
        endpoints: config.endpoints.clone(),
        now: Arc::new(move || clock.now()),
        lookup: delivery::system_lookup(),
        metrics: Arc::clone(metrics),
    })
}

/// The configured endpoints as the API shows them.
fn endpoints(config: &Config, outbox: Arc<dyn Outbox>) -> http::Endpoints {
    let entry = |settings: &delivery::EndpointSettings| http::EndpointEntry {
        url: settings.url.to_string(),
        events: settings.events.clone(),
    };
    let entries = config.endpoints.iter().map(|(name, settings)| (name.clone(), entry(settings))).collect();
    http::Endpoints::new(entries, outbox)
}

/// Where rule files and SLOs are read from.
pub(crate) fn folders(config: &Config) -> Folders {
    Folders {
        rules: config.rules_dir.clone(),
        slos: config.slos_folder().to_owned(),
        slos_may_lack: config.slos_dir.is_none(),
        inline: config.slo_texts(),
        sources: config.sources.keys().cloned().collect(),
        kept_days: Some(config.store.retention.budgets_days.get()),
    }
}

fn read_book(folders: &Folders) -> anyhow::Result<RuleBook> {
    let (book, warnings) = folders.read().map_err(|error| anyhow!("{}", in_full(&error)))?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(book)
}

/// What the process is told from outside. It is listened to from the first moment
/// on: a signal that nobody listens to ends the process at once.
struct Signals {
    stop: Stop,
    hangup: Signal,
}

struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let stop = Stop { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
        Ok(Self { stop, hangup: signal(SignalKind::hangup())? })
    }
}

impl Stop {
    /// SIGTERM or SIGINT came; another one from now on ends the process.
    async fn asked(mut self) {
        self.next().await;
        tokio::spawn(async move {
            self.next().await;
            tracing::warn!("asked again: stopping at once; everything committed is safe");
            std::process::exit(1);
        });
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Puts the folder's rules in force, all or nothing: at once on SIGHUP, and when they have
/// changed, which is looked for `every` so long; never where that is zero.
async fn keep_rules(mut watch: Watch, mut hangup: Signal, every: Duration) {
    // A timer cannot have a period of zero; without watching it is not asked.
    let mut ticks = tokio::time::interval(every.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            told = hangup.recv() => match told {
                Some(()) => watch.reload().await,
                None => break,
            },
            _ = ticks.tick(), if !every.is_zero() => watch.glance().await,
        }
    }
}

fn refused(error: impl Into<anyhow::Error>) -> Stopped {
    Stopped::Refused(error.into())
}

fn unexpected(error: impl Into<anyhow::Error>) -> Stopped {
    Stopped::Unexpected(error.into())
}
