//! Reads: each from one snapshot, every value checked.

use crate::rules::Digest;
use crate::rules::RulesName;
use crate::series::IntervalEvidence;
use crate::series::Timestamp;
use crate::store::Error;
use crate::store::StoredGate;
use crate::store::StoredWave;
use crate::store::rows::GateRow;
use crate::wave::WaveId;
use crate::wire::read_evidence;
use sqlx::Connection;
use sqlx::FromRow;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

const OPEN_OR_RECENT: &str = "
    SELECT id, name, rollout FROM waves
    WHERE id IN (SELECT wave_id FROM gates WHERE state NOT IN ('decided', 'cancelled')
                 UNION SELECT wave_id FROM gates WHERE revised_at > ?1 OR opened_at > ?1)
    ORDER BY name";

const ONE_WAVE: &str = "SELECT id, name, rollout FROM waves WHERE name = ?1";

const LATEST_GATES: &str = "
    SELECT g.id, g.rules, g.attempt, g.digest, g.run, g.baseline, g.params, g.class, g.opened_at, g.start_at, g.deadline_at,
           g.timing, g.judged, g.state, g.verdict, g.revision, g.outage, g.decision, g.requires,
           g.would, g.revised_at,
           f.text AS rules_text, r.document
    FROM gates g
    LEFT JOIN rule_files f ON f.digest = g.digest
    LEFT JOIN revisions r ON r.gate_id = g.id AND r.revision = g.revision
    WHERE g.wave_id = ?1
      AND g.attempt = (SELECT max(attempt) FROM gates o WHERE o.wave_id = g.wave_id AND o.rules = g.rules)
    ORDER BY g.rules";

const EVIDENCE: &str = "SELECT interval_index, body FROM evidence WHERE gate_id = ?1 ORDER BY interval_index";

const EVIDENCE_OF: &str = "
    SELECT e.interval_index, e.body
    FROM evidence e JOIN gates g ON g.id = e.gate_id JOIN waves w ON w.id = g.wave_id
    WHERE w.name = ?1 AND g.rules = ?2 AND g.attempt = ?3
    ORDER BY e.interval_index";

const DOCUMENT: &str = "
    SELECT r.document FROM revisions r JOIN gates g ON g.id = r.gate_id JOIN waves w ON w.id = g.wave_id
    WHERE w.name = ?1 AND g.rules = ?2 AND g.attempt = ?3 AND (?4 IS NULL OR r.revision = ?4)
    ORDER BY r.revision DESC LIMIT 1";

#[derive(FromRow)]
struct WaveRow {
    id: i64,
    name: String,
    rollout: Option<String>,
}

#[derive(FromRow)]
struct FullGateRow {
    id: i64,
    #[sqlx(flatten)]
    row: GateRow,
    rules_text: Option<String>,
    document: Option<String>,
}

#[derive(FromRow)]
struct EvidenceRow {
    interval_index: i64,
    body: String,
}

/// Waves with a gate that is not final, or revised or opened after `since`, by name.
pub(super) async fn waves(connection: &mut SqliteConnection, since: Timestamp) -> Result<Vec<StoredWave>, Error> {
    let mut snapshot = connection.begin().await.map_err(Error::when("begin a read"))?;
    let rows = sqlx::query(OPEN_OR_RECENT)
        .bind(since.as_millis())
        .fetch_all(&mut *snapshot)
        .await
        .map_err(Error::when("read waves"))?;
    let mut waves = Vec::with_capacity(rows.len());
    for row in &rows {
        waves.push(stored_wave(&mut snapshot, row).await?);
    }
    snapshot.rollback().await.map_err(Error::when("end a read"))?;
    Ok(waves)
}

/// The wave `id`, however old.
pub(super) async fn wave(connection: &mut SqliteConnection, id: &WaveId) -> Result<Option<StoredWave>, Error> {
    let mut snapshot = connection.begin().await.map_err(Error::when("begin a read"))?;
    let row = sqlx::query(ONE_WAVE)
        .bind(id.as_str())
        .fetch_optional(&mut *snapshot)
        .await
        .map_err(Error::when("read a wave"))?;
    let wave = match &row {
        Some(row) => Some(stored_wave(&mut snapshot, row).await?),
        None => None,
    };
    snapshot.rollback().await.map_err(Error::when("end a read"))?;
    Ok(wave)
}

