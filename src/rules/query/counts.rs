//! Queries of other tools as what they count by: plain selectors.
//!
//! Other tools write `sum(rate(errors_total[5m]))`, and mean the counter in it. What an
//! SLO of ours names is that counter, since increments are counted from raw samples over
//! whatever window is asked. A query that is anything but sums of increments, or one of
//! them less another, has no counter that it could be named by.

use crate::rules::query::cohort::BoundMatchers;
use crate::rules::query::cohort::MatchOp;
use crate::rules::query::cohort::Matcher;
use crate::rules::query::promql::unwrapped;
use crate::rules::query::scan;
use crate::rules::query::selector::Selector;
use promql_parser::parser::AggregateExpr;
use promql_parser::parser::BinaryExpr;
use promql_parser::parser::Call;
use promql_parser::parser::Expr;
use promql_parser::parser::LabelModifier;
use promql_parser::parser::MatrixSelector;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

/// What a query counts, and what was said beside it.
#[derive(Clone, Debug)]
pub(in crate::rules) struct Counting {
    pub(in crate::rules) counted: Counted,
    /// What was summed.
    pub(in crate::rules) said: Said,
}

/// What a query says that its counters do not.
#[derive(Clone, Debug, Default)]
pub(in crate::rules) struct Said {
    /// It kept these labels apart.
    pub(in crate::rules) grouped: BTreeSet<String>,
    /// It had ranges of its own.
    pub(in crate::rules) fixed: BTreeSet<Duration>,
}

/// What is counted.
#[derive(Clone, Debug)]
pub(in crate::rules) enum Counted {
    /// The increments of a counter.
    Increments(Selector),
    /// The samples of a gauge.
    Samples(Selector),
    /// The values of a gauge's samples, added up.
    Values(Selector),
    /// What the first has more than the second.
    Less(Box<Counted>, Box<Counted>),
}

/// A share: some events of all.
#[derive(Clone, Debug)]
pub(in crate::rules) struct Share {
    pub(in crate::rules) some: Counting,
    pub(in crate::rules) all: Counting,
    /// It was taken from 1.
    pub(in crate::rules) of_others: bool,
}

/// What an SLO of ours counts, as text of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rules) enum Counters {
    Bad { bad: String, total: String },
    Good { good: String, total: String },
    Latency { histogram: String, threshold: String },
    Up { gauge: String },
}

/// What `query` counts; `$interval` stands for the window.
///
/// # Errors
/// In words: why no counter stands for it.
pub(in crate::rules) fn counting(query: &str) -> Result<Counting, String> {
    let mut said = Said::default();
    let window = tree(query)?;
    let counted = reduce(&window.0, window.1, &mut said)?;
    Ok(Counting { counted, said })
}

/// What `query`, which gives a ratio, divides.
///
/// # Errors
/// In words: it is no quotient of counts.
pub(in crate::rules) fn share(query: &str) -> Result<Share, String> {
    let (tree, window) = tree(query)?;
    let whole = unwrapped(&tree);
    let (quotient, of_others) = if let Expr::Binary(binary) = whole
        && binary.op.to_string() == "-"
        && number(&binary.lhs) == Some(1.0)
    {
        (unwrapped(&binary.rhs), true)
    } else {
        (whole, false)
    };
    let Expr::Binary(division) = quotient else { return Err(NO_QUOTIENT.to_owned()) };
    if division.op.to_string() != "/" {
        return Err(NO_QUOTIENT.to_owned());
    }
    let part = |expr: &Expr| {
        let mut said = Said::default();
        Ok::<_, String>(Counting { counted: reduce(expr, window, &mut said)?, said })
    };
    Ok(Share { some: part(&division.lhs)?, all: part(&division.rhs)?, of_others })
}

const NO_QUOTIENT: &str =
    "it gives a ratio that is not a quotient of two counts, and a ratio alone has no counts in it";

