//! Looks: on their grid, in order, none left out.

use crate::engine::world::NOON;
use crate::engine::world::ROOMY;
use crate::engine::world::Sizes;
use crate::engine::world::World;
use crate::engine::world::json;
use crate::engine::world::named;
use crate::engine::world::open;
use crate::engine::world::text;
use crate::engine::world::wave;
use std::collections::BTreeMap;
use std::time::Duration;
use wavegate::engine::Word;
use wavegate::wave::Verdict;

const INTERVAL: Duration = Duration::from_secs(15);

/// The document of a gate that nothing disturbed, without what counts the disturbances.
async fn undisturbed() -> serde_json::Value {
    let world = World::new().await;
    world.handle.open(open("w", &["checkout"])).await.unwrap();
    calm(json(&*world.is_final("w", Some("checkout")).await))
}

fn calm(mut document: serde_json::Value) -> serde_json::Value {
    document["revision"] = serde_json::Value::Null;
    document
}

#[tokio::test(start_paused = true)]
async fn looks_run_in_order_on_the_grid_and_not_before_their_samples_arrived() {
    let world = World::new().await;
    world.handle.open(open("w", &["checkout"])).await.unwrap();
    let last = world.is_final("w", None).await;
    assert_eq!(last.verdict, Verdict::Pass, "{}", text(&last));
    let mut next = NOON + INTERVAL;
    // How often the source scrapes is asked of the minutes before the wave.
    for (_, span, when) in world.source.asked().into_iter().filter(|(_, span, _)| NOON <= span.from) {
        assert_eq!(span.from, next, "each look once, none left out");
        assert!(span.to + INTERVAL * 2 <= when, "asked at {when} for {}", span.to);
        next = span.to + INTERVAL;
    }
    assert_eq!(next, NOON + Duration::from_mins(2) + INTERVAL, "no look after the decision");
}

#[tokio::test(start_paused = true)]
async fn looks_missed_while_the_daemon_was_down_run_when_it_is_back() {
    let world = World::new().await;
    world.handle.open(open("w", &["checkout"])).await.unwrap();
    world.until("w", Some("checkout"), |published| text(published).contains("\"analyzing\"")).await;
    let world = world.restarted_after(Duration::from_hours(3)).await;
    let document = calm(json(&*world.is_final("w", Some("checkout")).await));
    assert_eq!(document, undisturbed().await);
}

