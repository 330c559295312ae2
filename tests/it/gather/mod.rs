//! Evidence from a source in memory: what is asked, and what comes of the answers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod asking;
mod budgets;
mod halves;
mod history;
mod instances;
pub(crate) mod memory;
mod month;
mod native;
mod newcomers;
mod properties;
mod real;
mod service;

use memory::Memory;
use memory::at;
use memory::scrapes;
use std::time::Duration;
use wavegate::rules;
use wavegate::rules::RuleFile;
use wavegate::rules::query::NO_PARAMS;
use wavegate::series::CheckEvidence;
use wavegate::series::Fault;
use wavegate::series::IntervalEvidence;
use wavegate::series::Measure;
use wavegate::series::Notice;
use wavegate::series::Observed;
use wavegate::series::Window;
use wavegate::sources::gather;
use wavegate::sources::gather::Request;

/// When the waves of these tests began: second 7200, with two hours before it.
const BEGAN: i64 = 7200;

fn rules(checks: &str) -> RuleFile {
    let text = format!(
        "version: 1\nname: t\nschedule: {{ interval: 15s, warmup: 30s, min_duration: 1m, deadline: 10m }}\n\
         cohorts: {{ canary: 'wave_id=\"$wave\"', baseline: 'wave_id=\"$baseline\"', instance: pod }}\nchecks:\n{checks}"
    );
    rules::parse("t.yaml", &text).unwrap().rules
}

fn ratio() -> RuleFile {
    rules("  - name: errors\n    ratio: { bad: 'requests_total{code=~\"5..\"}', total: requests_total }\n")
}

fn latency() -> RuleFile {
    rules("  - name: latency\n    histogram: latency_seconds\n")
}

fn gauge(expr: &str) -> RuleFile {
    rules(&format!("  - name: g\n    gauge: '{expr}'\n"))
}

fn threshold(expr: &str, bound: &str) -> RuleFile {
    rules(&format!("  - name: t\n    threshold: '{expr}'\n    {bound}\n    breach: 1 of 1\n"))
}

/// `count` windows of `seconds` from [`BEGAN`] on.
fn windows(count: i64, seconds: i64) -> Vec<Window> {
    let window = |k| Window { from: at(BEGAN + k * seconds), to: at(BEGAN + (k + 1) * seconds) };
    (0..count).map(window).collect()
}

fn gather_from(source: &Memory, rules: &RuleFile, windows: &[Window]) -> Vec<IntervalEvidence> {
    let interval = windows.first().map_or(Duration::from_secs(15), Window::length);
    let (wave, baseline) = ("new", Some("old"));
    let scrape = Duration::from_secs(15);
    let request = Request { rules, wave, baseline, params: &NO_PARAMS, began: at(BEGAN), interval, scrape, windows };
    block_on(gather::evidence(gather::Sources::only(source), &request)).unwrap()
}

/// The only check of window `index` of eight.
fn check_of(source: &Memory, rules: &RuleFile, index: usize) -> CheckEvidence {
    gather_from(source, rules, &windows(8, 15))[index].checks[0].clone()
}

fn block_on<T>(future: impl Future<Output = T> + Send) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn counts(bad: f64, total: f64) -> Measure {
    Measure::Counts { bad, total }
}

/// Both cohorts, a pod each, with 100 requests and `bad` errors a scrape since an hour before the wave.
fn service(bad: f64) -> Memory {
    let mut source = Memory::default();
    for (wave, pod) in [("new", "n"), ("old", "o")] {
        source.add(&format!("requests_total{{wave_id={wave},pod={pod},code=200}}"), scrapes(3600, 7800, 100.0 - bad));
        if bad > 0.0 {
            source.add(&format!("requests_total{{wave_id={wave},pod={pod},code=500}}"), scrapes(3600, 7800, bad));
        }
    }
    source
}

