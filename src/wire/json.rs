//! How numbers, times and named details are written.

use crate::series::Timestamp;
use serde::Serialize;
use serde::Serializer;
use serde::ser::SerializeMap;

/// A number as JSON has it: counts without a fraction, `null` where it is not finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number(pub(crate) f64);

/// Above this not every whole number has an `f64` of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(value) = *self;
        if !value.is_finite() {
            return serializer.serialize_none();
        }
        if value.fract() == 0.0 && value.abs() < EXACT {
            #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
            return serializer.serialize_i64(value as i64);
        }
        serializer.serialize_f64(value)
    }
}

/// `name` as one token of a JSON pointer (RFC 6901, §3), without its slash.
pub fn pointer_token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// An instant as RFC 3339 text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Instant(pub(crate) Timestamp);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// One value of a reason's detail.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Value {
    Number(Number),
    Text(String),
    Texts(Vec<String>),
    Flag(bool),
    Instant(Instant),
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(Number(value))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Number(Number(f64::from(value)))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::Instant(Instant(at))
    }
}

/// Named values, written as an object in the order they stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Named(pub(crate) Vec<(&'static str, Value)>);

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            object.serialize_entry(name, value)?;
        }
        object.end()
    }
}

/// `shape` as JSON text.
///
/// Our shapes have text keys only and no serializer that fails, so this cannot
/// fail; were it to, an empty object says nothing rather than something wrong.
pub(crate) fn text(shape: &impl Serialize) -> String {
    serde_json::to_string(shape).unwrap_or_else(|_| String::from("{}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: f64, expect: &str) {
        assert_eq!(text(&Number(value)), expect);
    }

    #[test]
    fn numbers_are_finite_or_null() {
        check(48211.0, "48211");
        check(0.503, "0.503");
        check(-0.0, "0");
        check(f64::NAN, "null");
        check(f64::INFINITY, "null");
        check(f64::NEG_INFINITY, "null");
        check(1e300, "1e+300");
        check(f64::MIN_POSITIVE, "2.2250738585072014e-308");
    }
}
