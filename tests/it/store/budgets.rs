//! What every store promises of error budgets: what waves are charged with, and the slices
//! of services.

use crate::store::worlds;
use std::time::Duration;
use wavegate::judge::Charged;
use wavegate::judge::Spent;
use wavegate::rules::Digest;
use wavegate::rules::SloName;
use wavegate::series::Counts;
use wavegate::series::Timestamp;
use wavegate::store::Change;
use wavegate::store::Charge;
use wavegate::store::Error;
use wavegate::store::Pruned;
use wavegate::store::SLICES_MAX;
use wavegate::store::Store;
use wavegate::wave::GateState;
use wavegate::wave::Verdict;

/// Calls `$each!(promise)` for every promise below.
macro_rules! for_every_promise {
    ($each:ident) => {
        $each!(a_later_charge_stands_in_the_place_of_the_last);
        $each!(a_charge_comes_true_with_its_change_or_not_at_all);
        $each!(gates_and_attempts_are_charged_each);
        $each!(charges_are_those_of_a_time);
        $each!(charges_that_cannot_be_are_refused);
        $each!(slices_are_read_as_they_were_kept);
        $each!(a_slice_that_comes_again_is_written_over);
        $each!(slices_are_found_by_what_counts_them_and_since);
        $each!(slices_that_cannot_be_are_refused);
        $each!(a_month_of_slices_and_more_is_kept_in_parts);
        $each!(slices_and_charges_that_are_old_are_pruned);
        $each!(a_closed_store_keeps_no_budgets);
    };
}
pub(crate) use for_every_promise;

const EVER: Timestamp = Timestamp::from_millis(i64::MIN);
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

type Slice = (Timestamp, Option<Counts>);

async fn commit(store: &dyn Store, changes: &[Change]) {
    store.commit(changes).await.unwrap();
}

async fn charges(store: &dyn Store) -> Vec<Charge> {
    store.charges(EVER).await.unwrap()
}

fn charge_of(change: &Change) -> Charge {
    change.charge.clone().unwrap()
}

/// Slice `minute`: every third was not seen, and every third, another one, had no events.
pub(crate) fn slice(minute: u32) -> Slice {
    let counts = match minute % 3 {
        0 => None,
        1 => Some(Counts::default()),
        _ => Some(Counts { bad: f64::from(minute % 7) / 3.0, total: f64::from(minute % 1000) + 2.5 }),
    };
    (worlds::NOON + MINUTE * minute, counts)
}

fn slices(minutes: std::ops::Range<u32>) -> Vec<Slice> {
    minutes.map(slice).collect()
}

pub(crate) async fn a_later_charge_stands_in_the_place_of_the_last(store: &dyn Store) {
    let history = worlds::history("w", 3);
    commit(store, &history[..1]).await;
    assert_eq!(charges(store).await, [], "nothing was spent before the first look");
    for change in &history[1..] {
        commit(store, std::slice::from_ref(change)).await;
        commit(store, std::slice::from_ref(change)).await;
        assert_eq!(charges(store).await, [charge_of(change)]);
    }
    // A batch that comes again does not bring back what its last change overtook.
    commit(store, &history).await;
    assert_eq!(charges(store).await, [charge_of(&history[3])]);

    let mut silent = worlds::next_look(&history[3]);
    silent.charge = None;
    commit(store, std::slice::from_ref(&silent)).await;
    assert_eq!(charges(store).await, [charge_of(&history[3])], "what a change does not speak of stays");

    // What was unlucky at first may turn out as less.
    let mut less = worlds::next_look(&silent);
    less.charge.as_mut().unwrap().charged.spent.excess = -4.0;
    commit(store, std::slice::from_ref(&less)).await;
    assert_eq!(charges(store).await, [charge_of(&less)]);
    commit(store, &[worlds::deciding(&less, Verdict::Fail)]).await;
    assert_eq!(charges(store).await, [charge_of(&less)], "the charge stays with the decided gate");
}

