//! The audit log, written by one task in batches: whatever is in line goes into one transaction.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::params;
use sqlx::Row as _;

use crate::model::event::AuditRecord;
use crate::store::audit::{Audit, StoredAudit};
use crate::store::audit_queue::{AuditQueue, Waiting};
use crate::store::embedded::Embedded;
use crate::store::sql::{Kind, Sql, read};
use crate::store::{Result, StoreError};

/// Records in one statement on PostgreSQL, in one transaction on SQLite.
const BATCH: usize = 512;

/// How long records that the journal holds gather before they move on.
const GATHER: Duration = Duration::from_millis(100);

/// How long the writer rests after a failed batch.
const RETRY: Duration = Duration::from_millis(250);

/// The log of one process.
pub(in crate::store) struct SqlAudit {
    sql: Sql,
    queue: Arc<AuditQueue>,
    /// The journal that acknowledges records, where there is one.
    spool: Option<Arc<Embedded>>,
}

impl SqlAudit {
    /// Starts the writer on the current runtime.
    pub(in crate::store) fn start(sql: Sql, queue: Arc<AuditQueue>, spool: Option<Arc<Embedded>>) -> Result<Self> {
        let sink = match &sql.file {
            Some(path) => Sink::Sqlite(Arc::new(std::sync::Mutex::new(open_sqlite(path, sql.sync_full)?))),
            None => Sink::Postgres(sql.clone()),
        };
        tokio::spawn(run(sink, queue.clone(), spool.is_some()));
        Ok(Self { sql, queue, spool })
    }

    /// Waits until every record made so far is acknowledged; one in the journal is by the journal's own commit.
    pub(in crate::store) async fn commit(&self) -> Result<()> {
        match self.spool {
            Some(_) => Ok(()),
            None => self.queue.moved().await,
        }
    }
}

impl Drop for SqlAudit {
    fn drop(&mut self) {
        self.queue.close();
    }
}

#[async_trait]
impl Audit for SqlAudit {
    async fn record(&self, record: AuditRecord) -> Result<()> {
        if let Some(spool) = &self.spool {
            spool.check()?;
        }
        self.queue
            .push(&record, |waiting| {
                if let Some(spool) = &self.spool {
                    spool.spool(waiting);
                }
            })
            .await
    }

    async fn read(&self, after: i64, limit: u32) -> Result<Vec<StoredAudit>> {
        self.queue.moved().await?;
        self.sql
            .bounded(async {
                let rows = sqlx::query("SELECT doc, seq FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2")
                    .bind(after)
                    .bind(i64::from(limit))
                    .fetch_all(&self.sql.pool)
                    .await?;
                rows.iter().map(|row| Ok(StoredAudit { seq: row.try_get(1)?, record: read(row)? })).collect()
            })
            .await
    }

    async fn head(&self) -> Result<i64> {
        self.queue.moved().await?;
        self.sql.number(sqlx::query("SELECT COALESCE(MAX(seq), 0) FROM audit")).await
    }
}

/// How far the records of a journal have moved into this database.
pub(in crate::store) async fn moved_from_spool(sql: &Sql) -> Result<u64> {
    Ok(sql.number(sqlx::query("SELECT moved FROM audit_spool")).await?.unsigned_abs())
}

enum Sink {
    /// Not through sqlx, which needs three times the CPU for a batch (`docs/decisions/0001-embedded-lively-store.md`).
    Sqlite(Arc<std::sync::Mutex<rusqlite::Connection>>),
    Postgres(Sql),
}

async fn run(sink: Sink, queue: Arc<AuditQueue>, spooled: bool) {
    loop {
        let mut batch = queue.oldest(BATCH);
        if batch.is_empty() {
            if queue.is_closed() {
                return;
            }
            queue.wake.notified().await;
            if spooled && !queue.is_closed() {
                tokio::select! {
                    () = tokio::time::sleep(GATHER) => {}
                    () = queue.urgent.notified() => {}
                }
            }
            batch = queue.oldest(BATCH);
        }
        let Some(last) = batch.last() else { continue };
        let through = last.place;
        match sink.insert(batch, spooled).await {
            Ok(()) => queue.done(through),
            Err(error) => {
                tracing::warn!(error = %error, "audit records could not be written, trying again");
                queue.failed(error.to_string());
                if queue.is_closed() {
                    return;
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

impl Sink {
    async fn insert(&self, batch: Vec<Waiting>, spooled: bool) -> Result<()> {
        match self {
            Self::Sqlite(connection) => {
                let connection = connection.clone();
                let work = move || {
                    let mut connection = connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    insert_sqlite(&mut connection, &batch, spooled).map_err(|error| Kind::Sqlite.unavailable(error))
                };
                tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Kind::Sqlite.unavailable(error)))
            }
            Self::Postgres(sql) => insert_postgres(sql, &batch).await,
        }
    }
}

/// One statement, and so one round trip and one flush. The lock makes other nodes' batches wait, so that a reader never sees
/// a record before one with a smaller number.
async fn insert_postgres(sql: &Sql, batch: &[Waiting]) -> Result<()> {
    let mut text =
        String::from("INSERT INTO audit (at, doc) SELECT v.at, v.doc FROM (SELECT pg_advisory_xact_lock(5498132)) AS l, (VALUES ");
    // Filled up with nothing to a power of two, which keeps the number of prepared statements small.
    let rows = batch.len().next_power_of_two();
    for at in 0..rows {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&format!("(${}::bigint,${}::text)", 2 * at + 1, 2 * at + 2));
    }
    text.push_str(") AS v (at, doc) WHERE v.at IS NOT NULL");
    let mut query = sqlx::query(sqlx::AssertSqlSafe(text));
    for at in 0..rows {
        let record = batch.get(at);
        query = query.bind(record.map(|record| record.at)).bind(record.map(|record| record.doc.as_str()));
    }
    sql.bounded(query.execute(&sql.pool)).await.map(drop)
}

fn open_sqlite(path: &Path, sync_full: bool) -> Result<rusqlite::Connection> {
    let open = || -> rusqlite::Result<rusqlite::Connection> {
        let connection = rusqlite::Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(2))?;
        connection.pragma_update(None, "synchronous", if sync_full { "FULL" } else { "NORMAL" })?;
        Ok(connection)
    };
    open().map_err(|error| StoreError::Unavailable { store: Kind::Sqlite.name(), reason: error.to_string() })
}

fn insert_sqlite(connection: &mut rusqlite::Connection, batch: &[Waiting], spooled: bool) -> rusqlite::Result<()> {
    let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    {
        let mut insert = tx.prepare_cached("INSERT INTO audit (at, doc) VALUES (?1, ?2)")?;
        for record in batch {
            insert.execute(params![record.at, record.doc])?;
        }
    }
    if let (true, Some(last)) = (spooled, batch.last()) {
        tx.prepare_cached("UPDATE audit_spool SET moved = ?1")?.execute(params![last.place.cast_signed()])?;
    }
    tx.commit()
}
