//! The session: belongs to no protocol. Who signed in, how and when, and which apps joined.

use serde::{Deserialize, Serialize};

use crate::model::id::{AppId, SessionId, UserId};
use crate::model::secret::Digest;
use crate::model::time::{Span, Timestamp};

/// One person signed in with one browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub id: SessionId,
    /// Digest of the cookie's secret half; a new secret at every privilege change.
    pub secret: Digest,
    pub user: UserId,
    /// The sign-in name when the session began, for lists.
    pub user_name: String,
    pub created: Timestamp,
    /// Moved at most once a minute, so that reading stays cheap.
    pub last_seen: Timestamp,
    /// The absolute end.
    pub expires: Timestamp,
    /// At least one; the newest last.
    pub authn: Vec<AuthnEvent>,
    /// Address and agent of the browser when it began.
    pub client: Option<String>,
    pub agent: Option<String>,
    pub participants: Vec<Participant>,
}

/// The browser a sign-in came from, for lists and audit.
#[derive(Debug, Clone, Default)]
pub struct ClientFacts {
    pub address: Option<String>,
    pub agent: Option<String>,
}

/// One successful proof of who somebody is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthnEvent {
    pub method: AuthnMethod,
    pub at: Timestamp,
    /// Whether it came over TLS or from a loopback host (PasswordProtectedTransport).
    pub protected_transport: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthnMethod {
    Password,
}

/// Class names of SAML Authentication Context 3.4 that our methods honestly reach; also the `acr` values of OpenID Connect.
pub mod class {
    pub const PASSWORD: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password";
    pub const PASSWORD_PROTECTED_TRANSPORT: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport";
    pub const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified";
}

impl AuthnMethod {
    /// What may honestly be said of such a proof, the strongest class first.
    ///
    /// A password that came over TLS, or never left the machine, is PasswordProtectedTransport and not Password, which by its
    /// definition goes over an unprotected channel. Everything may be called unspecified.
    pub fn honest_classes(self, protected_transport: bool) -> &'static [&'static str] {
        match (self, protected_transport) {
            (Self::Password, true) => &[class::PASSWORD_PROTECTED_TRANSPORT, class::UNSPECIFIED],
            (Self::Password, false) => &[class::PASSWORD, class::UNSPECIFIED],
        }
    }
}

impl AuthnEvent {
    /// The class to state of this proof to somebody who accepts `acceptable`, the preferred one first (`None`: any); `None`
    /// where none of them would be honest.
    pub fn class_for(&self, acceptable: Option<&[String]>) -> Option<&'static str> {
        let honest = self.method.honest_classes(self.protected_transport);
        match acceptable {
            None => honest.first().copied(),
            Some(wanted) => wanted.iter().find_map(|wanted| honest.iter().copied().find(|class| class == wanted)),
        }
    }
}

/// An app that the session reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Participant {
    /// A SAML SP: unique by entity ID and NameID.
    Saml(SamlParticipant),
}

/// What single logout must know of an SP (Core 3.7.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamlParticipant {
    pub app: AppId,
    pub entity_id: String,
    pub session_index: String,
    pub name_id: NameId,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// A NameID as it was sent (Core 2.2.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameId {
    pub value: String,
    pub format: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_qualifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sp_name_qualifier: Option<String>,
}

/// How the NameID of an answer is to be made: decided from the request, the metadata and the settings, carried out where
/// the person is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameIdPlan {
    /// A format URI, never `encrypted`.
    pub format: String,
    pub sp_name_qualifier: Option<String>,
    /// Whether a persistent identifier may be established now (Core 3.4.1.1, AllowCreate).
    pub allow_create: bool,
    /// Whether it travels as an EncryptedID.
    pub encrypt: bool,
}

/// How long a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLifetime {
    /// Ends when unused for this long.
    pub idle: Span,
    /// Ends this long after sign-in, whatever happens.
    pub absolute: Span,
}

impl Session {
    /// Whether it still counts at `now`.
    pub fn is_live(&self, now: Timestamp, lifetime: &SessionLifetime) -> bool {
        now < self.expires && now < self.last_seen + lifetime.idle
    }

    /// The newest AuthnEvent: its time is the AuthnInstant.
    pub fn newest_authn(&self) -> Option<&AuthnEvent> {
        self.authn.last()
    }

    /// Adds a participant, or renews the one that joined with the same entity ID and NameID and keeps its SessionIndex.
    /// Returns the participant as it now stands.
    pub fn join(&mut self, participant: SamlParticipant) -> SamlParticipant {
        for present in &mut self.participants {
            let Participant::Saml(present) = present;
            if present.entity_id == participant.entity_id && present.name_id == participant.name_id {
                present.last = participant.last;
                return present.clone();
            }
        }
        self.participants.push(Participant::Saml(participant.clone()));
        participant
    }
}
