//! What a look says of evidence that is made here, interval by interval.

#![expect(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that panics has failed, and exact numbers are meant"
)]

use proptest::prelude::*;
use std::time::Duration;
use wavegate::judge::Cause;
use wavegate::judge::Judgement;
use wavegate::judge::Outcome;
use wavegate::judge::Reason;
use wavegate::judge::Ruling;
use wavegate::judge::State;
use wavegate::judge::Timing;
use wavegate::judge::judge;
use wavegate::rules;
use wavegate::rules::RuleFile;
use wavegate::series::Buckets;
use wavegate::series::CheckEvidence;
use wavegate::series::Fault;
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
    Observed { measure, seen: 1, expected: 1, nan: 0, infinite: 0 }
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

/// A small generator with a seed: the tests need noise, not quality.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let unit = ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
        unit
    }

    /// Roughly normal, mean 0 and deviation 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        let (limit, mut product, mut count) = ((-mean).exp(), self.next(), 0.0);
        while product > limit {
            product *= self.next();
            count += 1.0;
        }
        count
    }
}

fn timing(rules: &RuleFile) -> Timing {
    Timing::new(&rules.schedule, Timestamp::from_millis(1_790_000_000_000), None, None)
}

/// Judges interval by interval, as the daemon does, until something is decided.
fn run(rules: &RuleFile, intervals: u32, mut evidence: impl FnMut(u32) -> CheckEvidence) -> (u32, Judgement) {
    let timing = timing(rules);
    let mut state = State::new(rules, timing);
    let (_, mut last) = judge(rules, &state, &[], timing.start);
    for index in 1..=intervals {
        let window = timing.window(index);
        let interval = IntervalEvidence { window, checks: vec![evidence(index)] };
        (state, last) = judge(rules, &state, &[interval], window.to);
        if matches!(last.ruling, Ruling::Pass | Ruling::Fail) {
            return (index, last);
        }
    }
    (intervals, last)
}

#[track_caller]
fn check(rules: &str, expect: Ruling, evidence: impl FnMut(u32) -> CheckEvidence) -> Judgement {
    let (index, judgement) = run(&rules_of(rules), HOUR, evidence);
    assert_eq!(judgement.ruling, expect, "after {index} intervals: {judgement:#?}");
    judgement
}

#[track_caller]
fn codes(judgement: &Judgement) -> Vec<&'static str> {
    judgement.reasons.iter().map(|reason| reason.cause.code()).collect()
}

#[test]
fn ten_times_the_errors_fail() {
    let mut noise = Noise(1);
    let judgement =
        check(RATIO, Ruling::Fail, |_| pair(counts(noise.poisson(15.0), 750.0), counts(noise.poisson(1.5), 750.0)));
    assert!(matches!(judgement.reasons[0].cause, Cause::ShiftAboveTolerance { effect, tolerance, .. }
        if effect.low >= tolerance && effect.estimate > 5.0));
}

#[test]
fn equal_errors_pass() {
    let mut noise = Noise(2);
    check(RATIO, Ruling::Pass, |_| pair(counts(noise.poisson(1.5), 750.0), counts(noise.poisson(1.5), 750.0)));
}

#[test]
fn a_service_without_errors_passes_by_the_floor() {
    check(RATIO, Ruling::Pass, |_| pair(counts(0.0, 750.0), counts(0.0, 750.0)));
}

#[test]
fn ten_times_the_errors_below_the_floor_do_not_fail() {
    let judgement = check(RATIO, Ruling::Pass, |k| {
        pair(counts(f64::from(u8::from(k % 4 == 0)), 2000.0), counts(f64::from(u8::from(k % 40 == 0)), 2000.0))
    });
    assert_eq!(judgement.checks[0].outcome, Outcome::Pass);
}

#[test]
fn no_traffic_at_all_is_held_at_the_deadline() {
    let judgement = check(RATIO, Ruling::Hold, |_| pair(counts(0.0, 0.0), counts(0.0, 750.0)));
    assert!(codes(&judgement).contains(&"deadline_reached"));
}

