//! Verdicts of gates that mind an error budget: document, reasons, summary, event, report.

use super::Past;
use super::account;
use crate::wire::document;
use crate::wire::judged;
use crate::wire::judgement;
use crate::wire::pretty;
use crate::wire::restarts;
use crate::wire::wave;
use serde_json::Value;
use wavegate::judge::Attribution;
use wavegate::judge::BaselineKind;
use wavegate::judge::BudgetOutcome;
use wavegate::judge::Cause;
use wavegate::judge::Cohort;
use wavegate::judge::Judgement;
use wavegate::judge::Outcome;
use wavegate::judge::Policy;
use wavegate::judge::PolicyReading;
use wavegate::judge::Ruling;
use wavegate::judge::Spent;
use wavegate::judge::Stand;
use wavegate::report;
use wavegate::rules::Class;
use wavegate::rules::Scope;
use wavegate::series::Counts;
use wavegate::wave::EventKind;
use wavegate::wave::Gate;
use wavegate::wave::GateState;
use wavegate::wave::Verdict;
use wavegate::wire;

const SLO: &str = "checkout-availability";

/// Sixty of 10,000 bad where the baseline has 90 of 90,000.
fn attribution() -> Attribution {
    Attribution {
        canary: Counts { bad: 60.0, total: 10_000.0 },
        baseline: Counts { bad: 90.0, total: 90_000.0 },
        baseline_kind: BaselineKind::Concurrent,
        planned: Counts { bad: 7.0, total: 120.0 },
        canary_burn: Some(6.0),
        baseline_burn: Some(1.0),
        ratio: Some(6.0),
        ratio_low: Some(4.494),
        ratio_high: Some(7.986),
        overdispersion: 1.25,
        slices: 10,
        excess: Some(50.0),
        excess_low: Some(38.4),
        excess_high: Some(64.2),
        dropped_strata: 0,
        projected: Some((6.0, 4.73)),
        share: Some(0.0012),
    }
}

fn read(policy: Policy, reading: &'static str, numbers: [Option<f64>; 3], stand: Option<Stand>) -> PolicyReading {
    let [limit, value, low] = numbers;
    PolicyReading { policy, reading, limit, value, low, stand }
}

fn budget(past: &Past, stand: Stand, reasons: Vec<Cause>) -> BudgetOutcome {
    let account = account(SLO, past);
    let wave = attribution();
    let spent = Spent {
        from: super::NOW,
        to: super::NOW,
        canary: wave.canary,
        baseline: wave.baseline,
        planned: wave.planned,
        excess: 50.0,
    };
    let burns = [Some(2.0), Some(6.0), Some(4.494)];
    BudgetOutcome {
        slo: account.slo.name.clone(),
        service: "checkout".into(),
        class: Class::Standard,
        stand,
        healthy: stand != Stand::Pause,
        wave,
        spent,
        spent_by_waves: account.spent.as_ref().and_then(|spent| spent.share),
        policies: vec![
            read(Policy::WaveBurn, "canary_burn_over_baseline", burns, Some(Stand::Pause)),
            read(Policy::Reserve, "budget_remaining", [Some(0.2), account.burn.period.remaining, None], Some(stand)),
            read(Policy::WavesSpend, "budget_spent_by_waves", [None, None, None], None),
            read(Policy::Page, "service_burn_state", [None, None, None], Some(Stand::Pass)),
            read(Policy::Projected, "burn_at_full_traffic", [Some(6.0), Some(6.0), Some(4.73)], Some(Stand::Pass)),
        ],
        burn: Some(account.burn),
        reasons,
    }
}

fn wave_burn() -> Cause {
    let (scope, ratio) = (Scope::Canary, Some(6.0));
    Cause::WaveBurn { slo: SLO.into(), scope, ratio, low: 4.494, limit: 2.0, burn: 6.0 }
}

fn page() -> Cause {
    Cause::SloPage { slo: SLO.into(), tiers: vec!["page_fast".into(), "page_slow".into()] }
}

fn gate(state: GateState, ruling: Ruling, budget: BudgetOutcome) -> Gate {
    let (healthy, reasons) = (budget.healthy, budget.reasons.clone());
    let told = judgement(ruling, healthy, vec![restarts(Outcome::Pass, Vec::new())], reasons);
    judged("checkout", state, Verdict::Pause, Judgement { budget: Some(budget), ..told })
}

fn burning() -> Gate {
    gate(GateState::Analyzing, Ruling::GoOn, budget(&Past::Burning, Stand::Pause, vec![page(), wave_burn()]))
}

#[test]
fn a_gate_shows_what_the_budget_says() {
    insta::assert_snapshot!(document(&burning()));
}

#[test]
fn a_gate_without_a_budget_has_the_key() {
    let gate = judged("checkout", GateState::Analyzing, Verdict::Pause, judgement(Ruling::GoOn, true, vec![], vec![]));
    let document: Value = serde_json::from_str(&document(&gate)).unwrap();
    assert!(document.as_object().unwrap().contains_key("budget") && document["budget"].is_null());
    assert_eq!(document["class"], "standard");
}

