//! The public parts of our keys.

use async_trait::async_trait;
use sqlx::{Any, Row as _, Transaction};

use crate::store::Result;
use crate::store::changes::Changed;
use crate::store::keys::{KeyRecord, KeyState, Keys};
use crate::store::sql::changes::note;
use crate::store::sql::{Sql, read, write};
use crate::store::users::Inserted;

#[async_trait]
impl Keys for Sql {
    async fn all(&self) -> Result<Vec<KeyRecord>> {
        self.documents(sqlx::query("SELECT doc FROM signing_keys ORDER BY id")).await
    }

    async fn insert(&self, key: &KeyRecord) -> Result<Inserted> {
        self.bounded(async {
            let mut tx = self.begin().await?;
            if !insert_key(&mut tx, key).await? {
                return Ok(Inserted::Taken);
            }
            tx.commit().await?;
            Ok(Inserted::Inserted)
        })
        .await
    }

    async fn insert_first(&self, keys: &[KeyRecord]) -> Result<Inserted> {
        self.bounded(async {
            let mut tx = self.begin().await?;
            let present: i64 = sqlx::query("SELECT COUNT(*) FROM signing_keys").fetch_one(&mut *tx).await?.try_get(0)?;
            if present > 0 {
                return Ok(Inserted::Taken);
            }
            for key in keys {
                if !insert_key(&mut tx, key).await? {
                    return Ok(Inserted::Taken);
                }
            }
            tx.commit().await?;
            Ok(Inserted::Inserted)
        })
        .await
    }

    async fn shift(&self, moves: &[(String, KeyState, KeyState)]) -> Result<bool> {
        self.bounded(async {
            let mut tx = self.begin().await?;
            for (id, from, to) in moves {
                let row = sqlx::query("SELECT doc FROM signing_keys WHERE id = $1").bind(id.as_str()).fetch_optional(&mut *tx).await?;
                let Some(key) = row.map(|row| read::<KeyRecord>(&row)).transpose()? else { return Ok(false) };
                if key.state != *from {
                    return Ok(false);
                }
                let key = KeyRecord { state: *to, ..key };
                sqlx::query("UPDATE signing_keys SET state = $1, doc = $2 WHERE id = $3")
                    .bind(state_name(*to))
                    .bind(write(&key)?)
                    .bind(id.as_str())
                    .execute(&mut *tx)
                    .await?;
                note(&mut tx, Changed::Key, id).await?;
            }
            tx.commit().await?;
            Ok(true)
        })
        .await
    }
}

async fn insert_key(tx: &mut Transaction<'static, Any>, key: &KeyRecord) -> sqlx::Result<bool> {
    let added = sqlx::query("INSERT INTO signing_keys (id, kid, state, doc) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
        .bind(key.id.as_str())
        .bind(key.kid.as_str())
        .bind(state_name(key.state))
        .bind(write(key)?)
        .execute(&mut **tx)
        .await?;
    if added.rows_affected() == 0 {
        return Ok(false);
    }
    note(tx, Changed::Key, &key.id).await?;
    Ok(true)
}

fn state_name(state: KeyState) -> &'static str {
    match state {
        KeyState::Next => "next",
        KeyState::Active => "active",
        KeyState::Published => "published",
        KeyState::Retired => "retired",
    }
}
