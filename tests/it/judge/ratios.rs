//! Bad events out of all events.

use crate::judge::HOUR;
use crate::judge::RATIO;
use crate::judge::check;
use crate::judge::counts;
use crate::judge::pair;
use crate::judge::poisson;
use crate::judge::rules_of;
use crate::judge::run;
use crate::judge::says;
use crate::judge::timing;
use crate::judge::watch;
use wavegate::judge::Cause;
use wavegate::judge::Judgement;
use wavegate::judge::Outcome;
use wavegate::judge::Ruling;
use wavegate::plan::traffic::Random;
use wavegate::series::CheckEvidence;
use wavegate::series::Observed;

#[test]
fn ten_times_the_errors_fail() {
    let mut noise = Random::named(1, "noise");
    let judgement = check(RATIO, Ruling::Fail, |_| {
        pair(counts(poisson(&mut noise, 15.0), 750.0), counts(poisson(&mut noise, 1.5), 750.0))
    });
    assert!(matches!(judgement.reasons[0].cause, Cause::ShiftAboveTolerance { effect, tolerance, .. }
        if effect.low >= tolerance && effect.estimate > 5.0));
}

#[test]
fn equal_errors_pass() {
    let mut noise = Random::named(2, "noise");
    check(RATIO, Ruling::Pass, |_| {
        pair(counts(poisson(&mut noise, 1.5), 750.0), counts(poisson(&mut noise, 1.5), 750.0))
    });
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

/// A look every four minutes: after intervals 64, 80, 96 …
const SPARSE: &str = "schedule: { min_duration: 4h, deadline: 4h }\n";

/// 100 requests a second each, 0.1 % of them bad; of the canary's a fifth in some intervals.
fn outage(noise: &mut Random, k: u32, bad: std::ops::RangeInclusive<u32>) -> CheckEvidence {
    let canary = if bad.contains(&k) { 300.0 } else { 1.5 };
    pair(counts(poisson(noise, canary), 1500.0), counts(poisson(noise, 1.5), 1500.0))
}

#[test]
fn an_outage_of_the_canary_fails_within_two_minutes_and_between_looks() {
    let rules = rules_of(&format!("{RATIO}{SPARSE}"));
    for from in [65, 66, 67, 68, 69, 70] {
        let mut noise = Random::named(u64::from(from), "outage");
        let (index, judgement) = run(&rules, HOUR, |k| outage(&mut noise, k, from..=HOUR));
        assert_eq!(judgement.ruling, Ruling::Fail);
        assert!((from + 4..from + 8).contains(&index), "from {from} found at {index}");
        assert!(!timing(&rules).is_planned(index), "found at {index}");
    }
}

#[test]
fn a_burst_of_less_than_a_minute_between_looks_does_not_fail() {
    let rules = rules_of(&format!("{RATIO}{SPARSE}"));
    // Chance favours the fast way now and then, before and after.
    for seed in 0..8 {
        let mut noise = Random::named(seed, "burst");
        let (index, judgement) = run(&rules, 79, |k| outage(&mut noise, k, 65..=67));
        assert_eq!(judgement.ruling, Ruling::GoOn, "seed {seed} at {index}: {judgement:#?}");
    }
}

#[test]
fn a_burst_that_ends_in_silence_does_not_fail_between_looks() {
    let rules = rules_of(&format!("{RATIO}{SPARSE}"));
    let mut noise = Random::named(1, "silence");
    let (index, judgement) = run(&rules, 79, |k| {
        let mut evidence = outage(&mut noise, k, 65..=67);
        if k > 67 {
            evidence.canary = Observed::nothing(1);
        }
        evidence
    });
    assert_eq!(judgement.ruling, Ruling::GoOn, "at {index}: {judgement:#?}");
}

#[test]
fn twenty_times_the_errors_fail_fast_only_above_the_floor() {
    let evidence = |_| pair(counts(80.0, 200_000.0), counts(4.0, 200_000.0));
    check(RATIO, Ruling::Pass, evidence);
    let (index, judgement) = run(&rules_of(&format!("{RATIO}    floor: 0%\n")), HOUR, evidence);
    assert_eq!(judgement.ruling, Ruling::Fail);
    assert!(index <= 16, "found two minutes after the warm-up, not at {index}");
}

#[test]
fn three_times_the_errors_in_the_last_minute_forbid_a_pass() {
    let rules = rules_of(RATIO);
    let all: Vec<Judgement> = watch(&rules, 60, |k| {
        let canary = if k > 56 { 24.0 } else { 8.0 };
        pair(counts(canary, 3000.0), counts(8.0, 3000.0))
    })
    .collect();
    assert_eq!((all[39].ruling, all[59].ruling), (Ruling::Pass, Ruling::GoOn), "{:#?}", all[59]);
    assert!(says(&all[59], "recent_shift"), "{:#?}", all[59]);
}
