//! Text inside XML: pictures and test reports.

/// `text` as XML 1.0 can hold it, between quotes too: what it cannot hold, even as a
/// reference, becomes U+FFFD.
pub fn xml_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' | '\t' => out.push(c),
            // Carriage returns and the C1 controls are allowed, and steer terminals.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_replaced_and_what_it_means_is_escaped() {
        for (raw, expect) in [
            ("a<b> & \"c\" 'd'", "a&lt;b&gt; &amp; &quot;c&quot; &apos;d&apos;"),
            ("\u{0}\u{1b}[31m\u{7f}\u{85}\r\u{ffff}", "\u{fffd}\u{fffd}[31m\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            ("]]>", "]]&gt;"),
            ("line\n\ttwo é ☠", "line\n\ttwo é ☠"),
        ] {
            assert_eq!(xml_text(raw), expect);
        }
    }
}
