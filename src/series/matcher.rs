//! Which series are meant: conditions on labels.

use crate::series::Labels;
use regex::Regex;

/// A condition on the value of one label; a label that is absent has the value "".
#[derive(Clone, Debug)]
pub struct Matcher {
    label: String,
    test: Test,
}

/// What the value of a label must be.
#[derive(Clone, Debug)]
pub enum Test {
    /// This.
    Equal(String),
    /// Anything but this.
    NotEqual(String),
    /// What the expression, anchored at both ends by whoever made it, matches.
    Matching(Regex),
    /// What it does not match.
    NotMatching(Regex),
}

impl Matcher {
    /// The condition `test` on `label`.
    pub fn new(label: impl Into<String>, test: Test) -> Self {
        Self { label: label.into(), test }
    }

    /// The label that it is about.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether `labels` meet it.
    pub fn is_met(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.label).unwrap_or_default();
        match &self.test {
            Test::Equal(text) => value == text,
            Test::NotEqual(text) => value != text,
            Test::Matching(expression) => expression.is_match(value),
            Test::NotMatching(expression) => !expression.is_match(value),
        }
    }
}
