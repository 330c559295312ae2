//! A tiny HTTP server whose answers a test writes byte by byte, so that it can
//! do what no honest server does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Answers requests, one to a connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct TestServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    accepting: JoinHandle<()>,
}

/// What somebody asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Method, path and version.
    pub(crate) line: String,
    /// By name in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body.
    pub(crate) body: String,
    /// The form in the body, decoded.
    pub(crate) form: BTreeMap<String, String>,
}

impl TestServer {
    /// Hands each connection, with its number from 0 and its request read, to `respond`.
    pub(crate) async fn start<F, Fut>(respond: F) -> Self
    where
        F: Fn(usize, TcpStream) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let accepting = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(request) = read_request(&mut stream).await else { continue };
                let number = {
                    let mut seen = seen.lock().expect("no panic under the lock");
                    seen.push(request);
                    seen.len() - 1
                };
                connections.spawn(respond(number, stream));
            }
        });
        Self { address, requests, accepting }
    }

    /// Answers the first request with the first of `answers`, and so on; the last for ever.
    pub(crate) async fn answering(answers: Vec<Vec<u8>>) -> Self {
        let answers = Arc::new(answers);
        Self::start(move |number, mut stream| {
            let answers = Arc::clone(&answers);
            async move {
                let answer = &answers[number.min(answers.len() - 1)];
                // The other side may hang up first; that is its right.
                drop(stream.write_all(answer).await);
                drop(stream.shutdown().await);
            }
        })
        .await
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops listening: from now on its address refuses connections.
    pub(crate) async fn close(mut self) {
        self.accepting.abort();
        drop((&mut self.accepting).await);
    }

    /// Everything asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic under the lock").clone()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// An answer with a length and `body`; `head` is the status and further header lines.
pub(crate) fn answer(head: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes =
        format!("HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", head.join("\r\n"), body.len())
            .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A 200 with `body` as JSON.
pub(crate) fn json(body: impl AsRef<[u8]>) -> Vec<u8> {
    answer(&["200 OK", "Content-Type: application/json"], body)
}

pub(crate) async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).ok()?;
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = bytes.split_off(head_end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    let form = reqwest::Url::parse(&format!("http://form/?{body}")).ok()?;
    let form = form.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    Some(Request { line, headers, body, form })
}
