//! A PASS that was once found does not outlive what it was found on: cases in which the
//! evidence went blind or bad after a crossing, or could never have shown anything.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use wavegate::judge::Cause;
use wavegate::judge::Cohort;
use wavegate::judge::Judgement;
use wavegate::judge::Outcome;
use wavegate::judge::Ruling;
use wavegate::judge::State;
use wavegate::judge::Timing;
use wavegate::judge::judge;
use wavegate::rules;
use wavegate::rules::RuleFile;
use wavegate::series::Buckets;
use wavegate::series::CheckEvidence;
use wavegate::series::Fault;
use wavegate::series::InstanceEvidence;
use wavegate::series::IntervalEvidence;
use wavegate::series::Measure;
use wavegate::series::Observed;
use wavegate::series::Timestamp;

const RATIO: &str = "ratio: { bad: 'errors_total', total: requests_total }";
const TAIL: &str = "histogram: latency_seconds\n    quantile: p99";

/// One check on a grid without a warm-up.
fn gate(check: &str, schedule: &str) -> RuleFile {
    let text = format!("version: 1\nname: gate\nschedule: {{ {schedule} }}\nchecks:\n  - name: it\n    {check}\n");
    let parsed = rules::parse("gate.yaml", &text).unwrap_or_else(|faults| panic!("{}", rules::render(&faults, &text)));
    parsed.rules
}

const HOUR: &str = "interval: 15s, warmup: 0s, min_duration: 10m, deadline: 60m";

/// Every look, whatever was said before: another check may hold the gate up.
fn looks(rules: &RuleFile, count: u32, mut evidence: impl FnMut(u32) -> CheckEvidence) -> Vec<Judgement> {
    let timing = Timing::new(&rules.schedule, Timestamp::from_millis(1_790_000_000_000), None, None);
    let mut state = State::new(rules, timing);
    let mut said = Vec::new();
    for index in 1..=count.min(timing.last()) {
        let window = timing.window(index);
        let interval = IntervalEvidence { window, checks: vec![evidence(index)], budget: None };
        let (next, judgement) = judge(rules, &state, &[interval], window.to);
        state = next;
        said.push(judgement);
    }
    said
}

fn seen(measure: Measure) -> Observed {
    Observed { measure, instances: Vec::new(), seen: 1, expected: 1, nan: 0, infinite: 0 }
}

fn pair(canary: Measure, baseline: Measure) -> CheckEvidence {
    CheckEvidence { canary: seen(canary), baseline: Some(seen(baseline)), faults: Vec::new(), notices: Vec::new() }
}

fn counts(bad: f64, total: f64) -> Measure {
    Measure::Counts { bad, total }
}

fn values(canary: f64, baseline: f64) -> CheckEvidence {
    pair(Measure::Value(canary), Measure::Value(baseline))
}

fn buckets(bounds: &[f64], counts: &[f64]) -> Measure {
    let bounds = bounds.iter().copied().chain([f64::INFINITY]).collect();
    Measure::Buckets(Buckets::new(bounds, counts.to_vec()).unwrap())
}

/// The same noise at every run, in [-1, 1].
fn noise(index: u32, salt: u32) -> f64 {
    let mut z =
        u64::from(index).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(salt).wrapping_mul(0xd1b5_4a32_d192_ed03);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    f64::from(u32::try_from((z ^ (z >> 31)) >> 32).unwrap()) / f64::from(u32::MAX) * 2.0 - 1.0
}

#[track_caller]
fn outcome(said: &[Judgement], at: usize) -> Outcome {
    said[at - 1].checks[0].outcome
}

#[test]
fn zeros_that_end_take_their_pass_along() {
    let rules = gate("gauge: queue_depth", HOUR);
    let said = looks(&rules, 200, |index| values(if index > 100 { 1000.0 } else { 0.0 }, 0.0));
    assert_eq!(outcome(&said, 100), Outcome::Pass);
    assert_eq!(outcome(&said, 200), Outcome::Inconclusive, "{:#?}", said[199].checks[0]);
}

#[test]
fn ranks_do_not_pass_where_no_bound_is_in_reach() {
    let rules =
        gate("gauge: cpu\n    test: mann_whitney", "interval: 15s, warmup: 0s, min_duration: 3m, deadline: 60m");
    let said = looks(&rules, 16, |index| values(1.5 + noise(index, 1), 1.0 + 0.8 * noise(index, 2)));
    assert!(said.iter().all(|look| look.ruling != Ruling::Pass), "{:#?}", said.last());
}

