//! The set-up link: used once, and only while there is no administrator.

use async_trait::async_trait;
use sqlx::{Any, Transaction};

use crate::model::secret::Digest;
use crate::model::time::Timestamp;
use crate::model::user::User;
use crate::store::Result;
use crate::store::setup::{Claimed, Setup};
use crate::store::sql::Sql;
use crate::store::sql::users::insert_user;

#[async_trait]
impl Setup for Sql {
    async fn offer(&self, token: &Digest, expires: Timestamp) -> Result<bool> {
        self.bounded(async {
            let mut tx = self.begin().await?;
            if has_admin(&mut tx).await? {
                return Ok(false);
            }
            sqlx::query("DELETE FROM setup_links").execute(&mut *tx).await?;
            sqlx::query("INSERT INTO setup_links (token, expires) VALUES ($1, $2)")
                .bind(token.to_hex())
                .bind(expires.as_millis())
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn is_valid(&self, token: &Digest, now: Timestamp) -> Result<bool> {
        let query = sqlx::query(
            "SELECT COUNT(*) FROM setup_links WHERE token = $1 AND expires > $2 AND NOT EXISTS (SELECT 1 FROM users WHERE admin = 1)",
        )
        .bind(token.to_hex())
        .bind(now.as_millis());
        Ok(self.number(query).await? == 1)
    }

    async fn claim(&self, token: &Digest, admin: &User, now: Timestamp) -> Result<Claimed> {
        self.bounded(async {
            let mut tx = self.begin().await?;
            if has_admin(&mut tx).await? {
                return Ok(Claimed::Invalid);
            }
            let used = sqlx::query("DELETE FROM setup_links WHERE token = $1 AND expires > $2")
                .bind(token.to_hex())
                .bind(now.as_millis())
                .execute(&mut *tx)
                .await?;
            if used.rows_affected() == 0 {
                return Ok(Claimed::Invalid);
            }
            if !insert_user(&mut tx, admin).await? {
                // Dropping the transaction gives the link back.
                return Ok(Claimed::NameTaken);
            }
            tx.commit().await?;
            Ok(Claimed::Claimed)
        })
        .await
    }
}

/// Whether anybody is an administrator. A disabled one counts: the link is for the first administrator, not a way around
/// the last one.
async fn has_admin(tx: &mut Transaction<'static, Any>) -> sqlx::Result<bool> {
    Ok(sqlx::query("SELECT 1 FROM users WHERE admin = 1 LIMIT 1").fetch_optional(&mut **tx).await?.is_some())
}
