//! When something is said: the planned looks, the deadline, what is to come.

use crate::judge::GAUGE;
use crate::judge::HISTOGRAM;
use crate::judge::HOUR;
use crate::judge::RATIO;
use crate::judge::THRESHOLD;
use crate::judge::buckets;
use crate::judge::check;
use crate::judge::codes;
use crate::judge::counts;
use crate::judge::looks;
use crate::judge::pair;
use crate::judge::poisson;
use crate::judge::rules_of;
use crate::judge::run;
use crate::judge::timing;
use crate::judge::worst;
use std::collections::BTreeSet;
use std::time::Duration;
use wavegate::judge::Expected;
use wavegate::judge::Outcome;
use wavegate::judge::Ruling;
use wavegate::judge::State;
use wavegate::judge::Timing;
use wavegate::judge::judge;
use wavegate::plan::traffic::Random;
use wavegate::rules;
use wavegate::series::CheckEvidence;
use wavegate::series::IntervalEvidence;
use wavegate::series::Measure;
use wavegate::series::Observed;
use wavegate::series::Timestamp;

#[test]
fn nothing_is_decided_in_the_warm_up() {
    for rules in [RATIO, THRESHOLD] {
        let rules = rules_of(rules);
        let (_, judgement) = run(&rules, 8, |_| match &rules.checks[0].kind {
            rules::CheckKind::Threshold { .. } => pair(worst(9.0), worst(0.0)),
            rules::CheckKind::Ratio { .. }
            | rules::CheckKind::Histogram { .. }
            | rules::CheckKind::Quantile { .. }
            | rules::CheckKind::Gauge { .. } => pair(counts(700.0, 750.0), counts(0.0, 750.0)),
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
        let judged = judge(&rules, &state, &[IntervalEvidence { window, checks, budget: None }], window.to);
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
    let mut noise = Random::named(5, "noise");
    let evidence: Vec<IntervalEvidence> = (1..=100)
        .map(|index| {
            let value = Measure::Value(1.0 + 0.1 * noise.unit());
            IntervalEvidence { window: timing.window(index), checks: vec![pair(value.clone(), value)], budget: None }
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

#[test]
fn a_pass_is_found_at_the_minimum_duration_at_tenths_and_at_the_deadline() {
    let hour = timing(&rules_of(RATIO));
    assert_eq!(hour.pass_looks(), (0..=10).map(|tenth| 40 + 20 * tenth).collect::<Vec<u32>>());
    for schedule in [
        "deadline: 12m, min_duration: 4m, warmup: 1m",
        "deadline: 90m, min_duration: 20m",
        "interval: 1m, deadline: 60m, min_duration: 60m",
        "interval: 1m, deadline: 25h",
        "deadline: 11m",
    ] {
        let timing = timing(&rules_of(&format!("{RATIO}schedule: {{ {schedule} }}\n")));
        let (looks, planned) = (timing.pass_looks(), timing.planned_looks());
        assert!(looks.windows(2).all(|pair| pair[0] < pair[1]), "{schedule}: {looks:?}");
        assert!(looks.iter().all(|index| planned.contains(index)), "{schedule}: {looks:?}");
        assert!(looks.len() <= 11 && looks.last() == Some(&timing.last()), "{schedule}: {looks:?}");
        assert!(timing.min_end <= timing.window(looks[0]).to, "{schedule}: {looks:?}");
        let before = planned.iter().filter(|index| **index < looks[0] && timing.min_end <= timing.window(**index).to);
        assert_eq!(before.count(), 0, "{schedule}: the first is at the minimum duration");
    }
}

/// As many requests as `requests`, and a gauge with 30 % of noise.
fn unsure(noise: &mut Random, requests: f64, kind: &str) -> CheckEvidence {
    let mut measure = || match kind {
        RATIO => counts(poisson(noise, 0.004 * requests), requests),
        HISTOGRAM => buckets(&[0.2, 0.4, 0.3, 0.1].map(|share| poisson(noise, share * requests))),
        _ => Measure::Value((0.3 * noise.normal()).exp()),
    };
    let canary = measure();
    pair(canary, measure())
}

#[test]
fn nothing_passes_between_the_looks_of_a_pass() {
    let mut at = BTreeSet::new();
    for kind in [RATIO, HISTOGRAM, GAUGE] {
        let rules = rules_of(kind);
        let planned = timing(&rules).pass_looks();
        for seed in 0..4 {
            let mut noise = Random::named(seed, kind);
            let requests = [60.0, 300.0, 600.0, 3000.0][usize::try_from(seed).unwrap()];
            let all = looks(&rules, HOUR, |_| unsure(&mut noise, requests, kind));
            let first = all.iter().position(|judgement| judgement.checks[0].outcome == Outcome::Pass);
            let Some(first) = first else { continue };
            let index = u32::try_from(first).unwrap() + 1;
            assert!(planned.contains(&index), "{kind} passed at {index}");
            at.insert(index);
        }
    }
    assert!(1 < at.len(), "not all at the same: {at:?}");
}

#[test]
fn the_risk_that_is_spent_grows_from_nothing_to_all_of_it() {
    for spending in ["linear", "obf"] {
        let rules = rules_of(&format!("{RATIO}risk: {{ spending: {spending} }}\n"));
        let all = looks(&rules, HOUR, |_| pair(counts(0.0, 3.0), counts(0.0, 3.0)));
        assert_eq!(all.len(), 240);
        let spent: Vec<f64> = all.iter().map(|judgement| judgement.checks[0].alpha_spent.unwrap()).collect();
        assert!(spent.is_sorted(), "{spending}: {spent:?}");
        assert_eq!(spent[7], 0.0, "nothing in the warm-up");
        assert!(spent[60] < spent[120] && spent[120] < spent[239], "{spending}: {spent:?}");
        let alpha = all[239].checks[0].alpha.unwrap();
        assert!((spent[239] - alpha).abs() < 1e-12, "{spending}: {} of {alpha}", spent[239]);
    }
}

#[test]
fn risk_that_is_kept_for_the_end_finds_a_huge_regression_later() {
    let found = |spending: &str| {
        let mut noise = Random::named(1, "spending");
        let mut value = |level: f64| Measure::Value(level * (0.1 * noise.normal()).exp());
        let rules = rules_of(&format!("{GAUGE}risk: {{ spending: {spending} }}\n"));
        let (index, judgement) = run(&rules, HOUR, |_| pair(value(2.0), value(1.0)));
        assert_eq!(judgement.ruling, Ruling::Fail, "{spending}");
        index
    };
    let (linear, obf) = (found("linear"), found("obf"));
    assert!(linear < obf, "linear at {linear}, obf at {obf}");
}

#[test]
fn what_is_expected_of_a_clean_wave_is_a_pass_at_a_later_look_of_one() {
    let rules = rules_of(RATIO);
    let grid = timing(&rules);
    let ends: Vec<Timestamp> = grid.pass_looks().into_iter().map(|index| grid.window(index).to).collect();
    let mut noise = Random::named(1, "expected");
    let all =
        looks(&rules, HOUR, |_| pair(counts(poisson(&mut noise, 3.0), 750.0), counts(poisson(&mut noise, 3.0), 750.0)));
    assert_eq!(all.last().unwrap().ruling, Ruling::Pass);
    let expected: Vec<Expected> = all.iter().filter_map(|judgement| judgement.expected).collect();
    assert!(expected.iter().any(|next| next.outcome == Outcome::Pass), "{expected:?}");
    for (judgement, next) in all.iter().filter_map(|judgement| Some((judgement, judgement.expected?))) {
        assert!(judgement.at <= next.at, "{} and {next:?}", judgement.at);
        assert!(next.outcome != Outcome::Pass || ends.contains(&next.at), "{next:?}");
    }
    assert_eq!(all.last().unwrap().expected, None, "what is decided is not expected");
}

#[test]
fn what_is_expected_of_a_bad_wave_is_a_fail() {
    let mut noise = Random::named(2, "expected");
    let all = looks(&rules_of(RATIO), HOUR, |_| {
        pair(counts(poisson(&mut noise, 8.0), 1000.0), counts(poisson(&mut noise, 2.0), 1000.0))
    });
    assert_eq!(all.last().unwrap().ruling, Ruling::Fail);
    let before: Vec<Expected> = all.iter().filter_map(|judgement| judgement.expected).collect();
    assert_eq!(before.last().map(|next| next.outcome), Some(Outcome::Fail), "{before:?}");
}

#[test]
fn who_does_not_see_expects_nothing() {
    let mut noise = Random::named(3, "expected");
    let all = looks(&rules_of(RATIO), 60, |k| {
        let mut evidence = pair(counts(poisson(&mut noise, 3.0), 300.0), counts(poisson(&mut noise, 3.0), 300.0));
        if k > 24 {
            evidence.canary = Observed::nothing(1);
        }
        evidence
    });
    assert!(all[23].expected.is_some(), "{:#?}", all[23]);
    let blind = all.iter().filter(|judgement| !judgement.healthy);
    assert!(20 < blind.clone().count());
    assert!(blind.map(|judgement| judgement.expected).all(|expected| expected.is_none()));
}

#[test]
fn asking_again_without_a_new_interval_never_passes() {
    let rules = rules_of(HISTOGRAM);
    let timing = timing(&rules);
    let events = buckets(&[500.0, 500.0, 10.0]);
    let evidence: Vec<IntervalEvidence> = (1..=40)
        .map(|index| IntervalEvidence {
            budget: None,
            window: timing.window(index),
            checks: vec![pair(events.clone(), events.clone())],
        })
        .collect();
    let now = timing.window(40).to;
    let (state, judgement) = judge(&rules, &State::new(&rules, timing), &evidence, now);
    assert_eq!(judgement.ruling, Ruling::Pass);
    for later in [now, timing.window(41).to, timing.deadline, timing.deadline + Duration::from_hours(1)] {
        let (again, judgement) = judge(&rules, &state, &[], later);
        assert_eq!(judgement.ruling, Ruling::GoOn);
        assert_eq!(again, state);
    }
}