#[test]
fn a_canary_on_fire_without_a_baseline_beside_it_does_not_pass() {
    let rules = gate(RATIO, HOUR);
    let said = looks(&rules, 100, |index| {
        if index > 85 {
            pair(counts(500.0, 1000.0), counts(0.0, 0.0))
        } else {
            pair(counts(1.0, 1000.0), counts(1.0, 1000.0))
        }
    });
    assert_eq!(outcome(&said, 84), Outcome::Pass, "{:#?}", said[83].checks[0]);
    assert_ne!(outcome(&said, 96), Outcome::Pass, "{:#?}", said[95].checks[0]);
}

#[test]
fn bounds_that_vanish_take_the_pass_of_a_tail_along() {
    let rules = gate(TAIL, HOUR);
    let said = looks(&rules, 200, |index| {
        if index > 100 {
            pair(buckets(&[0.2], &[0.0, 1000.0]), buckets(&[0.2], &[980.0, 20.0]))
        } else {
            let calm = || buckets(&[0.1, 0.2, 0.5, 1.0], &[900.0, 60.0, 35.0, 4.0, 1.0]);
            pair(calm(), calm())
        }
    });
    assert_eq!(outcome(&said, 100), Outcome::Pass, "{:#?}", said[99].checks[0]);
    assert_ne!(outcome(&said, 200), Outcome::Pass, "{:#?}", said[199].checks[0]);
}

#[test]
fn a_tail_beyond_the_last_bound_is_not_seen_and_does_not_pass() {
    let rules = gate(TAIL, HOUR);
    let said = looks(&rules, 200, |_| {
        // Nine of ten take longer than the last bound: no bucket tells how long.
        pair(
            buckets(&[0.1, 0.2, 0.5, 1.0], &[0.0, 0.0, 0.0, 0.0, 1000.0]),
            buckets(&[0.1, 0.2, 0.5, 1.0], &[0.0, 0.0, 50.0, 50.0, 900.0]),
        )
    });
    assert!(
        said.iter().all(|look| look.ruling != Ruling::Pass),
        "{:#?}",
        said.iter().find(|look| look.ruling == Ruling::Pass)
    );
}

#[test]
fn ranks_of_events_beyond_the_last_bound_do_not_pass() {
    let rules = gate("histogram: latency_seconds", HOUR);
    let all = || buckets(&[0.1, 1.0], &[0.0, 1.0, 999.0]);
    let said = looks(&rules, 200, |_| pair(all(), all()));
    assert!(
        said.iter().all(|look| look.ruling != Ruling::Pass),
        "{:#?}",
        said.iter().find(|look| look.ruling == Ruling::Pass)
    );
}

#[test]
fn a_burst_before_a_gap_does_not_fail_by_the_time_that_passed() {
    let rules = gate(RATIO, HOUR);
    let said = looks(&rules, 10, |index| {
        let mut evidence = pair(counts(if index <= 4 { 15.0 } else { 0.0 }, 1000.0), counts(0.0, 1000.0));
        if index > 4 {
            evidence.faults.push(Fault::PartialAnswer { message: "half".to_owned() });
        }
        evidence
    });
    // Four intervals that favour it span 45 s.
    let early = said.iter().position(|look| look.ruling == Ruling::Fail);
    assert_eq!(early, None, "{:?}", said[early.unwrap_or(0)].reasons);
}

#[test]
fn instances_that_come_after_the_first_look_are_told_apart() {
    let rules = gate(RATIO, HOUR);
    let said = looks(&rules, 240, |index| {
        let errors = |k: u32| if k == 0 { 6.0 } else { 1.0 };
        let canary: f64 = (0..20).map(errors).sum();
        let mut evidence = pair(counts(canary, 20.0 * 500.0), counts(20.0, 20.0 * 500.0));
        let instance = |k: u32| InstanceEvidence { name: format!("c-{k}"), measure: counts(errors(k), 500.0) };
        evidence.canary.instances = (0..20).map(instance).collect();
        if let Some(baseline) = &mut evidence.baseline {
            let other = |k: u32| InstanceEvidence { name: format!("b-{k}"), measure: counts(1.0, 500.0) };
            baseline.instances = (0..20).map(other).collect();
        }
        if index <= 4 { CheckEvidence::missing() } else { evidence }
    });
    assert!(said.iter().any(|look| look.ruling == Ruling::Fail), "{:#?}", said.last());
}

