//! The bodies that callers send, read into what the engine takes.

use crate::engine::Attest;
use crate::engine::Open;
use crate::engine::Word;
use crate::http::problem::Problem;
use crate::rules::Class;
use crate::rules::RulesName;
use crate::series::Timestamp;
use crate::wave::Verdict;
use crate::wave::WaveId;
use crate::wire::pointer_token;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;

/// Gates of one wave: one for each service of a large platform, and each is a set of queries.
const MAX_RULES: usize = 64;
/// A caller's own name for something: a uid, a URL of a CI run.
const MAX_NAME_BYTES: usize = 256;
/// A person's or a robot's name.
const MAX_BY_BYTES: usize = 128;
/// A sentence or two, with a link.
const MAX_WHY_BYTES: usize = 1024;
/// A link, as long as those of object stores with a signature in them.
const MAX_URL_BYTES: usize = 1024;

/// `PUT /v1/waves/{wave_id}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenRequest {
    rules: Option<Rules>,
    baseline: Option<String>,
    #[serde(default)]
    params: Params,
    run: Option<String>,
    rollout: Option<String>,
    class: Option<String>,
    start: Option<String>,
    deadline: Option<String>,
}

/// One rules name, or a list of them.
#[derive(Debug)]
enum Rules {
    One(String),
    Many(Vec<String>),
}

/// Params by name.
#[derive(Debug, Default)]
struct Params(BTreeMap<String, String>);

/// `POST …/decision`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecisionRequest {
    verdict: Option<String>,
    by: Option<String>,
    why: Option<String>,
}

/// `POST …/attestations`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttestationRequest {
    name: Option<String>,
    by: Option<String>,
    note: Option<String>,
    url: Option<String>,
}

/// `POST …/cancel`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelRequest {
    by: Option<String>,
    why: Option<String>,
}

impl OpenRequest {
    /// Whether `rules` is one name and no list.
    pub(crate) fn is_single(&self) -> bool {
        matches!(self.rules, Some(Rules::One(_)))
    }

    /// What it opens.
    pub(crate) fn open(self, wave: WaveId) -> Result<Open, Problem> {
        let start = instant("/start", self.start.as_deref())?;
        let deadline = instant("/deadline", self.deadline.as_deref())?;
        if start.zip(deadline).is_some_and(|(start, deadline)| deadline <= start) {
            return Err(Problem::field("/deadline", "the deadline must come after the start"));
        }
        Ok(Open {
            wave,
            rules: names(self.rules)?,
            baseline: name("/baseline", self.baseline)?,
            params: params(self.params)?,
            run: name("/run", self.run)?,
            rollout: name("/rollout", self.rollout)?,
            class: class(self.class.as_deref())?,
            start,
            deadline,
            discovered: false,
        })
    }
}

impl DecisionRequest {
    /// Pass or fail.
    pub(crate) fn word(self) -> Result<Word, Problem> {
        let verdict = match self.verdict.as_deref() {
            Some("pass") => Verdict::Pass,
            Some("fail") => Verdict::Fail,
            Some(_) | None => return Err(Problem::field("/verdict", "must be `pass` or `fail`")),
        };
        word(Some(verdict), self.by, self.why)
    }
}

impl AttestationRequest {
    /// Attested. Of a link no more is asked than that a document can show it.
    pub(crate) fn attest(self) -> Result<Attest, Problem> {
        let Some(name) = name("/name", self.name)? else {
            return Err(Problem::field("/name", "must name what is attested, one of what the gate requires"));
        };
        let url = self.url.filter(|url| !url.is_empty());
        if url.as_ref().is_some_and(|url| !is_link(url)) {
            let mend = format!("must be an http or https address of at most {MAX_URL_BYTES} bytes without spaces");
            return Err(Problem::field("/url", mend));
        }
        Ok(Attest {
            name,
            by: signed(self.by)?,
            note: self.note.map(|note| said("/note", Some(note), MAX_WHY_BYTES)).transpose()?,
            url,
        })
    }
}

/// Whether people may be given `url` to open.
fn is_link(url: &str) -> bool {
    let web =
        ["http://", "https://"].iter().any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    web && url.len() <= MAX_URL_BYTES && !url.contains(|c: char| c.is_control() || c.is_whitespace())
}

impl CancelRequest {
    /// Called off.
    pub(crate) fn word(self) -> Result<Word, Problem> {
        word(None, self.by, self.why)
    }
}

fn word(verdict: Option<Verdict>, by: Option<String>, why: Option<String>) -> Result<Word, Problem> {
    Ok(Word { verdict, by: signed(by)?, why: said("/why", why, MAX_WHY_BYTES)? })
}

