//! Error budgets against numbers that were computed with exact fractions: the records of
//! `fixtures/reference/slo.json` that are about a service as a whole.

use crate::slo::DAY;
use crate::slo::MINUTE;
use crate::slo::by_minute;
use crate::slo::counts;
use crate::slo::minute;
use crate::slo::reading;
use crate::slo::slo;
use crate::slo::slo_of_minutes;
use crate::slo::window;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::Duration;
use wavegate::judge;
use wavegate::judge::BurnState;
use wavegate::judge::PeriodBurn;
use wavegate::judge::TierReading;
use wavegate::rules::Budgeting;
use wavegate::rules::CalendarUnit;
use wavegate::rules::EmptySlice;
use wavegate::rules::Period;
use wavegate::rules::Slo;
use wavegate::rules::Tier;
use wavegate::rules::TierSeverity;
use wavegate::rules::burn_factor;
use wavegate::rules::parse_slo;
use wavegate::rules::usual_tiers;
use wavegate::series::Buckets;
use wavegate::series::Counts;
use wavegate::series::Fraction;
use wavegate::series::Labels;
use wavegate::series::Sample;
use wavegate::series::Series;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::series::counter::Past;
use wavegate::series::counter::tally;
use wavegate::series::histogram;

type Check = fn(&Record);

/// Every kind that is checked here, how many records it has, and by what.
const CHECKED: &[(&str, usize, Check)] = &[
    ("budget", 7, budget),
    ("factors", 3, factors),
    ("mwmb", 13, windows_and_tiers),
    ("counters", 4, counters),
    ("budgeting", 4, budgeting),
    ("sloth_optimized", 2, mean_of_ratios),
    ("calendar", 1, calendar),
    ("latency", 2, latency),
];

/// One record.
struct Record(Value);

impl Record {
    fn input(&self, key: &str) -> &Value {
        &self.0["input"][key]
    }

    fn number(&self, key: &str) -> f64 {
        self.input(key).as_f64().unwrap()
    }

    fn seconds(&self, key: &str) -> Duration {
        Duration::from_secs(self.input(key).as_u64().unwrap())
    }

    fn text(&self, key: &str) -> &str {
        self.input(key).as_str().unwrap()
    }

    fn expected(&self, key: &str) -> &Value {
        &self.0["expected"][key]
    }

    /// Where the record says something of `key`, that it is `value`.
    #[track_caller]
    fn agrees(&self, key: &str, value: Option<f64>) {
        if let Some(expected) = self.0["expected"].get(key) {
            self.same(key, value, expected);
        }
    }

    #[track_caller]
    fn same(&self, what: &str, value: Option<f64>, expected: &Value) {
        let expected = expected.as_f64();
        let near = match (value, expected) {
            (Some(value), Some(expected)) => (value - expected).abs() <= 1e-12 * expected.abs(),
            (value, expected) => value.is_none() && expected.is_none(),
        };
        assert!(near, "{} {what}: {value:?}, not {expected:?}", self.0["id"]);
    }

    /// Good and all events of each slice as bad and all.
    fn slices(&self) -> Vec<Option<Counts>> {
        let slice = |pair: &Value| {
            let (good, total) = (pair[0].as_f64().unwrap(), pair[1].as_f64().unwrap());
            counts(total - good, total)
        };
        self.input("slices_good_total").as_array().unwrap().iter().map(slice).collect()
    }
}

#[test]
fn every_record_of_every_kind_agrees() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/reference/slo.json");
    let all: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    for (kind, records, check) in CHECKED {
        let of_kind = all["vectors"].as_array().unwrap().iter().filter(|record| record["kind"] == *kind);
        let of_kind: Vec<Record> = of_kind.cloned().map(Record).collect();
        assert_eq!(of_kind.len(), *records, "records of {kind}");
        of_kind.iter().for_each(check);
    }
}

