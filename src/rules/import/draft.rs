//! The rule file that comes of another tool's: written as text, and read again.

use crate::rules::import::Imported;
use crate::rules::import::Missing;
use crate::rules::import::template::Pair;
use crate::rules::parse;
use crate::rules::units::duration_text;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

/// A rule file in the making.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// What it comes from: the first line of the file says so.
    pub(super) origin: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    /// Remarks on the whole.
    pub(super) remarks: Vec<String>,
    pub(super) schedule: Option<Times>,
    /// Parameters with their defaults.
    pub(super) params: BTreeMap<String, Option<String>>,
    pub(super) checks: Vec<DraftCheck>,
    pub(super) missing: Vec<Missing>,
}

/// When looks happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) interval: Duration,
    pub(super) warmup: Duration,
    pub(super) min_duration: Duration,
    pub(super) deadline: Duration,
}

/// One check in the making.
#[derive(Debug, Default)]
pub(super) struct DraftCheck {
    /// Where it stands in the other file.
    pub(super) place: String,
    pub(super) name: String,
    /// Keys with their values as YAML, in order.
    pub(super) keys: Vec<(&'static str, String)>,
    pub(super) cohorts: Pair,
    /// What a reader should know, above the check.
    pub(super) remarks: Vec<String>,
    /// Parameters that its query uses.
    pub(super) params: BTreeSet<String>,
}

/// A check beside the one that is tried: a file whose only check is reported is refused.
const COUNTED: &str = "counted-beside-it";

/// Widest line of a comment.
const WIDTH: usize = 92;

/// Longest name, in bytes, as rule files have it.
pub(super) const NAME: usize = 64;

/// Longest description, in bytes, as rule files have it.
pub(super) const DESCRIPTION: usize = 4096;

impl Draft {
    /// Something that has no equal here.
    pub(super) fn lacks(&mut self, place: &str, what: impl Into<String>) {
        self.missing.push(Missing { place: place.to_owned(), what: what.into() });
    }

    /// The file and what is missing in it.
    ///
    /// # Errors
    /// In words: not one check could be made.
    pub(super) fn write(mut self) -> Result<Imported, String> {
        self.name = name(&self.name);
        self.distinct_names();
        if self.description.as_ref().is_some_and(|description| DESCRIPTION < description.len()) {
            self.description = None;
            self.lacks("description", format!("it is longer than the {DESCRIPTION} bytes of a rule file's"));
        }
        let refused: Vec<Option<String>> = self.checks.iter().map(|check| self.refusal(check)).collect();
        if self.checks.is_empty() && self.missing.is_empty() {
            return Err("it has no metrics, so there is nothing to judge".to_owned());
        }
        if refused.iter().all(Option::is_some) {
            let why = self.missing.iter().map(|missing| format!("{}: {}", missing.place, missing.what));
            let own = self
                .checks
                .iter()
                .zip(&refused)
                .filter_map(|(check, why)| Some(format!("{}: {}", check.place, why.as_ref()?)));
            let why: Vec<String> = why.chain(own).take(5).collect();
            return Err(format!("nothing in it can be judged ({})", why.join("; ")));
        }
        let kept = self.checks.iter().zip(&refused).filter(|(_, why)| why.is_none()).map(|(check, _)| check);
        let kept: Vec<&DraftCheck> = kept.collect();
        let common = common_cohorts(&kept);
        let mut text = self.head(&kept, &common);
        for (check, why) in self.checks.iter().zip(&refused) {
            match why {
                None => text.push_str(&check.text(&common)),
                Some(why) => {
                    comment(&mut text, "  ", &format!("{}: {why}. It was:", check.name));
                    for line in check.text(&common).lines() {
                        let _ = writeln!(text, "  #{}", line.trim_end());
                    }
                }
            }
        }
        let lost = self.checks.iter().zip(refused).filter_map(|(check, why)| {
            Some(Missing { place: check.place.clone(), what: format!("{}; it stands in a comment", why?) })
        });
        self.missing.extend(lost);
        // Each check is fit for a file, and together they may still be too many.
        if let Some(fault) = parse("imported", &text).err().and_then(|faults| faults.into_iter().next()) {
            return Err(format!("as one rule file it is refused: {}; split it", fault.message));
        }
        Ok(Imported { text, missing: self.missing })
    }

    fn distinct_names(&mut self) {
        let mut taken = BTreeSet::new();
        for check in &mut self.checks {
            let plain = name(&check.name);
            let mut own = plain.clone();
            let mut count = 2;
            while !taken.insert(own.clone()) {
                own = format!("{}-{count}", &plain[..plain.len().min(NAME - 6)]);
                count += 1;
            }
            check.name = own;
        }
    }

