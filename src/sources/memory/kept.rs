//! What is kept of one target, or of one probe.

use crate::series::Labels;
use crate::series::Matcher;
use crate::series::Sample;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::expr::Stored;
use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

/// A target's clock may be so far ahead, as for Prometheus; a sample from later is not kept.
const MAX_AHEAD: Duration = Duration::from_mins(10);
/// Series kept for each that one scrape may have, so that names that change with
/// every scrape do not fill the memory.
const SERIES_KEPT: usize = 4;
/// Scrapes that failed one after the other, the latest among them, from which on a
/// target is down: one alone may be chance, and coverage allows for it.
const DOWN_AFTER: usize = 2;
/// Memory that is over its limit is shortened by this share of the retention at a time.
const SHORTENING: u32 = 16;
/// Lost samples that are named; the others are counted.
const MAX_NAMED: usize = 3;

/// What was read of one scrape.
#[derive(Debug, Default)]
pub(in crate::sources) struct Read {
    pub(in crate::sources) samples: Vec<One>,
    pub(in crate::sources) unread: Lost,
}

/// One sample with its series.
#[derive(Debug)]
pub(in crate::sources) struct One {
    pub(in crate::sources) labels: Labels,
    pub(in crate::sources) value: f64,
    /// The target's own word for when it was so.
    pub(in crate::sources) at: Option<Timestamp>,
    pub(in crate::sources) line: usize,
}

/// Lines whose samples are not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::sources) struct Lost {
    pub(in crate::sources) count: usize,
    /// The first of them, each with its cause.
    named: Vec<String>,
}

impl Lost {
    /// One more, in words that begin with its line.
    pub(in crate::sources) fn add(&mut self, which: impl FnOnce() -> String) {
        self.count = self.count.saturating_add(1);
        if self.named.len() < MAX_NAMED {
            self.named.push(which());
        }
    }

    /// All of them in a sentence.
    pub(in crate::sources) fn text(&self) -> String {
        let more = if self.count > self.named.len() { ", …" } else { "" };
        let lines = if self.count == 1 { "line was" } else { "lines were" };
        format!("{} {lines} not read: {}{more}", self.count, self.named.join(", "))
    }
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(in crate::sources) struct Bounds {
    pub(in crate::sources) retention: Duration,
    pub(in crate::sources) max_series: usize,
    pub(in crate::sources) max_samples: usize,
}

/// How messages speak of whom a memory is about.
#[derive(Debug)]
pub(in crate::sources) struct Words {
    /// Who, such as `target 10.0.0.1:80`.
    pub(in crate::sources) subject: String,
    /// What happened to it in a gap, such as `was not scraped`.
    pub(in crate::sources) missed: &'static str,
    /// What to do where nothing is heard of it, for one whose `up` says so and that may
    /// expose any series; without it, silence is a gap and no more.
    pub(in crate::sources) silent: Option<&'static str>,
    /// What to do where more was asked for than is kept.
    pub(in crate::sources) short: &'static str,
}

/// What a target exposed, or a probe counted.
#[derive(Debug)]
pub(in crate::sources) struct Memory {
    words: Words,
    /// Labels of all its series.
    target: Labels,
    bounds: Bounds,
    series: BTreeMap<Labels, Ring>,
    samples: usize,
    /// Scrapes so far.
    scrapes: u64,
    /// Scrapes that lost something, in order.
    mishaps: VecDeque<Mishap>,
    /// Samples up to here were forgotten.
    forgotten: Option<Timestamp>,
}

/// The samples of one series, in strictly increasing time.
#[derive(Debug, Default)]
struct Ring {
    samples: VecDeque<Sample>,
    ends: VecDeque<Timestamp>,
    /// The last scrape that had it.
    scrape: u64,
    /// The target stamps its samples: then their absence is no end.
    is_stamped: bool,
}

#[derive(Debug)]
struct Mishap {
    at: Timestamp,
    /// Samples that should be there are not; else the whole scrape is a gap.
    lacks_samples: bool,
    text: String,
}

/// What a reader of an answer must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sources) struct Trouble {
    /// The answer lacks samples that were exposed or may have been; else there was
    /// a gap that coverage allows for.
    pub(in crate::sources) lacks_samples: bool,
    pub(in crate::sources) text: String,
}