/// A window at the end of a period, in whose other part the rest of the events were.
fn budget(record: &Record) {
    let objective = record.text("objective");
    if objective == "100" {
        return nothing_may_fail(record);
    }
    let period = record.seconds("period_s");
    let length = record.input("window_s").as_u64().map_or(DAY * 3, Duration::from_secs);
    let (bad, total) = (record.number("bad"), record.number("total"));
    let before = record.input("period_total").as_f64().map_or(0.0, |all| all - total);

    let minutes = usize::try_from(period.as_secs() / 60).unwrap();
    let mut slots = vec![counts(0.0, 0.0); minutes];
    (slots[0], slots[minutes - 1]) = (counts(0.0, before), counts(bad, total));
    let tier = Tier { long: length, short: length, ..usual_tiers(period)[0].clone() };
    let slo = Slo { period: Period::Rolling(period), tiers: vec![tier], ..slo(objective) };
    let through = minute(i64::try_from(minutes).unwrap());
    let found = judge::burn(&slo, &judge::account(&slo, &by_minute(&slots), through));

    let [window] = &found.windows[..] else { panic!("one window") };
    record.agrees("error_ratio", window.error_ratio);
    record.agrees("burn_rate", window.burn);
    record.agrees("consumed_time_based", window.consumed_by_time(period));
    record.agrees("time_to_full_exhaustion_s", window.budget_lasts(period).map(|lasts| lasts.as_secs_f64()));
    let left = window.consumed_by_time(period).map(|consumed| (1.0 - consumed).max(0.0));
    let lasts = window.budget_lasts(period).and_then(|lasts| Some(lasts.as_secs_f64() * left?));
    record.agrees("time_to_exhaustion_s", lasts);
    if record.input("period_total").is_number() {
        record.agrees("allowed_bad", found.period.allowed);
        record.agrees("consumed_event_based", found.period.consumed);
        record.agrees("remaining_event_based", found.period.remaining);
        assert!(!found.period.forecast);
    }
}

/// An objective of 100 % is refused; where it were not, nothing is made up.
fn nothing_may_fail(record: &Record) {
    let text = "version: 1\nname: all\nobjective: 100%\nindicator: { ratio: { bad: a, total: b } }\n";
    parse_slo("slo.yaml", text).unwrap_err();
    let bad = counts(record.number("bad"), record.number("total"));
    let found = judge::burn(&slo("100"), &reading(vec![window(record.seconds("window_s"), bad)]));
    record.agrees("error_ratio", found.windows[0].error_ratio);
    assert_eq!(found.windows[0].burn, None);
}

fn factors(record: &Record) {
    let period = record.seconds("period_s");
    let usual = usual_tiers(period);
    for tier in record.0["expected"].as_array().unwrap() {
        let share = Fraction::percent(&tier["budget_pct"].to_string()).unwrap();
        let long = Duration::from_secs(tier["long_s"].as_u64().unwrap());
        let factor = burn_factor(share, period, long).unwrap();
        record.same("factor", Some(factor.as_f64()), &tier["factor"]);
        // The workbook's shares of a week are not those that wavegate takes by itself.
        if record.text("policy") == "workbook" && period < DAY * 28 {
            continue;
        }
        let own = usual.iter().find(|own| tier["tier"] == own.name.as_str()).unwrap();
        assert_eq!((own.factor, own.long), (factor, long), "{}", record.0["id"]);
        assert_eq!(own.short.as_secs(), tier["short_s"].as_u64().unwrap());
    }
}

