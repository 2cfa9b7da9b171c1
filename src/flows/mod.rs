//! One file per thing that happens to a person, a peer or an administrator. Async, no HTTP types.

pub mod apps;
pub mod command;
pub mod dispatch;
pub mod groups;
pub mod issue;
pub mod keys;
pub mod logout;
pub mod metadata;
pub mod pending;
pub mod portal;
pub mod preview;
pub mod saml_sso;
pub mod sessions;
pub mod settings;
pub mod setup;
pub mod sign_in;
pub mod traces;
pub mod upkeep;
pub mod users;

pub mod api_keys;
pub mod explain;

use std::sync::{Arc, PoisonError, RwLock};

use crate::audit::AuditLog;
use crate::audit::traces::TraceLog;
use crate::authn::password::Passwords;
use crate::crypto::CryptoError;
use crate::directory::Directory;
use crate::keys::KeyRing;
use crate::keys::ring::{KeyFamily, Ring};
use crate::model::check::{Refusal, TraceOutcome, TraceRecord};
use crate::model::event::AuditContext;
use crate::model::id::Reference;
use crate::model::secret::{Digest, Secret};
use crate::model::session::ClientFacts;
use crate::model::time::{Span, Timestamp};
use crate::outbound::Outbound;
use crate::registry::name_id::NameIdIssuer;
use crate::registry::registered::Registry;
use crate::registry::subject_ids::SubjectIds;
use crate::saml::profiles::authn_context::ContextTable;
use crate::saml::profiles::respond::Idp;
use crate::saml::profiles::service_provider::SigningKeys;
use crate::saml::xml::signature::SignatureAlgorithm;
use crate::saml::xml::signature::sign::SigningKey;
use crate::session::cookie::SessionCookie;
use crate::session::{LiveSession, SessionService};
use crate::store::{StoreError, Stores};

/// How long an interrupted request waits for the person.
pub const PENDING_FOR: Span = Span::minutes(30);

/// Everything that flows work with; built by `app`.
pub struct Services {
    pub facts: Facts,
    pub stores: Stores,
    pub sessions: SessionService,
    pub passwords: Passwords,
    pub directory: Directory,
    pub registry: Registry,
    pub name_ids: NameIdIssuer,
    pub subject_ids: SubjectIds,
    pub keys: Arc<KeyRing>,
    pub audit: AuditLog,
    pub traces: TraceLog,
    pub outbound: Outbound,
    /// Our metadata as it was last made.
    pub published: metadata::Published,
    /// The active keys, ready to sign.
    pub signers: Signers,
    /// The system's clock; a flow reads it once.
    pub clock: fn() -> Timestamp,
}

/// The active keys with every algorithm that they sign by; made anew when the ring changes.
#[derive(Default)]
pub struct Signers {
    current: RwLock<Option<(Arc<Ring>, Arc<SigningKeys>)>>,
}

/// What the configuration says of us, for flows.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Without a slash at the end.
    pub public_url: String,
    /// The origin's host.
    pub host: String,
    pub entity_id: String,
    /// Whether sign-ins come over TLS or from a loopback host.
    pub protected_transport: bool,
    pub contexts: ContextTable,
    pub brand: String,
}

impl Facts {
    /// `public_url` + `/saml/sso`.
    pub fn sso_url(&self) -> String {
        format!("{}/saml/sso", self.public_url)
    }
}

/// Something of ours failed. The visitor is told that it was us, with a reference; the log has the cause.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    #[error("{0}")]
    Other(String),
}

impl Fault {
    /// Whether it may be gone in a moment: 503 rather than 500.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Store(StoreError::Unavailable { .. }))
    }
}

/// Who is at the other end of a request.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub client: ClientFacts,
    /// Digest of the browser cookie.
    pub browser: Digest,
    /// The session cookie's value as sent.
    pub session: Option<Secret<String>>,
}

impl Visitor {
    fn audit_context(&self) -> AuditContext {
        AuditContext { client: self.client.address.clone(), ..AuditContext::default() }
    }
}

impl Services {
    /// The keys that sign answers now.
    pub fn signing_keys(&self) -> Arc<SigningKeys> {
        let ring = self.keys.current();
        if let Some((made_of, keys)) = &*self.signers.current.read().unwrap_or_else(PoisonError::into_inner)
            && Arc::ptr_eq(made_of, &ring)
        {
            return Arc::clone(keys);
        }
        let mut ready = Vec::new();
        for family in [KeyFamily::Rsa, KeyFamily::Ec] {
            let Some(key) = ring.active(family) else { continue };
            let Some(private) = &key.private else { continue };
            for algorithm in
                SignatureAlgorithm::ALL.into_iter().filter(|algorithm| !algorithm.rests_on_sha1() && algorithm.fits(private.algorithm()))
            {
                match SigningKey::new(private.clone(), algorithm, key.certificate.der.clone()) {
                    Ok(key) => ready.push(key),
                    Err(error) => tracing::error!(kid = %key.record.kid, error = %error, "a key cannot sign"),
                }
            }
        }
        let keys = Arc::new(SigningKeys::new(ready));
        *self.signers.current.write().unwrap_or_else(PoisonError::into_inner) = Some((ring, Arc::clone(&keys)));
        keys
    }

    /// Who answers.
    pub fn idp<'a>(&'a self, keys: &'a SigningKeys) -> Idp<'a> {
        Idp { entity_id: &self.facts.entity_id, keys }
    }

    /// The visitor's live session.
    pub async fn live_session(&self, visitor: &Visitor, now: Timestamp) -> Result<Option<LiveSession>, Fault> {
        match visitor.session.as_ref().and_then(|value| SessionCookie::parse(value.expose())) {
            Some(cookie) => Ok(self.sessions.find(&cookie, now).await?),
            None => Ok(None),
        }
    }

    /// Keeps the trace of a refused exchange and returns the reference to show.
    pub async fn keep_refusal(&self, refusal: &Refusal, about: About<'_>, now: Timestamp) -> Result<Reference, Fault> {
        let reference = crate::crypto::random::with_system(|random| random.reference());
        let record = TraceRecord {
            reference: reference.clone(),
            at: now,
            flow: about.flow.to_owned(),
            outcome: TraceOutcome::Failed,
            app: about.app.map(str::to_owned),
            user: about.user.map(str::to_owned),
            client: about.client.map(str::to_owned),
            trace: refusal.trace.clone(),
        };
        self.traces.keep(record, about.known).await?;
        Ok(reference)
    }
}

/// Whom and what a refused exchange was about.
#[derive(Debug, Clone, Copy, Default)]
pub struct About<'a> {
    pub flow: &'a str,
    /// What the message names.
    pub app: Option<&'a str>,
    /// Whether such an app is registered.
    pub known: bool,
    /// The person's sign-in name, where one was known.
    pub user: Option<&'a str>,
    /// The client's address.
    pub client: Option<&'a str>,
}
