//! What a plan promises, and what it takes for an ordinary day.

mod language;
mod page;
mod past;
mod simulated;
mod sizes;

use wavegate::plan::power::Assumptions;
use wavegate::plan::power::Plan;
use wavegate::plan::power::plan;
use wavegate::rules;
use wavegate::rules::CheckTraffic;
use wavegate::rules::RuleFile;
use wavegate::rules::Traffic;

/// A gate of one check, written as the inside of its braces.
fn gate(schedule: &str, check: &str) -> RuleFile {
    let text = format!("version: 1\nname: gate\nschedule: {{ {schedule} }}\nchecks:\n  - {{ name: check, {check} }}\n");
    rules::parse("gate.yaml", &text).expect("a rule file").rules
}

/// Its plan where every check sees `traffic`.
fn planned(rules: &RuleFile, traffic: CheckTraffic) -> Plan {
    let traffic = Traffic { whole: traffic, ..Traffic::default() };
    plan(rules, &Assumptions { traffic, ..Assumptions::default() })
}
