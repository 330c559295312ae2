//! What one check sees of a wave: a gauge, a ratio, a histogram or a bound, of two cohorts.
//!
//! A level (the gauge's value, the error rate, the latency) is the product of what
//! moves both cohorts, what moves each by itself and, of the canary, what the
//! upgrade changed.

use crate::plan::traffic::Latency;
use crate::plan::traffic::Random;
use crate::plan::traffic::noise::Noise;
use crate::plan::traffic::noise::Place;
use crate::plan::traffic::noise::Walk;
use crate::series::CheckEvidence;
use crate::series::InstanceEvidence;
use crate::series::Labels;
use crate::series::Measure;
use crate::series::Observed;

/// Of each cohort, the canary first.
pub type Cohorts<T> = [T; 2];

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub enum What {
    /// A value around 1, rounded to a multiple of this; 0 rounds nothing.
    Gauge(f64),
    /// Poisson requests a second, and the share of them that fails.
    Ratio {
        /// Requests a second.
        rates: Cohorts<f64>,
        /// Share of bad ones.
        errors: Cohorts<f64>,
    },
    /// Poisson requests a second with lognormal latencies.
    Histogram {
        /// Requests a second.
        rates: Cohorts<f64>,
        /// How long they take.
        latency: Latency,
    },
    /// A value around 1, and the events a second of an instance that it is divided by.
    Rated {
        /// Events a second.
        rates: Cohorts<f64>,
        /// Instances that share them, whether they are told apart or not.
        among: Cohorts<u32>,
    },
    /// The worst series of a cohort: `inside` the bound until the level is twice as high.
    Worst {
        /// Its value on an ordinary day.
        inside: f64,
        /// Its value beyond that.
        outside: f64,
    },
}

/// From this many times the level on a bound is broken.
const BREAKING: f64 = 2.0;

/// What every signal of a wave sees alike in one interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shared {
    /// The logarithm of the level of what is exposed to it.
    pub(super) moved: f64,
    /// Where traffic is in its swing over a day, in [-1, 1].
    pub(super) swing: f64,
}

/// What the upgrade does to the canary's level.
#[derive(Clone, Copy, Debug)]
pub enum Change {
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
pub struct Signal {
    what: What,
    /// What the values of a gauge are around.
    value: f64,
    common: Vec<Noise>,
    whole: Vec<Noise>,
    own: Cohorts<Vec<Noise>>,
    instances: Cohorts<u32>,
    change: Change,
    missing: f64,
    exposure: f64,
    diurnal: f64,
    samples: u32,
    is_alone: bool,
}

impl Signal {
    /// Without noise, instances or change.
    pub fn new(what: What) -> Self {
        Self {
            what,
            value: 1.0,
            common: Vec::new(),
            whole: Vec::new(),
            own: [Vec::new(), Vec::new()],
            instances: [1; 2],
            change: Change::Step(1.0),
            missing: 0.0,
            exposure: 0.0,
            diurnal: 0.0,
            samples: 1,
            is_alone: false,
        }
    }

    /// A value around 1 that moves in each cohort by itself.
    pub fn gauge(own: &[Noise]) -> Self {
        Self::new(What::Gauge(0.0)).own(own)
    }

    /// Requests a second and the share of bad ones, the same rates in both cohorts.
    pub fn ratio(rate: f64, errors: Cohorts<f64>) -> Self {
        Self::new(What::Ratio { rates: [rate; 2], errors })
    }

    /// Latencies of so many requests a second in each cohort.
    pub fn histogram(rate: f64) -> Self {
        Self::new(What::Histogram { rates: [rate; 2], latency: Latency::default() })
    }

    /// The value comes in multiples of `unit`.
    #[must_use]
    pub fn rounded(self, unit: f64) -> Self {
        Self { what: What::Gauge(unit), ..self }
    }

    /// The baseline has `times` the canary's traffic.
    #[must_use]
    pub fn baseline_traffic(self, times: f64) -> Self {
        let wider = |[canary, _]: Cohorts<f64>| [canary, times * canary];
        let what = match self.what {
            What::Ratio { rates, errors } => What::Ratio { rates: wider(rates), errors },
            What::Histogram { rates, latency } => What::Histogram { rates: wider(rates), latency },
            What::Rated { rates, among } => What::Rated { rates: wider(rates), among },
            What::Gauge(_) | What::Worst { .. } => self.what,
        };
        Self { what, ..self }
    }

    /// What moves both cohorts alike.
    #[must_use]
    pub fn common(self, common: &[Noise]) -> Self {
        Self { common: common.to_vec(), ..self }
    }

    /// What moves each instance by itself.
    #[must_use]
    pub fn own(self, own: &[Noise]) -> Self {
        self.own_of([own, own])
    }

    /// What moves each instance of the canary, and of the baseline, by itself.
    #[must_use]
    pub fn own_of(self, own: Cohorts<&[Noise]>) -> Self {
        Self { own: own.map(<[Noise]>::to_vec), ..self }
    }

    /// What moves all instances of a cohort, each cohort by itself.
    #[must_use]
    pub fn whole(self, whole: &[Noise]) -> Self {
        Self { whole: whole.to_vec(), ..self }
    }

    /// A cohort is made of so many instances, at least 1, that move by themselves and share
    /// its traffic evenly.
    #[must_use]
    pub fn instances(self, instances: Cohorts<u32>) -> Self {
        Self { instances, ..self }
    }

    /// What the upgrade does.
    #[must_use]
    pub fn change(self, change: Change) -> Self {
        Self { change, ..self }
    }

    /// This share of the intervals lacks one cohort.
    #[must_use]
    pub fn missing(self, missing: f64) -> Self {
        Self { missing, ..self }
    }

