//! What a look says of evidence that is made here, interval by interval.

#![expect(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that panics has failed, and exact numbers are meant"
)]

mod alone;
mod gauges;
mod histograms;
mod instances;
mod looks;
mod properties;
mod ratios;
mod replay;
mod telemetry;
mod thresholds;

use wavegate::judge::Cause;
use wavegate::judge::CheckOutcome;
use wavegate::judge::Judgement;
use wavegate::judge::Ruling;
use wavegate::judge::State;
use wavegate::judge::Timing;
use wavegate::judge::judge;
use wavegate::plan::traffic::Random;
use wavegate::rules;
use wavegate::rules::RuleFile;
use wavegate::series::Buckets;
use wavegate::series::CheckEvidence;
use wavegate::series::InstanceEvidence;
use wavegate::series::IntervalEvidence;
use wavegate::series::Labels;
use wavegate::series::Measure;
use wavegate::series::Observed;
use wavegate::series::Timestamp;

/// Intervals of 15 s in an hour.
const HOUR: u32 = 240;

/// One check, an hour at 15 s, warm-up 2 min, no PASS before 10 min.
fn rules_of(check: &str) -> RuleFile {
    let text = format!("version: 1\nname: gate\nchecks:\n{check}");
    let parsed = rules::parse("gate.yaml", &text).unwrap_or_else(|faults| panic!("{}", rules::render(&faults, &text)));
    parsed.rules
}

const RATIO: &str = "  - name: errors\n    ratio: { bad: 'errors_total', total: requests_total }\n";
const HISTOGRAM: &str = "  - name: latency\n    histogram: latency_seconds\n";
const GAUGE: &str = "  - name: cpu\n    gauge: cpu_usage\n";
const THRESHOLD: &str = "  - name: restarts\n    threshold: restarts\n    max: 0\n";

fn seen(measure: Measure) -> Observed {
    Observed { measure, instances: Vec::new(), seen: 1, expected: 1, nan: 0, infinite: 0 }
}

fn pair(canary: Measure, baseline: Measure) -> CheckEvidence {
    CheckEvidence { canary: seen(canary), baseline: Some(seen(baseline)), faults: Vec::new(), notices: Vec::new() }
}

fn counts(bad: f64, total: f64) -> Measure {
    Measure::Counts { bad, total }
}

fn buckets(counts: &[f64]) -> Measure {
    let mut bounds: Vec<f64> = (1..counts.len()).map(|k| f64::from(u32::try_from(k).unwrap())).collect();
    bounds.push(f64::INFINITY);
    Measure::Buckets(Buckets::new(bounds, counts.to_vec()).unwrap())
}

fn worst(value: f64) -> Measure {
    let labels = [("__name__".to_owned(), "restarts".to_owned()), ("pod".to_owned(), "c-1".to_owned())];
    Measure::Worst { value, series: labels.into_iter().collect::<Labels>() }
}

/// Poisson with mean `mean`, as a count of events.
fn poisson(noise: &mut Random, mean: f64) -> f64 {
    f64::from(noise.poisson(mean))
}

/// What each instance of a cohort showed, `c-00` first.
fn instances(measures: impl IntoIterator<Item = Measure>) -> Vec<InstanceEvidence> {
    let name = |k: usize| format!("c-{k:02}");
    measures.into_iter().enumerate().map(|(k, measure)| InstanceEvidence { name: name(k), measure }).collect()
}

fn timing(rules: &RuleFile) -> Timing {
    Timing::new(&rules.schedule, Timestamp::from_millis(1_790_000_000_000), None, None)
}

/// What each look says, interval by interval as the daemon asks.
fn watch<'a>(
    rules: &'a RuleFile,
    intervals: u32,
    mut evidence: impl FnMut(u32) -> CheckEvidence + 'a,
) -> impl Iterator<Item = Judgement> + 'a {
    let timing = timing(rules);
    let mut state = State::new(rules, timing);
    (1..=intervals).map(move |index| {
        let window = timing.window(index);
        let interval = IntervalEvidence { window, checks: vec![evidence(index)], budget: None };
        let judged = judge(rules, &state, &[interval], window.to);
        state = judged.0;
        judged.1
    })
}

/// The same until something is decided.
fn looks(rules: &RuleFile, intervals: u32, evidence: impl FnMut(u32) -> CheckEvidence) -> Vec<Judgement> {
    let mut all = Vec::new();
    for judgement in watch(rules, intervals, evidence) {
        let is_over = matches!(judgement.ruling, Ruling::Pass | Ruling::Fail);
        all.push(judgement);
        if is_over {
            break;
        }
    }
    all
}

/// The last look, and which it is.
fn run(rules: &RuleFile, intervals: u32, evidence: impl FnMut(u32) -> CheckEvidence) -> (u32, Judgement) {
    let mut all = looks(rules, intervals, evidence);
    (u32::try_from(all.len()).unwrap(), all.pop().unwrap())
}

#[track_caller]
fn check(rules: &str, expect: Ruling, evidence: impl FnMut(u32) -> CheckEvidence) -> Judgement {
    let (index, judgement) = run(&rules_of(rules), HOUR, evidence);
    assert_eq!(judgement.ruling, expect, "after {index} intervals: {judgement:#?}");
    judgement
}

fn codes(judgement: &Judgement) -> Vec<&'static str> {
    judgement.reasons.iter().map(|reason| reason.cause.code()).collect()
}

/// Whether the only check says `code`.
fn says(judgement: &Judgement, code: &str) -> bool {
    judgement.checks[0].reasons.iter().any(|cause: &Cause| cause.code() == code)
}

#[track_caller]
fn detail(outcome: &CheckOutcome, name: &str) -> f64 {
    outcome.details.iter().find(|(own, _)| *own == name).unwrap_or_else(|| panic!("no {name} in {outcome:#?}")).1
}

/// A check of each kind with evidence that would pass.
fn measures() -> [(&'static str, Measure); 4] {
    [
        (RATIO, counts(1.0, 750.0)),
        (HISTOGRAM, buckets(&[500.0, 200.0, 50.0])),
        (GAUGE, Measure::Value(1.0)),
        (THRESHOLD, worst(0.0)),
    ]
}
