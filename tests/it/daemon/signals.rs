//! Signals: SIGTERM drains, a second one does not wait, SIGHUP reloads rules all
//! or nothing.

use super::asked;
use super::good;
use super::home;
use super::open;
use super::shared;
use super::verdict_path;
use crate::past::service_rules;
use crate::support::daemon::Daemon;
use crate::support::daemon::Home;
use crate::support::valve::Valve;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// Sends `request` behind another one on the same connection and reads that one's
/// answer: what is left then is being dealt with.
async fn begun(daemon: &Daemon, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(daemon.address()).await.unwrap();
    let both = format!("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n{request}");
    stream.write_all(both.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nok\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    stream
}

async fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_answers_whoever_waits_and_loses_nothing() {
    let server = shared();
    let (wave, valve) = (good(), Valve::before(server.address()).await);
    valve.let_through(18);
    let mut daemon = Daemon::start(home(&valve.url())).await;
    open(&daemon, &wave).await;
    valve.holds().await;
    let before = daemon.get(&verdict_path("good")).await;
    assert!(before.json()["looks"].as_u64() > Some(0));
    let tag = &before.headers["etag"];
    let path = verdict_path("good");
    let unconditional = begun(&daemon, &format!("GET {path}?wait=60s HTTP/1.1\r\nhost: x\r\n\r\n")).await;
    let conditional = format!("GET {path}?wait=60s HTTP/1.1\r\nhost: x\r\nif-none-match: {tag}\r\n\r\n");
    let conditional = begun(&daemon, &conditional).await;

    daemon.signal("TERM");
    let answer = rest(unconditional).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&before.text()), "{answer}");
    let answer = rest(conditional).await;
    assert!(answer.starts_with("HTTP/1.1 304 "), "{answer}");
    assert_eq!(daemon.ended().await.code(), Some(0));

    valve.cut_off();
    daemon.restart().await;
    assert_eq!(daemon.get(&path).await.text(), before.text());
    valve.open();
    assert_eq!(daemon.settled(&path).await.json()["verdict"], "pass");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sigterm_does_not_wait_for_a_request_that_never_ends() {
    let mut daemon = Daemon::start(home("http://127.0.0.1:1")).await;
    let head = "PUT /v1/waves/w HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    let half_sent = begun(&daemon, head).await;
    daemon.signal("TERM");
    daemon.logged("asked to stop").await;
    daemon.signal("TERM");
    assert_eq!(daemon.ended().await.code(), Some(1));
    drop(half_sent);
}

async fn digest(daemon: &Daemon, wave: &str) -> Value {
    daemon.get(&verdict_path(wave)).await.json()["rules_digest"].clone()
}

