//! The JSON Schema of rule files and of SLO files, so that editors complete and explain.
//!
//! It is made of the table of keys that the reader itself goes by. What only the
//! reader can say, of a query or of two keys together, an editor does not see.

use crate::rules::keys::Key;
use crate::rules::keys::Shape;
use crate::rules::keys::check::CHECK;
use crate::rules::keys::check::COMMON;
use crate::rules::keys::check::KINDS;
use crate::rules::keys::check::Kind;
use crate::rules::keys::file::FILE;
use crate::rules::keys::slo;
use crate::rules::keys::slo::SLO;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// Keys without which a file is none, unless another that it extends has them.
const REQUIRED: &[&str] = &["version", "name", "checks"];

/// The schema, draft 2020-12, with its keys in order.
pub fn schema() -> Value {
    let mut root = table(FILE, &[]);
    let kinds: Vec<Value> = KINDS.iter().map(|kind| json!({ "required": [kind.name] })).collect();
    let own = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "wavegate rule file",
        "description": "One gate's rules: who is judged against whom, when, by which checks.",
        "patternProperties": { "^x-": { "description": "A place for anchors; not read." } },
        "if": { "required": ["extends"] },
        "else": {
            "required": REQUIRED,
            // In a file that extends another a check may change one of that file's.
            "properties": { "checks": { "items": { "anyOf": kinds } } },
        },
    });
    merge(&mut root, own);
    if let Some(check) = root.pointer_mut("/properties/checks/items") {
        let rules: Vec<Value> = KINDS.iter().map(of_kind).collect();
        merge(check, json!({ "allOf": rules }));
    }
    root
}

/// The schema of SLO files, draft 2020-12, with its keys in order.
pub fn slo_schema() -> Value {
    let mut root = table(SLO, slo::REQUIRED);
    let own = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "wavegate SLO file",
        "description": "What a service promises, and what waves may spend of its error budget.",
        "patternProperties": { "^x-": { "description": "A place for anchors; not read." } },
    });
    merge(&mut root, own);
    for (place, keys) in ALTERNATIVES {
        if let Some(table) = root.pointer_mut(place) {
            let each: Vec<Value> = keys.iter().map(|key| json!({ "required": [key] })).collect();
            merge(table, json!({ "oneOf": each }));
        }
    }
    root
}

/// Mappings of an SLO file with exactly one of some keys.
const ALTERNATIVES: &[(&str, &[&str])] = &[
    ("/properties/indicator", &["ratio", "latency", "up"]),
    ("/properties/indicator/properties/ratio", &["bad", "good"]),
    ("/properties/budgeting/anyOf/1", &["timeslices", "ratio_timeslices"]),
    ("/properties/burn/properties/tiers/items", &["budget", "factor"]),
];

/// What a check may say, if it is of `kind`.
fn of_kind(kind: &Kind) -> Value {
    let has = |key: &&Key| kind.name == key.name || kind.keys.contains(&key.name) || COMMON.contains(&key.name);
    let others = CHECK.iter().filter(|key| !has(key) || kind.name == "probe" && key.name == "match");
    let mut properties: Map<String, Value> = others.map(|key| (key.name.to_owned(), Value::Bool(false))).collect();
    if let Some(margin) = &kind.margin {
        for key in ["tolerance", "pass_within"] {
            properties.insert(key.to_owned(), shape(margin));
        }
    }
    json!({ "if": { "required": [kind.name] }, "then": { "properties": properties } })
}

fn table(keys: &[Key], required: &[&str]) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let mut table = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        merge(&mut table, json!({ "required": required }));
    }
    table
}

fn property(key: &Key) -> Value {
    let mut property = shape(&key.shape);
    merge(&mut property, json!({ "description": key.about }));
    if let Some(usual) = key.usual {
        merge(&mut property, json!({ "default": value(usual) }));
    }
    if !key.examples.is_empty() {
        let examples: Vec<Value> = key.examples.iter().map(|example| value(example)).collect();
        merge(&mut property, json!({ "examples": examples }));
    }
    property
}

/// A value of the table of keys: JSON, or else text.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

fn shape(shape: &Shape) -> Value {
    match shape {
        Shape::Only(number) => json!({ "const": number }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Number(least, most) => {
            let mut number = json!({ "type": "number" });
            // The bounds of floating point are none that anybody set.
            if *least > f64::MIN {
                merge(&mut number, json!({ "minimum": least }));
            }
            if *most < f64::MAX {
                merge(&mut number, json!({ "maximum": most }));
            }
            number
        }
        Shape::Whole(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Text(most) => json!({ "type": "string", "minLength": 1, "maxLength": most }),
        Shape::Written(pattern) => json!({ "type": "string", "minLength": 1, "pattern": pattern }),
        Shape::Words(words) => json!({ "enum": words }),
        Shape::Table(keys, required) => table(keys, required),
        Shape::Names(pattern, of, most) => json!({
            "type": "object",
            "propertyNames": { "pattern": pattern },
            "additionalProperties": self::shape(of),
            "maxProperties": most,
        }),
        Shape::List(of, least, most) => {
            json!({ "type": "array", "items": self::shape(of), "minItems": least, "maxItems": most })
        }
        Shape::Either(shapes) => json!({ "anyOf": shapes.iter().map(self::shape).collect::<Vec<_>>() }),
    }
}

/// Adds the members of `more` to `object`.
fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}
