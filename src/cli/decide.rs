//! `wavegate decide`: a person passes or fails a gate.

use crate::cli::EXIT_PASS;
use crate::cli::Failure;
use crate::cli::Format;
use crate::cli::client;
use crate::cli::client::Call;
use crate::cli::client::Client;
use crate::cli::client::Connection;
use crate::cli::runtime;
use crate::cli::show_brief;
use clap::ValueEnum;
use reqwest::Method;
use serde_json::json;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The wave id.
    #[arg(value_name = "WAVE")]
    wave: String,
    /// Go on, or stop.
    #[arg(value_enum, value_name = "VERDICT")]
    verdict: Decision,
    /// Which gate, where the wave has several.
    #[arg(long, value_name = "NAME")]
    rules: Option<String>,
    /// Who decides, for the audit log; without it whoever is logged in.
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

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Decision {
    /// The wave may go on: for a gate that is held or has failed.
    Pass,
    /// The wave must stop.
    Fail,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let client = Client::new(&arguments.connection)?;
    let path = client::path(&arguments.wave, arguments.rules.as_deref(), "decision")?;
    let verdict = match arguments.verdict {
        Decision::Pass => "pass",
        Decision::Fail => "fail",
    };
    let body = json!({ "verdict": verdict, "by": client::signed(arguments.by.as_deref())?, "why": arguments.why });
    let answer = runtime()?.block_on(client.ask(&Call::send(Method::POST, &path, &body)))?;
    show_brief(&answer.body, arguments.format)?;
    Ok(EXIT_PASS)
}
