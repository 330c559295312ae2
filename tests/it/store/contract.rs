//! What every store promises, said against `dyn Store`.
//!
//! [`for_every_promise`] hands the list of promises to a store's own module,
//! which makes a test of each with a store of its kind.

use crate::store::worlds;
use std::time::Duration;
use wavegate::rules::Digest;
use wavegate::series::Timestamp;
use wavegate::store::Change;
use wavegate::store::Error;
use wavegate::store::Pruned;
use wavegate::store::Store;
use wavegate::store::StoredWave;
use wavegate::wave::Gate;
use wavegate::wave::GateState;
use wavegate::wave::Verdict;

/// Calls `$each!(promise)` for every promise below.
macro_rules! for_every_promise {
    ($each:ident) => {
        $each!(what_was_committed_is_loaded);
        $each!(a_batch_builds_on_itself);
        $each!(a_refused_change_leaves_nothing_of_its_batch);
        $each!(committing_twice_is_committing_once);
        $each!(a_gate_never_moves_backwards);
        $each!(what_is_published_or_judged_never_changes);
        $each!(what_could_not_be_loaded_is_refused);
        $each!(an_outage_needs_no_revision);
        $each!(final_gates_load_without_evidence);
        $each!(only_open_and_recent_waves_are_loaded);
        $each!(a_wave_is_its_gates_latest_attempts);
        $each!(documents_are_found_by_revision_and_last);
        $each!(many_waves_load_in_order);
        $each!(hostile_names_are_only_names);
        $each!(commits_from_many_tasks_all_count);
        $each!(what_is_old_and_final_is_pruned);
        $each!(a_closed_store_says_so);
    };
}
pub(crate) use for_every_promise;

const EVER: Timestamp = Timestamp::from_millis(i64::MIN);

async fn commit(store: &dyn Store, changes: &[Change]) {
    store.commit(changes).await.unwrap();
}

async fn refused(store: &dyn Store, changes: &[Change]) -> Error {
    let before = store.load(EVER).await.unwrap();
    let error = store.commit(changes).await.unwrap_err();
    assert!(error.is_refusal(), "{error}");
    assert_eq!(store.load(EVER).await.unwrap(), before, "after {error}");
    error
}

async fn one(store: &dyn Store, id: &str) -> Option<StoredWave> {
    store.wave(&worlds::wave_id(id)).await.unwrap()
}

pub(crate) async fn what_was_committed_is_loaded(store: &dyn Store) {
    assert_eq!(store.load(EVER).await.unwrap(), []);
    assert_eq!(one(store, "w").await, None);

    let mut history: Vec<Change> = Vec::new();
    let mut change = worlds::adorned(worlds::opening("w"));
    for _ in 0..4 {
        commit(store, std::slice::from_ref(&change)).await;
        history.push(change.clone());
        assert_eq!(store.load(EVER).await.unwrap(), [worlds::stored(&history)]);
        assert_eq!(one(store, "w").await, Some(worlds::stored(&history)));
        change = worlds::next_look(&change);
    }
    store.commit(&[]).await.unwrap();
    store.probe().await.unwrap();
}

pub(crate) async fn a_batch_builds_on_itself(store: &dyn Store) {
    let history = worlds::history("w", 5);
    commit(store, &history).await;
    assert_eq!(one(store, "w").await, Some(worlds::stored(&history)));
}

pub(crate) async fn a_refused_change_leaves_nothing_of_its_batch(store: &dyn Store) {
    let kept = worlds::history("kept", 3);
    commit(store, &kept).await;

    let mut batch = worlds::history("new", 2);
    batch.push(worlds::next_look(&kept[3]));
    batch.push(kept[1].clone());
    assert!(matches!(refused(store, &batch).await, Error::Stale { .. }));
    assert_eq!(one(store, "new").await, None);
    assert_eq!(one(store, "kept").await, Some(worlds::stored(&kept)));

    batch.pop();
    commit(store, &batch).await;
    assert_eq!(one(store, "new").await, Some(worlds::stored(&batch[..3])));
}

