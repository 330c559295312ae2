//! What the judge that people use today lets through, as golden cases: each must end in a
//! fail or a pause and never pass at any look. The inputs are those that were run against the
//! real one (its blind spots that are data).

use std::f64::consts::TAU;
use wavegate::judge::Judgement;
use wavegate::judge::Outcome;
use wavegate::judge::Ruling;
use wavegate::judge::State;
use wavegate::judge::Timing;
use wavegate::judge::judge;
use wavegate::rules;
use wavegate::rules::RuleFile;
use wavegate::series::CheckEvidence;
use wavegate::series::IntervalEvidence;
use wavegate::series::Measure;
use wavegate::series::Observed;
use wavegate::series::Timestamp;

const GAUGE: &str = "gauge: latency_seconds";
const RATIO: &str = "ratio: { bad: errors_total, total: requests_total }";

/// One check on a grid of minutes without a warm-up, which ends after `minutes`.
fn gate(check: &str, minutes: u32) -> RuleFile {
    let schedule =
        format!("interval: 1m, warmup: 0s, min_duration: {}m, deadline: {minutes}m", (minutes - 1).clamp(1, 10));
    let text = format!("version: 1\nname: gate\nschedule: {{ {schedule} }}\nchecks:\n  - name: it\n    {check}\n");
    rules::parse("gate.yaml", &text).expect("a rule file").rules
}

/// Every judgement up to the first that decides, or up to the deadline.
fn judgements(rules: &RuleFile, mut evidence: impl FnMut(u32) -> CheckEvidence) -> Vec<Judgement> {
    let timing = Timing::new(&rules.schedule, Timestamp::from_millis(1_790_000_000_000), None, None);
    let mut state = State::new(rules, timing);
    let mut judgements: Vec<Judgement> = Vec::new();
    for index in 1..=timing.last() {
        let window = timing.window(index);
        let interval = IntervalEvidence { window, checks: vec![evidence(index)], budget: None };
        let judged = judge(rules, &state, &[interval], window.to);
        state = judged.0;
        judgements.push(judged.1);
        if judgements.last().is_some_and(|last| matches!(last.ruling, Ruling::Pass | Ruling::Fail)) {
            break;
        }
    }
    judgements
}

/// The ruling at the end; the check itself may not have passed at any look either.
#[track_caller]
fn check(check: &str, minutes: u32, expect: Ruling, evidence: impl FnMut(u32) -> CheckEvidence) {
    let judgements = judgements(&gate(check, minutes), evidence);
    let last = judgements.last().expect("a look");
    assert_eq!(last.ruling, expect, "{last:#?}");
    assert_eq!(passed(&judgements), 0, "a look passed it");
}

fn passed(judgements: &[Judgement]) -> usize {
    judgements.iter().filter(|judgement| judgement.checks[0].outcome == Outcome::Pass).count()
}

fn observed(measure: Measure, infinite: u32) -> Observed {
    let seen = u32::from(!matches!(measure, Measure::Nothing)).max(infinite);
    Observed { measure, instances: Vec::new(), seen, expected: 1, nan: 0, infinite }
}

fn pair(canary: Measure, baseline: Measure) -> CheckEvidence {
    CheckEvidence {
        canary: observed(canary, 0),
        baseline: Some(observed(baseline, 0)),
        faults: Vec::new(),
        notices: Vec::new(),
    }
}

fn values(canary: f64, baseline: f64) -> CheckEvidence {
    pair(Measure::Value(canary), Measure::Value(baseline))
}

/// A wiggle of 5 % that repeats itself never, and looks the same in every run.
fn noise(minute: u32, phase: f64) -> f64 {
    1.0 + 0.05 * (f64::from(minute) * 2.399_963 + phase).sin() * (f64::from(minute * minute % 89) / 89.0 * TAU).cos()
}

#[test]
fn ten_times_slower_in_five_points_does_not_pass() {
    check(GAUGE, 5, Ruling::Hold, |minute| values(10.0 * f64::from(minute), f64::from(minute)));
}

