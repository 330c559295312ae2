//! Where rule files and SLOs are read from: both together, all or nothing.
//!
//! A rule file is one text with the SLO that it names, so a change of either is a change of
//! what is in force, and a rule file whose SLO went away is refused with everything else.

use crate::engine::book::BookError;
use crate::engine::book::RuleBook;
use crate::engine::book::read_text;
use crate::engine::book::rule_paths;
use crate::engine::book::yaml_paths;
use crate::engine::slo_book::SloBook;
use crate::rules::Diagnostic;
use crate::rules::Digest;
use crate::rules::duration_text;
use std::path::PathBuf;
use std::time::Duration;

/// Most SLOs: each is read from its source every minute, and keeps up to some megabytes.
const SLOS_MAX: usize = 500;

/// What is read, and what it may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    /// The folder of rule files.
    pub rules: PathBuf,
    /// The folder of SLO files; none where the path is empty.
    pub slos: PathBuf,
    /// Whether that need not be there: nobody named it, and who has no SLOs needs no folder.
    pub slos_may_lack: bool,
    /// SLOs that the configuration holds, each with the key that it stands under.
    pub inline: Vec<(String, String)>,
    /// The sources of the configuration.
    pub sources: Vec<String>,
    /// How many days are kept of what budgets are counted from; `None` where nothing is forgotten.
    pub kept_days: Option<u16>,
}

impl Folders {
    /// Reads everything, with the warnings that were given.
    ///
    /// # Errors
    /// A file cannot be read or is refused; an SLO names a source that is not there, or has a
    /// period that is longer than anything is kept.
    pub fn read(&self) -> Result<(RuleBook, Vec<Diagnostic>), BookError> {
        let (slos, mut warnings) = self.read_slos()?;
        let (book, more) = RuleBook::read(&self.rules, &slos)?;
        warnings.extend(more);
        Ok((book, warnings))
    }

    /// Reads the SLOs alone.
    ///
    /// # Errors
    /// As [`Folders::read`].
    pub fn read_slos(&self) -> Result<(SloBook, Vec<Diagnostic>), BookError> {
        let (mut slos, mut warnings) = (SloBook::default(), Vec::new());
        if self.has_slos() {
            (slos, warnings) = SloBook::read(&self.slos)?;
        }
        let mut refused = Vec::new();
        for (key, text) in &self.inline {
            match slos.with_text(PathBuf::from(key), text.clone()) {
                Ok(found) => warnings.extend(found),
                Err(BookError::Refused { files }) => refused.extend(files),
                Err(other) => return Err(other),
            }
        }
        if !refused.is_empty() {
            return Err(BookError::Refused { files: refused });
        }
        if SLOS_MAX < slos.len() {
            return Err(BookError::TooManySlos { found: slos.len(), limit: SLOS_MAX });
        }
        self.can_be_asked(&slos).map(|()| (slos, warnings))
    }

    /// Every file's bytes, and those of the configuration: equal when nothing changed.
    pub(super) fn digest(&self) -> Result<Digest, BookError> {
        let mut paths = rule_paths(&self.rules)?;
        if self.has_slos() {
            paths.extend(yaml_paths(&self.slos)?);
        }
        // Digests have one length, so that no two folders are one.
        let mut bytes = Vec::new();
        for path in paths {
            for part in [path.as_os_str().as_encoded_bytes(), read_text(&path)?.as_bytes()] {
                bytes.extend_from_slice(Digest::of(part).as_str().as_bytes());
            }
        }
        Ok(Digest::of(&bytes))
    }

    /// Whether the folder of SLOs is to be read.
    fn has_slos(&self) -> bool {
        let named = !self.slos.as_os_str().is_empty();
        named && (!self.slos_may_lack || self.slos.exists())
    }

    fn can_be_asked(&self, slos: &SloBook) -> Result<(), BookError> {
        for entry in slos.iter() {
            // One that names none where there is not exactly one says so by itself, as a rule
            // file does: whoever does not mind it goes on.
            if let Some(source) = entry.slo.source.as_ref().filter(|name| !self.sources.contains(name)) {
                let (place, name) = (entry.place.clone(), entry.slo.name.clone());
                return Err(BookError::NoSource {
                    place,
                    name,
                    source_name: source.clone(),
                    known: self.sources.join(", "),
                });
            }
            // What waves spent would be forgotten within the period, and more of it allowed.
            let longest = entry.slo.period.longest();
            let forgotten = |days: &u16| Duration::from_hours(24 * u64::from(*days)) < longest;
            if let Some(days) = self.kept_days.filter(forgotten) {
                let (place, name) = (entry.place.clone(), entry.slo.name.clone());
                return Err(BookError::NotKept { place, name, period: duration_text(longest), days });
            }
        }
        Ok(())
    }
}