pub(crate) async fn a_charge_comes_true_with_its_change_or_not_at_all(store: &dyn Store) {
    let kept = worlds::history("kept", 2);
    commit(store, &kept).await;
    let mut batch = worlds::history("new", 2);
    batch.push(worlds::next_look(&kept[2]));
    batch.push(kept[1].clone());
    let error = store.commit(&batch).await.unwrap_err();
    assert!(matches!(error, Error::Stale { .. }), "{error}");
    assert_eq!(charges(store).await, [charge_of(&kept[2])]);
    batch.pop();
    commit(store, &batch).await;
    assert_eq!(charges(store).await, [charge_of(&batch[3]), charge_of(&batch[2])]);
}

pub(crate) async fn gates_and_attempts_are_charged_each(store: &dyn Store) {
    let first = worlds::history("w", 2);
    let decided = worlds::deciding(&first[2], Verdict::Fail);
    let second = worlds::next_attempt(&decided);
    let again = worlds::next_look(&second);
    let mut beside = worlds::opening("w");
    beside.gate.rules = worlds::rules_name("Payments");
    let beside_look = worlds::next_look(&beside);
    commit(store, &first).await;
    commit(store, &[decided, second, again.clone(), beside, beside_look.clone()]).await;
    commit(store, &worlds::history("v", 1)).await;

    let found = charges(store).await;
    let keys: Vec<_> = found.iter().map(|charge| &charge.charged).collect();
    let keys: Vec<_> = keys.iter().map(|one| (one.wave.as_str(), one.rules.as_str(), one.attempt)).collect();
    let expect = [("v", "checkout", 1), ("w", "Payments", 1), ("w", "checkout", 1), ("w", "checkout", 2)];
    assert_eq!(keys, expect, "those of one SLO that began at once, by name");
    assert_eq!(found[1..], [charge_of(&beside_look), charge_of(&first[2]), charge_of(&again)]);
}

pub(crate) async fn charges_are_those_of_a_time(store: &dyn Store) {
    let mut all = Vec::new();
    for (id, slo, hours) in [("a", "b-slo", 2), ("b", "a-slo", 3), ("c", "b-slo", 1), ("d", "b-slo", 30)] {
        let opening = worlds::opening(id);
        let mut look = worlds::next_look(&opening);
        let charge = look.charge.as_mut().unwrap();
        charge.slo = SloName::new(slo).unwrap();
        let from = worlds::NOON + Duration::from_hours(1) * hours;
        charge.charged.spent = Spent { from, to: from + Duration::from_hours(1), ..charge.charged.spent };
        all.push(charge_of(&look));
        commit(store, &[opening, look]).await;
    }
    let [a, b, c, d] = <[Charge; 4]>::try_from(all).unwrap();
    let since = |hours: u32| store.charges(worlds::NOON + Duration::from_hours(1) * hours);
    assert_eq!(charges(store).await, [b.clone(), c, a.clone(), d.clone()], "by SLO, then as they began");
    assert_eq!(since(3).await.unwrap(), [b.clone(), a, d.clone()], "one that ends at the time is among them");
    assert_eq!(since(4).await.unwrap(), [b, d.clone()]);
    assert_eq!(since(31).await.unwrap(), [d]);
    assert_eq!(since(32).await.unwrap(), []);
    assert_eq!(store.charges(Timestamp::from_millis(i64::MAX)).await.unwrap(), []);
}

