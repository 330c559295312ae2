//! A file of rule tests from its text: all faults at once, or [`RuleTests`].

use crate::rules::Diagnostic;
use crate::rules::diagnostic::Spot;
use crate::rules::parse::required;
use crate::rules::reader::Entry;
use crate::rules::reader::Reader;
use crate::rules::reader::Table;
use crate::rules::reader::quote;
use crate::rules::rule_test::Expectation;
use crate::rules::rule_test::Given;
use crate::rules::rule_test::MadeWave;
use crate::rules::rule_test::OUTCOMES;
use crate::rules::rule_test::RuleTest;
use crate::rules::rule_test::RuleTests;
use crate::rules::rule_test::STATES;
use crate::rules::rule_test::Spots;
use crate::rules::rule_test::VERDICTS;
use crate::rules::rule_test::made::GivenSeries;
use crate::rules::rule_test::shapes;
use crate::rules::rule_test::shapes::Placed;
use crate::rules::units::duration_text;
use crate::rules::yaml;
use crate::rules::yaml::RawNode;
use crate::rules::yaml::RawValue;
use crate::series::Timestamp;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Most tests of one file: each is a wave that is judged look by look.
const MAX_TESTS: usize = 200;

/// Most moments of one test: each keeps a verdict document.
const MAX_EXPECTATIONS: usize = 100;

/// Most series of one test, the buckets of histograms among them: a service of a
/// hundred pods has some two thousand.
const MAX_SERIES: u64 = 2_000;

/// Most samples of one test, 16 bytes each: an hour of all those series at 15 s is a
/// quarter of it.
const MAX_SAMPLES: u64 = 2_000_000;

/// Longest time before or after the start of a wave: a gate's longest deadline.
const MAX_SPAN: Duration = Duration::from_hours(30 * 24);

/// Shortest distance of two scrapes, as that of two looks.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// Longest text of any key that is no list, in bytes.
const TEXT: usize = 256;

/// Longest path, in bytes, as Linux has it.
const PATH: usize = 4096;

/// Most params of a wave, and most checks or reasons of one moment.
const MAX_NAMED: usize = 200;

/// What an expectation may have beside its time.
const EXPECTED: [&str; 5] = ["verdict", "would", "state", "checks", "reasons"];

/// 2026-01-05T12:00:00Z, a Monday: a test says the same whenever it is run.
const START: Timestamp = Timestamp::from_millis(1_767_614_400_000);

/// What may stand beside `tests` and in each of them.
const SHARED: [&str; 7] = ["wave", "baseline", "params", "start", "before", "interval", "series"];

/// Every fault of a file of rule tests at once. `file` is what the diagnostics call it.
///
/// # Errors
/// The faults, in the order of the file.
pub fn parse(file: &str, text: &str) -> Result<RuleTests, Vec<Diagnostic>> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::new(file, body, None);
    let tests = match yaml::read(body) {
        Ok(root) => whole(&mut reader, root),
        Err(refused) => {
            reader.error(refused.spot, refused.code, refused.message, refused.help);
            None
        }
    };
    let found = reader.finish();
    tests.filter(|_| found.is_empty()).ok_or(found)
}

