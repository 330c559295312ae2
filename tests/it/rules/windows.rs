//! When a gate may pass, by the clock on the wall.

use wavegate::rules;
use wavegate::rules::Closed;
use wavegate::rules::Windows;
use wavegate::series::Timestamp;

fn windows(said: &str) -> Windows {
    let text = format!("version: 1\nname: a\nwindows: {{ {said} }}\nchecks: [{{ name: up, threshold: up, min: 1 }}]\n");
    let parsed = rules::parse("a.yaml", &text);
    parsed.unwrap_or_else(|faults| panic!("\n{}", rules::render(&faults, &text))).rules.windows.expect("windows")
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap_or_else(|| panic!("{text}"))
}

/// That at `when` it is closed by `by` until `until`; open where there is no `by`.
#[track_caller]
fn check(said: &str, when: &str, by: &str, until: &str) {
    let closed = Closed { by: by.to_owned(), until: (!until.is_empty()).then(|| at(until)) };
    let expect = (!by.is_empty()).then_some(closed);
    assert_eq!(windows(said).closed(at(when)), expect, "{said} at {when}");
}

#[track_caller]
fn open(said: &str, when: &str) {
    check(said, when, "", "");
}

// 2026-11-27 is a Friday.

#[test]
fn a_weekday_is_closed_from_midnight_to_midnight() {
    open("deny: [Fri]", "2026-11-26T23:59:59.999Z");
    check("deny: [Fri]", "2026-11-27T00:00:00Z", "Fri", "2026-11-28T00:00:00Z");
    check("deny: [fri]", "2026-11-27T23:59:59.999Z", "fri", "2026-11-28T00:00:00Z");
    open("deny: [Fri]", "2026-11-28T00:00:00Z");
    let both = "deny: [Fri, Sat-Sun]";
    check(both, "2026-11-27T12:00:00Z", "Fri", "2026-11-30T00:00:00Z");
    check(both, "2026-11-29T12:00:00Z", "Sat-Sun", "2026-11-30T00:00:00Z");
    check("deny: [Fri-Mon]", "2026-11-28T12:00:00Z", "Fri-Mon", "2026-12-01T00:00:00Z");
    open("deny: [Fri-Mon]", "2026-12-01T00:00:00Z");
}

#[test]
fn hours_may_lie_on_the_next_day() {
    let evening = "deny: ['Mon-Fri 16:00-24:00']";
    open(evening, "2026-11-27T15:59:59Z");
    check(evening, "2026-11-27T16:00:00Z", "Mon-Fri 16:00-24:00", "2026-11-28T00:00:00Z");
    let night = "deny: ['Fri 15:00-09:00']";
    open(night, "2026-11-27T08:00:00Z");
    check(night, "2026-11-28T08:59:00Z", "Fri 15:00-09:00", "2026-11-28T09:00:00Z");
    check(night, "2026-11-27T15:00:00Z", "Fri 15:00-09:00", "2026-11-28T09:00:00Z");
    open(night, "2026-11-28T15:00:00Z");
    check("deny: ['22:00-06:00']", "2026-11-25T03:00:00Z", "22:00-06:00", "2026-11-25T06:00:00Z");
}

#[test]
fn where_something_is_allowed_the_rest_is_closed() {
    let hours = "allow: ['Mon-Thu 09:00-16:00', '2026-11-27']";
    open(hours, "2026-11-26T09:00:00Z");
    let by = "outside of Mon-Thu 09:00-16:00, 2026-11-27";
    check(hours, "2026-11-26T16:00:00Z", by, "2026-11-27T00:00:00Z");
    check(hours, "2026-11-28T00:00:00Z", by, "2026-11-30T09:00:00Z");
    let less = "allow: ['Mon-Thu 09:00-16:00'], deny: ['Mon 00:00-12:00']";
    check(less, "2026-11-28T00:00:00Z", "outside of Mon-Thu 09:00-16:00", "2026-11-30T12:00:00Z");
    check(less, "2026-11-30T10:00:00Z", "Mon 00:00-12:00", "2026-11-30T12:00:00Z");
    check("allow: [Mon], deny: [Mon]", "2026-11-27T00:00:00Z", "outside of Mon", "");
}

#[test]
fn both_days_of_a_range_of_dates_are_in_it() {
    let freeze = "deny: ['2026-12-20/2027-01-05'], timezone: Europe/Copenhagen";
    open(freeze, "2026-12-19T22:59:59Z");
    check(freeze, "2026-12-19T23:00:00Z", "2026-12-20/2027-01-05", "2027-01-05T23:00:00Z");
    open(freeze, "2027-01-05T23:00:00Z");
    check("deny: [2026-12-24]", "2026-12-24T12:00:00Z", "2026-12-24", "2026-12-25T00:00:00Z");
    let local = "deny: ['2026-12-20T18:00/2026-12-21T06:00'], timezone: Europe/Copenhagen";
    check(local, "2026-12-20T17:00:00Z", "2026-12-20T18:00/2026-12-21T06:00", "2026-12-21T05:00:00Z");
    open(local, "2026-12-21T05:00:00Z");
    let fixed = "deny: ['2026-12-20T18:00:00Z/2026-12-21T06:00:00+01:00'], timezone: Europe/Copenhagen";
    open(fixed, "2026-12-20T17:59:00Z");
    check(fixed, "2026-12-20T18:00:00Z", "2026-12-20T18:00:00Z/2026-12-21T06:00:00+01:00", "2026-12-21T05:00:00Z");
    let years = "deny: ['2026-12-20/2028-01-05']";
    check(years, "2026-12-21T00:00:00Z", "2026-12-20/2028-01-05", "");
}

