//! `wavegate healthcheck`: whether the daemon beside us answers, for a container
//! that has neither a shell nor curl.

use crate::cli::EXIT_PASS;
use crate::cli::Failure;
use crate::cli::client::Call;
use crate::cli::client::Client;
use crate::cli::client::Connection;
use crate::cli::refused;
use crate::cli::runtime;
use crate::cli::unexpected;
use crate::config::Config;
use crate::config::Inputs;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::time::Duration;

/// Shorter than the time a container engine gives a check.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where the daemon listens; without it where the configuration of the
    /// environment says.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
}

/// Answers 0 or 1: a container engine knows no other.
pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    answers(arguments).map(|()| EXIT_PASS).map_err(|failure| unexpected(failure.error))
}

fn answers(arguments: &Arguments) -> Result<(), Failure> {
    let server = match &arguments.server {
        Some(server) => server.clone(),
        None => beside(Config::load(&Inputs::of_process(None, Vec::new())).map_err(refused)?.listen),
    };
    let client = Client::new(&Connection::to(server))?;
    runtime()?.block_on(client.once(&Call::get(&["livez"]).within(PATIENCE)))?;
    Ok(())
}

/// How to reach, from the same machine, what listens on `listen`.
fn beside(listen: SocketAddr) -> String {
    let mut address = listen;
    if listen.ip().is_unspecified() {
        address.set_ip(match listen {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(listen: &str, expect: &str) {
        assert_eq!(beside(listen.parse().unwrap()), expect);
    }

    #[test]
    fn who_listens_everywhere_listens_here() {
        check("0.0.0.0:9466", "http://127.0.0.1:9466");
        check("[::]:80", "http://[::1]:80");
        check("10.0.0.7:9466", "http://10.0.0.7:9466");
    }
}
