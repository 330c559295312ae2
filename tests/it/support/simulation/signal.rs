//! What one check sees of a wave: a gauge, a ratio or a histogram of two cohorts.
//!
//! A level (the gauge's value, the error rate, the latency) is the product of what
//! moves both cohorts, what moves each by itself and, of the canary, what the
//! upgrade changed.

use crate::support::random::Random;
use crate::support::simulation::latency;
use crate::support::simulation::noise::Noise;
use crate::support::simulation::noise::Place;
use crate::support::simulation::noise::Walk;
use wavegate::series::CheckEvidence;
use wavegate::series::InstanceEvidence;
use wavegate::series::Measure;
use wavegate::series::Observed;

/// Of each cohort, the canary first.
pub(crate) type Cohorts<T> = [T; 2];

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// A value around 1, rounded to a multiple of this; 0 rounds nothing.
    Gauge(f64),
    /// Poisson requests a second, and the share of them that fails.
    Ratio {
        /// Requests a second.
        rates: Cohorts<f64>,
        /// Share of bad ones.
        errors: Cohorts<f64>,
    },
    /// Poisson requests a second with lognormal latencies (see [`latency`]).
    Histogram {
        /// Requests a second.
        rates: Cohorts<f64>,
    },
}

/// What the upgrade does to the canary's level.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// So many times the level, from the start.
    Step(f64),
    /// Evenly from no change to so many times the level at the end.
    Ramp(f64),
    /// So many times the level in the last intervals.
    Last(u32, f64),
    /// This share of a histogram's requests takes so many times as long.
    Tail(f64, f64),
    /// So many times the level of a single instance.
    OneInstance(f64),
}

/// One check's view.
#[derive(Clone, Debug)]
pub(crate) struct Signal {
    what: What,
    common: Vec<Noise>,
    own: Vec<Noise>,
    instances: Cohorts<u32>,
    change: Change,
    missing: f64,
    exposure: f64,
}

impl Signal {
    fn new(what: What, own: &[Noise]) -> Self {
        Self {
            what,
            common: Vec::new(),
            own: own.to_vec(),
            instances: [1; 2],
            change: Change::Step(1.0),
            missing: 0.0,
            exposure: 0.0,
        }
    }

    /// A value around 1 that moves in each cohort by itself.
    pub(crate) fn gauge(own: &[Noise]) -> Self {
        Self::new(What::Gauge(0.0), own)
    }

    /// Requests a second and the share of bad ones, the same rates in both cohorts.
    pub(crate) fn ratio(rate: f64, errors: Cohorts<f64>) -> Self {
        Self::new(What::Ratio { rates: [rate; 2], errors }, &[])
    }

    /// Latencies of so many requests a second in each cohort.
    pub(crate) fn histogram(rate: f64) -> Self {
        Self::new(What::Histogram { rates: [rate; 2] }, &[])
    }

    /// The value comes in multiples of `unit`.
    pub(crate) fn rounded(self, unit: f64) -> Self {
        Self { what: What::Gauge(unit), ..self }
    }

    /// The baseline has `times` the canary's traffic.
    pub(crate) fn baseline_traffic(self, times: f64) -> Self {
        let wider = |[canary, _]: Cohorts<f64>| [canary, times * canary];
        let what = match self.what {
            What::Ratio { rates, errors } => What::Ratio { rates: wider(rates), errors },
            What::Histogram { rates } => What::Histogram { rates: wider(rates) },
            What::Gauge(_) => self.what,
        };
        Self { what, ..self }
    }

    /// What moves both cohorts alike.
    pub(crate) fn common(self, common: &[Noise]) -> Self {
        Self { common: common.to_vec(), ..self }
    }

    /// What moves each cohort by itself.
    pub(crate) fn own(self, own: &[Noise]) -> Self {
        Self { own: own.to_vec(), ..self }
    }

    /// A cohort is made of so many instances that move by themselves and share its
    /// traffic evenly.
    pub(crate) fn instances(self, instances: Cohorts<u32>) -> Self {
        Self { instances, ..self }
    }

    /// What the upgrade does.
    pub(crate) fn change(self, change: Change) -> Self {
        Self { change, ..self }
    }

    /// This share of the intervals lacks one cohort.
    pub(crate) fn missing(self, missing: f64) -> Self {
        Self { missing, ..self }
    }

    /// How much of what moves the whole wave moves this: a power of its factor.
    pub(crate) fn exposure(self, exposure: f64) -> Self {
        Self { exposure, ..self }
    }
}

/// A signal in one wave.
#[derive(Debug)]
pub(crate) struct Running<'s> {
    signal: &'s Signal,
    seconds: f64,
    common: Vec<Walk>,
    own: Cohorts<Vec<Vec<Walk>>>,
}

