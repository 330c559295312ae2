//! What a check detects shrinks with everything that tells it more.

use crate::planning::gate;
use crate::planning::planned;
use std::time::Duration;
use wavegate::plan::Change;
use wavegate::plan::power::Assumptions;
use wavegate::plan::power::lint;
use wavegate::plan::power::size_of;
use wavegate::rules::CheckTraffic;
use wavegate::rules::Traffic;

const SCHEDULE: &str = "interval: 30s, warmup: 0s, min_duration: 10m, deadline: 20m";
const LONGER: &str = "interval: 30s, warmup: 0s, min_duration: 10m, deadline: 45m";
const RATIO: &str = "ratio: { bad: errors_total, total: requests_total }";
const KINDS: [&str; 4] =
    [RATIO, "histogram: latency_seconds", "histogram: latency_seconds, quantile: p95", "gauge: cpu_usage"];

fn detects(schedule: &str, check: &str, traffic: CheckTraffic) -> f64 {
    planned(&gate(schedule, check), traffic).checks[0].detects.unwrap_or(f64::INFINITY)
}

#[test]
fn more_traffic_or_less_noise_detects_smaller_changes_and_so_does_a_later_deadline() {
    for check in KINDS {
        let usual = CheckTraffic { rates: [10.0, 40.0], bad: 0.01, noise: 0.1, ..CheckTraffic::default() };
        let more = CheckTraffic { rates: [40.0, 160.0], noise: 0.05, ..usual };
        let first = detects(SCHEDULE, check, usual);
        assert!(detects(SCHEDULE, check, more) < first, "{check}: more traffic");
        assert!(detects(LONGER, check, usual) < first, "{check}: later");
    }
}

#[test]
fn a_larger_change_is_never_less_likely_to_fail_nor_a_later_quarter() {
    for check in KINDS {
        let plan = planned(&gate(SCHEDULE, check), CheckTraffic::default());
        let curve = &plan.checks[0].curve;
        for pair in curve.windows(2) {
            assert!(pair[0].change < pair[1].change);
            for quarter in 0..4 {
                assert!(pair[0].by_quarter[quarter] <= pair[1].by_quarter[quarter] + 1e-3, "{check}: {pair:?}");
            }
        }
        assert!(curve.iter().all(|point| point.by_quarter.windows(2).all(|pair| pair[0] <= pair[1])), "{check}");
        // No change fails as seldom as was promised.
        assert!(curve[0].by_quarter[3] <= 0.05, "{check}: {}", curve[0].by_quarter[3]);
    }
}

#[test]
fn the_change_that_is_detected_has_the_power_that_it_is_named_for() {
    for check in KINDS {
        let plan = planned(&gate(SCHEDULE, check), CheckTraffic::default());
        let fails = &plan.checks[0].fails[0];
        assert!((fails.by_quarter[3] - 0.9).abs() < 0.02, "{check}: {}", fails.by_quarter[3]);
    }
}

#[test]
fn what_cannot_decide_says_what_would_be_enough_and_it_is() {
    let few = CheckTraffic { rates: [2.0, 8.0], bad: 0.01, ..CheckTraffic::default() };
    let undecided = |schedule: &str, check: &str, traffic| planned(&gate(schedule, check), traffic).checks[0].undecided;
    let remedy = undecided(SCHEDULE, RATIO, few).expect("too few errors").remedy;
    let minutes = remedy.deadline.unwrap().as_secs() / 60;
    let later = format!("interval: 30s, warmup: 0s, min_duration: 10m, deadline: {minutes}m");
    assert_eq!(undecided(&later, RATIO, few), None);
    let wider = format!("{RATIO}, pass_within: {}x", remedy.pass_within.unwrap());
    assert_eq!(undecided(SCHEDULE, &wider, few), None);
    if let Some(canary) = remedy.canary_rate {
        assert_eq!(undecided(SCHEDULE, RATIO, CheckTraffic { rates: [canary, 8.0], ..few }), None);
    }
    assert!(remedy.deadline.unwrap() > Duration::from_mins(20));
}

#[test]
fn a_check_that_never_has_points_enough_is_named() {
    let check = "gauge: cpu_usage, min_points: 500";
    let undecided = planned(&gate(SCHEDULE, check), CheckTraffic::default()).checks[0].undecided.unwrap();
    assert_eq!(undecided.too_few, Some(40));
}

