//! Commits: every change of a batch in one transaction.

use crate::store::Error;
use crate::store::fence::Offer;
use crate::store::fence::Progress;
use crate::store::rows::GateRow;
use crate::store::rows::event_word;
use crate::store::sqlite::budgets;
use crate::wire::read_evidence;
use sqlx::Acquire;
use sqlx::Connection;
use sqlx::SqliteConnection;

/// What [`probe`] tries to make room for: more than a commit usually takes.
const PROBE_BYTES: i64 = 256 << 10;

const KEPT_GATE: &str = "
    SELECT id, rules, attempt, digest, run, baseline, params, class, opened_at, start_at, deadline_at,
           timing, judged, state, verdict, revision, outage, decision, requires, would, revised_at
    FROM gates WHERE wave_id = ?1 AND rules = ?2 AND attempt = ?3";

const PUT_GATE: &str = "
    INSERT INTO gates (wave_id, rules, attempt, digest, run, baseline, opened_at, start_at, deadline_at,
                       timing, judged, state, verdict, revision, outage, decision, requires, would, revised_at,
                       params, class)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)
    ON CONFLICT (wave_id, rules, attempt) DO UPDATE SET
        run = excluded.run, baseline = excluded.baseline, opened_at = excluded.opened_at,
        start_at = excluded.start_at, deadline_at = excluded.deadline_at, timing = excluded.timing,
        judged = excluded.judged, state = excluded.state, verdict = excluded.verdict,
        revision = excluded.revision, outage = excluded.outage, decision = excluded.decision,
        requires = excluded.requires, would = excluded.would, revised_at = excluded.revised_at,
        params = excluded.params, class = excluded.class
    RETURNING id";

/// Audit entries have no key of their own: the same words at the same instant
/// about the same gate are the same entry.
const ADD_AUDIT: &str = "
    INSERT INTO audit (wave, rules, attempt, at, by, action, detail)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
    WHERE NOT EXISTS (SELECT 1 FROM audit WHERE wave = ?1 AND rules = ?2 AND attempt = ?3
                                            AND at = ?4 AND by = ?5 AND action = ?6 AND detail = ?7)";

#[derive(sqlx::FromRow)]
struct KeptGate {
    id: i64,
    #[sqlx(flatten)]
    row: GateRow,
}

/// Makes every offer true, in order, or none.
pub(super) async fn commit(connection: &mut SqliteConnection, offers: &[Offer<'_>]) -> Result<(), Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(Error::when("begin a commit"))?;
    for (index, offer) in offers.iter().enumerate() {
        put(&mut transaction, offer, &offers[index + 1..]).await?;
    }
    transaction.commit().await.map_err(Error::when("commit"))
}

async fn put(connection: &mut SqliteConnection, offer: &Offer<'_>, later: &[Offer<'_>]) -> Result<(), Error> {
    let wave = put_wave(connection, offer).await?;
    let kept: Option<KeptGate> = sqlx::query_as(KEPT_GATE)
        .bind(wave)
        .bind(&offer.gate.rules)
        .bind(offer.gate.attempt)
        .fetch_optional(&mut *connection)
        .await
        .map_err(Error::when("read the stored gate"))?;
    let progress = offer.follows(kept.as_ref().map(|kept| &kept.row), later)?;

    if kept.is_none() {
        put_rule_file(connection, offer).await?;
    }
    let gate = match kept {
        Some(kept) if progress.overtaken || kept.row == offer.gate => kept.id,
        _ => put_gate(connection, wave, &offer.gate).await?,
    };
    put_evidence(connection, offer, gate, progress).await?;
    put_document(connection, offer, gate, progress).await?;
    if let (Some(charge), false) = (&offer.charge, progress.overtaken) {
        budgets::put_charge(connection, gate, charge, &offer.subject).await?;
    }
    put_messages(connection, offer).await?;
    put_audit(connection, offer).await
}

async fn put_wave(connection: &mut SqliteConnection, offer: &Offer<'_>) -> Result<i64, Error> {
    let name = offer.change.wave.as_str();
    let kept: Option<(i64, Option<String>)> = sqlx::query_as("SELECT id, rollout FROM waves WHERE name = ?1")
        .bind(name)
        .fetch_optional(&mut *connection)
        .await
        .map_err(Error::when("read the stored wave"))?;
    match kept {
        Some((id, rollout)) if rollout == offer.change.rollout => Ok(id),
        _ => sqlx::query_scalar(
            "INSERT INTO waves (name, rollout) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET rollout = excluded.rollout RETURNING id",
        )
        .bind(name)
        .bind(&offer.change.rollout)
        .fetch_one(connection)
        .await
        .map_err(Error::when("store the wave")),
    }
}

async fn put_rule_file(connection: &mut SqliteConnection, offer: &Offer<'_>) -> Result<(), Error> {
    if let Some(text) = &offer.change.rules_text {
        sqlx::query("INSERT INTO rule_files (digest, text) VALUES (?1, ?2) ON CONFLICT (digest) DO NOTHING")
            .bind(&offer.gate.digest)
            .bind(text)
            .execute(connection)
            .await
            .map_err(Error::when("store the rule file"))?;
        return Ok(());
    }
    let known: Option<i64> = sqlx::query_scalar("SELECT 1 FROM rule_files WHERE digest = ?1")
        .bind(&offer.gate.digest)
        .fetch_optional(connection)
        .await
        .map_err(Error::when("look for the rule file"))?;
    known.map(|_| ()).ok_or_else(|| offer.incomplete("it is new and brings no rule file".to_owned()))
}

