//! Forgetting what is old enough.
//!
//! A gate is as old as its last revision or its opening, whichever is later: who
//! judges a wave of last year today wants to read the verdict tomorrow.
//! A gate's evidence goes as a whole, because half of it could not be judged
//! again, and a gate that is not final keeps everything, however old. Freed pages
//! are used again before the file grows.

use crate::series::Timestamp;
use crate::store::Error;
use crate::store::Pruned;
use crate::store::Retention;
use sqlx::Connection;
use sqlx::SqliteConnection;
use std::num::NonZeroU16;
use std::time::Duration;

/// Gates whose rows go in one transaction: commits wait no longer than for these.
const GATES: i64 = 16;

/// Messages, audit entries and charges that go in one transaction.
const LINES: i64 = 1024;

/// Slices that go in one transaction: a few dozen milliseconds.
const SLICES_AT_ONCE: i64 = 16_384;

const EVIDENCE: &str = "
    DELETE FROM evidence WHERE gate_id IN (
        SELECT id FROM gates g
        WHERE revised_at < ?1 AND opened_at < ?1 AND state IN ('decided', 'cancelled')
          AND EXISTS (SELECT 1 FROM evidence e WHERE e.gate_id = g.id)
        LIMIT ?2)";

const OLD_GATES: &str = "
    SELECT id FROM gates
    WHERE revised_at < ?1 AND opened_at < ?1 AND state IN ('decided', 'cancelled')
    LIMIT ?2";

const AUDIT: &str = "
    DELETE FROM audit WHERE sequence IN (
        SELECT a.sequence FROM audit a
        WHERE a.at < ?1
          AND NOT EXISTS (SELECT 1 FROM gates g JOIN waves w ON w.id = g.wave_id
                          WHERE w.name = a.wave AND g.rules = a.rules AND g.attempt = a.attempt)
        LIMIT ?2)";

/// Messages that somebody still waits for are kept a little longer.
const MESSAGES: &str = "
    DELETE FROM outbox WHERE sequence IN (
        SELECT sequence FROM outbox o
        WHERE at < ?1
          AND (at < ?3 OR (fanned_out = 1
                           AND NOT EXISTS (SELECT 1 FROM deliveries d
                                           WHERE d.message = o.sequence AND d.state = 'waiting')))
        LIMIT ?2)";

/// Of gates that are still open charges stay, as all else of them.
const CHARGES: &str = "
    DELETE FROM charges WHERE id IN (
        SELECT id FROM charges c
        WHERE to_at < ?1
          AND NOT EXISTS (SELECT 1 FROM gates g
                          WHERE g.id = c.gate_id AND g.state NOT IN ('decided', 'cancelled'))
        LIMIT ?2)";

/// By the key from its first column on: there are few countings and many slices.
const SLICES: &str = "
    DELETE FROM slices WHERE (counting_id, start_at) IN (
        SELECT s.counting_id, s.start_at
        FROM countings c CROSS JOIN slices s ON s.counting_id = c.id AND s.start_at < ?1
        LIMIT ?2)";

/// What nothing is counted by any more: an SLO that was edited or is gone, all of whose
/// slices are old.
const COUNTINGS: &str = "
    DELETE FROM countings WHERE NOT EXISTS (SELECT 1 FROM slices s WHERE s.counting_id = countings.id)";

/// Messages that wait are kept so long, whatever the retention: all tries take four
/// days, or ten where each is put off by a day. What waits longer than that waits
/// for an endpoint that is not configured any more.
const WAITING_DAYS: NonZeroU16 = NonZeroU16::new(14).expect("14 is not zero");

/// Deletes some of what is old at `now`; nothing once nothing is left.
pub(super) async fn batch(
    connection: &mut SqliteConnection,
    retention: Retention,
    now: Timestamp,
) -> Result<Pruned, Error> {
    let evidence_before = days_before(now, retention.evidence_days);
    let gates_before = days_before(now, retention.gates_days);
    let doing = "delete what is old";

    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(Error::when(doing))?;
    let gates = delete_gates(&mut transaction, gates_before).await?;
    let evidence = delete(&mut transaction, EVIDENCE, evidence_before, GATES).await?;
    let audit = delete(&mut transaction, AUDIT, gates_before, LINES).await?;
    let messages = delete_messages(&mut transaction, gates_before, days_before(now, WAITING_DAYS)).await?;
    let budgets_before = days_before(now, retention.budgets_days);
    let charges = delete(&mut transaction, CHARGES, budgets_before, LINES).await?;
    let slices = delete(&mut transaction, SLICES, budgets_before, SLICES_AT_ONCE).await?;
    if slices > 0 {
        sqlx::query(COUNTINGS).execute(&mut *transaction).await.map_err(Error::when(doing))?;
    }
    transaction.commit().await.map_err(Error::when(doing))?;
    Ok(Pruned { gates, evidence, audit, messages, charges, slices })
}

fn days_before(now: Timestamp, days: NonZeroU16) -> i64 {
    (now - Duration::from_hours(24) * u32::from(days.get())).as_millis()
}

async fn delete(
    connection: &mut SqliteConnection,
    statement: &'static str,
    before: i64,
    most: i64,
) -> Result<u64, Error> {
    let done = sqlx::query(statement).bind(before).bind(most).execute(connection).await;
    Ok(done.map_err(Error::when("delete what is old"))?.rows_affected())
}

async fn delete_messages(connection: &mut SqliteConnection, before: i64, waiting_before: i64) -> Result<u64, Error> {
    let done = sqlx::query(MESSAGES).bind(before).bind(LINES).bind(waiting_before).execute(connection).await;
    Ok(done.map_err(Error::when("delete old messages"))?.rows_affected())
}

/// Old gates with all that hangs on them, and the waves and rule files that
/// nobody is left to ask for.
async fn delete_gates(connection: &mut SqliteConnection, before: i64) -> Result<u64, Error> {
    let doing = "delete old gates";
    let gates: Vec<i64> = sqlx::query_scalar(OLD_GATES)
        .bind(before)
        .bind(GATES)
        .fetch_all(&mut *connection)
        .await
        .map_err(Error::when(doing))?;
    for gate in &gates {
        let (wave, digest): (i64, String) = sqlx::query_as("DELETE FROM gates WHERE id = ?1 RETURNING wave_id, digest")
            .bind(gate)
            .fetch_one(&mut *connection)
            .await
            .map_err(Error::when(doing))?;
        sqlx::query("DELETE FROM waves WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM gates WHERE wave_id = ?1)")
            .bind(wave)
            .execute(&mut *connection)
            .await
            .map_err(Error::when(doing))?;
        sqlx::query("DELETE FROM rule_files WHERE digest = ?1 AND NOT EXISTS (SELECT 1 FROM gates WHERE digest = ?1)")
            .bind(digest)
            .execute(&mut *connection)
            .await
            .map_err(Error::when(doing))?;
    }
    Ok(u64::try_from(gates.len()).unwrap_or(u64::MAX))
}
