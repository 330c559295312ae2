//! Queries that are PromQL and yet not what their author meant.
//!
//! Each of these has cost somebody a night: the query has a value, the value looks
//! right on a dashboard, and what is judged is something else. Only what is certain
//! from the query alone is told.

use crate::rules::query::fault::QueryFault;
use crate::rules::query::promql::PromQl;
use crate::rules::query::promql::unwrapped;
use crate::rules::query::promql::walk;
use crate::rules::query::scan;
use promql_parser::label::MatchOp;
use promql_parser::parser::AggregateExpr;
use promql_parser::parser::BinaryExpr;
use promql_parser::parser::Call;
use promql_parser::parser::Expr;
use promql_parser::parser::LabelModifier;
use promql_parser::parser::VectorSelector;
use std::time::Duration;

/// Who asks the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rules) enum Asker {
    /// A gauge check: one value for each cohort and interval.
    Gauge,
    /// A threshold: the worst of all series.
    Threshold,
}

/// Labels with a value for each user, request or address: there are as many series as
/// there was traffic, and most of them have a handful of events.
const UNBOUNDED: &[&str] = &[
    "client_ip",
    "customer",
    "customer_id",
    "email",
    "id",
    "ip",
    "order_id",
    "path",
    "query",
    "remote_addr",
    "request_id",
    "session",
    "session_id",
    "span_id",
    "sql",
    "statement",
    "trace_id",
    "uri",
    "url",
    "user",
    "user_id",
    "username",
    "uuid",
];

/// Functions of counters: they take a fall for a restart.
const OF_COUNTERS: &[&str] = &["rate", "irate", "increase", "resets"];

/// Functions that ask for a moment, however long the range.
const OF_A_MOMENT: &[&str] = &["last_over_time", "first_over_time", "present_over_time", "absent_over_time"];

/// Aggregations that keep the unit of what they aggregate.
const KEEPING: &[&str] = &["sum", "avg", "min", "max", "topk", "bottomk", "quantile", "limitk"];

/// What somebody should look at, in the order of the tree; `params` may stand in the query.
pub(in crate::rules) fn of(query: &PromQl, asker: Asker, interval: Duration, params: &[String]) -> Vec<QueryFault> {
    let mut found = Found { query, params, faults: Vec::new() };
    walk(query.tree(), &mut |node| match node {
        Expr::Call(call) => called(&mut found, call, asker, interval),
        Expr::Aggregate(aggregate) => aggregated(&mut found, aggregate, asker),
        Expr::Binary(_)
        | Expr::Unary(_)
        | Expr::Paren(_)
        | Expr::Subquery(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Extension(_) => {}
    });
    bare_counter(&mut found, query.tree(), asker);
    if let (Asker::Gauge, Expr::Binary(division)) = (asker, unwrapped(query.tree())) {
        divided(&mut found, division);
    }
    found.faults
}

struct Found<'q> {
    query: &'q PromQl,
    /// Variables that may stand in its labels' values.
    params: &'q [String],
    faults: Vec<QueryFault>,
}

impl Found<'_> {
    /// Notes a remark at the first `word` of the query.
    fn note(&mut self, code: &'static str, word: &str, message: String, help: &str) {
        // One remark of a kind is enough to send somebody back to the query.
        if self.faults.iter().any(|fault| fault.code == code) {
            return;
        }
        let at =
            scan::query(self.query.text(), self.params).ok().and_then(|scanned| scanned.place_of(word)).unwrap_or(0..0);
        self.faults.push(QueryFault::new(code, at, message, help));
    }
}

