//! Queries with another tool's placeholders, as queries of ours.
//!
//! A query of theirs names its instances itself; a query of ours leaves that to
//! `cohorts`. So the matchers that tell one cohort from another are taken out of the
//! braces, and what else a placeholder stands for becomes a text or a parameter.

use std::collections::BTreeSet;

/// How a tool writes a placeholder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Syntax {
    pub(super) open: &'static str,
    pub(super) close: &'static str,
}

/// What a placeholder stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// That which tells the cohorts apart.
    Cohort { canary: String, baseline: String },
    /// A parameter of the wave, without its `$`.
    Param(String),
    /// A text that is known.
    Text(String),
}

/// A query of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rewritten {
    pub(super) query: String,
    pub(super) cohorts: Pair,
    /// Parameters that it uses.
    pub(super) params: BTreeSet<String>,
    /// Not every selector of it named the same instances: now every one does.
    pub(super) uneven: bool,
}

/// The matchers of both cohorts; empty where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) canary: String,
    pub(super) baseline: String,
}

/// Bad events of all events, where a query divides the rates of two counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Quotient {
    pub(super) bad: String,
    pub(super) total: String,
    /// The query divided the good events.
    pub(super) of_good: bool,
}

/// The counters of `sum(rate(a{more}[5m])) / sum(rate(a[5m]))`, where one matcher more
/// tells the events above the line from those below.
pub(super) fn quotient(query: &str) -> Option<Quotient> {
    let plain = marked(query).filter(|(_, c, is_outside)| !(*is_outside && c.is_whitespace()));
    let plain: String = plain.map(|(_, c, _)| c).collect();
    let plain = plain.strip_suffix("*100").unwrap_or(&plain);
    let (above, below) = plain.split_once(")/sum(")?;
    let counter = |text: &str| {
        let inner = text.strip_prefix("rate(").or_else(|| text.strip_prefix("increase("))?;
        let (selector, range) = inner.rsplit_once('[')?;
        (range.ends_with("])") && !selector.contains(['(', ')', '['])).then(|| selector.to_owned())
    };
    let above = counter(above.strip_prefix("sum(")?)?;
    let below = counter(below.strip_suffix(')')?)?;
    let syntax = Syntax { open: "{{", close: "}}" };
    let (above, below) = (parts(&above, syntax).ok()?, parts(&below, syntax).ok()?);
    let [Part::Plain(metric), Part::Matchers(all), Part::Plain(_)] = above.as_slice() else { return None };
    let (same, few): (&str, &[String]) = match below.as_slice() {
        [Part::Plain(metric), Part::Matchers(few), Part::Plain(_)] => (metric, few),
        [Part::Plain(metric)] => (metric, &[]),
        _ => return None,
    };
    let more: Vec<&String> = all.iter().filter(|text| !few.contains(text)).collect();
    let [more] = more.as_slice() else { return None };
    if metric != same || all.len() != few.len() + 1 {
        return None;
    }
    let turned = more.replacen("!=\"", "=\"", 1);
    let turned = if turned == **more { more.replacen("!~\"", "=~\"", 1) } else { turned };
    let of_good = turned != **more;
    let with = |matchers: &[String]| {
        let braces = if matchers.is_empty() { String::new() } else { format!("{{{}}}", matchers.join(", ")) };
        format!("{metric}{braces}")
    };
    let bad: Vec<String> = few.iter().cloned().chain([turned]).collect();
    Some(Quotient { bad: with(&bad), total: with(few), of_good })
}

/// What stands between the matchers of a query, and they.
enum Part {
    Plain(String),
    Matchers(Vec<String>),
}

