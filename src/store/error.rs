//! A store that refused, or could not.

use std::io;
use std::path::PathBuf;

/// A store that refused, or could not.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database's folder cannot be made or read.
    #[error("cannot prepare the folder of `{}`", path.display())]
    Folder {
        /// The database.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The lock file cannot be made or locked.
    #[error("cannot lock `{}`", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process holds the lock.
    #[error("`{}` is in use by another process; a database belongs to one daemon", path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// The linked SQLite has a bug that can corrupt a database in WAL mode.
    #[error("SQLite {found} can corrupt a database in WAL mode; at least {need} is needed")]
    OldSqlite {
        /// As SQLite names itself.
        found: String,
        /// The first version without the bug.
        need: &'static str,
    },
    /// The file is some other application's database.
    #[error("`{}` is not a wavegate database (application_id {found:#x})", path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
        /// Its application id.
        found: i64,
    },
    /// The schema has a version that this program does not know.
    #[error("`{}` was written by a newer wavegate (schema version {version})", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// The unknown version.
        version: i64,
    },
    /// The schema could not be brought up to date.
    #[error("cannot bring the schema of `{}` up to date", path.display())]
    Migrate {
        /// The database.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<sqlx::migrate::MigrateError>,
    },
    /// The filesystem does not do what write-ahead logging needs.
    #[error("`{}` cannot use a write-ahead log (journal mode {mode}); is it on a network filesystem?", path.display())]
    NoWriteAheadLog {
        /// The database.
        path: PathBuf,
        /// The mode SQLite fell back to.
        mode: String,
    },
    /// The check at start found damage.
    #[error("`{}` is damaged: {finding}", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// SQLite's first finding.
        finding: String,
    },
    /// The database did not do as asked: disk full, disk failing, locked by somebody.
    #[error("cannot {operation}")]
    Database {
        /// What was tried, as a verb and its object.
        operation: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// A row does not make sense.
    #[error("table `{table}`, row {key}: {fault}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// What tells the row from others.
        key: String,
        /// What is wrong with it.
        fault: String,
    },
    /// A change holds a value that could not be read back.
    #[error("cannot keep {subject}: {fault}")]
    Unstorable {
        /// Which gate.
        subject: String,
        /// What is wrong with it.
        fault: String,
    },
    /// A change is older than what is stored: somebody else went on.
    #[error(
        "{subject} is stored at revision {kept_revision} with {kept_judged} intervals judged; \
         revision {revision} with {judged} would go back"
    )]
    Stale {
        /// Which gate.
        subject: String,
        /// The stored revision.
        kept_revision: i64,
        /// The stored count of judged intervals.
        kept_judged: i64,
        /// The refused revision.
        revision: i64,
        /// The refused count.
        judged: i64,
    },
    /// A change says otherwise about what is already published or judged.
    #[error("{subject} contradicts what is stored: {fault}")]
    Contradiction {
        /// Which gate.
        subject: String,
        /// Where.
        fault: String,
    },
    /// A change lacks what would be needed to load it again.
    #[error("{subject} is incomplete: {fault}")]
    Incomplete {
        /// Which gate.
        subject: String,
        /// What is missing.
        fault: String,
    },
}

impl Error {
    /// For `map_err`: what was tried when the database failed.
    pub(super) fn when(operation: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { operation, source }
    }

    /// Whether what was asked contradicts the stored truth: trying again cannot help.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Unstorable { .. } | Self::Stale { .. } | Self::Contradiction { .. } | Self::Incomplete { .. }
        )
    }
}
