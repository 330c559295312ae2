//! Rule tests on a recording.

use super::block_on;
use super::fleet::Wave;
use super::source;
use super::source::Fleet;
use super::wave;
use crate::support::daemon::run;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use wavegate::engine;
use wavegate::engine::Course;
use wavegate::rules;
use wavegate::rules::RuleFile;
use wavegate::sources::recording;
use wavegate::sources::recording::Answers;
use wavegate::wire::Label;
use wavegate::wire::RecordedAttestation;
use wavegate::wire::Recording;

const FIXTURE: &str = "fixtures/recordings/plain.recording";

/// Rules with params, an attestation and a base.
fn rules_of(path: &str) -> (RuleFile, String) {
    let text = engine::read_text(Path::new(path)).unwrap();
    let parsed = rules::parse(path, &text).unwrap_or_else(|faults| panic!("{}", rules::render(&faults, &text)));
    (parsed.rules, text)
}

/// A past of half an hour that sets a param.
fn past(wave: &Wave) -> engine::Past {
    let params = BTreeMap::from([("codes".to_owned(), "5..".to_owned())]);
    engine::Past { params, ..source::past(wave, Duration::from_mins(30)).unwrap() }
}

fn half_an_hour(wave: &Wave) -> Recording {
    let (rules, text) = rules_of("fixtures/rule_tests/recorded.yaml");
    let source = Fleet::of(wave);
    let recorded = engine::record_past(&source, &rules, &text, past(wave), |_, _| ());
    let mut recording = block_on(recorded).unwrap().recording;
    recording.header.label = Some(Label::Good);
    recording
}

#[test]
fn the_fixture_is_what_the_generator_makes() {
    let expect = half_an_hour(&wave("plain-1"));
    let path = Path::new(FIXTURE);
    let found = recording::read(path, Answers::Wanted).unwrap();
    if found != expect {
        let beside = path.with_extension("recording.new");
        recording::write(&beside, &recording::pack(&expect).unwrap()).unwrap();
        panic!("{} is another: look what changed, then move it over {FIXTURE}", beside.display());
    }
    assert!(std::fs::metadata(path).unwrap().len() < 200_000);
}

#[test]
fn tests_on_a_recording_pass_and_are_the_same_each_time() {
    let tested = || {
        let ended = run(["test", "--format", "json", "fixtures/rule_tests/recorded_test.yaml"]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{}", ended.out);
        let seconds = |line: &&str| !line.contains("\"seconds\"");
        ended.out.lines().filter(seconds).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(tested(), tested());
}

#[test]
fn what_was_not_recorded_is_said_in_what_differs() {
    let ended = run(["test", "fixtures/rule_tests/otherwise_test.yaml"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(3), ""));
    let is_there = |words: &str| assert!(ended.out.contains(words), "{words}: {}", ended.out);
    is_there("check files");
    is_there("the recording does not have what this asks");
    is_there("process_open_fds");
    // The errors are among what the other selector was answered.
    assert!(!ended.out.contains("check server-errors"), "{}", ended.out);
}

#[test]
fn a_moment_after_the_end_of_a_recording_says_that_it_has_ended() {
    let home = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    std::fs::copy(FIXTURE, home.path().join("plain.recording")).unwrap();
    let (_, text) = rules_of("fixtures/rule_tests/otherwise.yaml");
    put("rules.yaml", &text.replace("deadline: 30m", "deadline: 60m"));
    let given = "- { name: a, recording: plain.recording, expect: [{ at: 40m, verdict: pass }] }";
    put("late_test.yaml", &format!("rules: rules.yaml\ntests:\n  {given}\n"));
    let ended = run(["test", home.path().to_str().unwrap()]);
    assert!(ended.code == Some(3) && ended.out.contains("the recording ends after 30m"), "{ended:?}");
}

#[test]
fn params_attestations_and_a_base_are_replayed_to_the_bytes_of_the_judgement() {
    let wave = wave("plain-1");
    let (rules, _) = rules_of("fixtures/rule_tests/recorded.yaml");
    let mut recording = half_an_hour(&wave);
    let judged = block_on(engine::judge_past(&Fleet::of(&wave), &rules, past(&wave), |_, _| ())).unwrap();
    assert_eq!(recording.document, judged.document);
    assert!(judged.document.contains("\"codes\":\"5..\"") && judged.document.contains("attestation_missing"));
    assert_eq!(engine::replay(&recording).unwrap().document, judged.document);
    assert_eq!(block_on(engine::replay_by(&rules, &recording)).unwrap().document, judged.document);

    let at = wave.start + Duration::from_mins(12);
    let moments = [0, 719, 720, 735, 1200, 1800].map(|seconds| wave.start + Duration::from_secs(seconds));
    let attested = [("backup".to_owned(), at)];
    let course = Course { attested: &attested, moments: &moments };
    let scrape = Duration::from_secs(15);
    let expect = block_on(engine::judge_moments(&Fleet::of(&wave), &rules, past(&wave), scrape, course)).unwrap();
    assert_eq!(block_on(engine::replay_moments(&rules, &recording, course)).unwrap(), expect.documents);
    let (name, by) = ("backup".to_owned(), "wavegate".to_owned());
    recording.header.attestations = vec![RecordedAttestation { name, by, note: None, url: None, at: at.to_string() }];
    let alone = Course { moments: &moments, ..Course::default() };
    assert_eq!(block_on(engine::replay_moments(&rules, &recording, alone)).unwrap(), expect.documents);
    assert!(expect.documents[5].contains("\"verdict\":\"pass\""), "{}", expect.documents[5]);
}
