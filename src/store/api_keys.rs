//! API keys of the admin API. The key rests as its SHA-256 digest.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::model::secret::Digest;
use crate::model::time::Timestamp;
use crate::store::Result;
use crate::store::users::Inserted;

/// One API key, without the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyRecord {
    pub id: String,
    pub name: String,
    pub digest: Digest,
    pub scopes: Vec<String>,
    pub expires: Option<Timestamp>,
    /// Networks it may come from, as `10.0.0.0/8`; empty means any.
    pub networks: Vec<String>,
    pub created: Timestamp,
}

#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// `Taken` if the name is in use.
    async fn insert(&self, key: &ApiKeyRecord) -> Result<Inserted>;
    async fn by_digest(&self, digest: &Digest) -> Result<Option<ApiKeyRecord>>;
    async fn all(&self) -> Result<Vec<ApiKeyRecord>>;
    /// Removes by ID or name and returns what was removed.
    async fn remove(&self, id: &str) -> Result<Option<ApiKeyRecord>>;
}