pub(crate) async fn committing_twice_is_committing_once(store: &dyn Store) {
    let mut history = worlds::history("w", 2);
    history.push(worlds::deciding(&history[2], Verdict::Pass));
    for end in 1..=history.len() {
        let last = &history[end - 1..end];
        commit(store, last).await;
        commit(store, last).await;
        commit(store, &[last, last].concat()).await;
        assert_eq!(one(store, "w").await, Some(worlds::stored(&history[..end])));
    }
    // A batch whose answer was lost comes again as a whole.
    commit(store, &history).await;
    commit(store, &history[1..]).await;
    assert_eq!(one(store, "w").await, Some(worlds::stored(&history)));

    // What its last change overtakes must still be what was stored.
    let mut other = history.clone();
    other[1].document = Some("{}".to_owned());
    assert!(matches!(refused(store, &other).await, Error::Contradiction { .. }));
    let mut other = history.clone();
    other[2].evidence = vec![(2, worlds::interval(9))];
    assert!(matches!(refused(store, &other).await, Error::Contradiction { .. }));
    assert!(matches!(refused(store, &history[..3]).await, Error::Stale { .. }));
}

pub(crate) async fn a_gate_never_moves_backwards(store: &dyn Store) {
    let history = worlds::history("w", 3);
    commit(store, &history).await;
    for older in &history[..3] {
        assert!(matches!(refused(store, std::slice::from_ref(older)).await, Error::Stale { .. }));
    }

    // A later revision that knows of fewer intervals is no better.
    let mut forgetful = history[3].clone();
    forgetful.gate.revision += 7;
    forgetful.gate.judged -= 1;
    assert!(matches!(refused(store, &[forgetful]).await, Error::Stale { .. }));

    let decided = worlds::deciding(&history[3], Verdict::Fail);
    commit(store, std::slice::from_ref(&decided)).await;
    let mut reopened = worlds::next_look(&decided);
    reopened.gate.verdict = Verdict::Pause;
    let error = refused(store, &[reopened]).await;
    assert!(matches!(error, Error::Stale { .. }), "{error}");

    // A person may override it all the same: that is a new revision, and final.
    commit(store, &[worlds::deciding(&decided, Verdict::Pass)]).await;
}

pub(crate) async fn what_is_published_or_judged_never_changes(store: &dyn Store) {
    let history = worlds::history("w", 2);
    commit(store, &history).await;
    let last = &history[2];

    let mut other = last.clone();
    other.document = Some("{}".to_owned());
    assert!(matches!(refused(store, &[other]).await, Error::Contradiction { .. }));

    let mut other = last.clone();
    other.evidence = vec![(2, worlds::interval(9))];
    assert!(matches!(refused(store, &[other]).await, Error::Contradiction { .. }));

    let mut other = worlds::next_look(last);
    other.gate.digest = Digest::of(b"other rules");
    other.rules_text = Some("other rules".to_owned());
    assert!(matches!(refused(store, &[other]).await, Error::Contradiction { .. }));

    let decided = worlds::deciding(last, Verdict::Pass);
    commit(store, std::slice::from_ref(&decided)).await;
    let mut other = decided.clone();
    other.gate.verdict = Verdict::Fail;
    assert!(matches!(refused(store, &[other]).await, Error::Contradiction { .. }));
}

