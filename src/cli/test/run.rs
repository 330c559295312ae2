//! One file of tests, judged by the engine's own looks.

use crate::cli::recordings;
use crate::cli::slos::Slos;
use crate::cli::test::End;
use crate::cli::test::Ran;
use crate::cli::test::compare;
use crate::engine;
use crate::engine::Course;
use crate::engine::JudgedMoments;
use crate::engine::Past;
use crate::engine::read_text;
use crate::rules;
use crate::rules::Diagnostic;
use crate::rules::RuleFile;
use crate::rules::duration_text;
use crate::rules::rule_test;
use crate::rules::rule_test::Given;
use crate::rules::rule_test::MadeWave;
use crate::rules::rule_test::RuleTest;
use crate::rules::rule_test::RuleTests;
use crate::series::Timestamp;
use crate::sources;
use crate::sources::GivenSource;
use crate::sources::recording;
use crate::sources::recording::Answers;
use crate::wave::WaveId;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// What messages call the source of a test.
const SOURCE: &str = "test";

/// Tests with the rules that they test.
pub(super) struct Loaded {
    pub(super) tests: RuleTests,
    rules: RuleFile,
    /// That of the tests.
    folder: PathBuf,
}

/// Faults, and how a person reads them.
type Refused = (Vec<Diagnostic>, String);

impl Loaded {
    /// The tests in the file `path`, and their rules.
    pub(super) fn read(path: &Path, slos: &Slos) -> Result<Self, Refused> {
        let file = path.display().to_string();
        let shown = |faults: Vec<Diagnostic>, text: &str| {
            let page = rules::render(&faults, text);
            (faults, page)
        };
        let text = match read_text(path) {
            Ok(text) => text,
            Err(error) => return Err((Vec::new(), format!("error: {:#}\n", anyhow::Error::from(error)))),
        };
        let tests = rule_test::parse(&file, &text).map_err(|faults| shown(faults, &text))?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let rules_path = folder.join(&tests.rules);
        let rules_text = slos.text(&rules_path, None).map_err(|failure| {
            let message = format!("{:#}", failure.error);
            shown(tests.unreadable(&file, &text, message), &text)
        })?;
        let parsed = rules::parse(&rules_path.display().to_string(), &rules_text);
        let rules = parsed.map_err(|faults| shown(faults, &rules_text))?.rules;
        // Read again when its test runs: all recordings of a file at once would be too much.
        let sound = |name: &str| match recording::read(&folder.join(name), Answers::Skipped) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("{:#}", anyhow::Error::from(error))),
        };
        let mut faults = tests.faults_with(&rules, &file, &text);
        faults.extend(tests.unreadable_recordings(&file, &text, sound));
        faults.sort_by_key(|fault| (fault.line, fault.column));
        if faults.is_empty() { Ok(Self { tests, rules, folder }) } else { Err(shown(faults, &text)) }
    }

    /// Runs one of its tests.
    pub(super) async fn run(&self, test: &RuleTest) -> Ran {
        let began = Instant::now();
        let end = self.end(test).await;
        Ran { name: test.name.clone(), line: test.line, took: began.elapsed(), end }
    }

    async fn end(&self, test: &RuleTest) -> End {
        match &test.given {
            Given::Made(made) => self.of_made(made, test).await,
            Given::Recording(name) => self.of_recording(&self.folder.join(name), test).await,
        }
    }

    async fn of_made(&self, made: &MadeWave, test: &RuleTest) -> End {
        let source = GivenSource::new(SOURCE, made.stored());
        let (attested, moments) = times(test, made.start);
        let course = Course { attested: &attested, moments: &moments };
        match judged(&source, &self.rules, made, course).await {
            Err(message) => End::Unjudged(message),
            Ok(JudgedMoments { outage: Some(outage), .. }) => End::Unjudged(self.blame(&source, made, &outage).await),
            Ok(JudgedMoments { documents, outage: None }) => compared(test, &documents, None),
        }
    }

    async fn of_recording(&self, path: &Path, test: &RuleTest) -> End {
        let recording = match recordings::read_for(path, [&self.rules]) {
            Ok(recording) => recording,
            Err(error) => return End::Unjudged(format!("{:#}", anyhow::Error::from(error))),
        };
        let start = recording.header.start;
        let (attested, moments) = times(test, start);
        let course = Course { attested: &attested, moments: &moments };
        match engine::replay_moments(&self.rules, &recording, course).await {
            Err(error) => End::Unjudged(format!("{:#}", anyhow::Error::from(error))),
            Ok(documents) => {
                let ends = recording.intervals.last().map_or(Duration::ZERO, |last| last.window.to.since(start));
                compared(test, &documents, Some(ends))
            }
        }
    }

    /// Which checks ask what the source of a test does not answer. Each is judged alone,
    /// because the first question that fails ends a look for all.
    async fn blame(&self, source: &GivenSource, made: &MadeWave, outage: &sources::Error) -> String {
        let mut blamed = Vec::new();
        for check in &self.rules.checks {
            let alone = RuleFile { checks: vec![check.clone()], ..self.rules.clone() };
            if let Ok(JudgedMoments { outage: Some(outage), .. }) =
                judged(source, &alone, made, Course::default()).await
            {
                blamed.push(format!("check `{}`: {} [{}]", check.name, outage.in_full(), outage.code()));
            }
        }
        if blamed.is_empty() { format!("{} [{}]", outage.in_full(), outage.code()) } else { blamed.join("\n") }
    }
}

/// What is attested when, and when something is expected, of a wave that began at `start`.
fn times(test: &RuleTest, start: Timestamp) -> (Vec<(String, Timestamp)>, Vec<Timestamp>) {
    let attested = test.attestations.iter().map(|(name, at)| (name.clone(), start + *at)).collect();
    (attested, test.expect.iter().map(|expected| start + expected.at).collect())
}

/// What differs between what `test` expects and `documents`, of a wave of which nothing
/// is known after `ends`.
fn compared(test: &RuleTest, documents: &[String], ends: Option<Duration>) -> End {
    let mut differs = Vec::new();
    for (expected, document) in test.expect.iter().zip(documents) {
        match compare::mismatch(expected, document) {
            Err(error) => return End::Unjudged(format!("a document that cannot be read: {error}")),
            Ok(None) => {}
            Ok(Some(mut mismatch)) => {
                if let Some(ends) = ends.filter(|ends| *ends < expected.at) {
                    mismatch.why.insert(0, format!("the recording ends after {}", duration_text(ends)));
                }
                differs.push(mismatch);
            }
        }
    }
    if differs.is_empty() { End::Passed } else { End::Differs(differs) }
}

/// What stood at the moments of `course`.
async fn judged(
    source: &GivenSource,
    rules: &RuleFile,
    made: &MadeWave,
    course: Course<'_>,
) -> Result<JudgedMoments, String> {
    let wave = WaveId::new(&made.wave).ok_or_else(|| format!("`{}` cannot be a wave id", made.wave))?;
    let MadeWave { baseline, params, start, until, .. } = made;
    let (baseline, params) = (baseline.clone(), params.clone());
    let past = Past { wave, baseline, params, class: None, start: *start, until: *until };
    let judged = engine::judge_moments(source, rules, past, made.interval, course).await;
    judged.map_err(|refusal| refusal.to_string())
}
