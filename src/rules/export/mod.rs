//! SLO files of ours as recording and alert rules of Prometheus.
//!
//! For who wants their alerts in Prometheus too: the same promise, windows and factors. What
//! waves spend and what holds them is not in them; the daemon alone knows waves.
//!
//! ```text
//! counts  what is counted in a window, as PromQL
//! rules   what is recorded, and when somebody is told
//! text    YAML, templates and numbers
//! ```

mod counts;
mod rules;
mod text;

use crate::rules::Budgeting;
use crate::rules::Period;
use crate::rules::Slo;
use crate::rules::duration_text;
use crate::rules::export::rules::Group;
use crate::rules::export::rules::groups;
use crate::rules::export::text::commented;
use crate::rules::export::text::yaml;
use crate::rules::import::Missing;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What came of SLO files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// A rule file of Prometheus.
    pub text: String,
    /// What rules of Prometheus cannot say.
    pub missing: Vec<Missing>,
}

const HEAD: &str = "\
# Made by `wavegate export`: write over it, not into it. Load it into the Prometheus that
# the SLOs are asked of. Counts are summed from windows of 5m, so samples must come at least
# every two minutes, and what is said of a period grows from the day that these rules run.
# What waves spend, and what holds them, only the daemon knows.
";

/// The rules that say what `slos` promise.
///
/// # Errors
/// In words: two have one name, or none can be said.
pub fn prometheus(slos: &[Slo]) -> Result<Exported, String> {
    let mut names = BTreeSet::new();
    let mut missing = Vec::new();
    let mut text = format!("{HEAD}groups:\n");
    let mut count = 0;
    for slo in slos {
        let name = slo.name.as_str();
        if !names.insert(name) {
            return Err(format!("two SLOs are named `{name}`: rename one"));
        }
        let place = format!("SLO {name}");
        if slo.budgeting != Budgeting::Occurrences {
            let what = "it is left out: its budget is counted in time slices, and rules count events";
            commented(&mut text, &format!("{place}: {what}."));
            missing.push(Missing { place, what: what.to_owned() });
            continue;
        }
        if let Period::Calendar { .. } = slo.period {
            let nominal = duration_text(slo.period.nominal());
            let what = format!(
                "what is left of its budget is not recorded: rules cannot count from a turn of the calendar; its \
                 factors are those of {nominal}"
            );
            commented(&mut text, &format!("{place}: {what}."));
            missing.push(Missing { place, what });
        }
        for group in groups(slo) {
            write(&mut text, &group);
        }
        count += 1;
    }
    if count == 0 {
        let why: Vec<String> = missing.iter().map(|missing| format!("{}: {}", missing.place, missing.what)).collect();
        return Err(format!("no SLO can be said in rules of Prometheus ({})", why.join("; ")));
    }
    Ok(Exported { text, missing })
}

fn write(text: &mut String, group: &Group) {
    if group.rules.is_empty() {
        return;
    }
    let _ = writeln!(text, "  - name: {}\n    interval: {}\n    rules:", yaml(&group.name), group.interval);
    for rule in &group.rules {
        let kind = if rule.is_alert { "alert" } else { "record" };
        let _ = writeln!(text, "      - {kind}: {}", yaml(&rule.name));
        let _ = writeln!(text, "        expr: {}", yaml(&rule.expr));
        if let Some(lasting) = rule.lasting {
            let _ = writeln!(text, "        for: {lasting}");
        }
        pairs(text, "labels", &rule.labels);
        pairs(text, "annotations", &rule.annotations);
    }
}

fn pairs(text: &mut String, key: &str, pairs: &[(&'static str, String)]) {
    if pairs.is_empty() {
        return;
    }
    let _ = writeln!(text, "        {key}:");
    for (name, value) in pairs {
        let _ = writeln!(text, "          {name}: {}", yaml(value));
    }
}
