//! `wavegate import`: another tool's file as a rule file of ours.

use crate::cli::EXIT_FINDINGS;
use crate::cli::EXIT_PASS;
use crate::cli::Failure;
use crate::cli::Format;
use crate::cli::complain;
use crate::cli::print;
use crate::cli::refused;
use crate::cli::unexpected;
use crate::engine::read_text;
use crate::rules;
use crate::rules::import::Imported;
use crate::rules::import::Missing;
use crate::rules::import::Tool;
use crate::rules::import::import;
use anyhow::anyhow;
use clap::ValueEnum;
use serde::Serialize;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Whose file it is.
    #[arg(value_enum)]
    tool: Kind,
    /// A canary config (JSON), an analysis template, or a canary with its metric templates (YAML).
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The rule file alone, or an object with `rules` and what is `missing`.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Kayenta,
    Argo,
    Flagger,
}

#[derive(Serialize)]
struct Shown<'a> {
    rules: &'a str,
    missing: Vec<Lost<'a>>,
}

#[derive(Serialize)]
struct Lost<'a> {
    place: &'a str,
    what: &'a str,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let text = read_text(&arguments.file).map_err(refused)?;
    let file = arguments.file.display().to_string();
    let tool = match arguments.tool {
        Kind::Kayenta => Tool::Kayenta,
        Kind::Argo => Tool::Argo,
        Kind::Flagger => Tool::Flagger,
    };
    let Imported { text: rules, missing } = import(tool, &file, &text).map_err(|faults| {
        complain(&rules::render(&faults, &text));
        refused(anyhow!("{file} is not imported"))
    })?;
    match arguments.format {
        Format::Text => print(&rules),
        Format::Json => {
            let missing = missing.iter().map(|Missing { place, what }| Lost { place, what }).collect();
            let shown = serde_json::to_string_pretty(&Shown { rules: &rules, missing }).map_err(unexpected)?;
            print(&(shown + "\n"));
        }
    }
    if missing.is_empty() {
        return Ok(EXIT_PASS);
    }
    complain(&format!("{file}: {} without an equivalent:", missing.len()));
    for Missing { place, what } in &missing {
        complain(&format!("  {place}: {what}"));
    }
    Ok(EXIT_FINDINGS)
}
