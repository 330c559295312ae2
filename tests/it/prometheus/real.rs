//! The source against a real Prometheus server: what was written is what comes back.

use crate::support::http::TestServer;
use crate::support::http::answer;
use crate::support::prometheus::PrometheusServer;
use crate::support::waves::Wave;
use crate::support::waves::openmetrics;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::Weak;
use std::time::Duration;
use wavegate::series::Series;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::sources::Answer;
use wavegate::sources::Error;
use wavegate::sources::Grid;
use wavegate::sources::Source;
use wavegate::sources::prometheus::BasicAuth;
use wavegate::sources::prometheus::Endpoint;
use wavegate::sources::prometheus::Prometheus;
use wavegate::sources::prometheus::Secret;
use wavegate::sources::prometheus::Settings;

/// 2026-01-05T10:00:00Z.
const BEGIN: i64 = 1_767_607_200_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(BEGIN + seconds * 1000)
}

fn window(from: i64, to: i64) -> Window {
    Window { from: at(from), to: at(to) }
}

fn source(url: &str) -> Prometheus {
    Prometheus::new("prometheus", Settings::new(Endpoint::parse(url).unwrap())).unwrap()
}

/// A counter scraped every 15 s from the beginning on, worth its seconds; a gauge
/// with all that is not a number; a gauge of one sample.
fn small() -> String {
    let mut lines = Vec::new();
    for seconds in (0..=600).step_by(15) {
        lines.push(format!("seen_total{{pod=\"a\"}} {seconds} {}", BEGIN / 1000 + seconds));
    }
    for (seconds, value) in [(15, "1.5"), (30, "NaN"), (45, "+Inf"), (60, "-Inf"), (75, "0.1")] {
        lines.push(format!("odd{{pod=\"a\"}} {value} {}", BEGIN / 1000 + seconds));
    }
    lines.push(format!("once{{pod=\"a\"}} 7 {}\n# EOF\n", BEGIN / 1000));
    lines.join("\n")
}

/// The server of the tests that only read. It lives while one of them holds it:
/// what a `static` owns is never dropped, and the process would stay behind.
fn shared() -> Arc<PrometheusServer> {
    static HELD: Mutex<Weak<PrometheusServer>> = Mutex::new(Weak::new());
    let mut held = HELD.lock().unwrap();
    held.upgrade().unwrap_or_else(|| {
        let server = Arc::new(PrometheusServer::backfilled(&small()));
        *held = Arc::downgrade(&server);
        server
    })
}

fn values(series: &Series) -> Vec<(i64, f64)> {
    series.samples().iter().map(|sample| (sample.at.as_millis() - BEGIN, sample.value)).collect()
}

fn only(answer: &Answer) -> &Series {
    assert_eq!(answer.series.len(), 1, "{answer:?}");
    &answer.series[0]
}

