//! A store, a worker and receivers. Time is paused, and stands while a try is under
//! way, unless its receiver lets it run: so hours pass in a moment, over real sockets.

use crate::store::worlds;
use crate::support::http::read_request;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wavegate::delivery::Delivery;
use wavegate::delivery::EndpointSettings;
use wavegate::delivery::Lookup;
use wavegate::delivery::Parts;
use wavegate::delivery::Target;
use wavegate::delivery::system_lookup;
use wavegate::engine::Clock;
use wavegate::series::Timestamp;
use wavegate::store::Backlog;
use wavegate::store::DeadLetter;
use wavegate::store::Due;
use wavegate::store::Leased;
use wavegate::store::Outbox;
use wavegate::store::Pending;
use wavegate::store::Settlement;
use wavegate::store::SqliteStore;
use wavegate::store::Store as _;
use wavegate::store::Subscription;
use wavegate::telemetry::Metrics;

/// When every test begins.
pub(crate) const NOW: Timestamp = worlds::NOON;

/// 32 bytes.
pub(crate) const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// Holds the clock while work is under way.
#[derive(Default)]
struct Standing(Mutex<BTreeMap<(String, String), mpsc::Sender<()>>>);

impl Standing {
    fn hold() -> mpsc::Sender<()> {
        let (held, wait) = mpsc::channel::<()>();
        drop(tokio::task::spawn_blocking(move || wait.recv()));
        held
    }

    /// Lets time run although the try of message `id` to `endpoint` is under way.
    fn let_go(&self, endpoint: &str, id: &str) {
        self.0.lock().unwrap().remove(&(endpoint.to_owned(), id.to_owned()));
    }
}

/// The outbox of a store, where time stands from a lease to its settlement.
pub(crate) struct Held {
    pub(crate) store: SqliteStore,
    standing: Arc<Standing>,
    /// How many tries were settled.
    settled: watch::Sender<u64>,
}

impl Outbox for Held {
    fn signal(&self) -> Arc<Notify> {
        self.store.signal()
    }

    fn fan_out<'a>(&'a self, subscriptions: &'a [Subscription], now: Timestamp) -> Pending<'a, u64> {
        Box::pin(async move {
            let _held = Standing::hold();
            self.store.fan_out(subscriptions, now).await
        })
    }

    fn lease<'a>(&'a self, endpoint: &'a str, now: Timestamp, until: Timestamp, most: u32) -> Pending<'a, Due> {
        Box::pin(async move {
            let _held = Standing::hold();
            let due = self.store.lease(endpoint, now, until, most).await?;
            for leased in &due.leased {
                let key = (leased.endpoint.clone(), leased.id.clone());
                self.standing.0.lock().unwrap().insert(key, Standing::hold());
            }
            Ok(due)
        })
    }

    fn settle<'a>(&'a self, leased: &'a Leased, settlement: Settlement, outcome: &'a str) -> Pending<'a, bool> {
        Box::pin(async move {
            let _held = Standing::hold();
            let held = self.store.settle(leased, settlement, outcome).await?;
            self.standing.let_go(&leased.endpoint, &leased.id);
            self.settled.send_modify(|count| *count += 1);
            Ok(held)
        })
    }

    fn backlog<'a>(&'a self, endpoint: &'a str) -> Pending<'a, Backlog> {
        Box::pin(async move {
            let _held = Standing::hold();
            self.store.backlog(endpoint).await
        })
    }

    fn dead<'a>(&'a self, endpoint: &'a str, after: Option<i64>, most: u32) -> Pending<'a, Vec<DeadLetter>> {
        self.store.dead(endpoint, after, most)
    }

    fn resend<'a>(&'a self, endpoint: &'a str, id: Option<&'a str>, now: Timestamp) -> Pending<'a, u64> {
        Box::pin(async move {
            let _held = Standing::hold();
            self.store.resend(endpoint, id, now).await
        })
    }

    fn enable<'a>(&'a self, endpoint: &'a str) -> Pending<'a, bool> {
        self.store.enable(endpoint)
    }
}

