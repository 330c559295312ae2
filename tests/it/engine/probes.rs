//! Gates with probes that nobody answers.

use crate::engine::world::World;
use crate::engine::world::json;
use crate::engine::world::open;
use crate::engine::world::text;
use wavegate::wave::Verdict;

#[tokio::test(start_paused = true)]
async fn a_probe_that_nobody_answers_never_passes_and_asks_no_source() {
    let world = World::new().await;
    world.handle.open(open("w", &["probed"])).await.unwrap();
    let last = world.until("w", Some("probed"), |published| published.settled).await;
    assert_eq!(last.verdict, Verdict::Pause, "{}", text(&last));
    let document = json(&last);
    assert_eq!((&document["state"], &document["healthy"]), (&"held".into(), &false.into()), "{document:#}");
    assert!(text(&last).contains("\"no_telemetry\""), "{document:#}");
    assert!(text(&last).contains("compared nothing"), "the cause is told: {document:#}");
    assert_eq!(world.source.asked(), []);
}

#[tokio::test(start_paused = true)]
async fn a_gate_with_a_probe_and_another_check_asks_its_source_for_the_other() {
    let world = World::new().await;
    world.handle.open(open("w", &["mixed"])).await.unwrap();
    let last = world.until("w", Some("mixed"), |published| published.settled).await;
    assert_eq!(last.verdict, Verdict::Pause, "{}", text(&last));
    let document = json(&last);
    let outcomes: Vec<&serde_json::Value> =
        document["checks"].as_array().unwrap().iter().map(|check| &check["outcome"]).collect();
    assert_eq!(outcomes, ["pass", "inconclusive", "inconclusive"], "{document:#}");
    let asked = world.source.asked();
    assert!(!asked.is_empty() && asked.iter().all(|(query, _, _)| query.contains("queue_depth")), "{asked:?}");
}