#[test]
fn a_ratio_sums_over_series_and_compares_both_cohorts() {
    let evidence = gather_from(&service(2.0), &ratio(), &windows(8, 15));
    assert_eq!(evidence.iter().map(|one| one.window).collect::<Vec<_>>(), windows(8, 15));
    for one in &evidence {
        let check = &one.checks[0];
        assert_eq!(check.canary.measure, counts(2.0, 100.0));
        assert_eq!(check.baseline.as_ref().unwrap().measure, counts(2.0, 100.0));
        assert_eq!((check.canary.seen, check.canary.expected), (1, 1));
        assert_eq!((&check.faults[..], &check.notices[..]), (&[][..], &[][..]));
    }
}

#[test]
fn coverage_is_counted_in_scrapes() {
    let evidence = gather_from(&service(2.0), &ratio(), &windows(2, 60));
    assert_eq!((evidence[1].checks[0].canary.seen, evidence[1].checks[0].canary.expected), (4, 4));
}

#[test]
fn scrapes_that_do_not_divide_the_interval_are_all_the_scrapes_there_are() {
    let mut source = Memory::default();
    for (wave, pod) in [("new", "n"), ("old", "o")] {
        let every_ten = (3600..=7800).step_by(10).map(|second| (second, f64::from(i32::try_from(second).unwrap())));
        source.add(&format!("requests_total{{wave_id={wave},pod={pod},code=200}}"), every_ten.clone().collect());
        source.add(&format!("requests_total{{wave_id={wave},pod={pod},code=500}}"), every_ten.collect());
    }
    let (rules, windows) = (ratio(), windows(40, 15));
    let (interval, scrape) = (Duration::from_secs(15), Duration::from_secs(10));
    let request = Request {
        rules: &rules,
        wave: "new",
        baseline: Some("old"),
        params: &NO_PARAMS,
        began: at(BEGAN),
        interval,
        scrape,
        windows: &windows,
    };
    let evidence = block_on(gather::evidence(gather::Sources::only(&source), &request)).unwrap();
    let sum = |of: fn(&Observed) -> u32| evidence.iter().map(|one| of(&one.checks[0].canary)).sum::<u32>();
    assert_eq!((sum(|canary| canary.seen), sum(|canary| canary.expected)), (60, 60));
}

#[test]
fn a_cohort_that_is_silent_is_unknown_and_not_zero() {
    let mut source = service(2.0);
    source.remove("wave_id", "new", BEGAN + 40);
    let before = check_of(&source, &ratio(), 1);
    let after = check_of(&source, &ratio(), 5);
    assert_eq!(before.canary.measure, counts(2.0, 100.0));
    assert_eq!((after.canary.measure, after.canary.seen), (Measure::Nothing, 0));
    assert_eq!(after.baseline.unwrap().measure, counts(2.0, 100.0));
}

#[test]
fn an_instance_that_vanishes_is_missing_for_five_minutes() {
    let mut source = service(2.0);
    source.add("requests_total{wave_id=new,pod=n2,code=200}", scrapes(3600, 7800, 98.0));
    source.add("requests_total{wave_id=new,pod=n3,code=200}", scrapes(3600, 7800, 98.0));
    source.remove("pod", "n2", BEGAN + 40);
    let evidence = gather_from(&source, &ratio(), &windows(40, 15));
    let share = |index: usize| (evidence[index].checks[0].canary.seen, evidence[index].checks[0].canary.expected);
    assert_eq!(share(1), (1, 1), "all three are there");
    assert_eq!(share(5), (2, 3), "one is missing");
    assert_eq!(share(30), (1, 1), "fleets shrink too");
}

#[test]
fn no_bad_series_is_no_bad_event_where_the_metric_and_its_labels_exist() {
    let check = check_of(&service(0.0), &ratio(), 3);
    assert_eq!((check.canary.measure, check.faults), (counts(0.0, 100.0), vec![]));
}

