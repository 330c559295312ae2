//! Who is judged against whom: matchers with variables, and their binding.

use crate::rules::query::fault::QueryFault;
use crate::rules::query::scan;
use crate::rules::query::write;
use promql_parser::label::MatchOp as ParsedOp;
use promql_parser::parser::Expr;
use promql_parser::parser::VectorSelector;
use std::fmt;

/// Who is judged against whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cohorts {
    /// Picks the upgraded instances.
    pub canary: Matchers,
    /// Picks the others; `None` where a check is judged alone.
    pub baseline: Option<Matchers>,
    /// The labels that tell one instance from another: the first that a series has.
    pub instance: Vec<String>,
}

/// Matchers with `$wave` and `$baseline` still in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matchers(Vec<Matcher>);

/// One matcher of a selector.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Matcher {
    pub(super) label: String,
    pub(super) op: MatchOp,
    pub(super) value: String,
}

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

/// What stands for `$wave` and `$baseline`.
#[derive(Clone, Copy, Debug)]
pub struct Bindings<'a> {
    /// The wave's id.
    pub wave: &'a str,
    /// The baseline's, where one was given.
    pub baseline: Option<&'a str>,
}

/// Matchers with their values in place. Ordered and without repetition, so that
/// two that pick the same by the same words are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundMatchers(Vec<Matcher>);

/// Most matchers of one cohort: more is a generated mistake.
const MATCHERS: usize = 32;

impl Matchers {
    /// Reads the inside of a selector's braces: `label="value", other=~"re.*"`.
    pub fn parse(text: &str) -> Result<Self, Vec<QueryFault>> {
        let scanned = scan::matchers(text)?;
        // With a metric name in front the parser also takes matchers that match everything.
        let selector = match promql_parser::parser::parse(&format!("m{{{}}}", scanned.text)) {
            Ok(Expr::VectorSelector(selector)) => selector,
            Ok(_) => return Err(vec![not_matchers("more than matchers")]),
            Err(message) => return Err(vec![not_matchers(&message)]),
        };
        let matchers = matchers_of(&selector);
        if matchers.is_empty() || matchers.len() > MATCHERS {
            return Err(vec![not_matchers(&format!("{} matchers, not 1 to {MATCHERS}", matchers.len()))]);
        }
        let template = Self(matchers);
        template.still_parses_when_bound()?;
        Ok(template)
    }

    /// Each label with just its value, in which no `$` stands.
    pub(in crate::rules) fn equal(pairs: &[(&str, &str)]) -> Self {
        let matcher = |&(label, value): &(&str, &str)| Matcher {
            label: label.to_owned(),
            op: MatchOp::Equal,
            value: value.to_owned(),
        };
        Self(pairs.iter().map(matcher).collect())
    }

    /// No matcher: everything.
    pub(in crate::rules) fn none() -> Self {
        Self(Vec::new())
    }

    /// The matchers with values in place; `None` where `$baseline` is needed and not given.
    pub fn bind(&self, bindings: &Bindings<'_>) -> Option<BoundMatchers> {
        let mut bound = Vec::with_capacity(self.0.len());
        for matcher in &self.0 {
            let value = substitute(&matcher.value, matcher.op, bindings)?;
            bound.push(Matcher { value, ..matcher.clone() });
        }
        bound.sort();
        bound.dedup();
        Some(BoundMatchers(bound))
    }

    /// Whether `$baseline` occurs.
    pub fn needs_baseline(&self) -> bool {
        let alone = Bindings { wave: "", baseline: None };
        self.bind(&alone).is_none()
    }

    /// A variable where the regular expression's grammar wants something else
    /// (`(?P<$wave>a)`) shows only once it is replaced.
    fn still_parses_when_bound(&self) -> Result<(), Vec<QueryFault>> {
        let bound = self.bind(&Bindings { wave: "x", baseline: Some("x") });
        let text = bound.map(|bound| format!("m{{{bound}}}")).unwrap_or_default();
        promql_parser::parser::parse(&text).map(|_| ()).map_err(|message| vec![not_matchers(&message)])
    }
}

impl BoundMatchers {
    pub(super) fn matchers(&self) -> &[Matcher] {
        &self.0
    }
}

impl fmt::Display for BoundMatchers {
    /// `label="value",other=~"re.*"`, as between a selector's braces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        write::matchers(&mut text, &self.0);
        f.write_str(&text)
    }
}

impl MatchOp {
    /// As PromQL writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// The matchers of a parsed selector, in the order of its text.
pub(super) fn matchers_of(selector: &VectorSelector) -> Vec<Matcher> {
    let own = |parsed: &promql_parser::label::Matcher| Matcher {
        label: parsed.name.clone(),
        op: match parsed.op {
            ParsedOp::Equal => MatchOp::Equal,
            ParsedOp::NotEqual => MatchOp::NotEqual,
            ParsedOp::Re(_) => MatchOp::Regex,
            ParsedOp::NotRe(_) => MatchOp::NotRegex,
        },
        value: parsed.value.clone(),
    };
    // The scanner refuses `or` between matchers, so there are no alternatives here.
    selector.matchers.matchers.iter().map(own).collect()
}

/// `template` with its variables replaced, once, from left to right: a value that
/// looks like a variable stays what it is.
fn substitute(template: &str, op: MatchOp, bindings: &Bindings<'_>) -> Option<String> {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(dollar) = rest.find('$') {
        text.push_str(&rest[..dollar]);
        let name = scan::name_at(&rest[dollar + 1..]);
        let value = match name {
            "wave" => bindings.wave,
            "baseline" => bindings.baseline?,
            _ => {
                text.push('$');
                rest = &rest[dollar + 1..];
                continue;
            }
        };
        match op {
            MatchOp::Equal | MatchOp::NotEqual => text.push_str(value),
            MatchOp::Regex | MatchOp::NotRegex => push_escaped(&mut text, value),
        }
        rest = &rest[dollar + 1 + name.len()..];
    }
    text.push_str(rest);
    Some(text)
}

/// Writes `value` so that a regular expression matches just it, also in a class;
/// both RE2 (Prometheus) and Rust take a backslash before each of these.
fn push_escaped(text: &mut String, value: &str) {
    for character in value.chars() {
        if r"\.+*?()|[]{}^$#&-~".contains(character) {
            text.push('\\');
        }
        text.push(character);
    }
}

fn not_matchers(message: &str) -> QueryFault {
    let help = "write label matchers as between the braces of a selector: 'wave_id=\"$wave\", region=~\"eu-.*\"'";
    QueryFault::whole("bad_matchers", &format!("these are not label matchers: {message}"), help)
}
