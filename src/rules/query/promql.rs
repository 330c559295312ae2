//! An expression of PromQL, parsed once and written out for each cohort.

use crate::rules::query::cohort::BoundMatchers;
use crate::rules::query::cohort::stand_ins;
use crate::rules::query::fault::QueryFault;
use crate::rules::query::scan;
use crate::rules::query::selector::Selector;
use crate::rules::query::write::Placing;
use promql_parser::parser::Call;
use promql_parser::parser::Expr;
use promql_parser::parser::value::ValueType;
use std::time::Duration;

/// What a gauge check asks.
#[derive(Clone, Debug, PartialEq)]
pub enum GaugeQuery {
    /// `rate(sel[$interval])` or `increase(sel[$interval])`: computed by us from raw samples.
    Increments {
        /// The counter.
        selector: Selector,
        /// Divided by seconds: `rate`.
        per_second: bool,
    },
    /// Any other PromQL, evaluated by the source.
    Expr(PromQl),
}

/// A PromQL expression, `$interval` not yet in place.
#[derive(Clone, Debug, PartialEq)]
pub struct PromQl {
    /// As the rule file has it.
    text: String,
    tree: Expr,
    /// What stands for `$interval` in the tree, and for nothing else.
    placeholder: Duration,
    /// How often.
    intervals: usize,
}

impl GaugeQuery {
    /// Reads PromQL that gives a value for each series.
    pub fn parse(text: &str) -> Result<Self, Vec<QueryFault>> {
        Self::parse_with(text, &[])
    }

    /// As [`GaugeQuery::parse`], where `params` are variables in the values of labels.
    pub fn parse_with(text: &str, params: &[String]) -> Result<Self, Vec<QueryFault>> {
        let expr = PromQl::parse_with(text, params)?;
        Ok(expr.increments().unwrap_or(Self::Expr(expr)))
    }
}

impl PromQl {
    /// Reads PromQL that gives a value for each series and asks for at least one metric.
    pub fn parse(text: &str) -> Result<Self, Vec<QueryFault>> {
        Self::parse_with(text, &[])
    }

    /// As [`PromQl::parse`], where `params` are variables in the values of labels.
    pub fn parse_with(text: &str, params: &[String]) -> Result<Self, Vec<QueryFault>> {
        let scanned = scan::query(text, params)?;
        let tree = promql_parser::parser::parse(&scanned.text).map_err(|message| vec![scanned.refusal(&message)])?;
        if !matches!(tree.value_type(), ValueType::Vector | ValueType::Scalar) {
            let help = "put a function around a range: `rate(…[$interval])`, `max_over_time(…[5m])`";
            let message = "the query gives no single value at an instant";
            return Err(vec![QueryFault::whole("not_a_value", message, help)]);
        }
        if !selects(&tree) {
            let message = "the query names no metric, so it is the same for both cohorts";
            return Err(vec![QueryFault::whole("no_selector", message, "name a metric")]);
        }
        let query =
            Self { text: text.to_owned(), tree, placeholder: scanned.placeholder, intervals: scanned.intervals };
        if !params.is_empty() {
            let second = Duration::from_secs(1);
            let bound = query.bind(&BoundMatchers::of_params(stand_ins(params)), second, second);
            promql_parser::parser::parse(&bound).map_err(|message| vec![scanned.refusal(&message)])?;
        }
        Ok(query)
    }

    /// The expression with `cohort`'s matchers in every vector selector, `$interval`
    /// in place, and every bare instant selector read no further back than `lookback`.
    pub fn bind(&self, cohort: &BoundMatchers, interval: Duration, lookback: Duration) -> String {
        let placing = Placing {
            cohort: cohort.matchers(),
            params: cohort.params(),
            placeholder: self.placeholder,
            interval,
            lookback: Some(lookback.max(Duration::from_millis(1))),
        };
        let mut text = String::with_capacity(2 * self.text.len());
        placing.expr(&mut text, &self.tree);
        text
    }

    /// As the rule file has it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As it was parsed.
    pub(super) fn tree(&self) -> &Expr {
        &self.tree
    }

    /// The plain selectors in it, in the order of the text.
    pub fn selectors(&self) -> Vec<Selector> {
        let mut found = Vec::new();
        walk(&self.tree, &mut |node| {
            if let Expr::VectorSelector(selector) = node {
                found.extend(Selector::of(selector));
            } else if let Expr::MatrixSelector(matrix) = node {
                found.extend(Selector::of(&matrix.vs));
            }
        });
        found
    }

    /// Whether `$interval` occurs.
    pub fn uses_interval(&self) -> bool {
        self.intervals > 0
    }

    /// The longest range or subquery that is written out; zero where there is none.
    pub fn longest_range(&self) -> Duration {
        let mut longest = Duration::ZERO;
        walk(&self.tree, &mut |node| {
            let written = |range: Duration| if range == self.placeholder { Duration::ZERO } else { range };
            if let Expr::MatrixSelector(matrix) = node {
                longest = longest.max(written(matrix.range));
            } else if let Expr::Subquery(subquery) = node {
                longest = longest.max(written(subquery.range));
            }
        });
        longest
    }

    fn increments(&self) -> Option<GaugeQuery> {
        let Expr::Call(Call { func, args }) = unwrapped(&self.tree) else { return None };
        let per_second = match func.name {
            "rate" => true,
            "increase" => false,
            _ => return None,
        };
        let [argument] = args.args.as_slice() else { return None };
        let Expr::MatrixSelector(matrix) = unwrapped(argument) else { return None };
        if matrix.range != self.placeholder {
            return None;
        }
        let selector = Selector::of(&matrix.vs).ok()?;
        Some(GaugeQuery::Increments { selector, per_second })
    }
}

pub(super) fn unwrapped(expr: &Expr) -> &Expr {
    let mut inner = expr;
    while let Expr::Paren(paren) = inner {
        inner = &paren.expr;
    }
    inner
}

fn selects(tree: &Expr) -> bool {
    let mut found = false;
    walk(tree, &mut |node| found |= matches!(node, Expr::VectorSelector(_) | Expr::MatrixSelector(_)));
    found
}

/// Every node, parents first. The scanner's bound on tokens bounds the recursion.
pub(super) fn walk<'a>(node: &'a Expr, visit: &mut impl FnMut(&'a Expr)) {
    visit(node);
    match node {
        Expr::Aggregate(aggregate) => {
            aggregate.param.iter().for_each(|param| walk(param, visit));
            walk(&aggregate.expr, visit);
        }
        Expr::Unary(unary) => walk(&unary.expr, visit),
        Expr::Binary(binary) => {
            walk(&binary.lhs, visit);
            walk(&binary.rhs, visit);
        }
        Expr::Paren(paren) => walk(&paren.expr, visit),
        Expr::Subquery(subquery) => walk(&subquery.expr, visit),
        Expr::Call(call) => call.args.args.iter().for_each(|argument| walk(argument, visit)),
        Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Extension(_) => {}
    }
}
