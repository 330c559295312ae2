//! Made-up evidence with a seed: what the checks of a gate see of a wave, interval by
//! interval, and what a gate says of it.
//!
//! A [`Scene`] says what is measured and what moves it; [`wave()`] draws one wave of it and
//! judges each interval on its own. Whoever asks for risks asks for many.

mod chance;
pub mod latency;
pub mod noise;
mod random;
pub mod signal;
mod tally;
mod wave;

pub use latency::Latency;
pub use random::Random;
pub use tally::Tally;
pub use wave::Gate;
pub use wave::Run;
pub use wave::Scene;
pub use wave::Until;
pub use wave::wave;
