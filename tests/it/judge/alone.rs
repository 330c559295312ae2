//! Bad events with nobody to compare them with.

use super::HOUR;
use super::counts;
use super::poisson;
use super::rules_of;
use super::run;
use super::says;
use super::seen;
use super::timing;
use super::watch;
use wavegate::judge::Cause;
use wavegate::judge::Judgement;
use wavegate::judge::Outcome;
use wavegate::judge::Ruling;
use wavegate::judge::Unit;
use wavegate::judge::Warning;
use wavegate::plan::traffic::Random;
use wavegate::rules::RuleFile;
use wavegate::series::CheckEvidence;
use wavegate::series::Fault;
use wavegate::series::Measure;

/// A ratio of which 1 % is good enough, without a baseline.
fn rules() -> RuleFile {
    let check = "  - name: errors\n    ratio: { bad: 'errors_total', total: requests_total }\n    floor: 1%\n";
    let mut rules = rules_of(check);
    rules.cohorts.baseline = None;
    rules
}

fn only(canary: Measure) -> CheckEvidence {
    CheckEvidence { canary: seen(canary), baseline: None, faults: Vec::new(), notices: Vec::new() }
}

#[track_caller]
fn check(seed: u64, share: impl Fn(u32) -> f64, expect: Ruling) -> (u32, Judgement) {
    let mut noise = Random::named(seed, "alone");
    let (index, judgement) = run(&rules(), HOUR, |k| only(counts(poisson(&mut noise, 750.0 * share(k)), 750.0)));
    assert_eq!(judgement.ruling, expect, "after {index} intervals: {judgement:#?}");
    (index, judgement)
}

#[test]
fn under_its_floor_it_passes_and_far_above_it_fails() {
    check(1, |_| 0.0, Ruling::Pass);
    check(2, |_| 0.004, Ruling::Pass);
    let (_, failed) = check(3, |_| 0.03, Ruling::Fail);
    let check = &failed.checks[0];
    let effect = check.effect.unwrap();
    assert_eq!(effect.unit, Unit::Share);
    assert!(0.0125 <= effect.low && effect.low < effect.estimate && effect.estimate < effect.high, "{effect:?}");
    let margins = check.margins.unwrap();
    assert!((margins.tolerance - 0.0125).abs() < 1e-12 && (margins.pass_within - 0.01).abs() < 1e-12);
    assert_eq!(check.warnings, [Warning::JudgedAlone { floor: 0.01 }]);
    assert!(
        matches!(failed.reasons[0].cause, Cause::ShiftAboveTolerance { tolerance, .. } if tolerance == margins.tolerance)
    );
}

#[test]
fn between_its_floor_and_its_tolerance_it_stays_undecided() {
    let (index, judgement) = check(4, |_| 0.011, Ruling::Hold);
    assert_eq!((index, judgement.checks[0].outcome), (HOUR, Outcome::Inconclusive));
    let effect = judgement.checks[0].effect.unwrap();
    assert!(effect.low < 0.0125 && 0.01 < effect.high, "{effect:?}");
}

#[test]
fn an_outage_of_a_fifth_is_found_in_two_minutes_of_it() {
    let (index, _) = check(5, |k| if k > 20 { 0.2 } else { 0.008 }, Ruling::Fail);
    assert!((21..=28).contains(&index), "after {index} intervals");
}

#[test]
fn a_burst_of_one_interval_is_no_change() {
    for burst in [9, 30, 100] {
        let mut noise = Random::named(6, "alone");
        let evidence = |k| only(counts(poisson(&mut noise, if k == burst { 300.0 } else { 1.5 }), 750.0));
        assert!(watch(&rules(), HOUR, evidence).all(|judgement| judgement.ruling != Ruling::Fail), "{burst}");
    }
}

#[test]
fn what_is_not_seen_never_passes() {
    let rules = rules();
    let nothing = run(&rules, HOUR, |_| only(Measure::Nothing)).1;
    let idle = run(&rules, HOUR, |_| only(counts(0.0, 0.0))).1;
    let partial = Fault::PartialAnswer { message: "gone".to_owned() };
    let faulty = run(&rules, HOUR, |_| CheckEvidence { faults: vec![partial.clone()], ..only(counts(0.0, 750.0)) }).1;
    let silenced = run(&rules, 60, |k| only(counts(0.0, if k < 30 { 100.0 } else { 0.0 }))).1;
    for judgement in [nothing, idle, faulty, silenced] {
        assert_ne!(judgement.checks[0].outcome, Outcome::Pass, "{judgement:#?}");
    }
    let late = |k: u32| if k > 35 { 0.03 } else { 0.0 };
    let (index, risen) = check(7, late, Ruling::Fail);
    assert!(index > 36 && !says(&risen, "needs_more_evidence"));
}

#[test]
fn without_a_floor_nothing_is_good_enough_and_nothing_too_much() {
    let mut rules = rules();
    if let wavegate::rules::CheckKind::Ratio { floor, .. } = &mut rules.checks[0].kind {
        *floor = 0.0;
    }
    for share in [0.0, 0.5] {
        let judgement = run(&rules, HOUR, |_| only(counts(750.0 * share, 750.0))).1;
        assert_eq!(judgement.checks[0].outcome, Outcome::Inconclusive);
    }
    assert!(timing(&rules).last() >= HOUR);
}
