//! A valve in the pipe before a real server: it lets requests through, holds them
//! back after so many, or answers in the server's stead, so that a test knows how
//! far a client has come.

use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes requests on, one to a connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct Valve {
    address: SocketAddr,
    state: watch::Sender<State>,
    accepting: JoinHandle<()>,
}

#[derive(Clone, Debug)]
struct State {
    flow: Flow,
    /// Counts how often whoever had come was cut off.
    era: u64,
    /// Whether a request is held, since the flow was set.
    holds: bool,
}

#[derive(Clone, Debug)]
enum Flow {
    /// Every request goes through.
    Open,
    /// So many more go through, others are held.
    Some(usize),
    /// Nothing goes through: this is the answer.
    Answer(Arc<[u8]>),
}

impl Valve {
    /// An open valve before `server`.
    pub(crate) async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (state, _) = watch::channel(State { flow: Flow::Open, era: 0, holds: false });
        let shared = state.clone();
        let accepting = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(pass(client, server, shared.clone()));
            }
        });
        Self { address, state, accepting }
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets everything through, what was held as well.
    pub(crate) fn open(&self) {
        self.state.send_modify(|state| {
            state.flow = Flow::Open;
            state.holds = false;
        });
    }

    /// Lets `count` requests through, held ones first, and holds further ones.
    pub(crate) fn let_through(&self, count: usize) {
        self.state.send_modify(|state| {
            state.flow = Flow::Some(count);
            state.holds = false;
        });
    }

    /// Cuts off whoever is held, of a client that was killed, and holds what comes.
    pub(crate) fn cut_off(&self) {
        self.state.send_modify(|state| *state = State { flow: Flow::Some(0), era: state.era + 1, holds: false });
    }

    /// Answers every request with `bytes`.
    pub(crate) fn answer(&self, bytes: Vec<u8>) {
        self.state.send_modify(|state| {
            state.flow = Flow::Answer(bytes.into());
            state.holds = false;
        });
    }

    /// Waits until a request is held.
    pub(crate) async fn holds(&self) {
        let mut state = self.state.subscribe();
        let held = state.wait_for(|state| state.holds);
        let held = tokio::time::timeout(std::time::Duration::from_mins(2), held).await;
        drop(held.expect("a request in time").expect("the valve is there"));
    }
}

impl Drop for Valve {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What becomes of a request now.
enum Fate {
    Through,
    Held,
    Answered(Arc<[u8]>),
    CutOff,
}

async fn pass(mut client: TcpStream, server: SocketAddr, shared: watch::Sender<State>) {
    let Some(request) = read_request(&mut client).await else { return };
    let mut changes = shared.subscribe();
    let era = changes.borrow_and_update().era;
    loop {
        match fate(&shared, era) {
            Fate::CutOff => return,
            // Whoever hangs up meanwhile has had its answer.
            Fate::Answered(bytes) => return drop(client.write_all(&bytes).await),
            Fate::Through => return drop(forward(client, server, &request).await),
            Fate::Held => {}
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Decides and counts in one step, so that no two requests take one place.
fn fate(shared: &watch::Sender<State>, era: u64) -> Fate {
    let mut fate = Fate::Held;
    shared.send_if_modified(|state| {
        if state.era != era {
            fate = Fate::CutOff;
            return false;
        }
        match &mut state.flow {
            Flow::Open => fate = Fate::Through,
            Flow::Answer(bytes) => fate = Fate::Answered(Arc::clone(bytes)),
            Flow::Some(0) => return !std::mem::replace(&mut state.holds, true),
            Flow::Some(left) => {
                *left -= 1;
                fate = Fate::Through;
            }
        }
        false
    });
    fate
}

/// To the server and back; the connection ends with the answer.
async fn forward(mut client: TcpStream, server: SocketAddr, request: &[u8]) -> std::io::Result<()> {
    let mut upstream = TcpStream::connect(server).await?;
    upstream.write_all(request).await?;
    tokio::io::copy(&mut upstream, &mut client).await?;
    client.shutdown().await
}

/// A whole request, changed to ask for the end of the connection.
async fn read_request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if client.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = std::str::from_utf8(&bytes[..end]).ok()?.to_ascii_lowercase();
    let length: usize = head.split("content-length:").nth(1)?.lines().next()?.trim().parse().ok()?;
    while bytes.len() < end + 4 + length {
        if client.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    bytes.splice(end..end, *b"\r\nconnection: close");
    Some(bytes)
}
