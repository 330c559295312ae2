//! Who is judged against whom: the cohorts of a file.

use crate::rules::Check;
use crate::rules::Param;
use crate::rules::Schedule;
use crate::rules::base::find;
use crate::rules::keys::file::COHORTS;
use crate::rules::keys::file::HISTORY;
use crate::rules::parse::required;
use crate::rules::query::Cohorts;
use crate::rules::query::Matchers;
use crate::rules::reader::Entry;
use crate::rules::reader::Reader;
use crate::rules::reader::quote;
use crate::rules::units::duration_text;
use crate::rules::yaml::RawNode;
use crate::rules::yaml::RawValue;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How long ago the past may be: an hour ago the service is the same, and raw samples of more
/// than a month are rarely kept.
const OFFSETS: RangeInclusive<Duration> = Duration::from_hours(1)..=Duration::from_hours(30 * 24);

/// Most labels that are tried for the instance.
const INSTANCE_LABELS: usize = 8;

/// The cohorts of a file.
pub(super) fn cohorts(reader: &mut Reader<'_>, entry: Option<Entry<'_>>, schedule: &Schedule) -> Cohorts {
    let table = entry.and_then(|entry| reader.table(entry.node, "`cohorts`", COHORTS));
    let get = |key: &str| table.as_ref().and_then(|table| table.get(key));
    let canary = get("canary").and_then(|entry| matchers(reader, entry));
    let canary = canary.or_else(|| wave_label("wave")).unwrap_or_else(Matchers::none);
    let instance = get("instance").and_then(|entry| instance(reader, entry));
    let instance = instance.unwrap_or_else(|| vec!["pod".to_owned(), "instance".to_owned()]);
    let (baseline, offset) = match get("baseline") {
        None => (wave_label("baseline"), None),
        Some(entry) => match &entry.node.value {
            RawValue::Text(text) if text == "none" => (None, None),
            RawValue::Table(_) => history(reader, entry, &canary, schedule),
            RawValue::Null | RawValue::Bool(_) | RawValue::Number(_) | RawValue::Text(_) | RawValue::List(_) => {
                (matchers(reader, entry).or_else(|| wave_label("baseline")), None)
            }
        },
    };
    if let Some(entry) = get("baseline").or_else(|| get("canary")).filter(|_| offset.is_none()) {
        differ(reader, entry, &canary, baseline.as_ref());
    }
    Cohorts { canary, baseline, instance, offset }
}

/// `{ offset: 1w }`: the baseline is what was there before.
fn history(
    reader: &mut Reader<'_>,
    entry: Entry<'_>,
    canary: &Matchers,
    schedule: &Schedule,
) -> (Option<Matchers>, Option<Duration>) {
    // Whatever is wrong, it is not that the cohorts are equal.
    let unread = (Some(canary.clone()), Some(*OFFSETS.start()));
    let Some(table) = reader.table(entry.node, "`baseline`", HISTORY) else { return unread };
    let stated = required(reader, &table, "offset", "say how long ago: `{ offset: 1w }`");
    let offset = stated.and_then(|entry| offset(reader, entry, schedule));
    let matched = table.get("match");
    let past = matched.and_then(|entry| matchers(reader, entry));
    // What could not be read may have been anything.
    if past.is_some() == matched.is_some() && past.as_ref().unwrap_or(canary).names("wave") {
        let entry = matched.unwrap_or(entry);
        let message = "a wave id has no past: the baseline of then is not `$wave`".to_owned();
        let help = "write `match` with who the past is: `{ offset: 1w, match: 'job=\"checkout\"' }`";
        reader.error(entry.node.spot, "wave_has_no_past", message, help);
    }
    (past.or(unread.0), offset.or(unread.1))
}

fn offset(reader: &mut Reader<'_>, entry: Entry<'_>, schedule: &Schedule) -> Option<Duration> {
    let offset = reader.duration(entry)?;
    let text = duration_text;
    if !OFFSETS.contains(&offset) {
        let message =
            format!("an offset of {} is not {} to {}", text(offset), text(*OFFSETS.start()), text(*OFFSETS.end()));
        reader.error(entry.node.spot, "out_of_range", message, "a day or a week ago traffic was alike: `1w`");
        return None;
    }
    let interval = schedule.interval;
    if offset.as_millis().checked_rem(interval.as_millis()).is_some_and(|rest| rest > 0) {
        let message = format!("an offset of {} is not a whole number of intervals of {}", text(offset), text(interval));
        let help = "make `offset` a multiple of `interval`, so that moments of now and then go together";
        reader.error(entry.node.spot, "out_of_range", message, help);
        return None;
    }
    Some(offset)
}

