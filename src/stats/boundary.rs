//! Boundaries over planned looks: how far out a standardised sum must lie at each look
//! so that the chance of ever crossing under "no change" is what was spent (Lan and
//! `DeMets` 1983), by the recursion of Armitage, `McPherson` and Rowe (1969).
//!
//! Between two looks the score process `B(I)` moves by a normal step of variance
//! `I_j − I_{j−1}`. What is kept is its sub-density over paths that have not crossed,
//! on Gauss–Legendre nodes; it is smooth there, so 100 nodes give six decimals of a bound
//! for up to 60 looks.

use crate::stats::normal::normal_upper;
use crate::stats::normal::normal_upper_inverse;
use statrs::function::erf::erfc;
use std::f64::consts::FRAC_1_SQRT_2;
use std::f64::consts::PI;
use std::sync::LazyLock;

/// Nodes of one look.
const NODES: usize = 100;
/// Their places and weights: made once, since a boundary or a plan walks many times.
static RULE: LazyLock<Vec<(f64, f64)>> = LazyLock::new(|| gauss_legendre(NODES));
/// Standard deviations below zero from which no path comes back to a bound.
const DEPTH: f64 = 5.0;
/// Standard deviations beyond which a step of the process never goes: the density there
/// is below the digits that count of what it is added to.
const REACH: f64 = 8.0;
/// Less risk than this at a look is kept for the next one: its bound would be out of reach.
const LEAST_RISK: f64 = 1e-12;
/// Fewer paths than this that have not crossed are not followed any further.
const LEAST_LEFT: f64 = 1e-10;
/// Newton steps of one bound, from the last bound; it takes three to six.
const STEPS_MAX: u32 = 60;
/// In standard deviations, where the search for a bound ends; the step after is its square.
const PRECISION: f64 = 1e-9;

/// How risk is given to looks: the share of `alpha` that is spent at a fraction of the
/// planned information.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spending {
    /// In proportion: `alpha·s`.
    Linear,
    /// Little at first, as O'Brien and Fleming: `2 Q(z_{alpha/2} / √s)`.
    ObrienFleming,
}

impl Spending {
    /// What is spent of `alpha` at the fraction `s`, from 0 at 0 to `alpha` at 1 and beyond.
    pub fn spent(self, alpha: f64, s: f64) -> f64 {
        let s = s.clamp(0.0, 1.0);
        match self {
            Self::Linear => alpha * s,
            Self::ObrienFleming if s <= 0.0 => 0.0,
            Self::ObrienFleming => 2.0 * normal_upper(normal_upper_inverse(0.5 * alpha) / s.sqrt()),
        }
    }

    /// Looks at the fractions `at`, each with the risk that is spent since the one before.
    pub fn looks(self, alpha: f64, at: &[f64]) -> Vec<PlannedLook> {
        let before = std::iter::once(0.0).chain(at.iter().copied());
        let risk = |from, to| (self.spent(alpha, to) - self.spent(alpha, from)).max(0.0);
        at.iter().zip(before).map(|(&to, from)| PlannedLook { information: to, risk: risk(from, to) }).collect()
    }

    /// The looks of a gate whose deadline was moved: those that are `made`, with what they
    /// spent, and then looks at the information `rest`, ascending in the same unit, over which
    /// what is left of `alpha` is spread as this spending gives it to the rest of a plan that
    /// ends with them. All of it is spent by the last; where nothing is left, the rest has none.
    pub fn moved(self, alpha: f64, made: &[PlannedLook], rest: &[f64]) -> Vec<PlannedLook> {
        let left = (alpha - made.iter().map(|look| look.risk).sum::<f64>()).max(0.0);
        let end = rest.last().copied().unwrap_or(0.0);
        let start = made.last().map_or(0.0, |look| look.information);
        let planned = |information: f64| self.spent(alpha, information / end);
        let whole = planned(end) - planned(start);
        let before = std::iter::once(start).chain(rest.iter().copied());
        let rest = rest.iter().zip(before).map(|(&to, from)| {
            let share = (planned(to) - planned(from)) / whole;
            PlannedLook { information: to, risk: if share > 0.0 { left * share.min(1.0) } else { 0.0 } }
        });
        made.iter().copied().chain(rest).collect()
    }
}

/// One look, before it is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlannedLook {
    /// Information by then, in any unit; increases from look to look.
    pub information: f64,
    /// The chance that may be given to a first crossing at this look.
    pub risk: f64,
}

/// The bound of each look, in standard deviations: a crossing is above it. A look that
/// has no risk of its own, or no information more than the one before, has +∞, and what
/// risk it has goes to the next.
///
/// Time `O(looks · nodes²)`: about 2 ms for 60 looks.
pub fn boundary(looks: &[PlannedLook]) -> Vec<f64> {
    let mut walk = Walk::new(0.0);
    let mut kept = 0.0;
    let mut bounds = Vec::with_capacity(looks.len());
    for look in looks {
        let risk = look.risk + kept;
        if risk < LEAST_RISK || look.information <= walk.information {
            kept = risk;
            bounds.push(f64::INFINITY);
            continue;
        }
        kept = 0.0;
        let bound = walk.bound_of(look.information, risk);
        walk.go(look.information, bound);
        bounds.push(bound);
    }
    bounds
}