#[test]
fn a_cohort_that_lost_its_traffic_does_not_pass_on_what_it_served_before() {
    let fast = [20.0, 60.0, 15.0, 5.0, 0.0];
    for (rules, busy, idle) in [
        (RATIO, counts(0.0, 3000.0), counts(0.0, 0.0)),
        (HISTOGRAM, buckets(&fast.map(|events| events * 10.0)), buckets(&[0.0; 5])),
    ] {
        let late =
            check(rules, Ruling::Hold, |k| pair(if k <= 20 { busy.clone() } else { idle.clone() }, busy.clone()));
        assert!(codes(&late).contains(&"no_traffic"), "{:?}", codes(&late));
        check(rules, Ruling::Hold, |k| pair(busy.clone(), if k <= 20 { busy.clone() } else { idle.clone() }));
        // A quiet minute is no outage.
        check(rules, Ruling::Pass, |k| pair(if k % 4 == 0 { busy.clone() } else { idle.clone() }, busy.clone()));
    }
}

#[test]
fn events_beyond_every_bound_are_not_compared() {
    let unbounded = Measure::Buckets(Buckets::new(vec![f64::INFINITY], vec![900.0]).unwrap());
    check(HISTOGRAM, Ruling::Hold, |_| pair(unbounded.clone(), unbounded.clone()));
    check(HISTOGRAM, Ruling::Hold, |_| pair(buckets(&[0.0, 0.0, 900.0]), buckets(&[0.0, 0.0, 900.0])));
    check(HISTOGRAM, Ruling::Hold, |k| {
        let measure = if k <= 20 { buckets(&[500.0, 400.0, 0.0]) } else { unbounded.clone() };
        pair(measure.clone(), measure)
    });
}

#[test]
fn a_baseline_that_drops_out_of_the_evidence_is_missing() {
    for (rules, measure) in measures() {
        check(rules, Ruling::Hold, |k| CheckEvidence {
            baseline: (k <= 30).then(|| seen(measure.clone())),
            ..pair(measure.clone(), Measure::Nothing)
        });
    }
}

#[test]
fn slower_requests_fail_and_equal_ones_pass() {
    let fast = [20.0, 60.0, 15.0, 5.0, 0.0];
    let slow = [10.0, 50.0, 25.0, 15.0, 0.0];
    check(HISTOGRAM, Ruling::Fail, |_| pair(buckets(&slow), buckets(&fast)));
    check(HISTOGRAM, Ruling::Pass, |_| pair(buckets(&fast), buckets(&fast)));
}

#[test]
fn faster_requests_fail_only_where_a_decrease_is_worse() {
    let (fast, slow) = ([20.0, 60.0, 15.0, 5.0], [10.0, 50.0, 25.0, 15.0]);
    let decrease = format!("{HISTOGRAM}    worse: decrease\n");
    let either = format!("{HISTOGRAM}    worse: either\n");
    check(HISTOGRAM, Ruling::Pass, |_| pair(buckets(&fast), buckets(&slow)));
    check(&decrease, Ruling::Fail, |_| pair(buckets(&fast), buckets(&slow)));
    check(&decrease, Ruling::Pass, |_| pair(buckets(&slow), buckets(&fast)));
    check(&either, Ruling::Fail, |_| pair(buckets(&fast), buckets(&slow)));
    check(&either, Ruling::Fail, |_| pair(buckets(&slow), buckets(&fast)));
    check(&either, Ruling::Pass, |_| pair(buckets(&slow), buckets(&slow)));
}

#[test]
fn more_cpu_fails_and_as_much_passes() {
    for test in ["", "    test: mann_whitney\n"] {
        let rules = format!("{GAUGE}{test}");
        let mut noise = Noise(3);
        let mut cpu = |level: f64| Measure::Value(level * (0.05 * noise.normal()).exp());
        let failed = check(&rules, Ruling::Fail, |_| pair(cpu(1.4), cpu(1.0)));
        let effect = failed.checks[0].effect.unwrap();
        assert!(0.3 < effect.estimate && effect.estimate < 0.5, "{effect:?}");
        check(&rules, Ruling::Pass, |_| pair(cpu(1.0), cpu(1.0)));
    }
}

#[test]
fn a_gauge_at_zero_everywhere_passes() {
    check(GAUGE, Ruling::Pass, |_| pair(Measure::Value(0.0), Measure::Value(0.0)));
}

#[test]
fn a_gauge_that_leaves_a_baseline_of_zero_has_no_scale_and_is_held() {
    let judgement = check(GAUGE, Ruling::Hold, |k| pair(Measure::Value(f64::from(k % 2)), Measure::Value(0.0)));
    assert!(codes(&judgement).contains(&"no_scale"));
}

