//! Verdict documents: one gate, or a wave with its gates.

use crate::judge::CheckOutcome;
use crate::judge::Expected;
use crate::judge::Outcome;
use crate::judge::Sizes;
use crate::judge::ThresholdReading;
use crate::rules::OnFail;
use crate::series::Labels;
use crate::series::Timestamp;
use crate::wave::Decision;
use crate::wave::Gate;
use crate::wave::GateState;
use crate::wave::Requirement;
use crate::wave::Verdict;
use crate::wave::Wave;
use crate::wire::budget;
use crate::wire::json;
use crate::wire::json::Instant;
use crate::wire::json::Named;
use crate::wire::json::Number;
use crate::wire::json::Value;
use crate::wire::prose;
use crate::wire::reason;
use crate::wire::standing::Standing;
use crate::wire::summary;
use serde::Deserialize;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The verdict document of one gate.
pub fn gate_document(wave: &Wave, gate: &Gate) -> String {
    json::text(&GateShape::of(wave, gate))
}

/// The verdict document of a wave, with `documents`, the published documents of its
/// gates in the order of `wave.gates`, in it.
///
/// It is made of documents rather than of judgements, because a wave that comes back
/// from the store has only those, and must read the same as before.
///
/// `revision` is the sum of the gates' revisions: it changes whenever one does.
/// `evaluated_at` is the last look of any gate, `next_evaluation_at` the first to
/// come, `start` the earliest and `deadline` the latest.
pub fn wave_document(wave: &Wave, documents: &[&str]) -> String {
    json::text(&WaveShape::of(wave, documents))
}

/// The words a caller acts on, in both documents and in events.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct StandingShape {
    verdict: &'static str,
    state: &'static str,
    healthy: bool,
    settled: bool,
    r#final: bool,
}

impl From<Standing> for StandingShape {
    fn from(standing: Standing) -> Self {
        Self {
            verdict: verdict(standing.verdict),
            state: state(standing.state),
            healthy: standing.healthy,
            settled: standing.settled(),
            r#final: standing.is_final(),
        }
    }
}

/// What the numbers rest on.
#[derive(Serialize)]
struct Assumption {
    assumes: &'static str,
    caveat: &'static str,
}

const ASSUMPTION: Assumption = Assumption { assumes: "autocorrelation_below_0.7", caveat: prose::BRIEF_MEMORY };

#[derive(Serialize)]
struct WaveShape<'a> {
    wave_id: &'a str,
    rollout: Option<&'a str>,
    #[serde(flatten)]
    standing: StandingShape,
    revision: u32,
    summary: String,
    reasons: Vec<ReasonRead<'a>>,
    #[serde(flatten)]
    assumption: Assumption,
    evaluated_at: Option<Instant>,
    next_evaluation_at: Option<Instant>,
    start: Option<Instant>,
    deadline: Option<Instant>,
    gates: Vec<&'a RawValue>,
}

/// What a wave says of a gate, read from the gate's document.
#[derive(Deserialize)]
struct GateRead<'a> {
    #[serde(borrow)]
    summary: Cow<'a, str>,
    #[serde(borrow)]
    reasons: Vec<ReasonRead<'a>>,
    #[serde(borrow)]
    evaluated_at: Option<Cow<'a, str>>,
    #[serde(borrow)]
    next_evaluation_at: Option<Cow<'a, str>>,
}

/// One reason of a wave: that of a gate, and which gate's it is.
#[derive(Clone, Deserialize, Serialize)]
struct ReasonRead<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
    #[serde(skip_deserializing)]
    rules: &'a str,
    #[serde(borrow)]
    check: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow)]
    detail: &'a RawValue,
}

