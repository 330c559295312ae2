//! A recording by other rules, and as a source: what was recorded is used, and what was
//! not makes its check blind and never lets a wave pass.

use super::block_on;
use super::recorded;
use super::source;
use super::source::Fleet;
use super::wave;
use std::time::Duration;
use wavegate::engine;
use wavegate::engine::End;
use wavegate::rules;
use wavegate::rules::RuleFile;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::sources::Grid;
use wavegate::sources::Source as _;
use wavegate::sources::recording::Recorded;
use wavegate::wave::Verdict;
use wavegate::wire::Recording;

/// The shipped rules with `from` replaced by `to`.
fn changed(from: &str, to: &str) -> RuleFile {
    assert!(source::RULES.contains(from), "{from}");
    let text = source::RULES.replacen(from, to, 1);
    rules::parse("changed.yaml", &text).unwrap_or_else(|faults| panic!("{}", rules::render(&faults, &text))).rules
}

fn without_answers(recording: &Recording) -> Recording {
    Recording { answers: Vec::new(), ..recording.clone() }
}

#[test]
fn rules_that_ask_the_same_need_no_answers() {
    let (wave, hour) = (wave("errors-3x-1"), Duration::from_hours(1));
    let recording = recorded(&wave, hour);
    for (from, to) in [
        ("tolerance: 1.25x\n    pass_within: 2x", "tolerance: 4x\n    pass_within: 8x"),
        ("false_fail: 5%", "false_fail: 1%"),
        ("warmup: 2m", "warmup: 4m"),
    ] {
        let rules = changed(from, to);
        assert!(!engine::asks_otherwise(&rules, &recording.header), "{to}");
        let past = source::past(&wave, hour).unwrap();
        let expect = block_on(engine::judge_past(&Fleet::of(&wave), &rules, past, |_, _| ())).unwrap();
        let replayed = block_on(engine::replay_by(&rules, &without_answers(&recording))).unwrap();
        assert_eq!(replayed.document, expect.document, "{to}");
    }
}

#[test]
fn rules_that_ask_otherwise_are_judged_on_the_recorded_answers_as_on_the_source() {
    let (wave, hour) = (wave("errors-3x-1"), Duration::from_hours(1));
    let recording = recorded(&wave, hour);
    for (from, to) in [
        // A part of what was recorded, another grid, an expression that nobody asked.
        ("bad: 'http_requests_total{code=~\"5..\"}'", "bad: 'http_requests_total{code=\"500\"}'"),
        ("interval: 15s", "interval: 30s"),
        ("gauge: process_resident_memory_bytes", "gauge: sum by (pod) (process_resident_memory_bytes) / 1024"),
    ] {
        let rules = changed(from, to);
        assert!(engine::asks_otherwise(&rules, &recording.header), "{to}");
        let past = source::past(&wave, hour).unwrap();
        let expect = block_on(engine::judge_past(&Fleet::of(&wave), &rules, past, |_, _| ())).unwrap();
        let replayed = block_on(engine::replay_by(&rules, &recording)).unwrap();
        assert_eq!(replayed.document, expect.document, "{to}");
    }
}

#[test]
fn a_check_that_asks_what_was_not_recorded_is_blind_and_the_wave_does_not_pass() {
    let recording = recorded(&wave("plain-1"), Duration::from_hours(1));
    assert_eq!(engine::replay(&recording).unwrap().story.end, End::Passed);
    let rules = changed("gauge: process_resident_memory_bytes", "gauge: process_open_fds");
    for (recording, words) in
        [(recording.clone(), "does not have what this asks"), (without_answers(&recording), "was not recorded")]
    {
        let replayed = block_on(engine::replay_by(&rules, &recording)).unwrap();
        assert_ne!(replayed.verdict, Verdict::Pass);
        assert!(replayed.document.contains("partial_answer"), "{}", replayed.document);
        assert!(replayed.document.contains(words), "{}", replayed.document);
        // The others see.
        let errors = replayed.story.checks.iter().find(|check| check.name == "errors").unwrap();
        assert_eq!(errors.outcome, wavegate::judge::Outcome::Pass);
    }
}

#[test]
fn a_recording_is_a_source_like_any_other() {
    let (wave, hour) = (wave("latency-30-percent-1"), Duration::from_hours(1));
    let recording = recorded(&wave, hour);
    let source = Recorded::new("past".to_owned(), recording.answers);
    let (rules, past) = (source::rules().unwrap(), source::past(&wave, hour).unwrap());
    let again = block_on(engine::judge_past(&source, &rules, past, |_, _| ())).unwrap();
    assert_eq!((again.document, again.outage), (recording.document, None));
}

#[test]
fn what_was_not_recorded_is_a_partial_answer_that_says_so() {
    let wave = wave("plain-1");
    let fleet = Fleet::of(&wave);
    let recording = recorded(&wave, Duration::from_mins(15));
    let source = Recorded::new("past".to_owned(), recording.answers);
    let at = |minute: u64| wave.start + Duration::from_mins(minute);
    let window = |from, to| Window { from: at(from), to: at(to) };
    let selector = |more: &str| format!("http_requests_total{{wave_id=\"{}\"{more}}}", wave.id());

    for (selector, window, is_known) in [
        (selector(""), window(3, 9), true),
        (selector(",code=~\"5..\",pod!=\"x\""), window(0, 15), true),
        (selector(""), window(3, 16), false),
        ("http_requests_total".to_owned(), window(3, 9), false),
        (selector("").replace("plain-1", "plain-2"), window(3, 9), false),
        (format!("up{{wave_id=\"{}\"}}", wave.id()), window(3, 9), false),
    ] {
        let found = block_on(source.raw(&selector, window)).unwrap();
        assert_eq!(found.partial.is_none(), is_known, "{selector}: {:?}", found.partial);
        if is_known {
            assert_eq!(found, block_on(fleet.raw(&selector, window)).unwrap(), "{selector}");
        } else {
            assert!(found.series.is_empty(), "{selector}");
        }
    }
    let grid = |from, to| Grid { from: at(from), to: at(to), step: Duration::from_secs(20) };
    let rate = format!("sum by (pod) (rate({}[1m]))", selector(""));
    for (expr, grid, is_known) in [
        (rate.clone(), grid(1, 14), true),
        (rate.clone(), grid(1, 17), false),
        (format!("topk(1, {rate})"), grid(1, 14), false),
    ] {
        let found = block_on(source.grid(&expr, grid)).unwrap();
        assert_eq!(found.partial.is_none(), is_known, "{expr}: {:?}", found.partial);
        if is_known {
            assert_eq!(found, block_on(fleet.grid(&expr, grid)).unwrap(), "{expr}");
        }
    }
    assert!(block_on(source.raw("a b c", window(0, 1))).is_err());
    let backwards = Grid { from: at(1), to: Timestamp::from_millis(0), step: Duration::from_secs(1) };
    assert!(block_on(source.grid(&rate, backwards)).is_err());
}
