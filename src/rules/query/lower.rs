//! PromQL as [`series::expr::Expr`], for sources that have no Prometheus to ask.
//!
//! What is beyond the subset is refused with the code `needs_prometheus`, which
//! names the part that is: nothing is evaluated nearly right.
//!
//! [`series::expr::Expr`]: crate::series::expr::Expr

use crate::rules::query::fault::QueryFault;
use crate::rules::query::scan;
use crate::series::Matcher;
use crate::series::Test;
use crate::series::expr::Aggregation;
use crate::series::expr::Expr as Lowered;
use crate::series::expr::Function;
use crate::series::expr::Grouping;
use crate::series::expr::Operator;
use promql_parser::label::MatchOp;
use promql_parser::parser::AggregateExpr;
use promql_parser::parser::BinaryExpr;
use promql_parser::parser::Call;
use promql_parser::parser::Expr;
use promql_parser::parser::LabelModifier;
use promql_parser::parser::VectorMatchCardinality;
use promql_parser::parser::VectorSelector;
use std::time::Duration;

/// The code of queries that only a Prometheus server can answer.
pub const NEEDS_PROMETHEUS: &str = "needs_prometheus";

/// The tree of the query `text`, whose variables are in place.
///
/// # Errors
/// [`NEEDS_PROMETHEUS`] for what is beyond the subset, another code for what is
/// no PromQL at all.
pub fn lower(text: &str) -> Result<Lowered, QueryFault> {
    expr(&parse(text)?)
}

/// The matchers of the plain selector `text`.
///
/// # Errors
/// As [`lower`].
pub fn lower_selector(text: &str) -> Result<Vec<Matcher>, QueryFault> {
    let tree = parse(text)?;
    let inner = unwrapped(&tree);
    let Expr::VectorSelector(selector) = inner else {
        return Err(beyond(&format!("{} where a selector is wanted", kind(inner))));
    };
    matchers(selector)
}

fn parse(text: &str) -> Result<Expr, QueryFault> {
    // The scanner bounds the depth of the tree, and with it every recursion here.
    let scanned = scan::bound(text).map_err(first)?;
    if scanned.intervals > 0 {
        let message = "`$interval` is not in place";
        return Err(QueryFault::whole("unknown_variable", message, "bind the query first"));
    }
    promql_parser::parser::parse(&scanned.text).map_err(|message| scanned.refusal(&message))
}

fn first(faults: Vec<QueryFault>) -> QueryFault {
    let unread = || QueryFault::whole("not_promql", "this is not PromQL", "mend the query");
    faults.into_iter().next().unwrap_or_else(unread)
}

