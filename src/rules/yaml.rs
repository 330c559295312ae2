//! YAML as a tree in which every node knows its place.
//!
//! The tree is read whole before anything is asked of it, so that all faults of
//! meaning come at once, and a repeated key is still there to be reported.

use crate::rules::diagnostic::Spot;
use serde::Deserialize;
use serde::de::Error as _;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_saphyr::MessageFormatter as _;
use serde_saphyr::Spanned;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::AliasLimits;
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::options::MergeKeyPolicy;
use serde_saphyr::options::NonFiniteFloatPolicy;
use std::fmt;

/// Largest file: the longest rule files people write are a few dozen KiB.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// Most nodes, aliases expanded: 200 checks of 20 keys are 8 000.
const MAX_NODES: usize = 20_000;

/// Deepest nesting: a rule file has four levels, and a generated one with anchors a few more.
const MAX_DEPTH: usize = 64;

/// Nesting up to which a tree is read on the thread that asks. The reader recurses some
/// 30 KiB a level in an unoptimised build, and threads have 2 MiB.
const SHALLOW: usize = 16;

/// Stack of the thread that reads deeper trees: twice what [`MAX_DEPTH`] levels take in an
/// unoptimised build. It is reserved, and used as deep as a file goes.
const DEEP_STACK: usize = MAX_DEPTH * 64 * 1024;

/// Most uses of anchors: one a check, twice over in no real file.
const MAX_ALIASES: usize = 100;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct RawNode {
    pub(super) value: RawValue,
    pub(super) spot: Spot,
}

impl RawNode {
    /// Says of every place in the tree that it is in what a file extends.
    pub(super) fn mark_base(&mut self) {
        self.spot = self.spot.in_base();
        match &mut self.value {
            RawValue::List(nodes) => nodes.iter_mut().for_each(Self::mark_base),
            RawValue::Table(pairs) => pairs.iter_mut().for_each(|(key, value)| {
                key.mark_base();
                value.mark_base();
            }),
            RawValue::Null | RawValue::Bool(_) | RawValue::Number(_) | RawValue::Text(_) => {}
        }
    }
}

/// What YAML can hold. Keys of a table are nodes, in the order of the file, repeated ones too.
#[derive(Clone, Debug)]
pub(super) enum RawValue {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<RawNode>),
    Table(Vec<(RawNode, RawNode)>),
}

/// Why there is no tree.
pub(super) struct Refused {
    pub(super) code: &'static str,
    pub(super) spot: Spot,
    pub(super) message: String,
    pub(super) help: &'static str,
}

/// The tree of one document.
pub(super) fn read(text: &str) -> Result<RawNode, Refused> {
    not_text(text)?;
    let refused = |error| refusal(&error, text);
    match nodes(text, SHALLOW) {
        // Few files come here, so a thread for each is cheap. Only reading recurses so far: a
        // tree of 64 levels is dropped in some 10 KiB.
        Err(error) if is_too_deep(&error) => deep(text).unwrap_or(Err(error)).map_err(refused),
        read => read.map_err(refused),
    }
}

/// The tree, read on a stack of its own; `None` where the machine has no thread to spare.
fn deep(text: &str) -> Option<Result<RawNode, serde_saphyr::Error>> {
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().name("yaml".to_owned()).stack_size(DEEP_STACK);
        reader.spawn_scoped(scope, || nodes(text, MAX_DEPTH)).ok()?.join().ok()
    })
}

fn nodes(text: &str, depth: usize) -> Result<RawNode, serde_saphyr::Error> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_depth: depth,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_documents: 2,
            max_recorded_anchor_events: 4 * MAX_NODES,
            max_total_scalar_bytes: 4 * MAX_BYTES,
        },
        alias_limits: alias_limits(),
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
        emit_comments: false,
    };
    serde_saphyr::from_str_with_options(text, options)
}

fn is_too_deep(error: &serde_saphyr::Error) -> bool {
    matches!(plain(error), serde_saphyr::Error::Budget { breach: BudgetBreach::Depth { .. }, .. })
}

/// The error itself, without where an alias led to it.
fn plain(error: &serde_saphyr::Error) -> &serde_saphyr::Error {
    let mut plain = error.without_snippet();
    while let serde_saphyr::Error::AliasError { error, .. } = plain {
        plain = error;
    }
    plain
}

/// An alias is charged for what it repeats, so ten of ten of ten end early.
fn alias_limits() -> AliasLimits {
    serde_saphyr::alias_limits! { max_total_replayed_events: MAX_NODES, max_replay_stack_depth: 8 }
}

fn not_text(text: &str) -> Result<(), Refused> {
    let refused = |code, message: String, help| Refused { code, spot: Spot::START, message, help };
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, the limit is {MAX_BYTES}", text.len());
        return Err(refused("file_too_large", message, "split it: one file a gate"));
    }
    let foreign = |c: char| matches!(c, '\0' | '\u{fffd}');
    if text.contains(foreign) {
        let message = "the file is not text in UTF-8".to_owned();
        return Err(refused("not_utf8", message, "save it as UTF-8"));
    }
    Ok(())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the crate's errors are many and may become more")]
