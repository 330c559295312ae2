//! SLO files that come of another tool's: written as text, and read again.

use crate::rules::Tier;
use crate::rules::TierSeverity;
use crate::rules::duration_text;
use crate::rules::import::ImportedSlo;
use crate::rules::import::ImportedSlos;
use crate::rules::import::Missing;
use crate::rules::import::draft::DESCRIPTION;
use crate::rules::import::draft::NAME;
use crate::rules::import::draft::comment;
use crate::rules::import::draft::name;
use crate::rules::import::draft::quoted;
use crate::rules::parse_slo;
use crate::rules::query::counts::Counters;
use crate::rules::query::counts::Said;
use crate::rules::slo::usual_tiers;
use crate::rules::units::decimal_text;
use crate::series::Fraction;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

/// The SLO files of one file of another tool.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    /// What they come from: the first line of each says so.
    pub(super) origin: String,
    pub(super) slos: Vec<SloDraft>,
    pub(super) missing: Vec<Missing>,
}

/// An SLO file in the making.
#[derive(Debug)]
pub(super) struct SloDraft {
    /// Where it stands in the other file.
    pub(super) place: String,
    pub(super) name: String,
    pub(super) service: Option<String>,
    pub(super) description: Option<String>,
    /// In percent, without the sign.
    pub(super) objective: String,
    /// As an SLO file has it.
    pub(super) period: String,
    pub(super) counters: Counters,
    /// As an SLO file has it; `None` where each event counts.
    pub(super) budgeting: Option<String>,
    /// What is kept, where it is not [`SLICE`].
    pub(super) slice: Option<Duration>,
    /// `None` leaves them to the period.
    pub(super) tiers: Option<Vec<DraftTier>>,
    pub(super) strata: Vec<String>,
    /// What a reader should know, above everything else.
    pub(super) remarks: Vec<String>,
}

/// A pair of windows in the making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DraftTier {
    pub(super) name: String,
    /// `page` or `ticket`.
    pub(super) severity: &'static str,
    pub(super) long: Duration,
    pub(super) short: Duration,
    /// `budget: 2%` or `factor: 14x`.
    pub(super) level: String,
}

/// Most SLO files of one: a file of another tool holds those of a service, a dozen at most.
const SLOS: usize = 128;

/// Most reasons that are given where nothing is left.
const REASONS: usize = 5;

impl Drafts {
    /// Something that has no equal here; said once, though several objectives share it.
    pub(super) fn lacks(&mut self, place: &str, what: impl Into<String>) {
        let missing = Missing { place: place.to_owned(), what: what.into() };
        if !self.missing.contains(&missing) {
            self.missing.push(missing);
        }
    }

    /// What a query said that its counters do not.
    pub(super) fn lacks_of_query(&mut self, place: &str, said: &Said) {
        // A selector names the bound of its bucket, so it has one.
        let labels: Vec<&str> = said.grouped.iter().map(String::as_str).filter(|label| *label != "le").collect();
        if !labels.is_empty() {
            let labels = labels.join(", ");
            self.lacks(
                place,
                format!("it keeps {labels} apart, and here all series are one; `strata` compares by labels"),
            );
        }
        for range in &said.fixed {
            let range = duration_text(*range);
            self.lacks(
                place,
                format!("its range of {range} is not kept: every window is counted from the same samples"),
            );
        }
    }

    /// The files and what is missing in them.
    ///
    /// # Errors
    /// In words: not one SLO could be made.
    pub(super) fn write(mut self) -> Result<ImportedSlos, String> {
        if SLOS < self.slos.len() {
            return Err(format!("it holds {} SLOs, the limit is {SLOS}; split it", self.slos.len()));
        }
        let mut taken = BTreeSet::new();
        let mut slos = Vec::new();
        for mut draft in std::mem::take(&mut self.slos) {
            if draft.description.as_ref().is_some_and(|description| DESCRIPTION < description.len()) {
                draft.description = None;
                self.lacks(&draft.place, format!("its description is longer than the {DESCRIPTION} bytes of ours"));
            }
            let own = distinct(&name(&draft.name), &mut taken);
            if own != draft.name {
                self.lacks(&draft.place, format!("its name is {}, which is `{own}` here", quoted(&draft.name)));
            }
            let text = draft.text(&self.origin, &own);
            match parse_slo("imported", &text) {
                Ok(parsed) => {
                    for warning in parsed.warnings {
                        self.lacks(&draft.place, format!("{}; {}", warning.message, warning.help));
                    }
                    slos.push(ImportedSlo { name: own, text });
                }
                Err(faults) => {
                    let why = faults.into_iter().next().map(|fault| fault.message).unwrap_or_default();
                    self.lacks(&draft.place, format!("as an SLO file it is refused: {why}"));
                }
            }
        }
        if slos.is_empty() {
            let why = self.missing.iter().map(|missing| format!("{}: {}", missing.place, missing.what));
            let why: Vec<String> = why.take(REASONS).collect();
            let why = if why.is_empty() { "it has none".to_owned() } else { why.join("; ") };
            return Err(format!("no SLO comes of it ({why})"));
        }
        Ok(ImportedSlos { slos, missing: self.missing })
    }
}

fn distinct(plain: &str, taken: &mut BTreeSet<String>) -> String {
    let mut own = plain.to_owned();
    let mut count = 2;
    while !taken.insert(own.clone()) {
        own = format!("{}-{count}", &plain[..plain.len().min(NAME - 4)]);
        count += 1;
    }
    own
}