#[test]
fn a_bad_metric_that_exists_nowhere_is_a_fault() {
    let rules =
        rules("  - name: errors\n    ratio: { bad: 'requests_total{status=~\"5..\"}', total: requests_total }\n");
    let check = check_of(&service(2.0), &rules, 3);
    assert_eq!(check.canary.measure, counts(0.0, 100.0));
    assert!(
        matches!(&check.faults[..], [Fault::BadNeverSeen { selector }] if selector.contains("status")),
        "{check:?}"
    );
}

#[test]
fn more_bad_than_all_is_all() {
    let rules = rules("  - name: errors\n    ratio: { bad: failures_total, total: requests_total }\n");
    let mut source = service(0.0);
    source.add("failures_total{wave_id=new,pod=n}", scrapes(3600, 7800, 130.0));
    source.add("failures_total{wave_id=old,pod=o}", scrapes(3600, 7800, 30.0));
    let check = check_of(&source, &rules, 3);
    assert_eq!(check.canary.measure, counts(100.0, 100.0));
    assert_eq!(check.baseline.unwrap().measure, counts(30.0, 100.0));
    assert_eq!(check.notices, [Notice::BadAboveTotal]);
}

#[test]
fn a_counter_born_in_the_wave_counts_from_zero_where_the_source_looked() {
    let mut source = service(0.0);
    source.add("requests_total{wave_id=new,pod=n,code=500}", vec![(BEGAN + 40, 7.0), (BEGAN + 55, 9.0)]);
    let evidence = gather_from(&source, &ratio(), &windows(8, 15));
    assert_eq!(evidence[2].checks[0].canary.measure, counts(7.0, 107.0));
    assert_eq!(evidence[3].checks[0].canary.measure, counts(2.0, 102.0));
    assert!(evidence.iter().all(|one| one.checks[0].notices.is_empty()));
}

#[test]
fn a_counter_born_before_anybody_looked_starts_at_its_first_sample() {
    let mut source = Memory::default();
    for (wave, pod) in [("new", "n"), ("old", "o")] {
        source.add(&format!("requests_total{{wave_id={wave},pod={pod},code=200}}"), scrapes(BEGAN + 3, 7800, 100.0));
    }
    let evidence = gather_from(&source, &ratio(), &windows(8, 15));
    let first = &evidence[0].checks[0];
    assert_eq!((&first.canary.measure, first.canary.seen), (&Measure::Nothing, 1));
    assert_eq!(first.notices, [Notice::StartsAtFirstSample { series: 2 }]);
    assert_eq!(evidence[1].checks[0].canary.measure, counts(0.0, 100.0));
    assert_eq!(evidence[1].checks[0].notices, []);
}

#[test]
fn a_counter_that_was_there_in_the_hour_before_has_a_gap() {
    let mut source = service(0.0);
    source.add("requests_total{wave_id=new,pod=n,code=500}", vec![(BEGAN - 1800, 5.0), (BEGAN + 40, 7.0)]);
    let check = check_of(&source, &ratio(), 2);
    assert_eq!(check.canary.measure, counts(0.0, 100.0));
    assert_eq!(check.notices, [Notice::GapNotBridged { series: 1 }]);
}

#[test]
fn a_partial_answer_is_no_look() {
    let source = Memory { partial: Some("store x ".repeat(100)), ..service(2.0) };
    let check = check_of(&source, &ratio(), 3);
    assert_eq!((check.canary.measure, check.canary.seen), (counts(2.0, 100.0), 0));
    assert_eq!(check.baseline.unwrap().seen, 0);
    assert!(matches!(&check.faults[..], [Fault::PartialAnswer { message }] if message.len() == 256));
}

#[test]
fn a_birth_is_not_counted_from_zero_on_the_word_of_a_partial_answer() {
    let mut source = Memory { partial: Some("a store is down".to_owned()), ..service(0.0) };
    source.add("requests_total{wave_id=new,pod=n,code=500}", vec![(BEGAN + 40, 7.0)]);
    let check = check_of(&source, &ratio(), 2);
    assert_eq!(check.canary.measure, counts(0.0, 100.0));
    assert_eq!(check.notices, [Notice::StartsAtFirstSample { series: 1 }]);
    assert_eq!(check.faults, [Fault::PartialAnswer { message: "a store is down".to_owned() }]);
}

