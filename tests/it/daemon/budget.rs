//! An error budget of a month, read from a real Prometheus at the first start.

use crate::support::daemon::Daemon;
use crate::support::daemon::Home;
use crate::support::daemon::run;
use crate::support::daemon::wave_path;
use crate::support::prometheus::PrometheusServer;
use crate::support::valve::Valve;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;
use tokio::time::Instant;
use wavegate::engine::Clock;
use wavegate::series::Timestamp;

const RULES: &str = "version: 1\nname: shop\nbudget: { slo: availability }\n\
    schedule: { interval: 1m, warmup: 2m, min_duration: 10m, deadline: 40m, settle: 10s }\n\
    checks:\n  - name: errors\n    ratio: { bad: 'http_requests_total{code=\"500\"}', total: http_requests_total }\n\
    \x20   tolerance: 1.25x\n    pass_within: 2x\n";

const SLO: &str = "[slos.availability]\nservice = 'shop'\nobjective = '98%'\n\
    indicator = { ratio = { bad = 'http_requests_total{code=\"500\"}', total = 'http_requests_total' } }\n";

/// Tenths of a second, for a busy machine.
const PATIENCE: u32 = 1200;

const SCRAPE: Duration = Duration::from_secs(30);

/// Requests and errors between two scrapes: half a percent fail.
const SERVED: (u64, u64) = (2985, 15);

/// `days` of `old`, and since `start` as much again of `new`.
fn served(days: u64, now: Timestamp, start: Timestamp) -> String {
    let mut text = String::from("# TYPE http_requests counter\n");
    for (code, each) in [("200", SERVED.0), ("500", SERVED.1)] {
        for (wave, from) in [("new", start - SCRAPE), ("old", now - Duration::from_hours(days * 24))] {
            let (mut at, mut count) = (from, 0);
            while at <= now {
                let seconds = at.as_seconds();
                writeln!(text, "http_requests_total{{code=\"{code}\",wave_id=\"{wave}\"}} {count} {seconds}").unwrap();
                (at, count) = (at + SCRAPE, count + each);
            }
        }
    }
    text + "# EOF\n"
}

