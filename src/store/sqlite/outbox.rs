//! The outbox: fanned out, leased, settled, listed and resent.

use crate::series::Timestamp;
use crate::store::Backlog;
use crate::store::DeadLetter;
use crate::store::Due;
use crate::store::Error;
use crate::store::Leased;
use crate::store::Settlement;
use crate::store::Subscription;
use crate::store::rows::event_named;
use crate::wave::EventKind;
use sqlx::Connection;
use sqlx::SqliteConnection;
use std::time::Duration;

/// Messages fanned out in one transaction, and the deliveries that come of them,
/// whichever is reached first: commits wait no longer than for these.
const MESSAGES: i64 = 256;
const DELIVERIES: i64 = 4096;

/// No try is put off so far: 24 h and their jitter are the most. What lies further
/// ahead was written by a clock that has been set back since.
const AHEAD: Duration = Duration::from_hours(48);

/// What a dead letter says of a message that came while its endpoint was disabled.
const DISABLED: &str = "the endpoint was disabled";

const NEW: &str = "SELECT sequence, kind FROM outbox WHERE fanned_out = 0 ORDER BY sequence LIMIT ?1";

const ADD: &str = "
    INSERT INTO deliveries (endpoint, message, state, next_try_at, outcome)
    SELECT ?1, ?2, iif(d.name IS NULL, 'waiting', 'dead'), ?3, iif(d.name IS NULL, NULL, ?4)
    FROM (SELECT ?1 AS endpoint) e LEFT JOIN disabled_endpoints d ON d.name = e.endpoint
    WHERE true ON CONFLICT (endpoint, message) DO NOTHING";

/// `?2` is now, and `?3` where nothing honest lies.
const NEXT: &str = "
    SELECT iif(EXISTS (SELECT 1 FROM deliveries WHERE endpoint = ?1 AND state = 'waiting' AND next_try_at > ?3), ?2,
               (SELECT min(next_try_at) FROM deliveries WHERE endpoint = ?1 AND state = 'waiting'))";

const RECALL: &str = "
    UPDATE deliveries SET next_try_at = ?2 WHERE endpoint = ?1 AND state = 'waiting' AND next_try_at > ?3";

const DUE: &str = "
    SELECT d.message, d.lease, o.message_id, o.kind, o.body, d.tries
    FROM deliveries d JOIN outbox o ON o.sequence = d.message
    WHERE d.endpoint = ?1 AND d.state = 'waiting' AND d.next_try_at <= ?2
    ORDER BY d.next_try_at, d.message LIMIT ?3";

const LEASE: &str = "
    UPDATE deliveries SET lease = lease + 1, tries = tries + 1, next_try_at = ?3
    WHERE endpoint = ?1 AND message = ?2";

/// A retry of what has died meanwhile, because its endpoint went, stays dead.
const SETTLE: &str = "
    UPDATE deliveries
    SET state = iif(?4 = 'waiting' AND state = 'dead', 'dead', ?4), next_try_at = coalesce(?5, next_try_at),
        outcome = ?6
    WHERE endpoint = ?1 AND message = ?2 AND lease = ?3 AND state <> 'delivered'";

const DISABLE: &str = "
    INSERT INTO disabled_endpoints (name, at, reason) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO NOTHING";

/// Indexes are named from here on because SQLite left alone takes the primary key for
/// most of these, and goes over all that was ever delivered.
const KILL: &str = "
    UPDATE deliveries INDEXED BY deliveries_due SET state = 'dead', outcome = coalesce(outcome, ?2)
    WHERE endpoint = ?1 AND state = 'waiting'";

const COUNTS: &str = "
    SELECT (SELECT count(*) FROM deliveries INDEXED BY deliveries_due WHERE endpoint = ?1 AND state = 'waiting'),
           (SELECT count(*) FROM deliveries INDEXED BY deliveries_dead WHERE endpoint = ?1 AND state = 'dead')";

const DEAD: &str = "
    SELECT d.message, o.message_id, o.kind, o.at, d.tries, d.outcome
    FROM deliveries d INDEXED BY deliveries_dead JOIN outbox o ON o.sequence = d.message
    WHERE d.endpoint = ?1 AND d.state = 'dead' AND d.message > ?2
    ORDER BY d.message LIMIT ?3";

const RESEND: &str = "
    UPDATE deliveries INDEXED BY deliveries_dead SET state = 'waiting', tries = 0, next_try_at = ?3, lease = lease + 1
    WHERE endpoint = ?1 AND state = 'dead'
      AND (?2 IS NULL OR message = (SELECT sequence FROM outbox WHERE message_id = ?2))
      AND NOT EXISTS (SELECT 1 FROM disabled_endpoints WHERE name = ?1)";

