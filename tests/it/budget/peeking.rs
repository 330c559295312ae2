//! Gates are looked at every minute, and a pause at any look counts (slo.md §3.2).
//! `examples/burn_peeking` prints the whole table with more waves.

use crate::support::budgets::rules;
use crate::support::bursts::Bursts;
use crate::support::bursts::Paused;
use crate::support::bursts::paused;
use std::sync::Arc;

/// Waves that should not be paused: with so many, a share of 1 % is not taken for one of 2 %.
const QUIET: u32 = 1000;
/// Waves that should: they end early.
const LOUD: u32 = 600;

fn share(ratio: f64, variance: f64, shared: bool, waves: u32) -> Paused {
    paused(&Arc::new(rules(", projected: off")), Bursts { ratio, variance, shared }, waves)
}

#[test]
fn a_wave_like_its_baseline_is_hardly_ever_paused() {
    let found = share(1.0, 0.0, false, QUIET);
    assert!(found.share <= 0.01, "{found:?}");
}

#[test]
fn nor_is_one_whose_errors_come_in_bursts() {
    let found = share(1.0, 1.0, false, QUIET);
    assert!(found.share <= 0.02, "{found:?}");
}

#[test]
fn nor_is_one_whose_bursts_hit_both_cohorts() {
    let found = share(1.0, 1.0, true, QUIET / 2);
    assert!(found.share <= 0.01, "{found:?}");
}

#[test]
fn four_times_the_burn_is_paused_in_five_minutes() {
    let found = share(4.0, 0.0, false, LOUD);
    assert!(found.share >= 1.0 && found.median <= Some(5), "{found:?}");
}

#[test]
fn four_times_the_burn_in_bursts_is_paused_within_the_quarter() {
    let found = share(4.0, 1.0, false, LOUD);
    assert!(found.share >= 0.93 && found.median <= Some(14), "{found:?}");
}