#[test]
fn a_crossing_while_something_has_just_changed_is_none() {
    let rules = gate("gauge: cpu", HOUR);
    // Twice as much for half a minute, at the very look that may first pass it.
    let said = looks(&rules, 60, |index| {
        values(
            if (39..=40).contains(&index) { 2.0 } else { 1.0 + 0.02 * noise(index, 1) },
            1.0 + 0.02 * noise(index, 2),
        )
    });
    assert_eq!(outcome(&said, 40), Outcome::Inconclusive, "{:#?}", said[39].checks[0]);
    assert_eq!(outcome(&said, 44), Outcome::Inconclusive, "{:#?}", said[43].checks[0]);
    assert_eq!(outcome(&said, 60), Outcome::Pass, "{:#?}", said[59].checks[0]);
}

#[test]
fn numbers_beyond_all_bounds_are_no_pass() {
    for size in [1e15, 1e39, 1e300] {
        let rules = gate("histogram: latency_seconds", HOUR);
        let fast = || buckets(&[0.1, 1.0], &[size, size, size]);
        let slow = || buckets(&[0.1, 1.0], &[0.0, size, 3.0 * size]);
        let said = looks(&rules, 240, |_| pair(slow(), fast()));
        assert!(said.iter().all(|look| look.ruling != Ruling::Pass), "{size}: {:#?}", said.last());
        let rules = gate(RATIO, HOUR);
        let said = looks(&rules, 240, |_| pair(counts(size, 2.0 * size), counts(size / 10.0, 2.0 * size)));
        assert!(said.iter().all(|look| look.ruling != Ruling::Pass), "{size}: {:#?}", said.last());
        for form in [
            "gauge: a",
            "gauge: a\n    scale: absolute",
            "gauge: a\n    tolerance: 1\n    pass_within: 2",
            "gauge: a\n    worse: either",
            "gauge: a\n    test: mann_whitney",
            "gauge: a\n    drift: true",
        ] {
            for (canary, baseline) in
                [(size, 1.0), (size, -size), (1.7976e308, 1.0), (size, 1e-300), (1.5 * size, size)]
            {
                let rules = gate(form, HOUR);
                let said = looks(&rules, 240, |index| values(canary * (1.0 + 1e-3 * noise(index, 1)), baseline));
                assert!(
                    said.iter().all(|look| look.ruling != Ruling::Pass),
                    "{form} {canary} {baseline}: {:#?}",
                    said.last()
                );
                let said = looks(&rules, 240, |index| values(baseline * (1.0 + 1e-3 * noise(index, 1)), canary));
                let either = form.contains("either");
                assert!(
                    either || said.iter().all(|look| look.ruling != Ruling::Fail),
                    "{form} {canary} {baseline}: {:#?}",
                    said.last()
                );
            }
        }
    }
}

/// Small numbers: the canary has twice as much, and nobody minds one more of whatever it is.
const PARTS: &str = "tolerance: { relative: 5%, absolute: 100 }\n    pass_within: { relative: 20%, absolute: 200 }";

#[test]
fn means_of_instances_fail_by_both_margins_or_not_at_all() {
    let rules = gate(&format!("gauge: queue_depth\n    by: instance\n    {PARTS}"), HOUR);
    let said = looks(&rules, 240, |index| {
        let mut evidence = values(2.0, 1.0);
        let all = |prefix: &str, count: u32, level: f64| {
            let value = |k: u32| Measure::Value(level + 0.01 * noise(index, k));
            (0..count).map(|k| InstanceEvidence { name: format!("{prefix}-{k}"), measure: value(k) }).collect()
        };
        evidence.canary.instances = all("c", 4, 2.0);
        evidence.baseline = evidence.baseline.map(|other| Observed { instances: all("b", 8, 1.0), ..other });
        evidence
    });
    assert!(said.iter().all(|look| look.ruling != Ruling::Fail), "{:#?}", said.last());
    assert!(said.iter().any(|look| look.ruling == Ruling::Pass), "{:#?}", said.last());
}