/// Everything but receivers. Its worker ends when it is dropped.
pub(crate) struct World {
    pub(crate) outbox: Arc<Held>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) drain: CancellationToken,
    pub(crate) lookup: Lookup,
    standing: Arc<Standing>,
    folder: TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        self.drain.cancel();
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::at(Clock::replay(NOW)).await
    }

    pub(crate) async fn at(clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let held = Standing::hold();
        let path = folder.path().join("wavegate.db");
        let store = SqliteStore::open(&wavegate::store::Settings { path, ..Default::default() }).await.unwrap();
        drop(held);
        std::fs::write(folder.path().join("secret"), SECRET).unwrap();
        let standing = Arc::new(Standing::default());
        let outbox = Arc::new(Held { store, standing: Arc::clone(&standing), settled: watch::Sender::new(0) });
        let (metrics, drain) = (Arc::new(Metrics::new()), CancellationToken::new());
        Self { outbox, clock, metrics, drain, lookup: system_lookup(), standing, folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts the `wave.opened` of each wave into the outbox; the ids.
    pub(crate) async fn announce(&self, waves: &[&str]) -> Vec<String> {
        let opening = |wave: &&str| {
            let mut opening = worlds::opening(wave);
            opening.messages[0].body = body(wave);
            opening
        };
        let changes: Vec<_> = waves.iter().map(opening).collect();
        let _held = Standing::hold();
        self.outbox.store.commit(&changes).await.unwrap();
        waves.iter().map(|wave| format!("msg_{wave}_1_1")).collect()
    }

    /// Starts the worker for `endpoints`.
    pub(crate) fn deliver(&self, endpoints: &[(&str, EndpointSettings)]) -> JoinHandle<()> {
        let with_secret = |(name, settings): &(&str, EndpointSettings)| {
            let mut settings = settings.clone();
            if settings.secret_file.as_os_str().is_empty() {
                settings.secret_file = self.path("secret");
            }
            ((*name).to_owned(), settings)
        };
        let clock = self.clock;
        let delivery = Delivery::new(Parts {
            endpoints: endpoints.iter().map(with_secret).collect(),
            now: Arc::new(move || clock.now()),
            lookup: Arc::clone(&self.lookup),
            metrics: Arc::clone(&self.metrics),
        });
        let outbox: Arc<dyn Outbox> = Arc::<Held>::clone(&self.outbox);
        tokio::spawn(delivery.unwrap().run(outbox, self.drain.clone()))
    }

    /// Waits until `endpoint` stands as `expect` says.
    pub(crate) async fn until(&self, endpoint: &str, expect: impl Fn(&Backlog) -> bool) -> Backlog {
        let mut settled = self.outbox.settled.subscribe();
        loop {
            settled.mark_unchanged();
            let backlog = self.outbox.backlog(endpoint).await.unwrap();
            if expect(&backlog) {
                return backlog;
            }
            settled.changed().await.unwrap();
        }
    }

    /// Waits until that many tries were settled.
    pub(crate) async fn settled(&self, count: u64) {
        self.outbox.settled.subscribe().wait_for(|settled| *settled >= count).await.unwrap();
    }

    /// The value of a line of the metrics.
    pub(crate) fn metric(&self, name: &str) -> Option<u64> {
        let text = self.metrics.encode();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        line.parse().ok()
    }

    /// A receiver of what goes to `endpoint`.
    pub(crate) async fn receiver(
        &self,
        endpoint: &'static str,
        answer: impl Fn(&Post) -> Answer + Send + Sync + 'static,
    ) -> Receiver {
        Receiver::start(self.clock, endpoint, Arc::clone(&self.standing), answer).await
    }
}

/// An event as `wire` writes it, in short.
pub(crate) fn body(wave: &str) -> String {
    let wave = serde_json::Value::from(wave);
    format!(r#"{{"type":"wave.opened","timestamp":"2026-11-22T12:00:00Z","data":{{"wave_id":{wave},"n":1.50}}}}"#)
}

/// An endpoint with the secret of every test.
pub(crate) fn endpoint(url: &str) -> EndpointSettings {
    let plain = r#"{"url": "http://nowhere.example", "secret_file": "", "allow_private": true}"#;
    let plain: EndpointSettings = serde_json::from_str(plain).unwrap();
    EndpointSettings { url: Target::parse(url).unwrap(), ..plain }
}

/// One try as the receiver saw it.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) id: String,
    /// Path and query.
    pub(crate) path: String,
    /// How many of this id came before.
    pub(crate) earlier: usize,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    pub(crate) at: Timestamp,
}

/// What a receiver does.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Answers with a status and a header.
    Status(u16, Option<(&'static str, String)>),
    /// Answers with a status and these words.
    Text(u16, String),
    /// Resets the connection.
    Reset,
    /// Says nothing, and lets time run.
    Hang,
    /// Answers with a status and a body that does not end.
    Endless(u16),
}

/// An HTTP server that does what it is told.
pub(crate) struct Receiver {
    address: SocketAddr,
    posts: watch::Sender<Vec<Post>>,
    /// Bytes that were taken of endless bodies.
    pub(crate) swallowed: watch::Receiver<usize>,
    accepting: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Receiver {
    async fn start(
        clock: Clock,
        endpoint: &'static str,
        standing: Arc<Standing>,
        answer: impl Fn(&Post) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let posts: watch::Sender<Vec<Post>> = watch::Sender::new(Vec::new());
        let (swallows, swallowed) = watch::channel(0);
        let (seen, answer) = (posts.clone(), Arc::new(answer));
        let accepting = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (seen, answer, standing) = (seen.clone(), Arc::clone(&answer), Arc::clone(&standing));
                let swallows = swallows.clone();
                tokio::spawn(async move {
                    let Some(request) = read_request(&mut stream).await else { return };
                    let id = request.headers.get("webhook-id").cloned().unwrap_or_default();
                    let earlier = seen.borrow().iter().filter(|post| post.id == id).count();
                    let at = clock.now();
                    let path = request.line.split(' ').nth(1).unwrap_or_default().to_owned();
                    let post = Post { id, path, earlier, headers: request.headers, body: request.body, at };
                    let answer = answer(&post);
                    let id = post.id.clone();
                    seen.send_modify(|posts| posts.push(post));
                    if matches!(answer, Answer::Hang) {
                        standing.let_go(endpoint, &id);
                    }
                    respond(stream, answer, &swallows).await;
                });
            }
        });
        Self { address, posts, swallowed, accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn posts(&self) -> Vec<Post> {
        self.posts.borrow().clone()
    }

    /// Waits until that many posts have come.
    pub(crate) async fn came(&self, count: usize) -> Vec<Post> {
        self.until(|posts| posts.len() >= count).await
    }

    /// Waits until the posts are as `expect` says.
    pub(crate) async fn until(&self, expect: impl Fn(&[Post]) -> bool) -> Vec<Post> {
        self.posts.subscribe().wait_for(|posts| expect(posts)).await.unwrap().clone()
    }
}

async fn respond(mut stream: TcpStream, answer: Answer, swallows: &watch::Sender<usize>) {
    match answer {
        Answer::Status(status, header) => {
            let header = header.map_or(String::new(), |(name, value)| format!("{name}: {value}\r\n"));
            let text = format!("HTTP/1.1 {status} x\r\n{header}content-length: 5\r\nconnection: close\r\n\r\nno\nok");
            drop(stream.write_all(text.as_bytes()).await);
            drop(stream.shutdown().await);
        }
        Answer::Text(status, text) => {
            let text = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n{text}", text.len());
            drop(stream.write_all(text.as_bytes()).await);
            drop(stream.shutdown().await);
        }
        Answer::Reset => drop(stream.set_zero_linger()),
        Answer::Hang => {
            // Until the other side gives up.
            tokio::time::sleep(Duration::from_hours(1)).await;
        }
        Answer::Endless(status) => {
            let head = format!("HTTP/1.1 {status} x\r\ncontent-type: text/plain\r\n\r\n");
            drop(stream.write_all(head.as_bytes()).await);
            while let Ok(written) = stream.write(&[b'x'; 4096]).await {
                swallows.send_modify(|bytes| *bytes += written);
            }
        }
    }
}
