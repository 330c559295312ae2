//! A bound that no series may pass, with hysteresis.
//!
//! One sample beyond a bound is noise, and a bound that both cohorts pass is an
//! incident of somebody else's: a canary fails only when enough of its last
//! samples are beyond, the baseline's are not, and one interval later this is
//! still so, because a shared incident may reach the canary one scrape earlier
//! (statistics.md §1, threshold with hysteresis).

use crate::judge::Cause;
use crate::judge::Sizes;
use crate::judge::ThresholdReading;
use crate::judge::check::Finding;
use crate::judge::check::Reading;
use crate::rules::Bound;
use crate::rules::Breach;
use crate::series::CheckEvidence;
use crate::series::Labels;
use crate::series::Measure;
use crate::series::Observed;
use crate::series::Timestamp;
use crate::stats;
use std::collections::VecDeque;

/// The way back is this much further than the way out: the share of the bound.
const HYSTERESIS: f64 = 0.1;

/// What a threshold check remembers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ThresholdState {
    bound: Bound,
    breach: Breach,
    canary: Side,
    baseline: Option<Side>,
    /// The canary alone was in breach at the interval before.
    suspected: bool,
    failed: Option<Cause>,
    intervals: u32,
}

#[cfg(test)]
crate::judge::footprint::fields!(ThresholdState: canary, baseline);

/// The last samples of one cohort.
#[derive(Clone, Debug, Default, PartialEq)]
struct Side {
    recent: VecDeque<f64>,
    last: Option<(f64, Labels)>,
    samples: f64,
    /// Samples beyond the bound.
    exceeding: f64,
    in_breach: bool,
}

#[cfg(test)]
crate::judge::footprint::fields!(Side: recent);

impl ThresholdState {
    pub(crate) fn new(bound: Bound, breach: Breach) -> Self {
        Self { bound, breach, canary: Side::default(), baseline: None, suspected: false, failed: None, intervals: 0 }
    }

    /// Takes one interval's samples; false where there were none.
    pub(crate) fn fold(&mut self, evidence: &CheckEvidence, at: Timestamp) -> bool {
        self.intervals = self.intervals.saturating_add(1);
        let fresh = self.canary.take(self.bound, self.breach, &evidence.canary);
        let baseline_fresh = match &evidence.baseline {
            Some(observed) => self.baseline.get_or_insert_default().take(self.bound, self.breach, observed),
            None => true,
        };
        if fresh && baseline_fresh && self.failed.is_none() {
            let alone = self.canary.in_breach && !self.baseline_in_breach();
            if alone && self.suspected {
                self.failed = self.canary.last.clone().map(|(value, series)| Cause::ThresholdBreached {
                    value,
                    bound: limit(self.bound),
                    series,
                    at,
                });
            }
            self.suspected = alone;
        }
        fresh || evidence.baseline.is_some() && baseline_fresh
    }

    /// What it reads and finds; any look may ask.
    pub(crate) fn look(&self) -> Finding {
        let n =
            Sizes { canary: self.canary.samples, baseline: self.baseline.as_ref().map_or(0.0, |side| side.samples) };
        let open = self.open();
        let settled = Cause::TooFewSamples { have: 0.0, need: f64::from(self.breach.samples) };
        let reading = Reading { n, details: self.false_alarm(), ..Reading::default() };
        Finding {
            worse: self.failed.clone(),
            within: open.is_none(),
            ..Finding::open(reading, open.unwrap_or(settled))
        }
    }

    /// How often the baseline was beyond the bound, and how surely a canary like it would have
    /// been called in breach by now at the most (a union bound over samples that do not depend
    /// on each other).
    fn false_alarm(&self) -> Vec<(&'static str, f64)> {
        let Some(baseline) = self.baseline.as_ref().filter(|side| side.samples > 0.0) else { return Vec::new() };
        let exceedance = baseline.exceeding / baseline.samples;
        let Breach { count, samples } = self.breach;
        let alarm = stats::breach_false_alarm(exceedance, count, samples, self.intervals);
        vec![("baseline_exceedance", exceedance), ("false_alarm_at_most", alarm)]
    }

    /// Why it is not inside for sure, if it is not.
    fn open(&self) -> Option<Cause> {
        let bound = limit(self.bound);
        let value = self.canary.value();
        if self.is_environment() {
            let baseline = self.baseline.as_ref().map_or(0.0, Side::value);
            return Some(Cause::Environment { canary: value, baseline, bound });
        }
        if self.canary.in_breach {
            return Some(Cause::BreachToConfirm { value, bound });
        }
        let need = f64::from(self.breach.samples);
        let have = self.canary.samples.min(need);
        if have < need {
            return Some(Cause::TooFewSamples { have, need });
        }
        let beyond = self.canary.beyond(self.bound);
        if beyond > 0 {
            return Some(Cause::SamplesBeyondBound { beyond, samples: self.breach.samples, bound });
        }
        None
    }

    /// Whether both cohorts are beyond the bound.
    pub(crate) fn is_environment(&self) -> bool {
        self.failed.is_none() && self.canary.in_breach && self.baseline_in_breach()
    }

    /// What it saw last.
    pub(crate) fn reading(&self) -> ThresholdReading {
        ThresholdReading {
            bound: limit(self.bound),
            is_max: matches!(self.bound, Bound::Max(_)),
            canary: self.canary.last.clone(),
            baseline: self.baseline.as_ref().and_then(|side| side.last.clone()),
            beyond: self.canary.beyond(self.bound),
            count: self.breach.count,
            samples: self.breach.samples,
        }
    }

    fn baseline_in_breach(&self) -> bool {
        self.baseline.as_ref().is_some_and(|side| side.in_breach)
    }
}

impl Side {
    /// Takes the interval's sample; false where there was none.
    fn take(&mut self, bound: Bound, breach: Breach, observed: &Observed) -> bool {
        let Measure::Worst { value, series } = &observed.measure else {
            return false;
        };
        self.recent.push_back(*value);
        if self.recent.len() > breach.samples as usize {
            self.recent.pop_front();
        }
        self.last = Some((*value, series.clone()));
        self.samples += 1.0;
        self.exceeding += if is_beyond(bound, *value) { 1.0 } else { 0.0 };
        if self.in_breach {
            let full = self.recent.len() == breach.samples as usize;
            self.in_breach = !(full && self.recent.iter().all(|value| is_well_inside(bound, *value)));
        } else {
            self.in_breach = self.beyond(bound) >= breach.count;
        }
        true
    }

    fn beyond(&self, bound: Bound) -> u32 {
        self.recent.iter().map(|value| u32::from(is_beyond(bound, *value))).sum()
    }

    fn value(&self) -> f64 {
        self.last.as_ref().map_or(0.0, |(value, _)| *value)
    }
}

fn limit(bound: Bound) -> f64 {
    match bound {
        Bound::Max(limit) | Bound::Min(limit) => limit,
    }
}

fn is_beyond(bound: Bound, value: f64) -> bool {
    match bound {
        Bound::Max(max) => value > max,
        Bound::Min(min) => value < min,
    }
}

fn is_well_inside(bound: Bound, value: f64) -> bool {
    match bound {
        Bound::Max(max) => value <= max - HYSTERESIS * max.abs(),
        Bound::Min(min) => value >= min + HYSTERESIS * min.abs(),
    }
}
