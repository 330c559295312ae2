//! Recorded evidence through the same engine.
//!
//! By the rules that were recorded the gate becomes what it was: the evidence goes
//! through [`advance()`], and what no evidence tells (how often the source was silent
//! meanwhile, a person's word) comes from the recording. By other rules each check is
//! judged on the recorded evidence where it asks what was asked, else on evidence
//! gathered anew from the recorded answers, and where there are none it is blind.

use crate::engine::advance;
use crate::engine::command::unfit;
use crate::engine::command::usable;
use crate::engine::handle::Refusal;
use crate::engine::hindsight::Hindsight;
use crate::engine::past::Course;
use crate::engine::past::has_past;
use crate::engine::story::Story;
use crate::judge::State;
use crate::judge::Timing;
use crate::rules;
use crate::rules::Check;
use crate::rules::RuleFile;
use crate::rules::Slo;
use crate::rules::query::Bindings;
use crate::series::BudgetEvidence;
use crate::series::CheckEvidence;
use crate::series::Fault;
use crate::series::IntervalEvidence;
use crate::series::Observed;
use crate::series::Timestamp;
use crate::series::Window;
use crate::sources;
use crate::sources::gather;
use crate::sources::gather::Request;
use crate::sources::recording::Recorded;
use crate::store::Change;
use crate::wave;
use crate::wave::Asked;
use crate::wave::Event;
use crate::wave::GateState;
use crate::wave::Verdict;
use crate::wave::Wave;
use crate::wire;
use crate::wire::RecordedAttestation;
use crate::wire::Recording;
use crate::wire::RecordingHeader;
use crate::wire::Standing;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

/// As long as a source's words may be in evidence.
const MAX_MESSAGE_CHARS: usize = 256;

/// What a replay came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// The verdict document.
    pub document: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Where the gate stands at the end of the recording.
    pub state: GateState,
    /// When what happened.
    pub story: Story,
}

/// Why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The recorded rules are refused.
    #[error("the rules in the recording are refused by this version; replay it by others (--rules)\n{faults}")]
    Rules {
        /// Every fault, as `check` shows it.
        faults: String,
    },
    /// The recorded rules are not those that were judged by.
    #[error(
        "the rules in the recording have the digest {found} and were judged by as {recorded}: somebody changed them"
    )]
    Digest {
        /// Of the text.
        found: String,
        /// Of the header.
        recorded: String,
    },
    /// The gate could not have been opened.
    #[error(transparent)]
    Unusable(#[from] Refusal),
}

/// The rules that the recording with this header was judged by.
///
/// # Errors
/// They are refused, or are not what they were.
pub fn recorded_rules(header: &RecordingHeader) -> Result<RuleFile, ReplayError> {
    let parsed = rules::parse(header.rules.as_str(), &header.rules_text);
    let parsed = parsed.map_err(|faults| ReplayError::Rules { faults: rules::render(&faults, &header.rules_text) })?;
    if parsed.rules.digest.as_str() != header.digest {
        let found = parsed.rules.digest.as_str().to_owned();
        return Err(ReplayError::Digest { found, recorded: header.digest.clone() });
    }
    Ok(parsed.rules)
}

/// `recording` by its own rules: the document is the one that was published.
///
/// # Errors
/// See [`ReplayError`].
pub fn replay(recording: &Recording) -> Result<Replayed, ReplayError> {
    let header = &recording.header;
    let rules = recorded_rules(header)?;
    let mut judging = Judging::of(&rules, header, Course::default())?;
    let opened = judging.gate.wave.clone();
    let mut changes = judging.over(recording.intervals.clone());
    let story = Story::of(&rules, header.start, &changes);
    let end = &header.end;
    // A look after the last revision changed nothing that was published.
    changes.retain(|change| change.gate.judgement.as_ref().is_none_or(|judgement| judgement.at <= end.revised_at));
    let mut wave = match changes.pop() {
        Some(change) => Wave { gates: vec![change.gate], ..opened },
        None => opened,
    };
    if let Some(outage) = &end.outage {
        wave = told(&wave, &rules, Event::Silent { message: outage.message.clone() }, outage.since);
    }
    if end.state == GateState::Held && !wave.gates[0].state.is_settled() {
        wave = told(&wave, &rules, Event::Expired, end.revised_at);
    }
    if let Some(decision) = end.decision.clone() {
        let (by, why) = (decision.by, decision.why);
        let event = match decision.verdict {
            Some(verdict) => Event::Decided { verdict, by, why },
            None => Event::Cancelled { by, why },
        };
        wave = told(&wave, &rules, event, decision.at);
    }
    // Outages that are over have counted too.
    wave.gates[0].revision = end.revision;
    let gate = &wave.gates[0];
    Ok(Replayed {
        document: wire::gate_document(&wave, gate),
        verdict: Standing::of_gate(gate).verdict,
        state: gate.state,
        story,
    })
}

