//! `wavegate serve`: the daemon.

use crate::app;
use crate::cli::EXIT_PASS;
use crate::cli::Failure;
use crate::cli::refused;
use crate::cli::runtime;
use crate::cli::unexpected;
use crate::config::Config;
use crate::config::Inputs;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration, in TOML; the variable `WAVEGATE_CONFIG` names it too.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of rule files.
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// The folder of SLO files.
    #[arg(long, value_name = "DIR")]
    slos: Option<PathBuf>,
    /// Where the API listens, such as 127.0.0.1:9466.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
}

pub(super) fn run(arguments: Arguments) -> Result<u8, Failure> {
    let mut flags = Vec::new();
    flags.extend(arguments.rules.map(|folder| ("rules_dir", folder.display().to_string())));
    flags.extend(arguments.slos.map(|folder| ("slos_dir", folder.display().to_string())));
    flags.extend(arguments.listen.map(|address| ("listen", address)));
    let config = Config::load(&Inputs::of_process(arguments.config, flags)).map_err(refused)?;
    runtime()?.block_on(app::serve(config)).map_err(|error| match error {
        app::Stopped::Refused(error) => refused(error),
        app::Stopped::Unexpected(error) => unexpected(error),
    })?;
    Ok(EXIT_PASS)
}
