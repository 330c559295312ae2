//! The real binary: the daemon as a child process with a folder of its own, a
//! client that sends what it is told, and the commands.
//!
//! The environment of the tests is kept from it, because its variables are keys
//! of the configuration.

use serde_json::Value;
use sqlx::Connection as _;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteConnectOptions;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// How long a test waits for what must come: a busy machine gets there too.
const PATIENCE: Duration = Duration::from_mins(2);

/// What the daemon logs once it can be asked.
const LISTENS: &str = "wavegate listens address=";

/// A command of the binary.
pub(crate) fn wavegate<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wavegate"));
    command.env_clear().args(arguments).stdin(Stdio::null());
    command
}

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a command to its end.
pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ended {
    let output = wavegate(arguments).output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A folder with rule files, a configuration and room for the store.
#[derive(Debug)]
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    /// Rules `(file, text)` and the rest of a configuration, whose source `main`,
    /// if any, is a Prometheus at `source`.
    pub(crate) fn new(rules: &[(&str, &str)], source: Option<&str>, more: &str) -> Self {
        let home = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        fs::create_dir(home.path("rules")).expect("a folder");
        for (file, text) in rules {
            home.put_rules(file, text);
        }
        fs::create_dir(home.path("slos")).expect("a folder");
        let mut text = format!(
            "listen = '127.0.0.1:0'\nrules_dir = '{}'\nslos_dir = '{}'\n{more}\n[store]\npath = '{}'\n",
            home.path("rules").display(),
            home.path("slos").display(),
            home.path("data/wavegate.db").display(),
        );
        if let Some(url) = source {
            // What a test holds back does not time out.
            write!(text, "[sources.main.prometheus]\nurl = '{url}'\ntimeout = '1m'\n").expect("strings take all");
        }
        fs::write(home.path("wavegate.toml"), text).expect("a configuration");
        home
    }

    pub(crate) fn put_rules(&self, file: &str, text: &str) {
        fs::write(self.path("rules").join(file), text).expect("a rule file");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The arguments that start a daemon here.
    pub(crate) fn serve(&self) -> Vec<std::ffi::OsString> {
        vec!["serve".into(), "--config".into(), self.path("wavegate.toml").into()]
    }
}

/// A daemon; killed when dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    // Before the folder, so that the process is gone when the folder goes.
    running: Option<Running>,
    address: SocketAddr,
    pub(crate) home: Home,
}

#[derive(Debug)]
struct Running {
    child: Child,
    log: watch::Receiver<Vec<String>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Daemon {
    /// Starts a daemon in `home` and waits until it listens.
    pub(crate) async fn start(home: Home) -> Self {
        let mut daemon = Self { running: None, address: SocketAddr::from(([127, 0, 0, 1], 0)), home };
        daemon.restart().await;
        daemon
    }

    /// Starts it again in the same folder.
    pub(crate) async fn restart(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let mut child =
            wavegate(self.home.serve()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let (lines, log) = watch::channel(Vec::new());
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                lines.send_modify(|log: &mut Vec<String>| log.push(line));
            }
        });
        self.running = Some(Running { child, log });
        let line = self.logged(LISTENS).await;
        let address = line.split(LISTENS).nth(1).and_then(|rest| rest.split(' ').next());
        self.address = address.and_then(|address| address.parse().ok()).expect("an address in the log");
    }

    /// The first line of the log that has `words` in it, waited for.
    pub(crate) async fn logged(&self, words: &str) -> String {
        let mut log = self.running().log.clone();
        let found = async {
            let log = log.wait_for(|lines| lines.iter().any(|line| line.contains(words))).await;
            log.map(|lines| lines.iter().find(|line| line.contains(words)).cloned())
        };
        if let Ok(Ok(Some(line))) = tokio::time::timeout(PATIENCE, found).await {
            return line;
        }
        panic!("no `{words}` in the log:\n{}", self.log())
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        self.running.as_ref().map_or(String::new(), |running| running.log.borrow().join("\n"))
    }

    /// SIGKILL: nobody has time for anything.
    pub(crate) fn kill9(&mut self) {
        assert!(self.running.take().is_some(), "it runs");
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.running().child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success(), "{kill}");
    }

    /// SIGTERM, and the exit code.
    pub(crate) async fn terminate(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.ended().await.code()
    }

    /// Waits until the process ends by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut running = self.running.take().expect("it runs");
        let mut log = running.log.clone();
        // Its end closes the log.
        let closed = async { while log.changed().await.is_ok() {} };
        let closed = tokio::time::timeout(PATIENCE, closed).await;
        assert!(closed.is_ok(), "it does not end:\n{}", log.borrow().join("\n"));
        running.child.wait().expect("a child to wait for")
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        ask(self.address, "GET", path, &[], "").await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        ask(self.address, "PUT", path, &[JSON], &body.to_string()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        ask(self.address, "POST", path, &[JSON], &body.to_string()).await
    }

    /// Opens a gate, which must be taken.
    pub(crate) async fn open(&self, wave: &str, body: &Value) -> Value {
        let answer = self.put(&wave_path(wave), body).await;
        assert_eq!(answer.status, 200, "{wave}: {}", answer.text());
        answer.json()
    }

    /// Waits by long polls until `is_there` says yes to the document at `path`.
    pub(crate) async fn until(&self, path: &str, is_there: impl Fn(&Value) -> bool) -> Answer {
        let mut tag = String::from("\"none\"");
        let there = async {
            loop {
                let known = [("if-none-match", tag.as_str())];
                let answer = ask(self.address, "GET", &format!("{path}?wait=30s"), &known, "").await;
                if answer.status == 304 {
                    continue;
                }
                assert_eq!(answer.status, 200, "{path}: {}", answer.text());
                if is_there(&answer.json()) {
                    return answer;
                }
                tag.clone_from(&answer.headers["etag"]);
            }
        };
        if let Ok(answer) = tokio::time::timeout(PATIENCE, there).await {
            return answer;
        }
        panic!("{path} stays at {}\n{}", self.get(path).await.text(), self.log())
    }

    /// Waits until the document at `path` is settled.
    pub(crate) async fn settled(&self, path: &str) -> Answer {
        self.until(path, |document| document["settled"] == true).await
    }

    /// A connection to its store; it does not run any more.
    pub(crate) async fn shell(&self) -> SqliteConnection {
        assert!(self.running.is_none(), "it runs");
        let options = SqliteConnectOptions::new().filename(self.home.path("data/wavegate.db"));
        SqliteConnection::connect_with(&options).await.expect("a database")
    }

    /// What the daemon left in its store; it does not run any more.
    pub(crate) async fn left(&self) -> Left {
        let mut shell = self.shell().await;
        let revisions = "SELECT waves.name, rules, attempt, revisions.revision, document
            FROM revisions JOIN gates ON gates.id = gate_id JOIN waves ON waves.id = wave_id
            ORDER BY waves.name, rules, attempt, revisions.revision";
        let revisions = sqlx::query_as(revisions).fetch_all(&mut shell).await.expect("revisions");
        let messages = "SELECT body FROM outbox ORDER BY sequence";
        let messages: Vec<String> = sqlx::query_scalar(messages).fetch_all(&mut shell).await.expect("messages");
        let messages = messages.iter().map(|body| serde_json::from_str(body).expect("JSON")).collect();
        Left { revisions, messages }
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs")
    }
}

