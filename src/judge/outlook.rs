//! When a check will have decided, if everything stays as it is (statistics.md §7).
//!
//! A deviate grows with the root of the information, which is planned time, so the first
//! look at which it crosses its boundary can be read from the table. It is a guess for
//! people and decides nothing.

use crate::judge::looks::Bounds;
use crate::judge::looks::Looks;
use crate::judge::looks::Place;

/// Deviates on their way to a boundary; any of a kind that crosses decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outlook {
    fail: Vec<(f64, Bounds)>,
    pass: Vec<(f64, Bounds)>,
}

/// What is to come, and the interval after which it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coming {
    Fail(u32),
    Pass(u32),
}

impl Outlook {
    /// A deviate that fails the check beyond `bounds`.
    pub(crate) fn fail(&mut self, z: f64, bounds: &Bounds) {
        self.fail.push((z, Bounds::clone(bounds)));
    }

    /// A deviate that passes the check beyond `bounds`.
    pub(crate) fn pass(&mut self, z: f64, bounds: &Bounds) {
        self.pass.push((z, Bounds::clone(bounds)));
    }

    /// That of a check that fails by any of `sides` and passes by all of them.
    pub(crate) fn of_all(sides: &[Self]) -> Self {
        let fail = sides.iter().flat_map(|side| side.fail.iter().cloned()).collect();
        let best = |side: &Self| side.pass.iter().map(|(z, _)| *z).fold(f64::NEG_INFINITY, f64::max);
        // The side that is the furthest from a PASS is the one that is waited for.
        let slowest = sides.iter().min_by(|a, b| best(a).total_cmp(&best(b)));
        Self { fail, pass: slowest.map_or(Vec::new(), |side| side.pass.clone()) }
    }

    /// The first that comes after `place`, a FAIL before a PASS.
    pub(crate) fn coming(&self, looks: &Looks, place: Place) -> Option<Coming> {
        let fail = self.fail.iter().filter_map(|(z, bounds)| looks.first_fail(place, *z, bounds)).min();
        let pass = self.pass.iter().filter_map(|(z, bounds)| looks.first_pass(place, *z, bounds)).min();
        match (fail, pass) {
            (Some(fail), Some(pass)) if pass < fail => Some(Coming::Pass(pass)),
            (Some(fail), _) => Some(Coming::Fail(fail)),
            (None, pass) => pass.map(Coming::Pass),
        }
    }
}
