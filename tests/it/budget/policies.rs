//! Each policy by itself: its limit, its switch, and what becomes of the gate.

use crate::support::budgets::START;
use crate::support::budgets::Watch;
use crate::support::budgets::rules;
use crate::support::budgets::scheduled;
use crate::support::budgets::seen;
use crate::support::budgets::service;
use crate::support::budgets::wave;
use std::sync::Arc;
use std::time::Duration;
use wavegate::judge::BaselineKind;
use wavegate::judge::BudgetOutcome;
use wavegate::judge::Cause;
use wavegate::judge::Cohort;
use wavegate::judge::Judgement;
use wavegate::judge::Policy;
use wavegate::judge::Ruling;
use wavegate::judge::Stand;
use wavegate::rules::RuleFile;
use wavegate::series::BudgetEvidence;
use wavegate::series::CheckEvidence;
use wavegate::series::Counts;
use wavegate::series::Fault;
use wavegate::series::InstanceEvidence;
use wavegate::series::Measure;
use wavegate::series::Observed;
use wavegate::series::ServiceReading;

/// A minute in which both cohorts burn half of what they may.
fn calm() -> CheckEvidence {
    wave([1.0, 2000.0], [9.0, 18_000.0])
}

/// A minute in which the canary burns ten times as fast.
fn hot() -> CheckEvidence {
    wave([10.0, 2000.0], [9.0, 18_000.0])
}

/// What each of the first `looks` looks says, with what `see` makes of the minute and of a
/// service that has all of its error budget.
fn watch(
    rules: &Arc<RuleFile>,
    looks: u32,
    see: impl Fn(u32, ServiceReading) -> Option<BudgetEvidence>,
) -> Vec<Judgement> {
    let mut watch = Watch::new(rules);
    let look = |index| watch.look(|at| see(index, service(rules, at, 0.0, 1e8)));
    (1..=looks).map(look).collect()
}

/// The same of a wave whose service is well.
fn of_wave(rules: &Arc<RuleFile>, looks: u32, see: impl Fn(u32) -> CheckEvidence) -> Vec<Judgement> {
    watch(rules, looks, |index, service| Some(BudgetEvidence { wave: see(index), service: Some(service) }))
}

fn codes(judgement: &Judgement) -> Vec<&'static str> {
    judgement.reasons.iter().map(|reason| reason.cause.code()).collect()
}

fn budget(judgement: &Judgement) -> &BudgetOutcome {
    judgement.budget.as_ref().unwrap()
}

fn stand(judgement: &Judgement, policy: Policy) -> Option<Stand> {
    budget(judgement).policies.iter().find(|one| one.policy == policy).unwrap().stand
}

#[test]
fn a_wave_that_burns_like_its_baseline_passes() {
    let judged = of_wave(&Arc::new(rules("")), 6, |_| calm());
    assert_eq!(judged[4].ruling, Ruling::Pass, "{:#?}", judged[4]);
    assert!(judged[4].healthy);
    assert_eq!(codes(&judged[4]), ["all_checks_passed"]);
    let policies: Vec<Policy> = budget(&judged[4]).policies.iter().map(|one| one.policy).collect();
    let all = [Policy::WaveBurn, Policy::Reserve, Policy::WavesSpend, Policy::Page, Policy::Projected];
    assert_eq!(policies, all);
    assert!(budget(&judged[4]).policies.iter().all(|one| one.stand == Some(Stand::Pass)));
}

#[test]
fn a_wave_that_burns_too_fast_pauses_after_five_slices_and_heals() {
    let rules = Arc::new(rules(", projected: off"));
    let judged = of_wave(&rules, 60, |index| if index <= 5 { hot() } else { calm() });
    // Four slices tell nobody a burst from a change.
    assert_eq!(stand(&judged[3], Policy::WaveBurn), Some(Stand::Inconclusive));
    assert!(codes(&judged[3]).contains(&"wave_burn_unconfirmed"), "{:?}", codes(&judged[3]));
    let paused = &judged[4];
    assert_eq!((paused.ruling, paused.healthy), (Ruling::GoOn, false), "{paused:#?}");
    assert_eq!(codes(paused), ["wave_burn", "all_checks_passed"]);
    assert_eq!(paused.expected, None);
    let healed = judged.iter().find(|judgement| judgement.ruling == Ruling::Pass).unwrap();
    assert!(healed.healthy && budget(healed).wave.ratio.unwrap() <= 2.0);
}

