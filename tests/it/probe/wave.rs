//! Waves that are judged by probes alone, by a daemon that has no source.

use super::healthy;
use super::nobody;
use crate::support::daemon::Daemon;
use crate::support::daemon::Home;
use crate::support::daemon::run;
use crate::support::daemon::wave_path;
use crate::support::http::TestServer;
use crate::support::http::answer;
use serde_json::Value;
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

/// A gate of a minute, requested each second. Half of the samples are enough, so that
/// a machine that is late under load judges the same.
fn rules(name: &str, canary: SocketAddr, baseline: SocketAddr, more: &str) -> (String, String) {
    let text = format!(
        "version: 1\nname: {name}\ntelemetry: {{ coverage: 50% }}\n\
         schedule: {{ interval: 1s, warmup: 1s, min_duration: 8s, deadline: 1m, settle: 1s }}\nchecks:\n  \
         - name: journey\n    \
         probe: {{ canary: 'http://{canary}/', baseline: 'http://{baseline}/', every: 1s, timeout: 1s }}\n{more}"
    );
    (format!("{name}.yaml"), text)
}

/// Margins that half a minute of requests can show to be kept.
const WIDE: &str = "    errors: { floor: 40% }\n    latency: { tolerance: 20pp, pass_within: 45pp }\n";

async fn daemon(rules: &[(String, String)]) -> Daemon {
    let rules: Vec<(&str, &str)> = rules.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    Daemon::start(Home::new(&rules, None, "")).await
}

/// The document of the gate `rules`, once it is settled.
async fn settled(daemon: &Daemon, rules: &str) -> Value {
    daemon.settled(&format!("{}/gates/{rules}/verdict", wave_path("w").trim_end_matches("/verdict"))).await.json()
}

fn outcomes(document: &Value) -> Vec<(String, String)> {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    document["checks"].as_array().unwrap().iter().map(|check| (word(&check["name"]), word(&check["outcome"]))).collect()
}

#[track_caller]
fn check(document: &Value, verdict: &str, state: &str, failed: Option<&str>) {
    assert_eq!((&document["verdict"], &document["state"]), (&json!(verdict), &json!(state)), "{document:#}");
    let outcomes = outcomes(document);
    assert_eq!(outcomes.len(), 2, "{document:#}");
    let is_failed = |name: &str| outcomes.iter().any(|(found, outcome)| found == name && outcome == "fail");
    if let Some(name) = failed {
        assert!(is_failed(name), "{document:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wave_passes_or_fails_by_what_its_canary_answers_without_any_source() {
    let (good, baseline) = (healthy().await, healthy().await);
    let broken = TestServer::start(|number, mut stream| async move {
        let status = if number % 3 == 0 { "200 OK" } else { "500 Internal Server Error" };
        drop(stream.write_all(&answer(&[status], "")).await);
    })
    .await;
    let slow = TestServer::start(|_, mut stream| async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(stream.write_all(&answer(&["200 OK"], "")).await);
    })
    .await;
    let daemon = daemon(&[
        rules("good", good.address(), baseline.address(), WIDE),
        rules("broken", broken.address(), baseline.address(), ""),
        rules("slow", slow.address(), baseline.address(), ""),
        rules("refused", nobody(), baseline.address(), ""),
        short("absent", good.address(), nobody()),
    ])
    .await;
    daemon.open("w", &json!({"rules": ["good", "broken", "slow", "refused", "absent"]})).await;
    check(&settled(&daemon, "broken").await, "fail", "decided", Some("journey.errors"));
    check(&settled(&daemon, "refused").await, "fail", "decided", Some("journey.errors"));
    check(&settled(&daemon, "slow").await, "fail", "decided", Some("journey.latency"));
    check(&settled(&daemon, "good").await, "pass", "decided", None);
    // Next to a baseline that is gone every canary is good.
    check(&settled(&daemon, "absent").await, "pause", "held", None);
}

/// Over before anything could be told from it, but for what is missing.
fn short(name: &str, canary: SocketAddr, baseline: SocketAddr) -> (String, String) {
    let (file, text) = rules(
        name,
        canary,
        baseline,
        "    errors: { floor: 90% }\n    latency: { tolerance: 30pp, pass_within: 49pp }\n",
    );
    (file, text.replace("deadline: 1m", "deadline: 24s").replace("coverage: 50%", "coverage: 80%"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_was_away_does_not_pass_what_it_did_not_request() {
    let (canary, baseline) = (healthy().await, healthy().await);
    let rules = short("away", canary.address(), baseline.address());
    let mut daemon = daemon(&[(rules.0, rules.1.replace("min_duration: 8s", "min_duration: 20s"))]).await;
    daemon.open("w", &json!({"rules": "away"})).await;
    let path = wave_path("w");
    daemon.until(&path, |document| document["state"] == json!("analyzing")).await;
    daemon.kill9();
    let before = canary.requests().len();
    // It is away for as long as a third of the wave takes, whatever the machine does.
    tokio::time::sleep(Duration::from_secs(8)).await;
    daemon.restart().await;
    let document = daemon.settled(&path).await.json();
    check(&document["gates"][0], "pause", "held", None);
    let missing = ["low_coverage", "no_telemetry"];
    let reasons = document["gates"][0]["reasons"].as_array().unwrap();
    let is_blind = |reason: &Value| missing.iter().any(|code| reason["code"] == json!(code));
    assert!(reasons.iter().any(is_blind), "{document:#}");
    assert!(canary.requests().len() > before, "it went on when it was back");
}

#[test]
fn judge_refuses_what_has_no_past() {
    let (file, text) = rules("shop", nobody(), nobody(), "");
    let home = Home::new(&[(&file, &text)], None, "");
    let path = home.path("rules").join(&file);
    let ended = run(["judge", path.to_str().unwrap(), "--wave", "w"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("`journey.errors` is a probe") && ended.err.contains("only `serve`"), "{ended:?}");
}
