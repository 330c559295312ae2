//! A source in memory that answers PromQL as Prometheus does, as far as is asked here.

use promql_parser::parser::Expr;
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
        let (name, rest) = series.split_once('{').unwrap();
        let pairs = rest.trim_end_matches('}').split(',').map(|pair| pair.split_once('=').unwrap());
        let labels = pairs.chain([("__name__", name)]).map(|(label, value)| (label.to_owned(), value.to_owned()));
        let samples = samples.into_iter().map(|(second, value)| Sample { at: at(second), value }).collect();
        self.series.push((labels.collect(), samples));
    }

    /// Forgets what series with `label` = `value` have after `second`.
    pub(crate) fn remove(&mut self, label: &str, value: &str, second: i64) {
        for (labels, samples) in &mut self.series {
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
        let matches = |labels: &Labels| {
            let own = selector.name.iter().all(|name| labels.get("__name__") == Some(name));
            own && selector.matchers.matchers.iter().all(|one| one.is_match(labels.get(&one.name).unwrap_or("")))
        };
        let within = |samples: &[Sample]| samples.iter().copied().filter(|s| window.contains(s.at)).collect::<Vec<_>>();
        let found = self.series.iter().filter(|(labels, _)| matches(labels));
        found.map(|(labels, all)| (labels.clone(), within(all))).filter(|(_, samples)| !samples.is_empty()).collect()
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a query that this cannot answer fails its test")]
    fn at(&self, expr: &Expr, at: Timestamp) -> Instant {
        let range = |expr: &Expr| match expr {
            Expr::MatrixSelector(matrix) => self.select(&matrix.vs, Window { from: at - matrix.range, to: at }),
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
                let values: Vec<f64> = self.at(&aggregate.expr, at).into_iter().map(|(_, value)| value).collect();
                let one = match aggregate.op.to_string().as_str() {
                    "count" => length(&values),
                    "sum" => values.iter().sum(),
                    name => panic!("no aggregation {name}"),
                };
                if values.is_empty() { Vec::new() } else { vec![(Labels::default(), one)] }
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
        Ok(Answer { series, partial: self.partial.clone(), remarks: self.remarks.clone() })
    }
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
