//! A store in trouble: nothing is told that was not kept, and nothing is lost.

use crate::engine::world::NOON;
use crate::engine::world::World;
use crate::engine::world::json;
use crate::engine::world::open;
use crate::engine::world::text;
use crate::engine::world::wave;
use std::time::Duration;
use wavegate::engine::Open;
use wavegate::engine::Refusal;
use wavegate::wave::Verdict;

#[tokio::test(start_paused = true)]
async fn nothing_is_shown_that_was_not_kept_and_it_is_asked_for_again() {
    let world = World::new().await;
    world.handle.open(open("w", &["checkout"])).await.unwrap();
    let shown = world.until("w", None, |published| text(published).contains("\"analyzing\"")).await;
    *world.store.full.lock().unwrap() = true;
    tokio::time::sleep(Duration::from_mins(30)).await;
    assert_eq!(world.now("w", None).await.body, shown.body);
    assert!(!world.is_ready());
    *world.store.full.lock().unwrap() = false;
    assert_eq!(world.is_final("w", None).await.verdict, Verdict::Pass);
    assert!(world.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_daemon_without_work_is_ready_again_once_the_store_is() {
    let world = World::new().await;
    *world.store.full.lock().unwrap() = true;
    let refused = world.handle.open(open("w", &["checkout"])).await;
    assert!(matches!(refused, Err(Refusal::StoreUnavailable { .. })), "{refused:?}");
    assert!(!world.is_ready());
    let nothing = world.handle.watch(&wave("w"), None).await;
    assert_eq!(nothing.err(), Some(Refusal::NoSuchWave { wave: "w".to_owned() }));
    *world.store.full.lock().unwrap() = false;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(world.is_ready(), "a probe of its own, for an unready daemon gets no requests");
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_the_store_refuses_holds_up_nobody_else() {
    let world = World::new().await;
    for id in ["bad", "good"] {
        world.handle.open(open(id, &["checkout"])).await.unwrap();
    }
    *world.store.refused.lock().unwrap() = Some(wave("bad"));
    let good = world.is_final("good", None).await;
    assert_eq!(good.verdict, Verdict::Pass);
    assert!(world.clock.now() < NOON + Duration::from_mins(3), "{}", world.clock.now());
    assert!(world.is_ready(), "the store itself is well");
    assert!(!world.now("bad", None).await.settled);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_over_with_the_first_answer() {
    let world = World::new().await;
    world.source.set(|behaviour| behaviour.down = true);
    world.handle.open(open("w", &["errors"])).await.unwrap();
    world.until("w", None, |published| text(published).contains("source_unavailable")).await;
    world.source.set(|behaviour| behaviour.down = false);
    let seen = world.until("w", None, |published| !text(published).contains("source_unavailable")).await;
    assert_eq!(json(&seen)["healthy"], true, "{}", text(&seen));
    assert!(world.clock.now() < NOON + Duration::from_secs(40), "{}", world.clock.now());
}

#[tokio::test(start_paused = true)]
async fn a_gate_held_before_its_first_look_says_so_after_a_restart_too() {
    let world = World::new().await;
    world.source.set(|behaviour| behaviour.down = true);
    let asked = || Open { run: Some("r".to_owned()), ..open("w", &["errors"]) };
    world.handle.open(asked()).await.unwrap();
    world.until("w", None, |published| published.settled).await;
    let world = world.restarted_after(Duration::from_mins(1)).await;
    world.source.set(|behaviour| behaviour.down = false);
    let seen = world.until("w", None, |published| !text(published).contains("source_unavailable")).await;
    assert!(text(&seen).contains("deadline_reached"), "{}", text(&seen));
}
