//! What the shipped rule files say of themselves at their heads is true.

use crate::support::headers::shipped;
use crate::support::headers::written;
use std::fs;

#[test]
fn the_head_of_a_shipped_file_says_what_its_plan_and_its_simulation_say() {
    let files = shipped();
    assert_eq!(files.len(), 5);
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let found = written(&text);
        let lines = || found.lines().zip(text.lines()).filter(|(found, stated)| found != stated);
        let (found, stated) = lines().next().unwrap_or_default();
        assert_eq!(
            found,
            stated,
            "{}: not what is found now; rewrite it by `cargo run --release --example headers`",
            path.display()
        );
    }
}
