//! `wavegate check`: every diagnostic of rule files and configurations.

use crate::cli::EXIT_PASS;
use crate::cli::EXIT_REFUSED;
use crate::cli::Failure;
use crate::cli::complain;
use crate::cli::print;
use crate::cli::refused;
use crate::cli::sarif;
use crate::config;
use crate::config::Config;
use crate::config::Inputs;
use crate::engine::read_text;
use crate::plan::power;
use crate::plan::power::CannotDecide;
use crate::rules;
use crate::rules::Diagnostic;
use crate::rules::RuleFile;
use crate::rules::Severity;
use crate::wire;
use clap::ValueEnum;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Rule files (.yaml, .yml), folders of them, and configurations (.toml).
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// For people, for machines, or for editors and code scanning.
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// How what was found is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Each fault with its line, a caret and a mend.
    #[value(alias = "text")]
    Human,
    /// A list of files, each with its faults.
    Json,
    /// SARIF 2.1.0.
    Sarif,
}

/// What one file came to.
struct Checked {
    file: String,
    ok: bool,
    found: Vec<Diagnostic>,
    /// Each fault as it is shown to people.
    rendered: Vec<String>,
}

/// As JSON has it.
#[derive(Serialize)]
struct Listed<'a> {
    file: &'a str,
    ok: bool,
    diagnostics: Vec<Fault<'a>>,
}

#[derive(Serialize)]
struct Fault<'a> {
    /// The one that was checked, or what it extends.
    file: &'a str,
    severity: &'static str,
    code: &'static str,
    line: usize,
    column: usize,
    message: &'a str,
    help: &'a str,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let mut checked = Vec::new();
    let mut unread = Vec::new();
    for path in &arguments.files {
        match expanded(path) {
            Ok(files) => files.iter().for_each(|file| match check(file) {
                Ok(found) => checked.push(found),
                Err(failure) => unread.push(failure),
            }),
            Err(failure) => unread.push(failure),
        }
    }
    match arguments.format {
        Format::Human => checked.iter().for_each(show),
        Format::Json => print_json(&checked.iter().map(Checked::as_json).collect::<Vec<_>>())?,
        Format::Sarif => {
            let mut found: Vec<Diagnostic> = checked.iter().flat_map(|file| file.found.clone()).collect();
            // A fault of a base is found with each file that extends it; it is one.
            let mut told = BTreeSet::new();
            found.retain(|d| told.insert((d.file.clone(), d.line, d.column, d.code, d.message.clone())));
            print_json(&sarif::log(&found))?;
        }
    }
    // What cannot be read hides no fault of what can.
    let last = unread.pop();
    for failure in &unread {
        complain(&format!("error: {:#}", failure.error));
    }
    match last {
        Some(failure) => Err(failure),
        None => Ok(if checked.iter().all(|file| file.ok) { EXIT_PASS } else { EXIT_REFUSED }),
    }
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
    let (ok, found): (bool, Vec<Diagnostic>) = match rules::parse(&file, &text) {
        Ok(parsed) => {
            let undecided = undecided(&file, &text, &parsed.rules);
            (true, parsed.warnings.into_iter().chain(undecided).collect())
        }
        Err(faults) => (false, faults),
    };
    let rendered = found.iter().map(|fault| rules::render(std::slice::from_ref(fault), &text)).collect();
    Ok(Checked { file, ok, found, rendered })
}

/// Checks that cannot decide on the ordinary day that the file states.
fn undecided(file: &str, text: &str, rules: &RuleFile) -> Vec<Diagnostic> {
    let warning = |found: CannotDecide| {
        let undecided = found.check.undecided?;
        let words = wire::cannot_decide(&found.check, &undecided, rules.schedule.deadline);
        Some(rules::warning_at(file, text, &found.check.name, "cannot_decide", words))
    };
    power::lint(rules).into_iter().filter_map(warning).collect()
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
    let code = sarif::CONFIGURATION;
    let rendered = messages.iter().map(|message| format!("error[{code}]: {message}\n  --> {file}\n")).collect();
    let fault = |message: String| Diagnostic {
        file: file.clone(),
        line: 1,
        column: 1,
        width: 1,
        code,
        message,
        help: "src/config.default.toml has every key with its default".to_owned(),
        severity: Severity::Error,
    };
    let found: Vec<Diagnostic> = messages.into_iter().map(fault).collect();
    Checked { ok: found.is_empty(), found, rendered, file }
}

impl Checked {
    fn as_json(&self) -> Listed<'_> {
        Listed { file: &self.file, ok: self.ok, diagnostics: self.found.iter().map(Fault::of).collect() }
    }
}

impl<'a> Fault<'a> {
    fn of(fault: &'a Diagnostic) -> Self {
        let Diagnostic { file, line, column, code, message, help, severity, .. } = fault;
        Self { file, severity: severity.as_str(), code, line: *line, column: *column, message, help }
    }
}

fn print_json(document: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(document).map_err(crate::cli::unexpected)?;
    print(&(text + "\n"));
    Ok(())
}

fn show(checked: &Checked) {
    for rendered in &checked.rendered {
        print(&format!("{rendered}\n"));
    }
    let verdict = match (checked.ok, checked.found.len()) {
        (true, 0) => "ok".to_owned(),
        (true, n) => format!("ok, {n} to look at"),
        (false, n) => format!("refused, {n} to mend"),
    };
    print(&format!("{}: {verdict}\n", checked.file));
}