#[test]
fn slices_are_minutes_of_intervals_of_any_length() {
    for (interval, looks, slices) in [("15s", 23, 5), ("15s", 24, 6), ("40s", 9, 4), ("5m", 3, 3)] {
        let schedule = format!("{{ interval: {interval}, warmup: 0s, min_duration: 5m, deadline: 60m }}");
        let judged = of_wave(&Arc::new(scheduled(&schedule, "99.9%", "")), looks, |_| calm());
        assert_eq!(budget(judged.last().unwrap()).wave.slices, slices, "{interval} {looks}");
    }
}

#[test]
fn each_policy_can_be_switched_off() {
    let troubled = |mut service: ServiceReading| {
        service.paging = vec!["other".to_owned()];
        service.spent_by_others = 50_000.0;
        service.period.counts = Some(Counts { bad: 90_000.0, total: 1e8 });
        service
    };
    for (off, policy) in [
        (", wave_burn: off", Policy::WaveBurn),
        (", reserve: off", Policy::Reserve),
        (", waves_spend: off", Policy::WavesSpend),
        (", page: off", Policy::Page),
        (", projected: off", Policy::Projected),
    ] {
        let bad = || wave([40.0, 2000.0], [9.0, 18_000.0]);
        let judged = watch(&Arc::new(rules(off)), 6, |_, service| {
            Some(BudgetEvidence { wave: bad(), service: Some(troubled(service)) })
        });
        for one in &budget(&judged[5]).policies {
            let stops = matches!(one.stand, Some(Stand::Pause | Stand::Hold));
            assert_eq!(stops, one.policy != policy, "{off}: {one:?}");
            assert_eq!(one.stand.is_none(), one.policy == policy, "{off}: {one:?}");
        }
        let said = codes(&judged[5]);
        assert_eq!(said.len(), 5, "{off}: {said:?}");
    }
}

#[test]
fn the_service_is_told_of_in_the_warm_up_and_the_wave_is_not() {
    let schedule = "{ interval: 1m, warmup: 10m, min_duration: 15m, deadline: 60m }";
    let rules = Arc::new(scheduled(schedule, "99.9%", ""));
    let judged = of_wave(&rules, 12, |_| hot());
    assert_eq!(codes(&judged[5]), ["warming_up"]);
    assert!(judged[5].healthy);
    assert_eq!(codes(&judged[10])[0], "wave_burn");
    let paged = watch(&rules, 1, |_, service| {
        let service = ServiceReading { paging: vec!["latency".to_owned()], ..service };
        Some(BudgetEvidence { wave: calm(), service: Some(service) })
    });
    assert_eq!((paged[0].ruling, paged[0].healthy), (Ruling::GoOn, false));
    assert_eq!(codes(&paged[0]), ["slo_page", "warming_up"]);
    let spent = watch(&rules, 1, |_, service| {
        let service = ServiceReading { spent_by_others: 90_000.0, ..service };
        Some(BudgetEvidence { wave: calm(), service: Some(service) })
    });
    assert_eq!(spent[0].ruling, Ruling::Hold);
    assert_eq!(codes(&spent[0]), ["budget_spent_by_waves", "warming_up"]);
}

#[test]
fn what_asked_a_person_goes_on_asking() {
    let judged = watch(&Arc::new(rules("")), 8, |index, mut service| {
        if index == 2 {
            service.period.counts = Some(Counts { bad: 95_000.0, total: 1e8 });
        }
        Some(BudgetEvidence { wave: calm(), service: Some(service) })
    });
    for judgement in &judged[1..] {
        assert_eq!((judgement.ruling, budget(judgement).stand), (Ruling::Hold, Stand::Hold));
        assert_eq!(codes(judgement)[0], "budget_reserve");
        assert!(!codes(judgement).contains(&"deadline_reached"));
    }
    // What it says of now stands beside it.
    assert_eq!(stand(&judged[7], Policy::Reserve), Some(Stand::Pass));
}

