//! Who is judged against whom: matchers with variables, and their binding.

use crate::rules::query::fault::QueryFault;
use crate::rules::query::scan;
use crate::rules::query::write;
use promql_parser::label::MatchOp as ParsedOp;
use promql_parser::parser::Expr;
use promql_parser::parser::VectorSelector;
use std::collections::BTreeMap;
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
    /// How long ago the baseline was: history. `None` where it is of the same time.
    pub offset: Option<std::time::Duration>,
}

/// Matchers with `$wave`, `$baseline` and params still in them.
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

/// What stands for the variables.
#[derive(Clone, Copy, Debug)]
pub struct Bindings<'a> {
    /// The wave's id.
    pub wave: &'a str,
    /// The baseline's, where one was given.
    pub baseline: Option<&'a str>,
    /// Of every param of the rule file, by name without its `$`.
    pub params: &'a BTreeMap<String, String>,
}

/// Of a wave that sets none.
pub static NO_PARAMS: BTreeMap<String, String> = BTreeMap::new();

/// Matchers with their values in place. Ordered and without repetition, so that
/// two that pick the same by the same words are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundMatchers {
    matchers: Vec<Matcher>,
    /// What the params are in the queries that these are put into.
    params: BTreeMap<String, String>,
}

/// Most matchers of one cohort: more is a generated mistake.
const MATCHERS: usize = 32;

impl Matchers {
    /// Reads the inside of a selector's braces: `label="value", other=~"re.*"`.
    pub fn parse(text: &str) -> Result<Self, Vec<QueryFault>> {
        Self::parse_with(text, &[])
    }

    /// As [`Matchers::parse`], where `params` are variables as well.
    pub fn parse_with(text: &str, params: &[String]) -> Result<Self, Vec<QueryFault>> {
        let scanned = scan::matchers(text, params)?;
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
        template.still_parses_when_bound(params)?;
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

    /// These and one more: `label` is one of `values`, each of which stands for itself, whatever
    /// it looks like.
    #[must_use]
    pub fn and_one_of(&self, label: &str, values: &[String]) -> Self {
        let mut pattern = String::new();
        for value in values {
            if !pattern.is_empty() {
                pattern.push('|');
            }
            let mut escaped = String::new();
            push_escaped(&mut escaped, value);
            // In a class no `$` begins the name of a variable.
            pattern.push_str(&escaped.replace("\\$", "[$]"));
        }
        let mut matchers = self.0.clone();
        matchers.push(Matcher { label: label.to_owned(), op: MatchOp::Regex, value: pattern });
        Self(matchers)
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
        Some(BoundMatchers { matchers: bound, params: bindings.params.clone() })
    }

    /// Whether `$baseline` occurs.
    pub fn needs_baseline(&self) -> bool {
        let alone = Bindings { wave: "", baseline: None, params: &BTreeMap::new() };
        self.bind(&alone).is_none()
    }

    /// Whether the variable `name` occurs.
    pub fn names(&self, name: &str) -> bool {
        self.0.iter().any(|matcher| {
            matcher.value.match_indices('$').any(|(at, _)| scan::name_at(&matcher.value[at + 1..]) == name)
        })
    }

    /// The label that is the wave's id: of the first matcher `label="$wave"`.
    pub fn wave_label(&self) -> Option<&str> {
        let named = self.0.iter().find(|matcher| is_the_wave(matcher))?;
        // As it stands in `by (…)`, where no quotes are.
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let begins = !named.label.starts_with(|c: char| c.is_ascii_digit());
        (begins && named.label.chars().all(plain)).then_some(named.label.as_str())
    }

    /// The other matchers; `None` where `$wave` is in one of them too.
    pub fn without_wave(&self) -> Option<Self> {
        let label = self.wave_label()?;
        let of_wave = |matcher: &&Matcher| !(is_the_wave(matcher) && matcher.label == label);
        let others: Vec<Matcher> = self.0.iter().filter(of_wave).cloned().collect();
        let names_wave = |matcher: &Matcher| {
            matcher.value.match_indices('$').any(|(at, _)| scan::name_at(&matcher.value[at + 1..]) == "wave")
        };
        (!others.iter().any(names_wave)).then_some(Self(others))
    }

    /// A variable where the regular expression's grammar wants something else
    /// (`(?P<$wave>a)`) shows only once it is replaced.
    fn still_parses_when_bound(&self, params: &[String]) -> Result<(), Vec<QueryFault>> {
        let bound = self.bind(&Bindings { wave: "x", baseline: Some("x"), params: &stand_ins(params) });
        let text = bound.map(|bound| format!("m{{{bound}}}")).unwrap_or_default();
        promql_parser::parser::parse(&text).map(|_| ()).map_err(|message| vec![not_matchers(&message)])
    }
}

impl BoundMatchers {
    /// No matcher: every series of a metric.
    pub fn everything() -> Self {
        Self::of_params(BTreeMap::new())
    }

