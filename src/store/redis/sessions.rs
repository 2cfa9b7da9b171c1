//! Sessions as hashes: `session` (what never changes), `secret`, `seen`, `authn` (one AuthnEvent a line), and one field for
//! each participant, so that no step has to read and write the whole.

use std::collections::HashMap;

use ::redis::cmd;
use async_trait::async_trait;
use serde::de::DeserializeOwned;

use crate::crypto::digest;
use crate::model::id::{SessionId, UserId};
use crate::model::secret::Digest;
use crate::model::session::{AuthnEvent, Participant, SamlParticipant, Session};
use crate::model::time::Timestamp;
use crate::store::redis::link::Twice;
use crate::store::redis::{MARGIN, Redis, corrupt, time_to_live};
use crate::store::sessions::Sessions;
use crate::store::{Result, TOUCH};

/// All live sessions, by their absolute end.
const ALL: &str = "linkspan:sessions";

/// How many IDs of an index are looked up at once.
const CHUNK: isize = 200;

type Fields = HashMap<String, String>;

#[async_trait]
impl Sessions for Redis {
    async fn create(&self, session: &Session) -> Result<()> {
        // First the indexes: an entry too many does no harm and goes with time, a session too many could not be ended.
        for index in [user_key(&session.user), ALL.to_owned()] {
            let mut script = self.scripts.index.key(index);
            script
                .arg(session.id.as_str())
                .arg(session.expires.as_millis())
                .arg(session.last_seen.as_millis())
                .arg(time_to_live(session.last_seen, session.expires));
            self.link.script::<i64>(&script, Twice::Harmless).await?;
        }
        let mut script = self.scripts.create.key(session_key(&session.id));
        script.arg(self.lives_on(session, session.last_seen));
        for (field, value) in to_fields(session)? {
            script.arg(field).arg(value);
        }
        self.link.script::<i64>(&script, Twice::Harmless).await.map(drop)
    }

    async fn find(&self, id: &SessionId, now: Timestamp) -> Result<Option<Session>> {
        let fields: Fields = self.link.command(cmd("HGETALL").arg(session_key(id))).await?;
        let Some(mut session) = from_fields(fields)? else { return Ok(None) };
        if !session.is_live(now, &self.lifetime) {
            return Ok(None);
        }
        if now >= session.last_seen + TOUCH {
            session.last_seen = now;
            let mut script = self.scripts.seen.key(session_key(id));
            script.arg(now.as_millis()).arg(self.lives_on(&session, now));
            self.link.script::<i64>(&script, Twice::Harmless).await?;
        }
        Ok(Some(session))
    }

    async fn join(&self, id: &SessionId, participant: SamlParticipant) -> Result<Option<SamlParticipant>> {
        let mut script = self.scripts.join.key(session_key(id));
        script.arg(participant_field(&participant)).arg(participant.last.as_millis()).arg(to_json(&participant)?);
        let joined: Option<String> = self.link.script(&script, Twice::Harmless).await?;
        let joined = joined.map(|json| parse::<SamlParticipant>("a participant", &json)).transpose()?;
        Ok(joined.map(|joined| SamlParticipant { last: participant.last, ..joined }))
    }

    async fn step_up(&self, id: &SessionId, event: AuthnEvent, secret: Digest) -> Result<bool> {
        let mut script = self.scripts.step_up.key(session_key(id));
        script.arg(to_json(&event)?).arg(secret.to_hex());
        Ok(self.link.script::<i64>(&script, Twice::Harmless).await? == 1)
    }

    async fn end(&self, id: &SessionId) -> Result<Option<Session>> {
        let script = self.scripts.end.key(session_key(id));
        let fields: Fields = self.link.script(&script, Twice::Never).await?;
        let ended = from_fields(fields)?;
        if let Some(session) = &ended {
            for index in [user_key(&session.user), ALL.to_owned()] {
                if let Err(error) = self.link.command::<i64>(cmd("ZREM").arg(&index).arg(id.as_str())).await {
                    // The session has ended all the same; the entry goes when the index is read, or when its time comes.
                    tracing::debug!(error = %error, "an ended session still stands in an index");
                }
            }
        }
        Ok(ended)
    }

