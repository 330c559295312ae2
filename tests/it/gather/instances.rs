//! Instances told apart, and values divided by others.

use crate::gather::BEGAN;
use crate::gather::block_on;
use crate::gather::check_of;
use crate::gather::counts;
use crate::gather::gauge;
use crate::gather::memory::Memory;
use crate::gather::memory::at;
use crate::gather::memory::scrapes;
use crate::gather::ratio;
use crate::gather::service;
use std::collections::BTreeMap;
use std::time::Duration;
use wavegate::rules::CheckKind;
use wavegate::rules::GaugeTest;
use wavegate::rules::RuleFile;
use wavegate::rules::query::Bindings;
use wavegate::rules::query::GaugeQuery;
use wavegate::series::CheckEvidence;
use wavegate::series::InstanceEvidence;
use wavegate::series::Measure;
use wavegate::series::Notice;
use wavegate::sources::gather;

/// Judged by instance, a gauge on `expr`.
pub(crate) fn by_instance(expr: &str) -> RuleFile {
    let mut rules = gauge(expr);
    if let CheckKind::Gauge { test, .. } = &mut rules.checks[0].kind {
        *test = GaugeTest::ByInstance;
    }
    rules
}

/// A gauge on `expr`, as it is and for each of `per`.
pub(crate) fn divided(expr: &str, per: &str) -> RuleFile {
    let mut rules = gauge(expr);
    if let CheckKind::Gauge { per: divisor, .. } = &mut rules.checks[0].kind {
        *divisor = Some(GaugeQuery::parse(per).unwrap());
    }
    rules
}

fn instances<'a>(of: impl IntoIterator<Item = (&'a str, Measure)>) -> Vec<InstanceEvidence> {
    of.into_iter().map(|(name, measure)| InstanceEvidence { name: name.to_owned(), measure }).collect()
}

/// [`service`], and canary pods besides `n`: `requests_total` with `labels`, `by` a scrape.
fn service_and(others: &[(&str, f64)]) -> Memory {
    let mut source = service(2.0);
    for (labels, by) in others {
        source.add(&format!("requests_total{{wave_id=new,{labels}}}"), scrapes(3600, 7800, *by));
    }
    source
}

/// A gauge `metric` with `labels` and one value.
fn steady(source: &mut Memory, series: &str, value: f64) {
    source.add(series, (0..60).map(|k| (7000 + 15 * k, value)).collect());
}

#[test]
fn the_events_of_each_canary_instance_are_told_by_name() {
    let source = service_and(&[("pod=z,code=200", 50.0), ("pod=a,code=200", 30.0), ("pod=a,code=503", 5.0)]);
    let check = check_of(&source, &ratio(), 3);
    assert_eq!(check.canary.measure, counts(7.0, 185.0));
    let expect = [("a", counts(5.0, 35.0)), ("n", counts(2.0, 100.0)), ("z", counts(0.0, 50.0))];
    assert_eq!(check.canary.instances, instances(expect));
    assert_eq!(check.baseline.unwrap().instances, instances([("o", counts(2.0, 100.0))]));
    assert_eq!(check.notices, []);
}

#[test]
fn an_instance_that_restarts_loses_nothing_but_itself() {
    let mut source = service_and(&[]);
    // 500 until the restart in the window from 45 s to 60 s, and 20 since.
    source.add("requests_total{wave_id=new,pod=r,code=200}", vec![(BEGAN + 40, 500.0), (BEGAN + 55, 20.0)]);
    let check = check_of(&source, &ratio(), 3);
    assert_eq!(check.canary.instances, instances([("n", counts(2.0, 100.0)), ("r", counts(0.0, 20.0))]));
}

#[test]
fn who_has_no_name_and_who_is_gone_is_not_told() {
    let only = instances([("n", counts(2.0, 100.0))]);
    assert_eq!(check_of(&service(2.0), &ratio(), 3).canary.instances, only);
    let nameless = service_and(&[("code=200", 50.0), ("node=x,code=200", 50.0)]);
    assert_eq!(check_of(&nameless, &ratio(), 3).canary.instances, only);
    let mut silent = service_and(&[("pod=m,code=200", 50.0)]);
    silent.remove("pod", "m", BEGAN + 40);
    assert_eq!(check_of(&silent, &ratio(), 1).canary.instances.len(), 2);
    assert_eq!(check_of(&silent, &ratio(), 5).canary.instances, only);
}

