//! What a source knows becomes evidence, the same for every source.
//!
//! ```text
//! plan      what each check asks of each cohort
//! question  each question once, a few at a time
//! counters  raw samples, and births among them; past: the hour before
//! forms     histograms, classic or native
//! above     events of a histogram above a threshold
//! indicator what an SLO counts, as questions
//! instances what each instance showed, where a check asks for that
//! cohort    one cohort in one window; reading: on its way to evidence; fold: both cohorts become evidence
//! halves    the baseline against itself: an ordinary day
//! survey    how often the source scrapes
//! service   what a service served, slice by slice, for its error budget
//! slices    its slices from raw samples; estimate: as the server counts them
//! newcomers waves that the source has only lately
//! widen     what other rules might ask of the same metrics, for a recording
//! ```
//!
//! The evidence of a window depends on the samples in it and up to an hour
//! before, and on nothing else: not on the windows that it was asked with, nor
//! on when, nor on the order of an answer. Replay rests on that.

mod above;
mod cohort;
mod counters;
mod estimate;
mod fold;
mod forms;
mod halves;
mod indicator;
mod instances;
mod newcomers;
mod past;
mod plan;
mod question;
mod reading;
mod service;
mod slices;
mod survey;
mod widen;

pub use halves::halves;
pub use newcomers::FRESH;
pub use newcomers::Found;
pub use newcomers::Newcomer;
pub use newcomers::Search;
pub use service::ServiceSlices;
pub use service::service;
pub use survey::survey;
pub use widen::widen;

use crate::rules::Check;
use crate::rules::RuleFile;
use crate::rules::Slo;
use crate::series::BudgetEvidence;
use crate::series::IntervalEvidence;
use crate::series::ServiceReading;
use crate::series::Timestamp;
use crate::series::Window;
use crate::sources::AccountAsked;
use crate::sources::Accounts;
use crate::sources::Error;
use crate::sources::Source;
use crate::sources::gather::fold::Material;
use crate::sources::gather::plan::Plan;
use crate::sources::gather::question::Answers;
use crate::sources::gather::question::NO_ANSWERS;
use crate::sources::gather::question::Question;
use std::collections::BTreeMap;
use std::time::Duration;

/// The span that one question covers: some hundred samples a series, so that
/// answers stay well under a client's cap, and few round trips for a past wave.
const SPAN_PER_QUESTION: Duration = Duration::from_mins(30);

/// Windows that one question covers, however short they are: a server answers
/// at most 11 000 points of a grid.
const WINDOWS_PER_QUESTION: usize = 1000;

/// Who answers a gate's questions.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// Whom the gate names; `None` where nothing is asked but of probes.
    pub named: Option<&'a dyn Source>,
    /// Who answers for probes; `None` where none can run.
    pub prober: Option<&'a dyn Source>,
    /// Who keeps the accounts of services; `None` where nobody does, and a gate that minds
    /// an error budget cannot pass.
    pub accounts: Option<&'a dyn Accounts>,
}

impl<'a> Sources<'a> {
    /// Those of a gate without probes.
    pub fn only(named: &'a dyn Source) -> Self {
        Self { named: Some(named), prober: None, accounts: None }
    }
}

/// What evidence is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The gate's rules.
    pub rules: &'a RuleFile,
    /// What `$wave` stands for.
    pub wave: &'a str,
    /// What `$baseline` stands for.
    pub baseline: Option<&'a str>,
    /// What every other variable stands for.
    pub params: &'a BTreeMap<String, String>,
    /// When the wave began.
    pub began: Timestamp,
    /// The length of each window.
    pub interval: Duration,
    /// How often the source scrapes.
    pub scrape: Duration,
    /// Consecutive, of equal length.
    pub windows: &'a [Window],
}

/// The evidence of each window of `request`, in order. Where an answer is too
/// large for the source or for its client, fewer windows are asked for at once.
///
/// A wave's own counts for its error budget come from the gate's source, also where the
/// SLO names another one: the matchers of cohorts are made for the series of the
/// gate's source, and need not pick anything elsewhere. How the service stands is told by
/// [`Sources::accounts`], which asks the SLO's source.
///
/// # Errors
/// The first question that is not answered fails the whole request.
pub async fn evidence(sources: Sources<'_>, request: &Request<'_>) -> Result<Vec<IntervalEvidence>, Error> {
    let budget = request.rules.budget.as_ref().map(|budget| &*budget.slo);
    let checks = request.rules.checks.iter().map(|check| Plan::of(check, request));
    // The wave's part of the error budget is asked as if it were one more check.
    let plans: Vec<Plan<'_>> = checks.chain(budget.map(|slo| Plan::of_budget(slo, request))).collect();
    let mut evidence = Vec::with_capacity(request.windows.len());
    let mut runs: Vec<&[Window]> = request.windows.chunks(windows_per_question(request.interval)).rev().collect();
    while let Some(run) = runs.pop() {
        match fold(sources, &plans, run, request).await {
            Ok(more) => evidence.extend(more),
            Err(Error::TooLarge { .. } | Error::Execution { .. }) if run.len() > 1 => {
                let (first, second) = run.split_at(run.len() / 2);
                runs.extend([second, first]);
            }
            Err(error) => return Err(error),
        }
    }
    for one in &mut evidence {
        one.budget = match (budget, one.checks.pop_if(|_| budget.is_some())) {
            (Some(slo), Some(wave)) => {
                Some(BudgetEvidence { wave, service: stand(sources, slo, request, one.window).await? })
            }
            _ => None,
        };
    }
    Ok(evidence)
}

