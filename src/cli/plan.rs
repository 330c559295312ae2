//! `wavegate plan`: what the checks of a rule file can detect, and by when.

use crate::app;
use crate::cli::EXIT_FINDINGS;
use crate::cli::EXIT_PASS;
use crate::cli::Failure;
use crate::cli::Format;
use crate::cli::ordinary::Ordinary;
use crate::cli::params;
use crate::cli::params::Param;
use crate::cli::print;
use crate::cli::refused;
use crate::cli::runtime;
use crate::cli::unreachable;
use crate::config::Config;
use crate::config::Inputs;
use crate::engine;
use crate::engine::Clock;
use crate::plan::power;
use crate::plan::power::Assumptions;
use crate::plan::power::How;
use crate::plan::power::Measured;
use crate::report;
use crate::rules;
use crate::rules::RuleFile;
use crate::series::Timestamp;
use crate::wire;
use anyhow::Context as _;
use anyhow::anyhow;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// History: long enough for some dozens of intervals, and no more than a source keeps at hand.
const OVER: RangeInclusive<Duration> = Duration::from_mins(20)..=Duration::from_hours(7 * 24);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    ordinary: Ordinary,
    /// Measure the traffic: a source of the configuration, or the URL of a Prometheus.
    #[arg(long, value_name = "NAME|URL")]
    source: Option<String>,
    /// What `$baseline` stands for, of which the history is measured.
    #[arg(long, value_name = "ID", requires = "source")]
    baseline: Option<String>,
    /// What `$wave` stands for in the baseline's matchers.
    #[arg(long, value_name = "ID", requires = "source", default_value = "")]
    wave: String,
    /// A param of the rules, such as `region=eu-1`; given again for each.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = params::parse, requires = "source")]
    params: Vec<Param>,
    /// The end of the history, RFC 3339; without it now.
    #[arg(long, value_name = "TIME", requires = "source")]
    at: Option<String>,
    /// How much history: 20 minutes to 7 days.
    #[arg(long, value_name = "DURATION", requires = "source", default_value = "6h")]
    over: String,
    /// The configuration, in TOML; the variable `WAVEGATE_CONFIG` names it too.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// For people or for machines.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Write the power curves here.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let rules = arguments.ordinary.rule_file()?;
    let mut assumed = Assumptions { traffic: rules.traffic.clone(), ..Assumptions::default() };
    let measured = measured(arguments, &rules)?;
    for one in &measured {
        assumed.traffic.checks.insert(one.check.clone(), one.traffic);
        assumed.shapes.extend(one.shape.clone().map(|shape| (one.check.clone(), shape)));
    }
    arguments.ordinary.state(&mut assumed.traffic)?;
    for (place, change) in arguments.ordinary.changes(&rules)? {
        let size = power::size_of(&rules, &assumed, place, change)
            .map_err(|message| refused(anyhow!("--change: {message}")))?;
        assumed.changes.entry(rules.checks[place].name.clone()).or_default().push(size);
    }
    let plan = power::plan(&rules, &assumed);
    if plan.checks.is_empty() {
        return Err(refused(anyhow!(
            "`{}` has no check that compares cohorts by a statistical test: there is nothing to plan",
            plan.rules
        )));
    }
    let document = wire::plan_document(&plan, &measured);
    if let Some(path) = &arguments.svg {
        let drawn = report::svg(&document).map_err(crate::cli::unexpected)?;
        std::fs::write(path, drawn)
            .with_context(|| format!("--svg: cannot write {}", path.display()))
            .map_err(refused)?;
    }
    match arguments.format {
        Format::Text => print(&report::plan(&document).map_err(crate::cli::unexpected)?),
        Format::Json => print(&format!("{document}\n")),
    }
    Ok(if plan.decides() { EXIT_PASS } else { EXIT_FINDINGS })
}

/// What the history of the source shows of each check; nothing where none was named.
fn measured(arguments: &Arguments, rules: &RuleFile) -> Result<Vec<Measured>, Failure> {
    let Some(name) = arguments.source.as_deref() else { return Ok(Vec::new()) };
    let config = Config::load(&Inputs::of_process(arguments.config.clone(), Vec::new())).map_err(refused)?;
    let source = app::source_for(&config, Some(name)).map_err(refused)?;
    let over = rules::duration(&arguments.over)
        .filter(|over| OVER.contains(over))
        .ok_or_else(|| refused(anyhow!("--over: `{}` is not a duration from 20m to 7d, such as 6h", arguments.over)))?;
    let now = Clock::System.now();
    let at = match arguments.at.as_deref() {
        Some(text) => Timestamp::parse(text)
            .ok_or_else(|| refused(anyhow!("--at: `{text}` is not a time such as 2026-11-22T14:00:00Z")))?,
        None => now,
    };
    // What cannot have arrived yet would be read as missing.
    let until = at.min(now - rules.schedule.settle);
    let given = params::all(&arguments.params).map_err(|fault| refused(anyhow!(fault)))?;
    let params = rules.params_of(&given).map_err(|fault| refused(anyhow!("--param: {fault}")))?;
    let (wave, baseline) = (arguments.wave.as_str(), arguments.baseline.as_deref());
    let ordinary = engine::Ordinary { wave, baseline, params: &params, until, over };
    let seen = runtime()?.block_on(engine::ordinary_day(&*source, rules, ordinary));
    let (split, evidence, halves) = seen.context("the history cannot be read").map_err(unreachable)?;
    let measured = power::measure(&split, &evidence, halves);
    if measured.iter().all(|one| one.how == How::Stated) {
        return Err(refused(anyhow!(
            "the history of {} up to {until} shows none of the checks: is `--baseline` the value that the series had \
             then?",
            arguments.over
        )));
    }
    Ok(measured)
}