/// `query` with its placeholders replaced by what they stand for.
///
/// # Errors
/// In words: a placeholder that is not known, or stands where only a text may.
pub(super) fn rewrite(
    query: &str,
    syntax: Syntax,
    stands: &dyn Fn(&str) -> Option<Stands>,
) -> Result<Rewritten, String> {
    let parts = parts(&on_one_line(query), syntax)?;
    let all: Vec<&String> = parts.iter().flat_map(Part::matchers).collect();
    let telling = telling(&all, syntax, stands)?;
    let mut out = Rewritten::default();
    for part in &parts {
        match part {
            Part::Plain(text) => {
                let (canary, _) = resolve(text, syntax, stands, &mut out.params, Place::Bare)?;
                out.query.push_str(&canary);
            }
            Part::Matchers(matchers) => {
                names_one_cohort(matchers, &telling)?;
                let (own, kept): (Vec<_>, Vec<_>) = matchers.iter().partition(|text| telling.contains(text.as_str()));
                out.uneven |= own.len() < telling.len();
                let kept: Vec<String> = kept
                    .into_iter()
                    .map(|text| Ok(resolve(text, syntax, stands, &mut out.params, Place::Value)?.0))
                    .collect::<Result<_, String>>()?;
                if !kept.is_empty() {
                    out.query.extend(["{", &kept.join(", "), "}"]);
                }
            }
        }
    }
    for text in &telling {
        let (canary, baseline) = resolve(text, syntax, stands, &mut out.params, Place::Value)?;
        push(&mut out.cohorts.canary, &canary);
        push(&mut out.cohorts.baseline, &baseline);
    }
    if out.cohorts.canary == out.cohorts.baseline {
        out.cohorts.baseline.clear();
    }
    Ok(out)
}

/// The matchers that tell whose series these are: those with a placeholder for a
/// cohort; else those with any; else the first.
fn telling(
    all: &[&String],
    syntax: Syntax,
    stands: &dyn Fn(&str) -> Option<Stands>,
) -> Result<BTreeSet<String>, String> {
    let mut of_cohorts = BTreeSet::new();
    let mut of_params = BTreeSet::new();
    for text in all {
        for name in names(text, syntax)? {
            match stands(&name) {
                Some(Stands::Cohort { .. }) => drop(of_cohorts.insert((*text).clone())),
                Some(Stands::Param(_)) => drop(of_params.insert((*text).clone())),
                Some(Stands::Text(_)) | None => {}
            }
        }
    }
    Ok(if !of_cohorts.is_empty() {
        of_cohorts
    } else if !of_params.is_empty() {
        of_params
    } else {
        all.first().map(|text| (*text).clone()).into_iter().collect()
    })
}

/// Refuses a selector that picks others by a label that tells the cohorts apart: with the
/// cohort's matcher added it would pick nobody.
fn names_one_cohort(matchers: &[String], telling: &BTreeSet<String>) -> Result<(), String> {
    let label = |text: &str| text.split(['=', '!']).next().unwrap_or_default().trim().to_owned();
    let picks = |text: &&String| !text.contains("!=") && !text.contains("!~");
    for lacking in telling.iter().filter(|text| !matchers.contains(text)) {
        if let Some(other) = matchers.iter().filter(picks).find(|text| label(text) == label(lacking)) {
            return Err(format!(
                "one selector of it says `{lacking}` and another `{other}`: a check asks about one cohort"
            ));
        }
    }
    Ok(())
}

fn push(matchers: &mut String, more: &str) {
    if !matchers.is_empty() {
        matchers.push_str(", ");
    }
    matchers.push_str(more);
}

impl Part {
    fn matchers(&self) -> &[String] {
        match self {
            Self::Plain(_) => &[],
            Self::Matchers(matchers) => matchers,
        }
    }
}

/// Where a text with placeholders stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the value of a label.
    Value,
    /// Anywhere else: a range, a name, a number.
    Bare,
}

/// `text` with its placeholders replaced, for the canary and for the baseline.
fn resolve(
    text: &str,
    syntax: Syntax,
    stands: &dyn Fn(&str) -> Option<Stands>,
    params: &mut BTreeSet<String>,
    place: Place,
) -> Result<(String, String), String> {
    let (mut canary, mut baseline) = (String::new(), String::new());
    let mut rest = text;
    while let Some(at) = rest.find(syntax.open) {
        let (name, after) = placeholder(&rest[at..], syntax)?;
        canary.push_str(&rest[..at]);
        baseline.push_str(&rest[..at]);
        rest = after;
        let what = stands(&name).ok_or_else(|| format!("nothing is known of `{name}`"))?;
        if place == Place::Bare && !matches!(what, Stands::Text(_)) {
            return Err(format!("`{name}` stands outside of the value of a label, where nothing can be put in"));
        }
        let (own, other) = match what {
            Stands::Text(text) => (text.clone(), text),
            Stands::Cohort { canary, baseline } => {
                params.extend(variable(&canary).map(str::to_owned));
                (canary, baseline)
            }
            Stands::Param(name) => {
                let text = format!("${name}");
                params.insert(name);
                (text.clone(), text)
            }
        };
        let follows = rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if follows && own.starts_with('$') {
            return Err(format!(
                "`{name}` is followed by a letter, a digit or `_`, which would become part of its name"
            ));
        }
        canary.push_str(&own);
        baseline.push_str(&other);
    }
    canary.push_str(rest);
    baseline.push_str(rest);
    Ok((canary, baseline))
}

