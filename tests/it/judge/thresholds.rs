//! Bounds that no series may pass.

use crate::judge::THRESHOLD;
use crate::judge::check;
use crate::judge::codes;
use crate::judge::pair;
use crate::judge::seen;
use crate::judge::worst;
use wavegate::judge::Cause;
use wavegate::judge::Ruling;
use wavegate::series::CheckEvidence;

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
