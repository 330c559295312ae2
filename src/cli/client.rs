//! How the commands that ask a daemon reach it.
//!
//! One request, one answer of a bounded size in a bounded time. What failed is told
//! apart by what helps: asking again (nobody answered, or the daemon is busy) or
//! asking for something else. Proxies of the environment are not used and redirects
//! not followed: the token goes to the server that was named and to no other.

use crate::cli::Failure;
use crate::cli::complain;
use crate::cli::refused;
use crate::cli::unexpected;
use crate::cli::unreachable;
use crate::config::Caller;
use crate::config::Inputs;
use crate::report::plain;
use crate::rules::RulesName;
use crate::wave::WaveId;
use anyhow::Context as _;
use anyhow::anyhow;
use reqwest::Method;
use reqwest::Response;
use reqwest::StatusCode;
use reqwest::Url;
use reqwest::header;
use serde::Deserialize;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

const DEFAULT_SERVER: &str = "http://127.0.0.1:9466";

/// An answer: a wave of 64 gates is about 1 MB.
const MAX_ANSWER_BYTES: usize = 32 << 20;
/// A bundle of all the world's authorities has 250 kB, and a token is a line.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Of a page that is no problem document, as much as a person reads.
const MAX_EXCERPT_CHARS: usize = 200;

/// For connecting, within the time of a request.
const CONNECT: Duration = Duration::from_secs(5);
/// For one request, waiting asked for left out: the daemon's own limit and a network's.
const PATIENCE: Duration = Duration::from_secs(15);
/// Requests that a busy daemon is sent before a person is told.
const TRIES: u32 = 3;
/// When to ask a busy daemon again that does not say when, and at the latest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(15));

/// Which daemon, and as whom.
#[derive(Debug, clap::Args)]
pub(super) struct Connection {
    /// Where the daemon listens; the variable `WAVEGATE_SERVER` names it too.
    /// Without either `http://127.0.0.1:9466`. Proxies of the environment are not used.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// A file that holds the bearer token; without it the variable `WAVEGATE_TOKEN`.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A PEM file of certificate authorities that replaces the system's.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl Connection {
    /// The daemon at `server`, with the token of the environment if there is one.
    pub(super) fn to(server: String) -> Self {
        Self { server: Some(server), token_file: None, ca_file: None }
    }
}

/// A daemon.
pub(super) struct Client {
    http: reqwest::Client,
    server: Url,
    token: Option<String>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Call {
    method: Method,
    /// Below the server's URL, one name each.
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<String>,
    /// What the caller has already.
    tag: Option<String>,
    patience: Duration,
}

/// What came back.
pub(super) struct Answer {
    /// 304: the caller has it already.
    pub(super) unchanged: bool,
    pub(super) tag: Option<String>,
    pub(super) body: String,
}

/// What went wrong, by what helps.
pub(super) enum Trouble {
    /// Nobody answered, or not in time.
    Unreachable(anyhow::Error),
    /// Somebody answered that it cannot now. `is_safe`: nothing was done.
    Busy { after: Duration, is_safe: bool, error: anyhow::Error },
    /// The daemon will not do this.
    Refused(anyhow::Error),
    /// An answer that cannot be.
    Unexpected(anyhow::Error),
}

/// A refusal as RFC 9457 has it; see `http/problem.rs`.
#[derive(Deserialize)]
struct Problem {
    detail: String,
    code: String,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    pointer: Option<String>,
    parameter: Option<String>,
    detail: String,
}

impl Call {
    pub(super) fn get(path: &[&str]) -> Self {
        Self {
            method: Method::GET,
            path: path.iter().map(|&name| name.to_owned()).collect(),
            query: Vec::new(),
            body: None,
            tag: None,
            patience: PATIENCE,
        }
    }

