//! The same samples give the same evidence, however they are asked for.

use crate::gather::BEGAN;
use crate::gather::gather_from;
use crate::gather::instances::by_instance;
use crate::gather::instances::divided;
use crate::gather::memory::Memory;
use crate::gather::rules;
use crate::gather::windows;
use proptest::prelude::*;
use wavegate::rules::RuleFile;
use wavegate::series::InstanceEvidence;
use wavegate::series::IntervalEvidence;
use wavegate::series::Measure;

/// Windows of one minute: with two hours of them, questions are split as well.
const WINDOWS: i64 = 100;

/// Each kind of check, on the same two metrics.
fn every_kind() -> RuleFile {
    let mut all = rules(
        "  - name: ratio\n    ratio: { bad: 'a_total{code=\"1\"}', total: a_total }\n\
         \x20 - name: histogram\n    histogram: h\n\
         \x20 - name: rate\n    gauge: 'rate(a_total[$interval])'\n\
         \x20 - name: mean\n    gauge: 'a_total'\n\
         \x20 - name: worst\n    threshold: 'a_total'\n    max: 50\n    breach: 1 of 1\n",
    );
    all.checks.extend(by_instance("rate(a_total[$interval])").checks);
    all.checks.extend(by_instance("a_total").checks);
    all.checks.extend(divided("rate(a_total[$interval])", "a_total").checks);
    all
}

/// Samples of one series: alternately seconds of scrapes and of silence, and
/// values that grow, fall, and are no numbers.
fn samples() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let stretch = (0_i64..1500, 0_i64..4500, prop::sample::select(vec![10_i64, 15, 61, 299, 300, 301]));
    let value = prop_oneof![
        20 => (0_u32..20).prop_map(|by| Some(f64::from(by))),
        2 => Just(None),
        1 => Just(Some(f64::NAN)),
        1 => Just(Some(f64::INFINITY)),
    ];
    (prop::collection::vec(stretch, 1..4), prop::collection::vec(value, 7)).prop_map(|(stretches, steps)| {
        let (mut second, mut counter, mut samples) = (BEGAN - 3000, 0.0, Vec::new());
        let mut steps = steps.into_iter().cycle();
        for (scraped, silent, every) in stretches {
            let end = second + silent + scraped;
            second += silent;
            while second < end {
                let step = steps.next().flatten();
                counter = step.filter(|by| by.is_finite()).map_or(0.0, |by| counter + by);
                samples.push((second, step.filter(|by| !by.is_finite()).unwrap_or(counter)));
                second += every;
            }
        }
        samples
    })
}

fn source() -> impl Strategy<Value = Memory> {
    prop::collection::vec(samples(), 26).prop_map(|mut samples| {
        let mut source = Memory::default();
        let mut next = || samples.pop().unwrap();
        for wave in ["new", "old"] {
            for (pod, code) in [("a", "0"), ("a", "1"), ("b", "0")] {
                source.add(&format!("a_total{{wave_id={wave},pod={wave}-{pod},code={code}}}"), next());
            }
            for (pod, le) in [("a", "1"), ("a", "1.0"), ("a", "+Inf"), ("b", "+Inf")] {
                source.add(&format!("h_bucket{{wave_id={wave},pod={wave}-{pod},le={le}}}"), next());
            }
            // Of pods that have the classic form too, and of one that has not; in two resolutions.
            for (pod, width) in [("a", 1.0), ("b", 2.0), ("c", 1.0)] {
                let [fast, slow] = [next(), next()];
                let samples = fast.into_iter().zip(slow.into_iter().chain([(0, 5.0)].into_iter().cycle()));
                let samples = samples.map(|((second, fast), (_, slow))| (second, [fast, slow, fast.max(slow)]));
                source.add_native(&format!("h{{wave_id={wave},pod={wave}-{pod}}}"), width, samples.collect());
            }
        }
        source
    })
}

