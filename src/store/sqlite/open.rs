//! Opening a database: ours alone, sound, and of the schema we know.

use crate::store::Error;
use crate::store::Settings;
use sqlx::ConnectOptions;
use sqlx::Connection;
use sqlx::SqliteConnection;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::sqlite::SqliteJournalMode;
use sqlx::sqlite::SqliteSynchronous;
use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::fs::TryLockError;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// The first release without the WAL-reset bug, which could corrupt a database
/// that two connections checkpoint.
pub(super) const SQLITE_NEEDED: &str = "3.51.3";

/// `WAVE`: tells our databases from others' (`PRAGMA application_id`).
const APPLICATION_ID: i64 = 0x5741_5645;

const PAGE_BYTES: u32 = 4096;

/// How long a statement waits for a lock that a backup tool or a shell holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The write-ahead log is cut back to this after a checkpoint, so that one large
/// batch does not hold disk space for ever.
const JOURNAL_BYTES_MAX: u32 = 64 << 20;

/// Larger databases are not checked as a whole at start: the check reads every
/// page, which takes about a second for a GiB in memory and ten from a slow disk.
/// Their pages are checked when they are read, and so are their rows.
const QUICK_CHECK_BYTES_MAX: i64 = 1 << 30;

/// The lock of the database at `path`, held while the result lives. It lies in a
/// file of its own: closing any handle of the database file would release the
/// locks that SQLite has on it.
pub(super) fn lock(path: &Path) -> Result<File, Error> {
    let mut name = OsString::from(path);
    name.push(".lock");
    let lock_path = PathBuf::from(name);
    let fault = |source| Error::Lock { path: lock_path.clone(), source };

    let file = File::options().create(true).truncate(false).write(true).open(&lock_path).map_err(fault)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(fault(source)),
    }
}

/// Where the database really lies, with its folder made. Two names of one file
/// give one path and with it one lock.
pub(super) fn place(path: &Path) -> Result<PathBuf, Error> {
    let fault = |source| Error::Folder { path: path.to_owned(), source };
    if let Ok(existing) = path.canonicalize() {
        return Ok(existing);
    }
    let name = path.file_name().ok_or_else(|| fault(std::io::ErrorKind::InvalidFilename.into()))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(fault)?;
    Ok(folder.canonicalize().map_err(fault)?.join(name))
}

/// Options of the one connection that writes.
pub(super) fn writer_options(path: &Path, settings: &Settings) -> SqliteConnectOptions {
    let pages = settings.max_bytes.get().div_ceil(PAGE_BYTES.into());
    options(path).pragma("max_page_count", pages.to_string())
}

/// Options of the connections that read.
pub(super) fn reader_options(path: &Path) -> SqliteConnectOptions {
    options(path).pragma("query_only", "ON")
}

fn options(path: &Path) -> SqliteConnectOptions {
    plain_options(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        .pragma("journal_size_limit", JOURNAL_BYTES_MAX.to_string())
}

/// Options that change nothing in a file that may be somebody else's.
fn plain_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).page_size(PAGE_BYTES).busy_timeout(BUSY_TIMEOUT)
}

/// Makes sure that SQLite is recent and the file ours, and marks an empty one.
pub(super) async fn claim(path: &Path) -> Result<(), Error> {
    let doing = "open the database";
    let options = plain_options(path).create_if_missing(true);
    let mut connection = options.connect().await.map_err(Error::when(doing))?;

    let version: String = ask(&mut connection, "SELECT sqlite_version()").await?;
    if !is_recent(&version) {
        return Err(Error::OldSqlite { found: version, need: SQLITE_NEEDED });
    }
    let found: i64 = ask(&mut connection, "PRAGMA application_id").await?;
    let tables: i64 = ask(&mut connection, "SELECT count(*) FROM sqlite_schema").await?;
    match (found, tables) {
        (APPLICATION_ID, _) => {}
        (0, 0) => {
            let mark = sqlx::AssertSqlSafe(format!("PRAGMA application_id = {APPLICATION_ID}"));
            sqlx::query(mark).execute(&mut connection).await.map_err(Error::when(doing))?;
        }
        _ => return Err(Error::Foreign { path: path.to_owned(), found }),
    }
    connection.close().await.map_err(Error::when(doing))
}

