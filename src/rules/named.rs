//! Where a check stands in its file, for what is found out about it after it was read.

use crate::rules::Diagnostic;
use crate::rules::Severity;
use crate::rules::base;
use crate::rules::bundle::Bundle;
use crate::rules::diagnostic::Spot;
use crate::rules::yaml;
use crate::rules::yaml::RawNode;
use crate::rules::yaml::RawValue;

/// A warning `code` at the name of the check `name` in `text`; at its beginning where no check
/// is called so there.
pub fn warning_at(
    file: &str,
    text: &str,
    name: &str,
    code: &'static str,
    (message, help): (String, String),
) -> Diagnostic {
    let Bundle { own, base, .. } = Bundle::of(text);
    let inherited = base.filter(|_| spot(own, name).is_none());
    let inherited = inherited.and_then(|(base, text)| Some((base, spot(text, name)?)));
    let (file, spot) = match inherited {
        Some((base, spot)) => (base::beside(file, base), spot),
        None => (file.to_owned(), spot(own, name).unwrap_or(Spot::START)),
    };
    let Spot { line, column, width, .. } = spot;
    Diagnostic { file, line, column, width, code, message, help, severity: Severity::Warning }
}

fn spot(text: &str, name: &str) -> Option<Spot> {
    let root = yaml::read(text.strip_prefix('\u{feff}').unwrap_or(text)).ok()?;
    let RawValue::List(checks) = &value(&root, "checks")?.value else { return None };
    let mut names = checks.iter().filter_map(|check| value(check, "name"));
    names.find(|own| matches!(&own.value, RawValue::Text(own) if own == name)).map(|own| own.spot)
}

fn value<'a>(table: &'a RawNode, key: &str) -> Option<&'a RawNode> {
    let RawValue::Table(pairs) = &table.value else { return None };
    let is_key = |own: &RawNode| matches!(&own.value, RawValue::Text(own) if own == key);
    pairs.iter().find(|(own, _)| is_key(own)).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_stands_at_the_name_of_its_check() {
        let text = "checks:\n  - name: a\n  - { gauge: m, name: b }\n";
        let at = |name| {
            let found = warning_at("f", text, name, "c", (String::new(), String::new()));
            (found.line, found.column)
        };
        assert_eq!([at("a"), at("b"), at("none")], [(2, 11), (3, 23), (1, 1)]);
        let bundle = crate::rules::bundle("extends: _b.yaml\n", "_b.yaml", text);
        let found = warning_at("d/f.yaml", &bundle, "b", "c", (String::new(), String::new()));
        assert_eq!((found.file.as_str(), found.line, found.column), ("d/_b.yaml", 3, 23));
    }
}
