//! Probes: real requests to servers that behave and to such that do not, and waves
//! judged by nothing else.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod power;
mod requests;
mod wave;

use crate::support::http::TestServer;
use crate::support::http::answer;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;

/// Answers each request with 200.
async fn healthy() -> TestServer {
    TestServer::answering(vec![answer(&["200 OK"], "fine")]).await
}

/// An address at which nobody listens.
fn nobody() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}
