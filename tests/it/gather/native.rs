//! Native histograms: found without being asked for, and read as the classic ones are.

use crate::gather::BEGAN;
use crate::gather::block_on;
use crate::gather::check_of;
use crate::gather::counts;
use crate::gather::gather_from;
use crate::gather::instances::divided;
use crate::gather::latency;
use crate::gather::memory::Memory;
use crate::gather::memory::at;
use crate::gather::memory::scrapes;
use crate::gather::ratio;
use crate::gather::rules;
use crate::gather::windows;
use std::collections::BTreeMap;
use std::time::Duration;
use wavegate::rules::RuleFile;
use wavegate::rules::query::Bindings;
use wavegate::series::CheckEvidence;
use wavegate::series::Fault;
use wavegate::series::Measure;
use wavegate::series::Notice;
use wavegate::series::Observed;
use wavegate::sources::gather;

/// A histogram scraped every 15 s from `first` to `last` that grows by `by` a scrape.
fn grows(first: i64, last: i64, by: [f64; 3]) -> Vec<(i64, [f64; 3])> {
    let mut all = [0.0; 3];
    let grow = |second| {
        all = [all[0] + by[0], all[1] + by[1], all[2] + by[2]];
        (second, all)
    };
    (first..=last).step_by(15).map(grow).collect()
}

/// Both cohorts, a pod each, since an hour before the wave.
fn both(canary: [f64; 3], baseline: [f64; 3]) -> Memory {
    let mut source = Memory::default();
    for (wave, by) in [("new", canary), ("old", baseline)] {
        source.add_native(&format!("latency_seconds{{wave_id={wave},pod={wave}}}"), 1.0, grows(3600, 7800, by));
    }
    source
}

/// Adds classic buckets with 10 events a scrape for `pod` of `wave`.
fn add_classic(source: &mut Memory, wave: &str, pod: &str) {
    for (le, by) in [("1", 6.0), ("+Inf", 10.0)] {
        source.add(&format!("latency_seconds_bucket{{wave_id={wave},pod={pod},le={le}}}"), scrapes(3600, 7800, by));
    }
}

#[track_caller]
fn check_buckets(observed: &Observed, bounds: &[f64], counts: &[f64]) {
    let Measure::Buckets(buckets) = &observed.measure else { panic!("{observed:?}") };
    assert_eq!((buckets.bounds(), buckets.counts()), (bounds, counts));
}

fn baseline(check: &CheckEvidence) -> &Observed {
    check.baseline.as_ref().unwrap()
}

const INF: f64 = f64::INFINITY;

#[test]
fn a_native_histogram_is_counted_by_bucket_with_both_cohorts_on_the_same_bounds() {
    let check = check_of(&both([6.0, 0.0, 4.0], [0.0, 9.0, 1.0]), &latency(), 3);
    check_buckets(&check.canary, &[0.0, 1.0, 2.0, 3.0, INF], &[0.0, 6.0, 0.0, 4.0, 0.0]);
    check_buckets(baseline(&check), &[0.0, 1.0, 2.0, 3.0, INF], &[0.0, 0.0, 9.0, 1.0, 0.0]);
    assert_eq!((check.notices, check.faults), (vec![], vec![]));
    assert_eq!((check.canary.seen, check.canary.expected), (1, 1));
}

#[test]
fn the_other_form_costs_one_question_without_an_answer() {
    let mut source = Memory::default();
    add_classic(&mut source, "new", "n");
    add_classic(&mut source, "old", "o");
    check_of(&source, &latency(), 3);
    assert_eq!(source.asked().len(), 4, "{:#?}", source.asked());
}

#[test]
fn two_resolutions_meet_on_the_coarser_one_and_that_is_said() {
    let mut source = both([6.0, 2.0, 4.0], [0.0, 9.0, 1.0]);
    source.add_native("latency_seconds{wave_id=old,pod=other}", 2.0, grows(3600, 7800, [5.0, 5.0, 0.0]));
    let check = check_of(&source, &latency(), 3);
    check_buckets(&check.canary, &[0.0, 2.0, 4.0, INF], &[0.0, 8.0, 4.0, 0.0]);
    check_buckets(baseline(&check), &[0.0, 2.0, 4.0, INF], &[0.0, 14.0, 6.0, 0.0]);
    assert_eq!(check.notices, [Notice::BoundsDiffer]);
}