async fn last_reload(daemon: &Daemon) -> String {
    let metrics = daemon.get("/metrics").await.text();
    let line = metrics.lines().find(|line| line.starts_with("wavegate_rules_last_reload_successful "));
    line.unwrap().rsplit(' ').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_puts_good_rules_in_force_for_new_gates_and_leaves_the_old_ones_where_they_are_bad() {
    let server = shared();
    let (wave, valve) = (good(), Valve::before(server.address()).await);
    valve.let_through(0);
    let mut daemon = Daemon::start(home(&valve.url())).await;
    assert_eq!(last_reload(&daemon).await, "1");
    open(&daemon, &wave).await;
    let first = digest(&daemon, "good").await;

    // A deadline before the wave can pass: by these rules it would be held.
    let short = service_rules().replace("deadline: 60m", "deadline: 11m");
    daemon.home.put_rules("http-service.yaml", &short);
    daemon.home.put_rules("more.yaml", &service_rules().replace("name: http-service", "name: more"));
    daemon.signal("HUP");
    daemon.logged("rules reloaded; open gates keep theirs rules=2").await;
    open(&daemon, &wave).await;
    assert_eq!(digest(&daemon, "good").await, first, "an open gate keeps its rules");
    daemon.open("second", &asked(&wave)).await;
    let second = digest(&daemon, "second").await;
    assert_ne!(second, first);
    let more = json!({"rules": "more", "baseline": wave.baseline()});
    daemon.open("third", &more).await;

    daemon.home.put_rules("http-service.yaml", &short.replace("tolerance: 5%", "tolerance: five"));
    daemon.home.put_rules("more.yaml", &service_rules().replace("name: http-service", "name: most"));
    daemon.signal("HUP");
    let line = daemon.logged("the rules on disk are refused, the old ones stay in force").await;
    assert!(line.contains("refused"), "{line}");
    daemon.logged("http-service.yaml:").await;
    assert_eq!(last_reload(&daemon).await, "0");
    daemon.open("fourth", &asked(&wave)).await;
    assert_eq!(digest(&daemon, "fourth").await, second);
    let unknown = daemon.put("/v1/waves/fifth", &json!({"rules": "most", "baseline": "b"})).await;
    assert_eq!(unknown.problem().1, "unknown_rules");

    daemon.home.put_rules("http-service.yaml", &short);
    daemon.home.put_rules("other.yaml", &service_rules().replace("name: http-service", "name: other"));
    daemon.signal("HUP");
    daemon.logged("rules reloaded; open gates keep theirs rules=3").await;
    assert_eq!(last_reload(&daemon).await, "1");
    // By its own rules the wave passes, after a restart as well.
    assert_eq!(daemon.terminate().await, Some(0));
    daemon.restart().await;
    valve.open();
    let passed = daemon.settled(&verdict_path("good")).await.json();
    assert_eq!((&passed["verdict"], &passed["rules_digest"]), (&json!("pass"), &first));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_is_taken_without_a_signal_and_a_bad_one_is_told_where_one_looks() {
    let more = "rules_poll = '100ms'";
    let home = Home::new(&[("http-service.yaml", &service_rules())], Some("http://127.0.0.1:1"), more);
    let mut daemon = Daemon::start(home).await;
    let rules = daemon.get("/v1/rules").await.json();
    assert_eq!((&rules["last_reload"]["ok"], &rules["last_reload"]["error"]), (&json!(true), &Value::Null));
    assert_eq!((&rules["rules"][0]["name"], &rules["rules"][0]["mode"]), (&json!("http-service"), &json!("enforce")));

    daemon.home.put_rules("more.yaml", &service_rules().replace("name: http-service", "name: more"));
    daemon.logged("rules reloaded; open gates keep theirs rules=2").await;
    let one = daemon.get("/v1/rules/more").await.json();
    assert!(one["text"].as_str().unwrap().contains("name: more"), "{one}");
    assert_eq!(daemon.get("/v1/rules/most").await.problem(), (404, "no_such_rules".into(), String::new()));
    assert_eq!(daemon.get("/v1/rules/%2e%2e%2fmore.yaml").await.problem().1, "no_such_rules");

    daemon.home.put_rules("more.yaml", &service_rules().replace("tolerance:", "tolerence:"));
    daemon.logged("the rules on disk are refused, the old ones stay in force").await;
    let rules = daemon.get("/v1/rules").await.json();
    let fault = &rules["last_reload"]["diagnostics"][0];
    assert_eq!((&rules["last_reload"]["ok"], &fault["code"]), (&json!(false), &json!("unknown_key")), "{rules}");
    assert!(fault["line"].as_u64() > Some(0) && fault["file"].as_str().unwrap().ends_with("more.yaml"), "{rules}");
    assert_eq!(rules["rules"].as_array().unwrap().len(), 2);
    let ready = daemon.get("/readyz?verbose").await;
    let said = format!("; still running {}", rules["digest"].as_str().unwrap());
    assert!(ready.status == 200 && ready.text().contains("[!]rules: reload failed at 20"), "{}", ready.text());
    assert!(ready.text().contains(&said) && ready.text().ends_with("ok\n"), "{}", ready.text());
    assert_eq!((daemon.get("/readyz").await.text().as_str(), last_reload(&daemon).await.as_str()), ("ok\n", "0"));

    daemon.home.put_rules("more.yaml", &service_rules().replace("name: http-service", "name: more"));
    while last_reload(&daemon).await != "1" {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(!daemon.get("/readyz?verbose").await.text().contains("[!]"));
    assert_eq!(daemon.terminate().await, Some(0));
}
