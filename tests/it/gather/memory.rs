//! A source in memory that answers PromQL as Prometheus does, as far as is asked here.

use promql_parser::parser::Expr;
use promql_parser::parser::LabelModifier;
use promql_parser::parser::VectorSelector;
use promql_parser::parser::parse;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use wavegate::series::Labels;
use wavegate::series::Sample;
use wavegate::series::Series;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::series::native;
use wavegate::series::native::Bucket;
use wavegate::series::native::Histogram;
use wavegate::series::native::Histograms;
use wavegate::sources::Answer;
use wavegate::sources::Asked;
use wavegate::sources::Error;
use wavegate::sources::Excess;
use wavegate::sources::Grid;
use wavegate::sources::Pending;
use wavegate::sources::Source;

/// How far back Prometheus looks for the last sample of a series.
const LOOKBACK: Duration = Duration::from_mins(5);

#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) series: Vec<(Labels, Vec<Sample>)>,
    pub(crate) native: Vec<(Labels, Vec<native::Sample>)>,
    pub(crate) partial: Option<String>,
    pub(crate) remarks: Vec<String>,
    /// Answers come in the opposite order.
    pub(crate) is_reversed: bool,
    /// Larger answers are refused.
    pub(crate) max_samples: Option<usize>,
    /// The questions so far, in order.
    pub(crate) asked: Mutex<Vec<String>>,
}

type Instant = Vec<(Labels, f64)>;

/// The instant `second` seconds after the epoch.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(second * 1000)
}

/// A counter scraped every 15 s from `first` to `last` that grows by `by` a scrape.
pub(crate) fn scrapes(first: i64, last: i64, by: f64) -> Vec<(i64, f64)> {
    let mut value = 0.0;
    let grow = |second| {
        value += by;
        (second, value)
    };
    (first..=last).step_by(15).map(grow).collect()
}

impl Memory {
    /// Adds `name{label=value,…}` with its samples by second.
    pub(crate) fn add(&mut self, series: &str, samples: Vec<(i64, f64)>) {
        let samples = samples.into_iter().map(|(second, value)| Sample { at: at(second), value }).collect();
        self.series.push((labels(series), samples));
    }

    /// As [`Memory::add`], of native histograms whose buckets are `(k, k + 1]` times `width`.
    pub(crate) fn add_native(&mut self, series: &str, width: f64, samples: Vec<(i64, [f64; 3])>) {
        let bucket = |(left, events): (f64, f64)| Bucket {
            left: left * width,
            right: (left + 1.0) * width,
            is_closed: false,
            events,
        };
        let sample = |(second, events): (i64, [f64; 3])| {
            let buckets: Vec<Bucket> = [0.0, 1.0, 2.0].into_iter().zip(events).map(bucket).collect();
            native::Sample { at: at(second), histogram: Histogram::new(events.iter().sum(), &buckets).unwrap() }
        };
        self.native.push((labels(series), samples.into_iter().map(sample).collect()));
    }

    /// Forgets what series with `label` = `value` have after `second`.
    pub(crate) fn remove(&mut self, label: &str, value: &str, second: i64) {
        for (labels, samples) in &mut self.series {
            if labels.get(label) == Some(value) {
                samples.retain(|sample| sample.at <= at(second));
            }
        }
        for (labels, samples) in &mut self.native {
            if labels.get(label) == Some(value) {
                samples.retain(|sample| sample.at <= at(second));
            }
        }
    }

