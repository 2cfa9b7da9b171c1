//! Waiting requests as strings. Redis's own `maxmemory` bounds what strangers can make it keep.

use ::redis::cmd;
use async_trait::async_trait;

use crate::model::pending::PendingRequest;
use crate::model::secret::Digest;
use crate::model::time::Timestamp;
use crate::store::Result;
use crate::store::pending::Pending;
use crate::store::redis::{Redis, corrupt, time_to_live};

#[async_trait]
impl Pending for Redis {
    async fn put(&self, key: &Digest, request: &PendingRequest) -> Result<()> {
        let json = serde_json::to_string(request).map_err(|error| corrupt("a waiting request", error))?;
        let mut command = cmd("SET");
        command.arg(pending_key(key)).arg(json).arg("PX").arg(time_to_live(request.created, request.expires));
        self.link.command::<String>(&command).await.map(drop)
    }

    async fn find(&self, key: &Digest, now: Timestamp) -> Result<Option<PendingRequest>> {
        let json: Option<String> = self.link.command(cmd("GET").arg(pending_key(key))).await?;
        let Some(json) = json else { return Ok(None) };
        let request: PendingRequest = serde_json::from_str(&json).map_err(|error| corrupt("a waiting request", error))?;
        Ok(Some(request).filter(|request| request.expires > now))
    }
}

fn pending_key(key: &Digest) -> String {
    format!("linkspan:pending:{}", key.to_hex())
}
