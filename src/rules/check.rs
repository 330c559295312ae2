//! The checks of a rule file.

use crate::rules::Bound;
use crate::rules::Breach;
use crate::rules::Check;
use crate::rules::CheckKind;
use crate::rules::OnFail;
use crate::rules::RulesName;
use crate::rules::Schedule;
use crate::rules::Worse;
use crate::rules::cohorts::differ;
use crate::rules::cohorts::matchers;
use crate::rules::gauge;
use crate::rules::gauge::widened;
use crate::rules::keys::check::CHECK;
use crate::rules::keys::check::COMMON;
use crate::rules::keys::check::KINDS;
use crate::rules::keys::check::MATCH;
use crate::rules::keys::check::RATIO;
use crate::rules::margin;
use crate::rules::margin::Scale;
use crate::rules::parse::required;
use crate::rules::parse::word_name;
use crate::rules::probe;
use crate::rules::query::Cohorts;
use crate::rules::query::PromQl;
use crate::rules::query::QueryFault;
use crate::rules::query::Selector;
use crate::rules::reader::Entry;
use crate::rules::reader::Reader;
use crate::rules::reader::Table;
use crate::rules::reader::listed;
use crate::rules::reader::one_of;
use crate::rules::reader::quote;
use crate::rules::schedule::MIN_INTERVALS;
use crate::rules::units;
use crate::rules::units::Unit;
use crate::rules::units::duration_text;
use crate::rules::yaml::RawValue;

/// Most checks of one gate: each shares the risk, and each costs queries.
const MAX_CHECKS: usize = 200;

/// Most samples that a breach looks back on.
const MAX_SAMPLES: u32 = 60;

/// Every check that can be read; the faults of the others are noted.
pub(super) fn checks(reader: &mut Reader<'_>, entry: Entry<'_>, file: &Cohorts, schedule: &Schedule) -> Vec<Check> {
    let RawValue::List(nodes) = &entry.node.value else {
        let message = "`checks` is a list".to_owned();
        reader.error(entry.node.spot, "wrong_type", message, "begin each check with `- name: …`");
        return Vec::new();
    };
    if nodes.is_empty() || nodes.len() > MAX_CHECKS {
        let message = format!("there are {} checks, not 1 to {MAX_CHECKS}", nodes.len());
        reader.error(entry.key_spot, "bad_length", message, "a gate is judged by a handful of checks");
        return Vec::new();
    }
    let mut names: Vec<(String, usize)> = Vec::new();
    let mut checks = Vec::new();
    let mut unread = 0;
    for node in nodes {
        let before = checks.len();
        if let Some(table) = reader.table(node, "a check", CHECK) {
            checks.extend(of_table(reader, &table, &mut names, file, schedule));
        }
        unread += usize::from(before == checks.len());
    }
    if unread == 0 && !checks.iter().any(Check::counts) {
        let message = "every check is only reported, so the gate could never pass".to_owned();
        reader.error(entry.key_spot, "nothing_counts", message, "give one check `on_fail: fail` or `on_fail: pause`");
    }
    checks
}

/// One check; two of a probe; none where it cannot be read.
fn of_table(
    reader: &mut Reader<'_>,
    table: &Table<'_>,
    names: &mut Vec<(String, usize)>,
    file: &Cohorts,
    schedule: &Schedule,
) -> Vec<Check> {
    let name = name(reader, table, names);
    let query = query(reader, table);
    let words = [("fail", OnFail::Fail), ("pause", OnFail::Pause), ("report", OnFail::Report)];
    let on_fail = table.get("on_fail").and_then(|entry| reader.word(entry, &words)).unwrap_or(OnFail::Fail);
    if let Some(query) = query.filter(|query| query.key == "probe") {
        let probed = probe::probe(reader, table, query, schedule);
        for kind in probed.iter().flat_map(|(_, kinds)| kinds) {
            too_few_looks(reader, table, query, kind, schedule);
        }
        let (Some(name), Some((probe, kinds))) = (name, probed) else { return Vec::new() };
        let check = |(suffix, kind)| Check {
            name: format!("{name}{suffix}"),
            kind,
            on_fail,
            cohorts: Some(probe.cohorts()),
            probe: Some(probe.clone()),
        };
        return probe::SUFFIXES.into_iter().zip(kinds).map(check).collect();
    }
    let cohorts = table.get("match").map(|entry| matched(reader, entry, table, file));
    let kind = query.and_then(|query| kind(reader, table, query, schedule));
    if let (Some(query), Some(kind)) = (query, &kind) {
        too_few_looks(reader, table, query, kind, schedule);
    }
    if let Some(query) = query.filter(|_| file.baseline.is_none() && table.get("match").is_none()) {
        alone(reader, table, query, kind.as_ref());
    }
    let (Some(name), Some(kind)) = (name, kind) else { return Vec::new() };
    vec![Check { name, kind, on_fail, cohorts: cohorts.flatten(), probe: None }]
}