fn windows_and_tiers(record: &Record) {
    let length = |name: &str| match name.split_at(name.len() - 1) {
        (count, "m") => MINUTE * count.parse().unwrap(),
        (count, "h") => MINUTE * 60 * count.parse().unwrap(),
        (count, _) => DAY * count.parse().unwrap(),
    };
    // A million events have each of these ratios as a whole number of bad ones; some records
    // say how many bad ones there were.
    let bad_of = |name: &str| record.input("bad").get(name).and_then(Value::as_f64);
    let counted = |name: &str, ratio: &Value| {
        let (bad, total) = Fraction::decimal(ratio.as_str()?).unwrap().parts();
        let of_a_million = f64::from(u32::try_from(bad * (1_000_000 / total)).unwrap());
        let bad = bad_of(name).unwrap_or(of_a_million);
        counts(bad, bad * 1e6 / of_a_million)
    };
    let ratios = record.input("ratios").as_object().unwrap();
    let windows = ratios.iter().map(|(name, ratio)| window(length(name), counted(name, ratio)));
    let period = record.seconds("period_s");
    let slo = Slo {
        period: Period::Rolling(period),
        tiers: usual_tiers(period),
        min_bad: 5,
        ..slo(record.text("objective"))
    };
    let found = judge::burn(&slo, &reading(windows.collect()));

    let tiers = record.expected("tiers").as_array().unwrap();
    assert_eq!(tiers.len(), found.tiers.len());
    for (tier, expected) in found.tiers.iter().zip(tiers) {
        assert_eq!(expected["tier"], tier.name.as_str());
        assert_eq!(expected["firing"], tier.firing, "{} {}", record.0["id"], tier.name);
        assert_eq!(expected["reachable"], tier.reachable);
        record.same("factor", Some(tier.factor), &expected["factor"]);
        record.same("threshold", Some(tier.threshold), &expected["threshold_ratio"]);
        let budget = slo.budget().as_f64();
        record.same("long", tier.long_burn.map(|burn| burn * budget), &expected["long"]);
        record.same("short", tier.short_burn.map(|burn| burn * budget), &expected["short"]);
    }
    let fired = found.tiers.iter().filter(|tier| tier.firing).map(|tier| Value::from(tier.name.as_str()));
    assert_eq!(Value::from(fired.collect::<Vec<_>>()), *record.expected("fired"));
    let (state, data) = match found.state {
        BurnState::NoData => ("ok", "no_data"),
        state @ (BurnState::Ok | BurnState::Ticket | BurnState::Page) => {
            (state.word(), if found.partial { "partial" } else { "ok" })
        }
    };
    assert_eq!((record.expected("state"), record.expected("data_state")), (&state.into(), &data.into()));
}

fn counters(record: &Record) {
    let length = record.seconds("window_s");
    let span = Window { from: minute(0), to: minute(0) + length };
    let increase = |key: &str| {
        let sample = |pair: &Value| {
            let at = Timestamp::from_millis(pair[0].as_i64().unwrap() * 1000);
            Some(Sample { at, value: pair[1].as_f64()? })
        };
        let samples = record.input(key).as_array().unwrap().iter().filter_map(sample).collect();
        tally(&Series::new(Labels::default(), samples), span, span.from, Past::Unknown).increase()
    };
    let (good, bad) = (increase("good_samples"), increase("bad_samples"));
    record.agrees("good_increase", good);
    record.agrees("bad_increase", bad);
    let all = good.map(|good| Counts { bad: bad.unwrap_or(0.0), total: good + bad.unwrap_or(0.0) });
    record.agrees("total", all.map(|counts| counts.total));
    let found = judge::burn(&slo(record.text("objective")), &reading(vec![window(length, all)]));
    record.agrees("error_ratio", found.windows[0].error_ratio);
    record.agrees("burn_rate", found.windows[0].burn);
}

/// What is left of a period of these minutes, by this method.
fn by_method(record: &Record, budgeting: Budgeting) -> PeriodBurn {
    let slots = record.slices();
    let slo = Slo { budgeting, ..slo_of_minutes(record.text("objective"), slots.len()) };
    let through = minute(i64::try_from(slots.len()).unwrap());
    judge::burn(&slo, &judge::account(&slo, &by_minute(&slots), through)).period
}

fn budgeting(record: &Record) {
    let (target, slice) = (Fraction::decimal(record.text("time_slice_target")).unwrap(), MINUTE);
    let words = [("good", EmptySlice::Good), ("bad", EmptySlice::Bad), ("ignore", EmptySlice::Ignore)];
    let empty = words.iter().find(|(word, _)| *word == record.text("empty")).unwrap().1;
    let check = |period: PeriodBurn, expected: &Value| {
        let good = period.span.counts.map(|counts| 1.0 - counts.bad / counts.total);
        record.same("sli", good, &expected["sli"]);
        record.same("consumed", period.consumed, &expected["consumed"]);
    };
    check(by_method(record, Budgeting::Occurrences), record.expected("occurrences"));
    check(by_method(record, Budgeting::RatioTimeslices { slice, empty }), record.expected("ratio_timeslices"));
    for (word, empty) in words {
        let found = by_method(record, Budgeting::Timeslices { target, slice, empty });
        check(found, &record.expected("timeslices")[word]);
    }
}

