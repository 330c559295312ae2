//! Signatures of messages that were really sent, checked by libraries that are not ours.

use super::Answer;
use super::Post;
use super::World;
use super::endpoint;
use crate::delivery::world::SECRET;
use serde_json::json;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use wavegate::delivery::EndpointSettings;
use wavegate::delivery::Format;
use wavegate::engine::Clock;

/// The secret that a receiver still knows while secrets rotate.
const OLD_SECRET: &str = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY=";
/// One that nobody gave us.
const OTHER_SECRET: &str = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpBQkNERUY=";

fn headers(post: &Post) -> axum::http::HeaderMap {
    let pairs = post.headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    pairs.collect::<Vec<(axum::http::HeaderName, axum::http::HeaderValue)>>().into_iter().collect()
}

/// Whether the standard's own library would have signed the same; how old it is does
/// not count.
pub(crate) fn verifies(secret: &str, post: &Post) -> bool {
    let webhook = standardwebhooks::Webhook::new(secret).unwrap();
    let Ok(seconds) = post.headers["webhook-timestamp"].parse() else { return false };
    let expect = webhook.sign(&post.headers["webhook-id"], seconds, post.body.as_bytes()).unwrap();
    post.headers["webhook-signature"].split(' ').any(|signature| signature == expect)
}

/// Whether it takes the message as a receiver does.
fn takes(secret: &str, post: &Post) -> bool {
    let webhook = standardwebhooks::Webhook::new(secret).unwrap();
    webhook.verify(post.body.as_bytes(), &headers(post)).is_ok()
}

/// Posts of today, in both formats, while secrets rotate.
async fn sent() -> Vec<Post> {
    let world = World::at(Clock::System).await;
    let receiver = world.receiver("a", |_| Answer::Status(200, None)).await;
    std::fs::write(world.path("old"), OLD_SECRET).unwrap();
    let rotating = EndpointSettings { previous_secret_file: Some(world.path("old")), ..endpoint(&receiver.url()) };
    let cloud = EndpointSettings { format: Format::CloudEvents, ..rotating.clone() };
    world.announce(&["w", "wäve \"2\""]).await;
    world.deliver(&[("a", rotating), ("b", cloud)]);
    receiver.came(4).await
}

#[tokio::test]
async fn the_rust_library_takes_every_message_by_each_secret_and_no_forged_one() {
    for post in sent().await {
        assert!(takes(SECRET, &post) && takes(OLD_SECRET, &post), "{post:?}");
        assert!(!takes(OTHER_SECRET, &post));
        for header in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            let mut forged = post.clone();
            let value = forged.headers.get_mut(header).unwrap();
            *value = if header == "webhook-signature" { value.to_lowercase() } else { format!("{value}0") };
            assert!(!takes(SECRET, &forged), "{header}");
        }
        let forged = Post { body: post.body.replacen("1.50", "1.51", 1), ..post.clone() };
        assert_ne!(forged.body, post.body);
        assert!(!takes(SECRET, &forged));
    }
}

const PYTHON: &str = r#"
import json, sys
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
told = json.load(sys.stdin)
for post in told["posts"]:
    for secret in told["secrets"]:
        Webhook(secret).verify(post["body"], post["headers"])
    for secret, body in [(told["other"], post["body"]), (told["secrets"][0], post["body"].replace("1.50", "1.51"))]:
        try:
            Webhook(secret).verify(body, post["headers"])
        except WebhookVerificationError:
            continue
        sys.exit("a forged message was taken")
print("verified", len(told["posts"]))
"#;

#[tokio::test]
async fn the_python_library_takes_every_message_by_each_secret_and_no_forged_one() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python");
    assert!(python.exists(), "{} is missing: ./test.sh makes it", python.display());
    let posts = sent().await;
    let shown = |post: &Post| json!({"headers": post.headers, "body": post.body});
    let told = json!({
        "posts": posts.iter().map(shown).collect::<Vec<_>>(),
        "secrets": [SECRET, OLD_SECRET], "other": OTHER_SECRET,
    });
    let mut child = Command::new(python)
        .args(["-c", PYTHON])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(told.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.trim() == "verified 4", "{out}{err}");
}

#[tokio::test]
async fn a_cloud_event_has_its_attributes_in_headers_and_its_data_as_the_body() {
    let posts = sent().await;
    let (cloud, standard): (Vec<_>, Vec<_>) = posts.iter().partition(|post| post.headers.contains_key("ce-id"));
    assert_eq!((cloud.len(), standard.len()), (2, 2));
    for post in &cloud {
        let whole = standard.iter().find(|whole| whole.headers["webhook-id"] == post.headers["webhook-id"]).unwrap();
        assert!(whole.body.ends_with(&format!("\"data\":{}}}", post.body)), "{} in {}", post.body, whole.body);
        assert_eq!(post.headers["ce-id"], post.headers["webhook-id"]);
        assert_eq!(post.headers["ce-specversion"], "1.0");
        assert_eq!(post.headers["ce-type"], "wave.opened");
        assert_eq!(post.headers["ce-source"], "/wavegate");
        assert_eq!(post.headers["ce-time"], "2026-11-22T12:00:00Z");
        assert_eq!(post.headers["content-type"], "application/json");
    }
    let subjects: Vec<_> = cloud.iter().map(|post| post.headers["ce-subject"].as_str()).collect();
    assert!(subjects.contains(&"w") && subjects.contains(&"w%C3%A4ve%20%222%22"));
}