/// `wave_id="$variable"`: who carries a wave id is told apart by it.
fn wave_label(variable: &str) -> Option<Matchers> {
    Matchers::parse(&format!("wave_id=\"${variable}\"")).ok()
}

/// Cohorts by the same words are one cohort, and would always agree.
pub(super) fn differ(reader: &mut Reader<'_>, entry: Entry<'_>, canary: &Matchers, baseline: Option<&Matchers>) {
    if baseline == Some(canary) {
        let help = "the baseline is who was not upgraded: 'wave_id=\"$baseline\"' or 'wave_id!=\"$wave\"'";
        reader.error(entry.node.spot, "equal_cohorts", "canary and baseline are the same".to_owned(), help);
    }
}

/// The matchers of one cohort.
pub(super) fn matchers(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<Matchers> {
    let RawValue::Text(text) = &entry.node.value else {
        let message = format!("`{}` is text with label matchers", entry.key);
        reader.error(entry.node.spot, "wrong_type", message, "write them in quotes: 'wave_id=\"$wave\"'");
        return None;
    };
    match Matchers::parse_with(text, reader.params()) {
        Ok(matchers) => Some(matchers),
        Err(faults) => {
            reader.query_faults(entry.node, text, faults);
            None
        }
    }
}

fn instance(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<Vec<String>> {
    let nodes =
        if let RawValue::List(nodes) = &entry.node.value { nodes.as_slice() } else { std::slice::from_ref(entry.node) };
    let labels = labels(reader, entry, &nodes[..nodes.len().min(INSTANCE_LABELS)])?;
    if labels.is_empty() || nodes.len() > INSTANCE_LABELS {
        let message = format!("`instance` has {} labels, not 1 to {INSTANCE_LABELS}", nodes.len());
        reader.error(entry.node.spot, "bad_length", message, "name the label that tells instances apart");
        return None;
    }
    Some(labels)
}

/// The names of labels that `nodes` of `entry` are.
pub(super) fn labels(reader: &mut Reader<'_>, entry: Entry<'_>, nodes: &[RawNode]) -> Option<Vec<String>> {
    let mut labels = Vec::new();
    for node in nodes {
        let text = reader.text(Entry { node, ..entry }, 256)?;
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !plain || text.starts_with(|c: char| c.is_ascii_digit()) {
            let message = format!("{} is not the name of a label", quote(text));
            reader.error(node.spot, "bad_label", message, "name a label: `pod`, `instance`");
            return None;
        }
        labels.push(text.to_owned());
    }
    Some(labels)
}

/// Whether a wave can be opened by nobody: the source says its id, and nothing else.
pub(super) fn discoverable(
    reader: &mut Reader<'_>,
    entry: Entry<'_>,
    cohorts: &Cohorts,
    (written, checks): (Option<Entry<'_>>, &[Check]),
    params: &[Param],
) {
    let mut fault = |message: String, help: &str| reader.error(entry.node.spot, "cannot_discover", message, help);
    let needs = |cohorts: &Cohorts| cohorts.baseline.as_ref().is_some_and(Matchers::needs_baseline);
    if needs(cohorts) {
        let help = "write a `baseline` without it under `cohorts`: 'wave_id!=\"$wave\"'";
        fault("nobody says what `$baseline` is of a wave that is discovered".to_owned(), help);
    } else if let Some(check) = checks.iter().find(|check| check.cohorts.as_ref().is_some_and(needs)) {
        let message = format!("the check `{}` needs a `$baseline` that nobody says", check.name);
        fault(message, "write a `baseline` without it in its `match`");
    }
    if let Some(param) = params.iter().find(|param| param.default.is_none()) {
        let message = format!("nobody says what `${}` is of a wave that is discovered", param.name);
        fault(message, "give the param a default");
    }
    // New waves are looked for where the first check looks; a probe looks nowhere.
    match checks.iter().find(|check| check.probe.is_none()) {
        // Another kind of check stands there and could not be read, which is said already.
        None if !all_probes(written) => {}
        None => fault(
            "every check is a probe, and none shows which waves there are".to_owned(),
            "add a check of the source",
        ),
        Some(check) if check.cohorts.as_ref().unwrap_or(cohorts).canary.without_wave().is_none() => {
            let message = format!("no label of the canary of `{}` is the wave's id as it is, and it alone", check.name);
            fault(message, "write one into `canary` of `cohorts`: 'wave_id=\"$wave\"'");
        }
        Some(_) => {}
    }
}

/// Whether there are checks, and each is written as a probe.
fn all_probes(written: Option<Entry<'_>>) -> bool {
    let Some(RawValue::List(nodes)) = written.map(|entry| &entry.node.value) else { return false };
    !nodes.is_empty() && nodes.iter().all(|node| find(node, "probe").is_some())
}