#[test]
fn negative_values_are_compared_by_differences() {
    let mut noise = Noise(4);
    let mut value = |level: f64| Measure::Value(level + noise.normal());
    check(GAUGE, Ruling::Fail, |_| pair(value(-5.0), value(-20.0)));
    check(GAUGE, Ruling::Pass, |_| pair(value(-20.0), value(-20.0)));
}

#[test]
fn restarts_of_the_canary_alone_fail() {
    let judgement = check(THRESHOLD, Ruling::Fail, |k| pair(worst(f64::from(u8::from(k > 20))), worst(0.0)));
    assert!(matches!(&judgement.reasons[0].cause, Cause::ThresholdBreached { series, .. }
        if series.get("pod") == Some("c-1")));
}

#[test]
fn restarts_of_both_cohorts_are_an_incident_and_not_the_canary() {
    let judgement = check(THRESHOLD, Ruling::Hold, |_| pair(worst(2.0), worst(3.0)));
    assert!(codes(&judgement).contains(&"environment"));
    assert!(!judgement.healthy);
}

#[test]
fn an_incident_that_reaches_the_canary_one_interval_earlier_does_not_fail() {
    let breach = |from: u32| move |k: u32| worst(f64::from(u8::from(from <= k && k < 100)));
    let (canary, baseline) = (breach(40), breach(41));
    check(THRESHOLD, Ruling::Pass, |k| pair(canary(k), baseline(k)));
}

#[test]
fn a_threshold_without_a_baseline_is_judged_alone() {
    let alone = |value: f64| CheckEvidence {
        canary: seen(worst(value)),
        baseline: None,
        faults: Vec::new(),
        notices: Vec::new(),
    };
    let rules = format!("{THRESHOLD}    match: {{ canary: 'pod=~\"c-.*\"' }}\n");
    check(&rules, Ruling::Pass, |_| alone(0.0));
    check(&rules, Ruling::Fail, |_| alone(1.0));
}

#[test]
fn nothing_is_decided_in_the_warm_up() {
    for rules in [RATIO, THRESHOLD] {
        let rules = rules_of(rules);
        let (_, judgement) = run(&rules, 8, |_| match &rules.checks[0].kind {
            rules::CheckKind::Threshold { .. } => pair(worst(9.0), worst(0.0)),
            rules::CheckKind::Ratio { .. } | rules::CheckKind::Histogram { .. } | rules::CheckKind::Gauge { .. } => {
                pair(counts(700.0, 750.0), counts(0.0, 750.0))
            }
        });
        assert_eq!(judgement.ruling, Ruling::GoOn);
        assert_eq!(codes(&judgement), ["warming_up"]);
        assert_eq!(judgement.looks, 0);
    }
}

#[test]
fn nothing_passes_before_the_minimum_duration() {
    let (index, judgement) =
        run(&rules_of(HISTOGRAM), HOUR, |_| pair(buckets(&[500.0, 500.0, 10.0]), buckets(&[500.0, 500.0, 10.0])));
    assert_eq!(judgement.ruling, Ruling::Pass);
    assert!(40 <= index, "passed at interval {index}, the minimum duration ends at 40");
}

#[test]
fn telemetry_that_stops_never_passes() {
    for (rules, measure) in measures() {
        for stop in [1, 9, 30, 37] {
            let judgement = check(rules, Ruling::Hold, |k| {
                let canary = if k < stop { seen(measure.clone()) } else { Observed::nothing(1) };
                CheckEvidence { canary, ..pair(Measure::Nothing, measure.clone()) }
            });
            assert!(!judgement.healthy, "{rules} from {stop}");
            assert!(codes(&judgement).iter().any(|code| ["no_telemetry", "low_coverage"].contains(code)));
        }
    }
}

#[test]
fn an_infinite_sample_forbids_a_pass() {
    for (rules, measure) in measures() {
        let judgement = check(rules, Ruling::Hold, |k| {
            let mut evidence = pair(measure.clone(), measure.clone());
            evidence.canary.infinite = u32::from(k == 20);
            evidence
        });
        assert!(codes(&judgement).contains(&"non_finite"), "{rules}");
    }
}

#[test]
fn what_is_not_a_number_on_one_instance_is_missing() {
    for (rules, measure) in measures() {
        let judgement = check(rules, Ruling::Hold, |k| {
            let mut evidence = pair(measure.clone(), measure.clone());
            evidence.canary.nan = u32::from(k % 5 == 0);
            evidence
        });
        let counted = |reason: &Reason| matches!(reason.cause, Cause::LowCoverage { nan, .. } if 0 < nan);
        assert!(judgement.reasons.iter().any(counted), "{rules}");
    }
}

