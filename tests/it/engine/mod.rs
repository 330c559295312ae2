//! The engine on a paused clock: what it promises to those who poll, restart and break things.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod attempts;
mod looks;
mod probes;
mod trouble;
mod world;
