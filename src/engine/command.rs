//! What people and orchestrators ask of the loop.

use crate::engine::advance;
use crate::engine::board::Occasion;
use crate::engine::book::BookEntry;
use crate::engine::handle::Attest;
use crate::engine::handle::Command;
use crate::engine::handle::Open;
use crate::engine::handle::Published;
use crate::engine::handle::Refusal;
use crate::engine::handle::Word;
use crate::engine::handle::unavailable;
use crate::engine::live::LiveGate;
use crate::engine::live::LiveWave;
use crate::engine::run::Engine;
use crate::rules::Mode;
use crate::rules::ParamFault;
use crate::rules::RuleFile;
use crate::rules::RulesName;
use crate::rules::query::Cohorts;
use crate::rules::query::Matchers;
use crate::series::Timestamp;
use crate::store::Change;
use crate::telemetry::Chain;
use crate::wave;
use crate::wave::Asked;
use crate::wave::Attestation;
use crate::wave::Effect;
use crate::wave::Event;
use crate::wave::EventKind;
use crate::wave::Gate;
use crate::wave::Opening;
use crate::wave::Verdict;
use crate::wave::Wave;
use crate::wave::WaveId;
use crate::wire;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Longest life of a gate that a request may ask for, as in rule files.
const LIFE_MAX: Duration = Duration::from_hours(30 * 24);

/// How far ahead a wave may be opened.
const AHEAD_MAX: Duration = Duration::from_hours(30 * 24);

/// Most intervals of one gate: their evidence is kept in memory while it is open.
const INTERVALS_MAX: u128 = 20_000;

/// Most gates of one wave.
const GATES_MAX: usize = 64;

/// One part of so many of all open gates is kept for waves that somebody asks for: what a
/// source shows may be any number of values.
const ASKED_SHARE: usize = 4;

impl Engine {
    pub(super) async fn command(&mut self, command: Command) {
        // An asker who has gone away is no reason to undo what was committed.
        match command {
            Command::Open(open, reply) => drop(reply.send(self.open(open).await)),
            Command::Word(wave, rules, word, reply) => {
                drop(reply.send(self.word(&wave, rules.as_ref(), word).await));
            }
            Command::Attest(wave, rules, attest, reply) => {
                drop(reply.send(self.attest(&wave, rules.as_ref(), attest).await));
            }
            Command::Recall(wave, reply) => {
                let recalled = self.recall(&wave).await;
                // Before the asker looks, or tidying up could take it down again.
                self.note_asked(&wave);
                drop(reply.send(recalled));
            }
            Command::Reload(book, reply) => {
                self.put_book(book);
                let _ = reply.send(());
            }
        }
    }

    async fn open(&mut self, open: Open) -> Result<Arc<Published>, Refusal> {
        self.recall(&open.wave).await?;
        let now = self.now();
        let mut live = self.wave(&open.wave).cloned().unwrap_or_else(|| LiveWave {
            wave: Wave { id: open.wave.clone(), rollout: open.rollout.clone(), gates: Vec::new() },
            gates: BTreeMap::new(),
        });
        agree_on_rollout(&live.wave, &open)?;
        let reopens = self.asked(&open.wave).is_some_and(|asked| asked + self.settings().reopen_after <= now);
        self.know_params(&open, &live)?;
        let mut changes = Vec::new();
        for (index, name) in open.rules.iter().enumerate() {
            // A gate that is there needs no rule file: a reload may have taken it away.
            let (entry, current) = (self.entry(name, index), live.gate(name));
            let (digest, mode, requires) = match (&entry, current) {
                (Ok(entry), _) => (entry.rules.digest.clone(), entry.rules.mode, entry.rules.requires.clone()),
                // What of it is asked of a new attempt is of no matter: there can be none.
                (Err(_), Some(gate)) => (gate.digest.clone(), Mode::Enforce, Vec::new()),
                (Err(refusal), None) => return Err(refusal.clone()),
            };
            let given = own_params(&open, entry.as_deref().ok(), current);
            // Only an attempt that begins needs every param.
            let params = entry.as_ref().ok().map(|entry| entry.rules.params_of(&given)).transpose();
            let asked = Asked {
                class: open.class,
                rules: name.clone(),
                digest,
                mode,
                requires,
                baseline: open.baseline.clone(),
                given,
                params: params.clone().ok().flatten().unwrap_or_default(),
                run: open.run.clone(),
                start: open.start,
                deadline: open.deadline,
            };
            match wave::open(current, &asked, reopens, now) {
                Opening::Same => {}
                Opening::Contradiction { field, open, asked } => {
                    let message = format!(
                        "gate `{name}` is open with {field} {open}; this asks for {asked}. Leave {field} out, or begin a new attempt with another `run`"
                    );
                    return Err(Refusal::Contradiction { pointer: format!("/{field}"), message });
                }
                Opening::New { gate, cancelled } => {
                    let entry = entry?;
                    params.map_err(|fault| unfit(&fault))?;
                    self.source_of(&entry).map_err(|error| unusable("/rules", error.to_string()))?;
                    usable(&entry.rules, &gate, now)?;
                    changes.extend(cancelled.map(|old| called_off(&live.wave, &old, now)));
                    changes.push(begin(&mut live, entry, &gate, open.discovered, now));
                }
            }
        }
        self.room_for(&live, open.discovered)?;
        self.make_true(live, &changes).await
    }

