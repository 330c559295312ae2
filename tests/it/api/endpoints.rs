//! Webhook endpoints: listed, their dead letters paged, resent, enabled.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where it stopped")]

use super::Answer;
use super::Fake;
use super::NOW;
use super::api;
use super::api_on;
use super::get;
use super::send_json;
use super::settings;
use crate::store::worlds;
use serde_json::json;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use wavegate::http::Api;
use wavegate::http::EndpointEntry;
use wavegate::http::Endpoints;
use wavegate::http::TokenSettings;
use wavegate::store::Outbox as _;
use wavegate::store::Settlement;
use wavegate::store::SqliteStore;
use wavegate::store::Store as _;
use wavegate::store::Subscription;
use wavegate::wave::EventKind;

/// An API with endpoints `ci`, which has three dead letters, and `idle`.
async fn with_dead_letters() -> (tempfile::TempDir, Arc<SqliteStore>, Api<Fake>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wavegate.db");
    let store = SqliteStore::open(&wavegate::store::Settings { path, ..Default::default() }).await.unwrap();
    store.commit(&[worlds::opening("u"), worlds::opening("v"), worlds::opening("w")]).await.unwrap();
    let kinds = BTreeSet::from([EventKind::Opened]);
    store.fan_out(&[Subscription { endpoint: String::from("ci"), kinds: kinds.clone() }], NOW).await.unwrap();
    for leased in store.lease("ci", NOW, NOW, 9).await.unwrap().leased {
        store.settle(&leased, Settlement::Dead, "status 500").await.unwrap();
    }
    let store = Arc::new(store);
    let entry = |url: &str| EndpointEntry { url: url.to_owned(), events: kinds.clone() };
    let entries = [("ci", entry("https://ci.example/…")), ("idle", entry("https://idle.example"))];
    let entries: BTreeMap<_, _> = entries.map(|(name, entry)| (name.to_owned(), entry)).into();
    let api = api(&Fake::default()).with_endpoints(Endpoints::new(entries, Arc::<SqliteStore>::clone(&store)));
    (folder, store, api)
}

async fn post(api: &Api<Fake>, path: &str) -> Answer {
    send_json(api, "POST", path, "{}").await
}

#[tokio::test]
async fn endpoints_are_listed_with_how_they_stand() {
    let (_folder, store, api) = with_dead_letters().await;
    let listed = get(&api, "/v1/endpoints", &[]).await;
    let ci = json!({
        "name": "ci", "url": "https://ci.example/…", "events": ["wave.opened"],
        "disabled": null, "waiting": 0, "dead": 3,
    });
    assert_eq!(listed.json()["endpoints"][0], ci);
    assert_eq!(listed.json()["endpoints"][1]["name"], "idle");

    assert_eq!(store.resend("ci", Some("msg_u_1_1"), NOW).await.unwrap(), 1);
    let leased = store.lease("ci", NOW, NOW, 1).await.unwrap().leased;
    store.settle(&leased[0], Settlement::Gone(NOW), "status 410").await.unwrap();
    let disabled = json!({"since": "2026-11-22T10:00:00Z", "reason": "status 410"});
    assert_eq!(get(&api, "/v1/endpoints", &[]).await.json()["endpoints"][0]["disabled"], disabled);

    // Nothing is sent to it until a person says so.
    post(&api, "/v1/endpoints/ci/resend").await.problem(409, "endpoint_disabled");
    assert_eq!(post(&api, "/v1/endpoints/ci/enable").await.json(), json!({"enabled": true}));
    assert_eq!(post(&api, "/v1/endpoints/ci/enable").await.json(), json!({"enabled": false}));
    assert_eq!(post(&api, "/v1/endpoints/ci/resend").await.json(), json!({"resent": 3}));
}

#[tokio::test]
async fn dead_letters_are_paged_and_resent_one_by_one_or_all() {
    let (_folder, store, api) = with_dead_letters().await;
    let first = get(&api, "/v1/endpoints/ci/dead?limit=2", &[]).await.json();
    let letter = |id: &str| {
        json!({"id": id, "type": "wave.opened", "written_at": "2026-11-22T12:00:00Z", "tries": 1,
               "outcome": "status 500"})
    };
    assert_eq!(first["dead"], json!([letter("msg_u_1_1"), letter("msg_v_1_1")]));
    let rest = get(&api, &format!("/v1/endpoints/ci/dead?after={}", first["next"]), &[]).await.json();
    assert_eq!(rest, json!({"dead": [letter("msg_w_1_1")], "next": null}));

    let one = "/v1/endpoints/ci/dead/msg_v_1_1/resend";
    assert_eq!(post(&api, one).await.json(), json!({"resent": 1}));
    post(&api, one).await.problem(404, "no_such_message");
    assert_eq!(post(&api, "/v1/endpoints/ci/resend").await.json(), json!({"resent": 2}));
    assert_eq!(post(&api, "/v1/endpoints/ci/resend").await.json(), json!({"resent": 0}));
    assert_eq!(store.lease("ci", NOW, NOW, 9).await.unwrap().leased.len(), 3);
}

#[tokio::test]
async fn what_cannot_be_asked_is_a_problem() {
    let (_folder, store, api) = with_dead_letters().await;
    for path in ["/v1/endpoints/none/dead", "/v1/endpoints/%FF/dead"] {
        get(&api, path, &[]).await.problem(404, "no_such_endpoint");
    }
    for path in ["none/resend", "none/enable", "none/dead/msg_u_1_1/resend"] {
        post(&api, &format!("/v1/endpoints/{path}")).await.problem(404, "no_such_endpoint");
    }
    for query in ["limit=0", "limit=201", "limit=x", "after=x", "page=2"] {
        get(&api, &format!("/v1/endpoints/ci/dead?{query}"), &[]).await.problem(400, "invalid_parameter");
    }
    let fault = get(&api, "/v1/endpoints/ci/dead?after=x", &[]).await.json()["errors"][0]["parameter"].clone();
    assert_eq!(fault, "after");
    // A form on a web page cannot say that it is JSON.
    let form = super::request("POST", "/v1/endpoints/ci/resend", &["content-type: text/plain"], "{}");
    super::send(&api, form).await.problem(415, "unsupported_media_type");
    get(&api, "/v1/endpoints/ci/resend", &[]).await.problem(405, "method_not_allowed");
    store.close().await.unwrap();
    get(&api, "/v1/endpoints", &[]).await.problem(503, "store_unavailable");
    post(&api, "/v1/endpoints/ci/resend").await.problem(503, "store_unavailable");
}

#[tokio::test]
async fn without_endpoints_there_are_none_and_without_a_token_nobody_asks() {
    assert_eq!(get(&api(&Fake::default()), "/v1/endpoints", &[]).await.json(), json!({"endpoints": []}));
    let sha256 = Some("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned());
    let token = TokenSettings { name: "ci".to_owned(), sha256, token_file: None };
    let closed = api_on(&Fake::default(), settings(), "0.0.0.0:9466", &[token]);
    for path in ["/v1/endpoints", "/v1/endpoints/ci/dead"] {
        get(&closed, path, &[]).await.problem(401, "unauthorized");
    }
    post(&closed, "/v1/endpoints/ci/resend").await.problem(401, "unauthorized");
}
