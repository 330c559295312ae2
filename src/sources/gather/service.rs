//! What a service served, slice by slice, for its error budget.
//!
//! Raw samples are asked for, so that a slice has the same events whenever it is read and
//! whatever is read with it: increments of each series by itself, resets taken out before
//! any sum, gaps of more than five minutes not bridged, births counted from zero where the
//! hour before shows none ([`counter`]). So each call asks for the samples of its own
//! slices, once, and for the five minutes before them, over which an increment may reach: a
//! call for one new minute reads six, and one for a month reads the month. Nothing has
//! to be remembered from one call to the next.
//!
//! A day of a very large service is more than anybody should read: where the source says
//! that it is, its server is asked for the increments instead ([`mod@estimate`]).
//!
//! [`counter`]: crate::series::counter
//! [`mod@estimate`]: crate::sources::gather::estimate

use crate::rules::Indicator;
use crate::rules::Slo;
use crate::rules::query::BoundMatchers;
use crate::series::Counts;
use crate::series::Window;
use crate::sources::Error;
use crate::sources::Source;
use crate::sources::gather::above;
use crate::sources::gather::estimate;
use crate::sources::gather::estimate::Estimate;
use crate::sources::gather::estimate::Measured;
use crate::sources::gather::indicator;
use crate::sources::gather::indicator::Besides;
use crate::sources::gather::plan::Asked;
use crate::sources::gather::plan::at_ends;
use crate::sources::gather::question::Answers;
use crate::sources::gather::question::IN_FLIGHT;
use crate::sources::gather::slices;
use crate::sources::gather::slices::Round;
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

/// The span of the first question: it shows how many samples there are.
const FIRST: Duration = Duration::from_hours(1);

/// The longest span of a question: servers and their frontends cut at days.
const LONGEST: Duration = Duration::from_hours(24);

/// Samples of one answer that are aimed for: some seconds of a server's work, and
/// some megabytes, so that four at a time stay far below a client's limits.
const SAMPLES_PER_ANSWER: usize = 250_000;

/// Remarks that are kept of one call: they repeat themselves.
const MAX_REMARKS: usize = 8;

/// Slices of one service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceSlices {
    /// One behind the other; `None` where nothing was seen.
    pub slices: Vec<Option<Counts>>,
    /// Samples that the source gave for them.
    pub samples: u64,
    /// What a reader should know: an answer that lacks data, a bad metric that exists
    /// nowhere, a threshold that is no bucket. At most a few.
    pub remarks: Vec<String>,
    /// Whether they were counted by the server (`increase`) because raw samples are too many.
    pub estimated: bool,
}

/// The slices of `slo` in `span`, whose ends are multiples of [`Slo::slice`]. `progress` hears
/// how much of the span is read.
///
/// Where an answer lacks data, the slices of its question are not known; a question of more
/// than an hour is asked again in halves before.
///
/// # Errors
/// The first question that is not answered.
pub async fn service(
    source: &dyn Source,
    slo: &Slo,
    span: Window,
    mut progress: impl FnMut(Duration, Duration) + Send,
) -> Result<ServiceSlices, Error> {
    let everything = BoundMatchers::everything();
    let asked = indicator::asked(&slo.indicator, &everything, Besides::Omitted);
    let measured = estimate::measured(source, &asked, slo.slice, span).await?;
    let mut reader = Reader::new(source, slo, &asked, span, measured);
    while let Some(runs) = reader.next() {
        reader.read(runs).await?;
        progress(slo.slice.saturating_mul(slices::short(reader.done)), span.length());
    }
    reader.ended().await
}

/// What is read so far.
struct Reader<'a> {
    source: &'a dyn Source,
    slo: &'a Slo,
    asked: &'a Asked,
    span: Window,
    /// How the server counts, where it does.
    estimate: Option<Estimate>,
    /// Every slice of the span.
    all: Vec<Option<Counts>>,
    samples: u64,
    remarks: BTreeSet<String>,
    /// A slice whose histograms have no bucket of the threshold.
    lacking: Option<Window>,
    /// Slices that are read.
    done: usize,
    /// The first slice that nobody has asked for.
    begun: usize,
    /// Slices that are to be asked for again, in parts.
    again: Vec<Range<usize>>,
    /// Slices of the next question.
    pace: usize,
}

impl<'a> Reader<'a> {
    fn new(source: &'a dyn Source, slo: &'a Slo, asked: &'a Asked, span: Window, measured: Measured) -> Self {
        let Measured { estimate, samples } = measured;
        let count = slices_in(span.length(), slo.slice);
        let remarks = estimate.iter().map(Estimate::remark).collect();
        Self {
            source,
            slo,
            asked,
            span,
            estimate,
            all: vec![None; count],
            samples,
            remarks,
            lacking: None,
            done: 0,
            begun: 0,
            again: Vec::new(),
            pace: slices_in(FIRST, slo.slice).max(1),
        }
    }