/// Checks the database and brings its schema up to date.
pub(super) async fn prepare(path: &Path, writer: &mut SqliteConnection) -> Result<(), Error> {
    let mode: String = ask(writer, "PRAGMA journal_mode").await?;
    if mode != "wal" {
        return Err(Error::NoWriteAheadLog { path: path.to_owned(), mode });
    }
    let pages: i64 = ask(writer, "PRAGMA page_count").await?;
    if pages.saturating_mul(PAGE_BYTES.into()) <= QUICK_CHECK_BYTES_MAX {
        let finding: String = ask(writer, "PRAGMA quick_check(1)").await?;
        if finding != "ok" {
            return Err(Error::Damaged { path: path.to_owned(), finding });
        }
    }
    sqlx::migrate!("migrations/sqlite").run(writer).await.map_err(|source| {
        if let MigrateError::VersionMissing(version) = source {
            Error::Newer { path: path.to_owned(), version }
        } else {
            Error::Migrate { path: path.to_owned(), source: Box::new(source) }
        }
    })
}

async fn ask<T>(connection: &mut SqliteConnection, question: &'static str) -> Result<T, Error>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + Send + Unpin,
{
    sqlx::query_scalar(question).fetch_one(connection).await.map_err(Error::when("check the database"))
}

/// Whether SQLite of this version has the WAL-reset fix. What is not a version is not.
pub(super) fn is_recent(version: &str) -> bool {
    match (numbers(version), numbers(SQLITE_NEEDED)) {
        (Some(found), Some(needed)) => found >= needed,
        _ => false,
    }
}

/// `3.51.3` as numbers; a fourth part, as release candidates have, is dropped.
fn numbers(version: &str) -> Option<[u32; 3]> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(version: &str, expect: bool) {
        assert_eq!(is_recent(version), expect, "{version:?}");
    }

    #[test]
    fn only_releases_with_the_wal_reset_fix_are_recent() {
        for version in ["3.51.3", "3.51.10", "3.52.0", "3.100.0", "4.0.0", "3.51.3.1"] {
            check(version, true);
        }
        // 3.9 is older than 3.51 although it sorts later as text.
        for version in ["3.51.2", "3.9.9", "3.50.7", "2.99.99", "3.51", "", "three", "3.51.x", "-3.51.3", "3..3"] {
            check(version, false);
        }
    }

    #[tokio::test]
    async fn connections_have_the_promised_pragmas() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pragmas.db");
        claim(&path).await.unwrap();
        let settings = Settings { path: path.clone(), ..Settings::default() };
        let mut writer = writer_options(&path, &settings).connect().await.unwrap();
        prepare(&path, &mut writer).await.unwrap();
        let mut reader = reader_options(&path).connect().await.unwrap();

        for connection in [&mut writer, &mut reader] {
            assert_eq!(ask::<String>(connection, "PRAGMA journal_mode").await.unwrap(), "wal");
            for (pragma, expect) in [
                ("PRAGMA synchronous", 2),
                ("PRAGMA foreign_keys", 1),
                ("PRAGMA trusted_schema", 0),
                ("PRAGMA cell_size_check", 1),
                ("PRAGMA busy_timeout", 5000),
                ("PRAGMA journal_size_limit", i64::from(JOURNAL_BYTES_MAX)),
                ("PRAGMA application_id", APPLICATION_ID),
            ] {
                assert_eq!(ask::<i64>(connection, pragma).await.unwrap(), expect, "{pragma}");
            }
        }
        let pages = i64::try_from(settings.max_bytes.get() / u64::from(PAGE_BYTES)).unwrap();
        assert_eq!(ask::<i64>(&mut writer, "PRAGMA max_page_count").await.unwrap(), pages);
        assert_eq!(ask::<i64>(&mut reader, "PRAGMA query_only").await.unwrap(), 1);
    }

    #[tokio::test]
    async fn every_table_is_strict() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("strict.db");
        claim(&path).await.unwrap();
        let mut writer = writer_options(&path, &Settings::default()).connect().await.unwrap();
        prepare(&path, &mut writer).await.unwrap();
        let lax = "SELECT count(*) FROM pragma_table_list \
                   WHERE type = 'table' AND NOT strict AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                   AND name <> '_sqlx_migrations'";
        assert_eq!(ask::<i64>(&mut writer, lax).await.unwrap(), 0);
    }
}