fn whole(reader: &mut Reader<'_>, mut root: RawNode) -> Option<RuleTests> {
    match &mut root.value {
        RawValue::Null => {
            let help = "a file of rule tests has at least `rules` and `tests`";
            reader.error(Spot::START, "empty_file", "there is nothing in the file".to_owned(), help);
            return None;
        }
        // Keys that begin with `x-` are a place for anchors.
        RawValue::Table(pairs) => {
            pairs.retain(|(key, _)| !matches!(&key.value, RawValue::Text(name) if name.starts_with("x-")));
        }
        RawValue::Bool(_) | RawValue::Number(_) | RawValue::Text(_) | RawValue::List(_) => {}
    }
    let keys = ["rules", "tests"].into_iter().chain(SHARED).collect::<Vec<_>>();
    let table = reader.table_of(&root, "a file of rule tests", &keys)?;
    let rules =
        required(reader, &table, "rules", "name the rule file, relative to this one: `rules: ../checkout.yaml`");
    let rules = rules.and_then(|entry| Some((reader.text(entry, PATH)?.to_owned(), entry.node.spot)));
    let shared = Shared::read(reader, &table);
    let series = table.get("series").map(|entry| shapes::series(reader, entry)).unwrap_or_default();
    let tests = required(reader, &table, "tests", "write at least one test");
    let nodes = tests.and_then(|entry| list(reader, entry, MAX_TESTS)).unwrap_or_default();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let tests: Vec<RuleTest> =
        nodes.iter().filter_map(|node| one(reader, node, &shared, &series, &mut names)).collect();
    let (rules, rules_spot) = rules?;
    Some(RuleTests { rules, tests, rules_spot })
}

/// What may stand beside `tests`, and then holds for each that says nothing else.
#[derive(Clone)]
struct Shared {
    wave: String,
    baseline: Option<String>,
    params: Vec<(String, String, Spot)>,
    start: Timestamp,
    before: Duration,
    interval: Duration,
}

impl Shared {
    fn read(reader: &mut Reader<'_>, table: &Table<'_>) -> Self {
        let usual = Self {
            wave: "canary".to_owned(),
            baseline: None,
            params: Vec::new(),
            start: START,
            before: Duration::ZERO,
            interval: Duration::from_secs(15),
        };
        usual.or(reader, table)
    }

    /// These, with what `table` says in their place.
    fn or(&self, reader: &mut Reader<'_>, table: &Table<'_>) -> Self {
        let mut own = self.clone();
        if let Some(wave) = table.get("wave").and_then(|entry| wave_id(reader, entry)) {
            own.wave = wave;
        }
        if let Some(baseline) = table.get("baseline").and_then(|entry| wave_id(reader, entry)) {
            own.baseline = Some(baseline);
        }
        if let Some(params) = table.get("params").and_then(|entry| params(reader, entry)) {
            own.params = params;
        }
        if let Some(start) = table.get("start").and_then(|entry| start(reader, entry)) {
            own.start = start;
        }
        if let Some(before) = table.get("before").and_then(|entry| span(reader, entry, Duration::ZERO)) {
            own.before = before;
        }
        if let Some(interval) = table.get("interval").and_then(|entry| span(reader, entry, MIN_INTERVAL)) {
            own.interval = interval;
        }
        own
    }

    fn made(self, series: Vec<Arc<GivenSeries>>, last: Duration) -> MadeWave {
        let Self { wave, baseline, params, start, before, interval } = self;
        let params = params.into_iter().map(|(name, value, _)| (name, value)).collect();
        MadeWave { wave, baseline, params, start, before, interval, until: start + last, series }
    }
}

