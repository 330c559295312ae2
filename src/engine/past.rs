//! One gate judged in hindsight: every look as the daemon would have made it.

use crate::engine::advance;
use crate::engine::advance::Advanced;
use crate::engine::command::usable;
use crate::engine::handle::Refusal;
use crate::engine::live::WINDOWS_MAX;
use crate::judge::State;
use crate::judge::Timing;
use crate::rules::RuleFile;
use crate::rules::query::Bindings;
use crate::series::Timestamp;
use crate::series::Window;
use crate::sources;
use crate::sources::Source;
use crate::sources::gather;
use crate::store::Change;
use crate::wave;
use crate::wave::Asked;
use crate::wave::Event;
use crate::wave::Verdict;
use crate::wave::Wave;
use crate::wave::WaveId;
use crate::wire;

/// What to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// What `$wave` stands for.
    pub wave: WaveId,
    /// What `$baseline` stands for.
    pub baseline: Option<String>,
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
    let asked = Asked {
        rules: rules.name.clone(),
        digest: rules.digest.clone(),
        baseline: past.baseline.clone(),
        run: None,
        start: Some(past.start),
        deadline: None,
    };
    let gate = wave::attempt(&asked, 1, past.start);
    has_past(rules)?;
    usable(rules, &gate, past.start)?;
    let wave = Wave { id: past.wave.clone(), rollout: None, gates: vec![gate] };
    let mut judging = Judging { rules, document: wire::gate_document(&wave, &wave.gates[0]), wave };
    let outage = judging.looks(source, &past, progress).await.err().map(|error| error.in_full());
    if let Some(message) = outage.clone() {
        judging.apply(Event::Silent { message }, past.until);
    }
    let Judging { wave, document, .. } = judging;
    // A step changes gates and never takes one away.
    let gate = &wave.gates[0];
    Ok(JudgedPast { document, verdict: gate.verdict, looks: gate.judged, outage })
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

/// The one gate on its way.
struct Judging<'a> {
    rules: &'a RuleFile,
    wave: Wave,
    /// As it was last published.
    document: String,
}

impl Judging<'_> {
    async fn looks(
        &mut self,
        source: &dyn Source,
        past: &Past,
        mut progress: impl FnMut(u32, u32),
    ) -> Result<(), sources::Error> {
        let rules = self.rules;
        let bindings = Bindings { wave: past.wave.as_str(), baseline: past.baseline.as_deref() };
        let scrape = gather::survey(source, rules, &bindings, past.start).await?;
        let timing = Timing::new(&rules.schedule, past.start, scrape, None);
        self.apply(Event::Timed(timing), past.start);
        let mut state = State::new(rules, timing);
        let last = timing.last_by(past.until);
        while state.judged() < last && !self.wave.gates[0].state.is_final() {
            let first = state.judged() + 1;
            let upto = last.min(state.judged() + WINDOWS_MAX);
            let windows: Vec<Window> = (first..=upto).map(|index| timing.window(index)).collect();
            let request = advance::request(rules, &bindings, &timing, &windows);
            let evidence = gather::evidence(gather::Sources::only(source), &request).await?;
            let Advanced { wave, state: next, changes } = advance(&self.wave, rules, &state, evidence);
            if next.judged() < first {
                break;
            }
            (self.wave, state) = (wave, next);
            self.publish(changes);
            progress(state.judged(), last);
        }
        Ok(())
    }

    fn apply(&mut self, event: Event, now: Timestamp) {
        let (wave, change) = advance::apply(&self.wave, &self.rules.name, event, now);
        self.wave = wave;
        self.publish(change);
    }

    fn publish(&mut self, changes: impl IntoIterator<Item = Change>) {
        self.document =
            changes.into_iter().filter_map(|change| change.document).last().unwrap_or_else(|| self.document.clone());
    }
}
