//! The single-use set-up link, which makes the first administrator.

use async_trait::async_trait;

use crate::model::secret::Digest;
use crate::model::time::Timestamp;
use crate::model::user::User;
use crate::store::Result;

/// How opening the link came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The administrator exists and the link is dead.
    Claimed,
    /// The name is taken; the link still works.
    NameTaken,
    /// Unknown, used, expired, or an administrator exists already.
    Invalid,
}

#[async_trait]
pub trait Setup: Send + Sync {
    /// Replaces the link in force, unless an administrator exists: then `false`.
    async fn offer(&self, token: &Digest, expires: Timestamp) -> Result<bool>;
    /// Whether the link would still work, without using it.
    async fn is_valid(&self, token: &Digest, now: Timestamp) -> Result<bool>;
    /// Uses the link and adds the administrator in one transaction; of two racing callers one wins.
    async fn claim(&self, token: &Digest, admin: &User, now: Timestamp) -> Result<Claimed>;
}
