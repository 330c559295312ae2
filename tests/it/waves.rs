//! The made-up waves are what their knobs say.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use crate::support::waves::Wave;
use crate::support::waves::openmetrics;
use std::collections::BTreeMap;
use wavegate::series::Timestamp;

fn start() -> Timestamp {
    Timestamp::parse("2026-01-05T10:00:00Z").unwrap()
}

fn wave() -> Wave {
    Wave { minutes_before: 20, minutes_after: 20, ..Wave::new("w", start()) }
}

/// Samples by series, in milliseconds from the start of the wave.
fn samples(waves: &[Wave]) -> BTreeMap<String, Vec<(i64, f64)>> {
    let mut series: BTreeMap<String, Vec<(i64, f64)>> = BTreeMap::new();
    for line in openmetrics(waves).lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let (labels, value, at) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let millis: i64 = at.replace('.', "")[..13].parse().unwrap();
        series.entry(labels.to_owned()).or_default().push((millis - start().as_millis(), value.parse().unwrap()));
    }
    series
}

/// What the counters whose names hold all of `parts` grew by within `minutes`.
fn growth(series: &BTreeMap<String, Vec<(i64, f64)>>, parts: &[&str], minutes: std::ops::Range<i64>) -> f64 {
    let within = minutes.start * 60_000..minutes.end * 60_000;
    let of_one = |samples: &Vec<(i64, f64)>| -> f64 {
        let inside: Vec<f64> = samples.iter().filter(|(at, _)| within.contains(at)).map(|(_, value)| *value).collect();
        inside.windows(2).map(|pair| if pair[1] < pair[0] { pair[1] } else { pair[1] - pair[0] }).sum()
    };
    series
        .iter()
        .filter(|(name, _)| parts.iter().all(|part| name.contains(part)))
        .map(|(_, samples)| of_one(samples))
        .sum()
}

const CANARY: &str = r#"wave_id="w""#;
const BASELINE: &str = r#"wave_id="w-base""#;

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let text = |seed| openmetrics(&[Wave { seed, ..wave() }]);
    assert_eq!(text(1), text(1));
    assert_ne!(text(1), text(2));
}

#[test]
fn three_and_six_instances_are_scraped_every_15_s_on_their_own_phases() {
    let series = samples(&[wave()]);
    let memory: Vec<_> = series.iter().filter(|(name, _)| name.contains("memory")).collect();
    assert_eq!(memory.iter().filter(|(name, _)| name.contains(CANARY)).count(), 3);
    assert_eq!(memory.iter().filter(|(name, _)| name.contains(BASELINE)).count(), 6);
    let mut phases: Vec<i64> = memory.iter().map(|(_, samples)| samples[0].0.rem_euclid(15_000)).collect();
    phases.sort_unstable();
    phases.dedup();
    assert!(phases.len() >= 8, "{phases:?}");
    for (name, samples) in memory {
        assert_eq!(samples.len(), 160, "{name}");
        assert!(samples.windows(2).all(|pair| pair[1].0 - pair[0].0 == 15_000), "{name}");
    }
}