#[test]
fn a_restart_is_taken_out_before_the_sum_over_instances() {
    let mut source = both([6.0, 0.0, 4.0], [6.0, 0.0, 4.0]);
    let mut restarted = grows(3600, BEGAN + 45, [1.0, 1.0, 1.0]);
    restarted.extend(grows(BEGAN + 60, 7800, [2.0, 0.0, 1.0]));
    source.add_native("latency_seconds{wave_id=new,pod=again}", 1.0, restarted);
    let evidence = gather_from(&source, &latency(), &windows(8, 15));
    for one in &evidence[3..5] {
        check_buckets(&one.checks[0].canary, &[0.0, 1.0, 2.0, 3.0, INF], &[0.0, 8.0, 0.0, 5.0, 0.0]);
    }
    check_buckets(&evidence[2].checks[0].canary, &[0.0, 1.0, 2.0, 3.0, INF], &[0.0, 7.0, 1.0, 5.0, 0.0]);
}

#[test]
fn a_histogram_born_in_the_wave_counts_from_zero_where_the_source_looked() {
    let mut source = both([6.0, 0.0, 4.0], [6.0, 0.0, 4.0]);
    source.add_native("latency_seconds{wave_id=new,pod=born}", 1.0, grows(BEGAN + 40, 7800, [0.0, 7.0, 0.0]));
    let evidence = gather_from(&source, &latency(), &windows(8, 15));
    check_buckets(&evidence[2].checks[0].canary, &[0.0, 1.0, 2.0, 3.0, INF], &[0.0, 6.0, 7.0, 4.0, 0.0]);
    assert!(evidence.iter().all(|one| one.checks[0].notices.is_empty()));
    let births = source.asked().iter().filter(|question| question.contains("[1h]")).count();
    assert_eq!(births, 2);
}

#[test]
fn a_histogram_born_before_anybody_looked_and_one_with_a_gap_are_told() {
    let mut source = Memory::default();
    for wave in ["new", "old"] {
        let first = grows(BEGAN + 3, 7800, [1.0, 0.0, 0.0]);
        source.add_native(&format!("latency_seconds{{wave_id={wave},pod={wave}}}"), 1.0, first);
    }
    let check = check_of(&source, &latency(), 0);
    assert_eq!((&check.canary.measure, check.canary.seen), (&Measure::Nothing, 1));
    assert_eq!(check.notices, [Notice::StartsAtFirstSample { series: 2 }]);

    let mut source = both([6.0, 0.0, 4.0], [6.0, 0.0, 4.0]);
    let silent = vec![(BEGAN - 1800, [5.0, 0.0, 0.0]), (BEGAN + 40, [7.0, 0.0, 0.0])];
    source.add_native("latency_seconds{wave_id=new,pod=silent}", 1.0, silent);
    assert_eq!(check_of(&source, &latency(), 2).notices, [Notice::GapNotBridged { series: 1 }]);
}

#[test]
fn an_instance_that_vanishes_is_missing_and_a_silent_cohort_is_unknown() {
    let mut source = both([6.0, 0.0, 4.0], [6.0, 0.0, 4.0]);
    source.add_native("latency_seconds{wave_id=new,pod=n2}", 1.0, grows(3600, 7800, [1.0, 0.0, 0.0]));
    source.remove("pod", "n2", BEGAN + 40);
    let check = check_of(&source, &latency(), 5);
    assert_eq!((check.canary.seen, check.canary.expected), (1, 2));
    source.remove("wave_id", "new", BEGAN + 40);
    let check = check_of(&source, &latency(), 5);
    assert_eq!((&check.canary.measure, check.canary.seen), (&Measure::Nothing, 0));
    check_buckets(baseline(&check), &[0.0, 1.0, 2.0, 3.0, INF], &[0.0, 6.0, 0.0, 4.0, 0.0]);
}

#[test]
fn no_event_is_known_to_be_none() {
    let check = check_of(&both([0.0; 3], [0.0; 3]), &latency(), 3);
    check_buckets(&check.canary, &[0.0, INF], &[0.0, 0.0]);
    assert_eq!(check.canary.seen, 1);
}