/// One document, of `revision` or the last.
pub(super) async fn document(
    connection: &mut SqliteConnection,
    wave: &WaveId,
    rules: &RulesName,
    attempt: u32,
    revision: Option<u32>,
) -> Result<Option<String>, Error> {
    let row = sqlx::query(DOCUMENT)
        .bind(wave.as_str())
        .bind(rules.as_str())
        .bind(attempt)
        .bind(revision)
        .fetch_optional(connection)
        .await
        .map_err(Error::when("read a document"))?;
    let key = || format!("`{wave}`, `{rules}`, attempt {attempt}");
    let document: Option<(String,)> = row.as_ref().map(|row| decoded("revisions", key, row)).transpose()?;
    Ok(document.map(|(document,)| document))
}

/// The evidence of one attempt, as far as it is kept.
pub(super) async fn evidence(
    connection: &mut SqliteConnection,
    wave: &WaveId,
    rules: &RulesName,
    attempt: u32,
) -> Result<Vec<IntervalEvidence>, Error> {
    let rows = sqlx::query(EVIDENCE_OF)
        .bind(wave.as_str())
        .bind(rules.as_str())
        .bind(attempt)
        .fetch_all(connection)
        .await
        .map_err(Error::when("read evidence"))?;
    intervals(&rows, &format!("`{wave}`, `{rules}`, attempt {attempt}"))
}

async fn stored_wave(connection: &mut SqliteConnection, row: &SqliteRow) -> Result<StoredWave, Error> {
    let wave: WaveRow = decoded("waves", || "of unreadable name".to_owned(), row)?;
    let key = || format!("{} (`{}`)", wave.id, wave.name);
    let id = WaveId::new(&wave.name).ok_or_else(|| corrupt("waves", key(), "this is no wave id"))?;
    let rows =
        sqlx::query(LATEST_GATES).bind(wave.id).fetch_all(&mut *connection).await.map_err(Error::when("read gates"))?;
    let mut gates = Vec::with_capacity(rows.len());
    for row in &rows {
        let full: FullGateRow = decoded("gates", || format!("of wave `{id}`"), row)?;
        gates.push(stored_gate(connection, &id, full).await?);
    }
    if gates.is_empty() {
        return Err(corrupt("waves", key(), "it has no gate"));
    }
    Ok(StoredWave { id, rollout: wave.rollout, gates })
}

async fn stored_gate(connection: &mut SqliteConnection, wave: &WaveId, full: FullGateRow) -> Result<StoredGate, Error> {
    let FullGateRow { id, row, rules_text, document } = full;
    let key = || format!("{id} (`{wave}`, `{}`, attempt {})", row.rules, row.attempt);
    let rules_text =
        rules_text.ok_or_else(|| corrupt("gates", key(), format!("there is no rule file {}", row.digest)))?;
    let gate = row.gate(Digest::of(rules_text.as_bytes())).map_err(|fault| corrupt("gates", key(), fault))?;
    let document =
        document.ok_or_else(|| corrupt("gates", key(), format!("revision {} has no document", row.revision)))?;
    let evidence =
        if gate.state.is_final() { Vec::new() } else { stored_evidence(connection, id, gate.judged).await? };
    Ok(StoredGate { gate, rules_text, evidence, document })
}

/// The intervals 1 to `judged`, none missing.
async fn stored_evidence(
    connection: &mut SqliteConnection,
    gate: i64,
    judged: u32,
) -> Result<Vec<IntervalEvidence>, Error> {
    let rows = sqlx::query(EVIDENCE).bind(gate).fetch_all(connection).await.map_err(Error::when("read evidence"))?;
    let evidence = intervals(&rows, &format!("gate {gate}"))?;
    if u32::try_from(evidence.len()) != Ok(judged) {
        let fault = format!("{judged} intervals are judged and {} stored", evidence.len());
        return Err(corrupt("evidence", format!("gate {gate}"), fault));
    }
    Ok(evidence)
}

/// Intervals from 1 on, none missing between them.
fn intervals(rows: &[SqliteRow], of: &str) -> Result<Vec<IntervalEvidence>, Error> {
    let mut evidence = Vec::with_capacity(rows.len());
    for (expected, row) in (1..).zip(rows) {
        let key = || format!("{of}, interval {expected}");
        let interval: EvidenceRow = decoded("evidence", key, row)?;
        if interval.interval_index != expected {
            return Err(corrupt("evidence", key(), "it is missing"));
        }
        evidence.push(read_evidence(&interval.body).map_err(|fault| corrupt("evidence", key(), fault))?);
    }
    Ok(evidence)
}

pub(super) fn decoded<T: for<'r> FromRow<'r, SqliteRow>>(
    table: &'static str,
    key: impl Fn() -> String,
    row: &SqliteRow,
) -> Result<T, Error> {
    T::from_row(row).map_err(|error| corrupt(table, key(), error.to_string()))
}

pub(super) fn corrupt(table: &'static str, key: String, fault: impl Into<String>) -> Error {
    Error::Corrupt { table, key, fault: fault.into() }
}