fn expr(tree: &Expr) -> Result<Lowered, QueryFault> {
    Ok(match tree {
        Expr::Paren(paren) => expr(&paren.expr)?,
        Expr::NumberLiteral(literal) => Lowered::Number(literal.val),
        Expr::VectorSelector(selector) => Lowered::Instant(matchers(selector)?),
        Expr::Call(call) => over_time(call)?,
        Expr::Aggregate(one) => aggregate(one)?,
        Expr::Binary(both) => binary(both)?,
        Expr::Unary(unary) => Lowered::Binary {
            operator: Operator::Multiply,
            gives_bool: false,
            left: Box::new(Lowered::Number(-1.0)),
            right: Box::new(expr(&unary.expr)?),
        },
        Expr::MatrixSelector(_) | Expr::Subquery(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {
            return Err(beyond(kind(tree)));
        }
    })
}

fn over_time(call: &Call) -> Result<Lowered, QueryFault> {
    let unknown = || beyond(&format!("the function `{}`", call.func.name));
    let (function, argument) = match (call.func.name, call.args.args.as_slice()) {
        ("quantile_over_time", [q, argument]) => {
            let Expr::NumberLiteral(literal) = unwrapped(q) else {
                return Err(beyond(&format!("{} as a quantile", kind(unwrapped(q)))));
            };
            (Function::Quantile(literal.val), argument)
        }
        (name, [argument]) => (function(name).ok_or_else(unknown)?, argument),
        _ => return Err(unknown()),
    };
    let inner = unwrapped(argument);
    let Expr::MatrixSelector(matrix) = inner else {
        return Err(beyond(&format!("`{}` over {}", call.func.name, kind(inner))));
    };
    Ok(Lowered::OverTime { function, matchers: matchers(&matrix.vs)?, range: at_least_a_moment(matrix.range) })
}

/// The parser refuses a range of nothing; kept whole all the same.
fn at_least_a_moment(range: Duration) -> Duration {
    range.max(Duration::from_millis(1))
}

fn function(name: &str) -> Option<Function> {
    Some(match name {
        "rate" => Function::Rate,
        "increase" => Function::Increase,
        "avg_over_time" => Function::Avg,
        "min_over_time" => Function::Min,
        "max_over_time" => Function::Max,
        "sum_over_time" => Function::Sum,
        "count_over_time" => Function::Count,
        "last_over_time" => Function::Last,
        "present_over_time" => Function::Present,
        "stddev_over_time" => Function::Stddev,
        "stdvar_over_time" => Function::Stdvar,
        _ => return None,
    })
}

fn aggregate(one: &AggregateExpr) -> Result<Lowered, QueryFault> {
    let aggregation = match one.op.to_string().as_str() {
        "sum" => Aggregation::Sum,
        "avg" => Aggregation::Avg,
        "min" => Aggregation::Min,
        "max" => Aggregation::Max,
        "count" => Aggregation::Count,
        name => return Err(beyond(&format!("the aggregation `{name}`"))),
    };
    let grouping = match &one.modifier {
        None => Grouping::By(Vec::new()),
        Some(LabelModifier::Include(names)) => Grouping::By(names.labels.clone()),
        Some(LabelModifier::Exclude(names)) => Grouping::Without(names.labels.clone()),
    };
    Ok(Lowered::Aggregate { aggregation, grouping, of: Box::new(expr(&one.expr)?) })
}

fn binary(both: &BinaryExpr) -> Result<Lowered, QueryFault> {
    let name = both.op.to_string();
    let operator = match name.as_str() {
        "+" => Operator::Add,
        "-" => Operator::Subtract,
        "*" => Operator::Multiply,
        "/" => Operator::Divide,
        "%" => Operator::Remainder,
        "^" => Operator::Power,
        "==" => Operator::Equal,
        "!=" => Operator::NotEqual,
        "<" => Operator::Less,
        "<=" => Operator::AtMost,
        ">" => Operator::Greater,
        ">=" => Operator::AtLeast,
        _ => return Err(beyond(&format!("the operator `{name}`"))),
    };
    let mut gives_bool = false;
    if let Some(modifier) = &both.modifier {
        gives_bool = modifier.return_bool;
        let plain = modifier.matching.is_none() && modifier.card == VectorMatchCardinality::OneToOne;
        if !plain || modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
            return Err(beyond("matching by `on`, `ignoring`, `group_left`, `group_right` or `fill`"));
        }
    }
    let (left, right) = (Box::new(expr(&both.lhs)?), Box::new(expr(&both.rhs)?));
    Ok(Lowered::Binary { operator, gives_bool, left, right })
}

fn matchers(selector: &VectorSelector) -> Result<Vec<Matcher>, QueryFault> {
    if selector.offset.is_some() || selector.at.is_some() {
        return Err(beyond("`offset` and `@`"));
    }
    if !selector.matchers.or_matchers.is_empty() {
        return Err(beyond("`or` between matchers"));
    }
    let name = selector.name.iter().map(|name| Matcher::new("__name__", Test::Equal(name.clone())));
    let rest = selector.matchers.matchers.iter().map(|one| {
        let test = match &one.op {
            MatchOp::Equal => Test::Equal(one.value.clone()),
            MatchOp::NotEqual => Test::NotEqual(one.value.clone()),
            // The parser anchors them.
            MatchOp::Re(expression) => Test::Matching(expression.clone()),
            MatchOp::NotRe(expression) => Test::NotMatching(expression.clone()),
        };
        Matcher::new(one.name.clone(), test)
    });
    Ok(name.chain(rest).collect())
}

fn unwrapped(tree: &Expr) -> &Expr {
    let mut inner = tree;
    while let Expr::Paren(paren) = inner {
        inner = &paren.expr;
    }
    inner
}

fn kind(tree: &Expr) -> &'static str {
    match tree {
        Expr::Aggregate(_) => "an aggregation",
        Expr::Unary(_) | Expr::Binary(_) => "an operation",
        Expr::Paren(_) => "parentheses",
        Expr::Subquery(_) => "a subquery",
        Expr::NumberLiteral(_) => "a number",
        Expr::StringLiteral(_) => "a text",
        Expr::VectorSelector(_) => "a selector",
        Expr::MatrixSelector(_) => "a range",
        Expr::Call(_) => "a function",
        Expr::Extension(_) => "an extension",
    }
}

fn beyond(what: &str) -> QueryFault {
    let help = "without a Prometheus server there are selectors, `rate`, `increase` and `…_over_time` of them, \
                sum|avg|min|max|count by or without labels, and arithmetic; for more use a source of kind prometheus";
    QueryFault::whole(NEEDS_PROMETHEUS, &format!("{what} cannot be evaluated without a Prometheus server"), help)
}
