//! What one cohort showed in one window, on its way to evidence.

use crate::series::Buckets;
use crate::series::Fault;
use crate::series::Labels;
use crate::series::Measure;
use crate::series::Notice;
use crate::series::Observed;
use crate::series::Series;
use crate::series::Window;
use crate::series::counter::Tally;
use crate::series::counter::Total;
use crate::series::gauge;
use crate::series::gauge::Extreme;
use crate::series::gauge::Point;
use crate::series::histogram;
use crate::series::histogram::Cumulative;
use crate::series::histogram::Histogram;
use crate::series::native::Histograms;
use crate::series::spread::Spread;
use crate::sources::Answer;
use crate::sources::gather::counters::Counters;
use crate::sources::gather::counters::MAX_SERIES;
use crate::sources::gather::instances;
use crate::sources::gather::instances::Apart;
use crate::sources::gather::instances::Counted;
use crate::sources::gather::instances::Part;
use std::collections::BTreeSet;

/// What one cohort showed in one window, on its way to evidence.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) observed: Observed,
    /// A classic histogram's counts, until both cohorts are on the same bounds.
    pub(super) cumulative: Cumulative,
    /// A native histogram's, likewise; `None` where none is read.
    pub(super) spread: Option<Spread>,
    pub(super) faults: BTreeSet<Fault>,
    pub(super) notices: BTreeSet<Notice>,
    /// Series with a gap. In a ratio one series may be among the bad and among all.
    pub(super) gaps: BTreeSet<&'a Labels>,
    /// Series that start at their first sample.
    pub(super) starts: BTreeSet<&'a Labels>,
    /// What is kept apart.
    apart: Apart<'a>,
    /// Whether there are more events than can be counted.
    pub(super) is_beyond: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn nothing(expected: u32, apart: Apart<'a>) -> Self {
        Self {
            observed: Observed::nothing(expected),
            cumulative: Cumulative::default(),
            spread: None,
            faults: BTreeSet::new(),
            notices: BTreeSet::new(),
            gaps: BTreeSet::new(),
            starts: BTreeSet::new(),
            apart,
            is_beyond: false,
        }
    }

    /// Nothing was seen, for the reason that `message` gives.
    pub(super) fn refuse(&mut self, message: String) {
        self.observed = Observed::nothing(self.observed.expected);
        self.faults.insert(Fault::PartialAnswer { message });
    }

    /// What `series`, one of `counters`, counted.
    pub(super) fn tally(&mut self, counters: &Counters<'_>, series: &'a Series, window: Window) -> Tally {
        let (tally, fault) = counters.tally(series, window);
        self.faults.extend(fault);
        self.note(&tally, series.labels());
        tally
    }

    pub(super) fn note(&mut self, tally: &Tally, series: &'a Labels) {
        self.gaps.extend(tally.gap.then_some(series));
        self.starts.extend(tally.start.then_some(series));
    }

    pub(super) fn ratio(&mut self, part: &Counters<'a>, is: Part, total: &Counters<'a>, window: Window) {
        let apart = self.apart;
        let [part, total] = [part, total].map(|counters| {
            let mut counted = Counted::by(apart);
            for series in counters.series() {
                counted.add(series.labels(), &self.tally(counters, series, window));
            }
            counted
        });
        self.divide_events(&part, &total, is);
    }

    /// Takes for events what `total` counted, of which `part` is one part.
    pub(super) fn divide_events(&mut self, part: &Counted<'_>, total: &Counted<'_>, is: Part) {
        self.is_beyond = total.all.increase.is_some_and(f64::is_infinite);
        if let Some(events) = instances::events(&part.all, &total.all, is, &mut self.notices) {
            self.observed.measure = events;
        }
        self.observed.instances = instances::counts(part, total, is, &mut self.notices);
        self.look(&total.all);
        self.look(&Total { seen: 0, ..part.all });
    }

    /// Each sample is an event, good where it is at least 1.
    pub(super) fn up(&mut self, gauge: &Counters<'a>, window: Window) {
        let (mut good, mut total) = (Counted::by(self.apart), Counted::by(self.apart));
        for series in gauge.series() {
            let (tally, up) = gauge::ups(series, window);
            let events = Some(f64::from(tally.samples)).filter(|events| *events > 0.0);
            good.add_events(series.labels(), &Tally::default(), Some(f64::from(up)));
            total.add_events(series.labels(), &tally, events);
        }
        self.divide_events(&good, &total, Part::Good);
    }

    pub(super) fn histograms(&mut self, counters: &Counters<'a>, histograms: &'a [Histogram], window: Window) {
        let mut sum = Total::default();
        for one in histograms {
            let mut counts = Vec::with_capacity(one.buckets.len());
            for (bound, series) in &one.buckets {
                let tally = self.tally(counters, series, window);
                sum.look(&tally);
                counts.extend(tally.increase().map(|increase| (*bound, increase)));
            }
            if counts.len() > histogram::MAX_BOUNDS {
                self.cumulative = Cumulative::default();
                self.refuse(format!("not read: more than {} buckets in one histogram", histogram::MAX_BOUNDS));
                return;
            }
            self.cumulative.add(counts);
        }
        self.look(&sum);
    }

    pub(super) fn native(&mut self, counters: &Counters<'_>, histograms: &'a [Histograms], window: Window) {
        let (mut sum, mut all) = (Total::default(), None);
        for one in histograms {
            let (tally, spread, fault) = counters.tally_native(one, window);
            self.faults.extend(fault);
            self.note(&tally, one.counts().labels());
            sum.look(&tally);
            if let Some(spread) = spread {
                all.get_or_insert_with(Spread::default).add(&spread);
            }
        }
        self.spread = all;
        self.look(&sum);
    }

    /// Takes the counts by bucket, now that both cohorts are on the same bounds.
    pub(super) fn set_buckets(&mut self, buckets: Option<Buckets>) {
        if let Some(buckets) = buckets {
            self.observed.measure = Measure::Buckets(buckets);
        }
    }

    pub(super) fn rate(&mut self, counters: &Counters<'a>, per_second: bool, instance: &[String], window: Window) {
        let mut sum = Total::default();
        let mut rates = Vec::new();
        let seconds = if per_second { 1.0 } else { window.length().as_secs_f64() };
        for series in counters.series() {
            let tally = self.tally(counters, series, window);
            sum.look(&tally);
            rates.extend(tally.rate().map(|rate| (series.labels(), rate * seconds)));
        }
        self.look(&sum);
        self.average(rates, instance);
    }

    pub(super) fn mean(&mut self, answer: &Answer, instance: &[String], window: Window) {
        let values = self.values(&answer.series, window);
        self.average(values, instance);
    }

    pub(super) fn worst(&mut self, answer: &Answer, extreme: Extreme, window: Window) {
        let values = self.values(&answer.series, window);
        if let Some((series, value)) = gauge::worst(values, extreme) {
            self.observed.measure = Measure::Worst { value, series: series.clone() };
        }
    }

    /// The values at the end of `window`, each series having one or none.
    fn values<'s>(&mut self, all: &'s [Series], window: Window) -> Vec<(&'s Labels, f64)> {
        let mut values = Vec::new();
        for series in all {
            match gauge::point(series, window.to) {
                Point::Nothing => {}
                Point::Value(value) => values.push((series.labels(), value)),
                Point::NotANumber => self.observed.nan = self.observed.nan.saturating_add(1),
                Point::Infinite => self.observed.infinite = self.observed.infinite.saturating_add(1),
            }
        }
        if values.len() > MAX_SERIES {
            self.refuse(format!("not read: more than {MAX_SERIES} series in one interval"));
            return Vec::new();
        }
        self.observed.seen = u32::from(!values.is_empty());
        values
    }

    fn average(&mut self, values: Vec<(&Labels, f64)>, instance: &[String]) {
        self.observed.instances = instances::values(&values, self.apart, &mut self.notices);
        let mean = gauge::mean(values, instance);
        if let Some(value) = mean.value {
            self.observed.measure = Measure::Value(value);
        }
        if mean.is_nameless {
            self.notices.insert(Notice::NoInstanceLabel);
        }
    }

    /// Takes the mean for each of `per`: where either is unknown, both are.
    pub(super) fn divide(&mut self, mut per: Self) {
        self.observed.measure = match (&self.observed.measure, &per.observed.measure) {
            (Measure::Value(value), Measure::Value(per)) if *per >= 0.0 => Measure::Rated { value: *value, per: *per },
            _ => Measure::Nothing,
        };
        let share = |observed: &Observed| f64::from(observed.seen) / f64::from(observed.expected);
        if share(&per.observed) < share(&self.observed) {
            (self.observed.seen, self.observed.expected) = (per.observed.seen, per.observed.expected);
        }
        self.observed.nan = self.observed.nan.max(per.observed.nan);
        self.observed.infinite = self.observed.infinite.max(per.observed.infinite);
        self.faults.append(&mut per.faults);
        self.notices.append(&mut per.notices);
        self.gaps.append(&mut per.gaps);
        self.starts.append(&mut per.starts);
    }

    /// Counts samples instance by instance where some of them are missing and some are
    /// there: the fullest alone would stand for the dead.
    pub(super) fn thin(&mut self, present: &[bool]) {
        let all = u32::try_from(present.len()).unwrap_or(u32::MAX);
        let here = u32::try_from(present.iter().filter(|here| **here).count()).unwrap_or(u32::MAX);
        if 0 < here && here < all {
            self.observed.seen = self.observed.seen.saturating_mul(here);
            self.observed.expected = self.observed.expected.saturating_mul(all);
        }
    }

    fn look(&mut self, total: &Total) {
        self.observed.seen = self.observed.seen.max(total.seen);
        self.observed.nan = self.observed.nan.saturating_add(total.nan);
        self.observed.infinite = self.observed.infinite.saturating_add(total.infinite);
    }
}
