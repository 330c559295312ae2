//! What is stored, as rows: private mirrors of the core's types, checked on the
//! way in and on the way out. Evidence is written as [`wire::write_evidence`] has it,
//! which a recording shares.
//!
//! [`wire::write_evidence`]: crate::wire::write_evidence
//!
//! The core's types carry no serde, so that a change of the code cannot silently
//! change what lies on disk; here the two meet, and every rule that a type states
//! in words is a check. What passes on the way in is sure to pass on the way out.

mod charge;
mod gate;
mod slice;
#[cfg(test)]
mod tests;
mod words;

pub(super) use charge::ChargeRow;
pub(super) use gate::GateRow;
pub(super) use slice::SliceRow;
pub(super) use words::event_named;
pub(super) use words::event_word;

/// What is wrong with a value, as a phrase.
pub(super) type Fault = String;

/// `value` as JSON. Maps with string keys and finite numbers only, so it cannot
/// fail; an error is passed on all the same.
fn to_json(value: &impl serde::Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| error.to_string())
}

/// The value that JSON `text` holds: no unknown keys, nothing missing.
fn from_json<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}