#[test]
fn native_is_read_before_classic_where_both_cohorts_have_both() {
    let mut source = both([6.0, 0.0, 4.0], [6.0, 0.0, 4.0]);
    add_classic(&mut source, "new", "new");
    add_classic(&mut source, "old", "old");
    check_buckets(&check_of(&source, &latency(), 3).canary, &[0.0, 1.0, 2.0, 3.0, INF], &[0.0, 6.0, 0.0, 4.0, 0.0]);
}

#[test]
fn classic_is_read_where_an_instance_has_no_other_form() {
    let mut source = both([6.0, 0.0, 4.0], [6.0, 0.0, 4.0]);
    for (wave, pod) in [("new", "new"), ("old", "old"), ("old", "before")] {
        add_classic(&mut source, wave, pod);
    }
    let check = check_of(&source, &latency(), 3);
    check_buckets(&check.canary, &[1.0, INF], &[6.0, 4.0]);
    check_buckets(baseline(&check), &[1.0, INF], &[12.0, 8.0]);
    assert_eq!(check.notices, []);
}

#[test]
fn native_and_classic_are_not_compared_and_that_is_said() {
    let mut source = both([6.0, 0.0, 4.0], [6.0, 0.0, 4.0]);
    source.native.pop();
    add_classic(&mut source, "old", "old");
    let check = check_of(&source, &latency(), 3);
    for observed in [&check.canary, baseline(&check)] {
        assert_eq!((&observed.measure, observed.seen, observed.expected), (&Measure::Nothing, 0, 1));
    }
    assert_eq!((check.notices, check.faults), (vec![Notice::NativeAndClassic], vec![]));
}

#[test]
fn a_fleet_that_changes_its_form_is_read_again_when_both_have_it() {
    let mut source = Memory::default();
    for (wave, first) in [("new", BEGAN + 60), ("old", BEGAN + 90)] {
        add_classic(&mut source, wave, wave);
        source.remove("wave_id", wave, first - 15);
        source.add_native(&format!("latency_seconds{{wave_id={wave},pod={wave}}}"), 1.0, grows(first, 9000, [1.0; 3]));
    }
    let evidence = gather_from(&source, &latency(), &windows(60, 15));
    let is_native = |index: usize| match &evidence[index].checks[0].canary.measure {
        Measure::Buckets(buckets) => Some(buckets.bounds().len() == 5),
        Measure::Nothing
        | Measure::Counts { .. }
        | Measure::Value(_)
        | Measure::Rated { .. }
        | Measure::Worst { .. } => None,
    };
    // Until the baseline changes too it is the classic form that both have, and it is silent.
    let forms = [0, 2, 4, 5, 59].map(is_native);
    assert_eq!(forms, [Some(false), Some(false), None, Some(true), Some(true)]);
}

#[test]
fn one_native_series_in_both_cohorts_is_an_overlap() {
    let overlapping = rules(
        "  - name: latency\n    histogram: latency_seconds\n    match: { canary: 'pod=~\"new|old\"', baseline: 'pod=\"old\"' }\n",
    );
    let check = check_of(&both([6.0, 0.0, 4.0], [6.0, 0.0, 4.0]), &overlapping, 3);
    assert!(
        matches!(&check.faults[..], [Fault::CohortsOverlap { series }] if series.contains("pod=\"old\"")),
        "{check:?}"
    );
}

#[test]
fn a_partial_answer_is_no_look_at_a_native_histogram_either() {
    let mut source = both([6.0, 0.0, 4.0], [6.0, 0.0, 4.0]);
    source.partial = Some("a store is down".to_owned());
    let check = check_of(&source, &latency(), 3);
    assert_eq!((check.canary.seen, check.faults.len()), (0, 1));
}

