//! Recordings: what is written is read, what is replayed is what was judged, and what
//! was not recorded is not known.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backtest;
mod files;
#[path = "../../../examples/recordings/fleet.rs"]
mod fleet;
mod others;
mod real;
mod replay;
#[path = "../../../examples/recordings/source.rs"]
mod source;
mod tested;

use fleet::Wave;
use source::Fleet;
use std::time::Duration;
use wavegate::engine;
use wavegate::engine::JudgedPast;
use wavegate::engine::RecordedPast;
use wavegate::wire::Recording;

/// The generator's wave of this name.
fn wave(id: &str) -> Wave {
    fleet::waves().into_iter().find(|wave| wave.id() == id).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// What `judge` says of `wave` after `length`.
fn judged(wave: &Wave, length: Duration) -> JudgedPast {
    let (rules, past) = (source::rules().unwrap(), source::past(wave, length).unwrap());
    block_on(engine::judge_past(&Fleet::of(wave), &rules, past, |_, _| ())).unwrap()
}

/// The recording of `wave` after `length`.
fn recorded(wave: &Wave, length: Duration) -> Recording {
    let (rules, past) = (source::rules().unwrap(), source::past(wave, length).unwrap());
    let fleet = Fleet::of(wave);
    let recorded = engine::record_past(&fleet, &rules, source::RULES, past, |_, _| ());
    let RecordedPast { recording, unanswered, .. } = block_on(recorded).unwrap();
    assert!(unanswered.is_empty(), "{unanswered:?}");
    recording
}