pub(crate) async fn charges_that_cannot_be_are_refused(store: &dyn Store) {
    let history = worlds::history("w", 1);
    commit(store, &history).await;
    let look = worlds::next_look(&history[1]);
    let refused = async |change: &dyn Fn(&mut Charge), unstorable: bool| {
        let mut other = look.clone();
        change(other.charge.as_mut().unwrap());
        let error = store.commit(&[other]).await.unwrap_err();
        assert!(error.is_refusal(), "{error}");
        assert_eq!(matches!(error, Error::Unstorable { .. }), unstorable, "{error}");
        assert_eq!(charges(store).await, [charge_of(&history[1])], "after {error}");
        assert_eq!(store.wave(&look.wave).await.unwrap(), Some(worlds::stored(&history)), "after {error}");
    };
    for counts in [(2.0, 1.0), (-1.0, 1.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
        let counts = Counts { bad: counts.0, total: counts.1 };
        refused(&|charge| charge.charged.spent.canary = counts, true).await;
        refused(&|charge| charge.charged.spent.baseline = counts, true).await;
        refused(&|charge| charge.charged.spent.planned = counts, true).await;
    }
    for excess in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        refused(&|charge| charge.charged.spent.excess = excess, true).await;
    }
    refused(&|charge| charge.charged.spent.to = charge.charged.spent.from - MINUTE, true).await;
    // Of another gate than the one that is committed.
    let of = |charged: Charged| move |charge: &mut Charge| charge.charged = charged.clone();
    let own = charge_of(&look).charged;
    refused(&of(Charged { wave: "other".to_owned(), ..own.clone() }), true).await;
    refused(&of(Charged { rules: "other".to_owned(), ..own.clone() }), true).await;
    refused(&of(Charged { attempt: 2, ..own }), true).await;
    // A gate keeps the SLO that it began with.
    refused(&|charge| charge.slo = SloName::new("other").unwrap(), false).await;
    refused(&|charge| charge.digest = Digest::of(b"edited"), false).await;
    commit(store, &[look]).await;
}

pub(crate) async fn slices_are_read_as_they_were_kept(store: &dyn Store) {
    let by = Digest::of(b"counted");
    assert_eq!(store.slices(&by, EVER).await.unwrap(), []);
    store.keep_slices(&by, &[]).await.unwrap();
    assert_eq!(store.slices(&by, EVER).await.unwrap(), []);

    // Not seen, seen and empty, and counts that need all their digits: all three come back.
    let mut kept = slices(0..30);
    let edge = |bad, total| Some(Counts { bad, total });
    let edges = [edge(5e-324, 5e-324), edge(0.1, 1e16), edge(f64::MAX, f64::MAX), edge(0.0, 1.0 / 3.0)];
    kept.extend((30..).zip(edges).map(|(minute, counts)| (slice(minute).0, counts)));
    store.keep_slices(&by, &kept).await.unwrap();
    assert_eq!(store.slices(&by, EVER).await.unwrap(), kept);
    assert_eq!(kept[0].1, None);
    assert_eq!(kept[1].1, Some(Counts::default()));

    // However they come, they are read in order.
    let other = Digest::of(b"in disorder");
    store.keep_slices(&other, &kept.iter().copied().rev().collect::<Vec<_>>()).await.unwrap();
    assert_eq!(store.slices(&other, EVER).await.unwrap(), kept);
}

pub(crate) async fn a_slice_that_comes_again_is_written_over(store: &dyn Store) {
    let by = Digest::of(b"counted");
    store.keep_slices(&by, &slices(0..10)).await.unwrap();
    // What was not seen was found after all, what was seen is not any more, more was counted.
    let later = [slice(2).1, None, Some(Counts { bad: 1.0, total: 4.0 })];
    let later: Vec<Slice> = (3..).zip(later).map(|(minute, counts)| (slice(minute).0, counts)).collect();
    store.keep_slices(&by, &later).await.unwrap();
    let expect = [slices(0..3), later.clone(), slices(6..10)].concat();
    assert_eq!(store.slices(&by, EVER).await.unwrap(), expect);
    store.keep_slices(&by, &[later[0], later[2], (later[0].0, None)]).await.unwrap();
    assert_eq!(store.slices(&by, EVER).await.unwrap()[3], (later[0].0, None), "the last word of a call counts");
}

pub(crate) async fn slices_are_found_by_what_counts_them_and_since(store: &dyn Store) {
    let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
    store.keep_slices(&one, &slices(0..10)).await.unwrap();
    store.keep_slices(&other, &slices(5..7)).await.unwrap();
    assert_eq!(store.slices(&one, slice(4).0).await.unwrap(), slices(4..10), "at the time and later");
    assert_eq!(store.slices(&one, slice(4).0 + Duration::from_millis(1)).await.unwrap(), slices(5..10));
    assert_eq!(store.slices(&one, slice(10).0).await.unwrap(), []);
    assert_eq!(store.slices(&other, EVER).await.unwrap(), slices(5..7));
    assert_eq!(store.slices(&Digest::of(b"nobody"), EVER).await.unwrap(), []);
}

