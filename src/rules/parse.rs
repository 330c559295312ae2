//! A rule file from its text: all faults at once, or a [`RuleFile`].
//!
//! Every part is read with its default at hand, so a fault in one part does not
//! hide another's; only at the end does one error refuse the whole.

use crate::rules::Diagnostic;
use crate::rules::Digest;
use crate::rules::Mode;
use crate::rules::Risk;
use crate::rules::RuleFile;
use crate::rules::RulesName;
use crate::rules::Severity;
use crate::rules::Spending;
use crate::rules::Telemetry;
use crate::rules::base;
use crate::rules::bundle::Bundle;
use crate::rules::check;
use crate::rules::cohorts;
use crate::rules::defaults;
use crate::rules::diagnostic::Spot;
use crate::rules::keys::file::FILE;
use crate::rules::keys::file::RISK;
use crate::rules::keys::file::TELEMETRY;
use crate::rules::params;
use crate::rules::patterns;
use crate::rules::reader::Entry;
use crate::rules::reader::Reader;
use crate::rules::reader::Table;
use crate::rules::reader::quote;
use crate::rules::schedule;
use crate::rules::slo;
use crate::rules::smells;
use crate::rules::traffic;
use crate::rules::units::Unit;
use crate::rules::windows;
use crate::rules::yaml;
use crate::rules::yaml::RawNode;
use crate::rules::yaml::RawValue;

/// A rule file, and what somebody should look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The rules.
    pub rules: RuleFile,
    /// In the order of the file.
    pub warnings: Vec<Diagnostic>,
}

/// Longest name, in bytes.
const NAME: usize = 64;

/// Longest description, in bytes: it is shown, not read.
pub(super) const DESCRIPTION: usize = 4096;

/// Most things that must be attested: each is somebody's work before every wave.
const MAX_REQUIRED: usize = 16;

