//! A change in the unit that its check is planned in.

use crate::plan::Change;
use crate::plan::power::Assumptions;
use crate::plan::power::Scale;
use crate::plan::power::setup::Setup;
use crate::plan::scene::value;
use crate::rules::RuleFile;
use crate::rules::Worse;

/// How much worse `change` is of the check at `place`, in the unit of its plan.
///
/// # Errors
/// Why it is not planned.
pub fn size_of(rules: &RuleFile, assumed: &Assumptions, place: usize, change: Change) -> Result<f64, String> {
    let check = rules.checks.get(place).ok_or("there is no such check")?;
    let name = &check.name;
    let setup = Setup::of(rules, check, assumed).map_err(|why| format!("`{name}` has no plan: {}", why.text()))?;
    let worse = setup.policy.worse;
    // The size of something that gets less, or of something that may do neither.
    let turned = |size: f64| match worse {
        Worse::Increase => size,
        Worse::Decrease => -size,
        Worse::Either => size.abs(),
    };
    let size = match (setup.scale, change) {
        (Scale::Factor, Change::Factor(factor)) => turned(factor.ln()).exp(),
        (Scale::Points, Change::Excess(excess)) => turned(excess),
        (Scale::Points, Change::Factor(factor)) => turned(setup.shape.points(factor)),
        (Scale::More, Change::Factor(factor)) => turned(factor - 1.0),
        (Scale::Less, Change::Factor(factor)) => 1.0 - factor,
        (Scale::Absolute, Change::Factor(factor)) => turned((factor - 1.0) * value(&check.kind)),
        (Scale::Factor | Scale::More | Scale::Less | Scale::Absolute, Change::Excess(_)) => f64::NAN,
    };
    if size > setup.scale.none() { Ok(size) } else { Err(format!("that is no change for the worse of `{name}`")) }
}
