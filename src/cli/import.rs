//! `wavegate import`: another tool's file as a rule file of ours, or as SLO files.

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
use crate::rules::import::ImportedSlo;
use crate::rules::import::ImportedSlos;
use crate::rules::import::Missing;
use crate::rules::import::SloTool;
use crate::rules::import::Tool;
use crate::rules::import::import;
use crate::rules::import::import_slos;
use anyhow::Context as _;
use anyhow::anyhow;
use clap::ValueEnum;
use serde::Serialize;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Whose file it is: Kayenta, Argo and Flagger give rule files, the others SLO files.
    #[arg(value_enum)]
    tool: Kind,
    /// A canary config (JSON), an analysis template, a canary with its metric templates, or SLOs (YAML).
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The period of SLOs whose file has none: Sloth's.
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = period)]
    period: Duration,
    /// Write each file into this folder, by its name; none that is there is written over.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The files alone, or an object with `rules` or `slos`, and what is `missing`.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Kayenta,
    Argo,
    Flagger,
    Sloth,
    Openslo,
    Pyrra,
}

#[derive(Serialize)]
struct Shown<'a> {
    rules: &'a str,
    missing: Vec<Lost<'a>>,
}

#[derive(Serialize)]
struct ShownSlos<'a> {
    slos: Vec<File<'a>>,
    missing: Vec<Lost<'a>>,
}

#[derive(Serialize)]
struct File<'a> {
    name: &'a str,
    text: &'a str,
}

#[derive(Serialize)]
struct Lost<'a> {
    place: &'a str,
    what: &'a str,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    match arguments.tool {
        Kind::Kayenta => rule_file(arguments, Tool::Kayenta),
        Kind::Argo => rule_file(arguments, Tool::Argo),
        Kind::Flagger => rule_file(arguments, Tool::Flagger),
        Kind::Sloth => slo_files(arguments, SloTool::Sloth),
        Kind::Openslo => slo_files(arguments, SloTool::OpenSlo),
        Kind::Pyrra => slo_files(arguments, SloTool::Pyrra),
    }
}

fn rule_file(arguments: &Arguments, tool: Tool) -> Result<u8, Failure> {
    let text = read_text(&arguments.file).map_err(refused)?;
    let file = arguments.file.display().to_string();
    let imported = import(tool, &file, &text);
    let Imported { text: rules, missing } = imported.map_err(|faults| not_imported(&file, &text, &faults))?;
    if let Some(folder) = &arguments.out {
        let parsed = rules::parse(&file, &rules).map_err(|_| unexpected(anyhow!("what was imported does not load")))?;
        write(folder, &[(parsed.rules.name.as_str(), &rules)])?;
    }
    match arguments.format {
        Format::Text if arguments.out.is_some() => {}
        Format::Text => print(&rules),
        Format::Json => show(&Shown { rules: &rules, missing: lost(&missing) })?,
    }
    Ok(tell(&file, &missing))
}

fn slo_files(arguments: &Arguments, tool: SloTool) -> Result<u8, Failure> {
    let text = read_text(&arguments.file).map_err(refused)?;
    let file = arguments.file.display().to_string();
    let imported = import_slos(tool, &file, &text, arguments.period);
    let ImportedSlos { slos, missing } = imported.map_err(|faults| not_imported(&file, &text, &faults))?;
    if let Some(folder) = &arguments.out {
        let files: Vec<(&str, &str)> = slos.iter().map(|slo| (slo.name.as_str(), slo.text.as_str())).collect();
        write(folder, &files)?;
    }
    match arguments.format {
        Format::Text if arguments.out.is_some() => {}
        Format::Text => {
            // One after the other, to be looked at: each is a file of its own.
            let texts: Vec<&str> = slos.iter().map(|slo| slo.text.as_str()).collect();
            print(&texts.join("---\n"));
        }
        Format::Json => {
            let slos = slos.iter().map(|ImportedSlo { name, text }| File { name, text }).collect();
            show(&ShownSlos { slos, missing: lost(&missing) })?;
        }
    }
    Ok(tell(&file, &missing))
}

fn period(text: &str) -> Result<Duration, String> {
    let period = rules::duration(text).filter(|period| !period.is_zero());
    period.ok_or_else(|| format!("`{text}` is no duration like `30d`"))
}

fn not_imported(file: &str, text: &str, faults: &[rules::Diagnostic]) -> Failure {
    complain(&rules::render(faults, text));
    refused(anyhow!("{file} is not imported"))
}

/// Writes each of `files`, name and text, as `NAME.yaml`.
fn write(folder: &Path, files: &[(&str, &str)]) -> Result<(), Failure> {
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))
        .map_err(refused)?;
    for (name, text) in files {
        let path = folder.join(format!("{name}.yaml"));
        let file = fs::File::create_new(&path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.with_context(|| format!("cannot write {}", path.display())).map_err(refused)?;
        complain(&format!("wrote {}", path.display()));
    }
    Ok(())
}

fn lost(missing: &[Missing]) -> Vec<Lost<'_>> {
    missing.iter().map(|Missing { place, what }| Lost { place, what }).collect()
}

fn show(shown: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(shown).map_err(unexpected)?;
    print(&(text + "\n"));
    Ok(())
}

/// Says what had no equivalent; gives back the exit code.
fn tell(file: &str, missing: &[Missing]) -> u8 {
    if missing.is_empty() {
        return EXIT_PASS;
    }
    complain(&format!("{file}: {} without an equivalent:", missing.len()));
    for Missing { place, what } in missing {
        complain(&format!("  {place}: {what}"));
    }
    EXIT_FINDINGS
}