/// Every fault of a rule file at once. `file` is what the diagnostics call it; `text`
/// is the file's, or a bundle of it with what it extends ([`crate::rules::bundle()`]) and the SLO that
/// it minds ([`crate::rules::bundle_slo`]).
pub fn parse(file: &str, text: &str) -> Result<Parsed, Vec<Diagnostic>> {
    let Bundle { own, base, slo } = Bundle::of(text);
    // A byte order mark is no character of the first line.
    let body = own.strip_prefix('\u{feff}').unwrap_or(own);
    let mut reader = Reader::new(file, body, base);
    let rules = match yaml::read(body) {
        Ok(_) if base::is_base(file) => {
            // Its faults depend on what stands above it: a param, a check, a deadline.
            let message = "a file that begins with `_` is a base, and no gate by itself".to_owned();
            let help = "check a file that extends it: faults of the base are told with it";
            reader.error(Spot::START, "base_alone", message, help);
            None
        }
        Ok(root) => gate(&mut reader, root, (base, slo), text),
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

/// A document of a bundle that is behind the file: its name and its text.
type Behind<'t> = Option<(&'t str, &'t str)>;

fn gate(reader: &mut Reader<'_>, root: RawNode, (base, slo): (Behind<'_>, Behind<'_>), text: &str) -> Option<RuleFile> {
    if let RawValue::Null = root.value {
        let help = "a rule file has at least `version: 1`, `name` and `checks`";
        reader.error(Spot::START, "empty_file", "there is nothing in the file".to_owned(), help);
        return None;
    }
    let mut root = base::extended(reader, root, base);
    // Keys that begin with `x-` are a place for anchors.
    if let RawValue::Table(pairs) = &mut root.value {
        pairs.retain(|(key, _)| !matches!(&key.value, RawValue::Text(name) if name.starts_with("x-")));
    }
    defaults::apply(reader, &mut root);
    if let Err(refused) = patterns::bounded(&root) {
        reader.error(refused.spot, refused.code, refused.message, refused.help);
        return None;
    }
    let table = reader.table(&root, "a rule file", FILE)?;
    version(reader, &table);
    // First, as queries and matchers name them.
    let params = table.get("params").map(|entry| params::params(reader, entry)).unwrap_or_default();
    reader.declare(params.iter().map(|param| param.name.clone()).collect());
    let name =
        required(reader, &table, "name", "name it: `name: checkout`").and_then(|entry| rules_name(reader, entry));
    let schedule = schedule::schedule(reader, table.get("schedule"));
    let cohorts = cohorts::cohorts(reader, table.get("cohorts"), &schedule);
    let checks = required(reader, &table, "checks", "write at least one check")
        .map(|entry| check::checks(reader, entry, &cohorts, &schedule))
        .unwrap_or_default();
    let discover = table.get("discover").filter(|entry| reader.flag(*entry) == Some(true));
    if let Some(entry) = discover {
        cohorts::discoverable(reader, entry, &cohorts, (table.get("checks"), &checks), &params);
    }
    let rules = RuleFile {
        // Any will do until the end: without a name nothing is given back.
        name: name.clone().or_else(|| RulesName::new("unnamed"))?,
        description: table.get("description").and_then(|entry| reader.text(entry, DESCRIPTION).map(str::to_owned)),
        source: table.get("source").and_then(|entry| word_name(reader, entry)),
        risk: risk(reader, table.get("risk")),
        telemetry: telemetry(reader, table.get("telemetry")),
        mode: mode(reader, table.get("mode")),
        windows: table.get("windows").and_then(|entry| windows::windows(reader, entry)),
        downtime: schedule::downtime(reader, table.get("downtime"), &schedule),
        requires: table.get("requires").map(|entry| requires(reader, entry)).unwrap_or_default(),
        budget: table.get("budget").and_then(|entry| slo::budget(reader, entry, slo)),
        traffic: table.get("traffic").map(|entry| traffic::traffic(reader, entry, &checks)).unwrap_or_default(),
        discover: discover.is_some(),
        digest: Digest::of(text.as_bytes()),
        cohorts,
        schedule,
        checks,
        params,
    };
    if slo.is_some() && table.get("budget").is_none() {
        let help = "name the SLO in the file: `budget: { slo: … }`";
        reader.error(table.spot, "second_document", "an SLO follows that nothing minds".to_owned(), help);
    }
    if let Some(entry) = table.get("checks").filter(|_| reader.errors() == 0) {
        smells::note(reader, entry, &rules.checks, (&rules.schedule, &rules.risk));
    }
    name.map(|_| rules)
}

fn mode(reader: &mut Reader<'_>, entry: Option<Entry<'_>>) -> Mode {
    let words = [("enforce", Mode::Enforce), ("observe", Mode::Observe)];
    entry.and_then(|entry| reader.word(entry, &words)).unwrap_or(Mode::Enforce)
}

fn requires(reader: &mut Reader<'_>, entry: Entry<'_>) -> Vec<String> {
    let RawValue::List(nodes) = &entry.node.value else {
        let message = "`requires` is a list of names".to_owned();
        reader.error(entry.node.spot, "wrong_type", message, "write `requires: [disk-snapshot]`");
        return Vec::new();
    };
    if nodes.len() > MAX_REQUIRED {
        let message = format!("{} things are required, the limit is {MAX_REQUIRED}", nodes.len());
        reader.error(entry.key_spot, "too_many", message, "require what somebody must do, and test the rest");
        return Vec::new();
    }
    let mut names: Vec<String> = Vec::new();
    for node in nodes {
        let Some(name) = word_name(reader, Entry { node, ..entry }) else { continue };
        if names.contains(&name) {
            let message = format!("`{name}` is required twice");
            reader.error(node.spot, "duplicate_name", message, "keep one");
        }
        names.push(name);
    }
    names
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

pub(super) fn version(reader: &mut Reader<'_>, table: &Table<'_>) {
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

fn risk(reader: &mut Reader<'_>, entry: Option<Entry<'_>>) -> Risk {
    let table = entry.and_then(|entry| reader.table(entry.node, "`risk`", RISK));
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
    let table = entry.and_then(|entry| reader.table(entry.node, "`telemetry`", TELEMETRY));
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
