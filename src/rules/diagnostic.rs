//! Faults of a rule file as values, and as text for people.

use crate::rules::bundle::Bundle;
use crate::rules::slo;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::fmt::Write as _;

/// One fault of a rule file, with its place and its mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file as it was named to us.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// How many characters of the line are at fault; at least 1.
    pub width: usize,
    /// A stable code, `snake_case`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: String,
    /// Errors refuse the file; warnings do not.
    pub severity: Severity,
}

impl Diagnostic {
    /// The SLO that the fault is in, where it is in that of a bundle and not in the rule file.
    pub fn slo(&self) -> Option<&str> {
        slo::part_of(&self.file)
    }
}

/// Whether a diagnostic refuses the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is loaded; somebody should look.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl fmt::Display for Diagnostic {
    /// On one line, for a log: place, code, what is wrong, how to mend it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, code, message, help, .. } = self;
        let severity = self.severity.as_str();
        write!(f, "{}:{line}:{column}: {severity}[{code}]: {}; {}", shown(file), shown(message), shown(help))
    }
}

/// Most characters of a source line that are shown.
const SHOWN: usize = 120;

/// The diagnostics of one file with its lines, as a compiler shows them, and those of
/// what it extends and of the SLO behind it with the lines of those. Control characters of the file are never
/// passed on to a terminal.
///
/// ```text
/// error[unknown_key]: `tolerence` is not a key of a check
///   --> rules/checkout.yaml:12:5
///    |
/// 12 |     tolerence: 5%
///    |     ^^^^^^^^^
///    = help: did you mean `tolerance`?
/// ```
pub fn render(diagnostics: &[Diagnostic], text: &str) -> String {
    let Bundle { own, base, slo } = Bundle::of(text);
    let base = base.map(|(name, text)| (name.to_owned(), lines(diagnostics, text)));
    let slo = slo.map(|(name, text)| (slo::part_name(name), lines(diagnostics, text)));
    let behind: BTreeMap<String, _> = base.into_iter().chain(slo).collect();
    let lines = lines(diagnostics, own);
    let mut out = String::new();
    for (i, diagnostic) in diagnostics.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let lines = diagnostic.file.rsplit(['/', '\\']).next().and_then(|name| behind.get(name)).unwrap_or(&lines);
        one(&mut out, diagnostic, lines.get(&diagnostic.line).copied());
    }
    out
}

/// The lines that `diagnostics` name, by their numbers as YAML counts: a lone carriage
/// return ends one too. No list of all: a hostile file has a million.
fn lines<'t>(diagnostics: &[Diagnostic], text: &'t str) -> BTreeMap<usize, &'t str> {
    let wanted: BTreeSet<usize> = diagnostics.iter().map(|diagnostic| diagnostic.line).collect();
    let all = text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'));
    (1..).zip(all).filter(|(number, _)| wanted.contains(number)).collect()
}

fn one(out: &mut String, diagnostic: &Diagnostic, line: Option<&str>) {
    let Diagnostic { file, line: number, column, width, code, message, help, severity } = diagnostic;
    let margin = " ".repeat(number.to_string().len());
    let _ = writeln!(out, "{}[{code}]: {}", severity.as_str(), shown(message));
    let _ = writeln!(out, "{margin}--> {}:{number}:{column}", shown(file));
    if let Some(line) = line {
        let (cut, before) = cropped(line, *column);
        let room = cut.chars().count().saturating_sub(before).max(1);
        let _ = writeln!(out, "{margin} |");
        let _ = writeln!(out, "{number} | {cut}");
        let _ = writeln!(out, "{margin} | {}{}", " ".repeat(before), "^".repeat((*width).clamp(1, room)));
    }
    let _ = writeln!(out, "{margin} = help: {}", shown(help));
}

/// At most [`SHOWN`] characters of `line` with `column` among them, and how many
/// of them stand before it.
fn cropped(line: &str, column: usize) -> (String, usize) {
    let before = column.saturating_sub(1);
    let skipped = if before > SHOWN * 2 / 3 { before - SHOWN / 3 } else { 0 };
    let cut: String = line.chars().skip(skipped).take(SHOWN).collect();
    let cut = shown(&cut);
    let before = (before - skipped).min(cut.chars().count());
    (cut.trim_end().to_owned(), before)
}

/// `text` with a space or a sign for every character that could steer a terminal.
fn shown(text: &str) -> String {
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if steers(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) width: usize,
    /// Where the node begins, in bytes, if that is known.
    pub(super) byte: Option<usize>,
    /// In what the file extends, not in the file.
    pub(super) base: bool,
}

impl Spot {
    /// The beginning of a file.
    pub(super) const START: Self = Self { line: 1, column: 1, width: 1, byte: Some(0), base: false };

    /// The place that the YAML reader names.
    pub(super) fn of(location: &serde_saphyr::Location) -> Self {
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).max(1);
        let span = location.span();
        Self {
            line: size(location.line()),
            column: size(location.column()),
            width: size(span.len()),
            byte: span.byte_offset().and_then(|byte| usize::try_from(byte).ok()),
            base: false,
        }
    }

    /// The same place in what the file extends.
    pub(super) fn in_base(self) -> Self {
        Self { base: true, ..self }
    }
}
