//! The first line of a recording.

use crate::rules::Class;
use crate::rules::RulesName;
use crate::series::Timestamp;
use crate::wave::Decision;
use crate::wave::GateState;
use crate::wave::Outage;
use crate::wave::Verdict;
use crate::wave::WaveId;
use crate::wire::document;
use crate::wire::json;
use crate::wire::recording::RECORDING_FORMAT;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest text of a person's, and name of a run or a rollout: a paragraph.
const MAX_TEXT_BYTES: usize = 4096;

/// Most parameters and attestations: a rule file has a handful.
const MAX_ENTRIES: usize = 1000;

/// Which gate a recording is of, and how it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordingHeader {
    /// The wave.
    pub wave: WaveId,
    /// The rollout it belongs to.
    pub rollout: Option<String>,
    /// What `$baseline` stands for.
    pub baseline: Option<String>,
    /// What the wave set of the rules' parameters.
    pub params: BTreeMap<String, String>,
    /// What kind of change the wave brought.
    pub class: Class,
    /// The rules' name.
    pub rules: RulesName,
    /// Their digest.
    pub digest: String,
    /// The whole text that was judged by.
    pub rules_text: String,
    /// From 1.
    pub attempt: u32,
    /// The caller's name for the attempt.
    pub run: Option<String>,
    /// When the gate was opened.
    pub opened_at: Timestamp,
    /// The start of the wave.
    pub start: Timestamp,
    /// A deadline other than the rules'.
    pub deadline: Option<Timestamp>,
    /// The distance of the source's samples; `None` where the source never said.
    pub scrape: Option<Duration>,
    /// Where the evidence comes from, for people.
    pub taken_from: String,
    /// What a person says of the wave.
    pub label: Option<Label>,
    /// Why, or anything else that a person says.
    pub note: Option<String>,
    /// What was attested of the gate.
    pub attestations: Vec<RecordedAttestation>,
    /// How the gate stood: what of it no evidence tells.
    pub end: RecordedEnd,
}

/// What a person says of a wave, in hindsight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// It should have passed.
    Good,
    /// It should not have passed.
    Bad,
}

impl Label {
    /// `good` or `bad`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }
}

/// One thing that was attested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedAttestation {
    /// What.
    pub name: String,
    /// Who.
    pub by: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where it can be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When, RFC 3339.
    pub at: String,
}

