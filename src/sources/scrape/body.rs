//! What a body holds, with the labels of its target.

use crate::series::Labels;
use crate::series::exposition;
use crate::series::exposition::Exposed;
use crate::series::exposition::Limits;
use crate::series::exposition::Unread;
use crate::sources::memory::One;
use crate::sources::memory::Read;
use crate::sources::scrape::fetch::Body;
use crate::sources::scrape::fetch::Failure;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Reads `body` of the target with the labels `target`.
pub(super) fn read(body: &Body, target: &Labels, max_series: usize) -> Result<Read, Failure> {
    let mut read = Read::default();
    let mut excess = false;
    exposition::read(&body.bytes, body.format, &Limits::default(), |line: Result<&Exposed<'_>, Unread>| match line {
        Ok(_) if read.samples.len() >= max_series => excess = true,
        Ok(exposed) => read.samples.push(One {
            labels: labelled(exposed, target),
            value: exposed.value,
            at: exposed.at,
            line: exposed.line,
        }),
        Err(unread) => read.unread.add(|| unread.to_string()),
    });
    if excess { Err(Failure::TooManySeries(max_series)) } else { Ok(read) }
}

/// The labels of `exposed` with those of the target, which win: an exposed label
/// of the same name is kept as `exported_…`, as often as it takes.
fn labelled(exposed: &Exposed<'_>, target: &Labels) -> Labels {
    let mut all: BTreeMap<Cow<'_, str>, &str> = target.iter().map(|(name, value)| (name.into(), value)).collect();
    let mut conflicts: Vec<(&str, &str)> = Vec::new();
    for (name, value) in &exposed.labels {
        if all.contains_key(name) {
            conflicts.push((name, value));
        } else {
            all.insert(Cow::Borrowed(name), value);
        }
    }
    conflicts.sort_unstable();
    for (name, value) in conflicts {
        let mut free = format!("exported_{name}");
        while all.contains_key(free.as_str()) {
            free.insert_str(0, "exported_");
        }
        all.insert(free.into(), value);
    }
    all.insert("__name__".into(), &exposed.name);
    all.into_iter().map(|(name, value)| (name.into_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::exposition::Format;

    #[track_caller]
    fn check(line: &str, expect: &str) {
        let target = [("instance", "i"), ("job", "j"), ("pod", "p")];
        let target = target.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let body = Body { format: Format::Text, bytes: format!("{line} 1\n").into_bytes() };
        let read = read(&body, &target, 10).unwrap();
        assert_eq!(read.samples[0].labels.to_string(), expect);
    }

    #[test]
    fn the_labels_of_the_target_win_and_exposed_ones_are_kept() {
        check("m", r#"m{instance="i",job="j",pod="p"}"#);
        check(r#"m{a="b",pod="x"}"#, r#"m{a="b",exported_pod="x",instance="i",job="j",pod="p"}"#);
        check(
            r#"m{pod="x",exported_pod="y"}"#,
            r#"m{exported_exported_pod="x",exported_pod="y",instance="i",job="j",pod="p"}"#,
        );
        check(r#"m{job=""}"#, r#"m{instance="i",job="j",pod="p"}"#);
    }

    #[test]
    fn the_first_lost_lines_are_named_and_all_are_counted() {
        let body = Body { format: Format::Text, bytes: b"a 1\nb x\nc\nd 1 1 1\n} 1\ne 2\n".to_vec() };
        let read = read(&body, &Labels::default(), 10).unwrap();
        assert_eq!(read.samples.len(), 2);
        let text = read.unread.text();
        assert!(text.starts_with("4 lines were not read: line 2, column 3: the value is not a number, "), "{text}");
        assert!(text.contains("line 3, ") && text.contains("line 4, ") && text.ends_with(", …"), "{text}");
    }

    #[test]
    fn more_samples_than_the_limit_are_no_scrape() {
        let body = Body { format: Format::Text, bytes: b"a 1\nb 2\n".to_vec() };
        assert!(read(&body, &Labels::default(), 2).is_ok());
        assert!(matches!(read(&body, &Labels::default(), 1), Err(Failure::TooManySeries(1))));
    }
}