pub(crate) async fn slices_that_cannot_be_are_refused(store: &dyn Store) {
    let by = Digest::of(b"counted");
    store.keep_slices(&by, &slices(0..3)).await.unwrap();
    let refused = async |some: &[Slice]| {
        let error = store.keep_slices(&by, some).await.unwrap_err();
        assert!(error.is_refusal(), "{error}");
        assert_eq!(store.slices(&by, EVER).await.unwrap(), slices(0..3), "after {error}");
        error.to_string()
    };
    for (bad, total) in [(2.0, 1.0), (-1.0, 1.0), (f64::NAN, f64::NAN), (0.0, f64::INFINITY), (f64::INFINITY, 1.0)] {
        let hostile = (slice(4).0, Some(Counts { bad, total }));
        let error = refused(&[slice(3), hostile]).await;
        assert!(error.contains("no count"), "{error}");
    }
    let error = refused(&vec![slice(3); SLICES_MAX + 1]).await;
    assert!(error.contains("600001 at once are more than 600000"), "{error}");
}

pub(crate) async fn a_month_of_slices_and_more_is_kept_in_parts(store: &dyn Store) {
    let by = Digest::of(b"counted");
    let kept = slices(0..50_123);
    store.keep_slices(&by, &kept).await.unwrap();
    assert_eq!(store.slices(&by, EVER).await.unwrap(), kept);
}

pub(crate) async fn slices_and_charges_that_are_old_are_pruned(store: &dyn Store) {
    let open = worlds::history("open", 2);
    let mut decided = worlds::history("decided", 2);
    decided.push(worlds::deciding(&decided[2], Verdict::Pass));
    commit(store, &open).await;
    commit(store, &decided).await;
    let (long, gone) = (Digest::of(b"long"), Digest::of(b"of an SLO that was edited"));
    store.keep_slices(&long, &slices(0..40_000)).await.unwrap();
    store.keep_slices(&gone, &slices(0..10)).await.unwrap();

    let budgets = async |now| {
        let Pruned { charges, slices, .. } = store.prune(now).await.unwrap();
        (charges, slices)
    };
    let then = worlds::NOON + DAY * 400;
    assert_eq!(budgets(then).await, (0, 0), "not yet");
    assert_eq!(budgets(then + MINUTE).await, (1, 2), "the first of each, and what the decided wave spent");
    assert_eq!(charges(store).await, [charge_of(&open[2])], "a gate that is not final keeps everything");
    assert_eq!(budgets(then + MINUTE * 20_000).await, (0, 19_999 + 9));
    assert_eq!(store.slices(&long, EVER).await.unwrap(), slices(20_000..40_000));
    assert_eq!(store.slices(&gone, EVER).await.unwrap(), []);
    assert_eq!(budgets(then + MINUTE * 20_000).await, (0, 0));

    // Both go on: what is kept again, and what was called off since.
    store.keep_slices(&gone, &slices(30_000..30_001)).await.unwrap();
    assert_eq!(store.slices(&gone, EVER).await.unwrap(), slices(30_000..30_001));
    let mut cancelled = worlds::next_look(&open[2]);
    cancelled.gate.state = GateState::Cancelled;
    commit(store, &[cancelled]).await;
    assert_eq!(budgets(then + MINUTE).await, (1, 0));
    assert_eq!(charges(store).await, []);
}

pub(crate) async fn a_closed_store_keeps_no_budgets(store: &dyn Store) {
    store.close().await.unwrap();
    let by = Digest::of(b"counted");
    assert!(matches!(store.charges(EVER).await, Err(Error::Closed)));
    assert!(matches!(store.slices(&by, EVER).await, Err(Error::Closed)));
    assert!(matches!(store.keep_slices(&by, &slices(0..1)).await, Err(Error::Closed)));
}
