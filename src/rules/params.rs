//! Params: what a wave may set in the values of labels, beside its id.
//!
//! A value given by a wave is checked here and put in place by the binding of
//! queries, with every escape, so it can pick among series and do nothing else.

use crate::rules::Param;
use crate::rules::RuleFile;
use crate::rules::keys::file::PARAMS;
use crate::rules::nearest::nearest;
use crate::rules::reader::Entry;
use crate::rules::reader::Reader;
use crate::rules::reader::quote;
use crate::rules::yaml::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// Most params of one file: each is a decision for whoever opens a wave.
pub(super) const MAX_PARAMS: usize = 32;

/// Longest value, in bytes: values of labels are short.
pub(super) const MAX_VALUE: usize = 256;

/// Longest name, in bytes.
const MAX_NAME: usize = 64;

/// Longest description, in bytes.
const MAX_DESCRIPTION: usize = 1024;

/// Variables that are not the file's to declare.
const TAKEN: &[&str] = &["wave", "baseline", "interval"];

/// Why the params of a wave are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParamFault {
    /// The rule file declares no such param.
    Unknown {
        /// As it was given.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
        /// Every param of the file.
        known: Vec<String>,
    },
    /// Params without a default that were not given.
    Missing {
        /// Which; at least one.
        names: Vec<String>,
    },
    /// A value that no label should have: empty, too long, or with control characters in it.
    Value {
        /// Of which param.
        name: String,
    },
}

impl fmt::Display for ParamFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, nearest: Some(near), .. } => {
                write!(f, "{} is not a param of these rules; did you mean `{near}`?", quote(name))
            }
            Self::Unknown { name, known, .. } if known.is_empty() => {
                write!(f, "{} is not a param of these rules: they have none", quote(name))
            }
            Self::Unknown { name, known, .. } => {
                write!(f, "{} is not a param of these rules: they have {}", quote(name), known.join(", "))
            }
            Self::Missing { names } => {
                write!(f, "the rules have no default for {}: give a value", names.join(", "))
            }
            Self::Value { name } => {
                write!(f, "the value of `{name}` is not 1 to {MAX_VALUE} bytes without control characters")
            }
        }
    }
}

impl std::error::Error for ParamFault {}

impl RuleFile {
    /// Every param with its value: what is `given`, or else the default.
    ///
    /// # Errors
    /// Where a param is unknown, has a bad value, or has none at all.
    pub fn params_of(&self, given: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, ParamFault> {
        let known: Vec<&str> = self.params.iter().map(|param| param.name.as_str()).collect();
        for (name, value) in given {
            if !known.contains(&name.as_str()) {
                let near = nearest(name, &known).map(str::to_owned);
                let known = known.iter().map(|&name| name.to_owned()).collect();
                return Err(ParamFault::Unknown { name: name.clone(), nearest: near, known });
            }
            if !is_value(value) {
                return Err(ParamFault::Value { name: name.clone() });
            }
        }
        let (mut values, mut missing) = (BTreeMap::new(), Vec::new());
        for Param { name, default } in &self.params {
            match given.get(name).or(default.as_ref()) {
                Some(value) => drop(values.insert(name.clone(), value.clone())),
                None => missing.push(name.clone()),
            }
        }
        if missing.is_empty() { Ok(values) } else { Err(ParamFault::Missing { names: missing }) }
    }
}

fn is_value(text: &str) -> bool {
    (1..=MAX_VALUE).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// The params of a file, in its order.
pub(super) fn params(reader: &mut Reader<'_>, entry: Entry<'_>) -> Vec<Param> {
    let Some(table) = reader.free_table(entry.node, "`params`") else { return Vec::new() };
    if table.entries().len() > MAX_PARAMS {
        let message = format!("there are {} params, the limit is {MAX_PARAMS}", table.entries().len());
        reader.error(entry.node.spot, "too_many", message, "a wave sets a few: write the others out");
        return Vec::new();
    }
    let mut params = Vec::new();
    for entry in table.entries() {
        // A param whose value is at fault is declared all the same, so that its uses are none.
        if is_free_name(reader, *entry) {
            params.push(Param { name: entry.key.to_owned(), default: default(reader, *entry) });
        }
    }
    params
}

fn is_free_name(reader: &mut Reader<'_>, entry: Entry<'_>) -> bool {
    let name = entry.key;
    if TAKEN.contains(&name) {
        let message = format!("`${name}` has a meaning already");
        reader.error(entry.key_spot, "bad_param", message, "give the param another name");
        return false;
    }
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !begins || !plain || name.len() > MAX_NAME {
        let message = format!("{} cannot be the name of a param", quote(name));
        let help = "1 to 64 of `a-z A-Z 0-9 _`, beginning with a letter";
        reader.error(entry.key_spot, "bad_param", message, help);
        return false;
    }
    true
}

/// `region: eu-1`, or a mapping with `default`; `None` where a wave must say.
fn default(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<String> {
    let stated = match &entry.node.value {
        RawValue::Table(_) => {
            let table = reader.table(entry.node, "a param", PARAMS)?;
            if let Some(description) = table.get("description") {
                let _ = reader.text(description, MAX_DESCRIPTION);
            }
            table.get("default")?
        }
        RawValue::Null => {
            let message = format!("`{}` has neither a default nor `{{}}`", entry.key);
            let help = "write a default, or `{}` where a wave must say";
            reader.error(entry.key_spot, "bad_param", message, help);
            return None;
        }
        RawValue::Bool(_) | RawValue::Number(_) | RawValue::Text(_) | RawValue::List(_) => entry,
    };
    let text = reader.text(stated, MAX_VALUE)?;
    if !is_value(text) {
        let message = format!("the value of `{}` has control characters in it", stated.key);
        reader.error(stated.node.spot, "bad_param", message, "write what the label says");
        return None;
    }
    Some(text.to_owned())
}
