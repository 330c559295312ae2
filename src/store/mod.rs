//! Memory: what must outlive the process.
//!
//! One [`Store::commit`] is one transaction: gate, evidence, document, audit and
//! outgoing messages become true together or not at all.

mod error;
mod fence;
mod outbox;
mod rows;
mod settings;
mod sqlite;

pub use error::Error;
pub use outbox::Backlog;
pub use outbox::DeadLetter;
pub use outbox::Due;
pub use outbox::Leased;
pub use outbox::Outbox;
pub use outbox::Settlement;
pub use outbox::Subscription;
pub use settings::Retention;
pub use settings::Settings;
pub use sqlite::SqliteStore;

use crate::judge::Charged;
use crate::rules::Digest;
use crate::rules::RulesName;
use crate::rules::SloName;
use crate::series::Counts;
use crate::series::IntervalEvidence;
use crate::series::Timestamp;
use crate::wave::EventKind;
use crate::wave::Gate;
use crate::wave::WaveId;
use std::future::Future;
use std::ops::AddAssign;
use std::pin::Pin;

/// Most slices that one call takes or gives: a year of minutes and a little more.
pub const SLICES_MAX: usize = 600_000;

/// A future that a [`Store`] gives out.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// What changes at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The wave.
    pub wave: WaveId,
    /// The rollout it belongs to.
    pub rollout: Option<String>,
    /// The gate as it is from now on; its judgement is not stored, but made
    /// again from the evidence.
    pub gate: Gate,
    /// The rule file's text, when the gate is opened.
    pub rules_text: Option<String>,
    /// Newly judged intervals with their index, from 1.
    pub evidence: Vec<(u32, IntervalEvidence)>,
    /// The verdict document of `gate.revision`, where that is new.
    pub document: Option<String>,
    /// Events for webhook consumers.
    pub messages: Vec<Message>,
    /// What happened, for the audit log.
    pub audit: Vec<AuditEntry>,
    /// What the gate's wave is charged with from now on, where its rules mind an error budget.
    pub charge: Option<Charge>,
}

/// What one gate's wave spends of an error budget; a later one of the same gate and attempt
/// stands in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Charge {
    /// The SLO.
    pub slo: SloName,
    /// Its digest: what was spent of an SLO that has been edited since is told as such.
    pub digest: Digest,
    /// The gate, its attempt, and what it spent.
    pub charged: Charged,
}

/// One notice with a fixed id and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The same for the same event, so that committing it twice is once.
    pub id: String,
    /// What it tells.
    pub kind: EventKind,
    /// When it was written, from which its keeping counts; when it happened is in its body.
    pub at: Timestamp,
    /// JSON, the bytes that are sent.
    pub body: String,
}

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who: `wavegate`, or the name a person gave.
    pub by: String,
    /// `snake_case`: `opened`, `decided_pass`, `cancelled`, `held`, `attested`, `observed` …
    pub action: String,
    /// One sentence.
    pub detail: String,
}

/// A wave as it was left.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredWave {
    /// Its name.
    pub id: WaveId,
    /// The rollout it belongs to.
    pub rollout: Option<String>,
    /// The latest attempt of each gate, ordered by rule file name.
    pub gates: Vec<StoredGate>,
}

/// A gate as it was left.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredGate {
    /// Its values; `judgement` is `None`.
    pub gate: Gate,
    /// The rule file it began with.
    pub rules_text: String,
    /// Every judged interval in order; empty for a final gate.
    pub evidence: Vec<IntervalEvidence>,
    /// The document of `gate.revision`.
    pub document: String,
}

/// How much was deleted because it was old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Gates, each with its documents and its evidence.
    pub gates: u64,
    /// Intervals of evidence of gates that stay.
    pub evidence: u64,
    /// Audit entries.
    pub audit: u64,
    /// Outgoing messages, each with its deliveries.
    pub messages: u64,
    /// What waves were charged with.
    pub charges: u64,
    /// Slices of services.
    pub slices: u64,
}

impl AddAssign for Pruned {
    fn add_assign(&mut self, more: Self) {
        self.gates += more.gates;
        self.evidence += more.evidence;
        self.audit += more.audit;
        self.messages += more.messages;
        self.charges += more.charges;
        self.slices += more.slices;
    }
}

/// Where gates are kept.
///
/// A future that is dropped before its end leaves open whether its change became
/// true; committing the same again settles it.
pub trait Store: Send + Sync {
    /// Makes every change true, in order, in one transaction; on disk once it answers.
    ///
    /// The same change may come again. A gate only moves forward: new evidence
    /// goes on where the stored ends, up to `gate.judged`; a new revision brings
    /// its document; the first change of a gate brings the rule file's text,
    /// unless one of that digest is stored. A message id that is known is kept. A charge
    /// stands in the place of the gate's last one, and a change without one leaves that.
    ///
    /// # Errors
    /// [`Error::is_refusal`]: nothing of the batch became true, nor will it when
    /// it comes again. [`Error::Database`]: the same may be tried again.
    fn commit<'a>(&'a self, changes: &'a [Change]) -> Pending<'a, ()>;

    /// Every wave with a gate that is not final, and those revised or opened after
    /// `since`; by id.
    fn load(&self, since: Timestamp) -> Pending<'_, Vec<StoredWave>>;

    /// One wave, however old.
    fn wave<'a>(&'a self, id: &'a WaveId) -> Pending<'a, Option<StoredWave>>;

    /// One published document: of `revision`, or the attempt's last.
    fn document<'a>(
        &'a self,
        wave: &'a WaveId,
        rules: &'a RulesName,
        attempt: u32,
        revision: Option<u32>,
    ) -> Pending<'a, Option<String>>;

    /// Every judged interval of an attempt in order, of a final gate too; nothing
    /// once it is pruned.
    fn evidence<'a>(
        &'a self,
        wave: &'a WaveId,
        rules: &'a RulesName,
        attempt: u32,
    ) -> Pending<'a, Vec<IntervalEvidence>>;

    /// What waves were charged with that spent until `since` or later; by SLO, then by when they
    /// began.
    fn charges(&self, since: Timestamp) -> Pending<'_, Vec<Charge>>;

    /// Keeps slices that are counted by `counted_by`, each with its start, over what was
    /// kept of the same before; on disk once it answers. Many are kept a part at a time, in
    /// their order, so that commits get in between; what fails leaves the parts before it.
    ///
    /// # Errors
    /// [`Error::is_refusal`]: more than [`SLICES_MAX`], or one that is no count of events;
    /// none of them is kept.
    fn keep_slices<'a>(&'a self, counted_by: &'a Digest, slices: &'a [(Timestamp, Option<Counts>)]) -> Pending<'a, ()>;

    /// The slices that are kept of what is counted by `counted_by` and begin at `since` or
    /// later, in order; of more than [`SLICES_MAX`] the latest.
    fn slices<'a>(&'a self, counted_by: &'a Digest, since: Timestamp) -> Pending<'a, Vec<(Timestamp, Option<Counts>)>>;

    /// Whether a write would succeed now; found out by writing.
    fn probe(&self) -> Pending<'_, ()>;

    /// Deletes what is older at `now` than it has to be kept, in batches between
    /// which commits go on. Gates that are not final keep everything.
    fn prune(&self, now: Timestamp) -> Pending<'_, Pruned>;

    /// Waits for what is under way, flushes and closes. Everything after it is
    /// answered by [`Error::Closed`], but another `close`, which does nothing.
    fn close(&self) -> Pending<'_, ()>;
}
