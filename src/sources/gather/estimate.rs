//! Slices that the server counts, of a service that has more samples than anybody should read.
//!
//! `increase` extrapolates, sees nothing of a counter's first value, and needs two samples in
//! its range; so these slices are nearly right and not exactly so, and it is said.

use crate::rules::Slo;
use crate::series::Counts;
use crate::series::Series;
use crate::series::Window;
use crate::series::gauge;
use crate::series::gauge::Point;
use crate::series::histogram;
use crate::sources::Answer;
use crate::sources::Error;
use crate::sources::Grid;
use crate::sources::Source;
use crate::sources::gather::instances::Part;
use crate::sources::gather::past;
use crate::sources::gather::plan::Asked;
use crate::sources::gather::plan::at_ends;
use crate::sources::gather::question::Answers;
use crate::sources::gather::question::Question;
use crate::sources::gather::slices;
use crate::sources::gather::slices::Existence;
use crate::sources::gather::slices::Round;
use crate::sources::gather::slices::Run;
use std::time::Duration;

/// Raw samples of a day that are read at most: half a minute of reading, and some 3500
/// series that are scraped every 15 s. By the day, so that who reads a month at once and
/// who reads it day by day count alike.
const MAX_RAW_SAMPLES: f64 = 20.0e6;

const DAY: Duration = Duration::from_hours(24);

/// Less than this is read without asking how much it is: it is what a daemon missed
/// while it was away for a night.
const MEASURED: Duration = Duration::from_hours(12);

/// Hours of a span that are looked at to know how many samples it has.
const HOURS: u32 = 30;

const HOUR: Duration = Duration::from_hours(1);

/// `increase` over fewer scrapes than this loses slices to jitter.
const SCRAPES_PER_RANGE: f64 = 4.0;

/// How the server counts.
pub(super) struct Estimate {
    samples: f64,
    /// What `increase` reaches over.
    range: Duration,
}

/// How many samples there are.
#[derive(Default)]
pub(super) struct Measured {
    /// How the server is to count; `None` where they are few enough to be read.
    pub(super) estimate: Option<Estimate>,
    /// Values that it took to know.
    pub(super) samples: u64,
}

/// How many samples `span` has.
pub(super) async fn measured(
    source: &dyn Source,
    asked: &Asked,
    slice: Duration,
    span: Window,
) -> Result<Measured, Error> {
    if span.length() < MEASURED {
        return Ok(Measured::default());
    }
    let hours = (span.length().as_secs() / HOUR.as_secs()).div_ceil(u64::from(HOURS)).max(1);
    let step = Duration::from_hours(hours);
    let steps = u32::try_from(span.length().as_secs() / step.as_secs()).unwrap_or(u32::MAX).clamp(1, HOURS);
    let grid = Grid { from: span.to - step.saturating_mul(steps - 1), to: span.to, step };
    let (mut samples, mut most, mut values) = (0.0, 0.0_f64, 0_u64);
    for selector in selectors(asked, span) {
        for (function, is_sum) in [("sum", true), ("max", false)] {
            let answer = match source.grid(&format!("{function}(count_over_time({selector}[1h]))"), grid).await {
                Ok(answer) => answer,
                Err(Error::TooLarge { .. } | Error::Execution { .. }) => {
                    samples = f64::INFINITY;
                    continue;
                }
                // Who cannot count has what it has.
                Err(Error::NeedsPrometheus { .. } | Error::Grid { .. }) => return Ok(Measured::default()),
                Err(error) => return Err(error),
            };
            for sample in answer.series.iter().flat_map(Series::samples) {
                values = values.saturating_add(1);
                if is_sum {
                    samples += sample.value * step.as_secs_f64() / HOUR.as_secs_f64();
                } else {
                    most = most.max(sample.value);
                }
            }
        }
    }
    let days = (span.length().as_secs_f64() / DAY.as_secs_f64()).max(1.0);
    if samples <= MAX_RAW_SAMPLES * days {
        return Ok(Measured { estimate: None, samples: values });
    }
    let scrape = if most > 0.0 { HOUR.div_f64(most.max(1.0)) } else { Duration::ZERO };
    let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let range = slice.max(Duration::from_millis(millis(scrape.mul_f64(SCRAPES_PER_RANGE))));
    Ok(Measured { estimate: Some(Estimate { samples, range }), samples: values })
}