/// Whether there is a message without its deliveries.
pub(super) async fn has_new(connection: &mut SqliteConnection) -> Result<bool, Error> {
    let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM outbox WHERE fanned_out = 0 LIMIT 1")
        .fetch_optional(connection)
        .await
        .map_err(Error::when("look for new messages"))?;
    Ok(found.is_some())
}

/// Gives some new messages their deliveries; 0 once there are none.
pub(super) async fn fan_out(
    connection: &mut SqliteConnection,
    subscriptions: &[Subscription],
    now: Timestamp,
) -> Result<u64, Error> {
    let doing = "fan messages out";
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(Error::when(doing))?;
    let wanted = i64::try_from(subscriptions.len()).unwrap_or(i64::MAX).max(1);
    let most = (DELIVERIES / wanted).clamp(1, MESSAGES);
    let new: Vec<(i64, String)> =
        sqlx::query_as(NEW).bind(most).fetch_all(&mut *transaction).await.map_err(Error::when(doing))?;
    for (sequence, word) in &new {
        let kind = kind(*sequence, word)?;
        for Subscription { endpoint, .. } in subscriptions.iter().filter(|wants| wants.kinds.contains(&kind)) {
            sqlx::query(ADD)
                .bind(endpoint)
                .bind(sequence)
                .bind(now.as_millis())
                .bind(DISABLED)
                .execute(&mut *transaction)
                .await
                .map_err(Error::when(doing))?;
        }
        sqlx::query("UPDATE outbox SET fanned_out = 1 WHERE sequence = ?1")
            .bind(sequence)
            .execute(&mut *transaction)
            .await
            .map_err(Error::when(doing))?;
    }
    transaction.commit().await.map_err(Error::when(doing))?;
    Ok(u64::try_from(new.len()).unwrap_or(u64::MAX))
}

/// When the next delivery to `endpoint` is due.
pub(super) async fn next(
    connection: &mut SqliteConnection,
    endpoint: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let next: Option<i64> = sqlx::query_scalar(NEXT)
        .bind(endpoint)
        .bind(now.as_millis())
        .bind((now + AHEAD).as_millis())
        .fetch_one(connection)
        .await
        .map_err(Error::when("look for what is due"))?;
    Ok(next.map(Timestamp::from_millis))
}

/// Leases what is due.
pub(super) async fn lease(
    connection: &mut SqliteConnection,
    endpoint: &str,
    now: Timestamp,
    until: Timestamp,
    most: u32,
) -> Result<Due, Error> {
    let doing = "lease deliveries";
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(Error::when(doing))?;
    sqlx::query(RECALL)
        .bind(endpoint)
        .bind(now.as_millis())
        .bind((now + AHEAD).as_millis())
        .execute(&mut *transaction)
        .await
        .map_err(Error::when(doing))?;
    let due: Vec<(i64, i64, String, String, String, u32)> = sqlx::query_as(DUE)
        .bind(endpoint)
        .bind(now.as_millis())
        .bind(most)
        .fetch_all(&mut *transaction)
        .await
        .map_err(Error::when(doing))?;
    let mut leased = Vec::with_capacity(due.len());
    for (sequence, lease, id, word, body, tries) in due {
        sqlx::query(LEASE)
            .bind(endpoint)
            .bind(sequence)
            .bind(until.as_millis())
            .execute(&mut *transaction)
            .await
            .map_err(Error::when(doing))?;
        let kind = kind(sequence, &word)?;
        let (endpoint, tries) = (endpoint.to_owned(), tries.saturating_add(1));
        leased.push(Leased { endpoint, sequence, lease: lease + 1, id, kind, body, tries });
    }
    let next = next(&mut transaction, endpoint, now).await?;
    transaction.commit().await.map_err(Error::when(doing))?;
    Ok(Due { leased, next })
}

/// Ends a lease, if it is still the holder's.
pub(super) async fn settle(
    connection: &mut SqliteConnection,
    leased: &Leased,
    settlement: Settlement,
    outcome: &str,
) -> Result<bool, Error> {
    let doing = "settle a delivery";
    let (state, next) = match settlement {
        Settlement::Delivered => ("delivered", None),
        Settlement::Retry(at) => ("waiting", Some(at)),
        Settlement::Dead | Settlement::Gone(_) => ("dead", None),
    };
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(Error::when(doing))?;
    let settled = sqlx::query(SETTLE)
        .bind(&leased.endpoint)
        .bind(leased.sequence)
        .bind(leased.lease)
        .bind(state)
        .bind(next.map(Timestamp::as_millis))
        .bind(outcome)
        .execute(&mut *transaction)
        .await
        .map_err(Error::when(doing))?;
    let held = settled.rows_affected() > 0;
    if let (true, Settlement::Gone(at)) = (held, settlement) {
        sqlx::query(DISABLE)
            .bind(&leased.endpoint)
            .bind(at.as_millis())
            .bind(outcome)
            .execute(&mut *transaction)
            .await
            .map_err(Error::when(doing))?;
        sqlx::query(KILL)
            .bind(&leased.endpoint)
            .bind(DISABLED)
            .execute(&mut *transaction)
            .await
            .map_err(Error::when(doing))?;
    }
    transaction.commit().await.map_err(Error::when(doing))?;
    Ok(held)
}

