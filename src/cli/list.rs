//! `wavegate list`: every wave that the daemon has in memory.

use crate::cli::EXIT_PASS;
use crate::cli::Failure;
use crate::cli::Format;
use crate::cli::client::Call;
use crate::cli::client::Client;
use crate::cli::client::Connection;
use crate::cli::complain;
use crate::cli::print;
use crate::cli::runtime;
use crate::cli::unexpected;
use crate::report::cell;
use crate::report::plain;
use crate::wire::Headline;
use anyhow::Context as _;
use comfy_table::Table;
use comfy_table::presets;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Waves on a page: the most that the API gives.
const PAGE: &str = "200";
/// Pages that are read: four times as many waves as a daemon has open by default.
const MAX_PAGES: usize = 100;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// For people, or the documents of the API.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    waves: Vec<&'a RawValue>,
    next: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let client = Client::new(&arguments.connection)?;
    let waves = runtime()?.block_on(waves(&client))?;
    match arguments.format {
        Format::Text => print(&table(&waves).map_err(unexpected)?),
        Format::Json => print(&format!("{{\"waves\":[{}]}}\n", waves.join(","))),
    }
    Ok(EXIT_PASS)
}

/// The head of every wave, page by page, as the API writes it.
async fn waves(client: &Client) -> Result<Vec<String>, Failure> {
    let (mut waves, mut after) = (Vec::new(), None);
    for _ in 0..MAX_PAGES {
        let mut call = Call::get(&["v1", "waves"]).with("limit", PAGE);
        if let Some(after) = after.take() {
            call = call.with("after", after);
        }
        let answer = client.ask(&call).await?;
        let page: Page<'_> =
            serde_json::from_str(&answer.body).context("an answer that is no list of waves").map_err(unexpected)?;
        waves.extend(page.waves.iter().map(|wave| wave.get().to_owned()));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(waves),
        }
    }
    complain(&format!("there are more waves than these {}", waves.len()));
    Ok(waves)
}

fn table(waves: &[String]) -> anyhow::Result<String> {
    if waves.is_empty() {
        return Ok("no waves\n".to_owned());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["wave", "verdict", "state", "healthy", "summary"]);
    for wave in waves {
        let wave = Headline::read(wave.as_bytes()).context("an answer that is no head of a wave")?;
        let healthy = if wave.healthy { "yes" } else { "no" };
        // An id is there to be copied: whole, however long.
        let [id, verdict, state] = [&wave.wave_id, &wave.verdict, &wave.state].map(|text| plain(text));
        table.add_row([id, verdict, state, healthy.to_owned(), cell(&wave.summary)]);
    }
    Ok(format!("{}\n", table.trim_fmt()))
}
