//! Killed with SIGKILL in the middle of commits, or with the log cut short as by a
//! loss of power: what was acknowledged is there.
//!
//! The first test runs its own binary as a child that commits for ever and prints
//! what was acknowledged; it reads so many lines, kills, and reads on to the end.

use crate::store::budgets;
use crate::store::sqlite;
use crate::store::worlds;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use wavegate::rules::Digest;
use wavegate::series::Counts;
use wavegate::series::Timestamp;
use wavegate::store::Change;
use wavegate::store::Charge;
use wavegate::store::Error;
use wavegate::store::Settings;
use wavegate::store::SqliteStore;
use wavegate::store::Store;
use wavegate::store::StoredWave;

/// Names the child's folder, and tells it that it is one.
const FOLDER: &str = "WAVEGATE_TEST_CRASH_FOLDER";
const ACKNOWLEDGED: &str = "acknowledged ";

/// Slices that the child keeps after each batch: several statements.
const SLICES: u32 = 600;

/// Commits batches until it is killed, each a new wave and one more look at wave
/// `long`; without a folder it is nobody's child and has nothing to do.
#[tokio::test]
async fn child_that_commits_until_killed() {
    let Some(folder) = env::var_os(FOLDER) else {
        return;
    };
    let store = SqliteStore::open(&sqlite::settings(Path::new(&folder))).await.unwrap();
    let mut long = resumed(&store.load(Timestamp::from_millis(i64::MIN)).await.unwrap());
    loop {
        let mut batch = worlds::history(&format!("short-{:08}", long.gate.judged), 1);
        batch.push(long.clone());
        store.commit(&batch).await.unwrap();
        store.keep_slices(&counted(), &call(long.gate.judged)).await.unwrap();
        println!("\n{ACKNOWLEDGED}{}", long.gate.judged);
        long = worlds::next_look(&long);
    }
}

fn counted() -> Digest {
    Digest::of(b"counted")
}

/// The slices of the `number`-th call.
fn call(number: u32) -> Vec<(Timestamp, Option<Counts>)> {
    (number * SLICES..(number + 1) * SLICES).map(budgets::slice).collect()
}

/// The change of wave `long` after what is stored.
fn resumed(waves: &[StoredWave]) -> Change {
    let opening = worlds::opening("long");
    match waves.iter().find(|wave| wave.id == opening.wave) {
        Some(wave) => {
            let mut last = opening;
            last.gate = wave.gates[0].gate.clone();
            worlds::next_look(&last)
        }
        None => opening,
    }
}

fn child(folder: &Path) -> Child {
    let name = concat!(module_path!(), "::child_that_commits_until_killed");
    let (_, name) = name.split_once("::").unwrap();
    Command::new(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(FOLDER, OsString::from(folder))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn acknowledged_commits_survive_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let settings = sqlite::settings(folder.path());
    let mut acknowledged = None;

    for lines_before_kill in [1, 2, 3, 5, 8, 13, 21, 34, 1, 1] {
        let mut child = child(folder.path());
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut lines = 0;
        for line in stdout.lines() {
            let Ok(line) = line else { break };
            let Some(number) = line.strip_prefix(ACKNOWLEDGED) else { continue };
            acknowledged = Some(number.parse::<u32>().unwrap());
            lines += 1;
            if lines == lines_before_kill {
                let error = SqliteStore::open(&settings).await.err().expect("another process has it");
                assert!(matches!(error, Error::InUse { .. }), "{error}");
                child.kill().unwrap();
            }
        }
        let status = child.wait().unwrap();
        assert!(lines >= lines_before_kill, "the child ended by itself after {lines} commits: {status}");
        check_survivors(&settings, acknowledged.unwrap()).await;
    }
}

/// Every acknowledged batch is there, at most one more, and each whole.
async fn check_survivors(settings: &Settings, acknowledged: u32) {
    let store = SqliteStore::open(settings).await.unwrap();
    let waves = store.load(Timestamp::from_millis(i64::MIN)).await.unwrap();
    let (long, short) = waves.split_first().unwrap();
    let judged = long.gates[0].gate.judged;
    assert!((acknowledged..=acknowledged + 1).contains(&judged), "{acknowledged} acknowledged, {judged} found");
    assert_eq!(*long, worlds::stored(&worlds::history("long", judged as usize)));
    let names: Vec<String> = (0..=judged).map(|number| format!("short-{number:08}")).collect();
    let expect: Vec<StoredWave> = names.iter().map(|name| worlds::stored(&worlds::history(name, 1))).collect();
    assert_eq!(short, expect);
    // What a wave is charged with is that of the look that is there.
    let charged = names.iter().map(|name| worlds::history(name, 1)).chain([worlds::history("long", judged as usize)]);
    let mut charged: Vec<Charge> = charged.filter_map(|history| history.last()?.charge.clone()).collect();
    charged.sort_by(|one, other| one.charged.wave.cmp(&other.charged.wave));
    assert_eq!(store.charges(Timestamp::from_millis(i64::MIN)).await.unwrap(), charged);
    check_slices(&store, acknowledged).await;
    store.close().await.unwrap();

    let mut shell = sqlite::shell(settings).await;
    let finding: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut shell).await.unwrap();
    assert_eq!(finding, "ok");
    let orphans = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut shell).await.unwrap();
    assert!(orphans.is_empty());
}

