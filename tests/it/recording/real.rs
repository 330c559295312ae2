//! Waves on a real Prometheus, recorded by the command and by the daemon.

use crate::past::service_rules;
use crate::past::wave;
use crate::support::daemon::Daemon;
use crate::support::daemon::Ended;
use crate::support::daemon::Home;
use crate::support::daemon::run;
use crate::support::daemon::wave_path;
use crate::support::prometheus::PrometheusServer;
use crate::support::waves::Wave;
use crate::support::waves::openmetrics;
use serde_json::json;
use sqlx::Executor as _;
use std::path::Path;
use std::time::Duration;

/// Wave, what is known of it, and the exit code of its verdict.
fn waves() -> Vec<(Wave, &'static str, i32)> {
    vec![
        (wave("good", |_| {}), "good", 0),
        (wave("errors", |w| w.canary_errors = 0.02), "bad", 10),
        (wave("silent", |w| w.canary_silent_from_minute = Some(5)), "bad", 11),
    ]
}

fn record(arguments: &[&str]) -> String {
    let ended = run([&["record"], arguments].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.out
}

fn replay(path: &Path) -> Ended {
    run(["replay", path.to_str().unwrap(), "--format", "json"])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_and_the_command_record_what_replays_to_the_published_bytes() {
    let waves = waves();
    let all: Vec<Wave> = waves.iter().map(|(wave, ..)| wave.clone()).collect();
    let server = PrometheusServer::backfilled(&openmetrics(&all));
    let home = Home::new(&[("http-service.yaml", &service_rules())], Some(&server.url()), "");
    let mut daemon = Daemon::start(home).await;
    let rules = daemon.home.path("rules/http-service.yaml");
    let address = format!("http://{}", daemon.address());
    for wave in &all {
        let asked = json!({"rules": "http-service", "baseline": wave.baseline(), "start": wave.start.to_string(),
            "run": "r-1", "rollout": "spring"});
        daemon.open(&wave.id, &asked).await;
    }
    let folder = daemon.home.path("recordings");
    std::fs::create_dir(&folder).unwrap();
    for (wave, label, code) in &waves {
        let gate = format!("{}/gates/http-service/verdict", wave_path(&wave.id));
        let published = daemon.settled(&gate).await.text();
        let (by_daemon, by_command) =
            (daemon.home.path(&format!("{}.recording", wave.id)), folder.join(format!("{}.recording", wave.id)));
        let to = by_daemon.to_str().unwrap();
        let said = record(&["--from-daemon", "--wave", &wave.id, "--server", &address, "--out", to]);
        assert!(said.contains("intervals, 0 answers"), "{said}");
        assert_eq!(replay(&by_daemon), Ended { code: Some(*code), out: published + "\n", err: String::new() });

        let (to, start) = (by_command.to_str().unwrap(), wave.start.to_string());
        let until = (wave.start + Duration::from_mins(65)).to_string();
        let past =
            ["--wave", &wave.id, "--baseline", &wave.baseline(), "--start", &start, "--at", &until].map(str::to_owned);
        let mut arguments = vec![rules.to_str().unwrap(), "--source", &server.url(), "--label", label, "--out", to]
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        arguments.extend(past.clone());
        record(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let judge = |source: &str| {
            let mut arguments: Vec<String> =
                vec!["judge".into(), rules.to_str().unwrap().into(), "--source".into(), source.into()];
            arguments.extend(past.clone());
            arguments.extend(["--format".to_owned(), "json".to_owned()]);
            run(arguments)
        };
        let judged = judge(&server.url());
        assert_eq!(replay(&by_command), judged, "{}", wave.id);
        assert_eq!(judge(to), judged, "{}: a recording is a source", wave.id);
    }
    let scored = run(["backtest", folder.to_str().unwrap(), "--format", "json"]);
    let found: serde_json::Value = serde_json::from_str(&scored.out).unwrap();
    assert_eq!(
        (scored.code, &found["score"]["misses"], &found["score"]["blind_passes"]),
        (Some(0), &json!(0), &json!(0))
    );

    a_persons_word_is_recorded(&daemon, &address).await;
    evidence_that_is_not_kept_is_gone(&mut daemon).await;
}

async fn a_persons_word_is_recorded(daemon: &Daemon, address: &str) {
    let gate = format!("{}/gates/http-service", wave_path("silent"));
    let word = json!({"verdict": "pass", "by": "kim", "why": "it has no traffic"});
    assert_eq!(daemon.post(&format!("{gate}/decision"), &word).await.status, 200);
    let published = daemon.get(&format!("{gate}/verdict")).await.text();
    let path = daemon.home.path("decided.recording");
    record(&[
        "--from-daemon",
        "--wave",
        "silent",
        "--rules",
        "http-service",
        "--server",
        address,
        "--out",
        path.to_str().unwrap(),
    ]);
    assert_eq!(replay(&path), Ended { code: Some(0), out: published + "\n", err: String::new() });
}

async fn evidence_that_is_not_kept_is_gone(daemon: &mut Daemon) {
    let missing = daemon.get("/v1/waves/nobody/gates/http-service/recording").await;
    assert_eq!(missing.problem().1, "no_such_wave");
    let missing = daemon.get(&format!("{}/gates/other/recording", wave_path("good"))).await;
    assert_eq!(missing.problem().1, "no_such_gate");
    assert_eq!(daemon.terminate().await, Some(0));
    daemon.shell().await.execute("DELETE FROM evidence").await.unwrap();
    daemon.restart().await;
    let gone = daemon.get(&format!("{}/gates/http-service/recording", wave_path("good"))).await;
    let (status, code, _) = gone.problem();
    assert_eq!((status, &*code), (410, "evidence_not_kept"), "{}", gone.text());
    assert!(gone.text().contains("retention"), "{}", gone.text());
    assert_eq!(daemon.terminate().await, Some(0));
}