/// `recording` by other rules.
///
/// # Errors
/// See [`ReplayError`]; recorded rules that are refused are no hindrance, then nothing
/// of the evidence is known to be what these rules ask for.
pub async fn replay_by(rules: &RuleFile, recording: &Recording) -> Result<Replayed, ReplayError> {
    let (judging, changes) = judged_by(rules, recording, Course::default()).await?;
    let story = Story::of(rules, recording.header.start, &changes);
    let Hindsight { wave, document, .. } = judging.gate;
    let gate = &wave.gates[0];
    Ok(Replayed { document, verdict: Standing::of_gate(gate).verdict, state: gate.state, story })
}

/// As [`replay_by`], with what is attested in `course` beside what was, and with what
/// stood at each of its moments.
///
/// # Errors
/// See [`replay_by`].
pub async fn replay_moments(
    rules: &RuleFile,
    recording: &Recording,
    course: Course<'_>,
) -> Result<Vec<String>, ReplayError> {
    let (judging, _) = judged_by(rules, recording, course).await?;
    Ok(judging.gate.stood())
}

async fn judged_by<'a>(
    rules: &'a RuleFile,
    recording: &Recording,
    course: Course<'a>,
) -> Result<(Judging<'a>, Vec<Change>), ReplayError> {
    let header = &recording.header;
    has_past(rules)?;
    let mut judging = Judging::of(rules, header, course)?;
    let evidence = match judging.timing {
        Some(timing) => evidence_for(rules, timing, recording).await,
        None => Vec::new(),
    };
    let changes = judging.over(evidence);
    if let (Some(outage), false) = (&header.end.outage, judging.gate.wave.gates[0].state.is_final()) {
        judging.gate.apply(Event::Silent { message: outage.message.clone() }, outage.since);
    }
    Ok((judging, changes))
}

/// What the wave had set, as far as `rules` know of it, and their own defaults.
fn params(rules: &RuleFile, header: &RecordingHeader) -> Result<BTreeMap<String, String>, ReplayError> {
    let known = |name: &String| rules.params.iter().any(|param| param.name == *name);
    let given = header.params.iter().filter(|(name, _)| known(name));
    let given = given.map(|(name, value)| (name.clone(), value.clone())).collect();
    Ok(rules.params_of(&given).map_err(|fault| unfit(&fault))?)
}

fn told(wave: &Wave, rules: &RuleFile, event: Event, at: Timestamp) -> Wave {
    advance::apply(wave, &rules.name, event, at).0
}

/// A gate on its way again.
struct Judging<'a> {
    rules: &'a RuleFile,
    gate: Hindsight<'a>,
    timing: Option<Timing>,
}

