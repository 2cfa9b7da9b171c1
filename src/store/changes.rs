//! What other nodes must hear of within two seconds.

use async_trait::async_trait;

use crate::store::Result;

/// Which kind of record changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Changed {
    User,
    App,
    Key,
    ApiKey,
}

/// One change in the order of commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub seq: i64,
    pub kind: Changed,
    pub id: String,
}

#[async_trait]
pub trait Changes: Send + Sync {
    /// The place of the newest change, 0 if there was none.
    async fn head(&self) -> Result<i64>;
    /// Changes after `after`, oldest first. A change is never seen before one with a smaller `seq` is visible.
    async fn after(&self, after: i64) -> Result<Vec<Change>>;
}
