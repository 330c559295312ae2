//! Windows from a rule file.

use crate::rules::keys::file::CRON;
use crate::rules::keys::file::WINDOWS;
use crate::rules::nearest::nearest;
use crate::rules::parse::required;
use crate::rules::reader::Entry as Written;
use crate::rules::reader::Reader;
use crate::rules::reader::quote;
use crate::rules::units::duration_text;
use crate::rules::windows::Entry;
use crate::rules::windows::Windows;
use crate::rules::windows::span::Span;
use crate::rules::windows::span::days;
use crate::rules::yaml::RawNode;
use crate::rules::yaml::RawValue;
use croner::Cron;
use croner::parser::CronParser;
use croner::parser::Seconds;
use croner::parser::Year;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::civil::DateTime;
use jiff::civil::Time;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::tz::TimeZoneDatabase;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Most entries of `deny`, and of `allow`: each is looked at at every look.
const MAX_ENTRIES: usize = 32;

/// Longest entry, in bytes.
const MAX_ENTRY: usize = 128;

/// How long a window may last that a pattern begins: a shorter one falls between two looks.
const LASTS: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(31 * 24);

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

const FORMS: &str = "write weekdays `Fri`, `Sat-Sun`, with hours `Mon-Fri 16:00-24:00`, dates `2026-12-20/2027-01-05`, \
                     moments `2026-12-20T18:00/2026-12-21T06:00`, or `{ cron: '0 9 * * Mon', for: 2h }`";

/// The windows of a file; `None` where it neither denies nor allows anything.
pub(in crate::rules) fn windows(reader: &mut Reader<'_>, entry: Written<'_>) -> Option<Windows> {
    let table = reader.table(entry.node, "`windows`", WINDOWS)?;
    // Any zone will do to see what else is wrong.
    let zone = table.get("timezone").and_then(|entry| zone(reader, entry)).unwrap_or(TimeZone::UTC);
    let deny = table.get("deny").map(|entry| entries(reader, entry, &zone));
    let allow = table.get("allow").map(|entry| entries(reader, entry, &zone));
    (deny.is_some() || allow.is_some()).then(|| Windows { deny: deny.unwrap_or_default(), allow, zone })
}

/// From the data that is built in: what the machine has would make verdicts its own.
/// The time zone that `entry` names.
pub(in crate::rules) fn zone(reader: &mut Reader<'_>, entry: Written<'_>) -> Option<TimeZone> {
    let text = reader.text(entry, 64)?;
    let database = TimeZoneDatabase::bundled();
    let zone = database.get(text).ok();
    if zone.is_none() {
        let known: Vec<String> = database.available().map(|name| name.to_string()).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let help = match nearest(text, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name one of the IANA database: `Europe/Copenhagen`, `UTC`".to_owned(),
        };
        reader.error(entry.node.spot, "unknown_timezone", format!("there is no time zone {}", quote(text)), help);
    }
    zone
}

fn entries(reader: &mut Reader<'_>, entry: Written<'_>, zone: &TimeZone) -> Vec<Entry> {
    let RawValue::List(nodes) = &entry.node.value else {
        let message = format!("`{}` is a list of windows", entry.key);
        reader.error(entry.node.spot, "wrong_type", message, "write `['Fri', 'Sat-Sun']`");
        return Vec::new();
    };
    if nodes.is_empty() || nodes.len() > MAX_ENTRIES {
        let message = format!("`{}` has {} windows, not 1 to {MAX_ENTRIES}", entry.key, nodes.len());
        reader.error(entry.node.spot, "bad_length", message, "take the key away where there is none");
        return Vec::new();
    }
    nodes.iter().filter_map(|node| one(reader, Written { node, ..entry }, zone)).collect()
}

fn one(reader: &mut Reader<'_>, entry: Written<'_>, zone: &TimeZone) -> Option<Entry> {
    if let RawValue::Table(_) = entry.node.value {
        return cron(reader, entry.node, zone);
    }
    let text = reader.text(entry, MAX_ENTRY)?;
    match span(text.trim(), zone) {
        Ok(span) => Some(Entry { text: text.to_owned(), span }),
        Err(why) => {
            reader.error(entry.node.spot, "bad_window", format!("{} is no window: {why}", quote(text)), FORMS);
            None
        }
    }
}