    async fn list(&self, user: Option<&UserId>, now: Timestamp, limit: u32) -> Result<Vec<Session>> {
        let index = user.map_or_else(|| ALL.to_owned(), user_key);
        let mut found = Vec::new();
        let mut at = 0isize;
        while found.len() < limit as usize {
            let ids: Vec<String> = self.link.command(cmd("ZRANGE").arg(&index).arg(at).arg(at + CHUNK - 1).arg("REV")).await?;
            if ids.is_empty() {
                break;
            }
            for text in ids {
                at += 1;
                let id = SessionId::parse(text).map_err(|error| corrupt("an index of sessions", error))?;
                let fields: Fields = self.link.command(cmd("HGETALL").arg(session_key(&id))).await?;
                match from_fields(fields)? {
                    Some(session) if session.is_live(now, &self.lifetime) => found.push(session),
                    Some(_) => {}
                    // It ended, or it is just being created and its index came first; old entries go when the next one comes.
                    None => {}
                }
            }
        }
        found.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
        found.truncate(limit as usize);
        Ok(found)
    }
}

impl Redis {
    /// How long Redis keeps a session that was used at `now`.
    fn lives_on(&self, session: &Session, now: Timestamp) -> i64 {
        time_to_live(now, session.expires.min(now + self.lifetime.idle + TOUCH)).max(MARGIN.as_millis())
    }
}

fn session_key(id: &SessionId) -> String {
    format!("linkspan:session:{{{id}}}")
}

fn user_key(user: &UserId) -> String {
    format!("linkspan:user-sessions:{{{user}}}")
}

/// One field for each pair of entity ID and NameID (`Session::join`).
fn participant_field(participant: &SamlParticipant) -> String {
    let name_id = &participant.name_id;
    let optional = |value: &Option<String>| value.as_ref().map_or_else(Vec::new, |value| [b"=", value.as_bytes()].concat());
    let parts = [
        participant.entity_id.as_bytes(),
        name_id.value.as_bytes(),
        name_id.format.as_bytes(),
        &optional(&name_id.name_qualifier),
        &optional(&name_id.sp_name_qualifier),
    ];
    format!("saml:{}", digest::sha256_parts(&parts).to_hex())
}

fn to_fields(session: &Session) -> Result<Vec<(String, String)>> {
    let constant = Session { authn: Vec::new(), participants: Vec::new(), ..session.clone() };
    let authn = session.authn.iter().map(to_json).collect::<Result<Vec<_>>>()?.join("\n");
    let mut fields = vec![
        ("session".to_owned(), to_json(&constant)?),
        ("secret".to_owned(), session.secret.to_hex()),
        ("seen".to_owned(), session.last_seen.as_millis().to_string()),
        ("authn".to_owned(), authn),
    ];
    for Participant::Saml(participant) in &session.participants {
        fields.push((participant_field(participant), format!("{} {}", participant.last.as_millis(), to_json(participant)?)));
    }
    Ok(fields)
}

fn from_fields(mut fields: Fields) -> Result<Option<Session>> {
    let Some(constant) = fields.remove("session") else { return Ok(None) };
    let mut session: Session = parse("a session", &constant)?;
    let missing = || corrupt("a session", "a field is missing");
    let secret = fields.remove("secret").ok_or_else(missing)?;
    session.secret = Digest::from_hex(&secret).ok_or_else(|| corrupt("a session", "its secret is no digest"))?;
    let seen = fields.remove("seen").ok_or_else(missing)?;
    session.last_seen = Timestamp::from_millis(seen.parse().map_err(|error| corrupt("a session", error))?);
    let authn = fields.remove("authn").ok_or_else(missing)?;
    session.authn = authn.lines().map(|line| parse("an AuthnEvent", line)).collect::<Result<_>>()?;
    let mut participants = Vec::with_capacity(fields.len());
    for (_, value) in fields.into_iter().filter(|(field, _)| field.starts_with("saml:")) {
        let (last, json) = value.split_once(' ').ok_or_else(missing)?;
        let participant: SamlParticipant = parse("a participant", json)?;
        let last = Timestamp::from_millis(last.parse().map_err(|error| corrupt("a participant", error))?);
        participants.push(SamlParticipant { last, ..participant });
    }
    // A hash has no order; they stand as they joined.
    participants.sort_by(|a, b| (a.first, &a.session_index).cmp(&(b.first, &b.session_index)));
    session.participants = participants.into_iter().map(Participant::Saml).collect();
    Ok(Some(session))
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| corrupt("a session", error))
}

fn parse<T: DeserializeOwned>(what: &'static str, json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| corrupt(what, error))
}
