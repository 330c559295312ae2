//! `fixtures/reference/slo.json`: waves, strata, scopes and overdispersion, computed elsewhere.

use crate::support::budgets::Watch;
use crate::support::budgets::scheduled;
use crate::support::budgets::service;
use crate::support::budgets::wave;
use serde_json::Value;
use std::sync::Arc;
use wavegate::judge::BudgetOutcome;
use wavegate::judge::Cause;
use wavegate::judge::Policy;
use wavegate::judge::Stand;
use wavegate::rules::Class;
use wavegate::series::BudgetEvidence;
use wavegate::stats;
use wavegate::stats::Arm;
use wavegate::stats::Comparison;
use wavegate::stats::Dispersion;
use wavegate::stats::Stratum;

/// Slices that the counts of a vector are given in: as many as a pause needs, all alike, so
/// that their overdispersion is the 1 that the vectors have.
const SLICES: f64 = 5.0;

const SCHEDULE: &str = "{ interval: 1m, warmup: 0s, min_duration: 5m, deadline: 60m }";

fn vectors(kind: &str) -> Vec<Value> {
    let text = include_str!("../../../fixtures/reference/slo.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let of_kind = |vector: &&Value| vector["kind"] == kind;
    all["vectors"].as_array().unwrap().iter().filter(of_kind).cloned().collect()
}

/// A number, a number as text, or `inf`.
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

#[track_caller]
fn agrees(id: &str, name: &str, found: Option<f64>, expected: &Value) {
    if expected.is_null() {
        assert_eq!(found, None, "{id} {name}");
        return;
    }
    let (found, expected) = (found.unwrap_or_else(|| panic!("{id}: no {name}")), number(expected));
    let close = (found - expected).abs() <= 1e-9 * expected.abs().max(1e-3) || found == expected;
    assert!(close, "{id} {name}: {found} for {expected}");
}

/// What five minutes of the vector's counts come to, under `budget` of a rule file.
fn outcome(input: &Value, budget: &str) -> BudgetOutcome {
    let objective = format!("{}%", input["objective"].as_str().unwrap());
    let rules = Arc::new(scheduled(SCHEDULE, &objective, budget));
    let class = if input["wave_kind"] == "exploratory" { Class::Exploratory } else { Class::Standard };
    let count = |name: &str| if input[name].is_null() { 0.0 } else { number(&input[name]) };
    let arm = |cohort: &str| [count(&format!("{cohort}_bad")) / SLICES, count(&format!("{cohort}_total")) / SLICES];
    let mut watch = Watch::of_class(&rules, class);
    let mut last = None;
    for _ in 0..5 {
        last = Some(watch.look(|at| {
            let total = if input["period_total"].is_null() { 1e9 } else { count("period_total") };
            let mut service = service(&rules, at, count("prior_total_bad"), total);
            service.spent_by_others = count("prior_up");
            Some(BudgetEvidence { wave: wave(arm("canary"), arm("baseline")), service: Some(service) })
        }));
    }
    last.unwrap().budget.unwrap()
}

#[test]
fn waves_come_to_what_the_vectors_say() {
    let all = vectors("wave");
    assert!(all.len() >= 12);
    for vector in all {
        let (id, input, expected) = (vector["id"].as_str().unwrap(), &vector["input"], &vector["expected"]);
        let found = outcome(input, ", projected: off");
        let wave = &found.wave;
        let period = found.burn.as_ref().unwrap().period;
        agrees(id, "allowed", period.allowed, &expected["budget_events"]);
        agrees(id, "remaining", period.remaining, &expected["remaining"]);
        assert_eq!(found.stand, stand_of(&expected["verdict"], &expected["reasons"]), "{id}: {found:#?}");
        assert_eq!(reasons(&found), expected_reasons(expected), "{id}");
        if expected["burn_canary"].is_null() {
            continue;
        }
        for (name, value) in [
            ("burn_canary", wave.canary_burn),
            ("burn_baseline", wave.baseline_burn),
            ("burn_ratio", wave.ratio),
            ("burn_ratio_lo95", wave.ratio_low),
            ("burn_ratio_hi95", wave.ratio_high),
            ("excess", wave.excess),
            ("excess_lo95", wave.excess_low),
            ("excess_hi95", wave.excess_high),
            ("wave_budget_share", wave.share),
            ("upgrade_share_total", found.spent_by_waves),
        ] {
            agrees(id, name, value, &expected[name]);
        }
        assert!((wave.overdispersion - 1.0).abs() < 1e-9, "{id}");
        let count = |name: &str| number(&input[name]);
        let ln_p = stats::rate_ratio_ln_p(
            count("canary_bad"),
            count("baseline_bad"),
            count("canary_total"),
            count("baseline_total"),
            count("multiplier"),
        );
        agrees(id, "p_ratio_gt_mult", Some(ln_p.exp()), &expected["p_ratio_gt_mult"]);
    }
}

/// Holds and pauses are one word in the vectors.
fn stand_of(verdict: &Value, reasons: &Value) -> Stand {
    match verdict.as_str().unwrap() {
        "pass" => Stand::Pass,
        "inconclusive" => Stand::Inconclusive,
        _ if reasons == &serde_json::json!(["burn_gt_mult"]) => Stand::Pause,
        _ => Stand::Hold,
    }
}

fn reasons(found: &BudgetOutcome) -> Vec<&'static str> {
    found.reasons.iter().map(Cause::code).collect()
}

