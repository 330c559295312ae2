//! Verdicts as pollers see them: tags, waiting, the archive.

use super::Answer;
use super::Behaviour;
use super::Fake;
use super::NOW;
use super::api;
use super::document;
use super::get;
use super::request;
use super::send;
use axum::body::Body;
use std::time::Duration;
use tokio::time::Instant;
use wavegate::engine::Published;
use wavegate::engine::Refusal;
use wavegate::wave::Verdict;

const PATH: &str = "/v1/waves/w/verdict";

fn analyzing(revision: u32) -> Published {
    document("w", revision, Verdict::Pause, false)
}

fn passed(revision: u32) -> Published {
    document("w", revision, Verdict::Pass, true)
}

#[tokio::test]
async fn a_verdict_is_what_was_published() {
    let fake = Fake::default();
    fake.publish("w", None, analyzing(17));
    fake.publish("w", Some("checkout"), passed(3));
    let api = api(&fake);

    for path in [PATH, "/v1/waves/w"] {
        let answer = get(&api, path, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, Some("\"r17\"")));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        assert_eq!(answer.json()["revision"], 17);
    }
    let gate = get(&api, "/v1/waves/w/gates/checkout/verdict", &[]).await;
    assert_eq!((gate.header("etag"), gate.header("retry-after")), (Some("\"r3\""), None));
}

#[tokio::test]
async fn an_answer_that_the_caller_has_is_not_sent_again() {
    let fake = Fake::default();
    fake.publish("w", None, analyzing(17));
    let api = api(&fake);
    for (tags, status) in [
        ("if-none-match: \"r17\"", 304),
        ("if-none-match: W/\"r17\"", 304),
        ("if-none-match: \"r16\", \"r17\"", 304),
        ("if-none-match: *", 304),
        ("if-none-match: \"r16\"", 200),
        ("if-none-match: r17", 200),
    ] {
        let answer = get(&api, PATH, &[tags]).await;
        assert_eq!(answer.status, status, "{tags}");
        assert_eq!(answer.body.is_empty(), status == 304);
        assert_eq!((answer.header("etag"), answer.header("retry-after")), (Some("\"r17\""), Some("15")));
    }
    let twice = get(&api, PATH, &["if-none-match: \"r1\"", "if-none-match: \"r17\""]).await;
    assert_eq!(twice.status, 304);
}

#[tokio::test]
async fn a_head_has_the_headers_and_no_body() {
    let fake = Fake::default();
    fake.publish("w", None, analyzing(17));
    let answer = send(&api(&fake), request("HEAD", PATH, &[], Body::empty())).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, Some("\"r17\"")));
    assert_eq!(answer.header("content-length"), Some(analyzing(17).body.len().to_string().as_str()));
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn retry_after_is_the_next_look_and_never_zero() {
    let after = async |next_look| {
        let fake = Fake::default();
        fake.publish("w", None, Published { next_look, ..analyzing(1) });
        get(&api(&fake), PATH, &[]).await.header("retry-after").map(str::to_owned)
    };
    assert_eq!(after(Some(NOW + Duration::from_secs(15))).await.as_deref(), Some("15"));
    assert_eq!(after(Some(NOW + Duration::from_millis(1))).await.as_deref(), Some("1"));
    assert_eq!(after(Some(NOW - Duration::from_mins(1))).await.as_deref(), Some("1"));
    assert_eq!(after(None).await.as_deref(), Some("10"));
}

/// Asks with `query` and `tags`; publishes `news` after 5 s; says what came back and after how long.
async fn waited(first: Published, query: &str, tags: &[&str], news: Option<Published>) -> (Answer, Duration) {
    let fake = Fake::default();
    fake.publish("w", None, first);
    let api = api(&fake);
    if let Some(news) = news {
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            fake.publish("w", None, news);
        });
    }
    let begun = Instant::now();
    let answer = get(&api, &format!("{PATH}?{query}"), tags).await;
    (answer, begun.elapsed())
}

#[track_caller]
fn check((answer, took): (Answer, Duration), status: u16, etag: &str, seconds: u64) {
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (status, Some(etag)));
    assert_eq!(took.as_secs(), seconds);
}

#[tokio::test(start_paused = true)]
async fn waiting_without_a_tag_ends_when_settled() {
    check(waited(analyzing(1), "wait=30s", &[], Some(passed(2))).await, 200, "\"r2\"", 5);
    check(waited(analyzing(1), "wait=30s", &[], Some(analyzing(2))).await, 200, "\"r2\"", 30);
    check(waited(analyzing(1), "wait=30s", &[], None).await, 200, "\"r1\"", 30);
    check(waited(passed(1), "wait=30s", &[], None).await, 200, "\"r1\"", 0);
    check(waited(analyzing(1), "wait=0s", &[], None).await, 200, "\"r1\"", 0);
    check(waited(analyzing(1), "wait=1m", &[], None).await, 200, "\"r1\"", 60);
}

