//! Records to store.

use std::sync::atomic::{AtomicU64, Ordering};

use linkspan::crypto::digest::sha256;
use linkspan::model::app::{App, AppSource, Release, SamlSettings};
use linkspan::model::check::{Trace, TraceOutcome, TraceRecord};
use linkspan::model::event::{AuditRecord, Event};
use linkspan::model::id::{AppId, EntityId, Reference, SessionId, UserId};
use linkspan::model::secret::Digest;
use linkspan::model::session::{AuthnEvent, AuthnMethod, NameId, SamlParticipant, Session};
use linkspan::model::time::{Span, Timestamp};
use linkspan::model::user::User;
use linkspan::store::api_keys::ApiKeyRecord;
use linkspan::store::keys::{KeyRecord, KeyState};

/// The time at which tests begin.
pub const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

/// A number that no other test of this machine's runs uses, because a Redis may be shared.
pub fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let started = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_nanos();
    format!("{started:x}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

pub fn digest(text: &str) -> Digest {
    sha256(text.as_bytes())
}

pub fn user(name: &str) -> User {
    User {
        id: UserId::parse(format!("u_{}", unique())).expect("an ID"),
        name: name.to_owned(),
        email: None,
        display_name: None,
        attributes: [("sn".to_owned(), vec!["Läufer".to_owned()])].into(),
        groups: Vec::new(),
        admin: false,
        enabled: true,
        password_hash: None,
        created: NOW,
        updated: NOW,
        revision: 1,
    }
}

pub fn app(id: &str, entity_id: &str) -> App {
    App {
        id: AppId::parse(id).expect("an ID"),
        name: id.to_owned(),
        enabled: true,
        entity_id: EntityId::parse(entity_id).expect("an entity ID"),
        source: AppSource::Upload { signer: None },
        metadata: "<md:EntityDescriptor/>".to_owned(),
        saml: SamlSettings::default(),
        release: Release::default(),
        created: NOW,
        updated: NOW,
        revision: 1,
    }
}

pub fn key(id: &str, state: KeyState) -> KeyRecord {
    KeyRecord {
        id: id.to_owned(),
        kid: format!("kid-{id}"),
        key_use: "saml".to_owned(),
        algorithm: "RSA-2048".to_owned(),
        state,
        certificate: "-----BEGIN CERTIFICATE-----".to_owned(),
        created: NOW,
    }
}

pub fn api_key(id: &str, name: &str) -> ApiKeyRecord {
    ApiKeyRecord {
        id: id.to_owned(),
        name: name.to_owned(),
        digest: digest(&format!("secret of {id}")),
        scopes: vec!["apps:read".to_owned()],
        expires: Some(NOW + Span::days(1)),
        networks: Vec::new(),
        created: NOW,
    }
}

pub fn session(user: &UserId) -> Session {
    Session {
        id: SessionId::parse(format!("s_{}", unique())).expect("an ID"),
        secret: digest("the cookie"),
        user: user.clone(),
        user_name: "alice".to_owned(),
        created: NOW,
        last_seen: NOW,
        expires: NOW + Span::hours(24),
        authn: vec![password_at(NOW)],
        client: Some("192.0.2.1".to_owned()),
        agent: None,
        participants: Vec::new(),
    }
}

pub fn password_at(at: Timestamp) -> AuthnEvent {
    AuthnEvent { method: AuthnMethod::Password, at, protected_transport: true }
}

pub fn participant(entity_id: &str, session_index: &str, at: Timestamp) -> SamlParticipant {
    SamlParticipant {
        app: AppId::parse("grafana").expect("an ID"),
        entity_id: entity_id.to_owned(),
        session_index: session_index.to_owned(),
        name_id: NameId {
            value: "a 1 \n b".to_owned(),
            format: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent".to_owned(),
            name_qualifier: None,
            sp_name_qualifier: None,
        },
        first: at,
        last: at,
    }
}

pub fn audit(user: &str) -> AuditRecord {
    AuditRecord {
        at: NOW,
        event: Event::LoginSucceeded { user: user.to_owned(), method: "password".to_owned() },
        actor: Some(user.to_owned()),
        client: None,
        reference: None,
        session: None,
    }
}

pub fn trace(number: u64, at: Timestamp, app: &str) -> TraceRecord {
    let [_, _, _, bits @ ..] = number.to_be_bytes();
    TraceRecord {
        reference: Reference::from_bits(bits),
        at,
        flow: "saml.sso".to_owned(),
        outcome: TraceOutcome::Failed,
        app: Some(app.to_owned()),
        user: Some("alice".to_owned()),
        client: None,
        trace: Trace::default(),
    }
}
