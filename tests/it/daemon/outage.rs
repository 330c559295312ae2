//! A source that goes away and comes back: meanwhile the gate waits and says so,
//! then it decides on the evidence it would have had.

use super::RULES;
use super::asked;
use super::good;
use super::home;
use super::open;
use super::shared;
use super::verdict_path;
use crate::past::service_rules;
use crate::support::daemon::Daemon;
use crate::support::daemon::Home;
use crate::support::daemon::run;
use crate::support::daemon::wave_path;
use crate::support::http::answer;
use crate::support::http::json;
use crate::support::prometheus::PrometheusServer;
use crate::support::valve::Valve;
use crate::support::waves::openmetrics;
use serde_json::Value;
use serde_json::json;
use std::fmt::Write as _;

fn is_blind(document: &Value) -> bool {
    document["reasons"][0]["code"] == "source_unavailable"
}

/// The document less its revision, which counts the outage as well.
fn without_revision(document: &str) -> Value {
    let mut document: Value = serde_json::from_str(document).unwrap();
    assert!(document["revision"].take().is_u64());
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_stopped_midway_and_back_is_a_pause_and_then_the_same_verdict() {
    let wave = good();
    let mut server = PrometheusServer::backfilled(&openmetrics(std::slice::from_ref(&wave)));
    let valve = Valve::before(server.address()).await;
    let home = home(&valve.url());
    let rules = home.path("rules/http-service.yaml").display().to_string();
    let (start, baseline) = (wave.start.to_string(), wave.baseline());
    let undisturbed = run([
        "judge",
        &rules,
        "--wave",
        &wave.id,
        "--baseline",
        &baseline,
        "--start",
        &start,
        "--source",
        &server.url(),
        "--format",
        "json",
    ]);
    assert_eq!(undisturbed.code, Some(0), "{}", undisturbed.err);

    let mut daemon = Daemon::start(home).await;
    // The survey, one batch of looks, and half of another.
    valve.let_through(18);
    open(&daemon, &wave).await;
    valve.holds().await;
    server.stop();
    valve.open();
    let gate = verdict_path(&wave.id);
    let blind = daemon.until(&gate, is_blind).await.json();
    let said = ["verdict", "state", "healthy", "settled", "final"].map(|field| blind[field].clone());
    assert_eq!(said, [json!("pause"), json!("analyzing"), json!(false), json!(false), json!(false)], "{blind}");
    assert!(blind["looks"].as_u64() > Some(0), "the outage is not in the middle: {blind}");
    let whole = daemon.get(&wave_path(&wave.id)).await.json();
    assert_eq!((&whole["healthy"], &whole["verdict"]), (&json!(false), &json!("pause")));

    server.start();
    let decided = daemon.settled(&gate).await.text();
    assert_eq!(without_revision(&decided), without_revision(&undisturbed.out));
    assert_eq!(daemon.terminate().await, Some(0));
    let left = daemon.left().await;
    left.history(&wave.id);
    assert_eq!(left.events(&wave.id), ["wave.opened", "wave.paused", "wave.resumed", "wave.passed"]);
}

/// A kind of nonsense, and words that say what it was.
fn nonsense() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let page = "<!doctype html><title>Log in</title>";
    vec![
        ("html", answer(&["200 OK", "Content-Type: text/html"], page), "text/html"),
        ("broken", answer(&["500 Internal Server Error"], "{\"status\":\"error\",\"error\":\"disk on fire\"}"), "500"),
        ("garbage", json(b"\x00\xff{\"status\":\"succ"), "not Prometheus"),
        ("silence", Vec::new(), "connection"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_for_an_answer_is_a_pause_that_says_what_came_and_ends_with_it() {
    let server = shared();
    let wave = good();
    let (mut valves, mut sources, mut rules) = (Vec::new(), String::new(), Vec::new());
    for (name, bytes, _) in nonsense() {
        let valve = Valve::before(server.address()).await;
        valve.answer(bytes);
        write!(sources, "[sources.{name}.prometheus]\nurl = '{}'\nretries = 0\n", valve.url()).unwrap();
        let own = service_rules().replace(&format!("name: {RULES}"), &format!("name: {name}\nsource: {name}"));
        rules.push((format!("{name}.yaml"), own));
        valves.push(valve);
    }
    let rules: Vec<(&str, &str)> = rules.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    let mut daemon = Daemon::start(Home::new(&rules, None, &sources)).await;
    let mut all = asked(&wave);
    all["rules"] = nonsense().iter().map(|(name, ..)| *name).collect();
    daemon.open(&wave.id, &all).await;
    let path = |name: &str| format!("{}/gates/{name}/verdict", wave_path(&wave.id));
    for (name, _, words) in nonsense() {
        let blind = daemon.until(&path(name), is_blind).await.json();
        assert_eq!((&blind["verdict"], &blind["healthy"]), (&json!("pause"), &json!(false)), "{blind}");
        let message = blind["reasons"][0]["message"].as_str().unwrap();
        assert!(message.contains(words) && message.contains(name), "{message}");
    }
    assert_eq!(daemon.get("/readyz").await.status, 200, "a source that is down is no reason to restart");
    valves.iter().for_each(Valve::open);
    for (name, ..) in nonsense() {
        assert_eq!(daemon.settled(&path(name)).await.json()["verdict"], "pass", "{name}");
    }
    assert_eq!(daemon.settled(&wave_path(&wave.id)).await.json()["verdict"], "pass");
    assert_eq!(daemon.terminate().await, Some(0));
}