impl<'s> Running<'s> {
    /// At the start of a wave with an interval of so many seconds.
    pub(crate) fn new(signal: &'s Signal, seconds: f64, random: &mut Random) -> Self {
        let mut walks =
            |noises: &[Noise]| -> Vec<Walk> { noises.iter().map(|noise| Walk::new(*noise, random)).collect() };
        let common = walks(&signal.common);
        let own = signal.instances.map(|instances| (0..instances).map(|_| walks(&signal.own)).collect());
        Self { signal, seconds, common, own }
    }

    /// The next interval, in which what moves the whole wave has this logarithm.
    pub(crate) fn step(&mut self, random: &mut Random, place: Place, shared: f64) -> CheckEvidence {
        let both = total(&mut self.common, random, place) + self.signal.exposure * shared;
        let mut level = |walks: &mut Vec<Walk>| (both + total(walks, random, place)).exp();
        let [mut canary, baseline] = self.own.each_mut().map(|own| own.iter_mut().map(&mut level).collect::<Vec<_>>());
        for (instance, level) in canary.iter_mut().enumerate() {
            *level *= self.change(place, instance);
        }
        let mut observed = [self.observe(random, 0, &canary), self.observe(random, 1, &baseline)];
        if random.unit() < self.signal.missing {
            let lost = usize::from(random.unit() < 0.5);
            observed[lost] = Observed::nothing(1);
        }
        let [canary, baseline] = observed;
        CheckEvidence { canary, baseline: Some(baseline), faults: Vec::new(), notices: Vec::new() }
    }

    /// How many times the level of this instance of the canary it is here.
    fn change(&self, place: Place, instance: usize) -> f64 {
        match self.signal.change {
            Change::Step(factor) => factor,
            Change::Ramp(factor) => 1.0 + (factor - 1.0) * place.share(),
            Change::Last(intervals, factor) if place.last < place.index + intervals => factor,
            Change::OneInstance(factor) if instance == 0 => factor,
            Change::Last(..) | Change::Tail(..) | Change::OneInstance(_) => 1.0,
        }
    }

    /// What a cohort whose instances have these levels shows.
    fn observe(&self, random: &mut Random, cohort: usize, levels: &[f64]) -> Observed {
        let count = f64::from(self.signal.instances[cohort]);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
        match self.signal.what {
            What::Gauge(unit) => {
                let round = |level: &f64| if unit > 0.0 { (level / unit).round() * unit } else { *level };
                let values: Vec<f64> = levels.iter().map(round).collect();
                let instances = named(cohort, values.iter().map(|value| Measure::Value(*value)));
                seen(Measure::Value(mean(&values)), instances)
            }
            What::Ratio { rates, errors } => {
                let requests = self.seconds * rates[cohort] / count;
                let counts: Vec<[f64; 2]> = levels
                    .iter()
                    .map(|level| {
                        let share = (level * errors[cohort]).min(1.0);
                        // Poisson requests of which some are bad: two independent Poisson counts.
                        let bad = random.events(requests * share);
                        [bad, bad + random.events(requests * (1.0 - share))]
                    })
                    .collect();
                let [bad, total] = [0, 1].map(|part| counts.iter().map(|counts| counts[part]).sum::<f64>());
                let instances = counts.into_iter().map(|[bad, total]| Measure::Counts { bad, total });
                let instances = named(cohort, instances);
                seen(Measure::Counts { bad, total }, instances)
            }
            What::Histogram { rates } => {
                let mut tail = (0.0, 1.0);
                if let Change::Tail(share, factor) = self.signal.change
                    && cohort == 0
                {
                    tail = (share, factor);
                }
                seen(latency::draw(random, self.seconds * rates[cohort], mean(levels), tail), Vec::new())
            }
        }
    }
}

/// What instances show, by names of their cohort; nothing tells a single one apart.
fn named(cohort: usize, measures: impl ExactSizeIterator<Item = Measure>) -> Vec<InstanceEvidence> {
    if measures.len() < 2 {
        return Vec::new();
    }
    let name = |(instance, measure)| InstanceEvidence { name: format!("{cohort}-{instance}"), measure };
    measures.enumerate().map(name).collect()
}

fn total(walks: &mut [Walk], random: &mut Random, place: Place) -> f64 {
    walks.iter_mut().map(|walk| walk.step(random, place)).sum()
}

fn seen(measure: Measure, instances: Vec<InstanceEvidence>) -> Observed {
    Observed { measure, instances, seen: 1, expected: 1, nan: 0, infinite: 0 }
}