    async fn word(&mut self, id: &WaveId, rules: Option<&RulesName>, word: Word) -> Result<Arc<Published>, Refusal> {
        self.recall(id).await?;
        let Some(mut live) = self.wave(id).cloned() else {
            return Err(Refusal::NoSuchWave { wave: id.to_string() });
        };
        let gate = named_gate(&live.wave, rules)?;
        let name = gate.rules.clone();
        if gate.state.is_final() && gate.judgement.is_none() {
            let evidence = self.store().evidence(id, &name, gate.attempt).await;
            live.recollect(&name, &evidence.map_err(unavailable)?);
        }
        let gate = named_gate(&live.wave, Some(&name))?;
        let event = match word.verdict {
            Some(verdict) if wave::may_decide(gate, verdict) => Event::Decided { verdict, by: word.by, why: word.why },
            Some(verdict) => return Err(Refusal::Ambiguous { message: not_now(gate, verdict) }),
            None => Event::Cancelled { by: word.by, why: word.why },
        };
        let (wave, change) = advance::apply(&live.wave, &name, event, self.now());
        live.wave = wave;
        let changes: Vec<Change> = change.into_iter().filter(|change| change.document.is_some()).collect();
        live.take_documents(&changes);
        self.make_true(live, &changes).await
    }

    /// Takes an attestation; the same once more changes nothing, whatever became of the gate.
    async fn attest(
        &mut self,
        id: &WaveId,
        rules: Option<&RulesName>,
        attest: Attest,
    ) -> Result<Arc<Published>, Refusal> {
        self.recall(id).await?;
        let Some(mut live) = self.wave(id).cloned() else {
            return Err(Refusal::NoSuchWave { wave: id.to_string() });
        };
        let gate = named_gate(&live.wave, rules)?;
        let name = gate.rules.clone();
        attestable(gate, &attest)?;
        let Attest { name: what, by, note, url } = attest;
        let event = Event::Attested { name: what, by, note, url };
        let (wave, change) = advance::apply(&live.wave, &name, event, self.now());
        live.wave = wave;
        let changes: Vec<Change> = change.into_iter().filter(|change| change.document.is_some()).collect();
        live.take_documents(&changes);
        self.make_true(live, &changes).await
    }

    /// Commits, then shows.
    async fn make_true(&mut self, live: LiveWave, changes: &[Change]) -> Result<Arc<Published>, Refusal> {
        let published = Arc::new(live.published());
        self.note_asked(&live.wave.id);
        if changes.is_empty() {
            return Ok(published);
        }
        self.commit(changes).await.map_err(unavailable)?;
        let now = self.now();
        self.adopt(live, Occasion::News, now);
        self.count();
        Ok(published)
    }

    /// Brings a wave back that is only in the store.
    async fn recall(&mut self, id: &WaveId) -> Result<(), Refusal> {
        if self.wave(id).is_some() {
            return Ok(());
        }
        let stored = self.store().wave(id).await;
        let Some(stored) = stored.map_err(unavailable)? else { return Ok(()) };
        // Left alone since it last changed: a request without a `run` means a new attempt.
        // Judged in hindsight it was revised at looks that are older than its opening.
        let changed = stored.gates.iter().map(|stored| stored.gate.opened_at.max(stored.gate.revised_at)).max();
        self.restore(stored, changed.unwrap_or_else(|| self.now())).map_err(|fault| Refusal::StoreUnavailable {
            message: format!("wave `{id}` was kept with a rule file that this version refuses: {}", Chain(&fault)),
        })
    }

    fn entry(&self, name: &RulesName, index: usize) -> Result<Arc<BookEntry>, Refusal> {
        let book = self.book();
        book.get(name).cloned().ok_or_else(|| Refusal::UnknownRules {
            name: name.to_string(),
            index,
            known: book.names(),
        })
    }

