//! Typed reading of a YAML tree: every question notes what is wrong with the
//! answer and goes on, so that all faults of a file are found in one pass.

use crate::rules::base;
use crate::rules::diagnostic::Diagnostic;
use crate::rules::diagnostic::Severity;
use crate::rules::diagnostic::Spot;
use crate::rules::keys;
use crate::rules::keys::Key;
use crate::rules::nearest::nearest;
use crate::rules::place;
use crate::rules::place::Place;
use crate::rules::query::QueryFault;
use crate::rules::units;
use crate::rules::yaml::RawNode;
use crate::rules::yaml::RawValue;
use crate::series::Fraction;
use std::ops::Range;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Most diagnostics of one file: nobody reads the hundredth.
const MAX_FOUND: usize = 100;

/// Most diagnostics of one severity that are noted before they are put in order. A hostile
/// file has a fault a node, and the nearest of the known keys is sought for each.
const MAX_NOTED: usize = 1000;

/// Notes what is wrong.
pub(super) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    /// The name and the text of what the file extends.
    base: Option<(String, &'a str)>,
    found: Vec<Diagnostic>,
    /// Names of the variables that a wave may set.
    params: Vec<String>,
    /// How many of each severity.
    noted: [usize; 2],
}

/// A mapping whose keys are known, each at most once.
pub(super) struct Table<'n> {
    /// Where the mapping begins.
    pub(super) spot: Spot,
    entries: Vec<Entry<'n>>,
}

/// A key with its value.
#[derive(Clone, Copy)]
pub(super) struct Entry<'n> {
    pub(super) key: &'n str,
    pub(super) key_spot: Spot,
    pub(super) node: &'n RawNode,
}

impl<'n> Table<'n> {
    /// One that is not written, at whose place stands `spot`.
    pub(super) fn empty(spot: Spot) -> Self {
        Self { spot, entries: Vec::new() }
    }

    /// The value of `key`.
    pub(super) fn get(&self, key: &str) -> Option<Entry<'n>> {
        self.entries.iter().find(|entry| entry.key == key).copied()
    }

    /// Every key, in the order of the file.
    pub(super) fn entries(&self) -> &[Entry<'n>] {
        &self.entries
    }
}

