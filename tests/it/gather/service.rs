//! Slices of a service from a source in memory: each indicator, and each way in which
//! data can be missing (slo.md §1.4).

use crate::gather::block_on;
use crate::gather::memory::Memory;
use crate::gather::memory::at;
use crate::gather::memory::scrapes;
use std::time::Duration;
use wavegate::rules::Slo;
use wavegate::rules::parse_slo;
use wavegate::series::Counts;
use wavegate::series::Window;
use wavegate::sources::gather;
use wavegate::sources::gather::ServiceSlices;

/// The slices of these tests begin at second 7200.
const FROM: i64 = 7200;

pub(super) fn slo(indicator: &str) -> Slo {
    let text = format!("version: 1\nname: shop\nobjective: 99.9%\nindicator: {indicator}\n");
    parse_slo("shop.yaml", &text).unwrap_or_else(|faults| panic!("{faults:?}")).slo
}

fn bad() -> Slo {
    slo("{ ratio: { bad: 'requests_total{code=~\"5..\"}', total: requests_total } }")
}

fn good() -> Slo {
    slo("{ ratio: { good: 'requests_total{code=\"200\"}', total: requests_total } }")
}

fn fast() -> Slo {
    slo("{ latency: { histogram: latency_seconds, threshold: 1 } }")
}

fn read(source: &Memory, slo: &Slo, minutes: i64) -> ServiceSlices {
    let span = Window { from: at(FROM), to: at(FROM + minutes * 60) };
    block_on(gather::service(source, slo, span, |_, _| ())).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "a slice may be none")]
fn counts(bad: f64, total: f64) -> Option<Counts> {
    Some(Counts { bad, total })
}

/// A pod with `good` and `bad` requests every 15 s since an hour before.
fn shop(good: f64, bad: f64) -> Memory {
    let mut source = Memory::default();
    source.add("requests_total{pod=a,code=200}", scrapes(3600, 9000, good));
    if bad > 0.0 {
        source.add("requests_total{pod=a,code=500}", scrapes(3600, 9000, bad));
    }
    source
}

#[test]
fn increments_are_summed_over_series_slice_by_slice() {
    let mut source = shop(9.0, 1.0);
    source.add("requests_total{pod=b,code=200}", scrapes(3600, 9000, 20.0));
    let read = read(&source, &bad(), 5);
    assert_eq!(read.slices, [counts(4.0, 120.0); 5]);
    assert_eq!((&read.remarks[..], read.estimated), (&[][..], false));
    assert_eq!(read.samples, 10 * 4 * (3 + 1), "five minutes and the five before, each of four counters once");
}

#[test]
fn what_is_not_good_is_bad_and_never_less_than_none() {
    assert_eq!(read(&shop(9.0, 1.0), &good(), 3).slices, [counts(4.0, 40.0); 3]);
    let mut source = Memory::default();
    source.add("requests_total{pod=a,kind=x}", scrapes(3600, 9000, 5.0));
    source.add("good_total{pod=a,kind=x}", scrapes(3600, 9000, 7.0));
    let read = read(&source, &slo("{ ratio: { good: good_total, total: requests_total } }"), 3);
    assert_eq!(read.slices, [counts(0.0, 20.0); 3]);
    assert!(read.remarks.iter().any(|remark| remark.contains("more good events")), "{:?}", read.remarks);
}

#[test]
fn no_bad_series_is_no_bad_event_where_its_labels_exist() {
    let read = read(&shop(9.0, 0.0), &bad(), 3);
    assert_eq!((&read.slices[..], &read.remarks[..]), (&[counts(0.0, 36.0); 3][..], &[][..]));
}

#[test]
fn a_bad_metric_that_exists_nowhere_is_remarked_and_a_good_one_makes_nothing_known() {
    let read_bad = read(&shop(9.0, 0.0), &slo("{ ratio: { bad: errors_total, total: requests_total } }"), 3);
    assert_eq!(read_bad.slices, [counts(0.0, 36.0); 3]);
    let read_good = read(&shop(9.0, 0.0), &slo("{ ratio: { good: fine_total, total: requests_total } }"), 3);
    assert_eq!(read_good.slices, [None; 3]);
    for read in [read_bad, read_good] {
        assert!(matches!(&read.remarks[..], [one] if one.starts_with("bad_never_seen: ")), "{:?}", read.remarks);
    }
}

#[test]
fn samples_without_an_increment_are_no_event_and_no_sample_is_unknown() {
    let mut source = Memory::default();
    source.add("requests_total{pod=a,code=200}", scrapes(3600, FROM + 120, 0.0));
    source.add("requests_total{pod=a,code=500}", scrapes(3600, FROM + 120, 0.0));
    assert_eq!(read(&source, &bad(), 4).slices, [counts(0.0, 0.0), counts(0.0, 0.0), None, None]);
    assert_eq!(read(&Memory::default(), &bad(), 2).slices, [None; 2]);
}

