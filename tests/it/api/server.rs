//! The server on a real socket, against clients that misbehave.

use super::Behaviour;
use super::Fake;
use super::api_on;
use super::document;
use super::settings;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wavegate::http::Settings;
use wavegate::wave::Verdict;

const LIVEZ: &str = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";

/// A server on a free port.
struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Running {
    async fn start(fake: &Fake, settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let api = api_on(fake, settings, "127.0.0.1:0", &[]);
        let served = tokio::spawn(wavegate::http::serve(listener, api, async {
            let _ = stopped.await;
        }));
        Self { address, stop, served }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connected")
    }

    async fn stop(self) {
        self.stop.send(()).expect("running");
        self.served.await.expect("ended in order");
    }
}

async fn write(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.expect("written");
}

/// Reads to the end of the connection, which may be a reset: a server that closes
/// before it has read everything cannot end otherwise.
async fn rest(stream: &mut TcpStream) -> String {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let read = tokio::time::timeout(Duration::from_mins(2), stream.read(&mut part)).await;
        match read.expect("the server closes") {
            Ok(0) | Err(_) => return String::from_utf8(bytes).expect("text"),
            Ok(count) => bytes.extend_from_slice(&part[..count]),
        }
    }
}

/// Reads until `end` has come.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end.as_bytes()) {
        let byte = tokio::time::timeout(Duration::from_mins(2), stream.read_u8()).await;
        bytes.push(byte.expect("an answer").expect("readable"));
    }
    String::from_utf8(bytes).expect("text")
}

