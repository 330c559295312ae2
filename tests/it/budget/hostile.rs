//! Evidence of any numbers: nothing that is shown is NaN, what is infinite is where that is said,
//! and what is no number never passes.

use crate::support::budgets::START;
use crate::support::budgets::interval;
use crate::support::budgets::scheduled;
use crate::support::budgets::seen;
use crate::support::budgets::service;
use proptest::prelude::*;
use std::time::Duration;
use wavegate::judge::Attribution;
use wavegate::judge::BudgetOutcome;
use wavegate::judge::Burn;
use wavegate::judge::Cause;
use wavegate::judge::Policy;
use wavegate::judge::Ruling;
use wavegate::judge::Stand;
use wavegate::judge::State;
use wavegate::judge::Timing;
use wavegate::judge::judge;
use wavegate::rules::RuleFile;
use wavegate::series::BudgetEvidence;
use wavegate::series::CheckEvidence;
use wavegate::series::Counts;
use wavegate::series::InstanceEvidence;
use wavegate::series::Measure;
use wavegate::series::Observed;
use wavegate::series::ServiceReading;
use wavegate::series::SpanReading;
use wavegate::series::Timestamp;

/// Counts whose bounds take long without optimisation (up to a million terms each) are cut.
fn odd() -> impl Strategy<Value = f64> {
    let slow = |value: f64| if (1e7..=1e15).contains(&value) { 1e7 } else { value };
    prop_oneof![
        prop::num::f64::ANY,
        prop::sample::select(vec![
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            f64::MIN_POSITIVE,
            5e-324,
            -0.0,
            0.0,
            -1.0,
            1e7,
            9.1e15,
            1e300,
        ]),
        0.0..1e6_f64,
        (0_u32..3000).prop_map(f64::from),
    ]
    .prop_map(slow)
}

fn counts() -> impl Strategy<Value = Counts> {
    prop_oneof![
        (odd(), odd()).prop_map(|(bad, total)| Counts { bad, total }),
        (odd(), 0.0..=1.0_f64).prop_map(|(total, share)| Counts { bad: total * share, total }),
    ]
}

fn observed() -> impl Strategy<Value = Observed> {
    let instance = (0_u8..4, counts()).prop_map(|(name, Counts { bad, total })| InstanceEvidence {
        name: format!("region-{name}"),
        measure: Measure::Counts { bad, total },
    });
    (counts(), prop::collection::vec(instance, 0..4))
        .prop_map(|(Counts { bad, total }, instances)| Observed { instances, ..seen(Measure::Counts { bad, total }) })
}

fn time() -> impl Strategy<Value = Timestamp> {
    let near = START.as_millis();
    let all = prop_oneof![any::<i64>(), near - 3_000_000_000..near + 3_000_000_000];
    all.prop_map(Timestamp::from_millis)
}

fn span() -> impl Strategy<Value = SpanReading> {
    let length = prop_oneof![any::<u64>(), 0_u64..3, 60_000_u64..3_000_000_000].prop_map(Duration::from_millis);
    (length, prop::option::of(counts()), any::<u32>(), 0_u32..4, odd())
        .prop_map(|(length, counts, slices, seen, bad_events)| SpanReading { length, counts, seen, slices, bad_events })
}

fn reading() -> impl Strategy<Value = ServiceReading> {
    let times = (time(), time(), time(), prop::option::of(time()));
    let spans = (prop::collection::vec((prop::option::of(counts()), odd()), 8), span(), span());
    (times, spans, odd(), prop::option::of(counts())).prop_map(
        |((through, period_from, period_to, seen_from), (counted, period, events), spent_by_others, before)| {
            let mut reading = service(&rules(""), through, 0.0, 1e8);
            for (window, (counts, bad_events)) in reading.windows.iter_mut().zip(counted) {
                (window.counts, window.bad_events) = (counts, bad_events);
            }
            ServiceReading { period, events, period_from, period_to, seen_from, spent_by_others, before, ..reading }
        },
    )
}

fn evidence() -> impl Strategy<Value = BudgetEvidence> {
    (observed(), prop::option::of(observed()), prop::option::of(reading())).prop_map(|(canary, baseline, service)| {
        BudgetEvidence { wave: CheckEvidence { canary, baseline, ..CheckEvidence::missing() }, service }
    })
}

fn rules(more: &str) -> RuleFile {
    let slo = format!("policies: {{ waves_spend: 20% }}\n{more}");
    scheduled("{ interval: 1m, warmup: 0s, min_duration: 5m, deadline: 60m }", "99.9%", &slo)
}

