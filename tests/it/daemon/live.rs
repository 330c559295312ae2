//! Waves that happen while they are judged: targets that count, a Prometheus that
//! scrapes them every second.

use crate::support::daemon::Daemon;
use crate::support::daemon::Home;
use crate::support::daemon::wave_path;
use crate::support::http::TestServer;
use crate::support::http::answer;
use crate::support::prometheus::PrometheusServer;
use serde_json::json;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

/// Half of the samples are enough, so that a machine that scrapes late under load
/// judges the same.
const SHOP: &str = r#"
version: 1
name: shop
schedule: { interval: 1s, warmup: 2s, min_duration: 6s, deadline: 60s, settle: 1s }
checks:
  - name: errors
    ratio: { bad: 'http_requests_total{code=~"5.."}', total: http_requests_total }
    tolerance: 1.25x
    pass_within: 2x
telemetry: { coverage: 50% }
"#;

/// An instance that answers so many requests a second, this share of them with 500.
async fn instance(per_second: f64, errors: f64) -> TestServer {
    let begun = Instant::now();
    TestServer::start(move |_, mut stream| async move {
        let requests = begun.elapsed().as_secs_f64() * per_second;
        let (good, bad) = ((requests * (1.0 - errors)).floor(), (requests * errors).floor());
        let text = format!(
            "# TYPE http_requests_total counter\nhttp_requests_total{{code=\"200\"}} {good}\n\
             http_requests_total{{code=\"500\"}} {bad}\n"
        );
        drop(stream.write_all(&answer(&["200 OK", "Content-Type: text/plain"], text)).await);
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_wave_passes_or_fails_by_what_its_canary_does() {
    let (better, worse) = (instance(3000.0, 0.05).await, instance(3000.0, 0.25).await);
    let (first, second) = (instance(3000.0, 0.05).await, instance(3000.0, 0.05).await);
    let targets = [
        (better.address(), &[("wave_id", "better")][..]),
        (worse.address(), &[("wave_id", "worse")]),
        (first.address(), &[("wave_id", "before")]),
        (second.address(), &[("wave_id", "before")]),
    ];
    let server = PrometheusServer::scraping(&targets, Duration::from_secs(1));
    let mut daemon = Daemon::start(Home::new(&[("shop.yaml", SHOP)], Some(&server.url()), "")).await;
    for wave in ["better", "worse"] {
        let opened = daemon.open(wave, &json!({"rules": "shop", "baseline": "before"})).await;
        let said = ["verdict", "state", "healthy"].map(|field| opened[field].clone());
        assert_eq!(said, [json!("pause"), json!("warming_up"), json!(true)], "{opened}");
    }
    let polled = daemon.get(&wave_path("better")).await;
    let seconds: u64 = polled.headers["retry-after"].parse().unwrap();
    assert!((1..=10).contains(&seconds), "{seconds}");

    let worse = daemon.settled(&wave_path("worse")).await.json();
    assert_eq!((&worse["verdict"], &worse["state"]), (&json!("fail"), &json!("decided")), "{worse}");
    let better = daemon.settled(&wave_path("better")).await.json();
    assert_eq!((&better["verdict"], &better["state"]), (&json!("pass"), &json!("decided")), "{better}");
    assert_eq!(daemon.terminate().await, Some(0));
    let left = daemon.left().await;
    assert_eq!(left.events("better").last(), Some(&"wave.passed"));
    assert_eq!(left.events("worse").last(), Some(&"wave.failed"));
}
