//! `wavegate cancel`: a person calls a gate off.

use crate::cli::EXIT_PASS;
use crate::cli::Failure;
use crate::cli::Format;
use crate::cli::client;
use crate::cli::client::Call;
use crate::cli::client::Client;
use crate::cli::client::Connection;
use crate::cli::complain;
use crate::cli::runtime;
use crate::cli::show_brief;
use crate::report::plain;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The wave id.
    #[arg(value_name = "WAVE")]
    wave: String,
    /// Which gate, where the wave has several.
    #[arg(long, value_name = "NAME")]
    rules: Option<String>,
    /// Who says so, for the audit log; without it whoever is logged in.
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Why, for the audit log.
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// For people, or the document of the API.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let client = Client::new(&arguments.connection)?;
    let path = client::path(&arguments.wave, arguments.rules.as_deref(), "cancel")?;
    let body = json!({ "by": client::signed(arguments.by.as_deref())?, "why": arguments.why });
    let answer = runtime()?.block_on(client.ask(&Call::send(Method::POST, &path, &body)))?;
    show_brief(&answer.body, arguments.format)?;
    for gate in too_late(&answer.body, arguments.rules.as_deref()) {
        let (rules, state) = (plain(&gate.rules), plain(&gate.state));
        complain(&format!("nothing was called off: gate `{rules}` is {state} and stays so"));
    }
    Ok(EXIT_PASS)
}

#[derive(Deserialize)]
struct Wave {
    gates: Vec<Gate>,
}

#[derive(Deserialize)]
struct Gate {
    rules: String,
    state: String,
}

/// The gates that were asked for and are not cancelled: they were decided before, which
/// the daemon takes for done.
fn too_late(document: &str, rules: Option<&str>) -> Vec<Gate> {
    let gates = serde_json::from_str(document).map_or_else(|_| Vec::new(), |wave: Wave| wave.gates);
    let is_meant = |gate: &Gate| gate.state != "cancelled" && rules.is_none_or(|rules| rules == gate.rules);
    gates.into_iter().filter(is_meant).collect()
}
