//! Live sessions.

use async_trait::async_trait;

use crate::model::id::{SessionId, UserId};
use crate::model::secret::Digest;
use crate::model::session::{AuthnEvent, SamlParticipant, Session};
use crate::model::time::Timestamp;
use crate::store::Result;

/// Writes are visible to every caller at once; `Health::commit` says when they are acknowledged.
#[async_trait]
pub trait Sessions: Send + Sync {
    async fn create(&self, session: &Session) -> Result<()>;
    /// The session, if it is still live at `now` by the configured lifetimes. Moves `last_seen` at most once a minute.
    async fn find(&self, id: &SessionId, now: Timestamp) -> Result<Option<Session>>;
    /// Adds or renews a participant atomically (`Session::join`) and returns it as it then stands, with the SessionIndex
    /// in force; `None` if the session ended meanwhile: then nothing may be issued.
    async fn join(&self, id: &SessionId, participant: SamlParticipant) -> Result<Option<SamlParticipant>>;
    /// Adds an AuthnEvent and replaces the cookie's secret; `false` if the session ended meanwhile.
    async fn step_up(&self, id: &SessionId, event: AuthnEvent, secret: Digest) -> Result<bool>;
    /// Ends the session; of two racing callers exactly one gets it.
    async fn end(&self, id: &SessionId) -> Result<Option<Session>>;
    /// Live sessions, of one person or of all, newest first.
    async fn list(&self, user: Option<&UserId>, now: Timestamp, limit: u32) -> Result<Vec<Session>>;
}
