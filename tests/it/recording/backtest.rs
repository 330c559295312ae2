//! The generator's waves, scored.

use super::fleet;
use super::source;
use crate::support::daemon::Ended;
use crate::support::daemon::run;
use serde_json::Value;
use std::path::Path;
use std::sync::Mutex;

/// Writes the recordings of all waves of the generator into `folder`.
fn write_all(folder: &Path) {
    let waves = Mutex::new(fleet::waves());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            scope.spawn(|| {
                loop {
                    let Some(wave) = waves.lock().unwrap().pop() else { break };
                    source::record(&wave, &folder.join(wave.file())).unwrap();
                }
            });
        }
    });
}

fn backtest(folder: &Path, more: &[&str]) -> Ended {
    let mut arguments = vec!["backtest", folder.to_str().unwrap()];
    arguments.extend(more);
    run(arguments)
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// Files whose end changed, and whether for the worse.
fn changed(found: &Value) -> Vec<(&str, bool)> {
    let one = |change: &Value| change["worse"].as_bool().unwrap();
    let all = found["changed"].as_array().unwrap();
    all.iter().map(|change| (change["file"].as_str().unwrap(), one(change))).collect()
}

#[test]
fn the_shipped_rules_are_right_about_the_generators_waves() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let first = backtest(folder.path(), &["--format", "json"]);
    let found = json(&first);
    assert_eq!((first.code, &*first.err), (Some(0), ""), "{}", first.out);
    let score = &found["score"];
    for none in ["false_fails", "false_holds", "misses", "blind_passes"] {
        assert_eq!(score[none], 0, "{none}: {}", first.out);
    }
    let all = |ends: &Value| ends.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum::<u64>();
    assert_eq!((all(&score["good"]), all(&score["bad"])), (24, 20));
    assert_eq!(score["bad"]["failed"].as_u64().unwrap() + score["bad"]["held_by_check"].as_u64().unwrap(), 20);
    assert!(score["good"]["passed"].as_u64().unwrap() >= 23, "{}", first.out);
    assert_eq!(backtest(folder.path(), &["--format", "json"]), first, "the same whichever thread is first");
}

#[test]
fn two_rule_files_side_by_side_show_first_what_got_worse() {
    let folder = tempfile::tempdir().unwrap();
    for id in ["plain-1", "errors-2x-1", "errors-10x-1", "latency-30-percent-1"] {
        let wave = super::wave(id);
        source::record(&wave, &folder.path().join(wave.file())).unwrap();
    }
    // The latter lets five times the errors pass.
    let (shipped, lenient) = (folder.path().join("shipped.yaml"), folder.path().join("lenient.yaml"));
    std::fs::write(&shipped, source::RULES).unwrap();
    let margins = ("tolerance: 1.25x\n    pass_within: 2x", "tolerance: 5x\n    pass_within: 8x");
    std::fs::write(&lenient, source::RULES.replace(margins.0, margins.1)).unwrap();
    let compare = |rules: &Path, against: &Path, more: &[&str]| {
        let both = ["--rules", rules.to_str().unwrap(), "--against", against.to_str().unwrap()];
        backtest(folder.path(), &[&both[..], more].concat())
    };
    let worse = compare(&lenient, &shipped, &["--format", "json"]);
    let found = json(&worse);
    assert_eq!((worse.code, changed(&found)), (Some(3), vec![("bad-errors-2x-1.recording", true)]), "{}", worse.out);
    assert_eq!((&found["score"]["misses"], &found["against_score"]["misses"]), (&Value::from(1), &Value::from(0)));
    let text = compare(&lenient, &shipped, &[]).out;
    assert!(text.starts_with("1 wave changes its verdict from") && text.contains("  worse"), "{text}");
    let better = compare(&shipped, &lenient, &["--format", "json"]);
    assert_eq!((better.code, changed(&json(&better))), (Some(0), vec![("bad-errors-2x-1.recording", false)]));

    labels_beside_the_recordings_win(folder.path());
}

fn labels_beside_the_recordings_win(folder: &Path) {
    let labels = folder.join("labels.yaml");
    std::fs::write(&labels, "good-plain-1.recording: bad\n").unwrap();
    let ended = backtest(folder, &["--format", "json"]);
    assert_eq!((ended.code, &json(&ended)["score"]["misses"]), (Some(3), &Value::from(1)));
    for (text, expect) in [
        ("good-plain-1.recording: fine\n", "write a line"),
        ("../x.recording: bad\n", "no such file"),
        ("gone.recording: bad\n", "no such file"),
    ] {
        std::fs::write(&labels, text).unwrap();
        let ended = backtest(folder, &[]);
        assert!(ended.code == Some(2) && ended.err.contains(expect), "{text}: {ended:?}");
    }
}

#[test]
fn a_folder_without_labelled_recordings_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ended = backtest(folder.path(), &[]);
    assert!(ended.code == Some(2) && ended.err.contains("holds no *.recording file"), "{ended:?}");
    std::fs::write(folder.path().join("a.recording"), "x").unwrap();
    let ended = backtest(folder.path(), &[]);
    assert!(ended.code == Some(2) && ended.err.contains("a.recording is refused at line 1"), "{ended:?}");
}
