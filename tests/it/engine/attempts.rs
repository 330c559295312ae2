//! Attempts: what a request means that comes again.

use crate::engine::world::NOON;
use crate::engine::world::ROOMY;
use crate::engine::world::Sizes;
use crate::engine::world::World;
use crate::engine::world::json;
use crate::engine::world::named;
use crate::engine::world::open;
use crate::engine::world::queue;
use crate::engine::world::text;
use crate::engine::world::wave;
use std::time::Duration;
use wavegate::engine::Open;
use wavegate::engine::Refusal;
use wavegate::engine::RuleBook;
use wavegate::wave::Verdict;

fn run(run: &str, start: Duration) -> Open {
    Open { run: Some(run.to_owned()), start: Some(NOON + start), ..open("w", &["errors"]) }
}

#[tokio::test(start_paused = true)]
async fn a_new_attempt_is_not_looked_at_when_the_old_one_was_due() {
    let world = World::new().await;
    world.handle.open(run("a", Duration::from_hours(1))).await.unwrap();
    world.handle.open(run("b", Duration::from_hours(5))).await.unwrap();
    tokio::time::sleep(Duration::from_hours(2)).await;
    let scheduled = world.now("w", None).await;
    assert_eq!(json(&scheduled)["state"], "scheduled", "{}", text(&scheduled));
    assert_eq!(world.source.asked(), []);
    world.until("w", None, |published| published.settled).await;
}

#[tokio::test(start_paused = true)]
async fn a_fetch_of_an_old_attempt_says_nothing_of_the_new_one() {
    let world = World::new().await;
    let asked = |run: &str| Open { run: Some(run.to_owned()), ..open("w", &["checkout"]) };
    world.handle.open(asked("a")).await.unwrap();
    world.until("w", None, |published| !text(published).contains("\"deadline\":null")).await;
    world.source.set(|behaviour| (behaviour.slow, behaviour.depth) = (true, 99.0));
    while !world.source.asked().iter().any(|(_, span, _)| NOON <= span.from) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    world.handle.open(asked("b")).await.unwrap();
    // Only now does the answer to the old attempt arrive, and it was a bad one. The
    // new one may have asked for the scrape interval meanwhile.
    world.source.answers.add_permits(2);
    world.source.set(|behaviour| (behaviour.slow, behaviour.depth) = (false, 1.0));
    let last = world.is_final("w", Some("checkout")).await;
    assert_eq!((json(&last)["attempt"].as_u64(), last.verdict), (Some(2), Verdict::Pass), "{}", text(&last));
    let first = world.handle.archived(&wave("w"), &named("checkout"), 1, None).await.unwrap().unwrap();
    assert!(first.contains("\"cancelled\""), "{first}");
}

#[tokio::test(start_paused = true)]
async fn who_asks_by_putting_sees_the_verdict_for_as_long_as_who_gets() {
    let world = World::new().await;
    let put = || Open { start: None, ..open("w", &["checkout"]) };
    let mut last = world.handle.open(put()).await.unwrap();
    while world.clock.now() < NOON + Duration::from_hours(5) {
        tokio::time::sleep(Duration::from_secs(30)).await;
        last = world.handle.open(put()).await.unwrap();
    }
    assert_eq!((last.verdict, &*last.etag), (Verdict::Pass, &*world.now("w", None).await.etag));
    assert_eq!(json(&last)["gates"][0]["attempt"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_verdict_that_nobody_asked_for_yet_is_told_before_anything_begins_anew() {
    let world = World::new().await;
    world.source.set(|behaviour| behaviour.down = true);
    world.handle.open(open("w", &["checkout"])).await.unwrap();
    tokio::time::sleep(Duration::from_mins(70)).await;
    // Fails only now, at a look of long ago.
    world.source.set(|behaviour| (behaviour.down, behaviour.depth) = (false, 99.0));
    tokio::time::sleep(Duration::from_mins(5)).await;
    let told = world.handle.open(Open { start: None, ..open("w", &["checkout"]) }).await.unwrap();
    assert_eq!(told.verdict, Verdict::Fail, "{}", text(&told));
}

#[tokio::test(start_paused = true)]
async fn an_id_that_comes_back_after_a_while_begins_anew() {
    let world = World::new().await;
    world.handle.open(Open { start: None, ..open("w", &["checkout"]) }).await.unwrap();
    world.is_final("w", None).await;
    tokio::time::sleep(Duration::from_mins(59)).await;
    let same = world.handle.open(Open { start: None, ..open("w", &["checkout"]) }).await.unwrap();
    assert_eq!(json(&same)["gates"][0]["attempt"], 1);
    tokio::time::sleep(Duration::from_mins(61)).await;
    let anew = world.handle.open(Open { start: None, ..open("w", &["checkout"]) }).await.unwrap();
    assert_eq!(json(&anew)["gates"][0]["attempt"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_wave_that_left_memory_is_read_from_the_store() {
    let world = World::new().await;
    world.handle.open(open("w", &["checkout"])).await.unwrap();
    let before = world.is_final("w", None).await;
    let world = world.restarted_after(Duration::from_hours(48)).await;
    assert_eq!(world.handle.waves(), []);
    assert_eq!(world.now("w", None).await, before);
    let nobody = world.handle.watch(&wave("nobody"), None).await;
    assert_eq!(nobody.err(), Some(Refusal::NoSuchWave { wave: "nobody".to_owned() }));
}

#[tokio::test(start_paused = true)]
async fn asking_again_is_answered_though_the_rules_are_gone_and_no_gate_has_room() {
    let world = World::new().await;
    let asked = open("w", &["checkout", "payments"]);
    world.handle.open(asked.clone()).await.unwrap();
    let before = world.until("w", None, |published| published.etag == "\"1.2-1.2\"").await;
    let world = world.restarted(Sizes { max_open_gates: 1, ..ROOMY }, Duration::ZERO).await;
    world.handle.reload(RuleBook::of([queue("other")])).await.unwrap();
    assert_eq!(world.handle.open(asked).await, Ok(before));
    let more = world.handle.open(open("v", &["other"])).await;
    assert_eq!(more, Err(Refusal::Full { open: 2, limit: 1 }));
    let gone = world.handle.open(open("v", &["checkout"])).await;
    assert!(matches!(gone, Err(Refusal::UnknownRules { index: 0, .. })), "{gone:?}");
}

#[tokio::test(start_paused = true)]
async fn hostile_times_are_refused_with_their_place() {
    let world = World::new().await;
    let asked = |start: i64, deadline: Option<i64>| Open {
        start: Some(wavegate::series::Timestamp::from_millis(start)),
        deadline: deadline.map(wavegate::series::Timestamp::from_millis),
        ..open("w", &["checkout"])
    };
    for (start, deadline, pointer) in [
        (i64::MIN, None, "/start"),
        (-1, None, "/start"),
        (i64::MAX, None, "/start"),
        (253_402_300_799_000, None, "/start"),
        (NOON.as_millis(), Some(i64::MIN), "/deadline"),
        (NOON.as_millis(), Some(i64::MAX), "/deadline"),
        (NOON.as_millis(), Some(NOON.as_millis()), "/deadline"),
        (0, Some(i64::MAX), "/deadline"),
    ] {
        match world.handle.open(asked(start, deadline)).await {
            Err(Refusal::Unusable { pointer: found, .. }) => assert_eq!(found, pointer, "{start} {deadline:?}"),
            other => panic!("{start} {deadline:?}: {other:?}"),
        }
    }
}
