//! Sloth: `prometheus/v1`, and the `PrometheusServiceLevel` of Kubernetes, which is the
//! same in other letters.
//!
//! Its queries are templates with `{{.window}}` in them, and its periods are not in its
//! files. A plugin is a program, which is not run.

use crate::rules::duration_text;
use crate::rules::import::draft::quoted;
use crate::rules::import::foreign::Foreign;
use crate::rules::import::slo_draft::DraftTier;
use crate::rules::import::slo_draft::Drafts;
use crate::rules::import::slo_draft::SloDraft;
use crate::rules::import::slo_draft::objective;
use crate::rules::import::slo_draft::usual;
use crate::rules::query::counts::Counters;
use crate::rules::query::counts::Counting;
use crate::rules::query::counts::counting;
use crate::rules::query::counts::of_bad;
use crate::rules::query::counts::of_good;
use crate::rules::query::counts::share;
use std::time::Duration;

/// Of a file in one of the two spellings.
struct Keys {
    error_query: &'static str,
    total_query: &'static str,
    error_ratio_query: &'static str,
    page_alert: &'static str,
    ticket_alert: &'static str,
    plugins: &'static str,
}

const SNAKE: Keys = Keys {
    error_query: "error_query",
    total_query: "total_query",
    error_ratio_query: "error_ratio_query",
    page_alert: "page_alert",
    ticket_alert: "ticket_alert",
    plugins: "slo_plugins",
};

const CAMEL: Keys = Keys {
    error_query: "errorQuery",
    total_query: "totalQuery",
    error_ratio_query: "errorRatioQuery",
    page_alert: "pageAlert",
    ticket_alert: "ticketAlert",
    plugins: "sloPlugins",
};