pub(crate) async fn what_could_not_be_loaded_is_refused(store: &dyn Store) {
    let history = worlds::history("w", 1);
    commit(store, &history).await;
    let look = worlds::next_look(&history[1]);

    let mut silent = look.clone();
    silent.document = None;
    assert!(matches!(refused(store, &[silent]).await, Error::Incomplete { .. }));

    // Of two intervals that are to be judged the change brings: none, one, a hole,
    // the wrong order, one twice, one too many, the zeroth.
    for indices in [&[][..], &[2], &[3], &[3, 2], &[2, 2, 3], &[2, 3, 4], &[0, 2, 3]] {
        let mut other = look.clone();
        other.gate.judged = 3;
        other.evidence = indices.iter().map(|index| (*index, worlds::interval((*index).max(1)))).collect();
        let error = refused(store, &[other]).await;
        assert!(matches!(error, Error::Incomplete { .. }), "{indices:?}: {error}");
    }

    let mut bare = worlds::opening("new");
    bare.rules_text = None;
    commit(store, std::slice::from_ref(&bare)).await; // its rule file is known already
    bare.wave = worlds::wave_id("newer");
    bare.gate.digest = Digest::of(b"unknown");
    assert!(matches!(refused(store, std::slice::from_ref(&bare)).await, Error::Incomplete { .. }));
    bare.rules_text = Some("known, but of another digest".to_owned());
    assert!(matches!(refused(store, &[bare]).await, Error::Unstorable { .. }));

    let mut odd = look.clone();
    odd.gate.state = GateState::Decided;
    assert!(matches!(refused(store, &[odd]).await, Error::Unstorable { .. }));
}

pub(crate) async fn an_outage_needs_no_revision(store: &dyn Store) {
    let mut history = worlds::history("w", 1);
    commit(store, &history).await;
    let mut away = worlds::adorned(history[1].clone());
    away.document = None;
    away.evidence = Vec::new();
    commit(store, std::slice::from_ref(&away)).await;
    history[1].gate = away.gate;
    assert_eq!(one(store, "w").await, Some(worlds::stored(&history)));
}

pub(crate) async fn final_gates_load_without_evidence(store: &dyn Store) {
    let mut history = worlds::history("w", 3);
    history.push(worlds::deciding(&history[3], Verdict::Pass));
    commit(store, &history).await;
    let stored = one(store, "w").await.unwrap();
    assert_eq!(stored, worlds::stored(&history));
    assert!(stored.gates[0].evidence.is_empty());

    let gate = &stored.gates[0].gate;
    let kept = history.iter().flat_map(|change| &change.evidence).map(|(_, interval)| interval.clone());
    let kept: Vec<_> = kept.collect();
    assert_eq!(store.evidence(&stored.id, &gate.rules, 1).await.unwrap(), kept, "whoever needs it asks");
    assert_eq!(store.evidence(&stored.id, &gate.rules, 2).await.unwrap(), []);
    store.prune(worlds::look(4) + Duration::from_hours(24 * 31)).await.unwrap();
    assert_eq!(store.evidence(&stored.id, &gate.rules, 1).await.unwrap(), []);
}

pub(crate) async fn only_open_and_recent_waves_are_loaded(store: &dyn Store) {
    let open = worlds::history("open", 1);
    let mut old = worlds::history("old", 2);
    old.push(worlds::deciding(&old[2], Verdict::Fail));
    let mut recent = worlds::history("recent", 6);
    recent.push(worlds::deciding(&recent[6], Verdict::Pass));
    for history in [&open, &old, &recent] {
        commit(store, history).await;
    }
    let (open, old, recent) = (worlds::stored(&open), worlds::stored(&old), worlds::stored(&recent));

    let load = |since| store.load(since);
    assert_eq!(load(EVER).await.unwrap(), [old.clone(), open.clone(), recent.clone()]);
    assert_eq!(load(worlds::look(2)).await.unwrap(), [open.clone(), recent], "after, not at");
    assert_eq!(load(worlds::look(6)).await.unwrap(), std::slice::from_ref(&open));
    assert_eq!(one(store, "old").await, Some(old), "however old");

    // Judged in hindsight: its looks are older than its opening.
    let mut hindsight = worlds::history("hindsight", 2);
    hindsight.push(worlds::deciding(&hindsight[2], Verdict::Pass));
    for change in &mut hindsight {
        change.gate.opened_at = worlds::look(60);
    }
    commit(store, &hindsight).await;
    assert_eq!(load(worlds::look(59)).await.unwrap(), [worlds::stored(&hindsight), open]);
}

