//! What rules can do: seeded traffic, and what becomes of waves of it.
//!
//! [`simulate`] makes whole waves of a rule file's ordinary day up and judges them as a
//! daemon would, so that the promised risks are counted and not believed. All chance comes
//! from a seed: the same seed gives the same report on any number of cores. [`power`] says the
//! same beforehand, without chance: what a check detects, and by when.

mod change;
mod cores;
mod ordinary;
pub mod power;
mod scene;
mod simulation;
pub mod traffic;
mod weather;

pub use change::Change;
pub use cores::on_cores;
pub use ordinary::Ignored;
pub use ordinary::ignored;
pub use ordinary::ordinary;
pub use scene::Day;
pub use scene::stated;
pub use scene::trials;
pub use simulation::Alone;
pub use simulation::Case;
pub use simulation::MAX_WAVES;
pub use simulation::Minutes;
pub use simulation::Progress;
pub use simulation::Rate;
pub use simulation::Report;
pub use simulation::Row;
pub use simulation::Simulation;
pub use simulation::simulate;
pub use weather::Weather;
