//! From what a test gives to the series that a source would have.
//!
//! Samples are made by arithmetic on what is written and by nothing else, so a test
//! says the same on every machine.

use crate::rules::rule_test::notation::Point;
use crate::rules::rule_test::notation::Values;
use crate::series::Labels;
use crate::series::Sample;
use crate::series::Timestamp;
use crate::series::expr::Stored;
use std::time::Duration;

/// Names that end so are counters: noise makes their increments uneven and never lets
/// them fall.
const COUNTERS: [&str; 4] = ["_total", "_count", "_sum", "_bucket"];

/// Quantiles that the mean of a histogram's values is taken over. The mean of the
/// whole distribution is infinite where its tail is long.
const QUANTILES: u32 = 1000;

/// Most events of one interval that are drawn one by one.
const DRAWN: f64 = 200.0;

/// What one entry of `series` stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenSeries {
    /// The series; each has noise of its own.
    pub labels: Vec<Labels>,
    /// What they show.
    pub shape: Shape,
    /// The standard deviation of the noise as a share of the value, or of a counter's
    /// increment; 0 for none.
    pub noise: f64,
    /// Another seed is other noise.
    pub seed: u64,
}

/// What a series shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// One value a scrape, the first at the begin.
    Values(Values),
    /// Events of a classic histogram.
    Events(Events),
}

/// Events whose values have a log-logistic distribution: a hump with a long tail, as
/// latencies have, whose shares need no table.
#[derive(Clone, Debug, PartialEq)]
pub struct Events {
    /// A second; at least 0.
    pub rate: f64,
    /// In the unit of the buckets; above 0.
    pub median: f64,
    /// Above the median.
    pub p99: f64,
    /// Upper bounds, above 0, in increasing order; `+Inf` comes with them.
    pub buckets: Vec<f64>,
    /// From the start of the wave; nothing is exposed later.
    pub until: Option<Duration>,
}

/// When scrapes happen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scrapes {
    /// The first.
    pub(super) begin: Timestamp,
    pub(super) interval: Duration,
    /// None after.
    pub(super) end: Timestamp,
}

impl Scrapes {
    fn at(&self, k: usize) -> Timestamp {
        self.begin + self.interval.saturating_mul(u32::try_from(k).unwrap_or(u32::MAX))
    }

    pub(super) fn count(&self) -> u64 {
        let whole = self.end.since(self.begin).as_millis() / self.interval.as_millis().max(1);
        u64::try_from(whole).unwrap_or(u64::MAX).saturating_add(1)
    }
}

impl GivenSeries {
    /// How many series and samples it makes at most.
    pub(super) fn size(&self, scrapes: &Scrapes) -> (u64, u64) {
        let (series, samples) = match &self.shape {
            Shape::Values(values) => (1, values.len()),
            Shape::Events(events) => (events.buckets.len() as u64 + 3, scrapes.count()),
        };
        let series = series.saturating_mul(self.labels.len() as u64);
        (series, series.saturating_mul(samples))
    }

    /// The names of all the series that it makes.
    pub(super) fn names(&self) -> Vec<Labels> {
        match &self.shape {
            Shape::Values(_) => self.labels.clone(),
            Shape::Events(events) => self.labels.iter().flat_map(|labels| events.names(labels)).collect(),
        }
    }

    pub(super) fn stored(&self, start: Timestamp, scrapes: &Scrapes) -> Vec<Stored> {
        let one = |labels: &Labels| match &self.shape {
            Shape::Values(values) => vec![self.line(labels, values, scrapes)],
            Shape::Events(events) => self.events(labels, events, start, scrapes),
        };
        self.labels.iter().flat_map(one).collect()
    }

