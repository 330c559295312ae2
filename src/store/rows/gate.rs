//! A gate as one row.

use crate::judge::Timing;
use crate::rules::Class;
use crate::rules::Digest;
use crate::rules::RulesName;
use crate::series::Timestamp;
use crate::store::rows::Fault;
use crate::store::rows::from_json;
use crate::store::rows::to_json;
use crate::store::rows::words;
use crate::wave::Attestation;
use crate::wave::Decision;
use crate::wave::Gate;
use crate::wave::GateState;
use crate::wave::Outage;
use crate::wave::Requirement;
use crate::wave::Verdict;
use crate::wave::Would;
use serde::Deserialize;
use serde::Serialize;
use std::num::NonZeroU32;
use std::time::Duration;

/// The columns of table `gates` but its keys. Instants in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(in crate::store) struct GateRow {
    pub(in crate::store) rules: String,
    pub(in crate::store) attempt: i64,
    pub(in crate::store) digest: String,
    pub(in crate::store) run: Option<String>,
    pub(in crate::store) baseline: Option<String>,
    pub(in crate::store) params: String,
    pub(in crate::store) class: String,
    pub(in crate::store) opened_at: i64,
    pub(in crate::store) start_at: i64,
    pub(in crate::store) deadline_at: Option<i64>,
    pub(in crate::store) timing: Option<String>,
    pub(in crate::store) judged: i64,
    pub(in crate::store) state: String,
    pub(in crate::store) verdict: String,
    pub(in crate::store) revision: i64,
    pub(in crate::store) outage: Option<String>,
    pub(in crate::store) decision: Option<String>,
    /// `NULL` where nothing is required.
    pub(in crate::store) requires: Option<String>,
    /// `NULL` of a gate that is obeyed.
    pub(in crate::store) would: Option<String>,
    pub(in crate::store) revised_at: i64,
}

impl GateRow {
    /// Whether nothing but a person's word changes it any more.
    pub(in crate::store) fn is_final(&self) -> bool {
        words::state_named(&self.state).is_some_and(GateState::is_final)
    }

    /// The gate, under the `digest` that its stored rule file really has.
    pub(in crate::store) fn gate(&self, digest: Digest) -> Result<Gate, Fault> {
        if digest.as_str() != self.digest {
            return Err(format!("the rule file of digest {} has the digest {}", self.digest, digest.as_str()));
        }
        let gate = Gate {
            class: class(&self.class)?,
            rules: RulesName::new(&self.rules).ok_or_else(|| format!("`{}` is no rule file's name", self.rules))?,
            digest,
            attempt: count("attempt", self.attempt)?,
            run: self.run.clone(),
            baseline: self.baseline.clone(),
            params: from_json(&self.params)?,
            opened_at: Timestamp::from_millis(self.opened_at),
            start: Timestamp::from_millis(self.start_at),
            deadline: self.deadline_at.map(Timestamp::from_millis),
            timing: self.timing.as_deref().map(read_timing).transpose()?,
            judged: count("judged", self.judged)?,
            state: state(&self.state)?,
            verdict: verdict(&self.verdict)?,
            revision: count("revision", self.revision)?,
            judgement: None,
            outage: self.outage.as_deref().map(read_outage).transpose()?,
            decision: self.decision.as_deref().map(read_decision).transpose()?,
            requires: self.requires.as_deref().map_or(Ok(Vec::new()), read_requires)?,
            would: self.would.as_deref().map(read_would).transpose()?,
            revised_at: Timestamp::from_millis(self.revised_at),
        };
        checked(&gate).map(|()| gate)
    }
}

impl TryFrom<&Gate> for GateRow {
    type Error = Fault;

    fn try_from(gate: &Gate) -> Result<Self, Fault> {
        checked(gate)?;
        Ok(Self {
            rules: gate.rules.as_str().to_owned(),
            attempt: gate.attempt.into(),
            digest: gate.digest.as_str().to_owned(),
            run: gate.run.clone(),
            baseline: gate.baseline.clone(),
            params: to_json(&gate.params)?,
            class: gate.class.word().to_owned(),
            opened_at: gate.opened_at.as_millis(),
            start_at: gate.start.as_millis(),
            deadline_at: gate.deadline.map(Timestamp::as_millis),
            timing: gate.timing.as_ref().map(write_timing).transpose()?,
            judged: gate.judged.into(),
            state: words::state_word(gate.state).to_owned(),
            verdict: words::verdict_word(gate.verdict).to_owned(),
            revision: gate.revision.into(),
            outage: gate.outage.as_ref().map(write_outage).transpose()?,
            decision: gate.decision.as_ref().map(write_decision).transpose()?,
            requires: (!gate.requires.is_empty()).then(|| write_requires(&gate.requires)).transpose()?,
            would: gate.would.map(write_would).transpose()?,
            revised_at: gate.revised_at.as_millis(),
        })
    }
}

/// What [`Gate`] says of itself in words.
fn checked(gate: &Gate) -> Result<(), Fault> {
    if gate.attempt == 0 || gate.revision == 0 {
        return Err("attempts and revisions count from 1".to_owned());
    }
    agrees(gate.state, gate.verdict)?;
    if let Some(would) = gate.would {
        agrees(would.state, would.verdict)?;
        if gate.verdict == Verdict::Fail || gate.state == GateState::Held {
            return Err("a gate that observes neither fails nor asks a person".to_owned());
        }
    }
    if gate.decision.as_ref().is_some_and(|decision| decision.verdict == Some(Verdict::Pause)) {
        return Err("a person decides pass or fail, or cancels".to_owned());
    }
    Ok(())
}

