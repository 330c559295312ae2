//! The instances of a baseline, to be halved: what an ordinary day looks like.

use crate::rules::Check;
use crate::rules::RuleFile;
use crate::rules::query::Bindings;
use crate::series::Labels;
use crate::series::Series;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::counter;
use crate::series::gauge;
use crate::series::native::Histograms;
use crate::sources::Error;
use crate::sources::Source;
use crate::sources::gather::plan::selectors;
use crate::sources::gather::question::Answers;
use crate::sources::gather::question::Question;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

/// Instances that are halved, at most: their names go into every query, and a matcher of more
/// is no query that a server likes.
const MAX_INSTANCES: usize = 100;

/// `rules` with one half of the baseline's instances as the canary and the other as the
/// baseline, and how many instances are in each.
///
/// Instances are those of the five minutes up to `at`, in the order of their names, every other
/// one in each half: neighbours are as alike as can be. Where there are fewer than two, both
/// cohorts are the whole baseline, and the second half has none.
///
/// # Errors
/// The source does not answer.
pub async fn halves(
    source: &dyn Source,
    rules: &RuleFile,
    bindings: &Bindings<'_>,
    at: Timestamp,
) -> Result<(RuleFile, [u32; 2]), Error> {
    let mut split = rules.clone();
    // Probes have no past, and what is judged alone has no halves.
    split.checks.retain(|check| check.probe.is_none());
    // A half of the baseline spends nothing.
    split.budget = None;
    let found = instances(source, &split, bindings, at).await?;
    let (label, names) = found.unwrap_or_default();
    let half = |first: usize| names.iter().skip(first).step_by(2).take(MAX_INSTANCES / 2).cloned().collect::<Vec<_>>();
    let halves = if names.len() < 2 { [Vec::new(), Vec::new()] } else { [half(0), half(1)] };
    let own = split.checks.iter_mut().filter_map(|check| check.cohorts.as_mut());
    for cohorts in own.chain(std::iter::once(&mut split.cohorts)) {
        let Some(whole) = cohorts.baseline.clone() else { continue };
        cohorts.offset = None;
        let of = |half: &[String]| if half.is_empty() { whole.clone() } else { whole.and_one_of(&label, half) };
        cohorts.canary = of(&halves[0]);
        cohorts.baseline = Some(of(&halves[1]));
    }
    let count = |half: &[String]| u32::try_from(half.len()).unwrap_or(u32::MAX);
    let counts = if halves[0].is_empty() { [1, 0] } else { [count(&halves[0]), count(&halves[1])] };
    Ok((split, counts))
}

/// The label that tells most of the baseline's instances apart, and their names.
async fn instances(
    source: &dyn Source,
    rules: &RuleFile,
    bindings: &Bindings<'_>,
    at: Timestamp,
) -> Result<Option<(String, Vec<String>)>, Error> {
    let window = Window { from: at - counter::STALENESS, to: at };
    let asked = |check: &Check| -> Vec<Question> {
        let cohorts = check.cohorts.as_ref().unwrap_or(&rules.cohorts);
        let bound = cohorts.baseline.as_ref().and_then(|matchers| matchers.bind(bindings));
        let own = bound.map(|cohort| selectors(&check.kind, &cohort)).unwrap_or_default();
        own.into_iter().map(|selector| Question::Raw { selector, window }).collect()
    };
    let questions: Vec<Question> = rules.checks.iter().flat_map(asked).collect();
    let answers = Answers::to(questions.iter().cloned(), Some(source), Duration::ZERO).await?;
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for question in &questions {
        let answer = answers.get(Some(question));
        let all = answer.series.iter().chain(answer.native.iter().map(Histograms::counts));
        all.map(Series::labels).for_each(|labels| note(labels, &rules.cohorts.instance, &mut names));
    }
    let most = names.into_iter().max_by_key(|(_, names)| names.len());
    Ok(most.map(|(label, names)| (label, names.into_iter().collect())))
}

fn note(labels: &Labels, instance: &[String], names: &mut BTreeMap<String, BTreeSet<String>>) {
    let found = gauge::instance(labels, instance);
    if let Some((label, name)) = found.and_then(|(rank, name)| Some((instance.get(rank)?, name))) {
        names.entry(label.clone()).or_default().insert(name.to_owned());
    }
}
