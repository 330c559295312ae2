//! One integration-test binary, a module for each boundary.

mod api;
mod calibration;
mod cli;
mod daemon;
mod delivery;
mod demo;
mod dockerfile;
mod engine;
mod exposition;
mod expr;
mod gather;
mod judge;
mod layers;
mod native;
mod past;
mod probe;
mod prometheus;
mod properties;
mod reference;
mod rules;
mod scrape;
mod store;
mod support;
mod wave;
mod waves;
mod wire;
