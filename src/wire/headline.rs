//! The head of a published wave document, for lists.

use serde::Deserialize;
use serde::Serialize;
use std::borrow::Cow;

/// What a list shows of a wave: the same words as in its document.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Headline<'a> {
    /// The wave.
    #[serde(borrow)]
    pub wave_id: Cow<'a, str>,
    /// `pass`, `fail` or `pause`.
    #[serde(borrow)]
    pub verdict: Cow<'a, str>,
    /// Of the least finished gate.
    #[serde(borrow)]
    pub state: Cow<'a, str>,
    /// See [`crate::wire::Standing`].
    pub healthy: bool,
    /// Held, decided or cancelled.
    pub settled: bool,
    /// For people.
    #[serde(borrow)]
    pub summary: Cow<'a, str>,
}

impl<'a> Headline<'a> {
    /// The head of `document`, a wave's or a gate's.
    ///
    /// # Errors
    ///
    /// Where `document` is not one of [`crate::wire::wave_document`] or
    /// [`crate::wire::gate_document`].
    pub fn read(document: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(document)
    }
}
