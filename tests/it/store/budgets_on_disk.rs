//! Error budgets in a file on a disk: of an earlier version, of gates that are gone, damaged.

use crate::store::budgets;
use crate::store::sqlite::execute;
use crate::store::sqlite::of_before;
use crate::store::sqlite::settings;
use crate::store::sqlite::shell;
use crate::store::worlds;
use sqlx::Connection;
use std::num::NonZeroU16;
use std::time::Duration;
use wavegate::rules::Class;
use wavegate::rules::Digest;
use wavegate::series::Timestamp;
use wavegate::store::Error;
use wavegate::store::SqliteStore;
use wavegate::store::Store;
use wavegate::wave::Verdict;

const EVER: Timestamp = Timestamp::from_millis(i64::MIN);

#[tokio::test]
async fn a_database_of_before_there_were_budgets_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let before = ["0001_gates.sql", "0002_deliveries.sql", "0003_requires.sql", "0004_params.sql"];
    let mut old = of_before(&settings, &before).await;
    let history = worlds::history("w", 1);
    let (opening, look) = (&history[0], &history[1]);
    execute(&mut old, "PRAGMA application_id = 0x57415645; INSERT INTO waves VALUES (1, 'w', 'rollout-7')").await;
    let digest = opening.gate.digest.as_str();
    for (statement, text) in [
        ("INSERT INTO rule_files VALUES (?1, ?2)", opening.rules_text.clone()),
        (
            "INSERT INTO gates (id, wave_id, rules, attempt, digest, opened_at, start_at, judged, state, verdict,
                                revision, revised_at, params, timing)
             VALUES (1, 1, 'checkout', 1, ?1, 1795348800000, 1795348800000, 1, 'analyzing', 'pause',
                     2, 1795348815000, '{}', ?2)",
            Some(
                r#"{"start":1795348800000,"interval_ms":15000,"scrape_ms":15000,"warm":1795348920000,"min_end":1795349400000,"deadline":1795352400000}"#
                    .to_owned(),
            ),
        ),
        ("INSERT INTO revisions SELECT 1, 2, ?2 WHERE ?1 <> ''", look.document.clone()),
        (
            "INSERT INTO evidence SELECT 1, 1, ?2 WHERE ?1 <> ''",
            Some(wavegate::wire::write_evidence(&look.evidence[0].1).unwrap()),
        ),
    ] {
        sqlx::query(statement).bind(digest).bind(text).execute(&mut old).await.unwrap();
    }
    old.close().await.unwrap();

    let store = SqliteStore::open(&settings).await.unwrap();
    assert_eq!(look.gate.class, Class::Standard);
    assert_eq!(store.load(EVER).await.unwrap(), [worlds::stored(&history)], "with no class it is a standard one");
    assert_eq!(store.charges(EVER).await.unwrap(), []);
    let next = worlds::next_look(look);
    store.commit(std::slice::from_ref(&next)).await.unwrap();
    assert_eq!(store.charges(EVER).await.unwrap(), [next.charge.clone().unwrap()]);
    assert_eq!(store.load(EVER).await.unwrap(), [worlds::stored(&[history, vec![next]].concat())]);
}

#[tokio::test]
async fn what_a_pruned_gate_spent_counts_on_and_its_name_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.retention.gates_days = NonZeroU16::new(1).unwrap();
    let store = SqliteStore::open(&settings).await.unwrap();
    let mut first = worlds::history("w", 2);
    first.push(worlds::deciding(&first[2], Verdict::Fail));
    store.commit(&first).await.unwrap();
    let pruned = store.prune(worlds::NOON + Duration::from_hours(48)).await.unwrap();
    assert_eq!((pruned.gates, pruned.charges), (1, 0));
    let spent = first[2].charge.clone().unwrap();
    assert_eq!(store.charges(EVER).await.unwrap(), std::slice::from_ref(&spent));

    // The same name again, of an SLO that was edited meanwhile.
    let mut again = worlds::history("w", 1);
    again[1].charge.as_mut().unwrap().digest = Digest::of(b"edited");
    store.commit(&again).await.unwrap();
    assert_eq!(store.charges(EVER).await.unwrap(), [spent, again[1].charge.clone().unwrap()]);
}

#[tokio::test]
async fn a_budget_row_that_makes_no_sense_is_named() {
    async fn check(damage: &'static str, expect: &str) {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let store = SqliteStore::open(&settings).await.unwrap();
        store.commit(&worlds::history("w", 2)).await.unwrap();
        let by = Digest::of(b"counted");
        store.keep_slices(&by, &[budgets::slice(1), budgets::slice(2)]).await.unwrap();
        let mut shell = shell(&settings).await;
        execute(&mut shell, "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF").await;
        execute(&mut shell, damage).await;
        let charges = store.charges(EVER).await.err();
        let error = charges.or(store.slices(&by, EVER).await.err()).expect(damage);
        assert!(matches!(&error, Error::Corrupt { .. }), "{damage}: {error}");
        assert!(error.to_string().contains(expect), "{damage}: {error}");
    }
    let of = "of gate `checkout` of wave `w`, attempt 1";
    check("UPDATE charges SET slo = 'a b'", of).await;
    check("UPDATE charges SET digest = 'sha256:0'", "no digest").await;
    check("UPDATE charges SET to_at = from_at - 1", "ends before it begins").await;
    check("UPDATE charges SET canary_bad = 9e99", "no count").await;
    check("UPDATE charges SET excess = 9e999", "an excess of inf").await;
    check("UPDATE charges SET wave = CAST(x'ff' AS TEXT)", "table `charges`").await;
    check("UPDATE slices SET bad = -1", "2026-11-22T12:01:00Z").await;
    check("UPDATE slices SET bad = NULL", "one of its counts is missing").await;
    check("UPDATE slices SET total = 9e999", "no count").await;
}
