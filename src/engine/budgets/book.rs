//! Everything that is known of error budgets, behind one lock: no waiting in here.

use crate::engine::budgets::kept::Kept;
use crate::engine::budgets::kept::Step;
use crate::engine::budgets::kept::WANTED;
use crate::engine::budgets::view::AccountView;
use crate::engine::budgets::view::Upkeep;
use crate::judge::Charged;
use crate::rules::Digest;
use crate::rules::Slo;
use crate::rules::SloName;
use crate::series::ServiceReading;
use crate::series::Timestamp;
use crate::store::Charge;
use std::collections::BTreeMap;
use std::sync::Arc;

/// SLOs of open gates that are in force no more, at most: each is read from its source.
const STRANGERS_MAX: usize = 100;

/// The books.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// In force.
    slos: BTreeMap<SloName, Arc<Slo>>,
    /// Of open gates, which keep the SLO that they began with: by its digest, with when a
    /// look last wanted it. Nobody says that a gate is over; who is not asked for is forgotten.
    strangers: BTreeMap<Digest, (Arc<Slo>, Timestamp)>,
    /// By what they are counted by.
    pub(super) kept: BTreeMap<Digest, Kept>,
    /// By SLO, in the order in which they were first charged.
    charges: BTreeMap<SloName, Vec<Charge>>,
    views: BTreeMap<SloName, Shown>,
}

/// What is shown of an SLO.
#[derive(Debug)]
struct Shown {
    view: Arc<AccountView>,
    /// As of when.
    at: Timestamp,
    /// Something has changed since.
    stale: bool,
}

impl Books {
    /// Puts `slos` in force. Slices that none of them counts, and no open gate, are let go.
    pub(super) fn put(&mut self, slos: impl IntoIterator<Item = Arc<Slo>>, now: Timestamp) {
        self.slos = slos.into_iter().map(|slo| (slo.name.clone(), slo)).collect();
        self.serve(now);
        self.views.retain(|name, _| self.slos.contains_key(name));
        let all: Vec<Digest> = self.kept.keys().cloned().collect();
        for counted_by in all {
            self.show(&counted_by, now);
        }
    }

    /// The names of the SLOs in force.
    pub(super) fn names(&self) -> impl Iterator<Item = &SloName> {
        self.slos.keys()
    }

