//! The baseline against itself.

use crate::gather::block_on;
use crate::gather::counts;
use crate::gather::gather_from;
use crate::gather::memory::Memory;
use crate::gather::memory::at;
use crate::gather::memory::scrapes;
use crate::gather::ratio;
use crate::gather::windows;
use wavegate::rules::RuleFile;
use wavegate::rules::query::Bindings;
use wavegate::rules::query::NO_PARAMS;
use wavegate::sources::gather;

/// A baseline of `pods`, the first of which counts 10 a scrape, the next 20, and so on.
fn baseline(pods: &[&str]) -> Memory {
    let mut source = Memory::default();
    let mut by = 10.0;
    for pod in pods {
        source.add(&format!("requests_total{{wave_id=old,pod={pod},code=200}}"), scrapes(3600, 7800, by));
        source.add(&format!("requests_total{{wave_id=old,pod={pod},code=500}}"), scrapes(3600, 7800, 1.0));
        by += 10.0;
    }
    source.add("requests_total{wave_id=new,pod=n,code=200}", scrapes(3600, 7800, 500.0));
    source
}

fn halved(source: &Memory) -> (RuleFile, [u32; 2]) {
    let bindings = Bindings { wave: "", baseline: Some("old"), params: &NO_PARAMS };
    block_on(gather::halves(source, &ratio(), &bindings, at(7500))).unwrap()
}

#[test]
fn every_other_instance_is_in_each_half_and_nobody_else() {
    // What a regular expression or a variable would read as more than itself stays itself.
    let source = baseline(&["a.b", "a|c", "b$wave", "d"]);
    let (rules, sizes) = halved(&source);
    assert_eq!(sizes, [2, 2]);
    let check = &gather_from(&source, &rules, &windows(8, 15))[3].checks[0];
    assert_eq!(check.faults, []);
    // 10 and 30 of one half, 20 and 40 of the other, and an error of each pod.
    assert_eq!(check.canary.measure, counts(2.0, 42.0));
    assert_eq!(check.baseline.as_ref().unwrap().measure, counts(2.0, 62.0));
}

#[test]
fn one_instance_stands_on_both_sides() {
    let source = baseline(&["a"]);
    let (rules, sizes) = halved(&source);
    assert_eq!(sizes, [1, 0]);
    let check = &gather_from(&source, &rules, &windows(8, 15))[3].checks[0];
    assert_eq!(check.canary.measure, counts(1.0, 11.0));
    assert_eq!(check.baseline.as_ref().unwrap().measure, counts(1.0, 11.0));
}