/// Decided gates alone say pass or fail.
fn agrees(state: GateState, verdict: Verdict) -> Result<(), Fault> {
    let decided = state == GateState::Decided;
    if decided == (verdict == Verdict::Pause) {
        return Err(format!("a gate that is {} cannot say {}", words::state_word(state), words::verdict_word(verdict)));
    }
    Ok(())
}

fn count(name: &str, value: i64) -> Result<u32, Fault> {
    u32::try_from(value).map_err(|_| format!("{name} is {value}"))
}

fn class(word: &str) -> Result<Class, Fault> {
    Class::named(word).ok_or_else(|| format!("`{word}` is no class"))
}

fn state(word: &str) -> Result<GateState, Fault> {
    words::state_named(word).ok_or_else(|| format!("`{word}` is no state"))
}

fn verdict(word: &str) -> Result<Verdict, Fault> {
    words::verdict_named(word).ok_or_else(|| format!("`{word}` is no verdict"))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimingRow {
    start: i64,
    /// At most 49 days, so that no index times an interval can overflow.
    interval_ms: NonZeroU32,
    scrape_ms: NonZeroU32,
    warm: i64,
    min_end: i64,
    deadline: i64,
}

fn write_timing(timing: &Timing) -> Result<String, Fault> {
    to_json(&TimingRow {
        start: timing.start.as_millis(),
        interval_ms: whole_ms("an interval", timing.interval)?,
        scrape_ms: whole_ms("a scrape interval", timing.scrape)?,
        warm: timing.warm.as_millis(),
        min_end: timing.min_end.as_millis(),
        deadline: timing.deadline.as_millis(),
    })
}

fn whole_ms(name: &str, length: Duration) -> Result<NonZeroU32, Fault> {
    let ms = u32::try_from(length.as_millis()).ok().and_then(NonZeroU32::new);
    ms.filter(|ms| length == Duration::from_millis(ms.get().into()))
        .ok_or_else(|| format!("{name} of {length:?} is not whole milliseconds in 32 bits"))
}

fn read_timing(text: &str) -> Result<Timing, Fault> {
    let row: TimingRow = from_json(text)?;
    Ok(Timing {
        start: Timestamp::from_millis(row.start),
        interval: Duration::from_millis(row.interval_ms.get().into()),
        scrape: Duration::from_millis(row.scrape_ms.get().into()),
        warm: Timestamp::from_millis(row.warm),
        min_end: Timestamp::from_millis(row.min_end),
        deadline: Timestamp::from_millis(row.deadline),
    })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutageRow {
    since: i64,
    message: String,
}

fn write_outage(outage: &Outage) -> Result<String, Fault> {
    to_json(&OutageRow { since: outage.since.as_millis(), message: outage.message.clone() })
}

fn read_outage(text: &str) -> Result<Outage, Fault> {
    let row: OutageRow = from_json(text)?;
    Ok(Outage { since: Timestamp::from_millis(row.since), message: row.message })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionRow {
    /// Absent for a cancellation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verdict: Option<String>,
    by: String,
    why: String,
    at: i64,
}

fn write_decision(decision: &Decision) -> Result<String, Fault> {
    to_json(&DecisionRow {
        verdict: decision.verdict.map(|verdict| words::verdict_word(verdict).to_owned()),
        by: decision.by.clone(),
        why: decision.why.clone(),
        at: decision.at.as_millis(),
    })
}

fn read_decision(text: &str) -> Result<Decision, Fault> {
    let row: DecisionRow = from_json(text)?;
    Ok(Decision {
        verdict: row.verdict.as_deref().map(verdict).transpose()?,
        by: row.by,
        why: row.why,
        at: Timestamp::from_millis(row.at),
    })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequirementRow {
    name: String,
    /// Absent while nobody has attested it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attested: Option<AttestationRow>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttestationRow {
    by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    at: i64,
}

fn write_requires(requires: &[Requirement]) -> Result<String, Fault> {
    let attested = |said: &Attestation| AttestationRow {
        by: said.by.clone(),
        note: said.note.clone(),
        url: said.url.clone(),
        at: said.at.as_millis(),
    };
    let row =
        |one: &Requirement| RequirementRow { name: one.name.clone(), attested: one.attested.as_ref().map(attested) };
    to_json(&requires.iter().map(row).collect::<Vec<_>>())
}

fn read_requires(text: &str) -> Result<Vec<Requirement>, Fault> {
    let rows: Vec<RequirementRow> = from_json(text)?;
    if rows.is_empty() {
        return Err("a gate that requires nothing has no list of it".to_owned());
    }
    let attested = |row: AttestationRow| Attestation {
        by: row.by,
        note: row.note,
        url: row.url,
        at: Timestamp::from_millis(row.at),
    };
    Ok(rows.into_iter().map(|row| Requirement { name: row.name, attested: row.attested.map(attested) }).collect())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WouldRow {
    verdict: String,
    state: String,
}

fn write_would(would: Would) -> Result<String, Fault> {
    to_json(&WouldRow {
        verdict: words::verdict_word(would.verdict).to_owned(),
        state: words::state_word(would.state).to_owned(),
    })
}

fn read_would(text: &str) -> Result<Would, Fault> {
    let row: WouldRow = from_json(text)?;
    Ok(Would { verdict: verdict(&row.verdict)?, state: state(&row.state)? })
}
