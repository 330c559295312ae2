//! Binding queries: a wave id is a value of a matcher and nothing else.

use promql_parser::label::MatchOp;
use promql_parser::parser::Expr;
use promql_parser::parser::VectorSelector;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;
use wavegate::rules::query::Bindings;
use wavegate::rules::query::BoundMatchers;
use wavegate::rules::query::GaugeQuery;
use wavegate::rules::query::Matchers;
use wavegate::rules::query::PromQl;
use wavegate::rules::query::Selector;

const SECOND: Duration = Duration::from_secs(1);

/// Every place in which a selector can stand.
const QUERIES: &[&str] = &[
    "queue_depth",
    "queue_depth offset 5m",
    "-queue_depth @ 1609746000.5",
    "rate(x_total{code=~\"5..\"}[$interval]) / ignoring (code) group_left () rate(x_total[5m])",
    "topk(scalar(count(up)), sum by (pod, \"a b\") (rate(x_total[1h30m])))",
    "max_over_time(deriv(x[5m])[1h:$interval] offset 10m)",
    "max_over_time(x[5m:])",
    "quantile_over_time(0.9, x[$interval] offset 1m)",
    "histogram_quantile(0.99, sum without (pod) (rate(x_bucket[5m])))",
    "label_replace(up, \"a\", \"$1\", \"b\", \"(.*)\") > bool 1",
    "time() - timestamp(x{a=\"b\"})",
    "{__name__=\"on\", a!=\"\"} or on (a) {\"dotted.name\", \"dotted.label\"=\"c\"} unless z",
    "(a + b ^ -c) * 1e300 - Inf # the end",
    "count_values(\"v\", x) == 2 and absent(y)",
];

const COHORTS: &[&str] = &["wave_id=\"$wave\"", "wave_id!=\"$wave\"", "pod=~\"checkout-$wave-.*\"", "pod!~\"$wave\""];

fn bound(matchers: &str, wave: &str) -> BoundMatchers {
    Matchers::parse(matchers).unwrap().bind(&Bindings { wave, baseline: None, params: &BTreeMap::new() }).unwrap()
}

fn bind(query: &str, cohort: &str, wave: &str) -> String {
    PromQl::parse(query).unwrap().bind(&bound(cohort, wave), 30 * SECOND, 60 * SECOND)
}

/// What a query is, and the values of its matchers apart.
fn shape(query: &str) -> (String, Vec<String>) {
    let tree = promql_parser::parser::parse(query).unwrap_or_else(|fault| panic!("{fault}: {query}"));
    let (mut shape, mut values) = (String::new(), Vec::new());
    note(&tree, &mut shape, &mut values);
    (shape, values)
}

fn note(node: &Expr, shape: &mut String, values: &mut Vec<String>) {
    let mut within = |children: &[&Expr], label: String| {
        shape.push_str(&label);
        shape.push('(');
        for child in children {
            note(child, shape, values);
        }
        shape.push(')');
    };
    match node {
        Expr::Aggregate(a) => {
            let children: Vec<&Expr> = a.param.iter().map(AsRef::as_ref).chain([&*a.expr]).collect();
            within(&children, format!("{} {:?}", a.op, a.modifier));
        }
        Expr::Unary(u) => within(&[&u.expr], "-".to_owned()),
        Expr::Binary(b) => within(&[&b.lhs, &b.rhs], format!("{} {:?}", b.op, b.modifier)),
        Expr::Paren(p) => within(&[&p.expr], "paren".to_owned()),
        Expr::Subquery(s) => within(&[&s.expr], format!("[{:?}:{:?}]{:?}{:?}", s.range, s.step, s.at, s.offset)),
        Expr::Call(c) => {
            let children: Vec<&Expr> = c.args.args.iter().map(AsRef::as_ref).collect();
            within(&children, c.func.name.to_owned());
        }
        Expr::NumberLiteral(n) => shape.push_str(&n.val.to_string()),
        Expr::StringLiteral(s) => shape.push_str(&s.val),
        Expr::VectorSelector(v) => selector(v, shape, values),
        Expr::MatrixSelector(m) => {
            selector(&m.vs, shape, values);
            let _ = write!(shape, "[{:?}]", m.range);
        }
        Expr::Extension(_) => unreachable!(),
    }
}

fn selector(vector: &VectorSelector, shape: &mut String, values: &mut Vec<String>) {
    assert!(vector.matchers.or_matchers.is_empty());
    let _ = write!(shape, "{:?}{:?}{:?}{{", vector.name, vector.offset, vector.at);
    for matcher in &vector.matchers.matchers {
        let op = match matcher.op {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Re(_) => "=~",
            MatchOp::NotRe(_) => "!~",
        };
        let _ = write!(shape, "{}{op},", matcher.name);
        values.push(matcher.value.clone());
    }
    shape.push('}');
}

