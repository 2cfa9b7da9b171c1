//! A person ends their own session. Logout at the apps that it reached comes with single logout.

use crate::flows::{Fault, Services, Visitor};
use crate::model::event::AuditContext;
use crate::model::event::Event;
use crate::model::session::Participant;

/// Ends the visitor's session exactly once. Returns the names of the apps that it had reached; `None` if there was no
/// session to end.
pub async fn run(services: &Services, visitor: &Visitor) -> Result<Option<Vec<String>>, Fault> {
    let now = (services.clock)();
    let Some(live) = services.live_session(visitor, now).await? else { return Ok(None) };
    let Some(ended) = services.sessions.end(&live.session().id).await? else { return Ok(None) };
    let event = Event::SessionEnded { user: ended.user_name.clone(), reason: "signed out".to_owned() };
    let context = AuditContext {
        actor: Some(ended.user_name),
        client: visitor.client.address.clone(),
        session: Some(ended.id.to_string()),
        reference: None,
    };
    services.audit.record(now, event, context).await?;
    services.stores.health.commit().await?;
    let mut apps: Vec<String> = Vec::new();
    for participant in &ended.participants {
        let Participant::Saml(participant) = participant;
        let name = services.registry.by_id(&participant.app).map_or_else(|| participant.entity_id.clone(), |sp| sp.app.name.clone());
        if !apps.contains(&name) {
            apps.push(name);
        }
    }
    Ok(Some(apps))
}