#[test]
fn resets_count_what_came_after_and_gaps_of_more_than_five_minutes_are_not_bridged() {
    let steady = |from: i64, to: i64, first: f64| {
        (from..=to)
            .step_by(15)
            .scan(first, |value, second| {
                *value += 1.0;
                Some((second, *value))
            })
            .collect::<Vec<_>>()
    };
    let mut source = Memory::default();
    // It restarts in the second minute, is away for three minutes, and then for six.
    let restarted = [steady(3600, FROM + 60, 1000.0), steady(FROM + 75, FROM + 120, 6.0)];
    let later = [steady(FROM + 300, FROM + 360, 50.0), steady(FROM + 735, FROM + 840, 900.0)];
    source.add("requests_total{pod=a,code=200}", [restarted.concat(), later.concat()].concat());
    let read = read(&source, &bad(), 14);
    let minutes = [counts(0.0, 4.0), counts(0.0, 10.0), None, None, counts(0.0, 41.0), counts(0.0, 4.0)];
    assert_eq!(read.slices[..6], minutes);
    assert_eq!(read.slices[6..12], [None; 6]);
    assert_eq!(read.slices[12..], [counts(0.0, 3.0), counts(0.0, 4.0)]);
}

#[test]
fn a_counter_born_after_an_hour_of_absence_counts_from_zero_where_the_source_looked() {
    let mut source = shop(10.0, 0.0);
    source.add("requests_total{pod=a,code=500}", vec![(FROM + 70, 7.0), (FROM + 85, 9.0)]);
    assert_eq!(read(&source, &bad(), 2).slices, [counts(0.0, 40.0), counts(9.0, 49.0)]);
    // Where nothing of the metric was there before, it may have been there for long.
    let mut source = Memory::default();
    source.add("requests_total{pod=a,code=500}", vec![(FROM + 70, 7.0), (FROM + 85, 9.0)]);
    assert_eq!(read(&source, &bad(), 2).slices, [None, counts(2.0, 2.0)]);
}

#[test]
fn more_bad_than_all_is_all_and_remarked() {
    let mut source = shop(5.0, 0.0);
    source.add("errors_total{pod=a,code=500}", scrapes(3600, 9000, 7.0));
    let read = read(&source, &slo("{ ratio: { bad: errors_total, total: requests_total } }"), 2);
    assert_eq!(read.slices, [counts(20.0, 20.0); 2]);
    assert!(matches!(&read.remarks[..], [one] if one.contains("more bad events")), "{:?}", read.remarks);
}

#[test]
fn not_a_number_is_missing() {
    let mut source = Memory::default();
    let broken = scrapes(3600, 9000, 1.0).into_iter();
    let broken = broken.map(|(second, value)| (second, if FROM < second { f64::NAN } else { value }));
    source.add("requests_total{pod=a,code=200}", broken.collect());
    assert_eq!(read(&source, &bad(), 2).slices, [None; 2]);
}

#[test]
fn a_partial_answer_makes_its_slices_unknown() {
    let source = Memory { partial: Some("a store is away".to_owned()), ..shop(9.0, 1.0) };
    let read = read(&source, &bad(), 3);
    assert_eq!(read.slices, [None; 3]);
    assert_eq!(read.remarks, ["partial_answer: a store is away"]);
}

#[test]
fn each_sample_of_a_gauge_is_an_event() {
    let mut source = Memory::default();
    let probes = [1.0, 0.0, 1.0, f64::NAN, 0.5, 1.0, 1.0, 2.0];
    let samples = (1..).zip(probes).map(|(k, value)| (FROM + k * 15, value));
    source.add("probe_success{job=shop,pod=a}", samples.collect());
    source.add("probe_success{job=shop,pod=b}", vec![(FROM + 10, 0.0)]);
    let read = read(&source, &slo("{ up: 'probe_success{job=\"shop\"}' }"), 3);
    assert_eq!(read.slices, [counts(2.0, 4.0), counts(1.0, 4.0), None]);
}

fn classic(source: &mut Memory, pod: &str, buckets: &[(&str, f64)]) {
    for (le, by) in buckets {
        source.add(&format!("latency_seconds_bucket{{pod={pod},le={le}}}"), scrapes(3600, 9000, *by));
    }
}

#[test]
fn slow_is_what_is_above_the_bucket_of_the_threshold_however_that_is_written() {
    let mut source = Memory::default();
    classic(&mut source, "a", &[("0.5", 5.0), ("1", 8.0), ("2", 9.0), ("+Inf", 10.0)]);
    classic(&mut source, "b", &[("0.5", 1.0), ("1.0", 1.0), ("+Inf", 3.0)]);
    classic(&mut source, "c", &[("1e+00", 2.0), ("10", 2.0), ("+Inf", 2.0)]);
    let read = read(&source, &fast(), 3);
    assert_eq!(read.slices, [counts(16.0, 60.0); 3]);
    assert_eq!(read.remarks, [""; 0]);
    assert_eq!(read.samples, 8 * 4 * 6, "two buckets of each of three histograms and no other");
}

