//! What an SLO of OpenSLO's counts.
//!
//! A query has no convention for its window. In order: a placeholder for the window; a
//! plain selector, or a sum of one, of a counter; a range that is written out, which is
//! not kept. What comes to no counter is refused.

use crate::rules::import::draft::quoted;
use crate::rules::import::foreign::Foreign;
use crate::rules::import::openslo::documents::Documents;
use crate::rules::import::slo_draft::Drafts;
use crate::rules::query::Selector;
use crate::rules::query::counts::Counters;
use crate::rules::query::counts::Counting;
use crate::rules::query::counts::counting;
use crate::rules::query::counts::of_bad;
use crate::rules::query::counts::of_good;
use crate::rules::query::counts::written;

/// How a window is written in somebody's queries.
const WINDOWS: &[&str] = &["{{.window}}", "{{ .window }}", "${window}", "$window"];

/// Where a query stands in the `spec` of a metric source, whose shape is anybody's.
const QUERIES: &[&str] = &["query", "promql"];

/// What the objective `one` of an SLO counts.
///
/// # Errors
/// In words: why nothing of ours says it.
pub(super) fn counters(
    drafts: &mut Drafts,
    documents: &Documents<'_>,
    spec: &Foreign<'_>,
    one: &Foreign<'_>,
    place: &str,
) -> Result<Counters, String> {
    let inline = spec.at(&["indicator", "spec"]);
    let named = spec.text_at(&["indicatorRef"]).map(|name| documents.named("SLI", &name));
    let indicator = match (inline, named) {
        (Some(inline), None) => inline,
        (None, Some(named)) => named?,
        (None, None) => return Err("it has no indicator".to_owned()),
        (Some(_), Some(_)) => return Err("it has both `indicator` and `indicatorRef`".to_owned()),
    };
    match (indicator.get("ratioMetric"), indicator.get("thresholdMetric")) {
        (Some(ratio), None) => {
            if ["op", "value"].iter().any(|key| one.get(key).is_some()) {
                drafts.lacks(place, "`op` and `value` are of a `thresholdMetric`, and mean nothing beside a ratio");
            }
            of_ratio(drafts, documents, &ratio, place)
        }
        (None, Some(threshold)) => of_threshold(drafts, documents, &threshold, one, place),
        _ => Err("its indicator is not one of `ratioMetric` and `thresholdMetric`".to_owned()),
    }
}

fn of_ratio(
    drafts: &mut Drafts,
    documents: &Documents<'_>,
    ratio: &Foreign<'_>,
    place: &str,
) -> Result<Counters, String> {
    if ratio.get("raw").is_some() {
        return Err("its `raw` metric is a ratio, and a ratio alone has no counts in it: write good or bad, and total"
            .to_owned());
    }
    let part = |key: &str| ratio.get(key);
    let (some, of) = match (part("bad"), part("good")) {
        (Some(bad), None) => (bad, of_bad as fn(&_, &_) -> _),
        (None, Some(good)) => (good, of_good as fn(&_, &_) -> _),
        (None, None) => return Err("its ratio has neither `good` nor `bad`".to_owned()),
        (Some(_), Some(_)) => return Err("its ratio has both `good` and `bad`, where one is enough".to_owned()),
    };
    let total = part("total").ok_or("its ratio has no `total`")?;
    let is_counter = ratio.get("counter").is_some_and(|counter| counter.is_true());
    let some = counted(drafts, documents, &some, is_counter, place)?;
    let total = counted(drafts, documents, &total, is_counter, place)?;
    of(&some.counted, &total.counted)
}

fn counted(
    drafts: &mut Drafts,
    documents: &Documents<'_>,
    part: &Foreign<'_>,
    is_counter: bool,
    place: &str,
) -> Result<Counting, String> {
    let query = query(drafts, documents, part, place)?;
    let windowed = windowed(&query)?;
    let counting = counting(&windowed).map_err(|why| format!("`{}`: {why}", part.path))?;
    let has_range = windowed.contains('[');
    if !has_range && !is_counter {
        return Err(format!(
            "`{}` is a plain selector without `counter: true`: a gauge of counts has no increments",
            part.path
        ));
    }
    drafts.lacks_of_query(&format!("{place} {}", part.path), &counting.said);
    Ok(counting)
}

/// A gauge of 0 and 1 that must be 1; other thresholds are on values, not on events.
fn of_threshold(
    drafts: &mut Drafts,
    documents: &Documents<'_>,
    threshold: &Foreign<'_>,
    one: &Foreign<'_>,
    place: &str,
) -> Result<Counters, String> {
    let text = query(drafts, documents, threshold, place)?;
    let op = one.text_at(&["op"]).unwrap_or_default();
    let value = one.at(&["value"]).and_then(|value| value.number());
    let asks_for_one = match (op.as_str(), value) {
        ("gte", Some(value)) => 0.0 < value && value <= 1.0,
        ("gt", Some(value)) => (0.0..1.0).contains(&value),
        _ => false,
    };
    let gauge = Selector::parse(&text).ok().filter(|_| asks_for_one).ok_or(
        "its `thresholdMetric` bounds a value, and here events are counted: for a latency name its histogram, \
         and for a gauge of 0 and 1 its plain selector with `op: gte` and `value: 1`",
    )?;
    drafts.lacks(
        &format!("{place} {}", threshold.path),
        "it is read as a gauge of 0 and 1, each of whose samples is an event; look whether it is one",
    );
    Ok(Counters::Up { gauge: written(&gauge) })
}

/// The query of a metric source of a Prometheus.
fn query(drafts: &mut Drafts, documents: &Documents<'_>, part: &Foreign<'_>, place: &str) -> Result<String, String> {
    let source = part.get("metricSource").ok_or_else(|| format!("`{}` has no `metricSource`", part.path))?;
    let named = source.text_at(&["metricSourceRef"]);
    let own = source.text_at(&["type"]);
    let kind = match (&own, &named) {
        (Some(kind), _) => Some(kind.clone()),
        // A data source may be one that the file does not hold.
        (None, Some(name)) => documents.named("DataSource", name).ok().and_then(|spec| spec.text_at(&["type"])),
        (None, None) => None,
    };
    match kind {
        Some(kind) if !kind.eq_ignore_ascii_case("prometheus") => {
            return Err(format!("it asks {}, and here a source is a Prometheus", quoted(&kind)));
        }
        Some(_) => {}
        None => drafts.lacks(&format!("{place} {}", source.path), "nothing says what it asks; it is read as PromQL"),
    }
    if let Some(name) = named {
        let what =
            format!("its data source {} is a source of the configuration here: name it in `source`", quoted(&name));
        drafts.lacks(place, what);
    }
    let query = QUERIES.iter().find_map(|key| source.text_at(&["spec", key]));
    query.ok_or_else(|| format!("`{}.spec` has no `query`", source.path))
}

/// `query` with `$interval` where it has a placeholder for its window.
fn windowed(query: &str) -> Result<String, String> {
    if query.contains("$interval") {
        return Err("`$interval` stands in its query, and nothing says what for".to_owned());
    }
    let text = WINDOWS.iter().fold(query.to_owned(), |text, window| text.replace(window, "$interval"));
    if let Some(at) = text.find("{{") {
        let action: String = text[at..].chars().take(60).collect();
        return Err(format!("its query has the template {}, which is not known here", quoted(&action)));
    }
    Ok(text)
}
