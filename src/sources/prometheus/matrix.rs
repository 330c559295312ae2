//! The matrix of a query's answer, read with limits.
//!
//! A source is not trusted: series, samples and labels are counted while they
//! are read, and reading stops at the first above its limit, so that no answer
//! costs more memory than its limits say. A matrix is what both `query_range`
//! and an instant query of a range selector give; any other result type is
//! refused, since we never ask for one.

use crate::series::Labels;
use crate::series::Sample;
use crate::series::Timestamp;
use crate::series::native;
use crate::sources::Excess;
use crate::sources::error::shortened;
use crate::sources::prometheus::native::HistogramsSeed;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::DeserializeSeed;
use serde::de::Error as _;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

/// Labels of one series. Mimir allows 30 by default, Prometheus what it scrapes.
const MAX_LABELS: usize = 128;
/// Bytes of a label's name or value: eight times what Mimir allows a value.
const MAX_LABEL_BYTES: usize = 16 << 10;
/// The instants that we can write, years 1 to 9999, in milliseconds.
const MILLIS: std::ops::RangeInclusive<f64> = -62_135_596_800_000.0..=253_402_300_799_999.0;

/// How much to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Series of the answer.
    pub(super) series: usize,
    /// Samples over all its series.
    pub(super) samples: usize,
}

/// `data`, of result type `matrix`.
#[derive(Default)]
pub(super) struct Matrix {
    /// Samples by labels, in the order that came.
    pub(super) series: BTreeMap<Labels, Vec<Sample>>,
    /// Native histograms by labels, in the order that came; of a series that has any.
    pub(super) native: BTreeMap<Labels, Vec<native::Sample>>,
}

/// What was read so far, against the limits.
pub(super) struct Budget {
    limits: Limits,
    series: Cell<usize>,
    samples: Cell<usize>,
    exceeded: Cell<Option<Excess>>,
}

impl Budget {
    /// Nothing read yet.
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, series: Cell::new(0), samples: Cell::new(0), exceeded: Cell::new(None) }
    }

    /// The limit at which the reading stopped.
    pub(super) fn exceeded(&self) -> Option<Excess> {
        self.exceeded.get()
    }

    /// Counts one more of `what`, or stops the reading.
    fn count<E: serde::de::Error>(&self, what: &Cell<usize>, limit: usize, excess: Excess) -> Result<(), E> {
        what.set(what.get() + 1);
        if what.get() > limit { Err(self.exceed(excess)) } else { Ok(()) }
    }

    /// Counts one more sample, or stops the reading.
    pub(super) fn count_sample<E: serde::de::Error>(&self) -> Result<(), E> {
        self.count(&self.samples, self.limits.samples, Excess::Samples(self.limits.samples))
    }

    fn exceed<E: serde::de::Error>(&self, excess: Excess) -> E {
        self.exceeded.set(Some(excess));
        E::custom(excess)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum MatrixKey {
    ResultType,
    Result,
    #[serde(other)]
    Other,
}

/// Reads a [`Matrix`] within a [`Budget`].
pub(super) struct MatrixSeed<'b>(pub(super) &'b Budget);

impl<'de> DeserializeSeed<'de> for MatrixSeed<'_> {
    type Value = Matrix;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Matrix, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MatrixSeed<'_> {
    type Value = Matrix;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`resultType` and `result`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Matrix, A::Error> {
        let (mut is_matrix, mut matrix) = (false, None);
        while let Some(key) = map.next_key::<MatrixKey>()? {
            match key {
                MatrixKey::ResultType => match map.next_value::<String>()?.as_str() {
                    "matrix" => is_matrix = true,
                    other => {
                        let other = shortened(other, 32);
                        return Err(A::Error::custom(format!("result type `{other}`, where a matrix was asked for")));
                    }
                },
                MatrixKey::Result if matrix.is_some() => return Err(A::Error::duplicate_field("result")),
                MatrixKey::Result => {
                    matrix = Some(map.next_value_seed(Nullable(ResultSeed(self.0)))?.unwrap_or_default());
                }
                MatrixKey::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if !is_matrix {
            return Err(A::Error::missing_field("resultType"));
        }
        matrix.ok_or_else(|| A::Error::missing_field("result"))
    }
}

struct ResultSeed<'b>(&'b Budget);

