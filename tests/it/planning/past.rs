//! An ordinary day is found again in what it showed.

use crate::planning::gate;
use std::time::Duration;
use wavegate::plan::power::How;
use wavegate::plan::power::Measured;
use wavegate::plan::power::measure;
use wavegate::plan::traffic::Random;
use wavegate::series::CheckEvidence;
use wavegate::series::Fault;
use wavegate::series::IntervalEvidence;
use wavegate::series::Measure;
use wavegate::series::Observed;
use wavegate::series::Timestamp;
use wavegate::series::Window;

const SCHEDULE: &str = "interval: 15s, warmup: 0s, min_duration: 10m, deadline: 60m";
/// Six hours.
const INTERVALS: u32 = 1440;

fn observed(measure: Measure) -> Observed {
    Observed { measure, ..Observed::nothing(1) }
}

fn evidence(faults: &[Fault], mut of: impl FnMut(u32) -> [Measure; 2]) -> Vec<IntervalEvidence> {
    let start = Timestamp::from_millis(1_790_000_000_000);
    let at = |index: u32| start + Duration::from_secs(15) * index;
    let one = |index: u32| {
        let [canary, baseline] = of(index).map(observed);
        let check = CheckEvidence { canary, baseline: Some(baseline), faults: faults.to_vec(), notices: Vec::new() };
        IntervalEvidence { budget: None, window: Window { from: at(index), to: at(index + 1) }, checks: vec![check] }
    };
    (0..INTERVALS).map(one).collect()
}

fn only(check: &str, evidence: &[IntervalEvidence], halves: [u32; 2]) -> Measured {
    let mut found = measure(&gate(SCHEDULE, check), evidence, halves);
    assert_eq!(found.len(), 1);
    found.remove(0)
}

/// An autoregression of deviation 1.
fn walk(random: &mut Random, last: &mut f64, memory: f64) -> f64 {
    *last = memory * *last + (1.0 - memory * memory).sqrt() * random.normal();
    *last
}

#[test]
fn noise_and_memory_are_those_of_the_halves_widened_to_the_size_of_a_canary() {
    let mut random = Random::named(1, "halves");
    let (mut own, mut other, mut both) = (0.0, 0.0, 0.0);
    let evidence = evidence(&[], |_| {
        // What moves both halves alike is four times as large, and is none of the noise.
        let shared = 0.2 * walk(&mut random, &mut both, 0.9);
        let mut half = |last: &mut f64| Measure::Value((shared + 0.05 * walk(&mut random, last, 0.5)).exp());
        [half(&mut own), half(&mut other)]
    });
    let found = only("gauge: cpu_usage", &evidence, [6, 6]);
    assert_eq!(found.how, How::Halves);
    assert_eq!(found.traffic.instances, [3, 12]);
    // Two halves of six differ by 0.05 √2; three and twelve by √((1/3 + 1/12)/(1/6 + 1/6)) of that.
    let expect = 0.05 * 2.0_f64.sqrt() * 1.25_f64.sqrt();
    assert!((found.traffic.noise / expect - 1.0).abs() < 0.1, "{found:?}");
    assert!((found.traffic.autocorrelation - 0.5).abs() < 0.08, "{found:?}");
}

#[test]
fn one_instance_is_read_in_time() {
    let mut random = Random::named(2, "in time");
    let mut last = 0.0;
    let overlap = [Fault::CohortsOverlap { series: String::new() }];
    let evidence = evidence(&overlap, |_| {
        let value = (0.05 * walk(&mut random, &mut last, 0.5)).exp();
        [Measure::Value(value), Measure::Value(value)]
    });
    let found = only("gauge: cpu_usage", &evidence, [1, 0]);
    assert_eq!(found.how, How::InTime);
    assert!((found.traffic.noise / (0.05 * 2.0_f64.sqrt()) - 1.0).abs() < 0.1, "{found:?}");
    // Of halves such evidence would be no evidence.
    assert_eq!(only("gauge: cpu_usage", &evidence, [1, 1]).how, How::Stated);
}

#[test]
fn rates_and_bad_shares_are_those_of_the_whole_baseline() {
    let evidence =
        evidence(&[], |_| [Measure::Counts { bad: 3.0, total: 300.0 }, Measure::Counts { bad: 0.0, total: 450.0 }]);
    let found = only("ratio: { bad: errors_total, total: requests_total }", &evidence, [2, 3]);
    // 750 in 15 s, and a canary of the stated quarter.
    assert!((found.traffic.rates[1] - 50.0).abs() < 1e-9 && (found.traffic.rates[0] - 12.5).abs() < 1e-9);
    assert!((found.traffic.bad - 0.004).abs() < 1e-12);
}

#[test]
fn a_histogram_has_the_percentiles_and_the_shape_that_it_showed() {
    let buckets = || {
        let bounds = vec![0.1, 0.2, 0.4, f64::INFINITY];
        Measure::Buckets(wavegate::series::Buckets::new(bounds, vec![50.0, 49.0, 1.0, 0.0]).unwrap())
    };
    let found = only("histogram: latency_seconds", &evidence(&[], |_| [buckets(), buckets()]), [2, 2]);
    assert!(
        (found.traffic.latency[0] - 0.1).abs() < 1e-9 && (found.traffic.latency[1] - 0.2).abs() < 1e-9,
        "{found:?}"
    );
    assert!(found.shape.is_some());
}

#[test]
fn what_was_not_seen_stays_as_it_was_stated() {
    let nothing = evidence(&[], |_| [Measure::Nothing, Measure::Nothing]);
    for check in
        ["gauge: cpu_usage", "histogram: latency_seconds", "ratio: { bad: errors_total, total: requests_total }"]
    {
        let found = only(check, &nothing, [2, 2]);
        assert_eq!((found.how, found.intervals), (How::Stated, 0));
    }
    assert_eq!(only("gauge: cpu_usage", &[], [2, 2]).how, How::Stated);
}
