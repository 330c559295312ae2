//! What callers send, well-formed and not.

use super::Behaviour;
use super::Fake;
use super::api;
use super::api_on;
use super::document;
use super::get;
use super::request;
use super::send;
use super::send_json;
use super::settings;
use axum::body::Body;
use std::path::Path;
use std::time::Duration;
use wavegate::engine::Attest;
use wavegate::engine::Refusal;
use wavegate::http::Access;
use wavegate::http::Error;
use wavegate::http::TokenSettings;
use wavegate::series::Timestamp;
use wavegate::wave::Verdict;

const TOKEN: &str = "a-token-long-enough-to-be-one";

#[tokio::test]
async fn a_put_opens_the_gates_it_names() {
    let fake = Fake::default();
    let body = r#"{"rules": ["checkout", "payments"], "baseline": "b", "run": "ci-1", "rollout": "r",
                   "start": "2026-11-22T10:00:00Z", "deadline": "2026-11-22T13:00:00+01:00"}"#;

    let answer = send_json(&api(&fake), "PUT", "/v1/waves/w", body).await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["wave_id"], "w");
    assert_eq!(answer.header("etag"), Some("\"r1\""));
    assert_eq!(answer.header("retry-after"), Some("15"));
    let opened = fake.0.opened.lock().unwrap().clone();
    let names: Vec<_> = opened[0].rules.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["checkout", "payments"]);
    assert_eq!((opened[0].baseline.as_deref(), opened[0].run.as_deref()), (Some("b"), Some("ci-1")));
    assert_eq!(opened[0].start, Timestamp::parse("2026-11-22T10:00:00Z"));
    assert_eq!(opened[0].deadline, Timestamp::parse("2026-11-22T12:00:00Z"));
}

