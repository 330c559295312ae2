//! One fetch: what it asks of the source, and what its answer makes of the gate.

use crate::engine::advance;
use crate::engine::book::BookEntry;
use crate::engine::budgets::Budgets;
use crate::engine::live::LiveWave;
use crate::engine::live::Wanted;
use crate::judge::State;
use crate::judge::Timing;
use crate::rules::RulesName;
use crate::rules::query::Bindings;
use crate::series::IntervalEvidence;
use crate::series::Timestamp;
use crate::sources;
use crate::sources::Source;
use crate::sources::gather;
use crate::sources::probe::Prober;
use crate::store::Change;
use crate::wave::Event;
use crate::wave::Gate;
use crate::wave::WaveId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What a fetch brought.
pub(super) struct Fetched {
    pub(super) wave: WaveId,
    pub(super) rules: RulesName,
    pub(super) attempt: u32,
    pub(super) brought: Result<Brought, sources::Error>,
}

/// What the source gave.
pub(super) enum Brought {
    Scrape(Option<Duration>),
    Evidence(Vec<IntervalEvidence>),
}

/// Whom the gate asks; `None` where it names nobody and has but probes. Where those mind an
/// error budget, what the wave served is asked of the SLO's source.
pub(super) fn source_of(
    sources: &BTreeMap<String, Arc<dyn Source>>,
    entry: &BookEntry,
) -> Result<Option<Arc<dyn Source>>, sources::Error> {
    let rules = &entry.rules;
    let has_but_probes = rules.source.is_none() && rules.checks.iter().all(|check| check.probe.is_some());
    match &rules.budget {
        None if has_but_probes => Ok(None),
        Some(budget) if has_but_probes => source_named(sources, budget.slo.source.as_deref()).map(Some),
        _ => source_named(sources, rules.source.as_deref()).map(Some),
    }
}

/// The source `name`, or the only one there is.
///
/// # Errors
/// There is none of that name, or not exactly one.
pub(super) fn source_named(
    sources: &BTreeMap<String, Arc<dyn Source>>,
    name: Option<&str>,
) -> Result<Arc<dyn Source>, sources::Error> {
    let found = match name {
        Some(name) => sources.get(name),
        None => sources.values().next().filter(|_| sources.len() == 1),
    };
    found.cloned().ok_or_else(|| sources::Error::NotConfigured {
        name: name.unwrap_or_default().to_owned(),
        known: sources.keys().cloned().collect::<Vec<_>>().join(", "),
    })
}

/// Asks for what the gate wants; its probes go on, or begin.
pub(super) async fn bring(
    source: Option<&dyn Source>,
    (prober, budgets): (&Prober, &Budgets),
    entry: &BookEntry,
    wave: &WaveId,
    gate: &Gate,
    wanted: Wanted,
) -> Result<Brought, sources::Error> {
    let rules = &entry.rules;
    let bindings = Bindings { wave: wave.as_str(), baseline: gate.baseline.as_deref(), params: &gate.params };
    let interval = gate.timing.map_or(rules.schedule.interval, |timing| timing.interval);
    for probe in rules.checks.iter().filter_map(|check| check.probe.as_ref()) {
        // From its start to its first look a gate also waits for samples to arrive.
        prober.want(probe, interval + rules.schedule.settle)?;
    }
    match (wanted, &gate.timing) {
        (Wanted::Evidence(windows), Some(timing)) => {
            let request = advance::request(rules, &bindings, timing, &windows);
            let sources = gather::Sources { named: source, prober: Some(prober), accounts: Some(budgets) };
            gather::evidence(sources, &request).await.map(Brought::Evidence)
        }
        _ => match source {
            Some(source) => gather::survey(source, rules, &bindings, gate.start).await.map(Brought::Scrape),
            None => Ok(Brought::Scrape(None)),
        },
    }
}

/// What a fetch makes of its gate, not yet committed.
pub(super) fn digest(
    live: &mut LiveWave,
    rules: &RulesName,
    brought: Result<Brought, sources::Error>,
    now: Timestamp,
) -> Vec<Change> {
    let Some(own) = live.gates.get_mut(rules) else { return Vec::new() };
    own.busy = false;
    match brought {
        Ok(Brought::Scrape(scrape)) => {
            own.answered();
            let Some(gate) = advance::gate_of(&live.wave, rules) else { return Vec::new() };
            let timing = Timing::of(&own.entry.rules, gate.start, scrape, gate.deadline);
            own.state = Some(State::new(&own.entry.rules, timing).of_class(gate.class));
            let (wave, change) = advance::apply(&live.wave, rules, Event::Timed(timing), now);
            live.wave = wave;
            change.into_iter().collect()
        }
        Ok(Brought::Evidence(evidence)) => {
            own.answered();
            let Some(state) = &own.state else { return Vec::new() };
            let mut advanced = advance(&live.wave, &own.entry.rules, state, evidence);
            // What is told of looks long past is news today: how long it is kept counts from now.
            for message in advanced.changes.iter_mut().flat_map(|change| &mut change.messages) {
                message.at = message.at.max(now);
            }
            if advanced.changes.is_empty() {
                // Evidence of other windows than those asked for: do not ask in a circle.
                own.failed(now);
            }
            live.wave = advanced.wave;
            own.state = Some(advanced.state);
            advanced.changes
        }
        Err(error) => {
            tracing::warn!(wave.id = %live.wave.id, rules = %rules, error = %error.in_full(), "source did not answer");
            own.failed(now);
            let silent = Event::Silent { message: error.in_full() };
            let (wave, change) = advance::apply(&live.wave, rules, silent, now);
            let mut changes: Vec<Change> = change.into_iter().collect();
            live.wave = wave;
            let expires = advance::gate_of(&live.wave, rules).map(|gate| own.expires(gate));
            if expires.is_some_and(|at| at <= now) {
                let (wave, change) = advance::apply(&live.wave, rules, Event::Expired, now);
                live.wave = wave;
                changes.extend(change);
            }
            changes
        }
    }
}