impl<'a> Judging<'a> {
    /// The gate as it was opened and timed.
    fn of(rules: &'a RuleFile, header: &RecordingHeader, course: Course<'a>) -> Result<Self, ReplayError> {
        let asked = Asked {
            class: Some(header.class),
            rules: rules.name.clone(),
            digest: rules.digest.clone(),
            mode: rules.mode,
            requires: rules.requires.clone(),
            baseline: header.baseline.clone(),
            params: params(rules, header)?,
            given: BTreeMap::new(),
            run: header.run.clone(),
            start: Some(header.start),
            deadline: header.deadline,
        };
        let gate = wave::attempt(&asked, header.attempt, header.opened_at);
        usable(rules, &gate, header.opened_at)?;
        let wave = Wave { id: header.wave.clone(), rollout: header.rollout.clone(), gates: vec![gate] };
        let timing = header.scrape.map(|scrape| Timing::of(rules, header.start, Some(scrape), header.deadline));
        let recorded = header.attestations.iter().cloned();
        let word = |RecordedAttestation { name, by, note, url, at }| {
            Some((Timestamp::parse(&at)?, Event::Attested { name, by, note, url }))
        };
        let words = recorded.filter_map(word).chain(course.words()).collect();
        let mut gate = Hindsight::of(rules, wave, words, course.moments);
        if let Some(timing) = timing {
            gate.apply(Event::Timed(timing), header.start);
        }
        Ok(Self { rules, gate, timing })
    }

    /// What the looks of `evidence` change, and the words between and after them.
    fn over(&mut self, evidence: Vec<IntervalEvidence>) -> Vec<Change> {
        let mut changes = Vec::new();
        if let Some(timing) = self.timing {
            let state = State::new(self.rules, timing).of_class(self.gate.wave.gates[0].class);
            changes = self.gate.advance(state, evidence).1;
        }
        changes.extend(self.gate.words_until(None));
        changes
    }
}

/// Whether `rules` ask for something that is not among the evidence of the recording
/// with this header, so that its answers are needed.
pub fn asks_otherwise(rules: &RuleFile, header: &RecordingHeader) -> bool {
    let Some(scrape) = header.scrape else { return false };
    let timing = Timing::of(rules, header.start, Some(scrape), header.deadline);
    positions(rules, timing, header).contains(&None)
}

/// Where in the evidence of a recording that of each check of `rules` is.
fn positions(rules: &RuleFile, timing: Timing, header: &RecordingHeader) -> Vec<Option<usize>> {
    let Ok(recorded) = recorded_rules(header) else { return vec![None; rules.checks.len()] };
    let (Ok(own), Ok(others)) = (params(&recorded, header), params(rules, header)) else {
        return vec![None; rules.checks.len()];
    };
    let baseline = header.baseline.as_deref();
    let bindings = Bindings { wave: header.wave.as_str(), baseline, params: &others };
    let then = Timing::of(&recorded, header.start, header.scrape, header.deadline);
    let request = advance::request(rules, &bindings, &timing, &[]);
    let asked = advance::request(&recorded, &Bindings { params: &own, ..bindings }, &then, &[]);
    let position =
        |check: &Check| recorded.checks.iter().position(|other| gather::is_same(check, &request, other, &asked));
    rules.checks.iter().map(position).collect()
}

/// The evidence of `recording` for `rules`, window by window as `timing` has them.
async fn evidence_for(rules: &RuleFile, timing: Timing, recording: &Recording) -> Vec<IntervalEvidence> {
    let header = &recording.header;
    let until = recording.intervals.last().map_or(header.start, |interval| interval.window.to);
    let windows: Vec<Window> = (1..=timing.last_by(until)).map(|index| timing.window(index)).collect();
    let params = params(rules, header).unwrap_or_default();
    let bindings = Bindings { wave: header.wave.as_str(), baseline: header.baseline.as_deref(), params: &params };
    let request = advance::request(rules, &bindings, &timing, &windows);
    let source = Recorded::new(header.taken_from.clone(), recording.answers.clone());
    let mut columns = Vec::with_capacity(rules.checks.len());
    for (check, position) in rules.checks.iter().zip(positions(rules, timing, header)) {
        let column = match position {
            Some(position) => of_recorded(recording, position, &windows),
            None => gathered(check, &request, &source, recording.answers.is_empty()).await,
        };
        columns.push(column.into_iter());
    }
    let mut budgets = rules.budget.as_ref().map(|_| of_budget(rules, &params, recording, &windows).into_iter());
    let interval = |window: &Window| {
        let checks = columns.iter_mut().map(|column| column.next().unwrap_or_else(CheckEvidence::missing)).collect();
        let budget = budgets.as_mut().map(|column| column.next().flatten().unwrap_or_else(unknown));
        IntervalEvidence { window: *window, checks, budget }
    };
    windows.iter().map(interval).collect()
}

