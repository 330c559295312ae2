//! Evidence that is missing or no good: not looking is never passing.

use crate::judge::HISTOGRAM;
use crate::judge::RATIO;
use crate::judge::buckets;
use crate::judge::check;
use crate::judge::codes;
use crate::judge::counts;
use crate::judge::measures;
use crate::judge::pair;
use crate::judge::seen;
use wavegate::judge::Cause;
use wavegate::judge::Reason;
use wavegate::judge::Ruling;
use wavegate::series::CheckEvidence;
use wavegate::series::Fault;
use wavegate::series::Measure;
use wavegate::series::Observed;

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
fn a_baseline_that_drops_out_of_the_evidence_is_missing() {
    for (rules, measure) in measures() {
        check(rules, Ruling::Hold, |k| CheckEvidence {
            baseline: (k <= 30).then(|| seen(measure.clone())),
            ..pair(measure.clone(), Measure::Nothing)
        });
    }
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
fn seven_of_ten_intervals_are_not_enough() {
    for (rules, measure) in measures() {
        let judgement = check(rules, Ruling::Hold, |k| {
            let canary = if k % 10 < 7 { measure.clone() } else { Measure::Nothing };
            pair(canary, measure.clone())
        });
        assert!(!judgement.healthy, "{rules}");
    }
}

#[test]
fn a_cohort_that_showed_nothing_is_missing_whatever_arrived() {
    for (rules, measure) in measures() {
        let judgement = check(rules, Ruling::Hold, |_| pair(Measure::Nothing, measure.clone()));
        assert!(codes(&judgement).contains(&"no_telemetry"), "{rules}: {judgement:#?}");
    }
}
