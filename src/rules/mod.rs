//! What was promised: rule files, valid by construction.

mod check;
mod diagnostic;
mod file;
mod gauge;
mod margin;
mod parse;
mod probe;
pub mod query;
mod reader;
mod units;
mod yaml;

pub use diagnostic::Diagnostic;
pub use diagnostic::Severity;
pub use diagnostic::render;
pub use file::Bound;
pub use file::Breach;
pub use file::Check;
pub use file::CheckKind;
pub use file::Digest;
pub use file::GaugeScale;
pub use file::GaugeTest;
pub use file::OnDeadline;
pub use file::OnFail;
pub use file::Policy;
pub use file::Risk;
pub use file::RuleFile;
pub use file::RulesName;
pub use file::Schedule;
pub use file::Spending;
pub use file::Telemetry;
pub use file::Worse;
pub use parse::Parsed;
pub use parse::parse;
pub use probe::Probe;
