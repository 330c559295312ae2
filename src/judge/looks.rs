//! The planned looks of a gate and how far out a deviate must lie at each of them.
//!
//! FAIL and PASS have boundaries of their own (statistics.md §3): FAIL is looked for at every
//! planned look, PASS at a few of them, so that most of its risk is left for the last. The
//! information of a look is its planned time, so a table depends on nothing but the risk and
//! the grid: it is computed once, shared by all checks with the same risk, and a gap in the
//! evidence of one check moves no bound of another.

use crate::judge::Timing;
use crate::rules;
use crate::stats;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The bound of each look, in standard deviations.
pub(crate) type Bounds = Arc<[f64]>;

/// The grid with the tables that were asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Looks {
    planned: Arc<[Planned]>,
    /// Positions in `planned` at which a PASS may be found.
    pass: Arc<[usize]>,
    spending: stats::Spending,
    fail_tables: BTreeMap<Risk, Bounds>,
    pass_tables: BTreeMap<Risk, Bounds>,
}

#[cfg(test)]
crate::judge::footprint::fields!(Looks: planned, pass, fail_tables, pass_tables);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Planned {
    index: u32,
    share: f64,
}

/// A risk as a key: the bits of a positive double are in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Risk(u64);

#[cfg(test)]
crate::judge::footprint::flat!(Risk);

/// Where a look stands among the planned ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Among all planned looks.
    pub(crate) look: usize,
    /// Among those that may find a PASS: this one, or else the next.
    pub(crate) pass: usize,
    /// Whether this one may.
    pub(crate) may_pass: bool,
}

impl Looks {
    pub(crate) fn new(timing: &Timing, spending: rules::Spending) -> Self {
        let planned: Vec<Planned> =
            timing.planned_looks().into_iter().map(|index| Planned { index, share: timing.share(index) }).collect();
        let place = |index: u32| planned.binary_search_by_key(&index, |look| look.index).ok();
        let pass: Vec<usize> = timing.pass_looks().into_iter().filter_map(place).collect();
        Self {
            pass: pass.into(),
            planned: planned.into(),
            spending: match spending {
                rules::Spending::Linear => stats::Spending::Linear,
                rules::Spending::Obf => stats::Spending::ObrienFleming,
            },
            fail_tables: BTreeMap::new(),
            pass_tables: BTreeMap::new(),
        }
    }

    /// The place of interval `index`, if it ends in a planned look.
    pub(crate) fn place(&self, index: u32) -> Option<Place> {
        self.planned.binary_search_by_key(&index, |planned| planned.index).ok().map(|look| self.at(look))
    }

    /// The place of the first planned look that is not before the end of interval `index`.
    pub(crate) fn next(&self, index: u32) -> Option<Place> {
        let look = self.planned.partition_point(|planned| planned.index < index);
        (look < self.planned.len()).then(|| self.at(look))
    }

    fn at(&self, look: usize) -> Place {
        let pass = self.pass.partition_point(|other| *other < look);
        Place { look, pass: pass.min(self.pass.len().saturating_sub(1)), may_pass: self.pass.get(pass) == Some(&look) }
    }

    /// Each planned look: its interval, and the share of the time that is over by then.
    pub(crate) fn planned(&self) -> impl ExactSizeIterator<Item = (u32, f64)> + '_ {
        self.planned.iter().map(|look| (look.index, look.share))
    }

    /// The same of those that may find a PASS.
    pub(crate) fn passing(&self) -> impl Iterator<Item = (u32, f64)> + '_ {
        self.pass.iter().filter_map(|look| self.planned.get(*look)).map(|look| (look.index, look.share))
    }

    /// What a FAIL at each planned look takes, at a risk of `alpha` over all of them.
    pub(crate) fn fail_bounds(&mut self, alpha: f64) -> Bounds {
        let (planned, spending) = (&self.planned, self.spending);
        let table = || {
            let shares: Vec<f64> = planned.iter().map(|look| look.share).collect();
            stats::boundary(&spending.looks(alpha, &shares)).into()
        };
        Arc::clone(self.fail_tables.entry(Risk(alpha.to_bits())).or_insert_with(table))
    }

    /// What a PASS at each look that may find one takes, at a risk of `beta` over all of them.
    pub(crate) fn pass_bounds(&mut self, beta: f64) -> Bounds {
        let (planned, pass) = (&self.planned, &self.pass);
        let table = || {
            let shares: Vec<f64> = pass.iter().filter_map(|look| planned.get(*look)).map(|look| look.share).collect();
            stats::boundary(&stats::Spending::ObrienFleming.looks(beta, &shares)).into()
        };
        Arc::clone(self.pass_tables.entry(Risk(beta.to_bits())).or_insert_with(table))
    }

    /// What of `alpha` is spent by `place`.
    pub(crate) fn spent(&self, alpha: f64, place: Place) -> f64 {
        self.planned.get(place.look).map_or(0.0, |look| self.spending.spent(alpha, look.share))
    }

    /// The first planned look after `place` at which a deviate that stands at `z` now will have
    /// crossed `bounds` of FAIL, if nothing changes: it grows with the root of the time.
    pub(crate) fn first_fail(&self, place: Place, z: f64, bounds: &Bounds) -> Option<u32> {
        let later = self.planned.iter().zip(bounds.iter()).skip(place.look + 1);
        self.first(place, z, later)
    }

    /// The same for `bounds` of PASS.
    pub(crate) fn first_pass(&self, place: Place, z: f64, bounds: &Bounds) -> Option<u32> {
        let looks = self.pass.iter().filter_map(|look| self.planned.get(*look));
        let later = looks.zip(bounds.iter()).skip(place.pass + usize::from(place.may_pass));
        self.first(place, z, later)
    }

    fn first<'a>(&self, place: Place, z: f64, mut later: impl Iterator<Item = (&'a Planned, &'a f64)>) -> Option<u32> {
        let now = self.planned.get(place.look)?.share;
        let crosses = |(look, bound): &(&Planned, &f64)| z * (look.share / now).sqrt() > **bound;
        if z > 0.0 { later.find(crosses).map(|(look, _)| look.index) } else { None }
    }
}
