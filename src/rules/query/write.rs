//! Text of a parsed query.
//!
//! promql-parser 0.11.1 can print its trees, but loses on the way: `ignoring ()`
//! before `group_left` is dropped, and what is left does not parse; `@` before 1970
//! becomes 0; control characters, and U+FFFD, which Prometheus refuses, stay raw in
//! strings. This writer is short, and property tests hold it against the parser.

use crate::rules::query::cohort::MatchOp;
use crate::rules::query::cohort::Matcher;
use crate::rules::query::cohort::matchers_of;
use crate::rules::query::cohort::with_params;
use crate::rules::units;
use promql_parser::label::Labels;
use promql_parser::parser::AggregateExpr;
use promql_parser::parser::AtModifier;
use promql_parser::parser::BinModifier;
use promql_parser::parser::BinaryExpr;
use promql_parser::parser::Call;
use promql_parser::parser::Expr;
use promql_parser::parser::LabelModifier;
use promql_parser::parser::Offset;
use promql_parser::parser::VectorMatchCardinality;
use promql_parser::parser::VectorSelector;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;
use std::time::SystemTime;

/// Words that a metric's name may not be where a bare name stands, or only in
/// some of Prometheus' versions.
const KEYWORDS: &[&str] = &[
    "and",
    "anchored",
    "atan2",
    "avg",
    "bool",
    "bottomk",
    "by",
    "count",
    "count_values",
    "end",
    "fill",
    "fill_left",
    "fill_right",
    "group",
    "group_left",
    "group_right",
    "ignoring",
    "inf",
    "limit_ratio",
    "limitk",
    "max",
    "min",
    "nan",
    "offset",
    "on",
    "or",
    "quantile",
    "range",
    "smoothed",
    "start",
    "stddev",
    "stdvar",
    "step",
    "sum",
    "topk",
    "unless",
    "without",
];

/// What is put in place while a tree is written.
pub(super) struct Placing<'a> {
    /// Added to every selector.
    pub(super) cohort: &'a [Matcher],
    /// What takes the place of the query's own variables.
    pub(super) params: &'a BTreeMap<String, String>,
    /// What stands for `$interval` in the tree.
    pub(super) placeholder: Duration,
    /// What takes its place.
    pub(super) interval: Duration,
    /// How far back a bare instant selector reads; `None` leaves it to the source.
    pub(super) lookback: Option<Duration>,
}

