//! The replay guard: each message ID of each sender counts once.

use async_trait::async_trait;

use crate::model::secret::Digest;
use crate::model::time::Timestamp;
use crate::store::Result;

/// The verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    First,
    /// The same bytes by the same browser: a reload or a restored tab, which goes on.
    SameAgain,
    Replayed,
}

#[async_trait]
pub trait Replay: Send + Sync {
    /// Notes `message` (a digest of sender and message ID) with `fingerprint` (a digest of the bytes and the browser)
    /// until `expires`, in one atomic step. Of two racing callers with different fingerprints one gets `First`.
    async fn first_seen(&self, message: &Digest, fingerprint: &Digest, now: Timestamp, expires: Timestamp) -> Result<Seen>;
}
