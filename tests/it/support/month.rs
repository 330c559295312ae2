//! The thirty days before the waves of [`super::waves`], as OpenMetrics text: what an
//! error budget of their service is counted from.
//!
//! Six instances, scraped every minute. Traffic follows the day and stops for an hour
//! each Sunday night; each instance restarts every few days; the last one starts late;
//! for two hours nobody scraped anything; and once, for forty minutes, many requests failed.

use std::f64::consts::TAU;
use std::fmt::Write;
use wavegate::plan::traffic::Random;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Where the waves' own telemetry begins: 2026-11-22T10:50:00Z.
const END: i64 = 1_795_348_800_000 - 70 * MINUTE;

/// Days before that.
const DAYS: i64 = 31;

/// Requests of one instance in a minute, on average.
const REQUESTS: f64 = 17.0 * 60.0;

/// The share that fails on an ordinary day, and in the incident.
const ERRORS: (f64, f64) = (0.002, 0.03);

/// All of it as one text for one server.
pub(crate) fn openmetrics() -> String {
    let mut text = String::from("# TYPE http_requests counter\n");
    for pod in 0..6 {
        instance(pod, &mut text);
    }
    text.push_str("# EOF\n");
    text
}

fn instance(pod: i64, text: &mut String) {
    let name = format!("shop-{pod}");
    let mut random = Random::named(1, &name);
    let (mut ok, mut errors) = (0_u64, 0_u64);
    let begin = if pod == 5 { END - 12 * DAY } else { END - DAYS * DAY };
    let mut at = begin + pod * 7_000;
    while at < END {
        let age = (at - begin) / MINUTE;
        if age % (3 * 24 * 60 + 500 * (pod + 1)) == 0 {
            (ok, errors) = (0, 0);
        }
        let requests = random.poisson(REQUESTS * load(at));
        let failed = random.binomial(requests, if is_incident(at) { ERRORS.1 } else { ERRORS.0 });
        errors += u64::from(failed);
        ok += u64::from(requests - failed);
        if !is_silent(at) {
            let stamp = format!("{}.{:03}5", at.div_euclid(1000), at.rem_euclid(1000));
            for (code, count) in [(200, ok), (500, errors)] {
                let labels = format!(r#"wave_id="shop",pod="{name}",instance="{name}:8080",code="{code}""#);
                writeln!(text, "http_requests_total{{{labels}}} {count} {stamp}").expect("strings take all");
            }
        }
        at += MINUTE;
    }
}

/// Most at noon, and nothing for an hour each Sunday night.
#[expect(clippy::cast_precision_loss, reason = "below a day in milliseconds")]
fn load(at: i64) -> f64 {
    let (day, of_day) = (at.div_euclid(DAY), at.rem_euclid(DAY));
    // The first of January 1970 was a Thursday.
    let sunday_night = (day + 4).rem_euclid(7) == 0 && (2 * HOUR..3 * HOUR).contains(&of_day);
    if sunday_night { 0.0 } else { 1.0 - 0.6 * (TAU * of_day as f64 / DAY as f64).cos() }
}

fn is_incident(at: i64) -> bool {
    (END - 10 * DAY..END - 10 * DAY + 40 * MINUTE).contains(&at)
}

fn is_silent(at: i64) -> bool {
    (END - 17 * DAY..END - 17 * DAY + 2 * HOUR).contains(&at)
}