impl Placing<'_> {
    /// Writes `expr`. Parentheses are nodes of the tree, so each node in the order
    /// of the text gives the same tree again.
    pub(super) fn expr(&self, out: &mut String, expr: &Expr) {
        match expr {
            Expr::Aggregate(aggregate) => self.aggregate(out, aggregate),
            Expr::Unary(unary) => {
                out.push('-');
                self.expr(out, &unary.expr);
            }
            Expr::Binary(binary) => self.binary(out, binary),
            Expr::Paren(paren) => {
                out.push('(');
                self.expr(out, &paren.expr);
                out.push(')');
            }
            Expr::Subquery(subquery) => {
                self.expr(out, &subquery.expr);
                let step = subquery.step.map(|step| self.span(step)).unwrap_or_default();
                let _ = write!(out, "[{}:{step}]", self.span(subquery.range));
                self.moved(out, subquery.at.as_ref(), subquery.offset.as_ref());
            }
            Expr::NumberLiteral(literal) => number(out, literal.val),
            Expr::StringLiteral(literal) => quoted(out, &literal.val),
            Expr::VectorSelector(bare) => self.instant(out, bare),
            Expr::MatrixSelector(matrix) => self.ranged(out, &matrix.vs, matrix.range),
            Expr::Call(call) => self.call(out, call),
            // The parser makes none; only a program could.
            Expr::Extension(_) => {}
        }
    }

    /// A bare instant selector finds samples of the last five minutes, so a series
    /// whose scrapes stopped would live on that long, and a dead canary look
    /// healthy. Read over a range of our own, it ends when its samples do.
    fn instant(&self, out: &mut String, bare: &VectorSelector) {
        let Some(lookback) = self.lookback else {
            self.bare(out, bare);
            return;
        };
        out.push_str("last_over_time(");
        self.ranged(out, bare, lookback);
        out.push(')');
    }

    fn bare(&self, out: &mut String, bare: &VectorSelector) {
        self.plain(out, bare);
        self.moved(out, bare.at.as_ref(), bare.offset.as_ref());
    }

    fn ranged(&self, out: &mut String, vector: &VectorSelector, range: Duration) {
        self.plain(out, vector);
        let _ = write!(out, "[{}]", self.span(range));
        self.moved(out, vector.at.as_ref(), vector.offset.as_ref());
    }

    fn plain(&self, out: &mut String, vector: &VectorSelector) {
        let own = with_params(matchers_of(vector), self.params);
        selector(out, vector.name.as_deref(), &[&own, self.cohort]);
    }

    fn moved(&self, out: &mut String, at: Option<&AtModifier>, offset: Option<&Offset>) {
        match at {
            Some(AtModifier::At(instant)) => {
                out.push_str(" @ ");
                number(out, seconds_since_epoch(*instant));
            }
            // The scanner refuses both; kept whole all the same.
            Some(AtModifier::Start) => out.push_str(" @ start()"),
            Some(AtModifier::End) => out.push_str(" @ end()"),
            None => {}
        }
        match offset {
            Some(Offset::Pos(span)) => drop(write!(out, " offset {}", self.span(*span))),
            Some(Offset::Neg(span)) => drop(write!(out, " offset -{}", self.span(*span))),
            None => {}
        }
    }

    fn call(&self, out: &mut String, call: &Call) {
        out.push_str(call.func.name);
        out.push('(');
        for (i, argument) in call.args.args.iter().enumerate() {
            if i > 0 {
                out.push_str(", ");
            }
            // `timestamp` of a bare selector is the time of its sample; of any
            // expression it is the time of evaluation.
            if let Expr::VectorSelector(bare) = &**argument
                && call.func.name == "timestamp"
            {
                self.bare(out, bare);
            } else {
                self.expr(out, argument);
            }
        }
        out.push(')');
    }

    fn aggregate(&self, out: &mut String, aggregate: &AggregateExpr) {
        let _ = write!(out, "{}", aggregate.op);
        if let Some(modifier) = &aggregate.modifier {
            let (word, names) = match modifier {
                LabelModifier::Include(names) => ("by", names),
                LabelModifier::Exclude(names) => ("without", names),
            };
            let _ = write!(out, " {word} ");
            labels(out, names);
            out.push(' ');
        }
        out.push('(');
        if let Some(param) = &aggregate.param {
            self.expr(out, param);
            out.push_str(", ");
        }
        self.expr(out, &aggregate.expr);
        out.push(')');
    }

    fn binary(&self, out: &mut String, binary: &BinaryExpr) {
        self.expr(out, &binary.lhs);
        let _ = write!(out, " {} ", binary.op);
        if let Some(modifier) = &binary.modifier {
            matching(out, modifier);
        }
        self.expr(out, &binary.rhs);
    }

    fn span(&self, span: Duration) -> String {
        units::duration_text(if span == self.placeholder { self.interval } else { span })
    }
}

/// A selector: a name, and every matcher of `groups`.
pub(super) fn selector(out: &mut String, name: Option<&str>, groups: &[&[Matcher]]) {
    let bare = name.filter(|name| is_bare_metric(name));
    out.push_str(bare.unwrap_or_default());
    let named = name.filter(|_| bare.is_none()).map(|name| Matcher {
        label: "__name__".to_owned(),
        op: MatchOp::Equal,
        value: name.to_owned(),
    });
    let all: Vec<Matcher> = named.into_iter().chain(groups.iter().copied().flatten().cloned()).collect();
    if !all.is_empty() {
        out.push('{');
        matchers(out, &all);
        out.push('}');
    }
}

/// Matchers as between braces.
pub(super) fn matchers(out: &mut String, matchers: &[Matcher]) {
    for (i, matcher) in matchers.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        label(out, &matcher.label);
        out.push_str(matcher.op.as_str());
        quoted(out, &matcher.value);
    }
}

/// `text` in double quotes. Escaped is what would end the string, what is a line
/// to somebody, and U+FFFD, which Prometheus takes for broken UTF-8.
pub(super) fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '\\' => out.push_str(r"\\"),
            '"' => out.push_str(r#"\""#),
            '\n' => out.push_str(r"\n"),
            '\r' => out.push_str(r"\r"),
            '\t' => out.push_str(r"\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffd}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn matching(out: &mut String, modifier: &BinModifier) {
    if modifier.return_bool {
        out.push_str("bool ");
    }
    let group = match &modifier.card {
        VectorMatchCardinality::ManyToOne(names) => Some(("group_left", names)),
        VectorMatchCardinality::OneToMany(names) => Some(("group_right", names)),
        VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => None,
    };
    if let Some(matching) = &modifier.matching {
        out.push_str(if matching.is_include() { "on " } else { "ignoring " });
        labels(out, matching.labels());
        out.push(' ');
    }
    if let Some((word, names)) = group {
        let _ = write!(out, "{word} ");
        labels(out, names);
        out.push(' ');
    }
    let fill = &modifier.fill_values;
    for (word, value) in [("fill_left", fill.lhs), ("fill_right", fill.rhs)] {
        if let Some(value) = value {
            let _ = write!(out, "{word} (");
            number(out, value);
            out.push_str(") ");
        }
    }
}

fn labels(out: &mut String, labels: &Labels) {
    out.push('(');
    for (i, name) in labels.labels.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        label(out, name);
    }
    out.push(')');
}

