//! `--param NAME=VALUE`, as often as there are params.

use std::collections::BTreeMap;

/// One flag.
#[derive(Clone, Debug)]
pub(super) struct Param {
    name: String,
    value: String,
}

/// Reads one flag; the value may hold further `=`.
pub(super) fn parse(text: &str) -> Result<Param, String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, such as region=eu-1")?;
    Ok(Param { name: name.to_owned(), value: value.to_owned() })
}

/// All of them, or the name that is given twice.
pub(super) fn all(flags: &[Param]) -> Result<BTreeMap<String, String>, String> {
    let mut params = BTreeMap::new();
    for Param { name, value } in flags {
        if params.insert(name.clone(), value.clone()).is_some() {
            return Err(format!("--param: `{name}` is given twice"));
        }
    }
    Ok(params)
}
