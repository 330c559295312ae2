//! What error budgets say of waves: the vectors of the design, each policy, and what holds of
//! all of them.

#![expect(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test that panics has failed, and exact numbers are meant"
)]

mod charges;
mod deadline;
mod hostile;
mod peeking;
mod policies;
mod properties;
mod vectors;