/// The chance to have crossed by each look where the standardised sum drifts to `drift`
/// at information 1; `bounds` are those of [`boundary`] at the same `information`.
pub fn crossing(information: &[f64], bounds: &[f64], drift: f64) -> Vec<f64> {
    let mut walk = Walk::new(drift);
    let mut crossed = 0.0;
    let mut chances = Vec::with_capacity(bounds.len());
    for (&information, &bound) in information.iter().zip(bounds) {
        // Where next to no path is left there is nothing to follow.
        if bound.is_finite() && information > walk.information && crossed < 1.0 - LEAST_LEFT {
            crossed += walk.tail(information, bound * information.sqrt()).0;
            walk.go(information, bound);
        }
        chances.push(crossed);
    }
    chances
}

/// Paths of the score process that have not crossed.
struct Walk {
    information: f64,
    drift: f64,
    /// The last bound, where the next search begins.
    bound: Option<f64>,
    /// Place and mass (density times quadrature weight); a path begins at 0.
    nodes: Vec<(f64, f64)>,
}

impl Walk {
    fn new(drift: f64) -> Self {
        Self { information: 0.0, drift, bound: None, nodes: vec![(0.0, 1.0)] }
    }

    /// Mean and standard deviation of the step to `information`.
    fn step(&self, information: f64) -> (f64, f64) {
        let more = information - self.information;
        (self.drift * more, more.sqrt())
    }

    /// The mass that lies above `score` at `information`, and its density there.
    fn tail(&self, information: f64, score: f64) -> (f64, f64) {
        let (mean, deviation) = self.step(information);
        let (mut tail, mut density) = (0.0, 0.0);
        // The highest place comes first. A loop, and below too: all of the time goes here, and
        // without optimisation a chain of adapters takes thrice as long.
        for (place, mass) in &self.nodes {
            let z = (score - place - mean) / deviation;
            if z > REACH {
                break;
            }
            tail += mass * 0.5 * erfc(z * FRAC_1_SQRT_2);
            density += mass * normal_density(z);
        }
        (tail, density / deviation)
    }

    /// The bound above which `risk` lies at `information`.
    fn bound_of(&self, information: f64, risk: f64) -> f64 {
        let Some(last) = self.bound else { return normal_upper_inverse(risk) };
        let root = information.sqrt();
        let (mut low, mut high) = (-DEPTH * root, f64::INFINITY);
        let mut score = last * root;
        for _ in 0..STEPS_MAX {
            let (tail, density) = self.tail(information, score);
            if tail > risk {
                low = score;
            } else {
                high = score;
            }
            // Newton on the logarithm, which is nearly straight.
            let next = score + tail * (tail / risk).ln() / density;
            let inside = next.is_finite() && low < next && next < high;
            let next = if inside { next } else { 0.5 * (low + high.min(2.0 * low.abs() + 2.0 * DEPTH * root)) };
            if (next - score).abs() <= PRECISION * root {
                return next / root;
            }
            score = next;
        }
        score / root
    }

    /// Goes on to `information` with the paths that lie below `bound` there.
    fn go(&mut self, information: f64, bound: f64) {
        let (mean, deviation) = self.step(information);
        let root = information.sqrt();
        let (low, high) = (self.drift * information - DEPTH * root, bound * root);
        let (middle, half) = (0.5 * (low + high), 0.5 * (high - low).max(0.0));
        let mut nodes = Vec::with_capacity(RULE.len());
        // Both places go down, so that what is out of reach stays so.
        let mut first = 0;
        for (place, weight) in RULE.iter() {
            let at = middle + half * place;
            let mut density = 0.0;
            for (index, (from, mass)) in self.nodes.iter().enumerate().skip(first) {
                let z = (at - from - mean) / deviation;
                if z < -REACH {
                    first = index + 1;
                    continue;
                }
                if z > REACH {
                    break;
                }
                density += mass * normal_density(z);
            }
            nodes.push((at, half * weight * density / deviation));
        }
        self.nodes = nodes;
        (self.information, self.bound) = (information, Some(bound));
    }
}

fn normal_density(z: f64) -> f64 {
    // The root of 2π, as `sqrt` has it.
    const ROOT: f64 = 2.506_628_274_631_000_2;
    (-0.5 * z * z).exp() / ROOT
}

