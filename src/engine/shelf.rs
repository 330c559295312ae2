//! The rule files in force, and how the last reload went, for whoever asks.

use crate::engine::book::BookEntry;
use crate::engine::book::BookError;
use crate::engine::book::RuleBook;
use crate::rules::Diagnostic;
use crate::rules::Digest;
use crate::rules::RulesName;
use crate::series::Timestamp;
use crate::telemetry::Chain;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

/// Diagnostics of a refused reload that are kept: a person mends the first ones first.
const DIAGNOSTICS_MAX: usize = 100;

/// What is in force and since when.
#[derive(Clone, Debug)]
pub struct Shelf {
    book: RuleBook,
    loaded_at: BTreeMap<RulesName, Timestamp>,
    last: Reload,
}

/// How a reload went; the first load is one that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reload {
    /// When.
    pub at: Timestamp,
    /// Why the files on disk were refused; `None` where they were taken.
    pub trouble: Option<Trouble>,
}

/// Why rule files were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// On one line.
    pub message: String,
    /// The faults of the files, as far as they are kept.
    pub diagnostics: Vec<Diagnostic>,
}

impl Trouble {
    /// What `error` says.
    pub fn of(error: &BookError) -> Self {
        let mut diagnostics = Vec::new();
        if let BookError::Refused { files } = error {
            diagnostics.extend(files.iter().flat_map(|(_, _, faults)| faults).take(DIAGNOSTICS_MAX).cloned());
        }
        let first = diagnostics.first().map_or(String::new(), |first| format!(": {first}"));
        Self { message: format!("{}{first}", Chain(error)), diagnostics }
    }
}

impl Shelf {
    /// One line of the list.
    pub fn entry(&self, name: &RulesName) -> Option<(&Arc<BookEntry>, Timestamp)> {
        let entry = self.book.get(name)?;
        Some((entry, self.loaded_at.get(name).copied().unwrap_or(self.last.at)))
    }

    /// The files in force.
    pub fn book(&self) -> &RuleBook {
        &self.book
    }

    /// How the last reload went.
    pub fn last_reload(&self) -> &Reload {
        &self.last
    }

    /// The digest of all files together.
    pub fn digest(&self) -> Digest {
        self.book.digest()
    }

    /// With `book` in force, first loaded `at`.
    pub fn new(book: RuleBook, at: Timestamp) -> Self {
        let loaded_at = book.iter().map(|entry| (entry.rules.name.clone(), at)).collect();
        Self { book, loaded_at, last: Reload { at, trouble: None } }
    }

    /// With `book` in force; a file that did not change was loaded when it was.
    fn with(&self, book: RuleBook, at: Timestamp) -> Self {
        let since = |entry: &Arc<BookEntry>| {
            let same = |old: &(&Arc<BookEntry>, Timestamp)| old.0.rules.digest == entry.rules.digest;
            self.entry(&entry.rules.name).filter(same).map_or(at, |(_, since)| since)
        };
        let loaded_at = book.iter().map(|entry| (entry.rules.name.clone(), since(entry))).collect();
        Self { book, loaded_at, last: Reload { at, trouble: None } }
    }
}

/// The place where the one shelf stands: read by many, replaced as a whole.
#[derive(Debug)]
pub(super) struct Shelves(Mutex<Arc<Shelf>>);

impl Shelves {
    pub(super) fn new(book: RuleBook, at: Timestamp) -> Self {
        Self(Mutex::new(Arc::new(Shelf::new(book, at))))
    }

    pub(super) fn get(&self) -> Arc<Shelf> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn take(&self, book: RuleBook, at: Timestamp) {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Arc::new(place.with(book, at));
    }

    pub(super) fn refuse(&self, trouble: Trouble, at: Timestamp) {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = Reload { at, trouble: Some(trouble) };
        *place = Arc::new(Shelf { last, ..Shelf::clone(&place) });
    }
}
