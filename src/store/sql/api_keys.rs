//! API keys, found by digest.

use async_trait::async_trait;

use crate::model::secret::Digest;
use crate::store::Result;
use crate::store::api_keys::{ApiKeyRecord, ApiKeys};
use crate::store::changes::Changed;
use crate::store::sql::changes::note;
use crate::store::sql::{Sql, read, write};
use crate::store::users::Inserted;

#[async_trait]
impl ApiKeys for Sql {
    async fn insert(&self, key: &ApiKeyRecord) -> Result<Inserted> {
        self.bounded(async {
            let mut tx = self.begin().await?;
            let added = sqlx::query("INSERT INTO api_keys (id, name, digest, doc) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
                .bind(key.id.as_str())
                .bind(key.name.as_str())
                .bind(key.digest.to_hex())
                .bind(write(key)?)
                .execute(&mut *tx)
                .await?;
            if added.rows_affected() == 0 {
                return Ok(Inserted::Taken);
            }
            note(&mut tx, Changed::ApiKey, &key.id).await?;
            tx.commit().await?;
            Ok(Inserted::Inserted)
        })
        .await
    }

    async fn by_digest(&self, digest: &Digest) -> Result<Option<ApiKeyRecord>> {
        self.document(sqlx::query("SELECT doc FROM api_keys WHERE digest = $1").bind(digest.to_hex())).await
    }

    async fn all(&self) -> Result<Vec<ApiKeyRecord>> {
        self.documents(sqlx::query("SELECT doc FROM api_keys ORDER BY name")).await
    }

    async fn remove(&self, id: &str) -> Result<Option<ApiKeyRecord>> {
        self.bounded(async {
            let mut tx = self.begin().await?;
            // An ID wins over a name that looks like it.
            let row =
                sqlx::query("SELECT doc FROM api_keys WHERE id = $1 OR name = $1 ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END LIMIT 1")
                    .bind(id)
                    .fetch_optional(&mut *tx)
                    .await?;
            let Some(key) = row.map(|row| read::<ApiKeyRecord>(&row)).transpose()? else { return Ok(None) };
            sqlx::query("DELETE FROM api_keys WHERE id = $1").bind(key.id.as_str()).execute(&mut *tx).await?;
            note(&mut tx, Changed::ApiKey, &key.id).await?;
            tx.commit().await?;
            Ok(Some(key))
        })
        .await
    }
}