#[test]
fn a_native_histogram_is_no_number_and_a_number_no_native_histogram() {
    let mut source = both([6.0, 0.0, 4.0], [6.0, 0.0, 4.0]);
    source.add_native("requests_total{wave_id=new,pod=new}", 1.0, grows(3600, 7800, [1.0; 3]));
    let check = check_of(&source, &ratio(), 3);
    let said = "1 series have native histograms, which were not read".to_owned();
    // In the answer on all events; of bad ones there is none.
    assert_eq!((check.canary.seen, check.notices), (0, vec![Notice::Remark { message: said }]));
    source.add("latency_seconds{wave_id=new,pod=summary,quantile=0.5}", scrapes(3600, BEGAN + 20, 1.0));
    let check = check_of(&source, &latency(), 3);
    check_buckets(&check.canary, &[0.0, 1.0, 2.0, 3.0, INF], &[0.0, 6.0, 0.0, 4.0, 0.0]);
    assert_eq!((check.canary.seen, check.canary.expected, check.notices), (1, 1, vec![]));
}

#[test]
fn a_native_histogram_is_not_what_a_value_is_divided_by_and_that_is_said() {
    let mut source = both([6.0, 0.0, 4.0], [6.0, 0.0, 4.0]);
    for wave in ["new", "old"] {
        source.add(&format!("cpu_total{{wave_id={wave},pod={wave}}}"), scrapes(3600, 7800, 7.5));
    }
    let rate = |metric: &str| format!("rate({metric}[$interval])");
    let said = Notice::Remark { message: "1 series have native histograms, which were not read".to_owned() };
    for (value, per) in [("cpu_total", "latency_seconds"), ("latency_seconds", "cpu_total")] {
        let check = check_of(&source, &divided(&rate(value), &rate(per)), 3);
        assert_eq!((check.canary.measure, check.canary.seen), (Measure::Nothing, 0));
        assert_eq!((check.notices, check.faults), (vec![said.clone()], vec![]));
    }
}

#[test]
fn instances_are_told_apart_beside_histograms_of_either_form() {
    let mut source = both([6.0, 0.0, 4.0], [6.0, 0.0, 4.0]);
    for (series, by) in [("new,pod=a", 30.0), ("new,pod=b", 10.0), ("old,pod=o", 50.0)] {
        source.add(&format!("requests_total{{wave_id={series},code=200}}"), scrapes(3600, 7800, by));
        source.add(&format!("requests_total{{wave_id={series},code=500}}"), scrapes(3600, 7800, 1.0));
    }
    source.add_native("requests_total{wave_id=new,pod=c}", 1.0, grows(3600, 7800, [1.0; 3]));
    let mut rules = ratio();
    rules.checks.extend(latency().checks);
    let evidence = gather_from(&source, &rules, &windows(8, 15));
    let [errors, latency] = &evidence[3].checks[..] else { panic!("{evidence:?}") };
    let apart: Vec<_> = errors.canary.instances.iter().map(|one| (one.name.as_str(), one.measure.clone())).collect();
    assert_eq!(apart, [("a", counts(1.0, 31.0)), ("b", counts(1.0, 11.0))]);
    assert_eq!((&errors.canary.measure, errors.notices.len()), (&counts(2.0, 42.0), 1), "c is not read, as is said");
    check_buckets(&latency.canary, &[0.0, 1.0, 2.0, 3.0, INF], &[0.0, 6.0, 0.0, 4.0, 0.0]);
    assert_eq!(latency.canary.instances, []);
}

#[test]
fn the_survey_looks_at_either_form_and_at_a_divisor() {
    let source = both([6.0, 0.0, 4.0], [6.0, 0.0, 4.0]);
    let mut rules = latency();
    let survey = |source: &Memory, rules: &RuleFile| {
        let bindings = Bindings { wave: "new", baseline: Some("old"), params: &BTreeMap::new() };
        block_on(gather::survey(source, rules, &bindings, at(BEGAN))).unwrap()
    };
    assert_eq!(survey(&source, &rules), Some(Duration::from_secs(15)));
    rules.checks.extend(divided("cpu", "latency_seconds_bucket").checks);
    let mut slow = both([6.0, 0.0, 4.0], [6.0, 0.0, 4.0]);
    slow.add(
        "latency_seconds_bucket{wave_id=new,pod=new,le=+Inf}",
        (0..20).map(|k| (BEGAN - 60 * k, 1.0)).rev().collect(),
    );
    assert_eq!(survey(&slow, &rules), Some(Duration::from_mins(1)));
}
