//! What past gate is meant: what `judge` and `record` are both told.

use crate::app;
use crate::cli::Failure;
use crate::cli::complain;
use crate::cli::on_terminal;
use crate::cli::params;
use crate::cli::params::Param;
use crate::cli::refused;
use crate::cli::slos::Slos;
use crate::config::Config;
use crate::config::Inputs;
use crate::engine;
use crate::engine::Clock;
use crate::engine::Past;
use crate::rules;
use crate::rules::Class;
use crate::rules::RuleFile;
use crate::series::Timestamp;
use crate::sources::Source;
use crate::wave::WaveId;
use anyhow::anyhow;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

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
    /// What kind of change the wave brings: `standard`, or `exploratory`, which may use the
    /// reserve of an error budget.
    #[arg(long, value_name = "CLASS", value_parser = class)]
    class: Option<Class>,
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
    #[command(flatten)]
    slos: Slos,
}

impl PastArguments {
    /// The rules of the file at `path`, and its text; every fault is shown.
    pub(super) fn rule_file(&self, path: &Path) -> Result<(RuleFile, String), Failure> {
        rule_file(path, &self.slos, self.config.as_deref())
    }

    /// Whom to ask for the error budget that `rules` mind: the source that the SLO names,
    /// where the configuration has it, else that of the checks.
    pub(super) fn slo_source(&self, rules: &RuleFile, checks: &Arc<dyn Source>) -> Result<Arc<dyn Source>, Failure> {
        let named = rules.budget.as_ref().and_then(|budget| budget.slo.source.as_deref());
        let Some(named) = named.filter(|named| *named != checks.name()) else { return Ok(Arc::clone(checks)) };
        let config = Config::load(&Inputs::of_process(self.config.clone(), Vec::new())).map_err(refused)?;
        if config.sources.contains_key(named) {
            return app::source_for(&config, Some(named)).map_err(refused);
        }
        Ok(Arc::clone(checks))
    }

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
        Ok((source, Past { wave, baseline: self.baseline.clone(), params, class: self.class, start, until }))
    }
}

/// A line on a terminal that is written over; nothing elsewhere.
pub(super) fn progress(judged: u32, of: u32) {
    on_terminal(&format!("looked at {judged} of {of} intervals"));
}

/// The rules of the file at `path`, and its text with the SLO that it names; every fault is shown.
pub(super) fn rule_file(path: &Path, slos: &Slos, config: Option<&Path>) -> Result<(RuleFile, String), Failure> {
    let text = slos.text(path, config)?;
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

/// What is not known of an error budget without a daemon that keeps its account.
pub(super) fn tell_unknown(rules: &RuleFile) {
    if let Some(budget) = &rules.budget {
        complain(&format!(
            "note: what other waves spent of the error budget of `{}`, and whether other SLOs of `{}` page somebody, \
             is known to the daemon alone",
            budget.slo.name, budget.slo.service
        ));
    }
}

/// As [`progress`], of the time that is read for an error budget.
pub(super) fn progress_of_budget(read: Duration, of: Duration) {
    let hours = |span: Duration| span.as_secs() / 3600;
    on_terminal(&format!("read {} of {} hours for the error budget", hours(read), hours(of)));
}

fn class(word: &str) -> Result<Class, String> {
    Class::named(word).ok_or_else(|| "it is `standard` or `exploratory`".to_owned())
}

pub(super) fn instant(flag: &str, text: Option<&str>) -> Result<Option<Timestamp>, Failure> {
    let read = |text: &str| {
        Timestamp::parse(text)
            .ok_or_else(|| refused(anyhow!("{flag}: `{text}` is not a time such as 2026-11-22T14:00:00Z")))
    };
    text.map(read).transpose()
}
