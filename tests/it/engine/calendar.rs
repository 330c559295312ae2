//! Gates that wait for the calendar: every wave here begins at noon of a Sunday.

use crate::engine::world::NOON;
use crate::engine::world::World;
use crate::engine::world::json;
use crate::engine::world::open;
use crate::engine::world::text;
use std::time::Duration;
use wavegate::engine::Published;
use wavegate::wave::Verdict;

fn codes(gate: &Published) -> Vec<String> {
    let reasons = json(gate)["reasons"].as_array().unwrap().clone();
    reasons.iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect()
}

fn at(after: Duration) -> String {
    (NOON + after).to_string()
}

#[tokio::test(start_paused = true)]
async fn a_gate_passes_at_the_first_look_at_which_the_window_is_open() {
    let world = World::new().await;
    world.handle.open(open("w", &["closed"])).await.unwrap();
    tokio::time::sleep(Duration::from_secs(245)).await;
    let waiting = json(&*world.now("w", Some("closed")).await);
    assert_eq!((&waiting["state"], &waiting["healthy"]), (&"analyzing".into(), &true.into()));
    let reason = &waiting["reasons"][0];
    assert_eq!((&reason["code"], &reason["detail"]["by"]), (&"window_closed".into(), &"Sun 00:00-12:05".into()));
    let opens = at(Duration::from_mins(5));
    assert_eq!(
        (&reason["detail"]["until"], &waiting["expected"]["at"]),
        (&opens.as_str().into(), &opens.as_str().into())
    );
    let last = world.is_final("w", Some("closed")).await;
    assert_eq!((last.verdict, json(&last)["evaluated_at"].as_str()), (Verdict::Pass, Some(opens.as_str())));
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_is_closed_at_its_deadline_asks_a_person_also_after_a_restart() {
    let world = World::new().await;
    world.handle.open(open("w", &["frozen"])).await.unwrap();
    let held = world.until("w", Some("frozen"), |gate| gate.settled).await;
    assert_eq!(codes(&held), ["deadline_reached", "window_closed", "all_checks_passed"]);
    let world = world.restarted_after(Duration::from_secs(1)).await;
    assert_eq!(text(&*world.now("w", Some("frozen")).await), text(&held));
    world.source.set(|behaviour| behaviour.depth = 99.0);
    world.handle.open(open("bad", &["frozen"])).await.unwrap();
    assert_eq!(world.is_final("bad", None).await.verdict, Verdict::Fail);
}

#[tokio::test(start_paused = true)]
async fn what_happens_in_the_planned_downtime_is_no_evidence() {
    let world = World::new().await;
    world.source.set(|behaviour| behaviour.depth = 99.0);
    world.handle.open(open("w", &["down"])).await.unwrap();
    tokio::time::sleep(Duration::from_secs(65)).await;
    let down = world.now("w", Some("down")).await;
    assert_eq!(
        (json(&down)["state"].as_str(), codes(&down)),
        (Some("warming_up"), vec!["planned_downtime".to_owned()])
    );
    assert_eq!(json(&down)["summary"], format!("planned downtime until {}", at(Duration::from_secs(90))));
    // The looks at the downtime are made when their samples have arrived.
    tokio::time::sleep(Duration::from_secs(50)).await;
    world.source.set(|behaviour| behaviour.depth = 1.0);
    assert_eq!(world.is_final("w", None).await.verdict, Verdict::Pass);
}