pub(crate) async fn a_wave_is_its_gates_latest_attempts(store: &dyn Store) {
    let first = worlds::history("w", 2);
    let decided = worlds::deciding(&first[2], Verdict::Fail);
    let second = worlds::next_attempt(&decided);
    let mut beside = worlds::opening("w");
    beside.gate.rules = worlds::rules_name("Payments");
    beside.rollout = Some("renamed".to_owned());
    commit(store, &first).await;
    commit(store, &[decided, second.clone(), beside.clone()]).await;

    let stored = one(store, "w").await.unwrap();
    let gates: Vec<&Gate> = stored.gates.iter().map(|stored| &stored.gate).collect();
    assert_eq!(gates, [&beside.gate, &second.gate], "by name, the latest of each");
    assert_eq!(stored.rollout.as_deref(), Some("renamed"));
    assert_eq!(store.load(EVER).await.unwrap(), [stored]);
}

pub(crate) async fn documents_are_found_by_revision_and_last(store: &dyn Store) {
    let history = worlds::history("w", 3);
    let decided = worlds::deciding(&history[3], Verdict::Fail);
    let second = worlds::next_attempt(&decided);
    commit(store, &[&history[..], &[decided, second]].concat()).await;

    let find = async |id, rules, attempt, revision| {
        let (id, rules) = (worlds::wave_id(id), worlds::rules_name(rules));
        store.document(&id, &rules, attempt, revision).await.unwrap()
    };
    for revision in 1..=5 {
        let expect = Some(worlds::document("w", 1, revision));
        assert_eq!(find("w", "checkout", 1, Some(revision)).await, expect);
    }
    assert_eq!(find("w", "checkout", 1, None).await, Some(worlds::document("w", 1, 5)));
    assert_eq!(find("w", "checkout", 2, None).await, Some(worlds::document("w", 2, 1)));
    for (id, rules, attempt, revision) in [
        ("w", "checkout", 1, Some(6)),
        ("w", "checkout", 1, Some(0)),
        ("w", "checkout", 3, None),
        ("w", "checkout", u32::MAX, Some(u32::MAX)),
        ("w", "Checkout", 1, None),
        ("W", "checkout", 1, None),
    ] {
        assert_eq!(find(id, rules, attempt, revision).await, None, "{id} {rules} {attempt} {revision:?}");
    }
}

pub(crate) async fn many_waves_load_in_order(store: &dyn Store) {
    let histories: Vec<Vec<Change>> = (0..300).map(|n| worlds::history(&format!("w-{}", n * 7919 % 1000), 1)).collect();
    commit(store, &histories.concat()).await;
    let mut expect: Vec<StoredWave> = histories.iter().map(|history| worlds::stored(history)).collect();
    expect.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(store.load(EVER).await.unwrap(), expect);
}

pub(crate) async fn hostile_names_are_only_names(store: &dyn Store) {
    let long = "x".repeat(256);
    let names = [
        "'; DROP TABLE gates; --",
        "\"w\"",
        "w'",
        "%",
        "_",
        "?1",
        "\\",
        "W",
        "w",
        "e\u{301}",
        "\u{e9}",
        "\u{1f680}\u{202e}",
        "\u{10ffff}",
        " ",
        "{{wave}}",
        "null",
        "1e3",
        &long,
    ];
    for name in names {
        commit(store, &[worlds::adorned(worlds::opening(name))]).await;
    }
    assert_eq!(store.load(EVER).await.unwrap().len(), names.len());
    for name in names {
        let expect = worlds::stored(&[worlds::adorned(worlds::opening(name))]);
        assert_eq!(one(store, name).await, Some(expect), "{name:?}");
    }

    let mut change = worlds::opening("texts");
    let text = "\0'\"\\\r\n\u{2028}\u{feff}end";
    change.gate.run = Some(text.to_owned());
    change.document = Some(text.to_owned());
    change.rollout = Some(text.to_owned());
    commit(store, std::slice::from_ref(&change)).await;
    assert_eq!(one(store, "texts").await, Some(worlds::stored(&[change])));
}