#[tokio::test]
async fn a_param_is_given_once() {
    let fake = Fake::default();
    let put = async |params: &str| {
        send_json(&api(&fake), "PUT", "/v1/waves/w", &format!(r#"{{"rules":"checkout","params":{params}}}"#)).await
    };
    let twice = put(r#"{"tier":"a","region":"eu","tier":"b"}"#).await;
    assert_eq!(twice.problem(422, "invalid_field").as_deref(), Some("/params"));
    assert!(fake.0.opened.lock().unwrap().is_empty());
    for params in ["null", "{}", r#"{"tier":"a","region":"eu"}"#] {
        assert_eq!(put(params).await.status, 200, "{params}");
    }
    let opened = fake.0.opened.lock().unwrap().clone();
    assert_eq!(opened.iter().map(|open| open.params.len()).collect::<Vec<_>>(), [0, 0, 2]);
}

#[tokio::test]
async fn wave_ids_may_hold_anything_printable() {
    let longest = "x".repeat(256);
    for (path, id) in [
        ("eu%2F1%2F..%2F2", "eu/1/../2"),
        ("%22%5C%7B%7D%27", "\"\\{}'"),
        ("b%C3%B8lge%20%E2%98%A0", "bølge ☠"),
        ("%25%32%46", "%2F"),
        ("a+b", "a+b"),
        ("a;b=c", "a;b=c"),
        ("%3Fwait=1", "?wait=1"),
        (longest.as_str(), longest.as_str()),
    ] {
        let fake = Fake::default();
        let answer = send_json(&api(&fake), "PUT", &format!("/v1/waves/{path}"), r#"{"rules":"checkout"}"#).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(fake.0.opened.lock().unwrap()[0].wave.as_str(), id);
    }
}

#[tokio::test]
async fn impossible_wave_ids_are_refused() {
    let api = api(&Fake::default());
    let long = "x".repeat(257);
    for path in ["%00", "%0A", "a%1Bb", "%FF", "%C3", "%C2%85", &long] {
        let answer = send_json(&api, "PUT", &format!("/v1/waves/{path}"), r#"{"rules":"checkout"}"#).await;
        answer.problem(400, "invalid_wave_id");
    }
}

#[tokio::test]
async fn a_bad_body_names_its_field() {
    let api = api(&Fake::default());
    let many = format!("{{\"rules\": [{}]}}", vec!["\"a\""; 65].join(","));
    let deep = format!("{{\"rules\": {}1{}}}", "[".repeat(4000), "]".repeat(4000));
    let long = format!("{{\"rules\": \"a\", \"run\": \"{}\"}}", "x".repeat(257));
    for (body, status, code, pointer) in [
        (r#"{"rules": "checkout""#, 400, "malformed_json", ""),
        (r#"{"rules": "checkout"} x"#, 400, "malformed_json", ""),
        ("", 400, "malformed_json", ""),
        ("\u{feff}{}", 400, "malformed_json", ""),
        (&deep, 422, "invalid_field", "/rules/0"),
        (r#"["a", null, null, null, null, null]"#, 400, "malformed_json", ""),
        ("{}", 422, "invalid_field", "/rules"),
        (r#"{"rules": null}"#, 422, "invalid_field", "/rules"),
        (r#"{"rules": 7}"#, 422, "invalid_field", "/rules"),
        (r#"{"rules": []}"#, 422, "invalid_field", "/rules"),
        (r#"{"rules": ["a", 7]}"#, 422, "invalid_field", "/rules/1"),
        (r#"{"rules": ["a", "b/c"]}"#, 422, "invalid_field", "/rules/1"),
        (r#"{"rules": ["a", "b", "a"]}"#, 422, "invalid_field", "/rules/2"),
        (r#"{"rules": "../etc/passwd"}"#, 422, "invalid_field", "/rules"),
        (&many, 422, "invalid_field", "/rules"),
        (r#"{"rules": "a", "rules": "b"}"#, 422, "invalid_field", ""),
        (r#"{"rules": "a", "class": "canary"}"#, 422, "invalid_field", "/class"),
        (r#"{"rules": "a", "class": true}"#, 422, "invalid_field", "/class"),
        (r#"{"rules": "a", "klass": "standard"}"#, 422, "invalid_field", "/klass"),
        (r#"{"rules": "a", "a/b~c": 1}"#, 422, "invalid_field", "/a~1b~0c"),
        (r#"{"rules": "a", "baseline": 1}"#, 422, "invalid_field", "/baseline"),
        (r#"{"rules": "a", "baseline": ""}"#, 422, "invalid_field", "/baseline"),
        (r#"{"rules": "a", "rollout": "a\u0000b"}"#, 422, "invalid_field", "/rollout"),
        (&long, 422, "invalid_field", "/run"),
        (r#"{"rules": "a", "start": "yesterday"}"#, 422, "invalid_field", "/start"),
        (r#"{"rules": "a", "start": 1700000000}"#, 422, "invalid_field", "/start"),
        (
            r#"{"rules": "a", "start": "2026-11-22T10:00:00Z", "deadline": "2026-11-22T09:00:00Z"}"#,
            422,
            "invalid_field",
            "/deadline",
        ),
    ] {
        let answer = send_json(&api, "PUT", "/v1/waves/w", body).await;
        let found = answer.problem(status, code).expect("a pointer");
        // What is no JSON has a line and a column; its pointer says how far the reader came.
        assert!(found == pointer || code == "malformed_json", "{body}: {found} instead of {pointer}");
    }
}

#[tokio::test]
async fn a_refusal_of_the_engine_keeps_its_place_and_meaning() {
    let fake = Fake::default();
    let api = api(&fake);
    let (wave, rules) = (String::from("w"), String::from("checkout"));
    let unknown = Refusal::UnknownRules { name: rules.clone(), index: 0, known: "payments".into() };
    let (pointer, message) = (String::from("/baseline"), String::from("the gate is open with another baseline"));
    for (refusal, body, status, code, at, retry) in [
        (Refusal::NoSuchWave { wave: wave.clone() }, "\"a\"", 404, "no_such_wave", None, None),
        (Refusal::NoSuchGate { wave, rules }, "\"a\"", 404, "no_such_gate", None, None),
        (unknown.clone(), "\"a\"", 422, "unknown_rules", Some("/rules"), None),
        (unknown, "[\"a\"]", 422, "unknown_rules", Some("/rules/0"), None),
        (
            Refusal::Unusable { pointer: pointer.clone(), message: message.clone() },
            "\"a\"",
            422,
            "invalid_field",
            Some("/baseline"),
            None,
        ),
        (
            Refusal::Contradiction { pointer, message: message.clone() },
            "\"a\"",
            409,
            "contradiction",
            Some("/baseline"),
            None,
        ),
        (Refusal::Ambiguous { message: message.clone() }, "\"a\"", 409, "ambiguous", None, None),
        (Refusal::Draining, "\"a\"", 503, "draining", None, Some("5")),
        (Refusal::StoreUnavailable { message }, "\"a\"", 503, "store_unavailable", None, Some("15")),
        (Refusal::Full { open: 9, limit: 9 }, "\"a\"", 503, "full", None, Some("15")),
    ] {
        fake.behave(Behaviour::Refusing(refusal));
        let answer = send_json(&api, "PUT", "/v1/waves/w", &format!("{{\"rules\": {body}}}")).await;
        assert_eq!(answer.problem(status, code).as_deref(), at);
        assert_eq!(answer.header("retry-after"), retry);
    }
}

#[tokio::test]
async fn bodies_are_json_of_a_bounded_size() {
    let api = api(&Fake::default());
    let put = |headers: &'static [&'static str], body: String| send(&api, request("PUT", "/v1/waves/w", headers, body));
    let fit = || String::from(r#"{"rules":"a"}"#);

    put(&[], fit()).await.problem(415, "unsupported_media_type");
    put(&["content-type: text/plain"], fit()).await.problem(415, "unsupported_media_type");
    let gzip = &["content-type: application/json", "content-encoding: gzip"];
    put(gzip, fit()).await.problem(415, "unsupported_media_type");
    assert_eq!(put(&["content-type: application/json; charset=utf-8"], fit()).await.status, 200);
    assert_eq!(put(&["content-type: Application/Merge-Patch+JSON"], fit()).await.status, 200);

    let large = format!("{{\"rules\":\"a\"}}{}", " ".repeat(256 * 1024));
    put(&["content-type: application/json"], large).await.problem(413, "body_too_large");
}

#[tokio::test]
async fn a_person_decides_or_cancels_with_name_and_reason() {
    let fake = Fake::default();
    let api = api(&fake);
    let word = r#"{"verdict": "pass", "by": "alice", "why": "load test\nsee #12"}"#;
    assert_eq!(send_json(&api, "POST", "/v1/waves/w/gates/checkout/decision", word).await.status, 200);
    assert_eq!(send_json(&api, "POST", "/v1/waves/w/decision", word).await.status, 200);
    let word = r#"{"by": "alice", "why": "called off"}"#;
    assert_eq!(send_json(&api, "POST", "/v1/waves/a%2Fb/gates/checkout/cancel", word).await.status, 200);
    assert_eq!(send_json(&api, "POST", "/v1/waves/w/cancel", word).await.status, 200);

    let words = fake.0.words.lock().unwrap().clone();
    let told = |index: usize| (words[index].0.as_str(), words[index].1.as_deref(), words[index].2.verdict);
    assert_eq!(told(0), ("w", Some("checkout"), Some(Verdict::Pass)));
    assert_eq!(told(1), ("w", None, Some(Verdict::Pass)));
    assert_eq!(told(2), ("a/b", Some("checkout"), None));
    assert_eq!(told(3), ("w", None, None));
}

#[tokio::test]
async fn a_word_without_name_or_reason_is_refused() {
    let api = api(&Fake::default());
    let long = format!(r#"{{"verdict": "pass", "by": "a", "why": "{}"}}"#, "x".repeat(1025));
    for (body, pointer) in [
        (r#"{"by": "a", "why": "b"}"#, "/verdict"),
        (r#"{"verdict": "pause", "by": "a", "why": "b"}"#, "/verdict"),
        (r#"{"verdict": "pass", "why": "b"}"#, "/by"),
        (r#"{"verdict": "pass", "by": " ", "why": "b"}"#, "/by"),
        (r#"{"verdict": "pass", "by": "a\nb", "why": "b"}"#, "/by"),
        (r#"{"verdict": "pass", "by": "a", "why": "\u001b[2J"}"#, "/why"),
        (r#"{"verdict": "pass", "by": "a", "why": "b", "force": true}"#, "/force"),
        (&long, "/why"),
    ] {
        let answer = send_json(&api, "POST", "/v1/waves/w/decision", body).await;
        assert_eq!(answer.problem(422, "invalid_field").as_deref(), Some(pointer), "{body}");
    }
    send_json(&api, "POST", "/v1/waves/w/gates/a%20b/decision", "{}").await.problem(404, "no_such_gate");
}

#[tokio::test]
async fn what_a_gate_requires_is_attested_by_name() {
    let fake = Fake::default();
    let api = api(&fake);
    let whole = r#"{"name": "disk-snapshot", "by": "ci", "note": "eu-1\nall disks", "url": "https://ci/4711?x=1"}"#;
    assert_eq!(send_json(&api, "POST", "/v1/waves/a%2Fb/gates/checkout/attestations", whole).await.status, 200);
    let bare = r#"{"name": "disk-snapshot", "by": "ci"}"#;
    assert_eq!(send_json(&api, "POST", "/v1/waves/w/attestations", bare).await.status, 200);
    assert_eq!(get(&api, "/v1/waves/w/attestations", &[]).await.status, 405);

    let told = fake.0.attested.lock().unwrap().clone();
    let text = |text: &str| text.to_owned();
    let (note, url) = (Some(text("eu-1\nall disks")), Some(text("https://ci/4711?x=1")));
    let attest = Attest { name: text("disk-snapshot"), by: text("ci"), note, url };
    let second = Attest { note: None, url: None, ..attest.clone() };
    assert_eq!(told, [(text("a/b"), Some(text("checkout")), attest), (text("w"), None, second)]);
}

#[tokio::test]
async fn an_attestation_that_cannot_be_kept_is_refused_at_its_field() {
    let api = api(&Fake::default());
    let long = |field: &str, bytes: usize| format!(r#"{{"name":"n","by":"a","{field}":"{}"}}"#, "x".repeat(bytes));
    let far = format!(r#"{{"name":"n","by":"a","url":"https://{}"}}"#, "x".repeat(1024));
    for (body, pointer) in [
        (r#"{"by": "a"}"#, "/name"),
        (r#"{"name": "", "by": "a"}"#, "/name"),
        (r#"{"name": "a\u0000", "by": "a"}"#, "/name"),
        (r#"{"name": "n"}"#, "/by"),
        (r#"{"name": "n", "by": "a\nb"}"#, "/by"),
        (r#"{"name": "n", "by": "a", "note": " "}"#, "/note"),
        (r#"{"name": "n", "by": "a", "note": "\u001b[2J"}"#, "/note"),
        (r#"{"name": "n", "by": "a", "url": "javascript:alert(1)"}"#, "/url"),
        (r#"{"name": "n", "by": "a", "url": "https://"}"#, "/url"),
        (r#"{"name": "n", "by": "a", "url": "https://a b"}"#, "/url"),
        (r#"{"name": "n", "by": "a", "why": "b"}"#, "/why"),
        (&long("note", 1025), "/note"),
        (&far, "/url"),
    ] {
        let answer = send_json(&api, "POST", "/v1/waves/w/attestations", body).await;
        assert_eq!(answer.problem(422, "invalid_field").as_deref(), Some(pointer), "{body}");
    }
}

#[tokio::test]
async fn waves_are_listed_by_id_a_page_at_a_time() {
    let fake = Fake::default();
    for wave in ["a/1", "b", "c"] {
        fake.publish(wave, None, document(wave, 1, Verdict::Pause, false));
        fake.publish(wave, Some("checkout"), document(wave, 1, Verdict::Pause, false));
    }
    let api = api(&fake);

    let first = get(&api, "/v1/waves?limit=2", &[]).await.json();
    assert_eq!(first["waves"][0]["wave_id"], "a/1");
    assert_eq!(first["waves"][1]["state"], "analyzing");
    assert_eq!((&first["waves"][2], &first["next"]), (&serde_json::Value::Null, &"b".into()));
    let last = get(&api, "/v1/waves?limit=2&after=b", &[]).await.json();
    assert_eq!((&last["waves"][0]["wave_id"], &last["next"]), (&"c".into(), &serde_json::Value::Null));
    assert_eq!(get(&api, "/v1/waves?after=%E2%98%A0", &[]).await.json()["waves"], serde_json::json!([]));

    for query in ["limit=0", "limit=201", "limit=x", "limit=-1", "page=2", "limit=1&limit=2"] {
        get(&api, &format!("/v1/waves?{query}"), &[]).await.problem(400, "invalid_parameter");
    }
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems() {
    let api = api(&Fake::default());
    get(&api, "/", &[]).await.problem(404, "no_such_route");
    get(&api, "/v1/waves/", &[]).await.problem(404, "no_such_route");
    get(&api, "/v1/waves/a/b/verdict", &[]).await.problem(404, "no_such_route");
    get(&api, "/v1/waves/a", &[]).await.problem(404, "no_such_wave");
    let answer = send(&api, request("DELETE", "/v1/waves/a", &[], Body::empty())).await;
    answer.problem(405, "method_not_allowed");
    let mut allowed: Vec<_> = answer.header("allow").expect("an Allow header").split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "PUT"]);
    send(&api, request("GET", "/v1/waves/a/decision", &[], Body::empty())).await.problem(405, "method_not_allowed");
}

/// One token by its digest, one by a file in `folder`.
fn tokens(folder: &Path) -> [TokenSettings; 2] {
    let path = folder.join("token");
    std::fs::write(&path, "another-token-of-some-length\n").expect("written");
    [
        TokenSettings {
            name: "ci".into(),
            sha256: Some(wavegate::rules::Digest::of(TOKEN.as_bytes()).as_str()[7..].to_owned()),
            token_file: None,
        },
        TokenSettings { name: "argo".into(), sha256: None, token_file: Some(path) },
    ]
}

#[tokio::test]
async fn tokens_are_asked_for_everywhere_but_at_the_probes() {
    let fake = Fake::default();
    fake.publish("w", None, document("w", 1, Verdict::Pause, false));
    let folder = tempfile::tempdir().unwrap();
    let tokens = tokens(folder.path());
    let (far, near) = ("0.0.0.0:9466", "127.0.0.1:9466");
    let good = format!("authorization: Bearer {TOKEN}");
    let file = "authorization: bearer another-token-of-some-length";
    let bad = format!("authorization: Bearer {TOKEN}x");
    let basic = "authorization: Basic Y2k6Y2k=";
    for (listen, path, header, status) in [
        (far, "/v1/waves/w/verdict", "accept: */*", 401),
        (far, "/v1/waves/w/verdict", good.as_str(), 200),
        (far, "/v1/waves/w/verdict", file, 200),
        (far, "/v1/waves/w/verdict", bad.as_str(), 401),
        (far, "/v1/waves/w/verdict", basic, 401),
        (far, "/v1/waves/w/verdict", "authorization: Bearer", 401),
        (far, "/v1/waves/unknown", "accept: */*", 401),
        (far, "/v1/waves/w/events", "accept: */*", 401),
        (far, "/v1/events", bad.as_str(), 401),
        (far, "/nowhere", "accept: */*", 401),
        (far, "/nowhere", good.as_str(), 404),
        (far, "/metrics", "accept: */*", 401),
        (far, "/metrics", good.as_str(), 200),
        (near, "/metrics", "accept: */*", 200),
        (near, "/v1/waves/w/verdict", "accept: */*", 401),
        (far, "/livez", "accept: */*", 200),
        (far, "/readyz", "accept: */*", 200),
    ] {
        let answer = get(&api_on(&fake, settings(), listen, &tokens), path, &[header]).await;
        assert_eq!(answer.status, status, "{listen} {path} {header}");
        if status == 401 {
            answer.problem(401, "unauthorized");
            let challenge = answer.header("www-authenticate").expect("a challenge");
            assert_eq!(challenge.contains("invalid_token"), header.starts_with("authorization: Bearer "), "{header}");
        }
    }
}

#[test]
fn an_open_address_without_a_token_is_refused() {
    let listens = |address: &str| Access::new(address.parse().unwrap(), &[]);
    assert!(listens("127.0.0.1:9466").is_ok() && listens("127.8.8.8:1").is_ok() && listens("[::1]:9466").is_ok());
    for address in ["0.0.0.0:9466", "[::]:9466", "192.168.1.4:9466"] {
        let error = listens(address).unwrap_err();
        assert!(error.to_string().starts_with(&format!("refusing to listen on {address} without a token")));
    }
}

#[test]
fn tokens_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let weak = folder.path().join("weak");
    std::fs::write(&weak, "secret").unwrap();
    let listen = "0.0.0.0:9466".parse().unwrap();
    let with = |sha256: Option<&str>, token_file| {
        let token = TokenSettings { name: "ci".into(), sha256: sha256.map(str::to_owned), token_file };
        Access::new(listen, &[token]).unwrap_err()
    };
    assert!(matches!(with(Some("abc"), None), Error::Digest { .. }));
    assert!(matches!(with(Some(&"g".repeat(64)), None), Error::Digest { .. }));
    assert!(matches!(with(Some(&"é".repeat(32)), None), Error::Digest { .. }));
    assert!(matches!(with(None, Some(weak)), Error::Weak { .. }));
    assert!(matches!(with(None, Some(folder.path().join("none"))), Error::Read { .. }));
    assert!(matches!(with(None, None), Error::Neither { .. }));
}

#[tokio::test]
async fn probes_say_what_is_wrong() {
    let fake = Fake::default();
    let api = api(&fake);
    assert_eq!(get(&api, "/livez", &[]).await.body, "ok\n");
    assert_eq!(get(&api, "/readyz", &[]).await.body, "ok\n");
    assert_eq!(get(&api, "/readyz?verbose", &[]).await.body, "[+]store ok\n[+]listener ok\nok\n");
    *fake.0.unready.lock().unwrap() = Some("the disk is full".into());
    let answer = get(&api, "/readyz", &[]).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.body, "[-]store failed: the disk is full\n[+]listener ok\nnot ready\n");
    assert_eq!(get(&api, "/livez", &[]).await.status, 200);
}

#[tokio::test]
async fn metrics_count_routes_and_never_paths() {
    let fake = Fake::default();
    fake.publish("w", None, document("w", 1, Verdict::Pause, false));
    let api = api(&fake);
    for path in ["/v1/waves/w/verdict", "/v1/waves/secret-wave/verdict", "/guess"] {
        get(&api, path, &[]).await;
    }
    let answer = get(&api, "/metrics", &[]).await;
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text; version=1.0.0"));
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let route = "/v1/waves/{wave_id}/verdict";
    assert!(text.contains(&format!("wavegate_http_requests_total{{route=\"{route}\",status=\"200\"}} 1")), "{text}");
    assert!(text.contains(&format!("wavegate_http_requests_total{{route=\"{route}\",status=\"404\"}} 1")), "{text}");
    assert!(text.contains("wavegate_http_requests_total{route=\"none\",status=\"404\"} 1"), "{text}");
    assert!(!text.contains("secret-wave") && !text.contains("guess"), "{text}");
}

#[tokio::test]
async fn every_answer_has_an_id_and_is_not_sniffed() {
    let api = api(&Fake::default());
    let answer = get(&api, "/livez", &["x-request-id: deploy-4711"]).await;
    assert_eq!(answer.header("x-request-id"), Some("deploy-4711"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let long = format!("x-request-id: {}", "x".repeat(65));
    for hostile in ["x-request-id: a b", "x-request-id: <script>", &long] {
        let answer = get(&api, "/nowhere", &[hostile]).await;
        let id = answer.header("x-request-id").unwrap();
        assert!(id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
    }
}

#[tokio::test]
async fn a_panic_is_a_problem_and_the_next_request_is_served() {
    let fake = Fake::default();
    let api = api(&fake);
    fake.behave(Behaviour::Panicking);
    send_json(&api, "PUT", "/v1/waves/w", r#"{"rules":"a"}"#).await.problem(500, "internal");
    fake.behave(Behaviour::Willing);
    assert_eq!(send_json(&api, "PUT", "/v1/waves/w", r#"{"rules":"a"}"#).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_is_ended() {
    let fake = Fake::default();
    let api = api(&fake);
    fake.behave(Behaviour::Hanging);
    let begun = tokio::time::Instant::now();
    let answer = send_json(&api, "PUT", "/v1/waves/w", r#"{"rules":"a"}"#).await;
    answer.problem(503, "timeout");
    assert_eq!(begun.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_ended() {
    let api = api(&Fake::default());
    let endless = http_body_util::StreamBody::new(futures_util::stream::pending::<
        Result<hyper::body::Frame<bytes::Bytes>, std::io::Error>,
    >());
    let headers = &["content-type: application/json"];
    send(&api, request("PUT", "/v1/waves/w", headers, Body::new(endless))).await.problem(408, "late_body");
}
