//! What happened: audit events, and the traces of exchanges.

pub mod traces;

use std::sync::Arc;

use crate::model::event::{AuditContext, AuditRecord, Event};
use crate::model::time::Timestamp;
use crate::store::audit::{Audit, StoredAudit};
use crate::store::{self};

/// Writes the audit log.
#[derive(Clone)]
pub struct AuditLog {
    store: Arc<dyn Audit>,
}

impl AuditLog {
    pub fn new(store: Arc<dyn Audit>) -> Self {
        Self { store }
    }

    /// Records one outcome; it is acknowledged with `store::Health::commit`.
    pub async fn record(&self, now: Timestamp, event: Event, context: AuditContext) -> store::Result<()> {
        let AuditContext { actor, client, reference, session } = context;
        self.store.record(AuditRecord { at: now, event, actor, client, reference, session }).await
    }

    pub async fn read(&self, after: i64, limit: u32) -> store::Result<Vec<StoredAudit>> {
        self.store.read(after, limit).await
    }

    pub async fn head(&self) -> store::Result<i64> {
        self.store.head().await
    }
}
