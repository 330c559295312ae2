//! `wavegate slo`: how SLOs stand, or one of them with everything: as the daemon keeps them,
//! or, without one, as a source tells them now or in the past.

use crate::app;
use crate::cli::EXIT_PASS;
use crate::cli::EXIT_UNREACHABLE;
use crate::cli::Failure;
use crate::cli::Format;
use crate::cli::client::Call;
use crate::cli::client::Client;
use crate::cli::client::Connection;
use crate::cli::colour;
use crate::cli::complain;
use crate::cli::on_terminal;
use crate::cli::past::instant;
use crate::cli::past::progress_of_budget;
use crate::cli::print;
use crate::cli::refused;
use crate::cli::runtime;
use crate::cli::slos;
use crate::cli::unexpected;
use crate::config::Config;
use crate::config::Inputs;
use crate::engine;
use crate::engine::AccountView;
use crate::engine::Clock;
use crate::report;
use crate::report::plain;
use crate::rules::Slo;
use crate::rules::SloName;
use crate::wire;
use anyhow::Context as _;
use anyhow::anyhow;
use std::path::PathBuf;
use std::sync::Arc;

/// Parts of a period that a line of blocks and a picture show.
const POINTS: usize = 60;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// One SLO with all its numbers; without it a list.
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Read it all from this source, without a daemon: a source of the configuration, or the
    /// URL of a Prometheus.
    #[arg(long, value_name = "NAME|URL", conflicts_with_all = ["server", "token_file"])]
    source: Option<String>,
    /// With --source: SLO files, and folders of them; without it those of the configuration,
    /// or else the folder `slos` here.
    #[arg(long, value_name = "DIR|FILE", num_args = 1.., requires = "source")]
    slos: Vec<PathBuf>,
    /// With --source: as of when, RFC 3339; without it now.
    #[arg(long, value_name = "TIME", requires = "source")]
    at: Option<String>,
    /// With --source: the configuration, in TOML; the variable `WAVEGATE_CONFIG` names it too.
    #[arg(long, value_name = "FILE", requires = "source")]
    config: Option<PathBuf>,
    /// Write a picture of the SLO here.
    #[arg(long, value_name = "FILE", requires = "name")]
    svg: Option<PathBuf>,
    /// For people, or the documents of the API.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    if let Some(name) = arguments.name.as_deref().filter(|name| SloName::new(name).is_none()) {
        return Err(refused(anyhow!("`{}` is not the name of an SLO", plain(name))));
    }
    if let Some(source) = &arguments.source {
        return without_daemon(arguments, source);
    }
    let client = Client::new(&arguments.connection)?;
    let points = POINTS.to_string();
    let call = match &arguments.name {
        Some(name) => Call::get(&["v1", "slos", name]).with("history", &points),
        None => Call::get(&["v1", "slos"]),
    };
    let answer = runtime()?.block_on(client.ask(&call))?;
    shown(arguments, &answer.body)?;
    Ok(EXIT_PASS)
}

/// Reads the SLOs from `source` and shows the documents that a daemon would.
fn without_daemon(arguments: &Arguments, source: &str) -> Result<u8, Failure> {
    let config = Config::load(&Inputs::of_process(arguments.config.clone(), Vec::new())).map_err(refused)?;
    let now = Clock::System.now();
    let at = instant("--at", arguments.at.as_deref())?.unwrap_or(now).min(now);
    let wanted = wanted(arguments, &config)?;
    let source = app::source_for(&config, Some(source)).map_err(refused)?;
    let runtime = runtime()?;
    let mut views: Vec<AccountView> = Vec::new();
    for slo in &wanted {
        views.push(runtime.block_on(engine::past_view(&*source, slo, at, progress_of_budget)));
    }
    on_terminal("");
    let document = match views.as_slice() {
        [one] if arguments.name.is_some() => wire::slo_document(&one.shown(), POINTS),
        views => wire::slos_document(&views.iter().map(AccountView::shown).collect::<Vec<_>>()),
    };
    shown(arguments, &document)?;
    complain("note: what waves spent of error budgets is known to the daemon alone");
    let troubles: Vec<&str> = views.iter().filter_map(|view| view.upkeep.trouble.as_deref()).collect();
    if let Some(trouble) = troubles.first() {
        complain(&format!("error: {}", plain(trouble)));
    }
    Ok(if troubles.len() == views.len() { EXIT_UNREACHABLE } else { EXIT_PASS })
}

/// The SLO that is named, or all there are.
fn wanted(arguments: &Arguments, config: &Config) -> Result<Vec<Arc<Slo>>, Failure> {
    let book = slos::book(&arguments.slos, config)?;
    let Some(name) = &arguments.name else { return Ok(book.iter().map(|entry| Arc::clone(&entry.slo)).collect()) };
    let found =
        book.get(name).ok_or_else(|| refused(anyhow!("there is no SLO `{name}`; there are: {}", book.names())))?;
    Ok(vec![Arc::clone(&found.slo)])
}

/// Shows `document` as it is wanted, and draws it where that is wanted too.
fn shown(arguments: &Arguments, document: &str) -> Result<(), Failure> {
    if let Some(path) = &arguments.svg {
        let drawn = report::slo_svg(document).context("an answer that is no SLO").map_err(unexpected)?;
        let unwritable = || format!("--svg: cannot write {}", path.display());
        std::fs::write(path, drawn).with_context(unwritable).map_err(refused)?;
    }
    let written = if arguments.name.is_some() { report::slo } else { report::slos };
    match arguments.format {
        Format::Text => print(&written(document, colour()).context("an answer that is no SLO").map_err(unexpected)?),
        Format::Json => print(&format!("{document}\n")),
    }
    Ok(())
}
