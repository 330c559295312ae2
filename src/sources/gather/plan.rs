//! What each check asks of each cohort, as text for the source.

use crate::rules::Bound;
use crate::rules::Check;
use crate::rules::CheckKind;
use crate::rules::GaugeTest;
use crate::rules::Slo;
use crate::rules::query::Bindings;
use crate::rules::query::BoundMatchers;
use crate::rules::query::Cohorts;
use crate::rules::query::GaugeQuery;
use crate::rules::query::PromQl;
use crate::rules::query::Selector;
use crate::series::Window;
use crate::series::counter;
use crate::series::gauge::Extreme;
use crate::sources::gather::Request;
use crate::sources::gather::indicator;
use crate::sources::gather::indicator::Besides;
use crate::sources::gather::instances::Apart;
use crate::sources::gather::instances::Part;
use crate::sources::gather::question::Question;
use std::time::Duration;

/// `rate` over fewer scrapes than this loses windows to jitter.
const SCRAPES_PER_RANGE: u32 = 4;

/// An instant selector that reads further back than this shows a scrape that failed as its last success.
const SCRAPES_PER_LOOKBACK: u32 = 2;

/// One check, bound to one wave. Equal plans get equal evidence of the same windows.
#[derive(Debug, PartialEq)]
pub(super) struct Plan<'a> {
    /// What is asked of the canary.
    pub(super) canary: Asked,
    /// What is asked of the baseline; `None` where the check is judged alone.
    pub(super) baseline: Option<Asked>,
    /// The labels that tell one instance from another.
    pub(super) instance: &'a [String],
    /// What is kept apart of the canary, and of the baseline.
    pub(super) apart: [Apart<'a>; 2],
    /// The matchers of both cohorts, where they are the same.
    pub(super) same: Option<String>,
    /// The matchers of the baseline, where they do not exclude the canary's.
    pub(super) touching: Option<String>,
    /// How long ago the baseline was; zero where it is of now.
    pub(super) ago: Duration,
    /// How often a probe asks; `None` of a check that the source knows about.
    pub(super) every: Option<Duration>,
}

/// What one check asks of one cohort.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Asked {
    /// Nothing: the matchers name a baseline that was not given.
    Unbound { counts: bool },
    /// Two counters, one of which counts a part of what the other does, and that one with
    /// its labels merely present, where it is asked whether such a thing exists at all.
    Ratio { part: Counter, is: Part, total: Counter, relaxed: Option<String> },
    /// Events of a histogram above `threshold`: the counters of two of its buckets, and the
    /// same as a native histogram; `every` are all of its buckets, where the bounds
    /// that there are shall be named.
    Above { classic: Counter, native: Counter, threshold: f64, every: Option<String> },
    /// A gauge each of whose samples is an event.
    Up { gauge: Counter },
    /// The bucket counters of a histogram, and the same as native histograms.
    Buckets { classic: Counter, native: Counter },
    /// A counter's increments by instance.
    Rate { counter: Counter, per_second: bool },
    /// An expression, averaged over instances.
    Mean { expr: String },
    /// An expression of which the worst series counts.
    Worst { expr: String, extreme: Extreme },
    /// Two means over instances: a value, and what it is divided by.
    Rated { value: Box<Asked>, per: Box<Asked> },
}

/// A counter with a cohort's matchers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Counter {
    /// The selector.
    pub(super) selector: String,
    /// Every series of the metric, whatever its labels.
    pub(super) any: String,
    /// How long before a birth the source must have looked, or it is none.
    pub(super) looked: Duration,
}

impl<'a> Plan<'a> {
    /// The plan of `check`.
    pub(super) fn of(check: &'a Check, request: &Request<'a>) -> Self {
        let cohorts = check.cohorts.as_ref().unwrap_or(&request.rules.cohorts);
        // A threshold without a baseline is judged alone; any other check is blind without one.
        let is_alone = matches!(check.kind, CheckKind::Threshold { .. });
        let ask = |cohort: &BoundMatchers| Asked::of(&check.kind, cohort, request);
        let blind = Asked::Unbound { counts: counts(&check.kind) };
        let plan = Self::for_cohorts(cohorts, request, ask, || blind.clone(), is_alone);
        Self {
            apart: apart(&check.kind, &cohorts.instance),
            every: check.probe.as_ref().map(|probe| probe.every),
            ..plan
        }
    }

    /// What a wave adds to `slo`: its indicator, of the cohorts of the rule file.
    pub(super) fn of_budget(slo: &'a Slo, request: &Request<'a>) -> Self {
        let ask = |cohort: &BoundMatchers| indicator::asked(&slo.indicator, cohort, Besides::Asked);
        let blind = || Asked::Unbound { counts: true };
        let plan = Self::for_cohorts(&request.rules.cohorts, request, ask, blind, false);
        Self { apart: [Apart::Strata(&slo.strata); 2], ..plan }
    }