/// How `endpoint` stands.
pub(super) async fn backlog(connection: &mut SqliteConnection, endpoint: &str) -> Result<Backlog, Error> {
    let doing = "count deliveries";
    let disabled: Option<(i64, String)> = sqlx::query_as("SELECT at, reason FROM disabled_endpoints WHERE name = ?1")
        .bind(endpoint)
        .fetch_optional(&mut *connection)
        .await
        .map_err(Error::when(doing))?;
    let (waiting, dead): (i64, i64) =
        sqlx::query_as(COUNTS).bind(endpoint).fetch_one(connection).await.map_err(Error::when(doing))?;
    Ok(Backlog {
        disabled: disabled.map(|(at, reason)| (Timestamp::from_millis(at), reason)),
        waiting: waiting.unsigned_abs(),
        dead: dead.unsigned_abs(),
    })
}

/// One page of dead letters.
pub(super) async fn dead(
    connection: &mut SqliteConnection,
    endpoint: &str,
    after: Option<i64>,
    most: u32,
) -> Result<Vec<DeadLetter>, Error> {
    let rows: Vec<(i64, String, String, i64, u32, Option<String>)> = sqlx::query_as(DEAD)
        .bind(endpoint)
        .bind(after.unwrap_or(i64::MIN))
        .bind(most)
        .fetch_all(connection)
        .await
        .map_err(Error::when("list dead letters"))?;
    let letter = |(sequence, id, word, at, tries, outcome): (i64, String, String, i64, u32, Option<String>)| {
        let (kind, at) = (kind(sequence, &word)?, Timestamp::from_millis(at));
        Ok(DeadLetter { sequence, id, kind, at, tries, outcome })
    };
    rows.into_iter().map(letter).collect()
}

/// Makes dead letters due.
pub(super) async fn resend(
    connection: &mut SqliteConnection,
    endpoint: &str,
    id: Option<&str>,
    now: Timestamp,
) -> Result<u64, Error> {
    let done = sqlx::query(RESEND).bind(endpoint).bind(id).bind(now.as_millis()).execute(connection).await;
    Ok(done.map_err(Error::when("resend dead letters"))?.rows_affected())
}

/// Takes an endpoint into use again.
pub(super) async fn enable(connection: &mut SqliteConnection, endpoint: &str) -> Result<bool, Error> {
    let done = sqlx::query("DELETE FROM disabled_endpoints WHERE name = ?1").bind(endpoint).execute(connection).await;
    Ok(done.map_err(Error::when("enable an endpoint"))?.rows_affected() > 0)
}

fn kind(sequence: i64, word: &str) -> Result<EventKind, Error> {
    event_named(word).ok_or_else(|| Error::Corrupt {
        table: "outbox",
        key: sequence.to_string(),
        fault: format!("`{word}` is no event"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::rows::event_word;

    #[tokio::test]
    async fn what_was_delivered_is_in_nobodys_way() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::migrate!("migrations/sqlite").run(&mut connection).await.unwrap();
        for statement in [NEXT, RECALL, DUE, KILL, COUNTS, DEAD, RESEND] {
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
            let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(&mut connection).await.unwrap();
            // Along the primary key lie all deliveries of 400 days.
            let of_deliveries = |detail: &String| ["SEARCH d", "SCAN d"].iter().any(|word| detail.starts_with(word));
            let details: Vec<_> = plan.into_iter().map(|row| row.3).filter(of_deliveries).collect();
            let narrow = |detail: &String| {
                detail.contains("deliveries_due")
                    || detail.contains("deliveries_dead")
                    || detail.contains("disabled_endpoints")
            };
            assert!(!details.is_empty() && details.iter().all(narrow), "{statement}\n{details:#?}");
        }
    }

    #[test]
    fn every_event_has_a_word_that_is_read_back() {
        for kind in EventKind::ALL {
            assert_eq!(event_named(event_word(kind)), Some(kind));
        }
        assert_eq!(event_named("wave.exploded"), None);
    }
}
