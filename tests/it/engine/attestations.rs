//! Attestations: what a gate waits for that no source can show.

use crate::engine::world::NOON;
use crate::engine::world::World;
use crate::engine::world::json;
use crate::engine::world::named;
use crate::engine::world::open;
use crate::engine::world::text;
use crate::engine::world::wave;
use std::sync::Arc;
use std::time::Duration;
use wavegate::engine::Attest;
use wavegate::engine::Published;
use wavegate::engine::Refusal;
use wavegate::engine::Word;
use wavegate::wave::Verdict;

fn snapshot() -> Attest {
    let (name, by) = ("disk-snapshot".to_owned(), "ci".to_owned());
    Attest { name, by, note: None, url: Some("https://ci/4711".to_owned()) }
}

async fn attest(world: &World, rules: Option<&str>, attest: Attest) -> Result<Arc<Published>, Refusal> {
    world.handle.attest(&wave("w"), rules.map(named).as_ref(), attest).await
}

fn codes(gate: &Published) -> Vec<String> {
    let reasons = json(gate)["reasons"].as_array().unwrap().clone();
    reasons.iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_gate_passes_once_what_it_requires_is_attested_also_after_a_restart() {
    let world = World::new().await;
    world.handle.open(open("w", &["guarded"])).await.unwrap();
    // Between two looks, so that none comes between what is compared.
    tokio::time::sleep(Duration::from_secs(245)).await;
    let waiting = world.now("w", Some("guarded")).await;
    assert_eq!(codes(&waiting), ["attestation_missing", "all_checks_passed"]);
    assert_eq!((&json(&waiting)["state"], &json(&waiting)["healthy"]), (&"analyzing".into(), &true.into()));

    attest(&world, None, snapshot()).await.unwrap();
    let attested = world.now("w", Some("guarded")).await;
    assert_ne!(attested.etag, waiting.etag);
    let said = &json(&attested)["requires"][0];
    assert_eq!((&said["name"], &said["attested"]["by"]), (&"disk-snapshot".into(), &"ci".into()));
    assert!(NOON + Duration::from_mins(4) <= stamp(&said["attested"]["at"]));
    attest(&world, Some("guarded"), snapshot()).await.unwrap();
    assert_eq!(text(&*world.now("w", Some("guarded")).await), text(&attested));

    let world = world.restarted_after(Duration::from_secs(1)).await;
    assert_eq!(text(&*world.now("w", Some("guarded")).await), text(&attested));
    let last = world.is_final("w", Some("guarded")).await;
    assert_eq!((last.verdict, codes(&last)), (Verdict::Pass, vec!["all_checks_passed".to_owned()]));
    // The same word once more is done; another comes too late.
    assert_eq!(attest(&world, None, snapshot()).await.unwrap().verdict, Verdict::Pass);
    let late = attest(&world, None, Attest { url: None, ..snapshot() }).await;
    assert!(matches!(late, Err(Refusal::Ambiguous { .. })), "{late:?}");
}

fn stamp(value: &serde_json::Value) -> wavegate::series::Timestamp {
    wavegate::series::Timestamp::parse(value.as_str().unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_not_attested_by_the_deadline_is_asked_of_a_person() {
    let world = World::new().await;
    world.handle.open(open("w", &["guarded"])).await.unwrap();
    let held = world.until("w", Some("guarded"), |gate| gate.settled).await;
    assert_eq!(codes(&held), ["attestation_missing", "deadline_reached", "all_checks_passed"]);
    let summary = "held at the deadline: every check passes, and disk-snapshot is not attested";
    assert_eq!(json(&held)["summary"], summary);
    let world = world.restarted_after(Duration::from_secs(1)).await;
    let restored = world.now("w", Some("guarded")).await;
    assert_eq!(text(&restored), text(&held));
    attest(&world, None, snapshot()).await.unwrap();
    tokio::time::sleep(Duration::from_mins(5)).await;
    let attested = world.now("w", Some("guarded")).await;
    assert_eq!((json(&attested)["state"].as_str(), codes(&attested)[0].as_str()), (Some("held"), "deadline_reached"));
    let says = Word { verdict: Some(Verdict::Pass), by: "ada".to_owned(), why: "it is there".to_owned() };
    assert_eq!(world.handle.word(&wave("w"), None, says).await.unwrap().verdict, Verdict::Pass);
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_fails_does_not_wait_for_an_attestation() {
    let world = World::new().await;
    world.source.set(|behaviour| behaviour.depth = 99.0);
    world.handle.open(open("w", &["guarded"])).await.unwrap();
    assert_eq!(world.is_final("w", None).await.verdict, Verdict::Fail);
}

#[tokio::test(start_paused = true)]
async fn an_attestation_of_what_is_not_there_is_refused() {
    let world = World::new().await;
    let nowhere = attest(&world, None, snapshot()).await.unwrap_err();
    assert!(matches!(nowhere, Refusal::NoSuchWave { .. }), "{nowhere}");
    world.handle.open(open("w", &["guarded", "checkout"])).await.unwrap();
    let gateless = attest(&world, Some("payments"), snapshot()).await.unwrap_err();
    assert!(matches!(gateless, Refusal::NoSuchGate { .. }), "{gateless}");
    let which = attest(&world, None, snapshot()).await.unwrap_err();
    assert!(matches!(which, Refusal::Ambiguous { .. }), "{which}");
    let odd = Attest { name: "snapshot".to_owned(), ..snapshot() };
    let known = "gate `guarded` requires no such attestation: it requires disk-snapshot";
    let nothing = "gate `checkout` requires no such attestation: it requires nothing";
    for (rules, expect) in [("guarded", known), ("checkout", nothing)] {
        let refused = attest(&world, Some(rules), odd.clone()).await.unwrap_err();
        assert_eq!(refused, Refusal::Unusable { pointer: "/name".to_owned(), message: expect.to_owned() });
    }
}
