//! The regular expressions of a whole file, before its queries are read.
//!
//! Each is compiled, and kept as long as its query: so there is a limit for all of them,
//! and only here are all of them seen, those that an anchor repeats as often as they are used.

use crate::rules::diagnostic::Spot;
use crate::rules::query::pattern;
use crate::rules::yaml::RawNode;
use crate::rules::yaml::RawValue;
use crate::rules::yaml::Refused;

/// Refuses a tree whose patterns do not fit into a file.
pub(super) fn bounded(tree: &RawNode) -> Result<(), Refused> {
    let mut texts = Vec::new();
    collect(tree, &mut texts);
    if pattern::all_fit(texts.into_iter()) {
        return Ok(());
    }
    let message = "the file holds more regular expressions, or larger ones, than a rule file can".to_owned();
    let help = "name labels outright, list fewer values, or make recording rules";
    Err(Refused { code: "file_too_complex", spot: Spot::START, message, help })
}

/// Every value in which a pattern may stand.
fn collect<'t>(node: &'t RawNode, texts: &mut Vec<&'t str>) {
    match &node.value {
        RawValue::Text(text) if text.contains('~') => texts.push(text),
        RawValue::List(nodes) => nodes.iter().for_each(|node| collect(node, texts)),
        RawValue::Table(pairs) => pairs.iter().for_each(|(_, value)| collect(value, texts)),
        RawValue::Null | RawValue::Bool(_) | RawValue::Number(_) | RawValue::Text(_) => {}
    }
}
