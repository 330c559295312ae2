//! The latest changes on the board, numbered, for those who follow every wave.
//!
//! Followers read at their own pace from one bounded list: a slow one costs no
//! memory of its own, and one that fell behind the list is told so and starts
//! again from what is on the board. Numbers hold for one process; its mark says
//! which, so that a number of another process is never taken for one of ours.

use crate::series::Timestamp;
use crate::wire::Headline;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::PoisonError;
use tokio::sync::watch;

/// Changes that are kept: some minutes of a fleet that is being upgraded, at about
/// 300 bytes each. Whoever was away for longer starts again.
const KEPT: usize = 1024;

/// Changes that are handed out at once: a client takes them in one piece.
const TOGETHER: usize = 64;

/// The latest changes of every wave's document.
#[derive(Debug)]
pub struct Changes {
    /// Of this process.
    mark: String,
    kept: Mutex<VecDeque<Change>>,
    /// The number of the latest change; 0 before the first.
    latest: watch::Sender<u64>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place among all, from 1.
    pub number: u64,
    /// The head of the wave's document, as JSON: see [`Headline`].
    pub headline: Bytes,
}

impl Changes {
    /// None yet, of the process that started at `started`.
    pub fn new(started: Timestamp) -> Self {
        Self { mark: format!("{:x}", started.as_millis()), kept: Mutex::default(), latest: watch::Sender::new(0) }
    }

    /// Notes that `document`, a wave's, was published.
    pub fn note(&self, document: &[u8]) {
        let headline = Headline::read(document).and_then(|headline| serde_json::to_vec(&headline));
        let headline = match headline {
            Ok(headline) => Bytes::from(headline),
            // A bug: whoever follows one wave still gets its document.
            Err(error) => return tracing::error!(%error, "a published document is not one"),
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let number = *self.latest.borrow() + 1;
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Change { number, headline });
        // Under the lock, so that numbers never go back.
        self.latest.send_replace(number);
    }

    /// The number of the latest change, to read now and to watch.
    pub fn latest(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    /// The first changes after `number`, none where it is the latest; `None` where
    /// some of them are no longer kept, or no such number was given out.
    pub fn after(&self, number: u64) -> Option<Vec<Change>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = *self.latest.borrow();
        let first = kept.front().map_or(latest + 1, |change| change.number);
        if number > latest || number + 1 < first {
            return None;
        }
        let skipped = usize::try_from(number + 1 - first).unwrap_or(usize::MAX);
        Some(kept.iter().skip(skipped).take(TOGETHER).cloned().collect())
    }

    /// The name of a change, for a client to come back with.
    pub fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.mark)
    }

    /// The number that `id` names; `None` where it is of another process, or no id.
    pub fn number(&self, id: &str) -> Option<u64> {
        let (mark, number) = id.rsplit_once('-')?;
        number.parse().ok().filter(|_| mark == self.mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(count: u64) -> Changes {
        let changes = Changes::new(Timestamp::from_millis(1_795_341_600_000));
        for number in 1..=count {
            let document = format!(
                r#"{{"wave_id":"w{number}","verdict":"pause","state":"held","healthy":false,"settled":true,"summary":""}}"#
            );
            changes.note(document.as_bytes());
        }
        changes
    }

    #[track_caller]
    fn check(changes: &Changes, after: u64, expect: Option<(u64, usize)>) {
        let found = changes.after(after);
        let found = found.map(|found| (found.first().map_or(0, |change| change.number), found.len()));
        assert_eq!(found, expect);
    }

    #[test]
    fn a_follower_gets_what_came_after_or_is_told_to_start_again() {
        let changes = noted(3);
        check(&changes, 0, Some((1, 3)));
        check(&changes, 2, Some((3, 1)));
        check(&changes, 3, Some((0, 0)));
        check(&changes, 4, None);
        check(&noted(0), 0, Some((0, 0)));
        check(&noted(0), 1, None);
        check(&changes, u64::MAX, None);
    }

    #[test]
    fn what_is_kept_and_handed_out_has_a_limit() {
        let changes = noted(1030);
        check(&changes, 5, None);
        check(&changes, 6, Some((7, 64)));
        check(&changes, 1029, Some((1030, 1)));
        assert_eq!(*changes.latest().borrow(), 1030);
    }

    #[test]
    fn an_id_of_another_process_is_none_of_ours() {
        let changes = noted(2);
        assert_eq!(changes.number(&changes.id(2)), Some(2));
        let other = Changes::new(Timestamp::from_millis(1_795_341_600_001));
        for id in [other.id(2), String::new(), "2".to_owned(), "-2".to_owned(), changes.id(2) + "x"] {
            assert_eq!(changes.number(&id), None, "{id}");
        }
    }

    #[test]
    fn what_is_no_document_is_no_change() {
        let changes = noted(1);
        changes.note(b"{}");
        check(&changes, 0, Some((1, 1)));
    }
}
