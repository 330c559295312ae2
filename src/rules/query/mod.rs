//! Queries: PromQL parsed once, cohort matchers put into the parsed tree.
//!
//! A wave id is a label value and nothing else: the tree is written out with the
//! cohort's matchers in each of its selectors, every value with its escapes. No
//! text of a caller is ever pasted into text of a query.
//!
//! In reading order: [`Matchers`] and their binding, the plain [`Selector`], the
//! expression [`PromQl`], and [`lower()`] for sources without a Prometheus; below
//! them the scanner, which looks at the text before the parser does, and the
//! writer, which makes text of a tree.

mod cohort;
pub(in crate::rules) mod counts;
mod fault;
mod lower;
pub(in crate::rules) mod pattern;
mod promql;
mod scan;
mod selector;
pub(in crate::rules) mod smells;
mod write;

pub use cohort::Bindings;
pub use cohort::BoundMatchers;
pub use cohort::Cohorts;
pub use cohort::MatchOp;
pub use cohort::Matchers;
pub use cohort::NO_PARAMS;
pub use fault::QueryFault;
pub use lower::NEEDS_PROMETHEUS;
pub use lower::lower;
pub use lower::lower_selector;
pub use promql::GaugeQuery;
pub use promql::PromQl;
pub use selector::Selector;
