//! `wavegate status`: where a wave stands, and why.

use crate::cli::EXIT_PASS;
use crate::cli::Failure;
use crate::cli::Format;
use crate::cli::client;
use crate::cli::client::Call;
use crate::cli::client::Client;
use crate::cli::client::Connection;
use crate::cli::runtime;
use crate::cli::show_report;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The wave id.
    #[arg(value_name = "WAVE")]
    wave: String,
    /// One gate of it; without it all.
    #[arg(long, value_name = "NAME")]
    rules: Option<String>,
    /// For people, or the document of the API.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let client = Client::new(&arguments.connection)?;
    let call = Call::get(&client::path(&arguments.wave, arguments.rules.as_deref(), "verdict")?);
    let answer = runtime()?.block_on(client.ask(&call))?;
    show_report(&answer.body, arguments.format)?;
    Ok(EXIT_PASS)
}
