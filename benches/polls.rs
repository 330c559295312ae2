//! What a poll costs: wavegate's server against a bare hyper handler that answers
//! with the same bytes, both in this process on one runtime, driven in turns by
//! `wrk` over loopback.
//!
//! `cargo bench --bench polls`. Needs `wrk` (Debian: `apt-get install wrk`).
//! Requests a second include what `wrk` itself takes of the machine's processors,
//! so the processor time of this process is told as well.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "figures are what this program is for")]

mod made_up;

use bytes::Bytes;
use http_body_util::Full;
use hyper::HeaderMap;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::header::DATE;
use hyper::header::ETAG;
use hyper::header::HeaderName;
use hyper::header::HeaderValue;
use hyper::header::IF_NONE_MATCH;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use wavegate::config::Config;
use wavegate::config::Inputs;
use wavegate::engine;
use wavegate::engine::BookEntry;
use wavegate::engine::Clock;
use wavegate::engine::Engine;
use wavegate::engine::Parts;
use wavegate::engine::RuleBook;
use wavegate::http;
use wavegate::judge::State;
use wavegate::judge::Timing;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::sources;
use wavegate::sources::Answer;
use wavegate::sources::Grid;
use wavegate::sources::Pending;
use wavegate::sources::Source;
use wavegate::sources::probe::Prober;
use wavegate::store::Change;
use wavegate::store::SqliteStore;
use wavegate::store::Store;
use wavegate::telemetry;
use wavegate::telemetry::Metrics;
use wavegate::wave::Event;
use wavegate::wire;

/// Pairs of rounds for each kind of poll; the median of their ratios is told.
const PAIRS: usize = 5;
/// What `wrk` is asked for, beside the address.
const WRK: [&str; 4] = ["-t1", "-c32", "-d3s", "--latency"];
const PATH: &str = "/v1/waves/2026-11-23%2F3/verdict";
const RULES: &str = include_str!("../rules/http-service.yaml");
/// The gate has been open for five minutes: a verdict with numbers that is not settled.
const LOOKS: u32 = 20;
/// The kernel's clock ticks a second, the same on every Linux.
const TICKS: f64 = 100.0;

fn main() -> ExitCode {
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("polls: does nothing without --bench");
        return ExitCode::SUCCESS;
    }
    if let Err(error) = Command::new("wrk").arg("-v").output() {
        eprintln!("polls: wrk does not run ({error}); install it (Debian: apt-get install wrk)");
        return ExitCode::FAILURE;
    }
    // As the daemon has it.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let bench = runtime.block_on(start());
    bench.compare(&runtime, "verdict", None);
    bench.compare(&runtime, "unchanged", Some(&bench.etag));
    ExitCode::SUCCESS
}

/// Two servers that answer alike.
struct Bench {
    bare: SocketAddr,
    wavegate: SocketAddr,
    etag: String,
    _folder: tempfile::TempDir,
}