    /// Refuses a param that is of none of the rule files.
    fn know_params(&self, open: &Open, live: &LiveWave) -> Result<(), Refusal> {
        let entries: Vec<&Arc<BookEntry>> = open.rules.iter().filter_map(|name| self.book().get(name)).collect();
        let gates: Vec<&Gate> = open.rules.iter().filter_map(|name| live.gate(name)).collect();
        for (name, value) in &open.params {
            let declared = |entry: &&Arc<BookEntry>| entry.rules.params.iter().any(|param| param.name == *name);
            if entries.iter().any(declared) || gates.iter().any(|gate| gate.params.contains_key(name)) {
                continue;
            }
            let alone = BTreeMap::from([(name.clone(), value.clone())]);
            let faults: Vec<ParamFault> =
                entries.iter().filter_map(|entry| entry.rules.params_of(&alone).err()).collect();
            let guesses = |fault: &&ParamFault| matches!(fault, ParamFault::Unknown { nearest: Some(_), .. });
            if let Some(fault) = faults.iter().find(guesses).or(faults.first()) {
                return Err(unfit(fault));
            }
        }
        Ok(())
    }

    fn room_for(&self, live: &LiveWave, discovered: bool) -> Result<(), Refusal> {
        if GATES_MAX < live.wave.gates.len() {
            let message = format!("a wave has at most {GATES_MAX} gates");
            return Err(unusable("/rules", message));
        }
        let (open, most) = (self.open_gates(), self.settings().max_open_gates.get());
        let limit = if discovered { most - most / ASKED_SHARE } else { most };
        let more = live.wave.gates.iter().filter(|gate| !gate.state.is_final()).count();
        let had = self
            .wave(&live.wave.id)
            .map_or(0, |old| old.wave.gates.iter().filter(|gate| !gate.state.is_final()).count());
        // A request that opens nothing is answered however full it is.
        if had < more && limit < open + more - had { Err(Refusal::Full { open, limit }) } else { Ok(()) }
    }
}

/// Puts a new attempt into the wave and gives back what must be committed.
fn begin(live: &mut LiveWave, entry: Arc<BookEntry>, gate: &Gate, discovered: bool, now: Timestamp) -> Change {
    let name = gate.rules.clone();
    live.wave.gates.retain(|old| old.rules != name);
    live.wave.gates.push(gate.clone());
    live.wave.gates.sort_by(|a, b| a.rules.cmp(&b.rules));
    let how = if discovered { ", discovered in its source" } else { "" };
    let opened = [
        Effect::Publish,
        Effect::Announce(EventKind::Opened),
        Effect::Audit {
            by: "wavegate".to_owned(),
            action: "opened",
            detail: format!("attempt {} by {} from {}{how}", gate.attempt, gate.digest.as_str(), gate.start),
        },
    ];
    let change = Change { rules_text: Some(entry.text.clone()), ..advance::change(&live.wave, gate, &opened, now) };
    live.gates.insert(name, LiveGate::new(entry, change.document.as_deref().unwrap_or("")));
    change
}

fn called_off(wave: &Wave, gate: &Gate, now: Timestamp) -> Change {
    let why = gate.decision.as_ref().map_or(String::new(), |decision| decision.why.clone());
    let audit = Effect::Audit { by: "wavegate".to_owned(), action: "cancelled", detail: why };
    advance::change(wave, gate, &[Effect::Publish, Effect::Announce(EventKind::Cancelled), audit], now)
}

/// Refuses a gate that could never be judged.
pub(super) fn usable(rules: &RuleFile, gate: &Gate, now: Timestamp) -> Result<(), Refusal> {
    if gate.baseline.is_none() && needs_baseline(rules) {
        let message = format!("`{}` compares with `$baseline`: say which wave id the baseline has", rules.name);
        return Err(unusable("/baseline", message));
    }
    if gate.baseline.as_ref().is_some_and(|baseline| WaveId::new(baseline).is_none()) {
        let message = "a baseline is a wave id: 1 to 256 bytes without control characters".to_owned();
        return Err(unusable("/baseline", message));
    }
    if gate.start < Timestamp::from_millis(0) {
        return Err(unusable("/start", format!("{} is before 1970: no source has samples of then", gate.start)));
    }
    if now + AHEAD_MAX < gate.start {
        return Err(unusable("/start", format!("{} is more than 30 days ahead", gate.start)));
    }
    let schedule = &rules.schedule;
    let deadline = gate.deadline.unwrap_or(gate.start + schedule.deadline);
    if deadline < gate.start + schedule.min_duration {
        let earliest = gate.start + schedule.min_duration;
        return Err(unusable(
            "/deadline",
            format!("{deadline} is before {earliest}, the start and the minimum duration"),
        ));
    }
    if deadline <= gate.start {
        return Err(unusable("/deadline", format!("{deadline} is not after the start, {}", gate.start)));
    }
    if LIFE_MAX < deadline.since(gate.start) {
        return Err(unusable("/deadline", format!("{deadline} is more than 30 days after the start")));
    }
    if INTERVALS_MAX < deadline.since(gate.start).as_millis() / schedule.interval.as_millis().max(1) {
        return Err(unusable(
            "/deadline",
            format!("more than {INTERVALS_MAX} intervals until {deadline}: choose a longer interval"),
        ));
    }
    Ok(())
}

