//! `wavegate check`: every diagnostic of rule files and configurations.

use crate::cli::EXIT_PASS;
use crate::cli::EXIT_REFUSED;
use crate::cli::Failure;
use crate::cli::Format;
use crate::cli::print;
use crate::cli::refused;
use crate::config;
use crate::config::Config;
use crate::config::Inputs;
use crate::engine::read_text;
use crate::rules;
use crate::rules::Diagnostic;
use serde::Serialize;
use std::path::Path;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Rule files (.yaml, .yml), folders of them, and configurations (.toml).
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// For people or for machines.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// What one file came to.
#[derive(Serialize)]
struct Checked {
    file: String,
    ok: bool,
    diagnostics: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    severity: &'static str,
    code: &'static str,
    line: usize,
    column: usize,
    message: String,
    help: String,
    #[serde(skip)]
    rendered: String,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let mut checked = Vec::new();
    for path in &arguments.files {
        for file in expanded(path)? {
            checked.push(check(&file)?);
        }
    }
    match arguments.format {
        Format::Text => checked.iter().for_each(show),
        Format::Json => {
            let text = serde_json::to_string_pretty(&checked).map_err(crate::cli::unexpected)?;
            print(&(text + "\n"));
        }
    }
    Ok(if checked.iter().all(|file| file.ok) { EXIT_PASS } else { EXIT_REFUSED })
}

fn expanded(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    crate::engine::rule_paths(path).map_err(refused)
}

fn check(path: &Path) -> Result<Checked, Failure> {
    let file = path.display().to_string();
    if path.extension().is_some_and(|extension| extension == "toml") {
        return Ok(check_configuration(path, file));
    }
    let text = read_text(path).map_err(refused)?;
    let (ok, diagnostics) = match rules::parse(&file, &text) {
        Ok(parsed) => (true, parsed.warnings),
        Err(faults) => (false, faults),
    };
    let diagnostics = diagnostics.iter().map(|fault| shown(fault, &text)).collect();
    Ok(Checked { file, ok, diagnostics })
}

fn check_configuration(path: &Path, file: String) -> Checked {
    let inputs = Inputs { file: Some(path.to_owned()), ..Inputs::default() };
    let messages = match Config::load(&inputs) {
        Ok(_) => Vec::new(),
        Err(config::Error::Values(faults)) => {
            faults.into_iter().map(|(key, message)| format!("{key}: {message}")).collect()
        }
        Err(error) => vec![format!("{:#}", anyhow::Error::from(error))],
    };
    let fault = |message: String| Shown {
        severity: "error",
        code: "configuration",
        line: 1,
        column: 1,
        help: "src/config.default.toml has every key with its default".to_owned(),
        rendered: format!("error[configuration]: {message}\n  --> {file}\n"),
        message,
    };
    let diagnostics: Vec<Shown> = messages.into_iter().map(fault).collect();
    Checked { ok: diagnostics.is_empty(), diagnostics, file }
}

fn shown(fault: &Diagnostic, text: &str) -> Shown {
    Shown {
        severity: fault.severity.as_str(),
        code: fault.code,
        line: fault.line,
        column: fault.column,
        message: fault.message.clone(),
        help: fault.help.clone(),
        rendered: rules::render(std::slice::from_ref(fault), text),
    }
}

fn show(checked: &Checked) {
    for fault in &checked.diagnostics {
        print(&format!("{}\n", fault.rendered));
    }
    let warnings = checked.diagnostics.len();
    let verdict = match (checked.ok, warnings) {
        (true, 0) => "ok".to_owned(),
        (true, n) => format!("ok, {n} to look at"),
        (false, n) => format!("refused, {n} to mend"),
    };
    print(&format!("{}: {verdict}\n", checked.file));
}
