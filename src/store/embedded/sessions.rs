//! Sessions in memory.

use async_trait::async_trait;

use crate::model::id::{SessionId, UserId};
use crate::model::secret::Digest;
use crate::model::session::{AuthnEvent, SamlParticipant, Session};
use crate::model::time::Timestamp;
use crate::store::embedded::{Embedded, frame};
use crate::store::sessions::Sessions;
use crate::store::{Result, TOUCH};

#[async_trait]
impl Sessions for Embedded {
    async fn create(&self, session: &Session) -> Result<()> {
        let state = &self.state;
        state.journal.admit()?;
        let bytes = frame::session(session)?;
        let mut piece = state.tables.sessions.piece(session.id.as_str());
        piece.map.insert(session.id.clone(), session.clone());
        state.journal.append(&bytes);
        Ok(())
    }

    async fn find(&self, id: &SessionId, now: Timestamp) -> Result<Option<Session>> {
        let state = &self.state;
        let mut piece = state.tables.sessions.piece(id.as_str());
        piece.sweep(now, |session| {
            let live = session.is_live(now, &state.lifetime);
            if !live {
                // Else a longer lifetime in the next configuration would bring it back.
                state.journal.append(&frame::end(&session.id));
            }
            live
        });
        let Some(session) = piece.map.get_mut(id) else { return Ok(None) };
        if !session.is_live(now, &state.lifetime) {
            return Ok(None);
        }
        // While the disk is full the time stands still rather than the memory fill up.
        if now >= session.last_seen + TOUCH && state.journal.admit().is_ok() {
            session.last_seen = now;
            state.journal.append(&frame::seen(id, now));
        }
        Ok(Some(session.clone()))
    }

    async fn join(&self, id: &SessionId, participant: SamlParticipant) -> Result<Option<SamlParticipant>> {
        let state = &self.state;
        state.journal.admit()?;
        let mut piece = state.tables.sessions.piece(id.as_str());
        let Some(session) = piece.map.get_mut(id) else { return Ok(None) };
        let joined = session.join(participant);
        state.journal.append(&frame::join(id, &joined)?);
        Ok(Some(joined))
    }

    async fn step_up(&self, id: &SessionId, event: AuthnEvent, secret: Digest) -> Result<bool> {
        let state = &self.state;
        state.journal.admit()?;
        let mut piece = state.tables.sessions.piece(id.as_str());
        let Some(session) = piece.map.get_mut(id) else { return Ok(false) };
        session.authn.push(event);
        session.secret = secret;
        state.journal.append(&frame::session(session)?);
        Ok(true)
    }

    async fn end(&self, id: &SessionId) -> Result<Option<Session>> {
        let state = &self.state;
        state.journal.admit()?;
        let mut piece = state.tables.sessions.piece(id.as_str());
        let ended = piece.map.remove(id);
        if ended.is_some() {
            state.journal.append(&frame::end(id));
        }
        Ok(ended)
    }

    async fn list(&self, user: Option<&UserId>, now: Timestamp, limit: u32) -> Result<Vec<Session>> {
        let state = &self.state;
        let fits = |session: &&Session| session.is_live(now, &state.lifetime) && user.is_none_or(|user| session.user == *user);
        let mut newest: Vec<(Timestamp, SessionId)> = Vec::new();
        for piece in state.tables.sessions.pieces() {
            newest.extend(piece.map.values().filter(fits).map(|session| (session.created, session.id.clone())));
        }
        newest.sort_unstable_by(|a, b| b.cmp(a));
        newest.truncate(limit as usize);
        let find = |(_, id): &(Timestamp, SessionId)| state.tables.sessions.piece(id.as_str()).map.get(id).cloned();
        Ok(newest.iter().filter_map(find).collect())
    }
}
