//! How often a source scrapes, as seen in its samples.

use crate::rules::Check;
use crate::rules::RuleFile;
use crate::rules::query::Bindings;
use crate::rules::query::BoundMatchers;
use crate::rules::query::Cohorts;
use crate::rules::query::Matchers;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::counter;
use crate::series::native::Histograms;
use crate::sources::Answer;
use crate::sources::Error;
use crate::sources::Source;
use crate::sources::gather::indicator;
use crate::sources::gather::plan::divisor;
use crate::sources::gather::plan::selectors;
use crate::sources::gather::question::Answers;
use crate::sources::gather::question::Question;
use std::time::Duration;

/// Queries of checks that are looked at: enough to meet each kind of target that a
/// gate watches, and few enough to open a gate at once.
const MAX_QUERIES: usize = 8;

/// Scrape intervals are configured in seconds; jitter is some milliseconds.
const STEP_MS: u64 = 100;

/// The scrape interval of `source`, as the samples of the five minutes up to
/// `start` show it, or `None` where none show two.
///
/// For each of the first queries of checks on raw samples: the median distance of
/// consecutive samples of the baseline, or else of the canary. Of those the
/// longest, as a grid that is finer than a check's scrapes finds it blind. How often
/// probes ask is known. What an error budget counts is looked at besides.
pub async fn survey(
    source: &dyn Source,
    rules: &RuleFile,
    bindings: &Bindings<'_>,
    start: Timestamp,
) -> Result<Option<Duration>, Error> {
    let selectors = rules
        .checks
        .iter()
        .filter(|check| check.probe.is_none())
        .flat_map(|check| candidates(check, rules, bindings))
        .filter(|found| !found.is_empty());
    let budget = rules.budget.as_ref().map(|budget| {
        let of = |cohort: &BoundMatchers| indicator::selectors(&budget.slo.indicator, cohort);
        of_cohorts(&rules.cohorts, bindings, of)
    });
    let mut open: Vec<Vec<Candidate>> = selectors.take(MAX_QUERIES).chain(budget).collect();
    let mut longest = None;
    while open.iter().any(|selectors| !selectors.is_empty()) {
        // The first of each, all at once; those that showed nothing ask their next.
        let asked: Vec<(Question, Vec<Candidate>)> = open.drain(..).filter_map(|next| ask_first(next, start)).collect();
        let questions = asked.iter().map(|(question, _)| question.clone());
        let answers = Answers::to(questions, Some(source), Duration::ZERO).await?;
        for (question, rest) in asked {
            match spacing(answers.get(Some(&question))) {
                Some(spacing) => longest = longest.max(Some(spacing)),
                None => open.push(rest),
            }
        }
    }
    Ok(longest)
}

/// A selector, and how long ago what it picks was.
type Candidate = (String, Duration);

/// The selectors of each query of a check on raw samples: of the baseline, then of the canary.
fn candidates(check: &Check, rules: &RuleFile, bindings: &Bindings<'_>) -> [Vec<Candidate>; 2] {
    let cohorts = check.cohorts.as_ref().unwrap_or(&rules.cohorts);
    [selectors, divisor].map(|of| of_cohorts(cohorts, bindings, |cohort| of(&check.kind, cohort)))
}

/// The selectors that `of` makes of the baseline, then of the canary.
fn of_cohorts(
    cohorts: &Cohorts,
    bindings: &Bindings<'_>,
    of: impl Fn(&BoundMatchers) -> Vec<String>,
) -> Vec<Candidate> {
    let ago = cohorts.offset.unwrap_or(Duration::ZERO);
    let cohorts = [cohorts.baseline.as_ref().map(|it| (it, ago)), Some((&cohorts.canary, Duration::ZERO))];
    let bind = |(matchers, ago): (&Matchers, Duration)| Some((matchers.bind(bindings)?, ago));
    let bound = cohorts.into_iter().flatten().filter_map(bind);
    bound.flat_map(|(cohort, ago)| of(&cohort).into_iter().map(move |one| (one, ago))).collect()
}

fn ask_first(candidates: Vec<Candidate>, start: Timestamp) -> Option<(Question, Vec<Candidate>)> {
    let mut candidates = candidates.into_iter();
    let (selector, ago) = candidates.next()?;
    let end = start - ago;
    let window = Window { from: end - counter::STALENESS, to: end };
    Some((Question::Raw { selector, window }, candidates.collect()))
}

/// The median distance of consecutive samples, to a tenth of a second.
fn spacing(answer: &Answer) -> Option<Duration> {
    let all = answer.series.iter().chain(answer.native.iter().map(Histograms::counts));
    let pairs = all.flat_map(|series| series.samples().windows(2));
    let mut distances: Vec<Duration> = pairs.map(|pair| pair[1].at.since(pair[0].at)).collect();
    let middle = distances.len() / 2;
    if distances.is_empty() {
        return None;
    }
    let (_, median, _) = distances.select_nth_unstable(middle);
    let millis = u64::try_from(median.as_millis()).unwrap_or(u64::MAX);
    let steps = (millis.saturating_add(STEP_MS / 2) / STEP_MS).max(1);
    Some(Duration::from_millis(steps.saturating_mul(STEP_MS)))
}
