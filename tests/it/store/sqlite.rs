//! The contract on SQLite, and what a file on a disk adds to it.

use crate::store::budgets;
use crate::store::contract;
use crate::store::outbox;
use crate::store::worlds;
use sqlx::Connection;
use sqlx::Row;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteConnectOptions;
use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroU16;
use std::num::NonZeroU64;
use std::path::Path;
use std::time::Duration;
use wavegate::rules::Digest;
use wavegate::series::Timestamp;
use wavegate::store::Backlog;
use wavegate::store::Error;
use wavegate::store::Outbox;
use wavegate::store::Retention;
use wavegate::store::Settings;
use wavegate::store::Settlement;
use wavegate::store::SqliteStore;
use wavegate::store::Store;
use wavegate::store::Subscription;
use wavegate::wave::EventKind;
use wavegate::wave::Gate;
use wavegate::wave::GateState;
use wavegate::wave::Verdict;
use wavegate::wave::Would;

const EVER: Timestamp = Timestamp::from_millis(i64::MIN);

macro_rules! on_sqlite {
    ($promise:ident) => {
        #[tokio::test]
        async fn $promise() {
            let folder = tempfile::tempdir().unwrap();
            let store = SqliteStore::open(&settings(folder.path())).await.unwrap();
            contract::$promise(&store).await;
        }
    };
}
contract::for_every_promise!(on_sqlite);

macro_rules! budgets_on_sqlite {
    ($promise:ident) => {
        #[tokio::test]
        async fn $promise() {
            let folder = tempfile::tempdir().unwrap();
            let store = SqliteStore::open(&settings(folder.path())).await.unwrap();
            budgets::$promise(&store).await;
        }
    };
}
budgets::for_every_promise!(budgets_on_sqlite);

macro_rules! outbox_on_sqlite {
    ($promise:ident) => {
        #[tokio::test]
        async fn $promise() {
            let folder = tempfile::tempdir().unwrap();
            let store = SqliteStore::open(&settings(folder.path())).await.unwrap();
            outbox::$promise(&store).await;
        }
    };
}
outbox::for_every_promise!(outbox_on_sqlite);

pub(crate) fn settings(folder: &Path) -> Settings {
    Settings { path: folder.join("a folder").join("wave gate.db"), ..Settings::default() }
}

/// A connection past the store, as a shell would have it.
pub(crate) async fn shell(settings: &Settings) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(&settings.path);
    SqliteConnection::connect_with(&options).await.unwrap()
}

pub(super) async fn execute(shell: &mut SqliteConnection, statement: &'static str) {
    sqlx::raw_sql(statement).execute(shell).await.unwrap();
}

async fn refusal(settings: &Settings) -> Error {
    SqliteStore::open(settings).await.err().expect("it is refused")
}

#[test]
fn settings_have_defaults_and_no_unknown_keys() {
    let read = serde_json::from_str::<Settings>;
    let defaults = read("{}").unwrap();
    assert_eq!(defaults, Settings::default());
    assert_eq!(defaults.path, Path::new("wavegate-data/wavegate.db"));
    let Retention { evidence_days, gates_days, budgets_days } = defaults.retention;
    assert_eq!((evidence_days.get(), gates_days.get(), budgets_days.get()), (30, 400, 400));
    let some = read(r#"{"path":"x.db","max_bytes":1,"retention":{"gates_days":7}}"#).unwrap();
    assert_eq!((some.retention.evidence_days.get(), some.retention.gates_days.get()), (30, 7));
    for odd in [r#"{"file":"x"}"#, r#"{"retention":{"days":1}}"#, r#"{"retention":{"gates_days":0}}"#] {
        read(odd).unwrap_err();
    }
}

#[tokio::test]
async fn a_reopened_store_has_what_was_committed() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let history = worlds::history("w", 3);
    for change in &history {
        let store = SqliteStore::open(&settings).await.unwrap();
        store.commit(std::slice::from_ref(change)).await.unwrap();
        store.close().await.unwrap();
        assert!(!settings.path.with_extension("db-wal").exists(), "the log is flushed and gone");
    }
    let store = SqliteStore::open(&settings).await.unwrap();
    assert_eq!(store.load(EVER).await.unwrap(), [worlds::stored(&history)]);
}

#[tokio::test]
async fn a_second_opening_of_the_same_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let store = SqliteStore::open(&settings).await.unwrap();
    let error = refusal(&settings).await;
    assert!(matches!(error, Error::InUse { .. }), "{error}");
    assert!(error.to_string().contains("in use by another process"), "{error}");

    // Another name of the file is no way in.
    let alias = folder.path().join("alias.db");
    std::os::unix::fs::symlink(&settings.path, &alias).unwrap();
    let aliased = Settings { path: alias, ..settings.clone() };
    assert!(matches!(refusal(&aliased).await, Error::InUse { .. }));
    store.commit(&worlds::history("w", 1)).await.unwrap();

    store.close().await.unwrap();
    let reopened = SqliteStore::open(&aliased).await.unwrap();
    assert_eq!(reopened.load(EVER).await.unwrap().len(), 1);
    drop(reopened);
    SqliteStore::open(&settings).await.unwrap();
}