/// Places in (−1, 1) and weights of the Gauss–Legendre rule, by Newton steps on the
/// Legendre polynomial of degree `count` (Abramowitz, Stegun 25.4.29).
fn gauss_legendre(count: usize) -> Vec<(f64, f64)> {
    #[expect(clippy::cast_precision_loss, reason = "a few hundred nodes")]
    let real = |number: usize| number as f64;
    let degree = real(count);
    let place = |index: usize| {
        let mut x = (PI * (real(index) + 0.75) / (degree + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..100 {
            let (mut value, mut before) = (1.0, 0.0);
            for order in (1..=count).map(real) {
                (value, before) = (((2.0 * order - 1.0) * x * value - (order - 1.0) * before) / order, value);
            }
            slope = degree * (x * value - before) / (x * x - 1.0);
            let step = value / slope;
            x -= step;
            if step.abs() < 1e-15 {
                break;
            }
        }
        (x, 2.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..count).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_integrates_polynomials_exactly() {
        for (power, expect) in [(0, 2.0), (1, 0.0), (2, 2.0 / 3.0), (8, 2.0 / 9.0), (20, 2.0 / 21.0)] {
            let sum: f64 = gauss_legendre(NODES).iter().map(|(x, weight)| weight * x.powi(power)).sum();
            assert!((sum - expect).abs() < 1e-13, "{power}: {sum}");
        }
    }

    #[test]
    fn what_is_spent_begins_at_nothing_and_ends_at_all() {
        for spending in [Spending::Linear, Spending::ObrienFleming] {
            assert_eq!(spending.spent(0.05, 0.0).total_cmp(&0.0), std::cmp::Ordering::Equal);
            for (s, expect) in [(1.0, 0.05), (2.0, 0.05)] {
                assert!((spending.spent(0.05, s) - expect).abs() < 1e-15);
            }
            let risks: f64 = spending.looks(0.05, &[0.1, 0.4, 1.0]).iter().map(|look| look.risk).sum();
            assert!((risks - 0.05).abs() < 1e-15);
        }
    }

    #[test]
    fn the_chance_to_cross_is_what_was_spent() {
        let information: Vec<f64> = (1..=60).map(|look| f64::from(look) / 60.0).collect();
        for spending in [Spending::Linear, Spending::ObrienFleming] {
            let bounds = boundary(&spending.looks(0.005, &information));
            for (crossed, s) in crossing(&information, &bounds, 0.0).iter().zip(&information) {
                // What is kept back at the first looks of O'Brien and Fleming is tiny.
                assert!((crossed - spending.spent(0.005, *s)).abs() < 1e-9, "{spending:?} {s}: {crossed}");
            }
        }
    }

    #[test]
    fn a_look_without_information_or_risk_spends_nothing_and_loses_nothing() {
        let look = |information, risk| PlannedLook { information, risk };
        let bounds = boundary(&[look(0.5, 0.01), look(0.5, 0.01), look(0.7, 0.0), look(1.0, 0.01)]);
        assert!(bounds[1].is_infinite() && bounds[2].is_finite());
        let chances = crossing(&[0.5, 0.5, 0.7, 1.0], &bounds, 0.0);
        assert!((chances[3] - 0.03).abs() < 1e-9, "{chances:?}");
        assert!(boundary(&[look(0.5, 0.0)])[0].is_infinite());
        assert!(boundary(&[]).is_empty());
    }

    #[test]
    fn a_moved_deadline_keeps_what_is_spent_and_spends_all() {
        for spending in [Spending::Linear, Spending::ObrienFleming] {
            // Half of the plan is over; the other half is spread over twice the time.
            let made = spending.looks(0.01, &[0.25, 0.5]);
            let looks = spending.moved(0.01, &made, &[0.75, 1.0, 1.5]);
            assert_eq!(looks[..2], made[..]);
            let information: Vec<f64> = looks.iter().map(|look| look.information).collect();
            let chances = crossing(&information, &boundary(&looks), 0.0);
            assert!((chances[1] - spending.spent(0.01, 0.5)).abs() < 1e-8, "{spending:?} {chances:?}");
            assert!((chances[4] - 0.01).abs() < 1e-8, "{spending:?} {chances:?}");
        }
        let linear = Spending::Linear.moved(0.01, &Spending::Linear.looks(0.01, &[0.25, 0.5]), &[0.75, 1.0, 1.5]);
        let risks = linear.iter().map(|look| look.risk);
        for (risk, expect) in risks.zip([0.0025, 0.0025, 0.00125, 0.00125, 0.0025]) {
            assert!((risk - expect).abs() < 1e-15, "{linear:?}");
        }
    }

    #[test]
    fn a_deadline_that_was_not_moved_changes_nothing() {
        let at = [0.2, 0.4, 0.6, 0.8, 1.0];
        for spending in [Spending::Linear, Spending::ObrienFleming] {
            let looks = spending.looks(0.01, &at);
            for made in 0..at.len() {
                for (look, moved) in looks.iter().zip(spending.moved(0.01, &looks[..made], &at[made..])) {
                    assert!((look.risk - moved.risk).abs() < 1e-15, "{spending:?} {made}");
                }
            }
        }
    }

    #[test]
    fn after_the_deadline_nothing_is_left() {
        let made = Spending::Linear.looks(0.01, &[0.5, 1.0]);
        for rest in [vec![], vec![1.5, 2.0], vec![0.7], vec![f64::NAN], vec![0.0]] {
            let risks: f64 = Spending::Linear.moved(0.01, &made, &rest).iter().map(|look| look.risk).sum();
            assert!((risks - 0.01).abs() < 1e-15, "{rest:?}");
        }
    }
}