/// What an SLO with these bad events counts.
///
/// # Errors
/// In words: no indicator of ours says it.
pub(in crate::rules) fn of_bad(bad: &Counted, total: &Counted) -> Result<Counters, String> {
    match (bad, total) {
        (Counted::Increments(bad), Counted::Increments(total)) => {
            Ok(Counters::Bad { bad: written(bad), total: written(total) })
        }
        (Counted::Less(all, good), total) => {
            if !same(all, total) {
                return Err("its bad events are taken from others than its total".to_owned());
            }
            of_good(good, total)
        }
        _ => Err(NO_PAIR.to_owned()),
    }
}

const NO_PAIR: &str = "its two queries do not count alike: both must count the increments of counters";

/// What an SLO with these good events counts.
///
/// # Errors
/// In words: no indicator of ours says it.
pub(in crate::rules) fn of_good(good: &Counted, total: &Counted) -> Result<Counters, String> {
    match (good, total) {
        (Counted::Increments(good), Counted::Increments(total)) => {
            if let (Some((histogram, le)), Some(all)) = (good.bucket(), total.all_of_histogram())
                && histogram.is_same(&all)
            {
                return Ok(Counters::Latency { histogram: written(&histogram), threshold: le });
            }
            Ok(Counters::Good { good: written(good), total: written(total) })
        }
        (Counted::Values(good), Counted::Samples(total)) if good.is_same(total) => {
            Ok(Counters::Up { gauge: written(total) })
        }
        (Counted::Less(all, bad), total) if same(all, total) => of_bad(bad, total),
        _ => Err(NO_PAIR.to_owned()),
    }
}

fn same(one: &Counted, other: &Counted) -> bool {
    match (one, other) {
        (Counted::Increments(one), Counted::Increments(other)) => {
            let of_one_histogram = one.all_of_histogram().zip(other.all_of_histogram());
            one.is_same(other) || of_one_histogram.is_some_and(|(one, other)| one.is_same(&other))
        }
        (Counted::Samples(one), Counted::Samples(other)) | (Counted::Values(one), Counted::Values(other)) => {
            one.is_same(other)
        }
        _ => false,
    }
}

/// The tree of `query`, and what stands for `$interval` in it.
fn tree(query: &str) -> Result<(Expr, Duration), String> {
    let scanned = scan::query(query, &[])
        .map_err(|faults| faults.first().map_or_else(String::new, |fault| format!("its query: {}", fault.message)))?;
    let tree = promql_parser::parser::parse(&scanned.text)
        .map_err(|message| format!("its query: {}", scanned.refusal(&message).message))?;
    Ok((tree, scanned.placeholder))
}