fn name(reader: &mut Reader<'_>, table: &Table<'_>, names: &mut Vec<(String, usize)>) -> Option<String> {
    let entry = required(reader, table, "name", "name the check: `name: errors`")?;
    let name = word_name(reader, entry)?;
    let line = entry.node.spot.line;
    let suffixes: &[&str] = if table.get("probe").is_some() { &probe::SUFFIXES } else { &[""] };
    for suffix in suffixes {
        let full = format!("{name}{suffix}");
        if RulesName::new(&full).is_none() {
            let message = format!("a probe is judged as {}, which is too long for a name", quote(&full));
            reader.error(entry.node.spot, "bad_name", message, "find a shorter one");
        }
        if let Some((_, line)) = names.iter().find(|(other, _)| *other == full) {
            let help = format!("the check in line {line} has it already: find another");
            reader.error(entry.node.spot, "duplicate_name", format!("two checks are called `{full}`"), help);
        }
        names.push((full, line));
    }
    Some(name)
}

/// Cohorts of one check. One without a baseline is judged alone, which only a threshold can be.
fn matched(reader: &mut Reader<'_>, entry: Entry<'_>, check: &Table<'_>, file: &Cohorts) -> Option<Cohorts> {
    let table = reader.table(entry.node, "`match`", MATCH)?;
    let canary = required(reader, &table, "canary", "say who is judged: `canary: 'pod=~\"checkout-$wave-.*\"'`");
    let canary = canary.and_then(|entry| matchers(reader, entry));
    let baseline = table.get("baseline").map(|entry| (entry, matchers(reader, entry)));
    if baseline.is_none() && check.get("threshold").is_none() {
        let message = "this check compares, and `match` gives it no baseline".to_owned();
        let help = "add `baseline` to `match`; only a `threshold` is judged alone";
        reader.error(entry.key_spot, "no_baseline", message, help);
    }
    if let (Some(canary), Some((entry, Some(baseline)))) = (&canary, &baseline) {
        differ(reader, *entry, canary, Some(baseline));
    }
    let baseline = baseline.and_then(|(_, matchers)| matchers);
    Some(Cohorts { canary: canary?, baseline, instance: file.instance.clone(), offset: None })
}

/// Whether a check means something without a baseline: against a bound of its own.
fn alone(reader: &mut Reader<'_>, table: &Table<'_>, query: Entry<'_>, kind: Option<&CheckKind>) {
    let Some(kind) = kind else { return };
    let help = match kind {
        CheckKind::Threshold { .. } => return,
        CheckKind::Ratio { floor, .. } if *floor > 0.0 && table.get("floor").is_some() => return,
        CheckKind::Ratio { .. } => "write `floor`, the ratio that is good enough: `floor: 0.1%`",
        CheckKind::Histogram { .. } | CheckKind::Quantile { .. } | CheckKind::Gauge { .. } => {
            "make a `threshold` of it, give it a `baseline` in `match`, or the file one in `cohorts`"
        }
    };
    let message = format!("this `{}` compares, and the file has `baseline: none`", query.key);
    reader.error(query.key_spot, "needs_baseline", message, help);
}

/// The key that says what the check is, with what it looks at.
fn query<'n>(reader: &mut Reader<'_>, table: &Table<'n>) -> Option<Entry<'n>> {
    let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let mut found = table.entries().iter().filter(|entry| kinds.contains(&entry.key));
    let Some(query) = found.next().copied() else {
        let help = format!("write {}", one_of(&kinds));
        reader.error(table.spot, "no_kind", "the check does not say what it looks at".to_owned(), help);
        return None;
    };
    for second in found {
        let message = format!("a check is one thing: `{}` or `{}`", query.key, second.key);
        reader.error(second.key_spot, "two_kinds", message, "make two checks of it");
    }
    misplaced(reader, table, query.key);
    Some(query)
}

fn kind(reader: &mut Reader<'_>, table: &Table<'_>, query: Entry<'_>, schedule: &Schedule) -> Option<CheckKind> {
    match query.key {
        "ratio" => ratio(reader, table, query),
        "histogram" => histogram(reader, table, query),
        "gauge" => gauge::gauge(reader, table, query, schedule),
        _ => threshold(reader, table, query),
    }
}

