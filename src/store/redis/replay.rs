//! The replay guard in Redis.
//!
//! Attack: a captured message is sent again, perhaps to another node at the same time. Look-up and note are one script.

use async_trait::async_trait;

use crate::model::secret::Digest;
use crate::model::time::Timestamp;
use crate::store::Result;
use crate::store::redis::link::Twice;
use crate::store::redis::{Redis, corrupt, time_to_live};
use crate::store::replay::{Replay, Seen};

#[async_trait]
impl Replay for Redis {
    async fn first_seen(&self, message: &Digest, fingerprint: &Digest, now: Timestamp, expires: Timestamp) -> Result<Seen> {
        let mut script = self.scripts.first_seen.key(format!("linkspan:replay:{}", message.to_hex()));
        script.arg(fingerprint.to_hex()).arg(now.as_millis()).arg(expires.as_millis()).arg(time_to_live(now, expires));
        // Sent twice it says `SameAgain`, with which the same browser goes on.
        match self.link.script::<i64>(&script, Twice::Harmless).await? {
            0 => Ok(Seen::First),
            1 => Ok(Seen::SameAgain),
            2 => Ok(Seen::Replayed),
            other => Err(corrupt("a replay guard", format!("the script answered {other}"))),
        }
    }
}
