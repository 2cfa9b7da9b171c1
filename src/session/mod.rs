//! The core, which knows no protocol: a session is opened by a sign-in, found by its cookie, stepped up, joined by apps,
//! and ended once.

pub mod cookie;

use std::sync::Arc;

use crate::crypto::{digest, random};
use crate::model::id::{SessionId, UserId};
use crate::model::secret::Secret;
use crate::model::session::{AuthnEvent, ClientFacts, SamlParticipant, Session, SessionLifetime};
use crate::model::time::Timestamp;
use crate::model::user::User;
use crate::session::cookie::SessionCookie;
use crate::store::sessions::Sessions;
use crate::store::{self};

/// A session that was found by a valid cookie and is live. Made only by `SessionService::find` and `open`.
#[derive(Debug, Clone)]
pub struct LiveSession(Session);

impl LiveSession {
    /// What is known of it.
    pub fn session(&self) -> &Session {
        &self.0
    }
}

/// Opens, finds and ends sessions.
#[derive(Clone)]
pub struct SessionService {
    store: Arc<dyn Sessions>,
    lifetime: SessionLifetime,
}

impl SessionService {
    pub fn new(store: Arc<dyn Sessions>, lifetime: SessionLifetime) -> Self {
        Self { store, lifetime }
    }

    pub fn lifetime(&self) -> SessionLifetime {
        self.lifetime
    }

    /// Opens a session for somebody who just proved who they are. Returns it with its cookie.
    pub async fn open(&self, user: &User, event: AuthnEvent, client: ClientFacts) -> store::Result<(LiveSession, SessionCookie)> {
        let now = event.at;
        let (id, secret) = random::with_system(|random| (random.letters("s_", 26), random.bearer()));
        let id = SessionId::parse(id).map_err(|e| store::StoreError::Unusable(e.to_string()))?;
        let cookie = SessionCookie::new(id.clone(), Secret::new(secret));
        let session = Session {
            id,
            secret: cookie.digest(),
            user: user.id.clone(),
            user_name: user.name.clone(),
            created: now,
            last_seen: now,
            expires: now + self.lifetime.absolute,
            authn: vec![event],
            client: client.address,
            agent: client.agent,
            participants: Vec::new(),
        };
        self.store.create(&session).await?;
        Ok((LiveSession(session), cookie))
    }

    /// Finds the live session that a cookie names; `None` for every cookie that does not fit.
    pub async fn find(&self, cookie: &SessionCookie, now: Timestamp) -> store::Result<Option<LiveSession>> {
        let Some(session) = self.store.find(cookie.id(), now).await? else { return Ok(None) };
        let fits = digest::same(session.secret.as_bytes(), cookie.digest().as_bytes());
        Ok(if fits && session.is_live(now, &self.lifetime) { Some(LiveSession(session)) } else { None })
    }

    /// Adds a fresh proof to a live session and gives it a new cookie; `None` if it ended meanwhile.
    pub async fn step_up(&self, live: &LiveSession, event: AuthnEvent) -> store::Result<Option<SessionCookie>> {
        let cookie = SessionCookie::new(live.0.id.clone(), Secret::new(random::with_system(random::Random::bearer)));
        let done = self.store.step_up(&live.0.id, event, cookie.digest()).await?;
        Ok(done.then_some(cookie))
    }

    /// Lets an SP join; `None` if the session ended meanwhile: then nothing may be issued.
    pub async fn join(&self, live: &LiveSession, participant: SamlParticipant) -> store::Result<Option<SamlParticipant>> {
        self.store.join(&live.0.id, participant).await
    }

    /// Ends a session; of two racing callers one gets it.
    pub async fn end(&self, id: &SessionId) -> store::Result<Option<Session>> {
        self.store.end(id).await
    }

    /// Live sessions, of one person or of all, newest first.
    pub async fn list(&self, user: Option<&UserId>, now: Timestamp, limit: u32) -> store::Result<Vec<Session>> {
        self.store.list(user, now, limit).await
    }
}
