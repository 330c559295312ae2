//! `wavegate slo`: a list and one SLO on a terminal, and a picture.

use super::Past;
use super::list;
use super::whole;
use wavegate::report;

#[track_caller]
fn fits(page: &str, columns: usize) {
    for line in page.lines() {
        assert!(line.chars().count() <= columns, "{} columns: {line}", line.chars().count());
        assert_eq!(line, line.trim_end());
    }
    assert!(!page.contains(|c: char| c.is_control() && c != '\n'), "{page:?}");
}

#[test]
fn a_list_of_slos_reads_so() {
    let three =
        [("checkout-availability", Past::Calm), ("checkout-latency", Past::Burning), ("checkout-probe", Past::Unseen)];
    let page = report::slos(&list(&three), false).unwrap();
    fits(&page, 80);
    insta::assert_snapshot!(page);
    assert_eq!(report::slos(&list(&[]), false).unwrap(), "no SLOs\n");
}

#[test]
fn an_slo_reads_so() {
    let page = report::slo(&whole("checkout-availability", &Past::Calm, 60), false).unwrap();
    fits(&page, 80);
    insta::assert_snapshot!(page);
}

#[test]
fn an_slo_that_burns_says_which_tier_fires_and_when_nothing_is_left() {
    let page = report::slo(&whole("checkout-availability", &Past::Burning, 60), false).unwrap();
    fits(&page, 120);
    insta::assert_snapshot!(page);
}

#[test]
fn an_slo_that_nobody_saw_reads_so() {
    let page = report::slo(&whole("checkout-availability", &Past::Unseen, 60), false).unwrap();
    fits(&page, 120);
    insta::assert_snapshot!(page);
}

#[test]
fn colour_is_only_where_it_is_wanted() {
    let document = list(&[("a", Past::Calm), ("b", Past::Burning)]);
    let page = report::slos(&document, true).unwrap();
    assert!(page.contains("\u{1b}[1;32mok\u{1b}[0m") && page.contains("\u{1b}[1;31mpage\u{1b}[0m"));
    let plain: String =
        ["\u{1b}[1;32m", "\u{1b}[1;31m", "\u{1b}[0m"].iter().fold(page, |page, code| page.replace(code, ""));
    assert_eq!(plain, report::slos(&document, false).unwrap());
}

#[test]
fn the_picture_of_an_slo_is_the_same_bytes_twice() {
    let document = whole("checkout-availability", &Past::Burning, 60);
    let drawn = report::slo_svg(&document).unwrap();
    assert_eq!(drawn, report::slo_svg(&document).unwrap());
    insta::assert_snapshot!(drawn);
    let hostile = document.replace("Checkout answers.", "<script>").replace("checkout-availability", "<b>&\\u0000");
    let drawn = report::slo_svg(&hostile).unwrap();
    assert!(!drawn.contains("<script") && !drawn.contains("<b>") && !drawn.contains('\0'));
    assert!(report::slo_svg(&whole("a", &Past::Unseen, 0)).unwrap().contains("not known"));
}
