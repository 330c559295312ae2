//! Server-sent events: what a follower hears, and what it hears on coming back.

use super::Fake;
use super::api;
use super::document;
use super::get;
use super::request;
use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::time::Instant;
use tower::ServiceExt as _;
use wavegate::engine::Published;
use wavegate::http::Api;
use wavegate::wave::Verdict;

const OF_WAVE: &str = "/v1/waves/w/events";
const OF_ALL: &str = "/v1/events";

fn analyzing(wave: &str, revision: u32) -> Published {
    document(wave, revision, Verdict::Pause, false)
}

fn passed(wave: &str, revision: u32) -> Published {
    document(wave, revision, Verdict::Pass, true)
}

/// One reader of a stream.
struct Follower {
    body: Body,
    text: String,
}

/// An event as a browser would hand it out.
#[derive(Debug, PartialEq)]
struct Event {
    id: Option<String>,
    name: String,
    data: serde_json::Value,
}

impl Follower {
    async fn new(api: &Api<Fake>, path: &str, headers: &[&str]) -> Self {
        let response = api.router().oneshot(request("GET", path, headers, Body::empty())).await.expect("infallible");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut follower = Self { body: response.into_body(), text: String::new() };
        assert_eq!(follower.block().await.as_deref(), Some("retry: 5000"));
        follower
    }