#[test]
fn a_fault_forbids_a_pass_and_its_evidence_is_not_used() {
    let faults = [
        Fault::CohortsOverlap { series: "up{}".to_owned() },
        Fault::BadNeverSeen { selector: "errors_total".to_owned() },
        Fault::PartialAnswer { message: "one store is down".to_owned() },
    ];
    for fault in faults {
        let judgement = check(RATIO, Ruling::Hold, |_| {
            let evidence = pair(counts(300.0, 750.0), counts(0.0, 750.0));
            CheckEvidence { faults: vec![fault.clone()], ..evidence }
        });
        assert!(judgement.checks[0].reasons[0].is_blind(), "{fault:?}");
        assert_eq!(judgement.checks[0].n.canary, 0.0);
    }
}

#[test]
fn on_fail_decides_what_a_failure_does() {
    let bad = |_| pair(counts(15.0, 750.0), counts(1.0, 750.0));
    let pause = check(&format!("{RATIO}    on_fail: pause\n"), Ruling::Hold, bad);
    assert_eq!(codes(&pause)[0], "shift_above_tolerance");
    let both = format!("{RATIO}    on_fail: report\n{GAUGE}");
    let timing = timing(&rules_of(&both));
    let rules = rules_of(&both);
    let mut state = State::new(&rules, timing);
    let mut ruling = Ruling::GoOn;
    for index in 1..=HOUR {
        let window = timing.window(index);
        let checks = vec![bad(index), pair(Measure::Value(1.0), Measure::Value(1.0))];
        let judged = judge(&rules, &state, &[IntervalEvidence { window, checks }], window.to);
        state = judged.0;
        ruling = judged.1.ruling;
        if ruling != Ruling::GoOn {
            break;
        }
    }
    assert_eq!(ruling, Ruling::Pass, "a check that is only reported does not count");
}

#[test]
fn at_the_deadline_on_deadline_applies() {
    let undecided = |_| pair(counts(0.0, 3.0), counts(0.0, 3.0));
    check(RATIO, Ruling::Hold, undecided);
    let fail = "schedule: { on_deadline: fail }\n";
    let text = format!("version: 1\nname: gate\n{fail}checks:\n{RATIO}");
    let rules = rules::parse("gate.yaml", &text).unwrap().rules;
    let (_, judgement) = run(&rules, HOUR, undecided);
    assert_eq!(judgement.ruling, Ruling::Fail);
    assert_eq!(codes(&judgement)[0], "deadline_reached");
}

#[test]
fn at_most_sixty_looks_are_planned_and_the_last_is_at_the_deadline() {
    for seconds in [15, 20, 60, 300] {
        let interval = Duration::from_secs(seconds);
        let timing = Timing::new(&rules_of(RATIO).schedule, Timestamp::from_millis(0), Some(interval), None);
        let planned = (1..=timing.last()).filter(|index| timing.is_planned(*index)).count();
        assert_eq!(u32::try_from(planned).unwrap(), timing.planned(), "at {seconds} s");
        assert!(planned <= 60 && timing.is_planned(timing.last()), "{planned} at {seconds} s");
    }
}

