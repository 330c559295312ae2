//! An SLO from its text: all faults at once, or an [`Slo`].

use crate::rules::Diagnostic;
use crate::rules::Digest;
use crate::rules::Severity;
use crate::rules::Slo;
use crate::rules::SloName;
use crate::rules::base;
use crate::rules::cohorts;
use crate::rules::diagnostic::Spot;
use crate::rules::keys::slo::POLICIES;
use crate::rules::keys::slo::SLO;
use crate::rules::parse::DESCRIPTION;
use crate::rules::parse::required;
use crate::rules::parse::version;
use crate::rules::parse::word_name;
use crate::rules::patterns;
use crate::rules::reader::Entry;
use crate::rules::reader::Reader;
use crate::rules::reader::Table;
use crate::rules::slo::Indicator;
use crate::rules::slo::TierSeverity;
use crate::rules::slo::burn;
use crate::rules::slo::indicator;
use crate::rules::slo::period;
use crate::rules::slo::policies;
use crate::rules::slo::policies::Policies;
use crate::rules::units::Unit;
use crate::rules::yaml;
use crate::rules::yaml::RawNode;
use crate::rules::yaml::RawValue;
use crate::series::Fraction;
use std::time::Duration;

/// Most labels of strata: cohorts that are cut finer have no events left to compare.
const MAX_STRATA: usize = 8;

/// An SLO, and what somebody should look at.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedSlo {
    /// The SLO.
    pub slo: Slo,
    /// In the order of the file.
    pub warnings: Vec<Diagnostic>,
}

/// Whether `text` is an SLO file and no rule file: it promises or counts something.
pub fn is_slo(text: &str) -> bool {
    promised(text).is_some()
}

/// What the SLO file `text` calls its SLO, whatever else is wrong with it.
pub fn slo_name(text: &str) -> Option<String> {
    let (_, RawNode { value: RawValue::Text(name), .. }) = base::find(&promised(text)?, "name")?.clone() else {
        return None;
    };
    Some(name)
}

/// The tree of an SLO file, if `text` is one.
fn promised(text: &str) -> Option<RawNode> {
    let keys = ["objective", "indicator"];
    // Most files are none, and are not read twice.
    let may_be = keys.iter().any(|key| text.contains(key));
    let root = may_be.then(|| yaml::read(text.strip_prefix('\u{feff}').unwrap_or(text)).ok()).flatten();
    root.filter(|root| keys.iter().any(|key| base::find(root, key).is_some()))
}

/// Every fault of an SLO file at once. `file` is what the diagnostics call it.
pub fn parse_slo(file: &str, text: &str) -> Result<ParsedSlo, Vec<Diagnostic>> {
    // A byte order mark is no character of the first line.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::new(file, text, None);
    let slo = match yaml::read(text) {
        Ok(root) => promise(&mut reader, root, text),
        Err(refused) => {
            reader.error(refused.spot, refused.code, refused.message, refused.help);
            None
        }
    };
    let found = reader.finish();
    match slo {
        Some(slo) if found.iter().all(|d| d.severity == Severity::Warning) => Ok(ParsedSlo { slo, warnings: found }),
        _ => Err(found),
    }
}