#[test]
fn only_a_file_that_states_its_traffic_is_told_that_it_cannot_decide() {
    let mut rules = gate(SCHEDULE, RATIO);
    assert_eq!(lint(&rules), []);
    let few = CheckTraffic { rates: [0.1, 0.4], ..CheckTraffic::default() };
    rules.traffic = Traffic { stated: true, whole: few, ..Traffic::default() };
    let found = lint(&rules);
    assert_eq!((found.len(), found[0].index), (1, 0));
    assert!(found[0].check.undecided.is_some());
}

#[test]
fn changes_are_read_as_people_write_them() {
    let assumed = Assumptions::default();
    for (check, text, expect) in [
        (RATIO, "3x", Some(3.0)),
        (RATIO, "200%", Some(3.0)),
        (RATIO, "0.5x", None),
        (RATIO, "4pp", None),
        (RATIO, "1e308x", None),
        ("ratio: { bad: ok_total, total: all_total }, worse: decrease", "0.5x", Some(2.0)),
        ("histogram: latency_seconds", "4pp", Some(0.04)),
        ("histogram: latency_seconds", "60pp", None),
        ("histogram: latency_seconds, quantile: p99", "20%", Some(0.2)),
        ("histogram: latency_seconds, quantile: p99", "+20%", Some(0.2)),
        ("histogram: latency_seconds, quantile: p99", "-20%", None),
        ("gauge: cpu_usage", "1.2x", Some(0.2)),
        ("gauge: cpu_usage, worse: decrease", "-20%", Some(0.2)),
        ("gauge: cpu_usage, worse: decrease", "20%", Some(0.2)),
        ("gauge: cpu_usage, worse: decrease", "+20%", None),
        ("gauge: cpu_usage, worse: decrease", "0.8x", Some(0.2)),
        ("gauge: cpu_usage, worse: either", "-20%", Some(0.2)),
        ("gauge: cpu_usage, tolerance: 0.1, pass_within: 0.3", "0.5", Some(0.5)),
        ("gauge: cpu_usage", "0.5", None),
        ("gauge: cpu_usage", "NaN%", None),
        ("gauge: cpu_usage", "inf%", None),
        ("gauge: cpu_usage", "", None),
        ("threshold: restarts, max: 0", "3x", None),
    ] {
        let rules = gate(SCHEDULE, check);
        let read = Change::read(&rules, &format!("check={text}"));
        let found = read.and_then(|(place, change)| size_of(&rules, &assumed, place, change));
        match expect {
            Some(expect) => assert!((found.clone().unwrap() - expect).abs() < 1e-9, "{check} {text}: {found:?}"),
            None => assert!(found.is_err(), "{check} {text}: {found:?}"),
        }
    }
    let rules = gate(SCHEDULE, "histogram: latency_seconds");
    let slower = size_of(&rules, &assumed, 0, Change::Factor(1.2)).unwrap();
    assert!(slower > 0.03 && slower < 0.1, "{slower}");
    assert!(Change::read(&rules, "chck=3x").unwrap_err().contains("there are check"));
}

#[test]
fn an_ordinary_day_is_stated_in_the_words_of_a_file() {
    let state = |given: &[&str]| {
        let mut traffic = Traffic::default();
        let given: Vec<String> = given.iter().map(|text| (*text).to_owned()).collect();
        traffic.state(&given).map(|()| traffic)
    };
    let stated =
        state(&["canary=2/m", "bad=0.5%", "instances.canary=7", "latency.p99=2s", "latency.median=1s"]).unwrap();
    assert!(stated.stated && !state(&[]).unwrap().stated);
    assert!((stated.whole.rates[0] - 1.0 / 30.0).abs() < 1e-12 && stated.whole.instances == [7, 12]);
    assert!(
        (stated.whole.bad - 0.005).abs() < 1e-12
            && stated.whole.latency.map(f64::to_bits) == [1.0_f64, 2.0].map(f64::to_bits)
    );
    for given in [
        "canary",
        "canary=",
        "canary=0/s",
        "canary=1e308/s",
        "canary=50",
        "bad=100%",
        "bad=nan",
        "noise=0%",
        "speed=1",
        "checks.cpu=1",
        "instances=4",
        "instances.canary=1000000",
        "latency.p99=1ms",
        "canary=1/s, bad: 1%",
        "canary=*a",
        "bursts=61/h",
        "autocorrelation=1",
    ] {
        assert!(state(&[given]).is_err(), "{given}: {:?}", state(&[given]));
    }
    assert!(state(&["bad=1%", "bad=2%"]).is_err());
}
