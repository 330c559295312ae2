//! From two targets and a ten-line rule file to verdicts, by the daemon itself.

use crate::support::http::TestServer;
use std::fs;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const RULES: &str = "version: 1
name: service
schedule: { interval: 1s, warmup: 1s, min_duration: 4s, deadline: 2m, settle: 1s }
checks:
  - name: errors
    ratio: { bad: 'requests_total{code=~\"5..\"}', total: requests_total }
  - name: depth
    threshold: 'sum by (instance) (depth) / 2'
    max: 10
";

/// A service that has served so many requests more at each scrape.
async fn service(good: u64, bad: u64) -> TestServer {
    TestServer::start(move |number, mut stream| async move {
        let served = number as u64 + 1;
        let body = format!(
            "requests_total{{code=\"200\"}} {}\nrequests_total{{code=\"500\"}} {}\ndepth{{queue=\"a\"}} 3\n",
            served * good,
            served * bad
        );
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        drop(stream.write_all(format!("{head}{body}").as_bytes()).await);
    })
    .await
}

/// Killed and waited for when dropped.
struct Daemon(Child, SocketAddr);

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Daemon {
    fn start(folder: &Path, targets: &str) -> Self {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let rules = folder.join("rules");
        fs::create_dir(&rules).unwrap();
        fs::write(rules.join("service.yaml"), RULES).unwrap();
        let config = format!(
            "listen = '{address}'\nrules_dir = '{}'\n[store]\npath = '{}'\n\
             [sources.local.scrape]\ninterval = '500ms'\n{targets}",
            rules.display(),
            folder.join("w.db").display()
        );
        fs::write(folder.join("wavegate.toml"), config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_wavegate"));
        command.args(["serve", "--config"]).arg(folder.join("wavegate.toml"));
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap(), address)
    }

    /// The body of the answer; `None` where nobody answers.
    async fn ask(&self, head: &str, body: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.1).await.ok()?;
        let length = body.len();
        let request = format!(
            "{head} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}",
            self.1
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        Some(answer.split_once("\r\n\r\n")?.1.to_owned())
    }

    async fn until(&self, head: &str, body: &str, enough: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let asking = async {
            loop {
                if let Some(text) = self.ask(head, body).await
                    && let Ok(document) = serde_json::from_str(&text)
                    && enough(&document)
                {
                    break document;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(2), asking).await.expect("an answer within two minutes")
    }
}

#[tokio::test]
async fn a_bad_wave_fails_and_a_good_one_passes_without_a_prometheus() {
    let (good, bad, old) = (service(1000, 0).await, service(800, 200).await, service(1000, 0).await);
    let target = |served: &TestServer, wave: &str| {
        format!("[[sources.local.scrape.targets]]\nurl = '{}'\nlabels = {{ wave_id = '{wave}' }}\n", served.url())
    };
    let folder = tempfile::tempdir().unwrap();
    let targets = [target(&good, "good"), target(&bad, "bad"), target(&old, "old")].concat();
    let daemon = Daemon::start(folder.path(), &targets);
    for wave in ["good", "bad"] {
        let open = r#"{"rules":"service","baseline":"old"}"#;
        daemon.until(&format!("PUT /v1/waves/{wave}"), open, |document| document["wave_id"] == wave).await;
    }
    for (wave, verdict) in [("good", "pass"), ("bad", "fail")] {
        let head = format!("GET /v1/waves/{wave}/verdict");
        let document = daemon.until(&head, "", |document| document["settled"] == true).await;
        assert_eq!(document["verdict"], verdict, "{document:#}");
    }
}