fn mean_of_ratios(record: &Record) {
    let events = by_method(record, Budgeting::Occurrences);
    let ratios = by_method(record, Budgeting::RatioTimeslices { slice: MINUTE, empty: EmptySlice::Ignore });
    let ratio = |period: PeriodBurn| period.span.counts.map(|counts| counts.bad / counts.total);
    record.agrees("true_error_ratio", ratio(events));
    record.agrees("true_consumed", events.consumed);
    record.agrees("optimized_error_ratio", ratio(ratios));
    record.agrees("optimized_consumed", ratios.consumed);
}

/// Some days of a month that has as many as the record says.
fn calendar(record: &Record) {
    let begin = Timestamp::parse("2026-11-01T00:00:00Z").unwrap();
    let elapsed = record.seconds("elapsed_s");
    let mut slots = vec![counts(0.0, 0.0); usize::try_from(elapsed.as_secs() / 60).unwrap()];
    slots[100] = counts(record.number("bad"), record.number("total_so_far"));
    let mut slices = wavegate::series::Slices::new(MINUTE, begin);
    slices.put(begin, &slots);
    let zone = jiff::tz::TimeZone::UTC;
    let slo = Slo { period: Period::Calendar { unit: CalendarUnit::Month, zone }, ..slo(record.text("objective")) };
    let period = judge::burn(&slo, &judge::account(&slo, &slices, begin + elapsed)).period;
    assert_eq!(period.to.since(period.from), record.seconds("period_s"));
    assert!(period.forecast);
    record.same("forecast", period.total, record.input("forecast_total"));
    record.agrees("budget_forecast", period.allowed);
    record.agrees("consumed_of_forecast", period.consumed);
    record.agrees("consumed_of_so_far", period.burn);
    let so_far = period.span.counts.map(|counts| counts.total * slo.budget().as_f64());
    record.agrees("allowed_so_far", so_far);
}

fn latency(record: &Record) {
    let buckets = record.input("bucket_increase").as_object().unwrap().iter();
    let mut bounds: Vec<(f64, f64)> =
        buckets.map(|(le, count)| (histogram::parse_bound(le).unwrap(), count.as_f64().unwrap())).collect();
    bounds.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let mut cumulative = histogram::Cumulative::default();
    cumulative.add(bounds);
    let above = cumulative
        .buckets()
        .as_ref()
        .and_then(|buckets: &Buckets| buckets.above(record.text("threshold").parse().unwrap()));
    if record.expected("error") == "threshold_not_a_bucket" {
        return assert_eq!(above, None);
    }
    record.agrees("bad", above.map(|counts| counts.bad));
    record.agrees("good", above.map(|counts| counts.total - counts.bad));
    let found = judge::burn(&slo(record.text("objective")), &reading(vec![window(MINUTE * 5, above)]));
    record.agrees("error_ratio", found.windows[0].error_ratio);
    record.agrees("burn_rate", found.windows[0].burn);
}

fn tier(found: &judge::Burn) -> &TierReading {
    &found.tiers[0]
}

#[test]
fn a_tier_with_too_few_bad_events_is_suppressed_and_says_so() {
    let slo = Slo { min_bad: 5, ..slo("99.9") };
    let all = |bad: f64| {
        let lengths = slo.tiers.iter().flat_map(|tier| [tier.short, tier.long]);
        let windows = lengths.map(|length| window(length, counts(bad, 5.0)));
        judge::burn(&slo, &reading(windows.collect()))
    };
    let (few, enough) = (all(4.0), all(5.0));
    assert_eq!(
        (tier(&few).firing, tier(&few).suppressed, few.suppressed, few.state),
        (false, true, true, BurnState::Ok)
    );
    assert_eq!((tier(&enough).firing, tier(&enough).suppressed, enough.state), (true, false, BurnState::Page));
}