/// All of `windows` in runs that end at `cuts`, one request each.
fn in_runs(source: &Memory, rules: &RuleFile, cuts: &[usize]) -> Vec<IntervalEvidence> {
    let windows = windows(WINDOWS, 60);
    let mut rest = &windows[..];
    let mut evidence = Vec::new();
    for cut in cuts {
        let (run, after) = rest.split_at((*cut).min(rest.len()));
        evidence.extend(gather_from(source, rules, run));
        rest = after;
    }
    evidence.extend(gather_from(source, rules, rest));
    evidence
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn evidence_does_not_depend_on_the_windows_it_was_asked_with(
        source in source(),
        cuts in prop::collection::vec(1_usize..40, 0..12),
    ) {
        let rules = every_kind();
        let (at_once, in_runs) = (in_runs(&source, &rules, &[]), in_runs(&source, &rules, &cuts));
        prop_assert_eq!(at_once.len(), 100);
        for (one, other) in at_once.iter().zip(&in_runs) {
            prop_assert_eq!(format!("{:?}", one), format!("{:?}", other));
        }
    }

    #[test]
    fn evidence_does_not_depend_on_the_order_of_an_answer(source in source()) {
        let rules = every_kind();
        let forth = in_runs(&source, &rules, &[]);
        let source = Memory { is_reversed: true, ..source };
        for (one, other) in forth.iter().zip(&in_runs(&source, &rules, &[])) {
            prop_assert_eq!(format!("{:?}", one), format!("{:?}", other));
        }
    }

    #[test]
    fn every_number_is_finite_and_no_count_negative(source in source()) {
        for check in in_runs(&source, &every_kind(), &[]).into_iter().flat_map(|one| one.checks) {
            for observed in [Some(check.canary), check.baseline].into_iter().flatten() {
                prop_assert!(observed.expected >= 1);
                match observed.measure {
                    Measure::Nothing => {}
                    Measure::Counts { bad, total } => {
                        prop_assert!(0.0 <= bad && bad <= total && total.is_finite());
                        prop_assert!(observed.seen > 0);
                    }
                    Measure::Buckets(buckets) => prop_assert!(buckets.total().is_finite()),
                    Measure::Value(value) | Measure::Worst { value, .. } => {
                        prop_assert!(value.is_finite());
                        prop_assert!(observed.seen > 0);
                    }
                    Measure::Rated { value, per } => {
                        prop_assert!(value.is_finite() && per.is_finite() && per >= 0.0);
                        prop_assert!(observed.seen > 0);
                    }
                }
            }
        }
    }

    #[test]
    fn what_instances_show_adds_up_to_what_their_cohort_does(source in source()) {
        for check in in_runs(&source, &every_kind(), &[]).into_iter().flat_map(|one| one.checks) {
            for observed in [Some(check.canary), check.baseline].into_iter().flatten() {
                let instances = &observed.instances;
                prop_assert!(instances.windows(2).all(|pair| pair[0].name < pair[1].name));
                let [bad, total, values, count] = sums(instances);
                if instances.is_empty() {
                    continue;
                }
                if let Measure::Counts { bad: all_bad, total: all } = observed.measure {
                    // An instance of which all is unknown may have bad events, and is left out.
                    prop_assert!((total - all).abs() < 1e-9 && bad <= all_bad, "{:?}", observed);
                } else if let Measure::Value(mean) = observed.measure {
                    prop_assert!((values - mean * count).abs() <= 1e-9 * values.abs(), "{:?}", observed);
                } else {
                    prop_assert!(false, "{:?}", observed);
                }
            }
        }
    }
}

/// Bad events, all events, values, and how many instances there are.
fn sums(instances: &[InstanceEvidence]) -> [f64; 4] {
    instances.iter().fold([0.0; 4], |[bads, totals, values, count], instance| {
        let mut sums = [bads, totals, values, count + 1.0];
        if let Measure::Counts { bad, total } = instance.measure {
            sums[0] += bad;
            sums[1] += total;
        } else if let Measure::Value(value) = instance.measure {
            sums[2] += value;
        }
        sums
    })
}
