//! What is recorded of an SLO, and when somebody is told.
//!
//! Counts are recorded first and ratios made of them, so that a ratio over days is of all
//! events in them and not a mean of ratios. Windows over a day are added up from recorded
//! windows of 5 minutes: an increase over a month of raw samples would cost its length at
//! every evaluation.

use crate::rules::Period;
use crate::rules::Slo;
use crate::rules::Tier;
use crate::rules::TierSeverity;
use crate::rules::duration_text;
use crate::rules::export::counts::Counts;
use crate::rules::export::counts::counts;
use crate::rules::export::text::factor_text;
use crate::rules::export::text::lasting;
use crate::rules::export::text::number;
use crate::rules::export::text::untemplated;
use crate::series::Fraction;
use std::collections::BTreeSet;
use std::time::Duration;

/// What long windows are added up from.
const BASE: Duration = Duration::from_mins(5);

/// The longest window that is counted from raw samples.
const DIRECT_MAX: Duration = Duration::from_hours(24);

/// How often: less than the five minutes after which Prometheus forgets a value.
const INTERVAL: &str = "1m";
const LONG_INTERVAL: &str = "2m";

/// Time without events before that is told: a restart takes less.
const ABSENT: &str = "10m";

/// Rules that are evaluated one after the other.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) interval: &'static str,
    pub(super) rules: Vec<Rule>,
}

/// A recording rule or an alert.
pub(super) struct Rule {
    pub(super) is_alert: bool,
    pub(super) name: String,
    pub(super) expr: String,
    pub(super) lasting: Option<&'static str>,
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) annotations: Vec<(&'static str, String)>,
}

/// The groups of `slo`.
pub(super) fn groups(slo: &Slo) -> [Group; 2] {
    let name = slo.name.as_str();
    let mut windows: BTreeSet<Duration> = slo.tiers.iter().flat_map(|tier| [tier.long, tier.short]).collect();
    windows.insert(BASE);
    windows.extend(slo.absolute.map(|absolute| absolute.within));
    if let Period::Rolling(period) = slo.period {
        windows.insert(period);
    }
    let (direct, long): (Vec<Duration>, Vec<Duration>) = windows.into_iter().partition(|window| *window <= DIRECT_MAX);
    let mut rules = about(slo);
    rules.extend(direct.into_iter().flat_map(|window| recorded(slo, window)));
    rules.extend(slo.tiers.iter().filter_map(|tier| burning(slo, tier)));
    rules.extend(too_many(slo));
    rules.push(absent(slo));
    let mut slow: Vec<Rule> = long.into_iter().flat_map(|window| recorded(slo, window)).collect();
    if let Period::Rolling(period) = slo.period {
        slow.push(remaining(slo, period));
    }
    [
        Group { name: format!("wavegate-slo-{name}"), interval: INTERVAL, rules },
        Group { name: format!("wavegate-slo-{name}-long"), interval: LONG_INTERVAL, rules: slow },
    ]
}

fn record(slo: &Slo, name: String, expr: String) -> Rule {
    Rule { is_alert: false, name, expr, lasting: None, labels: labels(slo), annotations: Vec::new() }
}

fn labels(slo: &Slo) -> Vec<(&'static str, String)> {
    vec![("slo", slo.name.as_str().to_owned()), ("service", slo.service.clone())]
}

/// The series `name` of `slo`.
fn of(slo: &Slo, name: &str) -> String {
    // A name is letters, digits, points and dashes: nothing to escape.
    format!("{name}{{slo=\"{}\"}}", slo.name)
}

fn events(window: Duration) -> String {
    format!("wavegate:slo_events:increase{}", duration_text(window))
}

fn bad_events(window: Duration) -> String {
    format!("wavegate:slo_bad_events:increase{}", duration_text(window))
}

fn error_ratio(window: Duration) -> String {
    format!("wavegate:slo_errors:ratio{}", duration_text(window))
}

/// What is promised.
fn about(slo: &Slo) -> Vec<Rule> {
    let nominal = slo.period.nominal();
    let period = match &slo.period {
        Period::Rolling(period) => duration_text(*period),
        Period::Calendar { .. } => format!("calendar, about {}", duration_text(nominal)),
    };
    let percent = slo.objective.times(Fraction::new(100, 1).unwrap_or(Fraction::ONE)).unwrap_or(slo.objective);
    let mut info = record(slo, "wavegate:slo_info".to_owned(), "vector(1)".to_owned());
    info.labels.extend([("objective", format!("{}%", factor_text(percent))), ("period", period)]);
    vec![
        record(slo, "wavegate:slo_objective:ratio".to_owned(), format!("vector({})", number(slo.objective))),
        record(slo, "wavegate:slo_period:seconds".to_owned(), format!("vector({})", nominal.as_secs())),
        info,
    ]
}