/// Every acknowledged call is there, at most one more, and each whole.
async fn check_slices(store: &SqliteStore, acknowledged: u32) {
    let slices = store.slices(&counted(), Timestamp::from_millis(i64::MIN)).await.unwrap();
    let calls = slices.len() / SLICES as usize;
    let least = acknowledged as usize + 1;
    assert!((least..=least + 1).contains(&calls), "{least} calls acknowledged, {calls} found");
    let all = (0..u32::try_from(calls).unwrap()).flat_map(call);
    assert_eq!(slices, all.collect::<Vec<_>>());
}

/// Page size and frame header: the log grows by such steps after its own header.
const FRAME_BYTES: u64 = 4096 + 24;
const LOG_HEADER_BYTES: u64 = 32;

#[tokio::test]
async fn a_log_cut_anywhere_keeps_every_commit_before_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    let settings = sqlite::settings(folder.path());
    let log = settings.path.with_extension("db-wal");
    let store = SqliteStore::open(&settings).await.unwrap();
    let history = worlds::history("long", 4);
    let mut ends = Vec::new();
    for change in &history {
        store.commit(std::slice::from_ref(change)).await.unwrap();
        ends.push(fs::metadata(&log).unwrap().len());
    }

    let (first, last) = (ends[0], ends[ends.len() - 1]);
    assert_eq!((last - LOG_HEADER_BYTES) % FRAME_BYTES, 0);
    let whole_frames = (0..).map(|frames| first + frames * FRAME_BYTES).take_while(|cut| *cut <= last);
    for cut in whole_frames.flat_map(|end| [end, end - 1, end + FRAME_BYTES / 2]) {
        let copy = tempfile::tempdir().unwrap();
        let copied = Settings { path: copy.path().join("copy.db"), ..settings.clone() };
        fs::copy(&settings.path, &copied.path).unwrap();
        fs::copy(&log, copied.path.with_extension("db-wal")).unwrap();
        let copied_log = File::options().write(true).open(copied.path.with_extension("db-wal")).unwrap();
        copied_log.set_len(cut.min(last)).unwrap();

        let kept = ends.iter().filter(|end| **end <= cut).count();
        let store = SqliteStore::open(&copied).await.unwrap();
        let found = store.wave(&history[0].wave).await.unwrap();
        let expect = (kept > 0).then(|| worlds::stored(&history[..kept]));
        assert_eq!(found, expect, "cut at {cut} of {last}");
        store.commit(&history[kept..]).await.unwrap();
        assert_eq!(store.wave(&history[0].wave).await.unwrap(), Some(worlds::stored(&history)));
        store.close().await.unwrap();
    }
}
