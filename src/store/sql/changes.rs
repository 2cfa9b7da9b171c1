//! What other nodes must hear of.

use async_trait::async_trait;
use sqlx::{Any, Row as _, Transaction};

use crate::store::Result;
use crate::store::changes::{Change, Changed, Changes};
use crate::store::sql::Sql;

/// How many changes one call returns at most; a reader who is further behind asks again.
const AT_ONCE: i64 = 10_000;

/// How many changes are kept. A node reads them every second; one that missed this many starts afresh.
const KEPT: i64 = 200_000;

#[async_trait]
impl Changes for Sql {
    async fn head(&self) -> Result<i64> {
        self.number(sqlx::query("SELECT COALESCE(MAX(seq), 0) FROM changes")).await
    }

    async fn after(&self, after: i64) -> Result<Vec<Change>> {
        self.bounded(async {
            let rows = sqlx::query("SELECT seq, kind, id FROM changes WHERE seq > $1 ORDER BY seq LIMIT $2")
                .bind(after)
                .bind(AT_ONCE)
                .fetch_all(&self.pool)
                .await?;
            rows.iter().map(|row| Ok(Change { seq: row.try_get(0)?, kind: parse(row.try_get(1)?)?, id: row.try_get(2)? })).collect()
        })
        .await
    }
}

/// Appends a change to the writing transaction that makes it.
pub(super) async fn note(tx: &mut Transaction<'static, Any>, kind: Changed, id: &str) -> sqlx::Result<()> {
    let seq: i64 = sqlx::query("INSERT INTO changes (kind, id) VALUES ($1, $2) RETURNING seq")
        .bind(name(kind))
        .bind(id)
        .fetch_one(&mut **tx)
        .await?
        .try_get(0)?;
    if seq % 1_000 == 0 {
        sqlx::query("DELETE FROM changes WHERE seq <= $1").bind(seq - KEPT).execute(&mut **tx).await?;
    }
    Ok(())
}

fn name(kind: Changed) -> &'static str {
    match kind {
        Changed::User => "user",
        Changed::App => "app",
        Changed::Key => "key",
        Changed::ApiKey => "api_key",
    }
}

fn parse(text: &str) -> sqlx::Result<Changed> {
    match text {
        "user" => Ok(Changed::User),
        "app" => Ok(Changed::App),
        "key" => Ok(Changed::Key),
        "api_key" => Ok(Changed::ApiKey),
        other => Err(sqlx::Error::Decode(format!("a change of unknown kind \"{other}\"").into())),
    }
}
