//! The loop: due, fetch, judge, step, commit.
//!
//! One task owns every wave. It never acts on what it did not commit, and a
//! restart goes on from the store as if nothing had happened.

mod advance;
mod board;
mod book;
mod changes;
mod clock;
mod command;
mod fetch;
mod handle;
mod live;
mod past;
mod run;
mod settings;

pub use advance::Advanced;
pub use advance::advance;
pub use advance::apply;
pub use advance::gate_of;
pub use book::BookEntry;
pub use book::BookError;
pub use book::RuleBook;
pub use book::read_text;
pub use book::rule_paths;
pub use changes::Change;
pub use changes::Changes;
pub use clock::Clock;
pub use handle::Handle;
pub use handle::Listed;
pub use handle::Open;
pub use handle::Published;
pub use handle::Readiness;
pub use handle::Refusal;
pub use handle::Word;
pub use past::JudgedPast;
pub use past::Past;
pub use past::has_past;
pub use past::judge_past;
pub use run::Engine;
pub use run::Parts;
pub use settings::Settings;
