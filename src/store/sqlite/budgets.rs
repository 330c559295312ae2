//! The memory of error budgets: what services served slice by slice, and what waves spent.

use crate::rules::Digest;
use crate::series::Counts;
use crate::series::Timestamp;
use crate::store::Charge;
use crate::store::Error;
use crate::store::SLICES_MAX;
use crate::store::rows::ChargeRow;
use crate::store::rows::SliceRow;
use crate::store::sqlite::read::corrupt;
use crate::store::sqlite::read::decoded;
use sqlx::Connection;
use sqlx::QueryBuilder;
use sqlx::Sqlite;
use sqlx::SqliteConnection;

/// Slices that are kept in one transaction, 30 days of minutes: commits wait no longer than
/// for these.
pub(super) const PART: usize = 43_200;

/// Slices that are written by one statement: so many are about as quick as more, and a
/// statement takes no more than 32 766 values.
const ROWS: usize = 500;

/// A gate keeps the SLO that it began with, so a charge to another one is no later word.
const PUT_CHARGE: &str = "
    INSERT INTO charges (gate_id, slo, digest, wave, rules, attempt, from_at, to_at, canary_bad, canary_total,
                         baseline_bad, baseline_total, planned_bad, planned_total, excess)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
    ON CONFLICT (gate_id) DO UPDATE SET
        from_at = excluded.from_at, to_at = excluded.to_at,
        canary_bad = excluded.canary_bad, canary_total = excluded.canary_total,
        baseline_bad = excluded.baseline_bad, baseline_total = excluded.baseline_total,
        planned_bad = excluded.planned_bad, planned_total = excluded.planned_total, excess = excluded.excess
    WHERE slo = excluded.slo AND digest = excluded.digest";

const CHARGES: &str = "
    SELECT slo, digest, wave, rules, attempt, from_at, to_at, canary_bad, canary_total,
           baseline_bad, baseline_total, planned_bad, planned_total, excess
    FROM charges WHERE to_at >= ?1
    ORDER BY slo, from_at, wave, rules, attempt, id";

/// The latest first, so that a limit leaves out the oldest.
const SLICES: &str = "
    SELECT start_at, bad, total FROM slices
    WHERE counting_id = (SELECT id FROM countings WHERE counted_by = ?1) AND start_at >= ?2
    ORDER BY start_at DESC LIMIT ?3";

/// Charges the wave of `gate` with this, in the place of what it was charged with.
pub(super) async fn put_charge(
    connection: &mut SqliteConnection,
    gate: i64,
    charge: &ChargeRow,
    subject: &str,
) -> Result<(), Error> {
    let done = sqlx::query(PUT_CHARGE)
        .bind(gate)
        .bind(&charge.slo)
        .bind(&charge.digest)
        .bind(&charge.wave)
        .bind(&charge.rules)
        .bind(charge.attempt)
        .bind(charge.from_at)
        .bind(charge.to_at)
        .bind(charge.canary_bad)
        .bind(charge.canary_total)
        .bind(charge.baseline_bad)
        .bind(charge.baseline_total)
        .bind(charge.planned_bad)
        .bind(charge.planned_total)
        .bind(charge.excess)
        .execute(connection)
        .await
        .map_err(Error::when("store the charge"))?;
    if done.rows_affected() == 0 {
        let fault = format!("it is charged to another SLO than `{}` of {}", charge.slo, charge.digest);
        return Err(Error::Contradiction { subject: subject.to_owned(), fault });
    }
    Ok(())
}

/// Every charge that ends at `since` or later.
pub(super) async fn charges(connection: &mut SqliteConnection, since: Timestamp) -> Result<Vec<Charge>, Error> {
    let rows = sqlx::query(CHARGES)
        .bind(since.as_millis())
        .fetch_all(connection)
        .await
        .map_err(Error::when("read charges"))?;
    let charge = |row| {
        let row: ChargeRow = decoded("charges", || "of unreadable words".to_owned(), row)?;
        let key = format!("of gate `{}` of wave `{}`, attempt {}", row.rules, row.wave, row.attempt);
        Charge::try_from(row).map_err(|fault| corrupt("charges", key, fault))
    };
    rows.iter().map(charge).collect()
}

/// `slices` as rows.
///
/// # Errors
/// They are too many, or one of them could not be read back.
pub(super) fn rows(counted_by: &Digest, slices: &[(Timestamp, Option<Counts>)]) -> Result<Vec<SliceRow>, Error> {
    let unstorable = |fault| Error::Unstorable { subject: format!("slices counted by {}", counted_by.as_str()), fault };
    if slices.len() > SLICES_MAX {
        return Err(unstorable(format!("{} at once are more than {SLICES_MAX}", slices.len())));
    }
    let row =
        |slice: &(Timestamp, _)| SliceRow::try_from(slice).map_err(|fault| unstorable(format!("{}: {fault}", slice.0)));
    slices.iter().map(row).collect()
}

/// Keeps `part` over what was kept of the same.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    counted_by: &Digest,
    part: &[SliceRow],
) -> Result<(), Error> {
    let doing = "keep slices";
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(Error::when(doing))?;
    let counting = counting(&mut transaction, counted_by).await?;
    for rows in part.chunks(ROWS) {
        let mut statement = QueryBuilder::<Sqlite>::new("INSERT INTO slices (counting_id, start_at, bad, total) ");
        statement.push_values(rows, |mut row, slice| {
            row.push_bind(counting).push_bind(slice.start_at).push_bind(slice.bad).push_bind(slice.total);
        });
        statement.push(" ON CONFLICT (counting_id, start_at) DO UPDATE SET bad = excluded.bad, total = excluded.total");
        // The last one has its own length and would only push others out of the memory of statements.
        let query = statement.build().persistent(rows.len() == ROWS);
        query.execute(&mut *transaction).await.map_err(Error::when(doing))?;
    }
    transaction.commit().await.map_err(Error::when(doing))
}

/// The key that slices of `counted_by` have.
async fn counting(connection: &mut SqliteConnection, counted_by: &Digest) -> Result<i64, Error> {
    let kept: Option<i64> = sqlx::query_scalar("SELECT id FROM countings WHERE counted_by = ?1")
        .bind(counted_by.as_str())
        .fetch_optional(&mut *connection)
        .await
        .map_err(Error::when("look for slices"))?;
    match kept {
        Some(id) => Ok(id),
        None => sqlx::query_scalar("INSERT INTO countings (counted_by) VALUES (?1) RETURNING id")
            .bind(counted_by.as_str())
            .fetch_one(connection)
            .await
            .map_err(Error::when("keep slices")),
    }
}

/// What is kept of `counted_by` from `since` on.
pub(super) async fn slices(
    connection: &mut SqliteConnection,
    counted_by: &Digest,
    since: Timestamp,
) -> Result<Vec<(Timestamp, Option<Counts>)>, Error> {
    let rows = sqlx::query(SLICES)
        .bind(counted_by.as_str())
        .bind(since.as_millis())
        .bind(i64::try_from(SLICES_MAX).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await
        .map_err(Error::when("read slices"))?;
    let slice = |row| {
        let key = |at: &str| format!("of {}, {at}", counted_by.as_str());
        // By position: names would be looked up for each of very many rows.
        let (start_at, bad, total) = decoded("slices", || key("of unreadable start"), row)?;
        let slice = SliceRow { start_at, bad, total }.slice();
        slice.map_err(|fault| corrupt("slices", key(&Timestamp::from_millis(start_at).to_string()), fault))
    };
    rows.iter().rev().map(slice).collect()
}