#[test]
fn a_page_of_the_service_pauses_until_it_is_over() {
    let judged = watch(&Arc::new(rules("")), 10, |index, mut service| {
        if index < 8 {
            for window in &mut service.windows {
                (window.counts, window.bad_events) = (Some(Counts { bad: 900.0, total: 1000.0 }), 900.0);
            }
        }
        Some(BudgetEvidence { wave: calm(), service: Some(service) })
    });
    assert_eq!((judged[6].ruling, judged[6].healthy), (Ruling::GoOn, false));
    assert_eq!(codes(&judged[6])[0], "slo_page");
    assert_eq!(judged[7].ruling, Ruling::Pass);
}

#[test]
fn a_service_that_nobody_knows_is_no_pass() {
    let blind: [fn(ServiceReading) -> Option<BudgetEvidence>; 3] = [
        |_| None,
        |_| Some(BudgetEvidence { wave: calm(), service: None }),
        |mut service| {
            for span in service.windows.iter_mut().chain([&mut service.period, &mut service.events]) {
                (span.counts, span.seen) = (None, 0);
            }
            Some(BudgetEvidence { wave: calm(), service: Some(service) })
        },
    ];
    for (position, see) in blind.into_iter().enumerate() {
        let judged = watch(&Arc::new(rules("")), 60, |_, service| see(service));
        assert!(judged.iter().all(|judgement| !judgement.healthy && judgement.ruling != Ruling::Pass), "{position}");
        assert!(codes(&judged[9]).contains(&"budget_unknown"), "{position}: {:?}", codes(&judged[9]));
        assert_eq!(judged[59].ruling, Ruling::Hold);
        assert!(codes(&judged[59]).contains(&"deadline_reached"));
    }
}

#[test]
fn evidence_with_a_fault_is_blind_and_not_used() {
    for (fault, code) in [
        (Fault::CohortsOverlap { series: "s".to_owned() }, "cohorts_overlap"),
        (Fault::PartialAnswer { message: "m".to_owned() }, "partial_answer"),
        (Fault::BadNeverSeen { selector: "b".to_owned() }, "bad_never_seen"),
    ] {
        let see = |_| CheckEvidence { faults: vec![fault.clone()], ..calm() };
        let judged = of_wave(&Arc::new(rules("")), 8, see);
        assert!(judged.iter().all(|judgement| !judgement.healthy && judgement.ruling == Ruling::GoOn));
        let said = &judged[7].reasons;
        assert!(said.iter().any(|reason| reason.check.is_none() && reason.cause.code() == code), "{said:?}");
        assert_eq!(budget(&judged[7]).wave.canary, Counts::default());
        let mut down = rules("");
        down.downtime = Duration::from_mins(3);
        let judged = of_wave(&Arc::new(down), 3, |_| CheckEvidence { faults: vec![fault.clone()], ..calm() });
        assert_eq!(budget(&judged[2]).wave.planned, Counts::default());
    }
}

#[test]
fn planned_downtime_is_kept_apart() {
    let mut down = scheduled("{ interval: 1m, warmup: 1m, min_duration: 10m, deadline: 60m }", "99.9%", "");
    down.downtime = Duration::from_mins(3);
    let broken = |index| if index <= 3 { wave([500.0, 500.0], [0.0, 18_000.0]) } else { calm() };
    let judged = of_wave(&Arc::new(down), 12, broken);
    let wave = &budget(&judged[11]).wave;
    assert_eq!(wave.planned, Counts { bad: 1500.0, total: 55_500.0 });
    assert_eq!(wave.canary, Counts { bad: 9.0, total: 18_000.0 });
    assert_eq!(judged[9].ruling, Ruling::Pass, "{:#?}", judged[9]);
}

