//! Evidence in.
//!
//! A source answers two questions, raw samples and values on a grid; everything
//! that is made of the answers is made in one place, [`gather`], so that every
//! source yields the same evidence.

mod accounts;
mod error;
pub mod gather;
mod given;
mod memory;
pub mod probe;
pub mod prometheus;
pub mod recording;
pub mod scrape;

pub use accounts::AccountAsked;
pub use accounts::Accounts;
pub use error::Asked;
pub use error::EXCERPT_CHARS;
pub use error::Error;
pub use error::Excess;
pub use given::GivenSource;

use crate::series::Series;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::native::Histograms;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// What a source gives back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The series, ordered by labels.
    pub series: Vec<Series>,
    /// Native histograms, ordered by labels; none on a grid.
    pub native: Vec<Histograms>,
    /// The source said that data is missing: its words.
    pub partial: Option<String>,
    /// Remarks on the query that do not touch completeness.
    pub remarks: Vec<String>,
}

/// What is said of native histograms where numbers were wanted.
fn not_read(native: usize) -> String {
    format!("{native} series have native histograms, which were not read")
}

/// Points in time `from + k·step`, up to and including `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The first point.
    pub from: Timestamp,
    /// The last point; `to - from` is a multiple of `step`.
    pub to: Timestamp,
    /// Their distance.
    pub step: Duration,
}

/// A future that a [`Source`] gives out.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Somewhere evidence comes from.
pub trait Source: Send + Sync {
    /// Its name in the configuration.
    fn name(&self) -> &str;

    /// The raw samples in `window`, numbers or native histograms, of every series that
    /// the PromQL `selector` picks.
    fn raw<'a>(&'a self, selector: &'a str, window: Window) -> Pending<'a, Result<Answer, Error>>;

    /// The values of the PromQL `expr` at each point of `grid`, of which
    /// native histograms are none.
    fn grid<'a>(&'a self, expr: &'a str, grid: Grid) -> Pending<'a, Result<Answer, Error>>;
}
