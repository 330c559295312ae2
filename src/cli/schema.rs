//! `wavegate schema`: the JSON Schema of rule files or of SLO files, for editors.

use crate::cli::EXIT_PASS;
use crate::cli::Failure;
use crate::cli::print;
use crate::cli::unexpected;
use crate::rules;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Of SLO files, in place of rule files.
    #[arg(long)]
    slo: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let schema = if arguments.slo { rules::slo_schema() } else { rules::schema() };
    let text = serde_json::to_string_pretty(&schema).map_err(unexpected)?;
    print(&(text + "\n"));
    Ok(EXIT_PASS)
}
