//! The tour that a new user takes first, as a process: both verdicts, for the reason
//! that was built in, and a webhook that somebody else's library calls genuine.

use crate::support::daemon::run;
use crate::support::daemon::wavegate;
use serde_json::Value;
use standardwebhooks::Webhook;
use std::io::BufRead as _;
use std::io::BufReader;
use std::process::Command;
use std::process::Stdio;

#[track_caller]
fn verified(webhook: &Value) {
    let text = |key: &str| webhook[key].as_str().expect("text");
    let mut headers = reqwest::header::HeaderMap::new();
    for (name, key) in [("webhook-id", "id"), ("webhook-timestamp", "timestamp"), ("webhook-signature", "signature")] {
        headers.insert(name, text(key).parse().expect("a value"));
    }
    let verifier = Webhook::new(text("secret")).expect("a secret");
    verifier.verify(text("body").as_bytes(), &headers).expect("a genuine signature");
}

#[test]
fn the_bad_wave_fails_for_its_errors_the_good_one_passes_and_the_webhook_is_genuine() {
    let ended = run(["demo", "--once", "--format", "json"]);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.err, ended.out);
    let outcome: Value = serde_json::from_str(&ended.out).expect("one object");
    assert_eq!(outcome["as_promised"], true);

    let [bad, good] = ["bad", "good"].map(|wave| {
        let waves = outcome["waves"].as_array().expect("waves");
        waves.iter().find(|document| document["wave_id"] == wave).expect("both").clone()
    });
    assert_eq!((&bad["verdict"], &good["verdict"]), (&"fail".into(), &"pass".into()));
    let check = |name: &str| {
        let checks = bad["gates"][0]["checks"].as_array().expect("checks");
        checks.iter().find(|check| check["name"] == name).expect("it is there").clone()
    };
    assert_eq!(check("errors")["outcome"], "fail");
    assert_ne!(check("latency")["outcome"], "fail");

    verified(&outcome["webhook"]);
    let event: Value = serde_json::from_str(outcome["webhook"]["body"].as_str().expect("text")).expect("JSON");
    assert_eq!((&event["type"], &event["data"]["wave_id"]), (&"wave.failed".into(), &"bad".into()));
    assert!(ended.err.contains("wave good: pass decided"), "{}", ended.err);
}

#[test]
fn stopped_early_it_leaves_nothing_behind() {
    for signal in ["INT", "TERM", "HUP"] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut demo = wavegate(["demo", "--once"]);
        demo.env("TMPDIR", folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = demo.spawn().expect("the binary runs");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("wave bad: ")), "it has begun");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
        let kill = format!("kill -{signal} {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
        let last = lines.last();
        assert_eq!(child.wait().expect("its end").code(), Some(1), "{signal}");
        assert_eq!(last.as_deref(), Some("error: stopped before the verdicts"), "{signal}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "{signal}");
    }
}
