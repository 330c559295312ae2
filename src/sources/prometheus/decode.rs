//! The JSON of Prometheus' query API.
//!
//! Here the envelope is read: status, warnings, and whether the answer is whole.
//! What it holds is read by `matrix`.
//!
//! `warnings` mean two things: remarks on the query, which Prometheus marks with
//! the prefixes `PromQL warning:` and `PromQL info:`, and missing data, from
//! everything that stands before several stores. Whatever has no such prefix is
//! taken for missing data: the mistake that only pauses.

use crate::series::Labels;
use crate::series::Sample;
use crate::series::native;
use crate::sources::Excess;
use crate::sources::error::shortened;
use crate::sources::not_read;
use crate::sources::prometheus::matrix::Budget;
use crate::sources::prometheus::matrix::Limits;
use crate::sources::prometheus::matrix::Matrix;
use crate::sources::prometheus::matrix::MatrixSeed;
use crate::sources::prometheus::matrix::Nullable;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::DeserializeSeed;
use serde::de::Error as _;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use std::collections::BTreeMap;
use std::fmt;

/// Remarks kept of one answer; a query with more is as wrong with these.
const MAX_REMARKS: usize = 16;
/// Characters of one remark; with the `…` 256, as evidence keeps them.
const REMARK_CHARS: usize = 255;
/// What an answer says.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    /// Samples by labels, in the order and with the values that came.
    pub(super) series: BTreeMap<Labels, Vec<Sample>>,
    /// Native histograms by labels, likewise.
    pub(super) native: BTreeMap<Labels, Vec<native::Sample>>,
    /// The source's words on missing data.
    pub(super) partial: Option<String>,
    /// Its words on the query.
    pub(super) remarks: Vec<String>,
}

impl Decoded {
    /// Drops native histograms, and says so.
    pub(super) fn leave_native_out(&mut self) {
        if !self.native.is_empty() {
            remark(&mut self.remarks, &not_read(self.native.len()));
            self.native.clear();
        }
    }

    /// Adds what a later part of the same question answered, without native histograms.
    pub(super) fn append(&mut self, later: Self) {
        for (labels, samples) in later.series {
            self.series.entry(labels).or_default().extend(samples);
        }
        if let Some(partial) = later.partial.filter(|partial| self.partial.as_ref() != Some(partial)) {
            missing(&mut self.partial, &partial);
        }
        for text in later.remarks {
            remark(&mut self.remarks, &text);
        }
    }
}

/// Why an answer could not be read.
#[derive(Debug)]
pub(super) enum Unread {
    /// More than a limit allows.
    Excess(Excess),
    /// Not JSON, or not this API's.
    Malformed(serde_json::Error),
    /// `status` was not `success`; the `error` with it.
    Unsuccessful(String),
}

/// Reads the body of a successful query.
pub(super) fn decode(body: &[u8], limits: Limits) -> Result<Decoded, Unread> {
    let budget = Budget::new(limits);
    let mut json = serde_json::Deserializer::from_slice(body);
    let envelope = EnvelopeSeed(&budget)
        .deserialize(&mut json)
        .and_then(|envelope| json.end().map(|()| envelope))
        .map_err(|cause| budget.exceeded().map_or(Unread::Malformed(cause), Unread::Excess))?;
    if envelope.status != "success" {
        return Err(Unread::Unsuccessful(envelope.error.unwrap_or(envelope.status)));
    }
    let Some(matrix) = envelope.data else {
        return Err(Unread::Malformed(serde_json::Error::custom("a success without `data`")));
    };
    Ok(Decoded { series: matrix.series, native: matrix.native, ..envelope.said })
}

/// The message in the body of a refusal, where it is Prometheus' own.
pub(super) fn refusal(body: &[u8]) -> Option<String> {
    /// What every error of the API looks like; `errorType` is an open set
    /// (VictoriaMetrics writes the status there), so the status decides instead.
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    serde_json::from_slice::<Refusal>(body).ok().map(|refusal| refusal.error)
}

/// The outermost object.
#[derive(Default)]
struct Envelope {
    status: String,
    error: Option<String>,
    data: Option<Matrix>,
    /// `partial` and `remarks` only.
    said: Decoded,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum EnvelopeKey {
    Status,
    Data,
    Error,
    Warnings,
    Infos,
    IsPartial,
    #[serde(other)]
    Other,
}

struct EnvelopeSeed<'b>(&'b Budget);

