//! Gates that observe: judged like any other, and obeyed by nobody.

use crate::engine::world::NOON;
use crate::engine::world::World;
use crate::engine::world::guarded;
use crate::engine::world::json;
use crate::engine::world::open;
use crate::engine::world::queue;
use crate::engine::world::text;
use crate::engine::world::watched;
use crate::engine::world::wave;
use std::collections::BTreeMap;
use std::time::Duration;
use wavegate::engine;
use wavegate::engine::BookEntry;
use wavegate::engine::JudgedPast;
use wavegate::engine::Past;
use wavegate::engine::Published;
use wavegate::engine::Refusal;
use wavegate::engine::RuleBook;
use wavegate::engine::Word;
use wavegate::wave::EventKind;
use wavegate::wave::Verdict;

fn would(gate: &Published) -> (String, String) {
    let said = json(gate)["would"].clone();
    (said["verdict"].as_str().unwrap().to_owned(), said["state"].as_str().unwrap().to_owned())
}

fn told(world: &World) -> Vec<EventKind> {
    world.store.told.lock().unwrap().iter().map(|(kind, _)| *kind).collect()
}

#[tokio::test(start_paused = true)]
async fn what_would_fail_is_passed_from_the_beginning_and_told_once() {
    let world = World::new().await;
    world.source.set(|behaviour| behaviour.depth = 99.0);
    let opened = world.handle.open(open("w", &["watched"])).await.unwrap();
    assert_eq!((opened.verdict, opened.settled, opened.is_final), (Verdict::Pass, true, false));
    let last = world.is_final("w", Some("watched")).await;
    assert_eq!((last.verdict, would(&last)), (Verdict::Pass, ("fail".to_owned(), "decided".to_owned())));
    let document = json(&last);
    assert_eq!(document["reasons"][0]["code"], "observing", "{}", text(&last));
    assert_eq!(document["checks"][0]["outcome"], "fail");
    assert_eq!(told(&world), [EventKind::Opened, EventKind::Passed]);
    let (_, body) = world.store.told.lock().unwrap().last().cloned().unwrap();
    let event: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&event["type"], &event["data"]["verdict"]), (&"wave.passed".into(), &"pass".into()));
    assert_eq!(event["data"]["would"]["verdict"], "fail");
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_observes_holds_up_no_wave_also_where_it_sees_nothing() {
    let world = World::new().await;
    world.handle.open(open("w", &["checkout", "watched"])).await.unwrap();
    world.until("w", Some("checkout"), |gate| gate.verdict == Verdict::Pass).await;
    let whole = world.now("w", None).await;
    assert_eq!((whole.verdict, whole.settled), (Verdict::Pass, true), "{}", text(&whole));

    world.source.set(|behaviour| behaviour.down = true);
    world.handle.open(open("blind", &["watched"])).await.unwrap();
    let last = world.is_final("blind", None).await;
    assert_eq!(last.verdict, Verdict::Pass);
    let gate = world.now("blind", Some("watched")).await;
    assert_eq!(would(&gate), ("pause".to_owned(), "held".to_owned()));
    assert!(!told(&world).iter().any(|kind| matches!(kind, EventKind::Paused | EventKind::Resumed)));
}

#[tokio::test(start_paused = true)]
async fn a_gate_goes_on_observing_after_a_restart_and_a_reload() {
    let world = World::new().await;
    world.handle.open(open("w", &["watched"])).await.unwrap();
    tokio::time::sleep(Duration::from_secs(90)).await;
    let before = world.now("w", Some("watched")).await;
    let world = world.restarted_after(Duration::from_secs(1)).await;
    assert_eq!(text(&*world.now("w", Some("watched")).await), text(&before));
    // The rules are enforced by now, and this gate began under those that were not.
    world.handle.reload(RuleBook::of([queue("watched")])).await.unwrap();
    world.source.set(|behaviour| behaviour.depth = 99.0);
    let last = world.is_final("w", Some("watched")).await;
    assert_eq!((last.verdict, would(&last).0.as_str()), (Verdict::Pass, "fail"));
}

#[tokio::test(start_paused = true)]
async fn people_call_off_a_gate_that_observes_and_decide_nothing() {
    let world = World::new().await;
    world.handle.open(open("w", &["watched"])).await.unwrap();
    let says = |verdict| Word { verdict, by: "ada".to_owned(), why: "enough".to_owned() };
    for verdict in [Verdict::Pass, Verdict::Fail] {
        let refused = world.handle.word(&wave("w"), None, says(Some(verdict))).await.unwrap_err();
        assert!(matches!(&refused, Refusal::Ambiguous { message } if message.contains("only observes")), "{refused}");
    }
    let cancelled = world.handle.word(&wave("w"), None, says(None)).await.unwrap();
    assert_eq!((cancelled.verdict, cancelled.is_final), (Verdict::Pass, true));
    let gate = json(&*world.now("w", Some("watched")).await);
    assert_eq!((&gate["state"], &gate["would"]["verdict"]), (&"cancelled".into(), &"pause".into()));
    assert_eq!(told(&world), [EventKind::Opened, EventKind::Cancelled]);
}

/// What `judge` says of the wave of [`open`], judged in hindsight.
async fn judged(world: &World, entry: BookEntry) -> JudgedPast {
    let until = NOON + Duration::from_hours(1);
    let (baseline, params) = (Some("old".to_owned()), BTreeMap::new());
    let past = Past { wave: wave("w"), baseline, params, class: None, start: NOON, until };
    engine::judge_past(&*world.source, &entry.rules, past, |_, _| ()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_past_wave_reads_as_the_daemon_has_it_and_passes() {
    let world = World::new().await;
    world.source.set(|behaviour| behaviour.depth = 99.0);
    world.handle.open(open("w", &["watched"])).await.unwrap();
    let last = world.is_final("w", Some("watched")).await;
    let past = judged(&world, watched("watched")).await;
    assert_eq!((past.verdict, past.document.as_str()), (Verdict::Pass, text(&last)));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_could_attest_in_hindsight_is_no_pass() {
    let world = World::new().await;
    let past = judged(&world, guarded("guarded")).await;
    assert_eq!(past.verdict, Verdict::Pause);
    assert!(past.document.contains("\"attestation_missing\""), "{}", past.document);
}
