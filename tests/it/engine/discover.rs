//! Waves that open by themselves.

use super::world::NOON;
use super::world::ROOMY;
use super::world::Sizes;
use super::world::World;
use super::world::entry;
use super::world::json;
use super::world::open;
use super::world::queue;
use crate::gather::memory::Memory;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use wavegate::engine::BookEntry;
use wavegate::engine::Discovery;
use wavegate::engine::Refusal;
use wavegate::engine::RuleBook;
use wavegate::sources::Source;
use wavegate::telemetry::Metrics;

fn discovering(name: &str) -> BookEntry {
    let mut found = entry(&queue(name).text);
    found.rules.discover = true;
    found
}

/// A queue a wave that began so many seconds before noon and still goes on an hour later.
fn source(waves: &[(&str, i64)]) -> Memory {
    let mut source = Memory::default();
    let noon = NOON.as_millis() / 1000;
    for (wave, before) in waves {
        let samples = (noon - before..noon + 3600).step_by(15).map(|second| (second, 1.0)).collect();
        source.add(&format!("queue_depth{{wave_id={wave}}}"), samples);
    }
    source
}

fn discovery(world: &World, metrics: &Arc<Metrics>, source: Memory) -> Discovery {
    let sources = BTreeMap::from([("fake".to_owned(), Arc::new(source) as Arc<dyn Source>)]);
    Discovery::new(world.handle.clone(), sources, Arc::clone(metrics), world.clock)
}

async fn world(sizes: Sizes) -> (World, Arc<Metrics>) {
    let world = World::sized(sizes).await;
    world.handle.reload(RuleBook::of([discovering("checkout"), queue("payments")])).await.unwrap();
    (world, Arc::new(Metrics::new()))
}

fn waves(world: &World) -> Vec<String> {
    world.handle.waves().iter().map(|listed| listed.wave.to_string()).collect()
}

fn opened(metrics: &Metrics) -> String {
    let text = metrics.encode();
    let line = text.lines().find(|line| line.starts_with("wavegate_discovered_waves_total ")).unwrap();
    line.rsplit(' ').next().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_new_wave_opens_its_gate_once_and_an_old_one_none() {
    let (world, metrics) = world(ROOMY).await;
    let mut discovery = discovery(&world, &metrics, source(&[("old", 7200), ("new", 90)]));
    discovery.pass().await;
    assert_eq!(waves(&world), ["new"]);
    let found = json(&*world.now("new", None).await);
    assert_eq!(found["gates"].as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!((&found["gates"][0]["rules"], &found["start"]), (&"checkout".into(), &"2026-11-22T11:58:30Z".into()));
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_secs(15)).await;
        discovery.pass().await;
    }
    let passed = json(&*world.is_final("new", None).await);
    assert_eq!((&passed["verdict"], &passed["gates"][0]["attempt"]), (&"pass".into(), &1.into()));
    discovery.pass().await;
    assert_eq!((waves(&world), opened(&metrics)), (vec!["new".to_owned()], "1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_opened_is_left_alone_and_another_gate_is_added() {
    let (world, metrics) = world(ROOMY).await;
    world.handle.open(open("mine", &["checkout"])).await.unwrap();
    world.handle.open(open("half", &["payments"])).await.unwrap();
    let before = json(&*world.now("mine", None).await);
    discovery(&world, &metrics, source(&[("old", 7200), ("mine", 90), ("half", 90)])).pass().await;
    assert_eq!(json(&*world.now("mine", None).await)["gates"][0]["start"], before["gates"][0]["start"]);
    assert_eq!(json(&*world.now("half", None).await)["gates"].as_array().map(Vec::len), Some(2));
    assert_eq!(opened(&metrics), "1");
}

#[tokio::test(start_paused = true)]
async fn a_restart_finds_what_it_left_and_opens_nothing_twice() {
    let (world, metrics) = world(ROOMY).await;
    let all = [("old", 7200), ("new", 90)];
    discovery(&world, &metrics, source(&all)).pass().await;
    let world = world.restarted_after(Duration::from_mins(1)).await;
    world.handle.reload(RuleBook::of([discovering("checkout")])).await.unwrap();
    discovery(&world, &metrics, source(&all)).pass().await;
    assert_eq!(json(&*world.now("new", None).await)["gates"][0]["attempt"], 1);
    assert_eq!(opened(&metrics), "1");
}

#[tokio::test(start_paused = true)]
async fn limits_hold_for_waves_that_nobody_asked_for() {
    let (world, metrics) = world(Sizes { max_open_gates: 2, ..ROOMY }).await;
    let many = [("old", 7200), ("a", 95), ("b", 94), ("c", 93), ("d", 92)];
    discovery(&world, &metrics, source(&many)).pass().await;
    assert_eq!(waves(&world), ["a", "b"]);

    let (world, metrics) = self::world(Sizes { max_open_gates: 1000, ..ROOMY }).await;
    let names: Vec<String> = (0..150).map(|k| format!("w{k:03}")).collect();
    let many: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 90)).chain([("old", 7200)]).collect();
    let mut discovery = discovery(&world, &metrics, source(&many));
    discovery.pass().await;
    assert_eq!(waves(&world).len(), 100);
    tokio::time::sleep(Duration::from_secs(15)).await;
    discovery.pass().await;
    assert_eq!(waves(&world).len(), 150, "the others in the next pass");
}

#[tokio::test(start_paused = true)]
async fn waves_that_nobody_asked_for_leave_room_for_those_that_somebody_does() {
    let (world, metrics) = world(Sizes { max_open_gates: 8, ..ROOMY }).await;
    let names: Vec<String> = (0..20).map(|k| format!("w{k:02}")).collect();
    let many: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 90)).chain([("old", 7200)]).collect();
    discovery(&world, &metrics, source(&many)).pass().await;
    assert_eq!(waves(&world).len(), 6);
    for wave in ["asked-1", "asked-2"] {
        world.handle.open(open(wave, &["checkout"])).await.unwrap();
    }
    let full = world.handle.open(open("asked-3", &["checkout"])).await.unwrap_err();
    assert!(matches!(full, Refusal::Full { open: 8, limit: 8 }), "{full}");
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_no_wave_id_is_skipped() {
    let (world, metrics) = world(ROOMY).await;
    let long = "x".repeat(257);
    discovery(&world, &metrics, source(&[("old", 7200), (&long, 90), ("a\u{7}b", 90), ("new", 60)])).pass().await;
    assert_eq!(waves(&world), ["new"]);
}