impl Memory {
    /// Nothing yet of the target with the labels `target`.
    pub(in crate::sources) fn new(words: Words, target: Labels, bounds: Bounds) -> Self {
        let (series, mishaps) = (BTreeMap::new(), VecDeque::new());
        Self { words, target, bounds, series, samples: 0, scrapes: 0, mishaps, forgotten: None }
    }

    /// Takes what was begun at `at`: `own` values, which are there in a gap too, by
    /// name, and what was read or why nothing was. What of it was lost.
    pub(in crate::sources) fn take(
        &mut self,
        at: Timestamp,
        own: &[(&str, f64)],
        outcome: Result<Read, String>,
    ) -> Lost {
        self.scrapes += 1;
        let (read, failure) = match outcome {
            Ok(read) => (read, None),
            Err(failure) => (Read::default(), Some(failure)),
        };
        let mut lost = read.unread;
        for &(name, value) in own {
            let labels = self.own(name);
            if let Err(why) = self.push(One { labels, value, at: None, line: 0 }, at) {
                lost.add(|| format!("{name}: {why}"));
            }
        }
        for sample in read.samples {
            let line = sample.line;
            if let Err(why) = self.push(sample, at) {
                lost.add(|| format!("line {line}: {why}"));
            }
        }
        self.end_others(at);
        if let Some(text) = failure {
            self.mishaps.push_back(Mishap { at, lacks_samples: false, text });
        }
        if lost.count > 0 {
            self.mishaps.push_back(Mishap { at, lacks_samples: true, text: lost.text() });
        }
        self.trim(at);
        lost
    }

    /// Puts a whole series in as it is, whatever the bounds; one of the same labels goes.
    pub(in crate::sources) fn put(&mut self, stored: Stored) {
        let Stored { labels, samples, ends } = stored;
        let count = samples.len();
        let ring = Ring { samples: samples.into(), ends: ends.into(), scrape: self.scrapes, is_stamped: false };
        let before = self.series.insert(labels, ring);
        self.samples = self.samples.saturating_sub(before.map_or(0, |ring| ring.samples.len())).saturating_add(count);
    }