impl<'a> Reader<'a> {
    /// Of a file, and of the name and text of what it extends.
    pub(super) fn new(file: &'a str, text: &'a str, base: Option<(&str, &'a str)>) -> Self {
        let base = base.map(|(name, text)| (base::beside(file, name), text));
        Self { file, text, base, found: Vec::new(), params: Vec::new(), noted: [0; 2] }
    }

    /// Queries and matchers read from now on may hold `params`.
    pub(super) fn declare(&mut self, params: Vec<String>) {
        self.params = params;
    }

    /// The variables that a wave may set.
    pub(super) fn params(&self) -> &[String] {
        &self.params
    }

    /// What was found, in the order of the file, nothing twice.
    pub(super) fn finish(self) -> Vec<Diagnostic> {
        let mut found = self.found;
        // An anchored value is read at each of its uses; its fault is one.
        let key = |d: &Diagnostic| (d.file != self.file, d.line, d.column, d.code, d.message.clone());
        found.sort_by_key(key);
        found.dedup_by_key(|d| key(d));
        // Errors are what refuses the file: warnings may not push them out.
        if found.iter().filter(|d| d.severity == Severity::Error).count() > 0 && found.len() > MAX_FOUND {
            found.retain(|d| d.severity == Severity::Error);
        }
        found.truncate(MAX_FOUND);
        found
    }

    pub(super) fn error(&mut self, spot: Spot, code: &'static str, message: String, help: impl Into<String>) {
        self.note(Severity::Error, spot, code, message, help.into());
    }

    pub(super) fn warning(&mut self, spot: Spot, code: &'static str, message: String, help: impl Into<String>) {
        self.note(Severity::Warning, spot, code, message, help.into());
    }

    fn note(&mut self, severity: Severity, spot: Spot, code: &'static str, message: String, help: String) {
        if self.is_full(severity) {
            return;
        }
        self.noted[severity as usize] += 1;
        let Spot { line, column, width, .. } = spot;
        let base = self.base.as_ref().filter(|_| spot.base);
        let file = base.map_or(self.file, |(name, _)| name).to_owned();
        self.found.push(Diagnostic { file, line, column, width, code, message, help, severity });
    }

    /// How many faults were found that refuse the file.
    pub(super) fn errors(&self) -> usize {
        self.noted[Severity::Error as usize]
    }

    fn is_full(&self, severity: Severity) -> bool {
        self.noted[severity as usize] >= MAX_NOTED
    }

    /// Notes the faults of the query that `node` holds, inside of it where that can be followed.
    pub(super) fn query_faults(&mut self, node: &RawNode, query: &str, faults: Vec<QueryFault>) {
        for fault in faults {
            let spot = self.spot_within(node, query, &fault.at);
            self.error(spot, fault.code, fault.message, fault.help);
        }
    }

    /// Where the bytes `at` of the query stand that `node` holds; the whole node where `at`
    /// is empty or cannot be found.
    pub(super) fn spot_within(&self, node: &RawNode, query: &str, at: &Range<usize>) -> Spot {
        let text = self.base.as_ref().filter(|_| node.spot.base).map_or(self.text, |(_, text)| text);
        let written = node.spot.byte.and_then(|byte| text.get(byte..)).filter(|_| !at.is_empty());
        let Some(Place { lines, before, width }) = written.and_then(|text| place::within(text, query, at)) else {
            return node.spot;
        };
        let column = before + if lines == 0 { node.spot.column } else { 1 };
        Spot { line: node.spot.line + lines, column, width, byte: None, ..node.spot }
    }

    /// The mapping of `node`, which is `what`, with `known` keys.
    pub(super) fn table<'n>(&mut self, node: &'n RawNode, what: &str, known: &[Key]) -> Option<Table<'n>> {
        self.table_of(node, what, &keys::names(known))
    }

    /// As [`Reader::table`], of a mapping that no schema describes.
    pub(super) fn table_of<'n>(&mut self, node: &'n RawNode, what: &str, known: &[&str]) -> Option<Table<'n>> {
        let RawValue::Table(pairs) = &node.value else {
            let message = format!("{what} is a mapping, not {}", kind_of(&node.value));
            self.error(node.spot, "wrong_type", message, format!("its keys are {}", listed(known)));
            return None;
        };
        let mut entries: Vec<Entry<'n>> = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let RawValue::Text(name) = &key.value else {
                let message = format!("a key is text, not {}", kind_of(&key.value));
                self.error(key.spot, "unknown_key", message, format!("the keys of {what} are {}", listed(known)));
                continue;
            };
            let entry = Entry { key: name, key_spot: key.spot, node: value };
            if self.is_repeated(&entries, entry) {
                continue;
            }
            if known.contains(&name.as_str()) {
                entries.push(entry);
            } else {
                self.unknown_key(entry, what, known);
            }
        }
        Some(Table { spot: node.spot, entries })
    }

    /// The mapping of `node`, which is `what`, whose keys are names of the file's own.
    pub(super) fn free_table<'n>(&mut self, node: &'n RawNode, what: &str) -> Option<Table<'n>> {
        let RawValue::Table(pairs) = &node.value else {
            let message = format!("{what} is a mapping, not {}", kind_of(&node.value));
            self.error(node.spot, "wrong_type", message, "its keys are names");
            return None;
        };
        let mut entries: Vec<Entry<'n>> = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let RawValue::Text(name) = &key.value else {
                let message = format!("a name is text, not {}", kind_of(&key.value));
                self.error(key.spot, "wrong_type", message, "put it in quotes");
                continue;
            };
            let entry = Entry { key: name, key_spot: key.spot, node: value };
            if !self.is_repeated(&entries, entry) {
                entries.push(entry);
            }
        }
        Some(Table { spot: node.spot, entries })
    }

    fn is_repeated(&mut self, before: &[Entry<'_>], entry: Entry<'_>) -> bool {
        let Some(first) = before.iter().find(|first| first.key == entry.key) else { return false };
        let message = format!("{} stands twice", quote(entry.key));
        let help = format!("it stands in line {} already: keep one", first.key_spot.line);
        self.error(entry.key_spot, "duplicate_key", message, help);
        true
    }

    fn unknown_key(&mut self, entry: Entry<'_>, what: &str, known: &[&str]) {
        if self.is_full(Severity::Error) {
            return;
        }
        if entry.key == "<<" {
            let help = "repeat the keys, or use an anchor for a whole value: `schedule: *usual`";
            self.error(entry.key_spot, "merge_key", "merge keys are not read".to_owned(), help);
            return;
        }
        let help = match nearest(entry.key, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the keys of {what} are {}", listed(known)),
        };
        let message = format!("{} is not a key of {what}", quote(entry.key));
        self.error(entry.key_spot, "unknown_key", message, help);
    }

    /// Text of 1 to `most` bytes.
    pub(super) fn text<'n>(&mut self, entry: Entry<'n>, most: usize) -> Option<&'n str> {
        let RawValue::Text(text) = &entry.node.value else {
            let message = format!("`{}` is text, not {}", entry.key, kind_of(&entry.node.value));
            self.error(entry.node.spot, "wrong_type", message, "write text; put it in quotes");
            return None;
        };
        if text.is_empty() || text.len() > most {
            let message = format!("`{}` has {} bytes, not 1 to {most}", entry.key, text.len());
            self.error(entry.node.spot, "bad_length", message, "make it shorter, or take the key away");
            return None;
        }
        Some(text)
    }

    /// A finite number.
    pub(super) fn number(&mut self, entry: Entry<'_>, help: &str) -> Option<f64> {
        if let RawValue::Number(number) = entry.node.value {
            return Some(number);
        }
        let message = format!("`{}` is a number, not {}", entry.key, described(&entry.node.value));
        self.error(entry.node.spot, "wrong_type", message, help);
        None
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, entry: Entry<'_>) -> Option<bool> {
        if let RawValue::Bool(flag) = entry.node.value {
            return Some(flag);
        }
        let message = format!("`{}` is true or false, not {}", entry.key, described(&entry.node.value));
        self.error(entry.node.spot, "wrong_type", message, "write `true` or `false`, without quotes");
        None
    }

    /// One of `words`.
    pub(super) fn word<T: Copy>(&mut self, entry: Entry<'_>, words: &[(&str, T)]) -> Option<T> {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let RawValue::Text(text) = &entry.node.value else {
            let message = format!("`{}` is a word, not {}", entry.key, kind_of(&entry.node.value));
            self.error(entry.node.spot, "wrong_type", message, format!("write {}", one_of(&known)));
            return None;
        };
        let found = words.iter().find(|(word, _)| word == text).map(|(_, value)| *value);
        if found.is_none() {
            let help = match nearest(text, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write {}", one_of(&known)),
            };
            self.error(entry.node.spot, "unknown_word", format!("`{}` cannot be {}", entry.key, quote(text)), help);
        }
        found
    }

    /// A duration like `15s`.
    pub(super) fn duration(&mut self, entry: Entry<'_>) -> Option<Duration> {
        let value = &entry.node.value;
        if let RawValue::Text(text) = value
            && let Some(span) = units::duration(text)
        {
            return Some(span);
        }
        let (message, help) = if let RawValue::Number(number) = value {
            (format!("`{}: {number}` has no unit", entry.key), format!("write `{number}s` for seconds"))
        } else {
            let help = "write a duration like `15s`, `10m` or `1h30m`".to_owned();
            (format!("`{}` is a duration, not {}", entry.key, described(value)), help)
        };
        self.error(entry.node.spot, "wrong_unit", message, help);
        None
    }

    /// Events a second, written in the time that suits them; `help` gives an example.
    pub(super) fn rate(&mut self, entry: Entry<'_>, help: &str) -> Option<f64> {
        let read = if let RawValue::Text(text) = &entry.node.value { units::rate(text) } else { None };
        if read.is_none() {
            let message = format!("`{}: {}` is not a rate", entry.key, bare(&entry.node.value));
            self.error(entry.node.spot, "wrong_unit", message, format!("{help}; the times are `s`, `m` and `h`"));
        }
        read
    }

    /// A number with `unit` behind it; `help` says what the unit is and gives an example.
    pub(super) fn quantity(&mut self, entry: Entry<'_>, unit: units::Unit, help: &str) -> Option<f64> {
        let read = if let RawValue::Text(text) = &entry.node.value { units::quantity(text, unit) } else { None };
        if read.is_none() {
            let message = format!("`{}: {}` is not {}", entry.key, bare(&entry.node.value), unit.noun());
            self.error(entry.node.spot, "wrong_unit", message, help);
        }
        read
    }

    /// A decimal number with `unit` behind it, a percentage or a factor, kept exactly.
    pub(super) fn exact(&mut self, entry: Entry<'_>, unit: units::Unit, help: &str) -> Option<Fraction> {
        let text = if let RawValue::Text(text) = &entry.node.value { text.as_str() } else { "" };
        let number = text.strip_suffix(unit.suffix()).unwrap_or_default();
        let read = if unit == units::Unit::Percent { Fraction::percent(number) } else { Fraction::decimal(number) };
        if read.is_some() {
            return read;
        }
        let is_number = number.split('.').count() <= 2 && number.split('.').all(|part| !part.is_empty());
        if is_number && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            let message = format!("`{}: {}` has more digits than are kept exactly", entry.key, bare(&entry.node.value));
            self.error(entry.node.spot, "too_many_digits", message, "write at most 15 digits");
        } else {
            let message = format!("`{}: {}` is not {}", entry.key, bare(&entry.node.value), unit.noun());
            self.error(entry.node.spot, "wrong_unit", message, help);
        }
        None
    }

    /// A whole number in `range`; `help` says of what.
    pub(super) fn whole(&mut self, entry: Entry<'_>, range: RangeInclusive<u32>, help: &str) -> Option<u32> {
        let number = self.number(entry, help)?;
        // A whole number is written without a point.
        let whole = number.to_string().parse().ok().filter(|whole| range.contains(whole));
        if whole.is_none() {
            let (least, most) = range.into_inner();
            let message = format!("`{}: {number}` is not a whole number from {least} to {most}", entry.key);
            self.error(entry.node.spot, "out_of_range", message, help);
        }
        whole
    }

    /// Notes what was found in another text, under the name that it has there.
    pub(super) fn adopt(&mut self, faults: Vec<Diagnostic>) {
        for fault in faults {
            self.noted[fault.severity as usize] += 1;
            self.found.push(fault);
        }
    }
}

