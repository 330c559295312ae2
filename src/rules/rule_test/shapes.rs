//! The entries of `series`: a name, or some, with values or with events.

use crate::rules::query::QueryFault;
use crate::rules::reader::Entry;
use crate::rules::reader::Reader;
use crate::rules::reader::Table;
use crate::rules::reader::quote;
use crate::rules::rule_test::made::Events;
use crate::rules::rule_test::made::GivenSeries;
use crate::rules::rule_test::made::Shape;
use crate::rules::rule_test::notation::Values;
use crate::rules::units;
use crate::rules::units::Unit;
use crate::rules::yaml::RawNode;
use crate::rules::yaml::RawValue;
use crate::series::Labels;
use crate::series::exposition;
use std::sync::Arc;
use std::time::Duration;

/// Most entries of one list.
const MAX_ENTRIES: usize = 500;

/// Most series that one entry names: pods of a cohort.
const MAX_NAMES: usize = 100;

/// Longest name of a series with its labels, in bytes.
const NAME_BYTES: usize = 4096;

/// Longest text of values, in bytes: 1000 of them written out one by one.
const VALUES_BYTES: usize = 16 * 1024;

/// Most buckets of a histogram: a gate asks a Prometheus for each of them.
const MAX_BUCKETS: usize = 200;

/// Upper bounds in seconds that Prometheus' client libraries use where nobody says others.
const USUAL_BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

const KEYS: &[&str] = &["series", "values", "noise", "seed", "histogram", "rate", "median", "p99", "buckets", "until"];

/// An entry with its place.
pub(super) type Placed<'n> = (&'n RawNode, Arc<GivenSeries>);

/// Every entry of the list that `entry` holds.
pub(super) fn series<'n>(reader: &mut Reader<'_>, entry: Entry<'n>) -> Vec<Placed<'n>> {
    let nodes = match &entry.node.value {
        RawValue::List(nodes) if nodes.len() <= MAX_ENTRIES => nodes.as_slice(),
        RawValue::List(nodes) => {
            let message = format!("`series` has {} entries, not up to {MAX_ENTRIES}", nodes.len());
            let help = "one entry can stand for many series: `series: [a, b]`, `histogram: [a, b]`";
            reader.error(entry.node.spot, "bad_length", message, help);
            return Vec::new();
        }
        RawValue::Null | RawValue::Bool(_) | RawValue::Number(_) | RawValue::Text(_) | RawValue::Table(_) => {
            let help = "write a list: `- { series: 'up{pod=\"a\"}', values: '1x240' }`";
            reader.error(entry.node.spot, "wrong_type", "`series` is a list".to_owned(), help);
            return Vec::new();
        }
    };
    nodes.iter().filter_map(|node| Some((node, Arc::new(one(reader, node)?)))).collect()
}

fn one(reader: &mut Reader<'_>, node: &RawNode) -> Option<GivenSeries> {
    let table = reader.table_of(node, "an entry of `series`", KEYS)?;
    let (name, foreign): (Entry<'_>, &[&str]) = match (table.get("series"), table.get("histogram")) {
        (Some(name), None) => (name, &["rate", "median", "p99", "buckets", "until"]),
        (None, Some(name)) => (name, &["values"]),
        // The key may be there and misspelt, which is told already.
        (None, None) if has_unknown(node) => return None,
        (None, None) | (Some(_), Some(_)) => {
            let message = "an entry of `series` has either `series` or `histogram`".to_owned();
            let help = "`series` with `values`, or `histogram` with `rate`, `median` and `p99`";
            reader.error(table.spot, "series_or_histogram", message, help);
            return None;
        }
    };
    for key in foreign {
        if let Some(entry) = table.get(key) {
            let message = format!("`{key}` does not go with `{}`", name.key);
            reader.error(entry.key_spot, "series_or_histogram", message, "take it away");
        }
    }
    let labels = names(reader, name);
    let noise = table.get("noise").and_then(|entry| noise(reader, entry));
    let seed = table.get("seed").and_then(|entry| seed(reader, entry));
    let shape = if name.key == "series" {
        values(reader, &table).map(Shape::Values)
    } else {
        events(reader, &table).map(Shape::Events)
    };
    Some(GivenSeries { labels: labels?, shape: shape?, noise: noise.unwrap_or(0.0), seed: seed.unwrap_or(0) })
}

