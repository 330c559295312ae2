//! The commands that ask a daemon: the real binary, against a real daemon and
//! against servers that misbehave.

use crate::support::daemon::Daemon;
use crate::support::daemon::Home;
use crate::support::daemon::wavegate;
use crate::support::http::TestServer;
use crate::support::http::answer;
use crate::support::http::json;
use serde_json::Value;
use serde_json::json;
use std::process::Command;
use tokio::io::AsyncWriteExt as _;

/// How a command ended and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    code: i32,
    pub(crate) stdout: String,
    stderr: String,
}

impl Ended {
    #[track_caller]
    pub(crate) fn check(&self, code: i32, stdout: &[&str], stderr: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for expect in stdout {
            assert!(self.stdout.contains(expect), "no {expect:?} in {self:?}");
        }
        for expect in stderr {
            assert!(self.stderr.contains(expect), "no {expect:?} in {self:?}");
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).expect("JSON")
    }
}

/// The binary as `kim` runs it.
fn binary(arguments: &[&str]) -> Command {
    let mut command = wavegate(arguments);
    command.env("LOGNAME", "kim");
    command
}

pub(crate) async fn run(server: &str, arguments: &[&str]) -> Ended {
    let mut command = binary(arguments);
    command.env("WAVEGATE_SERVER", server);
    ended(command).await
}

