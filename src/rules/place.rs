//! Where a part of a value stands in the text of its file.
//!
//! A query is read after YAML has taken quotes, escapes, indentation and folded lines
//! away. To point into it, what is written is walked beside what was read, letter by
//! letter; where the two part, nobody points.

use std::ops::Range;

/// A part of a value, seen from where the value begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Line breaks before it.
    pub(super) lines: usize,
    /// Characters before it in its line; in the first line, from the beginning of the value.
    pub(super) before: usize,
    /// How many characters it has, up to the end of its line; at least 1.
    pub(super) width: usize,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// Escapes begin with a backslash.
    Double,
    /// A quote is doubled.
    Single,
    /// Every character is itself: plain, `|` and `>`.
    Bare,
}

/// The place of the bytes `at` of `value` in `written`, where the value begins;
/// `None` where that cannot be followed.
pub(super) fn within(written: &str, value: &str, at: &Range<usize>) -> Option<Place> {
    // A block may begin with a quote of its own, so every style is tried.
    let styles = [(Style::Double, '"'), (Style::Single, '\'')];
    let quoted = styles.into_iter().find(|(_, quote)| written.starts_with(*quote));
    let quoted = quoted.and_then(|(style, _)| span(&written[1..], value, at, style).map(|span| (1, span)));
    let (skipped, span) = quoted.or_else(|| Some((0, span(written, value, at, Style::Bare)?)))?;
    Some(counted(written, span.start + skipped..span.end + skipped))
}

/// The bytes of `written` that `at` was read from.
fn span(written: &str, value: &str, at: &Range<usize>, style: Style) -> Option<Range<usize>> {
    let (mut source, mut read) = (0, 0);
    let mut start = None;
    loop {
        if style == Style::Double && is_escaped_end(&written[source..]) {
            source += 1 + blanks(&written[source + 1..]);
        } else if is_fold(&written[source..]) {
            source += blanks(&written[source..]);
            read += blanks(&value[read..]);
        }
        // A part that begins in what was folded begins behind it.
        if start.is_none() && read >= at.start {
            start = Some(source);
        }
        if let Some(start) = start.filter(|_| read >= at.end) {
            return Some(start..source.max(start));
        }
        let (width, letter) = letter(&written[source..], style)?;
        if !value[read..].starts_with(letter) {
            return None;
        }
        source += width;
        read += letter.len_utf8();
    }
}

/// The next character that `written` stands for, and how many bytes it takes.
fn letter(written: &str, style: Style) -> Option<(usize, char)> {
    let first = written.chars().next()?;
    match (style, first) {
        (Style::Single, '\'') => written.starts_with("''").then_some((2, '\'')),
        (Style::Double, '"') => None,
        (Style::Double, '\\') => escape(written),
        _ => Some((first.len_utf8(), first)),
    }
}

/// An escape of a double-quoted scalar (YAML 1.2.2, §5.7).
fn escape(written: &str) -> Option<(usize, char)> {
    let name = written[1..].chars().next()?;
    let digits = match name {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => 0,
    };
    if digits > 0 {
        let code = u32::from_str_radix(written.get(2..2 + digits)?, 16).ok()?;
        return Some((2 + digits, char::from_u32(code)?));
    }
    let letter = match name {
        '0' => '\0',
        'a' => '\u{7}',
        'b' => '\u{8}',
        't' => '\t',
        'n' => '\n',
        'v' => '\u{b}',
        'f' => '\u{c}',
        'r' => '\r',
        'e' => '\u{1b}',
        'N' => '\u{85}',
        '_' => '\u{a0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        other => other,
    };
    Some((1 + name.len_utf8(), letter))
}

fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r')
}

/// How many bytes of blanks `text` begins with.
fn blanks(text: &str) -> usize {
    text.find(|c| !is_blank(c)).unwrap_or(text.len())
}

/// Whether a line ends in the blanks that `text` begins with: how many of them are read
/// depends on the style, and no part that matters is one.
fn is_fold(text: &str) -> bool {
    text[..blanks(text)].contains(['\n', '\r'])
}

/// Whether a line ends here that a backslash joins to the next.
fn is_escaped_end(text: &str) -> bool {
    text.starts_with('\\') && text[1..].starts_with(['\n', '\r'])
}

fn counted(written: &str, span: Range<usize>) -> Place {
    let before = &written[..span.start];
    let lines = before.replace("\r\n", "\n").matches(['\n', '\r']).count();
    let line = before.rfind(['\n', '\r']).map_or(0, |end| end + 1);
    let part = written[span].split(['\n', '\r']).next().unwrap_or_default();
    Place { lines, before: before[line..].chars().count(), width: part.chars().count().max(1) }
}

#[cfg(test)]
mod tests {
    use super::Place;
    use super::within;

    /// `part` of `value`, which is written as `written`, stands there.
    #[track_caller]
    fn check(written: &str, value: &str, part: &str, expect: Option<(usize, usize, usize)>) {
        let begin = value.find(part).unwrap_or_else(|| panic!("{part} in {value}"));
        let place = within(written, value, &(begin..begin + part.len()));
        assert_eq!(place, expect.map(|(lines, before, width)| Place { lines, before, width }), "{written:?}");
    }

    #[test]
    fn a_part_is_found_however_the_value_is_written() {
        check("sum(x) + y\nnext: 1", "sum(x) + y", "y", Some((0, 9, 1)));
        check("'x{a=''b''} + y'", "x{a='b'} + y", "y", Some((0, 14, 1)));
        check("\"x{a=\\\"b\\\"} + \\u0079z\"", "x{a=\"b\"} + yz", "yz", Some((0, 14, 7)));
        check("\"x + \\\n   y\"", "x + y", "y", Some((1, 3, 1)));
        check("sum(x)\n      / sum(y)\n", "sum(x) / sum(y)", "sum(y)", Some((1, 8, 6)));
        check("sum(x)  \r\n\r\n      / sum(y)\n", "sum(x)\n/ sum(y)", "y", Some((2, 12, 1)));
        check("'a\n\n  b'", "a\nb", "b", Some((2, 2, 1)));
        check("\"a\" # one\n    + b\n", "\"a\" # one\n+ b\n", "b", Some((1, 6, 1)));
        check("é + x", "é + x", "x", Some((0, 4, 1)));
        check("a +\n  b", "a + b", "a + b", Some((0, 0, 3)));
    }

    #[test]
    fn what_cannot_be_followed_has_no_place() {
        check("other", "x + y", "y", None);
        check("\"\\ud800\"", "x", "x", None);
        check("", "x", "x", None);
        check("'x", "x + y", "y", None);
    }
}
