//! An ordinary day of a service, as somebody states it for planning and simulation.
//!
//! No verdict depends on it.

use crate::rules::Check;
use crate::rules::keys::file::CHECK_TRAFFIC;
use crate::rules::keys::file::INSTANCES;
use crate::rules::keys::file::LATENCY;
use crate::rules::keys::file::TRAFFIC;
use crate::rules::nearest::nearest;
use crate::rules::probe;
use crate::rules::reader::Entry;
use crate::rules::reader::Reader;
use crate::rules::reader::Table;
use crate::rules::reader::listed;
use crate::rules::reader::quote;
use crate::rules::units::Unit;
use crate::rules::yaml;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Events a second: more than any one service has.
const RATES: RangeInclusive<f64> = 1e-6..=1e9;

/// Most instances of a cohort: each is simulated.
const MAX_INSTANCES: f64 = 10_000.0;

/// Most incidents or bursts an hour: one a minute is no incident.
const MAX_AN_HOUR: f64 = 60.0;

/// What the checks of a file see on an ordinary day.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traffic {
    /// Whether the file says anything of it.
    pub stated: bool,
    /// Of every check that says nothing else.
    pub whole: CheckTraffic,
    /// By the name of a check.
    pub checks: BTreeMap<String, CheckTraffic>,
}

impl Traffic {
    /// What the check `name` sees.
    pub fn of(&self, name: &str) -> &CheckTraffic {
        self.checks.get(name).unwrap_or(&self.whole)
    }

    /// States `given` for every check: `canary=50/s`, `bad=0.2%`, `instances.canary=5`, in the
    /// words, units and ranges of a file's `traffic:`.
    ///
    /// # Errors
    /// What is wrong with the first that is, and what to write instead.
    pub fn state(&mut self, given: &[String]) -> Result<(), String> {
        if given.is_empty() {
            return Ok(());
        }
        let block = block(given)?;
        let mut reader = Reader::new("", "", None);
        let root = yaml::read(&block).map_err(|refused| format!("{}: {}", refused.message, refused.help))?;
        let table = reader.table(&root, "an ordinary day", CHECK_TRAFFIC);
        for usual in std::iter::once(&mut self.whole).chain(self.checks.values_mut()) {
            *usual = table.as_ref().map_or(*usual, |table| seen(&mut reader, table, *usual));
        }
        self.stated = true;
        match reader.finish().into_iter().next() {
            Some(fault) => Err(format!("{}: {}", fault.message, fault.help)),
            None => Ok(()),
        }
    }
}

/// What was `given` as a block of a file.
fn block(given: &[String]) -> Result<String, String> {
    let mut tables: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut entries = Vec::new();
    for one in given {
        // Nothing that ends or opens anything in YAML.
        let is_bare = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "./%_-+".contains(c));
        let split = one.split_once('=').filter(|(name, value)| is_bare(name) && is_bare(value) && !value.is_empty());
        let (name, value) = split.ok_or_else(|| format!("{} is not NAME=VALUE, such as `canary=50/s`", quote(one)))?;
        match name.split_once('.') {
            Some((table, name)) => tables.entry(table).or_default().push(format!("{name}: {value}")),
            None => entries.push(format!("{name}: {value}")),
        }
    }
    entries.extend(tables.into_iter().map(|(table, entries)| format!("{table}: {{ {} }}", entries.join(", "))));
    Ok(format!("{{ {} }}", entries.join(", ")))
}

/// What one check sees on an ordinary day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CheckTraffic {
    /// Events a second of the canary and of the baseline, each above 0.
    pub rates: [f64; 2],
    /// Instances of the canary and of the baseline, each at least 1.
    pub instances: [u32; 2],
    /// The share of events that are bad; in [0, 1).
    pub bad: f64,
    /// The median of a histogram's values in seconds, and its 99th percentile above that.
    pub latency: [f64; 2],
    /// The standard deviation of the difference of the cohorts' values in one interval, as a
    /// share of the value; above 0.
    pub noise: f64,
    /// How much of one interval's noise the next one keeps, in [0, 1).
    pub autocorrelation: f64,
    /// The standard deviation of an instance's own level, as a share of it; at least 0.
    pub offsets: f64,
    /// How far traffic swings over a day around its mean, in [0, 1).
    pub diurnal: f64,
    /// Incidents an hour that hit both cohorts alike; at least 0.
    pub incidents: f64,
    /// Bursts an hour that hit one cohort alone for some intervals; at least 0.
    pub bursts: f64,
}

impl Default for CheckTraffic {
    fn default() -> Self {
        Self {
            rates: [50.0, 200.0],
            instances: [3, 12],
            bad: 0.002,
            latency: [0.08, 0.6],
            noise: 0.05,
            autocorrelation: 0.3,
            offsets: 0.0,
            diurnal: 0.0,
            incidents: 0.0,
            bursts: 0.0,
        }
    }
}