#[test]
fn a_pattern_begins_a_window_that_lasts() {
    let monday = "allow: [{ cron: '0 9 * * Mon', for: 2h }], timezone: Europe/Copenhagen";
    open(monday, "2026-11-30T08:00:00Z");
    open(monday, "2026-11-30T09:59:59.999Z");
    let by = "outside of cron 0 9 * * Mon for 2h";
    check(monday, "2026-11-30T10:00:00Z", by, "2026-12-07T08:00:00Z");
    check(monday, "2026-11-30T07:59:59.5Z", by, "2026-11-30T08:00:00Z");
    let always = "deny: [{ cron: '* * * * *', for: 1m }]";
    check(always, "2026-11-30T07:59:30Z", "cron * * * * * for 1m", "");
    let month_end = "deny: [{ cron: '0 0 L * *', for: 1d }]";
    check(month_end, "2026-11-30T10:00:00Z", "cron 0 0 L * * for 1d", "2026-12-01T00:00:00Z");
}

// In Copenhagen the clock goes from 02:00 to 03:00 on 2027-03-28 at 01:00Z, and from
// 03:00 back to 02:00 on 2026-10-25 at 01:00Z; both are Sundays.

#[test]
fn an_hour_that_the_clock_skips_closes_nothing() {
    let zone = "timezone: Europe/Copenhagen";
    let skipped = format!("deny: ['Sun 02:00-03:00'], {zone}");
    open(&skipped, "2027-03-28T00:59:59Z");
    open(&skipped, "2027-03-28T01:00:00Z");
    check(&skipped, "2027-03-21T01:00:00Z", "Sun 02:00-03:00", "2027-03-21T02:00:00Z");
    let into = format!("deny: ['Sun 01:00-02:30'], {zone}");
    check(&into, "2027-03-28T00:30:00Z", "Sun 01:00-02:30", "2027-03-28T01:00:00Z");
    let out_of = format!("deny: ['Sun 02:30-04:00'], {zone}");
    open(&out_of, "2027-03-28T00:59:00Z");
    check(&out_of, "2027-03-28T01:00:00Z", "Sun 02:30-04:00", "2027-03-28T02:00:00Z");
    let opens = format!("allow: ['Sun 02:30-04:00'], {zone}");
    check(&opens, "2027-03-28T00:00:00Z", "outside of Sun 02:30-04:00", "2027-03-28T01:00:00Z");
}

#[test]
fn an_hour_that_the_clock_shows_twice_closes_twice() {
    let zone = "timezone: Europe/Copenhagen";
    let twice = format!("deny: ['Sun 02:00-02:30'], {zone}");
    check(&twice, "2026-10-25T00:10:00Z", "Sun 02:00-02:30", "2026-10-25T00:30:00Z");
    open(&twice, "2026-10-25T00:45:00Z");
    check(&twice, "2026-10-25T01:10:00Z", "Sun 02:00-02:30", "2026-10-25T01:30:00Z");
    let whole = format!("deny: ['Sun 02:00-03:00'], {zone}");
    check(&whole, "2026-10-25T00:10:00Z", "Sun 02:00-03:00", "2026-10-25T02:00:00Z");
    let day = format!("deny: [Sun], {zone}");
    check(&day, "2026-10-24T22:00:00Z", "Sun", "2026-10-25T23:00:00Z");
}

#[test]
fn what_is_on_no_clock_and_no_calendar_is_refused_in_words() {
    for (said, why) in [
        ("4000000000:00-05:00", "are no hours"),
        ("05:00-4000000000:00", "are no hours"),
        ("24:01-05:00", "are no hours"),
        ("05:60-06:00", "are no hours"),
        ("24:00-05:00", "leave nothing"),
        ("2025-02-29", "neither a weekday nor a day of the calendar"),
        ("9999-12-31", "neither a date nor a moment"),
        ("2027-01-05/2026-12-20", "ends before it begins"),
    ] {
        let text = format!("version: 1\nname: a\nwindows: {{ deny: ['{said}'] }}\nchecks: [{{ name: a, gauge: m }}]\n");
        let faults = rules::parse("a.yaml", &text).expect_err(said);
        assert!(faults.len() == 1 && faults[0].message.contains(why), "{said}: {}", rules::render(&faults, &text));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "what is measured is the machine's own time")]
fn the_longest_search_for_an_opening_is_short() {
    let entries: Vec<String> = (0..32).map(|n| format!("{{ cron: '*/{} * * * *', for: 31d }}", n % 7 + 1)).collect();
    let windows = windows(&format!("deny: [{}]", entries.join(", ")));
    let began = std::time::Instant::now();
    assert_eq!(windows.closed(at("2026-11-30T10:00:00Z")).and_then(|closed| closed.until), None);
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(windows, windows.clone());
}
