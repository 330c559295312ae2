//! The life of one wave.

mod gate;
mod open;
mod step;

pub use gate::Attestation;
pub use gate::Decision;
pub use gate::Gate;
pub use gate::GateState;
pub use gate::Outage;
pub use gate::Requirement;
pub use gate::Verdict;
pub use gate::Wave;
pub use gate::WaveId;
pub use gate::Would;
pub use open::Asked;
pub use open::Opening;
pub use open::attempt;
pub use open::open;
pub use step::Effect;
pub use step::Event;
pub use step::may_decide;
pub use step::restore;
pub use step::step;

/// What a webhook consumer is told, one for each change of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// `wave.opened`
    Opened,
    /// `wave.passed`
    Passed,
    /// `wave.failed`
    Failed,
    /// `wave.paused`: held, or not healthy.
    Paused,
    /// `wave.resumed`
    Resumed,
    /// `wave.cancelled`
    Cancelled,
}

impl EventKind {
    /// Every kind there is.
    pub const ALL: [Self; 6] = [Self::Opened, Self::Passed, Self::Failed, Self::Paused, Self::Resumed, Self::Cancelled];
}