fn one(
    reader: &mut Reader<'_>,
    node: &RawNode,
    shared: &Shared,
    common: &[Placed<'_>],
    names: &mut BTreeMap<String, usize>,
) -> Option<RuleTest> {
    let keys = ["name", "recording", "attestations", "expect"].into_iter().chain(SHARED).collect::<Vec<_>>();
    let table = reader.table_of(node, "a test", &keys)?;
    let name = required(reader, &table, "name", "say what it claims: `name: ten times the errors fail`");
    let name = name.and_then(|entry| name_of(reader, entry, names));
    let attested = table.get("attestations").map(|entry| attestations(reader, entry)).unwrap_or_default();
    let mut expect = required(reader, &table, "expect", "say what must come: `- { at: 15m, verdict: fail }`")
        .and_then(|entry| list(reader, entry, MAX_EXPECTATIONS))
        .unwrap_or_default()
        .iter()
        .filter_map(|node| expectation(reader, node))
        .collect::<Vec<_>>();
    expect.sort_by_key(|one| one.at);
    let mut spots = Spots {
        attestations: attested.iter().map(|(name, _, spot)| (name.clone(), *spot)).collect(),
        ..Spots::default()
    };
    let given = if let Some(entry) = table.get("recording") {
        spots.recording = Some(entry.node.spot);
        recording(reader, &table, entry)?
    } else {
        let shared = shared.or(reader, &table);
        spots.params = shared.params.iter().map(|(name, _, spot)| (name.clone(), *spot)).collect();
        let own = table.get("series").map(|entry| shapes::series(reader, entry)).unwrap_or_default();
        let last = expect.last().map_or(Duration::ZERO, |last| last.at);
        let made = shared.made(instead(common, &own), last);
        bounded(reader, table.spot, &made);
        told_apart(reader, &own, &made, node.spot.line);
        Given::Made(made)
    };
    let attestations = attested.into_iter().map(|(name, at, _)| (name, at)).collect();
    Some(RuleTest { name: name?, line: node.spot.line, given, attestations, expect, spots })
}

/// A recording says itself what it is of.
fn recording(reader: &mut Reader<'_>, table: &Table<'_>, entry: Entry<'_>) -> Option<Given> {
    for other in SHARED.iter().filter_map(|key| table.get(key)) {
        let message = format!("`{}` stands beside `recording`, which has it", other.key);
        reader.error(other.key_spot, "not_with_recording", message, "take it away, or make the wave up");
    }
    Some(Given::Recording(reader.text(entry, PATH)?.to_owned()))
}

/// What is attested, when, and where that stands; by time.
fn attestations(reader: &mut Reader<'_>, entry: Entry<'_>) -> Vec<(String, Duration, Spot)> {
    let mut found = Vec::new();
    for node in list(reader, entry, MAX_NAMED).unwrap_or_default() {
        let Some(table) = reader.table_of(node, "an attestation", &["name", "at"]) else { continue };
        let name = required(reader, &table, "name", "say what is attested: `name: backup`");
        let name = name.and_then(|entry| Some((reader.text(entry, TEXT)?.to_owned(), entry.node.spot)));
        let at = required(reader, &table, "at", "say when, from the start of the wave: `at: 5m`");
        let at = at.and_then(|entry| span(reader, entry, Duration::ZERO));
        found.extend(name.zip(at).map(|((name, spot), at)| (name, at, spot)));
    }
    found.sort_by_key(|(_, at, _)| *at);
    found
}

/// The common series, without those that `own` has too, and then `own`.
fn instead(common: &[Placed<'_>], own: &[Placed<'_>]) -> Vec<Arc<GivenSeries>> {
    let taken: BTreeSet<_> = own.iter().flat_map(|(_, given)| &given.labels).collect();
    let left = |(_, given): &Placed<'_>| {
        if !given.labels.iter().any(|labels| taken.contains(labels)) {
            return Some(Arc::clone(given));
        }
        let labels: Vec<_> = given.labels.iter().filter(|labels| !taken.contains(labels)).cloned().collect();
        (!labels.is_empty()).then(|| Arc::new(GivenSeries { labels, ..GivenSeries::clone(given) }))
    };
    common.iter().filter_map(left).chain(own.iter().map(|(_, given)| Arc::clone(given))).collect()
}

/// Refuses a test that would take too much memory, before anything of it is made.
fn bounded(reader: &mut Reader<'_>, spot: Spot, made: &MadeWave) {
    let (series, samples) = made.size();
    let spot = Spot { width: 1, ..spot };
    let mut over = |what: &str, found: u64, most: u64| {
        let message = format!("the test has {found} {what}, not up to {most}");
        reader.error(spot, "too_many_samples", message, "give it less: two pods a cohort show as much as fifty");
    };
    if series > MAX_SERIES {
        over("series", series, MAX_SERIES);
    } else if samples > MAX_SAMPLES {
        over("samples", samples, MAX_SAMPLES);
    }
}