/// Warns of a check that has not as many intervals as it needs to pass, however well all goes.
fn too_few_looks(reader: &mut Reader<'_>, table: &Table<'_>, query: Entry<'_>, kind: &CheckKind, schedule: &Schedule) {
    let Schedule { interval, warmup, deadline, .. } = *schedule;
    // A schedule that cannot be kept is an error of its own.
    if warmup >= deadline || interval.saturating_mul(MIN_INTERVALS) > deadline {
        return;
    }
    let planned = deadline.saturating_sub(warmup).as_millis() / interval.as_millis().max(1);
    let (key, need, fewer) = match kind {
        CheckKind::Ratio { policy, .. }
        | CheckKind::Histogram { policy, .. }
        | CheckKind::Quantile { policy, .. }
        | CheckKind::Gauge { policy, .. } => ("min_points", policy.min_points, "a smaller `min_points`"),
        CheckKind::Threshold { breach, .. } => ("breach", breach.samples, "a `breach` of fewer samples"),
    };
    if planned < u128::from(need) {
        let entry = table.get(key);
        let spot = entry.map_or(query.key_spot, |entry| entry.node.spot);
        let (warmup, deadline, interval) = (duration_text(warmup), duration_text(deadline), duration_text(interval));
        let message = format!(
            "from {warmup} to {deadline} there are {planned} intervals of {interval}, and this check needs {need}"
        );
        let help = format!("make `interval` shorter or `deadline` later, or write {fewer}: it can never pass");
        reader.warning(spot, "too_few_looks", message, help);
    }
}

/// Notes keys of other kinds than `kind`.
fn misplaced(reader: &mut Reader<'_>, table: &Table<'_>, kind: &str) {
    let allowed = KINDS.iter().find(|known| known.name == kind).map_or(&[][..], |known| known.keys);
    for entry in table.entries() {
        if kind == "probe" && entry.key == "match" {
            let message = "a `probe` check has no `match`".to_owned();
            reader.error(entry.key_spot, "misplaced_key", message, "its cohorts are the two addresses");
            continue;
        }
        let is_kind = KINDS.iter().any(|known| known.name == entry.key);
        if is_kind || COMMON.contains(&entry.key) || allowed.contains(&entry.key) {
            continue;
        }
        let owners: Vec<&str> =
            KINDS.iter().filter(|kind| kind.keys.contains(&entry.key)).map(|kind| kind.name).collect();
        let message = format!("a `{kind}` check has no `{}`", entry.key);
        let help = format!("`{}` is for {}; a `{kind}` has {}", entry.key, listed(&owners), listed(allowed));
        reader.error(entry.key_spot, "misplaced_key", message, help);
    }
}

fn ratio(reader: &mut Reader<'_>, table: &Table<'_>, query: Entry<'_>) -> Option<CheckKind> {
    let policy = margin::policy(reader, table, Scale::Ratio, None);
    let floor = margin::floor(reader, table, policy.worse, margin::FLOOR);
    let counters = reader.table(query.node, "`ratio`", RATIO)?;
    let bad = required(reader, &counters, "bad", "name the counter of bad events");
    let bad = bad.and_then(|entry| queried(reader, entry, Selector::parse_with));
    let total = required(reader, &counters, "total", "name the counter of all events");
    let total = total.and_then(|entry| queried(reader, entry, Selector::parse_with));
    Some(CheckKind::Ratio { bad: bad?, total: total?, floor, policy })
}

fn histogram(reader: &mut Reader<'_>, table: &Table<'_>, query: Entry<'_>) -> Option<CheckKind> {
    let quantile = table.get("quantile").map(|entry| quantile(reader, entry));
    let scale = if quantile.is_some() { Scale::Quantile } else { Scale::Histogram };
    let policy = margin::policy(reader, table, scale, None);
    if let Some(entry) = table.get("worse").filter(|_| quantile.is_some() && policy.worse != Worse::Increase) {
        let message = "of a quantile only more is worse".to_owned();
        let help = "take `worse` out, or take out `quantile` and judge the whole histogram";
        reader.error(entry.node.spot, "impossible_pair", message, help);
    }
    let metric = whole_histogram(reader, query)?;
    match quantile {
        Some(quantile) => Some(CheckKind::Quantile { metric, quantile: quantile?, policy }),
        None => Some(CheckKind::Histogram { metric, policy }),
    }
}

