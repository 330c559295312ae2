//! The rule files in force.
//!
//! A folder is read all or nothing: one bad file leaves the old book as it was,
//! because a gate that silently lost a check would pass what it should stop.

use crate::engine::slo_book::SloBook;
use crate::rules;
use crate::rules::Diagnostic;
use crate::rules::Digest;
use crate::rules::RuleFile;
use crate::rules::RulesName;
use crate::rules::SloName;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

/// Largest rule file; the parser refuses the same size, this keeps it out of memory.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Most files of one folder.
const FILES_MAX: usize = 1000;

/// The rule files in force, by name.
#[derive(Clone, Debug, Default)]
pub struct RuleBook {
    files: BTreeMap<RulesName, Arc<BookEntry>>,
    /// How many warnings each file has.
    warnings: BTreeMap<RulesName, usize>,
    /// The SLOs that were read with them.
    slos: SloBook,
}

/// One rule file and the text it was read from.
#[derive(Clone, Debug, PartialEq)]
pub struct BookEntry {
    /// What it says.
    pub rules: RuleFile,
    /// Kept with each gate, so that a restart goes on by the same rules.
    pub text: String,
}

impl BookEntry {
    /// A text that was in force before, under the name it had.
    pub fn parse(name: &RulesName, text: String) -> Result<Arc<Self>, BookError> {
        match rules::parse(name.as_str(), &text) {
            Ok(parsed) => Ok(Arc::new(Self { rules: parsed.rules, text })),
            Err(faults) => Err(BookError::Refused { files: vec![(name.as_str().into(), text, faults)] }),
        }
    }
}

/// Why a folder of rule files or of SLOs was refused.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The folder or a file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is nothing to judge by.
    #[error("`{}` holds no .yaml file", folder.display())]
    Empty {
        /// Which.
        folder: PathBuf,
    },
    /// More files than anybody means to have there.
    #[error("`{}` holds more than {FILES_MAX} .yaml files", folder.display())]
    TooMany {
        /// Which.
        folder: PathBuf,
    },
    /// Faults of one or more files.
    #[error("{} of the files are refused", files.len())]
    Refused {
        /// Each refused file with its text and its faults.
        files: Vec<(PathBuf, String, Vec<Diagnostic>)>,
    },
    /// Two files with one name.
    #[error("`{}` and `{}` are both named `{name}`", first.display(), second.display())]
    SameName {
        /// The name.
        name: String,
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// More SLOs than are kept.
    #[error("there are {found} SLOs, the limit is {limit}")]
    TooManySlos {
        /// How many there are.
        found: usize,
        /// How many may be.
        limit: usize,
    },
    /// An SLO whose metrics nobody can be asked for.
    #[error("`{}`: SLO `{name}` asks the source `{source_name}`, which is not configured; configured are: {known}", place.display())]
    NoSource {
        /// Where the SLO stands.
        place: PathBuf,
        /// What it is called.
        name: SloName,
        /// The source that it names.
        source_name: String,
        /// What there is, comma separated.
        known: String,
    },
    /// An SLO whose budget would be forgotten before its period is over.
    #[error(
        "`{}`: SLO `{name}` has a period of {period}, and the store keeps what budgets are counted from for {days} days: \
         make `store.retention.budgets_days` larger, or the period shorter",
        place.display()
    )]
    NotKept {
        /// Where the SLO stands.
        place: PathBuf,
        /// What it is called.
        name: SloName,
        /// Its period, at its longest.
        period: String,
        /// What is kept.
        days: u16,
    },
}

impl RuleBook {
    /// Reads every `*.yaml` and `*.yml` of `folder` but bases, with the warnings that were given.
    /// Each is bundled with the SLO of `slos` that it names.
    pub fn read(folder: &Path, slos: &SloBook) -> Result<(Self, Vec<Diagnostic>), BookError> {
        let paths = rule_paths(folder)?;
        let (mut files, mut refused, mut warnings) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut counts = BTreeMap::new();
        let mut places: BTreeMap<RulesName, PathBuf> = BTreeMap::new();
        for path in paths {
            let text = slos.bundled(&read_text(&path)?);
            match rules::parse(&path.display().to_string(), &text) {
                Ok(parsed) => {
                    let name = parsed.rules.name.clone();
                    counts.insert(name.clone(), parsed.warnings.len());
                    warnings.extend(parsed.warnings);
                    if let Some(first) = places.insert(name.clone(), path.clone()) {
                        return Err(BookError::SameName { name: name.to_string(), first, second: path });
                    }
                    files.insert(name, Arc::new(BookEntry { rules: parsed.rules, text }));
                }
                Err(mut faults) => {
                    slos.name_others(&mut faults);
                    if rules::is_slo(&text) {
                        misplaced(&mut faults, "this is an SLO among rule files", "move it to the SLOs, in `slos_dir`");
                    }
                    refused.push((path, text, faults));
                }
            }
        }
        if !refused.is_empty() {
            return Err(BookError::Refused { files: refused });
        }
        Ok((Self { files, warnings: counts, slos: slos.clone() }, warnings))
    }

