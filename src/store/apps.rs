//! Registered apps. Each write also appends to `changes` in the same transaction.

use async_trait::async_trait;

use crate::model::app::App;
use crate::model::id::{AppId, EntityId};
use crate::store::Result;
use crate::store::users::{Inserted, Updated};

#[async_trait]
pub trait Apps: Send + Sync {
    /// Adds an app if both its ID and its entity ID are free.
    async fn insert(&self, app: &App) -> Result<Inserted>;
    /// Replaces the record whose revision is `app.revision` and stores it with `revision + 1`.
    async fn update(&self, app: &App) -> Result<Updated>;
    async fn by_id(&self, id: &AppId) -> Result<Option<App>>;
    async fn by_entity_id(&self, entity_id: &EntityId) -> Result<Option<App>>;
    /// All apps in order of their IDs; the registry keeps them in memory.
    async fn all(&self) -> Result<Vec<App>>;
    async fn remove(&self, id: &AppId) -> Result<bool>;
}