async fn start() -> Bench {
    let folder = tempfile::tempdir().expect("a folder");
    let wavegate = start_wavegate(folder.path()).await;
    let (headers, body) = get(wavegate, None).await;
    let etag = headers[ETAG].to_str().expect("text").to_owned();
    println!("{} bytes of verdict, {} headers, {} processors", body.len(), headers.len(), processors());
    let (unchanged, _) = get(wavegate, Some(&etag)).await;
    let bare = start_bare(Canned { headers, unchanged, body: body.into() }).await;
    for tag in [None, Some(etag.as_str())] {
        assert_eq!(comparable(get(bare, tag).await), comparable(get(wavegate, tag).await), "both answer alike");
    }
    Bench { bare, wavegate, etag, _folder: folder }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

impl Bench {
    fn compare(&self, runtime: &Runtime, name: &str, etag: Option<&str>) {
        println!("\n{name:<22}  requests/s   p50 µs   p99 µs  processor µs a request");
        let (mut rates, mut times) = (Vec::new(), Vec::new());
        for pair in 0..PAIRS {
            // Whoever goes second has warmer caches: they take turns.
            let drive = |address| drive(runtime, address, etag);
            let (bare, wavegate) = if pair % 2 == 0 {
                (drive(self.bare), drive(self.wavegate))
            } else {
                let wavegate = drive(self.wavegate);
                (drive(self.bare), wavegate)
            };
            bare.print("bare hyper");
            wavegate.print("wavegate");
            rates.push(wavegate.rate / bare.rate);
            times.push(wavegate.processor / bare.processor);
        }
        println!("wavegate ÷ bare, median of {PAIRS} pairs:");
        println!("  requests a second  {:.2}", median(rates));
        println!("  processor time     {:.2}", median(times));
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// One round of `wrk`.
struct Round {
    rate: f64,
    p50: f64,
    p99: f64,
    /// Microseconds that this process took for a request.
    processor: f64,
}

impl Round {
    fn print(&self, who: &str) {
        println!("  {who:<20}  {:>10.0} {:>8.0} {:>8.0} {:>8.2}", self.rate, self.p50, self.p99, self.processor);
    }
}

fn drive(runtime: &Runtime, address: SocketAddr, etag: Option<&str>) -> Round {
    let mut command = Command::new("wrk");
    command.args(WRK).arg(format!("http://{address}{PATH}"));
    if let Some(etag) = etag {
        command.arg("-H").arg(format!("If-None-Match: {etag}"));
    }
    let before = processor_seconds();
    // On a thread of its own, so that the runtime has all of its own.
    let output = runtime.block_on(runtime.spawn_blocking(move || command.output()));
    let after = processor_seconds();
    let output = output.expect("no panic").expect("wrk ran before");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "wrk failed: {text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains("Non-2xx") && !text.contains("Socket errors"), "not every poll was answered:\n{text}");
    let after_word = |word: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(word));
        line.and_then(|line| line.split_whitespace().nth(1)).unwrap_or_else(|| panic!("no {word} in\n{text}"))
    };
    let requests = text.lines().find_map(|line| line.split_once(" requests in")).expect("a count").0;
    let requests: f64 = requests.trim().parse().expect("a number");
    Round {
        rate: after_word("Requests/sec:").parse().expect("a number"),
        p50: microseconds(after_word("50%")),
        p99: microseconds(after_word("99%")),
        processor: (after - before) * 1e6 / requests,
    }
}

/// `wrk` writes `123.00us`, `1.23ms` or `1.00s`.
fn microseconds(text: &str) -> f64 {
    let (number, factor) = [("us", 1.0), ("ms", 1e3), ("s", 1e6)]
        .into_iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))
        .expect("a time");
    number.parse::<f64>().expect("a number") * factor
}

/// What this process has had of the processors, its threads together.
fn processor_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").expect("Linux");
    // The name in parentheses may hold spaces; user and system time are the 14th and 15th field.
    let fields = text.rsplit_once(')').expect("a name").1.split_whitespace();
    fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("ticks")).sum::<f64>() / TICKS
}