#[test]
fn remarks_are_kept_once_and_not_too_many() {
    let remarks = (0..9).map(|k| format!("remark {}", k / 2 * 2)).chain(["x".repeat(1000)]).collect();
    let source = Memory { remarks, ..service(2.0) };
    let notices = check_of(&source, &ratio(), 3).notices;
    assert_eq!(notices.len(), 5);
    let source = Memory { remarks: vec!["x".repeat(1000)], ..service(2.0) };
    assert_eq!(check_of(&source, &ratio(), 3).notices, [Notice::Remark { message: "x".repeat(256) }]);
}

#[test]
fn nan_is_missing_and_infinite_is_said() {
    let mut source = service(2.0);
    source.add("requests_total{wave_id=new,pod=m,code=200}", vec![(BEGAN + 50, f64::NAN), (BEGAN + 55, f64::INFINITY)]);
    let check = check_of(&source, &ratio(), 3);
    assert_eq!((check.canary.nan, check.canary.infinite), (1, 1));
    assert_eq!(check.canary.measure, counts(2.0, 100.0));
}

#[test]
fn the_same_matchers_for_both_cohorts_are_an_overlap() {
    let source = service(2.0);
    let (rules, windows) = (ratio(), windows(2, 15));
    let (interval, scrape) = (Duration::from_secs(15), Duration::from_secs(15));
    let request = Request {
        rules: &rules,
        wave: "new",
        baseline: Some("new"),
        params: &NO_PARAMS,
        began: at(BEGAN),
        interval,
        scrape,
        windows: &windows,
    };
    let evidence = block_on(gather::evidence(gather::Sources::only(&source), &request)).unwrap();
    for one in evidence {
        assert!(matches!(&one.checks[0].faults[..], [Fault::CohortsOverlap { .. }]));
    }
}

#[test]
fn a_series_in_both_cohorts_is_an_overlap_and_an_aggregate_is_not() {
    let cohorts = "    match: { canary: 'pod=~\"[no]\"', baseline: 'wave_id=\"old\"' }\n";
    let raw = rules(&format!("  - name: e\n    ratio: {{ bad: requests_total, total: requests_total }}\n{cohorts}"));
    let sum = rules(&format!("  - name: e\n    gauge: 'sum(rate(requests_total[1m]))'\n{cohorts}"));
    let source = service(2.0);
    let shared = r#"requests_total{code="200",pod="o",wave_id="old"}"#;
    assert_eq!(check_of(&source, &raw, 3).faults, [Fault::CohortsOverlap { series: shared.to_owned() }]);
    assert_eq!(check_of(&source, &sum, 3).faults, []);
}

/// Histograms of both cohorts; each scrape has 6 events up to the first bound,
/// 3 more up to the second and 1 more above.
fn histograms(canary: [&str; 3], baseline: [&str; 3]) -> Memory {
    let mut source = Memory::default();
    for (wave, bounds) in [("new", canary), ("old", baseline)] {
        for (le, by) in bounds.into_iter().zip([6.0, 9.0, 10.0]) {
            source
                .add(&format!("latency_seconds_bucket{{wave_id={wave},pod={wave},le={le}}}"), scrapes(3600, 7800, by));
        }
    }
    source
}

#[track_caller]
fn check_buckets(check: &CheckEvidence, bounds: &[f64], counts: &[f64]) {
    for observed in [Some(&check.canary), check.baseline.as_ref()].into_iter().flatten() {
        let Measure::Buckets(buckets) = &observed.measure else { panic!("{observed:?}") };
        assert_eq!((buckets.bounds(), buckets.counts()), (bounds, counts));
    }
}