#[test]
fn so_many_bad_events_tell_whatever_the_traffic() {
    let mut slo = Slo { tiers: Vec::new(), ..slo("99.9") };
    let rule = wavegate::rules::Absolute { bad: 50, within: MINUTE * 360, severity: TierSeverity::Ticket };
    slo.absolute = Some(rule);
    let of = |bad: f64| judge::burn(&slo, &reading(vec![window(rule.within, counts(bad, 1e9))]));
    assert_eq!((of(49.0).absolute, of(49.0).state), (Some(false), BurnState::Ok));
    assert_eq!((of(50.0).absolute, of(50.0).state), (Some(true), BurnState::Ticket));
}

#[test]
fn few_events_are_few_also_where_slices_are_counted() {
    // One bad event in each of ten quiet slices: ten slices are bad, and ten events.
    let budgeting =
        Budgeting::Timeslices { target: Fraction::percent("99").unwrap(), slice: MINUTE * 5, empty: EmptySlice::Good };
    let mut slo = Slo { budgeting, min_bad: 11, ..slo("99.9") };
    let slots: Vec<_> = (0..50).map(|k| counts(if k % 5 == 0 { 1.0 } else { 0.0 }, 3.0)).collect();
    let of = |slo: &Slo| judge::burn(slo, &judge::account(slo, &by_minute(&slots), minute(50)));
    assert_eq!((of(&slo).state, of(&slo).suppressed), (BurnState::Ok, true));
    slo.min_bad = 10;
    assert_eq!(of(&slo).state, BurnState::Page);
    assert_eq!(of(&slo).windows[0].span.counts, counts(1.0, 1.0));
}

#[test]
fn a_slice_that_nobody_saw_is_never_one_without_events() {
    for empty in [EmptySlice::Good, EmptySlice::Bad, EmptySlice::Ignore] {
        let budgeting = Budgeting::RatioTimeslices { slice: MINUTE, empty };
        let slo = Slo { budgeting, ..slo_of_minutes("99", 4) };
        let slices = by_minute(&[counts(1.0, 2.0), None, counts(0.0, 0.0)]);
        let found = judge::account(&slo, &slices, minute(4)).period;
        let expect = match empty {
            EmptySlice::Good => counts(0.5, 2.0),
            EmptySlice::Bad => counts(1.5, 2.0),
            EmptySlice::Ignore => counts(0.5, 1.0),
        };
        assert_eq!((found.counts, found.seen, found.slices), (expect, 2, 4));
    }
}

#[test]
fn a_period_whose_begin_was_not_seen_is_stretched_and_a_gap_is_not() {
    let slo = slo_of_minutes("99", 8);
    let of = |slots: &[Option<Counts>]| judge::burn(&slo, &judge::account(&slo, &by_minute(slots), minute(8))).period;
    let some = counts(1.0, 100.0);
    let late = of(&[None, None, None, None, some, some, some, some]);
    assert_eq!((late.total, late.forecast, late.covered), (Some(800.0), true, 0.5));
    assert_eq!((late.allowed, late.consumed, late.remaining), (Some(8.0), Some(0.5), Some(0.5)));
    let gap = of(&[some, None, None, None, None, some, some, some]);
    assert_eq!((gap.total, gap.forecast, gap.covered, gap.consumed), (Some(400.0), false, 0.5, Some(1.0)));
    assert_eq!(gap.exhausted_in(gap.burn), Some(Duration::ZERO));
    let nothing = of(&[]);
    assert_eq!((nothing.total, nothing.consumed, nothing.remaining, nothing.burn), (None, None, None, None));
    assert_eq!(nothing.exhausted_in(nothing.burn), None);
}

#[test]
fn a_reading_does_not_depend_on_when_within_a_slice_it_is_asked() {
    let slo = Slo { settle: MINUTE, ..slo("99.9") };
    let slices = by_minute(&vec![counts(1.0, 100.0); 500]);
    let at = |millis: u64| judge::account(&slo, &slices, minute(400) + Duration::from_millis(millis));
    assert_eq!(at(0).through, minute(399));
    assert_eq!(at(0), at(59_999));
    assert_ne!(at(0), at(60_000));
}
