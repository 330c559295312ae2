//! An ordinary day as plans and simulations see it: what each check is shown of it, and what of
//! a rule file has no meaning there.

use crate::rules::Check;
use crate::rules::CheckKind;
use crate::rules::CheckTraffic;
use crate::rules::Mode;
use crate::rules::RuleFile;
use crate::rules::Traffic;
use crate::rules::Worse;

/// What `check` sees of `traffic`. A probe's requests are those of its own making.
pub fn ordinary(traffic: &Traffic, check: &Check) -> CheckTraffic {
    let usual = *traffic.of(&check.name);
    let Some(probe) = &check.probe else { return usual };
    CheckTraffic { rates: [1.0 / probe.every.as_secs_f64(); 2], instances: [1; 2], ..usual }
}

/// Whether the canary has nobody to be compared with.
pub(crate) fn is_alone(rules: &RuleFile, check: &Check) -> bool {
    check.cohorts.as_ref().unwrap_or(&rules.cohorts).baseline.is_none()
}

/// The floor that a ratio without a baseline is judged by; `None` where that is not how `check` is judged.
pub(crate) fn lone_floor(rules: &RuleFile, check: &Check) -> Option<f64> {
    let CheckKind::Ratio { floor, policy, .. } = &check.kind else { return None };
    (is_alone(rules, check) && *floor > 0.0 && policy.worse != Worse::Decrease).then_some(*floor)
}

/// What a file says that neither a plan nor a simulation regards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// Its verdict is not obeyed.
    Observe,
    /// At some times no gate may pass.
    Windows,
    /// Something must be attested.
    Requires,
    /// An error budget is minded.
    Budget,
}

/// What of `rules` is ignored, in the order of the file.
pub fn ignored(rules: &RuleFile) -> Vec<Ignored> {
    [
        (rules.mode == Mode::Observe, Ignored::Observe),
        (rules.windows.is_some(), Ignored::Windows),
        (!rules.requires.is_empty(), Ignored::Requires),
        (rules.budget.is_some(), Ignored::Budget),
    ]
    .into_iter()
    .filter_map(|(is_there, ignored)| is_there.then_some(ignored))
    .collect()
}
