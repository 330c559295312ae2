//! What other rules might ask of the same metrics: asked so that a recording has it.
//!
//! Expressions are asked at the ends of windows, so a recording of a look has none of
//! the samples in between, and nothing from before the wave. Here every selector of
//! every check is asked for its raw samples, from an hour before the wave on, as far
//! as a birth is looked for.

use crate::rules::CheckKind;
use crate::rules::query::Bindings;
use crate::rules::query::BoundMatchers;
use crate::rules::query::GaugeQuery;
use crate::rules::query::PromQl;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::counter;
use crate::sources::Error;
use crate::sources::Source;
use crate::sources::gather::Request;
use crate::sources::gather::SPAN_PER_QUESTION;
use crate::sources::gather::indicator;
use std::collections::BTreeSet;
use std::time::Duration;

/// As far back as somebody looks for whether a counter was there.
const BEFORE: Duration = Duration::from_hours(1);

/// Asks `source` for the raw samples up to `until` of everything that the checks of
/// `request` read, and forgets the answers: whoever stands before the source keeps them.
/// Gives back what could not be asked, with why.
pub async fn widen(source: &dyn Source, request: &Request<'_>, until: Timestamp) -> Vec<(String, Error)> {
    let mut refused = Vec::new();
    for selector in selectors(request) {
        let mut from = request.began - BEFORE - counter::STALENESS;
        while from < until {
            let to = until.min(from + SPAN_PER_QUESTION);
            if let Err(error) = source.raw(&selector, Window { from, to }).await {
                // What is too much for one question is so for the next.
                refused.push((selector, error));
                break;
            }
            from = to;
        }
    }
    refused
}

/// Every selector of every check, and of the error budget, for both cohorts.
fn selectors(request: &Request<'_>) -> BTreeSet<String> {
    let bindings = Bindings { wave: request.wave, baseline: request.baseline, params: request.params };
    let mut all = BTreeSet::new();
    for check in request.rules.checks.iter().filter(|check| check.probe.is_none()) {
        let cohorts = check.cohorts.as_ref().unwrap_or(&request.rules.cohorts);
        let both = [Some(&cohorts.canary), cohorts.baseline.as_ref()].into_iter().flatten();
        for cohort in both.filter_map(|matchers| matchers.bind(&bindings)) {
            all.extend(of_kind(&check.kind, &cohort));
        }
    }
    if let Some(budget) = &request.rules.budget {
        let cohorts = &request.rules.cohorts;
        let both = [Some(&cohorts.canary), cohorts.baseline.as_ref()].into_iter().flatten();
        for cohort in both.filter_map(|matchers| matchers.bind(&bindings)) {
            all.extend(indicator::selectors(&budget.slo.indicator, &cohort));
        }
    }
    all
}

fn of_kind(kind: &CheckKind, cohort: &BoundMatchers) -> Vec<String> {
    match kind {
        CheckKind::Ratio { bad, total, .. } => vec![bad.bind(cohort), total.bind(cohort)],
        CheckKind::Histogram { metric, .. } | CheckKind::Quantile { metric, .. } => {
            vec![metric.bind_suffixed("_bucket", cohort), metric.bind(cohort)]
        }
        CheckKind::Gauge { query, per, .. } => {
            [Some(query), per.as_ref()].into_iter().flatten().flat_map(|query| of_gauge(query, cohort)).collect()
        }
        CheckKind::Threshold { query, .. } => of_query(query, cohort),
    }
}

fn of_gauge(query: &GaugeQuery, cohort: &BoundMatchers) -> Vec<String> {
    match query {
        GaugeQuery::Increments { selector, .. } => vec![selector.bind(cohort)],
        GaugeQuery::Expr(query) => of_query(query, cohort),
    }
}

fn of_query(query: &PromQl, cohort: &BoundMatchers) -> Vec<String> {
    query.selectors().iter().map(|selector| selector.bind(cohort)).collect()
}