fn promise(reader: &mut Reader<'_>, mut root: RawNode, text: &str) -> Option<Slo> {
    if let RawValue::Null = root.value {
        let help = "an SLO file has at least `version: 1`, `name`, `objective` and `indicator`";
        reader.error(Spot::START, "empty_file", "there is nothing in the file".to_owned(), help);
        return None;
    }
    // Keys that begin with `x-` are a place for anchors.
    if let RawValue::Table(pairs) = &mut root.value {
        pairs.retain(|(key, _)| !matches!(&key.value, RawValue::Text(name) if name.starts_with("x-")));
    }
    if let Err(refused) = patterns::bounded(&root) {
        reader.error(refused.spot, refused.code, refused.message, refused.help);
        return None;
    }
    let table = reader.table(&root, "an SLO file", SLO)?;
    version(reader, &table);
    let name = required(reader, &table, "name", "name it: `name: checkout-availability`")
        .and_then(|entry| word_name(reader, entry))
        .and_then(|name| SloName::new(&name));
    let service = table.get("service").and_then(|entry| word_name(reader, entry));
    let source = table.get("source").and_then(|entry| word_name(reader, entry));
    let objective = objective(reader, &table);
    let (period, slice) = period::period(reader, &table);
    let indicator = required(reader, &table, "indicator", "say what is counted: `ratio`, `latency` or `up`")
        .and_then(|entry| indicator::indicator(reader, entry));
    let budgeting = period::budgeting(reader, table.get("budgeting"), (&period, slice));
    let settle = table.get("settle").and_then(|entry| settle(reader, entry)).unwrap_or(Duration::from_mins(1));
    let burn = burn::burn(reader, &table, (&period, budgeting.counted(slice)), objective);
    let strata = table.get("strata").and_then(|entry| strata(reader, entry)).unwrap_or_default();
    let pages = burn.tiers.iter().filter(|tier| tier.severity == TierSeverity::Page);
    let usual = Policies::usual(pages.map(|tier| tier.factor).min());
    let policies = table.get("policies").and_then(|entry| reader.table(entry.node, "`policies`", POLICIES));
    let policies = policies.map_or(usual, |table| policies::changed(reader, &table, usual));
    let (name, objective, indicator) = (name?, objective?, indicator?);
    Some(Slo {
        description: table.get("description").and_then(|entry| reader.text(entry, DESCRIPTION).map(str::to_owned)),
        service: service.unwrap_or_else(|| name.as_str().to_owned()),
        counted_by: counted_by(source.as_deref(), &indicator, slice),
        digest: Digest::of(text.as_bytes()),
        tiers: burn.tiers,
        min_bad: burn.min_bad,
        absolute: burn.absolute,
        name,
        source,
        indicator,
        objective,
        period,
        budgeting,
        slice,
        settle,
        strata,
        policies,
    })
}

fn objective(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Fraction> {
    let entry = required(reader, table, "objective", "promise a share of good events: `objective: 99.9%`")?;
    let objective = reader.exact(entry, Unit::Percent, "write the share of good events in percent: `99.9%`")?;
    if Fraction::ZERO < objective && objective < Fraction::ONE {
        return Some(objective);
    }
    let (message, help) = if objective == Fraction::ZERO {
        ("an objective of 0% promises nothing", "write the share of good events: `99.9%`")
    } else {
        ("an objective of 100% or more leaves no error budget", "leave something to fail: `99.99%`")
    };
    reader.error(entry.node.spot, "impossible_objective", message.to_owned(), help);
    None
}

/// Longest settle: a budget that is known an hour late stops nobody.
const MAX_SETTLE: Duration = Duration::from_hours(1);

fn settle(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<Duration> {
    let settle = reader.duration(entry)?;
    if settle > MAX_SETTLE {
        let message = "`settle` is over 1h".to_owned();
        reader.error(entry.node.spot, "out_of_range", message, "as long as samples need to arrive: `1m`");
    }
    Some(settle.min(MAX_SETTLE))
}

fn strata(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<Vec<String>> {
    let RawValue::List(nodes) = &entry.node.value else {
        let message = "`strata` is a list of labels".to_owned();
        reader.error(entry.node.spot, "wrong_type", message, "write `strata: [region]`");
        return None;
    };
    if nodes.len() > MAX_STRATA {
        let message = format!("there are {} labels of strata, the limit is {MAX_STRATA}", nodes.len());
        reader.error(entry.node.spot, "too_many", message, "name those whose values have other traffic: `[region]`");
        return None;
    }
    let strata = cohorts::labels(reader, entry, nodes)?;
    for (at, label) in strata.iter().enumerate() {
        if strata[..at].contains(label) {
            reader.error(nodes[at].spot, "duplicate_name", format!("`{label}` stands twice"), "keep one");
        }
    }
    Some(strata)
}

/// What kept slices are counted by: whatever changes it makes them slices of something else.
fn counted_by(source: Option<&str>, indicator: &Indicator, slice: Duration) -> Digest {
    // Names have no line breaks, and those in the values of labels are escaped.
    let indicator = match indicator {
        Indicator::Bad { bad, total } => format!("bad {}\ntotal {}", bad.canonical(), total.canonical()),
        Indicator::Good { good, total } => format!("good {}\ntotal {}", good.canonical(), total.canonical()),
        Indicator::Latency { histogram, threshold } => {
            format!("histogram {}\nthreshold {threshold}", histogram.canonical())
        }
        Indicator::Up { gauge } => format!("up {}", gauge.canonical()),
    };
    let (source, slice) = (source.unwrap_or_default(), slice.as_millis());
    Digest::of(format!("source {source}\n{indicator}\nslice {slice}\n").as_bytes())
}
