//! The SLOs in force, and where a command finds the one that a rule file names.
//!
//! A folder is read all or nothing, as that of the rule files is. Without SLOs a rule file
//! that names one is refused.

use crate::engine::book::BookError;
use crate::engine::book::misplaced;
use crate::engine::book::read_file;
use crate::engine::book::yaml_paths;
use crate::rules;
use crate::rules::Diagnostic;
use crate::rules::Digest;
use crate::rules::Severity;
use crate::rules::Slo;
use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

/// Most names that a message lists.
const NAMES_SHOWN: usize = 20;

/// The SLOs in force, by name.
#[derive(Clone, Debug, Default)]
pub struct SloBook {
    slos: BTreeMap<String, Arc<SloEntry>>,
}

/// One SLO and the text it was read from.
#[derive(Clone, Debug, PartialEq)]
pub struct SloEntry {
    /// What it says.
    pub slo: Arc<Slo>,
    /// What rule files are bundled with.
    pub text: String,
    /// The file it is in, or the key of the configuration.
    pub place: PathBuf,
}

impl SloBook {
    /// Reads every `*.yaml` and `*.yml` of `folder`, with the warnings that were given.
    pub fn read(folder: &Path) -> Result<(Self, Vec<Diagnostic>), BookError> {
        let mut book = Self::default();
        let warnings = book.with_path(folder)?;
        Ok((book, warnings))
    }

    /// Takes the SLOs of the file, or of all files of the folder, `path`; gives back the warnings.
    pub fn with_path(&mut self, path: &Path) -> Result<Vec<Diagnostic>, BookError> {
        let paths = if path.is_file() { vec![path.to_owned()] } else { yaml_paths(path)? };
        let (mut refused, mut warnings) = (Vec::new(), Vec::new());
        for path in paths {
            match self.with_text(path.clone(), read_file(&path)?) {
                Ok(found) => warnings.extend(found),
                Err(BookError::Refused { files }) => refused.extend(files),
                Err(other) => return Err(other),
            }
        }
        if refused.is_empty() { Ok(warnings) } else { Err(BookError::Refused { files: refused }) }
    }

    /// A book of SLOs that were read elsewhere.
    pub fn of(entries: impl IntoIterator<Item = SloEntry>) -> Self {
        let slos = entries.into_iter().map(|entry| (entry.slo.name.as_str().to_owned(), Arc::new(entry))).collect();
        Self { slos }
    }

    /// Takes the SLO that is `text`, of the file or the key of the configuration `place`; gives
    /// back the warnings.
    pub fn with_text(&mut self, place: PathBuf, text: String) -> Result<Vec<Diagnostic>, BookError> {
        let parsed = match rules::parse_slo(&place.display().to_string(), &text) {
            Ok(parsed) => parsed,
            Err(mut faults) => {
                if faults.iter().any(|fault| fault.message.starts_with("`checks` is not a key")) {
                    misplaced(
                        &mut faults,
                        "this is a rule file among SLOs",
                        "move it to the rule files, in `rules_dir`",
                    );
                }
                return Err(BookError::Refused { files: vec![(place, text, faults)] });
            }
        };
        let name = parsed.slo.name.as_str().to_owned();
        if let Some(first) = self.slos.get(&name) {
            return Err(BookError::SameName { name, first: first.place.clone(), second: place });
        }
        self.slos.insert(name, Arc::new(SloEntry { slo: Arc::new(parsed.slo), text, place }));
        Ok(parsed.warnings)
    }

    /// The SLO `name`.
    pub fn get(&self, name: &str) -> Option<&Arc<SloEntry>> {
        self.slos.get(name)
    }

    /// Every SLO, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<SloEntry>> {
        self.slos.values()
    }

    /// The digest of all SLOs together.
    pub fn digest(&self) -> Digest {
        let line = |entry: &Arc<SloEntry>| format!("{} {}\n", entry.slo.name, entry.slo.digest.as_str());
        Digest::of(self.slos.values().map(line).collect::<String>().as_bytes())
    }

    /// How many SLOs there are.
    pub fn len(&self) -> usize {
        self.slos.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slos.is_empty()
    }

    /// The names, for a message.
    pub fn names(&self) -> String {
        self.slos.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// `rules` with the SLO that it names behind it, where the book has it; an SLO that is
    /// there already gives way.
    pub fn bundled(&self, rules: &str) -> String {
        let entry = rules::slo_of(rules).and_then(|name| self.get(&name));
        entry.map_or_else(|| rules.to_owned(), |entry| rules::bundle_slo(rules, entry.slo.name.as_str(), &entry.text))
    }

    /// Says of an SLO that was not found which there are.
    pub(super) fn name_others(&self, faults: &mut [Diagnostic]) {
        let names: Vec<String> = self.slos.keys().take(NAMES_SHOWN).map(|name| format!("`{name}`")).collect();
        let is_missing = |fault: &&mut Diagnostic| fault.code == "no_slo" && fault.severity == Severity::Error;
        for fault in faults.iter_mut().filter(is_missing).filter(|_| !names.is_empty()) {
            fault.help = format!("the SLOs are {}", names.join(", "));
        }
    }
}

/// Where a command without a configuration looks for the SLO of the rule file `rules`: the
/// folder that was `given`, or else `slos` beside the rule file's folder, then `slos` here.
pub fn slo_folders(rules: &Path, given: Option<&Path>) -> Vec<PathBuf> {
    if let Some(given) = given {
        return vec![given.to_owned()];
    }
    let folder = rules.parent().unwrap_or(Path::new(""));
    // As it was named, so that a fault is told of a file by a name that the caller knows.
    let beside = match (folder.file_name(), folder.parent()) {
        (Some(_), Some(above)) => above.join("slos"),
        _ => folder.join("..").join("slos"),
    };
    let mut folders = vec![beside, PathBuf::from("slos")];
    folders.dedup();
    folders.retain(|folder| folder.is_dir());
    folders
}

/// The file and the text of the SLO that the rule file `text` names: of those that were
/// `given` the one of that name, or else the first in `folders`. One with faults is found,
/// so that the parser tells them.
pub fn slo_file(
    text: &str,
    given: &[(PathBuf, String)],
    folders: &[PathBuf],
) -> Result<Option<(PathBuf, String)>, BookError> {
    let Some(name) = rules::slo_of(text) else { return Ok(None) };
    let is_it = |slo: &str| rules::slo_name(slo).as_deref() == Some(&name);
    if let Some(found) = given.iter().find(|(_, slo)| is_it(slo)) {
        return Ok(Some(found.clone()));
    }
    for folder in folders {
        for path in yaml_paths(folder)? {
            let slo = read_file(&path)?;
            if is_it(&slo) {
                return Ok(Some((path, slo)));
            }
        }
    }
    Ok(None)
}

/// `text` of a rule file with the SLO that it names behind it, as [`slo_file`] finds it;
/// where there is none, the parser says so.
pub fn with_slo(text: &str, given: &[(PathBuf, String)], folders: &[PathBuf]) -> Result<String, BookError> {
    let found = rules::slo_of(text).zip(slo_file(text, given, folders)?);
    Ok(found.map_or_else(|| text.to_owned(), |(name, (_, slo))| rules::bundle_slo(text, &name, &slo)))
}