#[tokio::test(start_paused = true)]
async fn a_half_sent_request_is_closed() {
    let running = Running::start(&Fake::default(), settings()).await;
    let mut stream = running.connect().await;
    write(&mut stream, "GET /livez HTTP/1.1\r\nhost: ").await;
    let answer = rest(&mut stream).await;
    assert!(!answer.contains("200"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_socket_is_closed() {
    let running = Running::start(&Fake::default(), settings()).await;
    assert_eq!(rest(&mut running.connect().await).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_half_sent_body_is_answered_and_closed() {
    let running = Running::start(&Fake::default(), settings()).await;
    let mut stream = running.connect().await;
    let head = "PUT /v1/waves/w HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    write(&mut stream, head).await;
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let fake = Fake::default();
    fake.publish("w", None, document("w", 17, Verdict::Pause, false));
    let running = Running::start(&fake, settings()).await;
    let mut stream = running.connect().await;
    let verdict = "GET /v1/waves/w/verdict HTTP/1.1\r\nhost: x\r\n\r\n";
    let last = "GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    write(&mut stream, &format!("{LIVEZ}{verdict}{last}")).await;
    let answers = rest(&mut stream).await;
    let place = |text: &str| answers.find(text).unwrap_or_else(|| panic!("no {text} in {answers}"));
    assert!(place("ok\n") < place("\"revision\":17") && place("\"revision\":17") < place("no_such_route"));
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 3);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_their_turn() {
    let one = Settings { max_connections: NonZeroUsize::MIN, max_waiters: 0, ..settings() };
    let running = Running::start(&Fake::default(), one).await;
    let mut first = running.connect().await;
    write(&mut first, LIVEZ).await;
    until(&mut first, "ok\n").await;

    let mut second = running.connect().await;
    write(&mut second, LIVEZ).await;
    write(&mut first, LIVEZ).await;
    until(&mut first, "ok\n").await;
    let early = second.try_read(&mut [0; 1]);
    assert!(early.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));

    drop(first);
    until(&mut second, "ok\n").await;
}

#[tokio::test]
async fn ten_megabytes_are_refused_with_a_problem() {
    let running = Running::start(&Fake::default(), settings()).await;
    let size = 10 * 1024 * 1024;
    let mut stream = running.connect().await;
    let head =
        format!("PUT /v1/waves/w HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n");
    write(&mut stream, &format!("{head}\r\n")).await;
    write(&mut stream, &" ".repeat(size)).await;
    let answer = until(&mut stream, "}").await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("application/problem+json"), "{answer}");

    // A client that asks first is told before it sends.
    let mut stream = running.connect().await;
    write(&mut stream, &format!("{head}expect: 100-continue\r\n\r\n")).await;
    let answer = until(&mut stream, "}").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");

    // Nor does leaving the length out help.
    let mut stream = running.connect().await;
    let chunk = format!("100000\r\n{}\r\n", " ".repeat(1024 * 1024)).repeat(10);
    let head =
        "PUT /v1/waves/w HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    write(&mut stream, &format!("{head}{chunk}0\r\n\r\n")).await;
    let answer = until(&mut stream, "}").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn headers_have_a_limit() {
    let running = Running::start(&Fake::default(), settings()).await;
    let many = "x: y\r\n".repeat(70);
    let long = format!("x: {}\r\n", "y".repeat(70 * 1024));
    for headers in [many, long] {
        let mut stream = running.connect().await;
        write(&mut stream, &format!("GET /livez HTTP/1.1\r\nhost: x\r\n{headers}\r\n")).await;
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{} {answer}", headers.len());
    }
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let running = Running::start(&Fake::default(), settings()).await;
    for garbage in ["\u{16}\u{3}\u{1} TLS\r\n\r\n", "GET /\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = running.connect().await;
        write(&mut stream, garbage).await;
        let answer = rest(&mut stream).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.1 505 "),
            "{answer}"
        );
    }
    let mut stream = running.connect().await;
    write(&mut stream, LIVEZ).await;
    until(&mut stream, "ok\n").await;
}

#[tokio::test]
async fn a_shutdown_answers_waiters_and_ends_idle_connections() {
    let fake = Fake::default();
    fake.publish("w", None, document("w", 17, Verdict::Pause, false));
    let running = Running::start(&fake, settings()).await;
    let mut idle = running.connect().await;
    write(&mut idle, LIVEZ).await;
    until(&mut idle, "ok\n").await;
    let mut waiting = running.connect().await;
    write(&mut waiting, "GET /v1/waves/w/verdict?wait=60s HTTP/1.1\r\nhost: x\r\n\r\n").await;
    // The waiter holds its place once the watch is taken.
    fake.subscribed("w").await;

    running.stop().await;

    assert_eq!(rest(&mut idle).await, "");
    let answer = rest(&mut waiting).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"revision\":17"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_ever() {
    let fake = Fake::default();
    fake.behave(Behaviour::Hanging);
    let hasty = Settings { request_timeout: Duration::from_hours(1), ..settings() };
    let running = Running::start(&fake, hasty).await;
    let mut stream = running.connect().await;
    let head = "PUT /v1/waves/w HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n";
    write(&mut stream, &format!("{head}{{\"rules\":\"a\"}}")).await;
    fake.asked().await;

    running.stop().await;

    assert_eq!(rest(&mut stream).await, "");
}

const EVENTS: &str = "GET /v1/waves/w/events HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn a_shutdown_ends_streams_at_once() {
    let fake = Fake::default();
    fake.publish("w", None, document("w", 17, Verdict::Pause, false));
    let running = Running::start(&fake, settings()).await;
    let mut one = running.connect().await;
    write(&mut one, EVENTS).await;
    until(&mut one, "\n\n\r\n").await;
    let mut all = running.connect().await;
    write(&mut all, "GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n").await;
    until(&mut all, "{\"waves\":1}\n\n\r\n").await;

    running.stop().await;

    for stream in [&mut one, &mut all] {
        let end = rest(stream).await;
        assert!(end.ends_with("\r\n0\r\n\r\n") || end == "0\r\n\r\n", "not ended in order: {end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_reads_nothing_is_cut_off() {
    let fake = Fake::default();
    let large = |revision: u32| {
        let mut large = document("w", revision, Verdict::Pause, false);
        let body = String::from_utf8(large.body.to_vec()).expect("text").replace('…', &"x".repeat(8 << 20));
        large.body = body.into();
        large
    };
    fake.publish("w", None, large(1));
    let running = Running::start(&fake, Settings { max_streams: 1, ..settings() }).await;
    let mut stream = running.connect().await;
    write(&mut stream, EVENTS).await;
    fake.subscribed("w").await;
    // Its place is free again once the server has given it up.
    fake.unsubscribed("w").await;
    let mut next = running.connect().await;
    write(&mut next, EVENTS).await;
    until(&mut next, "text/event-stream").await;
}