    /// How much of what moves the whole wave moves this: a power of its factor.
    #[must_use]
    pub fn exposure(self, exposure: f64) -> Self {
        Self { exposure, ..self }
    }

    /// A gauge's values are around this.
    #[must_use]
    pub fn value(self, value: f64) -> Self {
        Self { value, ..self }
    }

    /// How far traffic, and with it a gauge, swings over a day, in [0, 1).
    #[must_use]
    pub fn diurnal(self, diurnal: f64) -> Self {
        Self { diurnal, ..self }
    }

    /// Samples of a series in an interval.
    #[must_use]
    pub fn samples(self, samples: u32) -> Self {
        Self { samples, ..self }
    }

    /// The canary's share of bad events, where events are counted; the baseline's stays.
    #[must_use]
    pub fn canary_errors(self, canary: f64) -> Self {
        let what = match self.what {
            What::Ratio { rates, errors: [_, baseline] } => What::Ratio { rates, errors: [canary, baseline] },
            What::Histogram { .. } | What::Gauge(_) | What::Rated { .. } | What::Worst { .. } => self.what,
        };
        Self { what, ..self }
    }

    /// There is no baseline.
    #[must_use]
    pub fn alone(self) -> Self {
        Self { is_alone: true, ..self }
    }

    /// Whether it depends on the time of the day.
    pub(super) fn swings(&self) -> bool {
        self.diurnal > 0.0
    }
}

/// A signal in one wave.
#[derive(Debug)]
pub(super) struct Running<'s> {
    signal: &'s Signal,
    seconds: f64,
    common: Vec<Walk>,
    whole: Cohorts<Vec<Walk>>,
    own: Cohorts<Vec<Vec<Walk>>>,
}

impl<'s> Running<'s> {
    /// At the start of a wave with an interval of so many seconds.
    pub(super) fn new(signal: &'s Signal, seconds: f64, random: &mut Random) -> Self {
        let mut walks =
            |noises: &[Noise]| -> Vec<Walk> { noises.iter().map(|noise| Walk::new(*noise, random)).collect() };
        let common = walks(&signal.common);
        let whole = [walks(&signal.whole), walks(&signal.whole)];
        let own = [0, 1].map(|cohort| (0..signal.instances[cohort]).map(|_| walks(&signal.own[cohort])).collect());
        Self { signal, seconds, common, whole, own }
    }

    /// The next interval.
    pub(super) fn step(&mut self, random: &mut Random, place: Place, shared: Shared) -> CheckEvidence {
        let Shared { moved, swing } = shared;
        let both = total(&mut self.common, random, place) + self.signal.exposure * moved;
        let load = 1.0 + self.signal.diurnal * swing;
        let whole = self.whole.each_mut().map(|walks| both + total(walks, random, place));
        let mut levels = [Vec::new(), Vec::new()];
        for ((levels, own), whole) in levels.iter_mut().zip(&mut self.own).zip(whole) {
            levels.extend(own.iter_mut().map(|walks| (whole + total(walks, random, place)).exp()));
        }
        let [mut canary, baseline] = levels;
        for (instance, level) in canary.iter_mut().enumerate() {
            *level *= self.change(place, instance);
        }
        let canary = self.observe(random, 0, &canary, load);
        let mut observed = [canary, self.observe(random, 1, &baseline, load)];
        if random.unit() < self.signal.missing {
            let lost = usize::from(random.unit() < 0.5);
            observed[lost] = Observed::nothing(self.signal.samples);
        }
        let [canary, baseline] = observed;
        let baseline = (!self.signal.is_alone).then_some(baseline);
        CheckEvidence { canary, baseline, faults: Vec::new(), notices: Vec::new() }
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

    /// What a cohort whose instances have these levels shows, with so many times its usual traffic.
    fn observe(&self, random: &mut Random, cohort: usize, levels: &[f64], load: f64) -> Observed {
        let count = f64::from(self.signal.instances[cohort]);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
        let seconds = self.seconds * load;
        match self.signal.what {
            What::Gauge(unit) => {
                let round = |level: f64| if unit > 0.0 { (level / unit).round() * unit } else { level };
                let value = |level: &f64| self.signal.value * load * round(*level);
                let values: Vec<f64> = levels.iter().map(value).collect();
                let instances = named(cohort, values.iter().map(|value| Measure::Value(*value)));
                self.seen(Measure::Value(mean(&values)), instances)
            }
            What::Rated { rates, among } => {
                let value = self.signal.value * load * mean(levels);
                let per = random.events(seconds * rates[cohort]) / self.seconds / f64::from(among[cohort]);
                self.seen(Measure::Rated { value, per }, Vec::new())
            }
            What::Ratio { rates, errors } => {
                let requests = seconds * rates[cohort] / count;
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
                self.seen(Measure::Counts { bad, total }, instances)
            }
            What::Histogram { rates, latency } => {
                let mut tail = (0.0, 1.0);
                if let Change::Tail(share, factor) = self.signal.change
                    && cohort == 0
                {
                    tail = (share, factor);
                }
                self.seen(latency.draw(random, seconds * rates[cohort], mean(levels), tail), Vec::new())
            }
            What::Worst { inside, outside } => {
                let value = if mean(levels) < BREAKING { inside } else { outside };
                let series = Labels::from_iter([("instance".to_owned(), format!("{cohort}-0"))]);
                self.seen(Measure::Worst { value, series }, Vec::new())
            }
        }
    }

    /// All samples arrived, and nothing was wrong with them.
    fn seen(&self, measure: Measure, instances: Vec<InstanceEvidence>) -> Observed {
        let samples = self.signal.samples;
        Observed { measure, instances, seen: samples, expected: samples, nan: 0, infinite: 0 }
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