#[tokio::test(start_paused = true)]
async fn a_restart_shows_the_same_documents() {
    let world = World::new().await;
    world.handle.open(open("w", &["checkout", "payments"])).await.unwrap();
    world.until("w", Some("checkout"), |published| text(published).contains("\"analyzing\"")).await;
    let before = (world.now("w", None).await, world.now("w", Some("payments")).await);
    let world = world.restarted_after(Duration::ZERO).await;
    let after = (world.now("w", None).await, world.now("w", Some("payments")).await);
    assert_eq!(before, after);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_answers_again_leaves_the_verdict_as_it_would_have_been() {
    let world = World::new().await;
    world.handle.open(open("w", &["checkout"])).await.unwrap();
    world.until("w", None, |published| text(published).contains("\"analyzing\"")).await;
    world.source.set(|behaviour| behaviour.down = true);
    let blind = world.until("w", None, |published| text(published).contains("source_unavailable")).await;
    assert_eq!((blind.verdict, json(&blind)["healthy"].as_bool()), (Verdict::Pause, Some(false)));
    tokio::time::sleep(Duration::from_mins(4)).await;
    world.source.set(|behaviour| behaviour.down = false);
    let document = calm(json(&*world.is_final("w", Some("checkout")).await));
    assert_eq!(document, undisturbed().await);
}

#[tokio::test(start_paused = true)]
async fn a_gate_whose_source_is_silent_past_the_deadline_asks_a_person_and_still_fails() {
    let world = World::new().await;
    world.source.set(|behaviour| behaviour.down = true);
    world.handle.open(open("w", &["checkout"])).await.unwrap();
    let pending = world.until("w", None, |published| published.settled).await;
    assert!(NOON + Duration::from_mins(10) + INTERVAL * 2 <= world.clock.now());
    assert_eq!((json(&pending)["state"].as_str(), pending.verdict), (Some("held"), Verdict::Pause));
    world.source.set(|behaviour| (behaviour.down, behaviour.depth) = (false, 99.0));
    assert_eq!(world.is_final("w", None).await.verdict, Verdict::Fail);
}

#[tokio::test(start_paused = true)]
async fn a_held_gate_is_passed_by_a_person_alone() {
    let world = World::new().await;
    world.source.set(|behaviour| behaviour.down = true);
    world.handle.open(open("w", &["checkout"])).await.unwrap();
    world.until("w", None, |published| published.settled).await;
    world.source.set(|behaviour| behaviour.down = false);
    tokio::time::sleep(Duration::from_hours(1)).await;
    let held = world.now("w", None).await;
    assert_eq!((json(&held)["state"].as_str(), held.is_final), (Some("held"), false), "{}", text(&held));
    let said = Word { verdict: Some(Verdict::Pass), by: "ann".to_owned(), why: "seen".to_owned() };
    world.handle.word(&wave("w"), None, said).await.unwrap();
    assert_eq!(world.now("w", None).await.verdict, Verdict::Pass);
}

#[tokio::test(start_paused = true)]
async fn a_gate_too_short_for_one_scrape_is_not_open_for_ever() {
    let world = World::new().await;
    world.source.set(|behaviour| behaviour.scrape = Duration::from_mins(1));
    let short = wavegate::engine::Open { deadline: Some(NOON + Duration::from_secs(40)), ..open("w", &["errors"]) };
    world.handle.open(short).await.unwrap();
    world.until("w", None, |published| published.settled).await;
}

#[tokio::test(start_paused = true)]
async fn a_wave_that_starts_later_is_not_looked_at_before() {
    let world = World::new().await;
    let start = NOON + Duration::from_hours(2);
    let later = wavegate::engine::Open { start: Some(start), ..open("w", &["errors"]) };
    let published = world.handle.open(later).await.unwrap();
    assert_eq!((json(&published)["state"].as_str(), published.next_look), (Some("scheduled"), Some(start)));
    world.until("w", None, |published| published.settled).await;
    assert!(world.source.asked().iter().all(|(_, _, when)| start <= *when));
}

#[tokio::test(start_paused = true)]
async fn no_more_fetches_are_under_way_than_allowed_and_every_gate_ends() {
    let world = World::sized(Sizes { concurrency: 3, ..ROOMY }).await;
    for id in 0..20 {
        world.handle.open(open(&format!("w{id}"), &["checkout", "payments"])).await.unwrap();
    }
    for id in 0..20 {
        assert_eq!(world.is_final(&format!("w{id}"), None).await.verdict, Verdict::Pass);
    }
    assert!(world.source.most_in_flight() <= 3, "{}", world.source.most_in_flight());
}

#[tokio::test(start_paused = true)]
async fn the_same_tag_is_the_same_bytes() {
    let world = World::new().await;
    let late = wavegate::engine::Open { deadline: Some(NOON + Duration::from_hours(2)), ..open("w", &["errors"]) };
    world.handle.open(open("w", &["checkout", "payments"])).await.unwrap();
    world.handle.open(late).await.unwrap();
    let mut seen: BTreeMap<(Option<&str>, String), String> = BTreeMap::new();
    for _ in 0..600 {
        for rules in [None, Some("checkout"), Some("errors")] {
            let published = world.now("w", rules).await;
            let known = seen.entry((rules, published.etag.clone())).or_insert_with(|| text(&published).to_owned());
            assert_eq!(known, text(&published), "{}", published.etag);
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_a_shutdown_cuts_off_is_asked_again() {
    let world = World::new().await;
    world.source.set(|behaviour| behaviour.slow = true);
    world.handle.open(open("w", &["checkout"])).await.unwrap();
    while world.source.asked().is_empty() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let world = world.restarted_after(Duration::ZERO).await;
    world.source.set(|behaviour| behaviour.slow = false);
    assert_eq!(world.is_final("w", None).await.verdict, Verdict::Pass);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_requests_does_not_hold_up_looks() {
    let world = World::new().await;
    world.handle.open(open("w", &["checkout"])).await.unwrap();
    let floods: Vec<_> = (0..64)
        .map(|_| {
            let handle = world.handle.clone();
            tokio::spawn(async move { while handle.open(open("w", &["checkout"])).await.is_ok() {} })
        })
        .collect();
    let mut watched = world.handle.watch(&wave("w"), Some(&named("checkout"))).await.unwrap();
    let mut rounds = 0;
    while !watched.borrow_and_update().is_final {
        rounds += 1;
        assert!(rounds < 20_000, "requests keep the engine from its looks");
        tokio::time::advance(Duration::from_millis(100)).await;
        tokio::task::yield_now().await;
    }
    floods.iter().for_each(tokio::task::JoinHandle::abort);
}
