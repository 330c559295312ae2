//! The grid of looks.
//!
//! Looks lie on start + k·interval whatever the clock does, so a verdict does
//! not depend on when it was computed. At most [`MAX_PLANNED`] of them decide
//! by a divided risk; the grid is thinned from its end, so the last look is
//! always a planned one.

use crate::rules::RuleFile;
use crate::rules::Schedule;
use crate::series::Timestamp;
use crate::series::Window;
use std::time::Duration;

/// Planned looks of a gate: each further one costs power and adds little.
pub const MAX_PLANNED: u32 = 60;

/// Parts of the time from the minimum duration to the deadline, each of which ends in a look
/// that may find a PASS: few, because each costs power at the last (statistics.md §3).
const PASS_PARTS: u32 = 10;

/// How much slower than the interval a scrape may be and still count as the same.
const SCRAPE_DRIFT: f64 = 1.1;

/// When one gate looks; all instants absolute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The start of the wave.
    pub start: Timestamp,
    /// The grid: never finer than the source scrapes.
    pub interval: Duration,
    /// The distance of the source's samples; the interval where it is not known.
    pub scrape: Duration,
    /// Intervals that begin before this are left out.
    pub warm: Timestamp,
    /// No PASS before.
    pub min_end: Timestamp,
    /// No look after.
    pub deadline: Timestamp,
}

impl Timing {
    /// The timing of a gate of `rules` that started at `start`: as [`Timing::new`] has it, and
    /// what begins within the planned downtime is left out as the warm-up is.
    pub fn of(rules: &RuleFile, start: Timestamp, scrape: Option<Duration>, deadline: Option<Timestamp>) -> Self {
        let timing = Self::new(&rules.schedule, start, scrape, deadline);
        Self { warm: timing.warm.max(start + rules.downtime), ..timing }
    }

    /// The timing of a gate that started at `start` under `schedule`, where the source
    /// has a sample every `scrape`, with the deadline moved to `deadline` where one was
    /// asked for.
    pub fn new(schedule: &Schedule, start: Timestamp, scrape: Option<Duration>, deadline: Option<Timestamp>) -> Self {
        let scrape = scrape.unwrap_or(schedule.interval);
        // Scrapes drift by a little; a grid of 15 s for samples every 15.2 s loses none.
        let slow = schedule.interval.mul_f64(SCRAPE_DRIFT) < scrape;
        let deadline = deadline.unwrap_or(start + schedule.deadline);
        // A gate that is over before a second scrape has one look, which says so.
        let interval = if slow { scrape } else { schedule.interval };
        Self {
            start,
            interval: interval.min(deadline.since(start)),
            scrape,
            warm: start + schedule.warmup,
            min_end: start + schedule.min_duration,
            deadline,
        }
    }

    /// The `index`-th interval, from 1; its end is a look.
    pub fn window(&self, index: u32) -> Window {
        Window { from: self.start + self.interval * (index - 1), to: self.start + self.interval * index }
    }

    /// The index of the last interval that ends by the deadline.
    pub fn last(&self) -> u32 {
        whole(self.deadline.since(self.start), self.interval)
    }

    /// The index of the last interval that ends by `now`, and by the deadline.
    pub fn last_by(&self, now: Timestamp) -> u32 {
        whole(now.since(self.start), self.interval).min(self.last())
    }

    /// The first interval that lies wholly after the warm-up.
    pub fn first_warm(&self) -> u32 {
        let span = self.warm.since(self.start);
        let whole = whole(span, self.interval);
        let exact = self.interval * whole == span;
        whole + if exact { 1 } else { 2 }
    }

    /// The share of the time to judge that is over at the end of interval `index`: 0 at the
    /// end of the warm-up, 1 at the last look.
    pub fn share(&self, index: u32) -> f64 {
        let span = |index| self.window(index).to.since(self.warm).as_secs_f64();
        let whole = span(self.last().max(1));
        if whole > 0.0 { span(index.max(1)) / whole } else { 1.0 }
    }

    /// The planned looks at which a PASS may be found: at the minimum duration, at each tenth
    /// of the time from there to the deadline, and at the last look. Each is moved up to the
    /// next planned one.
    pub fn pass_looks(&self) -> Vec<u32> {
        let (first, last, stride) = (self.first_warm(), self.last(), self.stride());
        let rest = self.deadline.since(self.min_end);
        let at = |tenth: u32| {
            let span = self.min_end.since(self.start) + rest * tenth / PASS_PARTS;
            let index = u32::try_from(span.as_millis().div_ceil(self.interval.as_millis().max(1))).unwrap_or(u32::MAX);
            let index = index.clamp(first.min(last), last);
            last - (last - index) / stride * stride
        };
        let mut looks: Vec<u32> = (0..=PASS_PARTS).map(at).filter(|index| self.is_planned(*index)).collect();
        looks.dedup();
        looks
    }

    /// Every planned look, in order.
    pub fn planned_looks(&self) -> Vec<u32> {
        (self.first_warm()..=self.last()).filter(|index| self.is_planned(*index)).collect()
    }

    /// How many looks are planned: at least 1.
    pub fn planned(&self) -> u32 {
        self.grid().div_ceil(self.stride()).max(1)
    }

    /// Whether interval `index` ends in a planned look.
    pub fn is_planned(&self, index: u32) -> bool {
        self.first_warm() <= index && index <= self.last() && (self.last() - index).is_multiple_of(self.stride())
    }

    fn grid(&self) -> u32 {
        (self.last() + 1).saturating_sub(self.first_warm())
    }

    fn stride(&self) -> u32 {
        self.grid().div_ceil(MAX_PLANNED).max(1)
    }
}

fn whole(span: Duration, interval: Duration) -> u32 {
    u32::try_from(span.as_millis() / interval.as_millis().max(1)).unwrap_or(u32::MAX)
}
