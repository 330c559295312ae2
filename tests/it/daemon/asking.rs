//! Waves over the API: what is asked for, asked again, contradicted, decided,
//! called off and read back, before a restart and after.

use super::RULES;
use super::asked;
use super::cpu;
use super::gate_path;
use super::good;
use super::home;
use super::open;
use super::shared;
use super::silent;
use super::verdict_path;
use crate::past::service_rules;
use crate::support::daemon::Daemon;
use crate::support::daemon::Home;
use crate::support::daemon::ask;
use crate::support::daemon::wave_path;
use crate::support::valve::Valve;
use serde_json::Value;
use serde_json::json;

fn word(verdict: &str) -> Value {
    json!({"verdict": verdict, "by": "ada", "why": "looked at the dashboards"})
}

fn codes(document: &Value) -> Vec<&str> {
    document["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_wave_id_is_a_name_and_nothing_else() {
    let server = shared();
    let mut daemon = Daemon::start(home(&server.url())).await;
    // Were one of these to change a query, the canary would be that of the good wave.
    let hostile = [
        "x\"} or {wave_id=\"good",
        "x\",wave_id=~\"good.*",
        "good|x",
        "go.d",
        ".*",
        "good\\",
        "\\\"good",
        "{good}",
        "$wave",
        "good' OR '1'='1",
        "../good",
        "goo\u{301}d",
        &"g".repeat(256),
    ];
    for id in hostile {
        let opened = daemon.open(id, &asked(&good())).await;
        assert_eq!(opened["wave_id"], id);
    }
    for id in hostile {
        let held = daemon.settled(&wave_path(id)).await.json();
        assert_eq!((&held["verdict"], &held["state"]), (&json!("pause"), &json!("held")), "{id}: {held}");
        assert!(
            codes(&held).contains(&"no_telemetry") && !codes(&held).contains(&"source_unavailable"),
            "{id}: {held}"
        );
    }
    assert_eq!(daemon.terminate().await, Some(0));
    daemon.restart().await;
    for id in hostile {
        assert_eq!(daemon.get(&wave_path(id)).await.json()["wave_id"], id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_refused_with_its_place_and_changes_nothing() {
    let daemon = Daemon::start(home("http://127.0.0.1:1")).await;
    let too_long = "g".repeat(257);
    for path in ["a%0Ab", "%00", "%FF", too_long.as_str()] {
        let path = format!("/v1/waves/{path}");
        let answer = daemon.put(&path, &asked(&good())).await;
        assert_eq!(answer.problem(), (400, "invalid_wave_id".into(), String::new()), "{path}");
    }
    let endless = format!("/v1/waves/{}", "g".repeat(64 * 1024));
    let answer = daemon.put(&endless, &asked(&good())).await;
    assert!([414, 431].contains(&answer.status), "{}", answer.status);

    let wave = |change: Value| {
        let mut body = asked(&good());
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body
    };
    for (body, status, code, pointer) in [
        (wave(json!({"rules": "checkout"})), 422, "unknown_rules", "/rules"),
        (wave(json!({"rules": [RULES, "checkout"]})), 422, "unknown_rules", "/rules/1"),
        (wave(json!({"rules": "a b"})), 422, "invalid_field", "/rules"),
        (wave(json!({"ruls": RULES})), 422, "invalid_field", "/ruls"),
        (json!({"rules": RULES}), 422, "invalid_field", "/baseline"),
        (wave(json!({"start": "yesterday"})), 422, "invalid_field", "/start"),
        (wave(json!({"start": "2999-01-01T00:00:00Z"})), 422, "invalid_field", "/start"),
        (wave(json!({"deadline": "2025-01-04T14:14:00Z"})), 422, "invalid_field", "/deadline"),
        (wave(json!({"deadline": "2026-01-04T14:14:00Z"})), 422, "invalid_field", "/deadline"),
        (wave(json!({"baseline": "a\nb"})), 422, "invalid_field", "/baseline"),
    ] {
        let answer = daemon.put("/v1/waves/w", &body).await;
        assert_eq!(answer.problem(), (status, code.into(), pointer.into()), "{body}: {}", answer.text());
    }
    let large = json!({"rules": "r".repeat(10 << 20)});
    assert_eq!(daemon.put("/v1/waves/w", &large).await.problem().1, "body_too_large");
    let text = [("content-type", "application/json")];
    let answer = ask(daemon.address(), "PUT", "/v1/waves/w", &text, "{\"rules\":").await;
    assert_eq!(answer.problem().1, "malformed_json");
    assert_eq!(daemon.get("/v1/waves/w").await.problem().1, "no_such_wave");
    assert_eq!(daemon.get("/v1/waves").await.json()["waves"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_put_is_the_same_gate_and_another_run_is_the_next_attempt() {
    let server = shared();
    let (wave, valve) = (good(), Valve::before(server.address()).await);
    valve.let_through(0);
    let mut daemon = Daemon::start(home(&valve.url())).await;
    let path = wave_path("good");
    let opened = daemon.put(&path, &asked(&wave)).await;
    let again = daemon.put(&path, &asked(&wave)).await;
    assert_eq!((opened.text(), &opened.headers["etag"]), (again.text(), &again.headers["etag"]));
    for (field, other) in [
        ("baseline", "other"),
        ("start", "2025-01-04T14:13:21Z"),
        ("deadline", "2025-01-04T15:00:00Z"),
        ("rollout", "other"),
    ] {
        let mut body = asked(&wave);
        body[field] = other.into();
        let pointer = format!("/{field}");
        assert_eq!(daemon.put(&path, &body).await.problem(), (409, "contradiction".into(), pointer));
    }
    assert_eq!(daemon.get(&path).await.text(), opened.text(), "nothing changed");

    let mut run = asked(&wave);
    run["run"] = "ci-1".into();
    let second = daemon.open("good", &run).await;
    assert_eq!((&second["gates"][0]["attempt"], &second["gates"][0]["run"]), (&json!(2), &json!("ci-1")));
    assert_eq!(daemon.open("good", &run).await, second);
    let first = daemon.get(&format!("{}/attempts/1/verdict", gate_path("good"))).await;
    assert_eq!((&first.json()["state"], codes(&first.json())), (&json!("cancelled"), vec!["cancelled"]));
    valve.open();
    let passed = daemon.settled(&verdict_path("good")).await;
    assert_eq!((&passed.json()["verdict"], &passed.json()["attempt"]), (&json!("pass"), &json!(2)));
    assert_eq!(daemon.put(&path, &run).await.text(), daemon.get(&path).await.text(), "final, and still the same run");

    assert_eq!(daemon.terminate().await, Some(0));
    let kinds = ["wave.opened", "wave.cancelled", "wave.opened", "wave.passed"];
    assert_eq!(daemon.left().await.events("good"), kinds);
    daemon.restart().await;
    assert_eq!(daemon.get(&format!("{}/attempts/1/verdict", gate_path("good"))).await.text(), first.text());
    assert_eq!(daemon.get(&format!("{}/attempts/2/verdict", gate_path("good"))).await.text(), passed.text());
    assert_eq!(daemon.put(&path, &run).await.json()["gates"][0]["attempt"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wave_id_that_comes_back_after_days_is_judged_anew() {
    let server = shared();
    let wave = good();
    let mut daemon = Daemon::start(home(&server.url())).await;
    open(&daemon, &wave).await;
    let passed = daemon.settled(&wave_path("good")).await.json();
    assert_eq!(daemon.open("good", &asked(&wave)).await, passed, "within the hour it is the same gate");
    assert_eq!(daemon.terminate().await, Some(0));
    // As if all that had been long ago, so that memory does not hold it any more.
    let ago = "UPDATE gates SET opened_at = opened_at - 2 * 24 * 60 * 60 * 1000";
    let changed = sqlx::query(ago).execute(&mut daemon.shell().await).await.unwrap();
    assert_eq!(changed.rows_affected(), 1);
    daemon.restart().await;
    assert_eq!(daemon.get("/v1/waves").await.json()["waves"], json!([]));
    let again = daemon.open("good", &asked(&wave)).await;
    assert_eq!((&again["verdict"], &again["gates"][0]["attempt"]), (&json!("pause"), &json!(2)), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_before_a_restart_is_read_after_it() {
    let server = shared();
    let waves = [silent(), cpu(), good()];
    let mut daemon = Daemon::start(home(&server.url())).await;
    for wave in &waves {
        open(&daemon, wave).await;
    }
    for wave in &waves {
        daemon.settled(&verdict_path(&wave.id)).await;
    }
    let mut told = vec![(String::from("/v1/waves"), daemon.get("/v1/waves").await)];
    for wave in &waves {
        let last = format!("{}/attempts/1/verdict", gate_path(&wave.id));
        for path in [wave_path(&wave.id), verdict_path(&wave.id), last] {
            told.push((path.clone(), daemon.get(&path).await));
        }
        let revision = format!("{}/attempts/1/revisions/3", gate_path(&wave.id));
        let third = daemon.get(&revision).await;
        assert!(third.headers["cache-control"].contains("immutable"), "{third:?}");
        told.push((revision, third));
    }
    assert_eq!(daemon.terminate().await, Some(0));
    daemon.restart().await;
    for (path, before) in told {
        let after = daemon.get(&path).await;
        assert_eq!((after.text(), after.headers.get("etag")), (before.text(), before.headers.get("etag")), "{path}");
    }
    for nothing in ["attempts/1/revisions/999", "attempts/2/verdict", "attempts/0/verdict", "attempts/1/revisions/x"] {
        let path = format!("{}/{nothing}", gate_path("good"));
        assert_eq!(daemon.get(&path).await.problem().1, "no_such_revision", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_decide_what_is_held_or_failed_and_the_numbers_stay_beside_their_word() {
    let server = shared();
    let (held, failed, passed) = (silent(), cpu(), good());
    let mut daemon = Daemon::start(home(&server.url())).await;
    for wave in [&held, &failed, &passed] {
        open(&daemon, wave).await;
    }
    let decision = |wave: &str| format!("{}/decision", gate_path(wave));
    let before = daemon.settled(&verdict_path(&held.id)).await.json();
    let said = ["state", "healthy", "final"].map(|field| before[field].clone());
    assert_eq!(said, [json!("held"), json!(false), json!(false)]);
    let whole = daemon.post(&format!("{}/decision", wave_path(&held.id)), &word("pass")).await;
    assert_eq!(whole.status, 200, "{}", whole.text());
    let gate = daemon.get(&verdict_path(&held.id)).await.json();
    let said = ["verdict", "state", "healthy", "final"].map(|field| gate[field].clone());
    assert_eq!(said, [json!("pass"), json!("decided"), json!(true), json!(true)]);
    check_overridden(&gate, &before);

    daemon.settled(&verdict_path(&failed.id)).await;
    daemon.settled(&verdict_path(&passed.id)).await;
    let again = daemon.post(&decision(&passed.id), &word("pass")).await;
    assert_eq!(again.problem(), (409, "ambiguous".into(), String::new()));
    let nameless = daemon.post(&decision(&passed.id), &json!({"verdict": "fail", "why": "x"})).await;
    assert_eq!(nameless.problem(), (422, "invalid_field".into(), "/by".into()));

    // Overridden by somebody who comes after a restart.
    assert_eq!(daemon.terminate().await, Some(0));
    daemon.restart().await;
    let before = daemon.get(&verdict_path(&failed.id)).await.json();
    assert_eq!(before["verdict"], "fail");
    assert_eq!(daemon.post(&decision(&failed.id), &word("pass")).await.status, 200);
    let gate = daemon.get(&verdict_path(&failed.id)).await.json();
    assert_eq!(gate["verdict"], "pass");
    check_overridden(&gate, &before);

    assert_eq!(daemon.terminate().await, Some(0));
    let left = daemon.left().await;
    assert_eq!(left.events(&held.id).last(), Some(&"wave.passed"));
    assert_eq!(left.events(&failed.id), ["wave.opened", "wave.failed", "wave.passed"]);
}

/// What a person's word leaves of a gate: everything, with the word before it.
#[track_caller]
fn check_overridden(gate: &Value, before: &Value) {
    assert_eq!(gate["decision"]["by"], "ada");
    assert_eq!(codes(gate), [vec!["decided_by_person"], codes(before)].concat());
    for field in ["checks", "looks", "planned_looks", "evaluated_at"] {
        assert_eq!(gate[field], before[field], "{field}");
    }
    assert_eq!(gate["revision"], before["revision"].as_u64().unwrap() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_gate_stays_cancelled_and_a_wave_of_two_gates_asks_which_one() {
    let server = shared();
    let (wave, valve) = (good(), Valve::before(server.address()).await);
    valve.let_through(0);
    let more = service_rules().replace("name: http-service", "name: more");
    let two = Home::new(&[("http-service.yaml", &service_rules()), ("more.yaml", &more)], Some(&valve.url()), "");
    let mut daemon = Daemon::start(two).await;
    let mut both = asked(&wave);
    both["rules"] = json!([RULES, "more"]);
    let opened = daemon.open("good", &both).await;
    assert_eq!(opened["gates"].as_array().unwrap().len(), 2);
    valve.holds().await;

    let why = json!({"by": "ada", "why": "wrong image"});
    let which = daemon.post(&format!("{}/cancel", wave_path("good")), &why).await;
    assert_eq!(which.problem(), (409, "ambiguous".into(), String::new()));
    assert!(which.text().contains("http-service, more"), "{}", which.text());
    let cancelled = daemon.post(&format!("{}/gates/more/cancel", wave_path("good")), &why).await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.text());
    valve.open();
    daemon.settled(&verdict_path("good")).await;
    let whole = daemon.settled(&wave_path("good")).await.json();
    assert_eq!(
        (&whole["verdict"], &whole["state"], &whole["final"]),
        (&json!("pause"), &json!("cancelled"), &json!(true))
    );
    let late = daemon.post(&format!("{}/gates/more/decision", wave_path("good")), &word("pass")).await;
    assert_eq!(late.problem().0, 409);
    assert_eq!(daemon.terminate().await, Some(0));
    let left = daemon.left().await;
    let of = |rules: &str| {
        let own = left.messages.iter().filter(|message| message["data"]["rules"] == rules);
        own.map(|message| message["type"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(of("more"), ["wave.opened", "wave.cancelled"]);
    assert_eq!(of(RULES), ["wave.opened", "wave.passed"]);
}
