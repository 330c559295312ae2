//! Where calendar periods turn, also where clocks are moved.

use crate::slo::by_minute;
use crate::slo::slo;
use jiff::tz::TimeZone;
use wavegate::judge;
use wavegate::rules::CalendarUnit;
use wavegate::rules::Period;
use wavegate::rules::Slo;
use wavegate::series::Timestamp;

#[track_caller]
fn check(unit: CalendarUnit, zone: &str, through: &str, expect: (&str, &str)) {
    let zone = TimeZone::get(zone).unwrap();
    let slo = Slo { period: Period::Calendar { unit, zone }, ..slo("99.9") };
    let at = Timestamp::parse(through).unwrap();
    let found = judge::account(&slo, &by_minute(&[]), at);
    assert_eq!(
        (found.period_from.to_string(), found.period_to.to_string()),
        (expect.0.to_owned(), expect.1.to_owned())
    );
    assert_eq!(found.period.length, at.since(found.period_from));
}

#[test]
fn periods_turn_at_midnight_of_their_zone() {
    let utc = |unit, through, expect| check(unit, "UTC", through, expect);
    // 2026-11-18 is a Wednesday.
    utc(CalendarUnit::Week, "2026-11-18T12:00:00Z", ("2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"));
    utc(CalendarUnit::Month, "2026-12-31T23:00:00Z", ("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"));
    utc(CalendarUnit::Quarter, "2026-12-31T23:00:00Z", ("2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"));
    utc(CalendarUnit::Quarter, "2026-03-31T23:00:00Z", ("2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z"));
    utc(CalendarUnit::Year, "2028-02-29T12:00:00Z", ("2028-01-01T00:00:00Z", "2029-01-01T00:00:00Z"));
    check(
        CalendarUnit::Month,
        "Asia/Kathmandu",
        "2026-11-18T12:00:00Z",
        ("2026-10-31T18:15:00Z", "2026-11-30T18:15:00Z"),
    );
}

#[test]
fn a_slice_that_ends_at_the_turn_is_of_the_old_period() {
    let month = |through, expect| check(CalendarUnit::Month, "UTC", through, expect);
    month("2026-12-01T00:00:00Z", ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"));
    month("2026-12-01T00:01:00Z", ("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"));
}

#[test]
fn a_week_in_which_clocks_move_is_an_hour_shorter_or_longer() {
    let week = |zone, through, expect| check(CalendarUnit::Week, zone, through, expect);
    week("Europe/Copenhagen", "2026-03-28T12:00:00Z", ("2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z"));
    week("Europe/Copenhagen", "2026-10-24T12:00:00Z", ("2026-10-18T22:00:00Z", "2026-10-25T23:00:00Z"));
}

#[test]
fn a_day_whose_midnight_is_left_out_begins_with_its_first_instant() {
    // Clocks in Paraguay went from 00:00 to 01:00 on the first of October 2017, where a quarter begins.
    let quarter = |through, expect| check(CalendarUnit::Quarter, "America/Asuncion", through, expect);
    quarter("2017-11-01T00:00:00Z", ("2017-10-01T04:00:00Z", "2018-01-01T03:00:00Z"));
}

#[test]
fn an_instant_that_no_calendar_has_is_without_a_period() {
    let slo = Slo { period: Period::Calendar { unit: CalendarUnit::Year, zone: TimeZone::UTC }, ..slo("99.9") };
    for at in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX] {
        let found = judge::account(&slo, &by_minute(&[]), Timestamp::from_millis(at));
        assert!(found.period_from <= found.through && found.through <= found.period_to, "{at}");
        let burn = judge::burn(&slo, &found);
        assert_eq!((burn.period.total, burn.period.remaining), (None, None));
    }
}