#[test]
fn a_histogram_is_counted_by_bucket() {
    let check = check_of(&histograms(["0.1", "1", "+Inf"], ["0.10", "1.0", "+Inf"]), &latency(), 3);
    check_buckets(&check, &[0.1, 1.0, f64::INFINITY], &[6.0, 3.0, 1.0]);
    assert_eq!((check.notices, check.canary.seen), (vec![], 1));
}

#[test]
fn a_gap_is_seen_in_either_spelling_of_a_bound() {
    let mut source = histograms(["0.1", "1", "+Inf"], ["0.1", "1", "+Inf"]);
    // Gone for twenty minutes, and back with another spelling each time.
    for (le, first) in [("5", BEGAN - 1150), ("5.0", BEGAN + 50), ("5", BEGAN + 1250)] {
        source.add(&format!("latency_seconds_bucket{{wave_id=new,pod=new,le={le}}}"), vec![(first, 10.0)]);
    }
    assert_eq!(check_of(&source, &latency(), 3).notices, [Notice::GapNotBridged { series: 1 }]);
    let evidence = gather_from(&source, &latency(), &windows(100, 15));
    let gaps = evidence.iter().filter(|one| one.checks[0].notices == [Notice::GapNotBridged { series: 1 }]);
    assert_eq!(gaps.count(), 2);
}

#[test]
fn cohorts_with_different_bounds_meet_on_those_they_share() {
    let check = check_of(&histograms(["0.1", "1", "+Inf"], ["0.1", "2", "+Inf"]), &latency(), 3);
    check_buckets(&check, &[0.1, f64::INFINITY], &[6.0, 4.0]);
    assert_eq!(check.notices, [Notice::BoundsDiffer]);
}

#[test]
fn a_histogram_without_an_infinite_bucket_is_unknown() {
    let check = check_of(&histograms(["0.1", "1", "2"], ["0.1", "1", "+Inf"]), &latency(), 3);
    assert_eq!(check.canary.measure, Measure::Nothing);
    assert!(matches!(check.baseline.unwrap().measure, Measure::Buckets(_)));
}

#[test]
fn too_many_bounds_are_not_read() {
    let mut source = histograms(["0.1", "1", "+Inf"], ["0.1", "1", "+Inf"]);
    for k in 0..1000 {
        source.add(&format!("latency_seconds_bucket{{wave_id=new,pod=new,le={}}}", k + 10), scrapes(3600, 7800, 10.0));
    }
    let check = check_of(&source, &latency(), 3);
    assert_eq!((check.canary.measure, check.canary.seen), (Measure::Nothing, 0));
    assert!(matches!(&check.faults[..], [Fault::PartialAnswer { message }] if message.contains("1000 buckets")));
}

#[test]
fn a_rate_is_averaged_over_instances_by_the_time_between_scrapes() {
    let mut source = Memory::default();
    source.add("cpu_total{wave_id=new,pod=a,core=0}", scrapes(3600, 7800, 3.0));
    source.add("cpu_total{wave_id=new,pod=a,core=1}", scrapes(3600, 7800, 6.0));
    source.add("cpu_total{wave_id=new,pod=b,core=0}", scrapes(3600, 7800, 6.0));
    // Scrapes 20 s apart, by chance.
    source.add("cpu_total{wave_id=old,pod=o}", vec![(BEGAN + 40, 10.0), (BEGAN + 60, 20.0)]);
    let rate = check_of(&source, &gauge("rate(cpu_total[$interval])"), 3);
    assert_eq!(rate.canary.measure, Measure::Value(0.5));
    assert_eq!(rate.baseline.unwrap().measure, Measure::Value(0.5));
    let increase = check_of(&source, &gauge("increase(cpu_total[$interval])"), 3);
    assert_eq!(increase.baseline.unwrap().measure, Measure::Value(7.5));
}