#[tokio::test]
async fn raw_samples_of_a_wave_are_what_was_exported() {
    let wave = Wave { minutes_before: 5, minutes_after: 5, ..Wave::new("w", at(0)) };
    let text = openmetrics(&[wave]);
    let server = PrometheusServer::backfilled(&text);
    let source = source(&server.url());
    for metric in ["http_requests_total", "http_request_duration_seconds_bucket", "process_cpu_seconds_total"] {
        let mut written: BTreeMap<String, Vec<(i64, f64)>> = BTreeMap::new();
        for line in text.lines().filter(|line| line.starts_with(metric) && line.contains(r#"wave_id="w""#)) {
            let mut words = line.split(' ');
            let (name, value, stamp) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            let millis = stamp.replace('.', "")[..13].parse::<i64>().unwrap() - BEGIN;
            written.entry(name.to_owned()).or_default().push((millis, value.parse().unwrap()));
        }
        let answer = source.raw(&format!(r#"{metric}{{wave_id="w"}}"#), window(-300, 300)).await.unwrap();
        assert_eq!(answer.series.len(), written.len());
        // Labels come in another order, so each series is found by all of them.
        for series in &answer.series {
            let labels: Vec<_> = series.labels().iter().filter(|(name, _)| *name != "__name__").collect();
            let has_all =
                |name: &&String| labels.iter().all(|(label, value)| name.contains(&format!("{label}=\"{value}\"")));
            let name = written.keys().find(has_all).unwrap();
            assert_eq!(values(series), written[name], "{name}");
        }
        assert!(answer.series.is_sorted_by_key(Series::labels));
        assert_eq!((answer.partial, answer.remarks), (None, vec![]));
    }
}

#[tokio::test]
async fn windows_leave_their_start_out_and_take_their_end_in() {
    let server = shared();
    let source = source(&server.url());
    let answer = source.raw(r#"seen_total{pod="a"}"#, window(15, 60)).await.unwrap();
    assert_eq!(values(only(&answer)), [(30_000, 30.0), (45_000, 45.0), (60_000, 60.0)]);
    // A sample on the excluded edge alone is no series.
    assert_eq!(source.raw("once", window(0, 60)).await.unwrap(), Answer::default());
    assert_eq!(values(only(&source.raw("once", window(-1, 0)).await.unwrap())), [(0, 7.0)]);
    assert_eq!(source.raw("once", window(0, 0)).await.unwrap(), Answer::default());
}

#[tokio::test]
async fn what_is_not_finite_is_kept_apart() {
    let server = shared();
    let answer = source(&server.url()).raw("odd", window(0, 600)).await.unwrap();
    let odd = only(&answer);
    assert_eq!(values(odd), [(15_000, 1.5), (75_000, 0.1)]);
    assert_eq!(odd.nan(), [at(30)]);
    assert_eq!(odd.infinite(), [at(45), at(60)]);
}

#[tokio::test]
async fn grids_carry_the_value_at_each_point() {
    let server = shared();
    let source = source(&server.url());
    // Points between scrapes and not aligned to the step see the last sample.
    let from = Timestamp::from_millis(BEGIN + 20_123);
    let grid = Grid { from, to: from + Duration::from_mins(1), step: Duration::from_secs(20) };
    let answer = source.grid("sum by (pod) (seen_total) * 2", grid).await.unwrap();
    assert_eq!(values(only(&answer)), [(20_123, 30.0), (40_123, 60.0), (60_123, 120.0), (80_123, 150.0)]);
    assert_eq!(only(&answer).labels().to_string(), r#"{pod="a"}"#);
}

#[tokio::test]
async fn grids_of_more_points_than_a_server_allows_come_back_whole() {
    let server = shared();
    let source = source(&server.url());
    let grid = Grid { from: at(0), to: at(300), step: Duration::from_millis(12) };
    let answer = source.grid("seen_total", grid).await.unwrap();
    let values = values(only(&answer));
    assert_eq!(values.len(), 25_001);
    assert!(values.iter().enumerate().all(|(i, (at, _))| *at == 12 * i64::try_from(i).unwrap()));
    // Each is worth the seconds of the last scrape.
    let late = values.iter().map(|(at, value)| f64::from(i32::try_from(*at).unwrap()) / 1000.0 - value);
    assert!(late.into_iter().all(|late| (0.0..15.0).contains(&late)));
}

#[tokio::test]
async fn nothing_there_is_an_empty_answer_and_no_error() {
    let server = shared();
    let source = source(&server.url());
    assert_eq!(source.raw("never_seen", window(0, 600)).await.unwrap(), Answer::default());
    assert_eq!(source.raw("seen_total", window(-90_000, -80_000)).await.unwrap(), Answer::default());
    let grid = Grid { from: at(0), to: at(60), step: Duration::from_secs(15) };
    assert_eq!(source.grid("never_seen", grid).await.unwrap(), Answer::default());
}

#[tokio::test]
async fn a_bad_query_is_refused_in_the_servers_words() {
    let server = shared();
    let source = source(&server.url());
    let error = source.raw(r#"seen_total{pod="a""#, window(0, 60)).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    assert!(!error.is_transient());
    let said = error.to_string();
    assert!(
        said.contains("parse error") && said.contains("source `prometheus`") && said.contains("rule file"),
        "{said}"
    );
    let grid = Grid { from: at(0), to: at(60), step: Duration::from_secs(15) };
    let error = source.grid("sum(", grid).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn a_query_that_cannot_run_is_told_from_a_bad_one() {
    let server = shared();
    let grid = Grid { from: at(60), to: at(90), step: Duration::from_secs(15) };
    let many_to_many = r#"seen_total + on () group_left {__name__=~"seen_total|once"}"#;
    let error = source(&server.url()).grid(many_to_many, grid).await.unwrap_err();
    assert!(matches!(error, Error::Execution { status: 422, .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_is_not_prometheus_has_no_such_api() {
    let server = shared();
    let error = source(&format!("{}/wrong", server.url())).raw("up", window(0, 60)).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { status: 404, .. }), "{error:?}");
}

#[tokio::test]
async fn a_stopped_server_is_unreachable_and_answers_when_it_is_back() {
    let mut server = PrometheusServer::backfilled(&small());
    let source = source(&server.url());
    let before = source.raw("seen_total", window(0, 600)).await.unwrap();
    server.stop();
    let error = source.raw("seen_total", window(0, 600)).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }) && error.is_transient(), "{error:?}");
    server.start();
    assert_eq!(source.raw("seen_total", window(0, 600)).await.unwrap(), before);
}

#[tokio::test]
async fn a_live_target_is_scraped_and_read() {
    let target =
        TestServer::answering(vec![answer(&["200 OK", "Content-Type: text/plain; version=0.0.4"], "lamps 4\n")]).await;
    let labels = [("wave_id", "w \"quoted\""), ("pod", "a")];
    let server = PrometheusServer::scraping(&[(target.address(), &labels)], Duration::from_millis(200));
    let source = source(&server.url());
    // The window is wide, since only Prometheus knows what time it is.
    let (from, to) = (at(0), Timestamp::parse("2200-01-01T00:00:00Z").unwrap());
    let scraped = async {
        loop {
            let answer = source.raw(r#"lamps{wave_id="w \"quoted\""}"#, Window { from, to }).await.unwrap();
            if answer.series.first().is_some_and(|lamps| lamps.samples().len() >= 3) {
                break answer.series[0].clone();
            }
        }
    };
    let lamps = tokio::time::timeout(Duration::from_mins(1), scraped).await.expect("three scrapes within a minute");
    assert!(lamps.samples().iter().all(|sample| (sample.value - 4.0).abs() < 1e-9));
    assert_eq!(lamps.labels().get("pod"), Some("a"));
    assert!(target.requests()[0].line.starts_with("GET /metrics"));
}

/// bcrypt of `correct horse`.
const PASSWORD_HASH: &str = "$2b$04$cyIJg7XoDck/qr3iMfgBneHCw.RYL8bvlmc.vEHcybOjJYPOS18zi";

#[tokio::test]
async fn tls_with_an_own_authority_and_a_password() {
    let tls = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tls");
    let web_config = serde_json::json!({
        "tls_server_config": { "cert_file": tls.join("server.pem"), "key_file": tls.join("server.key") },
        "basic_auth_users": { "reader": PASSWORD_HASH },
    });
    let server = PrometheusServer::guarded(&small(), &web_config);
    let url = format!("https://{}", server.address());
    let ask = async |change: &dyn Fn(&mut Settings)| {
        let basic_auth = BasicAuth {
            username: "reader".to_owned(),
            password: Some(Secret::new("correct horse")),
            password_file: None,
        };
        let mut settings = Settings::new(Endpoint::parse(&url).unwrap());
        settings.basic_auth = Some(basic_auth);
        settings.ca_file = Some(tls.join("authority.pem"));
        change(&mut settings);
        Prometheus::new("prometheus", settings).unwrap().raw("seen_total", window(0, 600)).await
    };

    assert_eq!(only(&ask(&|_| {}).await.unwrap()).samples().len(), 40);
    let error = ask(&|settings| settings.basic_auth = None).await.unwrap_err();
    assert!(matches!(error, Error::Denied { status: 401, .. }), "{error:?}");
    let error = ask(&|settings| settings.ca_file = None).await.unwrap_err();
    assert!(matches!(error, Error::Tls { .. }) && !error.is_transient(), "{error:?}");
    let plain = Endpoint::parse(&server.url()).unwrap();
    let error = ask(&|settings| settings.url = plain.clone()).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
}