/// What was recorded of the error budget in each of `windows`; nothing where these rules
/// mind another SLO, count it by other cohorts, or where nobody minded any.
///
/// There is no gathering anew: a recording has no account of its service but the one that
/// was read at each look.
fn of_budget(
    rules: &RuleFile,
    params: &BTreeMap<String, String>,
    recording: &Recording,
    windows: &[Window],
) -> Vec<Option<BudgetEvidence>> {
    let same = recorded_rules(&recording.header).is_ok_and(|recorded| {
        let budgets = rules.budget.as_ref().zip(recorded.budget.as_ref());
        let then = self::params(&recorded, &recording.header);
        budgets.is_some_and(|(own, other)| reads_alike(&own.slo, &other.slo))
            && rules.cohorts == recorded.cohorts
            && then.is_ok_and(|then| then == *params)
    });
    let one = |(window, interval): (&Window, &IntervalEvidence)| {
        interval.budget.clone().filter(|_| same && interval.window == *window)
    };
    windows.iter().zip(&recording.intervals).map(one).collect()
}

/// Whether the same is counted, over the same windows: objective and policies may differ,
/// which say what becomes of the counts.
fn reads_alike(one: &Slo, other: &Slo) -> bool {
    let windows = |slo: &Slo| {
        let tiers = slo.tiers.iter().flat_map(|tier| [tier.long, tier.short]);
        tiers.chain(slo.absolute.map(|absolute| absolute.within)).collect::<BTreeSet<Duration>>()
    };
    let counted =
        |slo: &Slo| (slo.counted_by.clone(), slo.period.clone(), slo.budgeting, slo.settle, slo.strata.clone());
    counted(one) == counted(other) && windows(one) == windows(other)
}

/// Of a budget that nobody read.
fn unknown() -> BudgetEvidence {
    BudgetEvidence { wave: CheckEvidence::missing(), service: None }
}

/// What was recorded of the check at `position` in each of `windows`.
fn of_recorded(recording: &Recording, position: usize, windows: &[Window]) -> Vec<CheckEvidence> {
    let one = |(window, interval): (&Window, &IntervalEvidence)| {
        let check = interval.checks.get(position).filter(|_| interval.window == *window);
        check.cloned().unwrap_or_else(CheckEvidence::missing)
    };
    windows.iter().zip(&recording.intervals).map(one).collect()
}

/// The evidence of one check from the recorded answers; blind with the reason where they
/// do not have it.
async fn gathered(check: &Check, request: &Request<'_>, source: &Recorded, is_empty: bool) -> Vec<CheckEvidence> {
    // The budget is no check of its own: its evidence is taken over as a whole.
    let alone = RuleFile { checks: vec![check.clone()], budget: None, ..request.rules.clone() };
    let own = Request { rules: &alone, ..*request };
    let result = if is_empty {
        Err("what this check asks was not recorded, and the recording has no answers of a source".to_owned())
    } else {
        gather::evidence(gather::Sources::only(source), &own).await.map_err(|error: sources::Error| error.in_full())
    };
    match result {
        Ok(intervals) => intervals.into_iter().filter_map(|interval| interval.checks.into_iter().next()).collect(),
        Err(message) => {
            let message: String = message.chars().take(MAX_MESSAGE_CHARS).collect();
            let fault = Fault::PartialAnswer { message };
            let nothing = Observed::nothing(1);
            let baseline = check.cohorts.as_ref().unwrap_or(&request.rules.cohorts).baseline.as_ref();
            let baseline = baseline.map(|_| nothing.clone());
            let blind = CheckEvidence { canary: nothing, baseline, faults: vec![fault], notices: Vec::new() };
            vec![blind; request.windows.len()]
        }
    }
}