#[test]
fn history_stands_in_for_a_baseline_that_nobody_is_in() {
    let before = Some(Counts { bad: 18.0, total: 18_000.0 });
    let see = |bad: f64, baseline: Option<Observed>| {
        move |_, service| {
            let canary = seen(Measure::Counts { bad, total: 18_000.0 });
            let wave = CheckEvidence { canary, baseline: baseline.clone(), ..CheckEvidence::missing() };
            Some(BudgetEvidence { wave, service: Some(ServiceReading { before, ..service }) })
        }
    };
    let rules = Arc::new(rules(""));
    for baseline in [None, Some(Observed::nothing(1)), Some(seen(Measure::Counts { bad: 0.0, total: 0.0 }))] {
        let same = watch(&rules, 6, see(18.0, baseline.clone()));
        assert_eq!(budget(&same[5]).wave.baseline_kind, BaselineKind::Historical);
        assert_eq!(same[5].ruling, Ruling::Pass, "{:#?}", same[5]);
        let worse = watch(&rules, 6, see(90.0, baseline));
        assert_eq!(codes(&worse[5])[0], "wave_burn");
        assert_eq!(budget(&worse[5]).spent.excess, 6.0 * 72.0);
    }
    // Without it there is nothing to compare with, and nothing is made up.
    let nobody = of_wave(&rules, 60, |_| wave([0.0, 18_000.0], [0.0, 0.0]));
    assert!(nobody.iter().all(|judgement| judgement.ruling != Ruling::Pass));
    assert_eq!(budget(&nobody[8]).wave.baseline_kind, BaselineKind::None);
    assert!(codes(&nobody[8]).contains(&"budget_too_few_events"));
}

#[test]
fn regions_are_compared_each_with_itself() {
    let named = |parts: [[f64; 2]; 2]| {
        let of = |(name, [bad, total]): (&str, [f64; 2])| InstanceEvidence {
            name: name.to_owned(),
            measure: Measure::Counts { bad, total },
        };
        let all = Measure::Counts { bad: parts[0][0] + parts[1][0], total: parts[0][1] + parts[1][1] };
        Observed { instances: ["eu", "us"].into_iter().zip(parts).map(of).collect(), ..seen(all) }
    };
    // The canary is mostly where everything is worse.
    let see = |_| CheckEvidence {
        canary: named([[90.0, 9000.0], [1.0, 1000.0]]),
        baseline: Some(named([[10.0, 1000.0], [99.0, 99_000.0]])),
        ..CheckEvidence::missing()
    };
    let whole = of_wave(&Arc::new(rules(", projected: off")), 6, see);
    assert_eq!(codes(&whole[5])[0], "wave_burn");
    let by_region = scheduled(
        "{ interval: 1m, warmup: 0s, min_duration: 5m, deadline: 60m }",
        "99.9%",
        "strata: [region]\npolicies: { projected: off }\n",
    );
    let apart = of_wave(&Arc::new(by_region), 6, see);
    let wave = &budget(&apart[5]).wave;
    assert_eq!((wave.ratio, wave.excess), (Some(1.0), Some(0.0)));
    assert_eq!(stand(&apart[5], Policy::WaveBurn), Some(Stand::Pass));
    assert_eq!(apart[5].ruling, Ruling::Pass, "{:#?}", apart[5]);
}

#[test]
fn a_canary_that_would_page_with_all_traffic_pauses() {
    // No worse than its baseline, and both burn at ten times what they may.
    let rules = Arc::new(rules(""));
    let judged = of_wave(&rules, 6, |_| wave([20.0, 2000.0], [180.0, 18_000.0]));
    assert_eq!(stand(&judged[5], Policy::WaveBurn), Some(Stand::Pass));
    assert_eq!(stand(&judged[5], Policy::Projected), Some(Stand::Pause));
    assert_eq!(codes(&judged[5])[0], "projected_burn");
    assert!(!judged[5].healthy);
}

#[test]
fn what_is_charged_is_the_wave_from_its_start() {
    let schedule = "{ interval: 1m, warmup: 5m, min_duration: 10m, deadline: 60m }";
    let judged = of_wave(&Arc::new(scheduled(schedule, "99.9%", "")), 8, |_| hot());
    let spent = budget(&judged[7]).spent;
    assert_eq!((spent.from, spent.to), (START, START + Duration::from_mins(8)));
    assert_eq!(spent.canary, Counts { bad: 80.0, total: 16_000.0 });
    assert_eq!(spent.baseline, Counts { bad: 72.0, total: 144_000.0 });
    assert_eq!(spent.excess, 72.0);
}

