//! What past gate is meant: what `judge` and `record` are both told.

use crate::app;
use crate::cli::Failure;
use crate::cli::complain;
use crate::cli::on_terminal;
use crate::cli::params;
use crate::cli::params::Param;
use crate::cli::refused;
use crate::config::Config;
use crate::config::Inputs;
use crate::engine;
use crate::engine::Clock;
use crate::engine::Past;
use crate::engine::read_text;
use crate::rules;
use crate::rules::RuleFile;
use crate::series::Timestamp;
use crate::sources::Source;
use crate::wave::WaveId;
use anyhow::anyhow;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, clap::Args)]
pub(super) struct PastArguments {
    /// The wave id: what `$wave` stands for.
    #[arg(long, value_name = "ID")]
    pub(super) wave: String,
    /// What `$baseline` stands for.
    #[arg(long, value_name = "ID")]
    baseline: Option<String>,
    /// A param of the rules, such as `region=eu-1`; given again for each.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = params::parse)]
    params: Vec<Param>,
    /// A source of the configuration, the URL of a Prometheus, or the file of a recording.
    #[arg(long, value_name = "NAME|URL|FILE")]
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
}

impl PastArguments {
    /// The source that is asked, and what of `rules` is judged.
    pub(super) fn of(&self, rules: &RuleFile) -> Result<(Arc<dyn Source>, Past), Failure> {
        let config = Config::load(&Inputs::of_process(self.config.clone(), Vec::new())).map_err(refused)?;
        // Before a source is looked for, which such rules may not need.
        engine::has_past(rules).map_err(refused)?;
        let now = Clock::System.now();
        let at = instant("--at", self.at.as_deref())?.unwrap_or(now);
        let start = instant("--start", self.start.as_deref())?.unwrap_or(at - rules.schedule.deadline);
        let wave = WaveId::new(&self.wave).ok_or_else(|| {
            let most = WaveId::MAX_BYTES;
            refused(anyhow!("--wave: a wave id has 1 to {most} bytes and no control characters"))
        })?;
        let asked = self.source.as_deref().or(rules.source.as_deref());
        let source = app::source_for(&config, asked).map_err(refused)?;
        // Looks whose samples cannot have arrived yet are not made.
        let until = at.min(now - rules.schedule.settle);
        let params = params::all(&self.params).map_err(|fault| refused(anyhow!(fault)))?;
        Ok((source, Past { wave, baseline: self.baseline.clone(), params, start, until }))
    }
}

/// A line on a terminal that is written over; nothing elsewhere.
pub(super) fn progress(judged: u32, of: u32) {
    on_terminal(&format!("looked at {judged} of {of} intervals"));
}

/// The rules of the file at `path`, and its text; every fault is shown.
pub(super) fn rule_file(path: &Path) -> Result<(RuleFile, String), Failure> {
    let text = read_text(path).map_err(refused)?;
    let file = path.display().to_string();
    match rules::parse(&file, &text) {
        Ok(parsed) => {
            if !parsed.warnings.is_empty() {
                complain(&rules::render(&parsed.warnings, &text));
            }
            Ok((parsed.rules, text))
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
