//! Native histograms in a matrix: `[1700000000, {"count": "3", "sum": "1.5",
//! "buckets": [[0, "0.5", "1", "3"]]}]`.
//!
//! A bucket is which of its bounds belong to it (0 the upper, 1 the lower, 2
//! neither, 3 both), the bounds, and its count; empty ones are left out. The sum
//! of values is of no use to us. Each bucket is counted as a sample, which is
//! what it takes in memory.

use crate::series::native::Bucket;
use crate::series::native::Flaw;
use crate::series::native::Histogram;
use crate::series::native::Sample;
use crate::sources::prometheus::matrix::Budget;
use crate::sources::prometheus::matrix::Nullable;
use crate::sources::prometheus::matrix::Number;
use crate::sources::prometheus::matrix::Seconds;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::DeserializeSeed;
use serde::de::Error as _;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use std::fmt;

/// Reads the histograms of one series within a [`Budget`].
pub(super) struct HistogramsSeed<'b>(pub(super) &'b Budget);

impl<'de> DeserializeSeed<'de> for HistogramsSeed<'_> {
    type Value = Vec<Sample>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Sample>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for HistogramsSeed<'_> {
    type Value = Vec<Sample>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of histograms")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Sample>, A::Error> {
        let mut samples = Vec::new();
        while let Some(sample) = seq.next_element_seed(SampleSeed(self.0))? {
            samples.push(sample);
        }
        Ok(samples)
    }
}

/// An instant and its histogram.
struct SampleSeed<'b>(&'b Budget);

impl<'de> DeserializeSeed<'de> for SampleSeed<'_> {
    type Value = Sample;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Sample, D::Error> {
        deserializer.deserialize_tuple(2, self)
    }
}

impl<'de> Visitor<'de> for SampleSeed<'_> {
    type Value = Sample;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a timestamp and a histogram")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Sample, A::Error> {
        let Seconds(at) = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
        self.0.count_sample()?;
        let histogram = seq.next_element_seed(HistogramSeed(self.0))?;
        let histogram = histogram.ok_or_else(|| A::Error::invalid_length(1, &self))?;
        Ok(Sample { at, histogram })
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum HistogramKey {
    Count,
    Buckets,
    #[serde(other)]
    Other,
}

struct HistogramSeed<'b>(&'b Budget);

impl<'de> DeserializeSeed<'de> for HistogramSeed<'_> {
    type Value = Histogram;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Histogram, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for HistogramSeed<'_> {
    type Value = Histogram;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a histogram with `count` and `buckets`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Histogram, A::Error> {
        let (mut count, mut buckets) = (None, None);
        while let Some(key) = map.next_key::<HistogramKey>()? {
            match key {
                HistogramKey::Count if count.is_some() => return Err(A::Error::duplicate_field("count")),
                HistogramKey::Buckets if buckets.is_some() => return Err(A::Error::duplicate_field("buckets")),
                HistogramKey::Count => count = Some(map.next_value::<Number>()?),
                // A histogram without an event has none.
                HistogramKey::Buckets => {
                    buckets = Some(map.next_value_seed(Nullable(BucketsSeed(self.0)))?.unwrap_or_default());
                }
                HistogramKey::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let Number(count) = count.ok_or_else(|| A::Error::missing_field("count"))?;
        Histogram::new(count, &buckets.unwrap_or_default()).map_err(|flaw| A::Error::custom(words(flaw)))
    }
}

fn words(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::Bounds => "a histogram with a bucket whose bounds are not two numbers in order",
        Flaw::Overlap => "a histogram with buckets that overlap",
        Flaw::MoreThanCount => "a histogram with more events in its buckets than its `count`",
    }
}

struct BucketsSeed<'b>(&'b Budget);

impl<'de> DeserializeSeed<'de> for BucketsSeed<'_> {
    type Value = Vec<Bucket>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Bucket>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for BucketsSeed<'_> {
    type Value = Vec<Bucket>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of buckets")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Bucket>, A::Error> {
        let mut buckets = Vec::new();
        while let Some((rule, Number(left), Number(right), Number(events))) =
            seq.next_element::<(u8, Number, Number, Number)>()?
        {
            self.0.count_sample()?;
            if rule > 3 {
                return Err(A::Error::custom(format!("a bucket whose bounds are of kind {rule}, not 0 to 3")));
            }
            buckets.push(Bucket { left, right, is_closed: rule == 3, events });
        }
        Ok(buckets)
    }
}

#[cfg(test)]
mod tests {
    use crate::series::Labels;
    use crate::series::Timestamp;
    use crate::series::Window;
    use crate::series::counter::Past;
    use crate::series::native::Histograms;
    use crate::sources::Excess;
    use crate::sources::prometheus::decode::Decoded;
    use crate::sources::prometheus::decode::Unread;
    use crate::sources::prometheus::decode::decode;
    use crate::sources::prometheus::matrix::Limits;

