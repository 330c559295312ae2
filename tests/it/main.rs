//! One integration-test binary, a module for each boundary.

mod calibration;
mod judge;
mod layers;
mod properties;
mod reference;
mod rules;
mod support;
mod wave;
