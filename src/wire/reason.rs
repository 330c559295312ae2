//! Reasons and notices as JSON: stable code, sentence, exact numbers.

use crate::judge::BudgetOutcome;
use crate::judge::Cause;
use crate::judge::Cohort;
use crate::judge::Effect;
use crate::judge::Reason;
use crate::judge::Unit;
use crate::judge::Warning;
use crate::rules::Scope;
use crate::series::Notice;
use crate::wave::Gate;
use crate::wave::GateState;
use crate::wire::budget;
use crate::wire::document;
use crate::wire::json::Named;
use crate::wire::json::Value;
use crate::wire::prose;
use crate::wire::standing::Standing;
use crate::wire::summary;
use serde::Serialize;

/// One reason of a gate.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Shape {
    pub(crate) code: &'static str,
    pub(crate) check: Option<String>,
    pub(crate) message: String,
    pub(crate) detail: Named,
}

/// One reason of a check.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CheckReason {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) detail: Named,
}

/// Every reason of `gate`, the gravest first and never none: that it observes, a person's
/// word, a source that is silent, what the last look says and what is not attested.
pub(crate) fn of_gate(gate: &Gate) -> Vec<Shape> {
    if gate.would.is_some() {
        let would = gate.as_enforced();
        return std::iter::once(observing(&would)).chain(of_gate(&would)).collect();
    }
    let mut reasons = Vec::new();
    reasons.extend(persons_word(gate));
    if let Some(outage) = gate.outage.as_ref().filter(|_| !gate.state.is_final()) {
        let message = prose::quote(&outage.message);
        let detail = vec![("since", outage.since.into()), ("message", Value::Text(message.clone()))];
        let said = format!("the source has not answered since {}: {message}", outage.since);
        reasons.push(own("source_unavailable", said, detail));
    }
    let missing = not_attested(gate);
    // Where the checks would let it pass it is this that does not.
    let all_passed = |reason: &Reason| matches!(reason.cause, Cause::AllChecksPassed { .. });
    let passes = gate.judgement.as_ref().is_some_and(|judgement| judgement.reasons.iter().any(all_passed));
    reasons.extend(missing.clone().filter(|_| passes));
    if let Some(judgement) = &gate.judgement {
        reasons.extend(judgement.reasons.iter().map(|reason| Shape {
            code: reason.cause.code(),
            check: reason.check.clone(),
            message: budget::cause(&reason.cause, judgement.budget.as_ref()),
            detail: Named(cause_detail(&reason.cause)),
        }));
    }
    if reasons.is_empty() {
        reasons.push(nothing_yet(gate));
    }
    reasons.extend(missing.filter(|_| !passes));
    reasons
}

pub(crate) fn of_check(cause: &Cause) -> CheckReason {
    CheckReason { code: cause.code(), message: prose::cause(cause), detail: Named(cause_detail(cause)) }
}

/// One reason of a gate's error budget.
pub(crate) fn of_budget(cause: &Cause, of: &BudgetOutcome) -> CheckReason {
    CheckReason { message: budget::cause(cause, Some(of)), ..of_check(cause) }
}

pub(crate) fn of_notice(notice: &Notice) -> CheckReason {
    let (code, detail) = match notice {
        Notice::StartsAtFirstSample { series } => ("starts_at_first_sample", vec![("series", (*series).into())]),
        Notice::GapNotBridged { series } => ("gap_not_bridged", vec![("series", (*series).into())]),
        Notice::BoundsDiffer => ("bounds_differ", Vec::new()),
        Notice::NativeAndClassic => ("native_and_classic", Vec::new()),
        Notice::BadAboveTotal => ("bad_above_total", Vec::new()),
        Notice::NoInstanceLabel => ("no_instance_label", Vec::new()),
        Notice::TooManyInstances { instances } => ("too_many_instances", vec![("instances", (*instances).into())]),
        Notice::InstanceNameTooLong { bytes } => ("instance_name_too_long", vec![("bytes", (*bytes).into())]),
        Notice::BaselineIsHistory { ago_ms } => {
            ("baseline_is_history", vec![("offset", Value::Text(prose::offset(*ago_ms)))])
        }
        Notice::Remark { message } => ("remark", vec![("message", Value::Text(prose::quote(message)))]),
    };
    CheckReason { code, message: prose::notice(notice), detail: Named(detail) }
}

pub(crate) fn of_warning(warning: &Warning) -> CheckReason {
    let count = |count: usize| Value::from(u32::try_from(count).unwrap_or(u32::MAX));
    let (code, detail) = match warning {
        Warning::AutocorrelationHigh { autocorrelation } => {
            ("autocorrelation_high", vec![("autocorrelation", (*autocorrelation).into())])
        }
        Warning::JudgedAsCohorts { canary, baseline, need } => (
            "judged_as_cohorts",
            vec![
                ("canary", count(*canary)),
                ("baseline", count(*baseline)),
                ("canary_needed", count(need[0])),
                ("baseline_needed", count(need[1])),
            ],
        ),
        Warning::ValuesDropped { intervals } => ("values_dropped", vec![("intervals", (*intervals).into())]),
        Warning::JudgedAlone { floor } => ("judged_alone", vec![("floor", (*floor).into())]),
        Warning::TrafficDiffers { ratio } => ("traffic_differs", vec![("ratio", (*ratio).into())]),
    };
    CheckReason { code, message: prose::warning(warning), detail: Named(detail) }
}