    /// What stands before the next empty line; `None` at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, _)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = self.text.split_off(block.len() + 2);
                return Some(block);
            }
            let frame = self.body.frame().await?.expect("no error").into_data().expect("data");
            self.text.push_str(std::str::from_utf8(&frame).expect("text"));
        }
    }

    /// The next event, comments left out.
    async fn event(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            if block.starts_with(':') {
                continue;
            }
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            let data = serde_json::from_str(&field("data: ").expect("data")).expect("JSON");
            return Some(Event { id: field("id: "), name: field("event: ").expect("a name"), data });
        }
    }

    /// Which wave the next verdict is of, its revision where it has one, and its id.
    async fn verdict(&mut self) -> (String, Option<u64>, Option<String>) {
        let event = self.event().await.expect("an event");
        assert_eq!(event.name, "verdict");
        let wave = event.data["wave_id"].as_str().expect("an id").to_owned();
        (wave, event.data["revision"].as_u64(), event.id)
    }

    /// The list that a new follower is told: its waves, and the id at its end.
    async fn list(&mut self) -> (Vec<String>, String) {
        let mut waves = Vec::new();
        loop {
            let event = self.event().await.expect("an event");
            if event.name != "verdict" {
                assert_eq!((event.name.as_str(), event.data["waves"].as_u64()), ("list", Some(waves.len() as u64)));
                return (waves, event.id.expect("an id"));
            }
            assert_eq!(event.id, None, "a list that is cut off must be told again");
            waves.push(event.data["wave_id"].as_str().expect("an id").to_owned());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_follower_gets_the_document_now_and_on_each_change_until_it_is_final() {
    let fake = Fake::default();
    fake.publish("w", None, analyzing("w", 1));
    let mut follower = Follower::new(&api(&fake), OF_WAVE, &[]).await;
    assert_eq!(follower.verdict().await, ("w".to_owned(), Some(1), Some("r1".to_owned())));
    fake.publish("w", None, analyzing("w", 2));
    assert_eq!(follower.verdict().await, ("w".to_owned(), Some(2), Some("r2".to_owned())));
    // The same document again is no change.
    fake.publish("w", None, analyzing("w", 2));
    assert_eq!(follower.block().await.as_deref(), Some(": still here"));
    fake.publish("w", None, passed("w", 3));
    assert_eq!(follower.verdict().await, ("w".to_owned(), Some(3), Some("r3".to_owned())));
    assert_eq!(follower.block().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_is_slow_gets_what_is_true_now() {
    let fake = Fake::default();
    fake.publish("w", None, analyzing("w", 1));
    let mut follower = Follower::new(&api(&fake), OF_WAVE, &[]).await;
    assert_eq!(follower.verdict().await.1, Some(1));
    for revision in 2..=50 {
        fake.publish("w", None, analyzing("w", revision));
    }
    assert_eq!(follower.verdict().await.1, Some(50));
}

#[tokio::test(start_paused = true)]
async fn silence_is_broken_every_15_seconds() {
    let fake = Fake::default();
    fake.publish("w", None, analyzing("w", 1));
    for path in [OF_WAVE, OF_ALL] {
        let mut follower = Follower::new(&api(&fake), path, &[]).await;
        while follower.block().await.is_some_and(|block| block != ": still here") {}
        let begun = Instant::now();
        for _ in 0..10 {
            assert_eq!(follower.block().await.as_deref(), Some(": still here"));
        }
        assert_eq!(begun.elapsed().as_secs(), 150, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_to_a_wave_gets_only_what_it_has_not() {
    let fake = Fake::default();
    fake.publish("w", None, analyzing("w", 2));
    let api = api(&fake);
    let mut behind = Follower::new(&api, OF_WAVE, &["last-event-id: r1"]).await;
    assert_eq!(behind.verdict().await.1, Some(2));
    let mut level = Follower::new(&api, OF_WAVE, &["last-event-id: r2"]).await;
    assert_eq!(level.block().await.as_deref(), Some(": still here"));
    fake.publish("w", None, passed("w", 3));
    assert_eq!(level.verdict().await.1, Some(3));
    // Whoever has the last word has no reason to come again, and is told so.
    assert_eq!(get(&api, OF_WAVE, &["last-event-id: r3"]).await.status, 204);
    get(&api, "/v1/waves/x/events", &[]).await.problem(404, "no_such_wave");
}

#[tokio::test(start_paused = true)]
async fn who_follows_all_gets_the_list_first_and_then_each_change_of_any_wave() {
    let fake = Fake::default();
    fake.publish("a", None, analyzing("a", 1));
    fake.publish("b", None, passed("b", 7));
    let mut follower = Follower::new(&api(&fake), OF_ALL, &[]).await;
    let (waves, id) = follower.list().await;
    assert_eq!(waves, ["a", "b"]);
    fake.publish("c", None, analyzing("c", 1));
    fake.publish("a", None, passed("a", 2));
    let (c, a) = (follower.event().await.unwrap(), follower.event().await.unwrap());
    assert_eq!((c.data["wave_id"].as_str(), c.data["verdict"].as_str()), (Some("c"), Some("pause")));
    assert_eq!((a.data["wave_id"].as_str(), a.data["settled"].as_bool()), (Some("a"), Some(true)));
    assert!(c.id.is_some() && a.id.is_some() && a.id != c.id && c.id != Some(id));
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_to_all_gets_what_it_missed() {
    let fake = Fake::default();
    fake.publish("a", None, analyzing("a", 1));
    let api = api(&fake);
    let (_, id) = Follower::new(&api, OF_ALL, &[]).await.list().await;
    for revision in 2..=200 {
        fake.publish("a", None, analyzing("a", revision));
    }
    let mut back = Follower::new(&api, OF_ALL, &[&format!("last-event-id: {id}")]).await;
    let mut ids = Vec::new();
    for _ in 2..=200 {
        ids.extend(back.verdict().await.2);
    }
    assert_eq!(ids.len(), 199);
    assert_eq!(back.block().await.as_deref(), Some(": still here"));
    let mut from_the_middle = Follower::new(&api, OF_ALL, &[&format!("last-event-id: {}", ids[197])]).await;
    assert_eq!(from_the_middle.verdict().await.2.as_ref(), ids.last());
}

#[tokio::test(start_paused = true)]
async fn who_was_away_for_too_long_or_from_another_process_starts_again() {
    let fake = Fake::default();
    fake.publish("a", None, analyzing("a", 1));
    let api = api(&fake);
    let (_, id) = Follower::new(&api, OF_ALL, &[]).await.list().await;
    for revision in 2..=1100 {
        fake.publish("a", None, analyzing("a", revision));
    }
    for id in [id.as_str(), "19d0-3", "nonsense", "r1"] {
        let mut back = Follower::new(&api, OF_ALL, &[&format!("last-event-id: {id}")]).await;
        assert_eq!(back.list().await.0, ["a"], "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_reads_too_slowly_for_the_changes_starts_again() {
    let fake = Fake::default();
    fake.publish("a", None, analyzing("a", 1));
    let mut follower = Follower::new(&api(&fake), OF_ALL, &[]).await;
    follower.list().await;
    for revision in 2..=1100 {
        fake.publish("a", None, analyzing("a", revision));
    }
    assert_eq!(follower.list().await.0, ["a"]);
    fake.publish("b", None, analyzing("b", 1));
    assert_eq!(follower.verdict().await.0, "b");
}

#[tokio::test]
async fn streams_have_a_limit_of_their_own() {
    let fake = Fake::default();
    fake.publish("w", None, analyzing("w", 1));
    let api = api(&fake);
    let first = Follower::new(&api, OF_WAVE, &[]).await;
    let _second = Follower::new(&api, OF_ALL, &[]).await;
    for path in [OF_WAVE, OF_ALL] {
        let third = get(&api, path, &[]).await;
        third.problem(503, "too_many_streams");
        assert!(third.header("retry-after").is_some());
    }
    // A poll goes on, and a place that is left is free at once.
    assert_eq!(get(&api, "/v1/waves/w/verdict", &[]).await.status, 200);
    drop(first);
    Follower::new(&api, OF_WAVE, &[]).await;
}
