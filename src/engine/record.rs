//! Recordings are made: of a gate that is there, or of a source's past.

use crate::engine::advance;
use crate::engine::budgets::PastAccount;
use crate::engine::handle::Refusal;
use crate::engine::live::WINDOWS_MAX;
use crate::engine::past::JudgedPast;
use crate::engine::past::Past;
use crate::engine::past::judge_past_by;
use crate::engine::past::with_account;
use crate::rules::RuleFile;
use crate::rules::query::Bindings;
use crate::series::IntervalEvidence;
use crate::series::Window;
use crate::sources;
use crate::sources::Accounts;
use crate::sources::Source;
use crate::sources::gather;
use crate::sources::recording::Recorder;
use crate::wave::Attestation;
use crate::wave::Gate;
use crate::wave::Requirement;
use crate::wave::Wave;
use crate::wire::RecordedAttestation;
use crate::wire::RecordedEnd;
use crate::wire::Recording;
use crate::wire::RecordingHeader;

/// A past gate with its recording.
#[derive(Debug)]
pub struct RecordedPast {
    /// What `judge` says of it.
    pub judged: JudgedPast,
    /// It, with the evidence up to the end that was asked for, also where the gate was
    /// decided before: other rules may take longer.
    pub recording: Recording,
    /// What other rules might ask and the source did not answer, with why.
    pub unanswered: Vec<(String, sources::Error)>,
}

/// Judges `past` by `rules`, whose text is `rules_text`, and records all that `source`
/// answers. The recording is as long as the source answered.
///
/// # Errors
/// The gate could not have been opened.
pub async fn record_past(
    source: &dyn Source,
    rules: &RuleFile,
    rules_text: &str,
    past: Past,
    progress: impl FnMut(u32, u32),
) -> Result<RecordedPast, Refusal> {
    // A month of raw samples is no part of a recording: what was read of the service is in its evidence.
    let account = PastAccount::new(source, past.until);
    record_past_by(source, &account, (rules, rules_text), past, progress).await
}

/// As [`record_past`], of a service whose account somebody else keeps.
///
/// # Errors
/// The gate could not have been opened.
pub async fn record_past_by(
    source: &dyn Source,
    accounts: &dyn Accounts,
    (rules, rules_text): (&RuleFile, &str),
    past: Past,
    progress: impl FnMut(u32, u32),
) -> Result<RecordedPast, Refusal> {
    let recorder = Recorder::new(source);
    let (until, wave) = (past.until, past.wave.clone());
    let baseline = past.baseline.clone();
    let mut judged = judge_past_by(&recorder, accounts, rules, past, progress).await?;
    let params = judged.wave.gates[0].params.clone();
    let bindings = Bindings { wave: wave.as_str(), baseline: baseline.as_deref(), params: &params };
    let mut intervals = judged.evidence.clone();
    let mut unanswered = Vec::new();
    let timing = judged.wave.gates[0].timing;
    if let (Some(timing), None) = (timing, &judged.outage) {
        let last = timing.last_by(until);
        let mut next = judged.looks + 1;
        while next <= last && judged.outage.is_none() {
            let upto = last.min(next + WINDOWS_MAX - 1);
            let windows: Vec<Window> = (next..=upto).map(|index| timing.window(index)).collect();
            let request = advance::request(rules, &bindings, &timing, &windows);
            match gather::evidence(with_account(&recorder, accounts), &request).await {
                Ok(more) => intervals.extend(more),
                Err(error) => judged.outage = Some(error.in_full()),
            }
            next = upto + 1;
        }
        let request = advance::request(rules, &bindings, &timing, &[]);
        unanswered = gather::widen(&recorder, &request, timing.window(last.max(1)).to).await;
    }
    // A step changes gates and never takes one away.
    let gate = &judged.wave.gates[0];
    let mut recording = recording_of(&judged.wave, gate, rules_text, intervals, judged.document.clone());
    recording.header.taken_from = format!("source {}", recorder.name());
    recording.answers = recorder.answers();
    Ok(RecordedPast { judged, recording, unanswered })
}

/// The recording of `gate` of `wave`, without answers.
pub fn recording_of(
    wave: &Wave,
    gate: &Gate,
    rules_text: &str,
    intervals: Vec<IntervalEvidence>,
    document: String,
) -> Recording {
    let header = RecordingHeader {
        wave: wave.id.clone(),
        rollout: wave.rollout.clone(),
        baseline: gate.baseline.clone(),
        params: gate.params.clone(),
        class: gate.class,
        rules: gate.rules.clone(),
        digest: gate.digest.as_str().to_owned(),
        rules_text: rules_text.to_owned(),
        attempt: gate.attempt,
        run: gate.run.clone(),
        opened_at: gate.opened_at,
        start: gate.start,
        deadline: gate.deadline,
        scrape: gate.timing.map(|timing| timing.scrape),
        taken_from: "daemon".to_owned(),
        label: None,
        note: None,
        attestations: attestations(gate),
        end: RecordedEnd {
            state: gate.state,
            verdict: gate.verdict,
            revision: gate.revision,
            revised_at: gate.revised_at,
            outage: gate.outage.clone(),
            decision: gate.decision.clone(),
        },
    };
    Recording { header, intervals, answers: Vec::new(), document }
}

fn attestations(gate: &Gate) -> Vec<RecordedAttestation> {
    let of = |required: &Requirement| {
        let Attestation { by, note, url, at } = required.attested.clone()?;
        Some(RecordedAttestation { name: required.name.clone(), by, note, url, at: at.to_string() })
    };
    gate.requires.iter().filter_map(of).collect()
}