fn escaped(wave: &str) -> String {
    let special = |c: char| r"\.+*?()|[]{}^$#&-~".contains(c);
    wave.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

/// With wave id `wave` every query is the query that it is with "x", and the
/// values differ in the id alone.
#[track_caller]
fn check_shape(query: &str, cohort: &str, wave: &str) {
    let (plain, plain_values) = shape(&bind(query, cohort, "x"));
    let (hostile, values) = shape(&bind(query, cohort, wave));
    assert_eq!(hostile, plain, "{query} with {wave:?}");
    let expected = match cohort {
        "pod=~\"checkout-$wave-.*\"" => format!("checkout-{}-.*", escaped(wave)),
        "pod!~\"$wave\"" => escaped(wave),
        _ => wave.to_owned(),
    };
    let with_x = if cohort.contains("checkout") { "checkout-x-.*" } else { "x" };
    let selectors = values.iter().zip(&plain_values).filter(|(_, x)| *x == with_x).count();
    assert!(selectors >= 1);
    for (value, x) in values.iter().zip(&plain_values) {
        assert_eq!(value, if x == with_x { &expected } else { x }, "{query} with {wave:?}");
    }
}

fn hostile_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        prop::sample::select(vec![
            "\"",
            "'",
            "`",
            "\\",
            "\n",
            "\r",
            "\t",
            "\0",
            "#",
            "{",
            "}",
            "[",
            "]",
            "(",
            ")",
            "\"} or vector(1) #",
            "$wave",
            "$baseline",
            "$interval",
            "\\u0041",
            "\u{fffd}",
            "\u{2028}",
            "\u{202e}",
            "\u{feff}",
            ".*",
            "(?i",
            "%",
            "é",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 1..40).prop_map(|pieces| pieces.concat())
}

/// Tokens of PromQL in any order: few are queries, all are near one.
fn tokens() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "x",
        "y{a=\"b\"}",
        "(",
        ")",
        "[5m]",
        "[$interval]",
        "[5m:1m]",
        "{",
        "}",
        "[",
        "]",
        ",",
        "+",
        "-",
        "*",
        "/",
        "^",
        "%",
        "==",
        "bool",
        "and",
        "or",
        "unless",
        "on",
        "ignoring",
        "(a)",
        "()",
        "group_left",
        "sum",
        "by",
        "without",
        "topk",
        "1",
        "1e30",
        "0x1f",
        "010",
        ".5",
        "Inf",
        "NaN",
        "offset",
        "5m",
        "5ms",
        "@",
        "start()",
        "rate(",
        "abs(",
        "timestamp(",
        "\"s\"",
        "`\\d`",
        "'q'",
        "=~",
        "!=",
        "=",
        ":",
        "#",
        "\n",
        "$interval",
        "$wave",
        "step",
        "fill",
        "inf",
        "__name__",
        "a:b",
    ]);
    prop::collection::vec(token, 1..12).prop_map(|tokens| tokens.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn no_wave_id_changes_a_query(
        wave in hostile_text(),
        query in prop::sample::select(QUERIES),
        cohort in prop::sample::select(COHORTS),
    ) {
        check_shape(query, cohort, &wave);
    }

    #[test]
    fn what_is_taken_as_a_query_is_written_as_one(tokens in tokens()) {
        if let Ok(query) = PromQl::parse(&tokens) {
            let cohort = bound("wave_id=\"$wave\"", "w");
            let (_, values) = shape(&query.bind(&cohort, 30 * SECOND, 60 * SECOND));
            prop_assert!(values.contains(&"w".to_owned()));
        }
    }

    #[test]
    fn no_text_makes_the_query_parser_panic(text in hostile_text()) {
        let _ = PromQl::parse(&text);
        let _ = GaugeQuery::parse(&format!("rate(x[{text}])"));
        let _ = Selector::parse(&format!("x{{{text}}}"));
        let _ = Matchers::parse(&text);
    }
}

#[test]
fn the_deepest_query_fits_the_stack() {
    for (open, middle, close, times) in [
        ("-", "x", "", 490),
        ("(", "x", ")", 240),
        ("abs(", "x", ")", 160),
        ("x ^ ", "x", "", 240),
        ("sum(", "x", ")", 160),
        ("", "x", " + x", 240),
        ("max_over_time(", "x", "[5m:])", 70),
    ] {
        let query = format!("{}{middle}{}", open.repeat(times), close.repeat(times));
        let (_, values) = shape(&bind(&query, "wave_id=\"$wave\"", "w"));
        assert!(values.iter().all(|value| value == "w"), "{query}");
        // A lone tree is cloned, compared and dropped as deep as it is.
        let parsed = PromQl::parse(&query).unwrap();
        assert_eq!(parsed.clone(), parsed);
    }
}

