//! What loads, works, and will be regretted: warnings of a file that was read.
//!
//! Looked for once at the end, in a file without faults, when every value is known: a weight is light only
//! beside the others, and a query is asked twice only if there is another.

use crate::rules::Check;
use crate::rules::CheckKind;
use crate::rules::Risk;
use crate::rules::Schedule;
use crate::rules::query::GaugeQuery;
use crate::rules::query::PromQl;
use crate::rules::query::smells;
use crate::rules::query::smells::Asker;
use crate::rules::reader::Entry;
use crate::rules::reader::Reader;
use crate::rules::units::Unit;
use crate::rules::yaml::RawNode;
use crate::rules::yaml::RawValue;

/// Smallest share of `false_fail` that a check can work with. Boundaries are computed to
/// 1e-9 (`stats::boundary`), and a wave of an hour has 232 looks to spend it on.
const LEAST_SHARE: f64 = 1e-6;

/// A share under which a FAIL needs over twice the evidence that it needs with 0.5 %, what
/// each of ten checks has: a boundary of 3.9 deviations in place of 2.6, squared.
const LIGHT_SHARE: f64 = 5e-5;

/// Notes what `checks`, read from the nodes of `entry`, will be regretted for.
pub(super) fn note(reader: &mut Reader<'_>, entry: Entry<'_>, checks: &[Check], (schedule, risk): (&Schedule, &Risk)) {
    let RawValue::List(nodes) = &entry.node.value else { return };
    for node in nodes {
        let Some(name) = value(node, "name") else { continue };
        let RawValue::Text(written) = &name.value else { continue };
        // A probe is two checks, and its queries are our own.
        if let Some(at) = checks.iter().position(|check| check.name == *written && check.probe.is_none()) {
            asked(reader, node, &checks[at], schedule);
            lenient(reader, node, &checks[at]);
            repeated(reader, name, &checks[..at], &checks[at]);
        }
        let of_probe = format!("{written}.errors");
        if let Some(check) = checks.iter().find(|check| check.name == *written || check.name == of_probe) {
            shared(reader, value(node, "weight").unwrap_or(name), check, checks, risk);
        }
    }
}

/// The value of `key`, where `node` is a mapping that has it.
fn value<'n>(node: &'n RawNode, key: &str) -> Option<&'n RawNode> {
    let RawValue::Table(pairs) = &node.value else { return None };
    let named = |name: &RawNode| matches!(&name.value, RawValue::Text(text) if text == key);
    pairs.iter().find(|(name, _)| named(name)).map(|(_, value)| value)
}

/// What the queries of a check will be regretted for.
fn asked(reader: &mut Reader<'_>, node: &RawNode, check: &Check, schedule: &Schedule) {
    let mut told = |key: &str, query: &PromQl, asker: Asker| {
        let Some(node) = value(node, key) else { return };
        let faults = smells::of(query, asker, schedule.interval, reader.params());
        for fault in faults {
            let spot = reader.spot_within(node, query.text(), &fault.at);
            reader.warning(spot, fault.code, fault.message, fault.help);
        }
    };
    match &check.kind {
        CheckKind::Gauge { query, per, .. } => {
            if let GaugeQuery::Expr(expr) = query {
                told("gauge", expr, Asker::Gauge);
            }
            if let Some(GaugeQuery::Expr(expr)) = per {
                told("per", expr, Asker::Gauge);
            }
        }
        CheckKind::Threshold { query, .. } => told("threshold", query, Asker::Threshold),
        CheckKind::Ratio { bad, total, .. } if bad == total => {
            let Some(node) = value(node, "ratio").and_then(|ratio| value(ratio, "bad")) else { return };
            bad_is_total(reader, node);
        }
        CheckKind::Ratio { .. } | CheckKind::Histogram { .. } | CheckKind::Quantile { .. } => {}
    }
}

/// Warns of a ratio whose counter of bad events, at `node`, is that of all.
pub(super) fn bad_is_total(reader: &mut Reader<'_>, node: &RawNode) {
    let message = "`bad` and `total` are the same, so the ratio is always 100%".to_owned();
    let help = "say which of the events are bad: 'http_requests_total{code=~\"5..\"}'";
    reader.warning(node.spot, "bad_is_total", message, help);
}

/// Warns of a ratio that lets no difference be: neither a tolerance nor a floor.
fn lenient(reader: &mut Reader<'_>, node: &RawNode, check: &Check) {
    let CheckKind::Ratio { floor, policy, .. } = &check.kind else { return };
    let Some(entry) = value(node, "tolerance").filter(|_| policy.tolerance <= 1.0 && *floor <= 0.0) else { return };
    let message = "with a tolerance of nothing and no floor, a single bad event more is a difference".to_owned();
    reader.warning(entry.spot, "zero_tolerance", message, "1.25x is the default, and `floor: 0.1%`");
}

/// Warns of a check that asks what another has asked: the same evidence twice, for two shares of the risk.
fn repeated(reader: &mut Reader<'_>, name: &RawNode, before: &[Check], check: &Check) {
    let same = |other: &&Check| other.cohorts == check.cohorts && asks_the_same(&other.kind, &check.kind);
    let Some(first) = before.iter().find(same) else { return };
    let message = format!("this check asks what `{}` asks, and both take a share of the risk", first.name);
    reader.warning(name.spot, "repeated_check", message, "keep one of them");
}

fn asks_the_same(one: &CheckKind, other: &CheckKind) -> bool {
    match (one, other) {
        (CheckKind::Ratio { bad, total, .. }, CheckKind::Ratio { bad: failed, total: all, .. }) => {
            (bad, total) == (failed, all)
        }
        (CheckKind::Histogram { metric, .. }, CheckKind::Histogram { metric: other, .. }) => metric == other,
        (
            CheckKind::Quantile { metric, quantile, .. },
            CheckKind::Quantile { metric: other, quantile: other_quantile, .. },
        ) => metric == other && quantile.total_cmp(other_quantile).is_eq(),
        (CheckKind::Gauge { query, per, test, .. }, CheckKind::Gauge { query: other, per: divisor, test: way, .. }) => {
            (query, per, test) == (other, divisor, way)
        }
        // Thresholds take no share: two bounds of one query are how a range is written.
        _ => false,
    }
}

/// Whether the share of `false_fail` that the weight leaves a check is one to work with.
fn shared(reader: &mut Reader<'_>, node: &RawNode, check: &Check, checks: &[Check], risk: &Risk) {
    let Some(policy) = check.kind.policy().filter(|_| check.counts()) else { return };
    let counted = checks.iter().filter(|check| check.counts()).filter_map(|check| check.kind.policy());
    let all: f64 = counted.map(|policy| policy.weight).sum();
    let share = risk.false_fail * policy.weight / all;
    let text = Unit::Percent.text(share);
    if share < LEAST_SHARE {
        let message = format!(
            "of {} this check has {text} to spend, too little for any test",
            Unit::Percent.text(risk.false_fail)
        );
        let help = "raise its `weight` or `false_fail`, or write `on_fail: report`: it can never fail a wave";
        reader.error(node.spot, "impossible_risk", message, help);
    } else if share < LIGHT_SHARE {
        let message = format!("this check has {text} of the risk to spend: a FAIL needs over twice the usual evidence");
        reader.warning(node.spot, "weightless", message, "raise its `weight`, or write `on_fail: report`");
    }
}