#[tokio::test(start_paused = true)]
async fn waiting_with_a_tag_ends_with_the_next_revision() {
    let tags = &["if-none-match: \"r1\""];
    check(waited(analyzing(1), "wait=30s", tags, Some(analyzing(2))).await, 200, "\"r2\"", 5);
    check(waited(analyzing(1), "wait=30s", tags, None).await, 304, "\"r1\"", 30);
    check(waited(passed(1), "wait=30s", tags, Some(passed(2))).await, 200, "\"r2\"", 5);
    check(waited(passed(1), "wait=30s", tags, None).await, 304, "\"r1\"", 30);
    check(waited(analyzing(3), "wait=30s", tags, None).await, 200, "\"r3\"", 0);
    // The same document published again is no news.
    check(waited(analyzing(1), "wait=30s", tags, Some(analyzing(1))).await, 304, "\"r1\"", 30);
}

#[tokio::test]
async fn a_bad_wait_is_refused() {
    let fake = Fake::default();
    fake.publish("w", None, analyzing(1));
    let api = api(&fake);
    for query in ["wait=61s", "wait=30", "wait=-1s", "wait=", "wait=soon", "wait=1e9999s", "wiat=3s", "wait=1s&wait=2s"]
    {
        let answer = get(&api, &format!("{PATH}?{query}"), &[]).await;
        answer.problem(400, "invalid_parameter");
        assert_eq!(answer.json()["errors"][0]["parameter"], "wait");
    }
}

#[tokio::test(start_paused = true)]
async fn waiters_have_a_limit_of_their_own() {
    let fake = Fake::default();
    fake.publish("w", None, analyzing(1));
    let api = api(&fake);
    let path = format!("{PATH}?wait=30s");
    let (first, second, third) = tokio::join!(
        get(&api, &path, &[]),
        get(&api, &path, &[]),
        // Two places: the third is turned away, and polls go on.
        async {
            let third = get(&api, &path, &[]).await;
            assert_eq!(get(&api, PATH, &[]).await.status, 200);
            third
        }
    );
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 200));
    third.problem(503, "too_many_waiters");
    assert_eq!(third.header("retry-after"), Some("15"));
    assert_eq!(get(&api, &path, &[]).await.status, 200);
}

#[tokio::test]
async fn only_a_revision_may_be_kept_for_ever() {
    let api = api(&Fake::default());
    let gate = "/v1/waves/w/gates/checkout";
    let attempt = get(&api, &format!("{gate}/attempts/1/verdict"), &[]).await;
    assert_eq!((attempt.status.as_u16(), attempt.header("cache-control")), (200, Some("no-cache")));
    let path = format!("{gate}/attempts/1/revisions/17");
    let revision = get(&api, &path, &[]).await;
    assert_eq!(revision.header("cache-control"), Some("private, max-age=31536000, immutable"));
    let tag = format!("if-none-match: {}", revision.header("etag").unwrap());
    assert_eq!(get(&api, &path, &[&tag]).await.status, 304);

    for path in ["attempts/2/verdict", "attempts/1/revisions/18", "attempts/0/verdict", "attempts/+1/verdict"] {
        get(&api, &format!("{gate}/{path}"), &[]).await.problem(404, "no_such_revision");
    }
    get(&api, &format!("{gate}/attempts/1/revisions/99999999999"), &[]).await.problem(404, "no_such_revision");
}

#[tokio::test]
async fn a_recording_is_a_file_or_gone() {
    let fake = Fake::default();
    let api = api(&fake);
    let path = "/v1/waves/eu%2F1/gates/checkout/recording";
    let answer = get(&api, path, &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("application/gzip")));
    assert_eq!(answer.header("content-encoding"), None, "it is compressed on disk too");
    assert_eq!(answer.body, "eu/1/checkout");
    let forgotten = Refusal::Forgotten { wave: "eu/1".to_owned(), rules: "checkout".to_owned() };
    fake.behave(Behaviour::Refusing(forgotten));
    get(&api, path, &[]).await.problem(410, "evidence_not_kept");
    get(&api, "/v1/waves/w/gates/no%20name/recording", &[]).await.problem(404, "no_such_gate");
}
