//! `budget` of a rule file: which SLO a gate minds, and what it changes of its policies.

use crate::rules::Budget;
use crate::rules::base::find;
use crate::rules::bundle::Bundle;
use crate::rules::keys::slo::BUDGET;
use crate::rules::parse::required;
use crate::rules::parse::word_name;
use crate::rules::reader::Entry;
use crate::rules::reader::Reader;
use crate::rules::reader::quote;
use crate::rules::slo::parse_slo;
use crate::rules::slo::policies;
use crate::rules::yaml;
use crate::rules::yaml::RawNode;
use crate::rules::yaml::RawValue;
use std::sync::Arc;

/// What stands before an SLO's name where a bundle has it: no file is called so.
const PART: &str = "slo:";

/// What diagnostics call the SLO `name` of a bundle.
pub(in crate::rules) fn part_name(name: &str) -> String {
    format!("{PART}{name}")
}

/// The name of the SLO that diagnostics call `file`.
pub(in crate::rules) fn part_of(file: &str) -> Option<&str> {
    file.strip_prefix(PART)
}

/// The SLO that the rule file `text` names, itself or in what it extends; `None` where it
/// names none, or where [`crate::rules::parse()`] will say what is wrong.
pub fn slo_of(text: &str) -> Option<String> {
    let Bundle { own, base, .. } = Bundle::of(text);
    let named = |text: &str| {
        // Most files name none, and are not read twice.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let root = text.contains("budget").then(|| yaml::read(text).ok()).flatten()?;
        let (_, budget) = find(&root, "budget")?;
        let (_, RawNode { value: RawValue::Text(name), .. }) = find(budget, "slo")? else { return None };
        crate::rules::SloName::new(name).map(|name| name.as_str().to_owned())
    };
    named(own).or_else(|| base.and_then(|(_, text)| named(text)))
}

/// What `entry` says; `slo` is the name and text of the SLO of the bundle.
pub(in crate::rules) fn budget(reader: &mut Reader<'_>, entry: Entry<'_>, slo: Option<(&str, &str)>) -> Option<Budget> {
    let table = reader.table(entry.node, "`budget`", BUDGET)?;
    let named = required(reader, &table, "slo", "name an SLO: `{ slo: checkout-availability }`");
    let slo = named.and_then(|named| {
        let name = word_name(reader, named)?;
        let Some((_, text)) = slo.filter(|(brought, _)| *brought == name) else {
            let message = format!("there is no SLO {} to be read", quote(&name));
            let help = "put its file into the folder of SLOs, or name one that is there";
            reader.error(named.node.spot, "no_slo", message, help);
            return None;
        };
        match parse_slo(&part_name(&name), text) {
            Ok(parsed) if parsed.slo.name.as_str() == name => Some(parsed.slo),
            Ok(parsed) => {
                let message = format!("what is bundled as {} is named `{}`", quote(&name), parsed.slo.name);
                reader.error(named.node.spot, "bad_slo", message, "name the SLO as its own file does");
                None
            }
            Err(faults) => {
                reader.error(
                    named.node.spot,
                    "bad_slo",
                    format!("{} cannot be read", quote(&name)),
                    "mend the SLO first",
                );
                reader.adopt(faults);
                None
            }
        }
    });
    // Without an SLO its faults are told all the same.
    let usual = slo.as_ref().map_or_else(|| policies::Policies::usual(None), |slo| slo.policies);
    let policies = policies::changed(reader, &table, usual);
    Some(Budget { slo: Arc::new(slo?), policies })
}