/// How the service of `slo` stood at the end of `window`; `None` where nobody keeps that.
async fn stand(
    sources: Sources<'_>,
    slo: &Slo,
    request: &Request<'_>,
    window: Window,
) -> Result<Option<ServiceReading>, Error> {
    let Some(accounts) = sources.accounts else { return Ok(None) };
    accounts.stand(AccountAsked { slo, wave: request.wave, began: request.began, window }).await.map(Some)
}

/// Whether `check` of `request` has the same evidence as `other` of `asked`, window by
/// window of equal length: both ask the same and divide it among instances alike.
pub fn is_same(check: &Check, request: &Request<'_>, other: &Check, asked: &Request<'_>) -> bool {
    let grid = |request: &Request<'_>| (request.began, request.interval, request.scrape);
    grid(request) == grid(asked) && Plan::of(check, request) == Plan::of(other, asked)
}

async fn fold(
    sources: Sources<'_>,
    plans: &[Plan<'_>],
    run: &[Window],
    request: &Request<'_>,
) -> Result<Vec<IntervalEvidence>, Error> {
    let samples = Split::to(plans.iter().map(|plan| (plan, plan.questions(run))), sources).await?;
    let checks: Vec<_> = plans.iter().map(|plan| Material::new(plan, run, request.began, samples.of(plan))).collect();
    let more = Split::to(plans.iter().zip(checks.iter().map(Material::questions)), sources).await?;
    let checks: Vec<_> = plans.iter().zip(checks).map(|(plan, check)| check.learn(more.of(plan))).collect();

    let one = |window: &Window| {
        let check = |(plan, check): (&Plan<'_>, &Material<'_>)| {
            // A probe has a sample as often as it asks, however often the source scrapes.
            check.evidence(*window, expected(*window, request.began, plan.every.unwrap_or(request.scrape)))
        };
        IntervalEvidence { window: *window, checks: plans.iter().zip(&checks).map(check).collect(), budget: None }
    };
    Ok(run.iter().map(one).collect())
}

/// Answers of the source, by how long ago what was asked for was, and of the prober.
struct Split {
    named: BTreeMap<Duration, Answers>,
    prober: Answers,
}

impl Split {
    /// Puts the questions of each plan, about its canary and about its baseline, to whom
    /// they are for.
    async fn to<'a>(
        questions: impl Iterator<Item = (&'a Plan<'a>, [Vec<Question>; 2])>,
        sources: Sources<'_>,
    ) -> Result<Self, Error> {
        let (mut asked, mut prober) = (BTreeMap::<Duration, Vec<Question>>::new(), Vec::new());
        for (plan, [canary, baseline]) in questions {
            if plan.every.is_some() {
                prober.extend([canary, baseline].concat());
            } else {
                asked.entry(Duration::ZERO).or_default().extend(canary);
                asked.entry(plan.ago).or_default().extend(baseline);
            }
        }
        let mut named = BTreeMap::new();
        for (ago, questions) in asked {
            named.insert(ago, Answers::to(questions, sources.named, ago).await?);
        }
        Ok(Self { named, prober: Answers::to(prober, sources.prober, Duration::ZERO).await? })
    }

    /// Those about the canary of `plan`, and about its baseline.
    fn of(&self, plan: &Plan<'_>) -> [&Answers; 2] {
        let named = |ago: Duration| self.named.get(&ago).unwrap_or(&NO_ANSWERS);
        if plan.every.is_some() { [&self.prober; 2] } else { [named(Duration::ZERO), named(plan.ago)] }
    }
}

fn windows_per_question(interval: Duration) -> usize {
    let windows = SPAN_PER_QUESTION.as_millis() / interval.as_millis().max(1);
    usize::try_from(windows).unwrap_or(usize::MAX).clamp(1, WINDOWS_PER_QUESTION)
}

/// Raw samples that a healthy series has in `window`, at least 1: those of a scrape
/// that keeps time with the wave. Where scrapes do not divide the interval, windows
/// have one more or one less, and rounding each alike would find samples missing
/// for ever.
fn expected(window: Window, began: Timestamp, scrape: Duration) -> u32 {
    let scrapes = |until: Timestamp| until.since(began).as_millis() / scrape.as_millis().max(1);
    u32::try_from(scrapes(window.to) - scrapes(window.from).min(scrapes(window.to))).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_healthy_series_has_a_sample_for_every_scrape_and_at_least_one() {
        let began = Timestamp::from_millis(1_790_000_000_000);
        for (interval, scrape, expect) in [
            (15_000, 15_000, [1, 1, 1, 1]),
            (60_000, 15_000, [4, 4, 4, 4]),
            (15_000, 60_000, [1, 1, 1, 1]),
            (30_000, 20_000, [1, 2, 1, 2]),
            (15_000, 10_000, [1, 2, 1, 2]),
            (25_000, 10_000, [2, 3, 2, 3]),
            (3, 0, [3, 3, 3, 3]),
        ] {
            let at = |index: u32| began + Duration::from_millis(interval) * index;
            let found = [0, 1, 2, 3].map(|index| {
                let window = Window { from: at(index), to: at(index + 1) };
                expected(window, began, Duration::from_millis(scrape))
            });
            assert_eq!(found, expect, "{interval} ms by {scrape} ms");
        }
    }

    #[test]
    fn one_question_covers_many_windows_and_never_none() {
        for (seconds, expect) in [(0, WINDOWS_PER_QUESTION), (1, WINDOWS_PER_QUESTION), (15, 120), (1800, 1), (7200, 1)]
        {
            assert_eq!(windows_per_question(Duration::from_secs(seconds)), expect, "{seconds} s");
        }
    }
}
