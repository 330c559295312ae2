//! `wavegate check`: every diagnostic of rule files, SLO files and configurations.

use crate::app;
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
use crate::engine::BookError;
use crate::engine::read_text;
use crate::engine::slo_file;
use crate::engine::slo_folders;
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
    /// Rule files and SLO files (.yaml, .yml), folders of them, and configurations (.toml).
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The folder of the SLOs that rule files name, beside those among the files. Without it
    /// `slos` beside the rule file's folder, then `slos` here.
    #[arg(long, value_name = "DIR")]
    slos: Option<PathBuf>,
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
    let (mut read, mut unread) = (Vec::new(), Vec::new());
    for path in &arguments.files {
        match expanded(path) {
            Ok(paths) => paths.into_iter().map(Given::read).for_each(|given| match given {
                Ok(given) => read.push(given),
                Err(failure) => unread.push(failure),
            }),
            Err(failure) => unread.push(failure),
        }
    }
    let slos = read.iter().filter(|given| given.kind == Kind::Slo);
    let slos: Vec<(PathBuf, String)> = slos.map(|given| (given.path.clone(), given.text.clone())).collect();
    let mut checked = Vec::new();
    for given in read {
        match given.check(&slos, arguments.slos.as_deref()) {
            Ok(found) => checked.push(found),
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

/// A file that is to be checked.
struct Given {
    path: PathBuf,
    kind: Kind,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Configuration,
    Slo,
    Rules,
}

impl Given {
    fn read(path: PathBuf) -> Result<Self, Failure> {
        if path.extension().is_some_and(|extension| extension == "toml") {
            // It is read with all that it names.
            return Ok(Self { path, kind: Kind::Configuration, text: String::new() });
        }
        let text = read_text(&path).map_err(refused)?;
        let kind = if rules::is_slo(&text) { Kind::Slo } else { Kind::Rules };
        Ok(Self { path, kind, text })
    }

    fn check(self, slos: &[(PathBuf, String)], folder: Option<&Path>) -> Result<Checked, Failure> {
        let file = self.path.display().to_string();
        match self.kind {
            Kind::Configuration => Ok(check_configuration(&self.path, file)),
            Kind::Slo => {
                let told = rules::parse_slo(&file, &self.text).map(|parsed| parsed.warnings);
                let (ok, found) = told.map_or_else(|faults| (false, faults), |warnings| (true, warnings));
                let rendered = found.iter().map(|fault| rendered(fault, &self.text)).collect();
                Ok(Checked { file, ok, found, rendered })
            }
            Kind::Rules => {
                let slo = slo_file(&self.text, slos, &slo_folders(&self.path, folder)).map_err(refused)?;
                Ok(check_rules(file, &self.text, slo.as_ref()))
            }
        }
    }
}

/// A rule file, with the file and the text of the SLO that it minds.
fn check_rules(file: String, text: &str, slo: Option<&(PathBuf, String)>) -> Checked {
    let bundle = match (rules::slo_of(text), slo) {
        (Some(name), Some((_, slo))) => rules::bundle_slo(text, &name, slo),
        _ => text.to_owned(),
    };
    let (ok, mut found): (bool, Vec<Diagnostic>) = match rules::parse(&file, &bundle) {
        Ok(parsed) => {
            let undecided = undecided(&file, &bundle, &parsed.rules);
            (true, parsed.warnings.into_iter().chain(undecided).collect())
        }
        Err(faults) => (false, faults),
    };
    let mut shown = Vec::new();
    for fault in &mut found {
        // A fault of the SLO is where somebody mends it.
        let text = match slo.filter(|_| fault.slo().is_some()) {
            Some((path, slo)) => {
                fault.file = path.display().to_string();
                slo
            }
            None => &bundle,
        };
        shown.push(rendered(fault, text));
    }
    Checked { file, ok, found, rendered: shown }
}

fn rendered(fault: &Diagnostic, text: &str) -> String {
    rules::render(std::slice::from_ref(fault), text)
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

/// A configuration, with the SLOs in it and in the folder that it names, where that is here.
fn check_configuration(path: &Path, file: String) -> Checked {
    let inputs = Inputs { file: Some(path.to_owned()), ..Inputs::default() };
    let (mut found, mut shown) = (Vec::new(), Vec::new());
    let mut told = |message: String| {
        let code = sarif::CONFIGURATION;
        shown.push(format!("error[{code}]: {message}\n  --> {file}\n"));
        found.push(Diagnostic {
            file: file.clone(),
            line: 1,
            column: 1,
            width: 1,
            code,
            message,
            help: "src/config.default.toml has every key with its default".to_owned(),
            severity: Severity::Error,
        });
    };
    match Config::load(&inputs) {
        Ok(config) => {
            let unread = check_slos(&file, &config);
            unread.message.into_iter().for_each(&mut told);
            found.extend(unread.found);
            shown.extend(unread.shown);
        }
        Err(config::Error::Values(faults)) => {
            for (key, message) in faults {
                told(format!("{key}: {message}"));
            }
        }
        Err(error) => told(format!("{:#}", anyhow::Error::from(error))),
    }
    let ok = found.iter().all(|fault| fault.severity == Severity::Warning);
    Checked { ok, found, rendered: shown, file }
}

/// What is told of the SLOs of a configuration.
#[derive(Default)]
struct Promised {
    found: Vec<Diagnostic>,
    shown: Vec<String>,
    /// Of them together.
    message: Option<String>,
}

fn check_slos(file: &str, config: &Config) -> Promised {
    let mut told = Promised::default();
    let mut folders = app::folders(config);
    // On another machine than the daemon's the folder need not be there.
    if !folders.slos.is_dir() {
        folders.slos = PathBuf::new();
    }
    let source = std::fs::read_to_string(file).unwrap_or_default();
    for (key, text) in std::mem::take(&mut folders.inline) {
        let parsed = rules::parse_slo(&format!("{file}: {key}"), &text);
        let is_read = parsed.is_ok();
        for mut fault in parsed.map_or_else(|faults| faults, |parsed| parsed.warnings) {
            told.shown.push(rendered(&fault, &text));
            // Its line is one of the table as it was read, which editors do not know.
            (fault.file, fault.line, fault.column, fault.width) = (file.to_owned(), line_of(&source, &key), 1, 1);
            fault.message = format!("{key}: {}", fault.message);
            told.found.push(fault);
        }
        if is_read {
            folders.inline.push((key, text));
        }
    }
    match folders.read_slos() {
        Ok(_) => {}
        Err(BookError::Refused { files }) => {
            for (_, text, faults) in files {
                told.shown.extend(faults.iter().map(|fault| rendered(fault, &text)));
                told.found.extend(faults);
            }
        }
        Err(error) => told.message = Some(format!("{:#}", anyhow::Error::from(error))),
    }
    told
}

/// The line of `source`, from 1, where the table `key` begins; 1 where it is not found.
fn line_of(source: &str, key: &str) -> usize {
    let is_header = |line: &str| {
        let line = line.replace('"', "");
        let after = line.trim_start().strip_prefix('[').and_then(|line| line.strip_prefix(key));
        after.is_some_and(|after| after.starts_with([']', '.']))
    };
    source.lines().position(is_header).map_or(1, |at| at + 1)
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
