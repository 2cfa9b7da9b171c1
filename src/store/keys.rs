//! The public parts of our keys. Private keys are files (`keys/`), never here.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::model::time::Timestamp;
use crate::store::Result;
use crate::store::users::Inserted;

/// Where a key stands: `next` is published but not used, `active` signs, `published` only verifies, `retired` is gone
/// from everything we publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    Next,
    Active,
    Published,
    Retired,
}

/// The public part of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Short name and file name: `saml-rsa-2026-11-24`.
    pub id: String,
    /// RFC 7638 style digest of the public key, base64url.
    pub kid: String,
    /// `saml`.
    #[serde(rename = "use")]
    pub key_use: String,
    /// `RSA-2048` or `EC-P256`.
    pub algorithm: String,
    pub state: KeyState,
    /// The certificate, PEM.
    pub certificate: String,
    pub created: Timestamp,
}

#[async_trait]
pub trait Keys: Send + Sync {
    async fn all(&self) -> Result<Vec<KeyRecord>>;
    async fn insert(&self, key: &KeyRecord) -> Result<Inserted>;
    /// Inserts all of them only if there is no key at all yet: only the first node of a database makes keys.
    async fn insert_first(&self, keys: &[KeyRecord]) -> Result<Inserted>;
    /// Moves keys to new states in one transaction; `false`, and nothing moved, if one of them is not in the state given.
    async fn shift(&self, moves: &[(String, KeyState, KeyState)]) -> Result<bool>;
}