#[test]
fn a_new_counter_has_a_rate_from_its_second_sample_on() {
    let mut source = Memory::default();
    source.add("cpu_total{wave_id=new,pod=a}", vec![(BEGAN + 40, 1000.0), (BEGAN + 55, 1015.0)]);
    let rules = gauge("rate(cpu_total[$interval])");
    let first = check_of(&source, &rules, 2);
    assert_eq!((first.canary.measure, first.canary.seen), (Measure::Nothing, 1));
    assert_eq!(first.notices, [Notice::StartsAtFirstSample { series: 1 }]);
    assert_eq!(check_of(&source, &rules, 3).canary.measure, Measure::Value(1.0));
}

#[test]
fn an_expression_is_read_at_the_end_of_each_window() {
    let mut source = Memory::default();
    for (pod, queue, depth) in [("a", "x", 1.0), ("a", "y", 2.0), ("b", "x", 9.0)] {
        let depths = (0..30).map(|k| (7000 + 15 * k, depth)).collect();
        source.add(&format!("queue_depth{{wave_id=new,pod={pod},queue={queue}}}"), depths);
    }
    let check = check_of(&source, &gauge("queue_depth"), 3);
    assert_eq!((check.canary.measure, check.canary.seen, check.canary.expected), (Measure::Value(6.0), 1, 1));
    let baseline = check.baseline.unwrap();
    assert_eq!((baseline.measure, baseline.seen), (Measure::Nothing, 0));
}

#[test]
fn series_without_an_instance_are_one_and_that_is_said() {
    let mut source = Memory::default();
    for queue in ["x", "y"] {
        source
            .add(&format!("queue_depth{{wave_id=new,queue={queue}}}"), (0..30).map(|k| (7000 + 15 * k, 2.0)).collect());
    }
    let check = check_of(&source, &gauge("queue_depth"), 3);
    assert_eq!((check.canary.measure, check.notices), (Measure::Value(4.0), vec![Notice::NoInstanceLabel]));
}

#[test]
fn a_threshold_names_the_worst_series() {
    let mut source = Memory::default();
    for (pod, depth) in [("a", 1.0), ("b", 9.0), ("c", 9.0), ("d", f64::NAN), ("e", f64::INFINITY)] {
        source.add(&format!("queue_depth{{wave_id=new,pod={pod}}}"), (0..30).map(|k| (7000 + 15 * k, depth)).collect());
    }
    let worst = |bound: &str| {
        let canary = check_of(&source, &threshold("queue_depth", bound), 3).canary;
        assert_eq!((canary.nan, canary.infinite, canary.seen), (1, 1, 1));
        let Measure::Worst { value, series } = canary.measure else { panic!("a worst series") };
        (value, series.get("pod").map(str::to_owned))
    };
    assert_eq!(worst("max: 5"), (9.0, Some("b".to_owned())));
    assert_eq!(worst("min: 5"), (1.0, Some("a".to_owned())));
}

#[test]
fn an_empty_answer_to_a_threshold_is_unknown() {
    let check = check_of(&Memory::default(), &threshold("queue_depth", "max: 5"), 3);
    assert_eq!((check.canary.measure, check.canary.seen, check.canary.expected), (Measure::Nothing, 0, 1));
}

#[test]
fn a_threshold_without_a_baseline_is_judged_alone_and_a_ratio_is_blind() {
    let windows = windows(1, 15);
    let baseline_of = |rules: &RuleFile| {
        let (interval, scrape) = (Duration::from_secs(15), Duration::from_secs(15));
        let request = Request {
            rules,
            wave: "new",
            baseline: None,
            params: &NO_PARAMS,
            began: at(BEGAN),
            interval,
            scrape,
            windows: &windows,
        };
        let evidence = block_on(gather::evidence(gather::Sources::only(&service(2.0)), &request)).unwrap();
        evidence[0].checks[0].baseline.clone()
    };
    assert_eq!(baseline_of(&threshold("requests_total", "max: 5")), None);
    assert_eq!(baseline_of(&ratio()).map(|observed| (observed.measure, observed.seen)), Some((Measure::Nothing, 0)));
}
