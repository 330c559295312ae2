//! A rule file from its text: all faults at once, or a [`RuleFile`].
//!
//! Every part is read with its default at hand, so a fault in one part does not
//! hide another's; only at the end does one error refuse the whole.

use crate::rules::Diagnostic;
use crate::rules::Digest;
use crate::rules::OnDeadline;
use crate::rules::Risk;
use crate::rules::RuleFile;
use crate::rules::RulesName;
use crate::rules::Schedule;
use crate::rules::Severity;
use crate::rules::Spending;
use crate::rules::Telemetry;
use crate::rules::check;
use crate::rules::diagnostic::Spot;
use crate::rules::query::Cohorts;
use crate::rules::query::Matchers;
use crate::rules::reader::Entry;
use crate::rules::reader::Reader;
use crate::rules::reader::Table;
use crate::rules::reader::quote;
use crate::rules::units::Unit;
use crate::rules::units::duration_text;
use crate::rules::yaml;
use crate::rules::yaml::RawNode;
use crate::rules::yaml::RawValue;
use std::time::Duration;

/// A rule file, and what somebody should look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The rules.
    pub rules: RuleFile,
    /// In the order of the file.
    pub warnings: Vec<Diagnostic>,
}

const KEYS: &[&str] =
    &["version", "name", "description", "source", "cohorts", "schedule", "risk", "telemetry", "checks"];

/// Longest name, in bytes.
const NAME: usize = 64;

/// Longest description, in bytes: it is shown, not read.
const DESCRIPTION: usize = 4096;

/// Shortest interval: finer than anybody scrapes, and a look costs queries.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// Longest deadline: raw samples are rarely kept longer.
const MAX_DEADLINE: Duration = Duration::from_hours(30 * 24);

/// Longest settle: a look that runs later helps nobody.
const MAX_SETTLE: Duration = Duration::from_hours(1);

/// Fewest intervals up to the deadline: under four there is no sequence to judge.
pub(super) const MIN_INTERVALS: u32 = 4;

/// Most intervals up to the deadline: an open gate keeps their evidence in memory.
const MAX_INTERVALS: u32 = 20_000;

/// Most labels that are tried for the instance.
const INSTANCE_LABELS: usize = 8;

/// Every fault of a rule file at once. `file` is what the diagnostics call it.
pub fn parse(file: &str, text: &str) -> Result<Parsed, Vec<Diagnostic>> {
    // A byte order mark is no character of the first line.
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::new(file, body);
    let rules = match yaml::read(body) {
        Ok(root) => gate(&mut reader, root, text),
        Err(refused) => {
            reader.error(refused.spot, refused.code, refused.message, refused.help);
            None
        }
    };
    let found = reader.finish();
    match rules {
        Some(rules) if found.iter().all(|d| d.severity == Severity::Warning) => Ok(Parsed { rules, warnings: found }),
        _ => Err(found),
    }
}

fn gate(reader: &mut Reader<'_>, mut root: RawNode, text: &str) -> Option<RuleFile> {
    match &mut root.value {
        RawValue::Null => {
            let help = "a rule file has at least `version: 1`, `name` and `checks`";
            reader.error(Spot::START, "empty_file", "there is nothing in the file".to_owned(), help);
            return None;
        }
        // Keys that begin with `x-` are a place for anchors.
        RawValue::Table(pairs) => {
            pairs.retain(|(key, _)| !matches!(&key.value, RawValue::Text(name) if name.starts_with("x-")));
        }
        RawValue::Bool(_) | RawValue::Number(_) | RawValue::Text(_) | RawValue::List(_) => {}
    }
    let table = reader.table(&root, "a rule file", KEYS)?;
    version(reader, &table);
    let name =
        required(reader, &table, "name", "name it: `name: checkout`").and_then(|entry| rules_name(reader, entry));
    let description = table.get("description").and_then(|entry| reader.text(entry, DESCRIPTION).map(str::to_owned));
    let source = table.get("source").and_then(|entry| word_name(reader, entry));
    let cohorts = cohorts(reader, table.get("cohorts"));
    let schedule = schedule(reader, table.get("schedule"));
    let risk = risk(reader, table.get("risk"));
    let telemetry = telemetry(reader, table.get("telemetry"));
    let checks = required(reader, &table, "checks", "write at least one check")
        .map(|entry| check::checks(reader, entry, &cohorts, &schedule))
        .unwrap_or_default();
    let digest = Digest::of(text.as_bytes());
    Some(RuleFile { name: name?, description, source, cohorts, schedule, risk, checks, telemetry, digest })
}

