//! What becomes of a gate at its deadline that fails waves: how its service stands, and what
//! nobody saw, are not the wave's doing, and a person is asked.

use crate::support::budgets::START;
use crate::support::budgets::interval;
use crate::support::budgets::scheduled;
use crate::support::budgets::seen;
use crate::support::budgets::service;
use crate::support::budgets::wave;
use wavegate::judge::Judgement;
use wavegate::judge::Ruling;
use wavegate::judge::Stand;
use wavegate::judge::State;
use wavegate::judge::Timing;
use wavegate::judge::judge;
use wavegate::series::BudgetEvidence;
use wavegate::series::CheckEvidence;
use wavegate::series::Counts;
use wavegate::series::Fault;
use wavegate::series::Labels;
use wavegate::series::Measure;
use wavegate::series::ServiceReading;

/// What the look at the deadline says where every minute is as `see` makes it of a service that
/// is well, and the gate's own check sees `restarts` of at most 0.
fn at_the_deadline(policies: &str, restarts: f64, see: impl Fn(ServiceReading) -> Option<BudgetEvidence>) -> Judgement {
    let schedule = "{ interval: 1m, warmup: 0s, min_duration: 5m, deadline: 8m, on_deadline: fail }";
    let mut rules = scheduled(schedule, "99.9%", policies);
    if restarts.is_nan() {
        rules.telemetry.coverage = 1.0;
    }
    let timing = Timing::of(&rules, START, None, None);
    let of = |index| {
        let window = timing.window(index);
        let mut one = interval(window, see(service(&rules, window.to, 0.0, 1e8)));
        for observed in one.checks.iter_mut().flat_map(|check| [Some(&mut check.canary), check.baseline.as_mut()]) {
            let measure = Measure::Worst { value: restarts, series: Labels::default() };
            *observed.unwrap() = if restarts.is_nan() { seen(Measure::Nothing) } else { seen(measure) };
        }
        one
    };
    let all: Vec<_> = (1..=8).map(of).collect();
    judge(&rules, &State::new(&rules, timing), &all, timing.deadline).1
}

fn codes(judgement: &Judgement) -> Vec<&'static str> {
    judgement.reasons.iter().map(|reason| reason.cause.code()).collect()
}

fn calm() -> CheckEvidence {
    wave([1.0, 2000.0], [9.0, 18_000.0])
}

#[track_caller]
fn check(claim: &str, judgement: &Judgement, ruling: Ruling, code: &str) {
    assert_eq!(judgement.ruling, ruling, "{claim}: {judgement:#?}");
    assert!(codes(judgement).contains(&code), "{claim}: {:?}", codes(judgement));
}

#[test]
fn a_wave_is_not_failed_for_how_its_service_stands() {
    let paged = |service| ServiceReading { paging: vec!["other".to_owned()], ..service };
    let told = |wave, service| Some(BudgetEvidence { wave, service: Some(service) });
    let found = at_the_deadline("", 0.0, |service| told(calm(), paged(service)));
    check("the service pages", &found, Ruling::Hold, "slo_page");
    assert!(codes(&found).contains(&"deadline_reached"));

    let found = at_the_deadline("", 0.0, |_| Some(BudgetEvidence { wave: calm(), service: None }));
    check("nobody knows the service", &found, Ruling::Hold, "budget_unknown");

    let overlap = Fault::CohortsOverlap { series: "s".to_owned() };
    let blind = CheckEvidence { faults: vec![overlap], ..calm() };
    let found = at_the_deadline(", wave_burn: off, projected: off", 0.0, |service| told(blind.clone(), service));
    check("the wave was not seen, and is not asked for", &found, Ruling::Hold, "cohorts_overlap");

    let alone = wave([40.0, 2000.0], [0.0, 0.0]);
    let off = ", wave_burn: off, projected: off, waves_spend: 0.0001%";
    let found = at_the_deadline(off, 0.0, |service| told(alone.clone(), service));
    check("nobody can say what it spends", &found, Ruling::Hold, "budget_too_few_events");

    let calm_wave = at_the_deadline("", 0.0, |service| told(calm(), service));
    assert_eq!(calm_wave.ruling, Ruling::Pass);
}

#[test]
fn a_wave_is_failed_for_what_it_does() {
    let told = |wave, service| Some(BudgetEvidence { wave, service: Some(service) });
    let paged = |service| ServiceReading { paging: vec!["other".to_owned()], ..service };
    let hot = || wave([10.0, 2000.0], [9.0, 18_000.0]);
    check("it burns", &at_the_deadline("", 0.0, |service| told(hot(), service)), Ruling::Fail, "wave_burn");
    let found = at_the_deadline("", 0.0, |service| told(hot(), paged(service)));
    check("it burns and the service pages", &found, Ruling::Fail, "wave_burn");
    let found = at_the_deadline("", 0.0, |service| told(wave([20.0, 2000.0], [180.0, 18_000.0]), service));
    check("it would burn", &found, Ruling::Fail, "projected_burn");
    let found = at_the_deadline("", f64::NAN, |service| told(calm(), paged(service)));
    check("its check never passed", &found, Ruling::Fail, "slo_page");
}

#[test]
fn a_wave_is_not_failed_by_what_an_earlier_day_was_like() {
    let before = Some(Counts { bad: 9.0, total: 18_000.0 });
    let see = |bad: f64| {
        move |service| {
            let canary = seen(Measure::Counts { bad, total: 2000.0 });
            let wave = CheckEvidence { canary, baseline: None, ..CheckEvidence::missing() };
            Some(BudgetEvidence { wave, service: Some(ServiceReading { before, ..service }) })
        }
    };
    let found = at_the_deadline("", 0.0, see(10.0));
    check("ten times the burn of yesterday", &found, Ruling::Hold, "wave_burn");
    assert_eq!(found.budget.as_ref().unwrap().stand, Stand::Pause);
    // What it burns by itself needs no other day.
    let found = at_the_deadline("", 0.0, see(40.0));
    check("twenty times what it may", &found, Ruling::Fail, "projected_burn");
}