/// The params of `open` that are of one gate.
fn own_params(open: &Open, entry: Option<&BookEntry>, gate: Option<&Gate>) -> BTreeMap<String, String> {
    let declared = |name: &String| entry.is_some_and(|entry| entry.rules.params.iter().any(|own| own.name == *name));
    let has = |name: &String| gate.is_some_and(|gate| gate.params.contains_key(name));
    let own = open.params.iter().filter(|(name, _)| declared(name) || has(name));
    own.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Params that the rules refuse.
pub(super) fn unfit(fault: &ParamFault) -> Refusal {
    let name = match fault {
        ParamFault::Unknown { name, .. } | ParamFault::Value { name } => name.as_str(),
        ParamFault::Missing { names } => names.first().map_or("", String::as_str),
    };
    unusable(&format!("/params/{}", wire::pointer_token(name)), fault.to_string())
}

fn unusable(pointer: &str, message: String) -> Refusal {
    Refusal::Unusable { pointer: pointer.to_owned(), message }
}

fn needs_baseline(rules: &RuleFile) -> bool {
    let asks = |cohorts: &Cohorts| {
        cohorts.canary.needs_baseline() || cohorts.baseline.as_ref().is_some_and(Matchers::needs_baseline)
    };
    rules.checks.iter().any(|check| asks(check.cohorts.as_ref().unwrap_or(&rules.cohorts)))
}

fn agree_on_rollout(wave: &Wave, open: &Open) -> Result<(), Refusal> {
    if wave.gates.is_empty() || open.rollout.is_none() || open.rollout == wave.rollout {
        return Ok(());
    }
    let named = |rollout: &Option<String>| rollout.clone().unwrap_or_else(|| "none".to_owned());
    let message =
        format!("wave `{}` belongs to rollout {}; this says {}", wave.id, named(&wave.rollout), named(&open.rollout));
    Err(Refusal::Contradiction { pointer: "/rollout".to_owned(), message })
}

fn named_gate<'a>(wave: &'a Wave, rules: Option<&RulesName>) -> Result<&'a Gate, Refusal> {
    match (rules, wave.gates.as_slice()) {
        (Some(name), _) => advance::gate_of(wave, name)
            .ok_or_else(|| Refusal::NoSuchGate { wave: wave.id.to_string(), rules: name.to_string() }),
        (None, [only]) => Ok(only),
        (None, gates) => {
            let names: Vec<&str> = gates.iter().map(|gate| gate.rules.as_str()).collect();
            let message = format!("wave `{}` has {} gates: name one of {}", wave.id, gates.len(), names.join(", "));
            Err(Refusal::Ambiguous { message })
        }
    }
}

/// Refuses what the gate does not require, and what comes when it is over.
fn attestable(gate: &Gate, attest: &Attest) -> Result<(), Refusal> {
    let Some(required) = gate.requires.iter().find(|one| one.name == attest.name) else {
        let names = gate.requires.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
        let known = if names.is_empty() { "it requires nothing".to_owned() } else { format!("it requires {names}") };
        return Err(unusable("/name", format!("gate `{}` requires no such attestation: {known}", gate.rules)));
    };
    let again = |old: &Attestation| (&old.by, &old.note, &old.url) == (&attest.by, &attest.note, &attest.url);
    if gate.state.is_final() && !required.attested.as_ref().is_some_and(again) {
        let state = wire::state(gate.state);
        let message = format!("gate `{}` is {state}: nothing can be attested of it any more", gate.rules);
        return Err(Refusal::Ambiguous { message });
    }
    Ok(())
}

fn not_now(gate: &Gate, verdict: Verdict) -> String {
    if gate.would.is_some() {
        return format!("gate `{}` only observes and says pass: to be done with it, cancel it", gate.rules);
    }
    let state = wire::state(gate.state);
    let mend = if gate.state.is_final() {
        "to judge the wave again, open its next attempt with another `run`"
    } else {
        "to be done with it, cancel it"
    };
    match verdict {
        Verdict::Pass => format!(
            "gate `{}` is {state}: a person passes a gate that is held, or overrides one that failed; {mend}",
            gate.rules
        ),
        Verdict::Fail => format!("gate `{}` is {state}: it cannot be failed any more; {mend}", gate.rules),
        Verdict::Pause => "a person says pass or fail".to_owned(),
    }
}