/// The SLO, once all of its past is read: nobody can be told when, so it is asked for.
async fn whole(daemon: &Daemon) -> Value {
    for _ in 0..PATIENCE {
        let slo = daemon.get("/v1/slos/availability").await.json();
        if slo["loading"].is_null() {
            return slo;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it is never read\n{}", daemon.log())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_read_at_the_first_start_and_a_verdict_shows_what_is_left() {
    let now = Clock::System.now();
    let start = Timestamp::from_millis((now.as_millis() / 60_000 - 60) * 60_000);
    let server = PrometheusServer::backfilled_for_weeks(&served(33, now, start));
    let begun = Instant::now();
    let mut daemon = Daemon::start(Home::new(&[("shop.yaml", RULES)], Some(&server.url()), SLO)).await;
    let read = whole(&daemon).await;
    println!("a month of 30 s scrapes was read in {:?}: {}", begun.elapsed(), read["upkeep"]);
    let remaining = read["remaining"].as_f64().unwrap();
    assert!((remaining - 0.75).abs() < 0.001, "{remaining}: half a percent of two is a quarter; {read}");
    assert_eq!((&read["state"], &read["trouble"]), (&json!("ok"), &Value::Null), "{read}");

    daemon.open("new", &json!({"rules": "shop", "baseline": "old", "start": start.to_string()})).await;
    let passed = daemon.settled(&wave_path("new")).await.json();
    let gate = &passed["gates"][0];
    assert_eq!(gate["verdict"], "pass", "{passed}");
    let left = &gate["budget"]["policies"];
    assert!(left.to_string().contains("budget_remaining"), "{}", gate["budget"]);
    let told = (&gate["budget"]["slo"], &gate["budget"]["outcome"]);
    assert_eq!(told, (&json!("availability"), &json!("pass")), "{}", gate["budget"]);

    // Another process goes on where this one was.
    assert_eq!(daemon.terminate().await, Some(0));
    daemon.restart().await;
    let again = whole(&daemon).await;
    assert!((again["remaining"].as_f64().unwrap() - remaining).abs() < 0.001, "{again}");
    assert_eq!(again["waves"]["charged"][0]["wave_id"], "new", "{again}");
    let samples = |slo: &Value| slo["upkeep"]["samples_fetched"].as_u64().unwrap();
    assert!(150_000 < samples(&read), "{read}");
    assert!(samples(&again) < 400, "a few minutes of four series, and not a month again: {again}");

    // The command judges the same wave by an account of its own.
    let (rules, config) = (daemon.home.path("rules/shop.yaml"), daemon.home.path("wavegate.toml"));
    let (rules, config) = (rules.display().to_string(), config.display().to_string());
    let (from, at) = (start.to_string(), now.to_string());
    let judge = ["judge", &rules, "--wave", "new", "--baseline", "old", "--config", &config, "--start", &from];
    let judged = run(judge.into_iter().chain(["--at", &at, "--format", "json"]));
    assert_eq!(judged.code, Some(0), "{judged:?}");
    assert!(judged.err.contains("what other waves spent of the error budget of `availability`"), "{}", judged.err);
    let judged: Value = serde_json::from_str(&judged.out).unwrap();
    assert_eq!(judged["budget"]["wave"], gate["budget"]["wave"]);
}

/// Rules whose looks take more than one batch.
fn patient() -> String {
    RULES.replace(
        "interval: 1m, warmup: 2m, min_duration: 10m, deadline: 40m",
        "interval: 30s, warmup: 2m, min_duration: 45m, deadline: 55m",
    )
}

/// Requests that the daemon gets through before it is killed: while it reads a past of five
/// days, a day at a time with some twenty each; and while it judges.
const LIVES: ([usize; 6], [usize; 6]) = ([0, 7, 31, 19, 44, 3], [0, 2, 5, 9, 3, 6]);

/// Waits until a request is held, or until nothing more is asked than was let through.
async fn held(valve: &Valve) {
    drop(tokio::time::timeout(Duration::from_secs(10), valve.holds()).await);
}

/// Every slice that was kept of the time before `until`.
async fn slices(daemon: &Daemon, until: Timestamp) -> Vec<(i64, Option<f64>, Option<f64>)> {
    let kept = "SELECT start_at, bad, total FROM slices WHERE start_at < ?1 ORDER BY start_at";
    sqlx::query_as(kept).bind(until.as_millis()).fetch_all(&mut daemon.shell().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_reads_a_budget_and_while_it_judges_by_it_its_history_is_that_of_an_undisturbed_daemon() {
    let now = Clock::System.now();
    let start = Timestamp::from_millis((now.as_millis() / 60_000 - 60) * 60_000);
    let server = PrometheusServer::backfilled_for_weeks(&served(7, now, start));
    let home = |url: &str| {
        Home::new(&[("shop.yaml", &patient())], Some(url), &SLO.replace("indicator", "period = '3d'\nindicator"))
    };
    let asked = json!({"rules": "shop", "baseline": "old", "start": start.to_string()});

    let mut undisturbed = Daemon::start(home(&server.url())).await;
    whole(&undisturbed).await;
    undisturbed.open("new", &asked).await;
    undisturbed.settled(&wave_path("new")).await;
    assert_eq!(undisturbed.terminate().await, Some(0));
    let expect = (undisturbed.left().await, slices(&undisturbed, start).await);

    let valve = Valve::before(server.address()).await;
    valve.let_through(0);
    let mut daemon = Daemon::start(home(&valve.url())).await;
    let mut read = Vec::new();
    for requests in LIVES.0 {
        valve.let_through(requests);
        held(&valve).await;
        let slo = daemon.get("/v1/slos/availability").await.json();
        read.extend(slo["loading"].as_f64());
        daemon.kill9();
        valve.cut_off();
        daemon.restart().await;
    }
    assert!(read.is_sorted() && read.iter().any(|share| 0.0 < *share && *share < 1.0), "nothing is lost: {read:?}");
    valve.open();
    whole(&daemon).await;

    valve.let_through(0);
    daemon.open("new", &asked).await;
    let mut revisions = BTreeSet::new();
    for requests in LIVES.1 {
        valve.let_through(requests);
        held(&valve).await;
        daemon.kill9();
        valve.cut_off();
        daemon.restart().await;
        revisions.insert(daemon.get(&wave_path("new")).await.json()["gates"][0]["revision"].as_u64());
    }
    valve.open();
    daemon.settled(&wave_path("new")).await;
    daemon.kill9();
    daemon.restart().await;
    assert_eq!(daemon.terminate().await, Some(0));
    let left = (daemon.left().await, slices(&daemon, start).await);
    assert_eq!(left.0.history("new"), expect.0.history("new"));
    assert!(2 < revisions.len(), "never killed between two looks: {revisions:?}");
    assert_eq!(left.0.events("new"), ["wave.opened", "wave.passed"]);
    let from = expect.1.iter().map(|(at, ..)| *at).min().max(left.1.iter().map(|(at, ..)| *at).min());
    let since = |slices: &[(i64, Option<f64>, Option<f64>)]| {
        slices.iter().filter(|(at, ..)| Some(*at) >= from).copied().collect::<Vec<_>>()
    };
    assert_eq!(since(&left.1), since(&expect.1));
    assert!(5 * 24 * 60 - 120 < since(&left.1).len());
}
