//! wavegate judges the waves of a fleet upgrade. The modules in reading order:

pub mod judge;
pub mod rules;
pub mod series;
pub mod stats;
pub mod wave;