    /// A book of files that were read elsewhere.
    pub fn of(entries: impl IntoIterator<Item = BookEntry>) -> Self {
        let files = entries.into_iter().map(|entry| (entry.rules.name.clone(), Arc::new(entry))).collect();
        Self { files, warnings: BTreeMap::new(), slos: SloBook::default() }
    }

    /// The same with `slos` in force.
    #[must_use]
    pub fn with_slos(self, slos: SloBook) -> Self {
        Self { slos, ..self }
    }

    /// The SLOs in force.
    pub fn slos(&self) -> &SloBook {
        &self.slos
    }

    /// The file `name`.
    pub fn get(&self, name: &RulesName) -> Option<&Arc<BookEntry>> {
        self.files.get(name)
    }

    /// Every file, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<BookEntry>> {
        self.files.values()
    }

    /// How many warnings the file `name` has.
    pub fn warnings(&self, name: &RulesName) -> usize {
        self.warnings.get(name).copied().unwrap_or(0)
    }

    /// The digest of all files and SLOs together.
    pub fn digest(&self) -> Digest {
        let lines = self.files.values().map(|entry| format!("{} {}\n", entry.rules.name, entry.rules.digest.as_str()));
        let slos = (!self.slos.is_empty()).then(|| format!("slos {}\n", self.slos.digest().as_str()));
        Digest::of(lines.chain(slos).collect::<String>().as_bytes())
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The names, for a message.
    pub fn names(&self) -> String {
        self.files.keys().map(RulesName::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// Says of a file of the other kind that it is one, in place of each key that is not known.
pub(super) fn misplaced(faults: &mut Vec<Diagnostic>, message: &str, help: &str) {
    if let Some(mut first) = faults.iter().find(|fault| fault.code == "unknown_key").cloned() {
        (first.message, first.help) = (message.to_owned(), help.to_owned());
        *faults = vec![first];
    }
}

/// The text of one rule file, with what it extends behind it; bytes that are not UTF-8
/// are replaced, and the parser then says where.
pub fn read_text(path: &Path) -> Result<String, BookError> {
    let own = read_file(path)?;
    let Some(name) = rules::base_of(&own) else { return Ok(own) };
    let base = path.with_file_name(&name);
    // Of a base that is not there the parser says where it is named. What is no file,
    // a pipe, would be waited for.
    if !base.is_file() {
        return Ok(own);
    }
    Ok(rules::bundle(&own, &name, &read_file(&base)?))
}

/// The text of one file, as [`read_text`] reads it.
pub(super) fn read_file(path: &Path) -> Result<String, BookError> {
    let unreadable = |source| BookError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    // One byte more than the limit, so that the parser sees that it is passed.
    fs::File::open(path).map_err(unreadable)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(rules::unbundled(&String::from_utf8_lossy(&bytes)).into_owned())
}

/// Every `*.yaml` and `*.yml` of `folder`, by name. One that begins with `_` is no gate:
/// others extend it.
pub fn rule_paths(folder: &Path) -> Result<Vec<PathBuf>, BookError> {
    let paths = yaml_paths(folder)?;
    if paths.is_empty() { Err(BookError::Empty { folder: folder.to_owned() }) } else { Ok(paths) }
}

/// As [`rule_paths`], of a folder that may hold none.
pub(super) fn yaml_paths(folder: &Path) -> Result<Vec<PathBuf>, BookError> {
    let unreadable = |source| BookError::Unreadable { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        // Kubernetes mounts a ConfigMap through `..data` links beside the files.
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(['.', '_']));
        let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if yaml && !hidden && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    if FILES_MAX < paths.len() { Err(BookError::TooMany { folder: folder.to_owned() }) } else { Ok(paths) }
}
