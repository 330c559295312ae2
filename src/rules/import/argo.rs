//! An `AnalysisTemplate` of Argo Rollouts: one value, and a condition on it.
//!
//! A condition on one value is a threshold. Which series are the canary's is said by an
//! argument: one named after the canary (or its hash) becomes `$wave`, any other a
//! parameter of the wave. A template compares with no baseline, and neither do the
//! thresholds that come of it.

use crate::rules::import::bound;
use crate::rules::import::bound::Bounds;
use crate::rules::import::draft::Draft;
use crate::rules::import::draft::DraftCheck;
use crate::rules::import::draft::Times;
use crate::rules::import::draft::quoted;
use crate::rules::import::foreign::Foreign;
use crate::rules::import::template::Quotient;
use crate::rules::import::template::Stands;
use crate::rules::import::template::Syntax;
use crate::rules::import::template::quotient;
use crate::rules::import::template::rewrite;
use crate::rules::units;
use regex::Regex;
use std::time::Duration;

pub(super) const SYNTAX: Syntax = Syntax { open: "{{", close: "}}" };

/// Most samples of a breach, as rule files have it.
pub(super) const BREACH: u32 = 60;

/// Measurements where a template says no number and runs beside the rollout.
const COUNT: u32 = 10;

/// Fewest intervals between the first PASS and the deadline.
const SPARE: u32 = 4;

/// What becomes of a number that an argument stands for.
const UNKNOWN: &str = "its value is not known here: what a template without it does stands";

/// Keys of a metric that are read, or need no equal: an outage pauses here.
const KNOWN: &[&str] = &[
    "name",
    "interval",
    "initialDelay",
    "count",
    "successCondition",
    "failureCondition",
    "failureLimit",
    "provider",
    "consecutiveErrorLimit",
];

/// The draft of every template of `trees`.
pub(super) fn draft(trees: &[Foreign<'_>]) -> Result<Draft, String> {
    let is_template = |tree: &&Foreign<'_>| {
        tree.text_at(&["kind"]).is_some_and(|kind| kind == "AnalysisTemplate" || kind == "ClusterAnalysisTemplate")
    };
    let mut draft = Draft::default();
    let mut metrics = Vec::new();
    for template in trees.iter().filter(is_template) {
        let name = template.text_at(&["metadata", "name"]).unwrap_or_default();
        if draft.name.is_empty() {
            draft.origin = format!("Imported from the Argo Rollouts template {}.", quoted(&name));
            draft.name = name;
        }
        for argument in template.items_at(&["spec", "args"]) {
            if let Some(name) = argument.text_at(&["name"]) {
                draft.params.insert(param(&name), argument.text_at(&["value"]));
            }
        }
        for other in template.items_at(&["spec", "templates"]) {
            draft.lacks(&other.path, "templates in templates are not followed: import them as well");
        }
        let dry = template.items_at(&["spec", "dryRun"]);
        let dry: Vec<String> = dry.iter().filter_map(|run| run.text_at(&["metricName"])).collect();
        for metric in template.items_at(&["spec", "metrics"]) {
            let is_dry = dry.iter().any(|name| matches(name, &metric.text_at(&["name"]).unwrap_or_default()));
            add(&mut draft, &metric, is_dry);
            metrics.push(metric);
        }
    }
    if metrics.is_empty() {
        return Err("there is no AnalysisTemplate with `spec.metrics` in it".to_owned());
    }
    draft.schedule = Some(times(&metrics));
    draft.remarks.push(
        "A threshold knows no baseline: what hits every instance alike fails the wave too. Name who was not \
         upgraded as `cohorts.baseline`, and a canary that is no worse than they are is not failed."
            .to_owned(),
    );
    Ok(draft)
}

/// Whether the whole of `name` is what `pattern` means.
fn matches(pattern: &str, name: &str) -> bool {
    Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|pattern| pattern.is_match(name))
}

