//! Registered apps.

use async_trait::async_trait;

use crate::model::app::App;
use crate::model::id::{AppId, EntityId};
use crate::store::Result;
use crate::store::apps::Apps;
use crate::store::changes::Changed;
use crate::store::sql::changes::note;
use crate::store::sql::{Sql, is_taken, key, write};
use crate::store::users::{Inserted, Updated};

#[async_trait]
impl Apps for Sql {
    async fn insert(&self, app: &App) -> Result<Inserted> {
        self.bounded(async {
            let mut tx = self.begin().await?;
            let added = sqlx::query("INSERT INTO apps (id, entity_id, revision, doc) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
                .bind(app.id.as_str())
                .bind(key(app.entity_id.as_str()))
                .bind(app.revision)
                .bind(write(app)?)
                .execute(&mut *tx)
                .await?;
            if added.rows_affected() == 0 {
                return Ok(Inserted::Taken);
            }
            note(&mut tx, Changed::App, app.id.as_str()).await?;
            tx.commit().await?;
            Ok(Inserted::Inserted)
        })
        .await
    }

    async fn update(&self, app: &App) -> Result<Updated> {
        self.bounded(async {
            let mut tx = self.begin().await?;
            let next = App { revision: app.revision + 1, ..app.clone() };
            let updated = sqlx::query("UPDATE apps SET entity_id = $1, revision = $2, doc = $3 WHERE id = $4 AND revision = $5")
                .bind(key(next.entity_id.as_str()))
                .bind(next.revision)
                .bind(write(&next)?)
                .bind(next.id.as_str())
                .bind(app.revision)
                .execute(&mut *tx)
                .await;
            let updated = match updated {
                Err(error) if is_taken(&error) => return Ok(Updated::Taken),
                other => other?.rows_affected(),
            };
            if updated == 0 {
                let known = sqlx::query("SELECT 1 FROM apps WHERE id = $1").bind(app.id.as_str()).fetch_optional(&mut *tx).await?;
                return Ok(if known.is_some() { Updated::Stale } else { Updated::Unknown });
            }
            note(&mut tx, Changed::App, next.id.as_str()).await?;
            tx.commit().await?;
            Ok(Updated::Updated)
        })
        .await
    }

    async fn by_id(&self, id: &AppId) -> Result<Option<App>> {
        self.document(sqlx::query("SELECT doc FROM apps WHERE id = $1").bind(id.as_str())).await
    }

    async fn by_entity_id(&self, entity_id: &EntityId) -> Result<Option<App>> {
        self.document(sqlx::query("SELECT doc FROM apps WHERE entity_id = $1").bind(key(entity_id.as_str()))).await
    }

    async fn all(&self) -> Result<Vec<App>> {
        self.documents(sqlx::query("SELECT doc FROM apps ORDER BY id")).await
    }

    async fn remove(&self, id: &AppId) -> Result<bool> {
        self.bounded(async {
            let mut tx = self.begin().await?;
            let gone = sqlx::query("DELETE FROM apps WHERE id = $1").bind(id.as_str()).execute(&mut *tx).await?.rows_affected();
            if gone == 0 {
                return Ok(false);
            }
            note(&mut tx, Changed::App, id.as_str()).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }
}