#[test]
fn series_without_an_instance_are_nobodys_events() {
    let source = service_and(&[("pod=m,code=200", 50.0), ("code=500", 9.0)]);
    let check = check_of(&source, &ratio(), 3);
    assert_eq!(check.canary.measure, counts(11.0, 159.0));
    assert_eq!(check.canary.instances, instances([("m", counts(0.0, 50.0)), ("n", counts(2.0, 100.0))]));
}

#[test]
fn the_first_label_that_a_series_has_names_its_instance() {
    let mut rules = ratio();
    rules.cohorts.instance = ["host", "pod"].map(str::to_owned).to_vec();
    let source = service_and(&[("pod=x,host=h,code=200", 50.0), ("pod=y,host=h,code=200", 10.0)]);
    let check = check_of(&source, &rules, 3);
    assert_eq!(check.canary.instances, instances([("h", counts(0.0, 60.0)), ("n", counts(2.0, 100.0))]));
}

#[test]
fn an_instance_that_counted_nothing_yet_is_left_out() {
    let mut source = service_and(&[("pod=m,code=200", 50.0)]);
    let born = vec![(BEGAN - 1800, 5.0), (BEGAN + 50, 900.0)];
    source.add("requests_total{wave_id=new,pod=late,code=200}", born);
    let names = |check: CheckEvidence| check.canary.instances.into_iter().map(|one| one.name).collect::<Vec<_>>();
    assert_eq!(names(check_of(&source, &ratio(), 3)), ["m", "n"]);
}

#[test]
fn more_bad_than_all_of_one_instance_is_all_of_it() {
    let mut rules = ratio();
    rules.checks =
        crate::gather::rules("  - name: errors\n    ratio: { bad: failures_total, total: requests_total }\n").checks;
    let mut source = service_and(&[("pod=m,code=200", 50.0)]);
    source.add("failures_total{wave_id=new,pod=m}", scrapes(3600, 7800, 60.0));
    let check = check_of(&source, &rules, 3);
    assert_eq!(check.canary.measure, counts(60.0, 150.0));
    assert_eq!(check.canary.instances, instances([("m", counts(50.0, 50.0)), ("n", counts(0.0, 100.0))]));
    assert_eq!(check.notices, [Notice::BadAboveTotal]);
}

#[test]
fn more_instances_than_a_gate_remembers_are_not_told_apart() {
    let labels: Vec<String> = (0..64).map(|k| format!("pod=m{k},code=200")).collect();
    let others: Vec<(&str, f64)> = labels.iter().map(|labels| (labels.as_str(), 1.0)).collect();
    let check = check_of(&service_and(&others[1..]), &ratio(), 3);
    assert_eq!((check.canary.instances.len(), check.notices), (64, vec![]));
    let check = check_of(&service_and(&others), &ratio(), 3);
    assert_eq!((check.canary.instances, check.canary.measure), (vec![], counts(2.0, 164.0)));
    assert_eq!(check.notices, [Notice::TooManyInstances { instances: 65 }]);
}

#[test]
fn a_name_is_kept_whole_or_not_at_all() {
    let named = |bytes: usize| {
        let labels = format!("pod={},code=200", "p".repeat(bytes));
        check_of(&service_and(&[(&labels, 50.0)]), &ratio(), 3)
    };
    let check = named(256);
    assert_eq!((check.canary.instances[1].name.len(), check.notices), (256, vec![]));
    let check = named(257);
    assert_eq!((check.canary.instances, check.notices), (vec![], vec![Notice::InstanceNameTooLong { bytes: 257 }]));
}

