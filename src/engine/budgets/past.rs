//! The account of a service as it was: read once from a source, for a wave in hindsight or
//! for somebody who asks how an SLO stands and has no daemon.
//!
//! What other waves spent is known to nobody then, nor whether another SLO of the service
//! paged somebody: both are left empty.

use crate::engine::budgets::kept::period_from;
use crate::engine::budgets::reading::before;
use crate::engine::budgets::reading::earlier;
use crate::engine::budgets::reading::longest_window;
use crate::engine::budgets::view::AccountView;
use crate::engine::budgets::view::Upkeep;
use crate::judge;
use crate::rules::Slo;
use crate::series::ServiceReading;
use crate::series::Slices;
use crate::series::Timestamp;
use crate::series::Window;
use crate::sources::AccountAsked;
use crate::sources::Accounts;
use crate::sources::Error;
use crate::sources::Pending;
use crate::sources::Source;
use crate::sources::gather;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// Hears how much of what is read has been.
type Progress<'a> = Box<dyn Fn(Duration, Duration) + Send + Sync + 'a>;

/// The account of the one SLO that a past gate minds.
pub struct PastAccount<'a> {
    source: &'a dyn Source,
    until: Timestamp,
    progress: Progress<'a>,
    slices: OnceCell<Slices>,
}

impl<'a> PastAccount<'a> {
    /// What `source` says up to `until`; it is asked at the first look.
    pub fn new(source: &'a dyn Source, until: Timestamp) -> Self {
        Self { source, until, progress: Box::new(|_, _| ()), slices: OnceCell::new() }
    }

    /// The same, and `progress` hears how much is read of how much.
    #[must_use]
    pub fn telling(self, progress: impl Fn(Duration, Duration) + Send + Sync + 'a) -> Self {
        Self { progress: Box::new(progress), ..self }
    }

    /// All that the looks of the wave need: from the first one's period on, and a day before.
    async fn read(&self, slo: &Slo, began: Timestamp) -> Result<Slices, Error> {
        let day = Window { from: began, to: began + slo.slice };
        let first = AccountAsked { slo, wave: "", began, window: day };
        let from = period_from(slo, began).min(earlier(first).from).floored(slo.slice);
        let span = Window { from, to: (self.until - slo.settle).floored(slo.slice).max(from) };
        let answer = gather::service(self.source, slo, span, |done, of| (self.progress)(done, of)).await?;
        let mut slices = Slices::new(slo.slice, from);
        slices.put(from, &answer.slices);
        Ok(slices)
    }
}

impl Accounts for PastAccount<'_> {
    fn stand<'a>(&'a self, asked: AccountAsked<'a>) -> Pending<'a, Result<ServiceReading, Error>> {
        Box::pin(async move {
            let slices = self.slices.get_or_try_init(|| self.read(asked.slo, asked.began)).await?;
            let reading = judge::account(asked.slo, slices, asked.window.to);
            Ok(ServiceReading { before: before(slices, earlier(asked)), ..reading })
        })
    }
}

/// How `slo` stood at `at`, read from `source`; `progress` hears how much is read of how
/// much. A source that does not answer is the view's trouble, and then nothing is known.
pub async fn past_view(
    source: &dyn Source,
    slo: &Arc<Slo>,
    at: Timestamp,
    progress: impl FnMut(Duration, Duration) + Send,
) -> AccountView {
    let to = (at - slo.settle).floored(slo.slice);
    // At the turn of a calendar the windows of its tiers reach back before it.
    let from = period_from(slo, at).min(to - longest_window(slo)).floored(slo.slice);
    let mut slices = Slices::new(slo.slice, from);
    let upkeep = match gather::service(source, slo, Window { from, to }, progress).await {
        Ok(answer) => {
            slices.put(from, &answer.slices);
            Upkeep {
                through: Some(to),
                samples_fetched: answer.samples,
                samples_last: answer.samples,
                estimated: answer.estimated,
                remarks: answer.remarks,
                ..Upkeep::default()
            }
        }
        Err(error) => Upkeep { trouble: Some(does_not_answer(source, &error)), ..Upkeep::default() },
    };
    let is_read = upkeep.trouble.is_none();
    AccountView::of(slo, (&slices, at), upkeep, |_| is_read)
}

/// What is said of a source that did not answer for an account.
pub(super) fn does_not_answer(source: &dyn Source, error: &Error) -> String {
    format!("source `{}` does not answer: {}", source.name(), error.in_full())
}
