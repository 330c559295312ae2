//! What a gate remembers of its error budget, and what it says at a look.

use crate::judge::Cause;
use crate::judge::Cohort;
use crate::judge::Timing;
use crate::judge::arrivals::Arrivals;
use crate::judge::arrivals::Traffic;
use crate::judge::budget::Attribution;
use crate::judge::budget::BaselineKind;
use crate::judge::budget::BudgetOutcome;
use crate::judge::budget::Burn;
use crate::judge::budget::PolicyReading;
use crate::judge::budget::Spent;
use crate::judge::budget::Stand;
use crate::judge::budget::attribution::Scale;
use crate::judge::budget::attribution::attribute;
use crate::judge::budget::burn::burn;
use crate::judge::budget::policy;
use crate::judge::budget::policy::Facts;
use crate::judge::budget::policy::Word;
use crate::judge::budget::served::Served;
use crate::judge::check::cause_of;
use crate::rules::Budget;
use crate::rules::Class;
use crate::rules::RuleFile;
use crate::series::BudgetEvidence;
use crate::series::IntervalEvidence;
use crate::series::Measure;
use crate::series::Observed;
use crate::series::ServiceReading;
use crate::series::Timestamp;
use std::time::Duration;

/// The level of bounds where no policy says one.
const LEVEL: f64 = 0.05;

/// What a gate remembers of its error budget.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BudgetState {
    pub(crate) class: Class,
    /// The start of the wave.
    from: Timestamp,
    /// The end of the last interval.
    to: Timestamp,
    served: Served,
    canary: Arrivals,
    /// `None` where the gate is judged without a baseline.
    baseline: Option<Arrivals>,
    traffic: Traffic,
    /// Why the last interval was not used.
    faults: Vec<Cause>,
    /// The service at the end of the last interval.
    service: Option<ServiceReading>,
    /// Why a person is asked: it stays, as the gate stays held.
    held: Vec<Cause>,
}

#[cfg(test)]
crate::judge::footprint::fields!(BudgetState: served, canary, baseline);

/// A look, as the budget sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    /// Whether the warm-up is over: the wave is not judged before, and the service is.
    pub(crate) warm: bool,
    /// The share of samples that must have arrived.
    pub(crate) coverage: f64,
}

impl BudgetState {
    pub(crate) fn new(rules: &RuleFile, timing: &Timing) -> Self {
        let arrivals = |cohort| Arrivals::new(cohort, timing.interval);
        Self {
            class: Class::default(),
            from: timing.start,
            to: timing.start,
            served: Served::default(),
            canary: arrivals(Cohort::Canary),
            baseline: rules.cohorts.baseline.is_some().then(|| arrivals(Cohort::Baseline)),
            traffic: Traffic::new(timing.interval),
            faults: Vec::new(),
            service: None,
            held: Vec::new(),
        }
    }

    /// Takes one interval. `warm` is whether it lies after the warm-up: what did not arrive
    /// before does not count as missing.
    pub(crate) fn fold(&mut self, rules: &RuleFile, budget: &Budget, interval: &IntervalEvidence, warm: bool) {
        self.to = interval.window.to;
        self.faults.clear();
        self.service = interval.budget.as_ref().and_then(|evidence| evidence.service.clone());
        let planned = interval.window.from < self.from + rules.downtime;
        match &interval.budget {
            Some(BudgetEvidence { wave, .. }) if planned && wave.faults.is_empty() => self.served.plan(wave),
            Some(_) if planned => {}
            Some(evidence) => self.take(evidence, interval.window.length(), !budget.slo.strata.is_empty(), warm),
            // Evidence that lacks the budget is evidence of not having looked.
            None if warm => self.arrived(&Observed::nothing(1), Some(&Observed::nothing(1)), false),
            None => {}
        }
    }

    fn take(&mut self, evidence: &BudgetEvidence, span: Duration, by_strata: bool, warm: bool) {
        let BudgetEvidence { wave, service } = evidence;
        self.faults = wave.faults.iter().map(cause_of).collect();
        let usable = wave.faults.is_empty();
        if usable {
            let [canary, baseline] =
                self.served.fold(wave, service.as_ref().and_then(|service| service.before), span, by_strata);
            self.traffic.add(canary, baseline);
        }
        if warm {
            self.arrived(&wave.canary, wave.baseline.as_ref(), usable);
        }
    }

    fn arrived(&mut self, canary: &Observed, baseline: Option<&Observed>, usable: bool) {
        let shown = |observed: &Observed| usable && observed.nan == 0 && observed.measure != Measure::Nothing;
        let seen = |observed: &Observed| if shown(observed) { observed.seen } else { 0 };
        self.canary.add(canary, seen(canary));
        if let Some(arrivals) = &mut self.baseline {
            let nothing = Observed::nothing(canary.expected);
            let observed = baseline.unwrap_or(&nothing);
            arrivals.add(observed, seen(observed));
        }
    }

