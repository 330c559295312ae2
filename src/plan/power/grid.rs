//! The looks that a gate will make, as numbers of intervals seen by then.

use crate::judge::Looks;
use crate::judge::Timing;
use crate::rules::Spending;
use std::time::Duration;

/// When a gate looks.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    pub(super) timing: Timing,
    /// The length of an interval.
    pub(super) seconds: f64,
    /// Intervals seen by each planned look, and the share of the time that is over.
    pub(super) fail: Vec<u32>,
    pub(super) fail_times: Vec<f64>,
    /// The interval that ends in each of them.
    pub(super) fail_ends: Vec<u32>,
    /// The same of those that may find a PASS.
    pub(super) pass: Vec<u32>,
    pub(super) pass_times: Vec<f64>,
    pub(super) pass_ends: Vec<u32>,
}

impl Grid {
    /// The grid of `timing`, with the tables that will be asked of it.
    pub(super) fn new(timing: Timing, spending: Spending) -> (Self, Looks) {
        let looks = Looks::new(&timing, spending);
        let first = timing.first_warm();
        let seen = |index: &u32| (index + 1).saturating_sub(first);
        let split = |looks: &mut dyn Iterator<Item = (u32, f64)>| looks.unzip::<u32, f64, Vec<u32>, Vec<f64>>();
        let (fail_ends, fail_times) = split(&mut looks.planned());
        let (pass_ends, pass_times) = split(&mut looks.passing());
        let grid = Self {
            timing,
            seconds: timing.interval.as_secs_f64(),
            fail: fail_ends.iter().map(seen).collect(),
            pass: pass_ends.iter().map(seen).collect(),
            fail_times,
            fail_ends,
            pass_times,
            pass_ends,
        };
        (grid, looks)
    }
}

/// What half of all waves do.
const HALF: f64 = 0.5;

impl Grid {
    /// The quarters of the time to judge, from the start of the wave.
    pub(super) fn quarters(&self) -> [Duration; 4] {
        let warm = self.timing.warm.since(self.timing.start);
        let rest = self.timing.deadline.since(self.timing.warm);
        [1, 2, 3, 4].map(|quarter| warm + rest * quarter / 4)
    }

    /// Of `chances` at the looks that end `ends`, those by each quarter of the time.
    pub(super) fn by_quarter(&self, ends: &[u32], chances: &[f64]) -> [f64; 4] {
        self.quarters().map(|quarter| {
            let by = |end: &u32| self.at(*end) <= quarter;
            let looks = ends.partition_point(by);
            // The last look is the deadline's, even where the grid ends before it.
            let looks = if quarter == self.timing.deadline.since(self.timing.start) { ends.len() } else { looks };
            looks.checked_sub(1).and_then(|look| chances.get(look)).copied().unwrap_or(0.0)
        })
    }

    /// The first of the looks by which half of all waves have done what `chances` say.
    pub(super) fn median(&self, ends: &[u32], chances: &[f64]) -> Option<Duration> {
        let first = ends.iter().zip(chances).find(|(_, chance)| **chance >= HALF)?;
        Some(self.at(*first.0))
    }

    fn at(&self, end: u32) -> Duration {
        self.timing.window(end.max(1)).to.since(self.timing.start)
    }
}
