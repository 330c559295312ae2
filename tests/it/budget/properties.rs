//! What holds of every wave, whatever it does.

use crate::support::budgets::START;
use crate::support::budgets::interval;
use crate::support::budgets::scheduled;
use crate::support::budgets::seen;
use crate::support::budgets::service;
use proptest::prelude::*;
use wavegate::judge::BudgetOutcome;
use wavegate::judge::Judgement;
use wavegate::judge::Ruling;
use wavegate::judge::Stand;
use wavegate::judge::State;
use wavegate::judge::Timing;
use wavegate::judge::judge;
use wavegate::rules::RuleFile;
use wavegate::series::BudgetEvidence;
use wavegate::series::CheckEvidence;
use wavegate::series::Counts;
use wavegate::series::Fault;
use wavegate::series::InstanceEvidence;
use wavegate::series::IntervalEvidence;
use wavegate::series::Measure;
use wavegate::series::Observed;

/// One cohort in three regions: bad events, and all.
type Regions = [(u32, u32); 3];

/// One minute of a wave and its service.
#[derive(Clone, Debug)]
struct Minute {
    canary: Regions,
    baseline: Regions,
    /// Nothing of it arrived, it is half an answer, or nobody knows the service.
    fate: u8,
    others: u32,
    spent: u32,
    pages: bool,
}

fn regions() -> impl Strategy<Value = Regions> {
    let region = (0_u32..6, prop_oneof![Just(0_u32), 10_u32..3000]).prop_map(|(bad, total)| (bad.min(total), total));
    [region.clone(), region.clone(), region]
}

fn minute() -> impl Strategy<Value = Minute> {
    let fate = prop_oneof![12 => Just(0_u8), 1 => 1_u8..5];
    (regions(), regions(), fate, 0_u32..25_000, 0_u32..99_000, prop::bool::weighted(0.1)).prop_map(
        |(canary, baseline, fate, others, spent, pages)| Minute { canary, baseline, fate, others, spent, pages },
    )
}

fn rules() -> RuleFile {
    let schedule = "{ interval: 1m, warmup: 2m, min_duration: 5m, deadline: 20m }";
    scheduled(schedule, "99.9%", "strata: [region]\n")
}

fn observed(regions: &Regions, order: [usize; 3]) -> Observed {
    let of = |index: usize| InstanceEvidence {
        name: format!("region-{index}"),
        measure: Measure::Counts { bad: f64::from(regions[index].0), total: f64::from(regions[index].1) },
    };
    let bad = regions.iter().map(|(bad, _)| f64::from(*bad)).sum();
    let total = regions.iter().map(|(_, total)| f64::from(*total)).sum();
    Observed { instances: order.into_iter().map(of).collect(), ..seen(Measure::Counts { bad, total }) }
}

fn evidence(rules: &RuleFile, timing: &Timing, minutes: &[Minute], order: [usize; 3]) -> Vec<IntervalEvidence> {
    let of = |(minute, index): (&Minute, u32)| {
        let window = timing.window(index);
        let mut service = service(rules, window.to, f64::from(minute.spent), 1e8);
        service.spent_by_others = f64::from(minute.others);
        service.paging = if minute.pages { vec!["other".to_owned()] } else { Vec::new() };
        service.before = Some(Counts { bad: 1.0, total: 2000.0 });
        let mut wave = CheckEvidence {
            canary: observed(&minute.canary, order),
            baseline: Some(observed(&minute.baseline, order)),
            faults: Vec::new(),
            notices: Vec::new(),
        };
        let budget = match minute.fate {
            1 => None,
            2 => Some(BudgetEvidence { wave, service: None }),
            3 => {
                wave.faults.push(Fault::PartialAnswer { message: "half".to_owned() });
                Some(BudgetEvidence { wave, service: Some(service) })
            }
            4 => Some(BudgetEvidence { wave: CheckEvidence::missing(), service: Some(service) }),
            _ => Some(BudgetEvidence { wave, service: Some(service) }),
        };
        interval(window, budget)
    };
    minutes.iter().zip(1..).map(of).collect()
}

