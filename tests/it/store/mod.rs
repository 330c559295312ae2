//! Memory: one contract for every store, and what only SQLite promises.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where it stopped")]

mod budgets;
mod budgets_on_disk;
mod contract;
mod crash;
mod outbox;
mod sqlite;
pub(crate) mod worlds;
