//! The daemon as a process: killed after it sent, and asked about its endpoints.

use super::Answer;
use super::Post;
use super::World;
use super::world::SECRET;
use crate::past::service_rules;
use crate::support::daemon::Daemon;
use crate::support::daemon::Home;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use wavegate::engine::Clock;

/// An endpoint with something to hide.
fn configured(url: &str, world: &World) -> String {
    let secret = world.path("secret");
    let secret = secret.display();
    format!(
        "[endpoints.ci]\nurl = '{url}?key=hidden'\nsecret_file = '{secret}'\nallow_private = true\ntimeout = '1s'\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_a_send_the_daemon_sends_it_again_with_the_same_id_and_bytes() {
    let world = World::at(Clock::System).await;
    let taken = Arc::new(AtomicBool::new(false));
    let open = Arc::clone(&taken);
    let receiver = world
        .receiver("ci", move |_| if open.load(Ordering::SeqCst) { Answer::Status(204, None) } else { Answer::Hang })
        .await;
    let endpoint = configured(&receiver.url(), &world);
    let home = Home::new(&[("http-service.yaml", &service_rules())], Some("http://127.0.0.1:9"), &endpoint);
    let mut daemon = Daemon::start(home).await;
    daemon.open("w", &json!({"rules": "http-service", "baseline": "v"})).await;
    let first = receiver.came(1).await.remove(0);
    // The receiver has it and has not said so; the daemon has no time to note anything.
    daemon.kill9();
    taken.store(true, Ordering::SeqCst);
    daemon.restart().await;
    let is_again = |post: &&Post| post.id == first.id && post.earlier > 0;
    let posts = receiver.until(|posts| posts.iter().any(|post| is_again(&post))).await;
    let again = posts.iter().find(is_again).unwrap();
    assert_eq!(again.body, first.body);
    assert_eq!(again.headers["content-type"], "application/json");
    let signed = super::signatures::verifies(SECRET, again);
    assert!(signed && first.body.contains("wave.opened"), "{first:?}");

    let listed = daemon.get("/v1/endpoints").await;
    let shown = &listed.json()["endpoints"][0];
    assert_eq!((shown["name"].as_str(), shown["disabled"].is_null()), (Some("ci"), true));
    assert!(shown["url"].as_str().unwrap().ends_with("/…"), "{shown}");
    assert_eq!(daemon.get("/v1/endpoints/ci/dead").await.json(), json!({"dead": [], "next": null}));
    assert_eq!(daemon.post("/v1/endpoints/ci/resend", &json!({})).await.json(), json!({"resent": 0}));
    assert_eq!(daemon.terminate().await, Some(0));
    assert!(!listed.text().contains("hidden") && !listed.text().contains("whsec"), "{}", listed.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_that_failed_is_in_the_log_with_its_id_and_without_what_the_url_hides() {
    let world = World::at(Clock::System).await;
    let receiver = world.receiver("ci", |post| Answer::Text(410, format!("no {}", post.path))).await;
    let endpoint = configured(&receiver.url(), &world);
    let home = Home::new(&[("http-service.yaml", &service_rules())], Some("http://127.0.0.1:9"), &endpoint);
    let mut daemon = Daemon::start(home).await;
    daemon.open("w", &json!({"rules": "http-service", "baseline": "v"})).await;
    let post = receiver.came(1).await.remove(0);
    let line = daemon.logged("is disabled").await;
    assert!(line.contains(&format!("message.id=\"{}\"", post.id)) && !line.contains("hidden"), "{line}");
    let listed = daemon.get("/v1/endpoints").await;
    assert_eq!(listed.json()["endpoints"][0]["disabled"]["reason"], "status 410: no /hook?key=…");
    assert_eq!(daemon.terminate().await, Some(0));
}

async fn message_ids(daemon: &Daemon) -> Vec<String> {
    sqlx::query_scalar("SELECT message_id FROM outbox").fetch_all(&mut daemon.shell().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wave_that_is_opened_anew_after_it_was_forgotten_is_not_taken_for_the_earlier_one() {
    let home = Home::new(&[("http-service.yaml", &service_rules())], Some("http://127.0.0.1:9"), "");
    let mut daemon = Daemon::start(home).await;
    let mut opened = Vec::new();
    for _ in 0..2 {
        daemon.open("w", &json!({"rules": "http-service", "baseline": "v"})).await;
        assert_eq!(daemon.terminate().await, Some(0));
        opened.push(message_ids(&daemon).await);
        std::fs::remove_dir_all(daemon.home.path("data")).unwrap();
        daemon.restart().await;
    }
    // A receiver drops ids that it has seen.
    assert!(opened[0].len() == 1 && opened[1].len() == 1 && opened[0] != opened[1], "{opened:?}");
}

#[test]
fn a_secret_that_is_none_is_refused_before_anything_else() {
    let endpoint = "[endpoints.ci]\nurl = 'https://ci.example'\nsecret_file = '/nowhere/secret'\n";
    let home = Home::new(&[("http-service.yaml", &service_rules())], None, endpoint);
    let ended = crate::support::daemon::run(home.serve());
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    assert!(ended.err.contains("endpoint `ci`: cannot use the secret in /nowhere/secret"), "{}", ended.err);
    assert!(!home.path("data").exists());
}
