//! Live sessions, as administrators see and end them.

use serde_json::{Value, json};

use crate::flows::command::Reply;
use crate::flows::{Fault, Services, users};
use crate::model::event::AuditContext;
use crate::model::event::Event;
use crate::model::id::SessionId;
use crate::model::session::{Participant, Session};

/// A session as JSON: never its secret, nor the digest of it.
pub fn to_json(session: &Session) -> Value {
    let authn: Vec<Value> = session
        .authn
        .iter()
        .map(|event| json!({ "method": event.method, "at": event.at.to_rfc3339(), "protected_transport": event.protected_transport }))
        .collect();
    let participants: Vec<Value> = session
        .participants
        .iter()
        .map(|participant| {
            let Participant::Saml(sp) = participant;
            json!({
                "type": "saml", "app": sp.app, "entity_id": sp.entity_id, "session_index": sp.session_index, "name_id": sp.name_id,
                "first": sp.first.to_rfc3339(), "last": sp.last.to_rfc3339(),
            })
        })
        .collect();
    json!({
        "id": session.id, "user": session.user_name, "user_id": session.user, "created": session.created.to_rfc3339(),
        "last_seen": session.last_seen.to_rfc3339(), "expires": session.expires.to_rfc3339(), "client": session.client,
        "agent": session.agent, "authn": authn, "participants": participants,
    })
}

pub async fn list(services: &Services, user: Option<&str>) -> Result<Reply, Fault> {
    let now = (services.clock)();
    let person = match user {
        None => None,
        Some(name) => match users::find(services, name).await? {
            Some(person) => Some(person.id),
            None => return Ok(Reply::failed(404, format!("there is no person called {name}"), "linkspan user list  shows everybody")),
        },
    };
    let sessions = services.sessions.list(person.as_ref(), now, 1_000).await?;
    Ok(Reply::ok(Value::Array(sessions.iter().map(to_json).collect())))
}

/// Ends one session, or all of a person.
pub async fn end(services: &Services, id: Option<&str>, user: Option<&str>, context: AuditContext) -> Result<Reply, Fault> {
    match (id, user) {
        (Some(id), _) => {
            let ended = match SessionId::parse(id) {
                Ok(id) => services.sessions.end(&id).await?,
                Err(_) => None,
            };
            let Some(ended) = ended else {
                return Ok(Reply::failed(404, format!("there is no session {id}"), "linkspan session list  shows the live ones"));
            };
            let event = Event::SessionEnded { user: ended.user_name, reason: "ended by an administrator".to_owned() };
            let context = AuditContext { session: Some(id.to_owned()), ..context };
            services.audit.record((services.clock)(), event, context).await?;
            services.stores.health.commit().await?;
            Ok(Reply::ok(json!({ "ended": 1 })))
        }
        (None, Some(name)) => {
            let Some(person) = users::find(services, name).await? else {
                return Ok(Reply::failed(404, format!("there is no person called {name}"), "linkspan user list  shows everybody"));
            };
            let ended = users::end_sessions(services, &person, "ended by an administrator", &context).await?;
            Ok(Reply::ok(json!({ "ended": ended })))
        }
        (None, None) => Ok(Reply { exit: 2, ..Reply::failed(422, "which session?", "name its ID, or a person with --user") }),
    }
}
