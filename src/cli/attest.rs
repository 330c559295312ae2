//! `wavegate attest`: somebody says that what a gate requires is there.

use crate::cli::EXIT_PASS;
use crate::cli::Failure;
use crate::cli::Format;
use crate::cli::client;
use crate::cli::client::Call;
use crate::cli::client::Client;
use crate::cli::client::Connection;
use crate::cli::runtime;
use crate::cli::show_brief;
use reqwest::Method;
use serde_json::json;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The wave id.
    #[arg(value_name = "WAVE")]
    wave: String,
    /// What is attested: one of what the rule file requires.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Which gate, where the wave has several.
    #[arg(long, value_name = "NAME")]
    rules: Option<String>,
    /// Who attests it, for the audit log; without it whoever is logged in.
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// What else there is to say.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Where it can be seen.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// For people, or the document of the API.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let client = Client::new(&arguments.connection)?;
    let path = client::path(&arguments.wave, arguments.rules.as_deref(), "attestations")?;
    let body = json!({
        "name": arguments.name,
        "by": client::signed(arguments.by.as_deref())?,
        "note": arguments.note,
        "url": arguments.url,
    });
    let answer = runtime()?.block_on(client.ask(&Call::send(Method::POST, &path, &body)))?;
    show_brief(&answer.body, arguments.format)?;
    Ok(EXIT_PASS)
}
