//! Persistent NameIDs that were established.

use async_trait::async_trait;
use sqlx::Row as _;

use crate::model::id::UserId;
use crate::model::time::Timestamp;
use crate::store::name_ids::NameIds;
use crate::store::sql::{Sql, key};
use crate::store::{Result, StoreError};

#[async_trait]
impl NameIds for Sql {
    async fn find(&self, user: &UserId, qualifier: &str) -> Result<Option<String>> {
        self.bounded(async {
            let row = sqlx::query("SELECT value FROM name_ids WHERE user_id = $1 AND qualifier = $2")
                .bind(user.as_str())
                .bind(key(qualifier))
                .fetch_optional(&self.pool)
                .await?;
            row.map(|row| row.try_get(0)).transpose()
        })
        .await
    }

    async fn establish(&self, user: &UserId, qualifier: &str, value: &str, now: Timestamp) -> Result<String> {
        self.bounded(async {
            sqlx::query(
                "INSERT INTO name_ids (user_id, qualifier, value, folded, created) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            )
            .bind(user.as_str())
            .bind(key(qualifier))
            .bind(value)
            .bind(value.to_lowercase())
            .bind(now.as_millis())
            .execute(&self.pool)
            .await
        })
        .await?;
        self.find(user, qualifier).await?.ok_or_else(|| StoreError::Corrupt {
            store: self.kind.name(),
            what: "a persistent NameID",
            reason: "the identifier made for this person belongs to somebody else there".to_owned(),
        })
    }

    async fn owner(&self, qualifier: &str, value: &str) -> Result<Option<UserId>> {
        self.bounded(async {
            let row = sqlx::query("SELECT user_id FROM name_ids WHERE qualifier = $1 AND folded = $2 AND value = $3")
                .bind(key(qualifier))
                .bind(value.to_lowercase())
                .bind(value)
                .fetch_optional(&self.pool)
                .await?;
            let Some(row) = row else { return Ok(None) };
            UserId::parse(row.try_get::<String, _>(0)?).map(Some).map_err(|error| sqlx::Error::Decode(error.into()))
        })
        .await
    }
}