#[tokio::test]
async fn somebody_elses_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { path: folder.path().join("theirs.db"), ..Settings::default() };
    let mut theirs =
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&settings.path).create_if_missing(true))
            .await
            .unwrap();
    execute(&mut theirs, "CREATE TABLE songs (title TEXT)").await;
    theirs.close().await.unwrap();
    let before = fs::read(&settings.path).unwrap();
    let error = refusal(&settings).await;
    assert!(matches!(error, Error::Foreign { found: 0, .. }), "{error}");
    assert_eq!(fs::read(&settings.path).unwrap(), before);

    fs::write(&settings.path, "this is a text and not a database at all ".repeat(200)).unwrap();
    let error = refusal(&settings).await;
    assert!(matches!(error, Error::Database { .. }), "{error}");
}

#[tokio::test]
async fn an_unusable_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for path in [folder.path().join("file").join("x.db"), folder.path().join("..")] {
        let error = refusal(&Settings { path, ..Settings::default() }).await;
        assert!(matches!(error, Error::Folder { .. } | Error::Lock { .. } | Error::Database { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    SqliteStore::open(&settings).await.unwrap().close().await.unwrap();
    let mut shell = shell(&settings).await;
    execute(
        &mut shell,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of tomorrow', TRUE, x'00', 0)",
    )
    .await;
    let error = refusal(&settings).await;
    assert!(matches!(error, Error::Newer { version: 9999, .. }), "{error}");
}

#[tokio::test]
async fn a_damaged_file_is_found_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let store = SqliteStore::open(&settings).await.unwrap();
    store.commit(&worlds::history("w", 40)).await.unwrap();
    store.close().await.unwrap();
    drop(store);

    let mut bytes = fs::read(&settings.path).unwrap();
    let half = bytes.len() / 2 / 4096 * 4096;
    bytes[half..].fill(0x5a);
    fs::write(&settings.path, bytes).unwrap();
    let error = refusal(&settings).await;
    assert!(matches!(error, Error::Damaged { .. } | Error::Database { .. }), "{error}");
}

#[tokio::test]
async fn a_corrupt_row_is_named_with_its_table_and_key() {
    async fn check(damage: &'static str, table: &str, expect: &str) {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let store = SqliteStore::open(&settings).await.unwrap();
        store.commit(&worlds::history("w", 2)).await.unwrap();
        let mut shell = shell(&settings).await;
        execute(&mut shell, "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF").await;
        execute(&mut shell, damage).await;
        let error = store.load(EVER).await.unwrap_err();
        assert!(matches!(&error, Error::Corrupt { table: found, .. } if *found == table), "{damage}: {error}");
        assert!(error.to_string().contains(expect), "{damage}: {error}");
        // What is sound is served all the same, and new waves are taken.
        let mut other = worlds::opening("other");
        other.gate.digest = Digest::of(b"other rules");
        other.rules_text = Some("other rules".to_owned());
        store.commit(&[other]).await.unwrap();
        assert!(store.wave(&worlds::wave_id("other")).await.unwrap().is_some());
    }
    check("UPDATE gates SET state = 'done'", "gates", "(`w`, `checkout`, attempt 1): `done` is no state").await;
    check("UPDATE gates SET verdict = 'pass'", "gates", "cannot say pass").await;
    check("UPDATE gates SET revision = 99", "gates", "revision 99 has no document").await;
    check("UPDATE gates SET judged = -1", "gates", "judged is -1").await;
    check("UPDATE gates SET timing = '{'", "gates", "EOF").await;
    check("UPDATE gates SET rules = CAST(x'ff' AS TEXT)", "gates", "of wave `w`").await;
    check("UPDATE gates SET judged = 1", "evidence", "1 intervals are judged and 2 stored").await;
    check("DELETE FROM evidence WHERE interval_index = 1", "evidence", "interval 1: it is missing").await;
    check("UPDATE evidence SET body = '[]' WHERE interval_index = 2", "evidence", "interval 2").await;
    check("UPDATE rule_files SET text = text || ' '", "gates", "has the digest").await;
    check("DELETE FROM rule_files", "gates", "there is no rule file").await;
    check("UPDATE waves SET name = ''", "waves", "this is no wave id").await;
    check("DELETE FROM revisions", "gates", "has no document").await;
}

#[tokio::test]
async fn messages_and_audit_entries_are_kept_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let store = SqliteStore::open(&settings).await.unwrap();
    let opening = worlds::opening("w");
    let mut decided = worlds::deciding(&opening, Verdict::Fail);
    store.commit(&[opening.clone(), opening.clone()]).await.unwrap();
    store.commit(&[decided.clone(), decided.clone()]).await.unwrap();
    // What is in the outbox may be on its way: it is not rewritten.
    decided.messages[0].body = "other".to_owned();
    store.commit(&[decided]).await.unwrap();

    let mut shell = shell(&settings).await;
    let outbox = "SELECT message_id, kind, at, body, fanned_out FROM outbox ORDER BY sequence";
    let outbox: Vec<(String, String, i64, String, bool)> = sqlx::query_as(outbox).fetch_all(&mut shell).await.unwrap();
    let noon = worlds::NOON.as_millis();
    let line = |id: &str, kind: &str, body: &str| (id.to_owned(), kind.to_owned(), noon, body.to_owned(), false);
    assert_eq!(
        outbox,
        [line("msg_w_1_1", "wave.opened", r#"{"type":"wave.opened"}"#), line("msg_w_1_final", "wave.failed", "{}")]
    );
    let audit = sqlx::query("SELECT * FROM audit ORDER BY sequence").fetch_all(&mut shell).await.unwrap();
    let actions: Vec<&str> = audit.iter().map(|row| row.get("action")).collect();
    assert_eq!(actions, ["opened", "decided"]);
    assert_eq!(audit[1].get::<&str, _>("by"), "ada");
    assert_eq!(audit[1].get::<i64, _>("at"), noon);
}

#[tokio::test]
async fn a_full_database_refuses_writes_serves_reads_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let small = Settings { max_bytes: NonZeroU64::new(2 << 20).unwrap(), ..settings(folder.path()) };
    let store = SqliteStore::open(&small).await.unwrap();
    store.probe().await.unwrap();

    let mut old = worlds::history("old", 200);
    old.push(worlds::deciding(&old[200], Verdict::Pass));
    store.commit(&old).await.unwrap();
    let mut kept = vec![worlds::opening("w")];
    store.commit(&kept).await.unwrap();
    let error = loop {
        let look = worlds::next_look(kept.last().unwrap());
        match store.commit(std::slice::from_ref(&look)).await {
            Ok(()) => kept.push(look),
            Err(error) => break error,
        }
        assert!(kept.len() < 1000, "the limit holds");
    };
    assert!(matches!(error, Error::Database { .. }) && !error.is_refusal(), "{error}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("full"), "{cause}");
    let probe = store.probe().await.unwrap_err();
    assert!(matches!(probe, Error::Database { .. }), "{probe}");

    // Nothing acknowledged is lost, nothing refused is there, and that again and again.
    for _ in 0..3 {
        assert_eq!(store.wave(&worlds::wave_id("w")).await.unwrap(), Some(worlds::stored(&kept)));
        store.commit(&worlds::history("big", 600)).await.unwrap_err();
        assert_eq!(store.wave(&worlds::wave_id("big")).await.unwrap(), None);
    }

    // Space that is free again is used again.
    let year = Duration::from_hours(24 * 400);
    assert_eq!(store.prune(kept.last().unwrap().gate.revised_at + year + year).await.unwrap().gates, 1);
    store.probe().await.unwrap();
    kept.push(worlds::next_look(kept.last().unwrap()));
    store.commit(&kept[kept.len() - 1..]).await.unwrap();
    store.close().await.unwrap();

    // So is a limit that was raised.
    let store = SqliteStore::open(&settings(folder.path())).await.unwrap();
    store.commit(&worlds::history("big", 600)).await.unwrap();
    assert_eq!(store.wave(&worlds::wave_id("w")).await.unwrap(), Some(worlds::stored(&kept)));
}

#[tokio::test]
async fn a_commit_that_nobody_waits_for_is_whole_or_absent() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&settings(folder.path())).await.unwrap();
    // Dropped after one poll more each time, so at every await of the commit.
    for polls in 0..120 {
        let batch = worlds::history(&format!("w-{polls:03}"), 2);
        let mut commit = store.commit(&batch);
        for _ in 0..polls {
            if futures_util::poll!(&mut commit).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(commit);
        let found = store.wave(&batch[0].wave).await.unwrap();
        assert!(found.is_none_or(|found| found == worlds::stored(&batch)), "after {polls} polls");
        store.commit(&batch).await.unwrap();
        assert_eq!(store.wave(&batch[0].wave).await.unwrap(), Some(worlds::stored(&batch)));
    }
}

#[tokio::test]
async fn messages_that_wait_outlive_a_short_retention_until_their_tries_are_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.retention.gates_days = NonZeroU16::new(1).unwrap();
    let store = SqliteStore::open(&settings).await.unwrap();
    let (noon, day) = (worlds::NOON, Duration::from_hours(24));
    store.commit(&[worlds::opening("new"), worlds::opening("taken"), worlds::opening("waiting")]).await.unwrap();
    assert_eq!(store.prune(noon + day * 2).await.unwrap().messages, 0, "nobody had a chance to send them");
    let all = Subscription { endpoint: "a".to_owned(), kinds: BTreeSet::from([EventKind::Opened]) };
    store.fan_out(&[all], noon).await.unwrap();
    let leased = store.lease("a", noon, noon, 9).await.unwrap().leased;
    store.settle(&leased[0], Settlement::Dead, "status 500").await.unwrap();
    store.settle(&leased[1], Settlement::Delivered, "status 200").await.unwrap();

    assert_eq!(store.prune(noon + day * 13).await.unwrap().messages, 2);
    assert_eq!(store.backlog("a").await.unwrap(), Backlog { disabled: None, waiting: 1, dead: 0 });
    assert_eq!(store.prune(noon + day * 15).await.unwrap().messages, 1);
    assert_eq!(store.backlog("a").await.unwrap(), Backlog::default());
}

#[tokio::test]
async fn messages_of_before_there_were_endpoints_are_kept_and_sent_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let mut old = of_before(&settings, &["0001_gates.sql"]).await;
    let message = "PRAGMA application_id = 0x57415645;
                   INSERT INTO outbox (message_id, kind, at, body, next_try_at)
                   VALUES ('msg_old', 'wave.opened', 7, '{}', 7)";
    execute(&mut old, message).await;
    old.close().await.unwrap();

    let store = SqliteStore::open(&settings).await.unwrap();
    let all = [Subscription { endpoint: "a".to_owned(), kinds: BTreeSet::from([EventKind::Opened]) }];
    assert_eq!(store.fan_out(&all, worlds::NOON).await.unwrap(), 0);
    store.commit(&[worlds::opening("w")]).await.unwrap();
    assert_eq!(store.fan_out(&all, worlds::NOON).await.unwrap(), 1);
    let kept: Vec<(String, i64, String)> = sqlx::query_as("SELECT message_id, at, body FROM outbox ORDER BY sequence")
        .fetch_all(&mut shell(&settings).await)
        .await
        .unwrap();
    assert_eq!(kept[0], ("msg_old".to_owned(), 7, "{}".to_owned()));
    assert_eq!(kept.len(), 2);
}

