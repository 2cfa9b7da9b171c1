//! Kept traces of refused exchanges.

use async_trait::async_trait;

use crate::model::check::TraceRecord;
use crate::model::id::Reference;
use crate::model::time::Timestamp;
use crate::store::Result;
use crate::store::sql::{Sql, key, write};
use crate::store::traces::{TraceFilter, Traces};

#[async_trait]
impl Traces for Sql {
    async fn put(&self, record: &TraceRecord) -> Result<()> {
        self.bounded(async {
            sqlx::query(
                "INSERT INTO traces (reference, at, app, user_name, doc) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (reference) DO UPDATE
                 SET at = excluded.at, app = excluded.app, user_name = excluded.user_name, doc = excluded.doc",
            )
            .bind(record.reference.as_str())
            .bind(record.at.as_millis())
            .bind(record.app.as_deref().map(key))
            .bind(record.user.as_deref().map(key))
            .bind(write(record)?)
            .execute(&self.pool)
            .await
            .map(drop)
        })
        .await
    }

    async fn by_reference(&self, reference: &Reference) -> Result<Option<TraceRecord>> {
        self.document(sqlx::query("SELECT doc FROM traces WHERE reference = $1").bind(reference.as_str())).await
    }

    async fn list(&self, filter: &TraceFilter, limit: u32) -> Result<Vec<TraceRecord>> {
        let query = sqlx::query(
            "SELECT doc FROM traces WHERE ($1 IS NULL OR app = $1) AND ($2 IS NULL OR user_name = $2) AND at > $3
             ORDER BY at DESC, reference LIMIT $4",
        )
        .bind(filter.app.as_deref().map(key))
        .bind(filter.user.as_deref().map(key))
        .bind(filter.since.map_or(i64::MIN, Timestamp::as_millis))
        .bind(i64::from(limit));
        self.documents(query).await
    }

    async fn prune(&self, before: Timestamp, most: u64) -> Result<u64> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.bounded(async {
            let mut tx = self.begin().await?;
            let old = sqlx::query("DELETE FROM traces WHERE reference IN (SELECT reference FROM traces WHERE at < $1 LIMIT 5000)")
                .bind(before.as_millis())
                .execute(&mut *tx)
                .await?;
            // SQLite wants a LIMIT before OFFSET.
            let beyond = sqlx::query(
                "DELETE FROM traces WHERE reference IN
                 (SELECT reference FROM traces ORDER BY at DESC, reference LIMIT 5000 OFFSET $1)",
            )
            .bind(most)
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            Ok(old.rows_affected() + beyond.rows_affected())
        })
        .await
    }
}
