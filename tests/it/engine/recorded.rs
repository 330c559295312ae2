//! The daemon's recordings replay to the bytes that it published.

use crate::engine::world::World;
use crate::engine::world::named;
use crate::engine::world::open;
use crate::engine::world::text;
use crate::engine::world::wave;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use wavegate::engine;
use wavegate::engine::Attest;
use wavegate::engine::Open;
use wavegate::sources::recording;
use wavegate::sources::recording::Answers;
use wavegate::wave::Verdict;

async fn replays(world: &World) {
    let published = world.now("w", Some("extended")).await;
    let bytes = world.handle.recording(&wave("w"), &named("extended")).await.unwrap();
    let recording = recording::unpack(Path::new("w.recording"), &bytes, Answers::Wanted).unwrap();
    assert_eq!(recording.document, text(&published));
    assert_eq!(recording.header.params, BTreeMap::from([("tier".to_owned(), "gold".to_owned())]));
    assert_eq!(engine::replay(&recording).unwrap().document, text(&published));
}

#[tokio::test(start_paused = true)]
async fn params_attestations_and_a_base_are_replayed_whenever_they_are_recorded() {
    let world = World::new().await;
    let params = BTreeMap::from([("tier".to_owned(), "gold".to_owned())]);
    world.handle.open(Open { params, ..open("w", &["extended"]) }).await.unwrap();
    for seconds in [0, 20, 60, 165] {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        replays(&world).await;
    }
    for name in ["backup", "disk-snapshot"] {
        let (name, by) = (name.to_owned(), "ci".to_owned());
        let attest = Attest { name, by, note: Some("nightly".to_owned()), url: None };
        world.handle.attest(&wave("w"), None, attest).await.unwrap();
        replays(&world).await;
        // Far enough for a look between the two.
        tokio::time::sleep(Duration::from_secs(31)).await;
    }
    assert_eq!(world.is_final("w", Some("extended")).await.verdict, Verdict::Pass);
    replays(&world).await;
}