    /// These and one more: `label` matches the regular expression `pattern` as a whole.
    #[must_use]
    pub fn and_matching(&self, label: &str, pattern: &str) -> Self {
        let more = Matcher { label: label.to_owned(), op: MatchOp::Regex, value: pattern.to_owned() };
        let mut bound = self.clone();
        bound.matchers.push(more);
        bound.matchers.sort();
        bound.matchers.dedup();
        bound
    }

    /// No matcher, with a value for each of `params`.
    pub(super) fn of_params(params: BTreeMap<String, String>) -> Self {
        Self { matchers: Vec::new(), params }
    }

    pub(super) fn matchers(&self) -> &[Matcher] {
        &self.matchers
    }

    pub(super) fn params(&self) -> &BTreeMap<String, String> {
        &self.params
    }

    /// Whether no series can be picked by both, as the words show: a label is one value here
    /// and another there. What two regular expressions have in common is not asked.
    pub fn excludes(&self, other: &Self) -> bool {
        let apart = |mine: &Matcher, others: &Matcher| match (mine.op, others.op) {
            (MatchOp::Equal, MatchOp::Equal) => mine.value != others.value,
            (MatchOp::Equal, MatchOp::NotEqual)
            | (MatchOp::NotEqual, MatchOp::Equal)
            | (MatchOp::Regex, MatchOp::NotRegex)
            | (MatchOp::NotRegex, MatchOp::Regex) => mine.value == others.value,
            (MatchOp::NotEqual, MatchOp::NotEqual | MatchOp::Regex | MatchOp::NotRegex)
            | (MatchOp::Regex | MatchOp::NotRegex, MatchOp::Equal | MatchOp::NotEqual)
            | (MatchOp::Equal, MatchOp::Regex | MatchOp::NotRegex)
            | (MatchOp::Regex, MatchOp::Regex)
            | (MatchOp::NotRegex, MatchOp::NotRegex) => false,
        };
        let is_apart =
            |mine: &Matcher| other.matchers.iter().any(|others| mine.label == others.label && apart(mine, others));
        self.matchers.iter().any(is_apart)
    }
}

/// A value for each param, to see whether a query is one with values in place.
pub(super) fn stand_ins(params: &[String]) -> BTreeMap<String, String> {
    params.iter().map(|name| (name.clone(), "x".to_owned())).collect()
}

impl fmt::Display for BoundMatchers {
    /// `label="value",other=~"re.*"`, as between a selector's braces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        write::matchers(&mut text, &self.matchers);
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

/// The matchers of a query with its params in place.
pub(super) fn with_params(matchers: Vec<Matcher>, params: &BTreeMap<String, String>) -> Vec<Matcher> {
    let value = |matcher: &Matcher| replaced(&matcher.value, matcher.op, |name| params.get(name).map(|v| Some(&**v)));
    // Every variable that is known has a value, so there is always one.
    let bound = |matcher: Matcher| Matcher { value: value(&matcher).unwrap_or_default(), ..matcher };
    matchers.into_iter().map(bound).collect()
}

fn substitute(template: &str, op: MatchOp, bindings: &Bindings<'_>) -> Option<String> {
    replaced(template, op, |name| match name {
        "wave" => Some(Some(bindings.wave)),
        "baseline" => Some(bindings.baseline),
        _ => bindings.params.get(name).map(|value| Some(&**value)),
    })
}

fn is_the_wave(matcher: &Matcher) -> bool {
    matcher.op == MatchOp::Equal && matcher.value == "$wave"
}

/// `template` with its variables replaced, once, from left to right: a value that
/// looks like a variable stays what it is. `value_of` gives `None` for what is no
/// variable, and `Some(None)` for one without a value, which makes the whole nothing.
fn replaced<'v>(template: &str, op: MatchOp, value_of: impl Fn(&str) -> Option<Option<&'v str>>) -> Option<String> {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(dollar) = rest.find('$') {
        text.push_str(&rest[..dollar]);
        let name = scan::name_at(&rest[dollar + 1..]);
        let Some(value) = value_of(name) else {
            text.push('$');
            rest = &rest[dollar + 1..];
            continue;
        };
        let value = value?;
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