    fn line(&self, labels: &Labels, values: &Values, scrapes: &Scrapes) -> Stored {
        let mut stored = Stored { labels: labels.clone(), ..Stored::default() };
        let mut noise = Noise::new(self.seed, labels, self.noise);
        let is_counter = labels.get("__name__").is_some_and(|name| COUNTERS.iter().any(|end| name.ends_with(end)));
        // As it is written, and as it is with the noise so far.
        let mut last: Option<(f64, f64)> = None;
        for (k, point) in values.points().enumerate() {
            let (at, factor) = (scrapes.at(k), noise.factor());
            match point {
                Point::Value(written) => {
                    let value = match last {
                        Some((before, counted)) if is_counter && before <= written => {
                            counted + (written - before) * factor
                        }
                        // The first value of a counter, or the first after a reset.
                        _ if is_counter => written,
                        _ => written * factor,
                    };
                    last = Some((written, if self.noise > 0.0 { value } else { written }));
                    stored.samples.push(Sample { at, value: if self.noise > 0.0 { value } else { written } });
                }
                Point::Missing => {}
                Point::Stale => stored.ends.push(at),
            }
        }
        stored
    }

    fn events(&self, labels: &Labels, events: &Events, start: Timestamp, scrapes: &Scrapes) -> Vec<Stored> {
        let mut noise = Noise::new(self.seed, labels, self.noise);
        let steepness = 99_f64.ln() / (events.p99 / events.median).ln();
        let share = |bound: f64, median: f64| (1.0 + (median / bound).powf(steepness)).recip();
        let mean = mean_of_unit(steepness);
        let seconds = scrapes.interval.as_secs_f64();
        let end = events.until.map_or(scrapes.end, |until| scrapes.end.min(start + until));

        let (mut due, mut count, mut sum) = (0.0, 0.0, 0.0);
        let mut below = vec![0.0; events.buckets.len()];
        let named = events.names(labels).into_iter();
        let mut made: Vec<Stored> = named.map(|labels| Stored { labels, ..Stored::default() }).collect();
        for k in 0.. {
            let at = scrapes.at(k);
            if end < at {
                break;
            }
            if k > 0 {
                due += events.rate * seconds * noise.factor();
                let (many, median) = (due.round() - count, events.median * noise.factor());
                // A median of nothing: every value is below each bound.
                let share = |bound: &f64| if median > 0.0 { share(*bound, median) } else { 1.0 };
                noise.spread(many, &events.buckets.iter().map(share).collect::<Vec<f64>>(), &mut below);
                count += many;
                sum += many * median * mean;
            }
            let counts = below.iter().map(|below| below.round()).chain([count, count, sum]);
            for (stored, value) in made.iter_mut().zip(counts) {
                stored.samples.push(Sample { at, value });
            }
        }
        made
    }
}

impl Events {
    /// Its buckets in order, then its count and its sum.
    fn names(&self, labels: &Labels) -> Vec<Labels> {
        let buckets = self.buckets.iter().map(|bound| ("_bucket", Some(bound.to_string())));
        let rest = [("_bucket", Some("+Inf".to_owned())), ("_count", None), ("_sum", None)];
        buckets.chain(rest).map(|(suffix, bound)| suffixed(labels, suffix, bound)).collect()
    }
}

/// The mean of values whose median is 1, over [`QUANTILES`] of them.
fn mean_of_unit(steepness: f64) -> f64 {
    let value = |i: u32| {
        let share = (f64::from(i) + 0.5) / f64::from(QUANTILES);
        (share / (1.0 - share)).powf(steepness.recip())
    };
    (0..QUANTILES).map(value).sum::<f64>() / f64::from(QUANTILES)
}

fn suffixed(labels: &Labels, suffix: &str, bound: Option<String>) -> Labels {
    let name = format!("{}{suffix}", labels.get("__name__").unwrap_or_default());
    let others = labels.iter().filter(|(label, _)| *label != "__name__");
    let others = others.map(|(label, value)| (label.to_owned(), value.to_owned()));
    others.chain([("__name__".to_owned(), name)]).chain(bound.map(|bound| ("le".to_owned(), bound))).collect()
}