#[test]
fn each_cohort_has_at_least_50_requests_a_second_with_the_errors_asked_for() {
    let series = samples(&[Wave { canary_errors: 0.02, ..wave() }]);
    for (cohort, errors, least) in [(CANARY, 0.02, 50.0), (BASELINE, 0.002, 100.0)] {
        let total = growth(&series, &["http_requests_total", cohort], 0..20);
        let bad = growth(&series, &["http_requests_total", cohort, r#"code="500""#], 0..20);
        // Each series loses the first of its 80 increments at the edge of the span.
        assert!(total > least * 1200.0 * 0.95, "{cohort}: {total}");
        assert!((bad / total / errors - 1.0).abs() < 0.2, "{cohort}: {bad} of {total}");
    }
    let before =
        growth(&series, &[CANARY, r#"code="500""#], -20..0) / growth(&series, &["http_requests_total", CANARY], -20..0);
    assert!(before < 0.004, "the canary errs before the start: {before}");
}

#[test]
fn factors_move_the_canary_from_the_start_on_and_nobody_else() {
    let series = samples(&[Wave { latency_factor: 1.3, cpu_factor: 1.4, ..wave() }]);
    let mean_latency = |cohort: &str, minutes: std::ops::Range<i64>| {
        growth(&series, &["seconds_sum", cohort], minutes.clone())
            / growth(&series, &["seconds_count", cohort], minutes)
    };
    let cpu = |cohort: &str, minutes| growth(&series, &["process_cpu", cohort], minutes);
    let near = |value: f64, expect: f64| assert!((value / expect - 1.0).abs() < 0.06, "{value}, not {expect}");
    near(mean_latency(CANARY, 0..20) / mean_latency(BASELINE, 0..20), 1.3);
    near(mean_latency(CANARY, -20..0) / mean_latency(BASELINE, -20..0), 1.0);
    near(2.0 * cpu(CANARY, 0..20) / cpu(BASELINE, 0..20), 1.4);
    near(2.0 * cpu(CANARY, -20..0) / cpu(BASELINE, -20..0), 1.0);
}

#[test]
fn buckets_are_cumulative_and_end_in_the_count() {
    let series = samples(&[wave()]);
    let last = |parts: &[&str]| {
        let found = series.iter().find(|(name, _)| parts.iter().all(|part| name.contains(part)));
        found.unwrap().1.last().unwrap().1
    };
    let pod = r#"pod="w-canary-0""#;
    let bounds = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];
    let counts = bounds.map(|bound| last(&["bucket", pod, &format!(r#"le="{bound}""#)]));
    assert!(counts.is_sorted(), "{counts:?}");
    assert!((counts[11] - last(&["seconds_count", pod])).abs() < 0.5);
    // Half of the requests are below the median of 80 ms, and 61 % below 100 ms.
    assert!((counts[4] / counts[11] - 0.61).abs() < 0.02, "{counts:?}");
}

#[test]
fn errors_may_be_exported_at_zero_or_never() {
    let clean = Wave { baseline_errors: 0.0, canary_errors: 0.0, ..wave() };
    let named = |exported| {
        let series = samples(&[Wave { errors_exported_at_zero: exported, ..clean.clone() }]);
        series.into_iter().filter(|(name, _)| name.contains(r#"code="500""#)).collect::<Vec<_>>()
    };
    assert_eq!(named(true).len(), 9);
    assert!(named(true).iter().all(|(_, samples)| samples.iter().all(|(_, value)| *value == 0.0)));
    assert_eq!(named(false), []);
}

#[test]
fn the_canary_falls_silent_and_the_baseline_does_not() {
    let series = samples(&[Wave { canary_silent_from_minute: Some(5), ..wave() }]);
    for (name, samples) in &series {
        let last = samples.last().unwrap().0;
        let end = if name.contains(CANARY) { 5 } else { 20 } * 60_000;
        assert!((end - 15_000..end).contains(&last), "{name} ends at {last}");
    }
}

#[test]
fn restarts_reset_every_counter_once() {
    let series = samples(&[Wave { restarts_at_minutes: vec![7], ..wave() }]);
    for (name, samples) in series.iter().filter(|(name, _)| name.contains(r#"code="200""#) || name.contains("cpu")) {
        let falls: Vec<i64> = samples.windows(2).filter(|pair| pair[1].1 < pair[0].1).map(|pair| pair[1].0).collect();
        assert_eq!(falls.len(), 1, "{name}");
        assert!((7 * 60_000..7 * 60_000 + 15_001).contains(&falls[0]), "{name} falls at {falls:?}");
    }
}

#[test]
fn an_outage_hits_both_cohorts_for_five_minutes() {
    let series = samples(&[Wave { outage_at_minute: Some(10), ..wave() }]);
    for cohort in [CANARY, BASELINE] {
        let ratio = |minutes: std::ops::Range<i64>| {
            growth(&series, &[cohort, r#"code="500""#], minutes.clone())
                / growth(&series, &["http_requests_total", cohort], minutes)
        };
        assert!((ratio(10..15) / 0.04 - 1.0).abs() < 0.15, "{cohort}: {}", ratio(10..15));
        assert!(ratio(0..10) < 0.004 && ratio(15..20) < 0.004, "{cohort}");
    }
}

#[test]
fn new_instances_begin_at_the_start_and_near_zero() {
    let series = samples(&[Wave { canary_from_minute: 0, ..wave() }]);
    for (name, samples) in series.iter().filter(|(name, _)| name.contains(CANARY)) {
        assert!((0..15_000).contains(&samples[0].0), "{name}");
        if name.contains(r#"code="200""#) {
            assert!(samples[0].1 < 400.0, "{name}: {}", samples[0].1);
        }
    }
    let old = series.iter().find(|(name, _)| name.contains(BASELINE) && name.contains(r#"code="200""#)).unwrap();
    assert!(old.1[0].1 > 5000.0);
}