    /// The questions so far, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn select(&self, selector: &VectorSelector, window: Window) -> Vec<(Labels, Vec<Sample>)> {
        let within = |samples: &[Sample]| samples.iter().copied().filter(|s| window.contains(s.at)).collect::<Vec<_>>();
        let found = self.series.iter().filter(|(labels, _)| matches(selector, labels));
        found.map(|(labels, all)| (labels.clone(), within(all))).filter(|(_, samples)| !samples.is_empty()).collect()
    }

    fn select_native(&self, selector: &VectorSelector, window: Window) -> Vec<Histograms> {
        let within = |samples: &[native::Sample]| samples.iter().filter(|s| window.contains(s.at)).cloned().collect();
        let found = self.native.iter().filter(|(labels, _)| matches(selector, labels));
        let found = found.map(|(labels, all)| (labels.clone(), within(all)));
        let found = found.filter(|(_, samples): &(Labels, Vec<native::Sample>)| !samples.is_empty());
        found.map(|(labels, samples)| Histograms::new(labels, samples)).collect()
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a query that this cannot answer fails its test")]
    fn at(&self, expr: &Expr, at: Timestamp) -> Instant {
        let range = |expr: &Expr| match expr {
            Expr::MatrixSelector(matrix) => {
                let window = Window { from: at - matrix.range, to: at };
                let native = self.select_native(&matrix.vs, window);
                let native = native.iter().map(|one| (one.counts().labels().clone(), one.counts().samples().to_vec()));
                self.select(&matrix.vs, window).into_iter().chain(native).collect::<Vec<_>>()
            }
            _ => panic!("no range: {expr}"),
        };
        let last = |samples: &[Sample]| samples.last().map(|sample| sample.value);
        match expr {
            Expr::Paren(inner) => self.at(&inner.expr, at),
            Expr::VectorSelector(selector) => {
                let found = self.select(selector, Window { from: at - LOOKBACK, to: at });
                found.into_iter().filter_map(|(labels, samples)| Some((labels, last(&samples)?))).collect()
            }
            Expr::Call(call) => {
                let found = range(&call.args.args[0]).into_iter();
                match call.func.name {
                    "last_over_time" => found.filter_map(|(labels, s)| Some((labels, last(&s)?))).collect(),
                    "count_over_time" => found.map(|(labels, s)| (labels.without("__name__"), length(&s))).collect(),
                    // The difference will do: nothing here rests on its value.
                    "rate" => found.map(|(labels, s)| (labels.without("__name__"), length(&s))).collect(),
                    name => panic!("no function {name}"),
                }
            }
            Expr::Aggregate(aggregate) => {
                let by = match &aggregate.modifier {
                    Some(LabelModifier::Include(by)) => by.labels.clone(),
                    Some(LabelModifier::Exclude(_)) => panic!("not evaluated here: {expr}"),
                    None => Vec::new(),
                };
                let mut groups: BTreeMap<Labels, Vec<f64>> = BTreeMap::new();
                for (labels, value) in self.at(&aggregate.expr, at) {
                    let named = by.iter().filter_map(|label| Some((label.clone(), labels.get(label)?.to_owned())));
                    groups.entry(named.collect()).or_default().push(value);
                }
                let one = |values: Vec<f64>| match aggregate.op.to_string().as_str() {
                    "count" => length(&values),
                    "sum" => values.iter().sum(),
                    name => panic!("no aggregation {name}"),
                };
                groups.into_iter().map(|(labels, values)| (labels, one(values))).collect()
            }
            _ => panic!("not evaluated here: {expr}"),
        }
    }

    fn answer(&self, query: &str, span: &str, series: BTreeMap<Labels, Vec<Sample>>) -> Result<Answer, Error> {
        self.asked.lock().unwrap().push(format!("{query} {span}"));
        let samples = series.values().map(Vec::len).sum::<usize>();
        if let Some(limit) = self.max_samples.filter(|limit| samples > *limit) {
            let asked = Asked { source: "memory".to_owned(), query: query.to_owned() };
            return Err(Error::TooLarge { asked, excess: Excess::Samples(limit) });
        }
        let mut series: Vec<Series> = series.into_iter().map(|(labels, all)| Series::new(labels, all)).collect();
        if self.is_reversed {
            series.reverse();
        }
        Ok(Answer { series, native: Vec::new(), partial: self.partial.clone(), remarks: self.remarks.clone() })
    }
}

/// `name{label=value,…}` as labels.
fn labels(series: &str) -> Labels {
    let (name, rest) = series.split_once('{').unwrap();
    let pairs = rest.trim_end_matches('}').split(',').map(|pair| pair.split_once('=').unwrap());
    pairs.chain([("__name__", name)]).map(|(label, value)| (label.to_owned(), value.to_owned())).collect()
}

fn matches(selector: &VectorSelector, labels: &Labels) -> bool {
    let own = selector.name.iter().all(|name| labels.get("__name__") == Some(name));
    own && selector.matchers.matchers.iter().all(|one| one.is_match(labels.get(&one.name).unwrap_or("")))
}

fn length<T>(of: &[T]) -> f64 {
    f64::from(u32::try_from(of.len()).unwrap())
}

impl Source for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn raw<'a>(&'a self, selector: &'a str, window: Window) -> Pending<'a, Result<Answer, Error>> {
        let Expr::VectorSelector(parsed) = parse(selector).unwrap() else { panic!("no selector: {selector}") };
        let found = self.select(&parsed, window).into_iter().collect();
        let answer = self.answer(selector, &format!("in {window:?}"), found);
        let mut native = self.select_native(&parsed, window);
        native.sort_by(|a, b| a.counts().labels().cmp(b.counts().labels()));
        if self.is_reversed {
            native.reverse();
        }
        let answer = answer.map(|answer| Answer { native, ..answer });
        Box::pin(std::future::ready(answer))
    }

    fn grid<'a>(&'a self, expr: &'a str, grid: Grid) -> Pending<'a, Result<Answer, Error>> {
        let parsed = parse(expr).unwrap();
        let mut found: BTreeMap<Labels, Vec<Sample>> = BTreeMap::new();
        let mut point = grid.from;
        while point <= grid.to {
            for (labels, value) in self.at(&parsed, point) {
                found.entry(labels).or_default().push(Sample { at: point, value });
            }
            point = point + grid.step;
        }
        let answer = self.answer(expr, &format!("on {grid:?}"), found);
        Box::pin(std::future::ready(answer))
    }
}