/// The entry of a key that must be there.
pub(super) fn required<'n>(reader: &mut Reader<'_>, table: &Table<'n>, key: &str, help: &str) -> Option<Entry<'n>> {
    let entry = table.get(key);
    if entry.is_none() {
        let spot = Spot { width: 1, ..table.spot };
        reader.error(spot, "missing_key", format!("`{key}` is missing"), help);
    }
    entry
}

fn version(reader: &mut Reader<'_>, table: &Table<'_>) {
    let help = "this wavegate reads `version: 1`";
    let Some(entry) = required(reader, table, "version", help) else { return };
    match entry.node.value {
        RawValue::Number(1.0) => {}
        RawValue::Number(number) => {
            reader.error(entry.node.spot, "unknown_version", format!("there is no version {number}"), help);
        }
        RawValue::Null | RawValue::Bool(_) | RawValue::Text(_) | RawValue::List(_) | RawValue::Table(_) => {
            let _ = reader.number(entry, help);
        }
    }
}

fn rules_name(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<RulesName> {
    word_name(reader, entry).and_then(|name| RulesName::new(&name))
}

/// A name of the grammar that [`RulesName`] has: files, checks and sources alike.
pub(super) fn word_name(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<String> {
    let text = reader.text(entry, NAME)?;
    if RulesName::new(text).is_none() {
        let help = "1 to 64 of `a-z A-Z 0-9 . _ -`, beginning with a letter or digit";
        let message = format!("{} cannot be a name", quote(text));
        reader.error(entry.node.spot, "bad_name", message, help);
        return None;
    }
    Some(text.to_owned())
}

fn cohorts(reader: &mut Reader<'_>, entry: Option<Entry<'_>>) -> Cohorts {
    let table = entry.and_then(|entry| reader.table(entry.node, "`cohorts`", &["canary", "baseline", "instance"]));
    let get = |key: &str| table.as_ref().and_then(|table| table.get(key));
    let canary = get("canary").and_then(|entry| matchers(reader, entry));
    let baseline = get("baseline").and_then(|entry| matchers(reader, entry));
    let instance = get("instance").and_then(|entry| instance(reader, entry));
    let cohorts = Cohorts {
        canary: canary.or_else(|| wave_label("wave")).unwrap_or_else(Matchers::none),
        baseline: baseline.or_else(|| wave_label("baseline")),
        instance: instance.unwrap_or_else(|| vec!["pod".to_owned(), "instance".to_owned()]),
    };
    if let Some(entry) = get("baseline").or_else(|| get("canary")) {
        differ(reader, entry, &cohorts.canary, cohorts.baseline.as_ref());
    }
    cohorts
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
    match Matchers::parse(text) {
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
    let mut labels = Vec::new();
    for node in nodes.iter().take(INSTANCE_LABELS) {
        let text = reader.text(Entry { node, ..entry }, 256)?;
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !plain || text.starts_with(|c: char| c.is_ascii_digit()) {
            let message = format!("{} is not the name of a label", quote(text));
            reader.error(node.spot, "bad_label", message, "name a label: `pod`, `instance`");
            return None;
        }
        labels.push(text.to_owned());
    }
    if labels.is_empty() || nodes.len() > INSTANCE_LABELS {
        let message = format!("`instance` has {} labels, not 1 to {INSTANCE_LABELS}", nodes.len());
        reader.error(entry.node.spot, "bad_length", message, "name the label that tells instances apart");
        return None;
    }
    Some(labels)
}

fn schedule(reader: &mut Reader<'_>, entry: Option<Entry<'_>>) -> Schedule {
    let keys = ["interval", "warmup", "min_duration", "deadline", "on_deadline", "settle"];
    let table = entry.and_then(|entry| reader.table(entry.node, "`schedule`", &keys));
    let get = |key: &str| table.as_ref().and_then(|table| table.get(key));
    let mut span = |key: &str, default: Duration| get(key).and_then(|e| reader.duration(e)).unwrap_or(default);
    let interval = span("interval", Duration::from_secs(15));
    let schedule = Schedule {
        interval,
        warmup: span("warmup", Duration::from_mins(2)),
        min_duration: span("min_duration", Duration::from_mins(10)),
        deadline: span("deadline", Duration::from_hours(1)),
        settle: span("settle", interval.saturating_mul(2).min(MAX_SETTLE)),
        on_deadline: OnDeadline::Pause,
    };
    let words = [("pause", OnDeadline::Pause), ("fail", OnDeadline::Fail)];
    let on_deadline = get("on_deadline").and_then(|entry| reader.word(entry, &words)).unwrap_or(OnDeadline::Pause);
    if let Some(entry) = entry {
        let at = |keys: &[&str]| keys.iter().find_map(|key| get(key)).unwrap_or(entry).node.spot;
        possible(reader, &schedule, at);
    }
    Schedule { on_deadline, ..schedule }
}

/// Whether the times of `schedule` can be kept; `at` finds where one of some keys stands.
fn possible(reader: &mut Reader<'_>, schedule: &Schedule, at: impl Fn(&[&str]) -> Spot) {
    let Schedule { interval, warmup, min_duration, deadline, settle, .. } = *schedule;
    let mut fault = |keys: &[&str], message: String, help: &str| {
        reader.error(at(keys), "impossible_schedule", message, help);
    };
    let text = duration_text;
    if interval < MIN_INTERVAL {
        fault(
            &["interval"],
            format!("the interval of {} is under 1s", text(interval)),
            "as often as you scrape: `15s`",
        );
    }
    if deadline > MAX_DEADLINE {
        fault(&["deadline"], format!("the deadline of {} is over 30d", text(deadline)), "a wave is judged in hours");
    } else if interval.saturating_mul(MIN_INTERVALS) > deadline {
        let message = format!("the interval of {} leaves under 4 looks by {}", text(interval), text(deadline));
        fault(&["interval", "deadline"], message, "make the interval shorter or the deadline later");
    }
    if interval.saturating_mul(MAX_INTERVALS) < deadline {
        let message = format!("over {MAX_INTERVALS} intervals of {} until {}", text(interval), text(deadline));
        fault(&["interval", "deadline"], message, "make the interval longer or the deadline earlier");
    }
    if warmup >= min_duration {
        let message = format!("the warm-up of {} leaves nothing of {} to judge", text(warmup), text(min_duration));
        fault(
            &["warmup", "min_duration"],
            message,
            "`warmup` and `min_duration` both count from the start of the wave",
        );
    }
    if min_duration > deadline {
        let message = format!("no PASS before {}, and no look after {}", text(min_duration), text(deadline));
        fault(&["min_duration", "deadline"], message, "make `deadline` later than `min_duration`");
    }
    if settle > MAX_SETTLE {
        fault(
            &["settle"],
            format!("a look would run {} late", text(settle)),
            "as long as samples need to arrive: `30s`",
        );
    }
}

fn risk(reader: &mut Reader<'_>, entry: Option<Entry<'_>>) -> Risk {
    let keys = ["false_fail", "false_pass", "spending"];
    let table = entry.and_then(|entry| reader.table(entry.node, "`risk`", &keys));
    let spending = table.as_ref().and_then(|table| table.get("spending"));
    let words = [("linear", Spending::Linear), ("obf", Spending::Obf)];
    let spending = spending.and_then(|entry| reader.word(entry, &words)).unwrap_or(Spending::Linear);
    let mut of = |key: &str| {
        let entry = table.as_ref().and_then(|table| table.get(key));
        let value = entry.and_then(|entry| {
            let risk = reader.quantity(entry, Unit::Percent, "write a risk in percent: `5%`")?;
            if risk > 0.0 && risk < 0.5 {
                return Some(risk);
            }
            let message = format!("a risk of {} is not between 0% and 50%", Unit::Percent.text(risk));
            reader.error(entry.node.spot, "out_of_range", message, "5% is usual; 50% is tossing a coin");
            None
        });
        value.unwrap_or(0.05)
    };
    Risk { false_fail: of("false_fail"), false_pass: of("false_pass"), spending }
}

fn telemetry(reader: &mut Reader<'_>, entry: Option<Entry<'_>>) -> Telemetry {
    let table = entry.and_then(|entry| reader.table(entry.node, "`telemetry`", &["coverage"]));
    let coverage = table.and_then(|table| table.get("coverage")).and_then(|entry| {
        let share = reader.quantity(entry, Unit::Percent, "write a share of the expected samples: `90%`")?;
        if share > 0.0 && share <= 1.0 {
            return Some(share);
        }
        let message = format!("a coverage of {} is not above 0% and up to 100%", Unit::Percent.text(share));
        reader.error(entry.node.spot, "out_of_range", message, "90% is usual");
        None
    });
    Telemetry { coverage: coverage.unwrap_or(0.9) }
}
