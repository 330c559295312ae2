//! A replay is what was judged, to the byte.

use super::judged;
use super::recorded;
use super::wave;
use std::path::Path;
use std::time::Duration;
use wavegate::engine;
use wavegate::engine::End;
use wavegate::rules::Class;
use wavegate::sources::recording;
use wavegate::sources::recording::Answers;
use wavegate::wave::Decision;
use wavegate::wave::GateState;
use wavegate::wave::Outage;
use wavegate::wave::Verdict;
use wavegate::wire::RecordingHeader;

#[test]
fn a_replay_gives_the_bytes_that_were_judged() {
    for (id, minutes, end) in [
        ("plain-1", 60, End::Passed),
        ("errors-10x-1", 60, End::Failed),
        ("cpu-30-percent-1", 60, End::HeldByCheck),
        // Still open, after a look that was planned and after one that was not.
        ("restarts-1", 7, End::Undecided),
        ("new-instances-1", 1, End::Undecided),
        ("new-instances-1", 0, End::Undecided),
    ] {
        let (wave, length) = (wave(id), Duration::from_secs(minutes * 60 + 15));
        let expect = judged(&wave, length).document;
        let recording = recorded(&wave, length);
        assert_eq!(recording.document, expect, "{id}");
        let packed = recording::pack(&recording).unwrap();
        assert_eq!(packed, recording::pack(&recording).unwrap(), "{id}: the same file");
        for answers in [Answers::Wanted, Answers::Skipped] {
            let read = recording::unpack(Path::new(id), &packed, answers).unwrap();
            let replayed = engine::replay(&read).unwrap();
            assert_eq!((replayed.document, replayed.story.end), (expect.clone(), end), "{id} after {minutes} min");
            if answers == Answers::Wanted {
                assert!(read == recording, "{id}: what was written is read");
            }
        }
    }
}

#[test]
fn a_recording_goes_on_after_the_decision_so_that_slower_rules_can_be_tried() {
    let recording = recorded(&wave("errors-10x-1"), Duration::from_hours(1));
    assert_eq!(recording.intervals.len(), 240);
    let replayed = engine::replay(&recording).unwrap();
    assert!(replayed.story.stopped_after.unwrap() < Duration::from_mins(10), "{:?}", replayed.story);
}

#[test]
fn a_persons_word_and_an_outage_are_replayed() {
    let mut recording = recorded(&wave("cpu-30-percent-1"), Duration::from_mins(20));
    let at = recording.header.start + Duration::from_mins(30);
    let (by, why) = ("kim".to_owned(), "known".to_owned());
    recording.header.end.decision = Some(Decision { verdict: Some(Verdict::Pass), by, why, at });
    recording.header.end.revision = 99;
    let decided = engine::replay(&recording).unwrap();
    assert_eq!((decided.verdict, decided.state), (Verdict::Pass, GateState::Decided));
    let is_there = |words: &str| assert!(decided.document.contains(words), "{words}: {}", decided.document);
    is_there("passed by kim");
    is_there("\"revision\":99");

    let mut recording = recorded(&wave("plain-1"), Duration::from_mins(5));
    recording.header.end.outage = Some(Outage { since: at, message: "no route".to_owned() });
    let silent = engine::replay(&recording).unwrap();
    assert!(silent.document.contains("source_unavailable"), "{}", silent.document);
    recording.header.end.state = GateState::Held;
    let expired = engine::replay(&recording).unwrap();
    assert_eq!((expired.verdict, expired.state), (Verdict::Pause, GateState::Held));
}

#[test]
fn the_class_of_a_wave_is_replayed_and_a_recording_without_one_is_of_a_standard_wave() {
    let mut recording = recorded(&wave("plain-1"), Duration::from_mins(3));
    assert_eq!(recording.header.class, Class::Standard);
    let standard = recording.header.line();
    assert!(!standard.contains("\"class\""), "as it was before there were classes: {standard}");
    assert_eq!(RecordingHeader::read(&standard).unwrap(), recording.header);
    let outright = standard.replacen("\"rules\":", "\"class\":\"standard\",\"rules\":", 1);
    assert_eq!(RecordingHeader::read(&outright).unwrap(), recording.header);

    recording.header.class = Class::Exploratory;
    let line = recording.header.line();
    assert!(line.contains("\"class\":\"exploratory\""), "{line}");
    assert_eq!(RecordingHeader::read(&line).unwrap(), recording.header);
    assert!(engine::replay(&recording).is_ok());
    let fault = RecordingHeader::read(&line.replacen("exploratory", "Exploratory", 1)).unwrap_err();
    assert!(fault.contains("`Exploratory` is no class"), "{fault}");
}