/// What a daemon left behind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Left {
    /// Wave, rules, attempt, revision, document.
    pub(crate) revisions: Vec<(String, String, u32, u32, String)>,
    /// Bodies of events in the order in which they happened.
    pub(crate) messages: Vec<Value>,
}

impl Left {
    /// The types of the events of `wave`.
    pub(crate) fn events(&self, wave: &str) -> Vec<&str> {
        let of_wave = self.messages.iter().filter(|message| message["data"]["wave_id"] == wave);
        of_wave.map(|message| message["type"].as_str().expect("a type")).collect()
    }

    /// The documents of `wave`, one for each revision from 1 without a gap.
    #[track_caller]
    pub(crate) fn history(&self, wave: &str) -> Vec<&str> {
        let own: Vec<_> = self.revisions.iter().filter(|(name, ..)| name == wave).collect();
        let numbers: Vec<u32> = own.iter().map(|(_, _, _, revision, _)| *revision).collect();
        let whole = !numbers.is_empty() && (1..).zip(&numbers).all(|(expect, found)| expect == *found);
        assert!(whole, "{wave} has revisions {numbers:?}");
        own.iter().map(|(.., document)| document.as_str()).collect()
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By name in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The code of a problem document, with its status, and the pointer of its first error.
    #[track_caller]
    pub(crate) fn problem(&self) -> (u16, String, String) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text());
        let document = self.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (self.status, text(&document["code"]), text(&document["errors"][0]["pointer"]))
    }
}

/// One request on a connection of its own, its path as it is.
pub(crate) async fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").expect("strings take all");
    }
    write!(request, "content-length: {}\r\n\r\n{body}", body.len()).expect("strings take all");
    let mut bytes = Vec::new();
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        // Who refuses a request need not read it to the end.
        drop(stream.write_all(request.as_bytes()).await);
        drop(stream.read_to_end(&mut bytes).await);
    };
    tokio::time::timeout(PATIENCE, exchange).await.expect("an answer in time");
    read(&bytes).unwrap_or_else(|| panic!("{method} {path} is answered by {:?}", String::from_utf8_lossy(&bytes)))
}

fn read(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let body = bytes[end + 4..].to_vec();
    let whole = headers.get("content-length").is_none_or(|length| length.parse() == Ok(body.len()));
    whole.then_some(Answer { status, headers, body })
}

/// The path of a wave, whatever its id.
pub(crate) fn wave_path(wave: &str) -> String {
    let mut path = String::from("/v1/waves/");
    for byte in wave.bytes() {
        if byte.is_ascii_alphanumeric() {
            path.push(char::from(byte));
        } else {
            write!(path, "%{byte:02X}").expect("strings take all");
        }
    }
    path
}