    /// Why our own parser would not take `check`, in a file where another one counts.
    fn refusal(&self, check: &DraftCheck) -> Option<String> {
        if check.cohorts.canary.is_empty() {
            return Some("nothing in its query says whose series it is about".to_owned());
        }
        let head = self.head(&[check], &check.cohorts);
        let text = format!("{head}{}  - {{ name: {COUNTED}, threshold: up, max: 1 }}\n", check.text(&check.cohorts));
        parse("imported", &text).err().and_then(|faults| faults.into_iter().next()).map(|fault| fault.message)
    }

    fn head(&self, kept: &[&DraftCheck], common: &Pair) -> String {
        let mut text = String::new();
        comment(&mut text, "", &self.origin);
        for remark in &self.remarks {
            comment(&mut text, "", remark);
        }
        let _ = writeln!(text, "version: 1\nname: {}", self.name);
        if let Some(description) = &self.description {
            let _ = writeln!(text, "description: {}", quoted(description));
        }
        let baseline = if common.baseline.is_empty() { "none".to_owned() } else { quoted(&common.baseline) };
        let _ = writeln!(text, "\ncohorts:\n  canary: {}\n  baseline: {baseline}", quoted(&common.canary));
        if let Some(times) = self.schedule {
            let Times { interval, warmup, min_duration, deadline } = times;
            let [interval, warmup, min_duration, deadline] =
                [interval, warmup, min_duration, deadline].map(duration_text);
            let _ = writeln!(
                text,
                "schedule: {{ interval: {interval}, warmup: {warmup}, min_duration: {min_duration}, deadline: {deadline} }}"
            );
        }
        let used: BTreeSet<&String> = kept.iter().flat_map(|check| &check.params).collect();
        if !used.is_empty() {
            let param = |name: &&String| match self.params.get(*name).and_then(Option::as_ref) {
                Some(default) => format!("{name}: {}", quoted(default)),
                None => format!("{name}: {{}}"),
            };
            let params: Vec<String> = used.iter().map(param).collect();
            let _ = writeln!(text, "params: {{ {} }}", params.join(", "));
        }
        text.push_str("\nchecks:\n");
        text
    }
}

/// What most checks name their instances by; of those with a wave id in it, if there are any.
fn common_cohorts(checks: &[&DraftCheck]) -> Pair {
    let mut counts: Vec<(usize, &Pair)> = Vec::new();
    for check in checks {
        match counts.iter_mut().find(|(_, pair)| *pair == &check.cohorts) {
            Some((count, _)) => *count += 1,
            None => counts.push((1, &check.cohorts)),
        }
    }
    let rank = |(count, pair): &(usize, &Pair)| (pair.canary.contains("$wave"), *count);
    // The first of the most frequent.
    let best = counts.iter().map(rank).max();
    counts.iter().find(|counted| Some(rank(counted)) == best).map(|(_, pair)| (*pair).clone()).unwrap_or_default()
}

impl DraftCheck {
    fn text(&self, common: &Pair) -> String {
        let mut text = String::new();
        for remark in &self.remarks {
            comment(&mut text, "  ", remark);
        }
        let _ = writeln!(text, "  - name: {}", self.name);
        for (key, value) in &self.keys {
            let _ = writeln!(text, "    {key}: {value}");
        }
        if &self.cohorts != common {
            let canary = quoted(&self.cohorts.canary);
            let baseline = &self.cohorts.baseline;
            let baseline =
                if baseline.is_empty() { String::new() } else { format!(", baseline: {}", quoted(baseline)) };
            let _ = writeln!(text, "    match: {{ canary: {canary}{baseline} }}");
        }
        text
    }
}

/// `text` in single quotes; control characters, which YAML would not take, as spaces.
pub(super) fn quoted(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("'{}'", plain.replace('\'', "''"))
}

/// A comment of as many lines as it takes; one line where it begins with two spaces.
pub(super) fn comment(text: &mut String, indent: &str, remark: &str) {
    // Indented, it is a piece of a rule file, to be copied.
    if remark.starts_with("  ") {
        let _ = writeln!(text, "{indent}# {remark}");
        return;
    }
    let mut line = String::new();
    for word in remark.split_whitespace() {
        if !line.is_empty() && WIDTH < indent.len() + 2 + line.chars().count() + 1 + word.chars().count() {
            let _ = writeln!(text, "{indent}# {line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        let _ = writeln!(text, "{indent}# {line}");
    }
}

/// `text` as a name of the grammar of rule files.
pub(super) fn name(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let name: String = text.chars().map(plain).take(NAME).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).trim_end_matches('-');
    if name.is_empty() { "imported".to_owned() } else { name.to_owned() }
}