/// What each look says, one interval after another.
fn looks(rules: &RuleFile, minutes: &[Minute], order: [usize; 3]) -> Vec<Judgement> {
    let timing = Timing::of(rules, START, None, None);
    let mut state = State::new(rules, timing);
    let one = |interval: IntervalEvidence| {
        let to = interval.window.to;
        let (next, judgement) = judge(rules, &state, &[interval], to);
        state = next;
        judgement
    };
    evidence(rules, &timing, minutes, order).into_iter().map(one).collect()
}

fn budget(judgement: &Judgement) -> &BudgetOutcome {
    judgement.budget.as_ref().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_blind_look_never_passes(minutes in prop::collection::vec(minute(), 1..20)) {
        let rules = rules();
        for (judgement, minute) in looks(&rules, &minutes, [0, 1, 2]).iter().zip(&minutes) {
            let own = budget(judgement);
            let unseen = matches!(minute.fate, 1..=3);
            prop_assert!(!unseen || own.stand != Stand::Pass && judgement.ruling != Ruling::Pass);
            prop_assert!(judgement.ruling != Ruling::Pass || own.stand == Stand::Pass && own.healthy);
            let warming = judgement.reasons.iter().any(|reason| reason.cause.code() == "warming_up");
            prop_assert!(own.stand == Stand::Pass || warming || !own.reasons.is_empty());
            prop_assert!(own.stand != Stand::Pass || own.reasons.is_empty());
        }
    }

    #[test]
    fn more_bad_events_of_the_canary_never_relax_a_stand(
        minutes in prop::collection::vec(minute(), 6..20),
        more in 1_u32..200,
    ) {
        let rules = scheduled(
            "{ interval: 1m, warmup: 2m, min_duration: 5m, deadline: 20m }",
            "99.9%",
            "strata: [region]\npolicies: { projected: off }\n",
        );
        // Evenly over the minutes, so that it is more of the same and no burst.
        let worse: Vec<Minute> = minutes
            .iter()
            .cloned()
            .map(|mut minute| {
                for (bad, total) in &mut minute.canary {
                    *bad = (*bad + *total * more / 400).min(*total);
                }
                minute
            })
            .collect();
        for (before, after) in looks(&rules, &minutes, [0, 1, 2]).iter().zip(&looks(&rules, &worse, [0, 1, 2])) {
            let (before, after) = (budget(before), budget(after));
            let spends = |own: &BudgetOutcome| own.policies[2].stand;
            prop_assert!(spends(before) <= spends(after));
            // More of the same is surer, but for the bursts that rounding makes of it.
            let sure = before.wave.ratio_low <= after.wave.ratio_low;
            prop_assert!(!sure || before.stand <= after.stand, "{:?} {:?}", before.stand, after.stand);
            // A burst makes a pause unsure, and never a pass of it.
            prop_assert!(before.stand < Stand::Pause || after.stand > Stand::Pass);
        }
    }

    #[test]
    fn the_order_of_strata_changes_nothing(minutes in prop::collection::vec(minute(), 1..12)) {
        let rules = rules();
        prop_assert_eq!(looks(&rules, &minutes, [0, 1, 2]), looks(&rules, &minutes, [2, 0, 1]));
    }

    #[test]
    fn folding_again_at_once_is_the_same(minutes in prop::collection::vec(minute(), 1..20)) {
        let rules = rules();
        let timing = Timing::of(&rules, START, None, None);
        let all = evidence(&rules, &timing, &minutes, [0, 1, 2]);
        let now = all.last().unwrap().window.to;
        let (_, at_once) = judge(&rules, &State::new(&rules, timing), &all, now);
        let one_by_one = looks(&rules, &minutes, [0, 1, 2]);
        prop_assert_eq!(Some(&at_once), one_by_one.last());
    }
}