/// A series that is given twice would have two values at one time.
fn told_apart(reader: &mut Reader<'_>, own: &[Placed<'_>], made: &MadeWave, line: usize) {
    if made.size().0 > MAX_SERIES {
        return;
    }
    let given = &made.series;
    let mut seen = BTreeSet::new();
    let common = given.len() - own.len();
    for (place, one) in given.iter().enumerate() {
        let node = place.checked_sub(common).and_then(|own_place| own.get(own_place)).map(|(node, _)| *node);
        for labels in one.names() {
            if seen.insert(labels.clone()) {
                continue;
            }
            let spot = node.map_or(Spot { line, column: 1, ..Spot::START }, |node| node.spot);
            let message = format!("the series {} is given twice", quote(&labels.to_string()));
            let help = "give it once; what stands beside `tests` is replaced where the names are equal";
            reader.error(Spot { width: 1, ..spot }, "series_twice", message, help);
            return;
        }
    }
}

fn expectation(reader: &mut Reader<'_>, node: &RawNode) -> Option<Expectation> {
    let keys = std::iter::once("at").chain(EXPECTED).collect::<Vec<_>>();
    let table = reader.table_of(node, "an expectation", &keys)?;
    let at = required(reader, &table, "at", "say when, from the start of the wave: `at: 15m`");
    let at = at.and_then(|entry| span(reader, entry, Duration::ZERO));
    let mut word = |key: &str, words: &[&'static str]| {
        let words: Vec<(&str, &'static str)> = words.iter().map(|word| (*word, *word)).collect();
        table.get(key).and_then(|entry| reader.word(entry, &words))
    };
    let (verdict, would, state) = (word("verdict", &VERDICTS), word("would", &VERDICTS), word("state", &STATES));
    let would_spot = table.get("would").map(|entry| entry.key_spot);
    let (checks, check_spots) = table.get("checks").map(|entry| checks(reader, entry)).unwrap_or_default();
    let reasons = table.get("reasons").map(|entry| reasons(reader, entry)).unwrap_or_default();
    if EXPECTED.iter().all(|key| table.get(key).is_none()) {
        let message = "an expectation without anything expected".to_owned();
        let help = "add `verdict`, `would`, `state`, `checks` or `reasons`";
        reader.error(Spot { width: 1, ..table.spot }, "nothing_expected", message, help);
    }
    let (line, at) = (node.spot.line, at?);
    Some(Expectation { line, at, verdict, would, state, checks, reasons, check_spots, would_spot })
}

fn checks(reader: &mut Reader<'_>, entry: Entry<'_>) -> (Vec<(String, &'static str)>, Vec<Spot>) {
    let words: Vec<(&str, &'static str)> = OUTCOMES.iter().map(|word| (*word, *word)).collect();
    let mut found = (Vec::new(), Vec::new());
    for (key, value) in pairs(reader, entry, "`checks`", "names of checks with outcomes: `{ errors: fail }`") {
        let one = Entry { key: &key.0, key_spot: key.1, node: value };
        if let Some(outcome) = reader.word(one, &words) {
            found.0.push((key.0, outcome));
            found.1.push(key.1);
        }
    }
    found
}

fn params(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<Vec<(String, String, Spot)>> {
    let mut found = Vec::new();
    for ((name, spot), node) in pairs(reader, entry, "`params`", "names with values: `{ region: eu }`") {
        let value = reader.text(Entry { key: &name, key_spot: spot, node }, TEXT)?.to_owned();
        found.push((name, value, spot));
    }
    Some(found)
}

/// The pairs of a mapping with keys of somebody's own choice, none of them twice.
fn pairs<'n>(reader: &mut Reader<'_>, entry: Entry<'n>, what: &str, help: &str) -> Vec<((String, Spot), &'n RawNode)> {
    let RawValue::Table(pairs) = &entry.node.value else {
        reader.error(entry.node.spot, "wrong_type", format!("{what} is a mapping"), help);
        return Vec::new();
    };
    let mut found: Vec<((String, Spot), &RawNode)> = Vec::new();
    for (key, node) in pairs.iter().take(MAX_NAMED) {
        let RawValue::Text(name) = &key.value else {
            reader.error(key.spot, "wrong_type", format!("a key of {what} is text"), help);
            continue;
        };
        if found.iter().any(|((other, _), _)| other == name) {
            reader.error(key.spot, "duplicate_key", format!("{} stands twice", quote(name)), "keep one");
            continue;
        }
        found.push(((name.clone(), key.spot), node));
    }
    if pairs.len() > MAX_NAMED {
        let message = format!("{what} has {} keys, not up to {MAX_NAMED}", pairs.len());
        reader.error(entry.node.spot, "bad_length", message, help);
    }
    found
}

fn reasons(reader: &mut Reader<'_>, entry: Entry<'_>) -> Vec<String> {
    let nodes = list(reader, entry, MAX_NAMED).unwrap_or_default();
    nodes.iter().filter_map(|node| reader.text(Entry { node, ..entry }, TEXT).map(str::to_owned)).collect()
}

/// The 1 to `most` nodes of a list.
fn list<'n>(reader: &mut Reader<'_>, entry: Entry<'n>, most: usize) -> Option<&'n [RawNode]> {
    let RawValue::List(nodes) = &entry.node.value else {
        let message = format!("`{}` is a list", entry.key);
        reader.error(entry.node.spot, "wrong_type", message, "begin each of its lines with `- `");
        return None;
    };
    if nodes.is_empty() || nodes.len() > most {
        let message = format!("`{}` has {} entries, not 1 to {most}", entry.key, nodes.len());
        reader.error(entry.node.spot, "bad_length", message, "split the file, or take the key away");
        return None;
    }
    Some(nodes)
}

fn name_of(reader: &mut Reader<'_>, entry: Entry<'_>, names: &mut BTreeMap<String, usize>) -> Option<String> {
    let name = reader.text(entry, TEXT)?.to_owned();
    if let Some(line) = names.insert(name.clone(), entry.node.spot.line) {
        let message = format!("two tests are named {}", quote(&name));
        reader.error(entry.node.spot, "duplicate_name", message, format!("the other stands in line {line}"));
    }
    Some(name)
}

fn wave_id(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<String> {
    let text = reader.text(entry, TEXT)?;
    if text.chars().any(char::is_control) {
        let message = format!("{} cannot be a wave id", quote(text));
        reader.error(entry.node.spot, "bad_name", message, "1 to 256 bytes without control characters");
        return None;
    }
    Some(text.to_owned())
}

fn start(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<Timestamp> {
    let text = reader.text(entry, TEXT)?;
    // A gate does not begin before there was time, and its numbers have an end too.
    let known = Timestamp::from_millis(0)..=Timestamp::from_millis(4_102_444_800_000);
    let start = Timestamp::parse(text).filter(|start| known.contains(start));
    if start.is_none() {
        let message = format!("{} is not an instant from 1970 to 2099", quote(text));
        reader.error(entry.node.spot, "bad_time", message, "write it so: `2026-01-05T12:00:00Z`");
    }
    start
}

/// A duration of at least `least`.
fn span(reader: &mut Reader<'_>, entry: Entry<'_>, least: Duration) -> Option<Duration> {
    let span = reader.duration(entry)?;
    if (least..=MAX_SPAN).contains(&span) {
        return Some(span);
    }
    let (least, most) = (duration_text(least), duration_text(MAX_SPAN));
    let message = format!("`{}` is {}, not {least} to {most}", entry.key, duration_text(span));
    reader.error(entry.node.spot, "out_of_range", message, "count from the start of the wave: `15m`");
    None
}