fn selectors(asked: &Asked, span: Window) -> Vec<String> {
    let raw = asked.questions(&[span]).into_iter().filter_map(|question| match question {
        Question::Raw { selector, .. } => Some(selector),
        Question::Grid { .. } => None,
    });
    raw.collect()
}

impl Estimate {
    pub(super) fn remark(&self) -> String {
        let many = if self.samples.is_finite() { format!("about {:.0}", self.samples) } else { "too many".to_owned() };
        format!("estimated: raw samples are {many}; the server counted, by increase over {:?}", self.range)
    }

    /// The slices of `runs`, as the server counts them.
    pub(super) async fn counted(
        &self,
        source: &dyn Source,
        slo: &Slo,
        asked: &Asked,
        runs: &[Vec<Window>],
    ) -> Result<Round, Error> {
        let mut round = Round { runs: Vec::new(), samples: 0, largest: 0 };
        for run in runs {
            let questions = self.questions(asked, run);
            let answers = Answers::to(questions.iter().cloned(), Some(source), Duration::ZERO).await?;
            round.count(&answers);
            let mut counted = self.run(asked, run, &questions, &answers);
            if let Asked::Above { native, threshold, .. } = asked
                && counted.slices.iter().any(Option::is_none)
            {
                let questions = self.native(&native.selector, *threshold, run);
                match Answers::to(questions.iter().cloned(), Some(source), Duration::ZERO).await {
                    Ok(answers) => {
                        round.count(&answers);
                        counted.fill(self.run_native(run, &questions, &answers));
                    }
                    // Not every server knows native histograms.
                    Err(error @ (Error::Refused { .. } | Error::Execution { .. })) => {
                        counted.remarks.insert(past::shortened(&format!("native histograms were not read: {error}")));
                    }
                    Err(error) => return Err(error),
                }
            }
            let exists = Existence::of(&slo.indicator, lacks_part(asked, run, &questions, &answers).as_ref());
            let question = exists.as_ref().and_then(|exists| exists.question.clone());
            let answers = Answers::to(question, Some(source), Duration::ZERO).await?;
            round.count(&answers);
            counted.doubt(exists.as_ref(), &answers);
            if counted.is_partial {
                counted.slices.fill(None);
            }
            round.runs.push(counted);
        }
        Ok(round)
    }

    fn questions(&self, asked: &Asked, run: &[Window]) -> Vec<Question> {
        let range = format!("{}ms", self.range.as_millis());
        // A range of Prometheus 2 has the sample at its left end too, which is of the slice before.
        let slice = run.first().map_or(1, |window| window.length().as_millis().saturating_sub(1).max(1));
        let sum = |selector: &str| format!("sum(increase({selector}[{range}]))");
        let exprs = match asked {
            Asked::Ratio { part, total, .. } => vec![sum(&part.selector), sum(&total.selector)],
            Asked::Above { classic, .. } => vec![format!("sum by (le) (increase({}[{range}]))", classic.selector)],
            Asked::Up { gauge } => {
                let over = |function: &str| format!("sum({function}({}[{slice}ms]))", gauge.selector);
                vec![over("sum_over_time"), over("count_over_time")]
            }
            Asked::Unbound { .. }
            | Asked::Buckets { .. }
            | Asked::Rate { .. }
            | Asked::Mean { .. }
            | Asked::Worst { .. }
            | Asked::Rated { .. } => Vec::new(),
        };
        exprs.iter().filter_map(|expr| at_ends(expr, run)).collect()
    }

    fn native(&self, selector: &str, threshold: f64, run: &[Window]) -> Vec<Question> {
        let increase = format!("sum(increase({selector}[{}ms]))", self.range.as_millis());
        let exprs =
            [format!("histogram_fraction(-Inf, {threshold}, {increase})"), format!("histogram_count({increase})")];
        exprs.iter().filter_map(|expr| at_ends(expr, run)).collect()
    }