fn has_unknown(node: &RawNode) -> bool {
    let RawValue::Table(pairs) = &node.value else { return false };
    pairs.iter().any(|(key, _)| !matches!(&key.value, RawValue::Text(name) if KEYS.contains(&name.as_str())))
}

/// The series that a text names, or each text of a list.
fn names(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<Vec<Labels>> {
    let nodes =
        if let RawValue::List(nodes) = &entry.node.value { nodes.as_slice() } else { std::slice::from_ref(entry.node) };
    if nodes.is_empty() || nodes.len() > MAX_NAMES {
        let message = format!("`{}` names {} series, not 1 to {MAX_NAMES}", entry.key, nodes.len());
        reader.error(entry.node.spot, "bad_length", message, "write another entry for the others");
        return None;
    }
    let found: Vec<Option<Labels>> = nodes.iter().map(|node| labels(reader, Entry { node, ..entry })).collect();
    found.into_iter().collect()
}

fn labels(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<Labels> {
    let text = reader.text(entry, NAME_BYTES)?;
    let refused = |at: usize, why: String| QueryFault {
        code: "not_a_series",
        message: format!("{} is not a series: {why}", quote(text)),
        help: "write its name and labels: `http_requests_total{code=\"200\"}`".to_owned(),
        at: at.min(text.len().saturating_sub(1))..text.len(),
    };
    let mut outcome = Err(refused(0, "there is no name".to_owned()));
    if text.contains(['\n', '\r']) || text.starts_with('#') {
        outcome = Err(refused(0, "it is not one line of name and labels".to_owned()));
    } else {
        // What a target exposes, less its value.
        let line = format!("{text} 0\n");
        exposition::read(line.as_bytes(), exposition::Format::Text, &exposition::Limits::default(), |one| {
            outcome = match one {
                Ok(one) if one.at.is_some() => Err(refused(0, "a value follows it".to_owned())),
                Ok(one) => Ok(one
                    .labels
                    .iter()
                    .map(|(label, value)| (label.clone().into_owned(), value.clone().into_owned()))
                    .chain([("__name__".to_owned(), one.name.clone().into_owned())])
                    .collect()),
                Err(unread) => Err(refused(unread.column - 1, unread.cause.to_string())),
            };
        });
    }
    match outcome {
        Ok(labels) => Some(labels),
        Err(fault) => {
            let fault = QueryFault { at: borders(text, fault.at.start)..text.len(), ..fault };
            reader.query_faults(entry.node, text, vec![fault]);
            None
        }
    }
}

/// `at`, or the border of a character before it.
fn borders(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn values(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Values> {
    let help = "write them as promtool does: `values: '0+10x240'`";
    let entry = crate::rules::parse::required(reader, table, "values", help)?;
    let text = reader.text(entry, VALUES_BYTES)?;
    match Values::parse(text) {
        Ok(values) => Some(values),
        Err(wrong) => {
            let part = text.get(wrong.at.clone()).unwrap_or_default();
            let fault = QueryFault {
                code: "not_values",
                message: format!("{} cannot be read: {}", quote(part), wrong.message),
                help: "a value is `7`, `1x240`, `0+10x240`, `_`, `_x3`, `stale`; blanks stand between them".to_owned(),
                at: wrong.at,
            };
            reader.query_faults(entry.node, text, vec![fault]);
            None
        }
    }
}

fn events(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Events> {
    let need = |reader: &mut Reader<'_>, key: &str, help: &str| {
        crate::rules::parse::required(reader, table, key, help).map(|entry| (entry, entry.node.spot))
    };
    let rate = need(reader, "rate", "say how many events a second: `rate: 50/s`");
    let rate = rate.and_then(|(entry, _)| rate_of(reader, entry));
    let median = need(reader, "median", "say what half of the events are below: `median: 80ms`");
    let median = median.and_then(|(entry, _)| amount(reader, entry));
    let p99 = need(reader, "p99", "say what 99 % of the events are below: `p99: 600ms`");
    let p99 = p99.and_then(|(entry, spot)| Some((amount(reader, entry)?, spot)));
    let buckets = match table.get("buckets") {
        Some(entry) => buckets(reader, entry),
        None => Some(USUAL_BUCKETS.to_vec()),
    };
    let until: Option<Duration> = table.get("until").and_then(|entry| reader.duration(entry));
    let (median, (p99, spot)) = (median?, p99?);
    // The share of the distribution's steepness that a float can still hold.
    if p99 < median * 1.01 {
        let message = format!("a `p99` of {p99} is not above a `median` of {median}");
        reader.error(spot, "out_of_range", message, "the slowest hundredth is at least 1 % above the median");
        return None;
    }
    Some(Events { rate: rate?, median, p99, buckets: buckets?, until })
}

/// Most events a second of one instance, and the largest value of one.
const LARGEST: f64 = 1e9;

fn rate_of(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<f64> {
    let help = "write events a second: `rate: 50/s`";
    let RawValue::Text(text) = &entry.node.value else {
        reader.error(entry.node.spot, "wrong_unit", "`rate` is a number of events a second".to_owned(), help);
        return None;
    };
    let rate = text.strip_suffix("/s").and_then(|number| units::quantity(number, Unit::Plain));
    let rate = rate.filter(|rate| *rate <= LARGEST);
    if rate.is_none() {
        let message = format!("{} is not a number of events a second", quote(text));
        reader.error(entry.node.spot, "wrong_unit", message, help);
    }
    rate
}

/// A duration in seconds, or a number in the unit of the buckets; above 0.
fn amount(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<f64> {
    let value = match entry.node.value {
        RawValue::Number(number) => number,
        RawValue::Null | RawValue::Bool(_) | RawValue::Text(_) | RawValue::List(_) | RawValue::Table(_) => {
            reader.duration(entry)?.as_secs_f64()
        }
    };
    if (1e-9..=LARGEST).contains(&value) {
        return Some(value);
    }
    let message = format!("`{}` is {value}, not above 0", entry.key);
    let help = "write a duration like `80ms`, or a number in the unit of the buckets";
    reader.error(entry.node.spot, "out_of_range", message, help);
    None
}

fn buckets(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<Vec<f64>> {
    let help = "write upper bounds without `+Inf`: `buckets: [0.1, 0.5, 1]`";
    let RawValue::List(nodes) = &entry.node.value else {
        reader.error(entry.node.spot, "wrong_type", "`buckets` is a list of numbers".to_owned(), help);
        return None;
    };
    let found: Vec<Option<f64>> =
        nodes.iter().map(|node| reader.number(Entry { node, ..entry }, help)).take(MAX_BUCKETS + 1).collect();
    let bounds: Vec<f64> = found.into_iter().collect::<Option<_>>()?;
    let rising = bounds.windows(2).all(|pair| pair[0] < pair[1]) && bounds.first().is_some_and(|first| *first > 0.0);
    if !rising || bounds.len() > MAX_BUCKETS {
        let message = format!("`buckets` are not 1 to {MAX_BUCKETS} rising bounds above 0");
        reader.error(entry.node.spot, "bad_buckets", message, help);
        return None;
    }
    Some(bounds)
}

fn noise(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<f64> {
    let noise = reader.quantity(entry, Unit::Percent, "write a share of the value: `noise: 5%`")?;
    if noise <= 1.0 {
        return Some(noise);
    }
    let message = format!("a noise of {} is above 100%", Unit::Percent.text(noise));
    reader.error(entry.node.spot, "out_of_range", message, "a standard deviation as a share: 5% is calm, 30% is rough");
    None
}

/// A whole number that a float holds exactly.
fn seed(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<u64> {
    let help = "write a whole number: `seed: 7`";
    let number = reader.number(entry, help)?;
    if number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and below 2^53")]
        return Some(number as u64);
    }
    let message = format!("a seed of {number} is not whole, or negative, or above 2^53");
    reader.error(entry.node.spot, "out_of_range", message, help);
    None
}