pub(crate) async fn commits_from_many_tasks_all_count(store: &dyn Store) {
    let histories: Vec<Vec<Change>> = (0..24).map(|n| worlds::history(&format!("w-{n:02}"), 3)).collect();
    let commits = histories.iter().map(async |history| {
        for change in history {
            store.commit(std::slice::from_ref(change)).await.unwrap();
            store.load(EVER).await.unwrap();
        }
    });
    futures_util::future::join_all(commits).await;
    let expect: Vec<StoredWave> = histories.iter().map(|history| worlds::stored(history)).collect();
    assert_eq!(store.load(EVER).await.unwrap(), expect);
}

pub(crate) async fn what_is_old_and_final_is_pruned(store: &dyn Store) {
    let open = worlds::history("open", 2);
    let mut decided: Vec<Vec<Change>> = (0..40).map(|n| worlds::history(&format!("decided-{n:02}"), 2)).collect();
    for history in &mut decided {
        history.push(worlds::deciding(&history[2], Verdict::Pass));
    }
    // Judged today, though it began two years ago.
    let mut late = decided[0].last().unwrap().clone();
    late.wave = worlds::wave_id("late");
    late.gate.revised_at = worlds::NOON - Duration::from_hours(24 * 730);
    late.gate.opened_at = worlds::NOON + Duration::from_hours(24 * 399);
    late.gate.judged = 0;
    late.rules_text = Some(worlds::RULES_TEXT.to_owned());
    late.messages = Vec::new();
    late.charge = None;
    commit(store, &open).await;
    commit(store, &decided.concat()).await;
    commit(store, &[late.clone()]).await;

    let after = |days: u32| worlds::look(2) + Duration::from_hours(24) * days;
    assert_eq!(store.prune(after(30)).await.unwrap(), Pruned::default(), "not yet");
    let second = Duration::from_secs(1);
    let evidence = Pruned { evidence: 80, ..Pruned::default() };
    assert_eq!(store.prune(after(30) + second).await.unwrap(), evidence);
    assert_eq!(store.prune(after(399)).await.unwrap(), Pruned::default(), "nothing is left to do");
    assert_eq!(one(store, "decided-07").await, Some(worlds::stored(&decided[7])), "the verdict stays");

    let pruned = store.prune(after(400) + second).await.unwrap();
    // The open wave's message is history as well; its audit entry and its charge stay with it.
    let expect = Pruned { gates: 40, audit: 80, messages: 81, charges: 40, ..Pruned::default() };
    assert_eq!(pruned, expect);
    assert_eq!(store.load(EVER).await.unwrap(), [worlds::stored(&[late]), worlds::stored(&open)]);
    assert_eq!(store.prune(after(400) + second).await.unwrap(), Pruned::default());

    // An open gate goes on after years, and a pruned name is a new wave.
    commit(store, &[worlds::next_look(&open[2])]).await;
    commit(store, &worlds::history("decided-07", 1)).await;
}

pub(crate) async fn a_closed_store_says_so(store: &dyn Store) {
    let history = worlds::history("w", 1);
    commit(store, &history).await;
    store.close().await.unwrap();
    store.close().await.unwrap();
    assert!(matches!(store.commit(&history).await, Err(Error::Closed)));
    assert!(matches!(store.load(EVER).await, Err(Error::Closed)));
    assert!(matches!(store.wave(&history[0].wave).await, Err(Error::Closed)));
    assert!(matches!(store.probe().await, Err(Error::Closed)));
    assert!(matches!(store.prune(EVER).await, Err(Error::Closed)));
}
