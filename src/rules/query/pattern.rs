//! Regular expressions of matchers, before the parser compiles them.
//!
//! promql-parser compiles each pattern with the 10 MB that the regex crate allows, so
//! `(\w{99}){99}` costs what a rule file may never cost. Here a pattern is compiled
//! first under limits of ours: one for each, and one for all of a file.

use crate::rules::query::fault::QueryFault;
use regex::RegexBuilder;
use std::ops::Range;

/// Largest compiled pattern, in KiB: 300 names of pods, or ten times `\w`, which is 50 KiB
/// since letters of every alphabet are meant.
const LARGEST_KIB: usize = 512;

/// What a pattern is taken for: the first of these that it fits in. Sizes are not told, so
/// each step is twice the one before: a pattern of `\w` counts at most twice what it is.
const SIZES_KIB: [usize; 5] = [16, 64, 128, 256, LARGEST_KIB];

/// Most of all patterns of a file together, in KiB: 256 of the usual ones, or 16 of five
/// times `\w`. Compiling takes some 3 µs a KiB, and each pattern is compiled up to five times.
const TOTAL_KIB: usize = 4 * 1024;

/// What is wrong with the pattern in `quoted`, a text of PromQL with its quotes, that
/// stands at `at`. What is no pattern at all is left to the parser.
pub(super) fn fault(quoted: &str, at: Range<usize>) -> Option<QueryFault> {
    let pattern = promql_parser::util::unquote_string(quoted).ok()?;
    if fits(&pattern, LARGEST_KIB) {
        return None;
    }
    let message = "this regular expression is too large once it is compiled".to_owned();
    let help = "list fewer values, or repeat fewer times: `.+` in place of `\\w{1,500}`";
    Some(QueryFault::new("regex_too_large", at, message, help))
}

/// Whether the patterns of all queries among `texts` fit into a file.
pub(in crate::rules) fn all_fit<'t>(texts: impl Iterator<Item = &'t str>) -> bool {
    let mut left = TOTAL_KIB;
    texts.flat_map(patterns).all(|pattern| {
        let size = SIZES_KIB.into_iter().find(|size| fits(&pattern, *size)).unwrap_or(LARGEST_KIB);
        let rest = left.checked_sub(size);
        left = rest.unwrap_or(0);
        rest.is_some()
    })
}

fn fits(pattern: &str, kib: usize) -> bool {
    let tried = RegexBuilder::new(pattern).size_limit(kib * 1024).build();
    !matches!(tried, Err(regex::Error::CompiledTooBig(_)))
}

/// What stands in quotes behind `=~` and `!~`, wherever in `text` that is.
fn patterns(text: &str) -> impl Iterator<Item = String> {
    let behind = text.match_indices('~').filter(|(at, _)| text[..*at].ends_with(['=', '!']));
    behind.filter_map(|(at, _)| {
        let quoted = text[at + 1..].trim_start();
        let quote = quoted.chars().next().filter(|quote| matches!(quote, '"' | '\'' | '`'))?;
        let mut escaped = false;
        let end = quoted[1..].find(|c| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && quote != '`' && !escaped;
            ends
        });
        let quoted = &quoted[..end? + 2];
        // Refused where it is scanned.
        let is_text = quote == '`' || foreign_escape(quoted).is_none();
        is_text.then(|| promql_parser::util::unquote_string(quoted).ok()).flatten()
    })
}

/// A backslash before a character beyond ASCII, at which the parser of PromQL would panic.
pub(super) fn foreign_escape(inside: &str) -> Option<Range<usize>> {
    let mut escaped = false;
    inside.char_indices().find_map(|(at, c)| {
        let is_foreign = escaped && !c.is_ascii();
        escaped = c == '\\' && !escaped;
        is_foreign.then(|| at - 1..at + c.len_utf8())
    })
}

#[cfg(test)]
mod tests {
    use super::LARGEST_KIB;
    use super::all_fit;
    use super::fits;
    use super::patterns;

    #[test]
    fn the_patterns_that_people_write_fit() {
        let names: Vec<String> = (0..300).map(|i| format!("checkout-7d9f8-{}", i * 7919 % 99_991)).collect();
        let words = r"\w+-\w+-\w+-\w+";
        for pattern in ["5..", ".*", "checkout-.+", words, r"(?i)error|fail", &names.join("|")] {
            assert!(fits(pattern, LARGEST_KIB), "{pattern}");
        }
        // A wave id is matched letter by letter, and fifty checks may each ask for words.
        let many: Vec<String> = (0..50).map(|i| format!(r#"x{{a=~"\\w+-{i}"}}"#)).collect();
        assert!(all_fit(many.iter().map(String::as_str)));
    }

    #[test]
    fn patterns_that_fit_one_by_one_are_too_much_together() {
        let query = r#"x{a=~"\\w{5}", b!~"5.."}"#;
        assert!(all_fit(std::iter::repeat_n(query, 10)));
        assert!(!all_fit(std::iter::repeat_n(query, 40)));
        assert!(!all_fit(std::iter::repeat_n("x{a=~'b'}", 600)));
    }

    #[test]
    fn patterns_are_found_in_every_kind_of_quotes() {
        let text = r#"x{a=~"b\"\\d", c !~ 'd', e=~`\d"`, f="~", g=~} =~ "h"#;
        assert_eq!(patterns(text).collect::<Vec<_>>(), [r#"b"\d"#, "d", r#"\d""#]);
    }
}
