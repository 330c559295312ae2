//! What a wave is charged with, as one row.

use crate::judge::Charged;
use crate::judge::Spent;
use crate::rules::Digest;
use crate::rules::RulesName;
use crate::rules::SloName;
use crate::series::Counts;
use crate::series::Timestamp;
use crate::store::Charge;
use crate::store::rows::Fault;
use crate::store::rows::slice::sound;
use crate::wave::WaveId;

/// The columns of table `charges` but its keys. Instants in milliseconds.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub(in crate::store) struct ChargeRow {
    pub(in crate::store) slo: String,
    pub(in crate::store) digest: String,
    pub(in crate::store) wave: String,
    pub(in crate::store) rules: String,
    pub(in crate::store) attempt: i64,
    pub(in crate::store) from_at: i64,
    pub(in crate::store) to_at: i64,
    pub(in crate::store) canary_bad: f64,
    pub(in crate::store) canary_total: f64,
    pub(in crate::store) baseline_bad: f64,
    pub(in crate::store) baseline_total: f64,
    pub(in crate::store) planned_bad: f64,
    pub(in crate::store) planned_total: f64,
    pub(in crate::store) excess: f64,
}

impl TryFrom<&Charge> for ChargeRow {
    type Error = Fault;

    fn try_from(charge: &Charge) -> Result<Self, Fault> {
        let Charged { wave, rules, attempt, spent } = &charge.charged;
        checked(spent)?;
        Ok(Self {
            slo: charge.slo.as_str().to_owned(),
            digest: charge.digest.as_str().to_owned(),
            wave: wave.clone(),
            rules: rules.clone(),
            attempt: (*attempt).into(),
            from_at: spent.from.as_millis(),
            to_at: spent.to.as_millis(),
            canary_bad: spent.canary.bad,
            canary_total: spent.canary.total,
            baseline_bad: spent.baseline.bad,
            baseline_total: spent.baseline.total,
            planned_bad: spent.planned.bad,
            planned_total: spent.planned.total,
            excess: spent.excess,
        })
    }
}

impl TryFrom<ChargeRow> for Charge {
    type Error = Fault;

    fn try_from(row: ChargeRow) -> Result<Self, Fault> {
        let spent = Spent {
            from: Timestamp::from_millis(row.from_at),
            to: Timestamp::from_millis(row.to_at),
            canary: Counts { bad: row.canary_bad, total: row.canary_total },
            baseline: Counts { bad: row.baseline_bad, total: row.baseline_total },
            planned: Counts { bad: row.planned_bad, total: row.planned_total },
            excess: row.excess,
        };
        checked(&spent)?;
        WaveId::new(&row.wave).ok_or("its wave is no wave id")?;
        RulesName::new(&row.rules).ok_or_else(|| format!("`{}` is no rule file's name", row.rules))?;
        let attempt = u32::try_from(row.attempt).ok().filter(|attempt| *attempt > 0);
        let attempt = attempt.ok_or_else(|| format!("attempt is {}", row.attempt))?;
        Ok(Self {
            slo: SloName::new(&row.slo).ok_or_else(|| format!("`{}` is no SLO's name", row.slo))?,
            digest: Digest::parse(&row.digest).ok_or_else(|| format!("`{}` is no digest", row.digest))?,
            charged: Charged { wave: row.wave, rules: row.rules, attempt, spent },
        })
    }
}

/// What [`Spent`] says of itself in words.
fn checked(spent: &Spent) -> Result<(), Fault> {
    if spent.to < spent.from {
        return Err("its charge ends before it begins".to_owned());
    }
    for (whose, counts) in [("canary", spent.canary), ("baseline", spent.baseline), ("planned", spent.planned)] {
        sound(counts).map_err(|fault| format!("its charge: {whose}: {fault}"))?;
    }
    if spent.excess.is_finite() { Ok(()) } else { Err(format!("its charge: an excess of {}", spent.excess)) }
}