#[test]
fn a_canary_that_may_page_with_all_traffic_does_not_pass_until_it_is_sure() {
    // Surely too much, after too few minutes to tell a burst.
    let early = "{ interval: 1m, warmup: 0s, min_duration: 2m, deadline: 60m }";
    let rules = Arc::new(scheduled(early, "99.9%", ""));
    let judged = of_wave(&rules, 5, |_| wave([20.0, 2000.0], [180.0, 18_000.0]));
    for judgement in &judged[..4] {
        assert_eq!((judgement.ruling, judgement.healthy), (Ruling::GoOn, true), "{judgement:#?}");
        assert!(codes(judgement).contains(&"projected_burn_unconfirmed"), "{:?}", codes(judgement));
    }
    assert_eq!(stand(&judged[4], Policy::Projected), Some(Stand::Pause));
    // Too much, and not surely: 8 times, and at least 5.
    let judged = of_wave(&rules, 6, |_| wave([1.0, 125.0], [180.0, 18_000.0]));
    assert_eq!(stand(&judged[5], Policy::Projected), Some(Stand::Inconclusive));
    assert_eq!(judged[5].ruling, Ruling::GoOn);
    // Exactly the limit is not above it.
    let judged = of_wave(&rules, 6, |_| wave([12.0, 2000.0], [108.0, 18_000.0]));
    assert_eq!(stand(&judged[5], Policy::Projected), Some(Stand::Pass));
}

#[test]
fn a_service_that_nobody_saw_of_late_is_no_pass() {
    let judged = watch(&Arc::new(rules("")), 9, |index, mut service| {
        let shortest = &mut service.windows[0];
        if index < 8 {
            (shortest.counts, shortest.seen, shortest.bad_events) = (None, 0, 0.0);
        } else {
            shortest.counts = Some(Counts::default());
        }
        Some(BudgetEvidence { wave: calm(), service: Some(service) })
    });
    assert_eq!((judged[6].ruling, judged[6].healthy), (Ruling::GoOn, false), "{:#?}", judged[6]);
    assert_eq!(stand(&judged[6], Policy::Page), Some(Stand::Inconclusive));
    assert_eq!(codes(&judged[6])[0], "budget_unknown");
    // A quiet one was seen.
    assert_eq!(judged[7].ruling, Ruling::Pass);
}

#[test]
fn a_wave_that_serves_nobody_any_more_does_not_pass_by_what_it_served() {
    let schedule = "{ interval: 1m, warmup: 0s, min_duration: 12m, deadline: 60m }";
    let rules = Arc::new(scheduled(schedule, "99.9%", ""));
    for (idle, cohort) in
        [(wave([0.0, 0.0], [9.0, 18_000.0]), Cohort::Canary), (wave([1.0, 2000.0], [0.0, 0.0]), Cohort::Baseline)]
    {
        let judged = of_wave(&rules, 15, |index| if (7..15).contains(&index) { idle.clone() } else { calm() });
        let told = &judged[13];
        assert_eq!(stand(told, Policy::WaveBurn), Some(Stand::Inconclusive), "{cohort:?}");
        assert_eq!((told.ruling, told.healthy), (Ruling::GoOn, true));
        assert!(budget(told).reasons.contains(&Cause::NoTraffic { cohort }), "{:?}", budget(told).reasons);
        assert_eq!(judged[14].ruling, Ruling::Pass, "{cohort:?}");
    }
}

#[test]
fn five_hot_minutes_are_remembered_for_forty_more() {
    let rules = Arc::new(scheduled(
        "{ interval: 1m, warmup: 0s, min_duration: 5m, deadline: 60m }",
        "99.9%",
        ", projected: off",
    ));
    // The canary burns like its baseline but for five minutes.
    let judged = of_wave(&rules, 60, |index| wave([if index <= 5 { 20.0 } else { 2.0 }, 2000.0], [18.0, 18_000.0]));
    let passed = judged.iter().position(|judgement| judgement.ruling == Ruling::Pass).unwrap();
    assert_eq!(passed + 1, 45);
}