/// The SLOs of `trees`.
///
/// # Errors
/// In words: this is no file of Sloth's.
pub(super) fn drafts(trees: &[Foreign<'_>], period: Duration) -> Result<Drafts, String> {
    let mut drafts = Drafts { origin: "From a file of Sloth's.".to_owned(), ..Drafts::default() };
    for tree in trees {
        let version = tree.text_at(&["version"]).unwrap_or_default();
        let kind = tree.text_at(&["kind"]).unwrap_or_default();
        if version == "prometheus/v1" {
            service(&mut drafts, tree, &SNAKE, period);
        } else if kind == "PrometheusServiceLevel" {
            let spec = tree.get("spec").ok_or("its PrometheusServiceLevel has no `spec`")?;
            service(&mut drafts, &spec, &CAMEL, period);
        } else {
            let version = if version.is_empty() { tree.text_at(&["apiVersion"]).unwrap_or_default() } else { version };
            let other = if version.starts_with("openslo/") { ": name it as `import openslo`" } else { "" };
            return Err(format!(
                "a document is neither `version: prometheus/v1` nor `kind: PrometheusServiceLevel`, but {}{other}",
                quoted(&version)
            ));
        }
    }
    Ok(drafts)
}

fn service(drafts: &mut Drafts, tree: &Foreign<'_>, keys: &Keys, period: Duration) {
    let name = tree.text_at(&["service"]).unwrap_or_default();
    for path in tree.beside(&["version", "service", "slos"]) {
        let what = if path.ends_with("labels") {
            "they are of the rules that Sloth makes; gates and their messages have none"
        } else if path.ends_with(keys.plugins) {
            "a plugin is a program that Sloth runs while it makes rules, and it is not run here"
        } else {
            "it is not known here"
        };
        drafts.lacks(&path, what);
    }
    for slo in tree.items_at(&["slos"]) {
        let own = slo.text_at(&["name"]).unwrap_or_default();
        if let Some(part) = [&name, &own].into_iter().find(|name| !is_name(name)) {
            drafts.lacks(&slo.path, format!("it is left out: {} is no name of Sloth's", quoted(part)));
            continue;
        }
        match draft(drafts, &slo, keys, period) {
            Ok(draft) => {
                drafts.slos.push(SloDraft { name: format!("{name}-{own}"), service: Some(name.clone()), ..draft });
            }
            Err(why) => drafts.lacks(&slo.path, format!("{} is left out: {why}", quoted(&own))),
        }
    }
}

fn draft(drafts: &mut Drafts, slo: &Foreign<'_>, keys: &Keys, period: Duration) -> Result<SloDraft, String> {
    let objective = objective(&slo.text_at(&["objective"]).unwrap_or_default())?;
    let counters = indicator(drafts, slo, keys)?;
    let tiers = alerting(drafts, slo, keys, period);
    for path in slo.beside(&["name", "description", "objective", "sli", "alerting"]) {
        let what = if path.ends_with("labels") {
            "they are of the rules that Sloth makes; gates and their messages have none"
        } else if path.ends_with("plugins") {
            "a plugin is a program that Sloth runs while it makes rules, and it is not run here"
        } else if path.ends_with("interval") {
            "it is of the rules that Sloth makes; slices are kept here at their own pace"
        } else {
            "it is not known here"
        };
        drafts.lacks(&path, what);
    }
    let period = duration_text(period);
    Ok(SloDraft {
        place: slo.path.clone(),
        name: String::new(),
        service: None,
        description: slo.text_at(&["description"]),
        objective,
        remarks: vec![format!(
            "Sloth's files have no period: {period} is what the import was told, or what Sloth takes by default."
        )],
        period,
        counters,
        budgeting: None,
        slice: None,
        tiers,
        strata: Vec::new(),
    })
}

fn indicator(drafts: &mut Drafts, slo: &Foreign<'_>, keys: &Keys) -> Result<Counters, String> {
    let Some(sli) = slo.get("sli") else { return Err("it has no `sli`".to_owned()) };
    let kinds: Vec<(String, Foreign<'_>)> = sli.entries();
    let [(kind, indicator)] = kinds.as_slice() else {
        return Err(format!("its `sli` is of {} kinds, not of one", kinds.len()));
    };
    let counters = match kind.as_str() {
        "events" => {
            let bad = events(drafts, indicator, keys.error_query)?;
            let total = events(drafts, indicator, keys.total_query)?;
            of_bad(&bad.counted, &total.counted)
        }
        "raw" => raw(drafts, indicator, keys.error_ratio_query),
        "plugin" => {
            let id = indicator.text_at(&["id"]).unwrap_or_default();
            Err(format!(
                "its events come of the plugin {}, a program that is not run here; write its two queries",
                quoted(&id)
            ))
        }
        other => Err(format!("its `sli` is {}, which is not known here", quoted(other))),
    }?;
    if let Counters::Up { .. } = counters {
        let what = "it is read as a gauge of 0 and 1, each of whose samples is an event; look whether it is one";
        drafts.lacks(&indicator.path, what);
    }
    Ok(counters)
}

fn events(drafts: &mut Drafts, events: &Foreign<'_>, key: &str) -> Result<Counting, String> {
    let query = events.get(key).ok_or_else(|| format!("it has no `{key}`"))?;
    let counting = counting(&windowed(&query.text().unwrap_or_default())?).map_err(|why| format!("`{key}`: {why}"))?;
    drafts.lacks_of_query(&query.path, &counting.said);
    Ok(counting)
}

fn raw(drafts: &mut Drafts, raw: &Foreign<'_>, key: &str) -> Result<Counters, String> {
    // Sloth's own examples have it in both spellings.
    let spelled = [key, SNAKE.error_ratio_query, CAMEL.error_ratio_query];
    let query = spelled.iter().find_map(|key| raw.get(key)).ok_or_else(|| format!("it has no `{key}`"))?;
    let share = share(&windowed(&query.text().unwrap_or_default())?).map_err(|why| format!("`{key}`: {why}"))?;
    for part in [&share.some, &share.all] {
        drafts.lacks_of_query(&query.path, &part.said);
    }
    let counters = if share.of_others { of_good } else { of_bad };
    counters(&share.some.counted, &share.all.counted).map_err(|why| format!("`{key}`: {why}"))
}

/// `query` with `$interval` where Sloth's template has its window.
fn windowed(query: &str) -> Result<String, String> {
    if query.contains("$interval") {
        return Err("`$interval` stands in its query, and nothing says what for".to_owned());
    }
    let mut text = String::with_capacity(query.len());
    let mut rest = query;
    let mut count = 0;
    while let Some(at) = rest.find("{{") {
        let end = rest[at..].find("}}").ok_or("a `{{` of its query is not closed")?;
        let inner = &rest[at + 2..at + end];
        if inner.trim_matches('-').trim() != ".window" {
            let action: String = inner.chars().take(60).collect();
            return Err(format!(
                "its query has the template action `{{{{{action}}}}}`, and `{{{{.window}}}}` alone is known here"
            ));
        }
        text.push_str(&rest[..at]);
        text.push_str("$interval");
        rest = &rest[at + end + 2..];
        count += 1;
    }
    if count == 0 {
        return Err("its query has no `{{.window}}`, which Sloth asks for".to_owned());
    }
    text.push_str(rest);
    Ok(text)
}

/// Its pairs of windows, where some of its alerts are off; `None` where none is.
fn alerting(drafts: &mut Drafts, slo: &Foreign<'_>, keys: &Keys, period: Duration) -> Option<Vec<DraftTier>> {
    let alerting = slo.get("alerting")?;
    let off = |key: &str| alerting.at(&[key, "disable"]).is_some_and(|flag| flag.is_true());
    let (no_pages, no_tickets) = (off(keys.page_alert), off(keys.ticket_alert));
    let mut told = alerting.beside(&[keys.page_alert, keys.ticket_alert]);
    for key in [keys.page_alert, keys.ticket_alert] {
        told.extend(alerting.get(key).iter().flat_map(|alert| alert.beside(&["disable"])));
    }
    for path in told {
        drafts.lacks(&path, "it is of the alerts that Sloth makes; `wavegate export` names its own");
    }
    if !no_pages && !no_tickets {
        return None;
    }
    let off = |severity: &str| if severity == "page" { no_pages } else { no_tickets };
    // Sloth's own pairs of windows are those that are usual here.
    Some(usual(period).into_iter().filter(|tier| !off(tier.severity)).collect())
}

/// Whether Sloth takes `name`: it begins and ends with a letter or digit.
fn is_name(name: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_alphanumeric();
    let within = name.chars().all(|c| alphanumeric(c) || matches!(c, '-' | '_' | '.'));
    2 <= name.len() && within && name.starts_with(alphanumeric) && name.ends_with(alphanumeric)
}