    pub(super) fn send(method: Method, path: &[&str], body: &serde_json::Value) -> Self {
        Self { method, body: Some(body.to_string()), ..Self::get(path) }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Only if it is another than `tag`, and after waiting so long for another.
    pub(super) fn unless(self, tag: String, wait: Duration) -> Self {
        let waiting = self.with("wait", format!("{}ms", wait.as_millis()));
        Self { tag: Some(tag), patience: PATIENCE + wait, ..waiting }
    }

    pub(super) fn within(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
}

impl Client {
    pub(super) fn new(connection: &Connection) -> Result<Self, Failure> {
        let caller = Caller::new(&Inputs::of_process(None, Vec::new()));
        let named = connection.server.as_deref().or(caller.server.as_deref()).unwrap_or(DEFAULT_SERVER);
        let server = server(named).map_err(refused)?;
        let token = match &connection.token_file {
            Some(path) => {
                let text = read(path).and_then(|bytes| String::from_utf8(bytes).context("it is not text"));
                Some(text.with_context(|| format!("--token-file {}", path.display())).map_err(refused)?)
            }
            None => caller.token,
        };
        let token = token.map(|token| token.trim().to_owned());
        if token.as_ref().is_some_and(|token| token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(refused(anyhow!("the token must be one line without spaces")));
        }
        let http = http(&server, connection.ca_file.as_deref()).map_err(refused)?;
        Ok(Self { http, server, token })
    }

    /// The daemon's address, as messages show it.
    pub(super) fn server(&self) -> &str {
        self.server.as_str().trim_end_matches('/')
    }

    /// Asks, and asks a busy daemon again a few times.
    pub(super) async fn ask(&self, call: &Call) -> Result<Answer, Failure> {
        let mut tries = 1;
        loop {
            match self.once(call).await {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Busy { after, is_safe, error }) if tries < TRIES && (is_safe || call.body.is_none()) => {
                    complain(&format!("{error:#}; asking again in {} s", after.as_secs_f32().ceil()));
                    tokio::time::sleep(after).await;
                    tries += 1;
                }
                Err(trouble) => return Err(trouble.into()),
            }
        }
    }

    /// Asks once.
    pub(super) async fn once(&self, call: &Call) -> Result<Answer, Trouble> {
        let (response, body) = self.exchange(call).await?;
        let tag = response.headers().get(header::ETAG).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let unchanged = response.status() == StatusCode::NOT_MODIFIED;
        let body = String::from_utf8(body).map_err(|_| Trouble::Unexpected(anyhow!("an answer that is not text")))?;
        Ok(Answer { unchanged, tag, body })
    }

    /// Asks once for a file.
    pub(super) async fn file(&self, call: &Call) -> Result<Vec<u8>, Failure> {
        Ok(self.exchange(call).await?.1)
    }

    /// One request, and what a success brings; the response has no body any more.
    async fn exchange(&self, call: &Call) -> Result<(Response, Vec<u8>), Trouble> {
        let mut request = self.http.request(call.method.clone(), self.url(call)?).timeout(call.patience);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(tag) = &call.tag {
            request = request.header(header::IF_NONE_MATCH, tag);
        }
        if let Some(body) = &call.body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body.clone());
        }
        let silent = |error: reqwest::Error| {
            Trouble::Unreachable(anyhow!(error.without_url()).context(format!("no answer from {}", self.server())))
        };
        let mut response = request.send().await.map_err(silent)?;
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(silent)? {
            if body.len() + piece.len() > MAX_ANSWER_BYTES {
                return Err(Trouble::Unexpected(anyhow!("an answer of more than {MAX_ANSWER_BYTES} bytes")));
            }
            body.extend_from_slice(&piece);
        }
        if matches!(response.status(), StatusCode::OK | StatusCode::NOT_MODIFIED) {
            return Ok((response, body));
        }
        let text = String::from_utf8(body).map_err(|_| Trouble::Unexpected(anyhow!("an answer that is not text")))?;
        Err(self.trouble(&response, &text))
    }

    fn url(&self, call: &Call) -> Result<Url, Trouble> {
        let mut url = self.server.clone();
        // Every reader of URLs takes these for steps in the path.
        if let Some(step) = call.path.iter().find(|name| matches!(name.as_str(), "." | "..")) {
            return Err(Trouble::Refused(anyhow!("`{step}` is a name that no URL can hold")));
        }
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(&call.path);
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        Ok(url)
    }

    fn trouble(&self, response: &Response, body: &str) -> Trouble {
        let (status, problem) = (response.status(), serde_json::from_str::<Problem>(body).ok());
        let text = |name| response.headers().get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
        let error = match &problem {
            Some(problem) => anyhow!("{}", problem.told()),
            None if status.is_redirection() => {
                let place = plain(text(header::LOCATION).unwrap_or("elsewhere"));
                anyhow!("{} sends us to {place}; redirects are not followed, so name it by --server", self.server())
            }
            None => anyhow!("{} answered {status}: {}", self.server(), excerpt(body)),
        };
        match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                let after = text(header::RETRY_AFTER).and_then(|seconds| seconds.parse().ok());
                let after = after.map_or(PAUSES.0, Duration::from_secs).min(PAUSES.1);
                // A request that took too long, or that a proxy lost, may have been done.
                let is_safe = problem.is_some_and(|problem| problem.code != "timeout");
                Trouble::Busy { after, is_safe, error }
            }
            status if status.is_client_error() || status.is_redirection() => Trouble::Refused(error),
            _ => Trouble::Unexpected(error),
        }
    }
}

impl Problem {
    /// As a person reads it: what is wrong, and where in the request.
    fn told(&self) -> String {
        let mut text = plain(&self.detail);
        for fault in &self.errors {
            let place = fault.pointer.as_ref().or(fault.parameter.as_ref());
            let place = place.filter(|place| !place.is_empty()).map_or("the request", String::as_str);
            let _ = write!(text, "\n  at {}", plain(place));
            if fault.detail != self.detail {
                let _ = write!(text, ": {}", plain(&fault.detail));
            }
        }
        let _ = write!(text, "  [{}]", plain(&self.code));
        text
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unreachable(error) | Trouble::Busy { error, .. } => unreachable(error),
            Trouble::Refused(error) => refused(error),
            Trouble::Unexpected(error) => unexpected(error),
        }
    }
}

