//! What a rule file that states its traffic should be told when it is read.

use crate::plan::power::Assumptions;
use crate::plan::power::CheckPlan;
use crate::plan::power::setup::Setup;
use crate::rules::RuleFile;

/// A check that cannot decide before the deadline.
#[derive(Clone, Debug, PartialEq)]
pub struct CannotDecide {
    /// Its place in the file, from 0.
    pub index: usize,
    /// What it can do, with what would help.
    pub check: CheckPlan,
}

/// The checks of `rules` that cannot decide on the ordinary day that it states; none where it
/// states none.
pub fn lint(rules: &RuleFile) -> Vec<CannotDecide> {
    if !rules.traffic.stated {
        return Vec::new();
    }
    let assumed = Assumptions { traffic: rules.traffic.clone(), ..Assumptions::default() };
    let counted = rules.checks.iter().enumerate().filter(|(_, check)| check.counts());
    let one = |(index, check)| {
        let setup = Setup::of(rules, check, &assumed).ok()?;
        // The whole of a plan takes ten times as long, and most checks decide.
        setup.stands(&mut setup.bench())?;
        Some(CannotDecide { index, check: setup.plan(None) })
    };
    counted.filter_map(one).collect()
}
