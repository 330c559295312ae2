//! `wavegate judge`: one gate, now or in the past, without a daemon.
//!
//! Every look from `--start` to `--at`, through the same code as the daemon's, so
//! that the document is the daemon's own.

use crate::app;
use crate::cli::EXIT_FAIL;
use crate::cli::EXIT_PASS;
use crate::cli::EXIT_PAUSE;
use crate::cli::EXIT_UNREACHABLE;
use crate::cli::Failure;
use crate::cli::Format;
use crate::cli::complain;
use crate::cli::on_terminal;
use crate::cli::refused;
use crate::cli::runtime;
use crate::cli::show_report;
use crate::config::Config;
use crate::config::Inputs;
use crate::engine;
use crate::engine::Clock;
use crate::engine::Past;
use crate::engine::read_text;
use crate::rules;
use crate::rules::RuleFile;
use crate::series::Timestamp;
use crate::wave::Verdict;
use crate::wave::WaveId;
use anyhow::anyhow;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The rule file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The wave id: what `$wave` stands for.
    #[arg(long, value_name = "ID")]
    wave: String,
    /// What `$baseline` stands for.
    #[arg(long, value_name = "ID")]
    baseline: Option<String>,
    /// A source of the configuration, or the URL of a Prometheus.
    #[arg(long, value_name = "NAME|URL")]
    source: Option<String>,
    /// The start of the wave, RFC 3339; without it `--at` less the deadline.
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// The last look, RFC 3339; without it now.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The configuration, in TOML; the variable `WAVEGATE_CONFIG` names it too.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// For people, or the verdict document of the API.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let config = Config::load(&Inputs::of_process(arguments.config.clone(), Vec::new())).map_err(refused)?;
    let rules = rule_file(arguments)?;
    // Before a source is looked for, which such rules may not need.
    engine::has_past(&rules).map_err(refused)?;
    let now = Clock::System.now();
    let at = instant("--at", arguments.at.as_deref())?.unwrap_or(now);
    let start = instant("--start", arguments.start.as_deref())?.unwrap_or(at - rules.schedule.deadline);
    let wave = WaveId::new(&arguments.wave).ok_or_else(|| {
        let most = WaveId::MAX_BYTES;
        refused(anyhow!("--wave: a wave id has 1 to {most} bytes and no control characters"))
    })?;
    let asked = arguments.source.as_deref().or(rules.source.as_deref());
    let source = app::source_for(&config, asked).map_err(refused)?;
    // Looks whose samples cannot have arrived yet are not made.
    let until = at.min(now - rules.schedule.settle);
    let past = Past { wave, baseline: arguments.baseline.clone(), start, until };
    let judged = runtime()?.block_on(engine::judge_past(&*source, &rules, past, progress)).map_err(refused)?;
    on_terminal("");
    show_report(&judged.document, arguments.format)?;
    if let Some(error) = &judged.outage {
        complain(&format!("error: {error}"));
    }
    Ok(match judged.verdict {
        Verdict::Pass => EXIT_PASS,
        Verdict::Fail => EXIT_FAIL,
        Verdict::Pause if judged.looks == 0 && judged.outage.is_some() => EXIT_UNREACHABLE,
        Verdict::Pause => EXIT_PAUSE,
    })
}

/// A line on a terminal that is written over; nothing elsewhere.
fn progress(judged: u32, of: u32) {
    on_terminal(&format!("looked at {judged} of {of} intervals"));
}

fn rule_file(arguments: &Arguments) -> Result<RuleFile, Failure> {
    let text = read_text(&arguments.file).map_err(refused)?;
    let file = arguments.file.display().to_string();
    match rules::parse(&file, &text) {
        Ok(parsed) => {
            if !parsed.warnings.is_empty() {
                complain(&rules::render(&parsed.warnings, &text));
            }
            Ok(parsed.rules)
        }
        Err(faults) => {
            complain(&rules::render(&faults, &text));
            Err(refused(anyhow!("{file} is refused: {} to mend", faults.len())))
        }
    }
}

fn instant(flag: &str, text: Option<&str>) -> Result<Option<Timestamp>, Failure> {
    let read = |text: &str| {
        Timestamp::parse(text)
            .ok_or_else(|| refused(anyhow!("{flag}: `{text}` is not a time such as 2026-11-22T14:00:00Z")))
    };
    text.map(read).transpose()
}
