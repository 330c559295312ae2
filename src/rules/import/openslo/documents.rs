//! The documents of a file, by kind and name.

use crate::rules::import::draft::quoted;
use crate::rules::import::foreign::Foreign;
use std::collections::BTreeMap;

/// The documents of a file.
pub(super) struct Documents<'a> {
    by_name: BTreeMap<(String, String), Foreign<'a>>,
    /// In the order of the file.
    order: Vec<(String, String)>,
}

const KINDS: &[&str] =
    &["SLO", "SLI", "Service", "DataSource", "AlertPolicy", "AlertCondition", "AlertNotificationTarget"];

impl<'a> Documents<'a> {
    /// # Errors
    /// In words: one is of another kind or version, or stands twice.
    pub(super) fn of(trees: &[Foreign<'a>]) -> Result<Self, String> {
        let mut documents = Self { by_name: BTreeMap::new(), order: Vec::new() };
        for tree in trees {
            let version = tree.text_at(&["apiVersion"]).unwrap_or_default();
            if version != "openslo/v1" {
                let help = match version.as_str() {
                    "openslo/v1alpha" => "; its shape is another one: convert it to v1 with OpenSLO's own tool `oslo`",
                    "openslo.com/v2alpha" | "openslo/v2alpha" => "; v2 is not settled: write it as v1",
                    _ => "",
                };
                return Err(format!("a document is of {}, not of `openslo/v1`{help}", quoted(&version)));
            }
            let kind = tree.text_at(&["kind"]).unwrap_or_default();
            if !KINDS.contains(&kind.as_str()) {
                return Err(format!("a document is of the kind {}, which OpenSLO does not have", quoted(&kind)));
            }
            let name = tree.text_at(&["metadata", "name"]).unwrap_or_default();
            if name.is_empty() {
                return Err(format!("a document of the kind {kind} has no name"));
            }
            let key = (kind, name);
            if documents.by_name.insert(key.clone(), tree.clone()).is_some() {
                return Err(format!("the {} {} stands twice", key.0, quoted(&key.1)));
            }
            documents.order.push(key);
        }
        Ok(documents)
    }

    /// Those of `kind`, in the order of the file.
    pub(super) fn of_kind(&self, kind: &str) -> Vec<(&str, &Foreign<'a>)> {
        let own = |key: &'_ &(String, String)| key.0 == kind;
        self.order.iter().filter(own).filter_map(|key| Some((key.1.as_str(), self.by_name.get(key)?))).collect()
    }

    /// The `spec` of the document of `kind` called `name`.
    ///
    /// # Errors
    /// In words: the file does not hold it.
    pub(super) fn named(&self, kind: &str, name: &str) -> Result<Foreign<'a>, String> {
        let document = self.by_name.get(&(kind.to_owned(), name.to_owned()));
        document
            .and_then(|document| document.get("spec"))
            .ok_or_else(|| format!("the {kind} {} is not in the file: import them together", quoted(name)))
    }
}
