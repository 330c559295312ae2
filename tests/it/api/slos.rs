//! SLOs and classes over HTTP.

use super::Fake;
use super::api;
use super::api_on;
use super::get;
use super::send_json;
use super::settings;
use crate::slos::Past;
use crate::slos::account;
use std::sync::Arc;
use wavegate::http::TokenSettings;
use wavegate::rules::Class;
use wavegate::rules::Digest;

fn fake() -> Fake {
    let fake = Fake::default();
    *fake.0.accounts.lock().expect("not poisoned") =
        vec![Arc::new(account("api", &Past::Calm)), Arc::new(account("web", &Past::Burning))];
    fake
}

#[tokio::test]
async fn slos_are_listed_and_shown_with_a_tag() {
    let fake = fake();
    let api = api(&fake);
    let list = get(&api, "/v1/slos", &[]).await;
    assert_eq!((list.status.as_u16(), list.header("cache-control")), (200, Some("no-cache")));
    let names: Vec<_> = list.json()["slos"].as_array().unwrap().iter().map(|slo| slo["slo"].clone()).collect();
    assert_eq!(names, ["api", "web"]);
    let one = get(&api, "/v1/slos/web", &[]).await;
    assert_eq!((one.json()["state"].clone(), one.header("content-type")), ("page".into(), Some("application/json")));

    for (path, answer) in [("/v1/slos", list), ("/v1/slos/web", one)] {
        let tag = answer.header("etag").unwrap().to_owned();
        let again = get(&api, path, &[&format!("if-none-match: {tag}")]).await;
        assert_eq!((again.status.as_u16(), again.body.len(), again.header("etag")), (304, 0, Some(&*tag)));
        *fake.0.accounts.lock().unwrap() = vec![Arc::new(account("web", &Past::Calm))];
        assert_eq!(get(&api, path, &[&format!("if-none-match: {tag}")]).await.status, 200, "{path}");
        *fake.0.accounts.lock().unwrap() = vec![Arc::new(account("web", &Past::Burning))];
    }
}

#[tokio::test]
async fn an_unknown_slo_is_not_there_and_its_problem_names_those_that_are() {
    for path in ["/v1/slos/nope", "/v1/slos/..%2Fx", "/v1/slos/%22%00", "/v1/slos/API"] {
        let answer = get(&api(&fake()), path, &[]).await;
        answer.problem(404, "no_such_slo");
        assert!(answer.json()["detail"].as_str().unwrap().ends_with("in force are: api, web"), "{path}");
    }
}

#[tokio::test]
async fn the_history_of_an_slo_has_as_many_points_as_are_asked_for_and_a_limit() {
    let api = api(&fake());
    for (query, points) in [("", 60), ("?history=0", 0), ("?history=1", 1), ("?history=7", 7), ("?history=120", 120)] {
        let answer = get(&api, &format!("/v1/slos/api{query}"), &[]).await;
        assert_eq!(answer.json()["history"]["points"].as_array().unwrap().len(), points, "{query}");
    }
    for query in ["history=121", "history=-1", "history=", "history=1e3", "history=99999999999", "past=1"] {
        get(&api, &format!("/v1/slos/api?{query}"), &[]).await.problem(400, "invalid_parameter");
    }
}

#[tokio::test]
async fn slos_are_read_with_a_token_and_only_read() {
    let token = "a-token-long-enough-to-be-one";
    let digest = Digest::of(token.as_bytes()).as_str()["sha256:".len()..].to_owned();
    let tokens = [TokenSettings { name: "t".into(), sha256: Some(digest), token_file: None }];
    let api = api_on(&fake(), settings(), "0.0.0.0:9466", &tokens);
    for path in ["/v1/slos", "/v1/slos/api"] {
        get(&api, path, &[]).await.problem(401, "unauthorized");
        assert_eq!(get(&api, path, &[&format!("authorization: Bearer {token}")]).await.status, 200);
    }
}

#[tokio::test]
async fn a_wave_is_of_a_class_and_an_unknown_one_is_refused() {
    let fake = fake();
    let put = async |class: &str| {
        send_json(&api(&fake), "PUT", "/v1/waves/w", &format!(r#"{{"rules":"checkout","class":{class}}}"#)).await
    };
    for class in ["null", r#""standard""#, r#""exploratory""#] {
        assert_eq!(put(class).await.status, 200, "{class}");
    }
    let opened: Vec<_> = fake.0.opened.lock().unwrap().iter().map(|open| open.class).collect();
    assert_eq!(opened, [None, Some(Class::Standard), Some(Class::Exploratory)]);
    for class in [r#""Standard""#, r#""""#, r#""canary""#] {
        assert_eq!(put(class).await.problem(422, "invalid_field").as_deref(), Some("/class"), "{class}");
    }
}

#[tokio::test]
async fn metrics_tell_how_slos_stand_until_they_are_gone() {
    let fake = fake();
    let api = api(&fake);
    let text = async || String::from_utf8(get(&api, "/metrics", &[]).await.body.to_vec()).unwrap();
    let said = text().await;
    for line in [
        "wavegate_slo_state{slo=\"api\",state=\"ok\"} 1",
        "wavegate_slo_state{slo=\"web\",state=\"page\"} 1",
        "wavegate_slo_state{slo=\"web\",state=\"ok\"} 0",
        "wavegate_slo_burn_rate{slo=\"web\",window=\"1h\"} 20.0",
        "wavegate_slo_samples_fetched_total{slo=\"api\"} 172800",
        "wavegate_slo_data_through_timestamp_seconds{slo=\"api\"} 1795341600.0",
    ] {
        assert!(said.lines().any(|found| found == line), "`{line}` is not in\n{said}");
    }
    fake.0.accounts.lock().unwrap().clear();
    assert!(!text().await.contains("slo=\""));
}
