//! A real Prometheus server in a temporary folder, filled beforehand or scraping.
//!
//! Everything here blocks, so that tests with and without a runtime can use it.
//! The server dies with the value; `stop` and `start` in between keep its data
//! and its port.

use std::fs;
use std::fs::File;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// Polls of a server that is starting, 20 ms apart: a minute, for a busy machine.
const POLLS: u32 = 3000;
/// Somebody else may take a free port before Prometheus does.
const PORTS_TO_TRY: u32 = 10;

/// A Prometheus server of Debian's package `prometheus`.
#[derive(Debug)]
pub(crate) struct PrometheusServer {
    // Before the folder, so that the process is gone when the folder goes.
    running: Option<Running>,
    port: u16,
    extra_args: Vec<String>,
    folder: TempDir,
}

/// Killed and waited for when dropped.
#[derive(Debug)]
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// One address to scrape, with the labels it gets.
pub(crate) type Target<'a> = (SocketAddr, &'a [(&'a str, &'a str)]);

impl PrometheusServer {
    /// A server that holds the samples of `openmetrics`, text that ends in `# EOF`.
    pub(crate) fn backfilled(openmetrics: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("prometheus.yml"), "{}").expect("a configuration");
        create_blocks(folder.path(), openmetrics);
        Self::launched(folder, Vec::new())
    }

    /// As [`PrometheusServer::backfilled`], of weeks: in few blocks, for each of which all
    /// of the text is read.
    pub(crate) fn backfilled_for_weeks(openmetrics: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("prometheus.yml"), "{}").expect("a configuration");
        create_blocks_with(folder.path(), openmetrics, &["--max-block-duration=744h"]);
        Self::launched(folder, Vec::new())
    }

    /// An empty server that scrapes `targets`.
    pub(crate) fn scraping(targets: &[Target<'_>], scrape_interval: Duration) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let interval = format!("{}ms", scrape_interval.as_millis());
        let static_config = |(address, labels): &Target<'_>| {
            let labels: serde_json::Map<_, _> = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect();
            serde_json::json!({ "targets": [address.to_string()], "labels": labels })
        };
        // JSON is YAML, with the quoting settled.
        let config = serde_json::json!({
            "global": { "scrape_interval": interval, "scrape_timeout": interval },
            "scrape_configs": [{
                "job_name": "targets",
                "static_configs": targets.iter().map(static_config).collect::<Vec<_>>(),
            }],
        });
        fs::write(folder.path().join("prometheus.yml"), config.to_string()).expect("a configuration");
        Self::launched(folder, Vec::new())
    }

    /// An empty server that takes what is pushed into it, native histograms too.
    pub(crate) fn receiving() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("prometheus.yml"), "{}").expect("a configuration");
        let args = ["--web.enable-remote-write-receiver", "--enable-feature=native-histograms"];
        Self::launched(folder, args.map(str::to_owned).to_vec())
    }

    /// As [`PrometheusServer::backfilled`], with TLS and passwords as `web_config` says.
    pub(crate) fn guarded(openmetrics: &str, web_config: &serde_json::Value) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("prometheus.yml"), "{}").expect("a configuration");
        let web = folder.path().join("web.yml");
        fs::write(&web, web_config.to_string()).expect("a web configuration");
        create_blocks(folder.path(), openmetrics);
        Self::launched(folder, vec![format!("--web.config.file={}", web.display())])
    }

    /// Its base URL, over plain HTTP.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Where it listens, while it runs.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Kills it. The data stays, and nobody answers at its port.
    pub(crate) fn stop(&mut self) {
        self.running = None;
    }

    /// Starts it again with the same data at the same port, and waits until it answers.
    pub(crate) fn start(&mut self) {
        for _ in 0..PORTS_TO_TRY {
            if self.running.is_some() || self.launch() {
                return;
            }
            thread::sleep(Duration::from_millis(500));
        }
        panic!("prometheus did not come back at port {}:\n{}", self.port, self.log());
    }

    fn launched(folder: TempDir, extra_args: Vec<String>) -> Self {
        let mut server = Self { running: None, port: 0, extra_args, folder };
        for _ in 0..PORTS_TO_TRY {
            server.port = free_port();
            if server.launch() {
                return server;
            }
        }
        panic!("prometheus did not start on any of {PORTS_TO_TRY} ports:\n{}", server.log());
    }

    /// Whether a server of ours answers at the port in the end.
    fn launch(&mut self) -> bool {
        let folder = self.folder.path();
        let log = File::create(folder.join("log")).expect("a log file");
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", self.data().display()))
            .arg(format!("--web.listen-address={}", self.address()))
            .args(["--storage.tsdb.retention.time=100y", "--log.level=info"])
            .args(&self.extra_args)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log file again"))
            .stderr(log);
        let mut running = Running(command.spawn().unwrap_or_else(|error| missing("prometheus", &error)));
        for _ in 0..POLLS {
            if running.0.try_wait().expect("a child to ask after").is_some() {
                return false;
            }
            if self.is_ready() {
                self.running = Some(running);
                return true;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("prometheus is not ready after a minute:\n{}", self.log());
    }

    /// Whether the process says in its own log that it is ready. Asking at the port
    /// would not tell ours from the server of a test that found the same port free,
    /// and would need the credentials of a guarded one.
    fn is_ready(&self) -> bool {
        self.log().contains("Server is ready to receive web requests")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// Turns text into blocks of Prometheus' database, in `folder/data`.
fn create_blocks(folder: &Path, openmetrics: &str) {
    create_blocks_with(folder, openmetrics, &[]);
}

fn create_blocks_with(folder: &Path, openmetrics: &str, args: &[&str]) {
    let (text, data) = (folder.join("samples.om"), folder.join("data"));
    fs::write(&text, openmetrics).expect("samples to write");
    let created: Output = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics", "--quiet"])
        .args(args)
        .args([&text, &data])
        .output()
        .unwrap_or_else(|error| missing("promtool", &error));
    assert!(created.status.success(), "promtool: {}", String::from_utf8_lossy(&created.stderr));
    fs::remove_file(text).expect("samples to remove");
}

fn missing(program: &str, error: &std::io::Error) -> ! {
    panic!("cannot run `{program}`, which this test needs: {error}\ninstall it with `apt-get install prometheus`")
}

/// A port that was free a moment ago; Prometheus 2 cannot choose one by itself.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}