    /// The answer whose one series has `histograms`, and more keys.
    fn read(histograms: &str, more: &str) -> Result<Decoded, Unread> {
        let series = format!(r#"{{"metric":{{"a":"b"}},"histograms":{histograms}{more}}}"#);
        let body = format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{series}]}}}}"#);
        decode(body.as_bytes(), Limits { series: 3, samples: 12 })
    }

    #[track_caller]
    fn check_malformed(histograms: &str, expect: &str) {
        match read(histograms, "") {
            Err(Unread::Malformed(cause)) => assert!(cause.to_string().contains(expect), "{cause}"),
            other => panic!("{other:?} of {histograms}"),
        }
    }

    #[test]
    fn a_histogram_is_read_with_its_count_and_its_buckets() {
        let first = r#"[1.5,{"count":"1","sum":"NaN","buckets":[[0,"1","2","1"]]}]"#;
        let buckets = r#"[1,"-2","-1","1"],[3,"-0.5","0.5","1"],[0,"1","2","3"],[2,"4","+Inf","1"]"#;
        let second = format!(r#"[61.5,{{"x":[{{}}],"sum":"1e3","buckets":[{buckets}],"count":"6"}}]"#);
        let decoded = read(&format!("[{first},{second}]"), "").unwrap();
        let (labels, samples) = decoded.native.into_iter().next().unwrap();
        let read = Histograms::new(labels, samples);
        assert_eq!(read.counts().labels().to_string(), r#"{a="b"}"#);
        let window = Window { from: Timestamp::from_millis(2000), to: Timestamp::from_millis(61_500) };
        let (tally, grown) = read.tally(window, Timestamp::from_millis(0), Past::Present);
        let spans: Vec<_> = grown.unwrap().spans().iter().map(|span| (span.left, span.right, span.events)).collect();
        assert_eq!(tally.increase(), Some(5.0));
        assert_eq!(spans, [(-2.0, -1.0, 1.0), (-0.5, 0.5, 1.0), (1.0, 2.0, 2.0), (4.0, f64::INFINITY, 1.0)]);
    }

    #[test]
    fn a_series_may_have_values_and_histograms_and_a_histogram_no_bucket() {
        let none = r#"[[1,{"count":"0","sum":"0"}],[2,{"count":"0","sum":"0","buckets":null}]]"#;
        let decoded = read(none, r#","values":[[3,"7"]]"#).unwrap();
        assert_eq!(decoded.native[&labels()].len(), 2);
        assert_eq!(decoded.series[&labels()].len(), 1);
    }

    fn labels() -> Labels {
        [("a".to_owned(), "b".to_owned())].into_iter().collect()
    }

    #[test]
    fn each_bucket_is_counted_against_the_limit() {
        let one = |at: usize, buckets: usize| {
            let buckets: Vec<_> = (0..buckets).map(|k| format!(r#"[0,"{k}","{}","1"]"#, k + 1)).collect();
            format!(r#"[{at},{{"count":"{}","sum":"1","buckets":[{}]}}]"#, buckets.len(), buckets.join(","))
        };
        assert!(read(&format!("[{},{}]", one(1, 5), one(2, 5)), "").is_ok());
        for much in [format!("[{}]", one(1, 12)), format!("[{},{}]", one(1, 5), one(2, 6))] {
            assert!(matches!(read(&much, ""), Err(Unread::Excess(Excess::Samples(12)))), "{much}");
        }
    }

    #[test]
    fn other_shapes_are_refused() {
        let bucket = |bucket: &str| format!(r#"[[1,{{"count":"9","sum":"1","buckets":[{bucket}]}}]]"#);
        check_malformed("{}", "a list of histograms");
        check_malformed(r#"["1"]"#, "a timestamp and a histogram");
        check_malformed("[[1]]", "invalid length 1");
        check_malformed("[[]]", "invalid length 0");
        check_malformed(r#"[[1,"5"]]"#, "a histogram with `count` and `buckets`");
        check_malformed(r#"[[1,{"count":"1"},2]]"#, "trailing");
        check_malformed(r#"[[1e300,{"count":"1"}]]"#, "years 1 to 9999");
        check_malformed(r#"[[1,{"sum":"1"}]]"#, "missing field `count`");
        check_malformed(r#"[[1,{"count":1}]]"#, "a value as a string");
        check_malformed(r#"[[1,{"count":"1","count":"1"}]]"#, "duplicate field `count`");
        check_malformed(r#"[[1,{"count":"1","buckets":[],"buckets":[]}]]"#, "duplicate field `buckets`");
        check_malformed(r#"[[1,{"count":"1","buckets":{}}]]"#, "a list of buckets");
        check_malformed(&bucket("1"), "tuple");
        check_malformed(&bucket(r#"[0,"1","2"]"#), "invalid length 3");
        check_malformed(&bucket(r#"[0,"1","2","3","4"]"#), "trailing");
        check_malformed(&bucket(r#"[4,"1","2","3"]"#), "kind 4");
        check_malformed(&bucket(r#"[-1,"1","2","3"]"#), "u8");
        check_malformed(&bucket("[0,1,2,3]"), "a value as a string");
        check_malformed(&bucket(r#"[0,"1","2","many"]"#), "many");
        check_malformed(&bucket(r#"[0,"2","1","3"]"#), "not two numbers in order");
        check_malformed(&bucket(r#"[0,"2","2","3"]"#), "not two numbers in order");
        check_malformed(&bucket(r#"[0,"NaN","2","3"]"#), "not two numbers in order");
        check_malformed(&bucket(r#"[0,"1","3","3"],[0,"2","4","3"]"#), "overlap");
        check_malformed(&bucket(r#"[0,"1","3","3"],[0,"3","4","7"]"#), "more events in its buckets");
    }
}
