//! Brings a database to the schema of this version: forward only, in one transaction.

use sqlx::{Any, AnyPool, Row, Transaction};

use crate::store::sql::Kind;
use crate::store::{Result, StoreError};

const SQLITE: &[&str] = &[include_str!("../migrations/sqlite/0001_initial.sql")];
const POSTGRES: &[&str] = &[include_str!("../migrations/postgres/0001_initial.sql")];

/// Applies what is missing. Two nodes may do this at once: the second waits for the first and finds nothing to do.
///
/// Fails with `Unusable` if the database was written by a newer version, and says which.
pub(super) async fn migrate(pool: &AnyPool, kind: Kind) -> Result<()> {
    let steps = match kind {
        Kind::Sqlite => SQLITE,
        Kind::Postgres => POSTGRES,
    };
    let found = run(pool, kind, steps).await.map_err(|error| kind.fault(error))?;
    if found > steps.len() as i64 {
        return Err(StoreError::Unusable(format!(
            "the {kind} database has schema {found}, written by a newer linkspan; this one knows schema {known} at most: start the \
             newer version, or restore a backup from before the upgrade",
            kind = kind.name(),
            known = steps.len(),
        )));
    }
    Ok(())
}

/// Returns the version found if it is beyond ours, else the one reached.
async fn run(pool: &AnyPool, kind: Kind, steps: &[&'static str]) -> sqlx::Result<i64> {
    let mut tx = begin(pool, kind).await?;
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS linkspan_schema (version BIGINT NOT NULL)").execute(&mut *tx).await?;
    let row = sqlx::query("SELECT COALESCE(MAX(version), 0) FROM linkspan_schema").fetch_one(&mut *tx).await?;
    let found: i64 = row.try_get(0)?;
    if found >= steps.len() as i64 {
        return Ok(found);
    }
    for (version, step) in (1i64..).zip(steps) {
        if version > found {
            sqlx::raw_sql(*step).execute(&mut *tx).await?;
            sqlx::query("INSERT INTO linkspan_schema (version) VALUES ($1)").bind(version).execute(&mut *tx).await?;
        }
    }
    tx.commit().await?;
    Ok(steps.len() as i64)
}

async fn begin(pool: &AnyPool, kind: Kind) -> sqlx::Result<Transaction<'static, Any>> {
    match kind {
        Kind::Sqlite => pool.begin_with("BEGIN IMMEDIATE").await,
        Kind::Postgres => {
            let mut tx = pool.begin().await?;
            // A node that waits here for another one's long migration must not give up after the usual seconds.
            sqlx::raw_sql("SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(5498130)").execute(&mut *tx).await?;
            Ok(tx)
        }
    }
}