fn refusal(error: &serde_saphyr::Error, text: &str) -> Refused {
    let plain = plain(error);
    let spot = plain.location().map_or(Spot::START, |location| Spot::of(&location));
    let limits = "a rule file has at most 20 000 values, 64 levels and 100 uses of anchors";
    let (code, message, help) = match plain {
        serde_saphyr::Error::Budget { .. } => {
            ("file_too_complex", "the file holds more than a rule file can".to_owned(), limits)
        }
        serde_saphyr::Error::AliasReplayLimitExceeded { .. }
        | serde_saphyr::Error::AliasExpansionLimitExceeded { .. }
        | serde_saphyr::Error::AliasReplayStackDepthExceeded { .. } => {
            ("file_too_complex", "the anchors repeat more than a rule file can hold".to_owned(), limits)
        }
        serde_saphyr::Error::MultipleDocuments { .. } => {
            ("second_document", "a second document begins here".to_owned(), "one gate a file: split it at `---`")
        }
        serde_saphyr::Error::UnknownAnchor { .. } => (
            "unknown_anchor",
            "no anchor has this name".to_owned(),
            "write `&name` before the value, above its first use",
        ),
        other => {
            let message = serde_saphyr::UserMessageFormatter.format_message(other);
            let line = text.lines().nth(spot.line - 1).unwrap_or_default();
            let help = if line.trim_start_matches(' ').starts_with('\t') {
                "indent with spaces"
            } else {
                "mend the indentation, the quotes or the brackets"
            };
            ("not_yaml", format!("this is not YAML: {}", first_line(&message)), help)
        }
    };
    Refused { code, spot, message, help }
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().chars().take(200).collect()
}

impl<'de> Deserialize<'de> for RawNode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<RawValue>::deserialize(deserializer)?;
        // Where a value was written, not where an alias repeats it: that is the text to mend.
        Ok(Self { value: spanned.value, spot: Spot::of(&spanned.defined) })
    }
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = RawValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<RawValue, E> {
        Ok(RawValue::Null)
    }

    fn visit_none<E>(self) -> Result<RawValue, E> {
        Ok(RawValue::Null)
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<RawValue, D::Error> {
        RawValue::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<RawValue, E> {
        Ok(RawValue::Bool(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "no number of a rule file needs more than 53 bits")]
    fn visit_i64<E>(self, value: i64) -> Result<RawValue, E> {
        Ok(RawValue::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "no number of a rule file needs more than 53 bits")]
    fn visit_u64<E>(self, value: u64) -> Result<RawValue, E> {
        Ok(RawValue::Number(value as f64))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<RawValue, E> {
        if value.is_finite() { Ok(RawValue::Number(value)) } else { Err(E::custom("the number is not finite")) }
    }

    fn visit_str<E>(self, value: &str) -> Result<RawValue, E> {
        Ok(RawValue::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawValue, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = seq.next_element()? {
            list.push(node);
        }
        Ok(RawValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawValue, A::Error> {
        let mut table = Vec::new();
        while let Some(pair) = map.next_entry()? {
            table.push(pair);
            if table.len() > MAX_NODES {
                return Err(A::Error::custom("the mapping is too long"));
            }
        }
        Ok(RawValue::Table(table))
    }
}

#[cfg(test)]
mod tests {
    use super::MAX_DEPTH;
    use super::read;

    /// `depth` containers in one another, each begun by `open`.
    fn nested(depth: usize, open: &str, core: &str, close: &str) -> String {
        format!("{}{core}{}", open.repeat(depth), close.repeat(depth))
    }

    #[track_caller]
    fn check(text: &str, expect: Option<&str>) {
        let tree = read(text);
        assert_eq!(
            tree.as_ref().err().map(|refused| refused.code),
            expect,
            "{}",
            text.chars().take(80).collect::<String>()
        );
        // What was read is copied and dropped on this thread, as deep as it is.
        drop(tree.map(|tree| format!("{:?}", tree.clone())));
    }

    #[test]
    fn the_deepest_file_fits_the_stack_and_one_level_more_is_refused() {
        let complex = Some("file_too_complex");
        for (open, core, close) in [("[", "1", "]"), ("{a: ", "1", "}"), ("- ", "1", ""), ("? ", "1", "\n")] {
            check(&nested(MAX_DEPTH, open, core, close), None);
            check(&nested(MAX_DEPTH + 1, open, core, close), complex);
        }
    }

    #[test]
    fn levels_that_an_anchor_repeats_are_counted_where_they_are_used() {
        let below = |levels: usize| {
            let (inner, outer) = (nested(levels, "[", "1", "]"), nested(40, "[", "*a", "]"));
            format!("a: &a {inner}\nb: {outer}\n")
        };
        check(&below(MAX_DEPTH - 41), None);
        check(&below(MAX_DEPTH - 40), Some("file_too_complex"));
    }
}
