//! Waiting requests in memory. Strangers can make them, so their number is bounded and the ones that end first give way.

use async_trait::async_trait;

use crate::model::pending::PendingRequest;
use crate::model::secret::Digest;
use crate::model::time::Timestamp;
use crate::store::Result;
use crate::store::embedded::{Embedded, frame};
use crate::store::pending::Pending;

/// How many requests wait at most.
const MOST: usize = 20_000;

#[async_trait]
impl Pending for Embedded {
    async fn put(&self, key: &Digest, request: &PendingRequest) -> Result<()> {
        let state = &self.state;
        state.journal.admit()?;
        let bytes = frame::pending(key, request)?;
        let mut piece = state.tables.pending.piece(key);
        piece.sweep(request.created, |waiting| waiting.expires > request.created);
        piece.make_room(MOST, |waiting| waiting.expires);
        piece.map.insert(*key, request.clone());
        state.journal.append(&bytes);
        Ok(())
    }

    async fn find(&self, key: &Digest, now: Timestamp) -> Result<Option<PendingRequest>> {
        let piece = self.state.tables.pending.piece(key);
        Ok(piece.map.get(key).filter(|waiting| waiting.expires > now).cloned())
    }
}