/// Every number but those that may be infinite.
fn numbers(budget: &BudgetOutcome) -> Vec<(&'static str, f64)> {
    let Attribution { canary, baseline, planned, .. } = budget.wave;
    let wave = &budget.wave;
    let mut all = vec![("overdispersion", wave.overdispersion), ("spent", budget.spent.excess)];
    for Counts { bad, total } in [canary, baseline, planned, budget.spent.canary, budget.spent.baseline] {
        all.extend([("bad", bad), ("total", total)]);
    }
    for (name, value) in [
        ("canary_burn", wave.canary_burn),
        ("baseline_burn", wave.baseline_burn),
        ("ratio_low", wave.ratio_low),
        ("excess", wave.excess),
        ("excess_low", wave.excess_low),
        ("excess_high", wave.excess_high),
        ("share", wave.share),
        ("projected", wave.projected.map(|(burn, _)| burn)),
        ("projected_low", wave.projected.map(|(_, low)| low)),
        ("spent_by_waves", budget.spent_by_waves),
    ] {
        all.extend(value.map(|value| (name, value)));
    }
    for policy in &budget.policies {
        let value = policy.value.filter(|_| policy.policy != Policy::WaveBurn);
        all.extend([policy.limit, policy.low, value].into_iter().flatten().map(|value| ("policy", value)));
    }
    all.extend(budget.burn.iter().flat_map(of_burn));
    all.extend(budget.reasons.iter().flat_map(of_cause));
    all
}

fn of_burn(burn: &Burn) -> Vec<(&'static str, f64)> {
    let period = &burn.period;
    let mut all = vec![("covered", period.covered)];
    let of_period = [period.total, period.events, period.allowed, period.consumed, period.remaining, period.burn];
    all.extend(of_period.into_iter().flatten().map(|value| ("period", value)));
    for window in &burn.windows {
        all.extend([window.error_ratio, window.burn].into_iter().flatten().map(|value| ("window", value)));
    }
    for tier in &burn.tiers {
        all.extend([tier.long_burn, tier.short_burn].into_iter().flatten().map(|value| ("tier", value)));
    }
    all
}

#[expect(clippy::wildcard_enum_match_arm, reason = "causes of budgets alone are asked for their numbers")]
fn of_cause(cause: &Cause) -> Vec<(&'static str, f64)> {
    match cause {
        Cause::WaveBurn { low, burn, ratio, .. } => {
            vec![("low", *low), ("burn", *burn), ("ratio", ratio.unwrap_or(0.0))]
        }
        Cause::WaveBurnUnconfirmed { low, ratio, .. } => vec![("low", *low), ("ratio", ratio.unwrap_or(0.0))],
        Cause::BudgetTooFewEvents { have, .. } => vec![("have", *have)],
        Cause::BudgetReserve { remaining, .. } | Cause::BudgetExhausted { remaining, .. } => {
            vec![("remaining", *remaining)]
        }
        Cause::BudgetSpentByWaves { spent, own, .. } => vec![("spent", *spent), ("own", *own)],
        _ => Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_number_of_a_look_is_nan_or_infinite(
        minutes in prop::collection::vec(evidence(), 1..8),
        more in prop::sample::select(vec!["", "strata: [region]\n", "budgeting: { timeslices: { target: 95%, slice: 5m, empty: bad } }\n"]),
    ) {
        let rules = rules(more);
        let timing = Timing::of(&rules, START, None, None);
        let mut state = State::new(&rules, timing);
        for (minute, index) in minutes.into_iter().zip(1..) {
            let window = timing.window(index);
            let odd = minute.service.as_ref().is_some_and(|one| !(one.spent_by_others.is_finite() && one.spent_by_others >= 0.0));
            let (next, judgement) = judge(&rules, &state, &[interval(window, Some(minute))], window.to);
            state = next;
            let budget = judgement.budget.as_ref().unwrap();
            for (name, value) in numbers(budget) {
                prop_assert!(value.is_finite(), "{name} is {value}: {budget:#?}");
            }
            for value in [budget.wave.ratio, budget.wave.ratio_high, budget.policies[0].value].into_iter().flatten() {
                prop_assert!(value >= 0.0, "{budget:#?}");
            }
            prop_assert!(!odd || budget.stand != Stand::Pass && judgement.ruling != Ruling::Pass);
        }
    }
}