async fn put_gate(connection: &mut SqliteConnection, wave: i64, gate: &GateRow) -> Result<i64, Error> {
    sqlx::query_scalar(PUT_GATE)
        .bind(wave)
        .bind(&gate.rules)
        .bind(gate.attempt)
        .bind(&gate.digest)
        .bind(&gate.run)
        .bind(&gate.baseline)
        .bind(gate.opened_at)
        .bind(gate.start_at)
        .bind(gate.deadline_at)
        .bind(&gate.timing)
        .bind(gate.judged)
        .bind(&gate.state)
        .bind(&gate.verdict)
        .bind(gate.revision)
        .bind(&gate.outage)
        .bind(&gate.decision)
        .bind(&gate.requires)
        .bind(&gate.would)
        .bind(gate.revised_at)
        .bind(&gate.params)
        .bind(&gate.class)
        .fetch_one(connection)
        .await
        .map_err(Error::when("store the gate"))
}

async fn put_evidence(
    connection: &mut SqliteConnection,
    offer: &Offer<'_>,
    gate: i64,
    progress: Progress,
) -> Result<(), Error> {
    for ((index, body), (_, offered)) in offer.evidence.iter().zip(&offer.change.evidence) {
        if *index > progress.judged {
            sqlx::query("INSERT INTO evidence (gate_id, interval_index, body) VALUES (?1, ?2, ?3)")
                .bind(gate)
                .bind(index)
                .bind(body)
                .execute(&mut *connection)
                .await
                .map_err(Error::when("store the evidence"))?;
            continue;
        }
        let kept: Option<String> =
            sqlx::query_scalar("SELECT body FROM evidence WHERE gate_id = ?1 AND interval_index = ?2")
                .bind(gate)
                .bind(index)
                .fetch_optional(&mut *connection)
                .await
                .map_err(Error::when("read the stored evidence"))?;
        // Text differs where an earlier version wrote it; then the values decide.
        let same = kept.is_some_and(|kept| kept == *body || read_evidence(&kept).as_ref() == Ok(offered));
        if !same {
            return Err(offer.contradiction(format!("interval {index} was judged on other evidence")));
        }
    }
    Ok(())
}

async fn put_document(
    connection: &mut SqliteConnection,
    offer: &Offer<'_>,
    gate: i64,
    progress: Progress,
) -> Result<(), Error> {
    let (Some(document), revision) = (&offer.change.document, offer.gate.revision) else {
        return Ok(());
    };
    if revision > progress.revision {
        sqlx::query("INSERT INTO revisions (gate_id, revision, document) VALUES (?1, ?2, ?3)")
            .bind(gate)
            .bind(revision)
            .bind(document)
            .execute(connection)
            .await
            .map_err(Error::when("store the document"))?;
        return Ok(());
    }
    let kept: Option<String> =
        sqlx::query_scalar("SELECT document FROM revisions WHERE gate_id = ?1 AND revision = ?2")
            .bind(gate)
            .bind(revision)
            .fetch_optional(connection)
            .await
            .map_err(Error::when("read the stored document"))?;
    if kept.as_ref() != Some(document) {
        return Err(offer.contradiction(format!("revision {revision} is published with other words")));
    }
    Ok(())
}

async fn put_messages(connection: &mut SqliteConnection, offer: &Offer<'_>) -> Result<(), Error> {
    for message in &offer.change.messages {
        sqlx::query(
            "INSERT INTO outbox (message_id, kind, at, body) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (message_id) DO NOTHING",
        )
        .bind(&message.id)
        .bind(event_word(message.kind))
        .bind(message.at.as_millis())
        .bind(&message.body)
        .execute(&mut *connection)
        .await
        .map_err(Error::when("store the message"))?;
    }
    Ok(())
}

async fn put_audit(connection: &mut SqliteConnection, offer: &Offer<'_>) -> Result<(), Error> {
    for entry in &offer.change.audit {
        sqlx::query(ADD_AUDIT)
            .bind(offer.change.wave.as_str())
            .bind(&offer.gate.rules)
            .bind(offer.gate.attempt)
            .bind(entry.at.as_millis())
            .bind(&entry.by)
            .bind(&entry.action)
            .bind(&entry.detail)
            .execute(&mut *connection)
            .await
            .map_err(Error::when("store the audit entry"))?;
    }
    Ok(())
}

/// Whether a write would succeed: there is room for one, and one small write
/// reaches the disk.
pub(super) async fn probe(connection: &mut SqliteConnection) -> Result<(), Error> {
    let doing = "write to the database";
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(Error::when(doing))?;
    let mut trial = transaction.begin().await.map_err(Error::when(doing))?;
    sqlx::query("INSERT INTO write_probe (padding) VALUES (zeroblob(?1))")
        .bind(PROBE_BYTES)
        .execute(&mut *trial)
        .await
        .map_err(Error::when(doing))?;
    trial.rollback().await.map_err(Error::when(doing))?;
    sqlx::query(
        "INSERT INTO write_probe (id, padding) VALUES (1, randomblob(8))
         ON CONFLICT (id) DO UPDATE SET padding = excluded.padding",
    )
    .execute(&mut *transaction)
    .await
    .map_err(Error::when(doing))?;
    transaction.commit().await.map_err(Error::when(doing))
}

/// Moves the whole log into the database.
pub(super) async fn checkpoint(connection: &mut SqliteConnection) -> Result<(), Error> {
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(connection)
        .await
        .map(|_| ())
        .map_err(Error::when("checkpoint the database"))
}