#[test]
fn ranks_fail_by_both_margins_or_not_at_all() {
    let rules = gate(&format!("gauge: queue_depth\n    test: mann_whitney\n    {PARTS}"), HOUR);
    let near = |index: u32, salt: u32, level: f64| level + 0.1 * noise(index, salt);
    let said = looks(&rules, 240, |index| values(near(index, 1, 2.0), near(index, 2, 1.0)));
    assert!(said.iter().all(|look| look.ruling != Ruling::Fail), "{:#?}", said.last());
    assert!(said.iter().any(|look| look.ruling == Ruling::Pass), "{:#?}", said.last());
    let said = looks(&rules, 240, |index| values(near(index, 1, 2000.0), near(index, 2, 1000.0)));
    assert!(said.iter().any(|look| look.ruling == Ruling::Fail), "{:#?}", said.last());
}

#[test]
fn of_a_baseline_of_nothing_the_absolute_margin_decides() {
    let rules = gate(&format!("gauge: queue_depth\n    {PARTS}"), HOUR);
    let said = looks(&rules, 240, |index| values(10.0 + noise(index, 1), 0.0));
    assert!(said.iter().any(|look| look.ruling == Ruling::Pass), "{:#?}", said.last());
    let said = looks(&rules, 240, |index| values(1000.0 + noise(index, 1), 0.0));
    assert!(said.iter().any(|look| look.ruling == Ruling::Fail), "{:#?}", said.last());
}

#[test]
fn one_interval_of_very_many_errors_does_not_hide_a_steady_regression() {
    let rules = gate(RATIO, HOUR);
    let found = |loud: u32| {
        let said = looks(&rules, 240, |index| {
            let bad = if index == loud { 1000.0 } else { 30.0 };
            pair(counts(bad, 10_000.0), counts(10.0, 10_000.0))
        });
        said.iter().position(|look| look.ruling == Ruling::Fail)
    };
    assert!(found(5).is_some_and(|at| at <= 30), "{:?} without {:?}", found(5), found(0));
}

#[test]
fn a_short_burst_and_one_more_error_after_it_do_not_fail() {
    let rules = gate(RATIO, HOUR);
    for later in [11, 12, 13, 14, 15] {
        let said = looks(&rules, later, |index| {
            let burst = if (5..=7).contains(&index) { 100.0 } else { 0.0 };
            pair(counts(if index == later { 1.0 } else { burst }, 1000.0), counts(0.0, 1000.0))
        });
        assert!(said.iter().all(|look| look.ruling != Ruling::Fail), "{later}: {:#?}", said.last());
    }
}

#[test]
fn a_check_that_sees_no_traffic_says_so_and_expects_no_pass() {
    let rules = gate(RATIO, HOUR);
    let said = looks(&rules, 100, |index| {
        let canary = if index > 30 { counts(0.0, 0.0) } else { counts(1.0, 1000.0) };
        pair(canary, counts(1.0, 1000.0))
    });
    let check = &said[99].checks[0];
    assert_eq!(check.reasons, [Cause::NoTraffic { cohort: Cohort::Canary }]);
    assert_eq!(check.expected, None);
}

#[test]
fn a_baseline_with_little_traffic_does_not_take_back_a_pass() {
    let rules = gate(RATIO, HOUR);
    for salt in 0..20 {
        let said = looks(&rules, 240, |index| {
            let baseline = if noise(index, salt) > 0.2 { 1.0 } else { 0.0 };
            pair(counts(0.0, 100.0), counts(0.0, baseline))
        });
        assert_eq!(outcome(&said, 240), Outcome::Pass, "{salt}: {:#?}", said[239].checks[0]);
    }
}

#[test]
fn a_young_instance_of_the_baseline_does_not_excuse_a_bad_one() {
    let rules = gate(RATIO, HOUR);
    let said = looks(&rules, 240, |index| {
        let errors = |k: u32| if k == 0 { 6.0 } else { 1.0 };
        let mut evidence = pair(counts((0..20).map(errors).sum(), 20.0 * 500.0), counts(20.0, 20.0 * 500.0));
        let instance = |k: u32| InstanceEvidence { name: format!("c-{k}"), measure: counts(errors(k), 500.0) };
        evidence.canary.instances = (0..20).map(instance).collect();
        if let Some(baseline) = &mut evidence.baseline {
            let other = |k: u32| InstanceEvidence { name: format!("b-{k}"), measure: counts(1.0, 500.0) };
            baseline.instances = (0..19).map(other).collect();
            if index == 3 {
                baseline.instances.push(InstanceEvidence { name: "b-last".to_owned(), measure: counts(3.0, 10.0) });
            }
        }
        evidence
    });
    assert!(said.iter().any(|look| look.ruling == Ruling::Fail), "{:#?}", said.last());
}