/// Factors around 1, the same for the same seed and labels: `SplitMix64` and the sum of
/// twelve uniform numbers, which is near enough to a normal one and exact in every
/// floating point unit.
///
/// Reference: Steele, Lea, Flood (2014), "Fast splittable pseudorandom number
/// generators"; the constants are those of their `mix64`.
struct Noise {
    state: u64,
    deviation: f64,
}

impl Noise {
    fn new(seed: u64, labels: &Labels, deviation: f64) -> Self {
        // FNV-1a: series with other labels get other noise.
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let text = labels.to_string();
        let state = seed.to_le_bytes().into_iter().chain(text.bytes()).fold(0xcbf2_9ce4_8422_2325, fold);
        Self { state, deviation }
    }

    /// Never negative.
    fn factor(&mut self) -> f64 {
        let twelve: f64 = (0..12).map(|_| self.unit()).sum();
        (1.0 + self.deviation * (twelve - 6.0)).max(0.0)
    }

    /// Adds `many` events to what is `below` each bound, of which each has its share.
    /// Few are drawn one by one, because parts of an event would all seem to lie above
    /// the last bound that rounding let them pass; many are divided by the shares.
    fn spread(&mut self, many: f64, shares: &[f64], below: &mut [f64]) {
        if many > DRAWN {
            below.iter_mut().zip(shares).for_each(|(below, share)| *below += many * share);
            return;
        }
        let mut left = many;
        while left >= 1.0 {
            let drawn = self.unit();
            below.iter_mut().zip(shares).for_each(|(below, share)| *below += if drawn < *share { 1.0 } else { 0.0 });
            left -= 1.0;
        }
    }