impl SloDraft {
    fn text(&self, origin: &str, name: &str) -> String {
        let mut text = String::new();
        comment(&mut text, "", origin);
        for remark in &self.remarks {
            comment(&mut text, "", remark);
        }
        let _ = writeln!(text, "version: 1\nname: {}", quoted(name));
        if let Some(service) = &self.service {
            let _ = writeln!(text, "service: {}", quoted(service));
        }
        if let Some(description) = self.description.as_ref().filter(|description| !description.trim().is_empty()) {
            let _ = writeln!(text, "description: {}", quoted(description.trim()));
        }
        let _ = writeln!(text, "objective: {}%\nperiod: {}", self.objective, self.period);
        text.push_str("indicator:\n");
        let _ = match &self.counters {
            Counters::Bad { bad, total } => {
                writeln!(text, "  ratio:\n    bad: {}\n    total: {}", quoted(bad), quoted(total))
            }
            Counters::Good { good, total } => {
                writeln!(text, "  ratio:\n    good: {}\n    total: {}", quoted(good), quoted(total))
            }
            Counters::Latency { histogram, threshold } => {
                writeln!(text, "  latency:\n    histogram: {}\n    threshold: {threshold}", quoted(histogram))
            }
            Counters::Up { gauge } => writeln!(text, "  up: {}", quoted(gauge)),
        };
        if let Some(budgeting) = &self.budgeting {
            let _ = writeln!(text, "budgeting: {budgeting}");
        }
        if let Some(slice) = self.slice {
            let _ = writeln!(text, "slice: {}", duration_text(slice));
        }
        self.write_tiers(&mut text);
        if !self.strata.is_empty() {
            let labels: Vec<String> = self.strata.iter().map(|label| quoted(label)).collect();
            let _ = writeln!(text, "strata: [{}]", labels.join(", "));
        }
        text
    }

    fn write_tiers(&self, text: &mut String) {
        let Some(tiers) = &self.tiers else { return };
        if tiers.is_empty() {
            text.push_str("burn:\n  tiers: []\n");
            return;
        }
        text.push_str("burn:\n  tiers:\n");
        for DraftTier { name, severity, long, short, level } in tiers {
            let (long, short) = (duration_text(*long), duration_text(*short));
            let _ =
                writeln!(text, "    - {{ name: {name}, severity: {severity}, long: {long}, short: {short}, {level} }}");
        }
    }
}

/// The pairs of windows that are usual, by shares of the budget of `period`.
pub(super) fn usual(period: Duration) -> Vec<DraftTier> {
    let tier = |tier: Tier| {
        let share = tier.factor.times(Fraction::new(100 * tier.long.as_millis(), period.as_millis())?)?;
        let severity = if tier.severity == TierSeverity::Page { "page" } else { "ticket" };
        let level = format!("budget: {}%", decimal_text(share)?);
        Some(DraftTier { name: tier.name, severity, long: tier.long, short: tier.short, level })
    };
    usual_tiers(period).into_iter().filter_map(tier).collect()
}

/// `text`, a share of 1, in percent, digit by digit.
pub(super) fn percent_of_share(text: &str) -> Option<String> {
    Fraction::decimal(text)?;
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = format!("{part:0<2}");
    let (more, rest) = part.split_at(2);
    let whole = format!("{whole}{more}");
    let whole = whole.trim_start_matches('0');
    let rest = rest.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if rest.is_empty() { whole.to_owned() } else { format!("{whole}.{rest}") })
}

/// `percent` as an objective, which leaves something to fail.
///
/// # Errors
/// In words: it is none.
pub(super) fn objective(percent: &str) -> Result<String, String> {
    let read =
        Fraction::percent(percent.trim()).ok_or_else(|| format!("its objective {} is no decimal", quoted(percent)))?;
    if read >= Fraction::ONE {
        return Err(format!("an objective of {percent} % leaves no error budget"));
    }
    if read == Fraction::ZERO {
        return Err("an objective of 0 % promises nothing".to_owned());
    }
    Ok(percent.trim().to_owned())
}

/// The least that a window can be: that of the slices that are kept by default.
pub(super) const SLICE: Duration = Duration::from_mins(1);

/// Whether `name` can be a label.
pub(super) fn is_label(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage_digit_by_digit() {
        for (share, percent) in
            [("0.999", "99.9"), ("0.99995", "99.995"), ("0.9", "90"), ("0", "0"), ("1", "100"), ("0.05", "5")]
        {
            assert_eq!(percent_of_share(share).as_deref(), Some(percent));
        }
        assert_eq!(percent_of_share("-0.1"), None);
    }

    #[test]
    fn an_objective_leaves_something_to_fail() {
        assert_eq!(objective("99.95"), Ok("99.95".to_owned()));
        for (text, why) in
            [("100", "no error budget"), ("0", "promises nothing"), ("99,9", "no decimal"), ("", "no decimal")]
        {
            assert!(objective(text).expect_err("refused").contains(why));
        }
    }

    #[test]
    fn names_that_are_cut_stay_distinct() {
        let mut taken = BTreeSet::new();
        let long = "a".repeat(NAME);
        assert_eq!(distinct(&long, &mut taken), long);
        assert_eq!(distinct(&long, &mut taken), format!("{}-2", "a".repeat(NAME - 4)));
    }
}