    fn push(&mut self, one: One, scraped: Timestamp) -> Result<(), &'static str> {
        let at = one.at.unwrap_or(scraped);
        if at > scraped + MAX_AHEAD {
            return Err("its timestamp lies in the future");
        }
        let ring = self.series.entry(one.labels).or_default();
        let again = ring.scrape == self.scrapes;
        ring.scrape = self.scrapes;
        ring.is_stamped = one.at.is_some();
        match ring.samples.back() {
            Some(last) if last.at == at && last.value.to_bits() == one.value.to_bits() => Ok(()),
            Some(last) if last.at == at && again => Err("the series is there twice, with two values"),
            Some(last) if last.at == at => Err("another value had this timestamp"),
            Some(last) if last.at > at => Err("its timestamp is before the last"),
            _ => {
                ring.samples.push_back(Sample { at, value: one.value });
                self.samples += 1;
                Ok(())
            }
        }
    }

    /// Series that the last scrape had and this one has not end here.
    fn end_others(&mut self, at: Timestamp) {
        for ring in self.series.values_mut() {
            if ring.scrape + 1 == self.scrapes && !ring.is_stamped {
                ring.ends.push_back(at);
            }
        }
    }

    /// Forgets what is older than is kept, or more, but not the scrape of `now`, which
    /// has limits of its own.
    fn trim(&mut self, now: Timestamp) {
        let mut kept = self.bounds.retention;
        self.forget(now - kept);
        for _ in 0..SHORTENING {
            let many = self.series.len() > self.bounds.max_series.saturating_mul(SERIES_KEPT);
            if !many && self.samples <= self.bounds.max_samples {
                break;
            }
            kept = kept.saturating_sub(self.bounds.retention / SHORTENING);
            self.forget(now - kept.max(Duration::from_millis(1)));
        }
    }

    /// Forgets everything up to `floor`.
    fn forget(&mut self, floor: Timestamp) {
        let before = self.samples;
        let kept = &mut self.samples;
        self.series.retain(|_, ring| {
            while ring.samples.front().is_some_and(|sample| sample.at <= floor) {
                ring.samples.pop_front();
                *kept = kept.saturating_sub(1);
            }
            while ring.ends.front().is_some_and(|end| *end <= floor) {
                ring.ends.pop_front();
            }
            !ring.samples.is_empty()
        });
        while self.mishaps.front().is_some_and(|mishap| mishap.at <= floor) {
            self.mishaps.pop_front();
        }
        if self.samples < before {
            self.forgotten = self.forgotten.max(Some(floor));
        }
    }

    /// The series that meet `matchers`, with their samples in `window`; none without.
    pub(in crate::sources) fn select(&self, matchers: &[Matcher], window: Window) -> Vec<Stored> {
        let met = self.series.iter().filter(|(labels, _)| matchers.iter().all(|one| one.is_met(labels)));
        let stored = |(labels, ring): (&Labels, &Ring)| {
            let begin = ring.samples.partition_point(|sample| sample.at <= window.from);
            let end = ring.samples.partition_point(|sample| sample.at <= window.to).max(begin);
            (begin < end).then(|| Stored {
                labels: labels.clone(),
                samples: ring.samples.range(begin..end).copied().collect(),
                ends: ring.ends.iter().copied().filter(|end| window.contains(*end)).collect(),
            })
        };
        met.filter_map(stored).collect()
    }

    /// What went wrong in `window`, or is not known at the end of one of `spans`, where
    /// the target's own labels leave it open that `matchers` mean it.
    pub(in crate::sources) fn trouble(
        &self,
        matchers: &[Matcher],
        window: Window,
        spans: &[Window],
    ) -> Option<Trouble> {
        let own = |one: &&Matcher| self.target.get(one.label()).is_some();
        if !matchers.iter().filter(own).all(|one| one.is_met(&self.target)) {
            return None;
        }
        let Words { subject, missed, silent, short } = &self.words;
        let lacking = |text: String| Some(Trouble { lacks_samples: true, text });
        let tries = self.series.get(&self.own("up"));
        let unheard = |span: &&Window| !tries.is_some_and(|tries| is_heard(tries, **span));
        if let Some((span, mend)) = spans.iter().find(unheard).zip(*silent) {
            let failed = |mishap: &&Mishap| !mishap.lacks_samples && span.contains(mishap.at);
            let why = match self.mishaps.iter().rfind(failed) {
                Some(mishap) => format!("{}; {mend}", mishap.text),
                None => format!("it {missed} yet, or what it showed is no longer kept"),
            };
            return lacking(format!("nothing is known of {subject}: {why}"));
        }
        if self.forgotten.is_some_and(|floor| window.from < floor) {
            return lacking(format!("what {subject} showed is not kept for as long as was asked; {short}"));
        }
        let within = || self.mishaps.iter().filter(|mishap| window.contains(mishap.at));
        if let Some(mishap) = within().rfind(|mishap| mishap.lacks_samples) {
            return lacking(format!("{subject}, asked at {}: {}", mishap.at, mishap.text));
        }
        // The same words at every look, so that they are told once.
        let text = format!("{subject} {missed} at times: {}", within().next_back()?.text);
        Some(Trouble { lacks_samples: false, text })
    }

    /// The labels of the series `name` that each scrape makes.
    fn own(&self, name: &str) -> Labels {
        let labels = self.target.iter().chain([("__name__", name)]);
        labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// Whether one of the last [`DOWN_AFTER`] scrapes in `span` went well, as `tries`, the
/// values of `up`, show it.
fn is_heard(tries: &Ring, span: Window) -> bool {
    let begin = tries.samples.partition_point(|one| one.at <= span.from);
    let end = tries.samples.partition_point(|one| one.at <= span.to).max(begin);
    tries.samples.range(begin..end).rev().take(DOWN_AFTER).any(|one| one.value > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Test;

    const OWN: [(&str, f64); 2] = [("up", 1.0), ("took", 0.1)];

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    fn memory(retention: u64, max_series: usize, max_samples: usize) -> Memory {
        let bounds = Bounds { retention: Duration::from_secs(retention), max_series, max_samples };
        let labels = [("pod".to_owned(), "a".to_owned())].into_iter().collect();
        let words = Words {
            subject: "target a".to_owned(),
            missed: "was not scraped",
            silent: Some("mend it"),
            short: "ask for less",
        };
        Memory::new(words, labels, bounds)
    }

    fn read(names: &[&str], value: f64) -> Read {
        let one = |name: &&str| One {
            labels: [("__name__".to_owned(), (*name).to_owned())].into_iter().collect(),
            value,
            at: None,
            line: 1,
        };
        Read { samples: names.iter().map(one).collect(), unread: Lost::default() }
    }

    fn named(name: &str) -> [Matcher; 1] {
        [Matcher::new("__name__", Test::Equal(name.to_owned()))]
    }

    fn seconds(memory: &Memory, name: &str) -> Vec<i64> {
        let found = memory.select(&named(name), Window { from: at(-1), to: at(1_000_000) });
        found.first().map_or_else(Vec::new, |one| one.samples.iter().map(|s| s.at.as_millis() / 1000).collect())
    }

    #[test]
    fn what_is_older_than_the_retention_is_forgotten() {
        let mut memory = memory(10, 100, 1000);
        for second in 0..25 {
            let names: &[&str] = if second < 5 { &["x", "gone"] } else { &["x"] };
            memory.take(at(second), &OWN, Ok(read(names, 1.0)));
        }
        assert_eq!(seconds(&memory, "x"), (15..25).collect::<Vec<_>>());
        assert!(seconds(&memory, "gone").is_empty());
        assert_eq!((memory.series.len(), memory.samples), (3, 30));
    }

    #[test]
    fn more_samples_than_the_limit_shorten_the_memory() {
        let mut memory = memory(1000, 100, 60);
        for second in 0..100 {
            memory.take(at(second), &OWN, Ok(read(&["x"], 1.0)));
            assert!(memory.samples <= 60, "{}", memory.samples);
        }
        let kept = seconds(&memory, "x");
        assert!(kept.last() == Some(&99) && kept.is_sorted() && !kept.is_empty(), "{kept:?}");
    }

    #[test]
    fn names_that_change_with_every_scrape_do_not_fill_the_memory() {
        let mut memory = memory(1000, 10, 1_000_000);
        for second in 0..200 {
            let names: Vec<String> = (0..10).map(|k| format!("x{second}_{k}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            memory.take(at(second), &OWN, Ok(read(&names, 1.0)));
        }
        assert!(memory.series.len() <= 10 * SERIES_KEPT, "{}", memory.series.len());
    }

    #[test]
    fn the_latest_scrape_is_kept_whatever_the_limit() {
        let mut memory = memory(1000, 100, 3);
        for second in 0..10 {
            memory.take(at(second), &OWN, Ok(read(&["x", "y"], 1.0)));
            assert_eq!((seconds(&memory, "x"), memory.samples), (vec![second], 4));
        }
    }

    #[test]
    fn a_question_that_reaches_further_back_than_the_memory_is_told_so() {
        let mut memory = memory(10, 100, 1000);
        let told = |memory: &Memory, from, to| memory.trouble(&[], Window { from: at(from), to: at(to) }, &[]);
        for second in 0..10 {
            memory.take(at(second), &OWN, Ok(read(&["x"], 1.0)));
        }
        // Nothing was forgotten: there was nothing before.
        assert_eq!(told(&memory, -50, 9), None);
        for second in 10..25 {
            memory.take(at(second), &OWN, Ok(read(&["x"], 1.0)));
        }
        assert_eq!(told(&memory, 14, 24), None);
        let trouble = told(&memory, 13, 24).unwrap();
        assert!(trouble.lacks_samples && trouble.text.ends_with("; ask for less"), "{}", trouble.text);
    }

    #[test]
    fn a_clock_that_goes_back_is_told_and_loses_nothing() {
        let mut memory = memory(100, 10, 1000);
        memory.take(at(50), &OWN, Ok(read(&["x"], 1.0)));
        let lost = memory.take(at(40), &OWN, Ok(read(&["x"], 2.0)));
        assert_eq!(lost.count, 3, "{}", lost.text());
        assert_eq!(seconds(&memory, "x"), [50]);
        assert!(memory.trouble(&[], Window { from: at(30), to: at(40) }, &[]).unwrap().lacks_samples);
    }
}
