//! `wavegate slo` and `open --class`: the real binary against a server.

use super::Past;
use super::list;
use super::whole;
use crate::cli::run;
use crate::support::http::TestServer;
use crate::support::http::answer;
use serde_json::Value;

async fn serving(document: &str) -> TestServer {
    TestServer::answering(vec![answer(&["200 OK", "Content-Type: application/json"], document)]).await
}

#[tokio::test]
async fn a_list_of_slos_is_a_table_for_people_and_the_document_for_machines() {
    let document = list(&[("a", Past::Calm), ("b", Past::Burning)]);
    let fake = serving(&document).await;
    let ended = run(&fake.url(), &["slo"]).await;
    ended.check(0, &["state  slo", "ok     a", "page   b", "    burn 5m 20x"], &[]);
    assert!(!ended.stdout.contains('\u{1b}'), "a pipe is no terminal: {ended:?}");
    assert_eq!(fake.requests()[0].line, "GET /v1/slos HTTP/1.1");
    let fake = serving(&document).await;
    let ended = run(&fake.url(), &["slo", "--format", "json"]).await;
    assert_eq!(ended.json(), serde_json::from_str::<Value>(&document).unwrap());
}

#[tokio::test]
async fn one_slo_is_shown_with_its_history_and_drawn() {
    let place = tempfile::tempdir().unwrap();
    let picture = place.path().join("slo.svg");
    let fake = serving(&whole("a", &Past::Burning, 60)).await;
    let ended = run(&fake.url(), &["slo", "a", "--svg", picture.to_str().unwrap()]).await;
    ended.check(0, &["page  slo a of checkout: 99.9% of 30d", "█", "page_fast    page    1h, 5m", "FIRES"], &[]);
    assert_eq!(fake.requests()[0].line, "GET /v1/slos/a?history=60 HTTP/1.1");
    assert!(std::fs::read_to_string(&picture).unwrap().starts_with("<svg "));
}

#[tokio::test]
async fn an_slo_that_is_not_there_cannot_be_or_is_no_slo_has_its_exit_code() {
    let body = r#"{"status":404,"detail":"there is no SLO `x`; in force are: a","code":"no_such_slo"}"#;
    let missing = answer(&["404 Not Found", "Content-Type: application/problem+json"], body);
    let fake = TestServer::answering(vec![missing]).await;
    run(&fake.url(), &["slo", "x"]).await.check(2, &[], &["there is no SLO `x`; in force are: a  [no_such_slo]"]);
    run(&fake.url(), &["slo", "../x"]).await.check(2, &[], &["`../x` is not the name of an SLO"]);
    run(&fake.url(), &["slo", "--svg", "x.svg"]).await.check(2, &[], &["<NAME>"]);
    run("http://127.0.0.1:1", &["slo"]).await.check(13, &[], &["no answer from"]);
    let fake = serving("{}").await;
    run(&fake.url(), &["slo", "a"]).await.check(1, &[], &["an answer that is no SLO"]);
}

#[tokio::test]
async fn a_wave_is_opened_with_its_class() {
    let document = r#"{"wave_id":"w","verdict":"pause","state":"analyzing","summary":"s","gates":[]}"#;
    let fake = serving(document).await;
    run(&fake.url(), &["open", "w", "--rules", "checkout", "--class", "exploratory"]).await.check(0, &["wave w"], &[]);
    let sent: Value = serde_json::from_str(&fake.requests()[0].body).unwrap();
    assert_eq!(sent, serde_json::json!({ "rules": "checkout", "class": "exploratory" }));
    run(&fake.url(), &["open", "w", "--rules", "checkout", "--class", "canary"]).await.check(2, &[], &["exploratory"]);
}
