//! SLO files: what a service promises, and what waves may spend of it.
//!
//! A rule file that names an SLO in `budget` is bundled with it, as it is with its base:
//! a gate keeps both as one text, and an SLO that is edited is another one.

mod budget;
mod burn;
mod file;
mod indicator;
mod parse;
mod period;
mod policies;

pub(in crate::rules) use budget::budget;
pub(in crate::rules) use budget::part_name;
pub(in crate::rules) use budget::part_of;
pub use budget::slo_of;
pub use burn::burn_factor;
pub use burn::usual_tiers;
pub use file::Absolute;
pub use file::Budgeting;
pub use file::CalendarUnit;
pub use file::EmptySlice;
pub use file::Indicator;
pub use file::Period;
pub use file::Slo;
pub use file::SloName;
pub use file::Tier;
pub use file::TierSeverity;
pub use parse::ParsedSlo;
pub use parse::is_slo;
pub use parse::parse_slo;
pub use parse::slo_name;
pub use policies::Class;
pub use policies::Policies;
pub use policies::Scope;
pub use policies::WaveBurn;
