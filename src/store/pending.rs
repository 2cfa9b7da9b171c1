//! Requests that wait for a person: parked posts, and exchanges interrupted by a sign-in.

use async_trait::async_trait;

use crate::model::pending::PendingRequest;
use crate::model::secret::Digest;
use crate::model::time::Timestamp;
use crate::store::Result;

#[async_trait]
pub trait Pending: Send + Sync {
    /// Keeps a request under `key`, a digest of what the address carries, until it expires.
    async fn put(&self, key: &Digest, request: &PendingRequest) -> Result<()>;
    async fn find(&self, key: &Digest, now: Timestamp) -> Result<Option<PendingRequest>>;
}
