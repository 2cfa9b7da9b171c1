//! Kept traces of refused exchanges: 30 days, 100,000 at most.

use async_trait::async_trait;

use crate::model::check::TraceRecord;
use crate::model::id::Reference;
use crate::model::time::Timestamp;
use crate::store::Result;

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct TraceFilter {
    /// An entity ID.
    pub app: Option<String>,
    pub user: Option<String>,
    /// Only what was recorded after this time.
    pub since: Option<Timestamp>,
}

#[async_trait]
pub trait Traces: Send + Sync {
    /// Keeps a trace. Waits for the store's acknowledgement.
    async fn put(&self, record: &TraceRecord) -> Result<()>;
    async fn by_reference(&self, reference: &Reference) -> Result<Option<TraceRecord>>;
    /// The newest first.
    async fn list(&self, filter: &TraceFilter, limit: u32) -> Result<Vec<TraceRecord>>;
    /// Removes some of what is older than `before`, and of the oldest beyond `most`; returns how many went, 0 when all did.
    async fn prune(&self, before: Timestamp, most: u64) -> Result<u64>;
}
