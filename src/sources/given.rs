//! Series that somebody wrote down, as a source: what rule tests are judged by.
//!
//! Questions are answered as those to scraped targets are, as far as
//! [`rules::query::lower()`] goes.
//!
//! [`rules::query::lower()`]: crate::rules::query::lower()

use crate::series::Labels;
use crate::series::Window;
use crate::series::expr::Stored;
use crate::sources::Answer;
use crate::sources::Error;
use crate::sources::Grid;
use crate::sources::Pending;
use crate::sources::Source;
use crate::sources::memory::Bounds;
use crate::sources::memory::Memory;
use crate::sources::memory::Recall;
use crate::sources::memory::Shared;
use crate::sources::memory::Words;
use std::time::Duration;

/// Series that do not change, as a [`Source`].
#[derive(Debug)]
pub struct GivenSource {
    name: String,
    memory: Shared,
}

impl GivenSource {
    /// A source of `series`, whose labels differ.
    pub fn new(name: impl Into<String>, series: impl IntoIterator<Item = Stored>) -> Self {
        let words = Words { subject: "what is given".to_owned(), missed: "had a gap", silent: None, short: "" };
        // Nothing is scraped, so nothing is ever forgotten.
        let bounds = Bounds { retention: Duration::MAX, max_series: usize::MAX, max_samples: usize::MAX };
        let mut memory = Memory::new(words, Labels::default(), bounds);
        series.into_iter().for_each(|one| memory.put(one));
        Self { name: name.into(), memory: Shared::new(memory) }
    }

    fn recall(&self) -> Recall {
        Recall { source: self.name.clone(), memories: vec![self.memory.clone()] }
    }
}

impl Source for GivenSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn raw<'a>(&'a self, selector: &'a str, window: Window) -> Pending<'a, Result<Answer, Error>> {
        Box::pin(self.recall().raw(selector, window))
    }

    fn grid<'a>(&'a self, expr: &'a str, grid: Grid) -> Pending<'a, Result<Answer, Error>> {
        Box::pin(self.recall().grid(expr, grid))
    }
}
