//! The replay guard in memory.
//!
//! Attack: a captured message is sent again. Look-up and note are one step under one lock, and a guard is never dropped
//! before its message has expired: when there is no room for another one, the message is refused.

use async_trait::async_trait;

use crate::crypto::digest::same;
use crate::model::secret::Digest;
use crate::model::time::Timestamp;
use crate::store::embedded::{Embedded, frame};
use crate::store::replay::{Replay, Seen};
use crate::store::{Result, StoreError};

/// How many messages are guarded at most, about 200 MB.
const MOST: usize = 2_000_000;

#[async_trait]
impl Replay for Embedded {
    async fn first_seen(&self, message: &Digest, fingerprint: &Digest, now: Timestamp, expires: Timestamp) -> Result<Seen> {
        let state = &self.state;
        state.journal.admit()?;
        let mut piece = state.tables.replay.piece(message);
        piece.sweep(now, |(_, expires)| *expires > now);
        match piece.map.get(message) {
            Some((known, until)) if *until > now => {
                return Ok(if same(known.as_bytes(), fingerprint.as_bytes()) { Seen::SameAgain } else { Seen::Replayed });
            }
            Some(_) => {}
            None if piece.is_full(MOST) => {
                let reason = format!("{MOST} messages are being guarded against replay already");
                return Err(StoreError::Unavailable { store: "embedded", reason });
            }
            None => {}
        }
        piece.map.insert(*message, (*fingerprint, expires));
        state.journal.append(&frame::replay(message, fingerprint, expires));
        Ok(Seen::First)
    }
}
