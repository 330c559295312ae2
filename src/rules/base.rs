//! One file that others extend: found and merged.
//!
//! Both are read by themselves, with places of their own; then the trees are merged,
//! and everything that follows sees one file.

use crate::rules::bundle::Bundle;
use crate::rules::keys::check::KINDS;
use crate::rules::keys::file::FILE;
use crate::rules::reader::Reader;
use crate::rules::reader::quote;
use crate::rules::yaml;
use crate::rules::yaml::RawNode;
use crate::rules::yaml::RawValue;

/// Longest name of a base, in bytes.
const MAX_NAME: usize = 128;

/// How deep mappings are merged key by key; what is not here is taken whole.
const MERGED: &[(&str, usize)] = &[
    ("schedule", 1),
    ("risk", 1),
    ("telemetry", 1),
    ("cohorts", 1),
    ("windows", 1),
    ("params", 1),
    ("traffic", 2),
    ("budget", 2),
    ("defaults", 2),
];

/// The file that `text` extends, in the same folder; `None` where it extends none,
/// or where [`crate::rules::parse()`] will say what is wrong.
pub fn base_of(text: &str) -> Option<String> {
    let Bundle { own, base, .. } = Bundle::of(text);
    // Most files extend none, and are not read twice.
    if base.is_some() || !own.contains("extends") {
        return None;
    }
    let root = yaml::read(own.strip_prefix('\u{feff}').unwrap_or(own)).ok()?;
    let (_, RawNode { value: RawValue::Text(name), .. }) = find(&root, "extends")? else { return None };
    is_plain(name).then(|| name.clone())
}

/// What diagnostics call the file `name` in the folder of `file`.
pub(super) fn beside(file: &str, name: &str) -> String {
    let folder = file.rfind(['/', '\\']).map_or("", |at| &file[..=at]);
    format!("{folder}{name}")
}

/// Whether the file `file` is one that others extend: its name begins with `_`.
pub(super) fn is_base(file: &str) -> bool {
    file.rsplit(['/', '\\']).next().is_some_and(|name| name.starts_with('_'))
}

/// Whether `name` names a YAML file and no other folder.
fn is_plain(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    let yaml = [".yaml", ".yml"].iter().any(|end| name.ends_with(end));
    begins && plain && yaml && name.len() <= MAX_NAME
}

/// The tree of a file with what it extends merged in. Faults of either are noted.
pub(super) fn extended(reader: &mut Reader<'_>, own: RawNode, base: Option<(&str, &str)>) -> RawNode {
    let named = find(&own, "extends").map(|(key, value)| (key.spot, value.clone()));
    let Some((key, named)) = named else {
        if base.is_some() {
            let help = "name the base in the file: `extends: _base.yaml`";
            reader.error(own.spot, "second_document", "a base follows that nothing extends".to_owned(), help);
        }
        return own;
    };
    let RawValue::Text(name) = &named.value else {
        let message = "`extends` is the name of a file".to_owned();
        reader.error(named.spot, "wrong_type", message, "name one of the same folder: `extends: _base.yaml`");
        return own;
    };
    if !is_plain(name) {
        let message = format!("{} cannot be extended", quote(name));
        let help = "name a .yaml file of the same folder, without a path: `extends: _base.yaml`";
        reader.error(named.spot, "bad_base", message, help);
        return own;
    }
    let Some((_, text)) = base.filter(|(brought, _)| brought == name) else {
        let message = format!("there is no {} to be read beside the file", quote(name));
        reader.error(named.spot, "no_base", message, "put it into the same folder, or take `extends` out");
        return own;
    };
    match yaml::read(text) {
        Ok(mut base) => {
            base.mark_base();
            mergeable(reader, own, base)
        }
        Err(refused) => {
            let spot = refused.spot.in_base();
            reader.error(spot, refused.code, refused.message, refused.help);
            reader.error(key, "bad_base", format!("{} cannot be read", quote(name)), "mend the base first");
            own
        }
    }
}

