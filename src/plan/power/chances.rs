//! From "how far out" to "how likely by when".
//!
//! What a test reads at a look is a mean plus noise that shrinks as a sum over time does. So
//! each test is brought to one question a look: how many standard deviations must the noise
//! lie above zero for the verdict to be found? The noise at all looks together is a Brownian
//! path at its planned times, and the chance that it has been that far out by each look is
//! the recursion of the boundaries themselves (Armitage, `McPherson`, Rowe 1969). So power and
//! the promised risk come from the same lines, at the looks that the engine will make.

use crate::stats;

/// Further out than this a path never is, in standard deviations.
const NEVER: f64 = 37.0;
/// Further in than this a path always is. `stats::crossing` passes over what is not finite.
const ALWAYS: f64 = -8.0;

/// What the noise must exceed at each look, in its standard deviations; `+∞` where the look
/// can find nothing.
pub(super) type Needed = Vec<f64>;

/// The chance to have been beyond `needed` by each look, where `times` are the shares of the
/// planned time.
pub(super) fn crossed(times: &[f64], needed: &[f64]) -> Vec<f64> {
    let held: Vec<f64> = needed.iter().map(|needed| held(*needed)).collect();
    stats::crossing(times, &held, 0.0).into_iter().map(|chance| chance.clamp(0.0, 1.0)).collect()
}

fn held(needed: f64) -> f64 {
    if needed.is_nan() || needed > NEVER { f64::INFINITY } else { needed.max(ALWAYS) }
}

/// Of several ways to one verdict that look at the same noise, the likeliest at each look: they
/// find it together more often than apart, so that the sum would promise too much.
pub(super) fn best(ways: impl IntoIterator<Item = Vec<f64>>) -> Vec<f64> {
    ways.into_iter()
        .reduce(|best, way| best.iter().zip(way).map(|(best, way)| best.max(way)).collect())
        .unwrap_or_default()
}

/// The chance to be passed by each look, where `crossed` is that of having crossed by then and
/// `forbidden` that of something lately which forbids a PASS at that look alone.
pub(super) fn unless_forbidden(crossed: &[f64], forbidden: &[f64]) -> Vec<f64> {
    let mut passed: f64 = 0.0;
    let one = |(crossed, forbidden): (&f64, &f64)| {
        passed += (crossed - passed).max(0.0) * (1.0 - forbidden);
        passed
    };
    crossed.iter().zip(forbidden).map(one).collect()
}

/// The bound `z` of a look, as Student's t with `nu` degrees of freedom has it (G-6).
pub(super) fn t_of(z: f64, nu: f64) -> f64 {
    if z.is_finite() { stats::student_upper_inverse_ln(stats::normal_upper_ln(z), nu) } else { f64::INFINITY }
}

/// The x in `low..high` at which `f`, which rises, reaches `level`; `None` where it does not.
pub(super) fn reaches(low: f64, high: f64, level: f64, f: impl Fn(f64) -> f64) -> Option<f64> {
    // As many halvings as a share of a thousandth of a deviate takes.
    const HALVINGS: u32 = 40;
    if f(high) < level {
        return None;
    }
    let (mut low, mut high) = (low, high);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if f(middle) < level { low = middle } else { high = middle }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_always_beyond_is_found_at_the_first_look_and_what_never_is_at_none() {
        let times = [0.25, 0.5, 0.75, 1.0];
        for (needed, expect) in [(f64::NEG_INFINITY, 1.0), (-50.0, 1.0), (f64::INFINITY, 0.0), (f64::NAN, 0.0)] {
            for chance in crossed(&times, &[needed; 4]) {
                assert!((chance - expect).abs() < 1e-6, "{needed}: {chance}");
            }
        }
    }

    #[test]
    fn the_chance_to_cross_a_boundary_is_the_risk_that_it_was_made_for() {
        let times: Vec<f64> = (1..=20).map(|look| f64::from(look) / 20.0).collect();
        let bounds = stats::boundary(&stats::Spending::Linear.looks(0.01, &times));
        assert!((crossed(&times, &bounds)[19] - 0.01).abs() < 1e-6);
    }

    #[test]
    fn what_is_forbidden_half_of_the_time_is_found_at_the_next_look() {
        let passed = unless_forbidden(&[0.8, 0.8, 0.8], &[0.5, 0.5, 0.0]);
        for (found, expect) in passed.into_iter().zip([0.4, 0.6, 0.8]) {
            assert!((found - expect).abs() < 1e-12);
        }
    }

    #[test]
    fn a_level_is_reached_where_it_is() {
        assert!((reaches(0.0, 10.0, 4.0, |x| x * x).unwrap() - 2.0).abs() < 1e-6);
        assert_eq!(reaches(0.0, 1.0, 4.0, |x| x * x), None);
    }
}