fn called(found: &mut Found<'_>, call: &Call, asker: Asker, interval: Duration) {
    let name = call.func.name;
    for argument in &call.args.args {
        let argument = unwrapped(argument);
        if let Expr::Subquery(subquery) = argument
            && let Expr::Aggregate(aggregate) = unwrapped(&subquery.expr)
            && OF_COUNTERS.contains(&name)
        {
            let inner = aggregate.op.to_string();
            let message = format!(
                "`{name}` of `{inner}`: when one instance restarts the whole falls, and `{name}` takes it for a restart \
                 of all"
            );
            let help = "the other way round: `sum(rate(requests_total[$interval]))`";
            found.note("sum_before_rate", name, message, help);
        }
        if let Expr::MatrixSelector(matrix) = argument
            && matrix.range < interval
            && !OF_A_MOMENT.contains(&name)
        {
            let message =
                format!("`{name}` looks at less than the interval: what happens between two windows is never seen");
            let help = "write `[$interval]`, or a range that is no shorter than `interval`";
            found.note("unseen_time", name, message, help);
        }
    }
    if asker == Asker::Gauge && name == "irate" {
        let message = "`irate` takes the last two samples of its range and drops the rest".to_owned();
        found.note("irate_drops_samples", name, message, "write `rate(…[$interval])`: every sample is evidence");
    }
    if asker == Asker::Gauge && name == "histogram_quantile" {
        let message = "a quantile of each interval is judged, however few requests it had".to_owned();
        let help =
            "write a check `histogram: …` with `quantile: p99`: it counts the requests beyond the baseline's quantile";
        found.note("quantile_of_averages", name, message, help);
    }
}

fn aggregated(found: &mut Found<'_>, aggregate: &AggregateExpr, asker: Asker) {
    let name = aggregate.op.to_string();
    match &aggregate.modifier {
        Some(LabelModifier::Include(by)) => {
            if let Some(label) = by.labels.iter().find(|label| UNBOUNDED.contains(&label.as_str())) {
                let message =
                    format!("`by ({label})` makes a series of each {label}, most of them with a handful of events");
                found.note("many_series", label, message, "group by a label with few values, or leave `by` away");
            }
        }
        Some(LabelModifier::Exclude(without)) if without.labels.is_empty() => {
            let message = format!("`{name} without ()` keeps every series as it is");
            found.note("many_series", &name, message, "name the labels to leave out, or take the aggregation away");
        }
        _ => {}
    }
    if asker == Asker::Gauge && matches!(name.as_str(), "topk" | "bottomk" | "limitk") {
        let message = format!("`{name}` picks other series at each look, so two values are of different things");
        found.note("changing_series", &name, message, "write `max` or `sum`: one value of the same series each time");
    }
    if name == "avg"
        && let Expr::VectorSelector(selector) = unwrapped(&aggregate.expr)
        && selector.matchers.matchers.iter().any(|matcher| matcher.name == "quantile")
    {
        let message = "the average of quantiles is no quantile of anything".to_owned();
        let help = "export a histogram and write `histogram: …` with `quantile: p99`, or judge `max` of the quantiles";
        found.note("quantile_of_averages", &name, message, help);
    }
}

/// A counter whose value is judged as it stands: how long its process has run.
fn bare_counter(found: &mut Found<'_>, node: &Expr, asker: Asker) {
    match node {
        Expr::Paren(paren) => bare_counter(found, &paren.expr, asker),
        Expr::Unary(unary) => bare_counter(found, &unary.expr, asker),
        Expr::Aggregate(aggregate) if KEEPING.contains(&aggregate.op.to_string().as_str()) => {
            bare_counter(found, &aggregate.expr, asker);
        }
        Expr::Binary(binary) => {
            bare_counter(found, &binary.lhs, asker);
            // Behind `and`, `unless` and comparisons a counter only says whether.
            if !binary.op.is_set_operator() && !binary.op.is_comparison_operator() {
                bare_counter(found, &binary.rhs, asker);
            }
        }
        Expr::VectorSelector(selector) => {
            let Some(name) = counter(selector) else { return };
            let (code, help) = match asker {
                Asker::Gauge => ("gauge_of_a_counter", format!("write `rate({name}[$interval])`")),
                Asker::Threshold => ("threshold_on_counter", format!("write `increase({name}[5m])`")),
            };
            let message = format!(
                "by its name `{name}` is a counter: it grows as long as its process runs, and an upgrade sets it back"
            );
            found.note(code, name, message, &help);
        }
        Expr::Aggregate(_)
        | Expr::Call(_)
        | Expr::Subquery(_)
        | Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::MatrixSelector(_)
        | Expr::Extension(_) => {}
    }
}

