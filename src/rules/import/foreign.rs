//! A tree of somebody else's keys, asked leniently: what is not there is `None`, and
//! what is there in another type than was expected as well.

use crate::rules::yaml::RawNode;
use crate::rules::yaml::RawValue;

/// A node of another tool's file, with its path.
#[derive(Clone, Debug)]
pub(super) struct Foreign<'a> {
    node: &'a RawNode,
    /// As `spec.metrics[0]`.
    pub(super) path: String,
}

impl<'a> Foreign<'a> {
    /// A whole document.
    pub(super) fn whole(node: &'a RawNode) -> Self {
        Self { node, path: String::new() }
    }

    /// The value of `key`; `None` where it is null.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        self.entries().into_iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The value at a path of keys.
    pub(super) fn at(&self, keys: &[&str]) -> Option<Self> {
        keys.iter().try_fold(self.clone(), |node, key| node.get(key))
    }

    /// Each key that is none of `known`, with its path: what an import does not read.
    pub(super) fn beside(&self, known: &[&str]) -> Vec<String> {
        let other = |(name, value): (String, Self)| (!known.contains(&name.as_str())).then_some(value.path);
        self.entries().into_iter().filter_map(other).collect()
    }

    /// The text at a path of keys.
    pub(super) fn text_at(&self, keys: &[&str]) -> Option<String> {
        self.at(keys)?.text()
    }

    /// Each key with its value, those that are null left out; none where this is no mapping.
    pub(super) fn entries(&self) -> Vec<(String, Self)> {
        let RawValue::Table(pairs) = &self.node.value else { return Vec::new() };
        let entry = |(key, value): &'a (RawNode, RawNode)| {
            let name = scalar(key)?;
            let path = if self.path.is_empty() { name.clone() } else { format!("{}.{name}", self.path) };
            (!matches!(value.value, RawValue::Null)).then_some((name, Self { node: value, path }))
        };
        pairs.iter().filter_map(entry).collect()
    }

    /// The items; none where this is no list.
    pub(super) fn items(&self) -> Vec<Self> {
        let RawValue::List(nodes) = &self.node.value else { return Vec::new() };
        let item = |(index, node)| Self { node, path: format!("{}[{index}]", self.path) };
        nodes.iter().enumerate().map(item).collect()
    }

    /// The items at a path of keys.
    pub(super) fn items_at(&self, keys: &[&str]) -> Vec<Self> {
        self.at(keys).map(|list| list.items()).unwrap_or_default()
    }

    /// A scalar as text.
    pub(super) fn text(&self) -> Option<String> {
        scalar(self.node)
    }

    /// A number, also where it stands in quotes.
    pub(super) fn number(&self) -> Option<f64> {
        let number: f64 = self.text()?.trim().parse().ok()?;
        number.is_finite().then_some(number)
    }

    /// A count, also where it stands in quotes.
    pub(super) fn count(&self) -> Option<u32> {
        self.text()?.trim().parse().ok()
    }

    /// Whether this says `true`.
    pub(super) fn is_true(&self) -> bool {
        self.text().is_some_and(|text| text == "true")
    }
}

fn scalar(node: &RawNode) -> Option<String> {
    match &node.value {
        RawValue::Text(text) => Some(text.clone()),
        RawValue::Number(number) => Some(number.to_string()),
        RawValue::Bool(flag) => Some(flag.to_string()),
        RawValue::Null | RawValue::List(_) | RawValue::Table(_) => None,
    }
}