pub(crate) fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::RateRatio => "rate_ratio",
        Unit::Probability => "probability",
        Unit::TailRatio => "tail_ratio",
        Unit::Share => "share",
        Unit::RelativeChange => "relative_change",
        Unit::AbsoluteChange => "absolute_change",
    }
}

fn own(code: &'static str, message: String, detail: Vec<(&'static str, Value)>) -> Shape {
    Shape { code, check: None, message, detail: Named(detail) }
}

/// Of a gate that observes: what it would say, as `would`.
fn observing(would: &Gate) -> Shape {
    let standing = Standing::of_gate(would);
    let (verdict, state) = (document::verdict(standing.verdict), document::state(standing.state));
    let message = format!("observing: it would say {} ({})", verdict.to_uppercase(), summary::of_gate(would));
    own("observing", message, vec![("verdict", verdict.into()), ("state", state.into())])
}

/// What keeps a gate from passing that no look can see.
fn not_attested(gate: &Gate) -> Option<Shape> {
    let names: Vec<String> = gate.missing().map(prose::quote).collect();
    let needed = !names.is_empty() && !gate.state.is_final();
    let message = prose::clip(&format!("a pass needs the attestation of {}", names.join(", ")), 1024);
    needed.then(|| own("attestation_missing", message, vec![("names", Value::Texts(names))]))
}

fn persons_word(gate: &Gate) -> Option<Shape> {
    let decision = gate.decision.as_ref()?;
    let (code, what) = match decision.verdict {
        Some(_) => ("decided_by_person", "decided"),
        None => ("cancelled", "cancelled"),
    };
    let (by, why) = (prose::quote(&decision.by), prose::clip(&decision.why, 1024));
    let message = format!("{what} by {by}: {why}");
    Some(own(code, message, vec![("by", Value::Text(by)), ("why", Value::Text(why)), ("at", decision.at.into())]))
}

/// Before the first look there is no judgement to take a reason from.
fn nothing_yet(gate: &Gate) -> Shape {
    match (gate.state, &gate.timing) {
        (GateState::Scheduled, _) => {
            own("scheduled", format!("the wave starts at {}", gate.start), vec![("start", gate.start.into())])
        }
        (GateState::Cancelled, _) => own("cancelled", String::from("the gate was called off"), Vec::new()),
        (GateState::WarmingUp, Some(timing)) => {
            let cause = Cause::WarmingUp { until: timing.warm };
            own(cause.code(), prose::cause(&cause), cause_detail(&cause))
        }
        (_, Some(_)) => own("no_look_yet", String::from("nothing has been looked at yet"), Vec::new()),
        (_, None) => {
            own("no_look_yet", String::from("nothing has been looked at yet: waiting for the source"), Vec::new())
        }
    }
}

fn cohort(cohort: Cohort) -> Value {
    Value::from(match cohort {
        Cohort::Canary => "canary",
        Cohort::Baseline => "baseline",
    })
}

fn effect(effect: &Effect) -> Vec<(&'static str, Value)> {
    vec![
        ("estimate", effect.estimate.into()),
        ("low", effect.low.into()),
        ("high", effect.high.into()),
        ("unit", unit(effect.unit).into()),
    ]
}

/// What a wave burns against its baseline; `ratio` is `null` where the baseline has no bad event.
fn compared(slo: &str, scope: Scope, ratio: Option<f64>, low: f64, limit: f64) -> Vec<(&'static str, Value)> {
    let scope = match scope {
        Scope::Canary => "canary",
        Scope::Service => "service",
    };
    vec![
        ("slo", named(slo)),
        ("scope", scope.into()),
        ("ratio", ratio.unwrap_or(f64::INFINITY).into()),
        ("low", low.into()),
        ("limit", limit.into()),
    ]
}

fn named(slo: &str) -> Value {
    Value::Text(prose::quote(slo))
}