#[test]
fn what_is_not_read_has_no_instances() {
    let mut source = service_and(&[("pod=m,code=200", 50.0)]);
    for k in 0..50_000 {
        source.add(&format!("requests_total{{wave_id=new,pod=n{k},code=200}}"), vec![(BEGAN + 50, 1.0)]);
    }
    let check = check_of(&source, &ratio(), 3);
    assert_eq!((check.canary.measure, check.canary.instances), (Measure::Nothing, vec![]));
}

#[test]
fn a_gauge_by_instance_tells_the_instances_of_both_cohorts() {
    let mut source = Memory::default();
    for (series, depth) in [("new,pod=b,queue=x", 9.0), ("new,pod=a,queue=y", 2.0), ("new,pod=a,queue=x", 1.0)] {
        steady(&mut source, &format!("queue_depth{{wave_id={series}}}"), depth);
    }
    steady(&mut source, "queue_depth{wave_id=new,queue=x}", 100.0);
    steady(&mut source, "queue_depth{wave_id=old,pod=o}", 4.0);
    let check = check_of(&source, &by_instance("queue_depth"), 3);
    let (canary, baseline) = (check.canary, check.baseline.unwrap());
    assert_eq!(canary.instances, instances([("a", Measure::Value(3.0)), ("b", Measure::Value(9.0))]));
    assert_eq!(baseline.instances, instances([("o", Measure::Value(4.0))]));
    assert_eq!((baseline.measure, check.notices), (Measure::Value(4.0), vec![]));

    let paired = check_of(&source, &gauge("queue_depth"), 3);
    assert_eq!((paired.canary.measure, paired.canary.instances), (canary.measure, vec![]));
}

#[test]
fn rates_by_instance_add_up_within_one() {
    let mut source = Memory::default();
    for (series, by) in [("new,pod=a,core=0", 3.0), ("new,pod=a,core=1", 6.0), ("new,pod=b,core=0", 6.0)] {
        source.add(&format!("cpu_total{{wave_id={series}}}"), scrapes(3600, 7800, by));
    }
    let check = check_of(&source, &by_instance("increase(cpu_total[$interval])"), 3);
    assert_eq!(check.canary.instances, instances([("a", Measure::Value(9.0)), ("b", Measure::Value(6.0))]));
}

#[test]
fn values_of_more_than_a_thousand_instances_are_not_told_apart() {
    let mut source = Memory::default();
    for k in 0..1000 {
        source.add(&format!("queue_depth{{wave_id=new,pod=n{k}}}"), vec![(BEGAN + 60, 1.0)]);
    }
    assert_eq!(check_of(&source, &by_instance("queue_depth"), 3).canary.instances.len(), 1000);
    source.add("queue_depth{wave_id=new,pod=one}", vec![(BEGAN + 60, 1.0)]);
    let check = check_of(&source, &by_instance("queue_depth"), 3);
    assert_eq!((check.canary.measure, check.canary.instances), (Measure::Value(1.0), vec![]));
    assert_eq!(check.notices, [Notice::TooManyInstances { instances: 1001 }]);
}

/// CPU and requests of both cohorts: the canary's two pods, of which one serves twice as much.
fn work() -> Memory {
    let mut source = Memory::default();
    for (cohort, cpu, requests) in [("new,pod=a", 3.75, 30.0), ("new,pod=b", 7.5, 60.0), ("old,pod=o", 3.75, 15.0)] {
        source.add(&format!("cpu_total{{wave_id={cohort}}}"), scrapes(3600, 7800, cpu));
        source.add(&format!("requests_total{{wave_id={cohort}}}"), scrapes(3600, 7800, requests));
    }
    source
}

#[test]
fn a_value_and_what_it_is_divided_by_are_both_means_over_instances() {
    let check = check_of(&work(), &divided("rate(cpu_total[$interval])", "rate(requests_total[$interval])"), 3);
    assert_eq!(check.canary.measure, Measure::Rated { value: 0.375, per: 3.0 });
    assert_eq!(check.baseline.unwrap().measure, Measure::Rated { value: 0.25, per: 1.0 });
    assert_eq!((check.canary.seen, check.canary.expected), (1, 1));
    assert_eq!((check.canary.instances, check.faults, check.notices), (vec![], vec![], vec![]));
}

