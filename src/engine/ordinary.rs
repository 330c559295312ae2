//! An ordinary day of a source, for planning: the baseline's history, half against half.

use crate::rules::RuleFile;
use crate::rules::query::Bindings;
use crate::series::IntervalEvidence;
use crate::series::Timestamp;
use crate::series::Window;
use crate::sources;
use crate::sources::Source;
use crate::sources::gather;
use std::collections::BTreeMap;
use std::time::Duration;

/// Windows that are read at most: two days at 15 s, which tell all that an hour needs.
const MOST_WINDOWS: u128 = 11_520;

/// Which history.
#[derive(Clone, Copy, Debug)]
pub struct Ordinary<'a> {
    /// What `$wave` stands for.
    pub wave: &'a str,
    /// What `$baseline` stands for.
    pub baseline: Option<&'a str>,
    /// What the params stand for.
    pub params: &'a BTreeMap<String, String>,
    /// Its end.
    pub until: Timestamp,
    /// Its length.
    pub over: Duration,
}

/// The evidence of `rules` in `ordinary`, one half of the baseline as the canary and the other
/// as the baseline, with the rules that were asked so and the instances of each half.
///
/// # Errors
/// The source does not answer.
pub async fn ordinary_day(
    source: &dyn Source,
    rules: &RuleFile,
    ordinary: Ordinary<'_>,
) -> Result<(RuleFile, Vec<IntervalEvidence>, [u32; 2]), sources::Error> {
    let bindings = Bindings { wave: ordinary.wave, baseline: ordinary.baseline, params: ordinary.params };
    let (split, halves) = gather::halves(source, rules, &bindings, ordinary.until).await?;
    let scrape = gather::survey(source, &split, &bindings, ordinary.until).await?;
    let interval = scrape.unwrap_or(rules.schedule.interval).max(rules.schedule.interval);
    let count = (ordinary.over.as_millis() / interval.as_millis().max(1)).min(MOST_WINDOWS);
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let began = ordinary.until - interval * count;
    let window = |index: u32| Window { from: began + interval * index, to: began + interval * (index + 1) };
    let windows: Vec<Window> = (0..count).map(window).collect();
    let request = gather::Request {
        rules: &split,
        wave: ordinary.wave,
        baseline: ordinary.baseline,
        params: ordinary.params,
        began,
        interval,
        scrape: scrape.unwrap_or(interval),
        windows: &windows,
    };
    let evidence = gather::evidence(gather::Sources::only(source), &request).await?;
    Ok((split, evidence, halves))
}
