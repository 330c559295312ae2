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

/// What a target exposed, or a probe counted.
#[derive(Debug)]
pub(in crate::sources) struct Memory {
    /// What messages call it, such as `target 10.0.0.1:80`.
    subject: String,
    /// What happened to it in a gap, such as `was not scraped`.
    missed: &'static str,
    /// Labels of all its series.
    target: Labels,
    bounds: Bounds,
    series: BTreeMap<Labels, Ring>,
    samples: usize,
    /// Scrapes so far.
    scrapes: u64,
    /// Scrapes that lost something, in order.
    mishaps: VecDeque<Mishap>,
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
    /// The answer lacks samples that were exposed; else there is a gap, and
    /// coverage shows it.
    pub(in crate::sources) lacks_samples: bool,
    pub(in crate::sources) text: String,
}

impl Memory {
    /// Nothing yet of the target with the labels `target`, which messages call `subject`
    /// and of which they say in a gap that it `missed`.
    pub(in crate::sources) fn new(subject: String, missed: &'static str, target: Labels, bounds: Bounds) -> Self {
        Self {
            subject,
            missed,
            target,
            bounds,
            series: BTreeMap::new(),
            samples: 0,
            scrapes: 0,
            mishaps: VecDeque::new(),
        }
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
            let labels = self.target.iter().chain([("__name__", name)]);
            let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
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

    /// Forgets what is older than is kept, or more.
    fn trim(&mut self, now: Timestamp) {
        let mut kept = self.bounds.retention;
        self.forget(now - kept);
        for _ in 0..SHORTENING {
            let many = self.series.len() > self.bounds.max_series.saturating_mul(SERIES_KEPT);
            if !many && self.samples <= self.bounds.max_samples {
                break;
            }
            kept = kept.saturating_sub(self.bounds.retention / SHORTENING);
            self.forget(now - kept);
        }
    }

    /// Forgets everything up to `floor`.
    fn forget(&mut self, floor: Timestamp) {
        let forgotten = &mut self.samples;
        self.series.retain(|_, ring| {
            while ring.samples.front().is_some_and(|sample| sample.at <= floor) {
                ring.samples.pop_front();
                *forgotten = forgotten.saturating_sub(1);
            }
            while ring.ends.front().is_some_and(|end| *end <= floor) {
                ring.ends.pop_front();
            }
            !ring.samples.is_empty()
        });
        while self.mishaps.front().is_some_and(|mishap| mishap.at <= floor) {
            self.mishaps.pop_front();
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

    /// What went wrong in `window`, where the target's own labels leave it open that
    /// `matchers` mean it.
    pub(in crate::sources) fn trouble(&self, matchers: &[Matcher], window: Window) -> Option<Trouble> {
        let own = |one: &&Matcher| self.target.get(one.label()).is_some();
        if !matchers.iter().filter(own).all(|one| one.is_met(&self.target)) {
            return None;
        }
        let within = || self.mishaps.iter().filter(|mishap| window.contains(mishap.at));
        // The last of the worse kind.
        let (mishap, lacks_samples) = match within().rfind(|mishap| mishap.lacks_samples) {
            Some(mishap) => (mishap, true),
            None => (within().next_back()?, false),
        };
        let times = within().filter(|other| other.lacks_samples == lacks_samples).count();
        let (subject, missed) = (&self.subject, self.missed);
        let text = if lacks_samples {
            format!("{subject}, asked at {}: {}", mishap.at, mishap.text)
        } else {
            format!("{subject} {missed}, {times} times, the last at {}: {}", mishap.at, mishap.text)
        };
        Some(Trouble { lacks_samples, text })
    }
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
        Memory::new("target a".to_owned(), "was not scraped", labels, bounds)
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
    fn a_clock_that_goes_back_is_told_and_loses_nothing() {
        let mut memory = memory(100, 10, 1000);
        memory.take(at(50), &OWN, Ok(read(&["x"], 1.0)));
        let lost = memory.take(at(40), &OWN, Ok(read(&["x"], 2.0)));
        assert_eq!(lost.count, 3, "{}", lost.text());
        assert_eq!(seconds(&memory, "x"), [50]);
        assert!(memory.trouble(&[], Window { from: at(30), to: at(40) }).unwrap().lacks_samples);
    }
}
