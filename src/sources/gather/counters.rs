//! The counters of one cohort: raw samples, and the past of those born meanwhile.
//!
//! A native histogram is a counter here, of its events.

use crate::series::Fault;
use crate::series::Series;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::counter;
use crate::series::counter::Past;
use crate::series::counter::Tally;
use crate::series::native::Histograms;
use crate::series::spread::Spread;
use crate::sources::Answer;
use crate::sources::gather::past;
use crate::sources::gather::past::Histories;
use crate::sources::gather::plan::Counter;
use crate::sources::gather::question::Answers;
use crate::sources::gather::question::Question;

/// Series that one interval of one cohort is folded from: a look has seconds,
/// and a cohort of a hundred instances has some hundred series each.
pub(super) const MAX_SERIES: usize = 50_000;

/// Samples, and buckets of native histograms, that one interval of one cohort is
/// folded from: a hundred a series.
const MAX_SAMPLES: usize = 5_000_000;

/// One selector's series over a run of windows.
#[derive(Debug)]
pub(super) struct Counters<'a> {
    counter: &'a Counter,
    answer: &'a Answer,
    /// The native histograms that are read, and their counts in `series`; else none.
    native: &'a [Histograms],
    /// The counters, by labels.
    series: Vec<&'a Series>,
    began: Timestamp,
    /// The windows in which some series was born, in order.
    born: Vec<Window>,
    histories: Histories<'a>,
}

impl<'a> Counters<'a> {
    /// The answer to what `counter` asked over `run`.
    pub(super) fn new(counter: &'a Counter, run: &[Window], began: Timestamp, answers: &'a Answers) -> Self {
        let answer = answers.get(counter.question(run).as_ref());
        let series = answer.series.iter().collect();
        Self { counter, answer, native: &[], series, began, born: Vec::new(), histories: Histories::default() }
    }

    /// As [`Counters::new`], of the native histograms in the answer.
    pub(super) fn native(counter: &'a Counter, run: &[Window], began: Timestamp, answers: &'a Answers) -> Self {
        let plain = Self::new(counter, run, began, answers);
        let native = &plain.answer.native[..];
        Self { native, series: native.iter().map(Histograms::counts).collect(), ..plain }
    }

    /// The answer as it came.
    pub(super) fn answer(&self) -> &'a Answer {
        self.answer
    }

    /// The counters, by labels.
    pub(super) fn series(&self) -> &[&'a Series] {
        &self.series
    }

    /// Finds the windows of `run` in which one of the counters was born.
    pub(super) fn find_births(&mut self, run: &[Window]) {
        self.born = births(&self.series, run, self.began);
    }

    /// As [`Counters::find_births`], where the counters were put together as `joined`.
    pub(super) fn find_births_of(&mut self, joined: &[&Series], run: &[Window]) {
        self.born = births(joined, run, self.began);
    }

    /// What must be asked about the births.
    pub(super) fn questions(&self) -> Vec<Question> {
        past::questions(self.counter, &self.born)
    }

    /// Takes the answers to [`Counters::questions`].
    pub(super) fn learn(&mut self, answers: &'a Answers) {
        self.histories = Histories::new(self.counter, &self.born, answers);
    }

    /// What `series`, of this answer, counted in `window`, and the fault where
    /// its past could not be told for lack of data.
    pub(super) fn tally(&self, series: &Series, window: Window) -> (Tally, Option<Fault>) {
        let (past, fault) = self.past(series, window);
        (counter::tally(series, window, self.began, past), fault)
    }

    /// As [`Counters::tally`], of a native histogram, and where the events are.
    pub(super) fn tally_native(&self, one: &Histograms, window: Window) -> (Tally, Option<Spread>, Option<Fault>) {
        let (past, fault) = self.past(one.counts(), window);
        let (tally, spread) = one.tally(window, self.began, past);
        (tally, spread, fault)
    }

    fn past(&self, series: &Series, window: Window) -> (Past, Option<Fault>) {
        let asks = !self.born.is_empty() && counter::needs_past(series, window, self.began);
        let (past, partial) =
            if asks { self.histories.past(series.labels(), window.from) } else { (Past::Unknown, None) };
        (past, partial.map(past::partial))
    }

    /// Whether any series has a sample in `window` or within reach before it.
    pub(super) fn is_there(&self, window: Window) -> bool {
        let reach = counter::padded(window);
        self.series.iter().any(|series| counter::is_seen(series, reach))
    }

    /// What is over a limit in `window`, if anything.
    pub(super) fn excess(&self, window: Window) -> Option<String> {
        let samples = |series: &&Series| series.samples().len();
        // What is within limits as a whole is so in every window.
        let is_small = self.series.len() <= MAX_SERIES && self.series.iter().map(samples).sum::<usize>() <= MAX_SAMPLES;
        if is_small && self.native.is_empty() {
            return None;
        }
        let within_reach = |(place, series): (usize, &&Series)| match self.native.get(place) {
            Some(histograms) => histograms.numbers_within_reach(window),
            None => counter::samples_within_reach(series, window),
        };
        let counts = self.series.iter().enumerate().map(within_reach).filter(|count| *count > 0);
        let (series, samples) = counts.fold((0, 0), |(series, samples), count| (series + 1, samples + count));
        let over = |what: &str, limit: usize| Some(format!("not read: more than {limit} {what} in one interval"));
        match () {
            () if series > MAX_SERIES => over("series", MAX_SERIES),
            () if samples > MAX_SAMPLES => over("samples", MAX_SAMPLES),
            () => None,
        }
    }
}

/// The windows of `run` in which one of `series` was born.
fn births(series: &[&Series], run: &[Window], began: Timestamp) -> Vec<Window> {
    let is_born = |window: &&Window| series.iter().any(|one| counter::needs_past(one, **window, began));
    run.iter().filter(is_born).copied().collect()
}
