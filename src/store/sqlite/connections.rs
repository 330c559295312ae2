//! A few connections, lent one at a time.
//!
//! `sqlx`'s own pool is not used for two reasons. It measures its waits with
//! timers, which fire at once when a test pauses the clock while a database
//! thread works. And it takes back a connection whose transaction SQLite itself
//! has rolled back, as it does when the disk is full; such a connection answers
//! every later `BEGIN` with an error. Here a connection comes back only when it
//! is known to be sound, and any other is closed and made anew.

use crate::store::Error;
use sqlx::ConnectOptions;
use sqlx::Connection;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteConnectOptions;
use std::mem;
use std::sync::Mutex;
use std::sync::PoisonError;
use tokio::sync::Semaphore;
use tokio::sync::SemaphorePermit;

/// Up to a fixed number of connections with the same options.
pub(super) struct Connections {
    options: SqliteConnectOptions,
    most: u32,
    permits: Semaphore,
    idle: Mutex<Vec<SqliteConnection>>,
}

/// One connection on loan. Dropped without [`Connections::settle`] it is closed,
/// and SQLite rolls back what was begun on it.
pub(super) struct Lease<'a> {
    pub(super) connection: SqliteConnection,
    _permit: SemaphorePermit<'a>,
}

impl Connections {
    /// At most `most` connections with `options`; none is opened yet.
    pub(super) fn new(options: SqliteConnectOptions, most: u16) -> Self {
        let permits = Semaphore::new(most.into());
        Self { options, most: most.into(), permits, idle: Mutex::default() }
    }

    /// A connection, after those who asked before.
    pub(super) async fn lease(&self) -> Result<Lease<'_>, Error> {
        let permit = self.permits.acquire().await.map_err(|_| Error::Closed)?;
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(Error::when("open the database"))?,
        };
        Ok(Lease { connection, _permit: permit })
    }

    /// Takes `lease` back, unless the database itself failed in `outcome`.
    pub(super) fn settle<T>(&self, lease: Lease<'_>, outcome: Result<T, Error>) -> Result<T, Error> {
        if !matches!(outcome, Err(Error::Database { .. })) {
            self.idle().push(lease.connection);
        }
        outcome
    }

    /// Waits for what is on loan, then closes all. Does nothing the second time.
    pub(super) async fn close(&self) -> Result<(), Error> {
        let Ok(all) = self.permits.acquire_many(self.most).await else {
            return Ok(());
        };
        self.permits.close();
        drop(all);
        let idle = mem::take(&mut *self.idle());
        for connection in idle {
            connection.close().await.map_err(Error::when("close the database"))?;
        }
        Ok(())
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<SqliteConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