    /// What is asked for next, in as many questions as are answered at a time.
    fn next(&mut self) -> Option<Vec<Range<usize>>> {
        let most = IN_FLIGHT / self.asked.questions(&self.windows(&(0..1))).len().clamp(1, IN_FLIGHT);
        let mut runs = Vec::with_capacity(most);
        while runs.len() < most {
            if let Some(run) = self.again.pop() {
                runs.push(run);
            } else if self.begun < self.all.len() {
                let to = self.begun.saturating_add(self.pace).min(self.all.len());
                runs.push(self.begun..to);
                self.begun = to;
            } else {
                break;
            }
        }
        (!runs.is_empty()).then_some(runs)
    }

    async fn read(&mut self, runs: Vec<Range<usize>>) -> Result<(), Error> {
        let windows: Vec<Vec<Window>> = runs.iter().map(|run| self.windows(run)).collect();
        let longest = runs.iter().map(Range::len).max().unwrap_or(0);
        let round = match &self.estimate {
            None => slices::counted(self.source, self.slo, self.asked, &windows).await,
            Some(estimate) => estimate.counted(self.source, self.slo, self.asked, &windows).await,
        };
        match round {
            Ok(round) => self.take(runs, round),
            Err(error) if self.is_too_much(&error, longest) => {
                self.pace = (longest / 2).max(1);
                for run in runs {
                    self.halve(run);
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn take(&mut self, runs: Vec<Range<usize>>, round: Round) {
        self.samples = self.samples.saturating_add(round.samples);
        let hour = slices_in(FIRST, self.slo.slice).max(1);
        for (run, counted) in runs.into_iter().zip(round.runs) {
            if counted.is_partial && run.len() > hour {
                // What is missing may be missing of a part alone.
                self.halve(run);
                continue;
            }
            self.done += run.len();
            self.lacking = counted.lacking.or(self.lacking);
            self.remarks.extend(counted.remarks);
            if let Some(places) = self.all.get_mut(run) {
                places.iter_mut().zip(counted.slices).for_each(|(place, slice)| *place = slice);
            }
        }
        if round.largest <= SAMPLES_PER_ANSWER / 2 {
            self.pace = self.pace.saturating_mul(2).min(slices_in(LONGEST, self.slo.slice).max(1));
        } else if SAMPLES_PER_ANSWER < round.largest {
            self.pace = (self.pace / 2).max(1);
        }
    }

    /// Whether `error` says that a question of `slices` should be a shorter one. No answer
    /// in time may be a server that is away, so that is not tried for ever.
    fn is_too_much(&self, error: &Error, slices: usize) -> bool {
        let is_large = matches!(error, Error::TooLarge { .. } | Error::Execution { .. });
        let is_late = matches!(error, Error::TimedOut { .. } | Error::GaveUp { .. });
        (is_large && 1 < slices) || (is_late && slices_in(FIRST, self.slo.slice).max(1) < slices)
    }

    fn halve(&mut self, run: Range<usize>) {
        let middle = run.start + run.len() / 2;
        let halves = [middle..run.end, run.start..middle];
        self.again.extend(halves.into_iter().filter(|half| !half.is_empty()));
    }

    fn windows(&self, run: &Range<usize>) -> Vec<Window> {
        let at = |index: usize| self.span.from + self.slo.slice.saturating_mul(slices::short(index));
        run.clone().map(|index| Window { from: at(index), to: at(index + 1) }).collect()
    }

    async fn ended(mut self) -> Result<ServiceSlices, Error> {
        if let (Some(window), Indicator::Latency { histogram, threshold }) = (self.lacking, &self.slo.indicator) {
            let every = indicator::every(histogram, &BoundMatchers::everything());
            let question = at_ends(&above::bounds_of(&every), &[window]);
            let answers = Answers::to(question.clone(), Some(self.source), Duration::ZERO).await?;
            self.samples = self.samples.saturating_add(answers.samples());
            let fault = above::not_a_bucket(&every, *threshold, answers.get(question.as_ref()), window.to);
            self.remarks.extend(slices::words(&fault));
        }
        Ok(ServiceSlices {
            slices: self.all,
            samples: self.samples,
            remarks: self.remarks.into_iter().take(MAX_REMARKS).collect(),
            estimated: self.estimate.is_some(),
        })
    }
}

/// Whole slices of the length `slice` in `span`.
fn slices_in(span: Duration, slice: Duration) -> usize {
    usize::try_from(span.as_millis() / slice.as_millis().max(1)).unwrap_or(usize::MAX)
}
