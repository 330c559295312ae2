//! A made-up fleet as a source, and its wave recorded.

use super::fleet::Wave;
use std::error::Error;
use std::path::Path;
use std::time::Duration;
use wavegate::engine;
use wavegate::engine::Past;
use wavegate::rules;
use wavegate::rules::RuleFile;
use wavegate::rules::query::lower;
use wavegate::rules::query::lower_selector;
use wavegate::series::Matcher;
use wavegate::series::Series;
use wavegate::series::Window;
use wavegate::series::expr::Stored;
use wavegate::sources;
use wavegate::sources::Answer;
use wavegate::sources::Asked;
use wavegate::sources::Grid;
use wavegate::sources::Pending;
use wavegate::sources::Source;
use wavegate::sources::recording;
use wavegate::wave::WaveId;

/// The rules that the waves are judged by.
pub(crate) const RULES: &str = include_str!("../../rules/http-service.yaml");

/// Judges `wave` and writes its recording, with its label, to `path`.
pub(crate) fn record(wave: &Wave, path: &Path) -> Result<(), Box<dyn Error>> {
    let rules = rules()?;
    let past = past(wave, Duration::from_hours(1))?;
    let source = Fleet::of(wave);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let recorded = runtime.block_on(engine::record_past(&source, &rules, RULES, past, |_, _| ()))?;
    if let Some(outage) = recorded.judged.outage {
        return Err(outage.into());
    }
    let mut recording = recorded.recording;
    recording.header.label = Some(wave.label);
    recording.header.note = Some(wave.kind.to_owned());
    recording::write(path, &recording::pack(&recording)?)?;
    Ok(())
}

/// The rules.
pub(crate) fn rules() -> Result<RuleFile, String> {
    let parsed = rules::parse("http-service.yaml", RULES);
    Ok(parsed.map_err(|faults| rules::render(&faults, RULES))?.rules)
}

/// The gate of `wave`, as far as it has come after `length`.
pub(crate) fn past(wave: &Wave, length: Duration) -> Result<Past, &'static str> {
    Ok(Past {
        params: std::collections::BTreeMap::new(),
        wave: WaveId::new(&wave.id()).ok_or("a wave id")?,
        baseline: Some(wave.baseline()),
        class: None,
        start: wave.start,
        until: wave.start + length,
    })
}

/// Every series of a fleet.
pub(crate) struct Fleet(Vec<Stored>);

impl Fleet {
    pub(crate) fn of(wave: &Wave) -> Self {
        Self(wave.series())
    }

    fn select(&self, matchers: &[Matcher], window: Window) -> Vec<Stored> {
        let met = self.0.iter().filter(|one| matchers.iter().all(|matcher| matcher.is_met(&one.labels)));
        let within = |one: &Stored| {
            let begin = one.samples.partition_point(|sample| sample.at <= window.from);
            let end = one.samples.partition_point(|sample| sample.at <= window.to);
            Stored { labels: one.labels.clone(), samples: one.samples[begin..end].to_vec(), ends: Vec::new() }
        };
        met.map(within).filter(|one| !one.samples.is_empty()).collect()
    }

    fn evaluated(&self, expr: &str, grid: Grid) -> Result<Vec<Series>, String> {
        let tree = lower(expr).map_err(|fault| fault.message)?;
        let mut points = vec![grid.from];
        while let Some(last) = points.last().filter(|last| **last < grid.to) {
            points.push(*last + grid.step);
        }
        let mut select = |matchers: &[Matcher], window: Window| self.select(matchers, window);
        tree.evaluate(&points, usize::MAX, &mut select).map_err(|error| error.to_string())
    }
}

impl Source for Fleet {
    fn name(&self) -> &'static str {
        "made up"
    }

    fn raw<'a>(&'a self, selector: &'a str, window: Window) -> Pending<'a, Result<Answer, sources::Error>> {
        let found = lower_selector(selector).map(|matchers| self.select(&matchers, window));
        let series = found.map(|found| found.into_iter().map(|one| Series::new(one.labels, one.samples)).collect());
        let answer = series.map_err(|fault| refused(selector, fault.message));
        Box::pin(async move { Ok(Answer { series: answer?, ..Answer::default() }) })
    }

    fn grid<'a>(&'a self, expr: &'a str, grid: Grid) -> Pending<'a, Result<Answer, sources::Error>> {
        let series = self.evaluated(expr, grid).map_err(|message| refused(expr, message));
        Box::pin(async move { Ok(Answer { series: series?, ..Answer::default() }) })
    }
}

fn refused(query: &str, message: String) -> sources::Error {
    sources::Error::Refused { asked: Asked { source: "made up".to_owned(), query: query.to_owned() }, message }
}