fn cause_detail(cause: &Cause) -> Vec<(&'static str, Value)> {
    match cause {
        Cause::WaveBurn { slo, scope, ratio, low, limit, burn } => {
            let mut detail = compared(slo, *scope, *ratio, *low, *limit);
            detail.push(("burn", (*burn).into()));
            detail
        }
        Cause::WaveBurnUnconfirmed { slo, scope, ratio, low, limit } => compared(slo, *scope, *ratio, *low, *limit),
        Cause::BudgetTooFewEvents { slo, cohort: whose, have, need } => {
            vec![("slo", named(slo)), ("cohort", cohort(*whose)), ("have", (*have).into()), ("need", (*need).into())]
        }
        Cause::SloPage { slo, tiers } => {
            vec![("slo", named(slo)), ("tiers", Value::Texts(tiers.iter().map(|tier| prose::quote(tier)).collect()))]
        }
        Cause::BudgetReserve { slo, remaining, reserve } => {
            vec![("slo", named(slo)), ("remaining", (*remaining).into()), ("reserve", (*reserve).into())]
        }
        Cause::BudgetExhausted { slo, remaining } => vec![("slo", named(slo)), ("remaining", (*remaining).into())],
        Cause::BudgetSpentByWaves { slo, spent, own, limit } => {
            vec![("slo", named(slo)), ("spent", (*spent).into()), ("own", (*own).into()), ("limit", (*limit).into())]
        }
        Cause::ProjectedBurn { slo, burn, low, limit } | Cause::ProjectedBurnUnconfirmed { slo, burn, low, limit } => {
            vec![("slo", named(slo)), ("burn", (*burn).into()), ("low", (*low).into()), ("limit", (*limit).into())]
        }
        Cause::BudgetUnknown { slo } => vec![("slo", named(slo))],
        Cause::ShiftAboveTolerance { effect: found, tolerance, at } => {
            let mut detail = effect(found);
            detail.extend([("tolerance", (*tolerance).into()), ("at", (*at).into())]);
            detail
        }
        Cause::TailAboveTolerance { effect: found, above, tolerance, at } => {
            let mut detail = effect(found);
            detail.extend([("above", (*above).into()), ("tolerance", (*tolerance).into()), ("at", (*at).into())]);
            detail
        }
        Cause::InstanceAboveTolerance { instance, bad, total, ratio, tolerance, at } => vec![
            ("instance", Value::Text(prose::quote(instance))),
            ("bad", (*bad).into()),
            ("total", (*total).into()),
            ("ratio", (*ratio).into()),
            ("tolerance", (*tolerance).into()),
            ("at", (*at).into()),
        ],
        Cause::RecentShift { points } => vec![("points", (*points).into())],
        Cause::WiderScatter { canary, baseline, unit: of } => {
            vec![("canary", (*canary).into()), ("baseline", (*baseline).into()), ("unit", unit(*of).into())]
        }
        Cause::ThresholdBreached { value, bound, series, at } => vec![
            ("value", (*value).into()),
            ("bound", (*bound).into()),
            ("series", Value::Text(prose::clip(&series.to_string(), 1024))),
            ("at", (*at).into()),
        ],
        Cause::Environment { canary, baseline, bound } => {
            vec![("canary", (*canary).into()), ("baseline", (*baseline).into()), ("bound", (*bound).into())]
        }
        Cause::BreachToConfirm { value, bound } => vec![("value", (*value).into()), ("bound", (*bound).into())],
        Cause::NeedsMoreEvidence { effect: now, pass_within } => {
            let mut detail = now.as_ref().map_or(Vec::new(), effect);
            detail.push(("pass_within", (*pass_within).into()));
            detail
        }
        Cause::SamplesBeyondBound { beyond, samples, bound } => {
            vec![("beyond", (*beyond).into()), ("samples", (*samples).into()), ("bound", (*bound).into())]
        }
        Cause::NoScale { canary } => vec![("canary", (*canary).into())],
        Cause::PartialAnswer { message } => vec![("message", Value::Text(prose::quote(message)))],
        Cause::BeyondBuckets { share } => vec![("share", (*share).into())],
        Cause::TooFewSamples { have, need } => vec![("have", (*have).into()), ("need", (*need).into())],
        Cause::WindowClosed { by, until } => {
            let mut detail = vec![("by", Value::Text(prose::quote(by)))];
            detail.extend(until.map(|until| ("until", until.into())));
            detail
        }
        Cause::MinDuration { until } | Cause::WarmingUp { until } | Cause::PlannedDowntime { until } => {
            vec![("until", (*until).into())]
        }
        Cause::NoTelemetry { cohort: whose } | Cause::NoTraffic { cohort: whose } => vec![("cohort", cohort(*whose))],
        Cause::LowCoverage { cohort: whose, coverage, need, recent, nan } => vec![
            ("cohort", cohort(*whose)),
            ("coverage", (*coverage).into()),
            ("need", (*need).into()),
            ("recent", (*recent).into()),
            ("nan", (*nan).into()),
        ],
        Cause::NonFinite { cohort: whose, count } => vec![("cohort", cohort(*whose)), ("count", (*count).into())],
        Cause::CohortsOverlap { series } => vec![("series", Value::Text(prose::clip(series, 1024)))],
        Cause::BadNeverSeen { selector } => vec![("selector", Value::Text(prose::clip(selector, 1024)))],
        Cause::ThresholdNotABucket { threshold, bounds } => vec![
            ("threshold", Value::Text(prose::clip(threshold, 1024))),
            ("bounds", Value::Text(prose::clip(bounds, 1024))),
        ],
        Cause::AllChecksPassed { checks } => vec![("checks", (*checks).into())],
        Cause::DeadlineReached { deadline } => vec![("deadline", (*deadline).into())],
    }
}