    /// What `ask` gives for each of `cohorts`, and `blind` where one is not known, which
    /// `is_alone` does without.
    fn for_cohorts(
        cohorts: &'a Cohorts,
        request: &Request<'a>,
        ask: impl Fn(&BoundMatchers) -> Asked,
        blind: impl Fn() -> Asked,
        is_alone: bool,
    ) -> Self {
        let bindings = Bindings { wave: request.wave, baseline: request.baseline, params: request.params };
        let ask = |bound: &Option<BoundMatchers>| bound.as_ref().map_or_else(&blind, &ask);
        let canary = cohorts.canary.bind(&bindings);
        let baseline = cohorts.baseline.as_ref().map(|matchers| matchers.bind(&bindings));
        let same = canary.as_ref().filter(|_| baseline.as_ref() == Some(&canary)).map(ToString::to_string);
        let touches = |baseline: &&BoundMatchers| canary.as_ref().is_some_and(|canary| !canary.excludes(baseline));
        let touching = baseline.iter().flatten().find(touches).map(ToString::to_string);
        let baseline = baseline.filter(|bound| bound.is_some() || !is_alone);
        Self {
            canary: ask(&canary),
            baseline: baseline.as_ref().map(ask),
            instance: &cohorts.instance,
            apart: [Apart::Whole; 2],
            same,
            touching,
            ago: cohorts.offset.unwrap_or(Duration::ZERO),
            every: None,
        }
    }

    /// What must be known of `run`, of the canary and of the baseline, before anything
    /// that this leads to.
    pub(super) fn questions(&self, run: &[Window]) -> [Vec<Question>; 2] {
        [Some(&self.canary), self.baseline.as_ref()]
            .map(|asked| asked.map_or_else(Vec::new, |asked| asked.questions(run)))
    }
}

/// What is kept apart of the canary, and of the baseline.
fn apart<'a>(kind: &CheckKind, instance: &'a [String]) -> [Apart<'a>; 2] {
    match kind {
        CheckKind::Ratio { .. } | CheckKind::Gauge { test: GaugeTest::ByInstance, .. } => {
            [Apart::Instances(instance); 2]
        }
        CheckKind::Gauge { test: GaugeTest::Paired { .. } | GaugeTest::MannWhitney, .. }
        | CheckKind::Histogram { .. }
        | CheckKind::Quantile { .. }
        | CheckKind::Threshold { .. } => [Apart::Whole; 2],
    }
}

/// Whether evidence of this kind is counted from raw samples.
fn counts(kind: &CheckKind) -> bool {
    match kind {
        CheckKind::Ratio { .. } | CheckKind::Histogram { .. } | CheckKind::Quantile { .. } => true,
        CheckKind::Gauge { query, .. } => matches!(query, GaugeQuery::Increments { .. }),
        CheckKind::Threshold { .. } => false,
    }
}

impl Asked {
    fn of(kind: &CheckKind, cohort: &BoundMatchers, request: &Request<'_>) -> Self {
        match kind {
            CheckKind::Ratio { bad, total, .. } => {
                let (part, total) = (Counter::of(bad, cohort), Counter::of(total, cohort));
                Self::Ratio { part, is: Part::Bad, total, relaxed: Some(bad.relaxed()) }
            }
            CheckKind::Histogram { metric, .. } | CheckKind::Quantile { metric, .. } => {
                Self::Buckets { classic: Counter::buckets(metric, cohort), native: Counter::of(metric, cohort) }
            }
            CheckKind::Gauge { query, per: None, .. } => Self::gauge(query, cohort, request),
            CheckKind::Gauge { query, per: Some(per), .. } => {
                let mean = |query| Box::new(Self::gauge(query, cohort, request));
                Self::Rated { value: mean(query), per: mean(per) }
            }
            CheckKind::Threshold { query, bound, .. } => {
                let extreme = match bound {
                    Bound::Max(_) => Extreme::Largest,
                    Bound::Min(_) => Extreme::Smallest,
                };
                Self::Worst { expr: bind(query, cohort, request), extreme }
            }
        }
    }

    fn gauge(query: &GaugeQuery, cohort: &BoundMatchers, request: &Request<'_>) -> Self {
        match query {
            GaugeQuery::Increments { selector, per_second } => {
                Self::Rate { counter: Counter::of(selector, cohort), per_second: *per_second }
            }
            GaugeQuery::Expr(query) => Self::Mean { expr: bind(query, cohort, request) },
        }
    }