/// The server itself: engine, store and all, with one gate that was judged for five
/// minutes and whose source is silent.
async fn start_wavegate(folder: &std::path::Path) -> SocketAddr {
    let config = Config::load(&Inputs::default()).expect("the defaults");
    let logs = telemetry::LogSettings { level: "warn".to_owned(), ..config.log.clone() };
    let _ = telemetry::init(&logs, None).expect("the first subscriber");
    let clock = Clock::System;
    let mut settings = config.store.clone();
    settings.path = folder.join("wavegate.db");
    let store = SqliteStore::open(&settings).await.expect("a store");
    store.commit(&judged(clock.now())).await.expect("committed");
    let entry = BookEntry { rules: made_up::rules_of(RULES), text: RULES.to_owned() };
    let metrics = Arc::new(Metrics::new());
    let parts = Parts {
        clock,
        store: Arc::new(store),
        sources: BTreeMap::from([("main".to_owned(), Arc::new(Silent) as Arc<dyn Source>)]),
        prober: Arc::new(Prober::new(move || clock.now(), Arc::clone(&metrics))),
        book: RuleBook::of([entry]),
        settings: config.engine.clone(),
        metrics: Arc::clone(&metrics),
    };
    let (engine, handle) = Engine::start(parts).await.expect("started");
    tokio::spawn(engine.run(CancellationToken::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let access = http::Access::new(address, &[]).expect("loopback");
    let api = http::Api::new(handle, config.http, access, metrics, move || clock.now());
    tokio::spawn(http::serve(listener, api, std::future::pending()));
    address
}

/// A gate from its opening to its last look, just before `now`.
fn judged(now: Timestamp) -> Vec<Change> {
    let rules = made_up::rules_of(RULES);
    let start = now - rules.schedule.interval * LOOKS;
    let timing = Timing::new(&rules.schedule, start, None, None);
    let opened = made_up::opened(&rules, start);
    let opening = Change {
        charge: None,
        wave: opened.id.clone(),
        rollout: opened.rollout.clone(),
        gate: opened.gates[0].clone(),
        rules_text: Some(RULES.to_owned()),
        evidence: Vec::new(),
        document: Some(wire::gate_document(&opened, &opened.gates[0])),
        messages: Vec::new(),
        audit: Vec::new(),
    };
    let (wave, timed) = engine::apply(&opened, &rules.name, Event::Timed(timing), start);
    let evidence = made_up::evidence(&rules, &timing, LOOKS);
    let advanced = engine::advance(&wave, &rules, &State::new(&rules, timing), evidence);
    [opening].into_iter().chain(timed).chain(advanced.changes).collect()
}

/// A source that never answers.
struct Silent;

impl Source for Silent {
    fn name(&self) -> &'static str {
        "main"
    }

    fn raw<'a>(&'a self, _: &'a str, _: Window) -> Pending<'a, Result<Answer, sources::Error>> {
        Box::pin(std::future::pending())
    }

    fn grid<'a>(&'a self, _: &'a str, _: Grid) -> Pending<'a, Result<Answer, sources::Error>> {
        Box::pin(std::future::pending())
    }
}

/// What the bare server knows.
struct Canned {
    headers: HeaderMap,
    unchanged: HeaderMap,
    body: Bytes,
}

impl Canned {
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let known = request.headers().get(IF_NONE_MATCH).is_some_and(|tag| tag == self.headers[ETAG]);
        let (status, headers, body) = if known {
            (StatusCode::NOT_MODIFIED, &self.unchanged, Bytes::new())
        } else {
            (StatusCode::OK, &self.headers, self.body.clone())
        };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers.clone();
        response
    }
}

async fn start_bare(mut canned: Canned) -> SocketAddr {
    for headers in [&mut canned.headers, &mut canned.unchanged] {
        // hyper writes it.
        headers.remove(DATE);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let canned = Arc::new(canned);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("accepted");
            stream.set_nodelay(true).expect("a socket");
            let canned = Arc::clone(&canned);
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let canned = Arc::clone(&canned);
                    async move { Ok::<_, Infallible>(canned.answer(&request)) }
                });
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

/// One poll, by hand.
async fn get(address: SocketAddr, etag: Option<&str>) -> (HeaderMap, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let tag = etag.map_or(String::new(), |etag| format!("if-none-match: {etag}\r\n"));
    let request =
        format!("GET {PATH} HTTP/1.1\r\nhost: {address}\r\nx-request-id: 1\r\n{tag}connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(5), read).await.expect("in time").expect("read");
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n").expect("a header");
    let header = std::str::from_utf8(&answer[..end]).expect("text");
    let status = if etag.is_some() { "304" } else { "200" };
    assert!(header.starts_with(&format!("HTTP/1.1 {status} ")), "{header}");
    let line = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        Some((name.parse::<HeaderName>().ok()?, value.parse::<HeaderValue>().ok()?))
    };
    let mut headers: HeaderMap = header.lines().skip(1).filter_map(line).collect();
    headers.remove("connection");
    (headers, answer[end + 4..].to_vec())
}

/// An answer without what differs from one second to the next.
fn comparable((mut headers, body): (HeaderMap, Vec<u8>)) -> (Vec<(String, HeaderValue)>, Vec<u8>) {
    for name in ["date", "retry-after"] {
        assert!(headers.remove(name).is_some(), "{name}");
    }
    let mut fields: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    (fields, body)
}