fn label(out: &mut String, name: &str) {
    if is_name(name, "") { out.push_str(name) } else { quoted(out, name) }
}

fn is_bare_metric(name: &str) -> bool {
    is_name(name, ":") && !KEYWORDS.contains(&name.to_ascii_lowercase().as_str())
}

fn is_name(name: &str, also: &str) -> bool {
    let belongs = |c: char| c.is_ascii_alphanumeric() || c == '_' || also.contains(c);
    !name.is_empty() && name.chars().all(belongs) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// The shortest text that reads back as the same number.
fn number(out: &mut String, value: f64) {
    let size = value.abs();
    let _ = match value {
        v if v.is_nan() => write!(out, "NaN"),
        v if v.is_infinite() => write!(out, "{}", if v > 0.0 { "Inf" } else { "-Inf" }),
        v if size != 0.0 && !(1e-6..1e16).contains(&size) => write!(out, "{v:e}"),
        v => write!(out, "{v}"),
    };
}

fn seconds_since_epoch(instant: SystemTime) -> f64 {
    match instant.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::Placing;
    use promql_parser::parser::Expr;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::time::Duration;

    fn written(tree: &Expr) -> String {
        let nowhere = Duration::MAX;
        let params = BTreeMap::new();
        let placing = Placing { cohort: &[], params: &params, placeholder: nowhere, interval: nowhere, lookback: None };
        let mut text = String::new();
        placing.expr(&mut text, tree);
        text
    }

    #[track_caller]
    fn check(query: &str) {
        let tree = promql_parser::parser::parse(query).unwrap_or_else(|fault| panic!("{fault}: {query}"));
        let text = written(&tree);
        assert_eq!(promql_parser::parser::parse(&text).as_ref(), Ok(&tree), "{query} became {text}");
    }

    #[test]
    fn what_the_parser_itself_prints_wrongly_is_written_right() {
        check("a + ignoring () group_left (x) b");
        check("a + ignoring () group_right b");
        check("sum without () (x)");
        check("x @ -1.5");
        check("x offset -1w2d3h4m5s6ms @ 1609746000.25");
        check("{__name__=\"sum\"}[5m:30s] @ 5");
        check("{\"a.b\", \"c.d\"=\"e\"}");
        check("x{or=\"a\",on=\"b\"}");
        check("x{a=\"\\u0000\\a\\x7f\\\\ \\\" ' \\t\"}");
        check("a + on (x) fill_left (0) fill_right (-1) b");
        check("a * on (x, \"y.z\") group_left (q) b");
        check("1e300 + -Inf ^ NaN - 1e-300 + 0.1 + 1e16");
        check("- - -x ^ -2 ^ (-x)");
    }

    fn exprs() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "x",
            "y{a=~\"b|c\"}",
            "1",
            "0.25",
            "-3e9",
            "{__name__=\"on\"}",
            "z offset 5m",
            "w @ 12.5",
            "max_over_time(x[90m] offset 1h)",
        ]);
        leaf.prop_map(str::to_owned).prop_recursive(5, 40, 3, |inner| {
            let operator = prop::sample::select(vec![
                "+",
                "-",
                "*",
                "/",
                "%",
                "^",
                "atan2",
                "== bool",
                "> bool",
                "+ on (a)",
                "* on (a) group_left (b)",
            ]);
            prop_oneof![
                (inner.clone(), operator, inner.clone()).prop_map(|(a, operator, b)| format!("{a} {operator} {b}")),
                inner.clone().prop_map(|a| format!("({a})")),
                inner.clone().prop_map(|a| format!("-{a}")),
                inner.clone().prop_map(|a| format!("abs({a})")),
                inner.clone().prop_map(|a| format!("sum by (a, b) ({a})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("topk without (c) (scalar({a}), {b})")),
                inner.prop_map(|a| format!("rate(({a})[5m:15s])")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn a_written_tree_reads_back_as_itself(query in exprs()) {
            if let Ok(tree) = promql_parser::parser::parse(&query) {
                let text = written(&tree);
                prop_assert_eq!(promql_parser::parser::parse(&text), Ok(tree), "{} became {}", query, text);
            }
        }
    }
}
