//! What a simulation came to, as a document.

use crate::plan;
use crate::plan::Case;
use crate::plan::Change;
use crate::plan::Minutes;
use crate::plan::Rate;
use crate::plan::Report;
use crate::plan::Row;
use crate::rules::Check;
use crate::rules::CheckKind;
use crate::rules::CheckTraffic;
use crate::rules::RuleFile;
use crate::wire::document::on_fail;
use crate::wire::json::Number;
use crate::wire::json::text;
use crate::wire::plan::Remark;
use crate::wire::plan::remarks;
use serde::Serialize;

/// The document of a `report` on `rules`: a function of the two and of nothing else.
pub fn simulation_document(rules: &RuleFile, report: &Report) -> String {
    let of =
        |unchanged: bool| report.rows.iter().filter(move |row| matches!(row.case, Case::Unchanged(_)) == unchanged);
    text(&Document {
        version: 1,
        rules: rules.name.as_str(),
        rules_digest: rules.digest.as_str(),
        waves: report.waves,
        seed: report.seed,
        interval_seconds: Number(rules.schedule.interval.as_secs_f64()),
        deadline_seconds: Number(rules.schedule.deadline.as_secs_f64()),
        false_fail: Number(rules.risk.false_fail),
        false_pass: Number(rules.risk.false_pass),
        kept: report.is_kept(),
        traffic_stated: rules.traffic.stated,
        notes: remarks(&plan::ignored(rules)),
        traffic: rules.checks.iter().map(|check| day(rules, check)).collect(),
        unchanged: of(true).filter_map(|row| unchanged(rules, row)).collect(),
        changed: of(false).filter_map(|row| changed(rules, row)).collect(),
    })
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    rules: &'a str,
    rules_digest: &'a str,
    waves: u32,
    seed: u64,
    interval_seconds: Number,
    deadline_seconds: Number,
    false_fail: Number,
    false_pass: Number,
    kept: bool,
    traffic_stated: bool,
    notes: Vec<Remark>,
    traffic: Vec<Day<'a>>,
    unchanged: Vec<Unchanged<'a>>,
    changed: Vec<Changed<'a>>,
}

/// What a check sees of an ordinary day. All numbers are there for every kind of check,
/// whether it depends on them or not.
#[derive(Serialize)]
struct Day<'a> {
    check: &'a str,
    canary_per_second: Number,
    baseline_per_second: Number,
    canary_instances: u32,
    baseline_instances: u32,
    bad: Number,
    latency_median_seconds: Number,
    latency_p99_seconds: Number,
    noise: Number,
    autocorrelation: Number,
    offsets: Number,
    diurnal: Number,
    incidents_per_hour: Number,
    bursts_per_hour: Number,
}

fn day<'a>(rules: &RuleFile, check: &'a Check) -> Day<'a> {
    let stated = plan::stated(rules, check);
    let CheckTraffic { rates, instances, latency, bad, noise, .. } = stated;
    let CheckTraffic { autocorrelation, offsets, diurnal, incidents, bursts, .. } = stated;
    Day {
        check: &check.name,
        canary_per_second: Number(rates[0]),
        baseline_per_second: Number(rates[1]),
        canary_instances: instances[0],
        baseline_instances: instances[1],
        bad: Number(bad),
        latency_median_seconds: Number(latency[0]),
        latency_p99_seconds: Number(latency[1]),
        noise: Number(noise),
        autocorrelation: Number(autocorrelation),
        offsets: Number(offsets),
        diurnal: Number(diurnal),
        incidents_per_hour: Number(incidents),
        bursts_per_hour: Number(bursts),
    }
}

#[derive(Serialize)]
struct Unchanged<'a> {
    traffic: &'static str,
    false_fail: Proportion,
    kept: Option<bool>,
    passed: Proportion,
    failed: Proportion,
    held: Proportion,
    minutes_to_pass: Times,
    checks: Vec<CheckShare<'a>>,
}

#[derive(Serialize)]
struct CheckShare<'a> {
    name: &'a str,
    kind: &'static str,
    on_fail: &'static str,
    false_fail: Proportion,
    passed: Proportion,
    minutes_to_pass: Times,
}

#[derive(Serialize)]
struct Changed<'a> {
    check: &'a str,
    kind: &'static str,
    change: String,
    detected: Proportion,
    minutes_to_fail: Times,
    passed: Proportion,
    failed: Proportion,
    held: Proportion,
    /// A PASS is right, since the change leaves the check under its floor.
    good_enough: bool,
    kept: Option<bool>,
}

#[derive(Serialize)]
struct Proportion {
    waves: u32,
    share: Number,
    low: Number,
    high: Number,
}

#[derive(Serialize)]
struct Times {
    median: Option<Number>,
    p90: Option<Number>,
}

fn unchanged<'a>(rules: &'a RuleFile, row: &Row) -> Option<Unchanged<'a>> {
    let Case::Unchanged(weather) = row.case else { return None };
    let checks = rules.checks.iter().zip(&row.checks).map(|(check, alone)| CheckShare {
        name: &check.name,
        kind: check.kind.word(),
        on_fail: on_fail(check.on_fail),
        false_fail: share(alone.fails),
        passed: share(alone.passes),
        minutes_to_pass: times(alone.to_pass),
    });
    Some(Unchanged {
        traffic: weather.word(),
        false_fail: share(row.fails),
        kept: row.kept,
        passed: share(row.passed),
        failed: share(row.failed),
        held: share(row.held),
        minutes_to_pass: times(row.to_pass),
        checks: checks.collect(),
    })
}

fn changed<'a>(rules: &'a RuleFile, row: &Row) -> Option<Changed<'a>> {
    let Case::Changed { check, change, good_enough } = row.case else { return None };
    let check = rules.checks.get(check)?;
    Some(Changed {
        check: &check.name,
        kind: check.kind.word(),
        change: written(change, &check.kind),
        detected: share(row.fails),
        minutes_to_fail: times(row.to_fail),
        passed: share(row.passed),
        failed: share(row.failed),
        held: share(row.held),
        good_enough,
        kept: row.kept,
    })
}

/// A change as `--change` takes it: factors of errors, percents of anything else.
fn written(change: Change, kind: &CheckKind) -> String {
    // Four places more than anybody writes; the rest is the noise of binary fractions.
    let round = |value: f64| (value * 1e4).round() / 1e4;
    match (change, kind) {
        (Change::Factor(factor), CheckKind::Ratio { .. }) => format!("{}x", round(factor)),
        (Change::Factor(factor), _) => format!("{:+}%", round(100.0 * (factor - 1.0))),
        (Change::Excess(excess), _) => format!("{:+}pp", round(100.0 * excess)),
    }
}

fn share(rate: Rate) -> Proportion {
    Proportion { waves: rate.count, share: Number(rate.share), low: Number(rate.low), high: Number(rate.high) }
}

fn times(minutes: Minutes) -> Times {
    Times { median: minutes.median.map(Number), p90: minutes.ninth_decile.map(Number) }
}