#[test]
fn many_intervals_at_once_say_what_they_say_one_by_one() {
    let rules = rules_of(GAUGE);
    let timing = timing(&rules);
    let mut noise = Noise(5);
    let evidence: Vec<IntervalEvidence> = (1..=100)
        .map(|index| {
            let value = Measure::Value(1.0 + 0.1 * noise.next());
            IntervalEvidence { window: timing.window(index), checks: vec![pair(value.clone(), value)] }
        })
        .collect();
    let now = evidence[99].window.to;
    let at_once = judge(&rules, &State::new(&rules, timing), &evidence, now);
    let mut state = State::new(&rules, timing);
    let mut last = None;
    for interval in &evidence {
        let judged = judge(&rules, &state, std::slice::from_ref(interval), now);
        state = judged.0;
        last = Some(judged.1);
    }
    assert_eq!(at_once, (state, last.unwrap()));
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

/// Evidence of one interval of which anything may be missing.
fn any_evidence(measure: Measure) -> impl Strategy<Value = CheckEvidence> {
    let side = move |measure: Measure| {
        (any::<bool>(), 0..3_u32, 1..3_u32, 0..2_u32).prop_map(move |(there, seen, expected, infinite)| Observed {
            measure: if there { measure.clone() } else { Measure::Nothing },
            seen,
            expected,
            nan: 0,
            infinite,
        })
    };
    (side(measure.clone()), proptest::option::of(side(measure))).prop_map(|(canary, baseline)| CheckEvidence {
        canary,
        baseline,
        faults: Vec::new(),
        notices: Vec::new(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The one sentence that this test owns: not looking is never passing.
    #[test]
    fn missing_or_short_evidence_never_passes(
        kind in 0..4_usize,
        seed in any::<u64>(),
        evidence in any_evidence(Measure::Nothing),
        keep in 0..=80_u32,
    ) {
        let (text, measure) = measures()[kind].clone();
        let rules = rules_of(text);
        let mut noise = Noise(seed);
        // At most eight of each ten intervals are whole, the others lack a cohort.
        let broken_at = (noise.next() * 8.0).floor();
        let (_, judgement) = run(&rules, HOUR, |k| {
            let place = f64::from(k % 10) - broken_at;
            let whole = !(0.0..2.0).contains(&place) && noise.next() * 80.0 < f64::from(keep);
            if whole { pair(measure.clone(), measure.clone()) } else {
                let mut broken = evidence.clone();
                broken.canary.measure = Measure::Nothing;
                broken.canary.seen = 0;
                broken
            }
        });
        prop_assert_ne!(judgement.ruling, Ruling::Pass);
        prop_assert_ne!(judgement.ruling, Ruling::Fail);
    }

    #[test]
    fn identical_cohorts_never_fail(
        kind in 0..3_usize,
        worse in prop::sample::select(vec!["increase", "decrease", "either"]),
        values in prop::collection::vec(0.0..1e6_f64, 240),
    ) {
        let text = format!("{}    worse: {worse}\n", measures()[kind].0);
        let rules = rules_of(&text);
        let (_, judgement) = run(&rules, HOUR, |k| {
            let value = values[(k - 1) as usize];
            let measure = match kind {
                0 => counts((value / 100.0).floor(), 10_000.0),
                1 => buckets(&[value.floor(), (value / 3.0).floor(), 7.0]),
                _ => Measure::Value(value),
            };
            pair(measure.clone(), measure)
        });
        prop_assert_ne!(judgement.ruling, Ruling::Fail);
    }

    #[test]
    fn swapping_cohorts_mirrors_the_direction(seed in any::<u64>(), factor in 0.5..2.0_f64) {
        let judged = |worse: &str, swap: bool| {
            let mut noise = Noise(seed);
            run(&rules_of(&format!("{HISTOGRAM}    worse: {worse}\n")), HOUR, |_| {
                let mut events = |level: f64| buckets(&[noise.poisson(40.0), noise.poisson(20.0 * level), 1.0]);
                let (canary, baseline) = (events(factor), events(1.0));
                if swap { pair(baseline, canary) } else { pair(canary, baseline) }
            })
        };
        let (up, down) = (judged("increase", false), judged("decrease", true));
        prop_assert_eq!((up.0, up.1.ruling), (down.0, down.1.ruling));
        if let (Some(up), Some(down)) = (up.1.checks[0].effect, down.1.checks[0].effect) {
            prop_assert!((up.estimate + down.estimate - 1.0).abs() < 1e-9);
            prop_assert!((up.low + down.high - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn scaling_both_cohorts_changes_no_gauge(seed in any::<u64>(), scale in 1e-3..1e3_f64, shift in 0.8..1.3_f64) {
        let judged = |scale: f64| {
            let mut noise = Noise(seed);
            let mut value = |level: f64| Measure::Value(scale * level * (0.05 * noise.normal()).exp());
            run(&rules_of(GAUGE), HOUR, |_| pair(value(shift), value(1.0)))
        };
        let (one, other) = (judged(1.0), judged(scale));
        prop_assert_eq!((one.0, one.1.ruling), (other.0, other.1.ruling));
    }

    #[test]
    fn worse_samples_never_turn_a_fail_into_a_pass(seed in any::<u64>(), more in 0.0..30.0_f64) {
        let judged = |more: f64| {
            let mut noise = Noise(seed);
            run(&rules_of(RATIO), HOUR, |_| {
                let bad = noise.poisson(15.0);
                pair(counts((bad + more).min(750.0), 750.0), counts(noise.poisson(1.5), 750.0))
            })
        };
        if judged(0.0).1.ruling == Ruling::Fail {
            prop_assert_eq!(judged(more).1.ruling, Ruling::Fail);
        }
    }
}