impl<'de> DeserializeSeed<'de> for EnvelopeSeed<'_> {
    type Value = Envelope;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Envelope, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EnvelopeSeed<'_> {
    type Value = Envelope;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer of the Prometheus API")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope, A::Error> {
        let mut envelope = Envelope::default();
        while let Some(key) = map.next_key::<EnvelopeKey>()? {
            match key {
                EnvelopeKey::Status => envelope.status = map.next_value()?,
                EnvelopeKey::Error => envelope.error = map.next_value()?,
                EnvelopeKey::Data if envelope.data.is_some() => return Err(A::Error::duplicate_field("data")),
                EnvelopeKey::Data => envelope.data = map.next_value_seed(Nullable(MatrixSeed(self.0)))?,
                EnvelopeKey::Warnings => map.next_value_seed(Nullable(Voices(&mut envelope.said)))?.unwrap_or_default(),
                EnvelopeKey::Infos => {
                    for info in map.next_value::<Option<Vec<String>>>()?.unwrap_or_default() {
                        remark(&mut envelope.said.remarks, &info);
                    }
                }
                EnvelopeKey::IsPartial => {
                    if map.next_value::<Option<bool>>()?.unwrap_or(false) {
                        missing(&mut envelope.said.partial, "the source says that its answer is partial");
                    }
                }
                EnvelopeKey::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(envelope)
    }
}

/// Sorts each warning into missing data or remark as it is read.
struct Voices<'d>(&'d mut Decoded);

impl<'de> DeserializeSeed<'de> for Voices<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Voices<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of warnings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(warning) = seq.next_element::<String>()? {
            if warning.starts_with("PromQL warning:") || warning.starts_with("PromQL info:") {
                remark(&mut self.0.remarks, &warning);
            } else {
                missing(&mut self.0.partial, &warning);
            }
        }
        Ok(())
    }
}

/// Adds a remark, at most [`MAX_REMARKS`] different ones.
fn remark(remarks: &mut Vec<String>, text: &str) {
    let text = shortened(text, REMARK_CHARS);
    if remarks.len() < MAX_REMARKS && !remarks.contains(&text) {
        remarks.push(text);
    }
}

