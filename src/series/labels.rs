//! Series and what tells them apart.

use crate::series::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The labels of one series, ordered by name. `__name__` is a label like any other.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    /// The value of label `name`; absent and empty are the same to Prometheus, and here.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// These labels without label `name`.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut rest = self.0.clone();
        rest.remove(name);
        Self(rest)
    }

    /// Name and value pairs, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl FromIterator<(String, String)> for Labels {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl fmt::Display for Labels {
    /// `name{a="1",b="2"}`, as Prometheus writes a series.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get("__name__").map_or("", String::as_str))?;
        f.write_str("{")?;
        for (i, (name, value)) in self.iter().filter(|(name, _)| *name != "__name__").enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

/// One value at one instant. Finite once it is in a [`Series`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it was scraped or evaluated.
    pub at: Timestamp,
    /// What was seen.
    pub value: f64,
}

/// The samples of one series in strictly increasing time, every value finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    labels: Labels,
    samples: Vec<Sample>,
    /// When values were NaN: nothing was seen there.
    nan: Vec<Timestamp>,
    /// When values were infinite: something was seen that cannot be computed with.
    infinite: Vec<Timestamp>,
}

impl Series {
    /// The same as if it had been `by` later.
    #[must_use]
    pub fn later(mut self, by: Duration) -> Self {
        for sample in &mut self.samples {
            sample.at = sample.at + by;
        }
        for at in self.nan.iter_mut().chain(&mut self.infinite) {
            *at = *at + by;
        }
        self
    }

    /// Sorts `samples` by time and sets what is not finite apart. Of two samples
    /// with one timestamp the first is kept, as Prometheus does.
    pub fn new(labels: Labels, mut samples: Vec<Sample>) -> Self {
        samples.sort_by_key(|sample| sample.at);
        samples.dedup_by_key(|sample| sample.at);
        let stamps = |of: fn(f64) -> bool| samples.iter().filter(|s| of(s.value)).map(|s| s.at).collect();
        let (nan, infinite) = (stamps(f64::is_nan), stamps(f64::is_infinite));
        samples.retain(|sample| sample.value.is_finite());
        Self { labels, samples, nan, infinite }
    }

    /// What tells this series from others.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Finite samples in strictly increasing time.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// When values were NaN.
    pub fn nan(&self) -> &[Timestamp] {
        &self.nan
    }

    /// When values were infinite.
    pub fn infinite(&self) -> &[Timestamp] {
        &self.infinite
    }
}