/// An argument's name as a parameter's.
fn param(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn add(draft: &mut Draft, metric: &Foreign<'_>, is_dry: bool) {
    let name = metric.text_at(&["name"]).unwrap_or_default();
    let made = bounds(metric).and_then(|(bounds, remarks)| Ok((checks(metric, bounds, is_dry)?, remarks)));
    match made {
        Ok((checks, remarks)) => {
            for (mut check, remark) in checks.into_iter().zip([remarks, Vec::new()]) {
                for name in &check.params {
                    draft.params.entry(name.clone()).or_insert(None);
                }
                check.remarks.extend(remark);
                draft.checks.push(check);
            }
        }
        Err(why) => draft.lacks(&metric.path, format!("{name}: {why}")),
    }
    for (key, value) in metric.entries() {
        let is_duration = || value.text().is_some_and(|text| units::duration(&text).is_some());
        let what = match key.as_str() {
            "failureLimit" | "count" if whole(&value).is_none() => UNKNOWN,
            "failureLimit" if whole(&value).is_some_and(|limit| i64::from(BREACH) <= limit) => {
                "a breach is of at most 60 samples"
            }
            "interval" | "initialDelay" if !is_duration() => UNKNOWN,
            "inconclusiveLimit" => "a check that cannot be decided pauses, from the first time on",
            "consecutiveSuccessLimit" => "PASS comes with the evidence, after `min_duration`",
            key if KNOWN.contains(&key) => continue,
            _ => "it is not read here",
        };
        draft.lacks(&value.path, what);
    }
}

/// What a good value is, and what must be said about how that came about.
fn bounds(metric: &Foreign<'_>) -> Result<(Bounds, Vec<String>), String> {
    let text = |key: &str| metric.text_at(&[key]).filter(|text| !text.trim().is_empty());
    let unread = |condition: &str| format!("its condition {} is no bound on one value", quoted(condition));
    let success = text("successCondition");
    let failure = text("failureCondition");
    let mut remarks = Vec::new();
    let bounds = match (&success, &failure) {
        (None, None) => return Err("it has no condition, so it can never fail".to_owned()),
        (Some(success), None) => bound::of_success(success).ok_or_else(|| unread(success))?,
        (success, Some(failure)) => {
            let bounds = bound::of_failure(failure).ok_or_else(|| unread(failure))?;
            if let Some(success) = success {
                remarks.push(format!(
                    "Between {} and {} the template was inconclusive; here there is one bound, that of the failure.",
                    quoted(success),
                    quoted(failure)
                ));
            }
            bounds
        }
    };
    if bounds.strict {
        remarks.push("A value equal to the bound is within it here.".to_owned());
    }
    if bounds.empty_is_good {
        remarks.push("An empty result was a success there; here what was not seen never passes.".to_owned());
    }
    Ok((bounds, remarks))
}

/// One threshold for each bound.
fn checks(metric: &Foreign<'_>, bounds: Bounds, is_dry: bool) -> Result<Vec<DraftCheck>, String> {
    let provider = metric.at(&["provider", "prometheus"]).ok_or_else(|| {
        let kinds = metric.at(&["provider"]).map(|provider| provider.entries()).unwrap_or_default();
        let kinds: Vec<String> = kinds.into_iter().map(|(kind, _)| kind).collect();
        format!("it asks {}, and here a source is a Prometheus", quoted(&kinds.join(", ")))
    })?;
    let query = provider.text_at(&["query"]).ok_or("it has no query")?;
    let made = rewrite(&query, SYNTAX, &stands)?;
    let count = failed(metric).min(BREACH);
    // One that fails at once needs no others beside it.
    let few = if count == 1 { 1 } else { COUNT };
    let samples = metric.get("count").and_then(|count| count.count()).unwrap_or(few).clamp(count, BREACH);
    let never_fails = metric.get("failureLimit").and_then(|limit| whole(&limit)).is_some_and(|limit| limit < 0);
    let name = metric.text_at(&["name"]).unwrap_or_default();
    let both = bounds.min.is_some() && bounds.max.is_some();
    let sides = [("min", bounds.min), ("max", bounds.max)];
    let check = |(side, bound): (&'static str, f64)| {
        let mut keys = vec![
            ("threshold", quoted(&made.query)),
            (side, bound.to_string()),
            ("breach", format!("{count} of {samples}")),
        ];
        if is_dry || never_fails {
            keys.push(("on_fail", "report".to_owned()));
        }
        DraftCheck {
            place: metric.path.clone(),
            name: if both { format!("{name}-{side}") } else { name.clone() },
            keys,
            cohorts: made.cohorts.clone(),
            remarks: advice(&made.query).into_iter().chain(uneven(made.uneven)).collect(),
            params: made.params.clone(),
        }
    };
    Ok(sides.into_iter().filter_map(|(side, bound)| Some((side, bound?))).map(check).collect())
}

/// How many failed measurements fail a metric.
fn failed(metric: &Foreign<'_>) -> u32 {
    metric.get("failureLimit").and_then(|limit| limit.count()).unwrap_or(0).saturating_add(1)
}

/// A whole number; a limit of -1 is none.
fn whole(value: &Foreign<'_>) -> Option<i64> {
    value.text()?.trim().parse().ok()
}

/// A check that compares counts, where a query divides rates.
pub(super) fn advice(query: &str) -> Vec<String> {
    let Some(Quotient { bad, total, .. }) = quotient(query) else { return Vec::new() };
    vec![
        "A fixed bound misses what stays under it. Against a baseline, this check finds it:".to_owned(),
        format!("  ratio: {{ bad: {}, total: {} }}", quoted(&bad), quoted(&total)),
    ]
}

/// That selectors named other instances.
pub(super) fn uneven(uneven: bool) -> Option<String> {
    let remark = "Not every selector named the same instances; now the cohort's matchers go into each.";
    uneven.then(|| remark.to_owned())
}

fn stands(name: &str) -> Option<Stands> {
    let argument = name.strip_prefix("args.")?;
    let lower = argument.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    Some(if says(&["canary", "latest", "preview", "hash", "wave"]) && !says(&["stable", "baseline", "active"]) {
        Stands::Cohort { canary: "$wave".to_owned(), baseline: "$wave".to_owned() }
    } else {
        Stands::Param(param(argument))
    })
}

/// The shortest interval, the longest delay, and time for as many looks as were counted.
fn times(metrics: &[Foreign<'_>]) -> Times {
    let of =
        |key: &str| metrics.iter().filter_map(|metric| units::duration(&metric.text_at(&[key])?)).collect::<Vec<_>>();
    let shortest = of("interval").into_iter().filter(|interval| Duration::from_secs(1) <= *interval).min();
    let interval = shortest.unwrap_or(Duration::from_mins(1));
    let warmup = of("initialDelay").into_iter().max().unwrap_or(Duration::ZERO);
    let count = metrics.iter().filter_map(|metric| metric.get("count")?.count()).max().unwrap_or(COUNT);
    // A check passes when it has seen all the samples of a breach.
    let count = metrics.iter().map(|metric| failed(metric).min(BREACH)).fold(count, u32::max);
    looks(interval, warmup, count)
}

/// Room for `count` looks after the warm-up, and as much again to decide in.
pub(super) fn looks(interval: Duration, warmup: Duration, count: u32) -> Times {
    let min_duration = warmup + interval.saturating_mul(count.clamp(1, 5000));
    Times { interval, warmup, min_duration, deadline: min_duration.saturating_mul(2) + interval * SPARE }
}
