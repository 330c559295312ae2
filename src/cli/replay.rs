//! `wavegate replay`: recorded evidence through the same engine.

use crate::cli::EXIT_FAIL;
use crate::cli::EXIT_PASS;
use crate::cli::EXIT_PAUSE;
use crate::cli::Failure;
use crate::cli::Format;
use crate::cli::complain;
use crate::cli::past::rule_file;
use crate::cli::print;
use crate::cli::recordings;
use crate::cli::refused;
use crate::cli::show_report;
use crate::cli::slos::Slos;
use crate::cli::unexpected;
use crate::engine;
use crate::engine::Replayed;
use crate::rules::RuleFile;
use crate::sources::recording;
use crate::sources::recording::Answers;
use crate::wave::Verdict;
use anyhow::anyhow;
use std::path::Path;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Recordings, and folders of them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Judge by this rule file; without it by the rules that each recording holds.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    #[command(flatten)]
    slos: Slos,
    /// For people, or the verdict documents of the API, one a line.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let rules = arguments
        .rules
        .as_deref()
        .map(|path| rule_file(path, &arguments.slos, None))
        .transpose()?
        .map(|(rules, _)| rules);
    let paths = recordings::found(&arguments.paths)?;
    let mut worst = EXIT_PASS;
    for path in &paths {
        let replayed = replayed(path, rules.as_ref())?;
        if paths.len() > 1 && matches!(arguments.format, Format::Text) {
            print(&format!("{}\n", path.display()));
        }
        show_report(&replayed.document, arguments.format)?;
        worst = match (replayed.verdict, worst) {
            (Verdict::Fail, _) | (_, EXIT_FAIL) => EXIT_FAIL,
            (Verdict::Pause, _) | (_, EXIT_PAUSE) => EXIT_PAUSE,
            (Verdict::Pass, _) => EXIT_PASS,
        };
    }
    Ok(worst)
}

fn replayed(path: &Path, rules: Option<&RuleFile>) -> Result<Replayed, Failure> {
    let named = |error: engine::ReplayError| refused(anyhow!(error).context(format!("{}", path.display())));
    let Some(rules) = rules else {
        let recording = recording::read(path, Answers::Skipped).map_err(refused)?;
        let replayed = engine::replay(&recording).map_err(named)?;
        if recording.document != replayed.document {
            let shown = path.display();
            complain(&format!(
                "{shown}: the recorded document differs: this version judges otherwise, or the file was changed"
            ));
        }
        return Ok(replayed);
    };
    let recording = recordings::read_for(path, [rules]).map_err(refused)?;
    // One that waits for nothing: every answer is in memory.
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(unexpected)?;
    runtime.block_on(engine::replay_by(rules, &recording)).map_err(named)
}
