//! Claims about burn rates that hold for every service, tried on many.

use crate::slo::MINUTE;
use crate::slo::by_minute;
use crate::slo::counts;
use crate::slo::minute;
use crate::slo::slices::naive;
use crate::slo::slices::slot;
use crate::slo::slo;
use proptest::prelude::*;
use wavegate::judge;
use wavegate::judge::Burn;
use wavegate::judge::BurnState;
use wavegate::rules::Absolute;
use wavegate::rules::Budgeting;
use wavegate::rules::EmptySlice;
use wavegate::rules::Period;
use wavegate::rules::Slo;
use wavegate::rules::Tier;
use wavegate::rules::TierSeverity;
use wavegate::series::Counts;
use wavegate::series::Fraction;
use wavegate::series::Slices;
use wavegate::series::Window;

fn empty() -> impl Strategy<Value = EmptySlice> {
    prop_oneof![Just(EmptySlice::Good), Just(EmptySlice::Bad), Just(EmptySlice::Ignore)]
}

fn budgeting() -> impl Strategy<Value = Budgeting> {
    let slice = (1_u32..7).prop_map(|minutes| MINUTE * minutes);
    prop_oneof![
        3 => Just(Budgeting::Occurrences),
        1 => (1_u128..=100, slice.clone(), empty()).prop_map(|(target, slice, empty)| {
            Budgeting::Timeslices { target: Fraction::new(target, 100).unwrap(), slice, empty }
        }),
        1 => (slice, empty()).prop_map(|(slice, empty)| Budgeting::RatioTimeslices { slice, empty }),
    ]
}

fn tier() -> impl Strategy<Value = Tier> {
    (1_u32..40, 1_u32..40, 1_u128..300, any::<bool>()).prop_map(|(long, short, tenths, page)| Tier {
        name: "one".to_owned(),
        severity: if page { TierSeverity::Page } else { TierSeverity::Ticket },
        long: MINUTE * long,
        short: MINUTE * short,
        factor: Fraction::new(tenths, 10).unwrap(),
    })
}

fn any_slo() -> impl Strategy<Value = Slo> {
    let absolute = prop::option::of((1_u32..100, 1_u32..60));
    (1_u128..1000, budgeting(), prop::collection::vec(tier(), 0..4), 1_u32..20, absolute, 60_u32..300).prop_map(
        |(objective, budgeting, tiers, min_bad, absolute, period)| Slo {
            objective: Fraction::new(objective, 1000).unwrap(),
            period: Period::Rolling(MINUTE * period),
            absolute: absolute.map(|(bad, within)| Absolute {
                bad,
                within: MINUTE * within,
                severity: TierSeverity::Ticket,
            }),
            budgeting,
            tiers,
            min_bad,
            ..slo("99")
        },
    )
}

/// Slices of which an SLO has a period, more or less.
fn service() -> impl Strategy<Value = Vec<Option<Counts>>> {
    prop::collection::vec(slot(), 0..300)
}

fn burnt(slo: &Slo, slots: &[Option<Counts>]) -> Burn {
    let through = minute(i64::try_from(slots.len()).unwrap());
    judge::burn(slo, &judge::account(slo, &by_minute(slots), through))
}

fn gravity(state: BurnState) -> u8 {
    match state {
        BurnState::NoData | BurnState::Ok => 0,
        BurnState::Ticket => 1,
        BurnState::Page => 2,
    }
}

