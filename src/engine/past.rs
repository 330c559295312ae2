//! One gate judged in hindsight: every look as the daemon would have made it.

use crate::engine::advance;
use crate::engine::budgets::PastAccount;
use crate::engine::command::unfit;
use crate::engine::command::usable;
use crate::engine::handle::Refusal;
use crate::engine::hindsight::Hindsight;
use crate::engine::live::WINDOWS_MAX;
use crate::judge::State;
use crate::judge::Timing;
use crate::rules::Class;
use crate::rules::RuleFile;
use crate::rules::query::Bindings;
use crate::series::IntervalEvidence;
use crate::series::Timestamp;
use crate::series::Window;
use crate::sources;
use crate::sources::Accounts;
use crate::sources::Source;
use crate::sources::gather;
use crate::wave;
use crate::wave::Asked;
use crate::wave::Event;
use crate::wave::Verdict;
use crate::wave::Wave;
use crate::wave::WaveId;
use crate::wire::Standing;
use std::collections::BTreeMap;
use std::time::Duration;

/// Who attests where nobody is named.
const ATTESTED_BY: &str = "wavegate";

/// What to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// What `$wave` stands for.
    pub wave: WaveId,
    /// What `$baseline` stands for.
    pub baseline: Option<String>,
    /// Params that are given.
    pub params: BTreeMap<String, String>,
    /// What kind of change the wave brings.
    pub class: Option<Class>,
    /// The start of the wave.
    pub start: Timestamp,
    /// No look after.
    pub until: Timestamp,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedPast {
    /// The verdict document.
    pub document: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Intervals that were judged.
    pub looks: u32,
    /// What the source said when it stopped answering, where it did.
    pub outage: Option<String>,
    /// The wave with its one gate, as it stands.
    pub wave: Wave,
    /// Every interval that was judged.
    pub evidence: Vec<IntervalEvidence>,
}

/// Judges `past` by `rules`; `progress` hears how many of how many intervals are judged.
///
/// # Errors
/// The gate could not have been opened.
pub async fn judge_past(
    source: &dyn Source,
    rules: &RuleFile,
    past: Past,
    progress: impl FnMut(u32, u32),
) -> Result<JudgedPast, Refusal> {
    let account = PastAccount::new(source, past.until);
    judge_past_by(source, &account, rules, past, progress).await
}

/// As [`judge_past`], of a service whose account somebody else keeps.
///
/// # Errors
/// The gate could not have been opened.
pub async fn judge_past_by(
    source: &dyn Source,
    accounts: &dyn Accounts,
    rules: &RuleFile,
    past: Past,
    progress: impl FnMut(u32, u32),
) -> Result<JudgedPast, Refusal> {
    let (judging, outage) = judge((source, accounts), rules, past, None, Course::default(), progress).await?;
    let Judging { gate: Hindsight { wave, document, .. }, evidence, .. } = judging;
    // A step changes gates and never takes one away.
    let gate = &wave.gates[0];
    let outage = outage.map(|error| error.in_full());
    let (verdict, looks) = (Standing::of_gate(gate).verdict, gate.judged);
    Ok(JudgedPast { document, verdict, looks, outage, wave, evidence })
}

/// What is known of a gate in hindsight beside the evidence, and what is asked of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Course<'a> {
    /// What is attested, and when.
    pub attested: &'a [(String, Timestamp)],
    /// When somebody wants to know what stood; they do not decrease.
    pub moments: &'a [Timestamp],
}

impl Course<'_> {
    pub(super) fn words(&self) -> Vec<(Timestamp, Event)> {
        let word = |(name, at): &(String, Timestamp)| {
            let (name, by) = (name.clone(), ATTESTED_BY.to_owned());
            (*at, Event::Attested { name, by, note: None, url: None })
        };
        self.attested.iter().map(word).collect()
    }
}

/// What stood at some moments of a gate's life.
#[derive(Debug)]
pub struct JudgedMoments {
    /// The verdict document that was published last, for each moment.
    pub documents: Vec<String>,
    /// What ended the looks before their time.
    pub outage: Option<sources::Error>,
}