/// What `expr` counts. The scanner's bound on tokens bounds the recursion.
fn reduce(expr: &Expr, window: Duration, said: &mut Said) -> Result<Counted, String> {
    match expr {
        Expr::Paren(paren) => reduce(&paren.expr, window, said),
        Expr::Aggregate(aggregate) => summed(aggregate, window, said),
        Expr::Call(call) => called(call, window, said),
        Expr::Binary(binary) => joined(binary, window, said),
        Expr::VectorSelector(selector) => {
            let selector = Selector::of(selector).map_err(|fault| fault.message)?;
            Ok(Counted::Increments(selector))
        }
        Expr::Unary(_)
        | Expr::Subquery(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::MatrixSelector(_)
        | Expr::Extension(_) => Err("it is more than sums of a counter's increments".to_owned()),
    }
}

fn summed(aggregate: &AggregateExpr, window: Duration, said: &mut Said) -> Result<Counted, String> {
    let operator = aggregate.op.to_string();
    if operator != "sum" {
        return Err(format!("it aggregates by `{operator}`, and events are counted by `sum`"));
    }
    match &aggregate.modifier {
        Some(LabelModifier::Include(labels)) => said.grouped.extend(labels.labels.iter().cloned()),
        Some(LabelModifier::Exclude(labels)) => {
            said.grouped.insert(format!("all but {}", labels.labels.join(", ")));
        }
        None => {}
    }
    reduce(&aggregate.expr, window, said)
}

fn called(call: &Call, window: Duration, said: &mut Said) -> Result<Counted, String> {
    let name = call.func.name;
    let arguments = &call.args.args;
    let counted: fn(Selector) -> Counted = match (name, arguments.as_slice()) {
        // What bounds a difference that cannot be below 0.
        ("clamp_min", [inner, least]) if number(least) == Some(0.0) => return reduce(inner, window, said),
        ("rate" | "increase", _) => Counted::Increments,
        ("count_over_time", _) => Counted::Samples,
        ("sum_over_time", _) => Counted::Values,
        ("delta" | "idelta" | "irate", _) => {
            return Err(format!("it asks `{name}`, which does not count every event of a window"));
        }
        _ => return Err(format!("it asks `{name}`, and a count of events is a sum of `rate` or `increase`")),
    };
    let [argument] = arguments.as_slice() else { return Err(format!("`{name}` has not one argument")) };
    let Expr::MatrixSelector(MatrixSelector { vs, range }) = unwrapped(argument) else {
        return Err(format!("`{name}` is of an expression, not of a plain selector"));
    };
    if *range != window {
        said.fixed.insert(*range);
    }
    Ok(counted(Selector::of(vs).map_err(|fault| fault.message)?))
}

fn joined(binary: &BinaryExpr, window: Duration, said: &mut Said) -> Result<Counted, String> {
    let operator = binary.op.to_string();
    match operator.as_str() {
        // A series that is not there counts as 0 here without being told.
        "or" if is_zero(&binary.rhs) => reduce(&binary.lhs, window, said),
        "-" => {
            let all = reduce(&binary.lhs, window, said)?;
            let some = reduce(&binary.rhs, window, said)?;
            Ok(Counted::Less(Box::new(all), Box::new(some)))
        }
        "+" => Err("it adds two counters, and here one selector names all that is counted".to_owned()),
        _ => Err(format!("it joins by `{operator}`, and counts are at most one less another")),
    }
}

/// Whether `expr` is 0 whatever was observed: `vector(0)`, `0 * …`.
fn is_zero(expr: &Expr) -> bool {
    let zero = |side: &Expr| number(side) == Some(0.0);
    if let Expr::Call(call) = unwrapped(expr) {
        return call.func.name == "vector" && call.args.args.first().is_some_and(|inner| zero(inner));
    }
    if let Expr::Binary(binary) = unwrapped(expr) {
        return binary.op.to_string() == "*" && (zero(&binary.lhs) || zero(&binary.rhs));
    }
    false
}

fn number(expr: &Expr) -> Option<f64> {
    if let Expr::NumberLiteral(literal) = unwrapped(expr) { Some(literal.val) } else { None }
}

/// `selector` as text of a file of ours. From version 3 on Prometheus keeps the bound of a
/// bucket as a number with a point, whatever the exposition says.
pub(in crate::rules) fn written(selector: &Selector) -> String {
    selector.with_numeric_bounds().bind(&BoundMatchers::of_params(BTreeMap::new()))
}

/// A bound as a classic histogram may write it, of a number at least 0: `1`, `1.0`, `1e+06`.
pub(in crate::rules) fn bounds_written(bound: f64) -> Vec<String> {
    let mut texts = vec![bound.to_string()];
    if bound.fract() == 0.0 {
        texts.push(format!("{bound}.0"));
    }
    // As Go writes numbers, with a sign and two digits at least; beyond the sizes at which it
    // and others begin to.
    if bound != 0.0 && !(1e-4..1e6).contains(&bound) {
        let short = format!("{bound:e}");
        if let Some((digits, power)) = short.split_once('e') {
            let (sign, power) = power.strip_prefix('-').map_or(('+', power), |power| ('-', power));
            texts.push(format!("{digits}e{sign}{power:0>2}"));
        }
    }
    texts
}

/// A regular expression that is met by each of `texts`, which are numbers, and by nothing else.
pub(in crate::rules) fn any_of(texts: &[String]) -> String {
    let escaped = |text: &String| text.replace('.', "\\.").replace('+', "\\+");
    texts.iter().map(escaped).collect::<Vec<_>>().join("|")
}

impl Selector {
    /// Whether both pick the same series by the same words.
    fn is_same(&self, other: &Self) -> bool {
        let sorted = |selector: &Self| {
            let mut matchers = selector.matchers().to_vec();
            matchers.sort();
            matchers.dedup();
            matchers
        };
        self.metric() == other.metric() && sorted(self) == sorted(other)
    }

    /// The histogram whose bucket this is, and its bound.
    fn bucket(&self) -> Option<(Self, String)> {
        let histogram = self.metric().strip_suffix("_bucket")?;
        let (bounds, others): (Vec<Matcher>, Vec<Matcher>) =
            self.matchers().iter().cloned().partition(|matcher| matcher.label == "le");
        let [bound] = bounds.as_slice() else { return None };
        let bound = bound_of(bound)?;
        Some((Self::made(histogram, others), bound.to_string()))
    }

    /// The histogram all of whose events this counts.
    fn all_of_histogram(&self) -> Option<Self> {
        if let Some(histogram) = self.metric().strip_suffix("_count") {
            return Some(Self::made(histogram, self.matchers().to_vec()));
        }
        let histogram = self.metric().strip_suffix("_bucket")?;
        let endless = |matcher: &Matcher| matcher.label == "le" && matcher.value == "+Inf";
        let (bounds, others): (Vec<Matcher>, Vec<Matcher>) = self.matchers().iter().cloned().partition(endless);
        (bounds.len() == 1 && bounds[0].op == MatchOp::Equal).then(|| Self::made(histogram, others))
    }

    /// The buckets of this histogram that hold what is at most `bound`.
    pub(in crate::rules) fn bucket_within(&self, bound: f64) -> Self {
        let texts = bounds_written(bound);
        let (op, value) = match texts.as_slice() {
            [only] => (MatchOp::Equal, only.clone()),
            _ => (MatchOp::Regex, any_of(&texts)),
        };
        let mut matchers = self.matchers().to_vec();
        matchers.push(Matcher { label: "le".to_owned(), op, value });
        Self::made(&format!("{}_bucket", self.metric()), matchers)
    }

    /// The counter of all events of this histogram.
    pub(in crate::rules) fn count_of_all(&self) -> Self {
        Self::made(&format!("{}_count", self.metric()), self.matchers().to_vec())
    }

    fn with_numeric_bounds(&self) -> Self {
        let matchers = self.matchers().iter().map(|matcher| match bound_of(matcher) {
            Some(bound) if matcher.label == "le" && matcher.op == MatchOp::Equal && bound.fract() == 0.0 => {
                let value = any_of(&bounds_written(bound));
                Matcher { label: matcher.label.clone(), op: MatchOp::Regex, value }
            }
            _ => matcher.clone(),
        });
        Self::made(self.metric(), matchers.collect())
    }
}

/// The bound that `matcher` asks for: one number, also where it is written in several ways.
fn bound_of(matcher: &Matcher) -> Option<f64> {
    let number = |text: &str| text.replace('\\', "").parse().ok().filter(|n: &f64| n.is_finite() && *n >= 0.0);
    match matcher.op {
        MatchOp::Equal => number(&matcher.value),
        MatchOp::Regex => {
            let plain = matcher.value.trim_start_matches('(').trim_end_matches(')');
            let bounds: Option<Vec<f64>> = plain.split('|').map(number).collect();
            let bounds = bounds?;
            let first = bounds.first().copied()?;
            bounds.iter().all(|bound| bound.total_cmp(&first).is_eq()).then_some(first)
        }
        MatchOp::NotEqual | MatchOp::NotRegex => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(counters: Result<Counters, String>) -> String {
        match counters {
            Ok(Counters::Bad { bad, total }) => format!("bad {bad} of {total}"),
            Ok(Counters::Good { good, total }) => format!("good {good} of {total}"),
            Ok(Counters::Latency { histogram, threshold }) => format!("{histogram} within {threshold}"),
            Ok(Counters::Up { gauge }) => format!("up {gauge}"),
            Err(why) => why,
        }
    }

    fn pair(bad: &str, total: &str) -> String {
        let read = counting(bad).and_then(|bad| of_bad(&bad.counted, &counting(total)?.counted));
        shown(read)
    }

    #[test]
    fn a_sum_of_increments_is_its_counter() {
        for (bad, total, expect) in [
            ("sum(rate(e_total[$interval]))", "sum(rate(a_total[$interval]))", "bad e_total of a_total"),
            ("increase(a{c='5'}[$interval])", "(increase(a[$interval]))", "bad a{c=\"5\"} of a"),
            ("sum(rate(e[$interval])) or vector(0)", "sum(rate(a[$interval]))", "bad e of a"),
            ("sum(rate(e[5m])) or 0 * sum(rate(a[5m]))", "a", "bad e of a"),
            (
                "sum(rate(h_count{j='x'}[$interval])) - sum(rate(h_bucket{le='0.3',j='x'}[$interval]))",
                "sum(rate(h_count{j='x'}[$interval]))",
                "h{j=\"x\"} within 0.3",
            ),
            (
                "sum(rate(h_bucket{le='+Inf'}[$interval])) - sum(rate(h_bucket{le=~'1|1.0'}[$interval]))",
                "sum(rate(h_count[$interval]))",
                "h within 1",
            ),
            (
                "sum(rate(h_count[$interval])) - sum(rate(h_bucket{le='1',c!='5'}[$interval]))",
                "sum(rate(h_count[$interval]))",
                "good h_bucket{le=~\"1|1\\\\.0\",c!=\"5\"} of h_count",
            ),
            (
                "clamp_min(sum(count_over_time(up{j='x'}[5m])) - sum(sum_over_time(up{j='x'}[5m])), 0)",
                "sum(count_over_time(up{j='x'}[5m]))",
                "up up{j=\"x\"}",
            ),
        ] {
            assert_eq!(pair(bad, total), expect, "{bad} of {total}");
        }
    }

    #[test]
    fn what_no_counter_stands_for_is_refused_by_what_it_is() {
        for (bad, expect) in [
            ("sum(delta(e[$interval]))", "`delta`"),
            ("max(rate(e[$interval]))", "`max`"),
            ("sum(rate(e[$interval])) + sum(rate(f[$interval]))", "adds two counters"),
            ("sum(rate(e[$interval])) * 2", "joins by `*`"),
            ("sum(rate(sum(e)[$interval:1m]))", "not of a plain selector"),
            ("sum(rate(e[$interval] offset 5m))", "moved in time"),
            ("sum(rate({job='x'}[$interval]))", "does not name one metric"),
            ("sum(rate(b[$interval])) - sum(rate(e[$interval]))", "taken from others than its total"),
            ("sum(sum_over_time(e[$interval]))", "do not count alike"),
            ("1", "more than sums"),
            ("sum(rate(e[$interval])", "never closed"),
        ] {
            let said = pair(bad, "sum(rate(a[$interval]))");
            assert!(said.contains(expect), "{bad}: {said}");
        }
    }

    #[test]
    fn a_quotient_of_counts_is_both_and_a_ratio_alone_is_none() {
        let read = share("1 - (sum(rate(g[$interval])) / sum(rate(a[$interval])))").expect("a quotient");
        assert!(read.of_others);
        assert_eq!(shown(of_good(&read.some.counted, &read.all.counted)), "good g of a");
        assert_eq!(share("job:errors:ratio").map(drop), Err(NO_QUOTIENT.to_owned()));
    }

    #[test]
    fn a_bound_is_written_in_every_way_that_it_may_be() {
        for (bound, expect) in [
            (0.3, "0\\.3"),
            (1.0, "1|1\\.0"),
            (0.0, "0|0\\.0"),
            (2_500_000.0, "2500000|2500000\\.0|2\\.5e\\+06"),
            (0.00005, "0\\.00005|5e-05"),
        ] {
            assert_eq!(any_of(&bounds_written(bound)), expect);
        }
    }
}