/// The path of a wave or of one gate of it, and of `what` about it.
pub(super) fn path<'a>(wave: &'a str, rules: Option<&'a str>, what: &'a str) -> Result<Vec<&'a str>, Failure> {
    if WaveId::new(wave).is_none() {
        let most = WaveId::MAX_BYTES;
        return Err(refused(anyhow!("a wave id has 1 to {most} bytes and no control characters")));
    }
    let mut path = vec!["v1", "waves", wave];
    if let Some(rules) = rules {
        if RulesName::new(rules).is_none() {
            return Err(refused(anyhow!("--rules: `{}` is not the name of rules", plain(rules))));
        }
        path.extend(["gates", rules]);
    }
    if !what.is_empty() {
        path.push(what);
    }
    Ok(path)
}

/// Who says so: `by`, else whoever is logged in.
pub(super) fn signed(by: Option<&str>) -> Result<String, Failure> {
    let login = || Caller::new(&Inputs::of_process(None, Vec::new())).login;
    by.map(str::to_owned).or_else(login).ok_or_else(|| refused(anyhow!("nobody is logged in: say who you are by --by")))
}

fn server(named: &str) -> anyhow::Result<Url> {
    // Never repeated: it may hold a password.
    let url = Url::parse(named.trim()).map_err(|error| anyhow!("--server: not a URL ({error})"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(anyhow!("--server: the URL begins with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(anyhow!("--server: a password in a URL is logged; use --token-file or WAVEGATE_TOKEN"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(anyhow!("--server: the URL has a `?` or `#` part"));
    }
    Ok(url)
}

fn http(server: &Url, ca_file: Option<&Path>) -> anyhow::Result<reqwest::Client> {
    // An error here means that a provider is installed already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = reqwest::Client::builder()
        .user_agent(concat!("wavegate/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .no_proxy();
    let builder = match ca_file {
        Some(path) => {
            let unusable = || format!("--ca-file {}", path.display());
            let authorities = reqwest::Certificate::from_pem_bundle(&read(path).with_context(unusable)?);
            let authorities = authorities.with_context(unusable)?;
            if authorities.is_empty() {
                return Err(anyhow!("--ca-file {}: no certificate in it", path.display()));
            }
            builder.tls_certs_only(authorities)
        }
        None if server.scheme() == "https" => builder,
        // Without TLS nobody is to be trusted, and a container may have no certificates at all.
        None => builder.tls_certs_only([]),
    };
    builder.build().context("the HTTP client cannot be built")
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(anyhow!("larger than {MAX_FILE_BYTES} bytes"));
    }
    Ok(bytes)
}

fn excerpt(body: &str) -> String {
    let words = body.split_whitespace().collect::<Vec<_>>().join(" ");
    let text: String = plain(&words).chars().take(MAX_EXCERPT_CHARS).collect();
    if text.is_empty() { "nothing more".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(at: &str) -> Client {
        let server = server(at).unwrap();
        Client { http: http(&server, None).unwrap(), server, token: None }
    }

    #[track_caller]
    fn check(at: &str, wave: &str, expect: Option<&str>) {
        let url = client(at).url(&Call::get(&["v1", "waves", wave]).with("wait", "1s"));
        assert_eq!(url.ok().as_ref().map(Url::as_str), expect);
    }

    #[test]
    fn a_wave_id_is_one_name_in_the_path_whatever_it_holds() {
        check("http://w:9466", "eu-1", Some("http://w:9466/v1/waves/eu-1?wait=1s"));
        check("https://w/gate/", "a/b?c#d%2F e", Some("https://w/gate/v1/waves/a%2Fb%3Fc%23d%252F%20e?wait=1s"));
        check("http://w", "..", None);
        check("http://w", ".", None);
        check("http://w", "...", Some("http://w/v1/waves/...?wait=1s"));
    }

    #[test]
    fn a_server_that_cannot_be_one_is_refused_without_its_secrets() {
        for bad in ["w:9466", "ftp://w", "http://u:hunter2@w", "http://w/?token=hunter2", "http://w/#x", ""] {
            let error = server(bad).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn problems_are_told_with_their_place() {
        let told = |text: &str| serde_json::from_str::<Problem>(text).unwrap().told();
        assert_eq!(told(r#"{"detail":"no","code":"c"}"#), "no  [c]");
        let one = r#"{"detail":"no\u001b[2J","code":"c","errors":[{"pointer":"/rules/0","detail":"no\u001b[2J"}]}"#;
        assert_eq!(told(one), "no\u{fffd}[2J\n  at /rules/0  [c]");
        let other = r#"{"detail":"no","code":"c","errors":[{"parameter":"wait","detail":"too long"}]}"#;
        assert_eq!(told(other), "no\n  at wait: too long  [c]");
    }
}
