//! The audit log.

use async_trait::async_trait;

use crate::model::event::AuditRecord;
use crate::store::Result;

/// One stored record with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAudit {
    pub seq: i64,
    pub record: AuditRecord,
}

#[async_trait]
pub trait Audit: Send + Sync {
    /// Hands a record to the group commit without waiting; `Health::commit` waits for it. Bounded: if the log cannot keep
    /// up, this waits rather than drop.
    async fn record(&self, record: AuditRecord) -> Result<()>;
    /// Records after `after`, oldest first.
    async fn read(&self, after: i64, limit: u32) -> Result<Vec<StoredAudit>>;
    /// The newest place in the log, 0 if it is empty.
    async fn head(&self) -> Result<i64>;
}