fn mergeable(reader: &mut Reader<'_>, own: RawNode, base: RawNode) -> RawNode {
    if let Some((key, _)) = find(&base, "extends") {
        let message = "a base extends nothing itself".to_owned();
        reader.error(key.spot, "nested_base", message, "write the keys of both into one base");
        return own;
    }
    if !matches!(base.value, RawValue::Table(_)) {
        let _ = reader.table(&base, "a base", FILE);
        return own;
    }
    merged(own, base)
}

fn merged(own: RawNode, base: RawNode) -> RawNode {
    let (RawValue::Table(mut pairs), RawValue::Table(others)) = (own.value, base.value) else {
        return RawNode { value: RawValue::Null, spot: own.spot };
    };
    for (key, value) in others {
        let RawValue::Text(name) = &key.value else { continue };
        // What stands twice in the base is kept twice, to be told.
        let stated = pairs.iter_mut().find(|(own, _)| !own.spot.base && is(own, name));
        let depth = MERGED.iter().find(|(merged, _)| merged == name).map_or(0, |(_, depth)| *depth);
        match stated {
            None if name.starts_with("x-") => {}
            None => pairs.push((key, value)),
            Some((_, own)) if name == "checks" => checks(own, value),
            Some((_, own)) => fill(own, value, depth),
        }
    }
    RawNode { value: RawValue::Table(pairs), spot: own.spot }
}

/// Adds to `own` what only `base` says, `depth` mappings deep.
fn fill(own: &mut RawNode, base: RawNode, depth: usize) {
    if depth == 0 {
        return;
    }
    let RawValue::Table(others) = base.value else { return };
    let RawValue::Table(pairs) = &mut own.value else { return };
    for (key, value) in others {
        let RawValue::Text(name) = &key.value else { continue };
        match pairs.iter_mut().find(|(own, _)| !own.spot.base && is(own, name)) {
            None => pairs.push((key, value)),
            Some((_, own)) => fill(own, value, depth - 1),
        }
    }
}

/// The base's checks first, each with what the file says of it, then the file's own.
fn checks(own: &mut RawNode, base: RawNode) {
    let RawValue::List(bases) = base.value else { return };
    let RawValue::List(owns) = &mut own.value else { return };
    let mut left: Vec<RawNode> = std::mem::take(owns);
    for mut base in bases {
        let name = check_name(&base).map(str::to_owned);
        let over = left.iter().position(|own| name.is_some() && check_name(own) == name.as_deref());
        match over {
            None => owns.push(base),
            Some(at) => {
                let mut own = left.remove(at);
                give_way(&mut base, &own);
                fill(&mut own, base, 1);
                owns.push(own);
            }
        }
    }
    owns.append(&mut left);
}

/// Takes from `base` the keys that `own` has another of the same sort for.
fn give_way(base: &mut RawNode, own: &RawNode) {
    let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    for sort in [&kinds[..], &["max", "min"]] {
        if sort.iter().any(|key| find(own, key).is_some())
            && let RawValue::Table(pairs) = &mut base.value
        {
            pairs.retain(|(key, _)| !sort.iter().any(|name| is(key, name)));
        }
    }
}

fn check_name(check: &RawNode) -> Option<&str> {
    match find(check, "name") {
        Some((_, RawNode { value: RawValue::Text(name), .. })) => Some(name),
        _ => None,
    }
}

/// The entry `key` of a mapping.
pub(super) fn find<'n>(node: &'n RawNode, key: &str) -> Option<&'n (RawNode, RawNode)> {
    let RawValue::Table(pairs) = &node.value else { return None };
    pairs.iter().find(|(own, _)| is(own, key))
}

/// Whether `key` is the text `name`.
pub(super) fn is(key: &RawNode, name: &str) -> bool {
    matches!(&key.value, RawValue::Text(text) if text == name)
}