/// `a`, `b` and `c`.
pub(super) fn listed(words: &[&str]) -> String {
    joined(words, "and")
}

/// `a`, `b` or `c`.
pub(super) fn one_of(words: &[&str]) -> String {
    joined(words, "or")
}

fn joined(words: &[&str], last_joint: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {last_joint} {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    }
}

/// A text of the file for a message: cut, in backticks.
pub(super) fn quote(text: &str) -> String {
    let mut cut: String = text.chars().take(60).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    format!("`{cut}`")
}

fn kind_of(value: &RawValue) -> &'static str {
    match value {
        RawValue::Null => "nothing",
        RawValue::Bool(_) => "true or false",
        RawValue::Number(_) => "a number",
        RawValue::Text(_) => "text",
        RawValue::List(_) => "a list",
        RawValue::Table(_) => "a mapping",
    }
}

fn described(value: &RawValue) -> String {
    if let RawValue::Text(text) = value { quote(text) } else { kind_of(value).to_owned() }
}

fn bare(value: &RawValue) -> String {
    match value {
        RawValue::Text(text) => quote(text).trim_matches('`').to_owned(),
        RawValue::Number(number) => number.to_string(),
        RawValue::Bool(flag) => flag.to_string(),
        RawValue::Null => String::new(),
        RawValue::List(_) => "[…]".to_owned(),
        RawValue::Table(_) => "{…}".to_owned(),
    }
}
