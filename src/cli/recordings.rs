//! Recordings as commands find them: files, folders of them, and what people say of them.

use crate::cli::Failure;
use crate::cli::refused;
use crate::engine;
use crate::engine::read_text;
use crate::rules::RuleFile;
use crate::sources::recording;
use crate::sources::recording::Answers;
use crate::sources::recording::FileError;
use crate::wire::Label;
use crate::wire::Recording;
use anyhow::Context as _;
use anyhow::anyhow;
use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

/// How a recording's file name ends.
pub(super) const ENDING: &str = "recording";

/// Most files of one folder: each is read whole.
const MAX_FILES: usize = 10_000;

/// Longest file that says which recording is good or bad: a line for each of them.
const MAX_LABEL_BYTES: usize = 1 << 20;

/// Files that may say so, beside the recordings.
const LABELS: [&str; 3] = ["labels.yaml", "labels.yml", "labels.json"];

/// The recordings of `paths`: files as they are, of folders every `*.recording` by name.
pub(super) fn found(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut all = Vec::new();
    for path in paths {
        if path.is_dir() { all.extend(in_folder(path)?) } else { all.push(path.clone()) }
    }
    Ok(all)
}

/// Every `*.recording` of `folder`, by name; at least one.
pub(super) fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = || format!("cannot read the folder {}", folder.display());
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(unreadable).map_err(refused)? {
        let path = entry.with_context(unreadable).map_err(refused)?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.extension().is_some_and(|ending| ending == ENDING) && path.is_file() {
            all.push(path);
        }
    }
    all.sort();
    match all.len() {
        0 => Err(refused(anyhow!("{} holds no *.{ENDING} file: make one by `wavegate record`", folder.display()))),
        n if n > MAX_FILES => Err(refused(anyhow!("{} holds more than {MAX_FILES} recordings", folder.display()))),
        _ => Ok(all),
    }
}

/// The recording of the file at `path`, with its answers where one of `rules` asks for
/// more than the evidence: they are most of a file.
pub(super) fn read_for<'r>(path: &Path, rules: impl IntoIterator<Item = &'r RuleFile>) -> Result<Recording, FileError> {
    recording::read_as(path, |header| {
        let need = rules.into_iter().any(|rules| engine::asks_otherwise(rules, header));
        if need { Answers::Wanted } else { Answers::Skipped }
    })
}

/// What people say of the recordings of `folder`, by file name: of a file `labels.yaml`
/// or `labels.json` beside them, which wins over what a recording says itself.
pub(super) fn labels(folder: &Path) -> Result<BTreeMap<String, Label>, Failure> {
    let Some(path) = LABELS.iter().map(|name| folder.join(name)).find(|path| path.is_file()) else {
        return Ok(BTreeMap::new());
    };
    let shown = path.display();
    let text = read_text(&path).map_err(refused)?;
    if text.len() > MAX_LABEL_BYTES {
        return Err(refused(anyhow!("{shown} is larger than {MAX_LABEL_BYTES} bytes")));
    }
    let labels: BTreeMap<String, Label> = serde_saphyr::from_str(&text)
        .map_err(|error| refused(anyhow!("{shown}: {error}; write a line `name.{ENDING}: good` or `bad` for each")))?;
    match labels.keys().find(|name| name.contains(['/', '\\']) || !folder.join(name).is_file()) {
        Some(name) => Err(refused(anyhow!("{shown} names `{name}`, and there is no such file beside it"))),
        None => Ok(labels),
    }
}