/// The traffic that a file states for its `checks`.
pub(super) fn traffic(reader: &mut Reader<'_>, entry: Entry<'_>, checks: &[Check]) -> Traffic {
    let unsaid = Traffic { stated: true, ..Traffic::default() };
    let Some(table) = reader.table(entry.node, "`traffic`", TRAFFIC) else { return unsaid };
    let whole = seen(reader, &table, CheckTraffic::default());
    let mut of_checks = BTreeMap::new();
    let own = table.get("checks").and_then(|entry| reader.free_table(entry.node, "`checks` of `traffic`"));
    for entry in own.iter().flat_map(Table::entries) {
        let names = names(entry.key, checks);
        if names.is_empty() {
            let known: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
            let help = match nearest(entry.key, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the checks are {}", listed(&known)),
            };
            reader.error(entry.key_spot, "unknown_check", format!("there is no check {}", quote(entry.key)), help);
        }
        let Some(table) = reader.table(entry.node, "the traffic of a check", CHECK_TRAFFIC) else { continue };
        let one = seen(reader, &table, whole);
        of_checks.extend(names.into_iter().map(|name| (name, one)));
    }
    Traffic { stated: true, whole, checks: of_checks }
}

/// The checks that `name` means: one, or both of a probe.
fn names(name: &str, checks: &[Check]) -> Vec<String> {
    let is_meant = |check: &&Check| {
        let of_probe = check.probe.is_some() && probe::SUFFIXES.iter().any(|end| check.name == format!("{name}{end}"));
        check.name == name || of_probe
    };
    checks.iter().filter(is_meant).map(|check| check.name.clone()).collect()
}

/// What `table` states; where it is silent, `usual`.
fn seen(reader: &mut Reader<'_>, table: &Table<'_>, usual: CheckTraffic) -> CheckTraffic {
    let mut one = usual;
    let mut rate = |key: &str, usual: f64| {
        let read = table.get(key).and_then(|entry| {
            let rate = reader.rate(entry, "write how many events there are: `50/s`")?;
            within(reader, entry, rate, RATES.contains(&rate), "it is above 0/s, and at most 1000000000/s")
        });
        read.unwrap_or(usual)
    };
    one.rates = [rate("canary", usual.rates[0]), rate("baseline", usual.rates[1])];
    let mut an_hour = |key: &str, usual: f64| {
        let read = table.get(key).and_then(|entry| {
            let rate = 3600.0 * reader.rate(entry, "write how many there are: `1/h`")?;
            within(reader, entry, rate, rate <= MAX_AN_HOUR, "there are at most 60/h")
        });
        read.unwrap_or(usual)
    };
    (one.incidents, one.bursts) = (an_hour("incidents", usual.incidents), an_hour("bursts", usual.bursts));
    let mut share = |key: &str, usual: f64, fits: fn(f64) -> bool, help: &str| {
        let read = table.get(key).and_then(|entry| {
            let share = reader.quantity(entry, Unit::Percent, "write a percentage: `5%`")?;
            within(reader, entry, share, fits(share), help)
        });
        read.unwrap_or(usual)
    };
    one.bad = share("bad", usual.bad, |share| share < 1.0, "some events are good: below 100%");
    one.noise =
        share("noise", usual.noise, |share| share > 0.0 && share <= 10.0, "values differ: above 0%, up to 1000%");
    one.offsets = share("offsets", usual.offsets, |share| share <= 10.0, "at most 1000%");
    one.diurnal = share("diurnal", usual.diurnal, |share| share < 1.0, "there is always some traffic: below 100%");
    if let Some(entry) = table.get("autocorrelation") {
        let help = "a plain number, 0 where each interval stands alone, and at most 0.99";
        let read = reader.number(entry, help);
        let read = read.and_then(|kept| within(reader, entry, kept, (0.0..=0.99).contains(&kept), help));
        one.autocorrelation = read.unwrap_or(usual.autocorrelation);
    }
    one.instances = instances(reader, table, usual.instances);
    one.latency = latency(reader, table, usual.latency);
    one
}

/// `value`, where it `fits`.
fn within(reader: &mut Reader<'_>, entry: Entry<'_>, value: f64, fits: bool, help: &str) -> Option<f64> {
    if !fits {
        let message = format!("`{}` is out of its range", entry.key);
        reader.error(entry.node.spot, "out_of_range", message, help);
    }
    fits.then_some(value)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number from 1 to 10 000")]
fn instances(reader: &mut Reader<'_>, table: &Table<'_>, usual: [u32; 2]) -> [u32; 2] {
    let table = table.get("instances").and_then(|entry| reader.table(entry.node, "`instances`", INSTANCES));
    let mut of = |key: &str, usual: u32| {
        let read = table.as_ref().and_then(|table| table.get(key)).and_then(|entry| {
            let help = "a whole number of instances, 1 to 10000";
            let many = reader.number(entry, help)?;
            within(reader, entry, many, many.fract() == 0.0 && (1.0..=MAX_INSTANCES).contains(&many), help)
        });
        read.map_or(usual, |many| many as u32)
    };
    [of("canary", usual[0]), of("baseline", usual[1])]
}

fn latency(reader: &mut Reader<'_>, table: &Table<'_>, usual: [f64; 2]) -> [f64; 2] {
    let Some(entry) = table.get("latency") else { return usual };
    let Some(table) = reader.table(entry.node, "`latency`", LATENCY) else { return usual };
    let mut of = |key: &str| table.get(key).map(|entry| reader.duration(entry).map(|span| span.as_secs_f64()));
    let stated = [of("median"), of("p99")];
    let [median, p99] = [0, 1].map(|which| stated[which].flatten().unwrap_or(usual[which]));
    let read = !stated.contains(&Some(None));
    if read && !(median > 0.0 && median < p99) {
        let message = format!("a median of {median} s and a p99 of {p99} s cannot be");
        let help =
            "the median is above 0, and the 99th percentile above it; write both: `{ median: 80ms, p99: 600ms }`";
        reader.error(entry.node.spot, "out_of_range", message, help);
    }
    [median, p99]
}
