//! What is wrong with a query, and where in its text.

use std::ops::Range;

/// One fault of a query's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryFault {
    /// A stable code, `snake_case`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: String,
    /// The bytes of the query's text that are at fault; empty where only the whole is known.
    pub at: Range<usize>,
}

/// Longest message that is passed on from the parser: it may repeat the query.
const MESSAGE_CHARS: usize = 200;

impl QueryFault {
    pub(super) fn new(code: &'static str, at: Range<usize>, message: String, help: &str) -> Self {
        Self { code, message, help: help.to_owned(), at }
    }

    /// A fault of the whole text.
    pub(super) fn whole(code: &'static str, message: &str, help: &str) -> Self {
        Self::new(code, 0..0, message.chars().take(MESSAGE_CHARS).collect(), help)
    }
}