    /// The SLOs of `service` in force but `name`.
    pub(super) fn others<'a>(&'a self, service: &'a str, name: &'a SloName) -> impl Iterator<Item = &'a Arc<Slo>> {
        self.slos.values().filter(move |slo| slo.service == service && slo.name != *name)
    }

    /// Keeps the slices of the SLO of an open gate that is not in force, from now on. One that
    /// is counted as before shares them, over its own period and as soon as it settles.
    pub(super) fn host(&mut self, slo: &Slo, now: Timestamp) {
        if self.slos.get(&slo.name).is_some_and(|own| own.digest == slo.digest) {
            return;
        }
        if let Some((_, at)) = self.strangers.get_mut(&slo.digest) {
            *at = now;
            return;
        }
        if self.strangers.len() < STRANGERS_MAX {
            self.strangers.insert(slo.digest.clone(), (Arc::new(slo.clone()), now));
            self.serve(now);
        }
    }

    /// Lets go of what no look has wanted for long, and of what a clock that was set back
    /// left behind.
    pub(super) fn tidy(&mut self, now: Timestamp) {
        self.kept.values_mut().for_each(|kept| kept.mind_clock(now));
        let before = self.strangers.len();
        self.strangers.retain(|_, (_, at)| now <= *at + WANTED);
        if self.strangers.len() < before {
            self.serve(now);
        }
    }

    /// One memory for everything that is counted alike.
    fn serve(&mut self, now: Timestamp) {
        let mut users: BTreeMap<Digest, Vec<Arc<Slo>>> = BTreeMap::new();
        for slo in self.slos.values().chain(self.strangers.values().map(|(slo, _)| slo)) {
            users.entry(slo.counted_by.clone()).or_default().push(Arc::clone(slo));
        }
        self.kept.retain(|counted_by, _| users.contains_key(counted_by));
        for (counted_by, slos) in users {
            let Some(first) = slos.first().cloned() else { continue };
            self.kept.entry(counted_by).or_insert_with(|| Kept::new(first, now)).serve(slos, now);
        }
    }

    /// Takes over what a wave is charged with, in the place of what it was.
    pub(super) fn charge(&mut self, charge: Charge) {
        let own = self.charges.entry(charge.slo.clone()).or_default();
        let is_same = |old: &&mut Charge| {
            let key = |charged: &Charged| (charged.wave.clone(), charged.rules.clone(), charged.attempt);
            key(&old.charged) == key(&charge.charged)
        };
        if let Some(shown) = self.views.get_mut(&charge.slo) {
            shown.stale = true;
        }
        match own.iter_mut().rev().find(is_same) {
            Some(old) => *old = charge,
            None => own.push(charge),
        }
    }

    /// What waves were charged with between `from` and `until` of the SLO `name`.
    pub(super) fn charges(&self, name: &SloName, from: Timestamp, until: Timestamp) -> Vec<Charge> {
        let own = self.charges.get(name).map(Vec::as_slice).unwrap_or_default();
        let within = |charge: &&Charge| from <= charge.charged.spent.to && charge.charged.spent.from <= until;
        own.iter().filter(within).cloned().collect()
    }

    /// Forgets charges that ended before `then`.
    pub(super) fn forget_charges(&mut self, then: Timestamp) {
        for own in self.charges.values_mut() {
            own.retain(|charge| then <= charge.charged.spent.to);
        }
        self.charges.retain(|_, own| !own.is_empty());
    }

    /// Slices that the keeper should see to at `now`, the longest due first.
    pub(super) fn due(&self, now: Timestamp) -> Option<(Digest, Step)> {
        let due = |(counted_by, kept): (&Digest, &Kept)| {
            let at = kept.due().filter(|at| *at <= now)?;
            Some((at, counted_by.clone(), kept.step(now)))
        };
        let first = self.kept.iter().filter_map(due).min_by_key(|(at, _, _)| *at);
        first.map(|(_, counted_by, step)| (counted_by, step))
    }

    /// When that will next be.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.kept.values().filter_map(Kept::due).min()
    }

    /// Makes the views anew of what is counted by `counted_by`.
    pub(super) fn show(&mut self, counted_by: &Digest, now: Timestamp) {
        let slos: Vec<Arc<Slo>> = self.slos.values().filter(|slo| slo.counted_by == *counted_by).cloned().collect();
        for slo in slos {
            self.show_one(&slo, now);
        }
    }

    /// What is shown of `name`; what waves were charged with meanwhile is in it.
    pub(super) fn view(&mut self, name: &SloName) -> Option<Arc<AccountView>> {
        let slo = Arc::clone(self.slos.get(name)?);
        if let Some(at) = self.views.get(name).filter(|shown| shown.stale).map(|shown| shown.at) {
            self.show_one(&slo, at);
        }
        self.views.get(name).map(|shown| Arc::clone(&shown.view))
    }

    fn show_one(&mut self, slo: &Arc<Slo>, at: Timestamp) {
        let Some(kept) = self.kept.get(&slo.counted_by) else { return };
        let upkeep = Upkeep { through: kept.through(at), ..kept.upkeep.clone() };
        let is_whole = |reading: &ServiceReading| kept.is_whole(reading.period_from, at);
        let view = AccountView::of(slo, (&kept.slices, at), upkeep, is_whole);
        let charges = self.charges(&slo.name, view.reading.period_from, at);
        let view = view.charged(charges);
        self.views.insert(slo.name.clone(), Shown { view: Arc::new(view), at, stale: false });
    }
}
