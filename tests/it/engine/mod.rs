//! The engine on a paused clock: what it promises to those who poll, restart and break things.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod attempts;
mod attestations;
mod budgets;
mod calendar;
mod discover;
mod looks;
mod observing;
mod params;
mod probes;
mod recorded;
mod reload;
mod trouble;
mod world;