/// The parameter that `text` begins with, where it begins with one.
fn variable(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    (!["wave", "baseline"].contains(&name)).then_some(name)
}

/// The placeholders of `text`, in order.
fn names(text: &str, syntax: Syntax) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(syntax.open) {
        let (name, after) = placeholder(&rest[at..], syntax)?;
        names.push(name);
        rest = after;
    }
    Ok(names)
}

/// The name of the placeholder that `text` begins with, and what follows it.
fn placeholder(text: &str, syntax: Syntax) -> Result<(String, &str), String> {
    let inner = &text[syntax.open.len()..];
    let end = inner.find(syntax.close).ok_or_else(|| format!("a `{}` is not closed", syntax.open))?;
    Ok((inner[..end].trim().to_owned(), &inner[end + syntax.close.len()..]))
}

/// Line breaks and what is around them become one space; comments, which end at them, go.
fn on_one_line(query: &str) -> String {
    let code = |line: &'_ str| {
        let comment = marked(line).find(|(_, c, is_outside)| *is_outside && *c == '#');
        line[..comment.map_or(line.len(), |(at, ..)| at)].trim().to_owned()
    };
    query.lines().map(code).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Each character of `text` with its place, and whether it is outside of quotes.
fn marked(text: &str) -> impl Iterator<Item = (usize, char, bool)> {
    let (mut open, mut escaped) = (None, false);
    text.char_indices().map(move |(at, c)| {
        let is_outside = open.is_none();
        match open {
            None if matches!(c, '"' | '\'' | '`') => open = Some(c),
            Some(_) if escaped => escaped = false,
            Some(quote) if c == '\\' && quote != '`' => escaped = true,
            Some(quote) if c == quote => open = None,
            None | Some(_) => {}
        }
        (at, c, is_outside)
    })
}

/// Splits `query` at the braces of its selectors, and those at their commas.
fn parts(query: &str, syntax: Syntax) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut piece = String::new();
    let mut matchers: Option<Vec<String>> = None;
    let mut rest = query;
    while let Some(character) = rest.chars().next() {
        if rest.starts_with(syntax.open) {
            let (_, after) = placeholder(rest, syntax)?;
            piece.push_str(&rest[..rest.len() - after.len()]);
            rest = after;
            continue;
        }
        let after = &rest[character.len_utf8()..];
        match (character, &mut matchers) {
            ('"' | '\'' | '`', _) => {
                let end = quoted(rest, character)?;
                piece.push_str(&rest[..end]);
                rest = &rest[end..];
                continue;
            }
            ('{', None) => {
                parts.push(Part::Plain(std::mem::take(&mut piece)));
                matchers = Some(Vec::new());
            }
            (',', Some(found)) => found.push(std::mem::take(&mut piece)),
            ('}', Some(found)) => {
                found.push(std::mem::take(&mut piece));
                let found = found.iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
                parts.push(Part::Matchers(found.collect()));
                matchers = None;
            }
            (other, _) => piece.push(other),
        }
        rest = after;
    }
    if matchers.is_some() {
        return Err("a `{` is not closed".to_owned());
    }
    parts.push(Part::Plain(piece));
    Ok(parts)
}

