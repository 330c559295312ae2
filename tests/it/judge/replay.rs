//! Intervals are the stored truth: however they arrive, folding them gives the same state and
//! the same words, and what is late or comes twice changes nothing.

use crate::judge::properties::GATES;
use crate::judge::properties::Gate;
use crate::judge::properties::INTERVALS;
use crate::judge::properties::wave;
use proptest::prelude::*;
use wavegate::judge::Judgement;
use wavegate::judge::State;
use wavegate::judge::judge;
use wavegate::series::IntervalEvidence;

/// What a daemon has that asked at the ends of `parts`, and of everything.
fn in_parts(gate: &Gate, evidence: &[IntervalEvidence], parts: &[usize]) -> (State, Judgement) {
    let mut ends: Vec<usize> = parts.iter().map(|end| end % evidence.len()).collect();
    ends.sort_unstable();
    ends.push(evidence.len());
    let (mut state, mut from, mut last) = (gate.start.clone(), 0, None);
    for end in ends {
        // Asked twice for the same, there is nothing new, and nothing changes.
        if from < end {
            let now = gate.timing.window(u32::try_from(end).unwrap()).to;
            let judged = judge(&gate.rules, &state, &evidence[from..end], now);
            (state, from, last) = (judged.0, end, Some(judged.1));
        }
    }
    (state, last.unwrap())
}

fn gate() -> impl Strategy<Value = &'static Gate> {
    (0..GATES.len()).prop_map(|index| &GATES[index])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn one_by_one_in_parts_or_all_at_once_says_the_same(
        gate in gate(), seed in any::<u64>(), factor in 0.7..1.6_f64, parts in prop::collection::vec(0..48_usize, 0..6),
    ) {
        let evidence = wave(gate, seed, factor, 0.1);
        let every: Vec<usize> = (1..48).collect();
        let at_once = judge(&gate.rules, &gate.start, &evidence, gate.timing.deadline);
        prop_assert_eq!(&in_parts(gate, &evidence, &every), &at_once);
        prop_assert_eq!(&in_parts(gate, &evidence, &parts), &at_once);
    }

    /// At each interval what was kept says what a daemon says that has just been restarted and
    /// has nothing but the intervals.
    #[test]
    fn a_restart_at_any_interval_says_what_was_said(
        gate in gate(), seed in any::<u64>(), factor in 0.7..1.6_f64, at in 1..=INTERVALS,
    ) {
        let evidence = &wave(gate, seed, factor, 0.1)[..at as usize];
        let new = State::new(&gate.rules, gate.timing);
        prop_assert_eq!(&new, &gate.start);
        let replayed = judge(&gate.rules, &new, evidence, gate.timing.window(at).to);
        let every: Vec<usize> = (1..evidence.len()).collect();
        prop_assert_eq!(replayed, in_parts(gate, evidence, &every));
    }

    #[test]
    fn late_duplicate_and_out_of_order_intervals_change_nothing(
        gate in gate(), seed in any::<u64>(), factor in 0.7..1.6_f64,
        strays in prop::collection::vec((0..48_usize, 0..48_usize), 1..30),
    ) {
        let evidence = wave(gate, seed, factor, 0.1);
        // What strays is of another wave, so that it would show.
        let other = wave(gate, seed ^ 1, 3.0 * factor, 0.5);
        let mut disturbed = Vec::new();
        for (place, interval) in evidence.iter().enumerate() {
            // Any but the one that is due.
            let here = strays.iter().filter(|(at, which)| *at == place && *which != place);
            disturbed.extend(here.map(|(_, which)| other[*which].clone()));
            disturbed.push(interval.clone());
            disturbed.push(other[place].clone());
        }
        let judged = |evidence: &[IntervalEvidence]| judge(&gate.rules, &gate.start, evidence, gate.timing.deadline);
        prop_assert_eq!(judged(&disturbed), judged(&evidence));
    }

    /// An interval that has not ended is not used, and one after the deadline never.
    #[test]
    fn the_future_is_not_used(gate in gate(), seed in any::<u64>(), at in 1..=INTERVALS) {
        let evidence = wave(gate, seed, 1.3, 0.1);
        let now = gate.timing.window(at).to;
        let known = judge(&gate.rules, &gate.start, &evidence[..at as usize], now);
        prop_assert_eq!(judge(&gate.rules, &gate.start, &evidence, now), known);
        let mut longer = evidence.clone();
        longer.push(IntervalEvidence { window: gate.timing.window(INTERVALS + 1), ..evidence[0].clone() });
        let later = gate.timing.window(INTERVALS + 1).to;
        let judged = |evidence: &[IntervalEvidence]| judge(&gate.rules, &gate.start, evidence, later);
        prop_assert_eq!(judged(&longer), judged(&evidence));
    }
}