    /// What must be known of `run` before anything that this leads to.
    pub(super) fn questions(&self, run: &[Window]) -> Vec<Question> {
        match self {
            Self::Unbound { .. } => Vec::new(),
            Self::Ratio { part: one, total: other, .. }
            | Self::Buckets { classic: one, native: other }
            | Self::Above { classic: one, native: other, .. } => {
                [one, other].iter().filter_map(|counter| counter.question(run)).collect()
            }
            Self::Rate { counter, .. } | Self::Up { gauge: counter } => counter.question(run).into_iter().collect(),
            Self::Mean { expr } | Self::Worst { expr, .. } => at_ends(expr, run).into_iter().collect(),
            Self::Rated { value, per } => [value.questions(run), per.questions(run)].concat(),
        }
    }
}

/// Plain selectors of what a check asks, for `cohort`, of which each may be the one
/// that has series; of an expression the first.
pub(super) fn selectors(kind: &CheckKind, cohort: &BoundMatchers) -> Vec<String> {
    match kind {
        CheckKind::Ratio { total, .. } => vec![total.bind(cohort)],
        CheckKind::Histogram { metric, .. } | CheckKind::Quantile { metric, .. } => {
            vec![Counter::buckets(metric, cohort).selector, metric.bind(cohort)]
        }
        CheckKind::Gauge { query, .. } => of_gauge(query, cohort),
        CheckKind::Threshold { query, .. } => first(query, cohort),
    }
}

/// As [`selectors`], of what the value is divided by; none where it is divided by nothing.
pub(super) fn divisor(kind: &CheckKind, cohort: &BoundMatchers) -> Vec<String> {
    match kind {
        CheckKind::Gauge { per: Some(per), .. } => of_gauge(per, cohort),
        CheckKind::Gauge { per: None, .. }
        | CheckKind::Ratio { .. }
        | CheckKind::Histogram { .. }
        | CheckKind::Quantile { .. }
        | CheckKind::Threshold { .. } => Vec::new(),
    }
}

fn of_gauge(query: &GaugeQuery, cohort: &BoundMatchers) -> Vec<String> {
    match query {
        GaugeQuery::Increments { selector, .. } => vec![selector.bind(cohort)],
        GaugeQuery::Expr(query) => first(query, cohort),
    }
}

fn first(query: &PromQl, cohort: &BoundMatchers) -> Vec<String> {
    query.selectors().first().map(|selector| selector.bind(cohort)).into_iter().collect()
}

impl Counter {
    /// `selector` of `cohort`.
    pub(super) fn of(selector: &Selector, cohort: &BoundMatchers) -> Self {
        Self { selector: selector.bind(cohort), any: named(selector.metric()), looked: Duration::ZERO }
    }

    /// The buckets of the histogram `metric` of `cohort`.
    pub(super) fn buckets(metric: &Selector, cohort: &BoundMatchers) -> Self {
        let any = named(&format!("{}_bucket", metric.metric()));
        Self { selector: metric.bind_suffixed("_bucket", cohort), any, looked: Duration::ZERO }
    }

    /// This, where a source that was away for an hour does not take for new what it
    /// finds then: what it has in the last five minutes before a birth does not show that it
    /// looked, as not everything is scraped at once. A wave is too short for that to matter.
    pub(super) fn over_outages(self) -> Self {
        Self { looked: counter::STALENESS, ..self }
    }

    /// The samples of `run` and of the time before that an increment may reach over.
    pub(super) fn question(&self, run: &[Window]) -> Option<Question> {
        let (first, last) = (run.first()?, run.last()?);
        let window = counter::padded(Window { from: first.from, to: last.to });
        Some(Question::Raw { selector: self.selector.clone(), window })
    }
}

/// The values of `expr` at the end of each window of `run`.
pub(super) fn at_ends(expr: &str, run: &[Window]) -> Option<Question> {
    let (first, last) = (run.first()?, run.last()?);
    Some(Question::Grid { expr: expr.to_owned(), from: first.to, to: last.to, step: first.length() })
}

fn bind(query: &PromQl, cohort: &BoundMatchers, request: &Request<'_>) -> String {
    let range = request.interval.max(request.scrape.saturating_mul(SCRAPES_PER_RANGE));
    let lookback = request.interval.max(request.scrape.saturating_mul(SCRAPES_PER_LOOKBACK));
    query.bind(cohort, range, lookback)
}

/// The selector of metric `name` alone; a name may hold any character.
fn named(name: &str) -> String {
    let escaped = name.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    format!("{{__name__=\"{escaped}\"}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_name_cannot_leave_its_quotes() {
        assert_eq!(named("up"), r#"{__name__="up"}"#);
        assert_eq!(named("a\"} or {b=\"\\\n"), r#"{__name__="a\"} or {b=\"\\\n"}"#);
    }
}