#[test]
fn what_is_unknown_or_without_bound_is_null_and_never_a_number() {
    let unknown = BudgetOutcome {
        burn: None,
        spent_by_waves: None,
        wave: Attribution { ratio: Some(f64::INFINITY), ratio_high: Some(f64::INFINITY), share: None, ..attribution() },
        ..budget(&Past::Calm, Stand::Inconclusive, vec![Cause::BudgetUnknown { slo: SLO.into() }])
    };
    let document: Value = serde_json::from_str(&document(&gate(GateState::Analyzing, Ruling::GoOn, unknown))).unwrap();
    let budget = &document["budget"];
    for key in ["burn", "burn_ratio", "remaining", "spent_by_waves", "exhausted_in_seconds", "through"] {
        assert!(budget.as_object().unwrap().contains_key(key) && budget[key].is_null(), "{key}");
    }
    assert_eq!((&budget["state"], &budget["wave"]["ratio"]["low"]), (&Value::from("no_data"), &Value::from(4.494)));
}

#[test]
fn an_event_of_a_paused_wave_says_what_burns() {
    let gate = burning();
    insta::assert_snapshot!(pretty(&wire::event_body(EventKind::Paused, &wave(vec![gate.clone()]), &gate)));
}

#[test]
fn the_report_of_a_verdict_has_the_budget_and_each_policy() {
    let gate = burning();
    let page = report::text(&wire::gate_document(&wave(vec![gate.clone()]), &gate), false).unwrap();
    let section = page.split_once("\nerror budget").unwrap().1.split_once("\nabout the evidence").unwrap().0;
    assert!(section.lines().all(|line| line.chars().count() <= 80), "{section}");
    insta::assert_snapshot!(page);
}

#[test]
fn every_cause_of_a_budget_has_a_sentence_with_its_numbers() {
    let slo = || SLO.to_owned();
    let (limit, cohort) = (2.0, Cohort::Canary);
    let causes = vec![
        wave_burn(),
        Cause::WaveBurn { slo: slo(), scope: Scope::Canary, ratio: None, low: 85.7, limit, burn: 3.0 },
        Cause::WaveBurn { slo: slo(), scope: Scope::Service, ratio: Some(2.6), low: 2.2, limit, burn: 4.0 },
        Cause::WaveBurnUnconfirmed { slo: slo(), scope: Scope::Canary, ratio: Some(2.5), low: 1.66, limit },
        Cause::BudgetTooFewEvents { slo: slo(), cohort, have: 57.0, need: 100.0 },
        page(),
        Cause::SloPage { slo: "checkout-latency".into(), tiers: Vec::new() },
        Cause::BudgetReserve { slo: slo(), remaining: 0.15, reserve: 0.2 },
        Cause::BudgetExhausted { slo: slo(), remaining: -0.12 },
        Cause::BudgetSpentByWaves { slo: slo(), spent: 0.23, own: 0.05, limit: 0.2 },
        Cause::ProjectedBurn { slo: slo(), burn: 8.0, low: 6.5, limit: 6.0 },
        Cause::ProjectedBurnUnconfirmed { slo: slo(), burn: 8.0, low: 4.5, limit: 6.0 },
        Cause::BudgetUnknown { slo: slo() },
    ];
    let gate = gate(GateState::Analyzing, Ruling::GoOn, budget(&Past::Burning, Stand::Pause, causes));
    let document: Value = serde_json::from_str(&document(&gate)).unwrap();
    let reasons = document["reasons"].as_array().unwrap();
    let told = |reason: &Value| format!("{}: {}\n  {}\n", reason["code"], reason["message"], reason["detail"]);
    insta::assert_snapshot!(reasons.iter().map(told).collect::<String>());
}

#[track_caller]
fn sums_up(state: GateState, ruling: Ruling, budget: BudgetOutcome, expect: &str) {
    let document: Value = serde_json::from_str(&document(&gate(state, ruling, budget))).expect("JSON");
    assert_eq!(document["summary"], expect);
}

#[test]
fn the_summary_says_what_the_budget_does() {
    let reserve = Cause::BudgetReserve { slo: SLO.into(), remaining: 0.15, reserve: 0.2 };
    sums_up(
        GateState::Held,
        Ruling::Hold,
        budget(&Past::Calm, Stand::Hold, vec![reserve]),
        "held: 15 % of the error budget of checkout-availability is left, and 20 % is the reserve that only an exploratory wave may use; a person decides",
    );
    sums_up(
        GateState::Analyzing,
        Ruling::GoOn,
        budget(&Past::Calm, Stand::Pause, vec![wave_burn()]),
        "the canary burns the error budget 6x as fast as its baseline (at least 4.49x; 2x is allowed); the canary burns at 6x; every check passes, and the wave waits for the error budget; at most 48 min to go",
    );
    let few = Cause::BudgetTooFewEvents { slo: SLO.into(), cohort: Cohort::Canary, have: 57.0, need: 100.0 };
    sums_up(
        GateState::Analyzing,
        Ruling::GoOn,
        budget(&Past::Calm, Stand::Inconclusive, vec![few]),
        "every check passes, and it is not sure what the wave burns of the error budget; at most 48 min to go",
    );
}
