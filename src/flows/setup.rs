//! The first administrator, by the single-use set-up link.

use std::collections::BTreeMap;

use crate::authn::password::PasswordProblem;
use crate::crypto::{digest, random};
use crate::flows::{Fault, Services, Visitor, sign_in};
use crate::model::event::{AuditContext, Event};
use crate::model::id::UserId;
use crate::model::secret::{Digest, Secret};
use crate::model::session::{AuthnEvent, AuthnMethod};
use crate::model::time::Span;
use crate::model::user::User;
use crate::store::setup::Claimed;

/// How long a set-up link works.
pub const LINK_FOR: Span = Span::minutes(30);

/// What the form brought.
#[derive(Debug)]
pub struct Administrator {
    pub display_name: String,
    pub username: String,
    pub password: Secret<String>,
}

/// How it came out.
#[derive(Debug)]
pub enum SetUp {
    Done {
        cookie: Secret<String>,
    },
    /// Unknown, used, expired, or an administrator exists already.
    Dead,
    NameTaken,
    UsernameMissing,
    PasswordTooShort,
    PasswordTooLong,
}

/// Makes a new link while no administrator exists; replaces the one before. `None` if there is an administrator.
pub async fn offer(services: &Services) -> Result<Option<String>, Fault> {
    let now = (services.clock)();
    // 16 letters of 32: 80 bits, for a link that works once within half an hour.
    let letters = random::with_system(|random| random.letters("", 16)).to_uppercase();
    let token = [letters.get(..4), letters.get(4..8), letters.get(8..12), letters.get(12..)].map(Option::unwrap_or_default).join("-");
    let offered = services.stores.setup.offer(&token_digest(&token), now + LINK_FOR).await?;
    Ok(offered.then(|| format!("{}/setup/{token}", services.facts.public_url)))
}

/// Whether the link in an address would work.
pub async fn is_valid(services: &Services, token: &str) -> Result<bool, Fault> {
    Ok(token.len() <= 64 && services.stores.setup.is_valid(&token_digest(token), (services.clock)()).await?)
}

/// Uses the link: the account is made and the link dies in one transaction; then the person is signed in.
pub async fn run(services: &Services, visitor: &Visitor, token: &str, given: Administrator) -> Result<SetUp, Fault> {
    let now = (services.clock)();
    if !is_valid(services, token).await? {
        return Ok(SetUp::Dead);
    }
    let name = given.username.trim();
    if name.is_empty() || name.len() > 200 || name.chars().any(char::is_control) {
        return Ok(SetUp::UsernameMissing);
    }
    let hash = match services.passwords.hash(&given.password).await {
        Ok(hash) => hash,
        Err(PasswordProblem::TooShort) => return Ok(SetUp::PasswordTooShort),
        Err(PasswordProblem::TooLong) => return Ok(SetUp::PasswordTooLong),
        Err(problem @ PasswordProblem::Broken) => return Err(Fault::Other(problem.to_string())),
    };
    let id = random::with_system(|random| random.letters("u_", 20));
    let display_name = given.display_name.trim();
    let user = User {
        id: UserId::parse(id).map_err(|e| Fault::Other(e.to_string()))?,
        name: name.to_owned(),
        email: name.contains('@').then(|| name.to_owned()),
        display_name: (!display_name.is_empty()).then(|| display_name.to_owned()),
        attributes: BTreeMap::new(),
        groups: Vec::new(),
        admin: true,
        enabled: true,
        password_hash: Some(hash),
        created: now,
        updated: now,
        revision: 1,
    };
    match services.stores.setup.claim(&token_digest(token), &user, now).await? {
        Claimed::Invalid => return Ok(SetUp::Dead),
        Claimed::NameTaken => return Ok(SetUp::NameTaken),
        Claimed::Claimed => {}
    }
    let context = || AuditContext { actor: Some(user.name.clone()), ..visitor.audit_context() };
    services.audit.record(now, Event::UserCreated { user: user.name.clone() }, context()).await?;
    services.audit.record(now, Event::AdminGranted { user: user.name.clone() }, context()).await?;
    let event = AuthnEvent { method: AuthnMethod::Password, at: now, protected_transport: services.facts.protected_transport };
    let cookie = sign_in::establish(services, visitor, &user, event, now).await?;
    services.stores.health.commit().await?;
    Ok(SetUp::Done { cookie: cookie.value() })
}

fn token_digest(token: &str) -> Digest {
    digest::sha256_parts(&[b"setup", token.trim().to_uppercase().as_bytes()])
}