#[test]
fn seventy_times_slower_in_seven_of_ten_points_does_not_pass() {
    check(GAUGE, 10, Ruling::Hold, |minute| values(if minute <= 7 { 100.0 } else { 1.0 }, 1.0));
    check(GAUGE, 10, Ruling::Hold, |minute| values(if minute > 3 { 100.0 } else { 1.0 }, 1.0));
}

#[test]
fn errors_in_every_third_minute_fail() {
    let errors = |minute: u32| if minute.is_multiple_of(3) { 5.0 } else { 0.0 };
    check(RATIO, 60, Ruling::Fail, |minute| {
        pair(Measure::Counts { bad: errors(minute), total: 1000.0 }, Measure::Counts { bad: 0.0, total: 1000.0 })
    });
}

#[test]
fn ten_times_slower_in_the_last_minutes_does_not_pass_at_the_end() {
    for last in [13, 6, 3] {
        let judged = judgements(&late(), |minute| {
            let factor = if minute > 60 - last { 10.0 } else { 1.0 };
            values(factor * noise(minute, 0.0), noise(minute, 1.0))
        });
        let ruling = judged.last().expect("a look").ruling;
        assert!(matches!(ruling, Ruling::Hold | Ruling::Fail), "the last {last}: {judged:#?}");
    }
    // The same wave without its end passes, so that it is the end that is seen.
    let judged = judgements(&late(), |minute| values(noise(minute, 0.0), noise(minute, 1.0)));
    assert_eq!(judged.last().expect("a look").ruling, Ruling::Pass);
}

/// No PASS before the hour is over.
fn late() -> RuleFile {
    let schedule = "schedule: { interval: 1m, warmup: 0s, min_duration: 60m, deadline: 60m }";
    let text = format!("version: 1\nname: gate\n{schedule}\nchecks:\n  - name: it\n    {GAUGE}\n");
    rules::parse("gate.yaml", &text).expect("a rule file").rules
}

#[test]
fn a_variance_that_explodes_about_the_same_median_does_not_pass() {
    // 1 to 99 about 50, in an order without a trend.
    check(GAUGE, 60, Ruling::Hold, |minute| values(f64::from(minute * 37 % 99 + 1), 50.0 + f64::from(minute % 3)));
}

#[test]
fn one_infinite_sample_on_either_side_does_not_hide_a_shift() {
    for on_canary in [true, false] {
        check(GAUGE, 60, Ruling::Fail, |minute| {
            let mut evidence = values(110.0 * noise(minute, 0.0), 100.0 * noise(minute, 1.0));
            if minute == 5 {
                let infinite = observed(Measure::Nothing, 1);
                if on_canary { evidence.canary = infinite } else { evidence.baseline = Some(infinite) }
            }
            evidence
        });
        // Nor does it pass where there is no shift.
        check(GAUGE, 60, Ruling::Hold, |minute| {
            let mut evidence = values(noise(minute, 0.0), noise(minute, 1.0));
            if minute == 5 {
                let infinite = observed(Measure::Nothing, 1);
                if on_canary { evidence.canary = infinite } else { evidence.baseline = Some(infinite) }
            }
            evidence
        });
    }
}

#[test]
fn two_empty_cohorts_do_not_pass() {
    for kind in [GAUGE, RATIO, "histogram: latency_seconds", "threshold: restarts\n    max: 0"] {
        check(kind, 60, Ruling::Hold, |_| pair(Measure::Nothing, Measure::Nothing));
    }
}

#[test]
fn a_negative_metric_that_rises_fails() {
    check(GAUGE, 60, Ruling::Fail, |minute| values(-5.2 * noise(minute, 0.0), -10.5 * noise(minute, 1.0)));
}

#[test]
fn one_point_of_five_and_of_five_hundred_does_not_pass() {
    check(GAUGE, 4, Ruling::Hold, |minute| {
        if minute == 1 { values(500.0, 5.0) } else { pair(Measure::Nothing, Measure::Nothing) }
    });
}
