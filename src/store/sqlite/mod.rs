//! The store of a single daemon: one SQLite file in write-ahead mode.
//!
//! `synchronous = FULL` syncs the log at every commit, so what was acknowledged
//! survives a loss of power. One connection writes, since SQLite has one writer
//! anyway and a second would only make it wait; a few read, each from a snapshot
//! that no writer disturbs. Every write begins with `BEGIN IMMEDIATE`: a read
//! that turns into a write can be refused without any wait. A lock file beside
//! the database keeps a second daemon out.

mod budgets;
mod connections;
mod open;
mod outbox;
mod prune;
mod read;
mod write;

use crate::rules::Digest;
use crate::rules::RulesName;
use crate::series::Counts;
use crate::series::IntervalEvidence;
use crate::series::Timestamp;
use crate::store::Backlog;
use crate::store::Change;
use crate::store::Charge;
use crate::store::DeadLetter;
use crate::store::Due;
use crate::store::Error;
use crate::store::Leased;
use crate::store::Outbox;
use crate::store::Pending;
use crate::store::Pruned;
use crate::store::Retention;
use crate::store::Settings;
use crate::store::Settlement;
use crate::store::Store;
use crate::store::StoredWave;
use crate::store::Subscription;
use crate::store::fence::Offer;
use crate::wave::WaveId;
use connections::Connections;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Notify;

/// Reads that run at once: a start's long one, and the few that memory cannot
/// answer. Each holds back the log's checkpoint while it runs.
const READERS: u16 = 4;

