//! `wavegate export`: SLO files as rules of Prometheus.

use crate::cli::EXIT_FINDINGS;
use crate::cli::EXIT_PASS;
use crate::cli::Failure;
use crate::cli::complain;
use crate::cli::print;
use crate::cli::refused;
use crate::config::Config;
use crate::config::Inputs;
use crate::engine::read_text;
use crate::rules;
use crate::rules::Slo;
use crate::rules::export::Exported;
use crate::rules::export::prometheus;
use anyhow::anyhow;
use clap::ValueEnum;
use std::path::Path;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// SLO files, folders of them, and configurations (.toml) that hold SLOs.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Whose rules.
    #[arg(long, value_enum, default_value = "prometheus")]
    format: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Recording and alert rules of Prometheus.
    Prometheus,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let mut slos = Vec::new();
    for path in &arguments.files {
        if path.is_dir() {
            for file in crate::engine::rule_paths(path).map_err(refused)? {
                slos.push(read(&file)?);
            }
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            let inputs = Inputs { file: Some(path.clone()), ..Inputs::default() };
            for (key, text) in Config::load(&inputs).map_err(refused)?.slo_texts() {
                slos.push(parsed(&format!("{}: {key}", path.display()), &text)?);
            }
        } else {
            slos.push(read(path)?);
        }
    }
    let Kind::Prometheus = arguments.format;
    let Exported { text, missing } = prometheus(&slos).map_err(|why| refused(anyhow!("{why}")))?;
    print(&text);
    for lost in &missing {
        complain(&format!("{}: {}", lost.place, lost.what));
    }
    Ok(if missing.is_empty() { EXIT_PASS } else { EXIT_FINDINGS })
}

fn read(path: &Path) -> Result<Slo, Failure> {
    let text = read_text(path).map_err(refused)?;
    parsed(&path.display().to_string(), &text)
}

fn parsed(file: &str, text: &str) -> Result<Slo, Failure> {
    match rules::parse_slo(file, text) {
        Ok(parsed) => {
            if !parsed.warnings.is_empty() {
                complain(&rules::render(&parsed.warnings, text));
            }
            Ok(parsed.slo)
        }
        Err(faults) => {
            complain(&rules::render(&faults, text));
            Err(refused(anyhow!("{file} is no SLO file that loads")))
        }
    }
}
