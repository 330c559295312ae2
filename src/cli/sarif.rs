//! Diagnostics as SARIF 2.1.0, which editors and code scanning read.
//!
//! Reference: OASIS, Static Analysis Results Interchange Format 2.1.0 (2020), §3.13 ff.

use crate::rules::CODES;
use crate::rules::Diagnostic;
use crate::rules::Severity;
use serde_json::Value;
use serde_json::json;
use std::fmt::Write as _;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// What a fault of a configuration is called: it has no place in its file.
pub(super) const CONFIGURATION: &str = "configuration";

/// One run of `wavegate check` over all that was found. The results stand in the order in
/// which they are given, and name their rule by its place in the list of all codes.
pub(super) fn log(found: &[Diagnostic]) -> Value {
    let rules: Vec<Value> = codes().map(|(name, severity, meaning)| rule(name, severity, meaning)).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": env!("CARGO_PKG_NAME"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            // Columns are characters, not units of UTF-16.
            "columnKind": "unicodeCodePoints",
            "results": found.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

/// Every code with its severity and meaning.
fn codes() -> impl Iterator<Item = (&'static str, Severity, &'static str)> {
    let own = (CONFIGURATION, Severity::Error, "A value of the configuration cannot be used.");
    CODES.iter().map(|code| (code.name, code.severity, code.meaning)).chain([own])
}

fn rule(name: &str, severity: Severity, meaning: &str) -> Value {
    json!({
        "id": name,
        "shortDescription": { "text": meaning },
        "fullDescription": { "text": meaning },
        "help": { "text": "The message of each result says how to mend it; `wavegate check FILE` shows the line." },
        "defaultConfiguration": { "level": severity.as_str() },
    })
}

fn result(fault: &Diagnostic) -> Value {
    let Diagnostic { file, line, column, width, code, message, help, severity } = fault;
    let mut result = json!({
        "ruleId": code,
        "level": severity.as_str(),
        "message": { "text": format!("{message}\nhelp: {help}") },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(file) },
            "region": {
                "startLine": line,
                "startColumn": column,
                "endLine": line,
                // The first column behind it.
                "endColumn": column.saturating_add(*width),
            },
        } }],
    });
    if let Some(index) = codes().position(|(name, _, _)| name == *code) {
        result["ruleIndex"] = index.into();
    }
    result
}

/// A path as a relative reference (RFC 3986, §4.2); an absolute path as a `file` URI. A
/// first segment with a colon would be read as a scheme, so it is escaped too.
fn uri(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let mut text = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn a_path_is_a_reference_that_names_the_same_file() {
        for (path, expect) in [
            ("rules/checkout.yaml", "rules/checkout.yaml"),
            ("./rules/a b.yaml", "rules/a%20b.yaml"),
            ("../x.yaml", "../x.yaml"),
            ("a:b#c?d%e.yaml", "a%3Ab%23c%3Fd%25e.yaml"),
            ("é.yaml", "%C3%A9.yaml"),
            ("/etc/wavegate/a.yaml", "file:///etc/wavegate/a.yaml"),
        ] {
            assert_eq!(uri(path), expect);
        }
    }
}