/// A name, which stands in one line of a log; a reason may have several.
fn signed(by: Option<String>) -> Result<String, Problem> {
    said("/by", by.filter(|by| !by.contains('\n')), MAX_BY_BYTES)
}

/// Text of a person for the audit log: there, not empty, of bounded length.
fn said(pointer: &str, text: Option<String>, most: usize) -> Result<String, Problem> {
    let fits = |text: &String| !text.trim().is_empty() && text.len() <= most;
    let plain = |text: &String| !text.chars().any(|c| c.is_control() && c != '\n');
    let mend = || format!("must be there for the audit log: 1 to {most} bytes without control characters");
    text.filter(|text| fits(text) && plain(text)).ok_or_else(|| Problem::field(pointer, mend()))
}

fn name(pointer: &str, text: Option<String>) -> Result<Option<String>, Problem> {
    match text {
        Some(text) if text.is_empty() || text.len() > MAX_NAME_BYTES || text.chars().any(char::is_control) => {
            let detail = format!("must be 1 to {MAX_NAME_BYTES} bytes without control characters");
            Err(Problem::field(pointer, detail))
        }
        fit => Ok(fit),
    }
}

/// Values of labels, each checked at its own place.
fn params(Params(given): Params) -> Result<BTreeMap<String, String>, Problem> {
    let checked = |(key, value): (String, String)| {
        let pointer = format!("/params/{}", pointer_token(&key));
        let value = name(&pointer, Some(value))?;
        Ok((key, value.unwrap_or_default()))
    };
    given.into_iter().map(checked).collect()
}

fn class(word: Option<&str>) -> Result<Option<Class>, Problem> {
    let Some(word) = word else { return Ok(None) };
    Class::named(word).map(Some).ok_or_else(|| Problem::field("/class", "must be `standard` or `exploratory`"))
}

fn instant(pointer: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let parsed = Timestamp::parse(text);
    parsed
        .map(Some)
        .ok_or_else(|| Problem::field(pointer, "must be a time as RFC 3339 has it, such as 2026-11-22T10:00:00Z"))
}

fn names(rules: Option<Rules>) -> Result<Vec<RulesName>, Problem> {
    let rule = |pointer: &str, text: &str| {
        let mend = "must be a rules name: 1 to 64 of a-z A-Z 0-9 . _ -, beginning with a letter or digit";
        RulesName::new(text).ok_or_else(|| Problem::field(pointer, mend))
    };
    let many = match rules {
        None => return Err(Problem::field("/rules", "must name the rules to judge by")),
        Some(Rules::One(one)) => return Ok(vec![rule("/rules", &one)?]),
        Some(Rules::Many(many)) => many,
    };
    if many.is_empty() || many.len() > MAX_RULES {
        return Err(Problem::field("/rules", format!("must name 1 to {MAX_RULES} rules")));
    }
    let (mut names, mut seen) = (Vec::with_capacity(many.len()), BTreeSet::new());
    for (index, text) in many.iter().enumerate() {
        if !seen.insert(text) {
            return Err(Problem::field(format!("/rules/{index}"), format!("`{text}` is named twice")));
        }
        names.push(rule(&format!("/rules/{index}"), text)?);
    }
    Ok(names)
}

impl<'de> Deserialize<'de> for Rules {
    /// By hand: an untagged enum would lose the place of a fault.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;

        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Rules;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rules name or a list of them")
            }

            fn visit_str<E: serde::de::Error>(self, one: &str) -> Result<Rules, E> {
                Ok(Rules::One(one.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Rules, A::Error> {
                let mut many = Vec::new();
                while let Some(name) = names.next_element()? {
                    many.push(name);
                }
                Ok(Rules::Many(many))
            }
        }

        deserializer.deserialize_any(OneOrMany)
    }
}

impl<'de> Deserialize<'de> for Params {
    /// By hand: a map would take the last of two values for one name, and say nothing.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EachOnce;

        impl<'de> Visitor<'de> for EachOnce {
            type Value = Params;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of params and their values")
            }

            /// As with every other field.
            fn visit_unit<E: serde::de::Error>(self) -> Result<Params, E> {
                Ok(Params::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut given: A) -> Result<Params, A::Error> {
                let mut params = BTreeMap::new();
                while let Some((name, value)) = given.next_entry::<String, String>()? {
                    if params.contains_key(&name) {
                        return Err(serde::de::Error::custom(format!("`{name}` is given twice")));
                    }
                    params.insert(name, value);
                }
                Ok(Params(params))
            }
        }

        deserializer.deserialize_any(EachOnce)
    }
}