/// Every number that a burn has.
fn numbers(burn: &Burn) -> Vec<f64> {
    let windows = burn.windows.iter().flat_map(|window| [window.error_ratio, window.burn]);
    let tiers =
        burn.tiers.iter().flat_map(|tier| [Some(tier.factor), Some(tier.threshold), tier.long_burn, tier.short_burn]);
    let period = &burn.period;
    let period = [period.total, Some(period.covered), period.allowed, period.consumed, period.remaining, period.burn];
    windows.chain(tiers).chain(period).flatten().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn no_number_is_nan_or_infinite(
        slo in any_slo(),
        slots in prop::collection::vec(prop::option::of((any::<f64>(), any::<f64>())), 0..200),
        lag in -50_i64..50,
    ) {
        let slots: Vec<_> = slots.into_iter().map(|slot| slot.and_then(|(bad, total)| counts(bad, total))).collect();
        let at = minute(i64::try_from(slots.len()).unwrap() + lag);
        let found = judge::burn(&slo, &judge::account(&slo, &by_minute(&slots), at));
        prop_assert!(numbers(&found).iter().all(|number| number.is_finite()), "{found:?}");
        prop_assert!((0.0..=1.0).contains(&found.period.covered));
    }

    #[test]
    fn windows_are_sums_of_their_slices(slo in any_slo(), slots in service()) {
        let slices = by_minute(&slots);
        let through = minute(i64::try_from(slots.len()).unwrap());
        let found = judge::account(&slo, &slices, through);
        for window in found.windows.iter().chain([&found.period]) {
            let (sum, bad_events) = walked(&slo, &slices, Window { from: found.through - window.length, to: found.through });
            prop_assert_eq!(window.counts.map(|counts| counts.total), sum.map(|counts| counts.total));
            let (one, other) = (window.counts.unwrap_or_default().bad, sum.unwrap_or_default().bad);
            prop_assert!((one - other).abs() <= 1e-12 * other, "{one} {other}");
            prop_assert!((window.bad_events - bad_events).abs() < f64::EPSILON);
        }
        let events = naive(&slices, Window { from: found.period_from, to: found.through });
        prop_assert_eq!((found.events.counts, found.events.seen), (events.counts, events.seen));
    }

    #[test]
    fn as_much_of_more_traffic_burns_as_fast(slo in any_slo(), slots in service(), by in 2_u32..1000) {
        let more: Vec<_> = slots.iter().map(|slot| {
            slot.map(|one| Counts { bad: one.bad * f64::from(by), total: one.total * f64::from(by) })
        }).collect();
        let (one, other) = (burnt(&slo, &slots), burnt(&slo, &more));
        for (one, other) in one.windows.iter().zip(&other.windows) {
            prop_assert_eq!(one.burn.is_some(), other.burn.is_some());
            prop_assert!((one.burn.unwrap_or(0.0) - other.burn.unwrap_or(0.0)).abs() <= 1e-12 * one.burn.unwrap_or(0.0));
        }
        for (one, other) in one.tiers.iter().zip(&other.tiers) {
            // Which fire is exact; only that they have enough bad events may change.
            if !matches!(slo.budgeting, Budgeting::RatioTimeslices { .. }) {
                prop_assert_eq!(one.firing || one.suppressed, other.firing || other.suppressed);
            }
        }
    }

    #[test]
    fn more_bad_events_never_lower_the_state(
        slo in any_slo(),
        slots in service(),
        more in prop::collection::vec((0_usize..500, 1_u32..100), 1..20),
    ) {
        let mut worse = slots.clone();
        for (place, bad) in more {
            // A slice that had no event may count as bad already; more of them make it no better.
            if let Some(Some(slot)) = worse.get_mut(place) && slot.total > 0.0 {
                *slot = Counts { bad: slot.bad + f64::from(bad), total: slot.total + f64::from(bad) };
            }
        }
        let (before, after) = (burnt(&slo, &slots), burnt(&slo, &worse));
        prop_assert!(gravity(before.state) <= gravity(after.state), "{before:?} {after:?}");
    }

    #[test]
    fn a_window_that_counted_nothing_never_fires(slo in any_slo(), slots in service()) {
        let found = burnt(&slo, &slots);
        for tier in &found.tiers {
            prop_assert!(!(tier.firing || tier.suppressed) || (tier.long_burn.is_some() && tier.short_burn.is_some()));
            prop_assert!(!(tier.firing && (tier.suppressed || !tier.reachable)));
        }
        let quiet = vec![counts(0.0, 0.0); slots.len()];
        if slo.budgeting == Budgeting::Occurrences {
            prop_assert_eq!(burnt(&slo, &quiet).state, BurnState::NoData);
        }
        prop_assert_eq!(burnt(&slo, &vec![None; slots.len()]).state, BurnState::NoData);
    }
}

/// What was counted in `window`, slice by slice from the first on, and its bad events.
fn walked(slo: &Slo, slices: &Slices, window: Window) -> (Option<Counts>, f64) {
    let events = naive(slices, window).counts;
    let bad_events = events.unwrap_or_default().bad;
    let (target, length, empty) = match slo.budgeting {
        Budgeting::Occurrences => return (events, bad_events),
        Budgeting::Timeslices { target, slice, empty } => (Some(target), slice, empty),
        Budgeting::RatioTimeslices { slice, empty } => (None, slice, empty),
    };
    let mut from = minute(0);
    let (mut seen, mut sum) = (false, Counts::default());
    while from + length <= window.to {
        let slice = Window { from, to: from + length };
        from = from + length;
        let Some(one) = naive(slices, slice).counts.filter(|_| window.from <= slice.from) else { continue };
        seen = true;
        let bad = match (one.total > 0.0, target, empty) {
            (false, _, EmptySlice::Ignore) => continue,
            (false, _, EmptySlice::Good) => 0.0,
            (false, _, EmptySlice::Bad) => 1.0,
            (true, None, _) => one.bad / one.total,
            (true, Some(target), _) => {
                let good = target.compare(one.total - one.bad, one.total).is_some_and(std::cmp::Ordering::is_ge);
                f64::from(u8::from(!good))
            }
        };
        sum = Counts { bad: sum.bad + bad, total: sum.total + 1.0 };
    }
    (seen.then_some(sum), bad_events)
}
