//! Histograms: all of their events, and their tails.

use crate::judge::HISTOGRAM;
use crate::judge::buckets;
use crate::judge::check;
use crate::judge::codes;
use crate::judge::pair;
use crate::judge::poisson;
use crate::judge::rules_of;
use crate::judge::says;
use crate::judge::watch;
use wavegate::judge::Judgement;
use wavegate::judge::Ruling;
use wavegate::judge::Unit;
use wavegate::plan::traffic::Random;
use wavegate::series::Buckets;
use wavegate::series::Measure;

#[test]
fn slower_requests_fail_and_equal_ones_pass() {
    let fast = [20.0, 60.0, 15.0, 5.0, 0.0];
    let slow = [10.0, 50.0, 25.0, 15.0, 0.0];
    check(HISTOGRAM, Ruling::Fail, |_| pair(buckets(&slow), buckets(&fast)));
    check(HISTOGRAM, Ruling::Pass, |_| pair(buckets(&fast), buckets(&fast)));
}

#[test]
fn faster_requests_fail_only_where_a_decrease_is_worse() {
    let (fast, slow) = ([20.0, 60.0, 15.0, 5.0], [10.0, 50.0, 25.0, 15.0]);
    let decrease = format!("{HISTOGRAM}    worse: decrease\n");
    let either = format!("{HISTOGRAM}    worse: either\n");
    check(HISTOGRAM, Ruling::Pass, |_| pair(buckets(&fast), buckets(&slow)));
    check(&decrease, Ruling::Fail, |_| pair(buckets(&fast), buckets(&slow)));
    check(&decrease, Ruling::Pass, |_| pair(buckets(&slow), buckets(&fast)));
    check(&either, Ruling::Fail, |_| pair(buckets(&fast), buckets(&slow)));
    check(&either, Ruling::Fail, |_| pair(buckets(&slow), buckets(&fast)));
    check(&either, Ruling::Pass, |_| pair(buckets(&slow), buckets(&slow)));
}

#[test]
fn events_beyond_every_bound_are_not_compared() {
    let unbounded = Measure::Buckets(Buckets::new(vec![f64::INFINITY], vec![900.0]).unwrap());
    check(HISTOGRAM, Ruling::Hold, |_| pair(unbounded.clone(), unbounded.clone()));
    check(HISTOGRAM, Ruling::Hold, |_| pair(buckets(&[0.0, 0.0, 900.0]), buckets(&[0.0, 0.0, 900.0])));
    check(HISTOGRAM, Ruling::Hold, |k| {
        let measure = if k <= 20 { buckets(&[500.0, 400.0, 0.0]) } else { unbounded.clone() };
        pair(measure.clone(), measure)
    });
}

/// Bounds as client libraries have them, without the fast ones.
const BOUNDS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, f64::INFINITY];
/// Shares of requests in each.
const USUAL: [f64; 9] = [0.28, 0.33, 0.31, 0.07, 0.0095, 0.0005, 0.0, 0.0, 0.0];
/// The same where everything takes ten times as long.
const TENFOLD: [f64; 9] = [0.0, 0.0, 0.0, 0.28, 0.33, 0.31, 0.07, 0.0095, 0.0005];

/// 100 requests a second, of which `slow` take ten times as long.
fn requests(noise: &mut Random, slow: f64) -> Measure {
    let share = USUAL.iter().zip(TENFOLD).map(|(usual, tenfold)| (1.0 - slow) * usual + slow * tenfold);
    let counts = share.map(|share| poisson(noise, 1500.0 * share)).collect();
    Measure::Buckets(Buckets::new(BOUNDS.to_vec(), counts).unwrap())
}

#[test]
fn two_per_cent_ten_times_slower_fail_the_quantile_and_not_the_ranks() {
    let quantile = format!("{HISTOGRAM}    quantile: p99\n");
    let mut noise = Random::named(1, "tail");
    let judgement = check(&quantile, Ruling::Fail, |_| pair(requests(&mut noise, 0.02), requests(&mut noise, 0.0)));
    assert_eq!(codes(&judgement)[0], "tail_above_tolerance");
    assert_eq!(judgement.checks[0].effect.map(|effect| effect.unit), Some(Unit::TailRatio));
    check(HISTOGRAM, Ruling::Pass, |_| pair(requests(&mut noise, 0.02), requests(&mut noise, 0.0)));
    check(&quantile, Ruling::Pass, |_| pair(requests(&mut noise, 0.0), requests(&mut noise, 0.0)));
}

#[test]
fn slower_requests_in_the_last_minute_forbid_a_pass() {
    let fast = [400.0, 1200.0, 300.0, 100.0, 0.0];
    let slow = [0.0, 200.0, 900.0, 900.0, 0.0];
    let rules = rules_of(HISTOGRAM);
    let all: Vec<Judgement> =
        watch(&rules, 60, |k| pair(buckets(if k > 56 { &slow } else { &fast }), buckets(&fast))).collect();
    assert_eq!((all[39].ruling, all[59].ruling), (Ruling::Pass, Ruling::GoOn), "{:#?}", all[59]);
    assert!(says(&all[59], "recent_shift"), "{:#?}", all[59]);
}