/// A database as the version left it that had but these `migrations`.
pub(super) async fn of_before(settings: &Settings, migrations: &[&str]) -> SqliteConnection {
    let folder = settings.path.parent().unwrap();
    let kept = folder.join("migrations");
    fs::create_dir_all(&kept).unwrap();
    for file in migrations {
        fs::copy(Path::new("migrations/sqlite").join(file), kept.join(file)).unwrap();
    }
    let options = SqliteConnectOptions::new().filename(&settings.path).create_if_missing(true);
    let mut old = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::migrate::Migrator::new(kept.as_path()).await.unwrap().run(&mut old).await.unwrap();
    old
}

#[tokio::test]
async fn a_gate_of_before_there_were_attestations_is_obeyed_and_requires_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let mut old = of_before(&settings, &["0001_gates.sql", "0002_deliveries.sql"]).await;
    let opening = worlds::opening("w");
    execute(&mut old, "PRAGMA application_id = 0x57415645; INSERT INTO waves VALUES (1, 'w', 'rollout-7')").await;
    let digest = opening.gate.digest.as_str();
    sqlx::query("INSERT INTO rule_files VALUES (?1, ?2)")
        .bind(digest)
        .bind(opening.rules_text.clone())
        .execute(&mut old)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO gates (id, wave_id, rules, attempt, digest, opened_at, start_at, judged, state, verdict,
                            revision, revised_at)
         VALUES (1, 1, 'checkout', 1, ?1, ?2, ?2, 0, 'warming_up', 'pause', 1, ?2)",
    )
    .bind(digest)
    .bind(worlds::NOON.as_millis())
    .execute(&mut old)
    .await
    .unwrap();
    sqlx::query("INSERT INTO revisions VALUES (1, 1, ?1)")
        .bind(opening.document.clone())
        .execute(&mut old)
        .await
        .unwrap();
    old.close().await.unwrap();

    let store = SqliteStore::open(&settings).await.unwrap();
    assert_eq!(store.load(EVER).await.unwrap(), [worlds::stored(std::slice::from_ref(&opening))]);
    let mut next = worlds::next_look(&opening);
    let would = Some(Would { verdict: Verdict::Fail, state: GateState::Decided });
    next.gate = Gate { requires: worlds::required(), would, ..next.gate };
    store.commit(std::slice::from_ref(&next)).await.unwrap();
    assert_eq!(store.load(EVER).await.unwrap(), [worlds::stored(&[opening, next])]);
}
