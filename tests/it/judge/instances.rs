//! One bad instance among good ones, and gauges judged by the means of instances.

use crate::judge::GAUGE;
use crate::judge::HOUR;
use crate::judge::RATIO;
use crate::judge::check;
use crate::judge::codes;
use crate::judge::counts;
use crate::judge::detail;
use crate::judge::instances;
use crate::judge::pair;
use crate::judge::poisson;
use crate::judge::rules_of;
use crate::judge::run;
use wavegate::judge::Cause;
use wavegate::judge::Ruling;
use wavegate::judge::Warning;
use wavegate::plan::traffic::Random;
use wavegate::series::CheckEvidence;
use wavegate::series::Measure;

/// Requests of one instance in an interval.
const REQUESTS: f64 = 150.0;

/// A canary of as many instances as `bad` has mean numbers of bad events, and a baseline of
/// twenty with the first of them.
fn fleet(noise: &mut Random, bad: &[f64]) -> CheckEvidence {
    let bad: Vec<f64> = bad.iter().map(|mean| poisson(noise, *mean)).collect();
    let size = |instances: usize| f64::from(u32::try_from(instances).unwrap()) * REQUESTS;
    let others: Vec<f64> = (0..20).map(|_| poisson(noise, 0.75)).collect();
    let baseline = counts(others.iter().sum(), size(20));
    let mut evidence = pair(counts(bad.iter().sum(), size(bad.len())), baseline);
    evidence.canary.instances = instances(bad.iter().map(|bad| counts(*bad, REQUESTS)));
    if let Some(baseline) = &mut evidence.baseline {
        baseline.instances = instances(others.iter().map(|bad| counts(*bad, REQUESTS)));
    }
    evidence
}

#[test]
fn the_one_bad_instance_of_twenty_is_named() {
    let mut bad = [0.75; 20];
    bad[7] = 7.5;
    let mut noise = Random::named(1, "one bad instance");
    let judgement = check(RATIO, Ruling::Fail, |_| fleet(&mut noise, &bad));
    let named = |cause: &Cause| matches!(cause, Cause::InstanceAboveTolerance { instance, ratio, .. } if instance == "c-07" && *ratio > 0.02);
    assert!(named(&judgement.reasons[0].cause), "{judgement:#?}");
    // Without the names of the instances nobody could tell.
    let mut noise = Random::named(1, "one bad instance");
    let (_, blurred) = run(&rules_of(RATIO), HOUR, |_| {
        let mut evidence = fleet(&mut noise, &bad);
        evidence.canary.instances.clear();
        evidence
    });
    assert!(!codes(&blurred).contains(&"instance_above_tolerance"));
}

#[test]
fn an_instance_that_is_as_bad_in_the_baseline_does_not_fail() {
    for seed in 0..5 {
        let mut noise = Random::named(seed, "leaders");
        check(RATIO, Ruling::Pass, |_| {
            let mut evidence = fleet(&mut noise, &[15.0, 0.0, 0.0]);
            let leader = poisson(&mut noise, 15.0);
            if let Some(baseline) = &mut evidence.baseline {
                baseline.measure = counts(leader, 3.0 * REQUESTS);
                baseline.instances = instances([leader, 0.0, 0.0].map(|bad| counts(bad, REQUESTS)));
            }
            evidence
        });
    }
}

#[test]
fn twenty_good_instances_do_not_fail() {
    for seed in 0..5 {
        let mut noise = Random::named(seed, "good instances");
        check(RATIO, Ruling::Pass, |_| fleet(&mut noise, &[0.75; 20]));
    }
}

#[test]
fn a_gate_without_instances_keeps_all_its_risk() {
    let needed = |bad: &[f64], named: bool| {
        let mut noise = Random::named(2, "risk");
        let (_, judgement) = run(&rules_of(RATIO), 20, |_| {
            let mut evidence = fleet(&mut noise, bad);
            evidence.canary.instances.truncate(if named { bad.len() } else { 0 });
            evidence
        });
        assert_eq!(judgement.checks[0].alpha, Some(0.05));
        (-detail(&judgement.checks[0], "log_e_needed")).exp()
    };
    // A fifth is for the fast way, and where there are instances a fifth is for one of them.
    let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
    assert!(close(needed(&[0.75; 20], false), 0.8 * 0.05));
    assert!(close(needed(&[0.75], true), 0.8 * 0.05), "one instance is the cohort");
    assert!(close(needed(&[0.75; 2], true), 0.8 * 0.8 * 0.05));
}

/// Each instance has a level of its own, 3 % about `level`, and noise about that.
fn pods(noise: &mut Random, count: u32, level: f64) -> Vec<Measure> {
    let offset = |pod: u32| 1.0 + 0.03 * (f64::from(pod) * 2.4).sin();
    (0..count).map(|pod| Measure::Value(level * offset(pod) * (0.05 * noise.normal()).exp())).collect()
}

fn by_instance(noise: &mut Random, canaries: u32, level: f64) -> CheckEvidence {
    let mean = |pods: &[Measure]| {
        let values = pods.iter().map(|pod| if let Measure::Value(value) = pod { *value } else { 0.0 });
        Measure::Value(values.sum::<f64>() / f64::from(u32::try_from(pods.len()).unwrap()))
    };
    let (canary, baseline) = (pods(noise, canaries, level), pods(noise, 5, 1.0));
    let mut evidence = pair(mean(&canary), mean(&baseline));
    evidence.canary.instances = instances(canary);
    if let Some(other) = &mut evidence.baseline {
        other.instances = instances(baseline);
    }
    evidence
}

#[test]
fn three_instances_against_five_are_judged_as_instances() {
    let rules = format!("{GAUGE}    by: instance\n");
    let mut noise = Random::named(1, "pods");
    let judgement = check(&rules, Ruling::Fail, |_| by_instance(&mut noise, 3, 1.5));
    let outcome = &judgement.checks[0];
    assert_eq!((detail(outcome, "instances_canary"), detail(outcome, "instances_baseline")), (3.0, 5.0));
    assert_eq!(outcome.warnings, []);
    check(&rules, Ruling::Pass, |_| by_instance(&mut noise, 3, 1.0));
}

#[test]
fn two_instances_are_judged_as_a_cohort_and_it_is_said() {
    let rules = format!("{GAUGE}    by: instance\n");
    let mut noise = Random::named(2, "pods");
    let judgement = check(&rules, Ruling::Fail, |_| by_instance(&mut noise, 2, 1.5));
    let said = Warning::JudgedAsCohorts { canary: 2, baseline: 5, need: [3, 5] };
    assert_eq!(judgement.checks[0].warnings, [said]);
    assert!(judgement.checks[0].details.iter().all(|(name, _)| *name != "instances_canary"));
}
