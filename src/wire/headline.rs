//! The head of a published wave document, for lists.

use serde::Deserialize;
use serde::Serialize;
use std::borrow::Cow;

/// What a list shows of a wave: the same words as in its document.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Headline<'a> {
    #[serde(borrow)]
    wave_id: Cow<'a, str>,
    #[serde(borrow)]
    verdict: Cow<'a, str>,
    #[serde(borrow)]
    state: Cow<'a, str>,
    healthy: bool,
    settled: bool,
    #[serde(borrow)]
    summary: Cow<'a, str>,
}

impl<'a> Headline<'a> {
    /// The head of `document`, a wave's.
    ///
    /// # Errors
    ///
    /// Where `document` is not one of [`crate::wire::wave_document`].
    pub fn read(document: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(document)
    }
}
