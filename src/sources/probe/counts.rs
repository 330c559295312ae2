//! What was requested of one URL so far, as the counters that a service would expose.

use crate::rules::Probe;
use crate::series::Labels;
use crate::sources::memory::One;
use crate::sources::probe::request::Ended;
use crate::sources::probe::request::How;
use std::time::Duration;

/// The first bounds of the histogram, in microseconds; the others are these, doubled
/// again and again. So a bound is 1.41 times the one before.
const FIRST: [u64; 2] = [1000, 1414];

/// Counters of one URL. They begin at zero and only grow.
#[derive(Debug)]
pub(super) struct Counts {
    success: Counter,
    failure: Counter,
    /// Requests that took at most so many microseconds.
    buckets: Vec<(u64, Counter)>,
}

#[derive(Debug)]
struct Counter {
    labels: Labels,
    count: f64,
}

impl Counts {
    /// Nothing requested yet of `url`, which is one of `probe`'s.
    pub(super) fn new(probe: &Probe, url: &str) -> Self {
        let key = probe.key();
        let counter = |name: &str, label: &str, value: &str| Counter {
            labels: [("__name__", name), ("probe", &key), ("url", url), (label, value)]
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            count: 0.0,
        };
        let bucket = format!("{}_bucket", Probe::DURATION);
        let of_bound = |micros: u64| {
            let seconds = Duration::from_micros(micros).as_secs_f64();
            let le = if micros == u64::MAX { "+Inf".to_owned() } else { seconds.to_string() };
            (micros, counter(&bucket, "le", &le))
        };
        Self {
            success: counter(Probe::REQUESTS, "result", "success"),
            failure: counter(Probe::REQUESTS, "result", "failure"),
            buckets: bounds(probe.timeout).into_iter().map(of_bound).collect(),
        }
    }

    /// One more request.
    pub(super) fn add(&mut self, ended: &Ended) {
        match ended.how {
            How::Success => self.success.count += 1.0,
            How::Failure | How::NoAnswer(_) => self.failure.count += 1.0,
        }
        // Who had to be given up took longer than any bound.
        let micros = ended.waited.map_or(u64::MAX, |waited| u64::try_from(waited.as_micros()).unwrap_or(u64::MAX));
        for (_, counter) in self.buckets.iter_mut().filter(|(bound, _)| micros <= *bound) {
            counter.count += 1.0;
        }
    }

    /// The counters as they stand.
    pub(super) fn samples(&self) -> impl Iterator<Item = One> {
        let counters = [&self.success, &self.failure].into_iter().chain(self.buckets.iter().map(|(_, one)| one));
        counters.map(|Counter { labels, count }| One { labels: labels.clone(), value: *count, at: None, line: 0 })
    }
}

/// Bounds under `timeout`, `timeout` itself, and infinity.
fn bounds(timeout: Duration) -> Vec<u64> {
    let last = u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX - 1);
    let pairs = std::iter::successors(Some(FIRST), |[a, b]| Some([a.checked_mul(2)?, b.checked_mul(2)?]));
    pairs.flatten().take_while(|bound| *bound < last).chain([last, u64::MAX]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(timeout: Duration) -> Probe {
        let url = |host: &str| format!("http://{host}/");
        Probe { canary: url("new"), baseline: url("old"), every: Duration::from_secs(5), timeout }
    }

    fn ended(how: How, millis: Option<u64>) -> Ended {
        Ended { how, waited: millis.map(Duration::from_millis) }
    }

    fn values(counts: &Counts, name: &str, label: &str) -> Vec<(String, f64)> {
        let of = |one: One| {
            (one.labels.get("__name__") == Some(name)).then(|| (one.labels.get(label).unwrap().to_owned(), one.value))
        };
        counts.samples().filter_map(of).collect()
    }

    #[test]
    fn bounds_grow_by_the_root_of_two_up_to_the_timeout() {
        assert_eq!(bounds(Duration::from_millis(6)), [1000, 1414, 2000, 2828, 4000, 5656, 6000, u64::MAX]);
        let long = bounds(Duration::from_mins(2));
        assert!(long.is_sorted() && long.len() < 40, "{long:?}");
    }

    #[test]
    fn whatever_is_no_success_is_a_failure_and_who_is_given_up_is_the_slowest() {
        let mut counts = Counts::new(&probe(Duration::from_millis(4)), "http://new/");
        counts.add(&ended(How::Success, Some(1)));
        counts.add(&ended(How::Failure, Some(4)));
        counts.add(&ended(How::NoAnswer("refused".to_owned()), Some(2)));
        counts.add(&ended(How::NoAnswer("silent".to_owned()), None));
        let results = values(&counts, "probe_requests_total", "result");
        assert_eq!(results, [("success".to_owned(), 1.0), ("failure".to_owned(), 3.0)]);
        let buckets = values(&counts, "probe_duration_seconds_bucket", "le");
        let expect =
            [("0.001", 1.0), ("0.001414", 1.0), ("0.002", 2.0), ("0.002828", 2.0), ("0.004", 3.0), ("+Inf", 4.0)];
        assert_eq!(buckets, expect.map(|(le, count)| (le.to_owned(), count)));
    }
}
