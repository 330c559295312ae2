//! The grid of looks.
//!
//! Looks lie on start + k·interval whatever the clock does, so a verdict does
//! not depend on when it was computed. At most [`MAX_PLANNED`] of them decide
//! by a divided risk; the grid is thinned from its end, so the last look is
//! always a planned one.

use crate::rules::Schedule;
use crate::series::Timestamp;
use crate::series::Window;
use std::time::Duration;

/// Planned looks of a gate: each further one costs power and adds little.
pub const MAX_PLANNED: u32 = 60;

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
