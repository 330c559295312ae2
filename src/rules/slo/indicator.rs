//! What is counted, by the same reading as that of checks.

use crate::rules::check::queried;
use crate::rules::check::whole_histogram;
use crate::rules::keys;
use crate::rules::keys::slo::INDICATOR;
use crate::rules::keys::slo::LATENCY;
use crate::rules::keys::slo::RATIO;
use crate::rules::parse::required;
use crate::rules::query::Selector;
use crate::rules::reader::Entry;
use crate::rules::reader::Reader;
use crate::rules::reader::one_of;
use crate::rules::slo::Indicator;
use crate::rules::smells;
use crate::rules::yaml::RawValue;

pub(super) fn indicator(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<Indicator> {
    let table = reader.table(entry.node, "`indicator`", INDICATOR)?;
    let Some((first, more)) = table.entries().split_first() else {
        let help = format!("write {}", one_of(&keys::names(INDICATOR)));
        reader.error(entry.key_spot, "no_indicator", "the indicator counts nothing".to_owned(), help);
        return None;
    };
    for second in more {
        let message = format!("an indicator is one thing: `{}` or `{}`", first.key, second.key);
        reader.error(second.key_spot, "two_indicators", message, "make two SLOs of it");
    }
    match first.key {
        "ratio" => ratio(reader, *first),
        "latency" => latency(reader, *first),
        _ => Some(Indicator::Up { gauge: queried(reader, *first, Selector::parse_with)? }),
    }
}

fn ratio(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<Indicator> {
    let table = reader.table(entry.node, "`ratio`", RATIO)?;
    let mut counter = |entry: Option<Entry<'_>>| entry.map(|entry| queried(reader, entry, Selector::parse_with));
    let (bad, good) = (counter(table.get("bad")), counter(table.get("good")));
    let total = required(reader, &table, "total", "name the counter of all events");
    let total = total.and_then(|entry| queried(reader, entry, Selector::parse_with));
    match (bad, good) {
        (Some(bad), None) => {
            let (bad, total) = (bad?, total?);
            if let Some(entry) = table.get("bad").filter(|_| bad == total) {
                smells::bad_is_total(reader, entry.node);
            }
            Some(Indicator::Bad { bad, total })
        }
        (None, Some(good)) => {
            let (good, total) = (good?, total?);
            if let Some(entry) = table.get("good").filter(|_| good == total) {
                let message = "`good` and `total` are the same, so nothing is ever bad".to_owned();
                let help = "say which of the events are good: 'http_requests_total{code!~\"5..\"}'";
                reader.warning(entry.node.spot, "good_is_total", message, help);
            }
            Some(Indicator::Good { good, total })
        }
        (Some(_), Some(_)) => {
            let spot = table.get("good").map_or(entry.key_spot, |entry| entry.key_spot);
            let message = "a ratio counts its `bad` events or its `good` ones".to_owned();
            reader.error(spot, "bad_or_good", message, "take one of them out: the other is the rest of `total`");
            None
        }
        (None, None) => {
            let message = "the ratio has neither `bad` nor `good` events".to_owned();
            reader.error(entry.key_spot, "bad_or_good", message, "name the counter of bad events, `bad: …`");
            None
        }
    }
}

fn latency(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<Indicator> {
    let table = reader.table(entry.node, "`latency`", LATENCY)?;
    let histogram = required(reader, &table, "histogram", "name the histogram, without `_bucket`");
    let histogram = histogram.and_then(|entry| whole_histogram(reader, entry));
    let threshold = required(reader, &table, "threshold", "say above what an event is bad: `300ms`");
    let threshold = threshold.and_then(|entry| threshold_of(reader, entry));
    Some(Indicator::Latency { histogram: histogram?, threshold: threshold? })
}

/// The bound in the unit of the histogram, which is seconds where a duration is written.
fn threshold_of(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<f64> {
    let bound = if let RawValue::Number(bound) = entry.node.value {
        bound
    } else {
        // In one division, so that it is the float that a bound of the same digits is read as.
        let Ok(millis) = u32::try_from(reader.duration(entry)?.as_millis()) else {
            let message = "a threshold of more than 49d is no latency".to_owned();
            reader.error(
                entry.node.spot,
                "out_of_range",
                message,
                "write a bucket of the histogram: `300ms`, or `0.3`",
            );
            return None;
        };
        f64::from(millis) / 1000.0
    };
    if bound > 0.0 {
        return Some(bound);
    }
    let message = format!("a threshold of {bound} leaves no event good");
    reader.error(entry.node.spot, "out_of_range", message, "write a bucket of the histogram: `300ms`, or `0.3`");
    None
}
