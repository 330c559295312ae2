//! What a terminal may be given.

/// Text of others without what could move a terminal's cursor, change its colours
/// or reorder what stands around it.
pub fn plain(text: &str) -> String {
    let reorders =
        |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let moves = |c: char| c.is_control() || reorders(c);
    text.chars().map(|c| if moves(c) { '\u{fffd}' } else { c }).collect()
}

/// [`plain`] text, cut to what a cell of a table may be wide: 100 characters, so that a
/// long cause does not push a line over the edge. Reports have the whole of it.
pub fn cell(text: &str) -> String {
    let (text, most) = (plain(text), 100);
    if text.chars().count() <= most { text } else { text.chars().take(most - 1).chain(['…']).collect() }
}

/// A verdict in capitals, in its colour where colours are wanted.
pub(crate) fn painted(verdict: &str, colour: bool) -> String {
    let word = plain(verdict).to_uppercase();
    let code = match verdict {
        "pass" => 32,
        "fail" => 31,
        _ => 33,
    };
    if colour { format!("\u{1b}[1;{code}m{word:<5}\u{1b}[0m") } else { format!("{word:<5}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_but_letters() {
        assert_eq!(plain("eu-1 ☠"), "eu-1 ☠");
        assert_eq!(
            plain("a\u{1b}[2Jb\r\n\u{202e}c\u{2066}\u{9b}"),
            "a\u{fffd}[2Jb\u{fffd}\u{fffd}\u{fffd}c\u{fffd}\u{fffd}"
        );
        assert_eq!(plain("1\u{200f}2\u{200e}3\u{61c}"), "1\u{fffd}2\u{fffd}3\u{fffd}");
        assert_eq!(cell(&"☠".repeat(100)), "☠".repeat(100));
        assert_eq!(cell(&"☠".repeat(101)), "☠".repeat(99) + "…");
        assert_eq!(painted("pass", false), "PASS ");
        assert_eq!(painted("fail", true), "\u{1b}[1;31mFAIL \u{1b}[0m");
    }
}
