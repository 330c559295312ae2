//! What was observed: time, labels, series, and the evidence made of them; what
//! targets expose, and queries over series that we hold ourselves.

pub mod counter;
mod evidence;
pub mod exposition;
pub mod expr;
mod fraction;
pub mod gauge;
pub mod histogram;
mod labels;
mod matcher;
pub mod native;
mod slices;
pub mod spread;
mod time;

pub use evidence::Buckets;
pub use evidence::BudgetEvidence;
pub use evidence::CheckEvidence;
pub use evidence::Fault;
pub use evidence::InstanceEvidence;
pub use evidence::IntervalEvidence;
pub use evidence::Measure;
pub use evidence::Notice;
pub use evidence::Observed;
pub use evidence::ServiceReading;
pub use evidence::SpanReading;
pub use fraction::Fraction;
pub use labels::Labels;
pub use labels::Sample;
pub use labels::Series;
pub use matcher::Matcher;
pub use matcher::Test;
pub use slices::Counts;
pub use slices::Slices;
pub use slices::SpanCounts;
pub use time::Timestamp;
pub use time::Window;
