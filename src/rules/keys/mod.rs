//! Every key that a rule file or an SLO file may hold, said once.
//!
//! The reader refuses what is not here, and the JSON Schema shows what is, so an
//! editor completes exactly what `wavegate check` takes. In reading order: what a
//! key is, the keys [`mod@file`] of a rule file, those of a [`check`], and those of an [`slo`]
//! file.

pub(super) mod check;
pub(super) mod file;
pub(super) mod slo;

/// One key of a mapping.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What it is for, as an editor shows it.
    pub(super) about: &'static str,
    pub(super) shape: Shape,
    /// What stands where it is not written, as YAML.
    pub(super) usual: Option<&'static str>,
    /// As people write it, each as JSON or as plain text.
    pub(super) examples: &'static [&'static str],
}

/// What a value may be. The ranges here are those an editor can show; the reader
/// knows more of them.
pub(super) enum Shape {
    /// Exactly this number.
    Only(u32),
    /// `true` or `false`.
    Flag,
    /// A number between two, both included.
    Number(f64, f64),
    /// A whole number between two, both included.
    Whole(u32, u32),
    /// Text of at most so many bytes.
    Text(usize),
    /// Text that a regular expression matches.
    Written(&'static str),
    /// One of some words.
    Words(&'static [&'static str]),
    /// A mapping with these keys, of which the named ones must be there.
    Table(&'static [Key], &'static [&'static str]),
    /// A mapping with names of the file's own, which a regular expression matches, at most so many.
    Names(&'static str, &'static Shape, usize),
    /// A list of so many to so many.
    List(&'static Shape, usize, usize),
    /// Any of these.
    Either(&'static [Shape]),
}

impl Key {
    const fn new(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self { name, about, shape, usual: None, examples: &[] }
    }

    const fn usual(self, usual: &'static str) -> Self {
        Self { usual: Some(usual), ..self }
    }

    const fn like(self, examples: &'static [&'static str]) -> Self {
        Self { examples, ..self }
    }
}

/// The names of `keys`.
pub(super) fn names(keys: &[Key]) -> Vec<&'static str> {
    keys.iter().map(|key| key.name).collect()
}

/// As [`units::duration`](super::units::duration) reads it; nothing at all is refused by its length.
pub(super) const DURATION: Shape =
    Shape::Written("^([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$");

/// `5%`
pub(super) const PERCENT: Shape = Shape::Written(r"^([0-9]+(\.[0-9]+)?|\.[0-9]+)%$");

/// `1.25x`
pub(super) const FACTOR: Shape = Shape::Written(r"^([0-9]+(\.[0-9]+)?|\.[0-9]+)x$");

/// `2pp`
pub(super) const POINTS: Shape = Shape::Written(r"^([0-9]+(\.[0-9]+)?|\.[0-9]+)pp$");

/// `50/s`
pub(super) const RATE: Shape = Shape::Written(r"^([0-9]+(\.[0-9]+)?|\.[0-9]+)/[smh]$");

/// The grammar of [`RulesName`](crate::rules::RulesName).
pub(super) const NAME: Shape = Shape::Written("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$");

/// PromQL and label matchers: what is in them the reader alone can say.
pub(super) const QUERY: Shape = Shape::Text(16 * 1024);
