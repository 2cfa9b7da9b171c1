//! A person signs in by password.

use crate::authn::password::Attempt;
use crate::flows::{Fault, Services, Visitor};
use crate::model::event::AuditContext;
use crate::model::event::Event;
use crate::model::secret::Secret;
use crate::model::session::{AuthnEvent, AuthnMethod};
use crate::model::time::Timestamp;
use crate::model::user::User;
use crate::session::cookie::SessionCookie;

/// What the form brought.
#[derive(Debug)]
pub struct Credentials {
    pub username: String,
    pub password: Secret<String>,
}

/// How it came out.
#[derive(Debug)]
pub enum SignedIn {
    /// Set the session cookie to this value and go on.
    Welcome {
        cookie: Secret<String>,
    },
    Refused(Problem),
}

/// What the person is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    UsernameMissing,
    PasswordMissing,
    /// Wrong password or unknown name: never says which.
    NoMatch,
    Disabled,
    Wait {
        until: Timestamp,
    },
    Busy,
}

impl Problem {
    fn check(self) -> &'static str {
        match self {
            Self::UsernameMissing | Self::PasswordMissing => "login.incomplete",
            Self::NoMatch => "login.no_match",
            Self::Disabled => "login.disabled",
            Self::Wait { .. } => "login.throttled",
            Self::Busy => "login.busy",
        }
    }
}

/// Judges one attempt. `throttle_key` is what the address counts as.
///
/// The same person's live session is stepped up (new proof, new cookie); another person's is ended first, so that a browser
/// holds one session.
pub async fn run(services: &Services, visitor: &Visitor, given: Credentials, throttle_key: &str) -> Result<SignedIn, Fault> {
    let now = (services.clock)();
    if given.username.trim().is_empty() {
        return Ok(SignedIn::Refused(Problem::UsernameMissing));
    }
    if given.password.expose().is_empty() {
        return Ok(SignedIn::Refused(Problem::PasswordMissing));
    }
    let user = if given.username.len() > 1_024 { None } else { services.directory.by_name(&given.username).await? };
    let attempt = services.passwords.attempt(&given.username, user.as_ref(), &given.password, throttle_key, now).await?;
    let name = user.as_ref().map(|user| user.name.clone());
    let problem = match attempt {
        Attempt::Accepted => match user {
            Some(user) => return welcome(services, visitor, &user, now).await,
            None => Problem::NoMatch,
        },
        Attempt::Refused => Problem::NoMatch,
        Attempt::Disabled => Problem::Disabled,
        Attempt::Wait { until } => Problem::Wait { until },
        Attempt::Busy => Problem::Busy,
    };
    let event = match problem {
        Problem::Wait { until } => Event::LoginLocked { user: name, seconds: until.since(now).as_seconds() },
        _ => Event::LoginFailed { user: name, check: problem.check().to_owned() },
    };
    services.audit.record(now, event, visitor.audit_context()).await?;
    services.stores.health.commit().await?;
    Ok(SignedIn::Refused(problem))
}

async fn welcome(services: &Services, visitor: &Visitor, user: &User, now: Timestamp) -> Result<SignedIn, Fault> {
    // What the check took must not make the proof look older than a ForceAuthn request that came meanwhile.
    let event = AuthnEvent { method: AuthnMethod::Password, at: now, protected_transport: services.facts.protected_transport };
    let cookie = establish(services, visitor, user, event, now).await?;
    // Somebody may have changed the password or switched the account off while the hash was computed: then the sessions were
    // ended before this one began, and nobody else would end it.
    let fresh = services.stores.users.by_id(&user.id).await?;
    if fresh.is_none_or(|fresh| !fresh.enabled || fresh.password_hash != user.password_hash) {
        services.sessions.end(cookie.id()).await?;
        services.stores.health.commit().await?;
        return Ok(SignedIn::Refused(Problem::NoMatch));
    }
    services.stores.health.commit().await?;
    Ok(SignedIn::Welcome { cookie: cookie.value() })
}

/// Gives the browser a session of this person with the fresh proof in it.
pub(super) async fn establish(
    services: &Services,
    visitor: &Visitor,
    user: &User,
    event: AuthnEvent,
    now: Timestamp,
) -> Result<SessionCookie, Fault> {
    let context = |session: &str| AuditContext {
        actor: Some(user.name.clone()),
        client: visitor.client.address.clone(),
        session: Some(session.to_owned()),
        reference: None,
    };
    let signed_in = Event::LoginSucceeded { user: user.name.clone(), method: "password".to_owned() };
    if let Some(live) = services.live_session(visitor, now).await? {
        let id = live.session().id.clone();
        if live.session().user == user.id {
            if let Some(cookie) = services.sessions.step_up(&live, event.clone()).await? {
                services.audit.record(now, signed_in, context(id.as_str())).await?;
                return Ok(cookie);
            }
        } else if let Some(ended) = services.sessions.end(&id).await? {
            let event = Event::SessionEnded { user: ended.user_name, reason: "another person signed in".to_owned() };
            services.audit.record(now, event, context(id.as_str())).await?;
        }
    }
    let (live, cookie) = services.sessions.open(user, event, visitor.client.clone()).await?;
    let id = live.session().id.as_str();
    services.audit.record(now, signed_in, context(id)).await?;
    services.audit.record(now, Event::SessionStarted { user: user.name.clone() }, context(id)).await?;
    Ok(cookie)
}
