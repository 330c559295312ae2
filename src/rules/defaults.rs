//! `defaults`: what checks have that do not say it themselves.
//!
//! They are written into the tree of each check before it is read, with the place
//! where they stand, so a default is held to the same as what a check says.

use crate::rules::base::find;
use crate::rules::base::is;
use crate::rules::keys;
use crate::rules::keys::check::DEFAULTS;
use crate::rules::keys::check::GAUGE_DEFAULTS;
use crate::rules::keys::check::HISTOGRAM_DEFAULTS;
use crate::rules::keys::check::KINDS;
use crate::rules::keys::check::PROBE_DEFAULTS;
use crate::rules::keys::check::QUANTILE_DEFAULTS;
use crate::rules::keys::check::RATIO_DEFAULTS;
use crate::rules::keys::check::THRESHOLD_DEFAULTS;
use crate::rules::reader::Reader;
use crate::rules::yaml::RawNode;
use crate::rules::yaml::RawValue;

/// The table of `defaults` for each kind of check.
const TABLES: &[(&str, &[keys::Key])] = &[
    ("ratio", RATIO_DEFAULTS),
    ("histogram", HISTOGRAM_DEFAULTS),
    ("quantile", QUANTILE_DEFAULTS),
    ("gauge", GAUGE_DEFAULTS),
    ("threshold", THRESHOLD_DEFAULTS),
    ("probe", PROBE_DEFAULTS),
];

/// What every check can have, whatever its kind.
const GENERIC: &[&str] = &["worse", "on_fail", "weight", "min_points"];

/// Of these a check has one: a default gives way to another.
const SORTS: &[&[&str]] = &[&["max", "min"], &["test", "by"]];

/// Puts the defaults of the file `root` into its checks, and takes them from it.
pub(super) fn apply(reader: &mut Reader<'_>, root: &mut RawNode) {
    let Some((_, defaults)) = find(root, "defaults").cloned() else { return };
    let mut used = Vec::new();
    if let RawValue::Table(pairs) = &mut root.value
        && let Some((_, checks)) = pairs.iter_mut().find(|(key, _)| is(key, "checks"))
        && let RawValue::List(checks) = &mut checks.value
    {
        for check in checks {
            let Some(kind) = kind(check) else { continue };
            used.push(kind);
            give(check, kind, &defaults);
        }
    }
    read(reader, &defaults, &used);
}

/// What `defaults` calls the kind of `check`.
fn kind(check: &RawNode) -> Option<&'static str> {
    let kind = KINDS.iter().find(|kind| find(check, kind.name).is_some())?.name;
    Some(if kind == "histogram" && find(check, "quantile").is_some() { "quantile" } else { kind })
}

fn give(check: &mut RawNode, kind: &str, defaults: &RawNode) {
    let of_kind = find(defaults, kind).map(|(_, table)| table);
    let known = TABLES.iter().find(|(name, _)| *name == kind).map_or(&[][..], |(_, keys)| *keys);
    for key in known {
        let generic = GENERIC.contains(&key.name).then_some(defaults);
        let default = of_kind.and_then(|table| find(table, key.name)).or_else(|| find(generic?, key.name));
        let Some((name, value)) = default else { continue };
        if !is_said(check, key.name)
            && let RawValue::Table(pairs) = &mut check.value
        {
            pairs.push((name.clone(), value.clone()));
        }
    }
}

/// Whether `check` leaves no room for a default of `key`.
fn is_said(check: &RawNode, key: &str) -> bool {
    let sort = SORTS.iter().find(|sort| sort.contains(&key));
    let said = sort.map_or(find(check, key).is_some(), |sort| sort.iter().any(|key| find(check, key).is_some()));
    let falls =
        matches!(find(check, "worse"), Some((_, RawNode { value: RawValue::Text(way), .. })) if way == "decrease");
    // There is no good enough where less is worse.
    said || key == "floor" && falls
}

/// Whether the defaults have keys that are known, and checks to go to.
fn read(reader: &mut Reader<'_>, defaults: &RawNode, used: &[&str]) {
    let Some(table) = reader.table(defaults, "`defaults`", DEFAULTS) else { return };
    for (kind, known) in TABLES {
        let Some(entry) = table.get(kind) else { continue };
        let _ = reader.table(entry.node, &format!("`{kind}` of `defaults`"), known);
        // A base serves many files, of which not each has every kind.
        if !used.contains(kind) && !entry.node.spot.base {
            let message = format!("no check here is for the defaults of `{kind}`");
            reader.warning(
                entry.key_spot,
                "unused_defaults",
                message,
                "take them out, or see whether a check is missing",
            );
        }
    }
}