    /// In [0, 1).
    fn unit(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        #[expect(clippy::cast_precision_loss, reason = "53 bits are left")]
        let unit = (bits >> 11) as f64 / (1_u64 << 53) as f64;
        unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(name: &str) -> Labels {
        [("__name__".to_owned(), name.to_owned()), ("pod".to_owned(), "a".to_owned())].into_iter().collect()
    }

    fn given(name: &str, values: &str, noise: f64) -> GivenSeries {
        let values = Values::parse(values).unwrap();
        GivenSeries { labels: vec![labels(name)], shape: Shape::Values(values), noise, seed: 7 }
    }

    fn scrapes(minutes: u64) -> Scrapes {
        let begin = Timestamp::from_millis(1_790_000_000_000);
        Scrapes { begin, interval: Duration::from_secs(15), end: begin + Duration::from_mins(minutes) }
    }

    fn values(given: &GivenSeries) -> Vec<f64> {
        let scrapes = scrapes(60);
        given.stored(scrapes.begin, &scrapes)[0].samples.iter().map(|sample| sample.value).collect()
    }

    #[test]
    fn without_noise_everything_is_as_it_is_written() {
        assert_eq!(values(&given("c_total", "5 0.1+0.1x2 _ 3", 0.0)), [5.0, 0.1, 0.2, 0.1 + 2.0 * 0.1, 3.0]);
        assert_eq!(values(&given("g", "1 -1 NaN", 0.0))[..2], [1.0, -1.0]);
    }

    #[test]
    fn a_scrape_without_a_sample_is_a_gap_and_stale_is_an_end() {
        let scrapes = scrapes(60);
        let stored = &given("g", "1 _ 2 stale", 0.0).stored(scrapes.begin, &scrapes)[0];
        let at = |k: u64| scrapes.begin + Duration::from_secs(15 * k);
        assert_eq!(stored.samples.iter().map(|sample| sample.at).collect::<Vec<_>>(), [at(0), at(2)]);
        assert_eq!(stored.ends, [at(3)]);
    }

    #[test]
    fn a_noisy_counter_never_falls_but_where_it_is_written_so() {
        let found = values(&given("c_total", "100+10x200 2110+10x200 0+10x100", 0.8));
        assert_eq!((found[0], found[402]), (100.0, 0.0));
        assert!(found[..402].is_sorted() && found[402..].is_sorted(), "{found:?}");
        let mean = (found[401] - found[0]) / 401.0;
        assert!((9.0..11.0).contains(&mean), "{mean}");
        assert!(found.windows(2).any(|pair| (pair[1] - pair[0] - 10.0).abs() > 5.0));
    }

    #[test]
    fn noise_is_the_same_for_the_same_seed_and_other_for_another() {
        let one = given("g", "100x400", 0.05);
        let found = values(&one);
        assert_eq!(found, values(&one));
        assert_ne!(found, values(&GivenSeries { seed: 8, ..one.clone() }));
        assert_ne!(found, values(&given("h", "100x400", 0.05)));
        let mean = found.iter().sum::<f64>() / 401.0;
        let variance = found.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 400.0;
        assert!((mean - 100.0).abs() < 1.0 && (4.0..6.0).contains(&variance.sqrt()), "{mean}, {variance}");
        // As another implementation of the same arithmetic has it, to the last bit.
        assert_eq!(found[0].to_bits(), 0x4055_f9a5_b88c_3543, "{:#x}", found[0].to_bits());
    }

    #[test]
    fn few_events_are_whole_ones_each_below_the_bounds_above_it() {
        let events = Events { rate: 0.5, median: 0.08, p99: 0.6, buckets: vec![0.08, 0.6, 10.0], until: None };
        let given = GivenSeries { labels: vec![labels("d")], shape: Shape::Events(events), noise: 0.2, seed: 0 };
        let scrapes = scrapes(600);
        let made = given.stored(scrapes.begin, &scrapes);
        let increments = |series: &Stored| -> Vec<f64> {
            series.samples.windows(2).map(|pair| pair[1].value - pair[0].value).collect()
        };
        let made: Vec<Vec<f64>> = made.iter().take(4).map(increments).collect();
        let total = |series: usize| made[series].iter().sum::<f64>();
        assert!(
            (0.4..0.6).contains(&(total(0) / total(3))) && (0.98..1.0).contains(&(total(1) / total(3))),
            "{made:?}"
        );
        let within = |pair: &[Vec<f64>]| pair[0].iter().zip(&pair[1]).all(|(low, high)| 0.0 <= *low && low <= high);
        assert!(made.windows(2).all(within), "{made:?}");
    }

    #[test]
    fn events_have_the_median_and_the_tail_that_they_were_given() {
        let events = Events {
            rate: 100.0,
            median: 0.08,
            p99: 0.6,
            buckets: vec![0.08, 0.6, 10.0],
            until: Some(Duration::from_mins(30)),
        };
        let given = GivenSeries { labels: vec![labels("d")], shape: Shape::Events(events), noise: 0.0, seed: 0 };
        let scrapes = scrapes(60);
        let made = given.stored(scrapes.begin, &scrapes);
        let shown: Vec<(String, f64)> =
            made.iter().map(|one| (one.labels.to_string(), one.samples.last().unwrap().value)).collect();
        let many = 100.0 * 1800.0;
        assert_eq!(shown[0], ("d_bucket{le=\"0.08\",pod=\"a\"}".to_owned(), many / 2.0));
        assert_eq!(shown[1], ("d_bucket{le=\"0.6\",pod=\"a\"}".to_owned(), (many * 0.99_f64).round()));
        assert_eq!(shown[3], ("d_bucket{le=\"+Inf\",pod=\"a\"}".to_owned(), many));
        assert_eq!(shown[4], ("d_count{pod=\"a\"}".to_owned(), many));
        assert!((0.09..0.2).contains(&(shown[5].1 / many)), "{shown:?}");
        assert!(made.iter().all(|one| one.samples.len() == 121 && one.samples[0].value == 0.0));
        assert_eq!(given.size(&scrapes), (6, 6 * 241));
    }
}
