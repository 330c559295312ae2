//! What is requested, how often, and what it counts as.

use super::healthy;
use super::nobody;
use crate::support::http::TestServer;
use crate::support::http::answer;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use wavegate::engine::Clock;
use wavegate::rules::Probe;
use wavegate::series::Sample;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::sources::Answer;
use wavegate::sources::Error;
use wavegate::sources::Source;
use wavegate::sources::probe::Prober;
use wavegate::telemetry::Metrics;

/// Everything that there may be, 2017 to 2096.
const ALWAYS: Window =
    Window { from: Timestamp::from_millis(1_500_000_000_000), to: Timestamp::from_millis(4_000_000_000_000) };

/// Long enough for an honest server on a busy machine, and there is one each second.
const TIMEOUT: Duration = Duration::from_secs(1);

fn prober() -> (Prober, Arc<Metrics>) {
    let (clock, metrics) = (Clock::System, Arc::new(Metrics::new()));
    (Prober::new(move || clock.now(), Arc::clone(&metrics)), metrics)
}

/// Requested every second.
fn probe(canary: impl std::fmt::Display, baseline: impl std::fmt::Display, timeout: Duration) -> Probe {
    let url = |address: String| format!("http://{address}/");
    let every = Duration::from_secs(1);
    Probe { canary: url(canary.to_string()), baseline: url(baseline.to_string()), every, timeout }
}