/// `{ cron: '0 9 * * Mon', for: 2h }`.
fn cron(reader: &mut Reader<'_>, node: &RawNode, zone: &TimeZone) -> Option<Entry> {
    let table = reader.table(node, "a window", CRON)?;
    let begins = required(reader, &table, "cron", "say when it begins: `cron: '0 9 * * Mon'`");
    let lasts = required(reader, &table, "for", "say how long it lasts: `for: 2h`");
    let lasts = lasts.and_then(|entry| {
        let lasts = reader.duration(entry)?;
        let (least, most) = (duration_text(*LASTS.start()), duration_text(*LASTS.end()));
        if !LASTS.contains(&lasts) {
            let message = format!("a window of {} is not {least} to {most} long", duration_text(lasts));
            reader.error(entry.node.spot, "bad_window", message, "write how long it lasts: `for: 2h`");
        }
        Some(lasts)
    });
    let begins = begins?;
    let text = reader.text(begins, MAX_ENTRY)?;
    match pattern(text, zone) {
        Ok(pattern) => {
            let lasts = lasts?;
            let text = format!("cron {text} for {}", duration_text(lasts));
            Some(Entry { text, span: Span::Cron(Box::new(pattern), lasts) })
        }
        Err(why) => {
            let help = "write minute, hour, day of month, month and weekday: `0 9 * * Mon`";
            reader.error(begins.node.spot, "bad_window", format!("{} is no pattern: {why}", quote(text)), help);
            None
        }
    }
}

fn pattern(text: &str, zone: &TimeZone) -> Result<Cron, String> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let pattern = parser.parse(text).map_err(|error| error.to_string().trim_end_matches('.').to_owned())?;
    // One that never comes is searched for until the year 5000, so it may not be asked later.
    let some_day = Timestamp::UNIX_EPOCH.to_zoned(zone.clone());
    let comes = pattern.find_next_occurrence(&some_day, true);
    comes.map(|_| pattern).map_err(|_| "there is no such day".to_owned())
}

fn span(text: &str, zone: &TimeZone) -> Result<Span, String> {
    if let Some((from, to)) = text.split_once('/') {
        let from = moment(from.trim(), zone, false)?;
        let to = moment(to.trim(), zone, true)?;
        return if from < to { Ok(Span::Between(from, to)) } else { Err("it ends before it begins".to_owned()) };
    }
    if !text.contains([':', ' ']) && text.parse::<Date>().is_ok() {
        let (from, to) = (moment(text, zone, false)?, moment(text, zone, true)?);
        return Ok(Span::Between(from, to));
    }
    let (named, hours) = match text.split_once(' ') {
        Some((named, hours)) => (Some(named), Some(hours.trim())),
        None if text.contains(':') => (None, Some(text)),
        None => (Some(text), None),
    };
    let days = named.map_or(Ok([true; 7]), weekdays)?;
    let (from, to) = hours.map_or(Ok((0, 24 * 60)), hours_of)?;
    Ok(Span::Weekly { days, from, to })
}

/// The moment that `text` names. A date is its first midnight, or its last where it is an end.
fn moment(text: &str, zone: &TimeZone, is_end: bool) -> Result<Timestamp, String> {
    let no_moment = || format!("{} is neither a date nor a moment", quote(text));
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    let shown: DateTime = text.parse().map_err(|_| no_moment())?;
    let shown = if is_end && !text.contains(['T', 't', ' ']) {
        shown.date().tomorrow().map_err(|_| no_moment())?.to_datetime(Time::midnight())
    } else {
        shown
    };
    zone.to_timestamp(shown).map_err(|_| no_moment())
}

fn weekdays(text: &str) -> Result<[bool; 7], String> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("{} is neither a weekday nor a day of the calendar", quote(text)));
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Ok(days(weekday(first)?, weekday(last)?))
}

fn weekday(text: &str) -> Result<Weekday, String> {
    let lower = text.trim().to_ascii_lowercase();
    let found = WEEKDAYS.iter().find(|(name, _)| *name == lower);
    found.map(|(_, day)| *day).ok_or_else(|| format!("{} is no weekday", quote(text)))
}

/// `16:00-24:00`, in minutes from midnight; the end may lie on the next day.
fn hours_of(text: &str) -> Result<(u32, u32), String> {
    let no_hours = || format!("{} are no hours", quote(text));
    let (from, to) = text.split_once('-').ok_or_else(no_hours)?;
    let (from, to) = (minutes(from).ok_or_else(no_hours)?, minutes(to).ok_or_else(no_hours)?);
    if from == to || from == 24 * 60 {
        return Err(format!("{} leave nothing between them", quote(text)));
    }
    Ok((from, to))
}

/// `16:30`, up to `24:00`.
fn minutes(text: &str) -> Option<u32> {
    let (hour, minute) = text.trim().split_once(':')?;
    let two = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, two(minute).then(|| minute.parse().ok())??);
    let is_of_a_day = hour < 24 && minute < 60 || (hour, minute) == (24, 0);
    is_of_a_day.then(|| hour * 60 + minute)
}
