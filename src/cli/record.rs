//! `wavegate record`: what a gate was judged by, in one file.
//!
//! From a source's past it has the source's answers too, so that rules which ask for
//! something else can be tried on it; from a daemon it has the evidence alone, for as
//! long as the daemon keeps it.

use crate::cli::EXIT_PASS;
use crate::cli::Failure;
use crate::cli::client;
use crate::cli::client::Call;
use crate::cli::client::Client;
use crate::cli::client::Connection;
use crate::cli::complain;
use crate::cli::on_terminal;
use crate::cli::past::PastArguments;
use crate::cli::past::progress;
use crate::cli::past::progress_of_budget;
use crate::cli::past::tell_unknown;
use crate::cli::print;
use crate::cli::recordings::ENDING;
use crate::cli::refused;
use crate::cli::runtime;
use crate::cli::unexpected;
use crate::cli::unreachable;
use crate::engine;
use crate::engine::PastAccount;
use crate::report::plain;
use crate::sources::recording;
use crate::sources::recording::Answers;
use crate::wire;
use crate::wire::Label;
use crate::wire::Recording;
use anyhow::Context as _;
use anyhow::anyhow;
use clap::ValueEnum;
use serde::Deserialize;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// For a recording of the daemon's: it is compressed first.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The rule file; a daemon's gate has its own.
    #[arg(value_name = "FILE", required_unless_present = "from_daemon", conflicts_with = "from_daemon")]
    file: Option<PathBuf>,
    #[command(flatten)]
    past: PastArguments,
    /// Take the recording of a gate of the daemon, with the evidence it was judged by.
    #[arg(long, conflicts_with_all = ["baseline", "class", "slos", "source", "start", "at", "config"])]
    from_daemon: bool,
    /// Which gate of the daemon's wave, where it has several.
    #[arg(long, value_name = "NAME", requires = "from_daemon")]
    rules: Option<String>,
    /// What you know of the wave in hindsight.
    #[arg(long, value_enum)]
    label: Option<Known>,
    /// Why, or anything else to remember.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Where to write it; without it a new file in this folder, named after wave and rules.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

/// What is known of a wave in hindsight.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Known {
    /// It should have passed.
    Good,
    /// It should not have passed.
    Bad,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let mut recording = match &arguments.file {
        Some(file) => of_past(arguments, file)?,
        None => of_daemon(arguments)?,
    };
    recording.header.label = arguments.label.map(|label| match label {
        Known::Good => Label::Good,
        Known::Bad => Label::Bad,
    });
    recording.header.note.clone_from(&arguments.note);
    let path = match &arguments.out {
        Some(path) => path.clone(),
        None => unused(&recording)?,
    };
    let packed = recording::pack(&recording).map_err(unexpected)?;
    recording::write(&path, &packed).map_err(refused)?;
    // What cannot be read again is no recording.
    recording::read(&path, Answers::Wanted).map_err(unexpected)?;
    let (intervals, answers) = (recording.intervals.len(), recording.answers.len());
    let verdict = wire::verdict(recording.header.end.verdict);
    let size = packed.len().div_ceil(1000);
    print(&format!("{}: {verdict}, {intervals} intervals, {answers} answers, {size} kB\n", path.display()));
    Ok(EXIT_PASS)
}

fn of_past(arguments: &Arguments, file: &Path) -> Result<Recording, Failure> {
    let (rules, text) = arguments.past.rule_file(file)?;
    let (source, past) = arguments.past.of(&rules)?;
    let slo_source = arguments.past.slo_source(&rules, &source)?;
    let account = PastAccount::new(&*slo_source, past.until).telling(progress_of_budget);
    let recorded = engine::record_past_by(&*source, &account, (&rules, &text), past, progress);
    let recorded = runtime()?.block_on(recorded).map_err(refused)?;
    on_terminal("");
    tell_unknown(&rules);
    if let Some(error) = recorded.judged.outage {
        return Err(unreachable(anyhow!("nothing is written, because the source did not answer all: {error}")));
    }
    for (selector, error) in &recorded.unanswered {
        complain(&format!("rules that ask otherwise for `{}` will be blind: {}", plain(selector), error.in_full()));
    }
    Ok(recorded.recording)
}

fn of_daemon(arguments: &Arguments) -> Result<Recording, Failure> {
    let client = Client::new(&arguments.connection)?;
    let wave = &arguments.past.wave;
    let packed = runtime()?.block_on(async {
        let rules = match &arguments.rules {
            Some(rules) => rules.clone(),
            None => only_gate(&client, wave).await?,
        };
        client.file(&Call::get(&client::path(wave, Some(&rules), "recording")?).within(PATIENCE)).await
    })?;
    recording::unpack(Path::new("of the daemon"), &packed, Answers::Wanted).map_err(unexpected)
}

#[derive(Deserialize)]
struct Gates {
    gates: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    rules: String,
}

/// The name of the one gate of `wave`.
async fn only_gate(client: &Client, wave: &str) -> Result<String, Failure> {
    let answer = client.ask(&Call::get(&client::path(wave, None, "verdict")?)).await?;
    let Gates { gates } =
        serde_json::from_str(&answer.body).context("an answer that is no verdict").map_err(unexpected)?;
    match &gates[..] {
        [only] => Ok(only.rules.clone()),
        all => {
            let names: Vec<String> = all.iter().map(|gate| plain(&gate.rules)).collect();
            let (count, names) = (names.len(), names.join(", "));
            Err(refused(anyhow!(
                "the wave has {count} gates, and a recording is of one: name it by --rules, of {names}"
            )))
        }
    }
}

/// A name for the file of `recording` that no file has yet: what a person said of
/// another recording is not written over.
fn unused(recording: &Recording) -> Result<PathBuf, Failure> {
    let header = &recording.header;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = header.wave.as_str().chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
    let name = name.trim_start_matches('.');
    let path = PathBuf::from(format!("{name}-{}-{}.{ENDING}", header.rules, header.attempt));
    if path.exists() {
        return Err(refused(anyhow!("{} is there already: say where by --out", path.display())));
    }
    Ok(path)
}
