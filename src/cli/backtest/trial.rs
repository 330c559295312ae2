//! One recording, judged by one rule file or by two.

use crate::cli::recordings;
use crate::engine;
use crate::engine::Replayed;
use crate::engine::Story;
use crate::rules::RuleFile;
use crate::wire::Label;
use crate::wire::Recording;
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::path::Path;

/// By what each recording is judged.
pub(super) struct Job<'a> {
    /// `None` for the rules of each recording.
    pub(super) rules: Option<&'a RuleFile>,
    /// What they are compared with.
    pub(super) against: Option<&'a RuleFile>,
    /// By file name; wins over the label in a recording.
    pub(super) labels: &'a BTreeMap<String, Label>,
}

/// What became of one recording.
pub(super) struct Trial {
    /// The file's name.
    pub(super) file: String,
    /// What people say of the wave.
    pub(super) label: Label,
    /// By the rules.
    pub(super) story: Story,
    /// By those they are compared with.
    pub(super) against: Option<Story>,
}

impl Job<'_> {
    /// Judges the recording at `path`; nothing where nobody has labelled it.
    pub(super) fn run(&self, path: &Path) -> anyhow::Result<Option<Trial>> {
        let recording = recordings::read_for(path, [self.rules, self.against].into_iter().flatten())?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(label) = self.labels.get(&file).copied().or(recording.header.label) else { return Ok(None) };
        let story = |rules| Ok::<_, anyhow::Error>(replayed(rules, &recording).with_context(|| file.clone())?.story);
        let against = self.against.map(|rules| story(Some(rules))).transpose()?;
        Ok(Some(Trial { label, story: story(self.rules)?, against, file }))
    }
}

fn replayed(rules: Option<&RuleFile>, recording: &Recording) -> anyhow::Result<Replayed> {
    let Some(rules) = rules else { return Ok(engine::replay(recording)?) };
    // One that waits for nothing: every answer is in memory.
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(runtime.block_on(engine::replay_by(rules, recording))?)
}