/// The counts of a window and what is made of them.
fn recorded(slo: &Slo, window: Duration) -> Vec<Rule> {
    let (span, base) = (duration_text(window), duration_text(BASE));
    let Counts { bad, total } = if window <= DIRECT_MAX {
        counts(&slo.indicator, &span)
    } else {
        let added = |name: String| format!("sum_over_time({}[{span}:{base}])", of(slo, &name));
        Counts { bad: added(bad_events(BASE)), total: added(events(BASE)) }
    };
    let ratio = format!("{} / ({} > 0)", of(slo, &bad_events(window)), of(slo, &events(window)));
    let burn = format!("{} / {}", of(slo, &error_ratio(window)), number(slo.budget()));
    vec![
        record(slo, events(window), total),
        record(slo, bad_events(window), bad),
        record(slo, error_ratio(window), ratio),
        record(slo, format!("wavegate:slo_burn_rate:ratio{span}"), burn),
    ]
}

/// What is left of the budget: below 0 where more was spent.
fn remaining(slo: &Slo, period: Duration) -> Rule {
    let expr = format!("1 - {} / {}", of(slo, &error_ratio(period)), number(slo.budget()));
    record(slo, "wavegate:slo_error_budget_remaining:ratio".to_owned(), expr)
}

fn alert(slo: &Slo, name: &str, severity: TierSeverity, expr: String) -> Rule {
    let severity = if severity == TierSeverity::Page { "page" } else { "ticket" };
    let mut labels = labels(slo);
    labels.push(("severity", severity.to_owned()));
    let mut annotations = Vec::new();
    if let Some(description) = &slo.description {
        annotations.push(("promise", untemplated(description)));
    }
    Rule { is_alert: true, name: name.to_owned(), expr, lasting: None, labels, annotations }
}

/// A tier, strictly above its factor in both windows; `None` where it can never fire.
fn burning(slo: &Slo, tier: &Tier) -> Option<Rule> {
    let threshold = tier.factor.times(slo.budget()).filter(|threshold| *threshold < Fraction::ONE)?;
    let (name, threshold) = (slo.name.as_str(), number(threshold));
    let (long, short) = (of(slo, &error_ratio(tier.long)), of(slo, &error_ratio(tier.short)));
    let enough = of(slo, &bad_events(tier.long));
    let expr = format!("{long} > {threshold} and {short} > {threshold} and {enough} >= {}", slo.min_bad);
    let mut rule = alert(slo, "SloErrorBudgetBurn", tier.severity, expr);
    let (long, short) = (duration_text(tier.long), duration_text(tier.short));
    let (factor, period) = (factor_text(tier.factor), slo.period.nominal());
    let (lasts, period) = (lasting(period, tier.factor), duration_text(period));
    rule.labels.extend([("tier", tier.name.clone()), ("long", long.clone()), ("short", short.clone())]);
    rule.annotations.extend([
        ("summary", format!("{name}: the error budget burns at more than {factor}x, over {long} and {short}")),
        (
            "description",
            format!(
                "At {factor}x the whole error budget of {period} lasts {lasts}. Over {long}, \
                 {{{{ $value | humanizePercentage }}}} of the events were bad."
            ),
        ),
    ]);
    Some(rule)
}

/// So many bad events, whatever the traffic.
fn too_many(slo: &Slo) -> Option<Rule> {
    let absolute = slo.absolute?;
    let expr = format!("{} >= {}", of(slo, &bad_events(absolute.within)), absolute.bad);
    let mut rule = alert(slo, "SloBadEvents", absolute.severity, expr);
    let (name, within) = (slo.name.as_str(), duration_text(absolute.within));
    rule.annotations.push(("summary", format!("{name} had {} bad events or more within {within}", absolute.bad)));
    Some(rule)
}

/// Nothing is counted: no burn would be seen.
fn absent(slo: &Slo) -> Rule {
    let pages = slo.tiers.iter().any(|tier| tier.severity == TierSeverity::Page);
    let severity = if pages { TierSeverity::Page } else { TierSeverity::Ticket };
    let mut rule = alert(slo, "SloNoData", severity, format!("absent({})", of(slo, &bad_events(BASE))));
    rule.lasting = Some(ABSENT);
    let name = slo.name.as_str();
    rule.annotations.extend([
        ("summary", format!("nothing is counted of {name}")),
        ("description", "Its metrics are gone, or the rules that count them fail: no burn would be seen.".to_owned()),
    ]);
    rule
}