/// The name of the counter that is read as it stands now, if the name says that it is one.
fn counter(selector: &VectorSelector) -> Option<&str> {
    let name = name_of(selector).filter(|_| selector.offset.is_none())?;
    let of_summary = |suffix: &str| {
        let base = name.strip_suffix(suffix);
        base.is_some_and(|base| base.ends_with("_seconds") || base.ends_with("_bytes") || base.ends_with("_duration"))
    };
    // `queue_count` may be a length; `request_duration_seconds_count` never is.
    let is_counter =
        name.ends_with("_total") || name.ends_with("_bucket") || of_summary("_count") || of_summary("_sum");
    is_counter.then_some(name)
}

/// The metric, whether it stands before the braces or in them.
fn name_of(selector: &VectorSelector) -> Option<&str> {
    let named = selector.matchers.matchers.iter().find(|m| m.name == "__name__" && m.op == MatchOp::Equal);
    selector.name.as_deref().or_else(|| named.map(|matcher| matcher.value.as_str()))
}

/// A quotient that a kind of check is made for.
fn divided(found: &mut Found<'_>, division: &BinaryExpr) {
    if division.op.to_string() != "/" {
        return;
    }
    let sides = [&division.lhs, &division.rhs].map(|side| unwrapped(side));
    if let [Some(above), Some(below)] = sides.map(averaged) {
        let message = "an average divided by an average: an idle instance counts as much as a busy one".to_owned();
        let help = format!("divide first, `avg({above} / {below})`, or divide sums");
        found.note("ratio_of_averages", "avg", message, &help);
    }
    let [Some((above, word)), Some((below, _))] = sides.map(increments) else { return };
    let part = |name: &str, suffix: &str| name.strip_suffix(suffix).map(str::to_owned);
    if let (Some(base), Some(other)) = (part(above, "_sum"), part(below, "_count"))
        && base == other
    {
        let message = "the average of a histogram: a few slow requests vanish among many fast ones".to_owned();
        found.note("ratio_of_averages", word, message, &format!("write a check `histogram: {base}`"));
        return;
    }
    let is_bad = ["error", "fail", "bad", "5xx", "drop", "reject"].iter().any(|word| above.contains(word));
    if above == below || is_bad {
        let message =
            "a ratio of two rates: an interval with ten requests counts as much as one with a million".to_owned();
        let help = format!(
            "write a check `ratio: {{ bad: {above}, total: {below} }}`, with the matchers of each: it counts the events"
        );
        found.note("ratio_of_averages", word, message, &help);
    }
}

/// What `node` averages over series: the metric.
fn averaged(node: &Expr) -> Option<&str> {
    let Expr::Aggregate(aggregate) = node else { return None };
    let Expr::VectorSelector(selector) = unwrapped(&aggregate.expr) else { return None };
    name_of(selector).filter(|_| aggregate.op.to_string() == "avg")
}

/// The counter whose `rate` or `increase`, perhaps summed, `node` is, and the word that says so.
fn increments(node: &Expr) -> Option<(&str, &'static str)> {
    let mut inner = node;
    if let Expr::Aggregate(aggregate) = node
        && matches!(aggregate.op.to_string().as_str(), "sum" | "avg")
    {
        inner = unwrapped(&aggregate.expr);
    }
    let Expr::Call(call) = inner else { return None };
    let [argument] = call.args.args.as_slice() else { return None };
    let Expr::MatrixSelector(matrix) = unwrapped(argument) else { return None };
    let is_rate = matches!(call.func.name, "rate" | "increase" | "irate");
    name_of(&matrix.vs).filter(|_| is_rate).map(|name| (name, call.func.name))
}
