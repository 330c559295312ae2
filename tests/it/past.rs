//! Waves on a real Prometheus, judged in hindsight: each kind of wave gets the
//! verdict that it must have, the same bytes of it from the library, from the
//! command and from the daemon.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use crate::support::daemon::Daemon;
use crate::support::daemon::Ended;
use crate::support::daemon::Home;
use crate::support::daemon::run;
use crate::support::daemon::wave_path;
use crate::support::prometheus::PrometheusServer;
use crate::support::waves::Wave;
use crate::support::waves::openmetrics;
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use wavegate::engine;
use wavegate::engine::JudgedPast;
use wavegate::engine::Past;
use wavegate::rules;
use wavegate::series::Timestamp;
use wavegate::sources::prometheus::Endpoint;
use wavegate::sources::prometheus::Prometheus;
use wavegate::sources::prometheus::Settings;
use wavegate::wave::Verdict;
use wavegate::wave::WaveId;

/// 2025-01-04T14:13:20Z: long ago by the clock of any machine that runs this.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_736_000_000_000);

/// A wave that differs from a good one by `change`.
pub(crate) fn wave(id: &str, change: impl Fn(&mut Wave)) -> Wave {
    let mut wave = Wave::new(id, START);
    wave.seed = id.bytes().map(u64::from).sum();
    change(&mut wave);
    wave
}

/// One wave of each kind, with the verdict it must have and a reason that must be among those given.
fn waves() -> Vec<(Wave, Verdict, &'static str)> {
    vec![
        (wave("good", |_| {}), Verdict::Pass, "all_checks_passed"),
        (wave("errors", |w| w.canary_errors = 0.02), Verdict::Fail, "shift_above_tolerance"),
        (wave("slow", |w| w.latency_factor = 1.3), Verdict::Fail, "shift_above_tolerance"),
        (wave("cpu", |w| w.cpu_factor = 1.4), Verdict::Fail, "shift_above_tolerance"),
        (wave("silent", |w| w.canary_silent_from_minute = Some(5)), Verdict::Pause, "low_coverage"),
        (wave("resets", |w| w.restarts_at_minutes = vec![4, 9, 31]), Verdict::Pass, "all_checks_passed"),
        (
            wave("clean", |w| {
                w.canary_errors = 0.0;
                w.baseline_errors = 0.0;
                w.errors_exported_at_zero = true;
            }),
            Verdict::Pass,
            "all_checks_passed",
        ),
        (wave("outage", |w| w.outage_at_minute = Some(8)), Verdict::Pass, "all_checks_passed"),
        (wave("young", |w| w.canary_from_minute = 0), Verdict::Pass, "all_checks_passed"),
    ]
}

/// The shipped rules, which ask a person about resources; here they fail the wave.
pub(crate) fn service_rules() -> String {
    include_str!("../../rules/http-service.yaml").replace("    on_fail: pause\n", "")
}

async fn judged(source: &Prometheus, wave: &Wave) -> JudgedPast {
    let text = service_rules();
    let rules = rules::parse("http-service.yaml", &text);
    let rules = rules.unwrap_or_else(|faults| panic!("{}", rules::render(&faults, &text))).rules;
    let past = Past {
        wave: WaveId::new(&wave.id).unwrap(),
        baseline: Some(wave.baseline()),
        params: std::collections::BTreeMap::new(),
        class: None,
        start: wave.start,
        until: wave.start + Duration::from_mins(65),
    };
    engine::judge_past(source, &rules, past, |_, _| ()).await.unwrap()
}

fn command(rules: &Path, source: &str, wave: &Wave) -> Ended {
    let (baseline, start) = (wave.baseline(), wave.start.to_string());
    let rules = rules.to_str().unwrap();
    run([
        "judge",
        rules,
        "--wave",
        &wave.id,
        "--baseline",
        &baseline,
        "--start",
        &start,
        "--source",
        source,
        "--format",
        "json",
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_wave_gets_its_verdict_and_the_command_and_the_daemon_give_the_same_bytes() {
    let waves = waves();
    let all: Vec<Wave> = waves.iter().map(|(wave, ..)| wave.clone()).collect();
    let server = PrometheusServer::backfilled(&openmetrics(&all));
    let home = Home::new(&[("http-service.yaml", &service_rules())], Some(&server.url()), "");
    let mut daemon = Daemon::start(home).await;
    let source = Prometheus::new("main", Settings::new(Endpoint::parse(&server.url()).unwrap())).unwrap();
    // The daemon judges all of them at once, while the others judge one after another.
    for wave in &all {
        let asked = json!({"rules": "http-service", "baseline": wave.baseline(), "start": wave.start.to_string()});
        daemon.open(&wave.id, &asked).await;
    }
    let mut wrong = Vec::new();
    for (wave, verdict, reason) in &waves {
        let found = judged(&source, wave).await;
        if found.verdict != *verdict || !found.document.contains(reason) {
            wrong.push(format!("{}: {:?} after {} intervals\n{}", wave.id, found.verdict, found.looks, found.document));
        }
        let code = match verdict {
            Verdict::Pass => 0,
            Verdict::Fail => 10,
            Verdict::Pause => 11,
        };
        let command = command(&daemon.home.path("rules/http-service.yaml"), &server.url(), wave);
        assert_eq!(command, Ended { code: Some(code), out: found.document.clone() + "\n", err: String::new() });
        let gate = format!("{}/gates/http-service/verdict", wave_path(&wave.id));
        assert_eq!(daemon.settled(&gate).await.text(), found.document, "{}", wave.id);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert_eq!(daemon.terminate().await, Some(0));
}