    fn run(&self, asked: &Asked, run: &[Window], questions: &[Question], answers: &Answers) -> Run {
        let found: Vec<&Answer> = questions.iter().map(|question| answers.get(Some(question))).collect();
        let slice = |window: &Window| match (asked, &found[..]) {
            (Asked::Ratio { is, .. }, [part, total]) => {
                self.slice(value(part, *window), value(total, *window), *is, *window)
            }
            (Asked::Above { threshold, .. }, [buckets]) => {
                let (upto, all) = (bucket(buckets, *threshold, *window), bucket(buckets, f64::INFINITY, *window));
                // Without a bucket of the threshold nothing is known.
                upto.and_then(|upto| self.slice(Some(upto), all, Part::Good, *window))
            }
            (Asked::Up { .. }, [up, all]) => {
                let total = value(all, *window)?;
                let bad = (total - value(up, *window)?).clamp(0.0, total);
                Some((Counts { bad, total }, false))
            }
            _ => None,
        };
        let mut counted = collect(run, &found, slice);
        if let (Asked::Above { threshold, .. }, [buckets]) = (asked, &found[..]) {
            let has = |bound: f64, window: &Window| bucket(buckets, bound, *window).is_some();
            counted.lacking = run.iter().rfind(|at| has(f64::INFINITY, at) && !has(*threshold, at)).copied();
        }
        counted
    }

    fn run_native(&self, run: &[Window], questions: &[Question], answers: &Answers) -> Run {
        let found: Vec<&Answer> = questions.iter().map(|question| answers.get(Some(question))).collect();
        let [fraction, count] = &found[..] else { return Run::default() };
        collect(run, &found, |window| {
            let total = value(count, *window)?;
            let good = value(fraction, *window).unwrap_or(1.0) * total;
            self.slice(Some(good), Some(total), Part::Good, *window)
        })
    }

    /// Events of one slice, and whether a part was more than the whole.
    fn slice(&self, part: Option<f64>, total: Option<f64>, is: Part, window: Window) -> Option<(Counts, bool)> {
        let share = window.length().as_secs_f64() / self.range.as_secs_f64();
        let total = total?.max(0.0) * share;
        let part = part.unwrap_or(0.0).max(0.0) * share;
        let within = part.min(total);
        let bad = if is == Part::Bad { within } else { total - within };
        Some((Counts { bad, total }, total < part && is == Part::Bad))
    }
}

/// The last slice of `run` that has events, where there is none of a part of them.
fn lacks_part(asked: &Asked, run: &[Window], questions: &[Question], answers: &Answers) -> Option<Window> {
    let (Asked::Ratio { .. }, [part, total]) = (asked, questions) else { return None };
    let [part, total] = [part, total].map(|question| answers.get(Some(question)));
    let there = |answer: &Answer, window: &Window| value(answer, *window).is_some();
    let is_absent = !run.iter().any(|window| there(part, window));
    run.iter().rfind(|window| is_absent && there(total, window)).copied()
}

fn collect(run: &[Window], found: &[&Answer], slice: impl Fn(&Window) -> Option<(Counts, bool)>) -> Run {
    let mut counted = Run::default();
    for window in run {
        let one = slice(window);
        if one.is_some_and(|(_, is_above)| is_above) {
            counted.remarks.insert(slices::BAD_ABOVE_TOTAL.to_owned());
        }
        counted.slices.push(one.map(|(counts, _)| counts));
    }
    let partial = found.iter().find_map(|answer| answer.partial.as_deref());
    counted.is_partial = partial.is_some();
    counted.remarks.extend(partial.and_then(|message| slices::words(&past::partial(message))));
    counted
}

/// What `answer` has at the end of `window`.
fn value(answer: &Answer, window: Window) -> Option<f64> {
    answer.series.iter().find_map(|series| finite(gauge::point(series, window.to)))
}

/// The sum over all spellings of `bound`.
fn bucket(answer: &Answer, bound: f64, window: Window) -> Option<f64> {
    let is_it = |le: &str| histogram::parse_bound(le).is_some_and(|one| one.total_cmp(&(bound + 0.0)).is_eq());
    let of_it = answer.series.iter().filter(|series| series.labels().get("le").is_some_and(is_it));
    let values = of_it.filter_map(|series| finite(gauge::point(series, window.to)));
    values.fold(None, |sum: Option<f64>, value| Some(sum.unwrap_or(0.0) + value))
}

fn finite(point: Point) -> Option<f64> {
    if let Point::Value(value) = point { Some(value) } else { None }
}
