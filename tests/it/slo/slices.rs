//! Claims about the memory of slices, tried on many that were written, written again and
//! forgotten in parts.

use crate::slo::MINUTE;
use crate::slo::by_minute;
use crate::slo::counts;
use crate::slo::minute;
use proptest::prelude::*;
use wavegate::series::Counts;
use wavegate::series::Slices;
use wavegate::series::SpanCounts;
use wavegate::series::Window;

/// Where slices were put, and which.
type Puts = Vec<(i64, Vec<Option<Counts>>)>;

fn span(from: i64, to: i64) -> Window {
    Window { from: minute(from), to: minute(to) }
}

/// The sum of a window, slice by slice.
pub(super) fn naive(slices: &Slices, window: Window) -> SpanCounts {
    let seen: Vec<Counts> = slices.iter(window).filter_map(|(_, counts)| counts).collect();
    let plus = |sum: Counts, one: &Counts| Counts { bad: sum.bad + one.bad, total: sum.total + one.total };
    SpanCounts {
        counts: (!seen.is_empty()).then(|| seen.iter().fold(Counts::default(), plus)),
        seen: u32::try_from(seen.len()).unwrap(),
        slices: u32::try_from(window.length().as_secs() / 60).unwrap(),
    }
}

pub(super) fn slot() -> impl Strategy<Value = Option<Counts>> {
    prop_oneof![
        1 => Just(None),
        1 => Just(counts(0.0, 0.0)),
        2 => (1_u32..1000).prop_map(|total| counts(0.0, total.into())),
        4 => (0_u32..50, 0_u32..1000).prop_map(|(bad, good)| counts(bad.into(), (bad + good).into())),
    ]
}

fn lived() -> impl Strategy<Value = (Slices, Puts)> {
    let put = (-200_i64..9000, prop::collection::vec(slot(), 0..300));
    (prop::collection::vec(put, 1..12), prop::option::of(-100_i64..9000)).prop_map(|(puts, forgotten)| {
        let mut slices = Slices::new(MINUTE, minute(-100));
        for (from, more) in &puts {
            slices.put(minute(*from), more);
        }
        if let Some(then) = forgotten {
            slices.forget_before(minute(then));
        }
        (slices, puts)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn the_sum_of_any_span_is_that_of_its_slices((slices, _) in lived(), from in -300_i64..9500, length in 0_i64..9500) {
        let window = span(from, from + length);
        prop_assert_eq!(slices.sum(window), naive(&slices, window));
        let seen = slices.iter(window).find(|(_, counts)| counts.is_some()).map(|(at, _)| at);
        prop_assert_eq!(slices.first_seen(window), seen);
    }

    #[test]
    fn slices_are_what_was_put_last((slices, puts) in lived()) {
        for (at, kept) in slices.iter(span(-300, 9500)) {
            let put = puts.iter().rev().find_map(|(from, more)| {
                let behind = usize::try_from(at.as_millis() / 60_000 - from).ok()?;
                more.get(behind)
            });
            prop_assert_eq!(kept, put.copied().flatten());
        }
    }

    #[test]
    fn a_memory_that_is_read_back_is_the_same((slices, _) in lived()) {
        let mut again = Slices::new(MINUTE, slices.from());
        let kept: Vec<_> = slices.iter(span(-300, 9500)).map(|(_, counts)| counts).collect();
        again.put(slices.from(), &kept);
        prop_assert_eq!(again, slices);
    }

    #[test]
    fn bad_is_at_most_all_in_every_sum(parts in prop::collection::vec((0.0..=1.0_f64, 0.0..1e9_f64), 1..300)) {
        let slots: Vec<_> = parts.iter().map(|(share, total)| counts(share * total, *total)).collect();
        let slices = by_minute(&slots);
        for to in 1..=i64::try_from(slots.len()).unwrap() {
            let sum = slices.sum(span(0, to)).counts.unwrap();
            prop_assert!(sum.bad <= sum.total);
        }
    }
}