impl<'de> DeserializeSeed<'de> for ResultSeed<'_> {
    type Value = Matrix;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Matrix, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ResultSeed<'_> {
    type Value = Matrix;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of series")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Matrix, A::Error> {
        let mut matrix = Matrix::default();
        while let Some(one) = seq.next_element_seed(SeriesSeed(self.0))? {
            if matrix.series.contains_key(&one.labels) {
                let labels = shortened(&one.labels.to_string(), 200);
                // Summed, it would count twice.
                return Err(A::Error::custom(format!("two series with the labels {labels}")));
            }
            if !one.histograms.is_empty() {
                matrix.native.insert(one.labels.clone(), one.histograms);
            }
            matrix.series.insert(one.labels, one.samples);
        }
        Ok(matrix)
    }
}

#[derive(Default)]
struct OneSeries {
    labels: Labels,
    samples: Vec<Sample>,
    histograms: Vec<native::Sample>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum SeriesKey {
    Metric,
    Values,
    Histograms,
    #[serde(other)]
    Other,
}

struct SeriesSeed<'b>(&'b Budget);

impl<'de> DeserializeSeed<'de> for SeriesSeed<'_> {
    type Value = OneSeries;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<OneSeries, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for SeriesSeed<'_> {
    type Value = OneSeries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a series with `metric` and `values`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OneSeries, A::Error> {
        let Self(budget) = self;
        budget.count(&budget.series, budget.limits.series, Excess::Series(budget.limits.series))?;
        let mut series = OneSeries::default();
        let (mut named, mut valued, mut native) = (false, false, false);
        while let Some(key) = map.next_key::<SeriesKey>()? {
            match key {
                SeriesKey::Metric if named => return Err(A::Error::duplicate_field("metric")),
                SeriesKey::Values if valued => return Err(A::Error::duplicate_field("values")),
                SeriesKey::Histograms if native => return Err(A::Error::duplicate_field("histograms")),
                SeriesKey::Metric => (named, series.labels) = (true, map.next_value_seed(LabelsSeed(budget))?),
                SeriesKey::Values => (valued, series.samples) = (true, map.next_value_seed(SamplesSeed(budget))?),
                SeriesKey::Histograms => {
                    (native, series.histograms) = (true, map.next_value_seed(HistogramsSeed(budget))?);
                }
                SeriesKey::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if !named {
            return Err(A::Error::missing_field("metric"));
        }
        if !valued && !native {
            return Err(A::Error::missing_field("values"));
        }
        Ok(series)
    }
}

struct LabelsSeed<'b>(&'b Budget);

impl<'de> DeserializeSeed<'de> for LabelsSeed<'_> {
    type Value = Labels;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Labels, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for LabelsSeed<'_> {
    type Value = Labels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("labels with their values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
        let mut labels = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            if name.len().max(value.len()) > MAX_LABEL_BYTES {
                return Err(self.0.exceed(Excess::LabelBytes(MAX_LABEL_BYTES)));
            }
            if labels.len() == MAX_LABELS {
                return Err(self.0.exceed(Excess::Labels(MAX_LABELS)));
            }
            if labels.insert(name, value).is_some() {
                return Err(A::Error::custom("a series with one label twice"));
            }
        }
        // To Prometheus an empty label is an absent one.
        Ok(labels.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }
}

struct SamplesSeed<'b>(&'b Budget);

impl<'de> DeserializeSeed<'de> for SamplesSeed<'_> {
    type Value = Vec<Sample>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Sample>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for SamplesSeed<'_> {
    type Value = Vec<Sample>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of samples")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Sample>, A::Error> {
        let Self(budget) = self;
        let mut samples = Vec::new();
        while let Some((Seconds(at), Number(value))) = seq.next_element::<(Seconds, Number)>()? {
            budget.count_sample()?;
            samples.push(Sample { at, value });
        }
        Ok(samples)
    }
}

/// A JSON number of seconds, whole or with milliseconds.
pub(super) struct Seconds(pub(super) Timestamp);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let millis = (f64::deserialize(deserializer)? * 1000.0).round();
        if !MILLIS.contains(&millis) {
            return Err(D::Error::custom("a timestamp outside of the years 1 to 9999"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "whole and within `MILLIS`, so exact")]
        let millis = millis as i64;
        Ok(Self(Timestamp::from_millis(millis)))
    }
}

/// A value, always as a string: JSON has no `NaN` and no `+Inf`.
pub(super) struct Number(pub(super) f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl Visitor<'_> for Digits {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value as a string")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
                text.parse().map(Number).map_err(|_| E::custom(format!("the value {:?}", shortened(text, 32))))
            }
        }
        deserializer.deserialize_str(Digits)
    }
}

/// `null` as `None`, anything else through the seed. Go writes an empty list as `null`.
pub(super) struct Nullable<S>(pub(super) S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Nullable<S> {
    type Value = Option<S::Value>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Nullable<S> {
    type Value = Option<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.0.deserialize(deserializer).map(Some)
    }
}
