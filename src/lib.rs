//! wavegate judges the waves of a fleet upgrade. The modules in reading order:

pub mod app;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod engine;
pub mod http;
pub mod judge;
pub mod plan;
pub mod report;
pub mod rules;
pub mod series;
pub mod sources;
pub mod stats;
pub mod store;
pub mod telemetry;
pub mod wave;
pub mod wire;
