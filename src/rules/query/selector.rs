//! A plain selector: what counters and histograms are named by.

use crate::rules::query::cohort::BoundMatchers;
use crate::rules::query::cohort::MatchOp;
use crate::rules::query::cohort::Matcher;
use crate::rules::query::cohort::matchers_of;
use crate::rules::query::cohort::stand_ins;
use crate::rules::query::cohort::with_params;
use crate::rules::query::fault::QueryFault;
use crate::rules::query::scan;
use crate::rules::query::write;
use promql_parser::parser::Expr;
use promql_parser::parser::VectorSelector;

/// A plain selector: a metric name and matchers, no range, no function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    metric: String,
    /// Without the one of the name.
    matchers: Vec<Matcher>,
}

impl Selector {
    /// Reads `name{label="value"}`.
    pub fn parse(text: &str) -> Result<Self, Vec<QueryFault>> {
        Self::parse_with(text, &[])
    }

    /// As [`Selector::parse`], where `params` are variables in the values of labels.
    pub fn parse_with(text: &str, params: &[String]) -> Result<Self, Vec<QueryFault>> {
        let scanned = scan::query(text, params)?;
        let parsed = promql_parser::parser::parse(&scanned.text).map_err(|message| vec![scanned.refusal(&message)])?;
        let Expr::VectorSelector(selector) = parsed else {
            let is_counter = text.contains("rate(") || text.contains("increase(");
            let help = if is_counter {
                "leave `rate` and `increase` away: increments are counted from raw samples, series by series"
            } else {
                "write a metric name and, in braces, matchers: 'http_requests_total{code=~\"5..\"}'"
            };
            return Err(vec![QueryFault::whole("not_a_selector", "this is an expression, not a plain selector", help)]);
        };
        let template = Self::of(&selector).map_err(|fault| vec![fault])?;
        let bound = template.bind(&BoundMatchers::of_params(stand_ins(params)));
        promql_parser::parser::parse(&bound).map_err(|message| vec![scanned.refusal(&message)])?;
        Ok(template)
    }

    /// The selector of a parsed one, if it is plain.
    pub(super) fn of(selector: &VectorSelector) -> Result<Self, QueryFault> {
        if selector.offset.is_some() || selector.at.is_some() {
            let help = "a check reads the samples of the wave: leave `offset` and `@` away";
            return Err(QueryFault::whole("not_a_selector", "a plain selector is not moved in time", help));
        }
        let (names, matchers): (Vec<_>, Vec<_>) =
            matchers_of(selector).into_iter().partition(|matcher| matcher.label == "__name__");
        let metric = match (&selector.name, names.as_slice()) {
            (Some(name), []) => name.clone(),
            (None, [name]) if name.op == MatchOp::Equal && is_written_out(&name.value) => name.value.clone(),
            _ => {
                let help = "name one metric: 'http_requests_total{code=~\"5..\"}'";
                return Err(QueryFault::whole("no_metric_name", "the selector does not name one metric", help));
            }
        };
        Ok(Self { metric, matchers })
    }

    /// The selector as PromQL with `cohort`'s matchers in it.
    pub fn bind(&self, cohort: &BoundMatchers) -> String {
        self.bind_suffixed("", cohort)
    }

    /// As [`Selector::bind`], of the metric with `suffix` on its name (`_bucket`).
    pub fn bind_suffixed(&self, suffix: &str, cohort: &BoundMatchers) -> String {
        let metric = format!("{}{suffix}", self.metric);
        let mut text = String::new();
        let own = with_params(self.matchers.clone(), cohort.params());
        write::selector(&mut text, Some(&metric), &[&own, cohort.matchers()]);
        text
    }

    /// The metric with each label that the selector names merely present
    /// (`code=~"5.."` becomes `code!=""`), no cohort: does such a thing exist at all?
    /// A label that must be absent (`code=""`) is not asked for.
    pub fn relaxed(&self) -> String {
        let asked = self.matchers.iter().filter(|matcher| !(matcher.op == MatchOp::Equal && matcher.value.is_empty()));
        let present =
            |matcher: &Matcher| Matcher { label: matcher.label.clone(), op: MatchOp::NotEqual, value: String::new() };
        let mut present: Vec<_> = asked.map(present).collect();
        present.sort();
        present.dedup();
        let mut text = String::new();
        write::selector(&mut text, Some(&self.metric), &[&present]);
        text
    }

    /// `metric` with `matchers`, none of which is of its name.
    pub(super) fn made(metric: &str, matchers: Vec<Matcher>) -> Self {
        Self { metric: metric.to_owned(), matchers }
    }

    /// Without the one of the name, in the order of the text.
    pub(super) fn matchers(&self) -> &[Matcher] {
        &self.matchers
    }

    /// The selector as PromQL, the same text for all that pick the same by the same words.
    pub(in crate::rules) fn canonical(&self) -> String {
        let mut matchers = self.matchers.clone();
        matchers.sort();
        matchers.dedup();
        let mut text = String::new();
        write::selector(&mut text, Some(&self.metric), &[&matchers]);
        text
    }

    /// The metric name.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// Whether a matcher names `label`.
    pub fn names_label(&self, label: &str) -> bool {
        self.matchers.iter().any(|matcher| matcher.label == label)
    }
}

/// Whether a metric's name is there without a variable in it: what a wave sets picks
/// among series, never which metric is judged.
fn is_written_out(name: &str) -> bool {
    !name.is_empty() && name.match_indices('$').all(|(at, _)| scan::name_at(&name[at + 1..]).is_empty())
}