/// Where the quoted text ends that `text` begins with.
fn quoted(text: &str, quote: char) -> Result<usize, String> {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            '\\' if quote != '`' && !escaped => escaped = true,
            _ if character == quote && !escaped => return Ok(at + 1),
            _ => escaped = false,
        }
    }
    Err(format!("a {quote} is not closed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KAYENTA: Syntax = Syntax { open: "${", close: "}" };
    const ARGO: Syntax = Syntax { open: "{{", close: "}}" };

    fn known(name: &str) -> Option<Stands> {
        Some(match name {
            "scope" => Stands::Cohort { canary: "$wave".to_owned(), baseline: "$baseline".to_owned() },
            "location" => Stands::Param("location".to_owned()),
            "interval" => Stands::Text("1m".to_owned()),
            _ => return None,
        })
    }

    #[test]
    fn what_tells_the_cohorts_apart_leaves_the_query() {
        let query = r#"sum(rate(a_total{pod=~"${scope}-.*", code="5..", zone="${location}"}[${interval}]))"#;
        let made = rewrite(query, KAYENTA, &known).unwrap();
        assert_eq!(made.query, r#"sum(rate(a_total{code="5..", zone="$location"}[1m]))"#);
        assert_eq!(made.cohorts.canary, r#"pod=~"$wave-.*""#);
        assert_eq!(made.cohorts.baseline, r#"pod=~"$baseline-.*""#);
        assert_eq!(made.params, BTreeSet::from(["location".to_owned()]));
        assert!(!made.uneven);
    }

    #[test]
    fn a_query_without_a_cohort_is_told_apart_by_its_parameters_else_by_its_first_matcher() {
        for (query, canary, left) in [
            (r#"up{job="a", zone="{{location}}"}"#, r#"zone="$location""#, r#"up{job="a"}"#),
            (r#"up{job="a", zone="b"}"#, r#"job="a""#, r#"up{zone="b"}"#),
            (r#"up{job="a"} / up{job="a", x="{"}"#, r#"job="a""#, r#"up / up{x="{"}"#),
            ("up", "", "up"),
        ] {
            let made = rewrite(query, ARGO, &known).unwrap();
            assert_eq!((made.cohorts.canary.as_str(), made.query.as_str()), (canary, left), "{query}");
            assert_eq!(made.cohorts.baseline, "", "{query}");
        }
    }

    #[test]
    fn what_cannot_be_put_in_is_refused_in_words() {
        for (query, words) in [
            ("up{a=\"{{nobody}}\"}", "nothing is known of `nobody`"),
            ("up * {{location}}", "outside of the value of a label"),
            ("up{a=\"{{location}}_b\"}", "become part of its name"),
            ("up{a=\"{{location", "is not closed"),
            ("up{a=\"b", "is not closed"),
            ("up{a=\"b\"", "is not closed"),
            ("a{p=\"{{scope}}\"} / b{p=\"{{location}}\"}", "a check asks about one cohort"),
            ("a{p=\"{{scope}}-x\"} / b{p=\"{{scope}}-y\"}", "a check asks about one cohort"),
        ] {
            let refused = rewrite(query, ARGO, &known).unwrap_err();
            assert!(refused.contains(words), "{query}: {refused}");
        }
    }

    #[test]
    fn a_quotient_of_rates_is_bad_events_of_all_events() {
        for (query, expect) in [
            (r#"sum(rate(a{c=~"5.."}[1m])) / sum(rate(a[1m]))"#, r#"a{c=~"5.."} of a"#),
            (
                r#"sum(increase(a{x="1", c!~"5.*"}[1m])) / sum(increase(a{x="1"}[1m])) * 100"#,
                r#"a{x="1", c=~"5.*"} of a{x="1"}, good"#,
            ),
            (r#"sum(rate(a{x="a b", c="5"}[1m])) / sum(rate(a{x="a b"}[1m]))"#, r#"a{x="a b", c="5"} of a{x="a b"}"#),
            (r#"sum(rate(a{c!="ok"}[1m])) / sum(rate(a[1m]))"#, r#"a{c="ok"} of a, good"#),
            (r#"sum(rate(a{c="5"}[1m])) / sum(rate(b[1m]))"#, "none"),
            (r#"sum(rate(a{c="5", d="1"}[1m])) / sum(rate(a[1m]))"#, "none"),
            (r#"sum(rate(a{c="5"}[1m])) by (x) / sum(rate(a[1m])) by (x)"#, "none"),
            (r#"1 - sum(rate(a{c="5"}[1m])) / sum(rate(a[1m]))"#, "none"),
            ("a / b", "none"),
            ("", "none"),
        ] {
            let shown = quotient(query).map_or("none".to_owned(), |Quotient { bad, total, of_good }| {
                format!("{bad} of {total}{}", if of_good { ", good" } else { "" })
            });
            assert_eq!(shown, expect, "{query}");
        }
    }

    #[test]
    fn a_comment_ends_with_its_line() {
        let made = rewrite("# all\na{p=\"{{scope}}\", c='#1'} # some\n  / b{p=\"{{scope}}\"}", ARGO, &known).unwrap();
        assert_eq!(made.query, "a{c='#1'} / b");
    }

    #[test]
    fn selectors_that_name_other_instances_are_uneven() {
        let made = rewrite(r#"a{p="{{scope}}"} / b{q="1"}"#, ARGO, &known).unwrap();
        assert!(made.uneven);
        assert_eq!(made.query, r#"a / b{q="1"}"#);
    }
}