/// As [`judge_past`], of a source that is known to have a sample every `scrape`, with
/// what stood at each moment of `course`.
///
/// # Errors
/// The gate could not have been opened.
pub async fn judge_moments(
    source: &dyn Source,
    rules: &RuleFile,
    past: Past,
    scrape: Duration,
    course: Course<'_>,
) -> Result<JudgedMoments, Refusal> {
    let account = PastAccount::new(source, past.until);
    let (judging, outage) = judge((source, &account), rules, past, Some(scrape), course, |_, _| ()).await?;
    Ok(JudgedMoments { documents: judging.gate.stood(), outage })
}

async fn judge<'a>(
    sources: (&dyn Source, &dyn Accounts),
    rules: &'a RuleFile,
    past: Past,
    scrape: Option<Duration>,
    course: Course<'a>,
    progress: impl FnMut(u32, u32),
) -> Result<(Judging<'a>, Option<sources::Error>), Refusal> {
    let asked = Asked {
        class: past.class,
        rules: rules.name.clone(),
        digest: rules.digest.clone(),
        mode: rules.mode,
        requires: rules.requires.clone(),
        baseline: past.baseline.clone(),
        given: past.params.clone(),
        params: rules.params_of(&past.params).map_err(|fault| unfit(&fault))?,
        run: None,
        start: Some(past.start),
        deadline: None,
    };
    let gate = wave::attempt(&asked, 1, past.start);
    has_past(rules)?;
    usable(rules, &gate, past.start)?;
    let wave = Wave { id: past.wave.clone(), rollout: None, gates: vec![gate] };
    let gate = Hindsight::of(rules, wave, course.words(), course.moments);
    let mut judging = Judging { rules, gate, evidence: Vec::new() };
    let outage = judging.looks(sources, &past, scrape, progress).await.err();
    judging.gate.words_until(Some(past.until));
    if let Some(error) = &outage {
        judging.gate.apply(Event::Silent { message: error.in_full() }, past.until);
    }
    Ok((judging, outage))
}

/// Refuses rules that can be judged only while the wave goes on.
///
/// # Errors
/// A check is a probe: nobody requested anything for it then.
pub fn has_past(rules: &RuleFile) -> Result<(), Refusal> {
    let Some(check) = rules.checks.iter().find(|check| check.probe.is_some()) else { return Ok(()) };
    let message = format!(
        "`{}` is a probe, which makes its requests while the wave goes on and has no past: only `serve` can judge it",
        check.name
    );
    Err(Refusal::Unusable { pointer: "/rules".to_owned(), message })
}

/// A source without probes, and who keeps the account of the service.
pub(super) fn with_account<'a>(source: &'a dyn Source, accounts: &'a dyn Accounts) -> gather::Sources<'a> {
    gather::Sources { accounts: Some(accounts), ..gather::Sources::only(source) }
}

/// The one gate on its way, with the evidence that it was judged by.
struct Judging<'a> {
    rules: &'a RuleFile,
    gate: Hindsight<'a>,
    evidence: Vec<IntervalEvidence>,
}

impl Judging<'_> {
    async fn looks(
        &mut self,
        (source, accounts): (&dyn Source, &dyn Accounts),
        past: &Past,
        scrape: Option<Duration>,
        mut progress: impl FnMut(u32, u32),
    ) -> Result<(), sources::Error> {
        let rules = self.rules;
        let params = self.gate.wave.gates[0].params.clone();
        let bindings = Bindings { wave: past.wave.as_str(), baseline: past.baseline.as_deref(), params: &params };
        let scrape = match scrape {
            Some(known) => Some(known),
            None => gather::survey(source, rules, &bindings, past.start).await?,
        };
        let timing = Timing::of(rules, past.start, scrape, None);
        self.gate.apply(Event::Timed(timing), past.start);
        let mut state = State::new(rules, timing).of_class(self.gate.wave.gates[0].class);
        let last = timing.last_by(past.until);
        while state.judged() < last && !self.gate.wave.gates[0].state.is_final() {
            let first = state.judged() + 1;
            let upto = last.min(state.judged() + WINDOWS_MAX);
            let windows: Vec<Window> = (first..=upto).map(|index| timing.window(index)).collect();
            let request = advance::request(rules, &bindings, &timing, &windows);
            let evidence = gather::evidence(with_account(source, accounts), &request).await?;
            let (next, changes) = self.gate.advance(state, evidence);
            state = next;
            let judged = changes.into_iter().flat_map(|change| change.evidence);
            self.evidence.extend(judged.map(|(_, interval)| interval));
            if state.judged() < first {
                break;
            }
            progress(state.judged(), last);
        }
        Ok(())
    }
}