/// Adds words on missing data; all together are as long as one remark.
fn missing(partial: &mut Option<String>, text: &str) {
    *partial = Some(match partial.take() {
        Some(before) if before.chars().count() > REMARK_CHARS => before,
        Some(before) => shortened(&format!("{before}; {text}"), REMARK_CHARS),
        None => shortened(text, REMARK_CHARS),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Timestamp;

    const LIMITS: Limits = Limits { series: 3, samples: 5 };

    /// The answer whose `result` list holds `series` and whose envelope has `more`.
    fn body(series: &str, more: &str) -> String {
        format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{series}]}}{more}}}"#)
    }

    fn series(i: usize, samples: usize) -> String {
        let values = (0..samples).map(|at| format!(r#"[{at},"1"]"#)).collect::<Vec<_>>().join(",");
        format!(r#"{{"metric":{{"i":"{i}"}},"values":[{values}]}}"#)
    }

    fn all(samples: &[usize]) -> String {
        samples.iter().enumerate().map(|(i, samples)| series(i, *samples)).collect::<Vec<_>>().join(",")
    }

    fn read(body: &str) -> Result<Decoded, Unread> {
        decode(body.as_bytes(), LIMITS)
    }

    #[track_caller]
    fn check_malformed(body: &str, expect: &str) {
        match read(body) {
            Err(Unread::Malformed(cause)) => assert!(cause.to_string().contains(expect), "{cause}"),
            other => panic!("{other:?} of {body}"),
        }
    }

    #[track_caller]
    fn check_excess(body: &str, expect: Excess) {
        assert!(matches!(read(body), Err(Unread::Excess(excess)) if excess == expect), "{:?}", read(body));
    }

    #[test]
    fn values_and_millisecond_stamps_are_read_exactly() {
        let values = r#"[1700000000.123,"0.1"],[1700000001,"1e3"],[-1.5,"NaN"],[1,"+Inf"],[2,"-Inf"]"#;
        let decoded = read(&body(&format!(r#"{{"metric":{{"a":"\u00e9","b":""}},"values":[{values}]}}"#), "")).unwrap();
        let (labels, samples) = decoded.series.first_key_value().unwrap();
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "é")]);
        let stamps: Vec<i64> = samples.iter().map(|sample| sample.at.as_millis()).collect();
        assert_eq!(stamps, [1_700_000_000_123, 1_700_000_001_000, -1500, 1000, 2000]);
        assert_eq!(samples[0], Sample { at: Timestamp::from_millis(1_700_000_000_123), value: 0.1 });
        assert_eq!(samples[1].value.to_bits(), 1000.0_f64.to_bits());
        assert!(samples[2].value.is_nan());
        assert_eq!(samples[3].value.to_bits(), f64::INFINITY.to_bits());
        assert_eq!(samples[4].value.to_bits(), f64::NEG_INFINITY.to_bits());
    }

    #[test]
    fn nothing_is_an_answer() {
        assert!(read(&body("", "")).unwrap().series.is_empty());
        let null = r#"{"status":"success","data":{"resultType":"matrix","result":null},"warnings":null,"infos":null}"#;
        assert!(read(null).unwrap().series.is_empty());
    }

    #[test]
    fn limits_are_met_and_not_passed() {
        assert_eq!(read(&body(&all(&[1, 2, 2]), "")).unwrap().series.len(), 3);
        check_excess(&body(&all(&[1, 1, 1, 1]), ""), Excess::Series(3));
        check_excess(&body(&all(&[3, 3]), ""), Excess::Samples(5));
        check_excess(&body(&all(&[0, 0, 0, 0]), ""), Excess::Series(3));
        let labels = (0..129).map(|i| format!(r#""l{i}":"v""#)).collect::<Vec<_>>().join(",");
        check_excess(&body(&format!(r#"{{"metric":{{{labels}}},"values":[]}}"#), ""), Excess::Labels(128));
        let long = "x".repeat((16 << 10) + 1);
        check_excess(&body(&format!(r#"{{"metric":{{"a":"{long}"}},"values":[]}}"#), ""), Excess::LabelBytes(16 << 10));
        check_excess(&body(&format!(r#"{{"metric":{{"{long}":"a"}},"values":[]}}"#), ""), Excess::LabelBytes(16 << 10));
    }

    #[test]
    fn other_shapes_are_refused() {
        check_malformed("[]", "an answer of the Prometheus API");
        check_malformed("{", "EOF");
        check_malformed(&format!("{}x", body("", "")), "trailing");
        check_malformed(r#"{"status":"success"}"#, "without `data`");
        check_malformed(r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#, "`vector`");
        check_malformed(r#"{"status":"success","data":{"result":[]}}"#, "resultType");
        check_malformed(r#"{"status":"success","data":{"resultType":"matrix"}}"#, "result");
        check_malformed(&body(r#"{"values":[]}"#, ""), "metric");
        check_malformed(&body(r#"{"metric":{}}"#, ""), "values");
        check_malformed(&body(r#"{"metric":{"a":1},"values":[]}"#, ""), "string");
        check_malformed(&body(r#"{"metric":{"a":"1","a":"2"},"values":[]}"#, ""), "one label twice");
        check_malformed(&body(&format!("{},{}", series(1, 1), series(1, 1)), ""), "two series");
        check_malformed(&body(r#"{"metric":{},"values":[[1,2]]}"#, ""), "a value as a string");
        check_malformed(&body(r#"{"metric":{},"values":[["1","2"]]}"#, ""), "f64");
        check_malformed(&body(r#"{"metric":{},"values":[[1]]}"#, ""), "invalid length");
        check_malformed(&body(r#"{"metric":{},"values":[[1,"2","3"]]}"#, ""), "trailing");
        check_malformed(&body(r#"{"metric":{},"values":[[1,"many"]]}"#, ""), "many");
        check_malformed(&body(r#"{"metric":{},"values":[[1e300,"1"]]}"#, ""), "years 1 to 9999");
        check_malformed(&body("", &format!(r#","x":{}"#, "[".repeat(100_000))), "expected value");
    }

    #[test]
    fn an_error_in_a_success_is_no_success() {
        let error = read(r#"{"status":"error","errorType":"execution","error":"too bad"}"#);
        assert!(matches!(error, Err(Unread::Unsuccessful(message)) if message == "too bad"));
    }

    #[track_caller]
    fn check_said(more: &str, partial: Option<&str>, remarks: &[&str]) {
        let decoded = read(&body("", more)).unwrap();
        assert_eq!(decoded.partial.as_deref(), partial);
        assert_eq!(decoded.remarks, remarks);
    }

    #[test]
    fn lint_is_a_remark_and_any_other_warning_is_missing_data() {
        check_said("", None, &[]);
        check_said(
            r#","warnings":["PromQL warning: x"],"infos":["PromQL info: y"]"#,
            None,
            &["PromQL warning: x", "PromQL info: y"],
        );
        check_said(
            r#","warnings":["PromQL info: z","store 1 is away","store 2"]"#,
            Some("store 1 is away; store 2"),
            &["PromQL info: z"],
        );
        check_said(r#","isPartial":true"#, Some("the source says that its answer is partial"), &[]);
        check_said(r#","isPartial":false"#, None, &[]);
    }

    #[test]
    fn words_of_the_source_are_short_and_few() {
        let long = format!(r#""{}""#, "w".repeat(10_000));
        let decoded = read(&body("", &format!(r#","warnings":[{long},{long},"x"],"infos":[{long}]"#))).unwrap();
        assert_eq!(decoded.partial.unwrap().chars().count(), 256);
        assert_eq!(decoded.remarks[0].chars().count(), 256);
        let many = (0..100).map(|i| format!(r#""{i}""#)).collect::<Vec<_>>().join(",");
        assert_eq!(read(&body("", &format!(r#","infos":[{many}]"#))).unwrap().remarks.len(), 16);
    }
}
