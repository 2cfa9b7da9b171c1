//! The person's apps.

use std::sync::Arc;

use crate::flows::{Fault, Services, Visitor};
use crate::model::session::{Participant, Session};
use crate::model::user::User;
use crate::registry::registered::RegisteredSp;

/// What the portal shows.
pub struct Portal {
    pub user: Arc<User>,
    pub session: Session,
    /// Apps that the person may open, by name, and whether this session reached them.
    pub apps: Vec<(Arc<RegisteredSp>, bool)>,
}

/// Finds the visitor's apps; `None` without a live session.
pub async fn run(services: &Services, visitor: &Visitor) -> Result<Option<Portal>, Fault> {
    let now = (services.clock)();
    let Some(live) = services.live_session(visitor, now).await? else { return Ok(None) };
    let session = live.session().clone();
    let Some(user) = services.directory.by_id(&session.user).await?.filter(|user| user.enabled) else { return Ok(None) };
    let reached = |sp: &RegisteredSp| {
        session.participants.iter().any(|participant| {
            let Participant::Saml(participant) = participant;
            participant.app == sp.app.id
        })
    };
    let mut apps: Vec<(Arc<RegisteredSp>, bool)> = services
        .registry
        .all()
        .into_iter()
        .filter(|sp| sp.app.enabled)
        .map(|sp| {
            let joined = reached(&sp);
            (sp, joined)
        })
        .collect();
    apps.sort_by_cached_key(|(sp, _)| sp.app.name.to_lowercase());
    Ok(Some(Portal { user, session, apps }))
}