impl<'a> WaveShape<'a> {
    fn of(wave: &'a Wave, documents: &[&'a str]) -> Self {
        let standing = Standing::of_wave(wave);
        // A document is ours and reads back; one that does not would say nothing.
        let read =
            |(gate, document): (&'a Gate, &&'a str)| Some((gate, serde_json::from_str::<GateRead<'a>>(document).ok()?));
        let mut gates: Vec<(&Gate, GateRead<'_>)> = wave.gates.iter().zip(documents).filter_map(read).collect();
        gates.sort_by_cached_key(|(gate, _)| Standing::of_gate(gate).gravest_first());
        let reasons = gates.iter().flat_map(|(gate, read)| {
            let rules = gate.rules.as_str();
            read.reasons.iter().cloned().map(move |reason| ReasonRead { rules, ..reason })
        });
        let looked = |(_, read): &(&Gate, GateRead<'_>)| Timestamp::parse(read.evaluated_at.as_ref()?);
        let looks = |(_, read): &(&Gate, GateRead<'_>)| Timestamp::parse(read.next_evaluation_at.as_ref()?);
        let gravest = gates.first().map(|(gate, read)| (*gate, &*read.summary));
        Self {
            wave_id: wave.id.as_str(),
            rollout: wave.rollout.as_deref(),
            standing: standing.into(),
            revision: wave.gates.iter().fold(0, |sum: u32, gate| sum.saturating_add(gate.revision)),
            summary: summary::of_wave(wave, gravest),
            reasons: reasons.collect(),
            assumption: ASSUMPTION,
            evaluated_at: gates.iter().filter_map(looked).max().map(Instant),
            // As the gates' documents have it: this one changes when one of them does, not at every look.
            next_evaluation_at: gates.iter().filter_map(looks).min().map(Instant),
            start: wave.gates.iter().map(|gate| gate.start).min().map(Instant),
            deadline: wave.gates.iter().filter_map(deadline).max().map(Instant),
            gates: documents.iter().filter_map(|document| serde_json::from_str(document).ok()).collect(),
        }
    }
}

#[derive(Serialize)]
struct GateShape<'a> {
    wave_id: &'a str,
    rollout: Option<&'a str>,
    rules: &'a str,
    attempt: u32,
    run: Option<&'a str>,
    baseline: Option<&'a str>,
    params: &'a BTreeMap<String, String>,
    class: &'static str,
    #[serde(flatten)]
    standing: StandingShape,
    revision: u32,
    summary: String,
    reasons: Vec<reason::Shape>,
    checks: Vec<CheckShape<'a>>,
    budget: Option<budget::Shape<'a>>,
    looks: u32,
    planned_looks: Option<u32>,
    expected: Option<ExpectedShape>,
    #[serde(flatten)]
    assumption: Assumption,
    decision: Option<DecisionShape<'a>>,
    requires: Vec<RequirementShape<'a>>,
    would: Option<WouldShape>,
    rules_digest: &'a str,
    evaluated_at: Option<Instant>,
    next_evaluation_at: Option<Instant>,
    start: Instant,
    deadline: Option<Instant>,
}

impl<'a> GateShape<'a> {
    fn of(wave: &'a Wave, gate: &'a Gate) -> Self {
        let standing = Standing::of_gate(gate);
        let judgement = gate.judgement.as_ref();
        let timing = gate.timing;
        Self {
            wave_id: wave.id.as_str(),
            rollout: wave.rollout.as_deref(),
            rules: gate.rules.as_str(),
            attempt: gate.attempt,
            run: gate.run.as_deref(),
            baseline: gate.baseline.as_deref(),
            params: &gate.params,
            class: gate.class.word(),
            standing: standing.into(),
            revision: gate.revision,
            summary: summary::of_gate(gate),
            reasons: reason::of_gate(gate),
            checks: judgement.map_or(Vec::new(), |judgement| judgement.checks.iter().map(CheckShape::of).collect()),
            budget: judgement.and_then(|judgement| judgement.budget.as_ref()).map(budget::Shape::of),
            looks: judgement.map_or(0, |judgement| judgement.looks),
            planned_looks: judgement.map(|judgement| judgement.planned).or(timing.map(|timing| timing.planned())),
            expected: judgement.and_then(|judgement| summary::expected(gate, judgement)).map(ExpectedShape::of),
            assumption: ASSUMPTION,
            decision: gate.decision.as_ref().map(DecisionShape::of),
            requires: gate.requires.iter().map(RequirementShape::of).collect(),
            would: WouldShape::of(gate),
            rules_digest: gate.digest.as_str(),
            evaluated_at: evaluated_at(gate).map(Instant),
            next_evaluation_at: standing.next_evaluation_at.map(Instant),
            start: Instant(gate.start),
            deadline: deadline(gate).map(Instant),
        }
    }
}

#[derive(Serialize)]
struct DecisionShape<'a> {
    verdict: Option<&'static str>,
    by: &'a str,
    why: &'a str,
    at: Instant,
}

impl<'a> DecisionShape<'a> {
    fn of(decision: &'a Decision) -> Self {
        Self { verdict: decision.verdict.map(verdict), by: &decision.by, why: &decision.why, at: Instant(decision.at) }
    }
}

/// What must be attested before the gate may pass, and who said so.
#[derive(Serialize)]
struct RequirementShape<'a> {
    name: &'a str,
    attested: Option<AttestationShape<'a>>,
}

#[derive(Serialize)]
struct AttestationShape<'a> {
    by: &'a str,
    note: Option<&'a str>,
    url: Option<&'a str>,
    at: Instant,
}

impl<'a> RequirementShape<'a> {
    fn of(requirement: &'a Requirement) -> Self {
        let attested = requirement.attested.as_ref().map(|said| AttestationShape {
            by: &said.by,
            note: said.note.as_deref(),
            url: said.url.as_deref(),
            at: Instant(said.at),
        });
        Self { name: &requirement.name, attested }
    }
}

/// What a gate that observes would say; its reasons are the gate's own.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct WouldShape {
    #[serde(flatten)]
    standing: StandingShape,
}

impl WouldShape {
    pub(crate) fn of(gate: &Gate) -> Option<Self> {
        Standing::that_would(gate).map(|standing| Self { standing: standing.into() })
    }
}

