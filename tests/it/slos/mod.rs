//! SLOs as callers and people see them: documents, reports, a picture, and verdicts with a
//! budget in them.

mod commands;
mod documents;
mod reports;
mod source;
mod verdicts;

use std::sync::Arc;
use std::time::Duration;
use wavegate::engine::AccountView;
use wavegate::engine::HistoryPoint;
use wavegate::engine::Upkeep;
use wavegate::judge;
use wavegate::judge::Charged;
use wavegate::judge::Spent;
use wavegate::rules::Slo;
use wavegate::rules::parse_slo;
use wavegate::series::Counts;
use wavegate::series::Slices;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::store::Charge;
use wavegate::wire;

/// 2026-11-22T10:00:00Z
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_341_600_000);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// An SLO of 99.9 % over 30 days, with defaults for the rest.
pub(crate) fn slo(name: &str) -> Arc<Slo> {
    let text = format!(
        "version: 1\nname: {name}\nservice: checkout\ndescription: Checkout answers.\nobjective: 99.9%\nperiod: 30d\n\
         indicator:\n  ratio: {{ bad: 'http_requests_total{{code=~\"5..\"}}', total: http_requests_total }}\n"
    );
    Arc::new(parse_slo("slo.yaml", &text).expect("an SLO").slo)
}

/// What the service served, minute by minute, over the 30 days up to now.
pub(crate) enum Past {
    /// A bad event in three minutes; two bad hours; a day in which nobody looked.
    Calm,
    /// The same, and since an hour two of a hundred are bad.
    Burning,
    /// Nobody saw anything.
    Unseen,
}

fn slices(past: &Past) -> Slices {
    let from = NOW - DAY * 30;
    let minute = |k: u32| {
        let at = from + MINUTE * k;
        let days = at.since(from).as_secs() / 86_400;
        let bad = match (past, days) {
            (Past::Unseen, _) | (_, 12) => return None,
            (Past::Burning, _) if NOW - HOUR <= at => 20.0,
            (_, 20) if at.since(from + DAY * 20) < HOUR * 2 => 50.0,
            _ if k.is_multiple_of(3) => 1.0,
            _ => 0.0,
        };
        Some(Counts { bad, total: 1000.0 })
    };
    let mut slices = Slices::new(MINUTE, from);
    slices.put(from, &(0..30 * 24 * 60).map(minute).collect::<Vec<_>>());
    slices
}

/// What a wave was charged with, `ago` before now.
fn charged(wave: &str, ago: Duration, excess: f64) -> Charged {
    let spent = Spent {
        from: NOW - ago,
        to: NOW - ago + HOUR,
        canary: Counts { bad: excess + 10.0, total: 10_000.0 },
        baseline: Counts { bad: 90.0, total: 90_000.0 },
        planned: Counts::default(),
        excess,
    };
    Charged { wave: wave.into(), rules: "checkout".into(), attempt: 1, spent }
}

/// The account of an SLO, made as the engine makes it.
pub(crate) fn account(name: &str, past: &Past) -> AccountView {
    let (slo, slices) = (slo(name), slices(past));
    let reading = judge::account(&slo, &slices, NOW + slo.settle);
    let burn = judge::burn(&slo, &reading);
    let waves = [charged("2026-11-20-eu-1", DAY * 2, 50.0), charged("2026-11-12-us-2", DAY * 10, -3.0)];
    let stored = |charged: &Charged| {
        let digest = if charged.wave.ends_with("us-2") { slo.counted_by.clone() } else { slo.digest.clone() };
        Charge { slo: slo.name.clone(), digest, charged: charged.clone() }
    };
    let point = |k: u32| {
        let (from, to) = (NOW - DAY * 30 + HOUR * 6 * k, NOW - DAY * 30 + HOUR * 6 * (k + 1));
        HistoryPoint { from, to, counts: slices.sum(Window { from, to }).counts }
    };
    let unseen = matches!(past, Past::Unseen);
    AccountView {
        spent: Some(judge::waves_spent(&slo, &burn.period, &waves)),
        charges: waves.iter().map(stored).collect(),
        upkeep: Upkeep {
            through: Some(NOW),
            loading: unseen.then_some(0.25),
            trouble: unseen.then(|| "connection refused\u{1b}[2J".to_owned()),
            remarks: vec!["metric might not be a counter".to_owned()],
            samples_fetched: 172_800,
            samples_last: 8,
            asked_at: Some(NOW),
            estimated: false,
        },
        history: (0..120).map(point).collect(),
        reading,
        burn,
        slo,
    }
}

/// The document of one SLO.
fn whole(name: &str, past: &Past, points: usize) -> String {
    let document = wire::slo_document(&account(name, past).shown(), points);
    serde_json::from_str::<serde_json::Value>(&document).expect("valid JSON");
    document
}

/// The document of several.
fn list(accounts: &[(&str, Past)]) -> String {
    let accounts: Vec<AccountView> = accounts.iter().map(|(name, past)| account(name, past)).collect();
    wire::slos_document(&accounts.iter().map(AccountView::shown).collect::<Vec<_>>())
}