fn expected_reasons(expected: &Value) -> Vec<&'static str> {
    let ours = |reason: &Value| match reason.as_str().unwrap() {
        "burn_gt_mult" => "wave_burn",
        "burn_gt_mult_not_significant" => "wave_burn_unconfirmed",
        "upgrade_cap" => "budget_spent_by_waves",
        "reserve" => "budget_reserve",
        "budget_exhausted" => "budget_exhausted",
        other => panic!("{other}"),
    };
    // One that has no events says so as a cohort and as a gate without telemetry does not.
    let reasons = expected["reasons"].as_array();
    reasons.map_or_else(|| vec!["budget_too_few_events"], |reasons| reasons.iter().map(ours).collect())
}

#[test]
fn the_service_is_asked_where_the_scope_says_so() {
    for vector in vectors("service_burn") {
        let (id, input, expected) = (vector["id"].as_str().unwrap(), &vector["input"], &vector["expected"]);
        for scope in ["canary", "service"] {
            let found = outcome(input, &format!(", projected: off, wave_burn: {{ scope: {scope} }}"));
            let trips = expected[format!("trips_{scope}_scope").as_str()].as_bool().unwrap();
            let word = found.policies.iter().find(|one| one.policy == Policy::WaveBurn).unwrap();
            assert_eq!(word.stand, Some(if trips { Stand::Pause } else { Stand::Pass }), "{id} {scope}: {found:#?}");
            assert_eq!(word.reading, format!("{scope}_burn_over_baseline"));
            let reads = if scope == "canary" { "canary_ratio" } else { "burn_service_total" };
            // The baseline burns at 1 in these, so the service's burn is its ratio too.
            agrees(id, reads, word.value, &expected[reads]);
            agrees(id, "burn_baseline", found.wave.baseline_burn, &expected["burn_baseline"]);
        }
    }
}

fn arm(bad: &Value, total: &Value) -> Arm {
    Arm { bad: number(bad), total: number(total) }
}

#[test]
fn strata_are_compared_each_with_itself() {
    for vector in vectors("stratified") {
        let (id, expected) = (vector["id"].as_str().unwrap(), &vector["expected"]);
        let of = |stratum: &Value| Stratum {
            canary: arm(&stratum["canary_bad"], &stratum["canary_total"]),
            baseline: arm(&stratum["baseline_bad"], &stratum["baseline_total"]),
        };
        let strata: Vec<Stratum> = vector["input"]["strata"].as_array().unwrap().iter().map(of).collect();
        let found = Comparison::of(&strata).unwrap();
        agrees(id, "mh_ratio", found.ratio(), &expected["mh_ratio"]);
        agrees(id, "excess", Some(found.excess), &expected["stratified_excess"]);
        assert_eq!(f64::from(found.dropped), number(&expected["dropped"]), "{id}");
        let (low, high) = stats::ratio_bounds(&strata, [1.0, 1.0], 0.05).unwrap();
        let ratio = found.ratio().unwrap();
        assert!(low < ratio && ratio < high, "{id}: {low} {ratio} {high}");
        let pooled = strata.iter().fold(Stratum::default(), |sum, one| Stratum {
            canary: Arm { bad: sum.canary.bad + one.canary.bad, total: sum.canary.total + one.canary.total },
            baseline: Arm { bad: sum.baseline.bad + one.baseline.bad, total: sum.baseline.total + one.baseline.total },
        });
        let pooled = Comparison::of(&[pooled]).unwrap();
        agrees(id, "pooled_ratio", pooled.ratio(), &expected["pooled_ratio"]);
        agrees(id, "pooled_excess", Some(pooled.excess), &expected["pooled_excess"]);
    }
}

#[test]
fn waves_on_one_baseline_share_its_chance() {
    for vector in vectors("overlap") {
        let (id, input, expected) = (vector["id"].as_str().unwrap(), &vector["input"], &vector["expected"]);
        let baseline = arm(&input["baseline_bad"], &input["baseline_total"]);
        let of = |one: &Value| Stratum { canary: arm(&one[0], &one[1]), baseline };
        let waves: Vec<Stratum> = input["waves"].as_array().unwrap().iter().map(of).collect();
        for (wave, excess) in waves.iter().zip(expected["excess"].as_array().unwrap()) {
            agrees(id, "excess", Comparison::of(&[*wave]).map(|one| one.excess), excess);
        }
        let joint = stats::joint_excess_deviation(&waves, |_, _| 1.0);
        agrees(id, "joint", Some(joint), &expected["sd_joint_shared_baseline"]);
        let apart = stats::joint_excess_deviation(&waves, |_, _| 0.0);
        agrees(id, "apart", Some(apart), &expected["sd_naive_independent"]);
    }
}

#[test]
fn overdispersion_is_that_of_the_slices_with_events() {
    for vector in vectors("overdispersion") {
        let (id, expected) = (vector["id"].as_str().unwrap(), &vector["expected"]);
        let mut found = Dispersion::default();
        let (mut bad, mut total) = (0.0, 0.0);
        for slice in vector["input"]["slices_bad_total"].as_array().unwrap() {
            let slice = arm(&slice[0], &slice[1]);
            found.add(slice.bad, slice.total);
            (bad, total) = (bad + slice.bad, total + slice.total);
        }
        agrees(id, "chi2", Some(found.chi2()), &expected["chi2"]);
        agrees(id, "phi", Some(found.factor()), &expected["phi"]);
        agrees(id, "k_eff", Some(bad / found.factor()), &expected["k_eff"]);
        agrees(id, "n_eff", Some(total / found.factor()), &expected["n_eff"]);
    }
}