#[derive(Serialize)]
struct CheckShape<'a> {
    name: &'a str,
    kind: &'static str,
    outcome: &'static str,
    on_fail: &'static str,
    estimate: Option<Number>,
    low: Option<Number>,
    high: Option<Number>,
    unit: Option<&'static str>,
    tolerance: Option<Number>,
    pass_within: Option<Number>,
    threshold: Option<ThresholdShape>,
    looks: u32,
    n: Pair,
    effective_n: Option<Number>,
    alpha: Option<Number>,
    alpha_spent: Option<Number>,
    expected: Option<ExpectedShape>,
    coverage: Pair,
    reasons: Vec<reason::CheckReason>,
    notices: Vec<reason::CheckReason>,
    details: Named,
}

impl<'a> CheckShape<'a> {
    fn of(check: &'a CheckOutcome) -> Self {
        let (effect, margins) = (check.effect.as_ref(), check.margins.as_ref());
        Self {
            name: &check.name,
            kind: check.kind,
            outcome: outcome(check.outcome),
            on_fail: on_fail(check.on_fail),
            estimate: effect.map(|effect| Number(effect.estimate)),
            low: effect.map(|effect| Number(effect.low)),
            high: effect.map(|effect| Number(effect.high)),
            unit: effect.map(|effect| reason::unit(effect.unit)),
            tolerance: margins.map(|margins| Number(margins.tolerance)),
            pass_within: margins.map(|margins| Number(margins.pass_within)),
            threshold: check.threshold.as_ref().map(ThresholdShape::of),
            looks: check.looks,
            n: Pair::of(check.n),
            effective_n: check.effective_n.map(Number),
            alpha: check.alpha.map(Number),
            alpha_spent: check.alpha_spent.map(Number),
            expected: check.expected.map(ExpectedShape::of),
            coverage: Pair::of(check.coverage),
            reasons: check.reasons.iter().map(reason::of_check).collect(),
            notices: check
                .warnings
                .iter()
                .map(reason::of_warning)
                .chain(check.notices.iter().map(reason::of_notice))
                .collect(),
            details: Named(check.details.iter().map(|(name, value)| (*name, Value::from(*value))).collect()),
        }
    }
}

/// What is to come if everything stays as it is.
#[derive(Serialize)]
struct ExpectedShape {
    outcome: &'static str,
    at: Instant,
}

impl ExpectedShape {
    fn of(expected: Expected) -> Self {
        Self { outcome: outcome(expected.outcome), at: Instant(expected.at) }
    }
}

#[derive(Serialize)]
struct Pair {
    canary: Number,
    baseline: Number,
}

impl Pair {
    fn of(sizes: Sizes) -> Self {
        Self { canary: Number(sizes.canary), baseline: Number(sizes.baseline) }
    }
}

#[derive(Serialize)]
struct ThresholdShape {
    bound: Number,
    side: &'static str,
    canary: Option<Reading>,
    baseline: Option<Reading>,
    beyond: u32,
    count: u32,
    samples: u32,
}

impl ThresholdShape {
    fn of(reading: &ThresholdReading) -> Self {
        Self {
            bound: Number(reading.bound),
            side: if reading.is_max { "max" } else { "min" },
            canary: reading.canary.as_ref().map(Reading::of),
            baseline: reading.baseline.as_ref().map(Reading::of),
            beyond: reading.beyond,
            count: reading.count,
            samples: reading.samples,
        }
    }
}

#[derive(Serialize)]
struct Reading {
    value: Number,
    series: String,
}

impl Reading {
    fn of((value, series): &(f64, Labels)) -> Self {
        Self { value: Number(*value), series: prose::clip(&series.to_string(), 1024) }
    }
}

fn evaluated_at(gate: &Gate) -> Option<Timestamp> {
    gate.judgement.as_ref().map(|judgement| judgement.at)
}

fn deadline(gate: &Gate) -> Option<Timestamp> {
    gate.timing.map(|timing| timing.deadline).or(gate.deadline)
}

/// The word of `verdict`, in documents and logs.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Pause => "pause",
    }
}

/// Every state of a gate and its word.
pub const STATES: [(GateState, &str); 6] = [
    (GateState::Scheduled, "scheduled"),
    (GateState::WarmingUp, "warming_up"),
    (GateState::Analyzing, "analyzing"),
    (GateState::Held, "held"),
    (GateState::Decided, "decided"),
    (GateState::Cancelled, "cancelled"),
];

/// The word of a state.
pub fn state(state: GateState) -> &'static str {
    match state {
        GateState::Scheduled => STATES[0].1,
        GateState::WarmingUp => STATES[1].1,
        GateState::Analyzing => STATES[2].1,
        GateState::Held => STATES[3].1,
        GateState::Decided => STATES[4].1,
        GateState::Cancelled => STATES[5].1,
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Inconclusive => "inconclusive",
    }
}

pub(super) fn on_fail(on_fail: OnFail) -> &'static str {
    match on_fail {
        OnFail::Fail => "fail",
        OnFail::Pause => "pause",
        OnFail::Report => "report",
    }
}