#[test]
fn a_counted_value_may_be_divided_by_an_expression() {
    let mut source = work();
    steady(&mut source, "connections{wave_id=new,pod=a}", 4.0);
    let check = check_of(&source, &divided("rate(cpu_total[$interval])", "connections"), 3);
    assert_eq!(check.canary.measure, Measure::Rated { value: 0.375, per: 4.0 });
    // Nothing is known of the baseline's connections.
    let baseline = check.baseline.unwrap();
    assert_eq!((baseline.measure, baseline.seen), (Measure::Nothing, 0));
}

#[test]
fn where_either_is_unknown_or_there_is_less_than_none_both_are() {
    let mut source = Memory::default();
    steady(&mut source, "lag{wave_id=new,pod=a}", 4.0);
    steady(&mut source, "items{wave_id=new,pod=a}", 0.0);
    steady(&mut source, "debt{wave_id=new,pod=a}", -1.0);
    let measure = |expr: &str, per: &str| check_of(&source, &divided(expr, per), 3).canary.measure;
    assert_eq!(measure("lag", "items"), Measure::Rated { value: 4.0, per: 0.0 });
    assert_eq!(measure("debt", "items"), Measure::Rated { value: -1.0, per: 0.0 });
    assert_eq!(measure("lag", "debt"), Measure::Nothing);
    assert_eq!(measure("lag", "unheard_of"), Measure::Nothing);
    assert_eq!(measure("unheard_of", "items"), Measure::Nothing);
}

#[test]
fn the_worse_of_two_answers_is_what_arrived() {
    let mut source = work();
    // One of three pods that serve is gone, and two that work are not whole numbers.
    source.add("requests_total{wave_id=new,pod=c}", scrapes(3600, 7800, 60.0));
    source.remove("pod", "c", BEGAN + 40);
    source.add("cpu_total{wave_id=new,pod=d}", vec![(BEGAN + 50, f64::NAN), (BEGAN + 55, f64::INFINITY)]);
    source.add("requests_total{wave_id=new,pod=e}", vec![(BEGAN + 50, f64::NAN), (BEGAN + 55, f64::NAN)]);
    for (expr, per) in [("cpu_total", "requests_total"), ("requests_total", "cpu_total")] {
        let (expr, per) = (format!("rate({expr}[$interval])"), format!("rate({per}[$interval])"));
        let canary = check_of(&source, &divided(&expr, &per), 5).canary;
        assert_eq!((canary.seen, canary.expected), (2, 4), "of requests: a, b, c and e");
        let canary = check_of(&source, &divided(&expr, &per), 3).canary;
        assert_eq!((canary.nan, canary.infinite), (2, 1));
    }
}

#[test]
fn an_incomplete_answer_to_either_is_no_look() {
    let source = Memory { partial: Some("a store is down".to_owned()), ..work() };
    let rules = divided("rate(cpu_total[$interval])", "rate(requests_total[$interval])");
    let check = check_of(&source, &rules, 3);
    assert_eq!((check.canary.seen, check.faults.len()), (0, 1));
}

#[test]
fn a_divisor_is_asked_for_like_a_value_and_by_nobody_twice() {
    let source = work();
    let mut rules = divided("rate(cpu_total[$interval])", "rate(requests_total[$interval])");
    rules.checks.extend(gauge("increase(requests_total[$interval])").checks);
    crate::gather::gather_from(&source, &rules, &crate::gather::windows(8, 15));
    assert_eq!(source.asked().len(), 4, "{:#?}", source.asked());
}

#[test]
fn the_survey_looks_at_what_a_value_is_divided_by() {
    let mut source = work();
    source.add("slow_total{wave_id=old,pod=o}", (0..20).map(|k| (BEGAN - 60 * k, 1.0)).collect());
    let rules = divided("rate(cpu_total[$interval])", "slow_total");
    let bindings = Bindings { wave: "new", baseline: Some("old"), params: &BTreeMap::new() };
    let surveyed = block_on(gather::survey(&source, &rules, &bindings, at(BEGAN))).unwrap();
    assert_eq!(surveyed, Some(Duration::from_mins(1)));
}