/// A histogram with all its buckets.
pub(super) fn whole_histogram(reader: &mut Reader<'_>, query: Entry<'_>) -> Option<Selector> {
    let metric = queried(reader, query, Selector::parse_with)?;
    if let Some(base) = metric.metric().strip_suffix("_bucket") {
        let message = format!("`{}` is one part of the histogram", metric.metric());
        reader.error(query.node.spot, "bucket_suffix", message, format!("name the histogram: `{base}`"));
        return None;
    }
    if metric.names_label("le") {
        let message = "a histogram is read with all its buckets".to_owned();
        reader.error(query.node.spot, "bucket_label", message, "take the matcher on `le` out");
        return None;
    }
    Some(metric)
}

/// `p99`.
fn quantile(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<f64> {
    let (written, number) = match &entry.node.value {
        RawValue::Text(text) => (quote(text), text.trim_start_matches(['p', 'P']).trim_end_matches('%').to_owned()),
        // Shares below 1 are how PromQL writes them.
        RawValue::Number(share) if *share < 1.0 => {
            (share.to_string(), Unit::Percent.text(*share).trim_end_matches('%').to_owned())
        }
        RawValue::Number(number) => (number.to_string(), number.to_string()),
        RawValue::Null | RawValue::Bool(_) | RawValue::List(_) | RawValue::Table(_) => {
            reader.text(entry, 100)?;
            return None;
        }
    };
    if let RawValue::Text(text) = &entry.node.value
        && let Some(quantile) = units::quantile(text)
    {
        return Some(quantile);
    }
    let meant = format!("p{number}");
    let help = match units::quantile(&meant) {
        Some(_) => format!("did you mean `{meant}`?"),
        None => "write `p` and a number from 50 to below 100: `p99`".to_owned(),
    };
    reader.error(entry.node.spot, "bad_quantile", format!("`quantile` cannot be {written}"), help);
    None
}

fn threshold(reader: &mut Reader<'_>, table: &Table<'_>, entry: Entry<'_>) -> Option<CheckKind> {
    let bound = bound(reader, table);
    let breach = table.get("breach").map_or(Some(Breach { count: 3, samples: 5 }), |entry| breach(reader, entry));
    let query = queried(reader, entry, PromQl::parse_with)?;
    widened(reader, entry, &query);
    Some(CheckKind::Threshold { query, bound: bound?, breach: breach? })
}

fn bound(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Bound> {
    let help = "write a plain number in the unit of the query: `max: 0.8`";
    let max = table.get("max").map(|entry| (entry, reader.number(entry, help)));
    let min = table.get("min").map(|entry| (entry, reader.number(entry, help)));
    match (max, min) {
        (Some((_, max)), None) => max.map(Bound::Max),
        (None, Some((_, min))) => min.map(Bound::Min),
        (Some(_), Some((entry, _))) => {
            let message = "a threshold has one bound: `max` or `min`".to_owned();
            reader.error(entry.key_spot, "two_bounds", message, "make two checks of it");
            None
        }
        (None, None) => {
            let spot = table.get("threshold").map_or(table.spot, |entry| entry.key_spot);
            let help = "add `max: …` (above is a breach) or `min: …` (below is one)";
            reader.error(spot, "no_bound", "the threshold has no bound".to_owned(), help);
            None
        }
    }
}

/// `3 of 5`.
fn breach(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<Breach> {
    let help = "write how many of how many samples: `3 of 5`";
    let text = reader.text(entry, 100)?;
    let read = text.split_once(" of ").and_then(|(count, samples)| {
        let (count, samples) = (count.trim().parse().ok()?, samples.trim().parse().ok()?);
        Some(Breach { count, samples })
    });
    let Some(breach) = read else {
        let message = format!("`breach` cannot be {}", quote(text));
        reader.error(entry.node.spot, "bad_breach", message, help);
        return None;
    };
    if breach.count == 0 || breach.count > breach.samples || breach.samples > MAX_SAMPLES {
        let message = format!("{} of {} samples cannot be", breach.count, breach.samples);
        let help = format!("at least 1, at most all, of at most {MAX_SAMPLES}");
        reader.error(entry.node.spot, "bad_breach", message, help);
        return None;
    }
    Some(breach)
}

/// The query of `entry`, read by `parse`.
pub(in crate::rules) fn queried<Q>(
    reader: &mut Reader<'_>,
    entry: Entry<'_>,
    parse: impl Fn(&str, &[String]) -> Result<Q, Vec<QueryFault>>,
) -> Option<Q> {
    let RawValue::Text(text) = &entry.node.value else {
        let message = format!("`{}` is a query, as text", entry.key);
        reader.error(entry.node.spot, "wrong_type", message, "write PromQL, in quotes where it has `{` or `#`");
        return None;
    };
    parse(text, reader.params()).map_err(|faults| reader.query_faults(entry.node, text, faults)).ok()
}
