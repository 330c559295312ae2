//! The one task that reads: what is missing, the latest first, a chunk at a time.
//!
//! It has no input: it looks at the books, does what is due, and looks again, when somebody
//! rings and when the next slice is complete. What it reads is on disk before it is in
//! memory, so that nothing is shown that a restart would not know.

use crate::engine::budgets::Budgets;
use crate::engine::budgets::CHARGES;
use crate::engine::budgets::kept::Step;
use crate::engine::budgets::past::does_not_answer;
use crate::engine::fetch::source_named;
use crate::rules::Digest;
use crate::rules::Slo;
use crate::series::Timestamp;
use crate::series::Window;
use crate::sources;
use crate::sources::gather;
use crate::telemetry::Chain;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Sources asked at a time; what gates ask goes through the same sources' own limits.
const IN_FLIGHT: usize = 4;

impl Budgets {
    /// Keeps the accounts until `drain`. There must be one such task.
    pub async fn keep(self: Arc<Self>, drain: CancellationToken) {
        let mut steps: JoinSet<()> = JoinSet::new();
        loop {
            while steps.len() < IN_FLIGHT {
                let Some((counted_by, step)) = self.take_due() else { break };
                let own = Arc::clone(&self);
                steps.spawn(async move { own.step(&counted_by, step).await });
            }
            let next = self.books().next_due().filter(|_| steps.len() < IN_FLIGHT);
            tokio::select! {
                biased;
                () = drain.cancelled() => break,
                Some(done) = steps.join_next() => resume(done),
                () = self.wanted.notified() => {}
                () = self.clock.until_due(next) => {}
            }
        }
        steps.abort_all();
    }

    /// What is to be done now, marked as being done.
    fn take_due(&self) -> Option<(Digest, Step)> {
        let now = self.clock.now();
        let mut books = self.books();
        books.tidy(now);
        books.forget_charges(now - CHARGES);
        let (counted_by, step) = books.due(now)?;
        if let Some(kept) = books.kept.get_mut(&counted_by) {
            kept.busy = true;
        }
        Some((counted_by, step))
    }

    async fn step(&self, counted_by: &Digest, step: Step) {
        let result = match step {
            Step::Load(since) => self.load(counted_by, since).await,
            Step::Ask(slo, window) => self.ask(counted_by, &slo, window).await,
            Step::Rest => {
                let now = self.clock.now();
                let mut books = self.books();
                if let Some(kept) = books.kept.get_mut(counted_by) {
                    kept.rest(now);
                }
                Ok(())
            }
        };
        let now = self.clock.now();
        {
            let mut books = self.books();
            // The SLO may have been taken away meanwhile.
            if let Some(kept) = books.kept.get_mut(counted_by) {
                kept.busy = false;
                if let Err(trouble) = result {
                    if kept.upkeep.trouble.is_none() {
                        tracing::warn!(%trouble, "an error budget cannot be read");
                    }
                    kept.failed(trouble, now);
                }
            }
            books.show(counted_by, now);
        }
        self.read.send_modify(|times| *times = times.wrapping_add(1));
    }

    /// Takes what an earlier process kept.
    async fn load(&self, counted_by: &Digest, since: Timestamp) -> Result<(), String> {
        let rows = self.store.slices(counted_by, since).await.map_err(|error| Chain(&error).to_string())?;
        let now = self.clock.now();
        if let Some(kept) = self.books().kept.get_mut(counted_by) {
            kept.load(since, &rows, now);
        }
        Ok(())
    }

    /// Asks the source for the slices in `window`, and keeps them.
    async fn ask(&self, counted_by: &Digest, slo: &Slo, window: Window) -> Result<(), String> {
        let source = source_named(&self.sources, slo.source.as_deref()).map_err(|error| error.in_full())?;
        let begun = Instant::now();
        let answer = gather::service(&*source, slo, window, |_, _| ()).await;
        let outcome = answer.as_ref().map_or_else(sources::Error::code, |_| "ok");
        self.metrics.source_answered(source.name(), outcome, begun.elapsed());
        let mut answer = answer.map_err(|error| does_not_answer(&*source, &error))?;
        if let Some(kept) = self.books().kept.get(counted_by) {
            answer.slices = kept.with_counted(window, answer.slices);
        }
        let starts = std::iter::successors(Some(window.from), |at| Some(*at + slo.slice));
        let rows: Vec<_> = starts.take_while(|at| *at < window.to).zip(answer.slices.iter().copied()).collect();
        let kept = self.store.keep_slices(counted_by, &rows).await;
        kept.map_err(|error| format!("what was read cannot be kept: {}", Chain(&error)))?;
        let now = self.clock.now();
        if let Some(kept) = self.books().kept.get_mut(counted_by) {
            kept.put(window, answer, now);
        }
        Ok(())
    }
}

/// A panic in a step is a bug: it takes the keeper down, and the process in order.
fn resume(done: Result<(), tokio::task::JoinError>) {
    if let Err(error) = done
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}