    /// Looks: what asks a person goes on asking, whatever becomes of the budget.
    pub(crate) fn look(&mut self, budget: &Budget) {
        let burn = self.burn(budget);
        let facts = Facts {
            budget,
            class: self.class,
            service: self.service.as_ref(),
            burn: burn.as_ref(),
            events: burn.as_ref().and_then(|burn| burn.period.events),
            excess: self.served.excess(),
            canary: self.served.canary(),
            idle: None,
        };
        let words = [policy::reserve(&facts), policy::waves_spend(&facts)];
        let held: Vec<Cause> =
            words.into_iter().filter(|word| word.is(Stand::Hold)).flat_map(|word| word.reasons).collect();
        if !held.is_empty() {
            self.held = held;
        }
    }

    /// What it says now.
    pub(crate) fn outcome(&self, budget: &Budget, sight: Sight) -> BudgetOutcome {
        let burn = self.burn(budget);
        let events = burn.as_ref().and_then(|burn| burn.period.events);
        let level = budget.policies.wave_burn.map_or(LEVEL, |own| own.level);
        let scale = Scale { budget: budget.slo.budget().as_f64(), events, level };
        let (wave, compared) = attribute(&self.served, scale);
        let facts = Facts {
            budget,
            class: self.class,
            service: self.service.as_ref(),
            burn: burn.as_ref(),
            events,
            excess: wave.excess,
            canary: wave.canary,
            idle: self.idle(wave.baseline_kind),
        };
        let of_wave = |word: Word| if sight.warm { word } else { word.unsaid() };
        let words = [
            of_wave(policy::wave_burn(&facts, &wave, compared.as_ref(), self.served.beside())),
            policy::reserve(&facts),
            policy::waves_spend(&facts),
            policy::page(&facts),
            of_wave(policy::projected(&facts, &wave)),
        ];
        let spent_by_waves = policy::spent_share(&facts);
        self.conclude(budget, sight, words, (burn, wave, spent_by_waves))
    }

    fn conclude(
        &self,
        budget: &Budget,
        sight: Sight,
        words: [Word; 5],
        (burn, wave, spent_by_waves): (Option<Burn>, Attribution, Option<f64>),
    ) -> BudgetOutcome {
        let looked = self.from < self.to;
        let mut reasons = self.held.clone();
        let mut stands = vec![if sight.warm && looked { Stand::Pass } else { Stand::Inconclusive }];
        if !reasons.is_empty() {
            stands.push(Stand::Hold);
        }
        let blind = if sight.warm { self.blindness(wave.baseline_kind, sight.coverage) } else { Vec::new() };
        let unknown = burn.as_ref().is_none_or(|burn| !burn.is_known());
        if looked && unknown {
            reasons.push(Cause::BudgetUnknown { slo: budget.slo.name.to_string() });
        }
        let sees = !looked || !unknown && blind.is_empty();
        if !sees {
            stands.push(Stand::Inconclusive);
        }
        reasons.extend(blind);
        let policies: Vec<PolicyReading> = words.iter().map(|word| word.reading).collect();
        stands.extend(policies.iter().filter_map(|reading| reading.stand));
        for reason in words.into_iter().flat_map(|word| word.reasons).filter(|_| looked) {
            // Of what asked a person before, the latest numbers were kept.
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        reasons.sort_by_key(Cause::gravity);
        let pauses = policies.iter().any(|reading| reading.stand == Some(Stand::Pause));
        BudgetOutcome {
            slo: budget.slo.name.clone(),
            service: budget.slo.service.clone(),
            class: self.class,
            stand: stands.into_iter().max().unwrap_or(Stand::Inconclusive),
            healthy: sees && !pauses,
            burn,
            spent: self.spent(&wave),
            wave,
            spent_by_waves,
            policies,
            reasons,
        }
    }

    /// Why the wave could not be looked at. A baseline that serves no longer is no blindness
    /// where an earlier day stands in for it.
    fn blindness(&self, kind: BaselineKind, coverage: f64) -> Vec<Cause> {
        let baseline = self.baseline.as_ref().filter(|_| kind != BaselineKind::Historical);
        let arrived = std::iter::once(&self.canary).chain(baseline);
        self.faults.iter().cloned().chain(arrived.filter_map(|arrivals| arrivals.fault(coverage))).collect()
    }

    /// Which cohort serves nobody any more: what it did before says nothing of now. A baseline
    /// of an earlier day serves nobody by its nature.
    fn idle(&self, kind: BaselineKind) -> Option<Cause> {
        let is_told = |cause: &Cause| {
            kind == BaselineKind::Concurrent || !matches!(cause, Cause::NoTraffic { cohort: Cohort::Baseline })
        };
        self.traffic.fault().filter(is_told)
    }

    fn burn(&self, budget: &Budget) -> Option<Burn> {
        self.service.as_ref().map(|service| burn(&budget.slo, service))
    }

    fn spent(&self, wave: &Attribution) -> Spent {
        Spent {
            from: self.from,
            to: self.to,
            canary: wave.canary,
            baseline: wave.baseline,
            planned: wave.planned,
            excess: wave.excess.unwrap_or(0.0),
        }
    }
}