async fn ended(mut command: Command) -> Ended {
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ended { code: output.status.code().expect("a code"), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A wave's document with as much as a report needs.
fn wave(verdict: &str, state: &str, gates: &[&str]) -> Value {
    let gate = |rules: &&str| {
        json!({
            "wave_id": "w", "rules": rules, "attempt": 1, "verdict": verdict, "state": state, "summary": "so it is",
            "reasons": [{ "code": "threshold_breached", "check": "restarts", "message": "the canary is at 3" }],
            "checks": [], "looks": 3, "planned_looks": 58, "caveat": "as far as we know", "rules_digest": "sha256:0",
            "evaluated_at": null, "start": "2026-11-22T10:00:00Z", "deadline": null, "settled": false, "healthy": true,
        })
    };
    let settled = matches!(state, "held" | "decided" | "cancelled");
    json!({
        "wave_id": "w", "verdict": verdict, "state": state, "healthy": true, "settled": settled,
        "summary": "so it is", "gates": gates.iter().map(gate).collect::<Vec<_>>(),
    })
}

fn tagged(tag: &str, document: &Value) -> Vec<u8> {
    answer(&["200 OK", "Content-Type: application/json", &format!("ETag: \"{tag}\"")], document.to_string())
}

fn problem(status: &str, code: &str, pointer: &str, retry: &str) -> Vec<u8> {
    let body = json!({
        "type": "about:blank", "title": "…", "status": 0, "detail": "that cannot be", "code": code,
        "errors": [{ "pointer": pointer, "detail": "that cannot be" }],
    });
    let retry = format!("Retry-After: {retry}");
    answer(&[status, "Content-Type: application/problem+json", &retry], body.to_string())
}

async fn server(answers: Vec<Vec<u8>>) -> TestServer {
    TestServer::answering(answers).await
}

#[tokio::test]
async fn waits_exit_code_is_the_verdict() {
    for (verdict, state, code) in
        [("pass", "decided", 0), ("fail", "decided", 10), ("pause", "held", 11), ("pause", "cancelled", 11)]
    {
        let fake = server(vec![tagged("1.1", &wave(verdict, state, &["checkout"]))]).await;
        let ended = run(&fake.url(), &["wait", "w"]).await;
        let heading = format!("{:<5}  wave w, gate checkout, attempt 1", verdict.to_uppercase());
        ended.check(code, &[&heading, "restarts: the canary is at 3"], &[]);
        assert_eq!(fake.requests()[0].line, "GET /v1/waves/w/verdict HTTP/1.1");
    }
}

#[tokio::test]
async fn wait_asks_for_news_and_tells_each_change_once() {
    let analyzing = tagged("1.1", &wave("pause", "analyzing", &["checkout"]));
    let unchanged = answer(&["304 Not Modified", "ETag: \"1.1\""], "");
    let passed = tagged("1.2", &wave("pass", "decided", &["checkout"]));
    let fake = server(vec![analyzing, unchanged, passed]).await;
    let ended = run(&fake.url(), &["wait", "w", "--rules", "checkout", "--format", "json"]).await;
    ended.check(0, &[], &["pause analyzing: so it is\n"]);
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    assert_eq!(ended.json()["verdict"], "pass");
    let requests = fake.requests();
    assert_eq!(requests[0].line, "GET /v1/waves/w/gates/checkout/verdict HTTP/1.1");
    for later in &requests[1..] {
        assert_eq!(later.headers["if-none-match"], "\"1.1\"");
        assert_eq!(later.line, "GET /v1/waves/w/gates/checkout/verdict?wait=30000ms HTTP/1.1");
    }
}

#[tokio::test]
async fn wait_outlasts_a_daemon_that_restarts_or_is_busy() {
    let passed = tagged("1.2", &wave("pass", "decided", &["checkout"]));
    let fake = TestServer::start(move |number, mut stream| {
        let passed = passed.clone();
        async move {
            let bytes = match number {
                // Hung up on without a word.
                0 => Vec::new(),
                1 => problem("503 Service Unavailable", "draining", "", "0"),
                2 => answer(&["502 Bad Gateway"], "<html>nginx</html>"),
                _ => passed,
            };
            drop(stream.write_all(&bytes).await);
            drop(stream.shutdown().await);
        }
    })
    .await;
    run(&fake.url(), &["wait", "w"]).await.check(
        0,
        &["PASS"],
        &["no answer from", "that cannot be", "502 Bad Gateway"],
    );
}

#[tokio::test]
async fn wait_says_why_it_gave_up() {
    let analyzing = server(vec![tagged("1.1", &wave("pause", "analyzing", &["checkout"]))]).await;
    let late = run(&analyzing.url(), &["wait", "w", "--timeout", "3s"]).await;
    late.check(12, &["PAUSE  wave w"], &["pause analyzing: so it is", "error: not settled within 3s"]);

    let silent = TestServer::start(|_, _stream| std::future::pending()).await;
    run(&silent.url(), &["wait", "w", "--timeout", "1s"]).await.check(13, &[], &["error: no answer from http://127"]);

    let closed = server(vec![]).await;
    let url = closed.url();
    closed.close().await;
    run(&url, &["wait", "w", "--timeout", "1s"]).await.check(13, &[], &["Connection refused"]);
    // Whoever does not wait is told at once.
    run(&url, &["status", "w"]).await.check(13, &[], &["error: no answer from", "Connection refused"]);

    let unknown = server(vec![problem("404 Not Found", "no_such_wave", "", "")]).await;
    run(&unknown.url(), &["wait", "w"]).await.check(2, &[], &["error: that cannot be", "[no_such_wave]"]);
    run(&unknown.url(), &["wait", "w", "--timeout", "soon"]).await.check(2, &[], &["30 days"]);
}

#[tokio::test]
async fn status_reports_every_gate() {
    let document = wave("pause", "held", &["checkout", "payments"]);
    let fake = server(vec![tagged("1.1", &document)]).await;
    let ended = run(&fake.url(), &["status", "w"]).await;
    ended.check(0, &["PAUSE  wave w, 2 gates", "gate checkout", "gate payments", "[threshold_breached]"], &[]);
    assert_eq!(run(&fake.url(), &["status", "w", "--format", "json"]).await.json(), document);
}

#[tokio::test]
async fn list_reads_every_page_and_lets_nothing_move_the_cursor() {
    let head = |wave: &str| {
        json!({ "wave_id": wave, "verdict": "pause", "state": "held", "healthy": false, "settled": true,
            "revision": 3, "summary": "asks\u{1b}[2J a person" })
    };
    let first = json!({ "waves": [head("a"), head("b b")], "next": "b b" });
    let last = json!({ "waves": [head("c")], "next": null });
    let pages = vec![json(first.to_string()), json(last.to_string())];
    let fake = server(pages.clone()).await;
    let ended = run(&fake.url(), &["list"]).await;
    ended.check(0, &["wave", "summary", "a ", "b b", "c ", "held", "asks\u{fffd}[2J a person"], &[]);
    assert!(!ended.stdout.contains('\u{1b}'), "{ended:?}");
    assert_eq!(fake.requests()[1].line, "GET /v1/waves?limit=200&after=b+b HTTP/1.1");

    let fake = server(pages).await;
    let listed = run(&fake.url(), &["list", "--format", "json"]).await.json();
    assert_eq!(listed["waves"].as_array().map(Vec::len), Some(3));
    assert_eq!(listed["waves"][2]["revision"], 3);
    let empty = server(vec![json(r#"{"waves":[],"next":null}"#)]).await;
    run(&empty.url(), &["list"]).await.check(0, &["no waves"], &[]);
}

#[tokio::test]
async fn a_person_decides_under_their_own_name() {
    let fake = server(vec![tagged("1.2", &wave("pass", "decided", &["checkout"]))]).await;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "a-token-of-some-length\n").unwrap();
    let token = token.to_str().unwrap();
    let why = ["--why", "the restarts were ours"];
    let decided = [&["decide", "eu/1", "pass", "--rules", "checkout", "--token-file", token], why.as_slice()].concat();
    run(&fake.url(), &decided).await.check(0, &["PASS   wave w: decided", "checkout"], &[]);
    let cancelled = [&["cancel", "w", "--by", "ci"], why.as_slice()].concat();
    let late = "nothing was called off: gate `checkout` is decided and stays so";
    run(&fake.url(), &cancelled).await.check(0, &["PASS"], &[late]);

    let requests = fake.requests();
    let body = |index: usize| serde_json::from_str::<Value>(&requests[index].body).expect("JSON");
    assert_eq!(requests[0].line, "POST /v1/waves/eu%2F1/gates/checkout/decision HTTP/1.1");
    assert_eq!(requests[0].headers["authorization"], "Bearer a-token-of-some-length");
    assert_eq!(body(0), json!({ "verdict": "pass", "by": "kim", "why": "the restarts were ours" }));
    assert_eq!(requests[1].line, "POST /v1/waves/w/cancel HTTP/1.1");
    assert_eq!(body(1), json!({ "by": "ci", "why": "the restarts were ours" }));
    assert!(!requests[1].headers.contains_key("authorization"));
}

#[tokio::test]
async fn what_a_gate_requires_is_attested_from_a_terminal() {
    let refused = problem("422 Unprocessable Content", "invalid_field", "/name", "");
    let fake = server(vec![tagged("1.2", &wave("pause", "analyzing", &["checkout"])), refused]).await;
    let attest = ["attest", "eu/1", "--name", "disk-snapshot", "--rules", "checkout"];
    let more = [attest.as_slice(), &["--by", "ci", "--note", "all disks", "--url", "https://ci/1"]].concat();
    run(&fake.url(), &more).await.check(0, &["PAUSE  wave w: analyzing", "checkout"], &[]);
    run(&fake.url(), &["attest", "w", "--name", "nothing"]).await.check(2, &[], &["at /name  [invalid_field]"]);
    run(&fake.url(), &["attest", "w"]).await.check(2, &[], &["--name <NAME>"]);

    let requests = fake.requests();
    let body = |index: usize| serde_json::from_str::<Value>(&requests[index].body).expect("JSON");
    assert_eq!(requests[0].line, "POST /v1/waves/eu%2F1/gates/checkout/attestations HTTP/1.1");
    let whole = json!({ "name": "disk-snapshot", "by": "ci", "note": "all disks", "url": "https://ci/1" });
    assert_eq!(body(0), whole);
    assert_eq!(requests[1].line, "POST /v1/waves/w/attestations HTTP/1.1");
    assert_eq!(body(1), json!({ "name": "nothing", "by": "kim", "note": null, "url": null }));
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_here() {
    let fake = server(vec![json("{}")]).await;
    for (arguments, expect) in [
        (["status", "", "--rules", "a"], "a wave id has"),
        (["status", "w", "--rules", "a/b"], "`a/b` is not the name of rules"),
        (["status", "..", "--rules", "a"], "no URL can hold"),
        (["status", "w", "--server", "ftp://w"], "http://"),
        (["status", "w", "--token-file", "/nowhere"], "--token-file /nowhere"),
        (["status", "w", "--ca-file", "/nowhere"], "--ca-file /nowhere"),
        (["decide", "w", "maybe", "--why=x"], "invalid value"),
        (["decide", "w", "pass", "--by=x"], "--why"),
        (["open", "w", "--baseline", "x"], "--rules"),
    ] {
        run(&fake.url(), &arguments).await.check(2, &[], &[expect]);
    }
    assert_eq!(fake.requests().len(), 0);
    run(&fake.url(), &["status", "w"]).await.check(1, &[], &["an answer that is no verdict"]);
}

#[tokio::test]
async fn a_busy_daemon_is_asked_again_a_few_times_where_nothing_was_done() {
    let busy = |code| problem("503 Service Unavailable", code, "", "0");
    let willing = tagged("1.1", &wave("fail", "decided", &["checkout"]));
    let decide = ["decide", "w", "fail", "--why", "x"];
    let fake = server(vec![busy("draining"), busy("full"), willing.clone()]).await;
    run(&fake.url(), &decide).await.check(0, &["FAIL"], &["asking again in 0 s"]);
    let fake = server(vec![busy("draining")]).await;
    run(&fake.url(), &decide).await.check(13, &[], &["error: that cannot be"]);
    assert_eq!(fake.requests().len(), 3);
    // It may have been done, and a word counts once.
    let fake = server(vec![busy("timeout"), willing.clone()]).await;
    run(&fake.url(), &decide).await.check(13, &[], &["[timeout]"]);
    let fake = server(vec![busy("timeout"), willing]).await;
    run(&fake.url(), &["status", "w"]).await.check(0, &["FAIL"], &[]);
}

#[tokio::test]
async fn refusals_are_told_as_people_read_them() {
    let fake = server(vec![problem("422 Unprocessable Entity", "unknown_rules", "/rules/1", "")]).await;
    let ended = run(&fake.url(), &["open", "w", "--rules", "a,b", "--start", "2026-11-22T10:00:00Z"]).await;
    ended.check(2, &[], &["error: that cannot be\n  at /rules/1  [unknown_rules]\n"]);
    let body: Value = serde_json::from_str(&fake.requests()[0].body).unwrap();
    assert_eq!(body, json!({ "rules": ["a", "b"], "start": "2026-11-22T10:00:00Z" }));
    let moved = server(vec![answer(&["308 Permanent Redirect", "Location: https://other/"], "")]).await;
    run(&moved.url(), &["status", "w"]).await.check(2, &[], &["sends us to https://other/"]);
    let proxy = server(vec![answer(&["500 Internal Server Error"], "<b>\u{1b}[2J  oops</b>")]).await;
    run(&proxy.url(), &["status", "w"]).await.check(1, &[], &["500 Internal Server Error: <b>\u{fffd}[2J oops</b>"]);
}

#[tokio::test]
async fn a_wave_is_opened_seen_and_called_off_from_a_terminal() {
    let rules = ["http-service.yaml", "grpc-service.yaml"].map(|file| {
        let path = format!("{}/rules/{file}", env!("CARGO_MANIFEST_DIR"));
        (file, std::fs::read_to_string(path).expect("it ships"))
    });
    let rules: Vec<(&str, &str)> = rules.iter().map(|(file, text)| (*file, text.as_str())).collect();
    // The discard port: nobody answers there.
    let daemon = Daemon::start(Home::new(&rules, Some("http://127.0.0.1:9"), "")).await;
    let url = &format!("http://{}", daemon.address());
    run(url, &["healthcheck", "--server", url]).await.check(0, &[], &[]);
    let run = async |arguments: &[&str]| run(url, arguments).await;
    run(&["list"]).await.check(0, &["no waves"], &[]);

    let both = ["open", "eu 1/a", "--rules", "http-service", "--rules", "grpc-service", "--baseline", "b"];
    run(&["open", "eu 1/a", "--rules", "nothing"]).await.check(
        2,
        &[],
        &["there are no rules", "at /rules  [unknown_rules]"],
    );
    run(&["open", "eu 1/a", "--rules", "http-service"]).await.check(2, &[], &["at /baseline"]);
    run(&both).await.check(0, &["PAUSE  wave eu 1/a", "http-service", "grpc-service"], &[]);
    run(&both).await.check(0, &["http-service"], &[]);
    run(&["list"]).await.check(0, &["eu 1/a", "pause"], &[]);
    run(&["status", "eu 1/a"]).await.check(0, &["2 gates", "gate http-service", "gate grpc-service"], &[]);
    run(&["status", "eu 1/a", "--rules", "node-upgrade"]).await.check(2, &[], &["has no gate `node-upgrade`"]);
    run(&["wait", "eu 1/a", "--timeout", "3s"]).await.check(12, &[], &["not settled within 3s"]);

    run(&["cancel", "eu 1/a", "--why", "x"]).await.check(2, &[], &["has 2 gates: name one of"]);
    for rules in ["http-service", "grpc-service"] {
        run(&["cancel", "eu 1/a", "--rules", rules, "--why", "no longer needed"]).await.check(0, &["cancelled"], &[]);
    }
    run(&["wait", "eu 1/a"]).await.check(11, &["kim", "no longer needed"], &[]);
    let decide = ["decide", "eu 1/a", "pass", "--rules", "http-service", "--why", "x"];
    run(&decide).await.check(2, &[], &["open its next attempt with another `run`", "[ambiguous]"]);
    let again = run(&["cancel", "eu 1/a", "--rules", "http-service", "--why", "x"]).await;
    assert!(!again.stderr.contains("nothing was called off"), "{}", again.stderr);

    // The wave is final, so the stream ends by itself.
    let events = daemon.get("/v1/waves/eu%201%2Fa/events").await.text();
    assert!(events.contains("\nevent: verdict\ndata: {\"wave_id\":\"eu 1/a\""), "{events}");
}

#[tokio::test]
async fn a_daemon_that_is_gone_is_not_healthy() {
    let closed = server(vec![]).await;
    let (url, address) = (closed.url(), closed.address().to_string());
    closed.close().await;
    run(&url, &["healthcheck", "--server", &url]).await.check(1, &[], &["Connection refused"]);
    // Without a server it is the daemon that this environment would start.
    let mut command = binary(&["healthcheck"]);
    command.env("WAVEGATE_LISTEN", &address);
    ended(command).await.check(1, &[], &[&format!("no answer from http://{address}")]);
}