#[test]
fn a_threshold_that_is_no_bucket_is_a_fault_that_names_the_bounds() {
    let mut source = Memory::default();
    classic(&mut source, "a", &[("10", 9.5), ("0.5", 5.0), ("2", 9.0), ("+Inf", 10.0)]);
    let read = read(&source, &fast(), 3);
    assert_eq!(read.slices, [None; 3]);
    let [remark] = &read.remarks[..] else { panic!("{:?}", read.remarks) };
    assert!(remark.starts_with("threshold_not_a_bucket: 1 of latency_seconds"), "{remark}");
    assert!(remark.ends_with("0.5, 2, 10, +Inf"), "{remark}");
}

#[test]
fn a_native_histogram_is_divided_within_a_bucket_and_that_is_said() {
    let grown = |by: [f64; 3]| {
        let times = (3600..=9000).step_by(15).scan(0.0, |k, second| {
            *k += 1.0;
            Some((second, *k))
        });
        times.map(|(second, k)| (second, by.map(|events| events * k))).collect::<Vec<_>>()
    };
    let mut source = Memory::default();
    source.add_native("latency_seconds{pod=a}", 1.0, grown([6.0, 3.0, 1.0]));
    let edge = read(&source, &fast(), 2);
    assert_eq!((edge.slices, &edge.remarks[..]), (vec![counts(16.0, 40.0); 2], &[][..]));
    let mut source = Memory::default();
    // Buckets (0, 0.8], (0.8, 1.6], (1.6, 2.4].
    source.add_native("latency_seconds{pod=a}", 0.8, grown([6.0, 3.0, 1.0]));
    let within = read(&source, &fast(), 2);
    let share = (1.0_f64 / 0.8).ln() / 2.0_f64.ln();
    let expect = 4.0 * (1.0 + 3.0 * (1.0 - share));
    for slice in &within.slices {
        let slice = slice.unwrap();
        assert!((slice.bad - expect).abs() < 1e-9 && (slice.total - 40.0).abs() < 1e-9, "{slice:?}");
    }
    assert!(matches!(&within.remarks[..], [one] if one.contains("within a bucket")), "{:?}", within.remarks);
}

#[test]
fn native_is_read_before_classic_and_neither_where_some_are_either() {
    let grown: Vec<(i64, [f64; 3])> = (3600..=9000)
        .step_by(15)
        .scan(0.0, |k, second| {
            *k += 1.0;
            Some((second, [*k, 0.0, *k]))
        })
        .collect();
    let mut source = Memory::default();
    source.add_native("latency_seconds{pod=a}", 1.0, grown.clone());
    classic(&mut source, "a", &[("1", 2.0), ("+Inf", 2.0)]);
    assert_eq!(read(&source, &fast(), 2).slices, [counts(4.0, 8.0); 2]);
    classic(&mut source, "b", &[("1", 2.0), ("+Inf", 2.0)]);
    assert_eq!(read(&source, &fast(), 2).slices, [counts(0.0, 16.0); 2], "both have classic buckets");
    source.add_native("latency_seconds{pod=c}", 1.0, grown);
    let read = read(&source, &fast(), 2);
    assert_eq!(read.slices, [None; 2]);
    assert!(matches!(&read.remarks[..], [one] if one.starts_with("native_and_classic")), "{:?}", read.remarks);
}

#[test]
fn an_answer_that_is_too_large_is_asked_for_in_parts_and_the_slices_are_the_same() {
    let whole = read(&shop(9.0, 1.0), &bad(), 25);
    let source = Memory { max_samples: Some(80), ..shop(9.0, 1.0) };
    let parts = read(&source, &bad(), 25);
    assert_eq!(parts.slices, whole.slices);
    assert!(source.asked().len() > 4);
    let source = Memory { max_samples: Some(5), ..shop(9.0, 1.0) };
    let span = Window { from: at(FROM), to: at(FROM + 120) };
    let error = block_on(gather::service(&source, &bad(), span, |_, _| ())).unwrap_err();
    assert_eq!(error.code(), "too_large", "one slice is one question, and no less");
}

#[test]
fn slices_do_not_depend_on_what_they_are_read_with_and_progress_is_told() {
    let mut source = shop(9.0, 1.0);
    source.add("requests_total{pod=b,code=500}", vec![(FROM + 70, 7.0), (FROM + 85, 9.0), (FROM + 300, 2.0)]);
    let whole = read(&source, &bad(), 20);
    let mut heard = Vec::new();
    let mut parts = Vec::new();
    for (first, last) in [(0, 1), (1, 2), (2, 9), (9, 20)] {
        let span = Window { from: at(FROM + first * 60), to: at(FROM + last * 60) };
        let read = block_on(gather::service(&source, &bad(), span, |done, all| heard.push((done, all)))).unwrap();
        parts.extend(read.slices);
    }
    assert_eq!(parts, whole.slices);
    let minutes = |minutes| Duration::from_mins(minutes);
    assert_eq!(heard, [1, 1, 7, 11].map(|all| (minutes(all), minutes(all))));
}