/// Asks for a metric of `url` until the answer is `enough`, for a minute.
async fn until(prober: &Prober, metric: &str, url: &str, enough: impl Fn(&Answer) -> bool) -> Answer {
    let selector = format!("{metric}{{url=~\"{url}\"}}");
    let asking = async {
        loop {
            let answer = prober.raw(&selector, ALWAYS).await.unwrap();
            if enough(&answer) {
                break answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), asking).await.expect("enough within a minute")
}

/// Requests so far, by the last sample of each counter with that label.
fn last(answer: &Answer, label: &str, value: &str) -> f64 {
    let of = |samples: &[Sample]| samples.last().map_or(0.0, |sample| sample.value);
    answer.series.iter().filter(|one| one.labels().get(label) == Some(value)).map(|one| of(one.samples())).sum()
}

/// Successes and failures of the canary of `probe` after at least so many requests.
async fn results(prober: &Prober, probe: &Probe, requests: f64) -> (f64, f64) {
    let of = |answer: &Answer| (last(answer, "result", "success"), last(answer, "result", "failure"));
    let enough = |answer: &Answer| of(answer).0 + of(answer).1 >= requests;
    of(&until(prober, Probe::REQUESTS, &probe.canary, enough).await)
}

#[tokio::test]
async fn a_success_is_a_status_of_2xx_and_everything_else_a_failure() {
    let (prober, metrics) = prober();
    let baseline = healthy().await;
    let mut asked = Vec::new();
    for (status, is_good) in [
        ("200 OK", true),
        ("204 No Content", true),
        ("301 Moved Permanently", false),
        ("304 Not Modified", false),
        ("404 Not Found", false),
        ("500 Internal Server Error", false),
        ("503 Service Unavailable", false),
    ] {
        let canary = TestServer::answering(vec![answer(&[status], "")]).await;
        let probe = probe(canary.address(), baseline.address(), TIMEOUT);
        prober.want(&probe, Duration::ZERO).unwrap();
        asked.push((status, is_good, probe, canary));
    }
    for (status, is_good, probe, canary) in &asked {
        let (good, bad) = results(&prober, probe, 1.0).await;
        assert_eq!((good > 0.0, bad > 0.0), (*is_good, !is_good), "{status}");
        let request = &canary.requests()[0];
        assert!(request.line.starts_with("GET / ") && request.headers["user-agent"].starts_with("wavegate/"));
    }
    // A body that breaks off is no success either.
    let short = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfin".to_vec();
    let canary = TestServer::answering(vec![short]).await;
    let probe = probe(canary.address(), baseline.address(), TIMEOUT);
    prober.want(&probe, Duration::ZERO).unwrap();
    let (good, bad) = results(&prober, &probe, 1.0).await;
    assert!(good <= 0.0 && bad > 0.0, "{good} {bad}");
    let told = metrics.encode();
    assert!(told.contains("wavegate_probe_requests_total{outcome=\"failure\"}"), "{told}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (trap, baseline) = (healthy().await, healthy().await);
    let to_trap = format!("Location: {}/", trap.url());
    let canary = TestServer::answering(vec![answer(&["302 Found", &to_trap], "")]).await;
    let (prober, _) = prober();
    let probe = probe(canary.address(), baseline.address(), TIMEOUT);
    prober.want(&probe, Duration::ZERO).unwrap();
    let (good, bad) = results(&prober, &probe, 3.0).await;
    assert!(good <= 0.0 && bad >= 3.0, "{good} {bad}");
    assert_eq!(trap.requests().len(), 0);
}

#[tokio::test]
async fn both_are_requested_at_the_same_moments_and_once_however_many_want_it() {
    let (canary, baseline) = (healthy().await, healthy().await);
    let (prober, _) = prober();
    let probe = probe(canary.address(), baseline.address(), TIMEOUT);
    for _ in 0..5 {
        prober.want(&probe, Duration::ZERO).unwrap();
    }
    let enough = |answer: &Answer| answer.series.len() == 4 && last(answer, "result", "success") >= 8.0;
    let both = until(&prober, Probe::REQUESTS, "http://.*", enough).await;
    let stamps = |url: &str| {
        let own = both.series.iter().filter(|one| one.labels().get("url") == Some(url));
        own.map(|one| one.samples().iter().map(|sample| sample.at).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    assert_eq!(stamps(&probe.canary), stamps(&probe.baseline));
    let counted = stamps(&probe.canary)[0].len();
    assert!(canary.requests().len() <= counted + 1, "{} requests, {counted} counted", canary.requests().len());
    assert_eq!(both.partial, None);
}

#[tokio::test]
async fn a_server_that_hangs_has_one_request_at_a_time_and_is_the_slowest() {
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, peak) = (Arc::clone(&open), Arc::clone(&most));
    let canary = TestServer::start(move |_, mut stream| {
        let (open, most) = (Arc::clone(&now), Arc::clone(&peak));
        async move {
            most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // Until the other side has had enough.
            let _ = stream.read(&mut [0]).await;
            open.fetch_sub(1, Ordering::SeqCst);
        }
    })
    .await;
    let baseline = healthy().await;
    let (prober, _) = prober();
    let probe = probe(canary.address(), baseline.address(), Duration::from_millis(600));
    prober.want(&probe, Duration::ZERO).unwrap();
    assert_eq!(results(&prober, &probe, 4.0).await.0.to_bits(), 0.0_f64.to_bits());
    assert_eq!(most.load(Ordering::SeqCst), 1);
    let buckets = until(&prober, &format!("{}_bucket", Probe::DURATION), &probe.canary, |_| true).await;
    assert_eq!(last(&buckets, "le", "0.6").to_bits(), 0.0_f64.to_bits());
    assert!(last(&buckets, "le", "+Inf") >= 4.0);
}

#[tokio::test]
async fn an_endless_body_is_cut() {
    let canary = TestServer::start(|_, mut stream| async move {
        let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
        let mut more = stream.write_all(head).await;
        while more.is_ok() {
            more = stream.write_all(&[b'x'; 4096]).await;
        }
    })
    .await;
    let baseline = healthy().await;
    let (prober, _) = prober();
    let probe = probe(canary.address(), baseline.address(), TIMEOUT);
    prober.want(&probe, Duration::ZERO).unwrap();
    // Read to its end it would time out, and be a failure.
    let (good, bad) = results(&prober, &probe, 3.0).await;
    assert!(good >= 3.0 && bad <= 0.0, "{good} {bad}");
}

#[tokio::test]
async fn a_canary_that_refuses_connections_fails_while_the_baseline_answers() {
    let baseline = healthy().await;
    let (prober, metrics) = prober();
    let probe = probe(nobody(), baseline.address(), TIMEOUT);
    prober.want(&probe, Duration::ZERO).unwrap();
    let (good, bad) = results(&prober, &probe, 2.0).await;
    assert!(good <= 0.0 && bad >= 2.0, "{good} {bad}");
    assert!(metrics.encode().contains("wavegate_probe_requests_total{outcome=\"no_answer\"}"));
}

/// What is kept of `probe`, of which nothing but `metrics` tells, when more than `requests`
/// had no answer: the round of the last of them may not be kept yet, those before are.
async fn after_silence(prober: &Prober, metrics: &Metrics, probe: &Probe, requests: u64) -> Answer {
    let waiting = async {
        while unanswered(metrics) <= requests {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waiting).await.expect("silence within a minute");
    prober.raw(&format!("{}{{probe=\"{}\"}}", Probe::REQUESTS, probe.key()), ALWAYS).await.unwrap()
}

#[tokio::test]
async fn a_moment_at_which_nobody_answers_is_a_gap_and_no_failure_of_both() {
    let (prober, metrics) = prober();
    let canary = nobody();
    let probe = probe(format!("{canary}/health?token=secret"), nobody(), TIMEOUT);
    prober.want(&probe, Duration::ZERO).unwrap();
    let answer = after_silence(&prober, &metrics, &probe, 2 * 3).await;
    assert_eq!((answer.series, answer.partial), (Vec::new(), None));
    let remark = &answer.remarks[0];
    assert!(remark.contains(&format!("{canary}/health ")) && remark.contains("refused"), "{remark}");
    assert!(!remark.contains("secret"), "{remark}");
}

#[tokio::test]
async fn a_baseline_that_is_gone_leaves_gaps_and_one_that_stumbles_fails() {
    let canary = healthy().await;
    let (prober, metrics) = prober();
    let probe = probe(canary.address(), nobody(), TIMEOUT);
    prober.want(&probe, Duration::ZERO).unwrap();
    let answer = after_silence(&prober, &metrics, &probe, 2 + 3).await;
    assert_eq!((last(&answer, "result", "success"), last(&answer, "result", "failure")), (2.0, 2.0), "{answer:?}");
}

#[tokio::test]
async fn neither_is_always_begun_first() {
    let server = healthy().await;
    let (prober, _) = prober();
    let probe = probe(format!("{}/new", server.address()), format!("{}/old", server.address()), TIMEOUT);
    prober.want(&probe, Duration::ZERO).unwrap();
    results(&prober, &probe, 6.0).await;
    let lines: Vec<String> = server.requests().into_iter().map(|request| request.line).collect();
    let first = lines.chunks_exact(2).filter(|pair| pair[0].starts_with("GET /new")).count();
    assert!((1..lines.len() / 2).contains(&first), "{lines:?}");
}

#[tokio::test]
async fn an_https_address_that_speaks_no_tls_fails() {
    let (canary, baseline) = (healthy().await, healthy().await);
    let (prober, _) = prober();
    let mut probe = probe(canary.address(), baseline.address(), TIMEOUT);
    probe.canary = probe.canary.replace("http:", "https:");
    prober.want(&probe, Duration::ZERO).unwrap();
    let (good, bad) = results(&prober, &probe, 2.0).await;
    assert!(good <= 0.0 && bad >= 2.0, "{good} {bad}");
}

/// How many requests ended without an answer.
fn unanswered(metrics: &Metrics) -> u64 {
    let told = metrics.encode();
    let line = told.lines().find_map(|line| line.strip_prefix("wavegate_probe_requests_total{outcome=\"no_answer\"} "));
    line.map_or(0, |count| count.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_probe_ends_when_nobody_wants_it_and_begins_again() {
    let (prober, metrics) = prober();
    let probe = probe(nobody(), nobody(), TIMEOUT);
    let minutes = |count| tokio::time::sleep(Duration::from_mins(count));
    // Wanted again every four minutes, it goes on.
    for _ in 0..3 {
        prober.want(&probe, Duration::ZERO).unwrap();
        minutes(4).await;
    }
    let requests = unanswered(&metrics);
    assert!(requests >= 2 * 12 * 60 - 20, "{requests}");
    minutes(2).await;
    let ended = unanswered(&metrics);
    minutes(60).await;
    assert_eq!(unanswered(&metrics), ended, "it ended, and its samples with it");
    let left = prober.raw(Probe::REQUESTS, ALWAYS).await.unwrap();
    assert_eq!((left.series, left.remarks), (Vec::new(), Vec::new()));
    // For a gate with long intervals it goes on for as long as that takes.
    prober.want(&probe, Duration::from_mins(30)).unwrap();
    minutes(119).await;
    assert!(unanswered(&metrics) >= ended + 2 * 118 * 60);
}

#[tokio::test(start_paused = true)]
async fn there_are_so_many_probes_at_a_time_and_no_more() {
    let (prober, _) = prober();
    let numbered = |number: u16| probe(format!("127.0.0.1:1/{number}"), "127.0.0.1:1", TIMEOUT);
    let refused = (0..1000).find_map(|number| Some((number, prober.want(&numbered(number), Duration::ZERO).err()?)));
    let (number, error) = refused.expect("a limit");
    assert_eq!(number, 64);
    assert!(matches!(error, Error::TooManyProbes { limit: 64, .. }) && error.is_transient(), "{error:?}");
    prober.want(&numbered(0), Duration::ZERO).unwrap();
    tokio::time::sleep(Duration::from_mins(6)).await;
    prober.want(&numbered(number), Duration::ZERO).unwrap();
}