#[test]
fn a_long_wave_id_stays_a_value() {
    for piece in ["a", "\"", "\\", "{", "\n", "`", "#", "\u{fffd}"] {
        let wave = piece.repeat(64 * 1024 / piece.len());
        check_shape("rate(x_total[5m]) / y", "wave_id=\"$wave\"", &wave);
    }
}

#[track_caller]
fn check_bound(query: &str, expect: &str) {
    let cohort = bound("wave_id=\"$wave\"", "w1");
    assert_eq!(PromQl::parse(query).unwrap().bind(&cohort, 30 * SECOND, 60 * SECOND), expect);
}

#[test]
fn matchers_go_into_every_selector_and_instants_end_soon() {
    check_bound("x", r#"last_over_time(x{wave_id="w1"}[1m])"#);
    check_bound("x{a=\"b\"} offset 5m", r#"last_over_time(x{a="b",wave_id="w1"}[1m] offset 5m)"#);
    check_bound("timestamp(x)", r#"timestamp(x{wave_id="w1"})"#);
    check_bound(
        "timestamp(x + y)",
        r#"timestamp(last_over_time(x{wave_id="w1"}[1m]) + last_over_time(y{wave_id="w1"}[1m]))"#,
    );
    check_bound("rate(x[$interval])", r#"rate(x{wave_id="w1"}[30s])"#);
    check_bound("max_over_time(x[5m:$interval])", r#"max_over_time(last_over_time(x{wave_id="w1"}[1m])[5m:30s])"#);
    check_bound(
        "rate(x[900000007ms]) + rate(x[$interval])",
        r#"rate(x{wave_id="w1"}[10d10h7ms]) + rate(x{wave_id="w1"}[30s])"#,
    );
    check_bound("rate({__name__=\"bool\"}[5m])", r#"rate({__name__="bool",wave_id="w1"}[5m])"#);
    check_bound("sum by () (x{wave_id=\"w1\"})", r#"sum by () (last_over_time(x{wave_id="w1",wave_id="w1"}[1m]))"#);
    check_bound("rate(x{c=~`5\\d+`}[5m])", r#"rate(x{c=~"5\\d+",wave_id="w1"}[5m])"#);
}

#[track_caller]
fn check_selector(text: &str, bound_text: &str, bucket: &str, relaxed: &str) {
    let selector = Selector::parse(text).unwrap();
    let cohort = bound("wave_id=\"$wave\"", "w1");
    assert_eq!(selector.bind(&cohort), bound_text);
    assert_eq!(selector.bind_suffixed("_bucket", &cohort), bucket);
    assert_eq!(selector.relaxed(), relaxed);
}

#[test]
fn selectors_bind_and_relax() {
    check_selector("x", r#"x{wave_id="w1"}"#, r#"x_bucket{wave_id="w1"}"#, "x");
    check_selector(
        r#"x{code=~"5..",code!="501",gone=""}"#,
        r#"x{code=~"5..",code!="501",gone="",wave_id="w1"}"#,
        r#"x_bucket{code=~"5..",code!="501",gone="",wave_id="w1"}"#,
        r#"x{code!=""}"#,
    );
    check_selector(
        r#"{"my.metric", "my.label"="a"}"#,
        r#"{__name__="my.metric","my.label"="a",wave_id="w1"}"#,
        r#"{__name__="my.metric_bucket","my.label"="a",wave_id="w1"}"#,
        r#"{__name__="my.metric","my.label"!=""}"#,
    );
}

#[test]
fn rates_of_a_plain_selector_are_counted_from_raw_samples() {
    #[track_caller]
    fn check(query: &str, per_second: Option<bool>) {
        let lowered = match GaugeQuery::parse(query).unwrap() {
            GaugeQuery::Increments { per_second, .. } => Some(per_second),
            GaugeQuery::Expr(_) => None,
        };
        assert_eq!(lowered, per_second, "{query}");
    }
    check("rate(x[$interval])", Some(true));
    check("(increase(x{a=\"b\"}[ $interval ]))", Some(false));
    check("rate(x[15s])", None);
    check("rate(x[$interval] offset 5m)", None);
    check("rate({__name__=~\"x|y\"}[$interval])", None);
    check("sum(rate(x[$interval]))", None);
    check("irate(x[$interval])", None);
    check("x", None);
}

#[test]
fn variables_are_replaced_once_and_a_baseline_only_where_there_is_one() {
    let matchers = Matchers::parse(r#"a="$wave", b=~"$baseline|5..$", a="$wave""#).unwrap();
    assert!(matchers.needs_baseline());
    assert_eq!(matchers.bind(&Bindings { wave: "w", baseline: None, params: &BTreeMap::new() }), None);
    let bound =
        matchers.bind(&Bindings { wave: "$baseline", baseline: Some("v1.2"), params: &BTreeMap::new() }).unwrap();
    assert_eq!(bound.to_string(), r#"a="$baseline",b=~"v1\\.2|5..$""#);

    let canary = Matchers::parse("x=\"1\",wave_id=\"$wave\"").unwrap();
    let baseline = Matchers::parse("wave_id=\"$baseline\",x=\"1\"").unwrap();
    assert!(!canary.needs_baseline());
    let same = Bindings { wave: "w", baseline: Some("w"), params: &BTreeMap::new() };
    assert_eq!(canary.bind(&same), baseline.bind(&same));
}

#[track_caller]
fn check_refused(query: &str, code: &str, at: &str) {
    let faults = PromQl::parse(query).unwrap_err();
    assert_eq!((faults[0].code, &query[faults[0].at.clone()]), (code, at), "{query}: {faults:?}");
}

#[test]
fn what_is_not_a_query_is_refused_at_its_place() {
    check_refused("", "empty_query", "");
    check_refused("# nothing", "empty_query", "");
    check_refused("rate(x[5m)", "unbalanced", ")");
    check_refused("rate(x[5m]", "unbalanced", "(");
    check_refused("x{a=\"b}", "unbalanced", "\"");
    check_refused("rte(x[5m])", "unknown_function", "rte");
    check_refused("x && y", "unexpected_character", "&");
    check_refused("x +", "not_promql", "");
    // The parser would panic at such an escape.
    check_refused("x{a=~\"b\\\u{202e}c\"}", "not_promql", "\\\u{202e}");
    check_refused("x{a=\"b\\ü\"}", "not_promql", "\\ü");
    check_refused("rate(x)", "needs_range", "rate");
    check_refused("x[5m]", "not_a_value", "");
    check_refused("\"x\"", "not_a_value", "");
    check_refused("1 + time()", "no_selector", "");
    check_refused("rate(x[$window])", "unknown_variable", "$window");
    check_refused("x{a=\"$wave\"}", "unknown_variable", "$wave");
    check_refused("x{a=~\"${__interval}\"}", "unknown_variable", "${__interval}");
    check_refused("x > $interval", "misplaced_variable", "$interval");
    check_refused("rate(x[1e30])", "bad_duration", "1e30");
    check_refused("rate(x[99999999999m5s])", "bad_duration", "99999999999m5s");
    check_refused("rate(x[5q])", "bad_duration", "5q");
    check_refused("rate(x[1d5000000000ms])", "bad_duration", "1d5000000000ms");
    check_refused("x{a:b=\"c\"}", "not_promql", "");
    check_refused("x offset 1e30", "bad_duration", "1e30");
    check_refused("x offset inf", "bad_duration", "inf");
    check_refused("x offset + NaN", "bad_duration", "NaN");
    check_refused("x offset -5m", "not_repeatable", "-");
    check_refused("x @ end()", "not_repeatable", "end");
    check_refused("x{a=\"b\" or c=\"d\"}", "not_promql", "or");
    check_refused("info(x, {a=\"b\"})", "unsupported_function", "info");
    check_refused(&format!("x{}", "+x".repeat(400)), "query_too_long", "");
    check_refused(&"(".repeat(17_000), "query_too_long", "");
}

#[test]
fn what_is_not_matchers_is_refused() {
    #[track_caller]
    fn check(text: &str, code: &str) {
        assert_eq!(Matchers::parse(text).unwrap_err()[0].code, code, "{text}");
    }
    check("", "empty_query");
    check("wave_id", "bad_matchers");
    check("wave_id=$wave", "unknown_variable");
    check("wave_id=\"$wave\"} or {a=\"b\"", "unexpected_character");
    check("wave_id=\"$interval\"", "unknown_variable");
    check("wave_id=~\"(\"", "bad_matchers");
    check("wave_id=~\"(?P<$wave>a)$(?P<$wave>a)\"", "bad_matchers");
    check("__name__=\"x\"", "bad_matchers");
    check("x{a=\"b\"}", "unexpected_character");
}