/// Gates in one SQLite file.
pub struct SqliteStore {
    writer: Connections,
    readers: Connections,
    retention: Retention,
    path: PathBuf,
    /// Rung when there may be something to send.
    signal: Arc<Notify>,
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
        Ok(Self { writer, readers, retention: settings.retention, path, signal: Arc::default(), lock })
    }

    async fn commit_all(&self, changes: &[Change]) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let offers = changes.iter().map(Offer::of).collect::<Result<Vec<_>, _>>()?;
        let mut lease = self.writer.lease().await?;
        let outcome = write::commit(&mut lease.connection, &offers).await;
        self.writer.settle(lease, outcome)?;
        if changes.iter().any(|change| !change.messages.is_empty()) {
            self.signal.notify_one();
        }
        Ok(())
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

    async fn read_charges(&self, since: Timestamp) -> Result<Vec<Charge>, Error> {
        let mut lease = self.readers.lease().await?;
        let outcome = budgets::charges(&mut lease.connection, since).await;
        self.readers.settle(lease, outcome)
    }

    /// One lease a part, so that commits get in between.
    async fn keep_all_slices(&self, counted_by: &Digest, slices: &[(Timestamp, Option<Counts>)]) -> Result<(), Error> {
        let rows = budgets::rows(counted_by, slices)?;
        for part in rows.chunks(budgets::PART) {
            let mut lease = self.writer.lease().await?;
            let outcome = budgets::keep(&mut lease.connection, counted_by, part).await;
            self.writer.settle(lease, outcome)?;
        }
        Ok(())
    }

    async fn read_slices(
        &self,
        counted_by: &Digest,
        since: Timestamp,
    ) -> Result<Vec<(Timestamp, Option<Counts>)>, Error> {
        let mut lease = self.readers.lease().await?;
        let outcome = budgets::slices(&mut lease.connection, counted_by, since).await;
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

    /// One lease a batch, so that commits get in between.
    async fn fan_all_out(&self, subscriptions: &[Subscription], now: Timestamp) -> Result<u64, Error> {
        let mut lease = self.readers.lease().await?;
        let outcome = outbox::has_new(&mut lease.connection).await;
        let mut some = self.readers.settle(lease, outcome)?;
        let mut fanned_out = 0;
        while some {
            let mut lease = self.writer.lease().await?;
            let outcome = outbox::fan_out(&mut lease.connection, subscriptions, now).await;
            let batch = self.writer.settle(lease, outcome)?;
            fanned_out += batch;
            some = batch > 0;
        }
        Ok(fanned_out)
    }

    /// Reads first: most often nothing is due, and then no writer has to wait.
    async fn lease_due(&self, endpoint: &str, now: Timestamp, until: Timestamp, most: u32) -> Result<Due, Error> {
        let mut lease = self.readers.lease().await?;
        let outcome = outbox::next(&mut lease.connection, endpoint, now).await;
        let next = self.readers.settle(lease, outcome)?;
        if next.is_none_or(|next| next > now) || most == 0 {
            return Ok(Due { leased: Vec::new(), next });
        }
        let mut lease = self.writer.lease().await?;
        let outcome = outbox::lease(&mut lease.connection, endpoint, now, until, most).await;
        self.writer.settle(lease, outcome)
    }

    async fn settle_leased(&self, leased: &Leased, settlement: Settlement, outcome: &str) -> Result<bool, Error> {
        let mut lease = self.writer.lease().await?;
        let settled = outbox::settle(&mut lease.connection, leased, settlement, outcome).await;
        self.writer.settle(lease, settled)
    }

    async fn read_backlog(&self, endpoint: &str) -> Result<Backlog, Error> {
        let mut lease = self.readers.lease().await?;
        let outcome = outbox::backlog(&mut lease.connection, endpoint).await;
        self.readers.settle(lease, outcome)
    }

    async fn read_dead(&self, endpoint: &str, after: Option<i64>, most: u32) -> Result<Vec<DeadLetter>, Error> {
        let mut lease = self.readers.lease().await?;
        let outcome = outbox::dead(&mut lease.connection, endpoint, after, most).await;
        self.readers.settle(lease, outcome)
    }

    async fn resend_dead(&self, endpoint: &str, id: Option<&str>, now: Timestamp) -> Result<u64, Error> {
        let mut lease = self.writer.lease().await?;
        let outcome = outbox::resend(&mut lease.connection, endpoint, id, now).await;
        let resent = self.writer.settle(lease, outcome)?;
        self.signal.notify_one();
        Ok(resent)
    }

    async fn enable_endpoint(&self, endpoint: &str) -> Result<bool, Error> {
        let mut lease = self.writer.lease().await?;
        let outcome = outbox::enable(&mut lease.connection, endpoint).await;
        let enabled = self.writer.settle(lease, outcome)?;
        self.signal.notify_one();
        Ok(enabled)
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

    fn charges(&self, since: Timestamp) -> Pending<'_, Vec<Charge>> {
        Box::pin(self.read_charges(since))
    }

    fn keep_slices<'a>(&'a self, counted_by: &'a Digest, slices: &'a [(Timestamp, Option<Counts>)]) -> Pending<'a, ()> {
        Box::pin(self.keep_all_slices(counted_by, slices))
    }

    fn slices<'a>(&'a self, counted_by: &'a Digest, since: Timestamp) -> Pending<'a, Vec<(Timestamp, Option<Counts>)>> {
        Box::pin(self.read_slices(counted_by, since))
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

impl Outbox for SqliteStore {
    fn signal(&self) -> Arc<Notify> {
        Arc::clone(&self.signal)
    }

    fn fan_out<'a>(&'a self, subscriptions: &'a [Subscription], now: Timestamp) -> Pending<'a, u64> {
        Box::pin(self.fan_all_out(subscriptions, now))
    }

    fn lease<'a>(&'a self, endpoint: &'a str, now: Timestamp, until: Timestamp, most: u32) -> Pending<'a, Due> {
        Box::pin(self.lease_due(endpoint, now, until, most))
    }

    fn settle<'a>(&'a self, leased: &'a Leased, settlement: Settlement, outcome: &'a str) -> Pending<'a, bool> {
        Box::pin(self.settle_leased(leased, settlement, outcome))
    }

    fn backlog<'a>(&'a self, endpoint: &'a str) -> Pending<'a, Backlog> {
        Box::pin(self.read_backlog(endpoint))
    }

    fn dead<'a>(&'a self, endpoint: &'a str, after: Option<i64>, most: u32) -> Pending<'a, Vec<DeadLetter>> {
        Box::pin(self.read_dead(endpoint, after, most))
    }

    fn resend<'a>(&'a self, endpoint: &'a str, id: Option<&'a str>, now: Timestamp) -> Pending<'a, u64> {
        Box::pin(self.resend_dead(endpoint, id, now))
    }

    fn enable<'a>(&'a self, endpoint: &'a str) -> Pending<'a, bool> {
        Box::pin(self.enable_endpoint(endpoint))
    }
}
