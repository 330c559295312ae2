//! The folders of rule files and SLOs, watched: what changes there comes into force, all or nothing.
//!
//! They are read again and again by their bytes: that sees an editor that writes in place, one
//! that renames, and Kubernetes, which swaps a link, and needs nothing of the file system.
//! What is still being written is not taken: two readings in a row must be equal, and a
//! third after the files were parsed.

use crate::engine::book::BookError;
use crate::engine::book::RuleBook;
use crate::engine::clock::Clock;
use crate::engine::folders::Folders;
use crate::engine::handle::Handle;
use crate::engine::shelf::Trouble;
use crate::rules;
use crate::rules::Diagnostic;
use crate::rules::Digest;
use crate::telemetry::Chain;
use crate::telemetry::Metrics;
use std::sync::Arc;

/// Folders of rule files and SLOs, and whom to tell of their changes.
pub struct Watch {
    folders: Folders,
    handle: Handle,
    metrics: Arc<Metrics>,
    clock: Clock,
    /// What lay there at the last glance.
    last: Option<Glance>,
    /// What was last taken or refused.
    tried: Option<Glance>,
}

/// What lies in the folders: equal when nothing changed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Glance {
    Files(Digest),
    Unreadable(String),
}

type ReadBook = Result<(RuleBook, Vec<Diagnostic>), BookError>;

impl Watch {
    /// Nothing was seen yet.
    pub fn new(folders: Folders, handle: Handle, metrics: Arc<Metrics>, clock: Clock) -> Self {
        Self { folders, handle, metrics, clock, last: None, tried: None }
    }

    /// Looks whether something changed, and takes it once it has stood still.
    pub async fn glance(&mut self) {
        let Some(seen) = self.see().await else { return };
        let still = self.last.as_ref() == Some(&seen);
        self.last = Some(seen.clone());
        if !still || self.tried.as_ref() == Some(&seen) {
            return;
        }
        let Some(read) = self.read().await else { return };
        let after = self.see().await;
        if after.as_ref() != Some(&seen) {
            self.last = after;
            return;
        }
        self.tried = Some(seen);
        let loaded = self.handle.rules();
        let is_news = |book: &RuleBook| loaded.last_reload().trouble.is_some() || book.digest() != loaded.digest();
        match &read {
            Ok((book, _)) if !is_news(book) => {}
            Ok(_) | Err(_) => self.put(read).await,
        }
    }

    /// Takes what lies in the folder now, because somebody said that it is whole.
    pub async fn reload(&mut self) {
        let seen = self.see().await;
        if let Some(read) = self.read().await {
            self.put(read).await;
            (self.last, self.tried) = (seen.clone(), seen);
        }
    }

    async fn put(&self, read: ReadBook) {
        match read {
            Ok((book, warnings)) => {
                for warning in warnings {
                    tracing::warn!("{warning}");
                }
                let (loaded, names) = (book.len(), book.names());
                if self.handle.reload(book).await.is_ok() {
                    self.metrics.rules_loaded(loaded, self.clock.now().as_millis().div_euclid(1000));
                    self.metrics.rules_reloaded(true);
                    tracing::info!(rules = loaded, %names, "rules reloaded; open gates keep theirs");
                }
            }
            Err(error) => {
                let trouble = Trouble::of(&error);
                let said = self.handle.rules().last_reload().trouble.as_ref() == Some(&trouble);
                self.metrics.rules_reloaded(false);
                self.handle.reload_refused(trouble);
                if !said {
                    tracing::error!("the rules on disk are refused, the old ones stay in force: {}", in_full(&error));
                }
            }
        }
    }

    /// `None` where the process ends.
    async fn see(&self) -> Option<Glance> {
        let folders = self.folders.clone();
        tokio::task::spawn_blocking(move || Glance::at(&folders)).await.ok()
    }

    async fn read(&self) -> Option<ReadBook> {
        let folders = self.folders.clone();
        tokio::task::spawn_blocking(move || folders.read()).await.ok()
    }
}

impl Glance {
    fn at(folders: &Folders) -> Self {
        folders.digest().map_or_else(|error| Self::Unreadable(Chain(&error).to_string()), Self::Files)
    }
}

/// A refused book with every fault of every file.
pub fn in_full(error: &BookError) -> String {
    let mut text = Chain(error).to_string();
    if let BookError::Refused { files } = error {
        for (_, content, faults) in files {
            text.push('\n');
            text.push_str(&rules::render(faults, content));
        }
    }
    text
}
