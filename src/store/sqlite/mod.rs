//! The store of a single daemon: one SQLite file in write-ahead mode.
//!
//! `synchronous = FULL` syncs the log at every commit, so what was acknowledged
//! survives a loss of power. One connection writes, since SQLite has one writer
//! anyway and a second would only make it wait; a few read, each from a snapshot
//! that no writer disturbs. Every write begins with `BEGIN IMMEDIATE`: a read
//! that turns into a write can be refused without any wait. A lock file beside
//! the database keeps a second daemon out.

mod connections;
mod open;
mod prune;
mod read;
mod write;

use crate::rules::RulesName;
use crate::series::IntervalEvidence;
use crate::series::Timestamp;
use crate::store::Change;
use crate::store::Error;
use crate::store::Pending;
use crate::store::Pruned;
use crate::store::Retention;
use crate::store::Settings;
use crate::store::Store;
use crate::store::StoredWave;
use crate::store::fence::Offer;
use crate::wave::WaveId;
use connections::Connections;
use std::fs::File;
use std::path::PathBuf;

/// Reads that run at once: a start's long one, and the few that memory cannot
/// answer. Each holds back the log's checkpoint while it runs.
const READERS: u16 = 4;

/// Gates in one SQLite file.
pub struct SqliteStore {
    writer: Connections,
    readers: Connections,
    retention: Retention,
    path: PathBuf,
    /// Held until the store is closed or dropped.
    lock: File,
}

impl SqliteStore {
    /// Opens the database of `settings`, making it where it is missing.
    ///
    /// # Errors
    /// Whatever makes the database unusable, or unsafe to use: see [`Error`].
    pub async fn open(settings: &Settings) -> Result<Self, Error> {
        let path = open::place(&settings.path)?;
        let lock = open::lock(&path)?;
        open::claim(&path).await?;

        let writer = Connections::new(open::writer_options(&path, settings), 1);
        let mut lease = writer.lease().await?;
        let prepared = open::prepare(&path, &mut lease.connection).await;
        writer.settle(lease, prepared)?;

        let readers = Connections::new(open::reader_options(&path), READERS);
        Ok(Self { writer, readers, retention: settings.retention, path, lock })
    }

    async fn commit_all(&self, changes: &[Change]) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let offers = changes.iter().map(Offer::of).collect::<Result<Vec<_>, _>>()?;
        let mut lease = self.writer.lease().await?;
        let outcome = write::commit(&mut lease.connection, &offers).await;
        self.writer.settle(lease, outcome)
    }

    async fn load_since(&self, since: Timestamp) -> Result<Vec<StoredWave>, Error> {
        let mut lease = self.readers.lease().await?;
        let outcome = read::waves(&mut lease.connection, since).await;
        self.readers.settle(lease, outcome)
    }

    async fn read_wave(&self, id: &WaveId) -> Result<Option<StoredWave>, Error> {
        let mut lease = self.readers.lease().await?;
        let outcome = read::wave(&mut lease.connection, id).await;
        self.readers.settle(lease, outcome)
    }

    async fn read_document(
        &self,
        wave: &WaveId,
        rules: &RulesName,
        attempt: u32,
        revision: Option<u32>,
    ) -> Result<Option<String>, Error> {
        let mut lease = self.readers.lease().await?;
        let outcome = read::document(&mut lease.connection, wave, rules, attempt, revision).await;
        self.readers.settle(lease, outcome)
    }

    async fn read_evidence(
        &self,
        wave: &WaveId,
        rules: &RulesName,
        attempt: u32,
    ) -> Result<Vec<IntervalEvidence>, Error> {
        let mut lease = self.readers.lease().await?;
        let outcome = read::evidence(&mut lease.connection, wave, rules, attempt).await;
        self.readers.settle(lease, outcome)
    }

    async fn write_probe(&self) -> Result<(), Error> {
        let mut lease = self.writer.lease().await?;
        let outcome = write::probe(&mut lease.connection).await;
        self.writer.settle(lease, outcome)
    }

    /// One lease a batch, so that commits get in between.
    async fn prune_all(&self, now: Timestamp) -> Result<Pruned, Error> {
        let mut pruned = Pruned::default();
        loop {
            let mut lease = self.writer.lease().await?;
            let outcome = prune::batch(&mut lease.connection, self.retention, now).await;
            let batch = self.writer.settle(lease, outcome)?;
            if batch == Pruned::default() {
                return Ok(pruned);
            }
            pruned += batch;
        }
    }

    /// Closes and unlocks even where the log could not be flushed: it is as good
    /// where it is, and the next start flushes it.
    async fn close_all(&self) -> Result<(), Error> {
        self.readers.close().await?;
        let mut lease = match self.writer.lease().await {
            Err(Error::Closed) => return Ok(()),
            lease => lease?,
        };
        let outcome = write::checkpoint(&mut lease.connection).await;
        let flushed = self.writer.settle(lease, outcome);
        self.writer.close().await?;
        self.lock.unlock().map_err(|source| Error::Lock { path: self.path.clone(), source })?;
        flushed
    }
}

impl Store for SqliteStore {
    fn commit<'a>(&'a self, changes: &'a [Change]) -> Pending<'a, ()> {
        Box::pin(self.commit_all(changes))
    }

    fn load(&self, since: Timestamp) -> Pending<'_, Vec<StoredWave>> {
        Box::pin(self.load_since(since))
    }

    fn wave<'a>(&'a self, id: &'a WaveId) -> Pending<'a, Option<StoredWave>> {
        Box::pin(self.read_wave(id))
    }

    fn document<'a>(
        &'a self,
        wave: &'a WaveId,
        rules: &'a RulesName,
        attempt: u32,
        revision: Option<u32>,
    ) -> Pending<'a, Option<String>> {
        Box::pin(self.read_document(wave, rules, attempt, revision))
    }

    fn evidence<'a>(
        &'a self,
        wave: &'a WaveId,
        rules: &'a RulesName,
        attempt: u32,
    ) -> Pending<'a, Vec<IntervalEvidence>> {
        Box::pin(self.read_evidence(wave, rules, attempt))
    }

    fn probe(&self) -> Pending<'_, ()> {
        Box::pin(self.write_probe())
    }

    fn prune(&self, now: Timestamp) -> Pending<'_, Pruned> {
        Box::pin(self.prune_all(now))
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(self.close_all())
    }
}
