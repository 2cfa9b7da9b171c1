//! Persistent NameIDs that were established: pairwise for a person and an SP (or affiliation).

use async_trait::async_trait;

use crate::model::id::UserId;
use crate::model::time::Timestamp;
use crate::store::Result;

#[async_trait]
pub trait NameIds: Send + Sync {
    /// The identifier established for this person at `qualifier` (SP entity ID or affiliation).
    async fn find(&self, user: &UserId, qualifier: &str) -> Result<Option<String>>;
    /// Establishes `value` unless one is there already; returns the one that is then in force.
    async fn establish(&self, user: &UserId, qualifier: &str, value: &str, now: Timestamp) -> Result<String>;
    /// The person who has this identifier at `qualifier`.
    async fn owner(&self, qualifier: &str, value: &str) -> Result<Option<UserId>>;
}
