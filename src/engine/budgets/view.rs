//! An account as it is shown: made when something was read, handed out as it is.

use crate::judge;
use crate::judge::Burn;
use crate::judge::Charged;
use crate::judge::PeriodBurn;
use crate::judge::WavesSpent;
use crate::rules::Slo;
use crate::series::Counts;
use crate::series::ServiceReading;
use crate::series::Slices;
use crate::series::Timestamp;
use crate::series::Window;
use crate::store::Charge;
use crate::wire;
use std::sync::Arc;

/// One error budget as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountView {
    /// What is promised.
    pub slo: Arc<Slo>,
    /// What was counted, up to [`ServiceReading::through`]. What waves spent, who pages and
    /// what was before belong to a look and are left empty.
    pub reading: ServiceReading,
    /// What that says.
    pub burn: Burn,
    /// What all waves of the period spent; `None` where nobody keeps that.
    pub spent: Option<WavesSpent>,
    /// What each of them was charged with; by a text of the SLO that has been edited since,
    /// where the digest is not that of [`AccountView::slo`].
    pub charges: Vec<Charge>,
    /// How it is kept.
    pub upkeep: Upkeep,
    /// The period in at most [`HISTORY_POINTS`] parts of one length, the earliest first.
    pub history: Vec<HistoryPoint>,
}

/// Parts that the history of a period has at most: as many as a small picture shows.
pub const HISTORY_POINTS: u32 = 120;

/// How an account is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Upkeep {
    /// How far the source was read; `None` where it never was.
    pub through: Option<Timestamp>,
    /// The share of its slices that has been read, in [0, 1); `None` once all have.
    pub loading: Option<f64>,
    /// Why the source was last asked in vain; `None` where it answers.
    pub trouble: Option<String>,
    /// What the source remarked on its answers of the last day: at most a few.
    pub remarks: Vec<String>,
    /// Samples that were fetched since the daemon began.
    pub samples_fetched: u64,
    /// Samples of the last answer.
    pub samples_last: u64,
    /// When the source last answered.
    pub asked_at: Option<Timestamp>,
    /// Whether the server counted (`increase`) some of the slices, because raw samples are too
    /// many; since the daemon began.
    pub estimated: bool,
}

/// A part of the period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HistoryPoint {
    /// Where it begins.
    pub from: Timestamp,
    /// Where it ends.
    pub to: Timestamp,
    /// Events; `None` where nothing was seen.
    pub counts: Option<Counts>,
}

impl AccountView {
    /// What `slices` say of `slo` at `at`. Where not all of the period `is_whole`, what is left
    /// is known to nobody: the latest days of a month may be its best ones.
    pub(super) fn of(
        slo: &Arc<Slo>,
        (slices, at): (&Slices, Timestamp),
        upkeep: Upkeep,
        is_whole: impl Fn(&ServiceReading) -> bool,
    ) -> Self {
        let reading = judge::account(slo, slices, at);
        let mut burn = judge::burn(slo, &reading);
        if !is_whole(&reading) {
            let (total, events, allowed, consumed, remaining) = (None, None, None, None, None);
            let forecast = false;
            burn.period = PeriodBurn { total, events, forecast, allowed, consumed, remaining, ..burn.period };
        }
        let history = history(slices, &reading);
        Self { slo: Arc::clone(slo), reading, burn, spent: None, charges: Vec::new(), upkeep, history }
    }

    /// The same, of which waves were charged with `charges`.
    pub(super) fn charged(self, charges: Vec<Charge>) -> Self {
        let waves: Vec<Charged> = charges.iter().map(|one| one.charged.clone()).collect();
        let spent = Some(judge::waves_spent(&self.slo, &self.burn.period, &waves));
        Self { spent, charges, ..self }
    }

    /// The account in the words of the wire, which knows no engine.
    pub fn shown(&self) -> wire::SloView<'_> {
        let upkeep = &self.upkeep;
        let edited = self.charges.iter().filter(|charge| charge.digest != self.slo.digest);
        wire::SloView {
            slo: &self.slo,
            burn: &self.burn,
            spent: self.spent.as_ref(),
            edited: edited
                .map(|charge| (charge.charged.wave.as_str(), charge.charged.rules.as_str(), charge.charged.attempt))
                .collect(),
            through: self.through(),
            loading: upkeep.loading.map(wire::Loading),
            trouble: upkeep.trouble.as_deref().map(wire::Trouble),
            remarks: &upkeep.remarks,
            samples_fetched: upkeep.samples_fetched,
            samples_last: upkeep.samples_last,
            asked_at: upkeep.asked_at,
            estimated: upkeep.estimated,
            history: self
                .history
                .iter()
                .map(|part| wire::History { from: part.from, to: part.to, counts: part.counts })
                .collect(),
        }
    }

    /// Up to when there is anything to go by: `None` where nothing of the period was seen.
    pub fn through(&self) -> Option<Timestamp> {
        let read = self.upkeep.through.filter(|_| self.reading.seen_from.is_some());
        read.map(|read| read.min(self.burn.through))
    }
}

/// The period so far in parts of whole slices.
fn history(slices: &Slices, reading: &ServiceReading) -> Vec<HistoryPoint> {
    let step = slices.step();
    let (mut from, end) = (reading.period_from.floored(step), reading.through);
    let count = end.since(from).as_millis().div_ceil(step.as_millis().max(1));
    let each = u32::try_from(count.div_ceil(u128::from(HISTORY_POINTS))).unwrap_or(u32::MAX);
    let mut points = Vec::new();
    while from < end {
        let to = end.min(from + step * each.max(1));
        points.push(HistoryPoint { from, to, counts: slices.sum(Window { from, to }).counts });
        from = to;
    }
    points
}
