//! Everything that one gate is judged by, as one text.
//!
//! A gate keeps its rules as one text, so what a file extends and the SLO that it minds
//! are put behind it as further YAML documents. Each is read by itself, with places of
//! its own.

use std::borrow::Cow;

/// The line between a file and its base, with the base's name behind it. It is the
/// mark of a second document in YAML.
const BASE: &str = "--- # base: ";

/// The same before an SLO.
const SLO: &str = "--- # slo: ";

/// The parts of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bundle<'t> {
    /// The rule file itself.
    pub(super) own: &'t str,
    /// The name and the text of what it extends.
    pub(super) base: Option<(&'t str, &'t str)>,
    /// The name and the text of the SLO that it minds.
    pub(super) slo: Option<(&'t str, &'t str)>,
}

impl<'t> Bundle<'t> {
    /// The parts of `text`, which may be a file alone.
    pub(super) fn of(text: &'t str) -> Self {
        // The SLO is last: whatever stands behind its mark is of it.
        let (rules, slo) = split(text, SLO);
        let (own, base) = split(rules, BASE);
        Self { own, base, slo }
    }
}

/// The text of a file, and what it extends behind it.
pub fn bundle(own: &str, base_name: &str, base_text: &str) -> String {
    joined(own, BASE, base_name, base_text)
}

/// `rules`, which may be a bundle already, with the SLO that it names behind it, in place
/// of one that is there.
pub fn bundle_slo(rules: &str, name: &str, slo: &str) -> String {
    joined(split(rules, SLO).0, SLO, name, slo)
}

/// The text of one file, whose own lines are no marks: a document that follows in a file
/// would else be taken for its base or its SLO, and not be refused as a second document.
pub fn unbundled(text: &str) -> Cow<'_, str> {
    if !text.contains(BASE) && !text.contains(SLO) {
        return Cow::Borrowed(text);
    }
    let mut own = String::with_capacity(text.len() + 8);
    for line in text.split_inclusive('\n') {
        let is_mark = [BASE, SLO].iter().any(|mark| line.starts_with(mark));
        // One more blank: the mark of a document as before, and of a bundle no more.
        own.push_str(if is_mark { "--- " } else { "" });
        own.push_str(if is_mark { line.trim_start_matches('-') } else { line });
    }
    Cow::Owned(own)
}

fn joined(before: &str, mark: &str, name: &str, text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line_end = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    format!("{before}{line_end}{mark}{name}\n{text}")
}

/// What stands before the first line that begins with `mark`, and its name with what follows.
fn split<'t>(text: &'t str, mark: &str) -> (&'t str, Option<(&'t str, &'t str)>) {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Some(name) = line.strip_prefix(mark) {
            return (&text[..at], Some((name.trim_end(), &text[at + line.len()..])));
        }
        at += line.len();
    }
    (text, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_one_file_is_a_mark() {
        let text = "a: 1\n--- # slo: s\nb: 2\n--- # base: b\n";
        assert_eq!(unbundled(text), "a: 1\n---  # slo: s\nb: 2\n---  # base: b\n");
        let own = unbundled(text);
        assert_eq!(Bundle::of(&own), Bundle { own: &own, base: None, slo: None });
        assert_eq!(unbundled("b: ' --- # slo: s'\n"), "b: ' --- # slo: s'\n");
    }

    #[test]
    fn a_bundle_has_its_parts_again_whatever_ends_them() {
        for (own, base, slo) in [("a: 1\n", "b: 2\n", "c: 3\n"), ("a: 1", "b: 2", "c: 3"), ("", "", "")] {
            let end = |text: &str| format!("{text}{}", if text.is_empty() || text.ends_with('\n') { "" } else { "\n" });
            let text = bundle_slo(&bundle(own, "_b.yaml", base), "s", slo);
            let parts = Bundle::of(&text);
            assert_eq!(parts.own, end(own));
            assert_eq!(parts.base, Some(("_b.yaml", end(base).as_str())));
            assert_eq!(parts.slo, Some(("s", slo)));
            let other = bundle_slo(&text, "t", "d: 4");
            assert_eq!(Bundle::of(&other), Bundle { slo: Some(("t", "d: 4")), ..Bundle::of(&other) });
            assert_eq!(Bundle::of(&other).base, parts.base);
        }
        assert_eq!(Bundle::of("a: 1"), Bundle { own: "a: 1", base: None, slo: None });
    }
}