/// How a gate stood when it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEnd {
    /// Where it stood.
    pub state: GateState,
    /// What it said.
    pub verdict: Verdict,
    /// Its revision: outages that are over have counted too, and left nothing else.
    pub revision: u32,
    /// When that was made.
    pub revised_at: Timestamp,
    /// The source was silent.
    pub outage: Option<Outage>,
    /// A person's word.
    pub decision: Option<Decision>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderShape {
    format: u32,
    wave_id: String,
    rollout: Option<String>,
    baseline: Option<String>,
    params: BTreeMap<String, String>,
    /// Absent of a standard one, as in recordings from before there were others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    rules: String,
    rules_digest: String,
    attempt: u32,
    run: Option<String>,
    opened_at: String,
    start: String,
    deadline: Option<String>,
    scrape_ms: Option<u32>,
    taken_from: String,
    label: Option<Label>,
    note: Option<String>,
    attestations: Vec<RecordedAttestation>,
    state: String,
    verdict: String,
    revision: u32,
    revised_at: String,
    outage: Option<OutageShape>,
    decision: Option<DecisionShape>,
    rules_text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutageShape {
    since: String,
    message: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionShape {
    verdict: Option<String>,
    by: String,
    why: String,
    at: String,
}

/// Read before anything else: a later format may have other keys.
#[derive(Deserialize)]
struct FormatShape {
    format: u32,
}

impl RecordingHeader {
    /// The line, without its end.
    pub fn line(&self) -> String {
        json::text(&HeaderShape::from(self))
    }

    /// The header that `text` holds.
    ///
    /// # Errors
    /// It is no header, or one of another format: what is wrong and what to do, as a phrase.
    pub fn read(text: &str) -> Result<Self, String> {
        let FormatShape { format } = serde_json::from_str(text)
            .map_err(|_| "it does not begin with a recording's header: it is some other file".to_owned())?;
        if format != RECORDING_FORMAT {
            return Err(format!(
                "it has format {format}, and this version reads {RECORDING_FORMAT}: \
                 use the version that wrote it, or record the wave again"
            ));
        }
        let shape: HeaderShape = serde_json::from_str(text).map_err(|error| error.to_string())?;
        shape.try_into()
    }
}

impl From<&RecordingHeader> for HeaderShape {
    fn from(header: &RecordingHeader) -> Self {
        let outage = |outage: &Outage| OutageShape { since: outage.since.to_string(), message: outage.message.clone() };
        let decision = |decision: &Decision| DecisionShape {
            verdict: decision.verdict.map(|verdict| document::verdict(verdict).to_owned()),
            by: decision.by.clone(),
            why: decision.why.clone(),
            at: decision.at.to_string(),
        };
        let end = &header.end;
        Self {
            format: RECORDING_FORMAT,
            wave_id: header.wave.as_str().to_owned(),
            rollout: header.rollout.clone(),
            baseline: header.baseline.clone(),
            params: header.params.clone(),
            class: (header.class != Class::default()).then(|| header.class.word().to_owned()),
            rules: header.rules.as_str().to_owned(),
            rules_digest: header.digest.clone(),
            attempt: header.attempt,
            run: header.run.clone(),
            opened_at: header.opened_at.to_string(),
            start: header.start.to_string(),
            deadline: header.deadline.map(|at| at.to_string()),
            scrape_ms: header.scrape.and_then(|scrape| u32::try_from(scrape.as_millis()).ok()),
            taken_from: header.taken_from.clone(),
            label: header.label,
            note: header.note.clone(),
            attestations: header.attestations.clone(),
            state: document::state(end.state).to_owned(),
            verdict: document::verdict(end.verdict).to_owned(),
            revision: end.revision,
            revised_at: end.revised_at.to_string(),
            outage: end.outage.as_ref().map(outage),
            decision: end.decision.as_ref().map(decision),
            rules_text: header.rules_text.clone(),
        }
    }
}

impl TryFrom<HeaderShape> for RecordingHeader {
    type Error = String;

    fn try_from(shape: HeaderShape) -> Result<Self, String> {
        checked(&shape)?;
        let wave = WaveId::new(&shape.wave_id).ok_or("`wave_id` is no wave id")?;
        let rules = RulesName::new(&shape.rules).ok_or("`rules` is not the name of rules")?;
        let outage = |outage: OutageShape| Ok(Outage { since: at("outage", &outage.since)?, message: outage.message });
        let decision = |decision: DecisionShape| {
            let DecisionShape { verdict: word, by, why, at: instant } = decision;
            let verdict = word.as_deref().map(verdict).transpose()?;
            Ok::<_, String>(Decision { verdict, by, why, at: at("decision", &instant)? })
        };
        let state = document::STATES.into_iter().find(|(_, word)| *word == shape.state);
        Ok(Self {
            wave,
            rollout: shape.rollout,
            baseline: shape.baseline,
            params: shape.params,
            class: shape.class.as_deref().map_or(Ok(Class::default()), class)?,
            rules,
            digest: shape.rules_digest,
            rules_text: shape.rules_text,
            attempt: shape.attempt,
            run: shape.run,
            opened_at: at("opened_at", &shape.opened_at)?,
            start: at("start", &shape.start)?,
            deadline: shape.deadline.as_deref().map(|instant| at("deadline", instant)).transpose()?,
            scrape: shape.scrape_ms.map(|ms| Duration::from_millis(ms.into())),
            taken_from: shape.taken_from,
            label: shape.label,
            note: shape.note,
            attestations: shape.attestations,
            end: RecordedEnd {
                state: state.map(|(state, _)| state).ok_or_else(|| format!("`{}` is no state", shape.state))?,
                verdict: verdict(&shape.verdict)?,
                revision: shape.revision,
                revised_at: at("revised_at", &shape.revised_at)?,
                outage: shape.outage.map(outage).transpose().map_err(|fault: String| fault)?,
                decision: shape.decision.map(decision).transpose()?,
            },
        })
    }
}

/// What a header's types say in words.
fn checked(shape: &HeaderShape) -> Result<(), String> {
    if shape.attempt == 0 || shape.revision == 0 {
        return Err("attempts and revisions count from 1".to_owned());
    }
    if shape.scrape_ms == Some(0) {
        return Err("`scrape_ms` is 0".to_owned());
    }
    let entries = [("params", shape.params.len()), ("attestations", shape.attestations.len())];
    if let Some((name, _)) = entries.into_iter().find(|(_, count)| *count > MAX_ENTRIES) {
        return Err(format!("`{name}` has more than {MAX_ENTRIES} entries"));
    }
    let short = [
        ("rollout", shape.rollout.as_deref()),
        ("baseline", shape.baseline.as_deref()),
        ("run", shape.run.as_deref()),
        ("taken_from", Some(shape.taken_from.as_str())),
        ("note", shape.note.as_deref()),
        ("outage", shape.outage.as_ref().map(|outage| outage.message.as_str())),
        ("decision", shape.decision.as_ref().map(|decision| decision.why.as_str())),
    ];
    let long = |(_, text): &(&str, Option<&str>)| text.is_some_and(|text| text.len() > MAX_TEXT_BYTES);
    match short.into_iter().find(long) {
        Some((name, _)) => Err(format!("`{name}` is longer than {MAX_TEXT_BYTES} bytes")),
        None => Ok(()),
    }
}

fn at(name: &str, text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| format!("`{name}` is not a time such as 2026-11-22T14:00:00Z"))
}

fn class(word: &str) -> Result<Class, String> {
    Class::named(word).ok_or_else(|| format!("`{word}` is no class"))
}

fn verdict(word: &str) -> Result<Verdict, String> {
    let all = [Verdict::Pass, Verdict::Fail, Verdict::Pause];
    all.into_iter().find(|one| document::verdict(*one) == word).ok_or_else(|| format!("`{word}` is no verdict"))
}
